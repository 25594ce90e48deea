//! One cause, one incident, one page: stories of alerts that join what others opened.

use jiff::SignedDuration;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::correlate::{Grouping, Needs, Storm};
use crate::core::decide::Write;
use crate::core::incident::{Phase, Severity};
use crate::core::rules::{self, Policy, Rules, Service, Target};
use crate::core::timeline::{Actor, Route};
use crate::house::House;
use crate::store::{alerts, incidents};

/// `shop` and `blog` (maya is woken) need `lb` (tom is). Quiet incidents of `blog` wake nobody but kim. More than four in
/// five minutes are a storm.
pub(super) fn rules() -> Rules {
    let mut rules = (*house().rules).clone();
    let policy = |name: &str| {
        let step = rules::Step {
            page: vec![Target::Person(name.into())],
            wait: SignedDuration::from_mins(5),
            ..rules::Step::default()
        };
        Policy { steps: vec![step], repeat: 0, last_resort: vec![], ..Policy::default() }
    };
    rules.policies = [("default", "maya"), ("network", "tom"), ("quiet", "kim")]
        .map(|(name, person)| (name.to_owned(), policy(person)))
        .into();
    let service = |policy: &str, needs: &[&str]| Service {
        policy: policy.into(),
        grouping: Grouping {
            depends_on: needs.iter().map(|one| (*one).to_owned()).collect(),
            ..Grouping::default()
        },
        ..rules.services["shop"].clone()
    };
    let blog = Service {
        policies: [(Severity::Sev3, "quiet".to_owned()), (Severity::Sev4, "quiet".to_owned())].into(),
        ..service("default", &["lb"])
    };
    let services = [
        ("shop", service("default", &["lb"])),
        ("blog", blog),
        ("lb", service("network", &[])),
        ("db", service("default", &[])),
    ];
    rules.services = services.map(|(name, service)| (name.to_owned(), service)).into();
    rules.needs = Needs::of(&rules.services);
    rules.storm = Some(Storm { incidents: 4, within: SignedDuration::from_mins(5) });
    rules
}

fn story() -> Story {
    let story = Story::new();
    let house = House { rules: Arc::new(rules()), ..house() };
    story.committer.house.swap(house);
    story
}

fn event(key: &str, severity: AlertSeverity) -> Event {
    let mut event = Event::new(key, Status::Firing, format!("{key} is down"));
    event.severity = Some(severity);
    event
}

impl Story {
    fn states(&mut self, source: &str, service: &str, event: Event) -> (String, i64, String) {
        let Command::Events(delivered) = self.delivery(source, vec![event]) else {
            panic!("another command")
        };
        let command = Command::Events(Delivered { service: service.into(), ..delivered });
        let Reply::Events(_, results) = self.ask(command).unwrap() else { panic!("another answer") };
        let reason = results[0].reason.as_deref().unwrap_or_default().to_owned();
        (results[0].outcome.to_owned(), results[0].incident.unwrap_or_default(), reason)
    }

    fn fires(&mut self, service: &str, key: &str) -> (String, i64, String) {
        self.states("pingdom", service, event(key, AlertSeverity::Critical))
    }

    pub(super) fn incident(&mut self, id: i64) -> Incident {
        self.look(|tx| incidents::load(tx, id)).unwrap().incident
    }

    /// Who was sent a page, in the order of the outbox, and for which incident.
    fn pages(&mut self) -> Vec<String> {
        self.sent_letters("page")
    }

    fn sent_letters(&mut self, kind: &str) -> Vec<String> {
        let sql = "select person, incident from letter where kind = ?1 order by seq";
        self.look(|tx| {
            tx.query(sql, &[kind.into()], |row| Ok(format!("{} of INC-{}", row.text(0)?, row.int(1)?)))
        })
    }

    /// The words of the last letter of a kind.
    fn last_letter(&mut self, kind: &str) -> String {
        let sql = "select payload from letter where kind = ?1 order by seq desc limit 1";
        self.look(|tx| tx.query_one(sql, &[kind.into()], |row| row.text(0))).unwrap()
    }

    fn takes(&mut self, incident: i64, person: &str) {
        let by = By { actor: Actor::Person(person.into()), route: Route::Api, occurred_at: None };
        self.ask(Command::Act { incident, act: Act::Answer { help: false }, by }).unwrap();
    }

