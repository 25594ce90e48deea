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

#[cfg(test)]
mod stories;

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
