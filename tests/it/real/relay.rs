//! A mail relay of a few lines that misbehaves as it is told to. Real relays stand in `postfix`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::harness::eventually;

/// How it treats who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Works,
    /// Takes one letter on a connection, then hangs up without a word.
    HangsUp,
    /// 421 in place of a greeting.
    Busy,
    /// Accepts, and says nothing.
    NeverGreets,
    /// Breaks the connection when it hears who the sender is.
    BreaksAfterMail,
    /// 550 for this recipient, and for nobody else.
    KnowsNot(&'static str),
    /// 451 to the final dot: certainly not written.
    LaterAfterData,
    /// Takes the letter and says nothing more.
    SilentAfterData,
    /// Takes the letter and breaks the connection.
    BreaksAfterData,
}

/// A relay; its threads end with their connections, or with the test's process.
pub struct Relay {
    pub port: u16,
    /// Every letter that came to its final dot, accepted or not, with the recipient first.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Relay {
    pub fn new(manner: Manner) -> Self {
        Self::at(0, manner)
    }

    pub fn at(port: u16, manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let kept = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || converse(&stream, manner, &kept));
            }
        });
        Self { port, seen }
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Letters to somebody that came to their final dot.
    pub fn letters(&self, to: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(recipient, _)| recipient == to).map(|(_, letter)| letter.clone()).collect()
    }

    /// Waits for the first letter to somebody.
    pub fn letter(&self, to: &str) -> String {
        eventually(&format!("a letter to {to}"), || self.letters(to).into_iter().next())
    }
}

/// Ends a connection as a crash does: with a reset in place of a farewell.
fn reset(stream: &TcpStream) -> Option<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok()
}

fn converse(stream: &TcpStream, manner: Manner, seen: &Mutex<Vec<(String, String)>>) -> Option<()> {
    let say = |line: &str| (&*stream).write_all(format!("{line}\r\n").as_bytes()).ok();
    let mut lines = BufReader::new(stream).lines();
    match manner {
        Manner::Busy => return say("421 relay.example.net too busy"),
        Manner::NeverGreets => return lines.next().map(drop),
        _ => say("220 relay.example.net ESMTP")?,
    }
    let mut to = String::new();
    while let Some(Ok(line)) = lines.next() {
        match line.split([' ', ':']).next().unwrap_or("").to_uppercase().as_str() {
            "EHLO" => say("250-relay.example.net\r\n250 8BITMIME")?,
            "MAIL" if manner == Manner::BreaksAfterMail => return reset(stream),
            "RCPT" => {
                to = line.split(['<', '>']).nth(1)?.to_owned();
                match manner {
                    Manner::KnowsNot(nobody) if to == nobody => say("550 5.1.1 no such user here")?,
                    _ => say("250 2.1.5 ok")?,
                }
            }
            "DATA" => {
                say("354 go on")?;
                let mut letter = String::new();
                for line in lines.by_ref().map_while(Result::ok).take_while(|line| line != ".") {
                    letter += line.strip_prefix("..").map_or(&line, |_| &line[1..]);
                    letter += "\r\n";
                }
                seen.lock().unwrap().push((to.clone(), letter));
                match manner {
                    Manner::LaterAfterData => say("451 4.3.0 try again later")?,
                    Manner::BreaksAfterData => return reset(stream),
                    Manner::SilentAfterData => return lines.next().map(drop),
                    Manner::HangsUp => return say("250 2.0.0 kept"),
                    _ => say("250 2.0.0 kept")?,
                }
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
    Some(())
}
