//! Dimensions and votes through the whole program, on tones whose loudness and pitch are the dimensions.

use crate::program::{Program, Transcript, tones, wav};
use serde_json::Value;

/// A tone of this pitch and loudness, with a little noise.
fn tone(number: usize, pitch: f64, loudness: f64) -> Vec<i16> {
    let mut state = number as u64 + 1;
    let sample = |i: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 40) as f64 / f64::from(1 << 24) - 0.5;
        let t = i as f64 / 16_000.0;
        let voice = (t * pitch * std::f64::consts::TAU).sin()
            + 0.4 * (t * 2.0 * pitch * std::f64::consts::TAU).sin();
        ((voice * loudness + 0.002 * noise) * 20_000.0) as i16
    };
    (0..6400).map(sample).collect()
}

/// The exit code of a run that left something out.
const SKIPPED: i32 = 3;

/// Eight speakers with 15 clips each: valence (1 to 7) is the pitch in octaves, arousal the loudness in decibels. Two clips
/// lack a value, three have no votes.
pub(crate) fn rated(program: &Program) {
    let mut table = "path,label,speaker,valence,arousal,votes_high,votes_low,age\n".to_owned();
    for speaker in 0..8 {
        for take in 0..15 {
            let number = speaker * 15 + take;
            let valence = 1.0 + (number * 37 % 97) as f64 / 96.0 * 6.0;
            let arousal = 1.0 + (number * 59 % 89) as f64 / 88.0 * 6.0;
            let pitch = 200.0 * 2f64.powf((valence - 1.0) / 6.0 * 2.5 + 0.02 * speaker as f64);
            let loudness = 10f64.powf(-((7.0 - arousal) * 5.0) / 20.0);
            let path = format!("wav/{speaker}_{take}.wav");
            program.write(&format!("own/{path}"), &wav(&tone(number, pitch, loudness)));
            let label = if valence > 4.0 { "high" } else { "low" };
            let high = (valence.round() as u32).saturating_sub(1);
            let votes = match number % 40 {
                7 => ",".to_owned(),
                _ => format!("{high},{}", 6 - high),
            };
            let valence = match number {
                3 | 50 => String::new(),
                _ => format!("{valence:.3}"),
            };
            table += &format!(
                "{path},{label},s{speaker},{valence},{arousal:.3},{votes},{}\n",
                20 + take
            );
        }
    }
    program.write("own/labels.csv", table.as_bytes());
    program.write("own/dimensions.json", b"{\"scale\": [1, 7]}");
}

pub(crate) fn bench(program: &Program, out: &str, more: &[&str]) -> Transcript {
    let mut call = vec![
        "bench",
        "--corpus",
        "mine=own",
        "--encoder",
        "fbank",
        "--norm",
        "none",
    ];
    call.extend([
        "--home", "home", "--out", out, "--maps", "none", "--scheme", "speaker",
    ]);
    call.extend(["--training-seeds", "2"]);
    if !more.contains(&"--epochs") {
        call.extend(["--epochs", "60"]);
    }
    call.extend(more);
    program.run(&call)
}

/// A finished benchmark of dimensions in `out`; utterances without a value are skipped, which the exit code shows.
fn dimensions(program: &Program, more: &[&str]) -> Transcript {
    rated(program);
    let call = [&["--target", "dimensions"], more].concat();
    let told = bench(program, "out", &call);
    assert_eq!(told.code, Some(SKIPPED), "{}", told.stderr);
    told
}

/// The same where no score is looked at.
pub(crate) fn briefly(program: &Program) {
    dimensions(program, &["--epochs", "3"]);
}

