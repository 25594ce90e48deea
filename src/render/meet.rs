//! Where to meet, as letters and pages say it.

use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use crate::core::meeting::{Meeting, Place, TOLD, is_link};

/// Longest a voice says where to meet, in characters.
const SAID_CHARS_MAX: usize = 200;

/// Where responders meet, in few words: for ways that carry little.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meet {
    /// The address.
    pub url: String,
    /// What the usual place is called, when people are to meet elsewhere.
    #[serde(default)]
    pub left: Option<String>,
    /// What a voice says of it.
    #[serde(default)]
    pub said: String,
}

impl Meet {
    pub(super) fn of(meeting: &Meeting) -> Option<Self> {
        let here = meeting.here()?;
        let left = meeting.left().map(|left| left.name.clone());
        Some(Self { url: here.url.clone(), left, said: said(meeting, here) })
    }
}

/// The places of an incident for templates, where to meet first; `whole`: with the others, and with what is keyed in on a telephone.
pub fn shown_meeting(meeting: &Meeting, whole: bool) -> Vec<Value> {
    let most = if whole { usize::MAX } else { 1 };
    let left = meeting.left();
    let shown = meeting.in_turn().into_iter().take(most).enumerate().map(|(index, place)| {
        let own = place.suspect();
        let usual = left.filter(|_| index == 0).and_then(Place::suspect);
        let usual = usual.zip(left).map(|(why, left)| format!("the usual place, {}, {why}", left.name));
        let notes: Vec<String> = usual.into_iter().chain(own.clone()).collect();
        let dial_in = place.dial_in.as_deref().filter(|_| whole);
        context! {
            name => place.name.as_str(), url => place.url.as_str(), link => is_link(&place.url), suspect => own,
            dial_in, tel => dial_in.and_then(number),
            note => (!notes.is_empty()).then(|| notes.join("; ")),
        }
    });
    shown.collect()
}

/// The number that a telephone is to call: what stands before the first word.
fn number(dial_in: &str) -> Option<String> {
    let end =
        dial_in.find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '-' | '.' | '/')));
    let number: String =
        dial_in[..end.unwrap_or(dial_in.len())].chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    (number.len() >= 3).then_some(number)
}

fn said(meeting: &Meeting, here: &Place) -> String {
    let mut said = match meeting.left() {
        _ if meeting.told && here.name == TOLD => "Where to meet was changed: the page says it.".to_owned(),
        _ if meeting.told => format!("Where to meet was changed. Meet at {}.", here.name),
        Some(left) => {
            format!("Do not meet at the usual place, {}: it may be down. Meet at {}.", left.name, here.name)
        }
        None if here.doubt.is_some() => "Meet at the usual place. It may be down.".to_owned(),
        None => "Meet at the usual place.".to_owned(),
    };
    if let Some(dial_in) = &here.dial_in {
        let whole = format!("{said} By telephone: {}.", spelt(dial_in));
        if whole.chars().count() <= SAID_CHARS_MAX {
            said = whole;
        }
    }
    said
}

