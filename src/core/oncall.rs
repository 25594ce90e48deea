//! Who is on call when: rotations by whole days or weeks, handed over at a wall-clock hour of a zone.
//!
//! Shift *k* begins at the hand-over hour of the rotation's zone, `k × shift_days` days after the first
//! hand-over. Days are calendar days, so a shift over a change of daylight saving is an hour longer or
//! shorter, and the hand-over stays at the hour people know.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

mod calendar;
mod roster;

pub use calendar::{Said, Stint, normal};
pub use roster::{Leave, Override, Roster, Turn};

/// People taking turns.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Zone of the hand-over hour.
    pub time_zone: TimeZone,
    /// Who takes turns, in order; empty only where a calendar says who.
    pub members: Vec<String>,
    /// It follows a calendar: whom the roster's turns name, and nobody in between.
    pub calendar: bool,
    /// Length of a shift in days, at least 1; a week is 7.
    pub shift_days: u32,
    /// Day of the week of the hand-over; `None` for shifts that are not whole weeks.
    pub handover_day: Option<Weekday>,
    /// Hour of the hand-over in `time_zone`.
    pub handover_time: Time,
    /// Date of the first shift, which is the first member's.
    pub start: Date,
}

/// Who is on call in a rotation at an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duty {
    /// Who is woken; several when they share a turn; nobody in a gap.
    pub people: Vec<String>,
    /// Who is told and never has to answer.
    pub shadows: Vec<String>,
    /// Until when this holds at least.
    pub until: Timestamp,
}

/// One person's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Who.
    pub person: String,
    /// When it began.
    pub from: Timestamp,
    /// When it ends: the next hand-over.
    pub until: Timestamp,
}

impl Rotation {
    /// Who is on call at an instant, with what was said since. `name`: the rotation's own.
    pub fn duty(&self, name: &str, roster: &Roster, at: Timestamp) -> Duty {
        let shift = if self.calendar { None } else { self.at(at) };
        let mut until = shift.as_ref().map_or(Timestamp::MAX, |shift| shift.until);
        let mut people: Vec<String> = shift.map(|shift| shift.person).into_iter().collect();
        if self.calendar {
            (people, until) = calendar::at(roster.calendars.get(name).map_or(&[], |turns| turns), at);
        }
        let holding = roster.overrides.iter().filter(|one| one.rotation == name && one.holds(at));
        if let Some(one) = holding.max_by_key(|one| one.created_at) {
            people = vec![one.person.clone()];
        }
        let until = roster.next_change(at).map_or(until, |change| change.min(until));
        Duty { people, shadows: Vec::new(), until }
    }

    /// Who is on call at an instant. Before the first hand-over it is the first member, so there is
    /// never nobody. `None` only for a rotation without members or at the end of time.
    pub fn at(&self, at: Timestamp) -> Option<Shift> {
        let local = at.to_zoned(self.time_zone.clone()).date();
        let days = self.first_handover().until(local).ok()?.get_days();
        let length = i32::try_from(self.shift_days.max(1)).ok()?;
        let mut index = days.div_euclid(length);
        // The date alone cannot say on which side of the hand-over hour an instant lies.
        while self.begins(index)? > at {
            index -= 1;
        }
        while self.begins(index + 1)? <= at {
            index += 1;
        }
        let index = index.max(-1);
        let member = usize::try_from(index.max(0)).ok()?.checked_rem(self.members.len())?;
        let until = self.begins(index.max(-1) + 1)?;
        // Everything before the second hand-over is one long first shift.
        let (from, until) =
            if index < 0 { (Timestamp::MIN, self.begins(1)?) } else { (self.begins(index)?, until) };
        Some(Shift { person: self.members.get(member)?.clone(), from, until })
    }

    fn first_handover(&self) -> Date {
        let Some(day) = self.handover_day else { return self.start };
        let wait = day.since(self.start.weekday());
        self.start.checked_add(Span::new().days(i64::from(wait))).unwrap_or(self.start)
    }

    fn begins(&self, index: i32) -> Option<Timestamp> {
        let days = i64::from(index) * i64::from(self.shift_days.max(1));
        let date = self.first_handover().checked_add(Span::new().days(days)).ok()?;
        let zoned = date.to_datetime(self.handover_time).to_zoned(self.time_zone.clone()).ok()?;
        Some(zoned.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(zone: &str) -> Rotation {
        Rotation {
            time_zone: TimeZone::get(zone).unwrap(),
            members: vec!["maya".into(), "tom".into(), "kim".into()],
            calendar: false,
            shift_days: 7,
            handover_day: Some(Weekday::Monday),
            handover_time: jiff::civil::time(9, 0, 0, 0),
            start: jiff::civil::date(2026, 1, 5),
        }
    }

    fn who(rotation: &Rotation, at: &str) -> String {
        rotation.at(at.parse().unwrap()).unwrap().person
    }

    #[test]
    fn the_hand_over_is_at_nine_on_monday_in_oslo_winter_and_summer() {
        let sre = weekly("Europe/Oslo");
        assert_eq!(who(&sre, "2026-01-05T08:00:00Z"), "maya");
        assert_eq!(who(&sre, "2026-01-12T07:59:59Z"), "maya");
        assert_eq!(who(&sre, "2026-01-12T08:00:00Z"), "tom");
        // 2026-03-29 the clocks go forward: nine o'clock in Oslo is then seven UTC.
        assert_eq!(who(&sre, "2026-03-30T06:59:59Z"), "kim");
        assert_eq!(who(&sre, "2026-03-30T07:00:00Z"), "maya");
    }

    #[test]
    fn a_shift_over_the_change_of_daylight_saving_is_an_hour_shorter() {
        let shift = weekly("Europe/Oslo").at("2026-03-28T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(shift.until.duration_since(shift.from).as_hours(), 7 * 24 - 1);
    }

    #[test]
    fn zones_of_half_an_hour_hand_over_at_their_own_nine() {
        let lord_howe = weekly("Australia/Lord_Howe");
        let shift = lord_howe.at("2026-06-03T00:00:00Z".parse().unwrap()).unwrap();
        let local = shift.from.to_zoned(TimeZone::get("Australia/Lord_Howe").unwrap());
        assert_eq!((local.hour(), local.minute(), local.weekday()), (9, 0, Weekday::Monday));
    }

    #[test]
    fn before_the_start_the_first_member_is_on_call() {
        let sre = weekly("UTC");
        let shift = sre.at("2025-06-01T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(shift.person, "maya");
        assert_eq!(shift.until, "2026-01-12T09:00:00Z".parse().unwrap());
    }

    #[test]
    fn every_hour_of_a_year_lies_inside_the_shift_it_is_given() {
        for zone in ["Europe/Oslo", "America/St_Johns", "Asia/Kolkata", "UTC"] {
            let rotation = weekly(zone);
            let mut at: Timestamp = "2026-01-06T00:00:00Z".parse().unwrap();
            for _ in 0..(366 * 24) {
                let shift = rotation.at(at).unwrap();
                assert!(shift.from <= at && at < shift.until, "{zone} {at} {shift:?}");
                at += jiff::SignedDuration::from_hours(1);
            }
        }
    }
}
