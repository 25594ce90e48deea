//! What the kinds that publish to a status page share: which component there is meant by a service, how bad it is, and whether a
//! statement stands there already.
//!
//! None of them knows a key that it would recognise a repeat by, so whoever tries again looks first. What stands there is known by the
//! mark that it was written with, where the page keeps one. By its words and its status it is known only where it cannot be an older
//! statement in the same words: an incident may be closed twice by the same template. What cannot be told apart is not known.
//!
//! What a page shows as the present is what is true once the statement is out ([`Statement::now`]), and not what a correction or a
//! retraction is about.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer};

use super::api::{refused, usual};
use super::client::Answer;
use super::statement::{self, Shown, standing, unseen_for};
use super::{Fields, Key, Kind, Outcome, Parcel, Statement};
use crate::core::voice::{Impact, Phase, Sort};

/// Between their incident and what is in it.
const BETWEEN: char = '/';
/// The most that is read of what stands on a page.
pub(super) const LOOK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Of more components than this nobody asks which of them were removed.
const ASKED_MAX: usize = 8;
/// Statuses of a write that may be refused for one of its components.
const WRONG: [u16; 2] = [400, 422];
/// Statuses of what was removed.
const GONE: [u16; 2] = [404, 410];
/// Statuses for which the fault is the channel's own.
pub(super) const WHOLE: &[u16] = &[401, 403, 404, 410];
/// The same, at the address of one thing on the page: it may be gone, and the page is there.
pub(super) const WHOLE_BUT_GONE: &[u16] = &[401, 403];

/// The key with the address of a server.
pub(super) const URL: Key = Key { name: "url", secret: false, required: false };
/// The key with the token.
pub(super) const TOKEN: Key = Key { name: "token", secret: true, required: true };
/// Which component is meant by a service: `["shop=abc123"]`.
pub(super) const COMPONENTS: Key = Key { name: "components", secret: false, required: false };
/// Whether they mail their subscribers.
pub(super) const NOTIFY: Key = Key { name: "notify", secret: false, required: false };
/// Whether the server may be within the own network.
pub(super) const PRIVATE: Key = Key { name: "private_addresses", secret: false, required: false };

/// What the operator says of a page.
pub(super) struct Board {
    /// Services of the house, and their components there.
    components: Vec<(String, String)>,
    /// Whether they mail their subscribers.
    pub(super) notify: bool,
}

impl Board {
    /// Reads `components` and `notify`.
    pub(super) fn new(fields: &mut Fields) -> Result<Self, String> {
        let mut components = Vec::new();
        for one in fields.lists.remove("components").unwrap_or_default() {
            let pair = one.split_once('=').map(|(service, id)| (service.trim(), id.trim()));
            let Some((service, id)) = pair.filter(|(service, id)| !service.is_empty() && !id.is_empty())
            else {
                return Err(format!(
                    "`components` holds a service and the id of its component, such as \"shop=abc123\", and not \"{one}\""
                ));
            };
            components.push((service.to_owned(), id.to_owned()));
        }
        let notify = match fields.texts.remove("notify").as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => return Err("`notify` is true or false".into()),
        };
        Ok(Self { components, notify })
    }

    /// The components of what a statement is about, each once.
    pub(super) fn affected(&self, said: &Statement) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for service in &said.services {
            for (_, id) in self.components.iter().filter(|(known, _)| known == service) {
                if !found.contains(&id.as_str()) {
                    found.push(id);
                }
            }
        }
        found
    }

    /// Whether a component there is one of a service of the house.
    pub(super) fn is_ours(&self, component: &str) -> bool {
        self.components.iter().any(|(_, id)| id == component)
    }

    /// The services that a component stands for, as they are told to the operator.
    fn services_of(&self, component: &str) -> String {
        let services = self.components.iter().filter(|(_, id)| id == component);
        services.map(|(service, _)| service.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The components that are there of these, of which some are `gone`. The log says which are left out.
    pub(super) fn without<'a>(
        &self,
        parcel: &Parcel,
        kind: &Kind,
        components: &[&'a str],
        gone: &[&str],
    ) -> Vec<&'a str> {
        for component in gone {
            tracing::warn!(
                incident.id = parcel.incident,
                channel.kind = kind.name,
                services = self.services_of(component),
                "a component that was removed from a status page is left out; take it out of `components`"
            );
        }
        components.iter().filter(|id| !gone.contains(*id)).copied().collect()
    }

    /// With which components a write is tried once more that was refused with these: with those that are there, or with none where
    /// nothing tells which of them is wrong.
    pub(super) fn again<'a>(
        &self,
        parcel: &Parcel,
        kind: &Kind,
        components: &[&'a str],
        gone: &[&str],
    ) -> Vec<&'a str> {
        if !gone.is_empty() {
            return self.without(parcel, kind, components, gone);
        }
        tracing::warn!(
            incident.id = parcel.incident,
            channel.kind = kind.name,
            "a status page refuses its components, and a statement is written without them"
        );
        Vec::new()
    }

    /// The ids that are written down.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.components.iter().map(|(_, id)| id.as_str())
    }
}

