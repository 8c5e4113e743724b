//! The skills that are live: name → versions, swapped whole, so that a call sees one state
//! and finishes on what it began with. Refuses a second component under a name and version
//! that is taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use claw_core::capability::SkillRef;
use claw_core::errors::{Code, Fault};
use claw_core::grants::GrantBook;
use claw_core::manifest::Version;
use claw_core::ports::{Component as _, LiveSkill, SkillState, SkillStatus, Skills};

use crate::component::Loaded;

/// A component, and the file it came from.
#[derive(Clone)]
pub struct Deployed {
    /// The file's name in the skills directory.
    pub file: String,
    /// The component.
    pub skill: Arc<Loaded>,
}

/// The live skills of one host.
pub struct Catalog {
    live: ArcSwap<Live>,
    // Writers take turns; readers never wait.
    books: Mutex<Books>,
}

/// What the live state is made from.
#[derive(Default)]
struct Books {
    grants: Arc<GrantBook>,
    /// By the file's name.
    deployed: BTreeMap<String, Deployed>,
    /// By the file's name: why it was refused.
    refused: BTreeMap<String, String>,
}

#[derive(Default)]
struct Live {
    skills: BTreeMap<String, Versions>,
    statuses: Vec<SkillStatus>,
}

struct Versions {
    default: Version,
    by_version: BTreeMap<Version, LiveSkill>,
}

impl Catalog {
    /// An empty catalog under these grants.
    pub fn new(grants: Arc<GrantBook>) -> Self {
        let books = Books {
            grants,
            ..Books::default()
        };
        Catalog {
            live: ArcSwap::from_pointee(books.build()),
            books: Mutex::new(books),
        }
    }

    /// Puts a component in the place of what the same file held before.
    ///
    /// # Errors
    /// Why it was refused; what was live stays live.
    pub fn deploy(&self, deployed: Deployed) -> Result<(), String> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = deployed.skill.facts();
        let taken = books.deployed.values().find(|other| {
            let other = other.skill.facts();
            other.manifest.name == facts.manifest.name
                && other.manifest.version == facts.manifest.version
                && other.sha256 != facts.sha256
        });
        if let Some(taken) = taken {
            let reason = format!(
                "`{}@{}` is live from `{}` with other code: raise `version` in its SKILL.md, or remove that file first",
                facts.manifest.name, facts.version, taken.file
            );
            books.refused.insert(deployed.file, reason.clone());
            self.publish(&books);
            return Err(reason);
        }
        books.refused.remove(&deployed.file);
        books.deployed.insert(deployed.file.clone(), deployed);
        self.publish(&books);
        Ok(())
    }

    /// Writes down why a file was refused. What it held before stays live.
    pub fn refuse(&self, file: &str, reason: String) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.refused.insert(file.to_owned(), reason);
        self.publish(&books);
    }

    /// Takes away what a file held.
    pub fn remove(&self, file: &str) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let known = books.deployed.remove(file).is_some() | books.refused.remove(file).is_some();
        if known {
            self.publish(&books);
        }
    }

    /// Puts other grants in force.
    pub fn replace_grants(&self, grants: Arc<GrantBook>) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.grants = grants;
        self.publish(&books);
    }

    fn publish(&self, books: &Books) {
        self.live.store(Arc::new(books.build()));
    }
}

