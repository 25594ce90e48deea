//! Seeded simulation: alerts, answers, deadlines, letters with every outcome, crashes and a clock that is
//! set, in random order over the real door and store. What must hold is looked at all the way and at the end.
//!
//! A run that fails prints its seed; `ONSCENE_SIMULATION_SEED` runs it again.

use std::collections::{BTreeMap, BTreeSet};

use super::stories::Story;
use super::*;
use crate::channels::Outcome;
use crate::core::alert::Status;
use crate::core::escalation::longest_wait;
use crate::core::incident::Phase;
use crate::core::timeline::{Actor, Fact, Route};
use crate::deliver::settle;
use crate::store::letters::{Kind, Wanted};
use crate::store::{alerts, incidents, timeline};

/// Runs, and steps of each.
const SEEDS: u64 = 24;
const STEPS: u32 = 400;
/// How long everything is given to come to rest: longer than any letter waits.
const REST_MINUTES: u32 = 130;
const KEYS: i64 = 6;
const PEOPLE: &[&str] = &["maya", "tom", "kim", "stranger"];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % sides.unsigned_abs()).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(i64::try_from(of.len()).unwrap())).unwrap()]
    }
}

/// What the other side knows of one letter.
#[derive(Default)]
struct Sent {
    accepted: u32,
    /// It may have arrived without our knowing: a second copy is allowed.
    unsure: bool,
}

