//! Dimensions and votes of a user's own corpus: columns of a table, members of JSON lines.

#[path = "miniature/release.rs"]
mod release;

use emobox_corpus::{CorpusError, PrepareOptions, Prepared, Utterance, prepare_any_with};
use release::{read_header, unpack};
use std::collections::BTreeMap;
use std::path::Path;

const AUDIO: &str =
    "-- a.wav --\n16000 1 16000\n-- b.wav --\n16000 1 16000\n-- c.wav --\n16000 1 16000\n";

fn prepare(root: &Path) -> Result<Prepared, CorpusError> {
    prepare_any_with("mine", root, &PrepareOptions::default(), &read_header)
}

fn prepared(files: &str) -> Result<Prepared, CorpusError> {
    let folder = tempfile::tempdir().unwrap();
    unpack(&(AUDIO.to_owned() + files), folder.path());
    prepare(folder.path())
}

fn message(files: &str) -> String {
    prepared(files).unwrap_err().to_string()
}

const TABLE: &str = "-- labels.csv --\n\
    path,label,Valence,activation,votes_Angry,Votes Sad,votes_Bored\n\
    a.wav,Angry,2.5,4,3,0,1\n\
    b.wav,Sad,-1,1.25,,2.0,\n\
    c.wav,Sad,nan,2,,,\n";

#[test]
fn columns_are_read_and_what_lacks_a_value_is_counted() {
    let found = prepared(TABLE).unwrap();
    let manifest = &found.manifest;
    assert_eq!(manifest.dimensions(), ["valence", "arousal"]);
    let all: Vec<_> = manifest
        .utterances
        .iter()
        .map(Utterance::dimensions)
        .collect();
    assert_eq!(
        all,
        [
            [Some(2.5), Some(4.0), None],
            [Some(-1.0), Some(1.25), None],
            [None, Some(2.0), None]
        ]
    );
    let votes = |at: usize| manifest.utterances[at].votes.clone();
    let of = |pairs: &[(&str, u32)]| -> BTreeMap<String, u32> {
        pairs
            .iter()
            .map(|&(class, n)| (class.to_owned(), n))
            .collect()
    };
    assert_eq!(votes(0), of(&[("Angry", 3), ("Bored", 1)]));
    assert_eq!(votes(1), of(&[("Sad", 2)]));
    assert!(votes(2).is_empty());
    let notes = found.report.notes.join("\n");
    for part in [
        "dimensions: valence, arousal (the scale is not stated); 2 of 3 utterances have them",
        "annotators' votes: 2 of 3 utterances have them",
    ] {
        assert!(notes.contains(part), "{notes}");
    }
    assert!(!notes.contains("not used"), "{notes}");
}

#[test]
fn a_manifest_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    unpack(&(AUDIO.to_owned() + TABLE), folder.path());
    let first = prepare(folder.path()).unwrap().manifest;
    std::fs::remove_file(folder.path().join("labels.csv")).unwrap();
    first.write(folder.path().join("manifest.jsonl")).unwrap();
    let again = prepare(folder.path()).unwrap();
    assert_eq!(again.manifest, first);
    assert!(
        !again.report.to_string().contains("not used"),
        "{}",
        again.report
    );
}

#[test]
fn votes_for_raw_labels_become_votes_for_classes() {
    let files = "-- labels.csv --\npath,label,votes_W,votes_T\na.wav,W,2,1\nb.wav,T,,3\nc.wav,W,1,\n\
        -- label_map.json --\n{\"W\": \"Angry\", \"T\": \"Sad\"}\n";
    let found = prepared(files).unwrap();
    let votes = &found.manifest.utterances[0].votes;
    assert_eq!((votes["Angry"], votes["Sad"]), (2, 1));
}

#[test]
fn what_is_no_number_or_outside_of_the_scale_is_refused_with_its_line() {
    let high = TABLE.replace("2.5,4,", "high,4,");
    let told = message(&high);
    assert!(
        told.contains("line 2: valence \"high\" is no number"),
        "{told}"
    );
    let votes = message(&TABLE.replace(",3,0,1", ",3,some,1"));
    assert!(
        votes.contains("line 2: votes of Sad: \"some\" is no count"),
        "{votes}"
    );
    let scale = "-- dimensions.json --\n{\"scale\": [1, 5]}\n";
    let told = message(&(TABLE.to_owned() + scale));
    assert!(
        told.contains("line 3: valence -1 is outside of the scale from 1 to 5"),
        "{told}"
    );
    let wide = scale.replace("[1, 5]", "[-3, 5]");
    let found = prepared(&(TABLE.to_owned() + &wide)).unwrap();
    let notes = found.report.notes.join("\n");
    assert!(notes.contains("(from -3 to 5)"), "{notes}");
    let turned = message(&(TABLE.to_owned() + &scale.replace("[1, 5]", "[5, 1]")));
    assert!(
        turned.contains("dimensions.json") && turned.contains("lowest value first"),
        "{turned}"
    );
}

