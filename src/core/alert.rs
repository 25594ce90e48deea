//! Events and alerts: what one delivery says, and what it means next to what is already known.
//!
//! An event is one delivery's statement about an alert; an alert is one condition at one source,
//! identified by (source, key). [`weigh`] compares the two and says which of the named outcomes an
//! event has. It decides nothing about incidents: that is [`super::decide`].

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::flapping::History;

/// Longest alert key, in bytes. Longer keys make a body unreadable: cutting one could merge two alerts.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest title kept, in bytes; the rest is cut.
pub const TITLE_BYTES_MAX: usize = 300;
/// Longest body kept, in bytes; the rest is cut.
pub const BODY_BYTES_MAX: usize = 8 * 1024;
/// Most labels kept of one event.
pub const LABELS_MAX: usize = 64;
/// Longest label name or value kept, in bytes.
pub const LABEL_BYTES_MAX: usize = 1024;
/// Most links kept of one event.
pub const LINKS_MAX: usize = 16;
/// Most events one delivery may carry. Alertmanager sends a whole group at once.
pub const EVENTS_MAX: usize = 10_000;
/// A sender's clock further ahead than this is not believed; our receive time is used instead.
pub const CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Clocks that are kept differ by no more, and events overtake each other by no more time than that: nothing follows from it.
const CLOCK_NEAR: SignedDuration = SignedDuration::from_secs(5);

/// A firing alert said again this long after people ended its incident opens it again. Until then the
/// sender may simply not have seen yet that it is over.
pub const CLOSED_GRACE: SignedDuration = SignedDuration::from_mins(5);

/// A sender that keeps the first start of a condition when it fires again is believed to speak of the
/// past only this long after its recovery was taken; later it means now.
pub const REORDER_MAX: SignedDuration = SignedDuration::from_secs(60);

/// What a delivery says about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The condition holds.
    Firing,
    /// The condition is over.
    Resolved,
    /// Somebody acknowledged it at the source. Recorded; it never makes a Commander.
    Acknowledged,
    /// Something to know that neither opens nor ends anything.
    Info,
    /// The sender tries out its settings.
    Test,
}

impl Status {
    /// The word used in SQL, JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Acknowledged => "acknowledged",
            Self::Info => "info",
            Self::Test => "test",
        }
    }
}

/// How bad an alert is, in the words of monitoring tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertSeverity {
    /// Worst.
    Critical,
    /// Bad.
    Error,
    /// Look at it.
    Warning,
    /// Good to know.
    Info,
}

impl AlertSeverity {
    /// Every one, the worst first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::Error, Self::Warning, Self::Info];

    /// The word used in SQL, JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// Reads a sender's word leniently; `None` when it says nothing known.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "critical" | "crit" | "high" | "fatal" | "emergency" | "alert" | "page" | "p1" | "sev1" => {
                Self::Critical
            }
            "error" | "err" | "medium" | "major" | "p2" | "sev2" => Self::Error,
            "warning" | "warn" | "low" | "minor" | "p3" | "sev3" => Self::Warning,
            "info" | "information" | "informational" | "notice" | "none" | "debug" | "p4" | "p5" | "sev4" => {
                Self::Info
            }
            _ => return None,
        })
    }
}

/// One delivery's statement about one alert, as an adapter read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Identity within the source; the same for firing and for recovery.
    pub key: String,
    /// What is said.
    pub status: Status,
    /// How bad, when the sender says so.
    pub severity: Option<AlertSeverity>,
    /// One line for people.
    pub title: String,
    /// More text for people; may be empty.
    pub body: String,
    /// Names and values to match and show.
    pub labels: BTreeMap<String, String>,
    /// Addresses worth opening, http or https.
    pub links: Vec<String>,
    /// The sender's time of the change, when it gives one.
    pub occurred_at: Option<Timestamp>,
    /// The sender keeps the first start of the condition when it fires again, so an old `occurred_at`
    /// does not prove an old statement. Alertmanager does.
    pub keeps_start: bool,
    /// The sender says it again while it holds: when it has not said so by then, it is over. Prometheus does.
    pub expires_at: Option<Timestamp>,
    /// The sender's id of this delivery, for suppressing a retry of the same one.
    pub delivery_id: Option<String>,
    /// The sender's own grouping, as a hint.
    pub group: Option<String>,
}

