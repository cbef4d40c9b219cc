//! Registered corpora in the states that occur in practice.

use super::sound;
use crate::program::{Program, tone, wav};

/// Speech of RAVDESS, complete: 24 actors, 60 clips each.
fn ravdess(program: &Program, folder: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let bytes = wav(&tone(0, 1, 0.05));
    for actor in 1..=24 {
        for emotion in 1..=8 {
            for intensity in 1..=if emotion == 1 { 1 } else { 2 } {
                for (statement, repetition) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                    let name = format!(
                        "03-01-{emotion:02}-{intensity:02}-{statement:02}-{repetition:02}-{actor:02}.wav"
                    );
                    let path = format!("{folder}/Actor_{actor:02}/{name}");
                    program.write(&path, &bytes);
                    paths.push(path);
                }
            }
        }
    }
    paths
}

#[test]
fn registered_corpora_are_known_by_every_spelling_and_by_their_files() {
    let program = Program::new();
    let paths = ravdess(&program, "raw");
    assert_eq!(paths.len(), 1440);
    for name in ["RAVDESS", "Ravdess"] {
        let told = program.run(&["prepare", name, "--raw", "raw"]);
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        assert!(
            told.stdout.contains("ravdess: 1440 utterances"),
            "{}",
            told.stdout
        );
        // These clips are too short to be the release.
        assert!(
            told.stdout.contains("the audio is not as released"),
            "{}",
            told.stdout
        );
        assert!(
            told.stdout.contains("the release is at 48000 Hz"),
            "{}",
            told.stdout
        );
    }
    assert!(program.path("home/corpora/ravdess/manifest.jsonl").exists());
    let slip = program.run(&["prepare", "ravdes", "--raw", "raw"]);
    slip.fails_with(
        2,
        &[
            "did you mean ravdess?",
            "did you mean ravdess? (--custom makes it a corpus of your own)",
        ],
    );
    let mine = program.run(&["prepare", "mine", "--raw", "raw"]);
    mine.fails_with(1, &["Actor_01", "label_map.json"]);
    let complete = program.succeed(&["split", "Ravdess"]);
    assert!(
        complete.stdout.contains("speaker folds"),
        "{}",
        complete.stdout
    );
    let partition = "home/corpora/ravdess/partitions/paper-seed0/partition.tsv";
    let whole = std::fs::read_to_string(program.path(partition)).unwrap();

    // One truncated file: all others stay where the complete corpus has them.
    let cut = &paths[700];
    let bytes = std::fs::read(program.path(cut)).unwrap();
    program.write(cut, &bytes[..bytes.len() / 2]);
    let told = program.run(&["prepare", "ravdess", "--raw", "raw"]);
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    let split = program.succeed(&["split", "ravdess"]);
    assert!(
        split.stdout.contains("rule 4 as for the complete corpus"),
        "{}",
        split.stdout
    );
    assert!(
        split
            .stdout
            .contains("1439 utterances of 24 speakers are here"),
        "{}",
        split.stdout
    );
    let rest = std::fs::read_to_string(program.path(partition)).unwrap();
    let name = cut.rsplit('/').next().unwrap().trim_end_matches(".wav");
    let expected: Vec<&str> = whole.lines().filter(|line| !line.contains(name)).collect();
    assert_eq!(rest.lines().collect::<Vec<_>>(), expected);
    assert_eq!(whole.lines().count() - expected.len(), 4);

    // The same with that file removed.
    std::fs::remove_file(program.path(cut)).unwrap();
    program
        .run(&["prepare", "ravdess", "--raw", "raw"])
        .fails_with(1, &["1440", "--allow-missing"]);
    let told = program.run(&["prepare", "ravdess", "--raw", "raw", "--allow-missing"]);
    assert!(told.stdout.contains("1439 utterances"), "{}", told.stderr);
    program.succeed(&["split", "ravdess"]);
    let rest = std::fs::read_to_string(program.path(partition)).unwrap();
    assert_eq!(rest.lines().collect::<Vec<_>>(), expected);

    // Only three actors are left: their folds differ from the complete corpus's, which is reported.
    for path in &paths {
        if !["Actor_01", "Actor_02", "Actor_03"]
            .iter()
            .any(|actor| path.contains(actor))
        {
            let _ = std::fs::remove_file(program.path(path));
        }
    }
    program.run(&["prepare", "ravdess", "--raw", "raw", "--allow-missing"]);
    let split = program.succeed(&["split", "ravdess"]);
    assert!(
        split
            .stdout
            .contains("NOT the folds of the complete corpus"),
        "{}",
        split.stdout
    );
}

