//! Instatus: an incident of a page, and an update of it for each statement after the first.
//!
//! Shapes are those of the OpenAPI description that Instatus publishes (instatushq/openapi, instatus.yaml, 2.0.0), and of the examples in its
//! help (instatus.com/help/api/incidents and /incident-updates).
//!
//! It knows no idempotency and keeps nothing of ours but words and hours, so each statement is written with an hour of its own
//! (`started`): of an incident, since when readers notice it; of an update, when the statement was released. Whoever tries again reads
//! first: for the first statement the page's incidents, for a further one its incident. What has the hour is it, and so is what has
//! the words and the status; that the page keeps `started` as it was sent is in the examples and not in words.
//!
//! Components get their state in the call that writes. Closing puts those of the statement back to work in the same call, and what else of
//! ours the incident has, as its answer shows it, in calls of their own, which may be repeated. An update that is taken back is
//! deleted, and the words that take it back are posted.
//!
//! Not established: the longest title and text, how much is taken in a time (429 is heeded all the same), and what faults look like. An
//! incident there has no impact of its own. Markdown in a text is shown as such, and nothing is done about that.
//!
//! 401, 403, 404 and 410 are about the token or the page; 404 at an incident says that it was removed there, and is about this letter.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, encode, strange, usual};
use super::board::{self, Board, Handle, Stands};
use super::client::Answer;
use super::statement::Shown;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement};
use crate::core::voice::Phase;

/// A page of Instatus.
pub const KIND: Kind = Kind {
    name: "instatus",
    keys: &[
        Key { name: "page", secret: false, required: true },
        board::TOKEN,
        board::COMPONENTS,
        board::NOTIFY,
        board::URL,
        board::PRIVATE,
    ],
    build: Instatus::build,
    address: None,
    status: true,
};

/// Where it is.
const API_URL: &str = "https://api.instatus.com";
/// Their words for: works, is slow, works in part, does not work.
const STATES: [&str; 4] = ["OPERATIONAL", "DEGRADEDPERFORMANCE", "PARTIALOUTAGE", "MAJOROUTAGE"];
/// Their words for incidents that are open.
const OPEN: &str = "INVESTIGATING,IDENTIFIED,MONITORING";
/// The most that a list gives at once.
const LIST_MAX: usize = 100;

/// One page.
pub struct Instatus {
    api: Api,
    page: String,
    board: Board,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    name: Option<String>,
    #[serde(default, deserialize_with = "board::hour")]
    started: Option<Timestamp>,
    updates: Option<Vec<Update>>,
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Update {
    id: String,
    message: Option<String>,
    status: Option<String>,
    #[serde(default, deserialize_with = "board::hour")]
    started: Option<Timestamp>,
    /// The incident that it is of, in the answer to a write.
    incident: Option<Brief>,
}

#[derive(Deserialize)]
struct Brief {
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Component {
    id: String,
    status: Option<String>,
}

/// What is known of a statement that is there.
struct There {
    handle: Handle,
    components: Vec<Component>,
}

impl Instatus {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let api = Api::new(&mut fields, shared, "url", Some(API_URL))?.bearer(&token)?;
        let page = fields.texts.remove("page").unwrap_or_default();
        if page.is_empty() || !page.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(
                "`page` is the id of the page, small letters and digits, as `GET /v2/pages` shows it".into(),
            );
        }
        let board = Board::new(&mut fields)?;
        Ok(Channel::Instatus(Self { api, page, board }))
    }

