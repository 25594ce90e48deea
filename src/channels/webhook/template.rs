//! The body of a webhook in the words of whoever hears it: a template of the operator's, rendered within bounds.
//!
//! What a value becomes is decided by the type of the body and not by the template: in JSON it is written as JSON, with its quotes, in
//! a form by percent signs, in XML and HTML by entities. So no word of an alert or a statement can end the place it stands in.
//! Nothing can be loaded or included. A statement is shown alone: no fact of its incident is there beside it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde_json::{Value as Json, json};

use super::super::api::encode;
use super::super::{Parcel, Statement, Thread};
use crate::core::audience::Audience;
use crate::core::voice::{Impact, Phase, Sort};

/// Steps a template may take.
const FUEL: u64 = 200_000;
/// Longest template, and longest body, in bytes.
const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of a value.
const DEPTH_MAX: usize = 32;
const NAME: &str = "body";

/// How values stand in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Fields,
    Markup,
    Plain,
}

impl Form {
    /// Of a `Content-Type`.
    fn of(content_type: &str) -> Self {
        let bare = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match bare.as_str() {
            "application/x-www-form-urlencoded" => Self::Fields,
            "text/html" => Self::Markup,
            json if json.ends_with("/json") || json.ends_with("+json") => Self::Json,
            xml if xml.ends_with("/xml") || xml.ends_with("+xml") => Self::Markup,
            _ => Self::Plain,
        }
    }
}

/// A template, ready to use.
pub(super) struct Template {
    engine: Environment<'static>,
    form: Form,
}

impl Template {
    /// Reads a template for bodies of a type. It has to be right for a page, a status or a statement.
    pub(super) fn new(text: String, content_type: &str) -> Result<Self, String> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("`body` has more than {TEMPLATE_BYTES_MAX} bytes"));
        }
        let form = Form::of(content_type);
        let mut engine = Environment::new();
        engine.set_fuel(Some(FUEL));
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.remove_global("debug");
        engine.add_filter("tojson", |value: &Value| tojson(value).map(Value::from_safe_string));
        engine.add_filter("urlencode", |value: &Value| Value::from_safe_string(encode(&value.to_string())));
        // Entities are minijinja's own; what else there is, is done below.
        let markup = move |_: &str| if form == Form::Markup { AutoEscape::Html } else { AutoEscape::None };
        engine.set_auto_escape_callback(markup);
        engine.set_formatter(move |out, state, value| write(form, out, state, value));
        engine.add_template_owned(NAME, text).map_err(|error| wrong(&error))?;
        let template = Self { engine, form };
        let mut first = None;
        for sample in samples() {
            match template.render(&sample) {
                Ok(_) => return Ok(template),
                Err(why) => first = first.or(Some(why)),
            }
        }
        Err(first.unwrap_or_default())
    }

    /// The body for a letter. The error holds nothing of the letter.
    pub(super) fn render(&self, parcel: &Parcel) -> Result<String, String> {
        let template = self.engine.get_template(NAME).map_err(|error| wrong(&error))?;
        let body = template.render(value(&seen(parcel))).map_err(|error| wrong(&error))?;
        if body.len() > BODY_BYTES_MAX {
            return Err(format!("what `body` makes has more than {BODY_BYTES_MAX} bytes"));
        }
        if self.form == Form::Json && serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err() {
            return Err("what `body` makes is no JSON: values bring their quotes along, so write {\"text\": {{ text }}}".into());
        }
        Ok(body)
    }
}

/// What a template sees.
fn seen(parcel: &Parcel) -> Json {
    let statement = statement(parcel);
    let is_statement = !statement.is_null();
    json!({
        "type": parcel.event_type,
        "delivery": parcel.delivery,
        "timestamp": parcel.created_at,
        "subject": parcel.subject,
        "text": parcel.text,
        "short": parcel.short,
        "statement": statement,
        "to": if is_statement || parcel.to.is_empty() { None } else { Some(&parcel.to) },
        "answer": if is_statement { None } else { parcel.answer.as_ref() },
        "data": if is_statement { &Json::Null } else { &parcel.data },
    })
}

/// A statement as programs are told it; null when it is none. Outside the house it has no `id`.
fn statement(parcel: &Parcel) -> Json {
    let Some(said) = &parcel.statement else { return Json::Null };
    let mut told = super::stated(parcel, said);
    if let Some(told) = told.as_object_mut() {
        // A template names it without asking for whom it is.
        told.entry("id").or_insert(Json::Null);
    }
    told
}

