#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::grants::GrantBook;
use claw_core::ports::{SkillState, Skills as _};
use wasm_encoder::{ComponentExportKind, ComponentExportSection, ComponentInstanceSection};

use super::*;
use crate::compile::Compiler;
use crate::engine::{Engine, EngineSettings};

const PATIENCE: Duration = Duration::from_secs(30);

fn watcher(directory: &Path, program: &str, script: &str) -> Watcher {
    let engine = Engine::new(&EngineSettings {
        places: 1,
        pooling: false,
    });
    let compiler = Compiler::Child {
        program: PathBuf::from(program),
        arguments: vec!["-c".to_owned(), script.to_owned()],
    };
    let loader = Loader::new(&engine.unwrap(), compiler, None).unwrap();
    let catalog = Arc::new(Catalog::new(Arc::new(GrantBook::default())));
    let settings = WatchSettings {
        quiet: Duration::ZERO,
        ..WatchSettings::default()
    };
    Watcher::new(directory, catalog, loader, settings)
}

/// What passes every check up to the compiler.
fn skill() -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
    let mut exports = ComponentExportSection::new();
    exports.export("claw:skill/handler@0.1.0", ComponentExportKind::Instance, 0, None);
    component.section(&instances).section(&exports);
    let text = "---\nname: slow\ndescription: Compiles for ever.\nversion: 1.0.0\n---\n\n# Slow\n\nNothing.\n";
    let files = [("SKILL.md".to_owned(), text.as_bytes().to_vec())].into();
    crate::package::embed(&component.finish(), &files).unwrap()
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_takes_nothing_away() {
    let home = tempfile::tempdir().unwrap();
    let (directory, aside) = (home.path().join("skills"), home.path().join("aside"));
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("text.wasm"), "no skill").unwrap();
    let mut watcher = watcher(&directory, "/bin/sh", "exit 1");
    watcher.load_all().await;
    assert_eq!(watcher.catalog.list().len(), 1);

    std::fs::rename(&directory, &aside).unwrap();
    assert!(watcher.files().is_err());
    watcher.look().await;
    assert_eq!(watcher.catalog.list().len(), 1, "nothing is known of what lies there");

    std::fs::rename(&aside, &directory).unwrap();
    std::fs::remove_file(directory.join("text.wasm")).unwrap();
    watcher.look().await;
    assert_eq!(watcher.catalog.list().len(), 0);
}

#[test]
fn only_what_a_file_is_counts_against_it() {
    use rustix::io::Errno;
    let opened = |errno: Errno| unopened(&io::Error::from_raw_os_error(errno.raw_os_error()));
    for errno in [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::IO,
        Errno::ACCESS,
        Errno::STALE,
    ] {
        assert!(matches!(opened(errno), Unread::Failed(_)), "{errno:?}");
    }
    assert!(matches!(opened(Errno::LOOP), Unread::Refused(_)));
    assert!(matches!(opened(Errno::NXIO), Unread::Refused(_)));
    assert_eq!(opened(Errno::NOENT), Unread::Changed);
}

#[tokio::test]
async fn a_file_that_the_machine_failed_on_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("slow.wasm"), skill()).unwrap();
    let mut watcher = watcher(directory.path(), "/nowhere/claw", "");
    watcher.load_all().await;
    for _ in 0..2 {
        let seen = *watcher.seen.get("slow.wasm").unwrap();
        assert!(matches!(seen, Seen::Settling(_)), "{seen:?}");
        let listed = watcher.catalog.list();
        let reason = listed.first().and_then(|status| status.reason.as_deref()).unwrap();
        assert!(reason.contains("it is tried again"), "{reason}");
        watcher.look().await;
    }

    // A compiler that can be had and refuses it has the last word.
    let other = self::watcher(directory.path(), "/bin/sh", "echo 'error: no good' >&2; exit 1");
    watcher.loader = other.loader;
    watcher.look().await;
    assert!(matches!(watcher.seen.get("slow.wasm"), Some(Seen::Done(_))));
    let listed = watcher.catalog.list();
    let refused = listed.first().unwrap();
    assert_eq!(refused.state, SkillState::Refused);
    assert_eq!(refused.reason.as_deref(), Some("compiling failed: no good"));
}

#[tokio::test]
async fn a_component_that_compiles_for_ever_does_not_hold_up_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let started = directory.path().join("started");
    std::fs::write(directory.path().join("slow.wasm"), skill()).unwrap();
    let script = format!("echo > '{}'; exec sleep 600", started.display());
    let watcher = watcher(directory.path(), "/bin/sh", &script);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(watcher.run(stopped));
    let begun = async {
        while !started.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    stop.send(true).unwrap();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
}
