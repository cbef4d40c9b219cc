//! Dimensions outside of `bench`: predictions of any program, reports, exports.

use crate::dimensions::{bench, briefly, rated};
use crate::program::Program;
use serde_json::Value;

/// Two predictions of each of six speakers, without the speakers.
fn predictions() -> String {
    let line = |at: usize| {
        let (speaker, take) = (at / 2, at % 2);
        let reference = 1.0 + (at % 5) as f64;
        format!(
            "{{\"key\":\"rated-{speaker}-{take}\",\"fold\":1,\"reference\":{{\"valence\":{reference}}},\
             \"predicted\":{{\"valence\":{:.2}}},\"gender\":\"female\",\"language\":\"Urdu\",\"note\":[1]}}\n",
            reference * 0.8 + speaker as f64 * 0.2
        )
    };
    (0..12).map(line).collect()
}

fn manifest() -> String {
    let line = |at: usize| {
        let (speaker, take) = (at / 2, at % 2);
        format!(
            "{{\"key\":\"rated-{speaker}-{take}\",\"dataset\":\"rated\",\"wav\":\"{at}.wav\",\"sample_rate\":16000,\"num_frame\":16000,\
             \"length\":1.0,\"emo\":\"sad\",\"speaker\":\"s{speaker}\",\"valence\":{}}}\n",
            1.0 + (at % 5) as f64
        )
    };
    (0..12).map(line).collect()
}

#[test]
fn predictions_of_dimensions_take_speakers_from_the_manifest() {
    let program = Program::new();
    program.write("p.jsonl", predictions().as_bytes());
    program.write("m.jsonl", manifest().as_bytes());
    let evaluate = |more: &[&str]| {
        let call = [&["evaluate", "p.jsonl", "--json"], more].concat();
        let told: Value = serde_json::from_str(&program.succeed(&call).stdout).unwrap();
        told["dimensions"][1].clone()
    };
    let (alone, known) = (evaluate(&[]), evaluate(&["--manifest", "m.jsonl"]));
    let interval = |scores: &Value| {
        (
            scores["interval"]["unit"].clone(),
            scores["interval"]["units"].clone(),
        )
    };
    assert_eq!(interval(&alone), ("utterance".into(), 12.into()));
    assert_eq!(interval(&known), ("speaker".into(), 6.into()));
    assert_eq!(known["corpus"], "rated");
    assert_eq!(alone["scores"][0]["ccc"], known["scores"][0]["ccc"]);
    let call = ["evaluate", "p.jsonl", "--manifest", "m.jsonl"];
    program
        .run(&["evaluate", "p.jsonl", "--manifest", "none.jsonl"])
        .fails_with(2, &["none.jsonl does not exist"]);
    program.write(
        "m.jsonl",
        manifest()
            .replacen("\"valence\":2", "\"valence\":2.5", 1)
            .as_bytes(),
    );
    program.run(&call).fails_with(
        2,
        &["\"rated-0-1\" has valence 2, the manifest of rated says 2.5"],
    );
    let fewer: String = manifest()
        .lines()
        .skip(2)
        .map(|line| line.to_owned() + "\n")
        .collect();
    program.write("m.jsonl", fewer.as_bytes());
    program
        .run(&call)
        .fails_with(2, &["2 of 12 keys are not in the manifest of rated"]);
}

