//! No word that anybody says means anything to who shows a form: a night is told with any words and again with words in which
//! nothing could mean anything, and both have the same headings, lists, tables, paragraphs and marks, or the same tags.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::document::{Document, Part};
use super::stories::{Store, board};
use super::{Form, Format};
use crate::core::alert::one_line;
use crate::core::decide::{Act, Write};
use crate::core::stories_command::{Night, anything, rules, timed};

/// Words of the same length and lines in which no sign means anything.
fn harmless(words: &str) -> String {
    words
        .chars()
        .map(|letter| if letter.is_whitespace() || letter.is_control() { letter } else { 'x' })
        .collect()
}

/// A line of Markdown, as what CommonMark (with the tables of GitHub) takes it for.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// How it begins: a heading, an item, a quote, a fence, code, a row, a rule below a row or a heading, or words.
    begins: String,
    /// Signs in it that mean something: those that are not escaped, and stand in no code.
    signs: BTreeMap<char, usize>,
    /// Cells of a table end here, also in code.
    cells: usize,
    /// The next line of the paragraph is a line of its own.
    breaks: bool,
}

fn read(line: &str) -> Line {
    let spaces = line.len() - line.trim_start_matches([' ', '\t']).len();
    let rest = &line[spaces..];
    let run = |signs: &str| rest.chars().take_while(|letter| signs.contains(*letter)).collect::<String>();
    let digits = run("0123456789");
    let is_rule = |letters: &str| !rest.is_empty() && rest.chars().all(|letter| letters.contains(letter));
    let begins = match rest.chars().next() {
        None => String::new(),
        Some(_) if spaces >= 4 => "code".into(),
        Some('#') => run("#"),
        Some('>') => ">".into(),
        // A rule below a heading or a row, a line across, or an item.
        Some('-' | '=' | ':' | '|') if is_rule("-=:| ") => {
            format!("rule of {} cells", rest.split('|').count())
        }
        Some(sign @ ('-' | '+' | '*' | '='))
            if !rest[1..].starts_with(|next: char| next.is_alphanumeric()) =>
        {
            sign.into()
        }
        Some('|') => "|".into(),
        Some('`') if rest.starts_with("```") => "fence".into(),
        Some('~') if rest.starts_with("~~~") => "fence".into(),
        Some(_) if !digits.is_empty() && rest[digits.len()..].starts_with(['.', ')']) => "1.".into(),
        Some(_) => "words".into(),
    };
    let (mut signs, mut cells, mut code) = (BTreeMap::new(), 0, false);
    // Addresses become links without any sign.
    let mut plain = String::new();
    let mut letters = rest.chars();
    let mut breaks = rest.ends_with("  ");
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if !code => {
                let escaped = letters.next();
                breaks |= escaped.is_none();
                plain.push(' ');
            }
            '`' => code = !code,
            '|' => cells += 1,
            _ if code => plain.push(' '),
            letter if "*_[]<>~&$!#@".contains(letter) => {
                *signs.entry(letter).or_default() += 1;
                plain.push(letter);
            }
            letter => plain.push(letter.to_ascii_lowercase()),
        }
    }
    if code {
        signs.insert('`', 1);
    }
    for (sign, address) in [('/', ":/"), ('w', "www.")] {
        signs.extend(Some((sign, plain.matches(address).count())).filter(|(_, count)| *count > 0));
    }
    Line { begins, signs, cells, breaks }
}

/// How a form looks to who shows it: its lines as Markdown, its tags as HTML, and its parts.
fn shape(document: &Document) -> (Vec<Line>, Vec<String>, Vec<String>) {
    let lines = Format::Markdown.write(document).unwrap().lines().map(read).collect();
    let html = Format::Html.write(document).unwrap();
    // A title of the night stands in no tag.
    let tags =
        html.split('<').skip(1).map(|piece| piece.split_inclusive('>').next().unwrap_or_default().to_owned());
    let parts = document.sections.iter().flat_map(|section| {
        section.parts.iter().map(|part| match part {
            Part::Text(text) => format!("text of {} lines", text.lines().count()),
            Part::Facts(facts) => format!("{} facts", facts.len()),
            Part::List(list) => format!("{} items", list.len()),
            Part::Table { columns, rows } => {
                assert!(rows.iter().all(|row| row.len() == columns.len()), "{}", section.heading);
                format!("{} rows", rows.len())
            }
            Part::ToFillIn(what) => what.clone(),
        })
    });
    (lines, tags.collect(), parts.collect())
}

