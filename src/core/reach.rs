//! By which ways a page reaches its person, and when.
//!
//! Mail is always there and at once. Other ways come beside it, each after its own delay, for the severities it is for. In
//! the quiet hours of a person, pages of the severities these are for come by mail alone.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::alert::one_line;
use super::incident::Severity;
use super::rules::Person;

/// The longest that a way may be put off.
pub const AFTER_MAX: SignedDuration = SignedDuration::from_hours(1);
/// What the way is called that everybody has.
pub const MAIL: &str = "mail";

/// One way to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The name of the way.
    pub name: String,
    /// The person's address there.
    pub to: String,
    /// How long after mail.
    pub after: SignedDuration,
    /// Only for these; all when there is none.
    pub severities: Vec<Severity>,
    /// Carries notices too, which need no answer.
    pub notices: bool,
}

/// When somebody is not to be woken by what can wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// From and until, by the clock on the wall of the person; over midnight when the first is the later one.
    pub hours: Vec<(Time, Time)>,
    /// For these.
    pub severities: Vec<Severity>,
}

/// One letter of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The name of the way; empty: mail.
    pub way: String,
    /// Where to.
    pub to: String,
    /// How long from now.
    pub after: SignedDuration,
}

impl Leg {
    fn mail(person: &Person) -> Self {
        Self { way: String::new(), to: person.email.clone(), after: SignedDuration::ZERO }
    }
}

impl Quiet {
    /// Whether these hours hold back what is as bad as this.
    fn holds(&self, person: &Person, severity: Severity, now: Timestamp) -> bool {
        let time = now.to_zoned(person.time_zone.clone()).time();
        let inside = |(from, until): &(Time, Time)| {
            if from <= until { *from <= time && time < *until } else { *from <= time || time < *until }
        };
        self.severities.contains(&severity) && self.hours.iter().any(inside)
    }

    /// Until when these hours last, whatever they hold back, if this is one of them. `None` as well where they never end, for
    /// then no hour is better than another.
    pub fn ends(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        // One may begin when another ends.
        for _ in 0..=self.hours.len() {
            let here = at.to_zoned(zone.clone());
            let inside = |(from, until): &&(Time, Time)| {
                let time = here.time();
                if from <= until { *from <= time && time < *until } else { *from <= time || time < *until }
            };
            let Some((_, until)) = self.hours.iter().find(inside) else {
                return (at > now).then_some(at);
            };
            let day = if here.time() < *until { here.date() } else { here.date().tomorrow().ok()? };
            let next = zone.to_timestamp(day.to_datetime(*until)).ok()?;
            // In an hour that comes twice the clock may show less than it did.
            at = if next > at { next } else { at.checked_add(SignedDuration::from_hours(1)).ok()? };
        }
        None
    }
}

/// The letters of one page, or of one notice where it does not wake anybody: mail first, then the person's ways in their
/// order, each once.
pub fn ways_for(person: &Person, severity: Severity, wakes: bool, now: Timestamp) -> Vec<Leg> {
    let mut legs = vec![Leg::mail(person)];
    if person.quiet.as_ref().is_some_and(|quiet| quiet.holds(person, severity, now)) {
        return legs;
    }
    for way in &person.ways {
        let is_for = way.severities.is_empty() || way.severities.contains(&severity);
        let is_there = legs.iter().any(|leg| leg.way == way.name && leg.to == way.to);
        if is_for && !is_there && (wakes || way.notices) {
            let after = if wakes { way.after.min(AFTER_MAX) } else { SignedDuration::ZERO };
            legs.push(Leg { way: way.name.clone(), to: way.to.clone(), after });
        }
    }
    legs
}

/// What the other side said of a letter, for everybody: some relays say the address again, which is nobody's business.
pub fn without_addresses(said: &str) -> String {
    let said = one_line(said);
    let words: Vec<&str> = said.split(' ').filter(|word| !word.contains('@')).collect();
    words.join(" ")
}

