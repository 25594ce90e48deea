//! An alert that came by mail: what its subject and a few headers say.
//!
//! Programs write the same subject when a condition begins and when it is over, but for a word: PROBLEM and RECOVERY,
//! DOWN and UP, [FIRING:1] and [RESOLVED]. A word is taken for such a word only where programs put it: at the beginning,
//! at the end, in brackets, or in capitals among words that are not. It is left out of the key. Where words of both kinds
//! stand, the alert fires, unless a clear one of recovery leads ("[RESOLVED] web1 is DOWN"): a page too many is
//! better than one too few.

use jiff::{SignedDuration, Timestamp};

use super::super::wire;
use super::parts::Head;
use crate::core::alert::{AlertSeverity, CLOCK_AHEAD_MAX, Event, Status, one_line};

/// A `Date:` further back than this is that of a clock which was never set, or of a mail found again.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Longest group in brackets that is looked into, in bytes: `[FIRING:12]`.
const TAG_BYTES_MAX: usize = 40;
/// Most words of a text that are looked at for links.
const WORDS_MAX: usize = 20_000;

/// What mail programs put before a subject.
const PREFIXES: &[&str] = &["re:", "fwd:", "fw:", "aw:", "wg:", "sv:", "vs:", "antw:", "tr:"];
/// What subjects end with, where the words say it together.
const ENDS: &[(&str, Word)] = &[
    ("on battery", Word::Fires(None)),
    ("on line power", Word::Recovers { clear: true }),
    ("on utility power", Word::Recovers { clear: true }),
    ("back to normal", Word::Recovers { clear: true }),
];

/// What a word says about a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Fires(Option<AlertSeverity>),
    /// `clear`: it speaks of nothing but a recovery.
    Recovers {
        clear: bool,
    },
    Acknowledges,
    Informs,
}

fn word(text: &str) -> Option<Word> {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    Some(match text.as_str() {
        "critical" | "crit" | "fatal" | "emergency" => Word::Fires(Some(AlertSeverity::Critical)),
        "error" => Word::Fires(Some(AlertSeverity::Error)),
        "warning" | "warn" => Word::Fires(Some(AlertSeverity::Warning)),
        "problem" | "down" | "firing" | "alarm" | "alert" | "alerting" | "triggered" | "failed"
        | "failure" | "failing" | "offline" | "unreachable" | "unknown" | "breached" => Word::Fires(None),
        "recovery" | "recovered" | "resolved" | "cleared" | "restored" | "fixed" => {
            Word::Recovers { clear: true }
        }
        "up" | "ok" | "online" | "normal" | "closed" | "healthy" | "success" | "succeeded" => {
            Word::Recovers { clear: false }
        }
        "acknowledgement" | "acknowledged" => Word::Acknowledges,
        "flappingstart" | "flappingstop" | "flappingdisabled" | "downtimestart" | "downtimeend"
        | "downtimecancelled" | "info" => Word::Informs,
        _ => return None,
    })
}

