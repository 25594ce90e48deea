//! What the page of statements shows of an incident, as values for its template.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Value, context};

use super::super::me::Me;
use super::excerpt;
use crate::commit::statements::previews;
use crate::core::audience::Audience;
use crate::core::command::Office;
use crate::core::decide::{By, Refusal, Speech, Wish, decide, public_names, starter};
use crate::core::disclosure::{Finding, Weight};
use crate::core::escalation::Staff;
use crate::core::incident::{Incident, Phase};
use crate::core::oncall::Roster;
use crate::core::rules::Rules;
use crate::core::timeline::{Actor, Route};
use crate::core::voice::{Delegation, Impact, Phase as Told, Sort, Stage, Statement};
use crate::house::House;
use crate::render::{full_name, statement_id};
use crate::store::tokens::Holder;

/// Most statements of one audience that are shown as they went out.
const PUBLISHED_SHOWN: usize = 10;

/// Why it cannot go out.
const STOPPED: &str = "What is marked has to be written another way, or a second person has to let it pass where that is allowed";

/// Who looks, at what, and when.
pub(super) struct State<'a> {
    pub(super) house: &'a House,
    pub(super) me: &'a Me,
    pub(super) now: Timestamp,
    /// Overrides, leaves and calendars.
    pub(super) roster: &'a Roster,
}

