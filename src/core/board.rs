//! What stands on the board of an incident: objective, plan, who does what, changes in flight, requests, outside bodies
//! and what was ruled out, as the fold of the timeline.
//!
//! Whatever is numbered is numbered within its incident, from 1, and each sort by itself. Lists have a limit
//! ([`LIST_MAX`]): the board is read at 2 AM. What is over stays on it, because who takes over wants to know what was
//! tried; the rules that keep people from adding more are in `decide`.

use jiff::{SignedDuration, Timestamp};

mod corrections;
mod put;

pub use corrections::{Correction, Corrections, beside};
pub use put::Put;

/// Most of each sort on one board.
pub const LIST_MAX: usize = 200;

/// Words that somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What.
    pub text: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Number of the entry that says so; 0 in a row of an older version.
    pub entry: u32,
}

/// How it goes, in one word: what a button can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Better than it was.
    Better,
    /// As it was.
    Same,
    /// Worse than it was.
    Worse,
}

impl Trend {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Better, Self::Same, Self::Worse];

    /// The word used in SQL, JSON, commands and forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "same",
            Self::Worse => "worse",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trend| trend.as_str() == word)
    }
}

/// A progress report: conditions, actions, needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it goes.
    pub trend: Trend,
    /// Conditions, actions and needs, in words; may be empty.
    pub text: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Number of the entry that says so; 0 in a row of an older version.
    pub entry: u32,
}

/// How a task or a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is done.
    Done,
    /// A change was undone.
    RolledBack,
    /// It did not work.
    Failed,
    /// It is not needed, or somebody else's.
    Dropped,
    /// The incident was over before anybody said how. Nobody can say that it ended so, and it is kept as dropped beside a mark: a
    /// version that knows no such end can read it.
    Unsaid,
}

impl End {
    /// All that people can say.
    pub const ALL: [Self; 4] = [Self::Done, Self::RolledBack, Self::Failed, Self::Dropped];

    /// The word used in SQL, JSON, commands and forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::Unsaid => "unsaid",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == word)
    }
}

/// Something that one person was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub number: u32,
    /// Whose it is.
    pub person: String,
    /// What.
    pub what: String,
    /// Since when.
    pub at: Timestamp,
    /// By when it is to be done, or said that it is not.
    pub limit: Option<Timestamp>,
    /// The limit passed, and it was said.
    pub late: bool,
    /// How it ended, and when.
    pub ended: Option<(End, Timestamp)>,
    /// Nobody said that it ended so: see [`Self::end`].
    pub unsaid: bool,
    /// Number of the entry that says so; 0 in a row of an older version.
    pub entry: u32,
}

/// How something ended, as people are told.
fn end(ended: Option<(End, Timestamp)>, unsaid: bool) -> Option<(End, Timestamp)> {
    ended.map(|(how, at)| (if unsaid { End::Unsaid } else { how }, at))
}

impl Action {
    /// How it ended, and when.
    pub fn end(&self) -> Option<(End, Timestamp)> {
        end(self.ended, self.unsaid)
    }
}

impl Task {
    /// How it ended, and when.
    pub fn end(&self) -> Option<(End, Timestamp)> {
        end(self.ended, self.unsaid)
    }

    /// The hour at which it is looked whether it is done.
    pub fn awaited(&self) -> Option<Timestamp> {
        self.limit.filter(|_| !self.late && self.ended.is_none())
    }
}

/// A change that somebody makes: what, where, how to undo it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its number.
    pub number: u32,
    /// Who makes it.
    pub person: String,
    /// What.
    pub what: String,
    /// Where; may be empty.
    pub place: String,
    /// How to undo it; may be empty.
    pub undo: String,
    /// Since when.
    pub at: Timestamp,
    /// They had something to do on this incident: a task, an office or command.
    pub assigned: bool,
    /// How it ended, and when.
    pub ended: Option<(End, Timestamp)>,
    /// Nobody said that it ended so: see [`Self::end`].
    pub unsaid: bool,
    /// Number of the entry that says so; 0 in a row of an older version.
    pub entry: u32,
    /// Number of the entry that says how it ended; 0 where none does.
    pub end_entry: u32,
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whoever is on call in a rotation.
    Rotation(String),
    /// Somebody by name.
    Person(String),
    /// Somebody who can do something.
    Capability(String),
}

