//! The one thing that somebody who looks at an incident should do now.
//!
//! A page has room for one sentence and two buttons at 2 AM. Which ones is decided here, of the state, of who reads and of the
//! hour, and of nothing else. It proposes; what may be done is decided in `decide`, and everything else stays one section
//! below.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::command::Office;
use super::decide::may_be_assumed;
use super::incident::{Command, Incident, Phase, Responder, ResponderStatus};
use super::rules::Rules;

/// Who looks.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// Their name; `None`: a program.
    pub person: Option<&'a str>,
    /// They may act. Who may not gets words and no button.
    pub acts: bool,
    /// The zone of the hours they are told.
    pub zone: TimeZone,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which: a word for tests and styles.
    pub kind: Kind,
    /// What is so, and what to do, in one or two short sentences.
    pub text: String,
    /// One or two buttons, the first one first; none when there is nothing to press.
    pub buttons: Vec<Button>,
}

/// Which step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is over, or part of another.
    Over,
    /// Nobody has it.
    Take,
    /// Command is offered to them.
    Offered,
    /// They command and are not on scene.
    Arrive,
    /// They were asked for a sign of life.
    SignOfLife,
    /// There is no size-up.
    SizeUp,
    /// A progress report is due.
    Report,
    /// There is no objective.
    Objective,
    /// Somebody asks to be given command.
    Wish,
    /// STOP stands.
    Stop,
    /// A change of theirs is in flight.
    Change,
    /// A task of theirs is open.
    Task,
    /// They are asked to take an office.
    Office,
    /// Command passed, and they have not said that they know.
    Heard,
    /// They are not on scene, and somebody else commands.
    CheckIn,
    /// They may take command from who cannot have it now.
    Assume,
    /// Nothing fires any more: what ended the harm?
    Mitigate,
    /// The harm stopped, and it is watched.
    Watch,
    /// The watch is over.
    Resolve,
    /// They have commanded for long: who takes it over?
    Relief,
    /// Nothing but to watch.
    Nothing,
}

/// Something to press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// What it does.
    pub does: Does,
    /// What its form carries besides the term.
    pub fields: Vec<(&'static str, String)>,
    /// A line that has to be written first: the name of its field, and its label.
    pub asks: Option<(&'static str, &'static str)>,
}

/// What a button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// A verb.
    Verb(&'static str),
    /// It leads to the brief.
    Brief,
    /// It leads to a part of the page.
    Part(&'static str),
}

fn verb(verb: &'static str, label: impl Into<String>) -> Button {
    Button { label: label.into(), does: Does::Verb(verb), fields: Vec::new(), asks: None }
}

fn part(part: &'static str, label: &str) -> Button {
    Button { label: label.into(), does: Does::Part(part), fields: Vec::new(), asks: None }
}

impl Button {
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    fn asking(self, name: &'static str, label: &'static str) -> Self {
        Self { asks: Some((name, label)), ..self }
    }
}

/// What somebody should do now.
pub fn next_step(incident: &Incident, reader: &Reader<'_>, rules: &Rules, now: Timestamp) -> Step {
    let look = Look { incident, rules, now, zone: &reader.zone };
    let me = reader.person.filter(|_| reader.acts);
    let mut step = match (incident.commander(), me) {
        _ if !incident.is_open() => look.over(),
        (None, _) => look.nobody(me),
        (Some(command), Some(me)) if command.person == me => look.commander(command, me),
        (Some(command), Some(me)) => look.other(command, me),
        (Some(command), None) => look.watches(command),
    };
    if me.is_none() {
        step.buttons.clear();
    }
    step
}

struct Look<'a> {
    incident: &'a Incident,
    rules: &'a Rules,
    now: Timestamp,
    zone: &'a TimeZone,
}

fn step(kind: Kind, text: impl Into<String>, buttons: Vec<Button>) -> Step {
    Step { kind, text: text.into(), buttons }
}

