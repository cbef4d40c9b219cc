//! The plan as data, and its jobs run one by one as on a cluster.

use crate::program::{Program, tones};
use std::path::Path;

/// The paper's experiment file, as in the guide.
fn paper() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/paper.toml");
    path.display().to_string()
}

#[test]
fn the_whole_paper_is_planned_from_the_cards() {
    let program = Program::new();
    let printed = program.succeed(&["bench", &paper(), "--plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(plan["utterances"], 262_020);
    let jobs = plan["jobs"].as_array().unwrap();
    let tasks = plan["tasks"].as_array().unwrap();
    assert!((100..=400).contains(&tasks.len()), "{} tasks", tasks.len());
    let mut bundled: Vec<u64> = tasks
        .iter()
        .flat_map(|task| task["jobs"].as_array().unwrap())
        .map(|job| job.as_u64().unwrap())
        .collect();
    bundled.sort_unstable();
    assert!(bundled.iter().copied().eq(0..jobs.len() as u64));
    // 320 cells, each scored by its own job.
    let scores = jobs.iter().filter(|job| job["stage"] == "score").count();
    assert_eq!(scores, 320);
    let bytes: f64 = jobs.iter().map(|job| job["bytes"].as_f64().unwrap()).sum();
    assert!((0.8e12..1.2e12).contains(&bytes), "{bytes}");
    let speeds = plan["speeds"].as_array().unwrap();
    assert_eq!(speeds.len(), 10);
    assert!(
        speeds
            .iter()
            .all(|speed| speed["hours"].as_f64().unwrap() > 0.0)
    );
    let hours = |name: &str| {
        let speed = speeds.iter().find(|speed| speed["encoder"] == name);
        speed.unwrap()["core_hours"].as_f64().unwrap()
    };
    // Seven times as many parameters, on windows of 30 s for utterances of 4 s.
    assert!(hours("whisper-large-v3") > 7.0 * hours("wav2vec2-base"));
    for (at, job) in jobs.iter().enumerate() {
        let needs = job["needs"].as_array().unwrap();
        assert!(needs.iter().all(|need| need.as_u64().unwrap() < at as u64));
    }
    let text = program.succeed(&["bench", &paper(), "--plan"]).stdout;
    assert!(text.contains("262020 utterances") && text.contains("whisper-large-v3"));
    assert!(text.contains("GB at once (keep features)"), "{text}");
    let sparing = program.succeed(&["bench", &paper(), "--plan", "--features", "discard"]);
    assert!(sparing.stdout.contains("(discard features)"));
    assert!(!program.path("home").exists(), "a plan writes nothing");
}

/// An experiment on tones with several tasks per stage.
fn experiment(program: &Program) -> String {
    experiment_that_waits(program, 0.0)
}

/// The same, whose tasks wait this many seconds for files of other nodes.
fn experiment_that_waits(program: &Program, seconds: f64) -> String {
    tones(program, "corpus");
    let mut table = String::from("path,label,speaker\n");
    for emotion in ["angry", "happy", "sad"] {
        for speaker in 0..6 {
            table.push_str(&format!("{emotion}/{speaker}.wav,{emotion},s{speaker}\n"));
        }
    }
    let corpus = program.write("corpus/labels.csv", table.as_bytes());
    let text = format!(
        "scheme = \"speaker\"\n[[corpus]]\nname = \"tones\"\nraw = {:?}\n[[encoder]]\nname = \"fbank\"\n\
         [slurm]\naudio_hours = 0.0005\nsettle_seconds = {seconds:?}\n",
        corpus.display().to_string()
    );
    let path = program.write("experiment.toml", text.as_bytes());
    path.display().to_string()
}

/// The plan of an experiment in the home `jobs`, and the folder that it is written to for `emobox job`.
fn planned(program: &Program, file: &str) -> (serde_json::Value, String) {
    let raw = program.path("corpus/labels.csv").display().to_string();
    program.succeed(&["prepare", "tones", "--raw", &raw, "--home", "jobs"]);
    let call = ["bench", file, "--home", "jobs", "--out", "jobs-out"];
    let mut command = program.command(&call);
    let output = command.args(["--plan", "--json"]).output().unwrap();
    // Not from the transcript: its paths are redacted.
    let printed = String::from_utf8(output.stdout).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let folder = format!("jobs/plans/{}", plan["name"].as_str().unwrap());
    program.write(&format!("{folder}/plan.json"), printed.as_bytes());
    (plan, folder)
}

/// Files of another node may appear late on a network disk: a task looks again until they are there.
#[test]
fn a_task_waits_for_what_other_nodes_make() {
    let program = Program::new();
    let file = experiment_that_waits(&program, 60.0);
    let (plan, folder) = planned(&program, &file);
    let tasks = plan["tasks"].as_array().unwrap();
    let of = |name: &str| -> Vec<usize> {
        let all = 0..tasks.len();
        all.filter(|at| tasks[*at]["stage"] == name).collect()
    };
    let run = |at: usize| program.succeed(&["job", &folder, &at.to_string()]);
    for at in of("prepare") {
        run(at);
    }
    let train = of("train")[0];
    let call = ["job", &folder, &train.to_string()];
    let mut waiting = program.command(&call).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    for at in of("extract") {
        assert!(waiting.try_wait().unwrap().is_none());
        run(at);
    }
    assert!(waiting.wait().unwrap().success());
    let again = run(train);
    assert!(
        again.stderr.contains("was done already"),
        "{}",
        again.stderr
    );
}

#[test]
fn jobs_run_one_by_one_and_twice_make_the_scores_of_one_process() {
    let program = Program::new();
    let file = experiment(&program);
    let bench = |home: &str, out: &str, more: &[&str]| {
        let mut call = vec!["bench", &file, "--home", home, "--out", out];
        call.extend(more);
        program.succeed(&call)
    };
    let (plan, folder) = planned(&program, &file);
    let tasks = plan["tasks"].as_array().unwrap();
    let extracts = tasks.iter().filter(|task| task["stage"] == "extract");
    assert!(extracts.count() > 1);
    let run = |at: usize| program.run(&["job", &folder, &at.to_string()]);

    let folds = || {
        let runs = program.path("jobs/runs/tones/fbank");
        let settings = std::fs::read_dir(runs).into_iter().flatten().flatten();
        let inside = settings.flat_map(|setting| std::fs::read_dir(setting.path()).unwrap());
        let names = inside.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("fold"))
            .count()
    };
    let mut trained = vec![0];

    let last = tasks.len() - 1;
    run(last).fails_with(1, &["not finished", "score tones fbank"]);
    for (at, task) in tasks.iter().enumerate() {
        let ran = run(at);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("begins"), "{}", ran.stderr);
        let again = run(at).stderr;
        assert!(again.contains("was done already") && !again.contains("begins"));
        if task["stage"] == "train" {
            trained.push(folds());
        }
    }
    // Each training task trains its own folds and no others.
    assert!(trained.len() > 2, "{trained:?}");
    assert!(
        trained.windows(2).all(|pair| pair[0] < pair[1]),
        "{trained:?}"
    );
    bench("home", "out", &[]);
    let scores = |out: &str| std::fs::read(program.path(out).join("scores.json")).unwrap();
    assert_eq!(scores("jobs-out"), scores("out"));

    // A single process finds all of it done, and vice versa.
    let again = bench("jobs", "jobs-out", &[]);
    assert!(!again.stderr.contains("encoding") && !again.stderr.contains("training"));
    let text = bench("home", "out", &["--plan"]).stdout;
    let all_done = text.lines().skip(3).take(5).all(|line| {
        let mut words = line.split_whitespace().skip(2);
        words.next() == words.next()
    });
    assert!(all_done, "{text}");

    // A result that differs from the one written is made again.
    std::fs::write(program.path("jobs-out/report.html"), "half a page").unwrap();
    assert!(run(last).stderr.contains("begins"));
    let whole = std::fs::metadata(program.path("jobs-out/report.html")).unwrap();
    assert!(whole.len() > 1000);
}

