//! Whether a release is complete depends on the files of the corpus: without files beside them (another edition, videos,
//! songs), but with those that the corpus leaves out by label.

use emobox_corpus::{AudioHeader, CorpusError, PrepareOptions, Prepared, entry, prepare_with};
use std::fmt::Write;
use std::path::Path;

fn prepare(corpus: &str, raw: &Path) -> Result<Prepared, CorpusError> {
    let header = AudioHeader {
        sample_rate: 16_000,
        channels: 1,
        frames: 16_000,
    };
    prepare_with(corpus, raw, &PrepareOptions::default(), &|_| Ok(header))
}

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// The report of missing files.
fn missing(corpus: &str, raw: &Path) -> String {
    match prepare(corpus, raw).unwrap_err() {
        CorpusError::Incomplete { summary, .. } => summary,
        other => panic!("{corpus}: {other}"),
    }
}

/// IEMOCAP with all its 10,039 turns, of which 5531 have a label that is kept.
fn iemocap(root: &Path) -> Vec<String> {
    let mut turns = Vec::new();
    for (session, &(folder, count)) in (1..).zip(entry("iemocap").unwrap().card.expected) {
        let numbers: Vec<u32> = (0..count).collect();
        for (dialogue, numbers) in (1..).zip(numbers.chunks(1000)) {
            let dialogue = format!("Ses0{session}F_impro{dialogue:02}");
            let mut labels = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n".to_owned();
            for number in numbers {
                let turn = format!("{dialogue}_F{:03}", number % 1000);
                let label = if turns.len() < 5531 { "neu" } else { "fru" };
                writeln!(
                    labels,
                    "[6.2901 - 8.2357]\t{turn}\t{label}\t[2.5, 2.5, 2.5]\n"
                )
                .unwrap();
                let path = format!("{folder}/{dialogue}/{turn}.wav");
                put(root, &path, "");
                turns.push(path);
            }
            let place = format!("Session{session}/dialog");
            put(
                root,
                &format!("{place}/EmoEvaluation/{dialogue}.txt"),
                &labels,
            );
            put(root, &format!("{place}/wav/{dialogue}.wav"), "");
        }
    }
    turns
}

#[test]
fn turns_that_iemocap_leaves_out_by_label_are_part_of_a_complete_release() {
    let folder = tempfile::tempdir().unwrap();
    let turns = iemocap(folder.path());
    assert_eq!(turns.len(), 10_039);
    let whole = prepare("iemocap", folder.path()).unwrap();
    assert_eq!(whole.manifest.utterances.len(), 5531);
    let left_out: usize = whole
        .report
        .left_out
        .iter()
        .map(|reason| reason.count)
        .sum();
    let dialogues = 2 + 2 + 3 + 3 + 3;
    assert_eq!(left_out, 10_039 - 5531 + dialogues, "{}", whole.report);
    assert!(!whole.report.has_skipped(), "{}", whole.report);
    // Without a thousand turns of session 3.
    let third = turns.iter().filter(|turn| turn.starts_with("Session3"));
    for turn in third.take(1000) {
        std::fs::remove_file(folder.path().join(turn)).unwrap();
    }
    let found = missing("iemocap", folder.path());
    let expected = "  Session3/sentences/wav/: 1136 of 2136 audio files, 1000 missing\n";
    assert!(found.starts_with(expected), "{found}");
    assert!(found.ends_with("and 992 more files"), "{found}");
}

#[test]
fn what_lies_beside_a_corpus_does_not_stand_for_what_is_missing() {
    for (corpus, wanted, beside, summary) in [
        (
            "ravdess",
            "Actor_01/03-01-01-01-01-01-01.wav",
            &[
                "Actor_01/03-02-01-01-01-01-01.wav",
                "Actor_01/01-01-01-01-01-01-01.mp4",
            ][..],
            "  in all: 1 of 1440 audio files, 1439 missing",
        ),
        (
            "cafe",
            "CaFE_48k/Neutre/01-N-1-1.wav",
            &[
                "CaFE_192k/Neutre/01-N-1-1.aiff",
                "CaFE_192k/Neutre/01-N-1-2.aiff",
            ],
            "  in all: 1 of 936 audio files, 935 missing",
        ),
        (
            "oreau",
            "OréauFR_02/f/sessC/01a01Ca.wav",
            &[
                "OréauFR_01/f/sessC/01a01Ca.wav",
                "OréauFR_01/f/sessC/01a02Ca.wav",
            ],
            "  in all: 1 of 434 audio files, 433 missing",
        ),
        (
            "turevdb",
            "Sound Source/Calm/1984_sk_eger.wav",
            &["Model Output for Test Data/x/sound/Calm/1984_sk_beste.wav"],
            "  in all: 1 of 1735 audio files, 1734 missing",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for path in beside.iter().chain([&wanted]) {
            put(folder.path(), path, "");
        }
        assert_eq!(missing(corpus, folder.path()), summary, "{corpus}");
    }
}

#[test]
fn a_release_with_more_than_was_published_is_not_complete_by_that() {
    let folder = tempfile::tempdir().unwrap();
    // shemo.json lists F01N12, the published metadata do not.
    for id in ["F01A01", "F01N12"] {
        put(folder.path(), &format!("{id}.wav"), "");
    }
    let found = missing("shemo", folder.path());
    assert_eq!(found, "  in all: 1 of 2838 audio files, 2837 missing");
}
