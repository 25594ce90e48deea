//! `GET /silences`: what people are told who are woken; what wakes nobody now, until when, who said so and why, and which alerts
//! that holds. While the store is away, that last part is not known.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context};

use super::me::Looks;
use super::{Both, unreadable};
use crate::core::condition::Condition;
use crate::core::maintenance::{Open, Window, marked};
use crate::core::rules::Rules;
use crate::core::silence::{Silence, State as Life};
use crate::http::api::view;
use crate::render::{full_name, hour};
use crate::store::alerts::Shown;
use crate::store::sight::Seen;
use crate::store::silences::{self, Which};
use crate::store::{StoreError, Tx, conditions, held};

/// Most silences shown.
const SILENCES_SHOWN: u32 = 300;
/// Most alerts shown of what holds them, and of all together.
const ALERTS_SHOWN: u32 = 20;
const ALERTS_SHOWN_ALL: usize = 500;
/// Most times of maintenance shown, and how far ahead.
const WINDOWS_SHOWN: usize = 100;
const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What was read of everything that holds alerts back, and of what is known.
struct Held {
    conditions: Vec<Condition>,
    silences: Vec<Silence>,
    /// By what holds them: how many alerts, and the newest of them.
    alerts: BTreeMap<String, (i64, Vec<Shown>)>,
    now: Timestamp,
}

impl Held {
    fn read(tx: &Tx<'_>) -> Result<Self, StoreError> {
        let mut alerts = BTreeMap::new();
        let mut left = ALERTS_SHOWN_ALL;
        for (by, count) in held::each(tx)? {
            let most = ALERTS_SHOWN.min(u32::try_from(left).unwrap_or(ALERTS_SHOWN));
            let some = if most == 0 { Vec::new() } else { held::by(tx, &by, most)? };
            left = left.saturating_sub(some.len());
            alerts.insert(by, (count, some));
        }
        let mut silences = silences::list(tx, Which::Open, SILENCES_SHOWN)?;
        // Those that begin later come after those that are in force; each the first to end first.
        silences.sort_by_key(|one| (one.state(tx.now) == Life::Pending, one.ends_at));
        let mut conditions = conditions::open(tx)?;
        conditions.sort_by_key(|one| (one.state(tx.now) == Life::Pending, one.ends_at));
        Ok(Self { conditions, silences, alerts, now: tx.now })
    }
}

/// `GET /silences`
pub(in super::super) async fn page(State((desk, pages)): Both, Looks(me): Looks) -> Response {
    let Seen { value: mut found, as_of } = match desk.sight.or_last(Held::read).await {
        Ok(seen) => seen,
        Err(error) => return unreadable(&pages, &error),
    };
    if as_of.is_some() {
        // A copy has few of them.
        found.alerts.clear();
    }
    let rules = desk.house.get().rules.clone();
    let total: i64 = found.alerts.values().map(|(count, _)| count).sum();
    let values = context! {
        reader => me.shown(&rules), conditions => of_conditions(&found, &rules), total, silences => of_silences(&found, &rules), windows => of_windows(&found, &rules), others => others(&found),
    };
    pages.page_of(StatusCode::OK, "silences.html", values, desk.stale(as_of), &TimeZone::UTC)
}

