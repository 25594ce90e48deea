//! How the board is written down.

use super::posts::call;
use super::*;
use crate::core::board::{
    Action, Board, Contact, Correction, Corrections, End, Finding, Put, Report, Request, RequestState, Said,
    Task, Trend, Wanted,
};
use crate::core::command::Call;

word!(trend, Trend, Trend::ALL, "trend");
word!(end, End, End::ALL, "end");
word!(request_state, RequestState, RequestState::ALL, "state of a request");

optional!(maybe_said, Said, "SaidRow");
optional!(maybe_report, Report, "ReportRow");
many!(tasks, Task, "TaskRow");
many!(actions, Action, "ActionRow");
many!(requests, Request, "RequestRow");
many!(contacts, Contact, "ContactRow");
many!(findings, Finding, "FindingRow");
many!(kept_corrections, Correction, "CorrectionRow");

/// Whom a request is for, as `{"rotation": "sre"}`.
mod wanted {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Wanted, to: S) -> Result<S::Ok, S::Error> {
        let (sort, name) = value.parts();
        to.collect_map([(sort, name)])
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Wanted, D::Error> {
        let map = std::collections::BTreeMap::<String, String>::deserialize(from)?;
        let first = map.iter().next();
        let known = first.and_then(|(sort, name)| Wanted::from_parts(sort, name));
        known.ok_or_else(|| serde::de::Error::custom("a request for nobody"))
    }
}

/// How something ended and when, as `["done", "2026-11-23T02:00:00Z"]`.
mod ended {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        value: &Option<(End, Timestamp)>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|(end, at)| (end.as_str(), at)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<(End, Timestamp)>, D::Error> {
        let Some((word, at)) = Option::<(String, Timestamp)>::deserialize(from)? else { return Ok(None) };
        let known = End::from_word(&word).map(|end| (end, at));
        known.map(Some).ok_or_else(|| serde::de::Error::custom("an unknown end"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Said")]
struct SaidRow {
    text: String,
    by: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "is_none")]
    entry: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Report")]
struct ReportRow {
    #[serde(with = "trend")]
    trend: Trend,
    text: String,
    by: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "is_none")]
    entry: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Task")]
struct TaskRow {
    number: u32,
    person: String,
    what: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ended")]
    ended: Option<(End, Timestamp)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unsaid: bool,
    #[serde(default, skip_serializing_if = "is_none")]
    entry: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Action")]
struct ActionRow {
    number: u32,
    person: String,
    what: String,
    place: String,
    undo: String,
    at: Timestamp,
    assigned: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ended")]
    ended: Option<(End, Timestamp)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unsaid: bool,
    #[serde(default, skip_serializing_if = "is_none")]
    entry: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    end_entry: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Request")]
struct RequestRow {
    number: u32,
    #[serde(with = "wanted")]
    wanted: Wanted,
    why: String,
    by: String,
    at: Timestamp,
    people: Vec<String>,
    #[serde(with = "request_state")]
    state: RequestState,
    since: Timestamp,
    #[serde(default, skip_serializing_if = "is_none")]
    entry: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Contact")]
struct ContactRow {
    number: u32,
    body: String,
    contact: String,
    ticket: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promised: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    text: String,
    by: String,
    at: Timestamp,
    closed: bool,
    #[serde(default, skip_serializing_if = "is_none")]
    entry: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Finding")]
struct FindingRow {
    component: String,
    ok: bool,
    text: String,
    by: String,
    known_at: Timestamp,
    #[serde(default, skip_serializing_if = "is_none")]
    entry: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Correction")]
struct CorrectionRow {
    number: u32,
    entry: u32,
    text: String,
    by: String,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Corrections")]
struct CorrectionsRow {
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "kept_corrections")]
    kept: Vec<Correction>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moving: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Board")]
pub(super) struct BoardRow {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_said")]
    size_up: Option<Said>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_said")]
    objective: Option<Said>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_said")]
    plan: Option<Said>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_report")]
    report: Option<Report>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "tasks")]
    tasks: Vec<Task>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "actions")]
    actions: Vec<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_said")]
    stop: Option<Said>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "requests")]
    requests: Vec<Request>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "contacts")]
    contacts: Vec<Contact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "findings")]
    findings: Vec<Finding>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_said")]
    meeting: Option<Said>,
    #[serde(default, skip_serializing_if = "is_default", with = "CorrectionsRow")]
    corrections: Corrections,
}

