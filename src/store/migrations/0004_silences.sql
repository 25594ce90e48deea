-- A sender that says again and again what holds (Prometheus) means that it is over when it has not said so by this hour.
alter table alert_heard add column expires_at bigint;
create index alert_expires on alert_heard (expires_at) where expires_at is not null;

-- The silence under which an alert fired that nobody was woken for.
alter table alert add column suppressed_by text;
create index alert_suppressed on alert (suppressed_by) where suppressed_by is not null;
create index alert_firing on alert (source, key) where status = 'firing';

-- The newest hour of its own that a sender gave to what it said again. A statement older than this changes nothing.
alter table alert add column said_hour bigint;

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
create index silence_source on silence (source, ends_at);

-- When a ping that must come again and again was last heard; before the first one, since when it is waited for. `excused_at`:
-- nobody could be heard when it was due, so it is waited for anew from then; once for each ping. `missing_at`: since when it
-- is missing, and people were told; `told_at`: when that was said last.
create table heartbeat (
  name text primary key,
  last_at bigint not null,
  count bigint not null,
  excused_at bigint,
  missing_at bigint,
  told_at bigint
);

-- How many bodies of a source wait to be read is asked for each that cannot be read.
create index unreadable_source on unreadable (source) where replayed_at is null;