fn write(form: Form, out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let written = match form {
        _ if value.is_safe() => value.to_string(),
        Form::Json => tojson(value)?,
        Form::Fields => encode(&text(value)),
        Form::Markup => return minijinja::escape_formatter(out, state, value),
        Form::Plain => text(value),
    };
    out.write_str(&written).map_err(Error::from)
}

/// Nothing, where there is nothing.
fn text(value: &Value) -> String {
    if value.is_none() { String::new() } else { value.to_string() }
}

fn tojson(value: &Value) -> Result<String, Error> {
    plain(value, 0).map(|value| value.to_string())
}

/// A value as JSON.
fn plain(value: &Value, depth: usize) -> Result<Json, Error> {
    let unfit = || Error::new(ErrorKind::InvalidOperation, "this is nothing that JSON has");
    if depth > DEPTH_MAX {
        return Err(unfit());
    }
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(value.is_true().into()),
        ValueKind::String => value.as_str().map(Json::from).ok_or_else(unfit),
        ValueKind::Number => match (value.is_integer(), i64::try_from(value.clone())) {
            (true, Ok(number)) => Ok(number.into()),
            _ => f64::try_from(value.clone()).ok().map(Json::from).ok_or_else(unfit),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|one| plain(&one, depth + 1)).collect::<Result<Vec<_>, _>>().map(Json::from)
        }
        ValueKind::Map => {
            let mut map = serde_json::Map::new();
            for key in value.try_iter()? {
                map.insert(key.to_string(), plain(&value.get_item(&key)?, depth + 1)?);
            }
            Ok(map.into())
        }
        _ => Err(unfit()),
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(one) => (*one).into(),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().unwrap_or_default().into(), Value::from)
        }
        Json::String(text) => text.as_str().into(),
        Json::Array(list) => list.iter().map(value).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            let map: BTreeMap<String, Value> =
                map.iter().map(|(name, one)| (name.clone(), value(one))).collect();
            map.into()
        }
    }
}

/// The kind of a fault and its line: more of it could be words of the letter.
fn wrong(error: &Error) -> String {
    let place = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::SyntaxError => "a fault of syntax",
        ErrorKind::UndefinedError => "a name that means nothing, or nothing in a letter of this sort",
        ErrorKind::UnknownFilter => "a filter that there is not",
        ErrorKind::UnknownFunction => "a function that there is not",
        ErrorKind::OutOfFuel => "more work than is allowed",
        _ => "something that cannot be done",
    };
    format!("`body` has{place} {what}")
}

/// Letters that a template is tried on: a page, a status, and a statement.
fn samples() -> [Parcel; 3] {
    let at = Timestamp::UNIX_EPOCH;
    let data = json!({"incident": {
        "id": 42, "title": "checkout down", "service": "shop", "at_fault": null, "also": [], "storm": false, "merged_into": null,
        "severity": "SEV1", "state": "acknowledged", "resolution": null, "opened_at": at, "acknowledged_at": at, "mitigated_at": null,
        "resolved_at": null, "alert_count": 3, "drill": false,
        "commander": {"person": "maya", "term": 1, "since": at, "reason": "first_responder"},
        "next_update_by": null, "bridge": "https://meet.example.net/sre", "url": "https://onscene.example.net/incidents/42",
    }});
    let status = Parcel {
        delivery: "0123456789abcdef0123456789abcdef".into(),
        incident: 42,
        incident_state: "acknowledged".into(),
        thread: Thread::Status,
        to: String::new(),
        page_attempt: 0,
        subject: "[INC-42] shop: \"checkout\" down".into(),
        text: "Maya Lind has command.\n".into(),
        html: String::new(),
        short: "Maya Lind has command.".into(),
        answer: None,
        meet: None,
        wakes: false,
        data,
        event_type: "incident.acknowledged".into(),
        created_at: at,
        now: at,
        thread_root: None,
        lost: Vec::new(),
        again: Vec::new(),
        attempt: 1,
        mends_nothing: false,
        unwritten: false,
        only_look: false,
        statement: None,
    };
    let said = Statement {
        id: "42-3".into(),
        audience: Audience::Public,
        sort: Sort::Update,
        phase: Phase::Identified,
        impact: Impact::Major,
        now: None,
        title: "Online shop: \"payments\" fail".into(),
        text: "Some payments fail.\n\nNext update by 10:30 UTC.".into(),
        components: vec!["Online shop".into()],
        services: vec!["shop".into()],
        began: at,
        at,
        next_by: Some(at),
        mends: None,
        takes_back: None,
    };
    let page = Parcel {
        to: "maya".into(),
        answer: Some("https://onscene.example.net/r/TOKEN".into()),
        event_type: "page".into(),
        ..status.clone()
    };
    let statement = Parcel {
        subject: said.title.clone(),
        text: said.text.clone(),
        event_type: "statement".into(),
        statement: Some(Box::new(said)),
        ..status.clone()
    };
    [status, page, statement]
}

