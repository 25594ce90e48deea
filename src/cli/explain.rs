//! `onscene check --explain`: which route fits an event, why the others before it do not, and what follows.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Exit, fail, kinds, out};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::alert::{AlertSeverity, Event, Status};
use crate::core::escalation::{self, Case, Staff};
use crate::core::inhibit::Sight;
use crate::core::maintenance;
use crate::core::matcher::Matcher;
use crate::core::route::{self, To};
use crate::core::rules::Rules;
use crate::sources::Unreadable;

/// An event as it is written to be explained. Routes do not look at everything that an event has; whoever has one at hand need
/// not take it apart.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a whole event may be given")]
struct Written {
    source: String,
    status: Option<String>,
    body: Option<String>,
    links: Option<Value>,
    group: Option<String>,
    occurred_at: Option<Value>,
    delivery_id: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    key: String,
    severity: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Explains the event on standard input.
pub(super) fn event(config: &Config, as_json: bool) -> Exit {
    let body = match kinds::input() {
        Ok(body) => body,
        Err(exit) => return exit,
    };
    let written: Written = match serde_json::from_slice(&body) {
        Ok(written) => written,
        Err(error) => {
            return fail(&format!(
                "this is no event: {error}. Write it as {{\"source\": \"pingdom\", \"title\": \"...\", \"severity\": \"critical\", \
                 \"labels\": {{\"team\": \"shop\"}}}}, or give --source and a body as that source sends it"
            ));
        }
    };
    if !config.sources.contains_key(&written.source) {
        let known: Vec<&str> = config.sources.keys().map(String::as_str).collect();
        return fail(&format!("no source is called {}; there are {}", written.source, known.join(", ")));
    }
    let severity = match written.severity.as_deref().map(|word| (word, AlertSeverity::from_word(word))) {
        Some((word, None)) => {
            return fail(&format!("{word} is no severity; critical, error, warning and info are"));
        }
        Some((_, severity)) => severity,
        None => None,
    };
    let event =
        Event { severity, labels: written.labels, ..Event::new(written.key, Status::Firing, written.title) };
    show(config, &written.source, &[event], as_json);
    Exit::Done
}

/// Explains each event of a body that a source sends.
pub(super) fn body(config: &Config, name: &str, headers: &[(String, String)], as_json: bool) -> Exit {
    match kinds::read(config, name, headers) {
        Ok((Ok(events), _)) => {
            show(config, name, &events, as_json);
            Exit::Done
        }
        Ok((Err(Unreadable(why, rest)), _)) => {
            show(config, name, &rest, as_json);
            fail(&format!("source {name} cannot read this body: {why}"))
        }
        Err(exit) => exit,
    }
}

fn show(config: &Config, source: &str, events: &[Event], as_json: bool) {
    let explained = events.iter().map(|event| Explained::of(config, source, event));
    if as_json {
        let events: Vec<Value> = explained.map(|one| one.as_value()).collect();
        out(&format!("{}\n", json!({"events": events})));
    } else if events.is_empty() {
        out("understood, with nothing to say\n");
    } else {
        out(&explained.map(|one| one.as_text()).collect::<Vec<_>>().join("\n"));
    }
}

/// What was found out of one event.
struct Explained<'a> {
    source: &'a str,
    event: &'a Event,
    /// What does not fit of the routes before the one that does: the matcher, and what it saw.
    misfits: Vec<(String, String)>,
    /// The route that fits, its place from 1.
    fits: Option<(usize, String)>,
    /// What becomes of it.
    outcome: Outcome,
}

enum Outcome {
    Ignored,
    Heartbeat(String),
    Alert {
        service: String,
        severity: &'static str,
        policy: String,
        woken: Vec<String>,
        age_out: Option<String>,
        follows: Box<Follows>,
    },
}

