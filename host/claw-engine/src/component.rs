//! From bytes to a skill that can run: read, checked, compiled or taken from the cache,
//! linked. Refuses at load, in words, what would otherwise fail at the first call.

use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use claw_core::capability::Payload;
use claw_core::errors::Fault;
use claw_core::grants::hex;
use claw_core::manifest::{self, Manifest, Origin};
use claw_core::policy::Permit;
use claw_core::ports::{Component, Run, SkillFacts};
use sha2::{Digest as _, Sha256};

use crate::bindings::SkillPre;
use crate::cache::{self, Cache};
use crate::compile::{CompileError, Compiler};
use crate::context::Context;
use crate::engine::Engine;
use crate::package::{self, PackageError, Packaged};
use crate::{refuse, run};

/// The contract's package, without its version.
const CONTRACT: &str = "claw:skill/";
/// The versions of the contract that this host runs.
const CONTRACT_TRACK: &str = "0.1.";
/// What a skill must export, without its version.
const HANDLER: &str = "claw:skill/handler";
/// The interfaces of the contract that this host has.
const INTERFACES: [&str; 8] = ["types", "context", "log", "output", "model", "files", "nodes", "handler"];
/// The parts of WASI that a component may import.
const WASI: [&str; 6] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// The exact version of wasmtime in `Cargo.lock` (a test holds the two together): compiled
/// code is not carried from one to another, which wasmtime itself checks by major version only.
pub(crate) const WASMTIME: &str = "48.0.8";

/// The component was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no skill.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its SKILL.md does not load.
    #[error("its SKILL.md does not load: {0}")]
    Manifest(String),
    /// It imports what its SKILL.md does not declare.
    #[error("it imports `{import}`, and its SKILL.md declares none of that: add `metadata.claw.{key}`, such as `{example}`")]
    Undeclared {
        /// The import, with its version.
        import: String,
        /// The key to add.
        key: &'static str,
        /// What could stand there.
        example: &'static str,
    },
    /// It imports what no skill gets.
    #[error("it imports `{import}`, which no skill gets: {why}")]
    Foreign {
        /// The import, with its version.
        import: String,
        /// What to use instead.
        why: &'static str,
    },
    /// It was built for a contract that this host does not run.
    #[error("it was built for `{0}`, and this host runs `claw:skill@0.1`: build it again with this version's `claw skill build`")]
    Contract(String),
    /// It exports no handler.
    #[error("it does not export `claw:skill/handler`: build it for the world `skill`")]
    NoHandler,
    /// The compiler refused it.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It does not fit what it is linked to.
    #[error("it cannot be linked: {0}")]
    Link(String),
}

/// What a component is, found without compiling it.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Its SKILL.md.
    pub manifest: Arc<Manifest>,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
    /// Size of the bytes.
    pub size: u64,
    /// The interfaces that it imports, with versions.
    pub imports: Vec<String>,
    /// Its packaged files.
    pub packaged: Arc<Packaged>,
}

/// Reads and checks a component without compiling it.
///
/// # Errors
/// See [`LoadError`].
pub fn inspect(component: &[u8]) -> Result<Inspected, LoadError> {
    let outline = package::read(component)?;
    let origin = Origin::new("SKILL.md", None);
    let loaded = manifest::load(&outline.packaged.skill_md(), &origin).into_result();
    let (manifest, _) = loaded.map_err(|error| LoadError::Manifest(error.to_string()))?;
    check_imports(&outline.imports, &manifest)?;
    if !outline.exports.iter().any(|export| bare(export) == HANDLER) {
        return Err(LoadError::NoHandler);
    }
    Ok(Inspected {
        manifest: Arc::new(manifest),
        sha256: hex(&Sha256::digest(component)),
        size: component.len() as u64,
        imports: outline.imports,
        packaged: Arc::new(outline.packaged),
    })
}