impl Event {
    /// An event with only what every event has.
    pub fn new(key: impl Into<String>, status: Status, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            status,
            severity: None,
            title: title.into(),
            body: String::new(),
            labels: BTreeMap::new(),
            links: Vec::new(),
            occurred_at: None,
            keeps_start: false,
            expires_at: None,
            delivery_id: None,
            group: None,
        }
    }

    /// Brings the event within the limits of this module. Adapters call it last.
    ///
    /// # Errors
    /// A sentence for people when the key is empty or longer than [`KEY_BYTES_MAX`].
    pub fn bounded(mut self) -> Result<Self, String> {
        if self.key.trim().is_empty() {
            return Err("the alert has no key, so a repeat could not be told from a new alert".into());
        }
        if self.key.len() > KEY_BYTES_MAX {
            return Err(format!(
                "the alert's key has {} bytes; at most {KEY_BYTES_MAX} are taken",
                self.key.len()
            ));
        }
        if let Some(id) = self.delivery_id.as_ref().filter(|id| id.len() > KEY_BYTES_MAX) {
            return Err(format!(
                "the delivery's id has {} bytes; at most {KEY_BYTES_MAX} are taken",
                id.len()
            ));
        }
        if let Some(group) = &mut self.group {
            cut(group, KEY_BYTES_MAX);
        }
        if !is_one_line(&self.title) {
            self.title = one_line(&self.title);
        }
        if self.title.is_empty() {
            self.title = one_line(&self.key);
        }
        cut(&mut self.title, TITLE_BYTES_MAX);
        // It may be cut behind a word.
        self.title.truncate(self.title.trim_end().len());
        cut(&mut self.body, BODY_BYTES_MAX);
        if self.labels.len() > LABELS_MAX
            || self.labels.iter().any(|(k, v)| k.len().max(v.len()) > LABEL_BYTES_MAX)
        {
            self.labels = std::mem::take(&mut self.labels)
                .into_iter()
                .take(LABELS_MAX)
                .map(|(mut name, mut value)| {
                    cut(&mut name, LABEL_BYTES_MAX);
                    cut(&mut value, LABEL_BYTES_MAX);
                    (name, value)
                })
                .collect();
        }
        self.links.retain(|link| {
            link.len() <= 2048 && (link.starts_with("https://") || link.starts_with("http://"))
        });
        self.links.truncate(LINKS_MAX);
        Ok(self)
    }

    /// A fingerprint of what is said to people: a repeat with the same one changes nothing they see. It may
    /// differ between versions of onscene, which costs one more write.
    pub fn wording(&self) -> i64 {
        use std::hash::BuildHasher as _;
        // The same on every node and after every start; whoever can send alerts gains nothing by a collision.
        let said = (self.severity, &self.title, &self.body, &self.labels, &self.links);
        foldhash::quality::FixedState::with_seed(0).hash_one(said).cast_signed()
    }
}

/// What is known of an alert before an event is weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its number in the store.
    pub id: i64,
    /// Only `Firing` or `Resolved` is ever stored.
    pub status: Status,
    /// The sender's time of the newest change taken, or our receive time of it.
    pub changed_at: Timestamp,
    /// The newest hour of which the sender said that it is so: that of the change, or of a repeat with an hour of its own.
    pub said_hour: Timestamp,
    /// When we took that change.
    pub taken_at: Timestamp,
    /// The incident it belongs to, or belonged to last.
    pub incident: Option<i64>,
    /// When people ended that incident although this alert still fired.
    pub closed_at: Option<Timestamp>,
    /// What was last said of it: see [`Event::wording`].
    pub wording: i64,
    /// When it changed.
    pub history: History,
}

