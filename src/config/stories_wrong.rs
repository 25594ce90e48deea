//! Configurations that would be found out at night.

use super::stories::{GOOD, read, said};
use super::*;
use crate::core::escalation::Staff;

const TOM: &str = "[[person]]\nname = \"tom\"\nemail = \"tom@example.net\"\n\n";

fn warnings(text: &str) -> String {
    read(text).unwrap().warnings.join("\n")
}

/// The only fault of a configuration has these words.
fn only(said: &str, words: &str) {
    assert!(said.contains(words), "{said}");
    assert_eq!(said.matches("onscene.toml").count(), 1, "{said}");
}

#[test]
fn sizes_times_and_numbers_have_bounds() {
    let with = |line: &str| said("[store]", &format!("{line}\n\n[store]"));
    for (line, words) in [
        ("body_max = \"1 KiB\"", "nothing"),
        ("body_max = 1048576", "nothing"),
        ("body_max = 1_048_576", "nothing"),
        ("body_max = 67108864", "nothing"),
        ("body_max = 67108865", "it lies between 1 KiB and 64 MiB"),
        ("body_max = 1023", "it lies between 1 KiB and 64 MiB"),
        ("body_max = -5", "is no size"),
        ("body_max = true", "a size such as"),
        ("header_timeout = \"999ms\"", "lies between 1s and 10m"),
        ("body_timeout = \"10m\"", "nothing"),
        ("idle_timeout = \"601s\"", "lies between 1s and 10m"),
        ("connections_max = 0", "lies between 16 and 1000000"),
        ("queue_max = 0", "lies between 1 and 1000000"),
        ("queue_max = 1000001", "lies between 1 and 1000000"),
        ("queue_max = 1000000", "nothing"),
    ] {
        let said = with(line);
        assert!(said.contains(words), "{line}: {said}");
    }
    let url = "url = \"sqlite:./onscene-data/onscene.db\"";
    only(&said(url, &format!("{url}\nretention = \"23h\"")), "at least 24h");
    assert_eq!(said(url, &format!("{url}\nretention = \"24h\"")), "nothing");
}

#[test]
fn odd_addresses_are_told_apart() {
    let urls = [
        "sqlite:",
        "sqlite: ",
        "sqlite://x",
        "sqlite:///var/x.db",
        "sqlite::memory:",
        "sqlite:file:x.db",
        "sqlite:x.db?mode=ro",
        "sqlite:/var/lib/",
        "mysql://x",
        "",
    ];
    let stores = urls.map(|url| said("\"sqlite:./onscene-data/onscene.db\"", &format!("\"{url}\"")));
    let external = [
        "ftp://example.net",
        "https://",
        "https://:443",
        "https://maya@example.net",
        "https://example.net/?a=b",
        "https://example.net/#top",
        "https://exa mple.net",
        "example.net",
    ];
    let externals = external.map(|url| said("url = \"http://127.0.0.1:8087\"", &format!("url = \"{url}\"")));
    insta::assert_snapshot!("odd_addresses", [&stores[..], &externals[..]].concat().join("\n\n"));
    for good in ["https://example.net/onscene/", "http://[::1]:8087", "https://example.net:8443"] {
        assert_eq!(said("url = \"http://127.0.0.1:8087\"", &format!("url = \"{good}\"")), "nothing");
    }
}

#[test]
fn mail_addresses_are_addresses() {
    for wrong in [
        "maya",
        "@example.net",
        "maya@",
        "maya lind@example.net",
        "maya@example.net\\n",
        "a@b@c",
        "<a@b.net>",
    ] {
        let said = said("email = \"maya@example.net\"", &format!("email = \"{wrong}\""));
        only(&said, "this is no mail address");
    }
    for wrong in ["onscene", "onscene <>", "a@example.net, b@example.net", "on\\nscene <a@example.net>"] {
        let said = said("from = \"onscene <pager@example.net>\"", &format!("from = \"{wrong}\""));
        only(&said, "`from` is a mail address");
        let reply_to = format!("from = \"a@example.net\"\nreply_to = \"{wrong}\"");
        only(
            &self::said("from = \"onscene <pager@example.net>\"", &reply_to),
            "`reply_to` is a mail address",
        );
    }
    only(&said("[\"staff@example.net\"]", "[\"staff\"]"), "this is no mail address");
    assert_eq!(said("\"onscene <pager@example.net>\"", "\"pager@example.net\""), "nothing");
}

