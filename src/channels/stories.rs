//! What the stories of channels share: a letter, a receiver that answers as told, and a way to build.

use std::future::Future;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// What is said in a room: it is nobody's own, and wakes nobody.
pub(super) fn status_letter() -> Parcel {
    let data = serde_json::json!({"incident": {"id": 42, "url": "https://onscene.example.net/incidents/42"}});
    Parcel { to: String::new(), answer: None, wakes: false, data, ..parcel(1) }
}

/// A letter, at its nth attempt.
pub(super) fn parcel(attempt: u32) -> Parcel {
    let at = |second| Timestamp::from_second(1_795_400_000 + second).unwrap();
    Parcel {
        delivery: "0123456789abcdef0123456789abcdef".into(),
        incident: 42,
        incident_state: "triggered".into(),
        thread: Thread::Pages,
        to: "maya@example.net".into(),
        page_attempt: 1,
        subject: "[INC-42] shop: checkout down für alle <!channel>".into(),
        text: "SEV1 shop: checkout down\n\nAnswer: https://onscene.example.net/r/TOKEN\n".into(),
        html: "<p>SEV1 shop: checkout down</p>".into(),
        short: "SEV1 shop: checkout down".into(),
        answer: Some("https://onscene.example.net/r/TOKEN".into()),
        meet: None,
        wakes: true,
        data: serde_json::json!({"incident": {"id": 42}}),
        event_type: "page".into(),
        created_at: at(0),
        now: at(i64::from(attempt) * 10),
        thread_root: None,
        lost: Vec::new(),
        again: Vec::new(),
        attempt,
        mends_nothing: false,
        unwritten: false,
        only_look: false,
        statement: None,
    }
}

/// A statement for the public, as it is handed to a channel.
pub(super) fn statement(attempt: u32) -> Parcel {
    let at = |second| Timestamp::from_second(1_795_400_000 + second).unwrap();
    let said = Statement {
        id: "42-3".into(),
        audience: crate::core::audience::Audience::Public,
        sort: crate::core::voice::Sort::Update,
        phase: crate::core::voice::Phase::Identified,
        impact: crate::core::voice::Impact::Major,
        now: None,
        title: "Online shop: payments fail".into(),
        text: "Some payments by card fail. Payments by invoice work.\n\nNext update by 10:30 UTC.".into(),
        components: vec!["Online shop".into()],
        services: vec!["shop".into()],
        began: at(-600),
        at: at(0),
        next_by: Some(at(1800)),
        mends: None,
        takes_back: None,
    };
    Parcel {
        incident_state: "acknowledged".into(),
        thread: Thread::Status,
        page_attempt: 0,
        subject: said.title.clone(),
        text: format!("{}\n\n{}", said.phase.title(), said.text),
        html: String::new(),
        short: said.title.clone(),
        event_type: "statement".into(),
        statement: Some(Box::new(said)),
        ..Parcel { attempt, now: at(i64::from(attempt) * 10), ..status_letter() }
    }
}

/// What Twilio signs with, and codes are made with.
pub(super) const TWILIO: &str = "not-a-real-auth-token";
/// What buttons of Mattermost are signed with.
pub(super) const MATTERMOST: &str = "0123456789abcdef-not-a-real-secret";
/// Among the texts: no answer is heard.
pub(super) const UNHEARD: (&str, &str) = ("unheard", "");
/// Stands between the items of a list for [`build`].
pub(super) const UNIT: char = '\u{1f}';

/// Builds a channel of a kind.
pub(super) fn build(
    kind: &Kind,
    texts: &[(&str, &str)],
    secrets: &[(&str, &str)],
) -> Result<Channel, String> {
    let (twilio, mattermost) = (Some(TWILIO.into()), Some(MATTERMOST.into()));
    let heard = Heard { twilio, slack: true, telegram: true, mattermost };
    let heard = if texts.contains(&UNHEARD) { Heard::default() } else { heard };
    let own = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let secrets = own(secrets).into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
    // A list is a text with the separator of units between.
    let (lists, texts): (BTreeMap<_, _>, BTreeMap<_, _>) =
        own(texts).into_iter().partition(|(_, value)| value.contains(UNIT));
    let lists = lists.into_iter().map(|(name, value)| (name, value.split(UNIT).map(str::to_owned).collect()));
    let fields = Fields { texts, lists: lists.collect(), secrets };
    let mailer = mail::Mailer::new("onscene <pager@example.net>", &["file:/nonexistent".into()], None, None)?;
    (kind.build)(
        fields,
        &Shared {
            client: client::Client::new(None)?,
            mailer: Some(Arc::new(mailer)),
            heard,
            newest: Newest::default(),
        },
    )
}

/// A request as a receiver saw it.
pub(super) struct Seen {
    /// The first line.
    pub(super) line: String,
    head: String,
    /// The body.
    pub(super) body: String,
}

impl Seen {
    /// A header's value.
    pub(super) fn header(&self, name: &str) -> String {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

impl Seen {
    /// The body, as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The body, as a form.
    pub(super) fn form(&self) -> BTreeMap<String, String> {
        let text = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned()
        };
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (text(name), text(value))).collect()
    }
}

/// An answer with a body of JSON, or of what is said to be.
pub(super) fn json_answer(status: &str, body: &str) -> &'static str {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    format!("{head}\r\n\r\n{body}").leak()
}

/// Among the answers of a receiver: none, while the connection stays. From then on time is ours and goes by in a moment, so who is
/// told nothing waits for its deadline and for nothing else.
pub(super) const SILENCE: &str = "silence";

/// A receiver that gives these answers, one a connection or request, and then tells what it saw.
#[allow(clippy::disallowed_methods, reason = "a test's own server")]
pub(super) async fn receiver(answers: Vec<&'static str>) -> (String, impl Future<Output = Vec<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut seen = Vec::new();
        let mut answers = answers.into_iter();
        'connections: while let Ok((mut stream, _)) = listener.accept().await {
            loop {
                let mut bytes = Vec::new();
                let (head_end, length) = loop {
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    if read == 0 {
                        continue 'connections;
                    }
                    bytes.extend_from_slice(&buffer[..read]);
                    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
                    if bytes.len() >= end + 4 + length {
                        break (end, length);
                    }
                };
                let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
                let body = String::from_utf8_lossy(&bytes[head_end + 4..head_end + 4 + length]).into_owned();
                seen.push(Seen { line: head.lines().next().unwrap_or_default().into(), head, body });
                let answer = answers.next().unwrap_or_default();
                if answer == SILENCE {
                    tokio::time::pause();
                    // Until whoever asked has given up.
                    let _gone = stream.read(&mut [0; 1]).await;
                    if answers.len() == 0 {
                        return seen;
                    }
                    continue 'connections;
                }
                let _gone = stream.write_all(answer.as_bytes()).await;
                if answers.len() == 0 {
                    return seen;
                }
                if answer.is_empty() {
                    continue 'connections;
                }
            }
        }
        seen
    });
    (url, async move { server.await.unwrap() })
}
