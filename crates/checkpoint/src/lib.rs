//! Opens checkpoints in all common formats without executing anything.
//!
//! [`Checkpoint::open`] reads names, shapes and positions of the tensors; the data stay in the mapped
//! files until [`Checkpoint::read`] copies one tensor out as f32.

mod error;
mod folder;
mod limits;
mod pickle;
mod safetensors;
mod source;
mod tensor;
mod torch;

pub use error::CheckpointError;
pub use folder::{Choice, SPEECHBRAIN, choose, shard_names};
pub use tensor::Dtype;

use emobox_files::{Sha256, sha256_bytes};
use folder::Shards;
use source::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tensor::Tensor;
use torch::Contents;

/// The named tensors of one or more files.
pub struct Checkpoint {
    path: PathBuf,
    sources: Vec<Source>,
    tensors: BTreeMap<String, Tensor>,
    config: Option<serde_json::Value>,
}

impl Checkpoint {
    /// Opens a weights file, an index of shards, or a folder that holds one of them.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let file = if path.is_dir() {
            folder::find(path)?
        } else {
            path.to_owned()
        };
        let shards = if file.to_string_lossy().ends_with(".index.json") {
            folder::shards(&file)?
        } else {
            Shards {
                paths: vec![file],
                tensors: Vec::new(),
            }
        };
        let mut checkpoint = Self::empty(path);
        for path in &shards.paths {
            checkpoint.add(Source::open(path)?)?;
        }
        for (name, shard) in shards.tensors {
            if checkpoint
                .tensors
                .get(&name)
                .is_none_or(|tensor| tensor.file != shard)
            {
                return Err(CheckpointError::MissingTensor {
                    path: shards.paths[shard].clone(),
                    similar: checkpoint.similar(&name),
                    name,
                });
            }
        }
        Ok(checkpoint)
    }

    /// A checkpoint of one file in memory; `name` stands for its path in messages.
    pub fn from_bytes(name: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let name = name.as_ref();
        let mut checkpoint = Self::empty(name);
        checkpoint.add(Source::from_bytes(name, bytes))?;
        Ok(checkpoint)
    }

    fn empty(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            sources: Vec::new(),
            tensors: BTreeMap::new(),
            config: None,
        }
    }

    fn add(&mut self, source: Source) -> Result<(), CheckpointError> {
        let path = source.path();
        let index = self.sources.len();
        let contents = parse(path, source.bytes(), index)?;
        for (name, tensor) in contents.tensors {
            if let Some(earlier) = self.tensors.get(&name) {
                return Err(CheckpointError::Malformed {
                    path: path.to_owned(),
                    format: "checkpoint",
                    detail: format!(
                        "tensor {name:?} is also in {}",
                        self.sources[earlier.file].path().display()
                    ),
                });
            }
            self.tensors.insert(name, tensor);
        }
        self.sources.push(source);
        if self.config.is_none() {
            self.config = contents.config;
        }
        Ok(())
    }

    /// The names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, outermost dimension first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// The type of a tensor's elements in the file.
    pub fn dtype(&self, name: &str) -> Option<&Dtype> {
        self.tensors.get(name).map(|tensor| &tensor.dtype)
    }

    /// Whether a tensor has this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Copies a tensor out, in row-major order, f64 rounded and everything else widened to f32.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| CheckpointError::MissingTensor {
                path: self.path.clone(),
                name: name.to_owned(),
                similar: self.similar(name),
            })?;
        let source = &self.sources[tensor.file];
        tensor
            .read(source)
            .ok_or_else(|| CheckpointError::ElementType {
                path: source.path().to_owned(),
                name: name.to_owned(),
                dtype: tensor.dtype.to_string(),
            })
    }

    /// Names with the same ending as the requested one, which shows an unexpected prefix.
    fn similar(&self, name: &str) -> Vec<String> {
        let tail = name
            .rmatch_indices('.')
            .nth(1)
            .map_or(name, |(at, _)| &name[at..]);
        self.names()
            .filter(|candidate| candidate.ends_with(tail))
            .take(3)
            .map(str::to_owned)
            .collect()
    }

    /// The digest of the weights: of the file's bytes if there is one file, and otherwise of the lines
    /// `<digest>  <file name>\n` over the shards in order of their names (as `sha256sum` prints them).
    pub fn digest(&self) -> Result<Sha256, CheckpointError> {
        let mut lines = String::new();
        for source in &self.sources {
            let digest = source.digest()?;
            if self.sources.len() == 1 {
                return Ok(digest);
            }
            let name = source.path().file_name().unwrap_or_default();
            lines += &format!("{digest}  {}\n", name.to_string_lossy());
        }
        Ok(sha256_bytes(lines.as_bytes()))
    }

    /// The files that hold the tensors, in order of their names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().map(Source::path)
    }

    /// The configuration objects inside the checkpoint (`cfg` or `args` of fairseq, `config` of
    /// FunASR), as JSON; `None` if it holds only tensors.
    pub fn config(&self) -> Option<serde_json::Value> {
        self.config.clone()
    }
}

/// Detects a file's format by its first bytes and not by its name.
fn parse(path: &Path, bytes: &[u8], file: usize) -> Result<Contents, CheckpointError> {
    if torch::is_archive(bytes) {
        torch::read_archive(path, bytes, file)
    } else if safetensors::recognises(bytes) {
        safetensors::read(path, bytes, file).map(|tensors| Contents {
            tensors,
            config: None,
        })
    } else if torch::is_legacy(bytes) {
        torch::read_legacy(path, bytes, file)
    } else {
        Err(CheckpointError::UnknownFormat {
            path: path.to_owned(),
            found: describe(bytes),
        })
    }
}

/// What a file that is not a checkpoint seems to be.
fn describe(bytes: &[u8]) -> String {
    let text = |prefix: &str| bytes.trim_ascii_start().starts_with(prefix.as_bytes());
    if bytes.is_empty() {
        "an empty file"
    } else if text("version https://git-lfs") {
        "a git-lfs pointer instead of the file (run `git lfs pull`, or fetch the file from its page)"
    } else if text("<") {
        "a web page instead of the file; fetch it again"
    } else if text("{") {
        "JSON"
    } else if bytes.get(257..262) == Some(b"ustar") {
        "a tar archive, the format of PyTorch 0.1, which is not read; load and save it with any later PyTorch"
    } else if bytes.starts_with(b"\x89HDF") {
        "an HDF5 file (TensorFlow)"
    } else {
        "the beginning is that of no known format"
    }
    .to_owned()
}