/// Every way of a person at once, whatever the hour: for a test.
pub fn all_ways(person: &Person) -> Vec<Leg> {
    let mut legs = vec![Leg::mail(person)];
    for way in &person.ways {
        if !legs.iter().any(|leg| leg.way == way.name && leg.to == way.to) {
            legs.push(Leg { way: way.name.clone(), to: way.to.clone(), after: SignedDuration::ZERO });
        }
    }
    legs
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    fn maya() -> Person {
        let way = |name: &str, minutes, severities: &[Severity]| Way {
            name: name.into(),
            to: format!("maya at {name}"),
            after: SignedDuration::from_mins(minutes),
            severities: severities.to_vec(),
            notices: name == "push",
        };
        Person {
            email: "maya@example.net".into(),
            time_zone: TimeZone::get("Europe/Oslo").unwrap(),
            ways: vec![
                way("push", 0, &[]),
                way("sms", 2, &[Severity::Sev1, Severity::Sev2]),
                way("voice", 4, &[Severity::Sev1]),
            ],
            quiet: Some(Quiet {
                hours: vec![(time(22, 0, 0, 0), time(7, 0, 0, 0)), (time(12, 0, 0, 0), time(13, 0, 0, 0))],
                severities: vec![Severity::Sev3, Severity::Sev4],
            }),
            ..Person::default()
        }
    }

    fn shown(severity: Severity, wakes: bool, now: &str) -> String {
        let legs = ways_for(&maya(), severity, wakes, now.parse().unwrap());
        let words = legs.iter().map(|leg| {
            assert_eq!(leg.to.starts_with("maya@"), leg.way.is_empty());
            format!("{}+{}", if leg.way.is_empty() { MAIL } else { &leg.way }, leg.after.as_mins())
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn mail_comes_first_and_other_ways_after_their_delay_for_what_they_are_for() {
        let noon = "2026-11-28T10:00:00Z";
        assert_eq!(shown(Severity::Sev1, true, noon), "mail+0 push+0 sms+2 voice+4");
        assert_eq!(shown(Severity::Sev2, true, noon), "mail+0 push+0 sms+2");
        assert_eq!(shown(Severity::Sev3, true, noon), "mail+0 push+0");
        assert_eq!(shown(Severity::Sev1, false, noon), "mail+0 push+0", "notices");
    }

    #[test]
    fn quiet_hours_are_those_of_the_persons_wall_and_hold_back_what_they_are_for() {
        for (now, push) in [
            // Oslo is one hour ahead of UTC in winter, and two in summer.
            ("2026-11-28T20:59:59Z", true),
            ("2026-11-28T21:00:00Z", false),
            ("2026-11-28T23:30:00Z", false),
            ("2026-11-29T05:59:59Z", false),
            ("2026-11-29T06:00:00Z", true),
            ("2026-07-01T04:59:59Z", false),
            ("2026-07-01T05:00:00Z", true),
            ("2026-07-01T10:00:00Z", false),
            ("2026-07-01T11:00:00Z", true),
        ] {
            let expected = if push { "mail+0 push+0" } else { "mail+0" };
            assert_eq!(shown(Severity::Sev3, true, now), expected, "{now}");
            assert_eq!(shown(Severity::Sev2, true, now), "mail+0 push+0 sms+2", "{now}");
        }
    }

    #[test]
    fn in_the_night_of_an_autumn_in_which_an_hour_comes_twice_both_are_quiet() {
        for now in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            assert_eq!(shown(Severity::Sev4, true, now), "mail+0");
        }
    }

    #[test]
    fn a_way_to_the_same_address_is_taken_once_and_nobody_waits_for_more_than_an_hour() {
        let mut person = maya();
        person.ways.push(person.ways[0].clone());
        person.ways[1].after = SignedDuration::from_hours(30);
        let legs = ways_for(&person, Severity::Sev1, true, Timestamp::UNIX_EPOCH);
        assert_eq!(legs.iter().map(|leg| leg.way.as_str()).collect::<Vec<_>>(), ["", "push", "sms", "voice"]);
        assert_eq!(legs[2].after, AFTER_MAX);
        assert!(all_ways(&person).iter().all(|leg| leg.after.is_zero()) && all_ways(&person).len() == 4);
    }
}