    fn seconds(&mut self, seconds: i64) {
        self.clock.forward(SignedDuration::from_secs(seconds));
    }
}

fn joined(incident: i64, because: &str) -> (String, i64, String) {
    ("joined".into(), incident, because.into())
}

fn opened(incident: i64) -> (String, i64, String) {
    ("opened".into(), incident, String::new())
}

#[test]
fn a_service_has_one_incident_within_its_window_and_one_page() {
    let mut story = story();
    assert_eq!(story.fires("db", "a"), opened(1));
    story.seconds(250);
    assert_eq!(story.fires("db", "b"), joined(1, "same_service"));
    story.seconds(250);
    // The window began anew.
    assert_eq!(story.fires("db", "c"), joined(1, "same_service"));
    assert_eq!(story.pages(), ["maya of INC-1"]);
    story.seconds(301);
    assert_eq!(story.fires("db", "d"), opened(2));
    assert_eq!(story.incident(1).alerts, 3);
    story.proves_whole();
}

#[test]
fn a_symptom_joins_its_cause_and_nobody_is_woken_for_it() {
    let mut story = story();
    assert_eq!(story.fires("lb", "vip"), opened(1));
    assert_eq!(story.pages(), ["tom of INC-1"]);
    story.seconds(3000);
    assert_eq!(story.fires("shop", "checkout"), joined(1, "depends_on"));
    assert_eq!(story.fires("blog", "posts"), joined(1, "depends_on"));
    assert_eq!(story.pages(), ["tom of INC-1"]);
    assert_eq!(story.incident(1).also, ["shop", "blog"]);
    story.proves_whole();
}

#[test]
fn who_commands_is_told_once_that_another_service_is_struck() {
    let mut story = story();
    story.fires("lb", "vip");
    story.takes(1, "tom");
    let before = story.sent_letters("notice").len();
    story.fires("shop", "checkout");
    story.fires("shop", "basket");
    assert_eq!(story.sent_letters("notice").len(), before + 1);
    assert!(story.last_letter("notice").contains("shop"), "{}", story.last_letter("notice"));
    story.proves_whole();
}

#[test]
fn a_symptom_waits_for_its_cause_and_the_one_page_names_it() {
    let mut story = story();
    assert_eq!(story.fires("shop", "checkout"), opened(1));
    assert_eq!(story.pages(), [""; 0]);
    story.seconds(5);
    assert_eq!(story.fires("blog", "posts"), opened(2));
    story.seconds(5);
    assert_eq!(story.fires("lb", "vip"), joined(1, "cause"));
    assert_eq!(story.pages(), ["tom of INC-1"]);
    let page = story.last_letter("page");
    assert!(page.contains("lb"), "{page}");
    let (first, second) = (story.incident(1), story.incident(2));
    assert_eq!((first.leads(), first.service.as_str()), ("lb", "shop"));
    assert_eq!((first.alerts, first.firing), (3, 3));
    assert_eq!((second.merged_into, second.alerts, second.firing), (Some(1), 0, 0));
    // What comes later belongs there too, and so does the recovery of what came before.
    assert_eq!(story.fires("blog", "feed"), joined(1, "depends_on"));
    let mut over = event("posts", AlertSeverity::Critical);
    over.status = Status::Resolved;
    assert_eq!(story.states("pingdom", "blog", over).1, 1);
    assert_eq!(story.incident(1).firing, 3);
    story.proves_whole();
}

#[test]
fn an_incident_on_which_somebody_works_stays_where_they_are_also_when_nobody_has_taken_it() {
    let mut story = story();
    assert_eq!(story.fires("shop", "checkout"), opened(1));
    assert_eq!(story.fires("blog", "posts"), opened(2));
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    let what = Write::Action { what: "drain".into(), place: String::new(), undo: String::new() };
    story.ask(Command::Act { incident: 2, act: Act::Board(what), by }).unwrap();
    // Their cause comes, and is taken; what can go to it does.
    assert_eq!(story.fires("lb", "vip"), joined(1, "cause"));
    let (first, second) = (story.incident(1), story.incident(2));
    assert_eq!((first.alerts, second.alerts, second.merged_into), (2, 1, None));
    assert!(second.is_open());
    story.proves_whole();
}

