//! Words of letters: a decided letter → subject, text, HTML and facts, by templates.
//!
//! The templates are part of the program; an operator may put files of the same names into a directory
//! (`[templates] dir`). Every template is tried on samples when it is loaded. Should one fail later all
//! the same, the program's own is used: a page is never lost to a typing error.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use crate::core::alert::one_line;
use crate::core::command::Handover;
use crate::core::condition::Known;
use crate::core::incident::{Command, Incident, Phase};
use crate::core::letter::{Letter, Misread, News};
use crate::core::meeting::Meeting;
use crate::core::rules::Rules;
use crate::core::timeline::Fact;
use crate::store::alerts::Shown;

mod command;
mod drill;
mod login;
mod meet;
mod roster;
mod statement;
#[cfg(test)]
mod stories;
mod voice;

pub use drill::tried;
pub use meet::{Meet, shown_meeting};
pub use roster::Turned;
pub use statement::{Said, statement, statement_id, to_a_question};

/// Every template, with the program's own words. What is known, and where to meet, is put into others.
const TEMPLATES: &[(&str, &str)] = &[
    ("known.txt", include_str!("../config/templates/known.txt")),
    ("known.html", include_str!("../config/templates/known.html")),
    ("meet.txt", include_str!("../config/templates/meet.txt")),
    ("meet.html", include_str!("../config/templates/meet.html")),
    ("page.txt", include_str!("../config/templates/page.txt")),
    ("page.html", include_str!("../config/templates/page.html")),
    ("pio.txt", include_str!("../config/templates/pio.txt")),
    ("pio.html", include_str!("../config/templates/pio.html")),
    ("reply.txt", include_str!("../config/templates/reply.txt")),
    ("reply.html", include_str!("../config/templates/reply.html")),
    ("status.txt", include_str!("../config/templates/status.txt")),
    ("status.html", include_str!("../config/templates/status.html")),
];
/// Steps a template may take: far more than any needs, far fewer than would hold up a page.
const FUEL: u64 = 200_000;
/// Most alerts named in a letter.
pub const ALERTS_SHOWN_MAX: u32 = 10;
/// Most known conditions in a letter and on top of a page, those first that end first.
const KNOWN_SHOWN_MAX: usize = 5;
/// Most services named in a letter.
const SERVICES_SHOWN_MAX: usize = 10;
/// Most labels of an alert in a letter, and most characters of one.
const LABELS_SHOWN_MAX: usize = 12;
const LABEL_CHARS_MAX: usize = 120;
/// Largest template file, in bytes.
const TEMPLATE_BYTES_MAX: u64 = 256 * 1024;

/// A template that cannot be used, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[error("template {name}: {why}")]
pub struct BadTemplate {
    name: String,
    why: String,
}

/// A letter's words, as they are kept in the outbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Words {
    /// Never changes during an incident.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Facts for machines.
    pub data: serde_json::Value,
    /// The type of the event, for machines.
    pub event_type: String,
    /// The incident's state at that time.
    pub incident_state: String,
    /// For pages: how often this person was paged, from 1. Zero otherwise.
    pub page_attempt: u32,
    /// What it says in one line, without the link: for ways that carry little.
    #[serde(default)]
    pub short: String,
    /// The answer link, when it carries one.
    #[serde(default)]
    pub answer: Option<String>,
    /// Where responders meet, when somebody is told who may come.
    #[serde(default)]
    pub meet: Option<Meet>,
    /// The statement, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Said>,
}

/// What a letter is about.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// The incident as decided.
    pub incident: &'a Incident,
    /// Some of its alerts.
    pub alerts: &'a [Shown],
    /// The house.
    pub rules: &'a Rules,
    /// Token of the answer link, for letters that carry one.
    pub token: Option<&'a str>,
    /// What is known that concerns the incident. Only letters to people of the house tell it.
    pub known: &'a [Known],
    /// Where its people meet.
    pub meeting: &'a Meeting,
    /// The change of command that it tells of, when it does.
    pub handover: Option<Handover<'a>>,
    /// What was said of statements just now, when it tells of that.
    pub said: Option<&'a Fact>,
}

