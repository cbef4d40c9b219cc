//! Every registered corpus has a miniature release in `tests/miniature/<corpus>.txt` and a snapshot of the manifest and report
//! that its recipe makes from it, so that recipes are tested without the reference folder.
//!
//! The text contains files one after another: a line `-- path --`, then the content. An audio file's content is
//! `<sample rate> <channels> <samples of one channel>`; any other content is broken audio.

#[path = "miniature/release.rs"]
mod release;

use emobox_corpus::{PrepareOptions, Prepared, prepare_with, registry};
use release::{read_header, unpack};
use std::path::Path;

fn print(prepared: &Prepared) -> String {
    let lines = prepared
        .manifest
        .utterances
        .iter()
        .map(|u| serde_json::to_string(u).unwrap() + "\n");
    lines.collect::<String>() + "\n" + &prepared.report.to_string()
}

fn check(corpus: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/miniature/{corpus}.txt"));
    let archive =
        std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is wanted", path.display()));
    let folder = tempfile::tempdir().unwrap();
    unpack(&archive, folder.path());
    let prepare = |as_published| {
        let options = PrepareOptions {
            as_published,
            allow_missing: true,
            threads: Some(1),
            ..PrepareOptions::default()
        };
        let prepared = prepare_with(corpus, folder.path(), &options, &read_header);
        print(&prepared.unwrap_or_else(|error| panic!("{error}")))
    };
    let (ours, published) = (prepare(false), prepare(true));
    insta::assert_snapshot!(corpus, ours);
    if published != ours {
        insta::assert_snapshot!(format!("{corpus}-as-published"), published);
    }
}

#[test]
fn manifests_of_the_miniature_releases() {
    let names = registry().iter().map(|entry| entry.card.name);
    // Each corpus is checked even if an earlier one failed.
    let failed: Vec<&str> = names
        .filter(|name| std::panic::catch_unwind(|| check(name)).is_err())
        .collect();
    assert!(failed.is_empty(), "snapshots differ: {failed:?}");
}
