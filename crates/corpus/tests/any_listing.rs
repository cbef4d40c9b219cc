//! Listings with arbitrary contents, in every supported form: a result or an error, never a panic.

use emobox_corpus::{AudioHeader, HeaderProblem, PrepareOptions, prepare_any_with};
use proptest::prelude::*;
use std::path::Path;

fn header(_: &Path) -> Result<AudioHeader, HeaderProblem> {
    Ok(AudioHeader {
        sample_rate: 16_000,
        channels: 2,
        frames: 16_000,
    })
}

/// Valid and invalid pieces from which listings are composed.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&[u8]] = &[
        b"path",
        b"label",
        b"emo",
        b"speaker",
        b"start",
        b"end",
        b"split",
        b"channel",
        b"key",
        b",",
        b";",
        b"\t",
        b"|",
        b" ",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"\\",
        b"/",
        b"..",
        b"a.wav",
        b"b/a.wav",
        b"sad",
        b"joy",
        b"train",
        b"test",
        b"nan",
        b"0",
        b"1e308",
        b"-1",
        b"0.5",
        b"99999999999999999999",
        b"{",
        b"}",
        b":",
        b"null",
        b"[1]",
        b"{\"wav\": \"a.wav\", \"emo\": \"sad\"}\n",
        b"0 days 00:00:01",
        b"\xEF\xBB\xBF",
        b"\xFF\xFE",
        b"\0",
        b"\x80",
        b"\xC3\xBC",
    ];
    prop_oneof![
        4 => proptest::sample::select(WORDS).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_listing_makes_a_panic(form in 0..6_usize, first in content(), second in content(), rightly in any::<bool>()) {
        let forms: [&[&str]; 6] = [
            &["labels.csv"],
            &["manifest.jsonl", "label_map.json"],
            &["train.tsv", "test.tsv"],
            &["wav.scp", "segments"],
            &["supervisions.jsonl", "recordings.jsonl"],
            &["cuts.jsonl.gz"],
        ];
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("b")).unwrap();
        for audio in ["a.wav", "b/a.wav"] {
            std::fs::write(root.join(audio), audio).unwrap();
        }
        let begin: &[u8] = match (rightly, form) {
            (true, 0) => b"path,label,speaker,start,end,split\n",
            (true, 2) => b"path\tlabel\n",
            (true, 3) => b"a a.wav\n",
            _ => b"",
        };
        for (name, content) in forms[form].iter().zip([&first, &second]) {
            std::fs::write(root.join(name), [begin, content].concat()).unwrap();
        }
        if form == 3 {
            std::fs::write(root.join("utt2emo"), "a sad\nb joy\n").unwrap();
        }
        match prepare_any_with("mine", root, &PrepareOptions::default(), &header) {
            Ok(prepared) => {
                prop_assert!(!prepared.manifest.utterances.is_empty());
                for utterance in &prepared.manifest.utterances {
                    prop_assert!(utterance.audio_path(root).unwrap().is_file());
                    prop_assert!(!utterance.label.is_empty());
                }
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
