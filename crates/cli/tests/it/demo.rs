//! The demo from nothing to the report: reproducible, resumable, independent of threads.

use crate::program::Program;
use std::time::Duration;

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
    let file: serde_json::Value = serde_json::from_str(&scores(&program, "out")).unwrap();
    let mean = &file["runs"][0];
    assert_eq!(mean["fold"], "mean");
    // Four emotions: chance is 0.25. The bound says that something was learnt, not how well.
    assert!(mean["ua"].as_f64().unwrap() > 0.4, "{mean}");

    // The same command again: nothing is trained or encoded, the same bytes.
    let first = scores(&program, "out");
    let again = program.succeed(&["demo", "--out", "out"]);
    assert!(!again.stderr.contains("encoding") && !again.stderr.contains("training"));
    assert_eq!(scores(&program, "out"), first);

    // One thread or two, and an undisturbed home or one whose run was killed: the same bytes.
    program.succeed(&[
        "demo",
        "--out",
        "single",
        "--home",
        "single-home",
        "--threads",
        "1",
    ]);
    assert_eq!(scores(&program, "single"), first);
    for milliseconds in [150, 700, 1800, 4000] {
        let mut child = program
            .command(&[
                "demo",
                "--out",
                "killed",
                "--home",
                "killed-home",
                "--quiet",
            ])
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    program.succeed(&["demo", "--out", "killed", "--home", "killed-home"]);
    assert_eq!(scores(&program, "killed"), first);
}

#[test]
fn a_second_run_in_the_same_home_waits() {
    let program = Program::new();
    let first = program
        .command(&["demo", "--out", "a"])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Until the first one holds the home.
    while !program.path("home/.emobox.lock").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    let second = program.run(&["demo", "--out", "b"]);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    let first = program.transcript(&first.wait_with_output().unwrap());
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(
        second.stderr.contains("another emobox run"),
        "{}",
        second.stderr
    );
    assert_eq!(scores(&program, "a"), scores(&program, "b"));
}
