//! Characters that a reader takes for others: the letters and digits of other scripts that look like Latin ones, and
//! signs that stand for a dot, a hyphen, a colon or a slash.
//!
//! What Unicode itself calls compatible (full width, mathematical, circled, superscript) is decomposed by the caller;
//! here is the rest, small and by hand. Capitals stay capitals, because the shapes of some secrets depend on it.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What is not to be seen at all: zero-width characters, bidi controls, soft hyphens, selectors, tags, fillers, and
/// the marks of trade that are set behind names.
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        | '®' | '©' | '™' | '℠')
}

/// What stands for it, when it looks like something that is told apart here.
pub(super) fn looks_like(c: char) -> Option<&'static str> {
    if c.is_ascii() {
        return None;
    }
    if let Some(digit) = digit(c) {
        return DIGITS.get(digit).copied();
    }
    if let Some(letter) = enclosed(c) {
        return CAPITALS.get(letter).copied();
    }
    static TABLE: LazyLock<HashMap<char, &'static str>> = LazyLock::new(|| {
        let rows = SIGNS.iter().chain(LATIN).chain(GREEK).chain(CYRILLIC).chain(OTHERS);
        rows.flat_map(|(these, stands)| these.chars().map(|c| (c, *stands))).collect()
    });
    TABLE.get(&c).copied()
}

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CAPITALS: [&str; 26] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U",
    "V", "W", "X", "Y", "Z",
];

/// The zeros of other scripts; the other nine follow each.
const ZEROS: [u32; 22] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6,
    0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x17e0, 0x1810, 0x1946, 0xa620, 0xa8d0,
];

fn digit(c: char) -> Option<usize> {
    let code = u32::from(c);
    ZEROS
        .iter()
        .filter_map(|zero| code.checked_sub(*zero))
        .find(|value| *value < 10)
        .and_then(|value| usize::try_from(value).ok())
}

/// White letters on black, and the letters that flags are made of.
fn enclosed(c: char) -> Option<usize> {
    let code = u32::from(c);
    [0x1f150, 0x1f170, 0x1f1e6]
        .into_iter()
        .filter_map(|first| code.checked_sub(first))
        .find(|value| *value < 26)
        .and_then(|value| usize::try_from(value).ok())
}

type Row = (&'static str, &'static str);

const SIGNS: &[Row] = &[
    ("·•∙⋅‧・᛫。｡․܁܂۔", "."),
    ("‐‑‒–—―−﹘﹣－֊⁃➖⸺⸻ー", "-"),
    ("꞉ː∶：︓﹕׃։܃܄", ":"),
    ("∕⁄⧸╱／⟋", "/"),
    ("＠﹫", "@"),
    ("’‘‛′‵´ʹʼˈ＇", "'"),
    ("“”„‟″«»＂", "\""),
    ("＿﹍﹎﹏", "_"),
    ("⧵∖＼﹨", "\\"),
    ("［【〔", "["),
    ("］】〕", "]"),
    ("٪％﹪", "%"),
    ("＝﹦═", "="),
    ("⠀", " "),
];

const LATIN: &[Row] = &[
    ("ɑᴀɐ", "a"),
    ("ʙƀɓ", "b"),
    ("ᴄƈȼ", "c"),
    ("ᴅđɖɗð", "d"),
    ("ᴇɛǝəɇ", "e"),
    ("ꜰƒ", "f"),
    ("ɡɢǥɠᶃ", "g"),
    ("ʜħɦ", "h"),
    ("ɪıɨɩ", "i"),
    ("ᴊȷɉ", "j"),
    ("ᴋƙ", "k"),
    ("ʟłƚɭǀ", "l"),
    ("ᴍɱ", "m"),
    ("ɴƞɲŋ", "n"),
    ("ᴏøɵ", "o"),
    ("ᴘƥ", "p"),
    ("ꞯʠɋ", "q"),
    ("ʀɾɽɍ", "r"),
    ("ꜱʂȿ", "s"),
    ("ᴛŧƭƫ", "t"),
    ("ᴜʉ", "u"),
    ("ᴠʋ", "v"),
    ("ᴡ", "w"),
    ("ʏɏƴ", "y"),
    ("ᴢƶȥɀ", "z"),
    ("Đ", "D"),
    ("Ħ", "H"),
    ("Ł", "L"),
    ("Ø", "O"),
    ("Ŧ", "T"),
    ("ß", "ss"),
    ("ẞ", "SS"),
    ("æ", "ae"),
    ("Æ", "AE"),
    ("œ", "oe"),
    ("Œ", "OE"),
    ("þ", "th"),
    ("Þ", "TH"),
];

