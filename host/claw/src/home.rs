//! The home: one directory that holds everything of one host. Found by `--home`, `CLAW_HOME`
//! or `~/.claw`; readable by its owner alone; held by one gateway at a time.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failed};
use crate::output;

/// What a running gateway writes down, below its home.
const ANNOUNCEMENT: &str = "gateway.json";
/// How long a gateway waits for commands that look whether one runs: they hold the lock for
/// a moment.
const MAX_LOCK_WAIT: Duration = Duration::from_millis(500);
/// More than any token has.
const MAX_TOKEN: u64 = 4096;

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

    /// The keys of services.
    pub fn keys(&self) -> PathBuf {
        self.state().join("keys.db")
    }

    /// The secrets that config files name.
    pub fn secrets(&self) -> PathBuf {
        self.state().join("secrets.sealed")
    }

    /// The key that everything kept encrypted here is encrypted with.
    pub fn key(&self) -> PathBuf {
        self.state().join("home.key")
    }

    /// It has been set up.
    pub fn exists(&self) -> bool {
        self.join("models.yaml").exists()
    }

    /// Makes the directories that are missing, for their owner alone. A home that others may
    /// look into is closed to them.
    ///
    /// # Errors
    /// They cannot be made, are another user's, or others may write to them.
    pub fn create(&self) -> Result<()> {
        let directories = [
            (self.path.clone(), 0o022),
            (self.skills(), 0o022),
            (self.state(), 0o077),
            (self.state().join("cache"), 0o022),
        ];
        for (directory, forbidden) in directories {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&directory)
                .with_context(|| format!("cannot make `{}`", directory.display()))?;
            let facts = fs::metadata(&directory).with_context(|| format!("cannot look at `{}`", directory.display()))?;
            only_ours("the directory", &directory, facts.uid(), facts.mode(), forbidden)?;
        }
        self.close()
    }

    /// Closes the home to others who may look into it.
    fn close(&self) -> Result<()> {
        let shown = self.path.display();
        let mode = fs::metadata(&self.path)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            fs::set_permissions(&self.path, fs::Permissions::from_mode(mode & !0o077))
                .with_context(|| format!("cannot close the home `{shown}` to others"))?;
            output::note(format!("closed the home `{shown}` to others: its mode was {mode:o}"));
        }
        Ok(())
    }

    /// Why whoever reads this directory could take the home over, if so: below or above the
    /// home lie the operator's token and the home's key.
    pub fn exposes(&self, directory: &Path) -> Option<&'static str> {
        let (home, directory) = (real(&self.path), real(directory));
        match (home.starts_with(&directory), directory.starts_with(&home)) {
            (true, _) => Some("holds this home"),
            (false, true) => Some("lies in this home"),
            (false, false) => None,
        }
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
        let until = Instant::now() + MAX_LOCK_WAIT;
        let failed = || format!("cannot lock `{}`", self.lock_path().display());
        let file = self.open_lock(true).with_context(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
                Err(fs::TryLockError::WouldBlock) => return Err(self.held()),
                Err(fs::TryLockError::Error(error)) => return Err(error).with_context(failed),
            }
        }
        // A gateway that was killed left it; from here on it would be taken for this one's.
        self.forget_announcement();
        Ok(HomeLock {
            _file: file,
            home: self.clone(),
        })
    }

    fn held(&self) -> anyhow::Error {
        let who = self
            .running()
            .map_or_else(String::new, |running| format!(" at {} (pid {})", running.url, running.pid));
        let message = format!("a gateway{who} holds the home `{}` already", self.path.display());
        Failed::new(Exit::Unexpected, message)
            .hint("stop it with `claw gateway stop`, or use another `--home`")
            .into()
    }

    fn lock_path(&self) -> PathBuf {
        self.state().join("gateway.lock")
    }

    fn open_lock(&self, create: bool) -> std::io::Result<fs::File> {
        fs::OpenOptions::new()
            .create(create)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(self.lock_path())
    }

    /// What the running gateway wrote down, if one runs: it holds the lock for as long as it
    /// lives. What a gateway that was killed left behind is removed, for anything may listen
    /// at its address by now.
    pub fn running(&self) -> Option<Running> {
        let lock = self.open_lock(false).ok()?;
        match lock.try_lock_shared() {
            Err(fs::TryLockError::WouldBlock) => {
                let text = fs::read(self.join(ANNOUNCEMENT)).ok()?;
                serde_json::from_slice(&text).ok()
            }
            Ok(()) => {
                // No gateway starts while this lock is held: the file is nobody's.
                self.forget_announcement();
                None
            }
            Err(fs::TryLockError::Error(_)) => None,
        }
    }

    fn forget_announcement(&self) {
        let _ = fs::remove_file(self.join(ANNOUNCEMENT));
    }

    fn token_path(&self) -> PathBuf {
        self.state().join("operator.token")
    }

    /// The operator's token.
    ///
    /// # Errors
    /// The home has not been set up, or the token is not its owner's alone.
    pub fn token(&self) -> Result<String> {
        self.find_token()?.ok_or_else(|| {
            Failed::new(
                Exit::BadConfig,
                format!("the home `{}` has no operator's token", self.path.display()),
            )
            .hint("set it up with `claw onboard --yes`")
            .into()
        })
    }

    fn find_token(&self) -> Result<Option<String>> {
        let path = self.token_path();
        let shown = path.display();
        let anew = |what: &str| {
            Failed::new(Exit::BadConfig, format!("the operator's token `{shown}` {what}"))
                .hint(format!("make a new one: `rm {shown}`, then `claw onboard --yes`"))
        };
        let facts = match fs::symlink_metadata(&path) {
            Ok(facts) => facts,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot look at `{shown}`")),
        };
        if !facts.is_file() {
            return Err(anew("is no regular file").into());
        }
        only_ours("the operator's token", &path, facts.uid(), facts.mode(), 0o077)?;
        let mut text = String::new();
        // The directory is its owner's alone: nobody else puts another file here meanwhile.
        let file = fs::File::open(&path).with_context(|| format!("cannot read `{shown}`"))?;
        file.take(MAX_TOKEN)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read `{shown}`"))?;
        match text.trim() {
            "" => Err(anew("is empty").into()),
            token => Ok(Some(token.to_owned())),
        }
    }

    /// The operator's token, made if there is none: 256 bits, hex, with a prefix that
    /// scanners for leaked keys can know.
    ///
    /// # Errors
    /// It cannot be written, or the one that is there is not its owner's alone.
    pub fn create_token(&self) -> Result<String> {
        if let Some(token) = self.find_token()? {
            return Ok(token);
        }
        let random: [u8; 32] = rand::random();
        let token = format!("claw_op_{}", claw_core::grants::hex(&random));
        write_private(&self.token_path(), format!("{token}\n").as_bytes())?;
        Ok(token)
    }
}

