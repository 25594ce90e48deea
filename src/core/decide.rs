//! The only place where an incident changes.
//!
//! [`open`] and [`decide`] are pure: state, act, rules and the hour in; entries, letters and a named
//! reason out. The state that comes back is the old one with the entries applied, and nothing else.

use jiff::{SignedDuration, Timestamp};

mod act;
mod board;
mod clocks;
mod command;
mod flapping;
mod gather;
mod people;
mod reason;
mod refusal;
mod silent;
mod tenure;
mod updates;
mod voice;
mod wake;
mod wording;

pub use act::{Act, Bid, Draft, Join, Next, Opening, Speech, TooLong, Wish, Write};
pub(in crate::core) use command::may_be_assumed;
pub use reason::Reason;
pub use refusal::Refusal;
pub use updates::{Unsaid, holding_words};
pub use voice::QUESTION_CHARS_MAX;
pub use wording::{TITLE_CHARS_MAX, may_carry, public_names, starter};

use super::audience::Audience;
use super::board::RequestState;
use super::command::{COMMANDER, Handover, Office, Turn};
use super::escalation::{self, Staff};
use super::incident::{CommandReason, Incident, Phase, Resolution, ResponderStatus, Severity};
use super::letter::{Letter, News};
use super::rules::Rules;
use super::timeline::{Actor, Entry, Fact, Route};
use super::voice::Say;

/// Longest note, cause or reason a person may write, in bytes: all that a form of 4000 characters can hold, of which no script
/// takes more than three bytes as forms count.
pub const WORDS_BYTES_MAX: usize = 12_000;

/// Who acts, and by which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// By which way.
    pub route: Route,
    /// When it is said to have happened, if not now.
    pub occurred_at: Option<Timestamp>,
}

impl By {
    /// The daemon's own clock and deliveries.
    pub fn dispatch() -> Self {
        Self { actor: Actor::Dispatch, route: Route::Daemon, occurred_at: None }
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The incident as it then is: the old one with `entries` applied.
    pub incident: Incident,
    /// What goes on the timeline.
    pub entries: Vec<Entry>,
    /// What leaves the house.
    pub letters: Vec<Letter>,
    /// Why.
    pub reason: Reason,
}

impl Decision {
    /// What was said of statements last, or became of one: letters tell of that, and of no other.
    pub fn said(&self) -> Option<&Fact> {
        let is_said = |fact: &&Fact| match fact {
            Fact::Voice(say) => !matches!(say, Say::Awaited { .. } | Say::HoldingPlanned { .. }),
            Fact::Delivered { statement, .. } => statement.is_some(),
            _ => false,
        };
        self.entries.iter().rev().map(|entry| &entry.fact).find(is_said)
    }

    /// The change of command that it is, when it is one.
    pub fn handover(&self) -> Option<Handover<'_>> {
        let twice = self.reason.warning().is_some();
        self.entries.iter().find_map(|entry| match &entry.fact {
            Fact::Command(Turn::Transferred { from, talked, .. }) => {
                Some(Handover { entry: entry.seq, from, talked, twice })
            }
            _ => None,
        })
    }
}

/// Opens an incident and wakes the first step.
///
/// # Errors
/// [`Refusal::Fault`] only.
pub fn open(
    id: i64,
    opening: Opening,
    by: &By,
    staff: Staff<'_>,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let title = opening.title.clone();
    let Opening { title: of, service, severity, alert, group, storm } = opening;
    let waits = alert.is_some() && !storm;
    let fact = Fact::Opened { title: of, service, severity, group, declared: alert.is_none() };
    let mut work = Work::open(id, fact, by, staff, now)?;
    if let Some((source, key)) = alert {
        work.add(Fact::AlertJoined {
            source,
            key,
            title,
            refired: false,
            service: None,
            because: None,
            not_before: None,
            rests_until: None,
        })?;
    }
    if storm {
        work.dispatch(Fact::StormBegan)?;
    }
    if !(waits && work.waits_for_its_cause()?) {
        work.escalate()?;
    }
    let opened = work.incident.clone();
    work.tell_watchers(&opened)?;
    work.plans_holding()?;
    Ok(work.done(Reason::Opened))
}

