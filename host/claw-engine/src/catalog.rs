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
use claw_core::ports::{Component as _, LiveSkill, SkillFacts, SkillState, SkillStatus, Skills};

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
    /// By the file's name.
    refused: BTreeMap<String, Refusal>,
}

/// Why a file is not live.
#[derive(PartialEq)]
struct Refusal {
    reason: String,
    /// What it would be live as, were that not taken.
    waits_for: Option<Place>,
}

/// A name and version, for one code.
#[derive(PartialEq)]
struct Place {
    name: String,
    version: Version,
    sha256: String,
}

impl Place {
    fn of(facts: &SkillFacts) -> Self {
        Place {
            name: facts.manifest.name.clone(),
            version: facts.manifest.version.clone(),
            sha256: facts.sha256.clone(),
        }
    }

    /// Other code is live here.
    fn is_taken_by(&self, other: &SkillFacts) -> bool {
        other.manifest.name == self.name && other.manifest.version == self.version && other.sha256 != self.sha256
    }
}

#[derive(Default)]
struct Live {
    skills: BTreeMap<String, Versions>,
    statuses: Vec<SkillStatus>,
}

struct Versions {
    /// What the bare name means.
    default: Bare,
    by_version: BTreeMap<Version, LiveSkill>,
}

enum Bare {
    Version(Version),
    /// Pinned to this one, which is not live.
    Missing(String),
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
        let place = Place::of(facts);
        let taken = books.taker(&place);
        if let Some(taken) = taken {
            let reason = format!(
                "`{}@{}` is live from `{}` with other code: raise `version` in its SKILL.md, or remove that file first",
                facts.manifest.name, facts.version, taken.file
            );
            let refusal = Refusal {
                reason: reason.clone(),
                waits_for: Some(place),
            };
            books.refused.insert(deployed.file, refusal);
            self.publish(&books);
            return Err(reason);
        }
        books.refused.remove(&deployed.file);
        books.deployed.insert(deployed.file.clone(), deployed);
        self.publish(&books);
        Ok(())
    }

    /// Writes down why a file was refused. What it held before stays live.
    ///
    /// `false`: that stands there already.
    pub fn refuse(&self, file: &str, reason: String) -> bool {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = Refusal { reason, waits_for: None };
        if books.refused.get(file) == Some(&refusal) {
            return false;
        }
        books.refused.insert(file.to_owned(), refusal);
        self.publish(&books);
        true
    }

    /// The files that were refused because their name and version were taken, and are not any more.
    pub fn released(&self) -> Vec<String> {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |refusal: &Refusal| refusal.waits_for.as_ref().is_some_and(|place| books.taker(place).is_none());
        let free = books.refused.iter().filter(|(_, refusal)| is_free(refusal));
        free.map(|(file, _)| file.clone()).collect()
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
    fn taker(&self, place: &Place) -> Option<&Deployed> {
        self.deployed.values().find(|other| place.is_taken_by(other.skill.facts()))
    }

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
            let complete = versions
                .iter()
                .map(|(version, (skill, _))| (version, skill.grants.is_complete()));
            let default = match self.grants.meant(&name, complete) {
                Some(version) => Bare::Version(version.clone()),
                None => Bare::Missing(self.grants.pin(&name).unwrap_or_default().to_owned()),
            };
            for (version, (skill, file)) in &versions {
                live.statuses.push(status(skill, file, default.is(version)));
            }
            let by_version = versions.into_iter().map(|(version, (skill, _))| (version, skill)).collect();
            live.skills.insert(name, Versions { default, by_version });
        }
        for (file, refusal) in &self.refused {
            live.statuses.push(refused(file, &refusal.reason));
        }
        live
    }
}

impl Bare {
    fn is(&self, version: &Version) -> bool {
        matches!(self, Bare::Version(default) if default == version)
    }
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
        let there = || {
            let versions: Vec<String> = versions.by_version.keys().map(ToString::to_string).collect();
            format!("live are the versions `{}`", versions.join("`, `"))
        };
        let found = match (&skill.version, &versions.default) {
            (None, Bare::Version(default)) => versions.by_version.get(default),
            (None, Bare::Missing(pin)) => {
                let name = &skill.name;
                let message = format!("`{name}` is pinned to `{pin}`, which is not live");
                return Err(Fault::new(Code::NotFound, message).hint(format!(
                    "{}: pin one of them with `claw skill allow {name} --pin VERSION`, or take the pin out of grants.yaml",
                    there()
                )));
            }
            (Some(wanted), _) => versions
                .by_version
                .iter()
                .find(|(version, _)| version.to_string() == *wanted)
                .map(|(_, skill)| skill),
        };
        found
            .cloned()
            .ok_or_else(|| Fault::new(Code::NotFound, format!("`{skill}` is not live")).hint(there()))
    }

    fn list(&self) -> Vec<SkillStatus> {
        self.live.load().statuses.clone()
    }
}
