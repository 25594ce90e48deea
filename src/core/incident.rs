//! An incident: what people respond to, as the fold of its timeline.
//!
//! State changes only by [`Incident::apply`]. The phases hold what exists in them and nothing else: an
//! acknowledged incident has no page deadline, so it cannot walk a policy; a triggered one has no Commander, so
//! none can be shown. What an acknowledged one may have is an hour at which its Commander is looked for ([`Sign`]).

use jiff::{SignedDuration, Timestamp};

use super::board::Board;
use super::command::{Calls, Office, Offices, Turn};
use super::letter::Why;
use super::timeline::{Entry, Fact};
use super::voice::Voice;

mod alerts;
mod people;
mod posts;
mod spoken;
mod tenure;

/// After a reminder that came late the next one comes no sooner.
pub const REMINDERS_APART_MIN: SignedDuration = SignedDuration::from_secs(30);

/// How bad an incident is; SEV1 is worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worst.
    Sev1,
    /// Bad.
    Sev2,
    /// Can wait for the morning.
    Sev3,
    /// Can wait.
    Sev4,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::Sev1, Self::Sev2, Self::Sev3, Self::Sev4];

    /// The word used everywhere: `SEV1` to `SEV4`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sev1 => "SEV1",
            Self::Sev2 => "SEV2",
            Self::Sev3 => "SEV3",
            Self::Sev4 => "SEV4",
        }
    }

    /// Reads `SEV1` to `SEV4`, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(word.trim()))
    }
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Working again.
    Restored,
    /// Nothing was wrong.
    FalseAlarm,
    /// It recovered before anybody took it.
    SelfCleared,
    /// It became part of another.
    Merged,
}

impl Resolution {
    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::FalseAlarm => "false-alarm",
            Self::SelfCleared => "self-cleared",
            Self::Merged => "merged",
        }
    }
}

/// Why somebody became Commander.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandReason {
    /// The first human acknowledgement.
    FirstResponder,
    /// Opened the incident again.
    Reopened,
    /// Was on scene while the Commander was not.
    FirstOnScene,
    /// Accepted it from who had it.
    Transferred,
    /// Took it when who had it gave no sign of life.
    Assumed,
    /// Accepted it because an administrator ordered that it passes.
    Relieved,
}

impl CommandReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FirstResponder,
        Self::Reopened,
        Self::FirstOnScene,
        Self::Transferred,
        Self::Assumed,
        Self::Relieved,
    ];

    /// The word used in SQL, JSON, metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstResponder => "first_responder",
            Self::Reopened => "reopened",
            Self::FirstOnScene => "first_on_scene",
            Self::Transferred => "transferred",
            Self::Assumed => "assumed",
            Self::Relieved => "relieved",
        }
    }
}

/// One tenure of command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who commands.
    pub person: String,
    /// Number of the tenure; grows by one at each change and never falls.
    pub term: u32,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: CommandReason,
}

/// Where the escalation stands. Exists only while nobody has the incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How often the steps have begun anew, from 0.
    pub round: u32,
    /// Index of the step last paged; equal to the number of steps while the last resort is paged.
    pub step: u32,
    /// Who was paged in this step and may still answer.
    pub awaiting: Vec<String>,
    /// When the next step is due.
    pub due: Timestamp,
    /// When those who have not answered are reminded before that.
    pub reminders: Vec<Timestamp>,
}

/// When it is looked whether who commands is still there. Whatever they do is a sign of life.
///
/// When the hour comes they are asked, and when it comes again more people are paged for help. That is all it can do: it
/// never changes who commands, never steps through a policy, and nobody it wakes is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// So long after a sign of life it is looked.
    pub after: SignedDuration,
    /// When it is looked next.
    pub due: Timestamp,
    /// How often it was looked in vain since the last one.
    pub asked: u32,
}

impl Sign {
    /// From a sign of life on.
    fn from(after: SignedDuration, at: Timestamp) -> Self {
        Self { after, due: at.saturating_add(after).unwrap_or(Timestamp::MAX), asked: 0 }
    }

    /// It got worse, which is no sign of life: what was asked stays asked, and no hour is put off.
    fn not_later_than(self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        Self { due: self.due.min(before.due), asked: before.asked, ..self }
    }
}

