//! The information beside a score: what a leak is worth, the score from recording conditions alone, corpora that an encoder was
//! trained on, the chosen layer, and which encoders differ.

use crate::program::{Program, Transcript, tone, wav};
use serde_json::Value;
use std::fmt::Write;

const CLASSES: [&str; 4] = ["angry", "calm", "happy", "sad"];

/// A corpus of four classes by six speakers, `count(speaker, class)` recordings each, with the samples from
/// `samples(speaker, class, take)`.
fn corpus(
    program: &Program,
    folder: &str,
    count: impl Fn(usize, usize) -> usize,
    samples: impl Fn(usize, usize, usize) -> Vec<i16>,
) {
    let mut table = String::from("path,label,speaker\n");
    for speaker in 0..6 {
        for (class, emotion) in CLASSES.iter().enumerate() {
            for take in 0..count(speaker, class) {
                let file = format!("{speaker}-{class}-{take}.wav");
                let bytes = wav(&samples(speaker, class, take));
                program.write(&format!("{folder}/{file}"), &bytes);
                let _ = writeln!(table, "{file},{emotion},s{speaker}");
            }
        }
    }
    program.write(&format!("{folder}/labels.csv"), table.as_bytes());
}

/// Pseudo-random numbers, 0 to 1.
fn number(seed: usize) -> f32 {
    let mut mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed >> 40) as f32) / (1u64 << 24) as f32
}

/// Noise of this length.
fn noise(seed: usize, seconds: f32) -> Vec<i16> {
    let samples = (seconds * 16_000.0) as usize;
    (0..samples)
        .map(|i| ((number(seed * 100_000 + i) - 0.5) * 8000.0) as i16)
        .collect()
}

fn bench(program: &Program, corpora: &[&str], more: &[&str]) -> Transcript {
    let mut call = vec!["bench", "--encoder", "fbank", "--training-seeds", "1"];
    for corpus in corpora {
        call.extend(["--corpus", corpus]);
    }
    call.extend(["--out", "out", "--maps", "none"]);
    call.extend(more);
    done(program.run(&call))
}

/// Expects success; exit code 3 is allowed, for missing files of a release.
fn done(transcript: Transcript) -> Transcript {
    assert!(
        matches!(transcript.code, Some(0 | 3)),
        "{}",
        transcript.stderr
    );
    transcript
}

fn headline<'a>(scores: &'a Value, partition: &str) -> &'a Value {
    let runs = scores["runs"].as_array().unwrap();
    let is_it = |run: &&Value| run["headline"] == true && run["partition"] == partition;
    runs.iter().find(is_it).unwrap()
}

/// A tiny encoder's checkpoint under any name.
fn tiny(program: &Program, name: &str) -> String {
    program.checkpoint("whisper-80.pt", "tiny.pt");
    format!("{name}=tiny.pt")
}

#[test]
fn a_corpus_whose_classes_differ_in_duration_alone_warns_and_one_where_nothing_differs_does_not() {
    let program = Program::new();
    let takes = |_, _| 4;
    let serial = |speaker: usize, class: usize, take: usize| (speaker * 4 + class) * 4 + take;
    corpus(&program, "told", takes, |speaker, class, take| {
        let at = serial(speaker, class, take);
        noise(at, 0.2 + 0.15 * class as f32 + 0.1 * number(at))
    });
    corpus(&program, "level", takes, |speaker, class, take| {
        let at = serial(speaker, class, take);
        noise(at, 0.3 + 0.4 * number(7 * at + 3))
    });
    bench(
        &program,
        &["told=told", "level=level"],
        // The score that is tested needs no training.
        &["--scheme", "speaker", "--epochs", "2"],
    );
    let (scores, report) = (
        program.json("out/scores.json"),
        program.json("out/report.json"),
    );
    let nuisance = |corpus: &str| {
        let mut runs = scores["runs"].as_array().unwrap().iter();
        let run = runs.find(|run| run["corpus"] == corpus && run["headline"] == true);
        run.unwrap()["nuisance_ua"].as_f64().unwrap()
    };
    assert!(nuisance("told") > 0.7, "{}", nuisance("told"));
    assert!(nuisance("level") < 0.35, "{}", nuisance("level"));
    let warning = |corpus: &str| {
        let mut audits = report["audits"].as_array().unwrap().iter();
        audits.find(|audit| audit["corpus"] == corpus).unwrap()["warning"].clone()
    };
    let told = warning("told");
    let sentence = "duration, level, noise floor, rate and channels alone give UA";
    assert!(told.as_str().unwrap().contains(sentence), "{told}");
    assert!(warning("level").is_null());
    let page = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(page.contains("1 where the recording alone is far above chance"));
    let printed = program.succeed(&["report", "out"]).stdout;
    assert!(
        printed.contains("UA % without hearing emotion"),
        "{printed}"
    );
    assert!(
        printed.contains("Level and duration are partly emotion"),
        "{printed}"
    );
}

