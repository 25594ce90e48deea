//! Who will be on call, and when nobody will: what pages, commands and figures say of the days ahead.

use jiff::{SignedDuration, Timestamp};

use super::{Roster, Rotation};

/// How far ahead it is told who comes next, and that nobody does.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Most turns that are gone through: an hour each, for more than a year.
const TURNS_MAX: usize = 10_000;

/// A time in which the same people are on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub until: Timestamp,
    /// Who; nobody in a gap.
    pub people: Vec<String>,
    /// Who is told beside them.
    pub shadows: Vec<String>,
}

/// A time in which nobody is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// In which rotation.
    pub rotation: String,
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub until: Timestamp,
}

impl Rotation {
    /// Who is on call from one hour to another, without a break between the times.
    pub fn watches(&self, name: &str, roster: &Roster, from: Timestamp, until: Timestamp) -> Vec<Watch> {
        let mut watches: Vec<Watch> = Vec::new();
        let mut at = from;
        for _ in 0..TURNS_MAX {
            if at >= until {
                break;
            }
            let duty = self.duty(name, roster, at);
            let next = duty.until.min(until);
            if next <= at {
                break;
            }
            match watches.last_mut() {
                Some(last) if last.people == duty.people && last.shadows == duty.shadows => last.until = next,
                _ => {
                    watches.push(Watch { from: at, until: next, people: duty.people, shadows: duty.shadows })
                }
            }
            at = next;
        }
        watches
    }

    /// Until when who is on call at an instant stays so: to their hand-over, or until something that was said changes it.
    pub fn stays_until(&self, name: &str, roster: &Roster, at: Timestamp) -> Timestamp {
        let now = self.duty(name, roster, at);
        let turn = self.duty(name, &roster.only_calendars(), at).until;
        let mut until = now.until;
        for _ in 0..TURNS_MAX {
            if until >= turn {
                break;
            }
            // Something was said of others.
            let next = self.duty(name, roster, until);
            if next.people != now.people || next.shadows != now.shadows || next.until <= until {
                break;
            }
            until = next.until;
        }
        until
    }

