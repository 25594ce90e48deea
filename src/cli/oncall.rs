//! `onscene oncall`: who is on call, who would be woken, and who stands in, over the API of a running daemon.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::calendar::Calendar;
use super::client::{Client, ServerFlags};
use super::hour::{Ahead, ahead, hour};
use super::hours::{Hours, ask_for, end, length, local};
use super::{Exit, fail, out, reach, say, text};
use crate::config::words;

/// Who is on call, who would be woken, and who stands in
#[derive(Debug, Args)]
pub(super) struct Oncall {
    #[command(flatten)]
    server: ServerFlags,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    asked: Asked,
}

#[derive(Debug, Subcommand)]
enum Asked {
    #[command(flatten)]
    Turns(What),
    #[command(flatten)]
    Reach(reach::What),
}

#[derive(Debug, Subcommand)]
enum What {
    /// Who is on call
    Now {
        /// In one rotation [default: in all]
        #[arg(long, value_name = "NAME")]
        rotation: Option<String>,
        /// In the rotations that are woken for a service
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// At another hour: as in 2026-12-01T02:00:00Z, or 2026-12-01T02:00 in the zone of this terminal ($TZ, else the machine's)
        #[arg(long, value_name = "TIME", value_parser = hour)]
        at: Option<Timestamp>,
    },
    /// Who would be woken for a service at once, after five and after ten minutes
    Preview {
        /// Which service
        #[arg(long, value_name = "NAME")]
        service: String,
        /// How bad: SEV1 to SEV4 [default: SEV1]
        #[arg(long, value_name = "SEVERITY")]
        severity: Option<String>,
        /// From when: in 20m, at the next 02:40, or at a whole hour [default: from now]
        #[arg(long, value_name = "TIME", value_parser = ahead)]
        from: Option<Ahead>,
        /// Until when [default: for four weeks]
        #[arg(long, value_name = "TIME", value_parser = ahead)]
        until: Option<Ahead>,
        /// For how long
        #[arg(long = "for", value_name = "LENGTH", value_parser = length, conflicts_with = "until")]
        lasts: Option<String>,
    },
    /// Somebody stands in
    Override {
        /// In which rotation
        rotation: String,
        /// Who is on call
        person: String,
        /// Instead of whom, where several are [default: of everybody]
        #[arg(long, value_name = "PERSON")]
        instead_of: Option<String>,
        #[command(flatten)]
        hours: Hours,
        /// Why: others see it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Two people take each other's turns
    Swap {
        /// In which rotation
        rotation: String,
        /// One
        person: String,
        /// When they take the other's turn: FROM/UNTIL, as in 2026-12-01T09:00/2026-12-02T09:00
        #[arg(value_name = "FROM/UNTIL", value_parser = span)]
        takes: (Timestamp, Timestamp),
        /// The other
        other: String,
        /// When those take the first one's turn
        #[arg(value_name = "FROM/UNTIL", value_parser = span)]
        other_takes: (Timestamp, Timestamp),
        /// Why: others see it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Somebody is away; their turns are the next one's
    Leave {
        /// Who
        person: String,
        #[command(flatten)]
        hours: Hours,
        /// Why: others see it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List overrides and leaves that are not over, the first to begin first
    List {
        /// Also those that are
        #[arg(long)]
        all: bool,
    },
    /// Follow who is on call in a calendar program, by a private address
    Calendar(Calendar),
    /// End an override or a leave now
    End {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}

/// From one hour to another.
fn span(text: &str) -> Result<(Timestamp, Timestamp), String> {
    let (from, until) = text.split_once('/').ok_or("write it as 2026-12-01T09:00/2026-12-02T09:00")?;
    Ok((hour(from)?, hour(until)?))
}

impl Oncall {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        let what = match self.asked {
            Asked::Turns(what) => what,
            Asked::Reach(what) => return what.run(&client, self.json),
        };
        let answer = match what.ask(&client) {
            Ok(answer) => answer,
            Err(exit) => return exit,
        };
        // Hours are those of the rotation; who wants JSON reads any.
        let zones = match &what {
            What::Now { .. } | What::Preview { .. } | What::Calendar(_) => Ok(BTreeMap::new()),
            _ if self.json => Ok(BTreeMap::new()),
            _ => zones(&client),
        };
        match zones {
            Ok(_) if self.json => out(&format!("{answer}\n")),
            Ok(zones) => out(&what.shown(&answer, &zones)),
            // It is done all the same.
            Err(exit) => return exit,
        }
        Exit::Done
    }
}

/// The zone of each rotation.
type Zones = BTreeMap<String, String>;

fn zones(client: &Client) -> Result<Zones, Exit> {
    let now = client.get("/api/v1/oncall")?;
    let all = ["oncall", "nobody"].into_iter().flat_map(|key| now[key].as_array().into_iter().flatten());
    let named = all.filter_map(|one| Some((one["rotation"].as_str()?, one["time_zone"].as_str()?)));
    Ok(named.map(|(rotation, zone)| (rotation.to_owned(), zone.to_owned())).collect())
}

impl What {
    fn ask(&self, client: &Client) -> Result<Value, Exit> {
        match self {
            Self::Now { rotation, service, at } => {
                let at = at.map(|at| at.to_string());
                client.get(&address(
                    "/api/v1/oncall",
                    &[("rotation", rotation), ("service", service), ("at", &at)],
                ))
            }
            Self::Preview { service, severity, from, until, lasts } => {
                let (from, until) = (from.as_ref().map(Ahead::told), until.as_ref().map(Ahead::told));
                let until = match lasts.as_deref().map(words::duration) {
                    Some(Ok(lasts)) => {
                        let begins = from.unwrap_or_else(|| crate::clock::Clock::system().now());
                        Some(begins.saturating_add(lasts).unwrap_or(begins))
                    }
                    _ => until,
                };
                let (from, until) = (from.map(|at| at.to_string()), until.map(|at| at.to_string()));
                client.get(&address(
                    "/api/v1/oncall/preview",
                    &[
                        ("service", &Some(service.clone())),
                        ("severity", severity),
                        ("from", &from),
                        ("until", &until),
                    ],
                ))
            }
            Self::Override { rotation, person, instead_of, hours, reason } => {
                let mut body = json!({"rotation": rotation, "person": person, "instead_of": instead_of,
                    "reason": reason});
                hours.put(&mut body);
                client.post("/api/v1/overrides", &body)
            }
            Self::Swap { rotation, person, takes, other, other_takes, reason } => {
                let turn = |person: &str, (from, until): &(Timestamp, Timestamp)| json!({"person": person, "starts_at": from, "ends_at": until});
                let both = [turn(person, takes), turn(other, other_takes)];
                client.post("/api/v1/swaps", &json!({"rotation": rotation, "takes": both, "reason": reason}))
            }
            Self::Leave { person, hours, reason } => {
                let mut body = json!({"person": person, "reason": reason});
                hours.put(&mut body);
                client.post("/api/v1/leaves", &body)
            }
            Self::List { all } => {
                let mut answer = ask_for(client, "overrides", *all)?;
                answer["leaves"] = ask_for(client, "leaves", *all)?["leaves"].take();
                Ok(answer)
            }
            Self::Calendar(calendar) => calendar.ask(client),
            Self::End { id } => {
                for kind in ["overrides", "leaves"] {
                    let known = ask_for(client, kind, true)?;
                    let mut all = known[kind].as_array().into_iter().flatten();
                    if all.any(|one| one["id"] == **id) {
                        return end(client, kind, id, "end");
                    }
                }
                Err(fail(&format!("there is no override and no leave {id}")))
            }
        }
    }

    fn shown(&self, answer: &Value, zones: &Zones) -> String {
        match self {
            Self::Now { .. } => now(answer),
            Self::Preview { .. } => preview(answer),
            Self::List { .. } => {
                let of = |kind: &str| answer[kind].as_array().cloned().unwrap_or_default();
                let (overrides, leaves) = (of("overrides"), of("leaves"));
                if overrides.is_empty() && leaves.is_empty() {
                    say("no overrides and no leaves");
                }
                overrides.iter().chain(&leaves).map(|one| whole(one, zones)).collect()
            }
            Self::Override { .. } | Self::Swap { .. } | Self::Leave { .. } => {
                warn(answer);
                let both = answer["overrides"].as_array();
                let all: Vec<&Value> = both.map_or_else(|| vec![answer], |both| both.iter().collect());
                for one in &all {
                    say(whole(one, zones).lines().next().unwrap_or_default());
                }
                // What scripts want is the id.
                all.iter().map(|one| text(&one["id"]) + "\n").collect()
            }
            Self::Calendar(calendar) => calendar.shown(answer),
            Self::End { .. } => whole(answer, zones),
        }
    }
}

fn warn(answer: &Value) {
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        say(&format!("onscene: warning: {}", text(warning)));
    }
}

fn address(path: &str, pairs: &[(&str, &Option<String>)]) -> String {
    let mut address = path.to_owned();
    for (name, value) in pairs {
        if let Some(value) = value {
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(&format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
    }
    address
}

fn now(answer: &Value) -> String {
    let of = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let mut lines = Vec::new();
    for one in of("oncall") {
        let by = match one["override"].as_str() {
            Some(_) => format!(" (override {})", text(&one["override"])),
            None => String::new(),
        };
        lines.push((text(&one["rotation"]), format!("{}{by}", text(&one["person"])), one));
    }
    for one in of("nobody") {
        lines.push((text(&one["rotation"]), "NOBODY".to_owned(), one));
    }
    for one in of("shadows") {
        lines.push((text(&one["rotation"]), format!("{} (is told only)", text(&one["person"])), one));
    }
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    let width = lines.iter().map(|(rotation, ..)| rotation.len()).max().unwrap_or_default();
    let shown = lines.iter().map(|(rotation, who, one)| {
        // A calendar may say nothing of what comes after.
        let until = match &one["until"] {
            Value::Null => String::new(),
            until => format!(", until {}", local(until, &one["time_zone"])),
        };
        format!("{rotation:width$}  {who}{until}\n")
    });
    shown.collect()
}

fn preview(answer: &Value) -> String {
    let mut shown = format!(
        "service {}, {}, policy {} (hours of {}):\n",
        text(&answer["service"]),
        text(&answer["severity"]),
        text(&answer["policy"]),
        text(&answer["time_zone"])
    );
    let zone = &answer["time_zone"];
    let bare = |at: &Value| {
        let whole = local(at, zone);
        whole
            .strip_suffix(zone.as_str().unwrap_or_default())
            .map_or(whole.clone(), |bare| bare.trim_end().to_owned())
    };
    for span in answer["spans"].as_array().into_iter().flatten() {
        shown.push_str(&format!("  {} to {}:", bare(&span["from"]), bare(&span["until"])));
        for (after, people) in [0, 5, 10].iter().zip(span["woken"].as_array().into_iter().flatten()) {
            let names: Vec<String> = people.as_array().into_iter().flatten().map(text).collect();
            let names = if names.is_empty() { "-".to_owned() } else { names.join(", ") };
            shown.push_str(&format!("  +{after} min {names}"));
        }
        shown.push('\n');
    }
    shown
}

/// An override in the hours of its rotation, a leave in those of this machine.
fn whole(one: &Value, zones: &Zones) -> String {
    let of_rotation = one["rotation"].as_str().and_then(|rotation| zones.get(rotation).cloned());
    let zone = of_rotation.or_else(|| TimeZone::system().iana_name().map(str::to_owned));
    let zone = json!(zone.unwrap_or_else(|| "UTC".into()));
    let what = match (one["rotation"].as_str(), one["instead_of"].as_str()) {
        (Some(_), Some(_)) => {
            format!("{} for {} in {}", text(&one["person"]), text(&one["instead_of"]), text(&one["rotation"]))
        }
        (Some(_), None) => format!("{} in {}", text(&one["person"]), text(&one["rotation"])),
        _ => format!("{} is away", text(&one["person"])),
    };
    let ended = match one["ended_by"].as_str() {
        Some(_) => format!(", ended by {}", text(&one["ended_by"])),
        None => String::new(),
    };
    format!(
        "{} {:<7}  {what}, {} to {}\n  {}: {}{ended}\n",
        text(&one["id"]),
        text(&one["state"]),
        local(&one["starts_at"], &zone),
        local(&one["ends_at"], &zone),
        text(&one["author"]),
        text(&one["reason"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_a_swap_is_two_hours() {
        let (from, until) = span("2026-12-01T09:00:00Z/2026-12-02T09:00:00+01:00").unwrap();
        assert_eq!(
            (from.to_string(), until.to_string()),
            ("2026-12-01T09:00:00Z".into(), "2026-12-02T08:00:00Z".into())
        );
        for wrong in ["2026-12-01T09:00", "a/b", "2026-12-01T09:00/tomorrow"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_is_on_call_is_told_in_the_hours_of_the_rotation() {
        let answer = json!({
            "oncall": [{"rotation": "sre", "person": "kim", "until": "2026-12-01T08:00:00Z", "override": "abc",
                "time_zone": "Europe/Oslo"}],
            "nobody": [{"rotation": "dba", "until": "2026-12-01T08:00:00Z", "time_zone": "UTC"}],
            "shadows": [{"rotation": "sre", "person": "tom", "until": "2026-12-01T08:00:00Z", "time_zone": "Europe/Oslo"}],
        });
        assert_eq!(
            now(&answer),
            "dba  NOBODY, until Tue 2026-12-01 08:00 UTC\nsre  kim (override abc), until Tue 2026-12-01 09:00 Europe/Oslo\n\
             sre  tom (is told only), until Tue 2026-12-01 09:00 Europe/Oslo\n"
        );
    }

    #[test]
    fn an_override_says_whose_place_it_is_and_why() {
        let one = json!({"id": "abc", "rotation": "sre", "person": "kim", "instead_of": "maya", "state": "active",
            "starts_at": "2026-12-01T08:00:00Z", "ends_at": "2026-12-01T16:00:00Z", "author": "maya", "reason": "the dentist",
            "ended_by": "tom"});
        let zones = Zones::from([("sre".to_owned(), "Europe/Oslo".to_owned())]);
        assert_eq!(
            whole(&one, &zones),
            "abc active   kim for maya in sre, Tue 2026-12-01 09:00 Europe/Oslo to Tue 2026-12-01 17:00 Europe/Oslo\n  maya: \
             the dentist, ended by tom\n"
        );
    }
}
