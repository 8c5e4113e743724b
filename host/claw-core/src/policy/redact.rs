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
        let changed = match json_within(text) {
            Some(value) => self.json(text, value)?,
            None => self.plain(text)?,
        };
        // What only shows once escapes are undone has no place in the text to be taken out of.
        let mut hidden = Ok(());
        super::read_out(changed.as_deref().unwrap_or(text), &mut |layer| match self.found(layer) {
            Ok(found) if found.is_empty() => {}
            Ok(_) => hidden = Err(cannot_be_taken_out()),
            Err(fault) => hidden = Err(fault),
        });
        hidden.map(|()| changed)
    }

    /// The text of a JSON value, which stays one.
    fn json(&mut self, text: &str, mut value: Value) -> Result<Option<String>, Fault> {
        let before = value.clone();
        self.parts(&mut value)?;
        let written = (value != before).then(|| value.to_string());
        // Words beside a value may say what it is.
        match self.plain(written.as_deref().unwrap_or(text))? {
            Some(changed) if json_within(&changed).is_none() => Err(cannot_be_taken_out()),
            changed => Ok(changed.or(written)),
        }
    }

    /// Every part of a JSON value in a text: numbers and the names of fields become texts.
    fn parts(&mut self, value: &mut Value) -> Result<(), Fault> {
        match value {
            Value::String(text) => self.replace(text),
            Value::Number(number) => {
                if let Some(changed) = self.plain(&number.to_string())? {
                    *value = Value::String(changed);
                }
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.parts(item)),
            Value::Object(fields) => {
                for (name, mut field) in std::mem::take(fields) {
                    self.parts(&mut field)?;
                    // Two names may become one.
                    if fields.insert(self.text(&name)?.unwrap_or(name), field).is_some() {
                        return Err(cannot_be_taken_out());
                    }
                }
                Ok(())
            }
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    fn plain(&mut self, text: &str) -> Result<Option<String>, Fault> {
        let found = self.found(text)?;
        let for_good = |finding: &Finding| is_of(&self.redaction.redact, finding);
        Ok((!found.is_empty()).then(|| self.vault.change(text, &found, &for_good)))
    }

    /// What is to be taken out of a text, quotes around it left there.
    fn found(&self, text: &str) -> Result<Vec<Finding>, Fault> {
        let Redaction { inspector, redact, mask } = self.redaction;
        let mut found = super::inspect(&**inspector, text).map_err(|why| Fault::new(Code::PolicyUnavailable, why.to_string()))?;
        found.retain(|finding| (is_of(redact, finding) || is_of(mask, finding)) && !self.vault.is_ours(text, finding));
        for finding in &mut found {
            let span = text.get(finding.start..finding.end).unwrap_or_default();
            if let Some(bare) = span.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest)) {
                (finding.start, finding.end) = (finding.start + 1, finding.start + 1 + bare.len());
            }
        }
        Ok(found)
    }

    /// A word that has to stay as it is.
    fn fixed(&mut self, text: &str) -> Result<(), Fault> {
        match self.text(text)? {
            Some(_) => Err(cannot_be_taken_out()),
            None => Ok(()),
        }
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

    /// What either of two takes out.
    pub(super) fn and(mut self, other: Redaction) -> Redaction {
        self.redact.extend(other.redact);
        self.mask.extend(other.mask);
        self
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
                Part::ToolCall(call) => {
                    change.fixed(&call.name)?;
                    change.replace(&mut call.arguments)?;
                }
                Part::ToolResult { content, .. } => change.replace(content)?,
                Part::Blob { .. } => {}
            }
        }
        for tool in &mut request.tools {
            change.fixed(&tool.name)?;
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