/// The statement of a parcel, when it is one and fits.
pub(super) fn statement<'a>(parcel: &'a Parcel, shown: &Shown) -> Result<&'a Statement, Outcome> {
    let Some(said) = parcel.statement.as_deref() else {
        return Err(refused("a status page takes statements, and nothing else", false));
    };
    if !shown.fits() {
        let why = format!("it has {} {}, and the page takes {}", shown.size, shown.unit, shown.most);
        return Err(refused(&why, false));
    }
    Ok(said)
}

/// Whether a write was refused with components, and may be taken without some of them.
pub(super) fn is_wrong(answer: &Answer, components: &[&str]) -> bool {
    !components.is_empty() && WRONG.contains(&answer.status.as_u16())
}

/// Those of the components of a refused write that are looked at one by one.
pub(super) fn few<'a, 'b>(components: &'b [&'a str]) -> &'b [&'a str] {
    if components.len() > ASKED_MAX { &[] } else { components }
}

/// Whether what was asked for was removed.
pub(super) fn is_gone(answer: &Answer) -> bool {
    GONE.contains(&answer.status.as_u16())
}

/// Whether it says that it is over, or leaves it so.
pub(super) fn over(said: &Statement) -> bool {
    said.sort == Sort::Closing || said.now.map_or(said.phase, |now| now.phase) == Phase::Resolved
}

/// How far it is, as the page is told: what closes resolves.
pub(super) fn phase(said: &Statement) -> Phase {
    match over(said) {
        true => Phase::Resolved,
        false => said.now.map_or(said.phase, |now| now.phase),
    }
}

/// How much readers notice, as the page is told.
pub(super) fn impact(said: &Statement) -> Impact {
    said.now.map_or(said.impact, |now| now.impact)
}

/// The word for how bad what is affected is, out of four that begin with the one for "works".
pub(super) fn state<T: Copy>(said: &Statement, words: [T; 4]) -> T {
    let [works, slow, partly, out] = words;
    match impact(said) {
        _ if over(said) => works,
        Impact::None => works,
        Impact::Minor => slow,
        Impact::Major => partly,
        Impact::Critical => out,
    }
}

/// What a statement is remembered by: their incident, and the places in it where its words stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) incident: String,
    pub(super) places: Vec<String>,
}

impl Handle {
    /// Reads what [`Self::text`] wrote.
    pub(super) fn read(text: &str) -> Self {
        let mut parts = text.split(BETWEEN).map(str::to_owned);
        Self { incident: parts.next().unwrap_or_default(), places: parts.collect() }
    }

    /// As it is kept.
    pub(super) fn text(&self) -> String {
        let mut text = self.incident.clone();
        for place in &self.places {
            text.push(BETWEEN);
            text.push_str(place);
        }
        text
    }

    /// It is there.
    pub(super) fn accepted(&self) -> Outcome {
        Outcome::Accepted { remote_id: Some(self.text()) }
    }
}

