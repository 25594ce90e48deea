//! One cause, one incident: which open incident an alert joins that would else open its own.
//!
//! Pure: what is open, and what was opened lately, is handed in. In this order: the sender's own group; the same service
//! within its window; a service that it depends on, or one that depends on it and was struck a moment before; a storm.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::alert::Event;
use super::incident::Severity;
use super::rules::{Rules, Service};

/// What ties values of labels together; no label holds it.
const BETWEEN: char = '\u{1f}';

/// How alerts of a service become incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// An alert joins an open incident of its service that another joined within this time.
    pub window: SignedDuration,
    /// Only when it has the same values of these labels as the alert that opened that incident.
    pub by: Vec<String>,
    /// For so long an incident waits for its cause, when its service depends on others.
    pub settle: SignedDuration,
    /// What it cannot work without, directly.
    pub depends_on: Vec<String>,
}

impl Default for Grouping {
    fn default() -> Self {
        Self {
            window: SignedDuration::from_mins(5),
            by: Vec::new(),
            settle: SignedDuration::from_secs(30),
            depends_on: Vec::new(),
        }
    }
}

/// More new incidents than this within this time become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// So many are no storm yet.
    pub incidents: u32,
    /// Within this time.
    pub within: SignedDuration,
}

impl Default for Storm {
    fn default() -> Self {
        Self { incidents: 10, within: SignedDuration::from_mins(5) }
    }
}

/// Who needs whom, to the end of every chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// By a service: what it cannot work without.
    needs: BTreeMap<String, BTreeSet<String>>,
    /// By a service: what cannot work without it.
    needed_by: BTreeMap<String, BTreeSet<String>>,
}

impl Needs {
    /// Follows every chain. There are no circles: the configuration refuses them.
    pub fn of(services: &BTreeMap<String, Service>) -> Self {
        let mut all = Self::default();
        for name in services.keys() {
            let mut open = vec![name.as_str()];
            while let Some(at) = open.pop() {
                let direct = services.get(at).map(|service| service.grouping.depends_on.as_slice());
                for needed in direct.unwrap_or_default() {
                    if all.needs.entry(name.clone()).or_default().insert(needed.clone()) {
                        all.needed_by.entry(needed.clone()).or_default().insert(name.clone());
                        open.push(needed);
                    }
                }
            }
        }
        all
    }

    /// What a service cannot work without, directly or not.
    pub fn of_service(&self, service: &str) -> impl Iterator<Item = &str> {
        self.needs.get(service).into_iter().flatten().map(String::as_str)
    }

    /// What cannot work without a service, directly or not.
    pub fn needing(&self, service: &str) -> impl Iterator<Item = &str> {
        self.needed_by.get(service).into_iter().flatten().map(String::as_str)
    }

    fn needs(&self, service: &str, other: &str) -> bool {
        self.needs.get(service).is_some_and(|all| all.contains(other))
    }
}

/// An open incident that may be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub id: i64,
    /// The service that leads it: its cause where that is known, else its own.
    pub service: String,
    /// Values of the labels its service is grouped by: see [`group_of`].
    pub group: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When an alert last joined it.
    pub joined_at: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// How many of its alerts fire.
    pub firing: u32,
    /// A human has it.
    pub taken: bool,
    /// It is a storm.
    pub storm: bool,
}

/// Why an alert joined an incident that it did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The same condition, at another source.
    SameKey,
    /// Its sender groups it with one that is there.
    SameGroup,
    /// Its service has an open incident within its window.
    SameService,
    /// Its service depends on the one whose incident it is.
    DependsOn,
    /// Services that depend on its own were struck a moment before: it is the cause.
    Cause,
    /// More incidents were opened in a short time than people can look at.
    Storm,
}

impl Because {
    /// The word used in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameKey => "same_key",
            Self::SameGroup => "same_group",
            Self::SameService => "same_service",
            Self::DependsOn => "depends_on",
            Self::Cause => "cause",
            Self::Storm => "storm",
        }
    }

    /// A few words for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::SameKey => "the same condition, at another source",
            Self::SameGroup => "its sender groups it with one of these",
            Self::SameService => "the same service, a short while after another",
            Self::DependsOn => "its service depends on this one",
            Self::Cause => "services that depend on it were struck a moment before",
            Self::Storm => "more incidents come than people can look at",
        }
    }

    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::SameKey, Self::SameGroup, Self::SameService, Self::DependsOn, Self::Cause, Self::Storm];
}

