//! What requests work with.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};

use super::accept::Meters;
pub use super::answer::Presses;
pub use super::answers::whisper::{Whisperer, Whispers, whispers};
use super::limits::Limits;
pub use super::pages::login::Asks;
pub use super::pages::taps::Taps;
use super::problem::Problem;
use super::refused::Refusals;
use super::sns::Sns;
use super::stale::Stale;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::commit::{Door, DoorError};
use crate::core::decide::Refusal;
use crate::core::role::{self, Deed, No, Who};
use crate::core::rules::Person;
use crate::crypto;
use crate::house::Current;
use crate::metrics::Metrics;
use crate::store::sight::{Seen, Sight};
use crate::store::{StoreError, tokens};
use crate::watch::Watch;

/// What every request may use. Cheap to clone: the router does so several times a request.
#[derive(Clone)]
pub struct Desk(Arc<Tools>);

/// What lies on the desk.
pub struct Tools {
    /// Where changes go.
    pub door: Door,
    /// Where the state is read.
    pub sight: Sight,
    /// The configuration, built.
    pub house: Arc<Current>,
    /// The hour.
    pub clock: Clock,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Sizes and times.
    pub limits: Arc<Limits>,
    /// Set when the daemon begins to stop: `/readyz` says so, and load balancers go elsewhere.
    pub stopping: Arc<AtomicBool>,
    /// Room for bodies that are being read or wait for the disk, in KiB.
    pub bodies: Arc<Semaphore>,
    /// The same, for bodies of which nobody knows yet whether they are signed by who may send them.
    pub unproven: Arc<Semaphore>,
    /// Proves what Amazon SNS sends.
    pub sns: Sns,
    /// What was said of deliveries that are not believed.
    pub refusals: Refusals,
    /// What this node has seen of presses on answer pages.
    pub presses: Presses,
    /// Forms of pages that it was sent in the last seconds.
    pub taps: Taps,
    /// How often links to log in were asked for.
    pub asks: Asks,
    /// Words to people who pressed a button in a chat.
    pub whispers: Whispers,
    /// Who follows timelines.
    pub watch: Watch,
    /// What the transport counts.
    pub meters: Meters,
    /// The same of the public listener.
    pub public_meters: Meters,
}

impl From<Tools> for Desk {
    fn from(tools: Tools) -> Self {
        Self(Arc::new(tools))
    }
}

impl Deref for Desk {
    type Target = Tools;

    fn deref(&self) -> &Tools {
        &self.0
    }
}

impl Desk {
    /// Whether alerts can be accepted.
    ///
    /// # Errors
    /// The reason why not.
    pub fn ready(&self) -> Result<(), &'static str> {
        if self.stopping.load(Ordering::Acquire) {
            Err("stopping")
        } else if !self.door.takes_deliveries() {
            Err("the store takes no writes")
        } else {
            Ok(())
        }
    }

    /// Whether somebody may do something, by the configuration as it is now: see [`role`].
    ///
    /// # Errors
    /// Why not.
    pub fn allows(&self, holder: &tokens::Holder, deed: Deed<'_>) -> Result<(), No> {
        let rules = &self.house.get().rules;
        let who = match holder {
            tokens::Holder::Person(name) => Who::Person(name, rules.people.get(name).map(Person::role)),
            tokens::Holder::Automation(_) => Who::Program,
        };
        role::may(who, deed)
    }

    /// Who a bearer token of the API speaks for, now, and may do this.
    ///
    /// # Errors
    /// 401 without a valid token, 403 when they may not, 503 when the store cannot be read.
    pub async fn holder(&self, headers: &HeaderMap, deed: Deed<'_>) -> Result<tokens::Holder, Problem> {
        let token = needed(headers)?;
        let read = self.sight.now(move |tx| tokens::api_holder(tx, &token)).await;
        let found = read.map_err(|error| {
            drop(cannot_read(&error));
            Problem::unavailable("the store cannot be reached at this moment; nothing was changed", 5)
        })?;
        let holder = found.ok_or_else(|| Problem::unauthorized("this token is unknown or revoked"))?;
        self.allows(&holder, deed)?;
        Ok(holder)
    }

    /// Whether a request carries a token of the API, as far as is known: for whoever only looks.
    ///
    /// # Errors
    /// 401 without a valid token, 403 when its holder has left, 503 when nothing can be read.
    pub async fn may_look(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let token = needed(headers)?;
        let known = self.sight.or_last(move |tx| tokens::api_holder(tx, &token)).await;
        match known.map_err(|error| cannot_read(&error))? {
            Seen { value: Some(holder), .. } => Ok(self.allows(&holder, Deed::Look)?),
            Seen { as_of: None, .. } => Err(Problem::unauthorized("this token is unknown or revoked")),
            Seen { as_of: Some(_), .. } => Err(Problem::unauthorized(
                "this token is revoked, or not known to this node, which cannot reach its store at this moment",
            )),
        }
    }

    /// How old what was read is; `None` when it is the present.
    pub fn stale(&self, as_of: Option<Timestamp>) -> Option<Stale> {
        as_of.map(|as_of| {
            let age = self.clock.now().duration_since(as_of).max(SignedDuration::ZERO);
            Stale { as_of, age, hears: self.door.takes_deliveries() }
        })
    }
}

