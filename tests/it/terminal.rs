//! What people see at a terminal: numbers and hours of a timeline, hours and words as they write them, long timelines, progress.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};
use serde_json::{Value, json};

use super::command::Night;
use super::harness::{binary, program, request};

/// The newest note: letters that leave become entries behind it.
fn note(night: &Night) -> Value {
    night.entries().into_iter().rfind(|entry| entry["kind"] == "note").unwrap()
}

#[test]
fn a_timeline_shows_what_correct_asks_for_and_both_hours() {
    let night = Night::is_manned();
    night.does("tom", "note", &json!({"text": "both are master", "occurred_at": "2026-11-28T02:14:00Z"}));
    let entries = night.entries();
    let printed = night.says("kim", &["timeline", "1"]);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines.len() >= entries.len());
    for (line, entry) in lines.iter().zip(&entries) {
        let number = line.split_whitespace().next().unwrap();
        assert_eq!(number, entry["seq"].to_string(), "{line}");
    }
    let line = lines.iter().find(|line| line.contains("both are master")).unwrap();
    assert!(line.contains(" (happened 2026-11-28T02:14:00Z)  tom "), "{line}");
    assert_eq!(printed.matches("happened").count(), 1, "{printed}");
    // A page says both, too.
    let cookie = night.daemon.cookie(&night.tokens["kim"]);
    let page = request(night.daemon.address, "GET", "/incidents/1", &[("Cookie", &cookie)], b"").unwrap();
    let recorded = note(&night)["at"].as_str().unwrap()[..19].replace('T', " ");
    assert!(page.body.contains("2026-11-28 02:14:00 UTC</time>"), "{}", page.body);
    assert!(page.body.contains(&format!("(recorded {recorded} UTC) tom:")), "{}", page.body);
    assert_eq!(page.body.matches("(recorded ").count(), 1);
    // What is shown is what is asked for.
    let number = line.split_whitespace().next().unwrap();
    night.says("tom", &["correct", "1", number, "only lb1 is"]);
    let corrected = format!("correction of entry {number}: only lb1 is");
    assert!(night.says("kim", &["timeline", "1"]).contains(&corrected));
}

#[test]
fn hours_are_written_as_people_write_them_and_words_may_begin_with_a_hyphen() {
    let night = Night::is_manned();
    let occurred = |arguments: &[&str]| -> Timestamp {
        night.says("tom", arguments);
        note(&night)["occurred_at"].as_str().unwrap().parse().unwrap()
    };
    let ago = |at: Timestamp| at.duration_until(Timestamp::now()).as_mins();
    assert_eq!(ago(occurred(&["note", "1", "-5V rail dead", "--occurred-at", "20m ago"])), 20);
    assert_eq!(note(&night)["data"]["text"], "-5V rail dead");
    let here = Zoned::now() - SignedDuration::from_mins(90);
    let of_day = here.strftime("%H:%M").to_string();
    assert!((90..=92).contains(&ago(occurred(&["note", "1", "x", "--occurred-at", &of_day]))), "{of_day}");
    let whole = here.strftime("%Y-%m-%dT%H:%M").to_string();
    assert!((90..=92).contains(&ago(occurred(&["note", "1", "x", "--occurred-at", &whole]))), "{whole}");
    night.says("tom", &["find", "1", "vpn", "--ok", "pings", "--known-at", "20m ago"]);
    assert!(night.says("tom", &["list", "--since", "2h ago"]).contains("INC-1"));
    let (code, said) = night.fails("tom", &["note", "1", "x", "--occurred-at", "yesterday"]);
    assert!(code == 2 && said.contains("20m ago"), "{code}: {said}");
    let (code, said) = night.fails("tom", &["note", "1", "--sever", "http://there", "x"]);
    assert!(code == 2 && said.contains("unexpected argument '--sever'"), "{code}: {said}");

    // Whoever means tonight is told that it is tomorrow.
    let over = (Zoned::now() - SignedDuration::from_mins(1)).strftime("%H:%M").to_string();
    let task = night.command("maya", &["task", "1", "tom", "look", "--limit", &over]);
    let said = String::from_utf8_lossy(&task.stderr);
    assert!(task.status.success() && said.contains(&format!("the next {over} is ")), "{task:?}");
    assert!(said.contains("in 23 h 5"), "{said}");
    let task = night.command("maya", &["task", "1", "tom", "look", "--limit", "20m"]);
    assert!(task.status.success() && task.stderr.is_empty(), "{task:?}");
    let help = night.says("tom", &["--help"]);
    assert!(!help.contains("end all changes") && help.contains("nothing further may be changed"), "{help}");
}

