//! The bytes of a letter: the same for every attempt, whoever builds them and when.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

use crate::channels::{Parcel, Thread, statement};
use crate::core::audience::Audience;
use crate::crypto;

/// How letters of one sort are written.
pub(super) struct Manner<'a> {
    /// Where answers go, if not to the sender.
    pub(super) reply_to: Option<&'a Mailbox>,
    /// Of a list: the name that it is known by, or an empty one, for that of its audience.
    pub(super) list: Option<&'a str>,
}

/// Writes a letter down.
pub(super) fn of(
    parcel: &Parcel,
    from: &Mailbox,
    manner: &Manner<'_>,
    to: &Address,
) -> Result<Vec<u8>, String> {
    let domain = from.email.domain();
    let audience = parcel.statement.as_ref().map(|said| said.audience);
    // Whoever reads it is told nothing but its words: no number, and no state.
    let is_outside =
        audience.is_some_and(|audience| audience != Audience::Internal) || is_for_strangers(parcel);
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
    // Nobody answers a status update; what is asked about a statement is for the PIO.
    if let Some(reply_to) =
        manner.reply_to.filter(|_| parcel.thread == Thread::Pages || manner.list.is_some())
    {
        builder = builder.reply_to(reply_to.clone());
    }
    let mut own = vec![
        ("Auto-Submitted", "auto-generated".to_owned()),
        // Not `All`: that would swallow the bounces a pager needs (MS-OXCMAIL 2.1.3.2.20).
        ("X-Auto-Response-Suppress", "OOF, AutoReply, RN, NRN".to_owned()),
    ];
    if !is_outside {
        own.push(("X-Incident-Id", parcel.incident.to_string()));
        own.push(("X-Incident-State", parcel.incident_state.clone()));
    }
    if let Some(list) = manner.list {
        let audience = if is_for_strangers(parcel) { Some(Audience::Public) } else { audience };
        let of_audience = audience.unwrap_or(Audience::Internal).as_str();
        let list = if list.is_empty() { format!("{of_audience}.status.{domain}") } else { list.to_owned() };
        own.push(("List-Id", format!("<{list}>")));
        if let Some(end) = parcel.data.get("unsubscribe").and_then(|end| end.as_str()) {
            // RFC 8058: a mail program may follow it by itself.
            own.push(("List-Unsubscribe", format!("<{end}>")));
            own.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
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

/// Whether it is one of the letters by which somebody subscribes.
fn is_for_strangers(parcel: &Parcel) -> bool {
    parcel.event_type == crate::channels::SUBSCRIPTION
}
