//! One voice, told as stories: who writes, who lets it go out, what makes an approval void, and when the next one is due.

use jiff::{SignedDuration, Timestamp};

use super::audience::Audience;
use super::command::Office;
use super::decide::{Act, Draft, Next, Speech, TooLong, Unsaid, Wish, holding_words};
use super::disclosure::{Finding, Place, Rule, Weight};
use super::incident::Severity;
use super::rules::{Holding, PioRules, Rules, Template};
use super::stories_command::{Night, accept, assign, offer, rules};
use super::voice::{Impact, Phase, Right, Sort, Stage};

/// The house of [`rules`], with channels for everybody and the clocks of a new configuration.
pub(crate) fn speaking() -> Rules {
    let mut rules = rules();
    rules.pio = PioRules::usual();
    rules.clocks.silent_after.clear();
    rules.channels = [
        ("ops-room", Audience::Internal),
        ("heads", Audience::Stakeholder),
        ("status", Audience::Public),
        ("network", Audience::Public),
    ]
    .map(|(name, audience)| (name.to_owned(), audience))
    .into();
    rules.services.get_mut("shop").unwrap().public_name = Some("Online shop".into());
    rules
}

/// The same without hours.
pub(crate) fn calm() -> Rules {
    let mut rules = speaking();
    rules.pio =
        PioRules { alone: rules.pio.alone, deputy_after: rules.pio.deputy_after, ..PioRules::default() };
    rules
}

pub(crate) fn draft(audience: Audience, text: &str) -> Draft {
    Draft {
        audience,
        sort: None,
        phase: None,
        impact: None,
        title: None,
        text: text.into(),
        next: Next::Usual,
        mends: None,
        channels: Vec::new(),
    }
}

pub(crate) fn writes(audience: Audience) -> Act {
    Speech::of(Wish::Draft { number: None, draft: draft(audience, "Some payments fail.") })
}

pub(crate) fn approve(number: u32) -> Act {
    Speech::of(Wish::Approve { number, wording: None, term: None })
}

pub(crate) fn publish(number: u32) -> Act {
    Speech::of(Wish::Publish { number, wording: None })
}

/// What the door would have found.
fn with(act: Act, found: &[Finding]) -> Act {
    let Act::Speak(mut speech) = act else { return act };
    speech.found = found.to_vec();
    Act::Speak(speech)
}

fn finding(rule: Rule, weight: Weight) -> Finding {
    Finding { place: Place::Body, span: 5..9, rule, weight, why: "write it another way" }
}

impl Night {
    /// Maya commands; kim is the PIO.
    pub(crate) fn with_pio(rules: Rules) -> Self {
        let mut night = Self::manned(rules);
        night.does(
            "kim",
            Act::Command(super::decide::Bid::Accept { office: Some(Office::Pio), term: None, brief: None }),
        );
        night
    }

    fn stage(&self, number: u32) -> &Stage {
        &self.incident.voice.statement(number).unwrap().stage
    }

    pub(crate) fn hour(&self) -> Timestamp {
        self.now
    }
}

#[test]
fn the_pio_writes_the_commander_approves_and_it_goes_to_every_channel_of_its_audience() {
    let mut night = Night::with_pio(calm());
    assert_eq!(night.at(3).does("kim", writes(Audience::Public)), ["tell maya to-approve"]);
    let known = night.incident.voice.statement(1).unwrap().clone();
    assert_eq!(
        (known.wording.title.as_str(), known.wording.phase),
        ("Online shop: service disruption", Phase::Investigating)
    );
    assert_eq!(known.wording.impact, Impact::Critical);
    assert_eq!(known.wording.channels, ["status", "network"]);
    let told = night.refused("kim", publish(1));
    assert_eq!(told, "statement 1 waits for the approval of the Commander, maya");
    let told = night.refused("tom", approve(1));
    assert_eq!(told, "the Commander approves statements: that is maya");
    assert_eq!(night.does("maya", approve(1)), ["tell kim approved"]);
    assert!(
        matches!(night.stage(1), Stage::Approved(one) if one.right == Right::Commander && one.by == "maya")
    );
    let told = night.refused("cto", Act::Note { text: String::new() });
    assert_eq!(told, "the note is empty");
    assert_eq!(night.at(4).does("kim", publish(1)), ["status: statement 1", "network: statement 1"]);
    assert_eq!(night.incident.voice.statement(1).unwrap().published_at(), Some(night.hour()));
    let told = night.refused("kim", publish(1));
    assert_eq!(told, "statement 1 went out; write a correction instead");
    // What became of it stands beside it.
    let delivered = |to: &str, outcome: &str| Act::Deliver {
        what: "statement".into(),
        to: to.into(),
        outcome: outcome.into(),
        why: String::new(),
        statement: Some(1),
    };
    assert!(night.does("onscene", delivered("status", "accepted")).is_empty());
    assert_eq!(
        night.does("onscene", delivered("network", "unknown")),
        ["tell kim undelivered", "tell maya undelivered"]
    );
    let reached: Vec<_> =
        night.incident.voice.statement(1).unwrap().reached.iter().map(|one| one.outcome.as_str()).collect();
    assert_eq!(reached, ["accepted", "unknown"]);
}

