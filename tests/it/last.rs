//! What people see while the shared store is away: the last known state, with its age, and never for the present.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::away::{behind_a_way, is_away, is_back};
use super::harness::{Answer, Daemon, answer_link, cookie_in, eventually, press, request};
use super::way::{CUTS, PASSES, STALLS, Way};

/// An answer from the mirror needs no more than this, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A daemon with an incident that maya commands, and what people hold in their hands.
struct Held {
    daemon: Daemon,
    way: Way,
    token: String,
    revoked: String,
    link: String,
}

impl Held {
    fn new() -> Self {
        let (mut daemon, way) = behind_a_way("");
        daemon.go();
        let (token, revoked) = (daemon.token("maya"), daemon.token("tom"));
        assert_eq!(daemon.alert("db-1", "firing").status, 202);
        let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
        assert_eq!(press(daemon.address, &link, "answer=take").unwrap().status, 200);
        let condition = serde_json::json!({"text": "no failover <now>", "services": ["shop"], "for": "2h"});
        assert_eq!(daemon.api(&token, "POST", "/api/v1/conditions", &condition).status, 201);
        let hour = |hours| jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        let stands_in = serde_json::json!({"rotation": "sre", "person": "tom", "reason": "the <dentist>",
            "starts_at": hour(1), "ends_at": hour(2)});
        assert_eq!(daemon.api(&token, "POST", "/api/v1/overrides", &stands_in).status, 201);
        let silence = serde_json::json!({"matchers": "key=\"db-9\"", "for": "2h", "comment": "new disks"});
        assert_eq!(daemon.api(&token, "POST", "/api/v1/silences", &silence).status, 201);
        assert_eq!(daemon.alert("db-9", "firing").json()["results"][0]["outcome"], "suppressed");
        let id = daemon.command(&["token", "list", "--json"], None);
        let listed: Value = serde_json::from_slice(&id.stdout).unwrap();
        let tokens = listed["tokens"].as_array().or(listed.as_array()).unwrap();
        let tom = tokens.iter().find(|token| token["person"] == "tom").unwrap();
        daemon.cookie(&token);
        let gone = daemon.command(&["token", "revoke", tom["id"].as_str().unwrap()], None);
        assert!(gone.status.success(), "{gone:?}");
        let held = Self { daemon, way, token, revoked, link };
        held.is_copied();
        held
    }

    /// Everything that was done until now is in the mirror.
    fn is_copied(&self) {
        let done = Instant::now();
        eventually("it is copied", || {
            let age = self.daemon.metric("onscene_mirror_age_seconds");
            (age + 0.5 < done.elapsed().as_secs_f64()).then_some(())
        });
    }

    fn page(&self, token: &str, path: &str) -> Answer {
        let cookie = self.daemon.cookie(token);
        request(self.daemon.address, "GET", path, &[("Cookie", &cookie)], b"").unwrap()
    }

    fn ask(&self, path: &str) -> Answer {
        self.daemon.api(&self.token, "GET", path, &Value::Null)
    }

    /// The first to ask may have to wait; from then on nobody does.
    fn is_noticed(&self) {
        eventually("it is seen", || self.is_stale().then_some(()));
    }

    fn is_stale(&self) -> bool {
        age(&self.ask("/api/v1/incidents/1")).is_some()
    }

    fn is_present_again(&self) {
        eventually("what is shown is the present", || (!self.is_stale()).then_some(()));
    }

