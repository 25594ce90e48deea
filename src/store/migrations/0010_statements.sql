-- Statements. `statement` of a letter: the number, within its incident, of the statement that it carries.
alter table letter add column statement bigint;

-- Which statements went out, to whom and when: what a status page shows is found by it. The words stand in the incident's row.
create table published (
  incident bigint not null,
  number bigint not null,
  audience text not null,
  at bigint not null,
  primary key (incident, number)
);
create index published_at on published (audience, at);
