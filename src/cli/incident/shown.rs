//! An incident as the commands print it: who commands, who does what, and what stands on the board.

use serde_json::Value;

use crate::cli::condition::about;
use crate::cli::hours::second;
use crate::cli::text;
use crate::core::command::Office;

pub(super) fn line(incident: &Value) -> String {
    let command = match incident["commander"]["person"].as_str() {
        Some(person) => format!("{person} has command"),
        None if incident["state"] == "resolved" => match incident["merged_into"].as_i64() {
            Some(other) => format!("part of INC-{other}"),
            None => text(&incident["resolution"]),
        },
        None => "nobody has command".into(),
    };
    let cause = match text(&incident["at_fault"]) {
        none if none.is_empty() => none,
        service => format!("; {service} is at fault"),
    };
    let storm = if incident["storm"] == true { "; a storm" } else { "" };
    format!(
        "INC-{} {} {:<12} {}: {}{cause}{storm}; {command}",
        incident["id"],
        text(&incident["severity"]),
        text(&incident["state"]),
        text(&incident["service"]),
        text(&incident["title"])
    )
}

pub(super) fn whole(incident: &Value) -> String {
    let mut shown = line(incident) + "\n";
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            shown.push_str(&format!("  {name:<14}{value}\n"));
        }
    };
    for (name, value) in command(incident) {
        add(name, value);
    }
    for known in incident["known"].as_array().into_iter().flatten() {
        let until = second(&known["until"]);
        add("known", format!("{} ({}; until {until})", text(&known["text"]), about(known)));
    }
    add("at fault", text(&incident["at_fault"]));
    let also: Vec<String> = incident["also"].as_array().into_iter().flatten().map(text).collect();
    add("also struck", also.join(", "));
    add("storm", if incident["storm"] == true { "yes".into() } else { String::new() });
    add("part of", incident["merged_into"].as_i64().map_or(String::new(), |id| format!("INC-{id}")));
    add("opened", text(&incident["opened_at"]));
    add("acknowledged", text(&incident["acknowledged_at"]));
    add("mitigated", text(&incident["mitigated_at"]));
    add("resolved", text(&incident["resolved_at"]));
    add("next update", text(&incident["next_update_by"]));
    for (name, value) in places(incident) {
        add(name, value);
    }
    for (name, value) in board(&incident["board"]) {
        add(name, value);
    }
    for person in all(&incident["responders"]) {
        let eta = when(", expected at ", &person["eta"]);
        let status = text(&person["status"]).replace('_', " ");
        add("responder", format!("{}: {status}{eta}", text(&person["person"])));
    }
    for alert in incident["alerts"].as_array().into_iter().flatten() {
        let seen =
            format!("{} ({}, {} events)", text(&alert["title"]), text(&alert["status"]), alert["count"]);
        add("alert", format!("{} {seen}", text(&alert["source"])));
    }
    shown
}

fn all(values: &Value) -> &[Value] {
    values.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// An hour with words before it; nothing where there is none.
fn when(words: &str, hour: &Value) -> String {
    if hour.is_null() { String::new() } else { format!("{words}{}", second(hour)) }
}

/// Words with others before them; nothing where there are none.
fn with(words: &str, value: &Value) -> String {
    let value = text(value);
    if value.is_empty() { value } else { format!("{words}{value}") }
}

/// The term that is current; 0 where nobody commands.
pub(super) fn term(incident: &Value) -> u32 {
    incident["commander"]["term"].as_u64().and_then(|term| u32::try_from(term).ok()).unwrap_or(0)
}

/// Who commands, who holds the other offices, and what is about to change of that. STOP comes first.
fn command(incident: &Value) -> Vec<(&'static str, String)> {
    let mut shown = Vec::new();
    let stop = &incident["board"]["stop"];
    if stop.is_object() {
        let by = format!("{}, since {}", text(&stop["by"]), second(&stop["at"]));
        let later = later(&incident["board"], &stop["entry"]);
        shown.push(("STOP", format!("nothing is to be changed: {}{later} ({by})", text(&stop["text"]))));
    }
    let commander = &incident["commander"];
    if commander.is_object() {
        let since = format!("term {}, since {}", text(&commander["term"]), second(&commander["since"]));
        shown.push(("Commander", format!("{} ({since})", text(&commander["person"]))));
        let posts = all(&incident["offices"]);
        for office in Office::ALL {
            let of = |accepted: bool| {
                let is_it = |post: &&Value| {
                    post["office"] == office.as_str() && (post["accepted"] != false) == accepted
                };
                posts.iter().find(is_it).map(|post| text(&post["person"]))
            };
            let holder = of(true).unwrap_or_else(|| format!("the Commander, {}", text(&commander["person"])));
            let asked = of(false).map(|asked| format!("; {asked} is asked")).unwrap_or_default();
            shown.push((short(office), format!("{holder}{asked}")));
        }
    }
    let offer = &incident["offer"];
    if offer.is_object() {
        let how = if offer["ordered"] == true { "ordered by" } else { "by" };
        let until = format!("{how} {}, until {}", text(&offer["by"]), second(&offer["expires"]));
        shown.push(("offer", format!("to {} ({until}{})", text(&offer["to"]), with("; ", &offer["reason"]))));
    }
    let names = |values: &Value| all(values).iter().map(text).collect::<Vec<_>>().join(", ");
    shown.push(("asks for it", names(&incident["asks_for_command"])));
    shown.push(("not aware", names(&incident["unaware"])));
    shown
}

/// The name of an office where there is little room.
fn short(office: Office) -> &'static str {
    match office {
        Office::Deputy => "Deputy",
        Office::Pio => "PIO",
        Office::Safety => "Safety",
        Office::Liaison => "Liaison",
        Office::Scribe => "Scribe",
    }
}

