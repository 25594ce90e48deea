//! Stories of sites: in a directory, and in a bucket whose store answers as S3 does.

use super::super::stories::{build, json_answer, parcel, receiver, statement};
use super::*;
use crate::core::voice::{Impact, Phase, Sort};
use crate::public::{PublicIncident, PublicStatement, Said, Shown, write};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_400_000 + second).unwrap()
}

/// Files of these incidents, each with one statement: its key, its id and its words.
fn files(made: i64, told: &[(&str, &str, &str)]) -> Arc<Files> {
    let incident = |(key, id, text): &(&str, &str, &str)| PublicIncident {
        key: (*key).into(),
        title: "Online shop: payments fail".into(),
        components: Vec::new(),
        impact: Impact::Major,
        phase: Phase::Identified,
        began: at(-600),
        ended: None,
        statements: vec![PublicStatement {
            id: (*id).into(),
            key: format!("s{key}"),
            sort: Sort::Update,
            phase: Phase::Identified,
            impact: Impact::Major,
            components: Vec::new(),
            said: Said::Text((*text).into()),
            at: at(0),
            next_by: None,
            mends: None,
        }],
    };
    let shown = Shown {
        title: "Status".into(),
        url: Some("https://status.example.net".into()),
        contact: None,
        subscribe: None,
        made_at: at(made),
        components: Vec::new(),
        incidents: told.iter().map(incident).collect(),
        maintenance: Vec::new(),
    };
    Arc::new(write(&shown, false, None).unwrap())
}

fn site(channel: Channel, files: &Arc<Files>) -> Site {
    let Channel::Site(site) = channel else { panic!("it is a site") };
    site.newest.swap(files.clone());
    site
}

fn in_directory(directory: &std::path::Path, files: &Arc<Files>) -> Site {
    let texts = [("directory", directory.to_str().unwrap())];
    site(build(&KIND, &texts, &[]).unwrap(), files)
}

fn in_bucket(url: &str, files: &Arc<Files>) -> Site {
    let texts = [
        ("bucket", "status"),
        ("endpoint", url),
        ("access_key_id", "AKIAIOSFODNN7EXAMPLE"),
        ("prefix", "page"),
        ("private_addresses", "allow"),
    ];
    site(build(&KIND, &texts, &[("secret_key", "not-a-real-secret-0123")]).unwrap(), files)
}

const NONE: &str =
    "HTTP/1.1 404 Not Found\r\nContent-Length: 37\r\n\r\n<Error><Code>NoSuchKey</Code></Error>";

fn fixture(name: &str) -> &'static str {
    let path = format!("{}/tests/fixtures/channels/site/{name}.xml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().leak()
}

/// A store that answers as S3 does: it keeps what is put, gives it, and takes a connection beside another.
#[derive(Clone, Default)]
struct Store(Arc<std::sync::Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, String>,
    /// Every request: its line, its head and its body.
    seen: Vec<(String, String, String)>,
    /// The answer to the put of this number is lost, after it was done.
    loses: Option<usize>,
    conditions: Conditions,
    /// xorshift64: how long others come before a request; none where it is zero.
    dice: u64,
}

/// What a store makes of `If-Match` and `If-None-Match` with a put.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Conditions {
    /// As the Amazon S3 User Guide has it ("conditional writes").
    #[default]
    Kept,
    Ignored,
    /// 501, as some stores say that are like it.
    Unknown,
    /// It calls every object by another tag than the one it compares with, as behind a proxy that packs.
    Wrong,
}

impl Kept {
    fn waits(&mut self) -> u64 {
        if self.dice == 0 {
            return 0;
        }
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % 12
    }

    /// Whether a put may go on; else what is answered.
    fn may_put(&self, path: &str, head: &str) -> Result<(), &'static str> {
        let (only, none) = (header(head, "if-match"), header(head, "if-none-match"));
        let there = self.objects.get(path).map(|body| tag_of(body));
        match self.conditions {
            _ if only.is_empty() && none.is_empty() => Ok(()),
            Conditions::Ignored => Ok(()),
            Conditions::Unknown => Err("501 Not Implemented"),
            Conditions::Wrong => Err("412 Precondition Failed"),
            Conditions::Kept if none == "*" && there.is_some() => Err("412 Precondition Failed"),
            Conditions::Kept if !only.is_empty() && there.is_none() => Err("404 Not Found"),
            Conditions::Kept if !only.is_empty() && there != Some(only) => Err("412 Precondition Failed"),
            Conditions::Kept => Ok(()),
        }
    }
}

