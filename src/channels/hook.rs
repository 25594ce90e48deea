//! An address that is a credential by itself: whoever has it can write. So it is a secret (`url_file`), and no sentence holds any
//! part of it.

use http::Uri;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::api::{Api, encode};
use super::client::{Answer, Reach};
use super::webhook::reach;
use super::{Fields, Key, Outcome, Shared};

/// The keys of every kind that has such an address.
pub(super) const KEYS: &[Key] = &[
    Key { name: "url", secret: true, required: true },
    Key { name: "private_addresses", secret: false, required: false },
];

/// Such an address.
pub(super) struct Hook {
    api: Api,
    uri: Uri,
    query: Vec<(String, String)>,
}

impl Hook {
    /// Reads it from the secret `url`, and from `private_addresses`.
    pub(super) fn new(fields: &mut Fields, shared: &Shared) -> Result<Self, String> {
        let secret = fields.secrets.remove("url").ok_or("`url_file` is missing")?;
        let uri: Uri =
            secret.expose_secret().trim().parse().map_err(|_| "what `url_file` holds is no address")?;
        let reach = reach(fields.texts.get("private_addresses").map(String::as_str))?;
        let scheme = match uri.scheme_str() {
            Some("https") => "https",
            // Whoever listens on the way could write as well.
            Some("http") if reach == Reach::Private => "http",
            _ => {
                return Err("the address in `url_file` begins with https:// (with `private_addresses = \"allow\"` also with \
                            http://)"
                    .into());
            }
        };
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        if authority.is_empty() || authority.contains('@') {
            return Err("the address in `url_file` names a host, and no user or password".into());
        }
        let query = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query = query.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let api = Api::at(&shared.client, format!("{scheme}://{authority}{}", uri.path()), reach);
        Ok(Self { api, uri, query })
    }

    /// Its host, in small letters.
    pub(super) fn host(&self) -> String {
        self.uri.host().unwrap_or_default().to_lowercase()
    }

    /// What stands behind the host.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// Whether it brings a parameter of this name along.
    pub(super) fn has(&self, name: &str) -> bool {
        self.query.iter().any(|(known, _)| known == name)
    }

    /// Posts JSON, with parameters that take the place of its own ones of the same name.
    pub(super) async fn post(&self, more: &[(&str, &str)], body: &Value) -> Result<Answer, Outcome> {
        self.api.post(&self.query(more), body).await
    }

    /// Deletes what stands under it.
    pub(super) async fn delete(&self, under: &str, more: &[(&str, &str)]) -> Result<Answer, Outcome> {
        let slash = if self.path().ends_with('/') { "" } else { "/" };
        self.api.delete(&format!("{slash}{under}{}", self.query(more))).await
    }

    fn query(&self, more: &[(&str, &str)]) -> String {
        let own = self.query.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        let own = own.map(|(name, value)| format!("{name}={value}"));
        let more = more.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        let query = own.chain(more).collect::<Vec<_>>().join("&");
        if query.is_empty() { query } else { format!("?{query}") }
    }
}
