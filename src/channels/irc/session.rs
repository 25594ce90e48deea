//! One connection to a server of IRC, from its beginning to its end. What is said of a failure holds no word of the server's: only
//! numbers, which are published.

use std::time::Duration;

use rustls_pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::super::Outcome;
use super::super::api::refused;
use super::super::client;
use super::line::{Line, same};
use super::{Irc, Who};
use crate::crypto;

/// Longest line that is read: the tags of a server and a message.
const READ_BYTES_MAX: usize = 16 * 1024;
/// So many lines go at once.
const BURST: usize = 4;
/// Each one after these waits so long.
const EVERY: Duration = Duration::from_secs(2);
/// How often a nick that is in use is written with one more `_`.
const NICKS_MAX: usize = 3;
/// A login goes in pieces of so many bytes.
const PIECE_BYTES: usize = 400;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection.
pub(super) struct Session {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    nick: String,
    /// It was greeted.
    is_in: bool,
    echoes: bool,
}

/// Of what a server offers, what is of use here. It may name as much as it likes.
#[derive(Default)]
struct Offered {
    echoes: bool,
    tags: bool,
    /// By SASL PLAIN.
    login: bool,
}

/// What became of lines so far.
#[derive(Default)]
struct Taken {
    echoed: usize,
    refused: usize,
    /// Too fast, rather than not allowed.
    slow: bool,
    number: String,
    msgid: Option<String>,
    passed: bool,
}

/// Some servers say no number for a wrong password or a ban, but only why they close the connection. Whatever else it may be
/// passes: too many connections, or too fast.
fn is_shut_out(why: &str) -> bool {
    let why = why.to_lowercase();
    ["password", "denied", "not allowed", "not authorized", "unauthorized", "banned", "-lined"]
        .iter()
        .any(|word| why.contains(word))
}

fn wait(why: &str) -> Outcome {
    Outcome::Wait { after: None, why: why.into() }
}

impl Session {
    /// Connects. The error is that nothing was written.
    pub(super) async fn open(irc: &Irc) -> Result<Self, Outcome> {
        let connecting = async {
            let stream = client::connect(irc.reach, &irc.host, irc.port).await?;
            let Some(tls) = &irc.tls else { return Ok(Box::new(stream) as Box<dyn Stream>) };
            let name = ServerName::try_from(irc.host.clone()).map_err(std::io::Error::other)?;
            Ok(Box::new(tls.connect(name, stream).await.map_err(client::tls_fault)?) as Box<dyn Stream>)
        };
        let stream = connecting.await.map_err(|error: std::io::Error| wait(&error.to_string()))?;
        Ok(Self { stream, read: Vec::new(), nick: irc.who.nick.clone(), is_in: false, echoes: false })
    }

