//! The clocks of a tenure at the door: which letters they write, that their hours are on disk, and that an outage of any length is one
//! step to be caught up with.

use super::stories_command::{Night, accept, offer};
use super::*;
use crate::core::board::{Put, RequestState};
use crate::core::command::{Call, Office, Turn};
use crate::core::decide::{Bid, Write};
use crate::core::timeline::{Actor, Fact};
use crate::store::timeline;

impl Night {
    /// Killed, and there again: what it knows it has from its store.
    fn restarts(&mut self) {
        let (clock, place) = (self.story.clock.clone(), self.story.committer.place.clone());
        let (_door, committer) = door(
            Room { queue_max: 16, spool: None },
            Connection::writer(&place, &clock).unwrap(),
            place,
            clock,
            self.story.committer.house.clone(),
            self.story.metrics.clone(),
            Wakes::default(),
        );
        self.story.committer = committer;
    }

    /// Nobody is there for so long, and then what is due is done.
    fn is_away_for(&mut self, minutes: i64) -> Vec<String> {
        self.restarts();
        self.story.passes(minutes);
        self.passes(1)
    }

    /// Nobody is looked for or asked how it goes: the clocks of the tenure are alone.
    fn is_calm(&mut self) {
        let mut rules = (*self.story.committer.house.get().rules).clone();
        rules.clocks.silent_after.clear();
        for pace in rules.command.pace.values_mut() {
            let none = SignedDuration::ZERO;
            (pace.check_in, pace.size_up, pace.progress) = (none, none, none);
        }
        let mut house = super::stories::house();
        house.rules = Arc::new(rules);
        self.story.committer.house.swap(house);
    }

    fn calm() -> Self {
        let mut night = Self::begins();
        night.is_calm();
        night
    }

    /// Maya commands and is on scene, and so is tom.
    fn calm_and_manned() -> Self {
        let mut night = Self::calm();
        night.does("maya", Act::CheckIn);
        night.does("tom", Act::CheckIn);
        night
    }

    fn newest_words(&mut self, person: &str) -> String {
        let newest = "select payload from letter where person = ?1 order by seq desc limit 1";
        self.story.look(|tx| tx.query_one(newest, &[person.into()], |row| row.text(0))).unwrap()
    }

    fn counts(&mut self, is: impl Fn(&Fact) -> bool) -> usize {
        self.facts().iter().filter(|fact| is(fact)).count()
    }
}

#[test]
fn who_has_not_heard_who_commands_is_told_once_more_also_by_who_was_away_at_that_hour() {
    for away in [false, true] {
        let mut night = Night::calm_and_manned();
        night.does("lee", Act::CheckIn);
        night.does("maya", offer("tom", 1));
        let told = night.does("tom", accept(1));
        assert_eq!(told, ["notice maya", "notice lee", "notice kim", "status ops-room"]);
        night.does("lee", Act::Command(Bid::Heard { term: 2 }));
        assert!(night.passes(3).is_empty());
        let told = if away { night.is_away_for(24 * 60) } else { night.passes(3) };
        let of_receipts = if away { &told[..1] } else { &told[..] };
        assert_eq!(of_receipts, ["notice maya"], "it rings nobody, and whoever knows is left alone");
        let unheard = |fact: &Fact| matches!(fact, Fact::Command(Turn::Unheard { people, term: 2 }) if people[..] == ["maya"]);
        assert_eq!(night.counts(unheard), 1);
        assert_eq!(night.commander(), ("tom".into(), 2));
        let again = night.passes(30);
        assert!(again.is_empty(), "{again:?}");
        if !away {
            let words = night.newest_words("maya");
            assert!(
                words.contains("tom has command of INC-1 (term 2). Say on its page that you know"),
                "{words}"
            );
        }
        assert_eq!(night.incident().offices.unaware, ["maya"]);
        night.does("maya", Act::Command(Bid::Heard { term: 2 }));
        assert!(night.incident().offices.unaware.is_empty());
        night.story.proves_whole();
    }
}

