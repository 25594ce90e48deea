//! Mail: to persons and to lists of recipients, over relays in order.
//!
//! Relays: `smtps://user@host[:465]` is TLS from the first byte, `smtp://user@host[:587]` insists on
//! STARTTLS (on loopback it speaks plain unless `?starttls` is added), `file:DIR` writes each letter as a
//! file. Attempt n begins with relay n, and goes on to the next relay while it is certain that nothing
//! was handed over. SMTP knows no idempotency: when the answer to the final dot is lost the outcome is
//! Unknown, and the same bytes with the same Message-ID are sent again; a duplicate page is harmless, a
//! lost one is not.
//!
//! What the answers mean (RFC 5321): 4xx before the final dot: certainly not written. 5xx to the
//! recipient or the message: final for this recipient. 5xx to the greeting, the login or the sender:
//! the fault is the relay's own, and says nothing about the recipient.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use secrecy::SecretString;

use super::{Channel, Fields, Key, Kind, Outcome, Parcel, SEND_DEADLINE, Shared};
use crate::crypto;
use bytes::Manner;

mod bytes;
mod smtp;
#[cfg(test)]
mod stories;

use smtp::{Relay, Trouble};

/// Mail to a list of recipients.
pub const KIND: Kind = Kind {
    name: "mail",
    keys: &[
        Key { name: "recipients", secret: false, required: false },
        Key { name: "subscribers", secret: false, required: false },
        Key { name: "reply_to", secret: false, required: false },
        Key { name: "list_id", secret: false, required: false },
    ],
    build: MailChannel::build,
    address: None,
    status: true,
};

/// All relays together have this long: less than the deadline of every attempt.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(18);
/// Most recipients of one channel.
const RECIPIENTS_MAX: usize = 100;
/// Longest answer of a relay that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 200;

const _: () = assert!(ATTEMPT_DEADLINE.as_secs() < SEND_DEADLINE.as_secs());

enum Way {
    Smtp(Relay),
    File(PathBuf),
}

/// Sends mail.
pub struct Mailer {
    from: Mailbox,
    /// Where answers to letters to persons go, if not to `from`.
    reply_to: Option<Mailbox>,
    ways: Vec<Way>,
}

/// Whether a relay can be used.
///
/// # Errors
/// A sentence that says why not.
pub fn check_relay(url: &str) -> Result<(), String> {
    way(url, None, None).map(drop)
}

fn way(url: &str, password: Option<&SecretString>, ca: Option<&[u8]>) -> Result<Way, String> {
    match url.strip_prefix("file:") {
        Some("") => Err("`file:` needs a directory, such as file:./mail".into()),
        Some(directory) => Ok(Way::File(directory.into())),
        None => Relay::read(url, password, ca).map(Way::Smtp),
    }
}

impl Mailer {
    /// Builds a mailer. `password` is for the relays that name a user, `ca_file` is trusted beside the
    /// system's certificates.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(
        from: &str,
        relays: &[String],
        password: Option<SecretString>,
        ca_file: Option<&Path>,
    ) -> Result<Self, String> {
        let from = from.parse().map_err(|error| format!("`from` is no mail address: {error}"))?;
        let read = |file: &Path| {
            std::fs::read(file)
                .map_err(|error| format!("the certificates in {} cannot be read: {error}", file.display()))
        };
        let ca = ca_file.map(read).transpose()?;
        let ways = relays.iter().map(|relay| way(relay, password.as_ref(), ca.as_deref()));
        let ways = ways.collect::<Result<Vec<_>, _>>()?;
        if ways.is_empty() {
            return Err("there is no relay".into());
        }
        Ok(Self { from, reply_to: None, ways })
    }

    /// The same, with an address of its own for answers to letters to persons.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn answered_at(self, reply_to: Option<&str>) -> Result<Self, String> {
        let read = |address: &str| {
            address.parse().map_err(|error| format!("`reply_to` is no mail address: {error}"))
        };
        Ok(Self { reply_to: reply_to.map(read).transpose()?, ..self })
    }

    /// The domain in the `Message-ID` of every letter, in lower case.
    pub fn domain(&self) -> String {
        self.from.email.domain().to_lowercase()
    }

    /// Sends one letter to `parcel.to`, who is a person of the house.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        self.send_as(parcel, &Manner { reply_to: self.reply_to.as_ref(), list: None }).await
    }

    async fn send_as(&self, parcel: &Parcel, manner: &Manner<'_>) -> Outcome {
        let refused = |why: &str| Outcome::Refused { why: why.into(), whole_channel: false };
        let Ok(to) = parcel.to.parse::<Address>() else { return refused("this is no mail address") };
        let bytes = match bytes::of(parcel, &self.from, manner, &to) {
            Ok(bytes) => bytes,
            Err(why) => return refused(&why),
        };
        // Set as soon as a relay may have the letter: what is lost after that is Unknown.
        let handed = AtomicBool::new(false);
        match tokio::time::timeout(ATTEMPT_DEADLINE, self.try_each(parcel, &to, &bytes, &handed)).await {
            Ok(outcome) => outcome,
            Err(_) if handed.load(Ordering::Acquire) => {
                Outcome::Unknown { why: "the relay fell silent with the letter in hand".into() }
            }
            Err(_) => Outcome::Wait { after: None, why: "no relay answered in time".into() },
        }
    }

    async fn try_each(&self, parcel: &Parcel, to: &Address, bytes: &[u8], handed: &AtomicBool) -> Outcome {
        let count = self.ways.len();
        let first = usize::try_from(parcel.attempt.saturating_sub(1)).unwrap_or(0) % count;
        let mut troubles: Vec<Trouble> = Vec::new();
        for way in (0..count).map(|step| &self.ways[(first + step) % count]) {
            let tried = match way {
                Way::Smtp(relay) => relay.send(&self.from.email, to, bytes, handed).await,
                Way::File(directory) => write(directory, parcel, to, bytes).await,
            };
            match tried {
                Ok(answer) => return Outcome::Accepted { remote_id: answer },
                Err(Trouble::Lost(why)) => return Outcome::Unknown { why: clean(&why, to) },
                Err(trouble) => troubles.push(trouble),
            }
        }
        let words: Vec<String> = troubles.iter().map(|trouble| clean(trouble.why(), to)).collect();
        let why = words.join("; ");
        // Refused is what every relay refuses. One that cannot be asked now may know the recipient, so it is asked
        // once more; but not for ever: who is out of reach must be passed over.
        let passing = troubles.iter().any(|trouble| matches!(trouble, Trouble::Passing(_)));
        let unknown = troubles.iter().any(|trouble| matches!(trouble, Trouble::Recipient(_)));
        if !passing || (unknown && parcel.attempt > 1) {
            let whole_channel = troubles.iter().all(|trouble| matches!(trouble, Trouble::Relay(_)));
            return Outcome::Refused { why, whole_channel };
        }
        Outcome::Wait { after: None, why }
    }
}

