//! The files of deploy/ for tools that run `onscene send`, each run by the real program: read from there, with the paths
//! of the test put in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::harness::{Daemon, HOUSE, Program, binary, eventually, program};

/// A house with a source for each of the tools.
fn house() -> String {
    let source = |name: &str, kind: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\ntoken = \"test-token-of-{name}\"\nservice = \"shop\"\n"
        )
    };
    let sources = [
        ("nagios", "nagios"),
        ("icinga", "icinga"),
        ("keepalived", "keepalived"),
        ("monit", "generic"),
        ("cron", "generic"),
    ];
    sources.iter().fold(HOUSE.to_owned(), |house, (name, kind)| house + &source(name, kind))
}

/// A file of deploy/, with the program, the daemon, the token and the spool of the test.
fn snippet(daemon: &Daemon, path: &str, server: &str, token: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)).unwrap();
    let source = path.split('/').next().unwrap().trim_end_matches('2');
    let secret = daemon.directory.join(format!("token-of-{source}"));
    fs::write(&secret, format!("test-token-of-{source}\n")).unwrap();
    let spool = super::send::spool(daemon);
    let mut text = text.replace(token, secret.to_str().unwrap());
    for (there, here) in [
        ("https://onscene.example.net", server),
        ("/usr/bin/onscene", binary().to_str().unwrap()),
        ("/var/spool/onscene", spool.to_str().unwrap()),
        ("/var/lib/nagios/onscene", spool.to_str().unwrap()),
        ("/var/lib/icinga2/onscene", spool.to_str().unwrap()),
    ] {
        text = text.replace(there, here);
    }
    assert!(!text.contains("example.net"), "{text}");
    text
}

fn address(daemon: &Daemon) -> String {
    format!("http://{}", daemon.address)
}

/// Starts a program that is ended with the test; what it says is in the panic when something does not come.
fn start(command: &mut Command, log: &Path) -> Program {
    let file = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    Program(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

fn write(path: PathBuf, text: &str) -> PathBuf {
    fs::write(&path, text).unwrap();
    path
}

fn script(path: PathBuf, text: &str) -> PathBuf {
    let path = write(path, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

pub fn user() -> (String, String) {
    let id = |what: &str| {
        let said = Command::new(program(&["id"])).arg(what).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    };
    (id("-un"), id("-gn"))
}

/// What is known of alerts, as a person sees it, over whatever the daemon listens on.
struct Watch<'a> {
    daemon: &'a Daemon,
    token: String,
    log: PathBuf,
}

impl<'a> Watch<'a> {
    fn new(daemon: &'a Daemon) -> Self {
        Self { daemon, token: daemon.token("maya"), log: daemon.directory.join("sender.log") }
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        let said = self.daemon.command(arguments, Some(&self.token));
        serde_json::from_slice(&said.stdout).unwrap_or(Value::Null)
    }

    /// The newest alert with this key, with the title of its incident.
    fn find(&self, key: &str) -> Option<(String, String)> {
        let listed = self.ask(&["incident", "list", "--json", "--limit", "100"]);
        listed["incidents"].as_array()?.iter().find_map(|one| {
            let shown = self.ask(&["incident", "show", &one["id"].to_string(), "--json"]);
            let alert = shown["alerts"].as_array()?.iter().find(|alert| alert["key"] == key)?;
            Some((alert["status"].as_str()?.to_owned(), alert["title"].as_str()?.to_owned()))
        })
    }

    /// Waits until an alert is so; answers its title.
    fn is(&self, key: &str, status: &str) -> String {
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&format!("{key} is {status}"), || {
                self.find(key).filter(|(is, _)| is == status).map(|(_, title)| title)
            })
        }));
        found.unwrap_or_else(|_| {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{key} is {:?}, not {status}; the sender said:\n{said}", self.find(key))
        })
    }
}

