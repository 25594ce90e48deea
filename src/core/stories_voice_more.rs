//! One voice, told as stories, part two: nobody speaks who may not, nobody is kept from mending what was said, and what is due is
//! told of once at a time.

use jiff::SignedDuration;

use super::audience::Audience;
use super::command::Office;
use super::decide::{Act, Bid, Draft, Join, Next, Speech, Unsaid, Wish};
use super::disclosure::{Finding, Place, Rule, Weight};
use super::incident::{Phase as InPhase, Severity};
use super::rules::Target;
use super::stories::join;
use super::stories_command::{Night, assign};
use super::stories_voice::{approve, calm, draft, holding, publish, speaking, writes};
use super::voice::{Impact, Phase, Sort, Stage};

fn mends(sort: Sort, number: u32, channels: &[&str]) -> Act {
    let channels = channels.iter().map(|name| (*name).to_owned()).collect();
    let draft = Draft {
        sort: Some(sort),
        mends: Some(number),
        channels,
        ..draft(Audience::Public, "That was not so.")
    };
    Speech::of(Wish::Draft { number: None, draft })
}

fn delivered(number: u32, to: &str, outcome: &str) -> Act {
    Act::Deliver {
        what: "statement".into(),
        to: to.into(),
        outcome: outcome.into(),
        why: String::new(),
        statement: Some(number),
    }
}

fn fires(key: &str, severity: Severity) -> Act {
    let refired = key == "db-1";
    Act::Join(Join { refired, severity, ..join("pingdom".into(), key.into()) })
}

#[test]
fn while_nobody_has_it_nothing_is_said_and_what_must_not_stand_is_taken_back() {
    let mut night = Night::manned(calm());
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.at(20).does("onscene", fires("db-1", Severity::Sev3));
    assert!(night.incident.commander().is_none() && night.incident.term > 0);
    night.does("kim", writes(Audience::Public));
    assert!(night.refused("kim", publish(2)).contains("nobody has command"));
    night.does("kim", mends(Sort::Retraction, 1, &[]));
    assert_eq!(night.does("kim", publish(3)), ["status: statement 3", "network: statement 3"]);
}

#[test]
fn a_deputy_who_never_approves_does_not() {
    let mut rules = calm();
    rules.pio.deputy_after = SignedDuration::ZERO;
    let mut night = Night::manned(rules);
    night.does("maya", assign(Office::Deputy, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: Some(Office::Deputy), term: None, brief: None }));
    night.does("maya", writes(Audience::Public));
    assert_eq!(night.at(300).refused("tom", approve(1)), "maya has command, and approves statements");
}

#[test]
fn who_spoke_says_that_it_is_over_whoever_has_the_turn_by_then() {
    let mut rules = calm();
    rules.services.get_mut("shop").unwrap().pio = vec![Target::Person("kim".into())];
    let mut night = Night::manned(rules);
    // Tom is in no list of the service.
    night.does("maya", assign(Office::Pio, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: Some(Office::Pio), term: None, brief: None }));
    night.does("tom", writes(Audience::Public));
    night.does("maya", approve(1));
    night.does("tom", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.does("tom", writes(Audience::Public));
    night.does("maya", approve(2));
    night.does("tom", publish(2));
    assert!(!night.incident.voice.owes_a_closing(Audience::Public));
}

#[test]
fn a_pio_who_cannot_is_followed_by_the_next_and_one_who_speaks_is_not() {
    let mut night = Night::with_pio(calm());
    let letters = night.at(5).does("kim", Act::Decline);
    assert_eq!(letters, ["call PIO tom", "tell maya office-released"]);
    // Another is asked while somebody speaks, and does not come: nobody else is woken for it.
    let mut night = Night::with_pio(speaking());
    night.at(2).does("maya", assign(Office::Pio, "tom", 1));
    assert_eq!(night.incident.voice.pio_due, None);
}

#[test]
fn words_can_be_taken_back_without_knowing_what_to_call_it_and_everywhere_or_nowhere() {
    let mut rules = calm();
    rules.services.get_mut("shop").unwrap().public_name = None;
    let mut night = Night::manned(rules);
    let named = Draft { title: Some("Nordbank cannot pay".into()), ..draft(Audience::Public, "It is down.") };
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: named }));
    night.does("maya", publish(1));
    let told = night.refused("maya", mends(Sort::Retraction, 1, &["status"]));
    assert!(told.contains("it stands in network as well"), "{told}");
    night.does("maya", mends(Sort::Retraction, 1, &[]));
    assert_eq!(night.incident.voice.statement(2).unwrap().wording.title, "Service disruption");
}

