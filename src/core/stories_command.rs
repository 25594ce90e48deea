//! Command as it is handed over, told as stories: who offers, who accepts, and who has it when nobody does.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::board::{End, Trend, Wanted};
use super::command::{Office, Turn};
use super::decide::{Act, Bid, By, Decision, Opening, Refusal, Write, decide, open};
use super::escalation::Staff;
use super::incident::{CommandReason, Incident, Severity};
use super::letter::Letter;
use super::rules::{CommandRules, Rules};
use super::stories::{begin, house, obeys, source, told};
use super::timeline::{Actor, Entry, Fact, Route};

fn by(name: &str) -> By {
    By { actor: Actor::Person(name.into()), route: Route::Api, occurred_at: None }
}

pub(crate) fn rules() -> Rules {
    let mut rules = house();
    rules.people.get_mut("cto").unwrap().administrator = true;
    rules.people.get_mut("tom").unwrap().capabilities = vec!["dns".into()];
    rules
}

/// The house with the clocks of a new configuration.
pub(crate) fn timed() -> Rules {
    Rules { command: CommandRules::usual(), ..rules() }
}

fn opened(rules: &Rules) -> Decision {
    let opening = Opening {
        title: "checkout down".into(),
        service: "shop".into(),
        severity: Severity::Sev1,
        alert: Some(("pingdom".into(), "db-1".into())),
        group: None,
        storm: false,
    };
    open(1, opening, &source(), Staff::as_configured(rules), begin()).unwrap()
}

/// A night that goes on: what is done at which minute.
pub(crate) struct Night {
    pub(crate) rules: Rules,
    pub(crate) incident: Incident,
    pub(crate) now: Timestamp,
    /// Its timeline so far.
    pub(crate) entries: Vec<Entry>,
}

impl Night {
    pub(crate) fn new(rules: Rules) -> Self {
        let Decision { incident, entries, .. } = opened(&rules);
        Self { incident, rules, now: begin(), entries }
    }

    pub(crate) fn at(&mut self, minute: i64) -> &mut Self {
        self.now = begin() + SignedDuration::from_mins(minute);
        self
    }

    pub(crate) fn ask(&mut self, who: &str, act: Act) -> Result<Decision, Refusal> {
        let by = match who {
            "onscene" => By::dispatch(),
            "chatbot" => By { actor: Actor::Automation(who.to_owned()), ..by("maya") },
            _ => by(who),
        };
        let before = self.incident.clone();
        let decided = decide(&before, act, &by, Staff::as_configured(&self.rules), self.now);
        if let Ok(decision) = &decided {
            obeys(&before, decision);
            self.incident = decision.incident.clone();
            self.entries.extend(decision.entries.iter().cloned());
        }
        decided
    }

    /// Does it, and tells which letters leave.
    pub(crate) fn does(&mut self, who: &str, act: Act) -> Vec<String> {
        let decision = self.ask(who, act).unwrap();
        decision.letters.iter().map(told).collect()
    }

    pub(crate) fn refused(&mut self, who: &str, act: Act) -> String {
        self.ask(who, act).unwrap_err().to_string()
    }

    pub(crate) fn tick(&mut self) -> Vec<String> {
        self.does("onscene", Act::TICK)
    }

    fn commander(&self) -> (&str, u32) {
        let command = self.incident.commander().unwrap();
        (&command.person, command.term)
    }

    /// Maya commands and is on scene, and so is tom.
    pub(crate) fn manned(rules: Rules) -> Self {
        let mut night = Self::new(rules);
        night.at(1).does("maya", Act::CheckIn);
        night.at(2).does("tom", Act::CheckIn);
        night
    }
}

pub(crate) fn offer(to: &str, term: u32) -> Act {
    Act::Command(Bid::Offer { to: to.into(), term, reason: "I am tired".into() })
}

pub(crate) fn accept(term: u32, brief: Option<u32>) -> Act {
    Act::Command(Bid::Accept { office: None, term: Some(term), brief })
}

pub(crate) fn assume() -> Act {
    Act::Command(Bid::Assume { reason: String::new() })
}

pub(crate) fn assign(office: Office, person: &str, term: u32) -> Act {
    Act::Command(Bid::Assign { office, person: person.into(), term })
}

pub(crate) fn action(what: &str) -> Act {
    Act::Board(Write::Action { what: what.into(), place: "lb1".into(), undo: "start it again".into() })
}

