//! An address becomes a bound socket, or a sentence that says why not and what to do.
//!
//! Sockets also come from the service manager (socket activation), which keeps accepting into the kernel's queue
//! while the daemon restarts. A Unix socket's file is left behind at the end: the next start removes it when
//! nobody answers on it, and a socket that a successor has already bound is never taken away from it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

/// Connections the kernel holds while they wait for a slot; it cuts this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Owner and group may connect to a Unix socket.
const UNIX_MODE: u32 = 0o660;

/// Where to listen: `127.0.0.1:8080`, `[::]:8080` or `unix:/run/onscene/http.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = ListenProblem;

    fn from_str(text: &str) -> Result<Self, ListenProblem> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self::Unix(path.into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| ListenProblem::NotAnAddress(text.to_owned()))
    }
}

/// Why nobody can listen there.
#[derive(Debug, thiserror::Error)]
pub enum ListenProblem {
    /// It cannot be read.
    #[error("{0:?} is no address: write 127.0.0.1:8080, [::]:8080 or unix:/run/onscene/http.sock")]
    NotAnAddress(String),
    /// Somebody else is there.
    #[error(
        "{0} is taken: another program listens there (`ss -lntxp` names it); stop it or choose another address"
    )]
    Taken(Address),
    /// The system forbids it.
    #[error(
        "{0} is not allowed to this user: ports below 1024 need CAP_NET_BIND_SERVICE or a socket from systemd, \
         a Unix socket needs a directory this user may write to"
    )]
    NotAllowed(Address),
    /// The machine has no such address.
    #[error("{0} is no address of this machine (`ip address` lists them); 0.0.0.0 and [::] stand for all")]
    NotOfThisMachine(Address),
    /// The socket's directory is missing.
    #[error("{0} has no directory: create it first, or let systemd do so with RuntimeDirectory=")]
    NoDirectory(Address),
    /// Something else than a socket has that name.
    #[error("{0} is a file and no socket: it is left alone; move it away or choose another path")]
    NotASocket(Address),
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: Address,
        /// What the system says.
        source: io::Error,
    },
    /// The service manager handed over something that cannot be used.
    #[error("the sockets handed over by the service manager cannot be used: {0}")]
    HandedOver(io::Error),
}

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// On an address and a port.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

impl Listener {
    /// Binds. Needs the runtime, as the socket is registered with it.
    ///
    /// # Errors
    /// When nobody can listen there.
    pub fn bind(address: &Address) -> Result<Self, ListenProblem> {
        match address {
            Address::Tcp(to) => bind_tcp(*to).map_err(|source| problem(address, source)),
            Address::Unix(path) => {
                make_room(path, address)?;
                bind_unix(path).map_err(|source| problem(address, source))
            }
        }
    }

    /// Where it is bound, for the log. With port 0 this tells the port that was chosen.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Ok(Address::Unix(address.as_pathname().unwrap_or(Path::new("")).into()))
            }
        }
    }
}

/// A socket handed over by the service manager.
#[derive(Debug)]
pub struct HandedOver {
    /// `FileDescriptorName=` of the socket unit, by which the listeners are told apart.
    pub name: String,
    socket: HandedSocket,
}

#[derive(Debug)]
enum HandedSocket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl HandedOver {
    /// Registers it with the runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(self) -> Result<Listener, ListenProblem> {
        let opened = match self.socket {
            HandedSocket::Tcp(socket) => {
                socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)).map(Listener::Tcp)
            }
            HandedSocket::Unix(socket) => {
                socket.set_nonblocking(true).and_then(|()| UnixListener::from_std(socket)).map(Listener::Unix)
            }
        };
        opened.map_err(ListenProblem::HandedOver)
    }
}

/// The sockets that the service manager handed over; none without one. To be called once, before any thread is
/// started: it takes `LISTEN_FDS` out of the environment, so that children do not believe the sockets are theirs.
///
/// # Errors
/// When something other than stream sockets was handed over.
pub fn handed_over() -> Result<Vec<HandedOver>, ListenProblem> {
    // sd-notify checks whom the sockets are for and knows their names; listenfd owns them without unsafe code here.
    // Names without sockets are somebody else's, left over in the environment, and no reason not to start.
    if sd_notify::listen_fds().map_err(ListenProblem::HandedOver)?.len() == 0 {
        return Ok(Vec::new());
    }
    let names: Vec<String> = sd_notify::listen_fds_with_names()
        .map_err(ListenProblem::HandedOver)?
        .map(|(_, name)| name)
        .collect();
    let mut sockets = listenfd::ListenFd::from_env();
    let mut handed = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().enumerate() {
        let socket = match sockets.take_tcp_listener(place) {
            Ok(socket) => socket.map(HandedSocket::Tcp),
            Err(_) => {
                sockets.take_unix_listener(place).map_err(ListenProblem::HandedOver)?.map(HandedSocket::Unix)
            }
        };
        if let Some(socket) = socket {
            handed.push(HandedOver { name, socket });
        }
    }
    Ok(handed)
}

