//! Offices, and how command passes from one person to another.
//!
//! Command itself stands in the phase of an incident, because it cannot be empty while a human has it. What
//! stands here is around it: who holds the other offices, and who was offered command. An office that nobody
//! holds is the Commander's. The rules are in `decide`; this is the fold of what was decided.

use jiff::{SignedDuration, Timestamp};

use super::incident::CommandReason;

mod tenure;

pub use tenure::Tenure;

/// An office besides command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Office {
    /// Stands in for the Commander, and may assume command first when they are silent.
    Deputy,
    /// Speaks to everybody who is not a responder.
    Pio,
    /// May stop what is unsafe at once.
    Safety,
    /// Is the only one who calls an outside body.
    Liaison,
    /// Writes down what others do.
    Scribe,
}

impl Office {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Deputy, Self::Pio, Self::Safety, Self::Liaison, Self::Scribe];

    /// The word used in SQL, JSON, commands and forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deputy => "deputy",
            Self::Pio => "pio",
            Self::Safety => "safety",
            Self::Liaison => "liaison",
            Self::Scribe => "scribe",
        }
    }

    /// What people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Deputy => "Deputy",
            Self::Pio => "Public Information Officer",
            Self::Safety => "Safety Officer",
            Self::Liaison => "Liaison Officer",
            Self::Scribe => "Scribe",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|office| office.as_str() == word)
    }
}

/// An offer of command that nobody answers ends after this.
pub const OFFER_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// Two changes of command within so long of each other are too many for people to know who has it.
pub const TWICE_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// What is said then: to who has it, to who had it, and to everybody who hears of it. Nothing is refused.
pub const TWICE: &str = "Command has changed twice in 10 minutes; say aloud who has it.";

/// The word of the office of the Commander, on timelines and in requests.
pub const COMMANDER: &str = "commander";

/// Somebody in an office, or asked to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Which.
    pub office: Office,
    /// Who.
    pub person: String,
    /// Since when they hold it, or were asked.
    pub since: Timestamp,
    /// They said yes. Until then the office is not theirs.
    pub accepted: bool,
}

/// Command is offered to somebody. It stays where it is until they accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// To whom.
    pub to: String,
    /// By whom: who commands, or an administrator who orders it.
    pub by: String,
    /// An administrator ordered it.
    pub ordered: bool,
    /// Why; may be empty.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// It ends by itself at this hour.
    pub expires: Timestamp,
    /// The brief as it was then: see [`super::incident::Incident::moved`].
    pub brief: u32,
}

/// How an offer ended without a change of command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferEnd {
    /// They said no.
    Declined,
    /// It was taken back.
    Withdrawn,
    /// Nobody answered it in time.
    Expired,
    /// Another came in its place.
    Replaced,
}

impl OfferEnd {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Declined, Self::Withdrawn, Self::Expired, Self::Replaced];

    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
        }
    }
}

/// How who hands over and who takes over speak with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// They hear each other now.
    Live,
    /// They cannot, and write.
    Written,
}

impl Talk {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Live, Self::Written];

    /// The word used in SQL, JSON, commands and forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Written => "written",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|talk| talk.as_str() == word)
    }
}

/// What who takes command says of how it was handed over. All of it may be left out: two acts are enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Talked {
    /// How they spoke with each other.
    pub talk: Option<Talk>,
    /// What they read back, in their own words: the objective, the worst hazard, the change in flight, the next promise, and whom
    /// they ask first. Who hands over hears it, and can correct it. May be empty.
    pub read_back: String,
}

impl Talked {
    /// As it follows a sentence about the change; nothing where nothing was said.
    pub fn text(&self) -> String {
        let talk = match self.talk {
            None => "",
            Some(Talk::Live) => "; they spoke with each other",
            Some(Talk::Written) => "; in writing, they did not speak with each other",
        };
        let read_back = match self.read_back.as_str() {
            "" => String::new(),
            words => format!("; read back: {words}"),
        };
        format!("{talk}{read_back}")
    }
}

/// A change of command, as those hear of it who are told.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// The number of its entry.
    pub entry: u32,
    /// Who had command before.
    pub from: &'a str,
    /// What was said of it.
    pub talked: &'a Talked,
    /// It was the second within [`TWICE_WITHIN`].
    pub twice: bool,
}

/// How soon the Commander of an incident is asked for what, each time from the hour it begins to be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// From taking command to being on scene.
    pub check_in: SignedDuration,
    /// From being on scene to the size-up.
    pub size_up: SignedDuration,
    /// From one progress report to the next.
    pub progress: SignedDuration,
    /// From a change of command to asking once more who has not said that they know of it.
    pub receipts: SignedDuration,
    /// From taking command to being asked who takes it over.
    pub relief: SignedDuration,
    /// From taking command to being asked that once more, urgently.
    pub relief_late: SignedDuration,
    /// From being on scene, alone and without a word, to support that is called by rule.
    pub support: SignedDuration,
}

