//! Forms of a page, as a browser without scripts has them: what is sent is what stands there, and what somebody wrote.

use super::super::harness::{Answer, Daemon, FORM, request};

/// A form that is posted.
#[derive(Debug)]
pub struct Form {
    pub action: String,
    /// What is sent when nobody writes anything: names and values in their order, of boxes that are marked and areas too.
    pub fields: Vec<(String, String)>,
    /// Everything that can be written, chosen or pressed.
    pub names: Vec<String>,
}

/// Every form of a page that is posted.
pub fn forms(page: &str) -> Vec<Form> {
    let bodies = page.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap());
    bodies.filter(|body| body.starts_with("method=\"post\"")).map(Form::read).collect()
}

impl Form {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once('>').unwrap();
        let (mut fields, mut names) = (Vec::new(), Vec::new());
        for part in body.split('<').skip(1) {
            let (tag, after) = part.split_once('>').unwrap_or((part, ""));
            let name = attribute(tag, "name");
            names.extend(name.clone());
            let kind = attribute(tag, "type");
            let is_marked = kind.as_deref() != Some("checkbox") || tag.contains(" checked");
            match (tag.split(' ').next().unwrap(), name) {
                ("input", Some(name)) if is_marked => {
                    fields.push((name, attribute(tag, "value").unwrap_or_default()));
                }
                ("textarea", Some(name)) => fields.push((name, unescaped(after.trim_start_matches('\n')))),
                ("select", Some(name)) => fields.push((name, String::new())),
                ("option", _) if tag.contains(" selected") => {
                    let value = attribute(tag, "value").unwrap_or_else(|| unescaped(after));
                    fields.last_mut().unwrap().1 = value;
                }
                _ => {}
            }
        }
        Self { action: attribute(head, "action").unwrap(), fields, names }
    }

    /// What stands in a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sends it, with what was written into some of its fields.
    pub fn send(&self, daemon: &Daemon, cookie: &str, written: &[(&str, &str)]) -> Answer {
        let unwritten = self.fields.iter().filter(|(name, _)| written.iter().all(|(known, _)| known != name));
        let all =
            unwritten.map(|(name, value)| (name.as_str(), value.as_str())).chain(written.iter().copied());
        let body: Vec<String> = all.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let headers = [FORM, ("Cookie", cookie), ("Sec-Fetch-Site", "same-origin")];
        request(daemon.address, "POST", &self.action, &headers, body.join("&").as_bytes()).unwrap()
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(rest.split('"').next()?))
}

fn unescaped(text: &str) -> String {
    let all =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")];
    all.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
