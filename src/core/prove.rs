//! Proves a timeline whole, wherever it is kept: in a store, or in a document that was taken out of one.
//!
//! Entries are given one by one, as they were written down and as they are understood. Every hash has to follow from the
//! one before it, every entry from the state before it; tenures of command have to lie end to end; and what is kept of the
//! incident has to be the fold. The first fault is told, with the number of the entry where it shows.
//!
//! How a hash is made is handed in: the core meets no cryptography.

use jiff::{SignedDuration, Timestamp};

use super::board::Board;
use super::command::Offices;
use super::incident::{Command, FoldError, Incident, Phase};
use super::timeline::Entry;
use super::voice::Voice;

/// A clock that is set back by no more than this is waited for, so no entry is recorded earlier than the one before it.
/// A larger step back is believed: it is told, and is no fault.
pub const CLOCK_BACK_MAX: SignedDuration = SignedDuration::from_secs(2);

/// The hash before the first entry.
pub const NO_HASH: [u8; 32] = [0; 32];

/// SHA-256.
pub type Hash = fn(&[u8]) -> [u8; 32];

/// An entry word by word, as it was written down: what is hashed.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Its number.
    pub seq: u32,
    /// When it was recorded.
    pub at: Timestamp,
    /// When it is said to have happened.
    pub occurred_at: Timestamp,
    /// Who, as [`super::timeline::Actor::label`] has it.
    pub actor: &'a str,
    /// Holding which office.
    pub office: Option<&'a str>,
    /// In which term.
    pub term: Option<u32>,
    /// By which way.
    pub route: &'a str,
    /// The kind of fact.
    pub kind: &'a str,
    /// The sentence for people.
    pub text: &'a str,
    /// The fact's fields, as JSON.
    pub data: &'a str,
}

/// The hash an entry must have when the one before it has the hash `before`: over that hash and every field, each with its
/// length in front, so that no two different timelines have the same bytes.
pub fn link(hash: Hash, before: &[u8; 32], incident: i64, written: &Written<'_>) -> [u8; 32] {
    let term = written.term.map(|term| term.to_string());
    let numbers = [
        incident.to_string(),
        written.seq.to_string(),
        written.at.as_microsecond().to_string(),
        written.occurred_at.as_microsecond().to_string(),
    ];
    let words = [
        written.actor,
        written.office.unwrap_or_default(),
        term.as_deref().unwrap_or_default(),
        written.route,
        written.kind,
        written.text,
        written.data,
    ];
    let mut bytes = Vec::with_capacity(256 + written.data.len() + written.text.len());
    bytes.extend_from_slice(before);
    for field in numbers.iter().map(String::as_str).chain(words) {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    hash(&bytes)
}

/// Why a timeline, and what is kept of its incident, do not agree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not there, and a later one is.
    #[error("entry {missing} is missing: entry {found} comes in its place; the timeline was changed")]
    Gap {
        /// The first that is missing.
        missing: u32,
        /// What is there instead.
        found: u32,
    },
    /// An entry comes where a later one should.
    #[error("entry {found} comes again, after entry {last}; the timeline was changed")]
    Again {
        /// The one that comes again.
        found: u32,
        /// The one before it.
        last: u32,
    },
    /// An entry was changed, removed or put in.
    #[error("entry {0}: its hash does not follow from the entry before it; the timeline was changed")]
    Hash(u32),
    /// An entry whose hash is right cannot be understood: another version wrote it.
    #[error("entry {0} cannot be understood by this version: {1}")]
    Unread(u32, String),
    /// An entry cannot follow from the ones before it.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// Tenures of command do not lie end to end.
    #[error("entry {0}: {1}")]
    Command(u32, &'static str),
    /// There is no entry.
    #[error("it has no entries")]
    Empty,
    /// The newest entries are gone.
    #[error("entry {0} is missing: the saved row knows of it; the newest entries were removed")]
    Short(u32),
    /// There are entries that the row does not know of.
    #[error("entry {0} is one more than the saved row knows of")]
    Long(u32),
    /// The newest hash is not the saved one.
    #[error("the saved hash is not that of entry {0}, the last one")]
    Head(u32),
    /// The saved row is not the fold.
    #[error("the saved row is not what its timeline says: {1}, up to entry {0}")]
    Row(u32, &'static str),
}

/// What is kept of an incident beside its timeline.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The fold, as it was written.
    pub incident: Incident,
    /// A version wrote it that knows all that this one does. One that knew less has dropped what it did not know, and what is
    /// kept is made whole from the timeline when it is next needed.
    pub whole: bool,
}

/// What was proved of one timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// How many entries it has.
    pub entries: u32,
    /// How many tenures of command there were.
    pub tenures: u32,
    /// The hash of its newest entry: whoever noted it can tell that nothing up to there was written anew.
    pub head: [u8; 32],
    /// The first entry that was recorded earlier than the one before it, by more than a clock is waited for, and by how much.
    pub set_back: Option<(u32, SignedDuration)>,
}

