//! What people want about statements, in the words of the API, of the commands and of the forms on pages.

use jiff::Timestamp;
use serde::Deserialize;

use super::problem::Problem;
use crate::core::audience::Audience;
use crate::core::decide::{Draft, Next, Wish};
use crate::core::voice::{Impact, Phase, Sort};

/// What it may carry. Which of it a verb takes is said by [`wish`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Spoken {
    pub(super) incident: Option<i64>,
    pub(super) audience: Option<String>,
    pub(super) sort: Option<String>,
    pub(super) phase: Option<String>,
    pub(super) impact: Option<String>,
    pub(super) title: Option<String>,
    pub(super) text: Option<String>,
    pub(super) next_by: Option<Timestamp>,
    pub(super) next: Option<String>,
    pub(super) mends: Option<String>,
    pub(super) channels: Option<Vec<String>>,
    pub(super) entry: Option<u32>,
    pub(super) marks: Option<Vec<String>>,
    pub(super) term: Option<u32>,
    pub(super) why: Option<String>,
    pub(super) reason: Option<String>,
}

/// Every verb that is about a statement that is there.
pub(super) const VERBS: [&str; 9] =
    ["draft", "return", "override", "approve", "publish", "resend", "drop", "correct", "retract"];

/// The incident and the number of a statement, of its id: `42-3`.
///
/// # Errors
/// It is none.
pub(super) fn parts(id: &str) -> Result<(i64, u32), Problem> {
    let parts = id
        .split_once('-')
        .and_then(|(incident, number)| Some((incident.parse().ok()?, number.parse().ok()?)));
    parts.ok_or_else(|| {
        Problem::not_found("a statement is called by its incident's number and its own, such as 42-3")
    })
}

/// What a verb with its words asks for, of an incident. `known`: the statement it is about, with its audience.
///
/// # Errors
/// What is missing, or not understood.
pub(super) fn wish(
    verb: &str,
    incident: i64,
    known: Option<(u32, Audience)>,
    spoken: Spoken,
) -> Result<Wish, Problem> {
    if let Some(other) = spoken.incident.filter(|other| *other != incident) {
        return Err(Problem::unprocessable(format!(
            "the statement is of INC-{incident}, and not of INC-{other}"
        )));
    }
    let why = spoken.why.clone().or(spoken.reason.clone()).unwrap_or_default();
    let wording = spoken.entry;
    let of = |number: u32, audience: Audience, sort| {
        let mut draft = draft(&spoken, incident, Some(audience))?;
        (draft.sort, draft.mends) = (Some(sort), Some(number));
        Ok(Wish::Draft { number: None, draft })
    };
    match (verb, known) {
        ("draft", known) => {
            let draft = draft(&spoken, incident, known.map(|(_, audience)| audience))?;
            Ok(Wish::Draft { number: known.map(|(number, _)| number), draft })
        }
        ("return", Some((number, _))) => Ok(Wish::Return { number, why }),
        ("override", Some((number, _))) => {
            Ok(Wish::Override { number, wording, marks: spoken.marks.clone(), why })
        }
        ("approve", Some((number, _))) => Ok(Wish::Approve { number, wording, term: spoken.term }),
        ("publish", Some((number, _))) => Ok(Wish::Publish { number, wording }),
        ("resend", Some((number, _))) => {
            let mut channels = spoken.channels.unwrap_or_default();
            if channels.len() > 1 {
                return Err(Problem::unprocessable(
                    "name one channel, or none for all that it did not reach",
                ));
            }
            Ok(Wish::Resend { number, channel: channels.pop() })
        }
        ("drop", Some((number, _))) => Ok(Wish::Drop { number, why }),
        ("correct", Some((number, audience))) => of(number, audience, Sort::Correction),
        ("retract", Some((number, audience))) => of(number, audience, Sort::Retraction),
        _ => {
            Err(Problem::not_found(format!("this verb does not exist here; there are {}", VERBS.join(", "))))
        }
    }
}

