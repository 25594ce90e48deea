//! Stories of deliveries of which not everything could be understood.

use jiff::Timestamp;

use super::stories::Story;
use super::*;
use crate::core::alert::Status;

impl Story {
    /// A body of which these events could be read, and something could not.
    fn unread(&self, events: Vec<Event>, once: Option<&str>) -> Command {
        let Command::Events(rest) = self.delivery("alertmanager", events) else { panic!("another command") };
        let kept = unreadable::Kept {
            id: 0,
            source: rest.source.clone(),
            kind: rest.kind.clone(),
            method: "POST".into(),
            query: String::new(),
            content_type: None,
            headers: Vec::new(),
            body: b"{}".to_vec(),
            error: "alerts[19]: there is no `status`".into(),
            received_at: rest.received_at,
        };
        Command::Unreadable(Box::new(Unread { kept, rest, once: once.map(str::to_owned), about: None }))
    }

    fn known(&mut self, key: &str) -> Option<Status> {
        let key = key.to_owned();
        self.look(move |tx| crate::store::alerts::known(tx, "alertmanager", &key)).map(|known| known.status)
    }

    fn is_read_at_last(&mut self, id: i64, events: Vec<Event>, at: Timestamp) -> Vec<&'static str> {
        let Command::Events(delivered) = self.delivery("alertmanager", events) else {
            panic!("another command")
        };
        let again = Delivered { replays: Some(id), received_at: at, ..delivered };
        match self.ask(Command::Events(again)).unwrap() {
            Reply::Events(_, results) => results.iter().map(|one| one.outcome).collect(),
            other => panic!("{other:?}"),
        }
    }
}

/// As Alertmanager says it: with the hour of its first start, whenever it fires.
fn firing(key: &str, since: Timestamp) -> Event {
    let mut event = Event::new(key, Status::Firing, format!("{key} is down"));
    (event.occurred_at, event.keeps_start) = (Some(since), true);
    event
}

#[test]
fn what_can_be_read_of_a_body_is_taken_with_what_cannot_and_nothing_is_said_again_when_it_can() {
    let mut story = Story::new();
    let came_at = story.clock.now();
    let good = || (0..19).map(|n| firing(&format!("good-{n}"), came_at)).collect::<Vec<_>>();
    let command = story.unread(good(), None);
    let Reply::Kept(id) = story.ask(command).unwrap() else { panic!("another answer") };
    assert_eq!((story.known("good-0"), story.known("good-18")), (Some(Status::Firing), Some(Status::Firing)));
    assert_eq!(story.known(unreadable::KEY), Some(Status::Firing));
    assert_eq!(story.metrics.events.with_label_values(&["alertmanager", "opened"]).get(), 19);
    assert_eq!(story.metrics.events.with_label_values(&["alertmanager", "unreadable"]).get(), 1);

    // One is over meanwhile, and so long ago that a firing would be a new one.
    story.passes(30);
    let mut over = Event::new("good-0", Status::Resolved, "good-0 is down");
    over.occurred_at = Some(story.clock.now());
    let Reply::Events(..) = story.ask(story.delivery("alertmanager", vec![over])).unwrap() else {
        panic!("another answer")
    };
    story.passes(30);
    let mut all = good();
    all.push(firing("odd", came_at));
    let outcomes = story.is_read_at_last(id, all, came_at);
    assert_eq!((&outcomes[..19], outcomes[19]), (&["stale"; 19][..], "opened"));
    assert_eq!((story.known("good-0"), story.known("odd")), (Some(Status::Resolved), Some(Status::Firing)));
    assert_eq!(story.known(unreadable::KEY), Some(Status::Resolved));
    story.proves_whole();
}