fn tag_of(body: &str) -> String {
    format!("\"{}\"", &crate::crypto::hex(&crate::crypto::sha256(body.as_bytes()))[..32])
}

impl Store {
    #[allow(clippy::disallowed_methods, reason = "a test's own server")]
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let store = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(store.clone().speak(stream));
            }
        });
        url
    }

    async fn speak(self, mut stream: tokio::net::TcpStream) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut bytes = Vec::new();
        loop {
            let end = loop {
                let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
                if let Some(end) = end {
                    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    let length: usize = length.map_or(0, |length| length.parse().unwrap());
                    if bytes.len() >= end + 4 + length {
                        break (end, end + 4 + length);
                    }
                }
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    return;
                }
            };
            let head = String::from_utf8_lossy(&bytes[..end.0]).into_owned();
            let body = String::from_utf8_lossy(&bytes[end.0 + 4..end.1]).into_owned();
            bytes.drain(..end.1);
            let waits = self.0.lock().unwrap().waits();
            for _ in 0..waits {
                tokio::task::yield_now().await;
            }
            let Some(answer) = self.answer(head, body) else { return };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, head: String, body: String) -> Option<String> {
        let line = head.lines().next().unwrap_or_default().to_owned();
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
        let mut kept = self.0.lock().unwrap();
        kept.seen.push((line.clone(), head.clone(), body.clone()));
        let with = |status: &str, body: &str| {
            Some(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
        };
        match method {
            "PUT" => {
                if let Err(status) = kept.may_put(&path, &head) {
                    return with(status, "<Error><Code>PreconditionFailed</Code></Error>");
                }
                kept.objects.insert(path, body);
                let puts = kept.seen.iter().filter(|(line, ..)| line.starts_with("PUT ")).count();
                if kept.loses == Some(puts) { None } else { with("200 OK", "") }
            }
            "DELETE" => {
                kept.objects.remove(&path);
                Some("HTTP/1.1 204 No Content\r\n\r\n".into())
            }
            _ => match kept.objects.get(&path) {
                Some(body) => with(&format!("200 OK\r\nETag: {}", tag_of(body)), body),
                None => with("404 Not Found", fixture("no_key")),
            },
        }
    }

    fn objects(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap().objects.clone()
    }

    fn seen(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut self.0.lock().unwrap().seen)
    }
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")));
    line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_directory_has_the_newest_files_and_none_that_are_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path();
    std::fs::write(own.join("robots.txt"), "the operator's own").unwrap();
    let first = files(0, &[("aa", "42-3", "Some payments fail."), ("bb", "41-1", "All is slow.")]);
    let site = in_directory(own, &first);
    assert_eq!(site.send(&statement(1)).await, Outcome::Accepted { remote_id: None });
    for (path, file) in first.all() {
        let name = directory::name(path, file);
        assert_eq!(std::fs::read(own.join(&name)).unwrap(), file.bytes, "{name}");
    }
    let written = |name: &str| std::fs::metadata(own.join(name)).unwrap().modified().unwrap();
    let before = written("history/index.html");
    let second = files(60, &[("aa", "42-3", "Some payments fail.")]);
    site.newest.swap(second.clone());
    assert_eq!(site.send(&statement(2)).await, Outcome::Accepted { remote_id: None });
    assert!(!own.join("incidents/bb").exists() && own.join("incidents/aa/index.html").exists());
    assert!(own.join("robots.txt").exists(), "it is not ours");
    let page = std::fs::read(own.join("index.html")).unwrap();
    assert_eq!(page, second.get("/").unwrap().bytes);
    assert_ne!(before, written("history/index.html"), "it is another: an incident is gone from it");
    let kept = written("incidents/aa/index.html");
    assert_eq!(site.send(&statement(3)).await, Outcome::Accepted { remote_id: None });
    assert_eq!(kept, written("incidents/aa/index.html"), "what is there already is not written again");
    let hidden = |path: &std::path::Path| {
        std::fs::read_dir(path)
            .unwrap()
            .filter_map(|one| one.unwrap().file_name().into_string().ok())
            .any(|name| name.ends_with(".new"))
    };
    assert!(!hidden(own) && !hidden(&own.join("incidents/aa")));
}

