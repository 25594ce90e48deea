//! What can be asked of an incident.

use jiff::{SignedDuration, Timestamp};

use super::super::audience::Audience;
use super::super::board::{End, Trend, Wanted};
use super::super::command::{Office, Talked};
use super::super::correlate::Because;
use super::super::disclosure::Finding;
use super::super::flapping::Flaps;
use super::super::incident::{Incident, Severity};
use super::super::letter::Misread;
use super::super::voice::{Impact, Phase as Told, Sort};
use super::updates::Unsaid;

/// What is asked of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// An alert fires and belongs here.
    Join(Join),
    /// An alert of this incident is worse than it was.
    Worsen {
        /// How bad an incident of it is.
        severity: Severity,
    },
    /// More incidents came than people can look at, and this one stands for all of them from now on.
    BeginStorm,
    /// It becomes part of another.
    MergeInto {
        /// Which.
        into: i64,
        /// The term the Commander believes in, when a human has it.
        term: Option<u32>,
    },
    /// Another became part of it.
    TakeIn(Box<Incident>),
    /// Some of its alerts are another incident's.
    SplitOff {
        /// Which.
        into: i64,
        /// How many go.
        alerts: u32,
        /// How many of them fire.
        firing: u32,
        /// The term the Commander believes in, when a human has it.
        term: Option<u32>,
    },
    /// It became part of another, and is its own again, with the alerts that come back. Whoever does that commands it.
    SplitFrom {
        /// Which.
        incident: i64,
        /// How many come.
        alerts: u32,
        /// How many of them fire.
        firing: u32,
    },
    /// An alert of this incident, which people ended, fires on.
    FireOn {
        /// Its key.
        key: String,
    },
    /// An alert of this incident recovered.
    Recover {
        /// Where it comes from.
        source: String,
        /// Its key there.
        key: String,
        /// Its source only stopped saying that it fires: its title.
        timed_out: Option<String>,
        /// It flaps.
        flaps: Option<Flaps>,
    },
    /// An alert of this incident fires on, and is counted elsewhere from now on.
    Leave {
        /// Where it comes from.
        source: String,
        /// Its key there.
        key: String,
        /// Where it is counted, in words.
        to: String,
    },
    /// An alert was acknowledged at its source.
    SourceAcknowledge {
        /// Where.
        source: String,
        /// Which.
        key: String,
    },
    /// The hour of this incident has come.
    Tick {
        /// Who was paged since it is open, and has no page of that in their hands: each was refused, or is not sent yet.
        unheard: Vec<String>,
        /// What would go out by itself now, and must not.
        unsaid: Vec<Unsaid>,
    },
    /// A page did not reach somebody.
    Unreachable {
        /// Who.
        person: String,
        /// What was answered.
        why: String,
    },
    /// A letter reached its end.
    Deliver {
        /// `page`, `notice`, `pio_page` or `status`.
        what: String,
        /// Person or channel.
        to: String,
        /// `accepted`, `refused` or `unknown`.
        outcome: String,
        /// What the other side said.
        why: String,
        /// The number of the statement, when it was one.
        statement: Option<u32>,
    },
    /// A reply by mail did nothing, or less than its writer may believe: they are told, and nothing else changes.
    Tell {
        /// Whom the answered letter was for, or who wrote the reply.
        person: String,
        /// What is wrong with the reply.
        why: Misread,
    },
    /// A human answers: takes command if nobody has it.
    Answer {
        /// Also page more people.
        help: bool,
    },
    /// A human who was paged cannot; or who was offered command or an office does not take it.
    Decline,
    /// A human is at a keyboard.
    CheckIn,
    /// A program may have taken command in the name of this person.
    Doubt {
        /// Who commands, as it seems.
        person: String,
        /// What was seen.
        text: String,
    },
    /// Somebody writes something down.
    Note {
        /// What.
        text: String,
    },
    /// Somebody is on the way to a keyboard.
    EnRoute {
        /// When they say they will be there.
        eta: Option<Timestamp>,
    },
    /// A responder rests: it is they who say so, or the Commander with the term they believe in.
    Rest {
        /// Who; `None`: who acts.
        person: Option<String>,
        /// The term the Commander believes in.
        term: Option<u32>,
    },
    /// A responder may go: it is they who say so, or the Commander with the term they believe in.
    Release {
        /// Who; `None`: who acts.
        person: Option<String>,
        /// The term the Commander believes in.
        term: Option<u32>,
    },
    /// Something about command or another office.
    Command(Bid),
    /// Something is put on the board.
    Board(Write),
    /// Something is said, or happens to what is to be said.
    Speak(Box<Speech>),
    /// Somebody says how bad it is.
    SetSeverity {
        /// How bad.
        severity: Severity,
        /// Why.
        reason: String,
        /// The term the Commander believes in; only they say that it is not as bad as it was thought to be.
        term: Option<u32>,
    },
    /// The PIO writes a first statement down.
    Draft {
        /// Its words.
        text: String,
    },
    /// The Commander says the harm stopped.
    Mitigate {
        /// The term the Commander believes in.
        term: u32,
        /// What did it; `None` for unexplained.
        cause: Option<String>,
    },
    /// The Commander says it is over.
    Resolve {
        /// The term the Commander believes in.
        term: u32,
        /// Nothing was wrong.
        false_alarm: bool,
    },
    /// The Commander says it is over before the watch is.
    ResolveEarly {
        /// The term the Commander believes in.
        term: u32,
        /// Why.
        why: String,
    },
    /// A human opens it again.
    Reopen {
        /// Why.
        why: String,
    },
}