#[test]
fn a_symptom_whose_cause_does_not_come_wakes_its_own_people_after_the_settle_time() {
    let mut story = story();
    story.fires("shop", "checkout");
    assert_eq!(story.tick(1), Reason::NotDue);
    story.seconds(30);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    assert_eq!(story.pages(), ["maya of INC-1"]);
    // Too late to be the cause of it.
    story.seconds(1);
    assert_eq!(story.fires("lb", "vip"), opened(2));
    story.proves_whole();
}

#[test]
fn a_human_who_answers_does_not_wait_for_the_cause() {
    let mut story = story();
    story.fires("shop", "checkout");
    story.takes(1, "maya");
    assert!(matches!(story.incident(1).phase, Phase::Acknowledged { .. }));
    story.seconds(3);
    assert_eq!(story.fires("lb", "vip"), joined(1, "cause"));
    assert_eq!(story.pages(), [""; 0]);
    assert_eq!(story.incident(1).leads(), "lb");
    assert!(story.last_letter("notice").contains("lb"));
    story.proves_whole();
}

#[test]
fn forty_checks_of_three_sources_behind_one_load_balancer_are_one_incident_and_one_page() {
    for first in [0, 17, 39] {
        let mut story = story();
        let sources = ["pingdom", "prometheus", "zabbix"];
        for number in 0..40 {
            if number == first {
                story.states("keepalived", "lb", event("vip", AlertSeverity::Critical));
            }
            let service = ["shop", "blog"][number % 2];
            story.states(
                sources[number % 3],
                service,
                event(&format!("check-{number}"), AlertSeverity::Error),
            );
        }
        let open: Vec<i64> = story
            .look(|tx| tx.query("select id from incident where phase <> 'resolved'", &[], |row| row.int(0)));
        assert_eq!(open.len(), 1, "{first}");
        assert_eq!(story.pages().len(), 1, "{first}");
        let incident = story.incident(open[0]);
        assert_eq!((incident.alerts, incident.firing, incident.leads()), (41, 41, "lb"), "{first}");
        story.proves_whole();
    }
}

#[test]
fn what_its_sender_groups_is_one_incident_at_any_hour() {
    let mut story = story();
    let grouped =
        |key: &str| Event { group: Some("{}:{job=\"x\"}".into()), ..event(key, AlertSeverity::Error) };
    assert_eq!(story.states("prometheus", "db", grouped("a")), opened(1));
    story.seconds(4000);
    assert_eq!(story.states("prometheus", "db", grouped("b")), joined(1, "same_group"));
    // Of another source it says nothing.
    assert_eq!(
        story.states("other", "db", Event { group: Some("{}:{job=\"y\"}".into()), ..grouped("c") }).0,
        "joined"
    );
    story.seconds(4000);
    assert_eq!(story.states("other", "db", grouped("d")), opened(2));
    story.proves_whole();
}

#[test]
fn more_than_people_can_look_at_becomes_one_and_everybody_is_told() {
    let mut story = story();
    let mut rules = rules();
    for number in 0..8 {
        rules.services.insert(format!("s{number}"), rules.services["db"].clone());
    }
    rules.services.insert("net".into(), rules.services["lb"].clone());
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    for number in 0..4 {
        assert_eq!(story.fires(&format!("s{number}"), &format!("a{number}")).0, "opened");
    }
    story.takes(2, "kim");
    assert_eq!(story.fires("s4", "b"), joined(1, "storm"));
    assert_eq!(story.fires("s5", "c"), joined(1, "storm"));
    let pages = story.pages().len();
    // Its people would have been woken by an incident of its own.
    assert_eq!(story.fires("net", "d"), joined(1, "storm"));
    assert_eq!(story.pages()[pages..], ["tom of INC-1"]);
    let storm = story.incident(1);
    assert!(storm.storm);
    assert_eq!((storm.alerts, storm.firing), (6, 6));
    assert_eq!(story.incident(3).merged_into, Some(1));
    // What somebody has stays theirs, and gathers its own.
    assert!(story.incident(2).is_open());
    assert_eq!(story.fires("s1", "e"), joined(2, "same_service"));
    story.proves_whole();
}