#[test]
fn nagios_tells_of_a_service_that_fails_and_recovers() {
    let daemon = Daemon::start(&house());
    let watch = Watch::new(&daemon);
    let home = daemon.directory.join("nagios");
    fs::create_dir_all(home.join("results")).unwrap();
    let text = snippet(&daemon, "nagios/onscene.cfg", &address(&daemon), "/etc/nagios4/onscene-token");
    let commands = write(home.join("onscene.cfg"), &text);
    // What a check says must never be a command.
    let pwned = home.join("pwned");
    let state = write(home.join("state"), "2");
    let check = script(
        home.join("check"),
        &format!(
            "#!/bin/sh\nread -r state <{}\nexec {} \"$state\" \"it's '; touch {}; ' \\$(touch {}) \\\"full\\\"\"\n",
            state.display(),
            plugin("check_dummy").display(),
            pwned.display(),
            pwned.display(),
        ),
    );
    let objects = write(
        home.join("objects.cfg"),
        &format!(
            "define command {{\n command_name check\n command_line {}\n}}\n\
             define host {{\n host_name db-1\n address 192.0.2.1\n max_check_attempts 1\n check_period onscene-always\n \
             notification_period onscene-always\n contacts onscene\n}}\n\
             define service {{\n host_name db-1\n service_description disk /srv\n check_command check\n \
             max_check_attempts 1\n check_interval 1\n retry_interval 1\n notification_interval 0\n \
             check_period onscene-always\n notification_period onscene-always\n contacts onscene\n}}\n",
            check.display()
        ),
    );
    let (user, group) = user();
    let in_home = |name: &str| home.join(name).display().to_string();
    let config = write(
        home.join("nagios.cfg"),
        &format!(
            "cfg_file={}\ncfg_file={}\nlog_file={}\nobject_cache_file={}\nprecached_object_file={}\nstatus_file={}\n\
             lock_file={}\ntemp_file={}\ntemp_path={}\ncheck_result_path={}\nstate_retention_file={}\nquery_socket={}\n\
             command_file={}\nnagios_user={user}\nnagios_group={group}\ncheck_external_commands=0\ninterval_length=1\n\
             use_syslog=0\nenable_notifications=1\nretain_state_information=0\n{}\n",
            commands.display(),
            objects.display(),
            in_home("nagios.log"),
            in_home("objects.cache"),
            in_home("objects.precache"),
            in_home("status.dat"),
            in_home("nagios.lock"),
            in_home("nagios.tmp"),
            home.display(),
            in_home("results"),
            in_home("retention.dat"),
            in_home("nagios.qh"),
            in_home("nagios.cmd"),
            // As Debian ships it.
            "illegal_macro_output_chars=`~$&|'\"<>",
        ),
    );
    let _nagios = start(Command::new(program(&["nagios4"])).arg(&config), &watch.log);
    assert_eq!(watch.is("db-1!disk /srv", "firing"), "disk /srv on db-1 is CRITICAL");
    write(state.clone(), "0");
    watch.is("db-1!disk /srv", "resolved");
    write(state, "1");
    assert_eq!(watch.is("db-1!disk /srv", "firing"), "disk /srv on db-1 is WARNING");
    assert!(!pwned.exists(), "a check ran a command");
}

fn plugin(name: &str) -> PathBuf {
    let path = Path::new("/usr/lib/nagios/plugins").join(name);
    assert!(path.is_file(), "this test needs {name}; tests/run installs monitoring-plugins-basic");
    path
}