/// What may keep an alert from waking people at once, as far as the configuration knows.
#[derive(Default)]
struct Follows {
    /// A window of maintenance that is open now, and until when.
    maintenance: Option<(String, Timestamp)>,
    /// Rules of inhibition by which it is kept quiet, from 1, with what the other alert must be.
    inhibited_by: Vec<(usize, String)>,
    /// Rules by which it keeps others quiet, with what those are.
    inhibits: Vec<(usize, String)>,
    /// What its service needs, and how long the first page waits for that.
    needs: Option<(Vec<String>, SignedDuration)>,
}

impl Follows {
    fn of(rules: &Rules, seen: Sight<'_>, now: Timestamp) -> Self {
        let texts = |all: &[Matcher], equal: &[String]| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            let equal = if equal.is_empty() {
                String::new()
            } else {
                format!(" and has the same {}", equal.join(", "))
            };
            format!("{}{equal}", all.join(", "))
        };
        let numbered = || (1..).zip(&rules.inhibit);
        let needs: Vec<String> = rules.needs.of_service(seen.service).map(str::to_owned).collect();
        Self {
            maintenance: maintenance::of(&rules.maintenance, seen.service, now)
                .map(|(window, until)| (window.name.clone(), until)),
            inhibited_by: numbered()
                .filter(|(_, rule)| rule.is_target(seen))
                .map(|(number, rule)| {
                    // One that fits both sides is not kept quiet by its like.
                    let like = if rule.is_source(seen) { texts(&rule.target, &[]) } else { String::new() };
                    let like = if like.is_empty() { like } else { format!(", and not also {like}") };
                    (number, texts(&rule.source, &rule.equal) + &like)
                })
                .collect(),
            inhibits: numbered()
                .filter(|(_, rule)| rule.is_source(seen))
                .map(|(number, rule)| (number, texts(&rule.target, &rule.equal)))
                .collect(),
            needs: (!needs.is_empty()).then(|| (needs, rules.grouping_of(seen.service).settle)),
        }
    }

    fn lines(&self, service: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((window, until)) = &self.maintenance {
            lines.push(format!("  maintenance {window} until {until}: nobody is woken before, whatever fires then wakes people"));
        }
        if let Some((needs, settle)) = &self.needs {
            lines.push(format!(
                "  {service} needs {}: its first page waits {settle:#} for an alert of those, which would be the cause",
                needs.join(", ")
            ));
        }
        lines.extend(self.inhibited_by.iter().map(|(rule, other)| {
            format!("  inhibit rule {rule}: nobody is woken while another alert fires that fits {other}")
        }));
        lines.extend(self.inhibits.iter().map(|(rule, other)| {
            format!("  inhibit rule {rule}: while it fires, it keeps quiet what fits {other}")
        }));
        lines
    }
}

impl<'a> Explained<'a> {
    fn of(config: &'a Config, source: &'a str, event: &'a Event) -> Self {
        let rules = &config.rules;
        let service = config.sources.get(source).map_or("", |source| source.service.as_str());
        let found = route::first(&rules.routes, source, service, event);
        let before = found.map_or(rules.routes.len(), |(place, _)| place);
        let misfits = rules.routes[..before].iter().filter_map(|route| {
            let matcher = route.misfit(source, service, event)?;
            Some((matcher.to_string(), route::seen(source, service, event, &matcher.name).to_owned()))
        });
        let fits = found.map(|(place, route)| {
            let all: Vec<String> = route.matchers.iter().map(ToString::to_string).collect();
            (place + 1, if all.is_empty() { "everything".to_owned() } else { all.join(", ") })
        });
        let outcome = match found.map(|(_, route)| &route.to) {
            Some(To::Ignore) => Outcome::Ignored,
            Some(To::Heartbeat(name)) => Outcome::Heartbeat(name.clone()),
            Some(To::Set(set)) => {
                alert(config, source, set.service.as_deref(), &set.apply(event), set.age_out)
            }
            None => alert(config, source, None, event, None),
        };
        Self { source, event, misfits: misfits.collect(), fits, outcome }
    }

