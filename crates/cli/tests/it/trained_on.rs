//! Probes trained on the host's device: the kernels of the GPU, on this machine's CPU, through the whole program.

use crate::program::{Program, tones};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// `bench` of the tones with spectra and the smallest head into its own output folder; returns its notes.
fn bench(program: &Program, out: &str, more: &[&str]) -> String {
    let mut call = vec!["bench", "--corpus", "tones=corpus", "--encoder", "fbank"];
    call.extend(["--home", "home", "--out", out, "--maps", "none"]);
    call.extend(["--training-seeds", "2", "--head", "mean-linear"]);
    call.extend(more);
    program.succeed(&call).stderr
}

/// Folders of trainings below the home, with the device in `job.json`.
fn jobs(program: &Program) -> Vec<Option<String>> {
    let runs = std::fs::read_dir(program.path("home/runs/tones/fbank")).unwrap();
    let jobs = runs.flatten().map(|run| {
        let path = run.path().join("job.json");
        let job: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        job["trained_on"].as_str().map(str::to_owned)
    });
    let mut jobs: Vec<_> = jobs.collect();
    jobs.sort();
    jobs
}

/// Scores equal the CPU's; results are stored apart from its, name their device, and are reused.
#[test]
fn probes_of_a_device_score_as_the_processor_s_and_are_kept_apart() {
    let program = Program::new();
    tones(&program, "corpus");
    bench(&program, "cpu", &[]);
    bench(&program, "device", &["--train-device", "host"]);
    let notes = bench(&program, "two", &["--train-device", "host,host"]);
    assert_eq!(jobs(&program), [None, Some("host".to_owned())], "{notes}");
    let scores = |out: &str| program.json(&format!("{out}/scores.json"));
    let (cpu, device) = (scores("cpu"), scores("device"));
    assert_eq!(scores("two"), device);
    let (cpu, device) = (
        cpu["runs"].as_array().unwrap(),
        device["runs"].as_array().unwrap(),
    );
    assert!(!cpu.is_empty() && cpu.len() == device.len());
    for (cpu, device) in cpu.iter().zip(device) {
        let config = |run: &Value| run["config"].as_str().unwrap().to_owned();
        assert_eq!(config(device), format!("{}, trained on host", config(cpu)));
        let ua = |run: &Value| run["ua"].as_f64().unwrap();
        assert!((ua(cpu) - ua(device)).abs() < 0.02, "{cpu}\n{device}");
    }
}

/// What a device cannot train is trained on the CPU, and reported.
#[test]
fn what_a_device_does_not_train_is_told() {
    let program = Program::new();
    tones(&program, "corpus");
    let more = ["--train-device", "host", "--store-precision", "f32"];
    let notes = bench(&program, "wide", &more);
    assert!(
        notes.contains("trained on the processor: a GPU trains on features that are stored in f16"),
        "{notes}"
    );
    assert_eq!(jobs(&program), [None]);
}

/// Every file of a home's trainings by its path there, except the records of cells, which contain the home, and files that a
/// killed process was writing.
fn trained(program: &Program, home: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let runs = program.path(home).join("runs");
    let mut folders = vec![runs.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(&runs).unwrap().to_owned();
                    let text = path.file_name().unwrap().to_string_lossy();
                    if !text.starts_with("cell-") && !text.starts_with(".emobox-") {
                        files.push((name, std::fs::read(path).unwrap()));
                    }
                }
            }
        }
    }
    files.sort();
    files
}

/// Where the state of the only training below `home` is saved.
fn state_path(home: &Path) -> Option<PathBuf> {
    let mut jobs = std::fs::read_dir(home.join("runs/tones/fbank")).ok()?;
    Some(jobs.next()?.ok()?.path().join("fold1/state.safetensors"))
}

