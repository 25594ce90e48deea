//! IRC: a few lines in a room, over a short connection of its own for each letter.
//!
//! It connects by TLS, logs in (SASL PLAIN with `user`, a password of the server without), joins, speaks, waits until it is known
//! that the lines were taken, and goes. They were taken when the server echoes them (`echo-message`); where it cannot, when it
//! has answered a `PING` that was sent behind them, and refused none before. Plain connections go to loopback only, for a bouncer
//! or a stunnel there.
//!
//! A message is a line of 512 bytes, with a prefix that the server adds, so lines are cut at 400 bytes, or fewer where the names are
//! long, between characters. The paragraphs of a letter become lines; what is more than six ends with the address of the
//! incident's page. Whatever is a control character becomes a space, so there is no line of somebody else's, no colour and
//! no command of a client. The first four lines go at once, which every server takes, and the others two seconds apart.
//!
//! Of a statement no line is left out: where its paragraphs are more than six lines they share them, and one that is longer still is
//! refused before anything is said. There is nothing that takes a line back.
//!
//! What a failure means depends on when it is: before the first line left, nothing was written. That the room is closed to us (no such room,
//! banned, a wrong key, invited people only, nobody may speak) or the login refused is about the whole channel. A nick that is
//! in use gets a `_` behind it, twice. After the first line silence is Unknown, and so is a letter of which a part was taken: IRC knows no idempotency and
//! no history, so a statement is not said again either.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use super::api::refused;
use super::client::Reach;
use super::statement::Shown;
use super::webhook::reach;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, SEND_DEADLINE, Shared};
use crate::crypto;

mod line;
mod session;
#[cfg(test)]
mod stories;

use session::Session;

/// IRC, to one room.
pub const KIND: Kind = Kind {
    name: "irc",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "nick", secret: false, required: true },
        Key { name: "room", secret: false, required: true },
        Key { name: "room_password", secret: true, required: false },
        Key { name: "user", secret: false, required: false },
        Key { name: "password", secret: true, required: false },
        Key { name: "ca_file", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Irc::build,
    address: None,
    status: true,
};

/// Until it is in the room, with the wait for the letter before it. Servers look up who connects.
const READY_DEADLINE: Duration = Duration::from_secs(11);
/// From the first line until it is known that all were taken.
const SAY_DEADLINE: Duration = Duration::from_millis(7500);
/// To say goodbye.
const LEAVE_DEADLINE: Duration = Duration::from_millis(500);
/// Ports where nothing else is said.
const TLS_PORT: u16 = 6697;
const PLAIN_PORT: u16 = 6667;
const NICK_BYTES_MAX: usize = 30;
const ROOM_BYTES_MAX: usize = 64;

const _: () = assert!(
    READY_DEADLINE.as_millis() + SAY_DEADLINE.as_millis() + LEAVE_DEADLINE.as_millis()
        < SEND_DEADLINE.as_millis()
);

/// One room on one network.
pub struct Irc {
    host: String,
    port: u16,
    /// None: it is spoken plainly.
    tls: Option<TlsConnector>,
    reach: Reach,
    who: Who,
    room: String,
    key: Option<SecretString>,
    /// One letter at a time: two of the same nick would not be let in together.
    turn: Mutex<()>,
}

/// As whom it speaks.
struct Who {
    nick: String,
    /// The account, when it logs in to one.
    user: Option<String>,
    /// Of the account, or else of the server.
    password: Option<SecretString>,
}

