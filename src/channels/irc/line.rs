//! Lines of IRC: those of a letter, and those that a server sends.

use super::super::Parcel;
use super::super::api::plain;

/// Most lines of a letter.
pub(super) const LINES_MAX: usize = 6;
/// Most bytes of what a line says.
const TEXT_BYTES_MAX: usize = 400;
/// A whole line, with its end.
const LINE_BYTES_MAX: usize = 512;
/// What a server adds besides the nick: `:`, `!`, `@`, a space, a user and a host of the usual greatest lengths; the nick may have
/// become longer by two.
const ADDED_BYTES: usize = 4 + 11 + 63 + 2;
/// However long the names are.
const TEXT_BYTES_MIN: usize = 100;
/// Says that there is more.
const MORE: &str = "…";
/// Between two that share a line.
const BETWEEN: &str = " · ";

/// What a letter says, in as many lines as may go at once.
pub(super) fn lines(parcel: &Parcel, room: &str, nick: &str) -> Vec<String> {
    let max = bytes_max(room, nick);
    let mut lines = wrapped(&paragraphs(parcel), max);
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX - 1);
        let rest = parcel.rest().map(|rest| format!("{MORE} {rest}")).filter(|rest| rest.len() <= max);
        lines.push(rest.unwrap_or_else(|| MORE.to_owned()));
    }
    lines
}

/// What a statement says, in as many lines as it needs. Where these are too many, what stands in several paragraphs shares a line.
pub(super) fn whole(parcel: &Parcel, room: &str, nick: &str) -> Vec<String> {
    let max = bytes_max(room, nick);
    let paragraphs = paragraphs(parcel);
    let lines = wrapped(&paragraphs, max);
    if lines.len() <= LINES_MAX { lines } else { wrapped(&[paragraphs.join(BETWEEN)], max) }
}

/// How much a line says at most.
fn bytes_max(room: &str, nick: &str) -> usize {
    let around = "PRIVMSG  :\r\n".len() + room.len() + nick.len() + ADDED_BYTES;
    LINE_BYTES_MAX.saturating_sub(around).clamp(TEXT_BYTES_MIN, TEXT_BYTES_MAX)
}

/// The title, and what stands between blank lines.
fn paragraphs(parcel: &Parcel) -> Vec<String> {
    let mut paragraphs = Vec::new();
    let mut paragraph = Vec::new();
    for line in std::iter::once(parcel.subject.as_str()).chain([""]).chain(parcel.text.lines()).chain([""]) {
        let bare = bare(line);
        if !bare.is_empty() {
            paragraph.push(bare);
        } else if !paragraph.is_empty() {
            paragraphs.push(std::mem::take(&mut paragraph).join(BETWEEN));
        }
    }
    paragraphs
}

fn wrapped(paragraphs: &[String], max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in paragraphs {
        wrap(paragraph, max, &mut lines);
    }
    lines
}

/// Without control characters, and with one space between words.
fn bare(line: &str) -> String {
    let spaced: String = line.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts between words, where one is near, and never within a character.
fn wrap(text: &str, max: usize, lines: &mut Vec<String>) {
    let mut rest = text;
    while rest.len() > max {
        let end = (0..=max).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(max);
        let space = rest[..end].rfind(' ').filter(|at| *at > max / 2);
        let (line, after) = rest.split_at(space.unwrap_or(end));
        lines.push(line.to_owned());
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        lines.push(rest.to_owned());
    }
}

/// A line that a server sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its `msgid` among the tags.
    pub(super) msgid: Option<String>,
    /// The nick, or the name of a server, that it comes from.
    pub(super) from: String,
    /// A word or three digits, in capitals.
    pub(super) command: String,
    /// What follows.
    pub(super) params: Vec<String>,
}

impl Line {
    /// Reads one, without its end.
    pub(super) fn read(line: &str) -> Self {
        let mut rest = line.trim_end_matches(['\r', '\n']);
        let mut msgid = None;
        if let Some(tagged) = rest.strip_prefix('@') {
            let (tags, after) = tagged.split_once(' ').unwrap_or((tagged, ""));
            let id = tags.split(';').find_map(|tag| tag.strip_prefix("msgid="));
            msgid = id.map(plain).filter(|id| !id.is_empty());
            rest = after.trim_start();
        }
        let mut from = "";
        if let Some(prefixed) = rest.strip_prefix(':') {
            let (prefix, after) = prefixed.split_once(' ').unwrap_or((prefixed, ""));
            from = prefix.split(['!', '@']).next().unwrap_or_default();
            rest = after.trim_start();
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut params = Vec::new();
        while !rest.is_empty() {
            if let Some(last) = rest.strip_prefix(':') {
                params.push(last.to_owned());
                break;
            }
            let (param, after) = rest.split_once(' ').unwrap_or((rest, ""));
            if !param.is_empty() {
                params.push(param.to_owned());
            }
            rest = after;
        }
        Self { msgid, from: from.to_owned(), command: command.to_uppercase(), params }
    }

    /// A parameter, or nothing.
    pub(super) fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }
}

