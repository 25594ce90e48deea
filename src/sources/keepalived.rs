//! keepalived, through `onscene send --fifo` or `--keepalived`.
//!
//! Facts, with their origin (acassen/keepalived `doc/man/man5/keepalived.conf.5.in`, its sample of a fifo's reader, and
//! Debian's keepalived 2.2.7, which the tests run):
//! - A `notify` script gets four words: GROUP or INSTANCE, the name, the state, the priority. A fifo gets lines of the same
//!   words, the name in quotes, and of virtual and real servers: `VS [ADDR]:tcp:PORT UP`,
//!   `RS [ADDR]:tcp:PORT [VIP]:tcp:PORT DOWN`. A virtual server may also be a firewall mark or a group.
//! - Scripts run at the same time and may overtake each other; the lines of a fifo come in order. None of them says which
//!   machine speaks: `onscene send` adds that.
//! - MASTER and BACKUP are both well, and change places in every election. FAULT is not: this machine cannot take over.
//!   STOP and DELETED are what people do.
//! - MASTER_RX_LOWER_PRI comes only by a fifo (there is a script of its own for it, without words), at each advert that a
//!   master hears from another master of a lower priority. `onscene send --fifo` sends it on twice a minute at most.
//!
//! **Two masters** are an alert of their own, `two-masters/NAME`, of all machines together: the one that complains is not
//! the one that ought to give way. It fires when a master hears a lesser one, and is over when any machine of that
//! instance becomes BACKUP or FAULT, or stops.
//!
//! It cannot be seen when neither hears the other: then each says MASTER and no more, which is also what an election
//! looks like. A check from outside that asks both machines sees that, nothing here does. What keepalived says of two
//! masters with one priority has not been tried. With three machines it is over too early when the third, which was no
//! master, goes to BACKUP or stops; it fires again within half a minute. The names of instances have to be the same on
//! all machines of a pair and different from those of other pairs of the same source.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// keepalived.
pub const KIND: Kind = Kind::new(
    "keepalived",
    "keepalived",
    "By `onscene send`, on each machine: in `global_defs` write `notify_fifo /run/keepalived/onscene` and \
     `notify_fifo_script \"/usr/bin/onscene send SOURCE --fifo\"`; deploy/keepalived/onscene.conf of onscene's sources has \
     it ready, with the token's file. For an instance alone, `notify \"/usr/bin/onscene send SOURCE --keepalived\"` does, \
     but sees no real servers and no second master.",
    read,
);

/// The alert of two masters: before the name of the instance.
const TWO_MASTERS: &str = "two-masters";

/// What keepalived says, in its words.
#[derive(Debug, PartialEq, Eq)]
struct Said<'a> {
    /// GROUP, INSTANCE, VS or RS.
    kind: &'a str,
    name: &'a str,
    /// Of a real server: the virtual one it serves.
    of: Option<&'a str>,
    state: &'a str,
    priority: Option<&'a str>,
}

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let fields = wire::fields(delivery)?;
    let host = wire::text(&fields, &["host"]).ok_or_else(|| wire::unreadable("there is no `host`"))?;
    let line = wire::text(&fields, &["line"]);
    let text = |name: &str| wire::text(&fields, &[name]).unwrap_or_default();
    let (kind, name, of, state, priority) =
        (text("type"), text("name"), text("of"), text("state"), text("priority"));
    let said = match &line {
        Some(line) => Said::of_line(line)?,
        None => Said {
            kind: &kind,
            name: &name,
            of: (!of.is_empty()).then_some(of.as_str()),
            state: &state,
            priority: (!priority.is_empty()).then_some(priority.as_str()),
        },
    };
    said.events(&host)?
        .into_iter()
        .map(|event| wire::bounded(complete(event, &host, &said, &fields)))
        .collect()
}

