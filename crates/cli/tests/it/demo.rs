//! The demo from nothing to the report, and the same command again.

use crate::program::Program;

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
    let ua = mean["ua"].as_f64().unwrap();
    assert!(ua > 0.4, "{mean}");
    // Length and level tell nothing of its classes: without hearing how something is said nothing can be had.
    let nuisance = mean["nuisance_ua"].as_f64().unwrap();
    assert!(nuisance < 0.35 && ua > nuisance + 0.1, "{mean}");
    assert!(report.contains("0 where the recording alone is far above chance"));

    // The same command again: nothing is trained or encoded, the same bytes.
    let first = scores(&program, "out");
    let again = program.succeed(&["demo", "--out", "out"]);
    assert!(!again.stderr.contains("encoding") && !again.stderr.contains("training"));
    assert_eq!(scores(&program, "out"), first);

    let page = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
}
