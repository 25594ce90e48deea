//! Atlassian Statuspage: an incident of a page, and an update of it for each statement after the first.
//!
//! Shapes are those of the OpenAPI description that Atlassian publishes at developer.statuspage.io, as the Go client
//! sbecker59/statuspage-api-client-go carries it (api/v1/statuspage/api/openapi.yaml); examples of answers are of doers.statuspage.io/api/v1.
//!
//! It knows no idempotency, and every incident is mailed to everybody who subscribed. Each write puts the delivery into the incident's
//! `metadata` (`onscene`), so whoever tries again reads first: for the first statement the open incidents and the newest hundred of all,
//! for a further one its incident. `metadata` stands in the description of both writes, and letters of one incident come in their order:
//! the mark of another delivery says that this one has not written. Whether a write keeps what others have put there is not in the
//! description: where there is no mark, words and status are compared of what was created since the statement was released. While no
//! statement of an incident was answered, but one may be there, the next looks for the mark of that one, and becomes an update there.
//!
//! Components get their state in the call that writes. Closing puts those of the statement back to work in the same call, and what
//! else of ours the incident touched in calls of their own, which may be repeated. What the incident's impact was stays in its history.
//! One that was removed there is a reason for 422, so a write that gets it is tried once more without those that are gone.
//!
//! An update cannot be removed, so what is taken back gets the words that take it back, unmailed, and these are posted too: who read the
//! first is told. Its title goes with it: a retraction names the incident anew. Where it is not known which update is meant, it is
//! looked for by its words. A title has 255 characters at most, a body 25,000; the page shows some HTML and Markdown in a body, and nothing is done
//! about either.
//!
//! A token has one request a second, more is answered 420 or 429. 401, 403, 404 and 410 are about the token or the page; 404 at an incident says
//! that it was removed there, and is about this letter. 422 is about this letter too; its words are not told, for they may repeat ours.

use http::{Method, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Api, bounded, encode, strange, usual};
use super::board::{self, Board, Handle, Known, Left, Sought, Stands};
use super::client::Answer;
use super::pace::Pace;
use super::statement::Shown;
use super::tries::{still_wanted, unwanted};
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement};
use crate::core::voice::{Phase, Sort};

#[cfg(test)]
mod stories;

/// A page of Statuspage.
pub const KIND: Kind = Kind {
    name: "statuspage",
    keys: &[
        Key { name: "page", secret: false, required: true },
        board::TOKEN,
        board::COMPONENTS,
        board::NOTIFY,
        board::URL,
        board::PRIVATE,
    ],
    build: Statuspage::build,
    address: None,
    status: true,
};

/// Where it is.
const API_URL: &str = "https://api.statuspage.io";
const TITLE_CHARS_MAX: usize = 255;
const BODY_CHARS_MAX: usize = 25_000;
/// A token has one request in so long.
const EVERY: SignedDuration = SignedDuration::from_secs(1);
/// Requests are counted over so long, so nothing is asked for that time after too many.
const REST: std::time::Duration = std::time::Duration::from_secs(60);
/// Their clock is not off by more.
const OFF: SignedDuration = SignedDuration::from_mins(2);
/// Their words for: works, is slow, works in part, does not work.
const STATES: [&str; 4] = ["operational", "degraded_performance", "partial_outage", "major_outage"];
/// Their own word for "too many", beside 429.
const CALM: u16 = 420;