#[test]
fn without_slurm_the_message_says_where_to_run() {
    let program = Program::new();
    let file = experiment(&program);
    let call = ["bench", &file, "--executor", "slurm"];
    let output = program.command(&call).env("PATH", "/nonexistent").output();
    program
        .transcript(&output.unwrap())
        .fails_with(1, &["no `sbatch` on the path", "login node"]);
    program
        .run(&["bench", &file, "--attach"])
        .fails_with(2, &["--executor slurm"]);
}

#[test]
fn a_timed_encoder_has_a_measured_speed_in_the_plan() {
    let program = Program::new();
    let file = experiment(&program);
    let plan = || program.succeed(&["bench", &file, "--plan"]).stdout;
    let speed = |plan: &str| {
        let mut lines = plan.lines().skip_while(|line| !line.starts_with("encoder"));
        let words = lines.nth(1).unwrap().split_whitespace();
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = plan();
    assert_eq!(speed(&before)[..2], ["fbank", "estimated"], "{before}");
    assert!(before.contains("a guess") && before.contains("emobox encoders bench NAME"));

    // Too little audio for a measurement: nothing is recorded.
    let brief = [
        "encoders",
        "bench",
        "fbank",
        "--seconds",
        "1",
        "--rounds",
        "1",
        "--threads",
        "1",
    ];
    assert!(!program.succeed(&brief).stderr.contains("bench --plan"));
    assert!(!program.path("home").exists());
    let timed = [
        "encoders",
        "bench",
        "fbank",
        "--seconds",
        "25",
        "--rounds",
        "1",
    ];
    assert!(program.succeed(&timed).stderr.contains("bench --plan"));
    let after = plan();
    assert_eq!(speed(&after)[..2], ["fbank", "measured"], "{after}");
    assert!(!after.contains("a guess"), "{after}");

    // Another home has no measurements; a plan written earlier is estimated again.
    let out = program.path("out").display().to_string();
    let there = ["--home", "other", "--out", &out];
    let call = |more: &[&str]| {
        let call: Vec<&str> = ["bench", &file]
            .iter()
            .chain(&there)
            .chain(more)
            .copied()
            .collect();
        program.succeed(&call).stdout
    };
    call(&[]);
    std::fs::remove_dir_all(program.path("other/speeds")).ok();
    assert_eq!(speed(&call(&["--plan"]))[1], "estimated");
    program.succeed(&[&timed[..], &["--home", "other"]].concat());
    assert_eq!(speed(&call(&["--plan"]))[1], "measured");
}
