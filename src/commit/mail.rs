//! Mail about letters: which letter a message answers, what that means, and what is written of it, in one transaction.

use jiff::SignedDuration;

use super::acts::Work;
use super::outbox::To;
use super::{DELIVERIES_KEPT, Delivered, Done, DoorError, MailResult, Posted, Reply, Unread};
use crate::channels::Channel;
use crate::core::audience::Audience;
use crate::core::decide::{Act, By, Reason, Refusal};
use crate::core::incident::Incident;
use crate::core::letter::Misread;
use crate::core::mail::{self, Ignored, Letter, Mail, Meaning, What};
use crate::core::timeline::{Actor, Route};
use crate::house::SUBSCRIPTION;
use crate::store::letters::{self, Kind};
use crate::store::{StoreError, unreadable};

/// Beside the ids of deliveries stands what was told of replies, under the name of a source that none can have.
const TOLD: &str = "onscene:told";
/// Most letters that tell one person of replies to one incident.
const TOLD_MAX: u32 = 3;

impl Work<'_, '_> {
    /// Takes a message: an answer, a report, or, when no letter of ours is meant, an alert.
    pub(super) fn post(&mut self, posted: &Posted) -> Result<Done, StoreError> {
        let Posted { mail, delivered } = posted;
        let found = self.letter_of(mail)?;
        let letter = found.as_ref().map(|(letter, _)| letter);
        if letter.is_none() && mail.alert.is_some() && !self.is_surely_ours(mail) {
            return Ok(Done::Heard(self.take(delivered)?));
        }
        self.hear(mail, found.as_ref(), delivered)
    }

    /// Takes a message that cannot be understood, by somebody who may raise no alerts. When it names a letter that is known,
    /// it is for others to keep it: ids of the form of ours are anybody's.
    pub(super) fn post_unread(&mut self, unread: &Unread) -> Result<Option<Done>, StoreError> {
        match &unread.about {
            Some(mail) if self.letter_of(mail)?.is_none() => self.hear(mail, None, &unread.rest).map(Some),
            _ => Ok(None),
        }
    }

    fn hear(
        &mut self,
        mail: &Mail,
        found: Option<&(Letter, bool)>,
        delivered: &Delivered,
    ) -> Result<Done, StoreError> {
        if self.was_replayed(delivered.replays)? {
            return Ok(done(mail, "ignored", None, "it was read meanwhile"));
        }
        self.received_at = Some(delivered.received_at);
        self.effects.received(&delivered.source, &delivered.kind, 1);
        let result = self.answer(mail, found, &delivered.source)?;
        self.effects.outcome(&delivered.source, result.outcome);
        self.tell_all_read(delivered)?;
        tracing::info!(
            source.name = delivered.source,
            incident.id = result.incident,
            outcome = result.outcome,
            reason = result.reason,
            "a mail was read"
        );
        Ok(Done::Reply(Reply::Mail(result)))
    }

    /// The nearest letter that a message names, and whether that is what it answers. Of several, one that was for its sender.
    fn letter_of(&self, mail: &Mail) -> Result<Option<(Letter, bool)>, StoreError> {
        let mut nearest = None;
        for (place, name) in mail.names.iter().enumerate() {
            let Some(letter) = letters::by_id(self.tx, &name.letter)? else { continue };
            if mail.what != What::Written || mail.is_from_whom(&letter, &self.house.rules) {
                return Ok(Some((letter, mail.direct && place == 0)));
            }
            nearest = nearest.or(Some((letter, mail.direct && place == 0)));
        }
        Ok(nearest)
    }

    /// An id of the same form may be anybody's. One of our own domain, or a thread of an incident, is not: it answers
    /// a letter that was forgotten, or was never written.
    fn is_surely_ours(&self, mail: &Mail) -> bool {
        mail.in_thread || self.names_our_domain(mail)
    }

