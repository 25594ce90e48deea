//! Stories of ways: which letters leave for a page, when, and what becomes of it. Each says every letter that may leave, and
//! nothing else may.

use jiff::SignedDuration;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::letter::Misread;
use crate::core::reach::{Quiet, Way};
use crate::core::timeline::{Actor, Route};
use crate::render::Words;
use crate::store::{letters, timeline};

pub(super) fn way(name: &str, minutes: i64, severities: &[Severity]) -> Way {
    Way {
        name: name.into(),
        to: format!("{name}-address"),
        after: SignedDuration::from_mins(minutes),
        severities: severities.to_vec(),
        notices: false,
    }
}

impl Story {
    /// Maya has a push at once and an SMS two minutes later; tom has a call after an hour.
    fn with_ways() -> Self {
        Self::with_ways_of(vec![way("push", 0, &[]), way("sms", 2, &[])], None)
    }

    pub(super) fn with_ways_of(ways: Vec<Way>, quiet: Option<Quiet>) -> Self {
        let mut house = house();
        let mut rules = (*house.rules).clone();
        let maya = rules.people.get_mut("maya").unwrap();
        (maya.ways, maya.quiet) = (ways, quiet);
        rules.people.get_mut("tom").unwrap().ways = vec![way("voice", 60, &[])];
        house.rules = Arc::new(rules);
        let story = Self::new();
        story.committer.house.swap(house);
        story
    }

    /// Every letter to a person that is due now, taken by whoever carries it: `push page maya push-address`.
    pub(super) fn carried(&mut self) -> Vec<Claim> {
        let mut taken = Vec::new();
        for (channel, _) in self.look(letters::channels_due) {
            if channel != "ops-room" {
                taken.extend(self.claim(&channel));
            }
        }
        taken
    }

    pub(super) fn leaves(&mut self) -> Vec<String> {
        let taken = self.carried();
        let names = shown(&taken);
        for claim in taken {
            self.settle(claim, Settlement::Accepted { remote_id: None });
        }
        names
    }

    /// What leaves within so many minutes, a minute at a time.
    pub(super) fn leaves_within(&mut self, minutes: i64) -> Vec<String> {
        let mut all = Vec::new();
        for minute in 1..=minutes {
            self.passes(1);
            all.extend(self.leaves().into_iter().map(|one| format!("{minute}: {one}")));
        }
        all
    }

    pub(super) fn is_refused(&mut self, claim: Claim, why: &str) {
        self.settle(claim, Settlement::Refused { why: why.into() });
    }

    pub(super) fn last_lines(&mut self, incident: i64, count: usize) -> Vec<String> {
        let entries = self.look(|tx| timeline::list(tx, incident, 0, 1000));
        let skipped = entries.len().saturating_sub(count);
        entries.into_iter().skip(skipped).map(|kept| kept.text).collect()
    }

    fn worse(&mut self, key: &str, severity: AlertSeverity) {
        let mut event = Event::new(key, Status::Firing, format!("{key} is down"));
        event.severity = Some(severity);
        self.ask(self.delivery("pingdom", vec![event])).unwrap();
    }
}

pub(super) fn shown(claims: &[Claim]) -> Vec<String> {
    let name =
        |claim: &Claim| if claim.channel.is_empty() { "mail".to_owned() } else { claim.channel.clone() };
    claims.iter().map(|claim| format!("{} {} {}", name(claim), claim.kind.as_str(), claim.person)).collect()
}

pub(super) fn taken(mut claims: Vec<Claim>, by: &str) -> (Claim, Vec<Claim>) {
    let place = claims.iter().position(|claim| claim.channel == by).unwrap();
    (claims.remove(place), claims)
}

