//! Judges a `Cluster` of CloudNativePG by what its operator understands: the structs and enums that a crate has
//! generated from the operator's own definitions, read as text. Unknown keys, wrong types, wrong words and missing keys
//! are faults; what an operator checks beyond its schema (numbers that fit each other) is not seen here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

struct Field {
    kind: String,
    may_be_missing: bool,
}

/// What there is to be known: structs with their keys, enums with their words.
pub struct Shapes {
    structs: BTreeMap<String, BTreeMap<String, Field>>,
    enums: BTreeMap<String, BTreeSet<String>>,
}

impl Shapes {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}; tests/validators fetches it", path.display()));
        let mut shapes = Self { structs: BTreeMap::new(), enums: BTreeMap::new() };
        let (mut of_struct, mut of_enum) = (None, None);
        let (mut renamed, mut default) = (None, false);
        for line in text.lines().map(str::trim) {
            if let Some(attribute) = line.strip_prefix("#[serde(") {
                default = attribute.contains("default");
                renamed = attribute
                    .split_once("rename = \"")
                    .and_then(|(_, rest)| rest.split_once('"'))
                    .map(|(name, _)| name.to_owned());
            } else if let Some(name) =
                line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {"))
            {
                shapes.structs.insert(name.to_owned(), BTreeMap::new());
                (of_struct, of_enum) = (Some(name), None);
            } else if let Some(name) = line.strip_prefix("pub enum ").and_then(|rest| rest.strip_suffix(" {"))
            {
                shapes.enums.insert(name.to_owned(), BTreeSet::new());
                (of_struct, of_enum) = (None, Some(name));
            } else if line == "}" {
                (of_struct, of_enum) = (None, None);
            } else if line.starts_with("//") || line.starts_with("#[") {
                continue;
            } else if let (Some(name), Some((key, kind))) =
                (of_struct, line.strip_prefix("pub ").and_then(|rest| rest.split_once(": ")))
            {
                let kind = kind.trim_end_matches(',').to_owned();
                let may_be_missing = kind.starts_with("Option<") || default;
                let key = renamed.take().unwrap_or_else(|| key.trim_start_matches("r#").to_owned());
                shapes
                    .structs
                    .entry(name.to_owned())
                    .or_default()
                    .insert(key, Field { kind, may_be_missing });
                default = false;
            } else if let (Some(name), Some(word)) = (of_enum, line.strip_suffix(',')) {
                let word = renamed.take().unwrap_or_else(|| word.to_owned());
                shapes.enums.entry(name.to_owned()).or_default().insert(word);
            }
        }
        assert!(shapes.structs.len() > 100 && shapes.enums.len() > 10, "it is written in another way now");
        shapes
    }

    /// What is wrong with a whole `Cluster`, in sentences.
    pub fn faults(&self, cluster: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        if cluster["apiVersion"] != "postgresql.cnpg.io/v1" || cluster["kind"] != "Cluster" {
            faults.push(format!("it is a {} of {}", cluster["kind"], cluster["apiVersion"]));
        }
        self.judge(&cluster["spec"], "ClusterSpec", "spec", &mut faults);
        faults
    }

    fn judge(&self, value: &Value, kind: &str, at: &str, faults: &mut Vec<String>) {
        let inside = |outer: &str| kind.strip_prefix(outer).and_then(|rest| rest.strip_suffix('>'));
        if let Some(kind) = inside("Option<") {
            self.judge(value, kind, at, faults);
        } else if let Some(kind) = inside("Vec<") {
            match value.as_array() {
                Some(items) => {
                    items.iter().for_each(|item| self.judge(item, kind, &format!("{at}[]"), faults))
                }
                None => faults.push(format!("{at} is no list")),
            }
        } else if let Some(kind) = inside("BTreeMap<String, ") {
            match value.as_object() {
                Some(map) => {
                    map.iter().for_each(|(key, item)| self.judge(item, kind, &format!("{at}.{key}"), faults));
                }
                None => faults.push(format!("{at} is no map")),
            }
        } else if let Some(keys) = self.structs.get(kind) {
            let Some(map) = value.as_object() else {
                faults.push(format!("{at} is no map"));
                return;
            };
            for (key, item) in map {
                match keys.get(key) {
                    Some(field) => self.judge(item, &field.kind, &format!("{at}.{key}"), faults),
                    None => faults.push(format!("{at}.{key} is unknown")),
                }
            }
            let missing = keys.iter().filter(|(key, field)| !field.may_be_missing && !map.contains_key(*key));
            faults.extend(missing.map(|(key, _)| format!("{at}.{key} is missing")));
        } else if let Some(words) = self.enums.get(kind) {
            if !value.as_str().is_some_and(|word| words.contains(word)) {
                faults.push(format!("{at} is {value}, not one of {words:?}"));
            }
        } else {
            let fits = match kind {
                "String" => value.is_string(),
                "bool" => value.is_boolean(),
                "i32" | "i64" => value.is_i64(),
                "IntOrString" => value.is_i64() || value.is_string(),
                _ => false,
            };
            if !fits {
                faults.push(format!("{at} is {value}, not {kind}"));
            }
        }
    }
}
