-- Who is on call otherwise than the configuration says, from one hour to another. `instead_of`: in whose place; null: of
-- everybody who would be. `ended_by`: who ended it before its hour. Of several that hold at once the newest counts, by
-- `created_at`, which no two share.
create table oncall_override (
  id text primary key,
  rotation text not null,
  person text not null,
  instead_of text,
  starts_at bigint not null,
  ends_at bigint not null,
  author text not null,
  reason text not null,
  created_at bigint not null,
  ended_by text
);
create index oncall_override_ends on oncall_override (ends_at);

-- Who is away.
create table oncall_leave (
  id text primary key,
  person text not null,
  starts_at bigint not null,
  ends_at bigint not null,
  author text not null,
  reason text not null,
  created_at bigint not null,
  ended_by text
);
create index oncall_leave_ends on oncall_leave (ends_at);
