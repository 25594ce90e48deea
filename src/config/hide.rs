//! What of a configuration file is never shown: the places of secrets.
//!
//! The key decides, not the text of the line: a secret may run over many lines, and its key may be
//! written in any case.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::errors::Errors;

/// Keys with one of these in their name hold a secret, or what somebody took for the place of one.
const SECRET_WORDS: [&str; 5] = ["token", "password", "passwd", "passphrase", "secret"];

/// Hides every secret of a file that is TOML.
pub(super) fn secrets(errors: &mut Errors, text: &str, table: &DeTable<'_>) {
    in_table(errors, text, table, "");
}

fn in_table(errors: &mut Errors, text: &str, table: &DeTable<'_>, within: &str) {
    for (key, value) in table {
        let name = key.get_ref().to_ascii_lowercase();
        // The address of a webhook is often its only secret.
        let address = within == "channel" && name == "url";
        // So is that of a calendar.
        let calendar = within == "rotation" && name.starts_with("calendar");
        let has_address = value.get_ref().as_str().is_some_and(|text| text.contains("://"));
        let address = address || calendar && (has_address || name == "calendar_url");
        let secret = address || SECRET_WORDS.iter().any(|word| name.contains(word));
        // The span of a [table] is its header: what it holds is looked at by its own keys.
        match (secret, value.get_ref()) {
            (true, DeValue::Table(_)) | (false, _) => in_value(errors, text, value, &name),
            (true, _) => errors.hide(value.span()),
        }
    }
}

fn in_value(errors: &mut Errors, text: &str, value: &toml::Spanned<DeValue<'_>>, key: &str) {
    match value.get_ref() {
        DeValue::String(string) if key == "relays" || string.contains("://") => {
            if let Some(span) = password(text, value.span(), string) {
                errors.hide(span);
            }
        }
        DeValue::Array(values) => values.iter().for_each(|value| in_value(errors, text, value, key)),
        DeValue::Table(table) => in_table(errors, text, table, key),
        _ => {}
    }
}

/// Hides whatever a value holds. Headers stay: the span of a `[table]` is its header.
pub(super) fn everything(errors: &mut Errors, value: &toml::Spanned<DeValue<'_>>) {
    match value.get_ref() {
        DeValue::Table(table) => table.values().for_each(|value| everything(errors, value)),
        DeValue::Array(values) => values.iter().for_each(|value| everything(errors, value)),
        _ => errors.hide(value.span()),
    }
}

/// Where the password of an address stands, with its user.
fn password(text: &str, span: Range<usize>, value: &str) -> Option<Range<usize>> {
    let (before, _) = value.rsplit_once('@')?;
    let user = before.split_once("://").map_or(before, |(_, user)| user);
    if !user.contains(':') {
        return None;
    }
    let written = text.get(span.clone())?;
    // With escapes, what is written is not what is meant; then all of it is hidden.
    let found = written.find(user).filter(|_| !written.contains('\\'));
    Some(found.map_or(span.clone(), |at| span.start + at..span.start + at + user.len()))
}

/// Hides what may be a secret in a file that is no TOML: everything but headers of tables and plain keys. After the
/// first text of several lines nobody knows what is a key.
pub(super) fn all_values(errors: &mut Errors, text: &str) {
    let (mut begin, mut lines) = (0, false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == ' ';
        let header = bare.starts_with('[') && bare.chars().all(|c| plain(c) || "[].".contains(c));
        let shown = match bare.split_once('=') {
            _ if lines => 0,
            Some((key, _)) if key.chars().all(plain) => key.len() + 1,
            None if header => bare.len(),
            _ => 0,
        };
        errors.hide(begin + shown..begin + bare.len());
        lines |= bare.contains("\"\"\"") || bare.contains("'''");
        begin += line.len();
    }
}