/// One page.
pub struct Statuspage {
    api: Api,
    page: String,
    board: Board,
    pace: Pace,
    sought: Sought,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    name: Option<String>,
    status: Option<String>,
    incident_updates: Option<Vec<Update>>,
    components: Option<Vec<Component>>,
    metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Update {
    id: String,
    status: Option<String>,
    body: Option<String>,
    #[serde(default, deserialize_with = "board::hour")]
    created_at: Option<Timestamp>,
    affected_components: Option<Vec<Touched>>,
}

#[derive(Deserialize)]
struct Component {
    id: String,
    status: Option<String>,
}

/// A component in an update.
#[derive(Deserialize)]
struct Touched {
    code: Option<String>,
    new_status: Option<String>,
}

impl Statuspage {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let api = Api::new(&mut fields, shared, "url", Some(API_URL))?;
        let api = api.keyed(header::AUTHORIZATION, &format!("OAuth {}", token.expose_secret()))?;
        let page = fields.texts.remove("page").unwrap_or_default();
        if page.is_empty() || !page.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(
                "`page` is the id of the page, small letters and digits, as its API settings show it".into(),
            );
        }
        let board = Board::new(&mut fields)?;
        Ok(Channel::Statuspage(Self { api, page, board, pace: Pace::new(EVERY), sought: Sought::default() }))
    }

    /// How the page shows a statement.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        let Some(said) = parcel.statement.as_deref() else { return Shown::whole(parcel.text.clone()) };
        let text = format!("{}\n\n{} - {}", said.title, board::phase(said).title(), said.text);
        let (title, body) = (said.title.chars().count(), said.text.chars().count());
        match title > TITLE_CHARS_MAX {
            true => Shown { text, size: title, most: TITLE_CHARS_MAX, unit: "characters in its title" },
            false => Shown { text, size: body, most: BODY_CHARS_MAX, unit: "characters" },
        }
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        let said = board::statement(parcel, &self.shows(parcel))?;
        self.sought.begin(parcel, said);
        let known = match parcel.thread_root.as_deref().map(Handle::read) {
            Some(root) => Known::Before(root.incident),
            None if board::may_have_begun(parcel) => self.find(parcel, said).await?,
            None => Known::Nothing,
        };
        let mut left = Left::default();
        let (incident, places) = match known {
            Known::Here(incident) if said.sort != Sort::Retraction => {
                let place = incident.update_of(parcel, said)?;
                (incident, place.into_iter().collect())
            }
            Known::Here(Incident { id, .. }) | Known::Before(id) => {
                self.further(parcel, said, &id, &mut left).await?
            }
            Known::Nothing => {
                left.is_of_an_unknown_one(parcel, said);
                self.first(parcel, said).await?
            }
        };
        if board::over(said) && !parcel.only_look {
            self.work_again(said, &incident).await.map_err(board::unfinished)?;
        }
        Ok(left.told(&Handle { places, incident: incident.id }))
    }

    /// The first statement makes the incident.
    async fn first(&self, parcel: &Parcel, said: &Statement) -> Result<(Incident, Vec<String>), Outcome> {
        still_wanted(parcel)?;
        let answer = self.write(parcel, said, (Method::POST, "/incidents"), Some(&said.title)).await?;
        let (incident, place) = written(parcel, said, &answer, |answer| self.fault(answer))?;
        Ok((incident, place.into_iter().collect()))
    }

    /// The incident that this statement has made, or one before it of the same incident of ours.
    async fn find(&self, parcel: &Parcel, said: &Statement) -> Result<Known<Incident>, Outcome> {
        let (mut before, mut named, mut keeps_marks) = (None, Vec::new(), false);
        for list in ["/incidents/unresolved?per_page=100", "/incidents?limit=100"] {
            let all = self.look::<Vec<Incident>>(list, |answer| self.fault(answer)).await;
            for incident in all.map_err(|outcome| board::unseen(parcel, outcome))? {
                if board::may_be_there(parcel) && incident.began_with(parcel, said)? {
                    return Ok(Known::Here(incident));
                }
                keeps_marks |= incident.mark().is_some();
                if board::is_lost(parcel, incident.mark()) {
                    before.get_or_insert(incident.id);
                } else if !parcel.lost.is_empty() && incident.may_be_of(said) && !named.contains(&incident.id)
                {
                    named.push(incident.id);
                }
            }
        }
        if !keeps_marks && let [one] = named.as_slice() {
            return Ok(Known::Before(one.clone()));
        }
        Ok(before.map_or(Known::Nothing, Known::Before))
    }

    /// A further statement is an update of it.
    async fn further(
        &self,
        parcel: &Parcel,
        said: &Statement,
        incident: &str,
        left: &mut Left,
    ) -> Result<(Incident, Vec<String>), Outcome> {
        let path = format!("/incidents/{}", encode(incident));
        let fault = |answer: &Answer| board::gone(answer, |answer| self.fault_at(answer));
        // What takes something back stands in its place, too.
        let mut gone = board::taken_back(said)
            .unwrap_or_else(|| Handle { incident: incident.to_owned(), places: Vec::new() });
        let mut there = None;
        if board::may_be_there(parcel) {
            let incident = self.look::<Incident>(&path, fault).await;
            let incident = incident.map_err(|outcome| board::unseen(parcel, outcome))?;
            let place = incident.update_of(parcel, said)?;
            there = (incident.is_marked(parcel) || place.is_some()).then_some((incident, place));
        }
        if parcel.only_look || there.is_some() && said.sort != Sort::Retraction {
            let (incident, place) = there.ok_or_else(unwanted)?;
            return Ok((incident, place.into_iter().chain(gone.places).collect()));
        }
        if let Some(words) = board::to_be_found(parcel, said) {
            let look = async { Ok(self.look::<Incident>(&path, fault).await?.stands(parcel, said)) };
            let out = said.mends.as_ref().map_or(said.at, |mended| mended.at);
            let may_be = |one: &Stands| board::is_since(one.at, out, OFF) != Some(false);
            gone.places =
                self.sought.places(parcel, (words, true), (look, may_be), (left, there.is_some())).await?;
        }
        for update in &gone.places {
            left.after(parcel, self.reword(said, &gone.incident, update).await)?;
        }
        // Its words may have come before what they take back was gone.
        if let Some((incident, place)) = there {
            return Ok((incident, place.into_iter().chain(gone.places).collect()));
        }
        // A title that was taken back is not what the incident is called.
        let name = Some(said.title.as_str()).filter(|_| said.sort == Sort::Retraction);
        let answer = self.write(parcel, said, (Method::PATCH, &path), name).await?;
        let (incident, place) = written(parcel, said, &answer, fault)?;
        Ok((incident, place.into_iter().chain(gone.places).collect()))
    }

    /// Writes it with its components, and where that is refused once more with those that are there.
    async fn write(
        &self,
        parcel: &Parcel,
        said: &Statement,
        (method, path): (Method, &str),
        name: Option<&str>,
    ) -> Result<Answer, Outcome> {
        let (path, affected) = (self.path(path), self.board.affected(said));
        self.pace.turn().await?;
        let body = self.body(parcel, said, name, &affected);
        let answer = self.api.call(method.clone(), &path, Some(&body), &[]).await?;
        if !board::is_wrong(&answer, &affected) {
            return Ok(answer);
        }
        let mut gone = Vec::new();
        for id in board::few(&affected) {
            self.pace.turn().await?;
            let answer = self.api.get(&self.path(&format!("/components/{}", encode(id)))).await;
            gone.extend(answer.is_ok_and(|answer| board::is_gone(&answer)).then_some(*id));
        }
        let there = self.board.again(parcel, &KIND, &affected, &gone);
        self.pace.turn().await?;
        self.api.call(method, &path, Some(&self.body(parcel, said, name, &there)), &[]).await
    }

    /// Gives an update that is taken back the words which take it back.
    async fn reword(&self, said: &Statement, incident: &str, update: &str) -> Result<(), Outcome> {
        self.pace.turn().await?;
        let path = format!("/incidents/{}/incident_updates/{}", encode(incident), encode(update));
        let body = json!({"incident_update": {
            "body": said.text, "deliver_notifications": false, "wants_twitter_update": false,
        }});
        let answer = self.api.patch(&self.path(&path), &body).await.map_err(board::unwritten)?;
        match answer.status.as_u16() {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(board::unwritten(self.fault_at(&answer))),
        }
    }

    /// Puts back to work what of ours the incident touched and the closing statement does not name.
    async fn work_again(&self, said: &Statement, incident: &Incident) -> Result<(), Outcome> {
        let named = self.board.affected(said);
        for id in self.board.ids().filter(|id| !named.contains(id) && incident.left_broken(id)) {
            self.pace.turn().await?;
            let path = format!("/components/{}", encode(id));
            let body = json!({"component": {"status": STATES[0]}});
            let answer = self.api.patch(&self.path(&path), &body).await?;
            if !answer.status.is_success() && !matches!(answer.status.as_u16(), 404 | 410) {
                return Err(self.fault_at(&answer));
            }
        }
        Ok(())
    }

    /// What both writes carry.
    fn body(&self, parcel: &Parcel, said: &Statement, name: Option<&str>, components: &[&str]) -> Value {
        let mut body = Map::new();
        if let Some(name) = name {
            body.insert("name".into(), name.into());
        }
        body.insert("status".into(), status(said).into());
        body.insert("body".into(), said.text.as_str().into());
        body.insert("deliver_notifications".into(), self.board.notify.into());
        body.insert("metadata".into(), json!({"onscene": {"delivery": parcel.delivery}}));
        if !board::over(said) {
            body.insert("impact_override".into(), board::impact(said).as_str().into());
        }
        if !components.is_empty() {
            let state = board::state(said, STATES);
            let states: Map<String, Value> =
                components.iter().map(|id| ((*id).to_owned(), state.into())).collect();
            body.insert("component_ids".into(), components.into());
            body.insert("components".into(), states.into());
        }
        json!({"incident": body})
    }

    /// What stands there, before anything is written.
    async fn look<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        fault: impl FnOnce(&Answer) -> Outcome,
    ) -> Result<T, Outcome> {
        self.pace.turn().await?;
        board::looked(self.api.look(&self.path(path), board::LOOK_BYTES_MAX).await, fault)
    }

    fn path(&self, path: &str) -> String {
        format!("/v1/pages/{}{path}", self.page)
    }

    fn fault(&self, answer: &Answer) -> Outcome {
        self.calm(answer).unwrap_or_else(|| board::plain(answer))
    }

    /// The same, at the address of one thing on the page.
    fn fault_at(&self, answer: &Answer) -> Outcome {
        self.calm(answer).unwrap_or_else(|| usual(answer, board::WHOLE_BUT_GONE, None))
    }

    /// When there were too many requests, nobody has a turn for a while.
    fn calm(&self, answer: &Answer) -> Option<Outcome> {
        let status = answer.status.as_u16();
        if !matches!(status, CALM | 429) {
            return None;
        }
        self.pace.rest(answer.retry_after.unwrap_or(REST));
        Some(Outcome::Wait { after: answer.retry_after, why: format!("answered {status}") })
    }
}

