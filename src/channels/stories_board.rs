//! Contract fakes of status pages: a server that keeps what theirs would keep, and loses answers before or after it has written.
//! What is too much is asked to wait for no time, since the hour of these stories is nobody's clock.
//! Statements are told as delivery tells them, again and again in the same words until it is known what became of them.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::stories::statement;
use super::*;
use crate::channels::statement::Mended;
use crate::core::voice::{Impact, Phase, Sort};

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// A request.
pub(super) struct Call {
    pub(super) method: String,
    /// Its segments.
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    /// The header that the token is shown in, as it came.
    pub(super) token: String,
    pub(super) body: Value,
}

impl Call {
    /// Its method and its path in one line.
    pub(super) fn line(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }
}

/// What answers as theirs would.
pub(super) trait Fake: Send + 'static {
    /// The header that carries the token, in small letters.
    const TOKEN: &'static str;
    fn answer(&mut self, call: &Call) -> (u16, Value);
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Answered,
    /// It is lost before it is read.
    LostBefore,
    /// What it asks for is done, and the answer is lost.
    LostAfter,
    /// Something in between is at fault.
    Faulty,
    /// The same, after it was done.
    FaultyAfter,
    /// Too many for now.
    Busy,
}

/// A fake, and what becomes of requests to it.
pub(super) struct Served<F> {
    pub(super) fake: F,
    /// What becomes of the next requests; after them chance decides.
    pub(super) fates: std::collections::VecDeque<Fate>,
    /// One in so many is lost, faulty or too many; none with zero.
    pub(super) one_in: u64,
    dice: Dice,
    /// How many were.
    pub(super) lost: u64,
    /// Every request that was done.
    pub(super) log: Vec<String>,
}

impl<F: Fake> Served<F> {
    fn fate(&mut self) -> Fate {
        if let Some(fate) = self.fates.pop_front() {
            return fate;
        }
        if self.one_in == 0 || self.dice.below(self.one_in) != 0 {
            return Fate::Answered;
        }
        self.lost += 1;
        let all =
            [Fate::LostBefore, Fate::LostAfter, Fate::LostAfter, Fate::Faulty, Fate::FaultyAfter, Fate::Busy];
        all[usize::try_from(self.dice.below(6)).unwrap()]
    }

    /// The answer, and nothing when it is lost.
    fn serve(&mut self, call: &Call) -> Option<(u16, Value)> {
        let fate = self.fate();
        if matches!(fate, Fate::Answered | Fate::LostAfter | Fate::FaultyAfter) {
            self.log.push(call.line());
            let answer = self.fake.answer(call);
            return match fate {
                Fate::Answered => Some(answer),
                Fate::LostAfter => None,
                _ => Some((502, Value::Null)),
            };
        }
        match fate {
            Fate::LostBefore => None,
            Fate::Busy => Some((429, Value::Null)),
            _ => Some((500, Value::Null)),
        }
    }
}

/// Serves a fake on loopback.
#[allow(clippy::disallowed_methods, reason = "a test's own server")]
pub(super) async fn serve<F: Fake>(fake: F, seed: u64) -> (String, Arc<Mutex<Served<F>>>) {
    let served = Served { fake, fates: [].into(), one_in: 0, dice: Dice(seed), lost: 0, log: Vec::new() };
    let served = Arc::new(Mutex::new(served));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let state = served.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = state.clone();
            tokio::spawn(async move { connection(stream, &state).await });
        }
    });
    (url, served)
}

async fn connection<F: Fake>(mut stream: TcpStream, state: &Mutex<Served<F>>) {
    while let Some(call) = read::<F>(&mut stream).await {
        let answer = state.lock().unwrap().serve(&call);
        let Some((status, body)) = answer else { return };
        let body = if status == 204 { String::new() } else { body.to_string() };
        let wait = if status == 429 { "Retry-After: 0\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{wait}Content-Length: {}",
            body.len()
        );
        if stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read<F: Fake>(stream: &mut TcpStream) -> Option<Call> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 8192];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let value = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
                .next()
        };
        let length: usize = value("content-length").map_or(0, |length| length.parse().unwrap());
        let Some(body) = bytes.get(end + 4..end + 4 + length) else { continue };
        let mut words = head.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        return Some(Call {
            method,
            path: path.trim_matches('/').split('/').map(str::to_owned).collect(),
            query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            token: value(F::TOKEN).unwrap_or_default(),
            body: serde_json::from_slice(body).unwrap_or_default(),
        });
    }
}