impl HomeLock {
    /// Writes down where the gateway is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn announce(&self, running: &Running) -> Result<()> {
        self.home.write(ANNOUNCEMENT, &serde_json::to_vec_pretty(running)?)
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        self.home.forget_announcement();
    }
}

/// Refuses what another user owns, or what others may do more with than they should.
fn only_ours(what: &str, path: &Path, owner: u32, mode: u32, forbidden: u32) -> Result<(), Failed> {
    let us = rustix::process::geteuid().as_raw();
    let shown = path.display();
    let refuse = |message: String, hint: String| Err(Failed::new(Exit::BadConfig, message).hint(hint));
    if owner != us {
        let message = format!("{what} `{shown}` belongs to the user {owner}, and this is {us}");
        return refuse(message, format!("chown {us} {shown}"));
    }
    if mode & forbidden == 0 {
        return Ok(());
    }
    let can = if mode & 0o022 == 0 { "read" } else { "write to" };
    let wanted = if mode & 0o100 == 0 { 600 } else { 700 };
    refuse(
        format!("others may {can} {what} `{shown}`"),
        format!("chmod {wanted} {shown}"),
    )
}

/// Where a path leads, as far as there is something: links are followed; what is not there
/// yet is taken as it is written.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, mut real)) = known else {
        return path.to_owned();
    };
    for part in path.strip_prefix(above).into_iter().flat_map(Path::components) {
        match part {
            Component::ParentDir => drop(real.pop()),
            part => real.push(part),
        }
    }
    real
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