/// What there is of an incident on a page before a statement is written.
pub(super) enum Known<T> {
    /// Nothing: this statement makes it.
    Nothing,
    /// This statement, in the incident that it made or wrote to last.
    Here(T),
    /// An incident, by its id, that one before it made: this statement is to be a further one in it.
    Before(String),
}

/// Whether this statement may be there: an attempt before, or a letter before that carried it, may have written it.
pub(super) fn may_be_there(parcel: &Parcel) -> bool {
    parcel.attempt > 1 || !parcel.again.is_empty()
}

/// Whether it has to be looked for where nothing is known of an incident on the page: this statement, or one before it, may have made one.
pub(super) fn may_have_begun(parcel: &Parcel) -> bool {
    may_be_there(parcel) || !parcel.lost.is_empty()
}

/// Whether a mark is that of this statement.
pub(super) fn is_own(parcel: &Parcel, mark: Option<&str>) -> bool {
    mark.is_some_and(|mark| mark == parcel.delivery || parcel.again.iter().any(|again| again == mark))
}

/// Whether a mark is that of a statement before this one.
pub(super) fn is_lost(parcel: &Parcel, mark: Option<&str>) -> bool {
    mark.is_some_and(|mark| parcel.lost.iter().any(|lost| lost == mark))
}

/// What it means that nobody can look: of a statement that nobody may have written, as far as the store knows, just that.
pub(super) fn unseen(parcel: &Parcel, outcome: Outcome) -> Outcome {
    let may_be = parcel.may_be_there() || !parcel.again.is_empty();
    if may_be { statement::unseen(outcome) } else { outcome }
}

/// What a retraction takes back, when it is known where that stands here.
pub(super) fn taken_back(said: &Statement) -> Option<Handle> {
    let mended = said.mends.as_ref().filter(|_| said.sort == Sort::Retraction)?;
    mended.remote_id.as_deref().map(Handle::read)
}

/// The words that a retraction takes back where nothing is known but them: they are to be looked for.
pub(super) fn to_be_found<'a>(parcel: &Parcel, said: &'a Statement) -> Option<&'a str> {
    let is_known = parcel.mends_nothing || taken_back(said).is_some_and(|handle| !handle.places.is_empty());
    said.takes_back.as_deref().filter(|_| said.sort == Sort::Retraction && !is_known)
}

const NOT_FOUND: &str = "its words are not found there";

/// The place of words that are taken back, of what `may_be` them: of several that of the hour `out`, and where no hours are known the
/// newest, for what was said in the same words before may be true.
fn place_of(
    words: &str,
    out: Option<Timestamp>,
    stands: &[Stands],
    may_be: impl Fn(&Stands) -> bool,
    left: &mut Left,
) -> Vec<String> {
    let mut found = stands.iter().filter(|one| may_be(one) && same(&one.text, words));
    // That of the hour at which it went out, and where hours tell nothing the newest.
    let away = |one: &Stands| out.zip(one.at).map_or(0, |(out, at)| at.duration_since(out).abs().as_secs());
    let newest = found.next();
    let found = newest.into_iter().chain(found).min_by_key(|one| away(one));
    if found.is_none() {
        left.is_not_known(NOT_FOUND);
    }
    found.map(|one| one.id.clone()).into_iter().collect()
}

/// So many letters are remembered, the newest.
const SOUGHT_MAX: usize = 64;

/// The places that were found by the words that a letter takes back, of letters that are tried again: once those words are gone, the same
/// ones below are an older statement's, and no attempt takes them away as well.
#[derive(Default)]
pub(super) struct Sought(Mutex<VecDeque<(String, Option<Vec<String>>)>>);

/// What is known of the search for the words that a letter takes back.
enum Search {
    /// They have to be looked for.
    Begins,
    /// They were found here, or nowhere.
    Found(Vec<String>),
    /// Another process may have found them, and taken them away.
    Unknown,
}

