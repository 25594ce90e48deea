//! One expression of an operator: from its text to a value, within bounds.
//!
//! Expressions are minijinja's, with its own filters, tests and functions, all of which are pure; `debug` is taken away, and
//! there is nothing to include or load. A value is had by a template of one line, `{%set value=(EXPRESSION)%}`: such a one can be
//! kept ready, and tells the fuel it took. The text is proved to be one expression before, so it cannot end the line early.
//!
//! No sentence quotes what was sent. The piece of the expression that failed is quoted: it is the operator's.

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::{Map, Number, Value as Json};

/// Longest expression, in bytes.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// Fuel one expression may take each time: about a step, or 64 bytes looked at or made. A list of 10,000 items can be filtered with it.
pub(super) const FUEL: u64 = 200_000;
/// Fuel all expressions of one delivery may take, however many items it has. This is the bound on time: a fuel is worth at most about
/// 60 ns of work (`benches/run reading`), so all of it is spent in a quarter of a second, and a delivery of 10,000 items with a
/// dozen expressions has 30 for each.
pub(super) const DELIVERY_FUEL: u64 = 4_000_000;
/// What it costs to begin: so that many short expressions are bounded too.
const BEGIN_FUEL: u64 = 10;
/// Most bytes of values that all expressions of one delivery may give.
pub(super) const DELIVERY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What an item of a list or a map, and a number, counts beside its text, in bytes.
const ITEM_BYTES: usize = 32;
/// Deepest nesting of a value.
const DEPTH_MAX: usize = 128;
/// Longest piece of an expression that is quoted, in characters.
const QUOTED_CHARS_MAX: usize = 60;
/// What a text is put between. The name cannot be meant by an expression: it would be unknown.
const BEFORE: &str = "{%set onscene_value=(";
const AFTER: &str = ")%}";
const VALUE: &str = "onscene_value";

/// What the expressions of one delivery may still take.
pub(super) struct Purse {
    fuel: u64,
    bytes: usize,
}

impl Default for Purse {
    fn default() -> Self {
        Self { fuel: DELIVERY_FUEL, bytes: DELIVERY_BYTES_MAX }
    }
}

impl Purse {
    /// Nothing more is evaluated.
    pub(super) fn is_empty(&self) -> bool {
        self.fuel == 0
    }

    fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Failure::TooLarge)?;
        Ok(())
    }
}

/// Why an expression gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Undefined,
    OutOfFuel,
    TooLarge,
    TooDeep,
    Unfit,
}

impl Failure {
    fn words(self) -> String {
        match self {
            Self::Undefined => "nothing is there; `default` says what stands for what may be missing".into(),
            Self::OutOfFuel => format!(
                "it takes too much work (an expression has {FUEL} steps, and all of a delivery {DELIVERY_FUEL})"
            ),
            Self::TooLarge => {
                format!("it gives too much (all of a delivery may give {DELIVERY_BYTES_MAX} bytes)")
            }
            Self::TooDeep => format!("it gives something nested more than {DEPTH_MAX} levels deep"),
            Self::Unfit => "it does not fit what is there".into(),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::UndefinedError => Self::Undefined,
            ErrorKind::OutOfFuel => Self::OutOfFuel,
            _ => Self::Unfit,
        }
    }
}

/// Expressions of one source, ready to use, by name.
pub(super) struct Engine {
    environment: Environment<'static>,
}

