//! Words for those whom it concerns that somebody stands in: who is on call when, who said so and why, and how it is taken back.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{Renderer, Words, escape, full_name, zone_of};
use crate::core::oncall::Override;
use crate::core::rules::Rules;
use crate::core::timeline::Actor;

/// What one person is told of overrides that concern them.
#[derive(Clone, Copy, Debug)]
pub struct Turned<'a> {
    /// Who is told.
    pub person: &'a str,
    /// Which overrides: those that were said together, the first to begin first. At least one.
    pub overrides: &'a [&'a Override],
    /// Who has ended them before they were over; `None`: they were said a moment ago.
    pub ended_by: Option<&'a str>,
}

impl Renderer {
    /// The words of a notice about who stands in. Its hours are those of the zone of whom it is for.
    pub fn turned_words(&self, turned: &Turned<'_>, rules: &Rules) -> Words {
        let zone = zone_of(rules, turned.person);
        let each = turned.overrides.iter();
        let said: Vec<String> = each.map(|one| sentence(one, turned.person, rules, &zone)).collect();
        let first = turned.overrides.first();
        let reason = first.map_or("", |one| one.reason.as_str());
        let author = first.map_or_else(String::new, |one| called(rules, &one.author));
        let short = match &said[..] {
            [only] => only.clone(),
            all => several(turned, rules, all.len()),
        };
        let mut paragraphs = Vec::new();
        let short = match turned.ended_by {
            None => short,
            Some(who) => {
                let stands_in = turned.overrides.iter().any(|one| one.person == turned.person);
                let so = if stands_in { "" } else { ", so your turns are yours again" };
                let who = called(rules, who);
                paragraphs.push(format!("{who} took this back, and it does not hold any more{so}:"));
                format!("Taken back: {short}")
            }
        };
        paragraphs.extend(said);
        match turned.ended_by {
            None => {
                paragraphs.push(format!("{author} said so. Why: {reason}"));
                paragraphs.push(format!("To take it back: {}", self.ways_back(turned.overrides)));
            }
            Some(_) => {
                paragraphs.push(format!("{author} had said so. Why: {reason}"));
                paragraphs.push(format!("Who is on call now, and next: {}", self.oncall_url()));
            }
        }
        let html: String = paragraphs.iter().map(|words| format!("<p>{}</p>", escape(words))).collect();
        Words {
            subject: short.trim_end_matches('.').to_owned(),
            text: format!("{}\n", paragraphs.join("\n\n")),
            html: format!("<!doctype html><html><body>{html}</body></html>"),
            data: json!({"overrides": turned.overrides.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
                "ended": turned.ended_by.is_some()}),
            event_type: "notice.oncall".to_owned(),
            incident_state: "none".to_owned(),
            page_attempt: 0,
            short,
            answer: None,
            meet: None,
            statement: None,
        }
    }

    fn oncall_url(&self) -> String {
        format!("{}/oncall", self.external_url)
    }

    fn ways_back(&self, overrides: &[&Override]) -> String {
        let commands = overrides.iter().map(|one| format!("onscene oncall end {}", one.id));
        format!("{}, or {}", commands.collect::<Vec<_>>().join(" and "), self.oncall_url())
    }
}

/// Several of them in one line: of a swap, with whom.
fn several(turned: &Turned<'_>, rules: &Rules, count: usize) -> String {
    let me = Some(turned.person);
    let others =
        turned.overrides.iter().map(|one| match (Some(one.person.as_str()), one.instead_of.as_deref()) {
            (person, whose) if person == me => whose,
            (person, whose) if whose == me => person,
            _ => None,
        });
    let others: Vec<Option<&str>> = others.collect();
    match others.first() {
        Some(Some(other)) if others.iter().all(|one| *one == Some(*other)) => {
            format!("You and {} take each other's turns.", full_name(rules, other))
        }
        _ => format!("Who is on call was changed {count} times in which it would be you."),
    }
}

/// Who is on call when by an override, to somebody.
fn sentence(one: &Override, to: &str, rules: &Rules, zone: &TimeZone) -> String {
    let local = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string();
    let zone_name = zone.iana_name().unwrap_or("UTC");
    let hours = format!("from {} until {} ({zone_name})", local(one.from), local(one.until));
    let rotation = &one.rotation;
    if one.person != to {
        return format!(
            "{} is on call in {rotation} instead of you, {hours}.",
            full_name(rules, &one.person)
        );
    }
    let whose = one.instead_of.as_deref();
    let whose = whose.map_or_else(|| "everybody who would be".to_owned(), |whose| full_name(rules, whose));
    format!("You are on call in {rotation} instead of {whose}, {hours}.")
}

/// What people call an author: a person, or a program.
fn called(rules: &Rules, author: &str) -> String {
    match Actor::from_label(author) {
        Some(Actor::Automation(name)) => format!("The program {name}"),
        _ => full_name(rules, author),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rules::Person;

    fn rules() -> Rules {
        let person = |name: &str, full_name: &str, zone: &str| {
            let time_zone = TimeZone::get(zone).unwrap();
            (name.to_owned(), Person { full_name: full_name.into(), time_zone, ..Person::default() })
        };
        let people = [
            person("maya", "Maya Lind", "Europe/Oslo"),
            person("tom", "Tom <Berg>", "America/New_York"),
            person("kim", "", "UTC"),
        ];
        Rules { people: people.into(), ..Rules::default() }
    }

    fn one(person: &str, instead_of: Option<&str>, day: i8) -> Override {
        let hour = |day| {
            jiff::civil::date(2026, 11, day).at(8, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp()
        };
        Override {
            id: format!("id-{day}"),
            rotation: "sre".into(),
            person: person.into(),
            instead_of: instead_of.map(str::to_owned),
            from: hour(day),
            until: hour(day + 1),
            author: "automation:planner".into(),
            reason: "the <dentist>".into(),
            created_at: hour(1),
            ended_by: None,
        }
    }

    fn told(person: &str, overrides: &[Override], ended_by: Option<&str>) -> String {
        let renderer = Renderer::new(None, "https://onscene.example.net/").unwrap();
        let overrides: Vec<&Override> = overrides.iter().collect();
        let turned = Turned { person, overrides: &overrides, ended_by };
        let words = renderer.turned_words(&turned, &rules());
        assert!(words.html.contains("Why: the &lt;dentist&gt;</p>"), "{}", words.html);
        assert_eq!((words.answer.as_deref(), words.page_attempt), (None, 0));
        format!("Subject: {}\n\n{}", words.subject, words.text)
    }

    #[test]
    fn everybody_is_told_in_their_own_words_and_hours() {
        let swap = [one("tom", Some("maya"), 2), one("maya", Some("tom"), 9)];
        let shown = [
            told("kim", &[one("kim", None, 2)], None),
            told("tom", &[one("tom", Some("maya"), 2)], None),
            told("maya", &[one("tom", Some("maya"), 2)], None),
            told("maya", &swap, None),
            told("tom", &swap, None),
            told("maya", &[one("tom", None, 2), one("kim", None, 9)], None),
            told("maya", &[one("tom", Some("maya"), 2)], Some("kim")),
            told("tom", &[one("tom", Some("maya"), 2)], Some("automation:planner")),
        ];
        insta::assert_snapshot!("turned", shown.join("=====\n"));
    }
}