#[test]
fn dimensions_of_a_corpus_of_one_s_own_are_recovered() {
    let program = Program::new();
    let told = dimensions(&program, &[]);
    let scores = program.json("out/scores.json");
    assert!(scores["runs"].as_array().unwrap().is_empty());
    let all = scores["dimensions"].as_array().unwrap();
    let headline = all
        .iter()
        .find(|scores| scores["headline"] == true)
        .unwrap();
    assert_eq!(
        (&headline["fold"], &headline["n"]),
        (&"mean".into(), &118.into())
    );
    assert!(
        headline["config"]
            .as_str()
            .unwrap()
            .ends_with(", 60 epochs, dimensions")
    );
    assert_eq!(headline["interval"]["method"], "jackknife");
    let names: Vec<&str> = headline["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|score| {
            let number = |value: &Value| value.as_f64().unwrap();
            let ccc = number(&score["ccc"]);
            assert!(ccc > 0.85, "{score}");
            let ci = &score["ci"];
            assert!(
                number(&ci[0]) < ccc && ccc < number(&ci[1]) && number(&ci[1]) < 1.0,
                "{score}"
            );
            score["dimension"].as_str().unwrap()
        })
        .collect();
    assert_eq!(names, ["valence", "arousal", "mean"]);
    assert_eq!(headline["skipped"][0]["count"], 2);
    // Predictions are on the corpus's scale.
    let text = std::fs::read_to_string(program.path("out/predictions/mine/fbank.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 118);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let predicted = line["predicted"]["arousal"].as_f64().unwrap();
        assert!((-2.0..10.0).contains(&predicted), "{line}");
    }
    for part in [
        "CCC × 100",
        "valence",
        "arousal",
        "mean",
        "2 left out, without a value of every dimension",
    ] {
        assert!(told.stdout.contains(part), "{part} in {}", told.stdout);
    }
    assert!(!told.stdout.contains("UA"), "{}", told.stdout);
    // Nothing is trained twice, and the experiment file is equivalent.
    let file = "target = \"dimensions\"\nnormalisation = \"none\"\nscheme = \"speaker\"\nepochs = 60\n\
                training_seeds = 2\nmaps = \"none\"\n[[corpus]]\nname = \"mine\"\n[[encoder]]\nname = \"fbank\"\n";
    program.write("e.toml", file.as_bytes());
    let again = program.run(&["bench", "e.toml", "--home", "home", "--out", "again"]);
    assert_eq!(again.code, Some(SKIPPED));
    assert!(!again.stderr.contains("training"), "{}", again.stderr);
    assert_eq!(
        program.json("again/scores.json")["dimensions"],
        scores["dimensions"]
    );
    its_probe_tells(&program);
}

