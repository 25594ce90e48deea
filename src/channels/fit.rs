//! Words fitted to what the other side takes: cut on the border of a character, with the answer link whole, and
//! without anything that would call a whole room.

/// How much of a limit a character takes: bytes (`char::len_utf8`), UTF-16 units (`char::len_utf16`) or [`one`].
pub(super) type Measure = fn(char) -> usize;

/// Says that a text was cut.
const ELLIPSIS: char = '…';
/// Takes no room and cannot be seen, but ends a word: what stands before and after it is not read as one.
const BREAK: char = '\u{200b}';

/// Counts characters.
pub(super) fn one(_: char) -> usize {
    1
}

/// How long a text is.
pub(super) fn length(text: &str, measure: Measure) -> usize {
    text.chars().map(measure).sum()
}

/// The text, or its beginning and an ellipsis, within a limit.
pub(super) fn cut(text: &str, max: usize, measure: Measure) -> String {
    if length(text, measure) <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(measure(ELLIPSIS));
    let mut used = 0;
    let kept = text.chars().take_while(|letter| {
        used += measure(*letter);
        used <= room
    });
    let kept: String = kept.collect();
    let mut kept = kept.trim_end().to_owned();
    if max >= measure(ELLIPSIS) {
        kept.push(ELLIPSIS);
    }
    kept
}

/// The same, in which the answer link stands whole: the text is cut for it, and never the link.
pub(super) fn with_link(text: &str, link: Option<&str>, max: usize, measure: Measure) -> String {
    let text = text.trim_end();
    let beginning = cut(text, max, measure);
    let Some(link) = link else { return beginning };
    // A link that ends in the ellipsis would lead elsewhere.
    if beginning.contains(link) && !beginning.ends_with(&format!("{link}{ELLIPSIS}")) {
        return beginning;
    }
    let room = max.saturating_sub(length(link, measure) + measure('\n'));
    let beginning = cut(text, room, measure);
    if beginning.is_empty() { link.to_owned() } else { format!("{beginning}\n{link}") }
}

/// A text for a room: one that is whole stays as it is, and one that is cut says where the rest stands.
pub(super) fn with_rest(text: &str, rest: Option<&str>, max: usize, measure: Measure) -> String {
    let text = text.trim_end();
    if length(text, measure) <= max { text.to_owned() } else { with_link(text, rest, max, measure) }
}

/// The same as [`with_link`], in which where to meet stands whole as well: as a last line, where it would be cut away.
pub(super) fn with_meet(
    text: &str,
    link: Option<&str>,
    meet: Option<&str>,
    max: usize,
    measure: Measure,
) -> String {
    let whole = with_link(text, link, max, measure);
    let Some(meet) = meet else { return whole };
    if whole.contains(meet) && !whole.contains(&format!("{meet}{ELLIPSIS}")) {
        return whole;
    }
    let line = format!("\nMeet: {meet}");
    let room = max.saturating_sub(length(&line, measure));
    // Rather no place to meet than no word of what is broken.
    if room < max / 2 {
        return whole;
    }
    with_link(text, link, room, measure) + &line
}

/// Takes from a text what chats would read as more than words: `@all` and its like call nobody, and an address cannot
/// stand behind words that say another.
pub(super) fn quiet(text: &str) -> String {
    let mut quiet = String::with_capacity(text.len());
    let mut before = ' ';
    for letter in text.chars() {
        if before == ']' && letter == '(' {
            quiet.push(BREAK);
        }
        quiet.push(letter);
        // In a mail address it calls nobody.
        if letter == '@' && !before.is_alphanumeric() {
            quiet.push(BREAK);
        }
        before = letter;
    }
    quiet
}

/// A text in which each of `marks`, which Markdown may read as more than themselves, stands behind a backslash. Addresses are links
/// only as they are.
pub(super) fn literal(text: &str, marks: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = '\n';
    while let Some(letter) = rest.chars().next() {
        let is_address =
            !before.is_alphanumeric() && ["https://", "http://"].iter().any(|one| rest.starts_with(one));
        let length = if is_address { address_bytes(rest) } else { letter.len_utf8() };
        let (piece, after) = rest.split_at(length);
        let at_start = before == '\n' && matches!(letter, '#' | '-' | '+');
        if at_start || marks.contains(letter) {
            escaped.push('\\');
        }
        escaped.push_str(piece);
        before = piece.chars().next_back().unwrap_or(letter);
        rest = after;
    }
    escaped
}

