//! Hours in which an incident would find nobody on call, as the configuration and what was said since have it.
//!
//! Nobody is left unwoken even then: all are woken who take turns in the rotations of its policy, at hours that are not theirs. That
//! is no plan, so it is told as a fault. Only where there is no such person, as in a calendar that says nothing, nobody is.
//!
//! They are found at the instants at which anybody's turn changes, and not by looking now and then: a gap of a minute is one.
//! `onscene check` refuses a configuration with one in the next four weeks, and a running daemon does not take it in the place
//! of one without. A daemon that starts takes it all the same, and says so loudly: the gap may be weeks off, or of one service
//! of many, and what does not start wakes nobody at all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::preview::{next_change, policies, rotations, words, zone};
use super::{Config, Place};
use crate::core::escalation::{self, Case, Staff};
use crate::core::incident::Severity;
use crate::core::oncall::Roster;
use crate::core::rules::{Policy, Rules, Target};

/// How far ahead `onscene check` and a reload look.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(28 * 24);
/// Most gaps of a rotation or a policy that are counted.
const GAPS_MAX: usize = 1000;

/// A time in which an incident of a service would find nobody on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nobody {
    /// Of which service.
    pub service: String,
    /// As bad as this.
    pub severities: Vec<Severity>,
    /// By which policy.
    pub policy: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How many more there are.
    pub more: usize,
    /// Whether all are woken then whose turn it is at other hours; else nobody is.
    pub wakes_all: bool,
}

impl Nobody {
    /// What it means, for people: hours of the zone in which they speak of its policy.
    pub fn words(&self, rules: &Rules) -> String {
        let zone = rules.policies.get(&self.policy).map_or(TimeZone::UTC, |policy| zone(rules, policy));
        let woken = match self.wakes_all {
            true => "all would be woken whose turn it is at other hours",
            false => "nobody would be woken",
        };
        format!(
            "an incident of {} ({}) would find nobody on call from {}{}: policy {} names nobody then, by no step and no last \
             resort, so {woken}",
            self.service,
            words(&self.severities),
            times(self.from, self.until, &zone),
            more(self.more),
            self.policy
        )
    }
}

/// Where an incident would find nobody on call, from one hour to another.
pub fn nobody(staff: Staff<'_>, from: Timestamp, until: Timestamp) -> Vec<Nobody> {
    let mut known: BTreeMap<&str, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
    let mut found = Vec::new();
    for (name, service) in &staff.rules.services {
        for (severities, policy_name) in policies(service) {
            let Some((policy_name, policy)) = staff.rules.policies.get_key_value(policy_name) else {
                continue;
            };
            let gaps = known.entry(policy_name).or_insert_with(|| gaps_of(staff, policy, from, until));
            let Some((from, until)) = gaps.first().copied() else { continue };
            let (service, more) = (name.clone(), gaps.len() - 1);
            let wakes_all = !escalation::whoever(policy, staff, from).is_empty();
            let policy = policy_name.clone();
            found.push(Nobody { service, severities, policy, from, until, more, wakes_all });
        }
    }
    found
}

/// The times in which a policy names nobody. Of one that follows a calendar which has not been read nothing is said.
fn gaps_of(
    staff: Staff<'_>,
    policy: &Policy,
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let mut gaps: Vec<(Timestamp, Timestamp)> = Vec::new();
    let is_always = policy.last_resort.iter().any(|target| match target {
        Target::Person(name) => staff.rules.people.contains_key(name),
        // All of one are woken also while all of them are away.
        Target::Everybody(name) => {
            staff.rules.rotations.get(name).is_some_and(|all| !all.everybody().is_empty())
        }
        Target::Rotation(_) => false,
    });
    if is_always || unknown(staff, policy).next().is_some() {
        return gaps;
    }
    let mut at = from;
    while at < until && gaps.len() < GAPS_MAX {
        let next = next_change(staff, policy, at).min(until);
        if !names_somebody(staff, policy, at) {
            match gaps.last_mut() {
                Some(last) if last.1 == at => last.1 = next,
                _ => gaps.push((at, next)),
            }
        }
        at = next;
    }
    gaps
}

/// Rotations of a policy that follow a calendar nobody has read yet.
fn unknown<'a>(staff: Staff<'a>, policy: &'a Policy) -> impl Iterator<Item = &'a str> {
    rotations(policy).into_iter().filter(move |name| {
        let rotation = staff.rules.rotations.get(*name);
        let by_calendar = rotation.is_some_and(|rotation| rotation.follows_calendar());
        by_calendar && !staff.roster.calendars.contains_key(*name)
    })
}

