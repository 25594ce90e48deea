//! Places to meet that are right, and what is said of those that are not.

use super::stories::{GOOD, read};
use super::*;

/// The shop of the quick start with these keys, the house with these, and these places.
fn house(of_shop: &str, of_house: &str, places: &str) -> Result<Config, String> {
    let shop = "name = \"shop\"\n";
    assert!(GOOD.contains(shop));
    let text = GOOD.replacen(shop, &format!("{shop}{of_shop}\n"), 1);
    read(&format!("{text}\n[incidents]\n{of_house}\n{places}\n{MORE}"))
}

/// Services beside the shop.
const MORE: &str = r#"
[[service]]
name = "chat"
escalation = "default"
pio = ["person:maya"]
depends_on = ["dc"]
[[service]]
name = "dc"
escalation = "default"
pio = ["person:maya"]
"#;

/// What is warned of, beside what the quick start lacks.
fn warnings(config: Config) -> String {
    let new = config.warnings.into_iter().filter(|one| !one.contains("PIO without an alternate"));
    new.collect::<Vec<_>>().join("\n")
}

fn place(name: &str, keys: &str) -> String {
    format!("[[meeting]]\nname = \"{name}\"\n{keys}\n")
}

/// Three places that have nothing in common.
fn three() -> String {
    place("chat", "url = \"https://chat.example.net/sre\"\ndepends_on = [\"chat\"]")
        + &place(
            "video",
            "url = \"https://video.example.net/{service}-{incident}-{secret}\"\ndepends_on = [\"shop\"]",
        )
        + &place("phone", "url = \"tel:+4722000000\"\ndial_in = \"+47 22 00 00 00, pin 1234#\"")
}

const MEET: &str = "meet = [\"chat\", \"video\", \"phone\"]";

#[test]
fn places_have_an_order_and_hang_on_services() {
    let config = house(MEET, "meet = [\"phone\"]", &three()).unwrap();
    let rules = &config.rules;
    assert_eq!(rules.services["shop"].meet, ["chat", "video", "phone"]);
    assert_eq!((&rules.meeting.house[..], rules.services["chat"].meet.len()), (&["phone".to_owned()][..], 0));
    let watched: Vec<&str> = rules.meeting.watched().iter().map(String::as_str).collect();
    assert_eq!(watched, ["chat", "dc", "shop"]);
    assert!(crate::core::meeting::are_secret(rules));
    assert_eq!(rules.meeting.get("phone").unwrap().dial_in.as_deref(), Some("+47 22 00 00 00, pin 1234#"));
    assert_eq!(warnings(config), "");
}

#[test]
fn what_is_wrong_of_a_place_is_told() {
    for (of_shop, of_house, keys, words) in [
        (
            "meet = [\"vidio\"]",
            "",
            "",
            "no place to meet ([[meeting]]) is called `vidio`; did you mean `video`?",
        ),
        ("", "meet = [\"fone\"]", "", "no place to meet ([[meeting]]) is called `fone`"),
        ("meet = [\"chat\", \"chat\"]", "", "", "`chat` stands in this list before"),
        (
            "meet = [\"a\", \"chat\", \"video\", \"phone\", \"a\"]",
            "",
            "url = \"https://a.example.net\"",
            "at most 4 places",
        ),
        ("", "", "dial_in = \"+47 22\"", "[[meeting]] needs `url`"),
        (
            "",
            "",
            "url = \"https://a.example.net\"\ndepends_on = [\"chta\"]",
            "no service is called `chta`; did you mean `chat`?",
        ),
        ("", "", "url = \"https://a.example.net\"\ndepend_on = [\"chat\"]", "did you mean `depends_on`?"),
        (
            "",
            "",
            "url = \"https://a.example.net/{incidnet}\"",
            "`{incidnet}` means nothing here; did you mean `{incident}`?",
        ),
        ("", "", "url = \"https://a.example.net/{incident\"", "means nothing here"),
        ("", "", "url = \"https://a.example.net/}\"", "`}` means nothing here"),
        ("", "", "url = \"meet.example.net/a\"", "a place is met at by a link"),
        ("", "", "url = \"JavaScript:alert(1)\"", "a place is met at by a link"),
        ("", "", "url = \"https://a.example.net/a b\"", "a place is met at by a link"),
        ("", "", "url = \"https://a.example.net/\"\ndial_in = \"ask Kim\"", "`dial_in` is a number"),
    ] {
        let places = three() + &if keys.is_empty() { String::new() } else { place("a", keys) };
        let error = house(of_shop, of_house, &places).unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
    let long = place("a", &format!("url = \"https://a.example.net/{}\"", "x".repeat(300)));
    assert!(house("", "", &long).unwrap_err().contains("at most 300 bytes"));
    let twice = three() + &place("chat", "url = \"https://a.example.net\"");
    assert!(house("", "", &twice).unwrap_err().contains("two places to meet called chat"));
    let bridge = place("bridge", "url = \"https://a.example.net\"");
    assert!(house("", "", &bridge).unwrap_err().contains("`bridge` means another place"));
}

#[test]
fn an_alternate_that_fails_with_the_usual_place_is_warned_of() {
    let warned = |of_shop: &str, of_house: &str, more: &str| {
        warnings(house(of_shop, of_house, &(three() + more)).unwrap())
    };
    let beside = place("other", "url = \"https://other.example.net\"\ndepends_on = [\"dc\", \"chat\"]");
    assert_eq!(warned(MEET, "", &beside), "", "it stands in no list");
    let list = "meet = [\"chat\", \"other\"]";
    let said =
        "chat and other hang on the same services: an alternate that fails with the usual place is none";
    for (of_shop, of_house) in [(list, ""), ("", list)] {
        let warning = warned(of_shop, of_house, &beside);
        let line = warning.split(':').nth(1).and_then(|line| line.parse::<usize>().ok());
        assert!(warning.contains(said) && line.is_some_and(|line| line > 1), "{warning}");
        assert_eq!(warning.lines().count(), 1, "{warning}");
    }
    let half = place("other", "url = \"https://other.example.net\"\ndepends_on = [\"dc\"]");
    assert_eq!(warned(list, "", &half), "");
    let same = place("other", "url = \"https://chat.example.net/sre\"");
    assert!(warned(list, "", &same).contains("are the same place"));
    let guessed = place("other", "url = \"https://meet.example.net/inc-{incident}\"");
    assert!(warned("", "", &guessed).contains("can guess this address"));
    let bridge = "bridge = \"https://meet.example.net/sre\"\n";
    assert!(warned(&format!("{bridge}{MEET}"), "", "").contains("`bridge` is not used beside `meet`"));
    assert_eq!(warned(bridge, "meet = [\"phone\"]", ""), "");
    let bridge = |url: &str| format!("bridge = \"{url}\"\n");
    let wrong = house(&bridge("https://meet.example.net/{incdent}"), "", "").unwrap_err();
    assert!(wrong.contains("`{incdent}` means nothing here; did you mean `{incident}`?"), "{wrong}");
    assert!(house(&bridge("the kitchen"), "", "").unwrap_err().contains("a place is met at by a link"));
    assert_eq!(warned(&bridge("https://meet.example.net/{service}-{incident}-{secret}"), "", ""), "");
}