fn night(acts: &[(String, Act, i64)], is_timed: bool, words: &str, say: impl Fn(&str) -> String) -> Night {
    let mut night = Night::new(if is_timed { timed() } else { rules() });
    night.incident.title = one_line(&say(&format!("<img src=x onerror=alert(1)> {words}")));
    let mut minute = 0;
    for (who, act, wait) in acts {
        minute += wait;
        drop(night.at(minute).ask(who, act.clone()));
        // TODO stays a word that is looked for.
        drop(night.ask("maya", Act::Note { text: format!("TODO{}", say(&format!("<script>{words}"))) }));
        let find = Write::Find { component: say(words), ok: false, text: say(words), known_at: None };
        drop(night.ask("maya", board(find)));
        drop(night.ask("maya", board(Write::SizeUp { text: say(words) })));
        drop(night.ask("tom", board(Write::Correct { entry: night.incident.seq, text: say(words) })));
        drop(night.ask("maya", board(Write::Objective { text: say(words), term: 1 })));
    }
    night
}

/// The same forms of two nights of which one has harmless words look alike.
fn same(said: &Night, harmless: &Night) {
    let (said, harmless_too) = (Store::of(said).of_night(said), Store::of(harmless).of_night(harmless));
    assert_eq!(said.len(), harmless_too.len());
    for (of_said, of_harmless) in said.iter().zip(&harmless_too) {
        let ((lines, tags, parts), (same_lines, same_tags, same_parts)) =
            (shape(of_said), shape(of_harmless));
        assert_eq!(parts, same_parts, "{}", of_said.document);
        assert_eq!(tags, same_tags, "{}", of_said.document);
        let text = Format::Markdown.write(of_said).unwrap();
        let shown: Vec<&str> = text.lines().collect();
        for (place, (line, same_line)) in lines.iter().zip(&same_lines).enumerate() {
            assert_eq!(line, same_line, "{}: {}", of_said.document, shown[place]);
        }
        assert_eq!(lines.len(), same_lines.len(), "{}", of_said.document);
        let back: serde_json::Value = serde_json::from_str(&Format::Json.write(of_said).unwrap()).unwrap();
        assert_eq!(back["incident"].as_i64(), Some(1));
    }
}

impl Store {
    /// Every form of a night.
    fn of_night(&self, night: &Night) -> Vec<Document> {
        let taken = self.taken(night);
        let forms = [
            (Form::Ics201, None),
            (Form::Ics209, None),
            (Form::Ics214, None),
            (Form::Postmortem, None),
            (Form::Ics214, Some("maya")),
        ];
        forms.into_iter().filter_map(|(form, person)| form.fill(&taken, person)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    /// Whatever anybody does and says, everything can be taken out, and no word of it means anything to who shows it.
    #[test]
    fn everything_can_be_taken_out_of_any_night_and_words_stay_words(
        acts in prop::collection::vec(anything(), 1..40), is_timed in any::<bool>(),
        words in prop_oneof![
            "[ -~\\n<>&`|@]{1,40}",
            "([-#>*_+=:|~`\\[\\]!.)1&@/w \\n\\\\\\x01\\t]|www\\.|http://|\\n\\n    )[ -~\\n]{0,3}[-=:|* `\\n\\x02]{1,12}",
        ],
    ) {
        let said = night(&acts, is_timed, &words, str::to_owned);
        same(&said, &night(&acts, is_timed, &words, harmless));
    }
}

#[test]
fn what_would_mean_something_is_seen_by_the_reader_of_this_file() {
    let plain = read("xxxx");
    for line in [
        "# x", "- x", "+ x", "> x", "1. x", "2) x", "---", "===", ":-", "| x |", "```x", "~~~x", "    x",
        "*x*", "_x_", "[x](x)", "<x>", "~~x~~", "&amp;", "$x$", "!x", "@x", "#1", "http://x", "WWW.x", "x`x",
        "x | x", "x\\", "a\\\\*b*",
    ] {
        assert_ne!(read(line), plain, "{line}");
    }
    for line in ["\\# x", "\\- x", "1\\. x", "\\:-", "\\*x\\*", "`http://x*`", "\\`x", "-x", "x-y"] {
        assert_eq!(read(line), plain, "{line}");
    }
}

#[test]
fn words_that_would_mean_something_alone_or_below_others_stay_words() {
    let acts: Vec<(String, Act, i64)> = (0..8).map(|_| ("maya".to_owned(), Act::CheckIn, 1)).collect();
    for words in [
        "x\n:-",
        ":-:",
        "x\n---",
        "x\n===",
        "\u{1}\u{2}\u{3}\u{4}x",
        "\u{1}# x",
        "| x |\n| - |",
        "x\n\n    x",
        "```x\nx\n```",
        "~~~",
        "***",
        "_ _ _",
        "1. x",
        "2) x",
        "+ x",
        "[x]: x",
        "[^1]: x",
        "<!-- x",
        "&#60;",
        "\\",
        "\\\nx",
        "x@y.example",
        "www.x.example",
        "http://x.example/*a*_b_",
        "`x",
        "x`http://y`",
        "$x$",
    ] {
        let said = night(&acts, true, words, str::to_owned);
        assert!(said.incident.board.size_up.is_some(), "{words}");
        same(&said, &night(&acts, true, words, harmless));
    }
}