impl Engine {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_debug(false);
        environment.remove_global("debug");
        Self { environment }
    }

    /// Takes an expression. `known` are the variables it may use.
    ///
    /// # Errors
    /// Where in the text something is wrong, in bytes, and what.
    pub(super) fn add(
        &mut self,
        name: &str,
        text: &str,
        known: &[&str],
    ) -> Result<(), (Range<usize>, String)> {
        if text.len() > TEXT_BYTES_MAX {
            return Err((0..0, format!("it has {} bytes; at most {TEXT_BYTES_MAX} are taken", text.len())));
        }
        let wrong = |error: Error, before: usize| {
            let piece = error.range().unwrap_or_default();
            // A place may lie within a character that has several bytes.
            let begin = text.floor_char_boundary(piece.start.saturating_sub(before));
            let end = text.ceil_char_boundary(piece.end.saturating_sub(before)).max(begin);
            let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            (begin..end, why)
        };
        let expression = self.environment.compile_expression_owned(text.to_owned());
        let unknown = expression.map_err(|error| wrong(error, 0))?.undeclared_variables(false);
        self.known_words(text, &unknown, known)?;
        self.environment
            .add_template_owned(name.to_owned(), format!("{BEFORE}{text}{AFTER}"))
            .map_err(|error| wrong(error, BEFORE.len()))
    }

    /// Every variable, filter and test of an expression is known.
    fn known_words(
        &self,
        text: &str,
        variables: &std::collections::HashSet<String>,
        known: &[&str],
    ) -> Result<(), (Range<usize>, String)> {
        let functions: BTreeSet<&str> = self.environment.globals().map(|(name, _)| name).collect();
        for Word { place, role } in words(text) {
            let Some(word) = text.get(place.clone()) else { continue };
            let why = match role {
                Role::Filter if !self.has(&format!("none|{word}"), ErrorKind::UnknownFilter) => {
                    format!("there is no filter `{word}`")
                }
                Role::Test if !self.has(&format!("none is {word}"), ErrorKind::UnknownTest) => {
                    format!("there is no test `{word}`")
                }
                Role::Name
                    if variables.contains(word) && !known.contains(&word) && !functions.contains(word) =>
                {
                    format!("nothing is called `{word}`; there are {}", known.join(", "))
                }
                _ => continue,
            };
            return Err((place, why));
        }
        Ok(())
    }

    /// Whether an expression fails with anything but this.
    fn has(&self, expression: &str, unknown: ErrorKind) -> bool {
        let tried = self.environment.compile_expression(expression).and_then(|found| found.eval(()));
        !tried.is_err_and(|error| error.kind() == unknown)
    }

    /// What an expression gives.
    ///
    /// # Errors
    /// A sentence that names its place in the expression.
    pub(super) fn value(&self, name: &str, variables: &Value, purse: &mut Purse) -> Result<Value, String> {
        let failed = |error: &Error| match Failure::from(error) {
            Failure::Undefined => self.missing(name, error.range(), variables),
            failure => self.sentence(name, error.range(), failure),
        };
        let template = self.environment.get_template(name).map_err(|error| failed(&error))?;
        if purse.fuel == 0 {
            return Err(self.sentence(name, None, Failure::OutOfFuel));
        }
        let done = template.render_captured(variables.clone()).map_err(|error| {
            // Nobody knows how far it came.
            purse.fuel = purse.fuel.saturating_sub(FUEL);
            failed(&error)
        })?;
        let state = done.state();
        let taken = state.fuel_levels().map_or(FUEL, |(taken, _)| taken).saturating_add(BEGIN_FUEL);
        let left = purse.fuel.checked_sub(taken);
        purse.fuel = left.unwrap_or(0);
        left.ok_or_else(|| self.sentence(name, None, Failure::OutOfFuel))?;
        let value = state.lookup(VALUE).unwrap_or_default();
        if value.is_undefined() {
            return Err(self.missing(name, None, variables));
        }
        Ok(value)
    }

    /// Says what is not there: what failed may be all around it.
    fn missing(&self, name: &str, range: Option<Range<usize>>, variables: &Value) -> String {
        let text = &*self.text(name);
        let is_missing = |path: &Range<usize>| {
            let found = self.environment.compile_expression(text.get(path.clone()).unwrap_or_default());
            match found.and_then(|found| found.eval(variables.clone())) {
                Ok(value) => value.is_undefined(),
                Err(error) => error.kind() == ErrorKind::UndefinedError,
            }
        };
        let within =
            range.clone().map_or(0..text.len(), |range| moved(range.start, text)..moved(range.end, text));
        // What failed may be the last step of a path, which begins before it.
        let near = |path: &Range<usize>| path.start < within.end && path.end > within.start;
        let path = paths(text).into_iter().find(|path| near(path) && is_missing(path));
        let found = path.map(|path| path.start + BEFORE.len()..path.end + BEFORE.len());
        self.sentence(name, found.or(range), Failure::Undefined)
    }

    /// An expression as it was written.
    fn text(&self, name: &str) -> String {
        let line = self.environment.get_template(name).map(|template| template.source().to_owned());
        let line = line.unwrap_or_default();
        line.strip_prefix(BEFORE).and_then(|text| text.strip_suffix(AFTER)).unwrap_or_default().to_owned()
    }

    /// What an expression gives, as JSON.
    ///
    /// # Errors
    /// As [`Engine::value`].
    pub(super) fn json(&self, name: &str, variables: &Value, purse: &mut Purse) -> Result<Json, String> {
        let value = self.value(name, variables, purse)?;
        plain(&value, purse, 0).map_err(|failure| match failure {
            Failure::Undefined => self.missing(name, None, variables),
            failure => self.sentence(name, None, failure),
        })
    }

    /// What is wrong with what an expression gives, with its place.
    fn sentence(&self, name: &str, range: Option<Range<usize>>, failure: Failure) -> String {
        let text = &*self.text(name);
        let piece = range.map_or(0..text.len(), |range| moved(range.start, text)..moved(range.end, text));
        let quoted = text.get(piece.clone()).unwrap_or_default();
        let quoted: String = quoted.chars().take(QUOTED_CHARS_MAX).collect();
        format!("the expression, at {} (`{quoted}`): {}", place(text, piece.start), failure.words())
    }
}

