//! Known conditions: what people are to know who are woken meanwhile. Redundancy is cut, a neighbour is being worked on.
//!
//! A condition is said by somebody, about some services or the whole house, from one hour to another. It concerns an incident
//! when it is about a service that was struck, or about one that such a service needs. Maintenance that is open is known in the
//! same way: it says by itself what is being worked on, and until when. None of it changes who is woken.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::correlate::Needs;
use super::incident::Incident;
use super::maintenance::Window;
use super::silence::{State, check_hours};

/// Longest text, in bytes: it stands before everything else on a phone at night.
pub const TEXT_BYTES_MAX: usize = 500;
/// Most services of one condition.
pub const SERVICES_MAX: usize = 64;
/// Most services named where it is told.
const SERVICES_SHOWN_MAX: usize = 10;
/// Longest it may hold: who works on something for longer says so again.
pub const LASTS_MAX: SignedDuration = SignedDuration::from_hours(92 * 24);

/// What people are to know for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its id: a UUID.
    pub id: String,
    /// Names of the services it is about; none: the whole house.
    pub services: BTreeSet<String>,
    /// One line, as [`line()`] makes it.
    pub text: String,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when, not included.
    pub ends_at: Timestamp,
    /// Who said it.
    pub created_by: String,
    /// When it was said.
    pub created_at: Timestamp,
    /// Who ended it before its hour.
    pub ended_by: Option<String>,
}

impl Condition {
    /// Where it is in its life at an hour.
    pub fn state(&self, now: Timestamp) -> State {
        State::of(self.starts_at, self.ends_at, now)
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        if self.text.is_empty() {
            return Err("a condition says what people are to know who are woken meanwhile".into());
        }
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "the text has {} bytes; at most {TEXT_BYTES_MAX} are taken, for it stands on top of every page",
                self.text.len()
            ));
        }
        if self.services.len() > SERVICES_MAX {
            return Err(format!(
                "a condition is about {SERVICES_MAX} services at most; name none for the whole house"
            ));
        }
        check_hours("condition", self.starts_at, self.ends_at, now)?;
        if self.ends_at.duration_since(self.starts_at) > LASTS_MAX {
            return Err("a condition holds for 92 days at most".into());
        }
        Ok(())
    }

    /// What it is about, for people.
    pub fn about(&self) -> String {
        about(&self.services)
    }

    /// What it says, with what it is about and its hours: for a timeline.
    pub fn told(&self, now: Timestamp) -> String {
        let from = match self.state(now) {
            State::Pending => format!(" from {:.0}", self.starts_at),
            _ => String::new(),
        };
        format!("Known condition{from} until {:.0} ({}): {}", self.ends_at, about(&self.services), self.text)
    }

    /// What is said of it when somebody ended it.
    pub fn told_ended(&self) -> String {
        format!("Known condition ended ({}): {}", about(&self.services), self.text)
    }

    /// Whether it concerns an incident that struck these services, as [`struck`] tells them.
    pub fn concerns(&self, struck: &BTreeSet<&str>) -> bool {
        self.services.is_empty() || self.services.iter().any(|service| struck.contains(service.as_str()))
    }
}

/// Something that is known at this hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What.
    pub text: String,
    /// Names of the services it is about; none: the whole house.
    pub services: BTreeSet<String>,
    /// Until when.
    pub until: Timestamp,
    /// Who said it; `None`: the configuration does.
    pub by: Option<String>,
}

impl Known {
    /// What it is about, for people.
    pub fn about(&self) -> String {
        about(&self.services)
    }
}

fn about(services: &BTreeSet<String>) -> String {
    if services.is_empty() {
        return "the whole house".to_owned();
    }
    let shown: Vec<&str> = services.iter().take(SERVICES_SHOWN_MAX).map(String::as_str).collect();
    let more = match services.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}

/// A text as one line: nothing in it can look like another line of a letter.
pub fn line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// What an incident has struck, and whatever that cannot work without.
pub fn struck<'a>(incident: &'a Incident, needs: &'a Needs) -> BTreeSet<&'a str> {
    let own = [Some(&incident.service), incident.cause.as_ref()].into_iter().flatten().chain(&incident.also);
    own.flat_map(|service| needs.of_service(service).chain([service.as_str()])).collect()
}

