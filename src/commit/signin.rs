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
use crate::store::sessions::{self, TooMany};
use crate::store::tokens::{self, Holder};
use crate::store::{StoreError, nodes};

/// What is kept of a secret.
type Hash = [u8; 32];

/// What is asked about who is signed in.
#[derive(Debug)]
pub enum SignIn {
    /// Somebody who is not signed in asks for a link by mail.
    Ask {
        /// For whom: nobody, when there is nobody of the name that was given. Nothing happens then, in the same time.
        person: Option<String>,
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
        /// Whose it is.
        person: String,
        /// See [`SignIn::Open`].
        session: Hash,
    },
    /// A session is used.
    Used(Hash),
    /// A session ends, by whose it is.
    Out(Hash),
    /// A session ends, by its id.
    End(String),
    /// All sessions of a person end, and their links.
    EndAll(String),
}

impl Work<'_, '_> {
    pub(super) fn sign_in(&mut self, asked: &SignIn) -> Result<Result<Reply, DoorError>, StoreError> {
        let tx = self.tx;
        match asked {
            SignIn::Ask { person, next } => self.mail_link(person.as_deref(), next.as_deref())?,
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
                self.begin(session, &Holder::Person(person), None, before.as_ref())?;
            }
            SignIn::Token { token, session, before } => {
                let Some(token) = tokens::api_token(tx, token)? else { return Ok(Err(DoorError::NoLogin)) };
                tracing::info!(token.id, token.holder = token.holder.name(), "somebody signed in by a token");
                self.begin(session, &token.holder, Some(&token.id), before.as_ref())?;
            }
            SignIn::Answered { link, person, session } => {
                // Of a page on which a program has pressed, nobody knows who has it open.
                let doubted = tokens::robot_at(tx, link)?.is_some();
                if doubted || !self.house.rules.people.contains_key(person) {
                    return Ok(Err(DoorError::NoLogin));
                }
                tracing::info!(person, "somebody signed in by answering a page");
                self.begin(session, &Holder::Person(person.clone()), None, None)?;
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
        token: Option<&str>,
        before: Option<&Hash>,
    ) -> Result<(), StoreError> {
        if let Some(before) = before {
            sessions::log_out(self.tx, before)?;
        }
        sessions::put(self.tx, session, holder, token).map(drop)
    }

    fn mail_link(&mut self, person: Option<&str>, next: Option<&str>) -> Result<(), StoreError> {
        let house = self.house;
        let known = person.and_then(|name| house.rules.people.get_key_value(name));
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

    /// What is over goes, and whoever has left the house is signed out for good. While nodes run with different configurations,
    /// somebody may be new to one of them.
    pub(super) fn forget_signed_in(&mut self) -> Result<(), StoreError> {
        sessions::forget(self.tx)?;
        let mut left = sessions::people(self.tx)?;
        left.retain(|name| !self.house.rules.people.contains_key(name));
        if left.is_empty() || !nodes::agree(self.tx, &self.house.config_hash)? {
            return Ok(());
        }
        for name in &left {
            sessions::end_all(self.tx, name)?;
            tracing::info!(person = name, "signed out: the configuration does not know them any more");
        }
        Ok(())
    }
}
