//! Stories of the delivery drill: every letter that leaves, when, and what is told at the end. Nothing else may leave.

use jiff::SignedDuration;
use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;

use super::stories::{Story, house};
use super::*;
use crate::core::decide::Act;
use crate::core::delivery_drill::{Plan, State};
use crate::core::oncall::Leave;
use crate::core::reach::{Quiet, Way};
use crate::core::rules::Rules;
use crate::core::timeline::Route;
use crate::house::House;
use crate::render::Words;
use crate::store::drills::{self, Seen};
use crate::store::nodes::{Hearing, Node, Present};
use crate::store::{letters, roster};

/// Tuesdays at ten of UTC; maya administers the house and has a push besides.
pub(super) fn with_a_drill() -> Rules {
    let mut rules = (*house().rules).clone();
    let plan = Plan {
        day: Weekday::Tuesday,
        time: time(10, 0, 0, 0),
        time_zone: Some(TimeZone::UTC),
        ..Plan::default()
    };
    rules.delivery_drill = Some(plan);
    let maya = rules.people.get_mut("maya").unwrap();
    (maya.administrator, maya.full_name) = (true, "Maya Lind".into());
    maya.ways = vec![Way {
        name: "push".into(),
        to: "maya-push".into(),
        after: SignedDuration::from_mins(2),
        severities: vec![Severity::Sev1],
        notices: false,
    }];
    rules
}

/// What a test is: by which way, to whom, and the hash of its link.
pub(super) struct Got {
    pub(super) claim: Claim,
    pub(super) words: Words,
}

impl Got {
    pub(super) fn name(&self) -> String {
        let way = if self.claim.channel.is_empty() { "mail" } else { &self.claim.channel };
        format!("{way} {} {}: {}", self.claim.kind.as_str(), self.claim.person, self.words.subject)
    }

    pub(super) fn link(&self) -> [u8; 32] {
        tokens::link_hash(self.words.answer.as_deref().unwrap().rsplit('/').next().unwrap())
    }
}

impl Story {
    pub(super) fn of_drills(rules: &Rules) -> Self {
        let story = Self::new();
        story.has_rules(rules);
        story.drill_hour("2026-11-30T08:00");
        story
    }

    pub(super) fn has_rules(&self, rules: &Rules) {
        let config_hash = format!("{:?}", rules.delivery_drill);
        self.committer.house.swap(House { rules: Arc::new(rules.clone()), config_hash, ..house() });
    }

    pub(super) fn drill_hour(&self, hour: &str) {
        let at: Timestamp = format!("{hour}:00Z").parse().unwrap();
        self.clock.forward(at.duration_since(self.clock.now()));
    }

    /// The worker looks until there is nothing more to do; whether there was anything. It asks the door only where it finds
    /// something, and then the door does too.
    pub(super) fn drill_looks(&mut self) -> bool {
        let mut did = false;
        for _ in 0..20 {
            let house = self.committer.house.get();
            let due = self.look(|tx| {
                let said = roster::said(tx, &house.rules, tx.now)?;
                drill_due(tx, &house, &said)
            });
            let Reply::Looked(done) = self.ask(Command::Drill(Drilling::Look)).unwrap() else {
                panic!("another answer")
            };
            assert_eq!(done, due.0, "the worker and the door");
            if !done {
                return did;
            }
            did = true;
        }
        panic!("it never ends");
    }

    /// The same for some seconds, in which one person is asked after the other.
    pub(super) fn looks_for_a_while(&mut self) {
        for _ in 0..5 {
            self.drill_looks();
            self.clock.forward(SignedDuration::from_secs(1));
        }
    }

    /// Every letter that leaves now, in the hands of who carries it.
    pub(super) fn tests_got(&mut self) -> Vec<Got> {
        let mut all = Vec::new();
        for (channel, _) in self.look(letters::channels_due) {
            for claim in self.claim(&channel) {
                let words = serde_json::from_str(&claim.payload).unwrap();
                all.push(Got { claim, words });
            }
        }
        all
    }

