-- What a session was made of: `login_link`, `token` (whose id stands in `token`) or `answer_link`, and then of which incident. Null: a
-- node of a version that did not keep it has made it.
alter table session add column made_of text;
alter table session add column incident bigint;

-- When all sessions of a person were ended last: no answer link that was made by then makes one any more.
create table signed_out (
  person text primary key,
  at bigint not null
);
