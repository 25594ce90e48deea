//! Messages: which are answers, reports and alerts, and what they say.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use onscene::core::alert::BODY_BYTES_MAX;
use onscene::sources::{Delivery, Options, mail};

/// Most letters that one message is taken to name.
const NAMES_MAX: usize = 16;

fuzz_target!(|bytes: &[u8]| {
    let options = Options::default();
    let received_at = Timestamp::from_second(1_767_330_000).unwrap();
    let delivery = Delivery {
        method: "POST",
        query: "",
        content_type: Some("message/rfc822"),
        headers: &[],
        body: bytes,
        received_at,
        options: &options,
    };
    match mail::open(&delivery) {
        Err(unreadable) => assert!(!unreadable.0.is_empty()),
        Ok(mail) => {
            assert!(mail.names.len() <= NAMES_MAX);
            if let Some(alert) = &mail.alert {
                assert!(alert.body.len() <= BODY_BYTES_MAX);
                assert_eq!(alert.clone().bounded().as_ref(), Ok(alert));
            }
        }
    }
});
