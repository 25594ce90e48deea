//! Statements: who writes, who lets them go out, and what makes an approval void.
//!
//! What must not be said was looked for by the door, in the words as they will be printed: see [`Wish::wording`].

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::audience::Audience;
use super::super::command::{Office, Turn};
use super::super::disclosure::{Finding, Rule, Weight};
use super::super::escalation::Staff;
use super::super::incident::{Incident, Phase, Severity};
use super::super::letter::{Letter, News};
use super::super::rules::{Holding, Rules, Template};
use super::super::timeline::{Actor, Fact};
use super::super::voice::{
    Impact, MISSED_MAX, Phase as Told, Right, STATEMENTS_MAX, Say, Situation, Sort, Stage, Statement, Wording,
};
use super::{Draft, Next, Reason, Refusal, Speech, TooLong, Wish, Work, words, words_or_none};

/// An update is promised for no later than this.
const NEXT_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The PIO speaks without asking for no longer than this.
const DELEGATION_MAX: SignedDuration = SignedDuration::from_hours(8);
/// Longest title, in characters: it is a subject of mails, and the heading of a page.
pub const TITLE_CHARS_MAX: usize = 120;
/// Longest question, and longest name of who asks, in characters.
const QUESTION_CHARS_MAX: usize = 2000;
const FROM_CHARS_MAX: usize = 100;
/// The PIO is told of questions no more often than this.
const QUESTIONS_APART: SignedDuration = SignedDuration::from_mins(10);

