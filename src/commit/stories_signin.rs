//! Signing in and out, told as stories.

use secrecy::SecretString;

use super::signin::SignIn;
use super::stories::{Story, house};
use super::*;
use crate::core::rules::Rules;
use crate::house::House;
use crate::render::Words;
use crate::store::letters;
use crate::store::sessions::{self, MadeOf, Session};
use crate::store::tokens::{self, Holder};

const SECRET: &str = "the secret of a browser";

impl Story {
    fn sign(&mut self, asked: SignIn) -> Result<(), DoorError> {
        self.ask(Command::SignIn(asked)).map(|reply| assert!(matches!(reply, Reply::Done)))
    }

    fn asks_for_a_link(&mut self, person: &str) {
        self.sign(SignIn::Ask { person: person.into(), next: Some("/oncall".into()) }).unwrap();
    }

    /// The secrets in the letters that go out now.
    fn mailed(&mut self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for claim in self.claim("") {
            let words: Words = serde_json::from_str(&claim.payload).unwrap();
            let (_, rest) = words.text.split_once("/login/").unwrap();
            assert!(rest.contains("?next=%2Foncall\n"), "{rest}");
            found.push((claim.address.clone(), rest.split('?').next().unwrap().to_owned()));
            self.settle(claim, letters::Settlement::Accepted { remote_id: None });
        }
        found
    }

    fn opens(&mut self, link: &str, secret: &str) -> Result<(), DoorError> {
        let (link, session) = (sessions::hash(link), sessions::hash(secret));
        self.sign(SignIn::Open { link, session, before: None })
    }

    fn link(&mut self, person: &str, secret: &str) -> Result<(), DoorError> {
        let secret = SecretString::from(secret.to_owned());
        self.sign(SignIn::Link { secret, person: person.into() })
    }

    fn is_in(&mut self, secret: &'static str) -> Option<Session> {
        let now = self.clock.now();
        self.look(move |tx| sessions::find(tx, secret, now))
    }

    fn api_token(&mut self, token: &str, holder: Holder) -> String {
        let token = SecretString::from(token.to_owned());
        let Reply::Made(id) = self.ask(Command::MakeToken { token, holder }).unwrap() else {
            panic!("no id")
        };
        id
    }
}

#[test]
fn a_link_by_mail_signs_its_person_in_once() {
    let mut story = Story::new();
    story.asks_for_a_link("maya");
    let mailed = story.mailed();
    let [(address, link)] = &mailed[..] else { panic!("{mailed:?}") };
    assert_eq!(address, "maya@example.net");
    assert!(story.is_in(SECRET).is_none());
    story.opens(link, SECRET).unwrap();
    let session = story.is_in(SECRET).unwrap();
    assert_eq!((session.holder, session.made_of), (Holder::Person("maya".into()), MadeOf::LoginLink));
    assert!(matches!(story.opens(link, "another browser"), Err(DoorError::NoLogin)));
    assert!(matches!(story.opens("no link", "another browser"), Err(DoorError::NoLogin)));
    assert!(story.is_in("another browser").is_none());
    assert!(story.is_in(SECRET).is_some(), "who was in stays in");
}

#[test]
fn of_two_who_press_in_the_same_moment_one_is_in() {
    let mut story = Story::new();
    story.link("tom", "link").unwrap();
    let open = |secret: &str| {
        let (link, session) = (sessions::hash("link"), sessions::hash(secret));
        Command::SignIn(SignIn::Open { link, session, before: None })
    };
    let answers = story.ask_all(vec![open("one"), open("other")]);
    assert!(answers[0].is_ok() && matches!(answers[1], Err(DoorError::NoLogin)), "{answers:?}");
    assert!(story.is_in("one").is_some() && story.is_in("other").is_none());
}

#[test]
fn a_link_is_of_no_use_after_a_quarter_of_an_hour_and_is_forgotten() {
    let mut story = Story::new();
    story.link("tom", "link").unwrap();
    story.passes(14);
    assert_eq!(story.look(|tx| sessions::link_of(tx, &sessions::hash("link"))).as_deref(), Some("tom"));
    story.passes(1);
    assert!(matches!(story.opens("link", SECRET), Err(DoorError::NoLogin)));
    story.link("tom", "another").unwrap();
    story.passes(16);
    story.ask(Command::Forget).unwrap();
    let left = story.look(|tx| tx.query_one("select count(*) from login_link", &[], |row| row.int(0)));
    assert_eq!(left, Some(0));
}

