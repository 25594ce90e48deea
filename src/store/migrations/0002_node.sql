-- Nodes that share this store, and which configuration each of them runs with.
create table node (
  name text primary key,
  config_hash text not null,
  version text not null,
  seen_at bigint not null
);
