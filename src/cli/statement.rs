//! `onscene statement`: what is said of an incident.
//!
//! `lint` reads the configuration and asks no daemon: it can be used on a text before there is an incident, in an editor,
//! or for the templates of a house.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::ServerFlags;
use super::{ConfigFlag, Exit, out, say};
use crate::config::SecretsMode;
use crate::core::audience::Audience;
use crate::core::disclosure::{Finding, Known, Place, Rendered, TEXT_BYTES_MAX, Weight, lint};

mod voice;

/// What stands there is shown up to so many characters.
const WORDS_CHARS_MAX: usize = 120;

/// What is said of an incident
#[derive(Debug, Args)]
pub(super) struct Statement {
    #[command(flatten)]
    server: ServerFlags,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look whether a text says what it must not, by the lists of the configuration; no daemon is needed
    Lint(Lint),
    #[command(flatten)]
    Voice(voice::Voice),
}

impl Statement {
    pub(super) fn run(self) -> Exit {
        match self.what {
            What::Lint(lint) => lint.run(&self.server.config, self.json),
            What::Voice(voice) => match self.server.client() {
                Ok(client) => voice.run(&client, self.json),
                Err(exit) => exit,
            },
        }
    }
}

/// Look whether a text says what it must not
#[derive(Debug, Args)]
struct Lint {
    /// Who reads it: internal, stakeholder or public
    #[arg(long, value_parser = audience)]
    audience: Audience,
    /// The text, - for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Its subject, or title
    #[arg(long, value_name = "TEXT", default_value = "")]
    subject: String,
    /// The sentence that promises the next update, word for word: it may name an hour
    #[arg(long = "next", value_name = "SENTENCE")]
    next_update: Vec<String>,
    /// The incident it is about, which it may name
    #[arg(long, value_name = "N", default_value_t = 0)]
    incident: u64,
    /// The Commander has confirmed the cause, so it may be said
    #[arg(long)]
    cause_confirmed: bool,
    /// It is of an exercise, and has to say so
    #[arg(long)]
    drill: bool,
}

fn audience(word: &str) -> Result<Audience, String> {
    let words = Audience::ALL.map(Audience::as_str).join(", ");
    Audience::from_word(word).ok_or_else(|| format!("there are: {words}"))
}

impl Lint {
    fn run(self, config: &ConfigFlag, json: bool) -> Exit {
        let config = match super::serve::load(&config.path(), SecretsMode::Names) {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        let body = match self.text() {
            Ok(body) => body,
            Err(why) => {
                say(&format!("onscene: {why}"));
                return Exit::BadData;
            }
        };
        let text = Rendered { subject: self.subject.clone(), body, ..Rendered::default() };
        let known = self.known(&config.rules.disclosure);
        let found = lint(&text, self.audience, &known);
        let is_stopped = found.iter().any(|finding| finding.weight != Weight::Warn);
        if json {
            let findings: Vec<Value> = found.iter().map(|finding| as_json(&text, finding)).collect();
            let all =
                json!({"audience": self.audience.as_str(), "stopped": is_stopped, "findings": findings});
            out(&format!("{all}\n"));
        } else {
            out(&found.iter().map(|finding| shown(&text, finding)).collect::<String>());
            say(&summary(&found));
        }
        if is_stopped { Exit::Failed } else { Exit::Done }
    }

    fn known(&self, disclosure: &crate::core::disclosure::Disclosure) -> Known {
        let slots = self.next_update.clone();
        disclosure.known(
            std::collections::BTreeSet::new(),
            Vec::new(),
            slots,
            self.cause_confirmed,
            self.drill,
            self.incident,
        )
    }

    fn text(&self) -> Result<String, String> {
        let name = self.file.display();
        let file: Box<dyn std::io::Read> = if self.file.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(&self.file).map_err(|error| format!("{name}: {error}"))?)
        };
        let mut bytes = Vec::new();
        let most = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX);
        file.take(most + 1).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(format!("{name}: a statement has at most {TEXT_BYTES_MAX} bytes"));
        }
        String::from_utf8(bytes).map_err(|_| format!("{name}: this is no text in UTF-8"))
    }
}

/// Where a finding begins, as people count: lines and characters from 1.
fn position(part: &str, at: usize) -> (usize, usize) {
    let before = part.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn part<'a>(text: &'a Rendered, finding: &Finding) -> &'a str {
    text.parts().find(|(place, _)| *place == finding.place).map_or("", |(_, part)| part)
}