#[test]
fn an_approval_is_void_when_a_word_the_term_or_the_situation_has_changed() {
    let mut night = Night::with_pio(calm());
    night.does("kim", writes(Audience::Public));
    night.does("maya", approve(1));
    let read = night.incident.voice.statement(1).unwrap().entry;
    night.does(
        "kim",
        Speech::of(Wish::Draft { number: Some(1), draft: draft(Audience::Public, "Some payments fail!") }),
    );
    assert_eq!(*night.stage(1), Stage::Draft);
    assert!(night.refused("kim", publish(1)).contains("waits for the approval"));
    // Who read the old words does not approve the new ones.
    let told =
        night.refused("maya", Speech::of(Wish::Approve { number: 1, wording: Some(read), term: None }));
    assert!(told.contains("kim has written statement 1 anew"), "{told}");
    night.does("maya", approve(1));
    night.does("maya", Act::Mitigate { term: 1, cause: None });
    let told = night.refused("kim", publish(1));
    assert_eq!(
        told,
        "the approval is void, for it is mitigated, and was acknowledged since; ask for it again"
    );
    night.does("maya", approve(1));
    night.does("maya", offer("tom", 1));
    night.does("tom", accept(1, None));
    let told = night.refused("kim", publish(1));
    assert!(told.contains("command has passed (term 2, was 1)"), "{told}");
    // The term that is believed in has to be the one there is.
    let told = night.refused("tom", Speech::of(Wish::Approve { number: 1, wording: None, term: Some(1) }));
    assert!(told.starts_with("tom has command (term 2)"), "{told}");
    night.does("tom", approve(1));
    night.does("tom", Act::SetSeverity { severity: Severity::Sev2, reason: "fewer".into(), term: Some(2) });
    assert!(night.refused("kim", publish(1)).contains("it is SEV2, and was SEV1"));
    // Nor does it hold again because everything is as it was: what lies between was not known to who read it.
    night.does("tom", Act::SetSeverity { severity: Severity::Sev1, reason: "all".into(), term: Some(2) });
    let told = night.refused("kim", publish(1));
    assert!(told.contains("it was otherwise since, and is again as it was"), "{told}");
    night.does("tom", approve(1));
    assert_eq!(night.does("kim", publish(1)).len(), 2);
}

#[test]
fn the_commander_sends_their_own_and_it_says_so() {
    let mut night = Night::manned(calm());
    assert!(night.does("maya", writes(Audience::Internal)).is_empty());
    assert_eq!(night.does("maya", publish(1)), ["ops-room: statement 1"]);
    assert!(matches!(night.stage(1), Stage::Published { right: Right::Own, .. }));
}

#[test]
fn the_deputy_approves_only_when_the_commander_has_been_silent() {
    let mut night = Night::with_pio(calm());
    night.does("maya", assign(Office::Deputy, "tom", 1));
    night.does(
        "tom",
        Act::Command(super::decide::Bid::Accept { office: Some(Office::Deputy), term: None, brief: None }),
    );
    night.does("kim", writes(Audience::Public));
    let told = night.at(6).refused("tom", approve(1));
    assert!(told.contains("the Deputy approves when they have been silent for 5 minutes"), "{told}");
    night.at(7).does("tom", approve(1));
    assert!(matches!(night.stage(1), Stage::Approved(one) if one.right == Right::Deputy));
}

