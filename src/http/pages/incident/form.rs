//! What the fields of a form mean, in the words that the API takes, too: the one place where forms become acts.
//!
//! An hour is written in one of two ways: as minutes from now (`FIELD_in`), which needs no clock, or as an hour (`FIELD_at`),
//! which is UTC, as all hours of the page are. What is empty was not said.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::http::problem::Problem;
use crate::http::verbs::Said;

/// No number of minutes is longer than a week; what may be said is up to the rules.
const MINUTES_MAX: i64 = 7 * 24 * 60;
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
    let hour = |name: &str| when(of(&format!("{name}_in")), of(&format!("{name}_at")), now);
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
        known_at: hour("known")?,
        body: of("body"),
        contact: of("contact"),
        ticket: of("ticket"),
        promised: hour("promised")?,
        closed: yes("closed"),
        entry: number("entry")?,
        ..Said::default()
    })
}

/// An hour, as it was written.
fn when(minutes: Option<String>, at: Option<String>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    if let Some(at) = at {
        let strange = |_| Problem::unprocessable(format!("{at} is no hour"));
        let at: DateTime = at.parse().map_err(strange)?;
        return TimeZone::UTC.to_timestamp(at).map(Some).map_err(strange);
    }
    let Some(minutes) = minutes else { return Ok(None) };
    let count = minutes.parse::<i64>().ok().filter(|count| (1..=MINUTES_MAX).contains(count));
    let count = count.ok_or_else(|| {
        Problem::unprocessable(format!(
            "say a number of minutes between 1 and {MINUTES_MAX}; {minutes} is none"
        ))
    })?;
    Ok(now.checked_add(SignedDuration::from_mins(count)).ok())
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
