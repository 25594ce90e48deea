//! The lint, told as stories: what is free, what is not, and what it does when it cannot read.

use proptest::prelude::*;

use super::stories_corpus::house;
use super::*;

fn body(text: &str) -> Rendered {
    Rendered { body: text.to_owned(), ..Rendered::default() }
}

fn rules(text: &str, known: &Known) -> Vec<Rule> {
    lint(&body(text), Audience::Public, known).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn the_table_of_weights() {
    let row = |rule| Audience::ALL.map(|audience| weight(rule, audience));
    let (block, second, warn) = (Some(Weight::Block), Some(Weight::Second), Some(Weight::Warn));
    for (rule, expected) in [
        (Rule::Secret, [block, block, block]),
        (Rule::Personal, [second, block, block]),
        (Rule::Colleague, [None, second, block]),
        (Rule::Host, [None, second, second]),
        (Rule::Network, [None, second, second]),
        (Rule::Url, [None, second, second]),
        (Rule::Path, [None, second, second]),
        (Rule::Ticket, [None, warn, second]),
        (Rule::Customer, [warn, second, second]),
        (Rule::Vendor, [None, second, block]),
        (Rule::Security, [warn, second, second]),
        (Rule::Cause, [warn, second, block]),
        (Rule::Repair, [warn, second, block]),
        (Rule::Number, [None, warn, warn]),
        (Rule::Absolute, [None, warn, warn]),
        (Rule::Fault, [second, block, block]),
        (Rule::Drill, [second, block, block]),
        (Rule::Other, [second, second, block]),
        (Rule::Unreadable, [block, block, block]),
    ] {
        assert_eq!(row(rule), expected, "{rule:?}");
        assert_eq!(Rule::from_word(rule.as_str()), Some(rule));
    }
    for rule in Rule::ALL {
        // The wider the audience, the heavier: what may be told to all may be told to some.
        let [internal, stakeholder, public] = row(rule).map(|weight| weight.map_or(3, |weight| weight as u8));
        assert!(internal >= stakeholder && stakeholder >= public, "{rule:?}");
        assert!(public <= Weight::Warn as u8, "{rule:?}");
    }
}

#[test]
fn a_finding_says_where_and_why_and_never_what() {
    let text = "We are sorry. db-7 and Nordwind Bank: password: harbour-Lantern-77";
    let found = lint(&body(text), Audience::Public, &house());
    let shown: Vec<_> = found.iter().map(|finding| (finding.rule, &text[finding.span.clone()])).collect();
    assert_eq!(
        shown,
        [
            (Rule::Host, "db-7"),
            (Rule::Customer, "Nordwind Bank"),
            (Rule::Secret, "password: harbour-Lantern-77"),
        ]
    );
    assert!(
        found.iter().all(|finding| !finding.why.contains("Nordwind") && !finding.why.contains("Lantern"))
    );
    let rendered = Rendered { subject: text.into(), body: text.into(), ..Rendered::default() };
    assert!(!format!("{rendered:?} {:?}", house()).contains("Nordwind"));
}

#[test]
fn what_begins_in_the_title_and_goes_on_in_the_text_is_found() {
    let found = |subject: &str, body: &str| {
        let text = Rendered { subject: subject.into(), body: body.into(), ..Rendered::default() };
        let found = lint(&text, Audience::Public, &house());
        assert!(found.iter().all(valid(&text)));
        found.into_iter().map(|one| (one.rule, one.place, one.span)).collect::<Vec<_>>()
    };
    for (subject, body, rule, from) in [
        ("Trouble at Nordwind", "Bank is concerned.", Rule::Customer, 11),
        ("heim", "dall is slow", Rule::Host, 0),
        ("Fixed by", "15:30 UTC", Rule::Repair, 6),
        ("Caused", "by a full disk", Rule::Cause, 0),
        ("AKIA\u{200b}IOSF", "ODNN7EXAMPLE", Rule::Secret, 0),
    ] {
        assert_eq!(found(subject, body), [(rule, Place::Subject, from..subject.len())], "{subject}");
    }
    assert!(found("Orders are slow", "We are looking into it.").is_empty());
}

#[test]
fn every_part_is_looked_at() {
    let part = || "db-7".to_owned();
    let text = Rendered {
        subject: part(),
        body: part(),
        fields: vec!["Affected".into(), part()],
        links: vec!["https://status.harbourline.example/db-7".into()],
        attachments: vec!["db-7.png".into()],
    };
    let places: Vec<Place> =
        lint(&text, Audience::Public, &house()).into_iter().map(|finding| finding.place).collect();
    assert_eq!(places, [Place::Subject, Place::Body, Place::Field(1), Place::Link(0), Place::Attachment(0)]);
}

#[test]
fn a_name_that_begins_with_the_word_for_a_sign_is_found() {
    let customers = vec!["Dash Hudson".to_owned(), "Dot Foods".to_owned()];
    let known = Known { customers, ..Known::default() };
    for text in ["It fails for Dash Hudson users.", "Dash Hudson is concerned.", "Orders of dot foods wait."]
    {
        assert_eq!(rules(text, &known), [Rule::Customer], "{text}");
    }
    assert!(rules("We take a dash and a dot.", &known).is_empty());
}

#[test]
fn the_promise_of_the_next_update_is_free_word_for_word_and_nothing_else_is() {
    let known = house();
    let free = "We are on it. We will post the next update by 15:30 UTC.";
    assert!(rules(free, &known).is_empty());
    for text in [
        "We are on it. We will post the next update by 15:45 UTC.",
        "We will fix it by 15:30 UTC.",
        "Fixed soon. We will post the next update by 15:30 UTC.",
        "We will\u{200b} post the next update by 15:30 UTC.",
    ] {
        assert!(rules(text, &known).contains(&Rule::Repair), "{text}");
    }
}

#[test]
fn a_promise_that_could_let_anything_pass_is_none() {
    for slot in ["", "  ", "by 15:30\nsoon", "The next update comes.", " by 15:30 UTC", &"15:30 ".repeat(60)]
    {
        let known = Known { slots: vec![slot.to_owned()], ..house() };
        assert_eq!(rules("We are on it.", &known), [Rule::Unreadable], "{slot:?}");
    }
}

#[test]
fn what_is_told_of_the_past_is_no_promise() {
    let known = house();
    for text in [
        "By 14:40 UTC the service had recovered.",
        "Pages were slow between 14:02 and 14:40 UTC.",
        "Service was restored at 14:40 UTC.",
        "Shortly after 14:00 UTC it began.",
        "As soon as we know more, we will say so.",
    ] {
        assert!(rules(text, &known).is_empty(), "{text}");
    }
    assert!(
        rules("The mail server was restarted, and in 10 minutes all works.", &known).contains(&Rule::Repair)
    );
}

#[test]
fn a_confirmed_cause_may_be_said() {
    let text = "The delays were caused by a full disk.";
    assert!(rules(text, &house()).contains(&Rule::Cause));
    assert!(rules(text, &Known { cause_confirmed: true, ..house() }).is_empty());
}

#[test]
fn a_vendor_is_blamed_only_with_the_vendors_own_notice() {
    let known = house();
    let mut text = body("Payments are late, for Paylane had an outage.");
    let blamed =
        |text: &Rendered| lint(text, Audience::Public, &known).iter().any(|found| found.rule == Rule::Vendor);
    assert!(blamed(&text));
    text.links.push("https://status.cloudnorth.example/incidents/1".into());
    assert!(blamed(&text), "the notice of another");
    text.links.push("https://status.paylane.example/incidents/1".into());
    assert!(!blamed(&text));
    assert!(!blamed(&body("Paylane is one of our partners. We had an outage.")));
}

#[test]
fn an_exercise_says_so_and_an_incident_does_not() {
    let text = "EXERCISE: logins are slow.";
    assert_eq!(rules(text, &house()), [Rule::Drill]);
    assert!(rules(text, &Known { drill: true, ..house() }).is_empty());
}

#[test]
fn public_names_are_free_and_what_stands_beside_them_is_not() {
    let known = house();
    assert!(rules("Breach Watch and Vault-12 are slow.", &known).is_empty());
    assert_eq!(rules("Breach Watch saw a breach.", &known), [Rule::Security]);
    assert!(rules("See status.harbourline.example.", &known).is_empty());
    assert_eq!(rules("See db.status.harbourline.example.", &known), [Rule::Host]);
}

#[test]
fn a_public_host_in_other_letters_is_another_host() {
    let known = house();
    let free = "https://status.harbourline.example/x";
    assert!(rules(free, &known).is_empty());
    assert_eq!(rules(&free.replace('a', "\u{430}"), &known), [Rule::Url]);
}

#[test]
fn words_of_an_alert_that_are_everybodys_are_free() {
    assert!(
        rules("We see a high rate of errors at sign-in since 14:02 UTC, in checkout too.", &house())
            .is_empty()
    );
    assert_eq!(rules("HighErrorRate is firing.", &house()), [Rule::Host]);
}

#[test]
fn what_cannot_be_looked_at_is_blocked() {
    let known = house();
    for text in [
        body(&"a ".repeat(TEXT_BYTES_MAX)),
        Rendered { fields: vec![String::new(); PARTS_MAX + 1], ..Rendered::default() },
        body(&format!("&{}#46;", "amp;".repeat(300))),
    ] {
        let found = lint(&text, Audience::Internal, &known);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rule, found[0].weight), (Rule::Unreadable, Weight::Block));
    }
    let nameless = Known { customers: vec!["--".into()], ..house() };
    assert_eq!(rules("We are on it.", &nameless), [Rule::Unreadable]);
}

