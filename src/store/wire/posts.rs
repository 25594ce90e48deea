//! How offices and the passing of command are written down.

use super::*;
use crate::core::command::{
    Call, Calls, Offer, OfferEnd, Office, Offices, Pace, Post, Talk, Talked, Tenure, Turn,
};

word!(office, Office, Office::ALL, "office");
word!(offer_end, OfferEnd, OfferEnd::ALL, "end of an offer");
word!(call, Call, Call::ALL, "call");

mod maybe_talk {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Option<Talk>, to: S) -> Result<S::Ok, S::Error> {
        value.map(Talk::as_str).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Talk>, D::Error> {
        let Some(word) = Option::<String>::deserialize(from)? else { return Ok(None) };
        Talk::from_word(&word).map(Some).ok_or_else(|| serde::de::Error::custom("an unknown way to talk"))
    }
}

optional!(pub(super) maybe_pace, Pace, "PaceRow");
optional!(pub(super) maybe_calls, Calls, "CallsRow");
optional!(maybe_offer, Offer, "OfferRow");
optional!(maybe_tenure, Tenure, "TenureRow");
many!(posts, Post, "PostRow");

mod maybe_call {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Option<Call>, to: S) -> Result<S::Ok, S::Error> {
        value.map(Call::as_str).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Call>, D::Error> {
        let Some(word) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let known = Call::ALL.into_iter().find(|value| value.as_str() == word);
        known.map(Some).ok_or_else(|| serde::de::Error::custom("an unknown call"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Pace")]
struct PaceRow {
    check_in: SignedDuration,
    size_up: SignedDuration,
    progress: SignedDuration,
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    receipts: SignedDuration,
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    relief: SignedDuration,
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    relief_late: SignedDuration,
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    support: SignedDuration,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Tenure")]
struct TenureRow {
    since: Timestamp,
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    relief: SignedDuration,
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    relief_late: SignedDuration,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_call")]
    prompted: Option<Call>,
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    support: SignedDuration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    support_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    supported: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipts_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unheard: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Calls")]
struct CallsRow {
    #[serde(with = "PaceRow")]
    pace: Pace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check_in: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size_up: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<Timestamp>,
    #[serde(default)]
    unanswered: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Post")]
struct PostRow {
    #[serde(with = "office")]
    office: Office,
    person: String,
    since: Timestamp,
    accepted: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Offer")]
struct OfferRow {
    to: String,
    by: String,
    ordered: bool,
    reason: String,
    at: Timestamp,
    expires: Timestamp,
    brief: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Offices")]
pub(super) struct OfficesRow {
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "posts")]
    posts: Vec<Post>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_offer")]
    offer: Option<Offer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wishes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unaware: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_tenure")]
    tenure: Option<Tenure>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Talked")]
struct TalkedRow {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_talk")]
    talk: Option<Talk>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    read_back: String,
}

/// The kinds are those of [`Turn::kind`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Turn", tag = "kind")]
pub(super) enum TurnRow {
    #[serde(rename = "command_offered")]
    Offered { to: String, ordered: bool, reason: String, expires: Timestamp },
    #[serde(rename = "command_wished")]
    Wished { person: String },
    #[serde(rename = "offer_ended")]
    OfferEnded {
        to: String,
        #[serde(with = "offer_end")]
        how: OfferEnd,
        why: String,
    },
    #[serde(rename = "command_transferred")]
    Transferred {
        from: String,
        to: String,
        term: u32,
        #[serde(with = "command_reason")]
        reason: CommandReason,
        brief: Option<u32>,
        why: String,
        #[serde(flatten, with = "TalkedRow")]
        talked: Talked,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_after: Option<SignedDuration>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_pace")]
        pace: Option<Pace>,
    },
    #[serde(rename = "command_heard")]
    Heard { person: String, term: u32 },
    #[serde(rename = "command_unheard")]
    Unheard { people: Vec<String>, term: u32 },
    #[serde(rename = "office_assigned")]
    Assigned {
        #[serde(with = "office")]
        office: Office,
        person: String,
    },
    #[serde(rename = "office_accepted")]
    Accepted {
        #[serde(with = "office")]
        office: Office,
        person: String,
    },
    #[serde(rename = "office_declined")]
    Declined {
        #[serde(with = "office")]
        office: Office,
        person: String,
    },
    #[serde(rename = "office_released")]
    Released {
        #[serde(with = "office")]
        office: Office,
        person: String,
    },
}

#[cfg(test)]
mod tests {
    use super::super::{fact_from_json, fact_to_json, state_from_json, state_to_json};
    use super::*;
    use crate::core::rules::CommandRules;
    use crate::core::timeline::{Actor, Entry, Route};

    fn taken() -> Incident {
        let at: Timestamp = "2026-11-23T02:00:00.123456Z".parse().unwrap();
        let opened = Fact::Opened {
            title: "t".into(),
            service: "s".into(),
            severity: Severity::Sev1,
            group: None,
            declared: true,
        };
        let person = || String::from("maya");
        let entry = |seq, fact| Entry {
            seq,
            at,
            occurred_at: at,
            actor: Actor::Person("maya".into()),
            office: None,
            term: None,
            route: Route::Api,
            fact,
        };
        let mut incident = Incident::open(1, &entry(1, opened)).unwrap();
        let pace = CommandRules::usual().pace.get(&Severity::Sev1).copied();
        let reason = CommandReason::FirstResponder;
        let taken = Fact::CommandTaken { person: person(), term: 1, reason, sign_after: None, pace };
        incident.apply(&entry(2, taken)).unwrap();
        incident.apply(&entry(3, Fact::CheckedIn { person: person() })).unwrap();
        incident
    }

    #[test]
    fn the_clocks_of_a_tenure_are_read_back_as_they_were_written_and_a_row_without_has_none() {
        let mut incident = taken();
        assert!(incident.support_due().is_some() && incident.relief_due().is_some());
        for prompted in [None, Some(Call::Relief), Some(Call::ReliefLate)] {
            let tenure = incident.offices.tenure.as_mut().unwrap();
            (tenure.prompted, tenure.supported) = (prompted, prompted.is_some());
            tenure.receipts_at = prompted.map(|_| tenure.since);
            tenure.unheard = vec!["tom".into()];
            let json = state_to_json(&incident).unwrap();
            assert_eq!(state_from_json(&json).unwrap(), incident, "{json}");
        }
        // As a version wrote it that knew none of them.
        let mut row: serde_json::Value = serde_json::from_str(&state_to_json(&incident).unwrap()).unwrap();
        row["offices"].as_object_mut().unwrap().remove("tenure").unwrap();
        let pace = row["phase"]["calls"]["pace"].as_object_mut().unwrap();
        for wait in ["receipts", "relief", "relief_late", "support"] {
            pace.remove(wait).unwrap();
        }
        let read = state_from_json(&row.to_string()).unwrap();
        assert_eq!(read.offices.tenure, None);
        assert_eq!((read.receipts_due(), read.support_due(), read.relief_due()), (None, None, None));
        let Phase::Acknowledged { calls: Some(calls), .. } = &read.phase else { panic!("another state") };
        let Pace { check_in, size_up, progress, .. } = CommandRules::usual().pace[&Severity::Sev1];
        assert_eq!(calls.pace, Pace { check_in, size_up, progress, ..Pace::default() });
    }

    #[test]
    fn what_happens_to_offices_is_read_back_as_it_was_written() {
        let at: Timestamp = "2026-11-23T02:00:00.123456Z".parse().unwrap();
        let quarter = SignedDuration::from_mins(15);
        let person = || String::from("maya");
        let turns = [
            Turn::Offered { to: person(), ordered: true, reason: "r".into(), expires: at },
            Turn::Wished { person: person() },
            Turn::OfferEnded { to: person(), how: OfferEnd::Expired, why: String::new() },
            Turn::Transferred {
                from: "tom".into(),
                to: person(),
                term: 2,
                reason: CommandReason::Relieved,
                brief: Some(7),
                why: "w".into(),
                talked: Talked { talk: Some(Talk::Live), read_back: "r".into() },
                sign_after: Some(quarter),
                pace: Some(Pace {
                    check_in: quarter,
                    size_up: quarter,
                    progress: quarter,
                    receipts: quarter,
                    relief: quarter,
                    relief_late: quarter,
                    support: quarter,
                }),
            },
            Turn::Heard { person: person(), term: 2 },
            Turn::Unheard { people: vec![person()], term: 2 },
            Turn::Assigned { office: Office::Deputy, person: person() },
            Turn::Accepted { office: Office::Safety, person: person() },
            Turn::Declined { office: Office::Liaison, person: person() },
            Turn::Released { office: Office::Scribe, person: person() },
        ];
        let kinds: Vec<&str> = turns.iter().map(Turn::kind).collect();
        assert_eq!(kinds, Turn::KINDS, "each kind is tried once");
        for turn in turns {
            let fact = Fact::Command(turn);
            let json = fact_to_json(&fact).unwrap();
            assert!(!json.contains("kind"), "{json}");
            assert_eq!(fact_from_json(fact.kind(), &json).unwrap(), fact, "{json}");
        }
    }

    #[test]
    fn a_change_of_command_of_which_nothing_was_said_is_written_as_it_always_was() {
        let turn = |talked| Turn::Transferred {
            from: "tom".into(),
            to: "maya".into(),
            term: 2,
            reason: CommandReason::Transferred,
            brief: Some(7),
            why: "w".into(),
            talked,
            sign_after: None,
            pace: None,
        };
        let silent = Fact::Command(turn(Talked::default()));
        let json = r#"{"brief":7,"from":"tom","reason":"transferred","term":2,"to":"maya","why":"w"}"#;
        assert_eq!(fact_to_json(&silent).unwrap(), json);
        assert_eq!(fact_from_json("command_transferred", json).unwrap(), silent);
        let said = Talked { talk: Some(Talk::Written), read_back: "orders go through".into() };
        let json = fact_to_json(&Fact::Command(turn(said))).unwrap();
        assert!(json.contains(r#""read_back":"orders go through""#), "{json}");
        assert!(json.contains(r#""talk":"written""#), "{json}");
        let strange = json.replace("written", "sung");
        assert!(fact_from_json("command_transferred", &strange).is_err());
    }
}
