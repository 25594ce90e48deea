-- Headers of a body that could not be understood, as a JSON object: some kinds of sources say there what the body is.
alter table unreadable add column headers text not null default '{}';
