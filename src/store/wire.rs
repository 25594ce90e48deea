//! How the core's values are written down: mirrors for serde, so that the core itself knows nothing of it.
//!
//! The names written here are on disk for years and under the hashes of the timeline: a field may be
//! added with a default, and is never renamed or removed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::StoreError;
use crate::core::correlate::Because;
use crate::core::incident::{
    Command, CommandReason, Escalation, Incident, Phase, Resolution, Responder, ResponderStatus, Severity,
    Sign,
};
use crate::core::timeline::{Fact, Joined};

/// An incident's fold as JSON.
pub(super) fn state_to_json(incident: &Incident) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Whole<'a>(#[serde(with = "IncidentRow")] &'a Incident);
    Ok(serde_json::to_string(&Whole(incident))?)
}

/// Reads what [`state_to_json`] wrote.
pub(super) fn state_from_json(json: &str) -> Result<Incident, StoreError> {
    #[derive(Deserialize)]
    struct Whole(#[serde(with = "IncidentRow")] Incident);
    Ok(serde_json::from_str::<Whole>(json)?.0)
}

/// A fact as JSON, without its kind, which stands in a column of its own.
pub(super) fn fact_to_json(fact: &Fact) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Whole<'a>(#[serde(with = "FactRow")] &'a Fact);
    let mut value = serde_json::to_value(Whole(fact))?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("kind");
    }
    Ok(value.to_string())
}

