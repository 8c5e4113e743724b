//! Commands of this machine as capabilities, `exec.<bin>`: argument vectors that the
//! operator's rules allow, without a shell. Refuses everything else: other arguments, other
//! directories, other environment, more output or more time than configured.

mod call;
mod capability;
mod config;
mod git;
mod input;
mod load;
mod pattern;
mod preset;
mod process;
mod redact;
mod root;

pub use capability::ExecCapabilities;
pub use config::{CapabilitiesFile, CommandEntry, ConfigError, ConfigErrors, Environment, RuleEffects, RuleEntry, environment};
pub use pattern::{Pattern, PatternError};
pub use preset::Preset;

#[cfg(test)]
mod tests;