    /// How the page shows a statement.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        let Some(said) = parcel.statement.as_deref() else { return Shown::whole(parcel.text.clone()) };
        Shown::whole(format!("{}\n\n{}\n{}", said.title, board::phase(said).title(), said.text))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        let said = board::statement(parcel, &self.shows(parcel))?;
        let there = match parcel.thread_root.as_deref().map(Handle::read) {
            None => self.first(parcel, said).await?,
            Some(root) => self.further(parcel, said, root.incident).await?,
        };
        if board::over(said) {
            self.work_again(said, &there).await.map_err(board::unfinished)?;
        }
        Ok(there.handle.accepted())
    }

    /// The first statement makes the incident.
    async fn first(&self, parcel: &Parcel, said: &Statement) -> Result<There, Outcome> {
        if parcel.attempt > 1 {
            // In what order they come is not said, so the open ones of a full list are asked for by themselves.
            for more in [String::new(), format!("&status={}", encode(OPEN))] {
                let path = self.path(&format!("/incidents?page=1&per_page={LIST_MAX}{more}"));
                let all: Vec<Incident> =
                    board::looked(self.api.look(&path, board::LOOK_BYTES_MAX).await, board::plain)?;
                let is_full = all.len() >= LIST_MAX;
                if let Some(incident) = all.into_iter().find(|one| one.began_with(said)) {
                    return Ok(incident.there(said));
                }
                if !is_full {
                    break;
                }
            }
        }
        let mut body = self.body(said);
        body["name"] = said.title.as_str().into();
        body["started"] = said.began.to_string().into();
        body["shouldPublish"] = true.into();
        let answer = self.api.post(&self.path("/incidents"), &body).await?;
        if !answer.status.is_success() {
            return Err(board::plain(&answer));
        }
        let incident: Incident = serde_json::from_slice(&answer.body).map_err(|_| strange("Instatus"))?;
        Ok(incident.there(said))
    }

    /// A further statement is an update of it.
    async fn further(&self, parcel: &Parcel, said: &Statement, incident: String) -> Result<There, Outcome> {
        let path = self.path(&format!("/incidents/{}", encode(&incident)));
        let fault = |answer: &Answer| board::gone(answer, at_one_thing);
        if parcel.attempt > 1 {
            let answer = self.api.look(&path, board::LOOK_BYTES_MAX).await;
            let stands: Incident = board::looked(answer, fault)?;
            if board::found(said, &stands.stands(said, said.at)).is_some() {
                return Ok(stands.there_as(said, said.at));
            }
        }
        if let Some(gone) = board::taken_back(said) {
            for update in &gone.places {
                let at = format!("/incidents/{}/incident-updates/{}", encode(&gone.incident), encode(update));
                self.remove(&self.path(&at)).await?;
            }
        }
        let mut body = self.body(said);
        body["started"] = said.at.to_string().into();
        let answer = self.api.post(&format!("{path}/incident-updates"), &body).await?;
        if !answer.status.is_success() {
            return Err(fault(&answer));
        }
        let update: Update = serde_json::from_slice(&answer.body).map_err(|_| strange("Instatus"))?;
        let components = update.incident.and_then(|brief| brief.components).unwrap_or_default();
        Ok(There { handle: Handle { incident, places: vec![update.id] }, components })
    }

    /// What is gone already is removed.
    async fn remove(&self, path: &str) -> Result<(), Outcome> {
        let answer = self.api.delete(path).await.map_err(board::unwritten)?;
        match answer.status.as_u16() {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(board::unwritten(at_one_thing(&answer))),
        }
    }

    /// Puts back to work what of ours the incident has and the closing statement does not name.
    async fn work_again(&self, said: &Statement, there: &There) -> Result<(), Outcome> {
        let named = self.board.affected(said);
        let left = there.components.iter().filter(|one| {
            let id = one.id.as_str();
            self.board.is_ours(id) && !named.contains(&id) && one.status.as_deref() != Some(STATES[0])
        });
        for one in left {
            let path = self.path(&format!("/components/{}", encode(&one.id)));
            let answer = self.api.put(&path, &json!({"status": STATES[0]})).await?;
            if !answer.status.is_success() && !matches!(answer.status.as_u16(), 404 | 410) {
                return Err(at_one_thing(&answer));
            }
        }
        Ok(())
    }

    /// What both writes carry.
    fn body(&self, said: &Statement) -> Value {
        let (affected, state) = (self.board.affected(said), board::state(said, STATES));
        let states: Vec<Value> = affected.iter().map(|id| json!({"id": id, "status": state})).collect();
        json!({
            "message": said.text,
            "status": status(said),
            "notify": self.board.notify,
            "components": affected,
            "statuses": states,
        })
    }

    fn path(&self, path: &str) -> String {
        format!("/v1/{}{path}", self.page)
    }
}

impl Incident {
    /// Whether this statement made it.
    fn began_with(&self, said: &Statement) -> bool {
        let is_called = self.name.as_deref().is_some_and(|name| board::same(name, &said.title));
        // One that began at another hour, before this was released, is the incident of another day.
        let is_newer = |started: Timestamp| started.duration_since(said.at) > SignedDuration::from_mins(-1);
        let is_of_then = self.started.is_none_or(is_newer) || board::same_hour(self.started, said.began);
        is_called && is_of_then && board::found(said, &self.stands(said, said.began)).is_some()
    }

    /// What stands in it, the newest first; `at`: the hour that the statement was written with.
    fn stands(&self, said: &Statement, at: Timestamp) -> Vec<Stands> {
        let mut updates: Vec<&Update> = self.updates.iter().flatten().collect();
        updates.sort_by_key(|update| std::cmp::Reverse(update.started));
        let stands = updates.into_iter().map(|update| {
            let text = update.message.clone().unwrap_or_default();
            let same_status = update.status.as_deref() == Some(status(said));
            let marked =
                same_status && board::same_hour(update.started, at) && board::same(&text, &said.text);
            Stands { id: update.id.clone(), text, same_status, marked }
        });
        stands.collect()
    }

