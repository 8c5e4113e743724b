//! The home's key, from which the keys of bodies, hashes and anchors are derived. Refuses a
//! file that others may read, and never shows itself.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::RngExt as _;
use sha2::Sha256;

use crate::error::StoreError;
use crate::private_file;

const LENGTH: usize = 32;
const NONCE: usize = 24;

/// 32 random bytes that only this home knows.
#[derive(Clone)]
pub struct HomeKey([u8; LENGTH]);

impl fmt::Debug for HomeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HomeKey(..)")
    }
}

impl HomeKey {
    /// The key in this file, or a new one, written there with mode 0600.
    ///
    /// # Errors
    /// [`StoreError::KeyPermissions`], [`StoreError::KeyLength`], [`StoreError::KeyNotAFile`]
    /// or [`StoreError::Io`].
    pub fn load_or_create(path: &Path) -> Result<Self, StoreError> {
        match Self::create(path) {
            Ok(key) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(error) => Err(StoreError::io(path)(error)),
        }
    }

    /// The key in this file.
    ///
    /// # Errors
    /// As [`HomeKey::load_or_create`].
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let facts = std::fs::symlink_metadata(path).map_err(StoreError::io(path))?;
        if !facts.is_file() {
            return Err(StoreError::KeyNotAFile { path: path.to_owned() });
        }
        check_mode(path, &facts)?;
        let mut bytes = Vec::with_capacity(LENGTH + 1);
        let file = std::fs::File::open(path).map_err(StoreError::io(path))?;
        file.take(LENGTH as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(StoreError::io(path))?;
        let found = facts.len().max(bytes.len() as u64);
        bytes.try_into().map(HomeKey).map_err(|_| StoreError::KeyLength {
            path: path.to_owned(),
            found,
        })
    }

    /// A key of these bytes, for what keeps no home.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        HomeKey(bytes)
    }

    /// A key for one purpose. Keys of different labels tell nothing about one another.
    pub fn derive(&self, label: &str) -> [u8; LENGTH] {
        keyed(&self.0).chain_update(label.as_bytes()).finalize().into_bytes().into()
    }

    /// The file appears whole or not at all: a process that dies half way leaves no short key.
    fn create(path: &Path) -> io::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let key: [u8; LENGTH] = rand::rng().random();
        let unique = format!(".{:016x}", rand::rng().random::<u64>());
        let new = private_file::with_suffix(path, &unique);
        let written = private_file::options()
            .create_new(true)
            .write(true)
            .open(&new)
            .and_then(|mut file| {
                file.write_all(&key)?;
                file.sync_all()
            });
        let linked = written.and_then(|()| std::fs::hard_link(&new, path));
        std::fs::remove_file(&new)?;
        linked?;
        private_file::sync_directory(path)?;
        Ok(HomeKey(key))
    }
}

#[cfg(unix)]
fn check_mode(path: &Path, facts: &std::fs::Metadata) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = facts.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyPermissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _facts: &std::fs::Metadata) -> Result<(), StoreError> {
    Ok(())
}

fn keyed(key: &[u8; LENGTH]) -> Hmac<Sha256> {
    // HMAC pads a key of 32 bytes to its block of 64; the other constructor asks for that.
    let mut block = [0u8; 64];
    let (front, _) = block.split_at_mut(LENGTH);
    front.copy_from_slice(key);
    <Hmac<Sha256> as Mac>::new(&block.into())
}

/// Makes keyed hashes: equal for equal bytes, and useless to whoever guesses bytes without
/// the key.
#[derive(Clone)]
pub(crate) struct Hasher(Hmac<Sha256>);

impl Hasher {
    pub(crate) fn new(key: &HomeKey, label: &str) -> Self {
        Hasher(keyed(&key.derive(label)))
    }

    pub(crate) fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(bytes).finalize().into_bytes().into()
    }

    /// The hash of several texts, such that no two lists of texts share one.
    pub(crate) fn hash_all(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether this is the hash of those bytes, in constant time.
    pub(crate) fn is(&self, bytes: &[u8], hash: &[u8]) -> bool {
        self.0.clone().chain_update(bytes).verify_slice(hash).is_ok()
    }
}

/// Encrypts and decrypts what is kept, bound to the name it is kept under.
#[derive(Clone)]
pub(crate) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    pub(crate) fn new(key: &HomeKey, label: &str) -> Self {
        Sealer(XChaCha20Poly1305::new(&key.derive(label).into()))
    }

    /// A random nonce and the encrypted bytes. `None` where they are too long for the cipher.
    pub(crate) fn seal(&self, name: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::rng().random();
        let sealed = self.0.encrypt(&XNonce::from(nonce), Payload { msg: bytes, aad: name }).ok()?;
        Some([nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// The bytes again. `None` where key, name or bytes are not those of `seal`.
    pub(crate) fn open(&self, name: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        self.0.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: name }).ok()
    }
}

#[cfg(test)]
mod tests;
