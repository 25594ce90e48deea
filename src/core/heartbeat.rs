//! Heartbeats: a ping that has to come again and again. Silence raises an alert, the next ping ends it.

use jiff::{SignedDuration, Timestamp};

use super::alert::{AlertSeverity, Event, Status};

/// The source of the alerts that missing heartbeats raise. The configuration keeps others from this name.
pub const SOURCE: &str = "heartbeat";

/// What is expected of one sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// How far apart pings are at most.
    pub period: SignedDuration,
    /// How late one may be besides.
    pub grace: SignedDuration,
    /// What its silence is about.
    pub service: String,
    /// How bad its silence is.
    pub severity: AlertSeverity,
}

/// While it is missing, that is said again this far apart at least: people who ended its incident may have thought that it
/// was mended.
const TOLD_EVERY_MIN: SignedDuration = SignedDuration::from_mins(6);

impl Heartbeat {
    /// When the next ping is missing, after one at this hour.
    pub fn missing_at(&self, last: Timestamp) -> Timestamp {
        let patience = self.period.saturating_add(self.grace);
        last.saturating_add(patience).unwrap_or(Timestamp::MAX)
    }

    /// Whether a ping that was due after one at `last` may have come when nobody could be heard, which was so until
    /// `heard_since`.
    pub fn may_have_come(&self, last: Timestamp, heard_since: Timestamp) -> bool {
        // One may be early by as much as it may be late.
        let earliest = self.period.saturating_sub(self.grace).max(SignedDuration::ZERO);
        last.saturating_add(earliest).is_ok_and(|due| heard_since > due)
    }

    /// When it is said again that it is missing, after that was said at this hour.
    pub fn told_again_at(&self, told: Timestamp) -> Timestamp {
        told.saturating_add(self.period.max(TOLD_EVERY_MIN)).unwrap_or(Timestamp::MAX)
    }

    /// What is said when nothing has come since `last`; `never` when nothing has come at all since then.
    pub fn is_missing(&self, name: &str, last: Timestamp, never: bool) -> Event {
        let mut event = Event::new(name, Status::Firing, format!("heartbeat {name} is missing"));
        event.severity = Some(self.severity);
        let since = match never {
            true => format!("It has been waited for since {last:.0}, and has never come"),
            false => format!("It came last at {last:.0}"),
        };
        event.body = format!(
            "{since}; it was to come every {:#}, and {:#} late at most. Either what sends it does not run, or it cannot \
             reach this house. The next ping ends this alert.",
            self.period, self.grace
        );
        event
    }

    /// What is said when a ping has come after all.
    pub fn is_back(&self, name: &str) -> Event {
        Event::new(name, Status::Resolved, format!("heartbeat {name} is back"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_may_be_late_by_its_grace_and_the_alert_says_what_was_expected() {
        let beat = Heartbeat {
            period: SignedDuration::from_hours(24),
            grace: SignedDuration::from_mins(90),
            service: "shop".into(),
            severity: AlertSeverity::Error,
        };
        let last: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(beat.missing_at(last).to_string(), "2026-01-03T04:34:05Z");
        assert_eq!(beat.missing_at(Timestamp::MAX), Timestamp::MAX);
        let said = beat.is_missing("backup", last, false);
        assert_eq!((said.key.as_str(), said.severity), ("backup", Some(AlertSeverity::Error)));
        assert!(
            said.body.contains("last at 2026-01-02T03:04:05Z; it was to come every 24h, and 1h 30m"),
            "{}",
            said.body
        );
        assert!(beat.is_missing("backup", last, true).body.contains("never come"));
        assert_eq!(beat.is_back("backup").key, "backup");
    }
}