#[test]
fn votes_are_for_classes_however_they_are_spelt_and_other_words_are_named() {
    let files = "-- labels.csv --\npath,label,votes_anger,votes_SADNESS,votes_very-bored,votes_joy\n\
        a.wav,angry,2,1,0,4\nb.wav,sad,,3,,0\nc.wav,very bored,1,0,5,0\n";
    let found = prepared(files).unwrap();
    let votes = |at: usize| &found.manifest.utterances[at].votes;
    assert_eq!(
        (votes(0)["angry"], votes(0)["sad"], votes(0)["joy"]),
        (2, 1, 4)
    );
    assert_eq!((votes(1)["sad"], votes(2)["very bored"]), (3, 5));
    let notes = found.report.notes.join("\n");
    for part in [
        "votes are counted: SADNESS for sad, anger for angry, very-bored for very bored",
        "count for nothing, since no label has their class: joy; the classes are angry, sad, very bored",
    ] {
        assert!(notes.contains(part), "{part} in {notes}");
    }
    // The label map goes before, whatever the case.
    let files = "-- labels.csv --\npath,label,votes_w,votes_joy\na.wav,W,2,1\nb.wav,T,,3\nc.wav,W,1,\n\
        -- label_map.json --\n{\"W\": \"Angry\", \"T\": \"Sad\", \"joy\": \"Sad\"}\n";
    let found = prepared(files).unwrap();
    let votes = &found.manifest.utterances[0].votes;
    assert_eq!((votes["Angry"], votes["Sad"]), (2, 1));
}

#[test]
fn a_cell_is_a_number_of_the_scale_or_says_that_there_is_none() {
    let unrated = TABLE
        .replace("nan,2,,,", "NA,2,NA,,")
        .replace("2.5,4,", ",4,");
    let found = prepared(&unrated).unwrap();
    let has = |at: usize| found.manifest.utterances[at].valence.is_some();
    assert_eq!([has(0), has(1), has(2)], [false, true, false]);
    let table = "-- labels.csv --\npath;label;V;activation\na.wav;Angry;2.5;4\nb.wav;Sad;3,5;1.5\nc.wav;Sad;1;1e30\n";
    let folder = tempfile::tempdir().unwrap();
    unpack(&(AUDIO.to_owned() + table), folder.path());
    let columns = BTreeMap::from([("valence".to_owned(), "V".to_owned())]);
    let options = PrepareOptions {
        columns,
        ..PrepareOptions::default()
    };
    let told = prepare_any_with("mine", folder.path(), &options, &read_header);
    let told = told.unwrap_err().to_string();
    for part in [
        "line 3: valence (V) \"3,5\" is no number; write it with a point, 3.5",
        "line 4: arousal (activation) 1e30 is on no scale of ratings",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_column_that_stands_twice_is_refused_by_name() {
    for (columns, part) in [
        (
            "path,label,valence,valence",
            "two columns \"valence\", and the valence may be in either",
        ),
        (
            "path,label,votes_sad,votes_sad",
            "\"votes_sad\" and \"votes_sad\" hold votes for the same class",
        ),
        (
            "path,label,votes_sad,Votes Sad",
            "\"votes_sad\" and \"Votes Sad\" hold votes for the same class",
        ),
        (
            "path,label,label,age",
            "two columns \"label\", and the label may be in either",
        ),
    ] {
        let told = message(&format!(
            "-- labels.csv --\n{columns}\na.wav,sad,1,2\nb.wav,happy,2,3\n"
        ));
        assert!(
            told.contains("line 1") && told.contains(part),
            "{part} in {told}"
        );
    }
    // What is not used may stand twice.
    prepared("-- labels.csv --\npath,label,note,note\na.wav,sad,1,2\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    unpack(&(AUDIO.to_owned() + TABLE), folder.path());
    let columns = ["valence", "arousal"].map(|field| (field.to_owned(), "Valence".to_owned()));
    let options = PrepareOptions {
        columns: BTreeMap::from(columns),
        ..PrepareOptions::default()
    };
    let told = prepare_any_with("mine", folder.path(), &options, &read_header);
    let told = told.unwrap_err().to_string();
    let part = "names the column \"Valence\" for both arousal and valence";
    assert!(told.contains(part), "{told}");
}