impl Wish {
    /// The words that it is about, as they would stand: of a draft with all that follows from the incident and the house, of
    /// what is to be approved or to go out those that there are; and the hour at which they were written. Nothing where no words
    /// are to be looked at.
    ///
    /// # Errors
    /// Why there can be no such words.
    pub fn wording(
        &self,
        incident: &Incident,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Option<(Wording, Timestamp)>, Refusal> {
        match self {
            Self::Draft { draft, .. } => Ok(Some((fill_in(draft, incident, rules, now)?, now))),
            Self::Override { number, .. } | Self::Approve { number, .. } | Self::Publish { number, .. } => {
                Ok(incident.voice.statement(*number).map(|known| (known.wording.clone(), known.at)))
            }
            _ => Ok(None),
        }
    }
}

/// The names by which those outside know what is affected.
pub fn public_names(incident: &Incident, rules: &Rules) -> Vec<String> {
    let services =
        [incident.leads(), &incident.service].into_iter().chain(incident.also.iter().map(String::as_str));
    let mut names: Vec<String> = Vec::new();
    for service in services {
        let name = rules.services.get(service).and_then(|service| service.public_name.clone());
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

fn fill_in(draft: &Draft, incident: &Incident, rules: &Rules, now: Timestamp) -> Result<Wording, Refusal> {
    let voice = &incident.voice;
    let audience = draft.audience;
    let sort = draft.sort.unwrap_or(if incident.is_open() { Sort::Update } else { Sort::Closing });
    if sort == Sort::Closing && incident.is_open() {
        return Err(Refusal::WrongState(
            "the closing statement comes after the Commander has said that it is over",
        ));
    }
    let last = voice.published(audience).next_back();
    let phase = match (sort, draft.phase) {
        (Sort::Closing, None | Some(Told::Resolved)) => Told::Resolved,
        (Sort::Closing, Some(_)) => return Err(bad("a closing statement says that it is resolved")),
        (Sort::Update | Sort::Holding, Some(Told::Resolved)) if incident.is_open() => {
            return Err(bad(
                "readers are told that it is resolved by the closing statement, after the Commander has said so",
            ));
        }
        (_, Some(phase)) => phase,
        (_, None) => usual_phase(incident, last),
    };
    let impact = match (sort, draft.impact) {
        (Sort::Closing, None) => Impact::None,
        (_, Some(impact)) => impact,
        (_, None) => last.map_or(usual_impact(incident.severity), |last| last.wording.impact),
    };
    let mends = match (sort, draft.mends) {
        (Sort::Correction | Sort::Retraction, None) => {
            return Err(bad("say which statement it corrects or takes back"));
        }
        (Sort::Correction | Sort::Retraction, Some(number)) => {
            let known = voice.statement(number).filter(|known| known.published_at().is_some());
            let known = known.ok_or_else(|| there_is_none(number, "that went out"))?;
            if known.wording.audience != audience {
                return Err(bad(&format!("statement {number} is for {}", known.wording.audience.as_str())));
            }
            Some(known)
        }
        (_, Some(_)) => return Err(bad("only a correction or a retraction is about another statement")),
        (_, None) => None,
    };
    let next_by = match draft.next {
        Next::By(by) => Some(promised(by, now)?),
        Next::Usual if incident.is_open() && matches!(sort, Sort::Update | Sort::Holding) => {
            let wait = rules.pio.next(audience, incident.severity, phase);
            wait.and_then(|wait| minute(now.saturating_add(wait).ok()?, true))
        }
        Next::Usual | Next::Never => None,
    };
    if !incident.is_open() && next_by.is_some() && sort == Sort::Closing {
        return Err(bad(
            "it is over: no further update is promised; say in the text whether a fuller account follows",
        ));
    }
    let mut channels = draft.channels.clone();
    for name in &channels {
        match rules.channels.iter().find(|(known, _)| known == name) {
            Some((_, of)) if *of == audience => {}
            Some((_, of)) => {
                return Err(bad(&format!(
                    "the channel {name} is read by {}, and not by {}",
                    of.as_str(),
                    audience.as_str()
                )));
            }
            None => return Err(bad(&format!("there is no channel {name}"))),
        }
    }
    if let (Some(known), true) = (mends, channels.is_empty()) {
        let is_there =
            |name: &&String| rules.channels.iter().any(|(there, of)| there == *name && *of == audience);
        channels = known.wording.channels.iter().filter(is_there).cloned().collect();
    } else if channels.is_empty() || sort == Sort::Closing {
        // Whoever was told that something is wrong is told that it is over.
        let spoken = if sort == Sort::Closing { voice.spoken_in(audience) } else { Vec::new() };
        for name in rules.channels_of(audience).map(str::to_owned).chain(spoken) {
            let is_there = rules.channels.iter().any(|(known, of)| *known == name && *of == audience);
            if is_there && !channels.contains(&name) {
                channels.push(name);
            }
        }
    }
    if channels.is_empty() && !(audience == Audience::Public && rules.public_page) {
        return Err(bad(&format!(
            "nothing reaches this audience: no [[channel]] has `audience = \"{}\"`",
            audience.as_str()
        )));
    }
    let title = match (
        voice.title(audience),
        draft.title.as_deref().map(str::trim).filter(|title| !title.is_empty()),
    ) {
        (Some(known), _) => known.to_owned(),
        (None, Some(title)) => one_line(title, TITLE_CHARS_MAX, "the title")?,
        (None, None) => usual_title(audience, incident, rules)?,
    };
    let text = words(&draft.text, "the statement")?.replace("\r\n", "\n").replace('\r', "\n");
    let text = match (sort, mends.and_then(Statement::published_at)) {
        (Sort::Correction, Some(at)) => begun(&text, "Correction to our", at),
        (Sort::Retraction, Some(at)) => begun(&text, "We take back our", at),
        _ => text,
    };
    let mends = mends.map(|known| known.number);
    Ok(Wording { audience, sort, phase, impact, title, text, next_by, mends, channels })
}

/// Readers are told which one is meant, by its hour.
fn begun(text: &str, words: &str, at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    let beginning = format!("{words} {} UTC update", at.strftime("%Y-%m-%d %H:%M"));
    if text.starts_with(&beginning) { text.to_owned() } else { format!("{beginning}: {text}") }
}

fn usual_phase(incident: &Incident, last: Option<&Statement>) -> Told {
    match (&incident.phase, last.map(|last| last.wording.phase)) {
        (Phase::Resolved { .. }, _) => Told::Resolved,
        (Phase::Mitigated { .. }, _) => Told::Monitoring,
        (_, Some(Told::Identified)) => Told::Identified,
        _ => Told::Investigating,
    }
}

fn usual_impact(severity: Severity) -> Impact {
    match severity {
        Severity::Sev1 => Impact::Critical,
        Severity::Sev2 => Impact::Major,
        Severity::Sev3 => Impact::Minor,
        Severity::Sev4 => Impact::None,
    }
}

fn usual_title(audience: Audience, incident: &Incident, rules: &Rules) -> Result<String, Refusal> {
    if audience == Audience::Internal {
        return Ok(incident.title.chars().take(TITLE_CHARS_MAX).collect());
    }
    let names = public_names(incident, rules);
    if names.is_empty() {
        return Err(bad(&format!(
            "say what it is called before those outside (\"title\"): the service {} has no `public_name`",
            incident.leads()
        )));
    }
    let title = format!("{}: service disruption", names.join(", "));
    Ok(if title.chars().count() > TITLE_CHARS_MAX { "Service disruption".to_owned() } else { title })
}

fn promised(by: Timestamp, now: Timestamp) -> Result<Timestamp, Refusal> {
    let printed = minute(by, false).filter(|by| *by > now);
    let printed =
        printed.ok_or_else(|| bad("the hour of the next update is over, or less than a minute ahead"))?;
    match now.checked_add(NEXT_MAX) {
        Ok(most) if printed <= most => Ok(printed),
        _ => Err(bad("the hour of the next update lies more than a week ahead")),
    }
}

/// The hour as it is printed: the minute, or the next one.
fn minute(at: Timestamp, up: bool) -> Option<Timestamp> {
    let second = at.as_second();
    let down = second - second.rem_euclid(60);
    Timestamp::from_second(if up && down < second { down + 60 } else { down }).ok()
}

fn one_line(text: &str, most: usize, what: &str) -> Result<String, Refusal> {
    let text = words(&super::super::alert::one_line(text), what)?;
    let long = text.chars().count();
    if long > most {
        return Err(bad(&format!("{what} has {long} characters, and at most {most} are taken")));
    }
    Ok(text)
}

fn bad(why: &str) -> Refusal {
    Refusal::BadWords(why.to_owned())
}

fn there_is_none(number: u32, which: &str) -> Refusal {
    Refusal::NotThere(format!("there is no statement {number} {which}"))
}

impl Work<'_> {
    pub(super) fn speaks(&mut self, speech: Speech) -> Result<Reason, Refusal> {
        let Speech { wish, found, too_long } = speech;
        if let Some(home) = self.incident.merged_into {
            return Err(Refusal::NotThere(format!("it is part of INC-{home}; go on there")));
        }
        match wish {
            Wish::Draft { number, draft } => self.drafts(number, &draft, &found, &too_long),
            Wish::Return { number, why } => self.returns(number, &why),
            Wish::Override { number, wording, why } => self.overrides(number, wording, &why, &found),
            Wish::Approve { number, wording, term } => {
                self.approves(number, wording, term, &found, &too_long)
            }
            Wish::Publish { number, wording } => self.publishes(number, wording, &found, &too_long),
            Wish::Resend { number, channel } => self.resends(number, channel.as_deref()),
            Wish::Drop { number, why } => self.drops(number, &why),
            Wish::Delegate { length, term } => self.delegates(length, term),
            Wish::ConfirmCause { cause, term } => {
                self.commands(term)?;
                let cause = words(&cause, "the cause")?;
                self.say(Say::CauseConfirmed { cause })
            }
            Wish::Hold { why } => self.holds_back(&why),
            Wish::Ask { from, text } => self.asks(&from, &text),
            Wish::Answer { number, text } => {
                self.person()?;
                let known = self.incident.voice.questions.iter().find(|known| known.number == number);
                if known.is_none_or(|known| known.answer.is_some()) {
                    return Err(Refusal::NotThere(format!(
                        "there is no question {number} that waits for an answer"
                    )));
                }
                let text = words_or_none(&text, "the answer")?;
                self.say(Say::Answered { number, text })
            }
        }
    }

    fn say(&mut self, say: Say) -> Result<Reason, Refusal> {
        self.add(Fact::Voice(say))?;
        Ok(Reason::Recorded)
    }

    fn drafts(
        &mut self,
        number: Option<u32>,
        draft: &Draft,
        found: &[Finding],
        too_long: &[TooLong],
    ) -> Result<Reason, Refusal> {
        // A program may draft: nothing goes out by that.
        if !matches!(self.by.actor, Actor::Automation(_)) {
            self.person()?;
        }
        let wording = fill_in(draft, &self.incident, self.rules, self.now)?;
        fits(too_long)?;
        not_blocked(found)?;
        let number = match number {
            Some(number) => self.open_statement(number)?.number,
            None if self.incident.voice.statements.len() >= STATEMENTS_MAX => {
                return Err(Refusal::Busy(format!(
                    "there are {STATEMENTS_MAX} statements on this incident, which is as many as there can be"
                )));
            }
            None => self.incident.voice.next_number(),
        };
        self.comes_as_pio()?;
        let found = rules_of(found.iter());
        self.add(Fact::Voice(Say::Drafted { number, wording, found }))?;
        let Some(written) = self.incident.voice.statement(number).cloned() else {
            return Ok(Reason::Recorded);
        };
        let alone = self.by.actor.person().is_some_and(|person| self.right_of(person, &written, &[]).is_ok());
        if !alone {
            self.tell_commander(News::ToApprove);
        }
        Ok(Reason::Drafted)
    }

    /// The PIO who was called and writes has said yes to being it.
    fn comes_as_pio(&mut self) -> Result<(), Refusal> {
        let Some(person) = self.by.actor.person().map(str::to_owned) else { return Ok(()) };
        let office = Office::Pio;
        if !self.incident.is_open() || self.incident.offices.holder(office).is_some() {
            return Ok(());
        }
        let commands = self.incident.commander().is_some_and(|command| command.person == person);
        let is_asked = self.incident.offices.asked(office) == Some(&*person);
        // An alternate who writes first is who speaks.
        if !is_asked && !commands && self.can_be_pio(&person) && self.incident.commander().is_some() {
            self.dispatch(Fact::PioCalled { person: person.clone(), due: None })?;
        }
        if self.incident.offices.asked(office) == Some(&*person) {
            self.add(Fact::Command(Turn::Accepted { office, person }))?;
        }
        Ok(())
    }

    /// Whether the house names somebody as PIO or alternate of this incident.
    fn can_be_pio(&self, person: &str) -> bool {
        let Some(service) = self.rules.services.get(self.incident.leads()) else { return false };
        Staff::regardless(self.staff, &service.pio, self.now).iter().any(|known| known == person)
    }

    /// Whether somebody speaks for this incident: the PIO, or who can be it while nobody is.
    fn is_pio(&self, person: &str) -> bool {
        match self.incident.offices.holder(Office::Pio) {
            Some(holder) => holder == person,
            None => self.incident.offices.asked(Office::Pio) == Some(person) || self.can_be_pio(person),
        }
    }

    /// Who answers for the incident: who commands, or did when it ended.
    fn answers_for_it(&self) -> Option<(String, u32)> {
        let command = match &self.incident.phase {
            Phase::Resolved { last, .. } => last.as_ref(),
            _ => self.incident.commander(),
        };
        command.map(|command| (command.person.clone(), command.term))
    }

    fn is_administrator(&self, person: &str) -> bool {
        self.rules.people.get(person).is_some_and(|known| known.administrator)
    }

    fn open_statement(&self, number: u32) -> Result<Statement, Refusal> {
        match self.incident.voice.statement(number) {
            Some(known) if known.is_open() => Ok(known.clone()),
            Some(known) => Err(Refusal::NotThere(match known.stage {
                Stage::Dropped => format!("statement {number} was dropped; write a new one"),
                _ => format!("statement {number} went out; write a correction instead"),
            })),
            None => Err(there_is_none(number, "here")),
        }
    }

    /// The words that are meant are those that there are.
    fn newest(&self, number: u32, wording: Option<u32>) -> Result<Statement, Refusal> {
        let known = self.open_statement(number)?;
        match wording {
            Some(read) if read != known.entry => Err(Refusal::Void(format!(
                "{} has written statement {number} anew (entry {}; you read {read})",
                known.by, known.entry
            ))),
            _ => Ok(known),
        }
    }

    fn returns(&mut self, number: u32, why: &str) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let known = self.open_statement(number)?;
        let leads = self.answers_for_it().is_some_and(|(commander, _)| commander == person);
        let deputy = self.incident.offices.holder(Office::Deputy) == Some(&*person);
        if !leads && !deputy && !self.is_pio(&person) && !self.is_administrator(&person) {
            return Err(Refusal::NotAllowed(
                "the Commander, the Deputy or the PIO returns a statement".to_owned(),
            ));
        }
        let why = words(why, "the reason")?;
        self.add(Fact::Voice(Say::Returned { number, why }))?;
        self.tell(&known.by, News::Returned);
        Ok(Reason::Recorded)
    }

    /// A second person lets pass what can be let pass.
    fn overrides(
        &mut self,
        number: u32,
        wording: Option<u32>,
        why: &str,
        found: &[Finding],
    ) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let known = self.newest(number, wording)?;
        not_blocked(found)?;
        if known.by == person {
            return Err(Refusal::NotAllowed(format!(
                "you wrote statement {number}: a second person has to read what was found in it"
            )));
        }
        let open = second(found, &known);
        if open.is_empty() {
            return Err(Refusal::WrongState("nothing was found in it that needs a second person"));
        }
        if open.contains(Rule::Security.as_str()) && !self.is_administrator(&person) {
            return Err(Refusal::NotAllowed(
                "what is said of security needs an administrator; ask one, or leave it out".to_owned(),
            ));
        }
        let leads = self.answers_for_it().is_some_and(|(commander, _)| commander == person);
        if !leads
            && self.incident.offices.of(&person).is_none()
            && !self.is_administrator(&person)
            && !self.is_pio(&person)
        {
            return Err(Refusal::NotAllowed(
                "the second person is the Commander, somebody with an office, or an administrator".to_owned(),
            ));
        }
        let why = words(why, "the reason, and who agreed")?;
        let rules = open.into_iter().collect();
        self.say(Say::Overridden { number, wording: known.entry, rules, why })
    }

