//! The public listener: files that were made ready before, and nothing else but the pages for subscribers (`subscribe.rs`).
//!
//! Reads: [`Newest`]. Writes: nothing. It knows no store, no person, no token and no cookie, and what is asked for it looks up in a
//! map: it answers as long as the process lives. Everything an answer says was said in public.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::limits::Limits;
use crate::public::{File, Newest};

/// Readers look again after half a minute; what stands between may show it for longer while we are away.
const CACHE: HeaderValue =
    HeaderValue::from_static("public, max-age=30, stale-while-revalidate=30, stale-if-error=86400");
/// What is not there may be there soon: an incident's page is.
const CACHE_NOT_FOUND: HeaderValue = HeaderValue::from_static("public, max-age=10");
/// Nobody needs more to ask for a page.
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
const STREAMS_MAX: u32 = 32;
/// Where the page stands that is shown in place of one that is not there.
const NOTHING: &str = "/nothing-here";

/// The limits of the public listener: its own connections, so that a crowd of readers takes none from those who respond.
pub fn limits(of: &Limits, connections_max: usize) -> Limits {
    Limits {
        connections_max,
        header_bytes_max: HEADER_BYTES_MAX,
        headers_max: HEADERS_MAX,
        streams_max: STREAMS_MAX,
        ..of.clone()
    }
}

/// Everything that is reachable in public.
pub fn router(newest: Newest) -> Router {
    Router::new().fallback(show).with_state(newest)
}

