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

-- A page goes out by several ways, a letter each. `page`: the number of the first letter of the page; null: a letter of its own, as
-- older versions write them, and what wakes nobody.
alter table letter add column page bigint;
create index letter_page on letter (page) where page is not null;
-- How many answers by text message had a wrong code. What the carrier said of the letter after it took it, and when.
alter table letter add column wrong_codes bigint not null default 0;
alter table letter add column reported text;
alter table letter add column reported_at bigint;

-- The page an answer link stands in, and when that was first looked at; `letter`: the one letter it stands in, of a test.
alter table answer_token add column page bigint;
alter table answer_token add column letter bigint;
alter table answer_token add column opened_at bigint;
create index answer_token_page on answer_token (page) where page is not null;

-- What is known of the addresses of people, by the last test of each.
create table reach (
  person text not null,
  way text not null,
  address text not null,
  tested_at bigint not null,
  outcome text not null,
  why text,
  confirmed_at bigint,
  primary key (person, way, address)
) without rowid;

-- Test pages: their letters have no incident.
create table test_page (
  page bigint primary key,
  person text not null,
  asked_by text not null,
  created_at bigint not null,
  answered_at bigint
) without rowid;

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

-- When the button behind a link of a test was pressed.
alter table answer_token add column confirmed_at bigint;

-- Delivery drills. `state`: planned, running, over, skipped, or void (begun by a clock that was wrong). `week`: of the calendar; null
-- where somebody asked for it, and of one that never was. `day`: of its hours, as a date; `at`: when it begins, or began. `answer`: how
-- long answers are awaited, in microseconds. `why`: why it was skipped. `missed`: how many did not answer.
create table delivery_drill (
  number bigint primary key,
  state text not null,
  week text,
  day text,
  at bigint not null,
  answer bigint not null,
  asked_by text,
  over_at bigint,
  why text,
  missed bigint not null
) without rowid;
create unique index delivery_drill_week on delivery_drill (week) where week is not null;

-- Who takes part in a drill: see core/delivery_drill.rs for the words of `state`. `due_at`: when they are asked, or until when they may
-- answer. `page`: the test that they got; `way`: by which of its letters they answered first.
create table delivery_drill_person (
  drill bigint not null,
  person text not null,
  state text not null,
  due_at bigint not null,
  page bigint,
  answered_at bigint,
  way text,
  primary key (drill, person)
) without rowid;
create index delivery_drill_person_page on delivery_drill_person (page) where page is not null;
