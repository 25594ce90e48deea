//! What somebody reads before they take command: the sections of an incident briefing (ICS-201), as the state has them.
//!
//! It is a view and decides nothing. Its number is [`Incident::moved`]: who accepts command names it, and as soon as
//! something of it has changed it is an old one.

use jiff::Timestamp;

use super::board::{Action, Contact, Correction, Corrections, End, Finding, Report, Request, Said, Task};
use super::command::Office;
use super::condition::Known;
use super::incident::{Command, Incident, Phase, Responder, Severity};
use super::meeting::{Meeting, Place};

/// A briefing about one incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    /// Number of the incident.
    pub incident: i64,
    /// Its number: what who accepts command names.
    pub number: u32,
    /// One line.
    pub title: String,
    /// The service that leads.
    pub service: String,
    /// How bad.
    pub severity: Severity,
    /// The word for the state.
    pub state: &'static str,
    /// Since when.
    pub opened_at: Timestamp,
    /// Who commands: who hands over, and the author of what is not the daemon's.
    pub commander: Option<Command>,
    /// What happened and how it goes.
    pub situation: Situation,
    /// Nothing is to be changed: why, and who said so.
    pub stop: Option<Said>,
    /// What is to be achieved now.
    pub objective: Option<Said>,
    /// How.
    pub plan: Option<Said>,
    /// Who does what, and by when.
    pub tasks: Vec<Task>,
    /// Changes in flight.
    pub in_flight: Vec<Action>,
    /// Changes that have ended, the newest first.
    pub made: Vec<Action>,
    /// Who was asked for and is not there yet.
    pub requests: Vec<Request>,
    /// Who is on it, or on the way.
    pub people: Vec<Responder>,
    /// Every office and who has it; where nobody does, the Commander has.
    pub organisation: Vec<(Office, Option<String>)>,
    /// Where people meet, in the order in which they try it.
    pub meeting: Vec<Place>,
    /// Outside bodies of which something is waited for.
    pub contacts: Vec<Contact>,
    /// What was promised, and not kept yet, the next one first.
    pub promises: Vec<Promise>,
    /// What of it was corrected.
    pub corrections: Corrections,
}

/// What happened, and how it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Situation {
    /// What happened, how big it is, what is in danger, what is needed.
    pub size_up: Option<Said>,
    /// How it goes, last.
    pub report: Option<Report>,
    /// The harm stopped, and what did it; nothing inside: nobody knows.
    pub mitigated: Option<Option<String>>,
    /// How many of its alerts fire.
    pub firing: u32,
    /// How many there are.
    pub alerts: u32,
    /// Other services that were struck.
    pub also: Vec<String>,
    /// Parts that were found not to work.
    pub bad: Vec<Finding>,
    /// Parts that were ruled out.
    pub ruled_out: Vec<Finding>,
    /// What holds for a while and concerns it.
    pub known: Vec<Known>,
}

/// Something that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// By when.
    pub at: Timestamp,
    /// What, as a phrase.
    pub what: String,
}

impl Brief {
    /// The brief as it is. `known`: conditions that concern the incident at this hour.
    pub fn of(incident: &Incident, meeting: &Meeting, known: &[Known]) -> Self {
        let board = &incident.board;
        let (ruled_out, bad) = board.findings.iter().cloned().partition(|found: &Finding| found.ok);
        let mitigated = match &incident.phase {
            Phase::Mitigated { cause, .. } => Some(cause.clone()),
            _ => None,
        };
        let holder = |office| incident.offices.holder(office).map(str::to_owned);
        Self {
            incident: incident.id,
            number: incident.moved,
            title: incident.title.clone(),
            service: incident.leads().to_owned(),
            severity: incident.severity,
            state: incident.state(),
            opened_at: incident.opened_at,
            commander: incident.commander().cloned(),
            situation: Situation {
                size_up: board.size_up.clone(),
                report: board.report.clone(),
                mitigated,
                firing: incident.firing,
                alerts: incident.alerts,
                also: incident.also.clone(),
                bad,
                ruled_out,
                known: known.to_vec(),
            },
            stop: board.stop.clone(),
            objective: board.objective.clone(),
            plan: board.plan.clone(),
            tasks: board.open_tasks().cloned().collect(),
            in_flight: board.in_flight().cloned().collect(),
            made: board.actions.iter().rev().filter(|action| action.ended.is_some()).cloned().collect(),
            requests: board.requests.iter().filter(|request| !request.state.is_over()).cloned().collect(),
            people: incident.responders.iter().filter(|one| one.status.has_answered()).cloned().collect(),
            organisation: Office::ALL.into_iter().map(|office| (office, holder(office))).collect(),
            meeting: meeting.in_turn().into_iter().cloned().collect(),
            contacts: board.contacts.iter().filter(|contact| !contact.closed).cloned().collect(),
            promises: promises(incident),
            corrections: board.corrections.clone(),
        }
    }

