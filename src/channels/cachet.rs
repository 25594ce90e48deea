//! Cachet: an incident, and an update of it for each statement after the first; version 3, and 2 by `version = "2"`.
//!
//! Shapes are those of the sources: cachethq/core (routes/api.php, Data/Requests, Http/Resources) for version 3, and the branch 2.4 of
//! cachethq/cachet (Http/Routes/ApiRoutes.php, Bus/Commands, Presenters) for version 2.
//!
//! It knows no idempotency. An incident is made with the delivery among its `meta` (`onscene`), which 2.4 and version 3 since July 2026 keep
//! and older ones pass over; updates have nothing but words, a status and a number that grows. Whoever tries again reads first, the newest
//! fifty incidents or the newest hundred updates, and takes what has the mark. Words in the same status count only above what other
//! deliveries are known to have written, by their ids or because this process did it, and only where they are the newest: below
//! newer ones they may be those of an older statement, and it is not known. While no statement of an incident was answered, but one may
//! be there, the next looks for the mark of that one and becomes an update there; where no marks are kept, of the only incident of that
//! name which is not over.
//!
//! Version 3 hides an incident unless it is told to show it, and links components only when it makes one: there they have the state
//! of the first statement until the incident is fixed. Every further statement sets the state of its components by itself before it is
//! written, so that the write is the last thing and all before it may be repeated; what is shown is the worse of both. Version 2 links one
//! component to an incident, and states are set before in either case. Closing sets those of the statement to "operational".
//! Whether subscribers are mailed of an update is decided when the incident is made (version 3), or not by us (version 2).
//!
//! A component that was removed there is left out, and the log says so.
//!
//! An update that is taken back is deleted. What an incident was made with cannot be, and gets the words that take it back in its place;
//! its name becomes the one that stands.
//! The hour at which it began is not told: both versions read it in the server's own zone, or did.
//!
//! A title has 255 characters at most. A text may have as many as the database keeps (not established), and is shown as Markdown; nothing is done
//! about that. 401, 403, 404 and 410 are about the token or the server; 404 at an incident says that it was removed there, and is about
//! this letter, as 400 and 422 are.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, encode, strange, usual};
use super::board::{self, Board, Handle, Known, Left, Sought, Stands};
use super::client::Answer;
use super::statement::Shown;
use super::tries::{still_wanted, unwanted};
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement};
use crate::core::voice::{Phase, Sort};

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
/// So many writes are remembered, the newest.
const KNOWN_MAX: usize = 256;

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
    known: Mutex<VecDeque<Written>>,
    sought: Sought,
}

/// What this process has seen written.
struct Written {
    delivery: String,
    incident: String,
    /// The number of an update; none of what the incident was made with.
    update: Option<u64>,
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

    /// The delivery that made it.
    fn mark(&self) -> Option<&str> {
        self.is().meta.as_ref()?.get("onscene")?.as_str()
    }

