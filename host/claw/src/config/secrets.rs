//! What `${secret:NAME}` stands for in the files of a home, and which entries name it. Reads;
//! changes nothing, and shows no value.

use std::collections::BTreeSet;

use claw_store::{HomeKey, SecretStore, Secrets, StoreError};
use serde_yaml::Value;

use crate::home::Home;

/// The file, as mistakes name it.
pub(super) const FILE: &str = "state/secrets.sealed";
/// The files whose values may name secrets.
const NAMING: [&str; 2] = ["models.yaml", "context.yaml"];

/// Where a file names a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The secret.
    pub secret: String,
    /// The entry that names it: `models.general`.
    pub entry: String,
}

/// The secrets of a home. The home's key is not asked for where nothing was ever kept.
///
/// # Errors
/// They, or the home's key, cannot be read.
pub fn secrets(home: &Home) -> Result<Secrets, StoreError> {
    if !home.secrets().exists() {
        return Ok(Secrets::default());
    }
    SecretStore::new(&home.secrets(), &HomeKey::load(&home.key())?).load()
}

/// All places that name a secret. A file that cannot be read names none here; checking the
/// configuration says what is wrong with it.
pub fn references(home: &Home) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    for file in NAMING {
        if let Ok(Some(Value::Mapping(sections))) = super::parse::<Value>(&home.join(file)) {
            for (section, entries) in &sections {
                let section = section.as_str().unwrap_or_default();
                match entries {
                    Value::Mapping(entries) => {
                        for (entry, value) in entries {
                            let entry = format!("{section}.{}", entry.as_str().unwrap_or_default());
                            named_in(value, &entry, &mut found);
                        }
                    }
                    other => named_in(other, section, &mut found),
                }
            }
        }
    }
    found
}

fn named_in(value: &Value, entry: &str, found: &mut BTreeSet<Reference>) {
    match value {
        Value::String(text) => {
            let pieces = text.split("${secret:").skip(1);
            let names = pieces.filter_map(|piece| piece.split_once('}')).map(|(name, _)| name);
            found.extend(names.map(|name| Reference {
                secret: name.to_owned(),
                entry: entry.to_owned(),
            }));
        }
        Value::Sequence(items) => items.iter().for_each(|item| named_in(item, entry, found)),
        Value::Mapping(map) => map.values().for_each(|value| named_in(value, entry, found)),
        Value::Tagged(tagged) => named_in(&tagged.value, entry, found),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
