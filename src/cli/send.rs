//! `onscene send`: an alert from a script, safe to call where nobody may be held up and nothing may be lost.
//!
//! One try with a short deadline; while the daemon is away the event is kept on this machine and goes with a later
//! call. `post.rs` is that way, `spool.rs` the directory. The forms: an event of flags, of `--field`s for other kinds,
//! what keepalived says (`--keepalived`, and `fifo.rs`), and a command that is watched (`wrap.rs`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::client::ServerFlags;
use super::{Exit, out, say};

mod fifo;
mod post;
mod spool;
mod wrap;

use post::{Fate, Post, Said, SpoolFlags};
use wrap::Ended;

/// What keepalived appends to a notify script, by the names its kind of source reads.
const KEEPALIVED: &[&str] = &["type", "name", "state", "priority"];

/// Raise, resolve or acknowledge an alert from a script (keepalived, Nagios, cron)
#[derive(Debug, Args)]
pub(super) struct Send {
    /// A source; of the kind `generic`, unless --field or keepalived's words are given
    #[arg(required_unless_present = "flush")]
    source: Option<String>,
    /// What identifies the condition: the same when it fires and when it is over [with --wrap: the host's name and the
    /// command's]
    #[arg(long, required_unless_present_any = ["field", "keepalived", "fifo", "wrap", "flush"])]
    key: Option<String>,
    /// One line for people [default: the key]
    #[arg(long)]
    title: Option<String>,
    /// What is said
    #[arg(long, value_enum, default_value = "firing", conflicts_with = "wrap")]
    status: Status,
    /// critical, error, warning or info
    #[arg(long)]
    severity: Option<String>,
    /// More text for people
    #[arg(long, conflicts_with = "wrap")]
    body: Option<String>,
    /// A label, as NAME=VALUE; may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// An address worth opening; may be given more than once
    #[arg(long = "link", value_name = "URL")]
    links: Vec<String>,
    /// A field of the body, for a source of another kind (nagios, icinga); may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, conflicts_with_all = OF_FLAGS)]
    field: Vec<(String, String)>,
    /// What keepalived appends to the command of `notify`, for a source of the kind `keepalived`
    #[arg(long, value_names = ["GROUP|INSTANCE", "NAME", "STATE", "PRIORITY"], num_args = 4,
        allow_hyphen_values = true, conflicts_with_all = OF_FLAGS, conflicts_with = "field")]
    keepalived: Vec<String>,
    /// Send each line of a fifo until nobody writes any more: keepalived's `notify_fifo_script`
    #[arg(long, value_name = "PATH", conflicts_with_all = OF_FLAGS, conflicts_with_all = ["field", "keepalived", "json"])]
    fifo: Option<PathBuf>,
    /// The machine that keepalived or the command runs on [default: its own name]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Run the command behind `--`: what does not end well fires, what ends well resolves. Ends with the command's status
    #[arg(long, requires = "command", conflicts_with_all = ["field", "keepalived", "fifo", "json"])]
    wrap: bool,
    /// The command of --wrap
    #[arg(last = true, value_name = "COMMAND", requires = "wrap")]
    command: Vec<OsString>,
    /// Send what waits in the spool, of all sources
    #[arg(long, conflicts_with_all = ["source", "key", "field", "keepalived", "fifo", "wrap", "no_spool"])]
    flush: bool,
    /// Keep trying this many seconds while the daemon is away
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    spool: SpoolFlags,
    #[command(flatten)]
    server: ServerFlags,
}

