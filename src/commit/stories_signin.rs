//! Signing in, told as stories.
