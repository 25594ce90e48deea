//! Addresses, ports and networks.

use std::ops::Range;

use super::Rule;
use super::pattern::{Look, Pattern};

const ADDRESS: &str = "This is an address of a machine or a network: say what users see instead.";
const PORT: &str = "This is a port: say which product it concerns instead.";
const NETWORK: &str = "This tells how the network is built: say what users see instead.";

const fn network(source: &'static str, why: &'static str) -> Pattern {
    Pattern::new(Rule::Network, source, why)
}

pub(super) const PATTERNS: &[Pattern] = &[
    network(r"\b[0-9]{1,3}(?:\s?\.\s?[0-9]{1,3}){3}\b(?:\s?/\s?[0-9]{1,2}\b)?(?:\s?:\s?[0-9]{1,5}\b)?", ADDRESS)
        .when(is_ipv4)
        .joined(),
    network(r"\b(?:ip-?)?[0-9]{1,3}(?:-[0-9]{1,3}){3}\b", ADDRESS).when(is_ipv4),
    network(r"\b[0-9]{1,3}(?:\s?,\s?[0-9]{1,3}){3}\b", ADDRESS).when(|look, span| {
        let text = look.of(span);
        is_ipv4(look, span) && !text.contains(", ") && (text.starts_with("10,") || text.starts_with("192,") || text.starts_with("172,"))
    }),
    // A part of an address, and a network.
    network(r"\b(?:10|127|172|192|169|100)\.[0-9]{1,3}(?:\.(?:[0-9]{1,3}|x|n))?\.(?:x{1,3}|n)\b", ADDRESS),
    network(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){1,2}\s?/\s?[0-9]{1,2}\b", ADDRESS).when(|look, span| {
        let before = look.before(span);
        !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/') && look.of(span).split('/').next_back().and_then(|bits| bits.trim().parse().ok()).is_some_and(|bits: u8| (8..=32).contains(&bits))
    }),
    network(r"\[?[0-9a-f]{0,4}(?:\s?:\s?[0-9a-f]{0,4}){2,7}\]?(?:%[a-z0-9]+)?(?:/[0-9]{1,3})?(?::[0-9]{2,5})?", ADDRESS).when(is_ipv6),
    network(r"\b0x[0-9a-f]{1,2}(?:\.0x[0-9a-f]{1,2}){3}\b|\b192 168 [0-9]{1,3} [0-9]{1,3}\b", ADDRESS),
    network(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){1,2}\.", ADDRESS).when(|look, span| {
        look.folded.origin(span).and_then(|span| look.original.get(span)).is_some_and(|text| text.ends_with(".*"))
    }),
    network(r"\b(?:10|172|192)\.[0-9]{1,3} (?:net|network|range|subnet|block)s?\b|(?:^|[\s])/(?:8|16|2[0-9]|3[0-2])\b", NETWORK),
    network(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b", NETWORK),
    network(r"\b[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}\b", NETWORK),
    network(r"(?:^|[a-z\])\s(])\s?:[1-9][0-9]{2,4}\b", PORT).when(is_port),
    network(r"\bports?(?: (?:no\.?|number|is|was|tcp|udp))?[ \n]?[:=#]?[ \n]?[0-9]{2,5}\b", PORT),
    network(r"\b[0-9]{2,5}\s?/\s?(?:tcp|udp)\b|\b(?:tcp|udp)[ /:-]{1,2}(?:port )?[0-9]{2,5}\b", PORT),
    network(r"\bv-?lan[- #:]{0,2}(?:ids? |nr\.? |no\.? |number )?[0-9]{1,4}\b|\bvlans\b|\bvlan[- ][a-z]+[0-9]*\b", NETWORK),
    network(r"\bAS ?[0-9]{4,10}\b|\bASN ?[0-9]{2,10}\b", NETWORK).cased(),
    network(r"\b(?:subnet|netmask|cidr|bgp peer|gateway address|loopback|vip|anycast address|nat gateway)s?\b(?: \w+){0,2} [0-9][0-9./]{2,}", NETWORK),
    network(r"\b(?:eth|ens|enp|eno|bond|wlan|tun|vxlan|xe|et|ge|gi|te|po)-?[0-9]{1,4}(?:/[0-9]{1,3}){0,3}(?:s[0-9])?\b", NETWORK).when(|look, span| {
        let text = look.of(span).to_lowercase();
        text.contains('/') || ["eth", "ens", "enp", "eno", "bond", "wlan", "tun", "vxlan"].iter().any(|kind| text.starts_with(kind))
    }),
];