#[test]
fn where_something_is_found_is_told_of_the_words_that_were_written() {
    let mut night = Night::manned(calm());
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    let prefix = "Correction to our 2026-11-23 02:00 UTC update: ".len();
    let found = Finding {
        place: Place::Body,
        span: prefix + 5..prefix + 8,
        rule: Rule::Secret,
        weight: Weight::Block,
        why: "leave it out",
    };
    let Act::Speak(mut speech) = mends(Sort::Correction, 1, &[]) else { panic!("another act") };
    speech.found = vec![found];
    let told = night.refused("maya", Act::Speak(speech));
    assert!(told.contains("from byte 5)"), "{told}");
}

#[test]
fn a_correction_that_says_that_it_is_not_over_owes_a_closing_again() {
    let mut night = Night::manned(calm());
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(2));
    assert!(!night.incident.voice.owes_a_closing(Audience::Public));
    night.does("maya", mends(Sort::Correction, 1, &[]));
    night.does("maya", publish(3));
    assert!(
        !night.incident.voice.owes_a_closing(Audience::Public),
        "what was wrong before says nothing of that"
    );
    let mut not_over = draft(Audience::Public, "It is not over.");
    (not_over.sort, not_over.mends) = (Some(Sort::Correction), Some(2));
    not_over.phase = Some(Phase::Investigating);
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: not_over }));
    night.does("maya", publish(4));
    assert!(night.incident.voice.owes_a_closing(Audience::Public));
    // And a correction of that says whether it is.
    let mut over = draft(Audience::Public, "It is over.");
    (over.sort, over.mends, over.phase) = (Some(Sort::Correction), Some(4), Some(Phase::Resolved));
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: over }));
    night.does("maya", publish(5));
    assert!(!night.incident.voice.owes_a_closing(Audience::Public));
}

#[test]
fn a_list_of_which_one_reader_was_not_reached_is_told_that_it_was_not_so() {
    let mut night = Night::manned(calm());
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    for outcome in ["refused", "accepted"] {
        night.does("onscene", delivered(1, "network", outcome));
    }
    night.does("onscene", delivered(1, "status", "refused"));
    night.does("maya", mends(Sort::Retraction, 1, &[]));
    assert_eq!(night.does("maya", publish(2)), ["network: statement 2"], "nobody has it on the other");
}

#[test]
fn a_fallback_that_brought_the_words_meanwhile_is_told_as_well() {
    let mut rules = calm();
    rules.fallbacks.insert("status".into(), "network".into());
    let mut night = Night::manned(rules);
    let to_one = Draft { channels: vec!["status".into()], ..draft(Audience::Public, "All is lost.") };
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: to_one }));
    night.does("maya", publish(1));
    night.does("maya", mends(Sort::Retraction, 1, &[]));
    assert_eq!(night.incident.voice.statement(2).unwrap().wording.channels, ["status"]);
    // The letter of the fallback is on its way.
    night.does("onscene", delivered(1, "status", "refused"));
    assert_eq!(night.does("maya", publish(2)), ["status: statement 2", "network: statement 2"]);
}

#[test]
fn what_was_kept_back_for_its_words_is_not_planned_again_all_night() {
    let mut night = Night::new(holding());
    let found = vec![Finding {
        place: Place::Body,
        span: 0..4,
        rule: Rule::Host,
        weight: Weight::Second,
        why: "write it another way",
    }];
    let unsaid = vec![Unsaid { audience: Audience::Public, found, too_long: Vec::new() }];
    let told = night.at(3).does("onscene", Act::Tick { unheard: Vec::new(), unsaid });
    assert_eq!(told, ["tell kim withheld", "tell tom withheld"]);
    let recovers =
        Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    night.at(4).does("onscene", recovers);
    night.at(5).does("onscene", fires("db-1", Severity::Sev1));
    assert_eq!(night.incident.voice.holding_at, None);
    // Who takes it may have other words.
    night.at(6).does("maya", Act::CheckIn);
    assert!(night.incident.voice.holding_at.is_some());
}

