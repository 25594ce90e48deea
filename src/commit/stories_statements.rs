//! Statements through the door: what must not be said is found in the words as they will be printed, what goes out is written in
//! the transaction that decides it, and what became of it stands beside it.

use std::sync::Arc;

use jiff::SignedDuration;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{Event, Status};
use crate::core::audience::Audience;
use crate::core::decide::{Act, By, Draft, Next, Reason, Refusal, Speech, Wish};
use crate::core::disclosure::{Disclosure, Known, Rule, Weight};
use crate::core::incident::Severity;
use crate::core::rules::{Holding, PioRules, Rules};
use crate::core::timeline::{Actor, Route};
use crate::core::voice::{Sort, Stage};
use crate::house::{House, List};
use crate::render::Words;
use crate::store::letters::{Claim, Settlement};
use crate::store::{alerts, incidents, statements};

fn speaking() -> House {
    let mut house = house();
    let mut rules = Rules {
        pio: PioRules { alone: PioRules::usual().alone, ..PioRules::default() },
        ..(*house.rules).clone()
    };
    rules.channels = [
        ("ops-room", Audience::Internal),
        ("staff-mail", Audience::Internal),
        ("status", Audience::Public),
        ("feed", Audience::Public),
    ]
    .map(|(name, audience)| (name.to_owned(), audience))
    .into();
    rules.fallbacks.insert("status".into(), "feed".into());
    rules.fallbacks.insert("feed".into(), "staff-mail".into());
    rules.services.get_mut("shop").unwrap().public_name = Some("Online shop".into());
    let known =
        Known { people: vec!["Maya Lind".into()], customers: vec!["Acme Bank".into()], ..Known::default() };
    rules.disclosure = Disclosure::of(&known).unwrap();
    house.rules = Arc::new(rules);
    house
}

fn draft(text: &str) -> Draft {
    Draft {
        audience: Audience::Public,
        sort: None,
        phase: None,
        impact: None,
        title: None,
        text: text.into(),
        next: Next::Never,
        mends: None,
        channels: vec!["status".into()],
    }
}

fn writes(text: &str) -> Act {
    Speech::of(Wish::Draft { number: None, draft: draft(text) })
}

fn publish(number: u32) -> Act {
    Speech::of(Wish::Publish { number, wording: None })
}

impl Story {
    /// One incident, which maya has.
    pub(super) fn speaking() -> Self {
        let mut story = Self::new();
        story.committer.house.swap(speaking());
        let mut event = Event::new("k", Status::Firing, "lb-frankfurt-7 lost its backend".to_owned());
        event.labels.insert("instance".into(), "paymentgw:9100".into());
        let delivered = story.delivery("pingdom", vec![event]);
        story.ask(delivered).unwrap();
        story.speaks("maya", Act::Answer { help: false }).unwrap();
        story
    }

