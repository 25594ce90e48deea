//! Rotations as they are written, hours in which nobody would be woken, and who is shown to be woken when.

use jiff::Timestamp;

use super::stories::{GOOD, read};
use super::*;
use crate::core::escalation::{Case, Staff};
use crate::core::incident::Severity;
use crate::core::oncall::{Override, Roster, Turns};

const PEOPLE: &str = "[[person]]\nname = \"tom\"\nemail = \"tom@example.net\"\n\n[[person]]\nname = \"kim\"\nemail = \"kim@example.net\"\n\n\
                      [[person]]\nname = \"lee\"\n\n";
const FLAT: &str =
    "members = [\"maya\"]\nshift = \"1 week\"\nhandover = \"Mon 09:00\"\nstart = \"2026-01-05\"\n";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A house of several people whose one rotation goes like this.
fn house(rotation: &str) -> String {
    let text = GOOD.replacen("[[rotation]]", &format!("{PEOPLE}[[rotation]]"), 1);
    assert!(text.contains(FLAT));
    text.replacen(FLAT, rotation, 1).replace("[\"person:maya\"]", "[\"person:maya\", \"person:tom\"]")
}

fn said(rotation: &str) -> String {
    read(&house(rotation)).err().unwrap_or_else(|| "nothing".into())
}

#[test]
fn what_is_wrong_with_a_rotation_is_said_with_its_line() {
    let with = |line: &str| said(&format!("{FLAT}{line}\n"));
    let members = |members: &str| said(&FLAT.replace("[\"maya\"]", members));
    let days =
        |shift: &str, handover: &str| said(&FLAT.replace("1 week", shift).replace("Mon 09:00", handover));
    for (said, words) in [
        (with(""), "nothing"),
        (with("days = [\"Mon-Fri\", \"sunday\"]\nhours = [\"08:00-16:00\", \"22:00-06:00\"]"), "nothing"),
        (with("days = [\"Mon-Fir\"]"), "no day of the week is called `Fir`; did you mean `friday`?"),
        (with("days = [\"weekend\"]"), "no day of the week is called `weekend`"),
        (with("days = [\"Sundya\"]"), "no day of the week is called `Sundya`; did you mean `sunday`?"),
        (
            with("days = [\"1\"]"),
            "no day of the week is called `1`; the days are Mon, Tue, Wed, Thu, Fri, Sat and Sun",
        ),
        (with("days = []"), "`days` is empty: the layer would never be open"),
        (with("hours = []"), "`hours` is empty: the layer would never be open"),
        (with("days = \"Mon-Fri\""), "`days` is a list of texts"),
        (with("hours = [\"08:00\"]"), "`08:00` are no hours; write \"08:00-16:00\""),
        (with("hours = [\"08:00-25:00\"]"), "are no hours"),
        (with("hours = [\"24:00-08:00\"]"), "are no hours"),
        (with("hours = [\"08:60-09:00\"]"), "are no hours"),
        (with("hours = [\"08:0-09:00\"]"), "are no hours"),
        (with("hours = [\"08:00-08:00\"]"), "these hours end when they begin; the whole day is"),
        (with("shadows = [\"lee\"]"), "lee is to be paged here and has no `email`"),
        (with("shadows = [\"kum\"]"), "no person is called `kum`; did you mean `kim`?"),
        (with("shadow = [\"kim\"]"), "has no key `shadow`; did you mean `shadows`?"),
        (with("hour = [\"08:00-09:00\"]"), "has no key `hour`; did you mean `hours`?"),
        (members("[\"maya\", [\"tom\", \"kim\"]]"), "nothing"),
        (members("[\"maya\", [\"tom\", \"kmi\"]]"), "no person is called `kmi`"),
        (members("[\"maya\", [\"tom\", \"lee\"]]"), "lee is to be paged here and has no `email`"),
        (members("[\"maya\", [\"tom\", \"tom\"]]"), "tom is in this turn already"),
        (members("[\"maya\", []]"), "this turn is nobody's"),
        (members("[\"maya\", [[\"tom\"]]]"), "`members` is a list of texts"),
        (members("[\"maya\", 5]"), "`members` is a list of texts"),
        (days("36h", "09:00"), "nothing"),
        (days("36h", "Mon 09:00"), "shifts that are not whole weeks are handed over at an hour"),
        (days("30m", "09:00"), "`shift` is a number of whole hours"),
        (days("0h", "09:00"), "`shift` is a number of whole hours"),
        (days("9999999999h", "09:00"), "`shift` is a number of whole hours"),
    ] {
        assert!(said.contains(words), "{words}: {said}");
        assert!(said == "nothing" || said.matches("onscene.toml").count() == 1, "{words}: {said}");
    }
}

