//! Ways to persons as their services are called and call back: a server of the test's own in the place of each, answering with the
//! shapes that they have published.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use onscene::clock::Clock;
use onscene::crypto;
use onscene::store::{Connection, StoreError};
use serde_json::{Value, json};

use super::harness::{Answer, Daemon, FORM, HOUSE, eventually, request};

const TOKEN: &str = "twilio-token-of-the-test";
const SLACK: &str = "slack-secret-of-the-test";
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const MAYA: &str = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG";

type Form = BTreeMap<String, String>;

/// All services at one address: what each was asked, in order.
struct Services {
    port: u16,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Services {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let kept = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    loop {
                        let (mut first, mut length, mut line) = (String::new(), 0, String::new());
                        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                            if first.is_empty() {
                                first = line.split(' ').nth(1).unwrap_or_default().to_owned();
                            }
                            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                                length = value.trim().parse().unwrap();
                            }
                            line.clear();
                        }
                        let mut body = vec![0; length];
                        if first.is_empty() || reader.read_exact(&mut body).is_err() {
                            return;
                        }
                        let answer = answer_of(&first);
                        kept.lock().unwrap().push((first, String::from_utf8(body).unwrap()));
                        let status = if answer.contains("\"queued\"") { "201 Created" } else { "200 OK" };
                        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", answer.len());
                        let _gone = reader.get_mut().write_all(format!("{head}{answer}").as_bytes());
                    }
                });
            }
        });
        Self { port, asked }
    }

    /// The bodies of what came to addresses that hold this.
    fn at(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(at, _)| at.contains(path)).map(|(_, body)| body.clone()).collect()
    }

    fn form_at(&self, path: &str) -> Form {
        form(&eventually(path, || self.at(path).pop()))
    }
}

fn answer_of(path: &str) -> String {
    let of = |name: &str| std::fs::read_to_string(format!("tests/fixtures/channels/{name}.json")).unwrap();
    match path {
        path if path.ends_with("/Messages.json") => of("twilio-sms/queued"),
        path if path.ends_with("/Calls.json") => of("twilio-voice/queued"),
        path if path.contains("/receipts/") => of("pushover/canceled"),
        path if path.starts_with("/1/") => of("pushover/emergency"),
        path if path.starts_with("/api/") => of("slack/ok"),
        _ => "ok".to_owned(),
    }
}

fn form(body: &str) -> Form {
    let text = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned()
    };
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (text(name), text(value))).collect()
}

struct House {
    services: Services,
    daemon: Daemon,
    token: String,
}

