//! What must hold, on the way and at the end.

use super::commanding::Tenures;
use super::*;
use crate::core::incident::Incident;

/// Longer than any way of a house waits for mail.
const LATEST_WAY: SignedDuration = SignedDuration::from_mins(7);

impl World {
    /// Command is never vacated and never changes hands within a term, whatever happens to an incident.
    pub(super) fn nobody_lost_command(&mut self) {
        let open = "select id, state, head from incident where phase <> 'resolved'";
        let open = self.look(|tx| tx.query(open, &[], |row| row.int(0)));
        for id in open {
            let incident = self.look(|tx| incidents::load(tx, id)).unwrap().incident;
            let commander = incident.commander().map(|command| command.person.clone());
            assert_eq!(commander.is_none(), incident.state() == "triggered", "INC-{id}");
            assert!(
                commander.is_some() || incident.due_at().is_some(),
                "nothing will wake anybody for INC-{id}"
            );
            let ended = "select count(*) from entry where incident = ?1 and kind in ('resolved', 'merged')";
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
        let now = self.clock.now();
        let mut waiting = self.look(letters::waiting);
        // A way that comes after mail may still have its time.
        waiting.retain(|(channel, _, oldest)| channel != "sms" || now.duration_since(*oldest) > LATEST_WAY);
        assert!(waiting.is_empty(), "letters were never delivered: {waiting:?}");
        for id in self.look(|tx| incidents::numbers(tx, 0, 10_000)) {
            let saved = self.look(|tx| incidents::load(tx, id)).unwrap();
            if let Phase::Triggered { quiet_until, .. } = &saved.incident.phase {
                assert!(quiet_until.is_none(), "INC-{id} never cleared itself");
                let sql = "select max(created_at) from letter where incident = ?1 and kind = 'page'
                             and created_at <= ?2";
                let binds = [id.into(), now.into()];
                let last = self.look(|tx| tx.query_one(sql, &binds, |row| row.time_or_null(0)));
                let last = last.flatten().unwrap_or_else(|| panic!("nobody was paged for INC-{id}"));
                // A step waits for five minutes; the next round, while something flaps, until that would be calm.
                let calm_after = self.rules.flapping_of(saved.incident.leads()).calm_after;
                assert!(
                    now.duration_since(last) < SignedDuration::from_mins(7) + calm_after,
                    "INC-{id} waits since {last}"
                );
            }
            self.look(|tx| is_whole(tx, id));
            self.counts_its_alerts(&saved.incident);
            self.timeline_follows_the_rules(id);
        }
    }

    pub(super) fn timeline_follows_the_rules(&mut self, id: i64) {
        let kept = self.look(|tx| timeline::list(tx, id, 0, 10_000));
        let mut tenures = Tenures::default();
        for entry in kept.iter().map(|kept| &kept.entry) {
            tenures.are_followed(id, entry);
        }
        tenures.end_as(&self.look(|tx| incidents::load(tx, id)).unwrap().incident);
    }

    /// As many letters that wake somebody were written as the timelines tell of. They go with their incident where it has gone.
    pub(super) fn every_page_is_a_letter(&mut self) {
        for (facts, letters) in [("'paged'", "'page', 'help'"), ("'pio_called'", "'pio_page'")] {
            let told = format!("select count(*) from entry where kind in ({facts})");
            let written =
                format!("select count(distinct coalesce(page, seq)) from letter where kind in ({letters})");
            let counts = self.look(|tx| {
                let count = |sql: &str| tx.query_one(sql, &[], |row| row.int(0));
                Ok((count(&told)?, count(&written)?))
            });
            assert_eq!(counts.0, counts.1, "{facts}");
        }
    }

    /// What an incident counts is what belongs to it. One that left it for another was counted, and is.
    fn counts_its_alerts(&mut self, incident: &Incident) {
        let id = incident.id;
        let sql = "select count(*) from alert where incident = ?1";
        let there = self.look(|tx| tx.query_one(sql, &[id.into()], |row| row.int(0))).unwrap();
        let counted = i64::from(incident.alerts);
        assert!(counted >= there, "INC-{id} counts {counted} alerts, and has {there}");
        if incident.merged_into.is_some() {
            assert_eq!((counted, incident.firing, there), (0, 0, 0), "INC-{id} became part of another");
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
        // People may open an old one again beside a new one, and take apart what is one. An alert may do the first too, where
        // others belong to its incident that have gone to another since.
        let count = |tx: &Tx<'_>, sql: &str| tx.query_one(sql, &[], |row| row.int(0));
        let moved = "select count(*) from alert_move";
        let apart = "select count(*) from entry where kind = 'split_from'";
        let alone = self.rules.services.len() == 1 && self.look(|tx| count(tx, moved)) == Some(0);
        if self.look(|tx| count(tx, apart)) > Some(0) {
            return;
        }
        let twice = format!(
            "select alert.key from alert join incident on incident.id = alert.incident
             where alert.status = 'firing' and incident.phase <> 'resolved' and alert.closed_at is null
               and not exists (select 1 from entry where kind = 'reopened' and actor like '{}')
             group by alert.service, alert.key having count(distinct alert.incident) > 1",
            if alone { "person:%' and entry.incident = incident.id and '' = '" } else { "%" }
        );
        let twice = self.look(|tx| tx.query(&twice, &[], |row| row.text(0)));
        assert!(twice.is_empty(), "one condition, and several open incidents: {twice:?}");
    }

    pub(super) fn every_event_has_its_outcome(&mut self) {
        for node in &mut self.nodes {
            assert!(node.is_balanced());
        }
    }
}