/// What is known of a statement that was written: the incident, and the place of its words. Where an answer shows neither mark nor words of
/// it, they are the newest in it.
fn written(
    parcel: &Parcel,
    said: &Statement,
    answer: &Answer,
    fault: impl FnOnce(&Answer) -> Outcome,
) -> Result<(Incident, Option<String>), Outcome> {
    if !answer.status.is_success() {
        return Err(fault(answer));
    }
    // One with many updates is longer than what is read of an answer: then it is found by the next attempt.
    let incident: Incident = serde_json::from_slice(&answer.body).map_err(|_| strange("Statuspage"))?;
    let place = incident.update_of(parcel, said).ok().flatten();
    let place = place.or_else(|| incident.newest_first().first().map(|newest| newest.id.clone()));
    Ok((incident, place))
}

impl Incident {
    /// The delivery that was written to it last.
    fn mark(&self) -> Option<&str> {
        self.metadata.as_ref()?.get("onscene")?.get("delivery")?.as_str()
    }

    fn is_marked(&self, parcel: &Parcel) -> bool {
        board::is_own(parcel, self.mark())
    }

    /// Whether it may be the incident that a statement is about, on a page that keeps no marks: by its name, or by the words that are taken
    /// back.
    fn may_be_of(&self, said: &Statement) -> bool {
        let has = |words: &String| {
            let bodies = self.incident_updates.iter().flatten().filter_map(|one| one.body.as_ref());
            bodies.into_iter().any(|body| board::same(body, words))
        };
        let is_called = self.name.as_deref().is_some_and(|name| board::same(name, &said.title));
        let newest = self.newest_first().first().and_then(|one| one.created_at);
        self.mark().is_none()
            && (is_called || said.takes_back.as_ref().is_some_and(has))
            && self.status.as_deref().is_some_and(|status| status != "resolved")
            && board::is_since(newest, said.began, OFF) == Some(true)
    }

