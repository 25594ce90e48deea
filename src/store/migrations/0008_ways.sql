-- A page goes out by several ways, a letter each. `page`: the number of the first letter of the page; null: a letter of its own, as
-- older versions write them, and what wakes nobody.
alter table letter add column page bigint;
create index letter_page on letter (page) where page is not null;

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
