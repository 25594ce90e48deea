//! What pages say of the days ahead: who is on call, when nobody will be, and who would be woken.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use minijinja::{Value, context};

use crate::config::gaps::nobody;
use crate::config::preview::Span;
use crate::core::escalation::Staff;
use crate::core::incident::Severity;
use crate::core::oncall::ahead::{AHEAD, Watch};
use crate::core::oncall::{Leave, Override, Roster, Rotation};
use crate::core::rules::Rules;
use crate::core::silence::State as Life;
use crate::http::api::oncall::{previewed, zone_of};
use crate::http::api::roster::gaps;
use crate::render::full_name;

/// Most times shown of one rotation, and of one service.
const WATCHES_SHOWN: usize = 60;
/// Most warnings in words.
const WARNINGS_SHOWN: usize = 10;
/// Most services of which it is told who would be woken, when nobody asks for one.
const SERVICES_SHOWN: usize = 40;
/// How far that goes.
const SOON: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Days that can be asked for.
pub(super) const DAYS: i32 = 28;

const SEVERITIES: [Severity; 4] = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4];

/// An hour as people of a zone read it; the zone is told once beside.
pub(super) fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string()
}

pub(super) fn name_of(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// When nobody is on call, or an incident would find nobody on call, in the next fourteen days: a sentence each, the first few.
pub(super) fn warnings(rules: &Rules, roster: &Roster, now: Timestamp) -> Vec<String> {
    let until = now.saturating_add(AHEAD).unwrap_or(now);
    let mut all: Vec<(Timestamp, String)> = Vec::new();
    for gap in gaps(rules, roster, (now, until)) {
        let zone = rules.rotations.get(&gap.rotation).map_or(TimeZone::UTC, |known| known.time_zone.clone());
        let hours = hours((gap.from, gap.until), (now, until), &zone);
        all.push((gap.from, format!("Nobody is on call in {} {hours}", gap.rotation)));
    }
    for one in nobody(Staff { rules, roster }, now, until) {
        let words = one.words(rules);
        let words = words.strip_prefix("an ").map(|rest| format!("An {rest}")).unwrap_or(words);
        all.push((one.from, words));
    }
    all.sort();
    let more = all.len().saturating_sub(WARNINGS_SHOWN);
    let mut shown: Vec<String> = all.into_iter().take(WARNINGS_SHOWN).map(|(_, words)| words).collect();
    if more > 0 {
        shown.push(format!("And {more} times more"));
    }
    shown
}

fn hours(
    (from, until): (Timestamp, Timestamp),
    (now, end): (Timestamp, Timestamp),
    zone: &TimeZone,
) -> String {
    let begins = if from <= now { "now".to_owned() } else { format!("from {}", local(from, zone)) };
    let ends = if until >= end {
        "and longer than two weeks".to_owned()
    } else {
        format!("until {}", local(until, zone))
    };
    format!("{begins} {ends} ({})", name_of(zone))
}

fn zone_for(rules: &Rules, service: &str, severity: Severity) -> TimeZone {
    let zone = rules.policy_of(service, severity).map(|(_, policy)| zone_of(rules, policy));
    zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC)
}

/// Every rotation: who is on call, until when, and who comes next.
pub(super) fn rotations(rules: &Rules, roster: &Roster, now: Timestamp) -> Vec<Value> {
    let until = now.saturating_add(AHEAD).unwrap_or(now);
    let names = |people: &[String]| people.iter().map(|one| full_name(rules, one)).collect::<Vec<_>>();
    let shown = rules.rotations.iter().map(|(name, rotation)| {
        let zone = &rotation.time_zone;
        let duty = rotation.duty(name, roster, now);
        let gone = rotation.gaps(name, roster, now, until);
        let watches = rotation.watches(name, roster, now, until);
        let next = watches.iter().skip(1).take(WATCHES_SHOWN).map(|one| {
            context! { from => local(one.from, zone), until => local(one.until, zone), people => names(&one.people),
                shadows => names(&one.shadows), gap => gone.iter().any(|gap| gap.from < one.until && one.from < gap.until) }
        });
        let by = duty.people.iter().find_map(|person| roster.puts_in(name, person, now));
        context! {
            name => name.as_str(), zone => name_of(zone), people => names(&duty.people), shadows => names(&duty.shadows),
            until => hands_over(name, rotation, roster, &watches, now).map(|until| local(until, zone)),
            gap => gone.first().is_some_and(|gap| gap.from <= now),
            by => by.map(|one| one.reason.as_str()), next => next.collect::<Vec<_>>(),
            more => watches.len().saturating_sub(WATCHES_SHOWN + 1),
        }
    });
    shown.collect()
}

/// When others take over from who is on call now; `watches`: who is in the days ahead. The end of a turn that is followed by one of
/// the same people is nothing that anybody has to know.
fn hands_over(
    name: &str,
    rotation: &Rotation,
    roster: &Roster,
    watches: &[Watch],
    now: Timestamp,
) -> Option<Timestamp> {
    if let Some(next) = watches.get(1) {
        return Some(next.from);
    }
    let until = rotation.stays_until(name, roster, now);
    let is_on_call = rotation.people_at(name, roster, now);
    (until < Timestamp::MAX && rotation.people_at(name, roster, until) != is_on_call).then_some(until)
}

