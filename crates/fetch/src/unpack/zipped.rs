use super::{Sink, UnpackError};
use std::io::{Read, Seek};
use zip::ZipArchive;

/// Passes every entry of a zip to `sink`. Names without the UTF-8 mark are read in code page 437, as the format specifies;
/// checksums of entries are verified while reading.
pub(super) fn entries(file: impl Read + Seek, sink: &mut Sink<'_, '_>) -> Result<(), UnpackError> {
    let mut archive = ZipArchive::new(file).map_err(|e| sink.damaged("", e))?;
    for index in 0..archive.len() {
        let mut entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(e) => {
                return Err(sink.damaged(&format!("number {}", index + 1), e));
            }
        };
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(e) => return Err(sink.damaged(&format!("number {}", index + 1), e)),
        };
        if entry.is_dir() {
            sink.folder(&name)?;
        } else if entry.is_symlink() {
            sink.skip(&name, "it is a symbolic link, and links are not followed");
        } else {
            sink.file(&name, &mut entry)?;
        }
    }
    Ok(())
}
