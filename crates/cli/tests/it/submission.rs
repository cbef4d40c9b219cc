//! Submissions: packed, verified in another home, put on a page; and refused if anything was changed.

use crate::program::{Program, tones};
use serde_json::Value;

/// A finished bench run in `out`, packed into `submission.json`, on a corpus prepared in `home`.
fn packed() -> Program {
    packed_with(&[])
}

fn packed_with(options: &[&str]) -> Program {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let call = [
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--home",
        "home",
        "--out",
        "out",
    ];
    program.succeed(&[&call[..], options].concat());
    let submit = ["submit", "out", "--system", "log-mel probe"];
    let digest = program.succeed(&submit).stdout;
    assert_eq!(digest.trim().len(), 64, "{digest}");
    program
}

#[test]
fn another_machine_with_the_same_corpus_verifies_it() {
    let program = packed();
    let entry = &program.json("submission.json")["entries"][0];
    for digest in ["manifest_digest", "partition_digest", "store_digest"] {
        assert_eq!(entry[digest].as_str().map(str::len), Some(64), "{digest}");
    }
    assert!(entry["protocol_details"]["epochs"].is_string());

    let corpus = program.path("corpus");
    let prepare = ["prepare", "tones", "--raw", corpus.to_str().unwrap()];
    program.succeed(&[&prepare[..], &["--home", "elsewhere"]].concat());
    let verify = ["verify", "submission.json", "--home", "elsewhere", "--json"];
    let verified: Value = serde_json::from_str(&program.succeed(&verify).stdout).unwrap();
    let claimed = program.json("out/scores.json");
    for score in ["fold", "n", "ua", "wa", "macro_f1", "ua_ci", "confusion"] {
        assert_eq!(
            verified["runs"][0][score], claimed["runs"][0][score],
            "{score}"
        );
    }
    if cfg!(target_os = "linux") {
        program.loses_its_result(&verify);
    }
}

#[test]
fn what_was_changed_is_named() {
    let program = packed();
    let original = std::fs::read_to_string(program.path("submission.json")).unwrap();
    let refused = |file: &str, options: &[&str], reasons: &[&str]| {
        let call = [&["verify", file, "--home", "home"], options].concat();
        program.run(&call).fails_with(1, reasons);
    };
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut submission: Value = serde_json::from_str(&original).unwrap();
        change(&mut submission["entries"][0]);
        program.write(name, submission.to_string().as_bytes());
    };
    changed("prediction.json", &|entry| {
        let classes = entry["classes"].as_array().unwrap().clone();
        let prediction = &mut entry["predictions"][0]["prediction"];
        *prediction = classes.into_iter().find(|c| c != prediction).unwrap();
    });
    let packed_otherwise = "the file was changed after it was packed";
    refused(
        "prediction.json",
        &[],
        &[packed_otherwise, "does not come out"],
    );

    changed("digest.json", &|entry| {
        entry["manifest_digest"] = "0".repeat(64).into();
    });
    refused(
        "digest.json",
        &[],
        &[packed_otherwise, "another manifest than the verifier's"],
    );

    changed("score.json", &|entry| {
        entry["scores"][0]["ua"] = 0.999.into();
    });
    refused(
        "score.json",
        &[],
        &[packed_otherwise, "ua of fold \"mean\" does not come out"],
    );

    refused(
        "submission.json",
        &["--seed", "7"],
        &["another partition than the verifier's"],
    );
    changed("scheme.json", &|entry| {
        entry["partition"] = "speaker".into();
    });
    refused("scheme.json", &[], &["no speaker partition"]);
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let program = packed();
    program
        .run(&["verify", "submission.json", "--home", "empty"])
        .fails_with(
            1,
            &[
                "submission.json is refused",
                "tones is not prepared",
                "emobox prepare tones --raw DIR",
            ],
        );
    program.write("half.json", b"{\"schema\": 1,");
    program
        .run(&["verify", "half.json"])
        .fails_with(1, &["half.json"]);
    program
        .run(&["submit", "home", "--system", "x"])
        .fails_with(2, &["no output folder of `emobox bench`"]);
    std::fs::remove_dir_all(program.path("out/predictions")).unwrap();
    program
        .run(&["submit", "out", "--system", "x"])
        .fails_with(1, &["fbank.jsonl"]);
}

