//! Secrets by their shape: what opens something, whoever holds it.

use super::Rule;
use super::pattern::{Hit, Look, Pattern};

/// Shorter runs of letters and digits are words, numbers of parts and the like.
const RANDOM_BYTES_MIN: usize = 20;
/// Longer ones are looked at no further: so much of them is enough.
const RANDOM_BYTES_MAX: usize = 512;
/// So many digits that are hexadecimal, without anything else, are a digest or a key.
const HEX_BYTES_MIN: usize = 32;

const KEY: &str =
    "This is shaped like a key or token: take it out, and have it replaced, for it has been written down.";
const PRIVATE: &str = "This is a private key or a certificate: take it out, and have it replaced.";
const PASSWORD: &str = "This gives away a password: take it out, and have it changed.";
const HEADER: &str = "This is what somebody signs in with: take it out, and have it revoked.";
const SIGNED: &str =
    "This URL opens something for whoever has it: link a public page instead, and have it revoked.";
const HOOK: &str =
    "This URL is a credential, for whoever has it can post by it: take it out, and have it replaced.";
const MEETING: &str = "This lets anybody into a meeting: take it out.";
const RANDOM: &str = "This looks like a random secret: take it out, or say in words what it stands for.";

const fn key(source: &'static str) -> Pattern {
    Pattern::new(Rule::Secret, source, KEY).cased().joined()
}

const fn secret(source: &'static str, why: &'static str) -> Pattern {
    Pattern::new(Rule::Secret, source, why)
}