    fn stands(&self, parcel: &Parcel, said: &Statement) -> Option<Stands> {
        Some(Stands {
            id: self.number()?,
            text: self.is().message.clone().unwrap_or_default(),
            same_status: self.status() == Some(status(said).into()),
            marked: board::is_own(parcel, self.mark()),
            // Hours there are those of the server's own zone.
            since: None,
            at: None,
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
        let api = api.with(ACCEPT, "application/json");
        Ok(Channel::Cachet(Self { api, version, board, known: Mutex::default(), sought: Sought::default() }))
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
        self.sought.begin(parcel, said);
        let mut left = Left::default();
        let known = match parcel.thread_root.as_deref().map(Handle::read) {
            Some(root) => Known::Before(root.incident),
            None if board::may_have_begun(parcel) => self.find(parcel, said).await?,
            None => Known::Nothing,
        };
        let handle = match known {
            Known::Before(incident) => self.further(parcel, said, incident, &mut left).await?,
            Known::Here(incident) if self.sought.has_found(parcel) => {
                self.further(parcel, said, incident, &mut left).await?
            }
            Known::Here(incident) => {
                left.is_of_an_unknown_one(parcel, said);
                Handle { incident, places: vec![MESSAGE.into()] }
            }
            Known::Nothing => {
                left.is_of_an_unknown_one(parcel, said);
                self.first(parcel, said).await?
            }
        };
        self.keep(parcel, &handle);
        Ok(left.told(&handle))
    }

    /// The first statement makes the incident.
    async fn first(&self, parcel: &Parcel, said: &Statement) -> Result<Handle, Outcome> {
        still_wanted(parcel)?;
        let mut affected = self.board.affected(said);
        let state = board::state(said, STATES);
        let mut body = json!({
            "name": said.title, "message": said.text, "status": status(said), "visible": true, "stickied": false,
            "meta": {"onscene": parcel.delivery},
        });
        match self.version {
            Version::Three => {
                body["notifications"] = self.board.notify.into();
                body["components"] = linked(&affected, state);
            }
            Version::Two => {
                affected = self.set(parcel, &affected, state).await?;
                body["notify"] = self.board.notify.into();
                if let Some(id) = affected.first() {
                    body["component_id"] = number(id);
                    body["component_status"] = state.into();
                }
            }
        }
        let mut answer = self.api.post(&self.path("/incidents"), &body).await?;
        if self.version == Version::Three && board::is_wrong(&answer, &affected) {
            let mut gone = Vec::new();
            for id in board::few(&affected) {
                let answer = self.api.get(&self.path(&format!("/components/{}", encode(id)))).await;
                gone.extend(answer.is_ok_and(|answer| board::is_gone(&answer)).then_some(*id));
            }
            let there = self.board.again(parcel, &KIND, &affected, &gone);
            body["components"] = linked(&there, state);
            answer = self.api.post(&self.path("/incidents"), &body).await?;
        }
        Ok(Handle { incident: written(&answer, board::plain)?, places: vec![MESSAGE.into()] })
    }

    /// The incident that this statement made, or one before it of the same incident of ours. Where the server keeps no marks the latter
    /// is the only one of its name that is not over.
    async fn find(&self, parcel: &Parcel, said: &Statement) -> Result<Known<String>, Outcome> {
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
        let all = board::looked::<Data<Vec<Thing>>>(answer, board::plain);
        let all = all.map_err(|outcome| board::unseen(parcel, outcome))?;
        // With the mark of another it is another, and so is what this process made for another.
        let known = self.known(parcel, |known| Some(known.incident.clone()));
        let (mut left, mut before) = (Vec::new(), None);
        let keeps_marks = all.data.iter().any(|one| one.mark().is_some());
        for one in newest_first(&all.data) {
            match one.stands(parcel, said) {
                Some(stands) if stands.marked => return Ok(Known::Here(stands.id)),
                Some(stands) if board::is_lost(parcel, one.mark()) => {
                    before.get_or_insert(stands.id);
                }
                Some(stands) if one.mark().is_none() && !known.contains(&stands.id) => {
                    left.push((one, stands))
                }
                _ => {}
            }
        }
        if let Some(before) = before {
            return Ok(Known::Before(before));
        }
        let is_called =
            |one: &Thing| one.is().name.as_deref().is_some_and(|name| board::same(name, &said.title));
        let is_open = |one: &Thing| one.status() != Some(FIXED.into());
        let looks_alike = |(one, stands): &(&Thing, Stands)| {
            // Its status may be another by now.
            is_called(one) && (board::over(said) || is_open(one)) && board::same(&stands.text, &said.text)
        };
        let same = left.iter().position(looks_alike).filter(|_| board::may_be_there(parcel));
        let mut left = left.into_iter();
        match same {
            Some(0) => return Ok(left.next().map_or(Known::Nothing, |(_, stands)| Known::Here(stands.id))),
            Some(_) => return Err(board::looks_alike()),
            None => {}
        }
        if keeps_marks || parcel.lost.is_empty() {
            return Ok(Known::Nothing);
        }
        // A title may be taken back with its words.
        let has =
            |stands: &Stands| said.takes_back.as_ref().is_some_and(|words| board::same(&stands.text, words));
        let mut before = left.filter(|(one, stands)| (is_called(one) || has(stands)) && is_open(one));
        match (before.next(), before.next()) {
            (None, _) => Ok(Known::Nothing),
            (Some((_, stands)), None) => Ok(Known::Before(stands.id)),
            // Which of them it is nobody can tell.
            (Some(_), Some(_)) => Ok(Known::Nothing),
        }
    }

    /// A further statement is an update of it.
    async fn further(
        &self,
        parcel: &Parcel,
        said: &Statement,
        incident: String,
        left: &mut Left,
    ) -> Result<Handle, Outcome> {
        let path = self.path(&format!("/incidents/{}", encode(&incident)));
        let mut gone = board::taken_back(said).map(|gone| gone.places).unwrap_or_default();
        let has_message = |places: &[String]| places.iter().any(|place| place == MESSAGE);
        let made = |incident: String, update: String, is_reworded: bool| {
            let message = is_reworded.then(|| MESSAGE.to_owned());
            Handle { incident, places: [update].into_iter().chain(message).collect() }
        };
        let mut there = None;
        if board::may_be_there(parcel) {
            let all = self.updates(&path).await.map_err(|outcome| board::unseen(parcel, outcome))?;
            let stands = self.after_known(parcel, said, &incident, &all);
            there = board::found(said, &stands)?.map(|found| found.id.clone());
        }
        if parcel.only_look || there.is_some() && said.sort != Sort::Retraction {
            return Ok(made(incident, there.ok_or_else(unwanted)?, has_message(&gone)));
        }
        if let Some(words) = board::to_be_found(parcel, said) {
            let look = self.sought_in(parcel, said, &incident, words);
            let others = self.known(parcel, |known| known.update.filter(|_| known.incident == incident));
            let may_be = |one: &Stands| !one.id.parse().is_ok_and(|id: u64| others.contains(&id));
            gone =
                self.sought.places(parcel, (words, false), (look, may_be), (left, there.is_some())).await?;
        }
        let is_reworded = has_message(&gone);
        for update in gone.iter().filter(|place| *place != MESSAGE) {
            let removed = self.remove(&format!("{path}/updates/{}", encode(update))).await;
            left.after(parcel, removed)?;
        }
        if said.sort == Sort::Retraction {
            left.after(parcel, self.rename(said, &path, is_reworded).await)?;
        }
        // Its words may have come before what they take back was gone.
        if let Some(update) = there {
            return Ok(made(incident, update, is_reworded));
        }
        self.set(parcel, &self.board.affected(said), board::state(said, STATES)).await?;
        let body = json!({"status": status(said), "message": said.text});
        let answer = self.api.post(&format!("{path}/updates"), &body).await?;
        Ok(made(incident, written(&answer, |answer| board::gone(answer, at_one_thing))?, is_reworded))
    }

    /// The updates of an incident.
    async fn updates(&self, path: &str) -> Result<Vec<Thing>, Outcome> {
        let sort = if self.version == Version::Three { "&sort=-created_at" } else { "" };
        let list = format!("{path}/updates?per_page=100{sort}");
        let answer = self.api.look(&list, board::LOOK_BYTES_MAX).await;
        let all: Data<Vec<Thing>> = board::looked(answer, |answer| board::gone(answer, at_one_thing))?;
        Ok(all.data)
    }

    /// What stands in an incident that may be what is taken back; also what it was made with, unless that is known to be of another.
    async fn sought_in(
        &self,
        parcel: &Parcel,
        said: &Statement,
        incident: &str,
        words: &str,
    ) -> Result<Vec<Stands>, Outcome> {
        let path = self.path(&format!("/incidents/{}", encode(incident)));
        let mut stands = self.after_known(parcel, said, incident, &self.updates(&path).await?);
        let root = parcel.thread_root.as_deref().map(Handle::read).unwrap_or_default();
        if !root.places.iter().any(|place| place == MESSAGE)
            && !stands.iter().any(|one| board::same(&one.text, words))
        {
            stands.extend(self.message(&path).await?);
        }
        Ok(stands)
    }

    /// The words that an incident was made with.
    async fn message(&self, path: &str) -> Result<Option<Stands>, Outcome> {
        let answer = self.api.look(path, board::LOOK_BYTES_MAX).await;
        let one: Data<Thing> = board::looked(answer, |answer| board::gone(answer, at_one_thing))?;
        let text = one.data.attributes.unwrap_or(one.data.own).message;
        Ok(text.map(|text| Stands {
            id: MESSAGE.into(),
            text,
            same_status: false,
            marked: false,
            since: Some(false),
            at: None,
        }))
    }

    /// What stands in an incident, the newest first: nothing up to the newest update that another delivery is known to have written
    /// is of this one.
    fn after_known(&self, parcel: &Parcel, said: &Statement, incident: &str, all: &[Thing]) -> Vec<Stands> {
        let seen = self.known(parcel, |known| known.update.filter(|_| known.incident == incident));
        let mended = said.mends.as_ref().and_then(|mended| mended.remote_id.as_deref());
        let handles = [parcel.thread_root.as_deref(), mended].into_iter().flatten().map(Handle::read);
        let told = handles.filter(|handle| handle.incident == incident).flat_map(|handle| handle.places);
        let newest = seen.into_iter().chain(told.filter_map(|place| place.parse().ok())).max();
        let is_older = |id: &str| newest.is_some_and(|newest| id.parse().is_ok_and(|id: u64| id <= newest));
        let stands = newest_first(all).into_iter().filter_map(|one| one.stands(parcel, said));
        stands.map(|one| Stands { since: is_older(&one.id).then_some(false), ..one }).collect()
    }

    /// What is known of what other deliveries have written.
    fn known<T>(&self, parcel: &Parcel, of: impl Fn(&Written) -> Option<T>) -> Vec<T> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|known| known.delivery != parcel.delivery).filter_map(of).collect()
    }

