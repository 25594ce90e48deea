//! Command at the door: which letters each decision writes, which are not needed any more, what happens when nobody answers, and the
//! three who come to every incident: who acts alone, who does not know how, and who freezes.

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Event, Status};
use crate::core::board::{End, Wanted};
use crate::core::command::{Office, Turn};
use crate::core::decide::{Bid, Decision, Refusal, Write};
use crate::core::incident::{CommandReason, Incident};
use crate::core::rules::CommandRules;
use crate::core::timeline::{Actor, Entry, Fact, Route};
use crate::store::{Tx, incidents, timeline};

/// A night of one incident, INC-1, of the worst sort.
pub(super) struct Night {
    pub(super) story: Story,
}

impl Night {
    /// Maya was paged. Tom is next, kim is the PIO, lee knows of names, and cto is an administrator. The clocks are those of a new
    /// configuration.
    pub(super) fn begins() -> Self {
        let mut house = house();
        let mut rules = (*house.rules).clone();
        rules.command = CommandRules::usual();
        for name in ["lee", "cto"] {
            let mut person = rules.people["tom"].clone();
            person.email = format!("{name}@example.net");
            person.administrator = name == "cto";
            person.capabilities = if name == "lee" { vec!["dns".into()] } else { Vec::new() };
            rules.people.insert(name.into(), person);
        }
        house.rules = Arc::new(rules);
        let story = Story::new();
        story.committer.house.swap(house);
        let mut night = Self { story };
        let mut event = Event::new("db-1", Status::Firing, "db-1 is down");
        event.severity = Some(AlertSeverity::Critical);
        let delivery = night.story.delivery("pingdom", vec![event]);
        night.story.ask(delivery).unwrap();
        assert_eq!(night.incident().severity, Severity::Sev1);
        night
    }

    /// Maya commands and is on scene, and so is tom.
    pub(super) fn is_manned() -> Self {
        let mut night = Self::begins();
        night.does("maya", Act::CheckIn);
        night.does("tom", Act::CheckIn);
        night
    }

    pub(super) fn incident(&mut self) -> Incident {
        self.story.look(|tx| incidents::load(tx, 1)).unwrap().incident
    }

    pub(super) fn commander(&mut self) -> (String, u32) {
        let incident = self.incident();
        let command = incident.commander().unwrap();
        (command.person.clone(), command.term)
    }

    /// Letters since one of them, in their order: `page maya`.
    fn letters_after(&mut self, seq: i64) -> Vec<String> {
        let all = "select kind, person, channel from letter where seq > ?1 order by seq";
        self.story.look(|tx| {
            tx.query(all, &[seq.into()], |row| {
                Ok(format!("{} {}{}", row.text(0)?, row.text(1)?, row.text(2)?))
            })
        })
    }

    fn newest_letter(&mut self) -> i64 {
        let newest = "select coalesce(max(seq), 0) from letter";
        self.story.look(|tx| tx.query_one(newest, &[], |row| row.int(0))).unwrap()
    }

    /// Does it, and tells which letters were written for it.
    pub(super) fn does(&mut self, who: &str, act: Act) -> Vec<String> {
        let before = self.newest_letter();
        self.story.act(1, who, act).unwrap();
        self.letters_after(before)
    }

    fn refused(&mut self, who: &str, act: Act) -> String {
        match self.story.act(1, who, act) {
            Err(DoorError::Refused(refusal)) => {
                assert!(!matches!(refusal, Refusal::Fault(_)), "{refusal}");
                refusal.to_string()
            }
            other => panic!("{other:?}"),
        }
    }

    /// So many minutes pass, and whatever is due by then is done in its minute.
    pub(super) fn passes(&mut self, minutes: i64) -> Vec<String> {
        let before = self.newest_letter();
        for _ in 0..minutes {
            self.story.passes(1);
            while self.story.tick(1) != Reason::NotDue {}
        }
        self.letters_after(before)
    }

    /// The newest letter of somebody of a kind, and what has become of it.
    pub(super) fn state_of(&mut self, kind: &str, person: &str) -> String {
        let newest = "select state from letter where kind = ?1 and person = ?2 order by seq desc limit 1";
        self.story.look(|tx| tx.query_one(newest, &[kind.into(), person.into()], |row| row.text(0))).unwrap()
    }

