//! Where responders meet: a list of places, the usual one first, and which of them may be down with what broke.
//!
//! A place hangs on services: its failure domain, with all that these need. It is doubted when an alert of one of them fires,
//! when one of them is being worked on, and when what this incident has struck needs one of them as well: then both may have
//! the same cause, although nothing has said so yet. Alerts of other incidents are no reason for that last doubt, or a disk
//! that has been full for a week would send people away from their usual place every night.
//!
//! The list is that of the incident's own service, also when another turns out to be at fault: who was woken first and who
//! is woken later are to meet at the same place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::correlate::Needs;
use super::incident::Incident;
use super::maintenance::{self, Window};
use super::rules::Rules;

/// Most places of one list: primary, alternate, contingency, emergency.
pub const LIST_MAX: usize = 4;
/// What the place is called that `bridge` of a service names.
pub const BRIDGE: &str = "bridge";
/// What the place is called that somebody named for this incident alone.
pub const TOLD: &str = "told";
/// In the address of a place: the number of the incident.
pub const INCIDENT: &str = "{incident}";
/// In the address of a place: the incident's own service.
pub const SERVICE: &str = "{service}";
/// In the address of a place: what nobody can guess who was not told.
pub const SECRET: &str = "{secret}";

/// A place where people can meet, as the configuration has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Its address, in which [`INCIDENT`], [`SERVICE`] and [`SECRET`] may stand.
    pub url: String,
    /// How it is reached by telephone: a number, and what is keyed in there.
    pub dial_in: Option<String>,
    /// What it hangs on, in the order of the configuration.
    pub depends_on: Vec<String>,
    /// The same, with all that these need.
    domain: BTreeSet<String>,
}

impl Point {
    /// One that is not looked at yet: [`Points::hang`] says what it hangs on.
    pub fn new(url: String, dial_in: Option<String>, depends_on: Vec<String>) -> Self {
        Self { url, dial_in, depends_on, domain: BTreeSet::new() }
    }
}

/// Every place of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    all: BTreeMap<String, Point>,
    /// Where people meet of services that do not say, in order.
    pub house: Vec<String>,
    /// Whatever some place hangs on.
    watched: BTreeSet<String>,
}

impl Points {
    /// Places by their names. [`Points::hang`] says what they hang on.
    pub fn new(all: BTreeMap<String, Point>, house: Vec<String>) -> Self {
        Self { all, house, watched: BTreeSet::new() }
    }

    /// Follows what the places depend on, to the end of every chain.
    pub fn hang(&mut self, needs: &Needs) {
        for point in self.all.values_mut() {
            let chain = |service| needs.of_service(service).chain([service]);
            let all = point.depends_on.iter().flat_map(|service| chain(service.as_str()));
            point.domain = all.map(str::to_owned).collect();
            self.watched.extend(point.domain.iter().cloned());
        }
    }

    /// One place.
    pub fn get(&self, name: &str) -> Option<&Point> {
        self.all.get(name)
    }

    /// Names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Services on which some place hangs: of others nobody need know whether they are struck.
    pub fn watched(&self) -> &BTreeSet<String> {
        &self.watched
    }

    /// Whether two places hang on the very same services, so that they fail together.
    pub fn fail_together(&self, one: &str, other: &str) -> bool {
        match (self.get(one), self.get(other)) {
            (Some(one), Some(other)) => !one.domain.is_empty() && one.domain == other.domain,
            _ => false,
        }
    }
}

/// Whether the address of some place has a part that cannot be guessed.
pub fn are_secret(rules: &Rules) -> bool {
    let bridges = rules.services.values().filter_map(|service| service.bridge.as_ref());
    let mut urls = rules.meeting.all.values().map(|point| &point.url).chain(bridges);
    urls.any(|url| url.contains(SECRET))
}

/// What no address of a place begins with: whoever follows it would run something.
const SCRIPTS: [&str; 4] = ["javascript", "data", "vbscript", "blob"];

/// Whether it is an address that a page may lead to.
pub fn is_link(url: &str) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\'' | '`');
    is_scheme && !SCRIPTS.contains(&scheme.as_str()) && !url.contains(is_odd)
}

/// Why a place may be down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It and what was struck need the same.
    Shares {
        /// What was struck.
        struck: String,
        /// What both need.
        needs: String,
    },
    /// Somebody is at work on a service that it hangs on.
    Maintenance {
        /// Which.
        service: String,
    },
    /// A service that it hangs on was struck.
    Struck {
        /// Which.
        service: String,
    },
}