#[test]
fn nobody_is_flooded_and_nobody_learns_who_there_is() {
    let mut story = Story::new();
    story.asks_for_a_link("stranger");
    assert_eq!(story.mailed(), []);
    for _ in 0..5 {
        story.asks_for_a_link("maya");
    }
    assert_eq!(story.mailed().len(), 3, "of one person");
    // Who makes one by the command is not kept from it by who asks on the page; nor may they make any number.
    for n in 0..3 {
        story.link("maya", &format!("made {n}")).unwrap();
    }
    assert!(matches!(story.link("maya", "made 3"), Err(DoorError::TooManyLogins(3))));
    story.link("tom", "of tom").unwrap();
    // A link that was used makes room for another.
    story.opens("made 0", SECRET).unwrap();
    story.link("maya", "made 3").unwrap();
    story.passes(15);
    story.asks_for_a_link("maya");
    assert_eq!(story.mailed().len(), 1, "after they are too old");

    // Of the whole house: as many people as there are ask at once.
    let mut rules = Rules::clone(&house().rules);
    let one = rules.people["maya"].clone();
    rules.people.extend((0..40).map(|n| {
        let email = format!("p{n}@example.net");
        (format!("p{n}"), crate::core::rules::Person { email, ..one.clone() })
    }));
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story.passes(2);
    for n in 0..40 {
        story.asks_for_a_link(&format!("p{n}"));
    }
    let sent = story.look(|tx| {
        tx.query_one("select count(*) from login_link where person like 'p%'", &[], |row| row.int(0))
    });
    assert_eq!(sent, Some(30));
}

#[test]
fn a_session_ends_unused_after_twelve_hours_and_after_thirty_days_in_any_case() {
    let mut story = Story::new();
    story.link("maya", "link").unwrap();
    story.opens("link", SECRET).unwrap();
    story.passes(4);
    let session = story.is_in(SECRET).unwrap();
    assert!(!session.is_to_be_noted(story.clock.now()), "not at each request");
    story.passes(1);
    assert!(session.is_to_be_noted(story.clock.now()));
    story.passes(12 * 60 - 6);
    assert!(story.is_in(SECRET).is_some());
    // Used at the last moment, it goes on.
    story.sign(SignIn::Used(sessions::hash(SECRET))).unwrap();
    story.passes(12 * 60 - 1);
    assert!(story.is_in(SECRET).is_some());
    story.passes(1);
    assert!(story.is_in(SECRET).is_none());
    assert_eq!(story.look(sessions::list), []);

    story.link("maya", "link").unwrap();
    story.opens("link", "used each hour").unwrap();
    for _ in 0..30 * 24 - 1 {
        story.passes(60);
        story.sign(SignIn::Used(sessions::hash("used each hour"))).unwrap();
    }
    assert!(story.is_in("used each hour").is_some());
    story.passes(60);
    assert!(story.is_in("used each hour").is_none());
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.look(|tx| tx.query_one("select count(*) from session", &[], |row| row.int(0))), Some(0));
}

#[test]
fn a_session_that_a_clock_made_which_was_ahead_is_none() {
    let mut story = Story::new();
    story.link("maya", "link").unwrap();
    story.opens("link", SECRET).unwrap();
    story.is_put_back(60 * 24);
    assert!(story.is_in(SECRET).is_none());
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.look(|tx| tx.query_one("select count(*) from session", &[], |row| row.int(0))), Some(0));
}

