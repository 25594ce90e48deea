//! Posts over connections that stay open where the side keeps them so, as a proxy or Alertmanager does. One thread drives all of them,
//! so that the generator takes little of the machine from the side that is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came back in one run.
pub struct Told {
    /// Of every answered request, sorted.
    pub latencies: Vec<Duration>,
    /// How long the run took.
    pub seconds: f64,
}

/// The figure that this part of all figures does not exceed. `sorted` must be sorted.
pub fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let at = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or(Duration::MAX)
}

/// Posts these requests in turn, for this long.
pub fn run(address: SocketAddr, requests: &[Vec<u8>], connections: usize, time: Duration) -> Told {
    let requests = Arc::new(requests.to_vec());
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let until = began + time;
    let all = runtime().block_on(async {
        let mut posting = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (requests, next) = (requests.clone(), next.clone());
            posting.spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let request = &requests[next.fetch_add(1, Ordering::Relaxed) % requests.len()];
                    let at = Instant::now();
                    connection.post(request).await;
                    latencies.push(at.elapsed());
                }
                latencies
            });
        }
        posting.join_all().await
    });
    let mut latencies: Vec<Duration> = all.into_iter().flatten().collect();
    latencies.sort_unstable();
    Told { latencies, seconds: began.elapsed().as_secs_f64() }
}

/// Posts each request once, over a few connections.
pub fn once_each(address: SocketAddr, requests: &[Vec<u8>]) {
    runtime().block_on(async {
        let mut connection = Connection::open(address).await;
        for request in requests {
            connection.post(request).await;
        }
    });
}

/// Posts each request once at a fixed rate, whether the last one was answered or not, and says when
/// each was due: waiting for a slow side counts as that side's time.
pub fn at_rate(address: SocketAddr, requests: &[Vec<u8>], per_second: u32) -> Vec<Instant> {
    at_rate_timed(address, requests, per_second).due
}

/// What was sent at a fixed rate.
pub struct Rated {
    /// When each was due.
    pub due: Vec<Instant>,
    /// From then to its answer, sorted.
    pub latencies: Vec<Duration>,
}

/// The same, with the time of every answer.
pub fn at_rate_timed(address: SocketAddr, requests: &[Vec<u8>], per_second: u32) -> Rated {
    let began = Instant::now() + Duration::from_millis(100);
    let due = |n: usize| began + Duration::from_secs_f64(n as f64 / f64::from(per_second));
    let requests = Arc::new(requests.to_vec());
    let all = runtime().block_on(async {
        let mut posting = tokio::task::JoinSet::new();
        // As many connections as are ever under way at once; each takes every n-th request.
        let connections = 64;
        for first in 0..connections {
            let requests = requests.clone();
            posting.spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut latencies = Vec::new();
                for n in (first..requests.len()).step_by(connections) {
                    let at = began + Duration::from_secs_f64(n as f64 / f64::from(per_second));
                    tokio::time::sleep_until(at.into()).await;
                    connection.post(&requests[n]).await;
                    latencies.push(at.elapsed());
                }
                latencies
            });
        }
        posting.join_all().await
    });
    let mut latencies: Vec<Duration> = all.into_iter().flatten().collect();
    latencies.sort_unstable();
    Rated { due: (0..requests.len()).map(due).collect(), latencies }
}

struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the side listens");
        stream.set_nodelay(true).expect("a TCP option");
        Self { address, stream, bytes: Vec::with_capacity(16 * 1024) }
    }

    /// One request and its whole answer. Anything but a 2xx ends the bench: a refusal is not speed.
    async fn post(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("the side reads");
        self.bytes.clear();
        loop {
            let read = self.stream.read_buf(&mut self.bytes).await.expect("the side answers");
            assert!(read > 0, "closed: {}", String::from_utf8_lossy(&self.bytes));
            let Some(head) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&self.bytes[..head]).to_ascii_lowercase();
            assert!(text.starts_with("http/1.1 2"), "refused: {}", String::from_utf8_lossy(&self.bytes));
            let length: usize = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.trim().parse().expect("a length"));
            if self.bytes.len() >= head + 4 + length {
                if text.contains("\r\nconnection: close") {
                    *self = Self::open(self.address).await;
                }
                return;
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
