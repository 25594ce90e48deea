//! Who is told that an incident is over which nobody took: everybody who has heard that it is not, once.

use jiff::SignedDuration;

use super::stories::{Story, house};
use super::stories_inhibit::{critical, over};
use super::*;
use crate::core::rules::{Policy, Step, Target};
use crate::core::timeline::{Actor, Route};
use crate::house::House;
use crate::store::Tx;

/// Maya and tom first, then kim, and both again.
fn story() -> Story {
    let story = Story::new();
    let mut rules = (*house().rules).clone();
    let step = |names: &[&str]| Step {
        page: names.iter().map(|name| Target::Person((*name).into())).collect(),
        wait: SignedDuration::from_mins(5),
        ..Step::default()
    };
    let policy = Policy {
        steps: vec![step(&["maya", "tom"]), step(&["kim"])],
        repeat: 1,
        last_resort: vec![],
        ..Policy::default()
    };
    rules.policies.insert("default".into(), policy);
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story
}

impl Story {
    /// Pages arrive. Other letters stay in hand, with their words.
    fn delivers(&mut self) {
        for claim in self.claim("").into_iter().filter(|claim| claim.kind.wakes()) {
            self.settle(claim, Settlement::Accepted { remote_id: None });
        }
    }

    /// The page to somebody is refused; that of the others arrives.
    fn refuses(&mut self, person: &str) {
        for claim in self.claim("") {
            let settlement = if claim.person == person {
                Settlement::Refused { why: "550 no such user".into() }
            } else {
                Settlement::Accepted { remote_id: None }
            };
            self.settle(claim, settlement);
        }
    }

    /// It recovers, and clears itself.
    fn clears(&mut self) {
        self.comes(over(critical("db")));
        self.passes(4);
        assert_eq!(self.tick(1), Reason::SelfCleared);
    }

    /// What was told so far that is no page, to whom, under which subject.
    fn tellings(&mut self) -> Vec<(String, String, String)> {
        let sql = "select kind, person, channel, payload from letter where kind in ('notice', 'status') order by seq";
        let all = self.look(|tx| tx.query(sql, &[], |row| Ok((row.text(1)? + &row.text(2)?, row.text(3)?))));
        let told = |(to, payload): (String, String)| {
            let value: serde_json::Value = serde_json::from_str(&payload).unwrap();
            let text = |name: &str| value[name].as_str().unwrap().to_owned();
            (to, text("event_type"), text("subject"))
        };
        all.into_iter().map(told).collect()
    }

    /// To whom of them it was told that it is over, and what else.
    fn heard(&mut self) -> Vec<String> {
        self.tellings().into_iter().map(|(to, what, _)| format!("{to} {what}")).collect()
    }
}

#[test]
fn three_who_were_paged_over_two_steps_are_each_told_once_in_the_thread_of_their_page() {
    let mut story = story();
    story.comes(critical("db"));
    let pages: Vec<serde_json::Value> =
        story.claim("").iter().map(|claim| serde_json::from_str(&claim.payload).unwrap()).collect();
    let subject = pages[0]["subject"].as_str().unwrap().to_owned();
    story.passes(5);
    story.tick(1);
    assert_eq!(story.paged(), ["maya", "tom", "kim"]);
    story.delivers();
    story.clears();
    let told = story.tellings();
    let whom: Vec<&str> = told.iter().map(|(to, ..)| to.as_str()).collect();
    assert_eq!(whom, ["maya", "tom", "kim"]);
    for (_, what, under) in &told {
        assert_eq!((what.as_str(), under), ("notice.self-cleared", &subject));
    }
    // It is over: nothing is due, and nobody is told again.
    story.passes(60);
    assert_eq!(story.tick(1), Reason::NotDue);
    assert_eq!(story.tellings().len(), 3);
    // A page and what is told of its incident are one thread; status is another.
    let notices = story.claim("");
    assert!(notices.iter().all(|claim| claim.incident == 1 && claim.kind == letters::Kind::Notice));
    story.proves_whole();
}

#[test]
fn whose_page_was_refused_is_not_told_that_it_is_over() {
    let mut story = story();
    story.comes(critical("db"));
    story.refuses("tom");
    story.clears();
    assert_eq!(story.heard(), ["maya notice.self-cleared"]);
    story.proves_whole();
}

#[test]
fn whose_page_was_not_sent_yet_gets_neither_that_nor_word_that_it_is_over() {
    let mut story = story();
    story.comes(critical("db"));
    story.passes(5);
    story.tick(1);
    // The relay takes the first of three.
    for claim in story.claim("") {
        let later = Settlement::Again {
            at: story.clock.now() + SignedDuration::from_mins(5),
            why: "421".into(),
            unsure: false,
        };
        let settlement =
            if claim.person == "maya" { Settlement::Accepted { remote_id: None } } else { later };
        story.settle(claim, settlement);
    }
    story.clears();
    story.passes(6);
    assert_eq!(Story::told(&story.claim("")), ["notice maya"]);
    story.proves_whole();
}

