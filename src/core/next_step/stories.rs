//! State by state: who is told to do what.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::core::board::{End, Trend};
use crate::core::decide::{Act, Bid, By, Opening, Write, decide, open};
use crate::core::escalation::Staff;
use crate::core::incident::Severity;
use crate::core::rules::CommandRules;
use crate::core::stories::{begin, house as usual, source};
use crate::core::timeline::{Actor, Route};

pub(in crate::core) fn house() -> Rules {
    let mut rules = usual();
    rules.people.get_mut("cto").unwrap().administrator = true;
    rules.people.get_mut("maya").unwrap().full_name = "Maya Lind".into();
    Rules { command: CommandRules::usual(), ..rules }
}

pub(in crate::core) fn begun(rules: &Rules) -> Incident {
    let opening = Opening {
        title: "checkout down".into(),
        service: "shop".into(),
        severity: Severity::Sev1,
        alert: Some(("pingdom".into(), "db-1".into())),
        group: None,
        storm: false,
    };
    open(1, opening, &source(), Staff::as_configured(rules), begin()).unwrap().incident
}

struct Night {
    rules: Rules,
    incident: Incident,
    now: Timestamp,
}

impl Night {
    fn new() -> Self {
        let rules = house();
        Self { incident: begun(&rules), rules, now: begin() }
    }

    /// Maya commands and is on scene, has sized it up and set an objective; tom is on scene.
    fn under_way() -> Self {
        let mut night = Self::new();
        night.does("maya", Act::CheckIn);
        night.does("tom", Act::CheckIn);
        night.writes("maya", Write::SizeUp { text: "all orders fail".into() });
        night.writes("maya", Write::Objective { text: "orders go through".into(), term: 1 });
        night
    }

    fn at(&mut self, minute: i64) -> &mut Self {
        self.now = begin() + SignedDuration::from_mins(minute);
        self
    }

    fn does(&mut self, who: &str, act: Act) {
        let actor = if who == "onscene" { Actor::Dispatch } else { Actor::Person(who.into()) };
        let by = By { actor, route: Route::Page, occurred_at: None };
        let decided = decide(&self.incident, act, &by, Staff::as_configured(&self.rules), self.now);
        self.incident = decided.unwrap_or_else(|refusal| panic!("{who}: {refusal}")).incident;
    }

    fn writes(&mut self, who: &str, write: Write) {
        self.does(who, Act::Board(write));
    }

    fn bids(&mut self, who: &str, bid: Bid) {
        self.does(who, Act::Command(bid));
    }

    fn step(&self, who: &str) -> Step {
        let acts = who != "viewer";
        let reader = Reader { person: Some(who), acts, zone: TimeZone::UTC };
        next_step(&self.incident, &reader, &self.rules, self.now)
    }

    /// The kind, and what the buttons do.
    fn told(&self, who: &str) -> (Kind, Vec<Does>) {
        let step = self.step(who);
        assert!(!step.text.is_empty() && step.buttons.len() <= 3, "{step:?}");
        for button in &step.buttons {
            self.is_taken(who, button);
        }
        (step.kind, step.buttons.iter().map(|button| button.does).collect())
    }

    /// What a button asks for is not refused.
    fn is_taken(&self, who: &str, button: &Button) {
        let term = self.incident.term;
        let act = match button.does {
            Does::Verb("assume") => Act::Command(Bid::Assume { reason: String::new() }),
            Does::Verb("check-in") => Act::CheckIn,
            Does::Verb("heard") => Act::Command(Bid::Heard { term }),
            Does::Verb("resolve") => Act::Resolve { term, false_alarm: false },
            Does::Verb("ack") => Act::Answer { help: false },
            _ => return,
        };
        let by = By { actor: Actor::Person(who.into()), route: Route::Page, occurred_at: None };
        let decided = decide(&self.incident, act, &by, Staff::as_configured(&self.rules), self.now);
        assert!(decided.is_ok(), "{who}, {button:?}: {:?}", decided.err());
    }

    fn only(&self, who: &str) -> (Kind, &'static str) {
        let (kind, does) = self.told(who);
        match does.first() {
            Some(Does::Verb(verb)) => (kind, verb),
            Some(Does::Brief) => (kind, "brief"),
            Some(Does::Part(part)) => (kind, part),
            None => (kind, ""),
        }
    }
}

