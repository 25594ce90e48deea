//! Mail about letters of ours: what a message means for the incident of the letter it names.
//!
//! The letter's id is the key: it is random, and stands in the letter's own `Message-ID` alone. A human's answer counts only
//! when the sender's address is the one that the configuration has, now, for the person whom the letter was for. What a
//! program or a mail server says of a letter changes nothing but whom else to wake. Of everything else nothing comes.

use jiff::Timestamp;

use super::alert::{Event, cut};
use super::decide::{Act, By, QUESTION_CHARS_MAX, Speech, Wish};
use super::incident::{Incident, Phase, ResponderStatus};
use super::letter::Misread;
use super::rules::Rules;
use super::timeline::{Actor, Route};
use super::voice::QUESTIONS_MAX;

/// Longest text kept of a message, in bytes: a note has room for more.
pub const TEXT_BYTES_MAX: usize = 2048;

/// Longest address of somebody else that is shown, in bytes.
const ADDRESS_SHOWN_BYTES_MAX: usize = 100;

const _: () = assert!(TEXT_BYTES_MAX * 3 / 2 < super::decide::WORDS_BYTES_MAX);

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its own id, which every copy of it has.
    pub id: String,
    /// Who says to have written it, in lower case; nobody when that is not one address.
    pub from: Option<String>,
    /// Letters that may be ours and that it is about, the nearest first.
    pub names: Vec<Named>,
    /// The first of these is what it answers, and not only stands above it in its thread.
    pub direct: bool,
    /// It stands in a thread of an incident of ours.
    pub in_thread: bool,
    /// The incident that it speaks of: by its thread, or by its subject. Anybody can write that.
    pub incident: Option<i64>,
    /// What it is.
    pub what: What,
    /// What its writer says.
    pub said: Said,
    /// What it is as an alert. Of reports, and of our own letters, there is none.
    pub alert: Option<Event>,
    /// It would be an alert, and its sender is none of those who may raise any.
    pub stranger: bool,
}

/// A `Message-ID` of the form of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The letter's id.
    pub letter: String,
    /// The domain that it was sent from, in lower case.
    pub domain: String,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A letter of ours, come back as it was.
    Own,
    /// A letter was not delivered.
    Bounce {
        /// It never will be; else it waits.
        failed: bool,
        /// What was said, without addresses.
        why: String,
    },
    /// A letter was shown to its reader, or handed on.
    Receipt {
        /// `displayed`, `deleted`, `relayed`, ...
        how: String,
    },
    /// A program wrote it.
    Automatic,
    /// Somebody wrote it.
    Written,
}

/// What a reply asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Command.
    Take,
    /// Command, and more people.
    Help,
    /// That somebody else is called.
    Decline,
}

/// What somebody wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What is asked for, when the first line is clear.
    pub answer: Option<Answer>,
    /// What else was written, but for a name below an answer; all of it when nothing clear is asked for. May be empty.
    pub text: String,
}

/// A letter, as the outbox knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its id.
    pub id: String,
    /// `page`, `help`, `pio_page`, `notice` or `status`.
    pub what: &'static str,
    /// It woke somebody.
    pub wakes: bool,
    /// Who answers it may take command. The PIO is asked for something else.
    pub commands: bool,
    /// Its incident.
    pub incident: i64,
    /// Whom it was for; nobody when it was for a channel.
    pub person: String,
    /// The channel that carried it; empty for a person's own ways.
    pub channel: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// The number of its page.
    pub page: i64,
    /// Another letter of its page has reached the person, or may yet.
    pub otherwise: bool,
}

/// Why a message means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It would page about pages.
    #[error("this is one of onscene's own letters")]
    Own,
    /// Nothing of ours has the id that it names.
    #[error("it names no letter that is known here")]
    UnknownLetter,
    /// The letter was for a channel, and nothing is asked.
    #[error("the letter was for a channel, and nothing is asked in answer to it")]
    ForAChannel,
    /// The sender is not whom the letter was for.
    #[error("the sender is not the person whom the letter was for")]
    WrongSender,
    /// The sender may raise no alerts.
    #[error("the sender is not among `senders` of this source")]
    Stranger,
    /// There is nothing in it.
    #[error("there is no word in it that is the sender's own")]
    Empty,
}

/// What a message means: acts in their order, and by whom. All but the first are of use only when the first is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// By whom.
    pub by: By,
    /// What is done.
    pub acts: Vec<Act>,
    /// What is written down instead when the rules refuse the first.
    pub instead: Option<Act>,
}

impl Mail {
    /// Whether nothing can come of it, whatever the store knows.
    pub fn is_nothing(&self, rules: &Rules) -> bool {
        let may_be_told = self.incident.is_some() && self.is_by_a_person(rules);
        self.stranger && self.names.is_empty() && !may_be_told
    }

