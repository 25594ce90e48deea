//! A person or a team at fault. How an incident came about is told without anybody in it.

use super::Rule;
use super::pattern::{Pattern, expression};
use std::sync::LazyLock;

use regex::Regex;

const FAULT: &str =
    "This puts somebody at fault: say what happened to the service, and leave people and teams out.";

const fn fault(source: &'static str) -> Pattern {
    Pattern::new(Rule::Fault, source, FAULT).joined()
}

macro_rules! somebody {
    () => {
        r"(?:engineers?|operators?|administrators?|admins?|sysadmins?|developers?|devs?|technicians?|employees?|colleagues?|staff(?: members?)?|team ?(?:members?|mates?)|members? of (?:our |the )?(?:\w+ )?(?:team|staff)|contractors?|consultants?|interns?|juniors?|dbas?|sres?|on ?call(?: \w+)?|someone|somebody|person|individual|workers?|managers?|trainees?|new hire|newcomer|apprentice|duty officer|night shift|shift lead|teams?|department|crew|guys|folks)"
    };
}
macro_rules! wrongly {
    () => {
        r"(?:mistakenly|by mistake|accidentally|accidently|by accident|inadvertently|wrongly|incorrectly|erroneously|carelessly|unintentionally|negligently|in error|forgot(?:ten)?|forgets|misconfigured|mistyped|mis ?clicked|fat ?fingered|botched|broke|messed|screwed|neglected|overlooked|fumbled|failed to|did(?: not|n't) (?:follow|notice|check|respond|answer|test|read|wake|act|escalate|pick|do|realise|realize|see|react|update|verify|understand)|ignored|slept|missed (?:the|an?|several|it)|was asleep|deleted the wrong|ran the wrong|pushed the wrong|unplugged|tripped over|made (?:an?|the|this|some) (?:\w+ ){0,2}(?:mistakes?|errors?|typo|blunder|slip)|(?:is|was|were|are) (?:to blame|at fault|responsible for (?:this|the)|careless|negligent)|dropped the (?:ball|database|table|wrong)|let (?:us|everyone|you) down|caused (?:this|the|it)|should have (?:known|noticed|checked|tested|caught|seen))"
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    fault(
        r"\b(?:human|operator|operational|user|engineer|manual|admin|administrator|staff|employee|personnel|programmer|developer|pilot) ?(?:errors?|mistakes?|failures?|oversights?|blunders?|slips?|fault|negligence|mishap)\b",
    ),
    fault(concat!(
        r"\b(?:(?:an?|the|our|one of our|some|this|their) (?:\w+ ){0,2})?",
        somebody!(),
        r"(?:,? (?:who|which|that|on duty|on call))?(?: [a-z']+){0,5} ",
        wrongly!(),
        r"\b"
    )),
    fault(concat!(
        r"\b(?:mistakes?|errors?|oversights?|blunders?|slips?|typos?|negligence|carelessness|lapses?|fault|failure|misjudge?ment)(?: (?:was|were|is))?(?: made)? (?:by|of|from|on the part of)(?: (?:one of|our|an?|the|some|your|their))*(?: \w+){0,3} ",
        somebody!(),
        r"\b"
    )),
    fault(concat!(
        r"\b",
        wrongly!(),
        r"(?: \w+){0,4} by(?: (?:one of|our|an?|the|some))*(?: \w+){0,2} ",
        somebody!(),
        r"\b"
    )),
    fault(concat!(
        r"\b(?:deleted|removed|dropped|wiped|overwritten|pushed|merged|shut down|switched off|unplugged|misconfigured|broken|disabled|terminated)(?: (?:accidentally|mistakenly|inadvertently|in error))? by(?: (?:one of|our|an?|the|some))+(?: \w+){0,2} ",
        somebody!(),
        r"\b"
    )),
    fault(
        r"\b(?:to blame|at fault|the blame|blam(?:e|ed|ing) (?:\w+ ){0,2}(?:team|engineer|operator|colleague|developer|staff|department|them|him|her)|whose fault|their fault|his fault|her fault|negligen(?:t|ce|tly)|careless(?:ly|ness)?|incompeten(?:t|ce)|slopp(?:y|iness)|stupid(?:ity)?|fat ?fingers?|fat ?fingered|typo|(?:has|have) been (?:disciplined|fired|dismissed|suspended|let go|reprimanded)|disciplinary|rogue (?:employee|engineer|admin|developer)|asleep at the wheel|dropped the ball|wrong button|wrong command|pilot error|finger trouble|pebkac|rookie mistake|amateur\w{0,4}|shoddy|lack of (?:care|diligence|attention|training))\b",
    ),
    fault(concat!(
        r"\b(?:the|our|their) (?:\w+ ){1,2}(?:team|department|crew)(?:'s)? (?:fault|mistake|error|failure|negligence|oversight|blunder)\b|\b",
        somebody!(),
        r"'s? (?:fault|mistake|error|failure|negligence|oversight|blunder)\b"
    )),
    // German, Norwegian, French, Spanish.
    fault(
        r"\b(?:menschliche\w{0,2} (?:versagen\w?|fehler\w?|irrtum)|bedien(?:ungs)?fehler\w?|versehentlich|aus versehen|schuld(?: (?:ist|war|hat|daran|tragt|sind))|ein mitarbeiter hat|menneskelig (?:feil|svikt)|brukerfeil|feil gjort av|erreurs? humaines?|erreur de manipulation|erreur d'un (?:employe|technicien|operateur)|error(?:es)? humanos?|fallo humano|negligencia|error de un (?:empleado|tecnico|operador|ingeniero))\b",
    ),
];

/// Whether something is said to have been done wrong, by whoever is named in the same sentence.
pub(super) fn says_wrong(text: &str) -> bool {
    static WRONG: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(
            concat!(
                r"\b(?:",
                wrongly!(),
                r"|mistakes?|errors?|fault|blame[ds]?|deleted|pushed|deployed|merged|dropped|wiped|restarted|rebooted|unplugged|caused|broke|breaking|wrong|unreviewed|untested|without (?:review|testing|asking))\b"
            ),
            false,
        )
    });
    WRONG.as_ref().is_some_and(|wrong| wrong.is_match(text))
}
