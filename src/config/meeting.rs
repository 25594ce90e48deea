//! `[[meeting]]`: places where responders meet, and the lists of them, `meet`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::errors::nearest;
use super::names::{self, known};
use super::read::{At, Reading, Table};
use crate::core::meeting::{BRIDGE, INCIDENT, LIST_MAX, Point, Points, SECRET, SERVICE, TOLD, is_link};
use crate::core::rules::Rules;

/// Most places.
const PLACES_MAX: usize = 1000;
/// Longest address and longest way to dial in, in bytes: both stand in text messages.
const URL_BYTES_MAX: usize = 300;
const DIAL_IN_BYTES_MAX: usize = 100;
/// What may stand in an address.
const PARTS: [&str; 3] = [INCIDENT, SERVICE, SECRET];

/// What is still to be looked at once the services are known.
pub(super) struct Places {
    depends: Vec<At<String>>,
    /// Each list of places: where it stands, and their names.
    lists: Vec<(Range<usize>, Vec<String>)>,
}

impl Places {
    /// Reads every place, and the list of the house.
    pub(super) fn read(
        root: &mut Table<'_>,
        reading: &mut Reading,
        house: Vec<At<String>>,
        rules: &mut Rules,
    ) -> Self {
        let mut places = Self { depends: Vec::new(), lists: Vec::new() };
        let mut all = BTreeMap::new();
        let tables = root.tables(reading, "meeting");
        if let Some(table) = tables.get(PLACES_MAX) {
            reading
                .errors
                .add(table.span.clone(), format!("there are more than {PLACES_MAX} places to meet"));
        }
        for mut table in tables {
            let name = names::name(&mut table, reading);
            let url = table.needed(reading, "url").inspect(|url| address(reading, url));
            let dial_in = table.text(reading, "dial_in").inspect(|dial_in| dialled(reading, dial_in));
            let depends = table.texts(reading, "depends_on").unwrap_or_default();
            table.end(reading);
            let depends_on = depends.iter().map(|one| one.value.clone()).collect();
            places.depends.extend(depends);
            let Some(name) = name else { continue };
            if [BRIDGE, TOLD].contains(&name.value.as_str()) {
                reading.errors.add(name.span.clone(), format!("`{}` means another place", name.value));
            }
            let url = url.map(|url| url.value).unwrap_or_default();
            let dial_in = dial_in.map(|dial_in| dial_in.value);
            let point = Point::new(url, dial_in, depends_on);
            if all.insert(name.value.clone(), point).is_some() {
                reading.errors.add(name.span, format!("there are two places to meet called {}", name.value));
            }
        }
        rules.meeting = Points::new(all, Vec::new());
        rules.meeting.house = places.list(reading, house, &rules.meeting);
        places
    }

    /// `bridge` and `meet` of a service.
    pub(super) fn of_service(
        &mut self,
        table: &mut Table<'_>,
        reading: &mut Reading,
        points: &Points,
    ) -> (Option<String>, Vec<String>) {
        let bridge = table.text(reading, "bridge");
        if let Some(bridge) = &bridge {
            address(reading, bridge);
        }
        let meet = table.texts(reading, "meet").unwrap_or_default();
        if let (Some(bridge), false) = (&bridge, meet.is_empty()) {
            let what =
                "`bridge` is not used beside `meet`: make it a [[meeting]], and put its name into the list";
            reading.warn(&bridge.span, what);
        }
        (bridge.map(|bridge| bridge.value), self.list(reading, meet, points))
    }

    fn list(&mut self, reading: &mut Reading, names: Vec<At<String>>, points: &Points) -> Vec<String> {
        let Some(span) = names.first().map(|first| first.span.clone()) else { return Vec::new() };
        if let Some(more) = names.get(LIST_MAX) {
            let what = format!("a list has at most {LIST_MAX} places: nobody tries more of them at night");
            reading.errors.add(more.span.clone(), what);
        }
        let mut list: Vec<String> = Vec::new();
        for name in names {
            known(reading, &name, "place to meet ([[meeting]])", points.names());
            if list.contains(&name.value) {
                reading.errors.add(name.span, format!("`{}` stands in this list before", name.value));
            } else {
                list.push(name.value);
            }
        }
        self.lists.push((span, list.clone()));
        list
    }

    /// Says on what the places hang, now that the services are known.
    pub(super) fn end(self, reading: &mut Reading, rules: &mut Rules) {
        for service in &self.depends {
            known(reading, service, "service", rules.services.keys().map(String::as_str));
        }
        rules.meeting.hang(&rules.needs);
        let points = &rules.meeting;
        for (span, list) in &self.lists {
            for (index, one) in list.iter().enumerate() {
                for other in list.iter().skip(index + 1) {
                    if points.fail_together(one, other) {
                        let what = format!(
                            "{one} and {other} hang on the same services: an alternate that fails with the usual place is none"
                        );
                        reading.warn(span, what);
                    } else if points.get(one).map(|point| &point.url)
                        == points.get(other).map(|point| &point.url)
                    {
                        reading.warn(span, format!("{one} and {other} are the same place"));
                    }
                }
            }
        }
    }
}

/// What may be wrong with an address. It is put into pages as a link.
fn address(reading: &mut Reading, url: &At<String>) {
    let At { value, span } = url;
    let scheme = value.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    let what = if !is_link(value) {
        Some("a place is met at by a link, such as https://meet.example.net/{incident}-{secret}".to_owned())
    } else if value.len() > URL_BYTES_MAX {
        Some(format!("an address has at most {URL_BYTES_MAX} bytes: it stands in text messages"))
    } else {
        stray(value)
    };
    if let Some(what) = what {
        reading.errors.add(span.clone(), what);
        return;
    }
    let is_open = value.contains(INCIDENT) && !value.contains(SECRET);
    if is_open && scheme.starts_with("http") {
        let what = "whoever knows the number of an incident can guess this address: let {secret} stand in it as well, unless a \
                    password is asked for there";
        reading.warn(span, what);
    }
}

/// What stands in braces and means nothing.
fn stray(url: &str) -> Option<String> {
    let rest = PARTS.iter().fold(url.to_owned(), |rest, part| rest.replace(part, ""));
    let from = rest.find(['{', '}'])?;
    let until = rest[from..].find('}').map_or(rest.len(), |until| from + until + 1);
    let wrong = &rest[from..until];
    Some(format!("`{wrong}` means nothing here{}; there are {}", nearest(wrong, PARTS), PARTS.join(", ")))
}

fn dialled(reading: &mut Reading, dial_in: &At<String>) {
    let At { value, span } = dial_in;
    let has_number = value.chars().filter(char::is_ascii_digit).count() >= 3;
    if !has_number || value.len() > DIAL_IN_BYTES_MAX || value.contains(char::is_control) {
        let what = format!(
            "`dial_in` is a number and what is keyed in there, such as \"+47 22 00 00 00, pin 1234#\", in at most \
             {DIAL_IN_BYTES_MAX} bytes"
        );
        reading.errors.add(span.clone(), what);
    }
}
