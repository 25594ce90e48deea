//! Slack: a button under a page in a direct message.
//!
//! Slack signs the hour and the bytes as they came (`v0`), and sends a form with one field, `payload`. The user who pressed
//! has to be the address that the page went to: in a room everybody sees the button, and it is one person's. What became of
//! the press is told to who pressed, at the address that comes with it. Those words may never arrive: where nothing was decided the
//! answer is a failure too, which Slack shows by itself, so that nobody believes to have what they have not.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{BODY_BYTES_MAX, Said, act_of, field, form, keys, once, refused, take};
use crate::commit::{Answering, PageOf};
use crate::core::timeline::Route;
use crate::crypto;
use crate::http::desk::Desk;
use crate::http::problem::{Problem, Reason};
use crate::http::room;

const SIGNATURE: &str = "x-slack-signature";
const HOUR: &str = "x-slack-request-timestamp";
const WAY: &str = "answers/slack";
/// An hour that was signed may be so far from our own, as Slack's documents advise.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// `POST /answers/slack`
pub(in crate::http) async fn pressed(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> Response {
    match answer(&desk, &headers, body).await {
        Ok((Said { text, decided }, place)) => {
            let keys = &desk.house.get().answers;
            if let Some(place) = place {
                desk.whispers.take(keys, &place, &text);
            }
            // Slack shows nothing of an answer to a press but that it failed.
            let status = if decided { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let text = json!({"response_type": "ephemeral", "replace_original": false, "text": text});
            (status, Json(text)).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// What became of a press, and where that can be told.
async fn answer(desk: &Desk, headers: &HeaderMap, body: Body) -> Result<(Said, Option<String>), Problem> {
    let house = desk.house.get();
    let keys = keys(&house.answers.slack)?;
    let refuse = |reason, why| refused(desk, WAY, reason, why);
    let of = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(signature), Some(hour)) = (of(SIGNATURE), of(HOUR)) else {
        return Err(refuse(Reason::Signature, "this is not signed as Slack signs"));
    };
    let at = hour.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    if at.is_none_or(|at| desk.clock.now().duration_since(at).abs() > TOLERANCE) {
        return Err(refuse(Reason::Hour, "the hour that was signed is too far from our own"));
    }
    let (bytes, _room) = room::read_unproven_to(desk, body, BODY_BYTES_MAX).await?;
    let signed = |key| {
        let tag = crypto::hmac_sha256(key, &[b"v0:", hour.as_bytes(), b":", &bytes]);
        crypto::same(format!("v0={}", crypto::hex(&tag)).as_bytes(), signature.as_bytes())
    };
    if !keys.fold(false, |found, key| signed(key) | found) {
        return Err(refuse(Reason::Signature, "this is not signed by Slack with a secret of this house"));
    }
    let fields = form(&bytes).unwrap_or_default();
    let payload: Option<Value> =
        field(&fields, "payload").and_then(|text| crate::json::read(text.as_bytes()).ok());
    let payload = payload.ok_or_else(|| Problem::bad_request("`payload` is no JSON"))?;
    let place = payload["response_url"].as_str().map(str::to_owned);
    // One press is one answer.
    let (Some(user), Some([action])) =
        (payload["user"]["id"].as_str(), payload["actions"].as_array().map(Vec::as_slice))
    else {
        return Ok((no_button(), place));
    };
    let act = action["action_id"].as_str().and_then(act_of);
    let letter = action["value"].as_str().filter(|id| crypto::is_id(id));
    let (Some(act), Some(letter)) = (act, letter) else {
        return Ok((no_button(), place));
    };
    let answering = Answering {
        page: PageOf::Letter(letter.to_owned()),
        from: user.to_owned(),
        act,
        route: Route::Chat,
        once: once("slack", signature),
    };
    Ok((take(desk, answering).await, place))
}

fn no_button() -> Said {
    Said { text: "Nothing was decided: that was no button of a page.".into(), decided: false }
}
