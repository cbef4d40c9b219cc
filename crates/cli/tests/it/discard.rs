//! Features that are discarded: kept in memory from encoder to probes, with the same scores, and the state after a kill.

use crate::program::{Program, tone, tones, wav};
use std::path::{Path, PathBuf};

/// `bench` of a corpus with an encoder, in its own home.
fn bench<'a>(corpus: &'a str, home: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut call = vec!["bench", "--corpus", corpus, "--home", home, "--out", home];
    call.extend(more);
    call
}

fn scores(program: &Program, home: &str) -> String {
    std::fs::read_to_string(program.path(home).join("scores.json")).unwrap()
}

/// Makes writing features impossible: `frames` and `pooled` are broken links.
fn forbid_features(program: &Program, home: &str, cell: &str) {
    let store = program.path(home).join("features").join(cell);
    std::fs::create_dir_all(&store).unwrap();
    for folder in ["frames", "pooled"] {
        std::os::unix::fs::symlink("nowhere/at/all", store.join(folder)).unwrap();
    }
}

fn tiny(program: &Program) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden");
    std::fs::copy(
        golden.join("hubert-fairseq-base.pt"),
        program.path("tiny.pt"),
    )
    .unwrap();
}

/// On the CPU and on a device, with statistics for a layer curve, under several schemes: the scores equal those with kept
/// features, and no feature is written.
#[test]
fn discarded_features_never_touch_the_disk_and_score_the_same() {
    let program = Program::new();
    tones(&program, "corpus");
    tiny(&program);
    let usual = ["--encoder", "tiny=tiny.pt", "--head", "mean-linear"];
    let usual = [&usual[..], &["--training-seeds", "2", "--layer-curve"]].concat();
    for device in ["cpu", "host"] {
        let [kept, gone, refused] =
            ["kept", "gone", "refused"].map(|name| format!("{name}-{device}"));
        let with = |home: &str, more: &[&str]| {
            let call = [&usual[..], &["--device", device], more].concat();
            program.run(&bench("tones=corpus", home, &call))
        };
        assert_eq!(with(&kept, &[]).code, Some(0));
        forbid_features(&program, &gone, "tones/tiny+statistics");
        let precision = "tones/tiny+bf16+statistics";
        forbid_features(&program, &gone, precision);
        let ran = with(&gone, &["--features", "discard"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("in memory alone"), "{}", ran.stderr);
        assert_eq!(scores(&program, &gone), scores(&program, &kept), "{device}");
        // Any attempt to write features would fail.
        for cell in ["tones/tiny+statistics", precision] {
            forbid_features(&program, &refused, cell);
        }
        let kept = with(&refused, &[]);
        assert_ne!(kept.code, Some(0), "{}", kept.stderr);
        // A finished cell stays finished.
        let again = with(&gone, &["--features", "discard"]);
        assert_eq!(again.code, Some(0));
        assert!(!again.stderr.contains("encoding"), "{}", again.stderr);
    }
}

/// Twelve tones of four speakers, each of whom is a fold.
fn speakers(program: &Program) {
    for speaker in 0..4 {
        for (class, emotion) in ["angry", "happy", "sad"].iter().enumerate() {
            for take in 0..2 {
                let tone = tone(class, speaker + 4 * take, 0.5);
                let path = format!("corpus/s{speaker}/{emotion}/{take}.wav");
                program.write(&path, &wav(&tone));
            }
        }
    }
}

/// The outcomes of trained folds, by path, with the inode, which changes when a file is rewritten.
fn outcomes(home: &Path) -> Vec<(PathBuf, u64)> {
    use std::os::unix::fs::MetadataExt;
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let jobs = folders(&home.join("runs/corpus/fbank"));
    let folds = jobs.iter().flat_map(|job| folders(job));
    let outcomes = folds.map(|fold| fold.join("outcome.json"));
    let mut found: Vec<(PathBuf, u64)> = outcomes
        .filter_map(|path| Some((path.clone(), std::fs::metadata(path).ok()?.ino())))
        .collect();
    found.sort();
    found
}

/// Killed between folds: the features are extracted again, but finished folds are not trained again.
#[test]
fn a_killed_run_encodes_again_and_keeps_its_folds() {
    let program = Program::new();
    speakers(&program);
    let usual = [
        "--encoder",
        "fbank",
        "--training-seeds",
        "1",
        "--threads",
        "1",
    ];
    program.succeed(&bench("corpus=corpus", "kept", &usual));
    let discard = [&usual[..], &["--features", "discard"]].concat();
    let call = bench("corpus=corpus", "killed", &discard);
    let home = program.path("killed");
    Program::kill_once(&mut program.command(&call), || !outcomes(&home).is_empty());
    let before = outcomes(&home);
    assert!((1..4).contains(&before.len()), "{before:?}");
    let store = home.join("features/corpus/fbank");
    assert!(store.join("audio").exists() && !store.join("frames").exists());
    // Commands that keep features, or do not encode, do not treat the cell as encoded.
    let train = ["train", "--corpus", "corpus", "--home", "killed"];
    let train = [&train[..], &usual].concat();
    assert_ne!(program.run(&train).code, Some(0));
    let ran = program.succeed(&call);
    assert!(
        ran.stderr.contains("encoding corpus with fbank"),
        "{}",
        ran.stderr
    );
    assert!(!store.join("frames").exists());
    let after = outcomes(&home);
    assert_eq!(after.len(), 4);
    assert!(
        before.iter().all(|fold| after.contains(fold)),
        "{before:?} {after:?}"
    );
    assert_eq!(scores(&program, "killed"), scores(&program, "kept"));
}