/// Opens an incident with alerts that are split off another. Whoever does that commands it, and nobody is woken.
///
/// # Errors
/// A [`Refusal`] that says why nothing was changed.
pub fn open_split(
    id: i64,
    opening: Opening,
    (from, alerts, firing): (i64, u32, u32),
    by: &By,
    staff: Staff<'_>,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let Opening { title, service, severity, group, .. } = opening;
    let fact = Fact::Opened { title, service, severity, group, declared: false };
    let mut work = Work::open(id, fact, by, staff, now)?;
    let person = work.person()?;
    work.add(Fact::SplitFrom { incident: from, alerts, firing })?;
    work.take_command(&person, CommandReason::FirstResponder)?;
    Ok(work.done(Reason::Opened))
}

/// Decides what an act does to an incident.
///
/// # Errors
/// A [`Refusal`] that says why nothing was changed.
pub fn decide(
    incident: &Incident,
    act: Act,
    by: &By,
    staff: Staff<'_>,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let mut work = Work {
        incident: incident.clone(),
        entries: Vec::new(),
        letters: Vec::new(),
        by,
        rules: staff.rules,
        staff,
        now,
    };
    if by.route.answers_a_page() {
        // An answer to a page is one person's, of one incident, and ends with it.
        work.person()?;
        work.open_only()?;
    }
    let reason = match act {
        Act::Join(join) => work.join(join)?,
        Act::Worsen { severity } => work.worsens(severity)?,
        Act::BeginStorm => work.begin_storm()?,
        Act::MergeInto { into, term } => work.merge_into(into, term)?,
        Act::TakeIn(other) => work.take_in(*other)?,
        Act::SplitOff { into, alerts, firing, term } => work.split_off(into, alerts, firing, term)?,
        Act::SplitFrom { incident, alerts, firing } => work.split_from(incident, alerts, firing)?,
        Act::FireOn { key } => match &work.incident.phase {
            Phase::Resolved { .. } => {
                let severity = work.incident.severity;
                work.reopen_by_alert(format!("{key} still fires"), None, severity)?
            }
            _ => Reason::Recorded,
        },
        Act::Recover { source, key, timed_out, flaps } => {
            work.recover(source, key, timed_out, None, flaps)?
        }
        Act::Leave { source, key, to } => work.recover(source, key, None, Some(to), None)?,
        Act::SourceAcknowledge { source, key } => {
            work.add(Fact::SourceAcknowledged { source, key })?;
            Reason::SourceAcknowledged
        }
        Act::Tick { unheard, unsaid } => work.tick(&unheard, &unsaid)?,
        Act::Unreachable { person, why } => {
            work.add(work.is_out_of_reach(&person, why))?;
            match work.escalate_if_nobody_is_left()? {
                Reason::Recorded => work.commander_is_out_of_reach(&person)?,
                other => other,
            }
        }
        Act::Deliver { what, to, outcome, why, statement } => {
            let lost = statement.is_some() && !matches!(outcome.as_str(), "accepted" | "superseded");
            work.add(Fact::Delivered { what, to, outcome, why, statement })?;
            if lost {
                work.tell_who_speaks(News::Undelivered);
                work.tell_commander(News::Undelivered);
                work.tell_who_spoke(News::Undelivered);
                if work.letters.is_empty() {
                    // Nobody has it, or speaks: whoever could, has to know.
                    work.tell_all_who_can_speak(News::Undelivered);
                    work.tell_who_sent(statement, News::Undelivered);
                }
            }
            Reason::Recorded
        }
        Act::Tell { person, why } => {
            let next_at = work.incident.next_people_at().filter(|due| *due > now);
            work.letters.push(Letter::Misread { person, why, next_at });
            Reason::Recorded
        }
        Act::Answer { help } => work.answer(help)?,
        Act::Decline => match work.decline_offer(None, "")? {
            // Who was called as PIO may have been paged, too.
            Some(Reason::PioDeclined) | None => work.decline()?,
            Some(reason) => reason,
        },
        Act::CheckIn => work.check_in()?,
        Act::EnRoute { eta } => work.en_route(eta)?,
        Act::Rest { person, term } => work.rests(person, term)?,
        Act::Release { person, term } => work.release(person, term)?,
        Act::Command(bid) => work.bids(bid)?,
        Act::Board(write) => work.writes(write)?,
        Act::Speak(speech) => work.speaks(*speech)?,
        Act::SetSeverity { severity, reason, term } => work.set_severity(severity, &reason, term)?,
        Act::Doubt { person, text } => work.doubts(&person, text)?,
        Act::Note { text } => {
            let text = words(&text, "the note")?;
            work.add(Fact::Note { text })?;
            Reason::Recorded
        }
        Act::Draft { text } => {
            let text = words(&text, "the statement")?;
            let person = work.person()?;
            work.pio_writes(&person)?;
            work.add(Fact::StatementDrafted { text })?;
            Reason::Recorded
        }
        Act::Mitigate { term, cause } => work.mitigate(term, cause)?,
        Act::Resolve { term, false_alarm } => work.resolve(term, false_alarm, None)?,
        Act::ResolveEarly { term, why } => work.resolve(term, false, Some(why))?,
        Act::Reopen { why } => work.reopen(&why)?,
    };
    work.tell_watchers(incident)?;
    Ok(work.done(reason))
}

