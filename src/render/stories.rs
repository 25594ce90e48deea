//! Words of letters: what stands where in them, and what an operator can change.

use super::*;
use crate::core::command::{TWICE, Talk, Talked};
use crate::core::rules::Person;

#[test]
fn the_programs_own_templates_suit_every_letter() {
    let renderer = Renderer::new(None, "https://onscene.example.net/").unwrap();
    samples::try_all(&renderer, &renderer.own).unwrap();
}

#[test]
fn a_page_says_first_what_is_broken_and_how_to_answer() {
    let renderer = Renderer::new(None, "https://onscene.example.net").unwrap();
    let (incidents, letters, rules) = (samples::incidents(), samples::letters(), Rules::default());
    let alerts = [samples::alert()];
    let about = About {
        incident: &incidents[0],
        alerts: &alerts,
        rules: &rules,
        token: Some("TOKEN"),
        known: &[],
        meeting: &Meeting::default(),
        handover: None,
        said: None,
    };
    let words = renderer.words(&letters[0], &about, None);
    let first: Vec<&str> = words.text.lines().take(4).collect();
    assert_eq!(
        first,
        [
            "SEV1 shop: checkout <down>",
            "",
            "Answer: https://onscene.example.net/r/TOKEN",
            "Nobody has command yet. The first to answer takes it.",
        ]
    );
    assert!(words.html.contains("checkout &lt;down&gt;"), "{}", words.html);
    assert!(
        words.text.contains("- web1 is <down> (prometheus, firing since")
            && words.text.contains("\n  alertname=HostDown, instance=web1: 9100\n"),
        "{}",
        words.text
    );
    assert!(words.html.contains("alertname=HostDown, instance=web1: 9100"), "{}", words.html);
    assert_eq!(words.subject, "[INC-42] shop: checkout <down>");
}

#[test]
fn what_is_known_stands_below_the_headline_in_letters_to_people_and_never_in_a_status() {
    let renderer = Renderer::new(None, "https://onscene.example.net").unwrap();
    let (incidents, rules, known) = (samples::incidents(), Rules::default(), samples::known(7));
    let words = |letter: &Letter, incident: usize, known: &[Known]| {
        let about = About {
            incident: &incidents[incident],
            alerts: &[],
            rules: &rules,
            token: Some("TOKEN"),
            known,
            meeting: &Meeting::default(),
            handover: None,
            said: None,
        };
        renderer.words(letter, &about, None)
    };
    let page = &samples::letters()[0];
    let first: Vec<String> = words(page, 0, &known[..2]).text.lines().take(7).map(str::to_owned).collect();
    assert_eq!(
        first,
        [
            "SEV1 shop: checkout <down>",
            "",
            "Known conditions, for people of the house only:",
            "- dc1 is <down>: no failover (the whole house; until 1970-01-01 00:00:01 UTC)",
            "- dc2 is <down>: no failover (db-1; until 1970-01-01 00:00:02 UTC)",
            "",
            "Answer: https://onscene.example.net/r/TOKEN"
        ]
    );
    let at_fault = words(page, 2, &known).text;
    assert!(at_fault.contains("\n- and 2 more\n\nAt fault: load-balancer\n"), "{at_fault}");
    assert!(words(page, 2, &[]).text.starts_with("SEV1 shop: checkout <down>\nAt fault: "));
    for letter in samples::letters()
        .into_iter()
        .chain([Letter::Notice { person: "maya".into(), news: News::Recovered }])
    {
        let words = words(&letter, 1, &known);
        let told = matches!(letter, Letter::Page { .. } | Letter::PioPage { .. } | Letter::Notice { .. });
        for (text, sign) in [(&words.text, "dc5 is <down>"), (&words.html, "dc5 is &lt;down&gt;")] {
            assert_eq!(text.contains(sign), told, "{letter:?}: {text}");
            assert_eq!(text.contains("and 2 more"), told, "{letter:?}: {text}");
            assert!(!text.contains("dc6"), "{letter:?}: {text}");
        }
        assert!(!words.data.to_string().contains("dc1"), "{letter:?}");
    }
}

#[test]
fn an_operator_puts_what_is_known_where_they_like_in_their_own_words() {
    let directory = tempfile::tempdir().unwrap();
    let own = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    own("known.txt", "{% for one in known %}! {{ one.txt }}{% endfor %}");
    let error = Renderer::new(Some(directory.path()), "http://localhost").err().unwrap();
    assert!(error.to_string().contains("known.txt"), "{error}");
    own("known.txt", "{% for one in known %}!{{ one.about }}: {{ one.text }} {% endfor %}");
    own("page.txt", "{% include \"known.txt\" %}{{ page.answer_url }}");
    let renderer = Renderer::new(Some(directory.path()), "http://localhost").unwrap();
    let (incidents, letters, rules) = (samples::incidents(), samples::letters(), Rules::default());
    let known = samples::known(1);
    let about = About {
        incident: &incidents[0],
        alerts: &[],
        rules: &rules,
        token: Some("T"),
        known: &known,
        meeting: &Meeting::default(),
        handover: None,
        said: None,
    };
    let text = renderer.words(&letters[0], &about, None).text;
    assert_eq!(text, "!the whole house: dc1 is <down>: no failover http://localhost/r/T");
}