    /// Whether somebody of the configuration wrote it, from their own address.
    pub fn is_by_a_person(&self, rules: &Rules) -> bool {
        self.writers(rules).next().is_some()
    }

    /// The people of the configuration whose address it was written from.
    fn writers<'a>(&'a self, rules: &'a Rules) -> impl Iterator<Item = &'a str> {
        let from = self.from.as_ref().filter(|from| !from.is_empty() && self.what == What::Written);
        let people = rules.people.iter();
        let own = people
            .filter(move |(_, person)| from.is_some_and(|from| person.email.to_ascii_lowercase() == *from));
        own.map(|(name, _)| name.as_str())
    }

    /// Whether it may be about a letter of ours, so that only the store can tell what it is.
    pub fn may_answer(&self) -> bool {
        !self.names.is_empty() || self.in_thread || self.alert.is_none()
    }

    /// Whether the sender's address is that of the person whom a letter was for.
    pub fn is_from_whom(&self, letter: &Letter, rules: &Rules) -> bool {
        let known = rules.people.get(&letter.person).map(|person| person.email.to_ascii_lowercase());
        known.is_some_and(|known| !known.is_empty() && self.from.as_ref() == Some(&known))
    }
}

/// What a message means for the incident of the letter it names; `direct`: which is what it answers.
///
/// # Errors
/// Why it means nothing.
pub fn meaning(
    mail: &Mail,
    letter: &Letter,
    direct: bool,
    incident: &Incident,
    rules: &Rules,
) -> Result<Meaning, Ignored> {
    let to = if letter.person.is_empty() { &letter.channel } else { &letter.person };
    let told = |outcome: &str, why: &str| Act::Deliver {
        what: letter.what.to_owned(),
        to: to.clone(),
        outcome: outcome.to_owned(),
        why: why.to_owned(),
        statement: None,
    };
    let reported = |act| {
        let by = By { actor: Actor::Dispatch, route: Route::Mail, occurred_at: None };
        Ok(Meaning { by, acts: vec![act], instead: None })
    };
    match &mail.what {
        What::Own => Err(Ignored::Own),
        // Somebody who answered was reached, whatever became of one of the letters; and who has the page by another way.
        What::Bounce { failed: true, why }
            if letter.wakes && !letter.otherwise && !has_answered(incident, &letter.person) =>
        {
            let person = letter.person.clone();
            reported(Act::Unreachable { person, why: format!("it came back: {why}") })
        }
        What::Bounce { failed: true, why } => reported(told("came back", why)),
        What::Bounce { failed: false, why } => reported(told("delayed", why)),
        What::Receipt { how } => reported(told("receipt", how)),
        What::Automatic => reported(told("answered by a program", "")),
        What::Written if letter.person.is_empty() => asked(mail, incident),
        What::Written if !mail.is_from_whom(letter, rules) => Err(Ignored::WrongSender),
        What::Written => {
            let by =
                By { actor: Actor::Person(letter.person.clone()), route: Route::Mail, occurred_at: None };
            said(&mail.said, letter, direct, by)
        }
    }
}

/// What somebody asks in answer to a letter of a channel is kept for the PIO; nobody who responds is asked.
fn asked(mail: &Mail, incident: &Incident) -> Result<Meaning, Ignored> {
    let waiting = incident.voice.questions.iter().filter(|known| known.answer.is_none()).count();
    let text: String = mail.said.text.trim().chars().take(QUESTION_CHARS_MAX).collect();
    let from = mail.from.clone().filter(|from| is_harmless(from));
    let (Some(from), false) = (from, text.is_empty() || waiting >= QUESTIONS_MAX) else {
        return Err(Ignored::ForAChannel);
    };
    let by = By { actor: Actor::Dispatch, route: Route::Mail, occurred_at: None };
    Ok(Meaning { by, acts: vec![Speech::of(Wish::Ask { from, text })], instead: None })
}

/// What the person of a letter is to be told of a message: that it was a reply, and did nothing, or less than they may
/// believe. `incident`: as it was before. Nobody is told of what a program wrote, and nobody but the person of the letter.
pub fn misread(
    mail: &Mail,
    letter: &Letter,
    direct: bool,
    incident: &Incident,
    rules: &Rules,
) -> Option<Misread> {
    let person = rules.people.get(&letter.person).filter(|person| !person.email.is_empty());
    if mail.what != What::Written || person.is_none() {
        return None;
    }
    if !mail.is_from_whom(letter, rules) {
        return Some(Misread::Elsewhere(mail.from.clone().filter(|from| is_harmless(from))));
    }
    let is_commander = incident.commander().is_some_and(|command| command.person == letter.person);
    match mail.said.answer {
        Some(Answer::Decline) if direct => is_commander.then_some(Misread::Commands),
        Some(_) if direct && letter.commands => None,
        _ if !is_awaited(incident, &letter.person) => None,
        None if mail.said.text.trim().is_empty() => Some(Misread::Empty),
        _ => Some(Misread::Unclear),
    }
}

