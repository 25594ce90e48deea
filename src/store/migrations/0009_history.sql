-- What alerts and incidents are found by: `=name=value` for a label, `~word` for a word of the title, in small letters. Filled in
-- the transaction that writes an alert's words, or gives it to an incident; never by a repeat. What an older version writes
-- is filled in later, a little at a time: it is what `indexed` does not agree with.
create table alert_term (
  term text collate binary not null,
  alert bigint not null,
  primary key (term, alert)
) without rowid;
-- An incident keeps what its alerts were found by when they joined, whatever became of them.
create table incident_term (
  term text collate binary not null,
  incident bigint not null,
  primary key (term, incident)
) without rowid;
create index incident_term_of on incident_term (incident, term);

-- `terms`: what stands in alert_term for it, each with the character 31 before it. `indexed`: the wording that was read for it.
alter table alert add column terms text not null default '';
alter table alert add column indexed bigint;
-- No other index has this order, so that a server uses it, whatever it believes of how many there are.
create index alert_unindexed on alert (indexed, id) where indexed is distinct from wording;
-- Alerts are listed by when they last changed.
create index alert_taken on alert (taken_at, id);

alter table incident add column indexed bigint not null default 0;
create index incident_unindexed on incident (id) where indexed = 0;
create index incident_service on incident (service, id);
