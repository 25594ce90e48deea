//! A server that says what it is told, line for line: what each failure means, and when.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::super::stories::{build, statement, status_letter};
use super::*;

/// What a server answers to a line that begins so, in lines with `|` between them. `{}` is what follows in the line; `CLOSE` ends
/// the connection, and `ECHO` sends the line back as ours. The first that fits counts; a line that nothing fits is not answered.
type Rules = Vec<(&'static str, &'static str)>;

/// A usual server that can echo.
fn usual() -> Rules {
    vec![
        ("CAP LS", ":s CAP * LS * :multi-prefix|:s CAP * LS :echo-message message-tags sasl=PLAIN,EXTERNAL"),
        ("CAP REQ ", ":s CAP * ACK {}"),
        ("CAP END", "PING :cookie"),
        ("PONG :cookie", ":s 001 onscene :Welcome"),
        ("JOIN #ops", ":onscene!u@h JOIN #Ops|:s 366 onscene #ops :End"),
        ("PRIVMSG ", "ECHO"),
        ("PING ", ":s PONG s {}"),
        ("QUIT", "ERROR :bye|CLOSE"),
    ]
}

/// The same with other answers first.
fn with(rules: &[(&'static str, &'static str)]) -> Rules {
    rules.iter().copied().chain(usual()).collect()
}

/// One that knows no capabilities.
fn old() -> Rules {
    with(&[("CAP", ":s 421 * CAP :Unknown command"), ("USER", ":s 001 onscene :Welcome"), ("PRIVMSG", "")])
}

/// Serves connections by these rules; it gives the address, and what was said there until the end of each connection.
#[allow(clippy::disallowed_methods, reason = "a test's own server")]
async fn server(rules: Rules) -> (String, tokio::sync::mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("irc://{}", listener.local_addr().unwrap());
    let (told, said) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut heard = Vec::new();
            let mut echoed = 0;
            'connection: while let Ok(Some(line)) = lines.next_line().await {
                heard.push(line.clone());
                let answer = rules.iter().find(|(begin, _)| line.starts_with(begin));
                if let Some((begin, answer)) = answer {
                    for one in answer.split('|').filter(|one| !one.is_empty()) {
                        let one = match one {
                            "CLOSE" => break 'connection,
                            "ECHO" => {
                                echoed += 1;
                                format!("@msgid=m{echoed} :onscene!u@h {line}")
                            }
                            other => other.replace("{}", &line[begin.len()..]),
                        };
                        let _gone = write.write_all(format!("{one}\r\n").as_bytes()).await;
                    }
                }
            }
            let _gone = told.send(heard).await;
        }
    });
    (url, said)
}

fn room_with(url: &str, texts: &[(&str, &str)], secrets: &[(&str, &str)]) -> Channel {
    let all = [("url", url), ("nick", "onscene"), ("room", "#ops"), ("private_addresses", "allow")];
    build(&KIND, &[&all[..], texts].concat(), secrets).unwrap()
}

fn letter() -> Parcel {
    let text =
        "SEV1 shop: checkout down\r\nSince: 02:13\n\nhttps://onscene.example.net/incidents/42\n".into();
    Parcel { text, ..status_letter() }
}

async fn sent(rules: Rules) -> Outcome {
    let (url, _said) = server(rules).await;
    room_with(&url, &[], &[]).send(&letter()).await
}

fn wait(why: &str) -> Outcome {
    Outcome::Wait { after: None, why: why.into() }
}

#[tokio::test]
async fn a_letter_is_said_and_known_to_be_taken() {
    let (url, mut said) = server(usual()).await;
    let channel = room_with(&url, &[], &[("room_password", "hush-hush")]);
    assert_eq!(channel.send(&letter()).await, Outcome::Accepted { remote_id: Some("m1".into()) });
    let expected = [
        "CAP LS 302",
        "NICK onscene",
        "USER onscene 0 * :onscene",
        "CAP REQ :echo-message message-tags",
        "CAP END",
        "PONG :cookie",
        "JOIN #ops hush-hush",
        "PRIVMSG #ops :[INC-42] shop: checkout down für alle <!channel>",
        "PRIVMSG #ops :SEV1 shop: checkout down · Since: 02:13",
        "PRIVMSG #ops :https://onscene.example.net/incidents/42",
        "PING :0123456789abcdef0123456789abcdef",
        "QUIT :",
    ];
    assert_eq!(said.recv().await.unwrap(), expected);
}

