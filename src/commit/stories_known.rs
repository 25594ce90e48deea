//! Known conditions: what people are told who are woken meanwhile, and nobody else.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::stories::{Story, house};
use super::*;
use crate::core::alert::Status;
use crate::core::condition::Condition;
use crate::core::correlate::{Grouping, Needs};
use crate::core::maintenance::{Times, Window};
use crate::core::rules::Service;
use crate::core::timeline::{Actor, Route};
use crate::house::House;
use crate::render::Words;
use crate::store::silences::Which;
use crate::store::{conditions, incidents, timeline};

/// `shop` needs `lb`, which needs `power`; `blog` needs nothing, nor does `dns`.
fn story_with(windows: Vec<Window>) -> Story {
    let mut rules = (*house().rules).clone();
    let shop = rules.services["shop"].clone();
    let service = |needs: &[&str]| Service {
        grouping: Grouping {
            depends_on: needs.iter().map(|one| (*one).to_owned()).collect(),
            settle: SignedDuration::ZERO,
            ..shop.grouping.clone()
        },
        ..shop.clone()
    };
    let services = [("shop", &["lb"][..]), ("lb", &["power"]), ("power", &[]), ("blog", &[]), ("dns", &[])];
    rules.services = services.map(|(name, needs)| (name.to_owned(), service(needs))).into();
    rules.needs = Needs::of(&rules.services);
    rules.maintenance = windows;
    let story = Story::new();
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story
}

fn story() -> Story {
    story_with(Vec::new())
}

fn by(actor: Actor) -> By {
    By { actor, route: Route::Api, occurred_at: None }
}

fn maya() -> By {
    by(Actor::Person("maya".into()))
}

impl Story {
    fn condition(&self, services: &[&str], text: &str, from: i64, until: i64) -> Condition {
        let now = self.clock.now();
        Condition {
            id: crate::crypto::random_uuid().unwrap(),
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            text: text.into(),
            starts_at: now + SignedDuration::from_mins(from),
            ends_at: now + SignedDuration::from_mins(until),
            created_by: "maya".into(),
            created_at: now,
            ended_by: None,
        }
    }

    fn knows(&mut self, services: &[&str], text: &str, from: i64, until: i64) -> Result<String, DoorError> {
        let condition = self.condition(services, text, from, until);
        let id = condition.id.clone();
        self.ask(Command::AddCondition { condition, by: maya() }).map(|_| id)
    }

    fn ends_condition(&mut self, id: &str) -> Result<Reply, DoorError> {
        self.ask(Command::EndCondition { id: id.into(), who: "tom".into(), by: maya() })
    }

    /// An alert of a service fires: the number of its incident.
    fn strikes(&mut self, service: &str, key: &str) -> i64 {
        let event = Event::new(key, Status::Firing, format!("{key} is down"));
        let Command::Events(delivered) = self.delivery("pingdom", vec![event]) else {
            panic!("another command")
        };
        let command = Command::Events(Delivered { service: service.into(), ..delivered });
        let Reply::Events(_, results) = self.ask(command).unwrap() else { panic!("another answer") };
        results[0].incident.unwrap()
    }

    /// The words of all letters that were written to people, or to a channel: kind, person, words.
    fn words_to(&mut self, channel: &str) -> Vec<(String, String, Words)> {
        // Of a letter that is not needed any more the words are forgotten.
        let sql =
            "select kind, person, payload from letter where channel = ?1 and payload <> '' order by seq";
        self.look(|tx| {
            tx.query(sql, &[channel.into()], |row| {
                Ok((row.text(0)?, row.text(1)?, serde_json::from_str(&row.text(2)?)?))
            })
        })
    }

    /// The words of the last page.
    fn page(&mut self) -> Words {
        let mut letters = self.words_to("");
        letters.retain(|(kind, _, _)| kind == "page");
        letters.pop().unwrap().2
    }

    fn notes(&mut self, incident: i64) -> Vec<String> {
        let entries = self.look(|tx| timeline::list(tx, incident, 0, 100));
        let notes = entries.iter().filter(|kept| kept.entry.fact.kind() == "note");
        notes.map(|kept| format!("{}: {}", kept.entry.actor.label(), kept.text)).collect()
    }
}

fn tells(words: &Words, text: &str) -> bool {
    let (in_text, in_html) = (words.text.contains(text), words.html.contains(text));
    assert_eq!(in_text, in_html, "{text} in {} or {}", words.text, words.html);
    in_text
}

