-- Alerts that keep others quiet while they fire. `place`: the hash of a rule and of the values that have to be equal, under which
-- those look that may be kept quiet; `rule`: the hash of the rule alone, by which rows are forgotten when it has gone.
create table inhibitor (
  alert bigint not null,
  rule bigint not null,
  place bigint not null,
  primary key (alert, place)
);
create index inhibitor_place on inhibitor (place);
-- Where an alert looked that is kept quiet so.
alter table alert add column inhibited bigint;
create index alert_inhibited on alert (inhibited) where inhibited is not null;

-- When an alert changed its status last, in Unix seconds, as many as are counted; and since when it flaps.
alter table alert add column changes text not null default '';
alter table alert add column flaps_since bigint;