impl House {
    /// Maya is reached by these of the ways, after mail.
    fn with(ways: &[(&str, &str)]) -> Self {
        let services = Services::start();
        let url = format!("http://127.0.0.1:{}", services.port);
        let own = format!("api_url = \"{url}\"\nprivate_addresses = \"allow\"\n");
        let twilio = format!(
            "account_sid = \"{ACCOUNT}\"\nkey_sid = \"SK0123456789abcdef0123456789abcdef\"\nkey_secret_file = \"DIR/secret\"\n\
             from = \"+4759440000\"\n{own}"
        );
        let all = format!(
            "[answers]\ntwilio_auth_token_file = \"DIR/twilio\"\nslack_signing_secret_file = \"DIR/slack\"\n\
             [[way]]\nname = \"sms\"\nkind = \"twilio-sms\"\n{twilio}\
             [[way]]\nname = \"call\"\nkind = \"twilio-voice\"\n{twilio}\
             [[way]]\nname = \"push\"\nkind = \"pushover\"\ntoken_file = \"DIR/secret\"\n{own}\
             [[way]]\nname = \"chat\"\nkind = \"slack\"\ntoken_file = \"DIR/secret\"\nhooks_url = \"{url}\"\n{}",
            own.replace(&url, &format!("{url}/api"))
        );
        let maya = "email = \"maya@example.net\"\n";
        let ways: Vec<String> =
            ways.iter().map(|(way, to)| format!("{{ way = \"{way}\", to = \"{to}\" }}")).collect();
        let house = HOUSE.replacen(maya, &format!("{maya}ways = [{}]\n", ways.join(", ")), 1);
        let mut daemon = Daemon::prepare(&format!("{house}{all}"));
        for (name, secret) in [("twilio", TOKEN), ("slack", SLACK), ("secret", "not-a-real-secret")] {
            let path = daemon.directory.join(name);
            std::fs::write(&path, secret).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        daemon.go();
        let token = daemon.token("tom");
        Self { services, daemon, token }
    }

    /// Calls an address of ours as Twilio does, which signs it with every field.
    fn by_twilio(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let mut fields = [fields, &[("AccountSid", ACCOUNT), ("ApiVersion", "2010-04-01")]].concat();
        fields.sort_unstable();
        let mut signed = url.to_owned();
        fields.iter().for_each(|(name, value)| signed.push_str(&format!("{name}{value}")));
        let tag = crypto::base64(&crypto::hmac_sha1(TOKEN.as_bytes(), &[signed.as_bytes()]));
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let path = url.split_once(&self.daemon.address.to_string()).unwrap().1;
        let headers = [FORM, ("X-Twilio-Signature", &tag)];
        request(self.daemon.address, "POST", path, &headers, body.join("&").as_bytes()).unwrap()
    }

    fn replies(&self, text: &str, sid: &str) -> String {
        let url = format!("http://{}/answers/twilio/sms", self.daemon.address);
        let said = self.by_twilio(&url, &[("From", "+4712345678"), ("Body", text), ("MessageSid", sid)]);
        assert_eq!(said.status, 200, "{said:?}");
        said.body
    }

    fn shown(&self, path: &str) -> Value {
        self.daemon.api(&self.token, "GET", path, &Value::Null).json()
    }

    fn commander(&self) -> Value {
        self.shown("/api/v1/incidents/1")["commander"]["person"].clone()
    }

    /// Each way of the page of somebody: its state, and what was told of it.
    fn ways_of(&self, person: &str) -> Vec<String> {
        let pages = self.shown("/api/v1/incidents/1/pages");
        let mut pages = pages["pages"].as_array().unwrap().iter();
        let page = pages.rfind(|page| page["person"] == person && page["kind"] == "page").unwrap();
        let word = |leg: &Value, name: &str| leg[name].as_str().unwrap_or("-").to_owned();
        let ways = page["ways"].as_array().unwrap().iter();
        ways.map(|leg| format!("{} {} {}", word(leg, "way"), word(leg, "state"), word(leg, "reported")))
            .collect()
    }

    fn timeline(&self) -> String {
        self.daemon.api(&self.token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).body
    }
}

#[test]
fn a_reply_with_the_code_in_the_message_takes_command_and_the_number_alone_does_not() {
    let house = House::with(&[("sms", "+4712345678")]);
    house.daemon.alert("db-1", "firing");
    let sent = house.services.form_at("/Messages.json");
    let text = &sent["Body"];
    let code = text.split_once("Reply 1 ").unwrap().1.split(':').next().unwrap().to_owned();
    assert!(text.ends_with(&format!(
        "Reply 1 {code}: take command, 2 {code}: and call for help, 9 {code}: I can't."
    )));
    eventually("the message was taken", || {
        house.ways_of("maya").contains(&"sms accepted -".to_owned()).then_some(())
    });
    let forged = house.replies("1", "SMforged");
    assert!(forged.contains(&format!("INC-1: reply 1 {code} to take command")), "{forged}");
    assert_eq!(house.commander(), Value::Null);
    let taken = house.replies(&format!("1 {code}"), "SM1");
    assert!(taken.contains("INC-1 shop: You have command."), "{taken}");
    assert_eq!(house.commander(), "maya");
    assert!(house.daemon.verify().contains("whole"));
}

#[test]
fn twilio_tells_what_became_of_it_and_a_page_that_reached_nobody_wakes_the_next_people_at_once() {
    let house = House::with(&[("sms", "+4712345678"), ("call", "+4712345678")]);
    house.daemon.alert("db-1", "firing");
    let (sms, call) = (house.services.form_at("/Messages.json"), house.services.form_at("/Calls.json"));
    let to = ("To", "+4712345678");
    let told = |at: &Form, fields: &[(&str, &str)]| {
        let said = house.by_twilio(&at["StatusCallback"], &[fields, &[to]].concat());
        assert_eq!((said.status, said.body.as_str()), (204, ""), "{said:?}");
    };
    let both = ["mail accepted -", "sms accepted -", "call accepted -"];
    eventually("all were taken", || (house.ways_of("maya") == both).then_some(()));
    for word in ["queued", "sending", "sent"] {
        told(&sms, &[("MessageSid", "SM1"), ("MessageStatus", word)]);
    }
    assert_eq!(house.ways_of("maya")[1], "sms accepted sent");
    told(&sms, &[("MessageSid", "SM1"), ("MessageStatus", "delivered")]);
    told(&sms, &[("MessageSid", "SM1"), ("MessageStatus", "delivered")]);
    told(&call, &[("CallSid", "CA1"), ("CallStatus", "no-answer")]);
    assert_eq!(
        house.ways_of("maya"),
        ["mail accepted -", "sms accepted delivered", "call refused no-answer"]
    );
    let timeline = house.timeline();
    for line in ["page to maya: delivered (by sms)", "page to maya: refused (by call: no-answer)"] {
        assert_eq!(timeline.matches(line).count(), 1, "{line} in {timeline}");
    }
    let page = super::silenced::page(&house.daemon, &house.token, "/incidents/1");
    assert!(page.contains("sms accepted (delivered)"), "{page}");
    // Somebody who only knows the address tells nothing.
    let path = sms["StatusCallback"].split_once(&house.daemon.address.to_string()).unwrap().1;
    let body = format!("MessageStatus=failed&To=%2B4712345678&AccountSid={ACCOUNT}");
    let unsigned = request(house.daemon.address, "POST", path, &[FORM], body.as_bytes()).unwrap();
    assert_eq!(unsigned.status, 401);
    assert!(house.daemon.verify().contains("whole"));

    // Her relay would not take her mail: the telephone is all that is left.
    let house = House::with(&[("sms", "+4712345678")]);
    house.daemon.alert("db-1", "firing");
    let sms = house.services.form_at("/Messages.json");
    let both = ["mail accepted -", "sms accepted -"];
    eventually("both were taken", || (house.ways_of("maya") == both).then_some(()));
    let mut store = Connection::writer(&house.daemon.place(), &Clock::system()).unwrap();
    let refused = "update letter set state = 'refused', why = '550 no such user' where person = 'maya' and channel = ''";
    let written: Result<(), StoreError> = store.write(Clock::system().now(), |tx| tx.write(refused, &[]));
    written.unwrap();
    let said = house.by_twilio(
        &sms["StatusCallback"],
        &[("MessageSid", "SM1"), ("MessageStatus", "undelivered"), ("ErrorCode", "30003"), to],
    );
    assert_eq!(said.status, 204);
    assert_eq!(house.ways_of("maya")[1], "sms bounced undelivered");
    let lost = "the page did not reach maya: by mail: 550 no such user; by sms: undelivered (30003)";
    assert!(house.timeline().contains(lost), "{}", house.timeline());
    house.daemon.mail_to("tom@example.net", "X-Page-Attempt: 1");
    assert!(house.daemon.verify().contains("whole"));
}

#[test]
fn a_test_by_telephone_is_confirmed_by_the_key() {
    let house = House::with(&[("call", "+4712345678")]);
    let tested = house.daemon.command(&["oncall", "test", "maya"], Some(&house.token));
    assert!(tested.status.success(), "{tested:?}");
    let call = house.services.form_at("/Calls.json");
    let twiml = &call["Twiml"];
    assert!(twiml.contains("Press 1 to say that it did."), "{twiml}");
    let action = twiml.split_once("action=\"").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    let key = |digits: &str, to: &str| {
        let fields = [
            ("CallSid", "CA1"),
            ("From", "+4759440000"),
            ("To", to),
            ("Digits", digits),
            ("AnsweredBy", "human"),
        ];
        house.by_twilio(&action, &fields).body
    };
    let confirmed = || {
        let people = house.shown("/api/v1/people");
        let maya =
            people["people"].as_array().unwrap().iter().find(|one| one["person"] == "maya").unwrap().clone();
        let mut ways = maya["ways"].as_array().unwrap().iter();
        let call = ways.find(|one| one["way"] == "call").unwrap();
        call["confirmed_at"].is_string()
    };
    assert!(key("5", "+4712345678").contains("Press 1 to say that this test has reached you."));
    assert!(key("1", "+4799999999").contains("that page was for somebody else"));
    assert!(!confirmed());
    let thanks = key("1", "+4712345678");
    assert!(thanks.contains("this test has reached you"), "{thanks}");
    assert!(confirmed());
}

#[test]
fn a_press_in_slack_is_answered_where_it_was_pressed_also_when_nothing_was_decided() {
    let house = House::with(&[("chat", "U0123456789")]);
    house.daemon.alert("db-1", "firing");
    let posted = eventually("a page", || house.services.at("/api/chat.postMessage").pop());
    let posted: Value = serde_json::from_str(&posted).unwrap();
    let delivery = posted.to_string();
    let delivery = delivery.split_once("\"value\":\"").unwrap().1.split('"').next().unwrap().to_owned();
    let press = |user: &str, hook: &str| {
        let payload = std::fs::read_to_string("tests/fixtures/answers/slack/button.json").unwrap();
        let payload = payload.replace("ACTION", "take").replace("DELIVERY", &delivery);
        let payload = payload.replace("U0123456789", user);
        let payload = payload.replace("https://hooks.slack.com/actions/T0123456789/1/none", hook);
        let body = format!(
            "payload={}",
            percent_encoding::utf8_percent_encode(&payload, percent_encoding::NON_ALPHANUMERIC)
        );
        let hour = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
        let signed = [b"v0:", hour.as_bytes(), b":", body.as_bytes()].concat();
        let tag = format!("v0={}", crypto::hex(&crypto::hmac_sha256(SLACK.as_bytes(), &[&signed])));
        let headers = [FORM, ("X-Slack-Signature", tag.as_str()), ("X-Slack-Request-Timestamp", &hour)];
        request(house.daemon.address, "POST", "/answers/slack", &headers, body.as_bytes()).unwrap().status
    };
    let hook = format!("http://127.0.0.1:{}/actions/T0123456789/1/none", house.services.port);
    let said = |count: usize| eventually("words", || house.services.at("/actions/").get(count - 1).cloned());
    assert_eq!(press("U0999999999", &hook), 503, "Slack shows that it failed, should the words be lost");
    let whispered: Value = serde_json::from_str(&said(1)).unwrap();
    assert_eq!(
        (&whispered["response_type"], &whispered["replace_original"]),
        (&json!("ephemeral"), &json!(false))
    );
    assert!(whispered["text"].as_str().unwrap().contains("that page was for somebody else"), "{whispered}");
    // Anywhere else nothing is said.
    for elsewhere in ["http://127.0.0.1:9/actions/1", "https://example.net/actions/1", "no address"] {
        assert_eq!(press("U0999999999", elsewhere), 503, "{elsewhere}");
    }
    assert_eq!(house.commander(), Value::Null);
    assert_eq!(press("U0123456789", &hook), 200);
    assert!(said(2).contains("INC-1 shop: You have command."), "{}", said(2));
    assert_eq!(house.services.at("/actions/").len(), 2);
    assert_eq!(house.commander(), "maya");
}

#[test]
fn what_sounds_on_by_pushover_ends_when_somebody_else_has_it() {
    let house = House::with(&[("push", MAYA)]);
    house.daemon.alert("db-1", "firing");
    let page = house.services.form_at("/1/messages.json");
    assert_eq!(page["priority"], "2");
    eventually("it was taken", || {
        house.ways_of("maya").contains(&"push accepted -".to_owned()).then_some(())
    });
    assert!(house.services.at("/receipts/").is_empty());
    let acked = house.daemon.command(&["incident", "ack", "1"], Some(&house.token));
    assert!(acked.status.success(), "{acked:?}");
    let ended = house.services.form_at(&format!("/1/receipts/cancel_by_tag/{}.json", page["tags"]));
    assert_eq!(ended["token"], "not-a-real-secret");
    assert_eq!(house.ways_of("maya")[1], "push accepted ended");
    // She is asked for a statement meanwhile, which is another page, and sounds on.
    let second = eventually("a page for the PIO", || house.services.at("/1/messages.json").get(1).cloned());
    assert!(second.contains("priority=2") && !second.contains(&page["tags"]), "{second}");
    assert_eq!((house.services.at("/1/messages.json").len(), house.services.at("/receipts/").len()), (2, 1));
    assert!(!house.timeline().contains("hush"), "{}", house.timeline());
    assert!(house.daemon.verify().contains("whole"));
}
