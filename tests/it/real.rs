//! The binary beside the programs it meets in the field, on loopback and free ports, in directories of their own.
//!
//! - `mail`: Postfix with STARTTLS and a login, and relays that misbehave;
//! - `mail_in`: answers, bounces and alerts by mail, through the pipes of Postfix and Exim;
//! - `drill`: the delivery drill through Postfix, and a test that comes back;
//! - `prometheus`: Prometheus and Alertmanager as the sender, promtool as the judge of metrics and rules;
//! - `inhibition`: Alertmanager beside onscene, which keep the same alerts quiet;
//! - `systemd`: the unit files, the notifications, a socket handed over;
//! - `browser`: the answer page in Chromium;
//! - `command`: command on the page of an incident, in Chromium, and axe as the judge;
//! - `forms`: the less-used forms of that page, and what is written while a login ends;
//! - `voice`: the page on which the PIO speaks, and that on which readers subscribe, with axe as the judge;
//! - `irc`: InspIRCd, in a room of which the status of incidents is said;
//! - `calendar`: a CalDAV server, and a library that says when the events of a calendar are;
//! - `public`: the public page before browsers, checkers, readers, web servers and stores;
//! - `live`: the page of an incident in Chromium, while things happen;
//! - `scanner`: the same page under the hand of a human, and of scanners that press what they find;
//! - `clients`: client libraries of PagerDuty and Opsgenie, unmodified;
//! - `uptime_kuma`: Uptime Kuma as the sender, by its own API;
//! - `deploy`: the files of deploy/, each judged by the program it is for; `cnpg` judges what no program here can;
//! - `balancer`: HAProxy as deploy/compose has it, before three nodes of which some die;
//! - `transport`: a Unix socket, TLS with HTTP/2, and the end of the process.

mod balancer;
mod browser;
mod calendar;
mod clients;
mod cnpg;
mod command;
mod deploy;
mod drill;
mod exim;
mod forms;
mod inhibition;
mod irc;
mod live;
mod mail;
mod mail_in;
mod postfix;
mod prometheus;
mod public;
mod relay;
mod scanner;
mod systemd;
mod transport;
mod uptime_kuma;
mod voice;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::harness::{Daemon, Program, program};

/// Runs a program to its end; what it said stands in the panic when it did not end well.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = said(&output);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    said
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A file of the project.
fn of_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Starts a program that runs until the test ends; what it says goes to a file.
fn spawn(name: &str, arguments: &[&str], log: &Path) -> Program {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(program(&[name]));
    command.args(arguments).stdout(log.try_clone().unwrap()).stderr(log);
    Program(command.stdin(std::process::Stdio::null()).spawn().unwrap())
}

/// What the API says of the first incident, when there is one.
fn incident(daemon: &Daemon, token: &str) -> Option<serde_json::Value> {
    let answer = daemon.api(token, "GET", "/api/v1/incidents/1", &serde_json::Value::Null);
    (answer.status == 200).then(|| answer.json())
}

/// A certificate authority in a directory (`ca.pem`), and certificates it signs for `localhost` and `127.0.0.1`.
struct Authority {
    directory: PathBuf,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new(directory: &Path) -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        // With the usual name for both, OpenSSL takes what it signed for signed by itself.
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority of the tests");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.join("ca.pem"), certificate.pem()).unwrap();
        Self { directory: directory.into(), issuer: rcgen::Issuer::new(params, key) }
    }

    /// Writes `NAME.pem` and `NAME.key`; a later call with the same name exchanges them. Answers the certificate.
    fn sign(&self, name: &str) -> String {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.directory.join(format!("{name}.pem")), leaf.pem()).unwrap();
        std::fs::write(self.directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        leaf.pem()
    }
}
