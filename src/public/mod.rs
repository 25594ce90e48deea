//! What the public is shown: a model, and its renderings to files. Pure: no I/O, no clock, no store.
//!
//! Whoever publishes fills [`Shown`] with what was released to the public and nothing else; [`write()`] makes the files of it, which
//! the public listener and the channels of the kind `site` hand out as they are. The same model gives the same bytes. No id of
//! ours, no name of a service and no word of an alert has a place in it.

use jiff::Timestamp;

use crate::core::voice::{Impact, Phase, Sort};

mod clean;
mod days;
mod feeds;
mod files;
mod html;
mod statuspage;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_days;
#[cfg(test)]
mod stories_words;
mod write;

pub use days::{Day, Line, Word, lines, newest_word};
pub use files::{File, Files, Newest};
pub use write::{WriteError, write};

/// Days that pages and bars go back, today among them.
pub const DAYS: usize = 90;

/// Everything that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What the page is called.
    pub title: String,
    /// Where it is seen, without a slash at the end; without it, links begin at the root and feeds have no addresses.
    pub url: Option<String>,
    /// Whom readers may turn to: an address of mail, or of a page.
    pub contact: Option<String>,
    /// Where the form goes by which people subscribe, a whole address; it has one field, `address`. None: there is no form.
    pub subscribe: Option<String>,
    /// When all of this was so.
    pub made_at: Timestamp,
    /// In the order in which they are shown.
    pub components: Vec<Component>,
    /// Those of the last [`DAYS`] days of which anything was said in public, and all that are open; in any order.
    pub incidents: Vec<PublicIncident>,
    /// What is planned, and what goes on of it, and what is over by less than [`DAYS`] days; in any order.
    pub maintenance: Vec<Planned>,
}

/// Something that readers know by this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its public name, which incidents call it by.
    pub name: String,
    /// Since when anything is known of it: days before have no bar.
    pub since: Timestamp,
}

/// An incident, as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicIncident {
    /// Opaque, never changes, never another's, and reveals nothing, as how many there were: it stands in addresses.
    pub key: String,
    /// What it is called in public.
    pub title: String,
    /// What is affected, as was said last.
    pub components: Vec<String>,
    /// How much readers notice, as was said last.
    pub impact: Impact,
    /// How far it is, as was said last.
    pub phase: Phase,
    /// Since when readers have noticed it.
    pub began: Timestamp,
    /// Until when, once it is over.
    pub ended: Option<Timestamp>,
    /// What was said, in any order.
    pub statements: Vec<PublicStatement>,
}

/// One statement that went out to the public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicStatement {
    /// Its id, by which channels know it: `42-3`. It is not written anywhere.
    pub id: String,
    /// Opaque, never changes, never another's: it stands in addresses and feeds.
    pub key: String,
    /// Of what sort it is.
    pub sort: Sort,
    /// How far the incident was.
    pub phase: Phase,
    /// How much readers noticed.
    pub impact: Impact,
    /// What was affected.
    pub components: Vec<String>,
    /// What it says, or that it was taken back.
    pub said: Said,
    /// When it went out.
    pub at: Timestamp,
    /// When the next one is promised for.
    pub next_by: Option<Timestamp>,
    /// Of a correction or a retraction: the key of what it mends, and when that went out.
    pub mends: Option<(String, Timestamp)>,
}

/// The words of a statement. Of one that was taken back there are none to be shown by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// As they were approved.
    Text(String),
    /// They were taken back.
    Retracted {
        /// When.
        at: Timestamp,
    },
}

/// Work that was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Opaque, never changes, never another's.
    pub key: String,
    /// What it is called.
    pub title: String,
    /// What it touches.
    pub components: Vec<String>,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// What is done, and what readers notice.
    pub text: String,
}

/// How a component is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It works.
    Operational,
    /// Announced work goes on.
    Maintenance,
    /// It is slower, or part of it is.
    Degraded,
    /// Part of it does not work.
    PartialOutage,
    /// It does not work.
    MajorOutage,
}

impl State {
    /// All of them, the least first.
    pub const ALL: [Self; 5] =
        [Self::Operational, Self::Maintenance, Self::Degraded, Self::PartialOutage, Self::MajorOutage];

