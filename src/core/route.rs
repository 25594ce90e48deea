//! Routes: what an alert is about, by what it says. The first that fits decides.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::alert::{AlertSeverity, Event, Status};
use super::matcher::Matcher;

/// Most matchers of one route.
pub const MATCHERS_MAX: usize = 64;

/// What fits all matchers is treated so.
#[derive(Clone, Debug)]
pub struct Route {
    /// All of them must fit.
    pub matchers: Vec<Matcher>,
    /// What is done then.
    pub to: To,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Nothing comes of a firing alert.
    Ignore,
    /// A firing alert is a ping of the heartbeat of this name (Prometheus's Watchdog, and whatever else fires for ever).
    Heartbeat(String),
    /// Another service, and other words.
    Set(Set),
}

/// What a route says of an alert; what it does not say stays as the sender said it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// What it is about.
    pub service: Option<String>,
    /// How bad it is.
    pub severity: Option<AlertSeverity>,
    /// Labels that it has besides, or instead of its own.
    pub labels: BTreeMap<String, String>,
    /// It is over when it is not said again for this long.
    pub age_out: Option<SignedDuration>,
}

impl Route {
    /// The first matcher that does not fit; none when the route does.
    pub fn misfit(&self, source: &str, service: &str, event: &Event) -> Option<&Matcher> {
        self.matchers.iter().find(|matcher| !matcher.fits(seen(source, service, event, &matcher.name)))
    }

    /// The service that it gives.
    pub fn service(&self) -> Option<&str> {
        match &self.to {
            To::Set(set) => set.service.as_deref(),
            To::Ignore | To::Heartbeat(_) => None,
        }
    }
}

/// The first route that fits, and its place among all, from 0. `service` is the source's own.
pub fn first<'r>(
    routes: &'r [Route],
    source: &str,
    service: &str,
    event: &Event,
) -> Option<(usize, &'r Route)> {
    routes.iter().enumerate().find(|(_, route)| route.misfit(source, service, event).is_none())
}

/// What a matcher sees of an event under a name. `source` is always the configured one: no sender says where it comes
/// from. Else a label goes before what onscene knows by the same name, for people write `severity="page"` of labels.
pub fn seen<'a>(source: &'a str, service: &'a str, event: &'a Event, name: &str) -> &'a str {
    match (name, event.labels.get(name)) {
        ("source", _) => source,
        (_, Some(value)) => value,
        ("title", None) => &event.title,
        ("severity", None) => event.severity.map_or("", AlertSeverity::as_str),
        ("key", None) => &event.key,
        ("service", None) => service,
        (_, None) => "",
    }
}

impl Set {
    /// The event with what is said of it.
    pub fn apply(&self, event: &Event) -> Event {
        let mut set = event.clone();
        set.severity = self.severity.or(set.severity);
        set.labels.extend(self.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
        set
    }

    /// Whether the event stays as it is.
    pub fn leaves_it(&self) -> bool {
        self.severity.is_none() && self.labels.is_empty()
    }
}

/// By when an alert that fires must be said again, if anybody says so: its sender, who knows best, else the house.
pub fn expires_at(event: &Event, age_out: Option<SignedDuration>, heard: Timestamp) -> Option<Timestamp> {
    let of_the_house = || age_out.and_then(|age| heard.checked_add(age).ok());
    event.expires_at.or_else(|| (event.status == Status::Firing).then(of_the_house).flatten())
}

#[cfg(test)]
mod tests {
    use super::super::matcher::read_all;
    use super::*;

    fn route(matchers: &str, to: To) -> Route {
        Route { matchers: read_all(matchers).unwrap(), to }
    }

    fn event() -> Event {
        let mut event = Event::new("check-1", Status::Firing, "Checkout is down");
        event.severity = Some(AlertSeverity::Error);
        event.labels = [("tags", "web,payments"), ("source", "elsewhere"), ("team", "a")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        event
    }

    #[test]
    fn the_first_that_fits_decides() {
        let to = |service: &str| To::Set(Set { service: Some(service.into()), ..Set::default() });
        let routes = [
            route("source=\"grafana\"", To::Ignore),
            route("source=\"pingdom\", tags=~\".*payments.*\"", to("payments")),
            route("", to("rest")),
        ];
        let of =
            |source| first(&routes, source, "shop", &event()).map(|(place, route)| (place, route.to.clone()));
        assert_eq!(of("pingdom"), Some((1, to("payments"))));
        assert_eq!(of("grafana"), Some((0, To::Ignore)));
        assert_eq!(of("zabbix"), Some((2, to("rest"))));
        assert_eq!(routes[1].misfit("zabbix", "shop", &event()).unwrap().to_string(), "source=\"pingdom\"");
    }

    #[test]
    fn no_sender_says_which_source_it_is() {
        assert_eq!(seen("pingdom", "shop", &event(), "source"), "pingdom");
        assert_eq!(seen("pingdom", "shop", &event(), "severity"), "error");
        assert_eq!(seen("pingdom", "shop", &event(), "title"), "Checkout is down");
        assert_eq!(seen("pingdom", "shop", &event(), "key"), "check-1");
        assert_eq!(seen("pingdom", "shop", &event(), "service"), "shop");
        assert_eq!(seen("pingdom", "shop", &event(), "nothing"), "");
    }

    #[test]
    fn what_a_route_does_not_say_stays() {
        let set = Set {
            severity: Some(AlertSeverity::Critical),
            labels: [("team".to_owned(), "b".to_owned())].into(),
            ..Set::default()
        };
        let after = set.apply(&event());
        assert_eq!(after.severity, Some(AlertSeverity::Critical));
        assert_eq!((after.labels["team"].as_str(), after.labels["tags"].as_str()), ("b", "web,payments"));
        assert_eq!(after.title, event().title);
        assert!(Set::default().leaves_it() && !set.leaves_it());
    }

    #[test]
    fn only_a_firing_alert_grows_old_and_its_sender_knows_best() {
        let (now, age) = (Timestamp::UNIX_EPOCH, SignedDuration::from_hours(1));
        assert_eq!(expires_at(&event(), Some(age), now), now.checked_add(age).ok());
        assert_eq!(expires_at(&event(), None, now), None);
        let said = Event { expires_at: now.checked_add(age).ok(), ..event() };
        assert_eq!(expires_at(&said, Some(age + age), now), said.expires_at);
        assert_eq!(expires_at(&Event { status: Status::Resolved, ..event() }, Some(age), now), None);
    }
}
