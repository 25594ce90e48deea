//! The public page, beside nginx that hands out the same bytes as files: wrk asks both, in one run on one machine.
//!
//! ```text
//! benches/run public          five rounds of each
//! benches/run public quick    one: for looking, not for quoting
//! ```
//!
//! nginx is given what makes it quick: its files in the page cache and open, `sendfile`, gzip packed beforehand, no log, connections
//! that are never closed. Both answer with the same headers, over the same 64 connections; wrk has one thread. On two CPUs it takes
//! one of them, so only the ratio says anything. Every answer is looked at once before anything is measured: the bytes are the same.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock, waits and starts programs by itself")]
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Rounds of each side.
const ROUNDS: usize = 5;
/// Connections that ask at the same time.
const CONNECTIONS: &str = "64";
/// What is measured in one round, and before it.
const MEASURED: &str = "5s";
const WARM_UP: &str = "1s";
/// Components on the page.
const COMPONENTS: usize = 12;

/// A program that is ended when the bench ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// What is asked for: a name, the path and a header.
struct Ask {
    name: &'static str,
    path: &'static str,
    header: Option<(&'static str, String)>,
}

fn main() {
    let quick = std::env::args().any(|word| word == "quick");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("public-{}", std::process::id()));
    let _none = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let (ours, _onscene) = onscene(&directory);
    let (theirs, _nginx) = nginx(&directory, ours);
    println!("{}", machine());
    let tag = |address| header(&get(address, "/", &[]).0, "etag").expect("a tag");
    let asks = |address: SocketAddr| {
        [
            Ask { name: "the page", path: "/", header: None },
            Ask { name: "the page, in gzip", path: "/", header: Some(("Accept-Encoding", "gzip".into())) },
            Ask { name: "status.json", path: "/status.json", header: None },
            Ask {
                name: "the page, which did not change",
                path: "/",
                header: Some(("If-None-Match", tag(address))),
            },
        ]
    };
    println!(
        "\n{CONNECTIONS} connections, {MEASURED} a round, medians of {} rounds",
        if quick { 1 } else { ROUNDS }
    );
    println!(
        "| | bytes | onscene: requests/s | p99 | CPU a request | nginx: requests/s | p99 | CPU a request | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (our, their) in asks(ours).into_iter().zip(asks(theirs)) {
        let bytes = same(ours, theirs, &our, &their);
        let mut rounds: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..if quick { 1 } else { ROUNDS } {
            for ((address, ask, pids), into) in
                [(ours, &our, pids(&_onscene)), (theirs, &their, pids(&_nginx))].into_iter().zip(&mut rounds)
            {
                wrk(address, ask, WARM_UP);
                let before: f64 = pids.iter().map(|pid| cpu(*pid)).sum();
                let mut round = wrk(address, ask, MEASURED);
                let used = pids.iter().map(|pid| cpu(*pid)).sum::<f64>() - before;
                round.cpu_micros = used * 1e6 / round.requests;
                into.push(round);
            }
        }
        let [us, them] = rounds.map(|rounds| median(&rounds));
        println!(
            "| {} | {bytes} | {:.0} | {:.1} ms | {:.1} µs | {:.0} | {:.1} ms | {:.1} µs | **{:.2}** |",
            our.name,
            us.per_second,
            us.p99_ms,
            us.cpu_micros,
            them.per_second,
            them.p99_ms,
            them.cpu_micros,
            us.per_second / them.per_second
        );
    }
    let _done = fs::remove_dir_all(&directory);
}

#[derive(Clone, Copy, Default)]
struct Round {
    requests: f64,
    per_second: f64,
    p99_ms: f64,
    cpu_micros: f64,
}

fn median(rounds: &[Round]) -> Round {
    let of = |figure: fn(&Round) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Round {
        requests: of(|one| one.requests),
        per_second: of(|one| one.per_second),
        p99_ms: of(|one| one.p99_ms),
        cpu_micros: of(|one| one.cpu_micros),
    }
}