pub(super) const PATTERNS: &[Pattern] = &[
    secret(r"-{2,}\s?BEGIN [A-Z0-9 ]{2,40}-{2,}[A-Za-z0-9+/=\s]*(?:-{2,}\s?END [A-Z0-9 ]{2,40}-{2,})?", PRIVATE),
    secret(r"\bBEGIN (?:[A-Z0-9]+ ){0,3}(?:PRIVATE KEY|CERTIFICATE|PGP MESSAGE)(?: BLOCK)?\b", PRIVATE).joined(),
    secret(r"\bPuTTY-User-Key-File", PRIVATE),
    secret(r"\bssh-(?:rsa|dss|ed25519|ecdsa) AAAA[A-Za-z0-9+/=]+", PRIVATE).joined(),
    key(r"AGE-SECRET-KEY-1[A-Z0-9]{6,}"),
    // JSON web tokens, also without a signature.
    key(r"\beyJ[A-Za-z0-9_-]{8,}\s?\.\s?[A-Za-z0-9_-]{8,}(?:\s?\.\s?[A-Za-z0-9_-]*)?"),
    key(r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,20}\b"),
    key(r"\bAIza[A-Za-z0-9_-]{20,}"),
    key(r"\bya29\.[A-Za-z0-9_-]{10,}"),
    key(r"\bGOCSPX-[A-Za-z0-9_-]{10,}"),
    key(r"\b(?:gh[opusr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})"),
    key(r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|oas|agent|imt)-[A-Za-z0-9_-]{10,}"),
    key(r"\bxox[abceoprs][a-z]?-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}"),
    key(r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9+/=]{8,}"),
    key(r"\b(?:SK|AC|PN)[0-9a-f]{32}\b"),
    key(r"\bSG\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    key(r"\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}"),
    key(r"\b(?:npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{16,}|hv[sb]\.[A-Za-z0-9_-]{12,}|s\.[A-Za-z0-9]{24})"),
    key(r"\b(?:shp(?:at|ss|ca|pa)_[a-fA-F0-9]{16,}|sq0[a-z]{3}-[A-Za-z0-9_-]{16,}|EAA[A-Za-z0-9]{30,}|NRAK-[A-Z0-9]{16,}|dapi[a-f0-9]{24,}|PMAK-[a-f0-9-]{20,}|glsa_[A-Za-z0-9_]{16,}|rubygems_[a-f0-9]{20,}|key-[a-f0-9]{32}|lin_api_[A-Za-z0-9]{16,}|hf_[A-Za-z]{20,}|onscene_[A-Za-z0-9_-]{16,})"),
    key(r"\b[0-9]{8,10}:[A-Za-z0-9_-]{30,}"),
    secret(
        r"\b(?:proxy-)?authori[sz]ation\s?:\s?[a-z]{3,10} [a-z0-9+/=._~-]{6,}|\bbearer:? [a-z0-9+/=._~-]{12,}|\b(?:set-)?cookie\s?:\s?[a-z0-9_.-]+=[^ \n;]{6,}|\bx-api-key\s?[:=]\s?[^ \n]{6,}",
        HEADER,
    )
    .when(|look, span| has_digit_or_long(look.of(span))),
    secret(r"[^ \n]{4,40} (?:is|was) (?:the|our|its|my) (?:\w+ )?(?:pass ?word|pass ?phrase|pass ?code|pin|secret|token|api ?key)\b", PASSWORD)
        .when(|look, span| is_made_up(look.of(span).split([' ', '\n']).next().unwrap_or_default())),
    secret(r"\b(?:log ?in|sign in|connect)(?: \w+)? as [a-z0-9._-]{2,32} (?:with|using|and) [^ \n,;]{5,}", PASSWORD)
        .when(|look, span| is_made_up(last_word(look.of(span)))),
    secret(r"\b(?:door|gate|alarm|entry|unlock|lock|safe|building|room|vault)[ ]?code\b(?: \w+){0,3}[ :=#]{1,3}[0-9][0-9 -]{2,10}|\bcode to (?:get in|enter|open|join|unlock)(?: \w+){0,3}[ :=#]{1,3}[0-9][0-9 -]{2,10}|\b(?:door|gate|alarm|access|entry)[ ]?pin\b(?: \w+){0,2}[ :=#]{1,3}[0-9]{3,}", MEETING),
    secret(r"\bdial in(?: \w+){0,2} (?:with|by|using|via) #?[0-9](?:[ -]?[0-9]){2,12}", MEETING),
    key(r"\bA[KS]IA(?: ?[A-Z0-9]{4}){4}\b"),
    secret(
        r"(?:\b|_)(?:pass ?word|p/w|passw|passw0rd|passwd|pass ?phrase|pass ?code|pwd|pw|kennwort|passwort|passord|mot de passe|contrasena|clave|wachtwoord)\b[ \n]?(?:\([^)\n]{0,24}\)[ \n]?)?(?:for [a-z0-9 ._-]{1,24}[ \n]?)?(?:=>?|:=?|->)[ \n]?[^ \n,;]{3,}",
        PASSWORD,
    )
    .joined(),
    secret(
        r"\b(?:pass ?word|p/w|passw|passw0rd|passwd|pass ?phrase|pass ?code|pwd|pw|kennwort|passwort|passord|mot de passe|contrasena)s?(?: (?:for|of|to|fur|til|pour)(?: [a-z0-9._-]{1,20}){1,4})?(?: (?:has been|was))?(?: (?:is|was|ist|lautet|er|est|es|set to|changed to|reset to))(?: (?:now|still|set to|changed to|again|jetzt|na|temporarily|currently))?:? [^ \n,;]{4,}",
        PASSWORD,
    )
    .when(|look, span| is_made_up(last_word(look.of(span))))
    .joined(),
    secret(
        r"\b(?:log ?in|sign in|use|creds?|credentials?)(?: \w+){0,3} [a-z0-9._-]{2,}\s?/\s?[^ \n,;/]{6,}",
        PASSWORD,
    )
    .when(|look, span| is_made_up(last_word(look.of(span)).rsplit('/').next().unwrap_or_default())),
    secret(
        r"(?:\b|_)(?:secret|token|api ?key|access ?key(?: id)?|secret ?(?:access )?key|client ?secret|auth(?: ?token)?|account ?key|shared ?access ?key|private ?key|session ?(?:id|token)|credential|jwt|otp|totp|2fa(?: code)?|recovery code|backup code|schlussel|nokkel|jeton|cle)[ \n]?(?:is|was|ist|er|est|es|=>?|:=?|->)[ \n]?[^ \n,;]{6,}",
        KEY,
    )
    .when(|look, span| is_made_up(last_word(look.of(span))))
    .joined(),
    secret(r"\b(?:AccountKey|SharedAccessKey|SharedSecret)=[^ \n;]{6,}", KEY).joined(),
    secret(r"\botpauth ?:[^ \n]{6,}", KEY),
    // Who signs in stands before the host.
    secret(r"\b[a-z][a-z0-9+.-]{1,20}\s?:\s?//[^ \n/@:]{0,80}:[^ \n/@]{1,80}@[^ \n]{2,}", PASSWORD),
    secret(
        r"[?&#;](?:sig|signature|token|access_?token|id_?token|refresh_?token|auth|key|api_?key|apikey|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|code|pwd|pw|password|passwd|secret|client_?secret|jwt|session|session_?id|sid|sas|hash|hmac|invite|magic|otp|ticket|t)\s?=\s?[^ \n&#]{4,}",
        SIGNED,
    )
    .when(|look, span| {
        let value = look.of(span).rsplit('=').next().unwrap_or_default().len() >= 4;
        value && look.of(span).split_once('=').is_some_and(|(name, value)| {
            !matches!(name.get(1..), Some("t" | "T" | "code" | "key" | "hash" | "ticket")) || is_made_up(value)
        })
    })
    .joined(),
    secret(
        r"\bhooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)[^ \n]*|\bdiscord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks[^ \n]*|\b[a-z0-9-]*\.?webhook\.office\.com[^ \n]*|\b[a-z0-9.-]*logic\.azure\.com[^ \n]*|\b[a-z0-9.-]*api\.powerplatform\.com[^ \n]*|\bchat\.googleapis\.com/v1/spaces[^ \n]*|\bapi\.telegram\.org/bot[^ \n]*|\bhooks\.zapier\.com/hooks[^ \n]*|\bmaker\.ifttt\.com/[^ \n]*|\bevents\.pagerduty\.com/[^ \n]*|\boutlook\.office(?:365)?\.com/webhook[^ \n]*|/hooks/[a-z0-9]{20,}",
        HOOK,
    )
    .joined(),
    secret(
        r"\b(?:(?:meeting|conference|bridge|call|dial ?in|participant|host|moderator|attendee|guest|access|konferenz|einwahl|mote|reunion)(?: |-)?(?:pin|id|code|key|number|no\.?|nummer|kode|passcode|password)|pin(?: ?code)?|pass ?code|einwahl(?:daten|nummer)?)\b[ \n]?(?:is|ist|er|est|es|to join is|now|,)?[ \n]?[:=#]?[ \n]?#?[0-9](?:[ -]?[0-9]){3,14}#?",
        MEETING,
    )
    .when(|look, span| !is_a_date(look.of(span))),
    secret(r"\b[0-9](?:[ -]?[0-9]){3,11}#?[ \n]?(?:is|as) (?:the |our )?(?:meeting|conference|bridge|dial ?in|host|access)? ?(?:pin|pass ?code|access code)\b", MEETING),
    secret(r"\b(?:zoom\.us/[jsw]{1,2}/|[a-z0-9.-]*zoom\.us/[jsw]{1,2}/|meet\.google\.com/|teams\.microsoft\.com/l/meetup|teams\.live\.com/meet|[a-z0-9-]+\.webex\.com/(?:meet|join)|whereby\.com/|meet\.jit\.si/|gotomeet\.me/)[^ \n]*", MEETING),
];