    pub(super) fn gets_names(&mut self) -> Vec<String> {
        let all = self.tests_got();
        let names = all.iter().map(Got::name).collect();
        all.into_iter().for_each(|got| self.is_taken(got.claim));
        names
    }

    pub(super) fn is_taken(&mut self, claim: Claim) {
        self.settle(claim, Settlement::Accepted { remote_id: None });
    }

    pub(super) fn presses(&mut self, link: [u8; 32]) {
        self.ask(Command::Reach(Asked::Confirmed(link))).unwrap();
    }

    pub(super) fn drill_seen(&mut self) -> Seen {
        self.look(drills::seen)
    }

    /// How everybody stands: `maya answered by push`.
    pub(super) fn stand(&mut self) -> Vec<String> {
        let seen = self.drill_seen();
        let by = |way: &Option<String>| way.as_ref().map(|way| format!(" by {way}")).unwrap_or_default();
        seen.people
            .iter()
            .map(|one| format!("{} {}{}", one.person, one.state.as_str(), by(&one.way)))
            .collect()
    }

    pub(super) fn last_state(&mut self) -> String {
        let last = self.drill_seen().last.unwrap();
        format!("{} missed {}", last.state, last.missed)
    }

    /// The number of all letters there ever were, and of weeks that had a drill.
    pub(super) fn drills_counted(&mut self) -> (i64, i64) {
        let count =
            |story: &mut Self, sql: &str| story.look(|tx| tx.query_one(sql, &[], |row| row.int(0))).unwrap();
        let weeks =
            "select count(*) from delivery_drill where week is not null and state in ('running', 'over')";
        (count(self, "select count(*) from letter"), count(self, weeks))
    }

    pub(super) fn is_at_sea(&mut self, person: &str, hours: i64) {
        let now = self.clock.now();
        let leave = Leave {
            id: format!("{person:0>22}"),
            person: person.into(),
            from: now,
            until: now + SignedDuration::from_hours(hours),
            author: "tom".into(),
            reason: "the sea".into(),
            created_at: now,
            ended_by: None,
        };
        self.ask(Command::Roster(Change::Away(leave))).unwrap();
    }

    pub(super) fn begins_now(&mut self, by: &str) -> Result<i64, DoorError> {
        match self.ask(Command::Drill(Drilling::Now { asked_by: by.into() }))? {
            Reply::Drilled(number) => Ok(number),
            _ => panic!("another answer"),
        }
    }
}

const TEST: &str = "TEST of your pages: nothing is wrong";

fn tests(whom: &[&str]) -> Vec<String> {
    whom.iter().map(|one| format!("{one}: {TEST}").replacen(' ', " page ", 1)).collect()
}

