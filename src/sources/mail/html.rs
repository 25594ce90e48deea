//! HTML as the lines a reader sees. What is quoted begins with `>`, as it does in plain mail.

/// Elements that begin a line of their own.
const LINES: &[&str] = &[
    "address", "article", "br", "div", "dd", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "section", "table", "tr", "ul",
];
/// Elements whose content nobody sees.
const HIDDEN: &[&str] = &["head", "script", "style", "template", "title"];
/// Longest entity read, in bytes: `&CounterClockwiseContourIntegral;` is none that anybody writes.
const ENTITY_BYTES_MAX: usize = 12;

struct Page {
    text: String,
    /// How many quotations are open.
    quoted: usize,
    /// White space waits to be written before the next word.
    gap: bool,
}

/// The text of a page.
pub(super) fn to_text(html: &str) -> String {
    let mut page = Page { text: String::new(), quoted: 0, gap: false };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (words, tag) = rest.split_at(at);
        page.words(words);
        rest = match tag.strip_prefix("<!--") {
            Some(comment) => comment.split_once("-->").map_or("", |(_, rest)| rest),
            None => page.tag(tag),
        };
    }
    page.words(rest);
    page.text
}

impl Page {
    /// Takes the tag at the beginning; answers what follows it.
    fn tag<'h>(&mut self, tag: &'h str) -> &'h str {
        let Some((inside, rest)) = tag.get(1..).and_then(|tag| tag.split_once('>')) else {
            self.words(tag.get(1..).unwrap_or_default());
            return "";
        };
        let closes = inside.starts_with('/');
        let name =
            inside.trim_start_matches('/').split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            hidden if HIDDEN.contains(&hidden) && !closes => return after(rest, &name),
            "blockquote" => {
                self.newline();
                self.quoted = if closes { self.quoted.saturating_sub(1) } else { self.quoted + 1 };
            }
            "td" | "th" => self.gap = true,
            // Two of them make an empty line.
            "br" if self.text.ends_with('\n') => self.text.push('\n'),
            line if LINES.contains(&line) => self.newline(),
            _ => {}
        }
        rest
    }

    fn newline(&mut self) {
        self.gap = false;
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn words(&mut self, words: &str) {
        let mut rest = words;
        while let Some(c) = rest.chars().next() {
            let mut length = c.len_utf8();
            let mut meant = c;
            if c == '&'
                && let Some((known, bytes)) = entity(rest)
            {
                (meant, length) = (known, bytes);
            }
            rest = rest.get(length..).unwrap_or_default();
            // A line's end in the source is a gap like any other.
            if meant.is_whitespace() {
                self.gap = true;
                continue;
            }
            self.put(meant);
        }
    }

    fn put(&mut self, c: char) {
        if self.text.is_empty() || self.text.ends_with('\n') {
            if self.quoted > 0 {
                self.text.push_str("> ");
            }
        } else if self.gap {
            self.text.push(' ');
        }
        self.gap = false;
        self.text.push(c);
    }
}

/// What follows the end of an element.
fn after<'h>(html: &'h str, name: &str) -> &'h str {
    let end = format!("</{name}");
    let found = html.as_bytes().windows(end.len()).position(|part| part.eq_ignore_ascii_case(end.as_bytes()));
    let rest = found.and_then(|at| html.get(at..)).unwrap_or_default();
    rest.split_once('>').map_or("", |(_, rest)| rest)
}

/// A character that is written by its name or number, and the bytes that takes.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let number = name.strip_prefix('#');
    let hexadecimal = number.and_then(|number| number.strip_prefix(['x', 'X']));
    let meant = match (number, hexadecimal) {
        (_, Some(digits)) => u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?,
        (Some(digits), None) => digits.parse().ok().and_then(char::from_u32)?,
        (None, None) => match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => ' ',
            "lsquo" => '\u{2018}',
            "rsquo" => '\u{2019}',
            "ldquo" => '\u{201c}',
            "rdquo" => '\u{201d}',
            "ndash" => '\u{2013}',
            "mdash" => '\u{2014}',
            "hellip" => '\u{2026}',
            "auml" => 'ä',
            "ouml" => 'ö',
            "uuml" => 'ü',
            "szlig" => 'ß',
            "aring" => 'å',
            "oslash" => 'ø',
            "aelig" => 'æ',
            "eacute" => 'é',
            "egrave" => 'è',
            _ => return None,
        },
    };
    Some((meant, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_a_reader_sees_it() {
        let page = "<html><head><title>no</title><style>p { x }</style></head><body><!-- no -->\n<p>can&rsquo;t  do\nit</p>\
                    <div>a<br>b &amp; c &#39;d&#x27; &nope; <span>e</span></div><blockquote type=cite><div>SEV1</div><p>x &lt; y</p>\
                    </blockquote>after <script>if (a < b) {}</SCRIPT>";
        assert_eq!(to_text(page), "can\u{2019}t do it\na\nb & c 'd' &nope; e\n> SEV1\n> x < y\nafter");
    }

    #[test]
    fn a_page_that_breaks_off_is_read_as_far_as_it_goes() {
        for (page, text) in
            [("a<b", "ab"), ("a<!-- b", "a"), ("<style>x", ""), ("&", "&"), ("<", ""), ("é&é;", "é&é;")]
        {
            assert_eq!(to_text(page), text, "{page}");
        }
    }
}