impl<'a> Said<'a> {
    fn of_line(line: &'a str) -> Result<Self, Unreadable> {
        let cut = || wire::unreadable("`line` has too few words for a line of keepalived's fifo");
        let (kind, rest) = line.split_once(' ').ok_or_else(cut)?;
        if let Some(quoted) = rest.trim_start().strip_prefix('"') {
            let (name, rest) = quoted.rsplit_once('"').ok_or_else(cut)?;
            let mut words = rest.split_whitespace();
            let state = words.next().ok_or_else(cut)?;
            return Ok(Self { kind, name, of: None, state, priority: words.next() });
        }
        // The name of a virtual server may have spaces; that of a real one has none.
        let (name, state) = rest.trim().rsplit_once(' ').ok_or_else(cut)?;
        let (name, of) = match name.split_once(' ') {
            Some((name, of)) if kind == "RS" => (name, Some(of.trim())),
            _ => (name, None),
        };
        Ok(Self { kind, name: name.trim(), of, state, priority: None })
    }

    fn events(&self, host: &str) -> Result<Vec<Event>, Unreadable> {
        if self.name.is_empty() {
            return Err(wire::unreadable("there is no `name`"));
        }
        match self.kind {
            "INSTANCE" | "GROUP" => self.of_vrrp(host),
            "VS" | "RS" => Ok(vec![self.of_server(host)?]),
            _ => Err(wire::unreadable("`type` is none of INSTANCE, GROUP, VS and RS")),
        }
    }

    fn of_vrrp(&self, host: &str) -> Result<Vec<Event>, Unreadable> {
        let Self { kind, name, state, .. } = *self;
        let what = if kind == "GROUP" { "group" } else { "instance" };
        let status = match state {
            "MASTER" | "BACKUP" => Status::Resolved,
            "FAULT" => Status::Firing,
            "STOP" | "DELETED" | "MASTER_PRIORITY" | "BACKUP_PRIORITY" => Status::Info,
            "MASTER_RX_LOWER_PRI" => return Ok(vec![self.two_masters(host)]),
            _ => {
                return Err(wire::unreadable(
                    "`state` is none of MASTER, BACKUP, FAULT, STOP, DELETED, MASTER_RX_LOWER_PRI, MASTER_PRIORITY and \
                     BACKUP_PRIORITY",
                ));
            }
        };
        let title = format!("{host}: {what} {name} is {state}");
        let mut event = Event::new(format!("{host}/{kind}/{name}"), status, title);
        event.severity = (status == Status::Firing).then_some(AlertSeverity::Error);
        let mut events = vec![event];
        if kind == "INSTANCE" && matches!(state, "BACKUP" | "FAULT" | "STOP" | "DELETED") {
            let title = format!("{name}: {host} is {state} and no second master");
            events.push(Event::new(format!("{TWO_MASTERS}/{name}"), Status::Resolved, title));
        }
        Ok(events)
    }

    fn two_masters(&self, host: &str) -> Event {
        let name = self.name;
        let title = format!("{name} has two masters");
        let mut event = Event::new(format!("{TWO_MASTERS}/{name}"), Status::Firing, title);
        event.severity = Some(AlertSeverity::Critical);
        event.body = format!(
            "{host} is master of {name} and hears another master of a lower priority, which does not hear it. Both hold the \
             address, and who reaches which is chance. Look at the network between them, and at firewalls (VRRP is IP \
             protocol 112)."
        );
        event
    }

    fn of_server(&self, host: &str) -> Result<Event, Unreadable> {
        let Self { kind, name, of, state, .. } = *self;
        let status = match state {
            "UP" => Status::Resolved,
            "DOWN" => Status::Firing,
            "STOP" | "DELETED" => Status::Info,
            _ => return Err(wire::unreadable("`state` of a server is neither UP nor DOWN")),
        };
        let behind = of.map_or_else(String::new, |of| format!("/{of}"));
        let title = match of {
            Some(of) => format!("{host}: real server {name} of {of} is {state}"),
            None if kind == "RS" => format!("{host}: real server {name} is {state}"),
            None => format!("{host}: virtual server {name} is {state}"),
        };
        let mut event = Event::new(format!("{host}/{kind}/{name}{behind}"), status, title);
        // Without one real server there is less room, without its quorum a virtual one serves nobody.
        let severity = if kind == "VS" { AlertSeverity::Critical } else { AlertSeverity::Warning };
        event.severity = (status == Status::Firing).then_some(severity);
        Ok(event)
    }
}

