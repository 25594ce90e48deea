//! What the fields of a form mean, in the words that the API takes, too: the one place where forms become acts.
//!
//! An hour is written in one of two ways: as minutes from now (`FIELD_in`; `FIELD_ago`, where it is over), which needs no clock,
//! or as an hour (`FIELD_at`), which is UTC, as all hours of the page are. What is empty was not said.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::http::problem::Problem;
use crate::http::verbs::{AlertNamed, Said};

/// No number of minutes is longer than a week; what may be said is up to the rules.
pub(in super::super) const MINUTES_MAX: i64 = 7 * 24 * 60;
/// What stands for a cause that nobody knows.
pub(super) const UNEXPLAINED: &str = "unexplained";

/// The fields of a form.
pub(super) type Fields = Vec<(String, String)>;

/// What a form says.
///
/// # Errors
/// Which field cannot be understood.
pub(super) fn said(fields: &Fields, now: Timestamp) -> Result<Said, Problem> {
    let of = |name: &str| -> Option<String> {
        let found = fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let number = |name: &str| -> Result<Option<u32>, Problem> {
        let strange = |_| Problem::unprocessable(format!("{name} is no number"));
        of(name).map(|value| value.parse().map_err(strange)).transpose()
    };
    let yes = |name: &str| of(name).map(|value| matches!(value.as_str(), "true" | "on" | "yes"));
    let incident = |name: &str| -> Result<Option<i64>, Problem> {
        let strange = |_| Problem::unprocessable("an incident is called by its number, such as 42");
        of(name).map(|value| value.trim_start_matches("INC-").parse().map_err(strange)).transpose()
    };
    let hour = |name: &str| when(of(&format!("{name}_in")), of(&format!("{name}_at")), now);
    let past = |name: &str| before(of(&format!("{name}_ago")), of(&format!("{name}_at")), now);
    let (did, words) = (of("did"), of("cause"));
    let unexplained = did.as_deref() == Some(UNEXPLAINED);
    let cause = match (did.filter(|_| !unexplained), words) {
        (Some(did), Some(words)) => Some(format!("{did}: {words}")),
        (did, words) => did.or(words),
    };
    // What nobody knows has no words; whoever writes some knows something.
    let unexplained = (unexplained && cause.is_none()).then_some(true);
    let (mut person, mut rotation, mut capability) = (of("person"), None, None);
    if let Some(wanted) = of("wanted") {
        match wanted.split_once(':') {
            Some(("person", name)) => person = Some(name.to_owned()),
            Some(("rotation", name)) => rotation = Some(name.to_owned()),
            Some(("capability", name)) => capability = Some(name.to_owned()),
            _ => return Err(Problem::unprocessable("say whom you need")),
        }
    }
    Ok(Said {
        term: number("term")?,
        help: yes("help"),
        text: of("text"),
        occurred_at: past("occurred")?,
        into: match incident("into_other")? {
            Some(other) => Some(other),
            None => incident("into")?,
        },
        incident: incident("incident")?,
        alerts: alerts(fields)?,
        cause,
        unexplained,
        false_alarm: yes("false_alarm"),
        early: of("early"),
        reason: of("reason"),
        to: of("to"),
        brief: number("brief")?,
        talk: of("talk"),
        read_back: of("read_back"),
        office: of("office"),
        person,
        eta: hour("eta")?,
        what: of("what"),
        place: of("where"),
        undo: of("undo"),
        number: number("number")?,
        how: of("how"),
        most: number("most")?,
        limit: hour("limit")?,
        rotation,
        capability,
        severity: of("severity"),
        trend: of("trend"),
        component: of("component"),
        ok: yes("ok"),
        known_at: past("known")?,
        body: of("body"),
        contact: of("contact"),
        ticket: of("ticket"),
        promised: hour("promised")?,
        closed: yes("closed"),
        entry: number("entry")?,
        minutes: number("minutes")?,
        from: of("from"),
        ..Said::default()
    })
}

/// Whether what a verb is about was chosen at all, in the words of the form.
///
/// # Errors
/// What is to be chosen.
pub(super) fn chosen(verb: &str, said: &Said) -> Result<(), Problem> {
    let missing = match verb {
        "merge" if said.into.is_none() => "choose the incident that this one becomes part of",
        "split" if said.alerts.is_none() && said.incident.is_none() => {
            "mark the alerts that are to be an incident of their own"
        }
        _ => return Ok(()),
    };
    Err(Problem::unprocessable(missing))
}

/// Alerts, each as `SOURCE/KEY`, as the command writes them: a source has no slash in its name, a key may have any.
fn alerts(fields: &Fields) -> Result<Option<Vec<AlertNamed>>, Problem> {
    let named = |value: &str| {
        let (source, key) = value.split_once('/')?;
        Some(AlertNamed { source: source.to_owned(), key: key.to_owned() })
    };
    let marked = fields.iter().filter(|(name, _)| name == "alert");
    let named = marked.map(|(_, value)| {
        named(value).ok_or_else(|| Problem::unprocessable("an alert is called SOURCE/KEY"))
    });
    let all: Vec<AlertNamed> = named.collect::<Result<_, _>>()?;
    Ok((!all.is_empty()).then_some(all))
}

/// An hour that is still to come, as it was written.
fn when(minutes: Option<String>, at: Option<String>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    if let Some(at) = at {
        return hour(&at).map(Some);
    }
    let Some(minutes) = minutes else { return Ok(None) };
    Ok(now.checked_add(length(&minutes, 1)?).ok())
}

/// An hour that is over, as it was written.
fn before(minutes: Option<String>, at: Option<String>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(at) = at else {
        let Some(minutes) = minutes else { return Ok(None) };
        return Ok(now.checked_sub(length(&minutes, 0)?).ok());
    };
    let hour = hour(&at)?;
    if hour > now {
        return Err(Problem::unprocessable(format!(
            "{} lies in the future: it is {} UTC now. Hours of this page are UTC",
            hour.strftime("%Y-%m-%d %H:%M UTC"),
            now.strftime("%H:%M")
        )));
    }
    Ok(Some(hour))
}

/// An hour of the clock.
fn hour(at: &str) -> Result<Timestamp, Problem> {
    let hour = at.parse::<DateTime>().ok().and_then(|at| TimeZone::UTC.to_timestamp(at).ok());
    hour.ok_or_else(|| {
        Problem::unprocessable(format!("{at} is no hour: write it as 2026-12-01T02:10, which is UTC"))
    })
}

fn length(minutes: &str, least: i64) -> Result<SignedDuration, Problem> {
    let count = minutes.parse::<i64>().ok().filter(|count| (least..=MINUTES_MAX).contains(count));
    count.map(SignedDuration::from_mins).ok_or_else(|| {
        Problem::unprocessable(format!(
            "say a number of minutes between {least} and {MINUTES_MAX}; {minutes} is none"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::board::Wanted;
    use crate::core::decide::{Act, Write};
    use crate::http::verbs::meant;

    fn now() -> Timestamp {
        "2026-11-29T02:00:00Z".parse().unwrap()
    }

    fn form(fields: &[(&str, &str)]) -> Fields {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn act(verb: &str, fields: &[(&str, &str)]) -> Result<Act, Problem> {
        meant(verb, said(&form(fields), now())?)
    }

    #[test]
    fn an_hour_is_so_many_minutes_ahead_or_one_of_the_clock() {
        let hour = |fields: &[(&str, &str)]| {
            said(&form(fields), now()).map(|said| said.eta.map(|at| at.to_string()))
        };
        assert_eq!(hour(&[("eta_in", "30")]).unwrap().unwrap(), "2026-11-29T02:30:00Z");
        assert_eq!(hour(&[("eta_at", "2026-11-29T03:15")]).unwrap().unwrap(), "2026-11-29T03:15:00Z");
        assert_eq!(hour(&[("eta_in", ""), ("eta_at", " ")]).unwrap(), None);
        for strange in
            [[("eta_in", "0")], [("eta_in", "soon")], [("eta_in", "99999999")], [("eta_at", "soon")]]
        {
            assert!(hour(&strange).is_err(), "{strange:?}");
        }
    }

    #[test]
    fn what_happened_earlier_is_so_many_minutes_ago_or_an_hour_that_is_over() {
        let hour = |fields: &[(&str, &str)]| {
            said(&form(fields), now()).map(|said| said.occurred_at.map(|at| at.to_string()))
        };
        assert_eq!(hour(&[("occurred_ago", "20")]).unwrap().unwrap(), "2026-11-29T01:40:00Z");
        assert_eq!(hour(&[("occurred_ago", "0")]).unwrap().unwrap(), "2026-11-29T02:00:00Z");
        assert_eq!(hour(&[("occurred_at", "2026-11-29T02:00")]).unwrap().unwrap(), "2026-11-29T02:00:00Z");
        assert_eq!(hour(&[("occurred_ago", ""), ("occurred_at", "")]).unwrap(), None);
        for (field, why) in [
            (
                ("occurred_at", "2026-11-29T02:01"),
                "2026-11-29 02:01 UTC lies in the future: it is 02:00 UTC now",
            ),
            (("known_at", "2026-12-29T02:01"), "lies in the future"),
            (("occurred_at", "soon"), "soon is no hour"),
            (("occurred_at", "2026-11-29T25:00"), "is no hour"),
            (("occurred_ago", "-1"), "between 0 and"),
            (("known_ago", "an hour"), "between 0 and"),
        ] {
            let problem = said(&form(&[field]), now()).unwrap_err();
            assert!(problem.status == 422 && problem.detail.contains(why), "{field:?}: {}", problem.detail);
        }
    }

    #[test]
    fn what_is_put_together_and_taken_apart_is_named_as_by_the_command() {
        let said = |fields: &[(&str, &str)]| said(&form(fields), now());
        assert_eq!(said(&[("into", "7")]).unwrap().into, Some(7));
        assert_eq!(said(&[("into", "7"), ("into_other", "INC-12")]).unwrap().into, Some(12));
        assert_eq!(said(&[("into", ""), ("into_other", "")]).unwrap().into, None);
        assert_eq!(said(&[("incident", "3")]).unwrap().incident, Some(3));
        assert!(said(&[("into", "the other")]).unwrap_err().detail.contains("by its number"));
        let marked = said(&[("alert", "scripts/a"), ("alert", "mail/b/c d")]).unwrap().alerts.unwrap();
        let named: Vec<_> = marked.iter().map(|one| (one.source.as_str(), one.key.as_str())).collect();
        assert_eq!(named, [("scripts", "a"), ("mail", "b/c d")]);
        assert!(said(&[("alert", "a")]).is_err() && said(&[]).unwrap().alerts.is_none());
    }

    #[test]
    fn what_ended_the_harm_is_a_change_or_words_or_nobody_knows() {
        let cause = |did: &str, words: &str| match act(
            "mitigate",
            &[("term", "2"), ("did", did), ("cause", words)],
        ) {
            Ok(Act::Mitigate { term: 2, cause }) => Some(cause),
            _ => None,
        };
        assert_eq!(cause("change 1: restart", "").unwrap().unwrap(), "change 1: restart");
        assert_eq!(cause("change 1: restart", "of lb1").unwrap().unwrap(), "change 1: restart: of lb1");
        assert_eq!(cause("", "it healed").unwrap().unwrap(), "it healed");
        assert_eq!(cause(UNEXPLAINED, "").unwrap(), None);
        assert_eq!(cause(UNEXPLAINED, "the disk was full").unwrap().unwrap(), "the disk was full");
        assert_eq!(cause("", ""), None, "one of them has to be said");
    }

    #[test]
    fn whom_one_needs_stands_in_one_field_and_marks_are_yes_or_no() {
        let wanted = |value: &str| match act("request", &[("wanted", value), ("reason", "dns")]) {
            Ok(Act::Board(Write::Request { wanted, .. })) => Some(wanted),
            _ => None,
        };
        assert_eq!(wanted("rotation:sre"), Some(Wanted::Rotation("sre".into())));
        assert_eq!(wanted("person:tom"), Some(Wanted::Person("tom".into())));
        assert_eq!(wanted("capability:dns"), Some(Wanted::Capability("dns".into())));
        assert_eq!((wanted("sre"), wanted("")), (None, None));
        let found = act("find", &[("component", "vpn"), ("ok", "false")]).unwrap();
        assert!(matches!(found, Act::Board(Write::Find { ok: false, .. })), "{found:?}");
        assert_eq!(act("ack", &[("help", "true")]).unwrap(), Act::Answer { help: true });
        assert_eq!(act("ack", &[("form", "x"), ("nobody", "knows")]).unwrap(), Act::Answer { help: false });
        assert!(act("ack", &[("term", "one")]).is_err());
    }
}
