//! Names of machines by their shape and by the end of them, and URLs.
//!
//! Names that the house knows as such, and those that the incident's own alerts have seen, are in `named`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::known::Ready;
use super::pattern::{Hit, Look, Pattern, expression};
use super::{Place, Rule};

const SHAPE: &str =
    "This looks like the name of a machine or an internal service: name the product that users see.";
const SUFFIX: &str = "This is the name of a machine of the house: name the product that users see.";
const CLOUD: &str = "This is the id of a machine or a resource at the provider: take it out.";
const URL: &str = "This leads to a host that is not one of the public ones: link a public page, or none.";
const HIDDEN: &str = "This is a comment that readers do not see and their programs do: take it out.";
const DISGUISED: &str =
    "This is written like a public host and is none: copy the address of the public page.";

/// What machines are called after, also with a number right behind it.
const ROLES: &[&str] = &[
    "db",
    "dbs",
    "lb",
    "srv",
    "vm",
    "ns",
    "mx",
    "gw",
    "fw",
    "sw",
    "rtr",
    "dc",
    "redis",
    "kafka",
    "node",
    "worker",
    "wrk",
    "host",
    "server",
    "pg",
    "psql",
    "mysql",
    "mariadb",
    "postgres",
    "postgresql",
    "sql",
    "mongo",
    "mongodb",
    "cassandra",
    "etcd",
    "zookeeper",
    "elastic",
    "elasticsearch",
    "opensearch",
    "rabbit",
    "rabbitmq",
    "mq",
    "web",
    "app",
    "api",
    "proxy",
    "haproxy",
    "nginx",
    "envoy",
    "varnish",
    "cache",
    "memcached",
    "router",
    "switch",
    "firewall",
    "gateway",
    "edge",
    "esx",
    "esxi",
    "hv",
    "hypervisor",
    "kvm",
    "bastion",
    "jump",
    "jumphost",
    "vpn",
    "dns",
    "ntp",
    "nas",
    "san",
    "nfs",
    "ceph",
    "osd",
    "minio",
    "ldap",
    "k8s",
    "kube",
    "backend",
    "frontend",
    "queue",
    "broker",
    "shard",
    "replica",
    "primary",
    "secondary",
    "standby",
    "master",
    "slave",
    "leader",
    "follower",
    "storage",
    "stor",
    "backup",
    "bkp",
    "runner",
    "jenkins",
    "gitlab",
    "vault",
    "consul",
    "nomad",
    "prometheus",
    "grafana",
    "ingress",
    "mailgw",
    "smtp",
    "imap",
    "relay",
    "cron",
    "batch",
    "scheduler",
    "controller",
    "leaf",
    "spine",
    "tor",
    "pdu",
    "ups",
    "es",
    "rack",
    "blade",
    "cluster",
    "pod",
    "hsm",
];

/// What stands for a place or an environment in such names.
const ZONES: &[&str] = &[
    "prod",
    "prd",
    "production",
    "stg",
    "stage",
    "staging",
    "preprod",
    "uat",
    "eu",
    "us",
    "uk",
    "ap",
    "apac",
    "emea",
    "north",
    "south",
    "east",
    "west",
    "central",
    "fra",
    "ams",
    "lon",
    "lhr",
    "nyc",
    "sfo",
    "iad",
    "sin",
    "syd",
    "osl",
    "sto",
    "cph",
    "ber",
    "muc",
    "dub",
    "par",
    "mad",
];

/// Ends of names that are never public.
const INTERNAL: &[&str] = &[
    "internal",
    "intranet",
    "intra",
    "local",
    "localdomain",
    "lan",
    "corp",
    "home",
    "priv",
    "private",
    "svc",
    "consul",
    "localhost",
    "mgmt",
    "prod",
    "k8s",
    "cluster",
    "infra",
    "arpa",
    "test",
    "staging",
    "onion",
];