    fn speaks(&mut self, who: &str, act: Act) -> Result<Reason, Refusal> {
        let by = By { actor: Actor::Person(who.into()), route: Route::Api, occurred_at: None };
        match self.ask(Command::Act { incident: 1, act, by }) {
            Ok(Reply::Decided(_, reason)) => Ok(reason),
            Err(DoorError::Refused(refusal)) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    fn found(&mut self, text: &str) -> Vec<Rule> {
        match self.speaks("maya", writes(text)) {
            Err(Refusal::Disclosed { found }) => found.iter().map(|one| one.rule).collect(),
            Ok(_) => Vec::new(),
            Err(other) => panic!("{other}"),
        }
    }
}

fn words(claim: &Claim) -> Words {
    serde_json::from_str(&claim.payload).unwrap()
}

#[test]
fn no_word_of_an_alert_no_customer_and_no_colleague_is_said_to_the_public() {
    let mut story = Story::speaking();
    // What looks like a name of a machine by itself, what only the alert told, and what stands in the lists of the house.
    assert_eq!(story.found("We lost 10.1.2.3."), [], "a second person may let it pass, so it is written");
    let open = |story: &mut Story| {
        let number = story.look(|tx| incidents::load(tx, 1)).unwrap().incident.voice.statements.len();
        u32::try_from(number).unwrap()
    };
    for (text, rule) in [
        ("lb-frankfurt-7 is back.", "host"),
        ("The paymentgw is slow.", "host"),
        ("Acme Bank cannot pay.", "customer"),
    ] {
        story.speaks("maya", writes(text)).unwrap();
        let number = open(&mut story);
        let saved = story.look(|tx| incidents::load(tx, 1)).unwrap();
        assert_eq!(saved.incident.voice.statement(number).unwrap().found, [rule], "{text}");
        assert!(matches!(story.speaks("maya", publish(number)), Err(Refusal::Disclosed { .. })), "{text}");
    }
    assert_eq!(story.found("Maya Lind looks into it."), [Rule::Colleague]);
    let before = open(&mut story);
    assert!(story.found("It is caused by a bad disk.").contains(&Rule::Cause));
    assert_eq!(open(&mut story), before, "what is refused is nowhere");
    story.speaks("maya", Speech::of(Wish::ConfirmCause { cause: "a disk".into(), term: 1 })).unwrap();
    assert_eq!(story.found("It is caused by a bad disk."), []);
}

#[test]
fn what_goes_out_by_itself_is_read_with_what_the_alerts_of_the_night_say() {
    for (machine, goes_out) in [("paymentgw:9100", false), ("other:9100", true)] {
        let mut story = Story::new();
        let mut house = speaking();
        let mut rules = (*house.rules).clone();
        let service = rules.services.get_mut("shop").unwrap();
        service.symptom = "The paymentgw may refuse cards.".into();
        service.holding = Some(Holding {
            after: SignedDuration::from_mins(3),
            audiences: [Audience::Public].into(),
            severities: Severity::ALL.into(),
        });
        house.rules = Arc::new(rules);
        story.committer.house.swap(house);
        let mut event = Event::new("k", Status::Firing, "cards are refused".to_owned());
        event.labels.insert("instance".into(), machine.into());
        let delivered = story.delivery("pingdom", vec![event]);
        story.ask(delivered).unwrap();
        story.speaks("maya", Act::Answer { help: false }).unwrap();
        story.passes(4);
        story.ask(Command::Act { incident: 1, act: Act::TICK, by: By::dispatch() }).unwrap();
        let voice = story.look(|tx| incidents::load(tx, 1)).unwrap().incident.voice;
        assert_eq!((voice.statements.len(), voice.holding_at), (usize::from(goes_out), None), "{machine}");
        assert_eq!(story.claim("status").len(), usize::from(goes_out));
        story.proves_whole();
    }
}

#[test]
fn where_there_are_more_alerts_than_can_be_looked_through_a_second_person_reads() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("Payments fail.")).unwrap();
    for batch in 0..11 {
        let event =
            |number| Event::new(format!("k{batch}-{number}"), Status::Firing, "it is down".to_owned());
        let delivered = story.delivery("pingdom", (0..500).map(event).collect());
        story.ask(delivered).unwrap();
    }
    let now = story.clock.now();
    let all = |tx: &crate::store::Tx<'_>| tx.write("update alert set incident = 1", &[]);
    story.committer.connection.write(now, all).unwrap();
    assert!(story.look(|tx| alerts::count_of_incident(tx, 1)) > 5000);
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap().incident;
    let known = saved.voice.statement(1).unwrap();
    let rules = speaking().rules;
    let found = story.look(|tx| super::statements::found(tx, &rules, &saved, (&known.wording, known.at)));
    let [only] = &found[..] else { panic!("{found:?}") };
    assert!(only.weight == Weight::Second && only.why.starts_with("there are more alerts"), "{only:?}");
}