#[test]
fn what_gets_worse_wakes_people_again_only_under_a_louder_policy() {
    let mut story = story();
    let blog = |severity| event("posts", severity);
    story.states("pingdom", "blog", blog(AlertSeverity::Info));
    story.seconds(30);
    story.tick(1);
    assert_eq!(story.pages(), ["kim of INC-1"]);
    // Worse, and as loud.
    story.states("pingdom", "blog", blog(AlertSeverity::Warning));
    assert_eq!(story.pages(), ["kim of INC-1"]);
    assert_eq!(story.incident(1).severity, Severity::Sev3);
    // Another alert that is louder, and it said again.
    assert_eq!(
        story.states("pingdom", "blog", event("feed", AlertSeverity::Critical)),
        joined(1, "same_service")
    );
    assert_eq!(story.pages(), ["kim of INC-1", "maya of INC-1"]);
    story.states("pingdom", "blog", blog(AlertSeverity::Critical));
    assert_eq!(story.pages(), ["kim of INC-1", "maya of INC-1"]);
    assert_eq!(story.incident(1).severity, Severity::Sev1);
    story.proves_whole();
}

/// One thing that is said, and how many seconds pass before.
#[derive(Clone, Debug)]
struct Step {
    alert: usize,
    over: bool,
    seconds: i64,
}

/// What fails in this night: of which source, of which service.
const NIGHT: [(&str, &str); 9] = [
    ("pingdom", "shop"),
    ("prometheus", "shop"),
    ("zabbix", "blog"),
    ("pingdom", "blog"),
    ("keepalived", "lb"),
    ("prometheus", "lb"),
    ("prometheus", "db"),
    ("zabbix", "db"),
    ("pingdom", "db"),
];

fn nights() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    use proptest::prelude::*;
    // Each alert is said from one to three times, in any order; the whole night fits into the settle time.
    let order = Just((0..NIGHT.len()).flat_map(|alert| [alert; 3]).collect::<Vec<_>>()).prop_shuffle();
    let more = prop::collection::vec((any::<bool>(), 0..2_i64, prop::bool::weighted(0.2)), NIGHT.len() * 3);
    (order, more).prop_map(|(order, more)| {
        let mut heard = [false; NIGHT.len()];
        let mut steps = Vec::new();
        for (alert, (repeats, seconds, over)) in order.into_iter().zip(more) {
            if !heard[alert] || repeats {
                steps.push(Step { alert, over: over && heard[alert], seconds: seconds.min(1) });
                heard[alert] = true;
            }
        }
        steps
    })
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_of_one_night_ends_in_the_same_incidents_and_as_many_pages(steps in nights()) {
        let mut story = story();
        for Step { alert, over, seconds } in steps {
            story.seconds(seconds);
            let (source, service) = NIGHT[alert];
            let mut said = event(&format!("check-{alert}"), AlertSeverity::Error);
            said.status = if over { Status::Resolved } else { Status::Firing };
            story.states(source, service, said);
        }
        let placed = story.look(|tx| {
            let sql = "select alert.service, incident.id, incident.phase from alert join incident on incident.id = alert.incident";
            tx.query(sql, &[], |row| Ok((row.text(0)?, row.int(1)?, row.text(2)?)))
        });
        proptest::prop_assert_eq!(placed.len(), NIGHT.len());
        let of = |service: &str| {
            let ids: std::collections::BTreeSet<i64> =
                placed.iter().filter(|(name, ..)| name == service).map(|(_, id, _)| *id).collect();
            ids.into_iter().collect::<Vec<_>>()
        };
        proptest::prop_assert!(placed.iter().all(|(.., phase)| phase == "triggered"));
        let (network, store) = (of("lb"), of("db"));
        proptest::prop_assert_eq!((network.len(), store.len()), (1, 1));
        proptest::prop_assert!(network != store);
        proptest::prop_assert_eq!((of("shop"), of("blog")), (network.clone(), network));
        // One page for each of the two, to the people of the service at fault.
        let mut pages = story.pages();
        for page in &mut pages {
            page.truncate(page.find(' ').unwrap());
        }
        pages.sort();
        proptest::prop_assert_eq!(pages, ["maya", "tom"]);
        story.proves_whole();
    }
}

/// Eight services like `db` and three like `shop`, each with somebody of its own on call.
fn many() -> Rules {
    let mut rules = rules();
    for (number, of) in
        ["db", "db", "db", "db", "db", "db", "db", "db", "shop", "shop", "shop"].iter().enumerate()
    {
        let name = format!("{of}{number}");
        let policy = Policy {
            steps: vec![rules::Step {
                page: vec![Target::Person(format!("p{number}"))],
                wait: SignedDuration::from_mins(5),
                ..rules::Step::default()
            }],
            repeat: 0,
            last_resort: vec![],
            ..Policy::default()
        };
        let person =
            rules::Person { email: format!("p{number}@example.net"), ..rules.people["maya"].clone() };
        rules.people.insert(format!("p{number}"), person);
        rules.policies.insert(name.clone(), policy);
        let service = Service { policy: name.clone(), ..rules.services[*of].clone() };
        rules.services.insert(name, service);
    }
    rules.needs = Needs::of(&rules.services);
    rules
}

