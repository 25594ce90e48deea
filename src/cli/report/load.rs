//! `onscene report load`, written down: as text, as Markdown, and as a table for other programs.

use serde_json::Value;

use super::super::text;
use super::Hand;

/// Columns of a table for other programs: what they are called, in the answer of the API and in the table.
const COLUMNS: [&str; 12] = [
    "person",
    "in_rotation",
    "hours_on_call",
    "share_of_hours",
    "pages",
    "share_of_pages",
    "night_pages",
    "weekend_pages",
    "wake_ups",
    "wake_ups_a_week",
    "answered",
    "answer_seconds",
];
const WEEK_COLUMNS: [&str; 9] = [
    "person",
    "week",
    "hours_on_call",
    "pages",
    "night_pages",
    "weekend_pages",
    "wake_ups",
    "answered",
    "answer_seconds",
];

/// For people.
pub(super) fn shown(report: &Value, by_week: bool, hand: &dyn Hand) -> String {
    let day = |name: &str| text(&report[name]).chars().take(10).collect::<String>();
    let mut shown = hand.title(&format!("Load from {} to {}", day("since"), day("until")));
    let figure = |name: &str| text(&report[name]);
    let mut facts = vec![
        ("hours on call", figure("hours_on_call")),
        (
            "pages",
            format!(
                "{}, of them at night (22-07) {}, on weekends by day {}",
                figure("pages"),
                figure("night_pages"),
                figure("weekend_pages")
            ),
        ),
        ("woken at night", format!("{} times", figure("wake_ups"))),
        ("incidents answered", figure("answered")),
    ];
    for (of, name) in
        [("hours_on_call", "most hours"), ("pages", "most pages"), ("wake_ups", "most often woken")]
    {
        let found = list(report, "fairness").iter().find(|one| one["of"] == of);
        facts.extend(found.map(|one| {
            let amount = format!("{}: {}", text(&one["person"]), text(&one["most"]));
            let average =
                format!("{} times the average of {}", text(&one["times_average"]), text(&one["average"]));
            (name, format!("{amount}, {average}"))
        }));
    }
    if report["partly_assumed"] == true {
        let since = report["recorded_since"].as_str().map(|since| since.chars().take(10).collect::<String>());
        let since =
            since.map_or("not written down yet".to_owned(), |since| format!("written down since {since}"));
        facts.push((
            "who was on call",
            format!("{since}; where it was not, hours are those that the rotations of today would have had"),
        ));
    }
    shown.push_str(&hand.facts(&facts));
    let people: Vec<Vec<String>> =
        list(report, "people").iter().map(|one| row(one, &text(&one["person"]))).collect();
    if people.is_empty() {
        return shown;
    }
    shown.push_str(&hand.table(
        &["person", HOURS, "share", "pages", NIGHT, WEEKEND, "woken", "a week", "answered", ANSWER],
        &people,
    ));
    for one in list(report, "people").iter().filter(|_| by_week) {
        let weeks: Vec<Vec<String>> =
            list(one, "weeks").iter().map(|week| week_row(week, &text(&week["week"]))).collect();
        if !weeks.is_empty() {
            let name = text(&one["person"]);
            shown.push_str(
                &hand.table(&[&name, HOURS, "pages", NIGHT, WEEKEND, "woken", "answered", ANSWER], &weeks),
            );
        }
    }
    shown
}

const HOURS: &str = "hours";
const NIGHT: &str = "at night";
const WEEKEND: &str = "weekends";
const ANSWER: &str = "to answer";

fn row(of: &Value, name: &str) -> Vec<String> {
    let share = of["share_of_hours"].as_f64().unwrap_or_default() * 100.0;
    let figure = |column: &str| text(&of[column]);
    let mut cells = vec![name.to_owned(), hours(of), format!("{share:.0} %")];
    cells.extend(
        ["pages", "night_pages", "weekend_pages", "wake_ups", "wake_ups_a_week", "answered"].map(figure),
    );
    cells.push(answer(of));
    cells
}

fn week_row(of: &Value, week: &str) -> Vec<String> {
    let figure = |column: &str| text(&of[column]);
    let mut cells = vec![week.to_owned(), hours(of)];
    cells.extend(["pages", "night_pages", "weekend_pages", "wake_ups", "answered"].map(figure));
    cells.push(answer(of));
    cells
}

fn hours(of: &Value) -> String {
    format!("{:.1}", of["hours_on_call"].as_f64().unwrap_or_default())
}

