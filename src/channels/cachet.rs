//! Cachet: an incident, and an update of it for each statement after the first; version 3, and 2 by `version = "2"`.
//!
//! Shapes are those of the sources: cachethq/core (routes/api.php, Data/Requests, Http/Resources) for version 3, and the branch 2.4 of
//! cachethq/cachet (Http/Routes/ApiRoutes.php, Bus/Commands, Presenters) for version 2.
//!
//! It knows no idempotency. An incident is made with the delivery among its `meta` (`onscene`), which 2.4 and version 3 since July 2026 keep
//! and older ones pass over; updates have nothing but words and a status. Whoever tries again reads first, the newest
//! fifty incidents or the newest hundred updates, and takes what has the mark, or the words in the same status.
//!
//! Version 3 hides an incident unless it is told to show it, and links components only when it makes one: there they have the state
//! of the first statement until the incident is fixed. Every further statement sets the state of its components by itself before it is
//! written, so that the write is the last thing and all before it may be repeated; what is shown is the worse of both. Version 2 links one
//! component to an incident, and states are set before in either case. Closing sets those of the statement to "operational".
//! Whether subscribers are mailed of an update is decided when the incident is made (version 3), or not by us (version 2).
//!
//! An update that is taken back is deleted. What an incident was made with cannot be, and gets the words that take it back in its place.
//! The hour at which it began is not told: both versions read it in the server's own zone, or did.
//!
//! A title has 255 characters at most. A text may have as many as the database keeps (not established), and is shown as Markdown; nothing is done
//! about that. 401, 403, 404 and 410 are about the token or the server; 404 at an incident says that it was removed there, 404 at a component
//! that there is none of this number, and both are about this letter, as 400 and 422 are.

use http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, encode, refused, strange, usual};
use super::board::{self, Board, Handle, Stands};
use super::client::Answer;
use super::statement::Shown;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement};
use crate::core::voice::Phase;

#[cfg(test)]
mod stories;

/// A server of Cachet.
pub const KIND: Kind = Kind {
    name: "cachet",
    keys: &[
        Key { name: "url", secret: false, required: true },
        board::TOKEN,
        Key { name: "version", secret: false, required: false },
        board::COMPONENTS,
        board::NOTIFY,
        board::PRIVATE,
    ],
    build: Cachet::build,
    address: None,
    status: true,
};

const TITLE_CHARS_MAX: usize = 255;
/// Their numbers for: operational, performance issues, partial outage, major outage.
const STATES: [u8; 4] = [1, 2, 3, 4];
/// Their number for: fixed.
const FIXED: u8 = 4;
/// The place of the words that an incident was made with.
const MESSAGE: &str = "message";

/// Which API a server has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Two,
    Three,
}

/// One server.
pub struct Cachet {
    api: Api,
    version: Version,
    board: Board,
}

/// Of a list, or of one thing.
#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

/// An incident or an update: version 3 has what it is beside its id, version 2 together with it.
#[derive(Deserialize)]
struct Thing {
    id: Value,
    attributes: Option<Attributes>,
    #[serde(flatten)]
    own: Attributes,
}

#[derive(Default, Deserialize)]
struct Attributes {
    name: Option<String>,
    message: Option<String>,
    /// A number, or its number and the word for it.
    status: Option<Value>,
    meta: Option<Value>,
}