#[test]
fn a_page_goes_by_mail_and_push_at_once_and_by_sms_two_minutes_later() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    let first = story.carried();
    assert_eq!(shown(&first), ["mail page maya", "push page maya"]);
    assert_eq!((&*first[0].address, &*first[1].address), ("maya@example.net", "push-address"));
    // One link, whichever way it came.
    let links: Vec<Option<String>> =
        first.iter().map(|one| serde_json::from_str::<Words>(&one.payload).unwrap().answer).collect();
    assert!(links[0].is_some() && links[0] == links[1], "{links:?}");
    for claim in first {
        story.settle(claim, Settlement::Accepted { remote_id: Some("queued as 4711 for a@b".into()) });
    }
    let lines = [
        "page to maya: accepted (by mail: queued as 4711 for)",
        "page to maya: accepted (by push: queued as 4711 for)",
    ];
    assert_eq!(story.last_lines(1, 2), lines);
    assert_eq!(story.leaves_within(4), ["2: sms page maya"]);
    story.passes(1);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    assert_eq!(story.leaves(), ["mail page tom"]);
    story.passes(1);
    story.act(1, "kim", Act::Answer { help: false }).unwrap();
    assert_eq!(story.leaves(), ["mail notice maya", "mail notice tom", "mail pio_page kim"]);
    assert_eq!(story.leaves_within(130), Vec::<String>::new(), "tom is not called after an hour");
    story.proves_whole();
}

#[test]
fn nobody_is_called_after_they_answered_whatever_they_said() {
    for act in [Act::Decline, Act::Answer { help: false }] {
        let mut story = Story::with_ways();
        story.hears("pingdom", "db-1", Status::Firing);
        assert_eq!(story.leaves(), ["mail page maya", "push page maya"]);
        story.passes(1);
        let declined = act == Act::Decline;
        story.act(1, "maya", act).unwrap();
        let expected: &[&str] = if declined { &["mail page tom"] } else { &["mail pio_page kim"] };
        assert_eq!(story.leaves(), expected);
        assert_eq!(story.leaves_within(4), Vec::<String>::new(), "no SMS");
        story.proves_whole();
    }
}

#[test]
fn who_is_paged_again_after_they_declined_is_called_again() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    story.leaves();
    story.passes(1);
    story.act(1, "maya", Act::Decline).unwrap();
    assert_eq!(story.leaves(), ["mail page tom"]);
    story.passes(5);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    assert_eq!(story.leaves(), ["mail page maya", "push page maya"]);
    assert_eq!(story.leaves_within(3), ["2: sms page maya"]);
    story.proves_whole();
}

#[test]
fn a_page_that_one_way_refused_and_another_took_has_reached_its_person() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    let (mail, rest) = taken(story.carried(), "");
    story.is_refused(mail, "550 no such user");
    assert_eq!(story.last_lines(1, 1), ["page to maya: refused (by mail: 550 no such user)"]);
    let (push, _) = taken(rest, "push");
    story.settle(push, Settlement::Accepted { remote_id: None });
    assert_eq!(story.last_lines(1, 1), ["page to maya: accepted (by push)"]);
    assert_eq!(story.leaves_within(4), ["2: sms page maya"], "tom sleeps on");
    story.proves_whole();
}

#[test]
fn what_waits_is_taken_at_once_when_all_else_has_failed_and_the_next_people_when_that_fails_too() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    let (mail, rest) = taken(story.carried(), "");
    story.is_refused(mail, "550 no such user");
    assert!(story.carried().is_empty(), "the push may reach her");
    let (push, _) = taken(rest, "push");
    story.is_refused(push, "404");
    let (sms, rest) = taken(story.carried(), "sms");
    assert!(rest.is_empty());
    story.is_refused(sms, "21211 no such number");
    let lines = story.last_lines(1, 3);
    let why = "by mail: 550 no such user; by push: 404; by sms: 21211 no such number";
    assert_eq!(lines[0], format!("the page did not reach maya: {why}"));
    assert_eq!(lines[2], "tom is paged (page 1)");
    assert_eq!(story.leaves(), ["mail page tom"]);
    story.proves_whole();
}