#[test]
fn predictions_of_dimensions_that_cannot_be_scored_are_refused_by_line() {
    let program = Program::new();
    let all = predictions();
    let first = all.lines().next().unwrap();
    let third = |from: &str, to: &str| {
        let lines = all.lines().enumerate();
        let lines = lines.map(|(at, line)| match at {
            2 => line.replace(from, to),
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let empty = all
        .lines()
        .map(|line| line.replace("\"valence\":", "\"mean\":"))
        .collect::<Vec<_>>()
        .join("\n");
    for (text, parts) in [
        (
            format!("{all}{first}\n"),
            [
                "p.jsonl:13",
                "key \"rated-0-0\" of fold 1 already stands in line 1",
            ],
        ),
        (
            third("\"reference\":{\"valence\":3}", "\"reference\":{}"),
            ["p.jsonl:3", "the reference has no dimension"],
        ),
        (
            third(
                "\"reference\":{\"valence\":3}",
                "\"reference\":{\"valence\":null}",
            ),
            ["p.jsonl:3", "null"],
        ),
        (
            third("\"predicted\":{\"valence\"", "\"predicted\":{\"arousal\""),
            [
                "p.jsonl:3",
                "predicted has values of arousal, expected valence",
            ],
        ),
        (
            third(
                "\"reference\":{\"valence\":3}",
                "\"reference\":{\"valence\":3e200}",
            ),
            ["p.jsonl:3", "on no scale"],
        ),
        (
            third("\"fold\":1", "\"fold\":0"),
            ["p.jsonl:3", "folds count from 1"],
        ),
        (
            third("\"predicted\"", "\"guess\""),
            ["p.jsonl:3", "missing field `predicted`"],
        ),
        (
            first.replace("{\"valence\":1}", "{}"),
            ["p.jsonl:1", "the reference has no dimension"],
        ),
        (empty, ["p.jsonl:1", "the name of the mean over dimensions"]),
    ] {
        program.write("p.jsonl", text.as_bytes());
        let told = program.run(&["evaluate", "p.jsonl"]);
        assert_ne!(told.code, Some(0), "{text}");
        for part in parts {
            assert!(told.stderr.contains(part), "{part} in {}", told.stderr);
        }
    }
}

#[test]
fn a_report_of_dimensions_has_its_empty_cells_and_refuses_what_is_of_classes() {
    let program = Program::new();
    rated(&program);
    let told = bench(
        &program,
        "out",
        &[
            "--target",
            "dimensions",
            "--epochs",
            "2",
            "--encoder",
            "gone=nowhere",
        ],
    );
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    let csv = program.succeed(&["report", "out", "--csv"]).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    let columns = |line: &str| line.split(',').count();
    assert!(lines[0].ends_with(",audit,state,stage,reason"), "{csv}");
    assert!(lines[1].ends_with(",done,,"), "{csv}");
    let empty = lines
        .iter()
        .find(|line| line.starts_with("mine,gone,"))
        .unwrap();
    assert!(empty.contains(",failed,extract,"), "{empty}");
    assert_eq!(
        columns(lines[0]),
        columns(empty.split(",extract,").next().unwrap()) + 2
    );
    let page = program.succeed(&["report", "out", "--html"]).stdout;
    assert!(page.contains("2 encoders on 1 corpus, dimensions."));
    for (form, part) in [
        (&["--errors", "5"][..], "lists of errors are of classes"),
        (
            &["--errors", "5", "--json"],
            "lists of errors are of classes",
        ),
        (&["--figures", "figures"], "figures are of classes"),
    ] {
        program
            .run(&[&["report", "out"], form].concat())
            .fails_with(2, &[part]);
    }
    // With a run of classes beside it the columns of one would be missing in the other.
    let told = bench(&program, "classes", &["--epochs", "2"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    program
        .run(&["report", "classes", "out", "--csv"])
        .fails_with(2, &["print the CSV of each run by itself"]);
    let page = program
        .succeed(&["report", "classes", "out", "--html"])
        .stdout;
    assert!(
        page.contains("1 encoder on 1 corpus, dimensions."),
        "both kinds are counted"
    );
    program.succeed(&["report", "classes", "out", "--errors", "5"]);
}

/// Values and votes go out with every form, and come back as they were.
#[test]
fn every_form_of_export_keeps_values_and_votes() {
    let program = Program::new();
    rated(&program);
    let prepare = |name: &str, raw: &str| {
        let told = program.run(&["prepare", name, "--raw", raw, "--home", "home"]);
        let path = program.path(&format!("home/corpora/{name}/manifest.jsonl"));
        let lines = std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", told.stderr));
        let kept = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            ["wav", "valence", "arousal", "votes"].map(|field| line[field].clone())
        };
        let mut kept: Vec<_> = lines.lines().map(kept).collect();
        kept.sort_by_key(|line| line[0].to_string());
        kept
    };
    let before = prepare("mine", "own");
    assert_eq!(before.len(), 120);
    assert!(before.iter().any(|[_, valence, ..]| valence.is_null()));
    for (form, files) in [
        ("audformat", &["db.yaml", "db.emotion.csv"][..]),
        ("lhotse", &["recordings.jsonl", "supervisions.jsonl"]),
        (
            "kaldi",
            &[
                "wav.scp",
                "utt2emo",
                "utt2valence",
                "utt2arousal",
                "utt2votes",
                "utt2spk",
            ],
        ),
        ("csv", &["labels.csv"]),
    ] {
        // Beside the own table it would be read in its place.
        let call = |out: &str| {
            program.run(&[
                "export", "mine", "--as", form, "--out", out, "--home", "home",
            ])
        };
        call("own").fails_with(
            2,
            &["own is where mine lies", "name another folder as --out"],
        );
        assert_eq!(prepare("mine", "own"), before);
        let told = call(form);
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        let copy = format!("copy-{form}");
        std::fs::create_dir(program.path(&copy)).unwrap();
        for file in files {
            let text = std::fs::read_to_string(program.path(&format!("{form}/{file}"))).unwrap();
            let own = program.path("own").canonicalize().unwrap();
            let there = program.path(&copy).canonicalize().unwrap();
            let text = text.replace(own.to_str().unwrap(), there.to_str().unwrap());
            program.write(&format!("{copy}/{file}"), text.as_bytes());
        }
        std::fs::rename(
            program.path("own/wav"),
            program.path(&format!("{copy}/wav")),
        )
        .unwrap();
        assert_eq!(prepare(&format!("again-{form}"), &copy), before, "{form}");
        std::fs::rename(
            program.path(&format!("{copy}/wav")),
            program.path("own/wav"),
        )
        .unwrap();
    }
    // AudioFolder's table belongs beside the audio; it must not go before the user's own.
    std::fs::rename(
        program.path("own/labels.csv"),
        program.path("own/table.csv"),
    )
    .unwrap();
    program
        .run(&[
            "export", "mine", "--as", "hf", "--out", "own", "--home", "home",
        ])
        .fails_with(2, &["rename your table to labels.csv"]);
}

/// What a run of dimensions predicted is scored the same by `evaluate`, with the speakers of its manifest.
#[test]
fn predictions_of_a_run_fit_its_manifest() {
    let program = Program::new();
    briefly(&program);
    let call = [
        "evaluate",
        "out/predictions/mine/fbank.jsonl",
        "--manifest",
        "home/corpora/mine/manifest.jsonl",
        "--json",
    ];
    let told: Value = serde_json::from_str(&program.succeed(&call).stdout).unwrap();
    assert_eq!(told["dimensions"][0]["interval"]["units"], 8);
}
