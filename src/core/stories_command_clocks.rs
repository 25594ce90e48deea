//! The clocks of a tenure, told as stories: who has not heard who commands, who is relieved when, and who is not left alone.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::board::{Put, RequestState, Trend, Wanted};
use super::command::{Call, Office, Turn};
use super::decide::{Act, Bid, Reason, Write};
use super::escalation::{self, Horizon};
use super::incident::{Phase, Severity};
use super::letter::{Letter, Why};
use super::rules::{CommandRules, Rules};
use super::stories_command::{Night, accept, anything, assign, offer, rules, timed};
use super::timeline::{Actor, Fact};

/// The house of a new configuration in which nobody is looked for, so that nights are long and nothing else comes.
fn calm() -> Rules {
    let mut rules = timed();
    rules.clocks.silent_after.clear();
    for pace in rules.command.pace.values_mut() {
        let none = SignedDuration::ZERO;
        (pace.check_in, pace.size_up, pace.progress) = (none, none, none);
    }
    rules
}

/// The same without support by rule.
fn without_support() -> Rules {
    let mut rules = calm();
    rules.command.pace.values_mut().for_each(|pace| pace.support = SignedDuration::ZERO);
    rules
}

fn hours(hours: i64) -> i64 {
    hours * 60
}

fn size_up() -> Act {
    Act::Board(Write::SizeUp { text: "both balancers are master".into() })
}

impl Night {
    /// Command passes from maya, who is on scene with tom and kim, to tom at the third minute.
    fn passed(rules: Rules) -> Self {
        let mut night = Self::manned(rules);
        night.at(2).does("kim", Act::CheckIn);
        night.at(3).does("maya", offer("tom", 1));
        night.does("tom", accept(1, None));
        night
    }

    /// Maya commands and is on scene, and nobody else is.
    fn alone(rules: Rules) -> Self {
        let mut night = Self::new(rules);
        night.at(1).does("maya", Act::CheckIn);
        night
    }

    fn texts(&self, kind: &str) -> Vec<String> {
        let of_kind = self.entries.iter().filter(|entry| entry.fact.kind() == kind);
        of_kind.map(|entry| entry.fact.text()).collect()
    }
}

#[test]
fn who_has_not_said_that_they_know_who_commands_is_told_once_more() {
    let mut night = Night::passed(calm());
    night.at(4).does("kim", Act::Command(Bid::Heard { term: 2 }));
    assert!(night.at(7).tick().is_empty());
    assert_eq!(night.at(8).tick(), ["tell maya unheard"]);
    assert_eq!(
        night.texts("command_unheard"),
        ["not known yet whether these know who has command (term 2); they are told once more: maya"]
    );
    assert_eq!(night.incident.offices.unaware, ["maya"], "told is not known");
    assert_eq!(night.incident.commander().unwrap().person, "tom");
    for minute in [9, 20, 60] {
        assert!(night.at(minute).tick().is_empty(), "once is enough");
    }
    // Of the next change they are told again.
    night.at(61).does("tom", offer("maya", 2));
    night.does("maya", accept(2, None));
    assert_eq!(night.at(66).tick(), ["tell tom unheard", "tell kim unheard"]);
}

#[test]
fn who_did_anything_or_has_gone_since_is_not_told_once_more() {
    let mut night = Night::passed(calm());
    night.at(4).does("maya", Act::Note { text: "I go on with the log".into() });
    assert_eq!(night.incident.offices.unaware, ["maya", "kim"], "to have seen it is not to have said so");
    night.does("tom", Act::Release { person: Some("kim".into()), term: Some(2) });
    assert_eq!(night.at(8).ask("onscene", Act::TICK).unwrap().reason, Reason::NotDue);
    assert!(night.texts("command_unheard").is_empty());
    // What is over asks nobody.
    let mut night = Night::passed(calm());
    night.does("tom", Act::Resolve { term: 2, false_alarm: true });
    assert_eq!(night.at(9).ask("onscene", Act::TICK).unwrap().reason, Reason::NotDue);
}

#[test]
fn receipts_are_asked_for_while_the_harm_has_stopped_too_and_never_where_nobody_wants_it() {
    let mut night = Night::passed(calm());
    night.does("tom", Act::Mitigate { term: 2, cause: None });
    assert_eq!(night.at(8).tick(), ["tell maya unheard", "tell kim unheard"]);
    let mut rules = calm();
    rules.command.pace.values_mut().for_each(|pace| pace.receipts = SignedDuration::ZERO);
    let mut night = Night::passed(rules);
    assert!(night.at(60).tick().is_empty());
    let mut night = Night::passed(Rules { command: CommandRules::default(), ..calm() });
    assert!(night.incident.offices.tenure.is_none(), "no clocks, nothing kept");
    assert!(night.at(60).tick().is_empty());
}