#[test]
fn a_way_that_hangs_or_is_broken_holds_up_no_other_and_the_page_waits_for_it() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    let (push, rest) = taken(story.carried(), "push");
    let (mail, _) = taken(rest, "");
    story.is_refused(mail, "550 no such user");
    assert_eq!(story.last_lines(1, 1), ["page to maya: refused (by mail: 550 no such user)"], "told at once");
    // The push gateway answers that nothing can be sent: it is asked again, as mail is.
    let at = story.clock.now() + SignedDuration::from_secs(30);
    story.settle(push, Settlement::Again { at, why: "401".into(), unsure: false });
    assert!(story.carried().is_empty());
    story.passes(1);
    let (push, rest) = taken(story.carried(), "push");
    assert!(rest.is_empty() && push.attempt == 2);
    story.is_refused(push, "given up after 2 attempts: 401");
    assert_eq!(shown(&story.carried()), ["sms page maya"]);
    story.proves_whole();
}

#[test]
fn who_answered_while_a_way_was_tried_is_not_called_by_it_any_more() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    let (push, _) = taken(story.carried(), "push");
    story.passes(1);
    story.act(1, "maya", Act::Decline).unwrap();
    let at = story.clock.now() + SignedDuration::from_secs(5);
    story.settle(push, Settlement::Again { at, why: "busy".into(), unsure: false });
    story.passes(1);
    assert_eq!(shown(&story.carried()), ["mail page tom"]);
    story.proves_whole();
}

#[test]
fn in_quiet_hours_mail_comes_alone_and_the_rest_follows_when_it_gets_worse() {
    let all_day = [(0, 12), (12, 0)];
    let time = |hour| jiff::civil::time(hour, 0, 0, 0);
    let hours = all_day.map(|(from, until)| (time(from), time(until))).to_vec();
    let quiet = Quiet { hours, severities: vec![Severity::Sev3, Severity::Sev4] };
    let ways = vec![way("push", 0, &[]), way("sms", 2, &[Severity::Sev1])];
    let mut story = Story::with_ways_of(ways, Some(quiet));
    story.worse("db-1", AlertSeverity::Warning);
    assert_eq!(story.leaves(), ["mail page maya"]);
    assert_eq!(story.leaves_within(3), Vec::<String>::new());
    story.worse("db-1", AlertSeverity::Error);
    let push = story.carried();
    assert_eq!(shown(&push), ["push page maya"], "SEV2 is not for the hours, and not for the SMS");
    for claim in push {
        story.is_refused(claim, "404");
    }
    assert!(story.last_lines(1, 1)[0].contains("refused (by push"), "the mail of the same page was taken");
    story.worse("db-1", AlertSeverity::Critical);
    assert_eq!(story.leaves_within(4), ["2: sms page maya"]);
    let pages = "select count(distinct page) from letter where kind = 'page'";
    assert_eq!(story.look(|tx| tx.query_one(pages, &[], |row| row.int(0))), Some(1));
    story.worse("db-1", AlertSeverity::Critical);
    assert!(story.carried().is_empty());
    story.proves_whole();
}

#[test]
fn what_waits_follows_an_incident_that_became_part_of_another() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "a", Status::Firing);
    assert_eq!(story.leaves(), ["mail page maya", "push page maya"]);
    let by = || By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    story.act(1, "tom", Act::Decline).unwrap();
    story
        .ask(Command::Declare {
            title: "b".into(),
            service: "shop".into(),
            severity: Severity::Sev2,
            by: by(),
        })
        .unwrap();
    let second: Vec<String> = story.leaves();
    assert_eq!(second, ["mail page maya", "push page maya"]);
    story.passes(1);
    story.ask(Command::Merge { incident: 1, into: 2, term: None, by: by() }).unwrap();
    story.leaves();
    // One SMS, and not one of each.
    assert_eq!(story.leaves_within(3), ["1: sms page maya"]);
    story.act(2, "maya", Act::Answer { help: false }).unwrap();
    story.leaves();
    assert_eq!(story.leaves_within(10), Vec::<String>::new());
    story.proves_whole();
}