#[tokio::test]
async fn without_echoes_the_answer_to_a_ping_says_that_the_lines_were_taken() {
    let (url, mut said) = server(old()).await;
    let channel = room_with(&url, &[], &[("password", "of the server")]);
    assert_eq!(channel.send(&letter()).await, Outcome::Accepted { remote_id: None });
    assert_eq!(said.recv().await.unwrap()[0], "PASS :of the server");
}

#[tokio::test]
async fn an_account_is_logged_in_to_by_sasl() {
    let rules = with(&[
        ("AUTHENTICATE PLAIN", "AUTHENTICATE +"),
        ("AUTHENTICATE ", ":s 900 * * onscene :in|:s 903 * :done"),
    ]);
    let (url, mut said) = server(rules).await;
    let login = |url: &str| room_with(url, &[("user", "house")], &[("password", "not-a-real-password")]);
    assert_eq!(login(&url).send(&letter()).await.as_str(), "accepted");
    let said = said.recv().await.unwrap();
    assert!(said.contains(&"CAP REQ :echo-message message-tags sasl".to_owned()), "{said:?}");
    let proof = format!("AUTHENTICATE {}", crypto::base64(b"\0house\0not-a-real-password"));
    assert!(said.contains(&proof) && !said.iter().any(|line| line.starts_with("PASS")), "{said:?}");
    let refused = |why: &str| Outcome::Refused { why: why.into(), whole_channel: true };
    for (rules, why) in [
        (with(&[("AUTHENTICATE PLAIN", ":s 904 * :no")]), "the login was refused (904)"),
        (with(&[("CAP LS", ":s CAP * LS :echo-message")]), "the server has no login by SASL PLAIN"),
        (with(&[("CAP LS", ":s CAP * LS :sasl=EXTERNAL")]), "the server has no login by SASL PLAIN"),
        (with(&[("CAP REQ", ":s CAP * NAK :sasl")]), "the server has no login by SASL PLAIN"),
        (old(), "the server has no login by SASL"),
    ] {
        let (url, _said) = server(rules).await;
        assert_eq!(login(&url).send(&letter()).await, refused(why));
    }
}

#[tokio::test]
async fn a_nick_in_use_gets_another_and_after_three_the_letter_waits() {
    let taken = [("NICK onscene_", ":s NOTICE * :fine"), ("NICK", ":s 433 * onscene :in use")];
    let (url, mut said) = server(with(&taken)).await;
    // The server welcomes it by the name it has.
    assert_eq!(room_with(&url, &[], &[]).send(&letter()).await.as_str(), "accepted");
    assert!(said.recv().await.unwrap().contains(&"NICK onscene_".to_owned()));
    assert_eq!(sent(with(&[("NICK", ":s 433 * onscene :in use")])).await, wait("the nick is in use"));
}