/// A statement of an incident, the nth of it.
pub(super) fn nth(incident: i64, number: u64, change: impl FnOnce(&mut Statement)) -> Parcel {
    let mut parcel = statement(1);
    parcel.incident = incident;
    parcel.delivery = format!("{incident:016x}{number:016x}");
    let mut said = *parcel.statement.unwrap();
    said.id = format!("{incident}-{number}");
    said.title = format!("Online shop: payments fail ({incident})");
    said.text = format!("What is known is number {number} of {incident}.\n\nNext update by 10:30 UTC.");
    said.at += SignedDuration::from_secs(i64::try_from(number).unwrap() * 60);
    said.began += SignedDuration::from_secs(incident * 1000);
    parcel.now =
        said.at + SignedDuration::from_secs(incident * 200_000 + i64::try_from(number).unwrap() * 20_000);
    change(&mut said);
    parcel.subject = said.title.clone();
    parcel.statement = Some(Box::new(said));
    parcel
}

/// Tells one statement until it is known what became of it, as delivery does. `dice`: now and then the process is killed before it
/// has written down that the statement is there.
pub(super) async fn tell(channel: &Channel, parcel: &Parcel, dice: Option<&mut Dice>) -> String {
    let (handle, stands) = tell_or_stands(channel, parcel, dice).await;
    assert!(!stands, "what it takes back is gone");
    handle
}

/// The same; and whether people are told that what it takes back may stand there still.
async fn tell_or_stands(channel: &Channel, parcel: &Parcel, mut dice: Option<&mut Dice>) -> (String, bool) {
    for attempt in parcel.attempt..200 {
        // Each begins after the longest rest.
        let now = parcel.now + SignedDuration::from_secs(i64::from(attempt) * 90);
        match channel.send(&Parcel { attempt, now, ..parcel.clone() }).await {
            Outcome::Accepted { remote_id } => {
                if dice.as_mut().is_some_and(|dice| dice.below(10) == 0) {
                    continue;
                }
                return (remote_id.expect("it has a handle"), false);
            }
            Outcome::Stands { remote_id, .. } => return (remote_id.expect("it has a handle"), true),
            Outcome::Wait { .. } | Outcome::Unknown { .. } => {}
            refused => panic!("attempt {attempt} of {}: {refused:?}", parcel.delivery),
        }
    }
    panic!("{} never arrived", parcel.delivery)
}

/// The words with which [`tell_alike`] closes.
pub(super) const OVER: &str = "Everything works again.";

/// What is not wanted any more is looked for, found where it is there, and not written where it is not.
pub(super) async fn looks_alone<F: Fake>(channel: &Channel, served: &Mutex<Served<F>>) {
    let mut root = None;
    for number in 1..=2 {
        let wanted = Parcel { thread_root: root.clone(), ..nth(42, number, |_| {}) };
        let now = wanted.now + SignedDuration::from_mins(5);
        let unwanted = Parcel { attempt: 2, only_look: true, now, ..wanted.clone() };
        let writes = || served.lock().unwrap().log.iter().filter(|line| !line.starts_with("GET")).count();
        let before = writes();
        assert_eq!(channel.send(&unwanted).await.as_str(), "refused", "it is not there");
        assert_eq!(writes(), before);
        // It is written, and nobody hears of it.
        assert_eq!(channel.send(&wanted).await.as_str(), "accepted");
        let before = writes();
        let found = channel.send(&unwanted).await;
        let Outcome::Accepted { remote_id: Some(place) } = found else { panic!("{found:?}") };
        assert_eq!(writes(), before);
        root = Some(place);
    }
}

/// Tells an incident that is closed, told of again, and closed in the same words, and of which the same is said twice in a row at
/// its beginning. The second of each is lost before it is written, or is one too many: it is there only when it was written again.
/// Answers what has to stand there.
pub(super) async fn tell_alike<F: Fake>(channel: &Channel, served: &Mutex<Served<F>>) -> Vec<String> {
    let looking = "We are still looking into it.";
    let all = [looking, looking, OVER, "It fails again.", OVER];
    let mut root = None;
    for (number, text) in (1..).zip(all) {
        let mut parcel = nth(42, number, |said| {
            (said.text, said.next_by) = (text.into(), None);
            said.at += SignedDuration::from_mins(i64::try_from(number).unwrap() * 10);
            said.began = said.at - SignedDuration::from_hours(2);
            if text == OVER {
                (said.sort, said.phase) = (Sort::Closing, Phase::Resolved);
            }
        });
        parcel.thread_root = root.clone();
        if number > 1 {
            for fate in [Fate::Busy, Fate::LostBefore] {
                served.lock().unwrap().fates = [fate].into();
                assert_ne!(channel.send(&parcel).await.as_str(), "accepted");
            }
            parcel.attempt = 2;
        }
        let handle = tell(channel, &parcel, None).await;
        root = root.or(Some(handle));
    }
    all.map(str::to_owned).to_vec()
}

