//! The bytes of a letter: the same for every attempt, whoever builds them and when.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

use crate::channels::{Parcel, Thread, statement};
use crate::core::audience::Audience;
use crate::crypto;

/// Writes a letter down.
pub(super) fn of(
    parcel: &Parcel,
    from: &Mailbox,
    reply_to: Option<&Mailbox>,
    to: &Address,
) -> Result<Vec<u8>, String> {
    let domain = from.email.domain();
    let seconds = u64::try_from(parcel.created_at.as_second()).unwrap_or(0);
    let subject = match parcel.statement {
        Some(_) => statement::title(parcel),
        None => crate::core::alert::one_line(&parcel.subject),
    };
    let mut builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(format!("<{}@{domain}>", parcel.delivery)));
    if let Some(root) = root(parcel, domain) {
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
    ];
    // People outside learn neither the number of an incident nor what we call its state.
    let audience = parcel.statement.as_ref().map(|statement| statement.audience);
    if matches!(audience, None | Some(Audience::Internal)) {
        own.push(("X-Incident-Id", parcel.incident.to_string()));
        own.push(("X-Incident-State", parcel.incident_state.clone()));
    }
    match audience {
        None => {}
        Some(Audience::Internal) => own.push(("List-Id", format!("<internal-status.{domain}>"))),
        Some(_) => own.push(("List-Id", format!("<status.{domain}>"))),
    }
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
    let plain = part(ContentType::TEXT_PLAIN, &parcel.text);
    // Of a statement there are its words, and no others.
    let message = match parcel.html.is_empty() || parcel.statement.is_some() {
        true => builder.singlepart(plain),
        false => {
            let body = MultiPart::alternative().boundary(format!("onscene-{}", parcel.delivery));
            builder.multipart(body.singlepart(plain).singlepart(part(ContentType::TEXT_HTML, &parcel.html)))
        }
    };
    Ok(message.map_err(|error| format!("the mail cannot be written: {error}"))?.formatted())
}

/// A root that no mail ever had: clients make an empty parent, and pages, status and statements to each audience stay threads of
/// their own. What is of no incident is no thread either.
fn root(parcel: &Parcel, domain: &str) -> Option<String> {
    let thread = match parcel.thread {
        Thread::Pages => "pages",
        Thread::Status => "status",
    };
    let Some(statement) = &parcel.statement else {
        return (parcel.incident > 0).then(|| format!("<incident-{}-{thread}@{domain}>", parcel.incident));
    };
    // Made of what its readers are told, so that nobody learns the number of the incident, or how many there are.
    let told = [statement.audience.as_str(), &statement.began.to_string(), &statement.title];
    let told = crypto::hex(&crypto::sha256(told.join("\n").as_bytes())[..16]);
    Some(format!("<statements-{told}@{domain}>"))
}
