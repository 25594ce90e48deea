//! Bodies at the adapters. The first byte picks the kind, unless `ONSCENE_FUZZ_KIND` names it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onscene::sources::{Kind, Options};
use onscene_fuzz::{numbered, only, read};
use std::sync::LazyLock;

static ONLY: LazyLock<Option<&'static Kind>> = LazyLock::new(only);

fuzz_target!(|bytes: &[u8]| {
    match (*ONLY, bytes.split_first()) {
        (Some(kind), _) => read(kind, bytes, &Options::default()),
        (None, Some((first, body))) => read(numbered(*first), body, &Options::default()),
        (None, None) => {}
    }
});
