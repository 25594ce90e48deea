//! Presses of buttons of answer pages: a human's is an act; a program's is remembered, and does nothing.
//!
//! Every page begins with a button that people neither see nor reach. Scanners of mail that press what they find press it
//! too. Whatever was pressed on a page that had been made by then does nothing, and that is looked at inside the
//! transaction: two presses at the same moment have an order. Where the other button was pressed first, a program may have
//! command in the name of somebody who sleeps: they are paged, and others for help.

use jiff::{SignedDuration, Timestamp};

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::decide::{Act, By, Reason};
use crate::core::incident::Incident;
use crate::core::timeline::{Actor, Route};
use crate::store::incidents::Saved;
use crate::store::{StoreError, tokens, unreadable};

/// Beside the ids of deliveries stands which presses were taken, under the name of a source that none can have.
const PRESSED: &str = "onscene:press";
/// A program that presses the hidden button so soon after command was taken by the same page may have done that, too.
const SAME_PROGRAM: SignedDuration = SignedDuration::from_mins(5);

/// A press of a button of an answer page.
#[derive(Debug)]
pub struct Press {
    /// The link of the page, by [`tokens::link_hash`].
    pub link: [u8; 32],
    /// When the page was made that the button stood on.
    pub made_at: Timestamp,
    /// The incident of the link.
    pub incident: i64,
    /// The person of the link.
    pub person: String,
    /// What the button means; `None`: it is one that people do not see.
    pub act: Option<Act>,
    /// The word of this press, which a page that is sent again has, too; none where a second time does no harm.
    pub once: Option<String>,
}

impl Work<'_, '_> {
    pub(super) fn press(&mut self, press: &Press) -> Result<Result<Reply, DoorError>, StoreError> {
        let Some(act) = &press.act else {
            self.saw_robot(press)?;
            return Ok(Ok(Reply::Done));
        };
        if tokens::robot_at(self.tx, &press.link)?.is_some_and(|at| press.made_at <= at) {
            return Ok(Err(DoorError::Robot));
        }
        // A page is answered where its incident has gone.
        let home = self.home_of(press.incident)?;
        let commands = |saved: Option<Saved>| {
            saved.as_ref().is_some_and(|saved| commands(&saved.incident, &press.person))
        };
        if let Some(once) = &press.once
            && unreadable::is_known(self.tx, PRESSED, once)?
            && let Some(saved) = self.memory.incident(self.tx, home)?
        {
            let reason = match (act, saved.incident.commander()) {
                (Act::Answer { .. }, Some(_)) if commands(Some(saved.clone())) => Reason::AlreadyCommands,
                (Act::Answer { .. }, Some(_)) => Reason::CommandIsTaken,
                _ => Reason::Recorded,
            };
            return Ok(Ok(Reply::Decided(Box::new(saved.incident.clone()), reason)));
        }
        let had_command = commands(self.memory.incident(self.tx, home)?);
        let actor = Actor::Person(press.person.clone());
        let done = self.act(home, act.clone(), &By { actor, route: Route::AnswerLink, occurred_at: None })?;
        if done.is_ok() && !had_command && commands(self.memory.incident(self.tx, home)?) {
            tokens::took(self.tx, &press.link)?;
        }
        if let (Some(once), Ok(_)) = (&press.once, &done) {
            unreadable::first_time(self.tx, PRESSED, once)?;
        }
        Ok(done)
    }

    /// Said once for each link, as what scans one mail may do so again and again; and once for each time that it may have
    /// taken command.
    fn saw_robot(&mut self, press: &Press) -> Result<(), StoreError> {
        let is_first = tokens::saw_robot(self.tx, &press.link)?;
        let took_at = tokens::took_at(self.tx, &press.link)?;
        let may_have_taken = took_at.is_some_and(|at| self.tx.now.duration_since(at) <= SAME_PROGRAM);
        if !is_first && !may_have_taken {
            return Ok(());
        }
        tracing::info!(incident.id = press.incident, "a program pressed the hidden button of an answer page");
        let home = self.home_of(press.incident)?;
        let Some(saved) = self.memory.incident(self.tx, home)?.filter(|saved| saved.incident.is_open())
        else {
            return Ok(());
        };
        let person = press.person.clone();
        let what = format!("a program pressed the hidden button of the page for {person}: a scanner of mail");
        let act = match commands(&saved.incident, &person) {
            true if may_have_taken => {
                tokens::forget_taking(self.tx, &press.link)?;
                let text = format!("{what}; it may have taken command as well, and {person} may not know");
                Act::Doubt { person, text }
            }
            true => Act::Note { text: format!("{what}; ask whether {person} knows of having command") },
            false if is_first => Act::Note { text: format!("{what}; nothing was decided") },
            false => return Ok(()),
        };
        let _refused = self.act(home, act, &By::dispatch())?;
        Ok(())
    }
}

fn commands(incident: &Incident, person: &str) -> bool {
    incident.commander().is_some_and(|command| command.person == person)
}
