//! Decisions told as stories.
