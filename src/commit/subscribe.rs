//! Subscribers of the public statements, inside the transaction: see `store/subscribers.rs` for what is kept.
//!
//! What goes to all of them is kept as one row with the decision, and written to each by and by, a bounded number a
//! transaction, so that ten thousand readers keep no page waiting. No address is logged.

use jiff::SignedDuration;

use super::Reply;
use super::acts::{Sent, Work};
use super::outbox::To;
use crate::core::decide::{Act, By};
use crate::core::mail::{Letter, Mail, What};
use crate::house::SUBSCRIPTION;
use crate::render::{Words, escape};
use crate::store::letters::{self, Claim, Kind};
use crate::store::subscribers::{self, ASKED_LASTS, Mailing, Purpose, Subscriber};
use crate::store::{StoreError, tokens, unreadable};

/// Letters to subscribers that are written in one transaction.
const AT_ONCE: u32 = 200;

/// What is asked about subscribers.
pub enum Subscribing {
    /// Somebody asks for statements by mail, for an address that may be anybody's. Nobody learns what came of it.
    Ask {
        /// The address.
        address: String,
    },
    /// The button behind a link that confirms is pressed.
    Confirm {
        /// What stands in the link.
        token: String,
    },
    /// The button behind a link that ends is pressed, or a mail program follows it.
    End {
        /// What stands in the link.
        token: String,
    },
    /// An address is forgotten, in every list.
    Remove {
        /// The address.
        address: String,
    },
    /// The oldest letter to all subscribers is written to some more of them.
    Expand,
}

impl std::fmt::Debug for Subscribing {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither addresses nor links are shown.
        to.write_str(match self {
            Self::Ask { .. } => "Ask",
            Self::Confirm { .. } => "Confirm",
            Self::End { .. } => "End",
            Self::Remove { .. } => "Remove",
            Self::Expand => "Expand",
        })
    }
}

impl Work<'_, '_> {
    /// Answers whether there was anything to do; of [`Subscribing::Ask`] nothing.
    pub(super) fn subscribe(&mut self, asked: &Subscribing) -> Result<Reply, StoreError> {
        let tx = self.tx;
        let named = |channel: &str, address: &str| self.house.is_named(channel, address);
        Ok(Reply::Looked(match asked {
            Subscribing::Ask { address } => {
                self.ask_to_confirm(address)?;
                return Ok(Reply::Done);
            }
            Subscribing::Confirm { token } => subscribers::confirm(tx, token)?,
            Subscribing::End { token } => subscribers::end(tx, token, named)?,
            Subscribing::Remove { address } => subscribers::remove(tx, &address.to_lowercase(), named)? > 0,
            Subscribing::Expand => self.write_to_some()?,
        }))
    }

    fn ask_to_confirm(&mut self, address: &str) -> Result<(), StoreError> {
        let house = self.house;
        let Some(list) = house.list.as_ref().filter(|list| list.takes) else { return Ok(()) };
        // It goes there already.
        if house.is_named(&list.channel, address) {
            return Ok(());
        }
        let Some(subscriber) = subscribers::ask(self.tx, &list.channel, &address.to_lowercase())? else {
            return Ok(());
        };
        let key = tokens::answer_key(self.tx)?;
        let link = format!("{}/confirm?token={}", list.url, subscriber.token(&key, Purpose::Confirm));
        let hours = ASKED_LASTS.as_hours();
        let said = format!("Somebody asked that updates of {} be sent to this address.", list.title);
        let press = format!("If that was you, open this page within {hours} hours and press its button:");
        let other = "If it was not, do nothing: no more will come, and the address is forgotten.";
        let words = Words {
            subject: format!("Please confirm: updates of {}", list.title),
            text: format!("{said}\n\n{press}\n{link}\n\n{other}\n"),
            html: format!(
                "<!doctype html><html><body><p>{}</p><p>{}<br><a href=\"{2}\">{2}</a></p><p>{3}</p></body></html>",
                escape(&said),
                escape(&press),
                escape(&link),
                escape(other),
            ),
            data: serde_json::json!({}),
            event_type: SUBSCRIPTION.to_owned(),
            incident_state: String::new(),
            page_attempt: 0,
            short: String::new(),
            answer: None,
            meet: None,
            statement: None,
        };
        let to = To { person: "", channel: &list.channel, address: &subscriber.address };
        self.write(0, Kind::Notice, &to, &words, (None, SignedDuration::ZERO)).map(drop)
    }

