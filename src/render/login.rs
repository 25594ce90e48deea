//! Words of the letter with a link that signs somebody in.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{Renderer, Words, escape, full_name};
use crate::core::rules::Rules;
use crate::store::sessions::{LINK_LASTS, LOGIN_LETTER};

impl Renderer {
    /// The address that signs somebody in, and leads on to a local address.
    pub fn login_url(&self, secret: &str, next: Option<&str>) -> String {
        let next = next.map(|next| format!("?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)));
        format!("{}/login/{secret}{}", self.external_url, next.unwrap_or_default())
    }

    /// The words of the letter with it.
    pub fn login_words(&self, person: &str, rules: &Rules, secret: &str, next: Option<&str>) -> Words {
        let url = self.login_url(secret, next);
        let short = "Your link to log in to onscene".to_owned();
        let who = full_name(rules, person);
        let said = format!(
            "{who}: somebody, hopefully you, asked to log in to onscene by mail. Open this link and press the button there:"
        );
        let lasts = format!(
            "It works once, for {} minutes after it was asked for. If it was not you, nothing needs to be done: without this link nobody gets \
             in. Do not pass it on.",
            LINK_LASTS.as_mins()
        );
        let html = format!(
            "<!doctype html><html><body><p>{}</p><p><a href=\"{}\">Log in to onscene</a></p><p>{}</p></body></html>",
            escape(&said),
            escape(&url),
            escape(&lasts)
        );
        Words {
            subject: short.clone(),
            text: format!("{said}\n\n{url}\n\n{lasts}\n"),
            html,
            data: json!({"login": true, "person": person}),
            event_type: LOGIN_LETTER.to_owned(),
            incident_state: "none".to_owned(),
            page_attempt: 0,
            short,
            answer: None,
            meet: None,
            statement: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_has_its_link_and_leads_on_to_a_local_address() {
        let renderer = Renderer::new(None, "https://onscene.example.net/").unwrap();
        let words = renderer.login_words("maya", &Rules::default(), "s3cret", Some("/incidents/4?a=b"));
        let url = "https://onscene.example.net/login/s3cret?next=%2Fincidents%2F4%3Fa%3Db";
        assert!(words.text.contains(&format!("\n{url}\n")) && words.html.contains(url), "{}", words.text);
        assert!(words.text.contains("15 minutes") && !words.subject.contains("s3cret"), "{}", words.text);
        assert!(!words.data.to_string().contains("s3cret"));
        assert_eq!(renderer.login_url("x", None), "https://onscene.example.net/login/x");
    }
}
