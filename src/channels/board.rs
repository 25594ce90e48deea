//! What the kinds that publish to a status page share: which component there is meant by a service, how bad it is, and whether a
//! statement stands there already.
//!
//! None of them knows a key that it would recognise a repeat by, so whoever tries again looks first. What stands there is known by the
//! mark that it was written with, where the page keeps one, and by its words and its status.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer};

use super::api::{refused, usual};
use super::client::Answer;
use super::statement::Shown;
use super::{Fields, Key, Outcome, Parcel, Statement};
use crate::core::voice::{Phase, Sort};

/// Between their incident and what is in it.
const BETWEEN: char = '/';
/// The most that is read of what stands on a page.
pub(super) const LOOK_BYTES_MAX: usize = 8 * 1024 * 1024;
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

/// Whether it says that it is over.
pub(super) fn over(said: &Statement) -> bool {
    said.sort == Sort::Closing || said.phase == Phase::Resolved
}

/// How far it is, as the page is told: what closes resolves.
pub(super) fn phase(said: &Statement) -> Phase {
    if over(said) { Phase::Resolved } else { said.phase }
}

/// The word for how bad what is affected is, out of four that begin with the one for "works".
pub(super) fn state<T: Copy>(said: &Statement, words: [T; 4]) -> T {
    use crate::core::voice::Impact;
    let [works, slow, partly, out] = words;
    match said.impact {
        _ if over(said) => works,
        Impact::None => works,
        Impact::Minor => slow,
        Impact::Major => partly,
        Impact::Critical => out,
    }
}

/// What a statement is remembered by: their incident, and the places in it where its words stand.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What a retraction takes back, when it went out here.
pub(super) fn taken_back(said: &Statement) -> Option<Handle> {
    let mended = said.mends.as_ref().filter(|_| said.sort == Sort::Retraction)?;
    mended.remote_id.as_deref().map(Handle::read)
}

/// Something that stands on a page.
pub(super) struct Stands {
    pub(super) id: String,
    pub(super) text: String,
    /// Whether it has the status of what is looked for.
    pub(super) same_status: bool,
    /// Whether it has the mark of what is looked for.
    pub(super) marked: bool,
}

/// Which of what stands on a page, the newest first, is this statement. Words that promise an hour, close or mend are never the same
/// twice; others are looked for in the newest only, since "still looking" may be said again.
pub(super) fn found<'a>(said: &Statement, stands: &'a [Stands]) -> Option<&'a Stands> {
    let gone = taken_back(said).map(|handle| handle.places).unwrap_or_default();
    let mut stands = stands.iter().filter(|one| !gone.contains(&one.id));
    let is_it = |one: &Stands| one.marked || one.same_status && same(&one.text, &said.text);
    let unique = said.next_by.is_some() || !matches!(said.sort, Sort::Update | Sort::Holding);
    if unique {
        return stands.find(|one| is_it(one));
    }
    let newest = stands.next()?;
    if is_it(newest) { Some(newest) } else { stands.find(|one| one.marked) }
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

/// What was asked for before anything was written: whatever fails, nothing of this attempt is there.
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
        Outcome::Accepted { .. } | Outcome::Begun { .. } => return outcome,
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
    use crate::channels::statement::Mended;
    use crate::core::voice::Impact;

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

    #[test]
    fn a_statement_is_found_by_its_mark_or_by_its_words_in_its_status() {
        let stands = |id: &str, text: &str, same_status, marked| Stands {
            id: id.into(),
            text: text.into(),
            same_status,
            marked,
        };
        let id = |said: &Statement, all: &[Stands]| found(said, all).map(|one| one.id.clone());
        let words = said().text;
        let older = [stands("b", "Other words.", true, false), stands("a", &words, true, false)];
        assert_eq!(id(&said(), &older).as_deref(), Some("a"), "it promises an hour");
        let again = Statement { next_by: None, ..said() };
        assert_eq!(id(&again, &older), None, "the same may be said again");
        assert_eq!(id(&again, &older[1..]).as_deref(), Some("a"));
        assert_eq!(
            id(&said(), &[stands("a", &words, false, false)]),
            None,
            "in another status it is another"
        );
        let marked = [stands("b", "x", true, false), stands("a", "y", false, true)];
        assert_eq!(id(&again, &marked).as_deref(), Some("a"));
        let mends = Mended { id: "42-2".into(), at: said().at, remote_id: Some("i/a".into()) };
        let retraction = Statement { sort: Sort::Retraction, mends: Some(mends), ..said() };
        assert_eq!(id(&retraction, &older), None, "what is taken back is not what takes it back");
    }

    #[test]
    fn what_is_kept_of_a_statement_is_read_again() {
        for text in ["i", "i/u", "i/u/v"] {
            assert_eq!(Handle::read(text).text(), text);
        }
        assert_eq!(Handle::read("i/u/v").places, ["u", "v"]);
    }
}
