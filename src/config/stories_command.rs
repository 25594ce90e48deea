//! `[command]`: what is asked of who commands, and for how long is watched.

use jiff::SignedDuration;

use super::stories::{GOOD, read, said};
use crate::core::incident::Severity;
use crate::core::rules::CommandRules;

const SERVICE: &str = "[[service]]\nname = \"shop\"";

fn with(lines: &str) -> String {
    format!("[command]\n{lines}\n\n{SERVICE}")
}

#[test]
fn what_is_not_said_of_command_stays_as_it_is_usually() {
    assert_eq!(read(GOOD).unwrap().rules.command, CommandRules::usual());
    let mins = SignedDuration::from_mins;
    let lines = "check_in = { SEV1 = \"3m\", SEV4 = \"1h\" }\nprogress = { SEV1 = \"0s\" }\nwatch = { SEV2 = \"0s\" }";
    let rules = read(&GOOD.replacen(SERVICE, &with(lines), 1)).unwrap().rules.command.clone();
    let usual = CommandRules::usual();
    let first = rules.pace[&Severity::Sev1];
    assert_eq!((first.check_in, first.progress), (mins(3), SignedDuration::ZERO));
    assert_eq!(first.size_up, usual.pace[&Severity::Sev1].size_up);
    assert_eq!(rules.pace[&Severity::Sev2], usual.pace[&Severity::Sev2]);
    assert_eq!(rules.pace[&Severity::Sev4].check_in, mins(60));
    assert_eq!(rules.watch[&Severity::Sev2], SignedDuration::ZERO);
    assert_eq!(rules.watch[&Severity::Sev1], mins(30));
}

#[test]
fn whoever_wants_no_clocks_has_none() {
    let none = "{ SEV1 = \"0s\", SEV2 = \"0s\", SEV3 = \"0s\", SEV4 = \"0s\" }";
    let lines = ["check_in", "size_up", "progress", "watch"].map(|key| format!("{key} = {none}")).join("\n");
    let rules = read(&GOOD.replacen(SERVICE, &with(&lines), 1)).unwrap().rules.command.clone();
    assert_eq!(rules, CommandRules::default());
}

#[test]
fn what_is_wrong_of_command_is_said_at_its_line() {
    for (lines, words) in [
        ("check_in = { SEV1 = \"1m\" }", "`check_in` lies between 2m and 24h, or is 0s for never"),
        ("progress = { SEV1 = \"25h\" }", "`progress` lies between 2m and 24h"),
        ("watch = { SEV1 = \"25h\" }", "`watch` lies between 0s and 24h"),
        ("size_up = { SEVI = \"5m\" }", "`SEVI` is no severity of an incident"),
        ("size_up = { SEV1 = \"soon\" }", "is no length of time"),
        ("size_up = \"5m\"", "`size_up` is a table of texts"),
        ("sizeup = { SEV1 = \"5m\" }", "size_up"),
    ] {
        let said = said(SERVICE, &with(lines));
        assert!(said.contains(words), "{said}\n is not: {words}");
    }
}
