//! Reads tables of TOML key by key. What is asked for is what is known: a key nobody asked for is an
//! error with the nearest one that was.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::{Errors, nearest};
use super::{Places, SecretsMode, hide, secrets, words};

const TIMEOUT_MIN: Duration = Duration::from_secs(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// What reading shares.
pub(super) struct Reading {
    pub(super) errors: Errors,
    pub(super) warnings: Vec<String>,
    /// Where things stand of which something can be wrong that only shows at some hour.
    pub(super) places: Places,
    pub(super) mode: SecretsMode,
    pub(super) directory: std::path::PathBuf,
    /// Calendars that rotations follow, by the name of the rotation.
    pub(super) feeds: std::collections::BTreeMap<String, super::FeedConfig>,
}

impl Reading {
    /// Something is allowed and should be known.
    pub(super) fn warn(&mut self, span: &Range<usize>, what: impl std::fmt::Display) {
        let place = self.errors.place(span.start);
        self.warnings.push(format!("{}:{}: {what}", place.file.display(), place.line));
    }
}

/// One table that is being read.
pub(super) struct Table<'a> {
    table: &'a DeTable<'a>,
    /// Where it stands, for what is missing.
    pub(super) span: Range<usize>,
    name: String,
    asked: BTreeSet<String>,
}

impl<'a> Table<'a> {
    pub(super) fn new(name: &str, table: &'a DeTable<'a>, span: Range<usize>) -> Self {
        Self { table, span, name: name.into(), asked: BTreeSet::new() }
    }

    fn value(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.insert(key.into());
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn typed<T>(
        &mut self,
        reading: &mut Reading,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<At<T>> {
        let value = self.value(key)?;
        let span = value.span();
        let found = read(value.get_ref());
        if found.is_none() {
            let here = match value.get_ref() {
                DeValue::Array(_) if expected.starts_with("a list") => "something in it is none".to_owned(),
                other => format!("here it is a TOML {}", other.type_str()),
            };
            reading.errors.add(span.clone(), format!("`{key}` is {expected}, and {here}"));
        }
        Some(At { value: found?, span })
    }

    /// A text.
    pub(super) fn text(&mut self, reading: &mut Reading, key: &str) -> Option<At<String>> {
        self.typed(reading, key, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// A text that must be there.
    pub(super) fn needed(&mut self, reading: &mut Reading, key: &str) -> Option<At<String>> {
        let found = self.text(reading, key);
        if found.is_none() && !self.has(key) {
            reading.errors.add(self.span.clone(), format!("{} needs `{key}`", self.name));
        }
        found
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, reading: &mut Reading, key: &str) -> Option<Vec<At<String>>> {
        let found = self.typed(reading, key, "a list of texts, [\"...\"]", |value| {
            let each = |one: &Spanned<DeValue<'_>>| {
                one.get_ref().as_str().map(|text| At { value: text.to_owned(), span: one.span() })
            };
            value.as_array()?.iter().map(each).collect::<Option<Vec<_>>>()
        });
        found.map(|found| found.value)
    }

    /// A list of texts, each of which may be a list of several.
    pub(super) fn turns(&mut self, reading: &mut Reading, key: &str) -> Option<Vec<At<Vec<At<String>>>>> {
        let text = |one: &Spanned<DeValue<'_>>| {
            one.get_ref().as_str().map(|text| At { value: text.to_owned(), span: one.span() })
        };
        let found = self.typed(reading, key, "a list of texts, [\"...\", [\"...\", \"...\"]]", |value| {
            let each = |one: &Spanned<DeValue<'_>>| {
                let several = match one.get_ref().as_array() {
                    Some(several) => several.iter().map(text).collect::<Option<Vec<_>>>()?,
                    None => vec![text(one)?],
                };
                Some(At { value: several, span: one.span() })
            };
            value.as_array()?.iter().map(each).collect::<Option<Vec<_>>>()
        });
        found.map(|found| found.value)
    }

    /// A table of texts, in the order of the file.
    pub(super) fn pairs(&mut self, reading: &mut Reading, key: &str) -> Option<Vec<(String, At<String>)>> {
        let found = self.typed(reading, key, "a table of texts, { name = \"value\" }", |value| {
            let each = |(name, one): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                let text = one.get_ref().as_str()?.to_owned();
                Some((name.get_ref().to_string(), At { value: text, span: one.span() }))
            };
            value.as_table()?.iter().map(each).collect::<Option<Vec<_>>>()
        });
        found.map(|found| found.value)
    }