#[test]
fn a_page_says_on_top_what_is_known_while_it_lasts_and_not_before_or_after() {
    let mut story = story();
    story.knows(&["shop"], "no failover until the spare is back", 10, 20).unwrap();
    story.strikes("shop", "db-1");
    assert!(!tells(&story.page(), "no failover"), "it has not begun");
    story.passes(10);
    story.strikes("shop", "db-2");
    let page = story.page();
    let lines: Vec<&str> = page.text.lines().collect();
    assert_eq!(&lines[1..4], ["", "Known conditions, for people of the house only:", lines[3]]);
    assert!(lines[3].starts_with("- no failover until the spare is back (shop; until "), "{}", page.text);
    assert_eq!((lines[4], lines[5].starts_with("Answer: ")), ("", true), "{}", page.text);
    assert!(tells(&page, "no failover until the spare is back"));
    story.passes(10);
    story.strikes("shop", "db-3");
    assert!(!tells(&story.page(), "no failover"), "it is over");
    story.proves_whole();
}

#[test]
fn people_of_the_house_are_told_and_no_channel_is() {
    let mut story = story();
    story.knows(&[], "no failover", 0, 60).unwrap();
    let incident = story.strikes("shop", "db-1");
    // Paged, and the next one as well.
    story.passes(6);
    story.tick(incident);
    let mut letters = story.words_to("");
    story.act(incident, "tom", Act::Answer { help: true }).unwrap();
    let mut told: Vec<(String, bool)> = Vec::new();
    letters.extend(story.words_to(""));
    told.extend(
        letters.iter().map(|(kind, person, words)| (format!("{kind} {person}"), tells(words, "no failover"))),
    );
    assert!(told.len() >= 4 && told.iter().all(|(_, told)| *told), "{told:?}");
    for kind in ["page maya", "page tom", "help maya", "pio_page kim"] {
        assert!(told.iter().any(|(one, _)| one == kind), "{kind} in {told:?}");
    }
    let status = story.words_to("ops-room");
    assert_eq!(status.len(), 1);
    let words = &status[0].2;
    assert!(words.text.contains("tom has command"), "{}", words.text);
    let all = serde_json::to_string(words).unwrap();
    for word in ["failover", "Known", "the whole house"] {
        assert!(!all.contains(word), "{word} in {all}");
    }
    // One that is refused goes to the fallback, to each of its recipients.
    let claim = story.claim("ops-room").remove(0);
    story.settle(claim, Settlement::Refused { why: "channel_not_found".into() });
    let fallback = story.words_to("staff-mail");
    assert!(fallback.len() == 2 && fallback.iter().all(|(_, _, words)| !tells(words, "failover")));
    // What is over concerns nobody.
    let before = story.words_to("").len();
    story.act(incident, "tom", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    let after = story.words_to("").split_off(before);
    assert!(!after.is_empty() && after.iter().all(|(_, _, words)| !tells(words, "failover")));
    story.proves_whole();
}

#[test]
fn what_a_service_needs_concerns_it_and_a_neighbour_does_not() {
    let mut story = story();
    story.knows(&["power"], "one line of power is off", 0, 60).unwrap();
    story.knows(&["dns", "blog"], "the blog moves", 0, 50).unwrap();
    story.strikes("shop", "db-1");
    let page = story.page();
    assert!(tells(&page, "one line of power is off") && page.text.contains("is off (power; until "));
    assert!(!tells(&page, "the blog moves"));
    story.strikes("blog", "posts");
    let page = story.page();
    assert!(tells(&page, "the blog moves") && !tells(&page, "power"));
    story.proves_whole();
}

#[test]
fn the_first_to_end_comes_first_and_of_many_five_are_told() {
    let mut story = story();
    for n in 1..=8 {
        story.knows(&["shop"], &format!("number {n}"), 0, 100 - n).unwrap();
    }
    story.strikes("shop", "db-1");
    let page = story.page();
    let told: Vec<&str> = page.text.lines().filter_map(|line| line.strip_prefix("- number ")).collect();
    let told: Vec<&str> = told.iter().map(|line| &line[..1]).collect();
    assert_eq!(told, ["8", "7", "6", "5", "4"]);
    assert!(tells(&page, "and 3 more"), "{}", page.text);
    story.proves_whole();
}

#[test]
fn maintenance_of_a_neighbour_is_told_while_it_is_open() {
    let now = Story::new().clock.now();
    let begins = now.to_zoned(TimeZone::UTC).datetime() + SignedDuration::from_mins(10);
    let window = |name: &str, service: &str, first: DateTime| Window {
        name: name.into(),
        services: [service.to_owned()].into(),
        time_zone: TimeZone::UTC,
        times: Times::Clock { first, every_days: Some(1), until: None, lasts: SignedDuration::from_mins(30) },
        announce: None,
        comment: "the spare is away".into(),
    };
    let mut story = story_with(vec![window("patches", "lb", begins), window("move", "blog", begins)]);
    let tells_of = |story: &mut Story, key: &str| {
        story.strikes("shop", key);
        let page = story.page();
        assert!(!tells(&page, "maintenance move"));
        tells(&page, "maintenance patches: the spare is away")
    };
    assert!(!tells_of(&mut story, "early"));
    story.passes(15);
    assert!(tells_of(&mut story, "meanwhile"));
    story.passes(30);
    assert!(!tells_of(&mut story, "late"));
    story.passes(24 * 60 - 30);
    assert!(tells_of(&mut story, "the night after"));
    story.proves_whole();
}

#[test]
fn open_incidents_that_it_concerns_note_what_is_known_and_that_it_was_ended() {
    let mut story = story();
    let (shop, blog, over) =
        (story.strikes("shop", "db-1"), story.strikes("blog", "posts"), story.strikes("lb", "lb-1"));
    story.act(over, "maya", Act::Answer { help: false }).unwrap();
    story.act(over, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    story.claim("");
    let id = story.knows(&["lb"], "no failover", 0, 60).unwrap();
    let until = |minutes| format!("{:.0}", story.clock.now() + SignedDuration::from_mins(minutes));
    let said = format!("person:maya: Known condition until {} (lb): no failover", until(60));
    assert_eq!(story.notes(shop).len(), 1);
    assert_eq!(story.notes(shop)[0][..40], said[..40]);
    story.ends_condition(&id).unwrap();
    assert_eq!(story.notes(shop)[1], "person:maya: Known condition ended (lb): no failover");
    assert!(story.notes(blog).is_empty() && story.notes(over).is_empty());
    // Programs, too, and ahead of its hour.
    let condition = story.condition(&[], "the spare comes", 30, 60);
    let robot = by(Actor::Automation("deploy-bot".into()));
    story.ask(Command::AddCondition { condition, by: robot }).unwrap();
    let note = story.notes(blog).remove(0);
    assert!(note.starts_with("automation:deploy-bot: Known condition from 20"), "{note}");
    assert!(note.ends_with(" (the whole house): the spare comes") && note.contains("Z until 20"), "{note}");
    // Nobody is woken, and nobody answers, by any of it.
    assert!(story.claim("").is_empty());
    assert_eq!(story.look(|tx| incidents::load(tx, shop)).unwrap().incident.state(), "triggered");
    story.proves_whole();
}

#[test]
fn commands_that_share_a_transaction_know_what_was_said_before_them() {
    let mut story = story();
    let alert = |story: &Story, key: &str| {
        let event = Event::new(key, Status::Firing, format!("{key} is down"));
        story.delivery("pingdom", vec![event])
    };
    let (first, condition) = (alert(&story, "first"), story.condition(&["shop"], "no failover", 0, 60));
    let id = condition.id.clone();
    let commands = vec![
        first,
        Command::AddCondition { condition, by: maya() },
        alert(&story, "second"),
        Command::EndCondition { id, who: "tom".into(), by: maya() },
        alert(&story, "third"),
    ];
    assert!(story.ask_all(commands).iter().all(Result::is_ok));
    let letters = story.words_to("");
    let told: Vec<bool> = letters.iter().map(|(_, _, words)| tells(words, "no failover")).collect();
    assert_eq!(told, [false, true, false]);
    assert_eq!(story.notes(1).len(), 2);
    story.proves_whole();
}

#[test]
fn who_said_one_and_who_ended_it_is_kept_and_ending_twice_changes_nothing() {
    let mut story = story();
    let (now, later) = (story.knows(&[], "now", 0, 60).unwrap(), story.knows(&[], "later", 30, 60).unwrap());
    story.passes(5);
    for _ in 0..2 {
        story.ends_condition(&now).unwrap();
        story.ends_condition(&later).unwrap();
        story.passes(5);
    }
    let kept = story.look(|tx| conditions::get(tx, &now)).unwrap();
    assert_eq!((kept.created_by.as_str(), kept.ended_by.as_deref()), ("maya", Some("tom")));
    assert_eq!(kept.ends_at.duration_since(kept.starts_at).as_mins(), 5);
    let kept = story.look(|tx| conditions::get(tx, &later)).unwrap();
    assert_eq!(kept.starts_at, kept.ends_at, "it never held");
    assert!(story.look(conditions::open).is_empty());
    assert_eq!(story.look(|tx| conditions::list(tx, Which::All, 10)).len(), 2);
    assert!(matches!(story.ends_condition("none"), Err(DoorError::NoCondition(_))));
    // One whose hour has come was ended by nobody.
    let over = story.knows(&[], "short", 0, 1).unwrap();
    story.passes(2);
    story.ends_condition(&over).unwrap();
    assert_eq!(story.look(|tx| conditions::get(tx, &over)).unwrap().ended_by, None);
    story.proves_whole();
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut story = story();
    assert!(
        matches!(story.knows(&["shop", "gone"], "x", 0, 60), Err(DoorError::NoService(name)) if name == "gone")
    );
    assert!(matches!(story.knows(&[], "x", -60, -1), Err(DoorError::BadCondition(_))));
    assert!(matches!(story.knows(&[], "", 0, 60), Err(DoorError::BadCondition(_))));
    assert!(story.look(|tx| conditions::list(tx, Which::All, 10)).is_empty());
    for n in 0..conditions::OPEN_MAX {
        story.knows(&[], &format!("number {n}"), 0, 60).unwrap();
    }
    assert!(matches!(story.knows(&[], "one more", 0, 60), Err(DoorError::TooManyConditions(200))));
    story.passes(60);
    story.knows(&[], "one more", 0, 60).unwrap();
    story.proves_whole();
}

#[test]
fn no_page_waits_for_a_condition_that_cannot_be_read() {
    let mut story = story();
    let broken = story.knows(&[], "broken", 0, 60).unwrap();
    story.knows(&[], "no failover", 0, 60).unwrap();
    let now = story.clock.now();
    let breaks = |tx: &crate::store::Tx<'_>| {
        tx.write("update known_condition set services = '[' where id = ?1", &[broken.as_str().into()])
    };
    story.committer.connection.write(now, breaks).unwrap();
    story.strikes("shop", "db-1");
    let page = story.page();
    assert!(tells(&page, "no failover") && !tells(&page, "broken"));
    story.proves_whole();
}

#[test]
fn what_is_over_for_long_is_forgotten_with_the_incidents_of_its_time() {
    let mut story = story();
    story.knows(&[], "old", 0, 60).unwrap();
    let forgets = |story: &mut Story, retention| {
        let house = House { retention, ..house() };
        story.committer.house.swap(house);
        story.ask(Command::Forget).unwrap();
        story.look(|tx| conditions::list(tx, Which::All, 10)).len()
    };
    let day = SignedDuration::from_hours(24);
    assert_eq!(forgets(&mut story, Some(day)), 1);
    story.passes(24 * 60);
    assert_eq!(forgets(&mut story, None), 1, "everything is kept");
    story.passes(24 * 60);
    assert_eq!(forgets(&mut story, Some(day)), 0);
    // Whatever is kept, no more than a number of them.
    let past = |story: &mut Story, n: i64| {
        let now = story.clock.now();
        let condition =
            Condition { ends_at: now - SignedDuration::from_mins(n), ..story.condition(&[], "x", -9999, 0) };
        story.committer.connection.write(now, |tx| conditions::put(tx, &condition)).unwrap();
    };
    for n in 1..=1005 {
        past(&mut story, n);
    }
    story.knows(&[], "new", 0, 60).unwrap();
    let kept = story.look(|tx| conditions::list(tx, Which::All, 2000));
    assert_eq!(kept.len(), 1001);
    assert!(kept.iter().all(|one| one.ends_at > story.clock.now() - SignedDuration::from_mins(1003)));
    story.proves_whole();
}

#[test]
fn an_hour_that_a_clock_tells_is_enough() {
    // A condition of a node whose clock is behind is in force from the hour of the store on.
    let mut story = story();
    let condition =
        Condition { starts_at: Timestamp::UNIX_EPOCH, ..story.condition(&[], "no failover", 0, 60) };
    let id = condition.id.clone();
    story.ask(Command::AddCondition { condition, by: maya() }).unwrap();
    let kept = story.look(|tx| conditions::get(tx, &id)).unwrap();
    assert!(kept.starts_at == kept.created_at && kept.starts_at > Timestamp::UNIX_EPOCH);
    story.strikes("shop", "db-1");
    assert!(tells(&story.page(), "no failover"));
    story.proves_whole();
}
