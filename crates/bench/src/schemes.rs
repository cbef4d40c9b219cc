use crate::{BenchError, CallError, Choice};
use emobox_corpus::Scheme;
use serde::{Deserialize, Serialize};

/// The partition schemes of an experiment, each once, in the order of its tables: `"paper"`, `"paper,speaker"`, or
/// `["paper", "speaker"]` in an experiment file. They share the features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Schemes(Vec<Scheme>);

/// As experiments write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    List(Vec<String>),
}

impl Schemes {
    /// The schemes, at least one.
    pub fn iter(&self) -> impl Iterator<Item = Scheme> + '_ {
        self.0.iter().copied()
    }

    /// The first of them.
    pub fn first(&self) -> Scheme {
        self.0.first().copied().unwrap_or_default()
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, BenchError> {
        let mut schemes = Vec::new();
        for name in names {
            let scheme = Scheme::named(name.trim())?;
            if schemes.contains(&scheme) {
                return Err(BenchError::Call(CallError::twice(
                    "partition scheme",
                    scheme,
                )));
            }
            schemes.push(scheme);
        }
        match schemes.is_empty() {
            true => Err(BenchError::Call(CallError::Nothing {
                what: "partition scheme",
                how: "choose one or several of paper, published, speaker",
            })),
            false => Ok(Self(schemes)),
        }
    }
}

impl Default for Schemes {
    fn default() -> Self {
        Scheme::default().into()
    }
}

impl From<Scheme> for Schemes {
    fn from(scheme: Scheme) -> Self {
        Self(vec![scheme])
    }
}

impl std::str::FromStr for Schemes {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        Self::of(text.split(','))
    }
}

impl TryFrom<Written> for Schemes {
    type Error = BenchError;

    fn try_from(written: Written) -> Result<Self, BenchError> {
        match written {
            Written::Text(text) => text.parse(),
            Written::List(names) => Self::of(names.iter().map(String::as_str)),
        }
    }
}

impl From<Schemes> for String {
    fn from(schemes: Schemes) -> Self {
        let names: Vec<&str> = schemes.iter().map(Choice::name).collect();
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_schemes_are_each_named_once() {
        let both: Schemes = "paper, speaker".parse().unwrap();
        assert!(both.iter().eq([Scheme::Paper, Scheme::Speaker]) && both.are_several());
        assert_eq!(String::from(both), "paper,speaker");
        assert_eq!(
            "speaker".parse::<Schemes>().unwrap(),
            Scheme::Speaker.into()
        );
        for (text, problem) in [
            ("paper,paper", "named twice"),
            ("papre", "expected one of paper"),
            ("paper,", "expected one of paper"),
        ] {
            let error = text.parse::<Schemes>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
