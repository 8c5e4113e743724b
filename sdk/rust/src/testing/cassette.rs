//! The recorded calls of one case. A line answers one call whose name and content are the
//! same; what was not recorded has no answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::wire;
use crate::error::{Error, Kind};

#[derive(Debug, Default)]
pub(crate) struct Cassette {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    json: Value,
    used: bool,
}

impl Cassette {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = index + 1;
            let json: Value = serde_json::from_str(line).map_err(|error| format!("line {number} is no JSON: {error}"))?;
            let effect = json.get("effect").and_then(Value::as_str).unwrap_or_default().to_owned();
            match effect.as_str() {
                "model" | "embed" | "invoke" if json.get("answer").is_some() => lines.push(Line { json, used: false }),
                "model" | "embed" | "invoke" => return Err(format!("line {number} has no `answer`")),
                "" => return Err(format!("line {number} has no `effect`")),
                // What stays inside the sandbox needs no answer.
                _ => {}
            }
        }
        Ok(Cassette { lines })
    }

    /// The answer to a call, if an unused line holds one.
    pub(crate) fn play(&mut self, effect: &str, name_key: &str, name: &str, body_key: &str, body: &Value) -> Option<Value> {
        let text = |line: &Line, key: &str| line.json.get(key).and_then(Value::as_str).map(str::to_owned);
        let line = self.lines.iter_mut().find(|line| {
            !line.used
                && text(line, "effect").as_deref() == Some(effect)
                && text(line, name_key).as_deref() == Some(name)
                && line.json.get(body_key).is_some_and(|held| wire::same(held, body))
        })?;
        line.used = true;
        line.json.get("answer").cloned()
    }

    pub(crate) fn add_model(&mut self, use_name: &str, request: &Value, stream: bool, answer: &Value) {
        let json = json!({"effect": "model", "use": use_name, "request": request, "stream": stream, "answer": answer});
        self.lines.push(Line { json, used: true });
    }

    /// Takes all answers of models out. Their failures stay, to be met whatever is asked.
    pub(crate) fn without_model_answers(mut self) -> Self {
        self.lines
            .retain(|line| line.json.get("effect") != Some(&json!("model")) || line.json.pointer("/answer/err").is_some());
        self
    }

    /// The next recorded failure of a model, which from now on is the answer to `request`.
    pub(crate) fn refit_failure(&mut self, use_name: &str, request: &Value) -> Option<Value> {
        let of_use = |line: &&mut Line| line.json.get("use").and_then(Value::as_str) == Some(use_name);
        let failed = |line: &&mut Line| !line.used && line.json.pointer("/answer/err").is_some();
        let line = self.lines.iter_mut().find(|line| of_use(line) && failed(line))?;
        line.used = true;
        line.json.as_object_mut()?.insert("request".to_owned(), request.clone());
        line.json.get("answer").cloned()
    }

    pub(crate) fn unused(&self) -> Vec<String> {
        let unused = self.lines.iter().filter(|line| !line.used);
        unused.map(|line| line.json.to_string().chars().take(300).collect()).collect()
    }

    pub(crate) fn into_lines(self) -> Vec<Value> {
        self.lines.into_iter().map(|line| line.json).collect()
    }
}

/// `{"ok": …}` or `{"err": {"code": …}}`.
pub(crate) fn into_result(answer: Value) -> Result<Value, Error> {
    if let Some(value) = answer.get("ok") {
        return Ok(value.clone());
    }
    let fault = answer.get("err").cloned().unwrap_or_default();
    let text = |key: &str| fault.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let retry_after = fault.get("retry_after_ms").and_then(Value::as_u64).map(Duration::from_millis);
    let code = text("code");
    Err(Error::of(kind(&code), code, text("message"), retry_after))
}

fn kind(code: &str) -> Kind {
    match code {
        "invalid_input" | "file.exists" | "model.invalid_request" | "model.context_exceeded" => Kind::InvalidInput,
        "not_found" | "file.not_found" => Kind::NotFound,
        "file.path" | "exec.denied" | "draft.held" => Kind::Denied,
        "overloaded" | "exec.not_installed" | "model.unavailable" | "model.rate_limited" => Kind::Unavailable,
        "deadline_exceeded" | "exec.timeout" | "model.timeout" => Kind::Timeout,
        "cancelled" => Kind::Cancelled,
        _ if code.starts_with("grant.") || code.starts_with("policy.") => Kind::Denied,
        _ if code.starts_with("limit.") => Kind::LimitExceeded,
        _ => Kind::Other,
    }
}