#[test]
fn what_goes_out_is_what_was_approved_and_nothing_beside_it() {
    let mut story = Story::speaking();
    story.speaks("kim", writes("Some payments fail.")).unwrap();
    assert!(matches!(story.speaks("kim", publish(1)), Err(Refusal::NotAllowed(_))));
    story.speaks("maya", Speech::of(Wish::Approve { number: 1, wording: None, term: Some(1) })).unwrap();
    assert_eq!(story.speaks("kim", publish(1)), Ok(Reason::Published));
    let [claim] = &story.claim("status")[..] else { panic!("one letter") };
    assert_eq!((claim.statement, claim.unsure, claim.attempt), (Some(1), false, 1));
    let said = words(claim);
    assert_eq!(said.subject, "Online shop: service disruption");
    assert_eq!(said.text, "Investigating\n\nSome payments fail.");
    // Not a word of the alert, of who commands, of our own addresses.
    let all = claim.payload.to_lowercase();
    for word in ["maya", "kim", "frankfurt", "paymentgw", "localhost", "inc-1", "pingdom"] {
        assert!(!all.contains(word), "{word} is in {all}");
    }
    let parcel = crate::house::parcel::of(said, claim.created_at).unwrap();
    let statement = parcel.statement.unwrap();
    assert_eq!(
        (statement.id.as_str(), statement.sort, statement.components[0].as_str()),
        ("1-1", Sort::Update, "Online shop")
    );
    let told = story.look(|tx| statements::told_since(tx, Audience::Public, jiff::Timestamp::MIN, 10));
    assert_eq!(told.iter().map(|incident| incident.id).collect::<Vec<_>>(), [1]);
    assert!(
        story.look(|tx| statements::told_since(tx, Audience::Internal, jiff::Timestamp::MIN, 10)).is_empty()
    );
}

#[test]
fn an_incident_that_cannot_be_read_keeps_nothing_from_being_shown_that_was_told_of_others() {
    let mut story = Story::speaking();
    story.hears("pingdom", "db-2", Status::Firing);
    let now = story.clock.now();
    story.change(|tx| {
        for incident in [1, 2] {
            statements::published(tx, incident, 1, Audience::Public, now)?;
        }
        tx.write("update incident set state = '{' where id = 1", &[])
    });
    let told = story.look(|tx| statements::told_since(tx, Audience::Public, jiff::Timestamp::MIN, 10));
    assert_eq!(told.iter().map(|incident| incident.id).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_channel_that_fails_is_told_of_and_its_fallback_gets_the_same_words_and_no_note() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("Some payments fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    let first = words(&claim);
    story.settle(claim, Settlement::Refused { why: "401: the key ops-secret is revoked".into() });
    let second = story.claim("feed").remove(0);
    assert_eq!((words(&second).text, second.statement), (first.text, Some(1)));
    story.settle(second, Settlement::Refused { why: "404".into() });
    // Those of the house are told why.
    let third = story.claim("staff-mail");
    assert_eq!(third.len(), 2, "one a recipient");
    assert!(words(&third[0]).text.contains("could not be delivered to feed: 404"));
    assert!(words(&third[0]).statement.is_none());
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap();
    let reached: Vec<(String, String)> = saved
        .incident
        .voice
        .statement(1)
        .unwrap()
        .reached
        .iter()
        .map(|one| (one.channel.clone(), one.outcome.clone()))
        .collect();
    assert_eq!(reached, [("status".into(), "refused".into()), ("feed".into(), "refused".into())]);
    let told = story.look(|tx| crate::store::timeline::list(tx, 1, 0, 100));
    assert!(
        told.iter().any(|kept| kept.entry.fact.text().starts_with("statement 1 to status: ")),
        "{told:?}"
    );
}

#[test]
fn one_that_is_taken_back_names_what_the_channel_called_the_first() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("All cards fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    story.settle(claim, Settlement::Accepted { remote_id: Some("post-77".into()) });
    let mut back = draft("That was not so.");
    (back.sort, back.mends, back.channels) = (Some(Sort::Retraction), Some(1), Vec::new());
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: back })).unwrap();
    story.speaks("maya", publish(2)).unwrap();
    let claim = story.claim("status").remove(0);
    let said = words(&claim).statement.unwrap();
    let mended = said.mends.unwrap();
    assert_eq!((mended.id.as_str(), mended.remote_id.as_deref()), ("1-1", Some("post-77")));
    assert_eq!(claim.thread_root.as_deref(), Some("post-77"));
    assert!(said.text.starts_with("We take back our "), "{}", said.text);
}

