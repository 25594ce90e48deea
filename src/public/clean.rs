//! Signs that no page may carry, taken out before anything is written.
//!
//! What the forms escape is theirs; this is what cannot be written in them at all: XML has no way to say NUL, and HTML none that is
//! valid. They become U+FFFD, so that readers see that something stood there.

use super::{Planned, PublicIncident, PublicStatement, Said, Shown};

/// Stands where a sign was that cannot be shown.
const REPLACEMENT: char = '\u{fffd}';

impl Shown {
    /// The same, with nothing in it that a form cannot carry.
    pub(super) fn cleaned(&self) -> Self {
        let mut shown = self.clone();
        clean(&mut shown.title);
        [&mut shown.url, &mut shown.contact, &mut shown.subscribe].into_iter().flatten().for_each(clean);
        shown.components.iter_mut().for_each(|component| clean(&mut component.name));
        shown.incidents.iter_mut().for_each(incident);
        for Planned { key, title, components, text, .. } in &mut shown.maintenance {
            [title, text].into_iter().chain(components).for_each(clean);
            tame(key);
        }
        shown
    }
}

fn incident(incident: &mut PublicIncident) {
    tame(&mut incident.key);
    clean(&mut incident.title);
    incident.components.iter_mut().for_each(clean);
    for PublicStatement { key, components, said, mends, .. } in &mut incident.statements {
        tame(key);
        components.iter_mut().for_each(clean);
        if let Said::Text(text) = said {
            clean(text);
        }
        if let Some((key, _)) = mends {
            tame(key);
        }
    }
}

fn clean(text: &mut String) {
    let fits =
        |letter: char| !(letter.is_control() || is_no_character(letter)) || matches!(letter, '\n' | '\t');
    if text.chars().all(fits) {
        return;
    }
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    *text = lines.chars().map(|letter| if fits(letter) { letter } else { REPLACEMENT }).collect();
}

/// The 66 that Unicode says will never be characters.
fn is_no_character(letter: char) -> bool {
    let number = u32::from(letter);
    number & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&number)
}

/// A key as it can stand in an address: one that cannot becomes its own fingerprint.
fn tame(key: &mut String) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if key.is_empty() || !key.bytes().all(fits) {
        *key = super::files::fingerprint(key, 20);
    }
}
