//! Answers to pages by text message, by a key during a call, and by buttons in chats, as the services send them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use onscene::clock::Clock;
use onscene::crypto;
use onscene::store::{Connection, StoreError};
use serde_json::{Value, json};

use super::harness::{Answer, Daemon, FORM, HOUSE, answer_link, eventually, press, request};

const TOKEN: &str = "twilio-token-of-the-test";
const SLACK: &str = "slack-secret-of-the-test";
const OLD: &str = "an old secret of slack";
const MATTERMOST: &str = "mattermost-secret-of-the-test";
const TELEGRAM: &str = "telegram_word_of_the_test";
const PHONE: &str = "+4712345678";
const WAYS: [&str; 6] = ["twilio/sms", "twilio/voice", "twilio/status", "slack", "mattermost", "telegram"];

struct Paged {
    daemon: Daemon,
    delivery: String,
    token: String,
}

impl Paged {
    /// Maya was paged, at an address of one of her ways.
    fn at(address: &str) -> Self {
        let ways = "[answers]\ntwilio_auth_token_file = \"DIR/twilio\"\nslack_signing_secret_file = \"DIR/slack\"\n\
                    mattermost_secret_file = \"DIR/mattermost\"\ntelegram_secret_file = \"DIR/telegram\"\n\
                    [[way]]\nname = \"sms\"\nkind = \"twilio-sms\"\naccount_sid = \"AC0123456789abcdef0123456789abcdef\"\n\
                    key_sid = \"SK0123456789abcdef0123456789abcdef\"\nkey_secret_file = \"DIR/twilio\"\nfrom = \"+4759440000\"\n";
        let mut daemon = Daemon::prepare(&format!("{HOUSE}{ways}"));
        let slack = format!("{OLD}\n{SLACK}");
        for (name, secret) in
            [("twilio", TOKEN), ("slack", &slack), ("mattermost", MATTERMOST), ("telegram", TELEGRAM)]
        {
            let path = daemon.directory.join(name);
            std::fs::write(&path, secret).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        daemon.go();
        daemon.alert("db-1", "firing");
        daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
        let token = daemon.token("tom");
        let mut paged = Self { daemon, delivery: String::new(), token };
        paged.delivery = paged.reaches("maya", address);
        paged
    }

    /// The pages of somebody went to an address; the id of the newest.
    fn reaches(&self, person: &str, address: &str) -> String {
        let mut store = Connection::writer(&self.daemon.place(), &Clock::system()).unwrap();
        let written: Result<Option<String>, StoreError> = store.write(Clock::system().now(), |tx| {
            tx.write("update letter set address = ?2 where person = ?1", &[person.into(), address.into()])?;
            let newest = "select id from letter where person = ?1 order by seq desc limit 1";
            tx.query_one(newest, &[person.into()], |row| row.text(0))
        });
        written.unwrap().unwrap()
    }

    fn post(&self, way: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        request(self.daemon.address, "POST", &format!("/answers/{way}"), headers, body.as_bytes()).unwrap()
    }

    fn commander(&self) -> Value {
        let shown = self.daemon.api(&self.token, "GET", "/api/v1/incidents/1", &Value::Null).json();
        shown["commander"]["person"].clone()
    }

    /// The kinds of the entries that came by a route.
    fn by(&self, route: &str) -> Vec<String> {
        let entries = self.daemon.api(&self.token, "GET", "/api/v1/incidents/1/timeline", &Value::Null);
        let entries = entries.json()["entries"].as_array().unwrap().clone();
        let mine = entries.into_iter().filter(|entry| entry["route"] == route);
        mine.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// As Twilio signs: the address as it is seen from outside, and the fields in their order.
    fn by_twilio(&self, way: &str, form: &str, token: &str) -> Answer {
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
        };
        let mut fields: Vec<(String, String)> = form
            .split('&')
            .map(|field| field.split_once('=').unwrap())
            .map(|(n, v)| (decoded(n), decoded(v)))
            .collect();
        fields.sort();
        let mut signed = format!("http://{}/answers/{way}", self.daemon.address);
        fields.iter().for_each(|(name, value)| signed.push_str(&format!("{name}{value}")));
        let tag = crypto::hmac_sha1(token.as_bytes(), &[signed.as_bytes()]);
        self.post(way, &[FORM, ("X-Twilio-Signature", &crypto::base64(&tag))], form)
    }

    fn sms(&self, text: &str, sid: &str) -> Answer {
        let form = fixture("twilio-sms/message.form").replace("BODY", text);
        self.by_twilio("twilio/sms", &form.replace("SM0123456789abcdef", sid), TOKEN)
    }

    /// The code of the page, which is said to its number when a message comes without.
    fn code(&self) -> String {
        code_in(&self.sms("1", "SM0").body)
    }

    fn key(&self, digits: &str, call: &str) -> Answer {
        let form = fixture("twilio-voice/key.form").replace("DIGITS", digits);
        let way = format!("twilio/voice?delivery={}", self.delivery);
        self.by_twilio(&way, &form.replace("CA0123456789abcdef", call), TOKEN)
    }

    fn slack(&self, payload: &str, secret: &str, hour: i64) -> Answer {
        let body = format!(
            "payload={}",
            percent_encoding::utf8_percent_encode(payload, percent_encoding::NON_ALPHANUMERIC)
        );
        let signed = [b"v0:", hour.to_string().as_bytes(), b":", body.as_bytes()].concat();
        let tag = format!("v0={}", crypto::hex(&crypto::hmac_sha256(secret.as_bytes(), &[&signed])));
        let hour = hour.to_string();
        self.post("slack", &[FORM, ("X-Slack-Signature", &tag), ("X-Slack-Request-Timestamp", &hour)], &body)
    }

    fn slack_button(&self, action: &str) -> String {
        fixture("slack/button.json").replace("ACTION", action).replace("DELIVERY", &self.delivery)
    }

    fn mattermost(&self, action: &str, trigger: &str) -> String {
        let signed = format!("{action}.{}", self.delivery);
        let tag = crypto::hex(&crypto::hmac_sha256(MATTERMOST.as_bytes(), &[signed.as_bytes()]));
        fixture("mattermost/button.json")
            .replace("ACTION", action)
            .replace("TRIGGER", trigger)
            .replace("DELIVERY", &self.delivery)
            .replace("SIGNATURE", &tag)
    }

    fn telegram(&self, letter: &str) -> String {
        fixture("telegram/button.json").replace("a:DELIVERY", &format!("{letter}:{}", self.delivery))
    }
}

/// The code in `reply 1 4826 to take command`.
fn code_in(said: &str) -> String {
    let rest = said.split_once("reply 1 ").unwrap_or_else(|| panic!("{said}")).1;
    rest.split(' ').next().unwrap().to_owned()
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("tests/fixtures/answers/{name}")).unwrap().trim().to_owned()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[test]
fn a_way_without_its_secret_is_closed_before_anything_is_read() {
    let daemon = Daemon::start(HOUSE);
    let large = vec![b'x'; 2 * 1024 * 1024];
    for way in WAYS {
        let path = format!("/answers/{way}");
        let signed = [
            FORM,
            ("X-Twilio-Signature", "x"),
            ("X-Slack-Signature", "v0=x"),
            ("X-Slack-Request-Timestamp", "1"),
            ("X-Telegram-Bot-Api-Secret-Token", "x"),
        ];
        let said = request(daemon.address, "POST", &path, &signed, &large).unwrap();
        assert_eq!(said.status, 404, "{way}: {said:?}");
        assert_eq!(daemon.get(&path).unwrap().status, 405, "{way}");
    }
}

#[test]
fn what_is_not_proven_is_refused_and_what_is_too_large_is_not_read() {
    let paged = Paged::at(PHONE);
    let form = fixture("twilio-sms/message.form").replace("BODY", "1");
    assert_eq!(paged.by_twilio("twilio/sms", &form, "another token").status, 401);
    assert_eq!(paged.post("twilio/sms", &[FORM], &form).status, 401);
    let other_address = paged.by_twilio("twilio/sms?x=1", &form, TOKEN);
    assert_eq!(other_address.status, 200, "it signs the address that it calls: {other_address:?}");
    // Another account has another token, as a rule, and is none of ours in any case.
    let others = "AccountSid=AC9999999999abcdef0123456789abcdef";
    let status =
        "MessageStatus=failed&To=%2B4712345678&AccountSid=AC0123456789abcdef0123456789abcdef".to_owned();
    let key = fixture("twilio-voice/key.form").replace("DIGITS", "1");
    let delivery = format!("delivery={}", paged.delivery);
    for (way, form) in [
        ("twilio/sms".to_owned(), &form),
        (format!("twilio/voice?{delivery}"), &key),
        (format!("twilio/status?{delivery}&attempt=1"), &status),
    ] {
        let foreign = form.replace("AccountSid=AC0123456789abcdef0123456789abcdef", others);
        assert_ne!(foreign, *form);
        assert_eq!(paged.by_twilio(&way, &foreign, TOKEN).status, 401, "{way}");
        let nameless = form.replace("AccountSid=", "Account=");
        assert_eq!(paged.by_twilio(&way, &nameless, TOKEN).status, 401, "{way}");
    }
    assert_eq!(
        paged.daemon.metric("onscene_refused_total{reason=\"account\",source=\"answers/twilio\"}"),
        6.0
    );
    assert_eq!(paged.commander(), Value::Null, "a number alone decides nothing");
    let paged = Paged::at("U0123456789");
    let button = paged.slack_button("take");
    assert_eq!(paged.slack(&button, "another secret", now()).status, 401);
    for hour in [now() - 301, now() + 301, 0] {
        assert_eq!(paged.slack(&button, SLACK, hour).status, 401, "{hour}");
    }
    assert_eq!(paged.post("slack", &[FORM], "payload=%7B%7D").status, 401);
    for word in ["", "telegram_word_of_the_tesT", "telegram_word"] {
        let header = [("X-Telegram-Bot-Api-Secret-Token", word)];
        assert_eq!(paged.post("telegram", &header, &paged.telegram("a")).status, 401, "{word}");
    }
    assert_eq!(paged.post("telegram", &[], &paged.telegram("a")).status, 401);
    let unsigned = paged.mattermost("take", "t").replacen("\"signature\": \"", "\"signature\": \"0", 1);
    assert_eq!(paged.post("mattermost", &[], &unsigned).status, 401);
    // The signature of one act is none of another.
    let swapped = paged.mattermost("decline", "t").replace("\"decline\"", "\"take\"");
    assert_eq!(paged.post("mattermost", &[], &swapped).status, 401);
    let large = "x".repeat(70 * 1024);
    for (way, headers) in [
        ("twilio/sms", vec![FORM, ("X-Twilio-Signature", "x")]),
        ("mattermost", vec![]),
        ("telegram", vec![("X-Telegram-Bot-Api-Secret-Token", TELEGRAM)]),
    ] {
        assert_eq!(paged.post(way, &headers, &large).status, 413, "{way}");
    }
    assert_eq!(paged.commander(), Value::Null);
    assert!(
        paged.daemon.metric("onscene_refused_total{reason=\"signature\",source=\"answers/slack\"}") >= 2.0
    );
    let log = paged.daemon.log();
    for secret in [TOKEN, SLACK, OLD, MATTERMOST, TELEGRAM, &paged.delivery] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_text_message_takes_command_and_its_answer_says_so() {
    let paged = Paged::at(PHONE);
    let asked = paged.sms("what%3F", "SM1");
    assert!(
        asked.status == 200 && asked.body.contains("<Message>Nothing was decided. INC-1: reply 1 "),
        "{asked:?}"
    );
    let code = code_in(&asked.body);
    let form = fixture("twilio-sms/message.form").replace("BODY", "what%3F");
    let stranger = form.replace("%2B4712345678", "%2B4799999999");
    let stranger = paged.by_twilio("twilio/sms", &stranger, TOKEN);
    assert!(stranger.status == 200 && stranger.body.ends_with("<Response></Response>"), "{stranger:?}");
    for name in ["&MessageSid", "&From", "&Body"] {
        let without = form.replace(&format!("{name}="), &format!("{name}Not="));
        assert_eq!(paged.by_twilio("twilio/sms", &without, TOKEN).status, 400, "{name}");
    }
    let talks = paged.sms("I+am+driving+with+Do+Not+Disturb+and+will+see+your+message+later", "SM2");
    assert!(talks.body.ends_with("<Response></Response>"), "{}", talks.body);
    // Whoever can say that a message comes from her number does not see what is answered to it.
    let bare = paged.sms("1", "SM3");
    assert!(bare.body.contains("Nothing was decided.") && code_in(&bare.body) == code, "{}", bare.body);
    let guess = if code == "0000" { "1111" } else { "0000" };
    let wrong = paged.sms(&format!("1+{guess}"), "SM7");
    assert!(wrong.body.contains("Nothing was decided: that code is wrong."), "{}", wrong.body);
    assert_eq!(paged.commander(), Value::Null);
    let taken = paged.sms(&format!("1+{code}"), "SM8");
    assert!(taken.head.contains("text/xml"), "{}", taken.head);
    assert!(taken.body.contains("<Message>INC-1 shop: You have command."), "{}", taken.body);
    assert_eq!(paged.by("sms"), ["acknowledged", "command_taken"]);
    let again = paged.sms(&format!("ack+{code}"), "SM4");
    assert!(again.body.contains("You have command already."), "{}", again.body);
    let help = paged.sms(&format!("2+{code}"), "SM5");
    assert!(help.body.contains("More people are being called."), "{}", help.body);
    // A repeat of it calls nobody more.
    let before = paged.by("sms");
    paged.sms(&format!("2+{code}"), "SM5");
    assert_eq!(paged.by("sms"), before);
    // Somebody tries codes: soon none is taken any more, not the right one either.
    for number in 0..4 {
        paged.sms(&format!("9+{guess}"), &format!("SMb{number}"));
    }
    let spent = paged.sms(&format!("9+{code}"), "SM6");
    assert!(spent.body.contains("too many wrong codes came"), "{}", spent.body);
    let log = paged.daemon.log();
    assert!(!log.contains(&format!("\"{code}\"")) && !log.contains(&format!(" {code} ")), "{log}");
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn a_key_takes_command_and_a_mailbox_never_does() {
    let paged = Paged::at(PHONE);
    let way = format!("twilio/voice?delivery={}", paged.delivery);
    for by in ["machine_start", "machine_end_beep", "fax"] {
        let form = fixture("twilio-voice/mailbox.form").replace("machine_start", by) + "&Digits=1";
        let mailbox = paged.by_twilio(&way, &form, TOKEN);
        assert!(mailbox.body.contains("<Hangup/>"), "{by}: {}", mailbox.body);
    }
    for digits in ["", "5", "11", "*"] {
        let asked = paged.key(digits, "CA1");
        assert!(asked.body.contains("<Gather") && asked.body.contains("Press 1"), "{digits}: {}", asked.body);
    }
    let form = fixture("twilio-voice/key.form").replace("DIGITS", "1");
    let other = form.replace("%2B4712345678", "%2B4799999999");
    let others = paged.by_twilio(&way, &other, TOKEN);
    assert!(others.body.contains("Nothing was changed: that page was for somebody else."), "{}", others.body);
    assert_eq!(paged.commander(), Value::Null);
    let taken = paged.key("1", "CA2");
    assert!(taken.body.contains("<Say>INC-1 shop: You have command."), "{}", taken.body);
    assert_eq!(paged.by("voice"), ["acknowledged", "command_taken"]);
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn a_button_in_slack_is_one_persons_and_pressed_once() {
    let paged = Paged::at("U0123456789");
    let other = paged.slack_button("take").replace("U0123456789", "U0999999999");
    let refused = paged.slack(&other, SLACK, now());
    assert_eq!((refused.status, &refused.json()["response_type"]), (503, &json!("ephemeral")));
    assert!(refused.body.contains("that page was for somebody else"), "{}", refused.body);
    // Several buttons in one call are nobody's press.
    let mut both: Value = serde_json::from_str(&paged.slack_button("take")).unwrap();
    let action = both["actions"][0].clone();
    both["actions"].as_array_mut().unwrap().push(action);
    assert!(paged.slack(&both.to_string(), SLACK, now()).body.contains("Nothing was decided"));
    assert!(paged.slack(&paged.slack_button("open"), SLACK, now()).body.contains("Nothing was decided"));
    assert_eq!(paged.commander(), Value::Null);
    let at = now();
    let taken = paged.slack(&paged.slack_button("take"), OLD, at);
    assert_eq!(taken.status, 200);
    assert!(taken.json()["text"].as_str().unwrap().contains("INC-1 shop: You have command."), "{taken:?}");
    assert_eq!(paged.by("chat"), ["acknowledged", "command_taken"]);
    paged.daemon.mail_to("maya@example.net", "Maya Lind has command");
    let again = paged.slack(&paged.slack_button("take"), OLD, at);
    assert!(again.body.contains("You have command already."), "{}", again.body);
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn a_button_in_mattermost_says_what_it_did_and_leaves_the_page() {
    let paged = Paged::at("rd49ehbqyjytddasoownkuqrxe");
    let other = paged.mattermost("take", "t1").replace("rd49ehbqyjytddasoownkuqrxe", "somebody");
    let refused = paged.post("mattermost", &[], &other).json();
    assert!(refused["ephemeral_text"].as_str().unwrap().contains("somebody else"), "{refused}");
    assert_eq!(paged.commander(), Value::Null);
    let cannot = paged.post("mattermost", &[], &paged.mattermost("decline", "t2")).json();
    assert!(cannot["ephemeral_text"].as_str().unwrap().contains("The next people are called"), "{cannot}");
    paged.daemon.mail_to("tom@example.net", "X-Page-Attempt: 1");
    // The same press twice is one.
    paged.post("mattermost", &[], &paged.mattermost("decline", "t2"));
    assert_eq!(paged.by("chat"), ["declined", "escalated", "paged"][..1].to_vec());
    let taken = paged.post("mattermost", &[], &paged.mattermost("take", "t3")).json();
    assert!(taken["ephemeral_text"].as_str().unwrap().contains("You have command."), "{taken}");
    assert_eq!(taken["update"], Value::Null, "the link of the page stays");
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn a_button_in_telegram_is_answered_in_its_own_form() {
    let paged = Paged::at("1111111");
    let word = [("X-Telegram-Bot-Api-Secret-Token", TELEGRAM)];
    let started = paged.post("telegram", &word, &fixture("telegram/message.json"));
    assert_eq!((started.status, started.json()), (200, json!({})));
    let other = paged.telegram("a").replace("\"from\": {\"id\": 1111111", "\"from\": {\"id\": 2222222");
    assert!(paged.post("telegram", &word, &other).body.contains("somebody else"));
    assert!(paged.post("telegram", &word, &paged.telegram("z")).body.contains("Nothing was decided"));
    assert_eq!(paged.commander(), Value::Null);
    let taken = paged.post("telegram", &word, &paged.telegram("a").replace("4382", "4383")).json();
    assert_eq!(taken["method"], "answerCallbackQuery");
    assert_eq!(taken["callback_query_id"], "4383bfdwdsb323b2d9");
    assert!(taken["text"].as_str().unwrap().contains("You have command."), "{taken}");
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn every_way_at_once_makes_one_commander_and_the_others_hear_the_name() {
    let paged = Paged::at(PHONE);
    paged.key("9", "CA0");
    let toms = answer_link(&paged.daemon.mail_to("tom@example.net", "X-Page-Attempt: 1"));
    let code = paged.code();
    let (sms, voice, link) = std::thread::scope(|scope| {
        let sms = scope.spawn(|| paged.sms(&format!("1+{code}"), "SM1").body);
        let voice = scope.spawn(|| paged.key("1", "CA1").body);
        let link = scope.spawn(|| press(paged.daemon.address, &toms, "answer=take").unwrap().body);
        (sms.join().unwrap(), voice.join().unwrap(), link.join().unwrap())
    });
    let took = |said: &String| said.contains("You have command. Everybody");
    let all = [sms, voice, link];
    assert_eq!(all.iter().filter(|said| took(said)).count(), 1, "{all:?}");
    let name = if paged.commander() == "tom" { "Tom Berg" } else { "Maya Lind" };
    let others: Vec<_> = all.iter().filter(|said| !took(said)).collect();
    let told = |said: &&&String| {
        said.contains(&format!("{name} was faster")) || said.contains("You have command already.")
    };
    assert_eq!(others.iter().filter(told).count(), 2, "{all:?}");
    // The command is the same act, by its own route.
    let ack = paged.daemon.api(&paged.token, "POST", "/api/v1/incidents/1/ack", &json!({}));
    assert_eq!(ack.status, 200);
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn the_command_is_the_same_act_and_a_late_message_hears_the_name() {
    let paged = Paged::at(PHONE);
    let acked = paged.daemon.command(&["incident", "ack", "1"], Some(&paged.token));
    assert!(acked.status.success(), "{acked:?}");
    assert_eq!(paged.by("api"), ["acknowledged", "command_taken"]);
    let late = paged.sms(&format!("1+{}", paged.code()), "SM1");
    assert!(late.body.contains("Tom Berg was faster and has command."), "{}", late.body);
    assert_eq!(paged.by("sms"), ["acknowledged"]);
    let resolved = paged.daemon.api(&paged.token, "POST", "/api/v1/incidents/1/resolve", &json!({"term": 1}));
    assert_eq!(resolved.status, 200, "{resolved:?}");
    eventually("it is over", || {
        std::thread::sleep(Duration::from_millis(10));
        paged.key("1", "CA1").body.contains("the incident is over").then_some(())
    });
}
