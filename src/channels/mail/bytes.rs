//! The bytes of a letter: the same for every attempt, whoever builds them and when.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

use crate::channels::{Parcel, Thread};

/// Writes a letter down.
pub(super) fn of(
    parcel: &Parcel,
    from: &Mailbox,
    reply_to: Option<&Mailbox>,
    to: &Address,
) -> Result<Vec<u8>, String> {
    let domain = from.email.domain();
    let thread = match parcel.thread {
        Thread::Pages => "pages",
        Thread::Status => "status",
    };
    // A root that no mail ever had: clients make an empty parent, and pages and status stay two threads.
    let root = format!("<incident-{}-{thread}@{domain}>", parcel.incident);
    let seconds = u64::try_from(parcel.created_at.as_second()).unwrap_or(0);
    let mut builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(crate::core::alert::one_line(&parcel.subject))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(format!("<{}@{domain}>", parcel.delivery)));
    // What is of no incident is no thread either.
    if parcel.incident > 0 {
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    // Nobody answers a status update.
    if let Some(reply_to) = reply_to.filter(|_| parcel.thread == Thread::Pages) {
        builder = builder.reply_to(reply_to.clone());
    }
    let mut own = vec![
        ("Auto-Submitted", "auto-generated".to_owned()),
        // Not `All`: that would swallow the bounces a pager needs (MS-OXCMAIL 2.1.3.2.20).
        ("X-Auto-Response-Suppress", "OOF, AutoReply, RN, NRN".to_owned()),
        ("X-Incident-Id", parcel.incident.to_string()),
        ("X-Incident-State", parcel.incident_state.clone()),
    ];
    if parcel.page_attempt > 0 {
        own.push(("X-Page-Attempt", parcel.page_attempt.to_string()));
        own.push(("Importance", "high".to_owned()));
        own.push(("X-Priority", "1".to_owned()));
    }
    for (name, value) in own {
        builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
    }
    // Quoted-printable keeps the link readable in the source and long lines within the limit.
    let part = |kind: ContentType, text: &str| {
        SinglePart::builder()
            .header(kind)
            .header(ContentTransferEncoding::QuotedPrintable)
            .body(text.replace("\r\n", "\n"))
    };
    let body = MultiPart::alternative()
        .boundary(format!("onscene-{}", parcel.delivery))
        .singlepart(part(ContentType::TEXT_PLAIN, &parcel.text))
        .singlepart(part(ContentType::TEXT_HTML, &parcel.html));
    let message = builder.multipart(body).map_err(|error| format!("the mail cannot be written: {error}"))?;
    Ok(message.formatted())
}