impl Sought {
    /// Before anything else is done about a letter.
    pub(super) fn begin(&self, parcel: &Parcel, said: &Statement) {
        // Where it is sent once more, one before may have taken the words away.
        if parcel.attempt > 1 || !parcel.again.is_empty() || to_be_found(parcel, said).is_none() {
            return;
        }
        let mut sought = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sought.retain(|(delivery, _)| *delivery != parcel.delivery);
        if sought.len() == SOUGHT_MAX {
            sought.pop_front();
        }
        sought.push_back((parcel.delivery.clone(), None));
    }

    /// Whether words were found that this letter takes back.
    pub(super) fn has_found(&self, parcel: &Parcel) -> bool {
        matches!(self.of(parcel), Search::Found(places) if !places.is_empty())
    }

    /// How far it is.
    fn of(&self, parcel: &Parcel) -> Search {
        let sought = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sought.iter().find(|(delivery, _)| *delivery == parcel.delivery) {
            Some((_, Some(places))) => Search::Found(places.clone()),
            Some((_, None)) => Search::Begins,
            None => Search::Unknown,
        }
    }

    /// Where words stand that are taken back. `hours`: the page keeps hours as they were written. `look`: what stands there, the newest
    /// first, and which of that may be meant; `is_told`: the words that take them back are there already. The error: not yet; nothing
    /// was said.
    pub(super) async fn places(
        &self,
        parcel: &Parcel,
        (words, hours): (&str, bool),
        (look, may_be): (impl Future<Output = Result<Vec<Stands>, Outcome>>, impl Fn(&Stands) -> bool),
        (left, is_told): (&mut Left, bool),
    ) -> Result<Vec<String>, Outcome> {
        match self.of(parcel) {
            Search::Found(places) if places.is_empty() => left.is_not_known(NOT_FOUND),
            Search::Found(places) => return Ok(places),
            Search::Unknown if !hours => left.may_be_gone(),
            search => match look.await {
                // Another process may have taken it away. What came later than it went out is no older statement in the same words.
                Ok(stands) if matches!(search, Search::Unknown) => {
                    let out = parcel.statement.as_ref().and_then(|said| Some(said.mends.as_ref()?.at));
                    let later = |one: &Stands| one.at.is_some() && one.at >= out && may_be(one);
                    let mut none = Left::default();
                    let places = place_of(words, out, &stands, later, &mut none);
                    if places.is_empty() {
                        left.may_be_gone();
                    }
                    return Ok(places);
                }
                Ok(stands) => {
                    let out = parcel.statement.as_ref().and_then(|said| Some(said.mends.as_ref()?.at));
                    let places = place_of(words, out, &stands, may_be, left);
                    self.keep(parcel, &places);
                    return Ok(places);
                }
                Err(error) => left.unlooked(parcel, error, is_told)?,
            },
        }
        Ok(Vec::new())
    }

    /// They were looked for.
    fn keep(&self, parcel: &Parcel, places: &[String]) {
        let mut sought = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = sought.iter_mut().find(|(delivery, _)| *delivery == parcel.delivery) {
            *known = Some(places.to_vec());
        }
    }
}

/// After this many attempts to take words away their readers are told all the same.
const REMOVALS_MAX: u32 = 5;

/// Whether something that is taken back may stand there still. Its readers are told of it all the same, and people are told to look.
#[derive(Default)]
pub(super) struct Left(Option<String>);

impl Left {
    /// What became of taking something away. The error: not yet; nothing was said.
    pub(super) fn after(&mut self, parcel: &Parcel, taken: Result<(), Outcome>) -> Result<(), Outcome> {
        match taken {
            Ok(()) | Err(Outcome::Accepted { .. } | Outcome::Begun { .. } | Outcome::Stands { .. }) => Ok(()),
            Err(Outcome::Refused { why, .. }) => {
                self.is_not_known(&why);
                Ok(())
            }
            Err(later) if parcel.attempt < REMOVALS_MAX => Err(later),
            Err(Outcome::Wait { why, .. } | Outcome::Unknown { why }) => {
                self.is_not_known(&why);
                Ok(())
            }
        }
    }