impl Pace {
    /// The longest wait of those that are no longer than anything else that an incident waits for: relief is not one.
    pub fn longest(&self) -> SignedDuration {
        self.check_in.max(self.size_up).max(self.progress).max(self.receipts).max(self.support)
    }
}

/// What the Commander is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// To be on scene.
    CheckIn,
    /// What happened, how big it is, and what is needed.
    SizeUp,
    /// Conditions, actions, needs.
    Progress,
    /// Who takes command over: they have had it for long.
    Relief,
    /// The same, once more and urgently.
    ReliefLate,
    /// Nothing: support is called by rule, and there is nobody left to call.
    Support,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::CheckIn, Self::SizeUp, Self::Progress, Self::Relief, Self::ReliefLate, Self::Support];

    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CheckIn => "check_in",
            Self::SizeUp => "size_up",
            Self::Progress => "progress",
            Self::Relief => "relief",
            Self::ReliefLate => "relief_late",
            Self::Support => "support",
        }
    }
}

/// The hours at which the Commander is asked for something. `None`: it was said, or asked for already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How far they are apart.
    pub pace: Pace,
    /// To be on scene.
    pub check_in: Option<Timestamp>,
    /// For the size-up.
    pub size_up: Option<Timestamp>,
    /// For the next progress report.
    pub progress: Option<Timestamp>,
    /// How often it was asked for one since they were heard of last.
    pub unanswered: u32,
}

/// Who has not answered so many questions how it goes is asked no more until they are heard of: the lease looks for them.
const PROGRESS_CALLS_MAX: u32 = 3;

impl Calls {
    /// As command begins. Who is on scene already is asked for the size-up, unless there is one.
    pub(super) fn begin(pace: Pace, at: Timestamp, on_scene: bool, sized_up: bool) -> Self {
        let progress = after(at, pace.progress);
        let mut calls = Self { pace, check_in: None, size_up: None, progress, unanswered: 0 };
        if on_scene {
            calls.arrived(at, sized_up);
        } else {
            calls.check_in = after(at, pace.check_in);
        }
        calls
    }

    /// The Commander is on scene.
    pub(super) fn arrived(&mut self, at: Timestamp, sized_up: bool) {
        self.check_in = None;
        if !sized_up {
            self.size_up = self.size_up.or(after(at, self.pace.size_up));
        }
    }

    /// The Commander said how it stands.
    pub(super) fn reported(&mut self, at: Timestamp) {
        self.progress = after(at, self.pace.progress);
    }

    /// The Commander was asked.
    pub(super) fn called(&mut self, call: Call, at: Timestamp) {
        match call {
            Call::CheckIn => self.check_in = None,
            Call::SizeUp => self.size_up = None,
            Call::Progress => {
                self.unanswered += 1;
                let goes_on = self.unanswered < PROGRESS_CALLS_MAX;
                self.progress = after(at, self.pace.progress).filter(|_| goes_on);
            }
            // These are of the tenure, and stand there.
            Call::Relief | Call::ReliefLate | Call::Support => {}
        }
    }

    /// The Commander did something.
    pub(super) fn heard(&mut self, at: Timestamp) {
        self.unanswered = 0;
        self.progress = self.progress.or(after(at, self.pace.progress));
    }

    /// No hour lies later than this one.
    pub(super) fn not_later_than(&mut self, hour: Timestamp) {
        for known in [&mut self.check_in, &mut self.size_up, &mut self.progress] {
            *known = known.map(|known| known.min(hour));
        }
    }

    /// Other hours, of which none lies later than it did.
    pub(super) fn not_later(new: Option<Self>, before: Option<Self>) -> Option<Self> {
        let (mut new, before) = (new?, before);
        if let Some(before) = before {
            let sooner = |new: Option<Timestamp>, old: Option<Timestamp>| match (new, old) {
                (Some(new), Some(old)) => Some(new.min(old)),
                // What was said, or asked for, is not asked for again because it got worse.
                _ => None,
            };
            new.check_in = sooner(new.check_in, before.check_in);
            new.size_up = sooner(new.size_up, before.size_up);
            new.progress = new.progress.into_iter().chain(before.progress).min();
        }
        Some(new)
    }

    /// What comes next, and when.
    pub fn next(&self) -> Option<(Call, Timestamp)> {
        [(Call::CheckIn, self.check_in), (Call::SizeUp, self.size_up), (Call::Progress, self.progress)]
            .into_iter()
            .filter_map(|(call, hour)| Some((call, hour?)))
            .min_by_key(|(_, hour)| *hour)
    }
}

