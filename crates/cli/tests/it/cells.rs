//! Cells that fail, temporary failures, audio that changes, features that are deleted.

use crate::program::{Program, float_wav, tone, tones, tones_lasting, wav};
use serde_json::Value;
use std::path::Path;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn scores(program: &Program) -> Value {
    json(&program.path("out/scores.json"))
}

/// The reasons of the empty cells, as `corpus/encoder stage reason`.
fn absent(program: &Program) -> Vec<String> {
    let scores = scores(program);
    let cells = scores["absent"].as_array().cloned().unwrap_or_default();
    let text = |cell: &Value, field: &str| cell[field].as_str().unwrap().to_owned();
    cells
        .iter()
        .map(|cell| {
            let [corpus, encoder] = ["corpus", "encoder"].map(|field| text(cell, field));
            format!(
                "{corpus}/{encoder} {} {}",
                text(cell, "stage"),
                text(cell, "reason")
            )
        })
        .collect()
}

/// `bench` on corpora of tones with `fbank`, with as few epochs as the protocol allows.
fn bench<'a>(corpora: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut call = vec![
        "bench",
        "--encoder",
        "fbank",
        "--head",
        "mean-linear",
        "--out",
        "out",
    ];
    for corpus in corpora {
        call.extend(["--corpus", *corpus]);
    }
    call.extend(more);
    call
}

