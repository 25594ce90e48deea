//! Ten thousand losses: whatever is lost between us and a channel, before or after it has written, with the answer or with our own
//! process, no statement is there twice; and every one is there, or people are told that nobody knows.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::stories::Story;
use super::*;
use crate::channels::Outcome;
use crate::core::alert::Status;
use crate::core::decide::{Act, By, Draft, Next, Speech, Wish};
use crate::core::timeline::{Actor, Route};
use crate::deliver::{Repeats, may_be_there, settle};
use crate::store::incidents;
use crate::store::letters::Claim;

/// So many losses in all.
const LOSSES: usize = 10_000;
/// Incidents of which something is said at the same time.
const INCIDENTS: i64 = 40;
/// Attempts of one round.
const HANDS: usize = 100;

/// Chance, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// The other side: how often each delivery stands there.
#[derive(Default)]
struct Remote(BTreeMap<String, u32>);

/// One attempt: what the channel says of it, or nothing where our process died meanwhile.
fn attempt(
    remote: &mut Remote,
    claim: &Claim,
    looks: bool,
    dice: &mut Dice,
    losses: &mut usize,
) -> Option<Outcome> {
    if let Some(outcome) = may_be_there(claim, repeats(looks)) {
        return Some(outcome);
    }
    let there = remote.0.entry(claim.id.clone()).or_default();
    let lost = |why: &str| Some(Outcome::Unknown { why: why.into() });
    let accepted = || Some(Outcome::Accepted { remote_id: None });
    if looks && claim.attempt > 1 {
        match (dice.below(5), *there) {
            // It could not even be looked: what an attempt before may have written is not known by this one either.
            (0, _) => return lost("it cannot be looked for"),
            (_, 1..) => return accepted(),
            (_, 0) => {}
        }
    }
    let kind = dice.below(7);
    *losses += usize::from(kind < 5);
    match kind {
        0 => None,
        1 => {
            *there += 1;
            None
        }
        2 => lost("the connection was lost before it wrote"),
        3 => {
            *there += 1;
            lost("the connection was lost after it wrote")
        }
        4 => Some(Outcome::Wait { after: None, why: "429".into() }),
        _ => {
            *there += 1;
            accepted()
        }
    }
}

fn repeats(looks: bool) -> Repeats {
    if looks { Repeats::LookedFor } else { Repeats::Never }
}

#[test]
fn of_ten_thousand_losses_none_makes_a_statement_stand_twice() {
    let mut story = Story::speaking();
    for number in 2..=INCIDENTS {
        assert_eq!(story.hears("pingdom", &format!("k{number}"), Status::Firing).1, Some(number));
    }
    let (mut dice, mut losses, mut said) = (Dice(0x5eed), 0, 0);
    let mut remotes =
        [("status", true), ("feed", false)].map(|(channel, looks)| (channel, looks, Remote::default()));
    let by = || By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    for incident in 2..=INCIDENTS {
        story.ask(Command::Act { incident, act: Act::Answer { help: false }, by: by() }).unwrap();
    }
    while losses < LOSSES {
        let mut commands = Vec::new();
        for incident in 1..=INCIDENTS {
            said += 1;
            let draft = Draft {
                audience: crate::core::audience::Audience::Public,
                sort: None,
                phase: None,
                impact: None,
                title: None,
                text: "Some payments fail.".into(),
                next: Next::Never,
                mends: None,
                channels: vec!["status".into(), "feed".into()],
            };
            let number = story.look(|tx| incidents::load(tx, incident)).unwrap().incident.voice.next_number();
            let write = Speech::of(Wish::Draft { number: None, draft });
            let send = Speech::of(Wish::Publish { number, wording: None });
            commands.push(Command::Act { incident, act: write, by: by() });
            commands.push(Command::Act { incident, act: send, by: by() });
        }
        story.ask_all(commands).into_iter().for_each(|done| drop(done.unwrap()));
        // Until nothing waits any more.
        loop {
            let mut none = true;
            for (channel, looks, remote) in &mut remotes {
                let claims = story.claim(channel);
                none &= claims.is_empty();
                assert!(claims.len() <= HANDS);
                let mut settlements = Vec::new();
                for claim in claims {
                    let Some(outcome) = attempt(remote, &claim, *looks, &mut dice, &mut losses) else {
                        continue;
                    };
                    let settlement = settle(&claim, &outcome, repeats(*looks), story.clock.now(), 0.5);
                    settlements.push(Command::Settle { claim: Arc::new(claim), settlement, alone: false });
                }
                story.ask_all(settlements).into_iter().for_each(|done| drop(done.unwrap()));
            }
            story.clock.forward(SignedDuration::from_secs(95));
            let waits = story.look(crate::store::letters::waiting);
            if none && !waits.iter().any(|(channel, ..)| ["status", "feed"].contains(&channel.as_str())) {
                break;
            }
        }
    }
    for (channel, _, remote) in &remotes {
        let twice: Vec<_> = remote.0.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{channel}: {twice:?}");
    }
    // Where it can be looked, every one is there, or was given up and told; where not, nobody knows of some, and that is told.
    let mut outcomes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for incident in 1..=INCIDENTS {
        let voice = story.look(|tx| incidents::load(tx, incident)).unwrap().incident.voice;
        for reached in voice.statements.iter().flat_map(|one| &one.reached) {
            *outcomes.entry((reached.channel.clone(), reached.outcome.clone())).or_default() += 1;
        }
    }
    let of = |channel: &str, outcome: &str| {
        outcomes.get(&(channel.to_owned(), outcome.to_owned())).copied().unwrap_or_default()
    };
    assert_eq!(of("status", ""), 0, "{outcomes:?}");
    let unknown = of("status", "unknown");
    assert!(unknown * 100 < of("status", "accepted"), "it was looked but for the last time: {outcomes:?}");
    assert!(of("feed", "unknown") > 0 && of("feed", "accepted") > 0, "{outcomes:?}");
    assert!(losses >= LOSSES && said > 1000, "{losses} {said}");
    story.proves_whole();
}