#[test]
fn who_has_commanded_for_long_is_asked_who_takes_over_and_their_deputy_later() {
    let mut night = Night::manned(without_support());
    night.does("maya", assign(Office::Deputy, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: Some(Office::Deputy), term: None, brief: None }));
    assert!(night.at(hours(4)).tick().is_empty(), "command was taken at the first minute");
    assert_eq!(night.at(hours(4) + 1).tick(), ["tell maya relief-due"]);
    assert!(night.at(hours(8)).tick().is_empty());
    assert_eq!(night.at(hours(8) + 1).tick(), ["tell maya relief-late", "tell tom relief-late"]);
    assert!(night.at(hours(20)).tick().is_empty(), "nobody is asked for ever");
    assert_eq!(night.incident.commander().unwrap().person, "maya", "and nothing is moved by it");
    // A tenure of its own begins with who takes over.
    night.does("maya", offer("tom", 1));
    night.does("tom", accept(1, None));
    night.does("maya", Act::Command(Bid::Heard { term: 2 }));
    assert!(night.at(hours(24) - 1).tick().is_empty());
    assert_eq!(night.at(hours(24)).tick(), ["tell tom relief-due"]);
}

#[test]
fn relief_is_counted_from_the_beginning_of_the_tenure_whatever_becomes_of_the_incident() {
    let say = |severity| Act::SetSeverity { severity, reason: "r".into(), term: Some(1) };
    // It is not as bad, and later as bad again: each time the hours of the same tenure.
    let mut night = Night::manned(without_support());
    night.at(hours(1)).does("maya", say(Severity::Sev3));
    assert!(night.at(hours(5)).tick().is_empty());
    night.does("maya", say(Severity::Sev1));
    assert_eq!(night.tick(), ["tell maya relief-due"]);
    night.does("maya", say(Severity::Sev3));
    assert!(night.at(hours(12)).tick().is_empty(), "what was asked is not asked again");
    assert_eq!(night.at(hours(12) + 1).tick(), ["tell maya relief-late"]);
    // The harm stops, and begins again.
    let mut night = Night::manned(without_support());
    night.at(hours(3)).does("maya", Act::Mitigate { term: 1, cause: None });
    assert_eq!(night.at(hours(4) + 1).tick(), ["tell maya relief-due"]);
    // Nobody is asked for what nobody wants.
    let mut night = Night::manned(without_support());
    night.does("maya", say(Severity::Sev4));
    assert!(night.at(hours(23)).tick().is_empty());
    assert_eq!(night.incident.due_at(), None);
}

#[test]
fn hours_that_nobody_was_there_to_keep_are_asked_once_and_in_the_stronger_words() {
    let mut night = Night::manned(without_support());
    assert_eq!(night.at(hours(9)).tick(), ["tell maya relief-late"]);
    assert_eq!(night.ask("onscene", Act::TICK).unwrap().reason, Reason::NotDue);
    assert_eq!(night.texts("called").len(), 1);
    // Who is being relieved at this moment need not be asked.
    let mut night = Night::manned(without_support());
    night.at(hours(4)).does("maya", offer("tom", 1));
    assert!(night.at(hours(4) + 2).tick().is_empty());
    assert_eq!(night.at(hours(4) + 5).tick(), ["tell maya offer-expired", "tell tom offer-expired"]);
    assert_eq!(night.tick(), ["tell maya relief-due"]);
}

#[test]
fn who_is_alone_on_scene_and_says_nothing_gets_company_by_rule() {
    let mut night = Night::alone(calm());
    assert!(night.at(10).tick().is_empty());
    let decision = night.at(11).ask("onscene", Act::TICK).unwrap();
    assert_eq!(decision.reason, Reason::SupportCalled);
    assert!(
        matches!(&decision.letters[..], [Letter::Page { person, why: Why::Support, .. }, Letter::Notice { person: told, .. }]
            if person == "tom" && told == "maya"),
        "{:?}",
        decision.letters
    );
    assert_eq!(
        night.texts("requested"),
        ["request 1: tom: called by rule, not asked for by maya; paged: tom"]
    );
    assert_eq!(night.entries.last().unwrap().actor, Actor::Dispatch);
    assert_eq!(night.incident.commander().unwrap().person, "maya", "who called nobody keeps command");
    // It is a request like any other, and made once.
    night.at(13).does("tom", Act::EnRoute { eta: None });
    assert_eq!(night.incident.board.requests[0].state, RequestState::Acknowledged);
    night.at(14).does("tom", Act::CheckIn);
    assert_eq!(night.incident.board.requests[0].state, RequestState::OnScene);
    night.does("maya", Act::Release { person: Some("tom".into()), term: Some(1) });
    assert!(night.at(hours(3)).tick().is_empty(), "once in a tenure");
    // Whom it was asked of in vain is told to who commands, as of any request.
    let mut night = Night::alone(calm());
    night.at(11).tick();
    assert_eq!(night.at(16).tick(), ["tell maya request-unanswered"]);
    assert!(night.at(hours(3)).tick().is_empty());
}