/// What an event means for its alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Firing now, and was not: it needs an incident.
    Fires,
    /// Said again: updates the alert, wakes no one.
    Repeats,
    /// Said again long after people ended its incident: the condition outlived the incident.
    FiresOn,
    /// Over now, and was firing.
    Recovers,
    /// Over, and never seen firing: remembered, so that a late firing is recognised as old.
    RecoversUnseen,
    /// Older than what is known: recorded, changes nothing.
    Stale,
    /// Acknowledged at the source: recorded on the incident, makes nobody Commander.
    Acknowledges,
    /// Neither opens nor ends anything.
    Ignored,
    /// A try-out of the sender's settings.
    Test,
}

/// The sender's time when it can be believed, else the time we received the event.
pub fn change_time(event: &Event, now: Timestamp) -> Timestamp {
    match event.occurred_at {
        Some(at) if !is_ahead(at, now) => at,
        _ => now,
    }
}

/// A time that no right clock can have given by now.
fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    now.saturating_add(CLOCK_AHEAD_MAX).is_ok_and(|latest| at > latest)
}

/// Whether an event is older than the newest change known. An event without a time of its own follows the
/// order of arrival, and so does one whose alert was changed ahead of the hour: an alert once taken under
/// a wrong clock would otherwise hear of no recovery, and of no new firing, until that hour has come.
fn is_older(event: &Event, known: &Known, now: Timestamp) -> bool {
    let said = known.said_hour;
    event.occurred_at.is_some_and(|at| at < said && !was_put_right(said, known.taken_at, at, now))
        && !is_ahead(known.said_hour, now)
}

/// Whether a sender's clock that was a little ahead has been put right: it gave an hour that is still to come, and now gives
/// one that is not, but lies after the moment when that was heard. What happened before, and comes late, says nothing of its clock.
fn was_put_right(said: Timestamp, taken_at: Timestamp, at: Timestamp, now: Timestamp) -> bool {
    let is_later = at.saturating_add(CLOCK_NEAR).is_ok_and(|near| near >= taken_at);
    at <= now && is_later && now.saturating_add(CLOCK_NEAR).is_ok_and(|near| said > near)
}

/// Since when an alert is what an event makes of it: a change that is older than the last one known does
/// not turn time round, unless the last one lies in a future that never was.
pub fn changed_at(event: &Event, known: Option<&Known>, now: Timestamp) -> Timestamp {
    let at = change_time(event, now);
    match known {
        // Of two senders that do not agree about a condition, one says again that it is over. That is older than what the
        // other says now. Where nothing would tell of a recovery that was missed, its own clock is gone by.
        Some(known) if event.expires_at.is_some() && fires_anew(event, known, now) => now,
        Some(known)
            if !is_ahead(known.changed_at, now)
                && !was_put_right(known.changed_at, known.taken_at, at, now) =>
        {
            at.max(known.changed_at)
        }
        Some(_) | None => at,
    }
}

/// Whether a statement that is older than a recovery means now all the same: its sender keeps the first start.
fn fires_anew(event: &Event, known: &Known, now: Timestamp) -> bool {
    event.keeps_start
        && (event.status, known.status) == (Status::Firing, Status::Resolved)
        && is_older(event, known, now)
        && ago(known.taken_at, now) > REORDER_MAX
}

/// The hour of its own that a repeat gives, when that is later than any given before.
pub fn later_hour(event: &Event, known: &Known, now: Timestamp) -> Option<Timestamp> {
    event.occurred_at.filter(|at| *at > known.said_hour && !is_ahead(*at, now))
}

/// The newest hour of which the sender said that it is so, once an event is taken by which an alert is as it is since an hour.
/// What it said of later hours counts on, unless the event changes the alert.
pub fn said_hour(event: &Event, known: Option<&Known>, since: Timestamp, now: Timestamp) -> Timestamp {
    match known {
        Some(known) if known.status == event.status && !is_ahead(known.said_hour, now) => {
            since.max(known.said_hour)
        }
        _ => since,
    }
}

/// How long ago something was. A time that lies ahead was given by a clock that has been put right since,
/// so it was long ago.
fn ago(at: Timestamp, now: Timestamp) -> SignedDuration {
    if is_ahead(at, now) { SignedDuration::MAX } else { now.duration_since(at) }
}

