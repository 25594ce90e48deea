//! The delivery drill, inside the transaction: see `core/delivery_drill.rs` for what is decided.
//!
//! The worker of deadlines asks for a look when an hour has come. Whatever it thinks, it is decided here against the store, so of
//! nodes that ask at the same moment only the first finds something to do. Tests leave as those of `onscene oncall test`
//! do. When nobody is awaited any more the drill is over, and whoever administers the house is told of those that did not
//! answer and of ways that failed, in the same transaction and so once.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::acts::Work;
use super::outbox::To;
use super::{DoorError, Reply};
use crate::core::decide::Refusal;
use crate::core::delivery_drill::{Plan, State, Step, Turn, is_too_far, people, step, turn};
use crate::core::oncall::Roster;
use crate::house::House;
use crate::store::drills::{self, Drill, Open, Taking};
use crate::store::letters::Kind;
use crate::store::{StoreError, Tx, nodes};

/// After so long somebody is looked at again whom only another node may know.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// Who asked for the tests of a drill of a week.
const ASKED_BY: &str = "delivery drill";

/// What is asked about drills.
#[derive(Debug)]
pub enum Drilling {
    /// An hour may have come.
    Look,
    /// Somebody wants one now.
    Now {
        /// Who.
        asked_by: String,
    },
}

/// Whether there is anything to do about drills now, and the next hour at which there is.
///
/// # Errors
/// What the engine says.
pub fn drill_due(
    tx: &Tx<'_>,
    house: &House,
    roster: &Roster,
) -> Result<(bool, Option<Timestamp>), StoreError> {
    let open = drills::open(tx)?;
    let running = open.running.as_ref().map(|(_, due)| due.unwrap_or(tx.now));
    let is_due = open.never_was
        || running.is_some_and(|due| due <= tx.now)
        || next_step(tx, house, roster, &open)? != Step::Nothing;
    let planned = open.planned.as_ref().map(|planned| planned.at);
    Ok((is_due, planned.into_iter().chain(running).filter(|at| *at > tx.now).min()))
}

/// What there is to do about the drill of a week. While nodes run with different configurations, each would write down another
/// next hour: that is left until they agree.
fn next_step(tx: &Tx<'_>, house: &House, roster: &Roster, open: &Open) -> Result<Step, StoreError> {
    let rules = &house.rules;
    let next = rules.delivery_drill.as_ref().and_then(|plan| plan.next(rules, roster, &open.had, tx.now));
    let planned = open.planned.as_ref().and_then(Drill::occasion);
    let step = step(planned.as_ref(), next.as_ref(), open.running.is_some(), tx.now);
    let differs = planned.is_some_and(|planned| !is_too_far(&planned, tx.now));
    Ok(match step {
        Step::Plan(_) if differs && !nodes::agree(tx, &house.config_hash)? => Step::Nothing,
        step => step,
    })
}

impl Work<'_, '_> {
    pub(super) fn drill(&mut self, asked: &Drilling) -> Result<Result<Reply, DoorError>, StoreError> {
        match asked {
            Drilling::Look => Ok(Ok(Reply::Looked(self.look_at_drill()?))),
            Drilling::Now { asked_by } => self.drill_now(asked_by),
        }
    }

    /// Begins a drill that somebody wants. Answers its number.
    fn drill_now(&mut self, asked_by: &str) -> Result<Result<Reply, DoorError>, StoreError> {
        let open = drills::open(self.tx)?;
        if let Some((drill, _)) = open.running.filter(|_| !open.never_was) {
            let why =
                format!("drill {} is under way: onscene oncall drill shows who is awaited", drill.number);
            return Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        }
        let plan = self.house.rules.delivery_drill.clone().unwrap_or_default();
        let roster = self.memory.roster(self.tx)?;
        if people(&plan, &self.house.rules, &roster).is_empty() {
            let why = "nobody takes part: no rotation, policy or service names anybody".to_owned();
            return Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        }
        let number = drills::put_asked(self.tx, plan.answer_within, asked_by)?;
        self.put_people(&plan, number, None)?;
        tracing::info!(
            drill = number,
            by = asked_by,
            "a delivery drill begins, because somebody asked for it"
        );
        self.effects.set_hour();
        Ok(Ok(Reply::Drilled(number)))
    }

