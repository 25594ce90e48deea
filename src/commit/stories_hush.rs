//! Stories of what sounds on until it is ended: when it is, and for whom it is not.

use super::stories::{Story, house};
use super::stories_ways::way;
use super::*;
use crate::channels::client::Client;
use crate::channels::{self, Fields, Heard, Shared};
use crate::core::alert::Status;
use crate::core::decide::Act;
use crate::render::Words;

const TAKE: Act = Act::Answer { help: false };

impl Story {
    /// Maya, tom and kim have a way that sounds on. Who commands is asked for a sign of life after half an hour.
    pub(super) fn that_sounds_on() -> Self {
        let mut house = house();
        let mut rules = (*house.rules).clone();
        for (name, person) in &mut rules.people {
            person.ways = vec![way("push", 0, &[])];
            person.ways[0].to = format!("{name} at push");
        }
        rules.clocks.silent_after =
            Severity::ALL.map(|severity| (severity, SignedDuration::from_mins(30))).into_iter().collect();
        house.rules = Arc::new(rules);
        let secrets = [("token".to_owned(), "not-a-real-token".into())].into();
        let shared = Shared {
            client: Client::new(None).unwrap(),
            mailer: None,
            heard: Heard::default(),
            newest: crate::public::Newest::default(),
        };
        let kind = channels::kind("pushover").unwrap();
        let push = (kind.build)(Fields { secrets, ..Fields::default() }, &shared).unwrap();
        house.ways.insert("push".into(), push);
        let story = Self::new();
        story.committer.house.swap(house);
        story
    }

    /// What leaves by the way that sounds on: `page maya`, and of what ends another the kind of that other and whom it woke.
    pub(super) fn sounds(&mut self) -> Vec<String> {
        let claims = self.claim("push");
        let mut said = Vec::new();
        for claim in claims {
            let words: Words = serde_json::from_str(&claim.payload).unwrap();
            let of = "select kind, person, address from letter where id = ?1";
            said.push(match words.data["ends"].as_str() {
                None => format!("{} {}", claim.kind.as_str(), claim.person),
                Some(ended) => {
                    let (kind, person, address) = self
                        .look(|tx| {
                            tx.query_one(of, &[ended.into()], |row| {
                                Ok((row.text(0)?, row.text(1)?, row.text(2)?))
                            })
                        })
                        .unwrap();
                    assert_eq!((&claim.person, &claim.address), (&person, &address));
                    assert_eq!((claim.kind, words.event_type.as_str()), (letters::Kind::Hush, "hush"));
                    format!("ends {kind} {person}")
                }
            });
            self.settle(claim, Settlement::Accepted { remote_id: None });
        }
        said
    }
}

#[test]
fn what_sounds_ends_for_everybody_who_was_paged_when_somebody_has_it() {
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    assert_eq!(story.sounds(), ["page maya"]);
    story.passes(5);
    story.tick(1);
    assert_eq!(story.sounds(), ["page tom"]);
    story.act(1, "tom", TAKE).unwrap();
    assert_eq!(story.sounds(), ["pio_page kim", "ends page maya", "ends page tom"]);
    // Each once.
    story.act(1, "tom", Act::Note { text: "looking".into() }).unwrap();
    story.act(1, "maya", Act::CheckIn).unwrap();
    assert_eq!(story.sounds(), Vec::<String>::new());
    // The PIO is asked for something else, and has done it then.
    story.act(1, "kim", Act::Draft { text: "we look into it".into() }).unwrap();
    assert_eq!(story.sounds(), ["ends pio_page kim"]);
    story.proves_whole();
}

#[test]
fn what_sounds_ends_for_who_declines_and_for_nobody_else() {
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    assert_eq!(story.sounds(), ["page maya"]);
    story.act(1, "maya", Act::Decline).unwrap();
    assert_eq!(story.sounds(), ["page tom", "ends page maya"]);
    story.proves_whole();
}

#[test]
fn a_call_for_help_sounds_on_until_its_person_answers_or_it_is_over() {
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    story.sounds();
    story.act(1, "maya", Act::Answer { help: true }).unwrap();
    assert_eq!(story.sounds(), ["pio_page kim", "help tom", "ends page maya"]);
    story.act(1, "maya", Act::Note { text: "it is the disk".into() }).unwrap();
    assert_eq!(story.sounds(), Vec::<String>::new());
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    assert_eq!(story.sounds(), ["ends pio_page kim", "ends help tom"]);
    story.proves_whole();
}