#[test]
fn everybody_is_asked_once_by_every_way_and_who_does_not_answer_is_reported_once() {
    let mut story = Story::of_drills(&with_a_drill());
    assert!(story.drill_looks(), "its hour is written down");
    assert!(!story.drill_looks());
    assert_eq!(story.drill_seen().next.unwrap().at.to_string(), "2026-12-01T10:00:00Z");
    story.drill_hour("2026-12-01T09:59");
    assert!(!story.drill_looks() && story.tests_got().is_empty());
    story.drill_hour("2026-12-01T10:00");
    story.drill_looks();
    // One after the other, so that a page of the same moment comes through.
    let first = story.tests_got();
    assert_eq!(first.iter().map(Got::name).collect::<Vec<_>>(), tests(&["mail kim"]));
    story.looks_for_a_while();
    let rest = story.tests_got();
    assert_eq!(
        rest.iter().map(Got::name).collect::<Vec<_>>(),
        tests(&["mail maya", "mail tom", "push maya"])
    );
    for got in first.iter().chain(&rest) {
        let Words { text, short, event_type, .. } = &got.words;
        assert!(text.starts_with("TEST: nothing is wrong.") && short.starts_with("TEST"), "{text}");
        assert!(text.contains("awaited until Wed 2026-12-02 10:00 UTC"), "{text}");
        assert_eq!((got.claim.incident, event_type.as_str()), (0, "test"));
    }
    // Kim answers by mail, maya by push and later by mail too; tom's relay does not know him.
    story.presses(first[0].link());
    let links: Vec<[u8; 32]> = rest.iter().map(Got::link).collect();
    for (index, got) in first.into_iter().chain(rest).enumerate() {
        match index {
            2 => {
                let why = "550 tom@example.net no such user".into();
                story.settle(got.claim, Settlement::Refused { why });
            }
            _ => story.is_taken(got.claim),
        }
    }
    story.passes(60);
    story.presses(links[2]);
    story.presses(links[0]);
    assert_eq!(story.stand(), ["kim answered by mail", "maya answered by push", "tom asked"]);
    let tom = story.drill_seen().people.remove(2);
    assert!(tom.ways[0].failed(), "known at once: {tom:?}");
    assert!(!story.drill_looks() && story.tests_got().is_empty(), "his hour has not come");
    story.drill_hour("2026-12-02T10:00");
    story.looks_for_a_while();
    assert_eq!(story.last_state(), "over missed 1");
    let report = story.tests_got();
    let names: Vec<String> = report.iter().map(Got::name).collect();
    assert_eq!(names, ["mail notice maya: Delivery drill: 1 did not answer"]);
    insta::assert_snapshot!(report[0].words.text, @r"
    1 of 3 did not answer the delivery drill.

    It began Tue 2026-12-01 10:00 UTC.

    Did not answer:
    - tom: mail refused (550 no such user)

    Answered:
    - kim, by mail
    - Maya Lind (maya), by push

    What to do: ask them whether anything came, and where. `onscene oncall test PERSON` tries all ways of one person again; addresses are the `email` and `ways` of a [[person]]. A way that nobody ever confirms may as well not be there.

    http://localhost/oncall
    ");
    // What becomes of the report is told of no test of her address.
    for got in report {
        story.settle(got.claim, Settlement::Refused { why: "552 full".into() });
    }
    let known = story.look(crate::store::reach::all);
    assert!(known.iter().any(|one| one.person == "maya" && one.way == "mail" && one.outcome == "accepted"));
    for day in 2..8 {
        story.drill_hour(&format!("2026-12-0{day}T12:00"));
        story.drill_looks();
    }
    assert_eq!((story.tests_got().len(), story.drills_counted()), (0, (5, 1)));
    story.drill_hour("2026-12-08T10:00");
    story.looks_for_a_while();
    assert_eq!(story.gets_names().len(), 4, "the next week");
    let late = story.stand();
    assert!(late.iter().all(|one| one.ends_with("asked")), "{late:?}");
    story.proves_whole();
}

#[test]
fn a_key_that_is_pressed_in_the_call_of_a_drill_answers_it() {
    let mut rules = with_a_drill();
    rules.people.get_mut("maya").unwrap().ways[0].name = "phone".into();
    let mut story = Story::of_drills(&rules);
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    let calls = story.tests_got();
    let call = calls.iter().find(|got| got.claim.channel == "phone").unwrap();
    let presses = |act| {
        let page = PageOf::Letter(call.claim.id.clone());
        Command::Answer(Answering { page, from: "maya-push".into(), act, route: Route::Voice, once: None })
    };
    assert!(matches!(story.ask(presses(Act::Decline)), Err(DoorError::OtherPage)));
    assert_eq!(story.stand(), ["kim asked", "maya asked", "tom asked"]);
    story.ask(presses(Act::Answer { help: false })).unwrap();
    assert_eq!(story.stand(), ["kim asked", "maya answered by phone", "tom asked"]);
    for got in calls {
        story.is_taken(got.claim);
    }
    story.drill_hour("2026-12-02T10:01");
    story.drill_looks();
    assert_eq!(story.last_state(), "over missed 2");
    story.proves_whole();
}

#[test]
fn when_all_have_answered_it_is_over_and_nobody_hears_of_it() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    for got in story.tests_got() {
        // Mail alone is enough: each way is shown, and one answer is one.
        if got.claim.channel.is_empty() {
            story.presses(got.link());
        }
        story.is_taken(got.claim);
    }
    assert!(story.drill_looks());
    assert_eq!(story.last_state(), "over missed 0");
    assert!(story.tests_got().is_empty());
    assert_eq!(story.look(drills::last).unwrap().0, 0);
    story.proves_whole();
}

