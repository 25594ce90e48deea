//! The roads in, and the way out: HTTP/1, HTTP/2, TLS, Unix sockets, failures and the stop.

use super::*;

#[tokio::test]
async fn a_kept_connection_is_served_twice() {
    let server = Server::start(patient());
    let mut socket = server.connect().await;
    for _ in 0..2 {
        say(&mut socket, HELLO).await;
        assert!(hear_until(&mut socket, "hello").await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(count(&server.meters.accepted), 1);
    assert!(server.ask("GET /none HTTP/1.1\r\nHost: o\r\n\r\n").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_body_within_the_limit_comes_back_with_a_go_ahead() {
    let server = Server::start(patient());
    let mut socket = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    say(&mut socket, head).await;
    assert!(hear_until(&mut socket, "\r\n\r\n").await.starts_with("HTTP/1.1 100"));
    say(&mut socket, "alert").await;
    assert!(hear_until(&mut socket, "alert").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_panic_in_a_handler_answers_500_and_the_connection_goes_on() {
    let server = Server::start(patient());
    let mut socket = server.connect().await;
    say(&mut socket, "GET /panic HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let heard = hear_until(&mut socket, "}").await;
    assert!(heard.starts_with("HTTP/1.1 500") && heard.contains("urn:onscene:problem:internal"), "{heard}");
    assert!(!heard.contains("a story's panic"));
    say(&mut socket, HELLO).await;
    hear_until(&mut socket, "hello").await;
    assert_eq!(count(&server.meters.panics), 1);
}

#[tokio::test]
async fn a_stop_lets_a_running_request_finish_and_refuses_new_ones() {
    let server = Server::start(patient());
    let mut running = server.connect().await;
    say(&mut running, "GET /wait HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut idle = server.connect().await;
    say(&mut idle, HELLO).await;
    hear_until(&mut idle, "hello").await;
    let mut half = server.connect().await;
    say(&mut half, "GET / HT").await;
    until("all were taken", || count(&server.meters.accepted) == 3).await;
    sleep(SHORT).await;

    server.stop.cancel();
    assert_eq!(hear_close(&mut idle).await, "");
    until("new ones are refused", || std::net::TcpStream::connect(server.tcp()).is_err()).await;
    assert!(!server.served.is_finished());
    server.go.notify_one();
    let heard = hear_close(&mut running).await;
    assert!(heard.ends_with("waited") && heard.contains("connection: close"), "{heard}");
    timeout(SOON, server.served).await.unwrap().unwrap();
    assert_eq!(count(&server.meters.open), 0);
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_cut_off() {
    let server = Server::start(Limits { drain: SHORT, ..patient() });
    let mut running = server.connect().await;
    say(&mut running, "GET /wait HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let (mut client, driver) = http2(server.connect().await).await;
    let driver = server.tracker.spawn(driver);
    let asked = server.tracker.spawn(async move { client.send_request(get_request("/wait")).await.is_ok() });
    sleep(SHORT).await;
    server.stop.cancel();
    assert_eq!(hear_close(&mut running).await, "");
    timeout(SOON, server.served).await.unwrap().unwrap();
    assert!(!asked.await.unwrap(), "the stream was cut off with its connection");
    let _ = driver.await;
    server.tracker.close();
    timeout(SOON, server.tracker.wait()).await.expect("a task was left behind");
}

#[tokio::test]
async fn http2_is_served_to_those_who_know() {
    let server = Server::start(Limits { header_timeout: SHORT, idle_timeout: SHORT * 3, ..patient() });
    let (mut client, driver) = http2(server.connect().await).await;
    let driver = server.tracker.spawn(driver);
    assert_eq!(text(client.send_request(get_request("/")).await.unwrap()).await, "hello");
    // Longer than a header may take.
    sleep(SHORT * 2).await;
    assert_eq!(client.send_request(get_request("/panic")).await.unwrap().status(), 500);

    let large = Full::new(Bytes::from(vec![b'x'; 2 * 1024 * 1024]));
    let request = http::Request::post("http://localhost/echo").body(large).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 413);

    let mut bomb = get_request("/");
    bomb.headers_mut().insert("x", "y".repeat(64 * 1024).parse().unwrap());
    match client.send_request(bomb).await {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(_) => assert!(!client.is_closed(), "only the stream was refused"),
    }
    assert_eq!(text(client.send_request(get_request("/")).await.unwrap()).await, "hello");
    timeout(SOON, driver).await.expect("an idle HTTP/2 connection was kept").unwrap();
}

#[tokio::test]
async fn tls_speaks_http2_and_http1() {
    let papers = Papers::new();
    let tls = papers.load("leaf.pem", "leaf.key").unwrap();
    let server = Server::start_on("127.0.0.1:0".parse().unwrap(), Some(tls), patient());

    let connect = async |protocol: &[u8]| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(papers.authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let socket =
            connector.connect("localhost".try_into().unwrap(), server.connect().await).await.unwrap();
        assert_eq!(socket.get_ref().1.alpn_protocol(), Some(protocol));
        socket
    };

    let (mut client, driver) = http2(connect(b"h2").await).await;
    server.tracker.spawn(driver);
    assert_eq!(text(client.send_request(get_request("/peer")).await.unwrap()).await, "true true");

    let mut socket = connect(b"http/1.1").await;
    say(&mut socket, HELLO).await;
    assert!(hear_until(&mut socket, "hello").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_accept_loop_survives_clients_that_break_off_and_handshakes_that_fail() {
    let papers = Papers::new();
    let tls = papers.load("leaf.pem", "leaf.key").unwrap();
    let limits = Limits { connections_max: 4, tls_timeout: SHORT, ..patient() };
    let server = Server::start_on("127.0.0.1:0".parse().unwrap(), Some(tls), limits);
    for round in 0..40 {
        let mut socket = server.connect().await;
        match round % 3 {
            0 => drop(socket),
            1 => say(&mut socket, HELLO).await,
            _ => {
                socket.set_zero_linger().unwrap();
            }
        }
    }
    let mut silent = server.connect().await;
    assert_eq!(hear_close(&mut silent).await, "", "a handshake has a deadline");
    until("slots are free", || count(&server.meters.open) == 0).await;
    assert_eq!(count(&server.meters.accepted), 41);
    assert!(count(&server.meters.handshakes_failed) > 0);
    assert!(!server.served.is_finished());
}

#[tokio::test]
async fn a_unix_socket_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.sock");
    let server = Server::start_on(Address::Unix(path.clone()), None, patient());
    let mut socket = UnixStream::connect(path).await.unwrap();
    say(&mut socket, "GET /peer HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let heard = hear_until(&mut socket, "false").await;
    assert!(heard.ends_with("false false"), "{heard}");
    server.stop.cancel();
    timeout(SOON, server.served).await.unwrap().unwrap();
}

/// Runs `out_of_descriptors` in a process of its own, as the limit counts for a whole process.
#[tokio::test]
async fn the_accept_loop_survives_a_system_that_is_out_of_descriptors() {
    let command = r#"ulimit -n 64 && exec "$0" --ignored --exact http::stories::roads::out_of_descriptors"#;
    let ran = tokio::process::Command::new("sh")
        .args(["-c".as_ref(), command.as_ref(), std::env::current_exe().unwrap().as_os_str()])
        .output();
    let ran = timeout(SOON, ran).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "started by the story above, with few descriptors"]
async fn out_of_descriptors() {
    let server = Server::start(patient());
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
        assert!(taken.len() < 1024, "only to be run with few descriptors");
    }
    taken.pop();
    // The client gets the last one, so that none is left to accept it with.
    let mut socket = server.connect().await;
    say(&mut socket, HELLO).await;
    until("accepting failed more than once", || count(&server.meters.accepts_failed) > 1).await;
    drop(taken);
    assert!(hear_until(&mut socket, "hello").await.starts_with("HTTP/1.1 200"));
}
