-- Times are microseconds since 1970, UTC. Numbers of incidents come from `counter`.

create table counter (
  name text primary key,
  value bigint not null
);
insert into counter (name, value) values ('incident', 0), ('alert', 0), ('letter', 0), ('unreadable', 0);

create table meta (
  name text primary key,
  value text not null
);

-- The saved fold of a timeline. `state` holds it whole; the columns beside it are for searching.
create table incident (
  id integer primary key,
  title text not null,
  service text not null,
  severity text not null,
  phase text not null,
  drill bigint not null default 0,
  opened_at bigint not null,
  resolved_at bigint,
  due_at bigint,
  commander text,
  seq bigint not null,
  head blob not null,
  state text not null
);
create index incident_due on incident (due_at) where due_at is not null;
create index incident_phase on incident (phase, id);
create index incident_open on incident (phase, severity) where phase <> 'resolved';

-- One line of a timeline. hash = SHA-256 over the hash before it and this line.
create table entry (
  incident bigint not null,
  seq bigint not null,
  at bigint not null,
  occurred_at bigint not null,
  kind text not null,
  actor text not null,
  office text,
  term bigint,
  route text not null,
  text text not null,
  data text not null,
  hash blob not null,
  primary key (incident, seq)
) without rowid;

-- One condition at one source. What deciding needs stands first, so that a wide row need not be read to its end.
create table alert (
  id integer primary key,
  source text not null,
  key text not null,
  service text not null,
  status text not null,
  first_seen bigint not null,
  changed_at bigint not null,
  taken_at bigint not null,
  incident bigint,
  closed_at bigint,
  wording bigint not null,
  severity text,
  title text not null,
  body text not null,
  labels text not null,
  links text not null,
  unique (source, key)
);
create index alert_incident on alert (incident) where incident is not null;
create index alert_service_key on alert (service, key);
create index alert_loose on alert (changed_at) where incident is null;

-- What every repeat changes. Narrow, because a busy source repeats thousands of alerts a second, and every page that
-- is touched goes to disk.
create table alert_heard (
  alert integer primary key,
  count bigint not null,
  last_seen bigint not null
);

-- The outbox. `due_at` is the next attempt while pending, and the end of the lease while sending.
create table letter (
  seq integer primary key,
  id text not null unique,
  incident bigint not null,
  kind text not null,
  lane text not null,
  person text not null,
  channel text not null,
  address text not null,
  payload text not null,
  created_at bigint not null,
  received_at bigint,
  state text not null,
  attempts bigint not null default 0,
  due_at bigint not null,
  remote_id text,
  why text
);
create index letter_due on letter (channel, due_at) where state in ('pending', 'sending');
create index letter_hour on letter (due_at) where state in ('pending', 'sending');
create index letter_lane on letter (lane, seq) where state in ('pending', 'sending');
create index letter_incident on letter (incident);

create table thread (
  incident bigint not null,
  channel text not null,
  root text not null,
  primary key (incident, channel)
);

-- Only the SHA-256 of an answer link's token is kept.
create table answer_token (
  hash blob primary key,
  incident bigint not null,
  person text not null,
  purpose text not null,
  created_at bigint not null
);
create index answer_token_incident on answer_token (incident);

create table api_token (
  id text primary key,
  hash blob not null unique,
  person text,
  automation text,
  created_at bigint not null,
  revoked_at bigint
);

-- Deliveries already seen, by the sender's own id, so that a retry is told from a new event.
create table delivery (
  source text not null,
  id text not null,
  received_at bigint not null,
  primary key (source, id)
) without rowid;
create index delivery_age on delivery (received_at);

-- Bodies that could not be understood, as they came.
create table unreadable (
  id integer primary key,
  source text not null,
  kind text not null,
  method text not null,
  query text not null,
  content_type text,
  body blob not null,
  error text not null,
  received_at bigint not null,
  replayed_at bigint
);
create index unreadable_waiting on unreadable (id) where replayed_at is null;
