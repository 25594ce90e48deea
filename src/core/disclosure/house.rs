//! What the house says of itself, folded once for each configuration: there may be many customers and machines, and a
//! text is looked at on every key that somebody presses.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use super::hosts::is_role;
use super::known::{Known, NAME_BYTES_MAX, Table, tells_of_a_thing, words_of};

/// Shorter first parts of host names are no names of their own.
const LABEL_CHARS_MIN: usize = 4;
/// First parts of host names that everybody writes, and that no machine is known by.
const COMMON_LABELS: &str = "account accounts admin analytics assets auth billing blog build calendar chat checkout \
    cloud console dashboard data docs download downloads events files forum help home images internal intranet login \
    logs mail main media metrics mobile monitor monitoring news notify office orders pages panel payment payments \
    phone portal print public remote reports sales search security service services shop sign site static stats \
    status store stream support sync test testing tools upload users video webmail wiki work";

/// What the house says of itself, ready for looking things up. Cheap to clone.
///
/// It holds what must not get out: its `Debug` says how much there is and nothing of it.
#[derive(Clone, Default)]
pub struct Disclosure(Option<Arc<House>>);

struct House {
    told: Known,
    table: Table,
    /// Whether a list was left out: then nothing can be said of a text.
    unread: bool,
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(House { told, unread, .. }) = self.0.as_deref() else {
            return to.write_str("Disclosure(nothing)");
        };
        to.debug_struct("Disclosure")
            .field("people", &told.people.len())
            .field("customers", &told.customers.len())
            .field("vendors", &told.vendors.len())
            .field("hosts", &told.hosts.len())
            .field("suffixes", &told.suffixes.len())
            .field("unread", unread)
            .finish_non_exhaustive()
    }
}

impl Disclosure {
    /// Folds what the house knows. Only the lists of names count; what belongs to an incident is left out.
    ///
    /// # Errors
    /// Why it cannot be looked for.
    pub fn of(known: &Known) -> Result<Self, &'static str> {
        let mut told = known.clone();
        told.house = Self::default();
        told.seen.clear();
        let labels: BTreeSet<String> = told.hosts.iter().filter_map(|host| label(host)).collect();
        told.hosts.extend(labels);
        let table = Table::of(&told, 0)?;
        Ok(Self(Some(Arc::new(House { told, table, unread: false }))))
    }

    /// What is known where a list of names was not read: every text is blocked by it, because nobody can say what it
    /// gives away.
    pub fn unread() -> Self {
        Self(Some(Arc::new(House { told: Known::default(), table: Table::default(), unread: true })))
    }

    /// Whether a name can be looked for.
    ///
    /// # Errors
    /// Why not. The sentence does not repeat the name.
    pub fn takes(name: &str) -> Result<(), &'static str> {
        words_of(name).map(|_| ())
    }

    /// What a statement of one incident is compared with.
    ///
    /// - `seen`: words of the incident's own alerts, titles and labels. Of these only what looks like the name of
    ///   something is looked for.
    /// - `hosts_of_alerts`: what its alerts name as machines; always looked for, also where it is an ordinary word.
    /// - `slots`: the sentences that promise the next update, as they are printed.
    pub fn known(
        &self,
        seen: BTreeSet<String>,
        hosts_of_alerts: Vec<String>,
        slots: Vec<String>,
        cause_confirmed: bool,
        drill: bool,
        incident: u64,
    ) -> Known {
        // What senders write into labels is not ours to complain of: what has no letter is no name.
        let is_name = |host: &String| host.len() <= NAME_BYTES_MAX && Self::takes(host).is_ok();
        let hosts: Vec<String> = hosts_of_alerts.into_iter().filter(is_name).collect();
        let labels: BTreeSet<String> = hosts.iter().filter_map(|host| label(host)).collect();
        Known {
            house: self.clone(),
            hosts: hosts.into_iter().chain(labels).collect(),
            seen: seen.into_iter().filter(|word| tells_of_a_thing(word)).collect(),
            slots,
            cause_confirmed,
            drill,
            incident: Some(incident),
            ..Known::default()
        }
    }

    /// Every word of it, for telling two configurations apart. Whoever asks shows none of them.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|house| house.words())
    }

    pub(super) fn table(&self) -> Result<&Table, &'static str> {
        static NOTHING: LazyLock<Table> = LazyLock::new(Table::default);
        match self.0.as_deref() {
            Some(House { unread: true, .. }) => {
                Err("the lists of what must not be said were not read, so nothing can be said of this text")
            }
            Some(house) => Ok(&house.table),
            None => Ok(&NOTHING),
        }
    }
}

