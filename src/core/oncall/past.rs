//! Who was on call: what was written down while it was so, and what is to be written down now.
//!
//! A rotation that is changed today says of last month what would have been. So whoever is on call is kept, a row for each time
//! somebody has it without a break. What was missed while no node ran is taken from the rotations as they are when one runs again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Roster, Rotation};

/// A row that goes on is written again this often: so long ago is the last hour at which it was surely so.
pub const SEEN_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// A row that was seen no longer ago than this was looked at all the time since.
pub const SURE_FOR: SignedDuration = SignedDuration::from_mins(70);
/// A row that ends further ahead than this was written under a clock that has been put right since.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(1);
/// Most hand-overs that are caught up with in one go; the rest follow.
const HANDOVERS_MAX: usize = 1000;
/// Most hand-overs of a rotation that are gone through where nothing was written down: one every hour, for more than a year.
const ASSUMED_MAX: usize = 10_000;

/// Somebody had a rotation, or nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Its name.
    pub rotation: String,
    /// Who; empty: nobody was on call.
    pub person: String,
    /// From when.
    pub from: Timestamp,
    /// Until when, as far as it is known.
    pub until: Timestamp,
    /// It goes on.
    pub open: bool,
}

/// Who has a rotation at an instant, and until when that holds. One name that is empty says that nobody has it.
fn having(
    name: &str,
    rotation: Option<&Rotation>,
    roster: &Roster,
    at: Timestamp,
) -> (BTreeSet<String>, Timestamp) {
    // One that has gone is nobody's, and nothing is kept of it.
    let Some(rotation) = rotation else { return (BTreeSet::new(), Timestamp::MAX) };
    let duty = rotation.duty(name, roster, at);
    let mut people: BTreeSet<String> = duty.people.into_iter().collect();
    if people.is_empty() {
        people.insert(String::new());
    }
    (people, duty.until)
}

/// Whether there is anything to write down. `open`: what goes on, of all rotations.
pub fn is_due(
    rotations: &BTreeMap<String, Rotation>,
    roster: &Roster,
    open: &[Kept],
    now: Timestamp,
) -> bool {
    let seen = |row: &Kept| now.duration_since(row.until);
    if open.iter().any(|row| {
        !rotations.contains_key(&row.rotation) || seen(row) >= SEEN_EVERY || seen(row) < -AHEAD_MAX
    }) {
        return true;
    }
    rotations.iter().any(|(name, rotation)| {
        let known: BTreeSet<&str> =
            open.iter().filter(|row| row.rotation == *name).map(|row| row.person.as_str()).collect();
        let (people, _) = having(name, Some(rotation), roster, now);
        !people.iter().map(String::as_str).eq(known)
    })
}

/// The rows of one rotation that begin, go on or end now. `open`: those of it that go on.
pub fn note(
    name: &str,
    rotation: Option<&Rotation>,
    roster: &Roster,
    open: &[Kept],
    now: Timestamp,
) -> Vec<Kept> {
    let row = |person: &str, from, until, open| Kept {
        rotation: name.to_owned(),
        person: person.to_owned(),
        from,
        until,
        open,
    };
    let mut current: BTreeMap<String, Timestamp> =
        open.iter().map(|row| (row.person.clone(), row.from)).collect();
    let mut at = match open.iter().map(|row| row.until.min(now)).max() {
        // Of what was before, nothing is known.
        None => now,
        Some(seen) => {
            let (people, _) = having(name, rotation, roster, seen);
            // Somebody said something else a moment ago: until then it was as it stands here.
            let changed = !people.iter().eq(current.keys());
            if changed && now.duration_since(seen) <= SURE_FOR { now } else { seen }
        }
    };
    let mut rows = Vec::new();
    for _ in 0..HANDOVERS_MAX {
        let (people, until) = having(name, rotation, roster, at);
        current.retain(|person, from| {
            let stays = people.contains(person);
            if !stays {
                rows.push(row(person, *from, at, false));
            }
            stays
        });
        for person in people {
            current.entry(person).or_insert(at);
        }
        let next = until.max(at.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now));
        if next > now {
            at = now;
            break;
        }
        at = next;
    }
    rows.extend(current.iter().map(|(person, from)| row(person, *from, at, true)));
    rows
}

