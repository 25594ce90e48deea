//! The webhook profile of CloudEvents (cloudevents/spec `http-webhook.md`): senders ask by OPTIONS whether they may
//! send, before they do.
//!
//! An address that they may call back (`WebHook-Request-Callback`) is never called: it is anybody's word.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::problem::Problem;
use crate::house::Source;
use crate::sources::cloudevents;

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// Deliveries a minute that a sender may be promised. More are taken while there is room for them.
const RATE_PER_MINUTE_MAX: u32 = 60_000;

/// Lets a sender send, whose token was found good.
pub(super) fn allow(headers: &HeaderMap) -> Result<Response, Problem> {
    let Some(origin) = headers.get(REQUEST_ORIGIN) else {
        return Err(Problem::bad_request(
            "a request with OPTIONS asks whether a sender may send, and names it in WebHook-Request-Origin",
        ));
    };
    let asked = headers.get(REQUEST_RATE).and_then(|rate| rate.to_str().ok()?.trim().parse::<u32>().ok());
    let rate = asked.filter(|rate| *rate > 0).unwrap_or(RATE_PER_MINUTE_MAX).min(RATE_PER_MINUTE_MAX);
    let mut response = Response::new(Body::empty());
    let told = response.headers_mut();
    told.insert(ALLOWED_ORIGIN, origin.clone());
    told.insert(ALLOWED_RATE, HeaderValue::from(rate));
    told.insert(header::ALLOW, HeaderValue::from_static("POST, PUT, OPTIONS"));
    Ok(response)
}

/// 415 in place of 400 where a body was kept because its format is not spoken here: the profile wants it so.
pub(super) fn told(source: &Source, content_type: Option<&str>, problem: Problem) -> Problem {
    let is_foreign = source.kind.webhook_profile && content_type.is_some_and(cloudevents::is_foreign);
    if is_foreign && problem.status == StatusCode::BAD_REQUEST {
        return Problem { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..problem };
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(HeaderName, &'static str)]) -> Result<Response, Problem> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        allow(&headers.collect())
    }

    #[test]
    fn the_origin_is_told_back_with_a_rate_that_can_be_kept() {
        for (rate, allowed) in [("120", "120"), ("*", "60000"), ("0", "60000"), ("999999", "60000")] {
            let told = asked(&[(REQUEST_ORIGIN, "events.example.net"), (REQUEST_RATE, rate)]).unwrap();
            assert_eq!(told.status(), StatusCode::OK);
            assert_eq!(told.headers()[ALLOWED_ORIGIN], "events.example.net");
            assert_eq!(told.headers()[ALLOWED_RATE], allowed);
            assert!(told.headers()[header::ALLOW].to_str().unwrap().contains("POST"));
        }
        assert_eq!(asked(&[]).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