/// Where an alert goes that has no incident yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// It opens its own; `storm`: and that is one.
    Own {
        /// More were opened lately than people can look at, and somebody has each of them.
        storm: bool,
    },
    /// It joins another.
    Other {
        /// Which.
        incident: i64,
        /// Why.
        because: Because,
        /// Incidents that become part of that one.
        merges: Vec<i64>,
    },
}

/// What decides where an alert goes.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// How bad an incident of the alert alone would be.
    pub severity: Severity,
    /// An open incident that holds an alert of the same source, service and group of its sender.
    pub grouped: Option<&'a Candidate>,
    /// Open incidents of its service, of those it needs, and of those that need it.
    pub open: &'a [Candidate],
    /// Incidents of every service that were opened within the time of a storm and are still open, and open storms.
    pub recent: &'a [Candidate],
}

/// The values of the labels that a service is grouped by.
pub fn group_of(service: &str, event: &Event, rules: &Rules) -> String {
    let by = rules.services.get(service).map(|service| service.grouping.by.as_slice());
    let value = |name: &String| event.labels.get(name).map_or("", String::as_str);
    by.unwrap_or_default().iter().map(value).collect::<Vec<_>>().join(&BETWEEN.to_string())
}

/// Where an alert of a service goes.
///
/// Whoever has an incident has been told of it, and may sleep again: what is worse than that, or comes to what is calm by
/// now, opens its own.
pub fn home(service: &str, event: &Event, seen: Seen<'_>, rules: &Rules, now: Timestamp) -> Home {
    let other = |incident, because| Home::Other { incident, because, merges: Vec::new() };
    let takes = |one: &Candidate| !one.taken || (one.firing > 0 && seen.severity >= one.severity);
    let window = rules.grouping_of(service).window;
    let is_busy = |one: &Candidate| is_within(one.joined_at, window, now);
    if let Some(one) = seen.grouped.filter(|one| takes(one) && (!one.taken || is_busy(one))) {
        return other(one.id, Because::SameGroup);
    }
    let group = group_of(service, event, rules);
    let same = |one: &&Candidate| one.service == service && one.group == group && is_busy(one) && takes(one);
    if let Some(one) = seen.open.iter().filter(same).max_by_key(|one| (one.joined_at, one.id)) {
        return other(one.id, Because::SameService);
    }
    // The one that was struck first is nearest to the cause of all.
    let cause = seen.open.iter().filter(|one| rules.needs.needs(service, &one.service) && takes(one));
    if let Some(one) = cause.min_by_key(|one| (one.opened_at, one.id)) {
        return other(one.id, Because::DependsOn);
    }
    let symptom = |one: &&Candidate| {
        rules.needs.needs(&one.service, service)
            && is_within(one.opened_at, rules.grouping_of(&one.service).settle, now)
    };
    if let Some(home) = gather(seen.open.iter().filter(symptom), Because::Cause) {
        return home;
    }
    let Some(storm) = rules.storm else { return Home::Own { storm: false } };
    let raging = |one: &&Candidate| one.storm && is_within(one.joined_at, storm.within, now) && takes(one);
    if let Some(one) = seen.recent.iter().filter(raging).max_by_key(|one| (one.joined_at, one.id)) {
        return other(one.id, Because::Storm);
    }
    let opened = seen.recent.iter().filter(|one| is_within(one.opened_at, storm.within, now)).count();
    if opened < usize::try_from(storm.incidents).unwrap_or(usize::MAX) {
        return Home::Own { storm: false };
    }
    let untaken = seen.recent.iter().filter(|one| !one.taken);
    gather(untaken, Because::Storm).unwrap_or(Home::Own { storm: true })
}

/// The oldest of several becomes the home of all. What a human has keeps its own Commander, so it is never given to another.
fn gather<'a>(all: impl Iterator<Item = &'a Candidate>, because: Because) -> Option<Home> {
    let mut all: Vec<&Candidate> = all.collect();
    all.sort_by_key(|one| (one.opened_at, one.id));
    let (first, rest) = all.split_first()?;
    let mut rest: Vec<&&Candidate> = rest.iter().filter(|one| !one.taken).collect();
    // The worst first, so that the home gets worse once.
    rest.sort_by_key(|one| one.severity);
    Some(Home::Other { incident: first.id, because, merges: rest.iter().map(|one| one.id).collect() })
}

