//! Command by the commands: what they say, with which exit code, and what was said elsewhere and is put on the timeline.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::command::Night;
use super::harness::binary;

#[test]
fn a_night_by_the_commands_alone() {
    let night = Night::begins(&super::command::house());
    night.says("maya", &["en-route", "1", "--in", "10m"]);
    let shown = night.says("maya", &["check-in", "1"]);
    assert!(shown.contains("  Commander     maya (term 1, since "), "{shown}");
    assert!(shown.contains("  Safety        the Commander, maya"), "{shown}");
    night.says("tom", &["en-route", "1", "--eta", "02:40"]);
    assert!(night.says("kim", &["show", "1"]).contains("  responder     tom: en route, expected at "));
    night.says("tom", &["check-in", "1"]);
    night.says("maya", &["size-up", "1", "both balancers are master"]);
    night.says("maya", &["objective", "1", "one master"]);
    night.says("maya", &["plan", "1", "stop one"]);
    night.says("maya", &["report", "1", "worse", "two sites more"]);
    night.says("maya", &["assign", "1", "safety", "tom"]);
    night.says("tom", &["accept", "1", "--office", "safety"]);
    night.says("maya", &["assign", "1", "scribe", "kim"]);
    night.says("kim", &["decline", "1", "--office", "scribe", "--reason", "I am the PIO"]);
    night.says("maya", &["task", "1", "tom", "read the log of lb1", "--limit", "20m"]);
    night.says("maya", &["allow", "1", "2"]);
    night.says("maya", &["act", "1", "stop keepalived", "--where", "lb1", "--undo", "start it"]);
    night.says("maya", &["request", "1", "--capability", "dns", "--why", "look at the records"]);
    night.says(
        "maya",
        &["contact", "1", "the host", "--ticket", "4711", "--promised", "30m", "--text", "they look"],
    );
    night.says("tom", &["find", "1", "vpn", "--ok", "pings", "--known-at", "10m"]);
    night.says("tom", &["find", "1", "lb1", "--bad"]);
    night.says("maya", &["meet", "1", "the kitchen", "--reason", "the bridge is down"]);
    night.says("tom", &["severity", "1", "sev1", "--reason", "all sites"]);
    night.says("tom", &["correct", "1", "3", "it was lb2"]);
    let shown = night.says("tom", &["show", "1"]);
    for words in [
        "INC-1 SEV1 acknowledged",
        "  size-up       both balancers are master (maya, ",
        "  objective     one master (maya, ",
        "  plan          stop one (maya, ",
        "  progress      worse: two sites more (maya, ",
        "  Safety        tom\n",
        "  Scribe        the Commander, maya\n",
        "  task          1 tom, by ",
        "  change        1 stop keepalived at lb1 (maya, since ",
        "; to undo it: start it\n",
        "  request       1 capability dns: look at the records (requested; paged: lee)\n",
        "  outside       the host, ticket 4711, back by ",
        "  found         vpn works, ruled out: pings (tom, known since ",
        "  found         lb1 is bad (tom, known since ",
        "  responder     tom: assigned\n",
        "the kitchen",
    ] {
        assert!(shown.contains(words), "{words:?} in {shown}");
    }
    night.says("maya", &["end-act", "1", "1", "it answers", "--how", "rolled-back"]);
    night.says("tom", &["end-task", "1", "1"]);
    night.says("maya", &["end-request", "1", "1"]);
    night.says("tom", &["request-command", "1"]);
    night.says("maya", &["offer", "1", "tom", "--reason", "I am tired"]);
    night.says("maya", &["withdraw", "1"]);
    night.says("maya", &["offer", "1", "tom"]);
    // What is accepted is what was printed, beside the answer.
    let accepted = night.command("tom", &["accept", "1", "--yes"]);
    let (brief, answer) = (&accepted.stderr, &accepted.stdout);
    assert!(accepted.status.success(), "{accepted:?}");
    assert!(String::from_utf8_lossy(brief).contains("  objective     one master"), "{accepted:?}");
    assert!(
        String::from_utf8_lossy(brief).contains("  offer         to tom (by maya, until "),
        "{accepted:?}"
    );
    assert!(String::from_utf8_lossy(answer).contains("  Commander     tom (term 2, "), "{accepted:?}");
    assert!(String::from_utf8_lossy(answer).contains("  not aware     maya\n"), "{accepted:?}");
    night.says("maya", &["heard", "1"]);
    night.says("cto", &["relieve", "1", "maya", "--reason", "twelve hours are enough"]);
    night.says("maya", &["accept", "1"]);
    night.says("tom", &["rest", "1"]);
    night.says("tom", &["check-in", "1"]);
    night.says("tom", &["give-back", "1", "safety"]);
    night.says("maya", &["release", "1", "tom"]);
    night.says("maya", &["mitigate", "1", "--unexplained"]);
    night.says("maya", &["resolve", "1", "--early", "it was a drill of our own"]);
    let timeline = night.says("kim", &["timeline", "1"]);
    assert!(timeline.contains("correction of entry 3: it was lb2"), "{timeline}");
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn refusals_say_why_and_words_that_are_not_meant_are_usage() {
    let night = Night::is_manned();
    for (who, arguments, why) in [
        ("tom", &["objective", "1", "x"][..], "maya has command (term 1)"),
        ("maya", &["offer", "1", "tom", "--term", "7"], "maya has command (term 1)"),
        ("maya", &["offer", "1", "kim"], "kim is not on scene"),
        ("tom", &["accept", "1"], "nothing that you were offered is open"),
        ("tom", &["assume", "1"], "is on scene and is heard of"),
        ("tom", &["stop", "1", "no backup"], "the Safety Officer stops changes"),
        ("maya", &["request", "1", "--capability", "bgp", "--why", "x"], "there are dns"),
        ("maya", &["act", "1", " "], "what is changed is empty"),
        ("maya", &["resolve", "9"], "there is no incident 9"),
    ] {
        let (code, said) = night.fails(who, arguments);
        assert_eq!(code, 1, "{arguments:?}: {said}");
        assert!(said.starts_with("onscene: ") && said.contains(why), "{arguments:?}: {said}");
    }
    for arguments in [
        &["assign", "1", "captain", "tom"][..],
        &["report", "1", "fine"],
        &["request", "1", "--why", "x"],
        &["request", "1", "--person", "tom", "--rotation", "sre", "--why", "x"],
        &["find", "1", "vpn"],
        &["find", "1", "vpn", "--ok", "--bad"],
        &["meet", "1"],
        &["en-route", "1", "--eta", "soon"],
        &["en-route", "1", "--eta", "02:40", "--in", "10m"],
        &["end-act", "1", "1", "--how", "perhaps"],
        &["resolve", "1", "--false-alarm", "--early", "x"],
        &["severity", "1", "SEV9", "--reason", "x"],
    ] {
        let (code, said) = night.fails("maya", arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
    }
    // A brief that is old is not accepted, also when it is named.
    night.says("maya", &["offer", "1", "tom"]);
    let old = night.incident()["brief"].to_string();
    night.says("maya", &["size-up", "1", "both are master"]);
    let (code, said) = night.fails("tom", &["accept", "1", "--brief", &old]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the situation has moved since you read the brief"), "{said}");
    night.says("tom", &["accept", "1"]);
}

#[test]
fn what_was_said_elsewhere_is_on_the_timeline_with_its_own_hours_and_once() {
    let night = Night::is_manned();
    let file = night.daemon.directory.join("chat.txt");
    let chat = "2026-11-23T02:14:00Z tom: both are master\n2026-11-23T02:14:00Z kim: which?\n  lb1 and lb2\n\
                2026-11-23T02:13:30Z lee: names are fine\n";
    std::fs::write(&file, chat).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(night.says("tom", &["import", "1", file]), "3 written, 0 known already\n");
    assert_eq!(night.says("maya", &["import", "1", file]), "0 written, 3 known already\n");
    // What was cut off in the middle goes on.
    std::fs::write(file, format!("{chat}2026-11-23T02:15:00Z tom: I stop lb2\n")).unwrap();
    let told = night.says("tom", &["--json", "import", "1", file]);
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), json!({"written": 1, "known": 3}));
    // A mail comes by standard input.
    let mail = "From: Tom Berg <tom@example.net>\r\nDate: Mon, 23 Nov 2026 03:20:00 +0100\r\nSubject: balancers\r\n\r\nlb2 is stopped.\r\n";
    let mut child = Command::new(binary())
        .args(["incident", "import", "1", "-", "--config"])
        .arg(&night.daemon.config)
        .env("ONSCENE_TOKEN", &night.tokens["kim"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout),
        "1 written, 0 known already\n"
    );
    let notes: Vec<(String, String)> = night
        .entries()
        .iter()
        .filter(|entry| entry["kind"] == "note")
        .map(|entry| {
            let word = |name: &str| entry[name].as_str().unwrap().to_owned();
            (word("occurred_at"), word("text"))
        })
        .collect();
    let notes: Vec<(&str, &str)> = notes.iter().map(|(at, text)| (at.as_str(), text.as_str())).collect();
    assert_eq!(
        notes,
        [
            ("2026-11-23T02:14:00Z", "tom: both are master"),
            ("2026-11-23T02:14:00Z", "kim: which?\nlb1 and lb2"),
            ("2026-11-23T02:13:30Z", "lee: names are fine"),
            ("2026-11-23T02:15:00Z", "tom: I stop lb2"),
            ("2026-11-23T02:20:00Z", "mail of tom@example.net, balancers: lb2 is stopped."),
        ]
    );
    // Nothing is sent of what cannot all be read.
    std::fs::write(file, "2026-11-23T02:16:00Z tom: x\nand so on\n").unwrap();
    let (code, said) = night.fails("tom", &["import", "1", file]);
    assert_eq!(code, 65, "{said}");
    assert!(
        said.contains("line 2 does not begin with its hour") && said.contains("nothing was sent"),
        "{said}"
    );
    assert_eq!(night.kinds().iter().filter(|kind| *kind == "note").count(), 5);
    assert!(night.daemon.verify().contains("whole"));
}