#[test]
fn command_passes_in_one_moment_when_the_offer_is_accepted_and_everybody_hears_it() {
    let mut night = Night::manned(rules());
    assert_eq!(night.at(3).does("maya", offer("tom", 1)), ["tell tom offered"]);
    assert_eq!(night.commander(), ("maya", 1), "an offer moves nothing");
    let brief = night.incident.moved;
    let decision = night.at(4).ask("tom", accept(1, Some(brief))).unwrap();
    assert_eq!(night.commander(), ("tom", 2));
    let [entry] = &decision.entries[..] else { panic!("one entry") };
    assert!(
        matches!(&entry.fact, Fact::Command(Turn::Transferred { from, to, term: 2, reason: CommandReason::Transferred, brief: Some(read), .. })
            if from == "maya" && to == "tom" && *read == brief)
    );
    let letters: Vec<String> = decision.letters.iter().map(told).collect();
    assert_eq!(letters, ["tell maya passed", "tell kim passed", "ops-room: passed"]);
    assert_eq!(night.incident.offices.unaware, ["maya"]);
    night.does("maya", Act::Command(Bid::Heard { term: 2 }));
    assert!(night.incident.offices.unaware.is_empty());
    // What the one who had it believes is of an old term.
    let told = night.refused("maya", Act::Mitigate { term: 1, cause: None });
    assert_eq!(told, "tom has command (term 2); this act needs the Commander's current term");
    night.does("tom", Act::Mitigate { term: 2, cause: Some("restart".into()) });
}

#[test]
fn an_offer_goes_to_one_person_on_scene_and_a_brief_that_is_old_is_read_again() {
    let mut night = Night::manned(rules());
    let told = night.refused("maya", offer("kim", 1));
    assert_eq!(told, "kim is not on scene; command is given only to somebody who has checked in");
    assert_eq!(night.refused("maya", offer("maya", 1)), "maya has command already");
    assert_eq!(night.refused("maya", offer("nobody", 1)), "nobody is not a person of this house");
    assert!(night.refused("tom", offer("maya", 1)).starts_with("maya has command (term 1)"));
    assert!(night.refused("maya", offer("tom", 7)).starts_with("maya has command (term 1)"));
    night.does("maya", offer("tom", 1));
    assert!(night.refused("maya", offer("tom", 1)).starts_with("tom has been asked"));
    assert!(night.refused("kim", accept(1, None)).starts_with("nothing that you were offered is open"));
    let read = night.incident.moved;
    night.does("maya", action("stop keepalived"));
    let told = night.refused("tom", accept(1, Some(read)));
    assert!(told.starts_with("the situation has moved since you read the brief"), "{told}");
    assert!(
        night.refused("tom", accept(1, None)).starts_with("the situation has moved"),
        "also when none is named"
    );
    // A note does not move it.
    let read = night.incident.moved;
    night.does("kim", Act::Note { text: "seen".into() });
    night.does("tom", accept(1, Some(read)));
    assert_eq!(night.commander(), ("tom", 2));
}

#[test]
fn who_declines_lets_an_offer_expire_or_is_not_asked_any_more_leaves_command_where_it_is() {
    let mut night = Night::manned(rules());
    night.does("maya", offer("tom", 1));
    assert_eq!(night.does("tom", Act::Decline), ["tell maya offer-declined"]);
    assert!(night.incident.is_on_scene("tom"), "who does not take command stays on the incident");
    night.does("maya", offer("tom", 1));
    assert_eq!(night.does("maya", Act::Command(Bid::Withdraw)), ["tell tom offer-withdrawn"]);
    night.at(10).does("maya", offer("tom", 1));
    assert!(night.at(14).tick().is_empty());
    assert_eq!(night.at(15).tick(), ["tell maya offer-expired", "tell tom offer-expired"]);
    assert!(night.refused("tom", accept(1, None)).starts_with("nothing that you were offered is open"));
    assert_eq!(night.commander(), ("maya", 1));
}

#[test]
fn an_offer_that_has_expired_is_not_accepted_before_the_clock_says_so_either() {
    let mut night = Night::manned(rules());
    night.at(3).does("maya", offer("tom", 1));
    let told = night.at(8).refused("tom", accept(1, None));
    assert!(told.starts_with("the offer has expired"), "{told}");
}

#[test]
fn a_candidate_asks_and_is_offered_it() {
    let mut night = Night::manned(rules());
    assert_eq!(night.does("tom", Act::Command(Bid::Wish)), ["tell maya wished"]);
    assert!(night.does("tom", Act::Command(Bid::Wish)).is_empty(), "once is enough");
    assert_eq!(night.incident.offices.wishes, ["tom"]);
    assert!(night.refused("kim", Act::Command(Bid::Wish)).contains("not on scene"));
    night.does("maya", offer("tom", 1));
    assert!(night.incident.offices.wishes.is_empty());
}