#[test]
fn layers_are_said_in_the_rotation_or_each_for_itself() {
    let layer = |more: &str| format!("[[rotation.layers]]\n{FLAT}{more}\n");
    let (one, two) = (layer(""), layer("time_zone = \"America/New_York\"\ndays = [\"Sat\"]"));
    let config = read(&house(&format!("{one}{two}"))).unwrap();
    let Turns::Layers(layers) = &config.rules.rotations["sre"].turns else { panic!("layers") };
    let zones: Vec<Option<&str>> = layers.iter().map(|layer| layer.time_zone.iana_name()).collect();
    assert_eq!(zones, [Some("Europe/Oslo"), Some("America/New_York")]);
    for (text, words) in [
        (format!("{FLAT}{one}"), "`members` is said by each of the `layers`"),
        (format!("days = [\"Mon\"]\n{one}"), "`days` is said by each of the `layers`"),
        ("layers = []\n".to_owned(), "`layers` needs at least one"),
        ("layers = 5\n".to_owned(), "`layers` is a list of tables"),
        (
            layer("time_zone = \"America/New_Yrok\""),
            "no time zone is called `America/New_Yrok`; did you mean",
        ),
        (layer("shadows = [\"kim\"]"), "[[layers]] has no key `shadows`"),
        (layer("").replace("start = \"2026-01-05\"\n", ""), "[[layers]] needs `start`"),
        (one.repeat(21), "a rotation has at most 20 layers"),
    ] {
        let said = said(&text);
        assert!(said.contains(words), "{words}: {said}");
    }
    // Of a flat form and layers each key of the flat form is told.
    assert_eq!(said(&format!("{FLAT}{one}")).matches("said by each of the `layers`").count(), 4);
}

#[test]
fn what_says_nothing_or_is_never_seen_is_warned_of() {
    let warned = |rotation: &str| read(&house(rotation)).unwrap().warnings.join("\n");
    let flat = |more: &str| warned(&format!("{FLAT}{more}\n"));
    assert_eq!(flat("days = [\"Fri-Mon\"]\nhours = [\"08:00-16:00\", \"16:00-08:00\"]"), "");
    for (more, words) in [
        ("hours = [\"08:00-16:00\", \"15:59-17:00\"]", ":44: these hours overlap with others"),
        ("hours = [\"01:00-02:00\", \"22:00-06:00\"]", ":44: these hours overlap with others"),
        ("hours = [\"00:00-24:00\"]", ":44: `hours` says nothing: the layer is open at all hours"),
        ("days = [\"Mon-Sun\"]", ":44: `days` says nothing"),
        ("shadows = [\"kim\", \"kim\"]", ":44: kim is a shadow already"),
    ] {
        let warned = flat(more);
        assert!(warned.contains(words), "{words}: {warned}");
        assert_eq!(warned.lines().count(), 1, "{warned}");
    }
    let layer = |more: &str| format!("[[rotation.layers]]\n{FLAT}{more}\n");
    let hidden = warned(&format!("{}{}", layer(""), layer("")));
    assert!(
        hidden.contains("nobody is ever on call by this layer, but while all of the one in line 46"),
        "{hidden}"
    );
    assert_eq!(warned(&format!("{}{}", layer(""), layer("days = [\"Sat\"]"))), "");
    // One that begins later is what a change of the order is written as.
    assert_eq!(warned(&format!("{}{}", layer(""), layer("").replace("2026-01-05", "2026-06-01"))), "");
}

/// The errors and the warnings of hours without anybody.
fn gaps_of(text: &str) -> (Vec<String>, Vec<String>) {
    let config = read(text).unwrap();
    let from = at("2026-03-02T12:00:00Z");
    (gaps::errors(&config, from), gaps::warnings(&config, &Roster::nothing(), from))
}

const OFFICE: &str = "days = [\"Mon-Fri\"]\nhours = [\"08:00-16:00\"]\n";

#[test]
fn an_hour_in_which_an_incident_would_wake_nobody_is_an_error_with_the_line_of_its_policy() {
    assert_eq!(gaps_of(&house(FLAT)), (vec![], vec![]));
    let (errors, warnings) = gaps_of(&house(&format!("{FLAT}{OFFICE}")));
    assert_eq!(
        errors,
        [
            "onscene.toml:48: an incident of shop (SEV1 to SEV4) would find nobody on call from Mon 2026-03-02 16:00 to Tue \
          2026-03-03 08:00 (Europe/Oslo), and 19 more times after that: policy default names nobody then, by no step \
          and no last resort, so all would be woken whose turn it is at other hours"
        ]
    );
    assert_eq!(warnings, Vec::<String>::new(), "it is told once");
}

