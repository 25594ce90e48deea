//! Stories of sites.
