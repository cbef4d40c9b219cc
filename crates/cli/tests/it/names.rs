//! Encoders by the names that users know.

use crate::program::{Program, Transcript, tones};

/// A checkpoint in the test's own hub cache, as `lab/tiny`.
fn with_cache() -> Program {
    let program = Program::new();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    program.write("hub/models--lab--tiny/refs/main", commit.as_bytes());
    let file = format!("hub/models--lab--tiny/snapshots/{commit}/tiny.pt");
    program.checkpoint("data2vec2-base.pt", &file);
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
    // A missing checkpoint is downloaded, which is not allowed here; a plan downloads nothing and gives the command for it.
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
    // Case and hyphens do not matter.
    assert_eq!(run("FBank").code, Some(0));
    run("wavlm-bsae").fails_with(2, &["did you mean `wavlm-base`?"]);
    run("WavLM_Base").fails_with(1, &["encoders pull wavlm-base"]);
}

#[test]
fn an_unknown_name_is_a_wrong_call_wherever_it_stands() {
    let program = Program::new();
    let raw = tones(&program, "corpus").display().to_string();
    for (call, says) in [
        (&["corpora", "show", "emodbb"][..], "did you mean emodb?"),
        (&["download", "cremadd"], "did you mean cremad?"),
        (&["prepare", "emodbb", "--raw", &raw], "did you mean emodb?"),
        (
            &["encoders", "show", "wavlm-bsae"],
            "did you mean `wavlm-base`?",
        ),
        (&["split", "nothing"], "nothing is not prepared"),
        (&["bench", "nothing.toml"], "nothing.toml: No such file"),
        (
            &["predict", "nothing", "x.wav"],
            "nothing is neither a model",
        ),
        (&["report", "nothing"], "nothing is no output folder"),
        (&["encoders", "wavlm-bsae"], "did you mean `wavlm-base`?"),
        (&["corpora", "emodbb"], "did you mean emodb?"),
        (
            &["evaluate", "nothing.jsonl"],
            "nothing.jsonl does not exist",
        ),
        (&["evaluate", "corpus"], "corpus is a folder: name a file"),
        (
            &["compare", "nothing.a", "nothing.b"],
            "nothing.a does not exist",
        ),
        (&["verify", "nothing.json"], "nothing.json does not exist"),
        (
            &["leaderboard", "nothing.json"],
            "nothing.json does not exist",
        ),
        (
            &["export-model", "nothing", "out"],
            "nothing is neither a model",
        ),
        (
            &["prepare", "mine", "--raw", "nowhere"],
            "nowhere does not exist",
        ),
        (&["encoders", "check", "nowhere"], "nowhere does not exist"),
    ] {
        program.run(call).fails_with(2, &[says]);
    }
    assert!(
        program
            .succeed(&["corpora", "show", "CREMA-D"])
            .stdout
            .contains("cremad")
    );
}