/// How far an address goes.
fn address_bytes(text: &str) -> usize {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-._~:/?#@!$&'()+,;=%".contains(letter);
    text.find(|letter| !fits(letter)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_on_the_border_of_a_character() {
        assert_eq!(cut("down", 4, one), "down");
        assert_eq!(cut("shop is down", 9, one), "shop is…");
        assert_eq!(cut("für alle", 5, char::len_utf8), "f…");
        assert_eq!(cut("für alle", 6, char::len_utf8), "fü…");
        assert_eq!(cut("🔥🔥🔥", 5, char::len_utf16), "🔥🔥…");
        assert_eq!(cut("down", 0, one), "");
        for max in 0..40 {
            for measure in [one as Measure, char::len_utf8, char::len_utf16] {
                assert!(length(&cut("zürich 🔥 kasse ist weg, aß alle", max, measure), measure) <= max);
            }
        }
    }

    #[test]
    fn the_link_is_never_cut() {
        let link = "https://onscene.example.net/r/TOKEN";
        let text = format!("SEV1 shop: checkout down\n\nAnswer: {link}\n\nSince 02:13.\n");
        assert_eq!(with_link(&text, Some(link), 500, one), text.trim_end());
        for max in 40..text.chars().count() {
            let fitted = with_link(&text, Some(link), max, one);
            assert!(fitted.chars().count() <= max, "{fitted}");
            let after = fitted.split_once(link).map(|(_, after)| after.to_owned());
            assert!(after.is_some_and(|after| !after.starts_with('…')), "{fitted}");
        }
        assert_eq!(with_link("shop is down", Some(link), 500, one), format!("shop is down\n{link}"));
        assert_eq!(with_link("shop is down", Some(link), 10, one), link);
        assert_eq!(with_link("shop is down", None, 500, one), "shop is down");
    }

    #[test]
    fn a_text_for_a_room_says_where_its_rest_stands_only_when_it_is_cut() {
        let page = "https://onscene.example.net/incidents/42";
        assert_eq!(with_rest("shop is down\n", Some(page), 50, one), "shop is down");
        let cut = with_rest(&"shop is down, ".repeat(9), Some(page), 60, one);
        assert_eq!(cut, format!("shop is down, shop…\n{page}"));
        assert_eq!(with_rest(&"down ".repeat(9), None, 12, one), "down down d…");
    }

    #[test]
    fn where_to_meet_is_not_cut_away() {
        let (link, meet) = ("https://onscene.example.net/r/TOKEN", "https://video.example.net/42");
        let begin = format!("SEV1 shop: checkout down\n\n{}\nAnswer: {link}\n", "x".repeat(100));
        let text = format!("{begin}Meet:   {meet}\n\nSince 02:13.\n{}", "y".repeat(100));
        for max in 180..text.chars().count() + 10 {
            let fitted = with_meet(&text, Some(link), Some(meet), max, one);
            assert!(fitted.chars().count() <= max, "{fitted}");
            for whole in [link, meet] {
                let after = fitted.split_once(whole).map(|(_, after)| after.to_owned());
                assert!(after.is_some_and(|after| !after.starts_with('…')), "{max} {whole} {fitted}");
            }
            assert_eq!(fitted.matches(meet).count(), 1, "{fitted}");
        }
        let long = format!("{meet}{}", "z".repeat(200));
        assert_eq!(
            with_meet(&text, Some(link), Some(&long), 300, one),
            with_link(&text, Some(link), 300, one)
        );
        assert_eq!(with_meet(&text, None, None, 300, one), with_link(&text, None, 300, one));
    }

    #[test]
    fn a_text_calls_nobody_by_itself() {
        assert_eq!(
            quiet("disk full @all, (@room) @@here"),
            "disk full @\u{200b}all, (@\u{200b}room) @\u{200b}@\u{200b}here"
        );
        assert_eq!(quiet("ask maya@example.net"), "ask maya@example.net");
        assert_eq!(quiet("[pay](https://evil.example)"), "[pay]\u{200b}(https://evil.example)");
    }
}