    fn as_text(&self) -> String {
        let Self { source, event, .. } = self;
        let title = if event.title.is_empty() { "an event" } else { &event.title };
        let mut lines = vec![format!("{title} (source {source})")];
        for (place, (matcher, saw)) in self.misfits.iter().enumerate() {
            lines.push(format!("  route {} does not fit: {matcher}, and here it is \"{saw}\"", place + 1));
        }
        lines.push(match &self.fits {
            Some((place, matchers)) => format!("  route {place} fits: {matchers}"),
            None => "  no route fits: the source decides".to_owned(),
        });
        match &self.outcome {
            Outcome::Ignored => lines.push("  it is ignored".to_owned()),
            Outcome::Heartbeat(name) => lines.push(format!("  it is a ping of the heartbeat {name}")),
            Outcome::Alert { service, severity, policy, woken, age_out, follows } => {
                let woken = if woken.is_empty() { "nobody".to_owned() } else { woken.join(", ") };
                lines.push(format!(
                    "  service {service}, {severity}; policy {policy} would wake now: {woken}"
                ));
                lines.extend(
                    age_out.as_ref().map(|age| format!("  it is over when it is not said again for {age}")),
                );
                lines.extend(follows.lines(service));
            }
        }
        lines.join("\n") + "\n"
    }

    fn as_value(&self) -> Value {
        let misfits: Vec<Value> =
            self.misfits.iter().map(|(matcher, saw)| json!({"matcher": matcher, "saw": saw})).collect();
        let mut value = json!({"source": self.source, "key": self.event.key, "title": self.event.title,
            "route": self.fits.as_ref().map(|(place, _)| place), "misfits": misfits});
        match &self.outcome {
            Outcome::Ignored => value["outcome"] = "ignored".into(),
            Outcome::Heartbeat(name) => value["heartbeat"] = name.clone().into(),
            Outcome::Alert { service, severity, policy, woken, age_out, follows } => {
                value["service"] = service.clone().into();
                value["severity"] = (*severity).into();
                value["policy"] = policy.clone().into();
                value["woken"] = woken.clone().into();
                value["age_out"] = age_out.clone().into();
                let numbers =
                    |rules: &[(usize, String)]| rules.iter().map(|(rule, _)| *rule).collect::<Vec<_>>();
                value["maintenance"] = follows.maintenance.as_ref().map(|(window, _)| window.clone()).into();
                value["needs"] =
                    follows.needs.as_ref().map(|(needs, _)| needs.clone()).unwrap_or_default().into();
                value["inhibited_by"] = numbers(&follows.inhibited_by).into();
                value["inhibits"] = numbers(&follows.inhibits).into();
            }
        }
        value
    }
}

fn alert(
    config: &Config,
    source: &str,
    service: Option<&str>,
    event: &Event,
    age_out: Option<SignedDuration>,
) -> Outcome {
    let rules: &Rules = &config.rules;
    let of_source = config.sources.get(source).map(|source| source.service.as_str());
    let service = service.or(of_source).unwrap_or("?");
    let severities =
        rules.services.get(service).map(|service| service.severities.clone()).unwrap_or_default();
    let now = Clock::system().now();
    let severity = severities.of(event.severity);
    let policy = rules.policy_of(service, severity);
    let (staff, case) = (Staff::as_configured(rules), Case { severity, service });
    let first = policy.and_then(|(_, policy)| escalation::next(policy, staff, case, None, now));
    Outcome::Alert {
        service: service.to_owned(),
        severity: severity.as_str(),
        policy: policy.map_or("?", |(name, _)| name).to_owned(),
        woken: first.map(|first| first.people).unwrap_or_default(),
        age_out: age_out.or_else(|| rules.age_out.get(source).copied()).map(|age| format!("{age:#}")),
        follows: Box::new(Follows::of(rules, Sight { source, service, event }, now)),
    }
}
