//! The part of the configuration that decisions depend on, in the core's own words.
//!
//! Built by `config`, handed to `decide`. Names are unique within their kind; the configuration has
//! already proved that every name used here exists.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::alert::AlertSeverity;
use super::audience::Audience;
use super::command::Pace;
use super::correlate::{Grouping, Needs, Storm};
use super::delivery_drill::Plan;
use super::disclosure::Disclosure;
use super::flapping::Flapping;
use super::incident::Severity;
use super::inhibit;
use super::maintenance::Window;
use super::meeting::Points;
use super::oncall::{Hours, Rotation};
use super::reach::{Quiet, Way};
use super::role::Role;
use super::route::Route;
use super::voice::Phase;

/// Everything `decide` may ask about the house.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// People by name.
    pub people: BTreeMap<String, Person>,
    /// Rotations by name.
    pub rotations: BTreeMap<String, Rotation>,
    /// Escalation policies by name.
    pub policies: BTreeMap<String, Policy>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
    /// Channels that hear the internal status, in the order of the configuration.
    pub internal_channels: Vec<String>,
    /// Every channel and who reads it, in the order of the configuration.
    pub channels: Vec<(String, Audience)>,
    /// Whether there is a public status page of our own.
    pub public_page: bool,
    /// What is asked of the PIO.
    pub pio: PioRules,
    /// Words of the house for statements; the first that fits.
    pub statements: Vec<Template>,
    /// Fallback of a channel, by the channel's name.
    pub fallbacks: BTreeMap<String, String>,
    /// Clocks.
    pub clocks: Clocks,
    /// How the Commander is asked for reports, and how long is watched.
    pub command: CommandRules,
    /// What alerts are about, by what they say; the first that fits decides.
    pub routes: Vec<Route>,
    /// Alerts that wake nobody while others fire.
    pub inhibit: Vec<inhibit::Rule>,
    /// When alerts flap where a service does not say.
    pub flapping: Flapping,
    /// How alerts become incidents where a service does not say.
    pub grouping: Grouping,
    /// Who needs whom.
    pub needs: Needs,
    /// When incidents are too many; `None`: never.
    pub storm: Option<Storm>,
    /// How long alerts of a source are believed to fire that nobody says again, by the source's name.
    pub age_out: BTreeMap<String, SignedDuration>,
    /// Hours in which alerts of some services wake nobody.
    pub maintenance: Vec<Window>,
    /// When everybody is tried whether pages reach them; `None`: only when somebody asks for it.
    pub delivery_drill: Option<Plan>,
    /// Where responders can meet.
    pub meeting: Points,
    /// What must not be said in statements.
    pub disclosure: Disclosure,
}

impl Rules {
    /// Whether there is somebody of that name whom a page can reach, and who may act when they are woken.
    pub fn can_be_paged(&self, person: &str) -> bool {
        self.people.get(person).is_some_and(|known| !known.email.is_empty() && !known.viewer)
    }

    /// Whom to wake for a service. A service that has left the configuration may still have an incident, or an alert
    /// that was held meanwhile: its people are those of the policy `default`, else of the first, for somebody has to
    /// be woken. The name comes first.
    pub fn policy_of(&self, service: &str, severity: Severity) -> Option<(&str, &Policy)> {
        let named = |name: &str| self.policies.get_key_value(name);
        let own = self.services.get(service).and_then(|service| named(service.policy_at(severity)));
        let found = own.or_else(|| named("default")).or_else(|| self.policies.iter().next());
        found.map(|(name, policy)| (name.as_str(), policy))
    }
}

impl Rules {
    /// The channels that an audience reads, in the order of the configuration.
    pub fn channels_of(&self, audience: Audience) -> impl Iterator<Item = &str> {
        self.channels.iter().filter(move |(_, of)| *of == audience).map(|(name, _)| name.as_str())
    }

    /// Whether an audience can be told anything.
    pub fn can_tell(&self, audience: Audience) -> bool {
        self.channels_of(audience).next().is_some() || (audience == Audience::Public && self.public_page)
    }