/// Reads an alert. `id` is the mail's own, when it has one.
pub(super) fn of(head: &Head, text: &str, id: Option<&str>, received_at: Timestamp) -> Event {
    let from = head.address("From").or_else(|| head.address("Sender"));
    let sender = from.clone().unwrap_or_else(|| "an unknown sender".into());
    let subject = without_prefixes(&one_line(head.text("Subject").unwrap_or_default()));
    let said = read(&subject);
    let named = head.text("X-Alert-Key").or_else(|| head.text("X-Onscene-Key"));
    let key = match named {
        // Only of its own sender: anybody may write such a field.
        Some(key) => format!("{} <{sender}>", one_line(key)),
        None if said.core.is_empty() => format!("mail from {sender}"),
        // Two machines may well send the same words: taken for one alert, the second would wake nobody.
        None => format!("{} ({sender})", said.core),
    };
    let status = head.text("X-Alert-Status").and_then(status).unwrap_or(said.status);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    let title = Some(subject).filter(|subject| !subject.is_empty()).or_else(|| first.map(one_line));
    let mut event = Event::new(key, status, title.unwrap_or_else(|| format!("mail from {sender}")));
    event.severity = severity(head, said.severity);
    event.body = text.trim().to_owned();
    event.occurred_at = date(head).filter(|at| {
        let age = received_at.duration_since(*at);
        -CLOCK_AHEAD_MAX <= age && age <= AGE_MAX
    });
    event.delivery_id = id.map(str::to_owned);
    event.labels.extend(from.map(|from| ("from".to_owned(), from)));
    event.labels.extend(head.address("To").map(|to| ("to".to_owned(), to)));
    for word in text.split_whitespace().take(WORDS_MAX) {
        let at = word.find("https://").or_else(|| word.find("http://"));
        if let Some(link) = at.and_then(|at| word.get(at..)) {
            wire::link(
                &mut event.links,
                link.trim_end_matches(['.', ',', ';', ':', ')', '>', ']', '"', '\'']),
            );
        }
    }
    event
}

pub(super) fn date(head: &Head) -> Option<Timestamp> {
    let date = head.all("Date").first()?.as_datetime().filter(|date| date.is_valid())?;
    Timestamp::from_second(date.to_timestamp()).ok()
}

fn status(text: &str) -> Option<Status> {
    match (text.trim().to_ascii_lowercase().as_str(), word(text)) {
        ("test", _) => Some(Status::Test),
        (_, known) => Some(match known? {
            Word::Fires(_) => Status::Firing,
            Word::Recovers { .. } => Status::Resolved,
            Word::Acknowledges => Status::Acknowledged,
            Word::Informs => Status::Info,
        }),
    }
}

/// A word of its own, one of the subject, or how urgent the sender's mail program was told it is.
fn severity(head: &Head, said: Option<AlertSeverity>) -> Option<AlertSeverity> {
    let own = head.text("X-Alert-Severity").and_then(AlertSeverity::from_word);
    own.or(said).or_else(|| {
        let urgent = ["X-Priority", "Importance", "X-MSMail-Priority", "Priority"];
        urgent.iter().find_map(|name| {
            let how = head.text(name)?.to_ascii_lowercase();
            match how.split_whitespace().next()? {
                "1" | "high" | "urgent" => Some(AlertSeverity::Critical),
                "2" => Some(AlertSeverity::Error),
                "4" | "5" | "low" | "non-urgent" => Some(AlertSeverity::Warning),
                _ => None,
            }
        })
    })
}

fn without_prefixes(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some(prefix) = PREFIXES
        .iter()
        .find(|prefix| rest.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
    {
        rest = rest.get(prefix.len()..).unwrap_or_default().trim_start();
    }
    rest.to_owned()
}

/// What a subject says, and what is left of it.
struct Subject {
    status: Status,
    severity: Option<AlertSeverity>,
    core: String,
}

fn read(subject: &str) -> Subject {
    let lower = subject.to_lowercase();
    let end = ENDS.iter().find(|(end, _)| lower.ends_with(end));
    let subject = end.and_then(|(end, _)| subject.get(..subject.len() - end.len())).unwrap_or(subject);
    let tokens = tokens(subject);
    // Among words that are all in capitals, capitals say nothing.
    let mixed = subject.chars().any(char::is_lowercase);
    let mut core: Vec<String> = Vec::new();
    let mut found: Vec<(bool, Word)> = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let in_capitals = mixed && token.len() > 1 && !token.chars().any(char::is_lowercase);
        let at_an_end = place == 0 || place + 1 == tokens.len();
        let tag = token.starts_with('[');
        let meant = match tag {
            true => token.split(|c: char| !c.is_alphanumeric()).find_map(word),
            false => word(token).filter(|_| in_capitals || at_an_end),
        };
        match meant {
            Some(meant) => found.push((place == 0 || (tag && core.is_empty()), meant)),
            None => core.push(token.to_lowercase()),
        }
    }
    found.extend(end.map(|(_, word)| (false, *word)));
    let core = core.join(" ").trim_matches(|c: char| "*:-|!.,; ".contains(c)).to_owned();
    let severity = found.iter().find_map(|(_, word)| match word {
        Word::Fires(severity) => *severity,
        _ => None,
    });
    Subject { status: stands(&found), severity, core }
}