#[test]
fn a_withdrawal_beside_a_post_that_stands_is_told_of_and_is_written_nowhere_again() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("All cards fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    story.settle(claim, Settlement::Accepted { remote_id: None });
    story.speaks("maya", takes_back(1)).unwrap();
    story.speaks("maya", publish(2)).unwrap();
    let claim = story.claim("status").remove(0);
    drop(story.claim(""));
    story.settle(
        claim,
        Settlement::Stands { remote_id: Some("78".into()), why: "its id is not known".into() },
    );
    // Whoever speaks hears that there is something to be done by hand.
    let told: Vec<String> = story.claim("").iter().map(|claim| words(claim).text).collect();
    let is_told = |text: &String| text.contains("statement 2 is in status, but what it takes back may stand");
    assert!(told.iter().any(is_told), "{told:?}");
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap().incident;
    let reached = &saved.voice.statement(2).unwrap().reached;
    assert_eq!((reached.len(), reached[0].outcome.as_str()), (1, "stands"));
    // Its words are there, and known by their id: neither its fallback nor anybody who presses a button doubles them.
    assert!(story.claim("feed").is_empty());
    let again = Speech::of(Wish::Resend { number: 2, channel: None });
    assert!(story.speaks("maya", again).unwrap_err().to_string().contains("nowhere to send it once more"));
    assert_eq!(story.look(|tx| statements::remote_of(tx, 1, "status", 2)).as_deref(), Some("78"));
    let proved = story.look(|tx| incidents::verify(tx, 1));
    assert!(proved.unwrap().is_ok());
}

#[test]
fn an_attempt_that_was_lost_is_known_to_be_unsure() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("Some payments fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    drop(story.claim("status"));
    story.passes(3);
    let [claim] = &story.claim("status")[..] else { panic!("its lease has run out") };
    assert!(claim.unsure && claim.attempt == 2);
    // One that was told to wait is not.
    let mut story = Story::speaking();
    story.speaks("maya", writes("Some payments fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    let at = story.clock.now();
    story.settle(claim, Settlement::Again { at, why: "429".into(), unsure: false });
    let [claim] = &story.claim("status")[..] else { panic!("it is due") };
    assert!(!claim.unsure && claim.attempt == 2);
}

#[test]
fn what_was_said_is_folded_the_same_from_the_timeline() {
    let mut story = Story::speaking();
    story.speaks("kim", writes("Some payments fail.")).unwrap();
    story.speaks("maya", Speech::of(Wish::Return { number: 1, why: "say which".into() })).unwrap();
    story
        .speaks("kim", Speech::of(Wish::Draft { number: Some(1), draft: draft("Payments by card fail.") }))
        .unwrap();
    story
        .speaks("maya", Speech::of(Wish::Delegate { length: jiff::SignedDuration::from_mins(30), term: 1 }))
        .unwrap();
    story.speaks("kim", publish(1)).unwrap();
    story
        .speaks("kim", Speech::of(Wish::Ask { from: "support".into(), text: "any update?".into() }))
        .unwrap();
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap();
    assert!(matches!(saved.incident.voice.statement(1).unwrap().stage, Stage::Published { .. }));
    let proved = story.look(|tx| incidents::verify(tx, 1));
    assert!(proved.unwrap().is_ok());
}

#[test]
fn of_updates_that_waited_long_the_newest_goes_out_and_what_corrects_is_never_left_out() {
    let mut story = Story::speaking();
    let says = |story: &mut Story, text: &str| {
        story.speaks("maya", writes(text)).unwrap();
        let number = story.look(|tx| incidents::load(tx, 1)).unwrap().incident.voice.next_number() - 1;
        story.speaks("maya", publish(number)).unwrap();
        number
    };
    says(&mut story, "All cards fail.");
    story.passes(3);
    says(&mut story, "Some cards fail.");
    // The channel is away, and comes back a quarter of an hour later.
    story.passes(12);
    assert!(story.claim("status").is_empty(), "the first is no news any more");
    let claims = story.claim("status");
    assert_eq!(claims.iter().map(|claim| claim.statement).collect::<Vec<_>>(), [Some(2)]);
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap();
    let reached = |number| saved.incident.voice.statement(number).unwrap().reached[0].outcome.as_str();
    assert_eq!((reached(1), reached(2)), ("superseded", ""));
    story.settle(claims.into_iter().next().unwrap(), Settlement::Accepted { remote_id: None });
    // What is corrected has to be there before its correction is.
    let wrong = says(&mut story, "No cards fail.");
    let mut right = draft("Some still fail.");
    (right.sort, right.mends) = (Some(Sort::Correction), Some(wrong));
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: right })).unwrap();
    story.speaks("maya", publish(wrong + 1)).unwrap();
    story.passes(30);
    let first = story.claim("status").remove(0);
    assert_eq!(first.statement, Some(wrong));
    story.settle(first, Settlement::Accepted { remote_id: None });
    assert_eq!(story.claim("status").remove(0).statement, Some(wrong + 1));
    story.proves_whole();
}