/// Whether two names are one: IRC takes `{}|^` for the small letters of `[]\~`.
pub(super) fn same(one: &str, other: &str) -> bool {
    let small = |name: &str| -> Vec<u8> {
        let fold = |byte: u8| match byte {
            b'[' => b'{',
            b']' => b'}',
            b'\\' => b'|',
            b'~' => b'^',
            other => other.to_ascii_lowercase(),
        };
        name.bytes().map(fold).collect()
    };
    small(one) == small(other)
}

#[cfg(test)]
mod tests {
    use super::super::super::stories::{parcel, statement};
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let data = serde_json::json!({"incident": {"url": "https://onscene.example.net/incidents/42"}});
        let letter =
            Parcel { answer: None, data, subject: "[INC-42] shop".into(), text: text.into(), ..parcel(1) };
        lines(&letter, "#ops", "onscene")
    }

    #[test]
    fn a_paragraph_is_a_line() {
        let text = "Maya has command of INC-42.\n\nSEV1 shop: down\nSince:       02:13\n\n\nhttps://onscene.example.net/incidents/42\n";
        assert_eq!(
            said(text),
            [
                "[INC-42] shop",
                "Maya has command of INC-42.",
                "SEV1 shop: down · Since: 02:13",
                "https://onscene.example.net/incidents/42"
            ]
        );
    }

    #[test]
    fn nothing_in_a_text_ends_a_line_or_is_a_colour() {
        let sly = "down\r\nQUIT :bye\0\u{1}ACTION waves\u{1}\u{3}04red\u{2}\u{85}\u{7f}";
        assert_eq!(said(sly), ["[INC-42] shop", "down · QUIT :bye ACTION waves 04red"]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_where_the_rest_is() {
        for text in ["für 🔥 alle ".repeat(400), "🔥".repeat(2000), "x".repeat(9000)] {
            let lines = said(&text);
            assert_eq!(lines.len(), LINES_MAX);
            assert!(lines.iter().all(|line| line.len() <= 400), "{lines:?}");
            assert_eq!(lines[LINES_MAX - 1], "… https://onscene.example.net/incidents/42");
        }
        let room = format!("#{}", "r".repeat(60));
        let letter = Parcel { text: "word ".repeat(100), ..parcel(1) };
        for line in lines(&letter, &room, &"n".repeat(30)) {
            let prefix = 1 + 32 + 1 + 11 + 1 + 63 + 1;
            let whole = prefix + "PRIVMSG  :\r\n".len() + room.len() + line.len();
            assert!(whole <= 512, "{whole}");
        }
    }

    #[test]
    fn a_line_of_a_server_is_read() {
        let line = Line::read("@time=2026;msgid=aB~1 :onscene!u@h PRIVMSG #ops :SEV1 shop: down\r\n");
        assert_eq!((line.msgid.as_deref(), line.from.as_str()), (Some("aB~1"), "onscene"));
        assert_eq!(
            (line.command.as_str(), line.param(0), line.param(1)),
            ("PRIVMSG", "#ops", "SEV1 shop: down")
        );
        let session = include_str!("../../../tests/fixtures/channels/irc/session.txt");
        let heard = session.lines().map(Line::read).filter(|line| line.command != "353");
        let heard =
            heard.map(|line| format!("{} {} {} {}", line.from, line.command, line.param(0), line.param(1)));
        let expected = "\
irc.example.net CAP * LS
irc.example.net 433 * maya
irc.example.net CAP onscene ACK
irc.example.net 001 onscene Welcome to the Tests IRC Network onscene!onscene@127.0.0.1
irc.example.net 474 onscene #shut
onscene JOIN #Ops\x20
irc.example.net 366 onscene #Ops
onscene PRIVMSG #Ops für alle
irc.example.net 404 onscene #shut
irc.example.net PONG irc.example.net token
 ERROR Closing link: (onscene@127.0.0.1) []\x20";
        assert_eq!(heard.collect::<Vec<_>>().join("\n"), expected);
        assert_eq!(Line::read("PING irc.example.net").param(0), "irc.example.net");
        assert_eq!(Line::read(":irc 433 *  onscene :in use").params, ["*", "onscene", "in use"]);
        assert_eq!(Line::read("@").command, "");
        assert!(same("#Ops[1]", "#ops{1}") && !same("#ops", "#ops2"));
    }

    #[test]
    fn a_statement_is_whole_and_shares_lines_only_where_it_has_to() {
        let of = |text: String| whole(&Parcel { text, ..statement(1) }, "#ops", "onscene");
        let usual = of(statement(1).text);
        assert_eq!(
            usual,
            [
                "Online shop: payments fail",
                "Identified",
                "Some payments by card fail. Payments by invoice work.",
                "Next update by 10:30 UTC."
            ]
        );
        let many = of((1..=9).map(|number| format!("Part {number}.\n\n")).collect());
        assert_eq!(many.len(), 1);
        assert!(many[0].starts_with("Online shop: payments fail · Part 1. · Part 2."), "{many:?}");
        let long = of("word ".repeat(2000));
        assert!(long.len() > LINES_MAX && long.iter().all(|line| line.len() <= 400 && !line.contains(MORE)));
        let words: usize = long.iter().map(|line| line.matches("word").count()).sum();
        assert_eq!(words, 2000);
    }
}
