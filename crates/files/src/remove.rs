use crate::FileError;
use std::io::ErrorKind;
use std::path::Path;

/// Deletes a file; one that does not exist is no error.
pub fn remove_file(path: impl AsRef<Path>) -> Result<(), FileError> {
    gone(path.as_ref(), std::fs::remove_file(path.as_ref()))
}

/// Deletes a folder with everything in it; one that does not exist is no error.
pub fn remove_folder(path: impl AsRef<Path>) -> Result<(), FileError> {
    gone(path.as_ref(), std::fs::remove_dir_all(path.as_ref()))
}

fn gone(path: &Path, removed: std::io::Result<()>) -> Result<(), FileError> {
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(FileError::io("remove", path, e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_goes_and_what_is_not_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let file = inner.join("file");
        std::fs::write(&file, "x").unwrap();
        // A folder is no file.
        assert!(remove_file(&inner).is_err());
        for _ in 0..2 {
            remove_file(&file).unwrap();
            assert!(!file.exists());
        }
        for _ in 0..2 {
            remove_folder(&inner).unwrap();
            assert!(!inner.exists());
        }
    }
}