#[test]
fn who_is_on_scene_first_takes_command_from_who_is_not_there_and_from_nobody_else() {
    let mut night = Night::new(rules());
    night.at(1).does("maya", Act::Answer { help: false });
    assert!(night.refused("tom", assume()).starts_with("check in first"));
    night.at(2).does("tom", Act::CheckIn);
    assert_eq!(night.commander(), ("maya", 1), "to be there is not to command");
    night.does("tom", assume());
    assert_eq!(night.commander(), ("tom", 2));
    assert_eq!(night.incident.commander().unwrap().reason, CommandReason::FirstOnScene);
    night.at(3).does("maya", Act::CheckIn);
    let told = night.refused("maya", assume());
    assert!(told.starts_with("tom has command (term 2), is on scene and is heard of"), "{told}");
}

#[test]
fn silence_past_the_lease_opens_command_to_the_deputy_and_then_to_anyone_on_scene() {
    let mut night = Night::manned(rules());
    night.at(2).does("kim", Act::CheckIn);
    night.does("maya", assign(Office::Deputy, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: Some(Office::Deputy), term: None, brief: None }));
    assert_eq!(night.incident.offices.holder(Office::Deputy), Some("tom"));
    assert!(night.at(16).refused("tom", assume()).contains("is heard of"));
    let told = night.at(17).tick();
    assert_eq!(told, ["page maya (2, silent_commander)", "page tom (1, silence_help)"]);
    assert!(night.refused("kim", assume()).contains("is heard of"), "the Deputy is first");
    let mut other = Night {
        rules: night.rules.clone(),
        incident: night.incident.clone(),
        now: night.now,
        entries: night.entries.clone(),
    };
    other.does("tom", assume());
    assert_eq!(other.commander(), ("tom", 2));
    assert_eq!(other.incident.offices.holder(Office::Deputy), None, "nobody is their own Deputy");
    let told = night.at(22).tick();
    assert!(told.iter().any(|letter| letter.contains("silence_help")), "{told:?}");
    night.does("kim", assume());
    assert_eq!(night.incident.commander().unwrap().reason, CommandReason::Assumed);
    assert_eq!(night.commander(), ("kim", 2));
    // Who had it and comes back does not get it back by that.
    night.does("maya", Act::Answer { help: false });
    assert_eq!(night.commander(), ("kim", 2));
}

#[test]
fn a_sign_of_life_closes_command_again() {
    let mut night = Night::manned(rules());
    night.at(16).tick();
    night.at(21).tick();
    night.does("maya", Act::Note { text: "here".into() });
    assert!(night.refused("tom", assume()).contains("is heard of"));
}

#[test]
fn an_administrator_orders_relief_and_it_happens_when_the_successor_accepts() {
    let mut night = Night::manned(rules());
    let relieve =
        |to: &str| Act::Command(Bid::Relieve { to: to.into(), reason: "twelve hours are enough".into() });
    assert!(night.refused("kim", relieve("tom")).starts_with("only an administrator"));
    assert_eq!(night.does("cto", relieve("tom")), ["tell tom offered", "tell maya relief-ordered"]);
    assert_eq!(night.commander(), ("maya", 1));
    assert!(night.refused("maya", Act::Command(Bid::Withdraw)).starts_with("cto ordered it"));
    assert!(night.refused("maya", offer("kim", 1)).starts_with("cto ordered that tom takes command"));
    night.does("tom", accept(1, None));
    assert_eq!(night.commander(), ("tom", 2));
    assert_eq!(night.incident.commander().unwrap().reason, CommandReason::Relieved);
    // Rank alone takes nothing.
    night.does("cto", Act::CheckIn);
    assert!(night.refused("cto", assume()).contains("is heard of"));
}

