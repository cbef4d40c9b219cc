use crate::FileError;
use std::path::{Component, Path, PathBuf};

/// Joins a relative path from an untrusted file (a manifest, a table, an archive) to `root`.
///
/// Refuses absolute paths and any `..`, so the result is always below `root` as written.
pub fn join_inside(root: impl AsRef<Path>, relative: &str) -> Result<PathBuf, FileError> {
    let root = root.as_ref();
    let inside = Path::new(relative)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside && !relative.is_empty() {
        Ok(root.join(relative))
    } else {
        Err(FileError::OutsideRoot {
            root: root.to_owned(),
            relative: relative.to_owned(),
        })
    }
}

/// The same path for a process in another folder.
///
/// # Errors
/// The folder of this process is gone.
pub fn absolute(path: &Path) -> Result<PathBuf, FileError> {
    std::path::absolute(path).map_err(|e| FileError::io("find the place of", path, e))
}

#[cfg(test)]
mod tests {
    use super::join_inside;

    #[test]
    fn only_paths_below_the_root_pass() {
        assert!(join_inside("/data", "a/./b.wav").is_ok());
        for bad in ["../x", "a/../../x", "/etc/passwd", ""] {
            assert!(join_inside("/data", bad).is_err(), "{bad:?}");
        }
    }
}
