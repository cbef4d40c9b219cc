//! Machines without a driver, with one that does not start, or with an invalid cuBLASLt: one clear line each.

use crate::program::{Program, Transcript, tone, tones, wav};
use std::path::Path;
use std::process::Command;

/// A shared library of this name that exports `functions`, each of which returns `value`.
fn stub(folder: &Path, name: &str, functions: &[&str], value: u32) {
    let source = folder.join("stub.c");
    let code: String = functions
        .iter()
        .map(|function| format!("int {function}(void) {{ return {value}; }}\n"))
        .collect();
    std::fs::write(&source, code).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", &format!("-Wl,-soname,{name}"), "-o"])
        .arg(folder.join(name))
        .arg(&source)
        .status();
    assert!(built.unwrap().success());
}

/// Every function of the driver that the program uses, from the table in its source.
fn driver_functions() -> Vec<&'static str> {
    let table = include_str!("../../../gpu/src/cuda/tables.rs");
    let names = table
        .lines()
        .filter_map(|line| line.trim().split_once('(').map(|(name, _)| name));
    names
        .filter(|name| name.starts_with("cu") && !name.starts_with("cublas"))
        .collect()
}

fn doctor(program: &Program, libraries: &Path) -> Transcript {
    let output = program
        .command(&["doctor"])
        .env("EMOBOX_CUDA_LIBS", libraries)
        .output()
        .unwrap();
    program.transcript(&output)
}

fn line<'a>(transcript: &'a Transcript, title: &str) -> &'a str {
    let found = transcript
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix(title));
    found
        .unwrap_or_else(|| panic!("{}", transcript.stdout))
        .trim()
}

/// Requests a card, with a real checkpoint available.
fn bench_on_cuda(program: &Program, libraries: &Path) -> Transcript {
    program.checkpoint("hubert-fairseq-base.pt", "h.pt");
    let output = program
        .command(&["encoders", "bench", "h=h.pt", "--device", "cuda"])
        .env("EMOBOX_CUDA_LIBS", libraries)
        .output()
        .unwrap();
    program.transcript(&output)
}

#[test]
fn a_run_on_a_card_that_is_not_there_ends_before_anything_is_encoded() {
    let program = Program::new();
    let empty = program.path("empty");
    std::fs::create_dir_all(&empty).unwrap();
    if line(&doctor(&program, &empty), "driver").starts_with("serves") {
        return; // This machine has one.
    }
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let call = ["bench", "--corpus", &corpus, "--encoder", "fbank"];
    let bench = |more: &[&str]| {
        let mut command = program.command(&[&call[..], more].concat());
        let command = command.env("EMOBOX_CUDA_LIBS", &empty);
        program.transcript(&command.output().unwrap())
    };
    let refused = ["device `cuda:0` is not available: no NVIDIA driver on this machine"];
    bench(&["--device", "cuda"]).fails_with(1, &refused);
    bench(&["--train-device", "cuda"]).fails_with(1, &refused);
    assert!(!program.path("home/features").exists());
    let checked = bench(&["--device", "cuda", "--check"]);
    assert!(checked.stdout.contains(refused[0]), "{}", checked.stdout);
}

/// Spectra are computed on the CPU wherever models run: one store for all devices and precisions, and a line that says so.
#[test]
fn spectra_are_made_by_the_processor_whatever_the_device() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let call = ["extract", "--corpus", &corpus, "--encoder", "fbank"];
    let done = program.succeed(&[&call[..], &["--device", "host", "--precision", "bf16"]].concat());
    let says = "fbank is computed by the CPU, whatever the device";
    assert!(done.stderr.contains(says), "{}", done.stderr);
    assert!(program.path("home/features/tones/fbank").exists());
    assert!(
        program
            .succeed(&call)
            .stdout
            .contains("0 of 18 utterances encoded now")
    );
}