#[test]
fn offices_are_asked_for_taken_and_given_back() {
    let mut night = Night::manned(rules());
    assert_eq!(night.does("maya", assign(Office::Safety, "tom", 1)), ["tell tom office-offered"]);
    assert_eq!(night.incident.offices.holder(Office::Safety), None, "not before they say yes");
    assert_eq!(night.does("maya", assign(Office::Liaison, "cto", 1)), ["page cto (1, office)"]);
    assert_eq!(
        night.does("tom", Act::Command(Bid::Accept { office: None, term: None, brief: None })),
        ["tell maya office-taken"]
    );
    let told = night.does("cto", Act::Decline);
    assert_eq!(told, ["tell maya office-declined"]);
    assert!(night.refused("tom", assign(Office::Scribe, "kim", 1)).starts_with("maya has command"));
    assert!(night.refused("maya", assign(Office::Deputy, "maya", 1)).contains("their own Deputy"));
    night.does("maya", assign(Office::Scribe, "maya", 1));
    assert_eq!(night.incident.offices.holder(Office::Scribe), Some("maya"));
    assert_eq!(
        night.does("tom", Act::Command(Bid::Give { office: Office::Safety, term: None })),
        ["tell maya office-released"]
    );
    assert!(
        night
            .refused("maya", Act::Command(Bid::Give { office: Office::Safety, term: Some(1) }))
            .contains("nobody is")
    );
    // An office goes with an entry of who holds it.
    night.does("maya", assign(Office::Safety, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: None, term: None, brief: None }));
    let decision = night.ask("tom", Act::Note { text: "seen".into() }).unwrap();
    assert_eq!(decision.entries[0].office, Some("safety"));
}

#[test]
fn the_pio_is_asked_and_has_said_yes_when_they_write() {
    let mut night = Night::manned(rules());
    assert_eq!(night.incident.offices.asked(Office::Pio), Some("kim"));
    night.does("kim", Act::Draft { text: "we look into it".into() });
    assert_eq!(night.incident.offices.holder(Office::Pio), Some("kim"));
    assert_eq!(night.does("maya", assign(Office::Pio, "tom", 1)), ["call PIO tom"]);
    assert_eq!(night.incident.offices.holder(Office::Pio), Some("kim"), "until the other says yes");
}

#[test]
fn one_change_at_a_time_and_a_stop_stops_all() {
    let mut night = Night::manned(rules());
    night.does("maya", action("stop keepalived"));
    let told = night.refused("tom", action("drain fra1"));
    assert!(told.starts_with("one change at a time: maya since"), "{told}");
    night.does("maya", Act::Board(Write::Allow { most: 2, term: 1 }));
    // Tom was given nothing to do: it is taken all the same, and the Commander hears of it.
    assert_eq!(night.does("tom", action("drain fra1")), ["tell maya freelance"]);
    assert!(!night.incident.board.actions[1].assigned);
    night.does("tom", Act::Board(Write::EndAction { number: 2, how: End::RolledBack, text: String::new() }));
    assert!(
        night
            .refused("tom", Act::Board(Write::Stop { why: "no backup".into() }))
            .starts_with("the Safety Officer")
    );
    night.does("maya", assign(Office::Safety, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: None, term: None, brief: None }));
    assert_eq!(night.does("tom", Act::Board(Write::Stop { why: "no backup".into() })), ["tell maya stopped"]);
    let told = night.refused("maya", action("anything"));
    assert_eq!(told, "STOP: tom stopped all changes (no backup); it has to be lifted first");
    assert!(night.refused("kim", Act::Board(Write::Lift { why: "no".into() })).contains("that is tom"));
    assert_eq!(
        night.does("maya", Act::Board(Write::Lift { why: "there is one".into() })),
        ["tell tom stop-lifted"]
    );
    night.does("maya", action("anything"));
}

#[test]
fn work_has_one_owner_and_an_end() {
    let mut night = Night::manned(rules());
    let task = |person: &str, limit: i64| {
        let limit = Some(begin() + SignedDuration::from_mins(limit));
        Act::Board(Write::Task { person: person.into(), what: "read the log of lb1".into(), limit, term: 1 })
    };
    assert!(night.refused("maya", task("kim", 20)).starts_with("kim is not on scene"));
    assert!(night.refused("tom", task("tom", 20)).starts_with("maya has command"));
    assert_eq!(night.does("maya", task("tom", 8)), ["tell tom task"]);
    assert_eq!(night.incident.responder("tom").unwrap().status.as_str(), "assigned");
    let told = night.refused("maya", Act::Release { person: Some("tom".into()), term: Some(1) });
    assert!(told.starts_with("tom has task 1"), "{told}");
    assert_eq!(night.at(8).tick(), ["tell tom task-overdue", "tell maya task-overdue"]);
    assert!(night.at(9).tick().is_empty(), "it is said once");
    let late = &night.incident.board.tasks[0];
    assert_eq!(
        (late.limit, late.late),
        (Some(begin() + SignedDuration::from_mins(8)), true),
        "its hour stays"
    );
    let end = || Act::Board(Write::EndTask { number: 1, how: End::Done, text: "nothing there".into() });
    assert!(night.refused("kim", end()).starts_with("task 1 is tom's"));
    assert_eq!(night.does("tom", end()), ["tell maya task-ended"]);
    assert_eq!(night.incident.responder("tom").unwrap().status.as_str(), "on_scene");
    assert_eq!(
        night.does("maya", Act::Release { person: Some("tom".into()), term: Some(1) }),
        ["tell tom released"]
    );
    assert!(
        night
            .refused("maya", Act::Release { person: None, term: None })
            .contains("hands it over before they go")
    );
}

