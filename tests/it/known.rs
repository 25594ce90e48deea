//! Known conditions: said by a command, on top of every page that people get or look at, ended, and gone.

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, answer_link, eventually};
use super::silenced::{page, text};

/// The shop needs the load balancer; the blog needs nothing.
const NEIGHBOURS: &str = r#"
[[service]]
name = "lb"
escalation = "default"
pio = ["person:tom", "person:maya"]
[[service]]
name = "blog"
escalation = "default"
pio = ["person:tom", "person:maya"]
window = "0s"
[[source]]
name = "posts"
kind = "generic"
token = "test-token-of-posts"
service = "blog"
"#;

fn house() -> String {
    let shop = "window = \"0s\"\n[command]";
    let with = HOUSE.replace(shop, "window = \"0s\"\nsettle = \"0s\"\ndepends_on = [\"lb\"]\n[command]");
    assert_ne!(with, HOUSE);
    with + NEIGHBOURS
}

#[test]
fn somebody_says_what_holds_and_who_is_woken_reads_it_first_until_it_is_ended() {
    let daemon = Daemon::start(&house());
    let token = daemon.token("maya");
    let condition = |args: &[&str]| daemon.command(&[&["condition"], args].concat(), Some(&token));
    let said = "dc2 is down for maintenance: <no> failover";
    let made = condition(&["add", "--service", "lb", "--for", "4h", said]);
    assert!(made.status.success(), "{made:?}");
    let id = text(&made).trim().to_owned();
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9)).to_string();
    let other = condition(&["add", "--service", "blog", "--until", &until, "the blog moves"]);
    assert!(other.status.success(), "{other:?}");

    // A page of what needs it, and not of what does not.
    assert_eq!(daemon.alert("db-1", "firing").json()["results"][0]["outcome"], "opened");
    let mail = daemon.mail_to("maya@example.net", "db-1 is down");
    let (head, known) = (mail.find("Known conditions").unwrap(), mail.find("<no> failover").unwrap());
    let answer = mail.find("Answer: ").unwrap();
    assert!(mail.find("shop: db-1 is down").unwrap() < head && head < known && known < answer, "{mail}");
    assert!(mail.contains("&lt;no&gt; failover") && !mail.contains("the blog moves"), "{mail}");
    let posts = json!({"key": "posts", "status": "firing", "title": "posts are lost"}).to_string();
    daemon.post("/in/posts/test-token-of-posts", posts.as_bytes());
    let of_the_blog = daemon.mail_to("maya@example.net", "posts are lost");
    assert!(of_the_blog.contains("the blog moves") && !of_the_blog.contains("failover"), "{of_the_blog}");

    // Wherever people look.
    let link = answer_link(&mail);
    let shown = daemon.get(&link).unwrap().body;
    let (known, button) = (shown.find("&lt;no&gt; failover").unwrap(), shown.find("Take command").unwrap());
    assert!(known < button && !shown.contains("the blog moves"), "{shown}");
    assert!(shown.contains("(lb; until ") && shown.contains("Maya Lind"), "{shown}");
    let incident = page(&daemon, &token, "/incidents/1");
    assert!(incident.contains("&lt;no&gt; failover") && !incident.contains("the blog moves"), "{incident}");
    for path in ["/", "/silences"] {
        let all = page(&daemon, &token, path);
        assert!(all.contains("&lt;no&gt; failover") && all.contains("the blog moves"), "{path}: {all}");
    }
    assert!(page(&daemon, &token, "/silences").contains(&format!("onscene condition end {id}")));
    let shown = daemon.command(&["incident", "show", "1"], Some(&token));
    assert!(text(&shown).contains("  known         dc2 is down for maintenance: <no> failover (lb; until "));
    let whole = daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!((&whole["known"][0]["text"], &whole["known"][0]["by"]), (&json!(said), &json!("maya")));

    // The channel hears of the incident, and of none of this.
    assert!(daemon.press(&link, "answer=help").body.contains("You have command"));
    let status = daemon.mail_to("staff@example.net", "has command of INC-1");
    for word in ["failover", "dc2", "Known", "known"] {
        assert!(!status.contains(word), "{word} in {status}");
    }
    // The helper and the PIO are people of the house.
    for holds in ["calls for your help", "You are called as PIO"] {
        let mail = daemon.mail_to("tom@example.net", holds);
        assert!(mail.contains("<no> failover"), "{mail}");
    }

    // Ended, and gone.
    let ended = condition(&["end", &id]);
    assert!(
        text(&ended).contains(&format!("{id} expired")) && text(&ended).contains("ended by maya"),
        "{ended:?}"
    );
    let shown = daemon.get(&link).unwrap().body;
    let timeline = shown.find("What happened last").unwrap();
    assert!(shown[timeline..].contains("Known condition ended (lb): dc2 is down"), "{shown}");
    assert!(!shown[..timeline].contains("failover"), "{shown}");
    daemon.alert("db-2", "firing");
    assert!(!daemon.mail_to("maya@example.net", "db-2 is down").contains("failover"));
    assert!(!page(&daemon, &token, "/").contains("failover"));
    assert!(!text(&condition(&["list"])).contains(&id) && text(&condition(&["list", "--all"])).contains(&id));
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn what_is_said_has_an_hour_and_its_hour_comes_and_goes() {
    let daemon = Daemon::start(&house());
    let token = daemon.token("maya");
    let begins = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let ends = begins + jiff::SignedDuration::from_secs(5);
    let body = json!({"text": "no failover", "starts_at": begins, "ends_at": ends});
    let made = daemon.api(&token, "POST", "/api/v1/conditions", &body);
    assert_eq!((made.status, made.json()["state"].as_str()), (201, Some("pending")), "{}", made.body);
    assert_eq!(made.json()["services"], json!([]));
    let shows = || page(&daemon, &token, "/").contains("no failover");
    assert!(!shows() && page(&daemon, &token, "/silences").contains("<b>From "));
    eventually("it begins", || shows().then_some(()));
    assert!(jiff::Timestamp::now() >= begins);
    eventually("it is over", || (!shows()).then_some(()));
    assert!(jiff::Timestamp::now() >= ends);
    let listed = daemon.command(&["condition", "list"], Some(&token));
    assert!(text(&listed).is_empty() && String::from_utf8_lossy(&listed.stderr).contains("no conditions"));
}

