//! What is known and a text is compared with, and how names are looked for.
//!
//! Names are compared as words, folded and in small letters, so that `Acme-Bank`, `ACME BANK` and `AcmeBank` are one.
//! The words of a text are walked through once, whatever number of names there is. What the house knows is folded once
//! for each configuration ([`Disclosure`]); what an incident adds is little, and is folded for each text.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;

use super::fold::Folded;
use super::house::Disclosure;

/// Most bytes of a name; what is longer cannot be looked for.
pub const NAME_BYTES_MAX: usize = 256;
/// Most names of all kinds.
pub const NAMES_MAX: usize = 200_000;
/// Longest sentence that promises the next update, in bytes.
pub const SLOT_BYTES_MAX: usize = 240;

/// Somebody who sells something to the house, and where they speak themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vendor {
    /// The name.
    pub name: String,
    /// Hosts of their own public notices.
    pub notice_hosts: Vec<String>,
}

/// What is known. It holds what must not get out: its `Debug` says how much there is and nothing of it.
#[derive(Clone, Default)]
pub struct Known {
    /// What the house has said of itself, once for all its incidents. The lists below come on top of it.
    pub house: Disclosure,
    /// Names, full names and mail addresses of the people of the house.
    pub people: Vec<String>,
    /// Customers, as they are written.
    pub customers: Vec<String>,
    /// Vendors.
    pub vendors: Vec<Vendor>,
    /// Machines and services by their own names: always found, also when they are ordinary words.
    pub hosts: Vec<String>,
    /// Words of the incident's own alerts and labels. Of these only what looks like the name of something is looked
    /// for: what has a digit, a dot, an underscore or a hump in it. Ordinary words of a title are everybody's.
    pub seen: BTreeSet<String>,
    /// Ends of host names that are nobody's business: `corp.example.com`.
    pub suffixes: Vec<String>,
    /// Names that the house shows to everybody: of products and components.
    pub public_names: Vec<String>,
    /// Hosts that the house shows to everybody, each whole.
    pub public_hosts: Vec<String>,
    /// Mail addresses and telephone numbers that the house shows to everybody.
    pub public_contacts: Vec<String>,
    /// The sentences that promise the next update, as they are printed.
    pub slots: Vec<String>,
    /// Whether the Commander has called the cause confirmed.
    pub cause_confirmed: bool,
    /// Whether this is an exercise, whose texts have to say so.
    pub drill: bool,
    /// The number of the incident itself.
    pub incident: Option<u64>,
}

impl fmt::Debug for Known {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Known")
            .field("house", &self.house)
            .field("people", &self.people.len())
            .field("customers", &self.customers.len())
            .field("vendors", &self.vendors.len())
            .field("hosts", &self.hosts.len())
            .field("seen", &self.seen.len())
            .field("cause_confirmed", &self.cause_confirmed)
            .field("drill", &self.drill)
            .finish_non_exhaustive()
    }
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Person,
    Customer,
    /// The vendor with this number.
    Vendor(usize),
    Host,
    Public,
}

/// How exactly a name has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// Anyhow.
    None,
    /// An ordinary word as well: only as a name is written, with a capital and not at the beginning of a sentence.
    Capital,
    /// Without blanks in it.
    Whole,
}

#[derive(Debug)]
struct Name {
    rest: Vec<String>,
    named: Named,
    care: Care,
}

/// A name in a text.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) named: Named,
    pub(super) span: Range<usize>,
}

/// Names made ready for looking things up.
#[derive(Default)]
pub(super) struct Table {
    names: HashMap<String, Vec<Name>>,
    suffixes: Vec<String>,
    public_hosts: BTreeSet<String>,
    notice_hosts: HashMap<String, BTreeSet<usize>>,
    public_mail: BTreeSet<String>,
    public_digits: BTreeSet<String>,
    people_mail: BTreeSet<String>,
    vendors: usize,
    count: usize,
}

/// What is known, made ready: what the house knows, and what comes on top of it.
pub(super) struct Ready<'a> {
    house: &'a Table,
    own: Table,
}