#[test]
fn what_is_exempt_a_thousand_times_hides_nothing_behind_it() {
    let text = "Next update by 16:00 UTC. ".repeat(3_000) + "Fixed by 17:00 UTC.";
    let found = lint(&body(&text), Audience::Public, &house());
    assert!(found.iter().any(|finding| finding.weight == Weight::Block));
}

#[test]
fn more_findings_than_are_listed_block() {
    // Each of these alone would only be worth a second look.
    let text = "We never know. ".repeat(FINDINGS_MAX + 50);
    let found = lint(&body(&text), Audience::Public, &house());
    assert_eq!(found.len(), FINDINGS_MAX + 1);
    assert_eq!(found.last().unwrap().weight, Weight::Block);
    assert!(found.iter().all(valid(&body(&text))));
}

fn valid(text: &Rendered) -> impl Fn(&Finding) -> bool {
    move |finding| {
        let part = text.parts().find(|(place, _)| *place == finding.place).map(|(_, part)| part);
        part.is_some_and(|part| part.get(finding.span.clone()).is_some())
    }
}

/// What a regular expression or a search through windows could be slow on: it ends, with no more findings than there is room for.
/// The expressions are linear by the crate's promise; how often a text is folded, how many hits one expression may have and how
/// long a text may be are bounds of our own.
#[test]
fn hostile_texts_come_to_an_end_and_longer_ones_are_refused() {
    const LARGE: usize = TEXT_BYTES_MAX / 8;
    let known = house();
    for piece in [
        "a",
        "1.",
        "1:",
        "((((",
        "[[.",
        "&amp;",
        "%25",
        "a-b-",
        "db-1 ",
        "in 10 ",
        "due due ",
        "team a b c d ",
        "\n-",
        "а",
        "日",
        "a b ",
        ". ",
        "Mailferry ",
        "the the ",
        "x@",
        "//",
        "https://",
        "-----BEGIN ",
        "eyJ",
        "\u{301}",
        "will back at ",
        "by 9:00 ",
        "until 9:00 ",
        "soon ",
        "by 9:00 ",
        "until 9:00 ",
        "soon ",
    ] {
        for bytes in [LARGE / 16, LARGE, 1 << 20] {
            let text = body(&piece.repeat(bytes / piece.len()));
            let found = lint(&text, Audience::Public, &known);
            assert!(found.len() <= FINDINGS_MAX + 1 && found.iter().all(valid(&text)), "{piece:?}");
            // More than there is room for is refused before it is read.
            let is_refused = found.iter().any(|one| one.rule == Rule::Unreadable);
            assert!(is_refused || bytes <= TEXT_BYTES_MAX, "{piece:?}");
        }
    }
    let longest = body(&"1.a-in the [.] hour ".repeat(TEXT_BYTES_MAX / 20));
    assert!(lint(&longest, Audience::Public, &known).iter().all(valid(&longest)));
}

