//! Words of tests: the page of one, and what is told of a drill. Nothing of it may look like a page that is meant.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Renderer, Words, escape, full_name, zone_of};
use crate::core::delivery_drill::State;
use crate::core::reach::without_addresses;
use crate::core::rules::Rules;
use crate::store::drills::{Drill, Taking, Tried};

/// Longest answer of another side in a report, in characters.
const SAID_CHARS_MAX: usize = 160;

impl Renderer {
    /// The words of a test page, for one way: nothing is wrong, and it says so first.
    pub fn test_words(&self, person: &str, rules: &Rules, way: &str, token: &str) -> Words {
        let said = format!(
            "This is a test of how pages reach {}; it came by {way}. Nothing is wrong, and there is nothing to take.",
            full_name(rules, person)
        );
        self.tests(person, way, token, &said, "If it did, say so here:")
    }

    /// The same for a delivery drill, which awaits an answer until an hour.
    pub fn drill_words(
        &self,
        person: &str,
        rules: &Rules,
        way: &str,
        token: &str,
        until: Timestamp,
    ) -> Words {
        let said = format!(
            "This is a delivery drill: a test of whether pages reach {}; it came by {way}. Nothing is wrong, and there is nothing \
             to take. An answer is awaited until {}; whoever gives none is reported to the administrators.",
            full_name(rules, person),
            minute(until, &zone_of(rules, person)),
        );
        self.tests(
            person,
            way,
            token,
            &said,
            "Press the button here; pressed in each letter that came, it shows that each way works:",
        )
    }

    fn tests(&self, person: &str, way: &str, token: &str, said: &str, asks: &str) -> Words {
        let url = format!("{}/r/{token}", self.external_url);
        let short = "TEST: nothing is wrong. Did this page reach you?".to_owned();
        let html = format!(
            "<!doctype html><html><body><p><b>{}</b></p><p>{}</p><p><a href=\"{}\">It reached me</a></p></body></html>",
            escape(&short),
            escape(said),
            escape(&url)
        );
        Words {
            subject: "TEST of your pages: nothing is wrong".to_owned(),
            text: format!("{short}\n\n{said}\n\n{asks}\n{url}\n"),
            html,
            data: serde_json::json!({"test": true, "person": person, "way": way}),
            event_type: "test".to_owned(),
            incident_state: "test".to_owned(),
            page_attempt: 1,
            short,
            answer: Some(url),
            meet: None,
            statement: None,
        }
    }

