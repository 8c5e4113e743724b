#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use super::*;
use crate::ModelsFile;
use crate::config::resolve;

mod answers;
mod gemini;
mod requests;

fn entry(provider: &str) -> Entry {
    entry_with(provider, "")
}

fn entry_with(provider: &str, more: &str) -> Entry {
    let yaml = format!("models: {{general: {{provider: {provider}, model: test-model, api_key: sk-1{more}}}}}");
    resolve(&ModelsFile::from_yaml(&yaml).unwrap(), &|_| None).unwrap().remove(0)
}
