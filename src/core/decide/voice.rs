//! Statements: who writes, who lets them go out, and what makes an approval void.
//!
//! What must not be said was looked for by the door, in the words as they will be printed: see [`Wish::wording`].

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::command::{Office, Turn};
use super::super::disclosure::{Finding, Place, Rule, Weight};
use super::super::escalation::Staff;
use super::super::incident::Phase;
use super::super::letter::{Letter, News};
use super::super::timeline::{Actor, Fact};
use super::super::voice::{
    Phase as Told, Reached, Right, STATEMENTS_MAX, Say, Situation, Sort, Stage, Statement, Wording,
};
use super::wording::{bad, fill_in, heard_in, may_carry, one_line, stands_in, there_is_none, usual_title};
use super::{Draft, Reason, Refusal, Speech, TooLong, Wish, Work, words, words_or_none};

/// The PIO speaks without asking for no longer than this.
const DELEGATION_MAX: SignedDuration = SignedDuration::from_hours(8);
/// Longest question, and longest name of who asks, in characters.
pub const QUESTION_CHARS_MAX: usize = 2000;
const FROM_CHARS_MAX: usize = 100;
/// The PIO is told of questions no more often than this.
const QUESTIONS_APART: SignedDuration = SignedDuration::from_mins(10);

impl Work<'_> {
    pub(super) fn speaks(&mut self, speech: Speech) -> Result<Reason, Refusal> {
        let Speech { wish, found, too_long, there } = speech;
        if let Some(home) = self.incident.merged_into
            && !self.ends_what_was_said(&wish)
        {
            return Err(Refusal::NotThere(format!("it is part of INC-{home}; go on there")));
        }
        match wish {
            Wish::Draft { number, draft } => self.drafts(number, &draft, &found, &too_long),
            Wish::Return { number, why } => self.returns(number, &why),
            Wish::Override { number, wording, marks, why } => {
                self.overrides((number, wording), marks.as_deref(), &why, &found)
            }
            Wish::Approve { number, wording, term } => {
                self.approves(number, wording, term, &found, &too_long)
            }
            Wish::Publish { number, wording } => self.publishes((number, wording), &found, &too_long, &there),
            Wish::Resend { number, channel } => self.resends(number, channel.as_deref(), &found, &too_long),
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

    pub(super) fn say(&mut self, say: Say) -> Result<Reason, Refusal> {
        self.add(Fact::Voice(say))?;
        Ok(Reason::Recorded)
    }

    /// Readers of an incident that became part of another were told of this one: they are told that it is over, and what was wrong.
    fn ends_what_was_said(&self, wish: &Wish) -> bool {
        let ends = |sort| matches!(sort, Sort::Closing | Sort::Correction | Sort::Retraction);
        let number = match wish {
            Wish::Draft { draft, .. } => return ends(draft.sort.unwrap_or(Sort::Closing)),
            Wish::Return { number, .. }
            | Wish::Override { number, .. }
            | Wish::Approve { number, .. }
            | Wish::Publish { number, .. }
            | Wish::Resend { number, .. }
            | Wish::Drop { number, .. } => *number,
            _ => return false,
        };
        let known = self.incident.voice.statement(number);
        known.is_some_and(|known| ends(known.wording.sort) || !known.is_open())
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
        not_blocked(&as_written(found, &draft.text, &wording.text))?;
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
        let rules = rules_of(found.iter());
        self.add(Fact::Voice(Say::Drafted { number, wording, found: rules }))?;
        let Some(written) = self.incident.voice.statement(number).cloned() else {
            return Ok(Reason::Recorded);
        };
        let alone =
            self.by.actor.person().is_some_and(|person| self.right_of(person, &written, found).is_ok());
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
    pub(super) fn is_pio(&self, person: &str) -> bool {
        match self.incident.offices.holder(Office::Pio) {
            Some(holder) => holder == person,
            None => {
                // Offices end with the incident; who spoke has to say that it is over.
                let spoke = self.incident.pio.as_ref().is_some_and(|(pio, _)| pio == person);
                self.incident.offices.asked(Office::Pio) == Some(person)
                    || self.can_be_pio(person)
                    || !self.incident.is_open() && spoke
            }
        }
    }

    /// Who answers for the incident: who commands, or did when it ended.
    pub(super) fn answers_for_it(&self) -> Option<(String, u32)> {
        let command = match &self.incident.phase {
            Phase::Resolved { last, .. } => last.as_ref(),
            _ => self.incident.commander(),
        };
        command.map(|command| (command.person.clone(), command.term))
    }

    pub(super) fn is_administrator(&self, person: &str) -> bool {
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
        (number, wording): (u32, Option<u32>),
        read: Option<&[String]>,
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
        if read.is_some_and(|read| open.iter().any(|one| !read.contains(&one.mark()))) {
            return Err(Refusal::Void("more was found in it".to_owned()));
        }
        if !self.rules.people.contains_key(&known.by) {
            // Who reads what a program wrote is the first to read it.
            return Err(Refusal::NotAllowed(format!(
                "{} wrote statement {number}, and is no person: write it in your own name, and a second person reads it",
                known.by
            )));
        }
        if open.iter().any(|one| one.rule == Rule::Security) && !self.is_administrator(&person) {
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
        let (rules, marks) = (rules_of(open.iter().copied()), open.iter().map(|one| one.mark()).collect());
        self.say(Say::Overridden { number, wording: known.entry, rules, marks, why })
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
            let after = self.rules.pio.deputy_after;
            if !after.is_zero() && silent >= after {
                return Ok(Right::Deputy);
            }
            if after.is_zero() {
                return Err(Refusal::NotAllowed(format!("{commander} has command, and approves statements")));
            }
            return Err(Refusal::NotAllowed(format!(
                "{commander} has command and is heard of; the Deputy approves when they have been silent for {} minutes",
                after.as_mins()
            )));
        }
        Err(Refusal::NotAllowed(format!("the Commander approves statements: that is {commander}")))
    }

    fn publishes(
        &mut self,
        (number, wording): (u32, Option<u32>),
        found: &[Finding],
        too_long: &[TooLong],
        there: &[String],
    ) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let known = self.newest(number, wording)?;
        fits(too_long)?;
        may_pass(found, &known)?;
        let wording = &known.wording;
        if wording.next_by.is_some_and(|by| by <= self.now) {
            return Err(Refusal::Void("the hour of the next update that it promises is over".to_owned()));
        }
        if let Stage::Returned { .. } = known.stage {
            return Err(Refusal::Void("the Commander gave it back: write it anew".to_owned()));
        }
        if wording.phase == Told::Resolved && self.incident.is_open() && wording.sort != Sort::Closing {
            return Err(Refusal::Void("it says that it is over, and it is not".to_owned()));
        }
        let closes = wording.sort == Sort::Closing;
        if closes && self.incident.is_open() {
            return Err(Refusal::Void("the incident was opened again".to_owned()));
        }
        if wording.phase != Told::Resolved && !self.incident.is_open() && wording.sort == Sort::Update {
            return Err(Refusal::Void("the incident is over".to_owned()));
        }
        self.stands_still(&known)?;
        if wording.next_by.is_some() && !self.incident.is_open() {
            return Err(Refusal::Void("it promises an update, and the incident is over".to_owned()));
        }
        let is_left_alone = self.incident.is_open() && self.incident.commander().is_none();
        if (self.incident.term == 0 || is_left_alone) && !closes && wording.sort != Sort::Retraction {
            // Nobody may say that it is being looked at while nobody does.
            return Err(Refusal::NobodyCommands);
        }
        let right = self.right_of(&person, &known, found)?;
        self.comes_as_pio()?;
        let mut channels = self.still_there(&known);
        let lost =
            wording.channels.iter().filter(|name| !channels.contains(name)).cloned().collect::<Vec<_>>();
        if !lost.is_empty() {
            return Err(Refusal::Void(format!("{} left the configuration", lost.join(", "))));
        }
        let entry = known.entry;
        // Since they were written a fallback may have brought the words elsewhere, and letters may be on their way.
        let mended = wording.mends.and_then(|number| self.incident.voice.statement(number));
        let more = match mended {
            Some(mended) => stands_in(mended, self.rules),
            None if closes => heard_in(&self.incident, wording.audience, self.rules),
            None => Vec::new(),
        };
        for name in more.iter().chain(there) {
            if !channels.contains(name) && may_carry(self.rules, name, wording.audience, wording.sort) {
                channels.push(name.clone());
            }
        }
        self.add(Fact::Voice(Say::Published { number, wording: entry, right, channels: channels.clone() }))?;
        self.letters.extend(channels.into_iter().map(|channel| Letter::Statement { channel, number }));
        Ok(Reason::Published)
    }

    /// Nothing of what it is about, and not its title, was taken back since it was written.
    fn stands_still(&self, known: &Statement) -> Result<(), Refusal> {
        let (wording, voice) = (&known.wording, &self.incident.voice);
        let again = |mended| wording.sort == Sort::Retraction && voice.is_half_taken_back(mended);
        let is_over = |mended: u32| voice.is_taken_back(mended) && !again(mended);
        // What it takes back itself is taken back by it.
        let itself = known.published_at().is_some() && wording.sort == Sort::Retraction;
        if wording.mends.is_some_and(is_over) && !itself {
            return Err(Refusal::Void("what it is about was taken back".to_owned()));
        }
        let title = wording.title.as_str();
        let usual = usual_title(wording.audience, &self.incident, self.rules);
        if voice.is_title_gone_since(wording.audience, title, known.at)
            && !usual.is_ok_and(|usual| usual == title)
        {
            return Err(Refusal::Void("its title was taken back with another statement".to_owned()));
        }
        Ok(())
    }

    /// The channels of a statement that are still those of its audience.
    fn still_there(&self, known: &Statement) -> Vec<String> {
        let Wording { audience, sort, channels, .. } = &known.wording;
        channels.iter().filter(|name| may_carry(self.rules, name, *audience, *sort)).cloned().collect()
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
        // Nobody has it who could approve. Whoever speaks for the house says that it is over to those who had read that something was
        // noticed, and takes back what must not stand.
        let ends = match known.wording.sort {
            Sort::Closing => !self.incident.is_open(),
            sort => sort == Sort::Retraction,
        };
        if command.is_none() && ends {
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
    fn resends(
        &mut self,
        number: u32,
        channel: Option<&str>,
        found: &[Finding],
        too_long: &[TooLong],
    ) -> Result<Reason, Refusal> {
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
        if voice.is_taken_back(number) {
            return Err(Refusal::WrongState("it was taken back: it is not sent once more"));
        }
        let Wording { audience, sort, next_by, .. } = known.wording;
        let is_news = matches!(sort, Sort::Update | Sort::Holding);
        if is_news && !self.incident.is_open() {
            return Err(Refusal::WrongState("it is over: readers are to be told that, and not how it was"));
        }
        if sort == Sort::Closing && self.incident.is_open() {
            return Err(Refusal::WrongState("the incident was opened again: it is not over"));
        }
        self.stands_still(&known)?;
        if next_by.is_some_and(|by| by <= self.now) {
            return Err(Refusal::WrongState(
                "the hour of the next update that it promises is over: write how it is now",
            ));
        }
        let is_lost = |one: &&Reached| matches!(one.outcome.as_str(), "refused" | "unknown");
        let lost = known.reached.iter().filter(is_lost);
        let is_there = |name: &str| may_carry(self.rules, name, audience, sort);
        // What is wrong does not go where it is corrected already, nor that it is over where a newer word is. Of updates who has looked says
        // whether an older one is wanted still.
        let newer = |name: &str| {
            let is_word = |one: &&Statement| match one.wording.sort {
                Sort::Correction => one.wording.mends == Some(number),
                Sort::Retraction => false,
                _ => sort == Sort::Closing && one.number > number,
            };
            voice
                .published(audience)
                .filter(is_word)
                .any(|one| one.may_stand_in().iter().any(|at| at == name))
        };
        let channels: Vec<String> = lost
            .map(|one| one.channel.clone())
            .filter(|name| channel.is_none_or(|channel| channel == name) && is_there(name))
            .filter(|name| !newer(name))
            .collect();
        if channels.is_empty() {
            return Err(Refusal::WrongState(
                "it is there, or on its way, or corrected there: there is nowhere to send it once more",
            ));
        }
        let is_meant = |one: &TooLong| channels.contains(&one.channel);
        fits(&too_long.iter().filter(|one| is_meant(one)).cloned().collect::<Vec<_>>())?;
        // What must not stand is taken back, whatever an alert has come to say since.
        if sort == Sort::Retraction {
            not_blocked(found)?
        } else {
            may_pass(found, &known)?
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

    /// When it is over nobody has an office: who spoke, and who led, are told.
    pub(super) fn tell_who_spoke(&mut self, news: News) {
        if self.incident.is_open() {
            return;
        }
        let spoke = self.incident.pio.as_ref().map(|(person, _)| person.clone());
        let led = self.answers_for_it().map(|(person, _)| person);
        let people: std::collections::BTreeSet<String> = spoke.into_iter().chain(led).collect();
        people.iter().for_each(|person| self.tell(person, news));
    }

    /// Tells whoever sent a statement.
    pub(super) fn tell_who_sent(&mut self, number: Option<u32>, news: News) {
        let known = number.and_then(|number| self.incident.voice.statement(number));
        if let Some(Stage::Published { by, .. }) = known.map(|known| known.stage.clone()) {
            self.tell(&by, news);
        }
    }

    /// The alternates, too: somebody has to speak.
    pub(super) fn tell_all_who_can_speak(&mut self, news: News) {
        self.tell_who_speaks(news);
        let Some(service) = self.rules.services.get(self.incident.leads()) else { return };
        let people = Staff::regardless(self.staff, &service.pio, self.now);
        people.iter().for_each(|person| self.tell(person, news));
    }
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
    if changes.is_empty() {
        changes.push("it was otherwise since, and is again as it was when it was approved".to_owned());
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

/// Where it was found in the words as somebody wrote them: what a correction begins with was put before them.
fn as_written(found: &[Finding], written: &str, text: &str) -> Vec<Finding> {
    let before = text.len().saturating_sub(written.trim().replace("\r\n", "\n").len());
    let moved = |one: &Finding| match one.place {
        Place::Body => {
            let span = one.span.start.saturating_sub(before)..one.span.end.saturating_sub(before);
            Finding { span, ..one.clone() }
        }
        _ => one.clone(),
    };
    found.iter().map(moved).collect()
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
    Err(Refusal::Disclosed { found: waits.into_iter().cloned().collect() })
}

/// What a second person has to let pass, and nobody has.
fn second<'a>(found: &'a [Finding], known: &Statement) -> Vec<&'a Finding> {
    let waits = |one: &&Finding| one.weight == Weight::Second && !known.is_overridden(one);
    found.iter().filter(waits).collect()
}

fn rules_of<'a>(found: impl Iterator<Item = &'a Finding>) -> Vec<String> {
    let rules: BTreeSet<&str> = found.map(|one| one.rule.as_str()).collect();
    rules.into_iter().map(str::to_owned).collect()
}
