//! Personal data taken out of a call before it is sent, for good: `[EMAIL]`. What cannot be
//! looked through is not sent.

use std::sync::Arc;

use serde_json::Value;

use crate::errors::{Code, Fault};
use crate::keys::matches;
use crate::model::{CompletionRequest, Part};
use crate::pii::{Inspector, map_texts, redact};
use crate::wire::WireRequest;

/// What is taken out.
#[derive(Clone, Debug)]
pub struct Redaction {
    inspector: Arc<dyn Inspector>,
    classes: Vec<String>,
}

impl Redaction {
    pub(super) fn new(inspector: Arc<dyn Inspector>, classes: Vec<String>) -> Self {
        Redaction { inspector, classes }
    }

    fn text(&self, text: &str) -> Result<Option<String>, Fault> {
        let mut found =
            super::inspect(&*self.inspector, text).map_err(|why| Fault::new(Code::PolicyUnavailable, why.to_string()))?;
        found.retain(|finding| self.classes.iter().any(|class| matches(class, finding.class.as_str())));
        Ok((!found.is_empty()).then(|| redact(text, &found)))
    }

    fn replace(&self, text: &mut String) -> Result<(), Fault> {
        if let Some(changed) = self.text(text)? {
            *text = changed;
        }
        Ok(())
    }

    fn value(&self, value: &mut Value) -> Result<(), Fault> {
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

    /// Takes it out of a request in our own words.
    ///
    /// # Errors
    /// [`Code::PolicyUnavailable`].
    pub fn request(&self, request: &mut CompletionRequest) -> Result<(), Fault> {
        for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
            match part {
                Part::Text { text } | Part::Link { url: text } => self.replace(text)?,
                Part::ToolCall(call) => self.replace(&mut call.arguments)?,
                Part::ToolResult { content, .. } => self.replace(content)?,
                Part::Blob { .. } => {}
            }
        }
        for tool in &mut request.tools {
            self.replace(&mut tool.description)?;
            self.value(&mut tool.schema)?;
        }
        request
            .stop
            .iter_mut()
            .chain(&mut request.user)
            .try_for_each(|text| self.replace(text))?;
        request.response_schema.iter_mut().try_for_each(|schema| self.value(schema))?;
        request.extra.values_mut().try_for_each(|value| self.value(value))
    }

    /// Takes it out of texts.
    ///
    /// # Errors
    /// [`Code::PolicyUnavailable`].
    pub fn texts(&self, texts: &mut [String]) -> Result<(), Fault> {
        texts.iter_mut().try_for_each(|text| self.replace(text))
    }

    /// Takes it out of a request in the caller's dialect, whose body is written anew.
    ///
    /// # Errors
    /// [`Code::PolicyUnavailable`].
    pub fn wire(&self, request: &mut WireRequest) -> Result<(), Fault> {
        let mut value = (*request.value).clone();
        self.value(&mut value)?;
        if value != *request.value {
            request.body = serde_json::to_vec(&value).map_err(|_| Fault::internal())?.into();
            request.value = Arc::new(value);
        }
        Ok(())
    }
}
