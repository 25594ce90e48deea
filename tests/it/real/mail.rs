//! Pages over real relays and over broken ones: each arrives, once, by a relay that works.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::super::harness::{Daemon, HOUSE, answer_link, eventually, free_port};
use super::postfix::Postfix;
use super::relay::{Manner, Relay};

const MAYA: &str = "maya@example.net";

/// A house that mails over these relays, in this order.
fn house(relays: &[String]) -> String {
    HOUSE.replace("relays = [\"file:DIR/mail\"]", &format!("relays = {relays:?}"))
}

/// The same with Postfix's login.
fn house_of(postfix: &Postfix, relays: &[String], password: &str) -> Daemon {
    let ca = format!("ca_file = {:?}\npassword_file = \"DIR/password\"\n[[person]]", postfix.ca());
    let daemon = Daemon::prepare(&house(relays).replacen("[[person]]", &ca, 1));
    let file = daemon.directory.join("password");
    std::fs::write(&file, format!("{password}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    daemon
}

/// The first letter Postfix has delivered to somebody.
fn delivered(postfix: &Postfix, to: &str) -> String {
    let header = format!("Delivered-To: {to}");
    eventually(&format!("a letter to {to} in its maildir"), || {
        postfix.letters().into_iter().find(|letter| letter.contains(&header))
    })
}

fn message_id(letter: &str) -> &str {
    letter.lines().find(|line| line.starts_with("Message-ID: ")).unwrap_or_else(|| panic!("none in {letter}"))
}

/// Waits until so many attempts to page had this outcome: it is written down after the relay's answer.
fn pages(daemon: &Daemon, outcome: &str, count: f64) {
    let series = format!("onscene_pages_sent_total{{outcome={outcome:?},way=\"mail\"}}");
    eventually(&format!("{series} is {count}"), || (daemon.metric(&series) == count).then_some(()));
}

#[test]
fn postfix_takes_a_page_over_tls_with_a_login_and_the_link_in_it_works() {
    let postfix = Postfix::start(["correct horse", "correct horse"]);
    let mut daemon = house_of(&postfix, &[postfix.url(0)], "correct horse");
    daemon.go();
    daemon.alert("db-1", "firing");
    let page = delivered(&postfix, MAYA);
    for header in [
        "From: onscene <pager@example.net>",
        "To: maya@example.net",
        "Subject: [INC-1] shop: db-1 is down",
        "References: <incident-1-pages@example.net>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: OOF, AutoReply, RN, NRN",
        "X-Incident-Id: 1",
        "X-Incident-State: triggered",
        "X-Page-Attempt: 1",
        "Importance: high",
        "Content-Type: multipart/alternative",
        "with ESMTPSA",
        "by door0.example.net",
    ] {
        assert!(page.contains(header), "{header} in {page}");
    }
    assert!(message_id(&page).ends_with("@example.net>"), "{page}");
    assert!(
        page.find("Content-Type: text/plain") < page.find("Content-Type: text/html"),
        "text first: {page}"
    );
    pages(&daemon, "accepted", 1.0);
    let taken = daemon.press(&answer_link(&page), "answer=take");
    assert!(taken.body.contains("You have command"), "{}", taken.body);
    delivered(&postfix, "staff@example.net");
}

#[test]
fn a_wrong_password_at_the_first_relay_sends_the_page_over_the_second() {
    let postfix = Postfix::start(["another one", "correct horse"]);
    let mut daemon = house_of(&postfix, &[postfix.url(0), postfix.url(1)], "correct horse");
    daemon.go();
    daemon.alert("db-1", "firing");
    let page = delivered(&postfix, MAYA);
    assert!(page.contains("by door1.example.net") && page.contains("with ESMTPSA"), "{page}");
    assert!(postfix.log().contains("SASL PLAIN authentication failed"), "{}", postfix.log());
    assert!(!daemon.log().contains("correct horse"));
}

#[test]
fn a_certificate_nobody_vouches_for_is_not_given_the_password() {
    let postfix = Postfix::start(["correct horse", "correct horse"]);
    let good = Relay::new(Manner::Works);
    let mut daemon = house_of(&postfix, &[postfix.url(0), good.url()], "correct horse");
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("ca_file")).collect();
    std::fs::write(&daemon.config, without.join("\n")).unwrap();
    daemon.go();
    daemon.alert("db-1", "firing");
    good.letter(MAYA);
    assert!(!postfix.log().contains("sasl_username"), "{}", postfix.log());
}

#[test]
fn a_relay_that_is_down_hands_over_to_postfix() {
    let postfix = Postfix::start(["correct horse", "correct horse"]);
    let down = format!("smtp://127.0.0.1:{}", free_port());
    let mut daemon = house_of(&postfix, &[down, postfix.url(1)], "correct horse");
    daemon.go();
    let began = Instant::now();
    daemon.alert("db-1", "firing");
    assert!(delivered(&postfix, MAYA).contains("by door1.example.net"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    pages(&daemon, "accepted", 1.0);
}

#[test]
fn a_relay_that_certainly_has_not_the_letter_hands_over_at_once() {
    for (manner, most_s) in [
        (Manner::Busy, 4),
        (Manner::BreaksAfterMail, 4),
        (Manner::LaterAfterData, 4),
        (Manner::NeverGreets, 9),
    ] {
        let (bad, good) = (Relay::new(manner), Relay::new(Manner::Works));
        let daemon = Daemon::start(&house(&[bad.url(), good.url()]));
        let began = Instant::now();
        daemon.alert("db-1", "firing");
        let page = good.letter(MAYA);
        assert!(began.elapsed() < Duration::from_secs(most_s), "{manner:?}: {:?}", began.elapsed());
        for refused in bad.letters(MAYA) {
            assert_eq!(refused, page, "{manner:?}: the same bytes");
        }
        pages(&daemon, "accepted", 1.0);
    }
}

#[test]
fn a_relay_that_falls_silent_with_the_letter_in_hand_is_followed_by_the_other_with_the_same_bytes() {
    for manner in [Manner::SilentAfterData, Manner::BreaksAfterData] {
        let (bad, good) = (Relay::new(manner), Relay::new(Manner::Works));
        let daemon = Daemon::start(&house(&[bad.url(), good.url()]));
        daemon.alert("db-1", "firing");
        let page = good.letter(MAYA);
        let lost = bad.letters(MAYA);
        assert_eq!(lost.len(), 1, "{manner:?}");
        assert_eq!(lost[0], page, "{manner:?}: the same bytes, so the same Message-ID");
        assert!(!message_id(&page).is_empty());
        pages(&daemon, "unknown", 1.0);
    }
}

#[test]
fn a_recipient_that_is_refused_passes_the_page_on_to_the_next_step_at_once() {
    let relay = Relay::new(Manner::KnowsNot(MAYA));
    let daemon = Daemon::start(&house(&[relay.url(), relay.url()]));
    let began = Instant::now();
    daemon.alert("db-1", "firing");
    let page = relay.letter("tom@example.net");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(page.contains("X-Incident-State: triggered"), "{page}");
    let token = daemon.token("maya");
    let timeline = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &serde_json::Value::Null).body;
    for words in ["the page did not reach maya", "550", "no such user here", "step 2: tom to answer by"] {
        assert!(timeline.contains(words), "{words} in {timeline}");
    }
    assert!(!timeline.contains(MAYA), "addresses do not stand on the timeline: {timeline}");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_connection_that_the_relay_closed_meanwhile_delays_no_letter() {
    let relay = Relay::new(Manner::HangsUp);
    let daemon = Daemon::start(&house(&[relay.url()]));
    daemon.alert("db-1", "firing");
    let link = answer_link(&relay.letter(MAYA));
    pages(&daemon, "accepted", 1.0);
    // The connection of the page was kept, and leads nowhere any more.
    daemon.press(&link, "answer=take");
    for to in ["tom@example.net", "staff@example.net"] {
        relay.letter(to);
    }
    pages(&daemon, "accepted", 2.0);
    for outcome in ["wait", "unknown", "refused"] {
        let series = format!("onscene_delivery_attempts_total{{channel=\"mail\",outcome={outcome:?}}}");
        assert_eq!(daemon.metric(&series), 0.0, "{series}");
    }
    assert!(relay.letters(MAYA).len() == 1 && relay.letters("tom@example.net").len() == 1);
}
