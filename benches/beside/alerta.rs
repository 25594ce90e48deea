//! alerta, from PyPI, as its users run it: gunicorn with two workers a CPU and one more, and PostgreSQL behind it.
//!
//! Of the ways that alerta offers this is the quickest on the machine of the figures: its webhook for Alertmanager
//! (`POST /api/alert` also writes a timer of its own for each alert, in a transaction of its own), and gunicorn's
//! threaded workers, which keep connections open (its default ones close them after every answer).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is heard. Behind a proxy there is `/api` before it.
pub const PATH: &str = "/webhooks/prometheus";
/// Answers 200 when its database does.
pub const READY: &str = "/management/gtg";
/// As many as there are connections, over all workers.
const THREADS: usize = 8;

/// Its settings: what it comes with, besides a secret and what it may print.
pub const CONFIG: &str = r#"
DEBUG = False
SECRET_KEY = "a secret of the bench"
AUTH_REQUIRED = False
BASE_URL = "http://LISTEN"
DATABASE_URL = "STORE"
LOG_LEVEL = "ERROR"
"#;

/// Where `benches/run` puts it.
fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/alerta/bin")
}

/// What starts it. The schema is made once, before there are workers.
pub fn command(config: &Path, address: SocketAddr) -> Command {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) * 2 + 1;
    let mut command = Command::new(place().join("gunicorn"));
    command
        .env("ALERTA_SVR_CONF_FILE", config)
        .args(["--preload", "--no-control-socket", "--log-level", "error", "--graceful-timeout", "2"])
        .args(["--worker-class", "gthread", "--threads", &THREADS.to_string()])
        .args(["--workers", &workers.to_string(), "--bind", &address.to_string()])
        .arg("alerta:create_app()");
    command
}

/// Which version it is.
pub fn version() -> String {
    let asked = Command::new(place().join("python"))
        .args(["-c", "from importlib.metadata import version as v; print(v('alerta-server'), 'on gunicorn', v('gunicorn'))"])
        .output();
    asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
