-- What the calendar says that a rotation follows, as it was read last. `turns`: [[from, until, person], ...] in microseconds, in
-- order; `hash`: of these; `changed_at`: since when they are so; `fetched_at`: when it was read well last; `tried_at`: when it was
-- tried last, and `error` why that went wrong, null when it did not. `warnings`: a JSON list of sentences.
create table calendar (
  rotation text primary key,
  turns text not null,
  hash text not null,
  changed_at bigint not null,
  fetched_at bigint,
  tried_at bigint not null,
  error text,
  warnings text not null
);

-- Private addresses under which others follow who is on call: of a rotation, or of a person. Only the hash of the token is kept.
create table calendar_link (
  id text primary key,
  hash blob not null,
  rotation text,
  person text,
  created_by text not null,
  created_at bigint not null,
  revoked_at bigint
);
create unique index calendar_link_hash on calendar_link (hash);
