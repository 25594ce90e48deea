//! The rules of onscene: pure functions over plain values.
//!
//! Nothing here reads a clock, a file, a socket or a configuration file, nothing here is async, and
//! nothing here knows how a value is written down (no serde). Every function that needs the hour is
//! handed it as `now`. The core imports no sibling module, so it could move out whole.
//!
//! - [`alert`]: one delivery's statement (event) against what is known of the alert;
//! - [`board`], [`command`]: what stands on an incident's board, who holds which office, and how command passes;
//! - [`brief`], [`next_step`]: what somebody reads before they take command, and the one thing that a reader should do now;
//! - [`correlate`]: which incident an alert joins that would else open its own;
//! - [`incident`]: what people respond to, as the fold of its timeline;
//! - [`timeline`]: the facts an incident is made of;
//! - [`decide`]: the only place where an incident changes;
//! - [`escalation`], [`oncall`]: whom to wake, and when;
//! - [`reach`]: by which ways a page reaches its person;
//! - [`delivery_drill`]: whether pages do reach their people, tried once a week;
//! - [`letter`]: what has to be told to whom because of a decision;
//! - [`mail`]: what a message means for the incident of the letter it answers;
//! - [`matcher`], [`route`]: what an alert is about, by what it says;
//! - [`silence`], [`maintenance`]: alerts that wake nobody for a while;
//! - [`condition`]: what people are to know who are woken meanwhile;
//! - [`meeting`]: where people meet, and which of these places may be down with what broke;
//! - [`inhibit`]: alerts that wake nobody while others fire;
//! - [`flapping`]: alerts that come and go;
//! - [`audience`], [`disclosure`]: who reads a statement, and what it must not say to them;
//! - [`voice`]: the words of statements;
//! - [`heartbeat`]: pings whose absence is an alert;
//! - [`noise`]: how often people were woken, and by what;
//! - [`load`]: how the load of being on call is shared;
//! - [`search`]: what alerts and incidents are found by;
//! - [`role`]: what whoever is known may do;
//! - [`rules`]: the part of the configuration that decisions depend on.

pub mod alert;
pub mod audience;
pub mod board;
pub mod brief;
pub mod command;
pub mod condition;
pub mod correlate;
pub mod decide;
pub mod delivery_drill;
pub mod disclosure;
pub mod escalation;
pub mod flapping;
pub mod heartbeat;
pub mod incident;
pub mod inhibit;
pub mod letter;
pub mod load;
pub mod mail;
pub mod maintenance;
pub mod matcher;
pub mod meeting;
pub mod next_step;
pub mod noise;
pub mod oncall;
pub mod prove;
pub mod reach;
pub mod role;
pub mod route;
pub mod rules;
pub mod search;
pub mod silence;
#[cfg(test)]
mod stories;
#[cfg(test)]
pub(crate) mod stories_command;
#[cfg(test)]
mod stories_command_clocks;
#[cfg(test)]
mod stories_laws;
#[cfg(test)]
mod stories_policy;
#[cfg(test)]
mod stories_transfer;
#[cfg(test)]
mod stories_voice;
#[cfg(test)]
mod stories_voice_more;
#[cfg(test)]
mod stories_whole;
pub mod timeline;
pub mod voice;
pub mod words;