impl<'a> Ready<'a> {
    /// # Errors
    /// Why what is known cannot be looked for.
    pub(super) fn of(known: &'a Known) -> Result<Self, &'static str> {
        let house = known.house.table()?;
        let own = Table::of(known, house.vendors)?;
        if house.count + own.count > NAMES_MAX {
            return Err(MANY_NAMES);
        }
        Ok(Self { house, own })
    }

    fn both(&self) -> [&Table; 2] {
        [self.house, &self.own]
    }

    /// Whether everybody may be told of this host: it is one of the house's public ones, or a vendor's notice stands there.
    pub(super) fn is_free_host(&self, host: &str) -> bool {
        self.is_public_host(host) || self.both().iter().any(|table| table.notice_hosts.contains_key(host))
    }

    pub(super) fn is_public_host(&self, host: &str) -> bool {
        self.both().iter().any(|table| table.public_hosts.contains(host))
    }

    /// The vendors whose notices stand at this host.
    pub(super) fn notices(&self, host: &str) -> Vec<usize> {
        self.both().iter().filter_map(|table| table.notice_hosts.get(host)).flatten().copied().collect()
    }

    pub(super) fn is_public_mail(&self, address: &str) -> bool {
        self.both().iter().any(|table| table.public_mail.contains(address))
    }

    pub(super) fn is_of_people(&self, address: &str) -> bool {
        self.both().iter().any(|table| table.people_mail.contains(address))
    }

    /// Whether any person of the house has a mail address.
    pub(super) fn knows_addresses(&self) -> bool {
        self.both().iter().any(|table| !table.people_mail.is_empty())
    }

    /// Telephone numbers that the house shows to everybody, in digits.
    pub(super) fn public_digits(&self) -> impl Iterator<Item = &String> {
        self.house.public_digits.iter().chain(&self.own.public_digits)
    }

    /// Ends of host names that are nobody's business.
    pub(super) fn suffixes(&self) -> impl Iterator<Item = &String> {
        self.house.suffixes.iter().chain(&self.own.suffixes)
    }

    /// All names in a folded text.
    pub(super) fn find(&self, text: &str) -> Vec<Found> {
        let words = words(text);
        let mut found: Vec<Found> = Vec::new();
        for (at, (span, word)) in words.iter().enumerate() {
            for spelled in spellings(word) {
                for name in self.called(&spelled) {
                    if let Some(span) = whole(text, &words, at, span, name) {
                        found.push(Found { named: name.named, span });
                    }
                }
            }
            // A name of one word that is written as two.
            let Some((behind, next)) = words.get(at + 1) else { continue };
            let near = matches!(text.get(span.end..behind.start), Some(" " | "-" | "_"));
            let long = word.chars().count() >= 3 && next.chars().count() >= 3;
            if near && long {
                let one = self.called(&format!("{word}{next}"));
                let whole = one.filter(|name| name.rest.is_empty() && name.care != Care::Capital);
                let span = span.start..behind.end;
                // A name of two words has both forms, and was found by the other.
                let known =
                    |name: &&Name| !found.iter().any(|one| one.named == name.named && one.span == span);
                let new: Vec<Named> = whole.filter(known).map(|name| name.named).collect();
                found.extend(new.into_iter().map(|named| Found { named, span: span.clone() }));
            }
        }
        found
    }

    fn called<'s>(&'s self, first: &str) -> impl Iterator<Item = &'s Name> + use<'s> {
        let lists = self.both().map(|table| table.names.get(first));
        lists.into_iter().flatten().flatten()
    }
}