#[test]
fn who_was_asked_while_another_spoke_has_not_spoken() {
    let mut night = Night::with_pio(calm());
    night.does("maya", assign(Office::Pio, "tom", 1));
    assert_eq!(night.incident.pio.as_ref().map(|(person, _)| person.as_str()), Some("kim"));
}

#[test]
fn what_takes_back_says_how_it_is_by_what_stands() {
    let mut night = Night::manned(calm());
    let says = |impact| Draft { impact: Some(impact), ..draft(Audience::Public, "Some payments fail.") };
    for (number, impact) in [(1, Impact::Minor), (2, Impact::Critical)] {
        night.does("maya", Speech::of(Wish::Draft { number: None, draft: says(impact) }));
        night.does("maya", publish(number));
    }
    night.does("maya", mends(Sort::Retraction, 2, &[]));
    assert_eq!(night.incident.voice.statement(3).unwrap().wording.impact, Impact::Minor);
    night.does("maya", mends(Sort::Correction, 1, &[]));
    assert_eq!(night.incident.voice.statement(4).unwrap().wording.impact, Impact::Minor);
}

#[test]
fn a_miss_that_is_told_of_late_is_told_of_once_at_a_time() {
    let mut night = Night::with_pio(calm());
    let by = night.hour() + SignedDuration::from_mins(20);
    let promised = Draft { next: Next::By(by), ..draft(Audience::Public, "Some payments fail.") };
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: promised }));
    night.does("maya", publish(1));
    // Everything was away for two hours.
    let told = |night: &mut Night, minute| {
        night.at(minute);
        (0..5).flat_map(|_| night.tick()).filter(|told| told.starts_with("tell maya")).count()
    };
    assert_eq!(told(&mut night, 140), 1, "not three at once");
    assert_eq!(told(&mut night, 149), 0);
    assert_eq!(told(&mut night, 150), 1);
    assert_eq!(told(&mut night, 160), 1);
    assert_eq!(told(&mut night, 400), 0);
}

#[test]
fn what_alerts_make_worse_or_light_again_has_its_holding_statement() {
    let mut night = Night::new(holding());
    let recovers =
        Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    night.at(1).does("onscene", recovers);
    night.at(3).tick();
    assert_eq!(night.incident.voice.holding_at, None, "nothing fires any more");
    night.at(4).does("onscene", fires("db-1", Severity::Sev1));
    assert_eq!(night.incident.voice.holding_at, Some(night.hour() + SignedDuration::from_mins(3)));
    // Nobody is there who could keep a promise.
    night.at(7).tick();
    let known = night.incident.voice.statement(1).unwrap();
    assert!(matches!(known.stage, Stage::Published { .. }) && known.wording.next_by.is_none());
    // One that was not bad becomes so by an alert.
    let mut night = Night::new(holding());
    let is = |severity| Act::SetSeverity { severity, reason: "some of them".into(), term: Some(1) };
    night.at(1).does("maya", Act::CheckIn);
    night.does("maya", is(Severity::Sev3));
    night.at(4).tick();
    assert!(matches!(night.incident.phase, InPhase::Acknowledged { .. }));
    night.at(9).does("onscene", fires("db-2", Severity::Sev1));
    assert_eq!(night.incident.voice.holding_at, Some(night.hour() + SignedDuration::from_mins(3)));
}

fn closing() -> Act {
    Speech::of(Wish::Draft { number: None, draft: draft(Audience::Public, "It works again.") })
}

#[test]
fn a_closing_goes_also_where_a_fallback_brought_the_words_and_where_letters_are_on_their_way() {
    let mut rules = calm();
    rules.fallbacks.insert("status".into(), "network".into());
    let mut night = Night::manned(rules);
    let mut one = draft(Audience::Public, "It is down.");
    one.channels = vec!["status".into()];
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: one }));
    night.does("maya", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.does("maya", closing());
    assert_eq!(night.incident.voice.statement(2).unwrap().wording.channels, ["status"]);
    night.does("onscene", delivered(1, "status", "refused"));
    assert_eq!(night.does("maya", publish(2)), ["status: statement 2", "network: statement 2"]);

    let mut night = Night::manned(calm());
    let mut one = draft(Audience::Public, "It is down.");
    one.channels = vec!["status".into()];
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: one }));
    night.does("maya", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.does("maya", closing());
    let mut sends = publish(2);
    let Act::Speak(speech) = &mut sends else { panic!("another act") };
    speech.there = vec!["network".into(), "heads".into()];
    let went = night.does("maya", sends);
    assert_eq!(went, ["status: statement 2", "network: statement 2", "heads: statement 2"]);
}

