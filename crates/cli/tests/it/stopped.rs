//! Ctrl-C, SIGTERM and SIGKILL: the exit code, what is kept, and what a second call still has to do.

use crate::extraction::store;
use crate::program::{Program, tone, tones, wav};
use std::cell::Cell;
use std::time::{Duration, Instant};

const UTTERANCES: u64 = 60;

/// A prepared corpus of one shard that takes a while to encode.
fn one_shard(program: &Program, homes: &[&str]) {
    for (class, emotion) in ["angry", "happy"].iter().enumerate() {
        for take in 0..UTTERANCES as usize / 2 {
            let seconds = 20.0 + 0.1 * take as f32;
            let sound = wav(&tone(class, take % 6, seconds));
            program.write(&format!("corpus/{emotion}/{take}.wav"), &sound);
        }
    }
    for home in homes {
        program.succeed(&["prepare", "tones", "--raw", "corpus", "--home", home]);
    }
}

fn extract(home: &str) -> Vec<&str> {
    let call = ["extract", "--corpus", "tones", "--encoder", "fbank"];
    let how = ["--threads", "1", "--json", "--home", home];
    [&call[..], &how].concat()
}

fn encoded(stdout: &str) -> u64 {
    let done: serde_json::Value = serde_json::from_str(stdout).unwrap();
    done[0]["encoded"].as_u64().unwrap()
}

/// Utterances in the files of begun shards.
fn saved(program: &Program, home: &str) -> u64 {
    let files = store(program, home);
    let begun = files.iter().filter(|(name, _)| name.contains("/begun/"));
    let keys = begun.map(|(_, bytes)| {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let names = header.as_object().unwrap().keys();
        names.filter(|name| name.starts_with("frames/")).count() as u64
    });
    keys.sum()
}

/// Stopped again and again within one shard, an extraction gets further each time, and its store is that of an undisturbed one.
#[test]
fn an_extraction_that_is_stopped_keeps_its_utterances() {
    let program = Program::new();
    one_shard(&program, &["home", "stopped"]);
    let begun = Instant::now();
    program.succeed(&extract("home"));
    let whole = begun.elapsed();
    let mut kept = 0;
    for signal in ["INT", "TERM", "TERM"] {
        let mut command = program.command(&extract("stopped"));
        // Nothing is saved before the signal.
        command.env("EMOBOX_SAVE_SECONDS", "3600");
        let begun = Instant::now();
        let stopped = program.signal_once(&mut command, signal, || begun.elapsed() > whole / 3);
        stopped.fails_with(130, &["the same command goes on"]);
        let now = saved(&program, "stopped");
        assert!(now > kept && now < UTTERANCES, "{now} after {kept}");
        kept = now;
    }
    let resumed = program.succeed(&extract("stopped"));
    assert_eq!(encoded(&resumed.stdout), UTTERANCES - kept);
    assert!(store(&program, "home") == store(&program, "stopped"));
}

/// A process that is killed has saved what it finished up to a few seconds before; audio replaced since is encoded again.
#[test]
fn an_extraction_that_is_killed_keeps_what_it_saved() {
    let program = Program::new();
    one_shard(&program, &["home", "killed"]);
    let mut command = program.command(&extract("killed"));
    command.env("EMOBOX_SAVE_SECONDS", "0");
    let begun = program.path("killed/features/tones/fbank/begun");
    let files = || std::fs::read_dir(&begun).map_or(0, |entries| entries.count());
    Program::kill_once(&mut command, || files() >= 10);
    let kept = saved(&program, "killed");
    assert!((9..UTTERANCES).contains(&kept), "{kept}");
    // The longest are encoded first.
    program.write("corpus/angry/29.wav", &wav(&tone(1, 5, 22.9)));
    program.succeed(&["prepare", "tones", "--raw", "corpus", "--home", "killed"]);
    let resumed = program.succeed(&extract("killed"));
    assert_eq!(encoded(&resumed.stdout), UTTERANCES - kept + 1);
    program.succeed(&["prepare", "tones", "--raw", "corpus", "--home", "home"]);
    program.succeed(&extract("home"));
    let (home, killed) = (store(&program, "home"), store(&program, "killed"));
    assert_eq!(
        home.keys().collect::<Vec<_>>(),
        killed.keys().collect::<Vec<_>>()
    );
    assert!(home == killed, "a file differs");
}

/// `predict` ends between two recordings, keeps what it has told, and names the recording to go on from.
#[test]
fn predict_stops_between_recordings() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    program.succeed(&[
        "fit",
        "mine",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--training-seeds",
        "1",
    ]);
    for take in 0..200 {
        program.write(
            &format!("heard/{take:03}.wav"),
            &wav(&tone(0, take % 6, 20.0)),
        );
    }
    let begun = Cell::new(None);
    // Once the model is read, it hears.
    let model = program.path("home/models/mine");
    for json in [false, true] {
        let mut call = vec!["predict", "mine", "heard", "--threads", "1"];
        call.extend(json.then_some("--json"));
        begun.set(Some(Instant::now()));
        let hears = || {
            model.exists()
                && begun
                    .get()
                    .is_some_and(|at| at.elapsed() > Duration::from_millis(500))
        };
        let stopped = program.signal_once(&mut program.command(&call), "INT", hears);
        stopped.fails_with(
            130,
            &["of 200 recordings", "call predict again from heard/"],
        );
        let told = match json {
            false => stopped.stdout.lines().count(),
            true => serde_json::from_str::<Vec<serde_json::Value>>(&stopped.stdout)
                .unwrap()
                .len(),
        };
        assert!(told < 200, "{told}");
        let said = format!("stopped after {told} of 200 recordings");
        assert!(stopped.stderr.contains(&said), "{}", stopped.stderr);
        assert!(
            stopped
                .stderr
                .contains(&format!("from heard/{told:03}.wav on")),
            "{}",
            stopped.stderr
        );
    }
}

/// A sealed set that is not complete leaves nothing, not even its folder; a page that is ended by its user is done.
#[test]
fn seal_and_listen_end_without_a_trace() {
    let program = Program::new();
    one_shard(&program, &["home"]);
    let seal = ["seal", "tones", "--out", "set", "--key", "key.json"];
    let audio = program.path("set/audio");
    let writes = || std::fs::read_dir(&audio).is_ok_and(|entries| entries.count() > 2);
    let stopped = program.signal_once(&mut program.command(&seal), "INT", writes);
    stopped.fails_with(130, &["nothing of set is left"]);
    assert!(!program.path("set").exists() && !program.path("key.json").exists());

    program.succeed(&[
        "fit",
        "mine",
        "--corpus",
        "tones",
        "--encoder",
        "fbank",
        "--training-seeds",
        "1",
    ]);
    let begun = Instant::now();
    let listen = ["listen", "mine", "--port", "0"];
    let waited = || begun.elapsed() > Duration::from_secs(2);
    let ended = program.signal_once(&mut program.command(&listen), "INT", waited);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("http://"));
}
