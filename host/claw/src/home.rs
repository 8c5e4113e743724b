//! The home: one directory that holds everything of one host. Found by `--home`, `CLAW_HOME`
//! or `~/.claw`; readable by its owner alone; held by one gateway at a time.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failed};

/// A home directory, whether it is there yet or not.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
}

/// What a running gateway writes down, so that commands find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Where it listens: `http://127.0.0.1:18789`.
    pub url: String,
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
}

/// Held by the one gateway of a home, until it is dropped.
#[derive(Debug)]
pub struct HomeLock {
    _file: fs::File,
    home: Home,
}

impl Home {
    /// The home that was asked for, or the default one.
    ///
    /// # Errors
    /// Nobody said where it is, and there is no `HOME`.
    pub fn find(asked: Option<PathBuf>) -> Result<Home> {
        let path = match asked {
            Some(path) => path,
            None => match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
                Some(home) => PathBuf::from(home).join(".claw"),
                None => {
                    return Err(Failed::new(Exit::Usage, "there is no `HOME`")
                        .hint("say where with `--home` or `CLAW_HOME`")
                        .into());
                }
            },
        };
        Ok(Home {
            path: std::path::absolute(path)?,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or directory below it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where dropped components lie.
    pub fn skills(&self) -> PathBuf {
        self.join("skills")
    }

    /// What this program keeps for itself.
    pub fn state(&self) -> PathBuf {
        self.join("state")
    }

    /// The audit journal.
    pub fn journal(&self) -> PathBuf {
        self.state().join("audit.db")
    }

    /// It has been set up.
    pub fn exists(&self) -> bool {
        self.join("models.yaml").exists()
    }

    /// Makes the directories that are missing, for their owner alone.
    ///
    /// # Errors
    /// They cannot be made, or others may write to the home.
    pub fn create(&self) -> Result<()> {
        for directory in [self.path.clone(), self.skills(), self.state(), self.state().join("cache")] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&directory)
                .with_context(|| format!("cannot make `{}`", directory.display()))?;
        }
        let mode = fs::metadata(&self.path)?.permissions().mode();
        if mode & 0o022 != 0 {
            let message = format!("others may write to the home `{}`", self.path.display());
            return Err(Failed::new(Exit::BadConfig, message)
                .hint(format!("chmod 700 {}", self.path.display()))
                .into());
        }
        Ok(())
    }

    /// Writes a file whole, for its owner alone.
    ///
    /// # Errors
    /// It cannot be written; what was there is there still.
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<()> {
        write_private(&self.join(name), contents).with_context(|| format!("cannot write `{}`", self.join(name).display()))
    }

    /// Takes the home for one gateway.
    ///
    /// # Errors
    /// Another one holds it.
    pub fn lock(&self) -> Result<HomeLock> {
        let path = self.state().join("gateway.lock");
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock {
                _file: file,
                home: self.clone(),
            }),
            Err(fs::TryLockError::WouldBlock) => {
                let who = self
                    .running()
                    .map_or_else(String::new, |running| format!(" at {} (pid {})", running.url, running.pid));
                let message = format!("a gateway{who} holds the home `{}` already", self.path.display());
                Err(Failed::new(Exit::Unexpected, message)
                    .hint("stop it with `claw gateway stop`, or use another `--home`")
                    .into())
            }
            Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock `{}`", path.display())),
        }
    }

    /// What the running gateway wrote down, if one did.
    pub fn running(&self) -> Option<Running> {
        let text = fs::read(self.join("gateway.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The operator's token.
    ///
    /// # Errors
    /// The home has not been set up.
    pub fn token(&self) -> Result<String> {
        let path = self.state().join("operator.token");
        let text = fs::read_to_string(&path).map_err(|_| {
            Failed::new(
                Exit::BadConfig,
                format!("the home `{}` has no operator's token", self.path.display()),
            )
            .hint("set it up with `claw onboard --yes`")
        })?;
        Ok(text.trim().to_owned())
    }

    /// The operator's token, made if there is none: 256 bits, hex, with a prefix that
    /// scanners for leaked keys can know.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create_token(&self) -> Result<String> {
        if let Ok(token) = self.token() {
            return Ok(token);
        }
        let random: [u8; 32] = rand::random();
        let token = format!("claw_op_{}", claw_core::grants::hex(&random));
        write_private(&self.state().join("operator.token"), format!("{token}\n").as_bytes())?;
        Ok(token)
    }
}

impl HomeLock {
    /// Writes down where the gateway is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn announce(&self, running: &Running) -> Result<()> {
        self.home.write("gateway.json", &serde_json::to_vec_pretty(running)?)
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.home.join("gateway.json"));
    }
}

fn write_private(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