    /// As the incident that a statement made.
    fn there(self, said: &Statement) -> There {
        let at = said.began;
        self.there_as(said, at)
    }

    fn there_as(self, said: &Statement, at: Timestamp) -> There {
        let update = board::found(said, &self.stands(said, at)).map(|one| one.id.clone());
        let handle = Handle { incident: self.id, places: update.into_iter().collect() };
        There { handle, components: self.components.unwrap_or_default() }
    }
}

/// What an answer means at the address of one thing on the page.
fn at_one_thing(answer: &Answer) -> Outcome {
    usual(answer, board::WHOLE_BUT_GONE, None)
}

fn status(said: &Statement) -> &'static str {
    match board::phase(said) {
        Phase::Investigating => "INVESTIGATING",
        Phase::Identified => "IDENTIFIED",
        Phase::Monitoring => "MONITORING",
        Phase::Resolved => "RESOLVED",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::stories::{json_answer, receiver, status_letter};
    use super::super::stories_board::{Call, Dice, Fake, Fate, Served, at, nth, serve, tell, tell_all};
    use super::*;
    use crate::channels::statement::Mended;
    use crate::core::voice::{Impact, Sort};

    /// Keeps what a page keeps.
    #[derive(Default)]
    struct Page {
        incidents: Vec<Kept>,
        components: std::collections::BTreeMap<String, String>,
        made: u32,
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
            kept.linked.iter().map(|id| json!({"id": id, "status": self.components[id]})).collect()
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
            if let Some(key) = needed.iter().find(|key| body[**key].is_null()) {
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
                .map(|one| {
                    (one["id"].as_str().unwrap().to_owned(), one["status"].as_str().unwrap().to_owned())
                })
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
            kept.mailed += u32::from(body["notify"] == Value::Bool(true));
            kept.updates.push(json!({"id": format!("upd{}", self.made), "message": text("message"),
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
        let mends =
            Some(Mended { id: "42-1".into(), at: Timestamp::UNIX_EPOCH, remote_id: Some(root.clone()) });
        let back = nth(42, 2, |said| (said.sort, said.mends) = (Sort::Retraction, mends));
        let back = Parcel { thread_root: Some(root), ..back };
        for fates in [vec![Fate::LostAfter], vec![Fate::Answered, Fate::LostBefore]] {
            served.lock().unwrap().fates = fates.into();
            assert_ne!(channel.send(&back).await.as_str(), "accepted");
        }
        tell(&channel, &Parcel { attempt: 3, ..back.clone() }, None).await;
        let served = served.lock().unwrap();
        assert_eq!(messages(&served.fake.incidents[0]), [back.statement.unwrap().text]);
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
        for fate in [Fate::LostBefore, Fate::Faulty, Fate::Busy] {
            served.lock().unwrap().fates = [fate].into();
            assert_eq!(channel.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await.as_str(), "wait");
        }
        served.lock().unwrap().fake.components.remove("abc123");
        let unknown = channel.send(&nth(42, 1, |_| {})).await;
        assert_eq!(unknown, Outcome::Refused { why: "answered 400".into(), whole_channel: false });
        let gone = channel.send(&Parcel { thread_root: Some("inc9".into()), ..nth(42, 1, |_| {}) }).await;
        assert!(gone.as_str() == "refused" && !whole(&gone), "{gone:?}");
        assert!(served.lock().unwrap().fake.incidents.is_empty());
        let (url, _served) = serve(page(), 1).await;
        assert!(whole(&at("instatus", &url, &[("page", "page2")], &[]).send(&nth(42, 1, |_| {})).await));
    }

    #[tokio::test]
    async fn the_same_bytes_go_out_on_every_attempt() {
        let made = json_answer("200 OK", include_str!("../../tests/fixtures/channels/instatus/made.json"));
        let answers = vec!["", json_answer("200 OK", "[]"), made];
        let (url, requests) = receiver(answers).await;
        let channel = at("instatus", &url, &[("page", "page1"), ("notify", "false")], &[]);
        assert_eq!(channel.send(&nth(42, 1, |_| {})).await.as_str(), "unknown");
        let again = channel.send(&Parcel { attempt: 2, ..nth(42, 1, |_| {}) }).await;
        assert_eq!(
            again,
            Outcome::Accepted {
                remote_id: Some("ckf01m59ueaqb0a32wrljz1yd/ckf1ew8mol30c0a32w400k6s3".into())
            }
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
            assert_eq!(messages(same[0]), told.words, "incident {incident}");
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
}
