//! The lint against texts that were written for it: leaks, clean statements, and a set that was written last (which has
//! both in one file).
//!
//! A line of `leaks.tsv` is a text, its audience, the rule that must find something, and the part that must lie in what
//! is found; one of `clean.tsv` a text and its audience. `\n` is the break of a line, `\u{200b}` a character that would
//! not be seen here, and `\+` nothing: it keeps invented keys from being taken for real ones by who scans this house. A
//! text that begins with `@link `, `@attachment ` or `@subject ` stands there, any other in the body.

use super::*;

const LEAKS: &str = include_str!("../../../tests/fixtures/disclosure/leaks.tsv");
const HOLDOUT: &str = include_str!("../../../tests/fixtures/disclosure/holdout.tsv");
const CLEAN: &str = include_str!("../../../tests/fixtures/disclosure/clean.tsv");

fn all(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The house of the corpus.
pub(super) fn house() -> Known {
    let vendor = |name: &str, hosts: &[&str]| Vendor { name: name.to_owned(), notice_hosts: all(hosts) };
    Known {
        house: Disclosure::default(),
        people: all(&[
            "maya",
            "Maya Lind",
            "maya.lind@harbourline.example",
            "tom",
            "Tom Okafor",
            "tom.okafor@harbourline.example",
            "Ingrid Solheim",
            "Jonas Weber",
            "Priya Raman",
            "Will Stone",
        ]),
        customers: all(&[
            "Nordwind Bank",
            "Contrail Airways",
            "Fjordkraft Energi",
            "Stadtwerke Lindau",
            "Blue Heron Clinics",
            "Pallas Insurance",
            "Orchard & Pine",
            "Kestrel Logistics",
            "Université de Valmont",
            "Grupo Alameda",
            "Zephyrix",
        ]),
        vendors: vec![
            vendor("Cloudnorth", &["status.cloudnorth.example"]),
            vendor("Paylane", &["status.paylane.example"]),
            vendor("Mailferry", &[]),
            vendor("Skyroute CDN", &["skyroute-status.example"]),
            vendor("Telenexus", &[]),
            vendor("Databarn", &[]),
        ],
        hosts: all(&["maple", "heimdall", "bifrost", "db-7", "payments-core", "quasar"]),
        seen: ["HighErrorRate", "checkout-worker-3", "pg14", "KafkaLagHigh", "edge_router", "orders-db"]
            .into_iter()
            .chain([
                "high", "error", "rate", "5xx", "sign-in", "p99", "checkout", "critical", "latency", "2026",
            ])
            .map(str::to_owned)
            .collect(),
        suffixes: all(&["corp.harbourline.example", ".int.harbourline.example"]),
        public_names: all(&[
            "Harbourline Pay",
            "Harbourline Mail",
            "Checkout",
            "Dashboard",
            "Breach Watch",
            "Exercise Tracker",
            "Vault-12",
        ]),
        public_hosts: all(&[
            "status.harbourline.example",
            "www.harbourline.example",
            "help.harbourline.example",
            "harbourline.example",
            "app.harbourline.example",
        ]),
        public_contacts: all(&["support@harbourline.example", "press@harbourline.example", "+49 30 901820"]),
        slots: all(&[
            "We will post the next update by 15:30 UTC.",
            "we will post the next update by 15:30 UTC",
            "Next update by 16:00 UTC.",
            "The next update follows by 16:45 UTC.",
            "Nächstes Update bis 15:30 Uhr (UTC).",
            "Neste oppdatering innen kl. 15:30 UTC.",
            "Prochaine mise à jour avant 15h30 UTC.",
            "Próxima actualización antes de las 15:30 UTC.",
        ]),
        cause_confirmed: false,
        drill: false,
        incident: Some(42),
    }
}

/// The same, as a running house has it.
fn folded() -> Known {
    let told = house();
    Disclosure::of(&told).unwrap().known(told.seen, Vec::new(), told.slots, false, false, 42)
}

struct Line {
    written: String,
    rendered: Rendered,
    place: Place,
    audience: Audience,
    rule: Option<Rule>,
    part: String,
}

fn lines(file: &str) -> Vec<Line> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(line).collect()
}

fn line(line: &str) -> Line {
    let mut columns = line.split('\t');
    let written = columns.next().unwrap().to_owned();
    let text = plain(&written);
    let audience =
        Audience::from_word(columns.next().unwrap_or_default()).unwrap_or_else(|| panic!("{line}"));
    let rule = columns.next().map(|word| Rule::from_word(word).unwrap_or_else(|| panic!("{line}")));
    let part = plain(columns.next().unwrap_or_default());
    let mut rendered = Rendered::default();
    let place = if let Some(link) = text.strip_prefix("@link ") {
        rendered.links.push(link.to_owned());
        Place::Link(0)
    } else if let Some(name) = text.strip_prefix("@attachment ") {
        rendered.attachments.push(name.to_owned());
        Place::Attachment(0)
    } else if let Some(subject) = text.strip_prefix("@subject ") {
        rendered.subject = subject.to_owned();
        Place::Subject
    } else {
        rendered.body = text;
        Place::Body
    };
    Line { written, rendered, place, audience, rule, part }
}