#[test]
fn names_can_stand_in_addresses() {
    let long = "a".repeat(65);
    for name in ["", " ", "Shop", "-shop", "shop/1", "shöp", "shop\\n", long.as_str()] {
        for kind in ["pingdom", "staff-mail"] {
            only(
                &said(&format!("name = \"{kind}\""), &format!("name = \"{name}\"")),
                "names stand in addresses",
            );
        }
    }
    for (table, more) in [
        ("person", ""),
        ("rotation", "time_zone = \"UTC\"\nmembers = [\"maya\"]\nstart = \"2026-01-05\"\n"),
        ("service", "escalation = \"default\"\n"),
    ] {
        let text = GOOD.replace(
            "[[source]]\nname = \"pingdom\"",
            &format!("[[{table}]]\nname = \"No\"\n{more}\n[[source]]\nname = \"pingdom\""),
        );
        let said = read(&text).unwrap_err();
        assert!(said.contains("45:8: names stand in addresses"), "{said}");
    }
    assert_eq!(said("name = \"pingdom\"", "name = \"1.a_b-c\""), "nothing");
}

#[test]
fn a_relay_with_a_user_needs_a_password() {
    let relays = "relays = [\"file:./onscene-data/mail\"]";
    let user = "relays = [\"smtps://pager@mx.example.net\"]";
    only(&said(relays, user), "there is no password");
    assert_eq!(said(relays, &format!("{user}\npassword = \"a\"")), "nothing");
    only(&said(relays, &format!("{user}\npassword = \" \"")), "`password` is blank");
    only(&said(relays, &format!("{user}\npassword_file = \"nowhere\"")), "cannot be read");
    assert_eq!(said(relays, "relays = [\"smtps://mx.example.net\"]"), "nothing");
}

#[test]
fn services_do_not_need_themselves() {
    let more = |name: &str, needs: &str| {
        format!("[[service]]\nname = \"{name}\"\nescalation = \"default\"\ndepends_on = {needs}\n\n")
    };
    let with = |tables: String| said("[[source]]", &format!("{tables}[[source]]"));
    only(&with(more("a", "[\"a\"]")), "a depends on itself");
    let circle = more("a", "[\"shop\", \"b\"]") + &more("b", "[\"c\"]") + &more("c", "[\"a\"]");
    only(&with(circle), "in a circle: a → b → c → a");
    let diamond =
        more("a", "[\"b\", \"c\"]") + &more("b", "[\"d\"]") + &more("c", "[\"d\"]") + &more("d", "[]");
    assert_eq!(with(diamond), "nothing");
}

#[test]
fn alternates_who_are_all_the_same_person_are_warned_of() {
    let two = GOOD.replace("[[rotation]]", &format!("{TOM}[[rotation]]"));
    let same = two.replace("[\"person:maya\"]", "[\"person:maya\", \"rotation:sre\"]");
    assert_eq!(
        warnings(&same),
        "onscene.toml:46: service shop has a PIO without an alternate: all of `pio` comes down to maya"
    );
    assert_eq!(warnings(&two.replace("[\"person:maya\"]", "[\"person:maya\", \"person:tom\"]")), "");
}

#[test]
fn a_house_without_services_or_sources_is_told() {
    let (house, rest) = GOOD.split_once("[[service]]").unwrap();
    let (_, channel) = rest.split_once("[[channel]]").unwrap();
    only(&read(house).unwrap_err(), "no [[service]]");
    assert!(read("service = []").unwrap_err().contains("no [[service]]"));
    let (shop, _) = rest.split_once("[[source]]").unwrap();
    let text = format!("{house}[[service]]{shop}[[channel]]{channel}");
    assert!(warnings(&text).contains("onscene.toml: no [[source]] is configured"), "{}", warnings(&text));
}

#[test]
fn one_fault_is_told_once() {
    let relays = "relays = [\"file:./onscene-data/mail\"]";
    only(&said(relays, "relays = \"file:./mail\""), "`relays` is a list of texts");
    only(&said("members = [\"maya\"]", "members = \"maya\""), "`members` is a list of texts");
    only(
        &said("steps = [{ page = [\"rotation:sre\"], wait = \"5m\" }]", "steps = 5"),
        "`steps` is a list of tables",
    );
    only(&said("pio = [\"person:maya\"]", "pio = \"person:maya\""), "`pio` is a list of texts");
    let slack = "[[channel]]\nname = \"ops\"\nkind = \"slack\"\naudience = \"internal\"\nroom = \"C1\"\n";
    only(&said("[[channel]]", &format!("{slack}token_file = \"nowhere\"\n[[channel]]")), "cannot be read");
    only(&said("from = \"onscene <pager@example.net>\"\n", ""), "[mail] needs `from`");
}

