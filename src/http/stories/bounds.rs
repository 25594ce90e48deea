//! What a client cannot do: hold, flood, stall.

use super::*;

#[tokio::test]
async fn a_client_that_never_speaks_is_cut() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let mut silent = server.connect().await;
    assert_eq!(hear_close(&mut silent).await, "");
    // The first bytes of HTTP/2's greeting, which are held back to tell the versions apart.
    let mut half_a_greeting = server.connect().await;
    say(&mut half_a_greeting, "PRI * HT").await;
    assert_eq!(hear_close(&mut half_a_greeting).await, "");
    until("slots are free", || count(&server.meters.open) == 0).await;
    assert_eq!(count(&server.meters.timed_out), 2);
}

#[tokio::test]
async fn a_header_that_drips_is_cut() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let (mut from, mut to) = server.connect().await.into_split();
    let drip = async {
        to.write_all(b"GET / HTTP/1.1\r\n").await?;
        for n in 0..1_000_000 {
            to.write_all(format!("x-{n}: y\r\n").as_bytes()).await?;
            sleep(Duration::from_millis(50)).await;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        heard = hear_close(&mut from) => assert!(!heard.contains("200"), "{heard}"),
        _ = async { let _ = drip.await; std::future::pending::<()>().await } => {}
    }
    until("it was counted", || count(&server.meters.timed_out) == 1).await;
}

#[tokio::test]
async fn a_second_header_that_drips_is_cut_by_the_header_deadline_and_not_the_idle_one() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, HELLO).await;
    hear_until(&mut socket, "hello").await;
    // Longer than a header may take: between requests the idle deadline counts.
    sleep(SHORT * 2).await;
    say(&mut socket, HELLO).await;
    hear_until(&mut socket, "hello").await;
    sleep(SHORT).await;
    say(&mut socket, "GET / HT").await;
    assert_eq!(hear_close(&mut socket).await, "");
}

#[tokio::test]
async fn an_idle_kept_connection_is_closed() {
    let server = Server::start(Limits { idle_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, HELLO).await;
    assert!(hear_close(&mut socket).await.ends_with("hello"));
    until("its slot is free", || count(&server.meters.open) == 0).await;
}

#[tokio::test]
async fn a_request_that_runs_long_is_not_idle() {
    let server = Server::start(Limits { idle_timeout: SHORT, header_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, "GET /wait HTTP/1.1\r\nHost: o\r\n\r\n").await;
    sleep(SHORT * 3).await;
    server.go.notify_one();
    assert!(hear_close(&mut socket).await.ends_with("waited"));
}

#[tokio::test]
async fn a_slow_body_is_answered_with_408() {
    let server = Server::start(Limits { body_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, "POST /echo HTTP/1.1\r\nHost: o\r\nContent-Length: 100\r\n\r\nsome of it").await;
    let heard = hear_close(&mut socket).await;
    assert!(heard.starts_with("HTTP/1.1 408") && heard.contains("urn:onscene:problem:timeout"), "{heard}");
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read_and_the_neighbour_is_served() {
    const LARGE: usize = 2 * 1024 * 1024;
    let server = Server::start(patient());
    let head = format!("POST /echo HTTP/1.1\r\nHost: o\r\nContent-Length: {LARGE}\r\n");

    // Asked for the go-ahead, the server answers 413 in its place.
    let heard = server.ask(&format!("{head}Expect: 100-continue\r\n\r\n")).await;
    assert!(heard.starts_with("HTTP/1.1 413"), "{heard}");

    // A client that sends it all before it reads still finds the answer, and no reset in its place.
    let mut neighbour = server.connect().await;
    let mut socket = server.connect().await;
    say(&mut socket, &format!("{head}\r\n")).await;
    // In pieces, as a network does: after a reset the second one would fail.
    for piece in vec![b'x'; LARGE].chunks(LARGE / 16) {
        socket.write_all(piece).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    say(&mut neighbour, HELLO).await;
    assert!(hear_until(&mut neighbour, "hello").await.contains("200"));
    let heard = hear_close(&mut socket).await;
    assert!(heard.starts_with("HTTP/1.1 413") && heard.contains("too-large"), "{heard}");

    // Without a declared size it is counted.
    let mut socket = server.connect().await;
    say(&mut socket, "POST /echo HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n").await;
    let _ = socket.write_all(&vec![b'x'; LARGE]).await;
    let heard = hear_close(&mut socket).await;
    assert!(heard.starts_with("HTTP/1.1 413"), "{heard}");
}

#[tokio::test]
async fn header_bombs_are_refused() {
    let server = Server::start(patient());
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(64 * 1024));
    let long_path = format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(64 * 1024));
    for bomb in [
        format!("GET / HTTP/1.1\r\nHost: o\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: o\r\n{large}\r\n"),
        long_path,
    ] {
        let mut socket = server.connect().await;
        say(&mut socket, &bomb).await;
        let heard = hear_close(&mut socket).await;
        assert!(heard.starts_with("HTTP/1.1 431") || heard.starts_with("HTTP/1.1 414"), "{heard}");
    }
    assert!(server.ask(HELLO).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let server = Server::start(Limits { write_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, "GET /flood HTTP/1.1\r\nHost: o\r\n\r\n").await;
    until("it was taken", || count(&server.meters.open) == 1).await;
    until("its slot is free", || count(&server.meters.open) == 0).await;
}

#[tokio::test]
async fn beyond_the_cap_a_client_waits_until_another_leaves() {
    let server = Server::start(Limits { connections_max: 2, ..patient() });
    let one = server.connect().await;
    let _two = server.connect().await;
    let mut third = server.connect().await;
    say(&mut third, HELLO).await;
    until("both slots are taken", || count(&server.meters.open) == 2).await;
    assert!(timeout(SHORT, third.read_u8()).await.is_err(), "the third was served beside two others");
    drop(one);
    assert!(hear_until(&mut third, "ello").await.contains("TTP/1.1 200"));
}

#[tokio::test]
async fn clients_that_hold_every_slot_in_silence_lose_them() {
    let server = Server::start(Limits { connections_max: 2, header_timeout: SHORT, ..patient() });
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(server.connect().await);
    }
    assert!(server.ask(HELLO).await.starts_with("HTTP/1.1 200"));
}
