//! `nodes`: capabilities, through the door again.

use wasmtime::Result;

use crate::bindings::claw::skill::{nodes, types};
use crate::context::Context;
use crate::imports::payload;

impl nodes::Host for Context {
    async fn invoke(
        &mut self,
        capability: String,
        input: types::Payload,
    ) -> Result<std::result::Result<nodes::Reply, types::Error>> {
        self.count_call()?;
        let host = self.run.host.clone();
        let result = match payload::from_guest(input) {
            Ok(input) => host.invoke(&capability, input).await,
            Err(fault) => Err(fault),
        };
        Ok(match result {
            Ok(reply) => Ok(nodes::Reply {
                output: payload::to_guest(reply.output),
                node: reply.node,
                duration_ms: u64::try_from(reply.duration.as_millis()).unwrap_or(u64::MAX),
            }),
            Err(fault) => Err(self.issue(fault)),
        })
    }
}