#[test]
fn several_faults_of_toml_are_told_with_their_lines() {
    let text = GOOD.replace("[store]", "[store").replace("[mail]", "mail]");
    let said = read(&text).unwrap_err();
    assert!(
        said.contains("onscene.toml:12:7: this is not TOML: ") && said.contains("onscene.toml:15:"),
        "{said}"
    );
    assert!(said.contains("12 | [store\n"), "{said}");
}

#[test]
fn a_preview_ends_at_the_minute_of_the_hand_over() {
    let text = GOOD
        .replace("[[rotation]]", &format!("{TOM}[[rotation]]"))
        .replace("members = [\"maya\"]", "members = [\"maya\", \"tom\"]")
        .replace("Mon 09:00", "Mon 09:07")
        .replace("[\"person:maya\"]", "[\"person:maya\", \"person:tom\"]");
    let config = read(&text).unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let shown = preview::render(
        Staff::as_configured(&config.rules),
        at("2026-03-22T10:03:27Z"),
        at("2026-04-01T00:00:00Z"),
    );
    insta::assert_snapshot!("preview_minutes", shown);
}

#[test]
fn a_heartbeat_is_read_and_what_is_wrong_with_one_is_told() {
    let beat = "[[heartbeat]]\nname = \"backup\"\ntoken = \"a-token-of-the-backup\"\nservice = \"shop\"\n";
    let with = |more: &str| read(&format!("{GOOD}\n{beat}{more}"));
    let config = with("period = \"1 day\"\n").unwrap();
    let own = &config.heartbeats["backup"];
    assert_eq!((own.beat.period.as_hours(), own.beat.grace.as_mins(), own.tokens.len()), (24, 1, 1));
    for (more, why) in [
        ("", "[[heartbeat]] needs `period`"),
        ("period = \"1s\"\n", "`period` lies between 5s and 400 days"),
        ("period = \"401 days\"\n", "`period` lies between"),
        ("period = \"soon\"\n", "no length of time"),
        ("period = \"1h\"\nseverity = \"eror\"\n", "error"),
        ("period = \"1h\"\ngrce = \"1m\"\n", "grace"),
    ] {
        only(&with(more).unwrap_err(), why);
    }
    let twice = format!("period = \"1h\"\n{beat}period = \"1h\"\n");
    only(&with(&twice).unwrap_err(), "two heartbeats called backup");
    let open = beat.replace("token = \"a-token-of-the-backup\"\n", "period = \"1h\"\n");
    only(&read(&format!("{GOOD}\n{open}")).unwrap_err(), "[[heartbeat]] needs `token_file`");
    only(&said("name = \"pingdom\"", "name = \"heartbeat\""), "choose another name");
}

#[test]
fn topics_stand_for_a_token_where_amazon_signs_and_nowhere_else() {
    let with = |kind: &str, topics: &str| {
        let from = "kind = \"pingdom\"\ntoken = \"quickstart-pingdom-token\"";
        said(from, &format!("kind = \"{kind}\"\ntopics = {topics}"))
    };
    let topic = "[\"arn:aws:sns:eu-north-1:111122223333:pager\"]";
    assert_eq!(with("cloudwatch", topic), "nothing");
    only(&with("pingdom", topic), "do not come by way of Amazon SNS");
    only(&with("cloudwatch", "[]"), "no topic may send");
    only(&with("cloudwatch", "[\"pager\"]"), "this is no topic of SNS");
    only(&with("cloudwatch", "[\"arn:aws:sns:evil.example:111122223333:pager\"]"), "this is no topic of SNS");
    only(
        &with("cloudwatch", "[\"arn:aws-iso:sns:us-iso-east-1:111122223333:pager\"]"),
        "another partition of AWS than aws, aws-cn, aws-us-gov",
    );
    only(
        &with("cloudwatch", &format!("{topic}\nraw = true")),
        "`raw` takes messages of SNS that nobody has signed",
    );
    assert_eq!(read(GOOD).unwrap().rules.flapping_of("shop"), crate::core::flapping::Flapping::default());
    let both = format!("{topic}\nraw = true\ntoken = \"a-token-of-aws-senders\"");
    assert_eq!(with("cloudwatch", &both), "nothing");
}

