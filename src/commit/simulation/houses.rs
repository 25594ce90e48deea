//! The house of a seed: what alerts are about, how they become incidents, and what keeps them quiet.

use super::*;
use crate::core::correlate::{Grouping, Needs, Storm};
use crate::core::flapping::Flapping;
use crate::core::inhibit::Rule;
use crate::core::maintenance::{Open, Window, listed};
use crate::core::matcher::read_all;
use crate::core::meeting::{Point, Points};
use crate::core::oncall::Hours;
use crate::core::reach::Way;
use crate::core::route;
use crate::core::rules::{CommandRules, Policy, Service, Step, Target, Timetable, Watch};
use crate::house::House;

/// What each key is about: two checks of the load balancer, three of a service that needs it, and others.
pub(super) const ABOUT: [&str; 8] = ["lb", "lb", "web", "web", "web", "shop", "shop", "db"];

/// What flaps soon, and grows calm soon. Plain houses have it as it is when nobody says otherwise.
const SOON: Flapping =
    Flapping { changes: 4, within: SignedDuration::from_mins(30), calm_after: SignedDuration::from_mins(10) };

/// A house by chance. One of four is plain: a service, and every alert an incident of its own.
pub(super) fn by_chance(dice: &mut Dice, began: Timestamp) -> House {
    let mut house = house();
    if dice.one_in(4) {
        return house;
    }
    let mut rules = (*house.rules).clone();
    match dice.below(3) {
        0 => rules.command = CommandRules::usual(),
        1 => rules.command.pace = CommandRules::usual().pace,
        _ => {}
    }
    if dice.one_in(2) {
        // Tenures are long before a night is over.
        for pace in rules.command.pace.values_mut() {
            pace.relief = SignedDuration::from_mins(10 + dice.below(30));
            pace.relief_late = pace.relief + SignedDuration::from_mins(1 + dice.below(60));
        }
    }
    for person in rules.people.values_mut() {
        person.ways = ways(dice);
    }
    let step = |name: &str| Step {
        page: vec![Target::Person(name.into())],
        wait: SignedDuration::from_mins(5),
        ..Step::default()
    };
    let policy = |names: [&str; 2]| Policy {
        steps: names.map(step).into(),
        repeat: 1,
        last_resort: vec![],
        ..Policy::default()
    };
    rules.policies.insert("network".into(), policy(["tom", "maya"]));
    rules.policies.insert("quiet".into(), policy(["kim", "maya"]));
    let window = if dice.one_in(2) { SignedDuration::ZERO } else { SignedDuration::from_mins(5) };
    let flapping = if dice.one_in(2) { SOON } else { Flapping { changes: 0, ..SOON } };
    let service = |policy: &str, needs: &[&str]| Service {
        policy: policy.into(),
        grouping: Grouping {
            window,
            depends_on: needs.iter().map(|one| (*one).to_owned()).collect(),
            ..Grouping::default()
        },
        flapping,
        ..rules.services["shop"].clone()
    };
    let (web, shop): (&[&str], &[&str]) = match dice.below(4) {
        0 => (&[], &[]),
        1 => (&["lb"], &["web"]),
        _ => (&["lb"], &[]),
    };
    let mut services = BTreeMap::from([
        ("lb".to_owned(), service("network", &[])),
        ("web".to_owned(), service("default", web)),
        ("shop".to_owned(), service("default", shop)),
        ("db".to_owned(), service("default", &[])),
    ]);
    if dice.one_in(3) {
        // What is not so bad wakes somebody else.
        services.get_mut("web").unwrap().policies = [(Severity::Sev3, "quiet".to_owned())].into();
    }
    if dice.one_in(2) {
        // Whoever is on call comes first, and after them somebody who is always there.
        rules.rotations = super::super::stories_roster::rotations("2025-12-01", "1 day");
        let names: Vec<String> = rules.rotations.keys().cloned().collect();
        for policy in rules.policies.values_mut() {
            let name = names[dice.index(names.len())].clone();
            let whom = if dice.one_in(4) { Target::Everybody } else { Target::Rotation };
            policy.steps[0].page = vec![whom(name)];
        }
    }
    rules.flapping = flapping;
    rules.services = services;
    rules.needs = Needs::of(&rules.services);
    // Whether these may be down is remembered from letter to letter.
    let place = |name: &str, on: &str| {
        let url = format!("https://{name}.example.net/{{incident}}-{{secret}}");
        (name.to_owned(), Point::new(url, None, vec![on.to_owned()]))
    };
    let places = [place("chat", "web"), place("video", "db")];
    rules.meeting = Points::new(places.into(), vec!["chat".into(), "video".into()]);
    rules.meeting.hang(&rules.needs);
    rules.storm = dice.one_in(3).then_some(Storm { incidents: 2, within: SignedDuration::from_mins(5) });
    rules.routes = rules.services.keys().map(|name| to(name)).collect();
    if dice.one_in(3) {
        rules.inhibit = vec![Rule {
            source: read_all("severity=\"critical\"").unwrap(),
            target: read_all("severity=\"warning\"").unwrap(),
            equal: vec!["team".into()],
        }];
    }
    if dice.one_in(3) {
        rules.maintenance = vec![maintenance(dice, began)];
    }
    for policy in rules.policies.values_mut() {
        asks_for_more(dice, policy, began);
    }
    if dice.one_in(2) {
        let after = SignedDuration::from_mins(5 + dice.below(40));
        rules.clocks.silent_after = [Severity::Sev1, Severity::Sev3].map(|severity| (severity, after)).into();
    }
    house.rules = Arc::new(rules);
    house
}

