//! How people read what programs read as fixed words: `first_responder` is the first responder, `false-alarm` a false alarm. The
//! fixed words stand in SQL, JSON and metrics, these in the sentences of a timeline and in what is made of it.

use super::board::{End, RequestState};
use super::incident::{CommandReason, Resolution};
use super::timeline::Actor;

impl CommandReason {
    /// How somebody came to command.
    pub fn words(self) -> &'static str {
        match self {
            Self::FirstResponder => "first responder",
            Self::Reopened => "opened it again",
            Self::FirstOnScene => "first on scene",
            Self::Transferred => "accepted it",
            Self::Assumed => "assumed it after silence",
            Self::Relieved => "took it over as ordered",
        }
    }
}

impl Resolution {
    /// How it ended.
    pub fn words(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::FalseAlarm => "a false alarm",
            Self::SelfCleared => "it cleared itself",
            Self::Merged => "part of another",
        }
    }
}

impl End {
    /// How a task or a change ended.
    pub fn words(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled back",
            other => other.as_str(),
        }
    }
}

impl RequestState {
    /// How far a request is.
    pub fn words(self) -> &'static str {
        match self {
            Self::OnScene => "on scene",
            Self::Unfilled => "nobody comes",
            other => other.as_str(),
        }
    }
}

impl Actor {
    /// Who did something.
    pub fn words(&self) -> String {
        match self {
            Self::Dispatch => "onscene".into(),
            Self::Source(name) => format!("source {name}"),
            Self::Person(name) => name.clone(),
            Self::Automation(name) => format!("{name} (a program)"),
        }
    }
}

/// What kind of letter.
pub(super) fn letter(what: &str) -> &str {
    match what {
        "help" => "call for help",
        "pio_page" => "call as PIO",
        "statement" => "statement",
        other => other,
    }
}

/// What has become of a letter.
pub(super) fn became(outcome: &str) -> &str {
    match outcome {
        "unknown" => "nobody knows whether it arrived",
        "unreached" => "it did not arrive",
        "partly" => "not all have it",
        "stands" => "it is there, and what it takes back may stand there still",
        "superseded" => "a newer one goes there instead",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::command::{OfferEnd, Office, Turn};
    use super::super::timeline::Fact;
    use super::super::{board::Put, command::Call};
    use super::*;

    /// Sentences that are made of fixed words, one for each of these.
    fn sentences() -> Vec<String> {
        let at = Timestamp::UNIX_EPOCH;
        let person = || String::from("maya");
        let mut facts = Vec::new();
        for reason in CommandReason::ALL {
            facts.push(Fact::CommandTaken {
                person: person(),
                term: 1,
                reason,
                sign_after: None,
                pace: None,
            });
            facts.push(Fact::Command(Turn::Transferred {
                from: "tom".into(),
                to: person(),
                term: 2,
                reason,
                brief: None,
                why: String::new(),
                talked: Default::default(),
                sign_after: None,
                pace: None,
            }));
        }
        let ends =
            [Resolution::Restored, Resolution::FalseAlarm, Resolution::SelfCleared, Resolution::Merged];
        facts.extend(ends.map(|resolution| Fact::Resolved { resolution }));
        for how in End::ALL {
            facts.push(Fact::Board(Put::TaskEnded { number: 1, how, text: String::new() }));
            facts.push(Fact::Board(Put::ActionEnded { number: 1, how, text: String::new() }));
        }
        facts.extend(RequestState::ALL.map(|to| Fact::Board(Put::RequestMoved { number: 1, to })));
        facts.extend(Call::ALL.map(|call| Fact::Board(Put::Called { call })));
        for office in Office::ALL {
            facts.push(Fact::Command(Turn::Assigned { office, person: person() }));
            facts.push(Fact::Command(Turn::Released { office, person: person() }));
        }
        let ended = |how| Fact::Command(Turn::OfferEnded { to: person(), how, why: String::new() });
        facts.extend(OfferEnd::ALL.map(ended));
        for what in ["page", "help", "pio_page", "notice", "status"] {
            for outcome in ["accepted", "refused", "unknown", "bounced", "unreached"] {
                let (what, outcome) = (what.to_owned(), outcome.to_owned());
                facts.push(Fact::Delivered {
                    what,
                    to: person(),
                    outcome,
                    why: String::new(),
                    statement: None,
                });
            }
        }
        facts.push(Fact::Rescheduled { due: at });
        for why in ["on_call", "last_resort", "silent_commander", "silence_help", "doubt_help", "office"] {
            let (person, why) = (person(), why.to_owned());
            facts.push(Fact::Paged { person, attempt: 1, why, sign_due: None });
        }
        facts.iter().map(Fact::text).collect()
    }

    #[test]
    fn no_sentence_of_a_timeline_has_a_word_that_is_meant_for_programs() {
        for sentence in sentences() {
            assert!(!sentence.contains('_'), "{sentence}");
            for word in ["false-alarm", "self-cleared", "rolled-back", "unreached", "pio "] {
                assert!(!sentence.contains(word), "{sentence}");
            }
        }
        let all = sentences().join("\n");
        for sentence in [
            "maya has command (term 1, first responder)",
            "resolved: a false alarm",
            "change 1 rolled back",
            "request 1: on scene",
            "call as PIO to maya: nobody knows whether it arrived",
        ] {
            assert!(all.lines().any(|line| line == sentence), "{sentence} in {all}");
        }
    }

    #[test]
    fn who_acts_is_named_as_people_say_it() {
        let all = ["dispatch", "source:pingdom", "person:maya", "automation:ci"];
        let words = all.map(|label| Actor::from_label(label).unwrap().words());
        assert_eq!(words, ["onscene", "source pingdom", "maya", "ci (a program)"]);
    }
}