#[test]
fn while_nothing_is_known_to_be_there_a_statement_names_those_that_may_be() {
    let mut story = Story::speaking();
    let ends = [
        Settlement::Unknown { why: "the answer was lost".into() },
        Settlement::Refused { why: "too long".into() },
        Settlement::Unknown { why: "the answer was lost".into() },
        Settlement::Accepted { remote_id: Some("7\u{1f}0123456789ab".into()) },
        Settlement::Accepted { remote_id: None },
    ];
    let mut lost: Vec<String> = Vec::new();
    for (number, end) in (1..).zip(ends) {
        story.speaks("maya", writes(&format!("{number} payments fail."))).unwrap();
        story.speaks("maya", publish(number)).unwrap();
        let claim = story.claim("status").remove(0);
        match number {
            5 => {
                assert_eq!((claim.thread_root.as_deref(), claim.lost.len()), (Some("7\u{1f}0123456789ab"), 0))
            }
            _ => assert_eq!(claim.lost, lost, "the newest first"),
        }
        if let Settlement::Unknown { .. } = end {
            lost.insert(0, claim.id.clone());
        }
        story.settle(claim, end);
    }
    let told = story.look(|tx| tx.query("select text from entry", &[], |row| row.text(0)));
    assert!(told.iter().all(|text| !text.contains('\u{1f}')), "{told:?}");
    story.proves_whole();
}

#[test]
fn what_did_not_arrive_is_sent_once_more_by_who_has_looked() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("Some payments fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let again = || Speech::of(Wish::Resend { number: 1, channel: None });
    assert!(matches!(story.speaks("maya", again()), Err(Refusal::WrongState(_))), "it is on its way");
    let claim = story.claim("status").remove(0);
    let first = words(&claim).text;
    story.settle(claim, Settlement::Unknown { why: "the answer was lost".into() });
    assert!(matches!(story.speaks("tom", again()), Err(Refusal::NotAllowed(_))));
    assert_eq!(story.speaks("maya", again()), Ok(Reason::Published));
    let claim = story.claim("status").remove(0);
    assert_eq!((words(&claim).text, claim.statement), (first, Some(1)));
    assert_eq!((claim.again.len(), claim.lost.len()), (1, 0), "it may be there, and is the same");
    story.settle(claim, Settlement::Accepted { remote_id: None });
    assert!(matches!(story.speaks("maya", again()), Err(Refusal::WrongState(_))));
    story.proves_whole();
}

fn takes_back(number: u32) -> Act {
    let mut back = draft("That was not so.");
    (back.sort, back.mends, back.channels) = (Some(Sort::Retraction), Some(number), Vec::new());
    Speech::of(Wish::Draft { number: None, draft: back })
}

