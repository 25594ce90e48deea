//! `onscene report`: numbers about the past, over the API of a running daemon.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::alert::pairs;
use super::client::{Client, ServerFlags};
use super::hour::since;
use super::progress::Progress;
use super::text;
use super::{Exit, out, say};
use crate::clock::Clock;

mod load;

/// Numbers about the past
#[derive(Debug, Args)]
pub(super) struct Report {
    #[command(flatten)]
    server: ServerFlags,
    /// Print JSON: the same as --format json
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Whom incidents woke, how often, and which alerts did it again and again
    Noise {
        /// From this hour on: 30d or 12h ago, 02:40, 2026-11-29T02:40 (in the zone of this terminal: $TZ, else the machine's),
        /// or with its zone (RFC 3339)
        #[arg(long, default_value = "30d", value_name = "WHEN", value_parser = since)]
        since: String,
        /// Up to this hour [default: now]
        #[arg(long, value_name = "WHEN", value_parser = since)]
        until: Option<String>,
        /// How it is written
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// How being on call is shared: hours, pages, nights, and how soon people answered
    Load {
        /// From this hour on: 90d or 12h ago, 02:40, 2026-11-29T02:40 (in the zone of this terminal: $TZ, else the machine's),
        /// or with its zone (RFC 3339)
        #[arg(long, default_value = "90d", value_name = "WHEN", value_parser = since)]
        since: String,
        /// Up to this hour [default: now]
        #[arg(long, value_name = "WHEN", value_parser = since)]
        until: Option<String>,
        /// Each week too, from Monday on where the person lives
        #[arg(long)]
        by: Option<By>,
        /// Of this person only
        #[arg(long, value_name = "NAME")]
        person: Option<String>,
        /// How it is written
        #[arg(long, default_value = "text")]
        format: LoadFormat,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// Week by week
    Week,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LoadFormat {
    /// For a terminal
    Text,
    /// Markdown, for a wiki
    Md,
    /// A table for other programs: a row a person, or a person and week
    Csv,
    /// As the API says it
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// Markdown, for a wiki
    Md,
    /// As the API says it
    Json,
}

impl Report {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        match &self.what {
            What::Noise { since, until, format } => {
                let query = pairs(&[("since", &Some(since.clone())), ("until", until)]);
                self.tell(&client, "noise", &query, |answer| match format {
                    Format::Json => format!("{answer}\n"),
                    Format::Text => noise(answer, &Plain),
                    Format::Md => noise(answer, &Markdown),
                })
            }
            What::Load { since, until, by, person, format } => {
                let week = by.map(|By::Week| "week".to_owned());
                let query = pairs(&[
                    ("since", &Some(since.clone())),
                    ("until", until),
                    ("by", &week),
                    ("person", person),
                ]);
                let by_week = by.is_some();
                self.tell(&client, "load", &query, |answer| match format {
                    LoadFormat::Json => format!("{answer}\n"),
                    LoadFormat::Text => load::shown(answer, by_week, &Plain),
                    LoadFormat::Md => load::shown(answer, by_week, &Markdown),
                    LoadFormat::Csv => load::csv(answer, by_week),
                })
            }
        }
    }

    fn tell(&self, client: &Client, name: &str, query: &str, shown: impl Fn(&Value) -> String) -> Exit {
        let clock = Clock::system();
        let progress = Progress::new(&clock, "reports");
        progress.turn();
        let answer = client.get(&format!("/api/v1/reports/{name}?{}", query.trim_start_matches('&')));
        progress.end();
        let answer = match answer {
            Ok(answer) => answer,
            Err(exit) => return exit,
        };
        if answer["complete"] == false {
            say("there is too much to count in one go; the newest incidents are missing. Ask for fewer days");
        }
        out(&if self.json { format!("{answer}\n") } else { shown(&answer) });
        Exit::Done
    }
}

/// How a report is written down.
trait Hand {
    fn title(&self, words: &str) -> String;
    fn facts(&self, facts: &[(&str, String)]) -> String;
    fn table(&self, head: &[&str], rows: &[Vec<String>]) -> String;
}

struct Plain;

impl Hand for Plain {
    fn title(&self, words: &str) -> String {
        format!("{words}\n\n")
    }

    fn facts(&self, facts: &[(&str, String)]) -> String {
        let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 2;
        facts.iter().map(|(name, value)| format!("  {name:<width$}{value}\n")).collect::<String>() + "\n"
    }

    fn table(&self, head: &[&str], rows: &[Vec<String>]) -> String {
        let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
        let width = |column: usize| {
            all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let last = head.len().saturating_sub(1);
        let line = |row: &Vec<String>| {
            let cells = row.iter().enumerate().map(|(column, cell)| match column {
                // Names are of any length; figures stand under each other.
                _ if column == last => format!("  {cell}\n"),
                0 => format!("  {cell:<0$}", width(0)),
                _ => format!("  {cell:>0$}", width(column)),
            });
            cells.collect::<String>()
        };
        all.iter().copied().map(line).collect::<String>() + "\n"
    }
}

struct Markdown;

impl Hand for Markdown {
    fn title(&self, words: &str) -> String {
        format!("## {words}\n\n")
    }

    fn facts(&self, facts: &[(&str, String)]) -> String {
        facts.iter().map(|(name, value)| format!("- {name}: {}\n", escaped(value))).collect::<String>() + "\n"
    }

    fn table(&self, head: &[&str], rows: &[Vec<String>]) -> String {
        let mut shown = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            shown.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        shown + "\n"
    }
}

/// Words of senders are not to become links, tables or markup of somebody's wiki.
fn escaped(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for c in words.chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '&' | '~' | '!') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

fn noise(report: &Value, hand: &dyn Hand) -> String {
    let day = |name: &str| text(&report[name]).chars().take(10).collect::<String>();
    let mut shown = hand.title(&format!("Noise from {} to {}", day("since"), day("until")));
    let pages = &report["pages_per_incident"];
    let part = |name: &str| {
        let share = report[name]["share"].as_f64().unwrap_or_default() * 100.0;
        format!("{} ({share:.0} %)", text(&report[name]["incidents"]))
    };
    shown.push_str(&hand.facts(&[
        ("incidents", text(&report["incidents"])),
        ("cleared themselves", part("self_cleared")),
        ("nobody took", part("never_taken")),
        ("became part of another", part("merged")),
        (
            "pages",
            format!("{}, of them at night (22-06) {}", text(&report["pages"]), text(&report["night_pages"])),
        ),
        (
            "pages an incident",
            format!(
                "mean {}, p90 {}, most {}",
                text(&pages["mean"]),
                text(&pages["p90"]),
                text(&pages["max"])
            ),
        ),
        ("alerts held back now", text(&report["suppressed_now"])),
    ]));
    let rows = |list: &str, columns: &[&str]| -> Vec<Vec<String>> {
        let all = report[list].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|row| columns.iter().map(|column| text(&row[*column])).collect()).collect()
    };
    let people =
        rows("people", &["person", "pages", "night_pages", "incidents", "incidents_a_week", "busiest_week"]);
    if !people.is_empty() {
        shown.push_str(
            &hand.table(&["person", "pages", "at night", "incidents", "a week", "busiest week"], &people),
        );
    }
    let alerts = rows("noisiest", &["source", "incidents", "events", "title", "key"]);
    if !alerts.is_empty() {
        shown.push_str(&hand.table(&["noisiest alerts", "incidents", "events", "title", "key"], &alerts));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Value {
        serde_json::json!({
            "since": "2026-11-01T00:00:00Z", "until": "2026-11-29T00:00:00Z", "incidents": 12, "pages": 30,
            "night_pages": 4, "pages_per_incident": {"mean": 2.5, "p90": 5, "max": 9}, "suppressed_now": 2,
            "self_cleared": {"incidents": 6, "share": 0.5}, "never_taken": {"incidents": 7, "share": 0.583},
            "merged": {"incidents": 0, "share": 0.0}, "complete": true,
            "people": [{"person": "maya", "pages": 20, "night_pages": 4, "incidents": 11, "incidents_a_week": 2.75,
                "busiest_week": 5}],
            "noisiest": [{"source": "pingdom", "key": "a|b", "title": "Disk\u{1b}[2J *full*", "incidents": 9, "events": 70}],
        })
    }

    #[test]
    fn a_report_is_a_table_on_a_terminal() {
        let shown = noise(&report(), &Plain);
        assert_eq!(
            shown,
            "Noise from 2026-11-01 to 2026-11-29\n\n  \
             incidents               12\n  \
             cleared themselves      6 (50 %)\n  \
             nobody took             7 (58 %)\n  \
             became part of another  0 (0 %)\n  \
             pages                   30, of them at night (22-06) 4\n  \
             pages an incident       mean 2.5, p90 5, most 9\n  \
             alerts held back now    2\n\n  \
             person  pages  at night  incidents  a week  busiest week\n  \
             maya       20         4         11    2.75  5\n\n  \
             noisiest alerts  incidents  events            title  key\n  \
             pingdom                  9      70  Disk [2J *full*  a|b\n\n"
        );
    }

    #[test]
    fn a_report_is_markdown_that_holds_no_markup_of_senders() {
        let shown = noise(&report(), &Markdown);
        assert!(shown.starts_with("## Noise from 2026-11-01 to 2026-11-29\n\n- incidents: 12\n"), "{shown}");
        assert!(shown.contains("| pingdom | 9 | 70 | Disk \\[2J \\*full\\* | a\\|b |\n"), "{shown}");
    }
}
