//! Which perturbations an experiment asks for.

use crate::{BenchError, CallError};
use emobox_audio::Perturbation;
use serde::{Deserialize, Serialize};

/// Perturbations, each once, in the order of the table: `"noise:10dB,telephone"`, or `["noise:10dB", "telephone"]` in an
/// experiment file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Perturbations(Vec<Perturbation>);

/// As experiments write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    List(Vec<String>),
}

impl Perturbations {
    /// The perturbations.
    pub fn iter(&self) -> impl Iterator<Item = Perturbation> + '_ {
        self.0.iter().copied()
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, BenchError> {
        let mut list = Vec::new();
        for name in names {
            let one: Perturbation = name.parse()?;
            if list.contains(&one) {
                return Err(BenchError::Call(CallError::twice("perturbation", one)));
            }
            list.push(one);
        }
        Ok(Self(list))
    }
}

impl std::str::FromStr for Perturbations {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        Self::of(text.split(','))
    }
}

impl TryFrom<Written> for Perturbations {
    type Error = BenchError;

    fn try_from(written: Written) -> Result<Self, BenchError> {
        match written {
            Written::Text(text) => text.parse(),
            Written::List(names) => Self::of(names.iter().map(String::as_str)),
        }
    }
}

impl From<Perturbations> for String {
    fn from(list: Perturbations) -> Self {
        let names: Vec<String> = list.iter().map(|one| one.to_string()).collect();
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_perturbations_are_each_named_once() {
        let text = "noise:10dB, reverb:small,codec:mp3@32k,telephone,gain";
        let list: Perturbations = text.parse().unwrap();
        assert_eq!(list.iter().count(), 5);
        assert_eq!(String::from(list), text.replace(", ", ","));
        for (text, problem) in [
            ("gain,gain", "named twice"),
            ("noise:10", "expected noise:10dB"),
            ("", "expected noise:10dB"),
        ] {
            let error = text.parse::<Perturbations>().unwrap_err();
            assert!(error.is_wrong_call());
            assert!(error.to_string().contains(problem), "{error}");
        }
    }
}
