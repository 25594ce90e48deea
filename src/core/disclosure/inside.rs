//! What tells how things look inside: paths, files of the machines, stack traces, tickets and chat.

use std::ops::Range;

use super::Rule;
use super::pattern::{Look, Pattern};

const PATH: &str = "This is a path or a file of a machine: say what does not work for users instead.";
const TRACE: &str = "This is what a program says to those who write it: say what users see instead.";
const TICKET: &str = "This is the id of a ticket: leave it out, for nobody outside can open it.";
const CHAT: &str = "This leads into the house's own chat: leave it out.";
const OTHER: &str = "This is the id of another incident: each incident has statements of its own.";

const fn path(source: &'static str) -> Pattern {
    Pattern::new(Rule::Path, source, PATH)
}

const fn trace(source: &'static str) -> Pattern {
    Pattern::new(Rule::Path, source, TRACE)
}

const fn ticket(source: &'static str, why: &'static str) -> Pattern {
    Pattern::new(Rule::Ticket, source, why)
}

pub(super) const PATTERNS: &[Pattern] = &[
    path(r"(?:^|[\s\x22'(=:,>\[])(?:~|\.{1,2})?/(?:var|etc|opt|usr|home|srv|tmp|mnt|root|data|proc|dev|sys|run|app|apps|lib|bin|sbin|boot|media|export|nfs|log|logs|volumes?|users|private|library|api|v[0-9]+)(?:/[a-z0-9._@%+-]+)+/?")
        .when(not_in_a_url),
    path(r"(?:^|[\s\x22'(=:,>\[])(?:~|\.{1,2})?/[a-z0-9._@+-]+(?:/[a-z0-9._@%+{}-]+)+/?").when(not_in_a_url),
    path(r"(?:^|[\s\x22'(=:,>\[])/(?:etc|var|opt|srv|tmp|mnt|root|proc|dev|usr)\b").when(not_in_a_url),
    path(r"(?:^|[\s\x22'(=:,>\[])~/[a-z0-9._-]+"),
    path(r"\b[a-z]:\\{1,2}[a-z0-9 ._$-]+(?:\\{1,2}[a-z0-9 ._$-]+)*|\\{1,2}[a-z0-9._-]+\\{1,2}[a-z0-9._$\\-]+|%(?:appdata|programfiles|systemroot|temp|windir)%"),
    path(r"\b(?:[a-z0-9_.-]+/)+[a-z0-9_.-]+\.(?:rs|go|py|java|kt|js|ts|tsx|jsx|rb|php|c|cc|cpp|h|cs|scala|ex|exs|pl|sh|sql|conf|cfg|ini|ya?ml|toml|json|log|xml|tf|env|pem|key|crt|service|sock|pid|properties|tpl|j2|lua|vcl)\b")
        .when(not_in_a_url),
    path(r"\b[a-z0-9_][a-z0-9_.-]*\.(?:rs|go|py|java|kt|rb|php|cpp|cs|scala|exs|sh|sql|conf|cfg|ini|ya?ml|toml|log|tf|env|pem|key|crt|service|sock|pid|properties|vcl|dump|hprof|rdb|wal|ibd|bak|tfstate|ps1|bash_history|htaccess|htpasswd)(?::[0-9]{1,6}){0,2}\b")
        .when(not_in_a_url),
    path(r"(?:^|[\s\x22'(=:,>\[])\.(?:env|ssh|git|aws|kube|bash_history|htaccess|npmrc|netrc|pgpass|dockerenv)\b"),
    path(r"\b(?:id_rsa|id_ed25519|authorized_keys|known_hosts|docker ?-?compose|dockerfile|kubeconfig|crontab|my\.cnf|pg_hba|php\.ini|httpd|syslog|dmesg|journalctl|systemctl|kubectl|tcpdump|strace)\b"),
    path(r"\b[a-z0-9_]+\.(?:js|ts|tsx|jsx|c|h|ex|pl|lua|json|xml):[0-9]{1,6}\b"),
    trace(r"\btraceback\b|\bstack ?traces?\b|\bcore dump(?:ed|s)?\b|\bseg(?:mentation )?faults?\b|\bsegfault(?:ed|s)?\b|\bpanicked at\b|\bkernel panic\b|\bgoroutine [0-9]+|\bunhandled (?:exception|promise)|\bunwrap\(\)|\bexception in thread\b"),
    trace(r"\b(?:[a-z0-9_]+(?:\.|::))*[A-Za-z0-9_]+(?:Exception|Errno|Throwable)\b(?::[0-9]+)?").cased(),
    trace(r"\b(?:[A-Z][a-z]+){1,4}Error\b").cased(),
    trace(r"\bat [a-z0-9_$.<>]+\.[a-z0-9_$<>]+\([a-z0-9_.]*(?::[0-9]+)?[^)\n]{0,40}\)"),
    trace(r"\bfile [\x22']?[^\s\x22',]+[\x22']?, line [0-9]+|\b[a-z0-9_]+::[a-z0-9_:]+\b"),
    trace(r"\b(?:ORA-[0-9]{3,6}|SQLSTATE|ECONN[A-Z]+|ETIMEDOUT|ENOSPC|EHOSTUNREACH|ENOMEM|EADDRINUSE|OOM[ -]?Kill(?:ed|er)?|CrashLoopBackOff|ImagePullBackOff|SIG(?:KILL|SEGV|TERM|ABRT)|errno|java\.lang\.[A-Za-z]+|java\.net\.[A-Za-z]+)\b"),
    trace(r"\b(?:nginx|apache|haproxy|envoy|varnish|openssl|openssh|mysql|mariadb|postgres(?:ql)?|redis|rabbitmq|elasticsearch|kubernetes|tomcat|iis|php)/[0-9]+(?:\.[0-9]+)+"),
    trace(r"\bexit(?:ed)?(?: with)? (?:code|status) [0-9]+|\b0x[0-9a-f]{4,16}\b|\bnull pointer\b|\bundefined is not\b|\bcannot read propert(?:y|ies)\b|\bout of memory\b|\bdeadlock(?:s|ed)?\b|\btoo many open files\b|\bno space left on device\b|\bconnection refused\b|\bmax_?connections\b"),
    trace(r"\b(?:select\b [a-z0-9_*., \n]+ from [a-z0-9_.]+|insert\b into\b [a-z0-9_.]+|update [a-z0-9_.]+ set [a-z0-9_]+ ?=|delete from [a-z0-9_.]+|drop table|alter table|truncate table)\b"),
    trace(r"\bSELECT(?: [a-zA-Z0-9_.,]+)* FROM [a-zA-Z0-9_.]+").cased(),
    ticket(r"\b[A-Z][A-Z0-9]{1,9} ?[-‑] ?[0-9]{1,7}\b", TICKET).cased().when(is_ticket).joined(),
    ticket(r"\b[a-z][a-z]{1,9}-[0-9]{3,7}\b", TICKET).when(is_ticket),
    ticket(r"\b(?:CHG|RITM|PRB|PRBTSK|TASK|SCTASK|REQ|CTASK|CS|KB)[0-9]{5,10}\b", TICKET),
    ticket(r"\b(?:tickets?|jira|servicenow|zendesk|pull request|merge request|pr|mr|issue|case|bug|change request|change|sak|fall|vorgang|expediente|demande)(?: (?:id|no|number|nr|nummer|numero))?\.?:? ?[#!][0-9]{1,9}\b", TICKET),
    ticket(r"\b(?:tickets?|jira|servicenow|zendesk|pull request|merge request|case number|case no|case id|bug|change request|issue number|vorgang|ticketnummer|vorgangsnummer|saksnummer)(?: (?:id|ids|no|number|nr|nummer|is|was|reference|ref))?\.?:? [0-9]{2,9}\b", TICKET),
    ticket(r"(?:^|[\s(])[#!][0-9]{2,9}\b", TICKET).when(|look, span| {
        !look.sentence_before(span).to_lowercase().ends_with("update") && !look.sentence_before(span).to_lowercase().ends_with("incident")
    }),
    ticket(r"\b[a-z0-9-]+\.slack\.com/[^\s]*|\bslack\.com/(?:archives|app_redirect|client)[^\s]*|\bapp\.slack\.com[^\s]*|\bteams\.microsoft\.com/l/(?:message|channel|chat)[^\s]*|\bdiscord(?:app)?\.com/channels[^\s]*|\bdiscord\.gg/[^\s]+|\bmatrix\.to/[^\s]*|\bt\.me/(?:c|joinchat)/[^\s]*|\bchat\.google\.com/[^\s]*|\bslack://[^\s]*|\b[a-z0-9.-]*mattermost[a-z0-9.-]*/[^\s]+|\b[a-z0-9.-]*zulip(?:chat)?[a-z0-9.-]*/#[^\s]+|\b[a-z0-9-]+\.atlassian\.net/[^\s]*|\b[a-z0-9-]+\.pagerduty\.com/incidents[^\s]*", CHAT),
    ticket(r"(?:^|[\s(\x22'])#(?:inc|incident|incidents|ops|sre|oncall|on-call|war|warroom|war-room|outage|outages|team|eng|infra|platform|devops|dev|help|support|alerts|prod|sev[0-9]|major|noc|tmp)(?:[_-][a-z0-9_-]+)?\b", CHAT),
    ticket(r"\b(?:war ?room|incident channel|bridge call)(?: \w+){0,3} #[a-z0-9_-]+|#[a-z0-9]+(?:[_-][a-z0-9]+)+\b", CHAT),
    Pattern::new(Rule::Other, r"\binc ?[-#‑]? ?[0-9]{1,10}\b", OTHER).when(is_another).joined(),
    Pattern::new(Rule::Ticket, r"\binc ?[-#‑]? ?[0-9]{1,10}\b", TICKET).when(|look, span| !is_another(look, span)),
    Pattern::new(Rule::Other, r"\b(?:incidents?|outage|major incident|storung|vorfall|hendelse|incidente)(?: (?:id|no|number|nr|nummer|numero))?\.?:? ?#?[0-9]{1,10}\b", OTHER)
        .when(|look, span| is_another(look, span) && !is_counted(look, span)),
];

