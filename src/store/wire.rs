//! How the core's values are written down: mirrors for serde, so that the core itself knows nothing of it.
//!
//! The names written here are on disk for years and under the hashes of the timeline: a field may be
//! added with a default, and is never renamed or removed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::StoreError;
use crate::core::board::{Board, Put};
use crate::core::command::{Calls, Offices, Pace, Turn};
use crate::core::correlate::Because;
use crate::core::incident::{
    Command, CommandReason, Escalation, Incident, Phase, Resolution, Responder, ResponderStatus, Severity,
    Sign,
};
use crate::core::timeline::{Fact, Joined};
use crate::core::voice::{Say, Voice};

/// Which fold of a timeline is kept in a row. It grows with every field that [`IncidentRow`], or a row within it, gains: a node
/// of the version before drops what it does not know, and writes a lower number or none. Whoever finds a lower one folds the
/// timeline anew ([`super::incidents::load`]).
pub(super) const FOLD: u32 = 5;

/// An incident's fold as JSON.
pub(super) fn state_to_json(incident: &Incident) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten, with = "IncidentRow")]
        incident: &'a Incident,
        fold: u32,
    }
    Ok(serde_json::to_string(&Whole { incident, fold: FOLD })?)
}

/// The fold that [`state_to_json`] wrote, 0 for that of a version which told no number.
pub(super) fn fold_of(json: &str) -> u32 {
    #[derive(Deserialize)]
    struct Mark {
        #[serde(default)]
        fold: u32,
    }
    // As it is written here; a document that was exported may have been laid out anew.
    if let Some((_, end)) = json.rsplit_once(r#","fold":"#)
        && let Some(Ok(fold)) = end.strip_suffix('}').map(str::parse)
    {
        return fold;
    }
    serde_json::from_str::<Mark>(json).map_or(0, |mark| mark.fold)
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
    #[derive(Serialize)]
    struct OfCommand<'a>(#[serde(with = "TurnRow")] &'a Turn);
    #[derive(Serialize)]
    struct OfBoard<'a>(#[serde(with = "PutRow")] &'a Put);
    #[derive(Serialize)]
    struct OfVoice<'a>(#[serde(with = "SayRow")] &'a Say);
    let mut value = match fact {
        Fact::Voice(say) => serde_json::to_value(OfVoice(say))?,
        Fact::Command(turn) => serde_json::to_value(OfCommand(turn))?,
        Fact::Board(put) => serde_json::to_value(OfBoard(put))?,
        fact => serde_json::to_value(Whole(fact))?,
    };
    if let Some(fields) = value.as_object_mut() {
        fields.remove("kind");
    }
    Ok(value.to_string())
}