/// Proves one timeline, entry by entry.
#[derive(Clone, Debug)]
pub struct Prover {
    hash: Hash,
    id: i64,
    head: [u8; 32],
    fold: Option<Incident>,
    at: Timestamp,
    term: u32,
    tenures: u32,
    set_back: Option<(u32, SignedDuration)>,
}

impl Prover {
    /// Of an incident's timeline, from its first entry on.
    pub fn new(hash: Hash, id: i64) -> Self {
        Self { hash, id, head: NO_HASH, fold: None, at: Timestamp::MIN, term: 0, tenures: 0, set_back: None }
    }

    /// The number of the last entry that was proved.
    pub fn seq(&self) -> u32 {
        self.fold.as_ref().map_or(0, |fold| fold.seq)
    }

    /// The next entry: as it was written, with the hash that stands beside it, and as it is understood.
    ///
    /// # Errors
    /// The first fault.
    pub fn add(
        &mut self,
        written: &Written<'_>,
        hash: &[u8],
        entry: Result<&Entry, String>,
    ) -> Result<(), Broken> {
        let (seq, last) = (written.seq, self.seq());
        if seq <= last {
            return Err(Broken::Again { found: seq, last });
        }
        if seq != last + 1 {
            return Err(Broken::Gap { missing: last + 1, found: seq });
        }
        let right = link(self.hash, &self.head, self.id, written);
        if hash != right {
            return Err(Broken::Hash(seq));
        }
        let entry = entry.map_err(|why| Broken::Unread(seq, why))?;
        let before = self.fold.as_ref().and_then(Incident::commander).cloned();
        match &mut self.fold {
            Some(fold) => fold.apply(entry)?,
            None => self.fold = Some(Incident::open(self.id, entry)?),
        }
        self.commands(before.as_ref(), entry)?;
        let back = self.at.duration_since(entry.at);
        if last > 0 && back > CLOCK_BACK_MAX {
            self.set_back.get_or_insert((seq, back));
        }
        (self.head, self.at) = (right, entry.at);
        Ok(())
    }

    /// Who commands is one person at a time: each tenure has the next term and begins with the entry that says so, and none
    /// ends but by the next one, or with the incident.
    fn commands(&mut self, before: Option<&Command>, entry: &Entry) -> Result<(), Broken> {
        let Some(fold) = &self.fold else { return Ok(()) };
        let wrong = |why| Err(Broken::Command(entry.seq, why));
        match (before, fold.commander()) {
            (Some(before), Some(now)) if before.term == now.term => {
                if before.person != now.person || before.since != now.since {
                    return wrong("two people have command in the same term");
                }
            }
            (_, Some(now)) => {
                if now.term != self.term + 1 {
                    return wrong("command changed, and its term did not grow by one");
                }
                if now.since != entry.at {
                    return wrong("command changed at another hour than its tenure begins");
                }
                (self.term, self.tenures) = (now.term, self.tenures + 1);
            }
            (Some(_), None) if fold.is_open() => {
                return wrong("nobody has command any more, although it is not over");
            }
            (_, None) => {}
        }
        if fold.term != self.term {
            return wrong("a term was given out in which nobody commands");
        }
        Ok(())
    }