fn place(finding: &Finding) -> &'static str {
    match finding.place {
        Place::Subject => "subject",
        Place::Body => "body",
        Place::Field(_) => "field",
        Place::Link(_) => "link",
        Place::Attachment(_) => "attachment",
    }
}

/// A line that moves no cursor.
fn visible(line: &str) -> String {
    let visible = |c: char| if c.is_control() || crate::core::disclosure::is_unseen(c) { '·' } else { c };
    line.chars().map(visible).collect()
}

/// What is found, on one line and so that it moves no cursor.
fn words(part: &str, finding: &Finding) -> String {
    let found = part.get(finding.span.clone()).unwrap_or_default();
    let visible = |c: char| if c.is_control() || crate::core::disclosure::is_unseen(c) { '·' } else { c };
    let mut shown: String = found.chars().map(visible).take(WORDS_CHARS_MAX).collect();
    if found.chars().count() > WORDS_CHARS_MAX {
        shown.push('…');
    }
    shown
}

fn shown(text: &Rendered, finding: &Finding) -> String {
    let part = part(text, finding);
    let (line, column) = position(part, finding.span.start);
    let place = if finding.place == Place::Body { "" } else { place(finding) };
    let place = if place.is_empty() { String::new() } else { format!("{place}:") };
    let weight = match finding.weight {
        Weight::Block => "not allowed",
        Weight::Second => "a second person must allow it",
        Weight::Warn => "look again",
    };
    format!(
        "{place}{line}:{column}: {} ({weight}): \"{}\"\n  {}\n",
        finding.rule.as_str(),
        words(part, finding),
        finding.why
    )
}

fn as_json(text: &Rendered, finding: &Finding) -> Value {
    let part = part(text, finding);
    let (line, column) = position(part, finding.span.start);
    json!({
        "place": place(finding),
        "line": line,
        "column": column,
        "start": finding.span.start,
        "end": finding.span.end,
        "text": part.get(finding.span.clone()),
        "rule": finding.rule.as_str(),
        "weight": finding.weight.as_str(),
        "why": finding.why,
    })
}

fn summary(found: &[Finding]) -> String {
    let of = |weight| found.iter().filter(|finding| finding.weight == weight).count();
    let (block, second, warn) = (of(Weight::Block), of(Weight::Second), of(Weight::Warn));
    if found.is_empty() {
        return "nothing was found. That is a net and no judge: read it once more".to_owned();
    }
    let one = |many: usize, what: &str| (many > 0).then(|| format!("{many} {what}"));
    let parts = [
        one(block, "not allowed"),
        one(second, "that a second person must allow"),
        one(warn, "to look at again"),
    ];
    format!("found: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        let rendered = Rendered { subject: "db-1".into(), body: text.into(), ..Rendered::default() };
        let found = lint(&rendered, Audience::Public, &Known::default());
        found.iter().map(|finding| shown(&rendered, finding)).collect::<String>() + &summary(&found)
    }

    #[test]
    fn a_finding_is_told_with_line_column_and_words() {
        insta::assert_snapshot!(lines("We äre on it.\nÄll of db\u{200b}-2 is slow; all users wait.\n"), @r#"
        subject:1:1: host (a second person must allow it): "db-1"
          This looks like the name of a machine or an internal service: name the product that users see.
        2:8: host (a second person must allow it): "db·-2"
          This looks like the name of a machine or an internal service: name the product that users see.
        2:23: absolute (look again): "all users"
          This says all, none or never: say it only when somebody has verified it, or say what is known.
        found: 2 that a second person must allow, 1 to look at again
        "#);
    }

    #[test]
    fn what_is_found_as_json() {
        let rendered = Rendered { body: "See\n10.0.0.1.".into(), ..Rendered::default() };
        let found = lint(&rendered, Audience::Public, &Known::default());
        let told: Vec<Value> = found.iter().map(|finding| as_json(&rendered, finding)).collect();
        let at = (&told[0]["line"], &told[0]["column"], &told[0]["start"], &told[0]["text"]);
        assert_eq!(at, (&json!(2), &json!(1), &json!(4), &json!("10.0.0.1")));
        assert_eq!((&told[0]["rule"], &told[0]["weight"]), (&json!("network"), &json!("second")));
    }
}