fn after(at: Timestamp, wait: SignedDuration) -> Option<Timestamp> {
    (!wait.is_zero()).then(|| at.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

/// Offices and what moves command, as the fold of the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offices {
    /// Who holds an office or was asked to; at most one of each sort for an office.
    pub posts: Vec<Post>,
    /// The one offer of command that is open.
    pub offer: Option<Offer>,
    /// Who asked to be given command, in that order.
    pub wishes: Vec<String>,
    /// Who was told of the change of command and has not said that they know.
    pub unaware: Vec<String>,
    /// The clocks of the tenure that is; `None`: there are none.
    pub tenure: Option<Tenure>,
}

/// What happened to offices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Command was offered.
    Offered {
        /// To whom.
        to: String,
        /// An administrator ordered it.
        ordered: bool,
        /// Why; may be empty.
        reason: String,
        /// It ends by itself at this hour.
        expires: Timestamp,
    },
    /// Somebody is ready to take command, and asks for it.
    Wished {
        /// Who.
        person: String,
    },
    /// An offer ended; who commanded has command.
    OfferEnded {
        /// To whom it was.
        to: String,
        /// How.
        how: OfferEnd,
        /// In their words; may be empty.
        why: String,
    },
    /// Command passed from one to another, in this one moment.
    Transferred {
        /// Who had it.
        from: String,
        /// Who has it.
        to: String,
        /// The new term.
        term: u32,
        /// Why.
        reason: CommandReason,
        /// The brief that was read: the number of the newest entry that it depends on.
        brief: Option<u32>,
        /// Why, in words; may be empty.
        why: String,
        /// How they spoke with each other, and what was read back.
        talked: Talked,
        /// So long after a sign of life they are asked for the next one; `None`: never.
        sign_after: Option<SignedDuration>,
        /// When they are asked for reports; `None`: never.
        pace: Option<Pace>,
    },
    /// Who hears of a change of command said that they know who commands.
    Heard {
        /// Who.
        person: String,
        /// Whose term they know of.
        term: u32,
    },
    /// Some have not said in time that they know who commands, and are told once more.
    Unheard {
        /// Who.
        people: Vec<String>,
        /// Of which term.
        term: u32,
    },
    /// Somebody was asked to take an office.
    Assigned {
        /// Which.
        office: Office,
        /// Who.
        person: String,
    },
    /// Somebody took an office they were asked to take. Whoever had it before has it no more.
    Accepted {
        /// Which.
        office: Office,
        /// Who.
        person: String,
    },
    /// Somebody did not take an office.
    Declined {
        /// Which.
        office: Office,
        /// Who.
        person: String,
    },
    /// Somebody has an office no more: it is the Commander's until another takes it.
    Released {
        /// Which.
        office: Office,
        /// Who.
        person: String,
    },
}

impl Turn {
    /// All words of [`Turn::kind`].
    pub const KINDS: [&'static str; 10] = [
        "command_offered",
        "command_wished",
        "offer_ended",
        "command_transferred",
        "command_heard",
        "command_unheard",
        "office_assigned",
        "office_accepted",
        "office_declined",
        "office_released",
    ];

    /// The word for the kind of entry, used in SQL and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Offered { .. } => "command_offered",
            Self::Wished { .. } => "command_wished",
            Self::OfferEnded { .. } => "offer_ended",
            Self::Transferred { .. } => "command_transferred",
            Self::Heard { .. } => "command_heard",
            Self::Unheard { .. } => "command_unheard",
            Self::Assigned { .. } => "office_assigned",
            Self::Accepted { .. } => "office_accepted",
            Self::Declined { .. } => "office_declined",
            Self::Released { .. } => "office_released",
        }
    }

    /// One sentence for people.
    pub fn text(&self) -> String {
        let with = |why: &str| if why.is_empty() { String::new() } else { format!(": {why}") };
        match self {
            Self::Offered { to, ordered: false, reason, expires } => {
                format!("command is offered to {to} until {expires:.0}{}", with(reason))
            }
            Self::Offered { to, ordered: true, reason, expires } => {
                format!("{to} is ordered to take command, and asked until {expires:.0}{}", with(reason))
            }
            Self::Wished { person } => format!("{person} is ready to take command, and asks for it"),
            Self::OfferEnded { to, how, why } => {
                let how = match how {
                    OfferEnd::Declined => format!("{to} does not take command"),
                    OfferEnd::Withdrawn => format!("the offer of command to {to} was taken back"),
                    OfferEnd::Expired => format!("{to} did not answer the offer of command in time"),
                    OfferEnd::Replaced => format!("the offer of command to {to} ended with another"),
                };
                format!("{how}; command stays where it is{}", with(why))
            }
            Self::Transferred { from, to, term, reason, why, talked, .. } => {
                let how = match reason {
                    CommandReason::FirstOnScene => "was on scene first",
                    CommandReason::Assumed => "assumed it after silence",
                    CommandReason::Relieved => "took it over as ordered",
                    _ => "accepted it",
                };
                let (why, talked) = (with(why), talked.text());
                format!("command passed from {from} to {to}, who {how} (term {term}){why}{talked}")
            }
            Self::Heard { person, term } => format!("{person} knows who has command (term {term})"),
            Self::Unheard { people, term } => format!(
                "not known yet whether these know who has command (term {term}); they are told once more: {}",
                people.join(", ")
            ),
            Self::Assigned { office, person } => format!("{person} is asked to be {}", office.title()),
            Self::Accepted { office, person } => format!("{person} is {}", office.title()),
            Self::Declined { office, person } => format!("{person} does not become {}", office.title()),
            Self::Released { office, person } => {
                format!("{person} is no longer {}; until another is, the Commander is", office.title())
            }
        }
    }
}