#[test]
fn an_outside_body_that_does_not_call_back_is_told_of_once_and_may_promise_anew() {
    let mut night = Night::manned(rules());
    let contact = |minute: i64, text: &str| {
        let promised = Some(begin() + SignedDuration::from_mins(minute));
        let (body, contact, ticket, text) = ("host".into(), String::new(), "4711".into(), text.into());
        Act::Board(Write::Contact { body, contact, ticket, promised, text, closed: false })
    };
    night.does("maya", contact(8, "they look at their line"));
    assert_eq!(night.at(8).tick(), ["tell maya contact-overdue"]);
    assert!(night.at(9).tick().is_empty(), "it is said once");
    let hour = |night: &Night| {
        let known = &night.incident.board.contacts[0];
        (known.promised.unwrap().duration_since(begin()).as_mins(), known.late)
    };
    assert_eq!(hour(&night), (8, true), "its hour stays");
    // What is not said again stands as it was said.
    let again = |closed| Write::Contact {
        body: "host".into(),
        contact: "their duty desk".into(),
        ticket: String::new(),
        promised: None,
        text: "no news".into(),
        closed,
    };
    night.does("maya", Act::Board(again(false)));
    let known = &night.incident.board.contacts[0];
    assert_eq!((known.ticket.as_str(), known.contact.as_str()), ("4711", "their duty desk"));
    assert_eq!(hour(&night), (8, true));
    night.does("maya", contact(12, "ten minutes more"));
    assert_eq!(hour(&night), (12, false));
    assert_eq!(night.incident.board.contacts[0].contact, "their duty desk");
    assert_eq!(night.at(12).tick(), ["tell maya contact-overdue"]);
    night.does("maya", Act::Board(again(true)));
    let known = &night.incident.board.contacts[0];
    assert_eq!((known.promised, known.closed, known.ticket.as_str()), (None, true, "4711"));
}

#[test]
fn who_goes_leaves_neither_a_change_nor_a_task_behind_that_is_nobodys() {
    let mut night = Night::manned(rules());
    night.does("tom", action("drain lb1"));
    let told = night.refused("tom", Act::Release { person: None, term: None });
    assert_eq!(told, "change 1 of tom is in flight; say first how it ended");
    let told = night.refused("maya", action("restart db"));
    assert!(told.contains("whoever knows how can say so"), "{told}");
    // Whoever knows how it ended says so.
    night.does("maya", Act::Board(Write::EndAction { number: 1, how: End::Done, text: String::new() }));
    let task = Write::Task { person: "tom".into(), what: "read the log".into(), limit: None, term: 1 };
    night.does("maya", Act::Board(task));
    assert!(night.does("tom", Act::Decline).contains(&"tell maya task-ended".to_owned()));
    assert_eq!(night.incident.board.tasks[0].ended.map(|(how, _)| how), Some(End::Dropped));
}

#[test]
fn what_was_in_flight_when_it_was_over_has_an_end_that_nobody_said() {
    let mut night = Night::manned(rules());
    night.does("maya", action("drain lb1"));
    night.does("maya", Act::Mitigate { term: 1, cause: Some("drained".into()) });
    night.does("maya", Act::Resolve { term: 1, false_alarm: false });
    let ended = night.incident.board.actions[0].end().map(|(how, _)| how);
    assert_eq!(ended, Some(End::Unsaid), "it may have been what helped");
    assert_eq!(End::from_word("unsaid"), None, "and nobody can say that it ended so");
}

#[test]
fn what_was_wrong_is_put_right_when_it_is_over_too() {
    let mut night = Night::manned(rules());
    night.does("maya", Act::Resolve { term: 1, false_alarm: false });
    night.does("tom", Act::Board(Write::Correct { entry: 3, text: "it was lb2".into() }));
    let found = Write::Find {
        component: "lb2".into(),
        ok: false,
        text: String::new(),
        known_at: Some(begin() + SignedDuration::from_mins(2)),
    };
    night.does("tom", Act::Board(found));
    assert!(
        night
            .refused("tom", Act::Board(Write::Report { trend: Trend::Same, text: "w".into() }))
            .contains("over")
    );
}