/// What a relay answered, without the address that stands in it and on one line.
fn clean(answer: &str, to: &Address) -> String {
    let answer = crate::core::alert::one_line(answer).replace(&to.to_string(), "the recipient");
    answer.chars().take(ANSWER_CHARS_MAX).collect()
}

/// Writes a letter as a file. A repeat has the same name, so it replaces itself.
async fn write(
    directory: &Path,
    parcel: &Parcel,
    to: &Address,
    bytes: &[u8],
) -> Result<Option<String>, Trouble> {
    let (directory, bytes) = (directory.to_path_buf(), bytes.to_vec());
    let to = crypto::hex(&crypto::sha256(to.to_string().as_bytes())[..4]);
    let name = format!("{}-{to}.eml", parcel.delivery);
    let kept = name.clone();
    let written = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let draft = directory.join(format!(".{kept}.draft"));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, directory.join(&kept))?;
        std::fs::File::open(&directory)?.sync_all()
    });
    match written.await {
        Ok(Ok(())) => Ok(Some(name)),
        Ok(Err(error)) => Err(Trouble::Passing(format!("the mail file cannot be written: {error}"))),
        Err(_) => Err(Trouble::Passing("the mail file cannot be written".into())),
    }
}

/// Mail to a list: the outbox writes one letter for each recipient.
pub struct MailChannel {
    recipients: Vec<String>,
    subscribers: bool,
    /// Who answers what is asked about statements: the PIO.
    reply_to: Option<Mailbox>,
    /// What mail programs know the list by; one for each audience, where none is given.
    list_id: Option<String>,
    mailer: std::sync::Arc<Mailer>,
}

impl MailChannel {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let recipients = fields.lists.remove("recipients").unwrap_or_default();
        let subscribers = fields.texts.remove("subscribers").is_some();
        if recipients.is_empty() && !subscribers {
            return Err("`recipients` is a list of at least one mail address".into());
        }
        let reply_to = fields.texts.remove("reply_to").map(|address| address.parse::<Mailbox>());
        let reply_to =
            reply_to.transpose().map_err(|error| format!("`reply_to` is no mail address: {error}"))?;
        let list_id = fields.texts.remove("list_id");
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_wrong = |id: &String| !id.contains('.') || id.len() > 200 || !id.chars().all(is_name);
        if list_id.as_ref().is_some_and(is_wrong) {
            return Err("`list_id` is a name with a dot in it, such as status.example.net".into());
        }
        if recipients.len() > RECIPIENTS_MAX {
            return Err(format!("`recipients` has at most {RECIPIENTS_MAX} addresses; use a mailing list"));
        }
        if let Some(wrong) = recipients.iter().find(|one| one.parse::<Address>().is_err()) {
            return Err(format!("`{wrong}` is no mail address"));
        }
        let mailer = shared.mailer.clone().ok_or("a mail channel needs [mail]")?;
        Ok(Channel::Mail(Self { recipients, subscribers, reply_to, list_id, mailer }))
    }

    /// Who hears of it.
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    /// Whether anybody may subscribe to it.
    pub fn has_subscribers(&self) -> bool {
        self.subscribers
    }

    /// Sends one letter to `parcel.to`.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let list = self.list_id.as_deref().unwrap_or_default();
        let manner = Manner { reply_to: self.reply_to.as_ref(), list: Some(list) };
        self.mailer.send_as(parcel, &manner).await
    }
}