impl Books {
    fn build(&self) -> Live {
        let mut skills: BTreeMap<String, BTreeMap<Version, (LiveSkill, &str)>> = BTreeMap::new();
        for deployed in self.deployed.values() {
            let manifest = &deployed.skill.facts().manifest;
            let grants = self.grants.intersect(&manifest.name, &manifest.requests);
            let config = manifest
                .config
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
            let live = LiveSkill {
                component: deployed.skill.clone(),
                grants: Arc::new(grants),
                config: Arc::new(config.collect()),
            };
            let versions = skills.entry(manifest.name.clone()).or_default();
            versions.entry(manifest.version.clone()).or_insert((live, &deployed.file));
        }
        let mut live = Live::default();
        for (name, versions) in skills {
            let default = default_version(&versions, self.grants.pin(&name));
            for (version, (skill, file)) in &versions {
                live.statuses.push(status(skill, file, *version == default));
            }
            let by_version = versions.into_iter().map(|(version, (skill, _))| (version, skill)).collect();
            live.skills.insert(name, Versions { default, by_version });
        }
        for (file, reason) in &self.refused {
            live.statuses.push(refused(file, reason));
        }
        live
    }
}

/// The pinned version, else the highest that has all it asks for, else the highest.
fn default_version(versions: &BTreeMap<Version, (LiveSkill, &str)>, pin: Option<&str>) -> Version {
    let pinned = pin.and_then(|pin| versions.keys().find(|version| version.to_string() == pin));
    let granted = || {
        versions
            .iter()
            .rev()
            .find(|(_, (skill, _))| skill.grants.is_complete())
            .map(|(version, _)| version)
    };
    let highest = || versions.keys().next_back();
    let chosen = pinned.or_else(granted).or_else(highest);
    chosen.cloned().unwrap_or_else(|| Version::new(0, 0, 0))
}

fn status(skill: &LiveSkill, file: &str, default: bool) -> SkillStatus {
    let facts = skill.component.facts();
    let missing = &skill.grants.missing;
    let flags = missing.model.iter().map(|name| format!(" --model {name}"));
    let flags = flags.chain(missing.capabilities.iter().map(|name| format!(" --capability {name}")));
    let flags: String = flags
        .chain(missing.files.keys().map(|name| format!(" --files {name}=/a/directory")))
        .collect();
    let reason = (!flags.is_empty()).then(|| format!("claw skill allow {}{flags}", facts.manifest.name));
    SkillStatus {
        name: facts.manifest.name.clone(),
        version: Some(facts.version.clone()),
        state: if reason.is_some() {
            SkillState::NeedsGrant
        } else {
            SkillState::Live
        },
        reason,
        default,
        description: facts.manifest.description.clone(),
        sha256: Some(facts.sha256.clone()),
        file: Some(file.to_owned()),
    }
}

fn refused(file: &str, reason: &str) -> SkillStatus {
    SkillStatus {
        name: file.trim_end_matches(".wasm").to_owned(),
        version: None,
        state: SkillState::Refused,
        reason: Some(reason.to_owned()),
        default: false,
        description: String::new(),
        sha256: None,
        file: Some(file.to_owned()),
    }
}

impl Skills for Catalog {
    fn resolve(&self, skill: &SkillRef) -> Result<LiveSkill, Fault> {
        let live = self.live.load();
        let Some(versions) = live.skills.get(&skill.name) else {
            let mut names: Vec<&str> = live.skills.keys().map(String::as_str).take(10).collect();
            names.sort_unstable();
            let hint = if names.is_empty() {
                "no skill is live: copy a `.wasm` into the home's `skills` directory".to_owned()
            } else {
                format!("live are `{}`", names.join("`, `"))
            };
            return Err(Fault::new(Code::NotFound, format!("no skill `{}` is live", skill.name)).hint(hint));
        };
        let found = match &skill.version {
            None => versions.by_version.get(&versions.default),
            Some(wanted) => versions
                .by_version
                .iter()
                .find(|(version, _)| version.to_string() == *wanted)
                .map(|(_, skill)| skill),
        };
        found.cloned().ok_or_else(|| {
            let there: Vec<String> = versions.by_version.keys().map(ToString::to_string).collect();
            Fault::new(Code::NotFound, format!("`{skill}` is not live"))
                .hint(format!("live are the versions `{}`", there.join("`, `")))
        })
    }

    fn list(&self) -> Vec<SkillStatus> {
        self.live.load().statuses.clone()
    }
}
