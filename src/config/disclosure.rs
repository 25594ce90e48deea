//! `[disclosure]`: what must not be said in statements, and what may be.
//!
//! Long lists stand in files beside the configuration: an inventory of machines and the names of customers. They are read
//! whenever the configuration is, within bounds, and one that is missing or that cannot be understood refuses it: a
//! statement must not pass because a list was not there. No name of a customer is ever shown, not even in what is wrong
//! with its file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use http::Uri;

use super::names;
use super::read::{At, Reading, Table};
use super::{SecretsMode, Server};
use crate::core::disclosure::{Disclosure, Known, Vendor};
use crate::core::rules::Rules;

mod inventory;

/// Largest file of names, in bytes.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most lines of such a file.
const LINES_MAX: usize = 100_000;
/// Most faults told of one file.
const FAULTS_MAX: usize = 5;
/// Most names of a list that stands in the configuration itself; longer ones belong into a file.
const LIST_MAX: usize = 1000;
/// Words that nearly every statement has: whoever is called so stops them all.
const EVERYDAY: &str = "a an and all are at available be been by can check customers data for from has have help hour \
    in investigating is issue issues it mail may more next no now of on our orders page pages payment payments \
    problem resolved service services since site slow some soon status system team that the this time to update \
    updates us users utc was we were what when will with you your";

/// Reads what must not be said. `public_url` is where everybody reads the status page.
pub(super) fn disclosure(
    root: &mut Table<'_>,
    reading: &mut Reading,
    rules: &Rules,
    server: Option<&Server>,
    public_url: Option<&str>,
) -> Disclosure {
    let mut known = of_the_house(rules, server, public_url);
    let mut unread = false;
    if let Some(mut table) = root.table(reading, "disclosure") {
        for (key, list) in [("suffixes", &mut known.suffixes), ("hosts", &mut known.hosts)] {
            list.extend(hosts(&mut table, reading, key));
        }
        known.public_hosts.extend(hosts(&mut table, reading, "public_hosts"));
        known.public_names.extend(shown(&mut table, reading));
        known.public_contacts = contacts(&mut table, reading);
        known.vendors = vendors(&mut table, reading);
        let read = matches!(reading.mode, SecretsMode::Read | SecretsMode::Names);
        for key in ["hosts_file", "customers_file"] {
            let Some(file) = table.text(reading, key) else { continue };
            if !read {
                unread = true;
                continue;
            }
            match key {
                "hosts_file" => known.hosts.extend(inventory::hosts(reading, &file)),
                _ => known.customers = customers(reading, &file),
            }
        }
        table.end(reading);
    }
    if unread {
        return Disclosure::unread();
    }
    Disclosure::of(&known).unwrap_or_else(|why| {
        reading.errors.add_whole(format!("what must not be said cannot be looked for: {why}"));
        Disclosure::unread()
    })
}

/// What the rest of the configuration says of people, services and addresses.
fn of_the_house(rules: &Rules, server: Option<&Server>, public_url: Option<&str>) -> Known {
    let people = rules.people.iter().flat_map(|(name, person)| [name, &person.full_name, &person.email]);
    let people = people.filter(|name| Disclosure::takes(name).is_ok()).cloned();
    let public_names = rules.services.values().filter_map(|service| service.public_name.clone());
    Known {
        people: people.collect(),
        public_names: public_names.filter(|name| Disclosure::takes(name).is_ok()).collect(),
        hosts: server.and_then(|server| host_of(&server.external_url)).into_iter().collect(),
        public_hosts: public_url.and_then(host_of).into_iter().collect(),
        ..Known::default()
    }
}

fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.host().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase()).filter(|host| !host.is_empty())
}

/// A list of names of machines, or of ends of such names.
fn hosts(table: &mut Table<'_>, reading: &mut Reading, key: &str) -> Vec<String> {
    let listed = table.texts(reading, key).unwrap_or_default();
    bounded(table, reading, key, listed.len());
    let mut found = Vec::new();
    for one in listed {
        let bare = if key == "suffixes" { one.value.trim_start_matches(['*', '.']) } else { &one.value };
        match is_host(bare) {
            Ok(()) => found.push(bare.to_owned()),
            Err(why) => reading.errors.add(one.span, format!("`{key}`: {why}")),
        }
    }
    found
}

/// Whether something is written as the name of a machine.
fn is_host(name: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.contains("://") || name.contains('/') {
        return Err("a name of a host is wanted, without https:// and without a path");
    }
    if name.contains('*') {
        return Err("no * stands in the name of a host: what ends like this belongs into `suffixes`");
    }
    if !name.chars().all(plain) && !is_address(name) {
        return Err("a name of a host has letters, digits, dots, hyphens and underscores");
    }
    Disclosure::takes(name)
}

fn is_address(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_ok()
}