impl Irc {
    fn build(mut fields: Fields, _: &Shared) -> Result<Channel, String> {
        let reach = reach(fields.texts.get("private_addresses").map(String::as_str))?;
        let url = fields.texts.remove("url").unwrap_or_default();
        let (host, port, secure) = server(&url)?;
        let mut text = |name: &str| fields.texts.remove(name).filter(|text| !text.is_empty());
        let (nick, room) = (text("nick").unwrap_or_default(), text("room").unwrap_or_default());
        let (user, ca_file) = (text("user"), text("ca_file"));
        if !is_nick(&nick) {
            return Err(format!(
                "`nick` is up to {NICK_BYTES_MAX} letters, digits and -_[]{{}}\\|^`, and begins with no digit"
            ));
        }
        if !is_room(&room) {
            return Err("`room` is the name of one room, such as \"#ops\"".into());
        }
        let (password, key) = (fields.secrets.remove("password"), fields.secrets.remove("room_password"));
        for secret in [&password, &key].into_iter().flatten() {
            if secret.expose_secret().contains(['\r', '\n', '\0']) {
                return Err("a password holds the end of a line, which none can".into());
            }
        }
        if key.as_ref().is_some_and(|key| key.expose_secret().contains([' ', ','])) {
            return Err(
                "what `room_password_file` holds has a space or a comma, which the key of a room cannot have"
                    .into(),
            );
        }
        if user.is_some() && password.is_none() {
            return Err("`user` needs `password_file`".into());
        }
        // What HTTP channels trust is not asked: networks of a house have authorities of their own.
        let tls = match secure {
            true => {
                let config = crypto::tls_client(ca_file.as_deref().map(Path::new))?;
                Some(TlsConnector::from(Arc::new(config)))
            }
            false => None,
        };
        let who = Who { nick, user, password };
        Ok(Channel::Irc(Box::new(Self { host, port, tls, reach, who, room, key, turn: Mutex::new(()) })))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if parcel.statement.is_none() {
            return self.attempt(parcel, &line::lines(parcel, &self.room, &self.who.nick)).await;
        }
        if let Err(outcome) = self.shows(parcel).fitting() {
            return outcome;
        }
        let lines = line::whole(parcel, &self.room, &self.who.nick);
        self.attempt(parcel, &lines).await
    }

    /// How a statement is shown.
    pub(super) fn shows(&self, parcel: &Parcel) -> Shown {
        let lines = line::whole(parcel, &self.room, &self.who.nick);
        Shown { text: lines.join("\n"), size: lines.len(), most: line::LINES_MAX, unit: "lines" }
    }

    async fn attempt(&self, parcel: &Parcel, lines: &[String]) -> Outcome {
        if lines.is_empty() {
            return refused("there is nothing to say", false);
        }
        let ready = async {
            let turn = self.turn.lock().await;
            let mut session = Session::open(self).await?;
            session.register(&self.who).await?;
            session.join(&self.room, self.key.as_ref()).await?;
            Ok((session, turn))
        };
        let (mut session, _turn) = match tokio::time::timeout(READY_DEADLINE, ready).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return Outcome::Wait { after: None, why: "not in the room in time".into() },
        };
        let said = session.say(&self.room, lines, &parcel.delivery);
        let late = Outcome::Unknown { why: "the server fell silent with the lines in hand".into() };
        let outcome = tokio::time::timeout(SAY_DEADLINE, said).await.unwrap_or(late);
        // Whether it says goodbye changes nothing any more.
        let _gone = tokio::time::timeout(LEAVE_DEADLINE, session.leave()).await;
        outcome
    }
}

/// Where the server is, and whether TLS is spoken.
fn server(url: &str) -> Result<(String, u16, bool), String> {
    let uri: Uri =
        url.parse().map_err(|_| "`url` is no address, such as ircs://irc.example.net".to_owned())?;
    let secure = match uri.scheme_str() {
        Some("ircs") => true,
        Some("irc") => false,
        _ => {
            return Err(
                "`url` begins with ircs:// and names a host, such as ircs://irc.example.net:6697".into()
            );
        }
    };
    let has_more = !matches!(uri.path(), "" | "/") || url.contains(['#', '?']);
    if has_more || uri.authority().is_none_or(|at| at.as_str().contains('@')) {
        return Err("`url` is ircs:// and a host, and perhaps a port: nick, room and passwords have keys of their own".into());
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|at| at.is_loopback());
    if !secure && !is_loopback {
        return Err("`url` begins with irc:// and leads to another machine: everybody on the way could read along and write; write \
                    ircs://"
            .into());
    }
    let port = uri.port_u16().unwrap_or(if secure { TLS_PORT } else { PLAIN_PORT });
    Ok((host, port, secure))
}

fn is_nick(nick: &str) -> bool {
    let fits = |one: u8| one.is_ascii_alphanumeric() || b"-_[]{}\\|^`".contains(&one);
    let begins = nick.bytes().next().is_some_and(|one| !one.is_ascii_digit() && one != b'-');
    begins && nick.len() <= NICK_BYTES_MAX && nick.bytes().all(fits)
}

fn is_room(room: &str) -> bool {
    room.starts_with(['#', '&', '+', '!'])
        && (2..=ROOM_BYTES_MAX).contains(&room.len())
        && !room.contains(|one: char| one.is_control() || matches!(one, ' ' | ',' | ':'))
}