/// What stands on the board; what is over is left to the timeline.
fn board(board: &Value) -> Vec<(&'static str, String)> {
    let mut shown = Vec::new();
    let said = |said: &Value| {
        let by = format!("{}, {}", text(&said["by"]), second(&said["at"]));
        let later = later(board, &said["entry"]);
        if said.is_object() { format!("{}{later} ({by})", text(&said["text"])) } else { String::new() }
    };
    for (name, key) in
        [("size-up", "size_up"), ("objective", "objective"), ("plan", "plan"), ("meet at", "meeting")]
    {
        shown.push((name, said(&board[key])));
    }
    let report = &board["report"];
    if report.is_object() {
        let by = format!("{}, {}", text(&report["by"]), second(&report["at"]));
        let words = format!("{}{}", text(&report["trend"]), with(": ", &report["text"]));
        shown.push(("progress", format!("{words}{} ({by})", later(board, &report["entry"]))));
    }
    let late = |one: &Value| if one["late"] == true { ", late" } else { "" };
    let is_open = |one: &&Value| one["ended"].is_null();
    for action in all(&board["actions"]).iter().filter(is_open) {
        let who = if action["assigned"] == false { ", who was given nothing to do here" } else { "" };
        let what = format!("{}{}", text(&action["what"]), with(" at ", &action["where"]));
        let what = what + &later(board, &action["entry"]);
        let undo = with("; to undo it: ", &action["undo"]);
        let since = format!("{}{who}, since {}", text(&action["person"]), second(&action["at"]));
        shown.push(("change", format!("{} {what} ({since}){undo}", action["number"])));
    }
    for task in all(&board["tasks"]).iter().filter(is_open) {
        let limit = format!("{}{}", when(", by ", &task["limit"]), late(task));
        let what = text(&task["what"]) + &later(board, &task["entry"]);
        shown.push(("task", format!("{} {}{limit}: {what}", task["number"], text(&task["person"]))));
    }
    for request in all(&board["requests"]).iter().filter(|one| one["state"] != "released") {
        let sorts = ["rotation", "person", "capability"];
        let wanted = sorts.iter().find(|sort| request[**sort].is_string());
        let wanted = wanted.map(|sort| format!("{sort} {}", text(&request[*sort]))).unwrap_or_default();
        let people = all(&request["people"]).iter().map(text).collect::<Vec<_>>().join(", ");
        let people = if people.is_empty() { "nobody".to_owned() } else { people };
        let state = text(&request["state"]).replace('_', " ");
        let why = with(": ", &request["why"]) + &later(board, &request["entry"]);
        shown.push(("request", format!("{} {wanted}{why} ({state}; paged: {people})", request["number"])));
    }
    for contact in all(&board["contacts"]).iter().filter(|one| one["closed"] != true) {
        let whom = format!("{}{}", text(&contact["body"]), with(", ", &contact["contact"]));
        let ticket = with(", ticket ", &contact["ticket"]);
        let promised = format!("{}{}", when(", back by ", &contact["promised"]), late(contact));
        let said = with(": ", &contact["text"]) + &later(board, &contact["entry"]);
        shown.push(("outside", format!("{whom}{ticket}{promised}{said}")));
    }
    for finding in all(&board["findings"]) {
        let what = if finding["ok"] == true { "works, ruled out" } else { "is bad" };
        let by = format!("{}, known since {}", text(&finding["by"]), second(&finding["known_at"]));
        let seen = with(": ", &finding["text"]) + &later(board, &finding["entry"]);
        shown.push(("found", format!("{} {what}{seen} ({by})", text(&finding["component"]))));
    }
    shown
}