impl House {
    fn words(&self) -> impl Iterator<Item = &str> {
        let told = &self.told;
        let lists = [
            &told.people,
            &told.customers,
            &told.hosts,
            &told.suffixes,
            &told.public_names,
            &told.public_hosts,
            &told.public_contacts,
        ];
        let vendors =
            told.vendors.iter().flat_map(|vendor| std::iter::once(&vendor.name).chain(&vendor.notice_hosts));
        // An empty word between two lists: nothing passes from one to the other unnoticed.
        let lists = lists.into_iter().flat_map(|list| list.iter().map(String::as_str).chain([""]));
        lists.chain(vendors.map(String::as_str))
    }
}

/// What people call a machine: the first part of its name, where that is no word of everybody's.
fn label(host: &str) -> Option<String> {
    let (first, rest) = host.trim().split_once('.')?;
    let small = first.to_lowercase();
    let number = rest.chars().all(|c| c.is_ascii_digit() || c == '.');
    let common = COMMON_LABELS.split_whitespace().any(|word| word == small) || is_role(&small);
    let short = first.chars().count() < LABEL_CHARS_MIN && !tells_of_a_thing(first);
    (!number && !common && !short && first.chars().any(char::is_alphabetic)).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::stories_corpus::house;
    use super::super::{Audience, Rendered, Vendor, lint};
    use super::*;

    fn rules(text: &str, known: &Known) -> Vec<&'static str> {
        let text = Rendered { body: text.to_owned(), ..Rendered::default() };
        lint(&text, Audience::Public, known).into_iter().map(|finding| finding.rule.as_str()).collect()
    }

    /// The corpus' house, its lists folded once.
    fn known() -> Known {
        let told = house();
        Disclosure::of(&told).unwrap().known(told.seen, Vec::new(), told.slots, false, false, 42)
    }

    #[test]
    fn what_is_folded_once_is_found_as_what_is_folded_each_time() {
        for text in [
            "db-7 and Nordwind Bank: ask Maya Lind or maya.lind@harbourline.example.",
            "Paylane had an outage. See https://status.paylane.example/1",
            "Paylane had an outage.",
            "Breach Watch is slow, write to support@harbourline.example or call +49 30 901820.",
            "See https://status.harbourline.example/x and x.corp.harbourline.example, of INC-41.",
            "We will post the next update by 15:30 UTC. HighErrorRate fires.",
        ] {
            assert_eq!(rules(text, &known()), rules(text, &house()), "{text}");
        }
    }

    #[test]
    fn vendors_of_the_house_and_of_an_incident_are_told_apart() {
        let more = Vendor { name: "Gridworks".into(), notice_hosts: vec!["status.gridworks.example".into()] };
        let known = Known { vendors: vec![more], ..known() };
        assert_eq!(rules("Gridworks failed. https://status.cloudnorth.example/1", &known), ["vendor"]);
        assert_eq!(rules("Cloudnorth failed. https://status.gridworks.example/1", &known), ["vendor"]);
        assert!(rules("Gridworks failed. https://status.gridworks.example/1", &known).is_empty());
    }

    #[test]
    fn a_machine_is_known_by_the_first_part_of_its_name_too() {
        let hosts = ["sleipnir.example.net", "mail.example.net", "10.1.2.3", "web.example.net"];
        let told = Known { hosts: hosts.map(str::to_owned).to_vec(), ..Known::default() };
        let of = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            Disclosure::of(&told).unwrap().known(BTreeSet::new(), hosts, Vec::new(), false, false, 1)
        };
        assert_eq!(rules("We look at Sleipnir.", &of(&[])), ["host"]);
        assert!(rules("Mail on the web is slow.", &of(&[])).is_empty());
        assert_eq!(rules("We look at huginn.", &of(&["huginn.example.org"])), ["host"]);
        assert!(rules("We are on it.", &of(&["--", &"x".repeat(300)])).is_empty());
    }

    #[test]
    fn where_lists_were_not_read_nothing_goes_out() {
        let known = Disclosure::unread().known(BTreeSet::new(), Vec::new(), Vec::new(), false, false, 1);
        assert_eq!(rules("We are on it.", &known), ["unreadable"]);
    }

    #[test]
    fn what_the_house_knows_is_not_shown() {
        let house = Disclosure::of(&house()).unwrap();
        let shown = format!("{house:?} {:?}", known());
        assert!(!shown.contains("Nordwind") && !shown.contains("Lind"), "{shown}");
        assert!(shown.contains("customers: 11"), "{shown}");
        assert!(house.words().any(|word| word == "Nordwind Bank"));
    }
}
