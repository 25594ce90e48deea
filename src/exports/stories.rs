//! What is taken out of three nights, word by word: command that is handed over as it should be, a change that nobody was
//! asked to make, and silence.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::later::Later;
use super::taken::Taken;
use super::{Form, Format};
use crate::core::board::{End, Trend, Wanted};
use crate::core::command::{Office, Talk, Talked};
use crate::core::condition::Known;
use crate::core::decide::{Act, Bid, By, Write, decide};
use crate::core::escalation::Staff;
use crate::core::incident::Severity;
use crate::core::meeting::{Doubt, Meeting, Place};
use crate::core::stories_command::{Night, action, assign, assume, offer, rules, timed};
use crate::core::timeline::{Actor, Route};
use crate::store::alerts::Shown;
use crate::store::timeline::Kept;

pub(super) fn board(write: Write) -> Act {
    Act::Board(write)
}

/// What the store has of a night.
pub(super) struct Store {
    entries: Vec<Kept>,
    alerts: Vec<Shown>,
    meeting: Meeting,
    known: Vec<Known>,
}

impl Store {
    pub(super) fn of(night: &Night) -> Self {
        let kept = |entry: &crate::core::timeline::Entry| Kept {
            entry: entry.clone(),
            data: String::new(),
            text: entry.fact.text(),
            hash: Vec::new(),
        };
        let place =
            |name: &str, url: &str, doubt| Place { name: name.into(), url: url.into(), dial_in: None, doubt };
        let alert = Shown {
            source: "pingdom".into(),
            key: "db-1".into(),
            status: if night.incident.firing > 0 { "firing" } else { "resolved" }.into(),
            severity: None,
            title: "checkout <down> & | [out](https://evil.example)".into(),
            body: String::new(),
            labels: BTreeMap::new(),
            links: Vec::new(),
            count: 3,
            first_seen: night.incident.opened_at,
            last_seen: night.now,
            changed_at: night.incident.opened_at,
        };
        Self {
            entries: night.entries.iter().map(kept).collect(),
            alerts: vec![alert],
            meeting: Meeting {
                places: vec![
                    place(
                        "chat",
                        "https://chat.example.net/sre",
                        Some(Doubt::Struck { service: "dc-ny".into() }),
                    ),
                    place("video", "https://video.example.net/1", None),
                ],
                told: false,
            },
            known: vec![Known {
                text: "dc2 is down for maintenance".into(),
                services: ["shop".to_owned()].into(),
                until: night.now + SignedDuration::from_hours(2),
                by: Some("kim".into()),
            }],
        }
    }

    pub(super) fn taken<'a>(&'a self, night: &'a Night) -> Taken<'a> {
        Taken {
            incident: &night.incident,
            entries: &self.entries,
            later: Later::of(&self.entries),
            alerts: &self.alerts,
            meeting: &self.meeting,
            known: &self.known,
            rules: &night.rules,
            at: night.now,
            by: "kim",
        }
    }
}

/// Everything there is of a night, as Markdown.
fn told(night: &Night, people: &[&str]) -> String {
    let store = Store::of(night);
    let taken = store.taken(night);
    let mut all = String::new();
    let mut add = |form: Form, person: Option<&str>| {
        let document = form.fill(&taken, person).unwrap();
        all.push_str(&format!("<<< {} {}\n", form.as_str(), person.unwrap_or_default()));
        all.push_str(&Format::Markdown.write(&document).unwrap());
    };
    for form in [Form::Ics201, Form::Ics209, Form::Ics214, Form::Postmortem] {
        add(form, None);
    }
    people.iter().for_each(|person| add(Form::Ics214, Some(person)));
    all
}