#[test]
fn routes_say_what_is_wrong_with_them() {
    let with = |lines: &str| {
        said(
            "[[source]]\nname = \"pingdom\"",
            &format!("[[route]]\n{lines}\n\n[[source]]\nname = \"pingdom\""),
        )
    };
    for (lines, words) in [
        ("match = 'source=\"pingdom\", tags=~\".*pay.*\"'\nservice = \"shop\"", "nothing"),
        ("match = ''\nseverity = \"warning\"\nlabels = { team = \"a\" }\nage_out = \"6h\"", "nothing"),
        ("match = 'a=\"b\"'\nignore = true", "nothing"),
        ("service = \"shop\"", "[[route]] needs `match`"),
        ("match = 'a=\"b'\nignore = true", "a quote that ends this value at character"),
        ("match = 'a=~\"(\"'\nignore = true", "not well-formed"),
        ("match = 'a=\"b\"'", "this route does nothing"),
        ("match = 'a=\"b\"'\nignore = false", "this route does nothing"),
        ("match = 'a=\"b\"'\nignore = true\nservice = \"shop\"", "leave one or the other out"),
        ("match = 'a=\"b\"'\nservice = \"shpo\"", "no service is called `shpo`; did you mean"),
        ("match = 'a=\"b\"'\nseverity = \"SEV1\"", "no severity of an alert is called `SEV1`"),
        ("match = 'a=\"b\"'\nheartbeat = \"watchdog\"", "no heartbeat is called `watchdog`"),
        ("match = 'a=\"b\"'\nage_out = \"5s\"", "`age_out` lies between"),
        ("match = 'a=\"b\"'\nlabels = { team = 5 }", "`labels` is a table of texts"),
        ("match = 'a=\"b\"'\nlabels = { \"\" = \"x\" }", "names and values of labels"),
        ("match = 'a=\"b\"'\nservise = \"shop\"", "has no key `servise`"),
    ] {
        let said = with(lines);
        assert!(said.contains(words), "{lines}: {said}");
        assert!(said == "nothing" || said.matches("onscene.toml").count() == 1, "{lines}: {said}");
    }
    let after = "[[route]]\nmatch = ''\nservice = \"shop\"\n\n[[route]]\nmatch = 'a=\"b\"'\nignore = true\n\n[[source]]\nname = \"pingdom\"";
    let warned = warnings(&GOOD.replacen("[[source]]\nname = \"pingdom\"", after, 1));
    assert!(warned.contains("no alert ever comes to this route: the one in line"), "{warned}");
}

#[test]
fn inhibition_and_flapping_say_what_is_wrong_with_them() {
    let with = |lines: &str| {
        let source = "[[source]]\nname = \"pingdom\"";
        said(source, &format!("[[inhibit]]\n{lines}\n\n{source}"))
    };
    let sides = "source = 'severity=\"critical\"'\ntarget = 'severity=\"warning\"'";
    for (lines, words) in [
        (format!("{sides}\nequal = [\"cluster\"]"), "nothing"),
        (sides.to_owned(), "nothing"),
        ("source = 'a=\"b\"'".to_owned(), "[[inhibit]] needs `target`"),
        ("target = 'a=\"b\"'".to_owned(), "[[inhibit]] needs `source`"),
        ("source = ''\ntarget = 'a=\"b\"'".to_owned(), "`source` fits everything"),
        (
            "source = 'a=\"b'\ntarget = 'a=\"b\"'".to_owned(),
            "`source`: expected a quote that ends this value",
        ),
        (format!("{sides}\nequal = \"cluster\""), "`equal` is a list of texts"),
        (format!("{sides}\nequal = [\"\"]"), "names of labels have from 1"),
        (format!("{sides}\nequals = [\"cluster\"]"), "has no key `equals`; did you mean `equal`"),
    ] {
        let said = with(&lines);
        assert!(said.contains(words), "{lines}: {said}");
        assert!(said == "nothing" || said.matches("onscene.toml").count() == 1, "{lines}: {said}");
    }
    let twice = format!("[[inhibit]]\n{sides}\n[[inhibit]]\n{sides}\n[[source]]\nname = \"pingdom\"");
    let warned = warnings(&GOOD.replacen("[[source]]\nname = \"pingdom\"", &twice, 1));
    assert!(warned.contains("without `equal` one alert"), "{warned}");
    assert!(warned.contains("this rule is there before"), "{warned}");

    let service = "[[service]]\nname = \"shop\"";
    for (lines, words) in [
        ("flapping_changes = 0", "nothing"),
        ("flapping_changes = 10\nflapping_within = \"1h\"\ncalm_after = \"20m\"", "nothing"),
        ("flapping_changes = 2", "`flapping_changes` is at least 3"),
        ("flapping_changes = 51", "between 0 and 50"),
        ("flapping_within = \"25h\"", "`flapping_within` lies between"),
        ("calm_after = \"5h\"", "`calm_after` lies between"),
        ("calm_afer = \"5m\"", "has no key `calm_afer`; did you mean `calm_after`"),
    ] {
        let of_the_house = format!("[incidents]\n{lines}\n{service}");
        for said in [said(service, &format!("{service}\n{lines}")), said(service, &of_the_house)] {
            assert!(said.contains(words), "{lines}: {said}");
            assert!(said == "nothing" || said.matches("onscene.toml").count() == 1, "{lines}: {said}");
        }
    }
    let both = format!("[incidents]\ncalm_after = \"20m\"\n{service}\nflapping_changes = 4");
    let flapping = read(&GOOD.replacen(service, &both, 1)).unwrap().rules.flapping_of("shop");
    assert_eq!((flapping.changes, flapping.calm_after), (4, jiff::SignedDuration::from_mins(20)));
}