/// What looks random, and is no shape that is known.
pub(super) fn look(look: &Look<'_>, hits: &mut Vec<Hit>) {
    let text = look.text();
    let mut from = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let part = c.is_ascii_alphanumeric() || "+/=_-".contains(c);
        match (part, from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                from = None;
                let span = start..at;
                if is_random(look.of(&span)) && !(look.gone && span.len() > 120) {
                    hits.push(Hit { rule: Rule::Secret, span, why: RANDOM });
                }
            }
            _ => {}
        }
    }
}

/// Whether letters and digits stand together as nobody writes them.
fn is_random(word: &str) -> bool {
    if word.len() < RANDOM_BYTES_MIN {
        return false;
    }
    let word = word.get(..RANDOM_BYTES_MAX).unwrap_or(word);
    // A path or a name of several words is as random as each of its parts, unless it is random as a whole.
    let parts = || word.split(['/', '-', '_', '=', '+']);
    let longest = parts().max_by_key(|part| part.len()).unwrap_or_default();
    let hex =
        |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit()) && part.bytes().any(|b| b.is_ascii_digit());
    if longest.len() >= HEX_BYTES_MIN && hex(longest) {
        return true;
    }
    if is_a_known_id(word) {
        return false;
    }
    // A path has as many kinds of letters as its parts together: without capitals each part is looked at alone.
    if word.contains('/') && !word.bytes().any(|b| b.is_ascii_uppercase()) {
        return word.split('/').any(is_random);
    }
    let kinds: Vec<u8> = word.bytes().filter(u8::is_ascii_alphanumeric).map(kind).collect();
    let changes = kinds.iter().zip(kinds.iter().skip(1)).filter(|(a, b)| a != b).count();
    let digits = kinds.iter().filter(|kind| **kind == b'0').count();
    let mixed = longest.len() >= 8 && digits >= 2 && digits < kinds.len();
    // A capital begins a word or a hump, and a number stands at its end: that makes one change in four at most.
    mixed && changes * 4 >= kinds.len() && distinct(longest) * 3 >= longest.len().min(36)
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0',
        b'A'..=b'Z' => b'A',
        _ => b'a',
    }
}