    fn names_our_domain(&self, mail: &Mail) -> bool {
        let own = self.house.mailer.as_ref().map(|mailer| mailer.domain());
        mail.names.iter().any(|name| Some(name.domain.as_str()) == own.as_deref())
    }

    fn answer(
        &mut self,
        mail: &Mail,
        letter: Option<&(Letter, bool)>,
        source: &str,
    ) -> Result<MailResult, StoreError> {
        let ignored = |why: Ignored| MailResult::ignored(mail, why);
        let Some((letter, direct)) = letter else { return Ok(ignored(self.unnamed(mail)?)) };
        if self.hear_of_a_subscriber(mail, letter, source)? {
            return Ok(result(mail, "ignored", None, "a letter to a subscriber came back"));
        }
        let incident = self.home_of(letter.incident)?;
        let letter = self.as_it_came_back(mail, letter)?;
        let Some(saved) = self.memory.incident(self.tx, incident)? else {
            return Ok(ignored(Ignored::UnknownLetter));
        };
        let misread = mail::misread(mail, &letter, *direct, &saved.incident, &self.house.rules);
        let meant = match mail::meaning(mail, &letter, *direct, &saved.incident, &self.house.rules) {
            Ok(meant) => meant,
            Err(why) => {
                self.tell_of(&letter, misread)?;
                return Ok(ignored(why));
            }
        };
        // Only what does something is remembered: a stranger must not use up the id of an answer that is still to come.
        if !unreadable::first_time(self.tx, source, &mail.id)? {
            return Ok(result(mail, "repeated", Some(incident), "this message was taken before"));
        }
        let is_question = letter.person.is_empty() && mail.what == What::Written;
        let result = self.carry_out(mail, incident, meant)?;
        if is_question && result.outcome == "acknowledged" {
            self.answer_question(mail, &letter, &saved.incident)?;
        }
        self.tell_of(&letter, misread)?;
        Ok(result)
    }

    /// Whoever asks how it goes is told where and when it will be said: once a letter, so that programs that answer answers come to
    /// an end. They had that letter, for nobody else knows its id.
    fn answer_question(
        &mut self,
        mail: &Mail,
        letter: &Letter,
        incident: &Incident,
    ) -> Result<(), StoreError> {
        let house = self.house;
        let (Some(from), Some(Channel::Mail(_))) = (&mail.from, house.channels.get(&letter.channel)) else {
            return Ok(());
        };
        if !unreadable::first_time(self.tx, TOLD, &format!("{}/asked", letter.id))? {
            return Ok(());
        }
        let audience = house.rules.channels.iter().find(|(name, _)| *name == letter.channel);
        let audience = audience.map_or(Audience::Public, |(_, audience)| *audience);
        let public = house.public.as_ref().and_then(|public| public.url.as_deref());
        let mut words = crate::render::to_a_question(incident, audience, public, self.tx.now);
        // As to those who subscribe: it says nothing but its words.
        words.event_type = SUBSCRIPTION.to_owned();
        let to = To { person: "", channel: &letter.channel, address: from };
        self.write(0, Kind::Notice, &to, &words, (None, SignedDuration::ZERO)).map(drop)
    }

    /// A page that came back reached nobody by mail, whatever the relay said when it took it. Other ways of it stand, or are
    /// taken at once when they only waited for mail.
    fn as_it_came_back(&mut self, mail: &Mail, letter: &Letter) -> Result<Letter, StoreError> {
        let mut letter = letter.clone();
        if let What::Bounce { failed: true, why } = &mail.what
            && letter.wakes
        {
            let why = format!("it came back: {why}");
            letters::came_back(self.tx, &letter.id, &why)?;
            letter.otherwise = letters::unreached(self.tx, letter.page)?.is_none();
            if letter.incident == 0 {
                self.test_came_back(&letter, &why)?;
            }
            self.effects.wrote();
        }
        Ok(letter)
    }

