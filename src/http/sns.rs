//! Amazon's signature on what SNS sends: proven before anything is believed, and subscriptions confirmed when it is.
//!
//! Read: the body of a delivery, and the certificate it names, which is fetched from the one host of Amazon's that its topic
//! may have (`sources/cloudwatch/envelope.rs`), by TLS and without following a redirect. What a stranger can make us do is
//! bounded: he has to name a topic of ours, an hour near our own and a signature before anything is fetched; then fetches
//! are one at a time for each host, few a minute, short and small. He can spend those of a host whose certificate is not known
//! yet, after a start or a change of it; Amazon sends again for an hour. A token beside `topics` keeps strangers from it
//! altogether: without it nothing of theirs is looked at.
//!
//! SNS never sends again what was answered with 401. So that is said only to what Amazon cannot have signed for this source;
//! where it may be our clock, or a form that is newer than this version, the answer is 503.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Uri};
use jiff::{SignedDuration, Timestamp};
use rustls::RootCertStore;
use tokio::sync::MutexGuard;

use super::problem::{Problem, Reason};
use crate::channels::client::{Client, Failure, Reach};
use crate::crypto;
use crate::crypto::certificate::Certificate;
use crate::house::Source;
use crate::sources::cloudwatch::envelope::{Envelope, Type, Unsigned, host, names};

/// A message may have been published so long before it comes, or so far ahead of our hour. SNS tries for an hour at most, and
/// clocks differ by a few minutes.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(65);
/// For one fetch. SNS itself waits about 15 s for our answer.
const FETCH_DEADLINE: Duration = Duration::from_secs(6);
/// For the turn to fetch.
const TURN_DEADLINE: Duration = Duration::from_secs(6);
/// Certificates fetched from one host in one minute.
const CERTIFICATES_PER_MINUTE_MAX: usize = 12;
/// Subscriptions confirmed at one host in one minute. Each was signed by Amazon, so strangers spend none of these.
const CONFIRMATIONS_PER_MINUTE_MAX: usize = 12;
/// Certificates that are remembered of one host: Amazon has one at a time, and exchanges it about once a year.
const CERTIFICATES_MAX: usize = 2;
/// A certificate is fetched again after this. When it cannot be, the one that is known goes on, within its own dates.
const CERTIFICATE_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// An address that has failed, or gave a certificate that cannot be believed, is not asked again before this.
const FAILED_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// Addresses of one host that are remembered because they have failed: all that can be asked within the pause, and more.
const FAILED_MAX: usize = 64;
/// Hosts that are remembered. There is one a region, and only those of topics that are configured.
const HOSTS_MAX: usize = 64;

/// Refuses what says itself that it is of another topic, before its body is read. What it says is not proven by that.
pub(super) fn may_send(source: &Source, headers: &HeaderMap) -> Result<(), Problem> {
    let topics = &source.options.topics;
    match headers.get("x-amz-sns-topic-arn") {
        Some(topic) if !topics.is_empty() && !topics.iter().any(|known| topic == known.as_str()) => {
            Err(other_topic())
        }
        _ => Ok(()),
    }
}

fn other_topic() -> Problem {
    Problem::challenge(Reason::Topic, "this topic is none of the `topics` of this source")
}

/// 503, where Amazon may have signed it all the same.
fn unsure(reason: Reason, what: &str) -> Problem {
    Problem { refused: Some(reason), ..Problem::unavailable(what, 20) }
}

/// A message that Amazon has signed.
#[derive(Debug)]
pub(super) struct Proven {
    /// Its body, without anything that is not signed.
    pub(super) body: Bytes,
    /// What tells it from every other message.
    pub(super) once: String,
}

/// Fetches an address; answers the body of a success, or a sentence without the address.
type Fetch = Box<dyn Fn(Uri) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>> + Send + Sync>;

/// Proves deliveries of SNS. Cheap to clone.
#[derive(Clone)]
pub struct Sns(Arc<Inner>);

struct Inner {
    fetch: Fetch,
    roots: RootCertStore,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
}

/// What is known of one host of Amazon's: what goes on at another has nothing to do with it.
#[derive(Default)]
struct Host {
    known: Mutex<VecDeque<Known>>,
    turns: tokio::sync::Mutex<Turns>,
}