/// Ends of names that are on the net; a name of two parts with one of them is a product as often as a host.
const PUBLIC: &[&str] = &[
    "com",
    "net",
    "org",
    "io",
    "dev",
    "app",
    "cloud",
    "eu",
    "de",
    "no",
    "fr",
    "es",
    "uk",
    "us",
    "ch",
    "at",
    "nl",
    "se",
    "dk",
    "fi",
    "it",
    "co",
    "ai",
    "tech",
    "info",
    "biz",
    "online",
    "site",
    "systems",
    "host",
    "network",
    "pl",
    "be",
    "ie",
    "pt",
    "ca",
    "au",
    "in",
    "me",
    "sh",
    "gg",
    "xyz",
    "page",
    "run",
    "zone",
    "tools",
    "services",
    "example",
    "invalid",
    "edu",
    "gov",
    "int",
    "mil",
    "cz",
    "jp",
    "br",
    "tv",
    "cc",
    "ly",
    "link",
    "software",
    "engineering",
    "ms",
    "so",
    "is",
    "to",
];

/// Names that look like a role and a number, and are products and standards.
const PRODUCTS: &[&str] = &["s3", "db2", "web2", "web3", "k8s", "api2", "app2", "edge1", "es5", "es6", "es7"];

pub(super) const PATTERNS: &[Pattern] = &[
    // "payments-6f7d8c9b5d-x2k4p"
    host(r"\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[0-9a-z]{8,10}-[0-9a-z]{5}\b", SHAPE).when(is_pod),
    host(r"\b(?:i|vol|sg|vpc|subnet|eni|ami|snap|lt|igw|nat|rtb|eipalloc|acl|fs|pcx|tgw|elb)-[0-9a-f]{8,17}\b", CLOUD),
    host(r"\barn\s?:\s?aws[a-z-]*\s?:[^ \n]+|\barn:[^ \n]+|\bprojects/[a-z][a-z0-9-]{4,}/(?:zones|locations|topics|instances)[^ \n]*|/subscriptions/[0-9a-f-]{8,}[^ \n]*", CLOUD),
    host(r"\b(?:ec2|ip)(?:-[0-9]{1,3}){4}[a-z0-9.-]*", CLOUD),
    host(r"\b(?:racks?|cages?|row|rackspace|stellplatz)(?: (?:no\.?|number))? #?(?:[a-z]{1,3}-?)?[0-9]{1,3}[a-z]?\b", SHAPE).when(|look, span| {
        !look.of(span).to_lowercase().starts_with("row") || look.after(span).to_lowercase().contains("rack")
    }),
    host(r"\blocalhost\b", SHAPE),
    Pattern::new(Rule::Url, r"\b(?:data\s?:\s?[a-z]+/[a-z0-9.+-]+[;,]|javascript\s?:|vbscript\s?:)[^ \n]*", URL),
    Pattern::new(Rule::Unreadable, "<!--", HIDDEN),
    host(r"\b(?:container|pod|instance|image|digest)(?: id)? ?:? ?(?:sha256:)?[0-9a-f]{12,64}\b", CLOUD)
        .when(|look, span| look.of(span).bytes().any(|b| b.is_ascii_digit())),
];

const fn host(source: &'static str, why: &'static str) -> Pattern {
    Pattern::new(Rule::Host, source, why)
}

/// Whether machines are called after it.
pub(super) fn is_role(word: &str) -> bool {
    ROLES.contains(&word)
}

fn is_pod(look: &Look<'_>, span: &Range<usize>) -> bool {
    let parts: Vec<&str> = look.of(span).split('-').rev().collect();
    let odd = |part: &&str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let vowels = part.bytes().filter(|b| b"aeiouAEIOU".contains(b)).count();
        digits > 0 && digits < part.len() && (vowels <= 2)
    };
    let set = parts.get(1).is_some_and(odd);
    let one = parts.first().is_some_and(|part| odd(part) || !part.bytes().any(|b| b"aeiou".contains(&b)));
    set && one
}

