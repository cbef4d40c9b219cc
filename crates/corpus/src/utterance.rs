use crate::{CorpusError, LineProblem, path_text};
use emobox_files::{FileError, Sha256, join_inside, sha256_parts, write_atomic_with};
use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// One labelled recording, or one labelled segment of a recording.
///
/// The first ten fields and `start_time`/`end_time` have the names and meaning of the published EmoBox jsonl, so that both
/// tools can read each other's files. The other fields are ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    /// Unique name within the corpus, as published: `<corpus>-<name>`.
    pub key: String,
    /// The corpus.
    pub dataset: String,
    /// Audio file relative to the corpus root, with `/`. Use [`Utterance::audio_path`] to open it.
    pub wav: String,
    /// Always `raw`: the audio as released.
    #[serde(default = "raw")]
    pub r#type: String,
    /// Samples per second in the file.
    pub sample_rate: u32,
    /// Samples of one channel (of the segment, if it is one).
    #[serde(deserialize_with = "rounded")]
    pub num_frame: u64,
    /// Always `category`: one class per utterance.
    #[serde(default = "category")]
    pub task: String,
    /// Seconds.
    pub length: f64,
    /// The label as the corpus writes it.
    pub emo: String,
    /// The channel to use, from 1; 0 is the mean of all.
    #[serde(default = "first_channel")]
    pub channel: u16,
    /// Start of the segment in seconds, if the utterance is part of a longer file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// End of the segment in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    /// The harmonised class. Equal to `emo` in a published file, which has no such field.
    #[serde(default)]
    pub label: String,
    /// The speaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// `female`, `male`, or the corpus's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// Language spoken, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The transcript, or the corpus's code of the sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The corpus's own part: `train`, `valid`, `test`, `test2`…, or `session1`… where folds are sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// How pleasant the emotion is, on the corpus's own scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valence: Option<f64>,
    /// How excited it is (activation), on the corpus's own scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arousal: Option<f64>,
    /// How much in control the speaker is, on the corpus's own scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dominance: Option<f64>,
    /// How many annotators voted for each class, if the release has votes; includes words that are not classes of the corpus.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<String, u32>,
}

/// The names of the dimensions, in the standard order.
pub const DIMENSIONS: [&str; 3] = ["valence", "arousal", "dominance"];

impl Utterance {
    /// The values of [`DIMENSIONS`].
    pub fn dimensions(&self) -> [Option<f64>; 3] {
        [self.valence, self.arousal, self.dominance]
    }

    /// The audio file on disk, given the corpus root. Rejects a path outside the root.
    pub fn audio_path(&self, root: impl AsRef<Path>) -> Result<PathBuf, CorpusError> {
        inside(root.as_ref(), &self.wav)
    }
}

/// Joins an encoded relative path (see [`crate::path_text`]) to `root`, rejecting `..` and absolute paths.
pub(crate) fn inside(root: &Path, wav: &str) -> Result<PathBuf, CorpusError> {
    join_inside(root, wav)?;
    Ok(root.join(path_text::decode(wav)))
}

/// The utterances of one corpus, in order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The corpus.
    pub corpus: String,
    /// Sorted by key when made by [`crate::prepare`]; in file order when read.
    pub utterances: Vec<Utterance>,
}

impl Manifest {
    /// Reads a jsonl manifest, ours or a published one: unknown fields are ignored, `num_frame` may be a float. The error lists
    /// every unusable line, including repeated keys.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CorpusError> {
        let path = path.as_ref();
        let file = std::fs::File::open(path).map_err(|e| FileError::io("read", path, e))?;
        let mut utterances: Vec<Utterance> = Vec::new();
        let mut problems = Vec::new();
        let mut seen = std::collections::HashMap::new();
        for (line, text) in (1..).zip(BufReader::new(file).split(b'\n')) {
            let text = text.map_err(|e| FileError::io("read", path, e))?;
            let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
            if text.trim_ascii().is_empty() {
                continue;
            }
            let parsed = serde_json::from_slice::<Utterance>(text)
                .map_err(|e| e.to_string())
                .and_then(|utterance| {
                    check(&utterance)?;
                    match seen.insert(utterance.key.clone(), line) {
                        Some(first) => Err(format!(
                            "key {:?} is already on line {first}",
                            utterance.key
                        )),
                        None => Ok(utterance),
                    }
                });
            match parsed {
                Ok(mut utterance) => {
                    if utterance.label.is_empty() {
                        utterance.label.clone_from(&utterance.emo);
                    }
                    utterances.push(utterance);
                }
                Err(message) => problems.push(LineProblem { line, message }),
            }
        }
        if !problems.is_empty() {
            let path = path.to_owned();
            return Err(CorpusError::Lines { path, problems });
        }
        let corpus = utterances
            .first()
            .map(|u| u.dataset.clone())
            .unwrap_or_default();
        Ok(Self { corpus, utterances })
    }

    /// Writes one JSON object per line, atomically.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), CorpusError> {
        // Only a few thousand lines at a time are in memory.
        write_atomic_with(path, |out| {
            let mut parts = self.utterances.chunks(1 << 12);
            parts.try_for_each(|part| write_lines(out, part))
        })?;
        Ok(())
    }

    /// SHA-256 over the lines in order of their keys, so that the order of lines in a file does not matter.
    pub fn digest(&self) -> Sha256 {
        let mut sorted: Vec<&Utterance> = self.utterances.iter().collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        sha256_parts(sorted.into_iter().map(|utterance| {
            // Serialising plain data cannot fail; an empty line would still change the digest.
            let mut line = serde_json::to_vec(utterance).unwrap_or_default();
            line.push(b'\n');
            line
        }))
    }

    /// The harmonised classes that occur, sorted.
    pub fn classes(&self) -> Vec<String> {
        distinct(self.utterances.iter().map(|u| u.label.as_str()))
    }

    /// The speakers that occur, sorted.
    pub fn speakers(&self) -> Vec<String> {
        distinct(self.utterances.iter().filter_map(|u| u.speaker.as_deref()))
    }

    /// Those of [`DIMENSIONS`] that any utterance has.
    pub fn dimensions(&self) -> Vec<&'static str> {
        let any = |at: usize| self.utterances.iter().any(|u| u.dimensions()[at].is_some());
        (0..DIMENSIONS.len())
            .filter(|&at| any(at))
            .map(|at| DIMENSIONS[at])
            .collect()
    }

    /// Total length in seconds.
    pub fn seconds(&self) -> f64 {
        self.utterances.iter().map(|u| u.length).sum()
    }
}