/// A certificate that was fetched.
struct Known {
    address: Uri,
    fetched_at: Timestamp,
    certificate: Arc<Certificate>,
}

/// What is fetched.
#[derive(Clone, Copy)]
enum What {
    Certificate,
    Confirmation,
}

/// Who fetches has the turn, so that many deliveries with one certificate fetch it once.
#[derive(Default)]
struct Turns {
    /// When certificates were fetched within the last minute.
    certificates: VecDeque<Timestamp>,
    /// When subscriptions were confirmed within the last minute.
    confirmations: VecDeque<Timestamp>,
    /// What has failed, and when; the newest last.
    failed: VecDeque<(Uri, Timestamp)>,
}

impl Turns {
    /// Whether an address may be fetched now.
    fn allow(&mut self, what: What, address: &Uri, now: Timestamp) -> Result<(), String> {
        let ago = |at: &Timestamp| now.duration_since(*at).abs();
        self.failed.retain(|(_, at)| ago(at) < FAILED_PAUSE);
        if self.failed.iter().any(|(failed, _)| failed == address) {
            return Err("it has just failed, and is not asked again yet".into());
        }
        let (spent, most) = self.spent(what);
        spent.retain(|at| ago(at) < SignedDuration::from_mins(1));
        if spent.len() >= most {
            return Err(format!("{most} fetches a minute from this host are spent"));
        }
        Ok(())
    }

    fn spent(&mut self, what: What) -> (&mut VecDeque<Timestamp>, usize) {
        match what {
            What::Certificate => (&mut self.certificates, CERTIFICATES_PER_MINUTE_MAX),
            What::Confirmation => (&mut self.confirmations, CONFIRMATIONS_PER_MINUTE_MAX),
        }
    }

    fn has_failed(&mut self, address: &Uri, now: Timestamp) {
        if self.failed.len() >= FAILED_MAX {
            self.failed.pop_front();
        }
        self.failed.push_back((address.clone(), now));
    }
}

impl Host {
    /// Waits for the turn to fetch an address, as far as it may be fetched now.
    async fn turn(&self, what: What, address: &Uri, now: Timestamp) -> Result<MutexGuard<'_, Turns>, String> {
        let turn = tokio::time::timeout(TURN_DEADLINE, self.turns.lock()).await;
        let mut turns = turn.map_err(|_| "too many wait to fetch something of SNS".to_owned())?;
        turns.allow(what, address, now)?;
        Ok(turns)
    }

    /// A certificate that is known, and, where an hour is given, fresh at that hour.
    fn known(&self, address: &Uri, fresh: Option<Timestamp>) -> Option<Arc<Certificate>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|known| known.address == *address)?;
        let is_fresh = |now: Timestamp| now.duration_since(found.fetched_at).abs() < CERTIFICATE_AGE_MAX;
        fresh.is_none_or(is_fresh).then(|| found.certificate.clone())
    }

    fn remember(&self, address: &Uri, certificate: &Arc<Certificate>, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.address != *address);
        if known.len() >= CERTIFICATES_MAX {
            known.pop_front();
        }
        known.push_back(Known {
            address: address.clone(),
            fetched_at: now,
            certificate: certificate.clone(),
        });
    }
}

impl Sns {
    /// Fetches by this client. The system's certificates are what it and Amazon's certificates are trusted by.
    pub fn new(client: Client) -> Self {
        let fetch = move |address: Uri| {
            let client = client.clone();
            let fetching = async move {
                // A host that proves its name by TLS may stand on a private network: AWS offers SNS there.
                let answer =
                    client.get(Reach::Private, &address, HeaderMap::new()).await.map_err(|failure| {
                        let (Failure::NotSent(why) | Failure::Maybe(why)) = failure;
                        why
                    })?;
                match answer.status {
                    status if status.is_success() => Ok(answer.body),
                    status => Err(format!("the answer is {status}")),
                }
            };
            Box::pin(fetching) as Pin<Box<dyn Future<Output = _> + Send>>
        };
        Self::by(Box::new(fetch), crypto::roots())
    }

    fn by(fetch: Fetch, roots: RootCertStore) -> Self {
        Self(Arc::new(Inner { fetch, roots, hosts: Mutex::default() }))
    }

