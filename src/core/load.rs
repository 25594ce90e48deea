//! How the load of being on call is shared: hours, pages, nights, and how soon people answered.
//!
//! A tally is fed one incident at a time, in any order, and then who was on call when. Hours of the day are those of the person.
//! Every page is one of three: at night (22 to 7), on a weekend by day, or else by day.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// The hours in which people sleep: from the first on, and before the second.
const NIGHT: (i8, i8) = (22, 7);
/// Pages that follow each other no later than this wake somebody once.
const ONE_WAKING: SignedDuration = SignedDuration::from_mins(30);
/// Most people of a report.
const PEOPLE_MAX: usize = 1000;
/// Most pages and answers that are remembered. Beyond it the report says that some are missing.
const TOUCHES_MAX: usize = 1_000_000;

/// What somebody carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// How long they were on call, in however many rotations.
    pub on_call: SignedDuration,
    /// Pages.
    pub pages: u64,
    /// Of these at night where they live, also on weekends,
    pub night: u64,
    /// and on Saturdays and Sundays by day.
    pub weekend: u64,
    /// How often they were woken: by pages at night, of which those within half an hour count once.
    pub woken: u64,
    /// Incidents that they answered.
    pub answered: u64,
    /// From the first page that waited for them to their answer, of each answer.
    answers: Vec<SignedDuration>,
}

impl Carried {
    /// The median time from a page to its answer; `None`: no page was answered.
    pub fn answer(&self) -> Option<SignedDuration> {
        let mut sorted = self.answers.clone();
        sorted.sort_unstable();
        let (below, above) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
        below.checked_add(*above).map(|both| both / 2)
    }
}

/// One person's part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// All of it.
    pub all: Carried,
    /// Of each week, by its Monday where they live.
    pub weeks: BTreeMap<Date, Carried>,
    /// They are in a rotation now.
    pub in_rotation: bool,
}

/// How something is shared among those who are in rotations.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    /// Who has most of it.
    pub most: String,
    /// How much.
    pub amount: f64,
    /// How much everybody has who is in a rotation, on average.
    pub average: f64,
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Load {
    /// Each person's part, by name.
    pub people: BTreeMap<String, Part>,
    /// Everybody's together, without medians.
    pub all: Carried,
    /// Nothing was left out.
    pub is_whole: bool,
}

/// What incidents were to people, while they are gone through.
#[derive(Debug)]
pub struct Tally {
    since: Timestamp,
    until: Timestamp,
    pages: BTreeMap<String, Vec<Timestamp>>,
    answers: BTreeMap<String, Vec<(Timestamp, Option<SignedDuration>)>>,
    remembered: usize,
    is_whole: bool,
}

/// Something that an incident was to somebody, at an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// They were paged.
    Paged,
    /// They answered.
    Answered,
}

impl Tally {
    /// Of what happens from one hour to another.
    pub fn new(since: Timestamp, until: Timestamp) -> Self {
        let (pages, answers) = Default::default();
        Self { since, until, pages, answers, remembered: 0, is_whole: true }
    }

    /// Adds an incident, with everything that it was to people, also before and after those hours.
    pub fn add(&mut self, touches: &[(String, Timestamp, Touch)]) {
        let mut touches: Vec<&(String, Timestamp, Touch)> = touches.iter().collect();
        touches.sort_unstable();
        for of_one in touches.chunk_by(|(one, ..), (other, ..)| one == other) {
            let (mut waits_since, mut answered) = (None, false);
            for (person, at, touch) in of_one {
                let is_inside = self.since <= *at && *at < self.until;
                match touch {
                    Touch::Paged => {
                        waits_since = waits_since.or(Some(*at));
                        if is_inside && self.has_room(person) {
                            self.pages.entry(person.clone()).or_default().push(*at);
                        }
                    }
                    // Again in the same incident, without a page between: that was answered.
                    Touch::Answered if answered && waits_since.is_none() => {}
                    Touch::Answered => {
                        let took = waits_since.take().map(|since| at.duration_since(since));
                        if is_inside && !answered && self.has_room(person) {
                            self.answers.entry(person.clone()).or_default().push((*at, took));
                        }
                        answered = true;
                    }
                }
            }
        }
    }