    fn approves(
        &mut self,
        number: u32,
        wording: Option<u32>,
        term: Option<u32>,
        found: &[Finding],
        too_long: &[TooLong],
    ) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let known = self.newest(number, wording)?;
        fits(too_long)?;
        may_pass(found, &known)?;
        let right = self.right_to_approve(&person, term, &known)?;
        let Situation { state, severity, .. } = Situation::of(&self.incident);
        self.add(Fact::Voice(Say::Approved { number, wording: known.entry, right, state, severity }))?;
        self.tell(&known.by, News::Approved);
        if let Some(pio) = self.incident.offices.holder(Office::Pio).map(str::to_owned) {
            self.tell(&pio, News::Approved);
        }
        Ok(Reason::Approved)
    }

    fn right_to_approve(&self, person: &str, term: Option<u32>, known: &Statement) -> Result<Right, Refusal> {
        let Some((commander, current)) = self.answers_for_it() else { return Err(Refusal::NobodyCommands) };
        if term.is_some_and(|term| term != current) {
            return Err(Refusal::Stale { commander, term: current });
        }
        if commander == person {
            return Ok(if known.by == person { Right::Own } else { Right::Commander });
        }
        if !self.incident.is_open() && self.is_administrator(person) {
            return Ok(Right::Administrator);
        }
        if self.incident.offices.holder(Office::Deputy) == Some(person) {
            let since = self.incident.commander().map(|command| command.since);
            let heard = self.incident.heard_at.max(since);
            let silent = heard.map_or(SignedDuration::MAX, |heard| self.now.duration_since(heard));
            if silent >= self.rules.pio.deputy_after {
                return Ok(Right::Deputy);
            }
            return Err(Refusal::NotAllowed(format!(
                "{commander} has command and is heard of; the Deputy approves when they have been silent for {} minutes",
                self.rules.pio.deputy_after.as_mins()
            )));
        }
        Err(Refusal::NotAllowed(format!("the Commander approves statements: that is {commander}")))
    }

    fn publishes(
        &mut self,
        number: u32,
        wording: Option<u32>,
        found: &[Finding],
        too_long: &[TooLong],
    ) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let known = self.newest(number, wording)?;
        fits(too_long)?;
        may_pass(found, &known)?;
        let wording = &known.wording;
        if wording.next_by.is_some_and(|by| by <= self.now) {
            return Err(Refusal::Void("the hour of the next update that it promises is over".to_owned()));
        }
        let closes = wording.sort == Sort::Closing;
        if closes && self.incident.is_open() {
            return Err(Refusal::Void("the incident was opened again".to_owned()));
        }
        if wording.phase != Told::Resolved && !self.incident.is_open() && wording.sort == Sort::Update {
            return Err(Refusal::Void("the incident is over".to_owned()));
        }
        if self.incident.term == 0 {
            // Nobody may say that it is being looked at while nobody does.
            return Err(Refusal::NobodyCommands);
        }
        let right = self.right_of(&person, &known, found)?;
        self.comes_as_pio()?;
        let channels = self.still_there(&known);
        let lost =
            wording.channels.iter().filter(|name| !channels.contains(name)).cloned().collect::<Vec<_>>();
        if !lost.is_empty() {
            return Err(Refusal::Void(format!("{} left the configuration", lost.join(", "))));
        }
        let entry = known.entry;
        self.add(Fact::Voice(Say::Published { number, wording: entry, right, channels: channels.clone() }))?;
        self.letters.extend(channels.into_iter().map(|channel| Letter::Statement { channel, number }));
        Ok(Reason::Published)
    }

    /// The channels of a statement that are still those of its audience.
    fn still_there(&self, known: &Statement) -> Vec<String> {
        let audience = known.wording.audience;
        let is_there =
            |name: &&String| self.rules.channels.iter().any(|(there, of)| there == *name && *of == audience);
        known.wording.channels.iter().filter(is_there).cloned().collect()
    }

    /// By what right somebody sends a statement now.
    fn right_of(&self, person: &str, known: &Statement, found: &[Finding]) -> Result<Right, Refusal> {
        let command = self.answers_for_it();
        let leads = command.as_ref().is_some_and(|(commander, _)| commander == person);
        let deputy = self.incident.offices.holder(Office::Deputy) == Some(person);
        let speaks = self.is_pio(person);
        if !leads && !deputy && !speaks && !self.is_administrator(person) {
            let whom = self.incident.offices.holder(Office::Pio).or(self.incident.offices.asked(Office::Pio));
            let whom = whom.map(|pio| format!(": that is {pio}")).unwrap_or_default();
            return Err(Refusal::NotAllowed(format!("the PIO sends statements{whom}; it waits for them")));
        }
        if let Some(approval) = known.approval(&self.incident) {
            return Ok(approval.right);
        }
        if leads {
            return Ok(if known.by == person { Right::Own } else { Right::Commander });
        }
        if speaks && self.rules.speaks_alone(self.incident.leads(), self.incident.severity) {
            return Ok(Right::Alone);
        }
        let delegation = self.incident.voice.delegation.as_ref().filter(|one| {
            one.until > self.now && one.term == self.incident.term && self.incident.severity >= one.severity
        });
        if speaks && delegation.is_some() && found.is_empty() && known.wording.sort == Sort::Update {
            return Ok(Right::Standing);
        }
        if let Stage::Approved(approval) = &known.stage {
            return Err(Refusal::Void(moved(&approval.situation, &Situation::of(&self.incident))));
        }
        let whom = command.map(|(commander, _)| format!(", {commander}")).unwrap_or_default();
        Err(Refusal::NotAllowed(format!(
            "statement {} waits for the approval of the Commander{whom}",
            known.number
        )))
    }

    /// Whoever speaks has looked, and it is not there: the same words go there once more.
    fn resends(&mut self, number: u32, channel: Option<&str>) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let voice = &self.incident.voice;
        let known = voice.statement(number).filter(|known| known.published_at().is_some()).cloned();
        let known = known.ok_or_else(|| there_is_none(number, "that went out"))?;
        let leads = self.answers_for_it().is_some_and(|(commander, _)| commander == person);
        if !leads && !self.is_pio(&person) && !self.is_administrator(&person) {
            return Err(Refusal::NotAllowed(
                "the PIO or the Commander sends a statement once more".to_owned(),
            ));
        }
        let audience = known.wording.audience;
        let lost = known
            .reached
            .iter()
            .filter(|one| !matches!(one.outcome.as_str(), "" | "accepted" | "superseded"));
        let is_there =
            |name: &str| self.rules.channels.iter().any(|(known, of)| known == name && *of == audience);
        let channels: Vec<String> = lost
            .map(|one| one.channel.clone())
            .filter(|name| channel.is_none_or(|channel| channel == name) && is_there(name))
            .collect();
        if channels.is_empty() {
            return Err(Refusal::WrongState(
                "it is there, or on its way: there is nowhere to send it once more",
            ));
        }
        self.add(Fact::Voice(Say::Resent { number, channels: channels.clone() }))?;
        self.letters.extend(channels.into_iter().map(|channel| Letter::Statement { channel, number }));
        Ok(Reason::Published)
    }

    fn drops(&mut self, number: u32, why: &str) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let known = self.open_statement(number)?;
        let leads = self.answers_for_it().is_some_and(|(commander, _)| commander == person);
        if known.by != person && !leads && !self.is_pio(&person) && !self.is_administrator(&person) {
            return Err(Refusal::NotAllowed(format!(
                "{} wrote statement {number}: they drop it, or the PIO, or the Commander",
                known.by
            )));
        }
        let why = words_or_none(why, "the reason")?;
        self.say(Say::Dropped { number, why })
    }

    fn delegates(&mut self, length: SignedDuration, term: u32) -> Result<Reason, Refusal> {
        self.commands(term)?;
        if length <= SignedDuration::ZERO {
            if self.incident.voice.delegation.is_none() {
                return Err(Refusal::WrongState("the PIO asks before each update already"));
            }
            return self.say(Say::DelegationEnded);
        }
        if length > DELEGATION_MAX {
            return Err(bad("the PIO may send updates without asking for at most 8 hours"));
        }
        self.say(Say::Delegated { until: self.later(length) })
    }

    fn asks(&mut self, from: &str, text: &str) -> Result<Reason, Refusal> {
        let from = one_line(from, FROM_CHARS_MAX, "the name")?;
        let text = words(text, "the question")?;
        if text.chars().count() > QUESTION_CHARS_MAX {
            return Err(bad("the question is too long: at most 2000 characters are taken"));
        }
        let voice = &self.incident.voice;
        let number = voice.questions.last().map_or(0, |last| last.number).saturating_add(1);
        let lately = voice
            .questions
            .iter()
            .any(|known| known.answer.is_none() && self.now.duration_since(known.at) < QUESTIONS_APART);
        self.add(Fact::Voice(Say::Asked { number, from, text }))?;
        if !lately && self.incident.is_open() {
            self.tell_who_speaks(News::Question);
        }
        Ok(Reason::Recorded)
    }

    /// Tells the PIO, or who was called.
    pub(super) fn tell_who_speaks(&mut self, news: News) {
        let offices = &self.incident.offices;
        let pio = offices.holder(Office::Pio).or(offices.asked(Office::Pio)).map(str::to_owned);
        if let Some(pio) = pio {
            self.tell(&pio, news);
        }
    }

    /// The alternates, too: somebody has to speak.
    fn tell_all_who_can_speak(&mut self, news: News) {
        self.tell_who_speaks(news);
        let Some(service) = self.rules.services.get(self.incident.leads()) else { return };
        let people = Staff::regardless(self.staff, &service.pio, self.now);
        people.iter().for_each(|person| self.tell(person, news));
    }

    /// Those outside are told by these hours that somebody has it, and what is wrong.
    pub(super) fn awaits_first_updates(&mut self) -> Result<(), Refusal> {
        for audience in Audience::ALL {
            let severity = self.incident.severity;
            let wait = self.rules.pio.first.get(&(audience, severity)).copied().unwrap_or_default();
            let is_awaited = self.incident.voice.due.iter().any(|due| due.audience == audience);
            if wait.is_zero() || is_awaited || !self.rules.can_tell(audience) {
                continue;
            }
            // Of an update to its own people the house has an hour of its own: the one it promises.
            let by = match audience {
                Audience::Internal => self.incident.next_update_by,
                _ => Some(self.later(wait)),
            };
            if let Some(by) = by {
                self.dispatch(Fact::Voice(Say::Awaited { audience, by }))?;
            }
        }
        Ok(())
    }

    /// The hour of an update, or of who was called as PIO, has come.
    pub(super) fn looks_at_what_is_said(&mut self) -> Result<Option<Reason>, Refusal> {
        if self.incident.voice.pio_due.is_some_and(|due| due <= self.now) {
            return self.calls_the_next_pio().map(Some);
        }
        let Some(due) = self.incident.voice.next_due(self.now).cloned() else { return Ok(None) };
        let (audience, by) = (due.audience, due.by);
        if by > self.now {
            self.dispatch(Fact::Voice(Say::Warned { audience, by }))?;
            self.tell_all_who_can_speak(News::UpdateDue);
        } else {
            let times = due.missed.saturating_add(1).min(MISSED_MAX);
            self.dispatch(Fact::Voice(Say::Missed { audience, by, times }))?;
            self.tell_commander(News::UpdateMissed);
            self.tell_who_speaks(News::UpdateMissed);
        }
        Ok(Some(Reason::Overdue))
    }

    /// Who was called as PIO has not come.
    fn calls_the_next_pio(&mut self) -> Result<Reason, Refusal> {
        let called: BTreeSet<&String> = self.incident.voice.called.iter().collect();
        let commander = self.incident.commander().map(|command| command.person.clone());
        let targets = self.rules.services.get(self.incident.leads()).map(|service| service.pio.as_slice());
        let targets = targets.unwrap_or_default();
        let [there, all] = [Staff::present, Staff::regardless].map(|who| who(self.staff, targets, self.now));
        let next = there
            .iter()
            .chain(&all)
            .find(|person| !called.contains(person) && Some(*person) != commander.as_ref());
        let Some(person) = next.cloned() else {
            self.dispatch(Fact::Voice(Say::NoPio))?;
            self.tell_commander(News::NoPio);
            return Ok(Reason::Called);
        };
        let due = self.pio_answers_by();
        self.dispatch(Fact::PioCalled { person: person.clone(), due })?;
        self.letters.push(Letter::PioPage { person });
        Ok(Reason::Called)
    }

    /// When the next one is called, unless who is called as PIO comes.
    pub(super) fn pio_answers_by(&self) -> Option<Timestamp> {
        let wait = self.rules.pio.answer_after;
        (!wait.is_zero()).then(|| self.later(wait))
    }

    /// It is over: those who were told that something is wrong are to be told so.
    pub(super) fn asks_for_closings(&mut self) {
        if Audience::ALL.into_iter().any(|audience| self.incident.voice.owes_a_closing(audience)) {
            self.tell_who_speaks(News::ClosingDue);
            let pio = self.incident.pio.clone();
            if let Some((pio, _)) = pio {
                self.tell(&pio, News::ClosingDue);
            }
        }
    }
}