#[test]
fn a_leaderboard_takes_what_stands_and_names_what_does_not() {
    let program = packed();
    let text = std::fs::read_to_string(program.path("submission.json")).unwrap();
    program.write(
        "forged.json",
        text.replacen("log-mel probe", "forged", 1).as_bytes(),
    );
    let call = [
        "leaderboard",
        "submission.json",
        "forged.json",
        "--home",
        "home",
    ];
    let transcript = program.run(&call);
    transcript.fails_with(
        3,
        &["forged.json is refused", "changed after it was packed"],
    );
    assert_eq!(transcript.stdout.trim(), "1 verified, 1 refused");
    let page = std::fs::read_to_string(program.path("leaderboard.html")).unwrap();
    assert!(page.contains("log-mel probe") && !page.contains("forged"));
    assert!(page.contains("<td>consistent</td>"));

    program.write("again.json", text.as_bytes());
    let twice = [
        "leaderboard",
        "submission.json",
        "again.json",
        "--home",
        "home",
    ];
    let transcript = program.run(&twice);
    transcript.fails_with(
        3,
        &["again.json is refused", "already has scores on this corpus"],
    );
    assert_eq!(transcript.stdout.trim(), "1 verified, 1 refused");

    // If there is nothing to show, an existing page is not replaced by an empty one.
    let before = std::fs::read(program.path("leaderboard.html")).unwrap();
    let none = ["leaderboard", "forged.json", "--home", "home"];
    program.run(&none).fails_with(
        1,
        &["no submission stands; leaderboard.html is left as it was"],
    );
    assert_eq!(
        std::fs::read(program.path("leaderboard.html")).unwrap(),
        before
    );
}

/// Writes the labels into a finished run as its predictions, with the resulting scores.
fn forge(program: &Program) {
    let file = "out/predictions/tones/fbank.jsonl";
    let text = std::fs::read_to_string(program.path(file)).unwrap();
    let lines = text.lines().map(|line| {
        let mut item: Value = serde_json::from_str(line).unwrap();
        item["prediction"] = item["label"].clone();
        item.as_object_mut().unwrap().remove("scores");
        format!("{item}\n")
    });
    program.write(file, lines.collect::<String>().as_bytes());
    let manifest = "home/corpora/tones/manifest.jsonl";
    let scored = program.succeed(&["evaluate", file, "--manifest", manifest, "--json"]);
    let scored: Value = serde_json::from_str(&scored.stdout).unwrap();
    let mut report = program.json("out/report.json");
    for run in report["scores"]["runs"].as_array_mut().unwrap() {
        let runs = scored["runs"].as_array().unwrap();
        let mut own = runs
            .iter()
            .find(|r| r["fold"] == run["fold"])
            .unwrap()
            .clone();
        for name in ["corpus", "encoder", "protocol", "partition", "config"] {
            own[name] = run[name].clone();
        }
        *run = own;
    }
    program.write("out/report.json", report.to_string().as_bytes());
}

#[test]
fn a_rerun_tells_a_trained_run_from_copied_labels() {
    let program = packed_with(&["--training-seeds", "1"]);
    let verify = |more: &[&str]| {
        let call = [
            "verify",
            "submission.json",
            "--home",
            "home",
            "--training-seeds",
            "1",
        ];
        program.run(&[&call[..], more].concat())
    };
    let honest = verify(&["--rerun"]);
    assert_eq!(honest.code, Some(0), "{}", honest.stderr);
    assert!(
        honest.stderr.contains("log-mel probe is reproduced"),
        "{}",
        honest.stderr
    );

    forge(&program);
    program.succeed(&["submit", "out", "--system", "labels"]);
    let consistent = verify(&["--json"]);
    assert_eq!(consistent.code, Some(0), "{}", consistent.stderr);
    assert!(
        consistent.stderr.contains("labels is consistent"),
        "{}",
        consistent.stderr
    );
    let scores: Value = serde_json::from_str(&consistent.stdout).unwrap();
    assert_eq!(scores["runs"][0]["ua"], 1.0);
    verify(&["--rerun"]).fails_with(
        1,
        &[
            "is not reproduced",
            "consistent, not reproduced",
            "are others when trained again",
        ],
    );
    let page = [
        "leaderboard",
        "submission.json",
        "--home",
        "home",
        "--training-seeds",
        "1",
    ];
    let transcript = program.run(&[&page[..], &["--rerun"]].concat());
    transcript.fails_with(1, &["consistent, not reproduced", "no submission stands"]);
    assert_eq!(transcript.stdout, "");
}

#[test]
fn several_training_seeds_and_partitions_are_packed_and_verified() {
    let program = packed_with(&["--training-seeds", "2", "--partition-seed", "7"]);
    let entry = &program.json("submission.json")["entries"][0];
    assert_eq!(entry["further_seeds"].as_array().unwrap().len(), 1);
    assert_eq!(entry["scores"][0]["seeds"]["count"], 2);
    let verify = ["verify", "submission.json", "--home", "home"];
    program
        .run(&verify)
        .fails_with(1, &["predictions of 2 training seeds", "another partition"]);
    let right = ["--training-seeds", "2", "--partition-seed", "7"];
    program.succeed(&[&verify[..], &right].concat());
    let (a, b) = (
        "out/predictions/tones/fbank.jsonl",
        "out/predictions/tones/fbank@seed1.jsonl",
    );
    let compared = program.succeed(&["compare", a, b, a, "--json"]);
    let compared: Value = serde_json::from_str(&compared.stdout).unwrap();
    assert_eq!(compared.as_array().unwrap().len(), 3);
    assert_eq!(compared[0]["seeds"], serde_json::json!([2, 1]));
    assert!(compared[0]["ua"]["p_corrected"].is_number());
}