    /// Says who it is, until the server greets.
    pub(super) async fn register(&mut self, who: &Who) -> Result<(), Outcome> {
        if let (None, Some(password)) = (&who.user, &who.password) {
            self.write(&format!("PASS :{}", password.expose_secret())).await?;
        }
        self.write("CAP LS 302").await?;
        self.write(&format!("NICK {}", self.nick)).await?;
        self.write("USER onscene 0 * :onscene").await?;
        let mut offered = Offered::default();
        let mut tried = 1;
        let mut is_in = who.user.is_none();
        loop {
            let line = self.next().await?;
            match line.command.as_str() {
                "CAP" => self.capability(&line, who, &mut offered).await?,
                "AUTHENTICATE" => self.log_in(who).await?,
                "903" => {
                    is_in = true;
                    self.write("CAP END").await?;
                }
                "902" | "904" | "905" | "906" | "908" => {
                    return Err(refused(&format!("the login was refused ({})", line.command), true));
                }
                "433" | "436" | "437" if tried < NICKS_MAX => {
                    tried += 1;
                    self.nick.push('_');
                    self.write(&format!("NICK {}", self.nick)).await?;
                }
                "433" | "436" | "437" => return Err(wait("the nick is in use")),
                "432" => return Err(refused("the server does not take this nick (432)", true)),
                "464" => return Err(refused("the password of the server is wrong or missing (464)", true)),
                "463" | "465" | "466" => {
                    return Err(refused(&format!("we are banned there ({})", line.command), true));
                }
                "001" if !is_in => return Err(refused("the server has no login by SASL", true)),
                "001" => {
                    if !line.param(0).is_empty() {
                        line.param(0).clone_into(&mut self.nick);
                    }
                    self.is_in = true;
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// What the server can, and what of it is wanted.
    async fn capability(&mut self, line: &Line, who: &Who, offered: &mut Offered) -> Result<(), Outcome> {
        let no_login = || refused("the server has no login by SASL PLAIN", true);
        match line.param(1).to_uppercase().as_str() {
            "LS" => {
                let is_more = line.param(2) == "*";
                let names = line.param(if is_more { 3 } else { 2 });
                names.split_whitespace().for_each(|name| offered.hear(name));
                if is_more {
                    return Ok(());
                }
                if who.user.is_some() && !offered.login {
                    return Err(no_login());
                }
                let wanted = [
                    ("echo-message", offered.echoes),
                    ("message-tags", offered.tags),
                    ("sasl", who.user.is_some()),
                ];
                let wanted: Vec<&str> =
                    wanted.into_iter().filter_map(|(name, is_wanted)| is_wanted.then_some(name)).collect();
                match wanted.is_empty() {
                    true => self.write("CAP END").await,
                    false => self.write(&format!("CAP REQ :{}", wanted.join(" "))).await,
                }
            }
            "ACK" => {
                self.echoes = line.param(2).split_whitespace().any(|name| name == "echo-message");
                match who.user.is_some() {
                    true => self.write("AUTHENTICATE PLAIN").await,
                    false => self.write("CAP END").await,
                }
            }
            "NAK" if who.user.is_some() => Err(no_login()),
            "NAK" => self.write("CAP END").await,
            _ => Ok(()),
        }
    }

    async fn log_in(&mut self, who: &Who) -> Result<(), Outcome> {
        let (Some(user), Some(password)) = (&who.user, &who.password) else { return Ok(()) };
        let login = crypto::base64(format!("\0{user}\0{}", password.expose_secret()).as_bytes());
        for piece in login.as_bytes().chunks(PIECE_BYTES) {
            self.write(&format!("AUTHENTICATE {}", String::from_utf8_lossy(piece))).await?;
        }
        // A last piece that is full says that more is to come.
        if login.len().is_multiple_of(PIECE_BYTES) {
            self.write("AUTHENTICATE +").await?;
        }
        Ok(())
    }

    /// Enters the room.
    pub(super) async fn join(&mut self, room: &str, key: Option<&SecretString>) -> Result<(), Outcome> {
        let key = key.map(|key| format!(" {}", key.expose_secret())).unwrap_or_default();
        self.write(&format!("JOIN {room}{key}")).await?;
        loop {
            let line = self.next().await?;
            let about = same(line.param(1), room);
            let why = match line.command.as_str() {
                "JOIN" if same(&line.from, &self.nick) && same(line.param(0), room) => return Ok(()),
                "366" if about => return Ok(()),
                "403" | "476" | "479" if about => "there is no such room",
                "405" if about => "we are in too many rooms",
                "437" if about => return Err(wait("the room cannot be entered now (437)")),
                "471" if about => return Err(wait("the room is full (471)")),
                "470" if about => "the room leads to another",
                "473" if about => "the room takes only who is invited",
                "474" if about => "we are banned from the room",
                "475" if about => "the room has another key",
                "477" if about => "the room takes only who is logged in",
                "489" | "520" if about => "the room is not for such connections",
                _ => continue,
            };
            return Err(refused(&format!("{why} ({})", line.command), true));
        }
    }

    /// Says the lines, and waits until it is known what became of them.
    pub(super) async fn say(&mut self, room: &str, lines: &[String], token: &str) -> Outcome {
        let mut taken = Taken::default();
        match self.speak(room, lines, token, &mut taken).await {
            Ok(()) => {}
            Err(_) => {
                return Outcome::Unknown { why: "the connection was lost with the lines in hand".into() };
            }
        }
        let Taken { echoed, refused: no, slow, number, msgid, .. } = taken;
        if no == 0 {
            return Outcome::Accepted { remote_id: msgid };
        }
        if echoed > 0 || no < lines.len() {
            return Outcome::Unknown { why: format!("a part of it was refused ({number})") };
        }
        match slow {
            true => wait(&format!("too fast for the server ({number})")),
            false => refused(&format!("we may not speak in the room ({number})"), true),
        }
    }

    async fn speak(
        &mut self,
        room: &str,
        lines: &[String],
        token: &str,
        taken: &mut Taken,
    ) -> Result<(), Outcome> {
        for (number, line) in lines.iter().enumerate() {
            if number >= BURST {
                // What comes meanwhile is heard, and pings are answered.
                let pause = tokio::time::sleep(EVERY);
                tokio::pin!(pause);
                loop {
                    let heard = tokio::select! {
                        () = &mut pause => break,
                        heard = self.heard() => heard?,
                    };
                    if !self.answers(&heard).await? {
                        taken.hear(&heard, room, &self.nick, token);
                    }
                }
            }
            self.write(&format!("PRIVMSG {room} :{line}")).await?;
        }
        self.write(&format!("PING :{token}")).await?;
        loop {
            // Behind a bouncer the answer to a ping may overtake an echo.
            let done = match self.echoes {
                true => taken.echoed + taken.refused >= lines.len(),
                false => taken.passed,
            };
            if done {
                return Ok(());
            }
            let heard = self.next().await?;
            taken.hear(&heard, room, &self.nick, token);
        }
    }

    /// Says goodbye.
    pub(super) async fn leave(&mut self) {
        if self.write("QUIT :").await.is_ok() {
            let _closed = self.stream.shutdown().await;
        }
    }

    /// The next line; pings are answered on the way.
    async fn next(&mut self) -> Result<Line, Outcome> {
        loop {
            let line = self.heard().await?;
            if !self.answers(&line).await? {
                return Ok(line);
            }
        }
    }

    /// Whether a line was a ping, which is answered here.
    async fn answers(&mut self, line: &Line) -> Result<bool, Outcome> {
        if line.command == "PING" {
            self.write(&format!("PONG :{}", line.param(0))).await?;
        }
        Ok(line.command == "PING")
    }

    /// The next line. Given up in the middle, it loses nothing.
    async fn heard(&mut self) -> Result<Line, Outcome> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let line = Line::read(&String::from_utf8_lossy(&line));
                return match line.command.as_str() {
                    "ERROR" if !self.is_in && is_shut_out(line.param(0)) => {
                        Err(refused("the server does not let us in: a wrong password, or a ban", true))
                    }
                    "ERROR" => Err(wait("the server closed the connection")),
                    _ => Ok(line),
                };
            }
            if self.read.len() > READ_BYTES_MAX {
                return Err(wait("what answers there is no server of IRC"));
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) => return Err(wait("the server closed the connection")),
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(_) => return Err(wait("the connection was lost")),
            }
        }
    }

