//! Instatus: a page that keeps what theirs would keep, and what is told to it.

use std::sync::{Arc, Mutex};

use super::super::stories::{json_answer, receiver, status_letter};
use super::super::stories_board::{
    Call, Dice, Fake, Fate, Served, at, looks_alone, nth, serve, tell, tell_after_lost, tell_alike, tell_all,
    tell_twice,
};
use super::*;
use crate::channels::statement::Mended;
use crate::core::voice::{Impact, Sort};

/// Keeps what a page keeps.
#[derive(Default)]
struct Page {
    incidents: Vec<Kept>,
    components: std::collections::BTreeMap<String, String>,
    made: u32,
    /// It shows other words than it was sent.
    changes: bool,
}

#[derive(Default)]
struct Kept {
    id: String,
    name: String,
    status: String,
    started: Value,
    published: bool,
    linked: Vec<String>,
    updates: Vec<Value>,
    mailed: u32,
}

fn page() -> Page {
    let components = ["abc123", "def456", "ghi789"].map(|id| (id.to_owned(), "OPERATIONAL".to_owned()));
    Page { components: components.into(), ..Page::default() }
}

impl Page {
    fn linked(&self, kept: &Kept) -> Vec<Value> {
        let linked = kept.linked.iter().filter_map(|id| Some((id, self.components.get(id)?)));
        linked.map(|(id, state)| json!({"id": id, "status": state})).collect()
    }

    fn shown(&self, kept: &Kept) -> Value {
        json!({"id": kept.id, "name": kept.name, "status": kept.status, "started": kept.started,
               "updates": kept.updates, "components": self.linked(kept)})
    }

    /// Both writes: nothing is changed when anything is wrong.
    fn write(&mut self, place: Option<usize>, body: &Value) -> Result<(), (u16, Value)> {
        let wrong = |why: &str| Err((400, json!({"error": {"message": why}})));
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let needed: &[&str] =
            if place.is_none() { &["name", "status"] } else { &["status", "components", "statuses"] };
        if let Some(key) = needed.iter().find(|key| body[**key].is_null() || body[**key] == "") {
            return wrong(key);
        }
        if !["INVESTIGATING", "IDENTIFIED", "MONITORING", "RESOLVED"]
            .contains(&body["status"].as_str().unwrap())
        {
            return wrong("status");
        }
        let ids: Vec<String> = body["components"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect();
        let states: Vec<(String, String)> = body["statuses"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| (one["id"].as_str().unwrap().to_owned(), one["status"].as_str().unwrap().to_owned()))
            .collect();
        if ids.iter().any(|id| !self.components.contains_key(id))
            || states.iter().any(|(id, _)| !ids.contains(id))
        {
            return wrong("components");
        }
        self.made += 1;
        let place = place.unwrap_or_else(|| {
            let id = format!("inc{}", self.made);
            let name = text("name").unwrap();
            let published = body["shouldPublish"] != Value::Bool(false);
            let started = body["started"].clone();
            self.incidents.push(Kept { id, name, started, published, ..Kept::default() });
            self.incidents.len() - 1
        });
        self.components.extend(states);
        let kept = &mut self.incidents[place];
        for id in ids {
            if !kept.linked.contains(&id) {
                kept.linked.push(id);
            }
        }
        kept.status = text("status").unwrap();
        let shown = if self.changes { Some("Other words.".to_owned()) } else { text("message") };
        kept.mailed += u32::from(body["notify"] == Value::Bool(true));
        kept.updates.push(json!({"id": format!("upd{}", self.made), "message": shown,
                                 "messageHtml": "<p>x</p>", "status": kept.status, "started": body["started"]}));
        Ok(())
    }
}

impl Fake for Page {
    const TOKEN: &'static str = "authorization";

