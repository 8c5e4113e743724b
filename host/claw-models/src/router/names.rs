//! What a name means: an entry, a use, an alias or a model, and the entries behind it in their
//! order. The first to take a name keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use claw_core::routing::{ModelListing, NameKind};

use crate::config::{Grouped, ModelsFile, Prefer};
use crate::exchange::Live;
use crate::models::route;

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) kind: NameKind,
    pub(crate) prefer: Prefer,
    /// Places of entries, each once.
    pub(crate) entries: Vec<usize>,
    /// Behind these, the candidates are fallbacks.
    pub(crate) own: usize,
}

/// All names, in the order in which they are listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Vec<(String, Meaning)>, BTreeMap<String, usize>);

/// How often an alias may stand for another.
const DEEPEST: u8 = 4;

impl Names {
    /// The names of a file whose entries are these.
    pub(crate) fn of(file: &ModelsFile, entries: &[Arc<Live>]) -> Self {
        let mut names = Names::default();
        let place = |name: &str| entries.iter().position(|live| live.entry.name == name);
        for (own, live) in entries.iter().enumerate() {
            let behind = live.entry.fallbacks.iter().filter_map(|name| place(name));
            names.add(
                &live.entry.name,
                NameKind::Entry,
                Prefer::Order,
                [own].into_iter().chain(behind),
                1,
            );
        }
        for live in entries {
            // What the section `uses` says of a name counts more.
            for name in live.entry.uses.iter().filter(|name| !file.uses.contains_key(*name)) {
                let serving = entries.iter().enumerate().filter(|(_, live)| live.entry.uses.contains(name));
                let serving: Vec<usize> = serving.map(|(place, _)| place).collect();
                names.add_group(name, NameKind::Use, Prefer::Weight, serving, entries);
            }
        }
        for (name, group) in &file.uses {
            let found = names.expand(file, group, DEEPEST);
            names.add_group(name, NameKind::Use, group.prefer(), found, entries);
        }
        for (name, group) in &file.aliases {
            let found = names.expand(file, group, DEEPEST);
            names.add_group(name, NameKind::Alias, group.prefer(), found, entries);
        }
        for live in entries {
            let same = entries
                .iter()
                .enumerate()
                .filter(|(_, other)| other.entry.model == live.entry.model);
            let same: Vec<usize> = same.map(|(place, _)| place).collect();
            names.add_group(&live.entry.model, NameKind::Model, Prefer::Weight, same, entries);
        }
        names
    }

    fn add_group(&mut self, name: &str, kind: NameKind, prefer: Prefer, own: Vec<usize>, entries: &[Arc<Live>]) {
        let place = |name: &String| entries.iter().position(|live| live.entry.name == *name);
        let behind: Vec<usize> = own
            .iter()
            .filter_map(|place| entries.get(*place))
            .flat_map(|live| live.entry.fallbacks.iter().filter_map(place))
            .collect();
        let count = own.len();
        self.add(name, kind, prefer, own.into_iter().chain(behind), count);
    }

    fn add(&mut self, name: &str, kind: NameKind, prefer: Prefer, all: impl IntoIterator<Item = usize>, own: usize) {
        let mut entries: Vec<usize> = Vec::new();
        for place in all {
            if !entries.contains(&place) {
                entries.push(place);
            }
        }
        if self.1.contains_key(name) || entries.is_empty() {
            return;
        }
        self.1.insert(name.to_owned(), self.0.len());
        let own = own.min(entries.len());
        self.0.push((
            name.to_owned(),
            Meaning {
                kind,
                prefer,
                entries,
                own,
            },
        ));
    }

    /// The entries of a group, whose members are entries, uses, or other aliases.
    fn expand(&self, file: &ModelsFile, group: &Grouped, deep: u8) -> Vec<usize> {
        let mut found = Vec::new();
        for member in group.candidates() {
            if let Some(meaning) = self.find(member) {
                found.extend(meaning.entries.iter().take(meaning.own));
            } else if let Some(other) = file.aliases.get(member).or_else(|| file.uses.get(member))
                && deep > 0
            {
                found.extend(self.expand(file, other, deep - 1));
            }
        }
        let mut once = Vec::new();
        for place in found {
            if !once.contains(&place) {
                once.push(place);
            }
        }
        once
    }

    /// What a name means.
    pub(crate) fn find(&self, name: &str) -> Option<&Meaning> {
        self.1
            .get(name)
            .and_then(|place| self.0.get(*place))
            .map(|(_, meaning)| meaning)
    }

    /// Everything that can be named.
    pub(crate) fn list(&self, entries: &[Arc<Live>]) -> Vec<ModelListing> {
        let listing = |(name, meaning): &(String, Meaning)| {
            let first = entries.get(*meaning.entries.first()?)?;
            Some(ModelListing {
                name: name.clone(),
                kind: meaning.kind,
                route: route(first),
                context_tokens: first.entry.context_tokens,
            })
        };
        self.0.iter().filter_map(listing).collect()
    }
}