/// How long it took to answer, as it is said.
fn answer(of: &Value) -> String {
    match of["answer_seconds"].as_u64() {
        None => "-".into(),
        Some(seconds) if seconds < 120 => format!("{seconds} s"),
        Some(seconds) if seconds < 7200 => format!("{} min", seconds / 60),
        #[allow(clippy::cast_precision_loss, reason = "hours to read")]
        Some(seconds) => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// For other programs, as RFC 4180 has it: a row a person, or a row a person and week.
pub(super) fn csv(report: &Value, by_week: bool) -> String {
    let columns: &[&str] = if by_week { &WEEK_COLUMNS } else { &COLUMNS };
    let line =
        |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n";
    let mut shown = line(columns.iter().map(|&name| name.to_owned()).collect());
    for person in list(report, "people") {
        if !by_week {
            shown.push_str(&line(columns.iter().map(|column| text(&person[*column])).collect()));
        }
        for week in list(person, "weeks").iter().filter(|_| by_week) {
            let cell =
                |column: &&str| text(if *column == "person" { &person["person"] } else { &week[*column] });
            shown.push_str(&line(columns.iter().map(cell).collect()));
        }
    }
    shown
}

/// One cell. What a table program would take for a formula is made plain text.
fn quoted(cell: &str) -> String {
    let defused = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let cell = format!("{defused}{cell}");
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::super::{Markdown, Plain};
    use super::*;

    fn report() -> Value {
        let person = |name: &str, hours: f64, share: f64, answer: Option<u64>| {
            serde_json::json!({"person": name, "in_rotation": true, "hours_on_call": hours, "share_of_hours": share, "pages": 6,
                "share_of_pages": 0.5, "night_pages": 2, "weekend_pages": 1, "wake_ups": 1, "wake_ups_a_week": 0.5, "answered": 4,
                "answer_seconds": answer, "weeks": [{"week": "2026-11-02", "hours_on_call": hours, "pages": 6, "night_pages": 2,
                "weekend_pages": 1, "wake_ups": 1, "answered": 4, "answer_seconds": answer}]})
        };
        serde_json::json!({
            "since": "2026-11-01T00:00:00Z", "until": "2026-11-15T00:00:00Z", "hours_on_call": 336.0, "pages": 12,
            "night_pages": 4, "weekend_pages": 2, "wake_ups": 2, "answered": 8, "complete": true,
            "recorded_since": "2026-11-08T10:00:00Z", "partly_assumed": true,
            "people": [person("maya", 252.0, 0.75, Some(252)), person("=tom, \"T\"", 84.0, 0.25, None)],
            "fairness": [{"of": "hours_on_call", "person": "maya", "most": 252.0, "average": 168.0, "times_average": 1.5}],
        })
    }

    #[test]
    fn load_is_a_table_on_a_terminal() {
        assert_eq!(
            shown(&report(), false, &Plain),
            "Load from 2026-11-01 to 2026-11-15\n\n  \
             hours on call       336.0\n  \
             pages               12, of them at night (22-07) 4, on weekends by day 2\n  \
             woken at night      2 times\n  \
             incidents answered  8\n  \
             most hours          maya: 252.0, 1.5 times the average of 168.0\n  \
             who was on call     written down since 2026-11-08; where it was not, hours are those that the rotations of today would have had\n\n  \
             person     hours  share  pages  at night  weekends  woken  a week  answered  to answer\n  \
             maya       252.0   75 %      6         2         1      1     0.5         4  4 min\n  \
             =tom, \"T\"   84.0   25 %      6         2         1      1     0.5         4  -\n\n"
        );
        let by_week = shown(&report(), true, &Markdown);
        assert!(by_week.contains("| maya | hours | pages |"), "{by_week}");
        assert!(by_week.contains("| 2026-11-02 | 252.0 | 6 | 2 | 1 | 1 | 4 | 4 min |\n"), "{by_week}");
    }

    #[test]
    fn a_table_for_programs_runs_nothing_in_them() {
        assert_eq!(
            csv(&report(), false),
            "person,in_rotation,hours_on_call,share_of_hours,pages,share_of_pages,night_pages,weekend_pages,wake_ups,\
             wake_ups_a_week,answered,answer_seconds\r\n\
             maya,true,252.0,0.75,6,0.5,2,1,1,0.5,4,252\r\n\
             \"'=tom, \"\"T\"\"\",true,84.0,0.25,6,0.5,2,1,1,0.5,4,\r\n"
        );
        let by_week = csv(&report(), true);
        assert_eq!(by_week.lines().nth(1), Some("maya,2026-11-02,252.0,6,2,1,1,4,252"), "{by_week}");
        for (cell, safe) in
            [("+1", "'+1"), ("-x", "'-x"), ("@a", "'@a"), ("\tx", "'\tx"), ("a\nb", "\"a\nb\"")]
        {
            assert_eq!(quoted(cell), safe);
        }
    }
}