fn wrk(address: SocketAddr, ask: &Ask, time: &str) -> Round {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c", CONNECTIONS, "-d", time, "--latency"]);
    if let Some((name, value)) = &ask.header {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let output = command.arg(format!("http://{address}{}", ask.path)).output().expect("wrk");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    let after = |word: &str| {
        said.lines().find_map(|line| line.trim().strip_prefix(word)).expect(word).trim().to_owned()
    };
    let requests =
        said.lines().find_map(|line| line.trim().split_once(" requests in ")).expect("requests").0.to_owned();
    let p99 = after("99%");
    let (number, unit) = p99.split_at(p99.find(|letter: char| letter.is_alphabetic()).expect("a unit"));
    let factor = match unit {
        "us" => 0.001,
        "s" => 1000.0,
        _ => 1.0,
    };
    Round {
        requests: requests.parse().expect("a number"),
        per_second: after("Requests/sec:").parse().expect("a number"),
        p99_ms: number.parse::<f64>().expect("a number") * factor,
        cpu_micros: 0.0,
    }
}

/// Both answer the same; how many bytes that is.
fn same(ours: SocketAddr, theirs: SocketAddr, our: &Ask, their: &Ask) -> usize {
    let headers =
        |ask: &Ask| ask.header.iter().map(|(name, value)| (*name, value.clone())).collect::<Vec<_>>();
    let (one, other) = (get(ours, our.path, &headers(our)), get(theirs, their.path, &headers(their)));
    let status = |head: &str| head.split(' ').nth(1).unwrap_or_default().to_owned();
    assert_eq!(status(&one.0), status(&other.0), "{}: {}\n{}", our.name, one.0, other.0);
    assert!(one.1 == other.1, "{}: other bytes", our.name);
    // An answer without a body says less of it here than there.
    let names = ["cache-control", "content-security-policy", "content-encoding"];
    for name in names.iter().filter(|_| status(&one.0) == "200") {
        assert_eq!(header(&one.0, name), header(&other.0, name), "{}: {name}", our.name);
    }
    one.1.len()
}

fn get(address: SocketAddr, path: &str, headers: &[(&str, String)]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let mut head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _written = write!(head, "{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).expect("it listens");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes[end + 4..].to_vec())
}

fn header(head: &str, name: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
    line.split_once(": ").map(|(_, value)| value.to_owned())
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address")
}

fn onscene(directory: &Path) -> (SocketAddr, Running) {
    let (private, public) = (free(), free());
    let mut config = format!(
        "[server]\nlisten = \"{private}\"\npublic_listen = \"{public}\"\nexternal_url = \"http://{private}\"\n\
         [public]\ntitle = \"Example status\"\nurl = \"http://{public}\"\n[store]\nurl = \"sqlite:{}\"\n\
         [mail]\nfrom = \"pager@example.net\"\nrelays = [\"file:{}\"]\n\
         [[person]]\nname = \"maya\"\nemail = \"maya@example.net\"\n[[person]]\nname = \"tom\"\nemail = \"tom@example.net\"\n\
         [[escalation]]\nname = \"default\"\nsteps = [{{ page = [\"person:maya\"], wait = \"5m\" }}]\n",
        directory.join("onscene.db").display(),
        directory.join("mail").display()
    );
    for number in 0..COMPONENTS {
        let _written = write!(
            config,
            "[[service]]\nname = \"service-{number}\"\npublic_name = \"Component number {number}\"\nescalation = \"default\"\n\
             pio = [\"person:maya\", \"person:tom\"]\n"
        );
    }
    let path = directory.join("onscene.toml");
    fs::write(&path, config).expect("a disk");
    let log = fs::File::create(directory.join("log")).expect("a disk");
    let child = Command::new(env!("CARGO_BIN_EXE_onscene"))
        .args(["serve", "--config"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("onscene");
    let running = Running(child);
    wait(public);
    (public, running)
}

/// nginx, with what onscene answers as files.
fn nginx(directory: &Path, ours: SocketAddr) -> (SocketAddr, Running) {
    let (root, address) = (directory.join("www"), free());
    fs::create_dir(&root).expect("a disk");
    let page = get(ours, "/", &[]);
    fs::write(root.join("index.html"), &page.1).expect("a disk");
    fs::write(root.join("index.html.gz"), get(ours, "/", &[("Accept-Encoding", "gzip".into())]).1)
        .expect("a disk");
    let status = get(ours, "/status.json", &[]);
    fs::write(root.join("status.json"), &status.1).expect("a disk");
    let add = |head: &str| {
        let names = [
            "cache-control",
            "vary",
            "x-content-type-options",
            "content-security-policy",
            "referrer-policy",
            "x-frame-options",
            "cross-origin-opener-policy",
            "access-control-allow-origin",
        ];
        names
            .iter()
            .filter_map(|name| Some(format!("add_header {name} \"{}\";", header(head, name)?)))
            .collect::<String>()
    };
    let at = directory.display();
    let config = format!(
        "daemon off; worker_processes auto; pid {at}/nginx.pid; error_log {at}/nginx.log; events {{ worker_connections 1024; }}\n\
         http {{ include /etc/nginx/mime.types; access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; \
         open_file_cache max=100 inactive=60s; open_file_cache_valid 60s; gzip_static on; charset utf-8; \
         client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c; uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;\n\
         server {{ listen {address}; root {at}/www; location / {{ {} }} location = /status.json {{ {} }} }} }}\n",
        add(&page.0),
        add(&status.0)
    );
    let path: PathBuf = directory.join("nginx.conf");
    fs::write(&path, config).expect("a disk");
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("nginx");
    let child = Command::new(program)
        .args([
            "-c",
            path.to_str().expect("a plain path"),
            "-e",
            directory.join("nginx.log").to_str().expect("a plain path"),
        ])
        .stdin(Stdio::null())
        .spawn()
        .expect("nginx");
    let running = Running(child);
    wait(address);
    (address, running)
}

fn wait(address: SocketAddr) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let is_up =
            TcpStream::connect(address).is_ok() && get(address, "/", &[]).0.starts_with("HTTP/1.1 200");
        if is_up {
            return;
        }
        assert!(Instant::now() < until, "nobody answers at {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A program and those that it started.
fn pids(running: &Running) -> Vec<u32> {
    let own = running.0.id();
    let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    std::iter::once(own).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
}

/// CPU seconds of a program.
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks: f64 = after.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{} CPUs ({model})", std::thread::available_parallelism().map_or(0, usize::from))
}