/// The states of an incident, each with what exists only in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// People are being woken.
    Triggered {
        /// Where the escalation stands; `None` only between the opening and the first step.
        escalation: Option<Escalation>,
        /// Every alert has recovered; it clears itself at this time unless one fires again.
        quiet_until: Option<Timestamp>,
        /// Nobody is woken before this time: its cause may be found first, or what flaps opened it again. Beside an escalation:
        /// its next round does not begin before.
        held_until: Option<Timestamp>,
    },
    /// A human has it.
    Acknowledged {
        /// Who.
        command: Command,
        /// When it is looked whether they are still there; `None`: never.
        sign: Option<Sign>,
        /// When they are asked for reports; `None`: never.
        calls: Option<Calls>,
    },
    /// The harm stopped; being watched.
    Mitigated {
        /// Who commands.
        command: Command,
        /// What did it; `None` when nobody knows.
        cause: Option<String>,
    },
    /// Over.
    Resolved {
        /// How.
        resolution: Resolution,
        /// When.
        at: Timestamp,
        /// Who commanded last, if anybody did.
        last: Option<Command>,
    },
}

impl Phase {
    /// As it is when an incident is opened, or open again, and nobody was woken yet.
    pub const FRESH: Self = Self::Triggered { escalation: None, quiet_until: None, held_until: None };
}

/// What a responder is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponderStatus {
    /// Was sent a page.
    Paged,
    /// The page did not reach them.
    Unreachable,
    /// Said they cannot.
    Declined,
    /// Answered.
    Acknowledged,
    /// On the way to a keyboard.
    EnRoute,
    /// At a keyboard.
    OnScene,
    /// On scene, and has something to do.
    Assigned,
    /// On scene, and has to rest: they are given nothing to do.
    Resting,
    /// May go, and has gone.
    Released,
}

impl ResponderStatus {
    /// All of them, in the order in which they usually come.
    pub const ALL: [Self; 9] = [
        Self::Paged,
        Self::Unreachable,
        Self::Declined,
        Self::Acknowledged,
        Self::EnRoute,
        Self::OnScene,
        Self::Assigned,
        Self::Resting,
        Self::Released,
    ];

    /// Whether they answered, and have not gone since.
    pub fn has_answered(self) -> bool {
        matches!(self, Self::Acknowledged | Self::EnRoute) || self.is_on_scene()
    }

    /// Whether they are at a keyboard.
    pub fn is_on_scene(self) -> bool {
        matches!(self, Self::OnScene | Self::Assigned | Self::Resting)
    }

    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paged => "paged",
            Self::Unreachable => "unreachable",
            Self::Declined => "declined",
            Self::Acknowledged => "acknowledged",
            Self::EnRoute => "en_route",
            Self::OnScene => "on_scene",
            Self::Assigned => "assigned",
            Self::Resting => "resting",
            Self::Released => "released",
        }
    }
}

/// One person on an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responder {
    /// Who.
    pub person: String,
    /// Doing what.
    pub status: ResponderStatus,
    /// Since when.
    pub since: Timestamp,
    /// How often they were paged.
    pub pages: u32,
    /// How often before it was over last: whoever has no more pages than that has not heard that it is open again.
    pub pages_before: u32,
    /// They were told by a page that they need not answer, and by no other.
    pub watching: bool,
    /// When they said they would be at a keyboard, while they are on the way.
    pub eta: Option<Timestamp>,
}

impl Responder {
    /// Whether they were paged since it is open.
    pub fn has_heard(&self) -> bool {
        self.pages > self.pages_before
    }
}

