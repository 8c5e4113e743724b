//! The skills directory: what is dropped there is live in under a second, what is wrong is
//! refused with a reason, what is removed goes away. Opens each file once, without following
//! links, and works on what it read then.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::Watcher as _;
use tokio::sync::{mpsc, watch};

use crate::catalog::{Catalog, Deployed};
use crate::component::{LoadError, Loaded, Loader};
use crate::package::MAX_COMPONENT_BYTES;

/// How a directory is watched.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// How long a file must not have changed before it is read.
    pub quiet: Duration,
    /// How often the directory is looked at where nobody says that it changed.
    pub backstop: Duration,
    /// The most files that are looked at.
    pub max_files: usize,
}

impl Default for WatchSettings {
    fn default() -> Self {
        WatchSettings {
            quiet: Duration::from_millis(150),
            backstop: Duration::from_secs(2),
            max_files: 10_000,
        }
    }
}

const NOT_REGULAR: &str = "it is no regular file";

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signature {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Changed lately; read when it has been quiet.
    Settling(Signature),
    /// Loaded or refused in this state.
    Done(Signature),
}

/// Keeps a catalog in step with a directory.
pub struct Watcher {
    directory: PathBuf,
    catalog: Arc<Catalog>,
    loader: Loader,
    settings: WatchSettings,
    seen: BTreeMap<String, Seen>,
    /// The directory could not be read, and the log says so.
    blind: bool,
}

impl Watcher {
    /// A watcher that has not looked yet.
    pub fn new(directory: &Path, catalog: Arc<Catalog>, loader: Loader, settings: WatchSettings) -> Self {
        Watcher {
            directory: directory.to_owned(),
            catalog,
            loader,
            settings,
            seen: BTreeMap::new(),
            blind: false,
        }
    }

    /// Loads what lies there now, without waiting for files to be quiet.
    pub async fn load_all(&mut self) {
        for (file, signature) in self.files_or_say().unwrap_or_default() {
            if let Some(signature) = signature {
                self.load(&file, signature).await;
            }
        }
    }

