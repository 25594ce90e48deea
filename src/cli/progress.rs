//! Progress of work that takes long.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::Clock;

/// Work that is done sooner shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// A spinner turns so often.
const TURN_EVERY: Duration = Duration::from_millis(200);

/// A line that moves, when standard error is a terminal and the work takes long.
pub(super) struct Progress<'a> {
    clock: &'a Clock,
    began: std::time::Instant,
    bar: ProgressBar,
}

impl<'a> Progress<'a> {
    pub(super) fn new(clock: &'a Clock, what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let template = format!("{{spinner}} {{pos}} {what}, {{per_sec}}, {{elapsed}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self { clock, began: clock.mark(), bar }
    }

    pub(super) fn show(&self, done: u64) {
        // indicatif shows nothing where standard error is no terminal.
        if self.bar.is_hidden() && self.clock.mark().duration_since(self.began) > PROGRESS_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(done);
    }

    /// Turns by itself, for work that says nothing until it is done. It is shown from its first moment on.
    pub(super) fn turn(&self) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            self.bar.set_style(style);
        }
        self.bar.set_message("counting");
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(TURN_EVERY);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