/// Words of the house for a statement: the first template that fits, else what every house says. `phase`: `None` while nobody has
/// the incident yet.
pub fn starter(incident: &Incident, audience: Audience, phase: Option<Told>, rules: &Rules) -> String {
    let names = public_names(incident, rules);
    let product = if names.is_empty() { "one of our services".to_owned() } else { names.join(" and ") };
    let symptom = rules.services.get(incident.leads()).map_or("", |service| service.symptom.as_str());
    let fits = |one: &&Template| {
        let for_all = one.severities.is_empty();
        one.audience == audience
            && one.phase == phase
            && (for_all || one.severities.contains(&incident.severity))
    };
    let own = rules.statements.iter().find(fits).map(|one| one.text.as_str());
    let text = own.unwrap_or(match phase {
        None => "Our monitoring reports a problem with {product}. Our staff are being called. {symptom}",
        Some(Told::Investigating) => "We are looking into a problem with {product}. {symptom}",
        Some(Told::Identified) => {
            "We have found what is wrong with {product}, and are working on it. {symptom}"
        }
        Some(Told::Monitoring) => "{product} works again. We keep watching it.",
        Some(Told::Resolved) => "{product} works again. We are sorry for the trouble.",
    });
    let since = incident.opened_at.to_zoned(TimeZone::UTC).strftime("%H:%M UTC").to_string();
    let text = text.replace("{product}", &product).replace("{symptom}", symptom).replace("{since}", &since);
    text.trim().to_owned()
}