    /// When nobody is on call from one hour to another because of what was said, or because a calendar says nothing. What the
    /// configuration itself leaves free, it leaves free on purpose.
    pub fn gaps(&self, name: &str, roster: &Roster, from: Timestamp, until: Timestamp) -> Vec<Gap> {
        let plain = roster.only_calendars();
        let by_calendar = roster.calendars.contains_key(name);
        let mut gaps: Vec<Gap> = Vec::new();
        for watch in self.watches(name, roster, from, until) {
            if !watch.people.is_empty() {
                continue;
            }
            for usual in self.watches(name, &plain, watch.from, watch.until) {
                if usual.people.is_empty() && !by_calendar {
                    continue;
                }
                match gaps.last_mut() {
                    Some(last) if last.until == usual.from => last.until = usual.until,
                    _ => gaps.push(Gap { rotation: name.to_owned(), from: usual.from, until: usual.until }),
                }
            }
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;
    use jiff::tz::TimeZone;

    use super::super::{Leave, Override};
    use super::*;

    fn weekly(members: &[&str]) -> Rotation {
        Rotation {
            time_zone: TimeZone::UTC,
            members: members.iter().map(|name| (*name).to_owned()).collect(),
            shift_days: 7,
            handover_day: Some(Weekday::Monday),
            handover_time: jiff::civil::time(9, 0, 0, 0),
            start: jiff::civil::date(2026, 1, 5),
        }
    }

    /// An hour of January 2026: `5.9` is the fifth, at nine.
    fn at(day: i64, hour: i64) -> Timestamp {
        "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()
            + SignedDuration::from_hours((day - 1) * 24 + hour)
    }

    fn stands_in(person: &str, instead_of: Option<&str>, from: Timestamp, until: Timestamp) -> Override {
        Override {
            id: format!("{person}{from}"),
            rotation: "sre".into(),
            person: person.into(),
            instead_of: instead_of.map(str::to_owned),
            from,
            until,
            author: "maya".into(),
            reason: "the dentist".into(),
            created_at: at(1, 0),
            ended_by: None,
        }
    }

    fn away(person: &str, from: Timestamp, until: Timestamp) -> Leave {
        Leave {
            id: format!("{person}{from}"),
            person: person.into(),
            from,
            until,
            author: "maya".into(),
            reason: "holidays".into(),
            created_at: at(1, 0),
            ended_by: None,
        }
    }

    fn told(watches: &[Watch]) -> Vec<String> {
        let hour = |at: Timestamp| at.strftime("%-d.%-H").to_string();
        watches
            .iter()
            .map(|one| format!("{} {} {}", hour(one.from), hour(one.until), one.people.join("+")))
            .collect()
    }

    #[test]
    fn the_days_ahead_are_told_without_a_break() {
        let sre = weekly(&["maya", "tom"]);
        let roster = Roster {
            overrides: vec![stands_in("kim", None, at(6, 9), at(6, 17))],
            leaves: vec![away("tom", at(13, 0), at(14, 0))],
            ..Roster::default()
        };
        let watches = sre.watches("sre", &roster, at(5, 9), at(19, 9));
        assert_eq!(
            told(&watches),
            [
                "5.9 6.9 maya",
                "6.9 6.17 kim",
                "6.17 12.9 maya",
                "12.9 13.0 tom",
                "13.0 14.0 maya",
                "14.0 19.9 tom"
            ]
        );
        assert!(sre.gaps("sre", &roster, at(5, 9), at(19, 9)).is_empty());
        assert!(sre.watches("sre", &roster, at(5, 9), at(5, 9)).is_empty());
    }

    #[test]
    fn somebody_stays_on_call_until_they_hand_over_whatever_is_said_of_others() {
        let sre = weekly(&["maya", "tom"]);
        let mut roster = Roster {
            overrides: vec![Override {
                rotation: "dba".into(),
                ..stands_in("kim", None, at(6, 9), at(6, 17))
            }],
            leaves: vec![away("kim", at(7, 0), at(14, 0))],
            ..Roster::default()
        };
        assert_eq!(sre.stays_until("sre", &roster, at(5, 9)), at(12, 9));
        roster.leaves.push(away("maya", at(8, 0), at(9, 0)));
        assert_eq!(sre.stays_until("sre", &roster, at(5, 9)), at(8, 0));
        // Of a rotation of one it is the hand-over all the same.
        assert_eq!(weekly(&["maya"]).stays_until("sre", &Roster::default(), at(5, 9)), at(12, 9));
    }

    #[test]
    fn a_gap_is_told_with_its_hours_and_what_was_said_can_close_it() {
        let sre = weekly(&["maya", "tom"]);
        let mut roster = Roster {
            leaves: vec![away("maya", at(6, 0), at(9, 0)), away("tom", at(7, 12), at(8, 12))],
            ..Roster::default()
        };
        let gaps = sre.gaps("sre", &roster, at(5, 9), at(19, 9));
        assert_eq!(gaps, [Gap { rotation: "sre".into(), from: at(7, 12), until: at(8, 12) }]);
        roster.overrides.push(stands_in("kim", None, at(7, 0), at(8, 0)));
        let gaps = sre.gaps("sre", &roster, at(5, 9), at(19, 9));
        assert_eq!(gaps, [Gap { rotation: "sre".into(), from: at(8, 0), until: at(8, 12) }]);
        let gaps = sre.gaps("sre", &roster, at(8, 6), at(8, 8));
        assert_eq!(
            gaps,
            [Gap { rotation: "sre".into(), from: at(8, 6), until: at(8, 8) }],
            "what is left of it"
        );
    }

    #[test]
    fn of_several_overrides_the_newest_counts_and_one_who_is_away_stands_in_for_nobody() {
        let later = |one: Override, seconds| Override {
            created_at: at(1, 0) + SignedDuration::from_secs(seconds),
            ..one
        };
        let all = (at(5, 0), at(6, 0));
        let said = |overrides: Vec<Override>, leaves: Vec<Leave>, people: &[&str]| {
            let people: Vec<String> = people.iter().map(|name| (*name).to_owned()).collect();
            let roster = Roster { overrides, leaves, ..Roster::default() };
            roster.stand_in("sre", &people, at(5, 9)).join("+")
        };
        let kim = || stands_in("kim", None, all.0, all.1);
        let lee_for = |whose: &str| later(stands_in("lee", Some(whose), all.0, all.1), 1);
        assert_eq!(
            said(vec![kim(), later(stands_in("lee", None, all.0, all.1), 1)], vec![], &["maya"]),
            "lee"
        );
        assert_eq!(
            said(vec![later(stands_in("lee", None, all.0, all.1), 1), kim()], vec![], &["maya"]),
            "lee"
        );
        assert_eq!(said(vec![kim()], vec![away("kim", all.0, all.1)], &["maya"]), "maya");
        assert_eq!(said(vec![kim()], vec![], &[]), "kim", "it closes a gap");
        assert_eq!(said(vec![lee_for("maya")], vec![], &["maya", "tom"]), "lee+tom");
        assert_eq!(said(vec![lee_for("tom")], vec![], &["maya"]), "maya", "it is not tom's turn");
        // The place of who was put in, and of whose it was before.
        let kim_for_maya = || stands_in("kim", Some("maya"), all.0, all.1);
        assert_eq!(said(vec![kim_for_maya(), lee_for("kim")], vec![], &["maya", "tom"]), "lee+tom");
        assert_eq!(said(vec![kim_for_maya(), lee_for("maya")], vec![], &["maya", "tom"]), "lee+tom");
        assert_eq!(said(vec![lee_for("maya")], vec![], &["maya", "lee"]), "lee", "nobody is there twice");
        // Two who change places at the same time.
        let both = vec![kim_for_maya(), later(stands_in("maya", Some("kim"), all.0, all.1), 0)];
        assert_eq!(said(both, vec![], &["maya"]), "maya");
    }

    #[test]
    fn who_left_the_house_stands_in_for_nobody() {
        let all = (at(5, 0), at(6, 0));
        let roster = Roster { overrides: vec![stands_in("gone", None, all.0, all.1)], ..Roster::default() };
        assert_eq!(roster.clone().stand_in("sre", &["maya".into()], at(5, 9)), ["gone"]);
        let roster = roster.of_people(|person| person != "gone");
        assert_eq!(roster.stand_in("sre", &["maya".into()], at(5, 9)), ["maya"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let now = at(5, 0);
        let good = stands_in("kim", None, at(5, 0), at(6, 0));
        assert_eq!(good.check(now), Ok(()));
        for (wrong, words) in [
            (Override { until: at(5, 0), ..good.clone() }, "before it begins"),
            (Override { from: at(4, 0), until: at(5, 0), ..good.clone() }, "past"),
            (Override { until: at(96, 0), ..good.clone() }, "90 days"),
            (Override { from: at(371, 0), until: at(372, 1), ..good.clone() }, "a year"),
            (Override { reason: String::new(), ..good.clone() }, "why"),
            (Override { reason: "x".repeat(501), ..good.clone() }, "500 bytes"),
            (Override { instead_of: Some("kim".into()), ..good.clone() }, "cannot stand in"),
        ] {
            let why = wrong.check(now).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        let leave = away("kim", at(5, 0), at(5, 0) + super::super::roster::LASTS_MAX);
        assert_eq!(leave.check(now), Ok(()));
        assert!(Leave { reason: String::new(), ..leave }.check(now).is_err());
    }
}
