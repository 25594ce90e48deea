//! Escalation policies: what they mean, and what is said of those that are wrong.

use jiff::SignedDuration;
use jiff::civil::Weekday;

use super::stories::{GOOD, read, said};
use crate::core::incident::Severity;
use crate::core::oncall::Hours;
use crate::core::rules::Target;

const STEPS: &str = "steps = [{ page = [\"rotation:sre\"], wait = \"5m\" }]";

/// What is said of a policy with these lines, after its name.
fn policy(lines: &str) -> String {
    said(STEPS, lines)
}

/// What is said of a step with these keys beside whom it wakes.
fn step(keys: &str) -> String {
    policy(&format!("steps = [{{ page = [\"person:maya\"], {keys} }}]\nlast_resort = [\"person:maya\"]"))
}

/// The only fault has these words, and the line of the policy.
fn only(said: &str, words: &str) {
    assert!(said.contains(words), "{said}\n is not: {words}");
    assert_eq!(said.matches("onscene.toml:").count(), 1, "{said}");
}

#[test]
fn a_policy_means_what_is_written() {
    let lines = "steps = [
      { page = [\"rotation:sre\"], wait = \"5m\" },
      { page = [\"person:maya\"], wait = \"10m\", remind = \"3m\", severities = [\"SEV1\", \"sev2\"], services = [\"shop\"] },
      { page = [\"person:maya\"], days = [\"Fri-Mon\", \"wed\"], hours = [\"22:00-06:00\"], time_zone = \"Europe/Oslo\" },
      { page = [\"person:maya\"], wait = \"90s\", hours = [\"17:00-24:00\"], time_zone = \"UTC\" },
    ]
    remind = \"2m\"
    everybody = [\"SEV1\"]
    watchers = [\"person:maya\", \"rotation:sre\", \"everybody:sre\"]
    watch_severities = [\"SEV3\"]
    watch_after = 2";
    let config = read(&GOOD.replacen(STEPS, lines, 1)).unwrap();
    let policy = &config.rules.policies["default"];
    let mins = SignedDuration::from_mins;
    let reminds: Vec<_> = policy.steps.iter().map(|step| step.remind).collect();
    assert_eq!(
        reminds,
        [Some(mins(2)), Some(mins(3)), Some(mins(2)), None],
        "not where it is as long as the wait"
    );
    assert_eq!(policy.remind, Some(mins(2)));
    let when = |index: usize| policy.steps[index].when.clone();
    assert_eq!(when(0), Default::default());
    assert_eq!(when(1).severities, [Severity::Sev1, Severity::Sev2].into());
    assert_eq!(when(1).services, ["shop".to_owned()].into());
    let night = when(2).hours.unwrap();
    let weekend = [Weekday::Friday, Weekday::Saturday, Weekday::Sunday, Weekday::Monday, Weekday::Wednesday];
    assert_eq!(night.time_zone.iana_name(), Some("Europe/Oslo"));
    assert_eq!(night.hours, Hours::new(&weekend, &[(22 * 60, 6 * 60)]));
    assert_eq!(when(3).hours.unwrap().hours, Hours::new(&[], &[(17 * 60, 24 * 60)]));
    assert_eq!(policy.everybody, [Severity::Sev1].into());
    let sre = |of: fn(String) -> Target| of("sre".into());
    let who = [Target::Person("maya".into()), sre(Target::Rotation), sre(Target::Everybody)];
    assert_eq!(policy.watch.who, who);
    assert_eq!((policy.watch.severities.clone(), policy.watch.after), ([Severity::Sev3].into(), 2));

    let usual = &read(&format!("{GOOD}\n")).unwrap().rules.policies["default"];
    assert_eq!((usual.remind, usual.everybody.len(), usual.watch.who.len()), (None, 0, 0));
    assert_eq!(usual.watch.severities, [Severity::Sev1, Severity::Sev2].into());
}

#[test]
fn steps_say_what_is_wrong_with_them() {
    for (keys, words) in [
        ("severities = [\"SEV1\", \"SEV4\"]", "nothing"),
        (
            "severities = [\"SVE1\"]",
            "`SVE1` is no severity of an incident; SEV1, SEV2, SEV3 and SEV4 are; did you mean `SEV1`",
        ),
        ("severities = [\"critical\"]", "`critical` is no severity of an incident"),
        ("severities = []", "`severities` is empty: leave it out"),
        ("severities = \"SEV1\"", "`severities` is a list of texts"),
        ("severties = [\"SEV1\"]", "has no key `severties`; did you mean `severities`"),
        ("services = [\"shop\"]", "nothing"),
        ("services = [\"shpo\"]", "no service is called `shpo`; did you mean `shop`"),
        ("days = [\"Mon-Fri\"], time_zone = \"UTC\"", "nothing"),
        ("days = [\"Mon\"]", "`days` and `hours` need `time_zone`"),
        ("hours = [\"08:00-17:00\"]", "`days` and `hours` need `time_zone`"),
        ("time_zone = \"UTC\"", "`time_zone` is that of `days` and `hours`: there are none"),
        (
            "days = [\"Mon\"], time_zone = \"Europe/Olso\"",
            "no time zone is called `Europe/Olso`; did you mean `Europe/Oslo`",
        ),
        ("days = [\"Mno\"], time_zone = \"UTC\"", "no day of the week is called `Mno`"),
        ("days = [\"Mon-Fir\"], time_zone = \"UTC\"", "no day of the week is called `Fir`"),
        ("days = [], time_zone = \"UTC\"", "`days` is empty: the step would never be open"),
        ("hours = [\"8-17\"], time_zone = \"UTC\"", "`8-17` are no hours"),
        ("hours = [\"08:00\"], time_zone = \"UTC\"", "`08:00` are no hours"),
        ("hours = [\"08:00-25:00\"], time_zone = \"UTC\"", "`08:00-25:00` are no hours"),
        ("hours = [\"08:00-08:00\"], time_zone = \"UTC\"", "these hours end when they begin"),
        ("hours = [\"00:00-24:00\"], time_zone = \"UTC\"", "nothing"),
        ("hours = \"08:00-17:00\", time_zone = \"UTC\"", "`hours` is a list of texts"),
        ("wait = \"5m\", remind = \"1m\"", "nothing"),
        ("wait = \"5m\", remind = \"59s\"", "`remind` is at least 1m, and at most 5 times a step"),
        ("wait = \"5m\", remind = \"5m\"", "`remind` is not shorter than `wait`"),
        ("wait = \"5m\", remid = \"2m\"", "has no key `remid`; did you mean `remind`"),
    ] {
        let said = step(keys);
        if words == "nothing" { assert_eq!(said, words, "{keys}") } else { only(&said, words) }
    }
}

#[test]
fn policies_say_what_is_wrong_with_them() {
    for (lines, words) in [
        ("remind = \"2m\"", "nothing"),
        ("remind = \"5m\"", "`remind` is not shorter than any `wait`"),
        ("remind = \"5m\"\nlast_resort = [\"person:maya\"]", "nothing"),
        ("remind = \"10m\"\nlast_resort = [\"person:maya\"]", "`remind` is not shorter than any `wait`"),
        ("remind = \"30s\"", "`remind` is at least 1m"),
        ("everybody = [\"SEV1\", \"SEV2\"]", "nothing"),
        ("everybody = true", "`everybody` is a list of texts"),
        ("everybody = [\"SEV9\"]", "`SEV9` is no severity of an incident"),
        ("everbody = [\"SEV1\"]", "has no key `everbody`; did you mean `everybody`"),
        ("watchers = [\"person:maya\"]", "nothing"),
        ("watchers = [\"person:me\"]", "no person is called `me`"),
        ("watchers = [\"everybody:sree\"]", "no rotation is called `sree`; did you mean `sre`?"),
        (
            "watchers = [\"you\"]",
            "`you` is none of person:NAME, rotation:NAME (who is on call in it) and everybody:NAME",
        ),
        ("watchers = [\"person:maya\"]\nwatch_severities = [\"SEV5\"]", "`SEV5` is no severity"),
        ("watchers = [\"person:maya\"]\nwatch_after = 1", "nothing"),
        ("watchers = [\"person:maya\"]\nwatch_after = 2", "`watch_after` lies between 0 and 1"),
        ("watch_severities = [\"SEV1\"]", "`watch_severities` goes with `watchers`"),
        ("watch_after = 1", "`watch_after` goes with `watchers`"),
    ] {
        let said = policy(&format!("{STEPS}\n{lines}"));
        if words == "nothing" { assert_eq!(said, words, "{lines}") } else { only(&said, words) }
    }
}

#[test]
fn a_policy_that_names_nobody_for_an_incident_it_is_used_for_is_refused() {
    let of = |steps: &str, more: &str| policy(&format!("steps = [{steps}]\n{more}"));
    let bad = "{ page = [\"person:maya\"], severities = [\"SEV1\", \"SEV2\"] }";
    let what =
        "no step of default is there for a SEV3 of shop, and it has no `last_resort`: nobody would be woken";
    only(&of(bad, ""), what);
    assert_eq!(of(bad, "last_resort = [\"person:maya\"]"), "nothing");
    assert_eq!(
        of(&format!("{bad}, {{ page = [\"person:maya\"], severities = [\"SEV3\", \"SEV4\"] }}"), ""),
        "nothing"
    );
    // Hours come and go; nobody is woken in none.
    assert_eq!(
        of("{ page = [\"person:maya\"], hours = [\"08:00-17:00\"], time_zone = \"UTC\" }", ""),
        "nothing"
    );
}

#[test]
fn who_commands_is_asked_after_the_time_of_the_severity_or_never() {
    let service = "[[service]]\nname = \"shop\"";
    let with = |silent: &str| format!("[incidents]\nsilent_after = {silent}\n\n{service}");
    for (silent, words) in [
        ("{ SEV1 = \"5m\", SEV4 = \"24h\" }", "nothing"),
        ("{ SEV1 = \"0s\" }", "nothing"),
        ("{ SEV1 = \"4m\" }", "`silent_after` lies between 5m and 24h, or is 0s for never"),
        ("{ SEV1 = \"25h\" }", "`silent_after` lies between 5m and 24h"),
        ("{ SEV1 = \"soon\" }", "is no length of time"),
        ("{ SEVI = \"15m\" }", "`SEVI` is no severity of an incident"),
        ("\"15m\"", "`silent_after` is a table of texts"),
    ] {
        let said = said(service, &with(silent));
        if words == "nothing" { assert_eq!(said, words, "{silent}") } else { only(&said, words) }
    }
    let text = GOOD.replacen(service, &with("{ SEV1 = \"0s\", SEV3 = \"1h\" }"), 1);
    let silent = read(&text).unwrap().rules.clocks.silent_after.clone();
    let expected =
        [(Severity::Sev2, SignedDuration::from_mins(25)), (Severity::Sev3, SignedDuration::from_mins(60))];
    assert_eq!(silent, expected.into());
}
