//! A way to a server that passes, cuts or stalls, as the test says.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

pub const PASSES: u8 = 0;
pub const CUTS: u8 = 1;
pub const STALLS: u8 = 2;

/// How long one end is listened to before it is looked whether the way still passes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The server at the other end.
pub enum Far {
    Socket(PathBuf),
    Port(SocketAddr),
}

/// The way to the server. It passes everything on, cuts every connection, or holds them and passes nothing on.
pub struct Way {
    pub address: SocketAddr,
    mode: Arc<AtomicU8>,
}

impl Way {
    pub fn to(far: Far) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(AtomicU8::new(PASSES));
        let ours = mode.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if ours.load(Ordering::Acquire) == CUTS {
                    continue;
                }
                let near = Stream::Tcp(near);
                let Ok(far) = far.connect() else { continue };
                near.is_looked_after();
                far.is_looked_after();
                let both = Arc::new((near, far));
                let (one, two) = (ours.clone(), ours.clone());
                let (there, back) = (both.clone(), both);
                std::thread::spawn(move || pass(&there.0, &there.1, &one, &there));
                std::thread::spawn(move || pass(&back.1, &back.0, &two, &back));
            }
        });
        Self { address, mode }
    }

    pub fn is(&self, mode: u8) {
        self.mode.store(mode, Ordering::Release);
    }
}

impl Far {
    fn connect(&self) -> std::io::Result<Stream> {
        match self {
            Self::Socket(path) => UnixStream::connect(path).map(Stream::Unix),
            Self::Port(address) => TcpStream::connect(address).map(Stream::Tcp),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn is_looked_after(&self) {
        match self {
            Self::Tcp(stream) => {
                let _gone = stream.set_nodelay(true);
                let _gone = stream.set_read_timeout(Some(LOOK_EVERY));
            }
            Self::Unix(stream) => {
                let _gone = stream.set_read_timeout(Some(LOOK_EVERY));
            }
        }
    }

    fn end(&self) {
        let _gone = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for &Stream {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).read(bytes),
            Stream::Unix(stream) => (&mut &*stream).read(bytes),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).write(bytes),
            Stream::Unix(stream) => (&mut &*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn pass(mut from: impl Read, mut to: impl Write, mode: &AtomicU8, both: &(Stream, Stream)) {
    let mut bytes = vec![0; 65_536];
    let stalls = || mode.load(Ordering::Acquire) == STALLS;
    while mode.load(Ordering::Acquire) != CUTS {
        if stalls() {
            std::thread::sleep(LOOK_EVERY);
            continue;
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => {
                // What was on its way when the way stalled stays there.
                while stalls() {
                    std::thread::sleep(LOOK_EVERY);
                }
                if to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    both.0.end();
    both.1.end();
}