    pub(super) fn boolean(&mut self, reading: &mut Reading, key: &str) -> Option<bool> {
        self.typed(reading, key, "true or false", DeValue::as_bool).map(|found| found.value)
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, reading: &mut Reading, key: &str, bounds: Range<u64>) -> Option<u64> {
        let found = self.typed(reading, key, "a whole number", |value| {
            let integer = value.as_integer()?;
            i128::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
        })?;
        match u64::try_from(found.value) {
            Ok(number) if bounds.contains(&number) => Some(number),
            _ => {
                let (least, most) = (bounds.start, bounds.end.saturating_sub(1));
                reading.errors.add(found.span, format!("`{key}` lies between {least} and {most}"));
                None
            }
        }
    }

    /// A size such as `1 MiB`, or a whole number of bytes, within bounds.
    pub(super) fn size(&mut self, reading: &mut Reading, key: &str, bounds: Range<usize>) -> Option<usize> {
        let found = self.typed(reading, key, "a size such as \"1 MiB\"", |value| match value {
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
            _ => value.as_str().map(str::to_owned),
        })?;
        let size = words::size(&found.value).and_then(|size| {
            let (least, most) = (bounds.start, bounds.end.saturating_sub(1));
            let words = || format!("it lies between {} and {}", words::bytes(least), words::bytes(most));
            if bounds.contains(&size) { Ok(size) } else { Err(words()) }
        });
        size.map_err(|why| reading.errors.add(found.span, format!("`{key}`: {why}"))).ok()
    }

    /// A length of time such as `5m`.
    pub(super) fn duration(&mut self, reading: &mut Reading, key: &str) -> Option<At<SignedDuration>> {
        let found = self.text(reading, key)?;
        match words::duration(&found.value) {
            Ok(value) => Some(At { value, span: found.span }),
            Err(why) => {
                reading.errors.add(found.span, format!("`{key}`: {why}"));
                None
            }
        }
    }

    /// A length of time for a machine: not so short that nobody comes through, not so long that nobody is let go.
    pub(super) fn timeout(&mut self, reading: &mut Reading, key: &str) -> Option<Duration> {
        let found = self.duration(reading, key)?;
        match Duration::try_from(found.value) {
            Ok(value) if (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&value) => Some(value),
            _ => {
                reading.errors.add(found.span, format!("`{key}` lies between 1s and 10m"));
                None
            }
        }
    }

    /// A secret: `KEY_file`, `KEY_env`, or `KEY` itself. Within, `None` when secrets are not read.
    pub(super) fn secret(&mut self, reading: &mut Reading, key: &str) -> Option<At<Option<SecretString>>> {
        let found = self.secret_text(reading, key)?;
        Some(At { value: found.value.map(|(text, _)| text.into()), span: found.span })
    }

    /// The same, where a file may hold several secrets, one a line.
    pub(super) fn secrets(&mut self, reading: &mut Reading, key: &str) -> Option<At<Vec<SecretString>>> {
        let found = self.secret_text(reading, key)?;
        let value: Vec<SecretString> = match found.value {
            None => Vec::new(),
            Some((text, false)) => vec![text.into()],
            Some((text, true)) => {
                let several = secrets::lines(&text);
                if several.is_empty() {
                    let what = format!(
                        "the file of `{key}_file` holds nothing but comments; it should hold a secret"
                    );
                    reading.errors.add(found.span, what);
                    return None;
                }
                several
            }
        };
        Some(At { value, span: found.span })
    }

