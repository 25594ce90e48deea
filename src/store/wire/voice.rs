//! How statements are written down.

use super::*;
use crate::core::audience::Audience;
use crate::core::voice::{
    Approval, Delegation, Due, Impact, Override, Phase as Told, Question, Reached, Right, Say, Situation,
    Sort, Stage, Statement, Voice, Wording,
};

word!(audience, Audience, Audience::ALL, "audience");
word!(sort, Sort, Sort::ALL, "sort of a statement");
word!(told, Told, Told::ALL, "phase");
word!(impact, Impact, Impact::ALL, "impact");
word!(right, Right, Right::ALL, "right");

many!(statements, Statement, "StatementRow");
many!(overrides, Override, "OverrideRow");
many!(all_reached, Reached, "ReachedRow");
many!(all_due, Due, "DueRow");
many!(questions, Question, "QuestionRow");
optional!(maybe_delegation, Delegation, "DelegationRow");

#[derive(Serialize, Deserialize)]
#[serde(remote = "Wording")]
struct WordingRow {
    #[serde(with = "audience")]
    audience: Audience,
    #[serde(with = "sort")]
    sort: Sort,
    #[serde(with = "told")]
    phase: Told,
    #[serde(with = "impact")]
    impact: Impact,
    title: String,
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    components: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_by: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mends: Option<u32>,
    channels: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Situation")]
struct SituationRow {
    term: u32,
    state: String,
    #[serde(with = "severity")]
    severity: Severity,
}

/// How far one is, flat: newtype variants take no `with`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
enum StageRow {
    Draft,
    Returned {
        by: String,
        why: String,
    },
    Approved {
        by: String,
        at: Timestamp,
        #[serde(with = "right")]
        right: Right,
        #[serde(with = "SituationRow")]
        situation: Situation,
        #[serde(default)]
        moved: bool,
    },
    Published {
        at: Timestamp,
        by: String,
        #[serde(with = "right")]
        right: Right,
    },
    Dropped,
}

mod stage {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Stage, to: S) -> Result<S::Ok, S::Error> {
        let row = match value.clone() {
            Stage::Draft => StageRow::Draft,
            Stage::Returned { by, why } => StageRow::Returned { by, why },
            Stage::Approved(Approval { by, at, right, situation, moved }) => {
                StageRow::Approved { by, at, right, situation, moved }
            }
            Stage::Published { at, by, right } => StageRow::Published { at, by, right },
            Stage::Dropped => StageRow::Dropped,
        };
        row.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Stage, D::Error> {
        Ok(match StageRow::deserialize(from)? {
            StageRow::Draft => Stage::Draft,
            StageRow::Returned { by, why } => Stage::Returned { by, why },
            StageRow::Approved { by, at, right, situation, moved } => {
                Stage::Approved(Approval { by, at, right, situation, moved })
            }
            StageRow::Published { at, by, right } => Stage::Published { at, by, right },
            StageRow::Dropped => Stage::Dropped,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Override")]
struct OverrideRow {
    by: String,
    rules: Vec<String>,
    #[serde(default)]
    marks: Vec<String>,
    why: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Reached")]
struct ReachedRow {
    channel: String,
    outcome: String,
    at: Timestamp,
    #[serde(default)]
    some: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Statement")]
struct StatementRow {
    number: u32,
    #[serde(with = "WordingRow")]
    wording: Wording,
    by: String,
    at: Timestamp,
    entry: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    found: Vec<String>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty", with = "overrides")]
    overrides: Vec<Override>,
    #[serde(with = "stage")]
    stage: Stage,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty", with = "all_reached")]
    reached: Vec<Reached>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Due")]
struct DueRow {
    #[serde(with = "audience")]
    audience: Audience,
    by: Timestamp,
    printed: bool,
    warned: bool,
    missed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Question")]
struct QuestionRow {
    number: u32,
    from: String,
    text: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<(String, Timestamp, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Delegation")]
struct DelegationRow {
    until: Timestamp,
    term: u32,
    #[serde(with = "severity")]
    severity: Severity,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Voice")]
pub(super) struct VoiceRow {
    #[serde(default, skip_serializing_if = "<[_]>::is_empty", with = "statements")]
    statements: Vec<Statement>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty", with = "all_due")]
    due: Vec<Due>,
    #[serde(default, skip_serializing_if = "is_none")]
    missed: u32,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty", with = "questions")]
    questions: Vec<Question>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_delegation")]
    delegation: Option<Delegation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pio_due: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    called: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holding_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    withheld: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Say", tag = "kind")]
pub(super) enum SayRow {
    #[serde(rename = "statement")]
    Drafted {
        number: u32,
        #[serde(with = "WordingRow")]
        wording: Wording,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        found: Vec<String>,
    },
    #[serde(rename = "statement_returned")]
    Returned { number: u32, why: String },
    #[serde(rename = "statement_overridden")]
    Overridden {
        number: u32,
        wording: u32,
        rules: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        marks: Vec<String>,
        why: String,
    },
    #[serde(rename = "statement_approved")]
    Approved {
        number: u32,
        wording: u32,
        #[serde(with = "right")]
        right: Right,
        state: String,
        #[serde(with = "severity")]
        severity: Severity,
    },
    #[serde(rename = "statement_published")]
    Published {
        number: u32,
        wording: u32,
        #[serde(with = "right")]
        right: Right,
        channels: Vec<String>,
    },
    #[serde(rename = "statement_resent")]
    Resent { number: u32, channels: Vec<String> },
    #[serde(rename = "statement_dropped")]
    Dropped {
        number: u32,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    #[serde(rename = "delegated")]
    Delegated { until: Timestamp },
    #[serde(rename = "delegation_ended")]
    DelegationEnded,
    #[serde(rename = "cause_confirmed")]
    CauseConfirmed { cause: String },
    #[serde(rename = "update_awaited")]
    Awaited {
        #[serde(with = "audience")]
        audience: Audience,
        by: Timestamp,
    },
    #[serde(rename = "update_due")]
    Warned {
        #[serde(with = "audience")]
        audience: Audience,
        by: Timestamp,
    },
    #[serde(rename = "update_missed")]
    Missed {
        #[serde(with = "audience")]
        audience: Audience,
        by: Timestamp,
        times: u32,
    },
    #[serde(rename = "question")]
    Asked { number: u32, from: String, text: String },
    #[serde(rename = "question_answered")]
    Answered {
        number: u32,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    #[serde(rename = "no_pio")]
    NoPio,
    #[serde(rename = "holding_planned")]
    HoldingPlanned { at: Timestamp },
    #[serde(rename = "holding_stopped")]
    HoldingStopped {
        why: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        withheld: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::timeline::Fact;

    #[test]
    fn what_was_said_is_read_back_as_it_was_written_and_every_kind_is_in_the_list() {
        let at: Timestamp = "2026-11-23T02:00:00.123456Z".parse().unwrap();
        let wording = Wording {
            audience: Audience::Public,
            sort: Sort::Correction,
            phase: Told::Identified,
            impact: Impact::Minor,
            title: "Online shop: payments fail".into(),
            text: "Some payments fail.".into(),
            components: vec!["Online shop".into()],
            next_by: Some(at),
            mends: Some(1),
            channels: vec!["status".into()],
        };
        let audience = Audience::Stakeholder;
        let all = [
            Say::Drafted { number: 2, wording, found: vec!["host".into()] },
            Say::Returned { number: 2, why: "shorter".into() },
            Say::Overridden {
                number: 2,
                wording: 9,
                rules: vec!["host".into()],
                marks: vec!["host text 3-9".into()],
                why: "agreed".into(),
            },
            Say::Approved {
                number: 2,
                wording: 9,
                right: Right::Deputy,
                state: "mitigated".into(),
                severity: Severity::Sev2,
            },
            Say::Published { number: 2, wording: 9, right: Right::Own, channels: Vec::new() },
            Say::Resent { number: 2, channels: vec!["status".into()] },
            Say::Dropped { number: 2, why: String::new() },
            Say::Delegated { until: at },
            Say::DelegationEnded,
            Say::CauseConfirmed { cause: "a certificate".into() },
            Say::Awaited { audience, by: at },
            Say::Warned { audience, by: at },
            Say::Missed { audience, by: at, times: 2 },
            Say::Asked { number: 1, from: "support".into(), text: "any update?".into() },
            Say::Answered { number: 1, text: String::new() },
            Say::NoPio,
            Say::HoldingPlanned { at },
            Say::HoldingStopped { why: "maya says hold".into(), withheld: false },
        ];
        assert_eq!(all.clone().map(|say| say.kind()), Say::KINDS);
        for say in all {
            let fact = Fact::Voice(say);
            let json = fact_to_json(&fact).unwrap();
            assert_eq!(fact_from_json(fact.kind(), &json).unwrap(), fact, "{json}");
            assert!(!fact.text().is_empty());
        }
    }
}