/// When whom had a rotation, as it was found for some hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// Who, from when, until when.
    pub turns: Vec<(String, Timestamp, Timestamp)>,
    /// Some of it was not written down, and is as the rotation would have it.
    pub assumed: bool,
    /// There were no more hand-overs than are gone through.
    pub complete: bool,
}

/// When whom had a rotation from one hour to another: where nothing was written down, as the rotation would have it.
pub fn turns(
    name: &str,
    rotation: Option<&Rotation>,
    roster: &Roster,
    kept: &[Kept],
    (since, until): (Timestamp, Timestamp),
) -> Turned {
    let mut turns = Vec::new();
    let mut put = |person: &str, from: Timestamp, to: Timestamp| {
        let (from, to) = (from.max(since), to.min(until));
        if from < to && !person.is_empty() {
            turns.push((person.to_owned(), from, to));
        }
    };
    let begins = kept.iter().map(|row| row.from).min().unwrap_or(until);
    let mut ends = kept.iter().map(|row| row.until).max().unwrap_or(until);
    for row in kept {
        put(&row.person, row.from, row.until);
    }
    if kept.iter().any(|row| row.open && until.duration_since(row.until) <= SURE_FOR) {
        // It is looked at all the time.
        for row in kept.iter().filter(|row| row.open) {
            put(&row.person, row.until, until);
        }
        ends = until;
    }
    let (mut assumed, mut left) = (false, ASSUMED_MAX);
    let mut complete = true;
    for (from, to) in [(since, begins.min(until)), (ends.max(since), until)] {
        let mut at = from;
        while at < to && rotation.is_some() {
            if left == 0 {
                complete = false;
                break;
            }
            left -= 1;
            let (people, holds) = having(name, rotation, roster, at);
            let next = holds.max(at.saturating_add(SignedDuration::from_secs(1)).unwrap_or(to)).min(to);
            for person in &people {
                put(person, at, next);
            }
            (assumed, at) = (true, next);
        }
    }
    Turned { turns, assumed, complete }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::{Hours, Layer, Turns};
    use super::*;

    fn weekly(members: &[&str]) -> Rotation {
        let time_zone = TimeZone::get("Europe/Oslo").unwrap();
        let layer = Layer {
            time_zone: time_zone.clone(),
            members: members.iter().map(|&name| vec![name.to_owned()]).collect(),
            shift_hours: 7 * 24,
            handover_day: Some(jiff::civil::Weekday::Monday),
            handover_time: jiff::civil::time(9, 0, 0, 0),
            start: jiff::civil::date(2026, 1, 5),
            hours: Hours::always(),
        };
        Rotation { time_zone, turns: Turns::Layers(vec![layer]), shadows: Vec::new() }
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-{text}:00Z").parse().unwrap()
    }

    fn shown(rows: &[Kept]) -> Vec<String> {
        let row = |row: &Kept| {
            let [from, until] = [row.from, row.until].map(|at| at.strftime("%m-%dT%H:%M").to_string());
            format!("{} {from} {until}{}", row.person, if row.open { " on" } else { "" })
        };
        rows.iter().map(row).collect()
    }

    /// Rows by person and beginning, as a store has them.
    #[derive(Default)]
    struct Book(BTreeMap<(String, Timestamp), Kept>);

    impl Book {
        fn looks(&mut self, rotation: Option<&Rotation>, now: &str) {
            let now = at(now);
            let open: Vec<Kept> = self.0.values().filter(|row| row.open).cloned().collect();
            let rotations: BTreeMap<String, Rotation> =
                rotation.map(|one| ("sre".to_owned(), one.clone())).into_iter().collect();
            if !is_due(&rotations, &Roster::nothing(), &open, now) {
                return;
            }
            for row in note("sre", rotation, &Roster::nothing(), &open, now) {
                self.0.insert((row.person.clone(), row.from), row);
            }
            let open: Vec<Kept> = self.0.values().filter(|row| row.open).cloned().collect();
            assert!(!is_due(&rotations, &Roster::nothing(), &open, now), "it is done");
        }

        fn shown(&self) -> Vec<String> {
            let mut rows: Vec<Kept> = self.0.values().cloned().collect();
            rows.sort_by_key(|row| row.from);
            shown(&rows)
        }
    }

    #[test]
    fn a_hand_over_is_written_down_once_at_its_own_hour() {
        let (sre, mut book) = (weekly(&["maya", "tom"]), Book::default());
        for look in ["03-27T12:00", "03-27T12:30", "03-27T13:00", "03-30T06:59", "03-30T07:03", "03-30T07:04"]
        {
            book.looks(Some(&sre), look);
        }
        // Nine o'clock in Oslo, in summer.
        assert_eq!(book.shown(), ["tom 03-27T12:00 03-30T07:00", "maya 03-30T07:00 03-30T07:03 on"]);
    }

    #[test]
    fn what_was_missed_while_no_node_ran_is_caught_up_with() {
        let (sre, mut book) = (weekly(&["maya", "tom", "kim"]), Book::default());
        book.looks(Some(&sre), "01-06T12:00");
        book.looks(Some(&sre), "01-27T12:00");
        assert_eq!(
            book.shown(),
            [
                "maya 01-06T12:00 01-12T08:00",
                "tom 01-12T08:00 01-19T08:00",
                "kim 01-19T08:00 01-26T08:00",
                "maya 01-26T08:00 01-27T12:00 on"
            ]
        );
    }

    #[test]
    fn a_rotation_that_is_changed_changes_nothing_that_was() {
        let mut book = Book::default();
        book.looks(Some(&weekly(&["maya", "tom"])), "01-06T12:00");
        book.looks(Some(&weekly(&["maya", "tom"])), "01-06T13:00");
        // Read anew at twenty past: since then it is the other's.
        book.looks(Some(&weekly(&["tom", "maya"])), "01-06T13:20");
        assert_eq!(book.shown(), ["maya 01-06T12:00 01-06T13:20", "tom 01-06T13:20 01-06T13:20 on"]);
        // Gone from the configuration, and changed while nobody ran.
        book.looks(None, "01-06T14:00");
        assert_eq!(book.shown()[1], "tom 01-06T13:20 01-06T14:00");
        book.looks(Some(&weekly(&["kim"])), "01-07T10:00");
        book.looks(Some(&weekly(&["maya"])), "01-09T10:00");
        assert_eq!(book.shown()[2..], ["kim 01-07T10:00 01-07T10:00", "maya 01-07T10:00 01-09T10:00 on"]);
    }

    #[test]
    fn turns_are_what_was_written_down_and_else_what_the_rotation_says() {
        let (sre, mut book) = (weekly(&["maya", "tom"]), Book::default());
        book.looks(Some(&weekly(&["kim"])), "01-08T00:00");
        book.looks(Some(&sre), "01-08T00:30");
        let kept: Vec<Kept> = book.0.values().cloned().collect();
        let of = |since: &str, until: &str| {
            let Turned { turns, assumed, complete } =
                turns("sre", Some(&sre), &Roster::nothing(), &kept, (at(since), at(until)));
            assert!(complete);
            let mut turns: Vec<_> = turns
                .iter()
                .map(|(who, from, to)| format!("{who} {}", to.duration_since(*from).as_mins()))
                .collect();
            turns.sort();
            (turns.join(", "), assumed)
        };
        assert_eq!(of("01-08T00:00", "01-08T01:00"), ("kim 30, maya 30".into(), false));
        assert_eq!(of("01-07T23:00", "01-08T01:00"), ("kim 30, maya 30, maya 60".into(), true));
        // Not looked at since: as the rotation says, from the last look on.
        assert_eq!(of("01-08T00:00", "01-12T09:00").0, "kim 30, maya 6210, tom 60");
        // Two years of shifts of an hour are not gone through for one question.
        let mut hourly = weekly(&["maya", "tom"]);
        if let Turns::Layers(layers) = &mut hourly.turns {
            (layers[0].shift_hours, layers[0].handover_day) = (1, None);
        }
        let years = (at("11-01T00:00"), "2028-11-01T00:00:00Z".parse().unwrap());
        let found = turns("sre", Some(&hourly), &Roster::nothing(), &[], years);
        assert!(!found.complete && found.assumed);
    }
}