impl Wanted {
    /// The word of its sort, and the name.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Rotation(name) => ("rotation", name),
            Self::Person(name) => ("person", name),
            Self::Capability(name) => ("capability", name),
        }
    }

    /// Reads what [`Wanted::parts`] gave.
    pub fn from_parts(sort: &str, name: &str) -> Option<Self> {
        let name = name.to_owned();
        match sort {
            "rotation" => Some(Self::Rotation(name)),
            "person" => Some(Self::Person(name)),
            "capability" => Some(Self::Capability(name)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rotation(name) => write!(f, "whoever is on call in {name}"),
            Self::Person(name) => f.write_str(name),
            Self::Capability(name) => write!(f, "somebody for {name}"),
        }
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// They were paged, or there is nobody to page.
    Requested,
    /// One of them answered.
    Acknowledged,
    /// One of them is on scene.
    OnScene,
    /// They may go.
    Released,
    /// Nobody comes.
    Unfilled,
}

impl RequestState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Requested, Self::Acknowledged, Self::OnScene, Self::Released, Self::Unfilled];

    /// The word used in SQL, JSON, commands and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Acknowledged => "acknowledged",
            Self::OnScene => "on_scene",
            Self::Released => "released",
            Self::Unfilled => "unfilled",
        }
    }

    /// Whether nothing more is waited for.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Released | Self::Unfilled)
    }
}

/// Somebody is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub number: u32,
    /// Whom.
    pub wanted: Wanted,
    /// What for.
    pub why: String,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Who was paged for it.
    pub people: Vec<String>,
    /// How far it is.
    pub state: RequestState,
    /// Since when.
    pub since: Timestamp,
    /// Number of the entry that says so; 0 in a row of an older version.
    pub entry: u32,
}

/// So long after a request its people are waited for; then who asked hears that nobody answered.
pub const REQUEST_WAIT: SignedDuration = SignedDuration::from_mins(5);

impl Request {
    /// When it is said that nobody answered, while anybody is waited for.
    pub fn answer_due(&self) -> Option<Timestamp> {
        let waits = self.state == RequestState::Requested && !self.people.is_empty();
        waits.then(|| self.at.saturating_add(REQUEST_WAIT).unwrap_or(Timestamp::MAX))
    }
}

/// An outside body that was called: a vendor, a host, the police.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its number.
    pub number: u32,
    /// The body.
    pub body: String,
    /// With whom one speaks there, and how to reach them; may be empty.
    pub contact: String,
    /// Their number for it; may be empty.
    pub ticket: String,
    /// When they promised to call back, or to have done something.
    pub promised: Option<Timestamp>,
    /// That hour passed, and it was said.
    pub late: bool,
    /// What was said; may be empty.
    pub text: String,
    /// Who spoke with them.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Nothing more is waited for.
    pub closed: bool,
    /// Number of the entry that says so; 0 in a row of an older version.
    pub entry: u32,
}

impl Contact {
    /// The hour at which it is looked whether they have called back.
    pub fn awaited(&self) -> Option<Timestamp> {
        self.promised.filter(|_| !self.late && !self.closed)
    }
}

/// What was found of one part: it works, or it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The part.
    pub component: String,
    /// It works: it was ruled out.
    pub ok: bool,
    /// What was seen; may be empty.
    pub text: String,
    /// Who found it.
    pub by: String,
    /// Since when it is known.
    pub known_at: Timestamp,
    /// Number of the entry that says so; 0 in a row of an older version.
    pub entry: u32,
}

/// The board, as the fold of the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// What happened, how big it is, what is in danger, what is needed.
    pub size_up: Option<Said>,
    /// What is to be achieved now.
    pub objective: Option<Said>,
    /// How it is to be achieved.
    pub plan: Option<Said>,
    /// How it goes, last.
    pub report: Option<Report>,
    /// Who does what.
    pub tasks: Vec<Task>,
    /// Changes, of which those in flight count.
    pub actions: Vec<Action>,
    /// How many changes may be in flight at once, when the Commander allowed more than one.
    pub changes: Option<u32>,
    /// Nothing is to be changed: why.
    pub stop: Option<Said>,
    /// Who was asked for.
    pub requests: Vec<Request>,
    /// Outside bodies.
    pub contacts: Vec<Contact>,
    /// What was found, the newest of each part.
    pub findings: Vec<Finding>,
    /// Where people meet, when that is not the usual place.
    pub meeting: Option<Said>,
    /// What was corrected of all that.
    pub corrections: Corrections,
}

