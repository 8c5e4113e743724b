//! How fast SKILL.md files load: `cargo bench -p claw-core --bench manifest -- [DIR]`.
//! Without a folder it loads the cases of this crate.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claw_core::manifest::{self, Origin, check};

const ROUNDS: usize = 20;

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = folder.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/skill-md"),
        PathBuf::from,
    );
    let mut times: Vec<(Duration, PathBuf)> = Vec::new();
    let mut loads = 0;
    for file in check::find(&folder) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let origin = Origin::of(&file);
        let mut best = Duration::MAX;
        let mut loaded = false;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            loaded = manifest::load(&bytes, &origin).manifest.is_some();
            best = best.min(start.elapsed());
        }
        loads += usize::from(loaded);
        times.push((best, file));
    }
    times.sort();
    println!("folder   {}", folder.display());
    println!("files    {}", times.len());
    println!("loads    {loads}");
    if let (Some((median, _)), Some((slowest, file))) = (times.get(times.len() / 2), times.last()) {
        println!("median   {} µs", median.as_micros());
        println!("slowest  {} µs  {}", slowest.as_micros(), file.display());
    }
}