/// Compares an event with what is known of its alert.
pub fn weigh(event: &Event, known: Option<&Known>, now: Timestamp) -> Weight {
    match (event.status, known) {
        (Status::Test, _) => Weight::Test,
        (Status::Info, _) | (Status::Acknowledged, None) => Weight::Ignored,
        (Status::Acknowledged, Some(_)) => Weight::Acknowledges,
        (Status::Firing, None) => Weight::Fires,
        (Status::Resolved, None) => Weight::RecoversUnseen,
        (Status::Firing | Status::Resolved, Some(known))
            if event.status != known.status && is_older(event, known, now) =>
        {
            if fires_anew(event, known, now) { Weight::Fires } else { Weight::Stale }
        }
        (Status::Firing, Some(Known { status: Status::Firing, closed_at: Some(closed), .. }))
            if ago(*closed, now) > CLOSED_GRACE =>
        {
            Weight::FiresOn
        }
        (Status::Firing, Some(known)) if known.status == Status::Firing => Weight::Repeats,
        (Status::Firing, Some(_)) => Weight::Fires,
        (Status::Resolved, Some(known)) if known.status == Status::Firing => Weight::Recovers,
        (Status::Resolved, Some(_)) => Weight::Repeats,
    }
}

/// Cuts a text at a character boundary so that it has at most `bytes_max` bytes.
pub fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        // One body may hold thousands of events, each with a copy of what was long.
        text.shrink_to_fit();
    }
}

/// Whether [`one_line`] would leave a text as it is: most titles are.
fn is_one_line(text: &str) -> bool {
    let plain = |pair: &[u8]| pair[0] >= b' ' && pair[0] < 0x7f && pair != b"  ";
    text.len() <= TITLE_BYTES_MAX
        && !text.starts_with(' ')
        && text.as_bytes().windows(2).all(plain)
        && text.as_bytes().last().is_some_and(u8::is_ascii_graphic)
}

