//! Gathers what a model call is given beside its own words: all of it at once, each piece within
//! its own time, skills and capabilities through the invoker's door. What may be missing is left
//! out and said; what may not fails the call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::Value;

use super::complete::until;
use super::{Complete, Doors, Invocation};
use crate::capability::{Payload, Target};
use crate::context::{Content, ContextUse, ContextWanted, Gathered, Turn};
use crate::errors::{Code, Fault};
use crate::ids::InvocationId;

/// The name of a session's turns among the pieces.
const SESSION: &str = "session";

/// One entry of `context.yaml`, as far as the doors need to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextSource {
    /// Where it comes from.
    pub from: ContextFrom,
    /// The higher, the longer it keeps its place where room is short.
    pub priority: i32,
    /// The most tokens that it may take.
    pub max_tokens: Option<u64>,
    /// How long it is waited for.
    pub timeout: Duration,
    /// The call fails without it.
    pub required: bool,
}

/// Where a piece comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum ContextFrom {
    /// A file, a directory or an HTTP GET: [`Contexts::fetch`] gets it.
    Fetched,
    /// A skill or a capability, invoked with this input; placeholders are filled in.
    Invoked(Target, Value),
}

/// Where context comes from, and where sessions are kept.
#[async_trait]
pub trait Contexts: Send + Sync {
    /// The entry of this name.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`], naming those that there are.
    fn find(&self, name: &str) -> Result<ContextSource, Fault>;
    /// The text of an entry that is a file, a directory or an HTTP GET, with these values for
    /// its placeholders.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`].
    async fn fetch(&self, name: &str, vars: &BTreeMap<String, Value>) -> Result<String, Fault>;
    /// How a session's turns are fitted.
    fn session(&self) -> ContextSource;
    /// What a caller's session holds, oldest first; nothing where it is new.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`].
    async fn turns(&self, caller: &str, session: &str) -> Result<Vec<Turn>, Fault>;
    /// Adds to a caller's session.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`].
    async fn remember(&self, caller: &str, session: &str, turns: Vec<Turn>) -> Result<(), Fault>;
}

/// A host without context.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoContexts;

#[async_trait]
impl Contexts for NoContexts {
    fn find(&self, name: &str) -> Result<ContextSource, Fault> {
        Err(Fault::new(Code::ContextUnavailable, format!("there is no context `{name}`")))
    }

    async fn fetch(&self, name: &str, _vars: &BTreeMap<String, Value>) -> Result<String, Fault> {
        self.find(name).map(|_| String::new())
    }

    fn session(&self) -> ContextSource {
        ContextSource {
            from: ContextFrom::Fetched,
            priority: 0,
            max_tokens: None,
            timeout: Duration::from_secs(1),
            required: true,
        }
    }

    async fn turns(&self, _caller: &str, _session: &str) -> Result<Vec<Turn>, Fault> {
        Err(Fault::new(Code::ContextUnavailable, "no sessions are kept here"))
    }

    async fn remember(&self, _caller: &str, _session: &str, _turns: Vec<Turn>) -> Result<(), Fault> {
        Err(Fault::new(Code::ContextUnavailable, "no sessions are kept here"))
    }
}

impl Doors {
    /// All that a call names, and a row for each piece that is missing.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] for names that are none, and whatever keeps a required piece away.
    pub async fn gather(
        self: &Arc<Self>,
        call: &Complete,
        wanted: &ContextWanted,
        contexts: &dyn Contexts,
    ) -> Result<(Vec<Gathered>, Vec<ContextUse>), Fault> {
        wanted.check()?;
        let named = wanted.context.iter().map(|name| async move {
            let source = contexts.find(name)?;
            let text = until(deadline(call, &source), self.text(call, wanted, contexts, name, &source)).await;
            Ok::<_, Fault>((name.clone(), source, text.map(Content::Text)))
        });
        let session = wanted.session.iter().map(|session| async move {
            let source = contexts.session();
            let turns = until(deadline(call, &source), contexts.turns(&call.caller, session)).await;
            Ok::<_, Fault>((SESSION.to_owned(), source, turns.map(Content::Turns)))
        });
        let (named, session) = futures::join!(join_all(named), join_all(session));
        let (mut gathered, mut missing) = (Vec::new(), Vec::new());
        for found in named.into_iter().chain(session) {
            let (name, source, content) = found?;
            match content {
                Ok(content) => gathered.push(Gathered {
                    name,
                    content,
                    priority: source.priority,
                    max_tokens: source.max_tokens,
                }),
                Err(fault) if source.required => return Err(unavailable(&name, &fault)),
                Err(fault) => {
                    missing.push(ContextUse {
                        name,
                        tokens: 0,
                        cut: false,
                        failed: Some(fault.code),
                    });
                }
            }
        }
        Ok((gathered, missing))
    }