#[test]
fn the_pio_speaks_alone_of_what_is_not_bad_and_by_standing_delegation_of_what_is() {
    let mut night = Night::with_pio(calm());
    night.does("maya", Act::SetSeverity { severity: Severity::Sev3, reason: "few".into(), term: Some(1) });
    assert!(night.does("kim", writes(Audience::Public)).is_empty(), "nobody is asked");
    night.does("kim", publish(1));
    assert!(matches!(night.stage(1), Stage::Published { right: Right::Alone, .. }));
    night.does("maya", Act::SetSeverity { severity: Severity::Sev2, reason: "more".into(), term: Some(1) });
    night.does("kim", writes(Audience::Public));
    assert!(night.refused("kim", publish(2)).contains("waits for the approval"));
    let delegate = |mins| Speech::of(Wish::Delegate { length: SignedDuration::from_mins(mins), term: 1 });
    night.at(10).does("maya", delegate(30));
    // What is to be looked at again is looked at by somebody.
    let warned = with(publish(2), &[finding(Rule::Absolute, Weight::Warn)]);
    assert!(night.refused("kim", warned).contains("waits for the approval"));
    night.does("kim", publish(2));
    assert!(matches!(night.stage(2), Stage::Published { right: Right::Standing, .. }));
    // It ends with its hour, and when it gets worse.
    night.does("kim", writes(Audience::Public));
    assert!(night.at(40).refused("kim", publish(3)).contains("waits"));
    night.does("maya", delegate(30));
    night.does("maya", Act::SetSeverity { severity: Severity::Sev1, reason: "all".into(), term: Some(1) });
    assert!(night.refused("kim", publish(3)).contains("waits"));
    assert!(night.refused("kim", delegate(30)).contains("maya has command"));
    // And it does not come back when it is better again.
    night.does("maya", Act::SetSeverity { severity: Severity::Sev2, reason: "few".into(), term: Some(1) });
    assert!(night.refused("kim", publish(3)).contains("waits"));
    assert_eq!(night.refused("maya", delegate(0)), "the PIO asks before each update already");
    night.does("maya", delegate(30));
    night.does("maya", delegate(0));
    assert_eq!(night.refused("maya", delegate(0)), "the PIO asks before each update already");
}

#[test]
fn a_service_may_say_otherwise_who_speaks_alone() {
    let mut rules = calm();
    rules.services.get_mut("shop").unwrap().pio_alone = Some([Severity::Sev1].into());
    let mut night = Night::with_pio(rules);
    night.does("kim", writes(Audience::Public));
    night.does("kim", publish(1));
    assert!(matches!(night.stage(1), Stage::Published { right: Right::Alone, .. }));
}

#[test]
fn what_must_not_be_said_is_not_even_written_down_and_what_a_second_person_can_let_pass_waits_for_one() {
    let mut night = Night::with_pio(calm());
    let secret = with(writes(Audience::Public), &[finding(Rule::Secret, Weight::Block)]);
    let entries = night.entries.len();
    let told = night.refused("kim", secret.clone());
    assert_eq!(told, "it does not go out like this: secret (in the text, from byte 5): write it another way");
    assert_eq!(night.entries.len(), entries, "no word of it is on the timeline");
    let host = [finding(Rule::Host, Weight::Second)];
    night.does("kim", with(writes(Audience::Public), &host));
    assert_eq!(night.incident.voice.statement(1).unwrap().found, ["host"]);
    let told = night.refused("maya", with(approve(1), &host));
    assert!(told.starts_with("it does not go out like this: host"), "{told}");
    let lets_pass =
        Speech::of(Wish::Override { number: 1, wording: None, marks: None, why: "they run it".into() });
    let told = night.refused("kim", with(lets_pass.clone(), &host));
    assert!(told.contains("a second person has to read"), "{told}");
    assert!(night.refused("tom", with(lets_pass.clone(), &[])).contains("nothing was found"));
    // Only what they read: an alert that came meanwhile is found as well.
    let read = |found: &[Finding]| {
        let marks = Some(found.iter().map(Finding::mark).collect());
        Speech::of(Wish::Override { number: 1, wording: None, marks, why: "they run it".into() })
    };
    let more = [host[0].clone(), finding(Rule::Customer, Weight::Second)];
    assert!(night.refused("maya", with(read(&host), &more)).contains("more was found in it since"));
    night.does("maya", with(read(&host), &host));
    night.does("maya", with(approve(1), &host));
    // What was not read is not let pass, be it found by the same rule: an alert that came since knows another name.
    let later = [host[0].clone(), Finding { span: 0..4, ..host[0].clone() }];
    let told = night.refused("kim", with(publish(1), &later));
    assert!(told.contains("from byte 0") && !told.contains("from byte 5"), "{told}");
    // A finding of another rule, of a name that came since, stops it all the same.
    let more = [host[0].clone(), finding(Rule::Customer, Weight::Second)];
    let told = night.refused("kim", with(publish(1), &more));
    assert!(told.contains("customer") && !told.contains("host"), "{told}");
    // And none lets pass what nobody can.
    assert!(
        night.refused("kim", with(publish(1), &[finding(Rule::Secret, Weight::Block)])).contains("secret")
    );
    night.does("kim", with(publish(1), &host));
    // Of security an administrator decides.
    let security = [finding(Rule::Security, Weight::Second)];
    night.does("kim", with(writes(Audience::Public), &security));
    let lets_pass =
        Speech::of(Wish::Override { number: 2, wording: None, marks: None, why: "announced".into() });
    assert!(night.refused("maya", with(lets_pass.clone(), &security)).contains("needs an administrator"));
    night.does("cto", with(lets_pass, &security));
    // Words that are written anew are read anew.
    night.does(
        "kim",
        with(
            Speech::of(Wish::Draft { number: Some(2), draft: draft(Audience::Public, "An attack.") }),
            &security,
        ),
    );
    assert!(night.refused("maya", with(approve(2), &security)).contains("security"));
}

