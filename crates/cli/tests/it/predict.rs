//! Saved probes in use: files, windows, and the pipe of a recorder.

use crate::program::{Program, tone, tones, wav};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

/// A probe trained on 18 tones.
fn probe(program: &Program) -> PathBuf {
    let corpus = format!("tones={}", tones(program, "corpus").display());
    let call = ["bench", "--corpus", &corpus, "--encoder", "fbank"];
    program.succeed(&call);
    let mut jobs = std::fs::read_dir(program.path("home/runs/tones/fbank")).unwrap();
    jobs.next().unwrap().unwrap().path().join("fold1/probe")
}

#[test]
fn a_recorders_pipe_gives_what_the_file_gives() {
    let program = Program::new();
    let probe = probe(&program).display().to_string();
    let samples = tone(1, 2, 2.3);
    program.write("heard.wav", &wav(&samples));

    let whole = program.succeed(&["predict", &probe, "heard.wav"]).stdout;
    let fields: Vec<&str> = whole.trim_end().split('\t').collect();
    assert_eq!(fields.len(), 5, "{whole}");

    let windows = ["--window", "1", "--hop", "0.5"];
    let from_file = program.succeed(&[&["predict", &probe, "heard.wav"][..], &windows].concat());
    let lines: Vec<Vec<&str>> = from_file
        .stdout
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let times: Vec<[&str; 2]> = lines.iter().map(|line| [line[1], line[2]]).collect();
    // The last window ends at the end of the recording.
    let expected = [
        ["0.00", "1.00"],
        ["0.50", "1.50"],
        ["1.00", "2.00"],
        ["1.30", "2.30"],
    ];
    assert_eq!(times, expected);

    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let piped = |bytes: &[u8], more: &[&str]| {
        let mut child = program
            .command(&[&["predict", &probe, "-", "--raw", "s16le"], more].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        program.transcript(&child.wait_with_output().unwrap())
    };
    let renamed = |text: &str| text.replace("heard.wav", "-");
    assert_eq!(piped(&bytes, &[]).stdout, renamed(&whole));
    assert_eq!(piped(&bytes, &windows).stdout, renamed(&from_file.stdout));

    // One JSON object per line, printed as each window is finished.
    let json = piped(&bytes, &[&windows[..], &["--json"]].concat()).stdout;
    for (line, fields) in json.lines().zip(&lines) {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["prediction"], fields[3]);
        assert_eq!(
            format!("{:.2}", answer["start"].as_f64().unwrap()),
            fields[1]
        );
    }
    assert_eq!(json.lines().count(), 4);

    piped(&bytes[..1001], &[]).fails_with(2, &["ends within a sample", "s16le"]);
    piped(&[], &[]).fails_with(1, &["too short"]);
}

#[test]
fn calls_that_make_no_sense_are_refused_before_any_work() {
    let program = Program::new();
    let call = |more: &[&str]| program.run(&[&["predict", "no-probe", "x.wav"], more].concat());
    call(&["--hop", "1"]).fails_with(2, &["--window"]);
    call(&["--window", "1", "--hop", "2"]).fails_with(2, &["windows of 1 s every 2 s"]);
    call(&["--raw", "mp3"]).fails_with(2, &["s16le or f32le"]);
    call(&["--rate", "8000"]).fails_with(2, &["--raw"]);
}