    /// There are no more entries: what is kept of the incident has to be what they say, and the hash that is kept beside it
    /// that of the last one.
    ///
    /// # Errors
    /// The first fault.
    pub fn end(self, saved: Kept, head: &[u8]) -> Result<Proved, Broken> {
        let Some(fold) = self.fold else { return Err(Broken::Empty) };
        let Kept { incident: saved, whole } = saved;
        if saved.seq > fold.seq {
            return Err(Broken::Short(fold.seq + 1));
        }
        if saved.seq < fold.seq {
            return Err(Broken::Long(saved.seq + 1));
        }
        if head != self.head {
            return Err(Broken::Head(fold.seq));
        }
        let saved = if whole { saved } else { as_kept(saved, &fold) };
        if saved != fold {
            return Err(Broken::Row(fold.seq, differs(&saved, &fold)));
        }
        let Self { tenures, head, set_back, .. } = self;
        Ok(Proved { entries: fold.seq, tenures, head, set_back })
    }
}

/// What is other in a row than in the fold, in words.
fn differs(saved: &Incident, fold: &Incident) -> &'static str {
    let parts = [
        ("its number is another", saved.id != fold.id),
        ("who commands is another", saved.commander() != fold.commander()),
        ("its state is another", saved.phase != fold.phase),
        ("its term is another", saved.term != fold.term),
        ("its severity is another", saved.severity != fold.severity),
        ("its title is another", saved.title != fold.title),
        ("its service is another", saved.service != fold.service),
        ("its cause is another", saved.cause != fold.cause),
        ("its responders are others", saved.responders != fold.responders),
        ("the number of its alerts is another", (saved.alerts, saved.firing) != (fold.alerts, fold.firing)),
        (
            "its hours are others",
            (saved.opened_at, saved.acknowledged_at, saved.mitigated_at)
                != (fold.opened_at, fold.acknowledged_at, fold.mitigated_at),
        ),
    ];
    parts.into_iter().find(|(_, other)| *other).map_or("something of it is other", |(what, _)| what)
}

/// A row as this version would have kept it: what the versions before did not know is taken from the timeline, and
/// everything else stays as it was written.
fn as_kept(mut saved: Incident, fold: &Incident) -> Incident {
    for (kept, known) in saved.responders.iter_mut().zip(&fold.responders) {
        if kept.pages_before == 0 {
            kept.pages_before = known.pages_before;
        }
        kept.watching |= known.watching;
        kept.eta = kept.eta.or(known.eta);
    }
    if saved.shadows.iter().all(|kept| fold.shadows.contains(kept)) {
        saved.shadows.clone_from(&fold.shadows);
    }
    // Offices, the board, and what hangs on them: a version knew all of it or nothing.
    if saved.offices == Offices::default() {
        saved.offices.clone_from(&fold.offices);
    }
    if saved.board == Board::default() || is_as_it_was(&saved.board, &fold.board) {
        saved.board.clone_from(&fold.board);
    }
    if saved.voice == Voice::default() {
        saved.voice.clone_from(&fold.voice);
    }
    // Of one that knew no clocks of a tenure.
    if saved.offices.tenure.is_none() {
        saved.offices.tenure.clone_from(&fold.offices.tenure);
    }
    // What moves the situation has become more.
    saved.moved = fold.moved;
    if let (Some(kept), Some(known)) = (&mut saved.offices.offer, &fold.offices.offer) {
        kept.brief = known.brief;
    }
    saved.heard_at = saved.heard_at.or(fold.heard_at);
    match (&mut saved.phase, &fold.phase) {
        (
            Phase::Triggered { escalation: Some(saved), held_until: kept, .. },
            Phase::Triggered { escalation: Some(fold), held_until: known, .. },
        ) => {
            // That the next round rests, and when those who have not answered are reminded.
            *kept = *known;
            if saved.reminders.iter().all(|hour| fold.reminders.contains(hour)) {
                saved.reminders.clone_from(&fold.reminders);
            }
        }
        // That it is looked whether who commands is still there, and what they are asked for.
        (
            Phase::Acknowledged { sign: kept, calls: asked, .. },
            Phase::Acknowledged { sign: known, calls, .. },
        ) => {
            if kept.is_none() {
                kept.clone_from(known);
            }
            match (&mut *asked, calls) {
                (Some(asked), Some(known)) => {
                    asked.pace = known.pace;
                    asked.size_up = asked.size_up.or(known.size_up);
                }
                (None, known) => asked.clone_from(known),
                _ => {}
            }
        }
        _ => {}
    }
    saved
}

