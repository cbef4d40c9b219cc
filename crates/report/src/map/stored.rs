use crate::compact::{not_a_number, read_lines, write_lines};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Points of a map are on a grid of 0 to this number in both directions; the longer side takes all of it.
pub const MAP_GRID: u16 = 10_000;

/// Ways to lay utterances out in a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MapMethod {
    /// The first two principal components.
    Pca,
    /// Exact t-SNE, started from the principal components.
    Tsne,
}

impl MapMethod {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pca, Self::Tsne];

    /// Its spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pca => "PCA",
            Self::Tsne => "t-SNE",
        }
    }
}

/// Utterances of a corpus as points in a plane; similar features are close together.
///
/// In JSON the points are one string, a series of `x y label speaker` with `-` for an unknown
/// speaker; files of earlier versions, with an object per point, are read too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct UtteranceMap {
    /// The corpus.
    pub corpus: String,
    /// The encoder of the features.
    pub encoder: String,
    /// `PCA` or `t-SNE`.
    pub method: String,
    /// What a reader must know: variance explained, utterances left out.
    pub note: String,
    /// The emotions; points refer to them by index.
    pub labels: Vec<String>,
    /// The speakers; points refer to them by index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub speakers: Vec<String>,
    /// The points.
    #[serde(serialize_with = "write_points")]
    pub points: Vec<MapPoint>,
    /// Keys of the utterances, one per point; may be left empty to save space.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "write_lines")]
    pub keys: Vec<String>,
    /// Groupings that can colour the points, besides emotion and speaker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub colourings: Vec<Colouring>,
}

/// A grouping of the points of a map: by text, or by whether the utterance was misclassified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colouring {
    /// As `text`.
    pub by: String,
    /// The groups.
    pub names: Vec<String>,
    /// The group of each point, as an index into the names; a number beyond them means no group.
    #[serde(serialize_with = "write_numbers", deserialize_with = "read_numbers")]
    pub of: Vec<u16>,
}

fn write_numbers<S: Serializer>(numbers: &[u16], to: S) -> Result<S::Ok, S::Error> {
    let words: Vec<String> = numbers.iter().map(u16::to_string).collect();
    to.serialize_str(&words.join(" "))
}

fn read_numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u16>, D::Error> {
    let text = String::deserialize(from)?;
    text.split_ascii_whitespace()
        .map(|word| word.parse().map_err(|_| not_a_number(word)))
        .collect()
}

/// One utterance in the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapPoint {
    /// From left to right, 0..=[`MAP_GRID`].
    pub x: u16,
    /// From bottom to top, 0..=[`MAP_GRID`].
    pub y: u16,
    /// Its emotion, as an index into the map's labels.
    pub label: u16,
    /// The speaker, as an index into the map's speakers, if known.
    pub speaker: Option<u16>,
}

impl UtteranceMap {
    /// The emotion of a point.
    pub fn label(&self, point: &MapPoint) -> Option<&str> {
        self.labels
            .get(usize::from(point.label))
            .map(String::as_str)
    }

    /// Adds a grouping of the points by their keys; nothing if the keys are unknown, or if all are in one group.
    pub fn colour_by<'a>(&mut self, by: &str, group: impl Fn(&str) -> Option<&'a str>) {
        let groups: Vec<Option<&str>> = self.keys.iter().map(|key| group(key)).collect();
        let names: BTreeSet<&str> = groups.iter().flatten().copied().collect();
        let names: Vec<&str> = names.into_iter().collect();
        if names.len() < 2 || self.keys.len() != self.points.len() {
            return;
        }
        let place = |name: &Option<&str>| {
            let place = name.and_then(|name| names.binary_search(&name).ok());
            place.map_or(u16::MAX, |place| u16::try_from(place).unwrap_or(u16::MAX))
        };
        self.colourings.push(Colouring {
            by: by.to_owned(),
            of: groups.iter().map(place).collect(),
            names: names.into_iter().map(str::to_owned).collect(),
        });
    }

    /// The speaker of a point.
    pub fn speaker(&self, point: &MapPoint) -> Option<&str> {
        let place = usize::from(point.speaker?);
        self.speakers.get(place).map(String::as_str)
    }
}

/// Positions on the grid, with the same scale in both directions; a position that is not finite goes to the middle.
pub(super) fn on_grid(places: &[[f64; 2]]) -> Vec<[u16; 2]> {
    let span = |k: usize| {
        let values = || places.iter().map(|p| p[k]).filter(|v| v.is_finite());
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        if low <= high { [low, high] } else { [0.0, 0.0] }
    };
    let spans = [span(0), span(1)];
    let side = f64::max(spans[0][1] - spans[0][0], spans[1][1] - spans[1][0]);
    let grid = f64::from(MAP_GRID);
    let place = |value: f64, [low, high]: [f64; 2]| {
        if !value.is_finite() || side <= 0.0 {
            return MAP_GRID / 2;
        }
        let middle = f64::midpoint(low, high);
        // Clamped, so the conversion keeps the number.
        (grid * (0.5 + (value - middle) / side))
            .round()
            .clamp(0.0, grid) as u16
    };
    places
        .iter()
        .map(|p| [place(p[0], spans[0]), place(p[1], spans[1])])
        .collect()
}

fn write_points<S: Serializer>(points: &[MapPoint], to: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(points.len() * 16);
    for (i, point) in points.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        let _ = write!(text, "{space}{} {} {} ", point.x, point.y, point.label);
        let _ = match point.speaker {
            Some(speaker) => write!(text, "{speaker}"),
            None => write!(text, "-"),
        };
    }
    to.serialize_str(&text)
}

/// Keys of utterances are kept in files and on pages up to this many points on all maps together.
const KEYED: usize = 6000;

