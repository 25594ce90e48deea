//! Every answer against one that is found by walking through all turns and all hours there are, in every zone, around a change
//! of its clock.

use jiff::civil::{Date, Weekday, time};
use jiff::{SignedDuration, Span};
use proptest::prelude::*;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The window that is looked at.
const DAYS: i64 = 9;
/// Before it, turns and hours begin that reach into it.
const BEFORE_DAYS: i64 = 12;

fn zones() -> Vec<TimeZone> {
    jiff::tz::db().available().filter_map(|name| TimeZone::get(name.as_str()).ok()).collect()
}

/// Days and spans of minutes, as they are written.
type Restriction = (Vec<Weekday>, Vec<(u16, u16)>);

/// What chance gives: a rotation, what was said, and a window.
#[derive(Debug)]
struct Night {
    rotation: Rotation,
    hours: Vec<Restriction>,
    roster: Roster,
    from: Timestamp,
    until: Timestamp,
}

/// Everything that begins or ends in a layer, listed.
struct Listed {
    /// Begin and number of each turn.
    turns: Vec<(Timestamp, i64)>,
    open: Vec<(Timestamp, Timestamp)>,
}

impl Night {
    fn layers(&self) -> &[Layer] {
        match &self.rotation.turns {
            Turns::Layers(layers) => layers,
            Turns::Calendar => &[],
        }
    }

    fn list(&self) -> Vec<Listed> {
        let minutes = |date: Date, minutes: u16, zone: &TimeZone| {
            let there = date.at(0, 0, 0, 0) + SignedDuration::from_mins(i64::from(minutes));
            there.to_zoned(zone.clone()).unwrap().timestamp()
        };
        let each = self.layers().iter().zip(&self.hours).map(|(layer, (days, spans))| {
            let mut first = layer.start;
            while layer.handover_day.is_some_and(|day| day != first.weekday()) {
                first = first.tomorrow().unwrap();
            }
            let last = self.until + 72 * HOUR;
            let mut turns = Vec::new();
            let mut hour = first.to_datetime(layer.handover_time);
            for number in 0.. {
                let begins = hour.to_zoned(layer.time_zone.clone()).unwrap().timestamp();
                if begins > last {
                    break;
                }
                turns.push((begins, number));
                hour += HOUR * i32::try_from(layer.shift_hours).unwrap();
            }
            let mut date = (self.from - 24 * 5 * HOUR).to_zoned(layer.time_zone.clone()).date();
            let mut open = Vec::new();
            if days.is_empty() && spans.is_empty() {
                open.push((Timestamp::MIN, Timestamp::MAX));
            }
            for _ in 0..(DAYS + 12) {
                let spans = if spans.is_empty() { vec![(0, 24 * 60)] } else { spans.clone() };
                for (from, until) in
                    spans.into_iter().filter(|_| days.is_empty() || days.contains(&date.weekday()))
                {
                    let until = if until > from { until } else { until + 24 * 60 };
                    open.push((
                        minutes(date, from, &layer.time_zone),
                        minutes(date, until, &layer.time_zone),
                    ));
                }
                date = date.tomorrow().unwrap();
            }
            Listed { turns, open }
        });
        each.collect()
    }