/// Whether a board is that of the version before, which kept what was said of the state before it was over.
fn is_as_it_was(saved: &Board, fold: &Board) -> bool {
    let mut saved = saved.clone();
    // What is late may have kept its hour without its mark.
    for late in fold.tasks.iter().filter(|task| task.late) {
        let kept = saved.tasks.iter_mut().filter(|task| task.number == late.number);
        kept.for_each(|task| task.limit = None);
    }
    for late in fold.contacts.iter().filter(|contact| contact.late) {
        let kept = saved.contacts.iter_mut().filter(|contact| contact.number == late.number);
        kept.for_each(|contact| contact.promised = None);
    }
    let saved = saved.before_this_version();
    let Board { size_up, objective, plan, report, meeting, .. } = saved.clone();
    let mut fold = fold.clone().before_this_version();
    fold.size_up = fold.size_up.or(size_up);
    fold.objective = fold.objective.or(objective);
    fold.plan = fold.plan.or(plan);
    fold.report = fold.report.or(report);
    fold.meeting = fold.meeting.or(meeting);
    saved == fold
}

#[cfg(test)]
mod tests {
    use super::super::board::Put;
    use super::super::incident::{CommandReason, Resolution, Severity};
    use super::super::timeline::{Actor, Fact, Route};
    use super::*;

    /// No hash that anybody should trust: another one for other bytes, which is all that is needed here.
    fn toy(bytes: &[u8]) -> [u8; 32] {
        let mut hash = [0_u8; 32];
        for (at, byte) in bytes.iter().enumerate() {
            let slot = &mut hash[at % 32];
            *slot = u8::wrapping_add(slot.rotate_left(3), *byte);
        }
        hash
    }

    struct Told {
        prover: Prover,
        seq: u32,
    }

    fn ours(incident: Incident) -> Kept {
        Kept { incident, whole: true }
    }

    impl Told {
        fn new() -> Self {
            let mut told = Self { prover: Prover::new(toy, 1), seq: 0 };
            let (title, service) = ("db-1 is down".to_owned(), "shop".to_owned());
            let opened =
                Fact::Opened { title, service, severity: Severity::Sev2, group: None, declared: true };
            told.add(0, opened).unwrap();
            told
        }

        fn entry(&self, second: i64, fact: Fact) -> Entry {
            let at = Timestamp::from_second(1_000_000 + second).unwrap();
            let actor = Actor::Person("maya".into());
            let (seq, route) = (self.seq + 1, Route::Api);
            Entry { seq, at, occurred_at: at, actor, office: None, term: None, route, fact }
        }