    fn has_room(&mut self, person: &str) -> bool {
        let is_known = self.pages.contains_key(person) || self.answers.contains_key(person);
        let known = self.pages.len().max(self.answers.len());
        if self.remembered >= TOUCHES_MAX || !is_known && known >= PEOPLE_MAX {
            self.is_whole = false;
            return false;
        }
        self.remembered += 1;
        true
    }

    /// What it comes to. `turns`: who was on call from when until when; `in_rotations`: who is in a rotation now.
    pub fn sum(
        self,
        turns: Vec<(String, Timestamp, Timestamp)>,
        in_rotations: &BTreeSet<String>,
        zone: impl Fn(&str) -> TimeZone,
    ) -> Load {
        let mut names: BTreeSet<String> = in_rotations.clone();
        let mut on_call: BTreeMap<String, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        for (person, from, to) in turns {
            on_call.entry(person).or_default().push((from.max(self.since), to.min(self.until)));
        }
        names.extend(on_call.keys().chain(self.pages.keys()).chain(self.answers.keys()).cloned());
        let mut people = BTreeMap::new();
        let mut all = Carried::default();
        for name in names {
            let zone = zone(&name);
            let mut part = Part { in_rotation: in_rotations.contains(&name), ..Part::default() };
            for (from, to) in together(on_call.remove(&name).unwrap_or_default()) {
                part.is_on_call(&zone, from, to);
            }
            let mut pages = self.pages.get(&name).cloned().unwrap_or_default();
            pages.sort_unstable();
            let mut woken_at = None;
            for at in pages {
                part.is_paged(&zone, at, &mut woken_at);
            }
            for (at, took) in self.answers.get(&name).into_iter().flatten() {
                part.both(monday(&zone, *at), |carried| {
                    carried.answered += 1;
                    carried.answers.extend(took);
                });
            }
            all.on_call += part.all.on_call;
            all.pages += part.all.pages;
            all.night += part.all.night;
            all.weekend += part.all.weekend;
            all.woken += part.all.woken;
            all.answered += part.all.answered;
            people.insert(name, part);
        }
        Load { people, all, is_whole: self.is_whole }
    }
}

impl Load {
    /// How something is shared among those who are in rotations; `None`: there is none of it.
    pub fn shared(&self, amount: impl Fn(&Carried) -> f64) -> Option<Shared> {
        let those = || self.people.iter().filter(|(_, part)| part.in_rotation);
        let (mut all, mut count, mut most) = (0.0, 0.0, None);
        for (name, part) in those() {
            let own = amount(&part.all);
            all += own;
            count += 1.0;
            if most.as_ref().is_none_or(|(_, most)| own > *most) {
                most = Some((name, own));
            }
        }
        let (most, amount) = most.filter(|(_, most)| *most > 0.0)?;
        Some(Shared { most: most.clone(), amount, average: all / count })
    }
}

impl Part {
    fn both(&mut self, week: Date, change: impl Fn(&mut Carried)) {
        change(&mut self.all);
        change(self.weeks.entry(week).or_default());
    }

    fn is_on_call(&mut self, zone: &TimeZone, from: Timestamp, to: Timestamp) {
        let mut at = from;
        while at < to {
            let week = monday(zone, at);
            let next = week.checked_add(Span::new().days(7)).and_then(|next| next.to_zoned(zone.clone()));
            let next = next.map_or(to, |next| next.timestamp()).min(to);
            // An hour that never comes ends it.
            let next = if next > at { next } else { to };
            self.both(week, |carried| carried.on_call += next.duration_since(at));
            at = next;
        }
    }