/// Puts words to letters.
#[derive(Default)]
pub struct Renderer {
    own: Environment<'static>,
    operators: Option<Environment<'static>>,
    external_url: String,
    /// Pages say that they can be answered by mail.
    by_mail: bool,
}

impl Renderer {
    /// Loads the templates; `directory` may hold some of the operator's own.
    ///
    /// # Errors
    /// When a file cannot be read, or a template fails on a sample.
    pub fn new(directory: Option<&Path>, external_url: &str) -> Result<Self, BadTemplate> {
        let own = environment(TEMPLATES.iter().map(|(name, text)| (*name, (*text).to_owned())))?;
        let operators = directory.map(Self::operators).transpose()?;
        let external_url = external_url.trim_end_matches('/').to_owned();
        let renderer = Self { own, operators, external_url, by_mail: false };
        if let Some(operators) = &renderer.operators {
            samples::try_all(&renderer, operators)?;
        }
        Ok(renderer)
    }

    /// The same, whose pages say that they can be answered by mail, or not.
    pub fn answered_by_mail(self, by_mail: bool) -> Self {
        Self { by_mail, ..self }
    }

    fn operators(directory: &Path) -> Result<Environment<'static>, BadTemplate> {
        let mut texts = Vec::new();
        for (name, own) in TEMPLATES {
            let path = directory.join(name);
            let bad = |why: String| BadTemplate { name: path.display().to_string(), why };
            let text = match std::fs::metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => (*own).to_owned(),
                Err(error) => return Err(bad(format!("cannot be read: {error}"))),
                Ok(facts) if facts.len() > TEMPLATE_BYTES_MAX => {
                    return Err(bad(format!("has more than {TEMPLATE_BYTES_MAX} bytes")));
                }
                Ok(_) => std::fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?,
            };
            texts.push((*name, text));
        }
        environment(texts.into_iter())
    }

    /// The address of an incident's page.
    pub fn incident_url(&self, id: i64) -> String {
        format!("{}/incidents/{id}", self.external_url)
    }

    /// The private address of a calendar.
    pub fn calendar_url(&self, token: &str) -> String {
        format!("{}/calendar/{token}.ics", self.external_url)
    }

    /// Whether people reach the pages by HTTPS.
    pub fn is_https(&self) -> bool {
        self.external_url.starts_with("https://")
    }

    /// Puts words to one letter. `note` is added to a status that took another way than usual.
    pub fn words(&self, letter: &Letter, about: &About<'_>, note: Option<&str>) -> Words {
        debug_assert!(!matches!(letter, Letter::Statement { .. }), "a statement has words of its own");
        let (name, context) = self.context(letter, about, note);
        let text = self.text(name, &context, about, "txt");
        let html = self.text(name, &context, about, "html");
        let incident = about.incident;
        let (event_type, page_attempt) = match letter {
            Letter::Page { attempt, .. } => ("page".to_owned(), *attempt),
            Letter::PioPage { .. } => ("pio_page".to_owned(), 0),
            Letter::Notice { news, .. } => (format!("notice.{}", news.as_str()), 0),
            Letter::Misread { .. } => ("notice.reply".to_owned(), 0),
            Letter::Status { news, .. } => (format!("incident.{}", news.as_str().replace('-', "_")), 0),
            Letter::Statement { .. } => ("statement".to_owned(), 0),
        };
        let short = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
        let is_open = incident.is_open() && !matches!(letter, Letter::Status { .. } | Letter::Misread { .. });
        Words {
            short,
            meet: Meet::of(about.meeting).filter(|_| is_open),
            answer: about.token.map(|token| format!("{}/r/{token}", self.external_url)),
            subject: subject(incident),
            text,
            html,
            data: self.data(about),
            event_type,
            incident_state: incident.state().into(),
            page_attempt,
            statement: None,
        }
    }

    fn text(&self, name: &str, context: &minijinja::Value, about: &About<'_>, ending: &str) -> String {
        let name = format!("{name}.{ending}");
        for environment in self.operators.iter().chain([&self.own]) {
            match environment.get_template(&name).and_then(|template| template.render(context)) {
                Ok(text) => return text,
                Err(error) => {
                    tracing::error!(template = name, %error, "a template failed; the program's own is used")
                }
            }
        }
        // Reached only if the program's own template is broken, which its tests rule out.
        let link = about.token.map(|token| format!("{}/r/{token}", self.external_url)).unwrap_or_default();
        format!("{}\n\n{link}\n", subject(about.incident))
    }

    fn context(
        &self,
        letter: &Letter,
        about: &About<'_>,
        note: Option<&str>,
    ) -> (&'static str, minijinja::Value) {
        let About { incident, alerts, rules, token, known, meeting, handover, said } = *about;
        let zone = match letter {
            Letter::Page { person, .. }
            | Letter::PioPage { person }
            | Letter::Notice { person, .. }
            | Letter::Misread { person, .. } => zone_of(rules, person),
            Letter::Status { .. } | Letter::Statement { .. } => TimeZone::UTC,
        };
        let hour = |at| hour(at, &zone);
        let service = rules.services.get(incident.leads());
        let cause = match &incident.phase {
            Phase::Mitigated { cause, .. } => cause.clone().or(Some("unexplained".into())),
            _ => None,
        };
        let shown: Vec<minijinja::Value> = alerts
            .iter()
            .take(usize::try_from(ALERTS_SHOWN_MAX).unwrap_or(usize::MAX))
            .map(|alert| {
                context! { title => alert.title.as_str(), key => alert.key.as_str(), source => alert.source.as_str(),
                status => alert.status.as_str(),
                since => hour(alert.changed_at), severity => alert.severity.as_deref(), body => alert.body.as_str(), labels => labels(&alert.labels) }
            })
            .collect();
        let more = i64::from(incident.alerts) - i64::try_from(shown.len()).unwrap_or(i64::MAX);
        let (name, to, why, attempt, news) = match letter {
            Letter::Page { person, attempt, why } => ("page", person, why.as_str(), *attempt, ""),
            Letter::PioPage { person } => ("pio", person, "pio", 1, ""),
            Letter::Notice { person, news } => ("status", person, "", 0, news.as_str()),
            Letter::Misread { person, .. } => ("reply", person, "", 0, ""),
            Letter::Status { channel, news } => ("status", channel, "", 0, news.as_str()),
            Letter::Statement { channel, .. } => ("status", channel, "", 0, ""),
        };
        let told = if letter.tells_what_is_known() { known } else { &[] };
        let (known, more_known) = shown_known(told, rules, &zone);
        let woken: Vec<String> = match &incident.phase {
            Phase::Triggered { escalation: Some(escalation), .. } => {
                escalation.awaiting.iter().map(|person| full_name(rules, person)).collect()
            }
            _ => Vec::new(),
        };
        let words = context! {
            incident => context! {
                id => incident.id, title => incident.title.as_str(), service => incident.service.as_str(),
                public_name => service.and_then(|service| service.public_name.as_deref()).unwrap_or(&incident.service),
                leads => incident.leads(), at_fault => incident.cause.as_deref(), also => also(incident),
                storm => incident.storm, merged_into => incident.merged_into,
                severity => incident.severity.as_str(), state => incident.state(), cause,
                resolution => incident.resolution().map(|(resolution, _)| resolution.as_str()),
                opened_at => hour(incident.opened_at), alert_count => incident.alerts, firing => incident.firing,
                bridge => meeting.address(),
                next_update_by => incident.next_update_by.map(hour), url => self.incident_url(incident.id),
            },
            alerts => shown,
            more_alerts => more.max(0),
            commander => last_command(incident).map(|command| context! {
                person => command.person.as_str(), name => full_name(rules, &command.person),
                since => hour(command.since), term => command.term, reason => command.reason.as_str() }),
            to => context! { person => to.as_str(), name => full_name(rules, to) },
            page => context! { why, attempt, woken, by_mail => self.by_mail,
                request => command::request(incident, to), office => command::office(incident, to),
                answer_url => token.map(|token| format!("{}/r/{token}", self.external_url)) },
            reply => reply(letter).map(|(why, from, next_at)| context! {
                why, from, next_at => next_at.map(hour), address => rules.people.get(to).map(|known| known.email.as_str()),
                quiet => matches!(incident.phase, Phase::Triggered { quiet_until: Some(_), .. }),
                paged => incident.responder(to).is_some_and(|known| known.pages > 0) }),
            news,
            sentence => command::sentence(news, to, incident, rules, said)
                .map(|told| told + &command::handed_over(letter, handover, incident, rules)),
            note,
            known,
            more_known,
            meeting => shown_meeting(meeting, !matches!(letter, Letter::Status { .. })),
        };
        (name, words)
    }

    fn data(&self, about: &About<'_>) -> serde_json::Value {
        let incident = about.incident;
        serde_json::json!({
            "incident": {
                "id": incident.id, "title": incident.title, "service": incident.service, "at_fault": incident.cause,
                "also": incident.also, "storm": incident.storm, "merged_into": incident.merged_into,
                "severity": incident.severity.as_str(), "state": incident.state(),
                "resolution": incident.resolution().map(|(resolution, _)| resolution.as_str()),
                "opened_at": incident.opened_at, "acknowledged_at": incident.acknowledged_at,
                "mitigated_at": incident.mitigated_at, "resolved_at": incident.resolution().map(|(_, at)| at),
                "alert_count": incident.alerts, "drill": false,
                "commander": incident.commander().map(|command| serde_json::json!({
                    "person": command.person, "term": command.term, "since": command.since,
                    "reason": command.reason.as_str() })),
                "next_update_by": incident.next_update_by,
                "bridge": about.meeting.address(),
                "url": self.incident_url(incident.id),
            }
        })
    }
}

