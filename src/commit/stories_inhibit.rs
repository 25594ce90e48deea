//! Alerts that wake nobody while others fire.

use jiff::{SignedDuration, Timestamp};

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::inhibit::Rule;
use crate::core::matcher::read_all;
use crate::core::route::{self, Set, To};
use crate::house::House;
use crate::store::{alerts, incidents, inhibitors, timeline};

pub(super) fn rule(source: &str, target: &str, equal: &[&str]) -> Rule {
    Rule {
        source: read_all(source).unwrap(),
        target: read_all(target).unwrap(),
        equal: equal.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// What is worse keeps quiet what is less bad in the same cluster.
fn worse() -> Rule {
    rule("severity=\"critical\"", "severity=\"warning\"", &["cluster"])
}

pub(super) fn alert(key: &str, severity: AlertSeverity, cluster: &str) -> Event {
    let mut event = Event::new(key, Status::Firing, format!("{key} is down"));
    event.severity = Some(severity);
    if !cluster.is_empty() {
        event.labels.insert("cluster".into(), cluster.into());
    }
    event
}

pub(super) fn over(event: Event) -> Event {
    Event { status: Status::Resolved, ..event }
}

pub(super) fn critical(key: &str) -> Event {
    alert(key, AlertSeverity::Critical, "a")
}

pub(super) fn warning(key: &str) -> Event {
    alert(key, AlertSeverity::Warning, "a")
}

impl Story {
    pub(super) fn with_rules(rules: Vec<Rule>) -> Self {
        let mut story = Self::new();
        story.reads_rules(rules);
        story
    }

    /// A reload, and what the node does then.
    pub(super) fn reads_rules(&mut self, inhibit: Vec<Rule>) {
        let mut rules = (*house().rules).clone();
        rules.inhibit = inhibit;
        self.committer.house.swap(House { rules: Arc::new(rules), ..house() });
        self.fills();
    }

    pub(super) fn fills(&mut self) {
        let mut after = Some(<(String, String)>::default());
        while let Some(from) = after {
            match self.ask(Command::FillInhibitors { after: from, patient: true }).unwrap() {
                Reply::Inhibitors { waits: true, .. } => return,
                Reply::Inhibitors { after: next, .. } => after = next,
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn outcomes(&mut self, events: Vec<Event>) -> Vec<&'static str> {
        let Reply::Events(_, results) = self.ask(self.delivery("prom", events)).unwrap() else {
            panic!("another answer");
        };
        results.iter().map(|result| result.outcome).collect()
    }

    pub(super) fn comes(&mut self, event: Event) -> &'static str {
        self.outcomes(vec![event])[0]
    }

    /// The deadlines look at alerts that are kept quiet no more. How many there were.
    pub(super) fn looks(&mut self) -> usize {
        let mut due = self.look(|tx| alerts::outlived(tx, 100));
        due.extend(self.look(|tx| inhibitors::outlived(tx, 100)));
        let hearing = nodes::Hearing { since: Timestamp::MIN, until: self.clock.now() };
        let asked = due.iter().map(|(alert, _)| Command::AlertDue { alert: *alert, hearing }).collect();
        let answers = self.ask_all(asked);
        answers.iter().filter(|answer| matches!(answer, Ok(Reply::Looked(true)))).count()
    }

    pub(super) fn mark_of(&mut self, key: &str) -> Option<String> {
        let sql = "select suppressed_by from alert where key = ?1";
        self.look(|tx| tx.query_one(sql, &[key.into()], |row| row.text_or_null(0))).unwrap()
    }

    /// Who was paged so far, in order.
    pub(super) fn paged(&mut self) -> Vec<String> {
        self.look(|tx| {
            tx.query("select person from letter where kind = 'page' order by seq", &[], |row| row.text(0))
        })
    }

    pub(super) fn entries(&mut self, incident: i64, kind: &str) -> usize {
        let all = self.look(|tx| timeline::list(tx, incident, 0, 1000));
        all.iter().filter(|kept| kept.entry.fact.kind() == kind).count()
    }

    pub(super) fn state_of(&mut self, incident: i64) -> String {
        self.look(|tx| incidents::load(tx, incident)).unwrap().incident.state().to_owned()
    }
}

#[test]
fn what_is_less_bad_wakes_nobody_while_the_worse_fires_and_then_does() {
    let mut story = Story::with_rules(vec![worse()]);
    assert_eq!(story.comes(critical("db")), "opened");
    let Reply::Events(_, results) = story.ask(story.delivery("prom", vec![warning("disk")])).unwrap() else {
        panic!("another answer");
    };
    assert_eq!((results[0].outcome, results[0].incident), ("suppressed", None));
    assert_eq!(results[0].reason.as_deref(), Some("inhibit rule 1: db of prom fires"));
    assert_eq!(story.mark_of("disk").as_deref(), Some("inhibit:1"));
    assert_eq!(story.comes(warning("disk")), "repeated");
    assert_eq!(story.comes(alert("other", AlertSeverity::Warning, "b")), "opened");
    assert_eq!(story.looks(), 0);
    assert_eq!(story.comes(over(critical("db"))), "resolved");
    assert_eq!(story.looks(), 1);
    assert_eq!(story.mark_of("disk"), None);
    assert_eq!(story.paged(), ["maya", "maya", "maya"]);
    assert_eq!(story.looks(), 0);
    story.proves_whole();
}

#[test]
fn one_that_recovers_meanwhile_wakes_nobody() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    story.comes(warning("disk"));
    assert_eq!(story.outcomes(vec![over(critical("db")), over(warning("disk"))]), ["resolved", "resolved"]);
    assert_eq!(story.looks(), 0);
    assert_eq!(story.paged(), ["maya"]);
    story.proves_whole();
}

#[test]
fn of_one_delivery_the_worse_counts_wherever_it_stands() {
    let mut story = Story::with_rules(vec![worse()]);
    assert_eq!(
        story.outcomes(vec![warning("disk"), critical("db"), warning("cpu")]),
        ["suppressed", "opened", "suppressed"]
    );
    // What is said twice of one alert means what it means in its order.
    let twice = vec![warning("a"), over(warning("a")), alert("b", AlertSeverity::Critical, "c")];
    assert_eq!(story.outcomes(twice), ["suppressed", "resolved", "opened"]);
    story.proves_whole();
}

#[test]
fn another_that_fires_goes_on_keeping_it_quiet() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    story.comes(critical("cache"));
    story.comes(warning("disk"));
    story.comes(over(critical("db")));
    // It names the other from now on.
    assert_eq!((story.looks(), story.mark_of("disk").as_deref()), (1, Some("inhibit:2")));
    assert_eq!(story.looks(), 0);
    story.comes(over(critical("cache")));
    assert_eq!(story.looks(), 1);
    assert_eq!(story.paged(), ["maya", "maya", "maya"]);
    story.proves_whole();
}

#[test]
fn two_that_fit_both_sides_keep_neither_quiet() {
    let mut story = Story::with_rules(vec![rule("cluster=\"a\"", "cluster=~\"a|b\"", &[])]);
    assert_eq!(story.comes(critical("x")), "opened");
    assert_eq!(story.comes(critical("y")), "opened");
    assert_eq!(story.comes(alert("z", AlertSeverity::Critical, "b")), "suppressed");
    story.proves_whole();
}

#[test]
fn a_source_that_is_no_longer_said_to_fire_keeps_nobody_quiet() {
    let mut story = Story::with_rules(vec![worse()]);
    let mut aging = critical("db");
    aging.expires_at = Some(story.clock.now() + SignedDuration::from_mins(5));
    story.comes(aging);
    story.comes(warning("disk"));
    story.passes(6);
    let hearing = nodes::Hearing { since: Timestamp::MIN, until: story.clock.now() };
    story.ask(Command::AlertDue { alert: 1, hearing }).unwrap();
    assert_eq!(story.looks(), 1);
    assert_eq!(story.mark_of("disk"), None);
    story.proves_whole();
}

#[test]
fn a_rule_that_has_gone_keeps_nobody_quiet_and_a_new_one_knows_what_fires() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    story.comes(warning("disk"));
    story.reads_rules(Vec::new());
    assert_eq!(story.looks(), 1);
    assert_eq!(story.paged(), ["maya", "maya"]);
    // Nothing is kept of any rule, nor written while there is none.
    story.comes(critical("cache"));
    let kept = |story: &mut Story| {
        story.look(|tx| tx.query_one("select count(*) from inhibitor", &[], |row| row.int(0))).unwrap()
    };
    assert_eq!(kept(&mut story), 0);
    story.reads_rules(vec![worse()]);
    // Each of the two is found by those that fit the target alone, and by those that fit both sides.
    assert_eq!(kept(&mut story), 4);
    assert_eq!(story.comes(warning("cpu")), "suppressed");
    // Another place in the configuration is the same rule.
    story.reads_rules(vec![rule("a=\"b\"", "c=\"d\"", &[]), worse()]);
    assert_eq!(story.looks(), 0);
    assert_eq!(story.mark_of("cpu").as_deref(), Some("inhibit:1"));
    story.proves_whole();
}