impl Table {
    /// Folds lists of names; vendors are counted from `vendors`.
    ///
    /// # Errors
    /// Why what is known cannot be looked for.
    pub(super) fn of(known: &Known, vendors: usize) -> Result<Self, &'static str> {
        let many = known.people.len() + known.customers.len() + known.vendors.len() + known.hosts.len();
        let count = many + known.seen.len() + known.public_names.len();
        if count > NAMES_MAX {
            return Err(MANY_NAMES);
        }
        let mut table = Self { vendors: known.vendors.len(), count, ..Self::default() };
        for person in &known.people {
            if person.contains('@') {
                table.people_mail.insert(lower(person).ok_or(NAME_UNREADABLE)?);
            } else {
                table.person(person)?;
            }
        }
        for customer in &known.customers {
            table.firm(customer, Named::Customer)?;
        }
        for (number, vendor) in known.vendors.iter().enumerate() {
            let number = vendors + number;
            table.firm(&vendor.name, Named::Vendor(number))?;
            for host in &vendor.notice_hosts {
                table.notice_hosts.entry(host.trim().to_ascii_lowercase()).or_default().insert(number);
            }
        }
        for host in &known.hosts {
            let words = words_of(host)?;
            let joined = words.concat();
            if words.len() > 1 && joined.len() >= JOINED_HOST_BYTES_MIN && !host.contains('.') {
                table.add(&[joined], Named::Host, Care::None);
            }
            table.add(&words, Named::Host, Care::Whole);
        }
        for word in known.seen.iter().filter(|word| tells_of_a_thing(word)) {
            if let Ok(words) = words_of(word) {
                table.add(&words, Named::Host, Care::Whole);
            }
        }
        for name in &known.public_names {
            table.name(name, Named::Public)?;
        }
        for suffix in &known.suffixes {
            let suffix = lower(suffix).ok_or(NAME_UNREADABLE)?;
            let bare = suffix.trim_matches(['.', '*', ' ']);
            if bare.is_empty() {
                return Err(NAME_UNREADABLE);
            }
            table.suffixes.push(bare.to_owned());
        }
        table.public_hosts = known.public_hosts.iter().map(|host| host.trim().to_ascii_lowercase()).collect();
        for contact in &known.public_contacts {
            let contact = lower(contact).ok_or(NAME_UNREADABLE)?;
            if contact.contains('@') {
                table.public_mail.insert(contact);
            } else {
                table.public_digits.insert(contact.chars().filter(char::is_ascii_digit).collect());
            }
        }
        Ok(table)
    }

    /// A firm is found without the words of its legal form, and a vendor by the first part of its name too.
    fn firm(&mut self, name: &str, named: Named) -> Result<(), &'static str> {
        self.name(name, named)?;
        let words = words_of(name)?;
        let last = words.iter().rposition(|word| !LEGAL_FORMS.split_whitespace().any(|form| form == word));
        let bare = last.and_then(|last| words.get(..=last)).unwrap_or(&words);
        match bare {
            _ if bare.len() == words.len() => {}
            [only] => self.add(std::slice::from_ref(only), named, Care::Capital),
            several => self.add(several, named, Care::None),
        }
        if let (Named::Vendor(_), [first, _, ..]) = (named, bare)
            && first.chars().count() >= PART_CHARS_MIN
        {
            self.add(std::slice::from_ref(first), named, Care::Capital);
        }
        Ok(())
    }

    fn name(&mut self, name: &str, named: Named) -> Result<(), &'static str> {
        let words = words_of(name)?;
        let joined = words.concat();
        if words.len() > 1 && joined.chars().count() >= 6 {
            self.add(&[joined], named, Care::None);
        }
        self.add(&words, named, Care::None);
        Ok(())
    }

    /// Somebody is found by what they are called here, by their full name in both orders, and by each part of it that
    /// is no ordinary word, or is written as a name.
    fn person(&mut self, name: &str) -> Result<(), &'static str> {
        let words = words_of(name)?;
        if let [only] = words.as_slice() {
            let care = if ordinary(only) { Care::Capital } else { Care::None };
            self.add(&words, Named::Person, care);
            return Ok(());
        }
        self.name(name, Named::Person)?;
        let reversed: Vec<String> = words.iter().rev().cloned().collect();
        self.add(&reversed, Named::Person, Care::None);
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            let initial: String = first.chars().take(1).collect();
            if last.chars().count() >= 4 {
                self.add(&[format!("{initial}{last}")], Named::Person, Care::None);
            }
            self.add(&[initial, last.clone()], Named::Person, Care::None);
            for part in [first, last] {
                if part.chars().count() > 2 {
                    self.add(std::slice::from_ref(part), Named::Person, Care::Capital);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, words: &[String], named: Named, care: Care) {
        if let Some((first, rest)) = words.split_first() {
            self.names.entry(first.clone()).or_default().push(Name { rest: rest.to_vec(), named, care });
        }
    }
}

/// What may stand in a name for its `&`.
const ANDS: &[&str] = &["and", "und", "og", "et", "y"];
/// Machines are found in one word, where that is long enough to be no chance.
const JOINED_HOST_BYTES_MIN: usize = 8;
/// Shorter first parts of a vendor's name are looked for with the rest of it alone.
const PART_CHARS_MIN: usize = 5;
/// What stands at the end of a firm's name and is left out when people speak of it.
const LEGAL_FORMS: &str = "ltd limited inc incorporated llc llp lp plc corp corporation co company gmbh mbh ag se kg kgaa ohg ug ev \
    as asa ab aps oy oyj sa sas sarl sl slu srl spa bv nv pty holding holdings group gruppe konsern international";
