//! Pages for people who are logged in: what is open, who commands, and each incident, with everything that can be done about
//! it (`incident`).

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use jiff::tz::TimeZone;
use minijinja::{Value, context};

use super::desk::{Desk, cannot_read};
use super::html::Pages;
use crate::core::condition::known;
use crate::core::rules::Rules;
use crate::core::silence::State as Life;
use crate::feeds::all_troubles;
use crate::render::{full_name, hour, shown_known};
use crate::store::incidents;
use crate::store::nodes::Node;
use crate::store::roster::said;
use crate::store::search::Filter;
use crate::store::sight::Seen;
use crate::store::silences::{self, Which};
use crate::store::{calendars, conditions, held as held_back, nodes, reach};

mod again;
mod ahead;
pub(super) mod declare;
mod drill;
pub(super) mod held;
pub(super) mod incident;
pub(super) mod login;
pub(super) mod me;
pub(super) mod oncall;
pub(super) mod statements;
pub(super) mod taps;

use me::Looks;

const FORM_BYTES_MAX: usize = 4 * 1024;
const OPEN_SHOWN: u32 = 200;
const PAST_SHOWN: u32 = 20;
const ALERTS_SHOWN: u32 = 100;
const ENTRIES_SHOWN: u32 = 200;
const PAGES_SHOWN: usize = 60;
/// Silences in force are counted up to here.
const SILENCES_COUNTED: u32 = 1000;

type Both = State<(Desk, Pages)>;

/// `GET /`
pub(super) async fn index(State((desk, pages)): Both, Looks(me): Looks) -> Response {
    let house = desk.house.get();
    let (rules, follows) = (house.rules.clone(), !house.feeds.is_empty());
    let read = desk.sight.or_last(move |tx| {
        let open = Filter { state: Some("open".into()), limit: OPEN_SHOWN, ..Filter::default() };
        let past = Filter { state: Some("resolved".into()), limit: PAST_SHOWN, ..Filter::default() };
        let in_force = silences::list(tx, Which::In(Life::Active), SILENCES_COUNTED)?.len();
        let held = held::summary(&held_back::each(tx)?, in_force);
        let (open, past) = (incidents::list(tx, &open)?, incidents::list(tx, &past)?);
        let calendars = if follows { calendars::all(tx)? } else { Vec::new() };
        let roster = said(tx, &rules, tx.now)?;
        Ok((open, past, nodes::list(tx)?, held, conditions::open(tx)?, (roster, calendars, tx.now)))
    });
    let Seen { value: (open, past, nodes, held, conditions, (roster, calendars, seen_at)), as_of } =
        match read.await {
            Ok(found) => found,
            Err(error) => return unreadable(&pages, &error),
        };
    let rules = house.rules.clone();
    // Not while the store is read: it takes its time.
    let mut warnings = ahead::warnings(&rules, &roster, seen_at);
    warnings.extend(all_troubles(&house, &calendars, seen_at));
    let others = configured_otherwise(&nodes, &house.config_hash, env!("CARGO_PKG_VERSION"));
    let known = known(&conditions, &rules.maintenance, None, desk.clock.now());
    let (known, more_known) = shown_known(&known, &rules, &TimeZone::UTC);
    let hour = |at| hour(at, &TimeZone::UTC);
    let shown = |found: Vec<crate::core::incident::Incident>| -> Vec<Value> {
        found
            .iter()
            .map(|one| {
                context! {
                    id => one.id, severity => one.severity.as_str(), state => one.state(),
                    service => one.service.as_str(), title => one.title.as_str(), opened_at => hour(one.opened_at),
                    resolution => one.resolution().map(|(resolution, _)| resolution.words()),
                    merged_into => one.merged_into,
                    commander => one.commander().map(|command| context! {
                        name => full_name(&rules, &command.person), since => hour(command.since) }),
                }
            })
            .collect()
    };
    // Most of what silences hold is not in the copy that is shown while the store is away.
    let held = held.filter(|_| as_of.is_none());
    let reader = me.shown(&rules);
    let severities = crate::core::incident::Severity::ALL.map(crate::core::incident::Severity::as_str);
    let services = rules.services.keys().cloned().collect::<Vec<String>>();
    let values = context! { reader, services, severities, incidents => shown(open), past => shown(past), others, held, known, more_known, warnings };
    pages.page_of(StatusCode::OK, "index.html", values, desk.stale(as_of), &TimeZone::UTC)
}

/// Names of nodes with another configuration than this node's. Another version may put the same configuration into other
/// words: during an upgrade nothing is said of that.
fn configured_otherwise(nodes: &[Node], config_hash: &str, version: &str) -> Vec<String> {
    let others = nodes.iter().filter(|node| node.version == version && node.config_hash != config_hash);
    let mut names: Vec<String> = others.map(|node| node.name.clone()).collect();
    // In order. Two may have the same host name and address.
    names.dedup();
    names
}

/// What became of the newest pages of an incident.
fn paged(pages: &[reach::Page], rules: &Rules) -> Vec<Value> {
    let hour = |at| hour(at, &TimeZone::UTC);
    let one = |page: &reach::Page| {
        let ways = page.legs.iter().map(|leg| match &leg.reported {
            Some((word, _)) => format!("{} {} ({word})", leg.name(), leg.state),
            None => format!("{} {}", leg.name(), leg.state),
        });
        context! {
            name => full_name(rules, &page.person),
            at => hour(page.at),
            ways => ways.collect::<Vec<_>>(),
            opened_at => page.opened_at.map(hour),
            answered_at => page.answered.as_ref().map(|(at, _)| hour(*at)),
        }
    };
    pages.iter().take(PAGES_SHOWN).map(one).collect()
}

fn unreadable(pages: &Pages, error: &crate::store::StoreError) -> Response {
    drop(cannot_read(error));
    let text = "The daemon cannot read its store. Please try again in a few seconds.";
    pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not at this moment", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nodes_of_the_same_version_can_be_told_to_be_configured_otherwise() {
        let node = |name: &str, config_hash: &str, version: &str| Node {
            name: name.into(),
            config_hash: config_hash.into(),
            version: version.into(),
        };
        let nodes = [
            node("web-1", "a", "2"),
            node("web-2", "b", "1"),
            node("web-3", "b", "2"),
            node("web-3", "c", "2"),
        ];
        assert_eq!(configured_otherwise(&nodes, "a", "2"), ["web-3"]);
        assert_eq!(configured_otherwise(&nodes[..2], "a", "2"), Vec::<String>::new());
    }
}
