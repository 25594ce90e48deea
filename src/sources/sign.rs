//! Signatures of webhooks: over the raw bytes, before anything is parsed, compared in constant time.
//!
//! A scheme says which headers it reads, so that a request without them is refused before its body is read.

use jiff::{SignedDuration, Timestamp};

use super::header;
use crate::crypto;

/// A timestamp that was signed may be so far from our own hour: the tolerance of the Standard Webhooks.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How senders of a kind sign.
#[derive(Clone, Copy, Debug)]
pub struct Scheme {
    /// The header that carries the signature, in lower case. Any of them will do.
    pub headers: &'static [&'static str],
    /// Every header that a signature is made of.
    pub reads: &'static [&'static str],
    /// Headers that are signed with the body, each with the signature that covers it.
    pub covers: &'static [(&'static str, &'static str)],
    /// Whether a request is signed with this secret. Ask [`Scheme::proof`], which says by which header.
    pub is_signed: fn(&Signed<'_>, secret: &[u8]) -> bool,
}

impl Scheme {
    /// Which header proves that a request is signed with one of these secrets. Each is looked at without the others, so that
    /// what one of them says is not taken for what another has proven; every secret is tried, so that the time tells nothing.
    pub fn proof<'a>(
        &self,
        signed: &Signed<'_>,
        secrets: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Option<&'static str> {
        let proves = |by: &str| {
            let is_other = |name: &str| name != by && self.headers.contains(&name);
            let headers: Vec<(String, String)> =
                signed.headers.iter().filter(|(name, _)| !is_other(name)).cloned().collect();
            let alone = Signed { headers: &headers, ..*signed };
            secrets.clone().fold(false, |found, secret| (self.is_signed)(&alone, secret) | found)
        };
        self.headers.iter().copied().find(|by| header(signed.headers, by).is_some() && proves(by))
    }

    /// Whether a header may be believed: one that this scheme signs has to be covered by the signature that was the proof.
    pub fn vouches(&self, name: &str, proof: Option<&str>) -> bool {
        self.covers.iter().all(|(covered, by)| *covered != name || proof == Some(*by))
    }
}

/// What a signature is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Headers by their names in lower case.
    pub headers: &'a [(String, String)],
    /// The bytes as they came.
    pub body: &'a [u8],
    /// When they came.
    pub received_at: Timestamp,
}

impl Signed<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        header(self.headers, name)
    }

    /// Whether a signed time, in Unix seconds, is about now.
    fn is_recent(&self, seconds: &str) -> bool {
        let at = seconds.trim().parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        at.is_some_and(|at| self.received_at.duration_since(at).abs() <= TOLERANCE)
    }
}

/// HMAC-SHA256 of the body in hexadecimal digits, as GitHub (`sha256=` before it), Sentry and Checkly write it.
pub(super) fn hex_of_body(given: &str, body: &[u8], secret: &[u8]) -> bool {
    let given = given.trim().to_ascii_lowercase();
    let expected = crypto::hex(&crypto::hmac_sha256(secret, &[body]));
    crypto::same(expected.as_bytes(), given.strip_prefix("sha256=").unwrap_or(&given).as_bytes())
}

/// A header that holds the HMAC-SHA256 of the body in hexadecimal digits.
macro_rules! hex_in {
    ($name:literal) => {
        Scheme {
            headers: &[$name],
            reads: &[$name],
            covers: &[],
            is_signed: |signed, secret| {
                let given = header(signed.headers, $name);
                given.is_some_and(|given| hex_of_body(given, signed.body, secret))
            },
        }
    };
}

/// GitHub, and who signs like it (docs.github.com, "Validating webhook deliveries"). The older SHA-1 header is not
/// enough.
pub const GITHUB: Scheme = hex_in!("x-hub-signature-256");
/// Sentry: with the client secret of the integration (getsentry/sentry-docs, integration platform, webhooks).
pub const SENTRY: Scheme = hex_in!("sentry-hook-signature");
/// Checkly (checkly/docs.checklyhq.com, webhooks).
pub const CHECKLY: Scheme = hex_in!("x-checkly-signature");