#[tokio::test]
async fn a_statement_waits_until_it_stands_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let site = in_directory(directory.path(), &files(0, &[("bb", "41-1", "All is slow.")]));
    let outcome = site.send(&statement(1)).await;
    assert!(
        matches!(&outcome, Outcome::Wait { after: Some(after), .. } if after.as_secs() == 2),
        "{outcome:?}"
    );
    assert!(!directory.path().join("index.html").exists(), "nothing is claimed that is not so");
    assert_eq!(site.send(&parcel(1)).await.as_str(), "refused", "it takes statements only");
}

#[tokio::test]
async fn what_another_node_brought_later_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (files(0, &[("aa", "42-3", "old")]), files(60, &[("aa", "42-3", "new")]));
    in_directory(directory.path(), &new).bring(&new, at(61)).await.unwrap();
    let late = in_directory(directory.path(), &old);
    late.bring(&old, at(62)).await.unwrap();
    assert_eq!(late.send(&statement(1)).await, Outcome::Accepted { remote_id: None });
    let page = std::fs::read(directory.path().join("index.html")).unwrap();
    assert_eq!(page, new.get("/").unwrap().bytes);
    // What is newer and does not have the statement gives way.
    let without = files(120, &[("bb", "41-1", "x")]);
    in_directory(directory.path(), &without).bring(&without, at(121)).await.unwrap();
    assert_eq!(late.send(&statement(2)).await, Outcome::Accepted { remote_id: None });
    assert_eq!(std::fs::read(directory.path().join("index.html")).unwrap(), old.get("/").unwrap().bytes);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_waited_for() {
    let site = in_directory(std::path::Path::new("/nonexistent/status"), &files(0, &[("aa", "42-3", "x")]));
    let outcome = site.send(&statement(1)).await;
    assert_eq!(outcome.as_str(), "wait", "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_somebody_else_has_locked_is_waited_for_and_not_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let told = files(0, &[("aa", "42-3", "x")]);
    let site = in_directory(directory.path(), &told);
    let lock = std::fs::File::create(directory.path().join(".onscene.lock")).unwrap();
    lock.lock().unwrap();
    let outcome = site.send(&statement(1)).await;
    assert!(matches!(&outcome, Outcome::Wait { why, .. } if why.contains("locked")), "{outcome:?}");
    let again = statement(2);
    let (outcome, ()) = tokio::join!(site.send(&again), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lock.unlock().unwrap();
    });
    assert_eq!(outcome, Outcome::Accepted { remote_id: None });
}

#[tokio::test]
async fn a_disk_that_never_answers_keeps_one_attempt_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    // Whoever opens it to write waits until somebody reads: so hangs a disk that is away.
    let lock = directory.path().join(".onscene.lock");
    assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
    let told = files(0, &[("aa", "42-3", "x")]);
    let mut site = in_directory(directory.path(), &told);
    site.patience = Duration::from_millis(200);
    let first = site.send(&statement(1)).await;
    let others = [site.send(&statement(2)).await, site.send(&statement(3)).await];
    // It comes back: who hung there is the one who goes on.
    let _reader = tokio::task::spawn_blocking(move || std::fs::File::open(lock).unwrap()).await.unwrap();
    assert!(matches!(&first, Outcome::Unknown { why } if why.contains("does not answer")), "{first:?}");
    for outcome in &others {
        assert!(matches!(outcome, Outcome::Wait { why, .. } if why.contains("at it still")), "{outcome:?}");
    }
    site.patience = DIRECTORY_DEADLINE;
    assert_eq!(site.send(&statement(4)).await, Outcome::Accepted { remote_id: None });
    assert!(directory.path().join("index.html").exists());
}