#[test]
fn a_leak_is_measured_by_the_partition_without_one() {
    let program = Program::new();
    // Every speaker has different pitches for the classes, so that classes are recognised only for speakers in training. Each
    // has one class more often than the others: the paper's rules then put speakers on both sides.
    let count = |speaker: usize, class: usize| if class == speaker % 4 { 9 } else { 3 };
    corpus(&program, "own", count, |speaker, class, take| {
        let place = speaker * 4 + (class * (1 + 2 * (speaker % 2)) + speaker) % 4;
        let pitch = 150.0 * 1.17_f32.powi(place as i32);
        let samples = 6400 + 160 * take;
        (0..samples)
            .map(|i| ((i as f32 / 16_000.0 * pitch * std::f32::consts::TAU).sin() * 9000.0) as i16)
            .collect()
    });
    let table = bench(
        &program,
        &["own=own"],
        &["--scheme", "paper,speaker", "--protocol", "paper"],
    )
    .stdout;
    assert!(table.contains("UA less speaker's"), "{table}");
    let scores = program.json("out/scores.json");
    let (paper, speaker) = (headline(&scores, "paper"), headline(&scores, "speaker"));
    assert!(
        paper["audit"]
            .as_str()
            .unwrap()
            .contains("test speakers are in train")
    );
    assert!(
        speaker["audit"]
            .as_str()
            .unwrap()
            .starts_with("no test speaker is in train")
    );
    let leaks = scores["leaks"].as_array().unwrap();
    assert_eq!(leaks.len(), 1);
    for score in ["ua", "wa", "macro_f1"] {
        let worth = paper[score].as_f64().unwrap() - speaker[score].as_f64().unwrap();
        let told = leaks[0][score]["difference"].as_f64().unwrap();
        assert!((told - worth).abs() < 1e-12, "{score}");
    }
    let (worth, ci) = (&leaks[0]["ua"]["difference"], &leaks[0]["ua"]["ci"]);
    assert!(worth.as_f64().unwrap() > 0.3, "{leaks:?}");
    assert!(ci[0].as_f64().unwrap() > 0.0, "{leaks:?}");
    for file in ["fbank@paper.jsonl", "fbank@speaker.jsonl"] {
        assert!(
            program.path("out/predictions/own").join(file).exists(),
            "{file}"
        );
    }
    // A single partition leaks as much, but has nothing to be compared with.
    bench(
        &program,
        &["own=own"],
        &["--scheme", "paper", "--protocol", "paper"],
    );
    let alone = program.json("out/scores.json");
    assert_eq!(headline(&alone, "paper")["ua"], paper["ua"]);
    assert!(alone["leaks"].is_null() || alone["leaks"].as_array().unwrap().is_empty());
}