fn draft(spoken: &Spoken, incident: i64, known: Option<Audience>) -> Result<Draft, Problem> {
    let said = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
    let audience = match (said(&spoken.audience), known) {
        (Some(word), _) => Audience::from_word(&word)
            .ok_or_else(|| one_of("audience", &word, &Audience::ALL.map(Audience::as_str)))?,
        (None, Some(audience)) => audience,
        (None, None) => {
            return Err(Problem::unprocessable("\"audience\" is missing: internal, stakeholder or public"));
        }
    };
    let sort = said(&spoken.sort).map(|word| {
        Sort::from_word(&word).ok_or_else(|| one_of("sort", &word, &Sort::ALL.map(Sort::as_str)))
    });
    let phase = said(&spoken.phase).map(|word| {
        Phase::from_word(&word).ok_or_else(|| one_of("phase", &word, &Phase::ALL.map(Phase::as_str)))
    });
    let impact = said(&spoken.impact).map(|word| {
        Impact::from_word(&word).ok_or_else(|| one_of("impact", &word, &Impact::ALL.map(Impact::as_str)))
    });
    let next = match (spoken.next_by, said(&spoken.next).as_deref()) {
        (Some(by), None) => Next::By(by),
        (None, None | Some("usual")) => Next::Usual,
        (None, Some("never")) => Next::Never,
        (Some(_), Some(_)) => {
            return Err(Problem::unprocessable("say either \"next_by\" or \"next\", and not both"));
        }
        (None, Some(word)) => return Err(one_of("next", word, &["usual", "never"])),
    };
    let mends = said(&spoken.mends).map(|id| match id.parse() {
        Ok(number) => Ok(number),
        Err(_) => match parts(&id)? {
            (of, number) if of == incident => Ok(number),
            (of, _) => Err(Problem::unprocessable(format!(
                "{id} is a statement of INC-{of}, and this one is of INC-{incident}"
            ))),
        },
    });
    Ok(Draft {
        audience,
        sort: sort.transpose()?,
        phase: phase.transpose()?,
        impact: impact.transpose()?,
        title: said(&spoken.title),
        text: spoken.text.clone().unwrap_or_default(),
        next,
        mends: mends.transpose()?,
        channels: spoken.channels.clone().unwrap_or_default(),
    })
}

fn one_of(name: &str, word: &str, all: &[&str]) -> Problem {
    Problem::unprocessable(format!("\"{name}\" is not {word}; there are {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_called_by_two_numbers() {
        assert_eq!(parts("42-3").unwrap(), (42, 3));
        for wrong in ["42", "-3", "42-", "a-3", "42-3-1", "42--3"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_verb_is_known_and_no_other() {
        let spoken = || Spoken { text: Some("t".into()), ..Spoken::default() };
        for verb in VERBS {
            assert!(wish(verb, 42, Some((3, Audience::Public)), spoken()).is_ok(), "{verb}");
        }
        assert!(
            wish("shout", 42, Some((3, Audience::Public)), spoken())
                .unwrap_err()
                .detail
                .contains("draft, return")
        );
        assert!(wish("publish", 42, None, spoken()).is_err(), "there has to be one");
        let corrected = wish("correct", 42, Some((3, Audience::Public)), spoken()).unwrap();
        assert!(
            matches!(corrected, Wish::Draft { number: None, draft } if draft.mends == Some(3) && draft.sort == Some(Sort::Correction))
        );
    }

    #[test]
    fn what_names_two_incidents_is_about_neither() {
        let known = Some((3, Audience::Public));
        let said = |incident, mends: &str| {
            let mends = Some(mends.to_owned()).filter(|id| !id.is_empty());
            Spoken { incident, mends, text: Some("t".into()), ..Spoken::default() }
        };
        let told = wish("draft", 42, known, said(Some(43), "")).unwrap_err();
        assert_eq!(
            (told.status.as_u16(), &*told.detail),
            (422, "the statement is of INC-42, and not of INC-43")
        );
        let told = wish("draft", 42, known, said(Some(42), "41-1")).unwrap_err();
        assert!(told.detail.contains("41-1 is a statement of INC-41"), "{}", told.detail);
        for mends in ["42-1", "1"] {
            assert!(wish("draft", 42, known, said(Some(42), mends)).is_ok(), "{mends}");
        }
    }

    #[test]
    fn a_word_that_is_none_is_told_with_those_that_are() {
        let with = |change: fn(&mut Spoken)| {
            let mut spoken =
                Spoken { audience: Some("public".into()), text: Some("t".into()), ..Spoken::default() };
            change(&mut spoken);
            wish("draft", 42, None, spoken).unwrap_err().detail
        };
        assert!(with(|spoken| spoken.audience = None).contains("internal, stakeholder or public"));
        assert!(
            with(|spoken| spoken.audience = Some("all".into())).contains("internal, stakeholder, public")
        );
        assert!(with(|spoken| spoken.phase = Some("fixed".into())).contains("monitoring"));
        assert!(with(|spoken| spoken.next = Some("soon".into())).contains("usual, never"));
    }
}