#[test]
fn a_body_that_may_be_kept_once_is_kept_once() {
    let mut story = Story::new();
    let came_at = story.clock.now();
    let mut kept = |id: &str| {
        let mut event = firing("good", came_at);
        event.delivery_id = Some(id.to_owned());
        let command = story.unread(vec![event], Some(&format!("kept:{id}")));
        match story.ask(command).unwrap() {
            Reply::Kept(id) => Some(id),
            Reply::KeptBefore => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((kept("m-1"), kept("m-1"), kept("m-2")), (Some(1), None, Some(2)));
    assert_eq!(story.metrics.events.with_label_values(&["alertmanager", "repeated"]).get(), 2);
    story.proves_whole();
}

#[test]
fn what_can_be_read_is_held_with_what_cannot_while_the_store_is_away() {
    let mut story = Story::with_spool();
    let command = story.unread(vec![firing("good", story.clock.now())], None);
    story.committer.down(Vec::new(), &StoreError::Away("cut off"));
    assert!(matches!(story.ask_held(command), Ok(Reply::Spooled)));
    story.committer.revive().unwrap();
    assert!(story.committer.drain(false));
    assert_eq!(
        (story.known("good"), story.known(unreadable::KEY)),
        (Some(Status::Firing), Some(Status::Firing))
    );
    story.proves_whole();
}

impl Story {
    fn ask_held(&mut self, command: Command) -> Result<Reply, DoorError> {
        let (job, mut answer) = Job::new(command);
        assert!(self.committer.hold(vec![job]).is_empty());
        answer.try_recv().unwrap()
    }
}

impl Story {
    /// A kept body is read again, and part of it cannot be this time either.
    fn is_read_in_part(&mut self, id: i64, events: Vec<Event>, at: Timestamp) -> Vec<&'static str> {
        let Command::Unreadable(mut unread) = self.unread(events, None) else { panic!("another command") };
        (unread.rest.replays, unread.rest.received_at) = (Some(id), at);
        unread.kept.error = "alerts[19]: there is no `status` in this version either".into();
        match self.ask(Command::Unreadable(unread)).unwrap() {
            Reply::Events(command, results) => {
                assert_eq!(command.events().len(), results.len());
                results.iter().map(|one| one.outcome).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// What may be counted: how often each alert was heard, the lines of all timelines, and what was received.
    fn counted(&mut self) -> (Vec<(String, i64)>, i64, String) {
        let heard = "select key, count from alert join alert_heard on alert = id order by key";
        let heard = self.look(|tx| tx.query(heard, &[], |row| Ok((row.text(0)?, row.int(1)?))));
        let lines =
            self.look(|tx| tx.query_one("select count(*) from entry", &[], |row| row.int(0))).unwrap();
        let text = self.metrics.text().unwrap();
        let events = text.lines().filter(|line| line.starts_with("onscene_events")).collect::<Vec<_>>();
        (heard, lines, events.join("\n"))
    }

    fn why_it_waits(&mut self, id: i64) -> Option<String> {
        self.look(|tx| unreadable::one(tx, id)).map(|kept| kept.error)
    }
}

#[test]
fn what_can_be_read_by_now_of_a_body_that_stays_unreadable_is_taken_once_as_of_its_hour() {
    let mut story = Story::new();
    let came_at = story.clock.now();
    let command = story.unread(Vec::new(), None);
    let Reply::Kept(id) = story.ask(command).unwrap() else { panic!("another answer") };
    story.passes(30);
    assert_eq!(story.hears("alertmanager", "over", Status::Firing).0, "opened");
    assert_eq!(story.hears("alertmanager", "over", Status::Resolved).0, "resolved");
    story.passes(30);

    let mut acknowledged = firing("fires", came_at);
    acknowledged.status = Status::Acknowledged;
    let some = || vec![firing("over", came_at), firing("fires", came_at), acknowledged.clone()];
    assert_eq!(story.is_read_in_part(id, some(), came_at), ["stale", "opened", "acknowledged"]);
    assert_eq!((story.known("over"), story.known("fires")), (Some(Status::Resolved), Some(Status::Firing)));
    assert_eq!(story.known(unreadable::KEY), Some(Status::Firing), "it waits still");
    assert!(story.why_it_waits(id).unwrap().contains("this version either"));
    let sql = "select taken_at from alert where key = 'fires'";
    let taken_at = story.look(|tx| tx.query_one(sql, &[], |row| row.time(0)));
    assert_eq!(taken_at, Some(came_at));

    let counted = story.counted();
    for _ in 0..3 {
        assert_eq!(story.is_read_in_part(id, some(), came_at), ["stale"; 3]);
        assert_eq!(story.counted(), counted);
    }
    // A version that can read more takes what is new, and the one that can read all ends it.
    let mut more = some();
    more.push(firing("more", came_at));
    assert_eq!(story.is_read_in_part(id, more.clone(), came_at), ["stale", "stale", "stale", "opened"]);
    more.push(firing("odd", came_at));
    assert_eq!(
        story.is_read_at_last(id, more.clone(), came_at),
        ["stale", "stale", "stale", "stale", "opened"]
    );
    let heard = story.counted().0.into_iter().filter(|(key, _)| key != "over" && !key.contains(':'));
    assert_eq!(heard.map(|(_, count)| count).collect::<Vec<_>>(), [2, 1, 1], "fires, more, odd");
    assert_eq!((story.why_it_waits(id), story.known(unreadable::KEY)), (None, Some(Status::Resolved)));
    let Command::Unreadable(mut unread) = story.unread(more, None) else { panic!("another command") };
    unread.rest.replays = Some(id);
    assert!(matches!(story.ask(Command::Unreadable(unread)), Ok(Reply::Done)), "it was read meanwhile");
    story.proves_whole();
}

#[test]
fn what_was_taken_when_a_body_came_is_not_counted_again_when_it_is_read() {
    let mut story = Story::new();
    let since = story.clock.now();
    let mut without_hour = firing("b", since);
    without_hour.occurred_at = None;
    let command = story.unread(vec![firing("a", since), without_hour], None);
    let Command::Unreadable(unread) = &command else { panic!("another command") };
    let came_at = unread.rest.received_at;
    let Reply::Kept(id) = story.ask(command).unwrap() else { panic!("another answer") };
    let counted = story.counted();
    // What has no hour of its own was said when it came.
    let again = vec![firing("a", since), firing("b", came_at)];
    assert_eq!(story.is_read_in_part(id, again, came_at), ["stale"; 2]);
    assert_eq!(story.counted(), counted);
    story.proves_whole();
}