#[test]
fn what_did_not_arrive_is_told_to_somebody_also_while_nobody_has_it() {
    let mut night = Night::manned(calm());
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.at(20).does("onscene", fires("db-1", Severity::Sev3));
    night.does("kim", mends(Sort::Retraction, 1, &[]));
    night.does("kim", publish(2));
    let told = night.does("onscene", delivered(2, "status", "stands"));
    assert!(told.contains(&"tell kim undelivered".to_owned()), "{told:?}");
}

#[test]
fn who_was_paged_and_can_speak_is_asked_for_the_closing_of_what_cleared_itself() {
    let mut rules = holding();
    rules.services.get_mut("shop").unwrap().pio = vec![Target::Person("maya".into())];
    let mut night = Night::new(rules);
    // Maya is the first who is called, too.
    night.at(3).tick();
    assert_eq!(night.incident.voice.published(Audience::Public).count(), 1);
    let recovers =
        Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    night.at(4).does("onscene", recovers);
    let told: Vec<String> = (5..15).flat_map(|minute| night.at(minute).tick()).collect();
    assert!(told.contains(&"tell maya closing-due".to_owned()), "{told:?}");
}

#[test]
fn what_is_no_news_any_more_is_not_sent_once_more() {
    let mut night = Night::manned(calm());
    let again = |number| Speech::of(Wish::Resend { number, channel: None });
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    night.does("onscene", delivered(1, "status", "unknown"));
    night.does("onscene", delivered(1, "network", "accepted"));
    let machine = Finding {
        place: Place::Body,
        span: 0..2,
        rule: Rule::Host,
        weight: Weight::Second,
        why: "an alert names it since",
    };
    let mut found = again(1);
    let Act::Speak(speech) = &mut found else { panic!("another act") };
    speech.found = vec![machine];
    assert!(night.refused("maya", found).contains("host"), "what came since is looked for");
    // Where a newer update is, people know whether the older one is wanted still; where its correction is, it is not.
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(2));
    assert_eq!(night.does("maya", again(1)), ["status: statement 1"]);
    night.does("onscene", delivered(1, "status", "unknown"));
    night.does("maya", mends(Sort::Correction, 1, &[]));
    night.does("maya", publish(3));
    assert!(night.refused("maya", again(1)).contains("or corrected there"));
    night.does("onscene", delivered(2, "status", "refused"));
    assert_eq!(night.does("maya", again(2)), ["status: statement 2"]);
    night.does("onscene", delivered(2, "status", "refused"));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    assert!(night.refused("maya", again(2)).contains("it is over"));
}

#[test]
fn a_title_goes_with_who_brought_it_up_and_stays_with_who_did_not() {
    let mut night = Night::manned(calm());
    let title = |night: &Night, number| night.incident.voice.statement(number).unwrap().wording.title.clone();
    let named = Draft { title: Some("Nordbank cannot pay".into()), ..draft(Audience::Public, "It is down.") };
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: named }));
    night.does("maya", publish(1));
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(2));
    assert_eq!(title(&night, 2), "Nordbank cannot pay");
    // Of the second alone the title is no part.
    night.does("maya", mends(Sort::Retraction, 2, &[]));
    assert_eq!(title(&night, 3), "Nordbank cannot pay");
    night.does("maya", Speech::of(Wish::Drop { number: 3, why: String::new() }));
    night.does("maya", writes(Audience::Public));
    assert_eq!(title(&night, 4), "Nordbank cannot pay");
    night.at(30).does("maya", mends(Sort::Retraction, 1, &[]));
    assert_ne!(title(&night, 5), "Nordbank cannot pay");
    night.does("maya", publish(5));
    assert!(night.refused("maya", publish(4)).contains("its title was taken back"));
    night.at(31).does("maya", writes(Audience::Public));
    assert_eq!(title(&night, 6), title(&night, 5));
    night.does("maya", mends(Sort::Retraction, 2, &[]));
    assert_eq!(title(&night, 7), title(&night, 5));
}