#[test]
fn notices_go_by_the_ways_that_are_to_carry_them_and_answers_to_mail_by_mail() {
    let mut push = way("push", 1, &[]);
    push.notices = true;
    let mut story = Story::with_ways_of(vec![push, way("sms", 2, &[])], None);
    story.hears("pingdom", "db-1", Status::Firing);
    assert_eq!(story.leaves(), ["mail page maya"]);
    assert_eq!(story.leaves_within(3), ["1: push page maya", "2: sms page maya"]);
    story.act(1, "tom", Act::Answer { help: false }).unwrap();
    assert_eq!(story.leaves(), ["mail notice maya", "mail pio_page kim", "push notice maya"]);
    let tell = Act::Tell { person: "maya".into(), why: Misread::Empty };
    story.ask(Command::Act { incident: 1, act: tell, by: By::dispatch() }).unwrap();
    assert_eq!(story.leaves(), ["mail notice maya"]);
    story.proves_whole();
}

#[test]
fn the_pio_is_not_called_after_they_wrote_what_they_were_called_for() {
    let mut story = Story::with_ways();
    let mut house = house();
    let mut rules = (*house.rules).clone();
    rules.people.get_mut("kim").unwrap().ways = vec![way("sms", 2, &[])];
    house.rules = Arc::new(rules);
    story.committer.house.swap(house);
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    assert_eq!(story.leaves(), ["mail pio_page kim"]);
    story.passes(1);
    story.act(1, "kim", Act::Draft { text: "we look into it".into() }).unwrap();
    assert_eq!(story.leaves_within(5), Vec::<String>::new());
    story.proves_whole();
}

#[test]
fn an_hour_of_delay_is_no_clock_that_was_ahead_and_a_clock_that_was_is_put_right() {
    let mut story = Story::with_ways_of(vec![way("voice", 60, &[])], None);
    story.hears("pingdom", "db-1", Status::Firing);
    assert_eq!(story.leaves(), ["mail page maya"]);
    assert_eq!(story.leaves_within(4), Vec::<String>::new());
    story.proves_whole();
    let mut story = Story::with_ways_of(vec![way("voice", 30, &[])], None);
    story.passes(600);
    story.hears("pingdom", "db-1", Status::Firing);
    story.is_put_back(600);
    assert_eq!(story.leaves(), ["mail page maya", "voice page maya"], "nobody waits for ten hours");
    story.proves_whole();
}

#[test]
fn an_incident_that_cannot_be_read_holds_back_no_letter_of_another_nor_its_own() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    story.hears("pingdom", "db-2", Status::Firing);
    let whole =
        story.look(|tx| tx.query_one("select state from incident where id = 1", &[], |row| row.text(0)));
    let put = |story: &mut Story, state: &str| {
        let sql = "update incident set state = ?1 where id = 1";
        let now = story.clock.now();
        story.committer.connection.write(now, |tx| tx.write(sql, &[state.into()])).unwrap();
    };
    put(&mut story, "{");
    let taken = story.carried();
    let numbers: Vec<(i64, &str)> = taken.iter().map(|one| (one.incident, one.channel.as_str())).collect();
    assert_eq!(numbers, [(1, ""), (2, ""), (1, "push"), (2, "push")]);
    put(&mut story, &whole.unwrap());
    story.proves_whole();
}

#[test]
fn an_answer_of_an_hour_that_is_still_to_come_makes_no_page_vanish() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    let (push, _) = taken(story.carried(), "push");
    story.passes(600);
    story.act(1, "maya", Act::Decline).unwrap();
    story.is_put_back(599);
    let at = story.clock.now();
    story.settle(push, Settlement::Again { at, why: "busy".into(), unsure: false });
    assert!(shown(&story.carried()).contains(&"push page maya".to_owned()));
    story.proves_whole();
}

#[test]
fn who_answered_before_the_last_way_failed_is_not_out_of_reach() {
    let mut story = Story::with_ways();
    story.hears("pingdom", "db-1", Status::Firing);
    let (mail, rest) = taken(story.carried(), "");
    let (push, _) = taken(rest, "push");
    story.is_refused(mail, "550 no such user");
    story.passes(1);
    // The SMS that waits is dropped.
    story.act(1, "maya", Act::Decline).unwrap();
    story.is_refused(push, "404");
    assert_eq!(story.last_lines(1, 1), ["page to maya: refused (by push: 404)"]);
    story.proves_whole();
    // Where no letter waits, it is the answer that tells.
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let mail = story.claim("").remove(0);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.is_refused(mail, "550 no such user");
    assert_eq!(story.last_lines(1, 1), ["page to maya: refused (by mail: 550 no such user)"]);
    story.proves_whole();
}

