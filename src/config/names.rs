//! Names and addresses, as they may be written.

use super::errors::nearest;
use super::read::{At, Reading, Table};

/// Longer names do not fit a line.
const NAME_BYTES_MAX: usize = 64;

/// The `name` of a table. One that is wrong is told and given all the same, so that nothing else is wrong
/// because of it.
pub(super) fn name(table: &mut Table<'_>, reading: &mut Reading) -> Option<At<String>> {
    let name = table.needed(reading, "name")?;
    if !plain(&name.value) {
        let what = format!(
            "names stand in addresses and metrics: small letters, digits, and after the first also . _ and -, at most \
             {NAME_BYTES_MAX} bytes"
        );
        reading.errors.add(name.span.clone(), what);
    }
    Some(name)
}

fn plain(name: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(first)
        && name.chars().all(|c| first(c) || matches!(c, '.' | '_' | '-'))
}

/// Whether mail can be sent there.
pub(super) fn address(text: &str) -> bool {
    text.chars().all(|c| !c.is_whitespace() && !c.is_control()) && text.parse::<lettre::Address>().is_ok()
}

/// Whether it is an address, or a name with an address in angle brackets.
pub(super) fn mailbox(text: &str) -> bool {
    let inner = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    let address_in = inner.map_or(text, |(_, address)| address);
    !text.contains(char::is_control)
        && address(address_in)
        && text.parse::<lettre::message::Mailbox>().is_ok()
}

/// Complains about a name that is not there.
pub(super) fn known<'a>(
    reading: &mut Reading,
    name: &At<String>,
    what: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> bool {
    let known: Vec<&str> = known.into_iter().collect();
    if known.contains(&name.value.as_str()) {
        return true;
    }
    let near = nearest(&name.value, known.iter().copied());
    let there = match known.len() {
        0 => "; there is none".to_owned(),
        1..=8 if near.is_empty() => format!("; there are {}", known.join(", ")),
        _ => near,
    };
    reading.errors.add(name.span.clone(), format!("no {what} is called `{}`{there}", name.value));
    false
}