/// Whether the maps of a report are few enough to name single utterances.
pub(crate) fn keys_are_kept(maps: &[UtteranceMap]) -> bool {
    maps.iter().map(|map| map.points.len()).sum::<usize>() <= KEYED
}

/// The maps of a report; without keys if there are many points.
pub(crate) fn write_maps<S: Serializer>(maps: &[UtteranceMap], to: S) -> Result<S::Ok, S::Error> {
    if keys_are_kept(maps) {
        return maps.serialize(to);
    }
    let without_keys = |map: &UtteranceMap| UtteranceMap {
        keys: Vec::new(),
        ..map.clone()
    };
    to.collect_seq(maps.iter().map(without_keys))
}

/// A map as stored in files, of this version and of earlier ones.
#[derive(Deserialize)]
struct Stored {
    corpus: String,
    encoder: String,
    method: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    speakers: Vec<String>,
    points: StoredPoints,
    #[serde(default, deserialize_with = "read_lines")]
    keys: Vec<String>,
    #[serde(default)]
    colourings: Vec<Colouring>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StoredPoints {
    Text(#[serde(deserialize_with = "read_points")] Vec<MapPoint>),
    Objects(Vec<OldPoint>),
}

#[derive(Deserialize)]
struct OldPoint {
    key: String,
    at: [Option<f64>; 2],
    label: String,
    #[serde(default)]
    speaker: Option<String>,
}

fn read_points<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<MapPoint>, D::Error> {
    let text = String::deserialize(from)?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let number = |word: &str| word.parse::<u16>().map_err(|_| not_a_number(word));
    if !words.len().is_multiple_of(4) {
        return Err(serde::de::Error::custom(format!(
            "expected four numbers a point, got {} numbers",
            words.len()
        )));
    }
    let point = |four: &[&str]| {
        Ok(MapPoint {
            x: number(four[0])?,
            y: number(four[1])?,
            label: number(four[2])?,
            speaker: if four[3] == "-" {
                None
            } else {
                Some(number(four[3])?)
            },
        })
    };
    words.chunks_exact(4).map(point).collect()
}

impl From<Stored> for UtteranceMap {
    fn from(stored: Stored) -> Self {
        let mut map = Self {
            corpus: stored.corpus,
            encoder: stored.encoder,
            method: stored.method,
            note: stored.note,
            labels: stored.labels,
            speakers: stored.speakers,
            points: Vec::new(),
            keys: stored.keys,
            colourings: stored.colourings,
        };
        match stored.points {
            StoredPoints::Text(points) => map.points = points,
            StoredPoints::Objects(points) => map.fill(&points),
        }
        map
    }
}

impl UtteranceMap {
    /// Converts the points of a file of an earlier version.
    fn fill(&mut self, points: &[OldPoint]) {
        let numbered = |names: &mut BTreeMap<String, u16>| {
            for (i, number) in names.values_mut().enumerate() {
                *number = u16::try_from(i).unwrap_or(u16::MAX);
            }
        };
        let mut labels: BTreeMap<String, u16> =
            points.iter().map(|p| (p.label.clone(), 0)).collect();
        let known = points.iter().filter_map(|p| p.speaker.clone());
        let mut speakers: BTreeMap<String, u16> = known.map(|name| (name, 0)).collect();
        numbered(&mut labels);
        numbered(&mut speakers);
        let places: Vec<[f64; 2]> = points
            .iter()
            .map(|p| p.at.map(|value| value.unwrap_or(f64::NAN)))
            .collect();
        self.points = points
            .iter()
            .zip(on_grid(&places))
            .map(|(point, [x, y])| MapPoint {
                x,
                y,
                label: labels.get(&point.label).copied().unwrap_or(u16::MAX),
                speaker: point
                    .speaker
                    .as_ref()
                    .and_then(|name| speakers.get(name).copied()),
            })
            .collect();
        self.keys = points.iter().map(|p| p.key.clone()).collect();
        self.labels = labels.into_keys().collect();
        self.speakers = speakers.into_keys().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_one_string_and_old_files_are_read() {
        let old = r#"{"corpus":"c","encoder":"e","method":"PCA","points":[
            {"key":"a","at":[-1.0,0.0],"label":"sad","speaker":"s2"},
            {"key":"b","at":[1.0,0.5],"label":"happy"},
            {"key":"c","at":[0.0,-0.5],"label":"sad","speaker":"s1"}]}"#;
        let map: UtteranceMap = serde_json::from_str(old).unwrap();
        assert_eq!(
            (&map.labels[..], &map.keys[..]),
            (
                &["happy".to_owned(), "sad".to_owned()][..],
                &["a".to_owned(), "b".to_owned(), "c".to_owned()][..]
            )
        );
        let text = serde_json::to_string(&map).unwrap();
        assert!(
            text.contains(r#""points":"0 5000 1 1 10000 7500 0 - 5000 2500 1 0""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<UtteranceMap>(&text).unwrap(), map);
        assert_eq!(
            (map.label(&map.points[1]), map.speaker(&map.points[1])),
            (Some("happy"), None)
        );
        assert_eq!(map.speaker(&map.points[0]), Some("s2"));
        for bad in ["1 2 3", "1 2 x 4", "70000 1 1 1"] {
            let text = text.replace("0 5000 1 1 10000 7500 0 - 5000 2500 1 0", bad);
            assert!(
                serde_json::from_str::<UtteranceMap>(&text).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn both_directions_have_one_scale() {
        assert_eq!(
            on_grid(&[[0.0, 0.0], [4.0, 1.0]]),
            [[0, 3750], [10_000, 6250]]
        );
        assert_eq!(on_grid(&[[f64::NAN, 2.0]; 2]), [[5000, 5000]; 2]);
        assert!(on_grid(&[]).is_empty());
    }
}