#[test]
fn who_looks_at_what_nobody_has_is_asked_to_take_it_and_a_viewer_gets_words_only() {
    let night = Night::new();
    for who in ["maya", "kim"] {
        assert_eq!(night.told(who), (Kind::Take, vec![Does::Verb("ack"), Does::Verb("ack")]));
    }
    assert!(night.step("maya").text.contains("you were paged"));
    assert!(!night.step("kim").text.contains("you were paged"));
    assert_eq!(night.step("maya").buttons[1].fields, [("help", "true".to_owned())]);
    assert_eq!(night.told("viewer"), (Kind::Take, vec![]));
    let program = Reader { person: None, acts: true, zone: TimeZone::UTC };
    assert!(next_step(&night.incident, &program, &night.rules, night.now).buttons.is_empty());
}

#[test]
fn who_commands_arrives_sizes_it_up_and_sets_an_objective_one_after_the_other() {
    let mut night = Night::new();
    night.does("maya", Act::Answer { help: false });
    assert_eq!(night.only("maya"), (Kind::Arrive, "check-in"));
    night.does("maya", Act::CheckIn);
    assert_eq!(night.only("maya"), (Kind::SizeUp, "size-up"));
    assert_eq!(night.step("maya").buttons[0].asks.unwrap().0, "text");
    night.writes("maya", Write::SizeUp { text: "all orders fail".into() });
    assert_eq!(night.only("maya"), (Kind::Objective, "objective"));
    night.writes("maya", Write::Objective { text: "orders go through".into(), term: 1 });
    let step = night.step("maya");
    assert_eq!((step.kind, night.only("maya").1), (Kind::Nothing, "mitigate"));
    assert!(step.text.contains("The next report is due 02:10 UTC (in 10 min)"), "{}", step.text);
}

#[test]
fn a_report_is_due_at_its_hour_and_is_answered_by_one_press() {
    let mut night = Night::under_way();
    night.at(9);
    assert_eq!(night.step("maya").kind, Kind::Nothing);
    night.at(10);
    assert_eq!(night.told("maya"), (Kind::Report, vec![Does::Verb("report"); 3]));
    // That the daemon has asked for it changes nothing.
    night.does("onscene", Act::TICK);
    assert_eq!(night.step("maya").kind, Kind::Report);
    night.writes("maya", Write::Report { trend: Trend::Same, text: String::new() });
    assert_eq!(night.step("maya").kind, Kind::Nothing);
}

#[test]
fn who_was_asked_for_a_sign_of_life_gives_one_and_past_the_lease_others_may_take_command() {
    let mut night = Night::under_way();
    night.bids("maya", Bid::Assign { office: Office::Deputy, person: "tom".into(), term: 1 });
    night.bids("tom", Bid::Accept { office: Some(Office::Deputy), term: None, brief: None });
    night.does("kim", Act::CheckIn);
    let ask = |night: &mut Night, asked: u32| {
        for minute in 15..90 {
            night.at(minute);
            while night.incident.due_at().is_some_and(|due| due <= night.now) {
                night.does("onscene", Act::TICK);
            }
            let Phase::Acknowledged { sign: Some(sign), .. } = &night.incident.phase else { panic!() };
            if sign.asked == asked {
                return;
            }
        }
        panic!("never asked {asked} times");
    };
    ask(&mut night, 1);
    assert_eq!(night.only("maya"), (Kind::SignOfLife, "check-in"));
    assert_eq!(night.only("tom"), (Kind::Assume, "assume"), "the Deputy first");
    // Who was called as PIO says yes or no to that, until there is something that cannot wait.
    assert_eq!(night.only("kim"), (Kind::Office, "accept"));
    ask(&mut night, 2);
    assert_eq!(night.only("kim"), (Kind::Assume, "assume"));
    // What is proposed is taken.
    night.bids("kim", Bid::Assume { reason: String::new() });
    assert_eq!(night.only("maya"), (Kind::Heard, "heard"));
    night.bids("maya", Bid::Heard { term: 2 });
    assert_eq!(night.step("maya").kind, Kind::Nothing);
}