#[test]
fn where_others_of_the_policy_are_there_a_gap_is_a_warning() {
    let text = house(&format!("{FLAT}{OFFICE}"));
    let step = "steps = [{ page = [\"rotation:sre\"], wait = \"5m\" }]";
    let expected = "onscene.toml:38: rotation sre has nobody on call from Mon 2026-03-02 16:00 to Tue 2026-03-03 08:00 \
                    (Europe/Oslo), and 19 more times after that: policy default would wake only others then";
    for others in [
        "steps = [{ page = [\"rotation:sre\"] }, { page = [\"person:tom\"] }]",
        "steps = [{ page = [\"rotation:sre\", \"person:tom\"] }]",
        "steps = [{ page = [\"rotation:sre\"] }]\nrepeat = 7\nlast_resort = [\"person:tom\"]",
    ] {
        let (errors, warnings) = gaps_of(&text.replacen(step, others, 1));
        assert_eq!((errors, warnings), (vec![], vec![expected.to_owned()]), "{others}");
    }
}

#[test]
fn who_wakes_a_whole_rotation_leaves_no_hour_with_nobody_and_is_shown_to_wake_all_of_it() {
    let members = FLAT.replace("[\"maya\"]", "[\"maya\", \"tom\"]");
    let text = house(&format!("{members}{OFFICE}shadows = [\"kim\"]\n"));
    let step = "steps = [{ page = [\"rotation:sre\"], wait = \"5m\" }]";
    let whole = text.replacen(step, &step.replace("rotation:", "everybody:"), 1);
    assert_eq!(gaps_of(&whole), (vec![], vec![]));
    let config = read(&whole).unwrap();
    let (from, until) = (at("2026-03-02T12:00:00Z"), at("2026-03-09T12:00:00Z"));
    let shown = preview::as_json(Staff::as_configured(&config.rules), from, until);
    let spans = shown["shop"][0]["spans"].as_array().unwrap();
    let woken = |span: &serde_json::Value| span["woken"][0].to_string();
    // Whose turn it is comes first. The minutes before a hand-over wake others later.
    let (first, last) = (spans.first().unwrap(), spans.last().unwrap());
    assert_eq!((woken(first), woken(last)), (r#"["maya","tom"]"#.to_owned(), r#"["tom","maya"]"#.to_owned()));
    assert_eq!(
        (&first["until"], &last["from"]),
        (&"2026-03-09T07:50:00Z".into(), &"2026-03-09T08:00:00Z".into())
    );
    // Beside those whose turn it is, a gap is told; as a last resort it fills all of them.
    let last = text.replacen(step, &format!("{step}\nlast_resort = [\"everybody:sre\"]"), 1);
    let (errors, warnings) = gaps_of(&last);
    assert_eq!(errors, Vec::<String>::new());
    assert!(warnings.len() == 1 && warnings[0].contains("rotation sre has nobody on call"), "{warnings:?}");
}

#[test]
fn a_gap_of_a_minute_is_found_and_one_that_others_fill_is_none() {
    let other = |hours: &str| {
        let second = format!(
            "[[rotation]]\nname = \"second\"\ntime_zone = \"Europe/Oslo\"\n{FLAT}hours = [\"{hours}\"]\n"
        );
        let first = format!("{FLAT}hours = [\"06:00-22:00\"]\n\n{second}");
        let text = house(&first);
        gaps_of(&text.replacen("[\"rotation:sre\"]", "[\"rotation:sre\", \"rotation:second\"]", 1)).0
    };
    assert_eq!(other("22:00-06:00"), Vec::<String>::new());
    let errors = other("22:00-05:59");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("from Tue 2026-03-03 05:59 to Tue 2026-03-03 06:00"), "{errors:?}");
}

#[test]
fn a_gap_of_some_severities_is_told_of_these() {
    let text = house(FLAT).replacen(
        "[[service]]",
        &format!(
            "[[rotation]]\nname = \"office\"\ntime_zone = \"UTC\"\n{FLAT}{OFFICE}\n[[escalation]]\nname = \"calm\"\n\
             steps = [{{ page = [\"rotation:office\"] }}]\n\n[[service]]"
        ),
        1,
    );
    // A policy that no service goes by leaves nobody alone.
    assert_eq!(gaps_of(&text), (vec![], vec![]));
    let served = "escalation = \"default\"\npio";
    let calm = text.replacen(
        served,
        "escalation = \"default\"\nescalations = { SEV3 = \"calm\", SEV4 = \"calm\" }\npio",
        1,
    );
    let (errors, _) = gaps_of(&calm);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].contains(":60: an incident of shop (SEV3, SEV4) would find nobody on call"),
        "{errors:?}"
    );
}

