//! The daemon as it is run: the real binary, real sockets, real programs beside it.
//!
//! - `harness`: starts the daemon and other programs on loopback, on free ports, and ends them;
//! - `answers`: answers to pages by text message, by a key during a call, and by buttons in chats;
//! - `away`: a node cut off from its shared store hears all the same;
//! - `calendar`: rotations that follow a calendar, and the other way round;
//! - `carriers`: services that carry pages, as they are called and call back;
//! - `command`: who commands, offices, changes and requests, over the API and through kills;
//! - `command_line`: the same by the commands, and what was said elsewhere;
//! - `compat`: the APIs of PagerDuty and Opsgenie, and CloudEvents, whose senders ask first;
//! - `day`: the main loop as a new user walks it;
//! - `disk`: full, read-only, or in somebody else's hands;
//! - `drill`: the delivery drill, killed in the middle and by two nodes;
//! - `entered`: whose browser an answer logs in, as whom, and how that ends;
//! - `exported`: incidents that are taken out of the store, and proved without it;
//! - `faults`: bad input and hostile clients;
//! - `followed`: timelines that are followed, through crashes, cuts and slow readers;
//! - `heartbeat`: pings that have to come again and again;
//! - `incident_page`: the page of an incident: who sees which forms, and what they do;
//! - `kill9`: `kill -9` under load, in a loop;
//! - `known`: known conditions: what people are told who are woken meanwhile;
//! - `last`: what people see meanwhile: the last known state, with its age;
//! - `mapped`: senders whose body is their own;
//! - `matrix`: letters to a person, by a real server of Matrix;
//! - `meeting`: where people meet, and where instead;
//! - `nodes`: several nodes on one store;
//! - `real`: the programs it meets in the field;
//! - `remote`: commands from another machine;
//! - `replication`: three nodes on two servers, and everything that fails in the field;
//! - `robots`: programs that open answer links, and do not become Commander;
//! - `rota`: who is on call when, against another implementation of time zones;
//! - `roster`: who is on call, and who stands in;
//! - `send`: events from scripts while the daemon is there, away, and back;
//! - `senders`: the files of deploy/ for Nagios, Icinga, keepalived, Monit and cron, each run by the real program;
//! - `signed`: deliveries that are signed, and what is shown of a body;
//! - `signin`: who logs in to the pages, by which way, and what they may do there;
//! - `silenced`: silences of the house, and maintenance;
//! - `sns`: what Amazon SNS sends, and who would like to be it;
//! - `tidy`: the rules of the house;
//! - `way`: a way to a server that passes, cuts or stalls;
//! - `ways`: pages by several ways, and tests of whether they reach people.

#![allow(unreachable_pub, reason = "one binary: `pub` here means for the other suites")]
#![allow(clippy::disallowed_methods, reason = "tests wait, read the clock and start programs by themselves")]
#![allow(clippy::print_stderr, reason = "a test that fails shows the daemon's log")]

mod answers;
mod away;
mod calendar;
mod carriers;
mod command;
mod command_line;
mod compat;
mod day;
mod disk;
mod drill;
mod entered;
mod exported;
mod faults;
mod followed;
mod gathered;
mod harness;
mod heartbeat;
mod history;
mod incident_page;
mod kill9;
mod known;
mod last;
mod mapped;
mod matrix;
mod meeting;
mod nodes;
mod real;
mod remote;
mod replication;
mod robots;
mod roster;
mod rota;
mod routed;
mod send;
mod senders;
mod signed;
mod signin;
mod silenced;
mod sns;
mod tidy;
mod way;
mod ways;
