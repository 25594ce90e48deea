//! Cachet: a server of either version that keeps what theirs would keep, and what is told to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::super::stories::{json_answer, receiver, status_letter};
use super::super::stories_board::{
    Call, Dice, Fake, Fate, Served, at, looks_alone, nth, serve, tell, tell_after_lost, tell_alike, tell_all,
    tell_twice,
};
use super::*;
use crate::channels::statement::{Mended, Now};
use crate::core::voice::{Impact, Sort};

/// Keeps what a server keeps.
struct Server<const VERSION: u8> {
    incidents: Vec<Kept>,
    components: BTreeMap<u64, u64>,
    made: u64,
    /// Of a time before `meta`.
    is_old: bool,
}

#[derive(Default)]
struct Kept {
    id: u64,
    name: String,
    message: String,
    status: u64,
    visible: bool,
    notify: bool,
    meta: Value,
    linked: Vec<Value>,
    updates: Vec<(u64, u64, String)>,
}

fn server<const VERSION: u8>() -> Server<VERSION> {
    Server { incidents: Vec::new(), components: [(1, 1), (2, 1)].into(), made: 0, is_old: false }
}

impl<const VERSION: u8> Server<VERSION> {
    fn shown(&self, kept: &Kept, meta: bool) -> Value {
        let mut own =
            json!({"id": kept.id, "name": kept.name, "message": kept.message, "visible": kept.visible});
        if meta && !self.is_old {
            own["meta"] = kept.meta.clone();
        }
        Self::thing("incidents", own, kept.status)
    }

    /// As each version shows a thing.
    fn thing(of: &str, mut own: Value, status: u64) -> Value {
        if VERSION == 2 {
            own["status"] = status.into();
            return own;
        }
        own["status"] = json!({"human": "a word", "value": status});
        json!({"id": own["id"].to_string(), "type": of, "attributes": own})
    }

    fn wrong(why: &str) -> (u16, Value) {
        let status = if VERSION == 2 { 400 } else { 422 };
        (status, json!({"message": why}))
    }

    fn make(&mut self, body: &Value) -> (u16, Value) {
        let text = |key: &str| body[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (Some(name), Some(message), Some(status)) =
            (text("name"), text("message"), body["status"].as_u64())
        else {
            return Self::wrong("The name field is required.");
        };
        if name.chars().count() > 255 || status > 4 {
            return Self::wrong("The name field must not be greater than 255 characters.");
        }
        let linked: Vec<Value> = body["components"].as_array().cloned().unwrap_or_default();
        let is_known = |one: &Value| {
            self.components.contains_key(&one["id"].as_u64().unwrap_or_default())
                && one["status"].as_u64().is_some_and(|status| (1..=4).contains(&status))
        };
        if !linked.iter().all(is_known)
            || body["component_id"].is_null() != body["component_status"].is_null()
        {
            return Self::wrong("The selected components.0.id is invalid.");
        }
        self.made += 1;
        let (visible, notify) = match VERSION {
            2 => (body["visible"] != Value::Bool(false), body["notify"] != Value::Bool(false)),
            _ => (body["visible"] == Value::Bool(true), body["notifications"] == Value::Bool(true)),
        };
        let meta = body["meta"].clone();
        self.incidents.push(Kept {
            id: self.made,
            name,
            message,
            status,
            visible,
            notify,
            meta,
            linked,
            updates: vec![],
        });
        let shown = self.shown(self.incidents.last().unwrap(), false);
        (if VERSION == 2 { 200 } else { 201 }, json!({"data": shown}))
    }

    fn update(&mut self, place: usize, body: &Value) -> (u16, Value) {
        let (Some(status), Some(message)) = (body["status"].as_u64(), body["message"].as_str()) else {
            return Self::wrong("The message field is required.");
        };
        self.made += 1;
        let kept = &mut self.incidents[place];
        // Version 2 cleans what it is sent.
        let message = if VERSION == 2 { message.replace('&', "&amp;") } else { message.to_owned() };
        kept.updates.push((self.made, status, message));
        kept.status = status;
        (200, json!({"data": Self::thing("updates", json!({"id": self.made}), status)}))
    }
}

impl<const VERSION: u8> Fake for Server<VERSION> {
    const TOKEN: &'static str = if VERSION == 2 { "x-cachet-token" } else { "authorization" };

