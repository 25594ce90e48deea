//! Telegram: a button under a page in a chat with the bot.
//!
//! Telegram sends a word along that only it was told (`secret_token` of `setWebhook`). The data of the button names the
//! act and the delivery; who pressed has to be the address that the page went to. The answer is a method of the bot's
//! own API in the response: what became of it is shown in front of the chat.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{BODY_BYTES_MAX, act_of, keys, once, refused, take};
use crate::commit::{Answering, PageOf};
use crate::core::timeline::Route;
use crate::crypto;
use crate::http::body;
use crate::http::desk::Desk;
use crate::http::problem::{Problem, Reason};

const SECRET: &str = "x-telegram-bot-api-secret-token";
const WAY: &str = "answers/telegram";
/// Most characters that are shown in front of a chat.
const TEXT_CHARS_MAX: usize = 200;

/// `POST /answers/telegram`
pub(in crate::http) async fn pressed(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> Response {
    match answer(&desk, &headers, body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn answer(desk: &Desk, headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    let house = desk.house.get();
    let mut keys = keys(&house.answers.telegram)?;
    let said = headers.get(SECRET).map_or(&b""[..], |value| value.as_bytes());
    if !keys.by_ref().fold(false, |found, key| crypto::same(key, said) | found) {
        return Err(refused(desk, WAY, Reason::Token, "the word that Telegram was told is missing or wrong"));
    }
    let bytes = body::read(body, BODY_BYTES_MAX, desk.limits.body_timeout).await?;
    let update: Value = crate::json::read(&bytes).map_err(|_| Problem::bad_request("the body is no JSON"))?;
    let query = &update["callback_query"];
    // Of what people write to the bot, nothing is meant for us.
    let Some(id) = query["id"].as_str() else { return Ok(json!({})) };
    let data = query["data"].as_str().and_then(|data| data.split_once(':'));
    let meant = data.and_then(|(letter, delivery)| {
        let word = match letter {
            "a" => "take",
            "h" => "help",
            "d" => "decline",
            _ => return None,
        };
        Some((act_of(word)?, Some(delivery).filter(|id| crypto::is_id(id))?))
    });
    let text = match meant {
        Some((act, delivery)) => {
            let answering = Answering {
                page: PageOf::Letter(delivery.to_owned()),
                from: query["from"]["id"].as_i64().map(|id| id.to_string()).unwrap_or_default(),
                act,
                route: Route::Chat,
                once: once("telegram", id),
            };
            take(desk, answering).await.text
        }
        None => "Nothing was decided: that was no button of a page.".to_owned(),
    };
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    Ok(json!({"method": "answerCallbackQuery", "callback_query_id": id, "text": text, "show_alert": true}))
}
