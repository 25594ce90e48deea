//! Numbers that are written as words: "db seven", "ten dot zero dot zero dot one", "by fifteen thirty".

use super::fold::Folded;

/// The words, and what they count.
const WORDS: &[(&str, u32)] = &[
    ("zero", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
];

/// The same text with digits for such words, and where these stand. `None`: there are none.
pub(super) fn in_digits(from: &Folded) -> Option<(Folded, Vec<usize>)> {
    let text = from.text.as_str();
    let mut to = from.emptied();
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let bound = text.get(..at).is_none_or(|before| !before.ends_with(char::is_alphanumeric));
        let Some((digits, end)) = Some(at).filter(|_| bound).and_then(|at| number(text, at)) else {
            to.copy(from, at, c);
            at += c.len_utf8();
            continue;
        };
        for digit in digits.chars() {
            places.push(to.text.len());
            to.put(from, at..end, digit);
        }
        at = end;
    }
    (!places.is_empty()).then_some((to, places))
}

/// The number whose words begin here, in digits, and where they end.
fn number(text: &str, at: usize) -> Option<(String, usize)> {
    let (first, mut end) = word(text, at)?;
    let next = |end: usize| {
        let behind = text.get(end..)?.strip_prefix([' ', '-'])?;
        word(text, text.len() - behind.len())
    };
    let mut value = first;
    if first >= 20
        && let Some((unit @ 1..=9, behind)) = next(end)
    {
        (value, end) = (first + unit, behind);
    }
    if first < 10 {
        // "four eight two one"
        let mut digits = first.to_string();
        while let Some((digit @ 0..=9, behind)) = next(end) {
            digits.push_str(&digit.to_string());
            end = behind;
        }
        if digits.len() > 1 {
            return Some((digits, end));
        }
    }
    // "fifteen thirty"
    if (1..=23).contains(&value)
        && let Some((minutes @ 10..=59, behind)) = next(end)
    {
        let unit = next(behind).filter(|(unit, _)| minutes >= 20 && (1..=9).contains(unit));
        let (minutes, end) = unit.map_or((minutes, behind), |(unit, behind)| (minutes + unit, behind));
        return Some((format!("{value}:{minutes:02}"), end));
    }
    Some((value.to_string(), end))
}

fn word(text: &str, at: usize) -> Option<(u32, usize)> {
    let rest = text.get(at..)?;
    let long = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest.get(..long)?;
    // What goes on is another word.
    let whole = rest.get(long..).is_none_or(|behind| !behind.starts_with(char::is_alphanumeric));
    let (_, value) = WORDS.iter().find(|(known, _)| whole && known.eq_ignore_ascii_case(word))?;
    Some((*value, at + long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_digits() {
        for (written, read) in [
            ("db seven is", "db 7 is"),
            ("ten.zero.zero.one", "10.0.0.1"),
            ("by fifteen thirty.", "by 15:30."),
            ("by Fifteen forty-five", "by 15:45"),
            ("PIN four eight two one", "PIN 4821"),
            ("INC forty-one", "INC 41"),
            ("web-one", "web-1"),
            ("twenty", "20"),
        ] {
            let folded = Folded::of(written).unwrap();
            let (digits, places) = in_digits(&folded).unwrap();
            assert_eq!(digits.text, read, "{written}");
            let first = places.first().copied().unwrap();
            let origin = digits.origin(&(first..first + 1)).unwrap();
            assert!(written.get(origin).is_some_and(|words| words.starts_with(char::is_alphabetic)));
        }
        for none in ["nobody", "someone", "tent", "onetime", "17", "sevenths"] {
            assert!(in_digits(&Folded::of(none).unwrap()).is_none(), "{none}");
        }
    }
}
