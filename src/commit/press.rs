//! Presses of buttons of answer pages: a human's is an act; a program's is remembered, and does nothing.
//!
//! Every page begins with a button that people neither see nor reach. Scanners of mail that press what they find press it
//! too. Whatever was pressed on a page that had been made by then does nothing, and that is looked at inside the
//! transaction: two presses at the same moment have an order.

use jiff::Timestamp;

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::decide::{Act, By};
use crate::core::timeline::{Actor, Route};
use crate::store::{StoreError, tokens};

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
        let actor = Actor::Person(press.person.clone());
        self.act(home, act.clone(), &By { actor, route: Route::AnswerLink, occurred_at: None })
    }

    /// Said once for each link: what scans one mail may do so again and again.
    fn saw_robot(&mut self, press: &Press) -> Result<(), StoreError> {
        if !tokens::saw_robot(self.tx, &press.link)? {
            return Ok(());
        }
        tracing::info!(incident.id = press.incident, "a program pressed the hidden button of an answer page");
        let home = self.home_of(press.incident)?;
        let Some(saved) = self.memory.incident(self.tx, home)?.filter(|saved| saved.incident.is_open())
        else {
            return Ok(());
        };
        let commands = saved.incident.commander().is_some_and(|command| command.person == press.person);
        let what = format!("a program pressed the hidden button of the page for {}", press.person);
        // It may have pressed another one before this.
        let text = match commands {
            true => {
                format!("{what}: a scanner of mail; ask whether {} knows of having command", press.person)
            }
            false => format!("{what}: a scanner of mail; nothing was decided"),
        };
        let _refused = self.act(home, Act::Note { text }, &By::dispatch())?;
        Ok(())
    }
}
