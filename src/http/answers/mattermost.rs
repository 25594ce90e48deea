//! Mattermost: a button under a page in a direct message.
//!
//! It does not sign its calls. What it sends back with a press (`context`) never leaves the server, and we have signed it
//! ourselves when the page was written: the action and the delivery, with a secret of the configuration. Who pressed
//! is what the server says of its user, and has to be the address that the page went to.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{BODY_BYTES_MAX, Said, act_of, keys, once, refused, take};
use crate::commit::{Answering, PageOf};
use crate::core::timeline::Route;
use crate::crypto;
use crate::http::desk::Desk;
use crate::http::problem::{Problem, Reason};
use crate::http::room;

const WAY: &str = "answers/mattermost";

/// `POST /answers/mattermost`
pub(in crate::http) async fn pressed(State(desk): State<Desk>, body: Body) -> Response {
    match answer(&desk, body).await {
        // The page stays as it is: its link is needed after the answer as well. A second press does no harm.
        Ok(Said { text, .. }) => Json(json!({"ephemeral_text": text})).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn answer(desk: &Desk, body: Body) -> Result<Said, Problem> {
    let house = desk.house.get();
    let keys = keys(&house.answers.mattermost)?;
    let (bytes, _room) = room::read_unproven_to(desk, body, BODY_BYTES_MAX).await?;
    let body: Value = crate::json::read(&bytes).map_err(|_| Problem::bad_request("the body is no JSON"))?;
    let context = |name: &str| body["context"][name].as_str().unwrap_or_default();
    let (action, delivery, signature) = (context("action"), context("delivery"), context("signature"));
    let signed = |key| {
        let tag = crypto::hmac_sha256(key, &[action.as_bytes(), b".", delivery.as_bytes()]);
        crypto::same(crypto::hex(&tag).as_bytes(), signature.as_bytes())
    };
    if !keys.fold(false, |found, key| signed(key) | found) {
        let why = "this button is not signed with a secret of this house";
        return Err(refused(desk, WAY, Reason::Signature, why));
    }
    let Some(act) = act_of(action).filter(|_| crypto::is_id(delivery)) else {
        let text = "Nothing was decided: that was no button of a page.".into();
        return Ok(Said { text, decided: false });
    };
    let answering = Answering {
        page: PageOf::Letter(delivery.to_owned()),
        from: body["user_id"].as_str().unwrap_or_default().to_owned(),
        act,
        route: Route::Chat,
        once: once("mattermost", body["trigger_id"].as_str().unwrap_or_default()),
    };
    Ok(take(desk, answering).await)
}