async fn show(State(newest): State<Newest>, request: Request<Body>) -> Response {
    let (method, path, asked) = (request.method(), request.uri().path(), request.headers());
    if !matches!(*method, Method::GET | Method::HEAD) {
        let allowed = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allowed, "Only GET and HEAD are answered here.\n")
            .into_response();
    }
    let files = newest.get();
    if files.is_empty() {
        let wait = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
        return (StatusCode::SERVICE_UNAVAILABLE, wait, "Nothing was published yet.\n").into_response();
    }
    let bare = path.trim_end_matches('/');
    let found = files.get(if bare.is_empty() { "/" } else { bare });
    match found {
        Some(file) if bare != NOTHING => answer(StatusCode::OK, file, asked),
        _ => match files.get(NOTHING) {
            Some(file) => answer(StatusCode::NOT_FOUND, file, asked),
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

fn answer(status: StatusCode, file: &File, asked: &HeaderMap) -> Response {
    let packed = file.gzip.as_ref().filter(|_| takes_gzip(asked));
    let (bytes, tag) = packed.map_or((&file.bytes, &file.tag), |packed| (packed, &file.gzip_tag));
    let is_found = status == StatusCode::OK;
    let is_known = is_found && has(asked, tag, file.modified_at);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(bytes.clone()) });
    *response.status_mut() = if is_known { StatusCode::NOT_MODIFIED } else { status };
    let headers = response.headers_mut();
    headers.reserve(12);
    headers.insert(header::CACHE_CONTROL, if is_found { CACHE } else { CACHE_NOT_FOUND });
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_found {
        headers.insert(header::ETAG, tag.clone());
        headers.insert(header::LAST_MODIFIED, file.modified.clone());
    }
    if is_known {
        return response;
    }
    headers.insert(header::CONTENT_TYPE, file.content_type.clone());
    if packed.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    match &file.policy {
        Some(policy) => {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
            headers.insert(
                HeaderName::from_static("cross-origin-opener-policy"),
                HeaderValue::from_static("same-origin"),
            );
        }
        // What is for programs may be read by those of other sites, as boards are.
        None => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
    response
}

/// Whether who asks has these bytes already, packed as they would be sent (RFC 9110, 13.1.2 and 13.2.2: tags count before hours, and
/// a tag is that of one form). Who has the other form has not these bytes.
fn has(asked: &HeaderMap, tag: &HeaderValue, modified_at: Timestamp) -> bool {
    let tags = asked.get_all(header::IF_NONE_MATCH);
    if tags.iter().next().is_some() {
        let is_it = |one: &str| {
            let one = one.trim();
            let one = one.strip_prefix("W/").unwrap_or(one).as_bytes();
            one == b"*" || one == tag.as_bytes()
        };
        return tags.iter().filter_map(|tags| tags.to_str().ok()).any(|tags| tags.split(',').any(is_it));
    }
    let since = asked.get(header::IF_MODIFIED_SINCE).and_then(|hour| hour.to_str().ok()).and_then(read_hour);
    since.is_some_and(|since| modified_at <= since)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn read_hour(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// Whether gzip may be sent (RFC 9110, 12.5.3). Without a word about it, it is not.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let mut any = false;
    for one in asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for coding in one.split(',') {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().trim_start_matches(['q', 'Q']).trim().trim_start_matches('=').trim();
            let wanted = weight.is_empty() || weight.parse::<f32>().is_ok_and(|weight| weight > 0.0);
            match name.trim() {
                name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                    return wanted;
                }
                "*" => any = wanted,
                _ => {}
            }
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::public::{Component, Files, Shown, write};

    fn newest() -> Newest {
        let made_at = Timestamp::from_second(1_795_400_000).unwrap();
        let components = vec![Component { name: "Online shop".into(), since: made_at }];
        let shown = Shown {
            title: "Status".into(),
            url: None,
            contact: None,
            subscribe: None,
            made_at,
            components,
            incidents: Vec::new(),
            maintenance: Vec::new(),
        };
        let newest = Newest::default();
        newest.swap(Arc::new(write(&shown, false, None).unwrap()));
        newest
    }

    async fn ask(
        newest: &Newest,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router(newest.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        (head.status, head.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn every_file_is_handed_out_as_it_is_and_nothing_else_is() {
        let newest = newest();
        for (path, file) in newest.get().all().filter(|(path, _)| *path != NOTHING) {
            let (status, headers, body) = ask(&newest, "GET", path, &[]).await;
            assert_eq!((status, &body[..]), (StatusCode::OK, &file.bytes[..]), "{path}");
            assert_eq!(
                headers["cache-control"],
                "public, max-age=30, stale-while-revalidate=30, stale-if-error=86400"
            );
            assert_eq!((&headers["etag"], headers.get("set-cookie")), (&file.tag, None));
            let for_programs = !headers["content-type"].to_str().unwrap().starts_with("text/html");
            assert_eq!(headers.contains_key("access-control-allow-origin"), for_programs, "{path}");
            assert_eq!(headers.contains_key("content-security-policy"), !for_programs, "{path}");
        }
        for path in [
            "/nowhere",
            "/nothing-here",
            "/incidents/1",
            "/metrics",
            "/api/v1/incidents",
            "/r/x",
            "/../",
            "/%2e%2e/",
        ] {
            let (status, headers, body) = ask(&newest, "GET", path, &[]).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert!(String::from_utf8(body).unwrap().contains("Nothing is at this address"), "{path}");
            assert!(!headers.contains_key("etag") && headers.contains_key("content-security-policy"));
        }
        for path in ["/history/", "/?utm_source=x", "/feed.atom?now"] {
            assert_eq!(ask(&newest, "GET", path, &[]).await.0, StatusCode::OK, "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let (status, headers, _) = ask(&newest, method, "/", &[]).await;
            assert_eq!(
                (status, &headers["allow"]),
                (StatusCode::METHOD_NOT_ALLOWED, &HeaderValue::from_static("GET, HEAD"))
            );
        }
        let nothing = Newest::default();
        let (status, headers, _) = ask(&nothing, "GET", "/", &[]).await;
        assert_eq!(
            (status, &headers["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &HeaderValue::from_static("5"))
        );
    }

    #[tokio::test]
    async fn who_has_it_already_gets_it_once() {
        let newest = newest();
        let (_, headers, _) = ask(&newest, "GET", "/", &[]).await;
        let (tag, hour) = (headers["etag"].to_str().unwrap(), headers["last-modified"].to_str().unwrap());
        assert!(hour.ends_with(" GMT") && hour.len() == 29, "{hour}");
        for (known, asked) in [
            (true, vec![("if-none-match", tag.to_owned())]),
            (true, vec![("if-none-match", format!("\"other\", W/{tag}"))]),
            (true, vec![("if-none-match", "*".to_owned())]),
            (false, vec![("if-none-match", "\"other\"".to_owned())]),
            (true, vec![("if-modified-since", hour.to_owned())]),
            (false, vec![("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned())]),
            (false, vec![("if-modified-since", "yesterday".to_owned())]),
            // Tags count before hours.
            (false, vec![("if-none-match", "\"other\"".to_owned()), ("if-modified-since", hour.to_owned())]),
        ] {
            let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (status, headers, body) = ask(&newest, "GET", "/", &asked).await;
            let meant = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
            assert_eq!((status, body.is_empty()), (meant, known), "{asked:?}");
            assert!(headers.contains_key("etag") && headers.contains_key("cache-control"), "{asked:?}");
        }
    }

    #[tokio::test]
    async fn who_has_it_in_another_form_gets_it_in_this_one() {
        let newest = newest();
        let tag_of = |accepts: &'static str| {
            let newest = newest.clone();
            async move {
                let (_, headers, _) = ask(&newest, "GET", "/", &[("accept-encoding", accepts)]).await;
                headers["etag"].to_str().unwrap().to_owned()
            }
        };
        let (plain, packed) = (tag_of("identity").await, tag_of("gzip").await);
        assert_ne!(plain, packed);
        for (accepts, has, known) in [
            ("identity", plain.clone(), true),
            ("identity", packed.clone(), false),
            ("gzip", plain.clone(), false),
            ("gzip", packed.clone(), true),
            ("gzip", format!("W/{packed}"), true),
            ("gzip", format!("{plain}, {packed}"), true),
            ("gzip", "*".to_owned(), true),
        ] {
            let asked = [("accept-encoding", accepts), ("if-none-match", has.as_str())];
            let (status, headers, body) = ask(&newest, "GET", "/", &asked).await;
            let meant = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
            assert_eq!((status, body.is_empty()), (meant, known), "{asked:?}");
            // What is not sent again is what they have.
            let tag = if accepts == "gzip" { &packed } else { &plain };
            assert_eq!(headers["etag"].to_str().unwrap(), tag, "{asked:?}");
        }
    }

    #[tokio::test]
    async fn gzip_is_for_those_who_ask_for_it() {
        let newest = newest();
        for (accepts, packed) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("br", false),
            ("identity;q=1, *;q=0", false),
            ("", false),
        ] {
            let (_, headers, body) = ask(&newest, "GET", "/", &[("accept-encoding", accepts)]).await;
            assert_eq!(headers.get("content-encoding").is_some(), packed, "{accepts}");
            assert_eq!(body.starts_with(&[0x1f, 0x8b]), packed, "{accepts}");
            assert_eq!(headers["vary"], "accept-encoding");
            assert_eq!(headers["etag"].to_str().unwrap().ends_with("-gzip\""), packed, "{accepts}");
        }
        assert!(Files::none().is_empty());
    }
}
