//! Encoders by the names that people know.

use crate::program::{Program, Transcript, tones};
use std::path::Path;

/// A checkpoint in a hub cache of the test's own, as `lab/tiny`.
fn with_cache() -> Program {
    let program = Program::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden");
    let weights = std::fs::read(golden.join("data2vec2-base.pt")).unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    program.write("hub/models--lab--tiny/refs/main", commit.as_bytes());
    let file = format!("hub/models--lab--tiny/snapshots/{commit}/tiny.pt");
    program.write(&file, &weights);
    program
}

fn run(program: &Program, arguments: &[&str]) -> Transcript {
    let mut command = program.command(arguments);
    let command = command
        .env("HF_HUB_CACHE", program.path("hub"))
        .env("HF_HUB_OFFLINE", "1");
    program.transcript(&command.output().unwrap())
}

#[test]
fn what_the_hub_calls_a_checkpoint_is_found_in_its_cache() {
    let program = with_cache();
    let corpus = format!("corpus={}", tones(&program, "corpus").display());
    for name in ["lab/tiny", "lab/tiny@main"] {
        let done = run(
            &program,
            &["extract", "--corpus", &corpus, "--encoder", name],
        );
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stdout.contains("corpus with tiny:"), "{}", done.stdout);
    }
    let experiment = format!(
        "[[corpus]]\nname = \"corpus\"\nraw = {:?}\n[[encoder]]\nname = \"lab/tiny\"\n",
        program.path("corpus")
    );
    program.write("experiment.toml", experiment.as_bytes());
    let plan = run(&program, &["bench", "experiment.toml", "--plan"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    // What is not there is fetched, which is not allowed here; a plan alone fetches nothing and says what does.
    let away = ["--corpus", &corpus, "--encoder", "lab/other"];
    run(&program, &[&["bench"][..], &away].concat()).fails_with(1, &["HF_HUB_OFFLINE"]);
    run(&program, &[&["bench", "--plan"][..], &away].concat())
        .fails_with(2, &["`emobox encoders pull lab/other` fetches it"]);
    let zoo = ["--corpus", &corpus, "--encoder", "microsoft/wavlm-base"];
    run(&program, &[&["bench"][..], &zoo].concat()).fails_with(1, &["HF_HUB_OFFLINE"]);
}

#[test]
fn a_name_that_is_nearly_one_is_asked_about() {
    let program = Program::new();
    let corpus = format!("corpus={}", tones(&program, "corpus").display());
    let call = |name: &'static str| {
        ["extract", "--corpus", corpus.as_str(), "--encoder", name].map(str::to_owned)
    };
    let run = |name| {
        let call = call(name);
        let call: Vec<&str> = call.iter().map(String::as_str).collect();
        run(&program, &call)
    };
    // Case and hyphens are no other name.
    assert_eq!(run("FBank").code, Some(0));
    run("wavlm-bsae").fails_with(2, &["did you mean `wavlm-base`?"]);
    run("WavLM_Base").fails_with(1, &["encoders pull wavlm-base"]);
}
