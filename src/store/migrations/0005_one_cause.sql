-- A row is one running process: its name ends in a random word. `shown`: its host and address, which another may have as
-- well; null: the name is that, as older versions write it. `began_at`: when this process was heard of first.
alter table node add column shown text;
alter table node add column began_at bigint;

-- A place that only one process can have at a time: the directory of a spool, or an address of one machine. Who is found
-- there has come after whoever was there before.
alter table node add column place text;

-- What it knows of its own ears: since when it has taken all that was sent to it, and until when it vouches for that.
-- Null: it does not say. A node that stopped as it should has seen_at 0, and is remembered for what it said of that.
alter table node add column heard_since bigint;
alter table node add column heard_until bigint;

-- Of a body that could not be understood: which of its alerts were taken, as words with blanks between.
alter table unreadable add column taken text not null default '';

-- Which open incident an alert joins. `leads`: the service at fault, else the one that was seen first; `grp`: the values of the
-- labels by which that service is grouped; `joined_at`: when an alert last joined; `firing`: how many of its alerts fire.
alter table incident add column leads text not null default '';
alter table incident add column grp text not null default '';
alter table incident add column joined_at bigint not null default 0;
alter table incident add column storm bigint not null default 0;
alter table incident add column firing bigint not null default 0;
update incident set leads = service, joined_at = opened_at where phase <> 'resolved';
create index incident_leads on incident (leads, joined_at) where phase <> 'resolved';
create index incident_opened on incident (opened_at) where phase <> 'resolved';
create index incident_storm on incident (joined_at) where storm = 1 and phase <> 'resolved';

-- The sender's own grouping.
alter table alert add column grp text;
create index alert_group on alert (source, grp, incident) where grp is not null;

-- Alerts whose incident became part of another, so that they can go back.
create table alert_move (
  alert bigint not null,
  from_incident bigint not null,
  into_incident bigint not null,
  moved_at bigint not null,
  primary key (from_incident, into_incident, alert)
);
create index alert_move_into on alert_move (into_incident);
create index alert_move_alert on alert_move (alert);

-- Alerts that keep others quiet while they fire. `place`: the hash of a rule and of the values that have to be equal, under which
-- those look that may be kept quiet; `rule`: the hash of the rule alone, by which rows are forgotten when it has gone.
create table inhibitor (
  alert bigint not null,
  rule bigint not null,
  place bigint not null,
  primary key (alert, place)
);
create index inhibitor_place on inhibitor (place);
-- Where an alert looked that is kept quiet so.
alter table alert add column inhibited bigint;
create index alert_inhibited on alert (inhibited) where inhibited is not null;

-- When an alert changed its status last, in Unix seconds, as many as are counted; and since when it flaps.
alter table alert add column changes text not null default '';
alter table alert add column flaps_since bigint;

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
