use crate::layout::CLAIM;
use crate::{FeatureError, Shard};
use emobox_files::FileError;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The right to make one shard, so that processes on one store do not do the same work twice.
///
/// It is the operating system's lock on a file that is removed afterwards; a process that dies releases
/// it. On a disk without locks every claim succeeds, and the worst consequence is that the
/// same bytes are written twice.
#[derive(Debug)]
pub struct ShardClaim {
    path: PathBuf,
    _file: File,
}

/// The result of [`ShardClaim::take`].
#[derive(Debug)]
pub enum Claim {
    /// The shard is ours to make. Check again whether it exists: its former owner may have
    /// just finished it.
    Ours(ShardClaim),
    /// Another process is making it.
    Busy,
}

impl ShardClaim {
    /// Claims a shard if no other process has it.
    pub fn take(dir: &Path, shard: &Shard) -> Result<Claim, FeatureError> {
        let (path, file) = open(dir, shard)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(Claim::Busy),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Claim::Ours(Self { path, _file: file })),
        }
    }

    /// Claims a shard, waiting for the process that is making it.
    pub fn wait(dir: &Path, shard: &Shard) -> Result<Self, FeatureError> {
        let (path, file) = open(dir, shard)?;
        // On a file system without locks nobody can wait; see the type's description.
        let _ = file.lock();
        Ok(Self { path, _file: file })
    }
}

impl Drop for ShardClaim {
    fn drop(&mut self) {
        // Removed while still locked, so nobody else holds this name with a live lock. A process
        // that opened it before gets a lock on a nameless file and then finds the shard made.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn open(dir: &Path, shard: &Shard) -> Result<(PathBuf, File), FeatureError> {
    std::fs::create_dir_all(dir).map_err(|e| FileError::io("create folder", dir, e))?;
    let path = dir.join(format!("{CLAIM}{:05}", shard.number));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| FileError::io("open", &path, e))?;
    Ok((path, file))
}