    /// Everything is shown as it was, says so, and nobody waits for it.
    fn shows_what_was_known(&self) {
        let token = &self.token;
        for (path, words) in [
            ("/", "db-1 is down"),
            ("/incidents/1", "Maya Lind has command"),
            (self.link.as_str(), "You have command"),
            ("/", "no failover &lt;now&gt;"),
            ("/incidents/1", "no failover &lt;now&gt;"),
            (self.link.as_str(), "no failover &lt;now&gt;"),
            ("/silences", "no failover &lt;now&gt;"),
            ("/silences", "new disks"),
            ("/oncall", "the &lt;dentist&gt;"),
            // Which alerts that holds is not in the copy.
            ("/silences", "cannot be seen now"),
        ] {
            let began = Instant::now();
            let page = self.page(token, path);
            assert!(began.elapsed() < AT_ONCE, "{path}: {:?}", began.elapsed());
            assert_eq!(page.status, 200, "{path}: {page:?}");
            assert!(page.body.contains(words), "{path}: {}", page.body);
            for banner in ["The store cannot be reached", " ago</b>", "this machine holds them"] {
                assert!(page.body.contains(banner), "{path}: {banner}: {}", page.body);
            }
            assert!(age(&page).is_some(), "{path}: {}", page.head);
        }
        let answer = self.page(token, &self.link).body;
        assert!(answer.contains("There are no buttons now") && !answer.contains("<button"), "{answer}");
        assert!(answer.contains("meet.example.net"), "{answer}");
        for (path, words) in [
            ("/api/v1/incidents?state=open", "db-1 is down"),
            ("/api/v1/incidents/1", "\"commander\":{"),
            ("/api/v1/incidents/1/timeline", "command_taken"),
            ("/api/v1/command", "\"person\":\"maya\""),
            ("/api/v1/conditions", "no failover <now>"),
            ("/api/v1/silences", "\"held\":null"),
            ("/api/v1/overrides", "the <dentist>"),
            ("/api/v1/oncall", "\"person\":\"maya\""),
            ("/api/v1/oncall/preview?service=shop", "[\"tom\"]"),
        ] {
            let began = Instant::now();
            let answer = self.ask(path);
            assert!(began.elapsed() < AT_ONCE, "{path}: {:?}", began.elapsed());
            assert!(answer.status == 200 && answer.body.contains(words), "{path}: {answer:?}");
            assert!(age(&answer).is_some() && header(&answer, "onscene-as-of").is_some(), "{}", answer.head);
        }
        // What is not known is not said to be nowhere.
        assert_eq!(self.ask("/api/v1/incidents/99").status, 503);
        assert_eq!(self.page(token, "/incidents/99").status, 503);
        let page = self.page(token, "/oncall").body;
        assert!(!page.contains("method=\"post\""), "nothing can be written down: {page}");
        for path in ["/api/v1/silences", "/api/v1/conditions", "/api/v1/overrides"] {
            let listed = self.ask(path).json();
            let one = listed.as_object().unwrap().values().next().unwrap()[0].clone();
            let shown = self.ask(&format!("{path}/{}", one["id"].as_str().unwrap()));
            assert!(shown.status == 200 && age(&shown).is_some(), "{shown:?}");
            assert_eq!(self.ask(&format!("{path}/none")).status, 503);
        }
        assert_eq!(self.page(token, "/r/nobodys-link-abcdefghij").status, 503);
        // Who may not look may not look.
        let revoked = self.daemon.api(&self.revoked, "GET", "/api/v1/incidents", &Value::Null);
        assert_eq!(revoked.status, 401, "{revoked:?}");
        assert_eq!(self.page(&self.revoked, "/").status, 303);
        assert_eq!(self.page("nobodys", "/incidents/1").status, 303);
        // Logging in works, and nothing can be done.
        let form = format!("token={token}");
        let login = request(self.daemon.address, "POST", "/login", &[], form.as_bytes()).unwrap();
        let cookie = cookie_in(&login).unwrap_or_else(|| panic!("{login:?}"));
        let looks = request(self.daemon.address, "GET", "/", &[("Cookie", &cookie)], b"").unwrap();
        assert!(login.status == 303 && looks.status == 200, "{looks:?}");
        assert!(looks.body.contains("db-1 is down"), "{}", looks.body);
        let began = Instant::now();
        let refused = press(self.daemon.address, &self.link, "answer=resolve&term=1").unwrap();
        assert!(refused.status == 503 && refused.body.contains("act as if you have command"), "{refused:?}");
        let act = serde_json::json!({"text": "nobody hears this"});
        let act = self.daemon.api(token, "POST", "/api/v1/incidents/1/note", &act);
        assert!(act.status == 503 && act.body.contains("nothing was changed"), "{act:?}");
        assert!(began.elapsed() < AT_ONCE * 3, "{:?}", began.elapsed());
        // The command says so on standard error, and its output stays what it is.
        let list = self.daemon.command(&["incident", "list"], Some(token));
        let (said, shown) = (String::from_utf8_lossy(&list.stderr), String::from_utf8_lossy(&list.stdout));
        assert!(list.status.success() && shown.contains("db-1 is down"), "{list:?}");
        assert!(said.contains("cannot reach its store") && !shown.contains("cannot reach"), "{said}");
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn age(answer: &Answer) -> Option<u64> {
    header(answer, "age").map(|age| age.parse().unwrap())
}

#[test]
fn pages_and_the_api_show_the_last_known_state_while_the_store_is_away_and_after_a_kill() {
    let mut held = Held::new();
    held.way.is(CUTS);
    held.is_noticed();
    held.shows_what_was_known();
    is_away(&held.daemon);
    let first = age(&held.ask("/api/v1/incidents/1")).unwrap();
    let older =
        eventually("it grows old", || age(&held.ask("/api/v1/incidents/1")).filter(|age| *age > first + 1));
    assert!(held.daemon.metric("onscene_mirror_age_seconds") >= older as f64);
    assert_eq!(held.daemon.alert("meanwhile", "firing").json()["held"], true);
    held.daemon.kill();
    held.daemon.go();
    held.is_noticed();
    held.shows_what_was_known();
    assert!(age(&held.ask("/api/v1/incidents/1")).unwrap() >= older);
    held.way.is(PASSES);
    is_back(&held.daemon);
    held.is_present_again();
    eventually("what was held is shown", || {
        let page = held.page(&held.token, "/");
        assert!(!page.body.contains("cannot be reached"), "{}", page.body);
        page.body.contains("meanwhile is down").then_some(())
    });
    held.is_copied();
    assert!(held.daemon.verify().contains("whole"));
    let mode = std::fs::metadata(held.daemon.directory.join("spool/mirror.db")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
}

#[test]
fn nobody_waits_for_a_way_that_swallows_everything() {
    let held = Held::new();
    held.way.is(STALLS);
    let began = Instant::now();
    assert!(held.is_stale(), "who asks first is answered from the last known state, too");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // A minute of it is what people live through; a few rounds show that it stays so.
    for _ in 0..3 {
        held.shows_what_was_known();
        std::thread::sleep(Duration::from_secs(2));
    }
    held.way.is(PASSES);
    is_back(&held.daemon);
    held.is_present_again();
    let note = serde_json::json!({"text": "it is back"});
    assert_eq!(held.daemon.api(&held.token, "POST", "/api/v1/incidents/1/note", &note).status, 200);
    assert!(held.ask("/api/v1/incidents/1/timeline").body.contains("it is back"));
}

#[test]
fn what_was_known_of_another_database_is_not_shown() {
    let mut held = Held::new();
    held.daemon.kill();
    held.way.is(CUTS);
    let text = std::fs::read_to_string(&held.daemon.config).unwrap();
    let (before, after) = text.split_once("/it_").unwrap();
    std::fs::write(&held.daemon.config, format!("{before}/another_{after}")).unwrap();
    held.daemon.go();
    let page = held.page(&held.token, "/incidents/1");
    assert!(page.status == 503 && !page.body.contains("db-1"), "{page:?}");
    assert_eq!(held.ask("/api/v1/incidents/1").status, 503);
}