    /// It could not be looked for what is to be taken away. `is_told`: its readers know already. The error: not yet; nothing was said.
    pub(super) fn unlooked(&mut self, parcel: &Parcel, error: Outcome, is_told: bool) -> Result<(), Outcome> {
        match error {
            Outcome::Wait { why, .. } | Outcome::Unknown { why } if is_told => {
                self.is_not_known(&why);
                Ok(())
            }
            error => self.after(parcel, Err(error)),
        }
    }

    /// An attempt before may have taken it away, or not.
    pub(super) fn may_be_gone(&mut self) {
        self.is_not_known("an attempt before may have looked for its words and taken them away, and it is not looked for them twice");
    }

    /// Nothing is known of where the first one stands that was said here.
    pub(super) fn is_of_an_unknown_one(&mut self, parcel: &Parcel, said: &Statement) {
        if said.sort == Sort::Retraction && !parcel.mends_nothing {
            self.is_not_known("where it stands is not known here");
        }
    }

    /// It may stand there, because of this.
    pub(super) fn is_not_known(&mut self, why: &str) {
        self.0.get_or_insert_with(|| why.to_owned());
    }

    /// A statement is there.
    pub(super) fn told(self, handle: &Handle) -> Outcome {
        match self.0 {
            None => handle.accepted(),
            Some(why) => standing(handle.accepted(), &why),
        }
    }
}

/// Something that stands on a page.
pub(super) struct Stands {
    pub(super) id: String,
    pub(super) text: String,
    /// Whether it has the status of what is looked for.
    pub(super) same_status: bool,
    /// Whether it has the mark of what is looked for.
    pub(super) marked: bool,
    /// Whether it can have been written since what is looked for was released; nothing where that is not known.
    pub(super) since: Option<bool>,
    /// Its hour, where that is known.
    pub(super) at: Option<Timestamp>,
}

/// Which of what stands on a page, the newest first, is this statement. Words may have been said before, so they count only in what was
/// written since this one was released, or where they are the newest that readers see. The error: it cannot be told.
pub(super) fn found<'a>(said: &Statement, stands: &'a [Stands]) -> Result<Option<&'a Stands>, Outcome> {
    let gone = taken_back(said).map(|handle| handle.places).unwrap_or_default();
    let stands: Vec<&Stands> = stands.iter().filter(|one| !gone.contains(&one.id)).collect();
    let has_words = |one: &&&Stands| one.same_status && same(&one.text, &said.text);
    let surely = |one: &&&Stands| one.marked || one.since == Some(true) && has_words(one);
    if let Some(one) = stands.iter().find(|one| one.marked).or_else(|| stands.iter().find(surely)) {
        return Ok(Some(one));
    }
    let perhaps = |one: &&&Stands| one.since.is_none() && has_words(one);
    match stands.iter().position(|one| perhaps(&one)) {
        None => Ok(None),
        Some(0) => Ok(Some(stands[0])),
        Some(_) => Err(looks_alike()),
    }
}

/// The same of the words that an incident begins with: the newest of another one says nothing.
pub(super) fn began_with(said: &Statement, stands: &[Stands]) -> Result<bool, Outcome> {
    match found(said, stands)? {
        Some(one) if one.since.is_none() && !one.marked => Err(looks_alike()),
        one => Ok(one.is_some()),
    }
}

/// The same words stand there, and may be older.
pub(super) fn looks_alike() -> Outcome {
    unseen_for("the same words stand there, and nothing tells whether they are these or older ones")
}

/// Whether two texts have the same letters and digits in the same order: pages change spaces, quotes and entities of HTML.
pub(super) fn same(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

/// Longest name of an entity of HTML.
const ENTITY_BYTES_MAX: usize = 8;

fn letters(text: &str) -> impl Iterator<Item = char> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let letter = rest.chars().next()?;
            let after = &rest[letter.len_utf8()..];
            let entity = after.find(';').filter(|end| letter == '&' && *end <= ENTITY_BYTES_MAX);
            let entity = entity
                .filter(|end| after[..*end].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#'));
            rest = entity.map_or(after, |end| &after[end + 1..]);
            if letter.is_alphanumeric() {
                return Some(letter);
            }
        }
    })
}