#[test]
fn who_commands_and_is_asked_for_a_sign_of_life_hears_no_more_when_they_give_one() {
    for sign in [Act::Note { text: "it is the disk".into() }, Act::Mitigate { term: 1, cause: None }] {
        let mut story = Story::that_sounds_on();
        story.hears("pingdom", "db-1", Status::Firing);
        story.act(1, "maya", TAKE).unwrap();
        story.sounds();
        story.passes(31);
        assert_eq!(story.tick(1), Reason::AskedCommander);
        assert_eq!(story.sounds(), ["help maya"]);
        story.passes(1);
        story.act(1, "maya", sign).unwrap();
        assert_eq!(story.sounds(), ["ends help maya"]);
        story.proves_whole();
    }
}

#[test]
fn what_stopped_by_itself_is_not_ended_and_what_is_on_its_way_is_a_moment_later() {
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    assert_eq!(story.sounds(), ["page maya"]);
    story.passes(11);
    story.act(1, "maya", TAKE).unwrap();
    assert!(!story.sounds().iter().any(|one| one.starts_with("ends")), "it has ended after ten minutes");
    story.proves_whole();
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    let page = story.claim("push").remove(0);
    story.act(1, "maya", TAKE).unwrap();
    assert_eq!(story.sounds(), ["pio_page kim"], "it may not be there yet");
    story.settle(page, Settlement::Accepted { remote_id: None });
    story.clock.forward(SignedDuration::from_secs(20));
    assert_eq!(story.sounds(), ["ends page maya"]);
    story.proves_whole();
}

impl Story {
    fn becomes_part(&mut self, incident: i64, into: i64) {
        let by = By {
            actor: crate::core::timeline::Actor::Person("tom".into()),
            route: crate::core::timeline::Route::Api,
            occurred_at: None,
        };
        self.ask(Command::Merge { incident, into, term: None, by }).unwrap();
    }
}

#[test]
fn an_incident_that_became_part_of_another_is_not_over_for_whom_it_woke_until_somebody_has_that() {
    let mut story = Story::that_sounds_on();
    for (key, id) in [("db-1", 1), ("db-2", 2), ("db-3", 3)] {
        assert_eq!(story.hears("pingdom", key, Status::Firing).1, Some(id));
    }
    // One that somebody has declared has no alert.
    let by = By {
        actor: crate::core::timeline::Actor::Person("tom".into()),
        route: crate::core::timeline::Route::Api,
        occurred_at: None,
    };
    let declare =
        Command::Declare { title: "slow".into(), service: "shop".into(), severity: Severity::Sev1, by };
    story.ask(declare).unwrap();
    assert_eq!(story.sounds(), ["page maya"; 4]);
    story.becomes_part(3, 2);
    story.becomes_part(2, 1);
    story.becomes_part(4, 1);
    assert_eq!(story.sounds(), Vec::<String>::new());
    story.act(1, "maya", TAKE).unwrap();
    assert_eq!(story.sounds(), ["pio_page kim"].into_iter().chain(["ends page maya"; 4]).collect::<Vec<_>>());
    story.proves_whole();
}

#[test]
fn what_becomes_part_of_an_incident_that_somebody_has_wakes_nobody_any_more() {
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", TAKE).unwrap();
    story.sounds();
    story.hears("pingdom", "db-2", Status::Firing);
    story.hears("pingdom", "db-3", Status::Firing);
    story.passes(1);
    assert_eq!(story.sounds(), ["page maya", "page maya"]);
    story.becomes_part(2, 1);
    assert_eq!(story.sounds(), ["ends page maya"], "the third is nobody's");
    story.proves_whole();
}

#[test]
fn a_page_whose_receipt_was_lost_is_ended_too() {
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    let page = story.claim("push").remove(0);
    let at = story.clock.now() + SignedDuration::from_secs(5);
    story.settle(page, Settlement::Again { at, why: "no answer in time".into(), unsure: true });
    story.act(1, "maya", TAKE).unwrap();
    assert_eq!(story.sounds(), ["pio_page kim", "ends page maya"]);
    story.proves_whole();
    // What was never tried sounds nowhere.
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", TAKE).unwrap();
    assert_eq!(story.sounds(), ["pio_page kim"]);
    story.proves_whole();
}

#[test]
fn a_test_sounds_until_its_person_says_that_it_reached_them() {
    let mut story = Story::that_sounds_on();
    story.ask(Command::Reach(Asked::Test { person: "maya".into(), asked_by: "tom".into() })).unwrap();
    let mail: Words = serde_json::from_str(&story.claim("").remove(0).payload).unwrap();
    let link = tokens::link_hash(mail.answer.unwrap().rsplit('/').next().unwrap());
    // Of another's nothing is ended by it.
    story.ask(Command::Reach(Asked::Test { person: "tom".into(), asked_by: "tom".into() })).unwrap();
    assert_eq!(story.sounds(), ["page maya", "page tom"]);
    for _ in 0..2 {
        story.ask(Command::Reach(Asked::Confirmed(link))).unwrap();
    }
    assert_eq!(story.sounds(), ["ends page maya"]);
    story.proves_whole();
}
