// Shared by the targets that read checkpoints: opens the bytes and reads all there is in them.

use emobox_checkpoint::{Checkpoint, CheckpointError};

/// Bytes that one input may make the reader copy out; beyond it, tensors are opened and not read.
const READ_BYTES: usize = 1 << 24;

pub fn exhaust(opened: Result<Checkpoint, CheckpointError>) {
    let checkpoint = match opened {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            // Every message must be printable.
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut budget = READ_BYTES;
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name).unwrap();
        let elements = if shape.contains(&0) { 0 } else { shape.iter().product::<usize>() };
        if elements * 4 > budget {
            continue;
        }
        if let Ok(values) = checkpoint.read(name) {
            assert_eq!(values.len(), elements);
            budget -= elements * 4;
        }
    }
    drop(checkpoint.config());
    drop(checkpoint.digest().unwrap());
}
