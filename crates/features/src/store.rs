use crate::folder::StoreIndex;
use crate::held::HeldShards;
use crate::layout::{self, Kind};
use crate::shard::{self, Failure, Opened, TensorPlace};
use crate::{FeatureError, FrameData, FrameView, PooledView, StoreHeader, StorePrecision};
use emobox_files::{FileError, read_json, sha256_bytes};
use half::f16;
use safetensors::tensor::Dtype;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A complete store, open for reading. Cheap to share between threads.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    header: StoreHeader,
    frames: Table,
    pooled: Option<Table>,
    failures: Vec<Failure>,
}

/// The position of frames: little-endian numbers `[layer, frame, dim]` without gaps, from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLocation<'a> {
    /// The shard file.
    pub path: &'a Path,
    /// Bytes before the first number.
    pub offset: usize,
    /// Hidden states stored of the utterance.
    pub layers: usize,
    /// The number of frames of each.
    pub frames: usize,
    /// The width of a frame.
    pub dim: usize,
    /// The numbers.
    pub precision: StorePrecision,
}

/// One kind of shard: the files and the position of each key, sorted by key.
#[derive(Debug)]
struct Table {
    shards: Vec<(PathBuf, Arc<Opened>)>,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    shard: usize,
    tensor: usize,
}

impl Store {
    /// Opens the store in `dir` if its header is the expected one, it is complete, and every shard
    /// has the length its header implies.
    pub fn open(dir: &Path, expected: &StoreHeader) -> Result<Self, FeatureError> {
        Self::open_held(dir, expected, &HeldShards::default())
    }

    /// The same for a store whose shards are in memory if `held` has them, and in `dir` otherwise.
    pub fn open_held(
        dir: &Path,
        expected: &StoreHeader,
        held: &HeldShards,
    ) -> Result<Self, FeatureError> {
        let index: StoreIndex = read_json(dir.join("store.json"))?;
        expected.check(dir, &index.header)?;
        Self::open_index(dir, index, held)
    }

    /// Opens the store in `dir` with whatever header it has.
    pub fn open_any(dir: &Path) -> Result<Self, FeatureError> {
        let index = read_json(dir.join("store.json"))?;
        Self::open_index(dir, index, &HeldShards::default())
    }

    /// The header of the store in `dir`, without looking at its shards.
    pub fn read_header(dir: &Path) -> Result<StoreHeader, FeatureError> {
        Ok(read_json::<StoreIndex>(dir.join("store.json"))?.header)
    }

    fn open_index(dir: &Path, index: StoreIndex, held: &HeldShards) -> Result<Self, FeatureError> {
        let header = index.header;
        let frames = Table::open(dir, Kind::Frames, &header, &index.shards, held)?;
        let pooled = match header.pooled_layers {
            0 => None,
            _ => Some(Table::open(
                dir,
                Kind::Pooled,
                &header,
                &index.shards,
                held,
            )?),
        };
        let failures = frames
            .shards
            .iter()
            .flat_map(|(_, opened)| opened.meta.failed.iter().cloned())
            .collect();
        Ok(Self {
            dir: dir.to_owned(),
            header,
            frames,
            pooled,
            failures,
        })
    }

    /// The contents of the store and how it was made.
    pub fn header(&self) -> &StoreHeader {
        &self.header
    }

    /// How many utterances have features.
    pub fn len(&self) -> usize {
        self.frames.places.len()
    }