/// An incident is made by a statement of which nobody hears, and that is given up. The next becomes an update of what it made, also where
/// its own answer is lost, and one that takes it back takes its words away; where it was never made, the next makes it. `words`: what
/// readers see of each incident, the oldest first. Answers that of the first two.
pub(super) async fn tell_after_lost<F: Fake>(
    channel: &Channel,
    served: &Mutex<Served<F>>,
    words: impl Fn(&F) -> Vec<Vec<String>>,
) -> [Vec<String>; 2] {
    let said = |parcel: &Parcel| parcel.statement.as_ref().unwrap().text.clone();
    for (incident, fate) in [(42, Fate::LostAfter), (43, Fate::LostAfter), (44, Fate::LostBefore)] {
        let first = nth(incident, 1, |said| {
            said.text = format!("Words about {incident}.");
            said.services.clear();
        });
        served.lock().unwrap().fates = [fate].into();
        assert_eq!(channel.send(&first).await.as_str(), "unknown");
        let next = nth(incident, 2, |said| {
            said.text = "What is known now.".into();
            if incident == 43 {
                said.sort = Sort::Retraction;
                let at = first.statement.as_ref().unwrap().at;
                said.mends = Some(Mended { id: "43-1".into(), at, remote_id: None });
                said.takes_back = Some("Words about 43.".into());
            }
        });
        let next = Parcel { lost: vec!["f".repeat(32), first.delivery.clone()], ..next };
        let unseen = Parcel { attempt: 2, only_look: true, ..next.clone() };
        assert_eq!(channel.send(&unseen).await.as_str(), "refused", "it is not what was lost");
        for attempt in 1..=4 {
            // Each time the answer to a later request is lost.
            let fates = (0..attempt).map(|_| Fate::Answered).chain([Fate::LostAfter]);
            served.lock().unwrap().fates = fates.collect();
            channel.send(&Parcel { attempt, ..next.clone() }).await;
        }
        served.lock().unwrap().fates.clear();
        tell_or_stands(channel, &Parcel { attempt: 5, ..next.clone() }, None).await;
        let seen = words(&served.lock().unwrap().fake);
        let seen = seen.last().unwrap();
        match incident {
            42 => assert_eq!(*seen, [said(&first), said(&next)]),
            43 => assert!(!seen.contains(&said(&first)) && seen.contains(&said(&next)), "{seen:?}"),
            _ => assert_eq!(*seen, [said(&next)]),
        }
    }
    let seen = words(&served.lock().unwrap().fake);
    assert_eq!(seen.len(), 3, "each is one incident");
    [seen[0].clone(), seen[1].clone()]
}

