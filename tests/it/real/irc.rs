//! Status in a room of IRC, through Debian's InspIRCd: what a real server makes of what the channel says.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use onscene::channels::client::Client;
use onscene::channels::statement::Mended;
use onscene::channels::{Channel, Fields, Heard, Outcome, Parcel, Shared, Statement, Thread, irc};
use onscene::core::audience::Audience;
use onscene::core::voice::{Impact, Phase, Sort};
use onscene::crypto;
use serde_json::json;

use super::super::harness::{Program, eventually, free_port};
use super::{Authority, spawn};

/// A server with a directory of its own: TLS on one port, plain on another.
struct Server {
    plain: u16,
    tls: u16,
    directory: tempfile::TempDir,
    _program: Program,
}

/// What it can beside the least.
const ECHOES: &str = "\
<module name=\"cap\">
<module name=\"ircv3_ctctags\">
<module name=\"ircv3_echomessage\">
<module name=\"ircv3_msgid\">
";

impl Server {
    /// Starts one with modules, and a password where one is given.
    fn start(modules: &str, password: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Authority::new(directory.path()).sign("irc");
        let (plain, tls) = (free_port(), free_port());
        let at = directory.path().to_str().unwrap();
        let password = password.map(|password| format!("password=\"{password}\"")).unwrap_or_default();
        let text = format!(
            "<config format=\"xml\">\n\
             <server name=\"irc.example.net\" description=\"a server of the tests\" network=\"Tests\">\n\
             <admin name=\"x\" email=\"root@example.net\" nick=\"x\">\n\
             <module name=\"ssl_gnutls\">\n<module name=\"banexception\">\n{modules}\
             <sslprofile name=\"tests\" provider=\"gnutls\" certfile=\"{at}/irc.pem\" keyfile=\"{at}/irc.key\">\n\
             <bind address=\"127.0.0.1\" port=\"{plain}\" type=\"clients\">\n\
             <bind address=\"127.0.0.1\" port=\"{tls}\" type=\"clients\" sslprofile=\"tests\">\n\
             <connect allow=\"*\" {password} timeout=\"20\" pingfreq=\"120\" localmax=\"50\" globalmax=\"50\" \
             resolvehostnames=\"no\" commandrate=\"1000\" threshold=\"10\" fakelag=\"yes\" recvq=\"8192\" softsendq=\"8192\" \
             hardsendq=\"1048576\">\n\
             <files motd=\"{at}/motd\">\n\
             <pid file=\"{at}/pid\">\n\
             <path configdir=\"{at}\" datadir=\"{at}\" logdir=\"{at}\">\n\
             <log method=\"file\" type=\"*\" level=\"default\" target=\"{at}/log\">\n"
        );
        let file = directory.path().join("inspircd.conf");
        fs::write(&file, text).unwrap();
        fs::write(directory.path().join("motd"), "welcome\n").unwrap();
        let config = format!("--config={}", file.display());
        let program =
            spawn("inspircd", &["--nofork", "--runasroot", &config], &directory.path().join("output"));
        let server = Self { plain, tls, directory, _program: program };
        eventually("InspIRCd listens", || TcpStream::connect(("127.0.0.1", tls)).ok());
        server
    }

    fn channel(&self, texts: &[(&str, &str)], secrets: &[(&str, &str)]) -> Channel {
        let ca_file = self.directory.path().join("ca.pem");
        let url = format!("ircs://localhost:{}", self.tls);
        let usual = [
            ("url", url.as_str()),
            ("nick", "onscene"),
            ("room", "#ops"),
            ("ca_file", ca_file.to_str().unwrap()),
            ("private_addresses", "allow"),
        ];
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let texts = usual.iter().chain(texts).map(own).collect();
        let secrets = secrets.iter().map(own).map(|(name, text)| (name, text.into())).collect();
        let fields = Fields { texts, secrets, ..Fields::default() };
        let newest = onscene::public::Newest::default();
        let shared =
            Shared { client: Client::new(None).unwrap(), mailer: None, heard: Heard::default(), newest };
        (irc::KIND.build)(fields, &shared).unwrap()
    }

    fn somebody(&self, nick: &str, password: Option<&str>) -> Somebody {
        let stream = TcpStream::connect(("127.0.0.1", self.plain)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut somebody = Somebody { reader: BufReader::new(stream.try_clone().unwrap()), stream };
        if let Some(password) = password {
            somebody.says(&format!("PASS {password}"));
        }
        somebody.says(&format!("NICK {nick}"));
        somebody.says(&format!("USER {nick} 0 * :{nick}"));
        somebody.hears(" 001 ");
        somebody
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["output", "log"] {
                let said = fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
                eprintln!("InspIRCd, {name}:\n{said}");
            }
        }
    }
}