    /// Whether no utterance has features.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The utterances that have features, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.frames
            .places
            .iter()
            .map(|place| self.frames.tensor(*place).1.key.as_str())
    }

    /// The utterances whose extraction failed, sorted.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Whether a key has features.
    pub fn contains(&self, key: &str) -> bool {
        self.frames.find(key).is_some()
    }

    /// The number of frames of an utterance, without reading them.
    pub fn frames(&self, key: &str) -> Result<usize, FeatureError> {
        let (_, tensor) = self.place(&self.frames, key)?;
        Ok(frames_of(tensor))
    }

    /// The frames of an utterance, read in place.
    pub fn get(&self, key: &str) -> Result<FrameView<'_>, FeatureError> {
        let (opened, tensor) = self.place(&self.frames, key)?;
        let bytes = &opened.map[tensor.offset..tensor.offset + tensor.bytes];
        let data = match self.header.precision {
            StorePrecision::F16 => bytemuck::try_cast_slice(bytes).map(FrameData::F16),
            StorePrecision::F32 => bytemuck::try_cast_slice(bytes).map(FrameData::F32),
        };
        Ok(FrameView {
            layers: self.header.layers.len(),
            frames: frames_of(tensor),
            dim: self.header.dim,
            data: data.map_err(|e| self.damaged(key, &format!("numbers are not aligned: {e}")))?,
        })
    }

    /// The position of an utterance's frames, for a reader that maps the file itself; for a shard in memory, the position they would have.
    pub fn location(&self, key: &str) -> Result<FrameLocation<'_>, FeatureError> {
        let place = self.frames.find(key).ok_or_else(|| self.unknown(key))?;
        let (_, tensor) = self.frames.tensor(place);
        Ok(FrameLocation {
            path: &self.frames.shards[place.shard].0,
            offset: tensor.offset,
            layers: self.header.layers.len(),
            frames: frames_of(tensor),
            dim: self.header.dim,
            precision: self.header.precision,
        })
    }

    /// Reads the frames `range` of the `layer`-th stored layer of an utterance into `out`,
    /// `[frame, dim]`, by ordinary file reading. Slower than [`Store::get`], but the pages do not
    /// count as this process's memory: use it for a store larger than the memory budget.
    ///
    /// # Panics
    /// When the layer, the range or the length of `out` do not fit.
    pub fn read(
        &self,
        key: &str,
        layer: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), FeatureError> {
        let place = self.frames.find(key).ok_or_else(|| self.unknown(key))?;
        let (opened, tensor) = self.frames.tensor(place);
        let frames = frames_of(tensor);
        assert!(layer < self.header.layers.len() && range.end <= frames);
        assert_eq!(out.len(), range.len() * self.header.dim);
        if opened.map.is_held() {
            self.get(key)?.part(layer, range).widen(out);
            return Ok(());
        }
        let path = &self.frames.shards[place.shard].0;
        let row = self.header.dim * self.header.precision.bytes();
        let start = tensor.offset + (layer * frames + range.start) * row;
        let mut file = File::open(path).map_err(|e| FileError::io("open", path, e))?;
        file.seek(SeekFrom::Start(start as u64))
            .map_err(|e| FileError::io("read", path, e))?;
        let mut fill = |bytes: &mut [u8]| {
            file.read_exact(bytes)
                .map_err(|e| FileError::io("read", path, e))
        };
        match self.header.precision {
            StorePrecision::F32 => fill(bytemuck::cast_slice_mut(out))?,
            StorePrecision::F16 => {
                let mut narrow = vec![f16::ZERO; out.len()];
                fill(bytemuck::cast_slice_mut(&mut narrow))?;
                emobox_kernels::widen_f16(&narrow, out);
            }
        }
        Ok(())
    }

    /// The pooled statistics of an utterance; `None` if the store has none.
    pub fn pooled(&self, key: &str) -> Result<Option<PooledView<'_>>, FeatureError> {
        let Some(table) = &self.pooled else {
            return Ok(None);
        };
        let (opened, tensor) = self.place(table, key)?;
        let bytes = &opened.map[tensor.offset..tensor.offset + tensor.bytes];
        Ok(Some(PooledView {
            layers: self.header.pooled_layers,
            dim: self.header.dim,
            data: bytemuck::try_cast_slice(bytes)
                .map_err(|e| self.damaged(key, &format!("numbers are not aligned: {e}")))?,
        }))
    }

    /// Bytes of all frames.
    pub fn frame_bytes(&self) -> u64 {
        let shards = self.frames.shards.iter();
        shards.map(|(_, opened)| opened.map.len() as u64).sum()
    }

    /// The part of these that is in files and takes memory only when read.
    pub fn frame_bytes_on_disk(&self) -> u64 {
        let shards = self.frames.shards.iter();
        let mapped = shards.filter(|(_, opened)| !opened.map.is_held());
        mapped.map(|(_, opened)| opened.map.len() as u64).sum()
    }

    /// Reads every byte and compares it with the stored digest. Returns everything that
    /// is damaged, not only the first.
    pub fn verify(&self) -> Vec<FeatureError> {
        let tables = std::iter::once(&self.frames).chain(&self.pooled);
        tables
            .flat_map(|table| &table.shards)
            .filter_map(|(path, opened)| {
                let digest = sha256_bytes(&opened.map[opened.data_start..]);
                (digest.as_str() != opened.meta.data_sha256).then(|| FeatureError::Damaged {
                    path: path.clone(),
                    reason: format!(
                        "the digest of its numbers is {}, written was {}",
                        digest.short(),
                        opened.meta.data_sha256
                    ),
                })
            })
            .collect()
    }

    fn place<'a>(
        &self,
        table: &'a Table,
        key: &str,
    ) -> Result<(&'a Opened, &'a TensorPlace), FeatureError> {
        let place = table.find(key).ok_or_else(|| self.unknown(key))?;
        Ok(table.tensor(place))
    }

    fn unknown(&self, key: &str) -> FeatureError {
        let failure = self.failures.iter().find(|failure| failure.key == key);
        FeatureError::UnknownKey {
            key: key.to_owned(),
            path: self.dir.clone(),
            failure: failure.map(|f| f.reason.clone()),
        }
    }

    fn damaged(&self, key: &str, reason: &str) -> FeatureError {
        FeatureError::Damaged {
            path: self.dir.join(key),
            reason: reason.to_owned(),
        }
    }
}