fn plain(written: &str) -> String {
    let mut text = String::new();
    let mut rest = written;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.chars().next() {
            Some('n') => text.push('\n'),
            Some('+') => {}
            Some('\\') => text.push('\\'),
            Some('u') => {
                let end = rest.find('}').unwrap();
                text.push(char::from_u32(u32::from_str_radix(&rest[2..end], 16).unwrap()).unwrap());
                rest = &rest[end..];
            }
            other => panic!("{other:?} in {written}"),
        }
        rest = &rest[1..];
    }
    text + rest
}

/// The leaks that are not found by their rule, or are found too lightly.
fn missed(file: &str) -> Vec<String> {
    let known = folded();
    let mut missed = Vec::new();
    for line in lines(file) {
        let Some(rule) = line.rule else { continue };
        let text = line.rendered.parts().find(|(place, _)| *place == line.place).unwrap().1.to_owned();
        let found = lint(&line.rendered, line.audience, &known);
        let fits = |finding: &&Finding| {
            finding.rule == rule
                && finding.place == line.place
                && text
                    .match_indices(&line.part)
                    .any(|(at, part)| finding.span.start <= at && at + part.len() <= finding.span.end)
        };
        assert!(text.contains(&line.part) && !line.part.is_empty(), "{}", line.written);
        match found.iter().find(fits) {
            Some(finding) if Some(finding.weight) == weight(rule, line.audience) => {
                let light =
                    matches!(rule, Rule::Number | Rule::Absolute) || line.audience != Audience::Public;
                assert!(light || finding.weight <= Weight::Second);
            }
            _ => {
                let found: Vec<_> =
                    found.iter().map(|finding| (finding.rule, &text[finding.span.clone()])).collect();
                missed.push(format!("{} [{} {}] found {found:?}", line.written, rule.as_str(), line.part));
            }
        }
    }
    missed
}

/// The clean texts that would not go out as they are.
fn flagged(file: &str) -> Vec<String> {
    let known = folded();
    let mut flagged = Vec::new();
    for line in lines(file).into_iter().filter(|line| line.rule.is_none()) {
        let text = line.rendered.parts().find(|(place, _)| *place == line.place).unwrap().1.to_owned();
        let found = lint(&line.rendered, line.audience, &known);
        let heavy: Vec<_> = found
            .iter()
            .filter(|finding| finding.weight != Weight::Warn)
            .map(|finding| (finding.rule, &text[finding.span.clone()]))
            .collect();
        if !heavy.is_empty() {
            flagged.push(format!("{} {heavy:?}", line.written));
        }
    }
    flagged
}

/// A text that has something in it which is only there to get past.
fn is_disguised(line: &Line) -> bool {
    let odd = ["[.]", "(dot)", " dot ", "{.}", "[at]", "(at)", "hxxp", " . ", "&#", "%2", "-\n", "**", "\\"];
    let part = &line.part;
    !part.is_ascii() || odd.iter().any(|odd| part.contains(odd)) || part.contains('\n') || is_spaced(part)
}

fn is_spaced(part: &str) -> bool {
    let words: Vec<&str> = part.split(' ').collect();
    words.len() > 3 && words.iter().all(|word| word.len() == 1)
}

#[test]
fn no_planted_leak_passes() {
    let all = lines(LEAKS);
    assert!(all.len() >= 500, "{}", all.len());
    let disguised: Vec<&Line> = all.iter().filter(|line| is_disguised(line)).collect();
    assert!(disguised.len() >= 150, "{}", disguised.len());
    for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Unreadable) {
        let of = |lines: &[&Line]| lines.iter().filter(|line| line.rule == Some(rule)).count();
        assert!(of(&all.iter().collect::<Vec<_>>()) >= 15, "{rule:?}");
        assert!(of(&disguised) >= 3, "{rule:?}: {}", of(&disguised));
    }
    let missed = missed(LEAKS);
    assert!(missed.is_empty(), "{} pass:\n{}", missed.len(), missed.join("\n"));
}

#[test]
#[allow(clippy::print_stdout, reason = "which they are, for who writes rules")]
fn of_clean_statements_at_most_two_in_a_hundred_are_stopped() {
    let all = lines(CLEAN).len();
    assert!(all >= 500, "{all}");
    let flagged = flagged(CLEAN);
    println!("{} of {all}:\n{}", flagged.len(), flagged.join("\n"));
    assert!(flagged.len() * 50 <= all, "{} of {all}:\n{}", flagged.len(), flagged.join("\n"));
}

/// A hundred leaks and a hundred clean texts that were written while the last mends of the rules went in, by the same hand and without
/// a look at the rules; no rule was changed for them. Of the leaks 2 are missed: "goes back to" as the word of a cause
/// is not known, and of "tomorrow morning" only the first word is marked (which stops the text all the same). Of the
/// clean texts 1 is stopped, "until Monday" of a deadline for homework. What somebody else writes will do worse than
/// this, so the bounds are a net under these figures and no promise.
#[test]
#[allow(clippy::print_stdout, reason = "which they are, for who writes rules")]
fn texts_that_were_written_last() {
    let all = lines(HOLDOUT);
    let leaks = all.iter().filter(|line| line.rule.is_some()).count();
    assert_eq!((leaks, all.len() - leaks), (100, 100));
    let (missed, flagged) = (missed(HOLDOUT), flagged(HOLDOUT));
    println!(
        "{} pass:\n{}\n{} stopped:\n{}",
        missed.len(),
        missed.join("\n"),
        flagged.len(),
        flagged.join("\n")
    );
    assert!(missed.len() <= 2, "{}", missed.join("\n"));
    assert!(flagged.len() <= 1, "{}", flagged.join("\n"));
}