    /// Does what there is to do; whether there was anything.
    fn look_at_drill(&mut self) -> Result<bool, StoreError> {
        let now = self.tx.now;
        let open = drills::open(self.tx)?;
        if open.never_was {
            drills::put_right(self.tx)?;
            return Ok(true);
        }
        let roster = self.memory.roster(self.tx)?;
        let plan = self.house.rules.delivery_drill.as_ref();
        let answer = plan.map_or(SignedDuration::ZERO, |plan| plan.answer_within);
        let planned = open.planned.as_ref().and_then(Drill::occasion);
        let did = match (next_step(self.tx, self.house, &roster, &open)?, planned, plan) {
            (Step::Plan(next), ..) => {
                drills::plan(self.tx, next.as_ref(), answer)?;
                true
            }
            (Step::Begin, Some(planned), Some(plan)) => {
                let number = drills::begin(self.tx, &planned, answer)?;
                let count = self.put_people(plan, number, Some(planned.date))?;
                tracing::info!(
                    drill = number,
                    week = planned.week,
                    people = count,
                    "the delivery drill begins"
                );
                true
            }
            (Step::Skip(why), Some(planned), _) => {
                drills::skip(self.tx, &planned, why.as_str())?;
                let why = why.as_str();
                tracing::warn!(week = planned.week, why, "there is no delivery drill in this week");
                true
            }
            _ => false,
        };
        if did {
            self.effects.set_hour();
            return Ok(true);
        }
        match open.running {
            Some((drill, due)) if due.is_none_or(|due| due <= now) => {
                self.look_at_people(&drill).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// Writes down who takes part; how many they are.
    fn put_people(&mut self, plan: &Plan, drill: i64, date: Option<Date>) -> Result<usize, StoreError> {
        let roster = self.memory.roster(self.tx)?;
        let rules = &self.house.rules;
        let all = people(plan, rules, &roster);
        for (place, name) in all.iter().enumerate() {
            let Some(person) = rules.people.get(name) else { continue };
            drills::put_person(self.tx, drill, name, plan.asks_at(person, date, place, self.tx.now))?;
        }
        Ok(all.len())
    }

    /// Asks the first of those whose hour has come, and ends what is over. The others are asked a moment later each, so that a page
    /// that is meant waits behind no crowd of tests.
    fn look_at_people(&mut self, drill: &Drill) -> Result<(), StoreError> {
        let (now, house) = (self.tx.now, self.house);
        let roster = self.memory.roster(self.tx)?;
        let agree = nodes::agree(self.tx, &house.config_hash)?;
        let mut asked = false;
        for (name, state, due_at) in drills::due(self.tx, drill.number)? {
            let of = (drill.number, name.as_str());
            let person = house.rules.people.get(&name);
            match (turn(state, person, roster.is_away(&name, now), due_at, now), person) {
                (Turn::Ask, Some(_)) if asked => {}
                (Turn::Ask, Some(person)) => {
                    let until = now.saturating_add(drill.answer_within).unwrap_or(Timestamp::MAX);
                    let asked_by = drill.asked_by.as_deref().unwrap_or(ASKED_BY);
                    match self.try_ways(&name, person, asked_by, Some(until))? {
                        Some(page) => {
                            asked = true;
                            drills::stands(self.tx, of, State::Asked, until, Some(page))?;
                        }
                        // Nobody can reach them: there is nothing to wait for.
                        None => drills::stands(self.tx, of, State::Missed, now, None)?,
                    }
                }
                // Another node may have a newer configuration, which knows them.
                (Turn::Ends(State::Gone), None) if !agree => {
                    let again = now.saturating_add(AGAIN).unwrap_or(now);
                    drills::stands(self.tx, of, state, again, None)?;
                }
                (Turn::Wait(until), _) => drills::stands(self.tx, of, state, until, None)?,
                (Turn::Ends(state), _) => drills::stands(self.tx, of, state, due_at, None)?,
                (Turn::Ask, None) => drills::stands(self.tx, of, State::Gone, due_at, None)?,
            }
        }
        self.effects.set_hour();
        let is_over = drills::open(self.tx)?.running.is_some_and(|(_, due)| due.is_none());
        if is_over { self.end_drill(drill) } else { Ok(()) }
    }

    /// Nobody is awaited any more.
    fn end_drill(&mut self, drill: &Drill) -> Result<(), StoreError> {
        let house = self.house;
        let people = drills::people(self.tx, drill.number)?;
        let missed = people.iter().filter(|one| one.state == State::Missed).count();
        let failed = people.iter().any(|one: &Taking| one.ways.iter().any(drills::Tried::failed));
        drills::over(self.tx, drill.number, missed)?;
        tracing::info!(
            drill = drill.number,
            people = people.len(),
            missed,
            failed,
            "the delivery drill is over"
        );
        if missed == 0 && !failed {
            return Ok(());
        }
        let told = house.rules.people.iter().filter(|(_, one)| one.administrator && !one.email.is_empty());
        let mut count = 0;
        for (name, person) in told {
            let words = house.renderer.drill_report(name, &house.rules, drill, &people);
            let to = To { person: name, channel: "", address: &person.email };
            self.write(0, Kind::Notice, &to, &words, (None, SignedDuration::ZERO))?;
            count += 1;
        }
        if count == 0 {
            tracing::warn!(
                drill = drill.number,
                "no administrator has an address: nobody is told who did not answer"
            );
        }
        Ok(())
    }
}