/// A place of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is called.
    pub name: String,
    /// Its address.
    pub url: String,
    /// How it is reached by telephone.
    pub dial_in: Option<String>,
    /// Why it may be down, if it may.
    pub doubt: Option<Doubt>,
}

impl Place {
    /// Why it may be down, as the end of a sentence about it.
    pub fn suspect(&self) -> Option<String> {
        Some(match self.doubt.as_ref()? {
            Doubt::Struck { service } if *service == self.name => "may be down: its own alerts fire".into(),
            Doubt::Struck { service } => format!("may be down with {service}"),
            Doubt::Maintenance { service } => format!("may be down: {service} is under maintenance"),
            Doubt::Shares { struck, needs } => format!("may be down with {struck}: both need {needs}"),
        })
    }

    /// How much it is doubted: not at all, by what it shares, by what is known.
    fn grade(&self) -> u8 {
        match &self.doubt {
            None => 0,
            Some(Doubt::Shares { .. }) => 1,
            Some(Doubt::Maintenance { .. } | Doubt::Struck { .. }) => 2,
        }
    }
}

/// Where the people of one incident meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meeting {
    /// What somebody named for this incident, then the list of its service: the usual place first.
    pub places: Vec<Place>,
    /// The first of them was named for this incident.
    pub told: bool,
}

impl Meeting {
    /// Where to meet now: the first that is not doubted. When all are, the one that is least.
    pub fn here(&self) -> Option<&Place> {
        self.places.iter().min_by_key(|place| place.grade())
    }

    /// The address where to meet now; none, where that is no address but a place in the world.
    pub fn address(&self) -> Option<&str> {
        self.here().map(|place| place.url.as_str()).filter(|url| is_link(url))
    }

    /// All of them in the order in which people try them.
    pub fn in_turn(&self) -> Vec<&Place> {
        let mut all: Vec<&Place> = self.places.iter().collect();
        all.sort_by_key(|place| place.grade());
        all
    }

    /// The usual place, when people meet elsewhere because it may be down.
    pub fn left(&self) -> Option<&Place> {
        let usual = self.places.first()?;
        (self.here() != Some(usual)).then_some(usual)
    }
}

