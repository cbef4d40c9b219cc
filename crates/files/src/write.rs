use crate::FileError;
use crate::stray::temporary_in;
use serde::{Serialize, de::DeserializeOwned};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `bytes` to `path` atomically: a temporary name in the same folder, flushed to the disk,
/// then renamed. Creates the parent folders, and deletes what killed processes left in this one.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FileError> {
    write_atomic_with(path, |out| out.write_all(bytes))
}

/// Like [`write_atomic`], for content that is streamed by `fill` instead of held in memory.
pub fn write_atomic_with(
    path: impl AsRef<Path>,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> std::io::Result<()>,
) -> Result<(), FileError> {
    let path = path.as_ref();
    try_write_atomic(path, |out| {
        fill(out).map_err(|e| FileError::io("write", path, e))
    })
}

/// Like [`write_atomic_with`], for content whose producer can fail for other reasons: then `path` is unchanged.
pub fn try_write_atomic<T, E: From<FileError>>(
    path: impl AsRef<Path>,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, E>,
) -> Result<T, E> {
    let path = path.as_ref();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|e| FileError::io("create folder", folder, e))?;
    let temporary =
        temporary_in(folder).map_err(|e| FileError::io("create a file in", folder, e))?;
    let mut out = BufWriter::with_capacity(1 << 18, temporary);
    let filled = fill(&mut out)?;
    let temporary = out
        .into_inner()
        .map_err(|e| FileError::io("write", path, e.into_error()))?;
    temporary
        .as_file()
        .sync_all()
        .map_err(|e| FileError::io("flush", path, e))?;
    temporary
        .persist(path)
        .map_err(|e| FileError::io("rename into place", path, e.error))?;
    Ok(filled)
}

/// Writes `value` as indented JSON with a final newline, atomically.
pub fn write_json<T: Serialize>(path: impl AsRef<Path>, value: &T) -> Result<(), FileError> {
    let path = path.as_ref();
    let mut text = serde_json::to_vec_pretty(value).map_err(|source| FileError::Json {
        path: path.to_owned(),
        source,
    })?;
    text.push(b'\n');
    write_atomic(path, &text)
}

/// Reads JSON, naming the file if it is missing or malformed.
pub fn read_json<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, FileError> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|e| FileError::io("read", path, e))?;
    // Some editors put a byte-order mark before UTF-8.
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    serde_json::from_slice(text).map_err(|source| FileError::Json {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_stray_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_atomic(&path, b"old").unwrap();
        let failed = write_atomic_with(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(std::io::Error::other("power cut"))
        });
        assert!(failed.unwrap_err().to_string().contains("power cut"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        write_atomic(&path, b"\xEF\xBB\xBF[1, 2]").unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), [1, 2]);
    }

    #[test]
    fn json_errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        write_atomic(&path, b"{\"a\": ").unwrap();
        let message = read_json::<serde_json::Value>(&path)
            .unwrap_err()
            .to_string();
        assert!(message.contains("x.json") && message.contains("line 1"));
    }
}
