//! A load balancer takes forty checks of the sites behind it with it: whatever the order in which three monitoring systems say
//! so, however often, and however late, within the settle time of the first and the window of their services, it is one
//! incident that names the load balancer, and one page to each of its people.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::escalation::Horizon;
use crate::core::rules::Target;
use crate::house::House;
use crate::store::incidents;

/// Checks of the sites.
const SITES: usize = 40;
/// Checks of a database that has nothing to do with it, and fails in the same night.
const OTHERS: usize = 5;
/// The load balancer's own.
const CAUSE: usize = SITES + OTHERS;
/// Shorter than the settle time of the first symptom.
const SETTLE_S: i64 = 29;
/// Shorter than the window, and than people have to answer.
const WINDOW_S: i64 = 290;

/// One thing that is said.
#[derive(Clone, Debug)]
struct Said {
    check: usize,
    /// When it comes, in seconds.
    at: i64,
    /// So many seconds before that a node heard it, and held it.
    held: Option<i64>,
    /// It comes in one transaction with what comes before it at the same moment.
    together: bool,
}

impl Said {
    fn service(&self) -> &'static str {
        match self.check {
            CAUSE => "lb",
            SITES.. => "db",
            even if even % 2 == 0 => "shop",
            _ => "blog",
        }
    }

    fn source(&self) -> &'static str {
        if self.check == CAUSE { "keepalived" } else { ["pingdom", "prometheus", "zabbix"][self.check % 3] }
    }

    fn delivered(&self, now: Timestamp) -> Command {
        let mut event = Event::new(format!("check-{}", self.check), Status::Firing, "it is down");
        event.severity = Some(AlertSeverity::Error);
        // One of the three says which belong together.
        event.group = (self.source() == "prometheus").then(|| "{job=\"sites\"}".to_owned());
        Command::Events(Delivered {
            source: self.source().into(),
            kind: "generic".into(),
            service: self.service().into(),
            events: vec![event],
            received_at: now - SignedDuration::from_secs(self.held.unwrap_or(0)),
            replays: None,
            held: self.held.is_some(),
        })
    }
}

/// Every check fails once, and half of them are said again, in any order within a time.
fn night(within: i64) -> impl Strategy<Value = Vec<Said>> {
    let said =
        (0..=within, prop::option::of(0..=within), prop::option::weighted(0.2, 0..60_i64), any::<bool>());
    prop::collection::vec(said, CAUSE + 1).prop_map(|all| {
        let mut night = Vec::new();
        for (check, (at, again, held, together)) in all.into_iter().enumerate() {
            night.push(Said { check, at, held, together });
            night.extend(again.map(|at| Said { check, at, held: None, together }));
        }
        let symptoms = night.iter().filter(|said| said.check < SITES);
        let latest = symptoms.map(|said| said.at).min().unwrap_or(0) + SETTLE_S;
        // The cause is said for the first time before the first symptom has waited in vain.
        if night.iter().all(|said| said.check != CAUSE || said.at > latest) {
            night.iter_mut().filter(|said| said.check == CAUSE).for_each(|said| said.at %= latest + 1);
        }
        night.sort_by_key(|said| said.at);
        night
    })
}

/// Two people are woken for the load balancer, one for everything else.
fn story() -> Story {
    let story = Story::new();
    let mut rules = super::stories_causes::rules();
    let first = &mut rules.policies.get_mut("network").unwrap().steps[0];
    first.page.push(Target::Person("kim".into()));
    rules.storm = None;
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story
}

impl Story {
    fn everything_due_is_done(&mut self) {
        let horizon = Horizon::of(&self.committer.house.get().rules);
        for (incident, _) in self.look(|tx| incidents::due(tx, &horizon, 100)) {
            self.tick(incident);
        }
    }

    fn hour_is(&self, hour: Timestamp) {
        self.clock.forward(hour.duration_since(self.clock.now()).max(SignedDuration::ZERO));
    }

    fn a_night_passes(&mut self, night: &[Said]) {
        let began = self.clock.now();
        let mut rest = night;
        while let Some((first, more)) = rest.split_first() {
            let with = more.iter().take_while(|said| said.together && said.at == first.at).count();
            let (now, later) = rest.split_at(1 + with);
            rest = later;
            self.hour_is(began + SignedDuration::from_secs(first.at));
            self.everything_due_is_done();
            let heard = self.clock.now();
            for answer in self.ask_all(now.iter().map(|said| said.delivered(heard)).collect()) {
                answer.unwrap();
            }
        }
        self.hour_is(began + SignedDuration::from_secs(WINDOW_S + 1));
        self.everything_due_is_done();
    }

    /// Which services belong together, in how many incidents that are open.
    fn parts(&mut self) -> Vec<BTreeSet<String>> {
        let sql = "select incident.id, alert.service from alert join incident on incident.id = alert.incident
             where incident.phase <> 'resolved' and alert.status = 'firing'";
        let all = self.look(|tx| tx.query(sql, &[], |row| Ok((row.int(0)?, row.text(1)?))));
        let mut parts = std::collections::BTreeMap::<i64, BTreeSet<String>>::new();
        for (id, service) in all {
            parts.entry(id).or_default().insert(service);
        }
        let mut parts: Vec<BTreeSet<String>> = parts.into_values().collect();
        parts.sort();
        parts
    }
}

fn ends_in_one_incident_and_one_page_each(night: &[Said]) -> Result<(), TestCaseError> {
    let mut story = story();
    story.a_night_passes(night);
    let of = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();
    prop_assert_eq!(story.parts(), [of(&["blog", "lb", "shop"]), of(&["db"])]);
    let open = "select id from incident where phase <> 'resolved' order by leads";
    let open = story.look(|tx| tx.query(open, &[], |row| row.int(0)));
    prop_assert_eq!(open.len(), 2, "one for the database, one for the load balancer");
    let network = story.look(|tx| incidents::load(tx, open[1])).unwrap().incident;
    let all = u32::try_from(SITES + 1).unwrap();
    prop_assert_eq!((network.leads(), network.alerts, network.firing), ("lb", all, all));
    let mut woken = Story::told(&story.claim(""));
    woken.retain(|told| told.starts_with("page"));
    woken.sort();
    prop_assert_eq!(woken, ["page kim", "page maya", "page tom"]);
    // Nobody was to be woken either for what became part of it.
    let paged = story
        .look(|tx| tx.query_one("select count(*) from entry where kind = 'paged'", &[], |row| row.int(0)));
    prop_assert_eq!(paged, Some(3));
    story.proves_whole();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_of_it_within_the_settle_time(night in night(SETTLE_S)) {
        ends_in_one_incident_and_one_page_each(&night)?;
    }

    #[test]
    fn spread_over_the_window(night in night(WINDOW_S)) {
        ends_in_one_incident_and_one_page_each(&night)?;
    }
}

/// One after the other, from each of them on, forwards and backwards.
#[test]
fn whichever_check_is_the_first_or_the_last() {
    for first in (0..=CAUSE).step_by(3) {
        for step in [1, CAUSE] {
            let order = (0..=CAUSE).map(|place| (first + place * step) % (CAUSE + 1));
            let night: Vec<Said> = order
                .enumerate()
                .map(|(place, check)| Said {
                    check,
                    at: i64::try_from(place).unwrap() * SETTLE_S / i64::try_from(CAUSE).unwrap(),
                    held: None,
                    together: place % 2 == 1,
                })
                .collect();
            ends_in_one_incident_and_one_page_each(&night).unwrap();
        }
    }
}