    async fn text(
        self: &Arc<Self>,
        call: &Complete,
        wanted: &ContextWanted,
        contexts: &dyn Contexts,
        name: &str,
        source: &ContextSource,
    ) -> Result<String, Fault> {
        let (target, input) = match &source.from {
            ContextFrom::Fetched => return contexts.fetch(name, &wanted.vars).await,
            ContextFrom::Invoked(target, input) => (target.clone(), filled(input, &wanted.vars)?),
        };
        let invocation = Invocation {
            id: InvocationId::generate(),
            parent: Some(call.id),
            trace: call.trace.child(),
            caller: call.caller.clone(),
            key: call.key.clone(),
            skill: call.skill.clone(),
            // The operator named it, not the caller: the key's scope is asked about the call.
            depth: call.depth.saturating_add(1),
            target,
            input: Payload::Json(input),
            deadline: Some(deadline(call, source)),
            idempotency_key: None,
            events: None,
            approval: None,
        };
        let output = Box::pin(self.invoker().invoke(invocation)).await?;
        Ok(match output.payload {
            Payload::Text(text) => text,
            Payload::Json(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
            Payload::Bytes { data, .. } => String::from_utf8_lossy(&data).into_owned(),
        })
    }
}

fn deadline(call: &Complete, source: &ContextSource) -> Instant {
    call.deadline.min(Instant::now() + source.timeout)
}

fn unavailable(name: &str, fault: &Fault) -> Fault {
    Fault::new(
        Code::ContextUnavailable,
        format!("the context `{name}` cannot be had: {}", fault.message),
    )
    .hint("say `required: false` in context.yaml where calls may go on without it")
}

/// Every text with its `{placeholders}` filled in; one that is nothing else takes the value as
/// it is.
fn filled(input: &Value, vars: &BTreeMap<String, Value>) -> Result<Value, Fault> {
    Ok(match input {
        Value::String(text) => match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !name.contains(['{', '}']) => vars.get(name).cloned().ok_or_else(|| unset(name))?,
            Some(_) | None => Value::String(fill(text, vars, &|value| value)?),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, vars)).collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| Ok((key.clone(), filled(value, vars)?)));
            Value::Object(fields.collect::<Result<_, Fault>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => input.clone(),
    })
}

/// A text with its `{placeholders}` filled in; `encode` makes each value fit for its place.
///
/// # Errors
/// [`Code::InvalidInput`] for a placeholder without a value.
pub fn fill(text: &str, vars: &BTreeMap<String, Value>, encode: &dyn Fn(String) -> String) -> Result<String, Fault> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        whole.push_str(before);
        let value = vars.get(name).ok_or_else(|| unset(name))?;
        let words = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        whole.push_str(&encode(words));
        rest = tail;
    }
    whole.push_str(rest);
    Ok(whole)
}

fn unset(name: &str) -> Fault {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    Fault::new(Code::InvalidInput, format!("the context needs a value for `{shown}`"))
        .hint("send it as a variable: `claw-context-vars: {\"name\": \"value\"}`")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_filled_in_and_missing_ones_named() {
        let vars: BTreeMap<String, Value> = [("id".to_owned(), json!(7)), ("name".to_owned(), json!("Ann"))].into();
        assert_eq!(fill("/c/{id}/{name}?x", &vars, &|value| value).unwrap(), "/c/7/Ann?x");
        assert_eq!(fill("no { end", &vars, &|value| value).unwrap(), "no { end");
        assert_eq!(fill("{nope}", &vars, &|value| value).unwrap_err().code, Code::InvalidInput);
        let input = json!({ "id": "{id}", "text": "for {name}", "list": ["{name}", 3, null] });
        let expected = json!({ "id": 7, "text": "for Ann", "list": ["Ann", 3, null] });
        assert_eq!(filled(&input, &vars).unwrap(), expected);
        assert!(filled(&json!(["{nope}"]), &vars).is_err());
    }
}
