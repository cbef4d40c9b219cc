use crate::{FeatureError, StoreHeader};
use emobox_files::sha256_bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// A shard is closed at this many utterances …
const SHARD_UTTERANCES: usize = 64;
/// … or at this many bytes of frames, whichever comes first.
const SHARD_BYTES: usize = 16 << 20;

/// One utterance to extract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// The utterance's key, unique in the corpus.
    pub key: String,
    /// The number of frames it will have, from the length in the manifest. It only decides where shards are
    /// cut, so an estimate is enough, but it must be the same on every run.
    pub frames: usize,
}

/// A consecutive part of the sorted work list, written as one pair of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Position in the plan, from 0.
    pub number: usize,
    /// The file's name in `frames/` and in `pooled/`.
    pub file: String,
    /// The utterances, as a range of the sorted work list.
    pub items: Range<usize>,
}

/// The whole extraction of one corpus with one encoder, divided into shards beforehand.
#[derive(Clone, Debug)]
pub struct StorePlan {
    pub(crate) header: StoreHeader,
    pub(crate) work: Vec<WorkItem>,
    pub(crate) shards: Vec<Shard>,
}

impl StorePlan {
    /// Sorts the work by key and cuts it into shards.
    pub fn new(header: StoreHeader, mut work: Vec<WorkItem>) -> Result<Self, FeatureError> {
        work.sort_by(|a, b| a.key.cmp(&b.key));
        if let Some(pair) = work.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Err(FeatureError::DuplicateKey(pair[0].key.clone()));
        }
        let shards = cut(&header, &work)
            .into_iter()
            .enumerate()
            .map(|(number, items)| Shard {
                file: file_name(&header, number, &work[items.clone()]),
                number,
                items,
            })
            .collect();
        Ok(Self {
            header,
            work,
            shards,
        })
    }

    /// The header every shard carries.
    pub fn header(&self) -> &StoreHeader {
        &self.header
    }

    /// All shards, in the order of the sorted keys.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The utterances of a shard.
    pub fn items(&self, shard: &Shard) -> &[WorkItem] {
        &self.work[shard.items.clone()]
    }

    /// Bytes that the features of some shards take.
    pub fn bytes(&self, shards: &[&Shard]) -> usize {
        let pooled = self.header.pooled_layers * 2 * self.header.dim * size_of::<f32>();
        let items = shards.iter().flat_map(|shard| self.items(shard));
        items.fold(0, |sum: usize, item| {
            let numbers = self.header.numbers(item.frames);
            let frames = numbers.saturating_mul(self.header.precision.bytes());
            sum.saturating_add(frames).saturating_add(pooled)
        })
    }
}

fn cut(header: &StoreHeader, work: &[WorkItem]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0usize);
    for (index, item) in work.iter().enumerate() {
        let size = header
            .numbers(item.frames)
            .saturating_mul(header.precision.bytes());
        let full = index - start == SHARD_UTTERANCES || bytes.saturating_add(size) > SHARD_BYTES;
        if index > start && full {
            ranges.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes = bytes.saturating_add(size);
    }
    if start < work.len() {
        ranges.push(start..work.len());
    }
    ranges
}

/// Number and digest: a file with another header or another work list has another name, so a stale
/// shard is never taken for a fresh one.
fn file_name(header: &StoreHeader, number: usize, work: &[WorkItem]) -> String {
    let mut text = header.identity();
    for item in work {
        text.push('\n');
        text.push_str(&item.key);
        text.push('\t');
        text.push_str(&item.frames.to_string());
    }
    format!(
        "{number:05}-{}.safetensors",
        sha256_bytes(text.as_bytes()).short()
    )
}

/// One of `count` equal shares of the work on a store, for several machines: `2/4`, in JSON `{"part": 2, "of": 4}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "PartOf", try_from = "PartOf")]
pub struct Share {
    index: usize,
    count: usize,
}

/// A share as it is written, counted from 1.
#[derive(Serialize, Deserialize)]
struct PartOf {
    part: usize,
    of: usize,
}

impl From<Share> for PartOf {
    fn from(share: Share) -> Self {
        Self {
            part: share.index + 1,
            of: share.count,
        }
    }
}

impl TryFrom<PartOf> for Share {
    type Error = FeatureError;

    fn try_from(PartOf { part, of }: PartOf) -> Result<Self, FeatureError> {
        Self::new(part, of).ok_or_else(|| FeatureError::BadShare(format!("{part}/{of}")))
    }
}

impl Share {
    /// All of the work.
    pub const ALL: Self = Self { index: 0, count: 1 };

    /// Part `part` of `count`, counted from 1; none when there is no such part.
    pub fn new(part: usize, count: usize) -> Option<Self> {
        let index = part.checked_sub(1)?;
        (index < count).then_some(Self { index, count })
    }

    /// How many shares there are.
    pub fn count(self) -> usize {
        self.count
    }

    /// Whether the shard (or anything else counted from 0) of this number is in the share.
    pub fn contains(self, shard: usize) -> bool {
        shard % self.count == self.index
    }
}

impl FromStr for Share {
    type Err = FeatureError;

    fn from_str(text: &str) -> Result<Self, FeatureError> {
        let bad = || FeatureError::BadShare(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(bad)?;
        let index: usize = index.trim().parse().map_err(|_| bad())?;
        let count: usize = count.trim().parse().map_err(|_| bad())?;
        Self::new(index, count).ok_or_else(bad)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}
