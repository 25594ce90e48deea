//! Names that the house knows: its people, its customers, its vendors, and its machines.

use std::sync::LazyLock;

use regex::Regex;

use super::fault::says_wrong;
use super::known::{Found, Named};
use super::pattern::{Hit, Look, expression};
use super::{Place, Rule};

const COLLEAGUE: &str =
    "This is the name or the address of somebody who works here: say \"we\", or name the office.";
const CUSTOMER: &str = "This is the name of a customer: say whom it concerns without naming anybody.";
const HOST: &str = "This is a name of the house's own machines and alerts: name the product that users see.";
const VENDOR: &str = "This blames a vendor: say what users see, or link the vendor's own public notice and say only what stands there.";
const FAULT: &str = "This puts a colleague at fault: say what happened to the service, and leave people out.";

/// The names of a text, with what stands around them.
pub(super) fn look(look: &Look<'_>, names: &[Found], hits: &mut Vec<Hit>) {
    for found in names {
        let span = found.span.clone();
        // Where breaks of lines are gone, short words stand together by chance.
        if look.gone && span.len() < 5 {
            continue;
        }
        match found.named {
            Named::Public => {}
            Named::Customer => hits.push(Hit { rule: Rule::Customer, span, why: CUSTOMER }),
            Named::Host => {
                if !is_public(look, found) {
                    hits.push(Hit { rule: Rule::Host, span, why: HOST });
                }
            }
            Named::Person => {
                if in_a_public_address(look, found) {
                    continue;
                }
                if says_wrong(look.sentence_before(&span)) || says_wrong(look.sentence_after(&span)) {
                    hits.push(Hit { rule: Rule::Fault, span: span.clone(), why: FAULT });
                }
                hits.push(Hit { rule: Rule::Colleague, span, why: COLLEAGUE });
            }
            Named::Vendor(number) => {
                if !look.noticed.contains(&number) && !matches!(look.place, Place::Link(_)) {
                    hits.extend(blame(look, found));
                }
            }
        }
    }
    addresses(look, hits);
}

/// Mail addresses of the people of the house, which are colleagues and not users.
fn addresses(look: &Look<'_>, hits: &mut Vec<Hit>) {
    if !look.ready.knows_addresses() {
        return;
    }
    static MAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(r"[a-z0-9._%+-]{1,64}(?:@| at )[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,5}", false)
    });
    for found in MAIL.iter().flat_map(|regex| regex.find_iter(look.text())) {
        let address = found.as_str().to_lowercase().replace(" at ", "@").replace("\nat ", "@");
        if look.ready.is_of_people(address.trim_end_matches(['.', '-'])) {
            hits.push(Hit { rule: Rule::Colleague, span: found.range(), why: COLLEAGUE });
        }
    }
}

/// A public host or a public address of the house can have a name in it.
fn is_public(look: &Look<'_>, found: &Found) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let before = look.before(&found.span);
    let after = look.after(&found.span);
    let front = before.len() - before.trim_end_matches(part).len();
    let back = after.len() - after.trim_start_matches(part).len();
    let whole = found.span.start - front..found.span.end + back;
    let host = look.of(&whole).trim_matches(['.', '-']).to_ascii_lowercase();
    look.ready.is_public_host(&host)
}

fn in_a_public_address(look: &Look<'_>, found: &Found) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || ".-_+@".contains(c);
    let before = look.before(&found.span);
    let after = look.after(&found.span);
    let front = before.len() - before.trim_end_matches(part).len();
    let back = after.len() - after.trim_start_matches(part).len();
    let whole = found.span.start - front..found.span.end + back;
    let address = look.of(&whole).trim_matches(['.', '-']).to_ascii_lowercase();
    look.ready.is_public_mail(&address)
}

/// What is said of a vendor in the same sentence, before or behind the name.
fn blame(look: &Look<'_>, found: &Found) -> Option<Hit> {
    static BLAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(
            r"\b(?:caus(?:e|ed|es|ing)|due to|because of|owing to|fault(?:s|y)?|fail(?:ed|ure|ures|ing|s)?|outages?|br(?:oke|oken|eaks?)|blam(?:e|ed|ing)|responsible|let (?:us|you|everyone) down|mistakes?|errors?|down|degraded|unavailable|unreachable|unresponsive|incidents?|issues?|problems?|trouble|disruptions?|malfunction\w*|crash(?:ed|es|ing)?|lost|dropp(?:ed|ing)|slow(?:ness)?|misrouted|misconfigur\w*|overload\w*|bug|bugs|suffer\w*|struggl\w*|collaps\w*|not (?:responding|working|delivering|answering|accepting)|stopped|offline|went (?:dark|away|down)|result of|thanks to|stem\w*|originat\w*|traced|triggered|attribut\w*|negligen\w*|underlying|upstream|provider's|messed|botched|at the root|side|end|wegen|aufgrund|ausfall\w*|ausgefallen|storung\w*|verursacht|gestort|schuld|versagt\w*|nede|feil(?:et)?|skyldes|svikt\w*|panne|defaillan\w*|a cause|en raison|faute|caida|caido|fallo|fallos|debido|culpa|averia)\b",
            false,
        )
    });
    let blame = BLAME.as_ref()?;
    let (before, after) = (look.sentence_before(&found.span), look.sentence_after(&found.span));
    let behind = blame.find_iter(after).last().map(|word| found.span.end + word.end());
    let first = blame.find(before).map(|word| found.span.start - before.len() + word.start());
    if behind.is_none() && first.is_none() {
        return None;
    }
    let span = first.unwrap_or(found.span.start)..behind.unwrap_or(found.span.end);
    Some(Hit { rule: Rule::Vendor, span, why: VENDOR })
}