    /// Keeps a letter for all subscribers of a channel, if it has some. The words are those of any other letter of the channel.
    pub(super) fn write_to_subscribers(
        &mut self,
        incident: i64,
        channel: &str,
        words: &Words,
        statement: Option<u32>,
    ) -> Result<(), StoreError> {
        if self.house.list.as_ref().is_none_or(|list| list.channel != channel) {
            return Ok(());
        }
        subscribers::put_mailing(self.tx, incident, channel, &serde_json::to_string(words)?, statement)?;
        self.effects.wrote();
        Ok(())
    }

    /// Writes the oldest letter to some more. `true` while there is any left.
    fn write_to_some(&mut self) -> Result<bool, StoreError> {
        let house = self.house;
        let Some(mailing) = subscribers::next_mailing(self.tx)? else { return Ok(false) };
        let list = house.list.as_ref().filter(|list| list.channel == mailing.channel);
        let words: Option<Words> = serde_json::from_str(&mailing.payload).ok();
        let (Some(list), Some(words)) = (list, words) else {
            // The list has left the configuration: nobody waits for it there.
            self.ends_mailing(&mailing, "the list left the configuration")?;
            return Ok(true);
        };
        if let Some(number) = mailing.statement {
            let saved = self.memory.incident(self.tx, mailing.incident)?;
            if saved.is_some_and(|saved| saved.incident.voice.is_taken_back(number)) {
                // Who has not got it is told nothing of it.
                self.ends_mailing(&mailing, "it was taken back")?;
                return Ok(true);
            }
        }
        let (by, after) = (mailing.created_at, mailing.after);
        let some = subscribers::confirmed(self.tx, &mailing.channel, by, after, AT_ONCE)?;
        let key = tokens::answer_key(self.tx)?;
        let mut many = 0;
        for one in some.iter().filter(|one| !house.is_named(&mailing.channel, &one.address)) {
            let end = format!("{}/unsubscribe?token={}", list.url, one.token(&key, Purpose::End));
            self.write_to(one, &mailing, &with_end(&words, &end))?;
            many += 1;
        }
        subscribers::advance(self.tx, &mailing, some.last().map(|one| one.id), many)?;
        if some.is_empty() {
            tracing::info!(
                incident.id = mailing.incident,
                letter.channel = mailing.channel,
                subscribers = mailing.written,
                "a letter was written to every subscriber"
            );
            self.tell_how_many(&mailing, "")?;
        }
        Ok(true)
    }

    /// It is written to nobody else.
    fn ends_mailing(&mut self, mailing: &Mailing, because: &str) -> Result<(), StoreError> {
        subscribers::advance(self.tx, mailing, None, 0)?;
        self.tell_how_many(mailing, because)
    }

    fn write_to(&mut self, one: &Subscriber, mailing: &Mailing, words: &Words) -> Result<(), StoreError> {
        let to = To { person: "", channel: &mailing.channel, address: &one.address };
        let place = ((None, SignedDuration::ZERO), mailing.statement);
        self.enclose(mailing.incident, Kind::Status, &to, words, place).map(drop)
    }

    /// One line of the timeline for all of them. `because`: why there are no more.
    fn tell_how_many(&mut self, mailing: &Mailing, because: &str) -> Result<(), StoreError> {
        let Some(saved) = self.memory.incident(self.tx, mailing.incident)? else { return Ok(()) };
        let act = Act::Deliver {
            what: Kind::Status.as_str().to_owned(),
            to: mailing.channel.clone(),
            outcome: if mailing.written == 0 && !because.is_empty() { "superseded" } else { "accepted" }
                .to_owned(),
            why: match because {
                "" => format!("written to {} subscribers", mailing.written),
                because => format!("written to {} subscribers, and to no more: {because}", mailing.written),
            },
            statement: mailing.statement,
        };
        self.must(&saved, act, &By::dispatch()).map(drop)
    }