#[cfg(test)]
mod tests {
    use super::super::super::stories::{parcel, statement, status_letter};
    use super::*;

    fn made(text: &str, content_type: &str, parcel: &Parcel) -> Result<String, String> {
        Template::new(text.to_owned(), content_type)?.render(parcel)
    }

    #[test]
    fn no_word_ends_the_place_it_stands_in() {
        let sly = Parcel { text: "a\" }, \"b\": 1 <&>\n</b> &c=1".into(), ..status_letter() };
        let json = made(
            r#"{"text": {{ text }}, "id": {{ data.incident.id }}, "to": {{ to }}}"#,
            "application/json",
            &sly,
        );
        let json: Json = serde_json::from_str(&json.unwrap()).unwrap();
        assert_eq!(json, json!({"text": sly.text, "id": 42, "to": null}));
        let twice = made(
            r#"{"text": {{ (subject ~ ": " ~ text)|tojson }}}"#,
            "application/json; charset=utf-8",
            &sly,
        )
        .unwrap();
        let twice: Json = serde_json::from_str(&twice).unwrap();
        assert_eq!(twice["text"], format!("{}: {}", sly.subject, sly.text));
        let form = made("text={{ text }}&to={{ to }}", "application/x-www-form-urlencoded", &sly).unwrap();
        assert_eq!(form, "text=a%22%20%7D%2C%20%22b%22%3A%201%20%3C%26%3E%0A%3C%2Fb%3E%20%26c%3D1&to=");
        let xml = made("<m>{{ text }}</m>", "text/xml", &sly).unwrap();
        assert!(
            xml.contains("a&quot; }") && xml.contains("&lt;&amp;&gt;") && xml.matches('<').count() == 2,
            "{xml}"
        );
        assert_eq!(made("{{ text }}", "text/plain", &sly).unwrap(), sly.text);
    }

    #[test]
    fn a_statement_is_shown_alone() {
        let mut said = statement(1);
        said.data = json!({"incident": {"title": "db-1.internal is down"}});
        said.answer = Some("https://onscene.example.net/r/TOKEN".into());
        let whole = r#"{"s": {{ statement }}, "d": {{ data }}, "a": {{ answer }}, "to": {{ to }}, "text": {{ text }}}"#;
        let body = made(whole, "application/json", &said).unwrap();
        for hidden in ["internal", "TOKEN", "\"shop\""] {
            assert!(!body.contains(hidden), "{body}");
        }
        let body: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&body["s"]["phase"], &body["d"], &body["s"]["components"]),
            (&json!("identified"), &Json::Null, &json!(["Online shop"]))
        );
        let either = r#"{% if statement %}{"title": {{ statement.title }}}{% else %}{"title": {{ subject }}}{% endif %}"#;
        assert_eq!(
            made(either, "application/json", &said).unwrap(),
            r#"{"title": "Online shop: payments fail"}"#
        );
        assert!(made(either, "application/json", &parcel(1)).unwrap().contains("INC-42"));
    }

    #[test]
    fn what_cannot_work_is_said_with_its_line_and_without_a_word_of_a_letter() {
        let said = |text: &str| made(text, "application/json", &status_letter()).unwrap_err();
        assert!(said("{\"a\": \"{{ text }}\"}").contains("bring their quotes along"));
        assert!(said("{\n \"a\": {{ txt }}}").contains("in line 2"));
        assert!(said("{{ text").contains("syntax"));
        assert!(said("{{ text|nosuch }}").contains("filter"));
        assert!(
            said("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}")
                .contains("work")
        );
        assert!(said("{% include 'x' %}").contains("cannot be done"));
        assert!(said(&" ".repeat(TEMPLATE_BYTES_MAX + 1)).contains("bytes"));
        // One for statements alone is right, and says so of other letters.
        let only = r#"{"title": {{ statement.title }}}"#;
        assert_eq!(
            made(only, "application/json", &statement(1)).unwrap(),
            r#"{"title": "Online shop: payments fail"}"#
        );
        assert!(
            made(only, "application/json", &status_letter())
                .unwrap_err()
                .contains("nothing in a letter of this sort")
        );
    }
}
