//! Sessions that are made of answer links, and what outlives nobody: told as stories.

use jiff::SignedDuration;

use super::door::Job;
use super::signin::SignIn;
use super::stories::{Story, house};
use super::*;
use crate::core::alert::Status::Firing;
use crate::core::rules::Rules;
use crate::core::timeline::{Actor, Route};
use crate::house::House;
use crate::store::sessions::{self, MadeOf, Session};
use crate::store::tokens::{self, Holder, Link, Purpose};

const SECRET: &str = "the secret of a browser";

impl Story {
    /// An incident that was opened by an alert, and an answer link of it.
    fn paged_by(&mut self, key: &str, link: &str, person: &str) -> i64 {
        let incident = self.hears("scripts", key, Firing).1.unwrap();
        self.has_link(incident, link, person, Purpose::Answer);
        incident
    }

    fn has_link(&mut self, incident: i64, link: &str, person: &str, purpose: Purpose) {
        let now = self.clock.now();
        let kept = Link { incident, person: person.into(), purpose };
        self.committer.connection.write(now, |tx| tokens::put_link(tx, link, &kept)).unwrap();
    }

    fn enters(&mut self, link: &str, secret: &str) -> Result<(), DoorError> {
        let (link, session) = (tokens::link_hash(link), sessions::hash(secret));
        self.ask(Command::SignIn(SignIn::Answered { link, session, before: None })).map(drop)
    }

    fn may_not_enter(&mut self, link: &str) {
        assert!(matches!(self.enters(link, "nobody's"), Err(DoorError::NoLogin)), "{link}");
        assert!(self.session_of("nobody's").is_none());
    }

    fn session_of(&mut self, secret: &str) -> Option<Session> {
        let (secret, now) = (secret.to_owned(), self.clock.now());
        self.look(move |tx| sessions::find(tx, &secret, now))
    }

    fn is_used(&mut self, secret: &str) {
        self.ask(Command::SignIn(SignIn::Used(sessions::hash(secret)))).unwrap();
    }

    fn number(&mut self, sql: &str) -> i64 {
        self.look(|tx| tx.query_one(sql, &[], |row| row.int(0))).unwrap()
    }

    fn is_over(&mut self, incident: i64) {
        self.act(incident, "maya", Act::Answer { help: false }).unwrap();
        self.act(incident, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    }

    /// The configuration knows these people, of those of the stories, and nobody else.
    fn has_people(&mut self, people: &[&str]) {
        let mut rules = Rules::clone(&house().rules);
        rules.people.retain(|name, _| people.contains(&name.as_str()));
        self.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    }
}

#[test]
fn who_has_answered_a_page_is_in_unless_a_program_pressed_on_it_or_they_left() {
    let mut story = Story::new();
    let incident = story.paged_by("db-1", "of maya", "maya");
    story.enters("of maya", SECRET).unwrap();
    let session = story.session_of(SECRET).unwrap();
    let made_of = MadeOf::AnswerLink(incident);
    assert_eq!((&session.holder, &session.made_of), (&Holder::Person("maya".into()), &made_of));
    assert_eq!(story.look(sessions::list), [session]);
    story.may_not_enter("no link");
    story.has_link(incident, "of nobody", "stranger", Purpose::Answer);
    story.may_not_enter("of nobody");
    story.has_link(incident, "a test", "maya", Purpose::Test);
    story.may_not_enter("a test");
    story.has_link(incident, "looked through", "maya", Purpose::Answer);
    let press = Press {
        link: tokens::link_hash("looked through"),
        made_at: Timestamp::UNIX_EPOCH,
        incident,
        person: "maya".into(),
        act: None,
        once: None,
    };
    story.ask(Command::Press(press)).unwrap();
    story.may_not_enter("looked through");
}

#[test]
fn a_session_of_an_answer_link_ends_an_hour_after_its_incident_is_over() {
    let mut story = Story::new();
    let incident = story.paged_by("db-1", "of tom", "tom");
    story.enters("of tom", SECRET).unwrap();
    story.passes(60);
    story.is_used(SECRET);
    story.is_over(incident);
    // They write down what it was.
    story.passes(59);
    assert!(story.session_of(SECRET).is_some());
    story.enters("of tom", "another browser").unwrap();
    story.passes(1);
    assert!(story.session_of(SECRET).is_none() && story.session_of("another browser").is_none());
    assert_eq!(story.look(sessions::list), []);
    story.may_not_enter("of tom");
    // Of a login link it goes on.
    let secret = "a login link".to_owned().into();
    story.ask(Command::SignIn(SignIn::Link { secret, person: "tom".into() })).unwrap();
    let (link, session) = (sessions::hash("a login link"), sessions::hash(SECRET));
    story.ask(Command::SignIn(SignIn::Open { link, session, before: Some(sessions::hash(SECRET)) })).unwrap();
    story.passes(11 * 60);
    assert_eq!(story.session_of(SECRET).unwrap().made_of, MadeOf::LoginLink);
}

#[test]
fn a_session_of_a_merged_incident_goes_by_what_that_became() {
    let mut story = Story::new();
    let home = story.paged_by("db-1", "of maya", "maya");
    story.passes(1);
    let part = story.paged_by("web-1", "of tom", "tom");
    assert_ne!(home, part);
    story.enters("of tom", SECRET).unwrap();
    let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: part, into: home, term: None, by }).unwrap();
    story.passes(3 * 60);
    assert!(story.session_of(SECRET).is_some(), "it is open yet");
    story.enters("of tom", "another browser").unwrap();
    story.is_over(home);
    story.passes(60);
    assert!(story.session_of(SECRET).is_none() && story.session_of("another browser").is_none());
}