/// A text without line breaks and other control characters, so that it fits a subject or a log line.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(TITLE_BYTES_MAX * 2));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.len() > TITLE_BYTES_MAX {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_323_000 + second).unwrap()
    }

    fn event(status: Status, second: i64) -> Event {
        Event { occurred_at: Some(at(second)), ..Event::new("k", status, "t") }
    }

    fn known(status: Status, second: i64) -> Known {
        Known {
            id: 1,
            status,
            changed_at: at(second),
            said_hour: at(second),
            taken_at: at(second),
            incident: Some(1),
            closed_at: None,
            wording: 0,
            history: History::default(),
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_taken_for_one_line_is_one(text in "[ a-c\\n\u{7f}é]{0,8}") {
            proptest::prop_assert!(!is_one_line(&text) || one_line(&text) == text, "{text:?}");
        }
    }

    #[test]
    fn most_titles_need_no_second_look() {
        assert!(is_one_line("disk is full on db-1"));
        for other in ["", " a", "a ", "a  b", "a\nb", "é", &"a".repeat(TITLE_BYTES_MAX + 1)] {
            assert!(!is_one_line(other), "{other:?}");
        }
    }

    #[test]
    fn a_late_firing_older_than_the_recovery_is_stale() {
        assert_eq!(
            weigh(&event(Status::Firing, 10), Some(&known(Status::Resolved, 20)), at(30)),
            Weight::Stale
        );
    }

    #[test]
    fn a_condition_that_fires_again_with_its_first_start_is_heard_after_a_minute() {
        let again = Event { keeps_start: true, ..event(Status::Firing, 10) };
        assert_eq!(weigh(&again, Some(&known(Status::Resolved, 20)), at(50)), Weight::Stale);
        assert_eq!(weigh(&again, Some(&known(Status::Resolved, 20)), at(90)), Weight::Fires);
        let pingdoms = event(Status::Firing, 10);
        assert_eq!(weigh(&pingdoms, Some(&known(Status::Resolved, 20)), at(900)), Weight::Stale);
    }

    #[test]
    fn equal_times_follow_the_order_of_arrival() {
        assert_eq!(
            weigh(&event(Status::Resolved, 10), Some(&known(Status::Firing, 10)), at(30)),
            Weight::Recovers
        );
    }

    #[test]
    fn a_change_ahead_of_the_hour_holds_up_no_recovery() {
        // Taken while a clock was a day ahead; sender's or ours, the rule is the same.
        let ahead = known(Status::Firing, 86_400);
        assert_eq!(weigh(&event(Status::Resolved, 20), Some(&ahead), at(30)), Weight::Recovers);
        let without = Event { occurred_at: None, ..event(Status::Resolved, 0) };
        assert_eq!(weigh(&without, Some(&ahead), at(30)), Weight::Recovers);
        assert_eq!(changed_at(&event(Status::Resolved, 20), Some(&ahead), at(30)), at(20));
        assert_eq!(
            changed_at(&event(Status::Resolved, 20), Some(&known(Status::Firing, 25)), at(30)),
            at(25)
        );
        let closed = Known { closed_at: Some(at(86_400)), ..ahead };
        assert_eq!(weigh(&event(Status::Firing, 20), Some(&closed), at(30)), Weight::FiresOn);
    }

    #[test]
    fn a_clock_a_little_ahead_that_is_put_right_holds_up_neither_a_recovery_nor_a_firing() {
        // Nine minutes ahead, and believed. Then it is right, and says what it says in time.
        for (before, after, means) in [
            (Status::Firing, Status::Resolved, Weight::Recovers),
            (Status::Resolved, Status::Firing, Weight::Fires),
        ] {
            let ahead = Known { taken_at: at(0), ..known(before, 540) };
            assert_eq!(weigh(&event(after, 120), Some(&ahead), at(120)), means);
            assert_eq!(changed_at(&event(after, 120), Some(&ahead), at(120)), at(120));
            // One that is ahead all the time and says two things in the wrong order says the older one last.
            assert_eq!(weigh(&event(after, 530), Some(&ahead), at(2)), Weight::Stale);
            // What comes late was so before the hour ahead was heard, and says nothing of a clock.
            let later = Known { taken_at: at(100), ..ahead.clone() };
            assert_eq!(weigh(&event(after, 80), Some(&later), at(120)), Weight::Stale);
            // So does one that is nearly right.
            assert_eq!(weigh(&event(after, 530), Some(&ahead), at(536)), Weight::Stale);
        }
    }

    #[test]
    fn an_event_without_a_time_of_its_own_is_never_old() {
        let without = Event { occurred_at: None, ..event(Status::Resolved, 0) };
        assert_eq!(weigh(&without, Some(&known(Status::Firing, 29)), at(30)), Weight::Recovers);
    }

    #[test]
    fn a_firing_alert_said_again_repeats_even_when_the_times_are_old() {
        assert_eq!(
            weigh(&event(Status::Firing, 5), Some(&known(Status::Firing, 10)), at(30)),
            Weight::Repeats
        );
    }

    #[test]
    fn an_alert_that_outlives_its_incident_is_heard_again_after_the_grace() {
        let closed = Known { closed_at: Some(at(100)), ..known(Status::Firing, 10) };
        assert_eq!(weigh(&event(Status::Firing, 10), Some(&closed), at(160)), Weight::Repeats);
        assert_eq!(weigh(&event(Status::Firing, 10), Some(&closed), at(100 + 301)), Weight::FiresOn);
    }

    #[test]
    fn a_clock_far_ahead_is_not_believed() {
        assert_eq!(change_time(&event(Status::Firing, 100_000), at(0)), at(0));
        assert_eq!(change_time(&event(Status::Firing, 60), at(0)), at(60));
    }

    #[test]
    fn a_key_of_a_megabyte_is_refused_in_words_and_a_long_title_is_cut() {
        let error = Event::new("k".repeat(1 << 20), Status::Firing, "t").bounded().unwrap_err();
        assert!(error.contains("1048576 bytes"), "{error}");
        let cut = Event::new("k", Status::Firing, "é".repeat(1000)).bounded().unwrap();
        assert!(cut.title.len() <= TITLE_BYTES_MAX);
    }
}