    /// Keeps watch until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (changed, mut changes) = mpsc::channel(1);
        let told = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // Full means that a look is due already.
                let _ = changed.try_send(());
            }
        });
        let _told = told.and_then(|mut told| told.watch(&self.directory, notify::RecursiveMode::NonRecursive).map(|()| told)).map_err(
            |error| tracing::warn!(%error, "the skills directory is looked at every two seconds: the system does not say when it changes"),
        );
        loop {
            // A file that takes long is dropped in the middle, and its compiling process with it.
            let settling = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                settling = self.look() => settling,
            };
            let wait = if settling {
                self.settings.quiet
            } else {
                self.settings.backstop
            };
            tokio::select! {
                () = stopped(&mut stop) => return,
                Some(()) = changes.recv() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Looks once. `true`: some file has changed and is not quiet yet.
    async fn look(&mut self) -> bool {
        let Some(files) = self.files_or_say() else {
            return false;
        };
        let gone: Vec<String> = self.seen.keys().filter(|file| !files.contains_key(*file)).cloned().collect();
        for file in gone {
            self.seen.remove(&file);
            self.catalog.remove(&file);
            tracing::info!(file, "skill removed");
        }
        self.look_again_at_released();
        let mut settling = false;
        for (file, signature) in files {
            // What cannot be seen just now counts as unchanged.
            let Some(signature) = signature else { continue };
            match self.seen.get(&file) {
                Some(Seen::Done(done)) if *done == signature => {}
                Some(Seen::Settling(before)) if *before == signature && self.is_quiet(&signature) => {
                    self.load(&file, signature).await
                }
                _ => {
                    self.seen.insert(file, Seen::Settling(signature));
                    settling = true;
                }
            }
        }
        self.look_again_at_released() || settling
    }

    /// Forgets the verdict on files whose name and version another one held until now.
    fn look_again_at_released(&mut self) -> bool {
        let mut any = false;
        for file in self.catalog.released() {
            if let Some(seen) = self.seen.get_mut(&file)
                && let Seen::Done(signature) = *seen
            {
                *seen = Seen::Settling(signature);
                any = true;
            }
        }
        any
    }

    /// Nothing has been written for long enough, by the file's own time.
    fn is_quiet(&self, signature: &Signature) -> bool {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let (seconds, nanos) = signature.changed;
        let changed = Duration::new(
            u64::try_from(seconds).unwrap_or_default(),
            u32::try_from(nanos).unwrap_or_default(),
        );
        // A time that lies in the future says nothing: two looks with the same state are enough then.
        now.checked_sub(changed).is_none_or(|age| age >= self.settings.quiet)
    }

    /// What lies in the directory; `None`, and once a line in the log, where that cannot be told.
    fn files_or_say(&mut self) -> Option<BTreeMap<String, Option<Signature>>> {
        let files = self.files();
        match &files {
            Ok(_) => self.blind = false,
            Err(error) if !self.blind => {
                self.blind = true;
                let directory = self.directory.display();
                tracing::warn!(%directory, %error, "the skills directory cannot be read: what is live stays live");
            }
            Err(_) => {}
        }
        files.ok()
    }

    /// The files by name. One that is there and cannot be looked at has no signature.
    fn files(&self) -> io::Result<BTreeMap<String, Option<Signature>>> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".wasm") || name.starts_with('.') {
                continue;
            }
            // A file that is known keeps its place, wherever it comes in the listing.
            if files.len() >= self.settings.max_files && !self.seen.contains_key(&name) {
                continue;
            }
            match std::fs::symlink_metadata(entry.path()) {
                Ok(metadata) => drop(files.insert(name, Some(signature(&metadata)))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => drop(files.insert(name, None)),
            }
        }
        Ok(files)
    }

    async fn load(&mut self, file: &str, signature: Signature) {
        // Until there is a verdict, the next look tries again.
        self.seen.insert(file.to_owned(), Seen::Settling(signature));
        let loaded = match self.read_and_load(file, signature).await {
            Err(Unread::Changed) => return,
            Err(Unread::Failed(reason)) => {
                if self.catalog.refuse(file, format!("{reason}; it is tried again")) {
                    tracing::warn!(file, reason, "skill not loaded yet");
                }
                return;
            }
            Err(Unread::Refused(reason)) => Err(reason),
            Ok(skill) => Ok(skill),
        };
        self.seen.insert(file.to_owned(), Seen::Done(signature));
        let deployed = match loaded {
            Ok(skill) => self.catalog.deploy(Deployed {
                file: file.to_owned(),
                skill,
            }),
            Err(reason) => {
                self.catalog.refuse(file, reason.clone());
                Err(reason)
            }
        };
        match deployed {
            Ok(()) => tracing::info!(file, "skill live"),
            Err(reason) => tracing::warn!(file, reason, "skill refused"),
        }
    }

    async fn read_and_load(&self, file: &str, signature: Signature) -> Result<Arc<Loaded>, Unread> {
        let path = self.directory.join(file);
        let read = tokio::task::spawn_blocking(move || read(&path, signature)).await;
        let bytes = read.unwrap_or_else(|_| Err(Unread::Failed("reading it failed".to_owned())))?;
        self.loader.load(&bytes).await.map_err(|error| match &error {
            LoadError::Compile(compile) if compile.is_passing() => Unread::Failed(error.to_string()),
            _ => Unread::Refused(error.to_string()),
        })
    }
}

/// Returns when it is time to stop, or nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn signature(metadata: &std::fs::Metadata) -> Signature {
    // The time of the last change of the inode, which a copy that keeps times sets too.
    Signature {
        inode: metadata.ino(),
        size: metadata.len(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Unread {
    /// It is being written to.
    Changed,
    /// The machine failed; trying again may do.
    Failed(String),
    /// It is no skill, and stays none until it changes.
    Refused(String),
}

/// Reads a regular file that is in this state before and after.
fn read(path: &Path, expected: Signature) -> Result<Vec<u8>, Unread> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| unopened(&error))?;
    let failed = |error: io::Error| Unread::Failed(format!("it cannot be read: {error}"));
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Unread::Refused(NOT_REGULAR.to_owned()));
    }
    if metadata.len() > MAX_COMPONENT_BYTES as u64 {
        return Err(Unread::Refused(format!(
            "it has {} bytes, more than {MAX_COMPONENT_BYTES}",
            metadata.len()
        )));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    let mut limited = std::io::Read::take(&file, MAX_COMPONENT_BYTES as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(failed)?;
    if file.metadata().map(|after| signature(&after)).map_err(failed)? != expected {
        return Err(Unread::Changed);
    }
    Ok(bytes)
}

fn unopened(error: &io::Error) -> Unread {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::LOOP) => Unread::Refused("it is a link: copy the file itself".to_owned()),
        // What opening a socket says.
        Some(rustix::io::Errno::NXIO) => Unread::Refused(NOT_REGULAR.to_owned()),
        Some(rustix::io::Errno::NOENT) => Unread::Changed,
        _ => Unread::Failed(format!("it cannot be opened: {error}")),
    }
}

#[cfg(test)]
mod tests;
