-- Who was on call in a rotation from when until when; an empty `person`: nobody. `is_open`: 1 as long as it goes on, and
-- `until_at` is then the last hour at which it was surely so.
create table oncall_history (
  rotation text not null,
  person text not null,
  from_at bigint not null,
  until_at bigint not null,
  is_open bigint not null,
  primary key (rotation, person, from_at)
) without rowid;
create index oncall_history_open on oncall_history (rotation) where is_open = 1;
create index oncall_history_until on oncall_history (until_at);
