//! `files`: each call on a thread that may wait for the disk.

use claw_core::errors::Fault;
use wasmtime::Result;

use crate::bindings::claw::skill::{files, types};
use crate::context::Context;
use crate::files::{Files, Found, Kind, Mode};

type Answer<T> = Result<std::result::Result<T, types::Error>>;

impl Context {
    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Files) -> std::result::Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        self.count_call()?;
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        let result = done.unwrap_or_else(|_| Err(Fault::internal()));
        Ok(result.map_err(|fault| self.issue(fault)))
    }
}

impl files::Host for Context {
    async fn stat(&mut self, path: String) -> Answer<files::Entry> {
        self.on_disk(move |files| files.stat(&path).map(entry)).await
    }

    async fn read(&mut self, path: String) -> Answer<Vec<u8>> {
        self.on_disk(move |files| files.read(&path)).await
    }

    async fn read_range(&mut self, path: String, offset: u64, length: u32) -> Answer<Vec<u8>> {
        self.on_disk(move |files| files.read_range(&path, offset, length)).await
    }

    async fn list(&mut self, path: String) -> Answer<Vec<files::Entry>> {
        self.on_disk(move |files| Ok(files.list(&path)?.into_iter().map(entry).collect()))
            .await
    }

    async fn write(&mut self, path: String, data: Vec<u8>, mode: files::WriteMode) -> Answer<()> {
        let mode = match mode {
            files::WriteMode::Create => Mode::Create,
            files::WriteMode::Replace => Mode::Replace,
            files::WriteMode::Append => Mode::Append,
        };
        self.run.journal.mark_acted();
        self.on_disk(move |files| files.write(&path, &data, mode)).await
    }

    async fn make_directory(&mut self, path: String) -> Answer<()> {
        self.run.journal.mark_acted();
        self.on_disk(move |files| files.make_directory(&path)).await
    }
}

fn entry(found: Found) -> files::Entry {
    let kind = match found.kind {
        Kind::File => files::Kind::File,
        Kind::Directory => files::Kind::Directory,
        Kind::Other => files::Kind::Other,
    };
    files::Entry {
        name: found.name,
        kind,
        size: found.size,
    }
}