fn story_of(rules: Rules) -> Story {
    let story = Story::new();
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story
}

#[test]
fn in_a_storm_everybody_is_woken_once_also_who_waits_for_a_relay() {
    let mut story = story_of(many());
    // All of it in one transaction: no page has left the house.
    let alerts: Vec<Command> = (0..6)
        .map(|number| {
            let said = event(&format!("a{number}"), AlertSeverity::Critical);
            let Command::Events(delivered) = story.delivery("pingdom", vec![said]) else { panic!() };
            Command::Events(Delivered { service: format!("db{number}"), ..delivered })
        })
        .collect();
    story.ask_all(alerts);
    assert!(story.incident(1).storm);
    let told = Story::told(&story.claim(""));
    for number in 0..6 {
        assert_eq!(told.iter().filter(|one| **one == format!("page p{number}")).count(), 1, "{told:?}");
    }
    story.proves_whole();
}

#[test]
fn a_storm_does_not_end_the_wait_for_a_cause() {
    let mut story = story_of(many());
    for number in 0..4 {
        // Three that need the load balancer, and one that needs nobody.
        let service = if number < 3 { format!("shop{}", 8 + number) } else { "db0".to_owned() };
        story.fires(&service, &format!("a{number}"));
    }
    story.fires("db1", "a4");
    assert_eq!(story.pages(), ["p0 of INC-1"], "{:?}", story.pages());
    story.seconds(5);
    assert_eq!(story.fires("lb", "vip"), joined(1, "cause"));
    assert_eq!(story.incident(1).leads(), "lb");
    assert!(story.pages().contains(&"tom of INC-1".to_owned()));
    story.proves_whole();
}

#[test]
fn who_is_struck_by_a_storm_is_woken_when_no_cause_came() {
    let mut story = story_of(many());
    for number in 8..11 {
        story.fires(&format!("shop{number}"), &format!("a{number}"));
    }
    story.fires("shop", "a1");
    story.fires("db3", "a2");
    assert!(story.incident(1).storm);
    assert_eq!(story.pages(), [""; 0]);
    story.seconds(30);
    story.tick(1);
    let mut pages = story.pages();
    pages.sort();
    assert_eq!(pages, ["maya of INC-1", "p10 of INC-1", "p3 of INC-1", "p8 of INC-1", "p9 of INC-1"]);
    story.proves_whole();
}

#[test]
fn a_storm_is_over_with_its_incident() {
    let mut story = story_of(many());
    for number in 0..5 {
        story.fires(&format!("db{number}"), &format!("a{number}"));
    }
    assert!(story.incident(1).storm);
    story.takes(1, "maya");
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.seconds(400);
    story.fires("db0", "a0");
    assert!(!story.incident(1).storm);
    assert_eq!(story.fires("db7", "b7").0, "opened");
    story.proves_whole();
}

#[test]
fn what_is_worse_than_what_somebody_has_wakes_people() {
    let mut story = story();
    story.states("pingdom", "lb", event("certificate", AlertSeverity::Info));
    story.takes(1, "tom");
    story.seconds(3 * 24 * 3600);
    assert_eq!(story.fires("shop", "checkout"), opened(2));
    story.seconds(30);
    story.tick(2);
    assert!(story.pages().contains(&"maya of INC-2".to_owned()), "{:?}", story.pages());
    story.proves_whole();
}

#[test]
fn a_declared_incident_is_over_when_people_say_so() {
    let mut story = story();
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    let (title, service) = ("checkout fails".to_owned(), "db".to_owned());
    story.ask(Command::Declare { title, service, severity: Severity::Sev2, by }).unwrap();
    assert_eq!(story.fires("db", "a"), joined(1, "same_service"));
    let mut over = event("a", AlertSeverity::Critical);
    over.status = Status::Resolved;
    story.states("pingdom", "db", over);
    assert!(matches!(story.incident(1).phase, Phase::Triggered { quiet_until: None, .. }));
    story.proves_whole();
}