#[test]
fn a_sign_of_life_ends_what_still_waits_of_the_page_that_asked_for_it() {
    let mut house = house();
    let mut rules = (*house.rules).clone();
    rules.people.get_mut("maya").unwrap().ways = vec![way("sms", 2, &[])];
    rules.clocks.silent_after =
        Severity::ALL.map(|severity| (severity, SignedDuration::from_mins(30))).into_iter().collect();
    house.rules = Arc::new(rules);
    let mut story = Story::new();
    story.committer.house.swap(house);
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.leaves();
    story.passes(31);
    assert_eq!(story.tick(1), Reason::AskedCommander);
    assert_eq!(story.leaves(), ["mail help maya"]);
    story.passes(1);
    story.act(1, "maya", Act::Note { text: "looking at the disks".into() }).unwrap();
    assert_eq!(story.leaves_within(5), Vec::<String>::new());
    story.proves_whole();
}

#[test]
fn each_letter_is_left_to_others_by_its_own_hour() {
    let mut story = Story::with_ways();
    let taken = |story: &mut Story| {
        let (lease, left) = (SignedDuration::from_secs(60), SignedDuration::from_secs(120));
        let wanted = letters::Wanted { channel: "push".into(), lease, limit: 100, left, held: Vec::new() };
        let Reply::Claims(claims) = story.ask(Command::Claim(wanted)).unwrap() else {
            panic!("another answer")
        };
        claims.iter().map(|claim| claim.incident).collect::<Vec<_>>()
    };
    story.hears("pingdom", "db-1", Status::Firing);
    story.passes(1);
    assert_eq!(taken(&mut story), Vec::<i64>::new());
    story.hears("pingdom", "db-2", Status::Firing);
    story.passes(1);
    assert_eq!(taken(&mut story), [1]);
    story.passes(1);
    assert_eq!(taken(&mut story), [2], "the lease of the first has run out, and not for so long");
    story.proves_whole();
}

#[test]
fn a_page_does_not_wait_behind_the_notices_of_its_way_and_one_that_is_pointless_does_not_leave() {
    let mut push = way("push", 0, &[]);
    push.notices = true;
    let mut story = Story::with_ways_of(vec![push], None);
    let few = |story: &mut Story| {
        let (lease, left) = (SignedDuration::from_secs(60), SignedDuration::ZERO);
        let wanted = letters::Wanted { channel: "push".into(), lease, limit: 2, left, held: Vec::new() };
        let Reply::Claims(claims) = story.ask(Command::Claim(wanted)).unwrap() else {
            panic!("another answer")
        };
        claims.iter().map(|claim| format!("{} {}", claim.kind.as_str(), claim.incident)).collect::<Vec<_>>()
    };
    for incident in 1..=150 {
        story.hears("pingdom", &format!("db-{incident}"), Status::Firing);
        story.act(incident, "tom", Act::Answer { help: false }).unwrap();
    }
    story.hears("pingdom", "db-151", Status::Firing);
    story.hears("pingdom", "db-152", Status::Firing);
    story.act(152, "tom", Act::Answer { help: false }).unwrap();
    assert_eq!(few(&mut story), ["page 151", "notice 1"]);
    assert_eq!(few(&mut story), ["notice 2", "notice 3"]);
    story.proves_whole();
}