    /// Writes one line. Whatever stands in it, it stays one.
    async fn write(&mut self, line: &str) -> Result<(), Outcome> {
        let line: String = line.chars().filter(|one| !matches!(one, '\r' | '\n' | '\0')).collect();
        let lost = |_| wait("the connection was lost");
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }
}

impl Offered {
    fn hear(&mut self, offer: &str) {
        let (name, value) = offer.split_once('=').unwrap_or((offer, ""));
        match name {
            "echo-message" => self.echoes = true,
            "message-tags" => self.tags = true,
            // Without a word which ways there are, it may be this.
            "sasl" => self.login |= value.is_empty() || value.split(',').any(|way| way == "PLAIN"),
            _ => {}
        }
    }
}

impl Taken {
    fn hear(&mut self, line: &Line, room: &str, nick: &str, token: &str) {
        match line.command.as_str() {
            "PRIVMSG" if same(&line.from, nick) && same(line.param(0), room) => {
                self.echoed += 1;
                self.msgid = self.msgid.take().or_else(|| line.msgid.clone());
            }
            "PONG" if line.params.iter().any(|param| param == token) => self.passed = true,
            // Of a line that was not taken, whatever the server calls the reason.
            "401" | "403" | "404" | "408" | "439" | "442" | "448" | "477" | "482" | "573" | "707"
                if same(line.param(1), room) =>
            {
                self.refused += 1;
                self.slow |= matches!(line.command.as_str(), "439" | "707");
                line.command.clone_into(&mut self.number);
            }
            _ => {}
        }
    }
}
