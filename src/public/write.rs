//! The model → all files.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Files, Shown, feeds, html, statuspage};

/// What may be old now is so much younger than it was, as HTTP counts hours.
const OLD_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// A file could not be written: a fault of ours, found by every test.
#[derive(Debug, thiserror::Error)]
#[error("the public page cannot be written: {0}")]
pub struct WriteError(#[from] minijinja::Error);

/// Writes all files. `old`: they say that what they show may have changed since it was so. `before`: files of an earlier hour;
/// what did not change is taken from there.
///
/// # Errors
/// A fault of ours.
pub fn write(shown: &Shown, old: bool, before: Option<&Files>) -> Result<Files, WriteError> {
    let shown = shown.cleaned();
    let pages = html::templates()?;
    let mut written = html::write(&pages, &shown, old)?;
    written.extend(feeds::write(&pages, &shown)?);
    written.extend(statuspage::write(&shown));
    let said = shown.incidents.iter().flat_map(|incident| incident.statements.iter());
    let holds: BTreeMap<String, String> = said.map(|one| (one.id.clone(), one.key.clone())).collect();
    // Whoever asks by the hour alone has to be told that it may be old now.
    let modified =
        if old { shown.made_at.saturating_add(OLD_AFTER).unwrap_or(shown.made_at) } else { shown.made_at };
    Ok(Files::of((shown.made_at, modified), written, holds, before))
}
