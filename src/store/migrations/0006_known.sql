-- What people are to know who are woken meanwhile. `services`: names, as a JSON list; an empty one: the whole house. `ended_by`:
-- who ended it before its hour.
create table known_condition (
  id text primary key,
  services text not null,
  text text not null,
  starts_at bigint not null,
  ends_at bigint not null,
  created_by text not null,
  created_at bigint not null,
  ended_by text
);
create index known_condition_ends on known_condition (ends_at);