    /// Whether the PIO publishes alone of incidents as bad as this.
    pub fn speaks_alone(&self, service: &str, severity: Severity) -> bool {
        let own = self.services.get(service).and_then(|service| service.pio_alone.as_ref());
        own.unwrap_or(&self.pio.alone).contains(&severity)
    }
}

impl Rules {
    /// How alerts of a service become incidents. One that has left the configuration is grouped as usual.
    pub fn grouping_of(&self, service: &str) -> &Grouping {
        self.services.get(service).map_or(&self.grouping, |service| &service.grouping)
    }
}

impl Rules {
    /// When alerts of a service flap.
    pub fn flapping_of(&self, service: &str) -> Flapping {
        self.services.get(service).map_or(self.flapping, |service| service.flapping)
    }
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Clocks {
    /// An untaken incident without a firing alert clears itself after this long.
    pub self_clear_after: SignedDuration,
    /// An alert that fires again within this long of its incident's end opens that incident again.
    pub reopen_within: SignedDuration,
    /// So long after the last sign of life a Commander is asked whether they are still there, by severity; never for one
    /// that does not stand here.
    pub silent_after: BTreeMap<Severity, SignedDuration>,
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            self_clear_after: SignedDuration::from_mins(3),
            reopen_within: SignedDuration::from_hours(24),
            // What can wait for the morning is left alone: who took it may have gone back to sleep.
            silent_after: [
                (Severity::Sev1, SignedDuration::from_mins(15)),
                (Severity::Sev2, SignedDuration::from_mins(25)),
            ]
            .into(),
        }
    }
}

/// What is asked of who commands. What does not stand here is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandRules {
    /// When the Commander is asked for reports, by severity.
    pub pace: BTreeMap<Severity, Pace>,
    /// So long after the harm stopped an incident is watched before it is resolved, by severity.
    pub watch: BTreeMap<Severity, SignedDuration>,
}

impl CommandRules {
    /// As it is where the configuration says nothing.
    pub fn usual() -> Self {
        let mins = SignedDuration::from_mins;
        let hours = SignedDuration::from_hours;
        let none = Pace { receipts: mins(5), ..Pace::default() };
        let pace = |check_in, size_up, progress, relief, relief_late| Pace {
            check_in: mins(check_in),
            size_up: mins(size_up),
            progress: mins(progress),
            relief: hours(relief),
            relief_late: hours(relief_late),
            ..none
        };
        // What can wait for the morning wakes nobody for company.
        let alone = |pace| Pace { support: mins(10), ..pace };
        Self {
            pace: [
                (Severity::Sev1, alone(pace(10, 5, 10, 4, 8))),
                (Severity::Sev2, alone(pace(10, 10, 15, 4, 8))),
                (Severity::Sev3, pace(30, 20, 30, 8, 12)),
                (Severity::Sev4, none),
            ]
            .into(),
            watch: [
                (Severity::Sev1, mins(30)),
                (Severity::Sev2, mins(15)),
                (Severity::Sev3, mins(10)),
                (Severity::Sev4, mins(10)),
            ]
            .into(),
        }
    }
}

/// When words that were approved beforehand go out by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// So long after the opening, and after somebody took command. Until then anybody who answers for it can say hold.
    pub after: SignedDuration,
    /// To whom.
    pub audiences: BTreeSet<Audience>,
    /// Of incidents as bad as these.
    pub severities: BTreeSet<Severity>,
}

/// Words of the house for a statement: to begin with, or to go out as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Who reads it.
    pub audience: Audience,
    /// For which phase; `None`: while nobody has the incident yet.
    pub phase: Option<Phase>,
    /// For incidents as bad as these; none: for all.
    pub severities: BTreeSet<Severity>,
    /// In words, with `{product}`, `{symptom}` and `{since}`.
    pub text: String,
}

