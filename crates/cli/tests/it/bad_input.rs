//! Bad input, each with its message: what is wrong, where, and what to do.

use crate::program::{Program, float_wav, shared, tone, tones, wav};

fn bench(program: &Program, corpus: &str) -> crate::program::Transcript {
    let corpus = format!("mine={corpus}");
    program.run(&[
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--out",
        "out",
    ])
}

#[test]
fn broken_recordings_are_named_and_the_rest_goes_on() {
    let program = Program::new();
    let folder = tones(&program, "corpus");
    let whole = wav(&tone(0, 0, 0.5));
    program.write("corpus/angry/truncated.wav", &whole[..whole.len() / 2]);
    program.write("corpus/angry/empty.wav", b"");
    program.write("corpus/happy/text.wav", b"this is a text file, not audio\n");
    program.write("corpus/sad/nan.wav", &float_wav(&[f32::NAN; 8000]));
    let transcript = bench(&program, folder.to_str().unwrap());
    transcript.fails_with(3, &["nan.wav"]);
    let prepare = std::fs::read_to_string(program.path("home/corpora/mine/prepare.json")).unwrap();
    for name in ["truncated.wav", "empty.wav", "text.wav"] {
        assert!(prepare.contains(name), "{name} is not in prepare.json");
    }
    let report = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(report.contains("skipped"));
}

#[test]
fn an_empty_folder_says_what_was_expected() {
    let program = Program::new();
    std::fs::create_dir(program.path("nothing")).unwrap();
    for (name, hint) in [("emodb", "wav/"), ("mine", "emotion")] {
        let transcript = program.run(&["prepare", name, "--raw", "nothing"]);
        transcript.fails_with(1, &["no audio", hint]);
    }
    let transcript = program.run(&["prepare", "emodb", "--raw", "absent"]);
    transcript.fails_with(2, &["absent does not exist"]);
}

#[test]
fn the_wrong_corpus_is_recognised() {
    let program = Program::new();
    for (name, count) in [("03a01Fa", 3), ("03a01Nc", 4), ("08a02Wc", 5)] {
        program.write(&format!("raw/wav/{name}.wav"), &wav(&tone(0, count, 0.2)));
    }
    let transcript = program.run(&["prepare", "urdu", "--raw", "raw"]);
    transcript.fails_with(1, &["urdu", "emodb"]);
}

#[test]
fn tables_are_checked_line_by_line() {
    let program = Program::new();
    tones(&program, "corpus");
    program.write(
        "corpus/label_map.json",
        br#"{"angry": "Angry", "sad": "Sad"}"#,
    );
    program.write(
        "corpus/labels.csv",
        b"path,label\nangry/0.wav,angry\nsad/0.wav,melancholic\nsad/absent.wav,sad\n../climb.wav,sad\n",
    );
    let transcript = program.run(&["prepare", "mine", "--raw", "corpus/labels.csv"]);
    transcript.fails_with(
        1,
        &[
            "labels.csv",
            "line 3",
            "melancholic",
            "line 4",
            "absent.wav",
            "line 5",
        ],
    );
}

#[test]
fn checkpoints_are_checked_before_any_work() {
    let program = Program::new();
    let corpus = tones(&program, "corpus");
    let corpus = format!("mine={}", corpus.display());
    program.write("bert/config.json", br#"{"model_type": "bert"}"#);
    program.write("bert/model.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    let call = [
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "other=bert",
        "--out",
        "out",
    ];
    program.run(&call).fails_with(1, &["bert", "whisper"]);
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn damaged_checkpoints_are_named_before_any_work() {
    let program = Program::new();
    let corpus = format!("mine={}", tones(&program, "corpus").display());
    let weights = shared("weights/whisper-tiny.en");
    for name in ["config.json", "preprocessor_config.json"] {
        program.write(
            &format!("cut/{name}"),
            &std::fs::read(weights.join(name)).unwrap(),
        );
    }
    let whole = std::fs::read(weights.join("model.safetensors")).unwrap();
    let call = [
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "w=cut",
        "--out",
        "out",
    ];
    program.write("cut/model.safetensors", &whole[..whole.len() / 2]);
    program.run(&call).fails_with(1, &["model.safetensors"]);

    // One tensor renamed, then one with another shape, by editing the header in place.
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&whole[8..8 + length]).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(header.contains(from) && from.len() == to.len());
        let mut bytes = whole[..8].to_vec();
        bytes.extend_from_slice(header.replacen(from, to, 1).as_bytes());
        bytes.extend_from_slice(&whole[8 + length..]);
        bytes
    };
    let renamed = edit("encoder.layers.1.fc1.weight", "encoder.layers.1.fc9.weight");
    program.write("cut/model.safetensors", &renamed);
    program
        .run(&call)
        .fails_with(1, &["layers.1.fc1.weight", "missing"]);
    let at = header.find("encoder.layers.1.fc1.weight").unwrap();
    let shape_at = at + header[at..].find("[1536,384]").unwrap();
    let mut misshapen = whole.clone();
    misshapen[8 + shape_at..8 + shape_at + 10].copy_from_slice(b"[384,1536]");
    program.write("cut/model.safetensors", &misshapen);
    program
        .run(&call)
        .fails_with(1, &["layers.1.fc1.weight", "[384, 1536]", "[1536, 384]"]);
}

