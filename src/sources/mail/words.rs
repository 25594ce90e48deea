//! What somebody wrote in a reply, apart from what the mail program put around it.
//!
//! Left out: lines quoted with `>`, the line above them that says who wrote them and when, everything below a
//! signature's `-- `, and everything below the head of a quoted mail as Outlook writes it. What is meant is told by the
//! first line that is left, and only when that is one of a few clear words and nothing else. "ok" and "got it" are none:
//! watches and phones offer them as an answer to everything.

use crate::core::mail::{Answer, Said};

/// Words that take command.
const TAKE: &[&str] = &[
    "ack",
    "acknowledge",
    "acknowledged",
    "take",
    "taking",
    "take it",
    "taking it",
    "take command",
    "i take it",
    "i'll take it",
    "i have it",
];
/// Words that take command and call for more people.
const HELP: &[&str] = &["help", "ack help", "take help", "ack and help", "take and help"];
/// Words of somebody who cannot.
const DECLINE: &[&str] =
    &["can't", "cant", "can not", "cannot", "i can't", "i cant", "i cannot", "no", "decline"];
/// Lines that mail programs of phones add.
const ADDED: &[&str] = &["sent from my ", "get outlook for ", "von meinem ", "envoyé de mon "];
/// `From:` above a quoted mail, in the languages of the mail programs met most.
const FROM: &[&str] = &[
    "from",
    "von",
    "de",
    "fra",
    "från",
    "da",
    "van",
    "od",
    "от",
    "lähettäjä",
    "feladó",
    "kimden",
    "από",
    "发件人",
    "寄件者",
    "差出人",
    "보낸 사람",
];
/// Most lines looked at. An answer stands at the top, or below one page.
const LINES_MAX: usize = 2_000;
/// Longest line that can be an answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64;
/// Most words of a name.
const NAME_WORDS_MAX: usize = 3;
/// Most lines the words above a quotation are wrapped into.
const ATTRIBUTION_LINES_MAX: usize = 3;

/// Reads a reply.
pub(super) fn said(text: &str) -> Said {
    let own = own(unsigned(text));
    let first = own.iter().position(|line| !line.is_empty());
    let answer = first.and_then(|first| answer(own.get(first)?));
    let from = match (answer, first) {
        (Some(_), Some(first)) => first + 1,
        _ => 0,
    };
    let text = own.get(from..).unwrap_or_default().join("\n");
    let text = text.trim();
    // Below an answer stands a name, as often as not.
    let is_name = answer.is_some() && !text.contains('\n') && text.split(' ').count() <= NAME_WORDS_MAX;
    Said { answer, text: if is_name { String::new() } else { text.to_owned() } }
}

/// A text without what a signature by PGP puts around it (RFC 9580, 7).
fn unsigned(text: &str) -> &str {
    let Some(signed) = text.trim_start().strip_prefix("-----BEGIN PGP SIGNED MESSAGE-----") else {
        return text;
    };
    // Below are fields such as `Hash: SHA512`, and an empty line.
    let below = signed.find("\n\n").or_else(|| signed.find("\r\n\r\n"));
    let body = below.and_then(|at| signed.get(at..)).unwrap_or_default();
    body.split("-----BEGIN PGP SIGNATURE-----").next().unwrap_or_default()
}

/// What a line asks for, when it is clear and says nothing else.
pub fn answer(line: &str) -> Option<Answer> {
    if line.len() > ANSWER_BYTES_MAX {
        return None;
    }
    let plain = |c: char| match c {
        '\u{2018}' | '\u{2019}' | '\u{02bc}' | '\u{00b4}' | '`' | '\u{ff07}' => '\'',
        ',' | '+' | '&' | '\u{00a0}' => ' ',
        other => other,
    };
    let line: String = line.to_lowercase().chars().map(plain).filter(|c| !is_unseen(*c)).collect();
    // A question mark stays: a question is no answer.
    let around = |c: char| c.is_whitespace() || ".!:;*_\"-\u{2026}\u{2013}\u{2014}".contains(c);
    let words: Vec<&str> = line.trim_matches(around).split_whitespace().collect();
    let line = words.join(" ");
    let meant = [(TAKE, Answer::Take), (HELP, Answer::Help), (DECLINE, Answer::Decline)];
    meant.into_iter().find(|(words, _)| words.contains(&line.as_str())).map(|(_, answer)| answer)
}

/// Marks of direction and the like, which stand in a line without being seen.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
}

/// The lines that the sender wrote.
fn own(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().take(LINES_MAX).map(str::trim_end).collect();
    let mut own: Vec<&str> = Vec::new();
    let mut quoted = false;
    for (place, line) in lines.iter().enumerate() {
        let line = line.trim_start_matches(['\u{feff}', '\u{200b}']);
        let rest = lines.get(place..).unwrap_or_default();
        if line == "--" || is_ruler(line) || is_quoted_head(rest) {
            break;
        }
        if line.trim_start().starts_with('>') {
            if !quoted {
                drop_attribution(&mut own);
            }
            quoted = true;
            continue;
        }
        quoted = quoted && line.trim().is_empty();
        let lower = line.trim().to_lowercase();
        if !ADDED.iter().any(|added| lower.starts_with(added)) && !is_attribution(&lower) {
            own.push(line.trim());
        }
    }
    own
}