impl Work<'_> {
    /// The holding statement of the service that leads, where it has one for an incident as bad as this.
    fn holding(&self) -> Option<&Holding> {
        let holding = self.rules.services.get(self.incident.leads())?.holding.as_ref()?;
        holding.severities.contains(&self.incident.severity).then_some(holding)
    }

    /// Words that were approved beforehand go out in a while, unless somebody says hold.
    pub(super) fn plans_holding(&mut self) -> Result<(), Refusal> {
        let Some(after) = self.holding().map(|holding| holding.after) else { return Ok(()) };
        if self.incident.voice.held || self.waiting_for_words().is_empty() {
            return Ok(());
        }
        let at = self.later(after);
        self.dispatch(Fact::Voice(Say::HoldingPlanned { at }))
    }

    /// Those who have read nothing yet but, maybe, that something was noticed.
    fn waiting_for_words(&self) -> Vec<Audience> {
        let Some(holding) = self.holding() else { return Vec::new() };
        let is_taken = self.incident.commander().is_some();
        let waits = |audience: &&Audience| {
            let mut told = self.incident.voice.published(**audience);
            told.all(|one| is_taken && is_detected(one)) && self.rules.can_tell(**audience)
        };
        holding.audiences.iter().filter(waits).copied().collect()
    }

    /// The hour of the holding statement has come.
    pub(super) fn sends_holding(&mut self) -> Result<Reason, Refusal> {
        let fires = self.incident.firing > 0 || self.incident.declared;
        let (waiting, is_taken) = (self.waiting_for_words(), self.incident.commander().is_some());
        if waiting.is_empty() || !fires {
            let why = if fires { "they have heard already" } else { "nothing fires any more" };
            self.dispatch(Fact::Voice(Say::HoldingStopped { why: why.to_owned() }))?;
            return Ok(Reason::Recorded);
        }
        for audience in waiting {
            let phase = is_taken.then_some(Told::Investigating);
            let text = starter(&self.incident, audience, phase, self.rules);
            let draft = Draft {
                audience,
                sort: Some(Sort::Holding),
                phase: Some(Told::Investigating),
                impact: None,
                title: None,
                text,
                next: Next::Usual,
                mends: None,
                channels: Vec::new(),
            };
            // Without a name for those outside there is nothing that could be said to them.
            let Ok(wording) = fill_in(&draft, &self.incident, self.rules, self.now) else { continue };
            let (number, channels) = (self.incident.voice.next_number(), wording.channels.clone());
            self.dispatch(Fact::Voice(Say::Drafted { number, wording, found: Vec::new() }))?;
            let published = Say::Published {
                number,
                wording: self.incident.seq,
                right: if is_taken { Right::Template } else { Right::Detected },
                channels: channels.clone(),
            };
            self.dispatch(Fact::Voice(published))?;
            self.letters.extend(channels.into_iter().map(|channel| Letter::Statement { channel, number }));
        }
        if self.incident.voice.holding_at.is_some() {
            let why = "there is no name for it that those outside know".to_owned();
            self.dispatch(Fact::Voice(Say::HoldingStopped { why }))?;
            return Ok(Reason::Recorded);
        }
        Ok(Reason::Published)
    }

    /// Somebody who answers for it says hold.
    fn holds_back(&mut self, why: &str) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let leads = self.answers_for_it().is_some_and(|(commander, _)| commander == person);
        let deputy = self.incident.offices.holder(Office::Deputy) == Some(&*person);
        if !leads && !deputy && !self.is_pio(&person) && !self.is_administrator(&person) {
            return Err(Refusal::NotAllowed("the Commander, the Deputy or the PIO says hold".to_owned()));
        }
        if self.incident.voice.holding_at.is_none() {
            return Err(Refusal::WrongState("nothing is about to go out by itself"));
        }
        let why = words_or_none(why, "the reason")?;
        let why =
            if why.is_empty() { format!("{person} says hold") } else { format!("{person} says hold: {why}") };
        self.say(Say::HoldingStopped { why })
    }
}