#[test]
fn a_reload_is_told_of_gaps_that_are_new_and_not_of_those_there_were() {
    let from = at("2026-03-02T12:00:00Z");
    let config = |more: &str| read(&house(&format!("{FLAT}{more}"))).unwrap();
    let (whole, office) = (config(""), config(OFFICE));
    assert_eq!(gaps::new_errors(&office, &whole.rules, from).len(), 1);
    assert_eq!(gaps::new_errors(&office, &office.rules, from), Vec::<String>::new());
    assert_eq!(gaps::new_errors(&whole, &office.rules, from), Vec::<String>::new());
}

#[test]
fn who_stands_in_fills_a_gap_on_the_pages() {
    let config = read(&house(&format!("{FLAT}{OFFICE}"))).unwrap();
    let mut roster = Roster::nothing();
    roster.overrides.push(Override {
        id: "a".into(),
        rotation: "sre".into(),
        person: "kim".into(),
        instead_of: None,
        from: at("2026-03-02T12:00:00Z"),
        until: at("2026-03-05T12:00:00Z"),
        author: "kim".into(),
        reason: "an evening".into(),
        created_at: at("2026-03-02T12:00:00Z"),
        ended_by: None,
    });
    let staff = Staff { rules: &config.rules, roster: &roster };
    let gaps = gaps::nobody(staff, at("2026-03-02T12:00:00Z"), at("2026-03-16T12:00:00Z"));
    assert_eq!(gaps[0].from, at("2026-03-05T15:00:00Z"));
}

#[test]
fn what_a_calendar_says_is_not_known_to_a_check() {
    let mut config = read(&house(FLAT)).unwrap();
    let mut rules = (*config.rules).clone();
    rules.rotations.get_mut("sre").unwrap().turns = Turns::Calendar;
    config.rules = Arc::new(rules);
    let from = at("2026-03-02T12:00:00Z");
    assert_eq!(gaps::errors(&config, from), Vec::<String>::new());
    let warned = gaps::warnings(&config, &Roster::nothing(), from);
    assert_eq!(warned.len(), 1);
    assert!(
        warned[0].starts_with("onscene.toml:46: who is on call in sre is known when its calendar"),
        "{warned:?}"
    );
    // Once it has been read, and is empty, there is nobody: that is told, and is no fault of the configuration.
    let mut roster = Roster::nothing();
    roster.calendars.insert("sre".into(), Arc::new(Vec::new()));
    let warned = gaps::warnings(&config, &roster, from);
    assert_eq!(warned.len(), 1);
    assert!(
        warned[0].starts_with("onscene.toml:46: an incident of")
            && warned[0].contains("would find nobody on call from")
            && warned[0].ends_with("by no step and no last resort, so nobody would be woken"),
        "{warned:?}"
    );
    let gaps =
        gaps::nobody(Staff { rules: &config.rules, roster: &roster }, from, at("2026-03-16T12:00:00Z"));
    assert_eq!((gaps.len(), gaps[0].until), (1, at("2026-03-16T12:00:00Z")));
}

#[test]
fn a_preview_changes_at_the_instant_at_which_it_is_somebody_else() {
    let text = house(&FLAT.replace("[\"maya\"]", "[\"maya\", \"tom\"]"));
    let step = "steps = [{ page = [\"rotation:sre\"], wait = \"5m\" }]";
    let text = text.replacen(step, "steps = [{ page = [\"rotation:sre\"], wait = \"4m\" }]", 1);
    let config = read(&text).unwrap();
    let staff = Staff::as_configured(&config.rules);
    let spans = preview::preview(
        staff,
        &config.rules.policies["default"],
        Case { severity: Severity::Sev1, service: "shop" },
        at("2026-03-23T07:00:00.5Z"),
        at("2026-03-23T09:00:00Z"),
    );
    let told: Vec<String> = spans
        .iter()
        .map(|span| {
            format!("{} {}", span.from, span.woken.each_ref().map(|people| people.join("+")).join(" "))
        })
        .collect();
    // Steps are walked at 0, 4 and 8 minutes; the hand-over is at nine in Oslo, eight UTC.
    let expected = [
        "2026-03-23T07:00:00.5Z maya maya ",
        "2026-03-23T07:52:00Z maya tom ",
        "2026-03-23T07:56:00Z maya+tom tom ",
        "2026-03-23T08:00:00Z tom tom ",
    ];
    assert_eq!(told, expected);
    assert_eq!(spans.last().unwrap().until, at("2026-03-23T09:00:00Z"));
    assert!(spans.windows(2).all(|two| two[0].until == two[1].from && two[0].woken != two[1].woken));
}
