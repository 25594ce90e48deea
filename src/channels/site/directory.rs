//! A directory that a web server hands out as it is: `/history` is `history/index.html`, as all of them understand.

use std::collections::BTreeSet;
use std::fs::{self, File as Opened, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{MANIFEST, Manifest};
use crate::public::{File, Files};

/// Whoever has locked it writes. It stays where it is, empty.
const TURN: &str = ".onscene.lock";

/// The name of a file within the directory.
pub(super) fn name(path: &str, file: &File) -> String {
    let is_page = file.content_type.as_bytes().starts_with(b"text/html");
    match path {
        "/" => "index.html".to_owned(),
        "/nothing-here" => "404.html".to_owned(),
        path if is_page => format!("{}/index.html", path.trim_start_matches('/')),
        path => path.trim_start_matches('/').to_owned(),
    }
}

/// Puts the files there: each beside its place and then into it, so that whoever reads meanwhile gets a whole one, old or new.
/// What links to others comes after them. Then what was ours and is no more is removed. `false`: somebody else is at it, and nothing was
/// done.
pub(super) fn bring(directory: &Path, files: &Files, statement: Option<&str>) -> io::Result<bool> {
    // Others may bring theirs at the same time, also from other nodes that share the disk: one after the other. It ends with the file.
    let turn = Opened::create(directory.join(TURN))?;
    match turn.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let before = read(directory)?;
    if before.stays(files, statement) {
        return Ok(true);
    }
    let now = Manifest::of(files, name);
    let mut changed = BTreeSet::new();
    let (pages, others): (Vec<_>, Vec<_>) =
        files.all().partition(|(path, _)| path.starts_with("/incidents/"));
    for (path, file) in pages.into_iter().chain(others) {
        put(directory, &name(path, file), &file.bytes, &mut changed)?;
    }
    // Until this is written, the next one knows what is to be removed from the last.
    for gone in before.files.keys().filter(|name| !now.files.contains_key(*name)) {
        remove(directory, gone, &mut changed)?;
    }
    let manifest = serde_json::to_vec(&now)?;
    put(directory, MANIFEST, &manifest, &mut changed)?;
    changed.iter().try_for_each(|directory| Opened::open(directory)?.sync_all())?;
    Ok(true)
}

fn read(directory: &Path) -> io::Result<Manifest> {
    match fs::read(directory.join(MANIFEST)) {
        // One that cannot be read names nothing that may be removed.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Manifest::default()),
        Err(error) => Err(error),
    }
}

fn put(directory: &Path, name: &str, bytes: &[u8], changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let path = directory.join(name);
    if fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(directory);
    make(directory, parent, changed)?;
    let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let beside = parent.join(format!(".{file_name}.new"));
    let mut file = Opened::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, &path)?;
    changed.insert(parent.to_path_buf());
    Ok(())
}

/// Makes a directory below ours; ours has to be there, or a disk that is not mounted would be written beside.
fn make(directory: &Path, wanted: &Path, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if wanted == directory || wanted.is_dir() {
        return Ok(());
    }
    let parent = wanted.parent().unwrap_or(directory);
    make(directory, parent, changed)?;
    match fs::create_dir(wanted) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => {
            changed.insert(parent.to_path_buf());
            Ok(())
        }
    }
}

fn remove(directory: &Path, name: &str, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    // A manifest that somebody wrote by hand leads nowhere else.
    if Path::new(name).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Ok(());
    }
    let path = directory.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let parent = path.parent().unwrap_or(directory);
    // Only empty ones can be removed.
    if parent != directory && fs::remove_dir(parent).is_ok() {
        changed.remove(parent);
        changed.insert(parent.parent().unwrap_or(directory).to_path_buf());
    } else if parent.is_dir() {
        changed.insert(parent.to_path_buf());
    }
    Ok(())
}