    /// Whether this statement made it. One that has no mark, whatever became of it, is known by its words.
    fn began_with(&self, parcel: &Parcel, said: &Statement) -> Result<bool, Outcome> {
        if self.mark().is_some() {
            return Ok(self.is_marked(parcel));
        }
        let is_called = self.name.as_deref().is_some_and(|name| board::same(name, &said.title));
        Ok(is_called && board::began_with(said, &self.stands(parcel, said))?)
    }

    fn newest_first(&self) -> Vec<&Update> {
        let mut updates: Vec<&Update> = self.incident_updates.iter().flatten().collect();
        updates.sort_by_key(|update| std::cmp::Reverse(update.created_at));
        updates
    }

    /// What stands in it, the newest first.
    fn stands(&self, parcel: &Parcel, said: &Statement) -> Vec<Stands> {
        let updates = self.newest_first();
        // The mark is the incident's: it is of the newest with these words, or of the newest where the page has changed words.
        let has_words = |one: &&Update| one.body.as_deref().is_some_and(|body| board::same(body, &said.text));
        let marked = updates.iter().position(has_words).unwrap_or(0);
        let (is_marked, others) = (self.is_marked(parcel), self.mark().is_some() && !self.is_marked(parcel));
        let stands = updates.into_iter().enumerate().map(|(place, update)| Stands {
            id: update.id.clone(),
            text: update.body.clone().unwrap_or_default(),
            same_status: update.status.as_deref() == Some(status(said)),
            marked: place == marked && is_marked,
            since: if others { Some(false) } else { board::is_since(update.created_at, said.at, OFF) },
            at: update.created_at,
        });
        stands.collect()
    }

    /// The id of the update that says it.
    fn update_of(&self, parcel: &Parcel, said: &Statement) -> Result<Option<String>, Outcome> {
        Ok(board::found(said, &self.stands(parcel, said))?.map(|one| one.id.clone()))
    }

    /// Whether a component that it touched does not work, as far as it is known here.
    fn left_broken(&self, id: &str) -> bool {
        let linked = self.components.iter().flatten().find(|one| one.id == id);
        if let Some(linked) = linked {
            return linked.status.as_deref() != Some(STATES[0]);
        }
        let touched =
            self.incident_updates.iter().flatten().flat_map(|one| one.affected_components.iter().flatten());
        touched
            .filter(|one| one.code.as_deref() == Some(id))
            .any(|one| one.new_status.as_deref() != Some(STATES[0]))
    }
}

fn status(said: &Statement) -> &'static str {
    match board::phase(said) {
        Phase::Investigating => "investigating",
        Phase::Identified => "identified",
        Phase::Monitoring => "monitoring",
        Phase::Resolved => "resolved",
    }
}