/// Grafana: bare digits over the body, or over `SECONDS:` and the body where a header for the time is configured, whose
/// usual name is the one here (grafana/alerting `http/hmac.go`).
pub const GRAFANA: Scheme = Scheme {
    headers: &["x-grafana-alerting-signature"],
    reads: &["x-grafana-alerting-signature", "x-grafana-alerting-timestamp"],
    covers: &[],
    is_signed: |signed, secret| {
        let Some(given) = signed.header("x-grafana-alerting-signature") else { return false };
        match signed.header("x-grafana-alerting-timestamp") {
            Some(seconds) => {
                let parts = [seconds.as_bytes(), b":", signed.body];
                let expected = crypto::hex(&crypto::hmac_sha256(secret, &parts));
                let same = crypto::same(expected.as_bytes(), given.trim().to_ascii_lowercase().as_bytes());
                same && signed.is_recent(seconds)
            }
            None => hex_of_body(given, signed.body, secret),
        }
    },
};

/// PagerDuty's V3 webhooks: a list of `v1=DIGITS`, several while a secret is exchanged
/// (PagerDuty/developer-docs `docs/webhooks`).
pub const PAGERDUTY: Scheme = Scheme {
    headers: &["x-pagerduty-signature"],
    reads: &["x-pagerduty-signature"],
    covers: &[],
    is_signed: |signed, secret| {
        let given = signed.header("x-pagerduty-signature").unwrap_or_default();
        given
            .split(',')
            .filter_map(|one| one.trim().strip_prefix("v1="))
            .fold(false, |found, digits| hex_of_body(digits, signed.body, secret) | found)
    },
};