    /// Every instant at which anything may change.
    fn events(&self, listed: &[Listed]) -> Vec<Timestamp> {
        let turns = listed.iter().flat_map(|one| one.turns.iter().map(|(begins, _)| *begins));
        let open = listed.iter().flat_map(|one| one.open.iter().flat_map(|(from, until)| [*from, *until]));
        let said = self.roster.overrides.iter().flat_map(|one| [one.from, one.until]);
        let away = self.roster.leaves.iter().flat_map(|one| [one.from, one.until]);
        let mut all: Vec<Timestamp> = turns.chain(open).chain(said).chain(away).chain([self.from]).collect();
        all.retain(|event| self.from <= *event && *event < self.until);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Who is on call, from the lists alone.
    fn expected(&self, listed: &[Listed], at: Timestamp) -> Vec<String> {
        let away = |who: &String| {
            self.roster
                .leaves
                .iter()
                .any(|leave| leave.person == *who && leave.from <= at && at < leave.until)
        };
        let holding = |one: &&Override| one.rotation == "sre" && one.from <= at && at < one.until;
        let newest = |one: &&Override| (one.created_at, one.id.clone());
        let all = self
            .roster
            .overrides
            .iter()
            .filter(holding)
            .filter(|one| one.instead_of.is_none())
            .max_by_key(newest);
        let one = self.roster.overrides.iter().filter(holding).find(|one| one.instead_of.is_some());
        if let Some(all) = all {
            let replaced =
                one.filter(|one| newest(one) > newest(&all) && one.instead_of.as_ref() == Some(&all.person));
            return vec![replaced.map_or(&all.person, |one| &one.person).clone()];
        }
        for (number, (layer, listed)) in self.layers().iter().zip(listed).enumerate().rev() {
            let begun = listed.turns.iter().filter(|(begins, _)| *begins <= at).map(|(_, turn)| *turn).max();
            let Some(turn) = begun.or((number == 0).then_some(0)) else { continue };
            if !listed.open.iter().any(|(from, until)| *from <= at && at < *until) {
                continue;
            }
            for next in 0..layer.members.len() {
                let index = (usize::try_from(turn).unwrap() + next) % layer.members.len();
                let mut people: Vec<String> = Vec::new();
                for member in &layer.members[index] {
                    let instead = one.filter(|one| one.instead_of.as_ref() == Some(member));
                    let who = instead.map_or(member, |one| &one.person);
                    if (instead.is_some() || !away(member)) && !people.contains(who) {
                        people.push(who.clone());
                    }
                }
                if !people.is_empty() {
                    return people;
                }
            }
        }
        Vec::new()
    }
}

impl Night {
    fn compare(&self) {
        let (rotation, roster) = (&self.rotation, &self.roster);
        let listed = self.list();
        let shifts = rotation.shifts("sre", roster, self.from, self.until, usize::MAX);
        assert_eq!(shifts.first().unwrap().from, self.from);
        assert_eq!(shifts.last().unwrap().until, self.until);
        for two in shifts.windows(2) {
            assert_eq!(two[0].until, two[1].from);
            assert!(two[0].people != two[1].people);
        }
        let lies_in =
            |at: Timestamp| shifts.iter().find(|shift| shift.from <= at && at < shift.until).unwrap();
        // Between two neighbours of these nothing changes: what holds there holds everywhere.
        let events = self.events(&listed);
        for (index, event) in events.iter().enumerate() {
            let next = events.get(index + 1).copied().unwrap_or(self.until);
            let between = *event + next.duration_since(*event) / 2;
            for at in [*event, between, next - SignedDuration::from_nanos(1)] {
                let expected = self.expected(&listed, at);
                let shift = lies_in(at);
                assert_eq!(shift.people, expected, "{at}");
                let duty = rotation.duty("sre", roster, at);
                assert_eq!(duty.people, expected, "{at}");
                assert!(duty.until > at && (duty.until <= shift.until || shift.until == self.until));
                let is_told =
                    !expected.is_empty() && !expected.contains(&"lee".into()) && !roster.is_away("lee", at);
                assert_eq!(!duty.shadows.is_empty(), is_told, "{at}");
                assert_eq!(rotation.people_at("sre", roster, at), expected);
            }
        }
    }
}

#[test]
fn shifts_of_any_length_over_the_day_that_never_was_and_over_hours_that_come_twice() {
    for (name, from) in [
        ("Pacific/Apia", "2011-12-27T00:00:00Z"),
        ("Antarctica/Troll", "2026-03-26T00:00:00Z"),
        ("Antarctica/Troll", "2026-10-22T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-02T00:00:00Z"),
    ] {
        let from: Timestamp = from.parse().unwrap();
        let time_zone = TimeZone::get(name).unwrap();
        for shift_hours in [1, 2, 5, 7, 9, 11, 13, 24, 25] {
            for minutes in [0, 15, 45, 150, 270] {
                let layer = Layer {
                    time_zone: time_zone.clone(),
                    members: PEOPLE.map(|who| vec![who.to_owned()]).into(),
                    shift_hours,
                    handover_day: None,
                    handover_time: time((minutes / 60) as i8, (minutes % 60) as i8, 0, 0),
                    start: from.to_zoned(time_zone.clone()).date(),
                    hours: Hours::always(),
                };
                let rotation = Rotation {
                    time_zone: time_zone.clone(),
                    turns: Turns::Layers(vec![layer]),
                    shadows: vec!["lee".into()],
                };
                let until = from + 24 * 6 * HOUR;
                let hours = vec![(Vec::new(), Vec::new())];
                Night { rotation, hours, roster: Roster::nothing(), from, until }.compare();
            }
        }
    }
}

const PEOPLE: [&str; 6] = ["ann", "bob", "kim", "lee", "maya", "tom"];
const LENGTHS: [u32; 9] = [1, 2, 5, 8, 12, 24, 36, 72, 168];
const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// What a layer is made of: zone, length, hour and day of the start, turns, days, spans.
type Made = (usize, usize, (u16, i64), Vec<Vec<usize>>, Vec<usize>, Vec<(u16, u16)>);

fn made() -> impl Strategy<Value = Made> {
    let turns = prop::collection::vec(prop::collection::vec(0..PEOPLE.len(), 1..3), 1..5);
    let days = prop_oneof![Just(Vec::new()), prop::collection::vec(0..7_usize, 1..6)];
    let spans = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec((0..48_u16, 1..49_u16).prop_map(|(from, until)| (from * 30, until * 30)), 1..4)
    ];
    (0..10_000_usize, 0..LENGTHS.len(), (0..96_u16, 0..40_i64), turns, days, spans)
}