impl Act {
    /// The hour of an incident has come. The door adds what it knows of pages and of words.
    pub const TICK: Self = Self::Tick { unheard: Vec::new(), unsaid: Vec::new() };
}

/// An alert that fires and belongs to an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Where it comes from.
    pub source: String,
    /// Its key there.
    pub key: String,
    /// One line.
    pub title: String,
    /// It belonged to this incident before.
    pub refired: bool,
    /// What it is about.
    pub service: String,
    /// How bad an incident of it is.
    pub severity: Severity,
    /// Why it belongs here, when it is neither the first nor the same as one that does.
    pub because: Option<Because>,
    /// The values of the labels that its service is grouped by; none when it is not.
    pub group: Option<String>,
    /// It flaps.
    pub flaps: Option<Flaps>,
}

/// What somebody wants about command, or about another office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bid {
    /// The Commander offers command.
    Offer {
        /// To whom.
        to: String,
        /// The term the Commander believes in.
        term: u32,
        /// Why; may be empty.
        reason: String,
    },
    /// Somebody is ready to take command, and asks for it.
    Wish,
    /// An offer of command is taken back.
    Withdraw,
    /// Somebody says yes: to command, or to an office.
    Accept {
        /// Which office, when it is about one.
        office: Option<Office>,
        /// The term they believe in.
        term: Option<u32>,
        /// The brief that they have read; `None`: that of the hour of the offer.
        brief: Option<u32>,
    },
    /// Somebody says yes to command, and how it was handed over.
    TakeOver {
        /// The term they believe in.
        term: u32,
        /// The brief that they have read; `None`: that of the hour of the offer.
        brief: Option<u32>,
        /// How they spoke with who had it, and what they read back.
        talked: Talked,
    },
    /// Somebody says no: to command, or to an office.
    Refuse {
        /// Which office, when it is about one.
        office: Option<Office>,
        /// Why; may be empty.
        why: String,
    },
    /// Somebody takes command from who cannot have it now.
    Assume {
        /// Why; may be empty.
        reason: String,
    },
    /// An administrator orders that somebody else takes command.
    Relieve {
        /// Who.
        to: String,
        /// Why.
        reason: String,
    },
    /// Somebody knows who has command.
    Heard {
        /// Whose term.
        term: u32,
    },
    /// The Commander asks somebody to take an office.
    Assign {
        /// Which.
        office: Office,
        /// Who.
        person: String,
        /// The term the Commander believes in.
        term: u32,
    },
    /// Somebody has an office no more.
    Give {
        /// Which.
        office: Office,
        /// The term the Commander believes in, when it is they who say so.
        term: Option<u32>,
    },
}

