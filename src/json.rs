//! JSON that others wrote, read into values within bounds.
//!
//! `serde_json` reads values, too, but an object whose first name is a certain word of its own is for it a text with more JSON
//! in it, which it reads anew with a new count of levels: a body of a few kilobytes then nests without end, and the stack of
//! the process with it. That door is there wherever the feature `raw_value` is, and a dependency turns it on. So values are
//! made here, where names are names. Levels are counted by `serde_json`, and what the values take of memory is counted here.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

/// Most values read of one text, where an object counts for [`OBJECT_VALUES`]. A value takes some 40 bytes, so this is 40 MB,
/// which a text of 1 MiB with nothing but empty objects in it would exceed many times. The largest honest body is 10,000 alerts
/// (`EVENTS_MAX`), each of three objects with thirty values in them together: 780,000.
const VALUES_MAX: usize = 1_000_000;
/// An object that is not empty takes the room of so many values at once.
const OBJECT_VALUES: usize = 16;

/// Why a text is not read. No sentence quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Too many levels.
    #[error("is nested more than 128 levels deep")]
    Deep,
    /// Too many values.
    #[error(
        "holds more values than are read of one text ({VALUES_MAX}, where an object counts for {OBJECT_VALUES})"
    )]
    Large,
    /// It was cut off.
    #[error("ends too early at line {line}, column {column}")]
    Short {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// It is no JSON.
    #[error("is not well-formed JSON at line {line}, column {column}")]
    Broken {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            // Only what is counted here is an error of that kind: every shape is taken.
            Category::Data => Self::Large,
            Category::Eof => Self::Short { line, column },
            _ if error.to_string().starts_with("recursion limit") => Self::Deep,
            _ => Self::Broken { line, column },
        }
    }
}

/// Reads a text. Of a name that comes twice in an object the last one counts.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &[u8]) -> Result<Value, Fault> {
    let room = Cell::new(VALUES_MAX);
    whole(text, Any(&room))
}

/// Reads only these fields of an object, for whoever does not know yet whether a text is worth more: everything else is passed
/// over, and lists and objects among them come empty. A text that is no object has no fields.
///
/// # Errors
/// What is wrong with it. Levels are not counted in what is passed over, which takes no room on the stack.
pub fn named(text: &[u8], names: &'static [&'static str]) -> Result<BTreeMap<&'static str, Value>, Fault> {
    whole(text, Named(names))
}

fn whole<'a, T>(text: &'a [u8], seed: impl DeserializeSeed<'a, Value = T>) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Any value, as long as there is room.
#[derive(Clone, Copy)]
struct Any<'r>(&'r Cell<usize>);

impl Any<'_> {
    fn takes<E: de::Error>(self, values: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(values).ok_or_else(|| E::custom("no room"))?;
        self.0.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.takes(1)?;
        from.deserialize_any(self)
    }
}

/// The values that hold no others.
macro_rules! scalars {
    () => {
        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("JSON")
        }

        fn visit_unit<E>(self) -> Result<Value, E> {
            Ok(Value::Null)
        }

        fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
            Ok(truth.into())
        }

        fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
            Ok(number.into())
        }

        fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
            Ok(number.into())
        }

        fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
            Ok(number.into())
        }

        fn visit_str<E>(self, text: &str) -> Result<Value, E> {
            Ok(text.into())
        }

        fn visit_string<E>(self, text: String) -> Result<Value, E> {
            Ok(text.into())
        }
    };
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            if fields.is_empty() {
                self.takes(OBJECT_VALUES)?;
            }
            fields.insert(name, from.next_value_seed(self)?);
        }
        Ok(Value::Object(fields))
    }
}

