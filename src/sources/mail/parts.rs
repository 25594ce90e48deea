//! The parts of a message, and the text people read in it.
//!
//! mail-parser reads headers and decodes texts. The walk through what is nested is our own: a message in a message
//! in a message is a value in a value there, and enough of them would use up the stack when they are let go.

use mail_parser::{Header, HeaderName, HeaderValue, MessageParser, PartType};

use super::super::Unreadable;
use super::super::wire::unreadable;
use super::html;

/// Deepest nesting of parts, most parts, and the longest header of one, in bytes.
const LEVELS_MAX: usize = 16;
const PARTS_MAX: usize = 256;
const HEAD_BYTES_MAX: usize = 128 * 1024;
/// Most bytes of one part that are read as text.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The fields above a text.
pub(super) struct Head(Vec<Header<'static>>);

/// One part, or a message whole: its fields, and what stands below them as it came.
pub(super) struct Part<'a> {
    pub(super) head: Head,
    /// `text/plain`, in lower case.
    pub(super) kind: String,
    pub(super) body: &'a [u8],
}

impl Head {
    /// Reads the fields at the beginning of a text; answers what follows them too.
    pub(super) fn read(raw: &[u8]) -> Result<(Self, &[u8]), Unreadable> {
        let (head, body) = split_head(raw);
        if head.len() > HEAD_BYTES_MAX {
            return Err(unreadable(format!(
                "a header of the mail is longer than {} KiB",
                HEAD_BYTES_MAX / 1024
            )));
        }
        Ok((Self::fields(head), body))
    }

    /// The fields at the beginning of a text as far as they are read: of too many, the first ones.
    pub(super) fn first(raw: &[u8]) -> Self {
        let (head, _) = split_head(raw);
        let (mut at, mut end) = (0, 0);
        for line in lines(head) {
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                // What stands before it is whole.
                end = at;
            }
            at += line.len();
            if at > HEAD_BYTES_MAX {
                return Self::fields(head.get(..end).unwrap_or_default());
            }
        }
        Self::fields(head)
    }

    fn fields(head: &[u8]) -> Self {
        // An empty line ends the fields, also where the text ends with them.
        let whole = [head, b"\r\n\r\n"].concat();
        let read = MessageParser::default().parse_headers(&whole);
        let fields = read.and_then(|message| message.parts.into_iter().next()).map(|part| part.headers);
        Self(fields.unwrap_or_default().into_iter().map(Header::into_owned).collect())
    }

    /// All fields of this name.
    pub(super) fn all(&self, name: &str) -> Vec<&HeaderValue<'static>> {
        let named = self.0.iter().filter(|field| field.name().eq_ignore_ascii_case(name));
        named.map(|field| &field.value).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// The first field of this name as text, when it says something.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.all(name).first()?.as_text()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Every id between angle brackets in fields of this name, in their order.
    pub(super) fn ids(&self, name: &str) -> Vec<&str> {
        let mut ids = Vec::new();
        for value in self.all(name) {
            match value {
                HeaderValue::Text(text) => ids.push(text.as_ref()),
                HeaderValue::TextList(list) => ids.extend(list.iter().map(AsRef::as_ref)),
                _ => {}
            }
        }
        ids
    }

    /// The one address of a field, its ASCII letters in lower case: other letters that look alike are others. Of two,
    /// nobody knows which one is meant.
    pub(super) fn address(&self, name: &str) -> Option<String> {
        /// Longest address there can be (RFC 5321: 64 before the @, 255 after it), in bytes.
        const ADDRESS_BYTES_MAX: usize = 320;
        let all = self.all(name);
        let mut addresses = all.iter().filter_map(|field| field.as_address()).flat_map(|all| all.iter());
        let one = addresses.next()?.address.as_deref()?.trim();
        let fits = addresses.next().is_none() && one.len() <= ADDRESS_BYTES_MAX && one.contains('@');
        fits.then(|| one.to_ascii_lowercase())
    }

    /// The type of what stands below, and the word that separates its parts.
    fn kind(&self) -> (String, Option<&str>) {
        let read = self.0.iter().find(|field| field.name == HeaderName::ContentType);
        let Some(kind) = read.and_then(|field| field.value.as_content_type()) else {
            return ("text/plain".into(), None);
        };
        let name = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase();
        (name, kind.attribute("boundary").filter(|boundary| !boundary.is_empty()))
    }

    fn charset(&self) -> Option<&str> {
        let read = self.0.iter().find(|field| field.name == HeaderName::ContentType)?;
        read.value.as_content_type()?.attribute("charset")
    }

    fn is_attachment(&self) -> bool {
        let read = self.0.iter().find(|field| field.name == HeaderName::ContentDisposition);
        read.and_then(|field| field.value.as_content_type()).is_some_and(|how| how.is_attachment())
    }
}

/// The parts of a message: itself first, then what is in it, in order. A message in it is one part.
pub(super) fn of(raw: &[u8]) -> Result<Vec<Part<'_>>, Unreadable> {
    let mut parts = Vec::new();
    walk(raw, 1, &mut parts)?;
    Ok(parts)
}

fn walk<'a>(raw: &'a [u8], level: usize, parts: &mut Vec<Part<'a>>) -> Result<(), Unreadable> {
    if level > LEVELS_MAX {
        return Err(unreadable(format!("the mail is nested more than {LEVELS_MAX} levels deep")));
    }
    if parts.len() == PARTS_MAX {
        return Err(unreadable(format!("the mail has more than {PARTS_MAX} parts")));
    }
    let (head, body) = Head::read(raw)?;
    let (mut kind, boundary) = head.kind();
    let mut inner = Vec::new();
    if kind.starts_with("multipart/") {
        inner = boundary.map(|boundary| split(body, boundary)).unwrap_or_default();
        if inner.is_empty() {
            // Whoever wrote it forgot how its parts are told apart; what it says is still there.
            kind = "text/plain".into();
        }
    }
    parts.push(Part { head, kind, body });
    inner.into_iter().try_for_each(|part| walk(part, level + 1, parts))
}