    /// The text of a secret, and whether it is a file's.
    fn secret_text(&mut self, reading: &mut Reading, key: &str) -> Option<At<Option<(String, bool)>>> {
        let file = self.text(reading, &format!("{key}_file"));
        let env = self.text(reading, &format!("{key}_env"));
        let inline = self.text(reading, key);
        let spans: Vec<_> =
            [&file, &env, &inline].into_iter().flatten().map(|found| found.span.clone()).collect();
        let span = spans.first()?.clone();
        if spans.len() > 1 {
            reading
                .errors
                .add(span.clone(), format!("give one of `{key}_file`, `{key}_env` and `{key}`, not several"));
            return None;
        }
        let skip = reading.mode != SecretsMode::Read;
        let read = match (file, env, inline) {
            (.., Some(inline)) if inline.value.trim().is_empty() => {
                Err(format!("`{key}` is blank; it should hold a secret"))
            }
            (.., Some(inline)) => Ok(Some((inline.value, false))),
            _ if skip => Ok(None),
            (Some(file), ..) => read_file(reading, &file).map(|text| Some((text, true))),
            (_, Some(env), _) => secrets::read_variable(&env.value).map(|text| Some((text, false))),
            _ => Ok(None),
        };
        read.map_err(|why| reading.errors.add(span.clone(), why)).ok().map(|value| At { value, span })
    }

    /// Whether a key is there, and then whether it holds a list.
    pub(super) fn list(&mut self, key: &str) -> Option<bool> {
        self.value(key).map(|value| value.get_ref().is_array())
    }

    /// Where a value stands; the table's own place when it is not there.
    pub(super) fn place(&self, key: &str) -> Range<usize> {
        let found = self.table.iter().find(|(name, _)| name.get_ref() == key);
        found.map_or_else(|| self.span.clone(), |(_, value)| value.span())
    }

    /// Whether a key is there at all, be it right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// A table inside this one.
    pub(super) fn table(&mut self, reading: &mut Reading, key: &str) -> Option<Table<'a>> {
        let found = self.typed(reading, key, "a table, [...]", DeValue::as_table)?;
        Some(Table::new(&format!("[{key}]"), found.value, found.span))
    }

    /// A list of tables inside this one.
    pub(super) fn tables(&mut self, reading: &mut Reading, key: &str) -> Vec<Table<'a>> {
        let found = self.typed(reading, key, "a list of tables, [[...]]", |value| {
            let each =
                |one: &'a Spanned<DeValue<'a>>| one.get_ref().as_table().map(|table| (table, one.span()));
            value.as_array()?.iter().map(each).collect::<Option<Vec<_>>>()
        });
        let found = found.map(|found| found.value).unwrap_or_default();
        found.into_iter().map(|(table, span)| Table::new(&format!("[[{key}]]"), table, span)).collect()
    }

    /// Keys that a later version knows.
    pub(super) fn later(&mut self, reading: &mut Reading, keys: &[&str]) {
        for key in keys {
            if let Some(value) = self.value(key) {
                reading.errors.add(value.span(), format!("`{key}` is not supported by this version yet"));
            }
        }
    }

    /// Complains about keys that nobody asked for.
    pub(super) fn end(self, reading: &mut Reading) {
        for (key, value) in self.table {
            let name = key.get_ref();
            if !self.asked.contains(name.as_ref()) {
                // It may be the misspelt key of a secret.
                hide::everything(&mut reading.errors, value);
                let near = nearest(name, self.asked.iter().map(String::as_str));
                reading.errors.add(key.span(), format!("{} has no key `{name}`{near}", self.name));
            }
        }
    }
}

fn read_file(reading: &mut Reading, file: &At<String>) -> Result<String, String> {
    let (text, warning) = secrets::read_file(&file.value, &reading.directory)?;
    if let Some(warning) = warning {
        reading.warn(&file.span, warning);
    }
    Ok(text)
}
