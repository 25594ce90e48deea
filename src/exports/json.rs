//! The JSON form: an incident and every entry of its timeline word by word, so that whoever has the document can prove it
//! whole without the store it came from.
//!
//! A document is written in parts, however long the timeline is: its [`beginning`], each [`entry`] and its [`END`]. What was
//! appended to the timeline meanwhile is not in it: entries are taken up to the one that the incident's row knew of.
//!
//! What is proved is the incident and its entries. The alerts are there to be read: nothing is proved of them, and of very many
//! the document has the first and says how many it has not.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::prove::{Broken, Proved, Prover};
use crate::crypto;
use crate::store::incidents::{self, AsWritten as Row};
use crate::store::timeline::AsWritten;

/// What a document calls itself.
const DOCUMENT: &str = "onscene timeline";
/// The version of its form. A field more is a new version: an older one could not tell what it means for the proof.
const VERSION: u32 = 1;
/// The version of one that says how many alerts are not in it. Only such a one has it, so that every other can be proved by
/// what knows the first version alone.
const VERSION_CUT: u32 = 2;

/// The end of a document.
pub const END: &str = "\n]}\n";

/// The beginning of a document, up to its first entry. `alerts_all`: how many alerts there are, of which `alerts` are the first.
///
/// # Errors
/// When the row holds no JSON.
pub fn beginning(
    row: &Row,
    alerts: &[Value],
    alerts_all: u64,
    exported_at: Timestamp,
) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Beginning<'a> {
        document: &'static str,
        version: u32,
        onscene: &'static str,
        exported_at: Timestamp,
        incident: &'a RawValue,
        head: String,
        alerts: &'a [Value],
        #[serde(skip_serializing_if = "Option::is_none")]
        alerts_left_out: Option<u64>,
    }
    let left_out = alerts_all.saturating_sub(u64::try_from(alerts.len()).unwrap_or(u64::MAX));
    let alerts_left_out = (left_out > 0).then_some(left_out);
    let beginning = Beginning {
        document: DOCUMENT,
        version: if alerts_left_out.is_some() { VERSION_CUT } else { VERSION },
        onscene: env!("CARGO_PKG_VERSION"),
        exported_at,
        incident: serde_json::from_str(&row.state)?,
        head: crypto::hex(&row.head),
        alerts,
        alerts_left_out,
    };
    let mut text = serde_json::to_string(&beginning)?;
    text.pop();
    text.push_str(",\n\"entries\":[");
    Ok(text)
}

/// One entry of a document; `first`: of none before it.
///
/// # Errors
/// None that is known.
pub fn entry(written: &AsWritten, first: bool) -> Result<String, serde_json::Error> {
    let entry = Entry {
        seq: written.seq,
        at: written.at,
        occurred_at: written.occurred_at,
        actor: written.actor.clone(),
        office: written.office.clone(),
        term: written.term,
        route: written.route.clone(),
        kind: written.kind.clone(),
        text: written.text.clone(),
        data: written.data.clone(),
        hash: crypto::hex(&written.hash),
    };
    let before = if first { "\n" } else { ",\n" };
    Ok(format!("{before}{}", serde_json::to_string(&entry)?))
}

/// An entry in a document. `data` is the text that was hashed, and so a string.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    seq: u32,
    at: Timestamp,
    occurred_at: Timestamp,
    actor: String,
    office: Option<String>,
    term: Option<u32>,
    route: String,
    kind: String,
    text: String,
    data: String,
    hash: String,
}

/// Why something is no document that can be proved.
#[derive(Debug, thiserror::Error)]
pub enum NoDocument {
    /// It is something else, or a part of one.
    #[error("it is no whole document that onscene exported: {0}")]
    Other(serde_json::Error),
    /// It is JSON of somebody else.
    #[error("it is no document that onscene exported as --form json")]
    Foreign,
    /// Of a later version.
    #[error("its form has version {0}; this onscene knows versions up to {VERSION_CUT}")]
    Later(u32),
}

/// What a document says that was read.
#[derive(Debug)]
pub struct Told {
    /// The number of its incident.
    pub id: i64,
    /// What was proved of it, or the first fault.
    pub proved: Result<Proved, Broken>,
    /// How many alerts it says are not in it.
    pub alerts_left_out: u64,
}

/// Proves a document.
///
/// # Errors
/// When it is no document.
pub fn prove(text: &str) -> Result<Told, NoDocument> {
    #[derive(Deserialize)]
    struct Kind {
        document: Option<String>,
        version: Option<u32>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "they have to be there, and nothing is proved of them")]
    struct Document<'a> {
        document: String,
        version: u32,
        onscene: String,
        exported_at: Timestamp,
        #[serde(borrow)]
        incident: &'a RawValue,
        head: String,
        alerts: IgnoredAny,
        #[serde(default)]
        alerts_left_out: Option<u64>,
        #[serde(borrow)]
        entries: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Numbered {
        id: i64,
    }
    let kind: Kind = serde_json::from_str(text).map_err(NoDocument::Other)?;
    match (kind.document.as_deref(), kind.version) {
        (Some(DOCUMENT), Some(VERSION | VERSION_CUT)) => {}
        (Some(DOCUMENT), Some(version)) if version > VERSION_CUT => return Err(NoDocument::Later(version)),
        _ => return Err(NoDocument::Foreign),
    }
    let document: Document<'_> = serde_json::from_str(text).map_err(NoDocument::Other)?;
    if document.alerts_left_out.is_some() != (document.version == VERSION_CUT) {
        let why = "version 2, and no other, says how many alerts are left out";
        return Err(NoDocument::Other(serde::de::Error::custom(why)));
    }
    let alerts_left_out = document.alerts_left_out.unwrap_or_default();
    let Numbered { id } = serde_json::from_str(document.incident.get()).map_err(NoDocument::Other)?;
    let mut prover = Prover::new(crypto::sha256, id);
    for one in &document.entries {
        let next = prover.seq() + 1;
        let unread = |why: String| Broken::Unread(next, why);
        let read = serde_json::from_str::<Entry>(one.get()).map_err(|error| unread(error.to_string()));
        let proved = read.and_then(|entry| {
            // What is hashed are whole microseconds.
            if [entry.at, entry.occurred_at].iter().any(|at| at.subsec_nanosecond() % 1000 != 0) {
                return Err(unread("its hour has more digits than are kept".into()));
            }
            as_written(entry).prove(&mut prover)
        });
        if let Err(broken) = proved {
            return Ok(Told { id, proved: Err(broken), alerts_left_out });
        }
    }
    let last = prover.seq();
    let proved = match incidents::state(document.incident.get()) {
        Ok(saved) => prover.end(saved, &from_hex(&document.head)),
        Err(_) if last == 0 => Err(Broken::Empty),
        Err(_) => Err(Broken::Row(last, "it cannot be read")),
    };
    Ok(Told { id, proved, alerts_left_out })
}

fn as_written(entry: Entry) -> AsWritten {
    let Entry { seq, at, occurred_at, actor, office, term, route, kind, text, data, hash } = entry;
    let hash = from_hex(&hash);
    AsWritten { seq, at, occurred_at, actor, office, term, route, kind, data, text, hash }
}

/// The bytes of a hash; none where it is none.
fn from_hex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    pairs.collect::<Option<_>>().unwrap_or_default()
}