#[test]
fn what_is_taken_back_before_it_left_goes_nowhere_and_is_not_sent_once_more() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("Acme cannot pay.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    let at = story.clock.now();
    story.settle(claim, Settlement::Again { at, why: "429".into(), unsure: false });
    story.speaks("maya", takes_back(1)).unwrap();
    story.speaks("maya", publish(2)).unwrap();
    assert!(story.claim("status").is_empty(), "the first is taken out of the way");
    let [claim] = &story.claim("status")[..] else { panic!("what takes it back goes") };
    assert_eq!((claim.statement, claim.mends_nothing), (Some(2), true), "nobody has to look for it");
    let again = Speech::of(Wish::Resend { number: 1, channel: None });
    assert!(story.speaks("maya", again).unwrap_err().to_string().contains("was taken back"));
    let proved = story.look(|tx| incidents::verify(tx, 1));
    assert!(proved.unwrap().is_ok());
}

#[test]
fn what_takes_back_a_statement_in_flight_learns_what_the_channel_called_it() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("All cards fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    story.speaks("maya", takes_back(1)).unwrap();
    story.speaks("maya", publish(2)).unwrap();
    story.settle(claim, Settlement::Accepted { remote_id: Some("post-77".into()) });
    let claim = story.claim("status").remove(0);
    let mended = words(&claim).statement.unwrap().mends.unwrap();
    assert_eq!(mended.remote_id.as_deref(), Some("post-77"));
}

#[test]
fn what_is_taken_back_and_may_be_there_is_looked_for_before_it_is_forgotten() {
    for is_there in [true, false] {
        let mut story = Story::speaking();
        story.speaks("maya", writes("Acme cannot pay.")).unwrap();
        story.speaks("maya", publish(1)).unwrap();
        let claim = story.claim("status").remove(0);
        let at = story.clock.now();
        story.settle(claim, Settlement::Again { at, why: "no answer".into(), unsure: true });
        story.speaks("maya", takes_back(1)).unwrap();
        story.speaks("maya", publish(2)).unwrap();
        // The turn of what takes it back comes after that.
        let claim = story.claim("status").remove(0);
        assert_eq!((claim.statement, claim.unsure, claim.only_look), (Some(1), true, true));
        let at = story.clock.now();
        story.settle(claim, Settlement::Again { at, why: "429".into(), unsure: false });
        let claim = story.claim("status").remove(0);
        assert!(claim.only_look, "a wait that wrote nothing says nothing of the attempt before it");
        let end = match is_there {
            true => Settlement::Accepted { remote_id: Some("post-77".into()) },
            false => Settlement::Refused { why: "it is not there".into() },
        };
        story.settle(claim, end);
        let claim = story.claim("status").remove(0);
        let mended = words(&claim).statement.unwrap().mends.unwrap();
        assert_eq!(mended.remote_id.as_deref(), is_there.then_some("post-77"));
        let saved = story.look(|tx| incidents::load(tx, 1)).unwrap();
        let reached = &saved.incident.voice.statement(1).unwrap().reached;
        assert_eq!(reached[0].outcome, if is_there { "accepted" } else { "superseded" });
        assert!(story.claim("feed").is_empty(), "no fallback gets what is not wanted");
    }
}

#[test]
fn what_is_no_news_any_more_and_may_be_there_is_not_forgotten() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("All cards fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    let at = story.clock.now();
    story.settle(claim, Settlement::Again { at, why: "no answer".into(), unsure: true });
    story.passes(12);
    story.speaks("maya", writes("Some cards fail.")).unwrap();
    story.speaks("maya", publish(2)).unwrap();
    let claim = story.claim("status").remove(0);
    assert_eq!((claim.statement, claim.unsure, claim.only_look), (Some(1), true, false));
    story.settle(claim, Settlement::Accepted { remote_id: Some("post-77".into()) });
    let claim = story.claim("status").remove(0);
    assert_eq!((claim.statement, claim.thread_root.as_deref()), (Some(2), Some("post-77")));
}

#[test]
fn what_takes_words_back_goes_to_the_fallback_that_brought_them() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("All cards fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    story.settle(claim, Settlement::Refused { why: "401".into() });
    let claim = story.claim("feed").remove(0);
    story.settle(claim, Settlement::Accepted { remote_id: Some("feed-3".into()) });
    story.speaks("maya", takes_back(1)).unwrap();
    story.speaks("maya", publish(2)).unwrap();
    assert!(story.claim("status").is_empty(), "nobody has read it there");
    let claim = story.claim("feed").remove(0);
    let mended = words(&claim).statement.unwrap().mends.unwrap();
    assert_eq!((claim.statement, mended.remote_id.as_deref()), (Some(2), Some("feed-3")));
}