#[test]
fn who_is_offered_command_reads_the_brief_first_and_checks_in_before_that() {
    let mut night = Night::under_way();
    night.bids("tom", Bid::Wish);
    let wish = night.step("maya");
    assert_eq!((wish.kind, wish.buttons[0].fields.as_slice()), (Kind::Wish, &[("to", "tom".to_owned())][..]));
    night.bids("maya", Bid::Offer { to: "tom".into(), term: 1, reason: String::new() });
    assert_eq!(night.told("tom"), (Kind::Offered, vec![Does::Brief, Does::Verb("refuse")]));
    assert!(night.step("tom").text.starts_with("Maya Lind offers you command, until 02:05 UTC (in 5 min)"));
    assert!(night.step("maya").text.contains("tom was offered command"), "{:?}", night.step("maya"));
    night.bids("maya", Bid::Withdraw);
    night.bids("cto", Bid::Relieve { to: "tom".into(), reason: "she was up all night".into() });
    assert!(night.step("tom").text.starts_with("cto orders that you take command"));
    night.does("tom", Act::Command(Bid::Accept { office: None, term: Some(1), brief: None }));
    assert_eq!(night.only("maya"), (Kind::Heard, "heard"));
    // What moved with command is asked of who has it.
    assert_eq!(night.step("tom").kind, Kind::Nothing);
}

#[test]
fn an_office_is_answered_and_the_safety_officer_looks_at_changes() {
    let mut night = Night::under_way();
    night.bids("maya", Bid::Assign { office: Office::Safety, person: "tom".into(), term: 1 });
    let step = night.step("tom");
    assert_eq!((step.kind, step.buttons.len()), (Kind::Office, 2));
    assert!(step.buttons.iter().all(|button| button.fields == [("office", "safety".to_owned())]));
    night.bids("tom", Bid::Accept { office: Some(Office::Safety), term: None, brief: None });
    night.writes("maya", action());
    let step = night.step("tom");
    assert!(step.text.contains("You are Safety Officer") && step.text.contains("one change is in flight"));
    assert_eq!(night.only("tom").1, "changes");
    night.writes("tom", Write::Stop { why: "two at once".into() });
    for who in ["tom", "maya"] {
        assert_eq!(night.only(who), (Kind::Stop, "lift"), "{who}");
    }
    assert!(night.step("maya").text.contains("Your change 1 is in flight"));
    night.does("cto", Act::CheckIn);
    assert_eq!(night.told("cto"), (Kind::Stop, vec![]), "who may not lift it waits");
    night.writes("maya", Write::Lift { why: "it was one".into() });
    assert_eq!(night.only("maya"), (Kind::Change, "end-act"));
}

fn action() -> Write {
    Write::Action { what: "restart".into(), place: "lb1".into(), undo: "start it".into() }
}

#[test]
fn own_work_is_ended_and_a_helper_who_has_none_is_told_to_ask() {
    let mut night = Night::under_way();
    assert_eq!(night.only("tom"), (Kind::Nothing, "findings"));
    let limit = Some(begin() + SignedDuration::from_mins(5));
    night.writes("maya", Write::Task { person: "tom".into(), what: "look at lb1".into(), limit, term: 1 });
    let step = night.step("tom");
    assert_eq!(night.only("tom"), (Kind::Task, "end-task"));
    assert_eq!(step.text, "Your task 1: look at lb1. By 02:05 UTC (in 5 min).");
    night.writes("tom", action());
    assert_eq!(night.only("tom"), (Kind::Change, "end-act"));
    night.writes("tom", Write::EndAction { number: 1, how: End::RolledBack, text: String::new() });
    assert_eq!(night.at(6).only("tom"), (Kind::Task, "end-task"));
    assert!(night.step("tom").text.contains("Its time is over since 02:05 UTC (1 min ago)"));
    night.writes("tom", Write::EndTask { number: 1, how: End::Done, text: String::new() });
    assert_eq!(night.step("tom").kind, Kind::Nothing);
    night.does("tom", Act::Rest { person: None, term: None });
    assert_eq!(night.only("tom"), (Kind::CheckIn, "check-in"));
}