/// Tones in the layout of EmoDB's release, four classes by five speakers.
fn berlin(program: &Program) {
    for speaker in ["03", "08", "09", "10", "11"] {
        for (class, letter) in ["W", "F", "N", "T"].iter().enumerate() {
            for text in ["a01", "a02", "b01"] {
                let variation = text.len() + speaker.len() + usize::from(text.ends_with('2'));
                let samples = tone(class, variation + usize::from(speaker > "08"), 0.4);
                program.write(
                    &format!("berlin/wav/{speaker}{text}{letter}a.wav"),
                    &wav(&samples),
                );
            }
        }
    }
}

#[test]
fn scores_of_encoders_that_have_heard_a_corpus_are_marked() {
    let program = Program::new();
    berlin(&program);
    corpus(
        &program,
        "own",
        |_, _| 2,
        |speaker, class, take| tone(class, speaker + take, 0.4),
    );
    let knowing = tiny(&program, "emotion2vec-plus-seed");
    let more = ["--encoder", &knowing, "--allow-missing", "--epochs", "5"];
    let table = bench(&program, &["emodb=berlin", "own=own"], &more).stdout;
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.contains("emotion2vec-plus-seed"))
        .collect();
    let row = |corpus: &str| *rows.iter().find(|row| row.starts_with(corpus)).unwrap();
    assert!(row("emodb").contains("emotion2vec-plus-seed †"), "{table}");
    // A user's own corpus is not one that it was trained on.
    assert!(!row("own").contains('†'), "{table}");
    let note = "† emotion2vec-plus-seed on emodb: fine-tuned on the academic corpora of EmoBox with their labels";
    assert!(table.contains(note), "{table}");
    let scores = program.json("out/scores.json");
    for run in scores["runs"].as_array().unwrap() {
        let knows = run["encoder"] == "emotion2vec-plus-seed" && run["corpus"] == "emodb";
        assert_eq!(run["heard"].is_string(), knows, "{run}");
    }
    // Two encoders were run: they are compared on each corpus, with p corrected over both pairs.
    let compared = scores["comparisons"].as_array().unwrap();
    let pairs: Vec<String> = compared
        .iter()
        .map(|c| format!("{} {} {}", c["corpus"], c["a"], c["b"]))
        .collect();
    assert_eq!(pairs.len(), 2, "{pairs:?}");
    assert!(
        compared
            .iter()
            .all(|c| c["ua"]["p_corrected"].as_f64() >= c["ua"]["p"].as_f64())
    );
    let page = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(page.contains("2 pairs, p corrected by Holm over them"));
    // The command gives the same comparison.
    let files =
        ["fbank", "emotion2vec-plus-seed"].map(|e| format!("out/predictions/emodb/{e}.jsonl"));
    let told = program
        .succeed(&["compare", &files[0], &files[1], "--json"])
        .stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let ours = compared.iter().find(|c| c["corpus"] == "emodb").unwrap();
    for name in ["difference", "ci", "p", "p_t"] {
        assert_eq!(told[0]["ua"][name], ours["ua"][name], "{name}");
    }
}

