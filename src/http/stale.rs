//! What is shown while the store is away says so, and how old it is.

use axum::response::Response;
use http::header::{AGE, HeaderName, HeaderValue};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context};

use crate::render::hour;

/// The hour of the last known state, on answers that show no more than that.
pub const AS_OF: HeaderName = HeaderName::from_static("onscene-as-of");

/// How old an answer is that was not read from the store.
#[derive(Clone, Copy, Debug)]
pub struct Stale {
    /// When it was known.
    pub as_of: Timestamp,
    /// How long ago that is.
    pub age: SignedDuration,
    /// Whether alerts are taken meanwhile.
    pub hears: bool,
}

impl Stale {
    /// What the banner of a page says, with the hour as in a zone.
    pub fn banner(&self, zone: &TimeZone) -> Value {
        context! {
            hour => hour(self.as_of, zone), iso => self.as_of.to_string(), age => ago(self.age), hears => self.hears,
        }
    }

    /// Says it to machines.
    pub fn mark(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(AGE, HeaderValue::from(self.age.as_secs().unsigned_abs()));
        if let Ok(hour) = HeaderValue::try_from(self.as_of.to_string()) {
            headers.insert(AS_OF, hour);
        }
    }
}

/// A span of time in words, one unit.
pub fn ago(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_one_unit() {
        let told = |seconds| ago(SignedDuration::from_secs(seconds));
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (240, "4 minutes"),
            (7_200, "2 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(told(seconds), words);
        }
    }
}
