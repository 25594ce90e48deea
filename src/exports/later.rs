//! What a board does not show: corrections of any entry, also of notes, and every change and task there ever was, for a board
//! keeps the newest.

use std::collections::BTreeMap;

use crate::core::board::{Action, Put, Task, beside};
use crate::core::incident::Incident;
use crate::core::timeline::Fact;
use crate::store::timeline::Kept;

/// So many corrections are put behind one entry's words; of more it is said that there are more.
const SHOWN_MAX: usize = 50;

/// What was said later of each entry, and of that.
#[derive(Clone, Debug, Default)]
pub struct Later<'a> {
    /// Of an entry: the numbers and words of the first entries that correct it, and one more than is shown.
    of: BTreeMap<u32, Vec<(u32, &'a str)>>,
}

impl<'a> Later<'a> {
    /// Of a whole timeline.
    pub fn of(entries: &'a [Kept]) -> Self {
        let mut of: BTreeMap<u32, Vec<(u32, &str)>> = BTreeMap::new();
        // Which entry a correction is of.
        let mut corrects = BTreeMap::new();
        for kept in entries {
            let Fact::Board(Put::Corrected { entry, text }) = &kept.entry.fact else { continue };
            let mut next = Some(*entry);
            while let Some(entry) = next.filter(|entry| *entry < kept.entry.seq) {
                let all = of.entry(entry).or_default();
                // Where one has more than is shown, so has what it corrects.
                if all.len() > SHOWN_MAX {
                    break;
                }
                all.push((kept.entry.seq, text));
                next = corrects.get(&entry).copied();
            }
            corrects.insert(kept.entry.seq, *entry);
        }
        Self { of }
    }

    /// What is put behind the words of an entry that was corrected.
    pub fn beside(&self, entry: u32) -> String {
        let all = self.of.get(&entry).map_or(&[][..], Vec::as_slice);
        let text = beside(all.iter().take(SHOWN_MAX).copied());
        match text.strip_suffix(')') {
            Some(begun) if all.len() > SHOWN_MAX => format!("{begun}; and by later ones)"),
            _ => text,
        }
    }
}

/// Everything that was to be done, or was done.
#[derive(Clone, Debug, Default)]
pub struct Ever {
    /// Every change that was announced, as it stands now.
    pub changes: Vec<Action>,
    /// Every task that was given.
    pub tasks: Vec<Task>,
}

impl Ever {
    /// Of a whole timeline: each as it stood on the board when something was last said of it.
    pub fn of(entries: &[Kept]) -> Self {
        let (mut changes, mut tasks) = (BTreeMap::new(), BTreeMap::new());
        let mut fold: Option<Incident> = None;
        for kept in entries {
            let entry = &kept.entry;
            fold = match fold.take() {
                None => Incident::open(1, entry).ok(),
                Some(mut fold) => fold.apply(entry).ok().map(|()| fold),
            };
            // Of a timeline that does not follow, what came before is told: `verify` says where it breaks.
            let Some(Incident { board, .. }) = &fold else { break };
            let (change, task) = match &entry.fact {
                Fact::Board(Put::ActionBegan { number, .. } | Put::ActionEnded { number, .. }) => {
                    (Some(*number), None)
                }
                Fact::Board(
                    Put::TaskGiven { number, .. }
                    | Put::TaskEnded { number, .. }
                    | Put::TaskOverdue { number },
                ) => (None, Some(*number)),
                // Whatever was not over is over with it.
                Fact::Resolved { .. } | Fact::Merged { .. } => {
                    changes.extend(board.actions.iter().map(|one| (one.number, one.clone())));
                    tasks.extend(board.tasks.iter().map(|one| (one.number, one.clone())));
                    continue;
                }
                _ => continue,
            };
            let change = board.actions.iter().rev().find(|one| Some(one.number) == change);
            changes.extend(change.map(|one| (one.number, one.clone())));
            let task = board.tasks.iter().rev().find(|one| Some(one.number) == task);
            tasks.extend(task.map(|one| (one.number, one.clone())));
        }
        Self { changes: changes.into_values().collect(), tasks: tasks.into_values().collect() }
    }
}
