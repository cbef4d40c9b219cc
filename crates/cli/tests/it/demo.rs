//! The demo from an empty folder to the report, and the same command again.

use crate::program::Program;
use serde_json::Value;

/// Largest difference of log probabilities between probes trained on a device and on the CPU: as for curves of losses.
const SCORES: f64 = 1e-4;

fn scores(program: &Program, out: &str) -> String {
    std::fs::read_to_string(program.path(out).join("scores.json")).unwrap()
}

#[test]
fn the_demo_prints_a_table_and_writes_a_report() {
    let program = Program::new();
    let transcript = program.succeed(&["demo", "--out", "out"]);
    assert!(transcript.stdout.contains("demo") && transcript.stdout.contains("fbank"));
    let report = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(report.contains("synthetic"));
    let file: Value = serde_json::from_str(&scores(&program, "out")).unwrap();
    let mean = &file["runs"][0];
    assert_eq!(mean["fold"], "mean");
    // Four emotions: chance is 0.25. The bound shows that something was learned, not how well.
    let ua = mean["ua"].as_f64().unwrap();
    assert!(ua > 0.4, "{mean}");
    // Length and level are unrelated to its classes: recording conditions alone are not enough.
    let nuisance = mean["nuisance_ua"].as_f64().unwrap();
    assert!(nuisance < 0.35 && ua > nuisance + 0.1, "{mean}");
    assert!(report.contains("0 where the recording alone is far above chance"));

    // The same command again: nothing is trained or encoded, and the output has the same bytes.
    let first = scores(&program, "out");
    let again = program.succeed(&["demo", "--out", "out"]);
    assert!(!again.stderr.contains("encoding") && !again.stderr.contains("training"));
    assert_eq!(scores(&program, "out"), first);

    let page = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
    trains_on_a_device(&program);
}

/// The demo corpus trained on the host's device, which runs the kernels of a GPU: predictions and scores equal the CPU's. With
/// the smallest head, since the paper's takes a minute per epoch there; that one is tested in `trained_on.rs`, on fewer frames.
fn trains_on_a_device(program: &Program) {
    let run = |out: &str| {
        let call = ["bench", "--corpus", "demo", "--encoder", "fbank"];
        let how = [
            "--head",
            "mean-linear",
            "--epochs",
            "6",
            "--training-seeds",
            "1",
        ];
        let place = ["--maps", "none", "--out", out, "--train-device", out];
        program.succeed(&[&call[..], &how, &place].concat());
        let file: Value = serde_json::from_str(&scores(program, out)).unwrap();
        let path = program.path(out).join("predictions/demo/fbank.jsonl");
        let lines = std::fs::read_to_string(path).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let runs = file["runs"].as_array().unwrap().clone();
        (runs, lines.collect::<Vec<Value>>())
    };
    let ((runs, lines), (device_runs, device_lines)) = (run("cpu"), run("host"));
    assert!(lines.len() > 100 && lines.len() == device_lines.len());
    for (cpu, device) in lines.iter().zip(&device_lines) {
        for field in ["key", "fold", "label", "prediction"] {
            assert_eq!(cpu[field], device[field], "{cpu}\n{device}");
        }
        for (class, score) in cpu["scores"].as_object().unwrap() {
            let [a, b] = [score, &device["scores"][class]].map(|x| x.as_f64().unwrap());
            assert!(
                (a - b).abs() <= SCORES * a.abs().max(1.0),
                "{cpu}\n{device}"
            );
        }
    }
    assert!(!runs.is_empty() && runs.len() == device_runs.len());
    for (cpu, device) in runs.iter().zip(&device_runs) {
        for score in ["ua", "wa", "macro_f1"] {
            assert_eq!(cpu[score], device[score], "{score}");
        }
    }
}