/// What is asked of the PIO, and what they may do. What does not stand here is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PioRules {
    /// Who was called as PIO and does not come within this is followed by the next one; zero: never.
    pub answer_after: SignedDuration,
    /// The Deputy approves statements when the Commander has been silent for so long.
    pub deputy_after: SignedDuration,
    /// The PIO publishes alone of incidents as bad as these, where a service does not say.
    pub alone: BTreeSet<Severity>,
    /// From taking command to the first update.
    pub first: BTreeMap<(Audience, Severity), SignedDuration>,
    /// From one update to the next; of the public, while it is investigated.
    pub every: BTreeMap<(Audience, Severity), SignedDuration>,
    /// The same for the public in later phases, where that is another.
    pub later: BTreeMap<(Phase, Severity), SignedDuration>,
}

impl PioRules {
    /// As it is where the configuration says nothing.
    pub fn usual() -> Self {
        use Audience::{Internal, Public, Stakeholder};
        let mins = SignedDuration::from_mins;
        let table = |rows: [(Audience, [i64; 3]); 3]| {
            let cells = rows.into_iter().flat_map(|(audience, row)| {
                Severity::ALL
                    .into_iter()
                    .zip(row)
                    .map(move |(severity, wait)| ((audience, severity), mins(wait)))
            });
            cells.collect()
        };
        let later = |phase, row: [i64; 3]| {
            Severity::ALL.into_iter().zip(row).map(move |(severity, wait)| ((phase, severity), mins(wait)))
        };
        Self {
            answer_after: mins(10),
            deputy_after: mins(5),
            alone: [Severity::Sev3, Severity::Sev4].into(),
            first: table([(Internal, [5, 10, 15]), (Stakeholder, [10, 15, 30]), (Public, [10, 15, 30])]),
            every: table([(Internal, [15, 30, 60]), (Stakeholder, [30, 30, 60]), (Public, [15, 20, 60])]),
            later: later(Phase::Identified, [20, 30, 60])
                .chain(later(Phase::Monitoring, [30, 60, 60]))
                .collect(),
        }
    }

    /// How soon the next update follows.
    pub fn next(&self, audience: Audience, severity: Severity, phase: Phase) -> Option<SignedDuration> {
        let later = self.later.get(&(phase, severity)).filter(|_| audience == Audience::Public);
        later.or_else(|| self.every.get(&(audience, severity))).copied().filter(|wait| !wait.is_zero())
    }
}

/// Somebody who can be paged and can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What people call them.
    pub full_name: String,
    /// Where pages go.
    pub email: String,
    /// The zone of the hours they are told.
    pub time_zone: TimeZone,
    /// Keeps the house: see [`Role`].
    pub administrator: bool,
    /// Sees everything and changes nothing.
    pub viewer: bool,
    /// How a page reaches them beside mail, in the order of the configuration.
    pub ways: Vec<Way>,
    /// When pages come by mail alone.
    pub quiet: Option<Quiet>,
    /// What they can do, in one word each: requests ask for it.
    pub capabilities: Vec<String>,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            full_name: String::new(),
            email: String::new(),
            time_zone: TimeZone::UTC,
            administrator: false,
            viewer: false,
            ways: Vec::new(),
            quiet: None,
            capabilities: Vec::new(),
        }
    }
}

impl Person {
    /// What they are in the house.
    pub fn role(&self) -> Role {
        match (self.administrator, self.viewer) {
            (true, _) => Role::Administrator,
            (false, true) => Role::Viewer,
            (false, false) => Role::Member,
        }
    }
}

/// One target of a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A person by name.
    Person(String),
    /// Whoever is on call in a rotation.
    Rotation(String),
    /// Everybody who takes turns in a rotation, and whoever is on call in it.
    Everybody(String),
}

impl Target {
    /// The rotation that it means, if it means one.
    pub fn rotation(&self) -> Option<&str> {
        match self {
            Self::Person(_) => None,
            Self::Rotation(name) | Self::Everybody(name) => Some(name),
        }
    }
}