/// Of a letter about a reply: what is wrong with that, whom else it came from, and when the next people are woken.
fn reply(letter: &Letter) -> Option<(&'static str, Option<&str>, Option<Timestamp>)> {
    match letter {
        Letter::Misread { why, next_at, .. } => {
            let from = match why {
                Misread::Elsewhere(from) => from.as_deref(),
                _ => None,
            };
            Some((why.as_str(), from, *next_at))
        }
        _ => None,
    }
}

/// What is known, as far as there is room on top of a letter or a page, for templates; and how much more there is.
pub fn shown_known(known: &[Known], rules: &Rules, zone: &TimeZone) -> (Vec<minijinja::Value>, usize) {
    let shown = known.iter().take(KNOWN_SHOWN_MAX).map(|one| {
        context! { text => one.text.as_str(), about => one.about(), until => hour(one.until, zone),
        by => one.by.as_deref().map(|by| full_name(rules, by)) }
    });
    (shown.collect(), known.len().saturating_sub(KNOWN_SHOWN_MAX))
}

/// Other services that were struck, as far as a line has room.
fn also(incident: &Incident) -> Vec<String> {
    let mut shown: Vec<String> = incident.also.iter().take(SERVICES_SHOWN_MAX).cloned().collect();
    let more = incident.also.len() - shown.len();
    shown.extend((more > 0).then(|| format!("{more} more")));
    shown
}