#[test]
fn who_comes_checks_in_to_who_commands_and_takes_over_from_who_is_not_there() {
    let mut night = Night::new();
    night.does("maya", Act::Answer { help: false });
    assert_eq!(night.told("tom"), (Kind::CheckIn, vec![Does::Verb("check-in"), Does::Verb("en-route")]));
    assert_eq!(night.step("tom").buttons[0].label, "Check in to Maya Lind");
    night.does("tom", Act::EnRoute { eta: None });
    assert_eq!(night.told("tom"), (Kind::CheckIn, vec![Does::Verb("check-in")]));
    night.does("tom", Act::CheckIn);
    assert_eq!(night.only("tom"), (Kind::Assume, "assume"));
    night.bids("tom", Bid::Assume { reason: String::new() });
    assert_eq!(night.only("tom"), (Kind::SizeUp, "size-up"));
    let viewer = night.step("viewer");
    assert!(viewer.text.starts_with("tom has command") && viewer.buttons.is_empty());
}

#[test]
fn when_the_harm_has_stopped_it_is_watched_and_then_resolved() {
    let mut night = Night::under_way();
    let alert = Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    night.does("onscene", alert);
    assert_eq!(night.only("maya"), (Kind::Mitigate, "mitigate"));
    night.does("maya", Act::Mitigate { term: 1, cause: None });
    let step = night.step("maya");
    assert_eq!(step.kind, Kind::Watch);
    assert!(step.text.contains("until 02:30 UTC (in 30 min)") && step.text.contains("Nobody knows yet"));
    assert_eq!(night.only("tom"), (Kind::Watch, "note"));
    assert_eq!(night.told("viewer"), (Kind::Watch, vec![]));
    night.at(30);
    assert_eq!(night.only("maya"), (Kind::Resolve, "resolve"));
    // Maya acts all along: it is hers, also when the watch is over.
    assert_eq!(night.at(31).only("tom"), (Kind::Watch, "note"));
    assert_eq!(night.at(60).only("tom"), (Kind::Assume, "assume"), "nothing was heard of her for an hour");
    night.does("maya", Act::Resolve { term: 1, false_alarm: false });
    for who in ["maya", "tom", "viewer"] {
        assert_eq!(night.told(who), (Kind::Over, vec![]));
    }
}

#[test]
fn who_has_commanded_for_long_is_helped_to_hand_it_over_when_nothing_presses_more() {
    let mut night = Night::under_way();
    let asked = |night: &mut Night, minute: i64| {
        night.at(minute);
        while night.incident.due_at().is_some_and(|due| due <= night.now) {
            night.does("onscene", Act::TICK);
        }
        // A sign of life, and a report: nothing else presses.
        night.writes("maya", Write::Report { trend: Trend::Same, text: String::new() });
    };
    night.does("kim", Act::CheckIn);
    asked(&mut night, 239);
    assert_eq!(night.step("maya").kind, Kind::Nothing);
    asked(&mut night, 240);
    let step = night.step("maya");
    assert_eq!(night.told("maya"), (Kind::Relief, vec![Does::Verb("offer"); 2]), "{step:?}");
    assert!(step.text.starts_with("You have commanded for 4 hours. Who relieves you?"), "{}", step.text);
    assert_eq!(step.buttons[0].fields, [("to", "tom".to_owned())]);
    // The Deputy comes first.
    night.bids("maya", Bid::Assign { office: Office::Deputy, person: "kim".into(), term: 1 });
    night.bids("kim", Bid::Accept { office: Some(Office::Deputy), term: None, brief: None });
    assert_eq!(night.step("maya").buttons[0].fields, [("to", "kim".to_owned())]);
    // Who rests is left alone; when nobody else is there, somebody is called.
    night.does("maya", Act::Rest { person: Some("tom".into()), term: Some(1) });
    assert_eq!(night.step("maya").buttons.len(), 1);
    night.does("kim", Act::Release { person: None, term: None });
    assert_eq!(night.told("maya"), (Kind::Relief, vec![Does::Part("requests")]));
    assert!(night.step("maya").text.contains("nobody else is on scene"));
    // What is offered is waited for.
    night.does("tom", Act::CheckIn);
    night.bids("maya", Bid::Offer { to: "tom".into(), term: 1, reason: String::new() });
    assert_eq!(night.step("maya").kind, Kind::Nothing);
    // What presses comes first.
    night.bids("maya", Bid::Withdraw);
    night.at(250);
    assert_eq!(night.step("maya").kind, Kind::Report);
}