#[test]
fn icinga_tells_of_a_service_that_fails_and_recovers_and_of_a_host() {
    let daemon = Daemon::start(&house());
    let watch = Watch::new(&daemon);
    let home = daemon.directory.join("icinga");
    fs::create_dir(&home).unwrap();
    let text = snippet(&daemon, "icinga2/onscene.conf", &address(&daemon), "/etc/icinga2/onscene-token");
    let commands = write(home.join("onscene.conf"), &text);
    let pwned = home.join("pwned");
    let check = |name: &str| {
        let state = write(home.join(format!("{name}.state")), "2");
        let check = script(
            home.join(name),
            &format!(
                "#!/bin/sh\nread -r state <{}\nexec {} \"$state\" \"it's '; touch {}; ' \\$(true) --flush\"\n",
                state.display(),
                plugin("check_dummy").display(),
                pwned.display(),
            ),
        );
        (state, check)
    };
    let ((disk, check_disk), (host, check_host)) = (check("disk"), check("host"));
    let config = write(
        home.join("icinga2.conf"),
        &format!(
            "const NodeName = \"icinga\"\nconst ZoneName = NodeName\ninclude <itl>\ninclude \"{}\"\nobject CheckerComponent \"checker\" {{ }}\n\
             object NotificationComponent \"notification\" {{ }}\n\
             object CheckCommand \"disk-check\" {{ command = [ \"{}\" ] }}\n\
             object CheckCommand \"host-check\" {{ command = [ \"{}\" ] }}\n\
             object Host \"db-1\" {{ check_command = \"host-check\", check_interval = 1s, retry_interval = 1s, \
             max_check_attempts = 1, address = \"192.0.2.1\", vars.onscene = true }}\n\
             object Host \"db-2\" {{ check_command = \"dummy\", check_interval = 1s, address = \"192.0.2.2\" }}\n\
             object Service \"disk /srv\" {{ host_name = \"db-2\", check_command = \"disk-check\", check_interval = 1s, \
             retry_interval = 1s, max_check_attempts = 1, vars.onscene = true }}\n",
            commands.display(),
            check_disk.display(),
            check_host.display(),
        )
        .replace(", check", "\n check")
        .replace(", retry", "\n retry")
        .replace(", max", "\n max")
        .replace(", address", "\n address")
        .replace(", vars", "\n vars"),
    );
    let (user, group) = user();
    let mut icinga = Command::new(program(&["icinga2"]));
    icinga.arg("daemon").arg("-c").arg(&config);
    for (name, value) in [
        ("RunAsUser", user.as_str()),
        ("RunAsGroup", group.as_str()),
        ("DataDir", home.to_str().unwrap()),
        ("CacheDir", home.to_str().unwrap()),
        ("LogDir", home.to_str().unwrap()),
        ("SpoolDir", home.to_str().unwrap()),
        ("InitRunDir", home.to_str().unwrap()),
        ("PidPath", home.join("pid").to_str().unwrap()),
    ] {
        icinga.arg("-D").arg(format!("Configuration.{name}={value}"));
    }
    let mut icinga = start(&mut icinga, &watch.log);
    assert_eq!(watch.is("db-2!disk /srv", "firing"), "disk /srv on db-2 is CRITICAL");
    assert_eq!(watch.is("db-1", "firing"), "db-1 is DOWN");
    write(disk, "0");
    write(host, "0");
    watch.is("db-2!disk /srv", "resolved");
    watch.is("db-1", "resolved");
    assert!(!pwned.exists(), "a check ran a command");
    // It has children, which it ends itself.
    icinga.signal("TERM");
    let _ended = icinga.0.wait();
}

#[test]
fn monit_tells_of_a_check_that_fails_and_recovers() {
    let daemon = Daemon::start(&house());
    let watch = Watch::new(&daemon);
    let home = daemon.directory.join("monit");
    fs::create_dir(&home).unwrap();
    let text = snippet(&daemon, "monit/onscene-monit", &address(&daemon), "/etc/monit/onscene-token");
    let tell = script(home.join("onscene-monit"), &text);
    let stamp = home.join("stamp");
    let checks = snippet(&daemon, "monit/onscene.conf", &address(&daemon), "/etc/monit/onscene-token")
        .replace("/usr/local/bin/onscene-monit", tell.to_str().unwrap())
        .replace("/var/backups/stamp", stamp.to_str().unwrap());
    let config = write(
        home.join("monitrc"),
        &format!(
            "set daemon 1\nset log {0}/monit.log\nset idfile {0}/id\nset statefile {0}/state\nset pidfile {0}/pid\n{checks}",
            home.display()
        ),
    );
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let _monit = start(Command::new(program(&["monit"])).arg("-I").arg("-c").arg(&config), &watch.log);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let key = format!("{}/backup-stamp", host.trim());
    let title = watch.is(&key, "firing");
    assert!(title.starts_with("backup-stamp on ") && title.contains("exist"), "{title}");
    write(stamp, "");
    watch.is(&key, "resolved");
}

