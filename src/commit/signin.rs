//! Signing in and out, inside the transaction: see `store/sessions.rs` for what is kept.
//!
//! A link is taken and its session made in one transaction, so of two who press its button one is signed in. A link that somebody
//! asked for on the page goes to the address of the configuration, through the outbox, and nobody who asks learns what became of
//! that; its secret stands in the letter until that has left, as the links of pages do.

use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use super::acts::Work;
use super::outbox::{To, no_randomness};
use super::{DoorError, Reply};
use crate::crypto;
use crate::store::letters::Kind;
use crate::store::sessions::{self, MadeOf, TooMany};
use crate::store::tokens::{self, Holder, Link, Purpose};
use crate::store::{StoreError, nodes};

/// What is kept of a secret.
type Hash = [u8; 32];

/// What is asked about who is signed in.
#[derive(Debug)]
pub enum SignIn {
    /// Somebody who is not signed in asks for a link by mail.
    Ask {
        /// For whom.
        person: String,
        /// Where they want to go.
        next: Option<String>,
    },
    /// Somebody makes a link who may.
    Link {
        /// Its secret.
        secret: SecretString,
        /// For whom.
        person: String,
    },
    /// The button behind a link is pressed.
    Open {
        /// Which link.
        link: Hash,
        /// What is kept of the secret of the new session.
        session: Hash,
        /// The session that this browser had until now.
        before: Option<Hash>,
    },
    /// Somebody signs in by a token of the API.
    Token {
        /// Which token.
        token: Hash,
        /// See [`SignIn::Open`].
        session: Hash,
        /// See [`SignIn::Open`].
        before: Option<Hash>,
    },
    /// Somebody has answered a page by its link, as humans do, and goes on to the pages.
    Answered {
        /// Which link, by [`tokens::link_hash`].
        link: Hash,
        /// See [`SignIn::Open`].
        session: Hash,
        /// See [`SignIn::Open`].
        before: Option<Hash>,
    },
    /// A session is used.
    Used(Hash),
    /// A session ends, by whose it is.
    Out(Hash),
    /// A session ends, by its id.
    End(String),
    /// All sessions of a person end, and their login links; the answer links that they have make none any more.
    EndAll(String),
}

impl Work<'_, '_> {
    pub(super) fn sign_in(&mut self, asked: &SignIn) -> Result<Result<Reply, DoorError>, StoreError> {
        let tx = self.tx;
        match asked {
            SignIn::Ask { person, next } => self.mail_link(person, next.as_deref())?,
            SignIn::Link { secret, person } => {
                if let Err(TooMany::Theirs(open) | TooMany::Mailed(open)) =
                    sessions::put_link(tx, secret.expose_secret(), person, false)?
                {
                    return Ok(Err(DoorError::TooManyLogins(open)));
                }
            }
            SignIn::Open { link, session, before } => {
                let person = sessions::take_link(tx, link)?;
                let Some(person) = person.filter(|name| self.house.rules.people.contains_key(name)) else {
                    return Ok(Err(DoorError::NoLogin));
                };
                tracing::info!(person, "somebody signed in by a link");
                self.begin(session, &Holder::Person(person), &MadeOf::LoginLink, before.as_ref())?;
            }
            SignIn::Token { token, session, before } => {
                let Some(token) = tokens::api_token(tx, token)? else { return Ok(Err(DoorError::NoLogin)) };
                tracing::info!(token.id, token.holder = token.holder.name(), "somebody signed in by a token");
                self.begin(session, &token.holder, &MadeOf::Token(token.id), before.as_ref())?;
            }
            SignIn::Answered { link, session, before } => {
                let Some(Link { incident, person, .. }) = self.enters_by(link)? else {
                    return Ok(Err(DoorError::NoLogin));
                };
                tracing::info!(person, incident.id = incident, "somebody signed in by answering a page");
                let made_of = MadeOf::AnswerLink(incident);
                self.begin(session, &Holder::Person(person), &made_of, before.as_ref())?;
            }
            SignIn::Used(session) => sessions::note(tx, session)?,
            SignIn::Out(session) => sessions::log_out(tx, session)?,
            SignIn::End(id) if !sessions::end(tx, id)? => return Ok(Err(DoorError::NoSession(id.clone()))),
            SignIn::End(_) => {}
            SignIn::EndAll(person) => {
                sessions::end_all(tx, person)?;
            }
        }
        Ok(Ok(Reply::Done))
    }

    fn begin(
        &mut self,
        session: &Hash,
        holder: &Holder,
        made_of: &MadeOf,
        before: Option<&Hash>,
    ) -> Result<(), StoreError> {
        if let Some(before) = before {
            sessions::log_out(self.tx, before)?;
        }
        sessions::put(self.tx, session, holder, made_of).map(drop)
    }

    /// An answer link by which its person may come in.
    fn enters_by(&self, link: &Hash) -> Result<Option<Link>, StoreError> {
        let tx = self.tx;
        let Some((found, made_at)) = tokens::link_made(tx, link)? else { return Ok(None) };
        let is_known = found.purpose != Purpose::Test && self.house.rules.people.contains_key(&found.person);
        // Of a page on which a program has pressed, nobody knows who has it open.
        let may = is_known
            && tokens::robot_at(tx, link)?.is_none()
            && sessions::may_enter(tx, &found.person, made_at)?
            && sessions::is_of_today(tx, found.incident, tx.now)?;
        Ok(may.then_some(found))
    }

    fn mail_link(&mut self, person: &str, next: Option<&str>) -> Result<(), StoreError> {
        let house = self.house;
        let known = house.rules.people.get_key_value(person);
        let Some((name, known)) = known.filter(|(_, known)| !known.email.is_empty()) else { return Ok(()) };
        let secret = crypto::random_secret().map_err(no_randomness)?;
        if let Err(why) = sessions::put_link(self.tx, &secret, name, true)? {
            tracing::warn!(person = name, ?why, "no login link goes out: there are too many already");
            return Ok(());
        }
        let words = house.renderer.login_words(name, &house.rules, &secret, next);
        let to = To { person: name, channel: "", address: &known.email };
        self.write(0, Kind::Notice, &to, &words, (None, SignedDuration::ZERO))?;
        tracing::info!(person = name, "a login link goes out by mail");
        Ok(())
    }

    /// What is over goes, and whoever has left the house is signed out for good, and their tokens are revoked: the name may be
    /// given to somebody else. Also when the configuration has lost them by mistake, it does not come back by itself.
    /// While nodes run with different configurations, somebody may be new to one of them.
    pub(super) fn forget_signed_in(&mut self) -> Result<(), StoreError> {
        sessions::forget(self.tx)?;
        let mut left = sessions::people(self.tx)?;
        left.retain(|name| !self.house.rules.people.contains_key(name));
        if left.is_empty() || !nodes::agree(self.tx, &self.house.config_hash)? {
            return Ok(());
        }
        for name in &left {
            let sessions = sessions::end_all(self.tx, name)?;
            let tokens = tokens::revoke_all(self.tx, name)?;
            tracing::warn!(
                person = name,
                sessions,
                tokens,
                "the configuration does not know them any more: their logins have ended and their tokens are revoked for good; if \
                 that was a mistake, they log in anew, and `onscene token create` makes new tokens"
            );
        }
        Ok(())
    }
}
