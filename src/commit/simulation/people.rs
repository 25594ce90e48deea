//! What people do to incidents, and what they are told.

use super::*;

impl World {
    pub(super) fn somebody_acts(&mut self) {
        let Some(node) = self.awake() else { return };
        let newest =
            self.look(|tx| tx.query_one("select max(id) from incident", &[], |row| row.int_or_null(0)));
        let Some(newest) = newest.flatten() else { return };
        // The newest ones most of the time: the old ones are over.
        let far = if self.dice.one_in(4) { 20 } else { 3 };
        let id = (newest - self.dice.below(far)).max(1);
        let before = self.look(|tx| incidents::load(tx, id)).expect("numbers have no gaps").incident;
        let commander = before.commander().map(|command| command.person.clone());
        let person = match commander {
            Some(commander) if self.dice.one_in(2) => commander,
            _ => self.dice.pick(PEOPLE).to_owned(),
        };
        let robot = self.dice.one_in(12);
        let term = before.term + u32::from(self.dice.one_in(8));
        let (person, act) = match self.dice.below(15) {
            10.. => {
                let (by, act) = self.about_command(&before, term);
                (by.unwrap_or(person), act)
            }
            choice => (person, self.about_an_incident(choice, term)),
        };
        let actor = if robot { Actor::Automation(person.clone()) } else { Actor::Person(person.clone()) };
        let by = || By { actor: actor.clone(), route: Route::AnswerLink, occurred_at: None };
        let fate = self.fate();
        // Two people at the same moment, each at a node of their own or at the same.
        let rival =
            (matches!(act, Act::Answer { .. }) && self.dice.one_in(3)).then(|| self.awake()).flatten();
        let told = self.nodes[node].ask(Command::Act { incident: id, act, by: by() }, fate);
        self.was_told(id, &person, robot, told);
        if let Some(other) = rival {
            let person = self.dice.pick(&PEOPLE[..3]).to_owned();
            let by = By { actor: Actor::Person(person.clone()), route: Route::Api, occurred_at: None };
            let act = Act::Answer { help: false };
            let told = self.nodes[other].ask(Command::Act { incident: id, act, by }, Fate::Well);
            self.was_told(id, &person, false, told);
        }
    }

    fn about_an_incident(&mut self, choice: i64, term: u32) -> Act {
        match choice {
            0..3 => Act::Answer { help: self.dice.one_in(3) },
            3 => Act::Decline,
            4 => Act::CheckIn,
            5 => Act::Note { text: "seen".into() },
            6 => Act::Mitigate { term, cause: None },
            7 => Act::Reopen { why: "again".into() },
            _ => Act::Resolve { term, false_alarm: self.dice.one_in(2) },
        }
    }

    pub(super) fn was_told(&mut self, id: i64, person: &str, robot: bool, told: Told) {
        match told {
            Some(Ok(Reply::Decided(
                incident,
                Reason::TookCommand
                | Reason::Transferred
                | Reason::TransferredTwice
                | Reason::Assumed
                | Reason::AssumedTwice,
            ))) => {
                assert!(!robot && person != "stranger", "{person} commands INC-{id}");
                // What was asked of an incident that became part of another is done there.
                let id = incident.id;
                let other = self.commanders.insert((id, incident.term), person.to_owned());
                assert_eq!(
                    other, None,
                    "two people were told that they command INC-{id}, term {}",
                    incident.term
                );
            }
            Some(Ok(_) | Err(DoorError::Store)) | None => {}
            Some(Err(DoorError::Refused(refusal))) => {
                assert!(!matches!(refusal, Refusal::Fault(_)), "{refusal}");
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }
}