#[test]
fn cron_runs_the_job_and_tells_how_it_ended() {
    let mut daemon = Daemon::start(&house());
    let text = snippet(&daemon, "cron/onscene", &address(&daemon), "/etc/onscene-cron-token");
    let home = daemon.directory.join("cron");
    fs::create_dir(&home).unwrap();
    let job = script(home.join("backup"), "#!/bin/sh\necho \"$@ from $PWD\"\necho no room >&2\nexit 4\n");
    let text = text.replace("/usr/local/bin/backup", job.to_str().unwrap());
    let setting = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let jobs: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with(|first: char| first == '*' || first.is_ascii_digit()))
        .map(|line| line.split_whitespace().skip(6).collect::<Vec<_>>().join(" "))
        .collect();
    let [backup, flush] = &jobs[..] else { panic!("{jobs:?}") };
    // As cron does it: a shell, almost no environment, and a percent sign would be a line break.
    assert!(jobs.iter().all(|job| !job.contains('%')), "{jobs:?}");
    let path = format!("{}:{}", binary().parent().unwrap().display(), setting("PATH="));
    let cron = |line: &str| {
        let mut shell = Command::new(setting("SHELL="));
        shell.args(["-c", line]).env_clear().current_dir(&home);
        shell.env("SHELL", "/bin/sh").env("PATH", &path).env("HOME", &home).env("LOGNAME", "root");
        shell.stdin(Stdio::null()).output().unwrap()
    };
    let ended = cron(backup);
    let said = format!("--all from {}\n", home.display());
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), said, "cron mails what the job says, and no more");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "no room\n");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let key = format!("{}/backup", host.trim());
    assert_eq!(Watch::new(&daemon).is(&key, "firing"), "the backup ended with status 4");

    daemon.kill();
    script(job, "#!/bin/sh\n");
    let ended = cron(backup);
    assert!(ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
    assert_eq!(super::send::kept(&super::send::spool(&daemon)).len(), 1);
    assert_eq!(cron(flush).status.code(), Some(69));
    daemon.go();
    let flushed = cron(flush);
    assert!(
        flushed.status.success() && flushed.stdout.is_empty() && flushed.stderr.is_empty(),
        "{flushed:?}"
    );
    Watch::new(&daemon).is(&key, "resolved");
}

/// One of two machines: a network and a host name of its own, and a cable between them.
struct Machine {
    holder: Program,
    keepalived: Option<Program>,
    home: PathBuf,
    /// What is run at each change, beside the fifo.
    notify: String,
}

impl Machine {
    fn new(home: &Path, name: &'static str) -> Self {
        let home = home.join(name);
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("flag"), "0").unwrap();
        let mut hold = Command::new(program(&["unshare"]));
        hold.args(["--net", "--uts", "sh", "-c"])
            .arg(format!("hostname {name} && echo ready && exec sleep 600"));
        let mut holder = Program(hold.stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        let read = std::io::BufReader::new(holder.0.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut { read }, &mut line).unwrap();
        assert_eq!(line, "ready\n", "this test makes networks of its own, which only root may");
        Self { holder, keepalived: None, home, notify: String::new() }
    }

    fn pid(&self) -> String {
        self.holder.0.id().to_string()
    }

    /// A command inside of it.
    fn inside(&self, command: &[&str]) -> Command {
        let mut inside = Command::new(program(&["nsenter"]));
        inside
            .args(["--net", "--uts", "--target", &self.pid()])
            .arg(program(&[command[0]]))
            .args(&command[1..]);
        inside
    }

