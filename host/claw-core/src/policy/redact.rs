//! Personal data taken out of a call before it is sent: for good, `[EMAIL]`, or as placeholders
//! that are put back into the answer, `[EMAIL_1]`. What cannot be looked through is not sent.

use std::sync::Arc;

use serde_json::Value;

use crate::errors::{Code, Fault};
use crate::keys::matches;
use crate::model::{CompletionRequest, Part};
use crate::pii::{Finding, Inspector, Vault, fixed_texts, json_within, map_texts};
use crate::wire::WireRequest;

/// What is taken out.
#[derive(Clone, Debug)]
pub struct Redaction {
    inspector: Arc<dyn Inspector>,
    redact: Vec<String>,
    mask: Vec<String>,
}

/// What a request was turned into.
#[derive(Clone, Debug)]
pub struct Changed<T> {
    /// The request as it is sent.
    pub request: T,
    /// What its placeholders stand for; nothing where none of it is to be put back.
    pub vault: Option<Arc<Vault>>,
}

impl<T> Changed<T> {
    /// A request of which nothing is taken out.
    pub fn not_at_all(request: T) -> Self {
        Changed { request, vault: None }
    }
}

fn is_of(classes: &[String], finding: &Finding) -> bool {
    classes.iter().any(|class| matches(class, finding.class.as_str()))
}

/// One request on its way.
struct Change<'a> {
    redaction: &'a Redaction,
    vault: Vault,
}

impl Change<'_> {
    fn text(&mut self, text: &str) -> Result<Option<String>, Fault> {
        // In the text of a JSON value, what is found may begin in the middle of an escape.
        let within = text.contains('\\').then(|| json_within(text)).flatten();
        let Some(mut value) = within else { return self.plain(text) };
        let before = value.clone();
        self.values(&mut value)?;
        if value == before {
            return self.plain(text);
        }
        let changed = value.to_string();
        Ok(self.plain(&changed)?.or(Some(changed)))
    }

    fn plain(&mut self, text: &str) -> Result<Option<String>, Fault> {
        let Redaction { inspector, redact, mask } = self.redaction;
        let mut found = super::inspect(&**inspector, text).map_err(|why| Fault::new(Code::PolicyUnavailable, why.to_string()))?;
        found.retain(|finding| is_of(redact, finding) || is_of(mask, finding));
        let for_good = |finding: &Finding| is_of(redact, finding);
        Ok((!found.is_empty()).then(|| self.vault.change(text, &found, &for_good)))
    }

    fn replace(&mut self, text: &mut String) -> Result<(), Fault> {
        if let Some(changed) = self.text(text)? {
            *text = changed;
        }
        Ok(())
    }

    fn value(&mut self, value: &mut Value) -> Result<(), Fault> {
        let mut failed = Ok(());
        fixed_texts(value, &mut |text| match self.text(text) {
            Ok(None) => {}
            Ok(Some(_)) => failed = Err(cannot_be_taken_out()),
            Err(fault) => failed = Err(fault),
        });
        failed?;
        self.values(value)
    }

    fn values(&mut self, value: &mut Value) -> Result<(), Fault> {
        let mut failed = Ok(());
        map_texts(value, &mut |text| match self.text(text) {
            Ok(changed) => changed,
            Err(fault) => {
                failed = Err(fault);
                None
            }
        });
        failed
    }

    fn of<T>(self, request: T) -> Changed<T> {
        Changed {
            request,
            vault: (!self.vault.is_empty()).then(|| Arc::new(self.vault)),
        }
    }
}

fn cannot_be_taken_out() -> Fault {
    Fault::new(
        Code::PolicyUnavailable,
        "what policy takes out stands in the name of a field or in a number, and cannot be taken out there",
    )
    .hint("the call was not sent; give it as text, as a value")
}

impl Redaction {
    pub(super) fn new(inspector: Arc<dyn Inspector>, redact: Vec<String>, mask: Vec<String>) -> Self {
        Redaction { inspector, redact, mask }
    }

    fn begin(&self) -> Change<'_> {
        Change {
            redaction: self,
            vault: Vault::new(),
        }
    }

    /// Takes it out of a request in our own words.
    ///
    /// # Errors
    /// [`Code::PolicyUnavailable`].
    pub fn request(&self, mut request: CompletionRequest) -> Result<Changed<CompletionRequest>, Fault> {
        let mut change = self.begin();
        for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
            match part {
                Part::Text { text } | Part::Link { url: text } => change.replace(text)?,
                Part::ToolCall(call) => change.replace(&mut call.arguments)?,
                Part::ToolResult { content, .. } => change.replace(content)?,
                Part::Blob { .. } => {}
            }
        }
        for tool in &mut request.tools {
            change.replace(&mut tool.description)?;
            change.value(&mut tool.schema)?;
        }
        request
            .stop
            .iter_mut()
            .chain(&mut request.user)
            .try_for_each(|text| change.replace(text))?;
        request
            .response_schema
            .iter_mut()
            .try_for_each(|schema| change.value(schema))?;
        request.extra.values_mut().try_for_each(|value| change.value(value))?;
        Ok(change.of(request))
    }

    /// Takes it out of texts that have no answer in words.
    ///
    /// # Errors
    /// [`Code::PolicyUnavailable`].
    pub fn texts(&self, texts: &mut [String]) -> Result<(), Fault> {
        let mut change = self.begin();
        texts.iter_mut().try_for_each(|text| change.replace(text))
    }

    /// Takes it out of a request in the caller's dialect, whose body is written anew.
    ///
    /// # Errors
    /// [`Code::PolicyUnavailable`].
    pub fn wire(&self, mut request: WireRequest) -> Result<Changed<WireRequest>, Fault> {
        let mut change = self.begin();
        let mut value = (*request.value).clone();
        change.value(&mut value)?;
        if value != *request.value {
            request.body = serde_json::to_vec(&value).map_err(|_| Fault::internal())?.into();
            request.value = Arc::new(value);
        }
        let Changed { mut request, vault } = change.of(request);
        request.masked.clone_from(&vault);
        Ok(Changed { request, vault })
    }
}