fn frames_of(tensor: &TensorPlace) -> usize {
    // `Table::open` has checked that there are two or three dimensions.
    tensor.shape[tensor.shape.len() - 2]
}

impl Table {
    fn open(
        dir: &Path,
        kind: Kind,
        header: &StoreHeader,
        files: &[String],
        held: &HeldShards,
    ) -> Result<Self, FeatureError> {
        let paths: Vec<PathBuf> = files
            .iter()
            .map(|file| layout::path(dir, kind, file))
            .collect();
        let missing = paths
            .iter()
            .filter(|path| held.get(path).is_none() && !path.exists());
        let missing: Vec<&PathBuf> = missing.collect();
        if let Some(first) = missing.first() {
            return Err(FeatureError::Incomplete {
                path: dir.to_owned(),
                missing: missing.len(),
                total: paths.len(),
                first: first.display().to_string(),
            });
        }
        let mut shards = Vec::with_capacity(paths.len());
        let mut places = Vec::new();
        for (number, path) in paths.into_iter().enumerate() {
            let opened = match held.get(&path) {
                Some(opened) => opened,
                None => Arc::new(shard::open(&path)?),
            };
            header.check(&path, &opened.meta.header)?;
            for (index, tensor) in opened.tensors.iter().enumerate() {
                check_shape(&path, kind, header, tensor)?;
                places.push(Place {
                    shard: number,
                    tensor: index,
                });
            }
            shards.push((path, opened));
        }
        let mut table = Self { shards, places };
        let mut places = std::mem::take(&mut table.places);
        places.sort_by(|a, b| table.tensor(*a).1.key.cmp(&table.tensor(*b).1.key));
        table.places = places;
        Ok(table)
    }

    fn tensor(&self, place: Place) -> (&Opened, &TensorPlace) {
        let opened = &self.shards[place.shard].1;
        (opened, &opened.tensors[place.tensor])
    }

    fn find(&self, key: &str) -> Option<Place> {
        let found = self
            .places
            .binary_search_by(|place| self.tensor(*place).1.key.as_str().cmp(key));
        found.ok().map(|index| self.places[index])
    }
}

fn check_shape(
    path: &Path,
    kind: Kind,
    header: &StoreHeader,
    tensor: &TensorPlace,
) -> Result<(), FeatureError> {
    let (shape, dtype) = (&tensor.shape, tensor.dtype);
    let expected = match kind {
        Kind::Pooled => dtype == Dtype::F32 && shape[..] == [header.pooled_layers, 2, header.dim],
        Kind::Frames => {
            let dtype_expected = match header.precision {
                StorePrecision::F16 => Dtype::F16,
                StorePrecision::F32 => Dtype::F32,
            };
            let layers_fit = match (header.layers.len(), &shape[..]) {
                (1, [_, dim]) => *dim == header.dim,
                (layers, [found, _, dim]) => *found == layers && *dim == header.dim,
                _ => false,
            };
            dtype == dtype_expected && layers_fit
        }
    };
    if expected {
        return Ok(());
    }
    Err(FeatureError::Damaged {
        path: path.to_owned(),
        reason: format!(
            "tensor {:?} is {dtype:?} {shape:?}, which the store's header does not allow",
            tensor.key
        ),
    })
}
