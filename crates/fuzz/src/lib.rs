//! What fuzzing does with one input of each reader of bytes that a stranger may have written.
//!
//! libFuzzer (`fuzz/`) and the test `drive`, which needs neither it nor a nightly compiler, call the same [`TARGETS`]. A target panics
//! where its reader does, or where an error has no message, or where something that opened cannot be read.

mod checkpoints;
mod corpora;
mod shared;

use std::path::PathBuf;

/// A reader of untrusted bytes.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What is done with an input.
    pub run: fn(&[u8]),
    /// Files, or folders of them, that inputs are changed from; paths are from this room's folder.
    pub seeds: &'static [&'static str],
}

const fn target(name: &'static str, run: fn(&[u8]), seeds: &'static [&'static str]) -> Target {
    Target { name, run, seeds }
}

const TABLES: &[&str] = &[
    "../corpus/tests/forms/audformat-csv/db.emotion.train.csv",
    "seeds/semicolons.csv",
    "seeds/commonvoice.tsv",
    "seeds/utf16.csv",
];
const CHECKPOINTS: &[&str] = &["../checkpoint/tests/golden"];
const SOUND: &[&str] = &[
    "../corpus/tests/forms/audformat-csv/wav/03_anger_0.wav",
    "../audio/tests",
];
const YAML: &[&str] = &["../corpus/tests/forms/audformat-csv/db.yaml"];

/// All of them.
pub const TARGETS: [Target; 18] = [
    target("archive", checkpoints::archive, CHECKPOINTS),
    target("legacy", checkpoints::legacy, CHECKPOINTS),
    target("pickle", checkpoints::pickle, &["seeds/data.pkl"]),
    target(
        "safetensors",
        checkpoints::safetensors,
        &["seeds/header.json"],
    ),
    target("index", checkpoints::index, &["seeds/index.json"]),
    target("audio", corpora::audio, SOUND),
    target("header", corpora::header, &["seeds", "../audio/tests"]),
    target("yaml", corpora::yaml, YAML),
    target("table", corpora::table, TABLES),
    target("listing", corpora::listing, TABLES),
    target("jsonl", corpora::jsonl, &["seeds/manifest.jsonl"]),
    target("kaldi", corpora::kaldi, &["seeds/segments"]),
    target("lhotse", corpora::lhotse, &["seeds/supervisions.jsonl"]),
    target("audformat", corpora::audformat, YAML),
    target(
        "parquet",
        corpora::parquet,
        &[
            "../corpus/tests/forms/parquet-inside/data/train-00000-of-00001.parquet",
            "../corpus/tests/forms/parquet-paths/all.parquet",
            "../corpus/tests/forms/audformat-parquet/db.emotion.train.parquet",
        ],
    ),
    target(
        "tar",
        corpora::tar,
        &["../corpus/tests/forms/webdataset/train-000000.tar"],
    ),
    target("download", shared::download, &["seeds/release"]),
    target("submission", shared::submission, &["seeds/submission.json"]),
];

/// Runs the target of this name on an input.
///
/// # Panics
/// If there is none, or as the target does.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target {name}")).run)(input);
}

/// This thread's own folder for readers of files; in memory where the system has such a place.
fn folder() -> PathBuf {
    use std::path::Path;
    thread_local! {
        static FOLDER: tempfile::TempDir = {
            let memory = Path::new("/dev/shm");
            let made = match memory.is_dir() {
                true => tempfile::tempdir_in(memory),
                false => tempfile::tempdir(),
            };
            made.expect("a folder for inputs")
        };
    }
    FOLDER.with(|folder| folder.path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::TARGETS;
    use std::path::Path;

    /// The files of `fuzz/` need libFuzzer to be compiled; they are one line each, and this is the line.
    #[test]
    fn libfuzzer_takes_the_same_targets() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let files = std::fs::read_dir(folder.join("fuzz_targets")).unwrap();
        assert_eq!(files.count(), TARGETS.len());
        for target in TARGETS {
            let name = target.name;
            let path = folder.join(format!("fuzz_targets/{name}.rs"));
            let line = format!(
                "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|input: &[u8]| emobox_fuzz::run(\"{name}\", input));\n"
            );
            assert_eq!(std::fs::read_to_string(path).unwrap(), line);
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        }
    }
}