#[test]
fn whoever_takes_what_is_open_again_says_anew_how_it_stands() {
    let mut night = Night::manned(timed());
    night.does("maya", Act::Board(Write::SizeUp { text: "all of it".into() }));
    let meet = Write::Meet { place: Some("the kitchen".into()), why: String::new(), term: 1 };
    night.does("maya", Act::Board(meet));
    night.does("maya", action("drain lb1"));
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
    night.at(30).does("kim", Act::Reopen { why: "it is back".into() });
    let board = &night.incident.board;
    assert!(board.size_up.is_none() && board.meeting.is_none() && board.actions.len() == 1);
    night.at(31).does("kim", Act::CheckIn);
    assert_eq!(night.at(36).tick(), ["tell kim size-up-due"]);
}

#[test]
fn who_was_asked_for_an_office_alone_is_woken_all_the_same_when_it_is_their_turn() {
    let mut night = Night::new(rules());
    night.does("maya", Act::CheckIn);
    assert_eq!(night.does("maya", assign(Office::Safety, "tom", 1)), ["page tom (1, office)"]);
    assert!(night.incident.responder("tom").unwrap().watching, "that page may be taken back");
    night.does("maya", assign(Office::Safety, "maya", 1));
    // Tom is next, and is called as if nothing had been.
    let called = night.does("maya", Act::Answer { help: true });
    assert_eq!(called, ["page tom (2, help)"]);
    assert!(!night.incident.responder("tom").unwrap().watching);
}

#[test]
fn a_viewer_is_asked_for_nothing_and_no_text_holds_nul() {
    let mut rules = rules();
    rules.people.get_mut("kim").unwrap().viewer = true;
    let mut night = Night::manned(rules);
    let why = "kim is a viewer, who looks and does nothing";
    for act in [
        assign(Office::Safety, "kim", 1),
        offer("kim", 1),
        Act::Board(Write::Request { wanted: Wanted::Person("kim".into()), why: String::new() }),
    ] {
        assert_eq!(night.refused("maya", act), why);
    }
    let told = night.refused("maya", Act::Note { text: "a\0b".into() });
    assert!(told.contains("the sign NUL"), "{told}");
}

#[test]
fn of_what_is_over_only_the_newest_stays() {
    let mut night = Night::manned(rules());
    for number in 1..=u32::try_from(super::board::LIST_MAX).unwrap() + 5 {
        let task = Write::Task { person: "tom".into(), what: "w".into(), limit: None, term: 1 };
        night.does("maya", Act::Board(task));
        night.does("tom", Act::Board(Write::EndTask { number, how: End::Done, text: String::new() }));
    }
    let tasks = &night.incident.board.tasks;
    assert_eq!((tasks.len(), tasks[0].number), (super::board::LIST_MAX, 6));
    for n in 0..=super::board::LIST_MAX {
        let contact = Write::Contact {
            body: format!("host {n}"),
            contact: String::new(),
            ticket: String::new(),
            promised: None,
            text: String::new(),
            closed: false,
        };
        if n == super::board::LIST_MAX {
            assert!(night.refused("maya", Act::Board(contact)).contains("200 outside bodies"));
        } else {
            night.does("maya", Act::Board(contact));
        }
    }
}

#[test]
fn what_is_over_leaves_no_stop_and_no_promise_for_the_next_time() {
    let mut night = Night::manned(rules());
    night.does("maya", action("stop keepalived"));
    let limit = Some(begin() + SignedDuration::from_mins(20));
    let task = Write::Task { person: "tom".into(), what: "read the log".into(), limit, term: 1 };
    night.does("maya", Act::Board(task));
    night.does("maya", Act::Board(Write::Stop { why: "wait".into() }));
    night.does("maya", assign(Office::Safety, "tom", 1));
    night.does("maya", Act::Resolve { term: 1, false_alarm: false });
    night.at(30).does("kim", Act::Reopen { why: "it is back".into() });
    assert_eq!(night.commander(), ("kim", 2));
    assert!(
        night.incident.board.stop.is_none()
            && night.incident.offices.posts.iter().all(|post| post.office == Office::Pio)
    );
    assert!(night.incident.board.next_hour().is_none());
    night.does("kim", action("drain fra1"));
}

