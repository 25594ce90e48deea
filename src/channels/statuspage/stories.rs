//! Statuspage: a page that keeps what theirs would keep, and what is told to it.

use std::sync::{Arc, Mutex};

use super::super::stories::{json_answer, receiver, status_letter};
use super::super::stories_board::{
    Call, Dice, Fake, Fate, Served, at, looks_alone, nth, serve, tell, tell_after_lost, tell_alike, tell_all,
    tell_twice,
};
use super::*;
use crate::channels::statement::{Mended, Now};
use crate::core::voice::{Impact, Sort};

/// Keeps what a page keeps.
#[derive(Default)]
struct Page {
    incidents: Vec<Kept>,
    components: std::collections::BTreeMap<String, String>,
    writes: i64,
    made: u32,
    /// Seconds after the first statement was released.
    hour: i64,
    /// It keeps no `metadata`.
    forgets: bool,
    /// It shows other words than it was sent.
    changes: bool,
}

#[derive(Default)]
struct Kept {
    id: String,
    name: String,
    status: String,
    impact: String,
    mailed: u32,
    metadata: Value,
    linked: Vec<String>,
    updates: Vec<Value>,
    /// Updates whose words were changed.
    reworded: Vec<String>,
}

fn page() -> Page {
    let components = ["abc123", "def456", "ghi789"].map(|id| (id.to_owned(), "operational".to_owned()));
    Page { components: components.into(), hour: 3600, ..Page::default() }
}

impl Page {
    fn shown(&self, kept: &Kept) -> Value {
        let mut updates = kept.updates.clone();
        updates.reverse();
        let linked = kept.linked.iter().filter_map(|id| Some((id, self.components.get(id)?)));
        let components: Vec<Value> = linked.map(|(id, state)| json!({"id": id, "status": state})).collect();
        json!({"id": kept.id, "name": kept.name, "status": kept.status, "impact": kept.impact,
               "metadata": kept.metadata, "incident_updates": updates, "components": components})
    }

    /// Both writes: nothing is changed when anything is wrong.
    fn write(&mut self, place: Option<usize>, body: &Value) -> (u16, Value) {
        let wrong = |why: &str| (422, json!({"error": [why]}));
        let body = &body["incident"];
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let long = |key: &str, most| text(key).is_some_and(|text| text.chars().count() > most);
        if place.is_none() && text("name").is_none_or(|name| name.is_empty()) {
            return wrong("Name can't be blank");
        }
        if long("name", 255) || long("body", 25_000) {
            return wrong("too long");
        }
        let words = ["investigating", "identified", "monitoring", "resolved"];
        if !text("status").is_some_and(|status| words.contains(&status.as_str())) {
            return wrong("Status is not included in the list");
        }
        let states = body["components"].as_object().cloned().unwrap_or_default();
        let linked: Vec<String> = match body["component_ids"].as_array() {
            Some(ids) => ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect(),
            None => Vec::new(),
        };
        if linked.iter().chain(states.keys()).any(|id| !self.components.contains_key(id)) {
            return wrong("Component is unknown");
        }
        let is_object =
            |value: &Value| value.as_object().is_some_and(|all| all.values().all(Value::is_object));
        if !body["metadata"].is_null() && !is_object(&body["metadata"]) {
            return wrong("All top-level values must be objects");
        }
        self.writes += 1;
        let at = Timestamp::from_second(1_795_400_000 + self.hour + self.writes).unwrap();
        let place = place.unwrap_or_else(|| {
            let id = format!("inc{}", self.made);
            self.made += 1;
            self.incidents.push(Kept { id, name: text("name").unwrap(), ..Kept::default() });
            self.incidents.len() - 1
        });
        let touched: Vec<Value> = states
            .iter()
            .map(|(id, new)| json!({"code": id, "old_status": self.components[id], "new_status": new}))
            .collect();
        for (id, state) in states {
            self.components.insert(id, state.as_str().unwrap().to_owned());
        }
        let kept = &mut self.incidents[place];
        kept.status = text("status").unwrap();
        kept.name = text("name").unwrap_or(std::mem::take(&mut kept.name));
        kept.impact = text("impact_override").unwrap_or(std::mem::take(&mut kept.impact));
        kept.metadata = if self.forgets { Value::Null } else { body["metadata"].clone() };
        let shown = if self.changes { Some("Other words.".to_owned()) } else { text("body") };
        if !linked.is_empty() {
            kept.linked = linked;
        }
        kept.mailed += u32::from(body["deliver_notifications"] != Value::Bool(false));
        kept.updates.push(json!({"id": format!("upd{}", self.writes), "status": kept.status, "body": shown,
                                 "created_at": at, "affected_components": touched}));
        (200, Value::Null)
    }
}

