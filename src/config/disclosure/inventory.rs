//! An inventory of machines: one name a line, or as Ansible writes it in its INI form.
//!
//! Of Ansible's form all is understood that names machines: sections of hosts, `name key=value`, `ansible_host=`, a port
//! behind a name, and ranges such as `web[01:20].example.net`. What is not understood is told and not passed over: a
//! machine that was overlooked would be a leak.

use std::collections::BTreeSet;

use super::super::read::{At, Reading};
use super::{Faults, is_everyday, is_host, lines, text_of};

/// Most names that one file stands for, its ranges written out.
const HOSTS_MAX: usize = 100_000;

/// The machines of an inventory.
pub(super) fn hosts(reading: &mut Reading, file: &At<String>) -> Vec<String> {
    let path = reading.directory.join(&file.value);
    let Some(text) = text_of(reading, file, &path) else { return Vec::new() };
    let mut faults = Faults::of(&path, &file.span);
    let mut found = BTreeSet::new();
    let mut names_hosts = true;
    for (number, line) in lines(&text) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            // Variables, and names of other sections.
            names_hosts = !section.ends_with(":vars") && !section.ends_with(":children");
            continue;
        }
        if !names_hosts || line.starts_with(';') {
            continue;
        }
        match on_line(line) {
            Ok(names) => {
                if names.iter().any(|name| is_everyday(name)) {
                    let what = format!(
                        "{}:{number}: this machine is called like a word that nearly every statement has, and stops each of \
                         them",
                        path.display()
                    );
                    reading.warn(&file.span, what);
                }
                found.extend(names);
            }
            Err(why) => faults.add(reading, number, &why),
        }
        if found.len() > HOSTS_MAX {
            faults.add(reading, number, &format!("there are more than {HOSTS_MAX} machines up to here"));
            break;
        }
    }
    faults.end(reading);
    found.into_iter().collect()
}

/// The machines that one line names.
fn on_line(line: &str) -> Result<Vec<String>, String> {
    let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
    let Some((name, facts)) = words.split_first() else { return Ok(Vec::new()) };
    if facts.iter().any(|fact| !fact.contains('='))
        && !facts.iter().any(|fact| fact.contains('"') || fact.contains('\''))
    {
        return Err("one name a line is wanted, or the name and then key=value".to_owned());
    }
    let port = |(name, port): &(&str, &str)| {
        !name.contains(':') && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
    };
    let bare = name.rsplit_once(':').filter(port).map_or(*name, |(name, _)| name);
    let mut names = Vec::new();
    spread(bare, &mut names)?;
    let told = facts.iter().filter_map(|fact| fact.strip_prefix("ansible_host="));
    names.extend(told.map(|host| host.trim_matches(['"', '\'']).to_owned()));
    match names.iter().find_map(|name| is_host(name).err()) {
        Some(why) => Err(why.to_owned()),
        None => Ok(names),
    }
}

/// `web[01:03]` is web01, web02, web03; `db-[a:c]` is db-a, db-b, db-c.
fn spread(name: &str, to: &mut Vec<String>) -> Result<(), String> {
    let Some((before, rest)) = name.split_once('[') else {
        to.push(name.to_owned());
        return Ok(());
    };
    let (range, after) = rest.split_once(']').ok_or("a range begins with [ and ends with ]")?;
    let mut bounds = range.split(':');
    let (Some(from), Some(until)) = (bounds.next(), bounds.next()) else {
        return Err("a range is written [from:until]".to_owned());
    };
    let step: usize = bounds
        .next()
        .unwrap_or("1")
        .parse()
        .ok()
        .filter(|step| *step > 0)
        .ok_or("a step of a range is a number")?;
    let letter = |text: &str| match text.as_bytes() {
        [only] if only.is_ascii_alphabetic() => Some(*only),
        _ => None,
    };
    let parts: Vec<String> =
        match (letter(from), letter(until), from.parse::<usize>(), until.parse::<usize>()) {
            (Some(from), Some(until), ..) => {
                (from..=until).step_by(step).map(|letter| char::from(letter).to_string()).collect()
            }
            (.., Ok(first), Ok(last)) if last.saturating_sub(first) / step < HOSTS_MAX => {
                let width = if from.starts_with('0') { from.len() } else { 1 };
                (first..=last).step_by(step).map(|number| format!("{number:0width$}")).collect()
            }
            (.., Ok(_), Ok(_)) => return Err(format!("this range has more than {HOSTS_MAX} machines")),
            _ => {
                return Err("a range goes from a number to a number, or from a letter to a letter".to_owned());
            }
        };
    for part in parts {
        if to.len() > HOSTS_MAX {
            return Err(format!("these ranges have more than {HOSTS_MAX} machines"));
        }
        spread(&format!("{before}{part}{after}"), to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_machines() {
        for (line, names) in [
            ("maple", "maple"),
            ("db-1.corp.example # the old one", "db-1.corp.example"),
            ("web1.example ansible_host=10.0.0.1 ansible_user=root", "web1.example 10.0.0.1"),
            ("jump ansible_host='jump.corp.example' x=\"a b\"", "jump jump.corp.example"),
            ("bad.example:5309", "bad.example"),
            ("2001:db8::1", "2001:db8::1"),
            ("web[08:10].example", "web08.example web09.example web10.example"),
            ("db-[a:c][1:5:4]", "db-a1 db-a5 db-b1 db-b5 db-c1 db-c5"),
            ("münchen-gw", "münchen-gw"),
        ] {
            assert_eq!(on_line(line).map(|names| names.join(" ")), Ok(names.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_told() {
        for line in [
            "two names",
            "https://x.example/",
            "*.corp.example",
            "all:",
            "web[1:999999999].example",
            "web[a:9]",
            "web[1",
            "---",
            "a[1:400]b[1:400]c[1:400]",
            &"x".repeat(300),
        ] {
            assert!(on_line(line).is_err(), "{line}");
        }
    }
}
