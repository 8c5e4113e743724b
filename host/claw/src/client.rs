//! The gateway as this program's own commands call it: found through the home, spoken to with
//! the operator's token. Follows no redirect, and sends the token nowhere else.

use std::time::Duration;

use anyhow::{Result, anyhow};
use futures::{Stream, StreamExt as _};
use serde_json::Value;

use crate::commands::Environment;
use crate::exit::{Exit, Failed};

/// A gateway, and a token for it.
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A request that the gateway answered with a problem.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// Its stable code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// What to change or run.
    pub hint: Option<String>,
    /// The invocation, where there was one.
    pub invocation_id: Option<String>,
}

impl Problem {
    /// A problem as a failure of this program.
    pub fn into_failed(self) -> Failed {
        let exit = match self.code.as_str() {
            "http.unauthorized" | "http.forbidden" => Exit::Refused,
            code if code.starts_with("policy.") || code.starts_with("grant.") || matches!(code, "exec.denied" | "draft.held") => {
                Exit::Refused
            }
            "invalid_input" => Exit::Usage,
            _ => Exit::Unexpected,
        };
        let mut message = format!("{}: {}", self.code, self.detail);
        if let Some(id) = &self.invocation_id {
            message.push_str(&format!("\n  see `claw audit show {id}`"));
        }
        Failed {
            exit,
            message,
            hint: self.hint,
        }
    }

    fn read(body: &[u8], status: reqwest::StatusCode) -> Problem {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        Problem::of(&value).unwrap_or_else(|| Problem {
            code: format!("http {}", status.as_u16()),
            detail: "the answer is not this gateway's".to_owned(),
            hint: Some("is something else listening there?".to_owned()),
            invocation_id: None,
        })
    }

    /// A problem object of an answer or an event.
    pub fn of(value: &Value) -> Option<Problem> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Problem {
            code: text("code")?,
            detail: text("detail").or_else(|| text("title"))?,
            hint: text("hint"),
            invocation_id: text("invocation_id"),
        })
    }
}

/// Where the gateway is that these commands mean, whether or not it answers.
pub fn url(environment: &Environment) -> Option<String> {
    let asked = environment.gateway.clone();
    asked
        .or_else(|| environment.home.running().map(|running| running.url))
        .map(|url| url.trim_end_matches('/').to_owned())
}

impl Client {
    /// The gateway of an environment.
    ///
    /// # Errors
    /// None runs, or there is no token for it.
    pub fn connect(environment: &Environment) -> Result<Client> {
        let url = url(environment).ok_or_else(|| {
            Failed::new(
                Exit::Unreachable,
                format!("no gateway runs on the home `{}`", environment.home.path().display()),
            )
            .hint("start one with `claw gateway run`, or name one with `--gateway`")
        })?;
        let token = match std::env::var("CLAW_TOKEN") {
            Ok(token) if !token.is_empty() => token,
            _ => environment.home.token()?,
        };
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .build()?;
        Ok(Client { http, url, token })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks for a JSON answer.
    ///
    /// # Errors
    /// It does not answer, or answers with a [`Problem`].
    pub async fn get(&self, path: &str) -> Result<Value> {
        let request = self.http.get(format!("{}{path}", self.url)).timeout(Duration::from_secs(10));
        let (_, body) = self.send(request).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Posts JSON and gives the whole answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &str, body: &Value, headers: &[(&str, String)]) -> Result<Value> {
        let (_, body) = self.send(self.posting(path, body, headers)).await?;
        Ok(if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)?
        })
    }

    /// Posts JSON and gives the answer's events as they come: their names and their data.
    ///
    /// # Errors
    /// As [`Client::get`]; later ones end the stream.
    pub async fn events(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, String)],
    ) -> Result<impl Stream<Item = Result<(String, Value)>> + use<>> {
        let request = self.posting(path, body, headers).header("accept", "text/event-stream");
        let answer = request
            .bearer_auth(&self.token)
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            let status = answer.status();
            return Err(Problem::read(&answer.bytes().await?, status).into_failed().into());
        }
        let pieces = answer.bytes_stream();
        let state = (Box::pin(pieces), Vec::<u8>::new());
        Ok(futures::stream::unfold(state, |(mut pieces, mut pending)| async move {
            loop {
                if let Some(end) = pending.windows(2).position(|pair| pair == b"\n\n") {
                    let event: Vec<u8> = pending.drain(..end + 2).collect();
                    if let Some(event) = event_of(&event) {
                        return Some((Ok(event), (pieces, pending)));
                    }
                    continue;
                }
                match pieces.next().await? {
                    Ok(piece) => pending.extend_from_slice(&piece),
                    Err(error) => return Some((Err(anyhow!(error)), (pieces, pending))),
                }
            }
        }))
    }

    fn posting(&self, path: &str, body: &Value, headers: &[(&str, String)]) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(reqwest::StatusCode, bytes::Bytes)> {
        let answer = request
            .bearer_auth(&self.token)
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            Ok((status, body))
        } else {
            Err(Problem::read(&body, status).into_failed().into())
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failed {
        let what = if error.is_timeout() {
            "does not answer in time"
        } else {
            "does not answer"
        };
        Failed::new(Exit::Unreachable, format!("the gateway at {} {what}", self.url))
            .hint("start it with `claw gateway run`, or see `claw gateway status`")
    }
}

/// The name and the data of one server-sent event; nothing for a comment.
fn event_of(bytes: &[u8]) -> Option<(String, Value)> {
    let text = String::from_utf8_lossy(bytes);
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim_start().to_owned())
    };
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(str::trim_start)
        .collect();
    if data.is_empty() {
        return None;
    }
    let value = serde_json::from_str(&data.join("\n")).unwrap_or_default();
    Some((field("event:").unwrap_or_else(|| "message".to_owned()), value))
}
