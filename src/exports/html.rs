//! The HTML of a form: one page that needs nothing else, light, to be read and to be printed.

use super::document::{Document, Part};

/// Nothing is loaded, nothing runs, also in a copy that somebody keeps.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = "
:root { color-scheme: only light; }
body { max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; background: #fff; color: #111; font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.45rem; margin: 0 0 .4rem; }
h2 { font-size: 1.05rem; margin: 1.3rem 0 .3rem; border-bottom: 1px solid #767676; }
h1, h2, p, li, dd, td, th { overflow-wrap: anywhere; }
p { white-space: pre-line; margin: .3rem 0; }
ul { margin: .3rem 0; padding-left: 1.3rem; }
li { white-space: pre-line; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .9rem; margin: .3rem 0; }
dt { font-weight: 600; }
dd { margin: 0; white-space: pre-line; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0; font-size: .9rem; }
th, td { border: 1px solid #767676; padding: .2rem .4rem; text-align: left; vertical-align: top; }
td { white-space: pre-line; min-width: 4rem; }
th { background: #eee; }
.human { border: 2px dashed #555; padding: .4rem .6rem; min-height: 3rem; margin: .4rem 0; }
.human strong { display: block; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
@page { margin: 15mm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; }
  h2 { break-after: avoid; }
  tr, .human { break-inside: avoid; }
  thead { display: table-header-group; }
}
";

/// Writes a form.
pub(super) fn write(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex, nofollow\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{}</p>\n",
        escaped(&document.what)
    );
    for section in &document.sections {
        let heading = escaped(&section.heading);
        text.push_str(&format!("<section>\n<h2>{heading}</h2>\n"));
        section.parts.iter().for_each(|part| text.push_str(&written(part, &heading)));
        text.push_str("</section>\n");
    }
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

fn written(part: &Part, heading: &str) -> String {
    match part {
        Part::Text(words) => format!("<p>{}</p>\n", escaped(words)),
        Part::Facts(facts) if facts.is_empty() => String::new(),
        Part::Facts(facts) => {
            let pair =
                |name: &str, value: &str| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
            let pairs: String = facts.iter().map(|fact| pair(&fact.name, &fact.value)).collect();
            format!("<dl>\n{pairs}</dl>\n")
        }
        Part::List(list) => {
            let items: String = list.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
            format!("<ul>\n{items}</ul>\n")
        }
        Part::Table { columns, rows } => {
            let head: String =
                columns.iter().map(|name| format!("<th scope=\"col\">{}</th>", escaped(name))).collect();
            let row = |cells: &Vec<String>| {
                let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
                format!("<tr>{cells}</tr>\n")
            };
            let rows: String = rows.iter().map(row).collect();
            // Whoever has only a keyboard scrolls what is wider than their window.
            format!(
                "<div class=\"wide\" role=\"region\" aria-label=\"{heading}\" tabindex=\"0\">\n<table>\n\
                 <thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
            )
        }
        Part::ToFillIn(what) => {
            format!(
                "<div class=\"human\"><strong>To be filled in by people</strong>{}</div>\n",
                escaped(what)
            )
        }
    }
}

/// Words that stay words.
fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len() + 8);
    for letter in words.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            '\n' => text.push('\n'),
            letter if letter.is_control() => text.push(' '),
            letter => text.push(letter),
        }
    }
    text
}
