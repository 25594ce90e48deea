//! What the page of an incident shows, as values for its template: state, people and lists to choose from. Which of the forms
//! are shown follows from who reads; what they do is decided elsewhere.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Value, context};

use super::{BESIDE_SHOWN, Failed};
use crate::core::board::{Action, End, Finding, Report, Said};
use crate::core::brief::Brief;
use crate::core::command::Office;
use crate::core::incident::{Phase, ResponderStatus, Severity};
use crate::core::next_step::{Does, Kind, Reader, next_step};
use crate::core::rules::Rules;
use crate::http::html::{Found, known_of};
use crate::http::pages::me::Me;
use crate::render::full_name;
use crate::store::beside::Named;
use crate::store::tokens::Holder;

/// Changes that have ended, and findings, are shown up to here.
const OLD_SHOWN: usize = 20;

/// What a page is made of.
pub(super) struct State<'a> {
    pub(super) found: &'a Found,
    pub(super) rules: &'a Rules,
    pub(super) me: &'a Me,
    pub(super) now: Timestamp,
}

impl State<'_> {
    /// Everything but what pages of an incident always show.
    pub(super) fn values(&self, failed: Option<&Failed>) -> Value {
        let incident = &self.found.incident;
        let me = self.reader();
        let commands = me.is_some() && incident.commander().map(|command| command.person.as_str()) == me;
        let offices = &incident.offices;
        let safety = offices.holder(Office::Safety);
        let administrator =
            me.and_then(|me| self.rules.people.get(me)).is_some_and(|known| known.administrator);
        let mine = me.and_then(|me| incident.responder(me));
        let on_scene = me.is_some_and(|me| incident.is_on_scene(me));
        let open = incident.is_open();
        let brief = self.found_brief();
        let (step, part) = self.step();
        context! {
            step,
            part => failed.and_then(|failed| part_of(&failed.verb)).or(part),
            failed => failed.map(|failed| failed.why.trim_end_matches('.').to_owned()),
            unsaid => unsaid(failed),
            term => incident.commander().map(|command| command.term),
            since => incident.commander().map(|command| self.short(command.since)),
            begun => self.short(incident.opened_at),
            update_by => incident.next_update_by.map(|at| self.short(at)),
            is_open => open,
            acts => open && me.is_some(),
            reopens => !open && me.is_some() && incident.merged_into.is_none(),
            commands,
            leads => commands || (me.is_some() && offices.holder(Office::Deputy) == me),
            lifts => commands || (me.is_some() && safety == me),
            may_wish => on_scene && !commands && open && incident.commander().is_some(),
            administrator,
            on_scene,
            answered => mine.is_some_and(|known| known.status.has_answered()),
            offer => self.offer(me, commands, administrator),
            wishes => self.names(&offices.wishes),
            unaware => self.names(&offices.unaware),
            hears => me.is_some_and(|me| offices.unaware.iter().any(|person| person == me)),
            offices => self.offices(me),
            unfilled => Office::ALL.into_iter().filter(|office| offices.holder(*office).is_none()).map(Office::title).collect::<Vec<_>>(),
            here => self.people(|person| incident.is_on_scene(person) && Some(person) != incident.commander().map(|command| command.person.as_str())),
            scene => self.people(|person| incident.is_on_scene(person)),
            everybody => self.people(|_| true),
            rotations => self.rules.rotations.keys().cloned().collect::<Vec<_>>(),
            capabilities => self.capabilities(),
            stop => self.said(incident.board.stop.as_ref()),
            size_up => self.said(incident.board.size_up.as_ref()),
            objective => self.said(incident.board.objective.as_ref()),
            plan => self.said(incident.board.plan.as_ref()),
            report => incident.board.report.as_ref().map(|report| self.report(report)),
            in_flight => brief.in_flight.iter().map(|action| self.action(action)).collect::<Vec<_>>(),
            made => brief.made.iter().take(OLD_SHOWN).map(|action| self.action(action)).collect::<Vec<_>>(),
            helped => brief.may_have_helped().map(|action| format!("change {}: {}", action.number, action.what)).collect::<Vec<_>>(),
            changes_max => incident.board.changes_max(),
            tasks => self.tasks(me, commands),
            requests => self.requests(),
            contacts => self.contacts(),
            findings => incident.board.findings.iter().rev().map(|found| self.finding(found)).collect::<Vec<_>>(),
            team => self.team(me),
            severities => Severity::ALL.map(Severity::as_str),
            mitigated => matches!(incident.phase, Phase::Mitigated { .. }),
            cause => match &incident.phase { Phase::Mitigated { cause, .. } => cause.clone(), _ => None },
            meeting_said => self.said(incident.board.meeting.as_ref()),
        }
    }

    /// What it can become part of, and what can be taken out of it, by whom it may.
    pub(super) fn moves(&self, beside: &[Named], parts: &[Named]) -> Value {
        let incident = &self.found.incident;
        let named = |all: &[Named]| {
            let shown = all.iter().map(|one| {
                let words = format!("INC-{} {} {}: {}", one.id, one.severity, one.service, one.title);
                context! { id => one.id, words }
            });
            shown.collect::<Vec<_>>()
        };
        let me = self.reader();
        let commander = incident.commander().map(|command| command.person.as_str());
        let moves =
            me.is_some() && incident.merged_into.is_none() && (commander.is_none() || commander == me);
        context! {
            moves, beside => named(beside), beside_more => beside.len() >= BESIDE_SHOWN as usize, parts => named(parts),
        }
    }

    /// The entry that somebody wants to correct, and what it says, as far as it is shown.
    pub(super) fn corrects(&self, entry: Option<u32>) -> Option<Value> {
        let entry = entry.filter(|entry| (1..=self.found.incident.seq).contains(entry))?;
        Some(context! { entry, text => self.found.says(entry) })
    }

    /// What somebody reads before they accept.
    pub(super) fn brief(&self) -> Value {
        let brief = self.found_brief();
        let (situation, me) = (&brief.situation, self.reader());
        let incident = &self.found.incident;
        context! {
            number => brief.number,
            open => incident.is_open(),
            service => brief.service.as_str(),
            opened_at => self.short(brief.opened_at),
            firing => situation.firing,
            alerts => situation.alerts,
            also => situation.also.clone(),
            stopped_by => situation.mitigated.as_ref().map(|cause| cause.clone().unwrap_or_else(|| "nobody knows what".into())),
            bad => situation.bad.iter().map(|found| self.finding(found)).collect::<Vec<_>>(),
            ruled_out => situation.ruled_out.iter().map(|found| self.finding(found)).collect::<Vec<_>>(),
            organisation => brief.organisation.iter().map(|(office, holder)| context! {
                title => office.title(), name => holder.as_deref().map(|name| full_name(self.rules, name)),
            }).collect::<Vec<_>>(),
            promises => brief.promises.iter().map(|promise| context! {
                what => promise.what.as_str(), at => self.short(promise.at),
            }).collect::<Vec<_>>(),
            title_corrected => incident.board.corrections.beside(1),
            corrected_elsewhere => brief.corrected_elsewhere(OLD_SHOWN).into_iter().map(|one| context! {
                number => one.number, entry => one.entry, text => one.text.as_str(), by => full_name(self.rules, &one.by),
                at => self.short(one.at),
            }).collect::<Vec<_>>(),
            can_accept => me.is_some() && incident.offices.offer.as_ref().is_some_and(|offer| Some(offer.to.as_str()) == me),
        }
    }

    fn found_brief(&self) -> Brief {
        let Found { incident, conditions, meeting, .. } = self.found;
        Brief::of(incident, meeting, &known_of(incident, conditions, self.rules, self.now))
    }

    /// Who may act on it by a form: a person, by their name.
    fn reader(&self) -> Option<&str> {
        match &self.me.holder {
            Holder::Person(name) if self.me.may_act() => Some(name),
            _ => None,
        }
    }

    /// The next step, and the part of the page that it leads to.
    fn step(&self) -> (Value, Option<&'static str>) {
        let reader = Reader { person: self.reader(), acts: self.reader().is_some(), zone: TimeZone::UTC };
        let step = next_step(&self.found.incident, &reader, self.rules, self.now);
        let first = step.buttons.first().map(|button| button.does);
        let part = match first {
            Some(Does::Part(part)) if step.kind != Kind::Nothing => Some(part),
            _ => None,
        };
        let buttons: Vec<Value> = step
            .buttons
            .iter()
            .map(|button| {
                let (verb, href) = match button.does {
                    Does::Verb(verb) => (Some(verb), None),
                    Does::Brief => (None, Some(format!("/incidents/{}/brief", self.found.incident.id))),
                    Does::Part(open) if part == Some(open) => (None, Some(format!("#{open}"))),
                    // A fragment alone opens nothing.
                    Does::Part(other) => (None, Some(format!("?part={other}#{other}"))),
                };
                let fields = button
                    .fields
                    .iter()
                    .map(|(name, value)| context! { name => *name, value => value.as_str() });
                context! {
                    label => button.label.as_str(), verb, href, fields => fields.collect::<Vec<_>>(),
                    asks => button.asks.map(|(name, label)| context! { name, label }),
                }
            })
            .collect();
        let same = step.kind == Kind::Report;
        let rests = matches!(step.kind, Kind::Nothing | Kind::Watch);
        (context! { text => step.text, buttons, same, rests }, part)
    }

    fn offer(&self, me: Option<&str>, commands: bool, administrator: bool) -> Option<Value> {
        let offer = self.found.incident.offices.offer.as_ref()?;
        Some(context! {
            to => full_name(self.rules, &offer.to), by => full_name(self.rules, &offer.by), ordered => offer.ordered,
            reason => offer.reason.as_str(), until => self.short(offer.expires), mine => me == Some(offer.to.as_str()),
            withdraws => if offer.ordered { administrator } else { commands },
        })
    }

    fn offices(&self, me: Option<&str>) -> Vec<Value> {
        let offices = &self.found.incident.offices;
        let name = |person: &str| full_name(self.rules, person);
        Office::ALL
            .into_iter()
            .map(|office| {
                let (holder, asked) = (offices.holder(office), offices.asked(office));
                context! {
                    office => office.as_str(), title => office.title(), holder => holder.map(name), asked => asked.map(name),
                    mine => holder.is_some() && holder == me, asks_me => asked.is_some() && asked == me,
                }
            })
            .collect()
    }

    fn tasks(&self, me: Option<&str>, commands: bool) -> Vec<Value> {
        let deputy = me.is_some() && self.found.incident.offices.holder(Office::Deputy) == me;
        let tasks = self.found.incident.board.tasks.iter().rev();
        let (open, over): (Vec<_>, Vec<_>) = tasks.partition(|task| task.ended.is_none());
        open.into_iter()
            .chain(over.into_iter().take(OLD_SHOWN))
            .map(|task| {
                context! {
                    number => task.number, what => self.corrected(&task.what, &[task.entry]), name => full_name(self.rules, &task.person),
                    limit => task.limit.map(|at| self.short(at)), late => task.limit.is_some_and(|at| at <= self.now),
                    ended => self.ended(task.end()), ends => commands || deputy || me == Some(task.person.as_str()),
                }
            })
            .collect()
    }

    fn requests(&self) -> Vec<Value> {
        let requests = self.found.incident.board.requests.iter().rev();
        requests
            .map(|request| {
                context! {
                    number => request.number, wanted => self.corrected(&request.wanted.to_string(), &[request.entry]), why => request.why.as_str(),
                    by => full_name(self.rules, &request.by), people => self.names(&request.people),
                    state => request.state.as_str().replace('_', " "), since => self.short(request.since),
                    over => request.state == crate::core::board::RequestState::Released,
                }
            })
            .collect()
    }

    fn contacts(&self) -> Vec<Value> {
        let contacts = self.found.incident.board.contacts.iter().rev();
        contacts
            .map(|one| {
                context! {
                    body => self.corrected(&one.body, &[one.entry]), contact => one.contact.as_str(), ticket => one.ticket.as_str(),
                    text => one.text.as_str(), by => full_name(self.rules, &one.by), at => self.short(one.at),
                    promised => one.promised.map(|at| self.short(at)),
                    late => one.promised.is_some_and(|at| at <= self.now), closed => one.closed,
                }
            })
            .collect()
    }

    fn team(&self, me: Option<&str>) -> Vec<Value> {
        let commander = self.found.incident.commander().map(|command| command.person.as_str());
        let team = self.found.incident.responders.iter();
        team.map(|one| {
            let person = one.person.as_str();
            context! {
                person, name => full_name(self.rules, person), me => Some(person) == me,
                status => one.status.as_str().replace('_', " "), since => self.short(one.since),
                eta => one.eta.filter(|_| self.found.incident.is_open()).map(|at| self.short(at)), commands => Some(person) == commander,
                unaware => self.found.incident.offices.unaware.contains(&one.person),
                rests => one.status.is_on_scene() && one.status != ResponderStatus::Resting,
                goes => one.status.has_answered(),
            }
        })
        .collect()
    }

    /// People of the house who can act, for lists to choose from.
    fn people(&self, which: impl Fn(&str) -> bool) -> Vec<Value> {
        let people = self.rules.people.iter().filter(|(name, known)| !known.viewer && which(name));
        people.map(|(name, _)| context! { name, full => full_name(self.rules, name) }).collect()
    }

    fn capabilities(&self) -> Vec<String> {
        let all = self.rules.people.values().flat_map(|person| person.capabilities.iter().cloned());
        all.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    fn names(&self, people: &[String]) -> Vec<String> {
        people.iter().map(|person| full_name(self.rules, person)).collect()
    }

    fn said(&self, said: Option<&Said>) -> Option<Value> {
        said.map(|said| {
            let text = self.corrected(&said.text, &[said.entry]);
            context! { text, by => full_name(self.rules, &said.by), at => self.short(said.at) }
        })
    }

    fn report(&self, report: &Report) -> Value {
        let (mut trend, mut text) = (report.trend.as_str().to_owned(), report.text.clone());
        let last = if text.is_empty() { &mut trend } else { &mut text };
        *last = self.corrected(last, &[report.entry]);
        context! { trend, text, by => full_name(self.rules, &report.by), at => self.short(report.at) }
    }

    fn action(&self, action: &Action) -> Value {
        context! {
            number => action.number, what => self.corrected(&action.what, &[action.entry, action.end_entry]), place => action.place.as_str(),
            undo => action.undo.as_str(), name => full_name(self.rules, &action.person), since => self.short(action.at),
            assigned => action.assigned, ended => self.ended(action.end()),
        }
    }

    fn finding(&self, found: &Finding) -> Value {
        context! {
            component => self.corrected(&found.component, &[found.entry]), ok => found.ok, text => found.text.as_str(),
            by => full_name(self.rules, &found.by), at => self.short(found.known_at),
        }
    }

    /// Words, with what was said later of the entries that say them.
    fn corrected(&self, words: &str, entries: &[u32]) -> String {
        let corrections = &self.found.incident.board.corrections;
        let beside: String = entries.iter().map(|entry| corrections.beside(*entry)).collect();
        format!("{words}{beside}")
    }

    fn ended(&self, ended: Option<(End, Timestamp)>) -> Option<String> {
        ended.map(|(how, at)| match how {
            End::Unsaid => format!("nobody said how; the incident was over {}", self.short(at)),
            how => format!("{} {}", how.words(), self.short(at)),
        })
    }

    /// An hour as somebody takes it in at a glance: `02:14 UTC, 12 min ago`; another day with its date.
    fn short(&self, at: Timestamp) -> String {
        let seconds = at.duration_since(self.now).as_secs();
        let minutes = (seconds.abs() + if seconds > 0 { 59 } else { 0 }) / 60;
        let far = match minutes {
            0 => "just now".to_owned(),
            1..=119 => format!("{minutes} min"),
            _ => format!("{} h", minutes / 60),
        };
        let zoned = at.to_zoned(TimeZone::UTC);
        let same_day = zoned.date() == self.now.to_zoned(TimeZone::UTC).date();
        let clock = zoned.strftime(if same_day { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" });
        match (minutes, seconds > 0) {
            (0, _) => format!("{clock}, {far}"),
            (_, true) => format!("{clock}, in {far}"),
            (_, false) => format!("{clock}, {far} ago"),
        }
    }
}

/// Further fields in which nobody writes words.
const CHOSEN: [&str; 7] = ["into", "incident", "alert", "entry", "closed", "most", "false_alarm"];

/// Whether a field is an hour, or so many minutes: see `form`.
fn is_hour(name: &str) -> bool {
    ["_in", "_at", "_ago"].iter().any(|ends| name.ends_with(ends))
}

/// What was written into a form that was not taken: for the form, and to be copied.
fn unsaid(failed: Option<&Failed>) -> Value {
    let Some(failed) = failed else {
        return context! { verb => "", fields => context! {}, alerts => Vec::<Value>::new(), text => Value::from(()) };
    };
    let marks = [
        "form", "seen", "term", "number", "brief", "help", "how", "ok", "trend", "office", "person", "to",
        "severity", "wanted", "did", "talk",
    ];
    let written = failed.fields.iter().filter(|(name, value)| {
        !marks.contains(&name.as_str())
            && !CHOSEN.contains(&name.as_str())
            && !is_hour(name)
            && !value.trim().is_empty()
    });
    let text: Vec<&str> = written.map(|(_, value)| value.as_str()).collect();
    let fields = failed.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>();
    let text = if text.is_empty() { Value::from(()) } else { text.join("\n").into() };
    let alerts = failed.fields.iter().filter(|(name, _)| name == "alert").map(|(_, value)| value.clone());
    let alerts = alerts.collect::<Vec<String>>();
    context! { verb => failed.verb.as_str(), alerts, fields => Value::from_pairs(fields), text }
}

/// The part of the page where the form of a verb stands.
fn part_of(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "offer" | "withdraw" | "request-command" | "assume" | "relieve" | "heard" => "command",
        "assign" | "give-back" => "offices",
        "size-up" | "objective" | "plan" | "report" | "meet" => "board",
        "act" | "end-act" | "allow" | "stop" | "lift" => "changes",
        "task" | "end-task" => "tasks",
        "request" | "end-request" => "requests",
        "find" => "findings",
        "contact" => "outside",
        "en-route" | "rest" | "release" | "decline" => "people",
        "severity" => "severity",
        "mitigate" => "mitigate",
        "resolve" => "resolve",
        "note" | "correct" => "note",
        "reopen" => "reopen",
        "merge" => "merge",
        "split" => "split",
        _ => return None,
    })
}
