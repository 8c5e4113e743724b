//! Model calls. A skill names a *use*, such as `summarization`; which provider, model and
//! key serve it is the operator's decision.

use std::collections::VecDeque;

use crate::{Error, host};

mod prompt;
mod types;

pub use prompt::Prompt;
pub use types::{Completion, Event, Finish, Message, Options, Part, Role, ToolCall, ToolDef, Usage};

/// One completion, whole, with nothing asked for but an answer.
///
/// # Errors
/// A `model.*` or `grant.*` code.
pub fn complete(use_name: &str, messages: &[Message]) -> Result<Completion, Error> {
    host::complete(use_name, messages, &Options::default())
}

/// One completion, whole.
///
/// # Errors
/// As [`complete`]; `model.schema_mismatch` where the answer does not fit the schema.
pub fn complete_with(use_name: &str, messages: &[Message], options: &Options) -> Result<Completion, Error> {
    host::complete(use_name, messages, options)
}

/// One completion, event by event.
///
/// # Errors
/// As [`complete`]; later ones are the stream's last item.
pub fn stream(use_name: &str, messages: &[Message], options: &Options) -> Result<Stream, Error> {
    let inner = host::complete_stream(use_name, messages, options)?;
    Ok(Stream {
        inner: Some(inner),
        ready: VecDeque::new(),
    })
}

/// Texts to vectors, in the same order. Any number: batches are made as the host takes them.
///
/// # Errors
/// As [`complete`].
pub fn embed(use_name: &str, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<f32>>, Error> {
    const BATCH: usize = 2_048;
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        let batch: Vec<String> = batch.iter().map(|text| text.as_ref().to_owned()).collect();
        vectors.extend(host::embed(use_name, &batch)?);
    }
    if vectors.len() != texts.len() {
        let message = format!("{} texts went in and {} vectors came out", texts.len(), vectors.len());
        return Err(Error::new("embed", message));
    }
    Ok(vectors)
}

/// A completion as it is made: an iterator that ends after [`Event::Done`] or after the first
/// error. Dropping it cancels the call upstream.
pub struct Stream {
    inner: Option<host::EventStream>,
    ready: VecDeque<Event>,
}

impl Iterator for Stream {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        const AT_ONCE: u32 = 64;
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            match self.inner.as_mut()?.next(AT_ONCE) {
                Ok(Some(events)) => self.ready.extend(events),
                Ok(None) => self.inner = None,
                Err(error) => {
                    self.inner = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Stream {
    /// Hands every piece of text to `on_text`, and answers the whole.
    ///
    /// # Errors
    /// The stream's, or the first that `on_text` answers.
    pub fn collect_with(self, mut on_text: impl FnMut(&str) -> Result<(), Error>) -> Result<Completion, Error> {
        for event in self {
            match event? {
                Event::TextDelta(text) => on_text(&text)?,
                Event::ToolCall(_) => {}
                Event::Done(done) => return Ok(*done),
            }
        }
        Err(Error::new("stream", "the answer ended before it was whole"))
    }
}
