-- Whether an attempt before may have written a letter: it is looked for before it is written again, or left out.
alter table letter add column unsure bigint not null default 0;