#[test]
fn senders_are_named_where_mail_says_who_wrote_it_and_nowhere_else() {
    let with = |kind: &str, senders: &str| {
        let text = GOOD.replacen("kind = \"pingdom\"", &format!("kind = \"{kind}\"\n{senders}"), 1);
        read(&text)
    };
    let good = with("mail", "senders = [\"Monitor@Example.net\", \"@lab.example.net\"]").unwrap();
    assert_eq!(good.sources["pingdom"].senders, ["monitor@example.net", "@lab.example.net"]);
    assert!(!good.warnings.join("\n").contains("senders"), "{:?}", good.warnings);
    for (kind, senders, why) in [
        ("pingdom", "senders = [\"@example.net\"]", "leave `senders` out"),
        ("mail", "senders = []", "nobody's mail would be an alert"),
        ("mail", "senders = \"@example.net\"", "`senders` is a list of texts"),
        ("mail", "senders = [\"example.net\"]", "no domain, such as @example.net"),
        ("mail", "senders = [\"@\"]", "this is no mail address"),
        ("mail", "senders = [\"Ups <ups@example.net>\"]", "this is no mail address"),
        ("mail", "senders = [\"*@example.net\", \"a b@example.net\"]", "this is no mail address"),
        ("mail", "sender = [\"@example.net\"]", "senders"),
    ] {
        let said = with(kind, senders).unwrap_err();
        assert!(said.contains(why) && said.contains("onscene.toml:"), "{senders}: {said}");
    }
    let open = with("mail", "").unwrap().warnings.join("\n");
    assert!(open.contains("has no `senders`: anybody who can write to this address can raise"), "{open}");
}

#[test]
fn a_way_that_reaches_one_person_is_not_named_by_two() {
    let mut kinds = super::stories::kinds();
    let address = crate::channels::kind("gotify").and_then(|kind| kind.address);
    assert!(address.is_some());
    kinds.channels.push(ChannelKind {
        name: "gotify",
        address,
        status: false,
        publishes: false,
        keys: Vec::new(),
    });
    let with = |second: &str| {
        let person = |name: &str, way: &str| {
            let email = format!("email = \"{name}@example.net\"");
            format!(
                "\n[[person]]\nname = \"{name}\"\n{email}\nways = [{{ way = \"{way}\", to = \"{name}\" }}]\n"
            )
        };
        let way = |name: &str| format!("\n[[way]]\nname = \"{name}\"\nkind = \"gotify\"\n");
        let people = [person("ann", "one"), person("bo", second)].concat();
        let good = GOOD.replace("pio = [", "pio = [\"person:ann\", ");
        let text = format!("{good}{}{}{people}", way("one"), way("two"));
        match parse(Path::new("onscene.toml"), &text, &kinds, SecretsMode::Read) {
            Ok(_) => "nothing".to_owned(),
            Err(said) => said.to_string(),
        }
    };
    assert_eq!(with("two"), "nothing");
    only(&with("one"), "the way one reaches one person, and ann names it already; bo needs a [[way]]");
}

