//! What was told to the public, out of the store: what went out, as it was approved, and nothing else of any incident.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use crate::core::audience::Audience;
use crate::core::incident::Incident;
use crate::core::rules::Rules;
use crate::core::voice::{Impact, Sort, Statement};
use crate::crypto;
use crate::house::House;
use crate::public::{Component, DAYS, Planned, PublicIncident, PublicStatement, Said, Shown, newest_word};
use crate::render::statement_id;
use crate::store::{StoreError, Tx, statements, tokens};

/// Most incidents of the last days.
const INCIDENTS_MAX: u32 = 500;
/// Announced work is shown so far ahead, and so often at most, of each window; of what is over, the bars know.
const PLANNED_AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);
const AHEAD_MAX: usize = 3;
const PAST_MAX: usize = 200;
/// What else is signed with the same key says something else here.
const PURPOSE: &[u8] = b"onscene public key 1\0";
/// Digits of a key.
const KEY_DIGITS: usize = 16;

/// What is shown now; nothing where there is no public page. `since`: since when components without a history are known.
pub(super) fn shown(tx: &Tx<'_>, house: &House) -> Result<Option<Shown>, StoreError> {
    let Some(public) = &house.public else { return Ok(None) };
    let rules = &house.rules;
    let days = SignedDuration::from_hours(24 * i64::try_from(DAYS).unwrap_or(90));
    let from = tx.now.saturating_sub(days).unwrap_or(Timestamp::MIN);
    let keys = Keys(tokens::answer_key(tx)?);
    let told = statements::told_since(tx, Audience::Public, from, INCIDENTS_MAX)?;
    let incidents = told.iter().filter_map(|incident| of_incident(incident, &keys)).collect();
    let since = statements::store_since(tx)?.unwrap_or(tx.now);
    Ok(Some(Shown {
        title: public.title.clone(),
        url: public.url.clone(),
        contact: public.contact.clone(),
        subscribe: house
            .list
            .as_ref()
            .filter(|list| list.takes)
            .map(|list| format!("{}/subscribe", list.url)),
        made_at: tx.now,
        components: components(rules, since),
        incidents,
        maintenance: planned(rules, &keys, (from, tx.now)),
    }))
}

/// What readers know by a name, in the order of the services' names.
fn components(rules: &Rules, since: Timestamp) -> Vec<Component> {
    let mut seen = BTreeSet::new();
    let names = rules.services.values().filter_map(|service| service.public_name.as_deref());
    let new = names.filter(|name| seen.insert(*name));
    new.map(|name| Component { name: name.to_owned(), since }).collect()
}

/// Makes what stands in addresses: nobody outside can tell how many incidents there were.
struct Keys(secrecy::SecretString);

impl Keys {
    fn of(&self, what: &str) -> String {
        let parts = [PURPOSE, what.as_bytes()];
        let whole = crypto::hex(&crypto::hmac_sha256(self.0.expose_secret().as_bytes(), &parts));
        whole.chars().take(KEY_DIGITS).collect()
    }

    fn of_statement(&self, incident: i64, number: u32) -> String {
        self.of(&format!("statement {}", statement_id(incident, number)))
    }
}

fn of_incident(incident: &Incident, keys: &Keys) -> Option<PublicIncident> {
    let voice = &incident.voice;
    let told: Vec<&Statement> = voice.published(Audience::Public).collect();
    let last = &told.last()?.wording;
    let statements: Vec<PublicStatement> = told.iter().map(|one| of_statement(incident, one, keys)).collect();
    // What is taken back says nothing of how it is, nor what it is called. That it is over is told by who speaks, and not by us.
    let word = newest_word(&statements);
    let (components, impact, phase, ended) = match &word {
        Some(word) => {
            let over = incident.resolution().map_or(word.said.at, |(_, at)| at);
            let ended = (word.said.sort == Sort::Closing && word.is_over()).then_some(over);
            (word.holds.components.clone(), word.holds.impact, word.phase(), ended)
        }
        // All of it was taken back: readers are told of nothing that is wrong.
        None => (last.components.clone(), Impact::None, last.phase, None),
    };
    Some(PublicIncident {
        key: keys.of(&format!("incident {}", incident.id)),
        title: voice.title(Audience::Public, None).unwrap_or(&last.title).to_owned(),
        components,
        impact,
        phase,
        began: incident.opened_at,
        ended,
        statements,
    })
}

fn of_statement(incident: &Incident, one: &Statement, keys: &Keys) -> PublicStatement {
    let wording = &one.wording;
    let taken_back = incident
        .voice
        .published(Audience::Public)
        .find(|other| other.wording.sort == Sort::Retraction && other.wording.mends == Some(one.number));
    let mends = wording.mends.and_then(|number| {
        let at = incident.voice.statement(number)?.published_at()?;
        Some((keys.of_statement(incident.id, number), at))
    });
    PublicStatement {
        id: statement_id(incident.id, one.number),
        key: keys.of_statement(incident.id, one.number),
        sort: wording.sort,
        phase: wording.phase,
        impact: wording.impact,
        components: wording.components.clone(),
        said: match taken_back.and_then(Statement::published_at) {
            Some(at) => Said::Retracted { at },
            None => Said::Text(one.printed()),
        },
        at: one.published_at().unwrap_or(one.at),
        next_by: wording.next_by,
        mends,
    }
}

