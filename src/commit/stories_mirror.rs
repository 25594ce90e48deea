//! The mirror told as stories: what the door has written is looked at in the copy.

use std::path::Path;

use jiff::SignedDuration;
use tokio::runtime::Runtime;

use super::stories::Story;
use super::*;
use crate::core::alert::Status::{Firing, Resolved};
use crate::core::correlate::Needs;
use crate::core::meeting::{Point, Points};
use crate::core::rules::Rules;
use crate::mirror::Copier;
use crate::store::Tx;
use crate::store::incidents;
use crate::store::mirror::Mirror;
use crate::store::readers::Readers;
use crate::store::search::Filter;
use crate::store::sessions;
use crate::store::sight::Sight;
use crate::store::silences::{self, Which};
use crate::store::tokens::{self, Holder, Link, Purpose};
use crate::store::{alerts, calendars, conditions, meeting, roster, timeline};

/// A story, and who copies it.
struct Copied {
    story: Story,
    copier: Copier,
    mirror: Arc<Mirror>,
    sight: Sight,
    directory: tempfile::TempDir,
    runtime: Runtime,
}

impl Copied {
    fn new() -> Self {
        Self::in_directory(tempfile::tempdir().unwrap(), "here")
    }

    fn in_directory(directory: tempfile::TempDir, address: &str) -> Self {
        let story = Story::new();
        let (place, clock) = (story.committer.place.clone(), story.clock.clone());
        let mirror = Arc::new(Mirror::new(directory.path(), address.into(), &clock));
        let copier = Copier::new(Readers::new(place.clone(), clock.clone()), mirror.clone());
        let sight = Sight::new(Readers::new(place, clock), Some(mirror.clone()));
        Self { story, copier, mirror, sight, directory, runtime: Runtime::new().unwrap() }
    }

    fn steps(&mut self) {
        self.runtime.block_on(self.copier.step());
    }

    fn place(&self) -> Place {
        Place::Sqlite(self.directory.path().join("mirror.db"))
    }

    /// The mirror itself, past everything that guards it.
    fn inside<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> T {
        Connection::writer(&self.place(), &self.story.clock)
            .unwrap()
            .write(self.story.clock.now(), work)
            .unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        self.inside(|tx| tx.query_one(&format!("select count(*) from {table}"), &[], |row| row.int(0)))
            .unwrap()
    }

    /// The calendar of a rotation says something, and others follow that rotation by one more address.
    fn calendar(&mut self, turns: Vec<crate::core::oncall::Turn>) {
        let asked = CalendarSaid { rotation: "sre".into(), found: Ok((turns, vec!["one warning".into()])) };
        self.story.ask(Command::Calendar(Box::new(asked))).unwrap();
        let (token, subject) =
            (crate::crypto::random_token().unwrap().into(), calendars::Subject::Rotation("sre".into()));
        self.story.ask(Command::LinkCalendar { token, subject, by: "maya".into() }).unwrap();
    }

    fn is_true(&mut self) {
        self.steps();
        let there = self.story.look(looks);
        assert_eq!(self.inside(looks), there);
        for id in self.inside(|tx| incidents::numbers(tx, 0, 100)) {
            let proof = self.inside(|tx| incidents::verify(tx, id));
            assert!(matches!(proof, Some(Ok(_))), "{proof:?}");
        }
    }
}

/// Everything that people see.
fn looks(tx: &Tx<'_>) -> Result<String, StoreError> {
    let mut seen = String::new();
    for incident in incidents::list(tx, &Filter { limit: 100, ..Filter::default() })? {
        let entries = timeline::list(tx, incident.id, 0, 10_000)?;
        let alerts = alerts::of_incident(tx, incident.id, 100)?;
        let events = alerts::events_of(tx, incident.id)?;
        let places = meeting::Known::ask(tx, &meets())?.places(&incident, &meets(), tx.now);
        seen.push_str(&format!("{incident:#?}\n{entries:#?}\n{alerts:#?}\n{events}\n{places:#?}\n"));
    }
    seen.push_str(&format!("{:#?}", tokens::list_api(tx)?));
    seen.push_str(&format!("{:#?}", sessions::list(tx)?));
    seen.push_str(&format!("{:#?}", conditions::open(tx)?));
    seen.push_str(&format!("{:#?}", (calendars::all(tx)?, calendars::links(tx)?)));
    seen.push_str(&format!("{:#?}", roster::open(tx)?));
    seen.push_str(&format!("{:#?}", silences::list(tx, Which::Open, 100)?));
    Ok(seen)
}

