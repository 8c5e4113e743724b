//! What model calls took, used and cost, counted from the entries of the journal, so that every
//! way to a model counts alike. Names are OpenTelemetry's for generative AI where it has one
//! (<https://github.com/open-telemetry/semantic-conventions-genai>), with the dots that
//! Prometheus does not take written as `_`.

use std::time::Duration;

use claw_core::audit::Status;
use claw_core::model::Usage;
use claw_core::observe::{Observation, Observer};
use claw_core::wire::Api;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// In seconds, as the conventions advise for durations of model calls.
const DURATION: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// As the conventions advise for tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// In seconds: our own part of a call.
const OVERHEAD: [f64; 12] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_4, 0.000_8, 0.001_6, 0.003_2, 0.006_4, 0.012_8, 0.025_6, 0.1, 1.0,
];

/// Counters of model calls.
#[derive(Clone)]
pub struct CallMetrics {
    duration: Family<Operation, Histogram, fn() -> Histogram>,
    first: Family<Operation, Histogram, fn() -> Histogram>,
    tokens: Family<TokenKind, Histogram, fn() -> Histogram>,
    overhead: Family<Kind, Histogram, fn() -> Histogram>,
    cost: Family<Payer, Counter>,
    unknown: Family<Payer, Counter>,
    attempts: Family<Tried, Counter>,
    policy: Family<Decided, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    gen_ai_operation_name: &'static str,
    gen_ai_provider_name: String,
    gen_ai_request_model: String,
    error_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenKind {
    gen_ai_operation_name: &'static str,
    gen_ai_provider_name: String,
    gen_ai_request_model: String,
    gen_ai_token_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    gen_ai_operation_name: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Payer {
    caller: String,
    gen_ai_provider_name: String,
    gen_ai_request_model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tried {
    entry: String,
    gen_ai_provider_name: String,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    policy: String,
    effect: &'static str,
}

impl Default for CallMetrics {
    fn default() -> Self {
        CallMetrics {
            duration: Family::new_with_constructor(|| Histogram::new(DURATION)),
            first: Family::new_with_constructor(|| Histogram::new(DURATION)),
            tokens: Family::new_with_constructor(|| Histogram::new(TOKENS)),
            overhead: Family::new_with_constructor(|| Histogram::new(OVERHEAD)),
            cost: Family::default(),
            unknown: Family::default(),
            attempts: Family::default(),
            policy: Family::default(),
        }
    }
}

impl CallMetrics {
    /// No call was seen yet.
    pub fn new() -> Self {
        CallMetrics::default()
    }

    /// Has them shown with the others of a door.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let ai = registry.sub_registry_with_prefix("gen_ai");
        let help = "Time of a model call, from its decision to its last byte";
        ai.register_with_unit("client_operation_duration", help, Unit::Seconds, self.duration.clone());
        let help = "Time to the first piece of an answer";
        ai.register_with_unit(
            "client_operation_time_to_first_chunk",
            help,
            Unit::Seconds,
            self.first.clone(),
        );
        ai.register("client_token_usage", "Tokens of model calls", self.tokens.clone());
        let help = "Of a model call, the time that was not spent waiting for providers";
        registry.register_with_unit("model_call_overhead", help, Unit::Seconds, self.overhead.clone());
        registry.register(
            "model_cost_nanousd",
            "Cost of model calls, in billionths of a US dollar",
            self.cost.clone(),
        );
        let help = "Model calls whose price is not known";
        registry.register("model_cost_unknown_calls", help, self.unknown.clone());
        registry.register(
            "model_attempts",
            "Attempts at providers, by how they ended",
            self.attempts.clone(),
        );
        registry.register("policy_decisions", "Calls by the policies that decided", self.policy.clone());
    }

    fn attempted(&self, seen: &Observation<'_>, provider: &str) {
        let tried = &seen.outcome.tried;
        let count = |entry: &str, provider: &str, code| {
            let label = Tried {
                entry: entry.to_owned(),
                gen_ai_provider_name: provider.to_owned(),
                code,
            };
            self.attempts.get_or_create(&label).inc();
        };
        for attempt in tried {
            count(
                &attempt.entry,
                &attempt.provider,
                attempt.code.map_or("ok", claw_core::errors::Code::as_str),
            );
        }
        if tried.is_empty() && seen.outcome.attempts.is_some() {
            count("", provider, "ok");
        }
    }

    fn used(&self, seen: &Observation<'_>, provider: &str, model: &str, usage: &Usage) {
        let payer = Payer {
            caller: seen.intent.caller.clone(),
            gen_ai_provider_name: provider.to_owned(),
            gen_ai_request_model: model.to_owned(),
        };
        match usage.cost_nanousd {
            Some(cost) => drop(self.cost.get_or_create(&payer).inc_by(cost)),
            None => drop(self.unknown.get_or_create(&payer).inc()),
        }
        for (kind, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
            let label = TokenKind {
                gen_ai_operation_name: operation(seen),
                gen_ai_provider_name: provider.to_owned(),
                gen_ai_request_model: model.to_owned(),
                gen_ai_token_type: kind,
            };
            self.tokens.get_or_create(&label).observe(tokens as f64);
        }
    }

    fn decided(&self, seen: &Observation<'_>) {
        let decision = &seen.intent.policy;
        let count = |policy: &str, effect| {
            let policy = policy.to_owned();
            self.policy.get_or_create(&Decided { policy, effect }).inc();
        };
        decision.applied.iter().for_each(|name| count(name, "applied"));
        decision.reported.iter().for_each(|name| count(name, "reported"));
        if decision.denied_by.is_some() {
            count("", "denied");
        }
    }
}

impl Observer for CallMetrics {
    fn ended(&self, seen: Observation<'_>) {
        self.decided(&seen);
        let (intent, outcome) = (seen.intent, seen.outcome);
        // Only a model call has a use; the invocation around it is counted elsewhere.
        if intent.model_use.is_none() {
            return;
        }
        // What was configured, not what an answer claims: a bounded set.
        let provider = intent.provider.as_deref().unwrap_or("none");
        let model = intent.model.as_deref().unwrap_or("none");
        let kind = operation(&seen);
        let label = Operation {
            gen_ai_operation_name: kind,
            gen_ai_provider_name: provider.to_owned(),
            gen_ai_request_model: model.to_owned(),
            error_type: ended(&seen).to_owned(),
        };
        let seconds = |micros| Duration::from_micros(micros).as_secs_f64();
        self.duration.get_or_create(&label).observe(seconds(outcome.latency_us));
        if let Some(first) = outcome.first_us {
            self.first.get_or_create(&label).observe(seconds(first));
        }
        if let Some(upstream) = outcome.upstream_us {
            let own = outcome.latency_us.saturating_sub(upstream);
            let label = Kind {
                gen_ai_operation_name: kind,
            };
            self.overhead.get_or_create(&label).observe(seconds(own));
        }
        self.attempted(&seen, provider);
        if let Some(usage) = &outcome.usage {
            self.used(&seen, provider, model, usage);
        }
    }
}

/// The error's code, or how it ended otherwise; empty for an answer.
fn ended(seen: &Observation<'_>) -> &'static str {
    match (seen.outcome.status, seen.outcome.code) {
        (Status::Ok, _) => "",
        (Status::Error, Some(code)) => code.as_str(),
        (Status::Error, None) => "error",
        (Status::Abandoned, _) => "abandoned",
        (Status::Interrupted, _) => "interrupted",
    }
}

fn operation(seen: &Observation<'_>) -> &'static str {
    match seen.intent.api {
        Some(Api::Embeddings) => "embeddings",
        Some(Api::CountTokens) => "count_tokens",
        Some(Api::ChatCompletions | Api::Responses | Api::Messages) | None => "chat",
    }
}

#[cfg(test)]
mod tests;
