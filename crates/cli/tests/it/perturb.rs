//! Test parts with noise, rooms and codecs.

use crate::program::{Program, tones};
use serde_json::Value;

fn scores(program: &Program) -> Value {
    program.json("results/scores.json")
}

#[test]
fn a_finished_run_is_heard_in_noise_without_training_again() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let call = [
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--training-seeds",
        "2",
    ];
    program.succeed(&call);
    let clean = scores(&program);
    let outcomes = || {
        let mut list = Vec::new();
        for run in std::fs::read_dir(program.path("home/runs/tones/fbank")).unwrap() {
            let path = run.unwrap().path().join("fold1/outcome.json");
            list.push((path.clone(), path.metadata().unwrap().modified().unwrap()));
        }
        list
    };
    let before = outcomes();

    let noisy = [&call[..], &["--perturb", "noise:-20dB,gain:0dB"]].concat();
    let first = program.succeed(&noisy);
    assert_eq!(outcomes(), before, "nothing is trained again");
    assert!(
        first.stdout.contains("What noise, rooms and codecs cost"),
        "{}",
        first.stdout
    );
    assert!(
        first
            .stdout
            .contains("noise:-20dB: pink noise -20 dB below"),
        "{}",
        first.stdout
    );
    let told = scores(&program);
    assert_eq!(
        told["runs"], clean["runs"],
        "the clean scores stay what they were"
    );
    let rows = told["perturbed"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    // The default head is not named.
    assert_eq!(rows[0]["config"], "layer 0, utterance norm, f32");
    // A gain of 0 dB: the same audio gives the same predictions.
    let ua = |row: &Value| row["comparison"]["ua"].clone();
    assert_eq!(rows[1]["perturbation"], "gain:0dB");
    assert_eq!(ua(&rows[1])["difference"], 0.0);
    assert_eq!(
        ua(&rows[0])["b"],
        ua(&rows[1])["b"],
        "the clean score is that of the run"
    );
    // A hundred times as much noise as tone: pitch cannot be used to tell classes apart.
    assert!(
        ua(&rows[0])["difference"].as_f64().unwrap() < -0.1,
        "{rows:?}"
    );
    let page = std::fs::read_to_string(program.path("results/report.html")).unwrap();
    assert!(page.contains("In noise, in rooms, through codecs"));
    let again = program.succeed(&noisy);
    assert_eq!(again.stdout, first.stdout);
    let report = program.succeed(&["report", "results", "--markdown"]).stdout;
    assert!(report.contains("| noise:-20dB |"), "{report}");

    // Perturbed features are stored apart from clean ones, each with its own identity; a partial store is completed.
    let stores = program.path("home/features/tones");
    let mut names: Vec<String> = std::fs::read_dir(&stores)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], "fbank");
    let noise = names
        .iter()
        .find(|name| name.starts_with("fbank+noise--20dB-"))
        .unwrap();
    let index = std::fs::read_to_string(stores.join(noise).join("store.json")).unwrap();
    assert!(index.contains("noise:-20dB, revision 1"), "{index}");
    std::fs::remove_dir_all(stores.join(noise).join("frames")).unwrap();
    for receipt in std::fs::read_dir(program.path("home/receipts")).unwrap() {
        let path = receipt.unwrap().path();
        if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\"perturb\"")) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let resumed = program.succeed(&noisy);
    assert!(
        resumed.stderr.contains("utterances encoded now"),
        "{}",
        resumed.stderr
    );
    assert_eq!(scores(&program), told);
}

#[test]
fn what_cannot_be_done_leaves_the_rest() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let call = [
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--training-seeds",
        "1",
    ];
    let wrong = program.run(&[&call[..], &["--perturb", "nose:10dB"]].concat());
    wrong.fails_with(2, &["no perturbation \"nose:10dB\"", "reverb:small"]);

    let call = [&call[..], &["--perturb", "codec:mp3@32k,telephone"]].concat();
    let mut command = program.command(&call);
    let output = command
        .env("EMOBOX_FFMPEG", "/nowhere/ffmpeg")
        .output()
        .unwrap();
    let transcript = program.transcript(&output);
    transcript.fails_with(3, &["codec:mp3@32k needs the program `/nowhere/ffmpeg`"]);
    let told = scores(&program);
    assert_eq!(told["perturbed"].as_array().unwrap().len(), 1);
    assert_eq!(told["perturbed"][0]["perturbation"], "telephone");
}
