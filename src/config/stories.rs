//! Configurations that are right, and what is said of those that are not.

use super::*;
use crate::core::escalation::Staff;

pub(super) fn kinds() -> Kinds {
    let key = |name, secret, required| ChannelKey { name, secret, required };
    Kinds {
        server: |url| crate::store::postgres::Server::read(url, None, None).map(|_| ()),
        topic: crate::sources::cloudwatch::envelope::check_topic,
        mapping: crate::house::kinds().mapping,
        sources: [
            ("alertmanager", false),
            ("cloudwatch", false),
            ("generic", true),
            ("mail", false),
            ("pingdom", false),
        ]
        .map(|(name, signs)| SourceKind {
            name,
            signs,
            topics: name == "cloudwatch",
            senders: name == "mail",
            maps: name == "generic",
        })
        .into(),
        channels: vec![
            (
                "mail",
                vec![
                    key("recipients", false, true),
                    key("reply_to", false, false),
                    key("list_id", false, false),
                ],
            ),
            ("slack", vec![key("token", true, true), key("room", false, true)]),
            ("webhook", vec![key("url", false, true), key("secret", true, true)]),
        ]
        .into_iter()
        .map(|(name, keys)| {
            let address = crate::channels::kind(name).and_then(|kind| kind.address);
            ChannelKind { name, address, status: true, publishes: false, keys }
        })
        .collect(),
        relay: |relay| {
            let known = ["smtp://", "smtps://", "file:"].iter().any(|scheme| relay.starts_with(scheme));
            if known { Ok(()) } else { Err("a relay begins with smtps://, smtp:// or file:".into()) }
        },
    }
}

pub(super) const GOOD: &str = include_str!("../../config/quickstart.toml");

pub(super) fn read(text: &str) -> Result<Config, String> {
    parse(Path::new("onscene.toml"), text, &kinds(), SecretsMode::Read).map_err(|errors| errors.to_string())
}

/// What is said when one text of a good configuration is another.
pub(super) fn said(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    match read(&GOOD.replacen(from, to, 1)) {
        Ok(_) => "nothing".into(),
        Err(said) => said,
    }
}

#[test]
fn the_quick_start_is_good_and_warns_of_the_missing_alternate() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.rules.people.len(), 1);
    assert_eq!(config.sources.len(), 3);
    assert_eq!(config.warnings, ["onscene.toml:42: service shop has a PIO without an alternate"]);
}

#[test]
fn the_example_with_every_key_is_good_without_its_secrets() {
    let text = include_str!("../../config/onscene.toml");
    let config = parse(Path::new("onscene.toml"), text, &kinds(), SecretsMode::Skip).unwrap();
    assert_eq!(config.rules.internal_channels, ["ops-room", "staff-mail", "status-board"]);
    assert_eq!(config.rules.fallbacks["ops-room"], "staff-mail");
    assert_eq!(config.server.body_max, 1024 * 1024);
    assert_eq!(config.rules.rotations["sre"].everybody().len(), 2);
    assert_eq!(config.rules.maintenance[0].services.len(), 1);
    assert_eq!(config.sources["ups"].map.as_ref().unwrap().headers, ["x-event-type"]);
}