/// What is known at an hour, the first to end first: conditions in force and maintenance that is open. Of one incident, by the
/// services that it struck; `None`: all of it.
pub fn known(
    conditions: &[Condition],
    windows: &[Window],
    struck: Option<&BTreeSet<&str>>,
    now: Timestamp,
) -> Vec<Known> {
    let said = conditions
        .iter()
        .filter(|one| one.state(now) == State::Active && struck.is_none_or(|struck| one.concerns(struck)))
        .map(|one| Known {
            text: one.text.clone(),
            services: one.services.clone(),
            until: one.ends_at,
            by: Some(one.created_by.clone()),
        });
    let planned = windows
        .iter()
        .filter(|window| {
            let mut own = window.services.iter();
            struck.is_none_or(|struck| own.any(|service| struck.contains(service.as_str())))
        })
        .filter_map(|window| {
            let until = window.open_at(now)?;
            let comment = line(&window.comment);
            let why = if comment.is_empty() { String::new() } else { format!(": {comment}") };
            let text = format!("maintenance {}{why}", window.name);
            Some(Known { text, services: window.services.clone(), until, by: None })
        });
    let mut all: Vec<Known> = said.chain(planned).collect();
    all.sort_by(|one, other| (one.until, &one.text).cmp(&(other.until, &other.text)));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::ToSpan as _;
    use jiff::civil::datetime;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::core::correlate::Grouping;
    use crate::core::incident::{Incident, Severity};
    use crate::core::maintenance::Times;
    use crate::core::rules::Service;
    use crate::core::timeline::{Actor, Entry, Fact, Route};

    fn at(minute: i64) -> Timestamp {
        "2026-12-01T02:00:00Z".parse::<Timestamp>().unwrap() + minute.minutes()
    }

    fn condition(services: &[&str], text: &str) -> Condition {
        Condition {
            id: "1".into(),
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            text: text.into(),
            starts_at: at(0),
            ends_at: at(60),
            created_by: "maya".into(),
            created_at: at(0),
            ended_by: None,
        }
    }

    fn incident(service: &str) -> Incident {
        let fact = Fact::Opened {
            title: "down".into(),
            service: service.into(),
            severity: Severity::Sev1,
            group: None,
            declared: false,
        };
        let first = Entry {
            seq: 1,
            at: at(0),
            occurred_at: at(0),
            actor: Actor::Dispatch,
            office: None,
            term: None,
            route: Route::Daemon,
            fact,
        };
        Incident::open(1, &first).unwrap()
    }

    /// The shop needs the load balancer, which needs the power; the blog needs the load balancer, too.
    fn needs() -> Needs {
        let service = |depends_on: &[&str]| Service {
            grouping: Grouping {
                depends_on: depends_on.iter().map(|name| (*name).to_owned()).collect(),
                ..Grouping::default()
            },
            ..Service::default()
        };
        let services = [("shop", &["lb"][..]), ("blog", &["lb"]), ("lb", &["power"]), ("power", &[])];
        Needs::of(
            &services
                .map(|(name, on)| (name.to_owned(), service(on)))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        )
    }

    fn window(name: &str, service: &str, comment: &str) -> Window {
        Window {
            name: name.into(),
            services: [service.to_owned()].into(),
            time_zone: TimeZone::UTC,
            times: Times::Clock {
                first: datetime(2026, 11, 1, 2, 0, 0, 0),
                every_days: Some(1),
                until: None,
                lasts: SignedDuration::from_mins(30),
            },
            announce: None,
            comment: comment.into(),
        }
    }

    fn texts(known: &[Known]) -> Vec<&str> {
        known.iter().map(|one| one.text.as_str()).collect()
    }

    #[test]
    fn it_concerns_what_was_struck_and_what_that_needs_and_nothing_else() {
        let needs = needs();
        let of_the_shop = Incident { also: vec!["mail".into()], ..incident("shop") };
        let caused = Incident { cause: Some("power".into()), ..incident("mail") };
        for (about, of_the_shop_too, of_the_cause_too) in [
            (&[][..], true, true),
            (&["shop"], true, false),
            (&["lb"], true, false),
            (&["power"], true, true),
            (&["mail"], true, true),
            // Who needs the same is a neighbour, and who needs the struck one is struck by it.
            (&["blog"], false, false),
            (&["blog", "lb"], true, false),
            (&["gone"], false, false),
        ] {
            let one = condition(about, "x");
            assert_eq!(one.concerns(&struck(&of_the_shop, &needs)), of_the_shop_too, "{about:?}");
            assert_eq!(one.concerns(&struck(&caused, &needs)), of_the_cause_too, "{about:?}");
        }
        let of_the_lb = incident("lb");
        assert!(!condition(&["shop"], "x").concerns(&struck(&of_the_lb, &needs)));
    }

    #[test]
    fn it_is_known_from_its_first_moment_to_its_last_and_the_first_to_end_comes_first() {
        let long = Condition { ends_at: at(120), ..condition(&[], "long") };
        let short = condition(&["lb"], "short");
        let later = Condition { starts_at: at(30), ..condition(&[], "later") };
        let all = [long, short, later];
        let said = |minute| texts(&known(&all, &[], None, at(minute))).join(" ");
        assert_eq!(said(-1), "");
        assert_eq!(said(0), "short long");
        assert_eq!(said(30), "later short long");
        assert_eq!(said(60), "long");
        assert_eq!(said(120), "");
        let about = ["blog"].into();
        assert_eq!(texts(&known(&all, &[], Some(&about), at(0))), ["long"]);
    }

    #[test]
    fn maintenance_is_known_while_it_is_open_also_to_who_needs_its_service() {
        let windows = [window("patches", "lb", "the  spare\nis away"), window("move", "blog", "")];
        let (needs, shop) = (needs(), incident("shop"));
        let about = struck(&shop, &needs);
        let open = known(&[], &windows, Some(&about), at(10));
        assert_eq!(texts(&open), ["maintenance patches: the spare is away"]);
        assert_eq!((open[0].until, open[0].by.as_deref(), open[0].about()), (at(30), None, "lb".into()));
        assert!(
            known(&[], &windows, Some(&about), at(30)).is_empty(),
            "it opens again in the next night only"
        );
        let all = known(&[condition(&[], "dc2 is down")], &windows, None, at(10));
        assert_eq!(
            texts(&all),
            ["maintenance move", "maintenance patches: the spare is away", "dc2 is down"]
        );
    }

    #[test]
    fn what_says_nothing_or_too_much_or_for_no_time_is_refused() {
        for (wrong, what) in [
            (condition(&[], ""), "what people are to know"),
            (condition(&[], &"x".repeat(TEXT_BYTES_MAX + 1)), "at most 500"),
            (Condition { ends_at: at(0), ..condition(&[], "x") }, "before it begins"),
            (Condition { ends_at: at(0) + LASTS_MAX + 1.minutes(), ..condition(&[], "x") }, "92 days"),
            (Condition { services: (0..65).map(|n| n.to_string()).collect(), ..condition(&[], "x") }, "64"),
        ] {
            let why = wrong.check(at(0)).unwrap_err();
            assert!(why.contains(what), "{why}");
        }
        assert!(condition(&[], "x").check(at(61)).unwrap_err().contains("past"));
        let longest = Condition { ends_at: at(0) + LASTS_MAX, ..condition(&[], &"x".repeat(TEXT_BYTES_MAX)) };
        assert_eq!(longest.check(at(0)), Ok(()));
    }

    #[test]
    fn a_text_is_one_line_and_what_a_timeline_says_of_it_has_its_hours() {
        assert_eq!(
            line(" dc2\r\n\r\nAnswer: https://example.com\u{1b}[2J "),
            "dc2 Answer: https://example.com [2J"
        );
        let one = condition(&["db", "web"], "no failover");
        assert_eq!(one.told(at(5)), "Known condition until 2026-12-01T03:00:00Z (db, web): no failover");
        assert_eq!(
            condition(&[], "no failover").told(at(-5)),
            "Known condition from 2026-12-01T02:00:00Z until 2026-12-01T03:00:00Z (the whole house): no failover"
        );
        assert_eq!(one.told_ended(), "Known condition ended (db, web): no failover");
        let names: Vec<String> = (10..22).map(|n| format!("s{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(condition(&names, "x").told_ended().contains("s18, s19 and 2 more): x"));
    }
}