/// A number as a voice says it: digit by digit, not as so many millions.
fn spelt(dial_in: &str) -> String {
    let mut said = String::new();
    for letter in dial_in.chars() {
        match letter {
            '+' => said.push_str("plus "),
            '#' => said.push_str("hash "),
            '*' => said.push_str("star "),
            digit if digit.is_ascii_digit() => {
                said.push(digit);
                said.push(' ');
            }
            other => said.push(other),
        }
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::letter::{Letter, News};
    use crate::core::meeting::Doubt;
    use crate::core::rules::Rules;
    use crate::render::{About, Renderer, samples};

    fn place(name: &str, dial_in: Option<&str>, struck: Option<&str>) -> Place {
        Place {
            name: name.into(),
            url: format!("https://{name}.example.net/room"),
            dial_in: dial_in.map(str::to_owned),
            doubt: struck.map(|service| Doubt::Struck { service: service.into() }),
        }
    }

    fn said_of(places: &[Place]) -> String {
        Meet::of(&Meeting { places: places.to_vec(), told: false }).unwrap().said
    }

    #[test]
    fn a_voice_says_where_and_spells_numbers() {
        let (chat, phone) = (place("chat", None, None), place("phone", Some("+47 22, pin 12#"), None));
        assert_eq!(said_of(&[chat, phone.clone()]), "Meet at the usual place.");
        assert_eq!(
            said_of(&[place("chat", None, Some("lb")), phone.clone()]),
            "Do not meet at the usual place, chat: it may be down. Meet at phone. By telephone: plus 4 7 2 2, pin 1 2 hash."
        );
        assert_eq!(said_of(&[place("chat", None, Some("lb"))]), "Meet at the usual place. It may be down.");
        let told = |places: Vec<Place>| Meet::of(&Meeting { places, told: true }).unwrap().said;
        assert_eq!(
            told(vec![Place { name: TOLD.into(), ..place("a", None, None) }, phone.clone()]),
            "Where to meet was changed: the page says it."
        );
        assert_eq!(
            told(vec![phone]),
            "Where to meet was changed. Meet at phone. By telephone: plus 4 7 2 2, pin 1 2 hash."
        );
        let long = said_of(&[place("phone", Some(&"1".repeat(100)), None)]);
        assert_eq!(long, "Meet at the usual place.", "half of a number leads nowhere");
        assert_eq!(Meet::of(&Meeting::default()), None);
    }

    #[test]
    fn who_is_told_little_is_told_of_one_place_and_of_no_pin() {
        let places = vec![place("chat", None, Some("lb")), place("phone", Some("+47 22"), None)];
        let meeting = Meeting { places, told: false };
        let text = |whole| {
            let shown = shown_meeting(&meeting, whole);
            shown.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>()
        };
        let (whole, little) = (text(true), text(false));
        assert_eq!((whole.len(), little.len()), (2, 1));
        assert!(
            whole[0].contains("the usual place, chat, may be down with lb") && whole[0].contains("+47 22")
        );
        assert!(
            whole[1].contains("https://chat.example.net/room") && whole[1].contains("may be down with lb")
        );
        for (dial_in, tel) in [
            ("+47 22 00-00 00, pin 1234#", Some("+4722000000")),
            ("(030) 123", Some("030123")),
            ("ask 123 at the desk", None),
        ] {
            assert_eq!(number(dial_in).as_deref(), tel, "{dial_in}");
        }
        assert!(little[0].contains("https://phone.example.net") && !little[0].contains("+47"), "{little:?}");
    }

    #[test]
    fn where_to_meet_stands_below_who_commands_and_a_status_names_one_place_without_a_pin() {
        let renderer = Renderer::new(None, "https://onscene.example.net").unwrap();
        let (incidents, rules, meeting) = (samples::incidents(), Rules::default(), samples::meeting());
        let words = |letter: &Letter| {
            let token = Some("TOKEN");
            let about = About {
                incident: &incidents[1],
                alerts: &[],
                rules: &rules,
                token,
                known: &[],
                meeting: &meeting,
                handover: None,
                said: None,
            };
            renderer.words(letter, &about, None)
        };
        let page = words(&samples::letters()[0]);
        let lines: Vec<&str> = page.text.lines().skip(3).take(6).collect();
        assert_eq!(
            lines,
            [
                "maya has command since 1970-01-01 00:00:00 UTC.",
                "Meet:   https://phone.example.net/42 (the usual place, chat, may be down with lb)",
                "        by telephone: +47 22 00 00 00, pin 1234#",
                "  else: https://video.example.net/42",
                "  else: https://chat.example.net/42 (may be down with lb)",
                "",
            ]
        );
        let status = Letter::Status { channel: "ops-room".into(), news: News::Acknowledged };
        let of_person = Letter::Notice { person: "tom".into(), news: News::Acknowledged };
        for (letter, places) in [(&status, 1), (&of_person, 3)] {
            let words = words(letter);
            for text in [&words.text, &words.html] {
                let shown = text.matches("(the usual place, chat, may be down with lb)").count();
                assert_eq!((shown, text.contains("pin 1234#")), (1, places == 3), "{text}");
                assert_eq!(text.contains("video.example.net"), places == 3, "{text}");
            }
            assert_eq!(words.meet.is_some(), places == 3);
            assert_eq!(words.data["incident"]["bridge"], "https://phone.example.net/42");
        }
        for letter in samples::letters() {
            let is_reply = matches!(letter, Letter::Misread { .. });
            assert_eq!(words(&letter).text.contains("https://phone.example.net/42"), !is_reply, "{letter:?}");
        }
    }
}
