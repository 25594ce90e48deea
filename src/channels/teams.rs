//! Microsoft Teams: the address of a workflow ("When a Teams webhook request is received"), which posts an Adaptive Card.
//!
//! The parameter `sig` of the address is the credential. What is said stands in runs of text, which know no Markdown, so nothing of
//! an alert is read as more than words; a card without a list of those it mentions calls nobody. The one button opens the incident's
//! page.
//!
//! A workflow answers 202 and nothing else, before anything was posted: there is no id, no thread and no edit, and what goes wrong
//! inside it is seen in its own history only. It knows no idempotency. A 400 that says that the workflow is turned off, or was made
//! for other bodies, is about the whole channel, as are 401, 403, 404 and 410. An answer of 200 may have a refusal in its text ("HTTP
//! error 429"), as the connectors had that were before workflows: it means what the number in it means.
//!
//! A statement is a card of its words alone, without a button. One that may have been written is not written again, and one that is
//! taken back is followed by the words that say so.
//!
//! Those connectors (`*.webhook.office.com`) are no more: such an address is refused when it is read.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{busy, of_letter, refused, strange, usual, word};
use super::client::Answer;
use super::hook::{self, Hook};
use super::statement::Shown;
use super::{Channel, Fields, Kind, Outcome, Parcel, Shared, fit, statement};

/// Microsoft Teams, by a workflow.
pub const KIND: Kind =
    Kind { name: "teams", keys: hook::KEYS, build: Teams::build, address: None, status: true };

/// So much is taken.
const CARD_BYTES_MAX: usize = 28_000;
/// Together with what surrounds it a card stays below the 28 kB that are taken, also when every character needs an escape.
const TEXT_BYTES_MAX: usize = 8000;
/// Each is an element of its own.
const LINES_MAX: usize = 60;
const TITLE_BYTES_MAX: usize = 500;
/// Hosts that connectors had.
const CONNECTORS: [&str; 3] = ["webhook.office.com", "outlook.office.com", "outlook.office365.com"];
/// Hosts of workflows, whose addresses are not whole without `sig`.
const WORKFLOWS: [&str; 2] = [".logic.azure.com", ".api.powerplatform.com"];
/// Errors of a workflow that is turned off, or takes bodies of another form.
const WHOLE: [&str; 3] = ["WorkflowTriggerIsNotEnabled", "TriggerInputSchemaMismatch", "WorkflowNotFound"];
/// Before the number of a refusal, in the text of an answer of 200.
const INNER: &str = "HTTP error ";

/// One workflow.
pub struct Teams {
    hook: Hook,
}

#[derive(Deserialize)]
struct Said {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
}

impl Teams {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let hook = Hook::new(&mut fields, shared)?;
        let host = hook.host();
        let is_under = |known: &&str| host == *known || host.ends_with(&format!(".{known}"));
        if CONNECTORS.iter().any(is_under) {
            return Err("the address in `url_file` is that of a connector, which Microsoft has retired: make a workflow in Teams \
                        (channel → Workflows → \"Send webhook alerts to a channel\") and put its address there"
                .into());
        }
        if WORKFLOWS.iter().any(|known| host.ends_with(known)) && !hook.has("sig") {
            return Err("the address in `url_file` is not whole: `sig=` is missing (an address with & has to be quoted)".into());
        }
        Ok(Channel::Teams(Self { hook }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if parcel.statement.is_some()
            && let Err(outcome) = shows(parcel).fitting()
        {
            return outcome;
        }
        match self.hook.post(&[], &body(parcel)).await {
            Ok(answer) => outcome(parcel, &answer),
            Err(outcome) => outcome,
        }
    }
}

/// How a statement is shown.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let text = said(parcel);
    let size = card(&text, None).to_string().len();
    Shown { text, size, most: CARD_BYTES_MAX, unit: "bytes" }
}

fn said(parcel: &Parcel) -> String {
    statement::words(parcel).lines().map(words).collect::<Vec<_>>().join("\n")
}

fn body(parcel: &Parcel) -> Value {
    if parcel.statement.is_some() {
        return card(&said(parcel), None);
    }
    let title = words(&fit::cut(&parcel.subject, TITLE_BYTES_MAX, char::len_utf8));
    card(&format!("{title}\n{}", fitted(parcel)), parcel.rest())
}

