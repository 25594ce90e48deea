//! How much noise there was: whom incidents woke, how often, at which hours, and which alerts did it again and again.
//!
//! A tally is fed one incident at a time, in any order, and keeps counts only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::incident::{Incident, Resolution};

/// Most alerts that are told apart. Beyond it those that came once are forgotten, so that rare ones may be missing.
const KEYS_MAX: usize = 100_000;
/// Most alerts and most people that a report names.
pub const NOISIEST_MAX: usize = 10;
/// Most people of a report.
const PEOPLE_MAX: usize = 1000;
/// The hours of a night: from the first on, and before the second.
const NIGHT: (i8, i8) = (22, 6);

/// An alert: its source, and its key there.
pub type Key = (String, String);

/// Counts, while incidents are gone through.
#[derive(Debug, Default)]
pub struct Tally {
    incidents: u64,
    /// How many incidents had so many pages.
    by_pages: BTreeMap<u64, u64>,
    people: BTreeMap<String, Person>,
    keys: BTreeMap<Key, u64>,
    keys_forgotten: bool,
    cleared: u64,
    untaken: u64,
    merged: u64,
}

/// What one person was woken for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Incidents.
    pub incidents: u64,
    /// Pages.
    pub pages: u64,
    /// Pages between 22 and 6 o'clock where they live.
    pub night: u64,
    /// Incidents of each week, by its Monday where they live.
    pub weeks: BTreeMap<jiff::civil::Date, u64>,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// Incidents that were opened.
    pub incidents: u64,
    /// Pages of all of them.
    pub pages: u64,
    /// Pages of an incident: the mean,
    pub mean: f64,
    /// what nine in ten do not exceed,
    pub p90: u64,
    /// and the most.
    pub max: u64,
    /// Pages at night.
    pub night: u64,
    /// Who was woken, the most often woken first.
    pub people: Vec<(String, Person)>,
    /// The alerts that belonged to the most incidents, and to how many.
    pub noisiest: Vec<(Key, u64)>,
    /// Rare alerts may be missing: there were too many.
    pub keys_forgotten: bool,
    /// Incidents that recovered before anybody took them,
    pub cleared: u64,
    /// that nobody took,
    pub untaken: u64,
    /// and that became part of another.
    pub merged: u64,
}

impl Tally {
    /// Adds an incident: who was paged for it when, and which alerts joined it.
    pub fn add(
        &mut self,
        incident: &Incident,
        paged: &[(String, Timestamp)],
        joined: &BTreeSet<Key>,
        zone: impl Fn(&str) -> TimeZone,
    ) {
        self.incidents += 1;
        *self.by_pages.entry(u64::try_from(paged.len()).unwrap_or(u64::MAX)).or_default() += 1;
        let resolution = incident.resolution().map(|(resolution, _)| resolution);
        self.cleared += u64::from(resolution == Some(Resolution::SelfCleared));
        self.merged += u64::from(resolution == Some(Resolution::Merged));
        self.untaken += u64::from(
            resolution.is_some()
                && resolution != Some(Resolution::Merged)
                && incident.acknowledged_at.is_none(),
        );
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (name, at) in paged {
            if !self.people.contains_key(name) && self.people.len() >= PEOPLE_MAX {
                continue;
            }
            let there = at.to_zoned(zone(name));
            let person = self.people.entry(name.clone()).or_default();
            person.pages += 1;
            person.night += u64::from(there.hour() >= NIGHT.0 || there.hour() < NIGHT.1);
            if seen.insert(name) {
                person.incidents += 1;
                let day = there.date();
                let back = jiff::Span::new().days(i64::from(day.weekday().to_monday_zero_offset()));
                *person.weeks.entry(day.saturating_sub(back)).or_default() += 1;
            }
        }
        for key in joined {
            if !self.keys.contains_key(key) && self.keys.len() >= KEYS_MAX {
                self.keys.retain(|_, incidents| *incidents > 1);
                self.keys_forgotten = true;
                if self.keys.len() >= KEYS_MAX {
                    continue;
                }
            }
            *self.keys.entry(key.clone()).or_default() += 1;
        }
    }

    /// How many incidents were added.
    pub fn incidents(&self) -> u64 {
        self.incidents
    }

    /// What it comes to.
    pub fn sum(self) -> Noise {
        let pages = self.by_pages.iter().map(|(pages, incidents)| pages * incidents).sum();
        let (mut below, mut p90) = (0, 0);
        for (pages, incidents) in &self.by_pages {
            if below * 10 >= self.incidents * 9 {
                break;
            }
            below += incidents;
            p90 = *pages;
        }
        let mut people: Vec<(String, Person)> = self.people.into_iter().collect();
        people.sort_by_key(|(_, person)| std::cmp::Reverse((person.pages, person.incidents)));
        let mut noisiest: Vec<(Key, u64)> = self.keys.into_iter().collect();
        noisiest.sort_by_key(|(_, incidents)| std::cmp::Reverse(*incidents));
        noisiest.truncate(NOISIEST_MAX);
        #[allow(clippy::cast_precision_loss, reason = "a mean to read")]
        let mean = if self.incidents == 0 { 0.0 } else { pages as f64 / self.incidents as f64 };
        Noise {
            incidents: self.incidents,
            pages,
            mean,
            p90,
            max: self.by_pages.keys().next_back().copied().unwrap_or(0),
            night: people.iter().map(|(_, person)| person.night).sum(),
            people,
            noisiest,
            keys_forgotten: self.keys_forgotten,
            cleared: self.cleared,
            untaken: self.untaken,
            merged: self.merged,
        }
    }
}