/// Reads what [`fact_to_json`] wrote.
pub(super) fn fact_from_json(kind: &str, json: &str) -> Result<Fact, StoreError> {
    #[derive(Deserialize)]
    struct Whole(#[serde(with = "FactRow")] Fact);
    let mut value: serde_json::Value = serde_json::from_str(json)?;
    let fields = value.as_object_mut().ok_or(StoreError::Decode("an entry whose data is no object"))?;
    fields.insert("kind".into(), kind.into());
    Ok(serde_json::from_value::<Whole>(value)?.0)
}

/// A word of the core's own, such as `SEV1`, written as that word.
macro_rules! word {
    ($module:ident, $type:ty, [$($value:expr),+ $(,)?]) => {
        mod $module {
            use super::*;

            pub(super) fn serialize<S: Serializer>(value: &$type, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(value.as_str())
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                let word = String::deserialize(from)?;
                [$($value),+]
                    .into_iter()
                    .find(|value: &$type| value.as_str() == word)
                    .ok_or_else(|| serde::de::Error::custom(concat!("an unknown ", stringify!($module))))
            }
        }
    };
}

word!(severity, Severity, [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4]);
word!(
    resolution,
    Resolution,
    [Resolution::Restored, Resolution::FalseAlarm, Resolution::SelfCleared, Resolution::Merged]
);
word!(command_reason, CommandReason, [CommandReason::FirstResponder, CommandReason::Reopened]);
word!(
    responder_status,
    ResponderStatus,
    [
        ResponderStatus::Paged,
        ResponderStatus::Unreachable,
        ResponderStatus::Declined,
        ResponderStatus::Acknowledged,
        ResponderStatus::OnScene,
    ]
);

mod because {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Option<Because>, to: S) -> Result<S::Ok, S::Error> {
        value.map(Because::as_str).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Because>, D::Error> {
        let Some(word) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let known = Because::ALL.into_iter().find(|value| value.as_str() == word);
        known.map(Some).ok_or_else(|| serde::de::Error::custom("an unknown reason to join"))
    }
}

mod joined {
    use super::*;

    #[derive(Serialize)]
    struct Lent<'a>(#[serde(with = "JoinedRow")] &'a Joined);
    #[derive(Deserialize)]
    struct Own(#[serde(with = "JoinedRow")] Joined);

    pub(super) fn serialize<S: Serializer>(value: &[Joined], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(value.iter().map(Lent))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Joined>, D::Error> {
        Ok(Vec::<Own>::deserialize(from)?.into_iter().map(|own| own.0).collect())
    }
}

/// A value of the core's inside an `Option`, where serde's `with` does not reach.
macro_rules! optional {
    ($module:ident, $type:ty, $row:literal) => {
        mod $module {
            use super::*;

            #[derive(Serialize)]
            struct Lent<'a>(#[serde(with = $row)] &'a $type);
            #[derive(Deserialize)]
            struct Own(#[serde(with = $row)] $type);

            pub(super) fn serialize<S: Serializer>(value: &Option<$type>, to: S) -> Result<S::Ok, S::Error> {
                value.as_ref().map(Lent).serialize(to)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<$type>, D::Error> {
                Ok(Option::<Own>::deserialize(from)?.map(|own| own.0))
            }
        }
    };
}

optional!(last_command, Command, "CommandRow");
optional!(maybe_escalation, Escalation, "EscalationRow");
optional!(maybe_sign, Sign, "SignRow");

mod responders {
    use super::*;

    #[derive(Serialize)]
    struct Lent<'a>(#[serde(with = "ResponderRow")] &'a Responder);
    #[derive(Deserialize)]
    struct Own(#[serde(with = "ResponderRow")] Responder);

    pub(super) fn serialize<S: Serializer>(value: &[Responder], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(value.iter().map(Lent))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Responder>, D::Error> {
        Ok(Vec::<Own>::deserialize(from)?.into_iter().map(|own| own.0).collect())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Command")]
struct CommandRow {
    person: String,
    term: u32,
    since: Timestamp,
    #[serde(with = "command_reason")]
    reason: CommandReason,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Escalation")]
struct EscalationRow {
    round: u32,
    step: u32,
    awaiting: Vec<String>,
    due: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reminders: Vec<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Sign")]
struct SignRow {
    after: SignedDuration,
    due: Timestamp,
    asked: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Responder")]
struct ResponderRow {
    person: String,
    #[serde(with = "responder_status")]
    status: ResponderStatus,
    since: Timestamp,
    pages: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    pages_before: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    watching: bool,
}

fn is_none(pages: &u32) -> bool {
    *pages == 0
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Joined")]
struct JoinedRow {
    person: String,
    #[serde(with = "responder_status")]
    status: ResponderStatus,
    pages: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    pages_before: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    watching: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Phase", tag = "state", rename_all = "snake_case")]
enum PhaseRow {
    Triggered {
        #[serde(with = "maybe_escalation")]
        escalation: Option<Escalation>,
        quiet_until: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_until: Option<Timestamp>,
    },
    Acknowledged {
        #[serde(with = "CommandRow")]
        command: Command,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_sign")]
        sign: Option<Sign>,
    },
    Mitigated {
        #[serde(with = "CommandRow")]
        command: Command,
        cause: Option<String>,
    },
    Resolved {
        #[serde(with = "resolution")]
        resolution: Resolution,
        at: Timestamp,
        #[serde(with = "last_command")]
        last: Option<Command>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Incident")]
struct IncidentRow {
    id: i64,
    title: String,
    service: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    storm: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    declared: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merged_into: Option<i64>,
    #[serde(with = "severity")]
    severity: Severity,
    #[serde(with = "PhaseRow")]
    phase: Phase,
    opened_at: Timestamp,
    acknowledged_at: Option<Timestamp>,
    mitigated_at: Option<Timestamp>,
    term: u32,
    alerts: u32,
    firing: u32,
    #[serde(with = "responders")]
    responders: Vec<Responder>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shadows: Vec<String>,
    pio: Option<(String, Timestamp)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calm_at: Option<Timestamp>,
    next_update_by: Option<Timestamp>,
    seq: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Fact", tag = "kind", rename_all = "snake_case")]
enum FactRow {
    Opened {
        title: String,
        service: String,
        #[serde(with = "severity")]
        severity: Severity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        declared: bool,
    },
    AlertJoined {
        source: String,
        key: String,
        title: String,
        refired: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "because")]
        because: Option<Because>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rests_until: Option<Timestamp>,
    },
    AlertFlaps {
        source: String,
        key: String,
        changes: u32,
        since: Timestamp,
    },
    CauseFound {
        service: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
    },
    StormBegan,
    SeverityRaised {
        #[serde(with = "severity")]
        from: Severity,
        #[serde(with = "severity")]
        to: Severity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_after: Option<SignedDuration>,
    },
    Held {
        until: Timestamp,
    },
    Merged {
        into: i64,
        alerts: u32,
        firing: u32,
    },
    TookIn {
        incident: i64,
        title: String,
        service: String,
        alerts: u32,
        firing: u32,
        #[serde(with = "joined")]
        responders: Vec<Joined>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        declared: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shadows: Vec<String>,
    },
    SplitOff {
        into: i64,
        alerts: u32,
        firing: u32,
        quiet_until: Option<Timestamp>,
    },
    SplitFrom {
        incident: i64,
        alerts: u32,
        firing: u32,
    },
    AlertRecovered {
        source: String,
        key: String,
        quiet_until: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timed_out: Option<String>,
        // Older versions do not know it, and count an alert that left as one that recovered: their sums agree.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calm_at: Option<Timestamp>,
    },
    SourceAcknowledged {
        source: String,
        key: String,
    },
    Escalated {
        round: u32,
        step: u32,
        last_resort: bool,
        awaiting: Vec<String>,
        due: Timestamp,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reminders: Vec<Timestamp>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shadows: Vec<String>,
    },
    NobodyToPage,
    Rescheduled {
        due: Timestamp,
    },
    Paged {
        person: String,
        attempt: u32,
        why: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_due: Option<Timestamp>,
    },
    Unreachable {
        person: String,
        why: String,
    },
    Declined {
        person: String,
    },
    Acknowledged {
        person: String,
    },
    CheckedIn {
        person: String,
    },
    CommandTaken {
        person: String,
        term: u32,
        #[serde(with = "command_reason")]
        reason: CommandReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_after: Option<SignedDuration>,
    },
    HelpCalled {
        paged: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_due: Option<Timestamp>,
    },
    PioCalled {
        person: String,
    },
    StatementDrafted {
        text: String,
    },
    Promised {
        by: Timestamp,
    },
    Mitigated {
        cause: Option<String>,
    },
    Relapsed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_after: Option<SignedDuration>,
    },
    Resolved {
        #[serde(with = "resolution")]
        resolution: Resolution,
    },
    Reopened {
        why: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    Note {
        text: String,
    },
    Delivered {
        what: String,
        to: String,
        outcome: String,
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_read_back_is_the_fact_written() {
        let at: Timestamp = "2026-11-23T02:00:00.123456Z".parse().unwrap();
        let quarter = SignedDuration::from_mins(15);
        for fact in [
            Fact::Opened {
                title: "t".into(),
                service: "s".into(),
                severity: Severity::Sev2,
                group: None,
                declared: true,
            },
            Fact::Opened {
                title: "t".into(),
                service: "s".into(),
                severity: Severity::Sev2,
                group: Some("a".into()),
                declared: false,
            },
            Fact::AlertJoined {
                source: "s".into(),
                key: "k".into(),
                title: "t".into(),
                refired: false,
                service: Some("lb".into()),
                because: Some(Because::DependsOn),
                not_before: Some(at),
                rests_until: Some(at),
            },
            Fact::CauseFound { service: "lb".into(), group: Some("a".into()) },
            Fact::AlertFlaps { source: "s".into(), key: "k".into(), changes: 6, since: at },
            Fact::StormBegan,
            Fact::SeverityRaised { from: Severity::Sev3, to: Severity::Sev1, sign_after: None },
            Fact::SeverityRaised { from: Severity::Sev3, to: Severity::Sev1, sign_after: Some(quarter) },
            Fact::Held { until: at },
            Fact::Merged { into: 2, alerts: 3, firing: 1 },
            Fact::TookIn {
                incident: 1,
                title: "t".into(),
                service: "s".into(),
                alerts: 3,
                firing: 1,
                responders: vec![Joined {
                    person: "maya".into(),
                    status: ResponderStatus::Paged,
                    pages: 2,
                    pages_before: 1,
                    watching: true,
                }],
                declared: true,
                shadows: vec!["kim".into()],
            },
            Fact::SplitOff { into: 2, alerts: 3, firing: 1, quiet_until: Some(at) },
            Fact::SplitFrom { incident: 2, alerts: 3, firing: 1 },
            Fact::AlertRecovered {
                source: "s".into(),
                key: "k".into(),
                quiet_until: Some(at),
                timed_out: None,
                left: None,
                calm_at: Some(at),
            },
            Fact::AlertRecovered {
                source: "s".into(),
                key: "k".into(),
                quiet_until: None,
                timed_out: Some("t".into()),
                left: None,
                calm_at: None,
            },
            Fact::AlertRecovered {
                source: "s".into(),
                key: "k".into(),
                quiet_until: None,
                timed_out: None,
                left: Some("belongs to INC-2 from now on".into()),
                calm_at: None,
            },
            Fact::NobodyToPage,
            Fact::Rescheduled { due: at },
            Fact::Relapsed { sign_after: None },
            Fact::Relapsed { sign_after: Some(quarter) },
            Fact::CommandTaken {
                person: "maya".into(),
                term: 3,
                reason: CommandReason::Reopened,
                sign_after: Some(quarter),
            },
            Fact::Escalated {
                round: 1,
                step: 2,
                last_resort: false,
                awaiting: vec!["maya".into()],
                due: at,
                reminders: vec![at],
                shadows: vec!["kim".into()],
            },
            Fact::Paged { person: "maya".into(), attempt: 2, why: "reminder".into(), sign_due: None },
            Fact::Paged { person: "maya".into(), attempt: 2, why: "w".into(), sign_due: Some(at) },
            Fact::HelpCalled { paged: vec!["tom".into()], sign_due: Some(at) },
            Fact::Mitigated { cause: None },
            Fact::Resolved { resolution: Resolution::FalseAlarm },
            Fact::Reopened { why: "w".into(), anew: true },
        ] {
            let json = fact_to_json(&fact).unwrap();
            assert!(!json.contains("kind"), "{json}");
            assert_eq!(fact_from_json(fact.kind(), &json).unwrap(), fact, "{json}");
        }
        assert!(fact_from_json("shrug", "{}").is_err());
    }
}
