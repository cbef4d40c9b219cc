//! The index of a sharded checkpoint, in a folder with one shard.
#![no_main]

mod checkpoint;

use emobox_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    // In memory where the system has such a place: every input is a file.
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let shard = [&(header.len() as u64).to_le_bytes(), &header[..], &[0; 4]].concat();
    std::fs::write(folder.path().join("a.safetensors"), shard).unwrap();
    folder
});

fuzz_target!(|input: &[u8]| {
    std::fs::write(FOLDER.path().join("model.safetensors.index.json"), input).unwrap();
    checkpoint::exhaust(Checkpoint::open(FOLDER.path()));
});