/// `On Sat, 28 Nov 2026 at 08:49, onscene <pager@example.net> wrote:` on one line, whatever follows it.
fn is_attribution(lower: &str) -> bool {
    lower.ends_with("wrote:") && lower.starts_with("on ") && lower.bytes().any(|byte| byte.is_ascii_digit())
}

/// Takes away the words above a quotation, in any language: they end with a colon and name a day, on one line or
/// wrapped into a few.
fn drop_attribution(own: &mut Vec<&str>) {
    let Some(last) = own.iter().rposition(|line| !line.is_empty()) else { return };
    if !own.get(last).is_some_and(|line| line.ends_with(':')) {
        return;
    }
    let mut first = last;
    let has_day = |line: &&str| line.bytes().any(|byte| byte.is_ascii_digit()) && !line.starts_with('<');
    while last - first + 1 < ATTRIBUTION_LINES_MAX
        && first > 0
        && !own.get(first..=last).unwrap_or_default().iter().any(has_day)
        && own.get(first - 1).is_some_and(|line| !line.is_empty() && answer(line).is_none())
    {
        first -= 1;
    }
    own.truncate(first);
}

/// `-----Original Message-----`, or a line of underscores.
fn is_ruler(line: &str) -> bool {
    let line = line.trim();
    (line.len() >= 10 && line.bytes().all(|byte| byte == b'_'))
        || (line.len() > 10 && line.starts_with("-----") && line.ends_with("-----"))
}

/// The head of a quoted mail: `From: ...`, and at least one more field at once below it.
fn is_quoted_head(lines: &[&str]) -> bool {
    let name = |line: &str| {
        let line = line.trim().trim_start_matches('*');
        let (name, _) = line.split_once(':')?;
        let name = name.trim_end_matches(['*', ' ', '\u{00a0}']).to_lowercase();
        (name.len() <= 20 && name.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '-')).then_some(name)
    };
    let mut lines = lines.iter().filter(|line| !line.trim().is_empty());
    let first = lines.next().and_then(|line| name(line));
    first.is_some_and(|first| FROM.contains(&first.as_str()))
        && lines.next().is_some_and(|line| name(line).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str) -> Option<Answer> {
        said(text).answer
    }

    #[test]
    fn clear_words_are_answers_however_they_are_written() {
        for take in [
            "ack",
            " ACK.",
            "Take it!",
            "*taking*",
            "I have it",
            "Acknowledged…",
            "i’ll take it",
            "\u{200e}ack",
        ] {
            assert_eq!(meant(take), Some(Answer::Take), "{take}");
        }
        for help in ["help", "HELP!!", "ack, help", "take + help", "Take  help"] {
            assert_eq!(meant(help), Some(Answer::Help), "{help}");
        }
        for no in ["can't", "can’t", "cant", "Can not", "cannot.", "No", "decline", "I can´t"] {
            assert_eq!(meant(no), Some(Answer::Decline), "{no}");
        }
    }

    #[test]
    fn nothing_else_is_an_answer() {
        for other in [
            "ok",
            "got it",
            "who acks?",
            "ack?",
            "no idea",
            "not ack",
            "I cannot take it",
            "",
            "helpful",
            "👍",
        ] {
            assert_eq!(said(other).answer, None, "{other}");
            assert_eq!(said(other).text, other);
        }
    }

    #[test]
    fn what_is_written_above_between_or_below_a_quotation_is_found_and_the_quotation_is_not() {
        for reply in [
            "ack\n\nOn Sat, 28 Nov 2026 at 08:49, onscene <pager@example.net> wrote:\n\n> SEV1 shop\n> take",
            "\n\nack\nOn Sat, Nov 28, 2026 at 8:49 AM onscene\n<pager@example.net> wrote:\n> help",
            "Am 28.11.2026 um 08:49 schrieb onscene <pager@example.net>:\n> SEV1\n>\n> help\n\nack\n-- \nTom",
            "On Sat, 28 Nov 2026 at 08:49, onscene <pager@example.net>\nwrote:\n\n> take help\n>\n\nack",
            "ack\n\n________________________________\nFrom: onscene\nhelp",
            "ack\n-----Original Message-----\nhelp",
            "ack\n\nFrom: onscene <pager@example.net>\nSent: Saturday\nhelp",
            "Sent from my iPhone\n\nack",
            "ack\n-- \nhelp",
        ] {
            let said = said(reply);
            assert_eq!(said, Said { answer: Some(Answer::Take), text: String::new() }, "{reply}");
        }
    }

    #[test]
    fn a_reply_with_nothing_but_a_quotation_says_nothing() {
        for reply in [
            "> ack",
            "On Sat, 28 Nov 2026, onscene wrote:\n> ack",
            "-- \nack",
            "From: a\nTo: b\n\nack",
            "",
            "\n \n",
        ] {
            assert_eq!(said(reply), Said::default(), "{reply}");
        }
    }

    #[test]
    fn what_is_written_below_an_answer_is_kept_beside_it() {
        let reply = said("ack\n\nI look at db1 first.\nThen web1.\n\nOn 28 Nov 2026, onscene wrote:\n> x");
        assert_eq!(reply.answer, Some(Answer::Take));
        assert_eq!(reply.text, "I look at db1 first.\nThen web1.");
    }
}