#[test]
fn who_is_at_a_keyboard_is_there_whatever_becomes_of_a_page() {
    let mut night = Night::manned(rules());
    let lost = |person: &str| Act::Unreachable { person: person.into(), why: "550".into() };
    night.does("onscene", lost("maya"));
    assert!(night.incident.is_on_scene("maya"));
    assert!(night.refused("tom", assume()).contains("is heard of"), "a lost page takes command from nobody");
    // Who goes leaves no office behind.
    night.does("maya", assign(Office::Safety, "tom", 1));
    night.does("tom", Act::Command(Bid::Accept { office: None, term: None, brief: None }));
    night.does("tom", Act::Decline);
    assert_eq!(night.incident.offices.holder(Office::Safety), None);
}

#[test]
fn who_is_asked_for_is_paged_and_seen_coming() {
    let mut night = Night::manned(rules());
    let request = |wanted| Act::Board(Write::Request { wanted, why: "look at the records".into() });
    assert_eq!(night.does("maya", request(Wanted::Person("cto".into()))), ["page cto (1, requested)"]);
    assert!(night.refused("maya", request(Wanted::Capability("bgp".into()))).contains("there are dns"));
    assert!(night.refused("maya", request(Wanted::Rotation("none".into()))).contains("no rotation"));
    assert!(night.refused("cto", request(Wanted::Person("kim".into()))).contains("check in first"));
    night.does("cto", Act::EnRoute { eta: Some(begin() + SignedDuration::from_mins(20)) });
    let state = |night: &Night| night.incident.board.requests[0].state.as_str();
    assert_eq!(state(&night), "acknowledged");
    night.does("cto", Act::CheckIn);
    assert_eq!(state(&night), "on_scene");
    night.does("maya", Act::Release { person: Some("cto".into()), term: Some(1) });
    assert_eq!(state(&night), "released");
    night.at(10).does("maya", request(Wanted::Person("kim".into())));
    assert_eq!(night.at(15).tick(), ["tell maya request-unanswered"]);
    night.does("kim", Act::CheckIn);
    assert_eq!(night.incident.board.requests[1].state.as_str(), "on_scene", "late is not never");
}

#[test]
fn the_commander_is_asked_for_what_is_missing_and_not_for_what_was_said() {
    let mut night = Night::new(timed());
    night.at(1).does("maya", Act::Answer { help: false });
    assert_eq!(night.at(11).tick(), ["tell maya check-in-due"]);
    assert_eq!(night.tick(), ["tell maya progress-due"]);
    night.at(12).does("maya", Act::CheckIn);
    assert_eq!(night.at(17).tick(), ["tell maya size-up-due"]);
    night.does("maya", Act::Board(Write::SizeUp { text: "both balancers are master".into() }));
    assert!(night.at(26).tick().is_empty());
    assert_eq!(night.at(27).tick(), ["tell maya progress-due"]);
    night.does("maya", Act::Board(Write::Report { trend: Trend::Same, text: String::new() }));
    assert!(night.at(36).tick().is_empty());
}

#[test]
fn it_is_watched_before_it_is_resolved_and_why_it_ends_before_is_on_record() {
    let mut night = Night::manned(timed());
    let resolve = || Act::Resolve { term: 1, false_alarm: false };
    assert!(night.refused("maya", resolve()).starts_with("say first what ended the harm"));
    night.at(5).does("maya", Act::Mitigate { term: 1, cause: None });
    let told = night.at(34).refused("maya", resolve());
    assert!(told.starts_with("it is watched until 2026-11-23T02:35:00Z"), "{told}");
    let mut other = Night {
        rules: night.rules.clone(),
        incident: night.incident.clone(),
        now: night.now,
        entries: night.entries.clone(),
    };
    let early = Act::ResolveEarly { term: 1, why: "it was a test of the balancers".into() };
    let decision = other.ask("maya", early).unwrap();
    assert!(decision.entries[0].fact.text().contains("before the watch is over: it was a test"));
    night.at(35).does("maya", resolve());
    // A false alarm is not watched.
    let mut night = Night::manned(timed());
    night.does("maya", Act::Resolve { term: 1, false_alarm: true });
}

#[test]
fn how_bad_it_is_rises_by_anybody_and_falls_by_the_commander() {
    let mut night = Night::manned(rules());
    let say = |severity, term| Act::SetSeverity { severity, reason: "one shop only".into(), term };
    assert!(night.refused("tom", say(Severity::Sev2, Some(1))).starts_with("maya has command"));
    night.does("maya", say(Severity::Sev2, Some(1)));
    assert_eq!(night.incident.severity, Severity::Sev2);
    night.does("kim", say(Severity::Sev1, None));
    assert_eq!(night.incident.severity, Severity::Sev1);
    assert_eq!(night.commander(), ("maya", 1), "which never moves command");
}