/// Whether something was not longer ago than a while. What lies ahead was written by a clock that has been put right.
fn is_within(at: Timestamp, length: SignedDuration, now: Timestamp) -> bool {
    length > SignedDuration::ZERO && now.duration_since(at).abs() <= length
}

#[cfg(test)]
mod tests {
    use super::super::alert::Status;
    use super::*;

    fn service(depends_on: &[&str], by: &[&str]) -> Service {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let grouping = Grouping { depends_on: texts(depends_on), by: texts(by), ..Grouping::default() };
        Service { grouping, ..Service::default() }
    }

    /// `shop` and `blog` need `app`, which needs `lb`; `db` is grouped by its cluster.
    fn rules() -> Rules {
        let services: BTreeMap<String, Service> = [
            ("shop", service(&["app"], &[])),
            ("blog", service(&["app"], &[])),
            ("app", service(&["lb"], &[])),
            ("lb", service(&[], &[])),
            ("db", service(&[], &["cluster"])),
        ]
        .map(|(name, service)| (name.to_owned(), service))
        .into();
        let storm = Some(Storm { incidents: 3, within: SignedDuration::from_mins(5) });
        Rules { needs: Needs::of(&services), services, storm, ..Rules::default() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_323_000 + second).unwrap()
    }

    fn open(id: i64, service: &str, opened: i64) -> Candidate {
        Candidate {
            id,
            service: service.into(),
            group: String::new(),
            opened_at: at(opened),
            joined_at: at(opened),
            severity: Severity::Sev2,
            firing: 1,
            taken: false,
            storm: false,
        }
    }

    fn event(cluster: &str) -> Event {
        let mut event = Event::new("k", Status::Firing, "t");
        event.labels.insert("cluster".into(), cluster.into());
        event
    }

    fn goes(service: &str, open: &[Candidate], second: i64) -> Home {
        let seen = Seen { severity: Severity::Sev2, grouped: None, open, recent: &[] };
        home(service, &event("a"), seen, &rules(), at(second))
    }

    fn joins(incident: i64, because: Because, merges: &[i64]) -> Home {
        Home::Other { incident, because, merges: merges.to_vec() }
    }

    const OWN: Home = Home::Own { storm: false };

    #[test]
    fn chains_of_needs_are_followed_to_their_end() {
        let needs = rules().needs;
        assert_eq!(needs.of_service("shop").collect::<Vec<_>>(), ["app", "lb"]);
        assert_eq!(needs.needing("lb").collect::<Vec<_>>(), ["app", "blog", "shop"]);
        assert_eq!(needs.of_service("lb").count(), 0);
    }

    #[test]
    fn a_service_has_one_incident_within_its_window() {
        let known = [open(1, "shop", 0), open(2, "blog", 0)];
        assert_eq!(goes("shop", &known, 300), joins(1, Because::SameService, &[]));
        assert_eq!(goes("shop", &known, 301), OWN);
        // The window begins anew with every alert that joins.
        let busy = [Candidate { joined_at: at(200), ..open(1, "shop", 0) }];
        assert_eq!(goes("shop", &busy, 500), joins(1, Because::SameService, &[]));
    }

    #[test]
    fn a_service_that_is_grouped_by_labels_has_one_for_each_of_their_values() {
        let of = |group: &str| [Candidate { group: group.into(), ..open(1, "db", 0) }];
        assert_eq!(goes("db", &of("a"), 10), joins(1, Because::SameService, &[]));
        assert_eq!(goes("db", &of("b"), 10), OWN);
        assert_eq!(group_of("db", &event("x"), &rules()), "x");
        assert_eq!(group_of("shop", &event("x"), &rules()), "");
    }

    #[test]
    fn a_symptom_joins_its_cause_however_far_down_that_is() {
        let known = [open(7, "app", 50), open(5, "lb", 0)];
        assert_eq!(goes("shop", &known, 100_000), joins(5, Because::DependsOn, &[]));
        // What needs it is no cause of it, later than the settle time.
        assert_eq!(goes("lb", &[open(1, "shop", 0)], 31), OWN);
    }

