//! Rotations that follow a calendar: where it is, and how it is asked for.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use super::SecretsMode;
use super::read::{Reading, Table};
use crate::core::rules::{Rules, Target};

/// How often a calendar is asked for when nobody says, and the bounds.
const EVERY_USUAL: SignedDuration = SignedDuration::from_mins(15);
const EVERY_MIN: SignedDuration = SignedDuration::from_mins(5);
const EVERY_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How old a copy may become before it is told, when nobody says, and the bounds.
const STALE_USUAL: SignedDuration = SignedDuration::from_hours(24);
const STALE_MIN: SignedDuration = SignedDuration::from_mins(15);
const STALE_MAX: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Most rotations that follow a calendar.
const FEEDS_MAX: usize = 100;
/// The keys that say where a calendar is.
const PLACES: [&str; 4] = ["calendar", "calendar_url", "calendar_url_file", "calendar_url_env"];
/// What a calendar says instead.
const SAID_BY_IT: [&str; 7] = ["members", "shift", "handover", "start", "days", "hours", "layers"];

/// The calendar that a rotation follows.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// Where it is.
    pub at: FeedPlace,
    /// How often it is asked for.
    pub every: Duration,
    /// When its last good copy is older than this, people are told.
    pub stale: SignedDuration,
}

/// Where a calendar is.
#[derive(Clone, Debug)]
pub enum FeedPlace {
    /// In a file of this machine.
    File(PathBuf),
    /// At an address.
    Web {
        /// Which; `None` when secrets were not read. Whoever knows a private one may read the calendar.
        url: Option<SecretString>,
        /// Who asks, for servers that want a name and a password.
        user: Option<String>,
        /// The password.
        password: Option<SecretString>,
        /// A bearer token.
        token: Option<SecretString>,
        /// Whether it may be in the own network.
        private: bool,
    },
}

/// Whether a rotation follows a calendar.
pub(super) fn follows_one(table: &Table<'_>) -> bool {
    PLACES.iter().any(|key| table.has(key))
}

/// The calendar that a rotation follows. `None`: what is wrong with it was told.
pub(super) fn feed(table: &mut Table<'_>, reading: &mut Reading) -> Option<FeedConfig> {
    for key in SAID_BY_IT {
        if table.has(key) {
            let what = format!("`{key}` is said by the calendar: leave one or the other out");
            // A list or a text: it is known, and wrong here.
            let _asked = table.list(key);
            reading.errors.add(table.place(key), what);
        }
    }
    let at = place(table, reading);
    let every = length(table, reading, "calendar_every", EVERY_USUAL, (EVERY_MIN, EVERY_MAX), "5m and 24h");
    let stale = length(table, reading, "calendar_stale", STALE_USUAL, (STALE_MIN, STALE_MAX), "15m and 14d");
    if stale < every {
        let what = "`calendar_stale` is shorter than `calendar_every`: it would always be stale";
        reading.errors.add(table.place("calendar_stale"), what);
    }
    let every = Duration::try_from(every).unwrap_or(Duration::from_secs(900));
    at.map(|at| FeedConfig { at, every, stale })
}

fn length(
    table: &mut Table<'_>,
    reading: &mut Reading,
    key: &str,
    usual: SignedDuration,
    (least, most): (SignedDuration, SignedDuration),
    between: &str,
) -> SignedDuration {
    let Some(found) = table.duration(reading, key) else { return usual };
    if !(least..=most).contains(&found.value) {
        reading.errors.add(found.span, format!("`{key}` lies between {between}"));
        return usual;
    }
    found.value
}

