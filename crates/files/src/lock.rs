use crate::FileError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// An exclusive lock on a folder, held by one process at a time and released when it ends, however
/// it ends: it is the operating system's lock on the file `.emobox.lock`; the file's existence means nothing.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// The result of [`DirLock::try_acquire`].
#[derive(Debug)]
pub enum LockOutcome {
    /// The lock is ours until the value is dropped.
    Acquired(DirLock),
    /// Another process holds it.
    Busy,
}

impl DirLock {
    /// Takes the lock if it is free. Creates the folder if needed.
    pub fn try_acquire(folder: impl AsRef<Path>) -> Result<LockOutcome, FileError> {
        let file = open(folder.as_ref())?;
        match file.try_lock() {
            Ok(()) => Ok(LockOutcome::Acquired(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(LockOutcome::Busy),
            Err(TryLockError::Error(e)) => Err(FileError::io("lock", folder, e)),
        }
    }

    /// Takes the lock, waiting for the process that holds it. `on_wait` is called once before waiting.
    pub fn acquire(folder: impl AsRef<Path>, on_wait: impl FnOnce()) -> Result<Self, FileError> {
        let folder = folder.as_ref();
        if let LockOutcome::Acquired(lock) = Self::try_acquire(folder)? {
            return Ok(lock);
        }
        on_wait();
        let file = open(folder)?;
        file.lock().map_err(|e| FileError::io("lock", folder, e))?;
        Ok(Self { _file: file })
    }
}

fn open(folder: &Path) -> Result<File, FileError> {
    std::fs::create_dir_all(folder).map_err(|e| FileError::io("create folder", folder, e))?;
    let path = folder.join(".emobox.lock");
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| FileError::io("open", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_busy_and_a_dropped_one_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let held = DirLock::try_acquire(folder.path()).unwrap();
        assert!(matches!(held, LockOutcome::Acquired(_)));
        let second = DirLock::try_acquire(folder.path()).unwrap();
        assert!(matches!(second, LockOutcome::Busy));
        drop(held);
        let third = DirLock::try_acquire(folder.path()).unwrap();
        assert!(matches!(third, LockOutcome::Acquired(_)));
    }
}
