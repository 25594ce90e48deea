//! `[public]`: the status page that anybody may read.

use super::edges::external;
use super::names;
use super::read::{Reading, Table};
use super::{ChannelConfig, Server};

/// What the page is called where nobody says how.
const TITLE: &str = "Status";
/// Longer ones do not fit on the page of a phone.
const TITLE_CHARS_MAX: usize = 80;

/// `[public]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    /// What the page is called.
    pub title: String,
    /// Where people see it; without a slash at the end.
    pub url: Option<String>,
    /// Whom readers may turn to: an address of mail, or of a page.
    pub contact: Option<String>,
    /// Where people subscribe by mail, when that is not where they see the page; without a slash at the end.
    pub subscribe_url: Option<String>,
}

impl Public {
    /// Where links of subscribers lead to.
    pub fn subscribed_at(&self) -> Option<&str> {
        self.subscribe_url.as_deref().or(self.url.as_deref())
    }
}

/// Read where there is such a table, and where there is a listener for it.
pub(super) fn public(root: &mut Table<'_>, reading: &mut Reading, server: Option<&Server>) -> Option<Public> {
    let Some(mut table) = root.table(reading, "public") else {
        let listens = server.is_some_and(|server| server.public_listen.is_some());
        return listens.then(|| Public {
            title: TITLE.to_owned(),
            url: None,
            contact: None,
            subscribe_url: None,
        });
    };
    let title = table.text(reading, "title");
    let is_a_line = |title: &str| {
        (1..=TITLE_CHARS_MAX).contains(&title.trim().chars().count()) && !title.contains(char::is_control)
    };
    if let Some(title) = &title
        && !is_a_line(&title.value)
    {
        let what = format!(
            "`title` is one line of at most {TITLE_CHARS_MAX} characters, such as \"Example status\""
        );
        reading.errors.add(title.span.clone(), what);
    }
    let mut address = |name: &str| {
        table.text(reading, name).and_then(|url| {
            let read = external(&url.value);
            read.map_err(|why| reading.errors.add(url.span, format!("`{name}` of [public] {why}"))).ok()
        })
    };
    let (url, subscribe_url) = (address("url"), address("subscribe_url"));
    let contact = table.text(reading, "contact");
    if let Some(contact) = &contact {
        let page = contact.value.starts_with("https://") || contact.value.starts_with("http://");
        if !(page && external(&contact.value).is_ok() || names::address(&contact.value)) {
            let what = "`contact` is an address of mail or of a page, such as support@example.net";
            reading.errors.add(contact.span.clone(), what);
        }
    }
    if url.is_none() {
        let what = "[public] has no `url`: feeds of the page cannot say where it is";
        reading.warn(&table.span.clone(), what);
    }
    table.end(reading);
    let title = title.map_or_else(|| TITLE.to_owned(), |title| title.value.trim().to_owned());
    Some(Public { title, url, contact: contact.map(|contact| contact.value), subscribe_url })
}

/// A copy of the page needs a page, and subscribers need one where they ask.
pub(super) fn is_there_for(
    reading: &mut Reading,
    public: Option<&Public>,
    server: Option<&Server>,
    channels: &[ChannelConfig],
) {
    let listens = server.is_some_and(|server| server.public_listen.is_some());
    let asked =
        public.is_some_and(|public| public.subscribe_url.is_some() || public.url.is_some() && listens);
    let list = channels.iter().find(|channel| channel.texts.contains_key("subscribers"));
    if let Some(list) = list.filter(|_| !asked) {
        let what = format!(
            "the channel {} (line {}) has `subscribers`, who ask on the public page: set `url` of [public] and `public_listen` of [server] \
             (or `subscribe_url` of [public], where another listener is)",
            list.name, list.place.line
        );
        reading.errors.add_whole(what);
    }
    let site = channels.iter().find(|channel| channel.kind == "site");
    if let (None, Some(site)) = (public, site) {
        let what = format!(
            "the channel {} (line {}) is a copy of the public page: add [public]",
            site.name, site.place.line
        );
        reading.errors.add_whole(what);
    }
}