#[test]
fn what_was_taken_back_is_taken_back_once_and_what_takes_back_stays() {
    let mut night = Night::manned(calm());
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    night.does("maya", mends(Sort::Retraction, 1, &[]));
    night.does("maya", mends(Sort::Retraction, 1, &[]));
    night.does("maya", mends(Sort::Correction, 1, &[]));
    night.does("maya", publish(2));
    for number in [3, 4] {
        assert!(night.refused("maya", publish(number)).contains("was taken back since"), "{number}");
    }
    assert!(night.refused("maya", mends(Sort::Retraction, 1, &[])).contains("taken back already"));
    assert!(night.refused("maya", mends(Sort::Retraction, 2, &[])).contains("and stays"));
    // A word of it may be wrong.
    night.does("maya", mends(Sort::Correction, 2, &[]));
    night.does("maya", publish(5));
}

#[test]
fn nothing_is_promised_of_what_is_over() {
    let mut night = Night::manned(calm());
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    let by = night.now + SignedDuration::from_hours(1);
    let promise = Draft {
        sort: Some(Sort::Correction),
        mends: Some(1),
        phase: Some(Phase::Monitoring),
        next: Next::By(by),
        ..draft(Audience::Public, "Some fail still.")
    };
    let told = night.refused("maya", Speech::of(Wish::Draft { number: None, draft: promise }));
    assert!(told.contains("no further update is promised"), "{told}");
}

#[test]
fn a_pio_who_gives_it_up_is_followed_and_one_who_is_sent_is_not() {
    let gives_up = || Act::Command(Bid::Give { office: Office::Pio, term: Some(1) });
    let mut night = Night::with_pio(calm());
    let letters = night.at(5).does("kim", gives_up());
    assert_eq!(letters, ["call PIO tom", "tell maya office-released"]);
    let mut night = Night::with_pio(calm());
    assert_eq!(night.at(5).does("maya", gives_up()), ["tell kim office-released"]);
}

#[test]
fn a_title_that_was_typed_by_hand_goes_as_well_and_one_that_is_used_again_stays() {
    let mut rules = calm();
    rules.services.get_mut("shop").unwrap().public_name = None;
    let mut night = Night::manned(rules);
    let named = |title: &str| {
        let draft = Draft { title: Some(title.into()), ..draft(Audience::Public, "It is down.") };
        Speech::of(Wish::Draft { number: None, draft })
    };
    night.does("maya", named("Nordbank cannot pay"));
    night.does("maya", publish(1));
    night.does("maya", named("Nordbank cannot pay"));
    night.at(30).does("maya", mends(Sort::Retraction, 1, &[]));
    night.does("maya", publish(3));
    assert!(night.refused("maya", publish(2)).contains("its title was taken back"));
    // What is called so on purpose, after that, is called so.
    night.at(31).does("maya", named("Payments fail"));
    night.does("maya", publish(4));
    night.at(32).does("maya", mends(Sort::Retraction, 4, &[]));
    night.does("maya", publish(5));
    night.at(33).does("maya", named("Payments fail"));
    night.does("maya", publish(6));
    assert_eq!(night.incident.voice.title(Audience::Public, None), Some("Payments fail"));
}

#[test]
fn what_takes_back_is_said_in_other_words_where_a_channel_did_not_take_it() {
    let mut night = Night::manned(calm());
    let again = |number| Speech::of(Wish::Resend { number, channel: None });
    night.does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    night.does("maya", mends(Sort::Retraction, 1, &[]));
    night.does("maya", publish(2));
    night.does("onscene", delivered(2, "status", "refused"));
    // An alert that came since names a word of it: that keeps nothing from being taken back.
    let found = vec![Finding {
        place: Place::Body,
        span: 0..2,
        rule: Rule::Host,
        weight: Weight::Second,
        why: "an alert names it since",
    }];
    let mut once_more = again(2);
    let Act::Speak(speech) = &mut once_more else { panic!("another act") };
    speech.found = found;
    assert_eq!(night.does("maya", once_more), ["status: statement 2"]);
    night.does("onscene", delivered(2, "status", "refused"));
    night.does("maya", mends(Sort::Retraction, 1, &[]));
    night.does("maya", publish(3));
    // A closing is not sent once more while it is open again.
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.does("maya", closing());
    night.does("maya", publish(4));
    night.does("onscene", delivered(4, "status", "refused"));
    night.at(20).does("onscene", fires("db-1", Severity::Sev1));
    assert!(night.refused("cto", again(4)).contains("it is not over"));
}