    pub(super) fn facts(&mut self) -> Vec<Fact> {
        let kept = self.story.look(|tx| timeline::list(tx, 1, 0, 1000));
        kept.into_iter().map(|kept| kept.entry.fact).collect()
    }
}

pub(super) fn offer(to: &str, term: u32) -> Act {
    Act::Command(Bid::Offer { to: to.into(), term, reason: "I am tired".into() })
}

pub(super) fn accept(term: u32) -> Act {
    Act::Command(Bid::Accept { office: None, term: Some(term), brief: None })
}

fn accept_office(office: Office) -> Act {
    Act::Command(Bid::Accept { office: Some(office), term: None, brief: None })
}

fn assign(office: Office, person: &str) -> Act {
    Act::Command(Bid::Assign { office, person: person.into(), term: 1 })
}

fn request(wanted: Wanted) -> Act {
    Act::Board(Write::Request { wanted, why: "look at the records".into() })
}

fn assume() -> Act {
    Act::Command(Bid::Assume { reason: String::new() })
}

#[test]
fn each_step_of_a_handover_writes_its_letters_and_no_other() {
    let mut night = Night::is_manned();
    assert_eq!(night.does("tom", Act::Command(Bid::Wish)), ["notice maya"]);
    assert_eq!(night.does("maya", offer("tom", 1)), ["notice tom"]);
    assert_eq!(night.does("maya", Act::Command(Bid::Withdraw)), ["notice tom"]);
    night.does("maya", offer("tom", 1));
    assert_eq!(
        night.does("tom", Act::Command(Bid::Refuse { office: None, why: "no".into() })),
        ["notice maya"]
    );
    night.does("maya", offer("tom", 1));
    // Who hears of it: who had it, the PIO, and the channel. It is not who accepts.
    assert_eq!(night.does("tom", accept(1)), ["notice maya", "notice kim", "status ops-room"]);
    assert_eq!(night.commander(), ("tom".into(), 2));
    let told = night.refused("maya", Act::Mitigate { term: 1, cause: None });
    assert!(told.starts_with("tom has command (term 2)"), "{told}");
    assert!(night.does("maya", Act::Command(Bid::Heard { term: 2 })).is_empty());
    assert_eq!(
        night.does("cto", Act::Command(Bid::Relieve { to: "maya".into(), reason: "twelve hours".into() })),
        ["notice maya", "notice tom"]
    );
    assert_eq!(night.does("maya", accept(2)), ["notice tom", "notice kim", "status ops-room"]);
    assert_eq!(night.incident().commander().unwrap().reason, CommandReason::Relieved);
    night.story.proves_whole();
}

#[test]
fn offices_tasks_requests_and_stop_write_their_letters_and_no_other() {
    let mut night = Night::is_manned();
    assert_eq!(night.does("maya", assign(Office::Safety, "tom")), ["notice tom"]);
    assert_eq!(night.does("tom", accept_office(Office::Safety)), ["notice maya"]);
    assert_eq!(night.does("maya", assign(Office::Liaison, "cto")), ["help cto"], "who sleeps is woken");
    assert_eq!(night.does("cto", accept_office(Office::Liaison)), ["notice maya"]);
    // Kim was asked to be the PIO, and is not any more.
    assert_eq!(night.does("maya", assign(Office::Pio, "lee")), ["notice kim", "pio_page lee"]);
    let task = |limit: Option<Timestamp>| {
        Act::Board(Write::Task { person: "tom".into(), what: "read the log".into(), limit, term: 1 })
    };
    assert_eq!(night.does("maya", task(None)), ["notice tom"]);
    let end = Act::Board(Write::EndTask { number: 1, how: End::Done, text: String::new() });
    assert_eq!(night.does("tom", end), ["notice maya"]);
    assert_eq!(night.does("maya", request(Wanted::Capability("dns".into()))), ["help lee"]);
    assert_eq!(night.does("tom", Act::Board(Write::Stop { why: "no backup".into() })), ["notice maya"]);
    assert_eq!(night.does("tom", Act::Board(Write::Lift { why: "there is one".into() })), ["notice maya"]);
    let limit = night.story.clock.now() + SignedDuration::from_mins(3);
    assert_eq!(night.does("maya", task(Some(limit))), ["notice tom"]);
    assert_eq!(night.passes(4), ["notice tom", "notice maya"], "it is not done in its time");
    // The request that nobody answered, then the size-up that nobody gave; each is said once.
    assert_eq!(night.passes(2), ["notice maya", "notice maya"]);
    let release = Act::Release { person: Some("cto".into()), term: Some(1) };
    assert!(night.refused("maya", release).contains("cto is not on this incident"));
    night.story.proves_whole();
}

