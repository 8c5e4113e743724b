//! The handlers, one file for each noun.

pub(crate) mod admin;
pub(crate) mod capabilities;
pub(crate) mod drafts;
pub(crate) mod health;
pub(crate) mod invoke;
pub(crate) mod keys;
pub(crate) mod observe;
pub(crate) mod sdk;
pub(crate) mod skills;
pub(crate) mod stream;