/// An hour as a page writes it; none where it is written in a way that is not known.
pub(super) fn hour<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(from)?;
    Ok(value.and_then(|value| value.as_str()?.parse().ok()))
}

/// Whether two hours are the same, for pages that keep less than we write.
pub(super) fn same_hour(one: Option<Timestamp>, other: Timestamp) -> bool {
    one.is_some_and(|one| one.duration_since(other).as_secs().abs() <= 1)
}

/// Whether an hour of the page is no earlier than another one, but for how far its clock may be off.
pub(super) fn is_since(one: Option<Timestamp>, other: Timestamp, off: SignedDuration) -> Option<bool> {
    one.map(|one| one.duration_since(other) >= -off)
}

/// What was asked for before anything was written: whatever fails, nothing of this attempt is there. Of an attempt before that is not
/// known, which is for [`super::statement::unseen`] to say.
pub(super) fn looked<T: DeserializeOwned>(
    answer: Result<Answer, Outcome>,
    fault: impl FnOnce(&Answer) -> Outcome,
) -> Result<T, Outcome> {
    let answer = answer.map_err(unwritten)?;
    if !answer.status.is_success() {
        return Err(unwritten(fault(&answer)));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Outcome::Wait {
        after: None,
        why: "what stands there cannot be read, so nothing is written".into(),
    })
}

/// Silence while nothing was to be written that cannot be written again is no reason to fear that it was.
pub(super) fn unwritten(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Unknown { why } => Outcome::Wait { after: None, why },
        other => other,
    }
}

/// The statement is there, and something that goes with it is not: whoever tries again finds the one and does the other.
pub(super) fn unfinished(outcome: Outcome) -> Outcome {
    let why = match outcome {
        Outcome::Accepted { .. } | Outcome::Begun { .. } | Outcome::Stands { .. } => return outcome,
        Outcome::Wait { why, .. } | Outcome::Refused { why, .. } | Outcome::Unknown { why } => why,
    };
    Outcome::Unknown { why: format!("it is there, and a component is not set: {why}") }
}

/// What an answer means at the address of one thing on the page, which may have been removed there.
pub(super) fn gone(answer: &Answer, fault: impl FnOnce(&Answer) -> Outcome) -> Outcome {
    match answer.status.as_u16() {
        404 | 410 => {
            let status = answer.status.as_u16();
            refused(&format!("its incident there was removed: answered {status}"), false)
        }
        _ => fault(answer),
    }
}

/// What an answer means where nothing else is known of the page.
pub(super) fn plain(answer: &Answer) -> Outcome {
    usual(answer, WHOLE, None)
}

#[cfg(test)]
mod tests {
    use super::super::stories::statement as sample;
    use super::*;
    use crate::channels::statement::{Mended, Now};

    fn board(components: &[&str]) -> Result<Board, String> {
        let list = components.iter().map(|one| (*one).to_owned()).collect();
        let lists = [("components".to_owned(), list)].into();
        Board::new(&mut Fields { lists, ..Fields::default() })
    }

    fn said() -> Statement {
        *sample(1).statement.unwrap()
    }

    #[test]
    fn a_service_stands_for_its_components_and_others_for_none() {
        let board = board(&["shop=abc123", " shop = def456", "pay=abc123"]).unwrap();
        let services = ["pay", "shop", "mail"].map(str::to_owned).to_vec();
        assert_eq!(board.affected(&Statement { services, ..said() }), ["abc123", "def456"]);
        assert!(board.is_ours("def456") && !board.is_ours("ghi789"));
        assert!(board.notify, "they mail unless they are told not to");
        for wrong in ["shop", "=abc123", "shop="] {
            assert!(super::tests::board(&[wrong]).err().unwrap().contains("shop=abc123"), "{wrong}");
        }
    }

