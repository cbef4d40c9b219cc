//! The same scores, byte for byte, after any circumstances: threads, kills, a second run.

use crate::program::{Program, tones, tones_of_three_shards};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A bench call on 18 tones with this home and output folder.
fn call<'a>(corpus: &'a str, home: &'a str, out: &'a str) -> Vec<&'a str> {
    vec![
        "bench",
        "--corpus",
        corpus,
        "--encoder",
        "fbank",
        "--home",
        home,
        "--out",
        out,
    ]
}

fn scores(program: &Program, out: &str) -> String {
    std::fs::read_to_string(program.path(out).join("scores.json")).unwrap()
}

#[test]
fn threads_kills_and_repetition_change_nothing() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let begun = Instant::now();
    program.succeed(&call(&corpus, "home", "out"));
    let whole = begun.elapsed();
    let first = scores(&program, "out");

    // Not even the manifest is written again.
    let written = || std::fs::metadata(program.path("home/corpora/tones/manifest.jsonl"));
    let manifest = written().unwrap().modified().unwrap();
    let again = program.succeed(&call(&corpus, "home", "out"));
    assert!(!again.stderr.contains("encoding") && !again.stderr.contains("training"));
    assert_eq!(scores(&program, "out"), first);
    assert_eq!(written().unwrap().modified().unwrap(), manifest);

    let mut single = call(&corpus, "single-home", "single");
    single.extend(["--threads", "1"]);
    program.succeed(&single);
    assert_eq!(scores(&program, "single"), first);

    // `Child::kill` is SIGKILL. The times cover reading, encoding and training.
    let mut hits = 0;
    for eighths in 0..8 {
        let mut command = program.command(&call(&corpus, "killed-home", "killed"));
        let wait = whole * (2 * eighths + 1) / 16;
        hits += u32::from(Program::kill_after(&mut command, wait));
    }
    assert!(hits >= 2, "only {hits} of 8 kills met a run at work");
    program.succeed(&call(&corpus, "killed-home", "killed"));
    assert_eq!(scores(&program, "killed"), first);
}

#[test]
fn a_second_run_in_the_same_home_waits_and_damages_nothing() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let first = program
        .command(&call(&corpus, "home", "a"))
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Until the first process works in the home.
    while !program.path("home/corpora").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let second = program.succeed(&call(&corpus, "home", "b"));
    let first = program.transcript(&first.wait_with_output().unwrap());
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(
        second.stderr.contains("another emobox run"),
        "{}",
        second.stderr
    );
    assert_eq!(scores(&program, "a"), scores(&program, "b"));
}

#[test]
fn shards_of_two_processes_merge_by_being_in_one_folder() {
    let program = Program::new();
    let folder = tones_of_three_shards(&program, "corpus");
    let corpus = format!("tones={}", folder.display());
    let extract = |home: &str, share: &str| {
        program.succeed(&[
            "extract",
            "--corpus",
            &corpus,
            "--encoder",
            "fbank",
            "--home",
            home,
            "--shard",
            share,
        ]);
    };
    let read = |home: &str| {
        let folder = program.path(home).join("features/tones/fbank/frames");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let bytes: Vec<Vec<u8>> = files
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        bytes
    };
    extract("parts", "2/2");
    assert_eq!(read("parts").len(), 1);
    extract("parts", "1/2");
    extract("whole", "1/1");
    assert_eq!(read("whole").len(), 3);
    assert_eq!(read("parts"), read("whole"));
}
