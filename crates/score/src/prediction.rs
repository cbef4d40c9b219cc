use crate::ScoreError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Read, Write};

/// The longest line that is read; real ones are below a kilobyte.
const LONGEST_LINE: u64 = 1 << 20;

/// One scored utterance: a line of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Key of the utterance in its manifest.
    pub key: String,
    /// Fold whose test part holds the utterance, from 1. Optional in files of other programs.
    #[serde(default = "first_fold")]
    pub fold: u32,
    /// The reference class.
    pub label: String,
    /// The predicted class.
    pub prediction: String,
    /// Natural-log probability of each class; empty where a program gives none. `null` is log 0.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "log_probabilities"
    )]
    pub scores: BTreeMap<String, f64>,
    /// Speaker, where known: the cluster of the standard error, so that intervals can be computed from this file alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// The speaker's gender as the manifest writes it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// How many annotators voted for each class, where a probe was trained on votes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<String, u32>,
}

fn first_fold() -> u32 {
    1
}

/// JSON has no infinity: `serde_json` writes log 0 as `null`, which is read back here.
pub(crate) fn log_probabilities<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, f64>, D::Error> {
    let scores = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(scores
        .into_iter()
        .map(|(class, score)| (class, score.unwrap_or(f64::NEG_INFINITY)))
        .collect())
}

/// A line of `predictions.jsonl`, of classes or of dimensions.
pub(crate) trait Line: DeserializeOwned {
    /// What a line holds, for messages.
    const FORM: &'static str;

    /// Key and fold, which no two lines share.
    fn place(&self) -> (&str, u32);

    /// What is wrong with a line, beside the first one of the file.
    fn problem(&self, first: Option<&Self>) -> Option<String>;
}

/// Reads `predictions.jsonl`. Blank lines are skipped; unknown fields are allowed.
///
/// `file` is used only in messages. A key may occur once in each fold.
///
/// # Errors
/// The first line that is not a prediction, or a key that occurs twice in a fold, with its line number.
pub fn read_predictions(reader: impl BufRead, file: &str) -> Result<Vec<Prediction>, ScoreError> {
    read_lines(reader, file)
}

/// The lines of a file of predictions.
pub(crate) fn read_lines<P: Line>(
    mut reader: impl BufRead,
    file: &str,
) -> Result<Vec<P>, ScoreError> {
    let mut predictions: Vec<P> = Vec::new();
    let mut seen = HashMap::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|source| ScoreError::Read {
                file: file.to_owned(),
                source,
            })?;
        if read == 0 {
            break;
        }
        let fail = |problem: String| ScoreError::Line {
            file: file.to_owned(),
            line: number,
            problem,
        };
        if read as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            return Err(fail(format!("longer than {LONGEST_LINE} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|e| fail(format!("not UTF-8: {e}")))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let prediction: P = serde_json::from_str(text).map_err(|e| {
            let place = format!(" at line {} column {}", e.line(), e.column());
            let reason = e.to_string();
            let reason = reason.strip_suffix(&place).unwrap_or(&reason);
            fail(format!("expected one prediction, {}: {reason}", P::FORM))
        })?;
        let (key, fold) = prediction.place();
        let wrong = match (key, fold) {
            ("", _) => Some("the key is empty".to_owned()),
            (_, 0) => Some("folds count from 1, got 0".to_owned()),
            _ => prediction.problem(predictions.first()),
        };
        if let Some(problem) = wrong {
            return Err(fail(problem));
        }
        if let Some(first) = seen.insert((key.to_owned(), fold), number) {
            return Err(fail(format!(
                "key {key:?} of fold {fold} already stands in line {first}"
            )));
        }
        predictions.push(prediction);
    }
    Ok(predictions)
}

impl Line for Prediction {
    const FORM: &'static str = r#"{"key", "fold", "label", "prediction", "scores"}"#;

    fn place(&self) -> (&str, u32) {
        (&self.key, self.fold)
    }

    fn problem(&self, _: Option<&Self>) -> Option<String> {
        let texts = [("label", &self.label), ("prediction", &self.prediction)];
        let empty = texts.iter().find(|(_, text)| text.is_empty());
        empty.map(|(field, _)| format!("the {field} is empty"))
    }
}

/// Writes `predictions.jsonl`, for classes or dimensions, one utterance per line, in the order given.
///
/// # Errors
/// Errors of the writer.
pub fn write_predictions<P: Serialize>(
    mut out: impl Write,
    predictions: &[P],
) -> std::io::Result<()> {
    for prediction in predictions {
        serde_json::to_writer(&mut out, prediction)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        read_predictions(text.as_bytes(), "p.jsonl")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let prediction = Prediction {
            key: "corpus-ä-\"1\"".into(),
            fold: 2,
            label: "angry".into(),
            prediction: "sad".into(),
            scores: BTreeMap::from([
                ("angry".into(), f64::NEG_INFINITY),
                ("sad".into(), -1.234_567_890_123_456_7e-9),
            ]),
            speaker: Some("03".into()),
            votes: BTreeMap::new(),
            gender: None,
        };
        let mut bytes = Vec::new();
        write_predictions(&mut bytes, std::slice::from_ref(&prediction)).unwrap();
        let read = read_predictions(bytes.as_slice(), "p.jsonl").unwrap();
        assert_eq!(read, [prediction]);
    }

    #[test]
    fn another_programs_file_needs_three_fields() {
        let text = "\u{feff}{\"key\":\"a\",\"label\":\"x\",\"prediction\":\"y\",\"extra\":1}\r\n\n";
        let read = read_predictions(text.as_bytes(), "p.jsonl").unwrap();
        assert_eq!((read.len(), read[0].fold), (1, 1));
    }

    #[test]
    fn bad_lines_are_named() {
        let good = "{\"key\":\"a\",\"label\":\"x\",\"prediction\":\"y\"}\n";
        assert!(message(&format!("{good}{good}")).contains("p.jsonl:2: key \"a\" of fold 1"));
        assert!(message("{\"key\":\"a\",\"label\":\"x\"}").contains("missing field `prediction`"));
        assert!(message("\n[1,2]\n").starts_with("p.jsonl:2: expected one prediction"));
        let empty = "{\"key\":\"\",\"label\":\"x\",\"prediction\":\"y\"}";
        assert!(message(empty).contains("the key is empty"));
        for (field, value) in [("label", "\"x\""), ("prediction", "\"y\"")] {
            let told = message(&good.replace(value, "\"\""));
            assert!(told.contains(&format!("the {field} is empty")), "{told}");
        }
        let zero = "{\"key\":\"a\",\"fold\":0,\"label\":\"x\",\"prediction\":\"y\"}";
        assert!(message(zero).contains("from 1"));
        assert!(read_predictions(&b"\xff\xfe"[..], "p").is_err());
        // The longest line that is read has its end as its last byte.
        let room = LONGEST_LINE as usize - good.len();
        let longest = good.replacen("\"a\"", &format!("\"a{}\"", "b".repeat(room)), 1);
        assert_eq!(longest.len() as u64, LONGEST_LINE);
        let read = read_predictions(format!("{longest}{longest}").as_bytes(), "p.jsonl");
        assert!(read.unwrap_err().to_string().starts_with("p.jsonl:2: key"));
        let longer = longest.replacen("\"a", "\"aa", 1);
        assert!(message(&longer).contains("longer than 1048576 bytes"));
    }
}