/// What all events of a delivery have.
fn complete(mut event: Event, host: &str, said: &Said<'_>, fields: &Map<String, Value>) -> Event {
    let labels = [
        ("host", Some(host)),
        ("type", Some(said.kind)),
        ("name", Some(said.name)),
        ("virtual_server", said.of),
        ("state", Some(said.state)),
        ("priority", said.priority),
    ];
    for (name, value) in labels {
        event.labels.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
    event.occurred_at = wire::time(fields, &["occurred_at"]);
    event.delivery_id = wire::text(fields, &["delivery_id"]);
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn of(host: &str, line: &str) -> Vec<Event> {
        post(&KIND, json!({"host": host, "line": line}).to_string().as_bytes()).unwrap()
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn a_fault_opens_and_both_other_places_close() {
        let key_and_status = |line: &str| {
            let event = of("lb-a", line).remove(0);
            (event.key, event.status)
        };
        let key = "lb-a/INSTANCE/VI_1".to_owned();
        assert_eq!(key_and_status("INSTANCE \"VI_1\" FAULT 100"), (key.clone(), Status::Firing));
        assert_eq!(key_and_status("INSTANCE \"VI_1\" BACKUP 100"), (key.clone(), Status::Resolved));
        assert_eq!(key_and_status("INSTANCE \"VI_1\" MASTER 100"), (key.clone(), Status::Resolved));
        assert_eq!(key_and_status("INSTANCE \"VI_1\" STOP 0"), (key, Status::Info));
        assert_eq!(key_and_status("GROUP \"VG 1\" FAULT 0").0, "lb-a/GROUP/VG 1");
    }

    #[test]
    fn the_words_of_a_script_mean_what_a_line_means() {
        let words =
            json!({"host": "lb-a", "type": "INSTANCE", "name": "VI_1", "state": "FAULT", "priority": 100});
        assert_eq!(
            post(&KIND, words.to_string().as_bytes()).unwrap(),
            of("lb-a", "INSTANCE \"VI_1\" FAULT 100")
        );
    }

    #[test]
    fn two_masters_are_one_alert_whoever_complains_and_whoever_gives_way() {
        let fires = of("lb-a", "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 150");
        assert_eq!(
            (fires.len(), fires[0].status, fires[0].severity),
            (1, Status::Firing, Some(AlertSeverity::Critical))
        );
        for state in ["BACKUP", "FAULT", "STOP"] {
            let over = of("lb-b", &format!("INSTANCE \"VI_1\" {state} 100")).remove(1);
            assert_eq!((over.key.as_str(), over.status), ("two-masters/VI_1", Status::Resolved), "{state}");
            assert_eq!(over.key, fires[0].key);
        }
        assert_eq!(of("lb-b", "INSTANCE \"VI_1\" MASTER 100").len(), 1, "an election ends nothing");
    }

    #[test]
    fn servers_have_their_addresses_for_a_key() {
        let down = of("lb-a", "RS [10.0.0.7]:tcp:80 [192.0.2.1]:tcp:80 DOWN").remove(0);
        let up = of("lb-a", "RS [10.0.0.7]:tcp:80 [192.0.2.1]:tcp:80 UP").remove(0);
        assert_eq!((&down.key, down.status), (&up.key, Status::Firing));
        assert_eq!(down.key, "lb-a/RS/[10.0.0.7]:tcp:80/[192.0.2.1]:tcp:80");
        assert_eq!(of("lb-a", "VS [192.0.2.1]:tcp:80 DOWN").remove(0).key, "lb-a/VS/[192.0.2.1]:tcp:80");
        assert_eq!(of("lb-a", "VS FWM 7 UP").remove(0).key, "lb-a/VS/FWM 7");
    }

    #[test]
    fn what_is_no_line_of_a_fifo_is_refused_without_quoting_it() {
        for line in ["hunter2", "INSTANCE", "INSTANCE \"hunter2", "INSTANCE \"VI_1\"", "hunter2 a UP"] {
            let why = why(&json!({"host": "h", "line": line}));
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(
            why(&json!({"host": "h", "line": "INSTANCE \"VI_1\" HUNTER2 1"}))
                .starts_with("`state` is none of")
        );
        assert_eq!(why(&json!({"line": "VS x UP"})), "there is no `host`");
        assert_eq!(why(&json!({"host": "h", "type": "INSTANCE", "state": "FAULT"})), "there is no `name`");
    }
}