/// The lines of a text with their ends, as they came.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn split_head(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in lines(raw) {
        at += line.len();
        if line.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            break;
        }
    }
    raw.split_at(at)
}

/// What stands between the lines that begin with two hyphens and the boundary.
fn split<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut begins: Option<usize> = None;
    let mut at = 0;
    for line in lines(body) {
        let rest = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary.as_bytes()));
        let rest = rest.map(<[u8]>::trim_ascii);
        if matches!(rest, Some(b"" | b"--")) {
            parts.extend(begins.and_then(|begin| body.get(begin..at)).map(without_end));
            begins = (rest == Some(b"")).then_some(at + line.len());
            // One more than is taken is enough to be refused.
            if parts.len() > PARTS_MAX || rest == Some(b"--") {
                return parts;
            }
        }
        at += line.len();
    }
    // It was cut off on its way.
    parts.extend(begins.and_then(|begin| body.get(begin..)));
    parts
}

/// The line's end before a boundary belongs to the boundary.
fn without_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

impl Part<'_> {
    /// Its text, decoded; what is too long is cut.
    pub(super) fn text(&self) -> String {
        let plain =
            |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        let charset = self.head.charset().filter(plain).unwrap_or("utf-8");
        let encoding = self.head.text("Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
        let encoding = match encoding.as_str() {
            known @ ("base64" | "quoted-printable") => known,
            _ => "8bit",
        };
        let body = self.body.get(..TEXT_BYTES_MAX).unwrap_or(self.body);
        // A message of nothing but this text: what it is decoded by cannot find anything nested in it.
        let head = format!(
            "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        let whole = [head.as_bytes(), body].concat();
        let read =
            MessageParser::default().parse(&whole).and_then(|message| message.parts.into_iter().next());
        match read.map(|part| part.body) {
            Some(PartType::Text(text)) => text.into_owned(),
            _ => String::from_utf8_lossy(body).into_owned(),
        }
    }
}

/// The text people read: the first plain one that says something, else the first one in HTML.
pub(super) fn text(parts: &[Part<'_>]) -> String {
    let read = |kind: &'static str| {
        parts.iter().filter(move |part| part.kind == kind && !part.head.is_attachment()).map(Part::text)
    };
    let plain = read("text/plain").find(|text| !text.trim().is_empty());
    let text = plain.or_else(|| read("text/html").next().map(|text| html::to_text(&text)));
    text.unwrap_or_default().replace('\0', "\u{fffd}").replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(raw: &str) -> Vec<String> {
        of(raw.as_bytes()).unwrap().into_iter().map(|part| part.kind).collect()
    }

    fn read(raw: &str) -> String {
        text(&of(raw.as_bytes()).unwrap())
    }

    #[test]
    fn parts_are_found_where_they_stand_and_a_message_in_it_is_one() {
        let mail = "From: a@example.net\nContent-Type: multipart/mixed; boundary=\"o\"\n\nno part\n--o\n\
                    Content-Type: multipart/alternative; boundary=i\n\n--i\n\nplain\n--i\nContent-Type: text/html\n\n<b>h\n--i--\n\
                    --o \nContent-Type: message/rfc822\n\nSubject: inner\n\nits text\n--o--\nno part either";
        assert_eq!(
            kinds(mail),
            ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "message/rfc822"]
        );
        assert_eq!(read(mail), "plain");
    }

    #[test]
    fn what_was_cut_off_or_has_no_boundary_is_read_as_far_as_it_goes() {
        assert_eq!(read("From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nhello"), "hello");
        assert_eq!(read("From: a@b\nContent-Type: multipart/mixed\n\nhello"), "hello");
        assert_eq!(read("From: a@b\nContent-Type: multipart/mixed; boundary=x\n\nhello"), "hello");
        assert_eq!(read("From: a@b"), "");
    }

    #[test]
    fn texts_are_decoded_by_their_encoding_and_charset() {
        let text = |head: &str, body: &str| read(&format!("From: a@b\n{head}\n\n{body}"));
        let latin =
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable";
        assert_eq!(text(latin, "l=E5st =\nher"), "låst her");
        let wide = "Content-Type: text/plain; charset=\"utf-16\"\nContent-Transfer-Encoding: base64";
        assert_eq!(text(wide, "/v8AYQBjAGs="), "ack");
        assert_eq!(text("Content-Type: text/plain; charset=nonsense", "ack"), "ack");
        assert_eq!(text("Content-Transfer-Encoding: base64", "%%%"), "%%%");
    }

    #[test]
    fn nesting_parts_and_headers_have_an_end() {
        let mut deep = String::from("From: a@b\n");
        for level in 0..LEVELS_MAX {
            deep += &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
        }
        assert!(of(deep.as_bytes()).err().unwrap().0.contains("16 levels"));
        let many =
            "From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n".to_owned() + &"--b\n\nx\n".repeat(300);
        assert!(of(many.as_bytes()).err().unwrap().0.contains("256 parts"));
        let long = "X-A: b\n".repeat(HEAD_BYTES_MAX / 7 + 1);
        assert!(of(long.as_bytes()).err().unwrap().0.contains("128 KiB"));
    }
}
