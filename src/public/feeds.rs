//! The feeds: Atom (RFC 4287) and JSON Feed 1.1, one entry for each statement.
//!
//! Readers tell entries apart by their ids, so an id hangs on the statement's own key and on nothing that may change, as the address
//! of the page. What was taken back stays as an entry that says so: those who have read it have to be told.

use http::HeaderValue;
use jiff::Timestamp;
use minijinja::{Environment, context};
use serde_json::{Value, json};

use super::files::{Written, fingerprint};
use super::html::iso;
use super::{PublicIncident, PublicStatement, Said, Shown};

/// Entries in a feed, the newest.
const ENTRIES_MAX: usize = 100;

/// One entry.
struct Entry<'a> {
    incident: &'a PublicIncident,
    said: &'a PublicStatement,
    id: String,
    title: String,
    url: Option<String>,
    html: String,
}

/// Writes the feeds.
pub(super) fn write(pages: &Environment<'_>, shown: &Shown) -> Result<Vec<Written>, minijinja::Error> {
    let mut entries = Vec::new();
    for incident in &shown.incidents {
        for said in &incident.statements {
            entries.push((incident, said));
        }
    }
    entries.sort_by(|(_, one), (_, other)| (other.at, &other.key).cmp(&(one.at, &one.key)));
    entries.truncate(ENTRIES_MAX);
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(incident, said)| entry(pages, shown, incident, said))
        .collect::<Result<_, _>>()?;
    let file = |path: &str, content_type, bytes| Written {
        path: path.to_owned(),
        content_type,
        policy: None,
        bytes,
    };
    let (atom, json) = (atom(pages, shown, &entries)?, json_feed(shown, &entries));
    Ok(vec![
        file(
            "/feed.atom",
            HeaderValue::from_static("application/atom+xml; charset=utf-8"),
            atom.into_bytes(),
        ),
        file(
            "/feed.json",
            HeaderValue::from_static("application/feed+json; charset=utf-8"),
            in_scripts(&json).into_bytes(),
        ),
    ])
}

/// JSON that is the same JSON wherever it is put: also between tags, and in scripts of old browsers.
pub(super) fn in_scripts(json: &Value) -> String {
    let mut text = String::new();
    // Outside of texts, JSON has none of these.
    for letter in json.to_string().chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(letter)))
            }
            letter => text.push(letter),
        }
    }
    text
}

fn entry<'a>(
    pages: &Environment<'_>,
    shown: &Shown,
    incident: &'a PublicIncident,
    said: &'a PublicStatement,
) -> Result<Entry<'a>, minijinja::Error> {
    let text = match &said.said {
        Said::Text(text) => text.trim(),
        Said::Retracted { .. } => "",
    };
    let lines = |paragraph: &str| paragraph.lines().map(minijinja::Value::from).collect::<Vec<_>>();
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    let paragraphs: Vec<minijinja::Value> =
        paragraphs.map(|one| minijinja::Value::from(lines(one))).collect();
    let html = pages
        .get_template("words.html")?
        .render(context! { one => super::html::statement(said), paragraphs })?;
    let url = shown.url.as_ref().map(|url| format!("{url}/incidents/{}#s-{}", incident.key, said.key));
    let title = format!("{}: {}", said.heading(), incident.title);
    Ok(Entry { incident, said, id: urn("statement", &said.key), title, url, html })
}

/// An id that is the same for ever, and nobody else's.
fn urn(of: &str, key: &str) -> String {
    let digits = fingerprint(&format!("onscene {of} {key}"), 32);
    let part = |range| digits.get(range).unwrap_or_default();
    // RFC 9562, version 8: a UUID of our own making.
    format!("urn:uuid:{}-{}-8{}-9{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

fn updated(shown: &Shown) -> Timestamp {
    let said = shown.incidents.iter().flat_map(|incident| incident.statements.iter());
    let newest = said.map(PublicStatement::changed_at).max();
    // Of one without entries that is no hour which comes again with every look.
    newest.or_else(|| shown.components.iter().map(|component| component.since).min()).unwrap_or(shown.made_at)
}

fn atom(pages: &Environment<'_>, shown: &Shown, entries: &[Entry<'_>]) -> Result<String, minijinja::Error> {
    let entries = entries.iter().map(|entry| {
        context! {
            id => entry.id.as_str(), title => entry.title.as_str(), published => iso(entry.said.at), updated => iso(entry.said.changed_at()),
            phase => entry.said.phase.as_str(), url => entry.url.as_deref(), html => entry.html.as_str(),
        }
    });
    pages.get_template("feed.xml")?.render(context! {
        id => urn("feed", shown.url.as_deref().unwrap_or(&shown.title)),
        title => shown.title.as_str(),
        updated => iso(updated(shown)),
        url => shown.url.as_deref(),
        entries => entries.collect::<Vec<_>>(),
    })
}

fn json_feed(shown: &Shown, entries: &[Entry<'_>]) -> Value {
    let items = entries.iter().map(|entry| {
        let (incident, said) = (entry.incident, entry.said);
        let mut item = json!({
            "id": entry.id,
            "title": entry.title,
            "content_html": entry.html,
            "date_published": iso(said.at),
            "date_modified": iso(said.changed_at()),
            "tags": [said.phase.as_str(), incident.impact.as_str()],
        });
        if let Some(url) = &entry.url {
            item["url"] = url.as_str().into();
        }
        if let Said::Text(text) = &said.said {
            item["content_text"] = text.trim().into();
        }
        item
    });
    let mut feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": shown.title,
        "language": "en",
        "authors": [{"name": shown.title}],
        "items": items.collect::<Vec<_>>(),
    });
    if let Some(url) = &shown.url {
        feed["home_page_url"] = format!("{url}/").into();
        feed["feed_url"] = format!("{url}/feed.json").into();
        feed["authors"][0]["url"] = format!("{url}/").into();
    }
    feed
}