/// A place to meet that hangs on the shop, and whose address nobody can guess.
fn meets() -> Rules {
    let place = Point::new("https://video.example.net/{incident}-{secret}".into(), None, vec!["shop".into()]);
    let mut points = Points::new([("video".to_owned(), place)].into(), vec!["video".into()]);
    points.hang(&Needs::default());
    Rules { meeting: points, ..Rules::default() }
}

fn declare(story: &mut Story, title: &str) -> i64 {
    let by = By {
        actor: crate::core::timeline::Actor::Person("maya".into()),
        route: crate::core::timeline::Route::Api,
        occurred_at: None,
    };
    let command =
        Command::Declare { title: title.into(), service: "shop".into(), severity: Severity::Sev2, by };
    match story.ask(command).unwrap() {
        Reply::Decided(incident, _) => incident.id,
        _ => panic!("another answer"),
    }
}

#[test]
fn the_mirror_shows_what_the_store_shows_at_every_turn_of_a_story() {
    let mut copied = Copied::new();
    copied.is_true();
    copied.story.hears("scripts", "db-1", Firing);
    copied.is_true();
    let links = copied.count("answer_token");
    assert!(links > 0);
    copied.calendar(vec![crate::core::oncall::Turn {
        from: Timestamp::UNIX_EPOCH,
        until: Timestamp::constant(253_000_000_000, 0),
        person: "maya".into(),
    }]);
    copied.is_true();
    copied.calendar(Vec::new());
    copied.is_true();
    copied.story.hears("pingdom", "db-1", Firing);
    copied.is_true();
    copied.story.act(1, "maya", Act::Answer { help: true }).unwrap();
    copied.is_true();
    copied.story.act(1, "tom", Act::Note { text: "the disk is full".into() }).unwrap();
    copied.story.hears("scripts", "db-1", Resolved);
    copied.is_true();
    copied.story.act(1, "maya", Act::Mitigate { term: 1, cause: None }).unwrap();
    copied.story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    copied.is_true();
    // It belongs to another incident from now on.
    copied.story.passes(60 * 48);
    copied.story.hears("scripts", "db-1", Firing);
    copied.is_true();
    assert_eq!(copied.inside(|tx| incidents::numbers(tx, 0, 100)).len(), 2);
    assert_eq!(copied.count("letter"), 0, "letters are nobody's to look at");
}

#[test]
fn who_is_signed_in_may_look_at_the_copy_and_who_signs_in_by_a_token_meanwhile_at_the_copy_alone() {
    let mut copied = Copied::new();
    let holder = Holder::Person("maya".into());
    let make = Command::MakeToken { token: "a token".to_owned().into(), holder: holder.clone() };
    let Reply::Made(id) = copied.story.ask(make).unwrap() else { panic!("no id") };
    let sign = |secret: &str| {
        let (token, session) = (sessions::hash("a token"), sessions::hash(secret));
        Command::SignIn(SignIn::Token { token, session, before: None })
    };
    copied.story.ask(sign("here")).unwrap();
    copied.is_true();
    let clock = copied.story.clock.clone();
    let find = |secret: String| {
        let now = clock.now();
        move |tx: &Tx<'_>| sessions::find(tx, &secret, now)
    };
    assert_eq!(copied.inside(find("here".into())).unwrap().holder, holder);
    copied.story.passes(10);
    copied.story.ask(Command::SignIn(SignIn::Used(sessions::hash("here")))).unwrap();
    copied.is_true();

    let now = copied.story.clock.now();
    let look = copied.inside(|tx| sessions::sign_look(tx, &id, now));
    let seen = copied.inside(find(look.clone())).unwrap();
    assert_eq!((&seen.holder, seen.made_of.token()), (&holder, Some(id.as_str())));
    let (unsigned, tag) = look.rsplit_once('.').unwrap();
    let forged = look.replace(&id, "0123456789abcdef");
    for wrong in [
        forged,
        unsigned.to_owned(),
        format!("{unsigned}."),
        format!("{look}.x"),
        format!("{unsigned}.{}", &tag[1..]),
    ] {
        assert_eq!(copied.inside(find(wrong.clone())), None, "{wrong}");
    }
    // The store itself keeps sessions, and takes nothing else; every node signs with its key.
    assert_eq!(copied.story.look(find(look.clone())), None);
    use secrecy::ExposeSecret as _;
    let key = |tx: &Tx<'_>| tokens::answer_key(tx).map(|key| key.expose_secret().to_owned());
    assert_eq!(copied.inside(key), copied.story.look(key));

    // What has ended has ended in the copy as well.
    copied.story.ask(Command::SignIn(SignIn::Out(sessions::hash("here")))).unwrap();
    copied.steps();
    assert_eq!(copied.inside(find("here".into())), None);
    copied.story.ask(sign("again")).unwrap();
    copied.steps();
    assert!(copied.inside(find("again".into())).is_some());
    copied.story.ask(Command::RevokeToken { id }).unwrap();
    copied.is_true();
    assert_eq!(copied.inside(find("again".into())), None);
    assert_eq!(copied.inside(find(look)), None);
}