/// Somebody else on the server.
struct Somebody {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Somebody {
    fn says(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    /// Changes what holds in the room; it does when this returns.
    fn sets(&mut self, modes: &str) {
        self.says(&format!("MODE #ops {modes}"));
        self.says("PING :it-holds");
        self.hears("it-holds");
    }

    /// Reads on to a line with these words in it.
    fn hears(&mut self, words: &str) -> String {
        loop {
            let mut line = Vec::new();
            let count =
                self.reader.read_until(b'\n', &mut line).unwrap_or_else(|error| panic!("{words}: {error}"));
            assert!(count > 0, "the connection ended before: {words}");
            let line = String::from_utf8(line).unwrap().trim_end().to_owned();
            if let Some(token) = line.strip_prefix("PING ") {
                self.says(&format!("PONG {token}"));
            }
            if line.contains(words) {
                return line;
            }
        }
    }
}

fn letter(text: &str) -> Parcel {
    Parcel {
        delivery: crypto::random_id().unwrap(),
        incident: 42,
        incident_state: "triggered".into(),
        thread: Thread::Status,
        to: String::new(),
        page_attempt: 0,
        subject: "[INC-42] shop: checkout down".into(),
        text: text.into(),
        html: String::new(),
        short: String::new(),
        answer: None,
        meet: None,
        wakes: false,
        data: json!({"incident": {"id": 42, "url": "https://onscene.example.net/incidents/42"}}),
        event_type: "incident.acknowledged".into(),
        created_at: "2026-11-23T02:13:20Z".parse().unwrap(),
        now: "2026-11-23T02:13:20Z".parse().unwrap(),
        thread_root: None,
        lost: Vec::new(),
        again: Vec::new(),
        attempt: 1,
        mends_nothing: false,
        unwritten: false,
        only_look: false,
        statement: None,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn refused(why: &str) -> Outcome {
    Outcome::Refused { why: why.into(), whole_channel: true }
}

#[test]
fn a_letter_is_read_in_the_room_over_tls() {
    let server = Server::start(ECHOES, None);
    let mut maya = server.somebody("maya", None);
    maya.says("JOIN #ops");
    maya.hears(" 366 ");
    let text = "Maya has command.\r\nQUIT :bye\n\n\u{3}04red \u{2}bold für alle 🔥\n\nhttps://onscene.example.net/incidents/42\n";
    let outcome = runtime().block_on(server.channel(&[], &[]).send(&letter(text)));
    let Outcome::Accepted { remote_id: Some(id) } = &outcome else { panic!("{outcome:?}") };
    assert!(!id.is_empty(), "the server gives each message an id");
    for said in [
        "[INC-42] shop: checkout down",
        "Maya has command. · QUIT :bye",
        "04red bold für alle 🔥",
        "https://onscene.example.net/incidents/42",
    ] {
        let line = maya.hears("PRIVMSG #ops");
        assert!(line.starts_with(":onscene!") && line.ends_with(&format!(" :{said}")), "{line}");
    }
    maya.hears("QUIT");
}

/// A statement for the public.
fn statement(sort: Sort, text: &str) -> Parcel {
    let letter = letter(&format!("Identified\n\n{text}"));
    let mends = Mended { id: "42-1".into(), at: letter.created_at, remote_id: Some("gone".into()) };
    let said = Statement {
        id: "42-3".into(),
        audience: Audience::Public,
        sort,
        phase: Phase::Identified,
        impact: Impact::Major,
        title: "Online shop: payments fail".into(),
        text: text.into(),
        components: vec!["Online shop".into()],
        services: vec!["shop".into()],
        began: letter.created_at,
        at: letter.created_at,
        next_by: None,
        mends: (sort == Sort::Retraction).then_some(mends),
        now: None,
        takes_back: None,
    };
    Parcel { subject: said.title.clone(), statement: Some(Box::new(said)), ..letter }
}

#[test]
fn a_statement_is_read_as_it_was_shown_and_a_retraction_is_said_behind_it() {
    let server = Server::start(ECHOES, None);
    let mut maya = server.somebody("maya", None);
    maya.says("JOIN #ops");
    maya.hears(" 366 ");
    let channel = server.channel(&[], &[]);
    let paragraphs: String =
        (1..=8).map(|number| format!("Part {number} works für alle again.\n\n")).collect();
    for parcel in [
        statement(Sort::Update, "Some payments by card fail.\n\nNext update by 10:30 UTC."),
        statement(Sort::Retraction, "What we said last was wrong."),
        statement(Sort::Update, &paragraphs),
    ] {
        let shown = channel.shows(&parcel);
        assert!(shown.fits() && !shown.text.contains("42"), "{shown:?}");
        assert_eq!(runtime().block_on(channel.send(&parcel)).as_str(), "accepted");
        for said in shown.text.lines() {
            let line = maya.hears("PRIVMSG #ops");
            assert!(line.ends_with(&format!(" :{said}")), "{line}: {said}");
        }
        maya.hears("QUIT");
    }
    let long = statement(Sort::Update, &"word ".repeat(600));
    let refused = runtime().block_on(channel.send(&long));
    let Outcome::Refused { whole_channel: false, why } = &refused else { panic!("{refused:?}") };
    assert!(why.contains("lines"), "{why}");
    maya.says("PING :nothing-before-this");
    let heard = maya.hears("");
    assert!(!heard.contains("onscene!"), "{heard}");
}

#[test]
fn a_long_letter_comes_whole_line_for_line_and_no_line_is_cut_by_the_server() {
    let server = Server::start(ECHOES, None);
    let mut maya = server.somebody("maya", None);
    maya.says("JOIN #ops");
    maya.hears(" 366 ");
    let text = "für 🔥 alle ".repeat(400);
    let outcome = runtime().block_on(server.channel(&[], &[]).send(&letter(&text)));
    assert_eq!(outcome.as_str(), "accepted", "{outcome:?}");
    for number in 0..6 {
        let line = maya.hears("PRIVMSG #ops");
        let said = line.split_once(" :").unwrap().1;
        let whole = ["alle", "für", "🔥", "down", "/42"].iter().any(|word| said.ends_with(word));
        assert!(said.len() <= 400 && whole, "{number}: {line}");
    }
}

#[test]
fn without_echoes_a_ping_proves_it() {
    let server = Server::start("", None);
    let mut maya = server.somebody("maya", None);
    maya.says("JOIN #ops");
    maya.hears(" 366 ");
    let outcome = runtime().block_on(server.channel(&[], &[]).send(&letter("it is over\n")));
    assert_eq!(outcome, Outcome::Accepted { remote_id: None });
    maya.hears("PRIVMSG #ops :it is over");
    maya.sets("+m");
    let outcome = runtime().block_on(server.channel(&[], &[]).send(&letter("it is over\n")));
    assert_eq!(outcome, refused("we may not speak in the room (404)"));
}

#[test]
fn a_room_that_is_closed_says_how() {
    let server = Server::start(ECHOES, None);
    let mut maya = server.somebody("maya", None);
    maya.says("JOIN #ops");
    maya.hears(" 366 ");
    let send = |secrets: &[(&str, &str)]| {
        runtime().block_on(server.channel(&[], secrets).send(&letter("it is over\n")))
    };
    maya.sets("+k hush");
    assert_eq!(send(&[]), refused("the room has another key (475)"));
    assert_eq!(send(&[("room_password", "hush")]).as_str(), "accepted");
    maya.sets("-k hush");
    maya.sets("+b onscene!*@*");
    assert_eq!(send(&[]), refused("we are banned from the room (474)"));
    maya.sets("-b onscene!*@*");
    maya.sets("+i");
    assert_eq!(send(&[]), refused("the room takes only who is invited (473)"));
    maya.sets("-i+m");
    assert_eq!(send(&[]), refused("we may not speak in the room (404)"));
}

#[test]
fn a_nick_that_is_taken_and_a_password_of_the_server() {
    let server = Server::start(ECHOES, Some("not-a-real-password"));
    let right = [("password", "not-a-real-password")];
    let mut tom = server.somebody("onscene", Some(right[0].1));
    tom.says("JOIN #ops");
    tom.hears(" 366 ");
    let outcome = runtime().block_on(server.channel(&[], &right).send(&letter("it is over\n")));
    assert_eq!(outcome.as_str(), "accepted", "{outcome:?}");
    assert!(tom.hears("it is over").starts_with(":onscene_!"));
    let wrong = runtime().block_on(server.channel(&[], &[("password", "another")]).send(&letter("it\n")));
    assert_eq!(wrong, refused("the server does not let us in: a wrong password, or a ban"));
    let texts = [("user", "house")];
    let no_login = runtime().block_on(server.channel(&texts, &right).send(&letter("it\n")));
    assert_eq!(no_login, refused("the server has no login by SASL PLAIN"));
}

#[test]
fn a_certificate_that_nobody_knows_is_no_connection() {
    let server = Server::start(ECHOES, None);
    let other = tempfile::tempdir().unwrap();
    Authority::new(other.path());
    let ca_file = other.path().join("ca.pem");
    let channel = server.channel(&[("ca_file", ca_file.to_str().unwrap())], &[]);
    let outcome = runtime().block_on(channel.send(&letter("it is over\n")));
    let Outcome::Wait { why, .. } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("certificate"), "{why}");
}