    /// Whether this letter is to a subscriber. What became of each is no matter of a timeline.
    pub(super) fn is_to_a_subscriber(&self, claim: &Claim) -> bool {
        claim.person.is_empty() && self.house.is_of_a_subscriber(&claim.channel, &claim.address)
    }

    /// A letter to a subscriber has come to its end. One that was refused because of the address counts like one that came back. What is
    /// of one mailbox alone is nobody's to mend; any other end is told of, once for all of a statement.
    pub(super) fn ended_for_a_subscriber(
        &mut self,
        claim: &Claim,
        outcome: &str,
        why: &str,
    ) -> Result<(), StoreError> {
        subscribers::forget_in(self.tx, claim)?;
        if !matches!(outcome, "refused" | "unknown") {
            return Ok(());
        }
        if outcome == "refused" && is_of_the_address(why) {
            return self.came_back_from(&claim.channel, &claim.address);
        }
        let Some(number) = claim.statement.filter(|_| !is_of_one_mailbox(why)) else { return Ok(()) };
        let saved = self.memory.incident(self.tx, claim.incident)?;
        let known = saved.as_ref().and_then(|saved| saved.incident.voice.statement(number));
        let reached = known.and_then(|known| known.reached.iter().find(|one| one.channel == claim.channel));
        if reached.is_some_and(|one| !matches!(one.outcome.as_str(), "" | "accepted")) {
            return Ok(());
        }
        let why = format!("not all subscribers may get it: {why}");
        self.conclude(&Sent::from(claim), "partly", &why).map(drop)
    }

    /// Whether a report is of a letter to a subscriber; then it was counted, once.
    pub(super) fn hear_of_a_subscriber(
        &mut self,
        mail: &Mail,
        letter: &Letter,
        source: &str,
    ) -> Result<bool, StoreError> {
        let (true, What::Bounce { failed: true, why }) = (letter.person.is_empty(), &mail.what) else {
            return Ok(false);
        };
        let address = letters::address_of(self.tx, &letter.id)?.unwrap_or_default();
        if !self.house.is_of_a_subscriber(&letter.channel, &address) {
            return Ok(false);
        }
        if unreadable::first_time(self.tx, source, &mail.id)? && is_of_a_dead_address(why) {
            self.came_back_from(&letter.channel, &address)?;
        }
        Ok(true)
    }

    fn came_back_from(&mut self, channel: &str, address: &str) -> Result<(), StoreError> {
        if subscribers::bounced(self.tx, channel, address)? {
            tracing::info!(letter.channel = channel, "a subscription has ended: its letters came back");
        }
        Ok(())
    }
}

/// Whether a relay refused an address that is none, and not us or what we wrote.
fn is_of_the_address(why: &str) -> bool {
    // What was given up, or never tried, says nothing of the address; nor does that we may not send by this relay.
    let answer = answered(why);
    let is_ours =
        || answer.to_lowercase().contains("relay") && !answer.to_lowercase().contains("relay recipient");
    !why.starts_with("given up") && !is_ours() && is_of_a_dead_address(answer)
}

/// What a relay said, without its own name, which may be any word.
fn answered(why: &str) -> &str {
    why.rsplit_once(" answered ").map_or(why, |(_, answer)| answer)
}

/// Whether it is the state of one mailbox, or of one address, that a letter was not taken for (RFC 3463, 3.2 and 3.3; RFC 5321, 4.2.3):
/// it is full, or put off by a list of the server.
fn is_of_one_mailbox(why: &str) -> bool {
    let words =
        why.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).map(|word| word.trim_matches('.'));
    let is_enhanced = |word: &&str| word.split('.').count() == 3 && word.starts_with(['4', '5']);
    let is_list = || why.to_lowercase().contains("greylist") || why.to_lowercase().contains("graylist");
    match words.clone().find(is_enhanced).map(|code| code.split('.').collect::<Vec<_>>()) {
        // Of addresses 7 and 8 are the sender's.
        Some(code) if code[1] == "1" => !matches!(code[2], "7" | "8"),
        Some(code) => code[1] == "2" || is_list(),
        None => is_list() || words.clone().any(|word| matches!(word, "450" | "452" | "552")),
    }
}

