//! Icinga 2. It notifies as Nagios does, and is read by the same reader: see `nagios.rs` for the facts.
//!
//! What differs (Icinga/icinga2 `lib/icinga/notification.cpp`, its documentation on monitoring basics): commands are run
//! without a shell, so that no output of a check can be a command; hosts are only Up or Down; flapping ends with
//! FLAPPINGEND, and a downtime that is cancelled is DOWNTIMEREMOVED. The names of an object are not its display names:
//! the key is made of the names.

use super::{Kind, nagios};

/// Icinga.
pub const KIND: Kind = Kind::new(
    "icinga",
    "Icinga 2",
    "By `onscene send`, on the machine of Icinga: put deploy/icinga2/onscene.conf of onscene's sources beside your \
     configuration (/etc/icinga2/conf.d or a global zone), and the token of this source into the file it names. It has two \
     NotificationCommands, a User and two apply rules, which notify of everything whose variable `onscene` is true. Leave \
     flapping and downtimes among the types: what recovers in a downtime is only said at its end.",
    nagios::read,
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::alert::Status;
    use crate::sources::tests::post;

    #[test]
    fn what_icinga_says_of_a_host_opens_and_closes() {
        let of = |kind: &str, state: &str| {
            let body = json!({"type": kind, "host": "web-1", "state": state, "output": "PING"});
            post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
        };
        let (fires, over, flaps) = (of("PROBLEM", "DOWN"), of("RECOVERY", "UP"), of("FLAPPINGEND", "UP"));
        assert_eq!(
            [fires.status, over.status, flaps.status],
            [Status::Firing, Status::Resolved, Status::Resolved]
        );
        assert_eq!(fires.key, over.key);
    }
}