    fn ip(&self, arguments: &str) {
        let words: Vec<&str> = std::iter::once("ip").chain(arguments.split(' ')).collect();
        let done = self.inside(&words).output().unwrap();
        assert!(done.status.success(), "{arguments}: {done:?}");
    }

    /// Writes its configuration, which takes the snippet in.
    fn configure(&self, device: &str, priority: u32, own: &str, peer: &str) {
        let text = format!(
            "include {0}/onscene.conf\n\
             vrrp_track_file flag {{\n file {0}/flag\n weight 0\n}}\n\
             vrrp_instance VI_web {{\n state BACKUP\n interface {device}\n virtual_router_id 51\n priority {priority}\n \
             advert_int 1\n unicast_src_ip {own}\n unicast_peer {{\n {peer}\n }}\n \
             virtual_ipaddress {{\n 198.51.100.9/24\n }}\n track_file {{\n flag weight 0\n }}\n \
             notify \"{1}\" root\n}}\n",
            self.home.display(),
            self.notify
        );
        fs::write(self.home.join("keepalived.conf"), text).unwrap();
    }

    fn go(&mut self, log: &Path) {
        let of_home = |name: &str| self.home.join(name).to_str().unwrap().to_owned();
        let (config, pids) = (of_home("keepalived.conf"), ["p", "vrrp", "checkers"].map(of_home));
        let mut keepalived = self.inside(&[
            "keepalived",
            "-n",
            "-l",
            "-P",
            "-f",
            &config,
            "-p",
            &pids[0],
            "-r",
            &pids[1],
            "-c",
            &pids[2],
        ]);
        self.keepalived = Some(start(&mut keepalived, log));
    }

