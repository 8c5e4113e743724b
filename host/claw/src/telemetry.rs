//! Calls as traces of OpenTelemetry, sent to a collector where the environment names one. Made
//! from the entries that are put on record, so that nothing is traced that is not; a collector
//! that is slow or away costs spans, never a call.

mod send;
mod spans;

use std::fmt;
use std::time::Duration;

use claw_core::observe::{Observation, Observer};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanProcessor as _};

use send::Sender;

/// How long the last spans may take to leave when the gateway stops.
const LAST: Duration = Duration::from_secs(3);

/// Sends what is observed to a collector. The queue is bounded; what does not fit is dropped.
pub struct Traces {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Traces {
    /// What the standard variables ask for (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`,
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_…`, `OTEL_SDK_DISABLED`);
    /// nothing where no endpoint is named. Called within the runtime that sends.
    pub fn from_environment() -> Option<Traces> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"))?;
        let made = Sender::new().map_err(|error| error.to_string()).and_then(|sender| {
            let exporter = SpanExporter::builder().with_http().with_http_client(sender);
            exporter.build().map_err(|error| error.to_string())
        });
        match made {
            Ok(exporter) => Some(Traces::to(exporter, set("OTEL_SERVICE_NAME").is_some())),
            Err(why) => {
                tracing::error!(why, "traces cannot be sent: look at the variables `OTEL_…`");
                None
            }
        }
    }

    fn to(exporter: SpanExporter, is_named: bool) -> Traces {
        let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if !is_named {
            resource = resource.with_service_name("claw");
        }
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&resource.build());
        Traces {
            processor,
            scope: InstrumentationScope::builder("claw")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }

    /// Sends what is left, for a bounded time.
    pub fn close(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

impl Observer for Traces {
    fn ended(&self, seen: Observation<'_>) {
        for span in spans::of(&seen, &self.scope) {
            self.processor.on_end(span);
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}