    /// What an impact means for what is affected.
    pub fn of(impact: Impact) -> Self {
        match impact {
            Impact::None => Self::Operational,
            Impact::Minor => Self::Degraded,
            Impact::Major => Self::PartialOutage,
            Impact::Critical => Self::MajorOutage,
        }
    }

    /// The word for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Operational => "Operational",
            Self::Maintenance => "Under maintenance",
            Self::Degraded => "Degraded performance",
            Self::PartialOutage => "Partial outage",
            Self::MajorOutage => "Major outage",
        }
    }

    /// The word of Statuspage's API, which is also the name of its looks.
    pub fn word(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::Maintenance => "under_maintenance",
            Self::Degraded => "degraded_performance",
            Self::PartialOutage => "partial_outage",
            Self::MajorOutage => "major_outage",
        }
    }
}

impl Shown {
    /// What is the matter on the whole: the worst of what is shown as it is now.
    pub fn state(&self) -> State {
        let components = lines(self).into_iter().map(|line| line.state);
        // An incident counts also where it names nothing that is listed.
        let open = self.open().map(|incident| State::of(days::impact_now(incident)));
        components.chain(open).max().unwrap_or(State::Operational)
    }

    /// Incidents that are not over, the newest first.
    pub fn open(&self) -> impl Iterator<Item = &PublicIncident> {
        self.newest_first().into_iter().filter(|incident| incident.is_open())
    }

    /// All incidents, the newest first.
    fn newest_first(&self) -> Vec<&PublicIncident> {
        let mut incidents: Vec<_> = self.incidents.iter().collect();
        incidents.sort_by(|one, other| (other.began, &other.key).cmp(&(one.began, &one.key)));
        incidents
    }

    /// Planned work that is not over, the next first.
    fn planned(&self) -> Vec<&Planned> {
        let mut planned: Vec<_> = self.maintenance.iter().filter(|one| one.to > self.made_at).collect();
        planned.sort_by(|one, other| (one.from, &one.key).cmp(&(other.from, &other.key)));
        planned
    }

    /// An address on the page, as links of it are written.
    fn path(&self, path: &str) -> String {
        match &self.url {
            Some(url) => format!("{}{path}", prefix(url)),
            None => path.to_owned(),
        }
    }
}

impl PublicIncident {
    /// Whether it goes on, as far as readers were told.
    pub fn is_open(&self) -> bool {
        self.ended.is_none() && self.phase != Phase::Resolved
    }

    /// Its statements, the newest first.
    fn newest_first(&self) -> Vec<&PublicStatement> {
        let mut statements: Vec<_> = self.statements.iter().collect();
        statements.sort_by(|one, other| (other.at, &other.key).cmp(&(one.at, &one.key)));
        statements
    }

    /// When it last changed.
    fn changed_at(&self) -> Timestamp {
        self.statements
            .iter()
            .map(PublicStatement::changed_at)
            .chain(self.ended)
            .fold(self.began, Timestamp::max)
    }

    /// When the next statement is promised for: what was said last says so. What corrects or takes back and promises nothing leaves what was
    /// promised, unless that was taken back.
    fn next_by(&self) -> Option<Timestamp> {
        let leaves = |one: &&PublicStatement| {
            matches!(one.sort, Sort::Correction | Sort::Retraction) && one.next_by.is_none()
        };
        let said = self.newest_first().into_iter().find(|one| !leaves(one))?;
        if !matches!(said.said, Said::Text(_)) {
            return None;
        }
        said.next_by.filter(|_| self.is_open())
    }
}

impl PublicStatement {
    fn changed_at(&self) -> Timestamp {
        match self.said {
            Said::Retracted { at } => self.at.max(at),
            Said::Text(_) => self.at,
        }
    }

    /// What stands above it.
    fn heading(&self) -> &'static str {
        match self.sort {
            Sort::Correction => "Correction",
            Sort::Retraction => "Retraction",
            Sort::Update | Sort::Holding | Sort::Closing => self.phase.title(),
        }
    }
}

/// The path in an address of a page, without a slash at its end.
fn prefix(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| rest[at..].trim_end_matches('/'))
}
