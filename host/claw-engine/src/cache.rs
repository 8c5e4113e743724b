//! Compiled components on disk. Only what this home wrote itself is ever loaded: each file
//! is named by a keyed hash of what it was made from and begins with a keyed hash of what it
//! holds, because loading compiled code is trusting it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use claw_core::grants::hex;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

const TAG: usize = 32;

/// The compiled components of one home.
#[derive(Clone)]
pub(crate) struct Cache {
    directory: PathBuf,
    key: [u8; 32],
}

/// What an artifact was made from.
pub(crate) struct Origin<'a> {
    /// SHA-256 of the component, hex.
    pub(crate) sha256: &'a str,
    /// What the engine says of its own version and configuration.
    pub(crate) engine: &'a str,
}

impl Cache {
    /// The cache below this directory, which is made where it is missing.
    pub(crate) fn open(directory: &Path, key: [u8; 32]) -> std::io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        Ok(Cache {
            directory: directory.to_owned(),
            key,
        })
    }

    /// The artifact made from this, if it is there and was written by this home.
    pub(crate) fn load(&self, origin: &Origin<'_>) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.path(origin)).ok()?;
        let (tag, artifact) = bytes.split_at_checked(TAG)?;
        let mut mac = self.mac("artifact");
        mac.update(self.name(origin).as_bytes());
        mac.update(artifact);
        if mac.verify_slice(tag).is_err() {
            tracing::warn!(path = %self.path(origin).display(), "a cached artifact is not ours or is damaged, it is compiled again");
            return None;
        }
        bytes.drain(..TAG);
        Some(bytes)
    }

    /// Keeps an artifact. It appears whole or not at all.
    pub(crate) fn store(&self, origin: &Origin<'_>, artifact: &[u8]) -> std::io::Result<()> {
        let mut mac = self.mac("artifact");
        mac.update(self.name(origin).as_bytes());
        mac.update(artifact);
        let path = self.path(origin);
        let partial = path.with_extension(format!("{:08x}.partial", rand::random::<u32>()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)?;
        let written = file
            .write_all(&mac.finalize().into_bytes())
            .and_then(|()| file.write_all(artifact));
        match written.and_then(|()| fs::rename(&partial, &path)) {
            Ok(()) => Ok(()),
            Err(error) => {
                let _ = fs::remove_file(&partial);
                Err(error)
            }
        }
    }

    fn path(&self, origin: &Origin<'_>) -> PathBuf {
        self.directory.join(self.name(origin)).with_extension("cwasm")
    }

    fn name(&self, origin: &Origin<'_>) -> String {
        let mut mac = self.mac("name");
        mac.update(origin.sha256.as_bytes());
        mac.update(b"\0");
        mac.update(origin.engine.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    fn mac(&self, purpose: &str) -> Hmac<Sha256> {
        // HMAC pads a short key with zeros up to the block of its hash.
        let mut block = [0u8; 64];
        for (byte, key) in block.iter_mut().zip(self.key) {
            *byte = key;
        }
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new(&block.into());
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac
    }
}

#[cfg(test)]
mod tests;