/// Maya is tired and hands over; tom ends it.
fn good_night() -> Night {
    let mut night = Night::manned(timed());
    let at = |night: &Night, minutes| Some(night.now + SignedDuration::from_mins(minutes));
    night.at(3).does(
        "maya",
        board(Write::SizeUp { text: "checkout is down for all\nboth balancers are master".into() }),
    );
    night.does("maya", board(Write::Objective { text: "orders go through again".into(), term: 1 }));
    night.does("maya", board(Write::Plan { text: "one balancer at a time".into(), term: 1 }));
    night.does("maya", assign(Office::Safety, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: None, term: None, brief: None }));
    let find = |component: &str, ok, known_at| {
        board(Write::Find { component: component.into(), ok, text: "seen on the console".into(), known_at })
    };
    night.at(5).does("tom", find("vpn", true, None));
    let known_at = Some(night.now - SignedDuration::from_mins(2));
    night.does("tom", find("keepalived", false, known_at));
    night.does("maya", action("stop keepalived"));
    night.at(6).does("tom", board(Write::Stop { why: "nobody has a backup of lb2".into() }));
    night.at(7).does("maya", board(Write::Lift { why: "there is one".into() }));
    let limit = at(&night, 20);
    night.does(
        "maya",
        board(Write::Task { person: "tom".into(), what: "read the log of lb1".into(), limit, term: 1 }),
    );
    night.does(
        "maya",
        board(Write::Request { wanted: Wanted::Person("cto".into()), why: "call the host".into() }),
    );
    let eta = at(&night, 15);
    night.at(8).does("cto", Act::EnRoute { eta });
    let promised = at(&night, 30);
    night.does(
        "maya",
        board(Write::Contact {
            body: "the host".into(),
            contact: "noc@host.example".into(),
            ticket: "#4711".into(),
            promised,
            text: "they look at the switch".into(),
            closed: false,
        }),
    );
    night.at(9).does("kim", Act::Draft { text: "We see errors at checkout and look into it.".into() });
    night.does("maya", board(Write::Report { trend: Trend::Better, text: "half of the orders pass".into() }));
    night.does("kim", Act::Note { text: "TODO: an alarm for two masters".into() });
    night
}

fn handed_over(mut night: Night) -> Night {
    night.at(10).does("maya", offer("tom", 1));
    let brief = night.incident.moved;
    let read_back = "orders go through; both balancers master\nkeepalived is stopped, kim knows the host";
    let talked = Talked { talk: Some(Talk::Live), read_back: read_back.into() };
    night.at(11).does("tom", Act::Command(Bid::TakeOver { term: 1, brief: Some(brief), talked }));
    night.does("maya", Act::Command(Bid::Heard { term: 2 }));
    night
        .does("maya", board(Write::EndAction { number: 1, how: End::Done, text: "it stays stopped".into() }));
    night.at(12).does("tom", board(Write::EndTask { number: 1, how: End::Dropped, text: String::new() }));
    let noted =
        night.entries.iter().find(|entry| entry.fact.text().contains("found: keepalived")).unwrap().seq;
    night.does("tom", board(Write::Correct { entry: noted, text: "it was lb2 alone".into() }));
    recovers(&mut night, "db-1");
    night.at(13).does("tom", Act::Mitigate { term: 2, cause: Some("keepalived was stopped on lb2".into()) });
    night.at(50).does("tom", Act::Resolve { term: 2, false_alarm: false });
    night
}

fn recovers(night: &mut Night, key: &str) {
    let by = By { actor: Actor::Source("pingdom".into()), route: Route::Webhook, occurred_at: None };
    let act = Act::Recover { source: "pingdom".into(), key: key.into(), timed_out: None, flaps: None };
    let decision = decide(&night.incident, act, &by, Staff::as_configured(&night.rules), night.now).unwrap();
    night.incident = decision.incident;
    night.entries.extend(decision.entries);
}

#[test]
fn a_good_night_before_command_passes() {
    insta::assert_snapshot!("good_night", told(&good_night(), &[]));
}

#[test]
fn a_good_night_when_it_is_over() {
    let night = handed_over(good_night());
    let text = told(&night, &["maya", "tom"]);
    assert!(!text.contains("UNEXPLAINED"), "somebody said what ended it");
    insta::assert_snapshot!("good_night_over", text);
}

#[test]
fn who_changes_what_nobody_asked_them_to_is_seen_and_what_recovers_by_itself_is_not_called_understood() {
    let mut night = Night::new(timed());
    night.at(1).does("maya", Act::Answer { help: false });
    night.at(2).does("maya", Act::CheckIn);
    recovers(&mut night, "db-1");
    night.at(4).does("maya", Act::Mitigate { term: 1, cause: None });
    night.at(5).does("tom", Act::CheckIn);
    night.does(
        "tom",
        board(Write::Action { what: "restarted <all>".into(), place: String::new(), undo: String::new() }),
    );
    night.at(6).does("tom", board(Write::EndAction { number: 1, how: End::Done, text: String::new() }));
    let text = told(&night, &["tom"]);
    for said in
        ["UNEXPLAINED", "It is unexplained", "(who was given nothing to do here)", "restarted \\<all\\>"]
    {
        assert!(text.contains(said), "{said}");
    }
    insta::assert_snapshot!("cowboy", text);
}