/// What the page of incidents says of all this; `None` when nothing is held back, and nothing would be.
pub(super) fn summary(each: &[(String, i64)], in_force: usize) -> Option<String> {
    let total: i64 = each.iter().map(|(_, count)| count).sum();
    if total == 0 {
        let silences = if in_force == 1 { "silence is" } else { "silences are" };
        return (in_force > 0).then(|| format!("{in_force} {silences} in force, and no alert is held back"));
    }
    let of = |kind: &str, one: &str, more: &str| {
        let mut names: Vec<&str> =
            each.iter().map(|(by, _)| by.as_str()).filter(|by| held::kind(by) == kind).collect();
        // A window is one for however many services.
        names.iter_mut().for_each(|by| *by = marked(by).map_or(*by, |(window, _)| window));
        names.dedup();
        match names.len() {
            0 => None,
            1 => Some(format!("1 {one}")),
            many => Some(format!("{many} {more}")),
        }
    };
    let by: Vec<String> = [
        of("silence", "silence", "silences"),
        of("maintenance", "maintenance window", "maintenance windows"),
        of("inhibition", "other alert", "other alerts"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let alerts = if total == 1 { "alert is" } else { "alerts are" };
    Some(format!("{total} {alerts} held back by {}", by.join(" and ")))
}

fn of_conditions(found: &Held, rules: &Rules) -> Vec<Value> {
    let shown = found.conditions.iter().map(|one| {
        context! {
            id => one.id.as_str(), text => one.text.as_str(), about => one.about(), by => full_name(rules, &one.created_by),
            pending => one.state(found.now) == Life::Pending, starts_at => utc(one.starts_at), ends_at => utc(one.ends_at),
        }
    });
    shown.collect()
}

fn of_silences(found: &Held, rules: &Rules) -> Vec<Value> {
    let shown = found.silences.iter().map(|one| {
        context! {
            id => one.id.as_str(), matchers => view::matchers(one), source => one.source.as_deref(),
            pending => one.state(found.now) == Life::Pending, starts_at => utc(one.starts_at), ends_at => utc(one.ends_at),
            who => full_name(rules, &one.created_by), why => one.comment.as_str(), ..alerts(found, &one.id)
        }
    });
    shown.collect()
}

/// The windows that are open, and those that open next, the first to open first.
fn of_windows(found: &Held, rules: &Rules) -> Vec<Value> {
    let now = found.now;
    let until = now.saturating_add(AHEAD).unwrap_or(now);
    let all = rules.maintenance.iter();
    let mut times: Vec<(Open, &Window)> = all
        .flat_map(|window| {
            window.between(now, until, WINDOWS_SHOWN).into_iter().map(move |open| (open, window))
        })
        .collect();
    times.sort_by_key(|(open, _)| *open);
    times.truncate(WINDOWS_SHOWN);
    let shown = times.into_iter().map(|(open, window)| {
        let local = |at| hour(at, &window.time_zone);
        let is_open = open.from <= now;
        let own = found.alerts.iter().filter(|(by, _)| is_open && marked(by).is_some_and(|(name, _)| name == window.name));
        let (mut count, mut some) = (0, Vec::new());
        for (_, (of_service, newest)) in own {
            count += of_service;
            some.extend(newest.iter().map(of_alert));
        }
        context! {
            name => window.name.as_str(), services => window.services.iter().cloned().collect::<Vec<String>>(), why => window.comment.as_str(),
            is_open, from => local(open.from), until => local(open.until), count, alerts => some,
        }
    });
    shown.collect()
}

/// Alerts whose silence or window is not shown above: it is over since a moment, or something else holds them.
fn others(found: &Held) -> Vec<Value> {
    let is_shown = |by: &str| found.silences.iter().any(|one| one.id == by) || marked(by).is_some();
    let rest = found.alerts.keys().filter(|by| !is_shown(by));
    rest.map(|by| context! { by => by.as_str(), ..alerts(found, by) }).collect()
}

fn alerts(found: &Held, by: &str) -> Value {
    let (count, some) = found.alerts.get(by).map_or((0, &[][..]), |(count, some)| (*count, some.as_slice()));
    context! { count, alerts => some.iter().map(of_alert).collect::<Vec<_>>() }
}

fn of_alert(alert: &Shown) -> Value {
    context! { title => alert.title.as_str(), source => alert.source.as_str(), since => utc(alert.changed_at) }
}

fn utc(at: Timestamp) -> String {
    hour(at, &TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_counted_by_what_holds_it() {
        let said = |each: &[(&str, i64)], in_force| {
            let each: Vec<(String, i64)> =
                each.iter().map(|(by, count)| ((*by).to_owned(), *count)).collect();
            summary(&each, in_force).unwrap_or_default()
        };
        assert_eq!(said(&[], 0), "");
        assert_eq!(said(&[], 1), "1 silence is in force, and no alert is held back");
        assert_eq!(said(&[("a-1", 1)], 1), "1 alert is held back by 1 silence");
        assert_eq!(
            said(&[("a-1", 1), ("b-2", 4), ("maintenance:move:a", 1), ("maintenance:move:b", 1)], 2),
            "7 alerts are held back by 2 silences and 1 maintenance window"
        );
    }
}