    /// Lets a delivery pass that Amazon has signed for a topic of this source, and confirms a subscription. A body without
    /// an envelope is signed by nobody: it passes where the operator wants that (`raw`) and a token has proven it.
    ///
    /// # Errors
    /// 401 when it is not proven, 503 when that cannot be found out now, or a subscription not be confirmed.
    pub(super) async fn prove(
        &self,
        source: &Source,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Proven>, Problem> {
        let envelope = match Envelope::read(body) {
            Ok(Some(envelope)) => envelope,
            _ if source.options.raw && !source.tokens.is_empty() => return Ok(None),
            _ => {
                return Err(Problem::challenge(
                    Reason::Signature,
                    "this is no message of SNS with its envelope, and a source with `topics` believes nothing else; turn \
                     raw message delivery off, or set `raw` beside a token",
                ));
            }
        };
        if !source.options.topics.contains(&envelope.topic) {
            return Err(other_topic());
        }
        let is_recent = |at: Timestamp| now.duration_since(at).abs() <= AGE_MAX;
        if !envelope.published_at().is_some_and(is_recent) {
            return Err(unsure(
                Reason::Hour,
                "the message is too old, or the clock of this machine is wrong",
            ));
        }
        let unknown = || {
            unsure(
                Reason::Form,
                "it is signed in a way, or by a certificate at an address, that this version of onscene does not know of SNS",
            )
        };
        let (lines, hash, signature) = envelope.signed().map_err(|why| match why {
            Unsigned::Unknown => unknown(),
            Unsigned::Never => Problem::challenge(
                Reason::Signature,
                "a part that SNS signs is missing, or holds what SNS never writes",
            ),
        })?;
        let address = envelope.certificate().ok_or_else(unknown)?;
        let here = self.host(&envelope.topic);
        let certificate = self.certificate(&here, &source.name, &envelope.topic, &address, now).await?;
        if !certificate.has_signed(hash, &lines, &signature) {
            return Err(Problem::challenge(Reason::Signature, "the signature does not fit the message"));
        }
        if envelope.of == Type::Subscription {
            let address = envelope.confirmation().ok_or_else(unknown)?;
            self.confirm(&here, &source.name, &envelope.topic, address, now).await?;
        }
        let once = format!("kept:{}", envelope.text("MessageId").unwrap_or_default());
        Ok(Some(Proven { body: envelope.without_the_rest().into(), once }))
    }

    fn host(&self, topic: &str) -> Arc<Host> {
        let name = host(topic).unwrap_or_default();
        let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&name) {
            hosts.clear();
        }
        hosts.entry(name).or_default().clone()
    }

    /// The certificate at an address, fetched when it is not known.
    async fn certificate(
        &self,
        here: &Host,
        source: &str,
        topic: &str,
        address: &Uri,
        now: Timestamp,
    ) -> Result<Arc<Certificate>, Problem> {
        let names = names(topic);
        let is_good = |one: &Arc<Certificate>| one.check(&names, &self.0.roots, now).is_ok();
        if let Some(certificate) = here.known(address, Some(now)).filter(is_good) {
            return Ok(certificate);
        }
        if let Ok(mut turns) = here.turn(What::Certificate, address, now).await {
            // Whoever had the turn before may have fetched it.
            if let Some(certificate) = here.known(address, Some(now)).filter(is_good) {
                return Ok(certificate);
            }
            let checked = self.fetch(&mut turns, What::Certificate, address, now).await.and_then(|pem| {
                let certificate = Certificate::read(&pem)?;
                certificate.check(&names, &self.0.roots, now)?;
                Ok(Arc::new(certificate))
            });
            match checked {
                Ok(certificate) => {
                    here.remember(address, &certificate, now);
                    return Ok(certificate);
                }
                Err(why) => {
                    turns.has_failed(address, now);
                    // Said only where something was fetched, so that strangers cannot fill the log.
                    tracing::warn!(source.name = source, topic, why, "no certificate of SNS was had");
                }
            }
        }
        here.known(address, None).filter(is_good).ok_or_else(|| {
            unsure(
                Reason::Certificate,
                "the certificate that this is signed with cannot be had now; send it again",
            )
        })
    }