fn distinct(word: &str) -> usize {
    let mut seen = [false; 256];
    word.bytes().for_each(|b| {
        if let Some(seen) = seen.get_mut(usize::from(b)) {
            *seen = true;
        }
    });
    seen.iter().filter(|seen| **seen).count()
}

/// An id of somebody or something, which another rule names.
fn is_a_known_id(word: &str) -> bool {
    let parts: Vec<usize> = word.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
}

/// What nobody writes as a word: it has a digit or a sign in it, or a capital inside.
fn is_made_up(word: &str) -> bool {
    let word =
        word.trim_end_matches(['.', '!', '?', ')', '"', '\'', ':']).trim_start_matches(['"', '\'', '(']);
    let hour = word.len() <= 8 && word.bytes().all(|b| b.is_ascii_digit() || b":.h%".contains(&b));
    let code = word.len() >= 4 && word.bytes().all(|b| b.is_ascii_digit());
    let digit = word.bytes().any(|b| b.is_ascii_digit());
    let sign = word.bytes().any(|b| b"!$%^&*+=<>|~#@_".contains(&b));
    let hump =
        word.bytes().zip(word.bytes().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    word.len() >= 4 && (code || (!hour && (digit || sign || hump)))
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end();
    text.rsplit([' ', '\n'])
        .next()
        .map_or(text, |word| word.rsplit(['=', '>']).find(|w| !w.is_empty()).unwrap_or(word))
}

fn has_digit_or_long(text: &str) -> bool {
    let value = last_word(text);
    value.bytes().any(|b| b.is_ascii_digit()) || value.len() >= 20 || text.contains('=')
}

/// "2026-11-29" behind the word PIN is a day.
fn is_a_date(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
    let parts: Vec<usize> = digits.split('-').map(str::len).collect();
    parts.starts_with(&[4, 2, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_random_is_told_from_what_is_long() {
        for word in
            ["q7Rk2Zt9Lw4Xn8Vb3Mp6", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "b3k9x2m7q4w8z1n6t5r0"]
        {
            assert!(is_random(word), "{word}");
        }
        for word in [
            "Donaudampfschifffahrtsgesellschaft",
            "incident-report-2026-11-29-final",
            "JavaScriptObjectNotation2",
            "123e4567-e89b-12d3-a456-426614174000",
            "--------------------------------",
            "00000000000000000000000000",
            "product/release-notes/2026-11",
        ] {
            assert!(!is_random(word), "{word}");
        }
    }

    #[test]
    fn a_word_is_told_from_what_is_made_up() {
        for word in ["hunter2", "Tr0ub4dor", "s3cret!", "842913", "correctHorse"] {
            assert!(is_made_up(word), "{word}");
        }
        for word in ["safe", "delayed.", "14:02", "required", "again"] {
            assert!(!is_made_up(word), "{word}");
        }
    }
}