impl Offices {
    /// Who holds an office.
    pub fn holder(&self, office: Office) -> Option<&str> {
        let held = self.posts.iter().find(|post| post.office == office && post.accepted);
        held.map(|post| post.person.as_str())
    }

    /// Who was asked to take an office and has not answered.
    pub fn asked(&self, office: Office) -> Option<&str> {
        let asked = self.posts.iter().find(|post| post.office == office && !post.accepted);
        asked.map(|post| post.person.as_str())
    }

    /// The first office somebody holds.
    pub fn of(&self, person: &str) -> Option<Office> {
        self.posts.iter().find(|post| post.accepted && post.person == person).map(|post| post.office)
    }

    /// The office that somebody was asked to take first and has not answered.
    pub fn asked_of(&self, person: &str) -> Option<Office> {
        self.posts.iter().find(|post| !post.accepted && post.person == person).map(|post| post.office)
    }

    /// Applies what concerns offices alone. `moved`: the brief as it is.
    ///
    /// # Errors
    /// Why it does not follow.
    pub(super) fn apply(
        &mut self,
        turn: &Turn,
        by: &str,
        at: Timestamp,
        moved: u32,
    ) -> Result<(), &'static str> {
        match turn {
            Turn::Offered { to, ordered, reason, expires } => {
                if self.offer.is_some() {
                    return Err("command was offered twice at once");
                }
                let (to, by, reason) = (to.clone(), by.to_owned(), reason.clone());
                self.wishes.retain(|person| *person != to);
                self.offer =
                    Some(Offer { to, by, ordered: *ordered, reason, at, expires: *expires, brief: moved });
            }
            Turn::Wished { person } => {
                if !self.wishes.contains(person) {
                    self.wishes.push(person.clone());
                }
            }
            Turn::OfferEnded { to, .. } => {
                if self.offer.take_if(|offer| offer.to == *to).is_none() {
                    return Err("an offer of command ended that was not open");
                }
            }
            Turn::Transferred { to, .. } => {
                self.offer = None;
                self.wishes.retain(|person| person != to);
                // Nobody is their own Deputy.
                self.posts.retain(|post| post.office != Office::Deputy || post.person != *to);
            }
            Turn::Heard { person, .. } => self.unaware.retain(|other| other != person),
            // They are told once; whether they know is still not known.
            Turn::Unheard { .. } => {}
            Turn::Assigned { office, person } => self.ask(*office, person, at),
            Turn::Accepted { office, person } => {
                if self.asked(*office) != Some(person.as_str()) {
                    return Err("an office was taken by somebody who was not asked to");
                }
                self.posts.retain(|post| post.office != *office);
                self.posts.push(Post { office: *office, person: person.clone(), since: at, accepted: true });
            }
            Turn::Declined { office, person } => {
                if self.asked(*office) != Some(person.as_str()) {
                    return Err("an office was declined by somebody who was not asked to take it");
                }
                self.posts.retain(|post| post.office != *office || post.accepted);
            }
            Turn::Released { office, person } => {
                let before = self.posts.len();
                self.posts.retain(|post| post.office != *office || post.person != *person);
                if self.posts.len() == before {
                    return Err("somebody was released from an office that was not theirs");
                }
            }
        }
        Ok(())
    }

    /// Somebody is asked to take an office, in the place of whoever was asked before.
    pub(super) fn ask(&mut self, office: Office, person: &str, at: Timestamp) {
        self.posts.retain(|post| post.office != office || post.accepted);
        self.posts.push(Post { office, person: person.to_owned(), since: at, accepted: false });
    }

    /// It is over: nothing is open, and nobody holds anything.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}