/// What a person does at the beginning of a sentence.
const DOES: &str = "is was has had will did does says said reports reported found looks looked works worked and restarted fixed \
    deleted pushed rolled deployed called took told asked";
const MANY_NAMES: &str = "there are more names than can be looked for";
const NAME_UNREADABLE: &str =
    "a name in the configuration has no letter or digit, or is too long to be looked for";

fn whole(
    text: &str,
    words: &[(Range<usize>, String)],
    at: usize,
    first: &Range<usize>,
    name: &Name,
) -> Option<Range<usize>> {
    let mut end = first.end;
    let mut next = at + 1;
    for part in &name.rest {
        // "Orchard & Pine" is said "Orchard and Pine".
        let and = words.get(next).filter(|(_, word)| ANDS.contains(&word.as_str()) && word != part);
        let is_and = and.is_some();
        next += usize::from(is_and);
        let (span, word) = words.get(next)?;
        next += 1;
        let between = text.get(end..span.start)?;
        let near =
            (between.len() <= 3 || is_and) && !between.contains("\n\n") && !between.contains([';', '!', '?']);
        let whole = name.care != Care::Whole || !between.contains([' ', ',']) || between == " ";
        let same = word == part || spellings(word).contains(part);
        if !same || !near || !whole {
            return None;
        }
        end = span.end;
    }
    let span = first.start..end;
    (name.care != Care::Capital || written_as_a_name(text, &span)).then_some(span)
}

/// A word, and what it may be meant for: without the s of a genitive or a plural, and with letters for the digits that look
/// like them.
fn spellings(word: &str) -> Vec<String> {
    let mut all = vec![word.to_owned()];
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits > 0 && digits * 2 <= word.len() && word.bytes().any(|b| b.is_ascii_alphabetic()) {
        for one in ['i', 'l'] {
            let letter = |c| match c {
                '0' => 'o',
                '1' => one,
                '3' => 'e',
                '4' => 'a',
                '5' => 's',
                '7' => 't',
                c => c,
            };
            all.push(word.chars().map(letter).collect());
        }
    }
    if let Some(stem) = word.strip_suffix('s').filter(|stem| stem.chars().count() >= 4) {
        all.push(stem.to_owned());
    }
    all
}

/// A capital, and not only because a sentence begins; or as somebody is called in chat.
fn written_as_a_name(text: &str, span: &Range<usize>) -> bool {
    let before = text.get(..span.start).unwrap_or_default();
    if before.ends_with('@') {
        return true;
    }
    if !text.get(span.clone()).is_some_and(|word| word.starts_with(char::is_uppercase)) {
        return false;
    }
    let last = before.trim_end_matches([' ', '"', '\'', '(']);
    let begins = last.is_empty() || last.ends_with(['.', '!', '?', ':', '\n', '-']);
    if begins && !ordinary(&text.get(span.clone()).unwrap_or_default().to_lowercase()) {
        // "Lind restarted it": a word of a sentence is not followed by what somebody does.
        let after = text.get(span.end..).unwrap_or_default();
        let next = after.strip_prefix(' ').unwrap_or_default();
        let next = next.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        return DOES.split_whitespace().any(|word| word == next);
    }
    !begins
}

/// First names and handles that are words of their own in English or German.
fn ordinary(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "art", "bill", "bob", "chance", "chase", "chuck", "crystal", "dale", "dawn", "dean", "drew",
        "earnest", "eve", "faith", "frank", "gene", "grace", "grant", "guy", "heath", "holly", "hope",
        "hunter", "iris", "ivy", "jack", "jade", "joy", "june", "april", "may", "august", "kit", "lance",
        "mark", "mason", "max", "miles", "nick", "norm", "olive", "page", "pat", "patience", "pearl",
        "penny", "piper", "ray", "rich", "rob", "robin", "rose", "ruby", "rusty", "sage", "scout", "sky",
        "skip", "stone", "sue", "summer", "tab", "tanner", "victor", "viola", "violet", "wade", "ward",
        "will", "woody", "ernst", "stark", "bach", "rosa", "star",
    ];
    WORDS.contains(&word)
}

fn lower(text: &str) -> Option<String> {
    (text.len() <= NAME_BYTES_MAX).then_some(())?;
    Some(Folded::of(text.trim())?.text.to_lowercase())
}