#[test]
fn every_key_that_is_read_stands_in_the_example() {
    let text = include_str!("../../config/onscene.toml");
    let code = [
        include_str!("answers.rs"),
        include_str!("edges.rs"),
        include_str!("feeds.rs"),
        include_str!("heartbeats.rs"),
        include_str!("maintenance.rs"),
        include_str!("meeting.rs"),
        include_str!("mod.rs"),
        include_str!("names.rs"),
        include_str!("people.rs"),
        include_str!("rotations.rs"),
        include_str!("policies.rs"),
        include_str!("public.rs"),
        include_str!("services.rs"),
        include_str!("sources.rs"),
        include_str!("ways.rs"),
    ]
    .concat();
    let mut checked = 0;
    for ask in [
        "needed", "text", "texts", "boolean", "number", "size", "duration", "timeout", "secret", "secrets",
        "table", "tables", "turns",
    ] {
        for piece in code.split(&format!(".{ask}(reading, \"")).skip(1) {
            let key = piece.split('"').next().unwrap();
            assert!(
                text.contains(&format!("{key} ="))
                    || text.contains(&format!("[{key}]"))
                    || text.contains(&format!("[source.{key}]"))
                    || text.contains(&format!("{key}_file =")),
                "{key}"
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
    for key in kinds().mapping.fields {
        assert!(text.contains(&format!("\n{key} = ")), "{key}");
    }
}

#[test]
fn a_page_is_looked_at_for_two_seconds_unless_it_is_said_and_for_ten_at_most() {
    let with = |line: &str| read(&GOOD.replacen("[server]\n", &format!("[server]\n{line}\n"), 1));
    let after = |line: &str| with(line).map(|config| config.server.answer_after.as_millis());
    assert_eq!(after(""), Ok(2_000));
    assert_eq!(after("answer_after = \"0s\""), Ok(0));
    assert_eq!(after("answer_after = \"10s\""), Ok(10_000));
    for wrong in ["11s", "-1s", "2"] {
        let said = after(&format!("answer_after = \"{wrong}\"")).unwrap_err();
        assert!(said.contains("answer_after"), "{said}");
    }
    let answers = with("").unwrap().answers;
    assert!(answers.twilio.is_empty() && answers.telegram.is_empty(), "every way is closed");
    let open = read(&format!("{GOOD}\n[answers]\nslack_signing_secret = \"a secret\"\n")).unwrap();
    assert_eq!(open.answers.slack.len(), 1);
}

#[test]
fn a_wrong_key_is_shown_with_its_line_and_the_nearest_right_one() {
    insta::assert_snapshot!("wrong_key", said("external_url = ", "externl_url = "));
}

#[test]
fn several_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("time_zone = \"Europe/Oslo\"\nmembers", "time_zone = \"Europe/Olso\"\nmembers")
        .replace("rotation:sre", "rotation:sree")
        .replace("kind = \"pingdom\"", "kind = \"pingdon\"")
        .replace("wait = \"5m\"", "wait = \"5\"");
    insta::assert_snapshot!("several_faults", read(&text).unwrap_err());
}

#[test]
fn each_fault_says_what_to_do() {
    let cases = [
        said("listen = \"127.0.0.1:8087\"", "listen = \"localhost\""),
        said("url = \"sqlite:./onscene-data/onscene.db\"", "url = \"mysql://db/onscene\""),
        said("relays = [\"file:./onscene-data/mail\"]", "relays = []"),
        said("relays = [\"file:./onscene-data/mail\"]", "relays = [\"mx.example.net\"]"),
        said("email = \"maya@example.net\"\n", ""),
        said("members = [\"maya\"]", "members = []"),
        said("shift = \"1 week\"", "shift = \"90m\""),
        said("handover = \"Mon 09:00\"", "handover = \"nine\""),
        said("audience = \"internal\"", "audience = \"everybody\""),
        said("recipients = [\"staff@example.net\"]", ""),
        said("token = \"quickstart-pingdom-token\"", "token = \"short\""),
        said("token = \"quickstart-pingdom-token\"", ""),
        said("token = \"quickstart-pingdom-token\"", "token_file = \"nowhere\""),
        said("token = \"quickstart-pingdom-token\"", "token_env = \"ONSCENE_NOT_SET\""),
        said("name = \"pingdom\"", "name = \"Ping dom\""),
        said("[[channel]]", "[[drill]]\nname = \"x\"\n\n[[channel]]"),
        said("[server]", "[server"),
        said("wait = \"5m\"", "wait = \"1s\""),
    ];
    insta::assert_snapshot!("each_fault", cases.join("\n\n"));
}

#[test]
fn a_fault_in_an_expression_is_marked_in_its_line() {
    let map = |lines: &str| {
        let scripts = "kind = \"generic\"\n";
        let text = GOOD.replacen(scripts, &format!("{scripts}map = {{ {lines} }}\n"), 1);
        read(&text).err().unwrap_or_else(|| "nothing".into())
    };
    assert_eq!(map("key = \"body.id\", headers = [\"X-Event\"]"), "nothing");
    let cases = [
        map("key = \"body.device ~ \""),
        map("key = 'body.id', title = 'boddy.text'"),
        map("key = \"body.id|defualt(\\\"\\\")\""),
        map("title = 'body.text'"),
        map("key = 'body.id', titel = 'body.text'"),
        map("key = 7"),
        map("key = 'body.id', headers = ['x-event', 'Authorization', 'x event']"),
        map(&format!("key = 'body.id', headers = [{}]", "'a', ".repeat(17))),
        said("kind = \"pingdom\"\n", "kind = \"pingdom\"\nmap = { key = 'body.id' }\n"),
    ];
    insta::assert_snapshot!("fault_in_an_expression", cases.join("\n\n"));
}

#[test]
fn a_pio_without_an_alternate_is_refused_in_a_house_of_several() {
    let tom = "[[person]]\nname = \"tom\"\nemail = \"tom@example.net\"\n\n[[rotation]]";
    assert!(said("[[rotation]]", tom).contains("at least one alternate"));
}

#[test]
fn fallbacks_that_go_round_are_refused() {
    let text = GOOD.replace("audience = \"internal\"", "audience = \"internal\"\nfallback = \"staff-mail\"");
    assert!(read(&text).unwrap_err().contains("go round for ever"));
}

#[test]
fn a_secret_is_never_shown_in_an_error() {
    let said = said("token = \"quickstart-pingdom-token\"", "token = \"hush-hush\"");
    assert!(!said.contains("hush"), "{said}");
}

#[test]
fn the_preview_names_who_is_woken_over_a_hand_over() {
    let text = include_str!("../../config/onscene.toml");
    let config = parse(Path::new("onscene.toml"), text, &kinds(), SecretsMode::Skip).unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let shown = preview::render(
        Staff::as_configured(&config.rules),
        at("2026-03-22T00:00:00Z"),
        at("2026-04-05T00:00:00Z"),
    );
    let shop: Vec<&str> = shown.lines().skip_while(|line| !line.starts_with("service shop")).collect();
    insta::assert_snapshot!("preview", shop.join("\n"));
}