impl Fake for Page {
    const TOKEN: &'static str = "authorization";

    fn answer(&mut self, call: &Call) -> (u16, Value) {
        if call.token != "OAuth not-a-real-token" {
            return (401, json!({"error": "Could not authenticate"}));
        }
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let Some(path) = path.strip_prefix(&["v1", "pages", "page1"]) else {
            return (404, json!({"error": "not found"}));
        };
        let place = |id: &str| self.incidents.iter().position(|one| one.id == id);
        match (call.method.as_str(), path) {
            ("GET", ["incidents"]) => {
                (200, self.incidents.iter().rev().take(100).map(|one| self.shown(one)).collect())
            }
            ("GET", ["incidents", "unresolved"]) => {
                let open = self.incidents.iter().rev().filter(|one| one.status != "resolved");
                (200, open.map(|one| self.shown(one)).collect())
            }
            ("GET", ["incidents", id]) if place(id).is_some() => {
                (200, self.shown(&self.incidents[place(id).unwrap()]))
            }
            ("POST", ["incidents"]) => match self.write(None, &call.body) {
                (200, _) => (201, self.shown(self.incidents.last().unwrap())),
                wrong => wrong,
            },
            ("PATCH", ["incidents", id]) if place(id).is_some() => {
                let place = place(id).unwrap();
                match self.write(Some(place), &call.body) {
                    (200, _) => (200, self.shown(&self.incidents[place])),
                    wrong => wrong,
                }
            }
            ("PATCH", ["incidents", id, "incident_updates", update]) if place(id).is_some() => {
                let place = place(id).unwrap();
                let kept = &mut self.incidents[place];
                let Some(found) = kept.updates.iter_mut().find(|one| one["id"] == **update) else {
                    return (404, json!({"error": "not found"}));
                };
                found["body"] = call.body["incident_update"]["body"].clone();
                kept.reworded.push((*update).to_owned());
                (200, found.clone())
            }
            ("GET", ["components", id]) if self.components.contains_key(*id) => (200, json!({"id": id})),
            ("PATCH", ["components", id]) if self.components.contains_key(*id) => {
                let state = call.body["component"]["status"].as_str().unwrap().to_owned();
                self.components.insert((*id).to_owned(), state);
                (200, json!({"id": id}))
            }
            _ => (404, json!({"error": "not found"})),
        }
    }
}

const COMPONENTS: [&str; 2] = ["shop=abc123", "pay=def456"];

/// A channel that need not wait for its turn.
async fn channel(seed: u64) -> (Channel, Arc<Mutex<Served<Page>>>) {
    let (url, served) = serve(page(), seed).await;
    let Channel::Statuspage(mut built) = at("statuspage", &url, &[("page", "page1")], &COMPONENTS) else {
        panic!()
    };
    built.pace = Pace::new(SignedDuration::ZERO);
    (Channel::Statuspage(built), served)
}

