//! Where to meet: what letters say of it, and what is asked for that.

use jiff::SignedDuration;

use super::stories::{Story, house};
use super::stories_held::of_the_house;
use super::stories_inhibit::rule;
use super::*;
use crate::core::alert::{Event, Status};
use crate::core::correlate::{Grouping, Needs};
use crate::core::incident::Severity;
use crate::core::meeting::{Point, Points};
use crate::core::rules::Service;
use crate::core::timeline::{Actor, Route};
use crate::house::House;
use crate::render::Words;
use crate::store::{StoreError, incidents, meeting};

/// The usual place of `shop` is the chat, which needs `dc`; the alternate is a room of its own for each incident.
fn story() -> Story {
    let mut rules = (*house().rules).clone();
    let shop = rules.services["shop"].clone();
    let service = |needs: &[&str]| Service {
        grouping: Grouping {
            depends_on: needs.iter().map(|one| (*one).to_owned()).collect(),
            settle: SignedDuration::ZERO,
            ..shop.grouping.clone()
        },
        meet: vec!["chat".into(), "video".into()],
        ..shop.clone()
    };
    let services = [("shop", &[][..]), ("blog", &[]), ("chat", &["dc"]), ("dc", &[])];
    rules.services = services.map(|(name, needs)| (name.to_owned(), service(needs))).into();
    rules.needs = Needs::of(&rules.services);
    let chat = Point::new("https://chat.example.net/sre".into(), None, vec!["chat".into()]);
    let dial_in = Some("+47 22 00 00 00, pin 1234#".to_owned());
    let video = Point::new("https://video.example.net/{incident}-{secret}".into(), dial_in, Vec::new());
    rules.meeting = Points::new([("chat".to_owned(), chat), ("video".into(), video)].into(), Vec::new());
    rules.meeting.hang(&rules.needs);
    let story = Story::new();
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story
}

impl Story {
    fn says_of(&self, service: &str, key: &str, status: Status) -> Command {
        let event = Event::new(key, status, format!("{key} is down"));
        match self.delivery("pingdom", vec![event]) {
            Command::Events(delivered) => Command::Events(Delivered { service: service.into(), ..delivered }),
            other => other,
        }
    }

    fn turns(&mut self, service: &str, key: &str, status: Status) -> Option<i64> {
        let command = self.says_of(service, key, status);
        let Reply::Events(_, results) = self.ask(command).unwrap() else { panic!("another answer") };
        results[0].incident
    }

    fn letters_to(&mut self, channel: &str) -> Vec<(String, String, Words)> {
        let sql =
            "select kind, person, payload from letter where channel = ?1 and payload <> '' order by seq";
        self.look(|tx| {
            tx.query(sql, &[channel.into()], |row| {
                Ok((row.text(0)?, row.text(1)?, serde_json::from_str(&row.text(2)?)?))
            })
        })
    }

    /// The words of the last page.
    fn last_page(&mut self) -> Words {
        let mut letters = self.letters_to("");
        letters.retain(|(kind, _, _)| kind == "page");
        letters.pop().unwrap().2
    }
}

/// The lines of a letter that say where to meet.
fn meets(words: &Words) -> Vec<String> {
    let lines = words.text.lines().skip_while(|line| !line.starts_with("Meet:"));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    lines.take_while(|line| !line.is_empty() && !line.starts_with("Next")).map(words).collect()
}

/// An address of the alternate, with its secret taken out.
fn unsecret(line: &str) -> String {
    let Some(at) = line.find("video.example.net/") else { return line.to_owned() };
    let digits = line[at..].find('-').map(|dash| at + dash + 1).unwrap();
    let secret = &line[digits..digits + 24];
    assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    line.replace(secret, "SECRET")
}

fn shown(words: &Words) -> Vec<String> {
    meets(words).iter().map(|line| unsecret(line)).collect()
}

#[test]
fn a_page_names_the_usual_place_and_the_others_and_another_first_while_that_may_be_down() {
    let mut story = story();
    story.turns("shop", "db-1", Status::Firing);
    let usual = [
        "Meet: https://chat.example.net/sre",
        "else: https://video.example.net/1-SECRET",
        "by telephone: +47 22 00 00 00, pin 1234#",
    ];
    let page = story.last_page();
    assert_eq!(shown(&page), usual);
    assert_eq!(page.data["incident"]["bridge"], "https://chat.example.net/sre");
    let meet = page.meet.unwrap();
    assert_eq!(
        (meet.url.as_str(), meet.left, meet.said.as_str()),
        ("https://chat.example.net/sre", None, "Meet at the usual place.")
    );
    // What the chat needs is struck: by an incident of its own.
    let dc = story.turns("dc", "power", Status::Firing).unwrap();
    let of_dc = story.last_page();
    assert_eq!(
        shown(&of_dc)[0],
        format!("Meet: https://video.example.net/{dc}-SECRET (the usual place, chat, may be down with dc)")
    );
    story.turns("blog", "posts", Status::Firing);
    let elsewhere = story.last_page();
    assert_eq!(
        shown(&elsewhere),
        [
            "Meet: https://video.example.net/3-SECRET (the usual place, chat, may be down with dc)",
            "by telephone: +47 22 00 00 00, pin 1234#",
            "else: https://chat.example.net/sre (may be down with dc)",
        ]
    );
    assert!(elsewhere.html.contains("(the usual place, chat, may be down with dc)"), "{}", elsewhere.html);
    let meet = elsewhere.meet.clone().unwrap();
    assert_eq!(meet.left.as_deref(), Some("chat"));
    assert!(meet.said.starts_with("Do not meet at the usual place, chat"), "{}", meet.said);
    assert_eq!(elsewhere.data["incident"]["bridge"], meet.url);
    // It recovers.
    story.turns("dc", "power", Status::Resolved);
    story.turns("blog", "comments", Status::Firing);
    assert_eq!(shown(&story.last_page())[0], usual[0]);
    story.proves_whole();
}