    /// Confirms a subscription: Amazon has signed that this is the address for it.
    async fn confirm(
        &self,
        here: &Host,
        source: &str,
        topic: &str,
        address: Uri,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let confirmed = match here.turn(What::Confirmation, &address, now).await {
            Ok(mut turns) => {
                let fetched = self.fetch(&mut turns, What::Confirmation, &address, now).await;
                fetched.inspect_err(|_| turns.has_failed(&address, now))
            }
            Err(why) => Err(why),
        };
        match confirmed {
            Ok(_) => {
                tracing::info!(source.name = source, topic, "a subscription was confirmed at SNS");
                Ok(())
            }
            Err(why) => {
                tracing::warn!(
                    source.name = source,
                    topic,
                    why,
                    "a subscription could not be confirmed at SNS"
                );
                Err(Problem::unavailable("the subscription cannot be confirmed now; send it again", 20))
            }
        }
    }

    async fn fetch(
        &self,
        turns: &mut Turns,
        what: What,
        address: &Uri,
        now: Timestamp,
    ) -> Result<Bytes, String> {
        turns.spent(what).0.push_back(now);
        let fetched = tokio::time::timeout(FETCH_DEADLINE, (self.0.fetch)(address.clone())).await;
        fetched.unwrap_or_else(|_| Err("no answer in time".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use base64::Engine as _;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::sources::{Options, cloudwatch};

    const TOPIC: &str = "arn:aws:sns:eu-north-1:111122223333:pager";
    const CERTIFICATE: &str = "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem";
    const CONFIRM: &str =
        "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=t&Token=hunter2";
    const KEY: &str = include_str!("../../tests/fixtures/sns/signer.key");
    /// Signed by `openssl dgst` with that key.
    const VERSION_1: &str = include_str!("../../tests/fixtures/sns/notification_v1.json");
    const VERSION_2: &str = include_str!("../../tests/fixtures/sns/notification_v2.json");

    fn now() -> Timestamp {
        "2026-01-02T03:10:00Z".parse().unwrap()
    }

    fn source(token: bool) -> Source {
        Source {
            name: "aws".into(),
            kind: &cloudwatch::KIND,
            tokens: if token { vec!["a token of sixteen bytes".into()] } else { Vec::new() },
            signing_secrets: Vec::new(),
            service: "shop".into(),
            options: Options { topics: vec![TOPIC.into()], raw: token, ..Options::default() },
        }
    }

    /// An authority, and what it says of the key of the fixtures.
    struct Papers {
        root: RootCertStore,
        issuer: Issuer<'static, KeyPair>,
        authority: String,
    }

    impl Papers {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let authority = params.self_signed(&key).unwrap();
            let mut root = RootCertStore::empty();
            root.add(authority.der().clone()).unwrap();
            Self { root, authority: authority.pem(), issuer: Issuer::new(params, key) }
        }

        fn leaf(&self, name: &str, until: i32) -> String {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(2025, 6, 1);
            params.not_after = rcgen::date_time_ymd(until, 6, 1);
            params.signed_by(&KeyPair::from_pem(KEY).unwrap(), &self.issuer).unwrap().pem()
        }
    }

    type Asked = Arc<Mutex<Vec<String>>>;

    /// Amazon, as far as it is asked: what it answers at each address.
    fn amazon(root: RootCertStore, answers: &[(&str, Result<String, &'static str>)]) -> (Sns, Asked) {
        let answers: BTreeMap<String, _> =
            answers.iter().map(|(address, answer)| ((*address).to_owned(), answer.clone())).collect();
        let asked = Asked::default();
        let seen = asked.clone();
        let fetch = move |address: Uri| {
            seen.lock().unwrap().push(address.to_string());
            let answer = answers.get(&address.to_string()).cloned().unwrap_or(Err("nothing is there"));
            Box::pin(async move { answer.map(Bytes::from).map_err(str::to_owned) })
                as Pin<Box<dyn Future<Output = _> + Send>>
        };
        (Sns::by(Box::new(fetch), root), asked)
    }

    fn usual() -> (Sns, Asked) {
        let papers = Papers::new();
        let answers =
            [(CERTIFICATE, Ok(papers.leaf("sns.amazonaws.com", 2027))), (CONFIRM, Ok(String::new()))];
        amazon(papers.root.clone(), &answers)
    }

    async fn status(sns: &Sns, body: &str) -> u16 {
        let proven = sns.prove(&source(false), body.as_bytes(), now()).await;
        proven.err().map_or(200, |problem| problem.status.as_u16())
    }

    fn changed(body: &str, name: &str, value: &Value) -> String {
        let mut body: Value = serde_json::from_str(body).unwrap();
        body[name] = value.clone();
        body.to_string()
    }

    /// Signs a message anew, as Amazon would.
    fn signed(mut body: Value) -> String {
        body["SignatureVersion"] = json!("2");
        body["Signature"] = json!("");
        let envelope = Envelope::read(body.to_string().as_bytes()).unwrap().unwrap();
        let (lines, ..) = envelope.signed().unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let key = RsaKeyPair::from_pkcs8(key.secret_der()).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), &lines, &mut signature).unwrap();
        body["Signature"] = json!(base64::engine::general_purpose::STANDARD.encode(signature));
        body.to_string()
    }

    fn confirmation(of: &str) -> Value {
        json!({"Type": of, "MessageId": "m", "TopicArn": TOPIC, "Message": "You have chosen", "Token": "hunter2",
            "SubscribeURL": CONFIRM, "Timestamp": "2026-01-02T03:04:05.731Z", "SigningCertURL": CERTIFICATE})
    }

    #[tokio::test]
    async fn both_versions_are_proven_and_the_certificate_is_fetched_once() {
        let (sns, asked) = usual();
        for body in [VERSION_1, VERSION_2, VERSION_1] {
            assert_eq!(status(&sns, body).await, 200);
        }
        assert_eq!(*asked.lock().unwrap(), [CERTIFICATE]);
    }

    #[tokio::test]
    async fn a_changed_message_and_an_exchanged_version_are_refused() {
        let (sns, _) = usual();
        for (name, value) in [
            ("Message", json!("{\"AlarmName\":\"orders-queue-age\",\"NewStateValue\":\"OK\"}")),
            ("MessageId", json!("another")),
            ("Subject", json!("another")),
            ("Subject", Value::Null),
            ("Timestamp", json!("2026-01-02T03:05:05.731Z")),
            ("Type", json!("UnsubscribeConfirmation")),
            ("MessageId", json!("m\nSubject\ns")),
            ("SignatureVersion", json!("1")),
            ("SignatureVersion", Value::Null),
            ("Signature", json!("AAAA")),
        ] {
            assert_eq!(status(&sns, &changed(VERSION_2, name, &value)).await, 401, "{name}");
        }
        assert_eq!(status(&sns, &changed(VERSION_1, "SignatureVersion", &json!("2"))).await, 401);
        let unknown = changed(VERSION_1, "SignatureVersion", &json!("3"));
        assert_eq!(status(&sns, &unknown).await, 503, "Amazon may have signed what we do not know yet");
        assert_eq!(status(&sns, VERSION_2).await, 200);
    }

    #[tokio::test]
    async fn nothing_is_fetched_for_another_topic_an_old_message_or_another_host() {
        let (sns, asked) = usual();
        let other = "arn:aws:sns:eu-north-1:111122223333:another";
        assert_eq!(status(&sns, &changed(VERSION_2, "TopicArn", &json!(other))).await, 401);
        for (name, value) in [
            ("Timestamp", "2026-01-02T01:00:00Z"),
            ("Timestamp", "2026-01-02T05:00:00Z"),
            ("Timestamp", "soon"),
            ("SigningCertURL", "https://sns.eu-north-1.amazonaws.com.evil.net/a.pem"),
            ("SigningCertURL", "https://sns.eu-north-1.amazonaws.com@evil.net/a.pem"),
            ("SigningCertURL", "https://sns.us-east-1.amazonaws.com/a.pem"),
            ("SigningCertURL", "http://sns.eu-north-1.amazonaws.com/a.pem"),
        ] {
            assert_eq!(status(&sns, &changed(VERSION_2, name, &json!(value))).await, 503, "{value}");
        }
        assert!(asked.lock().unwrap().is_empty());
        for raw in ["{\"AlarmName\": \"a\", \"NewStateValue\": \"OK\"}", "hello", "", "{"] {
            assert_eq!(status(&sns, raw).await, 401, "{raw}");
            let by_token = sns.prove(&source(true), raw.as_bytes(), now()).await;
            assert!(by_token.unwrap().is_none(), "a token proves what has no envelope");
            let mut unwanted = source(true);
            unwanted.options.raw = false;
            let refused = sns.prove(&unwanted, raw.as_bytes(), now()).await.unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.refused), (401, Some(Reason::Signature)), "{raw}");
        }
        // What has an envelope has to be signed, with a token, too.
        let forged = changed(VERSION_2, "Signature", &json!("AAAA"));
        assert!(sns.prove(&source(true), forged.as_bytes(), now()).await.is_err());
        assert!(asked.lock().unwrap().len() <= 1);
    }

