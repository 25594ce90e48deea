-- A sender that says again and again what holds (Prometheus) means that it is over when it has not said so by this hour.
alter table alert_heard add column expires_at bigint;
create index alert_expires on alert_heard (expires_at) where expires_at is not null;

-- The silence under which an alert fired that nobody was woken for.
alter table alert add column suppressed_by text;
create index alert_suppressed on alert (suppressed_by) where suppressed_by is not null;

-- Alerts that fit all matchers (JSON, as Alertmanager writes them) wake nobody from one hour to another. `source`: only
-- alerts of that source; null: of every one.
create table silence (
  id text primary key,
  source text,
  matchers text not null,
  starts_at bigint not null,
  ends_at bigint not null,
  created_by text not null,
  comment text not null,
  updated_at bigint not null
);
create index silence_ends on silence (ends_at);

-- When a ping that must come again and again was last heard; before the first one, since when it is waited for.
create table heartbeat (
  name text primary key,
  last_at bigint not null,
  count bigint not null,
  missing bigint not null
);