fn bodies(kept: &Kept) -> Vec<String> {
    let own = kept.updates.iter().filter(|one| !kept.reworded.iter().any(|id| one["id"] == *id));
    own.map(|one| one["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_first_statement_makes_an_incident_and_the_others_are_its_updates() {
    let (channel, served) = channel(1).await;
    let first = tell(&channel, &nth(42, 1, |_| {}), None).await;
    assert_eq!(first, "inc0/upd1");
    let closing = nth(42, 2, |said| (said.sort, said.impact) = (Sort::Closing, Impact::None));
    let closing = Parcel { thread_root: Some(first), ..closing };
    {
        let served = served.lock().unwrap();
        let kept = &served.fake.incidents[0];
        let seen = (kept.name.as_str(), kept.status.as_str(), kept.impact.as_str());
        assert_eq!(seen, ("Online shop: payments fail (42)", "identified", "major"));
        assert_eq!(served.fake.components["abc123"], "partial_outage");
        assert_eq!(kept.mailed, 1);
    }
    assert_eq!(tell(&channel, &closing, None).await, "inc0/upd2");
    let served = served.lock().unwrap();
    let kept = &served.fake.incidents[0];
    assert_eq!((kept.status.as_str(), kept.impact.as_str()), ("resolved", "major"));
    assert_eq!(served.fake.components["abc123"], "operational");
    assert_eq!(served.log, ["POST /v1/pages/page1/incidents", "PATCH /v1/pages/page1/incidents/inc0"]);
}

#[tokio::test]
async fn closing_puts_back_what_only_an_earlier_statement_named_and_does_so_again_when_that_fails() {
    let (channel, served) = channel(1).await;
    let both = nth(42, 1, |said| said.services = vec!["shop".into(), "pay".into()]);
    let root = tell(&channel, &both, None).await;
    served.lock().unwrap().fates = [Fate::Answered, Fate::LostBefore].into();
    let closing = Parcel { thread_root: Some(root), ..nth(42, 2, |said| said.sort = Sort::Closing) };
    let outcome = channel.send(&closing).await;
    assert_eq!(outcome.as_str(), "unknown", "it is there, and a component is not put back: {outcome:?}");
    tell(&channel, &Parcel { attempt: 2, ..closing }, None).await;
    let served = served.lock().unwrap();
    assert!(served.fake.components.values().all(|state| state == "operational"));
    assert_eq!(served.fake.incidents[0].updates.len(), 2);
}

#[tokio::test]
async fn what_is_taken_back_is_read_no_more_and_it_is_said() {
    let (channel, served) = channel(1).await;
    let root = tell(&channel, &nth(42, 1, |said| said.text = "A secret.".into()), None).await;
    let mends =
        |id: &str| Some(Mended { id: "42-1".into(), at: Timestamp::UNIX_EPOCH, remote_id: Some(id.into()) });
    let back = nth(42, 2, |said| {
        (said.sort, said.mends, said.title) = (Sort::Retraction, mends(&root), "Online shop".into());
    });
    let back = Parcel { thread_root: Some(root), ..back };
    served.lock().unwrap().fates = [Fate::Answered, Fate::LostBefore].into();
    tell(&channel, &back, None).await;
    let served = served.lock().unwrap();
    let kept = &served.fake.incidents[0];
    assert!(!format!("{:?}", kept.updates).contains("secret"));
    assert_eq!(kept.name, "Online shop", "its title is taken back with it");
    assert_eq!(bodies(kept), [back.statement.unwrap().text]);
    assert_eq!((kept.updates.len(), kept.mailed), (2, 2), "who read the first is told");
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
    assert_eq!((bodies(kept), kept.status.as_str()), (told, "resolved"));
}

#[tokio::test]
async fn a_page_that_keeps_no_mark_is_asked_when_it_got_the_words() {
    let (channel, served) = channel(1).await;
    served.lock().unwrap().fake.forgets = true;
    let said = |number, text: &str| {
        nth(42, number, |said| {
            (said.text, said.sort, said.next_by) = (text.into(), Sort::Closing, None);
            said.at += SignedDuration::from_hours(i64::try_from(number).unwrap());
        })
    };
    let mut root = None;
    for (number, text) in [(1, "It works."), (2, "It fails."), (3, "It works.")] {
        served.lock().unwrap().fake.hour = i64::try_from(number).unwrap() * 3660;
        let parcel = Parcel { thread_root: root.clone(), ..said(number, text) };
        served.lock().unwrap().fates = [Fate::LostBefore].into();
        assert_eq!(channel.send(&parcel).await.as_str(), "unknown");
        let again = Parcel { attempt: 2, ..parcel };
        served.lock().unwrap().fates =
            if number == 1 { [].into() } else { [Fate::Answered, Fate::LostAfter].into() };
        root = root.or(Some(tell(&channel, &again, None).await));
        tell(&channel, &Parcel { attempt: 3, ..again }, None).await;
    }
    assert_eq!(bodies(&served.lock().unwrap().fake.incidents[0]), ["It works.", "It fails.", "It works."]);
    // A page that writes hours in a way of its own cannot tell.
    for update in &mut served.lock().unwrap().fake.incidents[0].updates {
        update["created_at"] = "today".into();
    }
    let parcel = Parcel { thread_root: root, attempt: 2, ..said(4, "It fails.") };
    assert_eq!(channel.send(&parcel).await.as_str(), "unknown");
}

#[tokio::test]
async fn a_mended_word_does_not_make_it_as_bad_again_as_it_was() {
    let (channel, served) = channel(1).await;
    let root = tell(&channel, &nth(42, 1, |said| said.impact = Impact::Critical), None).await;
    let further = |number, change: fn(&mut Statement)| Parcel {
        thread_root: Some(root.clone()),
        ..nth(42, number, change)
    };
    tell(&channel, &further(2, |said| said.impact = Impact::Minor), None).await;
    let correction = further(3, |said| {
        (said.sort, said.impact) = (Sort::Correction, Impact::Critical);
        said.now = Some(Now { phase: Phase::Monitoring, impact: Impact::Minor });
    });
    tell(&channel, &correction, None).await;
    let served = served.lock().unwrap();
    let kept = &served.fake.incidents[0];
    assert_eq!((kept.impact.as_str(), kept.status.as_str()), ("minor", "monitoring"));
    assert_eq!(served.fake.components["abc123"], "degraded_performance");
}

#[tokio::test]
async fn one_of_two_in_the_same_words_is_taken_back_and_one_that_may_be_there_is_there_once() {
    let (channel, served) = channel(1).await;
    tell_twice(&channel, &served, |page: &Page| page.incidents.iter().map(bodies).collect()).await;
}

#[tokio::test]
async fn a_component_that_was_removed_there_keeps_no_words_from_readers() {
    let (channel, served) = channel(1).await;
    let both = |number, sort| {
        nth(42, number, |said| (said.services, said.sort) = (vec!["shop".into(), "pay".into()], sort))
    };
    served.lock().unwrap().fake.components.remove("abc123");
    let root = tell(&channel, &both(1, Sort::Update), None).await;
    assert_eq!(served.lock().unwrap().fake.components["def456"], "partial_outage");
    let closing = Parcel { thread_root: Some(root.clone()), ..both(2, Sort::Closing) };
    tell(&channel, &closing, None).await;
    assert_eq!(served.lock().unwrap().fake.components["def456"], "operational");
    served.lock().unwrap().fake.components.clear();
    let late = Parcel { thread_root: Some(root), ..both(3, Sort::Correction) };
    tell(&channel, &late, None).await;
    let served = served.lock().unwrap();
    assert_eq!((served.fake.incidents.len(), served.fake.incidents[0].updates.len()), (1, 3));
}

#[tokio::test]
async fn words_that_the_page_has_changed_are_taken_back_where_they_stand() {
    let (channel, served) = channel(1).await;
    (served.lock().unwrap().fake.forgets, served.lock().unwrap().fake.changes) = (true, true);
    let root = tell(&channel, &nth(42, 1, |_| {}), None).await;
    assert_eq!(root, "inc0/upd1", "they are the newest in the answer to what wrote them");
    served.lock().unwrap().fake.changes = false;
    let thread_root = Some(root);
    let secret = nth(42, 2, |said| said.text = "A secret.".into());
    tell(&channel, &Parcel { thread_root: thread_root.clone(), ..secret }, None).await;
    // What became of the second was never known, so nothing but its words is.
    let back = nth(42, 3, |said| {
        let mends = Mended { id: "42-2".into(), at: said.at, remote_id: None };
        (said.sort, said.mends) = (Sort::Retraction, Some(mends));
        said.takes_back = Some("A secret.".into());
    });
    assert_eq!(tell(&channel, &Parcel { thread_root, ..back }, None).await, "inc0/upd3/upd2");
    let kept = &served.lock().unwrap().fake.incidents[0];
    assert!(!format!("{:?}", kept.updates).contains("secret"));
}

#[tokio::test]
async fn an_incident_whose_making_nobody_heard_of_is_gone_on_with() {
    let (channel, served) = channel(1).await;
    let words = |page: &Page| page.incidents.iter().map(bodies).collect();
    let [update, taken_back] = tell_after_lost(&channel, &served, words).await;
    assert_eq!(taken_back, [update[1].clone()]);
    let page = &served.lock().unwrap().fake;
    assert!(!page.incidents[1].reworded.is_empty(), "an update cannot be removed");
}

#[tokio::test]
async fn an_incident_without_our_mark_is_known_by_its_words() {
    let (channel, served) = channel(1).await;
    let parcel = nth(42, 1, |_| {});
    served.lock().unwrap().fates = [Fate::LostAfter].into();
    assert_eq!(channel.send(&parcel).await.as_str(), "unknown");
    served.lock().unwrap().fake.incidents[0].metadata = Value::Null;
    assert_eq!(tell(&channel, &Parcel { attempt: 2, ..parcel.clone() }, None).await, "inc0/upd1");
    served.lock().unwrap().fake.incidents[0].metadata = json!({"onscene": {"delivery": "another"}});
    assert_eq!(tell(&channel, &Parcel { attempt: 2, ..parcel }, None).await, "inc1/upd2");
}

#[tokio::test]
async fn words_of_others_in_between_change_nothing() {
    let (channel, served) = channel(1).await;
    let root = tell(&channel, &nth(42, 1, |_| {}), None).await;
    // It promises nothing, so it could be said again; and the page writes hours in a way of its own.
    let next = nth(42, 2, |said| (said.next_by, said.text) = (None, "Still looking.".into()));
    let next = Parcel { thread_root: Some(root), ..next };
    served.lock().unwrap().fates = [Fate::LostAfter].into();
    assert_eq!(channel.send(&next).await.as_str(), "unknown");
    let theirs =
        json!({"id": "theirs", "status": "identified", "body": "By hand.", "created_at": "yesterday"});
    for update in &mut served.lock().unwrap().fake.incidents[0].updates {
        update["created_at"] = "today".into();
    }
    served.lock().unwrap().fake.incidents[0].updates.push(theirs);
    assert_eq!(tell(&channel, &Parcel { attempt: 2, ..next }, None).await, "inc0/upd2");
    assert_eq!(served.lock().unwrap().fake.incidents[0].updates.len(), 3);
}

#[tokio::test]
async fn nothing_is_written_when_what_stands_there_cannot_be_read() {
    let (channel, served) = channel(1).await;
    let parcel = Parcel { attempt: 2, ..nth(42, 1, |_| {}) };
    for (fate, outcome) in [
        (Fate::LostBefore, "unknown"),
        (Fate::LostAfter, "unknown"),
        (Fate::Faulty, "unknown"),
        (Fate::Busy, "wait"),
    ] {
        served.lock().unwrap().fates = [fate].into();
        assert_eq!(channel.send(&parcel).await.as_str(), outcome, "{fate:?}");
    }
    assert!(served.lock().unwrap().fake.incidents.is_empty());
    let (url, _served) = serve(page(), 1).await;
    let elsewhere = at("statuspage", &url, &[("page", "page2")], &[]);
    let Outcome::Unknown { why } = elsewhere.send(&parcel).await else { panic!() };
    assert!(why.contains("may have written it") && why.contains("answered 404"), "{why}");
}

#[tokio::test]
async fn what_is_refused_is_about_this_letter_or_about_the_page() {
    let (channel, served) = channel(1).await;
    let whole = |outcome: &Outcome| matches!(outcome, Outcome::Refused { whole_channel: true, .. });
    let plain = channel.send(&status_letter()).await;
    assert_eq!((plain.as_str(), whole(&plain)), ("refused", false));
    for long in
        [nth(42, 1, |said| said.title = "x".repeat(256)), nth(42, 1, |said| said.text = "é".repeat(25_001))]
    {
        assert!(!channel.shows(&long).fits());
        let outcome = channel.send(&long).await;
        assert_eq!((outcome.as_str(), whole(&outcome)), ("refused", false));
    }
    assert!(channel.shows(&nth(42, 1, |said| said.text = "é".repeat(25_000))).fits());
    assert!(served.lock().unwrap().log.is_empty(), "nothing was asked");
    let wrong = nth(42, 1, |said| (said.title, said.services) = (String::new(), Vec::new()));
    let wrong = channel.send(&wrong).await;
    assert_eq!(wrong, Outcome::Refused { why: "answered 422".into(), whole_channel: false });
    let gone = channel.send(&Parcel { thread_root: Some("inc9".into()), ..nth(42, 1, |_| {}) }).await;
    assert!(gone.as_str() == "refused" && !whole(&gone), "{gone:?}");
    let (url, _served) = serve(page(), 1).await;
    let elsewhere = at("statuspage", &url, &[("page", "page2")], &[]);
    assert!(whole(&elsewhere.send(&nth(42, 1, |_| {})).await));
}

#[tokio::test]
async fn who_asks_too_much_waits_a_minute() {
    for (answer, after) in [("420 Calm", None), ("429 Slow\r\nRetry-After: 7", Some(7))] {
        let answer = json_answer(answer, "{}");
        let (url, _requests) = receiver(vec![answer]).await;
        let channel = at("statuspage", &url, &[("page", "page1")], &[]);
        let Outcome::Wait { after: said, .. } = channel.send(&nth(42, 1, |_| {})).await else { panic!() };
        assert_eq!(said, after.map(std::time::Duration::from_secs));
        let Outcome::Wait { after: rest, .. } = channel.send(&nth(42, 1, |_| {})).await else { panic!() };
        let (rest, after) = (rest.unwrap().as_secs_f64(), after.unwrap_or(60) as f64);
        assert!(rest <= after && rest > after - 2.0, "without asking again: {rest}");
    }
}

#[tokio::test]
async fn the_same_bytes_go_out_on_every_attempt_and_mails_can_be_left_out() {
    let made = include_str!("../../../tests/fixtures/channels/statuspage/made.json");
    let [none, made] =
        [("200 OK", "[]"), ("201 Created", made)].map(|(status, body)| json_answer(status, body));
    let answers = ["", none, none, made];
    let (url, requests) = receiver(answers.to_vec()).await;
    let texts = [("page", "page1"), ("notify", "false")];
    let Channel::Statuspage(mut built) = at("statuspage", &url, &texts, &COMPONENTS) else { panic!() };
    built.pace = Pace::new(SignedDuration::ZERO);
    let channel = Channel::Statuspage(built);
    let parcel = nth(42, 1, |_| {});
    assert_eq!(channel.send(&parcel).await.as_str(), "unknown");
    let outcome = channel.send(&Parcel { attempt: 2, ..parcel.clone() }).await;
    assert_eq!(outcome, Outcome::Accepted { remote_id: Some("p31zjtct2jer/kb4fpktpqm0l".into()) });
    let requests = requests.await;
    assert_eq!(requests[0].body, requests[3].body);
    let incident = &requests[0].json()["incident"];
    assert_eq!(incident["deliver_notifications"], false);
    assert_eq!(incident["metadata"]["onscene"]["delivery"], parcel.delivery.as_str());
    assert!(!requests[0].body.contains("42-1"), "nobody outside is shown the id of a statement");
    assert_eq!(requests[0].header("authorization"), "OAuth not-a-real-token");
}

#[tokio::test]
async fn whatever_is_lost_every_statement_arrives_and_none_is_there_twice() {
    let (channel, served) = channel(7).await;
    served.lock().unwrap().one_in = 3;
    let mut dice = Dice(11);
    let mut incident = 0;
    while served.lock().unwrap().lost < 1000 {
        incident += 1;
        let told = tell_all(&channel, incident, &mut dice).await;
        let mut served = served.lock().unwrap();
        let page = &mut served.fake;
        let same: Vec<&Kept> = page.incidents.iter().filter(|one| one.name == told.title).collect();
        assert_eq!(same.len(), 1, "incident {incident}");
        let all = format!("{:?}", same[0].updates);
        if !told.stands {
            assert_eq!(bodies(same[0]), told.words, "incident {incident}");
            assert!(told.taken_back.iter().all(|words| !all.contains(&format!("{words:?}"))), "{all}");
        }
        assert_eq!(
            (same[0].status.as_str(), same[0].id.as_str()),
            ("resolved", told.root.split('/').next().unwrap())
        );
        assert!(page.components.values().all(|state| state == "operational"), "{:?}", page.components);
        let old = page.incidents.len().saturating_sub(5);
        page.incidents.drain(..old);
    }
    assert!(incident > 30, "{incident}");
}