#[test]
fn who_only_looks_is_a_viewer_and_is_named_nowhere_where_people_are_woken() {
    let lee =
        |role: &str| format!("[[person]]\nname = \"lee\"\nemail = \"lee@example.net\"\n{role}\n\n[[source]]");
    // Of two who act one is an alternate; who only looks is none.
    let good = |role: &str| GOOD.replacen("[[source]]", &lee(role), 1);
    let with = |role: &str| match role {
        "role = \"viewer\"" | "administrator = false\nrole = \"viewer\"" => read(&good(role)),
        _ => read(&good(role).replace("[\"person:maya\"]", "[\"person:maya\", \"rotation:sre\"]")),
    };
    let role = |written: &str| with(written).map(|config| config.rules.people["lee"].role().as_str());
    assert_eq!(role(""), Ok("member"));
    assert_eq!(role("role = \"member\""), Ok("member"));
    assert_eq!(role("role = \"viewer\""), Ok("viewer"));
    assert_eq!(role("administrator = true"), Ok("administrator"));
    assert_eq!(role("administrator = false\nrole = \"viewer\""), Ok("viewer"));
    assert_eq!(role("administrator = true\nrole = \"member\""), Ok("administrator"));
    for (written, words) in [
        ("role = \"viewr\"", "did you mean `viewer`?"),
        ("role = \"guest\"", "`role` is viewer or member"),
        ("role = \"administrator\"", "`administrator = true`"),
        ("administrator = true\nrole = \"viewer\"", "an administrator is no viewer"),
        ("role = true", "`role` is a text in quotes"),
        ("rol = \"viewer\"", "did you mean `role`?"),
    ] {
        only(&with(written).unwrap_err(), words);
    }
    let text = good("role = \"viewer\"");
    for (from, to) in [
        ("members = [\"maya\"]", "members = [\"maya\", \"lee\"]"),
        ("members = [\"maya\"]", "shadows = [\"lee\"]\nmembers = [\"maya\"]"),
        ("steps = [{ page = [\"rotation:sre\"]", "steps = [{ page = [\"rotation:sre\", \"person:lee\"]"),
        ("pio = [\"person:maya\"]", "pio = [\"person:maya\", \"person:lee\"]"),
    ] {
        assert!(text.contains(from), "{from}");
        let said = read(&text.replacen(from, to, 1)).unwrap_err();
        only(&said, "lee is to be paged here and is a viewer, who can take nothing");
    }
    let hashes = ["", "role = \"viewer\""].map(|role| format!("{:?}", with(role).unwrap().rules));
    assert_ne!(hashes[0], hashes[1], "nodes that differ in it are told apart");
}

#[test]
fn components_of_a_status_page_belong_to_services_of_the_house_and_mails_are_sent_or_not() {
    let mut kinds = super::stories::kinds();
    let key = |name| ChannelKey { name, secret: false, required: false };
    let keys = vec![key("components"), key("notify")];
    kinds.channels.push(ChannelKind { name: "cachet", address: None, status: true, publishes: false, keys });
    let with = |lines: &str| {
        let page =
            format!("\n[[channel]]\nname = \"page\"\nkind = \"cachet\"\naudience = \"internal\"\n{lines}\n");
        let parsed = parse(Path::new("onscene.toml"), &format!("{GOOD}{page}"), &kinds, SecretsMode::Read);
        parsed.map_err(|said| said.to_string())
    };
    let service = with("").unwrap().rules.services.keys().next().unwrap().clone();
    let good = with(&format!("components = [\"{service}=1\", \" {service} = 2\"]\nnotify = false")).unwrap();
    let page = good.channels.iter().find(|channel| channel.name == "page").unwrap();
    assert_eq!((page.texts["notify"].as_str(), page.lists["components"].len()), ("false", 2));
    for (lines, words) in [
        ("components = [\"shpo=1\"]", "no service is called `shpo`"),
        ("components = [\"shop\"]", "no component of it, such as \"shop=abc123\""),
        ("components = [\"shop=\"]", "no component of it, such as \"shop=abc123\""),
        ("notify = \"no\"", "`notify` is true or false"),
        ("notfy = true", "did you mean `notify`?"),
    ] {
        only(&with(lines).unwrap_err(), words);
    }
}
