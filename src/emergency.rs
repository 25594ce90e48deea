//! When the store takes no writes for long: mail by this node alone, past the store, to whom the configuration names.
//!
//! Reads: what the door knows of the store, every few seconds; who is on call, as far as that is known. Sends: one mail to each person, and another when
//! more has come and the same time has passed again. Several nodes may each send theirs: each tells what it holds.
//! It writes nothing; after a restart it may tell again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::channels::{Outcome, Parcel, Thread};
use crate::clock::Clock;
use crate::commit::away::{Away, State};
use crate::commit::spool::Held;
use crate::core::escalation::Staff;
use crate::core::meeting::{self, Place};
use crate::core::oncall::Roster;
use crate::crypto;
use crate::feeds::Last;
use crate::house::Current;
use crate::render;
use crate::store::roster;
use crate::store::sight::Sight;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long it is waited for who is on call, as people said since.
const ROSTER_WAIT: Duration = Duration::from_secs(5);
/// A mail that no relay takes is tried again after this long.
const TRY_AGAIN: SignedDuration = SignedDuration::from_secs(20);

/// Tells people that the store is away.
pub struct Emergency {
    /// What is known.
    pub away: Away,
    /// Whom to tell, and the relays.
    pub house: std::sync::Arc<Current>,
    /// The hour.
    pub clock: Clock,
    /// How this node is reached.
    pub node: String,
    /// Who is on call by calendars, as far as this process knows.
    pub calendars: std::sync::Arc<Last>,
    /// Where it stands who is on call: in what was known last, while the store is away.
    pub sight: Sight,
}

/// What was told, and when to look again.
#[derive(Default)]
struct Told {
    /// What each person was told.
    held: BTreeMap<String, Held>,
    /// For each person: one whose address defers must not have the others told more often.
    not_before: BTreeMap<String, Timestamp>,
}

impl Emergency {
    /// Looks until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut told = Told::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.step(&mut told).await;
        }
    }

    async fn step(&self, told: &mut Told) {
        let state = self.away.look();
        let Some(since) = state.since else {
            *told = Told::default();
            return;
        };
        let held = state.held.clone().unwrap_or_default();
        let house = self.house.get();
        let Some(emergency) = &house.emergency else { return };
        let now = self.clock.now();
        if now.duration_since(since) < emergency.after {
            return;
        }
        let roster = self.roster(&house).await;
        for person in (Staff { rules: &house.rules, roster: &roster }).regardless(&emergency.page, now) {
            let early = told.not_before.get(&person).is_some_and(|at| now < *at);
            if early || told.held.get(&person) == Some(&held) {
                continue;
            }
            let Some(address) = house.rules.people.get(&person).map(|known| known.email.clone()) else {
                continue;
            };
            let done = self.mail(&house, &address, &state, &held, now).await;
            let wait = if done { emergency.after } else { TRY_AGAIN };
            told.not_before.insert(person.clone(), now.saturating_add(wait).unwrap_or(Timestamp::MAX));
            if done {
                told.held.insert(person, held.clone());
            }
        }
    }

    /// What was said of who is on call, and what calendars say, as far as this node knows; nothing, where it knows nothing.
    async fn roster(&self, house: &crate::house::House) -> Roster {
        let rules = house.rules.clone();
        let known = self.sight.or_last(move |tx| roster::said(tx, &rules, tx.now));
        let known = tokio::time::timeout(ROSTER_WAIT, known).await;
        let mut known = known.ok().and_then(Result::ok).map(|seen| seen.value).unwrap_or_default();
        // This process may have read a calendar since the store was seen last.
        known.calendars.extend(self.calendars.turns());
        known
    }

    /// Whether it is done: taken, or refused for good.
    async fn mail(
        &self,
        house: &crate::house::House,
        address: &str,
        state: &State,
        held: &Held,
        now: Timestamp,
    ) -> bool {
        let Some(mailer) = &house.mailer else { return true };
        let Ok(delivery) = crypto::random_id() else { return false };
        let text = words(&self.node, state, held, &meeting::of_any_incident(&house.rules));
        let parcel = Parcel {
            delivery,
            incident: 0,
            incident_state: "triggered".into(),
            thread: Thread::Pages,
            to: address.to_owned(),
            page_attempt: 1,
            subject: "onscene cannot write to its store".into(),
            html: format!("<!doctype html><html><body><pre>{}</pre></body></html>", render::escape(&text)),
            short: String::new(),
            answer: None,
            meet: None,
            wakes: true,
            text,
            data: serde_json::Value::Null,
            event_type: "emergency".into(),
            created_at: now,
            now,
            thread_root: None,
            lost: Vec::new(),
            again: Vec::new(),
            attempt: 1,
            mends_nothing: false,
            unwritten: false,
            only_look: false,
            statement: None,
        };
        match mailer.send(&parcel).await {
            Outcome::Accepted { .. } => true,
            other => {
                tracing::error!(outcome = other.as_str(), "the emergency mail was not taken");
                matches!(other, Outcome::Refused { whole_channel: false, .. })
            }
        }
    }
}

