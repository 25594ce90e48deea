//! What must be so when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use onscene::store::{Connection, StoreError, letters};
use serde_json::Value;

use super::super::harness::{Daemon, within};
use super::load::{Answers, Book, Said, Told, UNANSWERED_EACH, Wait};
use super::{PHASES, REST_PATIENCE, Trial};

/// What one node has in hand at most: 32 letters to persons, and 4 of its one channel. Each of them may come once
/// more when the node is killed, or kept from the store for longer than a lease. ARCHITECTURE.md says so.
const IN_HAND_MAX: usize = 32 + 4;
/// The longest that a post may wait for its answer, whatever is done to the store: a node holds it after 3 s. The
/// rest is for a machine that has much to do.
const WAIT_MAX: Duration = Duration::from_secs(10);

impl Trial {
    /// Until every letter is delivered, every spool empty, and nobody is left who wants to answer.
    pub fn comes_to_rest(&self) {
        for node in 0..3 {
            within(REST_PATIENCE, "every node has the store", || self.is_up(node).then_some(()));
        }
        let mut store = self.nodes[0].store();
        within(REST_PATIENCE, "every letter is delivered", || {
            let waiting = store.read(Timestamp::UNIX_EPOCH, letters::waiting).unwrap();
            (waiting.is_empty() && self.mailboxes.lock().unwrap().is_empty()).then_some(())
        });
    }
}

