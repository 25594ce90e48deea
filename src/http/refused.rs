//! Deliveries that are refused before they are believed: counted, and told now and then.
//!
//! A sender whose secret is wrong is otherwise silent: he is answered 401, many try no second time, and nobody is woken. Strangers
//! can make as many as they like, so that one line a minute is written for a source and a reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::problem::{Problem, Reason};
use crate::metrics::Metrics;

/// Between two lines about the same source and reason.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What was said of deliveries that are not believed. Cheap to clone.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<(String, Reason), Said>>>);

/// Of one source and reason.
struct Said {
    /// When a line was written last.
    at: Instant,
    /// How often it happened since.
    since: u64,
}

impl Refusals {
    /// Counts a delivery that was refused for a reason of these, and says so when it is time.
    pub(super) fn note(&self, metrics: &Metrics, now: Instant, source: &str, problem: &Problem) {
        if let Some(reason) = problem.refused {
            self.count(metrics, now, source, reason, &problem.detail);
        }
    }

    /// Counts a delivery that is not believed, though its sender is not told so.
    pub(super) fn count(&self, metrics: &Metrics, now: Instant, source: &str, reason: Reason, why: &str) {
        metrics.refused.with_label_values(&[source, reason.as_str()]).inc();
        if let Some(count) = self.to_say(source, reason, now) {
            let reason = reason.as_str();
            tracing::warn!(source.name = source, reason, count, why, "deliveries are refused");
        }
    }

    /// How many deliveries a line is about, when it is time for one.
    fn to_say(&self, source: &str, reason: Reason, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match said.get_mut(&(source.to_owned(), reason)) {
            Some(last) if now.saturating_duration_since(last.at) < SAID_EVERY => {
                last.since = last.since.saturating_add(1);
                None
            }
            Some(last) => {
                let last = std::mem::replace(last, Said { at: now, since: 0 });
                Some(last.since.saturating_add(1))
            }
            None => {
                said.insert((source.to_owned(), reason), Said { at: now, since: 0 });
                Some(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_written_for_a_source_and_a_reason_and_says_how_many_there_were() {
        let refusals = Refusals::default();
        let began = crate::clock::Clock::system().mark();
        let at = |seconds: u64, source: &str, reason| {
            refusals.to_say(source, reason, began + Duration::from_secs(seconds))
        };
        assert_eq!(at(0, "aws", Reason::Token), Some(1));
        for second in 1..60 {
            assert_eq!(at(second, "aws", Reason::Token), None);
        }
        assert_eq!((at(1, "aws", Reason::Hour), at(1, "other", Reason::Token)), (Some(1), Some(1)));
        assert_eq!(at(60, "aws", Reason::Token), Some(60));
        assert_eq!((at(119, "aws", Reason::Token), at(120, "aws", Reason::Token)), (None, Some(2)));
    }
}