impl Board {
    /// As a version kept it that did not mark what is late, called dropped of what nobody had said how it ended, and knew no entries
    /// and corrections.
    pub(super) fn before_this_version(mut self) -> Self {
        for task in &mut self.tasks {
            task.unsaid = false;
            if std::mem::take(&mut task.late) {
                task.limit = None;
            }
        }
        self.actions.iter_mut().for_each(|action| action.unsaid = false);
        for contact in self.contacts.iter_mut().filter(|contact| contact.late) {
            (contact.promised, contact.late) = (None, false);
        }
        self.without_entries()
    }

    /// Changes that are in flight.
    pub fn in_flight(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|action| action.ended.is_none())
    }

    /// Tasks that are not over.
    pub fn open_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.ended.is_none())
    }

    /// Whether somebody has a task.
    pub fn has_task(&self, person: &str) -> bool {
        self.open_tasks().any(|task| task.person == person)
    }

    /// How many changes may be in flight at once.
    pub fn changes_max(&self) -> usize {
        self.changes.map_or(1, |most| usize::try_from(most).unwrap_or(1))
    }

    /// It is over: nothing is stopped, in flight, asked for or promised any more. What was said stays.
    pub(crate) fn end(&mut self, at: Timestamp) {
        self.stop = None;
        self.changes = None;
        for task in self.tasks.iter_mut().filter(|task| task.ended.is_none()) {
            (task.ended, task.unsaid) = (Some((End::Dropped, at)), true);
        }
        for action in self.actions.iter_mut().filter(|action| action.ended.is_none()) {
            (action.ended, action.unsaid) = (Some((End::Dropped, at)), true);
        }
        for request in self.requests.iter_mut().filter(|request| !request.state.is_over()) {
            (request.state, request.since) = (RequestState::Released, at);
        }
        self.contacts.iter_mut().for_each(|contact| (contact.promised, contact.late) = (None, false));
    }

    /// It is open again, and everybody who was on it had left: what was said of its state is not so any more, and whoever takes it
    /// now says it anew. What was done, and what was found, stays.
    pub(super) fn begin_anew(&mut self) {
        (self.size_up, self.objective, self.plan) = (None, None, None);
        (self.report, self.meeting) = (None, None);
    }

    /// The next hour at which something on the board is looked at.
    pub fn next_hour(&self) -> Option<Timestamp> {
        let tasks = self.open_tasks().filter_map(Task::awaited);
        let contacts = self.contacts.iter().filter_map(Contact::awaited);
        let requests = self.requests.iter().filter_map(Request::answer_due);
        tasks.chain(contacts).chain(requests).min()
    }

    /// Puts something on the board. `entry`: the number of the entry that says so.
    ///
    /// # Errors
    /// Why it does not follow.
    pub(crate) fn apply(
        &mut self,
        put: &Put,
        by: &str,
        at: Timestamp,
        entry: u32,
    ) -> Result<(), &'static str> {
        let said = |text: &str| Some(Said { text: text.to_owned(), by: by.to_owned(), at, entry });
        match put {
            Put::SizedUp { text } => self.size_up = said(text),
            Put::ObjectiveSet { text } => self.objective = said(text),
            Put::PlanSet { text } => self.plan = said(text),
            Put::Reported { trend, text } => {
                let (text, by) = (text.clone(), by.to_owned());
                self.report = Some(Report { trend: *trend, text, by, at, entry });
            }
            Put::TaskGiven { number, person, what, limit } => {
                follows(&self.tasks, *number)?;
                make_room(&mut self.tasks, |task| task.ended.is_some());
                let (person, what) = (person.clone(), what.clone());
                self.tasks.push(Task {
                    number: *number,
                    person,
                    what,
                    at,
                    limit: *limit,
                    late: false,
                    ended: None,
                    unsaid: false,
                    entry,
                });
            }
            Put::TaskEnded { number, how, .. } => {
                let task = numbered(&mut self.tasks, *number)?;
                if task.ended.replace((*how, at)).is_some() {
                    return Err("a task ended twice");
                }
            }
            Put::TaskOverdue { number } => numbered(&mut self.tasks, *number)?.late = true,
            Put::ActionBegan { number, person, what, place, undo, assigned } => {
                follows(&self.actions, *number)?;
                make_room(&mut self.actions, |action| action.ended.is_some());
                self.actions.push(Action {
                    number: *number,
                    person: person.clone(),
                    what: what.clone(),
                    place: place.clone(),
                    undo: undo.clone(),
                    at,
                    assigned: *assigned,
                    ended: None,
                    unsaid: false,
                    entry,
                    end_entry: 0,
                });
            }
            Put::ActionEnded { number, how, .. } => {
                let action = numbered(&mut self.actions, *number)?;
                if action.ended.replace((*how, at)).is_some() {
                    return Err("a change ended twice");
                }
                action.end_entry = entry;
            }
            Put::ChangesAllowed { most } => self.changes = (*most != 1).then_some(*most),
            Put::Stopped { why } => self.stop = said(why),
            Put::StopLifted { .. } => {
                if self.stop.take().is_none() {
                    return Err("a stop was lifted that was not there");
                }
            }
            Put::Requested { number, wanted, why, people } => {
                follows(&self.requests, *number)?;
                make_room(&mut self.requests, |request| request.state.is_over());
                self.requests.push(Request {
                    number: *number,
                    wanted: wanted.clone(),
                    why: why.clone(),
                    by: by.to_owned(),
                    at,
                    people: people.clone(),
                    state: RequestState::Requested,
                    since: at,
                    entry,
                });
            }
            Put::RequestMoved { number, to } => {
                let request = numbered(&mut self.requests, *number)?;
                (request.state, request.since) = (*to, at);
            }
            Put::ContactLogged { number, body, contact, ticket, promised, text, closed } => {
                let known = Contact {
                    number: *number,
                    body: body.clone(),
                    contact: contact.clone(),
                    ticket: ticket.clone(),
                    promised: *promised,
                    late: false,
                    text: text.clone(),
                    by: by.to_owned(),
                    at,
                    closed: *closed,
                    entry,
                };
                match numbered(&mut self.contacts, *number) {
                    Ok(before) => {
                        let late = before.late && before.promised == known.promised;
                        *before = Contact { late, ..known };
                    }
                    Err(_) => {
                        follows(&self.contacts, *number)?;
                        make_room(&mut self.contacts, |contact| contact.closed);
                        self.contacts.push(known);
                    }
                }
            }
            Put::ContactOverdue { number } => numbered(&mut self.contacts, *number)?.late = true,
            Put::Found { component, ok, text, known_at } => {
                let (component, text) = (component.clone(), text.clone());
                self.findings.retain(|known| known.component != component);
                self.findings.push(Finding {
                    component,
                    ok: *ok,
                    text,
                    by: by.to_owned(),
                    known_at: *known_at,
                    entry,
                });
            }
            Put::MeetingSet { place, .. } => {
                self.meeting = place.as_ref().and_then(|place| said(place));
            }
            Put::Corrected { entry: of, text } => {
                let (text, by) = (text.clone(), by.to_owned());
                self.correct(Correction { number: entry, entry: *of, text, by, at });
            }
            Put::Called { .. } => {}
        }
        Ok(())
    }
}

fn follows<T: Numbered>(all: &[T], number: u32) -> Result<(), &'static str> {
    if number == next_number(all) { Ok(()) } else { Err("a number on the board was left out") }
}

/// The number of whatever is put behind these.
pub(super) fn next_number<T: Numbered>(all: &[T]) -> u32 {
    all.last().map_or(0, Numbered::number).saturating_add(1)
}

/// Of those that are over the newest stay.
fn make_room<T>(all: &mut Vec<T>, is_over: impl Fn(&T) -> bool) {
    if all.len() >= LIST_MAX
        && let Some(oldest) = all.iter().position(is_over)
    {
        all.remove(oldest);
    }
}

/// What has a number within its incident.
pub(super) trait Numbered {
    fn number(&self) -> u32;
}

macro_rules! numbered {
    ($($sort:ty),+) => { $(impl Numbered for $sort {
        fn number(&self) -> u32 {
            self.number
        }
    })+ };
}

numbered!(Task, Action, Request, Contact);

fn numbered<T: Numbered>(all: &mut [T], number: u32) -> Result<&mut T, &'static str> {
    all.iter_mut().find(|one| one.number() == number).ok_or("a number on the board that is not there")
}
