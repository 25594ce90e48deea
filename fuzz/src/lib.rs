//! What must hold of whatever an adapter reads, for every target.

use jiff::Timestamp;
use onscene::core::alert::{EVENTS_MAX, Event};
use onscene::sources::{Delivery, KINDS, Kind, Options, Unreadable};

/// Longest sentence about what cannot be read, in bytes.
const WHY_BYTES_MAX: usize = 16 * 1024;

/// The kind that `ONSCENE_FUZZ_KIND` names, so that one adapter is looked at alone; its inputs are bare bodies.
pub fn only() -> Option<&'static Kind> {
    let name = std::env::var("ONSCENE_FUZZ_KIND").ok().filter(|name| !name.is_empty())?;
    Some(KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("there is no kind {name}")))
}

/// The kind of this number, in the order of names.
pub fn numbered(number: u8) -> &'static Kind {
    let mut kinds: Vec<&Kind> = KINDS.iter().collect();
    kinds.sort_by_key(|kind| kind.name);
    kinds[usize::from(number) % kinds.len()]
}

/// Reads bytes in every way in which a delivery travels.
pub fn read(kind: &Kind, bytes: &[u8], options: &Options) {
    let received_at = Timestamp::from_second(1_767_330_000).unwrap();
    let form = Some("application/x-www-form-urlencoded");
    let options = Options { allow_get: true, ..options.clone() };
    let plain = Delivery {
        method: "POST",
        query: "",
        content_type: None,
        headers: &[],
        body: bytes,
        received_at,
        options: &options,
    };
    holds((kind.read)(&plain));
    holds((kind.read)(&Delivery { content_type: form, ..plain }));
    if let Ok(query) = std::str::from_utf8(bytes) {
        holds((kind.read)(&Delivery { method: "GET", query, body: b"", ..plain }));
    }
}

/// No more events than a delivery may carry, each within the limits of the core; or a sentence of a reasonable length.
fn holds(read: Result<Vec<Event>, Unreadable>) {
    let events = match read {
        Err(Unreadable(why, rest)) => {
            assert!(!why.is_empty() && why.len() <= WHY_BYTES_MAX, "{why}");
            rest
        }
        Ok(events) => events,
    };
    assert!(events.len() <= EVENTS_MAX);
    for event in events {
        assert_eq!(event.clone().bounded(), Ok(event));
    }
}
