use crate::transfer::{Watch, validator_path};
use crate::{Client, Continue, FetchError, Transfer, Wanted};
use emobox_files::FileError;
use std::path::{Path, PathBuf};

/// Downloads a file to `place`: resumes `<place>.incomplete` if an earlier attempt left one, checks size and
/// checksum, and renames. A wrong file is deleted and, if it had been resumed, fetched once more from the beginning.
///
/// The caller holds the lock that keeps two processes from fetching to the same place.
pub fn fetch_file(
    client: &Client,
    wanted: &Wanted,
    place: &Path,
    watch: &mut Watch<'_>,
) -> Result<(), FetchError> {
    let partial = partial_path(place);
    let mut continued = partial.metadata().is_ok_and(|metadata| metadata.len() > 0);
    loop {
        client.download(wanted, &partial, watch)?;
        match verify(wanted, &partial) {
            Ok(()) => break,
            Err(error) => {
                std::fs::remove_file(&partial).map_err(|e| FileError::io("remove", &partial, e))?;
                // The beginning may be another program's; fetch once more from the start.
                if !std::mem::take(&mut continued) {
                    return Err(error);
                }
                let reason = error.to_string();
                let event = Transfer::Retrying {
                    done: 0,
                    reason: &reason,
                };
                if watch(event) == Continue::No {
                    return Err(error);
                }
            }
        }
    }
    std::fs::rename(&partial, place).map_err(|e| FileError::io("rename into place", place, e))?;
    // Not needed any more, and absent for most files.
    let _ = std::fs::remove_file(validator_path(&partial));
    Ok(())
}

/// The path of a file's bytes until it is complete.
fn partial_path(place: &Path) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(".incomplete");
    place.with_file_name(name)
}

/// Checks size and checksum, if published.
fn verify(wanted: &Wanted, path: &Path) -> Result<(), FetchError> {
    let corrupt = |what, expected: String, found: String| FetchError::Corrupt {
        file: wanted.name.clone(),
        what,
        expected,
        found,
    };
    let size = path
        .metadata()
        .map_err(|e| FileError::io("read", path, e))?
        .len();
    if let Some(expected) = wanted.bytes.filter(|expected| *expected != size) {
        return Err(corrupt("bytes", expected.to_string(), size.to_string()));
    }
    if let Some(checksum) = &wanted.checksum {
        let found = checksum.of_file(path)?;
        if found != checksum.digits() {
            let expected = checksum.digits().to_owned();
            return Err(corrupt(checksum.kind(), expected, found));
        }
    }
    Ok(())
}
