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
fn the_clocks_of_a_tenure_are_said_by_severity_and_receipts_for_all() {
    let usual = CommandRules::usual();
    let (mins, hours) = (SignedDuration::from_mins, SignedDuration::from_hours);
    let wait = |severity| {
        let pace = usual.pace[&severity];
        (pace.receipts, pace.relief, pace.relief_late, pace.support)
    };
    let none = SignedDuration::ZERO;
    assert_eq!(wait(Severity::Sev1), (mins(5), hours(4), hours(8), mins(10)));
    assert_eq!(wait(Severity::Sev2), wait(Severity::Sev1));
    assert_eq!(wait(Severity::Sev3), (mins(5), hours(8), hours(12), none));
    assert_eq!(wait(Severity::Sev4), (mins(5), none, none, none));
    let lines = "receipts = \"3m\"\nrelief = { SEV1 = \"2h\", SEV2 = \"0s\" }\nrelief_late = { SEV2 = \"24h\" }\nsupport = { SEV3 = \"30m\" }";
    let rules = read(&GOOD.replacen(SERVICE, &with(lines), 1)).unwrap().rules.command.clone();
    let pace = |severity| rules.pace[&severity];
    assert!(Severity::ALL.into_iter().all(|severity| pace(severity).receipts == mins(3)));
    assert_eq!((pace(Severity::Sev1).relief, pace(Severity::Sev1).relief_late), (hours(2), hours(8)));
    assert_eq!((pace(Severity::Sev2).relief, pace(Severity::Sev2).relief_late), (none, hours(24)));
    assert_eq!((pace(Severity::Sev3).support, pace(Severity::Sev1).support), (mins(30), mins(10)));
}

#[test]
fn whoever_wants_no_clocks_has_none() {
    let none = "{ SEV1 = \"0s\", SEV2 = \"0s\", SEV3 = \"0s\", SEV4 = \"0s\" }";
    let keys = ["check_in", "size_up", "progress", "watch", "relief", "relief_late", "support"];
    let lines = keys.map(|key| format!("{key} = {none}")).join("\n");
    let lines = format!("{lines}\nreceipts = \"0s\"");
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
        ("receipts = \"1m\"", "`receipts` lies between 2m and 24h, or is 0s for never"),
        ("receipts = \"25h\"", "`receipts` lies between 2m and 24h"),
        ("receipts = { SEV1 = \"5m\" }", "`receipts` is a text in quotes"),
        ("relief = { SEV1 = \"25h\" }", "`relief` lies between 2m and 24h, or is 0s for never"),
        ("relief_late = { SEV1 = \"1m\" }", "`relief_late` lies between 2m and 24h"),
        (
            "relief_late = { SEV1 = \"3h\" }",
            "`relief_late` of SEV1 is 3h; it comes after `relief`, which is 4h",
        ),
        (
            "relief = { SEV3 = \"13h\" }",
            "`relief_late` of SEV3 is 12h; it comes after `relief`, which is 13h",
        ),
        ("support = { SEV1 = \"1m\" }", "`support` lies between 2m and 24h"),
        ("support = { SEV9 = \"10m\" }", "`SEV9` is no severity of an incident"),
    ] {
        let said = said(SERVICE, &with(lines));
        assert!(said.contains(words), "{said}\n is not: {words}");
    }
}