#[test]
fn who_has_answered_is_not_asked_any_more_by_what_still_waits() {
    type Asked = fn() -> Act;
    type Answer = (&'static str, fn() -> Act);
    let asked: [(Asked, &[Answer]); 2] = [
        (
            || request(Wanted::Person("lee".into())),
            &[
                ("dropped", || Act::EnRoute { eta: None }),
                ("dropped", || Act::CheckIn),
                ("dropped", || Act::Decline),
                // A note says neither that they come nor that they do not.
                ("pending", || Act::Note { text: "seen".into() }),
            ],
        ),
        (
            || assign(Office::Liaison, "lee"),
            &[
                ("dropped", || accept_office(Office::Liaison)),
                ("dropped", || {
                    Act::Command(Bid::Refuse { office: Some(Office::Liaison), why: String::new() })
                }),
                ("dropped", || Act::Decline),
                ("dropped", || Act::EnRoute { eta: None }),
                ("pending", || Act::Note { text: "seen".into() }),
            ],
        ),
    ];
    for (asks, answers) in asked {
        for (expected, answer) in answers {
            let mut night = Night::is_manned();
            assert_eq!(night.does("maya", asks()), ["help lee"]);
            assert_eq!(night.state_of("help", "lee"), "pending");
            night.does("lee", answer());
            assert_eq!(night.state_of("help", "lee"), *expected, "{:?} after {:?}", answer(), asks());
            night.story.proves_whole();
        }
    }
}

#[test]
fn the_pio_is_not_called_by_other_ways_when_they_said_yes_or_no() {
    for answer in [
        accept_office(Office::Pio),
        Act::Command(Bid::Refuse { office: Some(Office::Pio), why: String::new() }),
        Act::Draft { text: "we look into it".into() },
    ] {
        let mut night = Night::is_manned();
        assert_eq!(night.state_of("pio_page", "kim"), "pending");
        night.does("kim", answer.clone());
        assert_eq!(night.state_of("pio_page", "kim"), "dropped", "{answer:?}");
    }
}

#[test]
fn who_may_go_is_not_woken_by_what_was_on_its_way() {
    let mut night = Night::is_manned();
    night.does("lee", Act::CheckIn);
    night.does("maya", Act::Board(Write::SizeUp { text: "both are master".into() }));
    night.does("maya", request(Wanted::Person("cto".into())));
    night.does("cto", Act::EnRoute { eta: None });
    night.does("maya", Act::Release { person: Some("cto".into()), term: Some(1) });
    assert_eq!(night.state_of("help", "cto"), "dropped");
    assert_eq!(night.state_of("notice", "cto"), "pending", "and is told so");
    night.story.proves_whole();
}

#[test]
fn who_is_on_scene_first_takes_command_from_who_is_not_there() {
    let mut night = Night::begins();
    night.does("maya", Act::Answer { help: false });
    assert!(night.refused("tom", assume()).starts_with("check in first"));
    night.does("tom", Act::CheckIn);
    assert_eq!(night.commander(), ("maya".into(), 1));
    night.does("tom", assume());
    assert_eq!(night.commander(), ("tom".into(), 2));
    assert_eq!(night.incident().commander().unwrap().reason, CommandReason::FirstOnScene);
    night.does("maya", Act::CheckIn);
    let told = night.refused("maya", assume());
    assert!(told.contains("is on scene and is heard of"), "{told}");
    night.story.proves_whole();
}

/// Who froze: command was taken, and nothing more was heard. Within the clocks the Deputy may take over, then anyone on scene; and
/// whoever froze is not woken once more when that has happened.
#[test]
fn the_deer_in_headlights_is_relieved_by_the_clocks() {
    for has_deputy in [true, false] {
        let mut night = Night::is_manned();
        night.does("lee", Act::CheckIn);
        if has_deputy {
            night.does("maya", assign(Office::Deputy, "tom"));
            night.does("tom", accept_office(Office::Deputy));
        }
        assert!(night.refused("tom", assume()).contains("is heard of"));
        let asked = night.passes(16);
        assert!(asked.contains(&"help maya".to_owned()), "{asked:?}");
        assert_eq!(night.commander(), ("maya".into(), 1), "silence alone moves nothing");
        let mut minutes = 16;
        if has_deputy {
            assert!(night.refused("lee", assume()).contains("is heard of"), "the Deputy is first");
        } else {
            assert!(night.refused("tom", assume()).contains("is heard of"), "nobody is Deputy");
            minutes += 5;
            night.passes(5);
        }
        assert_eq!(night.state_of("help", "maya"), "pending");
        let told = night.does("tom", assume());
        assert!(told.contains(&"notice maya".to_owned()), "{told:?}");
        assert_eq!(night.commander(), ("tom".into(), 2));
        assert_eq!(night.incident().commander().unwrap().reason, CommandReason::Assumed);
        assert_eq!(night.state_of("help", "maya"), "dropped", "who has command now has given a sign of life");
        assert!(minutes <= 25, "command is out of its freeze in {minutes} minutes");
        // Who wakes does not have it back by that, and is told who has it.
        night.does("maya", Act::Answer { help: false });
        assert_eq!(night.commander(), ("tom".into(), 2));
        night.story.proves_whole();
    }
}

/// Who does not know how: command was taken by somebody who never says a word. Nobody needs to know that they need help: it is
/// called by rule, and who is asked is asked for what is missing one after the other.
#[test]
fn the_neophyte_is_asked_for_what_is_missing_and_gets_help_by_rule() {
    let mut night = Night::begins();
    night.does("maya", Act::Answer { help: false });
    // To be on scene, and for a progress report: said, not rung.
    assert_eq!(night.passes(10), ["notice maya", "notice maya"]);
    let woken = night.passes(6);
    assert!(woken.contains(&"help maya".to_owned()), "{woken:?}");
    let woken = night.passes(12);
    assert!(woken.contains(&"help tom".to_owned()), "nobody had to ask for help: {woken:?}");
    // A sign of life, and it is they who lead on, with help beside them.
    night.does("maya", Act::CheckIn);
    night.does("tom", Act::CheckIn);
    assert!(night.refused("tom", assume()).contains("is heard of"));
    assert_eq!(night.commander(), ("maya".into(), 1));
    let asked = night.passes(6);
    let asked = asked.iter().filter(|letter| *letter == "notice maya").count();
    assert_eq!(asked, 2, "for the size-up, and how it goes");
    night.story.proves_whole();
}

/// Who acts alone: a change by somebody who was given nothing to do is on record, shown, and told to who commands; and an incident
/// that went away although nothing was changed is carried on as unexplained.
#[test]
fn the_cowboy_is_on_record_and_what_nobody_can_explain_is_called_so() {
    let act = || {
        Act::Board(Write::Action { what: "restart lb1".into(), place: String::new(), undo: String::new() })
    };
    let mut night = Night::begins();
    // Nobody has command: it is taken all the same, for that it is said is worth more than who may.
    night.does("lee", act());
    night.does("maya", Act::CheckIn);
    let told = night.refused("tom", act());
    assert!(told.starts_with("one change at a time: lee since"), "{told}");
    night.does("lee", Act::Board(Write::EndAction { number: 1, how: End::RolledBack, text: String::new() }));
    assert_eq!(night.does("lee", act()), ["notice maya"]);
    let board = night.incident().board;
    assert!(board.actions.iter().all(|action| !action.assigned && action.person == "lee"));
    night.does("lee", Act::Board(Write::EndAction { number: 2, how: End::Done, text: String::new() }));
    assert_eq!(night.does("maya", act()), [""; 0], "who commands has work here");

    // Recovery with no change that explains it.
    let mut night = Night::is_manned();
    night.story.hears("pingdom", "db-1", Status::Resolved);
    let resolve = || Act::Resolve { term: 1, false_alarm: false };
    let told = night.refused("maya", resolve());
    assert!(told.starts_with("say first what ended the harm (mitigate), or that nobody knows"), "{told}");
    night.does("maya", Act::ResolveEarly { term: 1, why: "it came back by itself".into() });
    let facts = night.facts();
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Mitigated { cause: None })), "{facts:?}");
    assert_eq!(night.incident().state(), "resolved");
    night.story.proves_whole();
}