/// Writes one JSON object per line; all threads serialise.
pub(crate) fn write_lines(out: &mut dyn Write, utterances: &[Utterance]) -> std::io::Result<()> {
    let lines = utterances.par_chunks(1 << 8).map(json_lines);
    for lines in lines.collect::<Result<Vec<_>, _>>()? {
        out.write_all(&lines)?;
    }
    Ok(())
}

fn json_lines(utterances: &[Utterance]) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for utterance in utterances {
        serde_json::to_writer(&mut lines, utterance)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn distinct<'a>(items: impl Iterator<Item = &'a str>) -> Vec<String> {
    let set: std::collections::BTreeSet<&str> = items.collect();
    set.into_iter().map(str::to_owned).collect()
}

fn check(utterance: &Utterance) -> Result<(), String> {
    if utterance.key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    if utterance.key.contains(['\t', '\n', '\r']) {
        return Err(format!(
            "key {:?} holds a tab or a line break",
            utterance.key
        ));
    }
    join_inside("corpus root", &utterance.wav).map_err(|e| e.to_string())?;
    match (utterance.start_time, utterance.end_time) {
        (Some(start), Some(end)) if !(start >= 0.0 && end > start && end.is_finite()) => {
            Err(format!("segment {start}..{end} s is empty or negative"))
        }
        _ => Ok(()),
    }
}

fn raw() -> String {
    "raw".to_owned()
}

fn category() -> String {
    "category".to_owned()
}

fn first_channel() -> u16 {
    1
}

fn rounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    // 2^53: above it a float cannot represent every sample count.
    if (0.0..9.007_199_254_740_992e15).contains(&value) {
        Ok(value.round() as u64)
    } else {
        Err(serde::de::Error::custom(format!(
            "num_frame {value} is no count of samples"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, CorpusError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Manifest::read(file.path())
    }

    const PUBLISHED: &str = r#"{"key": "urdu-a", "dataset": "urdu", "wav": "downloads/urdu/Sad/a.wav", "type": "raw", "sample_rate": 44100, "num_frame": 132455.99999, "task": "category", "length": 3.0035374149659866, "emo": "S", "channel": 1, "colour": "blue"}"#;

    #[test]
    fn a_published_line_is_read_and_survives_a_round_trip() {
        let manifest = read(PUBLISHED).unwrap();
        let utterance = &manifest.utterances[0];
        assert_eq!(
            (utterance.num_frame, utterance.label.as_str()),
            (132_456, "S")
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        manifest.write(file.path()).unwrap();
        assert_eq!(Manifest::read(file.path()).unwrap(), manifest);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(
            text.contains(r#""num_frame":132456,"#) && !text.contains("speaker"),
            "{text}"
        );
    }

    #[test]
    fn every_bad_line_is_named() {
        let climbing = PUBLISHED.replace("downloads/", "../");
        let twice = format!("{PUBLISHED}\n\n{PUBLISHED}\n{climbing}\nnot json\n");
        let message = read(&twice).unwrap_err().to_string();
        for part in [
            "line 3",
            "already on line 1",
            "line 4",
            "climbs out",
            "line 5",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
        let nan = PUBLISHED.replace("132455.99999", "-4");
        assert!(
            read(&nan)
                .unwrap_err()
                .to_string()
                .contains("no count of samples")
        );
    }

    #[test]
    fn the_digest_ignores_order() {
        let second = PUBLISHED.replace("urdu-a", "urdu-b");
        let one = read(&format!("{PUBLISHED}\n{second}")).unwrap();
        let other = read(&format!("{second}\n{PUBLISHED}")).unwrap();
        assert_eq!(one.digest(), other.digest());
        assert_ne!(one.digest(), read(PUBLISHED).unwrap().digest());
    }
}
