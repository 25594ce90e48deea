//! Words to who pressed a button in Slack: of the answer to a press nothing is shown but that it failed, and what became of
//! it is posted to an address that comes with the press and leads to that one person for half an hour.
//!
//! Only addresses are written to that begin as the configuration says (`hooks_url` of the way: Slack's own, over TLS), although the press
//! was signed. A press is not kept waiting for it: a worker writes, a few at a time, each twice at most. What cannot be written
//! is lost: that nothing was decided Slack shows all the same (`slack.rs`), and the page and its link show what is so.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Uri, header};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::channels::client::{Client, Failure, Reach};
use crate::house::AnswerKeys;

/// Most that wait to be written; more are not taken.
const WAITING_MAX: usize = 64;
/// Written at the same time.
const AT_ONCE: usize = 8;
/// For one attempt.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(4);
/// Before the second, when the first did not leave or was not taken.
const AGAIN_WAIT: Duration = Duration::from_secs(1);
/// Longest address that is kept.
const ADDRESS_BYTES_MAX: usize = 512;

/// Where words are put. Cheap to clone.
#[derive(Clone)]
pub struct Whispers(mpsc::Sender<Whisper>);

/// Takes them to where they go.
pub struct Whisperer {
    waiting: mpsc::Receiver<Whisper>,
    client: Client,
}

/// Words for one person.
struct Whisper {
    to: Uri,
    reach: Reach,
    text: String,
}

/// Somewhere to put words, and who takes them.
pub fn whispers(client: Client) -> (Whispers, Whisperer) {
    let (sender, waiting) = mpsc::channel(WAITING_MAX);
    (Whispers(sender), Whisperer { waiting, client })
}

impl Whispers {
    /// Takes words for who pressed a button. They are not written when the address is none of Slack's, or too many wait.
    pub(super) fn take(&self, keys: &AnswerKeys, to: &str, text: &str) {
        let Some((to, reach)) = place(&keys.slack_hooks, to) else { return };
        if self.0.try_send(Whisper { to, reach, text: text.to_owned() }).is_err() {
            tracing::warn!("too many words to people in Slack wait; these are lost");
        }
    }
}

/// The address, where it is one that may be written to.
fn place(hooks: &[(String, Reach)], to: &str) -> Option<(Uri, Reach)> {
    let uri: Uri = to.parse().ok().filter(|_| to.len() <= ADDRESS_BYTES_MAX)?;
    let authority = uri.authority()?.as_str();
    let origin = format!("{}://{authority}", uri.scheme_str()?);
    let (_, reach) = hooks.iter().find(|(base, _)| base.eq_ignore_ascii_case(&origin))?;
    Some((uri.clone(), *reach))
}

impl Whisperer {
    /// Writes what comes until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let Self { waiting, client } = self;
        let words = futures_util::stream::unfold(waiting, |mut waiting| async {
            waiting.recv().await.map(|whisper| (whisper, waiting))
        });
        let written = words.for_each_concurrent(AT_ONCE, |whisper| {
            let client = client.clone();
            async move { whisper.goes(&client).await }
        });
        tokio::select! {
            () = stop.cancelled() => {}
            // Nobody is left who could put any.
            () = written => stop.cancelled().await,
        }
    }
}

impl Whisper {
    async fn goes(self, client: &Client) {
        for attempt in 0..2 {
            if attempt > 0 {
                tokio::time::sleep(AGAIN_WAIT).await;
            }
            match tokio::time::timeout(ATTEMPT_DEADLINE, self.attempt(client)).await {
                Ok(Ok(())) => return,
                // A second one would be read twice.
                Ok(Err(Failure::Maybe(_))) | Err(_) => break,
                Ok(Err(Failure::NotSent(_))) => {}
            }
        }
        tracing::warn!("words to who pressed a button in Slack could not be written");
    }

    async fn attempt(&self, client: &Client) -> Result<(), Failure> {
        let body = json!({"response_type": "ephemeral", "replace_original": false, "text": self.text});
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        let answer = client.post(self.reach, &self.to, headers, Bytes::from(body.to_string())).await?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(Failure::NotSent(format!("answered {}", answer.status.as_u16()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slacks_own_addresses_are_written_to() {
        let hooks = [("https://hooks.slack.com".to_owned(), Reach::Public)];
        let good = "https://hooks.slack.com/actions/T0123456789/1/none";
        assert_eq!(place(&hooks, good).map(|(uri, _)| uri.to_string()).as_deref(), Some(good));
        assert!(place(&hooks, "https://HOOKS.slack.com/actions/T0/1/x").is_some());
        for wrong in [
            "http://hooks.slack.com/actions/T0/1/x",
            "https://hooks.slack.com.example.net/actions/T0/1/x",
            "https://hooks.slack.com@example.net/",
            "https://me:word@hooks.slack.com/",
            "https://hooks.slack.com:8443/",
            "https://example.net/hooks.slack.com",
            "https://127.0.0.1/",
            "//hooks.slack.com/",
            "/actions",
            "",
            "hooks.slack.com",
        ] {
            assert!(place(&hooks, wrong).is_none(), "{wrong}");
        }
        assert!(place(&hooks, &format!("{good}{}", "x".repeat(ADDRESS_BYTES_MAX))).is_none());
        assert!(place(&[], good).is_none(), "no way by Slack, no button of ours");
    }
}