#[test]
fn the_room_of_an_incident_is_the_same_in_every_letter_and_another_for_each_incident() {
    let mut story = story();
    story.turns("dc", "power", Status::Firing);
    story.turns("blog", "posts", Status::Firing);
    story.turns("shop", "db-1", Status::Firing);
    story.act(2, "tom", Act::Answer { help: true }).unwrap();
    let rules = story.committer.house.get().rules.clone();
    let rooms = |story: &mut Story| -> Vec<String> {
        story.look(|tx| {
            let known = meeting::Known::ask(tx, &rules)?;
            let room = |id| -> Result<String, StoreError> {
                let incident = incidents::load(tx, id)?.unwrap().incident;
                Ok(known.places(&incident, &rules, tx.now).places[1].url.clone())
            };
            (1..=3).map(room).collect()
        })
    };
    let rooms = rooms(&mut story);
    assert!(rooms[0] != rooms[1] && rooms[1] != rooms[2] && rooms[0] != rooms[2]);
    let mut told = 0;
    for (_, _, words) in story.letters_to("") {
        let number = words.data["incident"]["id"].as_u64().unwrap() as usize;
        assert!(words.text.contains(&rooms[number - 1]), "{}", words.text);
        told += 1;
    }
    assert!(told >= 5, "{told}");
    story.proves_whole();
}

#[test]
fn a_channel_is_told_where_and_neither_the_pin_nor_the_other_places() {
    let mut story = story();
    story.turns("dc", "power", Status::Firing);
    story.act(1, "tom", Act::Answer { help: true }).unwrap();
    let status = story.letters_to("ops-room").pop().unwrap().2;
    assert_eq!(
        shown(&status),
        ["Meet: https://video.example.net/1-SECRET (the usual place, chat, may be down with dc)"]
    );
    let all = serde_json::to_string(&status).unwrap();
    assert!(!all.contains("1234") && !all.contains("+47"), "{all}");
    assert_eq!(status.meet, None);
    let letters = story.letters_to("");
    let pio = letters.iter().find(|(kind, _, _)| kind == "pio_page").unwrap();
    assert!(shown(&pio.2).iter().any(|line| line.contains("pin 1234#")), "{}", pio.2.text);
    story.proves_whole();
}

#[test]
fn in_one_transaction_what_fires_first_is_known_to_the_page_of_what_fires_next() {
    let mut story = story();
    let all = [("shop", "db-1"), ("chat", "login"), ("blog", "posts")]
        .map(|(service, key)| story.says_of(service, key, Status::Firing));
    let answers = story.ask_all(all.into());
    assert!(answers.iter().all(Result::is_ok));
    let mut letters = story.letters_to("");
    letters.retain(|(kind, _, _)| kind == "page");
    let first: Vec<String> = letters.iter().map(|(_, _, words)| shown(words)[0].clone()).collect();
    assert_eq!(
        first,
        [
            "Meet: https://chat.example.net/sre",
            "Meet: https://video.example.net/2-SECRET (the usual place, chat, may be down: its own alerts fire)",
            "Meet: https://video.example.net/3-SECRET (the usual place, chat, may be down: its own alerts fire)",
        ]
    );
    story.proves_whole();
}

#[test]
fn what_a_person_declares_counts_until_the_harm_has_stopped() {
    let mut story = story();
    let by = || By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    let (title, service) = ("nobody can log in".to_owned(), "chat".to_owned());
    story.ask(Command::Declare { title, service, severity: Severity::Sev2, by: by() }).unwrap();
    story.turns("shop", "db-1", Status::Firing);
    assert!(shown(&story.last_page())[0].contains("chat, may be down"));
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Mitigate { term: 1, cause: None }).unwrap();
    story.turns("blog", "posts", Status::Firing);
    assert_eq!(shown(&story.last_page())[0], "Meet: https://chat.example.net/sre");
    story.proves_whole();
}

#[test]
fn a_silenced_alert_moves_nobody_and_one_that_another_keeps_quiet_does() {
    let mut story = story();
    let mut rules = (*story.committer.house.get().rules).clone();
    rules.inhibit = vec![rule("service=\"blog\"", "service=\"chat\"", &[])];
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story.turns("blog", "posts", Status::Firing);
    assert_eq!(story.turns("chat", "login", Status::Firing), None);
    story.turns("shop", "db-1", Status::Firing);
    assert!(shown(&story.last_page())[0].contains("its own alerts fire"));
    story.turns("chat", "login", Status::Resolved);
    of_the_house(&mut story, "service=\"chat\", title=~\"disk.*\"", 60);
    assert_eq!(story.turns("chat", "disk", Status::Firing), None);
    story.turns("shop", "db-2", Status::Firing);
    assert_eq!(shown(&story.last_page())[0], "Meet: https://chat.example.net/sre");
    story.proves_whole();
}

#[test]
fn a_letter_of_the_version_before_is_read_and_says_nothing_of_it() {
    let mut story = story();
    story.turns("shop", "db-1", Status::Firing);
    let mut words = serde_json::to_value(story.last_page()).unwrap();
    assert!(words.as_object_mut().unwrap().remove("meet").is_some());
    let old: Words = serde_json::from_value(words).unwrap();
    assert_eq!(old.meet, None);
    assert!(old.text.contains("Meet:"));
    story.proves_whole();
}