#[test]
fn class_weighting_and_logit_adjustment_are_part_of_the_protocol() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    // A rare class, so that weighting has an effect.
    for variation in 2..6 {
        std::fs::remove_file(program.path(&format!("corpus/sad/{variation}.wav"))).unwrap();
    }
    let scores = |out: &str, more: &[&str]| {
        let call = [
            "bench",
            "--corpus",
            &corpus,
            "--encoder",
            "fbank",
            "--out",
            out,
        ];
        program.succeed(&[&call[..], more].concat());
        let text = std::fs::read_to_string(program.path(out).join("scores.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let plain = scores("plain", &[]);
    let weighted = scores(
        "weighted",
        &["--class-weighting", "balanced", "--logit-adjustment", "0.5"],
    );
    let text = weighted.to_string();
    assert!(
        text.contains("balanced classes, logit adjustment 0.5"),
        "{text}"
    );
    assert!(!plain.to_string().contains("balanced classes"));
    let curves =
        |out: &str| std::fs::read_to_string(program.path(out).join("report.html")).unwrap();
    assert_ne!(curves("plain"), curves("weighted"));

    let toml = format!(
        "class_weighting = \"balanced\"\nlogit_adjustment = 0.5\n[[corpus]]\nname = \"tones\"\nraw = {:?}\n[[encoder]]\nname = \"fbank\"\n",
        program.path("corpus")
    );
    let file = program.write("experiment.toml", toml.as_bytes());
    let again = program.succeed(&["bench", file.to_str().unwrap(), "--out", "again"]);
    assert!(
        !again.stderr.contains("training"),
        "the same protocol was trained again"
    );

    let call = ["bench", "--corpus", &corpus, "--encoder", "fbank"];
    let run = |more: &[&str]| program.run(&[&call[..], more].concat());
    run(&["--head", "hydra"]).fails_with(2, &["hydra", "linear-relu-mean-linear"]);
    run(&["--logit-adjustment", "nan"]).fails_with(2, &["logit adjustment must be finite"]);
}

#[test]
fn a_model_is_fitted_on_everything_and_asked_by_its_name() {
    let program = Program::new();
    let folder = tones(&program, "corpus");
    let corpus = format!("tones={}", folder.display());
    let call = ["fit", "mine", "--corpus", &corpus, "--encoder", "fbank"];
    let fitted = program.succeed(&call);
    assert!(fitted.stdout.contains("tones"), "{}", fitted.stdout);
    let card = std::fs::read_to_string(program.path("home/models/mine/MODEL.md")).unwrap();
    for part in [
        "# Emotion of speech: tones on fbank",
        "Trained on all 18 utterances",
        "Nothing is left to test this probe on",
        "| tones",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    for file in ["probe.json", "scores.json", "report.html"] {
        assert!(
            program.path("home/models/mine").join(file).exists(),
            "{file}"
        );
    }

    // A folder is processed in order of file names, and CSV has every class.
    let call = ["predict", "mine", "corpus", "--csv"];
    let told = program.succeed(&call).stdout;
    let mut rows = told.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let heading = rows.next().unwrap();
    assert_eq!(heading[..3], ["file", "seconds", "prediction"]);
    let rows: Vec<Vec<&str>> = rows.collect();
    assert_eq!(rows.len(), 18, "{told}");
    assert!(rows.iter().map(|row| row[0]).is_sorted(), "{told}");
    for row in &rows {
        let probabilities = row[3..].iter().map(|p| p.parse::<f64>().unwrap());
        assert!((probabilities.sum::<f64>() - 1.0).abs() < 1e-3, "{row:?}");
    }
    let moved = program.path("elsewhere");
    std::fs::rename(program.path("home/models/mine"), &moved).unwrap();
    let again = ["predict", "elsewhere", "corpus", "--csv"];
    assert_eq!(program.succeed(&again).stdout, told);

    // The folder that a bench prints is not a model, and the error says how to make one; a folder without audio is named.
    let bench = [
        "bench",
        "--corpus",
        "tones",
        "--encoder",
        "fbank",
        "--out",
        "run",
    ];
    program.succeed(&bench);
    program
        .run(&["predict", "run", "corpus"])
        .fails_with(2, &["a probe for each fold", "emobox fit NAME"]);
    std::fs::create_dir(program.path("empty")).unwrap();
    program
        .run(&["predict", "elsewhere", "empty"])
        .fails_with(2, &["empty holds no audio file"]);
    let two = [
        "fit",
        "x",
        "--corpus",
        "tones",
        "--encoder",
        "fbank",
        "--encoder",
        "fbank2=y",
    ];
    program
        .run(&two)
        .fails_with(2, &["one corpus and one encoder"]);
}

#[test]
fn an_exported_model_needs_nothing_else() {
    let program = Program::new();
    let checkpoint = program.checkpoint("data2vec2-base.pt", "checkpoint/tiny.pt");
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let encoder = format!("tiny={}", checkpoint.display());
    let seeds = ["--training-seeds", "1"];
    program.succeed(
        &[
            &["fit", "mine", "--corpus", &corpus, "--encoder", &encoder][..],
            &seeds,
        ]
        .concat(),
    );
    program.write("heard.wav", &wav(&tone(1, 2, 1.0)));
    let answer = program.succeed(&["predict", "mine", "heard.wav"]).stdout;
    program.succeed(&["export-model", "mine", "model"]);
    program.succeed(&["export-model", "mine", "bare", "--without-encoder"]);
    // On another machine: without the home, without the original checkpoint, in another folder.
    std::fs::remove_dir_all(program.path("home")).unwrap();
    std::fs::remove_dir_all(program.path("checkpoint")).unwrap();
    std::fs::rename(program.path("model"), program.path("elsewhere")).unwrap();
    assert_eq!(
        program
            .succeed(&["predict", "elsewhere", "heard.wav"])
            .stdout,
        answer
    );
    for file in [
        "probe.json",
        "probe.safetensors",
        "MODEL.md",
        "encoder/tiny.pt",
    ] {
        assert!(program.path("elsewhere").join(file).exists(), "{file}");
    }
    // ONNX IR version 8, produced by emobox.
    let onnx = std::fs::read(program.path("elsewhere/probe.onnx")).unwrap();
    assert_eq!(onnx[..10], *b"\x08\x08\x12\x06emobox");
    program
        .run(&["predict", "bare", "heard.wav"])
        .fails_with(2, &["unknown encoder `tiny`"]);
    program
        .run(&["export-model", "corpus", "again"])
        .fails_with(2, &["neither a model of this home"]);
}