/// Some fields of an object.
struct Named(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Named {
    type Value = BTreeMap<&'static str, Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Named {
    type Value = BTreeMap<&'static str, Value>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut found = BTreeMap::new();
        while let Some(name) = from.next_key_seed(OneOf(self.0))? {
            match name {
                Some(name) => {
                    found.insert(name, from.next_value_seed(Shallow)?);
                }
                None => {
                    from.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        while from.next_element::<IgnoredAny>()?.is_some() {}
        Ok(BTreeMap::new())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }
}

/// A name that is looked for, or none.
struct OneOf(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for OneOf {
    type Value = Option<&'static str>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|known| **known == name).copied())
    }
}

/// A value without what is in it.
struct Shallow;

impl<'de> DeserializeSeed<'de> for Shallow {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shallow {
    type Value = Value;

    scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        while from.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(Vec::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        while from.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(Map::new()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// The name by which `serde_json` knows its own texts, plainly and with an escape.
    pub(crate) const DOORS: &[&str] =
        &["$serde_json::private::RawValue", "\\u0024serde_json::private::RawValue"];

    /// Lists in a text in an object in lists, and so on: shallow for who counts the levels of each text alone.
    pub(crate) fn behind(door: &str, texts: usize) -> String {
        let escaped = |text: &str| text.replace('\\', "\\u005c").replace('"', "\\u0022");
        (0..texts).fold("0".to_owned(), |inner, _| {
            let lists = "[".repeat(120) + &inner + &"]".repeat(120);
            format!("{{\"{door}\":\"{}\"}}", escaped(&lists))
        })
    }

    #[test]
    fn an_object_is_an_object_whatever_its_first_name_is() {
        for door in DOORS {
            let body = behind(door, 20);
            let read = read(body.as_bytes()).unwrap();
            assert!(read["$serde_json::private::RawValue"].as_str().unwrap().starts_with("[[["));
        }
        let number = r#"{"$serde_json::private::Number": "7"}"#;
        assert_eq!(read(number.as_bytes()), Ok(json!({"$serde_json::private::Number": "7"})));
    }

    #[test]
    fn everything_else_is_read_as_serde_json_reads_it() {
        for text in [
            r#"{"a": [1, -2, 3.5, 1e300, 18446744073709551615, true, null, "\ud83d\ude00\u00e9"], "b": {"c": {}}}"#,
            r#"{"a": 1, "b": 2, "a": 3}"#,
            "[]",
            " 7 ",
            "\"t\"",
            "-0.0",
        ] {
            assert_eq!(read(text.as_bytes()), Ok(serde_json::from_str(text).unwrap()), "{text}");
        }
        for text in ["", "{", "[1,]", "{\"a\" 1}", "nul", "1 2", "\"\\ud800\"", "1e999", "{\"a\": 1e999}"] {
            assert!(serde_json::from_str::<Value>(text).is_err() && read(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(read(b"\n}"), Err(Fault::Broken { line: 2, column: 1 }));
    }

    #[test]
    fn levels_and_values_are_counted() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(read(deep(127).as_bytes()).is_ok());
        assert_eq!(read(deep(1000).as_bytes()), Err(Fault::Deep));
        let objects = |count: usize| format!("[{}]", vec!["{\"\":0}"; count].join(","));
        assert!(read(objects(50_000).as_bytes()).is_ok());
        assert_eq!(read(objects(60_000).as_bytes()), Err(Fault::Large));
        let values = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(read(values(VALUES_MAX - 1).as_bytes()).is_ok());
        assert_eq!(read(values(VALUES_MAX).as_bytes()), Err(Fault::Large));
    }

    #[test]
    fn fields_are_found_without_what_stands_beside_them() {
        let names = &["a", "b", "c", "d", "e"];
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let text = format!(
            "{{\"x\": {deep}, \"a\": 1, \"b\": {{\"a\": 7}}, \"a\": \"t\", \"c\": [1], \"\\u0064\": null}}"
        );
        let found = named(text.as_bytes(), names).unwrap();
        let expected = [("a", json!("t")), ("b", json!({})), ("c", json!([])), ("d", json!(null))];
        assert_eq!(found, expected.into());
        for none in ["[1, {\"a\": 1}]", "7", "-7", "7.5", "\"a\"", "null", "true"] {
            assert_eq!(named(none.as_bytes(), names), Ok(BTreeMap::new()), "{none}");
        }
        for broken in ["", "{", "{\"a\": }", "{\"x\": [}", "{} {}"] {
            assert!(named(broken.as_bytes(), names).is_err(), "{broken}");
        }
    }
}
