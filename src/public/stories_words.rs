//! Words that would like to be more than words, through every rendering.

use serde_json::Value;

use super::stories::{house, text};
use super::*;

/// What is put everywhere where words are.
fn corpus() -> Vec<String> {
    let mut all: Vec<String> = [
        "<script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "]]> <![CDATA[ x ]]>",
        "<!-- --> --!> <?xml version=\"1.0\"?> <!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>",
        "\" onmouseover=\"alert(1)",
        "' onmouseover='alert(1)",
        "&lt;b&gt; &amp; &#0; &#x1; &nbsp;",
        "a\u{2028}b\u{2029}c",
        "nul\0 bell\u{7} escape\u{1b}[31m delete\u{7f} c1\u{85}\u{9f}",
        "no characters \u{fffe} \u{ffff} \u{fdd0} \u{1fffe} \u{10ffff}",
        "right\u{202e}left \u{200b}\u{feff} e\u{301} 👩‍👩‍👧 日本語 עברית",
        "{{ 7 * 7 }} {% raw %} {# x #}",
        "\r\nSet-Cookie: a=b\r\n\r\n<b>",
        "javascript:alert(1) data:text/html,x",
        "\\u003cscript\\u003e \\\" \\n",
    ]
    .map(str::to_owned)
    .into();
    all.push("x".repeat(10_000));
    all.push("<&\">'".repeat(2_000));
    all
}

/// A house in which every text is this one.
fn of(words: &str) -> Shown {
    let mut shown = house();
    shown.title = words.to_owned();
    shown.components[0].name = words.to_owned();
    for incident in &mut shown.incidents {
        incident.title = words.to_owned();
        incident.components = vec![words.to_owned()];
        for statement in &mut incident.statements {
            statement.said = Said::Text(words.to_owned());
            statement.components = vec![words.to_owned()];
        }
    }
    let planned = &mut shown.maintenance[0];
    (planned.title, planned.text, planned.components) =
        (words.to_owned(), words.to_owned(), vec![words.to_owned()]);
    shown
}

/// What cannot stand in XML 1.0, nor in valid HTML.
fn is_forbidden(letter: char) -> bool {
    let number = u32::from(letter);
    letter.is_control() && !matches!(letter, '\n' | '\t')
        || number & 0xfffe == 0xfffe
        || (0xfdd0..=0xfdef).contains(&number)
}

/// The text between tags, unescaped, as a reader of this little XML would have it.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#x2f;", "/")
        .replace("&amp;", "&")
}

fn first_text(json: &Value) -> &str {
    json["incidents"][0]["incident_updates"][0]["body"].as_str().unwrap()
}

#[test]
fn words_stay_words_in_every_file() {
    for words in corpus() {
        let clean: String = words
            .replace("\r\n", "\n")
            .chars()
            .map(|letter| if is_forbidden(letter) { '\u{fffd}' } else { letter })
            .collect();
        let plain = write(&house(), false, None).unwrap();
        let files = write(&of(&words), false, None).unwrap();
        for (path, file) in files.all() {
            let text = String::from_utf8(file.bytes.to_vec()).unwrap();
            assert!(!text.chars().any(is_forbidden), "{path}: {words:?}");
            let kind = file.content_type.to_str().unwrap();
            // No tag, and no attribute, is there that was not there before.
            let tags = |text: &str| text.matches('<').count();
            let html = kind.starts_with("text/html") || kind.starts_with("application/atom");
            if html && path != "/feed.atom" {
                let other = String::from_utf8(plain.get(path).unwrap().bytes.to_vec()).unwrap();
                // Two bars more or less are those of other components.
                let bars = |text: &str| text.matches("<path").count();
                let rest = |text: &str| {
                    let heads =
                        text.split("<section aria-labelledby=\"components\">").next().unwrap_or_default();
                    tags(heads) - bars(heads)
                };
                let quotes = |text: &str| {
                    text.split("<section aria-labelledby=\"components\">")
                        .next()
                        .unwrap_or_default()
                        .matches('"')
                        .count()
                };
                let banners = 8;
                assert!(rest(&text).abs_diff(rest(&other)) <= banners, "{path}: {words:?}\n{text}");
                assert!(quotes(&text).abs_diff(quotes(&other)) <= 8 * banners, "{path}: {words:?}");
                assert!(!text.contains("<script") && !text.contains("onmouseover=\""), "{path}: {words:?}");
            }
            if kind.contains("json") {
                let json: Value =
                    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{path}: {words:?}");
                assert!(json.is_object());
            }
        }
        assert_eq!(first_text(&serde_json::from_str(&text(&files, "/status.json")).unwrap()), clean.trim());
        let feed: Value = serde_json::from_str(&text(&files, "/feed.json")).unwrap();
        assert_eq!(feed["items"][0]["content_text"].as_str().unwrap(), clean.trim());
        assert_eq!(feed["title"].as_str().unwrap(), clean);
        let atom = text(&files, "/feed.atom");
        let titled = atom.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
        assert_eq!(unescaped(titled), clean);
        assert!(!atom.contains("]]>") && !atom.contains("<!["), "{atom}");
        // HTML in XML: escaped twice.
        let content =
            atom.split("<content type=\"html\">").nth(1).unwrap().split("</content>").next().unwrap();
        let html = unescaped(content);
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(feed["items"][0]["content_html"].as_str().unwrap(), html);
    }
}

#[test]
fn a_key_that_is_no_part_of_an_address_becomes_one() {
    let mut shown = house();
    shown.incidents[1].key = "../<b> 42".into();
    shown.incidents[1].statements[0].key = String::new();
    let files = write(&shown, false, None).unwrap();
    let path = files
        .all()
        .map(|(path, _)| path)
        .find(|path| path.starts_with("/incidents/") && !path.ends_with("77aa02"));
    let key = path.unwrap().strip_prefix("/incidents/").unwrap();
    assert!(key.len() == 20 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
}
