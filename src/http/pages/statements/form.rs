//! What the fields of a form about a statement mean, in the words that the API takes, too.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::http::problem::Problem;
use crate::http::speech::Spoken;

/// The fields of a form.
pub(super) type Fields = Vec<(String, String)>;

/// A field, trimmed; nothing where it is not there.
pub(super) fn of(fields: &Fields, name: &str) -> String {
    let value = fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
    value.unwrap_or_default().replace("\r\n", "\n")
}

/// What a form says. What is empty was not said.
///
/// # Errors
/// Which field cannot be understood.
pub(super) fn spoken(fields: &Fields, now: Timestamp) -> Result<Spoken, Problem> {
    let said = |name: &str| Some(of(fields, name)).filter(|value| !value.is_empty());
    let number = |name: &str| {
        said(name)
            .map(|value| value.parse().map_err(|_| Problem::unprocessable(format!("{value} is no number"))))
            .transpose()
    };
    // The hour stands there already where words are written anew: minutes that somebody types are newer.
    let next_by = match (said("next_at"), said("next_in")) {
        (Some(at), None) => {
            let hour = at.parse::<DateTime>().ok().and_then(|at| TimeZone::UTC.to_timestamp(at).ok());
            let wrong = || {
                Problem::unprocessable(format!("{at} is no hour: write it as 2026-12-01T02:10, which is UTC"))
            };
            Some(hour.ok_or_else(wrong)?)
        }
        (_, Some(minutes)) => {
            let count = minutes.parse::<i64>().ok().filter(|count| (1..=7 * 24 * 60).contains(count));
            let wrong = || Problem::unprocessable(format!("say a number of minutes; {minutes} is none"));
            now.checked_add(SignedDuration::from_mins(count.ok_or_else(wrong)?)).ok()
        }
        (None, None) => None,
    };
    let channels: Vec<String> =
        fields.iter().filter(|(name, _)| name == "channel").map(|(_, value)| value.clone()).collect();
    let marks: Vec<String> =
        fields.iter().filter(|(name, _)| name == "mark").map(|(_, value)| value.clone()).collect();
    let incident = number("incident")?.map(i64::from);
    Ok(Spoken {
        incident,
        audience: said("audience"),
        sort: said("sort"),
        phase: said("phase"),
        impact: said("impact"),
        title: said("title"),
        text: said("text"),
        next_by,
        next: if next_by.is_some() { None } else { said("next") },
        mends: said("mends"),
        channels: Some(channels),
        entry: number("entry")?,
        marks: Some(marks).filter(|marks| !marks.is_empty()),
        term: number("term")?,
        why: said("why"),
        reason: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Result<Spoken, Problem> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        spoken(&fields, "2026-11-29T02:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_form_says_what_the_api_says() {
        let said = form(&[
            ("incident", "42"),
            ("audience", "public"),
            ("text", " Some\r\npayments fail. "),
            ("next_in", "20"),
            ("next_at", "2026-11-29T02:12"),
            ("next", "usual"),
            ("channel", "status"),
            ("channel", "feed"),
            ("title", ""),
        ])
        .unwrap();
        assert_eq!(
            (said.incident, said.text.as_deref(), said.title),
            (Some(42), Some("Some\npayments fail."), None)
        );
        assert_eq!(said.next_by.unwrap().to_string(), "2026-11-29T02:20:00Z");
        assert_eq!((said.next, said.channels.unwrap().len()), (None, 2));
        assert_eq!(form(&[("next", "never")]).unwrap().next.as_deref(), Some("never"));
        for wrong in [[("next_in", "soon")], [("next_at", "soon")], [("incident", "x")], [("entry", "-1")]] {
            assert_eq!(form(&wrong).unwrap_err().status, 422, "{wrong:?}");
        }
    }
}
