#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn component() -> Vec<u8> {
    wasm_encoder::Component::new().finish()
}

fn files(entries: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    entries
        .iter()
        .map(|(path, data)| ((*path).to_owned(), data.to_vec()))
        .collect()
}

#[test]
fn what_is_embedded_reads_back() {
    let large = vec![7u8; 200_000];
    let with = embed(
        &component(),
        &files(&[(SKILL_MD, b"---\nname: a\n---\n"), ("docs/ä.md", &large)]),
    )
    .unwrap();
    let outline = read(&with).unwrap();
    assert_eq!(outline.packaged.skill_md().as_ref(), b"---\nname: a\n---\n");
    assert_eq!(outline.packaged.files.get("docs/ä.md").unwrap().len(), large.len());
}

#[test]
fn embedding_again_replaces() {
    let once = embed(&component(), &files(&[(SKILL_MD, b"one"), ("old.md", &[1; 300])])).unwrap();
    let twice = embed(&once, &files(&[(SKILL_MD, b"two")])).unwrap();
    assert_eq!(twice, embed(&component(), &files(&[(SKILL_MD, b"two")])).unwrap());
}

#[test]
fn what_is_no_skill_is_refused_in_words() {
    let module = wasm_encoder::Module::new().finish();
    let cases: [(&[u8], PackageError); 4] = [
        (b"\x7fELF\x02\x01\x01", PackageError::Native),
        (&module, PackageError::CoreModule),
        (&component(), PackageError::NoManifest),
        (&[], PackageError::NotWasm("unexpected end-of-file (at offset 0x0)".into())),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(bytes).unwrap_err(), expected);
    }
    assert!(matches!(read(b"not wasm at all").unwrap_err(), PackageError::NotWasm(_)));
}

#[test]
fn paths_out_of_the_package_are_refused() {
    for path in ["", "/etc/passwd", "../up", "a/../b", "a//b", "a\\b", "a\0b", "."] {
        let result = embed(&component(), &files(&[(SKILL_MD, b"x"), (path, b"y")]));
        assert!(matches!(result, Err(PackageError::BadFile { .. })), "{path:?}");
    }
}

#[test]
fn a_cut_component_is_refused_at_every_length() {
    let whole = embed(&component(), &files(&[(SKILL_MD, b"---\nname: a\n---\n")])).unwrap();
    for length in 0..whole.len() {
        assert!(read(whole.get(..length).unwrap()).is_err(), "{length} bytes");
    }
}

#[test]
fn a_doubled_file_is_refused() {
    let once = embed(&component(), &files(&[(SKILL_MD, b"x")])).unwrap();
    let mut twice = once.clone();
    twice.extend_from_slice(once.get(8..).unwrap());
    assert!(matches!(
        read(&twice),
        Err(PackageError::BadFile {
            why: "is there twice",
            ..
        })
    ));
}
