//! Channels that are left alone for a while: where the login or the address itself is wrong, every letter is refused, and some services
//! lock out who goes on trying. One letter after the pause tries it; so does the first one after a new configuration.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A channel is left alone for so long.
const PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// What waits for that waits as long.
pub(super) const LASTS: std::time::Duration = std::time::Duration::from_secs(300);

const _: () = assert!(PAUSE.as_secs() == 300);

/// The channels that are left alone by this node.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<HashMap<String, Pause>>);

#[derive(Clone, Debug)]
struct Pause {
    until: Timestamp,
    /// Under which configuration it refused.
    config_hash: String,
    why: String,
}

impl Pauses {
    /// Why a channel is left alone now, if it is.
    pub(super) fn why(&self, channel: &str, config_hash: &str, now: Timestamp) -> Option<String> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = pauses.get(channel).filter(|pause| pause.config_hash == config_hash)?;
        // An hour further ahead than a pause lasts comes of a clock that was put back.
        let left = pause.until.duration_since(now);
        let lasts = left > SignedDuration::ZERO && left <= PAUSE;
        lasts.then(|| format!("it is left alone for a while, for it refused the last one: {}", pause.why))
    }

    /// A channel refused a letter for a reason that concerns every letter.
    pub(super) fn begin(&self, channel: &str, config_hash: &str, why: &str, now: Timestamp) {
        let until = now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX);
        let pause = Pause { until, config_hash: config_hash.to_owned(), why: why.to_owned() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.to_owned(), pause);
    }

    /// A channel took a letter, or refused one for a reason of its own.
    pub(super) fn end(&self, channel: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(channel);
    }

    /// The channels that refused their last letter so.
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_refuses_everybody_is_left_alone_and_tried_again() {
        let (pauses, at) =
            (Pauses::default(), |minute: i64| Timestamp::from_second(1_795_400_000 + minute * 60).unwrap());
        pauses.begin("x", "a", "401", at(0));
        assert!(pauses.why("x", "a", at(4)).unwrap().ends_with("401"));
        assert_eq!(
            (pauses.why("y", "a", at(4)), pauses.why("x", "b", at(4))),
            (None, None),
            "others, and a new key"
        );
        assert_eq!(pauses.why("x", "a", at(5)), None);
        assert_eq!(pauses.why("x", "a", at(-60)), None, "a clock that was put back holds nobody for an hour");
        assert_eq!(pauses.all(), ["x"]);
        pauses.end("x");
        assert!(pauses.all().is_empty());
    }
}