#[tokio::test]
async fn a_bucket_gets_each_file_signed_and_with_its_headers() {
    let told = files(0, &[("aa", "42-3", "Some payments fail.")]);
    let store = Store::default();
    let site = in_bucket(&store.start().await, &told);
    assert_eq!(site.send(&statement(1)).await, Outcome::Accepted { remote_id: None });
    let seen = store.seen();
    assert_eq!(seen[0].0, "GET /status/page/.onscene-site.json HTTP/1.1");
    let line = |name: &str| format!("PUT /status/page/{name} HTTP/1.1");
    let of = |name: &str, header_name: &str| {
        let found = seen.iter().find(|(one, ..)| *one == line(name)).unwrap_or_else(|| panic!("{name}"));
        header(&found.1, header_name)
    };
    assert_eq!(of("index.html", "content-type"), "text/html; charset=utf-8");
    assert_eq!(of("history", "content-type"), "text/html; charset=utf-8");
    assert_eq!(of("feed.atom", "content-type"), "application/atom+xml; charset=utf-8");
    assert!(of("status.json", "cache-control").starts_with("public, max-age=30"));
    assert_eq!(seen.last().unwrap().0, line(".onscene-site.json"), "it says what is there, so it comes last");
    assert_eq!(seen[1].0, line("incidents/aa"), "what is linked to is there first");
    assert_eq!(seen.len(), told.all().count() + 3, "the manifest is read before and after, and written");
    for (line, head, body) in &seen {
        let proof = header(head, "authorization");
        assert!(proof.starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/2026"), "{proof}");
        assert!(!format!("{line}{head}{body}").contains("not-a-real-secret"));
        let hash = crate::crypto::hex(&crate::crypto::sha256(body.as_bytes()));
        assert_eq!(header(head, "x-amz-content-sha256"), hash);
    }
    for (path, file) in told.all() {
        let name = match path {
            "/" => "index.html",
            "/nothing-here" => "404.html",
            path => path.trim_start_matches('/'),
        };
        assert_eq!(store.objects()[&format!("/status/page/{name}")].as_bytes(), &file.bytes[..], "{path}");
    }
}

#[tokio::test]
async fn a_bucket_gets_only_what_changed_and_loses_what_is_no_more() {
    let store = Store::default();
    let url = store.start().await;
    store.0.lock().unwrap().objects.insert("/status/page/robots.txt".into(), "the operator's own".into());
    let site = in_bucket(&url, &files(0, &[("aa", "42-3", "x"), ("bb", "41-1", "y")]));
    assert_eq!(site.send(&statement(1)).await, Outcome::Accepted { remote_id: None });
    store.seen();
    assert_eq!(site.send(&statement(2)).await, Outcome::Accepted { remote_id: None });
    let lines: Vec<String> = store.seen().into_iter().map(|(line, ..)| line).collect();
    assert_eq!(lines.len(), 3, "nothing changed: the manifest is read, read again, and written: {lines:?}");
    site.newest.swap(files(60, &[("aa", "42-3", "x")]));
    assert_eq!(site.send(&statement(3)).await, Outcome::Accepted { remote_id: None });
    let lines: Vec<String> = store.seen().into_iter().map(|(line, ..)| line).collect();
    assert!(lines.contains(&"DELETE /status/page/incidents/bb HTTP/1.1".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("incidents/aa")), "it is the same: {lines:?}");
    assert!(store.objects().contains_key("/status/page/robots.txt"));
    assert!(!store.objects().contains_key("/status/page/incidents/bb"));
}

#[tokio::test]
async fn what_a_bucket_answers_has_its_meaning() {
    let told = files(0, &[("aa", "42-3", "x")]);
    for (first, status, body, meant, whole) in [
        (NONE, "403 Forbidden", fixture("denied"), "refused", true),
        (NONE, "404 Not Found", fixture("no_bucket"), "refused", true),
        (NONE, "503 Slow Down", fixture("slow"), "wait", false),
        (NONE, "429 Slow", fixture("slow"), "wait", false),
        (NONE, "500 Oops", "", "unknown", false),
        (NONE, "400 Bad Request", "<html>", "refused", false),
        (NONE, "301 Moved", "", "refused", true),
        ("", "404 Not Found", fixture("no_bucket"), "refused", true),
        ("", "403 Forbidden", fixture("denied"), "refused", true),
        ("", "500 Oops", "", "wait", false),
    ] {
        let answer = json_answer(status, body);
        let answers = if first.is_empty() { vec![answer] } else { [vec![first], vec![answer; 30]].concat() };
        let (url, _requests) = receiver(answers).await;
        let outcome = in_bucket(&url, &told).send(&statement(1)).await;
        assert_eq!(outcome.as_str(), meant, "{status} {outcome:?}");
        assert_eq!(
            matches!(&outcome, Outcome::Refused { whole_channel: true, .. }),
            whole,
            "{status} {outcome:?}"
        );
        assert!(!format!("{outcome:?}").contains("not-a-real-secret"));
    }
    let nobody = in_bucket("http://127.0.0.1:1", &told).send(&statement(1)).await;
    assert_eq!(nobody.as_str(), "wait", "{nobody:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_followed_by_the_same_bytes() {
    let told = files(0, &[("aa", "42-3", "x")]);
    let puts = told.all().count() + 1;
    for lost in 1..=puts {
        let store = Store::default();
        let site = in_bucket(&store.start().await, &told);
        store.0.lock().unwrap().loses = Some(lost);
        assert_eq!(site.send(&statement(1)).await.as_str(), "unknown", "put {lost}");
        assert_eq!(site.send(&statement(2)).await, Outcome::Accepted { remote_id: None }, "put {lost}");
        let mut bodies: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (line, _, body) in store.seen().into_iter().filter(|(line, ..)| line.starts_with("PUT ")) {
            bodies.entry(line).or_default().push(body);
        }
        for (line, bodies) in bodies.iter().filter(|(line, _)| !line.contains(".onscene-site")) {
            assert!(
                bodies.windows(2).all(|two| two[0] == two[1]),
                "{line}: another copy says something else"
            );
        }
        assert_eq!(store.objects().len(), puts, "one object for each file");
        assert!(Channel::Site(site).recognises_repeats(&super::super::stories::statement(1)));
    }
}

#[test]
fn what_cannot_work_is_said_when_it_is_built() {
    let said = |texts: &[(&str, &str)], secrets: &[(&str, &str)]| {
        build(&KIND, texts, secrets).err().unwrap_or_default()
    };
    let secret = [("secret_key", "not-a-real-secret-0123")];
    let bucket = [("bucket", "status"), ("access_key_id", "AKIAIOSFODNN7EXAMPLE")];
    assert_eq!(said(&bucket, &secret), "");
    assert_eq!(said(&[("directory", "/srv/status")], &[]), "");
    for (texts, secrets, word) in [
        (vec![], &[][..], "`directory`"),
        (vec![("directory", "status")], &[][..], "whole path"),
        (vec![("directory", "/srv/status"), ("region", "x")], &[][..], "`region`"),
        (vec![("directory", "/srv/status")], &secret[..], "secret_key_file"),
        ([&bucket[..], &[("directory", "/srv/status")]].concat(), &secret[..], "second channel"),
        (bucket.to_vec(), &[][..], "secret_key_file"),
        (vec![("bucket", "status")], &secret[..], "access_key_id"),
        ([&bucket[1..], &[("bucket", "a/b")]].concat(), &secret[..], "`bucket`"),
        ([&bucket[..], &[("endpoint", "https://s3.example.net/x")]].concat(), &secret[..], "host alone"),
        (
            [&bucket[..], &[("endpoint", "https://maya:secret@s3.example.net")]].concat(),
            &secret[..],
            "no user",
        ),
        ([&bucket[..], &[("endpoint", "s3.example.net")]].concat(), &secret[..], "https://"),
        ([&bucket[..], &[("region", "eu north")]].concat(), &secret[..], "`region`"),
        ([&bucket[..], &[("prefix", "../x")]].concat(), &secret[..], "`prefix`"),
    ] {
        let said = said(&texts, secrets);
        assert!(said.contains(word), "{texts:?}: {said}");
        assert!(!said.contains("maya"), "{said}");
    }
}

/// Whether every mark of the manifest is that of what stands there.
fn is_true(store: &Store, versions: &[&Arc<Files>]) -> bool {
    let objects = store.objects();
    let manifest = objects.get("/status/page/.onscene-site.json").map_or("{}", String::as_str);
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    let marks = manifest["files"].as_object().cloned().unwrap_or_default();
    let bytes = |wanted: &str| {
        let mut all = versions.iter().flat_map(|files| files.all());
        all.find(|(_, file)| mark(file) == wanted).map(|(_, file)| file.bytes.to_vec())
    };
    marks.iter().filter(|(_, mark)| *mark != "").all(|(name, mark)| {
        let there = objects.get(&format!("/status/page/{name}")).map(|body| body.clone().into_bytes());
        there == bytes(mark.as_str().unwrap())
    })
}

fn has_all_of(store: &Store, files: &Files) -> bool {
    let objects = store.objects();
    files.all().all(|(path, file)| {
        let name = match path {
            "/" => "index.html",
            "/nothing-here" => "404.html",
            path => path.trim_start_matches('/'),
        };
        objects.get(&format!("/status/page/{name}")).is_some_and(|body| body.as_bytes() == &file.bytes[..])
    })
}

#[tokio::test]
async fn whoever_brings_what_at_the_same_time_the_newest_stands_there_in_the_end() {
    let old = files(0, &[("aa", "42-3", "old"), ("bb", "41-1", "gone soon")]);
    let new = files(60, &[("aa", "42-3", "new"), ("cc", "43-1", "new there")]);
    let mut met = 0;
    for seed in 1..=120_u64 {
        let store = Store::default();
        let url = store.start().await;
        store.0.lock().unwrap().dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        // Two nodes; one of them has seen less.
        let (late, early) = (in_bucket(&url, &old), in_bucket(&url, &new));
        let (one, other) = tokio::join!(late.bring(&old, at(61)), early.bring(&new, at(61)));
        assert!(
            is_true(&store, &[&old, &new]),
            "seed {seed}: the manifest says of something that it is what it is not"
        );
        met += u32::from(one.is_err() || other.is_err());
        // Whoever was told that another came in between tries again, and has seen the newest by then.
        let mut times = 0;
        while early.bring(&new, at(62)).await.is_err() || late.bring(&new, at(62)).await.is_err() {
            times += 1;
            assert!(times < 5, "seed {seed}: they never come to an end");
        }
        assert!(
            has_all_of(&store, &new) && is_true(&store, &[&new]),
            "seed {seed}: something old stands there"
        );
        assert!(!store.objects().contains_key("/status/page/incidents/bb"), "seed {seed}");
    }
    assert!(met > 20, "they came between each other {met} times");
}

#[tokio::test]
async fn letters_that_come_together_bring_one_after_the_other() {
    let told = files(0, &[("aa", "42-3", "x")]);
    let store = Store::default();
    let site = in_bucket(&store.start().await, &told);
    let (statement, copied) = (statement(1), files(60, &[("aa", "42-3", "y")]));
    let (sent, brought) = tokio::join!(site.send(&statement), site.bring(&copied, at(61)));
    assert_eq!((sent, brought), (Outcome::Accepted { remote_id: None }, Ok(())));
    let lines: Vec<String> = store.seen().into_iter().map(|(line, ..)| line).collect();
    let is_manifest = |line: &String| line.contains(".onscene-site.json");
    let of_manifest: Vec<&str> =
        lines.iter().filter(|line| is_manifest(line)).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(of_manifest, ["GET", "GET", "PUT"].repeat(2), "{lines:?}");
    assert!(has_all_of(&store, &copied));
}

#[tokio::test]
async fn a_store_that_knows_no_conditions_takes_the_page_all_the_same() {
    for conditions in [Conditions::Ignored, Conditions::Unknown, Conditions::Wrong] {
        let told = files(0, &[("aa", "42-3", "x")]);
        let store = Store::default();
        store.0.lock().unwrap().conditions = conditions;
        let site = in_bucket(&store.start().await, &told);
        assert_eq!(site.send(&statement(1)).await, Outcome::Accepted { remote_id: None });
        let later = files(60, &[("aa", "42-3", "y")]);
        assert_eq!(site.bring(&later, at(61)).await, Ok(()));
        assert!(has_all_of(&store, &later) && is_true(&store, &[&later]));
    }
}