#[test]
fn every_form_of_the_report_has_the_dimensions_and_no_accuracy() {
    let program = Program::new();
    briefly(&program);
    let page = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(
        page.contains("<section id=\"dimensions\"") && !page.contains("<section id=\"scores\"")
    );
    assert!(page.contains("1 encoder on 1 corpus, dimensions."));
    let report = |form: &str| program.succeed(&["report", "out", form]).stdout;
    for (form, parts) in [
        ("--markdown", ["| corpus", "valence", "arousal"]),
        ("--latex", ["\\begin{tabular}", "valence", "arousal"]),
        (
            "--csv",
            [
                "corpus,encoder,protocol",
                "ccc_low",
                "mine,fbank,strict,speaker",
            ],
        ),
    ] {
        let text = report(form);
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("UA"), "{text}");
    }
    assert!(program.succeed(&["report", "out"]).stdout.contains("CCC"));
    // The predictions alone give the same scores, for the first training seed.
    let file = "out/predictions/mine/fbank.jsonl";
    let alone = program.succeed(&["evaluate", file, "--json"]).stdout;
    let alone: Value = serde_json::from_str(&alone).unwrap();
    assert_eq!(alone["dimensions"][0]["n"], 118);
    let alone = program.succeed(&["evaluate", file]).stdout;
    assert!(alone.contains("CCC × 100"), "{alone}");
    // Together with a run of classes, each has its own table.
    let told = bench(&program, "classes", &["--epochs", "2"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let both = program
        .succeed(&["report", "classes", "out", "--markdown"])
        .stdout;
    assert!(both.contains("UA") && both.contains("CCC × 100"), "{both}");
    // Commands for classes reject dimensions by name.
    for (call, part) in [
        (
            vec!["submit", "out", "--system", "x"],
            "submissions and leaderboards are of classes",
        ),
        (
            vec!["report", "out", "--mteb", "mteb"],
            "these forms hold scores of classes",
        ),
        (
            vec![
                "compare",
                "out/predictions/mine/fbank.jsonl",
                "out/predictions/mine/fbank@seed1.jsonl",
            ],
            "holds dimensions",
        ),
    ] {
        let told = program.run(&call);
        assert_ne!(told.code, Some(0));
        assert!(told.stderr.contains(part), "{part} in {}", told.stderr);
    }
}

/// The folder of the first probe with this target.
fn probe(program: &Program, target: &str) -> String {
    let runs = std::fs::read_dir(program.path("home/runs/mine/fbank")).unwrap();
    let mut found = runs.flatten().filter(|run| {
        let text = std::fs::read_to_string(run.path().join("job.json")).unwrap();
        text.contains(&format!("\"target\": \"{target}\""))
    });
    found
        .next()
        .unwrap()
        .path()
        .join("fold1/probe")
        .display()
        .to_string()
}

/// The saved probe of such a run on recordings.
fn its_probe_tells(program: &Program) {
    program.write("loud.wav", &wav(&tone(1, 400.0, 0.9)));
    program.write("soft.wav", &wav(&tone(2, 400.0, 0.06)));
    let probe = probe(program, "dimensions");
    let told = program
        .succeed(&["predict", &probe, "loud.wav", "soft.wav", "--json"])
        .stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let arousal = |at: usize| told[at]["values"][1][1].as_f64().unwrap();
    assert_eq!(told[0]["values"][1][0], "arousal");
    assert!(arousal(0) > arousal(1) + 2.0, "{told}");
    let fit = [
        "fit",
        "--corpus",
        "mine",
        "--encoder",
        "fbank",
        "--home",
        "home",
    ];
    program
        .run(
            &[
                &fit[..],
                &["--target", "dimensions", "--out", "model", "model"],
            ]
            .concat(),
        )
        .fails_with(2, &["leave out --target dimensions"]);
}

#[test]
fn what_cannot_be_learnt_is_refused_and_what_a_card_does_not_train_is_told() {
    let program = Program::new();
    rated(&program);
    let told = bench(
        &program,
        "host",
        &[
            "--target",
            "dimensions",
            "--train-device",
            "host",
            "--epochs",
            "3",
        ],
    );
    assert_eq!(told.code, Some(SKIPPED), "{}", told.stderr);
    assert!(
        told.stderr.contains("trained on the processor: the kernels of a GPU learn classes; dimensions are trained on the processor alone"),
        "{}",
        told.stderr
    );
    for (more, part) in [
        (
            &["--target", "dimensions", "--layer-curve"][..],
            "a layer curve is of classes",
        ),
        (
            &["--target", "votes", "--perturb", "noise:10dB"],
            "what perturbations cost is of classes",
        ),
        (
            &["--target", "dimensions", "--class-weighting", "balanced"],
            "no classes to weigh",
        ),
        (&["--target", "feelings"], "votes"),
    ] {
        bench(&program, "no", more).fails_with(2, &[part]);
    }
    tones(&program, "plain");
    for (target, part) in [
        ("dimensions", "tones has no valence, arousal or dominance"),
        ("votes", "tones has no annotators' votes"),
    ] {
        let call = [
            "bench",
            "--corpus",
            "tones=plain",
            "--encoder",
            "fbank",
            "--home",
            "home",
            "--out",
            "no",
        ];
        program
            .run(&[&call[..], &["--target", target]].concat())
            .fails_with(2, &[part]);
    }
    let table = std::fs::read_to_string(program.path("own/labels.csv")).unwrap();
    program.write(
        "own/labels.csv",
        table.replacen(",1.000,", ",0.5,", 1).as_bytes(),
    );
    program
        .run(&["prepare", "mine", "--raw", "own", "--home", "home"])
        .fails_with(1, &["line 2", "0.5 is outside of the scale from 1 to 7"]);
}

#[test]
fn votes_are_another_protocol_scored_by_class_and_against_the_votes() {
    let program = Program::new();
    rated(&program);
    let told = bench(&program, "hard", &[]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let told = bench(&program, "soft", &["--target", "votes"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("Jensen–Shannon"), "{}", told.stdout);
    let run = |out: &str| program.json(&format!("{out}/scores.json"))["runs"][0].clone();
    let (hard, soft) = (run("hard"), run("soft"));
    assert!(hard["soft"].is_null());
    assert_eq!((&soft["n"], &soft["soft"]["n"]), (&120.into(), &117.into()));
    let divergence = soft["soft"]["jensen_shannon"].as_f64().unwrap();
    assert!((0.0..0.1).contains(&divergence), "{soft}");
    assert!(soft["ua"].as_f64().unwrap() > 0.8 && soft["ua_ci"].is_array());
    assert!(soft["config"].as_str().unwrap().ends_with(", votes"));
    // A leaderboard only accepts one protocol of hard labels.
    program.succeed(&["submit", "soft", "--system", "x"]);
    let home = ["--home", "home"];
    program
        .run(
            &[
                &["verify", "submission.json", "--training-seeds", "2"],
                &home[..],
            ]
            .concat(),
        )
        .fails_with(
            1,
            &["other constants than protocol \"strict\" has", "target"],
        );
}

/// Values and votes are exported with the table, and are unchanged when read again.
#[test]
fn an_exported_table_keeps_values_and_votes() {
    let program = Program::new();
    rated(&program);
    let prepare = |name: &str, raw: &str| {
        program.run(&["prepare", name, "--raw", raw, "--home", "home"]);
        let path = program.path(&format!("home/corpora/{name}/manifest.jsonl"));
        let lines = std::fs::read_to_string(path).unwrap();
        let kept = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            ["valence", "arousal", "votes"].map(|field| line[field].clone())
        };
        lines.lines().map(kept).collect::<Vec<_>>()
    };
    let before = prepare("mine", "own");
    program.succeed(&[
        "export", "mine", "--as", "hf", "--out", "own", "--home", "home",
    ]);
    std::fs::remove_file(program.path("own/labels.csv")).unwrap();
    let after = prepare("again", "own");
    assert_eq!(before.len(), 120);
    assert!(before.iter().any(|[valence, ..]| valence.is_number()));
    assert_eq!(before, after);
}

/// A corpus that has not what is learnt is told before anything is encoded, and the others go on.
#[test]
fn a_corpus_without_what_is_learnt_is_told_before_it_is_encoded() {
    let program = Program::new();
    rated(&program);
    tones(&program, "plain");
    let part = "plain has no valence, arousal or dominance in its manifest";
    let call = |more: &[&str]| {
        let more = [&["--target", "dimensions", "--corpus", "plain=plain"], more].concat();
        bench(&program, "out", &more)
    };
    let checked = call(&["--check"]);
    assert_eq!(checked.code, Some(SKIPPED), "{}", checked.stderr);
    assert!(checked.stdout.contains(part), "{}", checked.stdout);
    let planned = call(&["--plan"]).stdout;
    assert!(
        planned.contains(&format!("cannot be trained: {part}")),
        "{planned}"
    );
    let told = call(&[]);
    assert_eq!(told.code, Some(SKIPPED), "{}", told.stderr);
    assert!(told.stdout.contains("valence"), "{}", told.stdout);
    assert!(!program.path("home/features/plain").exists());
    let scores = program.json("out/scores.json");
    assert_eq!(scores["dimensions"][0]["corpus"], "mine");
    assert!(
        scores["absent"][0]["reason"]
            .as_str()
            .unwrap()
            .contains(part)
    );
}

/// Votes for other words than the classes of the corpus are none, by whatever way they come.
#[test]
fn votes_that_are_for_no_class_are_refused() {
    let program = Program::new();
    rated(&program);
    let table = std::fs::read_to_string(program.path("own/labels.csv")).unwrap();
    let other = table.replacen("votes_high,votes_low", "votes_joy,votes_anger", 1);
    program.write("own/labels.csv", other.as_bytes());
    let told = program.run(&["prepare", "mine", "--raw", "own", "--home", "home"]);
    let part = "votes that count for nothing, since no label has their class: anger, joy; the classes are high, low";
    assert!(told.stdout.contains(part), "{}", told.stdout);
    bench(&program, "no", &["--target", "votes"]).fails_with(
        2,
        &[
            "mine has no annotators' votes for any of its classes",
            "the votes are for anger, joy, the classes are high, low",
        ],
    );
    // Another case is the same class.
    let spelt = table.replacen("votes_high,votes_low", "votes_HIGH,Votes Low", 1);
    program.write("own/labels.csv", spelt.as_bytes());
    let told = bench(&program, "yes", &["--target", "votes", "--epochs", "2"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert_eq!(program.json("yes/scores.json")["runs"][0]["soft"]["n"], 117);
}

/// Speakers without ratings are in no fold; the partition of the classes stays as it is.
#[test]
fn speakers_that_nobody_rated_leave_no_fold_empty() {
    let program = Program::new();
    rated(&program);
    let table = std::fs::read_to_string(program.path("own/labels.csv")).unwrap();
    let unrated = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let mut cells = cells;
        if matches!(cells[2], "s0" | "s1" | "s2") {
            cells[3] = "NA";
        }
        cells.join(",") + "\n"
    };
    let lines: String = table.lines().map(unrated).collect();
    program.write("own/labels.csv", lines.as_bytes());
    bench(&program, "classes", &["--epochs", "2"]);
    let list = program.path("home/corpora/mine/partitions/speaker-seed0/partition.tsv");
    let before = std::fs::read_to_string(&list).unwrap();
    let told = bench(
        &program,
        "out",
        &["--target", "dimensions", "--epochs", "2"],
    );
    assert_eq!(told.code, Some(SKIPPED), "{}", told.stderr);
    let scores = program.json("out/scores.json");
    let all = scores["dimensions"].as_array().unwrap();
    let headline = all
        .iter()
        .find(|scores| scores["headline"] == true)
        .unwrap();
    // Clips 3 is of a speaker without ratings too, 50 is not.
    assert_eq!(
        (&headline["n"], &headline["interval"]["units"]),
        (&74.into(), &5.into())
    );
    assert_eq!(headline["skipped"][0]["count"], 46);
    assert_eq!(std::fs::read_to_string(&list).unwrap(), before);
    let own = program.path("home/corpora/mine/partitions/speaker-dimensions-seed0/partition.tsv");
    assert!(
        !std::fs::read_to_string(own)
            .unwrap()
            .contains("mine-wav-0_")
    );
}
