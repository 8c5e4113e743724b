//! A model call, put together piece by piece.

use serde_json::Value;

use super::{Completion, Message, Options, ToolDef, complete_with, stream};
use crate::Error;

/// A model call, put together piece by piece.
///
/// ```no_run
/// # use claw_skill::{Error, model::Prompt};
/// # fn f() -> Result<(), Error> {
/// let answer = Prompt::new("summarization").system("Be brief.").user("What is a WASI component?").max_tokens(200).send()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Prompt {
    use_name: String,
    messages: Vec<Message>,
    options: Options,
}

impl Prompt {
    /// A call of the model that serves this use.
    pub fn new(use_name: impl Into<String>) -> Self {
        Prompt {
            use_name: use_name.into(),
            messages: Vec::new(),
            options: Options::default(),
        }
    }

    /// Instructions.
    #[must_use]
    pub fn system(self, text: impl Into<String>) -> Self {
        self.message(Message::system(text))
    }

    /// A question.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::user(text))
    }

    /// An earlier answer.
    #[must_use]
    pub fn assistant(self, text: impl Into<String>) -> Self {
        self.message(Message::assistant(text))
    }

    /// Any message.
    #[must_use]
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// The answer's text is one JSON value that fits this JSON Schema.
    #[must_use]
    pub fn schema(mut self, schema: Value) -> Self {
        self.options.response_schema = Some(schema);
        self
    }

    /// The most tokens to make.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.options.max_tokens = Some(tokens);
        self
    }

    /// 0.0 to 2.0.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.options.temperature = Some(temperature);
        self
    }

    /// One more text that ends the answer; at most four.
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.options.stop.push(text.into());
        self
    }

    /// One more tool that the model may ask for.
    #[must_use]
    pub fn tool(mut self, tool: ToolDef) -> Self {
        self.options.tools.push(tool);
        self
    }

    /// A knob that this version does not name.
    #[must_use]
    pub fn extra(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.extra.push((key.into(), value.into()));
        self
    }

    /// Makes the call and waits for the whole answer.
    ///
    /// # Errors
    /// As [`complete_with`].
    pub fn send(&self) -> Result<Completion, Error> {
        complete_with(&self.use_name, &self.messages, &self.options)
    }

    /// Makes the call, hands every piece of text on as it comes, and answers the whole.
    ///
    /// # Errors
    /// As [`stream`], or the first error that `on_text` answers.
    pub fn stream(&self, on_text: impl FnMut(&str) -> Result<(), Error>) -> Result<Completion, Error> {
        stream(&self.use_name, &self.messages, &self.options)?.collect_with(on_text)
    }
}
