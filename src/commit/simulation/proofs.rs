//! What must hold, on the way and at the end.

use super::*;

impl World {
    /// Command is never vacated and never changes hands within a term, whatever happens to an incident.
    pub(super) fn nobody_lost_command(&mut self) {
        let open = "select id, state, head from incident where phase <> 'resolved'";
        let open = self.look(|tx| tx.query(open, &[], |row| row.int(0)));
        for id in open {
            let incident = self.look(|tx| incidents::load(tx, id)).unwrap().incident;
            let commander = incident.commander().map(|command| command.person.clone());
            assert_eq!(commander.is_none(), incident.state() == "triggered", "INC-{id}");
            let ended = "select count(*) from entry where incident = ?1 and kind = 'resolved'";
            let ended = self.look(|tx| tx.query_one(ended, &[id.into()], |row| row.int(0))).unwrap();
            let now = (incident.term, commander, ended);
            if let Some(before) = self.seen.insert(id, now.clone()) {
                let same_tenure = now.0 == before.0 && now.2 == before.2;
                assert!(now.0 >= before.0, "INC-{id}: {before:?}, then {now:?}");
                assert!(
                    !same_tenure || before.1.is_none() || now.1 == before.1,
                    "INC-{id}: {before:?}, {now:?}"
                );
                assert!(
                    now.2 > before.2 || before.1.is_none() || now.1.is_some(),
                    "INC-{id} was left without one"
                );
            }
        }
    }

    pub(super) fn everybody_was_told(&mut self) {
        let waiting = self.look(letters::waiting);
        assert!(waiting.is_empty(), "letters were never delivered: {waiting:?}");
        let now = self.clock.now();
        for id in self.look(|tx| incidents::numbers(tx, 0, 10_000)) {
            let saved = self.look(|tx| incidents::load(tx, id)).unwrap();
            if let Phase::Triggered { quiet_until, .. } = &saved.incident.phase {
                assert!(quiet_until.is_none(), "INC-{id} never cleared itself");
                let sql = "select max(created_at) from letter where incident = ?1 and kind = 'page'
                             and created_at <= ?2";
                let binds = [id.into(), now.into()];
                let last = self.look(|tx| tx.query_one(sql, &binds, |row| row.time_or_null(0)));
                let last = last.flatten().unwrap_or_else(|| panic!("nobody was paged for INC-{id}"));
                assert!(
                    now.duration_since(last) < SignedDuration::from_mins(7),
                    "INC-{id} waits since {last}"
                );
            }
            self.look(|tx| is_whole(tx, id));
            self.timeline_follows_the_rules(id);
        }
    }

    pub(super) fn timeline_follows_the_rules(&mut self, id: i64) {
        let kept = self.look(|tx| timeline::list(tx, id, 0, 10_000));
        let count = |is: fn(&Fact) -> bool| kept.iter().filter(|kept| is(&kept.entry.fact)).count();
        let written = |kinds: &str| {
            let sql = format!("select count(*) from letter where incident = ?1 and kind in ({kinds})");
            move |tx: &Tx<'_>| tx.query_one(&sql, &[id.into()], |row| row.int(0))
        };
        let pages = count(|fact| matches!(fact, Fact::Paged { .. }));
        let pio = count(|fact| matches!(fact, Fact::PioCalled { .. }));
        assert_eq!(self.look(written("'page', 'help'")), i64::try_from(pages).ok(), "INC-{id}");
        assert_eq!(self.look(written("'pio_page'")), i64::try_from(pio).ok(), "INC-{id}");
        let (mut term, mut taken) = (0, false);
        for entry in kept.iter().map(|kept| &kept.entry) {
            match &entry.fact {
                Fact::CommandTaken { term: next, person, .. } => {
                    assert_eq!(*next, term + 1, "INC-{id}: a term is left out");
                    assert!(
                        matches!(&entry.actor, Actor::Person(name) if name == person),
                        "INC-{id}: {entry:?}"
                    );
                    (term, taken) = (*next, true);
                }
                // Recovery is evidence: what a human has taken, a human ends.
                Fact::Resolved { .. } => {
                    assert!(!taken || matches!(entry.actor, Actor::Person(_)), "INC-{id}: {entry:?}");
                    taken = false;
                }
                _ => {}
            }
        }
    }

    pub(super) fn alerts_are_what_was_said_last(&mut self) {
        for ((source, key), said) in std::mem::take(&mut self.said) {
            let known = self.look(|tx| alerts::known(tx, &source, &key));
            let Some(known) = known else { panic!("what was said of {source} {key} is lost") };
            let Some(last) = said.iter().filter(|one| !one.dated && !one.unordered).map(|one| one.at).max()
            else {
                continue;
            };
            let close: BTreeSet<&str> = said
                .iter()
                .filter(|one| last.duration_since(one.at) < TOO_CLOSE)
                .map(|one| one.status.as_str())
                .collect();
            assert!(
                close.contains(known.status.as_str()),
                "{source} {key} is {:?}, not {close:?}",
                known.status
            );
        }
        // People may open an old one again beside a new one.
        let twice = "select alert.key from alert join incident on incident.id = alert.incident
             where alert.status = 'firing' and incident.phase <> 'resolved' and alert.closed_at is null
               and not exists (select 1 from entry where entry.incident = incident.id and kind = 'reopened'
                 and actor like 'person:%')
             group by alert.service, alert.key having count(distinct alert.incident) > 1";
        let twice = self.look(|tx| tx.query(twice, &[], |row| row.text(0)));
        assert!(twice.is_empty(), "one condition, and several open incidents: {twice:?}");
    }

    pub(super) fn every_event_has_its_outcome(&mut self) {
        for node in &mut self.nodes {
            assert!(node.is_balanced());
        }
    }
}
