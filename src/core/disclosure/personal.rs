//! Who users and customers are: mail addresses, telephone numbers, and the ids that stand for them.

use std::ops::Range;

use super::Rule;
use super::pattern::{Look, Pattern};

const MAIL: &str = "This is somebody's mail address: take it out, or give the public contact of the house.";
const PHONE: &str = "This is a telephone number: take it out, or give the public contact of the house.";
const ID: &str = "This is the id of a user, an account or a record: say whom it concerns without it.";
const CARD: &str = "This looks like the number of a card or a bank account: take it out.";

const fn personal(source: &'static str, why: &'static str) -> Pattern {
    Pattern::new(Rule::Personal, source, why)
}

pub(super) const PATTERNS: &[Pattern] = &[
    personal(r"[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,5}", MAIL).when(is_mail),
    // "maya at example dot com": one of the two is spelled out, or the first part is how people are addressed.
    personal(r"\b[a-z0-9_+-]{1,32}(?:\.[a-z0-9_+-]{1,32}){0,3} at [a-z0-9-]{2,63}(?:\.[a-z0-9-]{2,63}){1,4}", MAIL)
        .when(is_spelled_mail),
    personal(r"\bmailto\s?:\s?[^ \n?]{2,}", MAIL).when(|look, span| !is_public_mail(look, look.of(span))),
    personal(r"(?:\+|\b00)[1-9][0-9]{0,2}(?:[ \n()./-]{0,3}[0-9]){6,13}", PHONE).when(is_phone),
    personal(r"\b0[1-9][0-9]{1,4}\)?[ /-][ ]?[0-9]{3,8}(?:[ -][0-9]{2,6}){0,3}\b", PHONE).when(is_phone),
    personal(r"\b0[1-9](?:(?: [0-9]{2}){4}|(?:\.[0-9]{2}){4}|(?:-[0-9]{2}){4})\b", PHONE).when(is_phone),
    personal(r"\(?\b[2-9][0-9]{2}\)?[ .-][0-9]{3}[.-][0-9]{4}\b", PHONE).when(is_phone),
    personal(r"\b1[ .-]\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4}\b", PHONE).when(is_phone),
    personal(
        r"\b(?:call|phone|telephone|tel|telefon|tlf|mobile?|mobil|handy|cell|ring|text|sms|whatsapp|dial|fax|reach (?:me|us|him|her|them)|number|durchwahl|ext(?:ension)?|portable|movil|llame|appelez)\b(?: (?:us|me|him|her|them|at|on|is|no|nr|number|to|unter|pa|au|al|the|direct|line)){0,4}\.?:? [+(]?[0-9](?:[ ()./-]{0,2}[0-9]){4,13}\b",
        PHONE,
    )
    .when(is_phone),
    personal(r"\btel\s?:\s?[+0-9][^ \n]{4,}", PHONE).when(is_phone),
    personal(
        r"\b(?:account|customer|user|acct|tenant|org(?:ani[sz]ation)?|client|subscription|member|merchant|order|invoice|workspace|project|subscriber|patient|policy|contract|booking|passport|kunden?|konto|nutzer|benutzer|bruker|ordre|bestell|rechnungs|vertrags|compte|cuenta|usuario|cliente|commande|pedido)[ ]?-?(?:ids?|numbers?|nos?\.?|nummern?|nr\.?|ref(?:erence)?|uuid|key|#)\s?(?:is|was|were|ist|er|est|es|[:=#])?\s?#?[a-z]{0,5}[-_]?[0-9][a-z0-9_-]{2,}",
        ID,
    ),
    personal(
        r"\b(?:account|customer|user|acct|tenant|org|client|subscription|member|merchant|order|invoice|workspace|kunde|konto|nutzer|benutzer|bruker|kundennummer|kontonummer|ordre|bestellung|compte|cuenta|usuario|cliente)s?(?: (?:with|in|of|no))?[ \n]?(?:[:=#]{1,2}[ \n]?#?|#| )(?:[a-z]{1,5}[-_]?)?[0-9][0-9-]{3,}[a-z0-9-]*\b",
        ID,
    )
    .when(|look, span| !is_a_year(look, span)),
    personal(r"\b(?:account|customer|user|tenant|member|client)s? [a-z]{1,4}[0-9]{3,}[a-z0-9]*\b", ID),
    personal(r"\b(?:user|user ?name|login|account)\s?:?[ \n][a-z][a-z._-]{2,20}[0-9]{2,4}\b", ID),
    personal(
        r"\b(?:cus|acct|usr|user|org|sub|tenant|ws|uid|cust|cid|mem|price|inv|ch|pi|pm|in|txn|ord|acc|client|contact|team|session)_[a-z0-9]{6,}\b",
        ID,
    )
    .when(|look, span| look.of(span).bytes().any(|b| b.is_ascii_digit())),
    personal(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", ID),
    personal(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", ID),
    personal(r"\b(?:uid|userid|user_id|account_id|customer_id|cust_id|org_id|tenant_id|msisdn|imei|iccid|sub)\s?[:=]\s?[a-z0-9_-]{3,}", ID),
    personal(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b", CARD).cased().when(|look, span| is_iban(look.of(span))),
    personal(r"\b[0-9](?:[ -]?[0-9]){12,18}\b", CARD).when(|look, span| is_card(look.of(span))),
    personal(r"\b(?:card|karte|kort|carte|tarjeta)s?(?: \w+){0,3} (?:ending|endend|som slutter|terminada|se terminant)(?: (?:in|with|on|auf|pa|en|par))? [0-9]{4}\b", CARD),
];

fn is_mail(look: &Look<'_>, span: &Range<usize>) -> bool {
    let address = look.of(span);
    let Some((name, host)) = address.split_once('@') else { return false };
    let real =
        name.bytes().any(|b| b.is_ascii_alphanumeric()) && host.bytes().any(|b| b.is_ascii_alphanumeric());
    // A user before a host of a URL is a secret or an address of a machine; other rules name it.
    real && !is_public_mail(look, address) && !is_colleague(look, address)
}

fn is_spelled_mail(look: &Look<'_>, span: &Range<usize>) -> bool {
    let text = look.of(span);
    let small = text.to_lowercase();
    let Some(at) = small.find(" at ").or_else(|| small.find("\nat ")) else { return false };
    let name = text.get(..at).unwrap_or_default();
    let spelled = text
        .char_indices()
        .filter(|(place, c)| *c == '.' && *place > at)
        .any(|(place, _)| look.folded.was_longer(span.start + place));
    let person = name.contains(['.', '_', '+']) && !name.contains("..");
    let address = format!("{name}@{}", small.get(at + 4..).unwrap_or_default());
    (spelled || person) && !is_public_mail(look, &address) && !is_colleague(look, &address)
}

fn is_public_mail(look: &Look<'_>, address: &str) -> bool {
    let small = address.to_lowercase();
    let bare = small.trim_start_matches("mailto").trim_start_matches([':', ' ']);
    look.ready.is_public_mail(bare.trim_end_matches(['.', ',', '-', ')']))
}

fn is_colleague(look: &Look<'_>, address: &str) -> bool {
    look.ready.is_of_people(address.to_lowercase().trim_end_matches(['.', '-']))
}

fn is_phone(look: &Look<'_>, span: &Range<usize>) -> bool {
    let text = look.of(span);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let ends = |public: &String| {
        !public.is_empty() && (public.ends_with(&digits) || digits.ends_with(public.as_str()))
    };
    let hour = text.contains(" 20") && digits.starts_with("20") && digits.len() == 8;
    digits.len() >= 5 && !hour && !is_day(text) && !look.ready.public_digits().any(ends)
}

/// "2026-11-29", "29.11.2026".
fn is_day(text: &str) -> bool {
    let parts: Vec<usize> = text.trim().split(['-', '.', '/']).map(|part| part.trim().len()).collect();
    let number = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let tail: Vec<usize> = number.split(['-', '.', '/', ' ']).map(str::len).collect();
    parts == [4, 2, 2] || parts == [2, 2, 4] || tail.starts_with(&[4, 2, 2]) || tail.starts_with(&[2, 2, 4])
}

/// "Orders 2026", "accounts 2019-2024".
fn is_a_year(look: &Look<'_>, span: &Range<usize>) -> bool {
    let digits: String = look.of(span).chars().filter(char::is_ascii_digit).collect();
    (digits.len() == 4 || digits.len() == 8) && (digits.starts_with("20") || digits.starts_with("19"))
}

/// The check digits of a bank account.
fn is_iban(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    if !(15..=34).contains(&plain.len()) {
        return false;
    }
    let turned = plain.chars().skip(4).chain(plain.chars().take(4));
    let rest = turned.filter_map(|c| c.to_digit(36)).fold(0u32, |rest, value| {
        if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }
    });
    rest == 1
}

/// The check digit of a card.
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, twice) if twice > 9 => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    digits.len() >= 13 && sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}