/// Standard Webhooks (standard-webhooks/standard-webhooks, specification 1.0): base64 over `ID.SECONDS.BODY`, in a list
/// of `v1,SIGNATURE`. The secret is base64 after `whsec_`; one that is not is taken as it is. GitHub's header will do too,
/// for that is what most others copy.
pub const STANDARD: Scheme = Scheme {
    headers: &["webhook-signature", "x-hub-signature-256"],
    reads: &["webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256"],
    covers: &[("webhook-id", "webhook-signature")],
    is_signed: |signed, secret| {
        let Some(given) = signed.header("webhook-signature") else {
            return (GITHUB.is_signed)(signed, secret);
        };
        let (Some(id), Some(seconds)) = (signed.header("webhook-id"), signed.header("webhook-timestamp"))
        else {
            return false;
        };
        let encoded = std::str::from_utf8(secret).ok().and_then(|text| text.strip_prefix("whsec_"));
        let decoded = encoded.and_then(crypto::from_base64);
        let key = decoded.as_deref().unwrap_or(secret);
        let parts = [id.as_bytes(), b".", seconds.as_bytes(), b".", signed.body];
        let expected = crypto::base64(&crypto::hmac_sha256(key, &parts));
        let same = given
            .split_ascii_whitespace()
            .filter_map(|one| one.strip_prefix("v1,"))
            .fold(false, |found, given| crypto::same(expected.as_bytes(), given.as_bytes()) | found);
        same && signed.is_recent(seconds)
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_330_000;

    fn is_signed(scheme: &Scheme, headers: &[(&str, &str)], body: &[u8], secret: &[u8]) -> bool {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let received_at = Timestamp::from_second(NOW).unwrap();
        (scheme.is_signed)(&Signed { headers: &headers, body, received_at }, secret)
    }

    /// The example of GitHub's documentation.
    #[test]
    fn githubs_own_example_is_signed_and_one_changed_byte_is_not() {
        let secret = b"It's a Secret to Everybody";
        let digits = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let headers = [("x-hub-signature-256", digits)];
        assert!(is_signed(&GITHUB, &headers, b"Hello, World!", secret));
        assert!(!is_signed(&GITHUB, &headers, b"Hello, World?", secret));
        assert!(!is_signed(&GITHUB, &headers, b"Hello, World!", b"another"));
        assert!(!is_signed(&GITHUB, &[], b"Hello, World!", secret));
        assert!(!is_signed(&GITHUB, &[("x-hub-signature-256", "sha256=")], b"", b""));
    }

    #[test]
    fn grafana_signs_with_and_without_the_hour_and_an_old_one_is_refused() {
        let (body, secret) = (&b"{\"alerts\":[]}"[..], &b"a secret of grafana"[..]);
        let bare = crypto::hex(&crypto::hmac_sha256(secret, &[body]));
        assert!(is_signed(&GRAFANA, &[("x-grafana-alerting-signature", &bare)], body, secret));
        let timed = |seconds: i64| {
            let seconds = seconds.to_string();
            let digits = crypto::hex(&crypto::hmac_sha256(secret, &[seconds.as_bytes(), b":", body]));
            let headers =
                [("x-grafana-alerting-signature", &*digits), ("x-grafana-alerting-timestamp", &*seconds)];
            is_signed(&GRAFANA, &headers, body, secret)
        };
        assert!(timed(NOW) && timed(NOW - 299) && timed(NOW + 299));
        assert!(!timed(NOW - 301) && !timed(NOW + 301));
        // Without the hour in what is signed it is another message.
        let now = NOW.to_string();
        let headers = [("x-grafana-alerting-signature", &*bare), ("x-grafana-alerting-timestamp", &*now)];
        assert!(!is_signed(&GRAFANA, &headers, body, secret));
    }

    #[test]
    fn any_of_pagerdutys_signatures_will_do() {
        let (body, secret) = (&b"{}"[..], &b"a secret of pagerduty"[..]);
        let good = crypto::hex(&crypto::hmac_sha256(secret, &[body]));
        let given = format!("v1={}, v1={good}", "0".repeat(64));
        assert!(is_signed(&PAGERDUTY, &[("x-pagerduty-signature", &given)], body, secret));
        assert!(!is_signed(&PAGERDUTY, &[("x-pagerduty-signature", &format!("v2={good}"))], body, secret));
        assert!(!is_signed(&PAGERDUTY, &[("x-pagerduty-signature", &good)], body, secret));
    }

    #[test]
    fn the_standard_signs_its_id_and_its_hour() {
        let key = b"24 bytes, as is usual ..";
        let secret = format!("whsec_{}", crypto::base64(key));
        let body = b"{\"key\":\"k\"}";
        let seconds = NOW.to_string();
        let parts = [&b"msg_1"[..], b".", seconds.as_bytes(), b".", body];
        let signature = format!("v1a,AAAA v1,{}", crypto::base64(&crypto::hmac_sha256(key, &parts)));
        let headers = |id: &'static str| {
            [("webhook-id", id), ("webhook-timestamp", &*seconds), ("webhook-signature", &*signature)]
        };
        assert!(is_signed(&STANDARD, &headers("msg_1"), body, secret.as_bytes()));
        assert!(!is_signed(&STANDARD, &headers("msg_2"), body, secret.as_bytes()));
        assert!(!is_signed(&STANDARD, &headers("msg_1")[1..], body, secret.as_bytes()));

        // Another signature proves the body, and says nothing of the id.
        let bare = crypto::hex(&crypto::hmac_sha256(secret.as_bytes(), &[body]));
        let proof = |headers: &[(&str, &str)]| {
            let headers: Vec<(String, String)> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let received_at = Timestamp::from_second(NOW).unwrap();
            let signed = Signed { headers: &headers, body, received_at };
            STANDARD.proof(&signed, [&b"another"[..], secret.as_bytes()].into_iter())
        };
        let [id, at, signature] = headers("msg_1");
        let other = ("x-hub-signature-256", &*bare);
        assert_eq!(proof(&[id, at, signature, other]), Some("webhook-signature"));
        let unsigned = ("webhook-id", "msg_2");
        assert_eq!(proof(&[unsigned, at, signature, other]), Some("x-hub-signature-256"));
        assert_eq!(proof(&[unsigned, at, signature]), None);
        assert!(STANDARD.vouches("webhook-id", Some("webhook-signature")));
        assert!(!STANDARD.vouches("webhook-id", Some("x-hub-signature-256")));
        assert!(!STANDARD.vouches("webhook-id", None) && STANDARD.vouches("ce-id", None));
    }
}