#[test]
fn no_session_of_an_answer_link_is_older_than_a_shift_nor_is_one_of_which_nobody_knows() {
    let mut story = Story::new();
    story.paged_by("db-1", "of maya", "maya");
    story.enters("of maya", SECRET).unwrap();
    // As a node of the version before writes it.
    let (hash, now) = (sessions::hash("of an older node"), story.clock.now());
    let sql = "insert into session (id, hash, person, automation, token, created_at, used_at)
               values ('old', ?1, 'maya', null, null, ?2, ?2)";
    story.committer.connection.write(now, |tx| tx.write(sql, &[hash[..].into(), now.into()])).unwrap();
    assert_eq!(story.session_of("of an older node").unwrap().made_of, MadeOf::Unknown);
    for _ in 0..11 {
        story.passes(60);
        story.is_used(SECRET);
        story.is_used("of an older node");
    }
    assert!(story.session_of(SECRET).is_some() && story.session_of("of an older node").is_some());
    story.passes(60);
    assert!(story.session_of(SECRET).is_none() && story.session_of("of an older node").is_none());
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.number("select count(*) from session"), 0);
}

#[test]
fn after_all_sessions_of_a_person_were_ended_the_links_that_they_had_make_none() {
    let mut story = Story::new();
    let incident = story.paged_by("db-1", "stolen", "maya");
    story.has_link(incident, "of tom", "tom", Purpose::Answer);
    story.enters("stolen", SECRET).unwrap();
    story.passes(1);
    story.ask(Command::SignIn(SignIn::EndAll("maya".into()))).unwrap();
    assert!(story.session_of(SECRET).is_none());
    story.may_not_enter("stolen");
    story.enters("of tom", "tom's").unwrap();
    story.passes(1);
    story.has_link(incident, "of a later page", "maya", Purpose::Answer);
    story.enters("of a later page", SECRET).unwrap();
    story.may_not_enter("stolen");
    assert!(story.session_of(SECRET).is_some());
}

#[test]
fn no_session_is_made_when_nobody_waits_for_its_secret_any_more() {
    let mut story = Story::new();
    story.paged_by("db-1", "of maya", "maya");
    let (link, session) = (tokens::link_hash("of maya"), sessions::hash(SECRET));
    let (job, answer) = Job::new(Command::SignIn(SignIn::Answered { link, session, before: None }));
    drop(answer);
    assert!(story.committer.commit(vec![job]).is_ok());
    assert_eq!(story.number("select count(*) from session"), 0);
}

#[test]
fn a_letter_with_a_login_link_that_could_not_leave_in_time_stays_here() {
    let mut story = Story::new();
    let ask = || Command::SignIn(SignIn::Ask { person: "maya".into(), next: None });
    story.ask(ask()).unwrap();
    story.passes(14);
    let claims = story.claim("");
    assert_eq!(claims.len(), 1, "in time");
    let at = story.clock.now().saturating_add(SignedDuration::from_mins(1)).unwrap();
    for claim in claims {
        assert!(claim.payload.contains("/login/"));
        story.settle(claim, Settlement::Again { at, why: "451 later".into(), unsure: false });
    }
    story.passes(2);
    assert_eq!(story.claim("").len(), 0);
    let dropped =
        "select count(*) from letter where state = 'dropped' and payload = '' and why like '%too old'";
    assert_eq!(story.number(dropped), 1);
    // Another one goes out, and so does whatever else is told, however late.
    story.ask(ask()).unwrap();
    assert_eq!(story.claim("").len(), 1);
    story.paged_by("db-1", "of maya", "maya");
    story.is_over(1);
    let notices = story.number("select count(*) from letter where kind = 'notice' and state = 'pending'");
    story.passes(60);
    assert!(notices > 0);
    let late = story.claim("");
    assert_eq!(late.iter().filter(|claim| claim.incident > 0).count(), usize::try_from(notices).unwrap());
}

#[test]
fn who_leaves_the_configuration_leaves_nothing_to_who_gets_the_name() {
    let mut story = Story::new();
    let incident = story.paged_by("db-1", "of tom", "tom");
    for (token, holder) in [
        ("of tom", Holder::Person("tom".into())),
        ("of maya", Holder::Person("maya".into())),
        ("of a program called tom", Holder::Automation("tom".into())),
    ] {
        story.ask(Command::MakeToken { token: token.to_owned().into(), holder }).unwrap();
    }
    story.passes(1);
    story.has_people(&["maya", "kim"]);
    story.ask(Command::Forget).unwrap();
    let works = |story: &mut Story, token: &'static str| {
        story.look(move |tx| tokens::api_holder(tx, token)).is_some()
    };
    assert!(!works(&mut story, "of tom") && works(&mut story, "of maya"));
    assert!(works(&mut story, "of a program called tom"));
    // Somebody else has the name, or the same person who was missed by mistake.
    story.has_people(&["maya", "kim", "tom"]);
    assert!(!works(&mut story, "of tom"));
    story.may_not_enter("of tom");
    story.passes(1);
    let ended = story.number("select at from signed_out where person = 'tom'");
    story.ask(Command::Forget).unwrap();
    story.has_people(&["maya", "kim"]);
    story.ask(Command::Forget).unwrap();
    let again = story.number("select at from signed_out where person = 'tom'");
    assert_eq!(ended, again, "it is done once");
    story.has_link(incident, "of the new tom", "tom", Purpose::Answer);
    story.has_people(&["maya", "kim", "tom"]);
    story.enters("of the new tom", SECRET).unwrap();
}