    /// Corrections that stand beside nothing of it, where `made` of the changes that have ended are shown: of what ended the
    /// harm, of the severity, of what does not stand any more. Each moved the brief, or may have.
    pub fn corrected_elsewhere(&self, made: usize) -> Vec<&Correction> {
        let situation = &self.situation;
        // The first entry says what the incident is called.
        let mut shown = vec![1];
        let said = [&self.stop, &situation.size_up, &self.objective, &self.plan];
        shown.extend(said.into_iter().flatten().map(|one| one.entry));
        shown.extend(situation.report.iter().map(|one| one.entry));
        shown.extend(situation.bad.iter().chain(&situation.ruled_out).map(|one| one.entry));
        shown.extend(self.tasks.iter().map(|one| one.entry));
        let changes = self.in_flight.iter().chain(self.made.iter().take(made));
        shown.extend(changes.flat_map(|one| [one.entry, one.end_entry]));
        shown.extend(self.requests.iter().map(|one| one.entry));
        shown.extend(self.contacts.iter().map(|one| one.entry));
        let beside: Vec<u32> =
            shown.iter().flat_map(|entry| self.corrections.of(*entry)).map(|one| one.number).collect();
        self.corrections.kept.iter().filter(|one| !beside.contains(&one.number)).collect()
    }

    /// Changes of which something may have ended the harm: those that were not dropped.
    pub fn may_have_helped(&self) -> impl Iterator<Item = &Action> {
        let dropped = |action: &&Action| action.end().is_some_and(|(how, _)| how == End::Dropped);
        self.in_flight.iter().chain(&self.made).filter(move |action| !dropped(action))
    }
}

/// Of what is over nothing is waited for, whatever was said while it was not.
fn promises(incident: &Incident) -> Vec<Promise> {
    if !incident.is_open() {
        return Vec::new();
    }
    let board = &incident.board;
    let update =
        incident.next_update_by.map(|at| Promise { at, what: "the next internal update".to_owned() });
    let tasks = board.open_tasks().filter_map(|task| {
        let what = format!("{}: {} (task {})", task.person, task.what, task.number);
        Some(Promise { at: task.limit?, what })
    });
    let contacts = board.contacts.iter().filter(|contact| !contact.closed).filter_map(|contact| {
        Some(Promise { at: contact.promised?, what: format!("{} calls back", contact.body) })
    });
    let arrivals = incident
        .responders
        .iter()
        .filter_map(|one| Some(Promise { at: one.eta?, what: format!("{} is at a keyboard", one.person) }));
    let mut all: Vec<Promise> = update.into_iter().chain(tasks).chain(contacts).chain(arrivals).collect();
    all.sort_by_key(|promise| promise.at);
    all
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::core::decide::{Act, Bid, By, Write, decide};
    use crate::core::escalation::Staff;
    use crate::core::next_step::stories::{begun, house};
    use crate::core::stories::begin;
    use crate::core::timeline::{Actor, Route};

    #[test]
    fn a_brief_has_every_section_and_an_act_that_moves_the_situation_makes_it_an_old_one() {
        let rules = house();
        let mut incident = begun(&rules);
        let mut does = |who: &str, act: Act| {
            let by = By { actor: Actor::Person(who.into()), route: Route::Api, occurred_at: None };
            let now = begin() + SignedDuration::from_mins(1);
            incident = decide(&incident, act, &by, Staff::as_configured(&rules), now).unwrap().incident;
            incident.clone()
        };
        let board = |write| Act::Board(write);
        does("maya", Act::CheckIn);
        does("tom", Act::CheckIn);
        does("maya", board(Write::SizeUp { text: "checkout is down".into() }));
        does("maya", board(Write::Objective { text: "orders go through".into(), term: 1 }));
        let limit = Some(begin() + SignedDuration::from_mins(30));
        let (person, what) = ("tom".to_owned(), "look at the load balancer".to_owned());
        does("maya", board(Write::Task { person, what, limit, term: 1 }));
        let found = |component: &str, ok| {
            board(Write::Find { component: component.into(), ok, text: String::new(), known_at: None })
        };
        does("tom", found("vpn", true));
        does("tom", found("lb1", false));
        does("maya", Act::Command(Bid::Offer { to: "tom".into(), term: 1, reason: "rest".into() }));
        let before = Brief::of(&does("tom", Act::Note { text: "hm".into() }), &Meeting::default(), &[]);
        assert_eq!(before.commander.as_ref().unwrap().person, "maya");
        assert_eq!(before.situation.size_up.as_ref().unwrap().text, "checkout is down");
        assert_eq!(before.objective.as_ref().unwrap().text, "orders go through");
        let parts = |found: &[Finding]| found.iter().map(|one| one.component.clone()).collect::<Vec<_>>();
        assert_eq!(
            (parts(&before.situation.ruled_out), parts(&before.situation.bad)),
            (vec!["vpn".into()], vec!["lb1".into()])
        );
        let promised: Vec<&str> = before.promises.iter().map(|promise| promise.what.as_str()).collect();
        assert!(promised.contains(&"tom: look at the load balancer (task 1)"), "{promised:?}");
        assert!(before.promises.is_sorted_by_key(|promise| promise.at));
        assert_eq!(before.organisation.len(), Office::ALL.len());
        assert_eq!(before.people.len(), 2);
        let act = Write::Action { what: "restart".into(), place: "lb1".into(), undo: "start".into() };
        let after = Brief::of(&does("tom", board(act)), &Meeting::default(), &[]);
        assert_eq!(after.in_flight.len(), 1);
        assert!(after.number > before.number, "{} {}", after.number, before.number);
        assert_eq!(after.may_have_helped().count(), 1);
    }
}
