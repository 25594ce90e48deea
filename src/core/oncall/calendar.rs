//! Turns that a calendar gives, and the turns of any rotation as a calendar tells them.

use jiff::Timestamp;

use super::{Roster, Rotation, Turn, Turns};

/// Most changes that are walked through for one rotation.
const CHANGES_MAX: usize = 20_000;

/// Turns in their order, each person's once: those of the same person that touch or overlap are one.
pub fn normal(mut turns: Vec<Turn>) -> Vec<Turn> {
    turns.retain(|turn| turn.from < turn.until);
    turns.sort_by(|one, other| {
        (&one.person, one.from, one.until).cmp(&(&other.person, other.from, other.until))
    });
    let mut joined: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns {
        match joined.last_mut() {
            Some(last) if last.person == turn.person && turn.from <= last.until => {
                last.until = last.until.max(turn.until);
            }
            _ => joined.push(turn),
        }
    }
    joined.sort();
    joined
}

/// A time for which somebody is on call without a break, as an exported calendar tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stint {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who.
    pub person: String,
    /// Whether they are only told, and answer for nothing.
    pub shadow: bool,
}

/// What was said of a stint since the configuration was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// When something that touches it was said last.
    pub at: Timestamp,
}

impl Rotation {
    /// Whether a calendar says who is on call.
    pub fn follows_calendar(&self) -> bool {
        matches!(self.turns, Turns::Calendar)
    }

    /// Who is on call when, of all who are at some instant from one hour to another, each stint whole: from the hand-over at which
    /// it begins to the one at which it ends, unless something that was said begins or ends it in between. Stints that began more
    /// than `reach` before are told from there on.
    pub fn stints(
        &self,
        name: &str,
        roster: &Roster,
        (from, until): (Timestamp, Timestamp),
        reach: jiff::SignedDuration,
    ) -> Vec<Stint> {
        // What calendars say is as good as configured: hand-overs are where this changes.
        let plain = roster.only_calendars();
        let last = until.saturating_add(reach).unwrap_or(Timestamp::MAX);
        let mut at = from.saturating_sub(reach).unwrap_or(Timestamp::MIN);
        let mut handed = self.duty(name, &plain, at).until;
        let (mut open, mut found): (Vec<Stint>, Vec<Stint>) = (Vec::new(), Vec::new());
        for _ in 0..CHANGES_MAX {
            let duty = self.duty(name, roster, at);
            let people = duty.people.iter().map(|person| (person, false));
            let on: Vec<(&String, bool)> =
                people.chain(duty.shadows.iter().map(|person| (person, true))).collect();
            // A turn of a calendar is one however its neighbours change.
            let hands_over = at == handed && !self.follows_calendar();
            let ends = |stint: &mut Stint| {
                hands_over
                    || !on.iter().any(|(person, shadow)| **person == stint.person && *shadow == stint.shadow)
            };
            for mut stint in open.extract_if(.., ends) {
                stint.until = at;
                found.push(stint);
            }
            if at >= last || (at >= until && open.is_empty()) {
                break;
            }
            for (person, shadow) in on {
                if at < until && !open.iter().any(|stint| stint.person == *person && stint.shadow == shadow) {
                    open.push(Stint { from: at, until: last, person: person.clone(), shadow });
                }
            }
            while handed <= at && handed < last {
                handed = self.duty(name, &plain, handed).until;
            }
            at = duty.until.min(handed).min(last);
        }
        found.append(&mut open);
        found.retain(|stint| stint.until > from && stint.from < until);
        found.sort();
        found
    }