#[test]
fn whoever_said_or_asked_anything_is_left_to_lead() {
    type Said = (&'static str, fn() -> Act);
    let said: [Said; 7] = [
        ("a size-up", size_up),
        ("a report", || Act::Board(Write::Report { trend: Trend::Same, text: String::new() })),
        ("an objective", || Act::Board(Write::Objective { text: "orders go through".into(), term: 1 })),
        ("a request", || {
            Act::Board(Write::Request { wanted: Wanted::Person("cto".into()), why: "look".into() })
        }),
        ("a call for help", || Act::Answer { help: true }),
        ("what ended the harm", || Act::Mitigate { term: 1, cause: None }),
        ("that it is over", || Act::Resolve { term: 1, false_alarm: true }),
    ];
    for (what, act) in said {
        let mut night = Night::alone(calm());
        night.at(5).does("maya", act());
        let told = night.at(9).tick();
        assert!(told.is_empty(), "{what}: {told:?}");
        let told = night.at(11).tick();
        assert!(!told.iter().any(|letter| letter.contains("support")), "{what}: {told:?}");
        assert_eq!(night.incident.support_due(), None, "{what}");
    }
    // A note, and a change, are no word to others.
    let mut night = Night::alone(calm());
    night.at(5).does("maya", Act::Note { text: "hm".into() });
    assert_eq!(night.at(11).tick(), ["page tom (1, support)", "tell maya support-called"]);
}

#[test]
fn company_is_called_for_who_is_alone_while_something_fires_and_for_nobody_else() {
    // Somebody is there.
    let mut night = Night::manned(calm());
    assert!(night.at(30).tick().is_empty());
    // They go, and nothing was said yet.
    night.does("maya", Act::Release { person: Some("tom".into()), term: Some(1) });
    assert_eq!(
        night.tick(),
        ["page cto (1, support)", "tell maya support-called"],
        "who may go is left alone"
    );
    // Nothing fires; then it does.
    let mut night = Night::alone(calm());
    let recover = Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    night.at(5).ask("onscene", recover).unwrap();
    assert!(night.at(30).tick().is_empty());
    // Who is not on scene is asked whether they are, and nobody is called for them by this.
    let mut night = Night::new(calm());
    night.at(1).does("maya", Act::Answer { help: false });
    assert!(night.at(60).tick().is_empty());
    night.does("maya", Act::CheckIn);
    assert!(night.at(69).tick().is_empty());
    assert_eq!(night.at(70).tick(), ["page tom (1, support)", "tell maya support-called"]);
    // What can wait for the morning wakes nobody.
    let mut night = Night::new(calm());
    night.does("maya", Act::CheckIn);
    night.does("maya", Act::SetSeverity { severity: Severity::Sev3, reason: "r".into(), term: Some(1) });
    assert!(night.at(hours(7)).tick().is_empty());
    night.does("kim", Act::SetSeverity { severity: Severity::Sev2, reason: "r".into(), term: None });
    assert_eq!(night.tick(), ["tell maya relief-due"]);
    assert_eq!(night.at(hours(7) + 10).tick(), ["page tom (1, support)", "tell maya support-called"]);
}

#[test]
fn company_is_whom_the_policy_names_next_and_not_who_cannot() {
    // Tom was paged, and has not answered; cto has heard nothing yet.
    let mut night = Night::new(calm());
    night.at(5).tick();
    night.at(6).does("maya", Act::CheckIn);
    assert_eq!(night.at(16).tick(), ["page cto (1, support)", "tell maya support-called"]);
    // When all have heard of it, who has not answered is asked again.
    let mut night = Night::new(calm());
    night.at(5).tick();
    night.at(10).tick();
    night.at(11).does("maya", Act::CheckIn);
    assert_eq!(night.at(21).tick(), ["page tom (2, support)", "tell maya support-called"]);
    // Nobody is left: it is said, once.
    let mut night = Night::new(calm());
    night.does("tom", Act::Decline);
    night.does("cto", Act::Decline);
    night.does("maya", Act::CheckIn);
    assert_eq!(night.at(10).tick(), ["tell maya support-called"]);
    assert_eq!(night.texts("called").len(), 1);
    assert!(night.at(hours(3)).tick().is_empty());
}

#[test]
fn who_froze_is_looked_for_and_nobody_is_called_twice_for_it() {
    let mut night = Night::alone(timed());
    night.at(6).tick();
    night.at(11);
    let mut told = Vec::new();
    while night.incident.due_at().is_some_and(|due| due <= night.now) {
        told.extend(night.tick());
    }
    assert_eq!(told, ["tell maya progress-due", "page tom (1, support)", "tell maya support-called"]);
    night.does("tom", Act::CheckIn);
    // From here the lease goes on as ever, and finds tom there.
    assert_eq!(night.at(16).tick(), ["page maya (2, silent_commander)"]);
    // Who is asked for a sign of life, after an outage for instance, is not alone in need: the lease calls people.
    let mut night = Night::alone(timed());
    night.at(40);
    let mut told = Vec::new();
    while night.incident.due_at().is_some_and(|due| due <= night.now) {
        told.extend(night.tick());
    }
    assert_eq!(told[0], "page maya (2, silent_commander)");
    assert!(!told.iter().any(|letter| letter.contains("support")), "{told:?}");
    night.at(41).does("maya", Act::CheckIn);
    assert_eq!(
        night.tick(),
        ["page tom (1, support)", "tell maya support-called"],
        "there, and without a word"
    );
}

#[test]
fn a_clock_that_was_ahead_puts_off_neither_relief_nor_the_lease() {
    let mut night = Night::new(calm());
    night.at(hours(48)).does("maya", Act::CheckIn);
    night.does("maya", size_up());
    assert!(!escalation::is_too_far(&night.incident, &night.rules, night.now));
    // It is put right.
    night.at(10);
    assert!(escalation::is_too_far(&night.incident, &night.rules, night.now));
    assert_eq!(night.ask("onscene", Act::TICK).unwrap().reason, Reason::Rescheduled);
    assert!(!escalation::is_too_far(&night.incident, &night.rules, night.now));
    assert_eq!(night.ask("onscene", Act::TICK).unwrap().reason, Reason::NotDue);
    assert!(night.at(hours(4) + 9).tick().is_empty());
    assert_eq!(night.at(hours(4) + 10).tick(), ["tell maya relief-due"]);
    // How far ahead anything lies at all is known, and is not the same for all.
    let horizon = Horizon::of(&timed());
    assert_eq!(horizon.waits, escalation::longest_wait(&timed()));
    assert!(horizon.waits < SignedDuration::from_hours(1));
    assert!(horizon.asks > SignedDuration::from_hours(12) && horizon.asks < SignedDuration::from_hours(13));
    assert_eq!(horizon.looked_for, [Severity::Sev1, Severity::Sev2]);
    let none = Horizon::of(&rules());
    assert!(none.asks - none.waits <= SignedDuration::ZERO);
}

/// A house in which every clock of a tenure strikes within minutes.
fn hurried() -> Rules {
    let mut rules = timed();
    for pace in rules.command.pace.values_mut() {
        let mins = SignedDuration::from_mins;
        (pace.receipts, pace.relief, pace.relief_late, pace.support) = (mins(3), mins(9), mins(20), mins(4));
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    /// Whatever anybody does: each clock strikes once in a tenure, none moves command, and what is due is done.
    #[test]
    fn each_clock_of_a_tenure_strikes_once_and_moves_nothing(
        acts in prop::collection::vec(anything(), 1..80), is_hurried in any::<bool>(),
    ) {
        let mut night = Night::new(if is_hurried { hurried() } else { timed() });
        let mut minute = 0;
        for (who, act, wait) in acts {
            minute += wait;
            let _refused = night.at(minute).ask(&who, act);
            for turn in 0.. {
                let before = night.incident.commander().cloned();
                if night.incident.due_at().is_none_or(|due| due > night.now) {
                    break;
                }
                prop_assert!(turn < 20, "what is due stays due: {:?}", night.incident);
                night.ask("onscene", Act::TICK).unwrap();
                prop_assert_eq!(before, night.incident.commander().cloned());
            }
            prop_assert!(!escalation::is_too_far(&night.incident, &night.rules, night.now));
        }
        let mut struck: BTreeMap<(Option<u32>, &str), u32> = BTreeMap::new();
        for entry in &night.entries {
            let what = match &entry.fact {
                Fact::Command(Turn::Unheard { people, .. }) => {
                    prop_assert!(!people.is_empty());
                    "unheard"
                }
                Fact::Board(Put::Called { call: Call::Relief }) => "relief",
                Fact::Board(Put::Called { call: Call::ReliefLate }) => "relief late",
                Fact::Board(Put::Called { call: Call::Support }) => "support",
                Fact::Board(Put::Requested { .. }) if entry.actor == Actor::Dispatch => "support",
                _ => continue,
            };
            *struck.entry((entry.term, what)).or_default() += 1;
        }
        prop_assert!(struck.values().all(|times| *times == 1), "{struck:?}");
        if let Phase::Resolved { .. } = night.incident.phase {
            prop_assert!(night.incident.offices.tenure.is_none());
        }
    }
}
