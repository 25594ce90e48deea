//! What pages may run. Each is a file of its own whose address holds a hash of it, so that browsers keep it for ever and
//! never run another version than the page was written for. No page needs one.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};

use super::desk::Desk;
use super::html::Pages;
use super::problem::Problem;
use crate::crypto;

/// Hexadecimal digits of the hash in an address.
const DIGITS: usize = 16;

/// A script: its name, and its text.
pub(super) struct Script(&'static str, &'static str);

/// Goes on with a timeline that stands on a page.
pub(super) const TIMELINE: Script = Script("timeline", include_str!("scripts/timeline.js"));

/// All there are.
const ALL: [Script; 1] = [TIMELINE];

/// Where a script is.
pub(super) fn address(script: &Script) -> String {
    format!("/scripts/{}", file(script))
}

fn file(Script(name, text): &Script) -> String {
    let hash = crypto::hex(&crypto::sha256(text.as_bytes()));
    format!("{name}-{}.js", hash.get(..DIGITS).unwrap_or_default())
}

/// `GET /scripts/{file}`
pub(super) async fn show(
    State(_): State<(Desk, Pages)>,
    Path(asked): Path<String>,
) -> Result<Response, Problem> {
    // A node of another version has others.
    let Script(_, text) = ALL
        .into_iter()
        .find(|script| file(script) == asked)
        .ok_or_else(|| Problem::not_found("this version has no such script"))?;
    let mut answer = text.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}