#[tokio::test]
async fn what_keeps_us_out_is_about_the_whole_channel_unless_it_passes() {
    let refused = |why: &str| Outcome::Refused { why: why.into(), whole_channel: true };
    for (begin, answer, meant) in [
        (
            "USER",
            ":s 464 * :Password incorrect",
            refused("the password of the server is wrong or missing (464)"),
        ),
        ("USER", ":s 465 * :You are banned|ERROR :Closing link", refused("we are banned there (465)")),
        ("NICK", ":s 432 * onscene :Erroneous", refused("the server does not take this nick (432)")),
        (
            "USER",
            "ERROR :Closing link: (u@h) [Access denied by configuration]|CLOSE",
            refused("the server does not let us in: a wrong password, or a ban"),
        ),
        ("USER", "ERROR :Closing link: throttled|CLOSE", wait("the server closed the connection")),
        ("CAP END", "CLOSE", wait("the server closed the connection")),
        ("JOIN", ":s 403 onscene #ops :No such channel", refused("there is no such room (403)")),
        ("JOIN", ":s 474 onscene #ops :(+b)", refused("we are banned from the room (474)")),
        ("JOIN", ":s 475 onscene #ops :(+k)", refused("the room has another key (475)")),
        ("JOIN", ":s 473 onscene #ops :(+i)", refused("the room takes only who is invited (473)")),
        ("JOIN", ":s 477 onscene #ops :(+r)", refused("the room takes only who is logged in (477)")),
        ("JOIN", ":s 471 onscene #ops :(+l)", wait("the room is full (471)")),
        ("JOIN", "CLOSE", wait("the server closed the connection")),
        ("PRIVMSG", ":s 404 onscene #ops :Cannot send", refused("we may not speak in the room (404)")),
    ] {
        assert_eq!(sent(with(&[(begin, answer)])).await, meant, "{begin} {answer}");
    }
    let old_and_mute: Rules = [("PRIVMSG", ":s 404 onscene #ops :no")].into_iter().chain(old()).collect();
    assert_eq!(sent(old_and_mute).await, refused("we may not speak in the room (404)"));
}

#[tokio::test]
async fn after_the_first_line_nobody_knows_until_it_is_said() {
    let unknown = |why: &str| Outcome::Unknown { why: why.into() };
    let lost = unknown("the connection was lost with the lines in hand");
    assert_eq!(sent(with(&[("PRIVMSG", "CLOSE")])).await, lost);
    assert_eq!(sent(with(&[("PRIVMSG #ops :SEV1", "ERROR :flood|CLOSE")])).await, lost, "a part was taken");
    let part = with(&[("PRIVMSG #ops :SEV1", ":s 404 onscene #ops :no")]);
    assert_eq!(sent(part).await, unknown("a part of it was refused (404)"));
    let begun = tokio::time::timeout(SEND_DEADLINE, async {
        let silent = unknown("the server fell silent with the lines in hand");
        let (echo, ping) = (sent(with(&[("PRIVMSG", "")])), [("PRIVMSG", ""), ("PING", "")]);
        let barrier = sent(ping.into_iter().chain(old()).collect());
        assert_eq!(tokio::join!(echo, barrier), (silent.clone(), silent));
    });
    begun.await.expect("within the deadline of every attempt");
}

#[tokio::test]
async fn a_server_that_says_nothing_and_one_that_is_not_there_have_taken_nothing() {
    let (url, _said) = server(vec![]).await;
    let silent = room_with(&url, &[], &[]);
    let began = tokio::time::timeout(SEND_DEADLINE, silent.send(&letter())).await;
    assert_eq!(began.expect("within the deadline"), wait("not in the room in time"));
    let nobody = room_with("irc://127.0.0.1:1", &[], &[]).send(&letter()).await;
    assert_eq!(nobody.as_str(), "wait", "{nobody:?}");
    let outside = build(&KIND, &[("url", "irc://127.0.0.1:1"), ("nick", "onscene"), ("room", "#ops")], &[]);
    let Outcome::Wait { why, .. } = outside.unwrap().send(&letter()).await else {
        panic!("it is not public")
    };
    assert!(why.contains("not on the public Internet"), "{why}");
}

#[tokio::test]
async fn letters_go_one_after_the_other_and_long_ones_slowly() {
    let (url, mut said) = server(usual()).await;
    let channel = room_with(&url, &[], &[]);
    let long = Parcel { text: "word ".repeat(900), ..letter() };
    let (short, slow) = (letter(), channel.send(&long));
    let (slow, quick) = tokio::join!(slow, channel.send(&short));
    assert_eq!((slow.as_str(), quick.as_str()), ("accepted", "accepted"));
    let first = said.recv().await.unwrap();
    let lines: Vec<_> = first.iter().filter(|line| line.starts_with("PRIVMSG")).collect();
    assert_eq!(
        (lines.len(), lines[5].as_str()),
        (6, "PRIVMSG #ops :… https://onscene.example.net/incidents/42")
    );
    assert!(said.recv().await.unwrap().iter().any(|line| line.contains("Since: 02:13")));
}