fn bare(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

fn check_imports(imports: &[String], manifest: &Manifest) -> Result<(), LoadError> {
    for import in imports {
        if let Some(interface) = import.strip_prefix(CONTRACT) {
            let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
            if !version.starts_with(CONTRACT_TRACK) || !INTERFACES.contains(&name) {
                return Err(LoadError::Contract(import.clone()));
            }
            let undeclared = |key, example| LoadError::Undeclared {
                import: import.clone(),
                key,
                example,
            };
            match name {
                "model" if manifest.requests.model.is_empty() => return Err(undeclared("model", "[general]")),
                "nodes" if manifest.requests.capabilities.is_empty() => {
                    return Err(undeclared("capabilities", "[exec.git]"));
                }
                _ => {}
            }
        } else if import.starts_with("wasi:http/") {
            let why = "a skill reaches models through `model` and everything else through `nodes`";
            return Err(LoadError::Foreign {
                import: import.clone(),
                why,
            });
        } else if !WASI.iter().any(|allowed| import.starts_with(allowed)) {
            return Err(LoadError::Foreign {
                import: import.clone(),
                why: "the contract in `wit/` is all there is",
            });
        }
    }
    Ok(())
}

/// Loads components for one engine.
#[derive(Clone)]
pub struct Loader {
    engine: Engine,
    compiler: Compiler,
    cache: Option<Cache>,
    fingerprint: String,
}

impl Loader {
    /// A loader that keeps what it compiles below `cache`, keyed with the home's key.
    ///
    /// # Errors
    /// The cache directory cannot be made.
    pub fn new(engine: &Engine, compiler: Compiler, cache: Option<(&Path, [u8; 32])>) -> std::io::Result<Self> {
        let cache = cache.map(|(directory, key)| Cache::open(directory, key)).transpose()?;
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        engine.wasmtime().precompile_compatibility_hash().hash(&mut hasher);
        let fingerprint = format!("claw {} / {} / {:016x}", env!("CARGO_PKG_VERSION"), WASMTIME, hasher.finish());
        Ok(Loader {
            engine: engine.clone(),
            compiler,
            cache,
            fingerprint,
        })
    }

    /// The engine that loaded components run in.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A component, ready to run.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(&self, component: &[u8]) -> Result<Arc<Loaded>, LoadError> {
        let inspected = inspect(component)?;
        let artifact = self.artifact(component, &inspected.sha256).await?;
        let linked = self.link(&artifact)?;
        let Inspected {
            manifest,
            sha256,
            size,
            imports,
            packaged,
        } = inspected;
        let version = manifest.version.to_string();
        let facts = SkillFacts {
            manifest,
            version,
            sha256,
            size,
            imports,
        };
        Ok(Arc::new(Loaded {
            engine: self.engine.clone(),
            linked,
            facts,
            packaged,
        }))
    }

    async fn artifact(&self, component: &[u8], sha256: &str) -> Result<Vec<u8>, LoadError> {
        let origin = cache::Origin {
            sha256,
            engine: &self.fingerprint,
        };
        if let Some(artifact) = self.cache.as_ref().and_then(|cache| cache.load(&origin)) {
            return Ok(artifact);
        }
        let artifact = self.compiler.compile(&self.engine, component).await?;
        if let Some(Err(error)) = self.cache.as_ref().map(|cache| cache.store(&origin, &artifact)) {
            tracing::warn!(%error, "a compiled skill could not be kept, it is compiled again next time");
        }
        Ok(artifact)
    }

    #[expect(unsafe_code, reason = "the only way to load compiled code; see the safety comment")]
    fn link(&self, artifact: &[u8]) -> Result<SkillPre<Context>, LoadError> {
        let failed = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
        // SAFETY: the bytes come from a compiler that is this very program, in this call or in
        // an earlier one whose artifact carries a MAC under this home's key over all of it.
        let component = unsafe { wasmtime::component::Component::deserialize(self.engine.wasmtime(), artifact) };
        let component = component.map_err(failed)?;
        let mut linker = self.engine.linker().clone();
        refuse::add_to_linker(&mut linker, self.engine.wasmtime(), &component).map_err(failed)?;
        let linked = linker.instantiate_pre(&component).map_err(failed)?;
        SkillPre::new(linked).map_err(failed)
    }
}

/// One version of a skill, linked.
pub struct Loaded {
    engine: Engine,
    linked: SkillPre<Context>,
    facts: SkillFacts,
    packaged: Arc<Packaged>,
}

#[async_trait]
impl Component for Loaded {
    fn facts(&self) -> &SkillFacts {
        &self.facts
    }

    async fn run(&self, _permit: &Permit, run: Run) -> Result<Payload, Fault> {
        run::run(&self.engine, &self.linked, self.packaged.clone(), run).await
    }
}