/// How the condition stands, by the words found in their order, and whether each leads.
fn stands(found: &[(bool, Word)]) -> Status {
    let has = |wanted: fn(&Word) -> bool| found.iter().any(|(_, word)| wanted(word));
    let fires = has(|word| matches!(word, Word::Fires(_)));
    match found.first() {
        Some((_, Word::Acknowledges)) => Status::Acknowledged,
        Some((_, Word::Informs)) => Status::Info,
        Some((true, Word::Recovers { clear: true })) => Status::Resolved,
        _ if !fires && has(|word| matches!(word, Word::Recovers { .. })) => Status::Resolved,
        _ => Status::Firing,
    }
}

/// Words and groups in brackets; what has neither letter nor digit is decoration.
fn tokens(subject: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = subject.trim_start();
    while !rest.is_empty() {
        let group =
            rest.starts_with('[').then(|| rest.find(']')).flatten().filter(|end| *end < TAG_BYTES_MAX);
        let end = match group {
            Some(end) => end + 1,
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end);
        if token.chars().any(char::is_alphanumeric) {
            tokens.push(token);
        }
        rest = after.trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(subject: &str) -> String {
        let read = read(subject);
        format!("{} {}", read.status.as_str(), read.core)
    }

    #[test]
    fn the_same_condition_has_the_same_key_when_it_begins_and_when_it_is_over() {
        for (begins, ends) in [
            (
                "** PROBLEM Service Alert: web1/HTTP is CRITICAL **",
                "** RECOVERY Service Alert: web1/HTTP is OK **",
            ),
            ("** PROBLEM Host Alert: web1 is DOWN **", "** RECOVERY Host Alert: web1 is UP **"),
            ("[FIRING:1] HighLatency (shop)", "[RESOLVED] HighLatency (shop)"),
            ("[Alerting] disk of db1", "[OK] disk of db1"),
            ("web1 is down", "Resolved: web1 is down"),
            ("web1 is down", "web1 is up"),
            ("UPS ups1@mail on battery", "UPS ups1@mail on line power"),
            ("[prod] DOWN: web1", "[prod] UP: web1"),
        ] {
            assert_eq!(read(begins).status, Status::Firing, "{begins}");
            assert_eq!(read(ends).status, Status::Resolved, "{ends}");
            assert_eq!(read(begins).core, read(ends).core, "{begins} and {ends}");
        }
    }

    #[test]
    fn words_where_programs_do_not_put_them_say_nothing() {
        assert_eq!(shown("please set up the error page"), "firing please set up the error page");
        assert_eq!(shown("LOAD UP ON DB1"), "firing load up on db1");
        assert_eq!(
            shown("state of web1 changed from OK to CRITICAL"),
            "firing state of web1 changed from to"
        );
        assert_eq!(shown("OK -> CRITICAL: web1"), "firing web1");
        assert_eq!(shown("[staging] web1 is DOWN"), "firing [staging] web1 is");
        assert_eq!(shown("DOWN"), "firing ");
        assert_eq!(
            shown("** ACKNOWLEDGEMENT Host Alert: web1 is DOWN **"),
            "acknowledged host alert: web1 is"
        );
        assert_eq!(shown("** FLAPPINGSTART Host Alert: web1 is DOWN **"), "info host alert: web1 is");
    }

    #[test]
    fn answers_and_forwards_are_the_same_thing() {
        assert_eq!(without_prefixes("Re: AW: FWD: disk full"), "disk full");
        assert_eq!(without_prefixes("Été: ré"), "Été: ré");
    }
}
