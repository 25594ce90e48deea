//! Tokens: of answer links and of programs. Only their SHA-256 is kept.

use jiff::Timestamp;

use secrecy::SecretString;

use super::migrate::ANSWER_KEY;
use super::{Row, StoreError, Tx};
use crate::crypto;

/// Beside the ids of deliveries stands which answer links a program was seen at, under the name of a source that none can
/// have.
const ROBOTS: &str = "onscene:robot";
/// The same, of links by which command was taken.
const TAKERS: &str = "onscene:took";

/// What an answer link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Taking the incident.
    Answer,
    /// Writing the first statement, as its PIO.
    Statement,
    /// Saying that a test has arrived. It is of no incident.
    Test,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Statement => "statement",
            Self::Test => "test",
        }
    }
}

/// What an answer link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One incident.
    pub incident: i64,
    /// One recipient.
    pub person: String,
    /// What for.
    pub purpose: Purpose,
}

/// Keeps an answer link's token.
///
/// # Errors
/// What the engine says.
pub fn put_link(tx: &Tx<'_>, token: &str, link: &Link) -> Result<(), StoreError> {
    put_link_of(tx, token, link, None, None)
}

/// The same, with the number of the page it stands in, and that of the one letter where it stands in no other.
///
/// # Errors
/// What the engine says.
pub fn put_link_of(
    tx: &Tx<'_>,
    token: &str,
    link: &Link,
    page: Option<i64>,
    letter: Option<i64>,
) -> Result<(), StoreError> {
    tx.write(
        "insert into answer_token (hash, incident, person, purpose, created_at, page, letter)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            crypto::sha256(token.as_bytes())[..].into(),
            link.incident.into(),
            (&link.person).into(),
            link.purpose.as_str().into(),
            tx.now.into(),
            page.into(),
            letter.into(),
        ],
    )?;
    Ok(())
}

/// What a token stands for, if anything.
///
/// # Errors
/// What the engine says.
pub fn link(tx: &Tx<'_>, token: &str) -> Result<Option<Link>, StoreError> {
    tx.query_one(
        "select incident, person, purpose from answer_token where hash = ?1",
        &[crypto::sha256(token.as_bytes())[..].into()],
        read_link,
    )
}

/// The same, by the name of a link, and when it was made.
///
/// # Errors
/// What the engine says.
pub fn link_made(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<(Link, Timestamp)>, StoreError> {
    let sql = "select incident, person, purpose, created_at from answer_token where hash = ?1";
    tx.query_one(sql, &[hash[..].into()], |row| Ok((read_link(row)?, row.time(3)?)))
}

fn read_link(row: &Row<'_>) -> Result<Link, StoreError> {
    let purpose = match row.text(2)?.as_str() {
        "answer" => Purpose::Answer,
        "statement" => Purpose::Statement,
        "test" => Purpose::Test,
        _ => return Err(StoreError::Decode("an answer link for an unknown purpose")),
    };
    Ok(Link { incident: row.int(0)?, person: row.text(1)?, purpose })
}

/// The name of a link under which something is known of it: of the token itself nothing can be told from it.
pub fn link_hash(token: &str) -> [u8; 32] {
    crypto::sha256(token.as_bytes())
}

/// What forms of pages are signed with, in every node of this store.
///
/// # Errors
/// What the engine says.
pub fn answer_key(tx: &Tx<'_>) -> Result<SecretString, StoreError> {
    let sql = "select value from meta where name = ?1";
    let key = tx.query_one(sql, &[ANSWER_KEY.into()], |row| row.text(0))?;
    key.map(SecretString::from).ok_or(StoreError::Decode("a store without a key for answer pages"))
}

/// Remembers that a program pressed a button of a link's page just now; `false` when one had done so before.
///
/// # Errors
/// What the engine says.
pub fn saw_robot(tx: &Tx<'_>, link: &[u8; 32]) -> Result<bool, StoreError> {
    let first = super::unreadable::first_time(tx, ROBOTS, &crypto::hex(link))?;
    if !first {
        tx.write(
            "update delivery set received_at = ?3 where source = ?1 and id = ?2",
            &[ROBOTS.into(), (&crypto::hex(link)).into(), tx.now.into()],
        )?;
    }
    Ok(first)
}

/// When a program pressed a button of a link's page last.
///
/// # Errors
/// What the engine says.
pub fn robot_at(tx: &Tx<'_>, link: &[u8; 32]) -> Result<Option<Timestamp>, StoreError> {
    tx.query_one(
        "select received_at from delivery where source = ?1 and id = ?2",
        &[ROBOTS.into(), (&crypto::hex(link)).into()],
        |row| row.time(0),
    )
}

/// Remembers that command was taken by a link's page just now.
///
/// # Errors
/// What the engine says.
pub fn took(tx: &Tx<'_>, link: &[u8; 32]) -> Result<(), StoreError> {
    forget_taking(tx, link)?;
    super::unreadable::first_time(tx, TAKERS, &crypto::hex(link)).map(drop)
}

/// When command was taken by a link's page last.
///
/// # Errors
/// What the engine says.
pub fn took_at(tx: &Tx<'_>, link: &[u8; 32]) -> Result<Option<Timestamp>, StoreError> {
    tx.query_one(
        "select received_at from delivery where source = ?1 and id = ?2",
        &[TAKERS.into(), (&crypto::hex(link)).into()],
        |row| row.time(0),
    )
}

/// Forgets it.
///
/// # Errors
/// What the engine says.
pub fn forget_taking(tx: &Tx<'_>, link: &[u8; 32]) -> Result<(), StoreError> {
    let sql = "delete from delivery where source = ?1 and id = ?2";
    tx.write(sql, &[TAKERS.into(), (&crypto::hex(link)).into()])
}

/// Who a program's token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A human.
    Person(String),
    /// A program, which can never hold an office.
    Automation(String),
}