#[test]
fn who_was_called_again_and_has_not_answered_that_hears_that_it_got_worse() {
    let begins = || {
        let ways = vec![way("push", 0, &[]), way("sms", 0, &[Severity::Sev1])];
        let mut story = Story::with_ways_of(ways, None);
        story.worse("db-1", AlertSeverity::Error);
        assert_eq!(story.leaves(), ["mail page maya", "push page maya"]);
        story.passes(1);
        story
    };
    let by_sms = |story: &mut Story| {
        story.worse("db-1", AlertSeverity::Critical);
        let mut left = story.leaves();
        left.retain(|one| one.starts_with("sms"));
        left
    };
    // Somebody has it, and she sleeps on; or they want her help.
    let mut story = begins();
    story.act(1, "tom", Act::Answer { help: false }).unwrap();
    assert_eq!(by_sms(&mut story), Vec::<String>::new());
    story.proves_whole();
    let mut story = begins();
    story.act(1, "tom", Act::Answer { help: true }).unwrap();
    assert!(story.leaves().contains(&"push help maya".to_owned()));
    assert_eq!(by_sms(&mut story), ["sms help maya"]);
    story.proves_whole();
    // What she said before it was opened again is no answer to what came then.
    let mut story = begins();
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.leaves();
    story.passes(1);
    story.worse("db-1", AlertSeverity::Error);
    story.passes(10);
    story.worse("db-1", AlertSeverity::Error);
    assert!(story.leaves().contains(&"push page maya".to_owned()));
    assert_eq!(by_sms(&mut story), ["sms page maya"]);
    story.proves_whole();
}

/// A node that does not know a way looks every ten seconds, until so many seconds are over. Says at which second a letter of it
/// was given up.
fn given_up(story: &mut Story, way: &str, seconds: i64) -> Option<i64> {
    for second in (0..=seconds).step_by(10) {
        let (lease, left) = (SignedDuration::from_secs(60), SignedDuration::from_secs(120));
        let wanted = letters::Wanted { channel: way.into(), lease, limit: 100, left, held: Vec::new() };
        let Reply::Claims(claims) = story.ask(Command::Claim(wanted)).unwrap() else {
            panic!("another answer")
        };
        for claim in claims {
            let outcome = crate::deliver::unknown_here(&claim);
            let settlement = crate::deliver::settle(
                &claim,
                &outcome,
                crate::deliver::Repeats::Never,
                story.clock.now(),
                0.5,
            );
            let is_over = matches!(settlement, Settlement::Refused { .. });
            story.settle(claim, settlement);
            if is_over {
                return Some(second);
            }
        }
        story.clock.forward(SignedDuration::from_secs(10));
    }
    None
}

#[test]
fn a_page_by_a_way_that_no_node_knows_is_lost_after_five_minutes_and_the_next_people_are_woken() {
    let mut story = Story::with_ways_of(vec![way("push", 0, &[])], None);
    story.hears("pingdom", "db-1", Status::Firing);
    let mail = story.claim("").remove(0);
    story.is_refused(mail, "550 no such user");
    // Two minutes are left to others, then one more and two again.
    assert_eq!(given_up(&mut story, "push", 600), Some(300));
    let lines = story.last_lines(1, 3);
    let why = "by mail: 550 no such user; by push: no way of this name is configured any more";
    assert_eq!(lines[0], format!("the page did not reach maya: {why}"));
    assert_eq!(lines[2], "tom is paged (page 1)");
    assert_eq!(story.leaves(), ["mail page tom"]);
    story.proves_whole();
    // Who has the page by mail is not taken for lost.
    let mut story = Story::with_ways_of(vec![way("push", 0, &[])], None);
    story.hears("pingdom", "db-1", Status::Firing);
    let mail = story.claim("").remove(0);
    story.settle(mail, Settlement::Accepted { remote_id: None });
    assert_eq!(given_up(&mut story, "push", 600), Some(300));
    let why = "page to maya: refused (by push: no way of this name is configured any more)";
    assert_eq!(story.last_lines(1, 1), [why]);
    assert!(story.carried().is_empty());
    story.proves_whole();
}

#[test]
fn a_node_that_comes_to_know_a_way_within_five_minutes_takes_what_waits_for_it() {
    let mut story = Story::with_ways_of(vec![way("push", 0, &[])], None);
    story.hears("pingdom", "db-1", Status::Firing);
    let mail = story.claim("").remove(0);
    story.is_refused(mail, "550 no such user");
    assert_eq!(given_up(&mut story, "push", 280), None);
    assert_eq!(story.leaves(), ["push page maya"]);
    assert_eq!(story.last_lines(1, 1), ["page to maya: accepted (by push)"]);
    story.proves_whole();
}