/// Where the people of an incident meet at an hour. `told`: what its Commander named, an address or the name of a place, which
/// comes first and is never doubted. `struck`: services that were struck, of those that are [`Points::watched`]. `secret` makes what nobody can guess,
/// of the name of a place; without it, nobody is sent to such a one.
pub fn places(
    incident: &Incident,
    rules: &Rules,
    told: Option<&str>,
    struck: &BTreeSet<String>,
    secret: impl Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Meeting {
    let mut all = listed(incident, rules);
    // Whoever says the name of a place means that one, also when it is not on the list.
    let named = told.and_then(|name| {
        let known = all.iter().position(|(known, _)| *known == name);
        let place = known.map(|place| all.remove(place));
        place.or_else(|| Some((name, rules.meeting.get(name)?.clone())))
    });
    let is_named = named.is_some();
    let own = own(incident);
    let listed = named.into_iter().chain(all).enumerate().filter_map(|(number, (name, point))| {
        let mut url =
            point.url.replace(INCIDENT, &incident.id.to_string()).replace(SERVICE, &incident.service);
        if url.contains(SECRET) {
            url = url.replace(SECRET, &secret(name)?);
        }
        // What is over is no reason to meet elsewhere the next time.
        let doubt = if incident.is_open() && !(is_named && number == 0) {
            doubt(&point, &own, struck, &rules.needs, &rules.maintenance, now)
        } else {
            None
        };
        Some(Place { name: name.into(), url, dial_in: point.dial_in, doubt })
    });
    let elsewhere = told.filter(|_| !is_named);
    let elsewhere =
        elsewhere.map(|url| Place { name: TOLD.into(), url: url.into(), dial_in: None, doubt: None });
    Meeting { places: elsewhere.into_iter().chain(listed).collect(), told: told.is_some() }
}

/// Where people can meet of whom nobody can tell which incident it is: places whose addresses are the same for each, first those of
/// the house's list in its order, then the others. Where there is none, the bridges of services. Nothing is known of whether they work.
pub fn of_any_incident(rules: &Rules) -> Vec<Place> {
    let is_fixed = |url: &str| ![INCIDENT, SERVICE, SECRET].iter().any(|part| url.contains(part));
    let points = &rules.meeting;
    let of_house = points.house.iter().map(String::as_str);
    let others = points.names().filter(|name| !points.house.iter().any(|listed| listed == name));
    let mut found: Vec<Place> = Vec::new();
    for (name, point) in of_house.chain(others).filter_map(|name| Some((name, points.get(name)?))) {
        let Point { url, dial_in, .. } = point.clone();
        found.push(Place { name: name.to_owned(), url, dial_in, doubt: None });
    }
    found.retain(|place| is_fixed(&place.url));
    if found.is_empty() {
        for (service, url) in
            rules.services.iter().filter_map(|(name, known)| Some((name, known.bridge.as_ref()?)))
        {
            if is_fixed(url) && !found.iter().any(|place| place.url == *url) {
                let name = format!("{BRIDGE} of {service}");
                found.push(Place { name, url: url.clone(), dial_in: None, doubt: None });
            }
        }
    }
    found.truncate(LIST_MAX);
    found
}

/// What an incident itself says is broken, the service at fault first. One of which nothing fires any more says nothing, unless
/// a person declared it.
fn own(incident: &Incident) -> Vec<&str> {
    if incident.firing == 0 && incident.alerts > 0 {
        return Vec::new();
    }
    let first = incident.cause.iter().chain([&incident.service]);
    first.chain(&incident.also).map(String::as_str).collect()
}

/// The places of an incident in order: those of its own service; else of the service that leads it; else of the house.
fn listed<'r>(incident: &'r Incident, rules: &'r Rules) -> Vec<(&'r str, Point)> {
    let of_service = |service: &str| {
        let service = rules.services.get(service)?;
        if !service.meet.is_empty() {
            return Some(named(&service.meet, &rules.meeting));
        }
        let url = service.bridge.clone()?;
        let mut all = vec![(BRIDGE, Point::new(url, None, Vec::new()))];
        all.extend(named(&rules.meeting.house, &rules.meeting));
        Some(all)
    };
    let found = of_service(&incident.service).or_else(|| of_service(incident.leads()));
    found.unwrap_or_else(|| named(&rules.meeting.house, &rules.meeting))
}

fn named<'r>(names: &'r [String], points: &Points) -> Vec<(&'r str, Point)> {
    names.iter().filter_map(|name| Some((name.as_str(), points.get(name)?.clone()))).collect()
}