#[test]
fn silence_and_who_took_over_as_is_routine_are_told_without_blame() {
    let mut night = Night::new(timed());
    night.at(1).does("maya", Act::Answer { help: false });
    night.at(2).does("maya", Act::CheckIn);
    for minute in 3..24 {
        night.at(minute).tick();
    }
    night.at(24).does("tom", Act::CheckIn);
    for minute in 25..40 {
        night.at(minute).tick();
    }
    night.does("tom", assume());
    night.at(41).does("maya", Act::Note { text: "todo look at my telephone".into() });
    night.does("tom", board(Write::Report { trend: Trend::Same, text: String::new() }));
    assert_eq!(night.incident.commander().unwrap().person, "tom");
    insta::assert_snapshot!("silence", told(&night, &["maya"]));
}

#[test]
fn a_page_of_a_good_night_is_whole_html() {
    let night = good_night();
    let store = Store::of(&night);
    let document = Form::Ics201.fill(&store.taken(&night), None).unwrap();
    insta::assert_snapshot!("good_night_html", Format::Html.write(&document).unwrap());
    insta::assert_snapshot!("good_night_json", Format::Json.write(&document).unwrap());
}

#[test]
fn an_activity_log_is_of_somebody_who_is_there() {
    let night = good_night();
    let store = Store::of(&night);
    assert_eq!(Form::Ics214.fill(&store.taken(&night), Some("nobody")), None);
    let cto = Form::Ics214.fill(&store.taken(&night), Some("cto")).unwrap();
    let text = Format::Markdown.write(&cto).unwrap();
    assert!(text.contains("cto is on the way") && !text.contains("vpn"), "{text}");
}

#[test]
fn a_form_says_what_it_cannot_be() {
    for form in Form::ALL {
        assert_eq!(Form::from_word(form.as_str()), Some(form));
        assert!(form.takes(form.usual_format(), None).is_ok());
        assert_eq!(form.takes(Format::Json, Some("maya")).is_ok(), form == Form::Ics214);
        assert_eq!(form.takes(Format::Html, None).is_ok(), form != Form::Json);
    }
    for format in Format::ALL {
        assert_eq!(Format::from_word(format.as_str()), Some(format));
    }
}

#[test]
fn how_bad_it_was_when_is_told_over_a_reopening() {
    let mut night = Night::manned(rules());
    night.at(10).does(
        "maya",
        Act::SetSeverity { severity: Severity::Sev2, reason: "one shop".into(), term: Some(1) },
    );
    night.at(20).does("maya", Act::Mitigate { term: 1, cause: Some("x".into()) });
    night.at(30).does("maya", Act::Resolve { term: 1, false_alarm: false });
    night.at(90).does("tom", Act::Reopen { why: "again".into() });
    night.at(100);
    let store = Store::of(&night);
    let taken = store.taken(&night);
    let spans = |spans: Vec<super::taken::Span>| -> Vec<(&'static str, i64, Option<i64>)> {
        let minute = |at: jiff::Timestamp| at.duration_since(night.incident.opened_at).as_mins();
        spans.into_iter().map(|span| (span.word, minute(span.from), span.to.map(minute))).collect()
    };
    assert_eq!(
        spans(taken.severities()),
        [("SEV1", 0, Some(10)), ("SEV2", 10, Some(30)), ("SEV2", 90, None)]
    );
    let states = spans(taken.states());
    assert_eq!(
        states[..3],
        [("triggered", 0, Some(1)), ("acknowledged", 1, Some(20)), ("mitigated", 20, Some(30))]
    );
    assert_eq!(states[3].1, 90);
    let tenures: Vec<_> =
        taken.tenures().into_iter().map(|one| (one.person, one.term, one.to.is_some())).collect();
    assert_eq!(tenures, [("maya".to_owned(), 1, true), ("tom".to_owned(), 2, false)]);
}