#[test]
fn wrong_calls_exit_with_two_and_say_what_would_be_right() {
    let program = Program::new();
    program
        .run(&["bench", "--encoder", "fbank"])
        .fails_with(2, &["no corpus", "--corpus NAME=DIR"]);
    program
        .run(&["bench", "--corpus", "emodb=x"])
        .fails_with(2, &["no encoder", "fbank"]);
    program
        .run(&["bench", "--corpus", "emodb", "--encoder", "fbank"])
        .fails_with(2, &["emodb is not prepared", "--corpus emodb=DIR"]);
    program
        .run(&["bench", "--corpus", "../x=y", "--encoder", "fbank"])
        .fails_with(2, &["../x"]);
    program
        .run(&["bench", "absent.toml"])
        .fails_with(2, &["absent.toml"]);
    program.write("bad.toml", b"sead = 1\n");
    program
        .run(&["bench", "bad.toml"])
        .fails_with(2, &["bad.toml", "sead"]);
    program
        .run(&["corpora", "show", "nope"])
        .fails_with(2, &["nope", "emodb"]);
    program.run(&["frobnicate"]).fails_with(2, &["frobnicate"]);
}

#[test]
fn an_output_folder_that_cannot_be_written_is_found_first() {
    let program = Program::new();
    let corpus = tones(&program, "corpus");
    let corpus = format!("mine={}", corpus.display());
    program.write("file", b"not a folder");
    let transcript = program.run(&[
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--out",
        "file/out",
    ]);
    transcript.fails_with(1, &["file/out"]);
    assert!(
        !program.path("home").exists(),
        "work began before the check"
    );
}

#[test]
fn a_manifest_that_climbs_out_is_refused() {
    let program = Program::new();
    let corpus = tones(&program, "corpus");
    program.succeed(&["prepare", "mine", "--raw", corpus.to_str().unwrap()]);
    let manifest = program.path("home/corpora/mine/manifest.jsonl");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let climbing = text.replacen("angry/0.wav", "../../etc/passwd", 1);
    assert_ne!(text, climbing);
    std::fs::write(&manifest, climbing).unwrap();
    let call = ["extract", "--corpus", "mine", "--encoder", "fbank"];
    program
        .run(&call)
        .fails_with(1, &["manifest.jsonl", "line 1", "climbs out"]);
}

#[test]
fn predictions_that_are_classes_in_another_writing_are_refused() {
    let program = Program::new();
    let line = |key: &str, found: &str| {
        format!("{{\"key\":\"{key}\",\"fold\":1,\"label\":\"anger\",\"prediction\":\"{found}\"}}\n")
    };
    for other in ["Anger", " anger", "ANGER "] {
        let text = line("a", "anger") + &line("b", other);
        program.write("p.jsonl", text.as_bytes());
        program.write(
            "q.jsonl",
            (line("a", "anger") + &line("b", "anger")).as_bytes(),
        );
        let parts = [
            "b: prediction",
            "class \"anger\" differ only in case, space",
        ];
        program.run(&["evaluate", "p.jsonl"]).fails_with(1, &parts);
        program
            .run(&["compare", "p.jsonl", "q.jsonl"])
            .fails_with(1, &parts);
    }
    program.write(
        "p.jsonl",
        (line("a", "anger") + &line("b", "sad")).as_bytes(),
    );
    program.succeed(&["evaluate", "p.jsonl"]);
}
