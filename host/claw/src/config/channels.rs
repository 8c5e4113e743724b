//! `channels.yaml`: where people talk to a host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `channels.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelsFile {
    /// The channels.
    #[serde(default)]
    pub channels: Vec<Channel>,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What belongs to its kind, such as `workspace`.
    #[serde(flatten)]
    pub settings: BTreeMap<String, serde_json::Value>,
}

/// Kinds of channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// This machine's terminal.
    Cli,
    /// A Slack workspace. This version reads the entry and does not connect.
    Slack,
}

impl Kind {
    /// This version serves it.
    pub fn is_served(self) -> bool {
        match self {
            Kind::Cli => true,
            Kind::Slack => false,
        }
    }
}