impl Holder {
    /// A program, by a name that timelines and lists can show.
    ///
    /// # Errors
    /// What such a name is like.
    pub fn automation(name: &str) -> Result<Self, &'static str> {
        const CHARACTERS_MAX: usize = 64;
        let name = name.trim();
        let fits =
            (1..=CHARACTERS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !fits {
            return Err("a program is called by one line of 1 to 64 characters");
        }
        Ok(Self::Automation(name.to_owned()))
    }

    /// The name, when it is a human's.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Person(name) => Some(name),
            Self::Automation(_) => None,
        }
    }

    /// The name of whoever it is.
    pub fn name(&self) -> &str {
        match self {
            Self::Person(name) | Self::Automation(name) => name,
        }
    }
}

/// A token of the API as it is listed: never with the token itself.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// What it is revoked by.
    pub id: String,
    /// Who it speaks for.
    pub holder: Holder,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Keeps a token of the API; answers the id by which it is revoked.
///
/// # Errors
/// What the engine says.
pub fn put_api(tx: &Tx<'_>, token: &str, holder: &Holder) -> Result<String, StoreError> {
    let hash = crypto::sha256(token.as_bytes());
    let id = crypto::hex(&hash[..8]);
    let (person, automation) = match holder {
        Holder::Person(name) => (Some(name.as_str()), None),
        Holder::Automation(name) => (None, Some(name.as_str())),
    };
    tx.write(
        "insert into api_token (id, hash, person, automation, created_at) values (?1, ?2, ?3, ?4, ?5)",
        &[(&id).into(), hash[..].into(), person.into(), automation.into(), tx.now.into()],
    )?;
    Ok(id)
}

/// How many tokens of a holder work.
///
/// # Errors
/// What the engine says.
pub fn working_of(tx: &Tx<'_>, holder: &Holder) -> Result<i64, StoreError> {
    let (sql, name) = match holder {
        Holder::Person(name) => {
            ("select count(*) from api_token where person = ?1 and revoked_at is null", name)
        }
        Holder::Automation(name) => {
            ("select count(*) from api_token where automation = ?1 and revoked_at is null", name)
        }
    };
    Ok(tx.query_one(sql, &[name.into()], |row| row.int(0))?.unwrap_or_default())
}

/// Who a token of the API speaks for; `None` when it is unknown or revoked.
///
/// # Errors
/// What the engine says.
pub fn api_holder(tx: &Tx<'_>, token: &str) -> Result<Option<Holder>, StoreError> {
    Ok(api_token(tx, &crypto::sha256(token.as_bytes()))?.map(|token| token.holder))
}

/// A token of the API that works, without the token itself; `None` when it is unknown or revoked.
///
/// # Errors
/// What the engine says.
pub fn api_token(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<ApiToken>, StoreError> {
    let sql = "select id, person, automation, created_at, revoked_at from api_token where hash = ?1";
    let found = tx.query_one(sql, &[hash[..].into()], read)?;
    Ok(found.filter(|token| token.revoked_at.is_none()))
}

/// All tokens of the API, oldest first.
///
/// # Errors
/// What the engine says.
pub fn list_api(tx: &Tx<'_>) -> Result<Vec<ApiToken>, StoreError> {
    tx.query(
        "select id, person, automation, created_at, revoked_at from api_token order by created_at, id",
        &[],
        read,
    )
}

/// Revokes a token; `false` when there is none with this id that still works.
///
/// # Errors
/// What the engine says.
pub fn revoke_api(tx: &Tx<'_>, id: &str) -> Result<bool, StoreError> {
    let sql = "update api_token set revoked_at = ?2 where id = ?1 and revoked_at is null";
    Ok(tx.execute(sql, &[id.into(), tx.now.into()])? > 0)
}

/// Revokes all tokens of a person; answers how many.
///
/// # Errors
/// What the engine says.
pub fn revoke_all(tx: &Tx<'_>, person: &str) -> Result<u64, StoreError> {
    let sql = "update api_token set revoked_at = ?2 where person = ?1 and revoked_at is null";
    tx.execute(sql, &[person.into(), tx.now.into()])
}

/// Forgets tokens that were revoked before an hour.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.write("delete from api_token where revoked_at < ?1", &[before.into()])
}

fn read(row: &Row<'_>) -> Result<ApiToken, StoreError> {
    let holder = match (row.text_or_null(1)?, row.text_or_null(2)?) {
        (Some(person), None) => Holder::Person(person),
        (None, Some(name)) => Holder::Automation(name),
        _ => return Err(StoreError::Decode("a token of nobody")),
    };
    Ok(ApiToken { id: row.text(0)?, holder, created_at: row.time(3)?, revoked_at: row.time_or_null(4)? })
}