/// In a table of cells too, and before any work: one more encoder would go on without it.
#[test]
fn a_wrong_value_in_a_grid_is_a_wrong_call() {
    let program = Program::new();
    tones(&program, "corpus");
    let grid = |command: &str, more: &[&str]| {
        let call = [command, "--corpus", "tones=corpus", "--encoder", "fbank"];
        program.run(&[&call[..], more].concat())
    };
    for command in ["bench", "extract"] {
        for encoder in ["nope", ""] {
            let refused = grid(command, &["--encoder", encoder]);
            let says = [r#""" cannot be the name"#, "unknown encoder `nope`"];
            refused.fails_with(2, &[says[encoder.len().min(1)]]);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        }
        assert!(!program.path("home").exists());
    }
    grid("bench", &["--layers", "0,99"]).fails_with(2, &["layer 99 does not exist"]);
    grid("extract", &["--layers", "0,99"]).fails_with(2, &["layer 99 does not exist"]);
    grid("extract", &["--shard", "5/4"]).fails_with(2, &["5/4"]);
    // A reason is told once by the work and once as the error.
    let bench = ["bench", "--encoder", "fbank", "--corpus"];
    let gone = program.run(&[&bench[..], &["gone=nowhere"]].concat());
    gone.fails_with(2, &["nowhere"]);
    assert_eq!(
        gone.stderr.matches("is not there").count(),
        2,
        "{}",
        gone.stderr
    );
    let none = [
        "bench",
        "--corpus",
        "tones=corpus",
        "--encoder",
        "none=nowhere",
    ];
    let none = program.run(&none);
    none.fails_with(2, &["encoder none: ", "nowhere does not exist"]);
    assert_eq!(
        none.stderr.matches("does not exist").count(),
        2,
        "{}",
        none.stderr
    );
}

/// Options that would change nothing are refused or told.
#[test]
fn no_option_is_passed_over_in_silence() {
    let program = Program::new();
    tones(&program, "corpus");
    program.succeed(&["prepare", "tones", "--raw", "corpus"]);
    let prepared = ["extract", "--encoder", "fbank", "--corpus", "tones"];
    for option in [
        &["--channel", "2"][..],
        &["--columns", "path=file"],
        &["--custom"],
    ] {
        let refused = program.run(&[&prepared[..], option].concat());
        refused.fails_with(2, &["--corpus NAME=DIR"]);
    }
    let gone = ["extract", "--encoder", "fbank", "--corpus", "tones=nowhere"];
    let told = program.succeed(&gone).stderr;
    assert!(
        told.contains("nowhere does not exist: the manifest of tones"),
        "{told}"
    );
    let file = program.write("p.jsonl", b"").display().to_string();
    for option in ["--corpus", "--out", "--class", "--device"] {
        let value = if option == "--device" { "cpu" } else { "a=b" };
        let refused = program.run(&["evaluate", &file, option, value]);
        refused.fails_with(2, &[option, "cannot be used with"]);
    }
}

/// Numbers that are none are refused in words.
#[test]
fn what_is_no_number_is_told_in_words() {
    let program = Program::new();
    for (call, says) in [
        (
            &["doctor", "--threads", "0"][..],
            "expected a whole number from 1",
        ),
        (&["listen", "x", "--port", "80a"], "expected a whole number"),
        (
            &["predict", "x", "y", "--window", "long"],
            "expected a number",
        ),
        (
            &[
                "seal",
                "x",
                "--out",
                "o",
                "--key",
                "k",
                "--partition-seed",
                "99999999999999999999",
            ],
            "it is too large",
        ),
    ] {
        program.run(call).fails_with(2, &[says]);
        let json = program.run(&[call, &["--json"][..]].concat());
        let message = error_in(&json)["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(says) && !message.contains("digit found"),
            "{message}"
        );
    }
}

/// The single document on stdout.
fn error_in(transcript: &Transcript) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(&transcript.stdout)
        .unwrap_or_else(|e| panic!("{e}: {:?}\\n{}", transcript.stdout, transcript.stderr));
    document["error"].clone()
}

#[test]
fn with_json_an_error_is_json_too() {
    let program = Program::new();
    let unknown = program.run(&["corpora", "show", "emodbb", "--json"]);
    let error = error_in(&unknown);
    assert_eq!(
        (&error["kind"], &error["exit_code"]),
        (&"wrong_call".into(), &2.into())
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("emodb") && unknown.stderr.contains(message));
    // Arguments that the parser rejects, and work that fails.
    let error = error_in(&program.run(&["--json", "bench", "--encodr", "x"]));
    assert_eq!(
        (&error["kind"], &error["exit_code"]),
        (&"wrong_call".into(), &2.into())
    );
    assert!(error["message"].as_str().unwrap().contains("--encodr"));
    program.write("a", b"{}");
    program.write("b", b"{}");
    let error = error_in(&program.run(&["compare", "a", "b", "--json"]));
    assert_eq!(
        (&error["kind"], &error["exit_code"]),
        (&"failed".into(), &1.into())
    );
    // A result printed earlier remains the only document.
    let by_hand = program.run(&["download", "iemocap", "--json"]);
    assert_eq!(by_hand.code, Some(1));
    let document: serde_json::Value = serde_json::from_str(&by_hand.stdout).unwrap();
    assert!(document.get("error").is_none(), "{document}");
    // Help and errors as text are unaffected.
    assert_eq!(program.run(&["corpora", "show", "emodbb"]).stdout, "");
}

#[test]
fn a_shell_completes_the_registered_names() {
    let program = Program::new();
    let script = program.succeed(&["completions", "bash"]).stdout;
    let path = program.write("emobox.bash", script.as_bytes());
    let completed = |words: &[&str]| {
        let line = words.join(" ");
        let code = format!(
            "source {}\nCOMP_WORDS=({line}); COMP_CWORD={}; _emobox emobox \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            path.display(),
            words.len() - 1
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &code])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        completed(&["emobox", "bench", "--corpus", "emod"]).trim(),
        "emodb"
    );
    assert!(completed(&["emobox", "extract", "--encoder", "wavlm"]).contains("wavlm-large\n"));
    assert_eq!(completed(&["emobox", "prepare", "crem"]).trim(), "cremad");
    assert!(completed(&["emobox", "corpora", "show", "ravd"]).contains("ravdess"));
    assert!(completed(&["emobox", "encoders", "pull", "data2vec2-l"]).contains("data2vec2-large"));
    for shell in ["zsh", "fish"] {
        let script = program.succeed(&["completions", shell]).stdout;
        assert!(
            script.contains("msppodcast") && script.contains("whisper-large-v3"),
            "{shell}"
        );
    }
}
