//! What can be wrong with `models.yaml`, each with the key it is about. Never shows a key's
//! or a header's value.

use std::fmt;

use claw_core::cost::BadPrice;

use super::expand::not_set;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{path}`: {problem}")]
pub struct ConfigError {
    /// The key, such as `models.general.base_url`.
    pub path: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The text is not YAML, or has other keys or types than it should.
    #[error("{0}")]
    Syntax(String),
    /// A name that cannot be one.
    #[error("a name has 1 to 128 characters, none of them blank or a control character")]
    BadName,
    /// Every provider but `offline` needs a model.
    #[error("missing; name the model as `{provider}` names it")]
    MissingModel {
        /// The provider.
        provider: &'static str,
    },
    /// An entry names a use once.
    #[error("the use `{name}` is there twice")]
    DuplicateUse {
        /// The use.
        name: String,
    },
    /// A name that leads nowhere.
    #[error("`{name}` is no entry, use or alias of this file")]
    Unknown {
        /// The name.
        name: String,
    },
    /// An entry's name goes before a use of the same name.
    #[error("`{name}` is the name of another entry, which is what it would lead to")]
    UseIsEntry {
        /// The use.
        name: String,
    },
    /// `${…}` that is not closed or names no variable.
    #[error("`${{` must be followed by a variable's name and `}}`")]
    BadVariable,
    /// A variable or a secret without which the entry cannot be used at all.
    #[error("{what}", what = not_set(.0))]
    Unset(String),
    /// An address that cannot be one of a provider.
    #[error("{0}")]
    BadUrl(&'static str),
    /// Both a key and a file that holds one.
    #[error("give either `api_key` or `api_key_file`")]
    TwoKeys,
    /// A key with characters that a header cannot carry.
    #[error("the key holds characters that cannot be sent in a header")]
    BadKey,
    /// A relative path would depend on where the gateway is started.
    #[error("must be an absolute path")]
    RelativePath,
    /// A header that cannot be sent.
    #[error("{0}")]
    BadHeader(&'static str),
    /// A number out of its range.
    #[error("must be between {min} and {max}")]
    OutOfRange {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A price that is none.
    #[error("{0}")]
    BadPrice(BadPrice),
    /// A price of nobody's model.
    #[error("write the provider and the model, as in `openai/gpt-4o`")]
    NoModelName,
    /// A price of a provider that is not known.
    #[error("`{maker}` is no provider that has prices; there are `{known}`")]
    NoMaker {
        /// The name.
        maker: String,
        /// Those that are known.
        known: String,
    },
    /// A key that means nothing for this provider.
    #[error("means nothing for the provider `{provider}`")]
    Needless {
        /// The provider.
        provider: &'static str,
    },
    /// Something else, in words.
    #[error("{0}")]
    Other(&'static str),
    /// The TLS library refuses to work.
    #[error("no HTTP client can be made: {0}")]
    NoClient(String),
}

/// Everything that is wrong, in the file's order.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) fn one(path: impl Into<String>, problem: Problem) -> Self {
        ConfigErrors(vec![ConfigError {
            path: path.into(),
            problem,
        }])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