#[test]
fn a_way_that_failed_is_reported_although_its_person_answered_by_another() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    for got in story.tests_got() {
        match got.claim.channel.as_str() {
            "push" => story.settle(got.claim, Settlement::Refused { why: "404 no such topic".into() }),
            _ => {
                story.presses(got.link());
                story.is_taken(got.claim);
            }
        }
    }
    story.drill_looks();
    let report = story.tests_got();
    assert_eq!(
        report.iter().map(Got::name).collect::<Vec<_>>(),
        ["mail notice maya: Delivery drill: a way failed"]
    );
    let text = &report[0].words.text;
    assert!(
        text.starts_with("All 3 who were awaited answered the delivery drill, but a way failed.\n"),
        "{text}"
    );
    assert!(
        text.contains("Answered, and a way failed:\n- Maya Lind (maya): mail pressed; push refused (404 no such topic)\n"),
        "{text}"
    );
    story.proves_whole();
}

#[test]
fn who_is_on_leave_is_left_out_and_is_not_reported() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.is_at_sea("tom", 72);
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    assert_eq!(story.gets_names(), tests(&["mail kim", "mail maya", "push maya"]));
    assert_eq!(story.stand(), ["kim asked", "maya asked", "tom away"]);
    // She goes on leave with the test unanswered.
    story.is_at_sea("kim", 48);
    story.drill_hour("2026-12-02T10:01");
    story.drill_looks();
    assert_eq!(story.stand(), ["kim away", "maya missed", "tom away"]);
    assert_eq!(story.last_state(), "over missed 1");
    let report = story.tests_got().remove(0).words.text;
    assert!(report.starts_with("1 of 1 did not answer"), "{report}");
    assert!(report.contains("Left out:\n- kim: on leave\n- tom: on leave\n"), "{report}");
    story.proves_whole();
}

#[test]
fn in_quiet_hours_it_waits_until_they_are_over() {
    let mut rules = with_a_drill();
    let quiet =
        Quiet { hours: vec![(time(9, 0, 0, 0), time(13, 0, 0, 0))], severities: vec![Severity::Sev4] };
    rules.people.get_mut("tom").unwrap().quiet = Some(quiet);
    let mut story = Story::of_drills(&rules);
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    assert_eq!(story.gets_names(), tests(&["mail kim", "mail maya", "push maya"]));
    story.drill_hour("2026-12-01T12:59");
    assert!(!story.drill_looks() && story.tests_got().is_empty());
    story.drill_hour("2026-12-01T13:00");
    story.drill_looks();
    assert_eq!(story.gets_names(), tests(&["mail tom"]));
    story.drill_hour("2026-12-02T12:00");
    story.drill_looks();
    assert_eq!(story.last_state(), "running missed 0", "he has his day, too");
    story.drill_hour("2026-12-02T13:01");
    story.drill_looks();
    assert_eq!(story.last_state(), "over missed 3");
    story.proves_whole();
}

#[test]
fn each_is_asked_at_the_hour_of_their_own_clock() {
    let mut rules = with_a_drill();
    rules.delivery_drill.as_mut().unwrap().time_zone = None;
    for (name, zone) in [("tom", "Asia/Tokyo"), ("kim", "America/New_York")] {
        rules.people.get_mut(name).unwrap().time_zone = TimeZone::get(zone).unwrap();
    }
    let mut story = Story::of_drills(&rules);
    story.drill_looks();
    for (before, hour, whom) in [
        ("2026-12-01T00:59", "2026-12-01T01:00", &["mail tom"][..]),
        ("2026-12-01T09:59", "2026-12-01T10:00", &["mail maya", "push maya"]),
        ("2026-12-01T14:59", "2026-12-01T15:00", &["mail kim"]),
    ] {
        story.drill_hour(before);
        story.drill_looks();
        assert!(story.tests_got().is_empty(), "before {hour}");
        story.drill_hour(hour);
        story.looks_for_a_while();
        assert_eq!(story.gets_names(), tests(whom), "{hour}");
    }
    assert_eq!(story.drills_counted().1, 1);
    story.proves_whole();
}

