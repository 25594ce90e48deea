-- A row is one running process: its name ends in a random word. `shown`: its host and address, which another may have as
-- well; null: the name is that, as older versions write it. `began_at`: when this process was heard of first.
alter table node add column shown text;
alter table node add column began_at bigint;

-- A place that only one process can have at a time: the directory of a spool, or an address of one machine. Who is found
-- there has come after whoever was there before.
alter table node add column place text;

-- What it knows of its own ears: since when it has taken all that was sent to it, and until when it vouches for that.
-- Null: it does not say. A node that stopped as it should has seen_at 0, and is remembered for what it said of that.
alter table node add column heard_since bigint;
alter table node add column heard_until bigint;

-- Of a body that could not be understood: which of its alerts were taken, as words with blanks between.
alter table unreadable add column taken text not null default '';