proptest! {
    #[test]
    fn no_text_makes_it_stumble(
        text in "\\PC{0,80}|[a-z0-9 .:@&;#%<>/\\[\\]()\\n\\\\*_-]{0,120}|(due to|by 15:00|db-7|Nordwind|\\u{200b}|\\u{301}|-\n|&#46;|[.]| dot |а|é| ){0,20}",
        other in any::<String>(),
    ) {
        let rendered = Rendered {
            subject: other.clone(),
            body: text,
            fields: vec![other.clone()],
            links: vec![other.clone()],
            attachments: vec![other],
        };
        for audience in Audience::ALL {
            let found = lint(&rendered, audience, &house());
            prop_assert!(found.iter().all(valid(&rendered)));
            prop_assert_eq!(&found, &lint(&rendered, audience, &house()));
        }
    }

    #[test]
    fn a_host_is_found_wherever_unseen_characters_stand(places in proptest::collection::vec((0usize..4, 0usize..6), 0..8)) {
        let unseen = ["\u{200b}", "\u{ad}", "\u{202e}", "\u{2060}", "\u{301}", "\u{fe0f}"];
        let mut letters: Vec<String> = "db-7".chars().map(String::from).collect();
        for (at, which) in places {
            letters[at].push_str(unseen[which]);
        }
        let text = format!("We drain {} now.", letters.concat());
        prop_assert!(rules(&text, &house()).contains(&Rule::Host), "{:?}", text);
    }
}