#[test]
fn a_daemon_that_was_down_makes_up_for_it_within_hours_and_leaves_out_what_is_older() {
    for (back, asked) in [("2026-12-01T13:59", 4), ("2026-12-01T14:01", 0), ("2026-12-06T10:00", 0)] {
        let mut story = Story::of_drills(&with_a_drill());
        story.drill_looks();
        story.drill_hour(back);
        story.looks_for_a_while();
        assert_eq!(story.gets_names().len(), asked, "{back}");
        if asked == 0 {
            let seen = story.drill_seen();
            let why = seen.skipped.unwrap().why.unwrap();
            assert!(why.contains("no daemon was there") && seen.last.is_none(), "{why}");
        }
        let next = story.drill_seen().next.unwrap();
        assert_eq!(next.at.to_string(), "2026-12-08T10:00:00Z", "{back}");
        story.proves_whole();
    }
}

#[test]
fn who_could_not_be_asked_at_their_hour_is_left_out_and_is_no_miss() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.drill_looks();
    assert_eq!(story.gets_names(), tests(&["mail kim"]));
    // The daemon is down before the others were asked.
    story.drill_hour("2026-12-01T16:00");
    story.drill_looks();
    assert_eq!(story.stand(), ["kim asked", "maya late", "tom late"]);
    story.drill_hour("2026-12-02T10:01");
    story.drill_looks();
    assert_eq!(story.last_state(), "over missed 1");
    story.proves_whole();
}

#[test]
fn a_house_that_gets_its_drill_after_the_hour_begins_in_the_next_week() {
    let mut story = Story::of_drills(&house().rules.as_ref().clone());
    story.drill_hour("2026-12-01T11:00");
    assert!(!story.drill_looks(), "nobody asked for one");
    story.has_rules(&with_a_drill());
    story.looks_for_a_while();
    assert!(story.tests_got().is_empty());
    assert_eq!(story.drill_seen().next.unwrap().at.to_string(), "2026-12-08T10:00:00Z");
    // And is rid of it again.
    story.has_rules(&house().rules);
    assert!(story.drill_looks());
    assert!(story.drill_seen().next.is_none());
    story.proves_whole();
}

#[test]
fn two_nodes_that_see_the_same_hour_hold_one_drill() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    let (clock, place) = (story.clock.clone(), story.committer.place.clone());
    let (_door, mut other) = door(
        Room { queue_max: 16, spool: None },
        Connection::writer(&place, &clock).unwrap(),
        place,
        clock,
        story.committer.house.clone(),
        Arc::new(Metrics::new(0.0).unwrap()),
        Wakes::default(),
    );
    let mut looks = || match other.at_once(Command::Drill(Drilling::Look)).unwrap() {
        Reply::Looked(did) => did,
        _ => panic!("another answer"),
    };
    story.drill_hour("2026-12-01T10:00");
    assert!(looks(), "it begins");
    let look = || Command::Drill(Drilling::Look);
    // In one transaction too, whoever asked.
    let did: Vec<bool> = story
        .ask_all(vec![look(), look(), look()])
        .into_iter()
        .map(|reply| matches!(reply, Ok(Reply::Looked(true))))
        .collect();
    // The next week is written down, and the first is asked.
    assert_eq!(did, [true, true, false]);
    assert!(!looks());
    for _ in 0..5 {
        story.clock.forward(SignedDuration::from_secs(1));
        looks();
        story.drill_looks();
    }
    assert_eq!(story.gets_names(), tests(&["mail kim", "mail maya", "mail tom", "push maya"]));
    story.drill_hour("2026-12-02T10:01");
    while looks() {}
    assert!(!story.drill_looks());
    assert_eq!(story.gets_names(), ["mail notice maya: Delivery drill: 3 did not answer"]);
    assert_eq!(story.drills_counted(), (5, 1));
    story.proves_whole();
}

