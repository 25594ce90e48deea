//! A form that was sent and not taken: it is shown again with everything that was written, ready to be sent once more. What
//! somebody wrote at night is lost neither with a store that is away, nor with a login that has ended.
//!
//! Nothing is kept here for it: the page is made of what was sent, and goes back to who sent it. Secrets do not.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::incident::MINUTES_MAX;
use super::me::local;
use crate::http::html::Pages;
use crate::http::problem::Problem;

/// What is never shown again.
const SECRETS: [&str; 6] = ["form", "token", "password", "secret", "nonce", "key"];
/// What people did not write, and need not see.
const UNSEEN: [&str; 3] = ["term", "brief", "seen"];
/// Fields with words, as their labels.
const WORDS: [(&str, &str); 15] = [
    ("text", "Text"),
    ("what", "What"),
    ("where", "Where"),
    ("undo", "How to undo it"),
    ("cause", "What ended the harm"),
    ("reason", "Why"),
    ("early", "Why before the watch is over"),
    ("body", "Outside body"),
    ("contact", "With whom"),
    ("ticket", "Their number for it"),
    ("component", "Part"),
    ("title", "What is wrong"),
    ("read_back", "What you read back"),
    ("why", "Why, and who agreed"),
    ("from", "Who asks"),
];
/// Other fields that are shown, as people call them.
const MARKS: [(&str, &str); 12] = [
    ("occurred_at", "It happened at (UTC)"),
    ("known_at", "It is known since (UTC)"),
    ("eta_at", "At a keyboard at (UTC)"),
    ("limit_at", "Done by (UTC)"),
    ("promised_at", "They promised to call back at (UTC)"),
    ("to", "To whom"),
    ("wanted", "Whom you need"),
    ("into", "Becomes part of incident"),
    ("into_other", "Becomes part of incident"),
    ("most", "Changes at a time"),
    ("did", "What ended the harm"),
    ("ok", "It works"),
];
/// Of these the hour stands there already, and minutes that somebody types are newer.
const NEWER: [&str; 1] = ["next"];
/// So many seconds after which another try makes sense, where nobody says.
const RETRY_S: u32 = 5;

/// What was sent, and where to.
pub(super) struct Sent<'a> {
    /// The address of the form.
    pub(super) path: &'a str,
    /// Its fields.
    pub(super) fields: &'a [(String, String)],
}

/// The fields of a form that may be sent again later: so many minutes ago, or from now, are an hour by then.
pub(super) fn anchored(fields: &[(String, String)], now: Timestamp) -> Vec<(String, String)> {
    let is_said = |at: &str| fields.iter().any(|(name, value)| name == at && !value.trim().is_empty());
    let hour = |(name, value): &(String, String)| {
        let (name, sign) = match name.strip_suffix("_ago") {
            Some(name) => (name, -1),
            None => (name.strip_suffix("_in")?, 1),
        };
        if is_said(&format!("{name}_at")) && !NEWER.contains(&name) {
            return None;
        }
        // What is no length is told to be none when it is sent again.
        let minutes = value.trim().parse::<i64>().ok().filter(|count| (0..=MINUTES_MAX).contains(count))?;
        let at = now.checked_add(SignedDuration::from_mins(minutes * sign)).ok()?;
        Some((format!("{name}_at"), at.strftime("%Y-%m-%dT%H:%M").to_string()))
    };
    let is_empty = |(name, value): &(String, String)| name.ends_with("_at") && value.trim().is_empty();
    let is_old = |(name, _): &(String, String)| {
        let newer = name.strip_suffix("_at").filter(|name| NEWER.contains(name));
        newer.is_some_and(|name| is_said(&format!("{name}_in")))
    };
    let kept = fields.iter().filter(|field| !is_empty(field) && !is_old(field));
    kept.map(|field| hour(field).unwrap_or_else(|| field.clone())).collect()
}

/// Why it was not taken.
pub(super) enum Why<'a> {
    /// Not at this moment, or not so; with what the form carries that is sent again.
    Not {
        /// In words.
        problem: &'a Problem,
        /// The word of the session.
        word: &'a str,
    },
    /// Nobody is logged in here any more.
    LoggedOut,
    /// It is of an earlier login: with the word of this one.
    Earlier(&'a str),
    /// They may not, or it is none of our forms: there is nothing to be sent again.
    Never {
        /// The status of the answer.
        status: StatusCode,
        /// In words.
        text: &'a str,
    },
}