#[test]
fn a_login_ends_while_the_store_is_away_though_the_hour_of_the_copy_stands_still() {
    let mut copied = Copied::new();
    let link = Command::SignIn(SignIn::Link { secret: "link".to_owned().into(), person: "maya".into() });
    copied.story.ask(link).unwrap();
    let (link, session) = (sessions::hash("link"), sessions::hash("here"));
    copied.story.ask(Command::SignIn(SignIn::Open { link, session, before: None })).unwrap();
    let holder = Holder::Person("maya".into());
    let make = Command::MakeToken { token: "a token".to_owned().into(), holder };
    let Reply::Made(id) = copied.story.ask(make).unwrap() else { panic!("no id") };
    copied.steps();
    let now = copied.story.clock.now();
    let look = copied.inside(|tx| sessions::sign_look(tx, &id, now));
    copied.mirror.lost();
    let runtime = Runtime::new().unwrap();
    let is_in = |copied: &Copied, secret: &str| {
        let (secret, now) = (secret.to_owned(), copied.story.clock.now());
        let read = copied.sight.or_last(move |tx| Ok((tx.now, sessions::find(tx, &secret, now)?)));
        let seen = runtime.block_on(read).unwrap();
        assert!(seen.as_of == Some(seen.value.0) && seen.value.0 <= now, "of the copy, at its hour");
        seen.value.1.is_some()
    };
    copied.story.passes(12 * 60 - 1);
    assert!(is_in(&copied, "here") && is_in(&copied, &look));
    copied.story.passes(1);
    assert!(!is_in(&copied, "here") && !is_in(&copied, &look));
}

#[test]
fn only_what_is_new_of_a_timeline_is_copied_unless_it_is_another_one() {
    let mut copied = Copied::new();
    let id = declare(&mut copied.story, "the shop is slow");
    let note = |copied: &mut Copied, n: i32| {
        copied.story.act(id, "maya", Act::Note { text: format!("note {n}") }).unwrap();
    };
    for n in 0..700 {
        note(&mut copied, n);
    }
    copied.is_true();
    let mark = |tx: &Tx<'_>| tx.execute("update entry set text = 'mark' where seq = 1", &[]);
    let marked = |copied: &Copied| {
        copied.inside(|tx| tx.query("select seq from entry where text = 'mark'", &[], |row| row.int(0))).len()
    };
    assert_eq!(copied.inside(mark), 1);
    note(&mut copied, 700);
    copied.steps();
    assert_eq!(marked(&copied), 1, "it was copied anew");
    let here = copied.inside(|tx| timeline::list(tx, id, 0, 10_000)).len();
    assert_eq!(here, copied.story.look(|tx| timeline::list(tx, id, 0, 10_000)).len());
    // The store was put back to an older state, and has gone another way since.
    copied.inside(|tx| {
        tx.execute(
            "update entry set hash = ?1 where seq = (select max(seq) from entry)",
            &[[7; 32][..].into()],
        )?;
        tx.execute("update incident set head = ?1", &[[7; 32][..].into()])
    });
    copied.is_true();
    assert_eq!(marked(&copied), 0);
}

#[test]
fn repeats_are_counted_in_the_mirror_a_little_later() {
    let mut copied = Copied::new();
    copied.story.hears("scripts", "db-1", Firing);
    copied.is_true();
    for _ in 0..5 {
        copied.story.hears("scripts", "db-1", Firing);
    }
    copied.story.passes(1);
    copied.is_true();
}

