//! Debian's Exim with a configuration, a spool and a port of its own.
//!
//! Debian has it instead of Postfix and not beside it, so `tests/run` unpacks its package into `target/exim`. It was built
//! for a user of its own: that user is there in a mount namespace, and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::super::harness::{Daemon, Program, eventually, free_port, program};
use super::mail_in::{NOBODY, pipe};
use super::of_project;

/// Number of the user it was built for: one that nobody has.
const USER: u32 = 65_531;

/// Where `tests/run` puts it.
const PROGRAM: &str = "target/exim/usr/sbin/exim4";

/// One Exim.
pub struct Exim {
    _program: Program,
    directory: PathBuf,
    pub port: u16,
    _owned: tempfile::TempDir,
}

impl Exim {
    /// Starts it with the pipe of the recipe, and waits until it greets.
    pub fn start(daemon: &Daemon) -> Self {
        let owned = tempfile::tempdir().unwrap();
        let directory = owned.path().to_path_buf();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["spool", "log"] {
            fs::create_dir(directory.join(name)).unwrap();
            std::os::unix::fs::chown(directory.join(name), Some(USER), Some(USER)).unwrap();
        }
        let port = free_port();
        let text = CONFIG
            .replace("DIR", directory.to_str().unwrap())
            .replace("PORT", &port.to_string())
            .replace("EXIM", of_project(PROGRAM).to_str().unwrap())
            .replace("NOBODY", NOBODY)
            .replace("COMMAND", &pipe(&directory, daemon));
        fs::write(directory.join("exim.conf"), text).unwrap();
        for (name, line) in [
            ("passwd", format!("Debian-exim:x:{USER}:{USER}::/nonexistent:/usr/sbin/nologin\n")),
            ("group", format!("Debian-exim:x:{USER}:\n")),
        ] {
            let known = fs::read_to_string(Path::new("/etc").join(name)).unwrap();
            let others = known.lines().filter(|line| !line.starts_with("Debian-exim:"));
            let text = others.map(|line| format!("{line}\n")).collect::<String>() + &line;
            fs::write(directory.join(name), text).unwrap();
        }
        let child = spawn(&directory, &["-bdf", "-q1s"]);
        let exim = Self { _program: Program(child), directory, port, _owned: owned };
        eventually("Exim greets", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        exim
    }

    /// What it logged: `=>` delivered, `==` put off, `**` given up.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        read("log/main") + &read("log/panic") + &read("output")
    }

    /// Tries everything that was put off, now.
    pub fn tries_again(&self) {
        let ended = spawn(&self.directory, &["-qff"]).wait().unwrap();
        assert!(ended.success(), "{}", self.log());
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("Exim logged:\n{}", self.log());
        }
    }
}

fn spawn(directory: &Path, arguments: &[&str]) -> Child {
    let root = of_project("target/exim");
    let exim = of_project(PROGRAM);
    assert!(exim.is_file(), "this test needs {}; tests/run brings it", exim.display());
    let libraries = fs::read_dir(root.join("usr/lib")).unwrap().map(|one| one.unwrap().path());
    let libraries: Vec<String> = libraries.map(|path| path.display().to_string()).collect();
    let output = fs::OpenOptions::new().create(true).append(true).open(directory.join("output")).unwrap();
    let script = "mount --bind \"$1/passwd\" /etc/passwd && mount --bind \"$1/group\" /etc/group && shift && exec \"$@\"";
    Command::new(program(&["unshare"]))
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(directory)
        .arg(exim)
        .arg("-C")
        .arg(directory.join("exim.conf"))
        .args(arguments)
        .env("LD_LIBRARY_PATH", libraries.join(":"))
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap()
}

const CONFIG: &str = "\
primary_hostname = mx.example.net
exim_path = EXIM
spool_directory = DIR/spool
log_file_path = DIR/log/%s
pid_file_path = DIR/spool/exim.pid
daemon_smtp_ports = PORT
local_interfaces = 127.0.0.1
domainlist local_domains = example.net
acl_smtp_rcpt = accept_all
never_users = root
keep_environment = LD_LIBRARY_PATH
tls_advertise_hosts =
begin acl
accept_all:
  accept
begin routers
onscene:
  driver = accept
  domains = example.net
  local_parts = answers : pager
  transport = onscene_pipe
unknown:
  driver = redirect
  domains = example.net
  allow_fail
  data = :fail: no such user here
begin transports
onscene_pipe:
  driver = pipe
  command = COMMAND
  user = NOBODY
  return_path_add
  log_output
  temp_errors = 73 : 75
begin retry
* * F,1h,1s
";
