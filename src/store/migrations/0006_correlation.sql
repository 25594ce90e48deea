-- Which open incident an alert joins. `leads`: the service at fault, else the one that was seen first; `grp`: the values of the
-- labels by which that service is grouped; `joined_at`: when an alert last joined; `firing`: how many of its alerts fire.
alter table incident add column leads text not null default '';
alter table incident add column grp text not null default '';
alter table incident add column joined_at bigint not null default 0;
alter table incident add column storm bigint not null default 0;
alter table incident add column firing bigint not null default 0;
update incident set leads = service, joined_at = opened_at where phase <> 'resolved';
create index incident_leads on incident (leads, joined_at) where phase <> 'resolved';
create index incident_opened on incident (opened_at) where phase <> 'resolved';
create index incident_storm on incident (joined_at) where storm = 1 and phase <> 'resolved';

-- The sender's own grouping.
alter table alert add column grp text;
create index alert_group on alert (source, grp, incident) where grp is not null;

-- Alerts whose incident became part of another, so that they can go back.
create table alert_move (
  alert bigint not null,
  from_incident bigint not null,
  into_incident bigint not null,
  moved_at bigint not null,
  primary key (from_incident, into_incident, alert)
);
create index alert_move_into on alert_move (into_incident);
create index alert_move_alert on alert_move (alert);
