//! One recorded call as spans. Names are those of OpenTelemetry's conventions for generative AI,
//! version 0.1.0 (<https://github.com/open-telemetry/semantic-conventions-genai>); what they have
//! no name for begins with `claw.`. Never a text of a call.

use std::time::{Duration, SystemTime};

use claw_core::audit::Status as Ended;
use claw_core::ids::TraceParent;
use claw_core::meter::Attempt;
use claw_core::observe::Observation;
use claw_core::wire::Api;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// The spans of a call: its own, and of a model call what was decided, the way to its provider,
/// and each attempt. None where whoever began the trace does not want it.
pub(super) fn of(seen: &Observation<'_>, scope: &InstrumentationScope) -> Vec<SpanData> {
    let Some(span) = seen.intent.span.filter(|span| span.is_sampled()) else {
        return Vec::new();
    };
    let call = Call { seen, scope, span };
    let mut spans = vec![call.whole()];
    if seen.intent.model_use.is_some() {
        spans.push(call.policy());
        if let Some(first) = seen.outcome.attempted.first() {
            spans.push(call.route(first));
        }
        spans.extend(seen.outcome.attempted.iter().filter_map(|attempt| call.attempt(attempt)));
    }
    spans
}

struct Call<'a> {
    seen: &'a Observation<'a>,
    scope: &'a InstrumentationScope,
    span: TraceParent,
}

