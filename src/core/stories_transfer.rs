//! How command is handed over, told as stories: what is said and read back, when it passes too often, and what is promised
//! when it is over.

use jiff::SignedDuration;

use super::brief::Brief;
use super::command::{Office, TWICE, Talk, Talked, Turn};
use super::decide::{Act, Bid, Decision, Reason, WORDS_BYTES_MAX, Write};
use super::incident::CommandReason;
use super::meeting::Meeting;
use super::stories::told;
use super::stories_command::{Night, accept, assign, assume, offer, rules};
use super::timeline::Fact;

fn take_over(term: u32, talk: Option<Talk>, read_back: &str) -> Act {
    let talked = Talked { talk, read_back: read_back.into() };
    Act::Command(Bid::TakeOver { term, brief: None, talked })
}

fn sentence(decision: &Decision) -> String {
    decision.entries[0].fact.text()
}

#[test]
fn what_who_takes_command_says_of_the_handover_stands_in_its_one_entry() {
    let mut night = Night::manned(rules());
    night.does("maya", offer("tom", 1));
    let read_back = " orders go through; no backup of lb2; none; update 02:30; kim ";
    let decision = night.at(4).ask("tom", take_over(1, Some(Talk::Live), read_back)).unwrap();
    let [entry] = &decision.entries[..] else { panic!("one entry") };
    let Fact::Command(Turn::Transferred { talked, .. }) = &entry.fact else { panic!("{entry:?}") };
    assert_eq!((talked.talk, talked.read_back.as_str()), (Some(Talk::Live), read_back.trim()));
    assert_eq!(
        sentence(&decision),
        "command passed from maya to tom, who accepted it (term 2): I am tired; they spoke with each other; \
         read back: orders go through; no backup of lb2; none; update 02:30; kim"
    );
    let handover = decision.handover().unwrap();
    assert_eq!((handover.entry, handover.from, handover.twice), (entry.seq, "maya", false));
    assert_eq!(handover.talked.read_back, read_back.trim());
    // Who hears of it are the same as ever.
    let letters: Vec<String> = decision.letters.iter().map(told).collect();
    assert_eq!(letters, ["tell maya passed", "tell kim passed", "ops-room: passed"]);
}

#[test]
fn two_acts_are_enough_and_nothing_has_to_be_said() {
    let mut night = Night::manned(rules());
    night.does("maya", offer("tom", 1));
    let decision = night.ask("tom", accept(1, None)).unwrap();
    assert_eq!(sentence(&decision), "command passed from maya to tom, who accepted it (term 2): I am tired");
    night.at(20).does("tom", offer("maya", 2));
    let decision = night.ask("maya", take_over(2, Some(Talk::Written), "")).unwrap();
    assert!(sentence(&decision).ends_with("; in writing, they did not speak with each other"));
}

#[test]
fn what_is_read_back_is_bounded_as_all_words_are_and_decides_nothing_else() {
    let mut night = Night::manned(rules());
    night.does("maya", offer("tom", 1));
    let long = "x".repeat(WORDS_BYTES_MAX + 1);
    let refused = night.ask("tom", take_over(1, None, &long)).unwrap_err().to_string();
    assert!(refused.starts_with("what is read back is too long"), "{refused}");
    let refused = night.ask("tom", take_over(7, Some(Talk::Live), "all")).unwrap_err().to_string();
    assert!(refused.starts_with("maya has command (term 1)"), "{refused}");
    let refused = night.ask("kim", take_over(1, Some(Talk::Live), "all")).unwrap_err().to_string();
    assert!(refused.starts_with("nothing that you were offered is open"), "{refused}");
    let read = night.incident.moved;
    night.does("maya", Act::Board(Write::Objective { text: "orders".into(), term: 1 }));
    let talked = Talked::default();
    let old = Act::Command(Bid::TakeOver { term: 1, brief: Some(read), talked });
    assert!(night.ask("tom", old).unwrap_err().to_string().starts_with("the situation has moved"));
}

#[test]
fn who_is_asked_to_take_an_office_and_names_a_term_means_command() {
    let mut night = Night::manned(rules());
    night.does("maya", assign(Office::Safety, "tom", 1));
    let refused = night.ask("tom", take_over(1, Some(Talk::Live), "all")).unwrap_err().to_string();
    assert!(refused.starts_with("nothing that you were offered is open"), "{refused}");
}

