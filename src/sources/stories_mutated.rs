//! Payloads that something happened to on the way: cut, with bits turned over, pieces exchanged, doubled, and put together from two.
//!
//! What must hold of every adapter, and of expressions, whatever comes: no panic, no more events than a delivery may carry, each event
//! within the limits of the core, and a sentence of a reasonable length where it cannot be read. Chance begins at the same place in every
//! run, so a failure comes again; `fuzz/` looks further.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::mapping::Mapping;
use super::tests::{payloads, read_as};
use super::{KINDS, Kind, Options, Unreadable, generic};
use crate::core::alert::{EVENTS_MAX, Event};

/// Payloads made of each kind.
const MADE: usize = 2000;
/// Of so many, one is read by expressions too.
const MAPPED_ONE_IN: usize = 5;
/// Longest sentence about what cannot be read, in bytes.
const WHY_BYTES_MAX: usize = 1024;
/// What adapters look for: exchanged for one another, they reach more than noise does.
const WORDS: &[&str] = &[
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "0",
    "-1",
    "1e309",
    "18446744073709551616",
    "\"firing\"",
    "\"resolved\"",
    "\"\\u0000\"",
    "\"0001-01-01T00:00:00Z\"",
    "%00",
    "&",
    "=",
    "%ff",
    "\u{feff}",
    "\n",
    "é",
];

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    /// A piece of some bytes.
    fn piece<'a>(&mut self, of: &'a [u8]) -> &'a [u8] {
        let begin = self.below(of.len() + 1);
        &of[begin..begin + self.below((of.len() - begin).min(64) + 1)]
    }
}

/// Where a value of JSON stands, roughly: from behind a colon to the next comma or bracket.
fn value(bytes: &[u8], chance: &mut Chance) -> std::ops::Range<usize> {
    let begin = chance.below(bytes.len() + 1);
    let colon =
        bytes[begin..].iter().position(|byte| b":=".contains(byte)).map_or(begin, |at| begin + at + 1);
    let end =
        bytes[colon..].iter().position(|byte| b",}]&".contains(byte)).map_or(bytes.len(), |at| colon + at);
    colon..end
}

/// One thing that happens to a payload.
fn happen(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    match chance.below(7) {
        0 => bytes.truncate(at),
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        2 => {
            let (one, two) = (value(bytes, chance), value(bytes, chance));
            let taken = bytes[two].to_vec();
            bytes.splice(one, taken);
        }
        3 => {
            let (place, piece) = (value(bytes, chance), chance.piece(other).to_vec());
            bytes.splice(place, piece);
        }
        4 => {
            let from = chance.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        5 => {
            let piece = chance.piece(bytes).to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            let (place, word) = (value(bytes, chance), WORDS[chance.below(WORDS.len())]);
            bytes.splice(place, word.bytes());
        }
    }
}

/// How many values a value holds, with itself.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        _ => 0,
    }
}

/// One of the values that a value holds, by its number; itself is 0.
fn within(value: &mut Value, number: usize) -> &mut Value {
    if number == 0 {
        return value;
    }
    let mut before = 1;
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => panic!("it holds fewer"),
    };
    for inner in inner {
        let held = size(inner);
        if number < before + held {
            return within(inner, number - before);
        }
        before += held;
    }
    panic!("it holds fewer")
}

/// JSON of which one value is another, of the same or of another payload, or is not there.
fn exchanged(bytes: &[u8], other: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let mut whole: Value = serde_json::from_slice(bytes).ok()?;
    let mut other: Value = serde_json::from_slice(other).unwrap_or_else(|_| whole.clone());
    let (number, from) = (chance.below(size(&whole)), chance.below(size(&other)));
    let place = within(&mut whole, number);
    match (chance.below(4), place) {
        (0, Value::Object(fields)) => {
            let name = fields.keys().nth(chance.below(fields.len().max(1))).cloned();
            name.map(|name| fields.remove(&name));
        }
        (0, Value::Array(items)) => items.extend(items.clone()),
        (1, place) => *place = WORDS[chance.below(WORDS.len())].parse().unwrap_or_default(),
        (_, place) => *place = within(&mut other, from).take(),
    }
    Some(whole.to_string().into_bytes())
}

fn holds(read: Result<Vec<Event>, Unreadable>, kind: &Kind, bytes: &[u8]) {
    let shown = || format!("{}: {}", kind.name, String::from_utf8_lossy(bytes));
    let events = match read {
        Err(Unreadable(why, rest)) => {
            assert!(!why.is_empty() && why.len() <= WHY_BYTES_MAX, "{why}, of {}", shown());
            rest
        }
        Ok(events) => events,
    };
    assert!(events.len() <= EVENTS_MAX, "{} events of {}", events.len(), shown());
    for event in events {
        assert_eq!(event.clone().bounded(), Ok(event), "{}", shown());
    }
}

/// Expressions that have something to do with any body.
fn expressions() -> Options {
    let texts = [
        ("each", "[body] if body is mapping else body if body is sequence and body is not string else []"),
        ("key", "item.key|default(item.id)|default('k')|string"),
        ("status", "item.status|default('firing')"),
        ("title", "(item.title|default(item)|string|upper)[:80]"),
        ("body", "item"),
        ("labels", "item.labels|default({})"),
        ("links", "[item.url|default('')]"),
    ];
    let texts: BTreeMap<String, String> =
        texts.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
    Options { mapping: Some(Mapping::new(&texts, &[]).unwrap().into()), ..Options::default() }
}

#[test]
fn whatever_happens_to_a_payload_is_read_within_the_limits_or_refused() {
    let (plain, mapped) = (Options::default(), expressions());
    let mut others: Vec<Vec<u8>> = Vec::new();
    let mut taken = 0;
    for (number, kind) in KINDS.iter().enumerate() {
        let mut chance = Chance(number as u64);
        let all: Vec<_> =
            payloads(kind).into_iter().map(|(_, path)| (std::fs::read(&path).unwrap(), path)).collect();
        others.extend(all.iter().map(|(bytes, _)| bytes.clone()));
        for made in 0..MADE {
            let (bytes, path) = &all[made % all.len()];
            let mut bytes = bytes.clone();
            for _ in 0..=chance.below(3) {
                let other = &others[chance.below(others.len())];
                match exchanged(&bytes, other, &mut chance).filter(|_| made % 4 > 0) {
                    Some(whole) => bytes = whole,
                    None => happen(&mut bytes, other, &mut chance),
                }
            }
            let read = read_as(kind, path, &bytes, &plain);
            taken += usize::from(read.as_ref().is_ok_and(|events| !events.is_empty()));
            holds(read, kind, &bytes);
            if made % MAPPED_ONE_IN == 0 {
                let path = if path.extension().is_some_and(|ending| ending == "query") {
                    Path::new("a.form")
                } else {
                    path
                };
                holds(read_as(&generic::KIND, path, &bytes, &mapped), &generic::KIND, &bytes);
            }
        }
    }
    // Were nearly all refused at once, little would have been tried.
    let made = KINDS.len() * MADE;
    assert!(taken > made / 4, "{taken} of {made} were read");
}
