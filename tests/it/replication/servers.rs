//! Two PostgreSQL servers of our own, one following the other: started, killed, promoted and built anew.
//!
//! They sync to disk, and the one that takes writes waits for the other: what is lost here was lost by onscene.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::harness::{Program, free_port, within};

/// For a server to start, to recover from a kill, or to be promoted.
const SERVER_PATIENCE: Duration = Duration::from_secs(120);
/// For the children of a server that was killed to see that it is gone.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(20);
/// For a server to end that was told to.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// The line of `postmaster.pid` with the key and the number of the server's piece of shared memory.
const MEMORY_LINE: usize = 6;

struct Server {
    port: u16,
    data: PathBuf,
    program: Option<Program>,
}

/// The two of them. They are ended and removed with it.
pub struct Pair {
    servers: [Server; 2],
    bin: PathBuf,
    owner: Option<(String, String)>,
    /// The one that takes writes.
    pub primary: usize,
    place: tempfile::TempDir,
}

fn output(command: &mut Command) -> Result<String, String> {
    let done = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    if done.status.success() { Ok(said) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

fn id(arguments: &[&str]) -> Option<String> {
    output(Command::new("id").args(arguments)).ok()
}

impl Pair {
    /// Starts one with an empty database `onscene`, and one that follows it.
    pub fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let bin = fs::read_dir("/usr/lib/postgresql")
            .map(|found| found.flatten().map(|version| version.path().join("bin")).collect::<Vec<_>>())
            .unwrap_or_default();
        let bin = bin.into_iter().filter(|bin| bin.join("initdb").is_file()).max();
        let bin = bin.expect("this test needs PostgreSQL; tests/run installs it");
        // A server does not run as root.
        let owner = (id(&["-u"]).unwrap() == "0").then(|| {
            let name = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
            (id(&["-u", name]).unwrap(), id(&["-g", name]).unwrap())
        });
        if let Some((user, group)) = &owner {
            let (user, group) = (user.parse().unwrap(), group.parse().unwrap());
            std::os::unix::fs::chown(place.path(), Some(user), Some(group)).unwrap();
        }
        let server = |name: &str| Server { port: free_port(), data: place.path().join(name), program: None };
        let servers = [server("one"), server("two")];
        let mut pair = Self { servers, bin, owner, primary: 0, place };
        let data = pair.servers[0].data.clone();
        let made = output(pair.command("initdb").arg("-D").arg(data).args([
            "-U",
            "onscene",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]));
        made.unwrap_or_else(|error| panic!("initdb: {error}"));
        pair.go(0);
        pair.ask(0, "create database onscene").unwrap();
        pair.follow();
        pair
    }

    /// The addresses of both.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        self.servers.each_ref().map(|server| SocketAddr::from(([127, 0, 0, 1], server.port)))
    }

    /// Where `address` is, as the configuration says it.
    pub fn url(addresses: [SocketAddr; 2]) -> String {
        format!("postgres://onscene@{},{}/onscene", addresses[0], addresses[1])
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = match &self.owner {
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(self.place.path()).env("PGCONNECT_TIMEOUT", "5");
        command
    }

    /// Asks a server something, past onscene.
    pub fn ask(&self, which: usize, sql: &str) -> Result<String, String> {
        let port = self.servers[which].port.to_string();
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-p", &port, "-U", "onscene", "-d", "postgres", "-Atqc", sql]);
        output(&mut psql)
    }

    /// Starts a server, and waits until it answers.
    pub fn go(&mut self, which: usize) {
        let port = self.servers[which].port.to_string();
        let log = self.place.path().join(format!("log-{which}"));
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut server = self.command("postgres");
        server.arg("-D").arg(&self.servers[which].data).args(["-p", &port]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=60",
            "shared_buffers=32MB",
            "wal_keep_size=256MB",
            "synchronous_commit=on",
        ] {
            server.args(["-c", setting]);
        }
        let child = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.servers[which].program = Some(Program(child));
        within(SERVER_PATIENCE, "the server answers", || {
            let ended = self.servers[which].program.as_mut().unwrap().0.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {}", self.log(which));
            self.ask(which, "select 1").ok()
        });
    }

    fn log(&self, which: usize) -> String {
        let log = fs::read_to_string(self.place.path().join(format!("log-{which}"))).unwrap_or_default();
        log.get(log.len().saturating_sub(2000)..).unwrap_or(&log).to_owned()
    }

    /// `kill -9` of a server; its children are waited for: as long as one of them lives, it cannot start again.
    pub fn kill(&mut self, which: usize) {
        let mut program = self.servers[which].program.take().unwrap();
        let children = children(program.0.id());
        program.signal("KILL");
        let _gone = program.0.wait();
        let until = Instant::now() + ORPHANS_PATIENCE;
        for child in children {
            while lives(child) {
                if Instant::now() > until {
                    let _gone = Command::new("kill").arg("-KILL").arg(child.to_string()).status();
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Makes the other one take writes.
    pub fn promote(&mut self) {
        self.primary = 1 - self.primary;
        let data = self.servers[self.primary].data.clone();
        let promoted =
            output(self.command("pg_ctl").arg("-D").arg(data).args(["-w", "-t", "100", "promote"]));
        promoted.unwrap_or_else(|error| panic!("promote: {error} {}", self.log(self.primary)));
        self.waits_for("");
    }

    /// Builds the other one from the one that takes writes, which waits for it from then on.
    pub fn follow(&mut self) {
        let other = 1 - self.primary;
        let data = self.servers[other].data.clone();
        let left = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if let Some(memory) = left.lines().nth(MEMORY_LINE).and_then(|line| line.split_whitespace().nth(1)) {
            // Nobody else removes it: the server that would is not started again.
            let _gone = Command::new("ipcrm").args(["-m", memory]).status();
        }
        let _none = fs::remove_dir_all(&data);
        let port = self.servers[self.primary].port.to_string();
        let mut copy = self.command("pg_basebackup");
        copy.arg("-D").arg(data).args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "onscene",
            "-R",
            "-X",
            "stream",
        ]);
        output(copy.args(["-c", "fast"])).unwrap_or_else(|error| panic!("pg_basebackup: {error}"));
        self.go(other);
        self.waits_for("*");
        self.is_followed();
    }

    /// Until what is committed is on both.
    pub fn is_followed(&self) {
        within(SERVER_PATIENCE, "the other server follows", || {
            let states = "select sync_state from pg_stat_replication where state = 'streaming'";
            self.ask(self.primary, states).ok().filter(|state| state == "sync")
        });
    }

    fn waits_for(&self, names: &str) {
        let set = format!("alter system set synchronous_standby_names = '{names}'");
        within(SERVER_PATIENCE, "the server is told", || self.ask(self.primary, &set).ok());
        self.ask(self.primary, "select pg_reload_conf()").unwrap();
        within(SERVER_PATIENCE, "the server knows", || {
            self.ask(self.primary, "show synchronous_standby_names").ok().filter(|known| known == names)
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(program) = &mut self.program else { return };
        // As it is told to end at once, it still gives its memory back.
        let _sent = Command::new("kill").arg("-QUIT").arg(program.0.id().to_string()).status();
        let until = Instant::now() + END_PATIENCE;
        while Instant::now() < until && matches!(program.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What stands in `/proc` of a process: its state, and whose child it is.
fn process(place: &Path) -> Option<(String, u32)> {
    let stat = fs::read_to_string(place.join("stat")).ok()?;
    // The name stands in brackets, and may hold anything.
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    Some((rest.next()?.to_owned(), rest.next()?.parse().ok()?))
}

fn children(of: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let theirs = all.filter(|entry| process(&entry.path()).is_some_and(|(_, parent)| parent == of));
    theirs.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn lives(pid: u32) -> bool {
    process(&PathBuf::from(format!("/proc/{pid}"))).is_some_and(|(state, _)| state != "Z")
}