impl Sent<'_> {
    /// Says what happened, what it means and what to do, with what was written.
    pub(super) fn again(&self, pages: &Pages, why: &Why<'_>) -> Response {
        let mut retry = None;
        let (status, heading, text, word) = match why {
            Why::Not { problem, word } if problem.kind == "outcome-unknown" => (
                problem.status,
                "It is not known whether this was written down",
                "The store did not say in time whether it took it. Look at the page first; if it is not there, send it again."
                    .to_owned(),
                Some(*word),
            ),
            Why::Not { problem, word } if problem.status != StatusCode::SERVICE_UNAVAILABLE => {
                let text = format!(
                    "Nothing was changed: {}. What you wrote is below; mend it, and send it again.",
                    problem.detail.trim_end_matches('.')
                );
                (problem.status, "Nothing was changed", text, Some(*word))
            }
            Why::Not { problem, word } => {
                let seconds = problem.retry_after.unwrap_or(RETRY_S);
                retry = Some(seconds);
                let text = format!(
                    "Nothing was changed, and nobody was told: {}. Send it again in {seconds} seconds. If it cannot wait, tell the \
                     others yourself, in the meeting place.",
                    problem.detail.trim_end_matches('.')
                );
                (problem.status, "Not written down", text, Some(*word))
            }
            Why::LoggedOut => (
                StatusCode::UNAUTHORIZED,
                "You are not logged in any more",
                "Nothing was changed, and nobody was told. Log in in another tab, come back to this one, and send it again."
                    .to_owned(),
                Some(""),
            ),
            Why::Earlier(word) => (
                StatusCode::FORBIDDEN,
                "Look once more, and send it again",
                "Nothing was changed yet: this form is of an earlier login of yours. If what it says still holds, send it again."
                    .to_owned(),
                Some(*word),
            ),
            Why::Never { status, text } => (*status, "Nothing was changed", (*text).to_owned(), None),
        };
        let back = page_of(self.path);
        let login = matches!(why, Why::LoggedOut)
            .then(|| format!("/login?next={}", utf8_percent_encode(back, NON_ALPHANUMERIC)));
        let values = context! {
            heading, text, login, back, action => self.path, about => about(self.path), sends => word.is_some(),
            reader => context! { name => Value::from(()), form => word.unwrap_or_default(), acts => false },
            words => self.words(), marks => self.marks(),
        };
        let mut answer = pages.page(status, "again.html", values);
        if let Some(seconds) = retry {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }

    fn written(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        fields.filter(|(name, value)| !SECRETS.contains(name) && !value.trim().is_empty())
    }

    /// What people wrote in words, which may be mended before it is sent again.
    fn words(&self) -> Vec<Value> {
        let label = |name: &str| WORDS.iter().find(|(known, _)| *known == name).map(|(_, label)| *label);
        let words = self.written().filter_map(|(name, value)| Some((name, label(name)?, value)));
        words.map(|(name, label, value)| context! { name, label, value }).collect()
    }

    /// Everything else: what was chosen, and which page it was.
    fn marks(&self) -> Vec<Value> {
        let is_word = |name: &str| WORDS.iter().any(|(known, _)| *known == name);
        let marks = self.written().filter(|(name, _)| !is_word(name));
        marks
            .map(|(name, value)| {
                let known =
                    MARKS.iter().find(|(known, _)| *known == name).map(|(_, label)| (*label).to_owned());
                let label = known.unwrap_or_else(|| {
                    let mut label = name.replace(['_', '-'], " ");
                    label.get_mut(..1).map(str::make_ascii_uppercase);
                    label
                });
                context! { name, label, value, seen => !UNSEEN.contains(&name) }
            })
            .collect()
    }
}

/// Says that a form could not even be read. The browser still has it.
pub(super) fn unread(pages: &Pages, problem: &Problem) -> Response {
    let text = format!(
        "Nothing was changed: {}. Go back: your browser still has what you wrote.",
        problem.detail.trim_end_matches('.')
    );
    pages.message(problem.status, "Not written down", &text)
}

/// Whether a form stood on a page of ours, as far as a browser says so. What comes from elsewhere is refused by the router, where
/// the browser says that; an old one may say nothing.
pub(super) fn is_of_ours(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-site") {
        Some(site) => site.as_bytes() == b"same-origin",
        None => headers.contains_key(header::ORIGIN),
    }
}

/// The page that a form stood on, for who is led back to it: an address of this house.
pub(super) fn page_of(path: &str) -> &str {
    let whole =
        |from: usize| path.get(from..).and_then(|rest| rest.find('/')).map_or(path, |at| &path[..from + at]);
    let page = match path {
        _ if path.starts_with("/incidents/") => whole("/incidents/".len()),
        _ if path.starts_with("/oncall/") => "/oncall",
        _ if path == "/statements" || path.starts_with("/statements/") => "/statements",
        _ => "/",
    };
    local(page).unwrap_or("/")
}

