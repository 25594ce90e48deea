//! The delivery drill on the page `/oncall`: when the next one is, and who has not answered the last.

use jiff::tz::TimeZone;
use minijinja::{Value, context};

use crate::core::delivery_drill::State;
use crate::core::rules::Rules;
use crate::render::{full_name, tried};
use crate::store::drills::{Seen, Taking, Tried};

/// What the page shows of it; nothing where there is no drill and never was one.
pub(super) fn shown(rules: &Rules, seen: &Seen) -> Option<Value> {
    if seen.next.is_none() && seen.last.is_none() && seen.skipped.is_none() {
        return None;
    }
    let zone = rules.delivery_drill.as_ref().and_then(|plan| plan.time_zone.clone()).unwrap_or(TimeZone::UTC);
    let hour = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string();
    let of = |state: State| seen.people.iter().filter(|one| one.state == state).count();
    let (answered, missed, asked) = (of(State::Answered), of(State::Missed), of(State::Asked));
    let is_over = seen.last.as_ref().is_some_and(|last| last.state == "over");
    // Who answered, and by whom nothing failed, is a number.
    let is_told = |one: &&Taking| match one.state {
        State::Answered => one.ways.iter().any(Tried::failed),
        State::Asked => !is_over,
        _ => true,
    };
    let people: Vec<Value> = seen
        .people
        .iter()
        .filter(is_told)
        .map(|one| {
            let words = match one.state {
                State::Waits => format!("is asked {}", hour(one.due_at)),
                State::Asked => format!("may answer until {}", hour(one.due_at)),
                State::Answered => "has answered, and a way failed".to_owned(),
                State::Missed => "no answer".to_owned(),
                State::Away => "on leave".to_owned(),
                State::Late => "not asked: no daemon was there at their hour".to_owned(),
                State::Gone => "not known any more".to_owned(),
            };
            let is_tried = matches!(one.state, State::Asked | State::Answered | State::Missed);
            let late = one.answered_at.filter(|_| one.state == State::Missed);
            let words = late.map_or(words, |at| format!("answered too late, {}", hour(at)));
            context! {
                name => full_name(rules, &one.person), words, missed => one.state == State::Missed && late.is_none(),
                ways => is_tried.then(|| tried(one)),
            }
        })
        .collect();
    Some(context! {
        next => seen.next.as_ref().map(|next| hour(next.at)),
        skipped => seen.skipped.as_ref().map(|one| context! { at => hour(one.at), why => one.why.as_deref() }),
        last => seen.last.as_ref().map(|last| context! {
            at => hour(last.at), over => is_over, answered, asked => answered + missed + asked,
            by => last.asked_by.as_deref().map(|by| full_name(rules, by)),
        }),
        people,
    })
}