impl Thing {
    /// Both versions give numbers; what names a thing in version 3 is a text.
    fn number(&self) -> Option<String> {
        match &self.id {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if is_number(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn is(&self) -> &Attributes {
        self.attributes.as_ref().unwrap_or(&self.own)
    }

    fn status(&self) -> Option<u64> {
        let status = self.is().status.as_ref()?;
        let number = status.get("value").unwrap_or(status);
        number.as_u64().or_else(|| number.as_str()?.parse().ok())
    }

    fn stands(&self, parcel: &Parcel, said: &Statement) -> Option<Stands> {
        let meta = self.is().meta.as_ref();
        let mark = meta.and_then(|meta| meta.get("onscene")?.as_str());
        Some(Stands {
            id: self.number()?,
            text: self.is().message.clone().unwrap_or_default(),
            same_status: self.status() == Some(status(said).into()),
            marked: mark == Some(parcel.delivery.as_str()),
        })
    }
}

impl Cachet {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let version = match fields.texts.remove("version").as_deref() {
            None | Some("3") => Version::Three,
            Some("2") => Version::Two,
            Some(_) => return Err("`version` is \"3\" or \"2\"".into()),
        };
        let api = Api::new(&mut fields, shared, "url", None)?;
        let api = match version {
            Version::Three => api.keyed(AUTHORIZATION, &format!("Bearer {}", token.expose_secret()))?,
            Version::Two => api.keyed(HeaderName::from_static("x-cachet-token"), token.expose_secret())?,
        };
        let board = Board::new(&mut fields)?;
        if let Some(wrong) = board.ids().find(|id| !is_number(id)) {
            return Err(format!(
                "`components` holds \"{wrong}\", and components of Cachet have numbers, such as \"shop=1\""
            ));
        }
        Ok(Channel::Cachet(Self { api: api.with(ACCEPT, "application/json"), version, board }))
    }

    /// How the page shows a statement.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        let Some(said) = parcel.statement.as_deref() else { return Shown::whole(parcel.text.clone()) };
        let word = if board::over(said) { "Fixed" } else { WORDS[usize::from(status(said)) - 1] };
        let text = format!("{}\n\n{word}\n{}", said.title, said.text);
        let title = said.title.chars().count();
        match title > TITLE_CHARS_MAX {
            true => Shown { text, size: title, most: TITLE_CHARS_MAX, unit: "characters in its title" },
            false => Shown::whole(text),
        }
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        let said = board::statement(parcel, &self.shows(parcel))?;
        let handle = match parcel.thread_root.as_deref().map(Handle::read) {
            None => self.first(parcel, said).await?,
            Some(root) => self.further(parcel, said, root.incident).await?,
        };
        Ok(handle.accepted())
    }

    /// The first statement makes the incident.
    async fn first(&self, parcel: &Parcel, said: &Statement) -> Result<Handle, Outcome> {
        let made = |incident| Handle { incident, places: vec![MESSAGE.into()] };
        if parcel.attempt > 1
            && let Some(incident) = self.find(parcel, said).await?
        {
            return Ok(made(incident));
        }
        let affected = self.board.affected(said);
        let state = board::state(said, STATES);
        let mut body = json!({
            "name": said.title, "message": said.text, "status": status(said), "visible": true, "stickied": false,
            "meta": {"onscene": parcel.delivery},
        });
        match self.version {
            Version::Three => {
                body["notifications"] = self.board.notify.into();
                let linked = affected.iter().map(|id| json!({"id": number(id), "status": state}));
                body["components"] = linked.collect();
            }
            Version::Two => {
                self.set(&affected, state).await?;
                body["notify"] = self.board.notify.into();
                if let Some(id) = affected.first() {
                    body["component_id"] = number(id);
                    body["component_status"] = state.into();
                }
            }
        }
        let answer = self.api.post(&self.path("/incidents"), &body).await?;
        Ok(made(written(&answer, board::plain)?))
    }

    /// The incident that this statement made, if it did.
    async fn find(&self, parcel: &Parcel, said: &Statement) -> Result<Option<String>, Outcome> {
        let list = match self.version {
            Version::Three => "/incidents?per_page=50&sort=-id",
            Version::Two => "/incidents?per_page=50&sort=id&order=desc",
        };
        let mut answer = None;
        if self.version == Version::Three {
            // Versions without `meta` do not know that they could include it, and answer 400.
            let with_meta =
                self.api.look(&self.path(&format!("{list}&include=meta")), board::LOOK_BYTES_MAX).await;
            answer =
                Some(with_meta).filter(|answer| !answer.as_ref().is_ok_and(|answer| answer.status == 400));
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.api.look(&self.path(list), board::LOOK_BYTES_MAX).await,
        };
        let all: Data<Vec<Thing>> = board::looked(answer, board::plain)?;
        let stands = |one: &Thing| one.stands(parcel, said);
        let is_it = |one: &&Thing| {
            let is_called = one.is().name.as_deref().is_some_and(|name| board::same(name, &said.title));
            let is_open = board::over(said) || one.status() != Some(FIXED.into());
            let others = one.is().meta.as_ref().is_some_and(|meta| meta.get("onscene").is_some());
            stands(one).is_some_and(|stands| {
                // Its status may be another by now, and with the mark of another it is another.
                stands.marked || !others && is_called && is_open && board::same(&stands.text, &said.text)
            })
        };
        Ok(newest_first(&all.data).into_iter().find(is_it).and_then(Thing::number))
    }

    /// A further statement is an update of it.
    async fn further(&self, parcel: &Parcel, said: &Statement, incident: String) -> Result<Handle, Outcome> {
        let path = self.path(&format!("/incidents/{}", encode(&incident)));
        let gone = board::taken_back(said);
        let is_reworded = gone.as_ref().is_some_and(|gone| gone.places.iter().any(|place| place == MESSAGE));
        let made = |incident: String, update: String| {
            let message = is_reworded.then(|| MESSAGE.to_owned());
            Handle { incident, places: [update].into_iter().chain(message).collect() }
        };
        if parcel.attempt > 1 {
            let sort = if self.version == Version::Three { "&sort=-created_at" } else { "" };
            let list = format!("{path}/updates?per_page=100{sort}");
            let answer = self.api.look(&list, board::LOOK_BYTES_MAX).await;
            let all: Data<Vec<Thing>> = board::looked(answer, |answer| board::gone(answer, at_one_thing))?;
            let stands: Vec<Stands> =
                newest_first(&all.data).into_iter().filter_map(|one| one.stands(parcel, said)).collect();
            if let Some(found) = board::found(said, &stands) {
                return Ok(made(incident, found.id.clone()));
            }
        }
        for place in gone.iter().flat_map(|gone| &gone.places) {
            let incident = gone.as_ref().map(|gone| gone.incident.as_str()).unwrap_or_default();
            self.take_back(said, incident, place).await?;
        }
        self.set(&self.board.affected(said), board::state(said, STATES)).await?;
        let body = json!({"status": status(said), "message": said.text});
        let answer = self.api.post(&format!("{path}/updates"), &body).await?;
        Ok(made(incident, written(&answer, |answer| board::gone(answer, at_one_thing))?))
    }

    /// Removes words that are taken back. What is gone already is removed.
    async fn take_back(&self, said: &Statement, incident: &str, place: &str) -> Result<(), Outcome> {
        let path = self.path(&format!("/incidents/{}", encode(incident)));
        let answer = match (place, self.version) {
            (MESSAGE, Version::Three) => self.api.put(&path, &json!({"message": said.text})).await,
            (MESSAGE, Version::Two) => {
                self.api.put(&path, &json!({"message": said.text, "visible": true, "notify": false})).await
            }
            (update, _) => self.api.delete(&format!("{path}/updates/{}", encode(update))).await,
        };
        let answer = answer.map_err(board::unwritten)?;
        match answer.status.as_u16() {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(board::unwritten(at_one_thing(&answer))),
        }
    }

    /// Sets the state of components, which may be repeated.
    async fn set(&self, components: &[&str], state: u8) -> Result<(), Outcome> {
        for id in components {
            let path = self.path(&format!("/components/{}", encode(id)));
            let answer = self.api.put(&path, &json!({"status": state})).await.map_err(board::unwritten)?;
            match answer.status.as_u16() {
                200..=299 => {}
                status @ (404 | 410) => {
                    return Err(refused(&format!("there is no component {id}: answered {status}"), false));
                }
                _ => return Err(board::unwritten(at_one_thing(&answer))),
            }
        }
        Ok(())
    }

    fn path(&self, path: &str) -> String {
        match self.version {
            Version::Three => format!("/api{path}"),
            Version::Two => format!("/api/v1{path}"),
        }
    }
}

/// Their words for how far it is.
const WORDS: [&str; 4] = ["Investigating", "Identified", "Watching", "Fixed"];

/// Their number for how far it is.
fn status(said: &Statement) -> u8 {
    match board::phase(said) {
        Phase::Investigating => 1,
        Phase::Identified => 2,
        Phase::Monitoring => 3,
        Phase::Resolved => FIXED,
    }
}

/// The number of what was written.
fn written(answer: &Answer, fault: impl FnOnce(&Answer) -> Outcome) -> Result<String, Outcome> {
    if !answer.status.is_success() {
        return Err(fault(answer));
    }
    let thing: Option<Data<Thing>> = serde_json::from_slice(&answer.body).ok();
    thing.and_then(|thing| thing.data.number()).ok_or_else(|| strange("Cachet"))
}

/// Ids grow; hours there are those of a second.
fn newest_first(all: &[Thing]) -> Vec<&Thing> {
    let mut all: Vec<&Thing> = all.iter().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.number().and_then(|number| number.parse::<u64>().ok())));
    all
}

/// What an answer means at the address of one thing on the server.
fn at_one_thing(answer: &Answer) -> Outcome {
    usual(answer, board::WHOLE_BUT_GONE, None)
}

fn is_number(text: &str) -> bool {
    text.parse::<u32>().is_ok()
}

fn number(id: &str) -> Value {
    id.parse::<u32>().map_or(Value::Null, Value::from)
}