    /// A message that names no letter that is known does nothing. Who was called and wrote it is told so: some mail programs
    /// and relays lose what a reply answers, and some people write a new mail.
    fn unnamed(&mut self, mail: &Mail) -> Result<Ignored, StoreError> {
        let house = self.house;
        let known = mail.incident.map_or(Ok(None), |id| self.memory.incident(self.tx, id))?;
        let told = known.and_then(|saved| {
            mail::unnamed(mail, &saved.incident, &house.rules).map(|person| (saved.incident.id, person))
        });
        Ok(match told {
            _ if mail.what == What::Own => Ignored::Own,
            Some((incident, person)) => {
                self.tell(&format!("mail/{}", mail.id), incident, person, Misread::Unnamed)?;
                Ignored::UnknownLetter
            }
            // A person of ours may answer a letter that was forgotten; of anybody else an id of its form proves nothing.
            None if mail.stranger && !(self.names_our_domain(mail) && mail.is_by_a_person(&house.rules)) => {
                Ignored::Stranger
            }
            None => Ignored::UnknownLetter,
        })
    }

    /// Tells the person of a letter that a reply to it did not do what they may believe.
    fn tell_of(&mut self, letter: &Letter, misread: Option<Misread>) -> Result<(), StoreError> {
        let Some(why) = misread else { return Ok(()) };
        // Whom it was told is remembered for as long as ids of deliveries are.
        let age = self.tx.now.duration_since(letter.written_at);
        if age >= DELIVERIES_KEPT {
            return Ok(());
        }
        let incident = self.home_of(letter.incident)?;
        self.tell(&letter.id, incident, &letter.person, why)
    }

    /// Tells somebody of a reply: once for each letter or nameless mail, whoever hears it, and a few times for each incident, so
    /// that a program that answers our answers comes to an end.
    fn tell(&mut self, about: &str, incident: i64, person: &str, why: Misread) -> Result<(), StoreError> {
        if !unreadable::first_time(self.tx, TOLD, about)? {
            return Ok(());
        }
        for number in 1..=TOLD_MAX {
            let id = format!("{incident}/{person}/{number}");
            if unreadable::first_time(self.tx, TOLD, &id)? {
                let by = By { actor: Actor::Dispatch, route: Route::Mail, occurred_at: None };
                let _refused = self.act(incident, Act::Tell { person: person.to_owned(), why }, &by)?;
                break;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, mail: &Mail, incident: i64, meant: Meaning) -> Result<MailResult, StoreError> {
        let Meaning { by, acts, instead } = meant;
        let mut acts = acts.into_iter();
        let Some(first) = acts.next() else { return Ok(result(mail, "ignored", Some(incident), "")) };
        let refused = match self.act(incident, first, &by)? {
            Ok(reply) => {
                let reason = reason_of(&reply);
                for act in acts {
                    let _refused = self.act(incident, act, &by)?;
                }
                return Ok(result(mail, "acknowledged", Some(incident), reason));
            }
            // The command ends, and the message comes again.
            Err(DoorError::Refused(Refusal::Fault(_))) => {
                return Err(StoreError::Decode("a decision about a mail did not follow from the state"));
            }
            Err(refused) => refused,
        };
        // What somebody said is not lost because it comes too late.
        if let Some(instead @ Act::Note { .. }) = instead {
            let _refused = self.act(incident, instead, &by)?;
        }
        Ok(result(mail, "ignored", Some(incident), &refused.to_string()))
    }
}

fn reason_of(reply: &Reply) -> &'static str {
    match reply {
        Reply::Decided(_, reason) => reason.as_str(),
        _ => Reason::Recorded.as_str(),
    }
}

fn result(mail: &Mail, outcome: &'static str, incident: Option<i64>, reason: &str) -> MailResult {
    MailResult { key: mail.id.clone(), outcome, incident, reason: reason.to_owned(), stranger: false }
}

fn done(mail: &Mail, outcome: &'static str, incident: Option<i64>, reason: &str) -> Done {
    Done::Reply(Reply::Mail(result(mail, outcome, incident, reason)))
}