#[test]
fn without_a_driver_it_is_said_where_it_was_looked_for() {
    let program = Program::new();
    let empty = program.path("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let found = doctor(&program, &empty);
    assert_eq!(found.code, Some(0));
    if line(&found, "driver").starts_with("serves") {
        return; // This machine has one.
    }
    let wanted = "no NVIDIA driver on this machine; looked for [DIR]/empty/libcuda.so.1 (not there), libcuda.so.1 (not there)";
    assert!(
        line(&found, "driver").starts_with(wanted),
        "{}",
        found.stdout
    );
    assert_eq!(line(&found, "cards"), "none");
    assert!(
        found
            .stdout
            .contains("`--device cuda` does not find what it needs"),
        "{}",
        found.stdout
    );
    bench_on_cuda(&program, &empty).fails_with(
        1,
        &["device `cuda:0` is not available: no NVIDIA driver on this machine"],
    );
}

#[test]
fn a_driver_that_does_not_start_and_one_that_is_none_are_told_apart() {
    let program = Program::new();
    let folder = program.path("libs");
    std::fs::create_dir_all(&folder).unwrap();
    stub(&folder, "libcuda.so.1", &driver_functions(), 100);
    let found = doctor(&program, &folder);
    let wanted =
        "the NVIDIA driver [DIR]/libs/libcuda.so.1 does not start: cuInit failed:  (code 100)";
    assert_eq!(line(&found, "driver"), wanted);
    bench_on_cuda(&program, &folder).fails_with(1, &["does not start: cuInit failed"]);

    stub(
        &folder,
        "libcuda.so.1",
        &["cuInit", "cuDriverGetVersion"],
        0,
    );
    let found = doctor(&program, &folder);
    let wanted = "the NVIDIA driver [DIR]/libs/libcuda.so.1 has no cuGetErrorString: it is too old, or no driver";
    assert_eq!(line(&found, "driver"), wanted);
    bench_on_cuda(&program, &folder).fails_with(1, &["has no cuGetErrorString"]);

    std::fs::write(folder.join("libcuda.so.1"), "no library").unwrap();
    let found = doctor(&program, &folder);
    assert!(
        line(&found, "driver").contains("[DIR]/libs/libcuda.so.1 (file too short)")
            || line(&found, "driver").contains("[DIR]/libs/libcuda.so.1 (invalid ELF header)")
            || line(&found, "driver").starts_with("serves"),
        "{}",
        found.stdout
    );
}

#[test]
fn a_wrong_cublaslt_is_named_with_what_it_lacks() {
    let program = Program::new();
    let folder = program.path("libs");
    std::fs::create_dir_all(&folder).unwrap();
    stub(&folder, "libcublasLt.so.13", &["cublasLtGetVersion"], 0);
    let found = doctor(&program, &folder);
    assert_eq!(
        line(&found, "cuBLASLt"),
        "[DIR]/libs/libcublasLt.so.13 is no cuBLASLt that this program can use: it has no cublasLtCreate"
    );
}

/// The text and the JSON output give the same result.
#[test]
fn the_doctor_says_in_json_whether_a_card_can_be_used() {
    let program = Program::new();
    let found = doctor(&program, Path::new(""));
    assert!(found.stdout.starts_with("CPU       "), "{}", found.stdout);
    let json = program.succeed(&["doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        json["cuda"],
        json["cards"]
            .as_array()
            .is_some_and(|cards| !cards.is_empty())
            && json["cublaslt"]["found"] == true
    );
}

/// A driver and a cuBLASLt that do nothing but log what is opened.
fn fake_card(folder: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fake_card.c");
    for (name, define) in [
        ("libcuda.so.1", "-DDRIVER"),
        ("libcublasLt.so.13", "-DPRODUCTS"),
    ] {
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-w", define, "-o"])
            .arg(folder.join(name))
            .arg(source)
            .status();
        assert!(built.unwrap().success());
    }
}

/// Two corpora, encoded and trained on a card, several folds at once: one context, one module and one cuBLASLt for the whole
/// run, and everything is closed at its end, the card last.
#[test]
fn a_card_is_opened_once_for_the_whole_run() {
    let program = Program::new();
    for corpus in ["a", "b"] {
        for speaker in 0..4 {
            for (class, emotion) in ["angry", "sad"].iter().enumerate() {
                let tone = wav(&tone(class, speaker, 0.5));
                program.write(&format!("{corpus}/s{speaker}/{emotion}/1.wav"), &tone);
            }
        }
    }
    program.checkpoint("hubert-fairseq-base.pt", "h.pt");
    fake_card(&program.path(""));
    let log = program.path("opened.log");
    let run = |more: &[&str]| {
        let _ = std::fs::remove_file(&log);
        let call = [
            "bench", "--corpus", "a=a", "--corpus", "b=b", "--maps", "none",
        ];
        let call = [&call[..], &["--training-seeds", "1", "--epochs", "2"], more].concat();
        let output = program
            .command(&call)
            .env("EMOBOX_CUDA_LIBS", program.path(""))
            .env("FAKE_CARD_LOG", &log)
            .output()
            .unwrap();
        let ran = program.transcript(&output);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let log = std::fs::read_to_string(&log).unwrap();
        let count = |line: &str| log.lines().filter(|l| *l == line).count();
        for what in ["context", "module", "products"] {
            for end in ["opened", "closed"] {
                assert_eq!(count(&format!("{what} {end}")), 1, "{log}");
            }
        }
        assert_eq!(count("stream opened"), count("stream closed"), "{log}");
        assert!(log.starts_with("context opened\n"), "{log}");
        let end = "stream closed\nproducts closed\nmodule closed\ncontext closed\n";
        assert!(log.ends_with(end), "{log}");
        count("stream opened")
    };
    // Four streams per corpus, besides the one that copies the features and the one that keeps the card open.
    let trained = run(&[
        "--encoder",
        "fbank",
        "--train-device",
        "cuda",
        "--home",
        "x",
    ]);
    assert!(trained > 8, "{trained}");
    let both = run(&["--encoder", "h=h.pt", "--device", "cuda", "--home", "y"]);
    assert!(both > trained, "{both}");
}