    fn answer(&mut self, call: &Call) -> (u16, Value) {
        let token = if VERSION == 2 { "not-a-real-token" } else { "Bearer not-a-real-token" };
        if call.token != token {
            return (401, json!({"message": "Unauthenticated."}));
        }
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let base: &[&str] = if VERSION == 2 { &["api", "v1"] } else { &["api"] };
        let Some(path) = path.strip_prefix(base) else { return (404, Value::Null) };
        let place = |id: &str| self.incidents.iter().position(|one| one.id.to_string() == id);
        match (call.method.as_str(), path) {
            ("GET", ["incidents"]) => {
                let meta = call.query.contains_key("include");
                if meta && self.is_old {
                    return (400, json!({"message": "Requested include(s) `meta` are not allowed."}));
                }
                assert_eq!(call.query["sort"], if VERSION == 2 { "id" } else { "-id" });
                let all = self.incidents.iter().rev().take(call.query["per_page"].parse().unwrap());
                let all: Vec<Value> = all.map(|one| self.shown(one, meta || VERSION == 2)).collect();
                (200, json!({"data": all}))
            }
            ("GET", ["incidents", id]) if place(id).is_some() => {
                (200, json!({"data": self.shown(&self.incidents[place(id).unwrap()], false)}))
            }
            ("GET", ["incidents", id, "updates"]) if place(id).is_some() => {
                let updates = &self.incidents[place(id).unwrap()].updates;
                let shown = updates.iter().rev().map(|(id, status, message)| {
                    Self::thing("updates", json!({"id": id, "message": message}), *status)
                });
                (200, json!({"data": shown.collect::<Vec<_>>()}))
            }
            ("POST", ["incidents"]) => self.make(&call.body),
            ("PUT", ["incidents", id]) if place(id).is_some() => {
                let place = place(id).unwrap();
                self.incidents[place].name = call.body["name"].as_str().unwrap().to_owned();
                if let Some(message) = call.body["message"].as_str() {
                    self.incidents[place].message = message.to_owned();
                }
                (200, json!({"data": self.shown(&self.incidents[place], false)}))
            }
            ("POST", ["incidents", id, "updates"]) if place(id).is_some() => {
                self.update(place(id).unwrap(), &call.body)
            }
            ("DELETE", ["incidents", id, "updates", update]) if place(id).is_some() => {
                let place = place(id).unwrap();
                let updates = &mut self.incidents[place].updates;
                let before = updates.len();
                updates.retain(|(id, ..)| id.to_string() != **update);
                (if updates.len() < before { 204 } else { 404 }, Value::Null)
            }
            ("GET", ["components", id]) => match self.components.get(&id.parse().unwrap()) {
                Some(_) => (200, json!({"data": {"id": id}})),
                None => (404, json!({"message": "Not found"})),
            },
            ("PUT", ["components", id]) => match self.components.get_mut(&id.parse().unwrap()) {
                Some(status) => {
                    *status = call.body["status"].as_u64().unwrap();
                    (200, json!({"data": {"id": id}}))
                }
                None => (404, json!({"message": "Not found"})),
            },
            _ => (404, Value::Null),
        }
    }
}

type Shared<const VERSION: u8> = Arc<Mutex<Served<Server<VERSION>>>>;

async fn channel<const VERSION: u8>(seed: u64) -> (Channel, Shared<VERSION>) {
    let (url, served) = serve(server::<VERSION>(), seed).await;
    let version = VERSION.to_string();
    (at("cachet", &url, &[("version", version.as_str())], &["shop=1", "pay=2"]), served)
}

/// What readers see of an incident, the oldest first.
fn read(kept: &Kept) -> Vec<String> {
    let updates = kept.updates.iter().map(|(_, _, message)| message.replace("&amp;", "&"));
    [kept.message.clone()].into_iter().chain(updates).collect()
}

#[tokio::test]
async fn version_3_shows_the_incident_and_links_what_is_affected() {
    let (channel, served) = channel::<3>(1).await;
    let root = tell(&channel, &nth(42, 1, |_| {}), None).await;
    assert_eq!(root, "1/message");
    let worse = nth(42, 2, |said| said.impact = Impact::Critical);
    assert_eq!(tell(&channel, &Parcel { thread_root: Some(root.clone()), ..worse }, None).await, "1/2");
    {
        let server = &served.lock().unwrap().fake;
        let kept = &server.incidents[0];
        assert!(kept.visible && kept.notify, "it is hidden unless it is told");
        assert_eq!((kept.status, kept.linked.clone()), (2, vec![json!({"id": 1, "status": 3})]));
        assert_eq!(server.components[&1], 4);
    }
    let closing = Parcel { thread_root: Some(root), ..nth(42, 3, |said| said.sort = Sort::Closing) };
    tell(&channel, &closing, None).await;
    let server = &served.lock().unwrap().fake;
    assert_eq!((server.incidents[0].status, server.components[&1]), (4, 1));
}

#[tokio::test]
async fn version_2_sets_every_component_and_links_one() {
    let (channel, served) = channel::<2>(1).await;
    let both = nth(42, 1, |said| said.services = vec!["shop".into(), "pay".into()]);
    let root = tell(&channel, &both, None).await;
    assert_eq!(root, "1/message");
    assert_eq!(served.lock().unwrap().fake.components, [(1, 3), (2, 3)].into());
    let next = nth(42, 2, |said| said.text = "Cards & invoices fail.".into());
    let next = Parcel { thread_root: Some(root), ..next };
    served.lock().unwrap().fates = [Fate::Answered, Fate::LostAfter].into();
    assert_eq!(channel.send(&next).await.as_str(), "unknown");
    assert_eq!(
        tell(&channel, &Parcel { attempt: 2, ..next }, None).await,
        "1/2",
        "though its words were cleaned"
    );
    assert_eq!(served.lock().unwrap().fake.incidents[0].updates.len(), 1);
}

#[tokio::test]
async fn what_is_taken_back_is_removed_wherever_it_stands() {
    let (channel, served) = channel::<3>(1).await;
    let root = tell(&channel, &nth(42, 1, |said| said.text = "A secret.".into()), None).await;
    let back = |number, handle: &str| {
        let mends =
            Some(Mended { id: "x".into(), at: jiff::Timestamp::UNIX_EPOCH, remote_id: Some(handle.into()) });
        let parcel = nth(42, number, |said| {
            (said.sort, said.mends, said.title) = (Sort::Retraction, mends, format!("Title {number}"));
        });
        Parcel { thread_root: Some(root.clone()), ..parcel }
    };
    let first = tell(&channel, &back(2, &root), None).await;
    assert_eq!(first, "1/2/message");
    let words = |number| back(number, "").statement.unwrap().text;
    assert_eq!(read(&served.lock().unwrap().fake.incidents[0]), [words(2), words(2)]);
    assert_eq!(tell(&channel, &back(3, &first), None).await, "1/3/message");
    assert_eq!(read(&served.lock().unwrap().fake.incidents[0]), [words(3), words(3)]);
    assert_eq!(served.lock().unwrap().fake.incidents[0].name, "Title 3", "a title is taken back, too");
    let secret = nth(42, 4, |said| {
        said.text = "Another secret.".into();
        said.services.clear();
    });
    served.lock().unwrap().fates = [Fate::LostAfter].into();
    let secret = Parcel { thread_root: Some(root.clone()), ..secret };
    assert_eq!(channel.send(&secret).await.as_str(), "unknown");
    let mut lost = back(5, "");
    let said = lost.statement.as_mut().unwrap();
    said.mends.as_mut().unwrap().remote_id = None;
    said.takes_back = Some("Another secret.".into());
    tell(&channel, &lost, None).await;
    assert_eq!(read(&served.lock().unwrap().fake.incidents[0]), [words(3), words(3), words(5)]);
}

#[tokio::test]
async fn an_incident_whose_making_nobody_heard_of_is_gone_on_with() {
    let words = |server: &Server<3>| server.incidents.iter().map(read).collect();
    for is_old in [false, true] {
        let (channel, served) = channel::<3>(1).await;
        served.lock().unwrap().fake.is_old = is_old;
        let [update, taken_back] = tell_after_lost(&channel, &served, words).await;
        assert_eq!(taken_back, [update[1].clone(), update[1].clone()], "what it was made with is reworded");
    }
    let (channel, served) = channel::<2>(1).await;
    let words = |server: &Server<2>| server.incidents.iter().map(read).collect();
    tell_after_lost(&channel, &served, words).await;
}

#[tokio::test]
async fn a_server_that_knows_no_meta_is_looked_at_by_words() {
    let (channel, served) = channel::<3>(1).await;
    served.lock().unwrap().fake.is_old = true;
    served.lock().unwrap().fates = [Fate::LostAfter].into();
    let parcel = nth(42, 1, |_| {});
    assert_eq!(channel.send(&parcel).await.as_str(), "unknown");
    assert_eq!(tell(&channel, &Parcel { attempt: 2, ..parcel.clone() }, None).await, "1/message");
    served.lock().unwrap().fake.incidents[0].status = 4;
    tell(&channel, &Parcel { attempt: 2, ..parcel }, None).await;
    assert_eq!(served.lock().unwrap().fake.incidents.len(), 2, "one that was fixed is of another day");
}

#[tokio::test]
async fn what_is_not_wanted_any_more_is_looked_for_and_not_written() {
    let (channel, served) = channel::<3>(1).await;
    looks_alone(&channel, &served).await;
}

#[tokio::test]
async fn what_is_said_again_in_the_same_words_is_written_again() {
    let (channel, served) = channel::<3>(1).await;
    let told = tell_alike(&channel, &served).await;
    {
        let kept = &served.lock().unwrap().fake.incidents[0];
        assert_eq!((read(kept), kept.status), (told, 4));
    }
    // Another process knows nothing of what was written: the newest words are what readers see, and others may be older.
    let (url, _served) = serve(server::<3>(), 1).await;
    let [one, other] = [(), ()].map(|()| at("cachet", &url, &[], &["shop=1", "pay=2"]));
    let root = tell(&one, &nth(42, 1, |_| {}), None).await;
    let said = |number, text: &str| Parcel {
        thread_root: Some(root.clone()),
        ..nth(42, number, |said| said.text = text.into())
    };
    tell(&one, &said(2, "It works."), None).await;
    let again = Parcel { attempt: 2, ..said(3, "It works.") };
    assert_eq!(tell(&other, &again, None).await, "1/2");
    tell(&one, &said(4, "It fails."), None).await;
    let again = Parcel { attempt: 2, ..said(5, "It works.") };
    let third = at("cachet", &url, &[], &["shop=1", "pay=2"]);
    assert_eq!(third.send(&again).await.as_str(), "unknown");
}

#[tokio::test]
async fn an_open_incident_with_the_same_words_is_another_where_this_process_knows_it() {
    let (channel, served) = channel::<3>(1).await;
    served.lock().unwrap().fake.is_old = true;
    let alike = |incident| {
        nth(incident, 1, |said| (said.title, said.text) = ("Online shop".into(), "We look into it.".into()))
    };
    tell(&channel, &alike(42), None).await;
    served.lock().unwrap().fates = [Fate::LostBefore].into();
    assert_eq!(channel.send(&alike(43)).await.as_str(), "unknown");
    assert_eq!(tell(&channel, &Parcel { attempt: 2, ..alike(43) }, None).await, "2/message");
}

#[tokio::test]
async fn one_of_two_in_the_same_words_is_taken_back_and_one_that_may_be_there_is_there_once() {
    let (channel, served) = channel::<3>(1).await;
    tell_twice(&channel, &served, |page: &Server<3>| page.incidents.iter().map(read).collect()).await;
}

#[tokio::test]
async fn a_component_that_was_removed_there_keeps_no_words_from_readers() {
    async fn told<const VERSION: u8>() {
        let (channel, served) = channel::<VERSION>(1).await;
        let both = |number, sort| {
            nth(42, number, |said| (said.services, said.sort) = (vec!["shop".into(), "pay".into()], sort))
        };
        served.lock().unwrap().fake.components.remove(&1);
        let root = tell(&channel, &both(1, Sort::Update), None).await;
        {
            let server = &served.lock().unwrap().fake;
            let linked = server.incidents[0].linked == [json!({"id": 2, "status": 3})];
            assert!(server.components[&2] == 3 || linked, "the other is told of all the same");
        }
        let closing = Parcel { thread_root: Some(root), ..both(2, Sort::Closing) };
        tell(&channel, &closing, None).await;
        let served = served.lock().unwrap();
        assert_eq!((served.fake.incidents[0].status, served.fake.components[&2]), (4, 1));
    }
    told::<2>().await;
    told::<3>().await;
}

#[tokio::test]
async fn a_mended_word_does_not_make_it_as_bad_again_as_it_was() {
    let (channel, served) = channel::<3>(1).await;
    let root = tell(&channel, &nth(42, 1, |said| said.impact = Impact::Critical), None).await;
    let correction = nth(42, 3, |said| {
        (said.sort, said.impact) = (Sort::Correction, Impact::Critical);
        said.now = Some(Now { phase: Phase::Monitoring, impact: Impact::Minor });
    });
    tell(&channel, &Parcel { thread_root: Some(root), ..correction }, None).await;
    let served = served.lock().unwrap();
    assert_eq!((served.fake.incidents[0].status, served.fake.components[&1]), (3, 2));
}

#[tokio::test]
async fn what_is_refused_is_about_this_letter_or_about_the_server_and_nothing_is_written_blindly() {
    let (channel, served) = channel::<3>(1).await;
    let whole = |outcome: &Outcome| matches!(outcome, Outcome::Refused { whole_channel: true, .. });
    let plain = channel.send(&status_letter()).await;
    assert_eq!((plain.as_str(), whole(&plain)), ("refused", false));
    let long = nth(42, 1, |said| said.title = "é".repeat(256));
    assert!(!channel.shows(&long).fits());
    assert_eq!(channel.send(&long).await.as_str(), "refused");
    for (fate, outcome) in [(Fate::LostBefore, "unknown"), (Fate::Faulty, "unknown"), (Fate::Busy, "wait")] {
        served.lock().unwrap().fates = [fate].into();
        assert_eq!(channel.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await.as_str(), outcome);
    }
    let wrong = nth(42, 1, |said| (said.text, said.services) = (String::new(), Vec::new()));
    let wrong = channel.send(&wrong).await;
    assert_eq!(wrong, Outcome::Refused { why: "answered 422".into(), whole_channel: false });
    assert!(served.lock().unwrap().fake.incidents.is_empty());
    let gone = channel
        .send(&Parcel { thread_root: Some("9".into()), ..nth(42, 1, |said| said.services.clear()) })
        .await;
    assert!(gone.as_str() == "refused" && !whole(&gone), "{gone:?}");
    let (url, _served) = serve(server::<3>(), 1).await;
    let wrong = super::super::stories::build(
        &KIND,
        &[("url", &url), ("private_addresses", "allow")],
        &[("token", "x")],
    );
    let wrong = wrong.unwrap();
    assert!(whole(&wrong.send(&nth(42, 1, |_| {})).await));
    let Outcome::Unknown { why } = wrong.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await else {
        panic!()
    };
    assert!(why.contains("may have written it") && why.contains("answered 401"), "{why}");
    let said = |version: &str, list: &str| {
        let texts = [("url", "https://status.example.net"), ("version", version), ("components", list)];
        super::super::stories::build(&KIND, &texts, &[("token", "x")]).err().unwrap_or_default()
    };
    assert!(said("1", "").contains("`version`"));
    assert!(said("3", "shop=1\u{1f}pay=abc").contains("have numbers"));
}

#[tokio::test]
async fn the_same_bytes_go_out_on_every_attempt_and_json_is_asked_for() {
    let made = json_answer("201 Created", include_str!("../../../tests/fixtures/channels/cachet/made.json"));
    let (url, requests) = receiver(vec!["", json_answer("200 OK", r#"{"data":[]}"#), made]).await;
    let channel = at("cachet", &url, &[("notify", "false")], &[]);
    assert_eq!(channel.send(&nth(42, 1, |_| {})).await.as_str(), "unknown");
    let again = channel.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await;
    assert_eq!(again, Outcome::Accepted { remote_id: Some("17/message".into()) });
    let requests = requests.await;
    assert_eq!(requests[0].body, requests[2].body);
    assert_eq!(requests[0].header("accept"), "application/json");
    assert_eq!(
        (&requests[0].json()["notifications"], &requests[0].json()["visible"]),
        (&false.into(), &true.into())
    );
}

async fn loses<const VERSION: u8>(is_old: bool, seed: u64) {
    let (channel, served) = channel::<VERSION>(seed).await;
    served.lock().unwrap().one_in = 3;
    served.lock().unwrap().fake.is_old = is_old;
    let mut dice = Dice(seed + 1);
    let mut incident = 0;
    while served.lock().unwrap().lost < 500 {
        incident += 1;
        let told = tell_all(&channel, incident, &mut dice).await;
        let mut served = served.lock().unwrap();
        let server = &mut served.fake;
        let same: Vec<&Kept> = server.incidents.iter().filter(|one| one.name == told.title).collect();
        assert_eq!(same.len(), 1, "incident {incident}");
        let mut read = read(same[0]);
        // Words in the place of what the incident was made with are posted, too.
        if !told.words.contains(&read[0]) || read[1..].contains(&read[0]) {
            read.remove(0);
        }
        if !told.stands {
            assert_eq!(read, told.words, "incident {incident}");
            assert!(told.taken_back.iter().all(|words| !told.words.contains(words)));
            assert!(told.taken_back.iter().all(|words| same[0].message != *words), "incident {incident}");
        }
        assert_eq!(
            (same[0].status, same[0].id.to_string().as_str()),
            (4, told.root.split('/').next().unwrap())
        );
        assert!(server.components.values().all(|state| *state == 1), "{:?}", server.components);
        let old = server.incidents.len().saturating_sub(5);
        server.incidents.drain(..old);
    }
    assert!(incident > 30, "{incident}");
}

#[tokio::test]
async fn whatever_version_3_loses_every_statement_arrives_and_none_is_there_twice() {
    loses::<3>(false, 21).await;
    loses::<3>(true, 22).await;
}

#[tokio::test]
async fn whatever_version_2_loses_every_statement_arrives_and_none_is_there_twice() {
    loses::<2>(false, 23).await;
    loses::<2>(true, 24).await;
}