fn needed(headers: &HeaderMap) -> Result<String, Problem> {
    let what = "send a token of the API as `Authorization: Bearer TOKEN`; `onscene token create` makes one";
    bearer(headers).map(str::to_owned).ok_or_else(|| Problem::unauthorized(what))
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The user name of an `Authorization: Basic` header.
pub fn basic_user(headers: &HeaderMap) -> Option<String> {
    basic(headers).map(|(user, _)| user)
}

/// The password of an `Authorization: Basic` header.
pub fn basic_password(headers: &HeaderMap) -> Option<String> {
    basic(headers).map(|(_, password)| password)
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, both) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let both = String::from_utf8(crypto::from_base64(both.trim())?).ok()?;
    both.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// 503: the store cannot be read.
pub fn cannot_read(error: &StoreError) -> Problem {
    tracing::error!(%error, "the store cannot be read");
    Problem::unavailable("the store cannot be read at this moment", 5)
}

impl From<No> for Problem {
    fn from(no: No) -> Self {
        Self::forbidden(no.to_string())
    }
}

impl From<DoorError> for Problem {
    fn from(error: DoorError) -> Self {
        let detail = error.to_string();
        match error {
            DoorError::Refused(refusal) => refused(&refusal, detail),
            DoorError::NoIncident(_)
            | DoorError::NoToken(_)
            | DoorError::NoLink(_)
            | DoorError::NoSession(_)
            | DoorError::NoSilence(_)
            | DoorError::NoCondition(_)
            | DoorError::NoTurn(..) => Self::not_found(detail),
            DoorError::TooManyTokens(_)
            | DoorError::TooManyLogins(_)
            | DoorError::TooManyLinks(_)
            | DoorError::TooManySilences(_)
            | DoorError::TooManyConditions(_)
            | DoorError::TooManyTurns(..) => Self::conflict(detail),
            DoorError::BadSilence(_) | DoorError::BadCondition(_) | DoorError::BadTurn(_) => {
                Self::bad_request(detail)
            }
            DoorError::NoService(_) | DoorError::Unknown(_) => Self::unprocessable(detail),
            DoorError::Robot
            | DoorError::OtherPage
            | DoorError::OnlyTest
            | DoorError::Which(_)
            | DoorError::Code { .. } => Self::conflict(detail),
            DoorError::NoPage => Self::not_found(detail),
            DoorError::NoLogin => Self::unauthorized(detail),
            DoorError::NotYours => Self::forbidden(detail),
            DoorError::Full => Self::unavailable(detail, 1),
            DoorError::TooManyKept(_) => Self::unavailable(detail, 60),
            DoorError::Fault => Self::internal(),
            DoorError::Store | DoorError::Closed => Self::unavailable(detail, 5),
            // No hour for another try: it may have been done.
            DoorError::Late => {
                let title = "It is not known whether it was done";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome-unknown", title, detail)
            }
        }
    }
}

fn refused(refusal: &Refusal, detail: String) -> Problem {
    match refusal {
        Refusal::Stale { commander, term } => {
            Problem::conflict(detail).with("commander", commander.as_str()).with("term", *term)
        }
        Refusal::HasCommand { commander, term } => {
            Problem::conflict(detail).with("commander", commander.as_str()).with("term", *term)
        }
        Refusal::SituationMoved { now, .. } => Problem::conflict(detail).with("brief", *now),
        Refusal::Watched { until } => Problem::conflict(detail).with("until", until.to_string()),
        Refusal::NobodyCommands
        | Refusal::Stopped { .. }
        | Refusal::Busy(_)
        | Refusal::Over(_)
        | Refusal::StillOpen
        | Refusal::WrongState(_)
        | Refusal::NotThere(_) => Problem::conflict(detail),
        Refusal::NotAPerson | Refusal::UnknownPerson(_) | Refusal::NotAllowed(_) => {
            Problem::forbidden(detail)
        }
        Refusal::BadWords(_) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-words", "The words cannot be taken", detail)
        }
        Refusal::Disclosed { found } => {
            let title = "The words must not go out like this";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "disclosure", title, detail)
                .with("findings", super::api::view::findings(found))
        }
        Refusal::Void(_) => Problem::conflict(detail),
        Refusal::Fault(_) => Problem::internal(),
    }
}

#[cfg(test)]
pub(in crate::http) mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::channels::client::Client;
    use crate::commit::{self, Committer, Wakes};
    use crate::house::House;
    use crate::store::readers::Readers;
    use crate::store::{Connection, Place};

    /// A desk whose door nobody answers at, and what has to be kept meanwhile.
    pub(in crate::http) fn desk(house: House) -> (Desk, (Committer, tempfile::TempDir)) {
        desk_with(house, [Semaphore::new(0), Semaphore::new(0)])
    }

    /// The same, with so much room for bodies.
    pub(in crate::http) fn desk_with(
        house: House,
        [bodies, unproven]: [Semaphore; 2],
    ) -> (Desk, (Committer, tempfile::TempDir)) {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let place = Place::Sqlite(directory.path().join("onscene.db"));
        let connection = Connection::writer(&place, &clock).unwrap();
        let (house, metrics) = (Arc::new(Current::new(house)), Arc::new(Metrics::new(0.0).unwrap()));
        let room = commit::Room { queue_max: 16, spool: None };
        let readers = Readers::new(place.clone(), clock.clone());
        let (door, committer) = commit::door(
            room,
            connection,
            place,
            clock.clone(),
            house.clone(),
            metrics.clone(),
            Wakes::default(),
        );
        let client = || Client::new(None).unwrap();
        let desk = Desk::from(Tools {
            door,
            watch: Watch::new(Sight::new(readers.clone(), None), CancellationToken::new()),
            sight: Sight::new(readers, None),
            house,
            clock,
            metrics,
            limits: Arc::new(Limits::default()),
            stopping: Arc::default(),
            presses: Presses::default(),
            taps: Taps::default(),
            asks: Asks::default(),
            bodies: Arc::new(bodies),
            unproven: Arc::new(unproven),
            sns: Sns::new(client()),
            refusals: Refusals::default(),
            meters: Meters::default(),
            public_meters: Meters::default(),
            whispers: whispers(client()).0,
        });
        (desk, (committer, directory))
    }
}
