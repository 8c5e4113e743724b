//! Text from a file, or from the files of a directory in the order of their names. Refuses what
//! is no regular file, what is too large, and links that lead out of the directory.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use claw_core::errors::Fault;
use claw_core::keys::matches;

use super::unavailable;

/// The most bytes of one piece, and the most files of a directory.
const MAX_BYTES: u64 = 1 << 20;
const MAX_FILES: usize = 256;

pub(super) fn read(path: &Path, pattern: Option<&str>) -> Result<String, Fault> {
    let facts = fs::metadata(path).map_err(|error| cannot(path, &error))?;
    if facts.is_file() {
        return one(path, MAX_BYTES);
    }
    let listed = fs::read_dir(path).map_err(|error| cannot(path, &error))?;
    let mut names = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|error| cannot(path, &error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let fits = pattern.is_none_or(|pattern| matches(pattern, &name)) && !name.starts_with('.');
        // A link is followed nowhere.
        if fits && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(unavailable(format!("`{}` has more than {MAX_FILES} files", path.display())));
        }
    }
    names.sort();
    let mut whole = String::new();
    for name in names {
        let room = MAX_BYTES.saturating_sub(whole.len() as u64);
        let text = one(&path.join(&name), room)?;
        whole.push_str(&format!("## {name}\n\n{}\n\n", text.trim_end()));
    }
    Ok(whole)
}

fn one(path: &Path, room: u64) -> Result<String, Fault> {
    let file = fs::File::open(path).map_err(|error| cannot(path, &error))?;
    let mut bytes = Vec::new();
    file.take(room.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| cannot(path, &error))?;
    if bytes.len() as u64 > room {
        return Err(unavailable(format!("`{}` is larger than {MAX_BYTES} bytes", path.display())));
    }
    String::from_utf8(bytes).map_err(|_| unavailable(format!("`{}` is not UTF-8 text", path.display())))
}

fn cannot(path: &Path, error: &std::io::Error) -> Fault {
    unavailable(format!("`{}` cannot be read: {}", path.display(), error.kind()))
}