#[test]
fn two_changes_within_ten_minutes_are_warned_of_and_done() {
    let mut night = Night::manned(rules());
    night.at(3).does("maya", offer("tom", 1));
    // That somebody took command first, and hands it over at once, is one change.
    let first = night.ask("tom", accept(1, None)).unwrap();
    assert_eq!((first.reason, first.reason.warning()), (Reason::Transferred, None));
    assert!(!first.handover().unwrap().twice);
    night.at(12).does("tom", offer("maya", 2));
    let second = night.at(13).ask("maya", accept(2, None)).unwrap();
    assert_eq!((second.reason, second.reason.warning()), (Reason::TransferredTwice, Some(TWICE)));
    assert!(second.handover().unwrap().twice);
    assert_eq!(night.incident.commander().unwrap().person, "maya");
    night.at(20).does("maya", offer("tom", 3));
    let third = night.at(23).ask("tom", accept(3, None)).unwrap();
    assert_eq!(third.reason, Reason::TransferredTwice, "ten minutes to the second");
    // A while later it is an ordinary one again.
    night.at(33).does("tom", offer("maya", 4));
    night.now += SignedDuration::from_secs(1);
    assert_eq!(night.ask("maya", accept(4, None)).unwrap().reason, Reason::Transferred);
}

#[test]
fn command_that_is_assumed_soon_after_it_passed_is_warned_of_too() {
    let mut night = Night::manned(rules());
    night.does("kim", Act::CheckIn);
    night.at(3).does("maya", offer("tom", 1));
    night.does("tom", accept(1, None));
    // Who has it is a person of the house no more, after a reload: somebody on scene takes it at once.
    night.rules.people.remove("tom");
    let decision = night.at(5).ask("kim", assume()).unwrap();
    assert_eq!((decision.reason, decision.reason.warning()), (Reason::AssumedTwice, Some(TWICE)));
    assert_eq!(night.incident.commander().unwrap().reason, CommandReason::Assumed);
}

#[test]
fn who_reopens_an_incident_takes_command_anew_and_nothing_has_passed() {
    let mut night = Night::manned(rules());
    night.at(3).does("maya", offer("tom", 1));
    night.does("tom", accept(1, None));
    night.does("tom", Act::Resolve { term: 2, false_alarm: true });
    night.at(4).does("maya", Act::Reopen { why: "it is back".into() });
    night.does("maya", Act::CheckIn);
    night.does("tom", Act::CheckIn);
    night.does("maya", offer("tom", 3));
    assert_eq!(night.ask("tom", accept(3, None)).unwrap().reason, Reason::Transferred);
}

#[test]
fn whoever_was_asked_to_take_an_office_and_is_not_any_more_is_told_when_another_is_asked() {
    let mut night = Night::manned(rules());
    night.does("maya", assign(Office::Liaison, "cto", 1));
    assert_eq!(
        night.does("maya", assign(Office::Liaison, "tom", 1)),
        ["tell cto office-released", "tell tom office-offered"]
    );
    assert_eq!(night.incident.offices.asked(Office::Liaison), Some("tom"));
    // Of the PIO, too; whoever is asked once more is not told that it is over.
    assert_eq!(
        night.does("maya", assign(Office::Pio, "cto", 1)),
        ["tell kim office-released", "call PIO cto"]
    );
    assert_eq!(night.does("maya", assign(Office::Pio, "cto", 1)), ["call PIO cto"]);
}

#[test]
fn nothing_is_promised_any_more_when_it_is_over() {
    let mut night = Night::manned(rules());
    let hour = Some(night.now + SignedDuration::from_mins(30));
    night.does("cto", Act::EnRoute { eta: hour });
    let (body, nothing) = ("the host".to_owned(), String::new);
    let (contact, ticket, text) = (nothing(), nothing(), nothing());
    night.does(
        "maya",
        Act::Board(Write::Contact { body, contact, ticket, promised: hour, text, closed: false }),
    );
    let (person, what) = ("tom".to_owned(), "read the log".to_owned());
    night.does("maya", Act::Board(Write::Task { person, what, limit: hour, term: 1 }));
    let promises = |night: &Night| Brief::of(&night.incident, &Meeting::default(), &[]).promises;
    let open: Vec<String> = promises(&night).into_iter().map(|promise| promise.what).collect();
    for what in [
        "cto is at a keyboard",
        "the host calls back",
        "tom: read the log (task 1)",
        "the next internal update",
    ] {
        assert!(open.iter().any(|known| known == what), "{what} in {open:?}");
    }
    night.at(5).does("maya", Act::Resolve { term: 1, false_alarm: true });
    assert_eq!(promises(&night), []);
}