#[test]
fn who_got_one_of_two_pages_is_told_and_so_is_whoever_may_have_got_one() {
    let mut story = story();
    story.comes(critical("db"));
    story.delivers();
    story.passes(5);
    story.tick(1);
    for claim in story.claim("") {
        story.settle(claim, Settlement::Unknown { why: "no answer after DATA".into() });
    }
    story.passes(5);
    story.tick(1);
    assert_eq!(story.paged(), ["maya", "tom", "kim", "maya", "tom"]);
    story.refuses("tom");
    story.clears();
    assert_eq!(story.heard(), ["maya", "tom", "kim"].map(|name| format!("{name} notice.self-cleared")));
    story.proves_whole();
}

#[test]
fn what_clears_comes_back_and_clears_is_told_each_time_to_those_who_were_paged_for_it() {
    let mut story = story();
    story.comes(critical("db"));
    story.delivers();
    story.passes(5);
    story.tick(1);
    story.delivers();
    story.clears();
    assert_eq!(story.heard().len(), 3);
    story.delivers();
    story.passes(20);
    assert_eq!(story.comes(critical("db")), "opened");
    story.delivers();
    story.clears();
    // Kim has not heard that it was back.
    assert_eq!(story.heard()[3..], ["maya notice.self-cleared", "tom notice.self-cleared"]);
    // Nor has anybody whose page did not go out this time.
    story.passes(20);
    story.comes(critical("db"));
    story.clears();
    assert_eq!(story.heard().len(), 5);
    story.proves_whole();
}

#[test]
fn channels_that_heard_of_a_commander_hear_that_it_is_open_again_and_that_it_cleared() {
    let mut story = story();
    story.comes(critical("db"));
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.delivers();
    let of_the_room = |story: &mut Story| {
        let all = story.heard();
        all.into_iter().filter(|told| told.starts_with("ops-room")).collect::<Vec<_>>()
    };
    let mut heard = vec!["ops-room incident.acknowledged", "ops-room incident.resolved"];
    assert_eq!(of_the_room(&mut story), heard);
    story.comes(over(critical("db")));
    for _ in 0..2 {
        story.passes(60);
        assert_eq!(story.comes(critical("db")), "opened");
        story.delivers();
        story.clears();
        story.delivers();
        heard.extend(["ops-room incident.reopened", "ops-room incident.self_cleared"]);
        assert_eq!(of_the_room(&mut story), heard);
    }
    story.proves_whole();
}

#[test]
fn what_a_node_of_the_version_before_forgets_of_it_breaks_no_proof() {
    let mut story = story();
    story.comes(critical("db"));
    story.delivers();
    story.clears();
    story.passes(20);
    story.comes(critical("db"));
    let now = story.clock.now();
    let forget = |tx: &Tx<'_>| {
        let state = tx.query_one("select state from incident", &[], |row| row.text(0))?.unwrap();
        let old = state.replace(",\"pages_before\":1", "").replace(",\"fold\":5", "");
        assert_ne!(old, state);
        tx.write("update incident set state = ?1", &[(&old).into()])
    };
    story.committer.connection.write(now, forget).unwrap();
    story.proves_whole();
}

#[test]
fn channels_that_never_heard_of_it_hear_nothing() {
    let mut story = story();
    story.comes(critical("db"));
    story.delivers();
    story.clears();
    assert!(story.claim("ops-room").is_empty());
    story.proves_whole();
}

#[test]
fn who_was_paged_for_what_became_part_of_another_is_told_with_that_one() {
    let mut story = story();
    story.comes(critical("db"));
    story.delivers();
    story.clears();
    story.delivers();
    story.passes(20);
    story.comes(critical("cache"));
    story.passes(5);
    story.tick(2);
    story.delivers();
    assert_eq!(story.paged(), ["maya", "tom", "maya", "tom", "kim"]);
    // Only maya and tom hear of the first again; kim has heard of the second alone.
    story.comes(critical("db"));
    story.delivers();
    let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
    story.delivers();
    let before = story.heard().len();
    story.comes(over(critical("cache")));
    story.clears();
    let mut told = story.heard()[before..].to_vec();
    told.sort();
    assert_eq!(told, ["kim", "maya", "tom"].map(|name| format!("{name} notice.self-cleared")));
    story.proves_whole();
}

#[test]
fn whom_a_second_cause_paged_of_an_incident_that_was_over_for_them_is_told_too() {
    let mut story = story();
    story.comes(critical("db"));
    story.passes(5);
    story.tick(1);
    story.delivers();
    story.clears();
    story.delivers();
    story.passes(20);
    // Kim knows that the first is over. She is paged for another, which becomes part of it.
    story.comes(critical("cache"));
    story.passes(5);
    story.tick(2);
    story.comes(critical("db"));
    story.delivers();
    let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
    story.delivers();
    let before = story.heard().len();
    story.comes(over(critical("cache")));
    story.clears();
    assert!(story.heard()[before..].contains(&"kim notice.self-cleared".to_owned()));
    story.proves_whole();
}
