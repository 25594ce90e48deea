//! The word that every form of an answer page carries, and of the page behind a login link: when the page was made, for which link, signed.
//!
//! Nothing is kept of it, so any node can read what another has made. It says no more than that somebody, or something, has
//! asked for the page, and when: a program that presses what it finds does so within a second, and nobody reads a page and
//! presses a button on it in that time. It lasts for a day; after that, as when it is missing or wrong, the page comes
//! again with a new one. A human who waits for as long as that page says is one more press away; who presses sooner is
//! asked again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::crypto;

/// How long a page can be answered that nobody has asked for again.
pub(super) const LASTS: SignedDuration = SignedDuration::from_hours(24);
/// Longest word, in bytes: a letter, an hour and a signature.
const BYTES_MAX: usize = 96;
/// Hexadecimal digits of the signature: 128 bits.
const TAG_DIGITS: usize = 32;
/// What else is signed with the same key says something else here.
const PURPOSE: &[u8] = b"onscene answer page 1\0";

/// What kind of page a word stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Page {
    /// One that was asked for by its link.
    First,
    /// One that asks to press once more. It is short of anything to read, so half the time is enough.
    Again,
    /// One that came of a press that was taken: whoever reads it has shown what they are.
    Known,
}

impl Page {
    const ALL: [Self; 3] = [Self::First, Self::Again, Self::Known];

    fn letter(self) -> &'static str {
        match self {
            Self::First => "f",
            Self::Again => "a",
            Self::Known => "k",
        }
    }

    /// How long it is looked at before a button on it is pressed.
    pub(in crate::http) fn least(self, answer_after: Duration) -> SignedDuration {
        let least = match self {
            Self::First => answer_after,
            Self::Again => answer_after / 2,
            Self::Known => Duration::ZERO,
        };
        SignedDuration::try_from(least).unwrap_or(SignedDuration::MAX)
    }
}

/// A page that was made at an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Made {
    pub(in crate::http) page: Page,
    pub(in crate::http) at: Timestamp,
}

/// Why a press is not taken: the page comes again, as this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Not {
    /// Sooner than people press.
    Early(Made),
    /// The word is too old, of another link, or none of ours.
    Unknown(Made),
}

impl Made {
    /// A page that is made now. Words count in thousandths of a second.
    pub(in crate::http) fn now(page: Page, now: Timestamp) -> Self {
        Self { page, at: Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now) }
    }

    /// The word for it.
    pub(in crate::http) fn word(self, key: &SecretString, link: &[u8; 32]) -> String {
        let (letter, millisecond) = (self.page.letter(), self.at.as_millisecond());
        let tag = tag(key, link, letter, millisecond);
        format!("{letter}.{millisecond}.{tag}")
    }

    /// Reads a word that a form of this link's page brought; the hour when its page was made.
    pub(in crate::http) fn read(
        word: &str,
        key: &SecretString,
        link: &[u8; 32],
        now: Timestamp,
        answer_after: Duration,
    ) -> Result<Self, Not> {
        let again = Self::now(Page::Again, now);
        let made = signed(word, key, link).ok_or(Not::Unknown(again))?;
        let age = now.duration_since(made.at);
        if age > LASTS {
            return Err(Not::Unknown(again));
        }
        if age < made.page.least(answer_after) {
            // Who presses again and again is let through when the time of the first that asked is over.
            // An hour that is yet to come is another node's, or of a clock that was set: nobody waits for it.
            let waits = made.page == Page::Again && made.at <= now;
            return Err(Not::Early(if waits { made } else { again }));
        }
        Ok(made)
    }
}

fn signed(word: &str, key: &SecretString, link: &[u8; 32]) -> Option<Made> {
    if word.len() > BYTES_MAX {
        return None;
    }
    let mut parts = word.split('.');
    let (letter, millisecond, tag_said) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let page = Page::ALL.into_iter().find(|page| page.letter() == letter)?;
    let good = parts.next().is_none()
        && crypto::same(tag(key, link, letter, millisecond).as_bytes(), tag_said.as_bytes());
    let at = Timestamp::from_millisecond(millisecond).ok()?;
    good.then_some(Made { page, at })
}