struct World {
    story: Story,
    dice: Dice,
    held: Vec<Claim>,
    sent: BTreeMap<String, Sent>,
    /// What was said last of each alert, where its sender tells no time.
    said: BTreeMap<(String, String), Status>,
    opened: BTreeSet<i64>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            story: Story::new(),
            dice: Dice(seed),
            held: Vec::new(),
            sent: BTreeMap::new(),
            said: BTreeMap::new(),
            opened: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..36 => self.hears(),
            36..56 => self.somebody_acts(),
            56..68 => self.meets_deadlines(),
            68..78 => self.claims(),
            78..92 => self.an_attempt_ends(),
            92..96 => self.moves(600),
            96 => self.moves(3 * 24 * 3600),
            97 if self.dice.below(2) == 0 => self.moves(-600),
            97 => self.moves(-2 * 24 * 3600),
            _ => self.crashes(),
        }
    }

    fn moves(&mut self, seconds: i64) {
        let by = self.dice.below(seconds.abs()) * seconds.signum();
        self.story.clock.forward(SignedDuration::from_secs(by));
    }

    /// One delivery, or several that share a transaction.
    fn hears(&mut self) {
        let several = if self.dice.below(3) == 0 { 1 + self.dice.below(4) } else { 1 };
        let deliveries = (0..several).map(|_| self.delivery()).collect();
        for answer in self.story.ask_all(deliveries) {
            let Ok(Reply::Events(_, results)) = answer else { panic!("a delivery was not taken") };
            let opened = results.iter().filter(|result| result.outcome == "opened");
            self.opened
                .extend(opened.map(|result| result.incident.expect("an opened incident has a number")));
        }
    }

    fn delivery(&mut self) -> Command {
        let source = self.dice.pick(&["pingdom", "prometheus"]);
        let mut events = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let key = format!("key-{}", self.dice.below(KEYS));
            let status = if self.dice.below(5) < 3 { Status::Firing } else { Status::Resolved };
            let mut event = Event::new(key.clone(), status, "t");
            if self.dice.below(10) < 3 {
                let late = SignedDuration::from_secs(self.dice.below(120));
                event.occurred_at = Some(self.story.clock.now() - late);
                self.said.remove(&(source.to_owned(), key));
            } else {
                self.said.insert((source.to_owned(), key), status);
            }
            events.push(event);
        }
        self.story.delivery(source, events)
    }

    fn somebody_acts(&mut self) {
        let ids: Vec<i64> = self.opened.iter().copied().collect();
        if ids.is_empty() {
            return;
        }
        // The newest ones most of the time: the old ones are over.
        let far = if self.dice.below(4) == 0 { 20 } else { 3 };
        let back = self.dice.below(far);
        let id = ids[ids.len().saturating_sub(1 + usize::try_from(back).unwrap()).min(ids.len() - 1)];
        let saved = self.story.look(|tx| incidents::load(tx, id)).expect("an opened incident is there");
        let commander = saved.incident.commander().map(|command| command.person.clone());
        let person = match commander {
            Some(commander) if self.dice.below(2) == 0 => commander,
            _ => self.dice.pick(PEOPLE).to_owned(),
        };
        let term = saved.incident.term + u32::from(self.dice.below(8) == 0);
        let act = match self.dice.below(10) {
            0..3 => Act::Answer { help: self.dice.below(3) == 0 },
            3 => Act::Decline,
            4 => Act::CheckIn,
            5 => Act::Note { text: "seen".into() },
            6 => Act::Mitigate { term, cause: None },
            7 => Act::Reopen { why: "again".into() },
            _ => Act::Resolve { term, false_alarm: self.dice.below(2) == 0 },
        };
        let by = By { actor: Actor::Person(person), route: Route::AnswerLink, occurred_at: None };
        match self.story.ask(Command::Act { incident: id, act, by }) {
            Ok(_) => {}
            Err(DoorError::Refused(refusal)) => {
                assert!(!matches!(refusal, crate::core::decide::Refusal::Fault(_)), "{refusal}");
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn meets_deadlines(&mut self) {
        let longest = longest_wait(&self.story.committer.house.get().rules);
        for (incident, _) in self.story.look(|tx| incidents::due(tx, longest, 128)) {
            self.story.ask(Command::Act { incident, act: Act::Tick, by: By::dispatch() }).unwrap();
        }
    }

    fn claims(&mut self) {
        for channel in self.story.look(letters::channels_due) {
            let of_channel = self.held.iter().filter(|claim| claim.channel == channel);
            let held = of_channel.map(Claim::number).collect();
            let limit = u32::try_from(1 + self.dice.below(4)).unwrap();
            let wanted = Wanted { channel, lease: SignedDuration::from_secs(60), limit, held };
            let Ok(Reply::Claims(claims)) = self.story.ask(Command::Claim(wanted)) else {
                panic!("letters cannot be claimed");
            };
            for claim in claims {
                assert!(
                    self.held.iter().all(|held| held.number() != claim.number()),
                    "a letter in hand was given out again"
                );
                let saved = self.story.look(|tx| incidents::load(tx, claim.incident)).unwrap();
                let pointless = match claim.kind {
                    Kind::Page => saved.incident.state() != "triggered",
                    Kind::Help | Kind::Pio => !saved.incident.is_open(),
                    _ => false,
                };
                assert!(!pointless, "{} was woken for nothing", claim.person);
                self.held.push(claim);
            }
        }
    }

    fn an_attempt_ends(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let which = self.dice.below(i64::try_from(self.held.len()).unwrap());
        let outcome = match self.dice.below(20) {
            0..12 => Outcome::Accepted { remote_id: None },
            12..15 => Outcome::Wait { after: None, why: "busy".into() },
            15 => Outcome::Wait { after: Some(Duration::from_secs(1800)), why: "busy".into() },
            16 => Outcome::Refused { why: "unknown".into(), whole_channel: false },
            17 => Outcome::Refused { why: "no login".into(), whole_channel: true },
            _ => Outcome::Unknown { why: "silence".into() },
        };
        self.settles(usize::try_from(which).unwrap(), &outcome);
    }

    fn settles(&mut self, which: usize, outcome: &Outcome) {
        let claim = self.held.remove(which);
        let sent = self.sent.entry(claim.id.clone()).or_default();
        match outcome {
            Outcome::Accepted { .. } => sent.accepted += 1,
            Outcome::Unknown { .. } => sent.unsure = true,
            Outcome::Wait { .. } | Outcome::Refused { .. } => {}
        }
        assert!(sent.accepted <= 1 || sent.unsure, "{} was sent twice: {claim:?}", claim.kind.as_str());
        let again = claim.channel != "ops-room";
        let settlement = settle(&claim, outcome, again, self.story.clock.now(), 0.5);
        self.story.ask(Command::Settle { claim: Arc::new(claim), settlement, alone: false }).unwrap();
    }

    /// What was in hand is lost; of each letter it may be that the other side has it.
    fn crashes(&mut self) {
        for claim in std::mem::take(&mut self.held) {
            let sent = self.sent.entry(claim.id).or_default();
            sent.unsure = true;
            sent.accepted += u32::from(self.dice.below(2) == 0);
        }
        self.story.crashes();
    }

    /// An hour in which everything works, and more: then nothing may be left undone.
    fn comes_to_rest(&mut self) {
        for _ in 0..REST_MINUTES {
            self.story.passes(1);
            self.meets_deadlines();
            loop {
                while !self.held.is_empty() {
                    self.settles(0, &Outcome::Accepted { remote_id: None });
                }
                self.claims();
                if self.held.is_empty() {
                    break;
                }
            }
        }
        let waiting = self.story.look(letters::waiting);
        assert!(waiting.is_empty(), "letters were never delivered: {waiting:?}");
    }

    fn nobody_was_left_unwoken(&mut self) {
        let now = self.story.clock.now();
        for id in self.opened.clone() {
            let saved = self.story.look(|tx| incidents::load(tx, id)).expect("what was accepted is there");
            if let Phase::Triggered { quiet_until, .. } = &saved.incident.phase {
                assert!(quiet_until.is_none(), "INC-{id} never cleared itself");
                let sql = "select max(created_at) from letter where incident = ?1 and kind = 'page'
                             and created_at <= ?2";
                let binds = [id.into(), now.into()];
                let last = self.story.look(|tx| tx.query_one(sql, &binds, |row| row.time_or_null(0)));
                let last = last.flatten().unwrap_or_else(|| panic!("nobody was paged for INC-{id}"));
                assert!(
                    now.duration_since(last) < SignedDuration::from_mins(7),
                    "INC-{id} waits since {last}"
                );
            }
            let kept = self.story.look(|tx| timeline::list(tx, id, 0, 10_000));
            let count = |is: fn(&Fact) -> bool| kept.iter().filter(|kept| is(&kept.entry.fact)).count();
            let written = |kinds: &str| {
                let sql = format!("select count(*) from letter where incident = ?1 and kind in ({kinds})");
                move |tx: &Tx<'_>| tx.query_one(&sql, &[id.into()], |row| row.int(0))
            };
            let pages = count(|fact| matches!(fact, Fact::Paged { .. }));
            let pio = count(|fact| matches!(fact, Fact::PioCalled { .. }));
            assert_eq!(self.story.look(written("'page', 'help'")), i64::try_from(pages).ok(), "INC-{id}");
            assert_eq!(self.story.look(written("'pio_page'")), i64::try_from(pio).ok(), "INC-{id}");
        }
    }

    fn alerts_are_what_was_said_last(&mut self) {
        // By now no hour lies ahead, and what is said with the hour of now is the newest.
        for key in 0..KEYS {
            let key = format!("key-{key}");
            let resolved = Event::new(key.clone(), Status::Resolved, "t");
            let event = Event { occurred_at: Some(self.story.clock.now()), ..resolved };
            self.story.ask(self.story.delivery("prometheus", vec![event])).unwrap();
            self.said.insert(("prometheus".into(), key), Status::Resolved);
        }
        for ((source, key), status) in self.said.clone() {
            let known = self.story.look(|tx| alerts::known(tx, &source, &key)).expect("it was accepted");
            assert_eq!(known.status, status, "{source} {key}");
        }
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.comes_to_rest();
    world.nobody_was_left_unwoken();
    world.alerts_are_what_was_said_last();
    world.story.proves_whole();
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test's own seed, from the environment or the hour")]
fn whatever_happens_in_whatever_order_nothing_is_lost_and_nobody_is_woken_twice() {
    let given = std::env::var("ONSCENE_SIMULATION_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let first = given.unwrap_or_else(|| Clock::system().now().as_microsecond().unsigned_abs());
    for seed in first..first + if given.is_some() { 1 } else { SEEDS } {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            #[allow(clippy::print_stderr, reason = "how to run it again")]
            {
                eprintln!("ONSCENE_SIMULATION_SEED={seed}");
            }
            std::panic::resume_unwind(panic);
        }
    }
}