fn words(node: &str, state: &State, held: &Held, places: &[Place]) -> String {
    let since =
        state.since.map(|since| since.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    let mut text = format!(
        "The node {node} cannot write to its store since {since}.\n\nIncidents cannot be opened, and nobody is \
         paged for new alerts, until it is back.\n"
    );
    if state.held.is_none() {
        text.push_str("This node has no spool: alerts are answered with 503.\n");
    } else if held.deliveries == 0 {
        text.push_str("No alerts have come to this node since.\n");
    } else {
        text.push_str(&format!(
            "{} deliveries of alerts are held on this node ({} KiB), and are taken when the store is back.\n",
            held.deliveries,
            held.bytes.div_ceil(1024)
        ));
    }
    if state.held.is_some() && !state.takes {
        text.push_str("THE SPOOL TAKES NO MORE: alerts are answered with 503.\n");
    }
    if !held.firing.is_empty() {
        text.push_str("\nFiring, newest last:\n");
        for title in &held.firing {
            text.push_str(&format!("- {title}\n"));
        }
    }
    text.push_str(&where_to_meet(places));
    text.push_str(
        "\nWhat to do: look at the store (the disk, or the database and the way to it), and at the things named above \
         by hand.\n",
    );
    text
}

/// Where its readers meet, while no page of an incident says so. Nothing that they say there is on a timeline.
fn where_to_meet(places: &[Place]) -> String {
    if places.is_empty() {
        return "\nNo place to meet is configured whose address is the same for every incident: call each other.\n".into();
    }
    let mut text = String::from("\nWhere to meet, for the store is away and no page can say it:\n");
    for Place { name, url, dial_in, .. } in places {
        let dial_in = dial_in.as_ref().map(|number| format!("; by telephone: {number}")).unwrap_or_default();
        text.push_str(&format!("- {url} ({name}{dial_in})\n"));
    }
    if places.len() > 1 {
        text.push_str("The first is where to meet; where nobody is, look at the next.\n");
    }
    text.push_str(
        "Agree there who has command, and keep a note of what is done: nothing can be written down here until the store is back.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_wrong_what_is_held_and_what_to_do() {
        let held = Held { deliveries: 3, bytes: 2000, firing: vec!["db-1 is down".into()] };
        let state =
            State { since: Some(Timestamp::UNIX_EPOCH), held: Some(held.clone()), ..State::default() };
        let place = |name: &str, dial_in: Option<&str>| Place {
            name: name.into(),
            url: format!("https://{name}.example.net/"),
            dial_in: dial_in.map(str::to_owned),
            doubt: None,
        };
        let places = [place("chat", None), place("video", Some("+47 22 00 00 00, pin 1#"))];
        let text = words("node-a", &state, &held, &places);
        for part in ["node-a", "1970-01-01 00:00:00 UTC", "3 deliveries", "2 KiB", "- db-1 is down", "503"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let (chat, video) = (
            text.find("- https://chat.example.net/ (chat)\n").unwrap(),
            text.find("- https://video.example.net/ (video; by telephone: +47 22 00 00 00, pin 1#)\n")
                .unwrap(),
        );
        assert!(chat < video && text.contains("look at the next"), "{text}");
        assert!(!words("node-a", &state, &held, &places[..1]).contains("look at the next"));
        assert!(words("node-a", &state, &held, &[]).contains("call each other"));
    }
}