/// What is wrong with a configuration: one sentence for each policy that leaves an incident with nobody, with its place.
pub fn errors(config: &Config, from: Timestamp) -> Vec<String> {
    let staff = Staff::as_configured(&config.rules);
    let until = from.saturating_add(AHEAD).unwrap_or(from);
    told(config, &nobody(staff, from, until))
}

/// What is wrong with a configuration that was not wrong with the one in use: the same of each service.
pub fn new_errors(config: &Config, in_use: &Rules, from: Timestamp) -> Vec<String> {
    let until = from.saturating_add(AHEAD).unwrap_or(from);
    let old = nobody(Staff::as_configured(in_use), from, until);
    let was = |service: &str, severity: &Severity| {
        old.iter().any(|one| one.service == service && one.severities.contains(severity))
    };
    let mut new = nobody(Staff::as_configured(&config.rules), from, until);
    new.retain(|one| !one.severities.iter().all(|severity| was(&one.service, severity)));
    told(config, &new)
}

fn told(config: &Config, gaps: &[Nobody]) -> Vec<String> {
    let place = |one: &Nobody| config.places.policies.get(&one.policy);
    gaps.iter().map(|one| placed(place(one), &one.words(&config.rules))).collect()
}

/// What should be known: rotations that have nobody for some time while others of the same policy are there, calendars
/// of which nothing is known yet, and hours of which those that were read say nothing, so that nobody would be woken: that
/// is no fault of the configuration.
pub fn warnings(config: &Config, roster: &Roster, from: Timestamp) -> Vec<String> {
    let rules = &config.rules;
    let staff = Staff { rules, roster };
    let until = from.saturating_add(AHEAD).unwrap_or(from);
    let used: BTreeSet<&str> = rules
        .services
        .values()
        .flat_map(|service| policies(service).into_iter().map(|(_, name)| name))
        .collect();
    let used: Vec<(&str, &Policy)> =
        used.into_iter().filter_map(|name| Some((name, rules.policies.get(name)?))).collect();
    let mut said = Vec::new();
    for (name, policy) in &used {
        for rotation in unknown(staff, policy) {
            let what = format!(
                "who is on call in {rotation} is known when its calendar has been read, and not to this check; where it may be \
                 empty, let policy {name} name a person as last resort"
            );
            said.push(placed(config.places.policies.get(*name), &what));
        }
    }
    let mut nobody = nobody(staff, from, until);
    nobody.retain(|one| {
        let policy = rules.policies.get(&one.policy);
        let names = policy.map(rotations).unwrap_or_default();
        names.iter().filter_map(|name| rules.rotations.get(*name)).any(|known| known.follows_calendar())
    });
    said.extend(told(config, &nobody));
    for (name, rotation) in &rules.rotations {
        if rotation.follows_calendar() && !roster.calendars.contains_key(name) {
            continue;
        }
        let shifts = rotation.shifts(name, staff.roster, from, until, GAPS_MAX);
        let empty = shifts.iter().filter(|shift| shift.people.is_empty());
        // Who wakes all of it does not ask whose turn it is.
        let asks = |target: &Target| matches!(target, Target::Rotation(of) if of == name);
        let by: Vec<(&str, &Policy)> =
            used.iter().filter(|(_, policy)| policy.targets().any(asks)).copied().collect();
        // Where nobody at all is there it is an error, which says so.
        let mut covered = empty.filter_map(|gap| {
            let there = by.iter().filter(|(_, policy)| names_somebody(staff, policy, gap.from));
            let there: Vec<&str> = there.map(|(policy, _)| *policy).collect();
            (!there.is_empty()).then_some((gap, there))
        });
        let Some((gap, there)) = covered.next() else { continue };
        let which = if there.len() == 1 { "policy" } else { "policies" };
        let what = format!(
            "rotation {name} has nobody on call from {}{}: {which} {} would wake only others then",
            times(gap.from, gap.until, &rotation.time_zone),
            more(covered.count()),
            there.join(", "),
        );
        said.push(placed(config.places.rotations.get(name), &what));
    }
    said
}

fn names_somebody(staff: Staff<'_>, policy: &Policy, at: Timestamp) -> bool {
    // Somebody is woken whatever steps are for, when nobody else is named.
    let case = Case { severity: Severity::Sev1, service: "" };
    escalation::planned(policy, staff, case, None, at).is_some()
}

fn times(from: Timestamp, until: Timestamp, zone: &TimeZone) -> String {
    let hour = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string();
    format!("{} to {} ({})", hour(from), hour(until), zone.iana_name().unwrap_or("UTC"))
}

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ", and once more after that".into(),
        _ => format!(", and {count} more times after that"),
    }
}

fn placed(place: Option<&Place>, what: &str) -> String {
    place.map_or_else(|| what.to_owned(), |place| format!("{place}: {what}"))
}