#[test]
fn a_page_that_can_be_answered_by_mail_says_by_which_words() {
    let renderer = Renderer::new(None, "https://onscene.example.net").unwrap().answered_by_mail(true);
    let (incidents, letters, rules) = (samples::incidents(), samples::letters(), Rules::default());
    let about = About {
        incident: &incidents[0],
        alerts: &[],
        rules: &rules,
        token: Some("TOKEN"),
        known: &[],
        meeting: &Meeting::default(),
        handover: None,
        said: None,
    };
    let words = renderer.words(&letters[0], &about, None);
    for text in [words.text, words.html] {
        assert!(text.contains("reply to this mail") && text.contains("ack"), "{text}");
    }
}

#[test]
fn a_letter_about_a_reply_says_what_became_of_it_who_commands_and_what_to_do() {
    let renderer = Renderer::new(None, "https://onscene.example.net").unwrap();
    let person =
        Person { full_name: "Maya Lind".into(), email: "maya@example.net".into(), ..Person::default() };
    let rules = Rules { people: [("maya".to_owned(), person)].into(), ..Rules::default() };
    let mut shown = String::new();
    for (incident, to) in samples::incidents().iter().zip(["maya", "tom", "tom", "maya"]) {
        let (is_over, is_taken) = (!incident.is_open(), incident.commander().is_some());
        let is_told = |why: &Misread| match why {
            Misread::Elsewhere(_) => to == "maya",
            Misread::Commands => is_taken,
            Misread::Unclear | Misread::Empty | Misread::Unnamed => !is_over,
        };
        for why in samples::misread().into_iter().filter(is_told) {
            let to = if why == Misread::Commands { "maya" } else { to };
            let next_at = (!is_over).then_some(Timestamp::UNIX_EPOCH);
            let letter = Letter::Misread { person: to.into(), why, next_at };
            let about = About {
                incident,
                alerts: &[],
                rules: &rules,
                token: None,
                known: &[],
                meeting: &Meeting::default(),
                handover: None,
                said: None,
            };
            let words = renderer.words(&letter, &about, None);
            assert_eq!(words.event_type, "notice.reply");
            shown += &format!("=== {}\n{}\n", incident.state(), words.text);
            let first = words.text.lines().next().unwrap();
            assert!(words.html.contains(first), "{}", words.html);
        }
    }
    insta::assert_snapshot!("replies", shown);
}

#[test]
fn an_operators_template_with_a_mistake_is_refused_when_it_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("page.txt"), "{{ incident.titel }}").unwrap();
    let error = Renderer::new(Some(directory.path()), "http://localhost").err().unwrap();
    assert!(error.to_string().contains("page.txt"), "{error}");
    let in_a_loop = "{% for alert in alerts %}{{ alert.titel }}{% endfor %}";
    std::fs::write(directory.path().join("page.txt"), in_a_loop).unwrap();
    assert!(Renderer::new(Some(directory.path()), "http://localhost").is_err());
    std::fs::write(directory.path().join("page.txt"), "short: {{ page.answer_url }}").unwrap();
    let renderer = Renderer::new(Some(directory.path()), "http://localhost").unwrap();
    let (incidents, letters, rules) = (samples::incidents(), samples::letters(), Rules::default());
    let about = About {
        incident: &incidents[0],
        alerts: &[],
        rules: &rules,
        token: Some("T"),
        known: &[],
        meeting: &Meeting::default(),
        handover: None,
        said: None,
    };
    assert_eq!(renderer.words(&letters[0], &about, None).text, "short: http://localhost/r/T");
}

#[test]
fn who_had_command_reads_what_was_read_back_in_a_paragraph_of_its_own_and_everybody_that_it_was_twice() {
    let renderer = Renderer::new(None, "https://onscene.example.net").unwrap();
    let (incidents, rules) = (samples::incidents(), Rules::default());
    let talked = Talked { talk: Some(Talk::Live), read_back: "orders <go>\nkim first".into() };
    let words = |letter: &Letter, twice: bool| {
        let about = About {
            incident: &incidents[1],
            alerts: &[],
            rules: &rules,
            token: None,
            known: &[],
            meeting: &Meeting::default(),
            handover: Some(Handover { entry: 7, from: "tom", talked: &talked, twice }),
            said: None,
        };
        renderer.words(letter, &about, None)
    };
    let notice = |person: &str, news| Letter::Notice { person: person.into(), news };
    let told = words(&notice("tom", News::Passed), false);
    let first = "maya has command of INC-42 from now on (term 1). Report to maya.";
    assert_eq!(told.short, first, "ways that carry little carry no more");
    let whole = format!(
        "{first}\n\nmaya read back: orders <go>\nkim first\n\nIf something of it is not right, tell them, and correct entry 7 on the page."
    );
    assert!(told.text.starts_with(&whole), "{}", told.text);
    assert!(told.html.contains("maya read back: orders &lt;go&gt;"), "{}", told.html);
    let room = Letter::Status { channel: "tom".into(), news: News::Passed };
    for letter in [notice("kim", News::Passed), room] {
        assert!(!words(&letter, false).text.contains("read back"), "{letter:?}");
        assert_eq!(words(&letter, true).short, format!("{first} {TWICE}"));
    }
    // Other news of the same moment say nothing of it.
    let other = words(&notice("tom", News::OfferWithdrawn), true).text;
    assert!(!other.contains("read back") && !other.contains(TWICE), "{other}");
}