#[test]
fn logging_out_ends_one_and_an_administrator_ends_one_or_all_of_a_person() {
    let mut story = Story::new();
    for (n, person) in ["maya", "maya", "maya", "tom"].into_iter().enumerate() {
        story.link(person, &format!("link {n}")).unwrap();
        story.opens(&format!("link {n}"), &format!("browser {n}")).unwrap();
    }
    story.sign(SignIn::Out(sessions::hash("browser 0"))).unwrap();
    assert!(story.is_in("browser 0").is_none() && story.is_in("browser 1").is_some());
    let id = story.is_in("browser 1").unwrap().id;
    story.sign(SignIn::End(id.clone())).unwrap();
    assert!(matches!(story.sign(SignIn::End(id)), Err(DoorError::NoSession(_))));
    assert!(story.is_in("browser 1").is_none() && story.is_in("browser 2").is_some());
    story.link("maya", "waits").unwrap();
    story.sign(SignIn::EndAll("maya".into())).unwrap();
    assert!(story.is_in("browser 2").is_none() && story.is_in("browser 3").is_some());
    assert!(matches!(story.opens("waits", SECRET), Err(DoorError::NoLogin)), "their links too");
    // Who logs in again in the same browser has one session there.
    story.link("tom", "again").unwrap();
    let (link, session) = (sessions::hash("again"), sessions::hash(SECRET));
    story.sign(SignIn::Open { link, session, before: Some(sessions::hash("browser 3")) }).unwrap();
    assert!(story.is_in("browser 3").is_none() && story.is_in(SECRET).is_some());
    // And of too many browsers the one ends that was used least lately.
    for n in 0..50 {
        story.link("tom", &format!("more {n}")).unwrap();
        let (link, session) = (sessions::hash(&format!("more {n}")), sessions::hash(&format!("tom {n}")));
        story.passes(1);
        story.sign(SignIn::Open { link, session, before: None }).unwrap();
    }
    assert!(story.is_in(SECRET).is_none() && story.is_in("tom 0").is_some());
    assert_eq!(story.look(sessions::list).len(), 50);
}

#[test]
fn a_session_made_of_a_token_ends_with_it_and_a_program_may_have_one() {
    let mut story = Story::new();
    let id = story.api_token("a token", Holder::Person("tom".into()));
    let other = story.api_token("of a board", Holder::Automation("board".into()));
    let sign = |token: &str, secret: &str| SignIn::Token {
        token: sessions::hash(token),
        session: sessions::hash(secret),
        before: None,
    };
    story.sign(sign("a token", SECRET)).unwrap();
    story.sign(sign("of a board", "on the wall")).unwrap();
    assert!(matches!(story.sign(sign("none", "nobody")), Err(DoorError::NoLogin)));
    assert_eq!(story.is_in(SECRET).unwrap().made_of, MadeOf::Token(id.clone()));
    assert_eq!(story.is_in("on the wall").unwrap().holder, Holder::Automation("board".into()));
    story.ask(Command::RevokeToken { id }).unwrap();
    assert!(story.is_in(SECRET).is_none() && story.is_in("on the wall").is_some());
    assert_eq!(story.look(sessions::list).len(), 1);
    assert!(matches!(story.sign(sign("a token", SECRET)), Err(DoorError::NoLogin)));
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.look(|tx| tx.query_one("select count(*) from session", &[], |row| row.int(0))), Some(1));
    story.ask(Command::RevokeToken { id: other }).unwrap();
    assert!(story.is_in("on the wall").is_none());
}

#[test]
fn who_leaves_the_configuration_is_signed_out_for_good() {
    let mut story = Story::new();
    for (person, link) in [("maya", "one"), ("tom", "two"), ("tom", "three")] {
        story.link(person, link).unwrap();
    }
    story.opens("one", "of maya").unwrap();
    story.opens("two", "of tom").unwrap();
    let mut rules = Rules::clone(&house().rules);
    rules.people.remove("tom");
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    assert!(matches!(story.opens("three", SECRET), Err(DoorError::NoLogin)));
    story.ask(Command::Forget).unwrap();
    story.committer.house.swap(house());
    assert!(story.is_in("of tom").is_none() && story.is_in("of maya").is_some());
}

#[test]
fn nothing_that_is_kept_holds_a_secret() {
    let mut story = Story::new();
    story.link("maya", "the secret of a link").unwrap();
    story.link("tom", "another link").unwrap();
    story.opens("another link", SECRET).unwrap();
    let rows = story.look(|tx| {
        let links = tx.query("select id, person from login_link", &[], |row| {
            Ok(format!("{} {}", row.text(0)?, row.text(1)?))
        })?;
        let sessions = tx.query("select id, person, hash from session", &[], |row| {
            Ok(format!("{} {} {:?}", row.text(0)?, row.text(1)?, row.blob(2)?))
        })?;
        let hash = tokens::link_hash(SECRET);
        assert_eq!(sessions::find(tx, &crate::crypto::hex(&hash), tx.now)?, None, "the hash is no secret");
        Ok([links, sessions].concat().join("\n"))
    });
    assert!(rows.contains("tom") && rows.contains("maya") && !rows.contains("secret"), "{rows}");
}
