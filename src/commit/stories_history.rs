//! What was long ago, found again.

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::search::{Sought, sought};
use crate::house::House;
use crate::store::Tx;
use crate::store::search::Filter;
use crate::store::search::{self, AlertFilter, Place as Cursor};
use crate::store::{alerts, history, moves, silences};

impl Story {
    fn noted(
        &mut self,
        source: &str,
        key: &str,
        status: Status,
        title: &str,
        labels: &[(&str, &str)],
    ) -> EventResult {
        let mut event = Event::new(key, status, title);
        event.labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let Reply::Events(_, mut results) = self.ask(self.delivery(source, vec![event])).unwrap() else {
            panic!("another answer");
        };
        results.remove(0)
    }

    /// Keys of the alerts that are found, page after page.
    fn finds(&mut self, filter: AlertFilter) -> Vec<String> {
        let mut filter = AlertFilter { limit: 3, ..filter };
        let mut keys = Vec::new();
        loop {
            let page = self.look(|tx| search::alerts(tx, &filter));
            keys.extend(page.found.into_iter().map(|found| found.shown.key));
            let Some(next) = page.next else { return keys };
            filter.before = Cursor::read(&next.to_string());
            assert!(filter.before.is_some());
        }
    }

    fn incidents(&mut self, filter: Filter) -> Vec<i64> {
        let mut filter = Filter { limit: 2, ..filter };
        let mut ids = Vec::new();
        loop {
            let page = self.look(|tx| search::incidents(tx, &filter));
            ids.extend(page.found.into_iter().map(|incident| incident.id));
            let Some(next) = page.next else { return ids };
            filter.before = Some(next);
        }
    }

    fn count(&mut self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        self.look(|tx| tx.query_one(&sql, &[], |row| row.int(0))).unwrap()
    }

    pub(super) fn change(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<(), StoreError>) {
        let now = self.clock.now();
        self.committer.connection.write(now, work).unwrap();
        // By the same connection, and past the commands.
        self.committer.lasting = Lasting::default();
    }
}

fn of(labels: &[&str], text: &str) -> Vec<Sought> {
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    sought(&labels, Some(text)).unwrap().into_iter().collect()
}

fn text(text: &str) -> AlertFilter {
    AlertFilter { sought: of(&[], text), ..AlertFilter::default() }
}

fn labelled(labels: &[&str]) -> AlertFilter {
    AlertFilter { sought: of(labels, ""), ..AlertFilter::default() }
}

/// Four alerts, an hour apart; the last has recovered.
fn told() -> Story {
    let mut story = Story::new();
    story.noted("pingdom", "a", Status::Firing, "Checkout is slow", &[("team", "web"), ("zone", "eu")]);
    story.passes(60);
    story.noted(
        "pingdom",
        "b",
        Status::Firing,
        "Disk full on db1.example",
        &[("team", "data"), ("zone", "eu")],
    );
    story.passes(60);
    story.noted("nagios", "c", Status::Firing, "Disk FULL on db2.example (Größe 93%)", &[("team", "data")]);
    story.passes(60);
    story.noted("nagios", "d", Status::Firing, "Checkout is down", &[("team", "web")]);
    story.noted("nagios", "d", Status::Resolved, "Checkout is down", &[("team", "web")]);
    story
}

#[test]
fn alerts_are_found_by_each_thing_that_people_remember() {
    let mut story = told();
    let any = AlertFilter::default;
    let now = story.clock.now();
    let ago = |minutes| Some(now - SignedDuration::from_mins(minutes));
    assert_eq!(story.finds(any()), ["d", "c", "b", "a"]);
    assert_eq!(story.finds(AlertFilter { status: Some("firing".into()), ..any() }), ["c", "b", "a"]);
    assert_eq!(story.finds(AlertFilter { status: Some("resolved".into()), ..any() }), ["d"]);
    assert_eq!(story.finds(AlertFilter { source: Some("pingdom".into()), ..any() }), ["b", "a"]);
    assert_eq!(story.finds(AlertFilter { service: Some("shop".into()), ..any() }).len(), 4);
    assert!(story.finds(AlertFilter { service: Some("till".into()), ..any() }).is_empty());
    assert_eq!(story.finds(labelled(&["team=data"])), ["c", "b"]);
    assert_eq!(story.finds(labelled(&["team=data", "zone=eu"])), ["b"]);
    assert!(story.finds(labelled(&["team=dat"])).is_empty(), "a label is meant whole");
    assert_eq!(story.finds(text("disk full")), ["c", "b"]);
    assert_eq!(story.finds(text("check")), ["d", "a"], "the beginning of a word is enough");
    assert_eq!(story.finds(text("db1")), ["b"]);
    assert_eq!(story.finds(text("größe")), ["c"]);
    assert!(story.finds(text("disk slow")).is_empty());
    assert_eq!(story.finds(AlertFilter { since: ago(90), ..any() }), ["d", "c"]);
    assert_eq!(story.finds(AlertFilter { until: ago(90), ..any() }), ["b", "a"]);
    assert_eq!(story.finds(AlertFilter { since: ago(130), until: ago(10), ..text("disk") }), ["c", "b"]);
    let both = AlertFilter { status: Some("firing".into()), source: Some("nagios".into()), ..text("disk") };
    assert_eq!(story.finds(both), ["c"]);
    story.proves_whole();
}

