//! Side files with the wrong columns, partial releases and folders of another corpus, on the miniature releases of the corpora
//! with side files: the messages that a user gets.

use emobox_corpus::{AudioHeader, CorpusError, PrepareOptions, Prepared, prepare_with};
use std::path::{Path, PathBuf};

/// A miniature release on disk, whose files can be broken one by one.
struct Release {
    corpus: &'static str,
    folder: tempfile::TempDir,
}

impl Release {
    fn unpack(corpus: &'static str) -> Self {
        let archive =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/miniature/{corpus}.txt"));
        let folder = tempfile::tempdir().unwrap();
        let archive = "\n".to_owned() + &std::fs::read_to_string(archive).unwrap();
        for file in archive.split("\n-- ").skip(1) {
            let (name, content) = file.split_once(" --\n").unwrap();
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Self { corpus, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces text that must occur.
    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        std::fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    fn prepare_as(&self, corpus: &str, allow_missing: bool) -> Result<Prepared, CorpusError> {
        let options = PrepareOptions {
            allow_missing,
            threads: Some(1),
            ..PrepareOptions::default()
        };
        let header = AudioHeader {
            sample_rate: 16_000,
            channels: 2,
            frames: 16_000_000,
        };
        prepare_with(corpus, self.folder.path(), &options, &|_| Ok(header))
    }

    fn message(&self) -> String {
        self.prepare_as(self.corpus, true).unwrap_err().to_string()
    }
}

#[test]
fn a_side_file_with_the_wrong_columns_names_those_found_and_expected() {
    for (corpus, file, from, to, message) in [
        (
            "meld",
            "MELD.Raw/train/train_sent_emo.csv",
            "Speaker,Emotion",
            "Person,Label",
            "train_sent_emo.csv: columns expected: Dialogue_ID, Utterance_ID, Speaker, Emotion, Utterance; found: Sr No., \
             Utterance, Person, Label, Sentiment, Dialogue_ID, Utterance_ID, Season, Episode, StartTime, EndTime; missing: \
             Speaker, Emotion",
        ),
        (
            "meld",
            "MELD.Raw/dev_sent_emo.csv",
            "joy,positive,0,0",
            "joy,positive,first,0",
            "dev_sent_emo.csv: line 2: Dialogue_ID and Utterance_ID are no numbers: \"first\", \"0\"",
        ),
        (
            "mer2023",
            "MER2023/test-labels/test1-label.csv",
            "discrete",
            "emotion",
            "test1-label.csv: columns expected: name, discrete; found: name, emotion, valence; missing: discrete",
        ),
        (
            "msppodcast",
            "MSP-PODCAST-Publish/Labels/labels_consensus.csv",
            "FileName,EmoClass",
            "MSP-PODCAST_0002_0033.wav,N",
            "missing: FileName, EmoClass",
        ),
        (
            "msppodcast",
            "MSP-PODCAST-Publish/Partitions.txt",
            ";",
            "",
            "Partitions.txt: line 1: lines such as \"Train; MSP-PODCAST_0001_0008.wav\" expected, found none",
        ),
        (
            "emozionalmente",
            "emozionalmente_dataset/metadata/samples.csv",
            ",",
            ";",
            "columns expected: file_name, actor, sentence, emotion_expressed; found: \
             file_name;timestamp;actor;sentence;emotion_expressed; missing: file_name, actor, sentence, emotion_expressed",
        ),
        (
            "emozionalmente",
            "emozionalmente_dataset/metadata/users.csv",
            "gender",
            "sex",
            "users.csv: columns expected: username, gender; found: username, sex, age; missing: gender",
        ),
        (
            "emns",
            "EMNS/metadata.csv",
            "|audio_recording|",
            "|recording|",
            "metadata.csv: columns expected: emotion, audio_recording; found: id, utterance, description, emotion, \
             date_created, status, gender, age, level, recording, user_id; missing: audio_recording",
        ),
        (
            "resd",
            "resd/test.csv",
            "path,emotion",
            "file,emotion",
            "test.csv: columns expected: path, emotion; found: file, emotion; missing: path",
        ),
        (
            "m3ed",
            "M3ED/annotation.json",
            "final_main_emo",
            "final_mul_emo_2",
            "missing field `final_main_emo`",
        ),
        (
            "pavoque",
            "pavoque-data-0.2/pavoque-angry.yaml",
            "style:",
            "mood:",
            "pavoque-angry.yaml: line 1: prompt, style, start and end expected, found prompt, text, mood, start, end, \
             segments; style is missing; line 9: ",
        ),
        (
            "iemocap",
            "IEMOCAP_full_release/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt",
            "]\tSes01F_impro01_M001\tfru",
            "]\tSes01F_impro01_M001",
            "Ses01F_impro01.txt: line 13: [start - end], turn and label expected",
        ),
    ] {
        let release = Release::unpack(corpus);
        release.replace(file, from, to);
        let found = release.message();
        assert!(found.contains(message), "{corpus}: {found}");
    }
}

#[test]
fn json_labels_of_msp_podcast_name_the_fields_found_and_expected() {
    let release = Release::unpack("msppodcast");
    let labels =
        r#"{"MSP-PODCAST_0002_0033.wav": {"Emotion": "N", "SpkrID": 7, "Split_Set": "Train"}}"#;
    let path = "MSP-PODCAST-Publish/Labels/labels_consensus.json";
    std::fs::write(release.path(path), labels).unwrap();
    let found = release.message();
    let message = "columns expected: EmoClass, SpkrID, Gender, Split_Set; found: Emotion, SpkrID, Split_Set; missing: EmoClass of \
                   MSP-PODCAST_0002_0033.wav";
    assert!(found.contains(message), "{found}");
    // Speakers may be numbers, and labels have their own parts.
    release.replace(path, "Emotion", "EmoClass");
    let prepared = release.prepare_as("msppodcast", true).unwrap();
    let speakers: Vec<_> = prepared.manifest.speakers();
    assert_eq!(speakers, ["7"]);
}

#[test]
fn votes_of_msp_podcast_are_read_in_every_form_of_its_releases() {
    let name = "MSP-PODCAST_0002_0033.wav";
    let forms = [
        (
            "labels_detailed.csv",
            format!(
                "FileName,EmoDetail\n{name},\"WORKER1; Angry; Angry,Sad; A:4.0; V:4.0; D:4.0;\"\n\
                 {name},\"WORKER2; Sad; Sad; A:4.0; V:4.0; D:4.0;\"\n"
            ),
        ),
        (
            "labels_detailed.json",
            format!(
                r#"{{"{name}": {{"WORKER1": {{"EmoClass_Major": "Angry"}}, "WORKER2": {{"EmoClass_Major": "Sad"}}}}}}"#
            ),
        ),
        (
            "labels.txt",
            format!(
                "{name}; N; A:4.2; V:4.0; D:4.6;\nWORKER1; Angry; Angry,Sad; A:4.0; V:4.0; D:4.0;\n\
                 WORKER2; Sad; Sad; A:4.0; V:4.0; D:4.0;\n"
            ),
        ),
    ];
    for (file, text) in forms {
        let release = Release::unpack("msppodcast");
        let folder = "MSP-PODCAST-Publish/Labels";
        std::fs::remove_file(release.path(&format!("{folder}/labels_detailed.csv"))).unwrap();
        std::fs::write(release.path(&format!("{folder}/{file}")), text).unwrap();
        let manifest = release.prepare_as("msppodcast", true).unwrap().manifest;
        let found = &manifest.utterances[0];
        assert_eq!(found.dimensions(), [Some(4.0), Some(4.2), Some(4.6)]);
        let votes: Vec<(&str, u32)> = found.votes.iter().map(|(c, n)| (&**c, *n)).collect();
        assert_eq!(votes, [("Angry", 1), ("Sad", 1)], "{file}");
    }
}

/// The side file with the labels, and an audio file of the miniature.
const PARTS: [(&str, &str, &str); 9] = [
    (
        "iemocap",
        "IEMOCAP_full_release/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt",
        "IEMOCAP_full_release/Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    ),
    (
        "meld",
        "MELD.Raw/train/train_sent_emo.csv",
        "MELD.Raw/train/train_splits/dia0_utt0.mp4",
    ),
    (
        "m3ed",
        "M3ED/annotation.json",
        "M3ED/modality_speech/A_anjia_1_1.wav",
    ),
    (
        "mer2023",
        "MER2023/mer2023train/train-label.csv",
        "MER2023/mer2023train/train/sample_00002721.avi",
    ),
    (
        "msppodcast",
        "MSP-PODCAST-Publish/Labels/labels_consensus.csv",
        "MSP-PODCAST-Publish/Audios/MSP-PODCAST_0002_0033.wav",
    ),
    (
        "emozionalmente",
        "emozionalmente_dataset/metadata/samples.csv",
        "emozionalmente_dataset/audio/1613655062436.wav",
    ),
    (
        "emns",
        "EMNS/metadata.csv",
        "EMNS/cleaned_webm/recorded_audio_RF6OuQ4.webm",
    ),
    (
        "resd",
        "resd/train.csv",
        "resd/train/happiness_enthusiasm_32/32_happiness_enthusiasm_h_120.wav",
    ),
    (
        "pavoque",
        "pavoque-data-0.2/pavoque-angry.yaml",
        "pavoque-data-0.2/pavoque-angry.flac",
    ),
];

#[test]
fn a_release_without_its_labels_says_which_file_is_wanted() {
    for (corpus, labels, _) in PARTS {
        let release = Release::unpack(corpus);
        std::fs::remove_file(release.path(labels)).unwrap();
        if corpus == "iemocap" {
            // Each dialogue has a file of its own: one that is absent makes its turns contradictory.
            let report = release.prepare_as(corpus, true).unwrap().report;
            assert_eq!(report.contradictions.len(), 6, "{report}");
            std::fs::remove_dir_all(release.path("IEMOCAP_full_release/session2/dialog")).unwrap();
        }
        let found = release.message();
        assert!(
            found.contains("side file ") && found.contains(" not found below "),
            "{corpus}: {found}"
        );
        let name = labels.rsplit('/').next().unwrap();
        assert!(found.contains(name), "{corpus}: {found}");
    }
}

#[test]
fn a_half_downloaded_release_names_what_is_missing_and_prepares_the_rest_on_request() {
    for (corpus, _, audio) in PARTS {
        let release = Release::unpack(corpus);
        let whole = release.prepare_as(corpus, true).unwrap();
        std::fs::remove_file(release.path(audio)).unwrap();
        let error = release.prepare_as(corpus, false).unwrap_err();
        assert!(
            matches!(error, CorpusError::Incomplete { .. }),
            "{corpus}: {error}"
        );
        let message = error.to_string();
        assert!(
            message.contains("--allow-missing") && message.contains(" missing\n"),
            "{corpus}: {message}"
        );
        let rest = release.prepare_as(corpus, true).unwrap();
        assert!(
            rest.manifest.utterances.len() < whole.manifest.utterances.len(),
            "{corpus}"
        );
        let stem = Path::new(audio).file_stem().unwrap().to_str().unwrap();
        let named = |prepared: &Prepared| {
            prepared
                .report
                .missing_files
                .iter()
                .any(|noted| noted.path.contains(stem))
        };
        assert!(!named(&whole) && named(&rest), "{corpus}: {}", rest.report);
    }
}

#[test]
fn the_folder_of_another_corpus_is_recognised() {
    for (index, (corpus, ..)) in PARTS.iter().enumerate() {
        let other = PARTS[(index + 1) % PARTS.len()].0;
        let found = Release::unpack(corpus)
            .prepare_as(other, true)
            .unwrap_err()
            .to_string();
        assert!(
            found.contains(&format!("it looks like {corpus} (")),
            "{other} on {corpus}: {found}"
        );
    }
}