#[test]
fn an_offer_that_nobody_answers_ends_by_itself_and_command_stays() {
    let mut night = Night::is_manned();
    night.does("maya", Act::Board(Write::SizeUp { text: "both are master".into() }));
    night.does("maya", offer("tom", 1));
    assert!(night.passes(4).is_empty());
    assert_eq!(night.passes(1), ["notice maya", "notice tom"]);
    assert_eq!(night.commander(), ("maya".into(), 1));
    let ended = night.facts();
    assert!(ended.iter().any(|fact| matches!(fact, Fact::Command(Turn::OfferEnded { .. }))));
    night.story.proves_whole();
}

/// A node of a version that knew neither offices nor the board writes into the incident.
fn an_older_node_writes(night: &mut Night) {
    let now = night.story.clock.now();
    let forgets = |tx: &Tx<'_>| {
        let row = incidents::load_as_written(tx, 1)?.unwrap();
        let mut state: serde_json::Value = serde_json::from_str(&row.state).unwrap();
        let known = state.as_object_mut().unwrap();
        for unknown in ["offices", "board", "moved", "fold"] {
            assert!(known.remove(unknown).is_some(), "{unknown}: {}", row.state);
        }
        assert!(known["phase"].as_object_mut().unwrap().remove("calls").is_some());
        tx.write("update incident set state = ?1", &[(&state.to_string()).into()])
    };
    let notes = |tx: &Tx<'_>| {
        let row = incidents::load_as_written(tx, 1)?.unwrap();
        let mut incident = incidents::state(&row.state)?.incident;
        assert!(incident.offices.offer.is_none() && incident.board.objective.is_none());
        let before = incidents::Saved { incident: incident.clone(), head: row.head.try_into().unwrap() };
        let entry = Entry {
            seq: incident.seq + 1,
            at: now,
            occurred_at: now,
            actor: Actor::Person("maya".into()),
            office: None,
            term: None,
            route: Route::Api,
            fact: Fact::Note { text: "still looking".into() },
        };
        incident.apply(&entry).unwrap();
        let decision =
            Decision { incident, entries: vec![entry], letters: Vec::new(), reason: Reason::NotDue };
        incidents::save(tx, &decision, Some(&before)).map(|_| ())
    };
    night.story.committer.connection.write(now, forgets).unwrap();
    night.story.committer.connection.write(now, notes).unwrap();
    night
        .story
        .committer
        .connection
        .write(now, |tx| {
            let row = incidents::load_as_written(tx, 1)?.unwrap();
            let mut state: serde_json::Value = serde_json::from_str(&row.state).unwrap();
            for unknown in ["offices", "board", "moved", "fold"] {
                state.as_object_mut().unwrap().remove(unknown);
            }
            tx.write("update incident set state = ?1", &[(&state.to_string()).into()])
        })
        .unwrap();
}

#[test]
fn what_an_older_node_drops_when_it_writes_is_known_from_the_timeline() {
    let mut night = Night::is_manned();
    night.does("maya", Act::Board(Write::Objective { text: "sites back".into(), term: 1 }));
    night.does("maya", offer("tom", 1));
    let before = night.incident();
    an_older_node_writes(&mut night);
    let after = night.incident();
    assert_eq!((&after.offices, &after.board), (&before.offices, &before.board));
    let proof = |tx: &Tx<'_>| incidents::verify(tx, 1);
    night.story.look(proof).unwrap().unwrap();
    // The offer stands, and what follows is written whole.
    night.does("tom", accept(1));
    assert_eq!(night.commander(), ("tom".into(), 2));
    let row = night.story.look(|tx| incidents::load_as_written(tx, 1)).unwrap();
    assert!(incidents::state(&row.state).unwrap().whole);
    night.story.proves_whole();
}
