//! The people of the house, and whom policies name.

use jiff::tz::TimeZone;

use super::errors::nearest;
use super::feeds;
use super::inhibit;
use super::names::{self, known};
use super::read::{At, Reading, Table};
use super::{ChannelConfig, Kinds, meeting, policies, rotations, services, ways};
use crate::core::correlate::Grouping;
use crate::core::flapping::Flapping;
use crate::core::rules::{Clocks, Person, Rules, Target};

/// `[incidents]`: how long things may take, and how alerts become incidents.
fn incidents(root: &mut Table<'_>, reading: &mut Reading) -> (Clocks, Grouping, Flapping, Vec<At<String>>) {
    let (mut clocks, mut grouping, mut flapping) =
        (Clocks::default(), Grouping::default(), Flapping::default());
    let mut meet = Vec::new();
    if let Some(mut table) = root.table(reading, "incidents") {
        if let Some(after) = table.duration(reading, "self_clear_after") {
            clocks.self_clear_after = after.value;
        }
        if let Some(within) = table.duration(reading, "reopen_within") {
            clocks.reopen_within = within.value;
        }
        policies::silent_after(&mut table, reading, &mut clocks);
        services::groups(&mut table, reading, &mut grouping);
        inhibit::flapping(&mut table, reading, &mut flapping);
        meet = table.texts(reading, "meet").unwrap_or_default();
        table.end(reading);
    }
    (clocks, grouping, flapping, meet)
}

pub(super) fn rules(
    root: &mut Table<'_>,
    reading: &mut Reading,
    ways: &[ChannelConfig],
    kinds: &Kinds,
) -> Rules {
    let (clocks, grouping, flapping, meet) = incidents(root, reading);
    let storm = services::storm(root, reading);
    let command = super::command::command(root, reading);
    let mut rules = Rules { clocks, grouping, flapping, storm, command, ..Rules::default() };
    persons(root, reading, &mut rules, ways, kinds);
    rotations::rotations(root, reading, &mut rules);
    let open = policies::policies(root, reading, &mut rules);
    let mut places = meeting::Places::read(root, reading, meet, &mut rules);
    services::services(root, reading, &mut rules, &mut places);
    places.end(reading, &mut rules);
    open.end(reading, &rules);
    feeds::somebody(reading, &rules);
    if !root.has("mail") && !rules.policies.is_empty() {
        reading.errors.add_whole("[mail] is missing: pages go out by mail, and nobody could be woken");
    }
    rules
}

fn persons(
    root: &mut Table<'_>,
    reading: &mut Reading,
    rules: &mut Rules,
    ways: &[ChannelConfig],
    kinds: &Kinds,
) {
    for mut table in root.tables(reading, "person") {
        let name = names::name(&mut table, reading);
        let full_name = table.text(reading, "full_name").map(|name| name.value).unwrap_or_default();
        let email = table.text(reading, "email");
        if let Some(email) = &email
            && !names::address(&email.value)
        {
            reading.errors.add(email.span.clone(), "this is no mail address, such as maya@example.net");
        }
        let zone = table.text(reading, "time_zone").and_then(|zone| time_zone(reading, &zone));
        let administrator = table.boolean(reading, "administrator").unwrap_or(false);
        let capabilities = table.texts(reading, "capabilities").unwrap_or_default();
        let capabilities = capabilities.into_iter().map(|word| word.value).collect();
        let viewer = table.text(reading, "role").is_some_and(|role| viewer(reading, &role, administrator));
        let known = ways;
        let (ways, quiet) = ways::of_person(&mut table, reading, ways, kinds);
        table.end(reading);
        let Some(name) = name else { continue };
        ways::are_their_own(reading, &name, &ways, known, rules);
        let email = email.map(|email| email.value).unwrap_or_default();
        let time_zone = zone.unwrap_or(TimeZone::UTC);
        let person = Person { full_name, email, time_zone, administrator, viewer, ways, quiet, capabilities };
        if rules.people.insert(name.value.clone(), person).is_some() {
            reading.errors.add(name.span, format!("there are two persons called {}", name.value));
        }
    }
}

/// Whether a `role` is that of a viewer.
fn viewer(reading: &mut Reading, role: &At<String>, administrator: bool) -> bool {
    const ROLES: [&str; 2] = ["viewer", "member"];
    let wrong = match role.value.as_str() {
        "viewer" if administrator => "an administrator is no viewer: leave one of the two out".to_owned(),
        "viewer" => return true,
        "member" => return false,
        "administrator" => {
            "an administrator has `administrator = true`; `role` is viewer or member".to_owned()
        }
        other => format!("`role` is viewer or member{}", nearest(other, ROLES)),
    };
    reading.errors.add(role.span.clone(), wrong);
    false
}

/// `person:NAME`; `rotation:NAME`, which is whoever is on call in it; and `everybody:NAME`, which is all of it.
pub(super) fn targets(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules, key: &str) -> Vec<Target> {
    let mut found = Vec::new();
    for written in table.texts(reading, key).unwrap_or_default() {
        let bare = |name: &str| At { value: name.to_owned(), span: written.span.clone() };
        match written.value.split_once(':') {
            Some(("person", name)) => {
                if can_be_paged(reading, rules, &bare(name)) {
                    found.push(Target::Person(name.to_owned()));
                }
            }
            Some((of @ ("rotation" | "everybody"), name)) => {
                if known(reading, &bare(name), "rotation", rules.rotations.keys().map(String::as_str)) {
                    let name = name.to_owned();
                    let everybody = of == "everybody";
                    found.push(if everybody { Target::Everybody(name) } else { Target::Rotation(name) });
                }
            }
            _ => {
                let what = format!(
                    "`{}` is none of person:NAME, rotation:NAME (who is on call in it) and everybody:NAME (all of that rotation)",
                    written.value
                );
                reading.errors.add(written.span, what);
            }
        }
    }
    found
}

/// Somebody who must be paged and cannot be is an error, not a surprise at night.
pub(super) fn can_be_paged(reading: &mut Reading, rules: &Rules, name: &At<String>) -> bool {
    if !known(reading, name, "person", rules.people.keys().map(String::as_str)) {
        return false;
    }
    if rules.can_be_paged(&name.value) {
        return true;
    }
    let is_viewer = rules.people.get(&name.value).is_some_and(|person| person.viewer);
    let what = match is_viewer {
        true => {
            "is to be paged here and is a viewer, who can take nothing: make them a member (`role`), or name somebody else"
        }
        false => "is to be paged here and has no `email`",
    };
    reading.errors.add(name.span.clone(), format!("{} {what}", name.value));
    false
}

pub(super) fn time_zone(reading: &mut Reading, zone: &At<String>) -> Option<TimeZone> {
    if let Ok(found) = TimeZone::get(&zone.value) {
        return Some(found);
    }
    let all: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let near = nearest(&zone.value, all.iter().map(String::as_str));
    reading.errors.add(zone.span.clone(), format!("no time zone is called `{}`{near}", zone.value));
    None
}