#[test]
fn a_cell_that_cannot_be_done_is_empty_with_its_reason_and_the_others_go_on() {
    let program = Program::new();
    tones(&program, "tones");
    let call = bench(
        &["tones=tones", "gone=nowhere"],
        &["--encoder", "none=nothing"],
    );
    let ran = program.run(&call);
    ran.fails_with(
        3,
        &[
            "the raw folder of gone is not there",
            "tones with fbank: UA",
        ],
    );
    assert_eq!(scores(&program)["runs"][0]["corpus"], "tones");
    let cells = absent(&program);
    assert_eq!(cells.len(), 3, "{cells:#?}");
    assert!(
        cells
            .iter()
            .any(|cell| cell.starts_with("tones/none extract encoder none: "))
    );
    assert_eq!(
        cells
            .iter()
            .filter(|cell| cell.starts_with("gone/"))
            .count(),
        2
    );
    // Every format gives the reason.
    for form in ["--csv", "--markdown", "--latex", "--html"] {
        let report = program.succeed(&["report", "out", form]).stdout;
        assert!(
            report.contains("the raw folder of gone is not there"),
            "{form}"
        );
    }
    let status = program.succeed(&["status", "out"]).stdout;
    assert!(
        status.contains("failed in prepare: the raw folder of gone"),
        "{status}"
    );

    // Left out on request: reported, and not a failure.
    let ran = program.run(&bench(&["tones=tones", "gone=nowhere"], &["--skip-absent"]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the corpus is left out"),
        "{}",
        ran.stderr
    );

    // After a fix of the cause, the same call does the rest, and repeats nothing.
    tones(&program, "nowhere");
    let ran = program.succeed(&bench(&["tones=tones", "gone=nowhere"], &[]));
    assert!(
        !ran.stderr.contains("of tones with fbank"),
        "{}",
        ran.stderr
    );
    assert!(absent(&program).is_empty());
}

/// A speaker of whom nothing can be encoded leaves a fold without test utterances: no score, rather than one of the other folds.
#[test]
fn a_fold_with_an_empty_part_leaves_its_cell_without_a_score() {
    let program = Program::new();
    for speaker in 0..5 {
        for (class, emotion) in ["angry", "happy", "sad"].iter().enumerate() {
            let seconds = if speaker == 2 { 0.006 } else { 0.5 };
            let path = format!("short/s{speaker}/{emotion}/0.wav");
            program.write(&path, &wav(&tone(class, speaker, seconds)));
        }
    }
    program.checkpoint("hubert-fairseq-base.pt", "tiny.pt");
    let options = ["--encoder", "tiny=tiny.pt", "--scheme", "speaker"];
    let ran = program.run(&bench(&["short=short"], &options));
    ran.fails_with(
        3,
        &["short with fbank: UA", "short with tiny: empty, train"],
    );
    let cells = absent(&program);
    assert_eq!(cells.len(), 1, "{cells:?}");
    let part =
        "of short with tiny has no test utterance; left out: 3 no features could be extracted";
    assert!(cells[0].contains(part), "{cells:?}");
    let runs = scores(&program)["runs"].as_array().unwrap().clone();
    assert!(runs.iter().all(|run| run["encoder"] == "fbank"));
}

/// The inputs that the scores rest on, and the amount behind the speed that later plans are estimated from.
#[test]
fn a_run_names_its_inputs_and_what_it_encoded() {
    let program = Program::new();
    tones_lasting(&program, "tones", |_| 1.5);
    program.succeed(&bench(&["tones=tones"], &[]));
    let scores = scores(&program);
    let config = "layer 0, utterance norm, f32, mean-linear";
    assert_eq!(scores["runs"][0]["config"], config);
    let sources = scores["provenance"]["sources"].clone();
    let sources = sources.as_array().unwrap().iter().map(|source| {
        let digest = source["digest"].as_str().unwrap();
        assert_eq!(digest.len(), 64, "{source}");
        [&source["kind"], &source["name"]].map(|field| field.as_str().unwrap())
    });
    let expected = [
        ["manifest", "tones"],
        ["partition", "tones/paper"],
        ["checkpoint", "fbank"],
        ["store", "tones/fbank"],
        ["audio", "tones/fbank"],
        ["protocol", "strict"],
    ];
    assert_eq!(sources.collect::<Vec<_>>(), expected);
    let speed = json(&program.path("home/speeds/fbank+cpu+f32.json"));
    assert_eq!(speed["utterances"], 18.0);
    assert_eq!(speed["audio_seconds"], 27.0);
}

#[test]
fn everything_is_looked_at_before_anything_is_encoded() {
    let program = Program::new();
    tones(&program, "tones");
    tones(&program, "other");
    let call = bench(
        &["tones=tones", "other=other", "gone=nowhere"],
        &[
            "--encoder",
            "none=nothing",
            "--check",
            "--scheme",
            "published",
        ],
    );
    let ran = program.run(&call);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    for found in [
        "tones: ",
        "other: ",
        "gone: the raw folder",
        "none: encoder none",
        "4 findings",
        "GB at once",
    ] {
        assert!(
            ran.stdout.contains(found),
            "{found} is not in {}",
            ran.stdout
        );
    }
    assert!(!program.path("home/features").exists());
    let ran = program.succeed(&bench(&["tones=tones"], &["--check"]));
    assert!(ran.stdout.contains("nothing is missing"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_read_now_is_read_when_it_can() {
    let program = Program::new();
    let folder = tones(&program, "tones");
    program.succeed(&["prepare", "tones", "--raw", "tones"]);
    // A disk that is temporarily not mounted: the corpus is prepared, but some of its files are missing.
    let away = program.path("away");
    std::fs::rename(folder.join("happy"), &away).unwrap();
    program.run(&bench(&["tones"], &[])).fails_with(
        1,
        &[
            "6 of 18 utterances of tones cannot be read now",
            "happy/0.wav",
        ],
    );
    std::fs::rename(&away, folder.join("happy")).unwrap();
    program.succeed(&bench(&["tones"], &[]));
    let runs = scores(&program);
    let pooled = runs["runs"].as_array().unwrap().iter();
    let mut pooled = pooled.filter(|run| run["fold"] == "mean");
    let classes = pooled.next().unwrap()["classes"].as_array().unwrap().len();
    assert_eq!(classes, 3);
    let store = program.path("home/features/tones/fbank/audio");
    let ledger = std::fs::read_dir(store).unwrap().next().unwrap().unwrap();
    assert_eq!(json(&ledger.path())["items"].as_array().unwrap().len(), 18);
}

#[test]
fn a_missing_helper_program_is_missed_until_it_is_there() {
    let program = Program::new();
    tones_lasting(&program, "clips", |_| 0.5);
    // Files that only ffmpeg reads; a stand-in for it shows that it is tried again.
    let real = std::process::Command::new("ffmpeg")
        .arg("-version")
        .output();
    if real.is_err() {
        skipped("ffmpeg");
        return;
    }
    for entry in walk(&program.path("clips")) {
        let video = entry.with_extension("webm");
        let made = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-i"])
            .args([&entry, &video])
            .status();
        assert!(made.unwrap().success());
        std::fs::remove_file(entry).unwrap();
    }
    let call = bench(&["clips=clips"], &[]);
    let without = |call: &[&str]| {
        let mut command = program.command(call);
        command.env("EMOBOX_FFMPEG", "/nonexistent/ffmpeg");
        program.transcript(&command.output().unwrap())
    };
    without(&call).fails_with(
        1,
        &[
            "18 of 18 utterances of clips cannot be read now",
            "needs the program",
        ],
    );
    let with = program.succeed(&call);
    assert!(with.stdout.contains("clips"), "{}", with.stdout);
    // The features exist, so the program is not needed.
    let again = without(&call);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_no_fact_about_it() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let program = Program::new();
    let folder = tones(&program, "tones");
    mode(&program.path(""), 0o777);
    // Root may read everything, so the program then runs as another user, from a folder that everybody can reach.
    let copy = program.path("emobox");
    std::fs::copy(env!("CARGO_BIN_EXE_emobox"), &copy).unwrap();
    mode(&copy, 0o755);
    let locked = folder.join("sad/2.wav");
    let is_root = || {
        mode(&locked, 0o000);
        let is_root = std::fs::read(&locked).is_ok();
        mode(&locked, 0o644);
        is_root
    };
    let is_root = is_root();
    let run = |call: &[&str]| {
        let given = program.command(call);
        let mut command = match is_root {
            true => {
                let mut command = std::process::Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
                command.arg(&copy);
                command
            }
            false => std::process::Command::new(&copy),
        };
        command.args(given.get_args()).current_dir(program.path(""));
        command.envs(
            given
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        program.transcript(&command.output().unwrap())
    };
    if is_root
        && std::process::Command::new("setpriv")
            .arg("--version")
            .output()
            .is_err()
    {
        skipped("setpriv");
        return;
    }
    let call = bench(&["tones=tones"], &[]);
    // During preparation: the cell stays empty, and the next start tries again.
    mode(&locked, 0o000);
    let unread = "1 audio files of tones cannot be read now, the first is sad/2.wav";
    run(&call).fails_with(1, &[unread, "ermission denied"]);
    run(&call).fails_with(1, &[unread]);
    mode(&locked, 0o644);
    let whole = run(&call);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let items_of = |scores: &Value, encoder: &str| -> u64 {
        let runs = scores["runs"].as_array().unwrap().iter();
        let folds = runs.filter(|run| run["encoder"] == encoder && run["fold"] != "mean");
        folds.map(|run| run["n"].as_u64().unwrap()).sum()
    };
    let fbank = items_of(&scores(&program), "fbank");
    assert!(fbank > 0);
    // After preparation: finished cells stay; another encoder's cell is empty until the file can be read.
    program.checkpoint("whisper-80.pt", "tiny.pt");
    let both = bench(&["tones=tones"], &["--encoder", "tiny=tiny.pt"]);
    mode(&locked, 0o000);
    run(&both).fails_with(3, &["of tones cannot be read now", "sad/2.wav"]);
    assert_eq!(absent(&program).len(), 1);
    mode(&locked, 0o644);
    let whole = run(&both);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    assert!(absent(&program).is_empty());
    assert_eq!(items_of(&scores(&program), "tiny"), fbank);
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skipped(program: &str) {
    eprintln!("skipped: {program} is not on this machine");
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn replaced_audio_is_encoded_again_and_touched_audio_is_not() {
    let program = Program::new();
    let folder = tones(&program, "tones");
    let call = bench(&["tones=tones"], &[]);
    program.succeed(&call);
    let before = std::fs::read(program.path("out/scores.json")).unwrap();
    // The same contents, written again.
    let path = folder.join("happy/0.wav");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let touched = program.succeed(&call);
    assert!(!touched.stderr.contains("encoding"), "{}", touched.stderr);
    assert_eq!(
        std::fs::read(program.path("out/scores.json")).unwrap(),
        before
    );
    // Other audio of the same length.
    std::fs::write(&path, wav(&tone(2, 3, 0.4))).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes.len() as u64);
    let replaced = program.succeed(&call);
    assert!(
        replaced.stderr.contains("are made again"),
        "{}",
        replaced.stderr
    );
    assert!(replaced.stderr.contains("training"), "{}", replaced.stderr);
    assert_ne!(
        std::fs::read(program.path("out/scores.json")).unwrap(),
        before
    );
}

#[test]
fn discarded_features_leave_a_finished_cell_finished() {
    let program = Program::new();
    let folder = tones(&program, "tones");
    let call = bench(&["tones=tones"], &["--features", "discard"]);
    program.succeed(&call);
    let scores = std::fs::read(program.path("out/scores.json")).unwrap();
    let store = program.path("home/features/tones/fbank");
    assert!(store.join("audio").exists() && !store.join("frames").exists());
    let again = program.succeed(&call);
    assert!(!again.stderr.contains("encoding"), "{}", again.stderr);
    // Touched files and another experiment with the same cell: the ledger shows that nothing changed.
    let path = folder.join("sad/1.wav");
    std::fs::write(&path, std::fs::read(&path).unwrap()).unwrap();
    let touched = program.succeed(&call);
    assert!(!touched.stderr.contains("encoding"), "{}", touched.stderr);
    // Even without the raw audio.
    std::fs::rename(&folder, program.path("elsewhere")).unwrap();
    let bare = program.succeed(&call);
    assert!(!bare.stderr.contains("encoding"), "{}", bare.stderr);
    assert_eq!(
        std::fs::read(program.path("out/scores.json")).unwrap(),
        scores
    );
}

#[test]
fn another_encoder_computes_its_own_column_and_clean_takes_what_is_trained() {
    let program = Program::new();
    tones(&program, "tones");
    program.succeed(&bench(&["tones=tones"], &[]));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../encoder/tests/golden/whisper-80.pt")
        .display()
        .to_string();
    let encoder = format!("tiny={golden}");
    let both = bench(&["tones=tones"], &["--encoder", &encoder]);
    let ran = program.succeed(&both);
    assert!(
        ran.stderr.contains("encoding tones with tiny"),
        "{}",
        ran.stderr
    );
    assert!(
        !ran.stderr.contains("encoding tones with fbank"),
        "{}",
        ran.stderr
    );
    let listed = program.succeed(&["clean"]);
    assert!(
        listed.stdout.contains("its folds are trained"),
        "{}",
        listed.stdout
    );
    assert!(program.path("home/features/tones/fbank/frames").exists());
    program.succeed(&["clean", "--yes"]);
    assert!(!program.path("home/features/tones/fbank/frames").exists());
    let again = program.succeed(&both);
    assert!(!again.stderr.contains("encoding"), "{}", again.stderr);
    let usage = program.succeed(&["du"]).stdout;
    assert!(usage.contains("runs/tones/fbank") && usage.contains("free on the disk"));
}

#[test]
fn a_test_part_that_cannot_be_decoded_is_told_before_the_training() {
    let program = Program::new();
    tones(&program, "tones");
    let mut table = String::from("path,label,split\n");
    for (class, emotion) in ["angry", "happy", "sad"].iter().enumerate() {
        for at in 0..6 {
            let split = if at < 4 { "train" } else { "test" };
            let name = format!("{emotion}{at}.wav");
            table += &format!("{name},{emotion},{split}\n");
            // The headers of the test part are valid, its samples are not.
            let samples: Vec<f32> = tone(class, at, 0.4)
                .iter()
                .map(|&s| match split {
                    "train" => f32::from(s) / 32768.0,
                    _ => f32::NAN,
                })
                .collect();
            program.write(&format!("broken/{name}"), &float_wav(&samples));
        }
    }
    program.write("broken/labels.csv", table.as_bytes());
    let ran = program.run(&bench(&["broken=broken", "tones=tones"], &[]));
    ran.fails_with(
        3,
        &[
            "fold 1 of broken with fbank has no test utterance",
            "6 no features",
        ],
    );
    let cells = absent(&program);
    assert_eq!(cells.len(), 1, "{cells:#?}");
    assert!(cells[0].starts_with("broken/fbank train "), "{cells:#?}");
}

/// The published recipe skips clips of more than 30 s, in training and in test; ours uses them.
#[test]
fn the_paper_s_protocol_leaves_long_clips_out() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    for (name, seconds) in [("just", 30.0), ("long", 30.5)] {
        program.write(
            &format!("corpus/sad/{name}.wav"),
            &wav(&tone(2, 1, seconds)),
        );
    }
    let left_out = |protocol: &str| {
        let out = program.run(&bench(&[&corpus], &["--protocol", protocol]));
        let text = scores(&program)["runs"].to_string();
        let known = "{\"reason\":\"longer than the protocol's limit\",\"count\":1}";
        (out.code, text.contains(known))
    };
    assert_eq!(left_out("paper"), (Some(3), true));
    assert_eq!(left_out("strict"), (Some(0), false));
}
