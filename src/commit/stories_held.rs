//! Stories of what holds alerts of the whole house back: silences, and maintenance.

use std::collections::BTreeSet;

use jiff::civil::{DateTime, datetime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::stories::{Story, house};
use super::*;
use crate::core::alert::Status;
use crate::core::maintenance::{Times, Window};
use crate::core::matcher::read_all;
use crate::core::route::{self, Set, To};
use crate::store::{alerts, held};

pub(super) const OSLO: &str = "Europe/Oslo";

/// A house in which alerts of `team="payments"` are about `payments`, and whose windows these are.
pub(super) fn story(windows: Vec<Window>) -> Story {
    let story = Story::new();
    story.committer.house.swap(house_with(windows));
    story
}

pub(super) fn house_with(windows: Vec<Window>) -> crate::house::House {
    let mut house = house();
    let mut rules = (*house.rules).clone();
    let payments = rules.services["shop"].clone();
    rules.services.insert("payments".into(), payments);
    let to = Set { service: Some("payments".into()), ..Set::default() };
    rules.routes = vec![route::Route { matchers: read_all("team=\"payments\"").unwrap(), to: To::Set(to) }];
    rules.maintenance = windows;
    house.rules = Arc::new(rules);
    house
}

pub(super) fn window(
    name: &str,
    service: &str,
    first: DateTime,
    every_days: Option<u32>,
    minutes: i64,
) -> Window {
    Window {
        name: name.into(),
        services: BTreeSet::from([service.to_owned()]),
        time_zone: TimeZone::get(OSLO).unwrap(),
        times: Times::Clock { first, every_days, until: None, lasts: SignedDuration::from_mins(minutes) },
        announce: None,
        comment: "new disks".into(),
    }
}

impl Story {
    pub(super) fn raises(&mut self, key: &str, team: &str) -> EventResult {
        let mut event = Event::new(key, Status::Firing, format!("{key} is down"));
        event.labels.insert("team".into(), team.into());
        self.sends(event)
    }

    pub(super) fn sends(&mut self, event: Event) -> EventResult {
        let Reply::Events(_, mut results) = self.ask(self.delivery("prom", vec![event])).unwrap() else {
            panic!("another answer");
        };
        results.remove(0)
    }

    /// What the deadlines do with alerts that are held back. How many hours had come.
    pub(super) fn what_is_held_is_looked_at(&mut self) -> usize {
        let rules = self.committer.house.get().rules.clone();
        let mut due = self.look(|tx| alerts::outlived(tx, 100));
        due.extend(self.look(|tx| held::after_maintenance(tx, &rules.maintenance, 100)).0);
        let hearing = nodes::Hearing { since: Timestamp::UNIX_EPOCH, until: self.clock.now() };
        let asked = due.iter().map(|(alert, _)| Command::AlertDue { alert: *alert, hearing }).collect();
        let answers = self.ask_all(asked);
        answers.iter().filter(|answer| matches!(answer, Ok(Reply::Looked(true)))).count()
    }

    fn comes_to(&mut self, hour: &str) {
        let at: Timestamp = hour.parse().unwrap();
        let minutes = at.duration_since(self.clock.now()).as_secs().div_euclid(60);
        self.passes(minutes + 1);
    }

    /// Who is paged for an incident. Letters of others, which nobody sends here, are handed out again and again.
    pub(super) fn paged_for(&mut self, incident: i64) -> Vec<String> {
        let mut claims = self.claim("");
        claims.retain(|claim| claim.incident == incident);
        Self::told(&claims)
    }

    pub(super) fn holds(&mut self) -> Vec<(String, i64)> {
        self.look(held::each)
    }
}

pub(super) fn of_the_house(story: &mut Story, matchers: &str, minutes: i64) -> String {
    let now = story.clock.now();
    let silence = Silence {
        id: String::new(),
        source: None,
        matchers: read_all(matchers).unwrap(),
        starts_at: now,
        ends_at: now + SignedDuration::from_mins(minutes),
        created_by: "maya".into(),
        comment: "the bank moves".into(),
        updated_at: now,
    };
    let fresh = crate::crypto::random_uuid().unwrap();
    match story.ask(Command::PutSilence { silence, fresh }).unwrap() {
        Reply::Silenced(id) => id,
        _ => panic!("another answer"),
    }
}

#[test]
fn a_silence_of_the_house_holds_a_service_of_whatever_source_after_its_routes() {
    let mut story = story(Vec::new());
    let id = of_the_house(&mut story, "service=\"payments\"", 60);
    let held = story.raises("till", "payments");
    assert_eq!((held.outcome, held.incident), ("suppressed", None));
    assert!(held.reason.unwrap().starts_with(&format!("silence {id} until ")));
    assert_eq!(story.raises("web", "shop").outcome, "opened");
    let pingdom = story.hears("pingdom", "disk", Status::Firing);
    assert_eq!(pingdom.0, "opened", "of shop, as its source is");
    assert_eq!(story.holds(), [(id, 1)]);
    story.claim("");
    story.passes(61);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.paged_for(3), ["page maya"]);
    assert_eq!(story.holds(), []);
    story.proves_whole();
}