/// EMOVO, complete, with each clip at `path(speaker, name)`.
fn emovo(program: &Program, path: impl Fn(&str, &str) -> String) {
    let bytes = wav(&tone(0, 1, 0.05));
    let sentences = [
        "b1", "b2", "b3", "b4", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1",
    ];
    for speaker in ["f1", "f2", "f3", "m1", "m2", "m3"] {
        for emotion in ["neu", "dis", "gio", "pau", "rab", "sor", "tri"] {
            for sentence in sentences {
                program.write(
                    &path(speaker, &format!("{emotion}-{speaker}-{sentence}")),
                    &bytes,
                );
            }
        }
    }
}

#[test]
fn a_complete_release_may_lie_flat_or_in_another_container() {
    let flat = Program::new();
    emovo(&flat, |_, name| format!("raw/{name}.wav"));
    let told = flat.run(&["prepare", "EMOVO", "--raw", "raw"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(
        told.stdout.contains("emovo: 588 utterances"),
        "{}",
        told.stdout
    );
    // The container is detected by content, so WAV under another extension stands for any lossless copy.
    let other = Program::new();
    emovo(&other, |speaker, name| {
        format!("raw/EMOVO/{speaker}/{name}.flac")
    });
    let told = other.run(&["prepare", "emovo", "--raw", "raw"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(
        told.stdout.contains("emovo: 588 utterances"),
        "{}",
        told.stdout
    );
    // Unreadable files are reported with the missing ones.
    let half = Program::new();
    emovo(&half, |speaker, name| {
        let place = if speaker == "m3" { "m3/bad-" } else { "f1/" };
        let folder = if speaker == "m3" {
            place.to_owned()
        } else {
            format!("{speaker}/")
        };
        format!("raw/{folder}{name}.wav")
    });
    let told = half.run(&["prepare", "emovo", "--raw", "raw"]);
    told.fails_with(
        1,
        &[
            "m3/: 0 of 98",
            "98 audio files fit no rule of the corpus, the first is m3/bad-",
        ],
    );
}

#[test]
fn corpora_side_by_side_do_not_take_each_others_files() {
    let program = Program::new();
    for letter in ["W", "L", "E", "A", "F", "T", "N"] {
        program.write(&format!("raw/emodb/wav/10a02{letter}a.wav"), &sound(1));
    }
    for letter in ["C", "D", "J", "N", "P", "S", "T"] {
        let folder = letter.to_lowercase();
        program.write(
            &format!("raw/OréauFR_02/m/sess{folder}/11a02{letter}a.wav"),
            &sound(2),
        );
    }
    for corpus in ["emodb", "oreau"] {
        let told = program.run(&["prepare", corpus, "--raw", "raw", "--allow-missing"]);
        assert!(
            told.stdout.contains(&format!("{corpus}: 7 utterances")),
            "{}",
            told.stdout
        );
        assert!(
            told.stdout.contains("files are those of another corpus"),
            "{}",
            told.stdout
        );
    }
}

#[test]
fn one_key_for_two_sounds_is_told() {
    let program = Program::new();
    program.write("raw/a/wav/03a01Wa.wav", &sound(1));
    program.write("raw/b/wav/03a01Wa.wav", &sound(2));
    program.write("raw/b/wav/03a01Na.wav", &sound(3));
    let told = program.run(&["prepare", "emodb", "--raw", "raw", "--allow-missing"]);
    assert!(
        told.stdout.contains("another sound or file format"),
        "{}",
        told.stdout
    );
}

#[test]
fn crema_d_of_kaggle_and_asvp_esd_without_its_folder_are_complete() {
    let program = Program::new();
    let bytes = wav(&tone(0, 1, 0.05));
    let mut names = Vec::new();
    for actor in 1001..=1091 {
        for sentence in [
            "IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI",
        ] {
            for emotion in ["ANG", "DIS", "FEA", "HAP", "SAD", "NEU"] {
                let levels: &[&str] = match (sentence, emotion) {
                    (_, "NEU") => &["XX"],
                    ("IEO", _) => &["LO", "MD", "HI"],
                    _ => &["XX"],
                };
                let name = |level: &&str| format!("{actor}_{sentence}_{emotion}_{level}.wav");
                names.extend(levels.iter().map(name));
            }
        }
    }
    // The release lacks twenty recordings of its own grid.
    names.truncate(7442);
    for name in &names {
        program.write(&format!("raw/Crema/{name}"), &bytes);
    }
    let told = program.run(&["prepare", "crema-d", "--raw", "raw"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("7442 utterances"), "{}", told.stdout);

    let other = Program::new();
    for actor in 1..=3 {
        for take in 1..=4 {
            let name = format!("03-01-{take:02}-01-01-{actor:02}-01-01.wav");
            other.write(&format!("raw/actor_{actor}/{name}"), &bytes);
        }
    }
    let told = other.run(&["prepare", "asvp-esd", "--raw", "raw"]);
    told.fails_with(1, &["12 of "]);
    let told = other.run(&["prepare", "asvp-esd", "--raw", "raw", "--allow-missing"]);
    assert!(told.stdout.contains("12 utterances"), "{}", told.stdout);
}

#[test]
fn a_list_with_other_keys_is_named_with_what_it_should_have() {
    let program = Program::new();
    program.write("raw/female/F01A01.wav", &sound(1));
    program.write(
        "raw/shemo.json",
        br#"[{"name": "F01A01", "feeling": "angry"}]"#,
    );
    program
        .run(&["prepare", "shemo", "--raw", "raw", "--allow-missing"])
        .fails_with(1, &["shemo.json", "emotion"]);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_listed_is_told_with_what_is_missing() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let program = Program::new();
    program.write("raw/wav/03a01Wa.wav", &sound(1));
    // Nobody can list a circular link; a folder without permission cannot be listed by an ordinary user.
    symlink(program.path("raw"), program.path("raw/circle")).unwrap();
    program.write("raw/closed/03a01Na.wav", &sound(2));
    let closed = program.path("raw/closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o0)).unwrap();
    let is_closed = std::fs::read_dir(&closed).is_err();
    let told = program.run(&["prepare", "emodb", "--raw", "raw"]);
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    told.fails_with(1, &["which may be why", "circle"]);
    if is_closed {
        told.fails_with(1, &["closed", "ermission denied"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure_of_every_command() {
    let program = super::table("path,label,speaker", |_, p, s, l| format!("{p},{l},{s}"));
    super::prepare(&program, &[]);
    program.succeed(&["split", "mine", "--scheme", "speaker"]);
    let line = |key: &str, label: &str, found: &str| {
        format!(r#"{{"key":"{key}","fold":1,"label":"{label}","prediction":"{found}"}}"#)
    };
    let lines = [line("a", "sad", "sad"), line("b", "anger", "sad")].join("\n");
    program.write("p.jsonl", lines.as_bytes());
    let calls: &[&[&str]] = &[
        &["corpora"],
        &["corpora", "show", "emodb"],
        &["corpora", "--json"],
        &["encoders"],
        &["encoders", "show", "wavlm-base"],
        &["prepare", "mine", "--raw", "own"],
        &["prepare", "mine", "--raw", "own", "--json"],
        &["split", "mine", "--scheme", "speaker"],
        &["export", "mine", "--as", "csv", "--out", "there"],
        &["evaluate", "p.jsonl"],
        &["compare", "p.jsonl", "p.jsonl"],
        &["du"],
        &["--help"],
        &["bench", "--help"],
        &["--version"],
        &["encoders"],
        &["doctor"],
        &["extract", "--corpus", "mine", "--encoder", "fbank"],
        &[
            "bench",
            "--plan",
            "--corpus",
            "mine",
            "--encoder",
            "wavlm-base",
        ],
    ];
    for call in calls {
        let usual = program.run(call);
        assert_eq!(usual.code, Some(0), "{call:?}: {}", usual.stderr);
        assert!(!usual.stdout.is_empty(), "{call:?}");
        program.loses_its_result(call);
    }
}