/// Reads what [`fact_to_json`] wrote.
pub(super) fn fact_from_json(kind: &str, json: &str) -> Result<Fact, StoreError> {
    #[derive(Deserialize)]
    struct Whole(#[serde(with = "FactRow")] Fact);
    #[derive(Deserialize)]
    struct OfCommand(#[serde(with = "TurnRow")] Turn);
    #[derive(Deserialize)]
    struct OfBoard(#[serde(with = "PutRow")] Put);
    #[derive(Deserialize)]
    struct OfVoice(#[serde(with = "SayRow")] Say);
    let mut value: serde_json::Value = serde_json::from_str(json)?;
    let fields = value.as_object_mut().ok_or(StoreError::Decode("an entry whose data is no object"))?;
    fields.insert("kind".into(), kind.into());
    Ok(if Turn::KINDS.contains(&kind) {
        Fact::Command(serde_json::from_value::<OfCommand>(value)?.0)
    } else if Put::KINDS.contains(&kind) {
        Fact::Board(serde_json::from_value::<OfBoard>(value)?.0)
    } else if Say::KINDS.contains(&kind) {
        Fact::Voice(serde_json::from_value::<OfVoice>(value)?.0)
    } else {
        serde_json::from_value::<Whole>(value)?.0
    })
}

/// A word of the core's own, such as `SEV1`, written as that word.
macro_rules! word {
    ($module:ident, $type:ty, $all:expr, $what:literal) => {
        pub(super) mod $module {
            use super::*;

            pub(in crate::store::wire) fn serialize<S: Serializer>(
                value: &$type,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.serialize_str(value.as_str())
            }

            pub(in crate::store::wire) fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<$type, D::Error> {
                let word = String::deserialize(from)?;
                let all = $all;
                all.into_iter()
                    .find(|value: &$type| value.as_str() == word)
                    .ok_or_else(|| serde::de::Error::custom(concat!("an unknown ", $what)))
            }
        }
    };
}

/// A value of the core's inside an `Option`, where serde's `with` does not reach.
macro_rules! optional {
    ($vis:vis $module:ident, $type:ty, $row:literal) => {
        $vis mod $module {
            use super::*;

            #[derive(Serialize)]
            struct Lent<'a>(#[serde(with = $row)] &'a $type);
            #[derive(Deserialize)]
            struct Own(#[serde(with = $row)] $type);

            pub(in crate::store::wire) fn serialize<S: Serializer>(value: &Option<$type>, to: S) -> Result<S::Ok, S::Error> {
                value.as_ref().map(Lent).serialize(to)
            }

            pub(in crate::store::wire) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<$type>, D::Error> {
                Ok(Option::<Own>::deserialize(from)?.map(|own| own.0))
            }
        }
    };
}

/// Values of the core's inside a list.
macro_rules! many {
    ($module:ident, $type:ty, $row:literal) => {
        mod $module {
            use super::*;

            #[derive(Serialize)]
            struct Lent<'a>(#[serde(with = $row)] &'a $type);
            #[derive(Deserialize)]
            struct Own(#[serde(with = $row)] $type);

            pub(in crate::store::wire) fn serialize<S: Serializer>(
                value: &[$type],
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.collect_seq(value.iter().map(Lent))
            }

            pub(in crate::store::wire) fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<Vec<$type>, D::Error> {
                Ok(Vec::<Own>::deserialize(from)?.into_iter().map(|own| own.0).collect())
            }
        }
    };
}

mod board;
mod posts;
mod voice;

use board::{BoardRow, PutRow};
use posts::{OfficesRow, TurnRow, maybe_calls, maybe_pace};
use voice::{SayRow, VoiceRow};

word!(severity, Severity, Severity::ALL, "severity");
word!(
    resolution,
    Resolution,
    [Resolution::Restored, Resolution::FalseAlarm, Resolution::SelfCleared, Resolution::Merged],
    "resolution"
);
word!(command_reason, CommandReason, CommandReason::ALL, "reason of command");
word!(responder_status, ResponderStatus, ResponderStatus::ALL, "status of a responder");

many!(joined, Joined, "JoinedRow");
many!(responders, Responder, "ResponderRow");
optional!(last_command, Command, "CommandRow");
optional!(maybe_escalation, Escalation, "EscalationRow");
optional!(maybe_sign, Sign, "SignRow");

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eta: Option<Timestamp>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
        #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_calls")]
        calls: Option<Calls>,
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

/// With a field more, here or in a row within it, [`FOLD`] grows.
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
    #[serde(default, skip_serializing_if = "is_default", with = "OfficesRow")]
    offices: Offices,
    #[serde(default, skip_serializing_if = "is_default", with = "BoardRow")]
    board: Board,
    #[serde(default, skip_serializing_if = "is_default", with = "VoiceRow")]
    voice: Voice,
    #[serde(default)]
    moved: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard_at: Option<Timestamp>,
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
        #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_pace")]
        pace: Option<Pace>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    SeverityLowered {
        #[serde(with = "severity")]
        from: Severity,
        #[serde(with = "severity")]
        to: Severity,
        why: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_after: Option<SignedDuration>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_pace")]
        pace: Option<Pace>,
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
    EnRoute {
        person: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        eta: Option<Timestamp>,
    },
    Resting {
        person: String,
    },
    Released {
        person: String,
    },
    /// Written down by [`TurnRow`], with kinds of its own.
    #[serde(skip)]
    Command(Turn),
    /// Written down by [`PutRow`], with kinds of its own.
    #[serde(skip)]
    Board(Put),
    /// Written down by [`SayRow`], with kinds of its own.
    #[serde(skip)]
    Voice(Say),
    CommandTaken {
        person: String,
        term: u32,
        #[serde(with = "command_reason")]
        reason: CommandReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_after: Option<SignedDuration>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_pace")]
        pace: Option<Pace>,
    },
    HelpCalled {
        paged: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_due: Option<Timestamp>,
    },
    PioCalled {
        person: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
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
        #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_pace")]
        pace: Option<Pace>,
    },
    Resolved {
        #[serde(with = "resolution")]
        resolution: Resolution,
    },
    Reopened {
        why: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left: bool,
    },
    Note {
        text: String,
    },
    Delivered {
        what: String,
        to: String,
        outcome: String,
        why: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        statement: Option<u32>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_read_back_is_the_fact_written() {
        let at: Timestamp = "2026-11-23T02:00:00.123456Z".parse().unwrap();
        let quarter = SignedDuration::from_mins(15);
        let pace = Some(Pace { check_in: quarter, size_up: quarter, progress: quarter, ..Pace::default() });
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
            Fact::SeverityRaised {
                from: Severity::Sev3,
                to: Severity::Sev1,
                sign_after: None,
                pace: None,
                why: String::new(),
            },
            Fact::SeverityRaised {
                from: Severity::Sev3,
                to: Severity::Sev1,
                sign_after: Some(quarter),
                pace,
                why: "w".into(),
            },
            Fact::SeverityLowered {
                from: Severity::Sev1,
                to: Severity::Sev3,
                why: "w".into(),
                sign_after: None,
                pace: None,
            },
            Fact::EnRoute { person: "maya".into(), eta: Some(at) },
            Fact::Resting { person: "maya".into() },
            Fact::Released { person: "maya".into() },
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
            Fact::Relapsed { sign_after: None, pace: None },
            Fact::Relapsed { sign_after: Some(quarter), pace },
            Fact::CommandTaken {
                person: "maya".into(),
                term: 3,
                reason: CommandReason::Reopened,
                sign_after: Some(quarter),
                pace,
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
            Fact::Reopened { why: "w".into(), anew: true, left: false },
            Fact::Reopened { why: "w".into(), anew: true, left: true },
        ] {
            let json = fact_to_json(&fact).unwrap();
            assert!(!json.contains("kind"), "{json}");
            assert_eq!(fact_from_json(fact.kind(), &json).unwrap(), fact, "{json}");
        }
        assert!(fact_from_json("shrug", "{}").is_err());
    }
}
