//! Silences: alerts that fit wake nobody from one hour to another.

use jiff::Timestamp;

use super::alert::Event;
use super::matcher::Matcher;
use super::route;

/// Most matchers of one silence.
pub const MATCHERS_MAX: usize = 64;
/// Longest author, in bytes.
pub const AUTHOR_BYTES_MAX: usize = 256;
/// Longest comment, in bytes.
pub const COMMENT_BYTES_MAX: usize = 4096;

/// Alerts that fit wake nobody for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its id, as Alertmanager's: a UUID.
    pub id: String,
    /// Only alerts of this source; `None`: of every one.
    pub source: Option<String>,
    /// All of them must fit.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when, not included.
    pub ends_at: Timestamp,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Where something that holds from one hour to another is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not yet.
    Pending,
    /// Now.
    Active,
    /// Not any more.
    Expired,
}

impl State {
    /// Where something is in its life at an hour that holds from one to another, the last not included.
    pub fn of(starts_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> Self {
        if now >= ends_at {
            Self::Expired
        } else if now < starts_at {
            Self::Pending
        } else {
            Self::Active
        }
    }

    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// Whether something can hold from one hour to another.
///
/// # Errors
/// A sentence for people.
pub fn check_hours(
    what: &str,
    starts_at: Timestamp,
    ends_at: Timestamp,
    now: Timestamp,
) -> Result<(), String> {
    if ends_at <= starts_at {
        return Err(format!("the {what} ends before it begins"));
    }
    if ends_at <= now {
        return Err(format!("the {what} lies in the past"));
    }
    Ok(())
}

impl Silence {
    /// Where it is in its life at an hour.
    pub fn state(&self, now: Timestamp) -> State {
        State::of(self.starts_at, self.ends_at, now)
    }

    /// Whether it is in force, and an event of this source fits that is about this service.
    pub fn holds(&self, source: &str, service: &str, event: &Event, now: Timestamp) -> bool {
        self.state(now) == State::Active
            && self.source.as_ref().is_none_or(|own| own == source)
            && self
                .matchers
                .iter()
                .all(|matcher| matcher.fits(self.value(source, service, event, &matcher.name)))
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        if self.matchers.is_empty() || self.matchers.len() > MATCHERS_MAX {
            return Err(format!("a silence has from 1 to {MATCHERS_MAX} matchers"));
        }
        if self.matchers.iter().all(|matcher| matcher.fits("")) {
            return Err(
                "at least one matcher must not fit the empty text: this silence would hold for everything"
                    .into(),
            );
        }
        check_hours("silence", self.starts_at, self.ends_at, now)?;
        let texts = self.matchers.iter().flat_map(|matcher| [&matcher.name, &matcher.value]);
        if texts.chain([&self.created_by, &self.comment]).any(|text| text.contains('\0')) {
            return Err("a silence holds no NUL".into());
        }
        if self.created_by.len() > AUTHOR_BYTES_MAX || self.comment.len() > COMMENT_BYTES_MAX {
            return Err(format!(
                "the author has at most {AUTHOR_BYTES_MAX} bytes, the comment {COMMENT_BYTES_MAX}"
            ));
        }
        Ok(())
    }

    /// What a matcher sees of an event. A silence of a single source sees what Alertmanager's would: its labels. In one of
    /// the house `service` is what the alert is about, as the pages show it, whatever label of that name its sender gave it.
    fn value<'a>(&self, source: &'a str, service: &'a str, event: &'a Event, name: &str) -> &'a str {
        match (&self.source, name) {
            (Some(_), _) => event.labels.get(name).map_or("", String::as_str),
            (None, "service") => service,
            (None, _) => route::seen(source, service, event, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;
    use crate::core::alert::{AlertSeverity, Status};
    use crate::core::matcher::read_all;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_323_000).unwrap() + minute.minutes()
    }

    fn silence(matchers: &str) -> Silence {
        Silence {
            id: "1".into(),
            source: None,
            matchers: read_all(matchers).unwrap(),
            starts_at: at(0),
            ends_at: at(60),
            created_by: "maya".into(),
            comment: "new disks".into(),
            updated_at: at(0),
        }
    }

    fn event() -> Event {
        let mut event = Event::new("k", Status::Firing, "Disk full");
        event.severity = Some(AlertSeverity::Error);
        event.labels.insert("instance".into(), "db-1".into());
        event
    }

    #[test]
    fn it_holds_from_its_first_moment_to_its_last_and_for_what_fits() {
        let one = silence("instance=~\"db-.*\",cluster=\"\",source=\"prom\",severity=\"error\"");
        assert!(!one.holds("prom", "shop", &event(), at(-1)) && one.holds("prom", "shop", &event(), at(0)));
        assert!(one.holds("prom", "shop", &event(), at(59)) && !one.holds("prom", "shop", &event(), at(60)));
        assert!(!one.holds("other", "shop", &event(), at(1)));
        let of_another = Silence { source: Some("other".into()), ..silence("instance=\"db-1\"") };
        let sees_labels_only = Silence { source: Some("prom".into()), ..silence("title=~\".+\"") };
        assert!(!sees_labels_only.holds("prom", "shop", &event(), at(1)));
        assert!(
            !of_another.holds("prom", "shop", &event(), at(1))
                && of_another.holds("other", "shop", &event(), at(1))
        );
    }

    #[test]
    fn a_label_goes_before_what_onscene_knows_by_the_same_name() {
        let mut event = event();
        event.labels.insert("severity".into(), "page".into());
        assert!(silence("severity=\"page\"").holds("prom", "shop", &event, at(1)));
    }

    #[test]
    fn the_service_is_what_the_alert_is_about_and_not_a_label() {
        let mut event = event();
        event.labels.insert("service".into(), "kubelet".into());
        assert!(silence("service=\"shop\"").holds("prom", "shop", &event, at(1)));
        assert!(!silence("service=\"kubelet\"").holds("prom", "shop", &event, at(1)));
        let of_one = Silence { source: Some("prom".into()), ..silence("service=\"kubelet\"") };
        assert!(of_one.holds("prom", "shop", &event, at(1)), "as in Alertmanager");
    }

    #[test]
    fn what_would_silence_everything_or_nothing_is_refused() {
        for (wrong, what) in [
            (silence("a!=\"b\""), "everything"),
            (silence(""), "from 1 to"),
            (Silence { ends_at: at(0), ..silence("a=\"b\"") }, "before it begins"),
            (Silence { comment: "x".repeat(COMMENT_BYTES_MAX + 1), ..silence("a=\"b\"") }, "at most"),
        ] {
            let why = wrong.check(at(0)).unwrap_err();
            assert!(why.contains(what), "{why}");
        }
        assert!(silence("a=\"b\"").check(at(61)).unwrap_err().contains("past"));
        assert!(silence("a=\"b\"").check(at(0)).is_ok());
    }
}
