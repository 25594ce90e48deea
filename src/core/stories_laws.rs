//! What holds of a timeline, of recoveries, of what people are told, of promises and of the fold, whatever happens.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::board::{Board, Corrections, End, Put, Trend};
use super::command::Turn;
use super::decide::{Act, By, Decision, Join, Refusal, Write, decide};
use super::escalation::Staff;
use super::incident::{Incident, Severity};
use super::letter::Letter;
use super::stories_command::{Night, anything, rules, timed};
use super::timeline::{Actor, Entry, Fact, Route};

/// One thing that happens: who does what, so many minutes after the one before it, said of an hour so many minutes before.
type Happens = (String, Act, i64, Option<i64>);

/// What people write, and what alerts do, among whatever anybody may do about command.
fn whatever() -> impl Strategy<Value = Happens> {
    let hour = |minutes: i64| super::stories::begin() + SignedDuration::from_mins(minutes);
    let writes = prop_oneof![
        (1_u32..40).prop_map(|entry| Write::Correct { entry, text: "it was lb2".into() }),
        Just(Write::Report { trend: Trend::Same, text: "w".into() }),
        (0_i64..600, 0_u32..5).prop_map(move |(at, term)| Write::Task {
            person: "tom".into(),
            what: "w".into(),
            limit: Some(hour(at)),
            term
        }),
        (1_u32..4).prop_map(|number| Write::EndTask { number, how: End::Done, text: String::new() }),
        (0_i64..600).prop_map(move |at| Write::Contact {
            body: "host".into(),
            contact: String::new(),
            ticket: String::new(),
            promised: Some(hour(at)),
            text: String::new(),
            closed: false
        }),
        (0_u32..5).prop_map(|term| Write::Meet { place: Some("room 2".into()), why: String::new(), term }),
        Just(Write::Stop { why: "w".into() }),
        Just(Write::Lift { why: "w".into() }),
    ];
    let person = prop::sample::select(vec!["maya", "tom", "kim", "cto"]).prop_map(String::from);
    let said = (person, writes, 0_i64..8).prop_map(|(who, write, wait)| (who, Act::Board(write), wait));
    let fires = || {
        Act::Join(Join {
            source: "pingdom".into(),
            key: "db-1".into(),
            title: "t".into(),
            refired: true,
            service: "shop".into(),
            severity: Severity::Sev2,
            because: None,
            group: None,
            flaps: None,
        })
    };
    let recovers =
        || Act::Recover { source: "pingdom".into(), key: "db-1".into(), timed_out: None, flaps: None };
    let alerts = prop_oneof![Just(fires()), Just(recovers()), Just(recovers())];
    let alerts = (alerts, 0_i64..8).prop_map(|(act, wait)| ("pingdom".to_owned(), act, wait));
    let happens = prop_oneof![4 => anything(), 2 => said, 2 => alerts];
    (happens, prop::option::of(1_i64..90)).prop_map(|((who, act, wait), ago)| (who, act, wait, ago))
}

/// Whether it is told to everybody who is on it: who commands, its state, how bad it is, where people meet.
fn concerns_all(entry: &Entry) -> bool {
    matches!(
        &entry.fact,
        Fact::Command(Turn::Transferred { .. })
            | Fact::Mitigated { .. }
            | Fact::Relapsed { .. }
            | Fact::Resolved { .. }
            | Fact::SeverityRaised { .. }
            | Fact::SeverityLowered { .. }
            | Fact::Board(Put::MeetingSet { .. })
    )
}

/// Who is on it, and has not been told in this decision.
fn untold(before: &Incident, decision: &Decision, by: &By) -> Vec<String> {
    let told = |person: &str| {
        decision.letters.iter().any(|letter| match letter {
            Letter::Page { person: to, .. } | Letter::Notice { person: to, .. } => to == person,
            _ => false,
        })
    };
    let on_it = before.responders.iter().filter(|one| one.status.has_answered());
    on_it
        .map(|one| one.person.clone())
        .filter(|person| by.actor.person() != Some(person) && !told(person))
        .collect()
}

/// What people wrote down that is owed to somebody, or by somebody, and by when.
fn promises(incident: &Incident) -> (Board, Option<Timestamp>) {
    (incident.board.clone(), incident.next_update_by)
}

