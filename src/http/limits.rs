//! How many, how large, how long: everything a client can hold of the server.

use std::time::Duration;

/// Connections at once; two descriptors each would still fit in systemd's usual 524,288 and in 16,384 by hand.
const CONNECTIONS_MAX: usize = 8_192;
/// Bytes in a body: the largest batch of alerts seen in the field is below 1 MiB.
const BODY_MAX: usize = 1024 * 1024;
/// Bytes in a request line with its headers, and the size of HTTP/1's buffer.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Headers in a request.
const HEADERS_MAX: usize = 100;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Seconds from the first byte of a header (or from the connection) to its end.
const HEADER_TIMEOUT_S: u64 = 10;
/// Seconds for a whole body.
const BODY_TIMEOUT_S: u64 = 20;
/// Seconds for a whole body of which nobody knows yet whether he may send it who sends it. Services that sign send from fast
/// networks, and what is late they send again.
const UNPROVEN_TIMEOUT_S: u64 = 5;
/// Seconds a connection may stand between requests. Longer than the 60 s of common load balancers and proxies:
/// whoever opens the connection should be the one to close it, or a request meets a closed door.
const IDLE_TIMEOUT_S: u64 = 75;
/// Seconds a peer may leave an answer unread.
const WRITE_TIMEOUT_S: u64 = 20;
/// Seconds for a TLS handshake.
const TLS_TIMEOUT_S: u64 = 10;
/// Seconds a closing connection goes on swallowing what the client still sends, so that it can read the answer.
const LINGER_S: u64 = 2;
/// Seconds that running requests get when the server stops.
const DRAIN_S: u64 = 10;
/// Seconds that nobody needs less of to read an answer page and to press a button on it.
const ANSWER_AFTER_S: u64 = 2;

/// hyper refuses an HTTP/1 buffer below this.
pub(super) const BUFFER_BYTES_MIN: usize = 8 * 1024;

const _: () = assert!(HEADER_BYTES_MAX >= BUFFER_BYTES_MIN);
const _: () = assert!(HEADER_BYTES_MAX < BODY_MAX);
const _: () = assert!(UNPROVEN_TIMEOUT_S < BODY_TIMEOUT_S);
const _: () = assert!(HEADER_TIMEOUT_S < IDLE_TIMEOUT_S);
const _: () = assert!(IDLE_TIMEOUT_S > 60, "proxies keep connections for 60 s");
const _: () = assert!(LINGER_S < DRAIN_S, "a lingering close must not outlast the drain");
const _: () = assert!(CONNECTIONS_MAX <= u32::MAX as usize, "slots are counted in u32");

/// The limits of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; the next ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Bytes in a body. The transport hands it on; [`super::body::read`] enforces it.
    pub body_max: usize,
    /// Bytes in a request line with its headers. Not below 8 KiB.
    pub header_bytes_max: usize,
    /// Headers in an HTTP/1 request; HTTP/2 counts bytes only.
    pub headers_max: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// From the first byte of a header to its end; also from the connection to the end of the first header.
    pub header_timeout: Duration,
    /// For a whole body.
    pub body_timeout: Duration,
    /// For a whole body that is not proven yet; never longer than for any other.
    pub unproven_timeout: Duration,
    /// Between requests.
    pub idle_timeout: Duration,
    /// How long a peer may leave an answer unread.
    pub write_timeout: Duration,
    /// For a TLS handshake.
    pub tls_timeout: Duration,
    /// How long a closing connection swallows what is still sent.
    pub linger: Duration,
    /// How long running requests get when the server stops.
    pub drain: Duration,
    /// A button of an answer page that is pressed sooner than this is asked for once more.
    pub answer_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            body_max: BODY_MAX,
            header_bytes_max: HEADER_BYTES_MAX,
            headers_max: HEADERS_MAX,
            streams_max: STREAMS_MAX,
            header_timeout: Duration::from_secs(HEADER_TIMEOUT_S),
            body_timeout: Duration::from_secs(BODY_TIMEOUT_S),
            unproven_timeout: Duration::from_secs(UNPROVEN_TIMEOUT_S),
            idle_timeout: Duration::from_secs(IDLE_TIMEOUT_S),
            write_timeout: Duration::from_secs(WRITE_TIMEOUT_S),
            tls_timeout: Duration::from_secs(TLS_TIMEOUT_S),
            linger: Duration::from_secs(LINGER_S),
            drain: Duration::from_secs(DRAIN_S),
            answer_after: Duration::from_secs(ANSWER_AFTER_S),
        }
    }
}