    fn answer(&mut self, call: &Call) -> (u16, Value) {
        if call.token != "Bearer not-a-real-token" {
            return (401, json!({"error": {"message": "Unauthorized"}}));
        }
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let Some(path) = path.strip_prefix(&["v1", "page1"]) else { return (404, Value::Null) };
        let place = |id: &str| self.incidents.iter().position(|one| one.id == id);
        match (call.method.as_str(), path) {
            ("GET", ["incidents"]) => {
                let most = call.query["per_page"].parse().unwrap();
                let open = call.query.contains_key("status");
                let all = self.incidents.iter().rev().filter(|one| !open || one.status != "RESOLVED");
                (200, all.take(most).map(|one| self.shown(one)).collect())
            }
            ("GET", ["incidents", id]) if place(id).is_some() => {
                (200, self.shown(&self.incidents[place(id).unwrap()]))
            }
            ("POST", ["incidents"]) => match self.write(None, &call.body) {
                Ok(()) => (200, self.shown(self.incidents.last().unwrap())),
                Err(wrong) => wrong,
            },
            ("POST", ["incidents", id, "incident-updates"]) if place(id).is_some() => {
                let place = place(id).unwrap();
                if let Err(wrong) = self.write(Some(place), &call.body) {
                    return wrong;
                }
                let kept = &self.incidents[place];
                let mut update = kept.updates.last().unwrap().clone();
                update["incident"] = json!({"id": kept.id, "components": self.linked(kept)});
                (200, update)
            }
            ("DELETE", ["incidents", id, "incident-updates", update]) if place(id).is_some() => {
                let place = place(id).unwrap();
                let updates = &mut self.incidents[place].updates;
                let before = updates.len();
                updates.retain(|one| one["id"] != **update);
                (if updates.len() < before { 200 } else { 404 }, json!({"id": update}))
            }
            ("PUT", ["incidents", id]) if place(id).is_some() => {
                let place = place(id).unwrap();
                self.incidents[place].name = call.body["name"].as_str().unwrap().to_owned();
                self.incidents[place].mailed += u32::from(call.body["notify"] != Value::Bool(false));
                (200, self.shown(&self.incidents[place]))
            }
            ("GET", ["components", id]) if self.components.contains_key(*id) => (200, json!({"id": id})),
            ("PUT", ["components", id]) if self.components.contains_key(*id) => {
                let state = call.body["status"].as_str().unwrap().to_owned();
                self.components.insert((*id).to_owned(), state);
                (200, json!({"id": id}))
            }
            _ => (404, Value::Null),
        }
    }
}

async fn channel(seed: u64) -> (Channel, Arc<Mutex<Served<Page>>>) {
    let (url, served) = serve(page(), seed).await;
    (at("instatus", &url, &[("page", "page1")], &["shop=abc123", "pay=def456"]), served)
}

fn messages(kept: &Kept) -> Vec<String> {
    kept.updates.iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_first_statement_makes_an_incident_and_closing_puts_everything_back_to_work() {
    let (channel, served) = channel(1).await;
    let first = nth(42, 1, |said| said.services = vec!["shop".into(), "pay".into()]);
    let root = tell(&channel, &first, None).await;
    assert_eq!(root, "inc1/upd1");
    {
        let served = served.lock().unwrap();
        let kept = &served.fake.incidents[0];
        assert_eq!((kept.status.as_str(), kept.published, kept.mailed), ("IDENTIFIED", true, 1));
        assert_eq!(served.fake.components["def456"], "PARTIALOUTAGE");
    }
    served.lock().unwrap().fates = [Fate::Answered, Fate::FaultyAfter].into();
    let closing = Parcel { thread_root: Some(root), ..nth(42, 2, |said| said.sort = Sort::Closing) };
    assert_eq!(
        channel.send(&closing).await.as_str(),
        "unknown",
        "it is there, and one component is not known"
    );
    assert_eq!(tell(&channel, &Parcel { attempt: 2, ..closing }, None).await, "inc1/upd2");
    let served = served.lock().unwrap();
    assert_eq!(served.fake.incidents[0].status, "RESOLVED");
    assert_eq!(served.fake.incidents[0].updates.len(), 2);
    assert!(served.fake.components.values().all(|state| state == "OPERATIONAL"));
}

#[tokio::test]
async fn what_is_taken_back_is_removed_and_it_is_said() {
    let (channel, served) = channel(1).await;
    let root = tell(&channel, &nth(42, 1, |said| said.text = "A secret.".into()), None).await;
    let mends = Some(Mended { id: "42-1".into(), at: Timestamp::UNIX_EPOCH, remote_id: Some(root.clone()) });
    let back = nth(42, 2, |said| {
        (said.sort, said.mends, said.title) = (Sort::Retraction, mends, "Online shop".into());
    });
    let back = Parcel { thread_root: Some(root), ..back };
    for fates in [vec![Fate::LostAfter], vec![Fate::Answered, Fate::LostBefore]] {
        served.lock().unwrap().fates = fates.into();
        assert_ne!(channel.send(&back).await.as_str(), "accepted");
    }
    tell(&channel, &Parcel { attempt: 3, ..back.clone() }, None).await;
    let served = served.lock().unwrap();
    let kept = &served.fake.incidents[0];
    assert_eq!(messages(kept), [back.statement.unwrap().text]);
    assert_eq!((kept.name.as_str(), kept.mailed), ("Online shop", 2), "its title is taken back with it");
}

#[tokio::test]
async fn what_is_not_wanted_any_more_is_looked_for_and_not_written() {
    let (channel, served) = channel(1).await;
    looks_alone(&channel, &served).await;
}

#[tokio::test]
async fn what_is_said_again_in_the_same_words_is_written_again() {
    let (channel, served) = channel(1).await;
    let told = tell_alike(&channel, &served).await;
    let kept = &served.lock().unwrap().fake.incidents[0];
    assert_eq!((messages(kept), kept.status.as_str()), (told, "RESOLVED"));
}

#[tokio::test]
async fn one_of_two_in_the_same_words_is_taken_back_and_one_that_may_be_there_is_there_once() {
    let (channel, served) = channel(1).await;
    tell_twice(&channel, &served, |page: &Page| page.incidents.iter().map(messages).collect()).await;
}

#[tokio::test]
async fn a_component_that_was_removed_there_keeps_no_words_from_readers() {
    let (channel, served) = channel(1).await;
    let both = |number, sort| {
        nth(42, number, |said| (said.services, said.sort) = (vec!["shop".into(), "pay".into()], sort))
    };
    served.lock().unwrap().fake.components.remove("abc123");
    let root = tell(&channel, &both(1, Sort::Update), None).await;
    assert_eq!(served.lock().unwrap().fake.components["def456"], "PARTIALOUTAGE");
    let closing = Parcel { thread_root: Some(root.clone()), ..both(2, Sort::Closing) };
    tell(&channel, &closing, None).await;
    assert_eq!(served.lock().unwrap().fake.components["def456"], "OPERATIONAL");
    served.lock().unwrap().fake.components.clear();
    tell(&channel, &Parcel { thread_root: Some(root), ..both(3, Sort::Correction) }, None).await;
    let served = served.lock().unwrap();
    assert_eq!((served.fake.incidents.len(), served.fake.incidents[0].updates.len()), (1, 3));
}

#[tokio::test]
async fn words_that_are_not_known_by_their_place_are_looked_for_and_removed() {
    let (channel, served) = channel(1).await;
    served.lock().unwrap().fake.changes = true;
    let root = tell(&channel, &nth(42, 1, |_| {}), None).await;
    assert_eq!(root, "inc1/upd1", "they are the newest in the answer to what wrote them");
    served.lock().unwrap().fake.changes = false;
    let thread_root = Some(root);
    let secret = nth(42, 2, |said| said.text = "A secret.".into());
    tell(&channel, &Parcel { thread_root: thread_root.clone(), ..secret }, None).await;
    let back = nth(42, 3, |said| {
        let mends = Mended { id: "42-2".into(), at: said.at, remote_id: Some("inc1".into()) };
        (said.sort, said.mends) = (Sort::Retraction, Some(mends));
        said.takes_back = Some("A secret.".into());
    });
    tell(&channel, &Parcel { thread_root, ..back.clone() }, None).await;
    let kept = &served.lock().unwrap().fake.incidents[0];
    assert_eq!(messages(kept), ["Other words.".to_owned(), back.statement.unwrap().text]);
}

#[tokio::test]
async fn an_incident_whose_making_nobody_heard_of_is_gone_on_with() {
    let (channel, served) = channel(1).await;
    let words = |page: &Page| page.incidents.iter().map(messages).collect();
    let [update, taken_back] = tell_after_lost(&channel, &served, words).await;
    assert_eq!(taken_back, [update[1].clone()]);
}

#[tokio::test]
async fn an_incident_of_another_day_with_the_same_words_is_another() {
    let (channel, served) = channel(1).await;
    let told = nth(42, 1, |_| {});
    tell(&channel, &told, None).await;
    let later = nth(43, 1, |said| {
        *said = Statement { began: said.began, ..*told.statement.clone().unwrap() };
        said.at += SignedDuration::from_hours(24);
    });
    tell(&channel, &Parcel { attempt: 2, ..later.clone() }, None).await;
    assert_eq!(served.lock().unwrap().fake.incidents.len(), 2);
    tell(&channel, &Parcel { attempt: 2, ..later }, None).await;
    assert_eq!(served.lock().unwrap().fake.incidents.len(), 2, "and this one is found");
}

#[tokio::test]
async fn what_is_refused_is_about_this_letter_or_about_the_page_and_nothing_is_written_blindly() {
    let (channel, served) = channel(1).await;
    let whole = |outcome: &Outcome| matches!(outcome, Outcome::Refused { whole_channel: true, .. });
    let plain = channel.send(&status_letter()).await;
    assert_eq!((plain.as_str(), whole(&plain)), ("refused", false));
    for (fate, outcome) in [(Fate::LostBefore, "unknown"), (Fate::Faulty, "unknown"), (Fate::Busy, "wait")] {
        served.lock().unwrap().fates = [fate].into();
        assert_eq!(channel.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await.as_str(), outcome);
    }
    let wrong = nth(42, 1, |said| (said.title, said.services) = (String::new(), Vec::new()));
    let wrong = channel.send(&wrong).await;
    assert_eq!(wrong, Outcome::Refused { why: "answered 400".into(), whole_channel: false });
    let gone = channel.send(&Parcel { thread_root: Some("inc9".into()), ..nth(42, 1, |_| {}) }).await;
    assert!(gone.as_str() == "refused" && !whole(&gone), "{gone:?}");
    assert!(served.lock().unwrap().fake.incidents.is_empty());
    let (url, _served) = serve(page(), 1).await;
    let elsewhere = at("instatus", &url, &[("page", "page2")], &[]);
    assert!(whole(&elsewhere.send(&nth(42, 1, |_| {})).await));
    let Outcome::Unknown { why } = elsewhere.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await else {
        panic!()
    };
    assert!(why.contains("may have written it") && why.contains("answered 404"), "{why}");
}

#[tokio::test]
async fn the_same_bytes_go_out_on_every_attempt() {
    let made = json_answer("200 OK", include_str!("../../../tests/fixtures/channels/instatus/made.json"));
    let answers = vec!["", json_answer("200 OK", "[]"), made];
    let (url, requests) = receiver(answers).await;
    let channel = at("instatus", &url, &[("page", "page1"), ("notify", "false")], &[]);
    assert_eq!(channel.send(&nth(42, 1, |_| {})).await.as_str(), "unknown");
    let again = channel.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await;
    assert_eq!(
        again,
        Outcome::Accepted { remote_id: Some("ckf01m59ueaqb0a32wrljz1yd/ckf1ew8mol30c0a32w400k6s3".into()) }
    );
    let requests = requests.await;
    assert_eq!(requests[0].body, requests[2].body);
    assert_eq!(
        (&requests[0].json()["notify"], &requests[0].json()["components"]),
        (&false.into(), &json!([]))
    );
}

#[tokio::test]
async fn whatever_is_lost_every_statement_arrives_and_none_is_there_twice() {
    let (channel, served) = channel(3).await;
    served.lock().unwrap().one_in = 3;
    let mut dice = Dice(5);
    let mut incident = 0;
    while served.lock().unwrap().lost < 1000 {
        incident += 1;
        let told = tell_all(&channel, incident, &mut dice).await;
        let mut served = served.lock().unwrap();
        let page = &mut served.fake;
        let same: Vec<&Kept> = page.incidents.iter().filter(|one| one.name == told.title).collect();
        assert_eq!(same.len(), 1, "incident {incident}");
        if !told.stands {
            assert_eq!(messages(same[0]), told.words, "incident {incident}");
        }
        assert_eq!(
            (same[0].status.as_str(), same[0].id.as_str()),
            ("RESOLVED", told.root.split('/').next().unwrap())
        );
        assert!(page.components.values().all(|state| state == "OPERATIONAL"), "{:?}", page.components);
        let old = page.incidents.len().saturating_sub(5);
        page.incidents.drain(..old);
    }
    assert_eq!(Impact::ALL.len(), STATES.len());
    assert!(incident > 30, "{incident}");
}