/// Two ways beside mail for some: one at once, one after the first step of a policy, or a little before.
fn ways(dice: &mut Dice) -> Vec<Way> {
    let way = |name: &str, after| Way {
        name: name.into(),
        to: format!("{name}-address"),
        after: SignedDuration::from_mins(after),
        severities: Vec::new(),
        notices: name == "push",
    };
    match dice.below(3) {
        0 => Vec::new(),
        1 => vec![way("push", 0)],
        _ => vec![way("push", 0), way("sms", 2 + 2 * dice.below(3))],
    }
}

/// Steps that are not always there, everybody at once, people who watch, and reminders.
fn asks_for_more(dice: &mut Dice, policy: &mut Policy, began: Timestamp) {
    if dice.one_in(3) {
        policy.steps[dice.index(2)].when.severities = [Severity::Sev1, Severity::Sev2].into();
    }
    if dice.one_in(3) {
        // From somewhere in the first hour on, for as long.
        let from = began + SignedDuration::from_mins(dice.below(60));
        let clock = |at: Timestamp| {
            let time = at.to_zoned(jiff::tz::TimeZone::UTC).time();
            u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap()
        };
        let span = (clock(from), clock(from + SignedDuration::from_mins(1 + dice.below(90))));
        let hours = Timetable { hours: Hours::new(&[], &[span]), time_zone: jiff::tz::TimeZone::UTC };
        policy.steps[dice.index(2)].when.hours = Some(hours);
    }
    if dice.one_in(3) {
        policy.everybody = [Severity::Sev1, Severity::Sev3].into();
    }
    if dice.one_in(3) {
        let severities = [Severity::Sev1, Severity::Sev2].into();
        let after = u32::from(dice.one_in(2));
        policy.watch = Watch { who: vec![Target::Person("kim".into())], severities, after };
    }
    if dice.one_in(3) {
        let every = SignedDuration::from_mins(1 + dice.below(3));
        policy.steps.iter_mut().for_each(|step| step.remind = Some(every));
    }
}

/// Alerts of a team are about its service.
fn to(service: &str) -> route::Route {
    let set = route::Set { service: Some(service.into()), ..route::Set::default() };
    route::Route { matchers: read_all(&format!("team=\"{service}\"")).unwrap(), to: route::To::Set(set) }
}

/// Work on two services, again and again from before the first step to after the last, whatever the clocks do.
fn maintenance(dice: &mut Dice, began: Timestamp) -> Window {
    let lasts = SignedDuration::from_mins(10 + dice.below(60));
    let every = lasts + SignedDuration::from_mins(5 + dice.below(90));
    let first = began - SignedDuration::from_hours(5 * 24) + SignedDuration::from_mins(dice.below(120));
    let last = began + SignedDuration::from_hours(12 * 24);
    let all = std::iter::successors(Some(first), |from| Some(*from + every)).take_while(|from| *from < last);
    Window {
        name: "patches".into(),
        services: BTreeSet::from(["web".to_owned(), "db".to_owned()]),
        time_zone: jiff::tz::TimeZone::UTC,
        times: listed(all.map(|from| Open { from, until: from + lasts }).collect()),
        announce: None,
        comment: "new disks".into(),
    }
}