/// The epoch of the state saved for a training below `home`, if there is one.
fn saved_epoch(home: &Path) -> Option<usize> {
    let state = std::fs::read(state_path(home)?).ok()?;
    let text = String::from_utf8_lossy(&state);
    let (_, rest) = text.split_once(r#"\"epoch\":"#)?;
    rest.split_once(',')?.0.parse().ok()
}

/// `bench` of the tones with the paper's head into a home and an output folder with this name.
fn paper<'a>(device: &'a str, home: &'a str) -> Vec<&'a str> {
    let call = ["bench", "--corpus", "tones=corpus", "--encoder", "fbank"];
    let how = [
        "--epochs",
        "8",
        "--training-seeds",
        "1",
        "--train-device",
        device,
    ];
    [&call[..], &how, &["--home", home, "--out", home]].concat()
}

/// Killed twice in the middle of a training, which resumes each time from its saved state if that is its own: every file of the
/// result equals, byte for byte, that of an undisturbed run. On the CPU and on a device, whose predictions are the CPU's.
#[test]
fn a_killed_training_goes_on_with_the_same_bits() {
    let program = Program::new();
    tones(&program, "corpus");
    for device in ["cpu", "host"] {
        let (whole, killed) = (format!("whole-{device}"), format!("killed-{device}"));
        program.succeed(&paper(device, &whole));
        let home = program.path(&killed);
        let mut last = 0;
        for _ in 0..2 {
            let mut command = program.command(&paper(device, &killed));
            let command = command.env("EMOBOX_SAVE_SECONDS", "0");
            Program::kill_once(command, || {
                saved_epoch(&home).is_some_and(|epoch| epoch > last)
            });
            let reached = saved_epoch(&home).unwrap_or(8);
            assert!((last + 1..8).contains(&reached), "{device}: {reached}");
            last = reached;
        }
        if device == "host" {
            // The state of another training: its digest begins with another digit. It costs time, and changes nothing.
            let path = state_path(&home).unwrap();
            let mut state = std::fs::read(&path).unwrap();
            let name = br#"\"identity\":\""#;
            let at = state.windows(name.len()).position(|part| part == name);
            let digit = &mut state[at.unwrap() + name.len()];
            *digit = if *digit == b'0' { b'1' } else { b'0' };
            std::fs::write(&path, state).unwrap();
        }
        program.succeed(&paper(device, &killed));
        assert_eq!(saved_epoch(&home), None);
        let (found, expected) = (trained(&program, &killed), trained(&program, &whole));
        assert!(expected.len() > 5 && found == expected, "{device}");
        let scores = |home: &str| program.json(&format!("{home}/scores.json"));
        assert_eq!(scores(&killed), scores(&whole));
    }
    let predictions = |home: &str| -> Vec<Value> {
        let path = program.path(home).join("predictions/tones/fbank.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let (cpu, device) = (predictions("whole-cpu"), predictions("whole-host"));
    assert!(!cpu.is_empty() && cpu.len() == device.len());
    for (cpu, device) in cpu.iter().zip(&device) {
        assert_eq!(cpu["prediction"], device["prediction"], "{cpu}\n{device}");
        for (class, score) in cpu["scores"].as_object().unwrap() {
            let [a, b] = [score, &device["scores"][class]].map(|x| x.as_f64().unwrap());
            assert!((a - b).abs() <= 1e-4 * a.abs().max(1.0), "{cpu}\n{device}");
        }
    }
}

/// An interval between saves that is not a number is rejected before any work.
#[test]
fn an_interval_that_is_no_number_is_a_wrong_call() {
    let program = Program::new();
    tones(&program, "corpus");
    let mut command = program.command(&paper("cpu", "home"));
    let output = command
        .env("EMOBOX_SAVE_SECONDS", "often")
        .output()
        .unwrap();
    let parts = ["EMOBOX_SAVE_SECONDS", "often", "whole seconds"];
    program.transcript(&output).fails_with(2, &parts);
}

/// Another number of epochs is another protocol: tables and results show it, and nothing from the default one is reused.
#[test]
fn epochs_are_part_of_the_protocol() {
    let program = Program::new();
    tones(&program, "corpus");
    bench(&program, "usual", &[]);
    bench(&program, "short", &["--epochs", "5"]);
    assert_eq!(jobs(&program).len(), 2);
    let config = |out: &str| {
        let scores = program.json(&format!("{out}/scores.json"));
        scores["runs"][0]["config"].as_str().unwrap().to_owned()
    };
    assert!(!config("usual").contains("epochs"), "{}", config("usual"));
    assert!(
        config("short").ends_with(", 5 epochs"),
        "{}",
        config("short")
    );
    let digest = |out: &str| {
        let scores = program.json(&format!("{out}/scores.json"));
        let sources = scores["provenance"]["sources"].as_array().unwrap().clone();
        sources
            .into_iter()
            .find(|source| source["kind"] == "protocol")
    };
    assert_ne!(digest("usual").unwrap(), digest("short").unwrap());
    let file = "epochs = 5\nhead = \"mean-linear\"\ntraining_seeds = 2\nmaps = \"none\"\n\
                [[corpus]]\nname = \"tones\"\n[[encoder]]\nname = \"fbank\"\n";
    let file = program.write("short.toml", file.as_bytes());
    let call = [
        "bench",
        file.to_str().unwrap(),
        "--home",
        "home",
        "--out",
        "again",
    ];
    let again = program.succeed(&call);
    assert!(!again.stderr.contains("training"), "{}", again.stderr);
    let none = [
        "bench",
        "--corpus",
        "tones",
        "--encoder",
        "fbank",
        "--home",
        "home",
    ];
    program
        .run(&[&none[..], &["--epochs", "0"]].concat())
        .fails_with(2, &["0 is not in 1..=100000"]);
}