    #[test]
    fn what_closes_is_resolved_and_everything_works() {
        let words = ["works", "slow", "partly", "out"];
        let at = |impact, sort| state(&Statement { impact, sort, ..said() }, words);
        let all = Impact::ALL.map(|impact| at(impact, Sort::Update));
        assert_eq!(all, words);
        assert_eq!(at(Impact::Critical, Sort::Closing), "works");
        let closing = Statement { sort: Sort::Closing, phase: Phase::Monitoring, ..said() };
        assert_eq!((phase(&closing), phase(&said())), (Phase::Resolved, Phase::Identified));
    }

    #[test]
    fn words_are_the_same_whatever_a_page_makes_of_spaces_and_quotes() {
        assert!(same("Pay & ship\n\nmay fail: \"soon\".", "Pay &amp; ship may fail: &quot;soon&#34;."));
        assert!(same("für alle", "für  alle\r\n"));
        assert!(!same("10:30", "10:45"));
        assert!(
            !same("fish & chips; more", "fish more"),
            "what follows & is an entity only when it looks like one"
        );
    }

    fn stands(id: &str, text: &str, same_status: bool, since: Option<bool>) -> Stands {
        Stands { id: id.into(), text: text.into(), same_status, marked: false, since, at: None }
    }

    fn id(said: &Statement, all: &[Stands]) -> Result<Option<String>, Outcome> {
        found(said, all).map(|one| one.map(|one| one.id.clone()))
    }

    #[test]
    fn a_statement_is_found_by_its_mark_or_by_its_words_in_its_status() {
        let (words, is, none) = (said().text, |id: &str| Ok(Some(id.to_owned())), Ok(None));
        let newer = [stands("b", "Other words.", true, None), stands("a", &words, true, Some(true))];
        assert_eq!(id(&said(), &newer), is("a"));
        assert_eq!(id(&said(), &[stands("a", &words, false, Some(true))]), none, "in another status");
        let marked = Stands { marked: true, ..stands("a", "y", false, None) };
        assert_eq!(id(&said(), &[stands("b", &words, true, Some(true)), marked]), is("a"));
        let mends = Mended { id: "42-2".into(), at: said().at, remote_id: Some("i/a".into()) };
        let retraction = Statement { sort: Sort::Retraction, mends: Some(mends), ..said() };
        assert_eq!(id(&retraction, &newer), none, "what is taken back is not what takes it back");
    }

    #[test]
    fn the_same_words_of_an_older_statement_are_not_this_one_and_what_cannot_be_told_is_not_known() {
        let words = said().text;
        let closing = Statement { sort: Sort::Closing, ..said() };
        for said in [said(), closing, Statement { next_by: None, ..said() }] {
            let again =
                [stands("b", "Open again.", true, Some(false)), stands("a", &words, true, Some(false))];
            assert_eq!(id(&said, &again), Ok(None));
            let untold = |newest: &str| [stands("b", newest, true, None), stands("a", &words, true, None)];
            assert_eq!(id(&said, &untold("Open again.")).unwrap_err().as_str(), "unknown");
            assert_eq!(
                id(&said, &untold(&words)),
                Ok(Some("b".into())),
                "readers see these very words on top"
            );
            assert!(began_with(&said, &untold(&words)).is_err(), "of an incident of another day");
        }
    }

    #[test]
    fn a_page_is_told_how_it_is_now_and_not_how_it_was_when_what_is_mended_was_said() {
        let words = ["works", "slow", "partly", "out"];
        let at = |told, felt| {
            let now = Some(Now { phase: told, impact: felt });
            let said = Statement { sort: Sort::Correction, impact: Impact::Critical, now, ..said() };
            (phase(&said), over(&said), impact(&said), state(&said, words))
        };
        let minor = at(Phase::Monitoring, Impact::Minor);
        assert_eq!(minor, (Phase::Monitoring, false, Impact::Minor, "slow"));
        let closed = at(Phase::Resolved, Impact::Minor);
        assert_eq!(closed, (Phase::Resolved, true, Impact::Minor, "works"));
    }

    #[test]
    fn what_is_kept_of_a_statement_is_read_again() {
        for text in ["i", "i/u", "i/u/v"] {
            assert_eq!(Handle::read(text).text(), text);
        }
        assert_eq!(Handle::read("i/u/v").places, ["u", "v"]);
    }
}