#[test]
fn nodes_that_differ_in_their_configuration_leave_the_hour_as_it_is_until_they_agree() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    let mut later = with_a_drill();
    later.delivery_drill.as_mut().unwrap().day = Weekday::Friday;
    let says = |story: &mut Story, name: &str, rules: &Rules| {
        let now = story.clock.now();
        let node = Node {
            name: name.into(),
            config_hash: format!("{:?}", rules.delivery_drill),
            version: "1".into(),
        };
        let present = Present {
            id: name.into(),
            node,
            hearing: Hearing { since: now, until: now },
            place: None,
            comes: true,
        };
        story.ask(Command::Beat(Box::new(present))).unwrap();
    };
    says(&mut story, "web-1", &later);
    says(&mut story, "web-2", &with_a_drill());
    story.has_rules(&later);
    assert!(!story.drill_looks());
    assert_eq!(story.drill_seen().next.unwrap().at.to_string(), "2026-12-01T10:00:00Z");
    says(&mut story, "web-2", &later);
    assert!(story.drill_looks());
    assert_eq!(story.drill_seen().next.unwrap().at.to_string(), "2026-12-04T10:00:00Z");
    story.proves_whole();
}

#[test]
fn a_restart_in_the_middle_asks_nobody_twice_and_forgets_nobody() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.drill_looks();
    assert_eq!(story.gets_names(), tests(&["mail kim"]));
    // Killed, and there again.
    let (clock, place) = (story.clock.clone(), story.committer.place.clone());
    let (_door, committer) = door(
        Room { queue_max: 16, spool: None },
        Connection::writer(&place, &clock).unwrap(),
        place,
        clock,
        story.committer.house.clone(),
        story.metrics.clone(),
        Wakes::default(),
    );
    story.committer = committer;
    story.looks_for_a_while();
    assert_eq!(story.gets_names(), tests(&["mail maya", "mail tom", "push maya"]));
    assert_eq!(story.drills_counted(), (4, 1));
    story.proves_whole();
}

#[test]
fn a_clock_that_was_ahead_takes_no_week_from_anybody() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    // For a moment it is a Tuesday of the next year.
    story.drill_hour("2027-06-01T10:00");
    story.drill_looks();
    assert!(story.tests_got().is_empty(), "what was planned is long over");
    story.drill_hour("2027-06-08T10:00");
    story.drill_looks();
    assert_eq!(story.gets_names(), tests(&["mail kim"]), "believed");
    story.drill_hour("2026-12-01T09:00");
    story.looks_for_a_while();
    assert!(story.tests_got().is_empty(), "nobody is asked in a drill that never was");
    assert_eq!(story.drill_seen().next.unwrap().at.to_string(), "2026-12-01T10:00:00Z");
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    assert_eq!(story.gets_names().len(), 4);
    // A little further back, and again to its hour: it has been.
    story.drill_hour("2026-12-01T09:30");
    assert!(!story.drill_looks());
    story.drill_hour("2026-12-01T10:10");
    assert!(!story.drill_looks());
    assert_eq!((story.tests_got().len(), story.drills_counted()), (0, (5, 1)));
    story.proves_whole();
}

#[test]
fn somebody_asks_for_one_now_and_that_of_the_week_is_left_out_meanwhile() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-11-30T12:00");
    assert_eq!(story.begins_now("maya").unwrap(), 2);
    assert!(story.begins_now("maya").unwrap_err().to_string().contains("drill 2 is under way"));
    story.looks_for_a_while();
    assert_eq!(story.gets_names(), tests(&["mail kim", "mail maya", "mail tom", "push maya"]));
    assert_eq!(story.drill_seen().last.unwrap().asked_by.as_deref(), Some("maya"));
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    assert!(story.tests_got().is_empty());
    let seen = story.drill_seen();
    assert!(seen.skipped.unwrap().why.unwrap().contains("another one was under way"));
    assert_eq!(seen.next.unwrap().at.to_string(), "2026-12-08T10:00:00Z");
    story.drill_hour("2026-12-01T12:01");
    story.drill_looks();
    assert_eq!(story.gets_names(), ["mail notice maya: Delivery drill: 3 did not answer"]);
    story.proves_whole();
}