#[test]
fn more_people_than_one_can_lead_are_told_once() {
    let mut rules = rules();
    for n in 0..9 {
        let known = rules.people["tom"].clone();
        rules.people.insert(format!("p{n}"), known);
    }
    let mut night = Night::manned(rules);
    let told: Vec<Vec<String>> = (0..9).map(|n| night.does(&format!("p{n}"), Act::CheckIn)).collect();
    let spans = told.iter().flatten().filter(|letter| *letter == "tell maya span").count();
    assert_eq!(spans, 1);
    assert_eq!(told[6], ["tell maya span"], "tom and seven others are eight");
}

/// Anything anybody may do about command, at any hour.
pub(crate) fn anything() -> impl Strategy<Value = (String, Act, i64)> {
    let person =
        || prop::sample::select(vec!["maya", "tom", "kim", "cto", "stranger"]).prop_map(String::from);
    let office = || prop::sample::select(Office::ALL.to_vec());
    let term = || 0_u32..5;
    let acts = prop_oneof![
        Just(Act::Answer { help: false }),
        Just(Act::CheckIn),
        Just(Act::CheckIn),
        Just(Act::Decline),
        Just(Act::EnRoute { eta: None }),
        (person(), term()).prop_map(|(to, term)| offer(&to, term)),
        (term(), prop::option::of(0_u32..40)).prop_map(|(term, brief)| accept(term, brief)),
        Just(Act::Command(Bid::Accept { office: None, term: None, brief: None })),
        Just(assume()),
        Just(Act::Command(Bid::Wish)),
        Just(Act::Command(Bid::Withdraw)),
        person().prop_map(|to| Act::Command(Bid::Relieve { to, reason: "r".into() })),
        (office(), person(), term()).prop_map(|(office, person, term)| assign(office, &person, term)),
        office().prop_map(|office| Act::Command(Bid::Give { office, term: None })),
        (person(), term()).prop_map(|(person, term)| Act::Release { person: Some(person), term: Some(term) }),
        (person(), term()).prop_map(|(person, term)| Act::Rest { person: Some(person), term: Some(term) }),
        prop::sample::select(Severity::ALL.to_vec()).prop_map(|severity| Act::SetSeverity {
            severity,
            reason: "r".into(),
            term: None
        }),
        term().prop_map(|term| Act::Mitigate { term, cause: None }),
        term().prop_map(|term| Act::ResolveEarly { term, why: "w".into() }),
        Just(Act::Reopen { why: "again".into() }),
        Just(action("x")),
        term().prop_map(|term| Act::Board(Write::Objective { text: "x".into(), term })),
    ];
    (prop_oneof![4 => person(), 2 => Just("onscene".to_owned())], acts, 0_i64..8)
        .prop_map(|(who, act, wait)| if who == "onscene" { (who, Act::TICK, wait) } else { (who, act, wait) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    /// I1 to I8: once a human has it there is one Commander to the end, terms grow by one, and command moves only to somebody
    /// on scene who took it themselves. Each step is checked by `obeys`.
    #[test]
    fn command_has_no_gap_and_no_overlap_whatever_anybody_does(
        acts in prop::collection::vec(anything(), 1..80), is_timed in any::<bool>(),
    ) {
        let mut night = Night::new(if is_timed { timed() } else { rules() });
        let mut minute = 0;
        for (who, act, wait) in acts {
            minute += wait;
            let before = night.incident.clone();
            if let Err(refusal) = night.at(minute).ask(&who, act) {
                prop_assert!(!matches!(refusal, Refusal::Fault(_)), "{refusal}");
                prop_assert_eq!(&before, &night.incident);
            }
            let held = |office| night.incident.offices.posts.iter().filter(|post| post.office == office && post.accepted).count();
            for office in Office::ALL {
                prop_assert!(held(office) <= 1, "one person holds an office");
            }
            if let Some(due) = night.incident.own_due_at() {
                let latest = night.now + super::escalation::longest_wait(&night.rules);
                prop_assert!(due <= latest, "nobody waits longer than the rules say");
            }
        }
    }
}

#[test]
fn letters_about_command_never_wake_who_acts() {
    let mut night = Night::manned(rules());
    let decision = night.ask("maya", offer("tom", 1)).unwrap();
    assert!(decision.letters.iter().all(|letter| !matches!(letter, Letter::Page { .. })));
}
