//! A Prometheus whose clock lags: what it says fires looks over.
//!
//! It says by an hour to come that an alert fires, and by one that has passed that it is over. What is over is over since one
//! hour, however often that is said. So an alert that was never heard to fire, and is over since a later hour each time, fires
//! in truth, by a clock that lags. Nobody would be woken for anything it says: its people are, for that.

use jiff::{SignedDuration, Timestamp};

use super::acts::Work;
use crate::core::alert::{AlertSeverity, Event, Known, Status};
use crate::store::StoreError;

/// The key of the alert that onscene raises on a source whose clock lags.
pub(super) const KEY: &str = "onscene:clock-lags";
/// The kind of source that pushes so.
pub(super) const PUSHES: &str = "prometheus";
/// Scripts say of what is well that it is over now, again and again. Their now is no older.
const LAG_MIN: SignedDuration = SignedDuration::from_secs(60);
/// A pair of Prometheus does not say quite the same hour, each again and again: by no more than it takes both to look. One that lags
/// says a later hour each time.
const MOVES_ON_MIN: SignedDuration = SignedDuration::from_secs(90);
/// It lags no more when nothing showed it for so long.
const SHOWN_FOR: SignedDuration = SignedDuration::from_mins(15);

impl Work<'_, '_> {
    /// Whether an alert that is said to be over, since this hour that is later than the one before, shows that its sender's
    /// clock lags.
    pub(super) fn shows_lag(&self, event: &Event, known: &Known, hour: Timestamp) -> bool {
        self.pushed_for.is_some()
            && (event.status, known.status) == (Status::Resolved, Status::Resolved)
            && known.incident.is_none()
            && known.history.changes.is_empty()
            && self.tx.now.duration_since(hour) > LAG_MIN
            && hour.duration_since(known.changed_at) >= MOVES_ON_MIN
            && self.tx.now.duration_since(known.taken_at) >= MOVES_ON_MIN
    }

    /// Wakes the people of a source whose clock lags, once.
    pub(super) fn tell_lag(&mut self, source: &str, shown_by: &Event) -> Result<(), StoreError> {
        let Some(service) = self.pushed_for.clone() else { return Ok(()) };
        let title = format!("the clock of source {source} lags: what it says fires looks over");
        let mut event = Event::new(KEY, Status::Firing, title);
        event.severity = Some(AlertSeverity::Error);
        event.expires_at = self.tx.now.saturating_add(SHOWN_FOR).ok();
        event.body = format!(
            "{} ({}) was never heard to fire, and is said to be over since a later hour each time. A Prometheus does that with \
             an alert that fires when its clock is minutes behind this one. Until both are right, nobody is woken for its alerts: \
             look at NTP there and here, and at its alerts in Prometheus itself.",
            shown_by.title, shown_by.key
        );
        self.event(source, &service, &event)?;
        Ok(())
    }
}