/// The same words are said twice, and nobody hears of the second. What takes that back takes one of them away, however many answers to
/// it are lost; and where what may be there is sent once more, it is there once. `words` as above.
pub(super) async fn tell_twice<F: Fake>(
    channel: &Channel,
    served: &Mutex<Served<F>>,
    words: impl Fn(&F) -> Vec<Vec<String>>,
) {
    const LOOKING: &str = "We are looking into it.";
    let looking = |incident, number| nth(incident, number, |said| said.text = LOOKING.into());
    let root = tell(channel, &looking(42, 1), None).await;
    let thread_root = Some(root);
    let mut second = Parcel { thread_root: thread_root.clone(), ..looking(42, 2) };
    second.statement.as_mut().unwrap().services.clear();
    served.lock().unwrap().fates = [Fate::LostAfter].into();
    assert_eq!(channel.send(&second).await.as_str(), "unknown");
    let back = nth(42, 3, |said| {
        let at = second.statement.as_ref().unwrap().at;
        said.sort = Sort::Retraction;
        said.mends = Some(Mended { id: "42-2".into(), at, remote_id: None });
        said.takes_back = Some(LOOKING.into());
    });
    let back = Parcel { thread_root, ..back };
    for attempt in 1..=6 {
        let fates = (1..attempt).map(|_| Fate::Answered).chain([Fate::LostAfter]);
        served.lock().unwrap().fates = fates.collect();
        channel.send(&Parcel { attempt, ..back.clone() }).await;
    }
    served.lock().unwrap().fates.clear();
    tell_or_stands(channel, &Parcel { attempt: 7, ..back.clone() }, None).await;
    let count = |words: &[String], one: &str| words.iter().filter(|words| *words == one).count();
    let seen = words(&served.lock().unwrap().fake);
    assert_eq!(count(&seen[0], LOOKING), 1, "the first stands: {seen:?}");
    assert_eq!(count(&seen[0], &back.statement.as_ref().unwrap().text), 1, "{seen:?}");

    // What is not found is told of, also when that was found out by an attempt before.
    let mut nowhere = nth(42, 4, |said| {
        said.sort = Sort::Retraction;
        said.mends = Some(Mended { id: "42-9".into(), at: said.at, remote_id: None });
        said.takes_back = Some("Words that never were.".into());
    });
    nowhere.thread_root.clone_from(&back.thread_root);
    for attempt in 1..=3 {
        let fates = (1..attempt).map(|_| Fate::Answered).chain([Fate::Busy]);
        served.lock().unwrap().fates = fates.collect();
        channel.send(&Parcel { attempt, ..nowhere.clone() }).await;
    }
    served.lock().unwrap().fates.clear();
    assert!(tell_or_stands(channel, &Parcel { attempt: 4, ..nowhere.clone() }, None).await.1);
    let knows = Parcel { delivery: "b".repeat(32), mends_nothing: true, ..nowhere };
    assert!(!tell_or_stands(channel, &knows, None).await.1, "where it never was nobody has to look");

    let first = looking(43, 1);
    served.lock().unwrap().fates = [Fate::Answered, Fate::LostAfter].into();
    let _lost = channel.send(&first).await;
    served.lock().unwrap().fates.clear();
    let again = Parcel { delivery: "a".repeat(32), again: vec![first.delivery.clone()], ..first };
    tell(channel, &again, None).await;
    let seen = words(&served.lock().unwrap().fake);
    assert_eq!((seen.len(), count(&seen[1], LOOKING)), (2, 1), "{seen:?}");
}

/// What was told of one incident: the words that have to stand there, each once and in this order, and the words that may not.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) title: String,
    pub(super) words: Vec<String>,
    pub(super) taken_back: Vec<String>,
    pub(super) root: String,
    /// What was taken back may stand there, and people were told so.
    pub(super) stands: bool,
}

/// Tells an incident of several statements, with corrections and retractions, and closes it.
pub(super) async fn tell_all(channel: &Channel, incident: i64, dice: &mut Dice) -> Told {
    let mut told = Told::default();
    let mut handles: Vec<(String, String)> = Vec::new();
    let updates = 1 + dice.below(4);
    for number in 1..=updates + 1 {
        let roll = dice.below(6);
        let last = number > updates;
        let mends = handles.last().filter(|_| !last && roll < 2).cloned();
        let impact = Impact::ALL[usize::try_from(dice.below(4)).unwrap()];
        let mut parcel = nth(incident, number, |said| {
            said.impact = impact;
            said.phase = if last { Phase::Resolved } else { Phase::Identified };
            said.sort = match (last, &mends, roll) {
                (true, ..) => Sort::Closing,
                (_, Some(_), 0) => Sort::Retraction,
                (_, Some(_), _) => Sort::Correction,
                _ => Sort::Update,
            };
            said.mends = mends.as_ref().map(|(handle, _)| Mended {
                id: "x".into(),
                at: said.at,
                remote_id: Some(handle.clone()),
            });
        });
        parcel.thread_root = Some(told.root.clone()).filter(|root| !root.is_empty());
        let said = parcel.statement.clone().unwrap();
        let (handle, stands) = tell_or_stands(channel, &parcel, Some(dice)).await;
        told.stands |= stands;
        if told.root.is_empty() {
            (told.root, told.title) = (handle.clone(), said.title.clone());
        }
        if said.sort == Sort::Retraction {
            told.taken_back.extend(handles.pop().map(|(_, words)| words));
        }
        handles.push((handle, said.text.clone()));
        told.words.push(said.text);
    }
    told.words.retain(|words| !told.taken_back.contains(words));
    told
}

/// Builds a channel at an address. A list has more than one item here, or none.
pub(super) fn at(kind: &str, url: &str, texts: &[(&str, &str)], components: &[&str]) -> Channel {
    assert_ne!(components.len(), 1);
    let list = components.join(&super::stories::UNIT.to_string());
    let own = [("url", url), ("private_addresses", "allow"), ("components", list.as_str())];
    let texts: Vec<(&str, &str)> =
        own.into_iter().chain(texts.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
    super::stories::build(super::kind(kind).unwrap(), &texts, &[("token", "not-a-real-token")]).unwrap()
}
