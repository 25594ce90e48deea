//! Words fitted to what the other side takes: cut on the border of a character, with the answer link whole, and
//! without anything that would call a whole room.

/// How much of a limit a character takes: bytes (`char::len_utf8`), UTF-16 units (`char::len_utf16`) or [`one`].
pub(super) type Measure = fn(char) -> usize;

/// Says that a text was cut.
const ELLIPSIS: char = '…';
/// Takes no room and cannot be seen, but ends a word: what stands before and after it is not read as one.
const BREAK: char = '\u{200b}';

/// Behind `@`, in one chat or another, they call everybody who is there.
const ROOMS: [&str; 8] = ["all", "channel", "everyone", "group", "here", "room", "stream", "topic"];

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
/// stand behind words that say another. Addresses lead where they led.
pub(super) fn quiet(text: &str) -> String {
    quieted(text, is_a_name)
}

/// The same for a chat that finds `@names` in addresses as well.
pub(super) fn quiet_in_addresses(text: &str) -> String {
    quieted(text, |_, _| false)
}

/// `stays`: whether an `@` in an address is left as it is, by what stands before and after it there.
fn quieted(text: &str, stays: fn(&str, &str) -> bool) -> String {
    let mut quiet = String::with_capacity(text.len());
    let (mut rest, mut before) = (text, ' ');
    while let Some(letter) = rest.chars().next() {
        let length = if begins_address(rest, before) { address_bytes(rest) } else { letter.len_utf8() };
        let (piece, after) = rest.split_at(length);
        if before == ']' && letter == '(' {
            quiet.push(BREAK);
        }
        match length > letter.len_utf8() {
            true => quiet.push_str(&quiet_address(piece, stays)),
            false => quiet.push(letter),
        }
        // In a mail address it calls nobody.
        if letter == '@' && !before.is_alphanumeric() {
            quiet.push(BREAK);
        }
        before = piece.chars().next_back().unwrap_or(letter);
        rest = after;
    }
    quiet
}

/// An address in which `%40`, which leads to the same place, stands for an `@` that somebody might be called by.
fn quiet_address(address: &str, stays: fn(&str, &str) -> bool) -> String {
    let mut quiet = String::with_capacity(address.len());
    let (mut from, mut before) = (0, ' ');
    for (at, letter) in address.char_indices() {
        if letter == '@' && !before.is_alphanumeric() && !stays(&address[..at], &address[at + 1..]) {
            quiet.push_str(&address[from..at]);
            quiet.push_str("%40");
            from = at + 1;
        }
        before = letter;
    }
    quiet + &address[from..]
}

/// Whether an `@` in an address begins a name in it, such as `https://social.example/@shop`, that is not one by which rooms are called.
fn is_a_name(before: &str, after: &str) -> bool {
    let behind_host =
        before.split_once("://").is_some_and(|(_, rest)| rest.find('/').is_some_and(|at| at > 0));
    let name = after.split(|one: char| !one.is_ascii_alphanumeric() && one != '_').next().unwrap_or_default();
    let is_name = name.contains(|one: char| one.is_ascii_alphanumeric());
    let calls = ROOMS.iter().any(|room| name.eq_ignore_ascii_case(room));
    behind_host && before.ends_with('/') && is_name && !calls
}

/// A text in which each of `marks`, which Markdown may read as more than themselves, stands behind a backslash. Addresses are links
/// only as they are.
pub(super) fn literal(text: &str, marks: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = '\n';
    while let Some(letter) = rest.chars().next() {
        let length = if begins_address(rest, before) { address_bytes(rest) } else { letter.len_utf8() };
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

/// Whether an address begins here.
fn begins_address(text: &str, before: char) -> bool {
    !before.is_alphanumeric() && ["https://", "http://"].iter().any(|one| text.starts_with(one))
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

    #[test]
    fn an_address_leads_where_it_led_and_calls_nobody_either() {
        let profile =
            "see https://social.example/@shopstatus, or https://matrix.to/#/@user:server.example @all";
        assert_eq!(quiet(profile), profile.replace(" @all", " @\u{200b}all"));
        for (sly, said) in [
            ("https://x.example/@all.", "https://x.example/%40all."),
            ("https://x.example/@Everyone/1", "https://x.example/%40Everyone/1"),
            ("https://x.example,@maya", "https://x.example,%40maya"),
            ("https://@maya/", "https://%40maya/"),
            ("https://x.example/?by=@maya", "https://x.example/?by=%40maya"),
            ("https://x.example/@**all**", "https://x.example/%40**all**"),
            ("https://x.example/@_**all**", "https://x.example/%40_**all**"),
            ("https://x.example/<@7> <@&7>", "https://x.example/<@\u{200b}7> <@\u{200b}&7>"),
            (
                "https://x.example/a](https://y.example/@b",
                "https://x.example/a]\u{200b}(https://y.example/@b",
            ),
            ("xhttps://x.example/@maya", "xhttps://x.example/@\u{200b}maya"),
            ("https://maya@x.example/", "https://maya@x.example/"),
        ] {
            assert_eq!(quiet(sly), said);
        }
        assert_eq!(
            quiet_in_addresses("https://x.example/@maya @all"),
            "https://x.example/%40maya @\u{200b}all"
        );
    }
}
