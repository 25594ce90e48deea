//! ARCHITECTURE.md and the rules of the house, as far as text can be read by a machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file of code, in lines. A taste, with room: beyond it a file is two things.
const LINES_MAX: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(under: &str, ends: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ends) {
                // Payloads of senders are not all text.
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.push((path.strip_prefix(root()).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(!found.is_empty(), "nothing under {under}");
    found.sort();
    found
}

/// Code that is shipped: what stands before the tests of a file, without comments.
fn shipped(under: &str) -> Vec<(String, String)> {
    files(under, ".rs")
        .into_iter()
        .map(|(path, text)| (path.to_str().unwrap().to_owned(), text))
        .filter(|(path, _)| !path.contains("stories") && !path.contains("simulation"))
        .map(|(path, text)| {
            let code = text.split("mod tests {").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            (path, lines.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

fn nobody(under: &str, banned: &[&str], except: &[&str], why: &str) {
    for (path, code) in shipped(under) {
        if except.contains(&path.as_str()) {
            continue;
        }
        for (number, line) in code.lines().enumerate() {
            for word in banned {
                assert!(!line.contains(word), "{path} (code line {}): {word}: {why}", number + 1);
            }
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_page_of_sources_is_what_the_program_says() {
    let said =
        std::process::Command::new(super::harness::binary()).args(["check", "--kinds"]).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said == read("docs/sources.md"), "onscene check --kinds > docs/sources.md");
}

#[test]
fn the_core_meets_nothing() {
    let banned = [
        "crate::store",
        "crate::http",
        "crate::config",
        "crate::channels",
        "crate::sources",
        "crate::commit",
    ]
    .into_iter()
    .chain([
        "crate::clock",
        "crate::metrics",
        "serde",
        "tokio",
        "std::fs",
        "std::net",
        "async fn",
        "Timestamp::now",
    ]);
    nobody(
        "src/core",
        &banned.collect::<Vec<_>>(),
        &[],
        "core decides: no sibling, no I/O, no async, no clock, no serde",
    );
}

#[test]
fn sources_and_channels_never_meet_the_store() {
    for edge in ["src/sources", "src/channels"] {
        nobody(
            edge,
            &["crate::store", "crate::commit", "rusqlite"],
            &[],
            "an edge does not know what is kept",
        );
    }
    nobody(
        "src/store",
        &["crate::commit", "crate::http", "crate::deliver", "crate::channels"],
        &[],
        "arrows point down",
    );
}

#[test]
fn only_the_store_speaks_sql_and_only_its_engine_the_library() {
    for part in ["core", "commit", "http", "channels", "sources", "config", "cli"] {
        nobody(
            &format!("src/{part}"),
            &["rusqlite", "select ", "insert into "],
            &[],
            "SQL lives in src/store",
        );
    }
}

#[test]
fn a_page_has_the_forms_that_people_send_from_one_place() {
    // `Acts` and `Sends` ask first who sends it, whether they may, and whether it is a form of theirs.
    let own = ["src/http/pages/login.rs", "src/http/pages/me.rs"];
    nobody("src/http/pages", &["body: Body", "Form("], &own, "take `Acts` of pages/me.rs instead");
    assert!(
        !read("src/http/pages.rs").contains("body: Body"),
        "src/http/pages.rs: take `Acts` of pages/me.rs instead"
    );
}

#[test]
fn one_clock_and_one_spawner() {
    let clock = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
    nobody("src", &clock, &["src/clock.rs"], "only clock.rs asks the hour");
    let spawn = ["tokio::spawn", "task::spawn(", "thread::spawn", "thread::Builder", "JoinSet::new"];
    // A connection is a task of the listener, counted by its tracker; workers run a few steps
    // of their own at the same time and end them themselves.
    let allowed =
        ["src/app.rs", "src/http/accept.rs", "src/http/connection.rs", "src/deliver.rs", "src/deadlines.rs"];
    nobody("src", &spawn, &allowed, "only app.rs starts work");
}

#[test]
fn nothing_that_is_shipped_panics_on_purpose() {
    nobody(
        "src",
        &[".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!("],
        &[],
        "say an error",
    );
}

#[test]
fn files_are_read_in_one_sitting() {
    for folder in ["src", "tests/it", "benches"] {
        for (path, text) in files(folder, ".rs") {
            let lines = text.lines().count();
            assert!(lines <= LINES_MAX, "{}: {lines} lines", path.display());
            assert!(text.starts_with("//!"), "{}: its head says what it is", path.display());
        }
    }
    assert!(read("ARCHITECTURE.md").lines().count() <= 200);
}

#[test]
fn every_metric_is_described_and_nothing_else_is_watched() {
    let known: BTreeSet<String> = words_beginning("onscene_", &read("src/metrics.rs"));
    let described = read("deploy/prometheus/README.md");
    for metric in &known {
        assert!(
            described.contains(&format!("`{metric}")),
            "deploy/prometheus/README.md does not describe {metric}"
        );
    }
    for watcher in ["deploy/prometheus/onscene.rules.yml", "deploy/grafana.json"] {
        for metric in words_beginning("onscene_", &read(watcher)) {
            let bare = ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end));
            assert!(
                known.contains(bare.unwrap_or(&metric)),
                "{watcher} watches {metric}, which there is not"
            );
        }
    }
}

fn words_beginning(start: &str, text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with(start) && word.len() > start.len())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_stands_in_the_readme() {
    let readme = read("README.md");
    for command in [
        "serve",
        "check",
        "send",
        "mail-in",
        "incident",
        "alert",
        "report",
        "silence",
        "condition",
        "oncall",
        "statement",
        "token",
        "export",
        "login-link",
        "session",
        "verify",
        "replay",
        "completions",
        "man",
    ] {
        assert!(readme.contains(&format!("onscene {command}")), "README.md does not show onscene {command}");
    }
    let verbs = "list show timeline declare ack note correct severity mitigate resolve reopen merge split import check-in en-route \
                 rest release decline offer withdraw request-command accept assume relieve heard assign give-back size-up objective \
                 plan report task end-task act end-act allow stop lift request end-request contact find meet";
    for verb in verbs.split_whitespace() {
        assert!(readme.contains(verb), "README.md does not show onscene incident {verb}");
    }
    for line in ["cargo run --release -- serve --config config/quickstart.toml", "tests/run"] {
        assert!(readme.lines().any(|shown| shown.trim() == line), "README.md does not show: {line}");
    }
}

#[test]
fn every_fixture_folder_has_an_owner_and_every_source_has_a_folder() {
    for (kind, names) in [
        ("sources", onscene::sources::KINDS.iter().map(|kind| kind.name).collect::<BTreeSet<_>>()),
        ("channels", onscene::channels::KINDS.iter().map(|kind| kind.name).collect()),
    ] {
        for entry in fs::read_dir(root().join("tests/fixtures").join(kind)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(names.contains(name.as_str()), "tests/fixtures/{kind}/{name} belongs to nobody");
        }
        for name in names {
            assert!(
                root().join(format!("tests/fixtures/{kind}/{name}")).is_dir(),
                "{kind}/{name} has no fixtures"
            );
            assert!(
                root().join(format!("src/{kind}/{}.rs", name.replace('-', "_"))).is_file(),
                "{kind}/{name} has no file of its own"
            );
        }
    }
}

#[test]
fn what_builds_the_store_travels_with_the_sources() {
    assert!(
        read(".cargo/config.toml").contains("-DHAVE_FDATASYNC=1"),
        "commits would wait for the hour of the file"
    );
    assert!(read("deploy/Dockerfile").contains("COPY .cargo .cargo"), "the image would be built without it");
}

#[test]
fn no_place_of_one_machine_stands_in_the_sources() {
    for (path, text) in
        ["src", "tests", "benches", "config", "deploy", "systemd"].into_iter().flat_map(|at| files(at, ""))
    {
        for place in ["/home/", "/root/", "/work/", "/tmp/"] {
            let said = text.replace("/home/maya/", "");
            let own = path.ends_with("tidy.rs");
            assert!(own || !said.contains(place), "{}: {place}", path.display());
        }
    }
}