    fn stop(&mut self) {
        if let Some(mut keepalived) = self.keepalived.take() {
            keepalived.signal("TERM");
            let _ended = keepalived.0.wait();
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It has children, which it ends itself.
        self.stop();
    }
}

#[test]
fn keepalived_tells_of_faults_of_two_masters_and_of_which_gave_way() {
    let mut daemon =
        Daemon::prepare(&house().replace("listen = \"127.0.0.1:PORT\"", "listen = \"unix:DIR/s.sock\""));
    daemon.launch(&[]);
    // A socket is reached from every network.
    let socket = daemon.directory.join("s.sock");
    eventually("the socket is there", || socket.exists().then_some(()));
    let server = format!("unix:{}", socket.display());
    let watch = Watch::new(&daemon);
    let mut machines = ["lb-a", "lb-b"].map(|name| Machine::new(&daemon.directory, name));
    for machine in &mut machines {
        let text = snippet(&daemon, "keepalived/onscene.conf", &server, "/etc/keepalived/onscene-token")
            .replace("/run/onscene-keepalived.fifo", machine.home.join("fifo").to_str().unwrap());
        // The fifo's command without the fifo, as a script that calls itself another machine.
        let command = text.split('"').find(|part| part.contains(" send ")).unwrap();
        machine.notify = command.replace("--fifo", "--host by-script --keepalived");
        fs::write(machine.home.join("onscene.conf"), text).unwrap();
    }
    let [a, b] = &mut machines;
    a.ip("link add cable-a type veth peer name cable-b");
    a.ip(&format!("link set cable-b netns {}", b.pid()));
    for (machine, device, own) in [(&*a, "cable-a", "198.51.100.1"), (&*b, "cable-b", "198.51.100.2")] {
        machine.ip(&format!("addr add {own}/24 dev {device}"));
        machine.ip(&format!("link set {device} up"));
    }
    // What lb-a says goes to nobody: lb-b believes itself alone, and lb-a hears it.
    a.configure("cable-a", 150, "198.51.100.1", "198.51.100.77");
    b.configure("cable-b", 100, "198.51.100.2", "198.51.100.1");
    a.go(&watch.log);
    b.go(&watch.log);
    assert_eq!(watch.is("two-masters/VI_web", "firing"), "VI_web has two masters");

    // The way is mended: the lesser one hears the other and gives way.
    a.configure("cable-a", 150, "198.51.100.1", "198.51.100.2");
    a.keepalived.as_ref().unwrap().signal("HUP");
    watch.is("two-masters/VI_web", "resolved");

    fs::write(b.home.join("flag"), "1").unwrap();
    watch.is("lb-b/INSTANCE/VI_web", "firing");
    watch.is("by-script/INSTANCE/VI_web", "firing");

    // What happens while the daemon is away is told when it is back, by the reader of the fifo itself.
    daemon.kill();
    fs::write(b.home.join("flag"), "0").unwrap();
    let spool = super::send::spool(&daemon);
    eventually("the event is kept", || (!super::send::kept(&spool).is_empty()).then_some(()));
    daemon.launch(&[]);
    Watch::new(&daemon).is("lb-b/INSTANCE/VI_web", "resolved");
    // The daemon shows an event before its sender, which has yet to hear so, forgets it.
    eventually("nothing is kept", || super::send::kept(&spool).is_empty().then_some(()));
    a.stop();
    b.stop();
}

#[test]
fn of_two_scripts_started_in_one_moment_the_later_one_counts() {
    let daemon = Daemon::start(&house());
    let starts = |number: usize, state: &str| {
        let instance = format!("VI_{number}");
        let mut script = super::send::send(&daemon, &["keepalived", "--host", "lb-a", "--keepalived"]);
        Program(script.args(["INSTANCE", &instance, state, "100"]).spawn().unwrap())
    };
    for number in 0..25 {
        let [mut gave_way, mut failed] = ["BACKUP", "FAULT"].map(|state| starts(number, state));
        assert!(gave_way.0.wait().unwrap().success() && failed.0.wait().unwrap().success());
    }
    let token = daemon.token("maya");
    let listed = daemon.command(&["alert", "list", "--json", "--limit", "200"], Some(&token));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let is_own = |alert: &&Value| alert["key"].as_str().unwrap().starts_with("lb-a/INSTANCE/");
    let own: Vec<&Value> = listed["alerts"].as_array().unwrap().iter().filter(is_own).collect();
    assert_eq!(own.len(), 25, "{listed}");
    assert!(own.iter().all(|alert| alert["status"] == "firing"), "{own:?}");
}

#[test]
fn the_last_lines_of_a_fifo_are_sent_before_its_reader_ends() {
    let daemon = Daemon::start(&house());
    let fifo = daemon.directory.join("fifo");
    let made = Command::new(program(&["mkfifo"])).arg(&fifo).status();
    assert!(made.is_ok_and(|made| made.success()));
    let mut reader = super::send::send(&daemon, &["keepalived", "--host", "lb-a", "--fifo"]);
    let mut reader = Program(reader.arg(&fifo).spawn().unwrap());
    let mut end = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    std::io::Write::write_all(&mut end, b"VS [192.0.2.1]:tcp:80 DOWN\n").unwrap();
    let watch = Watch::new(&daemon);
    watch.is("lb-a/VS/[192.0.2.1]:tcp:80", "firing");
    reader.signal("TERM");
    std::io::Write::write_all(
        &mut end,
        b"VS [192.0.2.1]:tcp:80 UP\nnonsense\nRS [10.0.0.7]:tcp:80 [192.0.2.1]:tcp:80 DO",
    )
    .unwrap();
    std::io::Write::write_all(&mut end, b"WN").unwrap();
    drop(end);
    assert_eq!(reader.0.wait().unwrap().code(), Some(0));
    watch.is("lb-a/VS/[192.0.2.1]:tcp:80", "resolved");
    watch.is("lb-a/RS/[10.0.0.7]:tcp:80/[192.0.2.1]:tcp:80", "firing");
}
