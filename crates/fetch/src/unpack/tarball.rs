use super::{Sink, UnpackError};
use std::io::Read;
use tar::{Archive, EntryType};

/// Passes every entry of a tar to `sink`.
pub(super) fn entries(file: impl Read, sink: &mut Sink<'_, '_>) -> Result<(), UnpackError> {
    let mut archive = Archive::new(file);
    let entries = archive.entries().map_err(|e| sink.damaged("", e))?;
    for entry in entries {
        let mut entry = entry.map_err(|e| sink.damaged("", e))?;
        let name = match String::from_utf8(entry.path_bytes().into_owned()) {
            Ok(name) => name,
            // One letter for each byte: wrong, but the same everywhere, and distinct names stay distinct.
            Err(e) => e.as_bytes().iter().copied().map(char::from).collect(),
        };
        match entry.header().entry_type() {
            EntryType::Directory => sink.folder(&name)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                sink.file(&name, &mut entry)?;
            }
            EntryType::XGlobalHeader | EntryType::XHeader => {}
            EntryType::Symlink => {
                sink.skip(&name, "it is a symbolic link, and links are not followed");
            }
            EntryType::Link => sink.skip(&name, "it is a hard link, and links are not followed"),
            other => sink.skip(&name, &format!("it is a special file ({other:?})")),
        }
    }
    Ok(())
}