/// What people respond to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its number.
    pub id: i64,
    /// One line, fixed at the opening: mail threads hang on it.
    pub title: String,
    /// What was seen to be affected first, fixed at the opening.
    pub service: String,
    /// The service at fault, when that is another.
    pub cause: Option<String>,
    /// Other services whose alerts belong to it, in the order they came.
    pub also: Vec<String>,
    /// The values of the labels that its service is grouped by.
    pub group: Option<String>,
    /// More incidents came than people can look at, and became this one.
    pub storm: bool,
    /// A human declared it, or one that became part of it: only people say that it is over.
    pub declared: bool,
    /// The incident it became part of.
    pub merged_into: Option<i64>,
    /// How bad.
    pub severity: Severity,
    /// State, with what belongs to it.
    pub phase: Phase,
    /// When it was opened first.
    pub opened_at: Timestamp,
    /// When a human first had it.
    pub acknowledged_at: Option<Timestamp>,
    /// When the harm stopped, last.
    pub mitigated_at: Option<Timestamp>,
    /// The highest term given out; 0 before the first Commander.
    pub term: u32,
    /// How many alerts belong to it.
    pub alerts: u32,
    /// How many of them fire.
    pub firing: u32,
    /// People on it, in the order they came.
    pub responders: Vec<Responder>,
    /// Who went along with those who were woken, and was told once.
    pub shadows: Vec<String>,
    /// The PIO who was called, when one was.
    pub pio: Option<(String, Timestamp)>,
    /// An alert of it flaps, and is calm when it does not change until then: it does not clear itself before.
    pub calm_at: Option<Timestamp>,
    /// When the next internal update was promised for.
    pub next_update_by: Option<Timestamp>,
    /// Who holds which office, and who was offered command.
    pub offices: Offices,
    /// What stands on the board.
    pub board: Board,
    /// What is said of it, and to be said.
    pub voice: Voice,
    /// Number of the newest entry that somebody has to know who takes command: a brief is of one such number, and an old one
    /// as soon as there is another.
    pub moved: u32,
    /// When who commands did anything last.
    pub heard_at: Option<Timestamp>,
    /// Sequence number of the newest entry.
    pub seq: u32,
}