#[test]
fn a_list_that_is_the_fallback_of_two_channels_gets_one_letter() {
    let mut story = Story::speaking();
    let mut house = speaking();
    let mut rules = (*house.rules).clone();
    rules.channels.push(("readers".into(), Audience::Public));
    rules.fallbacks = ["status", "feed"].map(|name| (name.to_owned(), "readers".to_owned())).into();
    house.rules = Arc::new(rules);
    let list = List { channel: "readers".into(), title: String::new(), url: String::new(), takes: false };
    house.list = Some(list.at("Example status", "https://status.example.net", true));
    house.recipients = [("readers".to_owned(), Vec::new())].into();
    story.committer.house.swap(house);
    let mut both = draft("Some payments fail.");
    both.channels = ["status", "feed"].map(str::to_owned).into();
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: both })).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    for channel in ["status", "feed"] {
        let claim = story.claim(channel).remove(0);
        story.settle(claim, Settlement::Refused { why: "401".into() });
    }
    let count =
        |tx: &crate::store::Tx<'_>| tx.query_one("select count(*) from mailing", &[], |row| row.int(0));
    assert_eq!(story.look(count), Some(1));
}

#[test]
fn a_notice_names_the_channel_that_was_not_reached() {
    let mut story = Story::speaking();
    let mut both = draft("Some payments fail.");
    both.channels = Vec::new();
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: both })).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    for channel in ["status", "feed"] {
        story.claim("");
        let claim = story.claim(channel).remove(0);
        story.settle(claim, Settlement::Unknown { why: "silence".into() });
        let told = words(story.claim("").iter().find(|claim| claim.person == "maya").unwrap()).text;
        assert!(told.contains(&format!("whether statement 1 reached {channel}.")), "{told}");
    }
}

#[test]
fn a_fallback_that_is_told_anyway_is_told_once() {
    let mut story = Story::speaking();
    let mut both = draft("Some payments fail.");
    both.channels = Vec::new();
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: both })).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let claim = story.claim("status").remove(0);
    story.settle(claim, Settlement::Refused { why: "401".into() });
    assert_eq!(story.claim("feed").len(), 1, "its own letter, and no other");
    assert!(story.claim("feed").is_empty());
}

#[test]
fn once_more_goes_only_to_those_who_have_not_got_it() {
    let mut story = Story::speaking();
    let mut inside = draft("Some payments fail.");
    (inside.audience, inside.channels) = (Audience::Internal, vec!["staff-mail".into()]);
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: inside })).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let mut claims: Vec<_> = story.claim("staff-mail");
    claims.retain(|claim| claim.statement == Some(1));
    let [first, second] = <[Claim; 2]>::try_from(claims).unwrap();
    let missed = second.address.clone();
    story.settle(first, Settlement::Accepted { remote_id: None });
    story.settle(second, Settlement::Refused { why: "550".into() });
    story.speaks("maya", Speech::of(Wish::Resend { number: 1, channel: None })).unwrap();
    let again = story.claim("staff-mail");
    let again: Vec<_> = again.iter().filter(|claim| claim.statement == Some(1)).collect();
    assert_eq!(again.iter().map(|claim| claim.address.as_str()).collect::<Vec<_>>(), [missed]);
}

#[test]
fn a_title_that_must_not_stand_is_taken_back_with_its_statement() {
    let mut story = Story::speaking();
    let mut named = draft("Some payments fail.");
    named.title = Some("Nordbank cannot pay".into());
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: named })).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    story.speaks("maya", takes_back(1)).unwrap();
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap().incident;
    assert!(!saved.voice.statement(2).unwrap().wording.title.contains("Nordbank"));
    story.speaks("maya", publish(2)).unwrap();
    story.speaks("maya", writes("Some payments fail.")).unwrap();
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap().incident;
    assert!(!saved.voice.statement(3).unwrap().wording.title.contains("Nordbank"));
}

