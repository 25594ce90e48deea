//! What mail servers and mail programs report of a letter: that it came back (RFC 3464, and the bounces of Exim and
//! qmail that are older than that), that it waits, that it was shown (RFC 8098).

use super::parts::{Head, Part};
use crate::core::alert::one_line;
use crate::core::mail::What;

/// Longest reason kept, in characters.
const WHY_CHARS_MAX: usize = 200;
/// Where qmail's copy of the letter begins, and how its own words do.
const QMAIL_COPY: &str = "--- Below this line is a copy of the message.";
const QMAIL: &str = "Hi. This is the qmail-send program at";
/// Where the copy begins in the bounces that Exim wrote before it knew RFC 3464; what follows varies.
const EXIM_COPY: &str = "------ This is a copy of ";
/// Most lines of such a copy that are searched for an id.
const COPY_LINES_MAX: usize = 200;

/// What a message reports, and the ids it reports of, when it is a report.
pub(super) fn of(root: &Head, parts: &[Part<'_>], text: &str) -> Option<(What, Vec<String>)> {
    let part = |kind: &str| parts.iter().find(|part| part.kind == kind);
    if let Some(status) = part("message/delivery-status").or_else(|| part("message/global-delivery-status")) {
        return Some((delivery(&status.text()), returned(parts)));
    }
    if let Some(read) = part("message/disposition-notification") {
        let (fields, _) = Head::read(read.body).ok()?;
        let how = fields.text("Disposition").and_then(|how| how.rsplit(';').next()).unwrap_or("shown");
        let how = one_line(how).to_lowercase().chars().take(WHY_CHARS_MAX).collect();
        let ids = fields.text("Original-Message-ID").map(bare).into_iter().chain(returned(parts));
        return Some((What::Receipt { how }, ids.collect()));
    }
    old(root, text).map(|what| (what, of_copy(text)))
}

/// The worst that is said of any recipient: our letters have one each.
fn delivery(text: &str) -> What {
    let mut why = String::new();
    let (mut failed, mut delayed) = (false, false);
    let mut other = String::new();
    for (name, value) in fields(text) {
        match name.as_str() {
            "action" => {
                match value.split_whitespace().next().unwrap_or_default().to_ascii_lowercase().as_str() {
                    "failed" => failed = true,
                    "delayed" => delayed = true,
                    action => other = one_line(action).chars().take(WHY_CHARS_MAX).collect(),
                }
            }
            "status" => why = format!("{} {why}", value.trim()),
            "diagnostic-code" => {
                let said = value.split_once(';').map_or(value.as_str(), |(_, said)| said);
                why = format!("{why} {}", said.trim());
            }
            _ => {}
        }
    }
    let why = clean(&why);
    match (failed, delayed) {
        (true, _) => What::Bounce { failed: true, why },
        (false, true) => What::Bounce { failed: false, why },
        // Without an action the first digit says it (RFC 3463).
        (false, false) if other.is_empty() => What::Bounce { failed: why.starts_with('5'), why },
        (false, false) => What::Receipt { how: other },
    }
}

/// Fields of all recipients, names in lower case, those that go over several lines put together.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with([' ', '\t']), fields.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, _, Some((name, value))) => {
                fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            _ => {}
        }
    }
    fields
}

/// A bounce from before RFC 3464, when its shape is clear.
fn old(root: &Head, text: &str) -> Option<What> {
    let subject = root.text("Subject").unwrap_or_default();
    if subject.starts_with("Warning: message ") && subject.contains(" delayed ") {
        return Some(What::Bounce { failed: false, why: clean(subject) });
    }
    let qmail = text.trim_start().starts_with(QMAIL);
    let exim = root.has("X-Failed-Recipients") && text.contains(EXIM_COPY);
    if !(qmail || exim) {
        return None;
    }
    // The last words before the copy are what the other server said.
    let said = text.split(if qmail { QMAIL_COPY } else { EXIM_COPY }).next().unwrap_or_default();
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(2)..).unwrap_or_default();
    Some(What::Bounce { failed: true, why: clean(&last.join(" ")) })
}

/// The id of the letter of which a copy, or its header alone, is sent back.
fn returned(parts: &[Part<'_>]) -> Vec<String> {
    let kinds = [
        "message/rfc822",
        "text/rfc822-headers",
        "message/rfc822-headers",
        "message/global",
        "message/global-headers",
    ];
    let copies = parts.iter().filter(|part| kinds.contains(&part.kind.as_str()));
    let heads = copies.filter_map(|part| Head::read(part.body).ok());
    heads.filter_map(|(head, _)| head.ids("Message-ID").first().map(|id| bare(id))).collect()
}

/// The same in the text of an old bounce.
fn of_copy(text: &str) -> Vec<String> {
    let at = text.find(QMAIL_COPY).or_else(|| text.find(EXIM_COPY)).unwrap_or(0);
    let copy = text.get(at..).unwrap_or_default().lines().take(COPY_LINES_MAX);
    let fields = copy.filter_map(|line| line.split_once(':'));
    fields
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("message-id"))
        .map(|(_, id)| bare(id))
        .collect()
}

/// An id without its brackets.
fn bare(id: &str) -> String {
    id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// One line without addresses: it goes on a timeline.
fn clean(why: &str) -> String {
    let words = why.split_whitespace().map(|word| if word.contains('@') { "(address)" } else { word });
    let line = one_line(&words.collect::<Vec<_>>().join(" "));
    line.chars().take(WHY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_that_is_said_of_a_recipient_counts_and_no_address_stays() {
        let failed = "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@b\nAction: delivered\n\nAction: FAILED\nStatus: 5.1.1\n\
                      Diagnostic-Code: smtp; 550 5.1.1\n <kim@example.net>: unknown";
        let why = "5.1.1 550 5.1.1 (address) unknown".to_owned();
        assert_eq!(delivery(failed), What::Bounce { failed: true, why });
        let late = "Action: delayed\nStatus: 4.4.1";
        assert_eq!(delivery(late), What::Bounce { failed: false, why: "4.4.1".into() });
        assert_eq!(delivery("Action: relayed"), What::Receipt { how: "relayed".into() });
        assert_eq!(delivery("Status: 5.0.0"), What::Bounce { failed: true, why: "5.0.0".into() });
        assert_eq!(delivery(""), What::Bounce { failed: false, why: String::new() });
    }
}