/// A place of the line that an expression stands in, as a place of the expression.
fn moved(at: usize, text: &str) -> usize {
    text.floor_char_boundary(at.saturating_sub(BEFORE.len()))
}

/// A place in an expression as people count it, from 1.
pub(super) fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    match before.matches('\n').count() {
        0 => format!("character {column}"),
        lines => format!("line {}, character {column}", lines + 1),
    }
}

/// JSON as expressions see it. It was parsed, so it is at most 128 levels deep.
pub(super) fn variable(value: Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => items.into_iter().map(variable).collect(),
        Json::Object(fields) => {
            Value::from_pairs(fields.into_iter().map(|(name, value)| (name, variable(value))))
        }
    }
}

/// A value of an expression as JSON. What is made on the way to it costs fuel; what is made here is taken from the purse: a list
/// may hold the same large thing a thousand times.
pub(super) fn plain(value: &Value, purse: &mut Purse, depth: usize) -> Result<Json, Failure> {
    if depth > DEPTH_MAX {
        return Err(Failure::TooDeep);
    }
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Failure::Undefined),
        ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => {
            purse.take(ITEM_BYTES)?;
            number(value)
        }
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            purse.take(text.len())?;
            Json::String(text.to_owned())
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter().map_err(|error| Failure::from(&error))? {
                purse.take(ITEM_BYTES)?;
                items.push(plain(&item, purse, depth + 1)?);
            }
            Json::Array(items)
        }
        ValueKind::Map => {
            let mut fields = Map::new();
            for key in value.try_iter().map_err(|error| Failure::from(&error))? {
                purse.take(ITEM_BYTES)?;
                let name = match plain(&key, purse, depth + 1)? {
                    Json::String(name) => name,
                    Json::Array(_) | Json::Object(_) | Json::Null => return Err(Failure::Unfit),
                    other => other.to_string(),
                };
                let held = value.get_item(&key).map_err(|error| Failure::from(&error))?;
                fields.insert(name, plain(&held, purse, depth + 1)?);
            }
            Json::Object(fields)
        }
        _ => return Err(Failure::Unfit),
    })
}

fn number(value: &Value) -> Json {
    let whole = || {
        let signed = value.as_i64().map(Number::from);
        signed.or_else(|| u64::try_from(value.clone()).ok().map(Number::from))
    };
    let found = if value.is_integer() { whole() } else { None };
    let float = || f64::try_from(value.clone()).ok().and_then(Number::from_f64);
    // Neither a whole number of 64 bits nor a float: it has no meaning in any field.
    found.or_else(float).map_or(Json::Null, Json::Number)
}

/// What a word of an expression stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Filter,
    Test,
    Name,
    Other,
}

struct Word {
    place: Range<usize>,
    role: Role,
}

/// The words of an expression outside of its texts, in order.
fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let (mut before, mut at) = (String::new(), 0);
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match c {
            '"' | '\'' => after_text(rest, c),
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let piece = rest.get(..length).unwrap_or_default();
        if c.is_alphabetic() || c == '_' {
            let role = match before.as_str() {
                "|" => Role::Filter,
                "is" | "is not" if piece != "not" => Role::Test,
                "." => Role::Other,
                _ => Role::Name,
            };
            found.push(Word { place: at..at + length, role });
        }
        if !piece.trim().is_empty() {
            before = if before == "is" && piece == "not" { "is not".into() } else { piece.to_owned() };
        }
        at += length.max(1);
    }
    found
}

/// Every variable of an expression with the names behind it: `body.device.name`.
fn paths(text: &str) -> Vec<Range<usize>> {
    let mut paths: Vec<Range<usize>> = Vec::new();
    for Word { place, role } in words(text) {
        match paths.last_mut() {
            Some(path) if role == Role::Other && path.end + 1 == place.start => path.end = place.end,
            _ if role == Role::Name => paths.push(place),
            _ => {}
        }
    }
    paths
}

/// How long a text in quotes is, with its quotes.
fn after_text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}