    #[test]
    fn a_cause_that_comes_after_its_symptoms_gathers_them() {
        let known = [open(2, "blog", 10), open(1, "shop", 5), open(3, "db", 0)];
        assert_eq!(goes("lb", &known, 30), joins(1, Because::Cause, &[2]));
        let taken = [open(1, "shop", 5), Candidate { taken: true, ..open(2, "blog", 10) }];
        assert_eq!(goes("lb", &taken, 30), joins(1, Because::Cause, &[]));
        // The settle time of the symptom counts.
        assert_eq!(goes("lb", &known, 37), joins(2, Because::Cause, &[]));
    }

    #[test]
    fn more_than_people_can_look_at_is_a_storm() {
        let storm = |recent: &[Candidate], second| {
            let seen = Seen { severity: Severity::Sev2, grouped: None, open: &[], recent };
            home("db", &event("z"), seen, &rules(), at(second))
        };
        let three = [open(4, "x", 30), open(2, "y", 10), open(3, "z", 20)];
        assert_eq!(storm(&three[..2], 100), OWN);
        assert_eq!(storm(&three, 100), joins(2, Because::Storm, &[3, 4]));
        // Those that were opened long before are none of it, and the worst are taken in first.
        assert_eq!(storm(&three, 315), OWN);
        let worse =
            [three[0].clone(), three[1].clone(), Candidate { severity: Severity::Sev1, ..open(5, "w", 40) }];
        assert_eq!(storm(&worse, 100), joins(2, Because::Storm, &[5, 4]));
        let taken = three.clone().map(|one| Candidate { taken: true, ..one });
        assert_eq!(storm(&taken, 100), Home::Own { storm: true });
        let raging = [Candidate { storm: true, taken: true, ..open(2, "y", 0) }];
        assert_eq!(storm(&raging, 100), joins(2, Because::Storm, &[]));
        assert_eq!(storm(&raging, 301), OWN);
    }

    #[test]
    fn the_group_of_the_sender_goes_first() {
        let grouped = open(9, "shop", 0);
        let goes = |grouped: &Candidate, severity, second| {
            let seen = Seen { severity, grouped: Some(grouped), open: &[open(1, "shop", 0)], recent: &[] };
            home("shop", &event("a"), seen, &rules(), at(second))
        };
        assert_eq!(goes(&grouped, Severity::Sev1, 5000), joins(9, Because::SameGroup, &[]));
        // Who has it may sleep by then.
        let taken = Candidate { taken: true, ..grouped };
        assert_eq!(goes(&taken, Severity::Sev2, 300), joins(9, Because::SameGroup, &[]));
        assert_eq!(goes(&taken, Severity::Sev2, 301), OWN);
        assert_eq!(goes(&taken, Severity::Sev1, 300), joins(1, Because::SameService, &[]));
    }

    #[test]
    fn what_is_worse_than_what_somebody_has_or_comes_to_what_is_calm_opens_its_own() {
        let taken = Candidate { taken: true, severity: Severity::Sev4, ..open(5, "lb", 0) };
        assert_eq!(goes("shop", std::slice::from_ref(&taken), 1000), OWN);
        let as_bad = Candidate { severity: Severity::Sev2, ..taken.clone() };
        assert_eq!(goes("shop", std::slice::from_ref(&as_bad), 1000), joins(5, Because::DependsOn, &[]));
        assert_eq!(goes("shop", &[Candidate { firing: 0, ..as_bad }], 1000), OWN);
        // What nobody has is only as good as its escalation, which such an alert sets going again.
        assert_eq!(
            goes("shop", &[Candidate { taken: false, firing: 0, ..taken }], 10),
            joins(5, Because::DependsOn, &[])
        );
    }

    #[test]
    fn no_window_and_no_storm_group_nothing() {
        let mut rules = rules();
        rules.services.get_mut("shop").unwrap().grouping.window = SignedDuration::ZERO;
        rules.storm = None;
        let known = [open(1, "shop", 0)];
        let seen = Seen { severity: Severity::Sev2, grouped: None, open: &known, recent: &known };
        assert_eq!(home("shop", &event("a"), seen, &rules, at(0)), OWN);
    }
}