/// The kinds are those of [`Put::kind`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Put", tag = "kind", rename_all = "snake_case")]
pub(super) enum PutRow {
    #[serde(rename = "size_up")]
    SizedUp {
        text: String,
    },
    #[serde(rename = "objective")]
    ObjectiveSet {
        text: String,
    },
    #[serde(rename = "plan")]
    PlanSet {
        text: String,
    },
    #[serde(rename = "report")]
    Reported {
        #[serde(with = "trend")]
        trend: Trend,
        text: String,
    },
    Called {
        #[serde(with = "call")]
        call: Call,
    },
    TaskGiven {
        number: u32,
        person: String,
        what: String,
        limit: Option<Timestamp>,
    },
    TaskEnded {
        number: u32,
        #[serde(with = "end")]
        how: End,
        text: String,
    },
    ActionBegan {
        number: u32,
        person: String,
        what: String,
        place: String,
        undo: String,
        assigned: bool,
    },
    ActionEnded {
        number: u32,
        #[serde(with = "end")]
        how: End,
        text: String,
    },
    ChangesAllowed {
        most: u32,
    },
    Stopped {
        why: String,
    },
    StopLifted {
        why: String,
    },
    Requested {
        number: u32,
        #[serde(with = "wanted")]
        wanted: Wanted,
        why: String,
        people: Vec<String>,
    },
    RequestMoved {
        number: u32,
        #[serde(with = "request_state")]
        to: RequestState,
    },
    #[serde(rename = "contact")]
    ContactLogged {
        number: u32,
        body: String,
        contact: String,
        ticket: String,
        promised: Option<Timestamp>,
        text: String,
        closed: bool,
    },
    ContactOverdue {
        number: u32,
    },
    TaskOverdue {
        number: u32,
    },
    Found {
        component: String,
        ok: bool,
        text: String,
        known_at: Timestamp,
    },
    #[serde(rename = "meeting")]
    MeetingSet {
        place: Option<String>,
        why: String,
    },
    Corrected {
        entry: u32,
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::super::{fact_from_json, fact_to_json};
    use super::*;
    use crate::core::incident::Incident;
    use crate::core::timeline::{Actor, Entry, Route};

    fn all() -> Vec<Put> {
        let at: Timestamp = "2026-11-23T02:00:00.123456Z".parse().unwrap();
        let text = || String::from("words");
        vec![
            Put::SizedUp { text: text() },
            Put::ObjectiveSet { text: text() },
            Put::PlanSet { text: text() },
            Put::Reported { trend: Trend::Worse, text: text() },
            Put::Called { call: Call::Progress },
            Put::TaskGiven { number: 1, person: "tom".into(), what: text(), limit: Some(at) },
            Put::TaskEnded { number: 1, how: End::Dropped, text: text() },
            Put::ActionBegan {
                number: 1,
                person: "tom".into(),
                what: text(),
                place: "lb1".into(),
                undo: text(),
                assigned: true,
            },
            Put::ActionEnded { number: 1, how: End::RolledBack, text: String::new() },
            Put::ChangesAllowed { most: 2 },
            Put::Stopped { why: text() },
            Put::StopLifted { why: text() },
            Put::Requested {
                number: 1,
                wanted: Wanted::Capability("dns".into()),
                why: text(),
                people: vec!["kim".into()],
            },
            Put::RequestMoved { number: 1, to: RequestState::OnScene },
            Put::ContactLogged {
                number: 1,
                body: "the host".into(),
                contact: String::new(),
                ticket: "4711".into(),
                promised: Some(at),
                text: text(),
                closed: false,
            },
            Put::ContactOverdue { number: 1 },
            Put::TaskOverdue { number: 1 },
            Put::Found { component: "vpn".into(), ok: true, text: text(), known_at: at },
            Put::MeetingSet { place: Some("https://meet.example.net/b".into()), why: text() },
            Put::Corrected { entry: 3, text: text() },
        ]
    }

    #[test]
    fn what_is_put_on_the_board_is_read_back_as_it_was_written() {
        let kinds: Vec<&str> = all().iter().map(Put::kind).collect();
        assert_eq!(kinds, Put::KINDS, "each kind is tried once");
        for put in all() {
            let fact = Fact::Board(put);
            let json = fact_to_json(&fact).unwrap();
            assert!(!json.contains("kind"), "{json}");
            assert_eq!(fact_from_json(fact.kind(), &json).unwrap(), fact, "{json}");
        }
    }

    fn full() -> Incident {
        let at: Timestamp = "2026-11-23T02:00:00.123456Z".parse().unwrap();
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
        let opened = Fact::Opened {
            title: "t".into(),
            service: "s".into(),
            severity: Severity::Sev1,
            group: None,
            declared: true,
        };
        let mut incident = Incident::open(1, &entry(1, opened)).unwrap();
        for (place, put) in all().into_iter().enumerate() {
            incident.apply(&entry(u32::try_from(place).unwrap() + 2, Fact::Board(put))).unwrap();
        }
        incident
    }

    #[test]
    fn a_board_with_everything_on_it_is_read_back_as_it_was_written() {
        let mut over = full();
        let (number, seq, at) = (2, over.seq + 1, over.opened_at);
        let began = Put::TaskGiven { number, person: "tom".into(), what: "w".into(), limit: Some(at) };
        over.board.apply(&began, "maya", at, seq).unwrap();
        over.board.end(at);
        over.seq = seq;
        assert_eq!(over.board.tasks[1].end(), Some((End::Unsaid, at)));
        for incident in [full(), over] {
            let json = super::super::state_to_json(&incident).unwrap();
            assert_eq!(super::super::state_from_json(&json).unwrap(), incident, "{json}");
        }
    }
}
