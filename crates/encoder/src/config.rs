//! Typed reading of a checkpoint's configuration: every value is checked, and every error names its key.

use crate::EncoderError;
use serde_json::Value;
use std::ops::RangeInclusive;

/// An object inside a configuration, with its path.
#[derive(Clone, Copy)]
pub(crate) struct Config<'a> {
    value: &'a Value,
    path: &'a str,
}

impl<'a> Config<'a> {
    /// The whole configuration.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, path: "" }
    }

    /// The same, under a name in messages.
    pub(crate) fn named(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// The object at `pointer` (`/model/modalities/audio`), or an empty one.
    pub(crate) fn at(&self, pointer: &'a str) -> Self {
        Self {
            value: self.value.pointer(pointer).unwrap_or(&Value::Null),
            path: pointer,
        }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    fn key(&self, key: &str) -> String {
        let path = self.path.trim_start_matches('/').replace('/', ".");
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    }

    pub(crate) fn bad(&self, key: &str, expected: impl Into<String>) -> EncoderError {
        let found = self
            .value
            .get(key)
            .map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let found = found.chars().take(120).collect();
        EncoderError::BadConfigValue {
            key: self.key(key),
            expected: expected.into(),
            found,
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether the key is there with the value null.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        self.value.get(key).is_some_and(Value::is_null)
    }

    /// A whole number within `range`, or `default` where the key is absent.
    pub(crate) fn count(
        &self,
        key: &str,
        default: Option<usize>,
        range: RangeInclusive<usize>,
    ) -> Result<usize, EncoderError> {
        let expected = || match (range.start(), range.end()) {
            (only, end) if only == end => only.to_string(),
            (start, end) => format!("a whole number from {start} to {end}"),
        };
        let number = match self.get(key) {
            None => default,
            // YAML and fairseq configurations sometimes have an integer as 4.0.
            Some(value) => value.as_u64().map(|n| n as usize).or_else(|| {
                value
                    .as_f64()
                    .filter(|n| n.fract() == 0.0 && (0.0..1e9).contains(n))
                    .map(|n| n as usize)
            }),
        };
        number
            .filter(|n| range.contains(n))
            .ok_or_else(|| self.bad(key, expected()))
    }

    /// Whole numbers within `range`, or `default` where the key is absent.
    pub(crate) fn counts(
        &self,
        key: &str,
        default: &[usize],
        range: RangeInclusive<usize>,
    ) -> Result<Vec<usize>, EncoderError> {
        let Some(value) = self.get(key) else {
            return Ok(default.to_vec());
        };
        let expected = || {
            format!(
                "a list of 1 to 32 whole numbers from {} to {}",
                range.start(),
                range.end()
            )
        };
        value
            .as_array()
            .filter(|list| (1..=32).contains(&list.len()))
            .and_then(|list| {
                let numbers = list.iter().map(|item| item.as_u64().map(|n| n as usize));
                numbers.map(|n| n.filter(|n| range.contains(n))).collect()
            })
            .ok_or_else(|| self.bad(key, expected()))
    }

    /// Whether the value is a negative number.
    pub(crate) fn is_negative(&self, key: &str) -> bool {
        let number = self.get(key).and_then(Value::as_i64);
        number.is_some_and(|number| number < 0)
    }

    /// Strings, or `default` where the key is absent.
    pub(crate) fn texts(
        &self,
        key: &str,
        default: &[&'a str],
    ) -> Result<Vec<&'a str>, EncoderError> {
        let Some(value) = self.get(key) else {
            return Ok(default.to_vec());
        };
        let list = value.as_array().filter(|list| list.len() <= 32);
        list.and_then(|list| list.iter().map(Value::as_str).collect())
            .ok_or_else(|| self.bad(key, "a list of words"))
    }

    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, EncoderError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.bad(key, "true or false")),
        }
    }

    /// A small positive number such as an epsilon.
    pub(crate) fn number(&self, key: &str, default: f64) -> Result<f64, EncoderError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                // YAML 1.1 readers parse `1e-05` as a string, and write it back as one.
                .or_else(|| value.as_str()?.parse().ok())
                .filter(|n| n.is_finite() && *n >= 0.0)
                .ok_or_else(|| self.bad(key, "a number, zero or above")),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// One of the `choices`, the first where the key is absent.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<T, EncoderError> {
        let Some(value) = self.get(key) else {
            return Ok(choices[0].1);
        };
        let found = value
            .as_str()
            .and_then(|text| choices.iter().find(|choice| choice.0 == text));
        found.map(|choice| choice.1).ok_or_else(|| {
            let names: Vec<_> = choices
                .iter()
                .map(|choice| format!("`{}`", choice.0))
                .collect();
            self.bad(key, names.join(" or "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_checked_and_named() {
        let value = json!({"model": {"depth": 4.0, "dims": [1, 2], "norm": "layer", "eps": "1e-05", "on": 1}});
        let config = Config::root(&value).at("/model");
        assert_eq!(config.count("depth", None, 1..=9).unwrap(), 4);
        assert_eq!(config.counts("dims", &[], 1..=2).unwrap(), [1, 2]);
        assert_eq!(
            config
                .choice("norm", &[("group", 1), ("layer", 2)])
                .unwrap(),
            2
        );
        assert_eq!(config.number("eps", 0.0).unwrap(), 1e-5);
        assert_eq!(
            config.count("depth", None, 5..=9).unwrap_err().to_string(),
            "configuration key `model.depth`: expected a whole number from 5 to 9, found 4.0"
        );
        assert_eq!(
            config
                .choice("norm", &[("a", 1), ("b", 2)])
                .unwrap_err()
                .to_string(),
            "configuration key `model.norm`: expected `a` or `b`, found \"layer\""
        );
        assert!(config.flag("on", true).is_err());
        assert!(config.count("absent", None, 1..=9).is_err());
        assert_eq!(config.count("absent", Some(3), 1..=9).unwrap(), 3);
    }
}
