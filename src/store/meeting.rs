//! What a store knows of places where people meet: which services were struck, and what strangers cannot guess.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret as _, SecretString};

use super::migrate::ANSWER_KEY;
use super::mirror::AS_OF;
use super::{Bind, StoreError, Tx};
use crate::core::incident::Incident;
use crate::core::meeting::{self, Meeting};
use crate::core::rules::Rules;
use crate::crypto;

/// Under this name a mirror keeps the key of its store.
pub(super) const MIRRORED_KEY: &str = "mirror.meeting";
/// What else is made of the same key says something else here.
const PURPOSE: &[u8] = b"onscene meeting places 1\0";
/// Hexadecimal digits that make an address one which nobody guesses: 96 bits.
const SECRET_DIGITS: usize = 24;

/// Which services were struck, of those that some place hangs on; and the key of addresses nobody can guess, where there are any.
#[derive(Debug)]
pub struct Known {
    struck: BTreeSet<String>,
    key: Option<SecretString>,
}

impl Known {
    /// Asks what these rules need to know, in one question; none, where no place hangs on anything and none is secret.
    ///
    /// # Errors
    /// What the engine says.
    pub fn ask(tx: &Tx<'_>, rules: &Rules) -> Result<Self, StoreError> {
        let watched = rules.meeting.watched();
        let mut parts = Vec::new();
        let mut binds: Vec<Bind<'_>> = Vec::new();
        if !watched.is_empty() {
            binds.extend(watched.iter().map(|service| Bind::from(service.as_str())));
            let places: Vec<String> = (1..=watched.len()).map(|number| format!("?{number}")).collect();
            parts.push(STRUCK.replace("{}", &places.join(", ")));
        }
        if meeting::are_secret(rules) {
            let number = binds.len();
            binds.extend([ANSWER_KEY, MIRRORED_KEY, AS_OF].map(Bind::from));
            parts.push(format!(
                "select name, value from meta where name in (?{}, ?{}, ?{})",
                number + 1,
                number + 2,
                number + 3
            ));
        }
        let mut known = Self { struck: BTreeSet::new(), key: None };
        let (mut own, mut mirrored, mut is_mirror) = (None, None, false);
        if parts.is_empty() {
            return Ok(known);
        }
        for (name, value) in
            tx.query(&parts.join(" union all "), &binds, |row| Ok((row.text(0)?, row.text(1)?)))?
        {
            match name.as_str() {
                ANSWER_KEY => own = Some(key_of(&value)),
                MIRRORED_KEY => mirrored = Some(value),
                AS_OF => is_mirror = true,
                _ => drop(known.struck.insert(value)),
            }
        }
        // A copy has a key of its own as well, by which nobody else would find the place.
        known.key = if is_mirror { mirrored } else { own }.map(SecretString::from);
        Ok(known)
    }

    /// An alert of this service fires, or a person says that it is down.
    pub fn strikes(&mut self, service: &str, rules: &Rules) {
        if rules.meeting.watched().contains(service) {
            self.struck.insert(service.to_owned());
        }
    }

    /// Whether it knows of no less than another.
    #[cfg(test)]
    pub fn holds(&self, other: &Self) -> bool {
        self.struck.is_superset(&other.struck)
    }

    /// Where the people of an incident meet now.
    pub fn places(&self, incident: &Incident, rules: &Rules, now: jiff::Timestamp) -> Meeting {
        // What the Commander says of it goes before all.
        let told = incident.board.meeting.as_ref().map(|said| said.text.as_str());
        meeting::places(incident, rules, told, &self.struck, |name| self.secret(incident.id, name), now)
    }

    /// The same for every node and after every start; another one for each incident and place.
    fn secret(&self, incident: i64, place: &str) -> Option<String> {
        let key = self.key.as_ref()?.expose_secret().as_bytes();
        let mut digits = crypto::hex(&crypto::hmac_sha256(key, &[&incident.to_be_bytes(), place.as_bytes()]));
        digits.truncate(SECRET_DIGITS);
        Some(digits)
    }
}

/// The key of places, of what the forms of answer pages are signed with.
fn key_of(answer_key: &str) -> String {
    crypto::hex(&crypto::hmac_sha256(answer_key.as_bytes(), &[PURPOSE]))
}

/// The key of places of a store, for its copy.
pub(super) fn key(tx: &Tx<'_>) -> Result<String, StoreError> {
    let key = super::tokens::answer_key(tx)?;
    Ok(key_of(key.expose_secret()))
}

/// Services of which an alert fires in an open incident, or is kept quiet by another that fires; and those that a person said are
/// down without an alert. By what is open and not by the service: most alerts of one have been over for long.
const STRUCK: &str = "select 'struck', service from (
       select service from alert where status = 'firing' and coalesce(service, '') in ({})
         and incident in (select id from incident where phase <> 'resolved' and drill = 0 and firing > 0)
       union select service from alert where inhibited is not null and status = 'firing' and coalesce(service, '') in ({})
       union select leads from incident where phase <> 'resolved' and phase <> 'mitigated' and drill = 0 and firing = 0 and leads in ({})
         and not exists (select 1 from alert where alert.incident = incident.id)) as struck";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_another_for_each_incident_each_place_and_each_store_and_always_the_same() {
        let known = |key: &str| Known { struck: BTreeSet::new(), key: Some(key_of(key).into()) };
        let (one, other) = (known("0123456789abcdef"), known("0123456789abcdee"));
        let secret = one.secret(42, "video").unwrap();
        assert_eq!(secret.len(), SECRET_DIGITS);
        // It may never change: people are there.
        assert_eq!(secret, "54b9089ef9d77c6c7d8ef837");
        for another in [one.secret(43, "video"), one.secret(42, "vide"), other.secret(42, "video")] {
            assert_ne!(another.unwrap(), secret);
        }
        assert_eq!(Known { struck: BTreeSet::new(), key: None }.secret(42, "video"), None);
        assert!(!format!("{one:?}").contains(&key_of("0123456789abcdef")));
    }
}