fn shown(table: &mut Table<'_>, reading: &mut Reading) -> Vec<String> {
    let listed = table.texts(reading, "public_names").unwrap_or_default();
    bounded(table, reading, "public_names", listed.len());
    let mut found = Vec::new();
    for one in listed {
        match Disclosure::takes(&one.value) {
            Ok(()) => found.push(one.value),
            Err(why) => reading.errors.add(one.span, format!("`public_names`: {why}")),
        }
    }
    found
}

/// Mail addresses and telephone numbers that everybody may read.
fn contacts(table: &mut Table<'_>, reading: &mut Reading) -> Vec<String> {
    const DIGITS_MIN: usize = 5;
    let listed = table.texts(reading, "public_contacts").unwrap_or_default();
    bounded(table, reading, "public_contacts", listed.len());
    let mut found = Vec::new();
    for one in listed {
        let digits = one.value.chars().filter(char::is_ascii_digit).count();
        let number =
            digits >= DIGITS_MIN && one.value.chars().all(|c| c.is_ascii_digit() || " +()-./".contains(c));
        if number || names::address(&one.value) {
            found.push(one.value);
        } else {
            let what = "`public_contacts` holds mail addresses and telephone numbers, such as \"help@example.com\" or \
                        \"+47 22 00 00 00\"";
            reading.errors.add(one.span, what);
        }
    }
    found
}

fn vendors(table: &mut Table<'_>, reading: &mut Reading) -> Vec<Vendor> {
    let tables = table.tables(reading, "vendors");
    bounded(table, reading, "vendors", tables.len());
    let mut found = Vec::new();
    for mut one in tables {
        let name = one.needed(reading, "name");
        let notice_hosts = hosts(&mut one, reading, "notice_hosts");
        one.end(reading);
        let Some(At { value: name, span }) = name else { continue };
        match Disclosure::takes(&name) {
            Ok(()) => found.push(Vendor { name, notice_hosts }),
            Err(why) => reading.errors.add(span, why),
        }
    }
    found
}

fn bounded(table: &Table<'_>, reading: &mut Reading, key: &str, many: usize) {
    if many > LIST_MAX {
        let what = format!("`{key}` has at most {LIST_MAX} names; more belong into a file");
        reading.errors.add(table.place(key), what);
    }
}

/// The names of customers, one a line.
fn customers(reading: &mut Reading, file: &At<String>) -> Vec<String> {
    let path = reading.directory.join(&file.value);
    let Some(text) = text_of(reading, file, &path) else { return Vec::new() };
    if is_open(&path) {
        let what =
            format!("everybody on this machine can read the customers in {}; chmod 0640 it", path.display());
        reading.warn(&file.span, what);
    }
    let mut faults = Faults::of(&path, &file.span);
    let mut found = BTreeSet::new();
    for (number, line) in lines(&text) {
        if let Err(why) = Disclosure::takes(line) {
            faults.add(reading, number, why);
            continue;
        }
        if is_everyday(line) {
            let what = format!(
                "{}:{number}: this customer is called like a word that nearly every statement has, and stops each of them; a \
                 second word would help",
                path.display()
            );
            reading.warn(&file.span, what);
        }
        found.insert(line.to_owned());
    }
    faults.end(reading);
    found.into_iter().collect()
}

fn is_everyday(name: &str) -> bool {
    EVERYDAY.split_whitespace().any(|word| name.eq_ignore_ascii_case(word))
}

/// The lines of a file that say something, each with its number.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.trim_start_matches('\u{feff}').lines().enumerate();
    numbered
        .map(|(at, line)| (at + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// What stands in a file of names.
fn text_of(reading: &mut Reading, file: &At<String>, path: &Path) -> Option<String> {
    let shown = path.display();
    let read = || {
        let facts = std::fs::metadata(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        if !facts.is_file() {
            return Err(format!("{shown} is no file"));
        }
        if facts.len() > FILE_BYTES_MAX {
            return Err(format!("{shown} has more than {FILE_BYTES_MAX} bytes; that is no list of names"));
        }
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        if text.lines().count() > LINES_MAX {
            return Err(format!("{shown} has more than {LINES_MAX} lines"));
        }
        Ok(text)
    };
    let read = read();
    read.map_err(|why| reading.errors.add(file.span.clone(), why)).ok()
}

fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o004 != 0)
}

/// What is wrong with a file of names, a few of its lines.
struct Faults<'a> {
    path: &'a Path,
    span: &'a Range<usize>,
    many: usize,
}

impl<'a> Faults<'a> {
    fn of(path: &'a Path, span: &'a Range<usize>) -> Self {
        Self { path, span, many: 0 }
    }

    fn add(&mut self, reading: &mut Reading, line: usize, why: &str) {
        self.many += 1;
        if self.many <= FAULTS_MAX {
            reading.errors.add(self.span.clone(), format!("{}:{line}: {why}", self.path.display()));
        }
    }

    fn end(self, reading: &mut Reading) {
        if self.many > FAULTS_MAX {
            let what = format!("{}: and {} more lines like it", self.path.display(), self.many - FAULTS_MAX);
            reading.errors.add(self.span.clone(), what);
        }
    }
}