/// What somebody wants about statements, and what the door has seen of its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// What.
    pub wish: Wish,
    /// What of the words must not be said, or is to be looked at again. The door fills it in.
    pub found: Vec<Finding>,
    /// Channels that do not take as much. The door fills it in.
    pub too_long: Vec<TooLong>,
    /// Channels to which letters went, or are going, with words that this mends, takes back or closes, whatever became of others there.
    /// The door fills it in.
    pub there: Vec<String>,
}

impl Speech {
    /// As somebody says it: of the words nothing is known yet.
    pub fn of(wish: Wish) -> Act {
        Act::Speak(Box::new(Self { wish, found: Vec::new(), too_long: Vec::new(), there: Vec::new() }))
    }
}

/// A channel that does not take as much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// Which.
    pub channel: String,
    /// How long it is.
    pub size: usize,
    /// How much it takes.
    pub most: usize,
    /// What is counted.
    pub unit: &'static str,
}

/// What somebody wants about statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To write one, or to write one anew.
    Draft {
        /// Which is written anew; `None`: a new one.
        number: Option<u32>,
        /// Its words, as far as they are said.
        draft: Draft,
    },
    /// That it does not go out like this.
    Return {
        /// Which.
        number: u32,
        /// Why.
        why: String,
    },
    /// To let pass what a rule had found.
    Override {
        /// Which.
        number: u32,
        /// The entry of the words that were read; `None`: the newest.
        wording: Option<u32>,
        /// What was read of what was found, by its marks; `None`: all that is found now.
        marks: Option<Vec<String>>,
        /// Why, and who agreed.
        why: String,
    },
    /// That it may go out.
    Approve {
        /// Which.
        number: u32,
        /// The entry of the words that were read; `None`: the newest.
        wording: Option<u32>,
        /// The term that is believed in.
        term: Option<u32>,
    },
    /// That it goes out.
    Publish {
        /// Which.
        number: u32,
        /// The entry of the words that were read; `None`: the newest.
        wording: Option<u32>,
    },
    /// That it goes out once more where it may not have arrived.
    Resend {
        /// Which.
        number: u32,
        /// Where to; `None`: wherever it is not known to be.
        channel: Option<String>,
    },
    /// That it is not wanted any more.
    Drop {
        /// Which.
        number: u32,
        /// Why; may be empty.
        why: String,
    },
    /// The Commander lets the PIO speak for so long without asking; zero: no longer.
    Delegate {
        /// For how long.
        length: SignedDuration,
        /// The term the Commander believes in.
        term: u32,
    },
    /// The Commander says that the cause is known.
    ConfirmCause {
        /// What it is.
        cause: String,
        /// The term the Commander believes in.
        term: u32,
    },
    /// That nothing goes out by itself.
    Hold {
        /// Why; may be empty.
        why: String,
    },
    /// Somebody wants to know how it goes.
    Ask {
        /// Who, as they say.
        from: String,
        /// What.
        text: String,
    },
    /// A question has its answer, or needs none.
    Answer {
        /// Which.
        number: u32,
        /// The answer; may be empty.
        text: String,
    },
}

impl Wish {
    /// The statement it is about, when there is one already.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Draft { number, .. } => *number,
            Self::Return { number, .. }
            | Self::Override { number, .. }
            | Self::Approve { number, .. }
            | Self::Publish { number, .. }
            | Self::Resend { number, .. }
            | Self::Drop { number, .. } => Some(*number),
            Self::Delegate { .. }
            | Self::ConfirmCause { .. }
            | Self::Hold { .. }
            | Self::Ask { .. }
            | Self::Answer { .. } => None,
        }
    }
}