#[test]
fn a_program_and_one_person_are_not_two_persons() {
    let mut night = Night::with_pio(calm());
    let host = [finding(Rule::Host, Weight::Second)];
    night.does("chatbot", with(writes(Audience::Public), &host));
    let lets_pass =
        || Speech::of(Wish::Override { number: 1, wording: None, marks: None, why: "they run it".into() });
    for who in ["maya", "kim", "cto"] {
        let told = night.refused(who, with(lets_pass(), &host));
        assert!(told.contains("chatbot wrote statement 1, and is no person"), "{told}");
    }
    let own = Wish::Draft { number: Some(1), draft: draft(Audience::Public, "Some payments fail.") };
    night.does("kim", with(Speech::of(own), &host));
    night.does("maya", with(lets_pass(), &host));
}

#[test]
fn what_is_too_long_for_a_channel_is_refused_and_not_cut() {
    let mut night = Night::with_pio(calm());
    let too_long = TooLong { channel: "network".into(), size: 341, most: 300, unit: "characters" };
    let Act::Speak(mut speech) = writes(Audience::Public) else { panic!() };
    speech.too_long = vec![too_long];
    let told = night.refused("kim", Act::Speak(speech));
    assert_eq!(told, "it is too long: network takes 300 characters, and it has 341");
}

#[test]
fn the_title_stays_once_anything_went_out_and_each_audience_has_its_own() {
    let mut night = Night::manned(calm());
    let titled = |audience, title: &str| {
        let title = Some(title.to_owned());
        Speech::of(Wish::Draft { number: None, draft: Draft { title, ..draft(audience, "t") } })
    };
    night.does("maya", titled(Audience::Public, "Payments fail"));
    night.does("maya", publish(1));
    night.does("maya", titled(Audience::Public, "Payments work again"));
    night.does("maya", titled(Audience::Stakeholder, "Loss of orders"));
    let title = |number| night.incident.voice.statement(number).unwrap().wording.title.as_str();
    assert_eq!((title(2), title(3)), ("Payments fail", "Loss of orders"));
    let mut rules = calm();
    rules.services.get_mut("shop").unwrap().public_name = None;
    let told = Night::manned(rules).refused("maya", writes(Audience::Public));
    assert!(told.contains("the service shop has no `public_name`"), "{told}");
}

#[test]
fn the_hour_that_is_printed_is_the_one_that_is_waited_for() {
    let mut night = Night::with_pio(speaking());
    night.at(3).does("maya", Act::Board(super::decide::Write::SizeUp { text: "both down".into() }));
    let due: Vec<String> =
        night.incident.voice.due.iter().map(|due| format!("{} {}", due.audience.as_str(), due.by)).collect();
    assert_eq!(
        due,
        ["internal 2026-11-23T02:16:00Z", "stakeholder 2026-11-23T02:11:00Z", "public 2026-11-23T02:11:00Z"]
    );
    night.at(4).does("kim", writes(Audience::Public));
    let known = night.incident.voice.statement(1).unwrap();
    assert_eq!(known.printed(), "Some payments fail.\n\nNext update by 02:19 UTC.");
    night.at(4).does("maya", approve(1));
    night.at(5).does("kim", publish(1));
    assert!(night.incident.voice.due.iter().any(|due| due.audience == Audience::Public
        && due.printed
        && due.by.to_string() == "2026-11-23T02:19:00Z"));
    // The heads were told nothing yet.
    assert_eq!(night.at(6).tick(), ["tell kim update-due", "tell tom update-due"]);
    assert_eq!(night.at(11).tick(), ["tell kim update-due", "tell tom update-due"], "of the house's own");
    assert_eq!(night.tick(), ["tell maya update-missed", "tell kim update-missed"]);
    assert!(night.tick().is_empty());
    assert_eq!(night.incident.voice.missed, 1);
    assert_eq!(night.at(14).tick(), ["tell kim update-due", "tell tom update-due"], "of the public");
    night.at(15).does("maya", writes(Audience::Stakeholder));
    night.does("maya", publish(2));
    assert!(night.incident.voice.due.iter().all(|due| due.missed == 0));
    // An hour that is over is promised to nobody.
    let mut late = Night::with_pio(calm());
    let by = late.at(30).hour();
    let promises = |next| {
        Speech::of(Wish::Draft { number: None, draft: Draft { next, ..draft(Audience::Public, "t") } })
    };
    late.at(4).does("maya", promises(Next::By(by)));
    assert!(late.at(31).refused("maya", publish(1)).contains("is over"));
    assert!(late.refused("maya", promises(Next::By(by))).contains("is over"));
}

