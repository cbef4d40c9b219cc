use emobox_files::FileError;
use std::path::PathBuf;

/// A checkpoint that cannot be read, with the file and the defective part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The operating system refused, or a JSON index is not valid JSON.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder without a weights file under any known name.
    #[error(
        "find weights in {}: none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, \
         pytorch_model.bin.index.json, *.safetensors, *.pt, *.pth, *.bin, *.ckpt is there{}",
        folder.display(), listing("; the folder holds", found)
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// What it holds instead (the first few names).
        found: Vec<String>,
    },
    /// A folder with several candidate files and no rule to choose between them.
    #[error(
        "choose the weights in {}: several files qualify: {}; name one of them instead of the folder",
        folder.display(), files.join(", ")
    )]
    SeveralWeights {
        /// The folder.
        folder: PathBuf,
        /// The candidates.
        files: Vec<String>,
    },
    /// A file that is not a checkpoint, or has an unsupported format.
    #[error(
        "read {}: {found}; expected a safetensors file or a PyTorch checkpoint (zip or legacy)",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What the file looks like.
        found: String,
    },
    /// The file contradicts its own format.
    #[error("read {}: not a valid {format} file: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format that it claims: `safetensors`, `PyTorch`, `zip`.
        format: &'static str,
        /// What is wrong, with the tensor or entry where one is concerned.
        detail: String,
    },
    /// The file ends before something that it declares.
    #[error(
        "read {}: truncated: {what} needs {expected} bytes of which {found} are there; fetch the file again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What was declared.
        what: String,
        /// The bytes that it needs.
        expected: u64,
        /// The bytes that exist.
        found: u64,
    },
    /// The file exceeds a limit that every real checkpoint respects.
    #[error("read {}: {what} is {found}, above the limit of {limit} for one checkpoint", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// The quantity.
        what: String,
        /// The limit.
        limit: u64,
        /// The value in the file.
        found: u64,
    },
    /// Two tensors of a format without sharing claim the same bytes.
    #[error("read {}: tensors {first:?} and {second:?} overlap", path.display())]
    Overlap {
        /// The file.
        path: PathBuf,
        /// The tensor that comes first.
        first: String,
        /// The tensor that starts inside it.
        second: String,
    },
    /// A pickle requests a class or function that no checkpoint has a reason to contain.
    #[error(
        "read {}: refused: its pickle asks for {class}{}, which is no part of a checkpoint, and opening it with \
         Python would run that. Nothing was run. Use a copy from the original publisher; if you trust \
         this file, save its tensors as safetensors in an isolated environment", path.display(), better_known(class)
    )]
    RefusedClass {
        /// The file.
        path: PathBuf,
        /// The name as the pickle spells it, `module.name`.
        class: String,
    },
    /// An entry of a zip archive is compressed, so its size on disk bounds nothing.
    #[error(
        "read {}: entry {entry:?} of the archive is compressed ({stored} bytes that claim to become {claimed}); \
         PyTorch stores its archives uncompressed: unpack and repack without compression (zip -0), or fetch the \
         original file", path.display()
    )]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// Its bytes in the file.
        stored: u64,
        /// Its declared size when unpacked.
        claimed: u64,
    },
    /// A tensor reaches beyond its storage.
    #[error(
        "read {}: tensor {name:?} needs {needed} bytes of storage {storage:?}, which has {available}",
        path.display()
    )]
    OutOfStorage {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The storage's key.
        storage: String,
        /// Bytes up to the end of its last element.
        needed: u64,
        /// The bytes that exist.
        available: u64,
    },
    /// A checkpoint without a single tensor.
    #[error("read {}: no tensors in it{}", path.display(), listing("; it holds", found))]
    NoTensors {
        /// The file.
        path: PathBuf,
        /// Its top-level keys.
        found: Vec<String>,
    },
    /// A shard named in the index does not exist.
    #[error(
        "read {}: shard {shard:?} is missing (it holds {tensors} tensors, {example:?} among them); \
         fetch it into the same folder",
        index.display()
    )]
    MissingShard {
        /// The index file.
        index: PathBuf,
        /// The missing file as written in the index.
        shard: String,
        /// How many tensors are in it.
        tensors: usize,
        /// One of them.
        example: String,
    },
    /// A requested tensor is not in the checkpoint.
    #[error("read {}: no tensor {name:?}{}", path.display(), listing("; similar names:", similar))]
    MissingTensor {
        /// The file or folder.
        path: PathBuf,
        /// The requested name.
        name: String,
        /// Names in the checkpoint that resemble it.
        similar: Vec<String>,
    },
    /// A tensor whose element type cannot be converted to f32 here.
    #[error(
        "read {}: tensor {name:?} has elements of type {dtype}; only f64, f32, f16, bf16, integers and bool are read",
        path.display()
    )]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its element type as the file spells it.
        dtype: String,
    },
}

fn listing(lead: &str, names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("{lead} {}", names.join(", "))
    }
}

/// The well-known module behind the one that a pickle names.
fn better_known(class: &str) -> String {
    let name = class.strip_prefix("posix.").or(class.strip_prefix("nt."));
    name.map_or(String::new(), |name| format!(" (os.{name})"))
}
