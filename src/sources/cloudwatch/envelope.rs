//! What Amazon SNS wraps around a message, and what of it is signed.
//!
//! Origin: awsdocs/amazon-sns-developer-guide `sns-verify-signature-of-message`, `sns-message-and-json-formats`. The lines
//! that are signed are made of the texts as they are after JSON is decoded.

use std::collections::BTreeMap;

use http::Uri;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::crypto::certificate::Hash;
use crate::crypto::from_base64;
use crate::json;
use crate::sources::{Unreadable, wire};

/// What an envelope is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// It holds what was published.
    Notification,
    /// A subscription waits to be confirmed.
    Subscription,
    /// A subscription was ended.
    Unsubscription,
}

impl Type {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "Notification" => Self::Notification,
            "SubscriptionConfirmation" => Self::Subscription,
            "UnsubscribeConfirmation" => Self::Unsubscription,
            _ => return None,
        })
    }

    /// The fields that are signed, in their order.
    fn signed(self) -> &'static [&'static str] {
        match self {
            Self::Notification => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
            Self::Subscription | Self::Unsubscription => {
                &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
            }
        }
    }
}

/// A message of SNS with what stands around it. Nothing in it is proven.
#[derive(Debug)]
pub struct Envelope {
    /// What it is for.
    pub of: Type,
    /// The topic it says that it is of.
    pub topic: String,
    fields: BTreeMap<&'static str, Value>,
}

/// Why a message has no signature that could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// Amazon signs nothing like it.
    Never,
    /// It is signed in a way that this version does not know.
    Unknown,
}

/// Longest id of a message, in bytes. It is a UUID.
const ID_BYTES_MAX: usize = 100;
/// Longest name of a certificate, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 200;

/// All that is read of a message: it comes from anybody, and what else is in it is passed over.
const READ: &[&str] = &[
    "Type",
    "MessageId",
    "TopicArn",
    "Subject",
    "Message",
    "Timestamp",
    "Token",
    "SubscribeURL",
    "SignatureVersion",
    "Signature",
    "SigningCertURL",
];

impl Envelope {
    /// Reads a body; `None` when it is JSON, or a text, without the envelope of SNS around it.
    ///
    /// # Errors
    /// When it is no text, or broken JSON, or an envelope without a topic.
    pub fn read(body: &[u8]) -> Result<Option<Self>, Unreadable> {
        let text = wire::utf8(body)?;
        if !text.starts_with('{') {
            return Ok(None);
        }
        let fields = json::named(text.as_bytes(), READ);
        let fields = fields.map_err(|fault| wire::unreadable(format!("the body {fault}")))?;
        let Some(of) = fields.get("Type").and_then(Value::as_str).and_then(Type::of) else {
            return Ok(None);
        };
        let topic = fields.get("TopicArn").and_then(Value::as_str).map(str::to_owned);
        let topic = topic.ok_or_else(|| wire::unreadable("there is no `TopicArn` in the message of SNS"))?;
        Ok(Some(Self { of, topic, fields }))
    }

    /// A field that is a text, as it was signed.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    /// When SNS says that it was published.
    pub fn published_at(&self) -> Option<Timestamp> {
        self.text("Timestamp").and_then(wire::moment)
    }

    /// What is signed, by which hash, and the signature.
    ///
    /// # Errors
    /// Why nobody can have signed this, or why this version cannot say.
    pub fn signed(&self) -> Result<(Vec<u8>, Hash, Vec<u8>), Unsigned> {
        let hash = match self.text("SignatureVersion").ok_or(Unsigned::Never)? {
            "1" => Hash::Sha1,
            "2" => Hash::Sha256,
            _ => return Err(Unsigned::Unknown),
        };
        let mut lines = String::new();
        for name in self.of.signed() {
            match self.text(name) {
                Some(value) if self.may_hold(name, value) => lines.extend([name, "\n", value, "\n"]),
                // Only a subject may be missing, and then its line is, too.
                None if *name == "Subject" && self.fields.get(*name).is_none_or(Value::is_null) => {}
                _ => return Err(Unsigned::Never),
            }
        }
        let signature = self.text("Signature").and_then(from_base64).ok_or(Unsigned::Never)?;
        Ok((lines.into_bytes(), hash, signature))
    }

    /// Whether a field may hold this. What is signed are names and values on lines, so that the same lines could be cut into
    /// other fields, if any but the message itself could hold a new line.
    fn may_hold(&self, name: &str, value: &str) -> bool {
        match name {
            "Message" => true,
            "MessageId" => {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                (1..=ID_BYTES_MAX).contains(&value.len()) && value.bytes().all(is_plain)
            }
            _ => !value.contains(char::is_control),
        }
    }

