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
        Command::Unreadable(Box::new(Unread { kept, rest, once: once.map(str::to_owned) }))
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