impl Call<'_> {
    fn began(&self) -> SystemTime {
        self.seen.began
    }

    fn ended(&self) -> SystemTime {
        self.began() + Duration::from_micros(self.seen.outcome.latency_us)
    }

    fn span(&self, own: TraceParent, name: String, kind: SpanKind, (from, to): (SystemTime, SystemTime)) -> SpanData {
        let trace = TraceId::from_bytes(own.trace_bytes());
        SpanData {
            span_context: SpanContext::new(
                trace,
                SpanId::from_bytes(own.span_bytes()),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: own.parent_bytes().map_or(SpanId::INVALID, SpanId::from_bytes),
            parent_span_is_remote: false,
            span_kind: kind,
            name: name.into(),
            start_time: from,
            end_time: to.max(from),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn whole(&self) -> SpanData {
        let (intent, outcome) = (self.seen.intent, self.seen.outcome);
        let is_root = intent.parent.is_none();
        let skill = intent.capability.strip_prefix("skill:");
        let name = match (intent.api, skill) {
            (Some(api), _) => format!("POST {}", route(api)),
            (None, Some(skill)) => format!("execute_tool {skill}"),
            (None, None) => intent.capability.clone(),
        };
        let kind = if is_root { SpanKind::Server } else { SpanKind::Internal };
        let mut span = self.span(self.span, name, kind, (self.began(), self.ended()));
        span.parent_span_is_remote = is_root && span.parent_span_id != SpanId::INVALID;
        span.status = status(outcome.status, outcome.code.map(|code| code.as_str()));
        let mut say = |key: &'static str, value: Option<Value>| {
            span.attributes.extend(value.map(|value| KeyValue::new(key, value)));
        };
        let text = |text: &str| Some(Value::from(text.to_owned()));
        say("claw.invocation.id", text(&intent.id.to_string()));
        say("claw.caller", text(&intent.caller));
        say("claw.key.id", intent.key.as_deref().and_then(text));
        say("claw.capability", text(&intent.capability));
        say("claw.component.sha256", intent.component_sha256.as_deref().and_then(text));
        say("claw.draft", Some(outcome.draft.into()));
        say("claw.offline", Some(outcome.offline.into()));
        if let Some(api) = intent.api {
            say("http.request.method", text("POST"));
            say("http.route", text(route(api)));
        }
        if let Some(skill) = skill {
            say("gen_ai.operation.name", text("execute_tool"));
            say("gen_ai.tool.name", text(skill));
            say("gen_ai.skill.name", text(skill));
            say("gen_ai.skill.version", intent.version.as_deref().and_then(text));
        }
        say("error.type", outcome.code.and_then(|code| text(code.as_str())));
        span
    }

    fn policy(&self) -> SpanData {
        let decision = &self.seen.intent.policy;
        let mut span = self.span(
            self.span.child(),
            "policy".to_owned(),
            SpanKind::Internal,
            (self.began(), self.began()),
        );
        let names = |all: &[std::sync::Arc<str>]| list(all.iter().map(ToString::to_string));
        let found = list(decision.found.iter().map(ToString::to_string));
        span.attributes = vec![
            KeyValue::new("claw.policy.config", decision.config.to_string()),
            KeyValue::new("claw.policy.applied", names(&decision.applied)),
            KeyValue::new("claw.policy.reported", names(&decision.reported)),
            KeyValue::new("claw.policy.found", found),
            KeyValue::new("claw.policy.local_only", decision.local_only),
            KeyValue::new("claw.policy.denied", decision.denied_by.is_some()),
        ];
        span
    }

    fn route(&self, first: &Attempt) -> SpanData {
        let until = first.began.unwrap_or_else(|| self.began());
        let mut span = self.span(
            self.span.child(),
            "route".to_owned(),
            SpanKind::Internal,
            (self.began(), until),
        );
        let tried = i64::try_from(self.seen.outcome.attempted.len()).unwrap_or(i64::MAX);
        span.attributes = vec![
            KeyValue::new("claw.model.use", self.seen.intent.model_use.clone().unwrap_or_default()),
            KeyValue::new("claw.route.entry", first.entry.clone()),
            KeyValue::new("claw.attempts", tried),
        ];
        span
    }

    fn attempt(&self, attempt: &Attempt) -> Option<SpanData> {
        let (own, began) = (attempt.span?, attempt.began?);
        let intent = self.seen.intent;
        let operation = match intent.api {
            Some(Api::Embeddings) => "embeddings",
            _ => "chat",
        };
        let answered = attempt.code.is_none();
        let to = match answered {
            // Its answer went on to the end of the call.
            true => self.ended(),
            false => began + Duration::from_micros(attempt.latency_us),
        };
        let mut span = self.span(own, format!("{operation} {}", attempt.model), SpanKind::Client, (began, to));
        let mut say = |key: &'static str, value: Value| span.attributes.push(KeyValue::new(key, value));
        say("gen_ai.operation.name", operation.into());
        say("gen_ai.provider.name", provider(&attempt.provider).to_owned().into());
        say("gen_ai.request.model", attempt.model.clone().into());
        say("claw.route.entry", attempt.entry.clone().into());
        if let Some(code) = attempt.code {
            say("error.type", code.as_str().into());
            span.status = Status::error(code.as_str());
            return Some(span);
        }
        if let Some(model) = &self.seen.outcome.model {
            say("gen_ai.response.model", model.clone().into());
        }
        if let Some(first_us) = self.seen.outcome.first_us {
            say(
                "gen_ai.response.time_to_first_chunk",
                Duration::from_micros(first_us).as_secs_f64().into(),
            );
        }
        if let Some(usage) = &self.seen.outcome.usage {
            for (key, count) in [
                ("gen_ai.usage.input_tokens", Some(usage.input_tokens)),
                ("gen_ai.usage.output_tokens", Some(usage.output_tokens)),
                ("gen_ai.usage.cache_read.input_tokens", Some(usage.cached_tokens)),
                ("gen_ai.usage.reasoning.output_tokens", Some(usage.reasoning_tokens)),
                ("claw.cost_nanousd", usage.cost_nanousd),
            ] {
                if let Some(count) = count {
                    say(key, i64::try_from(count).unwrap_or(i64::MAX).into());
                }
            }
            say("claw.cost_unknown", usage.cost_nanousd.is_none().into());
        }
        Some(span)
    }
}

fn list(all: impl Iterator<Item = String>) -> Value {
    Value::Array(Array::String(all.map(StringValue::from).collect()))
}

fn status(ended: Ended, code: Option<&'static str>) -> Status {
    match ended {
        Ended::Ok => Status::Ok,
        Ended::Error => Status::error(code.unwrap_or("error")),
        Ended::Abandoned => Status::error("abandoned"),
        Ended::Interrupted => Status::error("interrupted"),
    }
}

/// The conventions' own words for providers.
fn provider(name: &str) -> &str {
    match name {
        "gemini" => "gcp.gemini",
        other => other,
    }
}

fn route(api: Api) -> &'static str {
    match api {
        Api::ChatCompletions => "/v1/chat/completions",
        Api::Responses => "/v1/responses",
        Api::Embeddings => "/v1/embeddings",
        Api::Messages => "/v1/messages",
        Api::CountTokens => "/v1/messages/count_tokens",
    }
}