fn not_in_a_url(look: &Look<'_>, span: &Range<usize>) -> bool {
    // The path of a URL belongs to the URL, which is looked at as a whole.
    let text = look.of(span);
    let before = look.before(span);
    let word = before.rsplit([' ', '\n', '(', '"']).next().unwrap_or_default();
    let glued = !text.starts_with([' ', '\n', '(', '"', '\'', '[']);
    let ratio = text
        .trim_start_matches([' ', '\n', '('])
        .split('/')
        .all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let shown = matches!(look.place, super::Place::Link(_));
    !(ratio
        || shown && look.text().contains("://")
        || glued && (word.contains("://") || word.contains("www.")))
        && !text.starts_with("://")
        && !(text.starts_with(':') && text.get(1..).is_some_and(|rest| rest.starts_with("//")))
}

/// Standards, measures and hours are written like tickets.
fn is_ticket(look: &Look<'_>, span: &Range<usize>) -> bool {
    const NONE: &[&str] = &[
        "utf", "iso", "sha", "covid", "http", "https", "rfc", "iec", "en", "din", "tls", "ssl", "aes", "rsa",
        "md", "usb", "wpa", "gpt", "sev", "utc", "gmt", "cet", "cest", "est", "edt", "pst", "pdt", "bst",
        "mez", "mesz", "mp", "cve", "cwe", "tier", "level", "inc", "ipv", "ip", "mid", "pre", "post",
        "early", "late", "circa", "since", "year", "top", "us", "eu", "uk", "ap", "h", "q", "fy", "win",
        "windows", "ios", "android", "version", "v", "build", "pci", "soc", "gdpr", "iban", "bic", "phase",
        "step", "part", "section", "area", "zone", "north", "south", "east", "west", "central", "asia",
        "europe", "america", "february", "january", "november", "december", "pm", "am", "dvb", "lte", "cat",
        "ms", "kb", "gb", "mb", "node", "under", "over", "non", "sub", "error", "code", "status", "ean",
        "upc", "isbn", "pop", "ip-", "page", "chapter", "round", "day", "week", "at", "by", "to", "of",
        "als", "um", "kl", "ab", "bis", "von", "xbox", "ps", "airbus", "boeing", "type", "class", "group",
        "of-", "sql", "agenda", "vision", "event", "format",
    ];
    let text = look.of(span);
    let word = text.split(['-', '‑', ' ']).next().unwrap_or_default().to_lowercase();
    let before = look.before(span);
    let after = look.after(span);
    let glued = before.ends_with(['-', '/', '.', '_', '=', '&', '?']);
    let digit = |c: char| c.is_ascii_digit();
    let goes_on = after.starts_with(['-', ':']) && after.get(1..).is_some_and(|rest| rest.starts_with(digit));
    let longer =
        goes_on || after.starts_with("-bit") || after.starts_with(|c: char| c.is_ascii_alphanumeric());
    !(glued || longer || NONE.contains(&word.as_str()))
}

fn is_another(look: &Look<'_>, span: &Range<usize>) -> bool {
    let digits: String = look.of(span).chars().filter(char::is_ascii_digit).collect();
    look.known.incident.is_none_or(|own| digits.parse() != Ok(own))
}

/// "Incident 2 of 3", "outages 14:02", "incident 2026".
fn is_counted(look: &Look<'_>, span: &Range<usize>) -> bool {
    let after = look.after(span).trim_start();
    let digits: String = look.of(span).chars().filter(char::is_ascii_digit).collect();
    after.starts_with(":")
        && after.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        || after.starts_with('%')
        || digits.len() == 4 && digits.starts_with("20")
        || after.starts_with("minutes")
        || after.starts_with("hours")
}
