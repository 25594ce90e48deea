//! Where to meet: the chat that stands beside what fails, and the page that says so and where to go instead.

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, answer_link};
use super::silenced::{page, text};

/// The sites and the chat stand in the same place. The video rooms and the telephone do not.
const PLACES: &str = r#"
[[service]]
name = "dc-ny"
escalation = "default"
pio = ["person:tom", "person:maya"]
[[service]]
name = "chat"
escalation = "default"
pio = ["person:tom", "person:maya"]
window = "0s"
settle = "0s"
depends_on = ["dc-ny"]
[[service]]
name = "blog"
escalation = "default"
pio = ["person:tom", "person:maya"]
window = "0s"
[[source]]
name = "rooms"
kind = "generic"
token = "test-token-of-rooms"
service = "chat"
[[source]]
name = "posts"
kind = "generic"
token = "test-token-of-posts"
service = "blog"
[incidents]
meet = ["chat", "video"]
[[meeting]]
name = "chat"
url = "https://chat.example.net/sre"
depends_on = ["chat"]
[[meeting]]
name = "video"
url = "https://video.example.net/{service}-{incident}-{secret}"
dial_in = "+47 22 00 00 00, pin 1234#"
[[meeting]]
name = "phone"
url = "tel:+4722000000"
"#;

fn house() -> String {
    let bridge = "bridge = \"https://meet.example.net/sre\"\nwindow = \"0s\"\n";
    let beside = "meet = [\"chat\", \"video\", \"phone\"]\nwindow = \"0s\"\nsettle = \"0s\"\ndepends_on = [\"dc-ny\"]\n";
    let with = HOUSE.replace(bridge, beside);
    assert_ne!(with, HOUSE);
    with + PLACES
}

/// The room of an incident, in a text.
fn room<'t>(text: &'t str, of: &str) -> &'t str {
    let begin = format!("https://video.example.net/{of}-");
    let at = text.find(&begin).unwrap_or_else(|| panic!("no room of {of} in {text}"));
    let secret = &text[at + begin.len()..at + begin.len() + 24];
    assert!(secret.bytes().all(|digit| digit.is_ascii_hexdigit()), "{secret}");
    &text[at..at + begin.len() + 24]
}

/// A page as a browser reads it.
fn read(page: &str) -> String {
    page.replace("&#x2f;", "/")
}

/// What was written, put together again where mail breaks its lines.
fn unfolded(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=")
}

#[test]
fn the_chat_stands_beside_what_fails_and_the_page_names_another_place_and_says_why() {
    let mut daemon = Daemon::prepare(&house());
    let checked = daemon.command(&["check"], None);
    assert!(checked.status.success(), "{checked:?}");
    daemon.go();
    let token = daemon.token("maya");

    // The sites fail. Nobody has said yet that the whole place is down.
    daemon.alert("db-1", "firing");
    let mail = unfolded(&daemon.mail_to("maya@example.net", "db-1 is down"));
    let video = room(&mail, "shop-1").to_owned();
    let why = "the usual place, chat, may be down with shop: both need dc-ny";
    assert!(mail.contains(&format!("Meet:   {video} ({why})")), "{mail}");
    assert!(mail.contains("by telephone: +47 22 00 00 00, pin 1234#"), "{mail}");
    for other in ["  else: tel:+4722000000", "  else: https://chat.example.net/sre (may be down with shop"] {
        assert!(mail.contains(other), "{other} in {mail}");
    }

    // Wherever people look.
    let link = answer_link(&mail);
    for shown in
        [daemon.get(&link).unwrap().body, page(&daemon, &token, "/incidents/1")].map(|one| read(&one))
    {
        let meet = format!("Meet: <a href=\"{video}\">{video}</a> <b class=\"doubt\">({why})</b>");
        assert!(shown.contains(&meet) && shown.contains("<a href=\"tel:+4722000000\">+47 22"), "{shown}");
    }
    let incident = daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!(incident["bridge"], json!(video));
    let places = incident["meeting"].as_array().unwrap();
    let named: Vec<(&str, bool)> =
        places.iter().map(|one| (one["name"].as_str().unwrap(), one["suspect"].as_bool().unwrap())).collect();
    assert_eq!(named, [("chat", true), ("video", false), ("phone", false)]);
    assert_eq!(places[0]["why"], "may be down with shop: both need dc-ny");
    let listed = daemon.api(&token, "GET", "/api/v1/incidents", &Value::Null).json();
    assert_eq!(listed["incidents"][0]["meeting"], incident["meeting"]);
    let commands = daemon.api(&token, "GET", "/api/v1/command", &Value::Null).json();
    assert_eq!(commands["incidents"][0]["bridge"], json!(video));
    let shown = text(&daemon.command(&["incident", "show", "1"], Some(&token)));
    let first = format!("  meet          {video} (video; by telephone: +47 22 00 00 00, pin 1234#)\n");
    assert!(shown.contains(&first), "{shown}");
    assert!(
        shown.contains("  or meet       https://chat.example.net/sre (chat; may be down with shop"),
        "{shown}"
    );

    // Who is told of it without being called hears of one place, and of no pin.
    assert!(daemon.press(&link, "answer=help").body.contains("You have command"));
    let status = unfolded(&daemon.mail_to("staff@example.net", "has command of INC-1"));
    assert!(status.contains(&video) && !status.contains("1234#") && !status.contains("else"), "{status}");
    let helper = unfolded(&daemon.mail_to("tom@example.net", "calls for your help"));
    assert_eq!(room(&helper, "shop-1"), video);

    // What shares nothing with it meets where it always does; another incident has another room, after a start the same one.
    let posts = json!({"key": "posts", "status": "firing", "title": "posts are lost"}).to_string();
    daemon.post("/in/posts/test-token-of-posts", posts.as_bytes());
    let mail = unfolded(&daemon.mail_to("maya@example.net", "posts are lost"));
    assert!(mail.contains("Meet:   https://chat.example.net/sre\r\n  else: "), "{mail}");
    assert_ne!(room(&mail, "blog-2").rsplit('-').next(), video.rsplit('-').next());
    daemon.kill();
    daemon.go();
    assert_eq!(room(&read(&daemon.get(&link).unwrap().body), "shop-1"), video);

    // The chat itself fails: now that is so for everybody.
    let login = json!({"key": "login", "status": "firing", "title": "nobody gets in"}).to_string();
    daemon.post("/in/rooms/test-token-of-rooms", login.as_bytes());
    let blog = text(&daemon.command(&["incident", "show", "2"], Some(&token)));
    assert!(blog.contains("chat; may be down: its own alerts fire"), "{blog}");
    assert!(blog.find("  meet ").unwrap() < blog.find("  or meet ").unwrap() && blog.contains("(video;"));
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn what_is_wrong_of_a_place_is_told_before_anything_starts_and_what_is_unwise_is_warned_of() {
    let wrong = house().replace("meet = [\"chat\", \"video\"]", "meet = [\"chat\", \"vidoe\"]");
    let daemon = Daemon::prepare(&wrong);
    let checked = daemon.command(&["check"], None);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(64), "{said}");
    assert!(
        said.contains("called `vidoe`; did you mean `video`?") && said.contains("onscene.toml:"),
        "{said}"
    );
    let video = "dial_in = \"+47 22 00 00 00, pin 1234#\"";
    let beside = house().replace(video, "depends_on = [\"chat\"]");
    let checked = Daemon::prepare(&beside).command(&["check"], None);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned() + &text(&checked);
    assert!(checked.status.success() && said.contains("chat and video hang on the same services"), "{said}");
}