fn is_ipv4(look: &Look<'_>, span: &Range<usize>) -> bool {
    let text = look.of(span).trim_start_matches(|c: char| !c.is_ascii_digit());
    let address = text.split(['/', ':']).next().unwrap_or_default();
    let octets: Vec<u32> =
        address.split(['.', '-', ',']).filter_map(|octet| octet.trim().parse().ok()).collect();
    let before = look.before(span);
    let glued = before.ends_with(|c: char| c.is_ascii_alphabetic())
        || before.ends_with(['.', '#']) && digit_behind(before);
    // "version 4.1.0.2" and a lone "v" before it are no addresses, unless only private networks begin so.
    let word = before.trim_end().rsplit([' ', '\n', '(']).next().unwrap_or_default().to_lowercase();
    let version = ["v", "version", "release", "build", "firmware", "app", "versjon"].contains(&word.as_str());
    let first = octets.first().copied().unwrap_or_default();
    octets.len() == 4 && octets.iter().all(|octet| *octet <= 255) && !glued && !(version && first < 10)
}

fn digit_behind(before: &str) -> bool {
    before.trim_end_matches(['.', '#']).ends_with(|c: char| c.is_ascii_digit())
}

fn is_ipv6(look: &Look<'_>, span: &Range<usize>) -> bool {
    let text = look.of(span);
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && *c != '[' && *c != ']').collect();
    let address = bare.split(['/', '%']).next().unwrap_or_default();
    let groups: Vec<&str> = address.split(':').collect();
    let filled = groups.iter().filter(|group| !group.is_empty()).count();
    let shortened = address.contains("::") && !address.contains(":::");
    let letters = address.bytes().any(|b| b.is_ascii_alphabetic());
    let digits = address.bytes().any(|b| b.is_ascii_digit());
    let apart = |c: char| c == ' ' || c == '\n';
    let glued = !text.starts_with(apart) && look.before(span).ends_with(|c: char| c.is_ascii_alphanumeric())
        || !text.ends_with(apart) && look.after(span).starts_with(|c: char| c.is_ascii_alphanumeric());
    if glued {
        return false;
    }
    // Hours and durations have two colons, and no letters.
    (shortened && filled >= 1 && digits)
        || (groups.len() == 8 && filled == 8)
        || (filled >= 5 && letters && digits && groups.len() >= 5)
}

/// A port stands behind a name or a blank, not in an hour, a ratio or a score.
fn is_port(look: &Look<'_>, span: &Range<usize>) -> bool {
    let after = look.after(span);
    let colon = look.of(span).find(':').unwrap_or_default();
    let before = look.before(&(span.start + colon..span.end));
    let word = before.rsplit([' ', '\n']).next().unwrap_or_default();
    // "Update:1530" is an hour that is badly set; a name with a dot, a digit or a hyphen in it is not.
    let named = word.is_empty()
        || word.contains(['.', '-', ']', ')', '('])
        || word.bytes().any(|b| b.is_ascii_digit())
        || word.eq_ignore_ascii_case("localhost")
        || word.bytes().all(|b| b.is_ascii_lowercase());
    named
        && !after.starts_with([':', '%'])
        && !(after.starts_with('.')
            && after.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))
}