#[test]
fn a_changed_rule_holds_on_to_what_it_still_fits() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    story.comes(warning("disk"));
    story.reads_rules(vec![rule("severity=\"critical\"", "severity=~\"warning|info\"", &["cluster"])]);
    assert_eq!(story.looks(), 1);
    assert_eq!(story.mark_of("disk").as_deref(), Some("inhibit:1"));
    assert_eq!(story.paged(), ["maya"]);
    assert_eq!(story.looks(), 0);
    story.proves_whole();
}

#[test]
fn what_is_kept_quiet_and_gets_worse_wakes_people_at_once() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    story.comes(warning("disk"));
    assert_eq!(story.comes(alert("disk", AlertSeverity::Critical, "a")), "opened");
    assert_eq!(story.paged(), ["maya", "maya"]);
    // And what gets better keeps nobody quiet any more.
    story.comes(warning("cpu"));
    story.comes(warning("db"));
    story.comes(over(critical("disk")));
    assert_eq!(story.looks(), 1);
    assert_eq!(story.paged().len(), 3);
    story.proves_whole();
}

#[test]
fn an_alert_of_an_open_incident_joins_it_all_the_same() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(warning("disk"));
    story.comes(critical("db"));
    story.ask(story.delivery("other", vec![warning("disk")])).unwrap();
    assert_eq!(story.outcomes(vec![over(warning("disk")), warning("disk")]), ["resolved", "joined"]);
    story.proves_whole();
}

