//! What must not be said, by the command that looks at a text: no daemon, only the configuration.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::harness::binary;

/// A house with lists, in a directory of its own.
fn house(customers: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let quick = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quickstart.toml"));
    let lists = "[disclosure]\nhosts_file = \"inventory\"\ncustomers_file = \"customers\"\npublic_hosts = [\"www.example.com\"]\n";
    std::fs::write(directory.path().join("onscene.toml"), format!("{}\n{lists}", quick.unwrap())).unwrap();
    std::fs::write(directory.path().join("inventory"), "[web]\nheimdall ansible_host=10.0.0.7\n").unwrap();
    std::fs::write(directory.path().join("customers"), customers).unwrap();
    directory
}

fn lint(directory: &Path, more: &[&str], text: &[u8]) -> Output {
    let config = directory.join("onscene.toml");
    let mut child = Command::new(binary())
        .args(["statement", "lint", "--config"])
        .arg(config)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_text_is_looked_at_without_a_daemon() {
    let house = house("Nordwind Bank\n");
    let clean =
        lint(house.path(), &["--audience", "public"], b"Some orders are slow. We are looking into it.\n");
    assert_eq!((clean.status.code(), words(&clean.stdout)), (Some(0), String::new()));
    assert!(words(&clean.stderr).contains("nothing was found"), "{}", words(&clean.stderr));
    let leak =
        "Orders are slow.\nHe\u{456}mdall is restarted for nordwind-bank; see https://www.example.com/x.\n";
    let found = lint(house.path(), &["--audience", "public"], leak.as_bytes());
    assert_eq!(found.status.code(), Some(1));
    let shown = words(&found.stdout);
    assert!(
        shown.starts_with("2:1: host (a second person must allow it): \"He\u{456}mdall\"\n  "),
        "{shown}"
    );
    assert!(shown.contains("2:27: customer (a second person must allow it): \"nordwind-bank\""), "{shown}");
    assert!(!shown.contains("url"), "{shown}");
    let inside = lint(house.path(), &["--audience", "internal"], leak.as_bytes());
    assert_eq!(inside.status.code(), Some(0), "a customer is only pointed at");
}

#[test]
fn what_is_found_is_printed_for_programs_too() {
    let house = house("Nordwind Bank\n");
    let file = house.path().join("draft.txt");
    std::fs::write(&file, "Fixed by 15:30 UTC.").unwrap();
    let arguments =
        ["--audience", "public", "--json", "--subject", "INC-42: slow", "--incident", "42", "--file"];
    let arguments: Vec<&str> = arguments.into_iter().chain([file.to_str().unwrap()]).collect();
    let told: Value = serde_json::from_slice(&lint(house.path(), &arguments, b"").stdout).unwrap();
    assert_eq!((&told["stopped"], &told["audience"]), (&json!(true), &json!("public")));
    let rules: Vec<&str> =
        told["findings"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["ticket", "repair"]);
    assert_eq!(
        (&told["findings"][1]["text"], &told["findings"][1]["line"]),
        (&json!("by 15:30 UTC"), &json!(1))
    );
    let promised = lint(
        house.path(),
        &["--audience", "public", "--next", "Next update by 15:30 UTC."],
        b"We are on it. Next update by 15:30 UTC.",
    );
    assert_eq!(promised.status.code(), Some(0));
}

#[test]
fn what_is_wrong_has_an_exit_code_of_its_own() {
    let house = house("Nordwind Bank\n--\n");
    let told = lint(house.path(), &["--audience", "public"], b"x");
    assert_eq!(told.status.code(), Some(64));
    let shown = words(&told.stderr);
    assert!(shown.contains("customers:2: ") && !shown.contains("Nordwind"), "{shown}");
    let house = self::house("Nordwind Bank\n");
    assert_eq!(lint(house.path(), &["--audience", "public"], b"\xff\xfe").status.code(), Some(65));
    let long = vec![b'a'; 300 * 1024];
    assert_eq!(lint(house.path(), &["--audience", "public"], &long).status.code(), Some(65));
    assert_eq!(lint(house.path(), &["--audience", "everybody"], b"x").status.code(), Some(2));
    assert_eq!(lint(house.path(), &["--audience", "public", "--file", "/none"], b"").status.code(), Some(65));
    std::fs::remove_file(house.path().join("customers")).unwrap();
    assert_eq!(lint(house.path(), &["--audience", "public"], b"x").status.code(), Some(64));
}