#[test]
fn a_reopening_that_is_worse_wakes_nobody_twice() {
    let mut story = story();
    story.states("pingdom", "blog", event("posts", AlertSeverity::Info));
    story.takes(1, "kim");
    story.act(1, "kim", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.seconds(600);
    let mut over = event("posts", AlertSeverity::Info);
    over.status = Status::Resolved;
    story.states("pingdom", "blog", over);
    story.fires("blog", "posts");
    let pages = story.pages();
    assert_eq!(pages, ["maya of INC-1", "kim of INC-1"], "{pages:?}");
    story.proves_whole();
}

#[test]
fn a_cause_that_needs_another_waits_on_and_its_alerts_stay_together() {
    let mut rules = rules();
    let app = Service {
        grouping: Grouping { by: vec!["vip".into()], ..rules.services["shop"].grouping.clone() },
        ..rules.services["shop"].clone()
    };
    rules.services.insert("app".into(), app);
    rules.services.get_mut("shop").unwrap().grouping.depends_on = vec!["app".into()];
    rules.needs = Needs::of(&rules.services);
    let mut story = story_of(rules);
    story.fires("shop", "checkout");
    let of = |key: &str| {
        let mut said = event(key, AlertSeverity::Critical);
        said.labels.insert("vip".into(), "vip1".into());
        said
    };
    story.seconds(5);
    assert_eq!(story.states("pingdom", "app", of("a")), joined(1, "cause"));
    assert_eq!(story.pages(), [""; 0]);
    assert_eq!(story.states("pingdom", "app", of("b")), joined(1, "same_service"));
    story.seconds(5);
    assert_eq!(story.fires("lb", "vip"), joined(1, "cause"));
    assert_eq!(story.pages(), ["tom of INC-1"]);
    story.proves_whole();
}

#[test]
fn who_was_woken_for_what_became_part_of_it_is_not_woken_again_after_the_wait() {
    let mut story = story();
    story.fires("shop", "checkout");
    story.fires("db", "disk");
    for page in story.claim("") {
        story.settle(page, Settlement::Accepted { remote_id: None });
    }
    assert_eq!(story.pages(), ["maya of INC-2"]);
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
    story.seconds(30);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    assert_eq!(story.pages(), ["maya of INC-2"], "she has as long as a step waits from now on");
    story.seconds(300);
    story.tick(1);
    assert_eq!(story.pages(), ["maya of INC-2", "maya of INC-1"]);
    story.proves_whole();
}

#[test]
fn who_cannot_is_woken_after_the_wait_all_the_same() {
    let mut story = story();
    story.fires("shop", "checkout");
    story.fires("db", "disk");
    story.act(2, "maya", Act::Decline).unwrap();
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
    let before = story.pages().len();
    story.seconds(30);
    story.tick(1);
    assert_eq!(story.pages().len(), before + 1);
    story.proves_whole();
}

#[test]
fn what_becomes_part_of_it_does_not_end_the_wait_for_its_cause() {
    let mut story = story();
    story.fires("shop", "checkout");
    story.fires("db", "disk");
    let by = By { actor: Actor::Person("kim".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
    story.seconds(5);
    assert_eq!(story.fires("shop", "basket"), joined(1, "same_service"));
    // Maya knows of the database.
    assert_eq!(story.pages(), ["maya of INC-1"]);
    assert_eq!(story.fires("lb", "vip"), joined(1, "cause"));
    assert_eq!(story.pages(), ["maya of INC-1", "tom of INC-1"]);
    story.proves_whole();
}

#[test]
fn the_page_shows_the_alert_of_the_service_at_fault_first_however_many_came_before() {
    let mut story = story();
    for number in 0..25 {
        story.fires("shop", &format!("site-{number:02}"));
        story.seconds(1);
    }
    assert_eq!(story.fires("lb", "no-master"), joined(1, "cause"));
    let page = story.last_letter("page");
    let (cause, site) = (page.find("- no-master is down").unwrap(), page.find("- site-00 is down").unwrap());
    assert!(cause < site, "{page}");
    let shown = story.look(|tx| alerts::of_incident(tx, 1, 2));
    let together = story.look(|tx| alerts::of_incidents(tx, &[1], 2));
    for shown in [&shown, &together[&1].0] {
        assert_eq!(shown.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["no-master", "site-00"]);
    }
}