/// The words of a statement, as far as somebody says them; the rest follows from the incident and the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who reads it.
    pub audience: Audience,
    /// Of what sort it is; `None`: a closing where it is over, else an update.
    pub sort: Option<Sort>,
    /// How far the incident is; `None`: as the state says.
    pub phase: Option<Told>,
    /// How much readers notice; `None`: as was said last, or as the severity says.
    pub impact: Option<Impact>,
    /// What the incident is called before this audience; `None`: as it was, or by the public name of its service.
    pub title: Option<String>,
    /// In words.
    pub text: String,
    /// When the next one is promised for.
    pub next: Next,
    /// The one that it corrects or takes back.
    pub mends: Option<u32>,
    /// Where it goes; none: to all channels of its audience.
    pub channels: Vec<String>,
}

/// When the next update is promised for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// As the house has it.
    Usual,
    /// At this hour.
    By(Timestamp),
    /// Nothing is promised.
    Never,
}

/// What somebody writes on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// What happened, how big it is, what is in danger, what is needed.
    SizeUp {
        /// In words.
        text: String,
    },
    /// What is to be achieved now.
    Objective {
        /// In words.
        text: String,
        /// The term the Commander believes in.
        term: u32,
    },
    /// How it is to be achieved.
    Plan {
        /// In words.
        text: String,
        /// The term the Commander believes in.
        term: u32,
    },
    /// Conditions, actions, needs.
    Report {
        /// How it goes.
        trend: Trend,
        /// In words; may be empty.
        text: String,
    },
    /// The Commander asks somebody to do something.
    Task {
        /// Who.
        person: String,
        /// What.
        what: String,
        /// By when.
        limit: Option<Timestamp>,
        /// The term the Commander believes in.
        term: u32,
    },
    /// A task ended.
    EndTask {
        /// Which.
        number: u32,
        /// How.
        how: End,
        /// In words; may be empty.
        text: String,
    },
    /// Somebody is changing something now.
    Action {
        /// What.
        what: String,
        /// Where; may be empty.
        place: String,
        /// How to undo it; may be empty.
        undo: String,
    },
    /// A change ended.
    EndAction {
        /// Which.
        number: u32,
        /// How.
        how: End,
        /// In words; may be empty.
        text: String,
    },
    /// The Commander allows more changes at a time, or no more than one.
    Allow {
        /// How many.
        most: u32,
        /// The term the Commander believes in.
        term: u32,
    },
    /// The Safety Officer stops all changes.
    Stop {
        /// Why.
        why: String,
    },
    /// Changes may go on.
    Lift {
        /// Why.
        why: String,
    },
    /// Somebody is asked for.
    Request {
        /// Whom.
        wanted: Wanted,
        /// What for.
        why: String,
    },
    /// Who came on a request may go.
    EndRequest {
        /// Which.
        number: u32,
    },
    /// An outside body was spoken with.
    Contact {
        /// The body.
        body: String,
        /// With whom; may be empty.
        contact: String,
        /// Their number; may be empty.
        ticket: String,
        /// When they promised something for.
        promised: Option<Timestamp>,
        /// What was said; may be empty.
        text: String,
        /// Nothing more is waited for.
        closed: bool,
    },
    /// Something was found of one part.
    Find {
        /// The part.
        component: String,
        /// It works.
        ok: bool,
        /// What was seen; may be empty.
        text: String,
        /// Since when it is known, if not now.
        known_at: Option<Timestamp>,
    },
    /// The Commander says where people meet.
    Meet {
        /// Where; `None`: at the usual place.
        place: Option<String>,
        /// Why; may be empty.
        why: String,
        /// The term the Commander believes in.
        term: u32,
    },
    /// What an entry says is not right.
    Correct {
        /// Which.
        entry: u32,
        /// What is right.
        text: String,
    },
}

/// What a new incident begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// One line.
    pub title: String,
    /// What is affected; must be a service of the rules.
    pub service: String,
    /// How bad.
    pub severity: Severity,
    /// The alert that opens it; `None` when a person declares it.
    pub alert: Option<(String, String)>,
    /// The values of the labels that its service is grouped by; none when it is not.
    pub group: Option<String>,
    /// Too many were opened lately: it stands for those that come now.
    pub storm: bool,
}