#[test]
fn a_house_without_the_table_is_tried_when_somebody_asks_and_at_no_other_time() {
    let mut rules = with_a_drill();
    rules.delivery_drill = None;
    let mut story = Story::of_drills(&rules);
    assert!(!story.drill_looks());
    story.begins_now("maya").unwrap();
    story.looks_for_a_while();
    assert_eq!(story.gets_names().len(), 4);
    story.passes(24 * 60 + 1);
    story.drill_looks();
    assert_eq!(story.gets_names(), ["mail notice maya: Delivery drill: 3 did not answer"]);
    assert!(!story.drill_looks() && story.drill_seen().next.is_none());
    story.proves_whole();
    // There is nobody to try.
    let mut story = Story::of_drills(&Rules { people: rules.people, ..Rules::default() });
    assert!(story.begins_now("maya").unwrap_err().to_string().contains("nobody takes part"));
    assert!(story.drill_seen().last.is_none());
    story.proves_whole();
}

#[test]
fn who_answers_too_late_has_missed_it_and_it_is_written_down_that_they_came() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    let links: Vec<[u8; 32]> = story.tests_got().iter().map(Got::link).collect();
    story.drill_hour("2026-12-02T10:01");
    story.drill_looks();
    story.presses(links[0]);
    let kim = story.drill_seen().people.remove(0);
    assert_eq!((kim.state, kim.way.as_deref()), (State::Missed, Some("mail")));
    assert!(kim.answered_at.is_some());
    assert_eq!(story.last_state(), "over missed 3");
    story.proves_whole();
}

#[test]
fn who_left_the_configuration_is_not_awaited_any_more() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.drill_looks();
    let mut rules = with_a_drill();
    rules.people.remove("kim");
    rules.people.remove("tom");
    story.has_rules(&rules);
    story.looks_for_a_while();
    story.gets_names();
    story.drill_hour("2026-12-02T10:01");
    story.drill_looks();
    assert_eq!(story.stand(), ["kim gone", "maya missed", "tom gone"]);
    story.proves_whole();
}

#[test]
fn drills_are_forgotten_after_a_month_but_for_the_last() {
    let mut story = Story::of_drills(&with_a_drill());
    let rows = |story: &mut Story, table: &str| {
        let sql = format!("select count(*) from {table}");
        story.look(|tx| tx.query_one(&sql, &[], |row| row.int(0))).unwrap()
    };
    story.drill_looks();
    for day in ["2026-12-01", "2026-12-08", "2026-12-15"] {
        story.drill_hour(&format!("{day}T10:00"));
        story.looks_for_a_while();
        story.gets_names();
        story.passes(24 * 60 + 1);
        story.drill_looks();
        story.gets_names();
    }
    assert_eq!((rows(&mut story, "delivery_drill"), rows(&mut story, "delivery_drill_person")), (4, 9));
    story.drill_hour("2027-02-20T12:00");
    story.has_rules(&house().rules);
    story.drill_looks();
    story.ask(Command::Forget).unwrap();
    assert_eq!((rows(&mut story, "delivery_drill"), rows(&mut story, "delivery_drill_person")), (1, 3));
    assert_eq!(story.last_state(), "over missed 3");
    story.proves_whole();
}

#[test]
fn a_drill_is_no_page_of_any_report() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    for got in story.tests_got() {
        story.settle(got.claim, Settlement::Refused { why: "550".into() });
    }
    let text = story.metrics.text().unwrap();
    assert!(!text.contains("onscene_pages_total{"), "{text}");
    let page = story.look(|tx| crate::store::load::page(tx, (Timestamp::MIN, Timestamp::MAX), 0, 100));
    assert!(page.0.is_empty() && page.1.is_none());
    let entries = "select count(*) from entry";
    assert_eq!(story.look(|tx| tx.query_one(entries, &[], |row| row.int(0))), Some(0));
    story.proves_whole();
}