        fn add(&mut self, second: i64, fact: Fact) -> Result<(), Broken> {
            let entry = self.entry(second, fact);
            let (actor, text) = (entry.actor.label(), entry.fact.text());
            let written = Written {
                seq: entry.seq,
                at: entry.at,
                occurred_at: entry.occurred_at,
                actor: &actor,
                office: None,
                term: None,
                route: entry.route.as_str(),
                kind: entry.fact.kind(),
                text: &text,
                data: "{}",
            };
            let hash = link(toy, &self.prover.head, 1, &written);
            self.prover.add(&written, &hash, Ok(&entry))?;
            self.seq += 1;
            Ok(())
        }

        fn takes(&mut self, second: i64, term: u32) -> Result<(), Broken> {
            let (person, reason) = ("maya".to_owned(), CommandReason::FirstResponder);
            self.add(second, Fact::CommandTaken { person, term, reason, sign_after: None, pace: None })
        }

        fn end(self) -> Result<Proved, Broken> {
            let (saved, head) = (self.prover.fold.clone().unwrap(), self.prover.head);
            self.prover.end(ours(saved), &head)
        }
    }

    fn note() -> Fact {
        Fact::Note { text: "x".into() }
    }

    #[test]
    fn tenures_are_counted_and_a_clock_that_was_set_back_is_told() {
        let mut told = Told::new();
        told.takes(10, 1).unwrap();
        told.add(11, note()).unwrap();
        told.add(9, note()).unwrap();
        told.add(20, Fact::Resolved { resolution: Resolution::Restored }).unwrap();
        told.add(30, Fact::Reopened { why: "again".into(), anew: true, left: true }).unwrap();
        told.takes(30, 2).unwrap();
        let proved = Told { prover: told.prover.clone(), seq: told.seq }.end().unwrap();
        assert_eq!((proved.entries, proved.tenures, proved.set_back), (7, 2, None), "2 s are waited for");
        told.add(-3570, note()).unwrap();
        told.add(-9000, note()).unwrap();
        let proved = told.end().unwrap();
        assert_eq!((proved.tenures, proved.set_back), (2, Some((8, SignedDuration::from_secs(3600)))));
    }

    #[test]
    fn a_term_is_never_given_out_twice_and_none_is_left_out() {
        let mut told = Told::new();
        assert!(matches!(told.takes(10, 2), Err(Broken::Fold(_))));
        let mut told = Told::new();
        told.takes(10, 1).unwrap();
        assert!(matches!(told.takes(11, 2), Err(Broken::Fold(_))), "while somebody has it");
    }

    /// What no entry of today can do, and one of tomorrow might.
    #[test]
    fn tenures_that_do_not_lie_end_to_end_are_found_whatever_fact_did_it() {
        type Change = fn(&mut Incident);
        let changes: [(Change, Option<&str>); 7] = [
            (|_| {}, None),
            (|now| now.phase = Phase::FRESH, Some("nobody has command any more")),
            (|now| set(now, |command| command.person = "tom".into()), Some("two people have command")),
            (|now| set(now, |command| command.term = 3), Some("its term did not grow by one")),
            (|now| set(now, |command| command.term = 0), Some("its term did not grow by one")),
            (|now| now.term = 2, Some("a term was given out in which nobody commands")),
            (
                |now| {
                    set(now, |command| command.term = 2);
                    now.term = 2;
                },
                Some("at another hour than its tenure begins"),
            ),
        ];
        for (change, why) in changes {
            let mut told = Told::new();
            told.takes(10, 1).unwrap();
            let before = told.prover.fold.as_ref().unwrap().commander().cloned();
            let entry = told.entry(20, note());
            change(told.prover.fold.as_mut().unwrap());
            let found = told.prover.commands(before.as_ref(), &entry);
            match why {
                None => assert_eq!(found, Ok(())),
                Some(why) => assert!(found.unwrap_err().to_string().contains(why), "{why}"),
            }
        }
        // A transfer, in one entry.
        let mut told = Told::new();
        told.takes(10, 1).unwrap();
        let before = told.prover.fold.as_ref().unwrap().commander().cloned();
        let entry = told.entry(20, note());
        let fold = told.prover.fold.as_mut().unwrap();
        fold.term = 2;
        set(fold, |command| {
            (command.person, command.term, command.since) =
                ("tom".into(), 2, Timestamp::from_second(1_000_020).unwrap());
        });
        assert_eq!(told.prover.commands(before.as_ref(), &entry), Ok(()));
        assert_eq!(told.prover.tenures, 2);
    }

