//! What whoever is known may do: the one place where that is decided.
//!
//! A viewer sees everything and changes nothing. A member acts: takes command, answers, says who is on call. An
//! administrator does that too, and keeps the house: other people's keys, delivery drills. A program acts and has no
//! say about keys; that it never holds an office is a rule of its own (`decide`). Who has left the configuration is
//! nobody any more, whatever key they still have.
//!
//! An answer link is not asked about here: it is the whole authority of the one page that it stands in, and whoever
//! was woken can answer.

use std::fmt;

/// What somebody is in the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees everything and changes nothing.
    Viewer,
    /// Acts.
    Member,
    /// Acts, and keeps the house.
    Administrator,
}

impl Role {
    /// All of them, the one that may least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Member, Self::Administrator];

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Administrator => "administrator",
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// A human, and what they are; `None` when the configuration does not know them any more.
    Person(&'a str, Option<Role>),
    /// A program.
    Program,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed<'a> {
    /// To see what there is.
    Look,
    /// To change something: of an incident, of who is on call, of what is kept quiet.
    Act,
    /// What is only for who keeps the house.
    Keep,
    /// To make, see or end keys (tokens, sessions, login links) of this person; `None`: of a program.
    Keys(Option<&'a str>),
}

/// Why not, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum No {
    /// The configuration does not know them any more.
    Gone(String),
    /// They only look.
    Viewer(String),
    /// It is a program.
    Program,
    /// They do not keep the house.
    Keepers,
}

impl fmt::Display for No {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(name) => write!(to, "{name} is not a person of this house any more"),
            Self::Viewer(name) => write!(
                to,
                "{name} is a viewer, who sees everything and changes nothing: to act, be made a member in the configuration \
                 (`role`), or ask somebody who is one"
            ),
            Self::Program => {
                write!(
                    to,
                    "a program has no say about tokens, sessions, subscribers, private addresses and delivery drills"
                )
            }
            Self::Keepers => write!(to, "this is for administrators"),
        }
    }
}

/// Whether they may.
///
/// # Errors
/// Why not.
pub fn may(who: Who<'_>, deed: Deed<'_>) -> Result<(), No> {
    let (name, role) = match who {
        Who::Person(name, None) => return Err(No::Gone(name.to_owned())),
        Who::Person(name, Some(role)) => (name, role),
        Who::Program => {
            return match deed {
                Deed::Look | Deed::Act => Ok(()),
                Deed::Keep | Deed::Keys(_) => Err(No::Program),
            };
        }
    };
    match deed {
        Deed::Look => Ok(()),
        Deed::Act if role >= Role::Member => Ok(()),
        Deed::Act => Err(No::Viewer(name.to_owned())),
        // Whoever can see anything needs keys to see it by.
        Deed::Keys(Some(whose)) if whose == name => Ok(()),
        Deed::Keep | Deed::Keys(_) if role >= Role::Administrator => Ok(()),
        Deed::Keep | Deed::Keys(_) => Err(No::Keepers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_may_what_their_role_says_and_nothing_else() {
        let person = |role| Who::Person("maya", role);
        let deeds = [
            Deed::Look,
            Deed::Act,
            Deed::Keep,
            Deed::Keys(Some("maya")),
            Deed::Keys(Some("tom")),
            Deed::Keys(None),
        ];
        for (who, allowed) in [
            (person(None), [false, false, false, false, false, false]),
            (person(Some(Role::Viewer)), [true, false, false, true, false, false]),
            (person(Some(Role::Member)), [true, true, false, true, false, false]),
            (person(Some(Role::Administrator)), [true, true, true, true, true, true]),
            (Who::Program, [true, true, false, false, false, false]),
        ] {
            assert_eq!(deeds.map(|deed| may(who, deed).is_ok()), allowed, "{who:?}");
        }
    }

    #[test]
    fn who_may_not_is_told_why_and_what_would_help() {
        let why = |who, deed| may(who, deed).unwrap_err().to_string();
        assert!(why(Who::Person("lee", Some(Role::Viewer)), Deed::Act).contains("lee is a viewer"));
        assert!(why(Who::Person("lee", None), Deed::Look).contains("not a person of this house any more"));
        assert!(why(Who::Program, Deed::Keys(None)).contains("a program has no say"));
        assert!(why(Who::Person("tom", Some(Role::Member)), Deed::Keep).contains("for administrators"));
    }
}
