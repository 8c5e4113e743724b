//! `grants.yaml` as this command edits it: read, changed and written under a lock, whole or
//! not at all; the comment at its head stays. Refuses to touch a file that it cannot read.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use claw_core::grants::{Allowance, GrantBook};

use crate::exit::{Exit, Failed};
use crate::home::Home;

const FILE: &str = "grants.yaml";
/// How long another command may hold the file.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The book, held by this command alone.
#[derive(Debug)]
pub(super) struct Book {
    home: Home,
    header: String,
    book: GrantBook,
    _lock: fs::File,
}

impl Book {
    /// Takes the book of a home.
    ///
    /// # Errors
    /// Another command holds it, or it cannot be read.
    pub(super) fn open(home: &Home) -> Result<Book> {
        let lock = lock(home)?;
        let path = home.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        let book: Option<GrantBook> = serde_yaml::from_str(&text).map_err(|error| {
            Failed::new(Exit::BadConfig, format!("`{}` cannot be read: {error}", path.display()))
                .hint("correct it by hand, or move it away; it was not changed")
        })?;
        Ok(Book {
            home: home.clone(),
            header: header(&text),
            book: book.unwrap_or_default(),
            _lock: lock,
        })
    }

    /// What a skill is allowed.
    pub(super) fn allowance(&self, name: &str) -> Allowance {
        self.book.grants.get(name).cloned().unwrap_or_default()
    }

    /// Writes down what a skill is allowed; nothing takes its entry out.
    ///
    /// # Errors
    /// The file cannot be written; what was there is there still.
    pub(super) fn put(&mut self, name: &str, allowance: Allowance) -> Result<()> {
        if allowance == Allowance::default() {
            self.book.grants.remove(name);
        } else {
            self.book.grants.insert(name.to_owned(), allowance);
        }
        let text = format!("{}{}", self.header, serde_yaml::to_string(&self.book)?);
        self.home.write(FILE, text.as_bytes())
    }
}

/// The comment at the head of the file.
fn header(text: &str) -> String {
    let is_header = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    text.lines().take_while(is_header).map(|line| format!("{line}\n")).collect()
}

fn lock(home: &Home) -> Result<fs::File> {
    let path = home.join(".grants.lock");
    let failed = || format!("cannot lock `{}`", path.display());
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(failed)?;
    let until = Instant::now() + MAX_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(error)) => return Err(error).with_context(failed),
            Err(fs::TryLockError::WouldBlock) if Instant::now() >= until => {
                let message = format!(
                    "another command has held `{}` for {} seconds",
                    path.display(),
                    MAX_WAIT.as_secs()
                );
                return Err(Failed::new(Exit::Unexpected, message).into());
            }
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests;
