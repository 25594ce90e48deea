//! Debian's Postfix with a configuration, a queue and a port of its own: STARTTLS, a login by Cyrus SASL, a maildir.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::harness::{Program, eventually, free_port, program};
use super::{Authority, run};

/// Who logs in.
pub const USER: &str = "pager";
const REALM: &str = "example.net";

/// What a test adds to the configuration.
#[derive(Default)]
pub struct More {
    /// Lines of main.cf.
    pub main: String,
    /// Services of master.cf.
    pub services: String,
    /// Lines of the file `config/transport`.
    pub transport: String,
}

/// One Postfix with two doors: each has a name of its own, which stands in `Received:`, and a password of its own.
pub struct Postfix {
    master: Program,
    directory: PathBuf,
    doors: [u16; 2],
    _owned: tempfile::TempDir,
}

impl Postfix {
    /// Starts it and waits until both doors greet. `Authority` is written beside it, in [`Self::ca`].
    pub fn start(passwords: [&str; 2]) -> Self {
        Self::with(passwords, |_| More::default())
    }

    /// The same with more configuration, which may know the directory that everything is in.
    pub fn with(passwords: [&str; 2], more: impl FnOnce(&Path) -> More) -> Self {
        let owned = tempfile::tempdir().unwrap();
        let directory = owned.path().to_path_buf();
        // Its processes run as somebody else and have to come through.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let doors = [free_port(), free_port()];
        let at = |name: &str| directory.join(name);
        for name in ["config", "queue", "data", "boxes", "config/sasl"] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in
            ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop"]
                .into_iter()
                .chain(["private", "public", "saved", "trace"])
        {
            fs::create_dir(at("queue").join(name)).unwrap();
            own(&at("queue").join(name));
        }
        fs::create_dir(at("queue/pid")).unwrap();
        for name in ["data", "boxes"] {
            own(&at(name));
        }
        Authority::new(&directory).sign("relay");
        for (place, password) in passwords.iter().enumerate() {
            login(&directory, place, password);
        }
        let text =
            MAIN.replace("DIR", directory.to_str().unwrap()).replace("POSTFIX", &postfix_ids().0.to_string());
        let more = more(&directory);
        fs::write(at("config/main.cf"), text + &more.main).unwrap();
        fs::write(at("config/transport"), more.transport).unwrap();
        let mut services = MASTER.to_owned() + &more.services;
        for (place, door) in doors.iter().enumerate() {
            services += &format!(
                "127.0.0.1:{door} inet n - n - - smtpd\n  -o smtpd_sasl_path=door{place}\n  -o myhostname=door{place}.example.net\n"
            );
        }
        fs::write(at("config/master.cf"), services).unwrap();
        let log = fs::File::create(at("stdout")).unwrap();
        let master = Command::new(master())
            .args(["-d", "-c"])
            .arg(at("config"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let postfix = Self { master: Program(master), directory, doors, _owned: owned };
        for door in doors {
            eventually("Postfix greets", || {
                use std::io::BufRead as _;
                let stream = std::net::TcpStream::connect(("127.0.0.1", door)).ok()?;
                stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).ok()?;
                let mut line = String::new();
                std::io::BufReader::new(stream).read_line(&mut line).ok()?;
                line.starts_with("220 ").then_some(())
            });
        }
        postfix
    }

    /// A relay's address for the configuration, with TLS and the login.
    pub fn url(&self, door: usize) -> String {
        format!("smtp://{USER}%40{REALM}@localhost:{}?starttls", self.doors[door])
    }

    /// Whom to trust.
    pub fn ca(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The letters in the mailboxes.
    pub fn letters(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.directory.join("boxes/all/new")) else { return Vec::new() };
        files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok()).collect()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        read("stdout") + &read("log")
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            eprintln!("Postfix logged:\n{}", log.get(log.len().saturating_sub(3000)..).unwrap_or(&log));
        }
        // Told so, it ends the processes it started; killed, it would leave them.
        self.master.signal("TERM");
        let _gone = self.master.0.wait();
    }
}

/// `master` lies beside Postfix's other daemons, in a directory that differs from system to system.
fn master() -> PathBuf {
    let directory = run(Command::new(program(&["postconf"])).args(["-d", "-h", "daemon_directory"]));
    Path::new(directory.trim()).join("master")
}

/// User and group that Postfix's processes run as.
fn postfix_ids() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postfix:")).expect("Postfix has a user");
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn own(path: &Path) {
    let (user, group) = postfix_ids();
    chown(path, Some(user), Some(group)).expect("Postfix needs root: run the tests as root");
}

/// A password for [`USER`] at one door.
fn login(directory: &Path, place: usize, password: &str) {
    use std::io::Write as _;
    let users = directory.join(format!("config/sasl/users{place}"));
    let mut saslpasswd2 = Command::new(program(&["saslpasswd2"]))
        .args(["-p", "-c", "-u", REALM, "-f"])
        .arg(&users)
        .arg(USER)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    saslpasswd2.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    assert!(saslpasswd2.wait().unwrap().success());
    own(&users);
    let text = format!(
        "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\nmech_list: PLAIN LOGIN\n",
        users.display()
    );
    fs::write(directory.join(format!("config/sasl/door{place}.conf")), text).unwrap();
}

const MAIN: &str = "\
compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/log
maillog_file_prefixes = DIR
inet_interfaces = loopback-only
inet_protocols = ipv4
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.net
virtual_mailbox_base = DIR/boxes
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:POSTFIX
virtual_gid_maps = static:POSTFIX
virtual_minimum_uid = 1
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = DIR/relay.pem
smtpd_tls_key_file = DIR/relay.key
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
cyrus_sasl_config_path = DIR/config/sasl
smtpd_sasl_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
";

const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";
