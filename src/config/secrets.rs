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
/// the service manager hands over.
pub(super) fn read_file(
    name: &str,
    directory: &Path,
    warnings: &mut Vec<String>,
) -> Result<SecretString, String> {
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
    if std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o004 != 0 {
        warnings.push(format!("everybody on this machine can read the secret in {shown}; chmod 0600 it"));
    }
    bare_text(&text).ok_or_else(|| format!("the file {shown} is empty; it should hold a secret"))
}

/// Reads a secret from a variable.
pub(super) fn read_variable(name: &str) -> Result<SecretString, String> {
    variable(name)
        .and_then(|text| bare_text(&text))
        .ok_or_else(|| format!("the variable {name} is not set; it should hold a secret"))
}

fn bare_text(text: &str) -> Option<SecretString> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.is_empty()).then(|| text.to_owned().into())
}