#[test]
fn a_silence_and_an_inhibition_hold_one_after_the_other() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    let now = story.clock.now();
    let silence = Silence {
        id: String::new(),
        source: Some("prom".into()),
        matchers: read_all("cluster=\"a\"").unwrap(),
        starts_at: now,
        ends_at: now + SignedDuration::from_mins(10),
        created_by: "maya".into(),
        comment: "new disks".into(),
        updated_at: now,
    };
    let fresh = "00000000-0000-4000-8000-000000000001".to_owned();
    story.ask(Command::PutSilence { silence, fresh: fresh.clone() }).unwrap();
    story.comes(warning("disk"));
    assert_eq!(story.mark_of("disk"), Some(fresh));
    story.passes(11);
    assert_eq!(story.looks(), 1);
    assert_eq!(story.mark_of("disk").as_deref(), Some("inhibit:1"));
    story.comes(over(critical("db")));
    assert_eq!(story.looks(), 1);
    assert_eq!(story.paged(), ["maya", "maya"]);
    story.proves_whole();
}

#[test]
fn rules_see_alerts_as_routes_leave_them() {
    let mut story = Story::new();
    let mut rules = (*house().rules).clone();
    rules.inhibit = vec![worse()];
    let set = Set { severity: Some(AlertSeverity::Critical), ..Set::default() };
    rules.routes = vec![route::Route { matchers: read_all("key=\"db\"").unwrap(), to: To::Set(set) }];
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    assert_eq!(story.outcomes(vec![warning("disk"), warning("db")]), ["suppressed", "opened"]);
    story.proves_whole();
}

#[test]
fn many_that_are_kept_quiet_are_all_looked_at_when_rules_are_new() {
    let mut story = Story::with_rules(Vec::new());
    let many: Vec<Event> = (0..1201).map(|number| critical(&format!("c{number:04}"))).collect();
    for events in many.chunks(400) {
        story.outcomes(events.to_vec());
    }
    story.reads_rules(vec![worse()]);
    let kept = story.look(|tx| tx.query_one("select count(*) from inhibitor", &[], |row| row.int(0)));
    assert_eq!(kept, Some(2402));
}

#[test]
fn what_people_ended_keeps_nobody_quiet() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    assert_eq!(story.comes(warning("disk")), "suppressed");
    let acts = [Act::Answer { help: false }, Act::Resolve { term: 1, false_alarm: false }];
    for act in acts {
        story.act(1, "maya", act).unwrap();
    }
    assert_eq!(story.looks(), 1);
    assert_eq!(story.mark_of("disk"), None);
    assert_eq!(story.comes(warning("cpu")), "opened");
    story.proves_whole();
}

#[test]
fn what_is_held_remembers_what_holds_it_now() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    let of_b = || Event { key: "db-b".into(), ..alert("db-b", AlertSeverity::Critical, "b") };
    story.comes(of_b());
    assert_eq!(story.comes(warning("disk")), "suppressed");
    // It says that it is of another cluster, where something worse fires too.
    assert_eq!(story.comes(alert("disk", AlertSeverity::Warning, "b")), "repeated");
    assert_eq!(story.mark_of("disk").as_deref(), Some("inhibit:2"));
    story.comes(over(of_b()));
    assert_eq!(story.looks(), 1);
    assert_eq!(story.mark_of("disk"), None);
    story.proves_whole();
}

#[test]
fn what_is_kept_quiet_names_what_keeps_it_quiet_now() {
    let mut story = Story::with_rules(vec![worse()]);
    story.comes(critical("db"));
    story.comes(critical("cache"));
    story.comes(warning("disk"));
    story.comes(warning("cpu"));
    assert_eq!(story.mark_of("disk").as_deref(), Some("inhibit:1"));
    story.comes(over(critical("db")));
    assert_eq!(story.looks(), 2);
    assert_eq!(story.mark_of("disk").as_deref(), Some("inhibit:2"));
    assert_eq!(story.mark_of("cpu").as_deref(), Some("inhibit:2"));
    assert_eq!(story.looks(), 0);
    // It is said to be less bad than it was, and keeps nobody quiet any more.
    story.comes(critical("db"));
    story.comes(warning("cache"));
    assert_eq!(story.looks(), 2);
    assert_eq!(story.mark_of("disk").as_deref(), Some("inhibit:1"));
    assert_eq!(story.looks(), 0);
    story.proves_whole();
}