pub(super) fn words_of(name: &str) -> Result<Vec<String>, &'static str> {
    let folded = lower(name).ok_or(NAME_UNREADABLE)?;
    let words: Vec<String> = words(&folded).into_iter().map(|(_, word)| word).collect();
    if words.is_empty() { Err(NAME_UNREADABLE) } else { Ok(words) }
}

/// The words of a text, in small letters, and where they stand.
pub(super) fn words(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut from = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric(), from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                found.push((start..at, text.get(start..at).unwrap_or_default().to_lowercase()));
                from = None;
            }
            _ => {}
        }
    }
    found
}

/// Whether a word of an alert is the name of something and not a word of everybody's.
pub(super) fn tells_of_a_thing(word: &str) -> bool {
    const COMMON: &[&str] = &[
        "http2", "http3", "ipv4", "ipv6", "oauth2", "utf8", "utf-8", "sha256", "sha1", "mp3", "mp4", "tls1",
        "web3", "base64", "covid-19", "24/7",
    ];
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let small = word.to_lowercase();
    if word.chars().count() < 3 || !word.chars().any(char::is_alphabetic) || COMMON.contains(&small.as_str())
    {
        return false;
    }
    let digits = word.chars().any(|c| c.is_ascii_digit());
    if digits {
        // "500ms", "90th", "5xx", "p99", "2xx", "10k" are measures.
        let letters = small.chars().filter(char::is_ascii_alphabetic).count();
        let led = small.starts_with(|c: char| c.is_ascii_digit());
        let measure = (led && letters <= 3) || (small.starts_with('p') && letters == 1);
        return !measure;
    }
    let humps =
        word.chars().zip(word.chars().skip(1)).filter(|(a, b)| a.is_lowercase() && b.is_uppercase()).count();
    let hyphens: Vec<&str> = small.split('-').collect();
    word.contains(['_', ':', '/'])
        || word.split('.').filter(|label| label.chars().count() > 1).count() > 1
        || humps > 0
        || hyphens.len() > 2
        || (hyphens.len() == 2 && hyphens.iter().any(|part| super::hosts::is_role(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(known: &Known, text: &str) -> Vec<String> {
        let ready = Ready::of(known).unwrap();
        ready.find(text).into_iter().map(|found| text[found.span].to_owned()).collect()
    }

    #[test]
    fn customers_are_found_however_they_are_joined() {
        let known = Known { customers: vec!["Nordwind Bank".into()], ..Known::default() };
        assert_eq!(found(&known, "for NORDWIND-bank's users"), ["NORDWIND-bank"]);
        assert_eq!(found(&known, "for NordwindBank"), ["NordwindBank"]);
        assert!(found(&known, "for banks").is_empty());
    }

    #[test]
    fn a_name_that_is_a_word_is_found_where_it_is_written_as_a_name() {
        let known = Known { people: vec!["will".into(), "Grace Stone".into()], ..Known::default() };
        assert!(found(&known, "This will help. Will it?").is_empty());
        assert_eq!(found(&known, "ask Will or @will"), ["Will", "will"]);
        assert_eq!(found(&known, "grace stone said"), ["grace stone"]);
        assert_eq!(found(&known, "Stone, Grace")[0], "Stone, Grace");
        assert!(found(&known, "set in stone").is_empty());
    }

    #[test]
    fn of_an_alert_only_names_of_things_are_kept() {
        for name in ["db-7", "HighErrorRate", "payments-db", "checkout_worker", "pg14", "api.eu.example"] {
            assert!(tells_of_a_thing(name), "{name}");
        }
        for word in ["high", "error", "sign-in", "500ms", "p99", "5xx", "ipv6", "2026", "e.g.", "third-party"]
        {
            assert!(!tells_of_a_thing(word), "{word}");
        }
    }

    #[test]
    fn a_name_without_letters_cannot_be_looked_for() {
        assert!(Ready::of(&Known { customers: vec![" - ".into()], ..Known::default() }).is_err());
        assert!(Ready::of(&Known { customers: vec!["x".repeat(300)], ..Known::default() }).is_err());
    }

    #[test]
    fn what_is_known_is_not_shown() {
        let known = Known { customers: vec!["Nordwind Bank".into()], ..Known::default() };
        assert!(!format!("{known:?}").contains("Nordwind"));
    }
}
