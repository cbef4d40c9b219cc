use crate::{Mismatch, Prediction, ScoreError};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads one of the two lists of the published evaluation: `{"key", "pred"}` or `{"key", "label"}` entries, as a JSON array or
/// one per line (`EmoBox/EmoEval.py` of the published toolkit, commit 12fad97; the field is `pred` in its documentation and
/// `prediction` in its code). Values are names or integers.
///
/// # Errors
/// An entry without a key or a value, with its position in the file.
pub fn read_published_list(text: &str, file: &str) -> Result<Vec<(String, String)>, ScoreError> {
    let fail = |line: usize, problem: String| ScoreError::Line {
        file: file.to_owned(),
        line,
        problem,
    };
    let text = text.trim_start_matches('\u{feff}');
    let mut entries: Vec<(usize, Value)> = Vec::new();
    if text.trim_start().starts_with('[') {
        let all: Vec<Value> =
            serde_json::from_str(text).map_err(|e| fail(e.line(), e.to_string()))?;
        entries.extend(all.into_iter().map(|entry| (1, entry)));
    } else {
        for (i, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let entry = serde_json::from_str(line).map_err(|e| fail(i + 1, e.to_string()))?;
            entries.push((i + 1, entry));
        }
    }
    let many = entries.len();
    entries
        .into_iter()
        .enumerate()
        .map(|(i, (line, entry))| {
            let key = entry.get("key").and_then(name_of);
            let value = ["pred", "prediction", "label"]
                .iter()
                .find_map(|field| entry.get(field))
                .and_then(name_of);
            key.zip(value).ok_or_else(|| {
                let shown: String = entry.to_string().chars().take(80).collect();
                let expected = "expected \"key\" and \"pred\" or \"label\" as names or integers";
                fail(
                    line,
                    format!("entry {} of {many}: {expected}, got {shown}", i + 1),
                )
            })
        })
        .collect()
}

fn name_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// Joins the two published lists by key, in any order.
///
/// # Errors
/// Keys that are missing, extra or doubled, all of them.
pub fn join_published_lists(
    predictions: &[(String, String)],
    labels: &[(String, String)],
) -> Result<Vec<Prediction>, ScoreError> {
    let keys =
        |list: &'_ [(String, String)]| list.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>();
    let (expected, given) = (keys(labels), keys(predictions));
    Mismatch::between(
        expected.iter().map(String::as_str),
        given.iter().map(String::as_str),
    )
    .into_result()?;
    let predicted: BTreeMap<&String, &String> = predictions.iter().map(|(k, p)| (k, p)).collect();
    Ok(labels
        .iter()
        .map(|(key, label)| Prediction {
            key: key.clone(),
            fold: 1,
            label: label.clone(),
            prediction: predicted[key].clone(),
            scores: BTreeMap::new(),
            speaker: None,
            votes: BTreeMap::new(),
            gender: None,
        })
        .collect())
}