#[test]
fn a_miss_is_called_three_times_and_no_more_and_nothing_is_waited_for_when_it_is_over() {
    let mut night = Night::with_pio(calm());
    let by = night.at(20).hour();
    let next = Next::By(by);
    night.at(5).does(
        "maya",
        Speech::of(Wish::Draft { number: None, draft: Draft { next, ..draft(Audience::Public, "t") } }),
    );
    night.does("maya", publish(1));
    assert!(night.at(14).tick().is_empty());
    let mut called = Vec::new();
    for minute in 15..120 {
        let letters = night.at(minute).tick();
        called.extend((!letters.is_empty()).then(|| format!("{minute} {}", letters.join(", "))));
    }
    assert_eq!(
        called,
        [
            "15 tell kim update-due, tell tom update-due",
            "20 tell maya update-missed, tell kim update-missed",
            "30 tell maya update-missed, tell kim update-missed",
            "40 tell maya update-missed, tell kim update-missed",
        ]
    );
    assert_eq!(night.incident.voice.missed, 1);
    let letters = night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    assert!(letters.contains(&"tell kim closing-due".to_owned()), "{letters:?}");
    assert_eq!(night.incident.due_at(), None);
}

#[test]
fn who_is_called_as_pio_and_does_not_come_is_followed_by_the_next_one() {
    let mut rules = speaking();
    rules.pio.first.clear();
    let mut night = Night::new(rules);
    let letters = night.at(1).does("maya", Act::CheckIn);
    assert!(letters.contains(&"call PIO kim".to_owned()), "{letters:?}");
    assert!(night.at(10).tick().is_empty());
    assert_eq!(night.at(11).tick(), ["call PIO tom"]);
    assert_eq!(night.at(21).tick(), ["tell maya no-pio"]);
    assert!(night.at(60).tick().is_empty());
    // Whoever writes first of those who can be it, is it.
    night.does("kim", writes(Audience::Public));
    assert_eq!(night.incident.offices.holder(Office::Pio), Some("kim"));
    assert_eq!(night.incident.voice.pio_due, None);
}

#[test]
fn a_correction_goes_where_the_wrong_one_went_and_a_closing_wherever_anything_was_said() {
    let mut night = Night::manned(calm());
    let to = |channels: &[&str]| {
        let channels = channels.iter().map(|name| (*name).to_owned()).collect();
        Speech::of(Wish::Draft {
            number: None,
            draft: Draft { channels, ..draft(Audience::Public, "All cards fail.") },
        })
    };
    night.does("maya", to(&["status"]));
    assert_eq!(night.at(5).does("maya", publish(1)), ["status: statement 1"]);
    let mends = |sort, mends| {
        Speech::of(Wish::Draft {
            number: None,
            draft: Draft { sort: Some(sort), mends, ..draft(Audience::Public, "Some cards fail.") },
        })
    };
    assert!(night.refused("maya", mends(Sort::Correction, None)).contains("say which statement"));
    assert!(night.refused("maya", mends(Sort::Correction, Some(7))).contains("there is no statement 7"));
    night.does("maya", mends(Sort::Correction, Some(1)));
    let known = night.incident.voice.statement(2).unwrap();
    assert_eq!(known.wording.text, "Correction to our 2026-11-23 02:05 UTC update: Some cards fail.");
    assert_eq!(night.does("maya", publish(2)), ["status: statement 2"]);
    let closing = Speech::of(Wish::Draft {
        number: None,
        draft: Draft { sort: Some(Sort::Closing), ..draft(Audience::Public, "Payments work.") },
    });
    assert!(night.refused("maya", closing.clone()).contains("after the Commander has said that it is over"));
    assert!(night.incident.voice.owes_a_closing(Audience::Public));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.does("maya", closing);
    let known = night.incident.voice.statement(3).unwrap();
    assert_eq!(
        (known.wording.phase, known.wording.impact, known.wording.next_by),
        (Phase::Resolved, Impact::None, None)
    );
    assert_eq!(night.does("maya", publish(3)), ["status: statement 3"], "the network has heard of nothing");
    assert!(!night.incident.voice.owes_a_closing(Audience::Public));
    // What was wrong is taken back also when it is over.
    night.does("maya", mends(Sort::Retraction, Some(1)));
    assert_eq!(night.does("maya", publish(4)), ["status: statement 4"]);
}