/// Work that was announced: of windows that have words for the public.
fn planned(rules: &Rules, keys: &Keys, (from, now): (Timestamp, Timestamp)) -> Vec<Planned> {
    let until = now.saturating_add(PLANNED_AHEAD).unwrap_or(Timestamp::MAX);
    let announced = rules.maintenance.iter().filter_map(|window| Some((window, window.announce.as_deref()?)));
    let all = announced.flat_map(|(window, text)| {
        let names: BTreeSet<&str> = window
            .services
            .iter()
            .filter_map(|service| rules.services.get(service)?.public_name.as_deref())
            .collect();
        let components: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let title = format!("{}: planned maintenance", components.join(", "));
        let mut times = window.between(from, now, PAST_MAX);
        times.extend(window.between(now, until, AHEAD_MAX));
        times.dedup();
        if components.is_empty() {
            times.clear();
        }
        times.into_iter().map(move |open| Planned {
            key: keys.of(&format!("maintenance {} {}", window.name, open.from)),
            title: title.clone(),
            components: components.clone(),
            from: open.from,
            to: open.until,
            text: text.to_owned(),
        })
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::incident::Severity;
    use crate::core::timeline::{Actor, Entry, Fact, Route};
    use crate::core::voice::{Impact, Phase, Right, Stage, Wording};
    use crate::public::{State, lines};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_400_000 + minute * 60).unwrap()
    }

    /// What went out in a minute: of what sort, how far, how bad, and what it mends.
    type Told = (i64, Sort, Phase, Impact, Option<u32>);

    fn statement(number: u32, (minute, sort, phase, impact, mends): Told) -> Statement {
        let wording = Wording {
            audience: Audience::Public,
            sort,
            phase,
            impact,
            title: "Online shop: payments fail".into(),
            text: "...".into(),
            components: vec!["Online shop".into()],
            next_by: None,
            mends,
            channels: Vec::new(),
        };
        let stage = Stage::Published { at: at(minute), by: "maya".into(), right: Right::Commander };
        Statement {
            number,
            wording,
            by: "maya".into(),
            at: at(minute),
            entry: number,
            found: Vec::new(),
            overrides: Vec::new(),
            stage,
            reached: Vec::new(),
        }
    }

    /// How the page shows an incident that began at the first minute, an hour later.
    fn told(statements: &[Told]) -> (PublicIncident, Shown) {
        let fact = Fact::Opened {
            title: "x".into(),
            service: "shop".into(),
            severity: Severity::Sev1,
            group: None,
            declared: true,
        };
        let (actor, route) = (Actor::Dispatch, Route::Api);
        let entry =
            Entry { seq: 1, at: at(0), occurred_at: at(0), actor, office: None, term: None, route, fact };
        let mut incident = Incident::open(42, &entry).unwrap();
        incident.voice.statements =
            (1..).zip(statements).map(|(number, one)| statement(number, *one)).collect();
        let incident = of_incident(&incident, &Keys("a key of tests".into())).unwrap();
        let shown = Shown {
            title: "Status".into(),
            url: None,
            contact: None,
            subscribe: None,
            made_at: at(60),
            components: vec![Component { name: "Online shop".into(), since: at(-600) }],
            incidents: vec![incident.clone()],
            maintenance: Vec::new(),
        };
        (incident, shown)
    }

    const BEGAN: Told = (0, Sort::Update, Phase::Investigating, Impact::Critical, None);
    const OVER: Told = (20, Sort::Closing, Phase::Resolved, Impact::None, None);

    #[test]
    fn who_says_that_it_is_not_over_after_all_is_believed() {
        let (incident, shown) = told(&[BEGAN, OVER]);
        assert_eq!((incident.ended, shown.state()), (Some(at(20)), State::Operational));
        let not_over = (30, Sort::Correction, Phase::Investigating, Impact::Critical, Some(2));
        let (incident, shown) = told(&[BEGAN, OVER, not_over]);
        assert_eq!((incident.ended, incident.is_open()), (None, true));
        assert_eq!((incident.phase, incident.impact), (Phase::Investigating, Impact::Critical));
        assert_eq!(shown.state(), State::MajorOutage);
        assert_eq!((lines(&shown)[0].state, lines(&shown)[0].since), (State::MajorOutage, Some(at(0))));
        // It was over in the end.
        let (incident, shown) = told(&[BEGAN, OVER, not_over, (40, OVER.1, OVER.2, OVER.3, None)]);
        assert_eq!((incident.ended, shown.state()), (Some(at(40)), State::Operational));
        // And a slip of the pen in what says that it is over leaves it over, from when that was said.
        let slip = (30, Sort::Correction, Phase::Resolved, Impact::None, Some(2));
        let (incident, shown) = told(&[BEGAN, OVER, slip]);
        assert_eq!((incident.ended, shown.state()), (Some(at(20)), State::Operational));
    }

    #[test]
    fn a_correction_of_what_was_said_before_ends_nothing_and_begins_nothing() {
        for (late, ended) in [(&[BEGAN, OVER][..], Some(at(20))), (&[BEGAN][..], None)] {
            for phase in [Phase::Investigating, Phase::Resolved] {
                let correction = (30, Sort::Correction, phase, Impact::Minor, Some(1));
                let (incident, shown) = told(&[late, &[correction]].concat());
                assert_eq!((incident.ended, incident.is_open()), (ended, ended.is_none()), "{phase:?}");
                let state = if ended.is_some() { State::Operational } else { State::Degraded };
                assert_eq!(shown.state(), state, "{phase:?}");
            }
        }
        // That it is over was taken back.
        let taken_back = (30, Sort::Retraction, Phase::Investigating, Impact::Critical, Some(2));
        let (incident, shown) = told(&[BEGAN, OVER, taken_back]);
        assert_eq!((incident.ended, shown.state()), (None, State::MajorOutage));
    }
}