#[test]
fn incidents_are_found_by_each_thing_that_people_remember() {
    let mut story = told();
    let any = Filter::default;
    let now = story.clock.now();
    let ago = |minutes| Some(now - SignedDuration::from_mins(minutes));
    assert_eq!(story.incidents(any()), [4, 3, 2, 1]);
    assert_eq!(story.incidents(Filter { sought: of(&["zone=eu"], ""), ..any() }), [2, 1]);
    assert_eq!(story.incidents(Filter { sought: of(&["team=data"], "disk fu"), ..any() }), [3, 2]);
    assert_eq!(story.incidents(Filter { sought: of(&[], "checkout"), ..any() }), [4, 1]);
    assert_eq!(story.incidents(Filter { since: ago(90), ..any() }), [4, 3]);
    assert_eq!(story.incidents(Filter { until: ago(90), ..any() }), [2, 1]);
    assert_eq!(story.incidents(Filter { since: ago(130), until: ago(90), ..any() }), [2]);
    assert_eq!(story.incidents(Filter { service: Some("shop".into()), ..any() }).len(), 4);
    assert!(story.incidents(Filter { service: Some("till".into()), ..any() }).is_empty());
    let sev = Filter { severity: Some("SEV2".into()), state: Some("open".into()), ..any() };
    assert_eq!(story.incidents(sev).len(), 4);
    // Another alert joins: the incident is found by what it says, too.
    story.noted("nagios", "b", Status::Firing, "Replication stopped", &[("pod", "x")]);
    assert_eq!(
        story.incidents(Filter { sought: of(&["pod=x", "team=data"], "replication disk"), ..any() }),
        [2]
    );
    story.proves_whole();
}

#[test]
fn an_incident_is_found_by_alerts_that_have_long_been_another_ones() {
    let mut story = Story::new();
    for _ in 0..3 {
        story.noted("pingdom", "a", Status::Firing, "Checkout is slow", &[("team", "web")]);
        let id = story.noted("pingdom", "a", Status::Resolved, "Checkout is slow", &[]).incident.unwrap();
        story.passes(4);
        story.tick(id);
        story.passes(2 * 24 * 60);
    }
    let filter = Filter { sought: of(&["team=web"], "slow"), ..Filter::default() };
    assert_eq!(story.incidents(filter), [3, 2, 1]);
    story.proves_whole();
}

#[test]
fn an_incident_is_found_by_what_became_part_of_it() {
    let mut story = told();
    story.change(|tx| moves::all(tx, 1, 2).map(|_| ()));
    let filter = |words| Filter { sought: of(&[], words), ..Filter::default() };
    assert_eq!(story.incidents(filter("checkout slow")), [2, 1]);
    story.change(|tx| {
        let part = moves::of(tx, "nagios", "c", 3)?.unwrap();
        moves::one(tx, part.alert, 1)
    });
    assert_eq!(story.incidents(filter("db2")), [3, 1]);
}

#[test]
fn a_repeat_writes_nothing_and_other_words_are_found_instead() {
    let mut story = told();
    let terms = |story: &mut Story| (story.count("alert_term"), story.count("incident_term"));
    let before = terms(&mut story);
    for _ in 0..3 {
        story.noted("pingdom", "a", Status::Firing, "Checkout is slow", &[("team", "web"), ("zone", "eu")]);
    }
    assert_eq!(terms(&mut story), before);
    story.noted("pingdom", "a", Status::Firing, "Checkout takes 93 s", &[("team", "web"), ("zone", "us")]);
    assert!(story.finds(text("slow")).is_empty());
    assert_eq!(story.finds(text("takes")), ["a"]);
    assert_eq!(story.finds(labelled(&["zone=us"])), ["a"]);
    assert_eq!(story.finds(labelled(&["zone=eu"])), ["b"]);
    // An incident does not grow by what changes all the time.
    assert_eq!(terms(&mut story).1, before.1);
    let drift = "select count(*) from alert where indexed is distinct from wording";
    assert_eq!(story.look(|tx| tx.query_one(drift, &[], |row| row.int(0))), Some(0));
    story.proves_whole();
}

