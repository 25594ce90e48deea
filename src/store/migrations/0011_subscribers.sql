-- Who asked for the public statements by mail, by list (the name of a channel). `state`: `asked` until the link in the first letter was
-- used, then `confirmed`; `ended` when too many letters came back. Who leaves is forgotten at once. `word`: random, new whenever
-- somebody asks; links are made of it with a key of the store, and stand nowhere. `mailed`: letters with such a link since
-- `mailed_since`, the last at `mailed_at`. `bounces`: letters that came back, the last at `bounced_at`.
create table subscriber (
  id bigint primary key,
  channel text not null,
  address text not null,
  state text not null,
  word text not null,
  asked_at bigint not null,
  mailed_at bigint,
  mailed_since bigint,
  mailed bigint not null,
  confirmed_at bigint,
  ended_at bigint,
  bounces bigint not null,
  bounced_at bigint
);
create unique index subscriber_address on subscriber (channel, address);
create index subscriber_state on subscriber (channel, state, id);
create index subscriber_mailed on subscriber (mailed_at);

-- Letters that go to all subscribers of a list, until one was written for each: up to and with `after_id`, for those who had confirmed
-- by `created_at`. `statement`: the number, within the incident, of the statement it carries.
create table mailing (
  id bigint primary key,
  incident bigint not null,
  channel text not null,
  payload text not null,
  created_at bigint not null,
  after_id bigint not null,
  written bigint not null,
  statement bigint
);
insert into counter (name, value) values ('subscriber', 0), ('mailing', 0);