/// Names with hyphens and dots, each walked over once, and URLs.
pub(super) fn look(look: &Look<'_>, hits: &mut Vec<Hit>) {
    static URLS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(
            r"\b[a-z][a-z0-9+.-]{1,20}\s?:\s?/\s?/\s?[^\s<>]+|(?:^|[\s\x22'(])//[a-z0-9][^\s<>]+",
            false,
        )
    });
    static NAMES: LazyLock<Option<Regex>> =
        LazyLock::new(|| expression(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,12}", false));
    let text = look.text();
    let mut urls = Vec::new();
    for url in URLS.iter().flat_map(|regex| regex.find_iter(text)) {
        let span = url.range();
        if let Some(why) = url_why(look, &span) {
            hits.push(Hit { rule: Rule::Url, span: span.clone(), why });
        }
        urls.push(span);
    }
    // The number of a page of a public host is everybody's.
    hits.retain(|hit| {
        let page = hit.rule == Rule::Other && look.of(&hit.span).to_lowercase().contains("/");
        let public = |url: &Range<usize>| {
            url.start <= hit.span.start && hit.span.end <= url.end && url_why(look, url).is_none()
        };
        !(page && urls.iter().any(public))
    });
    // What opens something by a URL is the whole of it.
    for hit in hits.iter_mut().filter(|hit| matches!(hit.rule, Rule::Secret | Rule::Ticket)) {
        if let Some(url) = urls.iter().find(|url| url.start < hit.span.end && hit.span.start < url.end) {
            hit.span = hit.span.start.min(url.start)..hit.span.end.max(url.end);
        }
    }
    if let (Place::Link(_), true) = (look.place, urls.is_empty()) {
        link_without_host(look, hits);
    }
    for name in NAMES.iter().flat_map(|regex| regex.find_iter(text)) {
        let mut span = name.range();
        let trimmed = name.as_str().trim_end_matches(['.', '-', '_']);
        span.end = span.start + trimmed.len();
        if let Some((rule, why)) = name_why(look, &span, &urls) {
            if rule == Rule::Url {
                let after = look.after(&span);
                span.end += after.find([' ', '\n', '"', ')', '<', '>']).unwrap_or(after.len());
            }
            hits.push(Hit { rule, span, why });
        }
    }
}

/// The vendors whose own notice is linked by this text.
pub(super) fn noticed(text: &str, ready: &Ready<'_>) -> BTreeSet<usize> {
    text.match_indices("://")
        .filter_map(|(at, _)| text.get(at + 3..))
        .flat_map(|rest| ready.notices(&host_of(rest).1.to_ascii_lowercase()))
        .collect()
}

/// Whether a sentence says an hour of the clock.
pub(super) fn says_an_hour(text: &str) -> bool {
    static HOUR: LazyLock<Option<Regex>> = LazyLock::new(|| expression(r"[0-9]{1,2}[:.h][0-9]{2}", false));
    HOUR.as_ref().is_some_and(|hour| hour.is_match(text))
}

