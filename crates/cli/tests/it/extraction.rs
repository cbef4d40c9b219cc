//! Extraction under bad conditions: kills, a full disk, concurrent runs, little memory.

use crate::program::{Program, tones, tones_of_three_shards};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Instant;

fn extract<'a>(corpus: &'a str, home: &'a str) -> Vec<&'a str> {
    vec![
        "extract",
        "--corpus",
        corpus,
        "--encoder",
        "fbank",
        "--home",
        home,
    ]
}

/// Every file below the features of `home`, by its path.
pub(crate) fn store(program: &Program, home: &str) -> BTreeMap<String, Vec<u8>> {
    let root = program.path(home).join("features");
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Compares the whole folder, so temporary files and claims left by a kill would be noticed.
#[test]
fn twenty_kills_leave_the_store_of_an_undisturbed_run() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let begun = Instant::now();
    program.succeed(&extract(&corpus, "home"));
    let whole = begun.elapsed();
    let mut hits = 0;
    for kill in 0..20u32 {
        let mut command = program.command(&extract(&corpus, "killed"));
        // Times spread evenly over the whole run (steps by the golden ratio).
        match Program::kill_after(&mut command, whole * (kill * 61 % 97) / 97) {
            true => hits += 1,
            // A finished run leaves nothing for the next kill to interrupt, so the store is deleted.
            false => std::fs::remove_dir_all(program.path("killed/features")).unwrap(),
        }
    }
    assert!(hits >= 5, "only {hits} of 20 kills met a run at work");
    // Kills at every place where a file is written, independent of the machine's load.
    for place in ["", "/frames", "/audio"] {
        let name = format!("killed/features/tones/fbank{place}/.emobox-torn.tmp");
        program.write(&name, b"half");
    }
    program.succeed(&extract(&corpus, "killed"));
    let (whole, resumed) = (store(&program, "home"), store(&program, "killed"));
    assert_eq!(
        whole.keys().collect::<Vec<_>>(),
        resumed.keys().collect::<Vec<_>>()
    );
    assert!(whole == resumed, "a file differs");
}

#[test]
fn two_processes_on_one_store_share_the_work() {
    let program = Program::new();
    let folder = tones_of_three_shards(&program, "corpus");
    let corpus = format!("tones={}", folder.display());
    program.succeed(&extract(&corpus, "home"));
    let prepare = ["prepare", "tones", "--raw", &corpus[6..], "--home", "both"];
    program.succeed(&prepare);
    let mut call = extract(&corpus, "both");
    call.push("--json");
    let other = program
        .command(&call)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let first = program.succeed(&call);
    let second = program.transcript(&other.wait_with_output().unwrap());
    let encoded = |stdout: &str| {
        let done: serde_json::Value = serde_json::from_str(stdout).unwrap();
        done[0]["encoded"].as_u64().unwrap()
    };
    // The process that claims a shard encodes all of it, the other none of it.
    assert_eq!(encoded(&first.stdout) + encoded(&second.stdout), 148);
    assert!(store(&program, "home") == store(&program, "both"));
}

#[test]
fn a_budget_below_an_utterance_is_told_and_changes_nothing() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    program.write(
        "corpus/sad/long.wav",
        &crate::program::wav(&crate::program::tone(2, 1, 20.0)),
    );
    program.succeed(&extract(&corpus, "home"));
    let mut call = extract(&corpus, "small");
    call.extend(["--memory", "1M"]);
    let run = program.succeed(&call);
    assert!(run.stderr.contains("encoded alone"), "{}", run.stderr);
    assert!(store(&program, "home") == store(&program, "small"));
    call.pop();
    call.push("much");
    program.run(&call).fails_with(2, &["memory", "512M"]);
}

#[test]
fn bench_tells_speed_and_operations() {
    let program = Program::new();
    let call = [
        "encoders",
        "bench",
        "fbank",
        "--seconds",
        "1",
        "--rounds",
        "2",
        "--timings",
    ];
    let text = program.succeed(&call).stdout;
    for part in ["real-time factor", "no products", "operation"] {
        assert!(text.contains(part), "{text}");
    }
}