#[test]
fn what_the_store_forgets_the_mirror_forgets() {
    let mut copied = Copied::new();
    copied.story.hears("scripts", "db-1", Firing);
    copied.story.act(1, "maya", Act::Answer { help: false }).unwrap();
    copied.story.act(1, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    let other = declare(&mut copied.story, "the shop is slow");
    copied.is_true();
    let now = copied.story.clock.now();
    let forgot = copied.story.committer.connection.write(now, |tx| incidents::forget(tx, Timestamp::MAX, 10));
    assert_eq!(forgot.unwrap(), (1, false));
    copied.is_true();
    assert_eq!(copied.inside(|tx| incidents::numbers(tx, 0, 100)), [other]);
    assert_eq!((copied.count("alert"), copied.count("alert_heard")), (0, 0));
    let links = |tx: &Tx<'_>| tx.query("select incident from answer_token", &[], |row| row.int(0));
    assert!(copied.inside(links).iter().all(|incident| *incident == other));
}

#[test]
fn a_token_that_was_revoked_is_revoked_in_the_mirror() {
    let mut copied = Copied::new();
    let now = copied.story.clock.now();
    let connection = &mut copied.story.committer.connection;
    let holder = Holder::Person("maya".into());
    let id = connection.write(now, |tx| tokens::put_api(tx, "secret-of-maya", &holder)).unwrap();
    let link = Link { incident: 7, person: "maya".into(), purpose: Purpose::Answer };
    connection.write(now, |tx| tokens::put_link(tx, "link-of-maya", &link)).unwrap();
    copied.is_true();
    assert_eq!(copied.inside(|tx| tokens::api_holder(tx, "secret-of-maya")), Some(holder));
    // Of an incident that is not in it.
    assert_eq!(copied.inside(|tx| tokens::link(tx, "link-of-maya")), None);
    let connection = &mut copied.story.committer.connection;
    assert!(connection.write(now, |tx| tokens::revoke_api(tx, &id)).unwrap());
    copied.is_true();
    assert_eq!(copied.inside(|tx| tokens::api_holder(tx, "secret-of-maya")), None);
    let file = std::fs::read(copied.directory.path().join("mirror.db")).unwrap();
    assert!(!file.windows(14).any(|bytes| bytes == b"secret-of-maya"));
}

#[test]
fn the_last_known_state_is_shown_only_while_the_store_is_away_and_only_to_who_looks() {
    let mut copied = Copied::new();
    let id = declare(&mut copied.story, "the shop is slow");
    copied.steps();
    let (sight, runtime) = (copied.sight.clone(), Runtime::new().unwrap());
    let title = |tx: &Tx<'_>| Ok(incidents::load(tx, 1)?.map(|saved| saved.incident.seq));
    let seen = runtime.block_on(sight.or_last(title)).unwrap();
    assert_eq!(seen.as_of, None);
    let then = copied.story.clock.now();
    copied.story.act(id, "maya", Act::Note { text: "since then".into() }).unwrap();
    copied.mirror.lost();
    copied.story.passes(5);
    let last = runtime.block_on(sight.or_last(move |tx| Ok((tx.now, title(tx)?)))).unwrap();
    let as_of = last.as_of.unwrap();
    assert_eq!(last.value, (as_of, seen.value), "it is read at its own hour");
    assert!(as_of <= then && copied.mirror.age() >= SignedDuration::from_mins(5));
    // Who wants to change something never sees it, and finds that the store is back.
    let now = runtime.block_on(sight.now(title)).unwrap();
    assert!(now > seen.value && !copied.mirror.is_away());
    copied.mirror.lost();
    copied.steps();
    let back = runtime.block_on(sight.or_last(title)).unwrap();
    assert_eq!((back.as_of, back.value), (None, now));
    assert!(copied.mirror.age() < SignedDuration::from_secs(30));
}

#[test]
fn a_copy_of_another_store_is_shown_to_nobody() {
    let mut first = Copied::new();
    declare(&mut first.story, "of the first store");
    first.is_true();
    let Copied { directory, .. } = first;
    // The operator has changed the address, and the store there is away.
    let second = Copied::in_directory(directory, "elsewhere");
    second.mirror.lost();
    let numbers = |tx: &Tx<'_>| incidents::numbers(tx, 0, 100);
    let nothing = second.runtime.block_on(second.sight.or_last(numbers));
    assert!(nothing.is_err(), "also when the mirror could not be opened for writing");
    second.mirror.open().unwrap();
    assert_eq!(second.count("incident"), 0);
    assert!(second.runtime.block_on(second.sight.or_last(numbers)).is_err());
    // Behind the same address there is another database now.
    let mut second = second;
    declare(&mut second.story, "of the second store");
    second.is_true();
    let mut third = Copied::in_directory(second.directory, "elsewhere");
    third.is_true();
    assert_eq!(third.count("incident"), 0);
}

#[test]
fn it_is_there_after_a_restart_and_made_anew_when_it_is_broken() {
    let mut copied = Copied::new();
    declare(&mut copied.story, "the shop is slow");
    copied.is_true();
    let again = |copied: &Copied| {
        let mirror = Mirror::new(copied.directory.path(), "here".into(), &copied.story.clock);
        mirror.open().unwrap();
        let sight = Sight::new(
            Readers::new(copied.story.committer.place.clone(), copied.story.clock.clone()),
            Some(Arc::new(mirror)),
        );
        sight.mirror().unwrap().lost();
        copied
            .runtime
            .block_on(sight.or_last(|tx| incidents::numbers(tx, 0, 100)))
            .ok()
            .map(|seen| seen.value)
    };
    assert_eq!(again(&copied), Some(vec![1]));
    let path = copied.directory.path().join("mirror.db");
    assert_eq!(rights(&path), 0o600);
    drop(std::fs::remove_file(path.with_extension("db-wal")));
    std::fs::write(&path, "this is no database, and was none for a long time".repeat(100)).unwrap();
    assert_eq!(again(&copied), None);
    // Somebody has taken it away meanwhile.
    for end in ["db", "db-wal", "db-shm"] {
        drop(std::fs::remove_file(path.with_extension(end)));
    }
    copied.is_true();
    assert_eq!(again(&copied), Some(vec![1]));
}

fn rights(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_mirror_that_cannot_be_written_stops_nothing_and_grows_old() {
    let mut copied = Copied::new();
    let path = copied.directory.path().join("mirror.db");
    std::fs::create_dir(&path).unwrap();
    declare(&mut copied.story, "the shop is slow");
    copied.story.passes(3);
    copied.steps();
    assert!(!copied.mirror.is_away() && copied.mirror.age() >= SignedDuration::from_mins(3));
    let seen = copied.runtime.block_on(copied.sight.or_last(|tx| incidents::numbers(tx, 0, 100))).unwrap();
    assert_eq!((seen.value, seen.as_of), (vec![1], None));
    std::fs::remove_dir(&path).unwrap();
    copied.is_true();
    assert!(copied.mirror.age() < SignedDuration::from_mins(1));
}

#[test]
fn what_is_looked_for_is_found_in_the_mirror_too() {
    use crate::core::search::sought;
    use crate::store::search::{self, AlertFilter};
    let mut copied = Copied::new();
    for (key, team) in [("db-1", "data"), ("till", "web")] {
        let mut event = Event::new(key, Firing, format!("{key} is down"));
        event.labels.insert("team".into(), team.into());
        copied.story.ask(copied.story.delivery("scripts", vec![event])).unwrap();
    }
    copied.is_true();
    let of = |label: &str, text: &str| sought(&[label.to_owned()], Some(text)).unwrap().into_iter().collect();
    for (label, text, expected) in
        [("team=data", "db down", vec![1]), ("team=dat", "", vec![]), ("team=web", "db", vec![])]
    {
        let alerts = AlertFilter { sought: of(label, text), limit: 9, ..AlertFilter::default() };
        let incidents = Filter { sought: of(label, text), limit: 9, ..Filter::default() };
        let found = copied.inside(|tx| search::alerts(tx, &alerts)).found;
        assert_eq!(found.iter().filter_map(|found| found.incident).collect::<Vec<_>>(), expected, "{label}");
        let found = copied.inside(|tx| search::incidents(tx, &incidents)).found;
        assert_eq!(found.iter().map(|incident| incident.id).collect::<Vec<_>>(), expected, "{label}");
    }
    // What it forgets leaves nothing behind.
    copied.story.act(1, "maya", Act::Answer { help: false }).unwrap();
    copied.story.act(1, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    let now = copied.story.clock.now();
    copied.story.committer.connection.write(now, |tx| incidents::forget(tx, Timestamp::MAX, 10)).unwrap();
    copied.is_true();
    let left =
        copied.inside(|tx| tx.query("select distinct incident from incident_term", &[], |row| row.int(0)));
    assert_eq!(left, [2]);
}

#[test]
fn silences_and_known_conditions_are_in_the_mirror_until_they_end() {
    use crate::core::condition::Condition;
    use crate::core::matcher::read_all;
    let mut copied = Copied::new();
    let now = copied.story.clock.now();
    let by = || By {
        actor: crate::core::timeline::Actor::Person("maya".into()),
        route: crate::core::timeline::Route::Api,
        occurred_at: None,
    };
    let ends_at = now + SignedDuration::from_mins(60);
    let silence = Silence {
        id: String::new(),
        source: None,
        matchers: read_all("service=shop").unwrap(),
        starts_at: now,
        ends_at,
        created_by: "maya".into(),
        comment: "new disks".into(),
        updated_at: now,
    };
    let condition = Condition {
        id: "c".into(),
        services: ["shop".to_owned()].into(),
        text: "no failover".into(),
        starts_at: now,
        ends_at,
        created_by: "maya".into(),
        created_at: now,
        ended_by: None,
    };
    let fresh = crate::crypto::random_uuid().unwrap();
    copied.story.ask(Command::PutSilence { silence, fresh: fresh.clone() }).unwrap();
    copied.story.ask(Command::AddCondition { condition: condition.clone(), by: by() }).unwrap();
    copied.is_true();
    assert_eq!((copied.count("silence"), copied.count("known_condition")), (1, 1));
    assert_eq!(copied.inside(|tx| conditions::get(tx, "c")).unwrap().text, "no failover");
    copied.story.ask(Command::EndSilence { id: fresh, source: None }).unwrap();
    copied.story.ask(Command::EndCondition { id: "c".into(), who: "maya".into(), by: by() }).unwrap();
    copied.is_true();
    assert_eq!((copied.count("silence"), copied.count("known_condition")), (0, 0));
    // One that ends by its hour, while nobody does anything.
    let again = Condition { id: "d".into(), ..condition };
    copied.story.ask(Command::AddCondition { condition: again, by: by() }).unwrap();
    copied.is_true();
    copied.story.passes(61);
    copied.is_true();
    assert_eq!(copied.count("known_condition"), 0);
}

#[test]
fn overrides_and_leaves_are_in_the_mirror_until_they_end() {
    use crate::core::oncall::{Leave, Override};
    let mut copied = Copied::new();
    let now = copied.story.clock.now();
    let until = now + SignedDuration::from_mins(60);
    let mut rules = (*super::stories::house().rules).clone();
    let rotation = super::stories_roster::rules().rotations["sre"].clone();
    rules.rotations.insert("sre".into(), rotation);
    copied
        .story
        .committer
        .house
        .swap(crate::house::House { rules: Arc::new(rules), ..super::stories::house() });
    let stands_in = Override {
        id: "o".into(),
        rotation: "sre".into(),
        person: "kim".into(),
        instead_of: None,
        from: now,
        until,
        author: "maya".into(),
        reason: "the dentist".into(),
        created_at: now,
        ended_by: None,
    };
    let leave = Leave {
        id: "l".into(),
        person: "tom".into(),
        from: now,
        until,
        author: "tom".into(),
        reason: "holidays".into(),
        created_at: now,
        ended_by: None,
    };
    copied.story.ask(Command::Roster(Change::StandIn(vec![stands_in]))).unwrap();
    copied.story.ask(Command::Roster(Change::Away(leave))).unwrap();
    copied.is_true();
    assert_eq!((copied.count("oncall_override"), copied.count("oncall_leave")), (1, 1));
    let known = copied.inside(roster::open);
    assert_eq!((known.overrides[0].person.as_str(), known.leaves[0].person.as_str()), ("kim", "tom"));
    copied.story.ask(Command::Roster(Change::EndLeave { id: "l".into(), who: "tom".into() })).unwrap();
    copied.is_true();
    assert_eq!((copied.count("oncall_override"), copied.count("oncall_leave")), (1, 0));
    copied.story.passes(61);
    copied.is_true();
    assert_eq!(copied.count("oncall_override"), 0);
}
