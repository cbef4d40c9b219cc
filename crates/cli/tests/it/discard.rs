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

/// On the CPU and on a device, with statistics for a layer curve, under several schemes: the scores equal those with kept
/// features, and no feature is written.
#[test]
fn discarded_features_never_touch_the_disk_and_score_the_same() {
    let program = Program::new();
    tones(&program, "corpus");
    program.checkpoint("hubert-fairseq-base.pt", "tiny.pt");
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

/// Six tones of each of four speakers, each of whom is a fold.
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
    let folds = jobs(home).into_iter().flat_map(|job| entries(&job));
    with_inodes(folds.map(|fold| fold.join("outcome.json")))
}

/// The maps of each scheme, in the same way.
fn maps(home: &Path) -> Vec<(PathBuf, u64)> {
    with_inodes(jobs(home).iter().map(|job| job.join("maps-pca.json")))
}

/// The folders of what is trained under each scheme.
fn jobs(home: &Path) -> Vec<PathBuf> {
    entries(&home.join("runs/corpus/fbank"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn with_inodes(paths: impl Iterator<Item = PathBuf>) -> Vec<(PathBuf, u64)> {
    use std::os::unix::fs::MetadataExt;
    let mut found: Vec<(PathBuf, u64)> = paths
        .filter_map(|path| Some((path.clone(), std::fs::metadata(path).ok()?.ino())))
        .collect();
    found.sort();
    found
}

const TWO_SCHEMES: [&str; 8] = [
    "--encoder",
    "fbank",
    "--head",
    "mean-linear",
    "--training-seeds",
    "1",
    "--scheme",
    "paper,speaker",
];

/// One encoding serves all schemes; features that an earlier command kept are deleted too.
#[test]
fn features_stay_until_every_scheme_is_trained() {
    let program = Program::new();
    speakers(&program);
    program.succeed(&bench("corpus=corpus", "kept", &TWO_SCHEMES));
    let discard = [&TWO_SCHEMES[..], &["--features", "discard"]].concat();
    let ran = program.succeed(&bench("corpus=corpus", "gone", &discard));
    let encoded = ran.stderr.matches("in memory alone").count();
    assert_eq!(encoded, 1, "{}", ran.stderr);
    assert_eq!(outcomes(&program.path("gone")).len(), 8);
    assert_eq!(scores(&program, "gone"), scores(&program, "kept"));

    program.succeed(&["prepare", "corpus", "--raw", "corpus", "--home", "before"]);
    let extract = ["extract", "--corpus", "corpus", "--encoder", "fbank"];
    program.succeed(&[&extract[..], &["--home", "before"]].concat());
    let store = program.path("before/features/corpus/fbank");
    assert!(store.join("frames").exists());
    let without_maps = [&discard[..], &["--maps", "none"]].concat();
    program.succeed(&bench("corpus", "before", &without_maps));
    assert!(store.join("audio").exists() && !store.join("frames").exists());
    for job in jobs(&program.path("before")) {
        let files = entries(&job);
        let mut names = files.iter().map(|path| path.to_string_lossy());
        assert!(names.all(|name| !name.contains("maps")), "{files:?}");
    }
    assert_eq!(scores(&program, "before"), scores(&program, "kept"));
}

/// The features are made again for it; neither the other folds nor the maps are. Lost maps are drawn again.
#[test]
fn what_is_lost_alone_is_made_again() {
    let program = Program::new();
    speakers(&program);
    let discard = [&TWO_SCHEMES[..], &["--features", "discard"]].concat();
    let call = bench("corpus=corpus", "home", &discard);
    program.succeed(&call);
    let home = program.path("home");
    let (first, folds, drawn) = (scores(&program, "home"), outcomes(&home), maps(&home));
    assert_eq!((folds.len(), drawn.len()), (8, 2));
    for lost in [&folds[1].0, &folds[6].0] {
        std::fs::remove_file(lost).unwrap();
    }
    let ran = program.succeed(&call);
    assert!(ran.stderr.contains("in memory alone"), "{}", ran.stderr);
    let after = outcomes(&home);
    let kept = folds.iter().filter(|fold| after.contains(fold)).count();
    assert_eq!((after.len(), kept), (8, 6));
    assert_eq!(maps(&home), drawn);
    assert_eq!(scores(&program, "home"), first);

    std::fs::remove_file(&drawn[0].0).unwrap();
    program.succeed(&call);
    assert_eq!(outcomes(&home), after);
    let maps = maps(&home);
    assert_eq!(maps.len(), 2);
    assert_eq!((&maps[0].0, &maps[1]), (&drawn[0].0, &drawn[1]));
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

/// Perturbed audio is encoded once for all schemes, without the statistics of a layer curve, and its features go with the last.
#[test]
fn perturbed_features_go_when_every_scheme_is_scored() {
    let program = Program::new();
    speakers(&program);
    let noisy = ["--perturb", "noise:10dB", "--layer-curve"];
    let call = [&TWO_SCHEMES[..], &noisy].concat();
    let kept = program.succeed(&bench("corpus=corpus", "kept", &call));
    let discard = [&call[..], &["--features", "discard"]].concat();
    let gone = program.succeed(&bench("corpus=corpus", "gone", &discard));
    for ran in [&kept, &gone] {
        for told in ["utterances encoded now", "24 of 24 utterances encoded now"] {
            let count = ran.stderr.matches(told).count();
            assert_eq!(count, 2, "clean and noisy: {}", ran.stderr);
        }
    }
    assert_eq!(scores(&program, "gone"), scores(&program, "kept"));
    let rows = program.json("gone/scores.json")["perturbed"].clone();
    let partition = |at: usize| rows[at]["comparison"]["partition"].clone();
    assert_eq!(
        (partition(0), partition(1)),
        ("paper".into(), "speaker".into())
    );
    for (home, are_kept) in [("kept", true), ("gone", false)] {
        let stores = entries(&program.path(home).join("features/corpus"));
        let noisy = stores
            .iter()
            .find(|s| s.to_string_lossy().contains("noise"));
        let noisy = noisy.unwrap();
        assert!(noisy.join("audio").exists());
        assert_eq!(noisy.join("frames").exists(), are_kept, "{home}");
        assert!(!noisy.join("pooled").exists());
    }
}
