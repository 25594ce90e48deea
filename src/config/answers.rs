//! `[answers]`: how the carriers of answers prove that they are what they say.

use secrecy::SecretString;

use super::read::{Reading, Table};

/// Secrets of those who bring answers to pages; any of several will do. Where there is none, nobody brings any.
#[derive(Debug, Default)]
pub struct Answers {
    /// Twilio signs with it: text messages and calls.
    pub twilio: Vec<SecretString>,
    /// Slack signs with it.
    pub slack: Vec<SecretString>,
    /// What buttons in Mattermost are signed with, by ourselves.
    pub mattermost: Vec<SecretString>,
    /// Telegram sends it along.
    pub telegram: Vec<SecretString>,
}

pub(super) fn answers(root: &mut Table<'_>, reading: &mut Reading) -> Answers {
    let Some(mut table) = root.table(reading, "answers") else { return Answers::default() };
    let twilio = table.secrets(reading, "twilio_auth_token");
    let slack = table.secrets(reading, "slack_signing_secret");
    let mattermost = table.secrets(reading, "mattermost_secret");
    let telegram = table.secrets(reading, "telegram_secret");
    table.end(reading);
    let [twilio, slack, mattermost, telegram] =
        [twilio, slack, mattermost, telegram].map(|found| found.map_or(Vec::new(), |found| found.value));
    Answers { twilio, slack, mattermost, telegram }
}
