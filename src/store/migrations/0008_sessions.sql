-- People who are signed in to the pages, each browser by a secret of its own; of that, as of the secret of a link, only the hash is
-- kept. `token`: the token of the API that it was made of, and with which it ends. `used_at`: when it was used last, some minutes exactly.
create table session (
  id text primary key,
  hash blob not null,
  person text,
  automation text,
  token text,
  created_at bigint not null,
  used_at bigint not null
);
create unique index session_hash on session (hash);

-- Links that sign a person in, once, until they are used or too old. `mailed`: 1 of one that whoever asked for it has not seen, for it
-- went to the address of its person.
create table login_link (
  id text primary key,
  hash blob not null,
  person text not null,
  mailed bigint not null,
  created_at bigint not null
);
create unique index login_link_hash on login_link (hash);