/// I11: the timeline only grows, in order, by the clock of the daemon; the hour that was claimed is kept beside it, and a
/// correction changes nothing but what stands beside what it corrects, and whether that has to be read again.
fn grows(before: &Incident, decision: &Decision, by: &By, now: Timestamp) {
    for (place, entry) in decision.entries.iter().enumerate() {
        assert_eq!(entry.seq, before.seq + u32::try_from(place).unwrap() + 1);
        assert_eq!(entry.at, now);
        assert!(entry.occurred_at == now || Some(entry.occurred_at) == by.occurred_at);
    }
    if let [Entry { fact: Fact::Board(Put::Corrected { entry, .. }), .. }] = &decision.entries[..] {
        assert!(*entry <= before.seq, "what is corrected was written before");
        let after = &decision.incident;
        let said = |board: &Board| Board { corrections: Corrections::default(), ..board.clone() };
        assert_eq!((said(&after.board), after.state()), (said(&before.board), before.state()));
        let moves = before.board.corrections.move_with(*entry);
        assert_eq!(after.moved, if moves { after.seq } else { before.moved });
        // That somebody does anything shows that they are there, and nothing else.
        assert_eq!(
            (&after.offices.posts, &after.offices.offer),
            (&before.offices.posts, &before.offices.offer)
        );
        assert_eq!(after.commander(), before.commander());
    }
}

/// I12: what a source says never ends an incident that somebody has, and moves no office.
fn is_evidence(before: &Incident, after: &Incident) {
    if before.commander().is_some() {
        assert_eq!(after.commander(), before.commander());
        assert!(after.is_open());
    }
    assert_eq!(after.offices.posts, before.offices.posts);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    /// I11 to I15.
    #[test]
    fn the_laws_hold_whatever_happens(
        all in prop::collection::vec(whatever(), 1..80), is_timed in any::<bool>(),
    ) {
        let Night { rules, incident: begun, mut now, mut entries } =
            Night::new(if is_timed { timed() } else { rules() });
        let mut incident = begun;
        for (who, act, wait, ago) in all {
            now += SignedDuration::from_mins(wait);
            let is_source = who == "pingdom";
            // A source recovers what fires, and fires again what has recovered.
            let fits = match &act {
                Act::Recover { .. } => incident.firing > 0,
                Act::Join(_) => incident.firing == 0,
                _ => true,
            };
            if !fits {
                continue;
            }
            let (actor, route) = match who.as_str() {
                "pingdom" => (Actor::Source(who), Route::Webhook),
                "onscene" => (Actor::Dispatch, Route::Daemon),
                _ => (Actor::Person(who), Route::Api),
            };
            let occurred_at = ago.filter(|_| route == Route::Api).map(|ago| now - SignedDuration::from_mins(ago));
            let by = By { actor, route, occurred_at };
            let recovers = matches!(act, Act::Recover { .. });
            let decision = match decide(&incident, act, &by, Staff::as_configured(&rules), now) {
                Ok(decision) => decision,
                Err(refusal) => {
                    prop_assert!(!matches!(refusal, Refusal::Fault(_)), "{refusal}");
                    continue;
                }
            };
            grows(&incident, &decision, &by, now);
            if is_source && recovers {
                is_evidence(&incident, &decision.incident);
            }
            // I13.
            if incident.commander().is_some() && decision.entries.iter().any(concerns_all) {
                let untold = untold(&incident, &decision, &by);
                prop_assert!(untold.is_empty(), "{untold:?} hear nothing of {:?}", decision.entries);
            }
            // I14.
            if let [Entry { fact: Fact::Command(Turn::Transferred { .. }), .. }] = &decision.entries[..] {
                prop_assert_eq!(promises(&decision.incident), promises(&incident));
                prop_assert!(decision.incident.due_at().is_none_or(|due| due >= now) || incident.due_at().is_some());
            }
            entries.extend(decision.entries);
            incident = decision.incident;
        }
        // I15: whoever has nothing but the timeline has the incident.
        let mut fold = Incident::open(incident.id, &entries[0]).unwrap();
        for entry in &entries[1..] {
            fold.apply(entry).unwrap();
        }
        prop_assert_eq!(fold, incident);
    }
}

/// I13: what became of each letter is on the timeline.
#[test]
fn what_became_of_what_people_were_told_is_on_record() {
    let mut night = Night::manned(rules());
    for (outcome, why, words) in [
        ("accepted", "", "accepted"),
        ("refused", "550 no such user", "refused"),
        ("unknown", "silence", "nobody knows whether it arrived"),
    ] {
        let (what, to) = ("notice".to_owned(), "tom".to_owned());
        night.does(
            "onscene",
            Act::Deliver { what, to, outcome: outcome.into(), why: why.into(), statement: None },
        );
        let last = night.entries.last().unwrap();
        assert!(last.fact.text().starts_with(&format!("notice to tom: {words}")), "{}", last.fact.text());
    }
}
