//! Training on one corpus and testing on another, from recordings to every format of the table.

use crate::program::{Program, tone, wav};

/// Six tones for each of two emotions by three speakers, and one emotion that only this corpus has.
fn spoken_tones(program: &Program, name: &str, own_class: &str) -> String {
    let mut table = String::from("path,label,speaker\n");
    for (class, emotion) in ["Angry", "Sad", own_class].iter().enumerate() {
        for variation in 0..6 {
            let file = format!("{emotion}{variation}.wav");
            let seconds = 0.4 + 0.05 * variation as f32;
            program.write(
                &format!("{name}/{file}"),
                &wav(&tone(class, variation, seconds)),
            );
            table.push_str(&format!("{file},{emotion},s{}\n", variation % 3));
        }
    }
    program.write(&format!("{name}/labels.csv"), table.as_bytes());
    format!("{name}={}", program.path(name).display())
}

/// `cross` between two corpora with fbank, and more options.
fn call<'a>(one: &'a str, two: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = [
        "cross",
        "--corpus",
        one,
        "--corpus",
        two,
        "--encoder",
        "fbank",
    ];
    [&base[..], more].concat()
}

#[test]
fn two_corpora_are_tested_on_each_other() {
    let program = Program::new();
    let one = spoken_tones(&program, "one", "Bored");
    let two = spoken_tones(&program, "two", "Fear");
    let call = call(&one, &two, &["--out", "out"]);
    let transcript = program.succeed(&call);
    assert!(
        transcript.stdout.contains("trained on one") && transcript.stdout.contains("recall of sad"),
        "{}",
        transcript.stdout
    );
    let text = std::fs::read_to_string(program.path("out/scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&text).unwrap();
    let matrix = &scores["cross"][0];
    assert_eq!(matrix["classes"], serde_json::json!(["angry", "sad"]));
    assert_eq!(matrix["cells"].as_array().unwrap().len(), 2);
    for file in [
        "predictions/one-to-two/fbank.jsonl",
        "balanced/one.jsonl",
        "pseudo-labels/two.jsonl",
        "report.html",
    ] {
        assert!(program.path("out").join(file).exists(), "{file}");
    }
    // The test set is from the other corpus.
    let lines = program.path("out/predictions/one-to-two/fbank.jsonl");
    let lines = std::fs::read_to_string(lines).unwrap();
    assert!(lines.lines().count() > 0);
    assert!(
        lines.lines().all(|line| line.contains("\"key\":\"two-")),
        "{lines}"
    );
    let set = std::fs::read_to_string(program.path("out/balanced/two.jsonl")).unwrap();
    assert_eq!(
        set.matches("\"angry\"").count(),
        set.matches("\"sad\"").count(),
        "{set}"
    );
    for (form, expected) in [
        ("--latex", "\\toprule"),
        ("--markdown", "| fbank"),
        ("--csv", "trained on"),
        ("--html", "Across corpora"),
    ] {
        let printed = program.succeed(&["report", "out", form]).stdout;
        assert!(printed.contains(expected), "{form}: {printed}");
    }

    // The written sets and labels can be used as input, with the same result.
    let again = [
        &call[..7],
        &[
            "--balanced-set",
            "one=out/balanced/one.jsonl",
            "--pseudo-labels",
            "two=out/pseudo-labels/two.jsonl",
            "--out",
            "again",
        ],
    ]
    .concat();
    program.succeed(&again);
    let text = std::fs::read_to_string(program.path("again/scores.json")).unwrap();
    let second: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(second["cross"], scores["cross"]);
}

#[test]
fn where_nobody_speaks_every_class_the_classes_alone_are_balanced() {
    let program = Program::new();
    let one = spoken_tones(&program, "one", "Bored");
    let two = spoken_tones(&program, "two", "Fear");
    // One speaker per emotion, nearly as in the Urdu corpus.
    let table = std::fs::read_to_string(program.path("two/labels.csv")).unwrap();
    let speakers = table.lines().map(|line| {
        let (rest, _) = line.rsplit_once(',').unwrap();
        let label = rest.rsplit(',').next().unwrap();
        let speaker = if label == "label" { "speaker" } else { label };
        format!("{rest},{speaker}\n")
    });
    let table: String = speakers.collect();
    program.write("two/labels.csv", table.as_bytes());
    let call = call(&one, &two, &["--labeller", "none", "--out", "out"]);
    let transcript = program.succeed(&call);
    assert!(
        transcript.stderr.contains("two: 12 test utterances")
            && transcript.stderr.contains("not balanced over speakers"),
        "{}",
        transcript.stderr
    );
}

#[test]
fn wrong_calls_say_what_would_be_right() {
    let program = Program::new();
    let one = spoken_tones(&program, "one", "Bored");
    let two = spoken_tones(&program, "two", "Fear");
    let base = call(&one, &two, &["--labeller", "none"]);
    let with = |more: &[&str]| program.run(&[&base[..], more].concat());
    let alone = ["cross", "--corpus", &one, "--encoder", "fbank"];
    program
        .run(&alone)
        .fails_with(2, &["a cross-corpus run needs two or more"]);
    with(&["--class", "tired=Bored"]).fails_with(2, &["1 shared classes, at least 2"]);
    let lacking = ["--class", "angry=Angry", "--class", "tired=Bored"];
    with(&lacking).fails_with(2, &["two has no class Bored", "Fear"]);
    let checked = with(&[&lacking[..], &["--check"]].concat());
    assert_eq!(checked.code, Some(3), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("two: two has no class Bored"),
        "{}",
        checked.stdout
    );
    with(&["--class", "angry"]).fails_with(2, &["SHARED=CLASS"]);
    with(&["--pseudo-labels", "three=x"])
        .fails_with(2, &["this run has no corpus of --pseudo-labels \"three\""]);
    with(&["--per-cell", "3"]).fails_with(1, &["s2 × angry has 2"]);
    let set = "{\"key\":\"nobody\",\"label\":\"angry\",\"speaker\":\"s\"}\n";
    program.write("set.jsonl", set.as_bytes());
    with(&["--balanced-set", "one=set.jsonl"]).fails_with(3, &["nobody is no utterance of one"]);
}

/// Missing inputs are detected before anything is encoded, and only their own pairs are empty.
#[test]
fn a_corpus_that_is_not_there_leaves_its_own_pairs_empty() {
    let program = Program::new();
    let [one, two, three] = ["one", "two", "three"].map(|name| spoken_tones(&program, name, name));
    let away = |from: &str, to: &str| {
        std::fs::rename(program.path(from), program.path(to)).unwrap();
    };
    away("three", "elsewhere");
    let base = call(&one, &two, &["--corpus", &three, "--labeller", "none"]);
    let refused = program.run(&[&base[..], &["--out", "refused"]].concat());
    refused.fails_with(
        2,
        &["those that all corpora have, and three cannot be read"],
    );
    assert!(!program.path("refused/report.html").exists());
    let named = ["--class", "angry=Angry", "--class", "sad=Sad"];
    let named = [&base[..], &named].concat();
    let run = |out: &str| program.run(&[&named[..], &["--out", out]].concat());

    let partly = run("out");
    partly.fails_with(3, &["the raw folder of three is not there"]);
    let scores = |out: &str| -> serde_json::Value {
        let path = program.path(out).join("scores.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let first = scores("out");
    assert_eq!(first["cross"][0]["cells"].as_array().unwrap().len(), 2);
    assert_eq!(first["absent"].as_array().unwrap().len(), 4);
    assert_eq!(first["absent"][0]["tested_on"], "three");
    for form in ["--html", "--latex", "--csv"] {
        let printed = program.run(&["report", "out", form]).stdout;
        assert!(
            printed.contains("the raw folder of three"),
            "{form}: {printed}"
        );
    }

    away("elsewhere", "three");
    let whole = run("out");
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    assert!(
        whole.stderr.contains("one tested on three with fbank"),
        "{}",
        whole.stderr
    );
    let second = scores("out");
    assert_eq!(second["cross"][0]["cells"].as_array().unwrap().len(), 6);
    for cell in first["cross"][0]["cells"].as_array().unwrap() {
        assert!(
            second["cross"][0]["cells"]
                .as_array()
                .unwrap()
                .contains(cell)
        );
    }
    run("afresh");
    assert_eq!(second, scores("afresh"));
}
