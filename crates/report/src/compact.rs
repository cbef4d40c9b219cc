//! Long lists of numbers as one string each: in `report.json`, where one number per line would take tens of megabytes,
//! and on the page, where curves and maps are stored as text until a reader opens them.

use serde::{Deserialize, Deserializer, Serializer};
use std::fmt::Write;

/// A value of a curve as it is stored, so that a page made from memory and one made from `report.json` are the same:
/// three digits, or four decimals below 0.1. A chart of 150 pixels shows fewer.
pub(crate) fn kept(value: f64) -> f64 {
    let parts = match value.abs() {
        small if small < 0.1 => 10_000.0,
        middle if middle < 1.0 => 1000.0,
        _ => 100.0,
    };
    // No negative zero, which would print differently.
    (value * parts).round() / parts + 0.0
}

/// A curve as `1.95 .85 .0123`.
pub(crate) fn write_series<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(values.len() * 5);
    for (i, &value) in values.iter().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        let before = text.len();
        let _ = write!(text, "{}", kept(value));
        // Two million leading zeros take two megabytes.
        if text[before..].starts_with("0.") {
            text.remove(before);
        }
    }
    to.serialize_str(&text)
}

/// Names as one string, one per line; a line break inside a name becomes a space.
pub(crate) fn write_lines<S: Serializer>(names: &[String], to: S) -> Result<S::Ok, S::Error> {
    let lines: Vec<String> = names
        .iter()
        .map(|name| name.replace(['\n', '\r'], " "))
        .collect();
    to.serialize_str(&lines.join("\n"))
}

/// A string of [`write_lines`], or a list.
pub(crate) fn read_lines<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Stored::deserialize(from)? {
        Stored::List(names) => names,
        Stored::Text(text) if text.is_empty() => Vec::new(),
        Stored::Text(text) => text.split('\n').map(str::to_owned).collect(),
    })
}

/// A string of [`write_series`], or a list of numbers as in older files.
pub(crate) fn read_series<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Text(String),
        List(Vec<Option<f64>>),
    }
    match Stored::deserialize(from)? {
        Stored::List(values) => Ok(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect()),
        Stored::Text(text) => text
            .split_ascii_whitespace()
            .map(|word| word.parse().map_err(|_| not_a_number(word)))
            .collect(),
    }
}

pub(crate) fn not_a_number<E: serde::de::Error>(word: &str) -> E {
    E::custom(format!(
        "expected numbers separated by spaces, got {word:?}"
    ))
}

/// The largest number that two characters of [`pack`] hold.
pub(crate) const PACKED: u16 = 4095;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Two characters for a number of 0..=4095, which the page's script reads back.
pub(crate) fn pack(out: &mut String, number: u16) {
    let number = usize::from(number.min(PACKED));
    out.push(char::from(DIGITS[number / 64]));
    out.push(char::from(DIGITS[number % 64]));
}

/// JSON for a `<script type="application/json">` element, escaped so that nothing in it ends the element.
pub(crate) fn json_for_page(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Curve {
        #[serde(serialize_with = "write_series", deserialize_with = "read_series")]
        loss: Vec<f64>,
        #[serde(serialize_with = "write_lines", deserialize_with = "read_lines")]
        keys: Vec<String>,
    }

    #[test]
    fn a_curve_is_one_string_and_old_lists_are_read() {
        let curve = Curve {
            loss: vec![1.945_91, 0.5554, 0.012_34, -0.000_01, 12.5, f64::NAN],
            keys: vec!["a b".into(), "c\nd".into()],
        };
        let text = serde_json::to_string(&curve).unwrap();
        assert_eq!(
            text,
            r#"{"loss":"1.95 .555 .0123 0 12.5 NaN","keys":"a b\nc d"}"#
        );
        let back: Curve = serde_json::from_str(&text).unwrap();
        assert_eq!(back.loss[..5], [1.95, 0.555, 0.0123, 0.0, 12.5]);
        assert!(back.loss[5].is_nan());
        assert_eq!(back.keys, ["a b", "c d"]);
        let old = r#"{"loss":[1, 0.25, null], "keys":["x"]}"#;
        let old: Curve = serde_json::from_str(old).unwrap();
        assert_eq!((&old.loss[..2], old.keys.len()), (&[1.0, 0.25][..], 1));
        assert!(serde_json::from_str::<Curve>(&text.replace(".555", "two")).is_err());
    }

    #[test]
    fn numbers_are_packed_in_two_characters() {
        let mut out = String::new();
        for number in [0, 63, 64, PACKED, 9999] {
            pack(&mut out, number);
        }
        assert_eq!(out, "AAA_BA____");
        let json = json_for_page(&serde_json::json!({"label": "</script><b>"}));
        assert!(!json.contains('<'));
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["label"], "</script><b>");
    }
}