#[test]
fn cells_across_corpora_and_labellers_that_have_heard_them_are_marked() {
    let program = Program::new();
    berlin(&program);
    corpus(
        &program,
        "own",
        |_, _| 3,
        |speaker, class, take| tone(class, speaker + take, 0.4),
    );
    let knowing = tiny(&program, "emotion2vec-plus-seed");
    let call = [
        "cross",
        "--corpus",
        "emodb=berlin",
        "--corpus",
        "own=own",
        "--encoder",
        "fbank",
        "--encoder",
        &knowing,
        "--allow-missing",
        "--training-seeds",
        "1",
        "--class",
        "angry=Angry,angry",
        "--class",
        "sad=Sad,sad",
        "--labeller",
        &knowing,
        "--out",
        "out",
    ];
    let table = done(program.run(&call)).stdout;
    assert!(
        table.contains("† emotion2vec-plus-seed has heard emodb in training"),
        "{table}"
    );
    let scores = program.json("out/scores.json");
    for matrix in scores["cross"].as_array().unwrap() {
        for cell in matrix["cells"].as_array().unwrap() {
            let knows = matrix["encoder"] == "emotion2vec-plus-seed" && cell["test"] == "emodb";
            assert_eq!(cell["heard"].is_string(), knows, "{cell}");
        }
    }
    let notes = program.json("out/report.json")["notes"].to_string();
    for told in [
        "The labeller emotion2vec-plus-seed was trained with emotion labels on corpora that it labels here (emodb)",
        "emotion2vec-plus-seed chose the test utterances and is one of the encoders that are compared",
        "† emotion2vec-plus-seed is known to have heard test corpora in training (emodb)",
    ] {
        assert!(notes.contains(told), "{told}\n{notes}");
    }
    let marked = program.succeed(&["report", "out", "--markdown"]).stdout;
    assert!(
        marked
            .lines()
            .any(|line| line.starts_with("| emotion2vec-plus-seed | emodb") && line.contains('†')),
        "{marked}"
    );
    assert!(
        !marked
            .lines()
            .any(|line| line.starts_with("| fbank") && line.contains('†')),
        "{marked}"
    );
}

#[test]
fn the_layer_of_a_curve_is_chosen_on_validation() {
    let program = Program::new();
    corpus(
        &program,
        "own",
        |_, _| 3,
        |speaker, class, take| tone(class, speaker + take, 0.4),
    );
    let small = tiny(&program, "small");
    bench(
        &program,
        &["own=own"],
        &["--encoder", &small, "--layer-curve", "--epochs", "10"],
    );
    let report = program.json("out/report.json");
    let curves = report["layers"].as_array().unwrap();
    let curve = curves
        .iter()
        .find(|curve| curve["encoder"] == "small")
        .unwrap();
    let points = curve["points"].as_array().unwrap();
    assert!(points.len() > 2, "{curve}");
    let valid = |point: &Value| point["valid_ua"].as_f64().unwrap();
    let best = points.iter().map(valid).fold(0.0, f64::max);
    let first = points.iter().find(|point| valid(point) == best).unwrap();
    assert_eq!(curve["chosen"], first["layer"]);
    assert!(
        curve["head"]
            .as_str()
            .unwrap()
            .contains("which is not the table's head")
    );
}

#[test]
fn a_curve_with_the_tables_own_head_is_what_each_layer_scores_alone() {
    let program = Program::new();
    corpus(
        &program,
        "own",
        |_, _| 2,
        |speaker, class, take| tone(class, speaker + take, 0.3),
    );
    let small = tiny(&program, "small");
    let call = |more: &[&str]| {
        let call = [
            "bench",
            "--corpus",
            "own=own",
            "--encoder",
            &small,
            "--training-seeds",
            "1",
        ];
        program.run(&[&call[..], &["--maps", "none", "--out", "out"], more].concat())
    };
    call(&["--layer-curve-head", "own"]).fails_with(2, &["name them with --layers all"]);
    done(call(&["--layer-curve-head", "own", "--layers", "all"]));
    // A verifier knows the protocol with a sum of layers.
    program.succeed(&["submit", "out", "--system", "a sum of layers"]);
    program.succeed(&["verify", "submission.json", "--training-seeds", "1"]);
    let curve = program.json("out/report.json")["layers"][0].clone();
    let head = curve["head"].as_str().unwrap();
    assert!(
        head.contains("the table's own head (linear-relu-mean-linear)"),
        "{head}"
    );
    let points = curve["points"].as_array().unwrap();
    assert_eq!(points.len(), 3);
    for layer in [0_u64, 2] {
        done(call(&["--layers", &layer.to_string()]));
        let alone = program.json("out/scores.json");
        let point = points.iter().find(|point| point["layer"] == layer);
        assert_eq!(
            point.unwrap()["ua"],
            headline(&alone, "paper")["ua"],
            "layer {layer}"
        );
    }
}
