//! What is known of a store that is away: since when, and what this node holds for it meanwhile. Written by the
//! thread that commits, read by whoever has to tell.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::spool::Held;

/// The state of the store, as this node sees it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Away(Arc<Mutex<State>>);

/// See [`Away`].
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Since when it takes no writes; `None` while it does.
    pub since: Option<Timestamp>,
    /// What the spool holds; `None` without a spool.
    pub held: Option<Held>,
    /// The spool took what came last.
    pub takes: bool,
    /// Something was not taken since that was asked last.
    pub deaf: bool,
}

impl Away {
    /// As it is now.
    pub fn look(&self) -> State {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether deliveries are taken although the store is away.
    pub fn is_held(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.held.is_some() && state.takes
    }

    /// Something that was sent was not taken.
    pub fn was_deaf_now(&self) {
        self.set(|state| state.deaf = true);
    }

    /// Whether something that was sent was not taken since this was asked last, or is held, and so not in the store.
    pub fn take_deaf(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = state.held.as_ref().is_some_and(|held| held.deliveries > 0);
        std::mem::take(&mut state.deaf) || holds
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
