//! The public page before those who judge and read such pages: Chromium with axe, the W3C's checker of HTML, validators and readers of
//! its feeds, a reader of Statuspage's API, and web servers and stores that hand out copies of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use onscene::channels::client::Client;
use onscene::channels::{self, Channel, Fields, Heard, Shared};
use onscene::core::voice::{Impact, Phase, Sort};
use onscene::http::accept::{self, Meters};
use onscene::http::limits::Limits;
use onscene::http::listen::Listener;
use onscene::http::public;
use onscene::public::{
    Component, Files, Newest, Planned, PublicIncident, PublicStatement, Said, Shown, write,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::harness::{Program, eventually, free_port, program, request};
use super::command::{axe, draws};
use super::scanner::Browser;
use super::{of_project, run, said, spawn};

/// The hour of the page.
fn now() -> Timestamp {
    "2026-11-29T10:40:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn statement(
    id: &str,
    sort: Sort,
    phase: Phase,
    impact: Impact,
    minutes: i64,
    text: &str,
) -> PublicStatement {
    PublicStatement {
        id: id.into(),
        key: format!("f{}", id.replace('-', "c")),
        sort,
        phase,
        impact,
        components: vec!["Online shop".into(), "Payments".into()],
        said: Said::Text(text.into()),
        at: ago(minutes),
        next_by: None,
        mends: None,
    }
}

fn incident(
    key: &str,
    title: &str,
    began: i64,
    ended: Option<i64>,
    statements: Vec<PublicStatement>,
) -> PublicIncident {
    let last = statements.iter().max_by_key(|one| one.at).unwrap().clone();
    PublicIncident {
        key: key.into(),
        title: title.into(),
        components: last.components,
        impact: last.impact,
        phase: last.phase,
        began: ago(began),
        ended: ended.map(ago),
        statements,
    }
}

/// A bad day, after a quarter of a year with its faults.
fn shown(url: &str) -> Shown {
    let mut open = incident(
        "3f9a1c20",
        "Payments by card fail",
        50,
        None,
        vec![
            statement(
                "42-1",
                Sort::Holding,
                Phase::Investigating,
                Impact::Minor,
                40,
                "Some customers cannot pay. We look into it.",
            ),
            statement(
                "42-2",
                Sort::Update,
                Phase::Identified,
                Impact::Major,
                25,
                "Most payments by card & wallet fail.\n\nPayments by invoice work, and nothing is charged twice.",
            ),
            statement("42-3", Sort::Update, Phase::Identified, Impact::Major, 18, "(what it said is gone)"),
            statement(
                "42-4",
                Sort::Retraction,
                Phase::Identified,
                Impact::Major,
                12,
                "What we said at 10:22 UTC was wrong. Payments by wallet fail as well.",
            ),
            statement(
                "42-5",
                Sort::Correction,
                Phase::Identified,
                Impact::Major,
                5,
                "Payments by card and by wallet fail. A first payment by card was accepted again at 10:30 UTC; others still fail.\n\nNext update by 11:00 UTC.",
            ),
        ],
    );
    open.statements[2].said = Said::Retracted { at: ago(12) };
    open.statements[3].mends = Some((open.statements[2].key.clone(), ago(18)));
    open.statements[4].mends = Some((open.statements[1].key.clone(), ago(25)));
    open.statements[4].next_by = Some(now() + SignedDuration::from_mins(20));
    let day = 1440;
    let over = |key: &str, title: &str, days: i64, lasted: i64, impact: Impact| {
        let began = days * day + 300;
        let id = format!("{key}-1");
        let first =
            statement(&id, Sort::Update, Phase::Investigating, impact, began - 10, "It is looked into.");
        let last = statement(
            &format!("{key}-2"),
            Sort::Closing,
            Phase::Resolved,
            Impact::None,
            began - lasted,
            "It works again.",
        );
        incident(&format!("aa{key}"), title, began, Some(began - lasted), vec![first, last])
    };
    Shown {
        title: "Example status".into(),
        url: Some(url.into()),
        contact: Some("support@example.net".into()),
        subscribe: Some(format!("{url}/subscribe")),
        made_at: now(),
        components: [
            "Online shop",
            "Payments",
            "Customer accounts",
            "A component whose public name is rather long for a telephone",
        ]
        .map(|name| Component { name: name.into(), since: ago(80 * day) })
        .into(),
        incidents: vec![
            open,
            over("11", "The shop cannot be reached", 3, 42, Impact::Critical),
            over("12", "Pages are slow", 20, 600, Impact::Minor),
            over("13", "Some orders fail", 41, 120, Impact::Major),
            over("14", "The shop cannot be reached", 70, 1500, Impact::Critical),
        ],
        maintenance: vec![
            Planned {
                key: "m1".into(),
                title: "New disks for customer accounts".into(),
                components: vec!["Customer accounts".into()],
                from: ago(30),
                to: now() + SignedDuration::from_mins(30),
                text: "Logging in may take up to a minute.".into(),
            },
            Planned {
                key: "m2".into(),
                title: "A new network".into(),
                components: vec!["Online shop".into(), "Payments".into()],
                from: now() + SignedDuration::from_hours(40),
                to: now() + SignedDuration::from_hours(42),
                text: "Nothing is noticed, unless the old one has to come back.".into(),
            },
        ],
    }
}

fn files(url: &str) -> Arc<Files> {
    Arc::new(write(&shown(url), false, None).unwrap())
}

/// The listener itself, with files of the test.
struct Page {
    address: SocketAddr,
    newest: Newest,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

impl Page {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (newest, stop) = (Newest::default(), CancellationToken::new());
        let listener = {
            let _within = runtime.enter();
            Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap()
        };
        let address: SocketAddr = listener.address().unwrap().to_string().parse().unwrap();
        let (app, ended) = (public::router(newest.clone()), stop.clone());
        let limits = public::limits(&Limits::default(), 256);
        runtime.spawn(async move {
            accept::serve(listener, None, app, limits, &TaskTracker::new(), ended, Meters::default()).await;
        });
        let page = Self { address, newest, stop, _runtime: runtime };
        page.newest.swap(files(&page.url()));
        page
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn get(&self, path: &str) -> String {
        let answer = request(self.address, "GET", path, &[], b"").unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A judge of tests/validators.
fn judge(name: &str) -> Command {
    let path = of_project("target/validators/python/bin").join(name);
    assert!(path.is_file(), "this test needs {name}; tests/validators brings it, and tests/run calls that");
    Command::new(path)
}

#[test]
fn nobody_is_kept_from_reading_the_page() {
    let page = Page::start();
    let owned = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(owned.path());
    let mut tab = browser.open(&page.url());
    // What is handed out changes faster here than a reader looks again.
    tab.ask("Network.enable", json!({}));
    tab.ask("Network.setCacheDisabled", json!({"cacheDisabled": true}));
    let old = Arc::new(write(&shown(&page.url()), true, None).unwrap());
    let calm = Shown { incidents: Vec::new(), maintenance: Vec::new(), ..shown(&page.url()) };
    let calm = Arc::new(write(&calm, false, None).unwrap());
    for (name, path, of) in [
        ("bad-day", "/", files(&page.url())),
        ("calm-day", "/", calm),
        ("history", "/history", files(&page.url())),
        ("incident", "/incidents/3f9a1c20", files(&page.url())),
        ("old", "/", old),
        ("nothing", "/incidents/none", files(&page.url())),
    ] {
        page.newest.swap(of);
        for (width, height) in [(390, 844), (1280, 900)] {
            let to = json!({"url": format!("{}{path}", page.url())});
            tab.run("document.body.dataset.seen = 1");
            tab.ask("Page.navigate", to);
            tab.until("document.readyState == 'complete' && !document.body.dataset.seen && !!document.querySelector('main')");
            tab.ask(
                "Emulation.setDeviceMetricsOverride",
                json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}),
            );
            for scheme in ["light", "dark"] {
                let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
                tab.ask("Emulation.setEmulatedMedia", features);
                draws(&mut tab, &format!("public-{name}-{width}-{scheme}"), true);
                axe(&mut tab, &format!("{name} in {scheme}, {width} wide"));
            }
            let all = tab.run("document.documentElement.scrollWidth");
            assert!(all.as_f64().unwrap() <= f64::from(width), "{name} is {all} wide");
            assert_eq!(tab.run("document.scripts.length"), 0, "{name}");
            let says_old = tab.text().contains("This is what was known at 29 Nov 2026, 10:40 UTC.");
            assert_eq!(says_old, name == "old", "{name}");
            assert_eq!(
                tab.run("performance.getEntriesByType('resource').length"),
                0,
                "{name} loads something"
            );
            // The policy lets its looks through.
            assert_eq!(
                tab.run("getComputedStyle(document.body).maxWidth"),
                "736px",
                "{name} has lost its looks"
            );
        }
    }
    page.newest.swap(files(&page.url()));
    tab.run("document.body.dataset.seen = 1");
    tab.ask("Page.navigate", json!({"url": page.url()}));
    tab.until("document.readyState == 'complete' && !document.body.dataset.seen && !!document.querySelector('main')");
    tab.ask("Emulation.setEmulatedMedia", json!({"media": "print"}));
    draws(&mut tab, "public-print", true);
    tab.ask("Emulation.setEmulatedMedia", json!({"media": ""}));
    // By the keyboard alone: everything that can be done is reached.
    let count =
        tab.run("document.querySelectorAll('a[href], summary, input, button').length").as_u64().unwrap();
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..count {
        let key = json!({"type": "keyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
        tab.ask("Input.dispatchKeyEvent", key);
        let at = tab.run("(() => { const one = document.activeElement; const all = [...document.querySelectorAll('*')]; return all.indexOf(one) + ' ' + one.tagName; })()");
        reached.insert(at.as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(reached.len() as u64, count, "{reached:?}");
}

/// It does not compute hashes. That browsers let the looks through is seen above.
const UNKNOWN_TO_IT: &str = "Inline style violates Content Security Policy.*";

#[test]
fn the_checker_of_the_w3c_finds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let files = files("https://status.example.net");
    let mut pages = Vec::new();
    for (path, file) in files.all().filter(|(_, file)| file.content_type.as_bytes().starts_with(b"text/html"))
    {
        let page = directory.path().join(format!("page{}.html", path.replace('/', "-")));
        std::fs::write(&page, &file.bytes).unwrap();
        pages.push(page);
    }
    assert!(pages.len() >= 8, "{pages:?}");
    let wrong = directory.path().join("wrong.html");
    std::fs::write(&wrong, "<!doctype html><html lang=en><title>x</title><p><li></ol>").unwrap();
    let jar = of_project("target/validators/vnu/node_modules/vnu-jar/build/dist/vnu.jar");
    assert!(jar.is_file(), "this test needs {jar:?}; tests/validators brings it");
    let ask = |pages: &[PathBuf]| {
        Command::new(program(&["java"]))
            .arg("-jar")
            .arg(&jar)
            .args(["--Werror", "--filterpattern", UNKNOWN_TO_IT])
            .args(pages)
            .output()
            .unwrap()
    };
    assert!(!ask(&[wrong]).status.success(), "it sees what is wrong");
    let judged = ask(&pages);
    assert!(judged.status.success(), "{}", said(&judged));
}

#[test]
fn the_feeds_are_what_their_descriptions_say_and_readers_read_them() {
    let directory = tempfile::tempdir().unwrap();
    let page = Page::start();
    let (atom, feed) = (directory.path().join("feed.atom"), directory.path().join("feed.json"));
    let text = page.get("/feed.atom");
    std::fs::write(&atom, &text).unwrap();
    std::fs::write(&feed, page.get("/feed.json")).unwrap();
    let schema = of_project("tests/fixtures/public/atom.rng");
    let lint = |path: &Path| {
        Command::new(program(&["xmllint"]))
            .args(["--noout", "--nonet", "--relaxng"])
            .arg(&schema)
            .arg(path)
            .output()
            .unwrap()
    };
    let judged = lint(&atom);
    assert!(judged.status.success(), "{}", said(&judged));
    let wrong = directory.path().join("wrong.atom");
    std::fs::write(&wrong, text.replacen("<updated>", "<updated>yesterday ", 1)).unwrap();
    assert!(!lint(&wrong).status.success(), "it sees what is wrong");
    let schema = of_project("tests/fixtures/public/feed.schema.json");
    let check = |schema: &Path, path: &Path| {
        judge("check-jsonschema").arg("--schemafile").arg(schema).arg(path).output().unwrap()
    };
    let judged = check(&schema, &feed);
    assert!(judged.status.success(), "{}", said(&judged));
    let wrong = directory.path().join("wrong.json");
    std::fs::write(&wrong, page.get("/feed.json").replacen("\"date_published\"", "\"date_publisht\"", 1))
        .unwrap();
    assert!(!check(&schema, &wrong).status.success(), "it sees what is wrong");
    let summary = directory.path().join("summary.json");
    std::fs::write(&summary, page.get("/api/v2/summary.json")).unwrap();
    let judged = check(&of_project("tests/fixtures/public/summary.schema.json"), &summary);
    assert!(judged.status.success(), "{}", said(&judged));
    // A reader finds the feed by the page, and asks for it again only when it changed.
    let script = "import sys, json, feedparser; url = sys.argv[1]; one = feedparser.parse(url + '/feed.atom'); \
                  again = feedparser.parse(url + '/feed.atom', etag=one.etag, modified=one.modified); \
                  page = feedparser.parse(url + '/feed.atom').entries; \
                  print(json.dumps({'bozo': bool(one.bozo), 'version': one.version, 'status': one.status, 'again': again.status, \
                  'titles': [e.title for e in one.entries], 'ids': [e.id for e in one.entries], 'links': [e.link for e in one.entries], \
                  'first': one.entries[0].content[0].value, 'encoding': one.headers.get('content-encoding')}))";
    let read: Value = serde_json::from_str(&run(judge("python").args(["-c", script, &page.url()]))).unwrap();
    assert_eq!(
        (&read["bozo"], &read["version"], &read["status"], &read["again"]),
        (&json!(false), &json!("atom10"), &json!(200), &json!(304)),
        "{read}"
    );
    assert_eq!(read["encoding"], "gzip");
    assert_eq!(read["titles"][0], "Correction: Payments by card fail");
    assert!(read["first"].as_str().unwrap().contains("<p>Next update by 11:00 UTC.</p>"), "{read}");
    let ids: std::collections::BTreeSet<&str> =
        read["ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(ids.len(), 13);
    for link in read["links"].as_array().unwrap() {
        let path = link.as_str().unwrap().strip_prefix(&page.url()).unwrap().split('#').next().unwrap();
        page.get(path);
    }
}

#[test]
fn a_reader_of_statuspage_reads_it() {
    let page = Page::start();
    let directory = tempfile::tempdir().unwrap();
    let services = directory.path().join("services.json");
    let service = json!({"shop": {"url": format!("{}/api/v2/summary.json", page.url()), "name": "Example"}});
    std::fs::write(&services, service.to_string()).unwrap();
    let script = "import json; from statuspage_prometheus_exporter import service_checker as c; \
                  print(json.dumps(c.check_service_status('shop', c.SERVICES['shop'])))";
    let told = run(judge("python")
        .args(["-c", script])
        .env("SERVICES_JSON_PATH", &services)
        .current_dir(directory.path()));
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(
        (&told["success"], &told["status"], &told["raw_status"]),
        (&json!(true), &json!(0), &json!("major")),
        "{told}"
    );
    assert_eq!(told["component_metadata"].as_array().unwrap().len(), 4);
    let incident = &told["incident_metadata"][0];
    assert!(
        told["incident_metadata"].as_array().unwrap().len() == 1
            && incident.to_string().contains("Payments by card fail"),
        "{told}"
    );
    assert_eq!(told["maintenance_metadata"].as_array().unwrap().len(), 2, "{told}");
}

/// What channels share, with these files.
fn shared(newest: &Newest) -> Shared {
    Shared {
        client: Client::new(None).unwrap(),
        mailer: None,
        heard: Heard::default(),
        newest: newest.clone(),
    }
}

fn site(texts: &[(&str, &str)], secret: Option<&str>, newest: &Newest) -> Channel {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let secrets =
        secret.into_iter().map(|secret| ("secret_key".to_owned(), secret.to_owned().into())).collect();
    let fields = Fields { texts: texts.iter().map(own).collect(), secrets, ..Fields::default() };
    (channels::kind("site").unwrap().build)(fields, &shared(newest)).unwrap()
}

fn bring(channel: &Channel, files: &Arc<Files>) -> Result<(), String> {
    let Channel::Site(site) = channel else { panic!("it is a site") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(site.bring(files, onscene::clock::Clock::system().now()))
}

#[test]
fn nginx_hands_out_a_directory_as_it_is() {
    let owned = tempfile::tempdir().unwrap();
    let (root, port) = (owned.path().join("www"), free_port());
    std::fs::create_dir(&root).unwrap();
    let files = files("https://status.example.net");
    bring(&site(&[("directory", root.to_str().unwrap())], None, &Newest::default()), &files).unwrap();
    let (at, www) = (owned.path().display(), root.display());
    let types = "include /etc/nginx/mime.types; default_type application/octet-stream;";
    let config = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/log; events {{}}\n\
         http {{ {types} access_log off; client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c; \
         uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;\n\
         server {{ listen 127.0.0.1:{port}; root {www}; error_page 404 /404.html; absolute_redirect off; }} }}\n"
    );
    let path = owned.path().join("nginx.conf");
    std::fs::write(&path, config).unwrap();
    let _nginx: Program =
        spawn("nginx", &["-c", path.to_str().unwrap(), "-e", "stderr"], &owned.path().join("said"));
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let get = |path: &str| request(address, "GET", path, &[], b"");
    eventually("nginx is there", || get("/"));
    for (path, file) in files.all() {
        let (asked, status) = match path {
            "/nothing-here" => ("/nowhere".to_owned(), 404),
            path if path != "/" && file.content_type.as_bytes().starts_with(b"text/html") => {
                (format!("{path}/"), 200)
            }
            path => (path.to_owned(), 200),
        };
        let answer = get(&asked).unwrap();
        assert_eq!((answer.status, answer.body.as_bytes()), (status, &file.bytes[..]), "{path}");
        let kind = answer.head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).unwrap();
        let meant = file.content_type.to_str().unwrap().split(';').next().unwrap();
        assert!(
            kind == meant || meant.ends_with("json") && kind == "application/json",
            "{path}: {kind} for {meant}"
        );
    }
    let moved = get("/history").unwrap();
    assert!(moved.status == 301 && moved.head.contains("Location: /history/"), "{}", moved.head);
}

/// A store that speaks S3, and checks every signature with the library of its vendor.
struct Moto {
    _server: Program,
    address: SocketAddr,
    key: String,
    secret: String,
}

impl Moto {
    fn start(log: &Path) -> Self {
        let port = free_port();
        let log = std::fs::File::create(log).unwrap();
        // The first seven are asked by whoever makes it ready: a user, a policy, a key, a bucket and one that is refused.
        let child = judge("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "4")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Program(child);
        let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
        eventually("moto is there", || std::net::TcpStream::connect(address).ok());
        let script = "import sys, json, boto3; url = sys.argv[1]; \
                      make = lambda of: boto3.client(of, endpoint_url=url, region_name='eu-north-1', aws_access_key_id='x', aws_secret_access_key='x'); \
                      iam, s3 = make('iam'), make('s3'); iam.create_user(UserName='onscene'); \
                      rights = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], 'Resource': 'arn:aws:s3:::example-status/*'}]}; \
                      iam.put_user_policy(UserName='onscene', PolicyName='page', PolicyDocument=json.dumps(rights)); \
                      key = iam.create_access_key(UserName='onscene')['AccessKey']; \
                      s3.create_bucket(Bucket='example-status', CreateBucketConfiguration={'LocationConstraint': 'eu-north-1'}); \
                      print(json.dumps([key['AccessKeyId'], key['SecretAccessKey']]))";
        let made = run(judge("python").args(["-c", script, &format!("http://{address}")]));
        let keys: Vec<String> = serde_json::from_str(&made).unwrap();
        let [key, secret] = keys.try_into().unwrap();
        Self { _server: server, address, key, secret }
    }

    fn site(&self, secret: &str, prefix: &str, newest: &Newest) -> Channel {
        let url = format!("http://{}", self.address);
        let texts = [
            ("bucket", "example-status"),
            ("endpoint", url.as_str()),
            ("region", "eu-north-1"),
            ("access_key_id", self.key.as_str()),
            ("prefix", prefix),
            ("private_addresses", "allow"),
        ];
        site(&texts, Some(secret), newest)
    }

    /// What is there, as a library that others wrote sees it: names with type, how they may be kept, and content.
    fn objects(&self) -> Vec<(String, String, String, String)> {
        let script = "import sys, json, boto3; url, key, secret = sys.argv[1:4]; \
                      s3 = boto3.client('s3', endpoint_url=url, region_name='eu-north-1', aws_access_key_id=key, aws_secret_access_key=secret); \
                      names = json.loads(sys.stdin.read()); out = []\n\
                      for n in names:\n  try: o = s3.get_object(Bucket='example-status', Key=n)\n  except s3.exceptions.ClientError: continue\n  out.append([n, o['ContentType'], o.get('CacheControl', ''), o['Body'].read().decode()])\n\
                      print(json.dumps(out))";
        let names: Vec<String> = [
            "index.html",
            "history",
            "404.html",
            "feed.atom",
            "feed.json",
            "status.json",
            "api/v2/summary.json",
            "incidents/3f9a1c20",
            "incidents/aa14",
        ]
        .iter()
        .map(|name| format!("status/{name}"))
        .collect();
        let mut child = judge("python")
            .args(["-c", script, &format!("http://{}", self.address), &self.key, &self.secret])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), json!(names).to_string().as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn a_store_that_checks_signatures_takes_the_page() {
    let owned = tempfile::tempdir().unwrap();
    let moto = Moto::start(&owned.path().join("moto"));
    let newest = Newest::default();
    let files = files("https://status.example.net");
    let wrong = bring(&moto.site("not-the-secret-of-this-key", "status", &newest), &files).unwrap_err();
    assert!(wrong.contains("403 (SignatureDoesNotMatch)"), "{wrong}");
    let elsewhere = [
        ("bucket", "no-such-bucket"),
        ("endpoint", &*format!("http://{}", moto.address)),
        ("access_key_id", &moto.key),
        ("private_addresses", "allow"),
    ];
    let wrong = bring(&site(&elsewhere, Some(&moto.secret), &newest), &files).unwrap_err();
    assert!(wrong.contains("40"), "{wrong}");
    let right = moto.site(&moto.secret, "status", &newest);
    bring(&right, &files).unwrap();
    let objects = moto.objects();
    assert_eq!(objects.len(), 9, "{:?}", objects.iter().map(|one| &one.0).collect::<Vec<_>>());
    for (name, kind, cache, body) in &objects {
        let path = match name.strip_prefix("status").unwrap() {
            "/index.html" => "/",
            "/404.html" => "/nothing-here",
            path => path,
        };
        let file = files.get(path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(
            (kind.as_str(), body.as_bytes()),
            (file.content_type.to_str().unwrap(), &file.bytes[..]),
            "{name}"
        );
        assert!(cache.starts_with("public, max-age=30"), "{name}: {cache}");
    }
    // An incident goes, and so does its page; names with signs that are written in another way are signed as they are sent.
    let mut later = shown("https://status.example.net");
    later.incidents.pop();
    later.made_at = now() + SignedDuration::from_mins(1);
    let later = Arc::new(write(&later, false, Some(&files)).unwrap());
    bring(&right, &later).unwrap();
    assert!(!moto.objects().iter().any(|one| one.0 == "status/incidents/aa14"));
    bring(&moto.site(&moto.secret, "a b/ü+(x)", &newest), &later).unwrap();
}
