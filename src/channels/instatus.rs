//! Instatus: an incident of a page, and an update of it for each statement after the first.
//!
//! Shapes are those of the OpenAPI description that Instatus publishes (instatushq/openapi, instatus.yaml, 2.0.0), and of the examples in its
//! help (instatus.com/help/api/incidents and /incident-updates).
//!
//! It knows no idempotency and keeps nothing of ours but words and hours, so each statement is written with an hour of its own
//! (`started`): of an incident, since when readers notice it; of an update, when the statement was released. Whoever tries again reads
//! first: for the first statement the page's incidents, for a further one its incident. What has the hour, the words and the status is
//! it; that the page keeps `started` as it was sent is in the examples and not in words, so what has a later hour is it, too. What has
//! an earlier one is an older statement in the same words. While no statement of an incident was answered, but one may be there, the next
//! becomes an update of what has the name and the hour of the incident.
//!
//! Components get their state in the call that writes. Closing puts those of the statement back to work in the same call, and what else of
//! ours the incident has, as its answer shows it, in calls of their own, which may be repeated. Where a write is refused for a component
//! that was removed there, it is tried once more without those that are gone.
//!
//! An update that is taken back is deleted, the incident gets the name that stands, and the words that take it back are posted. Where it
//! is not known which update is meant, it is looked for by its words.
//!
//! Not established: the longest title and text, how much is taken in a time (429 is heeded all the same), and what faults look like. An
//! incident there has no impact of its own. Markdown in a text is shown as such, and nothing is done about that.
//!
//! 401, 403, 404 and 410 are about the token or the page; 404 at an incident says that it was removed there, and is about this letter.

use jiff::{SignedDuration, Timestamp};
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
/// A page that keeps less of an hour keeps its minute.
const OFF: SignedDuration = SignedDuration::from_mins(1);
/// The most that a list gives at once.
const LIST_MAX: usize = 100;