#[tokio::test]
async fn a_statement_is_said_line_for_line_as_it_was_shown_and_never_twice() {
    let (url, mut said) = server(usual()).await;
    let channel = room_with(&url, &[], &[]);
    let shown = channel.shows(&statement(1));
    assert_eq!((shown.size, shown.most, shown.unit), (4, 6, "lines"));
    assert_eq!(channel.send(&statement(1)).await.as_str(), "accepted");
    let heard = said.recv().await.unwrap();
    let lines: Vec<_> = heard.iter().filter_map(|line| line.strip_prefix("PRIVMSG #ops :")).collect();
    assert_eq!(lines.join("\n"), shown.text);

    let long = channel.send(&Parcel { text: "word ".repeat(900), ..statement(1) }).await;
    let why = "it has 12 lines, and no more than 6 are taken".into();
    assert_eq!(long, Outcome::Refused { why, whole_channel: false });

    let (url, mut said) = server(with(&[("PRIVMSG", "CLOSE")])).await;
    let channel = room_with(&url, &[], &[]);
    assert_eq!(channel.send(&statement(1)).await.as_str(), "unknown");
    assert!(!channel.recognises_repeats(&statement(1)));
    let heard = said.recv().await.unwrap();
    assert_eq!(heard.iter().filter(|line| line.contains("Online shop")).count(), 1, "{heard:?}");
}

#[tokio::test]
async fn of_all_that_a_server_offers_what_is_of_use_is_asked_for_wherever_it_stands() {
    let many = ":s CAP * LS * :a b=c d sasl=EXTERNAL,PLAIN|".repeat(50);
    let offers = format!(
        ":s CAP * LS * :echo-message z|{many}:s CAP * LS :sasl=EXTERNAL message-tags=1 invite-notify"
    );
    let rules: Rules = with(&[
        ("CAP LS", offers.leak()),
        ("AUTHENTICATE PLAIN", "AUTHENTICATE +"),
        ("AUTHENTICATE", ":s 903 * :in"),
    ]);
    let (url, mut said) = server(rules).await;
    let channel = room_with(&url, &[("user", "house")], &[("password", "not-a-real-one")]);
    assert_eq!(channel.send(&letter()).await.as_str(), "accepted");
    let heard = said.recv().await.unwrap();
    assert!(heard.contains(&"CAP REQ :echo-message message-tags sasl".to_owned()), "{heard:?}");
}

#[test]
fn what_cannot_work_is_said_when_it_is_built() {
    let said = |texts: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let all = [("url", "ircs://irc.example.net"), ("nick", "onscene"), ("room", "#ops")];
        let texts = [&all[..], texts].concat();
        let texts: std::collections::BTreeMap<_, _> = texts.into_iter().collect();
        let texts: Vec<_> = texts.into_iter().collect();
        build(&KIND, &texts, secrets).err().unwrap_or_default()
    };
    assert_eq!(said(&[], &[]), "");
    for (key, text, why) in [
        ("url", "irc://irc.example.net", "write ircs://"),
        ("url", "https://irc.example.net", "ircs://"),
        ("url", "ircs://irc.example.net/#ops", "keys of their own"),
        ("url", "ircs://maya:secret@irc.example.net", "keys of their own"),
        ("nick", "on scene", "`nick`"),
        ("nick", "7up", "`nick`"),
        ("room", "#ops,#all", "`room`"),
        ("room", "ops", "`room`"),
        ("user", "house", "`password_file`"),
        ("ca_file", "/nonexistent/ca.pem", "cannot be used"),
    ] {
        let said = said(&[(key, text)], &[]);
        assert!(said.contains(why), "{text}: {said}");
    }
    assert!(said(&[], &[("room_password", "two words")]).contains("a space"));
    assert!(said(&[], &[("password", "not-a\r\nQUIT")]).contains("the end of a line"));
}