fn tag(key: &SecretString, link: &[u8; 32], letter: &str, millisecond: i64) -> String {
    let parts = [PURPOSE, &link[..], letter.as_bytes(), &millisecond.to_be_bytes()];
    let mut tag = crypto::hex(&crypto::hmac_sha256(key.expose_secret().as_bytes(), &parts));
    tag.truncate(TAG_DIGITS);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(2);
    const LINK: [u8; 32] = [7; 32];

    fn key() -> SecretString {
        "0123456789abcdef".to_owned().into()
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn read(word: &str, now: i64) -> Result<Made, Not> {
        Made::read(word, &key(), &LINK, at(now), AFTER)
    }

    #[test]
    fn a_page_counts_from_when_people_press_until_the_next_day() {
        let word = Made::now(Page::First, at(0)).word(&key(), &LINK);
        let again = |now| Made { page: Page::Again, at: at(now) };
        for early in [-5_000, 0, 200, 1_999] {
            assert_eq!(read(&word, early), Err(Not::Early(again(early))), "{early}");
        }
        for good in [2_000, 60_000, 24 * 3_600_000] {
            assert_eq!(read(&word, good), Ok(Made { page: Page::First, at: at(0) }), "{good}");
        }
        assert_eq!(read(&word, 24 * 3_600_000 + 1), Err(Not::Unknown(again(24 * 3_600_000 + 1))));
        let word = Made::now(Page::Known, at(0)).word(&key(), &LINK);
        assert!(read(&word, 0).is_ok());
        let none = Made::read(&word, &key(), &LINK, at(0), Duration::ZERO);
        assert!(none.is_ok(), "nothing is waited for");
    }

    #[test]
    fn who_presses_again_and_again_is_let_through_a_second_after_the_first_press() {
        let mut word = Made::now(Page::First, at(0)).word(&key(), &LINK);
        let mut taken = None;
        for press in (300..5_000).step_by(300) {
            match read(&word, press) {
                Ok(_) => {
                    taken = Some(press);
                    break;
                }
                Err(Not::Early(made)) => word = made.word(&key(), &LINK),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(taken, Some(1_500));
        let ahead = Made::now(Page::Again, at(60_000)).word(&key(), &LINK);
        let Err(Not::Early(made)) = read(&ahead, 0) else { panic!("early") };
        assert!(read(&made.word(&key(), &LINK), 1_000).is_ok(), "nobody waits for a clock");
    }

    #[test]
    fn a_word_is_of_one_link_one_key_one_kind_and_one_hour() {
        let word = Made::now(Page::First, at(0)).word(&key(), &LINK);
        let unknown = Err(Not::Unknown(Made { page: Page::Again, at: at(9_000) }));
        let other_key = SecretString::from("fedcba9876543210".to_owned());
        assert_eq!(Made::read(&word, &other_key, &LINK, at(9_000), AFTER), unknown);
        assert_eq!(Made::read(&word, &key(), &[8; 32], at(9_000), AFTER), unknown);
        let (hour, tag) = (at(0).as_millisecond(), word.rsplit_once('.').unwrap().1.to_owned());
        let wrong = [
            format!("k.{hour}.{tag}"),
            format!("f.{}.{tag}", hour - 1),
            format!("f.{hour}.{tag}0"),
            format!("f.{hour}.{tag}.x"),
            format!("f.{hour}"),
            format!("x.{hour}.{tag}"),
            format!("f.{}.{tag}", "9".repeat(40)),
            format!("f.{hour}.{}", "0".repeat(99)),
            word.to_uppercase(),
            String::new(),
        ];
        for wrong in wrong {
            assert_eq!(read(&wrong, 9_000), unknown, "{wrong}");
        }
        assert!(read(&word, 9_000).is_ok());
    }
}
