//! Folder trees without a table.

use super::{ALL, clips, manifest, prepare, sizes, sound, tree};

#[test]
fn folders_are_read_by_what_they_name_and_what_repeats() {
    let speaker_first = tree(|_, s, l| format!("spk{s}/{l}"));
    assert_eq!(sizes(&speaker_first, &[]), ALL);
    let emotion_first = tree(|_, s, l| format!("{l}/spk{s}"));
    assert_eq!(sizes(&emotion_first, &[]), ALL);
    let told = prepare(&emotion_first, &[]);
    assert!(
        told.stdout.contains("folders are read as emotion/speaker"),
        "{}",
        told.stdout
    );
    let esd = tree(|i, s, l| format!("00{s}/{l}/{}", ["train", "test", "validation"][i % 3]));
    assert_eq!(sizes(&esd, &[]), ALL);
    let mixed = tree(|_, s, l| {
        if s == "10" {
            format!("new_batch/{l}")
        } else {
            l.to_owned()
        }
    });
    assert_eq!(sizes(&mixed, &[]), (36, 3, 0));
    let told = prepare(&mixed, &[]);
    assert!(
        told.stdout
            .contains("the folders new_batch are passed over"),
        "{}",
        told.stdout
    );
    // No word shows which of two crossed levels is the emotion.
    let open = tree(|_, s, l| format!("x{s}/y{}", l.len()));
    prepare(&open, &[]).fails_with(
        1,
        &["4 classes (x03, x08, x09, x10)", "3 classes (y3, y5, y7)"],
    );
    open.write(
        "own/label_map.json",
        br#"{"y3": "Sad", "y5": "Angry", "y7": "Neutral"}"#,
    );
    assert_eq!(sizes(&open, &[]), ALL);
    let open = tree(|_, s, l| {
        if s == "10" {
            format!("n/y{}", l.len())
        } else {
            format!("y{}", l.len())
        }
    });
    prepare(&open, &[]).fails_with(1, &["may be of the class n or of the class y"]);
    let people = tree(|_, s, _| format!("Actor_{s}"));
    prepare(&people, &[]).fails_with(
        1,
        &["Actor_03, Actor_08", "named as people", "label_map.json"],
    );
}

#[test]
fn a_copy_inside_itself_is_read_once() {
    let program = tree(|_, _, l| l.to_owned());
    for (number, (name, _, label)) in clips().iter().enumerate() {
        program.write(&format!("own/own/{label}/{name}"), &sound(number));
    }
    let told = prepare(&program, &[]);
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    assert_eq!(manifest(&program, "mine").len(), 36);
    assert!(
        told.stdout.contains("key claimed by several files: 36"),
        "{}",
        told.stdout
    );
}

#[test]
fn keys_of_different_files_differ() {
    let program = tree(|_, _, l| l.to_owned());
    program.write("own/sad/s03/0.wav", &sound(1));
    program.write("own/sad/s03-0.wav", &sound(2));
    assert_eq!(sizes(&program, &[]).0, 38);
    let keys: Vec<String> = manifest(&program, "mine")
        .iter()
        .map(|row| row["key"].as_str().unwrap().to_owned())
        .collect();
    for key in [
        "mine-sad/s03-0.wav",
        "mine-sad/s03/0.wav",
        "mine-sad-03_sad_0",
    ] {
        assert!(keys.iter().any(|known| known == key), "{key}");
    }
}