impl Incident {
    /// The word for the state: `triggered`, `acknowledged`, `mitigated` or `resolved`.
    pub fn state(&self) -> &'static str {
        match self.phase {
            Phase::Triggered { .. } => "triggered",
            Phase::Acknowledged { .. } => "acknowledged",
            Phase::Mitigated { .. } => "mitigated",
            Phase::Resolved { .. } => "resolved",
        }
    }

    /// The service that leads: the cause when that is known, else the one that was seen first. Its people are woken.
    pub fn leads(&self) -> &str {
        self.cause.as_deref().unwrap_or(&self.service)
    }

    /// Who commands now.
    pub fn commander(&self) -> Option<&Command> {
        match &self.phase {
            Phase::Acknowledged { command, .. } | Phase::Mitigated { command, .. } => Some(command),
            Phase::Triggered { .. } | Phase::Resolved { .. } => None,
        }
    }

    /// Whether it is not over.
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Resolved { .. })
    }

    /// How it ended, and when.
    pub fn resolution(&self) -> Option<(Resolution, Timestamp)> {
        match self.phase {
            Phase::Resolved { resolution, at, .. } => Some((resolution, at)),
            _ => None,
        }
    }

    /// When the daemon must look at it again, if ever. While an incident is quiet nobody else is woken.
    pub fn due_at(&self) -> Option<Timestamp> {
        let promised = self.commander().and_then(|_| self.far_hour());
        let holding = self.voice.holding_at.filter(|_| self.is_open());
        self.own_due_at().into_iter().chain(promised).chain(holding).min()
    }

    /// The same, without what people promised: an hour that the daemon has set itself lies no further ahead than its waits.
    pub fn own_due_at(&self) -> Option<Timestamp> {
        let near = self.near_hour();
        match &self.phase {
            Phase::Triggered { quiet_until: Some(until), .. }
            | Phase::Triggered { held_until: Some(until), .. } => Some(*until),
            Phase::Triggered { escalation: Some(escalation), .. } => {
                // A reminder never delays the next step.
                Some(escalation.reminders.first().map_or(escalation.due, |hour| *hour.min(&escalation.due)))
            }
            Phase::Acknowledged { sign, calls, .. } => {
                let sign = sign.as_ref().map(|sign| sign.due);
                let call = calls.as_ref().and_then(Calls::next).map(|(_, hour)| hour);
                [sign, call, near].into_iter().flatten().min()
            }
            Phase::Mitigated { .. } => near,
            Phase::Triggered { .. } | Phase::Resolved { .. } => None,
        }
    }

    /// Whether somebody is at a keyboard.
    pub fn is_on_scene(&self, person: &str) -> bool {
        self.responder(person).is_some_and(|known| known.status.is_on_scene())
    }

    /// When the next people are woken if nobody answers, while anybody is waited for.
    pub fn next_people_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Triggered { escalation: Some(escalation), quiet_until: None, held_until: None } => {
                Some(escalation.due)
            }
            Phase::Triggered { .. } => self.due_at(),
            Phase::Acknowledged { .. } | Phase::Mitigated { .. } | Phase::Resolved { .. } => None,
        }
    }

    /// Whether people ended it, an alert that flaps has opened it again, and nobody was woken for that yet. One that waits for
    /// its cause has just been opened, and was never anybody's.
    pub fn is_quietly_open(&self) -> bool {
        matches!(self.phase, Phase::Triggered { escalation: None, held_until: Some(_), .. }) && self.term > 0
    }

    /// One responder by name.
    pub fn responder(&self, person: &str) -> Option<&Responder> {
        self.responders.iter().find(|responder| responder.person == person)
    }

    /// The incident that a timeline's first entry opens.
    ///
    /// # Errors
    /// When the entry does not open an incident.
    pub fn open(id: i64, entry: &Entry) -> Result<Self, FoldError> {
        let Fact::Opened { title, service, severity, group, declared } = &entry.fact else {
            return Err(FoldError { seq: entry.seq, why: "the first entry does not open the incident" });
        };
        Ok(Self {
            id,
            title: title.clone(),
            service: service.clone(),
            cause: None,
            also: Vec::new(),
            group: group.clone(),
            storm: false,
            declared: *declared,
            merged_into: None,
            severity: *severity,
            phase: Phase::FRESH,
            opened_at: entry.at,
            acknowledged_at: None,
            mitigated_at: None,
            term: 0,
            alerts: 0,
            firing: 0,
            responders: Vec::new(),
            shadows: Vec::new(),
            pio: None,
            calm_at: None,
            next_update_by: None,
            offices: Offices::default(),
            board: Board::default(),
            voice: Voice::default(),
            moved: entry.seq,
            heard_at: None,
            seq: entry.seq,
        })
    }

    /// Applies one entry: the only way an incident changes.
    ///
    /// # Errors
    /// When the entry does not follow from the state, which `verify` reports and `decide` never causes.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let wrong = |why| Err(FoldError { seq: entry.seq, why });
        if entry.seq != self.seq + 1 {
            return wrong("the numbers of the entries have a gap");
        }
        let at = entry.at;
        match &entry.fact {
            Fact::Opened { .. } => return wrong("it was opened before"),
            Fact::AlertJoined { refired, service, not_before, rests_until, .. } => {
                self.gains(u32::from(!*refired), 1);
                self.waits(*not_before);
                self.rests(*rests_until);
                if let Some(service) = service {
                    self.affects(service);
                }
            }
            Fact::AlertRecovered { quiet_until: until, calm_at, .. } => {
                self.calm_at = self.calm_at.max(*calm_at);
                let Some(firing) = self.firing.checked_sub(1) else { return wrong("no alert was firing") };
                self.firing = firing;
                if let (Phase::Triggered { quiet_until, .. }, Some(until)) = (&mut self.phase, until) {
                    *quiet_until = Some(*until);
                }
            }
            Fact::Escalated { round, step, awaiting, due, reminders, shadows, .. } => {
                let Phase::Triggered { escalation, held_until, .. } = &mut self.phase else {
                    return wrong("it escalated although a human had it or it was over");
                };
                *held_until = None;
                let (awaiting, reminders) = (awaiting.clone(), reminders.clone());
                *escalation = Some(Escalation { round: *round, step: *step, awaiting, due: *due, reminders });
                self.shadows.extend(shadows.iter().cloned());
            }
            Fact::Rescheduled { due } => {
                if !self.hour_is_set_anew(*due) {
                    return wrong("an hour was set anew although none was waited for");
                }
            }
            Fact::Paged { person, why, sign_due, .. } => {
                // Who is asked for an office alone was not woken for what happens.
                let is_told = [Why::Watching, Why::Office].iter().any(|told| told.as_str() == why);
                self.paged(person, is_told, at);
                if why == Why::Reminder.as_str() {
                    self.reminded(at);
                }
                self.looked_in_vain(*sign_due);
            }
            Fact::HelpCalled { sign_due, .. } => self.looked_in_vain(*sign_due),
            Fact::Unreachable { person, .. } => self.drop_out(person, ResponderStatus::Unreachable, at),
            Fact::Declined { person } => self.drop_out(person, ResponderStatus::Declined, at),
            Fact::Acknowledged { person } => self.responds(person, ResponderStatus::Acknowledged, at),
            Fact::CheckedIn { person } => self.arrives(person, at),
            Fact::EnRoute { person, eta } => {
                self.responds(person, ResponderStatus::EnRoute, at);
                if let Some(known) = self.responders.iter_mut().find(|known| known.person == *person) {
                    known.eta = *eta;
                }
            }
            Fact::Resting { person } => self.responds(person, ResponderStatus::Resting, at),
            Fact::Released { person } => self.responds(person, ResponderStatus::Released, at),
            Fact::CommandTaken { person, term, reason, sign_after, pace } => {
                if self.commander().is_some() {
                    return wrong("command was taken while somebody had it");
                }
                if *term != self.term + 1 {
                    return wrong("the term did not grow by one");
                }
                self.term = *term;
                self.acknowledged_at.get_or_insert(at);
                self.phase = Phase::Acknowledged {
                    command: Command { person: person.clone(), term: *term, since: at, reason: *reason },
                    sign: sign_after.map(|after| Sign::from(after, at)),
                    calls: self.calls_of(person, *pace, at),
                };
            }
            Fact::Command(turn) => {
                if let Turn::Transferred { from, to, term, reason, sign_after, pace, .. } = turn {
                    let Some(command) = self.commander() else {
                        return wrong("command passed from somebody although nobody had it");
                    };
                    if command.person != *from || from == to {
                        return wrong("command passed from somebody who did not have it, or to the same");
                    }
                    if *term != self.term + 1 {
                        return wrong("the term did not grow by one");
                    }
                    self.passes((to.as_str(), *term, *reason), *sign_after, *pace, at);
                }
                let by = entry.actor.person().unwrap_or_default();
                let told = self.offices.apply(turn, by, at, self.moved);
                told.map_err(|why| FoldError { seq: entry.seq, why })?;
                match turn {
                    Turn::Accepted { office: Office::Pio, person } => self.speaks(person, at),
                    Turn::Declined { office: Office::Pio, person }
                    | Turn::Released { office: Office::Pio, person } => self.pio_left(person),
                    Turn::Transferred { .. } => self.tell_who_commands(),
                    _ => {}
                }
            }
            Fact::Board(put) => {
                let applied = self.board.apply(put, entry.actor.name(), at, entry.seq);
                applied.map_err(|why| FoldError { seq: entry.seq, why })?;
                self.is_put(put, at, entry.seq);
            }
            Fact::Voice(say) => self.says(say, entry)?,
            Fact::SeverityLowered { from, to, sign_after, pace, .. } => {
                if self.severity != *from || to <= from {
                    return wrong("the severity did not fall from what it was");
                }
                self.severity = *to;
                if let Phase::Acknowledged { command, .. } = &self.phase {
                    let (command, person) = (command.clone(), command.person.clone());
                    let sign = sign_after.map(|after| Sign::from(after, at));
                    self.phase =
                        Phase::Acknowledged { command, sign, calls: self.calls_of(&person, *pace, at) };
                }
                self.moved = entry.seq;
            }
            Fact::PioCalled { person, due } => self.calls_pio(person, *due, at),
            Fact::Promised { by } => self.next_update_by = Some(*by),
            Fact::Mitigated { cause } => {
                let Phase::Acknowledged { command, .. } = &self.phase else {
                    return wrong("it was mitigated without being acknowledged");
                };
                self.phase = Phase::Mitigated { command: command.clone(), cause: cause.clone() };
                self.mitigated_at = Some(at);
                self.moved = entry.seq;
            }
            Fact::Relapsed { sign_after, pace } => {
                let Phase::Mitigated { command, .. } = &self.phase else {
                    return wrong("it relapsed without having been mitigated");
                };
                let sign = sign_after.map(|after| Sign::from(after, at));
                let calls = self.calls_of(&command.person, *pace, at);
                self.phase = Phase::Acknowledged { command: command.clone(), sign, calls };
                self.mitigated_at = None;
                self.moved = entry.seq;
            }
            Fact::Resolved { resolution } => {
                let last = match &self.phase {
                    Phase::Resolved { .. } => return wrong("it was over before"),
                    _ => self.commander().cloned(),
                };
                if *resolution == Resolution::Merged {
                    return wrong("it ended as part of another without saying of which");
                }
                if last.is_none() != matches!(resolution, Resolution::SelfCleared) {
                    return wrong(
                        "only an incident nobody has taken clears itself, and only a taken one is resolved",
                    );
                }
                self.phase = Phase::Resolved { resolution: *resolution, at, last };
                self.next_update_by = None;
                self.offices.end();
                // Whoever opens it again has somebody called anew.
                self.voice.called.clear();
                self.board.end(at);
                self.voice.end();
            }
            Fact::Reopened { anew, left, .. } => {
                if self.is_open() {
                    return wrong("it was reopened although it was not over");
                }
                if *anew {
                    self.responders.iter_mut().for_each(|known| known.pages_before = known.pages);
                    // Whoever goes along has not heard that it is open again.
                    self.shadows.clear();
                }
                if *left {
                    self.everybody_has_left();
                    self.board.begin_anew();
                    self.voice.begin_anew();
                }
                self.phase = Phase::FRESH;
                self.mitigated_at = None;
                self.merged_into = None;
                self.storm = false;
                self.moved = entry.seq;
            }
            Fact::CauseFound { service, group } => {
                if self.leads() == service {
                    return wrong("the cause was known before");
                }
                let before = self.leads().to_owned();
                self.cause = (self.service != *service).then(|| service.clone());
                self.group.clone_from(group);
                self.also.retain(|other| other != service);
                self.affects(&before);
                self.moved = entry.seq;
            }
            Fact::StormBegan => self.storm = true,
            Fact::SeverityRaised { from, to, sign_after, pace, .. } => {
                if self.severity != *from || to >= from {
                    return wrong("the severity did not rise from what it was");
                }
                self.severity = *to;
                self.moved = entry.seq;
                let calls = self.commander().map(|command| command.person.clone());
                let calls = calls.and_then(|person| self.calls_of(&person, *pace, at));
                if let Phase::Acknowledged { sign, calls: known, .. } = &mut self.phase {
                    let before = sign.take();
                    *sign = sign_after.map(|after| Sign::from(after, at).not_later_than(before));
                    *known = Calls::not_later(calls, known.take());
                }
            }
            Fact::Held { until } => match &mut self.phase {
                Phase::Triggered { escalation: None, held_until, .. } => *held_until = Some(*until),
                _ => return wrong("it was held although somebody was woken, had it, or it was over"),
            },
            Fact::Merged { into, alerts, firing } => {
                if !self.is_open() {
                    return wrong("it became part of another although it was over");
                }
                self.loses(*alerts, *firing, entry.seq)?;
                let last = self.commander().cloned();
                self.phase = Phase::Resolved { resolution: Resolution::Merged, at, last };
                self.merged_into = Some(*into);
                self.next_update_by = None;
                self.offices.end();
                self.voice.called.clear();
                self.board.end(at);
                self.voice.end();
            }
            Fact::TookIn { service, alerts, firing, responders, declared, shadows, .. } => {
                self.declared |= *declared;
                self.gains(*alerts, *firing);
                if *firing > 0 {
                    self.rests(None);
                }
                self.affects(service);
                responders.iter().for_each(|joined| self.comes_along(joined, at));
                let new = shadows.iter().filter(|shadow| !self.shadows.contains(shadow));
                let new: Vec<String> = new.cloned().collect();
                self.shadows.extend(new);
            }
            Fact::SplitOff { alerts, firing, quiet_until: until, .. } => {
                self.loses(*alerts, *firing, entry.seq)?;
                if let (Phase::Triggered { quiet_until, .. }, Some(until)) = (&mut self.phase, until) {
                    *quiet_until = Some(*until);
                }
            }
            Fact::SplitFrom { alerts, firing, .. } => self.gains(*alerts, *firing),
            Fact::AlertFlaps { .. }
            | Fact::SourceAcknowledged { .. }
            | Fact::Note { .. }
            | Fact::StatementDrafted { .. }
            | Fact::NobodyToPage
            | Fact::Delivered { statement: None, .. } => {}
            Fact::Delivered { statement: Some(number), to, outcome, .. } => {
                self.voice.reached(*number, to, outcome, at);
            }
        }
        self.keeps_time(entry);
        if self.commander().is_some_and(|command| entry.actor.person() == Some(command.person.as_str())) {
            self.gives_a_sign(at);
        }
        let state = self.state();
        self.voice.moves_on(self.term, state, self.severity);
        if self.moved == entry.seq {
            self.board.corrections.moved_with(entry.seq);
        }
        self.seq = entry.seq;
        Ok(())
    }
}

/// An entry that does not follow from what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} does not follow from the entries before it: {why}")]
pub struct FoldError {
    /// Its number.
    pub seq: u32,
    /// What is wrong.
    pub why: &'static str,
}