fn nights() -> impl Strategy<Value = Night> {
    let said = (0..PEOPLE.len(), prop::option::of(0..PEOPLE.len()), -48..400_i64, 1..300_i64);
    let away = (0..PEOPLE.len(), -48..400_i64, 1..300_i64);
    (
        prop::collection::vec(made(), 1..4),
        any::<bool>(),
        1990..2037_i16,
        prop::collection::vec(said, 0..4),
        prop::collection::vec(away, 0..4),
    )
        .prop_map(|(made, one_zone, year, said, away)| night(&made, one_zone, year, &said, &away))
}

fn night(
    made: &[Made],
    one_zone: bool,
    year: i16,
    said: &[(usize, Option<usize>, i64, i64)],
    away: &[(usize, i64, i64)],
) -> Night {
    let zones = zones();
    let zone = |which: usize| zones[which % zones.len()].clone();
    let begin = Date::constant(year, 1, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
    // Around the next change of the clock, or the one after it: back and forth.
    let forth_or_back = year % 2 == 1;
    let first = zone(made[0].0);
    let change =
        first.following(begin).nth(usize::from(forth_or_back)).map_or(begin, |change| change.timestamp());
    let from = if change < begin + SignedDuration::from_hours(24 * 4000) { change } else { begin };
    let from = from - 24 * 4 * HOUR;
    let until = from + HOUR * i32::try_from(24 * DAYS).unwrap();
    let mut hours = Vec::new();
    let name = |who: usize| PEOPLE[who].to_owned();
    let layers = made.iter().map(|(which, length, (quarter, days_ago), turns, days, spans)| {
        let time_zone = if one_zone { first.clone() } else { zone(*which) };
        let start =
            from.to_zoned(time_zone.clone()).date() - Span::new().days(*days_ago - 6 + BEFORE_DAYS / 4);
        let shift_hours = LENGTHS[*length];
        let days: Vec<Weekday> = days.iter().map(|day| WEEK[*day]).collect();
        hours.push((days.clone(), spans.clone()));
        Layer {
            time_zone,
            members: turns.iter().map(|turn| turn.iter().map(|who| name(*who)).collect()).collect(),
            shift_hours,
            handover_day: shift_hours.is_multiple_of(168).then_some(Weekday::Monday),
            handover_time: time((quarter / 4) as i8, (quarter % 4 * 15) as i8, 0, 0),
            start,
            hours: Hours::new(&days, spans),
        }
    });
    let layers: Vec<Layer> = layers.collect();
    let hour = |hour: i64| from + SignedDuration::from_mins(hour * 60 + 7);
    let mut roster = Roster::nothing();
    let mut one_of_a_turn = false;
    for (number, (who, instead_of, begins, lasts)) in said.iter().enumerate() {
        // One that is about one person: how several go together is told in stories.
        let instead_of = instead_of.filter(|other| other != who && !one_of_a_turn);
        one_of_a_turn |= instead_of.is_some();
        roster.overrides.push(Override {
            id: format!("{number}"),
            rotation: "sre".into(),
            person: name(*who),
            instead_of: instead_of.map(name),
            from: hour(*begins),
            until: hour(begins + lasts),
            author: "kim".into(),
            reason: "chance".into(),
            created_at: hour(i64::try_from(number / 2).unwrap()),
            ended_by: None,
        });
    }
    for (number, (who, begins, lasts)) in away.iter().enumerate() {
        roster.leaves.push(Leave {
            id: format!("{number}"),
            person: name(*who),
            from: hour(*begins),
            until: hour(begins + lasts),
            author: "kim".into(),
            reason: "chance".into(),
            created_at: hour(0),
            ended_by: None,
        });
    }
    let rotation = Rotation {
        time_zone: layers[0].time_zone.clone(),
        turns: Turns::Layers(layers),
        shadows: vec!["lee".into()],
    };
    Night { rotation, hours, roster, from, until }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// At every instant exactly the expected people; spans follow one another without a hole, and change where they say.
    #[test]
    fn every_answer_is_the_one_that_is_found_by_walking_through_everything(night in nights()) {
        night.compare();
    }

    /// Where the lowest layer is always open and nobody is away there is never nobody.
    #[test]
    fn no_gap_is_where_none_is_configured(mut night in nights()) {
        night.roster.leaves.clear();
        if let Turns::Layers(layers) = &mut night.rotation.turns {
            layers[0].hours = Hours::always();
        }
        let shifts = night.rotation.shifts("sre", &night.roster, night.from, night.until, usize::MAX);
        prop_assert!(shifts.iter().all(|shift| !shift.people.is_empty()));
    }

    /// Whatever hour of whatever year is asked for, in whatever zone: an answer, and one that ends later.
    #[test]
    fn no_hour_is_too_odd_to_be_asked_for(night in nights(), second in -377_705_023_201_i64..253_402_207_200_i64) {
        let at = Timestamp::from_second(second).unwrap();
        prop_assert!(night.rotation.duty("sre", &night.roster, at).until > at);
        let later = at.saturating_add(SignedDuration::from_hours(50)).unwrap();
        let shifts = night.rotation.shifts("sre", &night.roster, at, later, 500);
        prop_assert_eq!(shifts.first().map(|shift| shift.from), Some(at).filter(|at| *at < later));
    }
}