/// The subject of everything about an incident: constant, because mail threads hang on it.
pub fn subject(incident: &Incident) -> String {
    format!("[INC-{}] {}: {}", incident.id, incident.service, incident.title)
}

/// An hour as people read it, always with its zone.
pub fn hour(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// The zone of the hours somebody is told.
pub fn zone_of(rules: &Rules, person: &str) -> TimeZone {
    rules.people.get(person).map_or(TimeZone::UTC, |person| person.time_zone.clone())
}

/// A text as it may stand in HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// What people call somebody.
pub fn full_name(rules: &Rules, person: &str) -> String {
    match rules.people.get(person) {
        Some(known) if !known.full_name.is_empty() => known.full_name.clone(),
        _ => person.to_owned(),
    }
}

/// What tells one alert from another of the same name: `instance=web1:9100`.
fn labels(labels: &BTreeMap<String, String>) -> Vec<String> {
    let shown = labels.iter().filter(|(_, value)| !value.is_empty()).take(LABELS_SHOWN_MAX);
    shown
        .map(|(name, value)| one_line(&format!("{name}={value}")).chars().take(LABEL_CHARS_MAX).collect())
        .collect()
}

/// Who commands, or did when it ended.
fn last_command(incident: &Incident) -> Option<&Command> {
    match &incident.phase {
        Phase::Resolved { last, .. } => last.as_ref(),
        _ => incident.commander(),
    }
}

fn environment(
    texts: impl Iterator<Item = (&'static str, String)>,
) -> Result<Environment<'static>, BadTemplate> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in texts {
        environment
            .add_template_owned(name, text)
            .map_err(|error| BadTemplate { name: name.into(), why: format!("{error:#}") })?;
    }
    Ok(environment)
}

