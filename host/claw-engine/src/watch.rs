//! The skills directory: what is dropped there is live in under a second, what is wrong is
//! refused with a reason, what is removed goes away. Opens each file once, without following
//! links, and works on what it read then.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::Watcher as _;
use tokio::sync::{mpsc, watch};

use crate::catalog::{Catalog, Deployed};
use crate::component::Loader;
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
        }
    }

    /// Loads what lies there now, without waiting for files to be quiet.
    pub async fn load_all(&mut self) {
        let files = self.files();
        for (file, signature) in files {
            self.load(&file, signature).await;
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
        while !*stop.borrow() {
            let settling = self.look().await;
            let wait = if settling {
                self.settings.quiet
            } else {
                self.settings.backstop
            };
            tokio::select! {
                _ = stop.changed() => {}
                Some(()) = changes.recv() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Looks once. `true`: some file has changed and is not quiet yet.
    async fn look(&mut self) -> bool {
        let files = self.files();
        let gone: Vec<String> = self.seen.keys().filter(|file| !files.contains_key(*file)).cloned().collect();
        for file in gone {
            self.seen.remove(&file);
            self.catalog.remove(&file);
            tracing::info!(file, "skill removed");
        }
        let mut settling = false;
        for (file, signature) in files {
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
        settling
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

    fn files(&self) -> BTreeMap<String, Signature> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else {
            return BTreeMap::new();
        };
        let mut files = BTreeMap::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".wasm") || name.starts_with('.') || files.len() >= self.settings.max_files {
                continue;
            }
            if let Ok(metadata) = std::fs::symlink_metadata(entry.path()) {
                files.insert(name, signature(&metadata));
            }
        }
        files
    }

    async fn load(&mut self, file: &str, signature: Signature) {
        let path = self.directory.join(file);
        let read = tokio::task::spawn_blocking(move || read(&path, signature)).await;
        let loaded = match read.unwrap_or_else(|_| Err(Unread::Refused("reading it failed".to_owned()))) {
            Ok(bytes) => self.loader.load(&bytes).await.map_err(|error| error.to_string()),
            Err(Unread::Changed) => {
                self.seen.insert(file.to_owned(), Seen::Settling(signature));
                return;
            }
            Err(Unread::Refused(reason)) => Err(reason),
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
}

fn signature(metadata: &std::fs::Metadata) -> Signature {
    // The time of the last change of the inode, which a copy that keeps times sets too.
    Signature {
        inode: metadata.ino(),
        size: metadata.len(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

enum Unread {
    Changed,
    Refused(String),
}

/// Reads a regular file that is in this state before and after.
fn read(path: &Path, expected: Signature) -> Result<Vec<u8>, Unread> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|error| {
            if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
                Unread::Refused("it is a link: copy the file itself".to_owned())
            } else {
                Unread::Refused(format!("it cannot be opened: {error}"))
            }
        })?;
    let refused = |error: std::io::Error| Unread::Refused(format!("it cannot be read: {error}"));
    let metadata = file.metadata().map_err(refused)?;
    if !metadata.is_file() {
        return Err(Unread::Refused("it is no regular file".to_owned()));
    }
    if metadata.len() > MAX_COMPONENT_BYTES as u64 {
        return Err(Unread::Refused(format!(
            "it has {} bytes, more than {MAX_COMPONENT_BYTES}",
            metadata.len()
        )));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    let mut limited = std::io::Read::take(&file, MAX_COMPONENT_BYTES as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(refused)?;
    if file.metadata().map(|after| signature(&after)).map_err(refused)? != expected {
        return Err(Unread::Changed);
    }
    Ok(bytes)
}