    fn set(incident: &mut Incident, change: impl FnOnce(&mut Command)) {
        let mut command = incident.commander().cloned().unwrap();
        change(&mut command);
        incident.phase = Phase::Acknowledged { command, sign: None, calls: None };
    }

    #[test]
    fn a_row_of_a_version_that_knew_less_is_asked_for_no_more_than_it_knew() {
        let mut told = Told::new();
        told.takes(10, 1).unwrap();
        told.add(11, Fact::PioCalled { person: "kim".into(), due: None }).unwrap();
        told.add(12, Fact::Board(Put::SizedUp { text: "all of it".into() })).unwrap();
        let mut saved = told.prover.fold.clone().unwrap();
        assert_eq!(saved.offices.posts.len(), 1);
        (saved.offices, saved.board, saved.moved) = (Offices::default(), Board::default(), 0);
        let head = told.prover.head;
        let older = |incident| Kept { incident, whole: false };
        assert!(told.prover.clone().end(older(saved.clone()), &head).is_ok());
        let broken = Broken::Row(4, "something of it is other");
        assert_eq!(told.prover.clone().end(ours(saved.clone()), &head), Err(broken));
        saved.firing = 7;
        let broken = Broken::Row(4, "the number of its alerts is another");
        assert_eq!(told.prover.end(older(saved), &head), Err(broken));
    }

    #[test]
    fn a_row_of_a_version_that_kept_no_corrections_is_asked_for_none() {
        let mut told = Told::new();
        told.takes(10, 1).unwrap();
        told.add(11, Fact::Board(Put::SizedUp { text: "db1 is primary".into() })).unwrap();
        let moved = told.prover.fold.as_ref().unwrap().moved;
        told.add(12, Fact::Board(Put::Corrected { entry: moved, text: "db2 is".into() })).unwrap();
        let mut saved = told.prover.fold.clone().unwrap();
        assert!(saved.moved > moved && saved.board != saved.board.clone().without_entries());
        (saved.board, saved.moved) = (saved.board.without_entries(), moved);
        let head = told.prover.head;
        assert!(told.prover.clone().end(Kept { incident: saved.clone(), whole: false }, &head).is_ok());
        assert!(told.prover.end(ours(saved), &head).is_err());
    }

    #[test]
    fn the_end_is_the_row_and_its_hash() {
        let told = || {
            let mut told = Told::new();
            told.takes(10, 1).unwrap();
            let saved = told.prover.fold.clone().unwrap();
            (told.prover.clone(), saved, told.prover.head)
        };
        let (prover, saved, head) = told();
        assert!(prover.end(ours(saved), &head).is_ok());
        let (prover, saved, _) = told();
        assert_eq!(prover.end(ours(saved), &[0; 32]), Err(Broken::Head(2)));
        let (prover, mut saved, head) = told();
        saved.seq = 3;
        assert_eq!(prover.end(ours(saved), &head), Err(Broken::Short(3)));
        let (prover, mut saved, head) = told();
        saved.seq = 1;
        assert_eq!(prover.end(ours(saved), &head), Err(Broken::Long(2)));
        let (prover, mut saved, head) = told();
        saved.next_update_by = Some(saved.opened_at);
        assert_eq!(prover.end(ours(saved), &head), Err(Broken::Row(2, "something of it is other")));
        let (_, saved, head) = told();
        assert_eq!(Prover::new(toy, 1).end(ours(saved), &head), Err(Broken::Empty));
    }
}