/// Whether it says no more than that something was noticed.
fn is_detected(one: &Statement) -> bool {
    matches!(one.stage, Stage::Published { right: Right::Detected, .. })
}

/// What has changed since an approval.
fn moved(then: &Situation, now: &Situation) -> String {
    let mut changes = Vec::new();
    if then.term != now.term {
        changes.push(format!("command has passed (term {}, was {})", now.term, then.term));
    }
    if then.severity != now.severity {
        changes.push(format!("it is {}, and was {}", now.severity.as_str(), then.severity.as_str()));
    }
    if then.state != now.state {
        changes.push(format!("it is {}, and was {}", now.state, then.state));
    }
    changes.join(", and ")
}

fn fits(too_long: &[TooLong]) -> Result<(), Refusal> {
    if too_long.is_empty() {
        return Ok(());
    }
    let each = too_long
        .iter()
        .map(|one| format!("{} takes {} {}, and it has {}", one.channel, one.most, one.unit, one.size));
    Err(bad(&format!("it is too long: {}", each.collect::<Vec<_>>().join("; "))))
}

/// Nothing of it is such that nobody can let it pass.
fn not_blocked(found: &[Finding]) -> Result<(), Refusal> {
    let found: Vec<Finding> = found.iter().filter(|one| one.weight == Weight::Block).cloned().collect();
    if found.is_empty() { Ok(()) } else { Err(Refusal::Disclosed { found }) }
}

/// Nothing of it waits for a second person.
fn may_pass(found: &[Finding], known: &Statement) -> Result<(), Refusal> {
    not_blocked(found)?;
    let waits = second(found, known);
    if waits.is_empty() {
        return Ok(());
    }
    let is_waited_for = |one: &&Finding| one.weight == Weight::Second && waits.contains(one.rule.as_str());
    Err(Refusal::Disclosed { found: found.iter().filter(is_waited_for).cloned().collect() })
}

/// The rules whose findings a second person has to let pass, and nobody has.
fn second(found: &[Finding], known: &Statement) -> BTreeSet<String> {
    let open = found.iter().filter(|one| one.weight == Weight::Second).map(|one| one.rule.as_str());
    open.filter(|rule| !known.is_overridden(rule)).map(str::to_owned).collect()
}

fn rules_of<'a>(found: impl Iterator<Item = &'a Finding>) -> Vec<String> {
    let rules: BTreeSet<&str> = found.map(|one| one.rule.as_str()).collect();
    rules.into_iter().map(str::to_owned).collect()
}