/// Overrides that hold or come, in the hours of their rotations.
pub(super) fn overrides(rules: &Rules, all: &[Override], now: Timestamp) -> Vec<Value> {
    let shown = all.iter().map(|one| {
        let rotation = rules.rotations.get(&one.rotation);
        let zone = rotation.map_or(TimeZone::UTC, |known| known.time_zone.clone());
        context! {
            id => one.id.as_str(), rotation => one.rotation.as_str(), person => full_name(rules, &one.person),
            instead_of => one.instead_of.as_deref().map(|whose| full_name(rules, whose)),
            pending => one.state(now) == Life::Pending, from => local(one.from, &zone), until => local(one.until, &zone),
            zone => name_of(&zone), author => full_name(rules, &one.author), reason => one.reason.as_str(),
            nobody => rotation.is_none() || !rules.can_be_paged(&one.person),
        }
    });
    shown.collect()
}

/// Leaves that hold or come, each in the hours of who is away.
pub(super) fn leaves(rules: &Rules, all: &[Leave], now: Timestamp) -> Vec<Value> {
    let shown = all.iter().map(|one| {
        let zone = crate::render::zone_of(rules, &one.person);
        context! {
            id => one.id.as_str(), person => full_name(rules, &one.person), pending => one.state(now) == Life::Pending,
            from => local(one.from, &zone), until => local(one.until, &zone), zone => name_of(&zone),
            author => full_name(rules, &one.author), reason => one.reason.as_str(),
        }
    });
    shown.collect()
}

/// What somebody chose of who would be woken.
pub(super) struct Chosen {
    pub(super) service: String,
    pub(super) severity: Severity,
    pub(super) day: Date,
}

/// Who would be woken: of one service on one day; or of all of them for the next days, those together that are the same.
pub(super) fn woken(rules: &Rules, roster: &Roster, chosen: Option<&Chosen>, now: Timestamp) -> Vec<Value> {
    if let Some(Chosen { service, severity, day }) = chosen {
        let zone = zone_for(rules, service, *severity);
        let begins = |day: Date| day.to_zoned(zone.clone()).map(|begins| begins.timestamp());
        let hours = begins(*day).and_then(|from| Ok((from, begins(day.checked_add(1.day())?)?)));
        let spans =
            hours.map(|hours| previewed(rules, roster, service, *severity, hours)).unwrap_or_default();
        return vec![group(rules, &[format!("{service} {}", severity.as_str())], &spans, &zone)];
    }
    let until = now.saturating_add(SOON).unwrap_or(now);
    let mut groups: Vec<(Vec<Span>, TimeZone, Vec<String>)> = Vec::new();
    let mut known = Previews::default();
    for service in rules.services.keys().take(SERVICES_SHOWN) {
        let mut own: Vec<(Vec<Span>, Vec<&str>)> = Vec::new();
        for severity in SEVERITIES {
            let spans = known.of(rules, roster, (service, severity), (now, until));
            match own.iter_mut().find(|(known, _)| *known == spans) {
                Some((_, severities)) => severities.push(severity.as_str()),
                None => own.push((spans, vec![severity.as_str()])),
            }
        }
        let all = own.len() == 1;
        for (spans, severities) in own {
            let worst =
                severities.first().and_then(|word| Severity::from_word(word)).unwrap_or(Severity::Sev1);
            let zone = zone_for(rules, service, worst);
            let words = if all { service.clone() } else { format!("{service} {}", severities.join(", ")) };
            match groups.iter_mut().find(|(known, of, _)| *known == spans && *of == zone) {
                Some((_, _, names)) => names.push(words),
                None => groups.push((spans, zone, vec![words])),
            }
        }
    }
    groups.iter().map(|(spans, zone, names)| group(rules, names, spans, zone)).collect()
}

/// What was found for one page: most services share their policies.
#[derive(Default)]
struct Previews<'a>(BTreeMap<Same<'a>, Vec<Span>>);

/// A policy, with the severity and the service where it minds them.
type Same<'a> = (&'a str, Option<Severity>, Option<&'a str>);

impl<'a> Previews<'a> {
    fn of(
        &mut self,
        rules: &'a Rules,
        roster: &Roster,
        (service, severity): (&'a str, Severity),
        hours: (Timestamp, Timestamp),
    ) -> Vec<Span> {
        let Some((name, policy)) = rules.policy_of(service, severity) else { return Vec::new() };
        let minds_service = policy.steps.iter().any(|step| !step.when.services.is_empty());
        let same = (name, policy.minds_severity().then_some(severity), minds_service.then_some(service));
        let found = self.0.entry(same);
        found.or_insert_with(|| previewed(rules, roster, service, severity, hours)).clone()
    }
}

/// Services of which nothing is told until somebody chooses one.
pub(super) fn left_out(rules: &Rules) -> usize {
    rules.services.len().saturating_sub(SERVICES_SHOWN)
}

fn group(rules: &Rules, names: &[String], spans: &[Span], zone: &TimeZone) -> Value {
    let names_of = |people: &[String]| people.iter().map(|one| full_name(rules, one)).collect::<Vec<_>>();
    let shown = spans.iter().take(WATCHES_SHOWN).map(|span| {
        let woken: Vec<Vec<String>> = span.woken.iter().map(|people| names_of(people)).collect();
        let nobody = woken.iter().all(Vec::is_empty);
        context! { from => local(span.from, zone), until => local(span.until, zone), woken, nobody }
    });
    context! {
        names => names.join("; "), zone => name_of(zone), spans => shown.collect::<Vec<_>>(),
        more => spans.len().saturating_sub(WATCHES_SHOWN),
    }
}

/// The days that can be chosen, the first and the last.
pub(super) fn days(now: Timestamp) -> (Date, Date) {
    let today = now.to_zoned(TimeZone::UTC).date();
    // Elsewhere it is yesterday still.
    let first = today.yesterday().unwrap_or(today);
    (first, today.checked_add(DAYS.days()).unwrap_or(today))
}