/// Who is to be told of a message that names no letter that is known: its writer, when they were called in the open incident
/// that it speaks of. They may believe that they answered, or handed over.
pub fn unnamed<'a>(mail: &'a Mail, incident: &Incident, rules: &'a Rules) -> Option<&'a str> {
    let called = |person: &&str| incident.responder(person).is_some_and(|known| known.pages > 0);
    mail.writers(rules).find(called).filter(|_| incident.is_open())
}

/// Whether somebody was called and has not answered: a note of theirs may have been meant for an answer. Who answered
/// before the incident was opened again has not.
fn is_awaited(incident: &Incident, person: &str) -> bool {
    let status = incident.responder(person).map(|known| known.status);
    incident.is_open()
        && match status {
            Some(ResponderStatus::Paged | ResponderStatus::Unreachable) => true,
            Some(status) if status.has_answered() => {
                matches!(incident.phase, Phase::Triggered { .. })
            }
            Some(_) | None => false,
        }
}

/// Whether a stranger's address can stand in a letter: one that is nothing but an address to whoever reads it.
fn is_harmless(address: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
    };
    address.len() <= ADDRESS_SHOWN_BYTES_MAX
        && address.split_once('@').is_some_and(|(name, domain)| plain(name) && plain(domain))
}

fn has_answered(incident: &Incident, person: &str) -> bool {
    let status = incident.responder(person).map(|known| known.status);
    status.is_some_and(ResponderStatus::has_answered)
}

