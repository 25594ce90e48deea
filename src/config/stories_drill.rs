//! `[delivery_drill]`: what may be written, what is said of what may not, and what `check` shows.

use jiff::Timestamp;
use jiff::civil::{Weekday, time};

use super::stories::{GOOD, read};
use super::*;
use crate::core::delivery_drill::Plan;
use crate::core::oncall::Roster;

fn written(keys: &str) -> Result<Config, String> {
    read(&format!("{GOOD}\n[delivery_drill]\n{keys}\n"))
}

fn plan(keys: &str) -> Plan {
    written(keys).unwrap().rules.delivery_drill.clone().unwrap()
}

#[test]
fn without_the_table_nobody_is_tried_and_with_it_alone_everybody_on_tuesday_at_ten() {
    assert!(read(GOOD).unwrap().rules.delivery_drill.is_none());
    let plan = plan("");
    assert_eq!((plan.day, plan.time), (Weekday::Tuesday, time(10, 0, 0, 0)));
    assert!(plan.time_zone.is_none() && plan.page.is_empty());
    assert_eq!(plan.answer_within, SignedDuration::from_hours(24));
}

#[test]
fn day_hour_zone_people_and_patience_are_read() {
    let keys = "at = \"thursday 14:30\"\ntime_zone = \"Europe/Oslo\"\nanswer_within = \"90m\"\npage = [\"rotation:sre\", \"person:maya\"]";
    let plan = plan(keys);
    assert_eq!((plan.day, plan.time), (Weekday::Thursday, time(14, 30, 0, 0)));
    assert_eq!(plan.time_zone.as_ref().and_then(|zone| zone.iana_name()), Some("Europe/Oslo"));
    assert_eq!((plan.page.len(), plan.answer_within), (2, SignedDuration::from_mins(90)));
}

#[test]
fn what_is_wrong_of_it_is_told_with_its_line_and_the_nearest_word() {
    for (keys, words) in [
        ("at = \"10:00\"", "`at` is a day of the week and an hour, such as \"Tue 10:00\""),
        ("at = \"Tue\"", "`at` is a day of the week"),
        ("at = \"Tus 10:00\"", "`at` is a day of the week"),
        ("at = \"Tue 25:00\"", "`at` is a day of the week"),
        ("time_zone = \"Europe/Olso\"", "did you mean `Europe/Oslo`?"),
        ("answer_within = \"5s\"", "`answer_within` is from 10s to 72h"),
        ("answer_within = \"4 days\"", "`answer_within` is from 10s to 72h"),
        ("page = []", "`page` names nobody"),
        ("page = [\"person:maja\"]", "did you mean `maya`?"),
        ("pages = [\"person:maya\"]", "[delivery_drill] has no key `pages`; did you mean `page`?"),
    ] {
        let said = written(keys).unwrap_err();
        assert!(said.contains(words), "{keys}: {said}");
        assert_eq!(said.matches("onscene.toml:").count(), 1, "{keys}: {said}");
    }
    let nobody = GOOD.replace("administrator = true", "administrator = false");
    let said = read(&format!("{nobody}\n[delivery_drill]\n")).unwrap_err();
    assert!(said.contains("needs somebody who hears of those that did not answer"), "{said}");
    let near = read(&format!("{GOOD}\n[delivery_dril]\n")).unwrap_err();
    assert!(near.contains("did you mean `delivery_drill`?"), "{near}");
}

#[test]
fn check_shows_when_the_next_one_is_and_who_takes_part() {
    let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    let config = written("time_zone = \"Europe/Oslo\"").unwrap();
    let said = preview::drill(&config.rules, &Roster::nothing(), now);
    assert!(
        said.starts_with("delivery drill (hours of Europe/Oslo):\n  next Tue 2026-12-01 10:00, answers are awaited for 24h\n  "),
        "{said}"
    );
    assert!(said.contains("maya"), "{said}");
    let value = preview::drill_as_json(&config.rules, &Roster::nothing(), now);
    assert_eq!((&value["next"], &value["answer_within_s"]), (&"2026-12-01T09:00:00Z".into(), &86400.into()));
    assert!(value["people"].as_array().unwrap().contains(&"maya".into()), "{value}");
    let none = read(GOOD).unwrap();
    assert_eq!(preview::drill(&none.rules, &Roster::nothing(), now), "");
    assert!(preview::drill_as_json(&none.rules, &Roster::nothing(), now).is_null());
}
