//! The Markdown of a form: CommonMark with the tables of GitHub.
//!
//! No word of it makes a heading, a list, a link, a table or a mention of somebody: whatever could is escaped, and what
//! looks like an address is code, because that alone is never turned into a link by who shows it.

use super::document::{Document, Part};

/// Writes a form.
pub(super) fn write(document: &Document) -> String {
    let mut text = format!("# {}\n\n{}\n", inside(&document.title), paragraph(&document.what));
    for section in &document.sections {
        text.push_str(&format!("\n## {}\n", inside(&section.heading)));
        for part in &section.parts {
            text.push('\n');
            text.push_str(&written(part));
        }
    }
    text
}

fn written(part: &Part) -> String {
    match part {
        Part::Text(text) => paragraph(text) + "\n",
        Part::Facts(facts) => facts
            .iter()
            .map(|fact| format!("- **{}**: {}\n", inside(&fact.name), inside(&fact.value)))
            .collect(),
        Part::List(list) => list.iter().map(|item| format!("- {}\n", line(item))).collect(),
        Part::Table { columns, rows } => {
            let row = |cells: &[String]| {
                let cells: Vec<String> = cells.iter().map(|cell| inside(cell)).collect();
                format!("| {} |\n", cells.join(" | "))
            };
            let rule = format!("|{}\n", " --- |".repeat(columns.len()));
            row(columns) + &rule + &rows.iter().map(|cells| row(cells)).collect::<String>()
        }
        Part::ToFillIn(what) => format!("> **To be filled in by people:** {}\n", inside(what)),
    }
}

/// Words of several lines: each stays one.
fn paragraph(text: &str) -> String {
    let lines: Vec<String> = lines(text).map(|line| begun(&escaped(line))).collect();
    lines.join("\\\n")
}

/// Words in one line, with which it begins.
fn line(text: &str) -> String {
    begun(&inside(text))
}

/// Words in one line that has begun.
fn inside(text: &str) -> String {
    escaped(&lines(text).collect::<Vec<_>>().join(" / "))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    // A control character becomes a blank: at the beginning of a line it would hide what comes behind it.
    let blank = |letter: char| letter.is_whitespace() || letter.is_control();
    text.split(['\n', '\r']).map(move |line| line.trim_matches(blank)).filter(|line| !line.is_empty())
}

/// One line whose signs mean nothing.
fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + 8);
    let mut piece = String::new();
    for letter in line.chars() {
        match letter {
            letter if letter.is_whitespace() || letter.is_control() => {
                end(&piece, &mut text);
                piece.clear();
                text.push(' ');
            }
            '<' | '>' | '|' | '`' | '\\' => {
                end(&piece, &mut text);
                piece.clear();
                text.extend(['\\', letter]);
            }
            letter => piece.push(letter),
        }
    }
    end(&piece, &mut text);
    text
}

/// What looks like an address is code; of everything else, each sign that may mean something is escaped.
fn end(piece: &str, text: &mut String) {
    let lower = piece.to_ascii_lowercase();
    if !(lower.contains('@') || lower.contains(":/") || lower.contains("www.")) {
        return signs(piece, text);
    }
    let inner = piece.trim_start_matches(BRACKETS);
    let (before, inner) = piece.split_at(piece.len() - inner.len());
    let (inner, after) = inner.split_at(inner.trim_end_matches(BRACKETS).len());
    signs(before, text);
    text.extend(["`", inner, "`"]);
    signs(after, text);
}

/// What stands around an address and is none of it.
const BRACKETS: [char; 9] = ['(', ')', '[', ']', ',', ';', '.', '"', '\''];

fn signs(piece: &str, text: &mut String) {
    for letter in piece.chars() {
        if "*_[]#!~&$".contains(letter) {
            text.push('\\');
        }
        text.push(letter);
    }
}

/// What means something at the beginning of a line alone.
fn begun(text: &str) -> String {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    match rest.chars().next() {
        Some('-' | '+' | '=' | ':') if digits == 0 => format!("\\{text}"),
        Some('.' | ')') if digits > 0 => format!("{number}\\{rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{line, paragraph};

    #[test]
    fn no_words_make_a_heading_a_list_a_link_or_anything_else() {
        for (said, written) in [
            ("# heading", "\\# heading"),
            ("- item", "\\- item"),
            ("12. item", "12\\. item"),
            ("12) item", "12\\) item"),
            ("===", "\\==="),
            ("[a](b)", "\\[a\\](b)"),
            ("![a](b)", "\\!\\[a\\](b)"),
            ("<b>x</b>", "\\<b\\>x\\</b\\>"),
            ("<https://e.net/x>", "\\<`https://e.net/x`\\>"),
            ("see (HTTPS://e.net), now", "see (`HTTPS://e.net`), now"),
            ("www.e.net", "`www.e.net`"),
            ("ask @all or a@e.net", "ask `@all` or `a@e.net`"),
            ("a@`b`", "`a@`\\`b\\`"),
            ("a | b \\| c", "a \\| b \\\\\\| c"),
            ("*a* _b_ `c` ~~d~~ &amp; $x$", "\\*a\\* \\_b\\_ \\`c\\` \\~\\~d\\~\\~ \\&amp; \\$x\\$"),
            ("one\r\n\n\ttwo\u{0}", "one / two"),
            (":-", "\\:-"),
            ("\u{1}\u{2}# heading", "\\# heading"),
        ] {
            assert_eq!(line(said), written, "{said}");
        }
        assert_eq!(paragraph("one\n# two\n    three"), "one\\\n\\# two\\\nthree");
    }
}
