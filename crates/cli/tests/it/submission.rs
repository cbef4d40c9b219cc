//! Submissions: packed, verified on another home, put on a page; and refused where something was changed.

use crate::program::{Program, tones};
use serde_json::Value;

/// A finished bench run in `out`, packed into `submission.json`, on a corpus that `home` has prepared.
fn packed() -> Program {
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
    program.succeed(&call);
    let submit = ["submit", "out", "--system", "log-mel probe"];
    let digest = program.succeed(&submit).stdout;
    assert_eq!(digest.trim().len(), 64, "{digest}");
    program
}

fn read(program: &Program, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(program.path(file)).unwrap()).unwrap()
}

#[test]
fn another_machine_with_the_same_corpus_verifies_it() {
    let program = packed();
    let entry = &read(&program, "submission.json")["entries"][0];
    for digest in ["manifest_digest", "partition_digest", "store_digest"] {
        assert_eq!(entry[digest].as_str().map(str::len), Some(64), "{digest}");
    }
    assert!(entry["protocol_details"]["epochs"].is_string());

    let corpus = program.path("corpus");
    let prepare = ["prepare", "tones", "--raw", corpus.to_str().unwrap()];
    program.succeed(&[&prepare[..], &["--home", "elsewhere"]].concat());
    let verify = ["verify", "submission.json", "--home", "elsewhere", "--json"];
    let verified: Value = serde_json::from_str(&program.succeed(&verify).stdout).unwrap();
    let claimed = read(&program, "out/scores.json");
    for score in ["fold", "n", "ua", "wa", "macro_f1", "ua_ci", "confusion"] {
        assert_eq!(
            verified["runs"][0][score], claimed["runs"][0][score],
            "{score}"
        );
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
}