/// `direct`: it answers the letter, and not somebody who answered it.
fn said(said: &Said, letter: &Letter, direct: bool, by: By) -> Result<Meaning, Ignored> {
    let note = |text: &str| {
        let mut text = text.trim().to_owned();
        cut(&mut text, TEXT_BYTES_MAX);
        Act::Note { text: format!("by mail: {text}") }
    };
    let asked = said.answer.map(|answer| match answer {
        Answer::Take => ("ack", Act::Answer { help: false }),
        Answer::Help => ("help", Act::Answer { help: true }),
        Answer::Decline => ("can't", Act::Decline),
    });
    let more = (!said.text.trim().is_empty()).then(|| note(&said.text));
    match asked {
        Some((word, act)) if direct && (letter.commands || act == Act::Decline) => {
            let instead = Some(note(&format!("{word}\n{}", said.text)));
            Ok(Meaning { by, acts: [act].into_iter().chain(more).collect(), instead })
        }
        Some((word, _)) => {
            Ok(Meaning { by, acts: vec![note(&format!("{word}\n{}", said.text))], instead: None })
        }
        None => {
            let more = more.ok_or(Ignored::Empty)?;
            Ok(Meaning { by, acts: vec![more], instead: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::decide::{self, Opening};
    use super::super::escalation::Staff;
    use super::super::incident::Severity;
    use super::super::rules::Person;
    use super::*;

    fn rules() -> Rules {
        let person = |email: &str| Person { email: email.into(), ..Person::default() };
        let people = BTreeMap::from([
            ("maya".to_owned(), person("Maya@example.net")),
            ("tom".to_owned(), person("tom@example.net")),
            ("kim".to_owned(), person("")),
        ]);
        Rules { people, ..Rules::default() }
    }

    fn incident(rules: &Rules) -> Incident {
        let opening = Opening {
            title: "x".into(),
            service: "shop".into(),
            severity: Severity::Sev1,
            alert: None,
            group: None,
            storm: false,
        };
        decide::open(1, opening, &By::dispatch(), Staff::as_configured(rules), Timestamp::UNIX_EPOCH)
            .unwrap()
            .incident
    }

    fn letter(what: &'static str, person: &str) -> Letter {
        let commands = matches!(what, "page" | "help" | "notice");
        let wakes = what.ends_with("page") || what == "help";
        let channel = if person.is_empty() { "staff".to_owned() } else { String::new() };
        let (id, written_at) = ("l".to_owned(), Timestamp::UNIX_EPOCH);
        Letter {
            id,
            what,
            wakes,
            commands,
            incident: 1,
            person: person.into(),
            channel,
            written_at,
            page: 1,
            otherwise: false,
        }
    }

    fn mail(from: &str, what: What, answer: Option<Answer>, text: &str) -> Mail {
        let from = Some(from.to_owned()).filter(|from| !from.is_empty());
        let said = Said { answer, text: text.into() };
        Mail {
            id: "m".into(),
            from,
            names: Vec::new(),
            direct: true,
            in_thread: false,
            incident: None,
            what,
            said,
            alert: None,
            stranger: false,
        }
    }

    fn shown(mail: &Mail, letter: &Letter) -> String {
        let rules = rules();
        match meaning(mail, letter, true, &incident(&rules), &rules) {
            Err(why) => format!("ignored: {why}"),
            Ok(Meaning { by, acts, instead }) => {
                let instead = instead.map_or(String::new(), |act| format!(" or {act:?}"));
                format!("{} {acts:?}{instead}", by.actor.label())
            }
        }
    }

    #[test]
    fn each_message_means_one_thing() {
        let written = |from, answer, text| mail(from, What::Written, answer, text);
        let page = letter("page", "maya");
        let bounce = |failed| mail("", What::Bounce { failed, why: "5.1.1 unknown".into() }, None, "");
        let lines = [
            shown(&written("maya@example.net", Some(Answer::Take), ""), &page),
            shown(&written("maya@example.net", Some(Answer::Help), "db1 first"), &page),
            shown(&written("maya@example.net", Some(Answer::Decline), ""), &page),
            shown(&written("maya@example.net", None, "see you"), &page),
            shown(&written("maya@example.net", None, ""), &page),
            shown(&written("tom@example.net", Some(Answer::Take), ""), &page),
            shown(&written("", Some(Answer::Take), ""), &page),
            shown(&written("", Some(Answer::Take), ""), &letter("page", "kim")),
            shown(&written("staff@example.net", Some(Answer::Take), ""), &letter("status", "")),
            shown(&written("maya@example.net", Some(Answer::Take), ""), &letter("pio_page", "maya")),
            shown(&mail("maya@example.net", What::Automatic, None, ""), &page),
            shown(&mail("maya@example.net", What::Own, None, ""), &page),
            shown(&mail("", What::Receipt { how: "displayed".into() }, None, ""), &page),
            shown(&bounce(true), &page),
            shown(&bounce(false), &page),
            shown(&bounce(true), &letter("status", "")),
        ];
        insta::assert_snapshot!("mail", lines.join("\n"));
    }

    #[test]
    fn a_letter_that_comes_back_does_not_undo_an_answer() {
        let rules = rules();
        let mut answered = incident(&rules);
        let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
        answered = decide::decide(
            &answered,
            Act::Answer { help: false },
            &by,
            Staff::as_configured(&rules),
            Timestamp::UNIX_EPOCH,
        )
        .unwrap()
        .incident;
        let bounce = mail("", What::Bounce { failed: true, why: "full".into() }, None, "");
        let meant = meaning(&bounce, &letter("page", "maya"), true, &answered, &rules).unwrap();
        assert!(matches!(meant.acts[..], [Act::Deliver { .. }]), "{meant:?}");
    }

    fn some_what() -> impl Strategy<Value = What> {
        prop_oneof![
            Just(What::Own),
            (any::<bool>(), "[a-z]{0,9}").prop_map(|(failed, why)| What::Bounce { failed, why }),
            "[a-z]{0,9}".prop_map(|how| What::Receipt { how }),
            Just(What::Automatic),
            Just(What::Written),
        ]
    }

    proptest! {
        /// Whoever has not the letter, or is not whom it was for, commands nothing by mail.
        #[test]
        fn nobody_but_the_person_of_the_letter_ever_commands(
            what in some_what(),
            from in prop::sample::select(vec!["", "maya@example.net", "tom@example.net", "kim", "x@y"]),
            person in prop::sample::select(vec!["", "maya", "tom", "kim", "gone"]),
            kind in prop::sample::select(vec!["page", "help", "pio_page", "notice", "status"]),
            answer in prop::sample::select(vec![None, Some(Answer::Take), Some(Answer::Help), Some(Answer::Decline)]),
            text in "\\PC{0,20}",
        ) {
            let rules = rules();
            let (mail, letter) = (mail(from, what, answer, &text), letter(kind, person));
            let before = incident(&rules);
            let Ok(meant) = meaning(&mail, &letter, true, &before, &rules) else { return Ok(()) };
            let mut after = before;
            for act in meant.acts {
                if let Ok(decision) = decide::decide(&after, act, &meant.by, Staff::as_configured(&rules), Timestamp::UNIX_EPOCH) {
                    after = decision.incident;
                }
            }
            if let Some(command) = after.commander() {
                prop_assert_eq!(&mail.what, &What::Written);
                prop_assert_eq!(&command.person, person);
                prop_assert_eq!(from, rules.people[person].email.to_lowercase());
                prop_assert!(matches!(answer, Some(Answer::Take | Answer::Help)) && letter.commands);
            }
        }
    }
}