    fn keep(&self, parcel: &Parcel, handle: &Handle) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == KNOWN_MAX {
            known.pop_front();
        }
        known.push_back(Written {
            delivery: parcel.delivery.clone(),
            incident: handle.incident.clone(),
            update: handle.places.iter().filter_map(|place| place.parse().ok()).max(),
        });
    }

    /// Removes an update. What is gone already is removed.
    async fn remove(&self, path: &str) -> Result<(), Outcome> {
        let answer = self.api.delete(path).await.map_err(board::unwritten)?;
        match answer.status.is_success() || board::is_gone(&answer) {
            true => Ok(()),
            false => Err(board::unwritten(at_one_thing(&answer))),
        }
    }

    /// A title that was taken back is not what the incident is called, and words that it was made with cannot be removed.
    async fn rename(&self, said: &Statement, path: &str, is_reworded: bool) -> Result<(), Outcome> {
        let mut body = json!({"name": said.title});
        if is_reworded {
            body["message"] = said.text.as_str().into();
        }
        if self.version == Version::Two {
            body["visible"] = true.into();
            body["notify"] = false.into();
        }
        let answer = self.api.put(path, &body).await.map_err(board::unwritten)?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(board::unwritten(board::gone(&answer, at_one_thing))),
        }
    }

    /// Sets the state of components, which may be repeated. Answers which of them are there.
    async fn set<'a>(
        &self,
        parcel: &Parcel,
        components: &[&'a str],
        state: u8,
    ) -> Result<Vec<&'a str>, Outcome> {
        let mut gone = Vec::new();
        for id in components {
            let path = self.path(&format!("/components/{}", encode(id)));
            let answer = self.api.put(&path, &json!({"status": state})).await.map_err(board::unwritten)?;
            if board::is_gone(&answer) {
                gone.push(*id);
            } else if !answer.status.is_success() {
                return Err(board::unwritten(at_one_thing(&answer)));
            }
        }
        Ok(self.board.without(parcel, &KIND, components, &gone))
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

/// Components as an incident is made with them.
fn linked(components: &[&str], state: u8) -> Value {
    components.iter().map(|id| json!({"id": number(id), "status": state})).collect()
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