#[test]
fn what_an_older_version_wrote_is_made_findable_a_little_at_a_time() {
    let mut story = told();
    let before = (story.count("alert_term"), story.count("incident_term"));
    assert!(story.look(history::is_whole));
    // An older version wrote two alerts and an incident, and changed the words of a third alert.
    story.change(|tx| {
        for sql in [
            "delete from alert_term where alert in (1, 2)",
            "update alert set terms = '', indexed = null where id in (1, 2)",
            "update alert set title = 'Other words', wording = wording + 1 where id = 3",
            "delete from incident_term where incident = 2",
            "update incident set indexed = 0 where id = 2",
        ] {
            tx.write(sql, &[])?;
        }
        Ok(())
    });
    assert!(!story.look(history::is_whole));
    assert!(story.finds(text("checkout slow")).is_empty());
    story.change(|tx| history::fill(tx, 1).map(|more| assert!(more)));
    assert!(!story.look(history::is_whole));
    assert!(matches!(story.ask(Command::Forget).unwrap(), Reply::Forgotten { more: false }));
    assert!(story.look(history::is_whole));
    assert_eq!(story.finds(text("checkout slow")), ["a"]);
    assert_eq!(story.finds(text("other")), ["c"]);
    assert!(story.finds(text("db2")).is_empty());
    assert_eq!(story.incidents(Filter { sought: of(&["team=data"], "db1"), ..Filter::default() }), [2]);
    assert!(story.count("alert_term") <= before.0 && story.count("incident_term") >= before.1);
}

#[test]
fn what_is_forgotten_is_found_no_more_and_leaves_nothing_behind() {
    let mut story = told();
    let house = House { retention: Some(SignedDuration::from_hours(24)), ..house() };
    story.committer.house.swap(house);
    // One that never had an incident.
    story.noted("pingdom", "e", Status::Resolved, "Never seen", &[("team", "web")]);
    assert_eq!(story.finds(text("never")), ["e"]);
    for key in ["a", "b"] {
        story.noted("pingdom", key, Status::Resolved, "Over", &[]);
    }
    story.noted("nagios", "c", Status::Resolved, "Over", &[]);
    story.passes(4);
    for id in 1..=4 {
        story.tick(id);
    }
    story.passes(25 * 60);
    while let Reply::Forgotten { more: true } = story.ask(Command::Forget).unwrap() {}
    for table in ["incident", "incident_term", "alert", "alert_heard", "alert_term", "alert_move"] {
        assert_eq!(story.count(table), 0, "{table}");
    }
    story.proves_whole();
}

#[test]
fn long_incidents_are_forgotten_few_at_a_time() {
    let mut story = told();
    for id in 1..=4 {
        story.act(id, "maya", Act::Answer { help: false }).unwrap();
        story.act(id, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    }
    // As long as that.
    story.change(|tx| tx.write("update incident set seq = 6000", &[]));
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let now = story.clock.now();
        let work = |tx: &Tx<'_>| crate::store::incidents::forget(tx, Timestamp::MAX, 100);
        rounds.push(story.committer.connection.write::<_, StoreError>(now, work).unwrap());
    }
    assert_eq!(rounds, [(2, true), (2, false)]);
}