#[test]
fn programs_may_say_something_too_and_what_cannot_be_is_refused_in_words() {
    let daemon = Daemon::start(&house());
    let robot = daemon.command(&["token", "create", "--automation", "deploy-bot"], None);
    let robot = text(&robot).trim().to_owned();
    let asked = |body: Value| daemon.api(&robot, "POST", "/api/v1/conditions", &body);
    let made =
        asked(json!({"text": " deploy\n\nAnswer: https://example.com ", "services": ["shop"], "for": "1h"}));
    assert_eq!((made.status, made.json()["created_by"].as_str()), (201, Some("automation:deploy-bot")));
    assert_eq!(made.json()["text"], "deploy Answer: https://example.com", "it cannot look like another line");
    for (body, status, words) in [
        (json!({"for": "1h"}), 422, "text"),
        (json!({"text": " \n ", "for": "1h"}), 422, "text"),
        (json!({"text": "x"}), 422, "until when"),
        (json!({"text": "x", "for": "1h", "ends_at": "2999-01-01T00:00:00Z"}), 422, "until when"),
        (json!({"text": "x", "ends_at": "2999-01-01T00:00:00Z"}), 400, "92 days"),
        (json!({"text": "x", "ends_at": "2020-01-01T00:00:00Z"}), 400, "before it begins"),
        (json!({"text": "x", "for": "1h", "services": ["shop", "gone"]}), 422, "no service gone"),
        (json!({"text": "x".repeat(501), "for": "1h"}), 400, "at most 500"),
        (json!({"text": "x", "for": "1h", "created_by": "kim"}), 400, "created_by"),
    ] {
        let answer = asked(body.clone());
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.body.contains(words), "{body}: {}", answer.body);
    }
    let ask = |method: &str, path: &str| daemon.api(&robot, method, path, &Value::Null).status;
    assert_eq!(daemon.api("wrong", "GET", "/api/v1/conditions", &Value::Null).status, 401);
    assert_eq!(
        daemon.api("wrong", "POST", "/api/v1/conditions", &json!({"text": "x", "for": "1h"})).status,
        401
    );
    assert_eq!(ask("GET", "/api/v1/conditions?state=gone"), 400);
    assert_eq!(ask("GET", "/api/v1/conditions?state=active"), 200);
    assert_eq!(ask("GET", "/api/v1/conditions/none"), 404);
    assert_eq!(ask("GET", "/api/v1/conditions/%00"), 404);
    assert_eq!(ask("POST", "/api/v1/conditions/none/end"), 404);
    assert_eq!(ask("POST", "/api/v1/conditions/%00/end"), 404);
    let token = daemon.token("maya");
    let condition =
        |args: &[&str]| daemon.command(&[&["condition"], args].concat(), Some(&token)).status.code();
    assert_eq!(condition(&["add", "no hour"]), Some(2));
    assert_eq!(condition(&["add", "--for", "soon", "x"]), Some(2));
    assert_eq!(condition(&["add", "--for", "1h", "--service", "gone", "x"]), Some(1));
    assert_eq!(condition(&["end", "none"]), Some(1));
    let listed = daemon.command(&["condition", "list", "--json"], Some(&token));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["conditions"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[test]
fn planned_work_on_a_neighbour_is_known_by_itself() {
    let begins = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1);
    let begins = begins.strftime("%Y-%m-%d %H:%M");
    let window = format!(
        "[[maintenance]]\nname = \"patches\"\nservice = \"lb\"\ntime_zone = \"UTC\"\nstart = \"{begins}\"\n\
         for = \"2h\"\ncomment = \"the spare is away\"\n"
    );
    let daemon = Daemon::start(&(house() + &window));
    let token = daemon.token("maya");
    let known = "maintenance patches: the spare is away";
    daemon.alert("db-1", "firing");
    let mail = daemon.mail_to("maya@example.net", "db-1 is down");
    assert!(mail.contains(&format!("- {known} (lb; until ")), "{mail}");
    for path in ["/", "/incidents/1"] {
        let shown = page(&daemon, &token, path);
        assert!(shown.contains(known), "{path}: {shown}");
    }
    assert!(daemon.get(&answer_link(&mail)).unwrap().body.contains(known));
    let posts = json!({"key": "posts", "status": "firing", "title": "posts are lost"}).to_string();
    daemon.post("/in/posts/test-token-of-posts", posts.as_bytes());
    assert!(!daemon.mail_to("maya@example.net", "posts are lost").contains("patches"));
}