/// How often internal channels are promised an update, by severity.
pub fn update_interval(severity: Severity) -> Option<SignedDuration> {
    match severity {
        Severity::Sev1 => Some(SignedDuration::from_mins(15)),
        Severity::Sev2 => Some(SignedDuration::from_mins(30)),
        Severity::Sev3 => Some(SignedDuration::from_mins(60)),
        Severity::Sev4 => None,
    }
}

fn words(text: &str, what: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::BadWords(format!("{what} is empty")));
    }
    if text.len() > WORDS_BYTES_MAX {
        return Err(Refusal::BadWords(format!(
            "{what} is too long: it has {} bytes, and at most {WORDS_BYTES_MAX} are taken (of most scripts, a character has one \
             to three)",
            text.len()
        )));
    }
    if text.contains('\0') {
        // PostgreSQL keeps no text with it, and no other sign is like it.
        return Err(Refusal::BadWords(format!("{what} holds the sign NUL, which no text can")));
    }
    Ok(text.to_owned())
}

/// As [`words`], of what may be left out.
fn words_or_none(text: &str, what: &str) -> Result<String, Refusal> {
    if text.trim().is_empty() { Ok(String::new()) } else { words(text, what) }
}

struct Work<'a> {
    incident: Incident,
    entries: Vec<Entry>,
    letters: Vec<Letter>,
    by: &'a By,
    rules: &'a Rules,
    staff: Staff<'a>,
    now: Timestamp,
}

impl<'a> Work<'a> {
    fn open(id: i64, fact: Fact, by: &'a By, staff: Staff<'a>, now: Timestamp) -> Result<Self, Refusal> {
        let first = Entry {
            seq: 1,
            at: now,
            occurred_at: by.occurred_at.unwrap_or(now),
            actor: by.actor.clone(),
            office: None,
            term: None,
            route: by.route,
            fact,
        };
        let incident = Incident::open(id, &first).map_err(Refusal::Fault)?;
        Ok(Self { incident, entries: vec![first], letters: Vec::new(), by, rules: staff.rules, staff, now })
    }
}