/// Whom to wake, in what order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// At least one.
    pub steps: Vec<Step>,
    /// How often the steps run again before the last resort.
    pub repeat: u32,
    /// Paged again and again after that. When it names nobody, the steps loop.
    pub last_resort: Vec<Target>,
    /// For incidents of these severities all whom the steps name are woken at once.
    pub everybody: BTreeSet<Severity>,
    /// How often who waits in the last resort is reminded; `None`: never.
    pub remind: Option<SignedDuration>,
    /// Who is told by a page and need not answer.
    pub watch: Watch,
}

impl Policy {
    /// Whom its steps name, and then its last resort.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.steps.iter().flat_map(|step| &step.page).chain(&self.last_resort)
    }
}

/// One step of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Whom to page.
    pub page: Vec<Target>,
    /// How long to wait for an answer.
    pub wait: SignedDuration,
    /// For which incidents, and at what hours it is there.
    pub when: When,
    /// How often those who have not answered are reminded meanwhile; `None`: never.
    pub remind: Option<SignedDuration>,
}

/// When a step is there. One that is not is skipped at once, like one that names nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// For incidents of these severities; none: of all.
    pub severities: BTreeSet<Severity>,
    /// For incidents that these services lead; none: any.
    pub services: BTreeSet<String>,
    /// At these hours; `None`: at any.
    pub hours: Option<Timetable>,
}

/// Hours of days, by the clock of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// Which.
    pub hours: Hours,
    /// Whose clock.
    pub time_zone: TimeZone,
}

/// Who is told by a page and need not answer, though they may: who answers first commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Who.
    pub who: Vec<Target>,
    /// Of incidents of these severities.
    pub severities: BTreeSet<Severity>,
    /// After so many steps have not been answered; 0: with the first page.
    pub after: u32,
}

/// What is affected by incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Name of its escalation policy.
    pub policy: String,
    /// Names of other policies, for incidents of these severities.
    pub policies: BTreeMap<Severity, String>,
    /// How its alerts become incidents.
    pub grouping: Grouping,
    /// When its alerts flap.
    pub flapping: Flapping,
    /// The PIO and the alternates, in order.
    pub pio: Vec<Target>,
    /// Words that were approved beforehand go out by themselves; `None`: never.
    pub holding: Option<Holding>,
    /// What readers notice when it does not work, in a sentence; may be empty.
    pub symptom: String,
    /// The PIO publishes alone of incidents as bad as these; `None`: as the house has it.
    pub pio_alone: Option<BTreeSet<Severity>>,
    /// Where responders meet.
    pub bridge: Option<String>,
    /// Names of the places where responders meet, in order, where these are not those of the house.
    pub meet: Vec<String>,
    /// What the public calls it.
    pub public_name: Option<String>,
    /// Severity of incidents by severity of alerts.
    pub severities: SeverityMap,
}

impl Service {
    /// The name of the policy for an incident as bad as this.
    pub fn policy_at(&self, severity: Severity) -> &str {
        self.policies.get(&severity).unwrap_or(&self.policy)
    }
}

/// Which incident severity an alert severity means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeverityMap {
    /// For `critical`.
    pub critical: Severity,
    /// For `error`, and for alerts that do not say.
    pub error: Severity,
    /// For `warning`.
    pub warning: Severity,
    /// For `info`.
    pub info: Severity,
}

impl Default for SeverityMap {
    fn default() -> Self {
        Self {
            critical: Severity::Sev1,
            error: Severity::Sev2,
            warning: Severity::Sev3,
            info: Severity::Sev4,
        }
    }
}

impl SeverityMap {
    /// The incident severity of an alert; one that does not say counts as `error`.
    pub fn of(&self, severity: Option<AlertSeverity>) -> Severity {
        match severity {
            Some(AlertSeverity::Critical) => self.critical,
            Some(AlertSeverity::Error) | None => self.error,
            Some(AlertSeverity::Warning) => self.warning,
            Some(AlertSeverity::Info) => self.info,
        }
    }
}