#[test]
fn a_timeline_of_long_entries_is_shown_whole_and_goes_on_being_written() {
    // More than one answer may have, in as many entries as one could.
    const NOTES: usize = 720;
    let night = Night::is_manned();
    let long = "x".repeat(11_900);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (night, long) = (&night, &long);
            scope.spawn(move || {
                for n in (writer..NOTES).step_by(8) {
                    night.does("tom", "note", &json!({"text": format!("{n} {long}")}));
                }
            });
        }
    });
    let printed = night.says("kim", &["timeline", "1"]);
    assert_eq!(printed.matches(&long).count(), NOTES);
    let file = night.daemon.directory.join("chat.txt");
    std::fs::write(&file, "2026-11-23T02:14:00.123456789Z tom: both are master\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(night.says("tom", &["import", "1", file]), "1 written, 0 known already\n");
    assert_eq!(night.says("tom", &["import", "1", file]), "0 written, 1 known already\n");
}

/// Something that answers at the place of a daemon as it is told to, one request a connection.
fn stands_in(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            answer(&line, &mut stream);
        }
    });
    address
}

fn answers(stream: &mut TcpStream, kind: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _gone = stream.write_all(format!("{head}{body}").as_bytes());
}

fn asks(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).args(["--server", &format!("http://{address}")]);
    command.env("ONSCENE_TOKEN", "a-token").env_remove("ONSCENE_CONFIG").stdin(Stdio::null());
    command
}

#[test]
fn an_answer_that_is_too_long_is_called_so() {
    let address = stands_in(|_, stream| {
        let body = json!({"entries": [{"seq": 1, "text": "x".repeat(17 * 1024 * 1024)}]}).to_string();
        answers(stream, "application/json", &body);
    });
    let output: Output = asks(address, &["incident", "timeline", "1"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is too long") && !said.contains("cannot be reached"), "{said}");
}

/// The command at a terminal, of which what it prints goes elsewhere; what the terminal showed.
fn at_a_terminal(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let output = Command::new(program(&["script"]))
        .args(["-qec", &format!("{} >/dev/null", line.join(" ")), "/dev/null"])
        .env("ONSCENE_TOKEN", "a-token")
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    said
}

#[test]
fn what_takes_long_shows_how_far_it_is() {
    let address = stands_in(|line, stream| {
        if line.contains("/timeline") {
            answers(stream, "application/json", &json!({"entries": []}).to_string());
        } else if line.contains("/export") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            for _ in 0..30 {
                std::thread::sleep(Duration::from_millis(100));
                if stream.write_all(&[b' '; 4096]).is_err() {
                    return;
                }
            }
        } else {
            std::thread::sleep(Duration::from_millis(100));
            answers(stream, "application/json", &Value::from(1).to_string());
        }
    });
    let owned = tempfile::tempdir().unwrap();
    let file = owned.path().join("chat.txt");
    let chat: String = (10..40).map(|n| format!("2026-11-23T02:14:{n}Z tom: line {n}\n")).collect();
    std::fs::write(&file, chat).unwrap();
    let said = at_a_terminal(&asks(address, &["incident", "import", "1", file.to_str().unwrap()]));
    assert!(said.contains(" lines, "), "{said:?}");
    let said = at_a_terminal(&asks(address, &["export", "1", "--form", "json"]));
    assert!(said.contains(" KiB taken, "), "{said:?}");
    // What is soon done shows nothing.
    let chat = "2026-11-23T02:14:00Z tom: one line\n";
    std::fs::write(&file, chat).unwrap();
    let said = at_a_terminal(&asks(address, &["incident", "import", "1", file.to_str().unwrap()]));
    assert_eq!(said, "");
}