/// What was said later of what an entry says. A daemon of the version before names neither.
fn later(board: &Value, entry: &Value) -> String {
    let mut known: Vec<u64> = entry.as_u64().into_iter().collect();
    let mut shown = Vec::new();
    for one in all(&board["corrections"]) {
        if let (Some(number), Some(of)) = (one["number"].as_u64(), one["entry"].as_u64())
            && known.contains(&of)
        {
            known.push(number);
            shown.push(format!("by entry {number}: {}", text(&one["text"])));
        }
    }
    if shown.is_empty() { String::new() } else { format!(" (corrected {})", shown.join("; ")) }
}

/// Where its people meet, and where else.
fn places(incident: &Value) -> Vec<(&'static str, String)> {
    let here = text(&incident["bridge"]);
    let listed: Vec<&Value> = incident["meeting"].as_array().into_iter().flatten().collect();
    let (first, others): (Vec<&Value>, Vec<&Value>) =
        listed.into_iter().partition(|place| text(&place["url"]) == here);
    let one = |place: &Value| {
        let (why, dial_in) = (text(&place["why"]), text(&place["dial_in"]));
        let name = text(&place["name"]);
        let why = if why.is_empty() { String::new() } else { format!("; {why}") };
        let dial_in = if dial_in.is_empty() { String::new() } else { format!("; by telephone: {dial_in}") };
        format!("{} ({name}{why}{dial_in})", text(&place["url"]))
    };
    let mut shown: Vec<(&str, String)> = first.into_iter().map(|place| ("meet", one(place))).collect();
    if shown.is_empty() && !here.is_empty() {
        // A daemon of the version before.
        shown.push(("meet", here));
    }
    shown.extend(others.into_iter().map(|place| ("or meet", one(place))));
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{line, whole};

    #[test]
    fn a_line_says_who_is_at_fault_that_it_is_a_storm_and_what_it_became_part_of() {
        let mut incident = json!({
            "id": 7, "severity": "SEV1", "state": "triggered", "service": "shop", "title": "down",
            "at_fault": "lb", "storm": true,
        });
        assert_eq!(
            line(&incident),
            "INC-7 SEV1 triggered    shop: down; lb is at fault; a storm; nobody has command"
        );
        incident["state"] = json!("resolved");
        incident["resolution"] = json!("merged");
        incident["merged_into"] = json!(3);
        assert!(line(&incident).ends_with("; part of INC-3"), "{}", line(&incident));
    }

    #[test]
    fn an_office_that_nobody_holds_is_the_commanders_and_stop_comes_first() {
        let incident = json!({
            "id": 7, "severity": "SEV1", "state": "acknowledged", "service": "shop", "title": "down",
            "commander": {"person": "maya", "term": 2, "since": "2026-11-23T02:14:00Z"},
            "offices": [{"office": "safety", "person": "tom", "accepted": true},
                {"office": "scribe", "person": "kim", "accepted": false}],
            "offer": {"to": "tom", "by": "maya", "ordered": false, "reason": "I am tired", "expires": "2026-11-23T02:20:00Z"},
            "board": {
                "stop": {"text": "no backup", "by": "tom", "at": "2026-11-23T02:15:00Z"},
                "actions": [{"number": 1, "person": "tom", "what": "drain", "where": "fra1", "undo": "", "assigned": false,
                    "at": "2026-11-23T02:14:00Z", "ended": null},
                    {"number": 2, "person": "tom", "what": "over", "ended": {"how": "done"}}],
                "findings": [{"component": "vpn", "ok": true, "text": "", "by": "kim", "known_at": "2026-11-23T02:14:00Z", "entry": 7}],
                "corrections": [{"number": 8, "entry": 7, "text": "it does not"}, {"number": 9, "entry": 5, "text": "a note"},
                    {"number": 10, "entry": 8, "text": "for a minute"}],
            },
            "responders": [{"person": "lee", "status": "en_route", "eta": "2026-11-23T02:40:00Z"}],
        });
        let shown = whole(&incident);
        let lines: Vec<&str> = shown.lines().map(str::trim).collect();
        assert!(lines[1].starts_with("STOP          nothing is to be changed: no backup (tom"), "{shown}");
        for line in [
            "Commander     maya (term 2, since 2026-11-23T02:14:00Z)",
            "Deputy        the Commander, maya",
            "Safety        tom",
            "Scribe        the Commander, maya; kim is asked",
            "offer         to tom (by maya, until 2026-11-23T02:20:00Z; I am tired)",
            "change        1 drain at fra1 (tom, who was given nothing to do here, since 2026-11-23T02:14:00Z)",
            "found         vpn works, ruled out (corrected by entry 8: it does not; by entry 10: for a minute) (kim, known since 2026-11-23T02:14:00Z)",
            "responder     lee: en route, expected at 2026-11-23T02:40:00Z",
        ] {
            assert!(lines.contains(&line), "{line} in {shown}");
        }
        assert!(!shown.contains("over"), "{shown}");
    }
}
