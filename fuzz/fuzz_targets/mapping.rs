//! Expressions of an operator, and a body for them: the lines `FIELD: EXPRESSION`, an empty line, and the body.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use onscene::sources::mapping::Mapping;
use onscene::sources::{Options, generic};
use onscene_fuzz::read;

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = at.map_or((bytes, &b"{}"[..]), |at| (&bytes[..at], &bytes[at + 2..]));
    let Ok(head) = std::str::from_utf8(head) else { return };
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let texts: BTreeMap<String, String> =
        fields.map(|(field, text)| (field.to_owned(), text.to_owned())).collect();
    match Mapping::new(&texts, &[]) {
        Ok(mapping) => {
            let options = Options { mapping: Some(mapping.into()), ..Options::default() };
            read(&generic::KIND, body, &options);
        }
        Err(faults) => {
            for fault in faults {
                let text = &texts[&fault.field];
                assert!(text.get(fault.piece.clone()).is_some(), "{fault:?} is no piece of it");
            }
        }
    }
});
