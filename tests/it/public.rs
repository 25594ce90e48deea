//! The public listener of the real binary: what is there, what is not, and that it goes on when the store does not.

use std::net::SocketAddr;

use super::away::{behind_a_way, is_away};
use super::harness::{Answer, Daemon, HOUSE, eventually, free_port, on_a_file, request};
use super::way::CUTS;

const PATHS: [&str; 10] = [
    "/",
    "/history",
    "/feed.atom",
    "/feed.json",
    "/status.json",
    "/api/v2/summary.json",
    "/api/v2/status.json",
    "/api/v2/components.json",
    "/api/v2/incidents/unresolved.json",
    "/api/v2/scheduled-maintenances.json",
];

/// A house with a public page, and where that is.
fn house(of: &str) -> (String, SocketAddr) {
    let port = free_port();
    let public = format!("public_listen = \"127.0.0.1:{port}\"\n");
    let page = "[public]\ntitle = \"Example status\"\nurl = \"https://status.example.net\"\n[store]";
    let config = of
        .replacen("answer_after = \"0s\"\n", &format!("answer_after = \"0s\"\n{public}"), 1)
        .replacen("[store]", page, 1)
        .replacen("name = \"shop\"\n", "name = \"shop\"\npublic_name = \"Online shop\"\n", 1);
    (config, format!("127.0.0.1:{port}").parse().unwrap())
}

fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[], b"").unwrap_or_else(|| panic!("nobody answers at {address}"))
}

fn is_up(address: SocketAddr) {
    eventually("the public page is up", || {
        request(address, "GET", "/", &[], b"").filter(|answer| answer.status == 200)
    });
}

#[test]
fn the_public_listener_has_the_page_and_nothing_else() {
    let (config, public) = house(HOUSE);
    let daemon = Daemon::start(&config);
    daemon.alert("db-1.internal.example.net", "firing");
    daemon.mail_to("maya@example.net", "db-1");
    is_up(public);
    for path in PATHS {
        let answer = get(public, path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(!answer.body.contains("db-1") && !answer.body.contains("INC-"), "{path}: {}", answer.body);
        assert!(!answer.head.to_lowercase().contains("set-cookie"), "{path}: {}", answer.head);
        assert!(
            answer.head.contains("etag: \"") && answer.head.contains("cache-control: public, max-age=30"),
            "{}",
            answer.head
        );
    }
    let page = get(public, "/").body;
    assert!(page.contains("Online shop") && page.contains("All systems operational"), "{page}");
    let token = daemon.token("maya");
    let bearer = format!("Bearer {token}");
    for path in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/login",
        "/oncall",
        "/incidents/1",
        "/api/v1/incidents",
        "/in/scripts",
        "/r/x",
    ] {
        let answer = request(public, "GET", path, &[("Authorization", &bearer)], b"").unwrap();
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    let posted = request(public, "POST", "/in/scripts/test-token-of-scripts", &[], b"{}").unwrap();
    assert_eq!(posted.status, 405);
    assert!(posted.head.contains("allow: GET, HEAD"), "{}", posted.head);
    let head = request(public, "HEAD", "/", &[], b"").unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains(&format!("content-length: {}", page.len())), "{}", head.head);
    // And the other way round.
    assert_eq!(daemon.get("/status.json").unwrap().status, 404);
    assert_eq!(daemon.get("/feed.atom").unwrap().status, 404);
}

#[test]
fn a_crowd_of_readers_takes_no_connection_from_those_who_respond() {
    let (config, public) = house(HOUSE);
    let config = config.replacen("answer_after", "public_connections_max = 16\nanswer_after", 1);
    let daemon = Daemon::start(&config);
    is_up(public);
    // They hold every place there is, and say nothing.
    let crowd: Vec<_> = (0..64).map(|_| std::net::TcpStream::connect(public).unwrap()).collect();
    for n in 0..20 {
        assert_eq!(daemon.alert(&format!("db-{n}"), "firing").status, 202);
    }
    assert_eq!(daemon.get("/readyz").unwrap().status, 200);
    drop(crowd);
    is_up(public);
}

#[test]
fn the_page_goes_on_when_the_file_of_the_store_is_gone() {
    let (config, public) = house(&on_a_file(HOUSE));
    let daemon = Daemon::start(&config);
    is_up(public);
    let before: Vec<String> = PATHS.iter().map(|path| get(public, path).head).collect();
    for name in ["onscene.db", "onscene.db-wal", "onscene.db-shm"] {
        let file = daemon.directory.join(name);
        if file.exists() {
            std::fs::rename(&file, daemon.directory.join(format!("{name}.gone"))).unwrap();
        }
    }
    for (path, before) in PATHS.iter().zip(before) {
        let answer = get(public, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(tag(&answer.head), tag(&before), "{path}");
    }
}

#[test]
fn a_node_that_starts_while_the_store_is_away_shows_the_page_all_the_same() {
    let (mut daemon, way) = behind_a_way("");
    let (config, public) = house(&std::fs::read_to_string(&daemon.config).unwrap());
    std::fs::write(&daemon.config, config).unwrap();
    daemon.go();
    is_up(public);
    eventually("the page is kept", || daemon.directory.join("spool/public/page.json").exists().then_some(()));
    way.is(CUTS);
    is_away(&daemon);
    assert_eq!(get(public, "/").status, 200);
    daemon.kill();
    daemon.go();
    is_up(public);
    let page = get(public, "/").body;
    assert!(page.contains("Online shop"), "{page}");
}

fn tag(head: &str) -> String {
    head.lines().find(|line| line.to_lowercase().starts_with("etag: ")).unwrap_or_default().to_owned()
}

#[test]
fn what_cannot_be_is_said_before_a_port_is_bound() {
    let (config, _) = house(HOUSE);
    for (from, to, said) in [
        (
            "url = \"https://status.example.net\"",
            "url = \"status.example.net\"",
            "`url` of [public] begins with https://",
        ),
        ("title = \"Example status\"", "title = \"\"", "`title` is one line"),
        ("title = \"Example status\"", "contact = \"nobody\"", "`contact` is an address"),
        ("title = \"Example status\"", "titel = \"x\"", "title"),
        (
            "public_listen = \"127.0.0.1:",
            "public_listen = \"localhost:",
            "`public_listen` is an address with a port",
        ),
        (
            "[[channel]]\n",
            "[[channel]]\nname = \"page\"\nkind = \"site\"\naudience = \"public\"\ndirectory = \"here\"\n[[channel]]\n",
            "whole path",
        ),
    ] {
        assert!(config.contains(from), "{from}");
        let daemon = Daemon::prepare(&config.replacen(from, to, 1));
        let checked = daemon.command(&["check"], None);
        let said_by_it =
            String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.code() == Some(64) && said_by_it.contains(said), "{to}: {said_by_it}");
    }
    let same = HOUSE.replacen("answer_after", "public_listen = \"127.0.0.1:PORT\"\nanswer_after", 1);
    let checked = Daemon::prepare(&same).command(&["check"], None);
    assert!(
        String::from_utf8_lossy(&checked.stderr).contains("another address than `listen`"),
        "{checked:?}"
    );
    let alone = HOUSE.replacen("[[channel]]", "[[channel]]\nname = \"page\"\nkind = \"site\"\naudience = \"public\"\ndirectory = \"/srv/x\"\n[[channel]]", 1);
    let checked = Daemon::prepare(&alone).command(&["check"], None);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("add [public]"), "{checked:?}");
}