const GREEK: &[Row] = &[
    ("α", "a"),
    ("Α", "A"),
    ("β", "b"),
    ("Β", "B"),
    ("ϲς", "c"),
    ("Ϲ", "C"),
    ("ε", "e"),
    ("Ε", "E"),
    ("Η", "H"),
    ("ι", "i"),
    ("Ι", "I"),
    ("ϳ", "j"),
    ("κ", "k"),
    ("Κ", "K"),
    ("Μ", "M"),
    ("η", "n"),
    ("Ν", "N"),
    ("οσ", "o"),
    ("Ο", "O"),
    ("ρ", "p"),
    ("Ρ", "P"),
    ("τ", "t"),
    ("Τ", "T"),
    ("υ", "u"),
    ("ν", "v"),
    ("ω", "w"),
    ("χ", "x"),
    ("Χ", "X"),
    ("γ", "y"),
    ("Υ", "Y"),
    ("Ζ", "Z"),
];

const CYRILLIC: &[Row] = &[
    ("а", "a"),
    ("А", "A"),
    ("ЬЪ", "b"),
    ("В", "B"),
    ("с", "c"),
    ("С", "C"),
    ("ԁ", "d"),
    ("Ԁ", "D"),
    ("еҽ", "e"),
    ("Е", "E"),
    ("ғ", "f"),
    ("ց", "g"),
    ("һћ", "h"),
    ("Нн", "H"),
    ("іӏ", "i"),
    ("ІӀ", "I"),
    ("ј", "j"),
    ("Ј", "J"),
    ("к", "k"),
    ("К", "K"),
    ("м", "m"),
    ("М", "M"),
    ("п", "n"),
    ("о", "o"),
    ("О", "O"),
    ("р", "p"),
    ("Р", "P"),
    ("ԛ", "q"),
    ("Ԛ", "Q"),
    ("г", "r"),
    ("ѕ", "s"),
    ("Ѕ", "S"),
    ("т", "t"),
    ("Т", "T"),
    ("ц", "u"),
    ("ѵ", "v"),
    ("Ѵ", "V"),
    ("ԝѡ", "w"),
    ("Ԝ", "W"),
    ("хҳ", "x"),
    ("Х", "X"),
    ("уү", "y"),
    ("УҮ", "Y"),
    ("З", "3"),
    ("з", "3"),
];

/// Armenian, Hebrew, Cherokee, Lisu, Coptic and others, as far as they are set among Latin letters.
const OTHERS: &[Row] = &[
    ("ո", "n"),
    ("օ", "o"),
    ("Օ", "O"),
    ("ս", "u"),
    ("Տ", "S"),
    ("հ", "h"),
    ("զ", "q"),
    ("ցɡ", "g"),
    ("ա", "w"),
    ("ոռ", "n"),
    ("ןו", "l"),
    ("סဝ০", "o"),
    ("Ꭺꓮ", "A"),
    ("Ᏼꓐ", "B"),
    ("Ꮯꓚ", "C"),
    ("Ꭰꓓ", "D"),
    ("Ꭼꓰ", "E"),
    ("ꓝ", "F"),
    ("Ꮐꓖ", "G"),
    ("Ꮋꓧ", "H"),
    ("ꓲ", "I"),
    ("Ꭻꓙ", "J"),
    ("Ꮶꓗ", "K"),
    ("Ꮮꓡ", "L"),
    ("Ꮇꓟ", "M"),
    ("ꓠ", "N"),
    ("ꓳ", "O"),
    ("Ꮲꓑ", "P"),
    ("Ꭱꓣ", "R"),
    ("Ꮪꓢ", "S"),
    ("Ꭲꓔ", "T"),
    ("ꓴ", "U"),
    ("Ꮩꓦ", "V"),
    ("Ꮃꓪ", "W"),
    ("ꓫ", "X"),
    ("Ꭹꓬ", "Y"),
    ("Ꮓꓜ", "Z"),
    ("ⲟ", "o"),
    ("ⲣ", "p"),
    ("ⲥ", "c"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_something_is_told_by_ascii_and_by_nothing_else() {
        for (these, stands) in SIGNS.iter().chain(LATIN).chain(GREEK).chain(CYRILLIC).chain(OTHERS) {
            assert!(stands.is_ascii() && !stands.is_empty(), "{these}");
            assert!(these.chars().all(|c| !c.is_ascii()), "{these}");
        }
        assert_eq!(looks_like('а'), Some("a"));
        assert_eq!(looks_like('Α'), Some("A"));
        assert_eq!(looks_like('٣'), Some("3"));
        assert_eq!(looks_like('🅱'), Some("B"));
        assert_eq!(looks_like('日'), None);
        assert!(is_unseen('\u{200b}') && is_unseen('\u{202e}') && is_unseen('\u{ad}') && !is_unseen('\n'));
    }
}