    /// What an administrator is told of a drill in which somebody did not answer, or a way failed.
    pub fn drill_report(&self, to: &str, rules: &Rules, drill: &Drill, people: &[Taking]) -> Words {
        let zone = zone_of(rules, to);
        let began = minute(drill.at, &zone);
        let asked: Vec<&Taking> =
            people.iter().filter(|one| matches!(one.state, State::Missed | State::Answered)).collect();
        let (missed, answered): (Vec<&Taking>, Vec<&Taking>) =
            asked.iter().partition(|one| one.state == State::Missed);
        let name = |one: &Taking| match full_name(rules, &one.person) {
            full if full == one.person => full,
            full => format!("{full} ({})", one.person),
        };
        let short = match missed.len() {
            0 if asked.is_empty() => "A way failed in the delivery drill.".to_owned(),
            0 => {
                format!("All {} who were awaited answered the delivery drill, but a way failed.", asked.len())
            }
            1 => format!("1 of {} did not answer the delivery drill.", asked.len()),
            many => format!("{many} of {} did not answer the delivery drill.", asked.len()),
        };
        let mut parts: Vec<(&str, Vec<String>)> = Vec::new();
        let lines = |one: &Taking| format!("{}: {}", name(one), tried(one));
        parts.push(("Did not answer", missed.iter().copied().map(lines).collect()));
        let (fails, well): (Vec<&Taking>, Vec<&Taking>) =
            answered.iter().partition(|one| one.ways.iter().any(Tried::failed));
        parts.push(("Answered, and a way failed", fails.iter().copied().map(lines).collect()));
        let by = |one: &Taking| format!("{}, by {}", name(one), one.way.as_deref().unwrap_or("a way"));
        let not_pressed = |one: &Taking| {
            let left: Vec<&str> = one
                .ways
                .iter()
                .filter(|way| way.confirmed_at.is_none())
                .map(|way| way.way.as_str())
                .collect();
            if left.is_empty() { by(one) } else { format!("{}; not pressed: {}", by(one), left.join(", ")) }
        };
        parts.push(("Answered", well.into_iter().map(not_pressed).collect()));
        let left_out = |one: &&Taking| {
            let failed = one.ways.iter().any(Tried::failed);
            let why = match one.state {
                State::Away => "on leave",
                State::Late => "no daemon was there at their hour",
                State::Gone if failed => "not known any more",
                _ => return None,
            };
            // Who went away after they were asked may have a way that failed.
            let what = if failed { format!("{why}; {}", tried(one)) } else { why.to_owned() };
            Some(format!("{}: {what}", name(one)))
        };
        let left_out: Vec<String> = people.iter().filter_map(|one| left_out(&one)).collect();
        parts.push(("Left out", left_out));
        let advice = "What to do: ask them whether anything came, and where. `onscene oncall test PERSON` tries all ways of one person \
                      again; addresses are the `email` and `ways` of a [[person]]. A way that nobody ever confirms may as well not \
                      be there.";
        let page = format!("{}/oncall", self.external_url);
        let mut text = format!("{short}\n\nIt began {began}.\n");
        let mut html = format!(
            "<!doctype html><html><body><p><b>{}</b></p><p>It began {}.</p>",
            escape(&short),
            escape(&began)
        );
        for (title, lines) in parts.iter().filter(|(_, lines)| !lines.is_empty()) {
            text.push_str(&format!("\n{title}:\n"));
            html.push_str(&format!("<p><b>{title}</b></p><ul>"));
            for line in lines {
                text.push_str(&format!("- {line}\n"));
                html.push_str(&format!("<li>{}</li>", escape(line)));
            }
            html.push_str("</ul>");
        }
        text.push_str(&format!("\n{advice}\n\n{page}\n"));
        html.push_str(&format!(
            "<p>{}</p><p><a href=\"{}\">On call</a></p></body></html>",
            escape(advice),
            escape(&page)
        ));
        Words {
            subject: format!(
                "Delivery drill: {}",
                if missed.is_empty() {
                    "a way failed".to_owned()
                } else {
                    format!("{} did not answer", missed.len())
                }
            ),
            text,
            html,
            data: serde_json::json!({
                "drill": drill.number, "began_at": drill.at,
                "missed": missed.iter().map(|one| one.person.as_str()).collect::<Vec<_>>(),
            }),
            event_type: "notice.delivery_drill".to_owned(),
            incident_state: "test".to_owned(),
            page_attempt: 0,
            short,
            answer: None,
            meet: None,
            statement: None,
        }
    }
}

/// What became of each letter of somebody, for people.
pub fn tried(one: &Taking) -> String {
    let Taking { ways: all, page, .. } = one;
    let one = |tried: &Tried| {
        let what = match (tried.confirmed_at, tried.state.as_str()) {
            (Some(_), _) => "pressed",
            (None, "accepted") => "taken, and not pressed",
            (None, "bounced") => "came back",
            (None, "refused") => "refused",
            (None, "unknown") => "sent, and nobody knows whether it arrived",
            (None, _) => "not taken yet",
        };
        let said = without_addresses(tried.why.as_deref().unwrap_or_default());
        let said: String = said.chars().take(SAID_CHARS_MAX).collect();
        match said.strip_prefix("it came back: ").unwrap_or(&said) {
            _ if tried.confirmed_at.is_some() => format!("{} {what}", tried.way),
            "" => format!("{} {what}", tried.way),
            said => format!("{} {what} ({said})", tried.way),
        }
    };
    if all.is_empty() && page.is_some() {
        "what became of each letter is not kept any more".to_owned()
    } else if all.is_empty() {
        "there is no way to them".to_owned()
    } else {
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}