#[test]
fn among_thousands_that_have_the_same_words_pages_follow_each_other_without_a_gap() {
    const MANY: usize = 6000;
    let mut story = Story::new();
    for first in (0..MANY).step_by(1000) {
        let events = (first..first + 1000).map(|n| {
            let mut event = Event::new(format!("k{n}"), Status::Resolved, format!("Disk {n} is fine"));
            event.labels.insert("job".into(), "node".into());
            event.labels.insert("rare".into(), (n % 100).to_string());
            event.severity = Some(AlertSeverity::Info);
            event
        });
        story.ask(story.delivery("prometheus", events.collect())).unwrap();
        story.passes(1);
    }
    let mut pages = |filter: AlertFilter| {
        let mut filter = AlertFilter { limit: 200, ..filter };
        let (mut keys, mut pages) = (std::collections::BTreeSet::new(), 0);
        loop {
            let page = story.look(|tx| search::alerts(tx, &filter));
            pages += 1;
            assert!(page.found.iter().all(|found| keys.insert(found.shown.key.clone())), "twice");
            let Some(next) = page.next else { return (keys.len(), pages) };
            filter.before = Some(next);
        }
    };
    // Everything has it: the rows themselves are gone through.
    assert_eq!(pages(labelled(&["job=node"])), (MANY, 31));
    assert_eq!(pages(text("disk fine")), (MANY, 31));
    // Few have it.
    assert_eq!(pages(labelled(&["job=node", "rare=7"])), (60, 1));
    assert_eq!(
        pages(AlertFilter { sought: of(&["rare=7"], "disk 7"), ..AlertFilter::default() }).0,
        2,
        "7 and 707"
    );
    // Two that many have, and none both: an answer without anything says where to go on.
    let none =
        AlertFilter { source: Some("prometheus".into()), status: Some("resolved".into()), ..text("disk") };
    let none =
        AlertFilter { service: Some("shop".into()), sought: of(&["job=node"], "disk is fine"), ..none };
    assert_eq!(pages(none).0, MANY);
    story.proves_whole();
}

#[test]
fn a_silenced_alert_is_found_and_says_what_holds_it() {
    let mut story = told();
    story.change(|tx| alerts::suppress(tx, 1, "s1"));
    let page = story.look(|tx| search::alerts(tx, &AlertFilter { limit: 9, ..text("slow") }));
    assert_eq!(page.found[0].suppressed_by.as_deref(), Some("s1"));
    assert_eq!(page.found[0].incident, Some(1));
    assert_eq!(story.look(silences::next_end), None);
}

#[test]
fn noise_is_counted_where_people_live_and_by_the_alert_that_makes_it() {
    use crate::core::noise::Tally;
    use crate::store::noise;
    let mut story = Story::new();
    let began = story.clock.now();
    // The same alert three times, and each time it clears itself; nobody answers, so tom is woken, too.
    for _ in 0..3 {
        let id = story.noted("pingdom", "a", Status::Firing, "Checkout is slow", &[]).incident.unwrap();
        story.passes(6);
        story.tick(id);
        story.noted("pingdom", "a", Status::Resolved, "Checkout is slow", &[]);
        story.passes(4);
        story.tick(id);
        story.passes(2 * 24 * 60);
    }
    let id = story.noted("nagios", "b", Status::Firing, "Disk full", &[]).incident.unwrap();
    story.act(id, "maya", Act::Answer { help: false }).unwrap();
    let until = story.clock.now() + SignedDuration::from_mins(1);
    let mut tally = Tally::default();
    let mut after = 0;
    loop {
        let page = story.look(|tx| noise::page(tx, (began, until), after, 2));
        let Some(last) = page.last() else { break };
        after = last.incident.id;
        for noisy in &page {
            // Wherever that is, it is noon there, and for tom midnight.
            let zone = |name: &str| {
                let at = noisy.paged.first().map_or(began, |(_, at)| *at).to_zoned(jiff::tz::TimeZone::UTC);
                let ahead = if name == "tom" { 23 - at.hour() } else { 12 - at.hour() };
                jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_hours(ahead).unwrap())
            };
            tally.add(&noisy.incident, &noisy.paged, &noisy.joined, zone);
        }
    }
    assert_eq!(tally.incidents(), 4);
    let noise = tally.sum();
    assert_eq!((noise.pages, noise.p90, noise.max), (7, 2, 2), "{noise:?}");
    assert_eq!((noise.cleared, noise.untaken, noise.merged, noise.night), (3, 3, 0, 3), "{noise:?}");
    let people: Vec<_> =
        noise.people.iter().map(|(name, person)| (name.as_str(), person.incidents, person.pages)).collect();
    assert_eq!(people, [("maya", 4, 4), ("tom", 3, 3)]);
    let alerts: Vec<_> =
        noise.noisiest.iter().map(|((_, key), incidents)| (key.as_str(), *incidents)).collect();
    assert_eq!(alerts, [("a", 3), ("b", 1)]);
    let keys: Vec<_> = noise.noisiest.iter().map(|(key, _)| key.clone()).collect();
    let events = story.look(|tx| noise::events(tx, &keys));
    assert_eq!(events[0], Some(("Checkout is slow".to_owned(), 6)));
    let counted = story.metrics.text().unwrap();
    for line in [
        "onscene_incidents_resolved_total{resolution=\"self-cleared\",service=\"shop\"} 3\n",
        "onscene_pages_total{person=\"tom\"} 3\n",
    ] {
        assert!(counted.contains(line), "{line}");
    }
    story.proves_whole();
}
