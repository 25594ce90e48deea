//! Every error answer: `application/problem+json` (RFC 9457).
//!
//! The detail is written for the person who reads it at night: what was wrong and what to do. It never repeats a
//! secret or a body.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its token is missing or wrong.
    Token,
    /// Its signature is missing or wrong.
    Signature,
    /// It is of a topic that is none of the source's.
    Topic,
    /// It is mail, and its sender is none of those who may raise alerts.
    Sender,
    /// Its hour is too far from our own.
    Hour,
    /// It is signed in a way that this version does not know.
    Form,
    /// It is about an account that is none of this house.
    Account,
    /// The certificate it is signed with cannot be had, or may not be asked for any more now.
    Certificate,
}

impl Reason {
    /// The word in figures and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Signature => "signature",
            Self::Topic => "topic",
            Self::Sender => "sender",
            Self::Hour => "hour",
            Self::Form => "form",
            Self::Account => "account",
            Self::Certificate => "certificate",
        }
    }
}

/// What went wrong, as the client is told.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// A stable name, told as `urn:onscene:problem:NAME`, for programs to act on.
    pub kind: &'static str,
    /// The kind in words, the same each time.
    pub title: &'static str,
    /// This occurrence in words.
    pub detail: String,
    /// Seconds after which another try makes sense.
    pub retry_after: Option<u32>,
    /// What would have been taken: of a 405 the methods, of a 401 the ways to log in when they are not the usual one.
    pub wants: Option<&'static str>,
    /// Of a delivery: why it is not believed. It is not told, but counted.
    pub refused: Option<Reason>,
    /// Further members, such as the commander who holds the term.
    pub extra: Map<String, Value>,
}

impl Problem {
    /// A problem of a kind that has no constructor here.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            retry_after: None,
            wants: None,
            refused: None,
            extra: Map::new(),
        }
    }

    /// 400: it cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read", detail)
    }

    /// 401: no secret, or a wrong one.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid secret is needed", detail)
    }

    /// 403: known, and not allowed to.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This is not allowed", detail)
    }

    /// 404: not here.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing here", detail)
    }

    /// 405: not in this way; `allow` lists the ways, such as `GET, POST`.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("allowed here: {allow}");
        let problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The method is not allowed here",
            detail,
        );
        Self { wants: Some(allow), ..problem }
    }

    /// 408: the body took too long.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long", detail)
    }

    /// 409: the state has moved on.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "The state does not allow this", detail)
    }

    /// 413: the body is larger than `body_max` bytes.
    pub fn too_large(body_max: usize) -> Self {
        let problem = Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is too large",
            format!("at most {body_max} bytes are taken; send fewer alerts at once"),
        );
        problem.with("body_bytes_max", body_max)
    }

    /// 415: not in this format.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The format is not understood",
            detail,
        )
    }

    /// 401 for a delivery, in the words of both: some senders give their password only when they are asked for it.
    pub fn challenge(reason: Reason, what: &str) -> Self {
        Self {
            wants: Some("Bearer, Basic realm=\"onscene\""),
            refused: Some(reason),
            ..Self::unauthorized(what)
        }
    }

    /// 422: read, and it makes no sense.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "The content makes no sense", detail)
    }

    /// 431: the headers are too large.
    pub fn headers_too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "The headers are too large",
            detail,
        )
    }

    /// 500: our fault. The detail is fixed, for the cause belongs in the log and not with the client.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server failed",
            "this is a fault of the server; its log has the cause",
        )
    }

    /// 503: not now, but in `retry_after` seconds perhaps.
    pub fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The server cannot do this now",
            detail,
        );
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// Adds a member. The members of the standard keep their meaning: they cannot be replaced.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut members = self.extra;
        members.insert("type".to_owned(), format!("urn:onscene:problem:{}", self.kind).into());
        members.insert("title".to_owned(), self.title.into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        members.insert("detail".to_owned(), self.detail.into());
        let mut response = Response::new(Body::from(Value::Object(members).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(self.wants.unwrap_or("Bearer")));
            }
            _ => {
                if let Some(allow) = self.wants {
                    headers.insert(ALLOW, HeaderValue::from_static(allow));
                }
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn told(problem: Problem) -> (http::HeaderMap, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_problem_is_told_with_the_members_of_the_standard() {
        let problem = Problem::conflict("maya commands in term 2").with("term", 2).with("status", "forged");
        let (headers, told) = told(problem).await;
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        let expected = serde_json::json!({
            "type": "urn:onscene:problem:conflict", "title": "The state does not allow this",
            "status": 409, "detail": "maya commands in term 2", "term": 2,
        });
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn a_problem_says_what_would_have_helped() {
        let (headers, _) = told(Problem::method_not_allowed("GET, POST")).await;
        assert_eq!(headers[ALLOW], "GET, POST");
        let (headers, _) = told(Problem::unavailable("the store does not answer", 5)).await;
        assert_eq!(headers[RETRY_AFTER], "5");
        let (headers, _) = told(Problem::unauthorized("no token was sent")).await;
        assert_eq!(headers[WWW_AUTHENTICATE], "Bearer");
        let (_, members) = told(Problem::too_large(7)).await;
        assert_eq!((&members["body_bytes_max"], &members["status"]), (&7.into(), &413.into()));
    }
}