    #[tokio::test]
    async fn a_certificate_of_another_name_an_old_one_and_one_of_another_authority_are_not_believed() {
        let papers = Papers::new();
        let stranger = Papers::new();
        let led = format!("{}{}", stranger.leaf("sns.amazonaws.com", 2027), stranger.authority);
        for bad in [
            papers.leaf("s3.amazonaws.com", 2027),
            papers.leaf("sns.amazonaws.com.evil.net", 2027),
            papers.leaf("sns.eu-west-1.amazonaws.com", 2027),
            papers.leaf("sns.amazonaws.com", 2025),
            led,
            papers.authority.clone(),
            KEY.to_owned(),
            String::new(),
        ] {
            let (sns, _) = amazon(papers.root.clone(), &[(CERTIFICATE, Ok(bad))]);
            assert_eq!(status(&sns, VERSION_2).await, 503);
        }
        let led =
            format!("{}{}", papers.leaf("sns-signing.eu-north-1.amazonaws.com", 2027), papers.authority);
        let (sns, _) = amazon(papers.root.clone(), &[(CERTIFICATE, Ok(led))]);
        assert_eq!(status(&sns, VERSION_2).await, 200);
    }

    #[tokio::test]
    async fn strangers_make_us_fetch_few_times_and_never_twice_at_once() {
        let (sns, asked) = usual();
        assert_eq!(status(&sns, VERSION_2).await, 200);
        for n in 0..100 {
            let address = format!("https://sns.eu-north-1.amazonaws.com/{n}.pem");
            assert_eq!(status(&sns, &changed(VERSION_2, "SigningCertURL", &json!(address))).await, 503);
        }
        assert_eq!(asked.lock().unwrap().len(), CERTIFICATES_PER_MINUTE_MAX);
        assert_eq!(status(&sns, VERSION_2).await, 200, "what is known goes on");
        let subscription = signed(confirmation("SubscriptionConfirmation"));
        assert_eq!(status(&sns, &subscription).await, 200, "what is confirmed is counted by itself");

        let fetches = Arc::new(AtomicUsize::new(0));
        let (seen, papers) = (fetches.clone(), Papers::new());
        let pem = papers.leaf("sns.amazonaws.com", 2027);
        let slow = move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
            let pem = pem.clone();
            let fetched = async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(Bytes::from(pem))
            };
            Box::pin(fetched) as Pin<Box<dyn Future<Output = _> + Send>>
        };
        let sns = Sns::by(Box::new(slow), papers.root.clone());
        let all = futures_util::future::join_all((0..20).map(|_| status(&sns, VERSION_2))).await;
        assert!(all.iter().all(|status| *status == 200), "{all:?}");
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_certificate_that_cannot_be_had_again_goes_on_within_its_dates() {
        let papers = Papers::new();
        let pem = papers.leaf("sns.amazonaws.com", 2026);
        let away = Arc::new(AtomicUsize::new(0));
        let is_away = away.clone();
        let fetch = move |_| {
            let answer = if is_away.load(Ordering::Relaxed) == 0 {
                Ok(Bytes::from(pem.clone()))
            } else {
                Err("away".into())
            };
            Box::pin(async move { answer }) as Pin<Box<dyn Future<Output = _> + Send>>
        };
        let sns = Sns::by(Box::new(fetch), papers.root.clone());
        assert_eq!(status(&sns, VERSION_2).await, 200);
        away.store(1, Ordering::Relaxed);
        for (at, expected) in [("2026-02-02T03:04:05Z", 200), ("2026-07-02T03:04:05Z", 503)] {
            let mut body: Value = serde_json::from_str(VERSION_2).unwrap();
            body["Timestamp"] = json!(at);
            let body = signed(body);
            let proven = sns.prove(&source(false), body.as_bytes(), at.parse().unwrap()).await;
            assert_eq!(proven.err().map_or(200, |problem| problem.status.as_u16()), expected, "{at}");
        }
    }

    #[tokio::test]
    async fn a_subscription_is_confirmed_when_amazon_has_signed_it_and_only_then() {
        let (sns, asked) = usual();
        let good = signed(confirmation("SubscriptionConfirmation"));
        let forged = changed(&good, "Token", &json!("another"));
        assert_eq!(status(&sns, &forged).await, 401);
        let elsewhere = json!("https://evil.net/?Action=ConfirmSubscription&Token=hunter2");
        let mut other = confirmation("SubscriptionConfirmation");
        other["SubscribeURL"] = elsewhere;
        assert_eq!(status(&sns, &signed(other)).await, 503);
        assert_eq!(status(&sns, &signed(confirmation("UnsubscribeConfirmation"))).await, 200);
        assert!(!asked.lock().unwrap().iter().any(|address| address.contains("Action")));
        assert_eq!(status(&sns, &good).await, 200);
        assert_eq!(asked.lock().unwrap().last().unwrap(), CONFIRM);
    }

    #[tokio::test]
    async fn a_host_that_is_away_or_spent_does_not_hold_up_another() {
        let papers = Papers::new();
        let pem = papers.leaf("sns.amazonaws.com", 2027);
        let south = "arn:aws:sns:eu-south-1:111122223333:pager";
        let address = "https://sns.eu-south-1.amazonaws.com/a.pem";
        let (sns, asked) = amazon(papers.root.clone(), &[(address, Ok(pem))]);
        for n in 0..20 {
            let address = format!("https://sns.eu-north-1.amazonaws.com/{n}.pem");
            assert_eq!(status(&sns, &changed(VERSION_2, "SigningCertURL", &json!(address))).await, 503);
        }
        assert_eq!(asked.lock().unwrap().len(), CERTIFICATES_PER_MINUTE_MAX);
        let mut body: Value = serde_json::from_str(VERSION_2).unwrap();
        (body["TopicArn"], body["SigningCertURL"]) = (json!(south), json!(address));
        let mut both = source(false);
        both.options.topics.push(south.into());
        let proven = sns.prove(&both, signed(body).as_bytes(), now()).await.unwrap().unwrap();
        assert!(proven.once.starts_with("kept:") && !proven.body.windows(9).any(|part| part == b"Signature"));
    }

    #[tokio::test]
    async fn an_address_whose_certificate_cannot_be_believed_is_not_asked_again_at_once() {
        let papers = Papers::new();
        let (other, bad) = ("https://sns.eu-north-1.amazonaws.com/other.pem", papers.leaf("evil.net", 2027));
        let answers = [(CERTIFICATE, Ok(bad.clone())), (other, Ok(bad))];
        let (sns, asked) = amazon(papers.root.clone(), &answers);
        for _ in 0..5 {
            assert_eq!(status(&sns, VERSION_2).await, 503);
            assert_eq!(status(&sns, &changed(VERSION_2, "SigningCertURL", &json!(other))).await, 503);
        }
        assert_eq!(*asked.lock().unwrap(), [CERTIFICATE, other]);
    }

    #[tokio::test]
    async fn a_message_of_another_topic_is_refused_before_its_body_is_read() {
        let said = |topic: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-sns-topic-arn", http::HeaderValue::from_static(topic));
            may_send(&source(false), &headers).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!((said(TOPIC), said("arn:aws:sns:eu-north-1:111122223333:another")), (Ok(()), Err(401)));
        assert!(may_send(&source(false), &HeaderMap::new()).is_ok());
    }

    #[tokio::test]
    async fn a_subscription_that_cannot_be_confirmed_is_sent_again() {
        let papers = Papers::new();
        let pem = papers.leaf("sns.amazonaws.com", 2027);
        let (sns, _) =
            amazon(papers.root.clone(), &[(CERTIFICATE, Ok(pem)), (CONFIRM, Err("the answer is 500"))]);
        let good = signed(confirmation("SubscriptionConfirmation"));
        let problem = sns.prove(&source(false), good.as_bytes(), now()).await.unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.retry_after), (503, Some(20)));
        assert!(!problem.detail.contains("hunter2"));
    }
}
