//! What the configuration says of statements and of who speaks, and what it refuses.

use jiff::SignedDuration;

use super::stories::{GOOD, read, said};
use crate::core::audience::Audience;
use crate::core::incident::Severity;
use crate::core::rules::{Holding, PioRules};
use crate::core::voice::Phase;

const SERVICE: &str = "[[service]]\nname = \"shop\"";

fn with(lines: &str) -> String {
    format!("{lines}\n\n{SERVICE}")
}

#[test]
fn what_is_not_said_of_the_pio_stays_as_it_is_usually() {
    assert_eq!(read(GOOD).unwrap().rules.pio, PioRules::usual());
    let (mins, public) = (SignedDuration::from_mins, Audience::Public);
    let lines = "[pio]\nanswer_after = \"0s\"\nalone = [\"SEV4\"]\n[pio.first]\npublic = { SEV1 = \"7m\" }\n[pio.every]\npublic = { SEV1 = \"0s\" }";
    let rules = read(&GOOD.replacen(SERVICE, &with(lines), 1)).unwrap().rules.pio.clone();
    assert_eq!((rules.answer_after, rules.deputy_after), (SignedDuration::ZERO, mins(5)));
    assert_eq!(rules.alone, [Severity::Sev4].into());
    assert_eq!(rules.first[&(public, Severity::Sev1)], mins(7));
    assert_eq!(rules.first[&(Audience::Internal, Severity::Sev1)], mins(5));
    assert_eq!(rules.next(public, Severity::Sev1, Phase::Monitoring), None, "said for every phase");
    assert_eq!(rules.next(public, Severity::Sev2, Phase::Monitoring), Some(mins(20)));
    assert_eq!(PioRules::usual().next(public, Severity::Sev2, Phase::Monitoring), Some(mins(60)));
    let off = read(&GOOD.replacen(SERVICE, &with("[pio]\ncadence = \"off\""), 1)).unwrap().rules.pio.clone();
    assert!(off.first.is_empty() && off.next(public, Severity::Sev1, Phase::Investigating).is_none());
}

#[test]
fn what_goes_out_by_itself_is_said_of_a_service_and_its_words_are_read_beforehand() {
    let holding = "holding = \"3m\"\nholding_audiences = [\"public\", \"stakeholder\"]\nsymptom = \"Orders may fail.\"\npio_alone = [\"SEV1\"]";
    let text = GOOD.replacen(SERVICE, &format!("{SERVICE}\n{holding}"), 1);
    let words = "\n[[statement]]\naudience = \"public\"\nphase = \"detected\"\nseverities = [\"SEV1\"]\ntext = \"A problem with {product} since {since}. {symptom}\"\n";
    let rules = read(&format!("{text}{words}")).unwrap().rules;
    let service = &rules.services["shop"];
    let wanted = Holding {
        after: SignedDuration::from_mins(3),
        audiences: [Audience::Public, Audience::Stakeholder].into(),
        severities: [Severity::Sev1, Severity::Sev2].into(),
    };
    assert_eq!((service.holding.as_ref(), service.symptom.as_str()), (Some(&wanted), "Orders may fail."));
    assert_eq!(service.pio_alone, Some([Severity::Sev1].into()));
    assert_eq!((rules.statements.len(), rules.statements[0].phase), (1, None));
}

#[test]
fn each_fault_of_statements_says_what_to_do() {
    let service = |line: &str| said(SERVICE, &format!("{SERVICE}\n{line}"));
    let pio = |line: &str| said(SERVICE, &with(&format!("[pio]\n{line}")));
    let words = |phase: &str, text: &str| {
        let table = format!("[[statement]]\naudience = \"public\"\nphase = \"{phase}\"\ntext = \"{text}\"");
        said(SERVICE, &with(&table))
    };
    let cases = [
        service("holding = \"10s\""),
        service("holding_audiences = [\"public\"]"),
        service("holding = \"3m\"\nholding_audiences = [\"everybody\"]"),
        service("pio_alone = [\"SEV5\"]"),
        pio("answer_after = \"5s\""),
        pio("cadence = \"of\""),
        pio("first = { public = { SEV1 = \"30h\" } }"),
        words("detekted", "A problem."),
        words("detected", "A problem with {host}."),
        words("detected", "{symptom}"),
        words("detected", "db-1 lost its disk; it is back in ten minutes."),
    ];
    insta::assert_snapshot!("statements", cases.join("\n\n"));
}