    /// The message with nothing in it that is not signed: anybody may add to one that he has overheard.
    pub fn without_the_rest(&self) -> Vec<u8> {
        let signed = self.of.signed().iter().filter_map(|name| Some((*name, self.text(name)?)));
        let fields: Map<String, Value> =
            signed.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        Value::Object(fields).to_string().into_bytes()
    }

    /// Where the certificate is that signed it, if that is a place of Amazon's for this topic.
    pub fn certificate(&self) -> Option<Uri> {
        let path = self.path_of("SigningCertURL")?;
        let name = path.strip_suffix(".pem").filter(|name| !name.is_empty())?;
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (is_plain && path.len() <= CERTIFICATE_BYTES_MAX)
            .then(|| self.text("SigningCertURL")?.parse().ok())?
    }

    /// What to fetch to confirm a subscription, if that is a place of Amazon's for this topic.
    pub fn confirmation(&self) -> Option<Uri> {
        let path = self.path_of("SubscribeURL").filter(|_| self.of == Type::Subscription)?;
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        (is_plain && path.starts_with("?Action=ConfirmSubscription&"))
            .then(|| self.text("SubscribeURL")?.parse().ok())?
    }

    /// What follows the one host that an address of this topic may have. Compared letter by letter, so that there is
    /// no second opinion on where a host ends.
    fn path_of(&self, name: &str) -> Option<&str> {
        let host = host(&self.topic)?;
        self.text(name)?.strip_prefix("https://")?.strip_prefix(host.as_str())?.strip_prefix('/')
    }
}

/// The host of SNS where a topic lives; `None` when this is no topic.
pub fn host(topic: &str) -> Option<String> {
    let parts = parts(topic)?;
    let tail = if parts.partition == "aws-cn" { ".cn" } else { "" };
    Some(format!("sns.{}.amazonaws.com{tail}", parts.region))
}

/// The names that a signing certificate of SNS may have: one for most regions, others where AWS has to be let in first,
/// and in partitions of their own (`CertificateUrlResolver` of AWS's library for Java has the list).
pub fn names(topic: &str) -> Vec<String> {
    let Some((host, parts)) = host(topic).zip(parts(topic)) else { return Vec::new() };
    let tail = if parts.partition == "aws-cn" { ".cn" } else { "" };
    let region = parts.region;
    let mut names = vec![
        format!("sns.amazonaws.com{tail}"),
        format!("sns-signing.{region}.amazonaws.com{tail}"),
        format!("sns-{region}.amazonaws.com{tail}"),
        host,
    ];
    if region.starts_with("us-gov-") {
        names.push("sns-us-gov-west-1.amazonaws.com".into());
    }
    names
}

/// Parts of AWS that have nothing to do with each other, of which it is known how their hosts are called.
const PARTITIONS: &[&str] = &["aws", "aws-cn", "aws-us-gov"];

/// What an ARN of a topic says.
pub(super) struct Parts<'a> {
    partition: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
}

/// Takes an ARN of a topic apart.
pub(super) fn parts(topic: &str) -> Option<Parts<'_>> {
    let mut parts = topic.split(':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_region = !region.is_empty()
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_topic =
        arn == "arn" && PARTITIONS.contains(&partition) && service == "sns" && parts.next().is_none();
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_topic && is_region && is_account && is_name).then_some(Parts { partition, region, account })
}