/// What a form is about, in words.
fn about(path: &str) -> String {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("incidents"), Some(number), Some(verb)) => format!("INC-{number}: {}", verb.replace('-', " ")),
        (Some("oncall"), Some(_), Some(_)) => "On call: ends now".to_owned(),
        (Some("oncall"), Some("leaves"), None) => "On call: somebody is away".to_owned(),
        (Some("oncall"), ..) => "On call: somebody stands in".to_owned(),
        (Some("incidents"), ..) => "A new incident".to_owned(),
        (Some("statements"), Some(id), Some(verb)) => format!("Statement {id}: {verb}"),
        (Some("statements"), ..) => "A new statement".to_owned(),
        (Some("logout"), ..) => "To log out".to_owned(),
        _ => "What was sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sent_a_form_is_led_back_to_its_page_and_nowhere_else() {
        for (path, page) in [
            ("/incidents/4/size-up", "/incidents/4"),
            ("/incidents/4", "/incidents/4"),
            ("/incidents", "/"),
            ("/incidents/%0d%0ax/ack", "/incidents/%0d%0ax"),
            ("/incidents///example.net/ack", "/incidents/"),
            ("/oncall/leaves/7/end", "/oncall"),
            ("/logout", "/"),
            ("//example.net/ack", "/"),
        ] {
            assert_eq!(page_of(path), page, "{path}");
        }
    }

    #[test]
    fn so_many_minutes_are_an_hour_once_they_may_be_sent_later() {
        let now = "2026-11-29T02:00:30Z".parse().unwrap();
        let anchored =
            |name: &str, value: &str| anchored(&[(name.into(), value.into())], now).pop().unwrap_or_default();
        let is = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(anchored("occurred_ago", "20"), is("occurred_at", "2026-11-29T01:40"));
        assert_eq!(anchored("limit_in", " 30 "), is("limit_at", "2026-11-29T02:30"));
        assert_eq!(anchored("limit_in", "soon"), is("limit_in", "soon"));
        let both = [("next_in", "20"), ("next_at", "2026-11-29T02:45")].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(super::anchored(&both, now), [is("next_at", "2026-11-29T02:20")]);
        assert_eq!(anchored("limit_in", ""), is("limit_in", ""));
        assert_eq!(anchored("limit_in", "99999"), is("limit_in", "99999"));
        assert_eq!(anchored("limit_at", "2026-11-29T03:00"), is("limit_at", "2026-11-29T03:00"));
        assert_eq!(anchored("limit_at", ""), is("", ""));
        assert_eq!(anchored("text", "20"), is("text", "20"));
        let both = [is("limit_in", "5"), is("limit_at", "2026-11-29T03:00")];
        assert_eq!(super::anchored(&both, now), both, "an hour goes before minutes");
    }

    #[tokio::test]
    async fn everything_written_comes_back_and_no_secret_does() {
        let pages = Pages::new().unwrap();
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = [
            field("form", "old-word"),
            field("token", "a-secret"),
            field("password", "a-secret"),
            field("term", "2"),
            field("alert", "scripts/a"),
            field("alert", "scripts/b"),
            field("text", "<b>all\norders"),
        ];
        let sent = Sent { path: "/incidents/4/size-up", fields: &fields };
        let body = async |why: Why<'_>| {
            let answer = sent.again(&pages, &why);
            let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            String::from_utf8(bytes.to_vec()).unwrap().replace("&#x2f;", "/")
        };
        let problem = Problem::unavailable("the store is away", 3);
        let late = Problem { kind: "outcome-unknown", ..problem.clone() };
        for (why, says) in [
            (Why::Not { problem: &problem, word: "word-1" }, "the store is away. Send it again in 3 seconds"),
            (
                Why::Not { problem: &Problem::unprocessable("the title is empty"), word: "word-1" },
                "the title is empty. What you wrote is below",
            ),
            (Why::Not { problem: &late, word: "word-1" }, "Look at the page first"),
            (Why::Earlier("word-1"), "of an earlier login"),
            (Why::LoggedOut, "/login?next=%2Fincidents%2F4"),
            (Why::Never { status: StatusCode::FORBIDDEN, text: "You only look." }, "You only look."),
        ] {
            let (never, out) = (matches!(why, Why::Never { .. }), matches!(why, Why::LoggedOut));
            let page = body(why).await;
            assert!(page.contains(says), "{says}: {page}");
            assert!(page.contains("&lt;b&gt;all\norders</textarea>"), "{page}");
            assert!(!page.contains("a-secret") && !page.contains("old-word"), "{page}");
            assert_eq!(page.contains("action=\"/incidents/4/size-up\""), !never, "{page}");
            assert_eq!(page.matches("name=\"alert\" value=\"scripts/").count(), if never { 0 } else { 2 });
            assert_eq!(page.contains("name=\"form\" value=\"word-1\""), !never && !out, "{page}");
            assert_eq!(page.contains("name=\"term\" value=\"2\""), !never, "{page}");
        }
    }
}