    /// What was said that touches a time of a rotation, if anything was.
    pub fn said(&self, name: &str, roster: &Roster, (from, until): (Timestamp, Timestamp)) -> Option<Said> {
        let touches = |begins: Timestamp, ends: Timestamp| begins <= until && from <= ends;
        // One that was ended early ends when that was said, and until when it would have lasted is not known any more: it
        // touches all that comes after, so that what was said of a turn never is older than before.
        let last = |ends: Timestamp, is_ended: bool| if is_ended { Timestamp::MAX } else { ends };
        let mut of_overrides = roster.overrides.iter().filter(|one| one.rotation == name).collect::<Vec<_>>();
        of_overrides.retain(|one| touches(one.from, last(one.until, one.ended_by.is_some())));
        let overrides = of_overrides
            .iter()
            .flat_map(|one| [Some(one.created_at), one.ended_by.as_ref().map(|_| one.until)]);
        let leaves = roster
            .leaves
            .iter()
            .filter(|one| touches(one.from, last(one.until, one.ended_by.is_some())))
            .flat_map(|one| [Some(one.created_at), one.ended_by.as_ref().map(|_| one.until)]);
        overrides.chain(leaves).flatten().max().map(|at| Said { at })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use jiff::SignedDuration;
    use jiff::civil::Weekday;
    use jiff::tz::TimeZone;

    use super::super::{Hours, Layer, Override};
    use super::*;

    fn hour(day: i64, hour: i64) -> Timestamp {
        "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()
            + SignedDuration::from_hours((day - 1) * 24 + hour)
    }

    fn turn(person: &str, from: Timestamp, until: Timestamp) -> Turn {
        Turn { from, until, person: person.into() }
    }

    fn weekly(members: &[&str]) -> Rotation {
        let layer = Layer {
            time_zone: TimeZone::UTC,
            members: members.iter().map(|name| vec![(*name).to_owned()]).collect(),
            shift_hours: 7 * 24,
            handover_day: Some(Weekday::Monday),
            handover_time: jiff::civil::time(9, 0, 0, 0),
            start: jiff::civil::date(2025, 1, 6),
            hours: Hours::always(),
        };
        Rotation { time_zone: TimeZone::UTC, turns: Turns::Layers(vec![layer]), shadows: Vec::new() }
    }

    fn by_calendar(turns: Vec<Turn>) -> (Rotation, Roster) {
        let calendars = BTreeMap::from([("sre".to_owned(), Arc::new(normal(turns)))]);
        (Rotation { turns: Turns::Calendar, ..weekly(&[]) }, Roster { calendars, ..Roster::nothing() })
    }

    fn said(stints: &[Stint]) -> Vec<String> {
        let each = |stint: &Stint| format!("{} {} {}", stint.person, stint.from, stint.until);
        stints.iter().map(each).collect()
    }

    #[test]
    fn whom_a_calendar_names_is_on_call_from_the_first_instant_to_the_last_and_nobody_in_between() {
        let (sre, roster) = by_calendar(vec![
            turn("maya", hour(1, 0), hour(2, 0)),
            turn("tom", hour(1, 12), hour(2, 12)),
            turn("tom", hour(4, 0), hour(5, 0)),
        ]);
        let on = |at| sre.duty("sre", &roster, at);
        assert_eq!(on(hour(0, 23)).people, Vec::<String>::new());
        assert_eq!(on(hour(0, 23)).until, hour(1, 0));
        assert_eq!((on(hour(1, 0)).people, on(hour(1, 0)).until), (vec!["maya".to_owned()], hour(1, 12)));
        assert_eq!(on(hour(1, 12)).people, ["maya", "tom"]);
        assert_eq!((on(hour(2, 0)).people, on(hour(2, 0)).until), (vec!["tom".to_owned()], hour(2, 12)));
        assert_eq!((on(hour(2, 12)).people, on(hour(2, 12)).until), (Vec::new(), hour(4, 0)));
        assert_eq!(on(hour(6, 0)).until, Timestamp::MAX);
        assert!(sre.duty("other", &roster, hour(1, 0)).people.is_empty());
    }

    #[test]
    fn turns_of_one_person_that_touch_are_one() {
        let turns = vec![
            turn("tom", hour(2, 0), hour(3, 0)),
            turn("maya", hour(2, 0), hour(2, 0)),
            turn("tom", hour(1, 0), hour(2, 0)),
            turn("tom", hour(1, 5), hour(1, 6)),
            turn("maya", hour(1, 0), hour(1, 1)),
        ];
        let joined = [turn("maya", hour(1, 0), hour(1, 1)), turn("tom", hour(1, 0), hour(3, 0))];
        let mut joined = joined.to_vec();
        joined.sort();
        assert_eq!(normal(turns), joined);
    }

    #[test]
    fn spans_are_whole_shifts_also_those_of_one_person_after_another() {
        let stints = weekly(&["maya"]).stints(
            "sre",
            &Roster::nothing(),
            (hour(7, 0), hour(13, 0)),
            SignedDuration::from_hours(24 * 30),
        );
        assert_eq!(
            said(&stints),
            [
                "maya 2026-01-05T09:00:00Z 2026-01-12T09:00:00Z",
                "maya 2026-01-12T09:00:00Z 2026-01-19T09:00:00Z"
            ]
        );
    }

    #[test]
    fn an_override_cuts_a_shift_and_one_elsewhere_does_not() {
        let one = |rotation: &str, person: &str, from, until| Override {
            id: String::new(),
            rotation: rotation.into(),
            person: person.into(),
            instead_of: None,
            from,
            until,
            author: "maya".into(),
            reason: "dentist".into(),
            created_at: hour(2, 0),
            ended_by: None,
        };
        let roster = Roster {
            overrides: vec![
                one("sre", "tom", hour(6, 0), hour(6, 12)),
                one("other", "tom", hour(8, 0), hour(8, 12)),
            ],
            ..Roster::nothing()
        };
        let sre = weekly(&["maya"]);
        let week = (hour(5, 9), hour(12, 9));
        let stints = sre.stints("sre", &roster, week, SignedDuration::from_hours(24 * 30));
        assert_eq!(
            said(&stints),
            [
                "maya 2026-01-05T09:00:00Z 2026-01-06T00:00:00Z",
                "tom 2026-01-06T00:00:00Z 2026-01-06T12:00:00Z",
                "maya 2026-01-06T12:00:00Z 2026-01-12T09:00:00Z"
            ]
        );
        assert_eq!(sre.said("sre", &roster, week), Some(Said { at: hour(2, 0) }));
        assert_eq!(sre.said("sre", &roster, (hour(7, 0), hour(8, 0))), None);
    }

    #[test]
    fn what_is_told_of_a_turn_never_is_older_than_before_also_when_what_changed_it_ends_before_it_begins() {
        let sre = weekly(&["maya"]);
        let week = (hour(12, 9), hour(19, 9));
        let said = |from, until, ended_by: Option<&str>| {
            let one = Override {
                id: "a".into(),
                rotation: "sre".into(),
                person: "tom".into(),
                instead_of: None,
                from,
                until,
                author: "maya".into(),
                reason: "dentist".into(),
                created_at: hour(2, 0),
                ended_by: ended_by.map(str::to_owned),
            };
            sre.said("sre", &Roster { overrides: vec![one], ..Roster::nothing() }, week)
        };
        assert_eq!(said(hour(13, 0), hour(14, 0), None), Some(Said { at: hour(2, 0) }));
        // It is kept as one that never held.
        assert_eq!(said(hour(3, 0), hour(3, 0), Some("maya")), Some(Said { at: hour(3, 0) }));
        assert_eq!(said(hour(3, 0), hour(4, 0), None), None, "it was over before, as it was said to be");
    }

    #[test]
    fn spans_of_a_calendar_are_its_turns() {
        let turns = vec![
            turn("maya", hour(1, 0), hour(2, 0)),
            turn("tom", hour(1, 12), hour(2, 12)),
            turn("tom", hour(4, 0), hour(5, 0)),
        ];
        let (sre, roster) = by_calendar(turns.clone());
        let stints = sre.stints("sre", &roster, (hour(1, 6), hour(30, 0)), SignedDuration::from_hours(24));
        let back: Vec<Turn> = stints.into_iter().map(|one| turn(&one.person, one.from, one.until)).collect();
        assert_eq!(back, turns);
    }
}