impl Look<'_> {
    fn over(&self) -> Step {
        let text = match self.incident.merged_into {
            Some(home) => format!("This is part of INC-{home}. Go on there."),
            None => {
                "It is over. There is nothing to do here; when it begins again, open it again below.".into()
            }
        };
        step(Kind::Over, text, Vec::new())
    }

    fn nobody(&self, me: Option<&str>) -> Step {
        let Some(me) = me else {
            return step(
                Kind::Take,
                "Nobody has command yet. The first person who answers takes it.",
                Vec::new(),
            );
        };
        let was_paged =
            self.incident.responder(me).is_some_and(|known| known.status == ResponderStatus::Paged);
        let text = if was_paged {
            "Nobody has command yet, and you were paged. Take it now; you can hand it over at any time."
        } else {
            "Nobody has command yet. Take it if you can look at it now; you can hand it over at any time."
        };
        let buttons = vec![
            verb("ack", "Take command"),
            verb("ack", "Take command and call for help").with("help", true),
        ];
        step(Kind::Take, text, buttons)
    }

    /// What who commands does next.
    fn commander(&self, command: &Command, me: &str) -> Step {
        let board = &self.incident.board;
        let asked = self.signs() > 0;
        if !self.incident.is_on_scene(me) {
            let text = if asked {
                "You have command, and you were asked for a sign of life. When you are at a keyboard, say so."
            } else {
                "You have command. When you are at a keyboard and can act, say so."
            };
            let mut buttons = vec![verb("check-in", "I am on scene")];
            if asked {
                buttons.push(verb("ack", "I am here, and on my way"));
            }
            return step(if asked { Kind::SignOfLife } else { Kind::Arrive }, text, buttons);
        }
        if asked {
            let text =
                "You have command, and you were asked for a sign of life. Others are called if none comes.";
            return step(Kind::SignOfLife, text, vec![verb("check-in", "I am here")]);
        }
        if let Phase::Mitigated { cause, .. } = &self.incident.phase {
            return self.mitigated(cause.as_deref());
        }
        if board.size_up.is_none() {
            let text = "Say in one line what you see: what happened, how big it is, what you need.";
            return step(
                Kind::SizeUp,
                text,
                vec![verb("size-up", "Say it to all").asking("text", "What you see")],
            );
        }
        if let Some(wish) = self.incident.offices.wishes.first()
            && self.incident.offices.offer.is_none()
        {
            let name = self.name(wish);
            let text = format!(
                "{name} is ready to take command, and asks for it. It is yours until they have accepted."
            );
            return step(
                Kind::Wish,
                text,
                vec![verb("offer", format!("Offer command to {name}")).with("to", wish)],
            );
        }
        if self.report_is_due(command) {
            let said = |trend: &str, label: &str| verb("report", label).with("trend", trend);
            let text = "A progress report is due. How does it go?";
            return step(
                Kind::Report,
                text,
                vec![said("better", "Better"), said("same", "The same"), said("worse", "Worse")],
            );
        }
        if let Some(stop) = self.stop(me) {
            return stop;
        }
        if board.objective.is_none() {
            let text = "Say what is to be achieved now, so that everybody works towards the same.";
            let button = verb("objective", "Set the objective").asking("text", "Objective");
            return step(Kind::Objective, text, vec![button]);
        }
        if let Some(own) = self.own_work(me) {
            return own;
        }
        if self.incident.firing == 0 && self.incident.alerts > 0 {
            let text = "No alert fires any more. If the harm has stopped, say what ended it.";
            return step(Kind::Mitigate, text, vec![part("mitigate", "The harm has stopped")]);
        }
        if let Some(relief) = self.relief(command) {
            return relief;
        }
        let mut text = String::from("Nothing is waited for from you at this moment. ");
        if let Some(offer) = &self.incident.offices.offer {
            text.push_str(&format!(
                "{} was offered command, and has until {}; until then it stays where it is. ",
                self.name(&offer.to),
                self.hour(offer.expires)
            ));
        }
        match self.next_report(command) {
            Some(at) => text.push_str(&format!("The next report is due {}.", self.hour(at))),
            None => text.push_str("Watch the timeline, and say when the harm has stopped."),
        }
        step(Kind::Nothing, text, vec![part("mitigate", "The harm has stopped")])
    }

    fn mitigated(&self, cause: Option<&str>) -> Step {
        match self.watch_ends().filter(|ends| *ends > self.now) {
            Some(ends) => {
                let mut text =
                    format!("The harm has stopped. Watch until {}, then resolve it.", self.hour(ends));
                if cause.is_none() {
                    text.push_str(" Nobody knows yet what ended it: if you find it, write it down.");
                }
                step(Kind::Watch, text, vec![part("note", "Write a note")])
            }
            None => {
                let text = "The watch is over. If all is well, resolve it.";
                step(Kind::Resolve, text, vec![verb("resolve", "Resolved: it is over")])
            }
        }
    }

    /// They were asked who takes command over, and have offered it to nobody since.
    fn relief(&self, command: &Command) -> Option<Step> {
        let offices = &self.incident.offices;
        offices.tenure.as_ref().filter(|_| offices.offer.is_none())?.prompted?;
        let hours = self.now.duration_since(command.since).as_hours();
        let long = match hours {
            2.. => format!("{hours} hours"),
            _ => "long".to_owned(),
        };
        let deputy = offices.holder(Office::Deputy);
        let rests = |known: &&Responder| known.status == ResponderStatus::Resting;
        let others = self.incident.responders.iter().filter(|known| known.person != command.person);
        let others = others.filter(|known| known.status.is_on_scene() && !rests(known));
        let mut others: Vec<&str> = others.map(|known| known.person.as_str()).collect();
        others.sort_by_key(|person| Some(*person) != deputy);
        if others.is_empty() {
            let text = format!(
                "You have commanded for {long}, and nobody else is on scene. Ask for somebody who can take over."
            );
            return Some(step(Kind::Relief, text, vec![part("requests", "Call people")]));
        }
        let text =
            format!("You have commanded for {long}. Who relieves you? It is yours until they have accepted.");
        let offer = |to: &&str| verb("offer", format!("Offer command to {}", self.name(to))).with("to", to);
        Some(step(Kind::Relief, text, others.iter().take(2).map(offer).collect()))
    }

    /// What somebody does next while another commands.
    fn other(&self, command: &Command, me: &str) -> Step {
        let name = self.name(&command.person);
        let offices = &self.incident.offices;
        let on_scene = self.incident.is_on_scene(me);
        let check_in = || verb("check-in", format!("Check in to {name}"));
        if let Some(offer) = offices.offer.as_ref().filter(|offer| offer.to == me) {
            let who = if offer.ordered { self.name(&offer.by) } else { name.clone() };
            let what = if offer.ordered { "orders that you take command" } else { "offers you command" };
            let until = self.hour(offer.expires);
            if !on_scene {
                let text = format!("{who} {what}, until {until}. Check in first; then read the brief.");
                return step(Kind::Offered, text, vec![check_in()]);
            }
            let text = format!("{who} {what}, until {until}. Read the brief, then accept or decline.");
            let read =
                Button { label: "Read the brief".into(), does: Does::Brief, fields: Vec::new(), asks: None };
            return step(Kind::Offered, text, vec![read, verb("refuse", "I do not take it")]);
        }
        if offices.unaware.iter().any(|person| person == me) {
            let text = format!("Command has passed: {name} has it now. Say that you know.");
            return step(Kind::Heard, text, vec![verb("heard", format!("I know that {name} has command"))]);
        }
        let may_assume = |text: String| step(Kind::Assume, text, vec![verb("assume", "Take command now")]);
        if on_scene && self.may_be_assumed(me) {
            return may_assume(format!(
                "{name} has command and has not answered for a while. You may take command."
            ));
        }
        if let Some(office) = offices.asked_of(me) {
            let text = format!("{name} asks you to be {}.", office.title());
            let yes = verb("accept", format!("Yes, I am {}", office.title())).with("office", office.as_str());
            return step(Kind::Office, text, vec![yes, verb("refuse", "No").with("office", office.as_str())]);
        }
        if !on_scene {
            let text = format!("{name} has command. When you are at a keyboard, check in.");
            let mut buttons = vec![check_in()];
            if self.incident.responder(me).is_none_or(|known| known.status != ResponderStatus::EnRoute) {
                buttons.push(verb("en-route", "I am on my way"));
            }
            return step(Kind::CheckIn, text, buttons);
        }
        if !self.incident.is_on_scene(&command.person) {
            return may_assume(format!(
                "{name} has command and is not on scene yet. You are: take command if it cannot wait."
            ));
        }
        if let Some(stop) = self.stop(me) {
            return stop;
        }
        if let Some(own) = self.own_work(me) {
            return own;
        }
        let rests = self.incident.responder(me).is_some_and(|known| known.status == ResponderStatus::Resting);
        if rests {
            let text = format!("You rest. {name} has command. When you are back, check in.");
            return step(Kind::CheckIn, text, vec![check_in()]);
        }
        if offices.holder(Office::Safety) == Some(me) {
            let text = format!(
                "You are Safety Officer. {name} has command; {}. Stop it at once if it is not safe.",
                self.in_flight()
            );
            return step(Kind::Nothing, text, vec![part("changes", "Look at the changes")]);
        }
        if let Phase::Mitigated { .. } = &self.incident.phase {
            let until = self.watch_ends().filter(|ends| *ends > self.now);
            let until = until.map(|ends| format!(" until {}", self.hour(ends))).unwrap_or_default();
            let text = format!("The harm has stopped, and {name} watches{until}. Say if you see anything.");
            return step(Kind::Watch, text, vec![part("note", "Write a note")]);
        }
        let office = offices.of(me).map(|office| format!("You are {}. ", office.title())).unwrap_or_default();
        let text = format!(
            "{office}You are on scene, and {name} has command. Ask them what to do; say what you find, and before you change anything."
        );
        step(
            Kind::Nothing,
            text,
            vec![part("findings", "Say what I found"), part("changes", "I am changing something")],
        )
    }

    /// What somebody sees who only looks.
    fn watches(&self, command: &Command) -> Step {
        let name = self.name(&command.person);
        let text = match &self.incident.phase {
            Phase::Mitigated { .. } => {
                format!("The harm has stopped, and {name} watches. There is nothing for you to do.")
            }
            _ => format!("{name} has command. There is nothing for you to do; this page says what happens."),
        };
        step(if self.incident.mitigated_at.is_some() { Kind::Watch } else { Kind::Nothing }, text, Vec::new())
    }

    /// STOP stands: whoever may lift it can, the others wait.
    fn stop(&self, me: &str) -> Option<Step> {
        let stop = self.incident.board.stop.as_ref()?;
        let safety = self.incident.offices.holder(Office::Safety);
        let commands = self.incident.commander().is_some_and(|command| command.person == me);
        let by = if stop.by == me { "You".to_owned() } else { self.name(&stop.by) };
        let own = self.incident.board.in_flight().find(|action| action.person == me);
        let mut text =
            format!("STOP stands: change nothing. {by} said why: {}.", stop.text.trim_end_matches('.'));
        if let Some(own) = own {
            text.push_str(&format!(
                " Your change {} is in flight: leave it, or roll it back as agreed.",
                own.number
            ));
        }
        let mut buttons = Vec::new();
        if safety == Some(me) || commands {
            buttons.push(verb("lift", "Lift the STOP").asking("reason", "Why it is safe again"));
        }
        Some(step(Kind::Stop, text, buttons))
    }

    /// A change or a task of theirs that has not ended.
    fn own_work(&self, me: &str) -> Option<Step> {
        let board = &self.incident.board;
        let end = |verb_of: &'static str, number: u32, how: &'static str, label: &str| {
            verb(verb_of, label).with("number", number).with("how", how)
        };
        if let Some(action) = board.in_flight().find(|action| action.person == me) {
            let place = if action.place.is_empty() { String::new() } else { format!(" ({})", action.place) };
            let text = format!(
                "Your change {} is in flight: {}{place}. How did it end?",
                action.number, action.what
            );
            let buttons = vec![
                end("end-act", action.number, "done", "Done"),
                end("end-act", action.number, "rolled-back", "Rolled back"),
            ];
            return Some(step(Kind::Change, text, buttons));
        }
        let task = board
            .open_tasks()
            .filter(|task| task.person == me)
            .min_by_key(|task| task.limit.unwrap_or(Timestamp::MAX))?;
        let limit = match task.limit {
            Some(limit) if limit <= self.now => format!(" Its time is over since {}.", self.hour(limit)),
            Some(limit) => format!(" By {}.", self.hour(limit)),
            None => String::new(),
        };
        let text = format!("Your task {}: {}.{limit}", task.number, task.what.trim_end_matches('.'));
        let buttons = vec![
            end("end-task", task.number, "done", "Done"),
            end("end-task", task.number, "failed", "It did not work"),
        ];
        Some(step(Kind::Task, text, buttons))
    }

    fn in_flight(&self) -> String {
        match self.incident.board.in_flight().count() {
            0 => "no change is in flight".to_owned(),
            1 => "one change is in flight".to_owned(),
            many => format!("{many} changes are in flight"),
        }
    }

    /// How often the Commander was asked for a sign of life in vain.
    fn signs(&self) -> u32 {
        match &self.incident.phase {
            Phase::Acknowledged { sign: Some(sign), .. } => sign.asked,
            _ => 0,
        }
    }

    fn may_be_assumed(&self, me: &str) -> bool {
        let is_deputy = self.incident.offices.holder(Office::Deputy) == Some(me);
        may_be_assumed(self.incident, self.rules, is_deputy, self.now)
    }

    /// When the watch is over.
    fn watch_ends(&self) -> Option<Timestamp> {
        let watch = self.rules.command.watch.get(&self.incident.severity).copied().unwrap_or_default();
        self.incident.mitigated_at?.checked_add(watch).ok()
    }

    /// When the next report is due of who commands; `None`: never.
    fn next_report(&self, command: &Command) -> Option<Timestamp> {
        let Phase::Acknowledged { calls: Some(calls), .. } = &self.incident.phase else { return None };
        if calls.pace.progress <= SignedDuration::ZERO {
            return None;
        }
        let board = &self.incident.board;
        let said = board.report.as_ref().map(|report| report.at);
        let sized_up = board.size_up.as_ref().map(|said| said.at);
        let last = said.into_iter().chain(sized_up).chain([command.since]).max()?;
        last.checked_add(calls.pace.progress).ok()
    }

    fn report_is_due(&self, command: &Command) -> bool {
        self.next_report(command).is_some_and(|at| at <= self.now)
    }

    fn name(&self, person: &str) -> String {
        match self.rules.people.get(person) {
            Some(known) if !known.full_name.is_empty() => known.full_name.clone(),
            _ => person.to_owned(),
        }
    }

    /// An hour, and how far it is: `02:14 UTC (in 12 min)`.
    fn hour(&self, at: Timestamp) -> String {
        let clock = at.to_zoned(self.zone.clone()).strftime("%H:%M %Z").to_string();
        let seconds = at.duration_since(self.now).as_secs();
        match seconds {
            0.. => format!("{clock} (in {} min)", (seconds + 59) / 60),
            _ => format!("{clock} ({} min ago)", -seconds / 60),
        }
    }
}

#[cfg(test)]
pub(super) mod stories;