/// Flags that make the body of a `generic` source.
const OF_FLAGS: [&str; 7] = ["key", "title", "status", "severity", "body", "labels", "links"];

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    /// The condition holds
    Firing,
    /// It is over
    Resolved,
    /// Somebody looks at it; that makes nobody Commander
    Acknowledged,
    /// A try-out
    Test,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Acknowledged => "acknowledged",
            Self::Test => "test",
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Send {
    pub(super) fn run(self) -> Exit {
        let patience = Duration::from_secs(self.wait);
        // A backup is made whether or not somebody can be told, and keepalived starts its reader once.
        let unattended = self.wrap || self.fifo.is_some();
        let source = self.source.as_deref();
        let mut post = match Post::new(&self.server, source, &self.spool, patience, unattended) {
            Ok(post) => post,
            Err(exit) => return exit,
        };
        if self.flush {
            return self.flush(&mut post);
        }
        if let Some(path) = &self.fifo {
            return fifo::run(&mut post, &self.host(), path);
        }
        if self.wrap {
            return wrap::run(&self.command, |ended| self.tell(&mut post, ended));
        }
        let fate = Said::new(self.fields(), post.clock().began()).map(|said| post.deliver(&said));
        match fate {
            Ok(Fate::Taken(answer)) => self.show(&answer),
            Ok(Fate::Spooled { .. }) => {
                out(if self.json { "{\"spooled\": true}\n" } else { "spooled\n" });
                Exit::Done
            }
            Ok(Fate::Failed(exit)) | Err(exit) => exit,
        }
    }

    fn show(&self, answer: &Value) -> Exit {
        if self.json {
            out(&format!("{answer}\n"));
            return Exit::Done;
        }
        let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        for one in results {
            let outcome = one["outcome"].as_str().unwrap_or("accepted");
            match one["incident"].as_i64() {
                Some(incident) => out(&format!("{outcome} INC-{incident}\n")),
                None => out(&format!("{outcome}\n")),
            }
        }
        if results.is_empty() {
            out("accepted\n");
        }
        Exit::Done
    }

    /// The body, as its kind of source reads it.
    fn fields(&self) -> Map<String, Value> {
        let text = |(name, value): &(String, String)| (name.clone(), json!(value));
        if !self.field.is_empty() {
            return self.field.iter().map(text).collect();
        }
        if !self.keepalived.is_empty() {
            let words = KEEPALIVED.iter().zip(&self.keepalived);
            let mut fields: Map<_, _> = words.map(|(name, word)| ((*name).to_owned(), json!(word))).collect();
            fields.insert("host".into(), json!(self.host()));
            return fields;
        }
        let key = self.key.clone().unwrap_or_default();
        let title = self.title.clone().unwrap_or_else(|| key.clone());
        self.generic(&key, self.status, &title, self.body.as_deref())
    }

    fn generic(&self, key: &str, status: Status, title: &str, text: Option<&str>) -> Map<String, Value> {
        let labels: BTreeMap<_, _> = self.labels.iter().cloned().collect();
        let mut fields = Map::new();
        fields.insert("key".into(), json!(key));
        fields.insert("status".into(), json!(status.word()));
        fields.insert("title".into(), json!(title));
        fields.insert("labels".into(), json!(labels));
        fields.insert("links".into(), json!(self.links));
        if let Some(severity) = &self.severity {
            fields.insert("severity".into(), json!(severity));
        }
        if let Some(text) = text {
            fields.insert("body".into(), json!(text));
        }
        fields
    }

    /// Says how a wrapped command ended. Standard output is the command's; trouble is said on standard error, which cron
    /// mails.
    fn tell(&self, post: &mut Post, ended: &Ended) {
        let host = self.host();
        let name = self.command.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
        // The arguments may hold a secret, and the title goes everywhere.
        let name = name.to_string_lossy();
        let key = self.key.clone().unwrap_or_else(|| format!("{host}/{name}"));
        let what = self.title.clone().unwrap_or_else(|| format!("{name} on {host}"));
        let status = if ended.status == 0 { Status::Resolved } else { Status::Firing };
        let mut fields =
            self.generic(&key, status, &format!("{what} {}", ended.how), Some(ended.tail.as_str()));
        if let Some(Value::Object(labels)) = fields.get_mut("labels") {
            labels.entry("host").or_insert(json!(host));
            labels.entry("command").or_insert(json!(name));
        }
        if let Ok(said) = Said::new(fields, post.clock().now()) {
            post.deliver(&said);
        }
    }

    fn host(&self) -> String {
        let own = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.host.clone().unwrap_or_else(own)
    }

    fn flush(&self, post: &mut Post) -> Exit {
        let (done, waiting) = match post.flush() {
            Ok(all) => all,
            Err(exit) => return exit,
        };
        if self.json {
            let shown = json!({"sent": done.sent, "refused": done.refused, "waiting": waiting});
            out(&format!("{shown}\n"));
        } else {
            let mut line = format!("{} sent", done.sent);
            for (count, what) in [(done.refused, "put aside"), (waiting as u64, "still waiting")] {
                if count > 0 {
                    line.push_str(&format!(", {count} {what}"));
                }
            }
            out(&format!("{line}\n"));
        }
        match &done.stopped {
            Some(why) if waiting > 0 => {
                say(&format!("onscene: {why}; what waits is sent by a later call"));
                Exit::Unreachable
            }
            _ if waiting > 0 || done.refused > 0 => Exit::Failed,
            _ => Exit::Done,
        }
    }
}