/// Whether a report, or a relay, says that there is no such mailbox or domain (RFC 3463), and not what it thinks of us.
fn is_of_a_dead_address(why: &str) -> bool {
    let mut words =
        why.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).map(|word| word.trim_matches('.'));
    let dead = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"];
    if words.clone().any(|word| dead.contains(&word)) {
        return true;
    }
    let is_enhanced = |word: &str| word.starts_with("5.") && word.split('.').count() == 3;
    words.clone().any(|word| matches!(word, "550" | "551" | "553")) && !words.any(is_enhanced)
}

/// The words with how to get no more of them.
fn with_end(words: &Words, end: &str) -> Words {
    let mut words = words.clone();
    words.text = format!(
        "{}\n\n-- \nYou asked for these updates. To get no more of them: {end}\n",
        words.text.trim_end()
    );
    if !words.html.is_empty() {
        let end = escape(end);
        let note = format!(
            "<p><small>You asked for these updates. <a href=\"{end}\">Get no more of them</a></small></p>"
        );
        words.html = match words.html.rfind("</body>") {
            Some(at) => format!("{}{note}{}", &words.html[..at], &words.html[at..]),
            None => format!("{}{note}", words.html),
        };
    }
    if let Some(data) = words.data.as_object_mut() {
        data.insert("unsubscribe".to_owned(), end.into());
    } else {
        words.data = serde_json::json!({"unsubscribe": end});
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{is_of_a_dead_address, is_of_one_mailbox, is_of_the_address};

    #[test]
    fn what_is_of_one_mailbox_is_told_from_what_keeps_all_from_it() {
        for why in [
            "given up after 12 attempts: mx answered 452 4.2.2 mailbox full",
            "relay.example.net answered 552 5.2.2 over quota",
            "given up after 12 attempts: mx.example.net: transient error (450): 450 mailbox busy",
            "mx.example.net answered permanent error (552): 552 mailbox full",
            "given up after 12 attempts: mx answered 451 4.7.1 greylisted",
        ] {
            assert!(is_of_one_mailbox(why), "{why}");
        }
        for why in [
            "mx answered 554 5.7.1 spam",
            "mx answered 550 5.7.26 the sender is not authenticated",
            "given up after 12 attempts: no relay answered in time",
            "given up after 12 attempts: mx answered 451 4.3.0 try later",
            "given up after 40 attempts: mx answered 450 4.1.8 Sender address rejected: Domain not found",
            "given up after 40 attempts: mx answered 450 4.7.1 Client host rejected",
            "mx answered 553 5.1.8 bad sender's system address",
            "the answer was lost",
        ] {
            assert!(!is_of_one_mailbox(why), "{why}");
        }
    }

    #[test]
    fn only_what_is_said_of_a_mailbox_or_a_domain_counts_against_it() {
        for dead in [
            "550 5.1.1 <r@example.org>: Recipient address rejected: User unknown in relay recipient table",
            "mx answered 550 5.1.1 no such user",
            "5.4.4 Host or domain name not found",
            "550 no such user here",
            "5.2.1 mailbox disabled",
            "5.1.10 null MX",
        ] {
            assert!(is_of_the_address(dead) && is_of_a_dead_address(dead), "{dead}");
        }
        for ours in [
            "550-5.7.26 the sender is not authenticated",
            "550 5.7.1 relaying denied",
            "553 5.1.8 bad sender's system address",
            "5.2.2 mailbox full",
            "554 5.3.4 too big",
            "550 5.4.1 access denied",
            "given up after 12 attempts: 550 no such user",
        ] {
            assert!(!is_of_the_address(ours), "{ours}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_told_from_a_relay_at_fault() {
        for why in [
            "mx.example.net answered 550 5.1.1 no such user",
            "answered 550 user unknown",
            "answered 552 5.2.1 mailbox disabled",
            "smtp-relay.example.com answered 550 5.1.1 no such user",
        ] {
            assert!(is_of_the_address(why), "{why}");
        }
        for why in [
            "answered 550 5.7.1 relaying denied",
            "answered 535 5.7.8 bad login",
            "answered 554 5.6.0 message refused",
            "no relay answered in time",
            "answered 550 5.4.1 access denied",
        ] {
            assert!(!is_of_the_address(why), "{why}");
        }
    }
}
