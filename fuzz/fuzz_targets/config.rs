//! Texts that may be configurations. Files and variables that they name are not read.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use onscene::config::{self, Kinds, SecretsMode};
use onscene::house;

static KINDS: LazyLock<Kinds> = LazyLock::new(house::kinds);

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(errors) = config::parse(Path::new("onscene.toml"), text, &KINDS, SecretsMode::Skip) {
        assert!(!errors.to_string().is_empty(), "it is refused without a word");
    }
});