    fn is_paged(&mut self, zone: &TimeZone, at: Timestamp, woken_at: &mut Option<Timestamp>) {
        let there = at.to_zoned(zone.clone());
        let night = there.hour() >= NIGHT.0 || there.hour() < NIGHT.1;
        let weekend = !night && matches!(there.weekday(), Weekday::Saturday | Weekday::Sunday);
        let woken = night && woken_at.is_none_or(|before| at.duration_since(before) > ONE_WAKING);
        if night {
            *woken_at = Some(at);
        }
        self.both(monday(zone, at), |carried| {
            carried.pages += 1;
            carried.night += u64::from(night);
            carried.weekend += u64::from(weekend);
            carried.woken += u64::from(woken);
        });
    }
}

/// Times on call as they lie one after another: who has two rotations at once is on call once.
fn together(mut times: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    times.sort_unstable();
    let mut whole: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(times.len());
    for (from, to) in times {
        match whole.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => whole.push((from, to)),
        }
    }
    whole
}

/// The Monday of the week in which an instant lies somewhere.
fn monday(zone: &TimeZone, at: Timestamp) -> Date {
    let day = at.to_zoned(zone.clone()).date();
    day.saturating_sub(Span::new().days(i64::from(day.weekday().to_monday_zero_offset())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-{text}:00Z").parse().unwrap()
    }

    fn zone(person: &str) -> TimeZone {
        let name = match person {
            "maya" => "Europe/Oslo",
            "sid" => "Asia/Kolkata",
            "lou" => "America/St_Johns",
            _ => return TimeZone::UTC,
        };
        TimeZone::get(name).unwrap()
    }

    fn touched(person: &str, hour: &str, touch: Touch) -> (String, Timestamp, Touch) {
        (person.to_owned(), at(hour), touch)
    }

    fn pages(tally: &mut Tally, person: &str, hours: &[&str]) {
        for hour in hours {
            tally.add(&[touched(person, hour, Touch::Paged)]);
        }
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn counts(part: &Part) -> [u64; 4] {
        [part.all.pages, part.all.night, part.all.weekend, part.all.woken]
    }

    #[test]
    fn a_night_is_that_of_the_person_also_when_the_clocks_change() {
        let mut tally = Tally::new(at("01-01T00:00"), at("12-01T00:00"));
        // Oslo, Wednesday: 21:59, 22:00, 06:59 and 07:00, in winter and then in summer.
        pages(&mut tally, "maya", &["01-14T20:59", "01-14T21:00", "01-14T05:59", "01-14T06:00"]);
        pages(&mut tally, "maya", &["07-15T19:59", "07-15T20:00", "07-15T04:59", "07-15T05:00"]);
        // The Sunday on which two o'clock is three, and the one on which it comes twice.
        pages(&mut tally, "maya", &["03-29T00:59", "03-29T01:00", "10-25T00:30", "10-25T01:30"]);
        // Half an hour off: 22:00 in Kolkata, and on Newfoundland a minute before.
        pages(&mut tally, "sid", &["07-15T16:30", "07-15T16:29"]);
        pages(&mut tally, "lou", &["07-16T00:29", "07-16T00:30"]);
        let load = tally.sum(Vec::new(), &names(&["maya"]), zone);
        assert_eq!(counts(&load.people["maya"]), [12, 8, 0, 7]);
        assert_eq!(counts(&load.people["sid"]), [2, 1, 0, 1]);
        assert_eq!(counts(&load.people["lou"]), [2, 1, 0, 1]);
        assert_eq!([load.all.pages, load.all.night, load.all.woken], [16, 10, 9]);
    }

    #[test]
    fn a_weekend_is_apart_and_pages_within_half_an_hour_wake_once() {
        let mut tally = Tally::new(at("01-01T00:00"), at("12-01T00:00"));
        // Friday 21:59 is a working day's, Saturday noon a weekend's, Saturday night a night's, in whatever order they come.
        pages(
            &mut tally,
            "tom",
            &["11-08T01:31", "11-08T01:00", "11-08T01:30", "11-07T12:00", "11-06T21:59"],
        );
        pages(&mut tally, "tom", &["11-08T02:02", "11-09T00:00"]);
        let load = tally.sum(Vec::new(), &names(&[]), zone);
        // 01:00, 01:30 and 01:31 are one waking; 02:02 is 31 minutes after.
        assert_eq!(counts(&load.people["tom"]), [7, 5, 1, 3]);
        let weeks: Vec<_> = load.people["tom"]
            .weeks
            .iter()
            .map(|(week, carried)| (week.to_string(), carried.pages))
            .collect();
        assert_eq!(weeks, [("2026-11-02".to_owned(), 6), ("2026-11-09".to_owned(), 1)]);
        assert!(
            !load.people["tom"].in_rotation && load.shared(|carried| carried.on_call.as_secs_f64()).is_none()
        );
    }

    #[test]
    fn hours_on_call_are_split_at_the_monday_of_the_person_and_count_once() {
        let tally = Tally::new(at("03-20T00:00"), at("04-10T00:00"));
        let turn = |from, to| ("maya".to_owned(), at(from), at(to));
        // Two rotations at once, and a turn over the night in which an hour is missing; the first began before.
        let turns = vec![
            turn("03-19T12:00", "03-20T06:00"),
            turn("03-28T12:00", "03-30T12:00"),
            turn("03-29T12:00", "03-31T12:00"),
        ];
        let load = tally.sum(turns, &names(&["maya", "tom"]), zone);
        let maya = &load.people["maya"];
        assert_eq!(maya.all.on_call.as_hours(), 6 + 72);
        let weeks: Vec<_> =
            maya.weeks.iter().map(|(week, carried)| (week.to_string(), carried.on_call.as_hours())).collect();
        // Sunday ends at 22:00 UTC in summer: 34 hours until then, of which the clocks in Oslo show 35.
        assert_eq!(
            weeks,
            [("2026-03-16".to_owned(), 6), ("2026-03-23".to_owned(), 34), ("2026-03-30".to_owned(), 38)]
        );
        let shared = load.shared(|carried| carried.on_call.as_secs_f64() / 3600.0).unwrap();
        assert_eq!(shared, Shared { most: "maya".into(), amount: 78.0, average: 39.0 });
    }

    #[test]
    fn an_answer_is_timed_from_the_page_that_waited_for_it() {
        let mut tally = Tally::new(at("11-02T00:00"), at("11-09T00:00"));
        let (paged, answered) = (Touch::Paged, Touch::Answered);
        // Paged twice, answered once; then paged again and answered in the same incident, which is one.
        tally.add(&[
            touched("tom", "11-03T10:20", answered),
            touched("tom", "11-03T10:00", paged),
            touched("tom", "11-03T10:10", paged),
            touched("maya", "11-03T10:00", paged),
            touched("tom", "11-03T12:00", paged),
            touched("tom", "11-03T12:50", answered),
        ]);
        // Paged before the period, answered in it; answered without a page; answered after it.
        tally.add(&[touched("tom", "11-01T23:56", paged), touched("tom", "11-02T00:00", answered)]);
        tally.add(&[touched("tom", "11-04T10:00", answered), touched("tom", "11-04T10:01", answered)]);
        tally.add(&[touched("tom", "11-08T23:00", paged), touched("tom", "11-09T00:00", answered)]);
        let load = tally.sum(Vec::new(), &names(&[]), zone);
        let tom = &load.people["tom"];
        assert_eq!((tom.all.pages, tom.all.answered), (4, 3));
        assert_eq!(tom.all.answer(), Some(SignedDuration::from_mins(12)), "of 4 and 20 minutes");
        assert_eq!((load.people["maya"].all.answered, load.people["maya"].all.answer()), (0, None));
    }

    #[test]
    fn what_is_too_much_to_remember_is_said_to_be_missing() {
        let mut tally = Tally::new(at("01-01T00:00"), at("12-01T00:00"));
        for n in 0..=PEOPLE_MAX {
            pages(&mut tally, &format!("p{n}"), &["11-08T01:31"]);
        }
        let load = tally.sum(Vec::new(), &names(&[]), zone);
        assert_eq!((load.people.len(), load.all.pages, load.is_whole), (PEOPLE_MAX, 1000, false));
    }
}
