//! Probes trained on the host's device: the kernels of the GPU, on this machine's processor, through the whole program.

use crate::program::{Program, tones};
use serde_json::Value;

fn read(program: &Program, path: &str) -> Value {
    let bytes = std::fs::read(program.path(path)).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// `bench` of the tones with spectra and the smallest head into an output folder of its own; its notes.
fn bench(program: &Program, out: &str, more: &[&str]) -> String {
    let mut call = vec!["bench", "--corpus", "tones=corpus", "--encoder", "fbank"];
    call.extend(["--home", "home", "--out", out, "--maps", "none"]);
    call.extend(["--training-seeds", "2", "--head", "mean-linear"]);
    call.extend(more);
    program.succeed(&call).stderr
}

/// Folders of trainings below the home, with what `job.json` says they were trained on.
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

/// Scores are the processor's, results are apart from its, say where they were made, and are taken up again.
#[test]
fn probes_of_a_device_score_as_the_processor_s_and_are_kept_apart() {
    let program = Program::new();
    tones(&program, "corpus");
    bench(&program, "cpu", &[]);
    bench(&program, "device", &["--train-device", "host"]);
    let notes = bench(&program, "two", &["--train-device", "host,host"]);
    assert_eq!(jobs(&program), [None, Some("host".to_owned())], "{notes}");
    let scores = |out: &str| read(&program, &format!("{out}/scores.json"));
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

/// What a device does not train is trained on the processor, and told.
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