fn query<T>(
    store: &mut Connection,
    sql: &str,
    map: impl FnMut(&onscene::store::Row<'_>) -> Result<T, StoreError>,
) -> Vec<T> {
    store.read(Timestamp::UNIX_EPOCH, |tx| tx.query(sql, &[], map)).unwrap()
}

/// Proves everything, and says the figures.
pub fn prove(trial: &Trial, books: &[Book], told: &Answers) {
    let mut store = trial.nodes[0].store();
    let said = all_said(books);
    let (accepted, held) =
        said.values().fold((0, 0), |(accepted, held), said| (accepted + said.accepted, held + said.held));
    let (silent, refused) =
        books.iter().fold((0, 0), |(silent, refused), book| (silent + book.silent, refused + book.refused));
    let incidents = alerts(&mut store, &said);
    eprintln!(
        "{accepted} statements about {} alerts accepted, {held} of them held, none lost; {silent} had no answer and \
         {refused} were refused, and were said again",
        said.len(),
    );
    eprintln!("{incidents} incidents, none doubled");
    commanders(&mut store, told);
    letters(trial, &mut store);
    let waits: Vec<Wait> = books.iter().flat_map(|book| book.waits.iter().copied()).collect();
    for (phase, name) in PHASES.iter().enumerate() {
        tell_waits(name, waits.iter().filter(|wait| wait.phase == phase).map(|wait| wait.took).collect());
    }
    let longest = waits.iter().map(|wait| wait.took).max().unwrap_or_default();
    assert!(longest < WAIT_MAX, "a post waited {longest:?}");
    assert!(trial.nodes[1].verify().contains("whole"));
    for node in &trial.nodes {
        assert_eq!(node.metric("onscene_events_unaccounted"), 0.0);
        assert!(!log_of(node).contains("panic"), "{}", node.log());
    }
}

fn log_of(node: &Daemon) -> String {
    node.log().to_lowercase()
}

/// What all senders said; of the alerts that all of them speak of, all say the same.
fn all_said(books: &[Book]) -> BTreeMap<String, Said> {
    let mut all: BTreeMap<String, Said> = BTreeMap::new();
    for (key, said) in books.iter().flat_map(|book| &book.said) {
        let known = all.entry(key.clone()).or_default();
        known.status = said.status;
        known.accepted += said.accepted;
        known.held += said.held;
        known.incidents.extend(&said.incidents);
    }
    all
}

/// Every accepted alert is there as it was said last, and each has one incident. How many incidents there are.
fn alerts(store: &mut Connection, said: &BTreeMap<String, Said>) -> usize {
    let kept: BTreeMap<String, (String, Option<i64>)> =
        query(store, "select key, status, incident from alert where source = 'scripts'", |row| {
            Ok((row.text(0)?, (row.text(1)?, row.int_or_null(2)?)))
        })
        .into_iter()
        .collect();
    let lost: Vec<_> = said.iter().filter(|(key, _)| !kept.contains_key(*key)).collect();
    assert!(lost.is_empty(), "{} alerts were accepted and are lost: {lost:?}", lost.len());
    let wrong: Vec<_> = said
        .iter()
        .map(|(key, said)| (key, said, &kept[key]))
        .filter(|(_, said, (status, incident))| {
            *status != said.status || (status == "firing" && incident.is_none())
        })
        .collect();
    assert!(wrong.is_empty(), "{} alerts are not as they were said last: {wrong:?}", wrong.len());
    for (key, said) in said {
        assert!(said.incidents.len() <= 1, "{key} has several incidents: {said:?}");
        let told = said.incidents.first().copied();
        assert!(told.is_none() || told == kept[key].1, "{key} is of {:?}: {said:?}", kept[key].1);
    }
    let unsaid: Vec<&String> = kept.keys().filter(|key| !said.contains_key(*key)).collect();
    assert!(unsaid.is_empty(), "nobody said {unsaid:?}");
    let mut of: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let joined = "select incident, data from entry where kind = 'alert_joined'";
    for (incident, data) in query(store, joined, |row| Ok((row.int(0)?, row.text(1)?))) {
        let data: Value = serde_json::from_str(&data).unwrap();
        of.entry(data["key"].as_str().unwrap().to_owned()).or_default().insert(incident);
    }
    let doubled: Vec<_> = of.iter().filter(|(_, incidents)| incidents.len() > 1).collect();
    assert!(doubled.is_empty(), "{} conditions have several incidents: {doubled:?}", doubled.len());
    let opened: BTreeSet<i64> = of.values().flatten().copied().collect();
    assert_eq!(opened.len(), of.len(), "an incident holds several conditions");
    let incidents: BTreeSet<i64> =
        query(store, "select id from incident", |row| row.int(0)).into_iter().collect();
    let others: Vec<_> = incidents.symmetric_difference(&opened).collect();
    assert!(others.is_empty(), "incidents without a condition: {others:?}");
    incidents.len()
}

/// Who was told that they command does, from the first term on, and nobody else.
fn commanders(store: &mut Connection, told: &Answers) {
    let names = BTreeMap::from([("maya", "Maya Lind"), ("tom", "Tom Berg"), ("ada", "Ada Moe")]);
    let mut taken: BTreeMap<i64, usize> = BTreeMap::new();
    for incident in query(store, "select incident from entry where kind = 'command_taken'", |row| row.int(0))
    {
        *taken.entry(incident).or_default() += 1;
    }
    let commands: BTreeMap<i64, Option<String>> =
        query(store, "select id, commander from incident", |row| Ok((row.int(0)?, row.text_or_null(1)?)))
            .into_iter()
            .collect();
    let (mut at_once, mut again) = (0, 0);
    for (incident, told) in told {
        let commander = commands[incident].clone().unwrap_or_default();
        assert_eq!(taken.get(incident), Some(&1), "INC-{incident} has had several Commanders: {told:?}");
        assert!(told.contains_key(&commander), "INC-{incident} is {commander}'s: {told:?}");
        for (person, told) in told {
            let expected = match told {
                Told::Command | Told::Already => *person == commander,
                Told::Faster(name) => *person != commander && names[commander.as_str()] == name,
            };
            assert!(expected, "INC-{incident} is {commander}'s, and {person} was told {told:?}");
        }
        let was_told = told.values().any(|told| *told == Told::Command);
        (at_once, again) = if was_told { (at_once + 1, again) } else { (at_once, again + 1) };
    }
    for (incident, commander) in &commands {
        let answered = told.contains_key(incident);
        assert_eq!(answered, commander.is_some(), "INC-{incident} is {commander:?}'s");
        assert!(answered || incident % UNANSWERED_EACH == 0, "INC-{incident}: nobody was asked");
    }
    eprintln!(
        "{} incidents answered by three people at the same moment on three nodes: one Commander each, two nowhere; \
         {at_once} were told at once, {again} when they asked again",
        told.len()
    );
    assert!(at_once > again, "{at_once} {again}");
}

/// Every letter was delivered, and somebody was woken for each incident; letters that came twice are within the bound.
fn letters(trial: &Trial, store: &mut Connection) {
    let mailboxes = trial.mailboxes.lock().unwrap();
    let kept = query(store, "select id, incident, kind, state, attempts from letter", |row| {
        Ok((row.text(0)?, row.int(1)?, row.text(2)?, row.text(3)?, row.int(4)?))
    });
    let (mut woken, mut claimed_again, mut dropped, mut spared) = (BTreeSet::new(), 0, 0, 0);
    for (id, incident, kind, state, attempts) in &kept {
        claimed_again += attempts.saturating_sub(1);
        let came = mailboxes.letters.contains_key(id);
        if came && kind == "page" {
            woken.insert(*incident);
        }
        match state.as_str() {
            "accepted" => assert!(came, "letter {id} ({kind}) never came"),
            // A page of which nobody knows whether it came, and that would come too late to wake anybody.
            "dropped" => {
                dropped += 1;
                // A relay had taken it, its node never heard so, and by then nobody needed a second one.
                spared += usize::from(came);
            }
            other => panic!("letter {id} ({kind}, INC-{incident}) is {other} after {attempts} attempts"),
        }
    }
    let incidents: BTreeSet<i64> =
        query(store, "select id from incident", |row| row.int(0)).into_iter().collect();
    let asleep: Vec<_> = incidents.difference(&woken).collect();
    assert!(asleep.is_empty(), "nobody was woken for {asleep:?}");
    let known: BTreeSet<&String> = kept.iter().map(|(id, ..)| id).collect();
    let unknown: Vec<_> = mailboxes.letters.keys().filter(|id| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "letters came that are not in the store: {unknown:?}");
    let copies = |nodes: &[usize; 3]| nodes.iter().sum::<usize>() - 1;
    let again: usize = mailboxes.letters.values().map(copies).sum();
    let most = mailboxes.letters.values().map(copies).max().unwrap_or_default() + 1;
    let done = &trial.done;
    let events = done.node_kills + done.pauses + done.cuts + 3 * done.long_outages;
    let bound = events * IN_HAND_MAX;
    eprintln!(
        "{} letters, {dropped} of them not needed any more; {again} came once more than needed (bound {bound}: \
         {IN_HAND_MAX} for each of {events} nodes killed, paused or cut off), none more than {most} times; \
         {claimed_again} were claimed again; mails past the store: {:?}",
        kept.len(),
        mailboxes.emergencies
    );
    assert!(again <= bound, "{again} letters came again, more than {bound}");
    let orphans = again + spared;
    assert!(orphans > 0, "a node was killed with letters in hand, and none of them was looked at again");
}

fn tell_waits(name: &str, mut waits: Vec<Duration>) {
    if waits.is_empty() {
        return;
    }
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() * part / 1000).min(waits.len() - 1)].as_secs_f64() * 1000.0;
    eprintln!(
        "{name}: {} posts accepted; p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms",
        waits.len(),
        at(500),
        at(990),
        at(1000)
    );
}