/// A house whose public reads mail, with so many subscribers.
fn with_list(story: &mut Story, readers: usize) {
    let mut house = speaking();
    let mut rules = (*house.rules).clone();
    rules.channels = vec![("readers".into(), Audience::Public)];
    house.rules = Arc::new(rules);
    let list = List { channel: "readers".into(), title: String::new(), url: String::new(), takes: false };
    house.list = Some(list.at("Example status", "https://status.example.net", true));
    house.recipients = [("readers".to_owned(), Vec::new())].into();
    story.committer.house.swap(house);
    story.has_readers(readers);
    let mut one = draft("Some payments fail.");
    one.channels = Vec::new();
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: one })).unwrap();
    story.speaks("maya", publish(1)).unwrap();
}

fn expands(story: &mut Story) -> bool {
    matches!(story.ask(Command::Subscribe(Subscribing::Expand)), Ok(Reply::Looked(true)))
}

#[test]
fn what_keeps_letters_from_a_list_is_told_once_and_what_is_of_one_mailbox_is_not() {
    let mut story = Story::speaking();
    with_list(&mut story, 9);
    while expands(&mut story) {}
    let partly = "select count(*) from entry where text like '%not all subscribers%'";
    let count = |story: &mut Story| story.look(|tx| tx.query_one(partly, &[], |row| row.int(0))).unwrap();
    let full = "given up after 40 attempts: mx answered 452 4.2.2 mailbox full";
    let ends = [
        Settlement::Refused { why: full.into() },
        Settlement::Accepted { remote_id: None },
        Settlement::Refused { why: "mx answered 554 5.7.1 spam".into() },
        Settlement::Refused { why: "given up after 40 attempts: no relay answered".into() },
        Settlement::Unknown { why: "the answer was lost".into() },
    ];
    let claims = story.claim("readers");
    assert_eq!(claims.len(), 9);
    let before = story.claim("").len();
    for (number, claim) in claims.into_iter().enumerate() {
        let end = ends[number.min(4)].clone();
        story.settle(claim, end);
        assert_eq!(count(&mut story), i64::from(number > 1), "{number}");
    }
    let told = story.claim("").len();
    assert!(told > before || told > 0, "people are told");
    story.proves_whole();
}

#[test]
fn a_list_that_was_not_written_to_is_not_on_its_way_for_ever() {
    let mut story = Story::speaking();
    with_list(&mut story, 3);
    let mut back = draft("That was not so.");
    (back.sort, back.mends, back.channels) = (Some(Sort::Retraction), Some(1), Vec::new());
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: back })).unwrap();
    story.speaks("maya", publish(2)).unwrap();
    while expands(&mut story) {}
    let outcome = |story: &mut Story, number: u32| {
        let saved = story.look(|tx| incidents::load(tx, 1)).unwrap();
        saved.incident.voice.statement(number).unwrap().reached[0].outcome.clone()
    };
    assert_eq!((outcome(&mut story, 1), outcome(&mut story, 2)), ("superseded".into(), "accepted".into()));
    story.proves_whole();
}

#[test]
fn the_words_of_alerts_stay_with_the_incident_that_readers_were_told_of() {
    let mut story = Story::speaking();
    story.speaks("maya", writes("Some payments fail.")).unwrap();
    story.speaks("maya", publish(1)).unwrap();
    let delivered = story.delivery("pingdom", vec![Event::new("other", Status::Firing, "db".to_owned())]);
    story.ask(delivered).unwrap();
    let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 1, into: 2, term: Some(1), by }).unwrap();
    let mut closing = draft("paymentgw works again.");
    closing.sort = Some(Sort::Closing);
    story.speaks("maya", Speech::of(Wish::Draft { number: None, draft: closing })).unwrap();
    match story.speaks("maya", publish(2)) {
        Err(Refusal::Disclosed { found }) => assert_eq!(found[0].rule, Rule::Host),
        other => panic!("{other:?}"),
    }
}