/// A card of a heading, which is the first line, and of lines; with a button where it has a page.
fn card(text: &str, page: Option<&str>) -> Value {
    let (title, text) = text.split_once('\n').unwrap_or((text, ""));
    let heading = json!({"type": "TextRun", "text": title, "size": "Medium", "weight": "Bolder"});
    let mut elements = vec![json!({"type": "RichTextBlock", "inlines": [heading]})];
    // A blank line is a wider space before the next.
    let mut is_apart = true;
    for line in text.lines() {
        let line = words(line);
        if line.trim().is_empty() {
            is_apart = true;
            continue;
        }
        let spacing = if is_apart { "Medium" } else { "None" };
        let inlines = [json!({"type": "TextRun", "text": line})];
        elements.push(json!({"type": "RichTextBlock", "spacing": spacing, "inlines": inlines}));
        is_apart = false;
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": title,
        "body": elements,
    });
    if let Some(page) = page {
        card["actions"] = json!([{"type": "Action.OpenUrl", "title": "Open the incident", "url": page}]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// The text, of as many lines and bytes as a card takes.
fn fitted(parcel: &Parcel) -> String {
    let text = fit::with_rest(&parcel.text, parcel.rest(), TEXT_BYTES_MAX, char::len_utf8);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= LINES_MAX {
        return text;
    }
    let kept = lines[..LINES_MAX - 2].join("\n");
    format!("{kept}\n…\n{}", parcel.rest().unwrap_or_default())
}

/// One line, in which nothing is filled in: cards make dates of what stands in double braces.
fn words(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '{' && line.ends_with('{') {
            line.push('\u{200b}');
        }
        line.push(if letter.is_control() { ' ' } else { letter });
    }
    line
}

fn outcome(parcel: &Parcel, answer: &Answer) -> Outcome {
    if answer.status.is_success() {
        return inner(parcel, answer);
    }
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    let code = said.as_ref().and_then(|said| word(&said.error.code));
    match usual(answer, &[401, 403, 404, 410], code) {
        Outcome::Refused { why, .. } if code.is_some_and(|code| WHOLE.contains(&code)) => refused(&why, true),
        other => of_letter(parcel, answer, other),
    }
}

/// What stands in an answer that says that all is well.
fn inner(parcel: &Parcel, answer: &Answer) -> Outcome {
    let text = String::from_utf8_lossy(&answer.body);
    let number = text.split_once(INNER).map(|(_, after)| {
        let digits: String = after.chars().take_while(char::is_ascii_digit).take(3).collect();
        digits.parse::<u16>().unwrap_or_default()
    });
    if let Some(number) = number {
        let why = format!("answered {}, and in its text {number}", answer.status.as_u16());
        return match number {
            503 if parcel.statement.is_some() => busy(answer, why),
            429 | 503 => Outcome::Wait { after: answer.retry_after, why },
            400 | 413 => refused(&why, false),
            401 | 403 | 404 | 410 => refused(&why, true),
            _ => Outcome::Unknown { why },
        };
    }
    let text = text.trim();
    let is_object = |value: &Value| value.as_object().is_some_and(|object| !object.contains_key("error"));
    // A workflow may have an answer of its own.
    let is_its =
        text.is_empty() || text == "1" || serde_json::from_str(text).is_ok_and(|value| is_object(&value));
    if is_its { Outcome::Accepted { remote_id: None } } else { strange("Teams") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stories::{build, json_answer, receiver, statement, status_letter as letter};
    use super::*;

    const PATH: &str = "/workflows/0a1b/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers&sig=not-a-real-key";

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/teams/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn room(url: &str) -> Channel {
        build(&KIND, &[("private_addresses", "allow")], &[("url", &format!("{url}{PATH}"))]).unwrap()
    }

    #[tokio::test]
    async fn a_letter_is_a_card_of_plain_words_and_one_button() {
        let (url, requests) = receiver(vec![json_answer("202 Accepted", ""); 2]).await;
        let channel = room(&url);
        let sly = Parcel {
            subject: "[INC-42] shop: **down** [pay](https://evil.example) <at>everyone</at> {{DATE(2026-01-01T00:00:00Z)}}".into(),
            ..letter()
        };
        assert_eq!(channel.send(&sly).await, Outcome::Accepted { remote_id: None });
        channel.send(&Parcel { attempt: 2, ..sly }).await;
        let requests = requests.await;
        assert_eq!(requests[0].line, format!("POST {PATH} HTTP/1.1"));
        assert_eq!(requests[0].body, requests[1].body, "the same bytes on every attempt");
        let card: Value = serde_json::from_str(fixture("card.json")).unwrap();
        assert_eq!(requests[0].json(), card, "{}", requests[0].body);
    }

    #[tokio::test]
    async fn a_card_is_never_larger_than_what_is_taken() {
        let texts = ["\"".repeat(30_000), "x\n".repeat(4000), "🔥 ".repeat(9000), "\u{1}".repeat(20_000)];
        let (url, requests) = receiver(vec![json_answer("202 Accepted", ""); texts.len()]).await;
        let channel = room(&url);
        for text in texts {
            channel.send(&Parcel { text, ..letter() }).await;
        }
        for (number, request) in requests.await.into_iter().enumerate() {
            assert!(request.body.len() < 28_000, "{number}: {}", request.body.len());
            let card = &request.json()["attachments"][0]["content"];
            let elements = card["body"].as_array().unwrap();
            assert!(elements.len() <= LINES_MAX + 1, "{number}: {}", elements.len());
            let last = &elements[elements.len() - 1]["inlines"][0]["text"];
            assert_eq!(last, "https://onscene.example.net/incidents/42", "{number}");
        }
    }

    #[tokio::test]
    async fn a_refusal_may_stand_in_an_answer_that_says_that_all_is_well() {
        let waits = Outcome::Wait { after: None, why: "answered 200, and in its text 429".into() };
        let taken = Outcome::Accepted { remote_id: None };
        let refused = |why: &str| Outcome::Refused { why: why.into(), whole_channel: true };
        for (status, body, meant) in [
            ("200 OK", fixture("throttled.txt"), waits),
            (
                "200 OK",
                "... Microsoft Teams endpoint returned HTTP error 403 with ...",
                refused("answered 200, and in its text 403"),
            ),
            ("200 OK", "1", taken.clone()),
            ("200 OK", "", taken.clone()),
            ("200 OK", r#"{"run": "08584"}"#, taken.clone()),
            ("202 Accepted", "", taken),
            (
                "400 Bad Request",
                fixture("turned_off.json"),
                refused("answered 400 (WorkflowTriggerIsNotEnabled)"),
            ),
            (
                "401 Unauthorized",
                fixture("signature.json"),
                refused("answered 401 (DirectApiAuthorizationRequired)"),
            ),
            (
                "429 Slow\r\nRetry-After: 30",
                "",
                Outcome::Wait { after: Some(Duration::from_secs(30)), why: "answered 429".into() },
            ),
        ] {
            let (url, _requests) = receiver(vec![json_answer(status, body)]).await;
            assert_eq!(room(&url).send(&letter()).await, meant, "{status} {body}");
        }
    }

    #[test]
    fn the_address_of_a_connector_is_refused_with_what_to_do_instead() {
        let said = |url: &str| build(&KIND, &[], &[("url", url)]).err().unwrap_or_default();
        for old in [
            "https://example.webhook.office.com/webhookb2/0a@1b/IncomingWebhook/2c/3d",
            "https://Outlook.Office.com/webhook/0a@1b/IncomingWebhook/2c/3d",
        ] {
            assert!(said(old).contains("make a workflow"), "{old}: {}", said(old));
            assert!(!said(old).contains("2c"), "it is a credential all the same");
        }
        let host = "https://prod-01.westeurope.logic.azure.com:443";
        assert_eq!(said(&format!("{host}{PATH}")), "");
        assert!(said(&format!("{host}/workflows/0a1b?api-version=2016-06-01")).contains("sig="));
    }

    #[tokio::test]
    async fn three_braces_make_no_date_either() {
        let (url, requests) = receiver(vec![json_answer("202 Accepted", "")]).await;
        let sly =
            Parcel { text: "Identified\n\n{{{DATE(2026-01-01T00:00:00Z)}}} {{{{".into(), ..statement(1) };
        room(&url).send(&sly).await;
        let body = requests.await.remove(0).body;
        assert!(!body.contains("{{"), "{body}");
        assert!(body.contains("{\u{200b}{\u{200b}{DATE("), "{body}");
    }

    #[tokio::test]
    async fn a_statement_of_many_lines_is_whole_and_has_no_button() {
        let (url, requests) = receiver(vec![json_answer("202 Accepted", "")]).await;
        let text = format!("Identified\n\n{}last", "x\n".repeat(200));
        room(&url).send(&Parcel { text, ..statement(1) }).await;
        let body = requests.await.remove(0);
        let card = &body.json()["attachments"][0]["content"];
        assert_eq!((card["body"].as_array().unwrap().len(), card.get("actions")), (203, None));
        assert!(body.body.len() < CARD_BYTES_MAX);
    }
}
