//! What one instance may allocate, counted over all of its memories and tables. Refuses
//! growth beyond it, and remembers that it did, so that the guest's abort is reported as
//! the limit it is.

use claw_core::errors::{Code, Fault};
use wasmtime::ResourceLimiter;

/// The most elements that all tables of an instance may have together.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;
/// The most core instances of one component.
pub(crate) const MAX_CORE_INSTANCES: u32 = 32;
/// The most linear memories of one component.
pub(crate) const MAX_MEMORIES: u32 = 2;
/// The most tables of one component.
pub(crate) const MAX_TABLES: u32 = 8;
/// The most calls of imports that one invocation may make.
pub(crate) const MAX_HOST_CALLS: u64 = 1_000_000;
/// The most handles that one invocation may hold.
pub(crate) const MAX_HANDLES: usize = 4_096;
/// The most bytes that one host call may carry into the host.
pub(crate) const MAX_HOST_DATA: usize = 8 << 20;
/// The most bytes of random data in one call.
pub(crate) const MAX_RANDOM: u64 = 64 << 10;

/// The counters of one instance.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: usize,
    peak: usize,
    tables: usize,
    tripped: Option<Fault>,
}

impl Memory {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Memory {
            limit: limit_bytes,
            used: 0,
            peak: 0,
            tables: 0,
            tripped: None,
        }
    }

    /// The most bytes held at once.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// The limit that was hit, if one was.
    pub(crate) fn tripped(&self) -> Option<&Fault> {
        self.tripped.as_ref()
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit {
            let message = format!("the skill asked for more than its {} MiB of memory", self.limit >> 20);
            self.tripped =
                Some(Fault::new(Code::LimitMemory, message).hint("raise `metadata.claw.limits.memory_mb` in its SKILL.md"));
            return Ok(false);
        }
        self.used = used;
        self.peak = self.peak.max(used);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let tables = self.tables.saturating_add(desired.saturating_sub(current));
        if tables > MAX_TABLE_ELEMENTS {
            let message = format!("the skill asked for tables of more than {MAX_TABLE_ELEMENTS} elements");
            self.tripped = Some(Fault::new(Code::LimitTable, message));
            return Ok(false);
        }
        self.tables = tables;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
    }
}