impl State<'_> {
    fn rules(&self) -> &Rules {
        &self.house.rules
    }

    fn name(&self, person: &str) -> String {
        full_name(self.rules(), person)
    }

    fn person(&self) -> Option<&str> {
        match &self.me.holder {
            Holder::Person(name) => Some(name),
            Holder::Automation(_) => None,
        }
    }

    /// One incident.
    pub(super) fn incident(&self, incident: &Incident, found: &[(u32, Vec<Finding>)]) -> Value {
        let rules = self.rules();
        let (voice, offices) = (&incident.voice, &incident.offices);
        let command = match &incident.phase {
            Phase::Resolved { last, .. } => last.as_ref(),
            _ => incident.commander(),
        };
        let leads = command.is_some_and(|command| Some(command.person.as_str()) == self.person());
        let due: Vec<Value> = voice
            .due
            .iter()
            .map(|due| {
                context! { audience => due.audience.as_str(), by => self.hour(due.by), late => due.by <= self.now,
                in_minutes => due.by.duration_since(self.now).as_mins() }
            })
            .collect();
        let audiences: Vec<Value> = Audience::ALL
            .into_iter()
            .filter(|one| rules.can_tell(*one))
            .map(|one| self.audience(incident, one, found))
            .collect();
        let holds = |one: &&Delegation| {
            one.until > self.now && one.term == incident.term && incident.severity >= one.severity
        };
        let delegation = voice.delegation.as_ref().filter(holds);
        context! {
            id => incident.id, title => incident.title.as_str(), service => incident.service.as_str(),
            severity => incident.severity.as_str(), state => incident.state(), over => !incident.is_open(),
            seq => incident.seq, term => command.map(|command| command.term), leads, due, audiences,
            commander => command.map(|command| self.name(&command.person)),
            pio => offices.holder(Office::Pio).map(|person| self.name(person)),
            asked => offices.asked(Office::Pio).map(|person| self.name(person)),
            asks_me => offices.asked(Office::Pio).is_some_and(|person| Some(person) == self.person()),
            alone => rules.speaks_alone(incident.leads(), incident.severity),
            delegated => delegation.map(|one| self.hour(one.until)),
            cause => voice.cause.as_deref(), missed => voice.missed,
            may_delegate => leads && incident.is_open(),
            holding => voice.holding_at.filter(|_| incident.is_open()).map(|at| self.hour(at)),
            may_hold => voice.holding_at.is_some() && self.tries(incident, Wish::Hold { why: String::new() }, &[]).is_ok(),
            questions => voice.questions.iter().filter(|one| one.answer.is_none()).map(|one| context! {
                number => one.number, from => one.from.as_str(), text => one.text.as_str(), at => self.hour(one.at) })
                .collect::<Vec<_>>(),
            answered => voice.questions.iter().filter(|one| one.answer.is_some()).count(),
        }
    }

    fn audience(&self, incident: &Incident, audience: Audience, found: &[(u32, Vec<Finding>)]) -> Value {
        let rules = self.rules();
        let voice = &incident.voice;
        let of = |one: &&Statement| one.wording.audience == audience;
        let open: Vec<Value> = voice
            .statements
            .iter()
            .filter(|one| of(one) && one.is_open())
            .map(|one| {
                let none = Vec::new();
                let found =
                    found.iter().find(|(number, _)| *number == one.number).map_or(&none, |(_, found)| found);
                self.waiting(incident, one, found)
            })
            .collect();
        let out: Vec<Value> = voice
            .published(audience)
            .rev()
            .take(PUBLISHED_SHOWN)
            .map(|one| self.out(incident, one))
            .collect();
        let last = voice.published(audience).next_back();
        let phase = match (&incident.phase, last.map(|last| last.wording.phase)) {
            (Phase::Resolved { .. }, _) => Told::Resolved,
            (Phase::Mitigated { .. }, _) => Told::Monitoring,
            (_, Some(Told::Identified)) => Told::Identified,
            _ => Told::Investigating,
        };
        let next = incident.is_open().then(|| rules.pio.next(audience, incident.severity, phase)).flatten();
        let channels: Vec<String> = rules.channels_of(audience).map(str::to_owned).collect();
        context! {
            word => audience.as_str(), open, out, channels,
            label => match audience {
                Audience::Internal => "Everybody who works here",
                Audience::Stakeholder => "Who answers to others for it",
                Audience::Public => "Everybody",
            },
            title => voice.title(audience, None),
            named => audience == Audience::Internal || !public_names(incident, rules).is_empty(),
            owes => !incident.is_open() && voice.owes_a_closing(audience),
            phase => phase.as_str(), phases => words(Told::ALL.map(Told::as_str)), impacts => words(Impact::ALL.map(Impact::as_str)),
            impact => last.filter(|_| incident.is_open()).map(|last| last.wording.impact.as_str()),
            next => next.map(|wait| wait.as_mins()),
            starter => starter(incident, audience, Some(phase), rules),
            page => audience == Audience::Public && rules.public_page,
        }
    }

    fn wording(&self, incident: &Incident, one: &Statement) -> Value {
        let wording = &one.wording;
        let previews: Vec<Value> = previews(incident, one, self.house)
            .map(|(channel, shown)| {
                let most = (shown.most != usize::MAX).then_some(shown.most);
                context! { channel, text => shown.text.as_str(), size => shown.size, most, unit => shown.unit, fits => shown.fits() }
            })
            .collect();
        context! {
            id => statement_id(incident.id, one.number), number => one.number, sort => wording.sort.as_str(),
            phase => wording.phase.title(), phase_word => wording.phase.as_str(), impact => wording.impact.as_str(),
            title => wording.title.as_str(), text => wording.text.as_str(), printed => one.printed(),
            by => self.name(&one.by), at => self.hour(one.at), entry => one.entry, channels => wording.channels.clone(),
            mends => wording.mends, next_at => wording.next_by.filter(|by| *by > self.now).map(|by| by.strftime("%Y-%m-%dT%H:%M").to_string()),
            sorted => wording.sort != Sort::Update, previews,
        }
    }

    /// One that waits.
    fn waiting(&self, incident: &Incident, one: &Statement, found: &[Finding]) -> Value {
        let printed = one.printed();
        let findings: Vec<Value> = found
            .iter()
            .map(|finding| {
                let passes = one.is_overridden(finding);
                context! { rule => finding.rule.as_str(), why => finding.why, words => excerpt(finding, &one.wording.title, &printed),
                weight => finding.weight.as_str(), passes, mark => finding.mark(),
                stops => finding.weight == Weight::Block || finding.weight == Weight::Second && !passes }
            })
            .collect();
        let stage = match &one.stage {
            Stage::Returned { by, why } => {
                context! { word => "returned", by => self.name(by), why => why.as_str() }
            }
            Stage::Approved(approval) => context! { word => "approved", by => self.name(&approval.by),
            words => approval.right.words(), holds => one.approval(incident).is_some() },
            _ => context! { word => "draft" },
        };
        let number = one.number;
        let wording = Some(one.entry);
        let tries = |wish: Wish| self.tries(incident, wish, found);
        let needs = found.iter().any(|one| one.weight == Weight::Second);
        let publish = tries(Wish::Publish { number, wording });
        let approve = tries(Wish::Approve { number, wording, term: Some(incident.term) });
        let lets_pass = Wish::Override { number, wording, marks: None, why: "?".into() };
        let values = context! {
            findings, stage,
            publish => publish.is_ok(), not => publish.err(),
            // Who can send it need not approve it first.
            approve => approve.is_ok(),
            lets_pass => needs && tries(lets_pass).is_ok(),
            returns => tries(Wish::Return { number, why: "?".into() }).is_ok(),
            drops => tries(Wish::Drop { number, why: String::new() }).is_ok(),
        };
        context! { ..values, ..self.wording(incident, one) }
    }

    /// One that went out.
    fn out(&self, incident: &Incident, one: &Statement) -> Value {
        let (at, by, right) = match &one.stage {
            Stage::Published { at, by, right } => (self.hour(*at), self.name(by), right.words()),
            _ => (String::new(), String::new(), ""),
        };
        let reached: Vec<Value> = one
            .reached
            .iter()
            .map(|reached| {
                let words = match reached.outcome.as_str() {
                    "" => "on its way",
                    "accepted" => "there",
                    "refused" => "not taken",
                    "unknown" => "not known; look there",
                    "partly" => "there, but not for all",
                    "stands" => "there; what it takes back may stand there still: look, and remove it by hand",
                    "superseded" => "a newer one went there instead",
                    other => other,
                };
                context! { channel => reached.channel.as_str(), words, bad => !matches!(reached.outcome.as_str(), "" | "accepted" | "superseded") }
            })
            .collect();
        let mended = incident.voice.statements.iter().filter(|other| other.wording.mends == Some(one.number));
        let mended = mended.filter(|other| other.published_at().is_some());
        let mended: Vec<String> =
            mended.map(|other| format!("{} {}", other.wording.sort.as_str(), other.number)).collect();
        let resend = Wish::Resend { number: one.number, channel: None };
        let resends = self.tries(incident, resend, &[]).is_ok();
        context! { resends, sent_at => at, sent_by => by, right, reached, mended, ..self.wording(incident, one) }
    }

    /// Whether the rules would let who looks do it now, else why not.
    fn tries(&self, incident: &Incident, wish: Wish, found: &[Finding]) -> Result<(), String> {
        let Some(person) = self.person().filter(|_| self.me.may_act()) else {
            return Err("you only look".to_owned());
        };
        let by = By { actor: Actor::Person(person.to_owned()), route: Route::Page, occurred_at: None };
        let waits = matches!(wish, Wish::Publish { .. }) && self.speaks(incident);
        let speech = Speech { wish, found: found.to_vec(), too_long: Vec::new(), there: Vec::new() };
        let act = crate::core::decide::Act::Speak(Box::new(speech));
        match decide(incident, act, &by, Staff { rules: self.rules(), roster: self.roster }, self.now) {
            Ok(_) => Ok(()),
            Err(Refusal::Disclosed { .. }) => Err(STOPPED.to_owned()),
            Err(Refusal::NotAllowed(_)) if waits => Err(match self.leader(incident) {
                Some(who) => format!("It waits for the approval of {who}, who has command"),
                None => "It waits for somebody who commands".to_owned(),
            }),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    /// What people call who answers for it.
    fn leader(&self, incident: &Incident) -> Option<String> {
        let command = match &incident.phase {
            Phase::Resolved { last, .. } => last.as_ref(),
            _ => incident.commander(),
        };
        command.map(|command| self.name(&command.person))
    }

    /// Whether who looks is the PIO, or is called.
    fn speaks(&self, incident: &Incident) -> bool {
        let offices = &incident.offices;
        self.person().is_some_and(|me| {
            offices.holder(Office::Pio) == Some(me) || offices.asked(Office::Pio) == Some(me)
        })
    }

    /// An hour, with its day where that is another.
    fn hour(&self, at: Timestamp) -> String {
        let [at, now] = [at, self.now].map(|hour| hour.to_zoned(TimeZone::UTC));
        let format = if at.date() == now.date() { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" };
        at.strftime(format).to_string()
    }
}

fn words<const N: usize>(all: [&'static str; N]) -> Vec<&'static str> {
    all.to_vec()
}