mod samples {
    //! Letters on which every template is tried when it is loaded.

    use super::{About, BadTemplate, Environment, Known, Letter, Meeting, Misread, News, Renderer, Shown};
    use crate::core::incident::{Command, CommandReason, Escalation, Incident, Phase, Resolution, Severity};
    use crate::core::letter::Why;
    use crate::core::meeting::{Doubt, Place};
    use crate::core::rules::Rules;
    use jiff::Timestamp;

    pub(super) fn try_all(renderer: &Renderer, environment: &Environment<'_>) -> Result<(), BadTemplate> {
        let rules = Rules::default();
        let alerts = [alert()];
        let known = known(7);
        let some = (&known[..], meeting());
        let none = (&known[..0], Meeting::default());
        for (incident, (known, meeting)) in incidents().iter().flat_map(|one| [(one, &some), (one, &none)]) {
            let token = Some("sample");
            let about = About {
                incident,
                alerts: &alerts,
                rules: &rules,
                token,
                known,
                meeting,
                handover: None,
                said: None,
            };
            for letter in letters() {
                let (name, context) = renderer.context(&letter, &about, Some("a note"));
                for ending in ["txt", "html"] {
                    let name = format!("{name}.{ending}");
                    let tried =
                        environment.get_template(&name).and_then(|template| template.render(&context));
                    tried.map_err(|error| BadTemplate { name, why: format!("{error:#}") })?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn alert() -> Shown {
        let at = Timestamp::UNIX_EPOCH;
        Shown {
            source: "prometheus".into(),
            key: "HostDown".into(),
            status: "firing".into(),
            severity: Some("critical".into()),
            title: "web1 is <down>".into(),
            body: "It does not answer.".into(),
            labels: [
                ("alertname".to_owned(), "HostDown".to_owned()),
                ("instance".into(), "web1:\r\n9100".into()),
            ]
            .into(),
            links: Vec::new(),
            count: 1,
            first_seen: at,
            last_seen: at,
            changed_at: at,
        }
    }

    pub(super) fn meeting() -> Meeting {
        let place = |name: &str, doubt| Place {
            name: name.into(),
            url: format!("https://{name}.example.net/42"),
            dial_in: (name == "phone").then(|| "+47 22 00 00 00, pin 1234#".to_owned()),
            doubt,
        };
        let doubt = Doubt::Struck { service: "lb".into() };
        let places = vec![place("chat", Some(doubt)), place("phone", None), place("video", None)];
        Meeting { places, told: false }
    }

    pub(super) fn known(count: i64) -> Vec<Known> {
        let one = |n: i64| Known {
            text: format!("dc{n} is <down>: no failover"),
            services: (1..n).map(|n| format!("db-{n}")).collect(),
            until: Timestamp::from_second(n).unwrap_or_default(),
            by: (n != 2).then(|| "maya".to_owned()),
        };
        (1..=count).map(one).collect()
    }

    const EVERY_WHY: [Why; 15] = [
        Why::OnCall,
        Why::LastResort,
        Why::Help,
        Why::CommandedBefore,
        Why::Storm,
        Why::Worse,
        Why::Reminder,
        Why::Watching,
        Why::SilentCommander,
        Why::SilenceHelp,
        Why::Doubted,
        Why::DoubtHelp,
        Why::Requested,
        Why::Office,
        Why::Support,
    ];

    pub(super) fn letters() -> Vec<Letter> {
        let person = || "maya".to_owned();
        let mut letters: Vec<Letter> =
            EVERY_WHY.into_iter().map(|why| Letter::Page { person: person(), attempt: 2, why }).collect();
        letters.push(Letter::PioPage { person: person() });
        letters.extend(misread().map(|why| Letter::Misread { person: person(), why, next_at: None }));
        let news = [
            News::Acknowledged,
            News::Mitigated,
            News::Resolved,
            News::SelfCleared,
            News::Reopened,
            News::Recovered,
            News::Worse,
            News::Cause,
            News::Spread,
            News::More,
            News::Merged,
            News::TookIn,
            News::Split,
            News::Storm,
            News::Shadowing,
        ];
        let news = news.into_iter().chain(News::COMMAND);
        letters.extend(news.map(|news| Letter::Status { channel: "ops-room".into(), news }));
        letters
    }

    pub(super) fn misread() -> [Misread; 5] {
        let from = Some("maya@home.example".to_owned());
        [Misread::Unclear, Misread::Empty, Misread::Commands, Misread::Elsewhere(from), Misread::Unnamed]
    }

    pub(super) fn incidents() -> Vec<Incident> {
        let at = Timestamp::UNIX_EPOCH;
        let command =
            || Command { person: "maya".into(), term: 1, since: at, reason: CommandReason::FirstResponder };
        let escalation =
            Escalation { round: 0, step: 0, awaiting: vec!["maya".into()], due: at, reminders: vec![] };
        [
            Phase::Triggered { escalation: Some(escalation), quiet_until: None, held_until: None },
            Phase::Acknowledged { command: command(), sign: None, calls: None },
            Phase::Mitigated { command: command(), cause: None },
            Phase::Resolved { resolution: Resolution::Restored, at, last: Some(command()) },
            Phase::Resolved { resolution: Resolution::SelfCleared, at, last: None },
        ]
        .into_iter()
        .map(|phase| Incident {
            id: 42,
            title: "checkout <down>".into(),
            service: "shop".into(),
            cause: matches!(phase, Phase::Mitigated { .. }).then(|| "load-balancer".into()),
            also: if matches!(phase, Phase::Mitigated { .. }) { vec!["blog".into()] } else { Vec::new() },
            group: None,
            storm: false,
            declared: false,
            merged_into: None,
            severity: Severity::Sev1,
            phase,
            opened_at: at,
            acknowledged_at: None,
            mitigated_at: None,
            term: 1,
            alerts: 12,
            firing: 1,
            responders: Vec::new(),
            shadows: Vec::new(),
            pio: None,
            calm_at: None,
            next_update_by: Some(at),
            offices: Default::default(),
            board: Default::default(),
            voice: Default::default(),
            moved: 1,
            heard_at: None,
            seq: 9,
        })
        .collect()
    }
}