impl Work<'_> {
    fn done(mut self, reason: Reason) -> Decision {
        // Who is woken by a page need not be told the same by a notice.
        let woken = |letter: &Letter| match letter {
            Letter::Page { person, .. } | Letter::PioPage { person } => Some(person.clone()),
            Letter::Notice { .. }
            | Letter::Misread { .. }
            | Letter::Status { .. }
            | Letter::Statement { .. } => None,
        };
        let woken: Vec<String> = self.letters.iter().filter_map(woken).collect();
        self.letters
            .retain(|letter| !matches!(letter, Letter::Notice { person, .. } if woken.contains(person)));
        Decision { incident: self.incident, entries: self.entries, letters: self.letters, reason }
    }

    /// Adds what the actor did.
    fn add(&mut self, fact: Fact) -> Result<(), Refusal> {
        let by = self.by;
        self.enter(by.actor.clone(), by.route, by.occurred_at.unwrap_or(self.now), fact)
    }

    /// Adds what the daemon does because of it.
    fn dispatch(&mut self, fact: Fact) -> Result<(), Refusal> {
        self.enter(Actor::Dispatch, Route::Daemon, self.now, fact)
    }

    fn enter(
        &mut self,
        actor: Actor,
        route: Route,
        occurred_at: Timestamp,
        fact: Fact,
    ) -> Result<(), Refusal> {
        let commands =
            self.incident.commander().is_some_and(|command| actor.person() == Some(command.person.as_str()));
        let held = actor.person().and_then(|person| self.incident.offices.of(person));
        let entry = Entry {
            seq: self.incident.seq + 1,
            at: self.now,
            occurred_at,
            actor,
            office: if commands { Some(COMMANDER) } else { held.map(Office::as_str) },
            term: (self.incident.term > 0).then_some(self.incident.term),
            route,
            fact,
        };
        self.incident.apply(&entry).map_err(Refusal::Fault)?;
        self.entries.push(entry);
        Ok(())
    }

    fn person(&self) -> Result<String, Refusal> {
        let name = self.by.actor.person().ok_or(Refusal::NotAPerson)?;
        if self.rules.people.contains_key(name) {
            Ok(name.to_owned())
        } else {
            Err(Refusal::UnknownPerson(name.to_owned()))
        }
    }

    fn open_only(&self) -> Result<(), Refusal> {
        match (self.incident.resolution(), self.incident.merged_into) {
            (_, Some(home)) => Err(Refusal::NotThere(format!("it is part of INC-{home}; go on there"))),
            (Some((resolution, _)), None) => Err(Refusal::Over(resolution.words())),
            (None, None) => Ok(()),
        }
    }

    fn commands(&self, term: u32) -> Result<(), Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?;
        if command.person == person && command.term == term {
            Ok(())
        } else {
            Err(Refusal::Stale { commander: command.person.clone(), term: command.term })
        }
    }

    fn tick(&mut self, unheard: &[String], unsaid: &[Unsaid]) -> Result<Reason, Refusal> {
        let Some(due) = self.incident.due_at() else { return Ok(Reason::NotDue) };
        if escalation::is_too_far(&self.incident, self.rules, self.now) {
            return self.set_hour_anew();
        }
        if due > self.now {
            return Ok(Reason::NotDue);
        }
        if self.incident.voice.holding_at.is_some_and(|at| at <= self.now) {
            return self.sends_holding(unsaid);
        }
        match &self.incident.phase {
            Phase::Triggered { quiet_until: Some(_), .. } => return self.clear(unheard),
            Phase::Acknowledged { .. } | Phase::Mitigated { .. } => return self.looks_after_command(),
            _ if self.is_to_remind() => return self.remind(),
            _ => {}
        }
        if self.incident.is_quietly_open() {
            self.wakes_at_last()?;
            return Ok(Reason::EscalatedOnTime);
        }
        let waited_for_its_cause = self.escalation().is_none();
        let reason = self.begin_after_the_wait()?;
        if waited_for_its_cause {
            self.wake_struck()?;
        }
        Ok(reason)
    }

    /// It is over before anybody took it: everybody is told who has heard that it is not, once.
    fn clear(&mut self, unheard: &[String]) -> Result<Reason, Refusal> {
        let were_told = self.escalation().is_some();
        self.dispatch(Fact::Resolved { resolution: Resolution::SelfCleared })?;
        let told = self
            .incident
            .responders
            .iter()
            .filter(|known| known.pages > known.pages_before && !unheard.contains(&known.person));
        let told: Vec<String> = told.map(|known| known.person.clone()).collect();
        // What was said by itself has readers, who wait to hear that it is over: that says that it is, too, to who can say so.
        if Audience::ALL.into_iter().any(|audience| self.incident.voice.owes_a_closing(audience)) {
            self.tell_all_who_can_speak(News::ClosingDue);
        }
        for person in told {
            let is_told =
                |letter: &Letter| matches!(letter, Letter::Notice { person: known, .. } if *known == person);
            if !self.letters.iter().any(is_told) {
                self.letters.push(Letter::Notice { person, news: News::SelfCleared });
            }
        }
        if were_told {
            self.channels_hear(News::SelfCleared);
        }
        Ok(Reason::SelfCleared)
    }

    /// Waits from now on for what is waited for. Nobody is woken earlier than the rules say.
    fn set_hour_anew(&mut self) -> Result<Reason, Refusal> {
        let wait = escalation::wait_of(&self.incident, self.rules, self.now);
        let due = self.now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.dispatch(Fact::Rescheduled { due })?;
        Ok(Reason::Rescheduled)
    }

    fn answer(&mut self, help: bool) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let before = self.escalation().cloned();
        let reason = match self.incident.commander() {
            None => {
                self.take_command(&person, CommandReason::FirstResponder)?;
                Reason::TookCommand
            }
            Some(command) if command.person == person => {
                self.gives_a_sign(&person)?;
                Reason::AlreadyCommands
            }
            Some(_) => {
                let known = self.incident.responder(&person).map(|known| known.status);
                match known {
                    // Who has command is not heard of: that somebody else is there counts from now on.
                    Some(status) if status.is_on_scene() && self.is_silent() => {
                        self.add(Fact::CheckedIn { person: person.clone() })?;
                    }
                    // Who was asked for once more answers that.
                    Some(ResponderStatus::Acknowledged) if self.was_asked_for(&person) => {
                        self.add(Fact::Acknowledged { person: person.clone() })?;
                    }
                    Some(status) if status.has_answered() && !self.is_silent() => {}
                    _ => self.add(Fact::Acknowledged { person: person.clone() })?,
                }
                Reason::CommandIsTaken
            }
        };
        self.comes_on_request(&person, RequestState::Acknowledged)?;
        let calls = help && reason != Reason::CommandIsTaken;
        let somebody_comes = !calls || self.call_for_help(before.as_ref())?;
        if matches!(self.by.route, Route::Mail | Route::Chat) {
            // No page shows who has command now, and some chats show no answer, so a letter says it.
            self.letters.push(Letter::Notice { person, news: News::Acknowledged });
        }
        if reason == Reason::AlreadyCommands && !somebody_comes {
            return Ok(Reason::NobodyToCall);
        }
        Ok(reason)
    }

    fn take_command(&mut self, person: &str, reason: CommandReason) -> Result<(), Refusal> {
        self.add(Fact::Acknowledged { person: person.to_owned() })?;
        let term = self.incident.term + 1;
        let severity = self.incident.severity;
        let (sign_after, pace) = (self.sign_after(severity), self.pace(severity));
        self.add(Fact::CommandTaken { person: person.to_owned(), term, reason, sign_after, pace })?;
        self.promise()?;
        let news = if reason == CommandReason::Reopened { News::Reopened } else { News::Acknowledged };
        self.status(news);
        let others =
            self.incident.responders.iter().filter(|known| known.person != person && known.pages > 0);
        let told =
            others.map(|known| Letter::Notice { person: known.person.clone(), news: News::Acknowledged });
        let told: Vec<Letter> = told.collect();
        self.letters.extend(told);
        self.awaits_first_updates()?;
        self.plans_holding()?;
        self.call_pio(person)
    }

    fn call_pio(&mut self, commander: &str) -> Result<(), Refusal> {
        let offices = &self.incident.offices;
        // Who was called before it was over is called anew when it is opened again.
        let is_called = offices.holder(Office::Pio).or(offices.asked(Office::Pio)).is_some();
        if is_called || self.incident.pio.is_some() && !self.incident.voice.called.is_empty() {
            return Ok(());
        }
        let Some(service) = self.rules.services.get(self.incident.leads()) else { return Ok(()) };
        // Who is away is called when nobody else is there.
        let [there, all] =
            [Staff::present, Staff::regardless].map(|who| who(self.staff, &service.pio, self.now));
        let besides =
            |people: &[String]| people.iter().find(|person| *person != commander).or(people.first()).cloned();
        let pio = besides(&there).or_else(|| besides(&all));
        if let Some(person) = pio {
            let due = self.pio_answers_by();
            self.dispatch(Fact::PioCalled { person: person.clone(), due })?;
            self.letters.push(Letter::PioPage { person });
        }
        Ok(())
    }

    fn mitigate(&mut self, term: u32, cause: Option<String>) -> Result<Reason, Refusal> {
        self.commands(term)?;
        let cause = cause.map(|cause| words(&cause, "the cause")).transpose()?;
        if matches!(self.incident.phase, Phase::Mitigated { .. }) {
            return Err(Refusal::WrongState("the incident is mitigated already"));
        }
        self.add(Fact::Mitigated { cause })?;
        self.promise()?;
        self.status(News::Mitigated);
        self.tell_all(News::Mitigated);
        self.tell_pio(News::Mitigated);
        Ok(Reason::Mitigated)
    }

    fn resolve(&mut self, term: u32, false_alarm: bool, early: Option<String>) -> Result<Reason, Refusal> {
        self.commands(term)?;
        let early = early.map(|early| words(&early, "the reason")).transpose()?;
        if !false_alarm && early.is_none() && !self.rules.command.watch.is_empty() {
            let watch = self.rules.command.watch.get(&self.incident.severity).copied().unwrap_or_default();
            let until = self.watch_ends().unwrap_or(self.later(watch));
            if until > self.now {
                return Err(match self.incident.phase {
                    Phase::Mitigated { .. } => Refusal::Watched { until },
                    _ => Refusal::WrongState(
                        "say first what ended the harm (mitigate), or that nobody knows; then it is watched for a while",
                    ),
                });
            }
        }
        if let Some(text) = early {
            self.add(Fact::Note { text: format!("resolved before the watch is over: {text}") })?;
        }
        if !false_alarm && matches!(self.incident.phase, Phase::Acknowledged { .. }) {
            // Said openly rather than refused: an unexplained recovery is carried into the review.
            self.add(Fact::Mitigated { cause: None })?;
        }
        let resolution = if false_alarm { Resolution::FalseAlarm } else { Resolution::Restored };
        let commander = self.by.actor.person().unwrap_or_default().to_owned();
        self.add(Fact::Resolved { resolution })?;
        self.status(News::Resolved);
        self.asks_for_closings();
        let is_told = |name: &str| {
            let of = |letter: &Letter| matches!(letter, Letter::Notice { person, .. } if person == name);
            self.letters.iter().any(of)
        };
        let others = self.incident.responders.iter();
        let others = others.filter(|known| known.person != commander && !is_told(&known.person));
        let told: Vec<Letter> = others
            .map(|known| Letter::Notice { person: known.person.clone(), news: News::Resolved })
            .collect();
        self.letters.extend(told);
        self.tell_pio(News::Resolved);
        Ok(Reason::Resolved)
    }

    fn reopen(&mut self, why: &str) -> Result<Reason, Refusal> {
        let person = self.person()?;
        if self.incident.is_open() {
            return Err(Refusal::StillOpen);
        }
        if let Some(home) = self.incident.merged_into {
            return Err(Refusal::NotThere(format!(
                "it is part of INC-{home}; split it off that one instead"
            )));
        }
        let why = words(why, "the reason")?;
        self.add(Fact::Reopened { why, anew: true, left: true })?;
        self.take_command(&person, CommandReason::Reopened)?;
        Ok(Reason::ReopenedByPerson)
    }

    fn promise(&mut self) -> Result<(), Refusal> {
        match update_interval(self.incident.severity) {
            Some(interval) => {
                let by = self.now.saturating_add(interval).unwrap_or(Timestamp::MAX);
                self.dispatch(Fact::Promised { by })?;
                let audience = Audience::Internal;
                let is_awaited = self.incident.voice.due.iter().any(|due| due.audience == audience);
                // The hour that was printed before counts no more: this one was printed after it.
                if is_awaited { self.dispatch(Fact::Voice(Say::Awaited { audience, by })) } else { Ok(()) }
            }
            None => Ok(()),
        }
    }

    /// The PIO hears what the channels hear, if not told already and not the one who acts.
    fn tell_pio(&mut self, news: News) {
        let Some((pio, _)) = self.incident.pio.clone() else { return };
        let told = |letter: &Letter| matches!(letter, Letter::Notice { person, .. } if *person == pio);
        if self.by.actor.person() != Some(pio.as_str()) && !self.letters.iter().any(told) {
            self.letters.push(Letter::Notice { person: pio, news });
        }
    }

    /// News of an incident that nobody has, for channels that have heard of it: they do when somebody took it first.
    fn channels_hear(&mut self, news: News) {
        if self.incident.term > 0 {
            self.status(news);
        }
    }

    fn status(&mut self, news: News) {
        for channel in &self.rules.internal_channels {
            self.letters.push(Letter::Status { channel: channel.clone(), news });
        }
    }
}