fn problem(address: &Address, source: io::Error) -> ListenProblem {
    let address = address.clone();
    match source.kind() {
        ErrorKind::AddrInUse => ListenProblem::Taken(address),
        ErrorKind::PermissionDenied => ListenProblem::NotAllowed(address),
        ErrorKind::AddrNotAvailable => ListenProblem::NotOfThisMachine(address),
        ErrorKind::NotFound | ErrorKind::NotADirectory => ListenProblem::NoDirectory(address),
        _ => ListenProblem::Other { address, source },
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Without it, a restart has to wait for the last connections to time out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // [::] means every address, whatever net.ipv6.bindv6only says.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into()).map(Listener::Tcp)
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before listen, so that nobody connects under wider rights.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(UNIX_MODE))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into()).map(Listener::Unix)
}

/// Removes the socket of a predecessor that ended without a word; refuses when somebody answers on it.
fn make_room(path: &Path, address: &Address) -> Result<(), ListenProblem> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        // Binding tells what is wrong with the directory, if anything.
        Err(_) => return Ok(()),
    };
    if !metadata.file_type().is_socket() {
        return Err(ListenProblem::NotASocket(address.clone()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenProblem::Taken(address.clone())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|source| problem(address, source))
        }
        Err(source) => Err(problem(address, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["127.0.0.1:8080", "[::]:8080", "unix:/run/onscene/http.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("/run/http.sock".parse::<Address>().unwrap(), Address::Unix("/run/http.sock".into()));
        let said = "localhost".parse::<Address>().unwrap_err().to_string();
        assert!(said.contains("127.0.0.1:8080"), "{said}");
    }

    #[tokio::test]
    async fn a_taken_port_is_said_to_be_taken() {
        let first = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.address().unwrap();
        let said = Listener::bind(&address).unwrap_err().to_string();
        assert!(said.contains("is taken") && said.contains(&address.to_string()), "{said}");
        drop(first);
        Listener::bind(&address).unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_said_to_be_one() {
        let said = Listener::bind(&"192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(matches!(said, ListenProblem::NotOfThisMachine(_)), "{said}");
    }

    #[tokio::test]
    async fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let address = Address::Unix(directory.path().join("http.sock"));
        let first = Listener::bind(&address).unwrap();
        assert_eq!(first.address().unwrap(), address);
        assert!(matches!(Listener::bind(&address), Err(ListenProblem::Taken(_))));
        drop(first);
        let _second = Listener::bind(&address).unwrap();
        let Address::Unix(path) = address else { return };
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
    }

    #[tokio::test]
    async fn a_file_in_place_of_a_unix_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes");
        std::fs::write(&path, "dear diary").unwrap();
        let said = Listener::bind(&Address::Unix(path.clone())).unwrap_err();
        assert!(matches!(said, ListenProblem::NotASocket(_)), "{said}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "dear diary");
        let missing = Address::Unix(directory.path().join("none/http.sock"));
        assert!(matches!(Listener::bind(&missing), Err(ListenProblem::NoDirectory(_))));
    }

    #[test]
    fn without_a_service_manager_no_socket_is_handed_over() {
        assert!(handed_over().unwrap().is_empty());
    }

    /// Hands a socket to a process of its own the way systemd does: as descriptor 3, with its name beside it.
    #[test]
    fn a_socket_of_the_service_manager_is_taken_with_its_name() {
        let command = r#"exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=public \
            exec "$0" --ignored --exact http::listen::tests::handed_over_by_the_story_above"#;
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ran = std::process::Command::new("sh")
            .args(["-c".as_ref(), command.as_ref(), std::env::current_exe().unwrap().as_os_str()])
            .stdin(std::os::fd::OwnedFd::from(socket))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    }

    #[tokio::test]
    #[ignore = "started by the story above, with a socket in hand"]
    async fn handed_over_by_the_story_above() {
        let mut handed = handed_over().unwrap();
        let socket = handed.pop().unwrap();
        assert_eq!((socket.name.as_str(), handed.len()), ("public", 0));
        let listener = socket.open().unwrap();
        let Address::Tcp(address) = listener.address().unwrap() else { panic!("it was a TCP socket") };
        assert_ne!(address.port(), 0);
        assert!(handed_over().unwrap().is_empty(), "they are handed over once");
    }
}
