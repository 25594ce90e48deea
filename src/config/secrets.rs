//! Secrets, from files and the environment: the only reader of the environment.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// Largest file a secret is read from, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A variable of the environment; `None` when it is not set, empty or not UTF-8.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a secret from a file: as it is named, beside the configuration, or among the credentials that
/// the service manager hands over. With it comes what should be known of the file.
pub(super) fn read_file(name: &str, directory: &Path) -> Result<(String, Option<String>), String> {
    let beside = directory.join(name);
    let credential =
        variable("CREDENTIALS_DIRECTORY").map(|credentials| PathBuf::from(credentials).join(name));
    let bare = Path::new(name).components().count() == 1;
    let path = match credential {
        Some(credential) if bare && credential.exists() => credential,
        _ => beside,
    };
    let shown = path.display();
    let facts =
        std::fs::metadata(&path).map_err(|error| format!("the secret in {shown} cannot be read: {error}"))?;
    if facts.len() > SECRET_BYTES_MAX {
        return Err(format!("{shown} has more than {SECRET_BYTES_MAX} bytes; that is no secret"));
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("the secret in {shown} cannot be read: {error}"))?;
    let open = std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o004 != 0;
    let warning =
        open.then(|| format!("everybody on this machine can read the secret in {shown}; chmod 0600 it"));
    let text =
        bare_text(&text).ok_or_else(|| format!("the file {shown} is empty; it should hold a secret"))?;
    Ok((text, warning))
}

/// The secrets of a file that holds several: one a line, without blank lines and comments. Each once.
pub(super) fn lines(text: &str) -> Vec<SecretString> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found: Vec<&str> = Vec::new();
    for line in lines {
        if !found.contains(&line) {
            found.push(line);
        }
    }
    found.into_iter().map(|line| line.to_owned().into()).collect()
}

/// Reads a secret from a variable.
pub(super) fn read_variable(name: &str) -> Result<String, String> {
    variable(name)
        .and_then(|text| bare_text(&text))
        .ok_or_else(|| format!("{} is not set or blank; it should hold a secret", shown(name)))
}

/// A name as it may be shown: what is no name of a variable is perhaps the secret itself.
fn shown(name: &str) -> String {
    let first = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if first && name.chars().all(plain) {
        format!("the variable {name}")
    } else {
        "the variable named here (it has no usual name; the secret itself does not stand here)".to_owned()
    }
}

fn bare_text(text: &str) -> Option<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.trim().is_empty()).then(|| text.to_owned())
}