#[test]
fn what_fires_in_maintenance_wakes_nobody_and_once_when_it_is_over() {
    let mut story = story(Vec::new());
    // The window opens in the next minute of the story's own clock.
    let begins = story.clock.now().to_zoned(TimeZone::get(OSLO).unwrap()).datetime();
    story.committer.house.swap(house_with(vec![window("disks", "payments", begins, None, 120)]));
    let held = story.raises("till", "payments");
    assert_eq!((held.outcome, held.incident), ("suppressed", None));
    assert!(held.reason.unwrap().starts_with("maintenance disks until "));
    assert_eq!(story.raises("web", "shop").outcome, "opened", "another service");
    story.claim("");
    assert_eq!(story.raises("till", "payments").outcome, "repeated");
    story.raises("printer", "payments");
    let mut over = Event::new("printer", Status::Resolved, "over");
    over.labels.insert("team".into(), "payments".into());
    assert_eq!(story.sends(over).outcome, "resolved");
    assert_eq!(story.holds(), [("maintenance:disks:payments".to_owned(), 1)]);
    story.passes(119);
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    story.passes(1);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    assert_eq!(story.paged_for(2), ["page maya"]);
    let on = story.raises("till", "payments");
    assert_eq!((on.outcome, on.incident), ("repeated", Some(2)));
    story.proves_whole();
}

#[test]
fn an_incident_that_is_open_hears_of_its_alert_in_maintenance_too() {
    let mut story = story(Vec::new());
    assert_eq!(story.raises("till", "payments").incident, Some(1));
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    let mut over = Event::new("till", Status::Resolved, "over");
    over.labels.insert("team".into(), "payments".into());
    story.sends(over);
    let begins = story.clock.now().to_zoned(TimeZone::get(OSLO).unwrap()).datetime();
    story.committer.house.swap(house_with(vec![window("disks", "payments", begins, None, 120)]));
    let again = story.raises("till", "payments");
    assert_eq!((again.outcome, again.incident), ("joined", Some(1)));
    story.proves_whole();
}

#[test]
fn a_window_that_leaves_the_configuration_or_the_service_lets_go() {
    let mut story = story(Vec::new());
    let begins = story.clock.now().to_zoned(TimeZone::get(OSLO).unwrap()).datetime();
    let disks = window("disks", "payments", begins, None, 120);
    story.committer.house.swap(house_with(vec![disks.clone()]));
    story.raises("till", "payments");
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    // Another window of the same service takes over.
    let bank = Window { name: "bank".into(), ..window("bank", "payments", begins, None, 60) };
    story
        .committer
        .house
        .swap(house_with(vec![Window { services: BTreeSet::from(["shop".into()]), ..disks }, bank]));
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.holds(), [("maintenance:bank:payments".to_owned(), 1)]);
    assert!(story.claim("").is_empty());
    story.committer.house.swap(house_with(Vec::new()));
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(Story::told(&story.claim("")), ["page maya"]);
    story.proves_whole();
}

#[test]
fn a_silence_and_maintenance_hand_over_to_each_other() {
    let mut story = story(Vec::new());
    let begins = story.clock.now().to_zoned(TimeZone::get(OSLO).unwrap()).datetime();
    story.committer.house.swap(house_with(vec![window("disks", "payments", begins, None, 60)]));
    let id = of_the_house(&mut story, "service=\"payments\"", 30);
    story.raises("till", "payments");
    assert_eq!(story.holds(), [(id, 1)]);
    story.passes(31);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.holds(), [("maintenance:disks:payments".to_owned(), 1)]);
    let longer = of_the_house(&mut story, "service=\"payments\"", 120);
    story.passes(40);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.holds(), [(longer, 1)]);
    assert!(story.claim("").is_empty());
    story.proves_whole();
}

#[test]
fn a_weekly_window_is_as_long_as_ever_in_the_night_in_which_the_clocks_change() {
    // From 01:00 for three hours, every Sunday; on 29 March 2026 there is no hour from 02:00 to 03:00 in Oslo, and on 25
    // October there are two.
    for (opens, last, over) in [
        ("2026-03-29T00:00:00Z", "2026-03-29T02:57:00Z", "2026-03-29T03:00:00Z"),
        ("2026-10-24T23:00:00Z", "2026-10-25T01:57:00Z", "2026-10-25T02:00:00Z"),
    ] {
        let sundays = window("sundays", "payments", datetime(2026, 1, 4, 1, 0, 0, 0), Some(7), 180);
        let mut story = story(vec![sundays]);
        let begins: Timestamp = opens.parse().unwrap();
        story.comes_to(&begins.saturating_sub(SignedDuration::from_mins(10)).unwrap().to_string());
        assert_eq!(story.raises("early", "payments").outcome, "opened", "{opens}");
        story.claim("");
        story.act(1, "maya", Act::Answer { help: false }).unwrap();
        story.act(1, "maya", Act::Mitigate { term: 1, cause: None }).unwrap();
        story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
        story.comes_to(opens);
        assert_eq!(story.raises("till", "payments").outcome, "suppressed", "{opens}");
        story.claim("");
        story.comes_to(last);
        assert_eq!(story.what_is_held_is_looked_at(), 0, "{last}");
        story.comes_to(over);
        assert_eq!(story.what_is_held_is_looked_at(), 1, "{over}");
        assert!(Story::told(&story.claim("")).contains(&"page maya".to_owned()), "{over}");
        story.proves_whole();
    }
}

#[test]
fn a_silence_of_a_future_that_never_was_keeps_nobody_quiet() {
    let mut story = story(Vec::new());
    story.passes(3 * 24 * 60);
    let id = of_the_house(&mut story, "service=\"payments\"", 60);
    assert_eq!(story.raises("till", "payments").outcome, "suppressed");
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    // The clock that was ahead is put right: the silence begins in three days.
    story.is_put_back(3 * 24 * 60);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.paged_for(1), ["page maya"]);
    assert_eq!((story.holds(), story.what_is_held_is_looked_at()), (Vec::new(), 0), "{id}");
    story.proves_whole();
}