/// Whether this names a topic.
///
/// # Errors
/// A sentence for the operator.
pub fn check_topic(topic: &str) -> Result<(), String> {
    if parts(topic).is_some() {
        return Ok(());
    }
    let partition = topic.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
    Err(match partition {
        Some(other) if other.starts_with("aws") && !PARTITIONS.contains(&other) => format!(
            "topics of another partition of AWS than {} cannot be proven: nobody knows here which host has their \
             certificates. Leave `topics` out and set `token_file`",
            PARTITIONS.join(", ")
        ),
        _ => "this is no topic of SNS; write arn:aws:sns:REGION:ACCOUNT:NAME".into(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-north-1:111122223333:pager";

    fn envelope(of: &str, name: &str, url: &str) -> Envelope {
        let body = json!({"Type": of, "TopicArn": TOPIC, name: url});
        Envelope::read(body.to_string().as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_certificate_is_fetched_from_one_host_and_no_other() {
        let of = |url: &str| envelope("Notification", "SigningCertURL", url).certificate();
        let good = "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-0a1b.pem";
        assert_eq!(of(good).unwrap().host(), Some("sns.eu-north-1.amazonaws.com"));
        for bad in [
            "http://sns.eu-north-1.amazonaws.com/a.pem",
            "https://sns.eu-north-1.amazonaws.com.evil.net/a.pem",
            "https://sns.eu-north-1.amazonaws.com:443/a.pem",
            "https://sns.eu-north-1.amazonaws.com:8443/a.pem",
            "https://sns.eu-north-1.amazonaws.com@evil.net/a.pem",
            "https://sns.eu-north-1.amazonaws.com\\@evil.net/a.pem",
            "https://kim@sns.eu-north-1.amazonaws.com/a.pem",
            "https://sns.eu-north-1.amazonaws.com.cn/a.pem",
            "https://sns.eu-west-1.amazonaws.com/a.pem",
            "https://sns.amazonaws.com/a.pem",
            "https://SNS.eu-north-1.amazonaws.com/a.pem",
            "HTTPS://sns.eu-north-1.amazonaws.com/a.pem",
            "https://sns.eu-north-1.amazonaws\u{3002}com/a.pem",
            "https://sns.eu-north-1.amazonaws.com./a.pem",
            "https://evilsns.eu-north-1.amazonaws.com/a.pem",
            "https://s3.amazonaws.com/sns.eu-north-1.amazonaws.com/a.pem",
            "https://sns.eu-north-1.amazonaws.com/a.pem?x=.pem",
            "https://sns.eu-north-1.amazonaws.com/?a.pem",
            "https://sns.eu-north-1.amazonaws.com/a%2epem",
            "https://sns.eu-north-1.amazonaws.com/a.pem#.pem",
            "https://sns.eu-north-1.amazonaws.com/a.crt",
            "https://sns.eu-north-1.amazonaws.com/a/b.pem",
            "https://sns.eu-north-1.amazonaws.com/../a.pem",
            "https://sns.eu-north-1.amazonaws.com/a.b.pem",
            "https://sns.eu-north-1.amazonaws.com/.pem",
            "https://sns.eu-north-1.amazonaws.com//a.pem",
            "https://sns.eu-north-1.amazonaws.com",
            "//sns.eu-north-1.amazonaws.com/a.pem",
            " https://sns.eu-north-1.amazonaws.com/a.pem",
            "https://127.0.0.1/a.pem",
            "file:///etc/passwd.pem",
            "",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
        let named =
            |bytes: usize| of(&format!("https://sns.eu-north-1.amazonaws.com/{}.pem", "a".repeat(bytes - 4)));
        assert!(named(CERTIFICATE_BYTES_MAX).is_some() && named(CERTIFICATE_BYTES_MAX + 1).is_none());
    }

    #[test]
    fn a_subscription_is_confirmed_at_one_host_and_an_end_of_one_never() {
        let good = "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=a&Token=b";
        let of = |of: &str, url: &str| envelope(of, "SubscribeURL", url).confirmation();
        assert_eq!(of("SubscriptionConfirmation", good).unwrap().to_string(), good);
        assert_eq!(of("UnsubscribeConfirmation", good), None);
        for bad in [
            "https://sns.eu-north-1.amazonaws.com.evil.net/?Action=ConfirmSubscription&Token=b",
            "https://evil.net/?Action=ConfirmSubscription&Token=b",
            "https://sns.eu-north-1.amazonaws.com/?Action=Publish&Message=b",
            "https://sns.eu-north-1.amazonaws.com/x?Action=ConfirmSubscription&Token=b",
            "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&Token=b c",
        ] {
            assert_eq!(of("SubscriptionConfirmation", bad), None, "{bad}");
        }
    }

    #[test]
    fn a_topic_is_an_arn_with_a_region_that_can_be_part_of_a_host() {
        assert_eq!(host(TOPIC).as_deref(), Some("sns.eu-north-1.amazonaws.com"));
        let chinese = host("arn:aws-cn:sns:cn-north-1:111122223333:a");
        assert_eq!(chinese.as_deref(), Some("sns.cn-north-1.amazonaws.com.cn"));
        for bad in [
            "",
            "arn:aws:sns:eu/north:111122223333:a",
            "arn:aws:sns:evil.net:111122223333:a",
            "arn:aws:sns:EU-NORTH-1:111122223333:a",
            "arn:aws:sns::111122223333:a",
            "arn:aws:sqs:eu-north-1:111122223333:a",
            "arn:aws:sns:eu-north-1:1:a",
            "arn:aws:sns:eu-north-1:111122223333:",
            "arn:aws:sns:eu-north-1:111122223333:a:b",
            "arn:awsome:sns:eu-north-1:111122223333:a",
            "arn:aws-iso:sns:us-iso-east-1:111122223333:a",
        ] {
            let why = check_topic(bad).unwrap_err();
            let is_another = bad.starts_with("arn:aws-iso") || bad.starts_with("arn:awsome");
            assert_eq!(why.contains("another partition"), is_another, "{bad}: {why}");
        }
        assert!(check_topic("arn:aws-us-gov:sns:us-gov-west-1:111122223333:a").is_ok());
    }

    /// The order of the lines is that of the developer guide; a subject that is missing has no line.
    #[test]
    fn what_is_signed_are_names_and_values_on_lines() {
        let lines = |body: Value| {
            let envelope = Envelope::read(body.to_string().as_bytes()).unwrap().unwrap();
            envelope.signed().map(|(lines, hash, _)| (String::from_utf8(lines).unwrap(), hash))
        };
        let mut body = json!({"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "a\nb",
            "Timestamp": "t", "SignatureVersion": "1", "Signature": "AAAA"});
        let expected =
            format!("Message\na\nb\nMessageId\nm\nTimestamp\nt\nTopicArn\n{TOPIC}\nType\nNotification\n");
        assert_eq!(lines(body.clone()), Ok((expected, Hash::Sha1)));
        (body["Subject"], body["SignatureVersion"]) = (json!("s"), json!("2"));
        let (with_subject, hash) = lines(body.clone()).unwrap();
        assert!(with_subject.contains("\nSubject\ns\nTimestamp\n") && hash == Hash::Sha256, "{with_subject}");
        body["SignatureVersion"] = json!("3");
        assert_eq!(lines(body.clone()), Err(Unsigned::Unknown));
        body["SignatureVersion"] = json!("2");
        for (name, value) in [
            ("SignatureVersion", json!(1)),
            ("MessageId", json!("")),
            ("MessageId", json!("m\nSubject\ns")),
            ("MessageId", json!("m m")),
            ("MessageId", json!("m".repeat(ID_BYTES_MAX + 1))),
            ("Subject", json!("s\nTimestamp\nt")),
            ("Subject", json!("s\u{85}")),
            ("Timestamp", json!("t\r")),
            ("Signature", json!("!")),
            ("Message", json!({"AlarmName": "a"})),
            ("MessageId", Value::Null),
            ("Subject", json!(["s"])),
        ] {
            let mut broken = body.clone();
            broken[name] = value;
            assert_eq!(lines(broken), Err(Unsigned::Never), "{name}");
        }
    }

    /// Amazon has signed the lines of the first; the second has the same ones, with a subject of somebody's own.
    #[test]
    fn lines_that_are_signed_are_not_cut_into_other_fields() {
        let mut body = json!({"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Timestamp": "t", "Subject": "s",
            "Message": "a\nMessageId\nx\nSubject\nb", "SignatureVersion": "2", "Signature": "AAAA"});
        let signed = |body: &Value| Envelope::read(body.to_string().as_bytes()).unwrap().unwrap().signed();
        let lines = signed(&body).unwrap().0;
        assert!(
            lines.starts_with(b"Message\na\nMessageId\nx\nSubject\nb\nMessageId\nm\nSubject\ns\nTimestamp\n")
        );
        (body["Message"], body["MessageId"]) = (json!("a"), json!("x\nSubject\nb\nMessageId\nm"));
        assert_eq!(signed(&body), Err(Unsigned::Never));
        (body["MessageId"], body["Subject"]) = (json!("x"), json!("b\nMessageId\nm\nSubject\ns"));
        assert_eq!(signed(&body), Err(Unsigned::Never));
    }

    #[test]
    fn what_is_not_signed_is_not_kept() {
        let body = json!({"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "a", "Timestamp": "t",
            "Token": "hunter2", "x": ["hunter2"], "SignatureVersion": "2", "Signature": "AAAA"});
        let envelope = Envelope::read(body.to_string().as_bytes()).unwrap().unwrap();
        let kept: Value = serde_json::from_slice(&envelope.without_the_rest()).unwrap();
        let expected = json!({"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "a", "Timestamp": "t"});
        assert_eq!(kept, expected);
    }
}
