//! The configuration made ready to use, swapped as a whole when it is read again.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::SecretString;

use crate::core::rules::Rules;
use crate::render::Renderer;
use crate::sources::{Kind, Options};

/// Everything the configuration says, built.
#[derive(Default)]
pub struct House {
    /// What decisions depend on.
    pub rules: Arc<Rules>,
    /// Puts words to letters.
    pub renderer: Renderer,
    /// Channels that write one letter for each recipient, and these recipients.
    pub recipients: BTreeMap<String, Vec<String>>,
    /// Where alerts come from, by name.
    pub sources: BTreeMap<String, Source>,
}

/// One place alerts come from.
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: &'static Kind,
    /// Its secrets; any of them will do.
    pub tokens: Vec<SecretString>,
    /// What its alerts are about.
    pub service: String,
    /// What else the operator set.
    pub options: Options,
}

/// The house as it is now.
pub struct Current(RwLock<Arc<House>>);

impl Current {
    /// Begins with a house.
    pub fn new(house: House) -> Self {
        Self(RwLock::new(Arc::new(house)))
    }

    /// The house as it is now; it stays as it is for who holds it.
    pub fn get(&self) -> Arc<House> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another in its place.
    pub fn swap(&self, house: House) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(house);
    }
}