/// One page.
pub struct Instatus {
    api: Api,
    page: String,
    board: Board,
    sought: Sought,
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
        Ok(Channel::Instatus(Self { api, page, board, sought: Sought::default() }))
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
        self.sought.begin(parcel, said);
        let mut left = Left::default();
        let known = match parcel.thread_root.as_deref().map(Handle::read) {
            Some(root) => Known::Before(root.incident),
            None if board::may_have_begun(parcel) => self.find(parcel, said).await?,
            None => Known::Nothing,
        };
        let there = match known {
            Known::Before(incident) => self.further(parcel, said, incident, &mut left).await?,
            Known::Here(there) if self.sought.has_found(parcel) => {
                self.further(parcel, said, there.handle.incident, &mut left).await?
            }
            Known::Here(there) => {
                left.is_of_an_unknown_one(parcel, said);
                there
            }
            Known::Nothing => {
                left.is_of_an_unknown_one(parcel, said);
                self.first(parcel, said).await?
            }
        };
        if board::over(said) && !parcel.only_look {
            self.work_again(said, &there).await.map_err(board::unfinished)?;
        }
        Ok(left.told(&there.handle))
    }

    /// The first statement makes the incident.
    async fn first(&self, parcel: &Parcel, said: &Statement) -> Result<There, Outcome> {
        still_wanted(parcel)?;
        let own = json!({"name": said.title, "started": said.began, "shouldPublish": true});
        let answer = self.write(parcel, said, &self.path("/incidents"), own).await?;
        if !answer.status.is_success() {
            return Err(board::plain(&answer));
        }
        let incident: Incident = serde_json::from_slice(&answer.body).map_err(|_| strange("Instatus"))?;
        Ok(incident.made(said))
    }

    /// The incident that this statement made, or one before it of the same incident of ours.
    async fn find(&self, parcel: &Parcel, said: &Statement) -> Result<Known<There>, Outcome> {
        let (mut exact, mut near) = (None, Vec::new());
        // In what order they come is not said, so the open ones of a full list are asked for by themselves.
        for more in [String::new(), format!("&status={}", encode(OPEN))] {
            let path = self.path(&format!("/incidents?page=1&per_page={LIST_MAX}{more}"));
            let answer = self.api.look(&path, board::LOOK_BYTES_MAX).await;
            let all = board::looked::<Vec<Incident>>(answer, board::plain);
            let all = all.map_err(|outcome| board::unseen(parcel, outcome))?;
            let is_full = all.len() >= LIST_MAX;
            for incident in all {
                if board::may_be_there(parcel) && incident.began_with(said)? {
                    return Ok(Known::Here(incident.there(said, said.began)?));
                }
                if parcel.lost.is_empty() || !incident.is_called_or_has(said) {
                    continue;
                }
                if board::same_hour(incident.started, said.began) {
                    exact = Some(incident.id);
                } else if incident.is_of_minute(said) && !near.contains(&incident.id) {
                    near.push(incident.id);
                }
            }
            if !is_full {
                break;
            }
        }
        // Where the page keeps minutes, and there is one alone.
        let near = near.pop().filter(|_| near.is_empty());
        Ok(exact.or(near).map_or(Known::Nothing, Known::Before))
    }

    /// A further statement is an update of it.
    async fn further(
        &self,
        parcel: &Parcel,
        said: &Statement,
        incident: String,
        left: &mut Left,
    ) -> Result<There, Outcome> {
        let path = self.path(&format!("/incidents/{}", encode(&incident)));
        let fault = |answer: &Answer| board::gone(answer, at_one_thing);
        let mut there = None;
        if board::may_be_there(parcel) {
            let answer = self.api.look(&path, board::LOOK_BYTES_MAX).await;
            let stands = board::looked::<Incident>(answer, fault);
            let stands = stands.map_err(|outcome| board::unseen(parcel, outcome))?;
            there = board::found(said, &stands.stands(said, said.at))?.is_some().then_some(stands);
        }
        if parcel.only_look || there.is_some() && said.sort != Sort::Retraction {
            return there.ok_or_else(unwanted)?.there(said, said.at);
        }
        let mut gone = board::taken_back(said);
        if let Some(words) = board::to_be_found(parcel, said) {
            let look = async {
                let answer = self.api.look(&path, board::LOOK_BYTES_MAX).await;
                Ok(board::looked::<Incident>(answer, fault)?.stands(said, said.at))
            };
            let may_be = |one: &Stands| may_be_taken_back(parcel, said, one);
            let places =
                self.sought.places(parcel, (words, true), (look, may_be), (left, there.is_some())).await?;
            gone = Some(Handle { incident: incident.clone(), places });
        }
        if let Some(gone) = &gone {
            for update in &gone.places {
                let at = format!("/incidents/{}/incident-updates/{}", encode(&gone.incident), encode(update));
                left.after(parcel, self.remove(&self.path(&at)).await)?;
            }
        }
        if said.sort == Sort::Retraction {
            left.after(parcel, self.rename(said, &path).await)?;
        }
        // Its words may have come before what they take back was gone.
        if let Some(stands) = there {
            return stands.there(said, said.at);
        }
        let own = json!({"started": said.at});
        let answer = self.write(parcel, said, &format!("{path}/incident-updates"), own).await?;
        if !answer.status.is_success() {
            return Err(fault(&answer));
        }
        let update: Update = serde_json::from_slice(&answer.body).map_err(|_| strange("Instatus"))?;
        let components = update.incident.and_then(|brief| brief.components).unwrap_or_default();
        Ok(There { handle: Handle { incident, places: vec![update.id] }, components })
    }

    /// Writes it with its components, and where that is refused once more with those that are there. `own`: what only one of both
    /// writes carries.
    async fn write(
        &self,
        parcel: &Parcel,
        said: &Statement,
        path: &str,
        own: Value,
    ) -> Result<Answer, Outcome> {
        let affected = self.board.affected(said);
        let answer = self.api.post(path, &self.body(said, &own, &affected)).await?;
        if !board::is_wrong(&answer, &affected) {
            return Ok(answer);
        }
        let mut gone = Vec::new();
        for id in board::few(&affected) {
            let answer = self.api.get(&self.path(&format!("/components/{}", encode(id)))).await;
            gone.extend(answer.is_ok_and(|answer| board::is_gone(&answer)).then_some(*id));
        }
        let there = self.board.again(parcel, &KIND, &affected, &gone);
        self.api.post(path, &self.body(said, &own, &there)).await
    }

    /// A title that was taken back is not what the incident is called.
    async fn rename(&self, said: &Statement, path: &str) -> Result<(), Outcome> {
        let answer = self.api.put(path, &json!({"name": said.title, "notify": false})).await;
        let answer = answer.map_err(board::unwritten)?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(board::unwritten(board::gone(&answer, at_one_thing))),
        }
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

    fn body(&self, said: &Statement, own: &Value, components: &[&str]) -> Value {
        let state = board::state(said, STATES);
        let states: Vec<Value> = components.iter().map(|id| json!({"id": id, "status": state})).collect();
        let mut body = own.clone();
        body["message"] = said.text.as_str().into();
        body["status"] = status(said).into();
        body["notify"] = self.board.notify.into();
        body["components"] = components.into();
        body["statuses"] = states.into();
        body
    }

    fn path(&self, path: &str) -> String {
        format!("/v1/{}{path}", self.page)
    }
}