fn doubt(
    point: &Point,
    own: &[&str],
    struck: &BTreeSet<String>,
    needs: &Needs,
    windows: &[Window],
    now: Timestamp,
) -> Option<Doubt> {
    // What the configuration says of the place itself is what people know it by.
    let all = || point.depends_on.iter().chain(&point.domain);
    let is_struck = |service: &&String| struck.contains(*service) || own.contains(&service.as_str());
    if let Some(service) = all().find(is_struck) {
        return Some(Doubt::Struck { service: service.clone() });
    }
    if let Some(service) = all().find(|service| maintenance::of(windows, service, now).is_some()) {
        return Some(Doubt::Maintenance { service: service.clone() });
    }
    own.iter().find_map(|broken| {
        let both = all().find(|service| needs.of_service(broken).any(|needed| needed == *service))?;
        Some(Doubt::Shares { struck: (*broken).to_owned(), needs: both.clone() })
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::datetime;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::core::correlate::Grouping;
    use crate::core::incident::{Phase, Resolution, Severity};
    use crate::core::maintenance::Times;
    use crate::core::rules::Service;
    use crate::core::timeline::{Actor, Entry, Fact, Route};

    fn now() -> Timestamp {
        "2026-12-01T02:00:00Z".parse().unwrap()
    }

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The sites and the chat stand in dc-ny. The video service stands elsewhere, and needs the line to the world; the telephone
    /// hangs on nothing of ours. Nobody has a list but `sites`; `blog` has a bridge.
    fn rules() -> Rules {
        let services = [
            ("sites", &["web"][..]),
            ("web", &["dc-ny"]),
            ("chat", &["dc-ny"]),
            ("dc-ny", &["power"]),
            ("power", &[]),
            ("line", &[]),
            ("blog", &[]),
            ("wiki", &[]),
        ];
        let service = |(name, needs): (&str, &[&str])| {
            let grouping = Grouping { depends_on: names(needs), ..Grouping::default() };
            let meet = if name == "sites" { names(&["chat", "video", "phone"]) } else { Vec::new() };
            let bridge = (name == "blog").then(|| "https://meet.example.net/blog".to_owned());
            (name.to_owned(), Service { grouping, meet, bridge, ..Service::default() })
        };
        let services: BTreeMap<String, Service> = services.into_iter().map(service).collect();
        let point =
            |name: &str, url: &str, on: &[&str]| (name.to_owned(), Point::new(url.into(), None, names(on)));
        let mut meeting = Points::new(
            [
                point("chat", "https://chat.example.net/sre", &["chat"]),
                point("video", "https://video.example.net/{service}-{incident}-{secret}", &["line"]),
                point("phone", "tel:+4722000000", &[]),
            ]
            .into(),
            names(&["video", "phone"]),
        );
        let needs = Needs::of(&services);
        meeting.hang(&needs);
        Rules { services, needs, meeting, ..Rules::default() }
    }

    fn incident(service: &str) -> Incident {
        let fact = Fact::Opened {
            title: "down".into(),
            service: service.into(),
            severity: Severity::Sev1,
            group: None,
            declared: true,
        };
        let (at, actor, route) = (now(), Actor::Dispatch, Route::Daemon);
        let first = Entry { seq: 1, at, occurred_at: at, actor, office: None, term: None, route, fact };
        Incident { alerts: 1, firing: 1, ..Incident::open(42, &first).unwrap() }
    }

    fn met(incident: &Incident, rules: &Rules, told: Option<&str>, struck: &[&str]) -> Meeting {
        let struck = names(struck).into_iter().collect();
        places(incident, rules, told, &struck, |name| Some(format!("secret-of-{name}")), now())
    }

    /// Where to meet, and then each place in its order with what is said of it.
    fn said(meeting: &Meeting) -> String {
        let one = |place: &Place| match place.suspect() {
            Some(why) => format!("{} {why}", place.name),
            None => place.name.clone(),
        };
        let here = meeting.here().map(|place| place.name.as_str()).unwrap_or("nowhere");
        format!("{here} | {}", meeting.places.iter().map(one).collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn the_usual_place_is_where_people_meet_while_nothing_speaks_against_it() {
        let (mut rules, blog) = (rules(), incident("blog"));
        rules.services.get_mut("blog").unwrap().meet = names(&["chat", "video"]);
        let meeting = met(&blog, &rules, None, &[]);
        assert_eq!(said(&meeting), "chat | chat | video");
        assert_eq!((meeting.left(), meeting.told), (None, false));
        assert_eq!(meeting.places[1].url, "https://video.example.net/blog-42-secret-of-video");
    }

    #[test]
    fn a_chat_beside_what_failed_is_left_and_the_page_can_say_why() {
        // Nothing has said yet that the data centre is down: that both stand in it is enough.
        let meeting = met(&incident("sites"), &rules(), None, &[]);
        assert_eq!(said(&meeting), "video | chat may be down with sites: both need dc-ny | video | phone");
        assert_eq!(meeting.left().map(|place| place.name.as_str()), Some("chat"));
        let turn: Vec<&str> = meeting.in_turn().iter().map(|place| place.name.as_str()).collect();
        assert_eq!(turn, ["video", "phone", "chat"]);
        // Once it has, that is what is said.
        for (struck, why) in [
            (&["dc-ny"][..], "may be down with dc-ny"),
            (&["power"], "may be down with power"),
            (&["chat", "power"], "may be down: its own alerts fire"),
        ] {
            let meeting = met(&incident("sites"), &rules(), None, struck);
            assert_eq!(meeting.left().and_then(Place::suspect).as_deref(), Some(why));
        }
    }

    #[test]
    fn alerts_of_other_incidents_count_for_what_a_place_hangs_on_and_not_for_what_it_shares() {
        let (mut rules, blog) = (rules(), incident("blog"));
        rules.services.get_mut("blog").unwrap().meet = names(&["chat", "video"]);
        assert_eq!(said(&met(&blog, &rules, None, &["sites", "web"])), "chat | chat | video");
        assert_eq!(
            said(&met(&blog, &rules, None, &["power"])),
            "video | chat may be down with power | video"
        );
        assert!(!rules.meeting.watched().contains("sites") && rules.meeting.watched().contains("power"));
    }

    #[test]
    fn when_all_are_doubted_the_one_that_is_least_comes_first_and_none_is_left_out() {
        let mut rules = rules();
        rules.services.get_mut("sites").unwrap().meet = names(&["chat", "video"]);
        let meeting = met(&incident("sites"), &rules, None, &["line"]);
        let all = "chat may be down with sites: both need dc-ny | video may be down with line";
        assert_eq!(said(&meeting), format!("chat | {all}"));
        let meeting = met(&incident("sites"), &rules, None, &["line", "dc-ny"]);
        assert_eq!(said(&meeting), "chat | chat may be down with dc-ny | video may be down with line");
        let meeting = met(&incident("sites"), &rules, None, &["line", "chat"]);
        assert_eq!(meeting.left(), None, "the usual place is tried first when nothing is better");
        rules.services.get_mut("sites").unwrap().meet = names(&["video", "chat"]);
        let meeting = met(&incident("sites"), &rules, None, &["line"]);
        assert_eq!(meeting.here().unwrap().name, "chat", "what only shares is better than what was struck");
    }

    #[test]
    fn who_says_the_name_of_a_place_means_that_place() {
        let meeting = met(&incident("sites"), &rules(), Some("phone"), &["power", "line"]);
        let here = meeting.here().unwrap();
        assert_eq!((here.name.as_str(), here.suspect(), meeting.told), ("phone", None, true));
        assert!(is_link(&here.url), "{here:?}");
        assert_eq!(meeting.places.iter().filter(|place| place.name == "phone").count(), 1);
        // One that its service does not list.
        let mut rules = rules();
        rules.services.get_mut("sites").unwrap().meet = names(&["chat"]);
        let meeting = met(&incident("sites"), &rules, Some("phone"), &[]);
        assert!(said(&meeting).starts_with("phone | phone | chat may be down"), "{meeting:?}");
    }

    #[test]
    fn only_an_address_is_a_link() {
        for link in
            ["https://meet.example.net/42", "tel:+4722000000", "sip:ops@example.net", "zoommtg://a?b=1"]
        {
            assert!(is_link(link), "{link}");
        }
        for other in [
            "the kitchen",
            "JavaScript:alert(1)",
            "data:text/html,a",
            "room:\"x",
            "kitchen",
            ":a",
            "https://a b",
        ] {
            assert!(!is_link(other), "{other}");
        }
    }

    #[test]
    fn a_bridge_may_have_what_nobody_can_guess() {
        let mut rules = rules();
        rules.meeting = Points::default();
        assert!(!are_secret(&rules));
        rules.services.get_mut("blog").unwrap().bridge =
            Some("https://m.example.net/{service}-{incident}-{secret}".into());
        assert!(are_secret(&rules));
        let meeting = met(&incident("blog"), &rules, None, &[]);
        assert_eq!(meeting.here().unwrap().url, "https://m.example.net/blog-42-secret-of-bridge");
    }

    #[test]
    fn what_the_commander_says_comes_first_and_is_not_doubted() {
        let meeting =
            met(&incident("sites"), &rules(), Some("https://other.example.net/"), &["power", "line"]);
        let here = meeting.here().unwrap();
        assert_eq!((here.url.as_str(), here.suspect()), ("https://other.example.net/", None));
        assert_eq!((meeting.left(), meeting.told, meeting.places.len()), (None, true, 4));
    }

    #[test]
    fn a_service_has_its_own_list_else_its_bridge_and_that_of_the_house() {
        let rules = rules();
        assert_eq!(said(&met(&incident("blog"), &rules, None, &[])), "bridge | bridge | video | phone");
        assert_eq!(said(&met(&incident("wiki"), &rules, None, &[])), "video | video | phone");
        assert_eq!(said(&met(&incident("gone"), &rules, None, &[])), "video | video | phone");
        let bare = Rules { meeting: Points::default(), ..rules.clone() };
        assert_eq!(said(&met(&incident("blog"), &bare, None, &[])), "bridge | bridge");
        assert_eq!(said(&met(&incident("wiki"), &bare, None, &[])), "nowhere | ");
    }

    #[test]
    fn people_stay_where_they_met_when_another_service_turns_out_to_be_at_fault() {
        let rules = rules();
        let blog = Incident { cause: Some("sites".into()), ..incident("blog") };
        assert_eq!(said(&met(&blog, &rules, None, &[])), "bridge | bridge | video | phone");
        // Where its own service says nothing, that of the cause is better than none.
        let wiki = Incident { cause: Some("sites".into()), ..incident("wiki") };
        assert_eq!(met(&wiki, &rules, None, &[]).places.len(), 3);
        assert_eq!(
            said(&met(&wiki, &rules, None, &[])),
            "video | chat may be down with sites: both need dc-ny | video | phone"
        );
    }

    #[test]
    fn what_is_over_or_fires_no_more_is_no_reason_to_meet_elsewhere() {
        let (rules, open) = (rules(), incident("sites"));
        let calm = Incident { firing: 0, ..open.clone() };
        assert_eq!(said(&met(&calm, &rules, None, &[])), "chat | chat | video | phone");
        // Without any alert a person said so.
        let declared = Incident { firing: 0, alerts: 0, ..open.clone() };
        assert_eq!(met(&declared, &rules, None, &[]).here().unwrap().name, "video");
        let phase = Phase::Resolved { resolution: Resolution::Restored, at: now(), last: None };
        assert_eq!(met(&Incident { phase, ..open }, &rules, None, &["power"]).here().unwrap().name, "chat");
    }

    #[test]
    fn a_place_that_is_being_worked_on_is_left_while_that_lasts() {
        let window = |service: &str, hour| Window {
            announce: None,
            name: "patches".into(),
            services: [service.to_owned()].into(),
            time_zone: TimeZone::UTC,
            times: Times::Clock {
                first: datetime(2026, 11, 1, hour, 0, 0, 0),
                every_days: Some(1),
                until: None,
                lasts: SignedDuration::from_mins(30),
            },
            comment: String::new(),
        };
        let mut rules = rules();
        rules.services.get_mut("blog").unwrap().meet = names(&["chat", "video"]);
        rules.maintenance = vec![window("power", 2)];
        let meeting = met(&incident("blog"), &rules, None, &[]);
        assert_eq!(said(&meeting), "video | chat may be down: power is under maintenance | video");
        rules.maintenance = vec![window("power", 3), window("web", 2)];
        assert_eq!(said(&met(&incident("blog"), &rules, None, &[])), "chat | chat | video");
    }

    #[test]
    fn nobody_is_sent_to_an_address_whose_secret_is_not_known() {
        let rules = rules();
        let meeting = places(&incident("sites"), &rules, None, &BTreeSet::new(), |_| None, now());
        let names: Vec<&str> = meeting.places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names, ["chat", "phone"]);
    }

    #[test]
    fn of_whom_nobody_knows_the_incident_meet_where_everybody_does() {
        let mut rules = rules();
        let named = |rules: &Rules| {
            let places = of_any_incident(rules);
            places.into_iter().map(|place| format!("{} {}", place.name, place.url)).collect::<Vec<_>>()
        };
        // The video service has a room for each incident: the telephone is next in the list, and the chat is in no list of the house.
        assert_eq!(named(&rules), ["phone tel:+4722000000", "chat https://chat.example.net/sre"]);
        let point = |url: &str| Point::new(url.into(), None, Vec::new());
        let rooms = [
            ("a".to_owned(), point("https://v.example.net/{service}")),
            ("b".to_owned(), point("https://v.example.net/{incident}")),
        ];
        rules.meeting = Points::new(rooms.into(), names(&["b"]));
        assert_eq!(named(&rules), ["bridge of blog https://meet.example.net/blog"]);
        rules.services.get_mut("wiki").unwrap().bridge = Some("https://meet.example.net/blog".into());
        assert_eq!(named(&rules).len(), 1, "each address once");
        rules.services.clear();
        assert_eq!(named(&rules), Vec::<String>::new());
    }

    #[test]
    fn places_fail_together_that_hang_on_the_same_in_the_end() {
        let mut all = BTreeMap::new();
        for (name, on) in
            [("a", &["chat"][..]), ("b", &["dc-ny", "chat"]), ("c", &["dc-ny"]), ("d", &[]), ("e", &[])]
        {
            all.insert(name.to_owned(), Point::new(name.into(), None, names(on)));
        }
        let mut points = Points::new(all, Vec::new());
        points.hang(&rules().needs);
        assert!(points.fail_together("a", "b") && !points.fail_together("a", "c"));
        assert!(!points.fail_together("d", "e"), "who says nothing is believed");
        assert!(!points.fail_together("a", "gone"));
    }
}