fn place(table: &mut Table<'_>, reading: &mut Reading) -> Option<FeedPlace> {
    let plain = table.text(reading, "calendar");
    let secret = table.secret(reading, "calendar_url");
    let user = table.text(reading, "calendar_user");
    let password = table.secret(reading, "calendar_password");
    let token = table.secret(reading, "calendar_token");
    let private = table.text(reading, "private_addresses");
    let private_span = private.as_ref().map(|private| private.span.clone());
    let private = match private {
        None => false,
        Some(private) if private.value == "allow" => true,
        Some(private) if private.value == "refuse" => false,
        Some(private) => {
            reading.errors.add(private.span, "`private_addresses` is \"allow\" or \"refuse\"");
            false
        }
    };
    let (span, url) = match (plain, secret) {
        (Some(plain), Some(_)) => {
            let what = "give one of `calendar` and `calendar_url_file`, not both";
            reading.errors.add(plain.span, what);
            return None;
        }
        (Some(plain), None) => match path(&plain.value) {
            None => (plain.span, Some(SecretString::from(plain.value))),
            Some(file) => {
                let others = [
                    user.map(|one| one.span),
                    password.map(|one| one.span),
                    token.map(|one| one.span),
                    private_span,
                ];
                for span in others.into_iter().flatten() {
                    reading.errors.add(span, "this goes with an address, and the calendar is a file");
                }
                let file = reading.directory.join(file);
                if reading.mode == SecretsMode::Read && !file.is_file() {
                    reading.warn(&plain.span, format!("there is no file {} at this moment", file.display()));
                }
                return Some(FeedPlace::File(file));
            }
        },
        (None, Some(secret)) => (secret.span, secret.value),
        // What is wrong was told.
        (None, None) => return None,
    };
    if let Some(url) = &url
        && let Err(why) = address(url.expose_secret())
    {
        reading.errors.hide(span.clone());
        reading.errors.add(span, why);
        return None;
    }
    if let (Some(password), None) = (&password, &user) {
        reading.errors.add(password.span.clone(), "`calendar_password` goes with `calendar_user`");
    }
    if let (Some(user), None) = (&user, &password) {
        reading.errors.add(user.span.clone(), "`calendar_user` goes with `calendar_password_file`");
    }
    if let (Some(token), Some(_)) = (&token, &user) {
        reading.errors.add(token.span.clone(), "give a token, or a user and a password, not both");
    }
    let is_plain =
        url.as_ref().is_some_and(|url| url.expose_secret().to_ascii_lowercase().starts_with("http:"));
    if is_plain && !private && (user.is_some() || token.is_some()) {
        let what = "this calendar is asked for without encryption: others on the way can read its password";
        reading.warn(&span, what);
    }
    Some(FeedPlace::Web {
        url,
        user: user.map(|user| user.value),
        password: password.and_then(|password| password.value),
        token: token.and_then(|token| token.value),
        private,
    })
}

/// The path, where a calendar is a file.
fn path(text: &str) -> Option<&str> {
    match text.split_once(':') {
        Some(("file", path)) => Some(path.strip_prefix("//").unwrap_or(path)),
        Some((scheme, rest)) if rest.starts_with("//") && !scheme.contains('/') => None,
        _ => Some(text),
    }
}

/// Reads the address of a calendar. `webcal` is what links to calendars begin with, and means `https`.
///
/// # Errors
/// A sentence for people, without the address: that may be the secret.
pub fn address(text: &str) -> Result<Uri, String> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").ok_or("the address of a calendar begins with https://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" | "webcal" | "webcals" => "https",
        "http" => "http",
        _ => return Err("the address of a calendar begins with https://, http:// or webcal://".into()),
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|_| "this is no address")?;
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("a name and a password do not stand in the address: give `calendar_user` and `calendar_password_file`"
                .into())
        }
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err("the address names no host".into()),
    }
}

/// Whoever must be woken is a person of the configuration, whatever calendars say or do not say.
pub(super) fn somebody(reading: &mut Reading, rules: &Rules) {
    let by_calendar = |target: &Target| {
        let rotation = target.rotation().and_then(|name| rules.rotations.get(name));
        rotation.is_some_and(|rotation| rotation.follows_calendar())
    };
    for (name, policy) in &rules.policies {
        let mut all = policy.targets().peekable();
        if all.peek().is_some() && all.all(by_calendar) {
            reading.errors.add_whole(format!(
                "escalation policy {name} names nobody but calendars: in an hour of which they say nothing, nobody would be \
                 woken. Give it a `last_resort`, such as [\"person:NAME\"]"
            ));
        }
    }
}

/// That there are not too many.
pub(super) fn few(reading: &mut Reading, rotation: Range<usize>) {
    if reading.feeds.len() > FEEDS_MAX {
        let what = format!("more than {FEEDS_MAX} rotations follow a calendar");
        reading.errors.add(rotation, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_calendars_are_told_from_files() {
        for (text, file) in [
            ("https://example.net/a.ics", None),
            ("webcal://example.net/a.ics", None),
            ("file:oncall.ics", Some("oncall.ics")),
            ("file:///etc/onscene/oncall.ics", Some("/etc/onscene/oncall.ics")),
            ("oncall.ics", Some("oncall.ics")),
            ("a:b.ics", Some("a:b.ics")),
        ] {
            assert_eq!(path(text), file, "{text}");
        }
        assert_eq!(address("WebCal://example.net/a?b=c#d").unwrap(), "https://example.net/a?b=c");
        for wrong in ["ftp://example.net/", "https://", "https:///a", "https://maya:secret@example.net/", "x"]
        {
            let why = address(wrong).unwrap_err();
            assert!(!why.contains("secret@"), "{why}");
        }
    }
}