#[test]
fn after_it_is_over_who_commanded_last_or_an_administrator_answers_for_what_is_said() {
    let mut night = Night::with_pio(calm());
    night.does("kim", writes(Audience::Public));
    night.does("maya", approve(1));
    night.does("kim", publish(1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.does(
        "kim",
        Speech::of(Wish::Draft { number: None, draft: draft(Audience::Public, "Payments work.") }),
    );
    assert_eq!(night.incident.voice.statement(2).unwrap().wording.sort, Sort::Closing);
    assert!(night.refused("tom", approve(2)).contains("that is maya"));
    night.does("cto", approve(2));
    assert!(matches!(night.stage(2), Stage::Approved(one) if one.right == Right::Administrator));
    assert_eq!(night.does("kim", publish(2)).len(), 2);
}

#[test]
fn nothing_says_that_somebody_works_on_it_while_nobody_does() {
    let mut night = Night::new(calm());
    night.does("kim", writes(Audience::Public));
    assert_eq!(night.refused("kim", publish(1)), "nobody has command yet; acknowledge the incident first");
}

#[test]
fn who_does_not_speak_for_the_house_sends_nothing() {
    let mut night = Night::with_pio(calm());
    night.does("tom", writes(Audience::Public));
    night.does("maya", approve(1));
    let told = night.refused("tom", publish(1));
    assert_eq!(told, "the PIO sends statements: that is kim; it waits for them");
    let told = night.refused("tom", Speech::of(Wish::Return { number: 1, why: "x".into() }));
    assert_eq!(told, "the Commander, the Deputy or the PIO returns a statement");
    assert_eq!(
        night.does("kim", Speech::of(Wish::Return { number: 1, why: "shorter".into() })),
        ["tell tom returned"]
    );
    assert!(night.refused("kim", publish(1)).contains("gave it back: write it anew"));
    night.does("tom", Speech::of(Wish::Drop { number: 1, why: String::new() }));
    assert!(night.refused("kim", publish(1)).contains("was dropped"));
}

#[test]
fn a_question_is_kept_for_the_pio_and_reaches_no_responder() {
    let mut night = Night::with_pio(calm());
    let asks = |from: &str| Speech::of(Wish::Ask { from: from.into(), text: "any update?".into() });
    assert_eq!(night.at(5).does("cto", asks("the board")), ["tell kim question"]);
    assert!(night.at(6).does("cto", asks("support")).is_empty(), "not each for itself");
    let answers = |number| Speech::of(Wish::Answer { number, text: "see the status page".into() });
    night.does("kim", answers(1));
    assert!(night.refused("kim", answers(1)).contains("no question 1 that waits"));
    assert_eq!(night.incident.voice.questions.iter().filter(|one| one.answer.is_none()).count(), 1);
}

#[test]
fn a_confirmed_cause_is_the_commanders_word() {
    let mut night = Night::with_pio(calm());
    let confirm = |term| Speech::of(Wish::ConfirmCause { cause: "a certificate".into(), term });
    assert!(night.refused("kim", confirm(1)).contains("maya has command"));
    night.does("maya", confirm(1));
    assert_eq!(night.incident.voice.cause.as_deref(), Some("a certificate"));
}

/// The house of [`calm`], whose public hears within three minutes.
pub(crate) fn holding() -> Rules {
    let mut rules = calm();
    let service = rules.services.get_mut("shop").unwrap();
    service.symptom = "Payments may fail.".into();
    service.holding = Some(Holding {
        after: SignedDuration::from_mins(3),
        audiences: [Audience::Public].into(),
        severities: [Severity::Sev1].into(),
    });
    rules
}

impl Night {
    fn said(&self) -> Vec<(&str, Right)> {
        let each = self.incident.voice.statements.iter().filter_map(|one| match one.stage {
            Stage::Published { right, .. } => Some((one.wording.text.as_str(), right)),
            _ => None,
        });
        each.collect()
    }
}

const DETECTED: &str =
    "Our monitoring reports a problem with Online shop. Our staff are being called. Payments may fail.";
const INVESTIGATING: &str = "We are looking into a problem with Online shop. Payments may fail.";

#[test]
fn what_was_approved_beforehand_goes_out_by_itself_and_never_says_that_somebody_works_on_it_while_nobody_does()
 {
    let mut night = Night::new(holding());
    assert_eq!(night.incident.voice.holding_at, Some(night.hour() + SignedDuration::from_mins(3)));
    assert!(night.at(2).ask("onscene", Act::TICK).unwrap().letters.is_empty());
    assert_eq!(night.at(3).tick(), ["status: statement 1", "network: statement 1"]);
    assert_eq!(night.said(), [(DETECTED, Right::Detected)]);
    assert!(night.at(4).tick().is_empty(), "once");
    // Escalation went its own way meanwhile.
    assert_eq!(night.at(5).tick(), ["page tom (1, on_call)"]);
    night.at(6).does("maya", Act::CheckIn);
    assert_eq!(night.at(9).tick(), ["status: statement 2", "network: statement 2"]);
    assert_eq!(night.said()[1], (INVESTIGATING, Right::Template));
    assert!((10..60).all(|minute| night.at(minute).tick().is_empty()));
}

#[test]
fn what_went_out_by_itself_and_cleared_itself_is_closed_by_who_speaks_for_the_house() {
    let mut night = Night::new(holding());
    night.at(3).tick();
    assert_eq!(night.said(), [(DETECTED, Right::Detected)]);
    let recovers =
        Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    night.at(4).does("onscene", recovers);
    let told: Vec<String> = (5..15).flat_map(|minute| night.at(minute).tick()).collect();
    assert!(told.iter().any(|one| one == "tell kim closing-due"), "{told:?}");
    let closing = || draft(Audience::Public, "Online shop works.");
    night.does("kim", Speech::of(Wish::Draft { number: None, draft: closing() }));
    night.does("kim", publish(2));
    assert!(!night.incident.voice.owes_a_closing(Audience::Public));
}

#[test]
fn who_answers_for_it_says_hold_and_a_statement_of_theirs_makes_it_needless() {
    let mut night = Night::new(holding());
    let hold = || Speech::of(Wish::Hold { why: "not ours".into() });
    assert_eq!(night.at(1).refused("maya", hold()), "the Commander, the Deputy or the PIO says hold");
    night.at(1).does("maya", Act::CheckIn);
    night.at(2).does("maya", hold());
    assert!(night.at(10).tick().is_empty() && night.said().is_empty());
    assert!(night.refused("maya", hold()).contains("nothing is about to go out"));
    let mut night = Night::new(holding());
    night.at(1).does("maya", Act::CheckIn);
    night.at(2).does("maya", writes(Audience::Public));
    night.does("maya", publish(1));
    assert!(night.at(4).tick().is_empty());
    assert_eq!(night.said(), [("Some payments fail.", Right::Own)]);
}

#[test]
fn nothing_goes_out_by_itself_of_what_recovered_of_what_is_not_bad_or_where_nobody_wants_it() {
    let mut night = Night::new(holding());
    let recovers =
        Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    night.at(1).does("onscene", recovers);
    night.at(3).tick();
    assert!(night.said().is_empty());
    let mut rules = holding();
    rules.services.get_mut("shop").unwrap().holding.as_mut().unwrap().severities = [Severity::Sev2].into();
    assert_eq!(Night::new(rules).incident.voice.holding_at, None);
    assert_eq!(Night::new(calm()).incident.voice.holding_at, None);
    // Without a name that those outside know there is nothing to say.
    let mut rules = holding();
    rules.services.get_mut("shop").unwrap().public_name = None;
    let mut night = Night::new(rules);
    assert!(night.at(3).tick().is_empty() && night.said().is_empty());
    assert_eq!(night.incident.voice.holding_at, None);
}

#[test]
fn what_would_tell_something_of_this_night_does_not_go_out_by_itself_and_people_are_told() {
    let mut night = Night::new(holding());
    night.at(1).does("maya", Act::CheckIn);
    night.at(4);
    let words = holding_words(&night.incident, &night.rules, night.hour());
    assert_eq!(words.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), [INVESTIGATING]);
    let unsaid = Unsaid {
        audience: Audience::Public,
        found: vec![finding(Rule::Host, Weight::Second)],
        too_long: vec![TooLong { channel: "network".into(), size: 300, most: 280, unit: "characters" }],
    };
    let told = night.does("onscene", Act::Tick { unheard: Vec::new(), unsaid: vec![unsaid] });
    assert_eq!(told, ["tell kim withheld", "tell tom withheld", "tell maya withheld"]);
    assert!(night.said().is_empty());
    let last = night.entries.iter().rev().find(|entry| entry.fact.kind() == "holding_stopped").unwrap();
    assert_eq!(
        last.fact.text(),
        "no holding statement goes out: its words must not go out to public like this (host, too long for network)"
    );
    assert_eq!(night.incident.voice.holding_at, None);
}

#[test]
fn a_clock_that_was_ahead_does_not_keep_words_back_for_hours() {
    let mut night = Night::new(holding());
    night.at(1).does("maya", Act::CheckIn);
    let after = night.incident.voice.holding_at.unwrap();
    night.incident.voice.holding_at = Some(after + SignedDuration::from_hours(5));
    night.at(2).tick();
    let at = night.incident.voice.holding_at.unwrap();
    assert!(at < night.hour() + SignedDuration::from_hours(1), "{at}");
    // People are woken no later for that.
    let mut night = Night::new(holding());
    let before = night.incident.own_due_at();
    night.incident.voice.holding_at = Some(after + SignedDuration::from_hours(5));
    night.at(1).tick();
    assert_eq!(night.incident.own_due_at(), before);
    assert!(night.incident.voice.holding_at.unwrap() < night.hour() + SignedDuration::from_hours(1));
}

#[test]
fn what_becomes_worse_is_to_be_told_of_sooner_and_what_was_printed_stays() {
    let mut rules = speaking();
    for (severity, hours) in [(Severity::Sev3, 4), (Severity::Sev1, 1)] {
        rules.pio.first.insert((Audience::Public, severity), SignedDuration::from_hours(hours));
    }
    let mut night = Night::manned(rules);
    let is = |severity| Act::SetSeverity { severity, reason: "as seen".into(), term: Some(1) };
    let due = |night: &Night| {
        let due = night.incident.voice.due.iter().find(|due| due.audience == Audience::Public);
        due.map(|due| due.by)
    };
    let first = due(&night);
    night.at(1).does("maya", is(Severity::Sev3));
    assert_eq!(due(&night), first, "what is awaited stays");
    let mut calm = night.incident.clone();
    calm.voice.due.iter_mut().for_each(|due| due.by = night.hour() + SignedDuration::from_hours(4));
    night.incident = calm;
    night.at(10).does("maya", is(Severity::Sev1));
    assert_eq!(due(&night), Some(night.hour() + SignedDuration::from_hours(1)));
    night.at(11).does("maya", is(Severity::Sev3));
    let next = Next::By(night.hour() + SignedDuration::from_hours(3));
    let promised = Draft { next, ..draft(Audience::Public, "Some payments fail.") };
    night.does("maya", Speech::of(Wish::Draft { number: None, draft: promised }));
    night.does("maya", publish(1));
    let printed = due(&night);
    night.at(12).does("maya", is(Severity::Sev1));
    assert_eq!(due(&night), printed);
}

#[test]
fn what_becomes_as_bad_as_that_has_its_words_go_out_and_what_was_mitigated_has_not() {
    let mut night = Night::new(holding());
    let is = |severity| Act::SetSeverity { severity, reason: "some of them".into(), term: Some(1) };
    night.at(1).does("maya", Act::CheckIn);
    night.does("maya", is(Severity::Sev3));
    assert!((2..10).all(|minute| night.at(minute).tick().iter().all(|told| !told.contains("statement"))));
    assert_eq!(night.incident.voice.holding_at, None);
    night.at(10).does("maya", is(Severity::Sev1));
    assert_eq!(night.incident.voice.holding_at, Some(night.hour() + SignedDuration::from_mins(3)));
    night.at(12).does("maya", Act::Mitigate { term: 1, cause: None });
    night.at(13).tick();
    assert!(night.said().is_empty(), "the harm has stopped");
}

#[test]
fn the_house_has_words_of_its_own() {
    let mut rules = holding();
    let template = |severities: &[Severity], text: &str| Template {
        audience: Audience::Public,
        phase: None,
        severities: severities.iter().copied().collect(),
        text: text.into(),
    };
    rules.statements = vec![
        template(&[Severity::Sev4], "small"),
        template(&[], "{product} fails since {since}. {symptom} {product}!"),
    ];
    let mut night = Night::new(rules);
    night.at(3).tick();
    assert_eq!(night.said()[0].0, "Online shop fails since 02:00 UTC. Payments may fail. Online shop!");
}
