//! `[delivery_drill]`: when people are tried whether pages reach them. Without the table nobody is, unless somebody asks for it.

use super::people::{targets, time_zone};
use super::read::{Reading, Table};
use super::rotations::handover;
use crate::core::delivery_drill::{ANSWER_MAX, ANSWER_MIN, Plan};
use crate::core::rules::Rules;

pub(super) fn plan(root: &mut Table<'_>, reading: &mut Reading, rules: &Rules) -> Option<Plan> {
    let mut table = root.table(reading, "delivery_drill")?;
    let mut plan = Plan::default();
    if let Some(at) = table.text(reading, "at") {
        match handover(&at.value) {
            Some((Some(day), time)) => (plan.day, plan.time) = (day, time),
            _ => reading.errors.add(at.span, "`at` is a day of the week and an hour, such as \"Tue 10:00\""),
        }
    }
    plan.time_zone = table.text(reading, "time_zone").and_then(|zone| time_zone(reading, &zone));
    if let Some(within) = table.duration(reading, "answer_within") {
        if (ANSWER_MIN..=ANSWER_MAX).contains(&within.value) {
            plan.answer_within = within.value;
        } else {
            reading.errors.add(within.span, "`answer_within` is from 10s to 72h");
        }
    }
    let faults = reading.errors.count();
    plan.page = targets(&mut table, reading, rules, "page");
    if table.has("page") && plan.page.is_empty() && reading.errors.count() == faults {
        let what =
            "`page` names nobody; leave it out for everybody whom a rotation, a policy or a service names";
        reading.errors.add(table.place("page"), what);
    }
    // Whoever misses it is reported to somebody, or it is of no use.
    if !rules.people.values().any(|person| person.administrator && !person.email.is_empty()) {
        let what = "[delivery_drill] needs somebody who hears of those that did not answer: no [[person]] with an `email` has \
                    `administrator = true`";
        reading.errors.add(table.span.clone(), what);
    }
    table.end(reading);
    Some(plan)
}