#[test]
fn relief_is_asked_for_at_its_hours_and_after_an_outage_once() {
    let mut night = Night::calm_and_manned();
    let office = Office::Deputy;
    night.does("maya", Act::Command(Bid::Assign { office, person: "tom".into(), term: 1 }));
    night.does("tom", Act::Command(Bid::Accept { office: Some(office), term: None, brief: None }));
    assert!(night.passes(4 * 60 - 1).is_empty());
    night.restarts();
    assert_eq!(night.passes(2), ["notice maya"]);
    let words = night.newest_words("maya");
    assert!(
        words.contains("You have commanded INC-1 for 4 hours. Who relieves you? Hand over in two acts"),
        "{words}"
    );
    assert_eq!(night.passes(4 * 60), ["notice maya", "notice tom"]);
    let words = night.newest_words("tom");
    assert!(
        words.contains("has commanded INC-1 for 8 hours, and it is time that somebody takes over"),
        "{words}"
    );
    assert!(night.passes(60).is_empty());
    assert_eq!(night.commander(), ("maya".into(), 1));
    night.story.proves_whole();

    // Away for ten hours: one letter, and not two.
    let mut night = Night::calm();
    night.does("maya", Act::CheckIn);
    night.does("maya", Act::Board(Write::SizeUp { text: "both are master".into() }));
    assert_eq!(night.is_away_for(10 * 60), ["notice maya"]);
    let words = night.newest_words("maya");
    assert!(words.contains("for 8 hours. It is time to be relieved"), "{words}");
    assert!(words.contains("Nobody else is on scene: ask for somebody on its page"), "{words}");
    let asked =
        |fact: &Fact| matches!(fact, Fact::Board(Put::Called { call: Call::Relief | Call::ReliefLate }));
    assert_eq!(night.counts(asked), 1);
    assert!(night.is_away_for(10 * 60).is_empty());
    night.story.proves_whole();
}

#[test]
fn support_is_called_by_rule_wakes_one_person_once_and_says_so_to_who_commands() {
    for away in [false, true] {
        let mut night = Night::calm();
        night.does("maya", Act::CheckIn);
        assert!(night.passes(9).is_empty());
        let told = if away { night.is_away_for(60) } else { night.passes(2) };
        // Whom the rule calls is waited for as for any request, which is said after five minutes.
        assert_eq!(told[..2], ["help tom", "notice maya"]);
        assert_eq!(told.len(), 2, "{told:?}");
        let words = night.newest_words("maya");
        assert!(words.contains("tom is called to INC-1 to support you, by rule"), "{words}");
        assert!(words.contains("Command stays with you"), "{words}");
        let words = night.newest_words("tom");
        assert!(words.contains("You are called as support, by rule: nobody had to ask"), "{words}");
        assert_eq!(night.commander(), ("maya".into(), 1));
        let entries = night.story.look(|tx| timeline::list(tx, 1, 0, 1000));
        let called = entries.iter().find(|kept| kept.entry.fact.kind() == "requested").unwrap();
        assert_eq!(called.entry.actor, Actor::Dispatch);
        assert!(called.entry.fact.text().contains("called by rule, not asked for by maya"));
        // Their answer is that to a request, and nothing rings on.
        assert_eq!(night.state_of("help", "tom"), "pending");
        night.does("tom", Act::CheckIn);
        assert_eq!(night.state_of("help", "tom"), "dropped");
        assert_eq!(night.incident().board.requests[0].state, RequestState::OnScene);
        let told = night.passes(120);
        assert!(told.is_empty(), "once: {told:?}");
        night.story.proves_whole();
    }
}

#[test]
fn a_clock_that_was_two_days_ahead_puts_off_no_hour_of_a_tenure() {
    let mut night = Night::calm();
    night.story.passes(48 * 60);
    night.does("maya", Act::CheckIn);
    night.does("maya", Act::Board(Write::SizeUp { text: "both are master".into() }));
    night.story.is_put_back(48 * 60);
    assert_eq!(night.story.deadlines_are_met(), [Reason::Rescheduled]);
    assert!(night.story.deadlines_are_met().is_empty());
    assert!(night.passes(4 * 60 - 1).is_empty());
    assert_eq!(night.passes(1), ["notice maya"]);
    night.story.proves_whole();
}

/// Relief is hours away, and its hour lies further ahead than anything that wakes somebody: neither is looked at as if a clock had
/// been wrong, and a lease that is too far ahead is found all the same.
#[test]
fn an_hour_of_relief_is_no_fault_of_a_clock_and_hides_none() {
    let mut night = Night::calm_and_manned();
    assert_eq!(night.story.deadlines_are_met(), [] as [Reason; 0]);
    assert!(night.incident().due_at().is_some());
    night.story.proves_whole();
    let mut night = Night::is_manned();
    night.story.passes(3 * 60);
    while night.story.tick(1) != Reason::NotDue {}
    night.does("maya", Act::Board(Write::SizeUp { text: "both are master".into() }));
    night.story.is_put_back(3 * 60);
    assert!(
        night.story.deadlines_are_met().contains(&Reason::Rescheduled),
        "her lease ends three hours too late"
    );
    night.story.proves_whole();
}