impl Incident {
    fn is_called(&self, said: &Statement) -> bool {
        self.name.as_deref().is_some_and(|name| board::same(name, &said.title))
    }

    /// Whether it has the name of what a statement is about, or the words that are taken back. There is no mark to know it by.
    fn is_called_or_has(&self, said: &Statement) -> bool {
        let has = |words: &String| {
            let messages = self.updates.iter().flatten().filter_map(|one| one.message.as_ref());
            messages.into_iter().any(|message| board::same(message, words))
        };
        self.is_called(said) || said.takes_back.as_ref().is_some_and(has)
    }

    /// Whether it began in the minute of what a statement is about, as a page tells it that keeps no seconds.
    fn is_of_minute(&self, said: &Statement) -> bool {
        let minute = |at: Timestamp| at.as_second().div_euclid(60);
        self.started.is_some_and(|at| at.as_second() % 60 == 0 && minute(at) == minute(said.began))
    }

    /// Whether this statement made it.
    fn began_with(&self, said: &Statement) -> Result<bool, Outcome> {
        // One that began at another hour, before this was released, is the incident of another day.
        let is_of_then = board::is_since(self.started, said.at, OFF).unwrap_or(true)
            || board::same_hour(self.started, said.began);
        Ok(self.is_called(said) && is_of_then && board::began_with(said, &self.stands(said, said.began))?)
    }

    fn newest_first(&self) -> Vec<&Update> {
        let mut updates: Vec<&Update> = self.updates.iter().flatten().collect();
        updates.sort_by_key(|update| std::cmp::Reverse(update.started));
        updates
    }

    /// What stands in it, the newest first; `at`: the hour that the statement was written with.
    fn stands(&self, said: &Statement, at: Timestamp) -> Vec<Stands> {
        let stands = self.newest_first().into_iter().map(|update| {
            let text = update.message.clone().unwrap_or_default();
            let same_status = update.status.as_deref() == Some(status(said));
            let marked =
                same_status && board::same_hour(update.started, at) && board::same(&text, &said.text);
            let since = board::is_since(update.started, at, OFF);
            Stands { id: update.id.clone(), text, same_status, marked, since, at: update.started }
        });
        stands.collect()
    }

    /// As the answer to the statement that made it: where that shows other words, they are the newest in it.
    fn made(self, said: &Statement) -> There {
        let stands = self.stands(said, said.began);
        let place = board::found(said, &stands).ok().flatten().or(stands.first()).map(|one| one.id.clone());
        self.with(place)
    }

    /// As it was found to hold a statement, which was written with this hour.
    fn there(self, said: &Statement, at: Timestamp) -> Result<There, Outcome> {
        let place = board::found(said, &self.stands(said, at))?.map(|one| one.id.clone());
        Ok(self.with(place))
    }

    fn with(self, place: Option<String>) -> There {
        let handle = Handle { incident: self.id, places: place.into_iter().collect() };
        There { handle, components: self.components.unwrap_or_default() }
    }
}

/// Whether something that stands there may be what is taken back, by its hour: the one at which that went out, a later one, or where it may
/// have made the incident that at which it began.
fn may_be_taken_back(parcel: &Parcel, said: &Statement, one: &Stands) -> bool {
    let out = said.mends.as_ref().map_or(said.at, |mended| mended.at);
    let root = parcel.thread_root.as_deref().map(Handle::read).unwrap_or_default();
    let is_first =
        !root.places.contains(&one.id) && one.at.is_some_and(|at| at.duration_since(said.began).abs() <= OFF);
    is_first || board::is_since(one.at, out, OFF) != Some(false)
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
