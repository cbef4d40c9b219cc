//! Extraction in batches on the host's device: the kernels of the GPU, on this machine's CPU.

use crate::extraction::store;
use crate::program::{Program, tone, tones, wav};
use serde_json::Value;

/// A corpus of 18 short tones and three of other lengths, a tiny HuBERT and a tiny data2vec 2.0.
fn ragged(program: &Program) {
    tones(program, "corpus");
    for (at, seconds) in [1.9, 3.1, 0.03].into_iter().enumerate() {
        let name = format!("corpus/sad/long{at}.wav");
        program.write(&name, &wav(&tone(2, at, seconds)));
    }
    for (name, file) in [
        ("h.pt", "hubert-fairseq-base.pt"),
        ("d.pt", "data2vec2-base.pt"),
    ] {
        program.checkpoint(file, name);
    }
}

/// `extract` with more options, into its own home; returns the printed JSON.
fn extract(program: &Program, home: &str, more: &[&str]) -> Value {
    let mut call = vec![
        "extract",
        "--corpus",
        "tones=corpus",
        "--home",
        home,
        "--json",
    ];
    call.extend(more);
    serde_json::from_str(&program.succeed(&call).stdout).unwrap()
}

/// In one batch, in several, one by one; on two devices; with little host memory: the same bytes in every file.
#[test]
fn the_store_is_the_same_whatever_the_batches() {
    let program = Program::new();
    ragged(&program);
    let encoder = ["--encoder", "h=h.pt"];
    let with = |home: &str, more: &[&str]| {
        let all: Vec<&str> = encoder.iter().chain(more).copied().collect();
        let done = extract(&program, home, &all);
        assert_eq!(done[0]["encoded"], 21, "{done}");
        let of = |key: &str| -> u64 {
            let devices = done[0]["devices"].as_array().unwrap().iter();
            devices.map(|device| device[key].as_u64().unwrap()).sum()
        };
        assert_eq!(of("utterances"), 21);
        of("batches")
    };
    let batches = [
        with("whole", &["--device", "host"]),
        with("several", &["--device", "host:14"]),
        with("single", &["--device", "host:8"]),
        with("two", &["--device", "host:14,host:14"]),
        with("little", &["--device", "host", "--memory", "1M"]),
    ];
    assert_eq!(batches[0], 1);
    assert!((3..9).contains(&batches[1]), "{batches:?}");
    assert_eq!(batches[2], 21);
    assert!((3..9).contains(&batches[3]), "{batches:?}");
    assert!((5..22).contains(&batches[4]), "{batches:?}");
    let whole = store(&program, "whole");
    for home in ["several", "single", "two", "little"] {
        assert!(store(&program, home) == whole, "{home}");
    }
}

/// An utterance too long for the device's memory is reported with its length, does not affect others, and is tried again.
#[test]
fn an_utterance_that_does_not_fit_is_named_with_its_length() {
    let program = Program::new();
    ragged(&program);
    program.write("corpus/sad/endless.wav", &wav(&tone(2, 1, 40.0)));
    let call = |home, device| {
        let mut call = vec!["extract", "--corpus", "tones=corpus", "--home", home];
        call.extend(["--encoder", "h=h.pt", "--device", device]);
        // Only the input of the blocks; attention over 40 s takes the host's kernels minutes.
        call.extend(["--layers", "0"]);
        call
    };
    let run = program.run(&call("home", "host:2"));
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    for part in [
        "endless",
        "its 40.0 s do not fit the device's memory",
        "of 2097152 free",
        "--device cpu",
        "1 not readable now",
    ] {
        assert!(run.stdout.contains(part), "{part} in {}", run.stdout);
    }
    // This is not a property of the audio: with enough memory it is encoded.
    program.succeed(&call("home", "host"));
    program.succeed(&call("other", "host"));
    assert!(store(&program, "home") == store(&program, "other"));
}

/// Shards written before a kill are kept; the store equals that of an undisturbed run.
#[test]
fn a_kill_in_the_middle_of_batches_resumes() {
    let program = Program::new();
    ragged(&program);
    for at in 0..220 {
        let seconds = 0.03 + 0.0007 * at as f32;
        let name = format!("corpus/angry/many{at:03}.wav");
        program.write(&name, &wav(&tone(0, at, seconds)));
    }
    let device = ["--encoder", "h=h.pt", "--device", "host:8"];
    let whole = extract(&program, "whole", &device);
    assert_eq!(whole[0]["encoded"], 241);
    let mut call = vec!["extract", "--corpus", "tones=corpus", "--home", "killed"];
    call.extend(device);
    let frames = program.path("killed/features/tones/h/frames");
    let there = || {
        let files = std::fs::read_dir(&frames).into_iter().flatten().flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".safetensors")).count()
    };
    Program::kill_once(&mut program.command(&call), || there() > 0);
    assert!(there() > 0);
    let resumed = extract(&program, "killed", &device);
    assert!(resumed[0]["encoded"].as_u64().unwrap() < 241, "{resumed}");
    assert!(store(&program, "killed") == store(&program, "whole"));
}

/// Two encoders: the second reuses the decoded audio, and both stores equal those of each alone.
#[test]
fn audio_is_decoded_once_for_several_encoders() {
    let program = Program::new();
    ragged(&program);
    let one = ["--encoder", "h=h.pt", "--device", "host"];
    let other = ["--encoder", "d=d.pt", "--device", "host"];
    let both: Vec<&str> = one.into_iter().chain(["--encoder", "d=d.pt"]).collect();
    let done = extract(&program, "both", &both);
    assert_eq!(done[0].get("from_memory"), None);
    assert_eq!(done[1]["from_memory"], 21, "{done}");
    extract(&program, "each", &one);
    extract(&program, "each", &other);
    assert!(store(&program, "both") == store(&program, "each"));
    // A little memory holds a part of it: 2 MiB of samples at two bytes each.
    let mut little = both;
    little.extend(["--memory", "1M"]);
    let done = extract(&program, "little", &little);
    let held = done[1]["from_memory"].as_u64().unwrap();
    assert!((1..=21).contains(&held), "{done}");
    assert!(store(&program, "little") == store(&program, "each"));
}

/// Impossible devices are rejected before anything is read.
#[test]
fn devices_are_refused_by_name() {
    let program = Program::new();
    for (option, value, parts) in [
        ("--device", "cuda:0,0", "device cuda:0 is named twice"),
        ("--device", "cpu,cuda", "devices of one kind"),
        ("--gpus", "0,x", "invalid value"),
        ("--gpus", "1,1", "device cuda:1 is named twice"),
    ] {
        let call = [
            "extract",
            "--corpus",
            "x",
            "--encoder",
            "fbank",
            option,
            value,
        ];
        program.run(&call).fails_with(2, &[parts]);
    }
}