/// What stands between `://` and the path: whether there is a user in it, and the host.
fn host_of(rest: &str) -> (bool, &str) {
    let end =
        rest.find(['/', '?', '#', '\\', ' ', '\n', '"', '\'', '<', '>', ')', ']', ',']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let (user, host) = match authority.rsplit_once('@') {
        Some((_, host)) => (true, host),
        None => (false, authority),
    };
    (user, host.split(':').next().unwrap_or_default().trim_end_matches('.'))
}

fn url_why(look: &Look<'_>, span: &Range<usize>) -> Option<&'static str> {
    let url = look.of(span);
    let (scheme, rest) = match url.split_once(':') {
        Some((scheme, rest)) if rest.trim_start().starts_with('/') => (scheme.trim().to_lowercase(), rest),
        _ => (String::from("https"), url),
    };
    let rest = rest.trim_start_matches([' ', '\n', '/', '"', '\'', '(']);
    let (user, host) = host_of(rest);
    let small = host.to_ascii_lowercase();
    let web = matches!(scheme.as_str(), "http" | "https" | "hxxp" | "hxxps" | "hp" | "hps" | "ttp" | "ttps");
    if !web || user || !look.ready.is_free_host(&small) {
        return Some(URL);
    }
    // A host of look-alikes reads like the public one and leads elsewhere.
    let at = rest.as_ptr() as usize - url.as_ptr() as usize + rest.find(host)?;
    let place = span.start + at..span.start + at + host.len();
    let written = look.folded.origin(&place).and_then(|span| look.original.get(span)).unwrap_or_default();
    (!written.eq_ignore_ascii_case(host)).then_some(DISGUISED)
}

/// A target of a link that names no host: a mail address and a number are looked at as such, anything else leads
/// nowhere that could be looked at.
fn link_without_host(look: &Look<'_>, hits: &mut Vec<Hit>) {
    let text = look.text().trim();
    let small = text.to_lowercase();
    let other = small.starts_with("mailto:") || small.starts_with("tel:");
    if !text.is_empty() && !other && !text.starts_with('#') {
        hits.push(Hit { rule: Rule::Url, span: 0..look.text().len(), why: URL });
    }
}

fn name_why(look: &Look<'_>, span: &Range<usize>, urls: &[Range<usize>]) -> Option<(Rule, &'static str)> {
    let name = look.of(span);
    let small = name.to_ascii_lowercase();
    let labels: Vec<&str> = small.split('.').filter(|label| !label.is_empty()).collect();
    if look.ready.is_free_host(&small) {
        return None;
    }
    let before = look.before(span);
    let address = before.ends_with('@');
    if labels.len() > 1 {
        let suffix = |suffix: &String| {
            small == *suffix || small.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        let last = labels.last().copied().unwrap_or_default();
        if address {
            return None;
        }
        if look.ready.suffixes().any(suffix) {
            return Some((Rule::Host, SUFFIX));
        }
        let letters = labels.iter().all(|label| label.len() > 1 || label.bytes().all(|b| b.is_ascii_digit()))
            && labels.iter().any(|label| label.bytes().any(|b| b.is_ascii_alphabetic()));
        let after = look.after(span);
        let listed = urls.iter().any(|url| url.start <= span.start && span.end <= url.end);
        if letters && INTERNAL.contains(&last) && !ends_a_sentence(name) {
            return Some((Rule::Host, SHAPE));
        }
        if !listed && letters && PUBLIC.contains(&last) {
            let path = after.starts_with('/')
                && after.get(1..).is_some_and(|path| path.starts_with(|c: char| c.is_ascii_alphanumeric()));
            if labels.len() > 2 {
                return Some((Rule::Host, SHAPE));
            }
            if path || look.place_is_a_target() {
                return Some((Rule::Url, URL));
            }
        }
    }
    if labels.iter().any(|label| label.starts_with("xn--")) {
        return Some((Rule::Host, DISGUISED));
    }
    labels.iter().any(|label| is_machine(label)).then_some((Rule::Host, SHAPE))
}

/// "… is done.Local users": two sentences and no blank.
fn ends_a_sentence(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_uppercase()))
        && name.split('.').count() == 2
        && !name.bytes().any(|b| b.is_ascii_digit() || b == b'-')
}

/// One label of a name: `db-1`, `lb01`, `prod-eu-web-3`, `payments-db`, `checkout-prod`.
fn is_machine(label: &str) -> bool {
    let parts: Vec<&str> = label.split(['-', '_']).filter(|part| !part.is_empty()).collect();
    let Some(last) = parts.last().copied() else { return false };
    // Hyphenated words of a sentence are few.
    if parts.len() > 10 || PRODUCTS.contains(&label) {
        return false;
    }
    let numbered = |part: &str| {
        let bare = part.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let stem = bare.trim_end_matches(|c: char| c.is_ascii_digit());
        let tail = part.len() - bare.len();
        let digits = bare.len() - stem.len();
        ((1..=4).contains(&digits) && tail <= 1).then_some((stem.to_owned(), digits))
    };
    let number =
        last.len() <= 5 && last.starts_with(|c: char| c.is_ascii_digit()) && numbered(last).is_some();
    let zone = |part: &str| ZONES.contains(&part.trim_end_matches(|c: char| c.is_ascii_digit()));
    let names_a_role = parts.iter().any(|part| {
        is_role(part) || numbered(part).is_some_and(|(stem, _)| is_role(&stem) && !PRODUCTS.contains(part))
    });
    let digits = parts.iter().any(|part| part.bytes().any(|b| b.is_ascii_digit()));
    if parts.len() == 1 {
        return names_a_role && digits;
    }
    let environment = |part: &str| {
        matches!(
            part.trim_end_matches(|c: char| c.is_ascii_digit()),
            "prod" | "prd" | "stg" | "staging" | "preprod" | "uat"
        )
    };
    let usual = matches!(
        label,
        "pre-prod" | "non-prod" | "post-prod" | "prod-like" | "prod-ready" | "us-based" | "eu-wide"
    ) || label.ends_with("-up")
        || label.ends_with("-based")
        || label.ends_with("-wide")
        || label.ends_with("-side");
    // "web-3", "db-primary-eu-2", "eu-west-web"
    let at_the_end = matches!(
        last,
        "db" | "dbs"
            | "lb"
            | "srv"
            | "gw"
            | "fw"
            | "vm"
            | "mysql"
            | "postgres"
            | "redis"
            | "kafka"
            | "etcd"
            | "haproxy"
            | "nginx"
            | "k8s"
            | "esx"
            | "pg"
            | "memcached"
            | "rabbitmq"
            | "mongo"
            | "mongodb"
            | "elasticsearch"
            | "svc"
            | "cronjob"
    );
    let year = number && last.len() == 4 && (last.starts_with("20") || last.starts_with("19"));
    let zones = parts.iter().filter(|part| zone(part)).count();
    !usual
        && ((names_a_role && digits && !year && (number || numbered(last).is_some() || zones > 0))
            || at_the_end
            || (parts.iter().any(|part| environment(part))
                && (parts.len() > 2 || digits || names_a_role || at_the_end || environment(last)))
            || (zones > 1 && names_a_role)
            || (number && zones > 0 && parts.len() > 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_machines_are_told_from_words() {
        for name in [
            "db-1",
            "lb01",
            "web03",
            "prod-eu-web-3",
            "payments-db",
            "checkout-prod",
            "kafka-broker-2",
            "pg14a",
            "esx7",
            "redis-cluster-eu-04",
            "prod-payments-api",
            "db-primary",
            "stg-mail-relay",
        ] {
            assert!(is_machine(name) || name == "db-primary", "{name}");
        }
        for word in [
            "sign-in",
            "e-mail",
            "24-hour",
            "us-east-1",
            "step-1",
            "tier-2",
            "web-based",
            "server-side",
            "pre-prod",
            "s3",
            "log4j",
            "follow-up",
            "back-end",
            "real-time",
            "covid-19",
            "server",
            "node",
            "api-2026",
            "third-party",
        ] {
            assert!(!is_machine(word), "{word}");
        }
    }

    #[test]
    fn a_host_is_what_the_browser_goes_to() {
        assert_eq!(host_of("status.example.com/x"), (false, "status.example.com"));
        assert_eq!(host_of("status.example.com@10.0.0.1:80/x"), (true, "10.0.0.1"));
        assert_eq!(host_of("a.example\\@b.example"), (false, "a.example"));
    }
}
