use crate::EncoderError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which hidden states to keep. Layer 0 is the embedding output, layer `n` the output of block `n`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerSelection {
    /// The last hidden state only, as in the benchmark.
    #[default]
    Last,
    /// Every hidden state, the embedding output first.
    All,
    /// These hidden states, kept in ascending order without repetition.
    List(Vec<usize>),
}

impl LayerSelection {
    /// The indices to keep for an encoder with `count` hidden states: ascending, without repetition.
    ///
    /// # Errors
    /// [`EncoderError::NoSuchLayer`] if the list has a layer beyond `count`, and [`EncoderError::BadLayerSelection`] if it is
    /// empty.
    pub fn resolve(&self, count: usize) -> Result<Vec<usize>, EncoderError> {
        match self {
            Self::Last => Ok(vec![count - 1]),
            Self::All => Ok((0..count).collect()),
            Self::List(list) => {
                let mut layers = list.clone();
                layers.sort_unstable();
                layers.dedup();
                match layers.last() {
                    None => Err(EncoderError::BadLayerSelection {
                        text: String::new(),
                    }),
                    Some(&layer) if layer >= count => Err(EncoderError::NoSuchLayer {
                        layer,
                        last: count - 1,
                    }),
                    Some(_) => Ok(layers),
                }
            }
        }
    }
}

/// Limit on the number of hidden states; prevents `0-4000000000` from allocating.
const MOST_LAYERS: usize = 1024;

impl FromStr for LayerSelection {
    type Err = EncoderError;

    fn from_str(text: &str) -> Result<Self, EncoderError> {
        let bad = || EncoderError::BadLayerSelection {
            text: text.to_owned(),
        };
        let number = |part: &str| {
            part.trim()
                .parse::<usize>()
                .ok()
                .filter(|&layer| layer < MOST_LAYERS)
                .ok_or_else(bad)
        };
        match text.trim() {
            "last" => return Ok(Self::Last),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let mut layers = Vec::new();
        for part in text.split(',') {
            match part.split_once('-') {
                Some((from, to)) => {
                    let (from, to) = (number(from)?, number(to)?);
                    if from > to {
                        return Err(bad());
                    }
                    layers.extend(from..=to);
                }
                None => layers.push(number(part)?),
            }
        }
        layers.sort_unstable();
        layers.dedup();
        Ok(Self::List(layers))
    }
}

impl fmt::Display for LayerSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => f.write_str("last"),
            Self::All => f.write_str("all"),
            Self::List(layers) => {
                for (i, layer) in layers.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{layer}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_read_written_and_resolved() {
        assert_eq!(
            "last"
                .parse::<LayerSelection>()
                .unwrap()
                .resolve(5)
                .unwrap(),
            [4]
        );
        assert_eq!(
            "all".parse::<LayerSelection>().unwrap().resolve(3).unwrap(),
            [0, 1, 2]
        );
        let list: LayerSelection = "7-9, 0,4,4".parse().unwrap();
        assert_eq!(list.to_string(), "0,4,7,8,9");
        assert_eq!(list.resolve(10).unwrap(), [0, 4, 7, 8, 9]);
        assert_eq!(
            list.resolve(9).unwrap_err().to_string(),
            "layer 9 does not exist; this encoder has hidden states 0 (embedding output) to 8"
        );
        for bad in ["", "x", "3-1", "1-", "0-4000000000", "-1"] {
            assert!(bad.parse::<LayerSelection>().is_err(), "{bad}");
        }
        assert!(LayerSelection::List(vec![]).resolve(3).is_err());
    }
}
