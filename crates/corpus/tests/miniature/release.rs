//! A miniature release as files, and the headers of its audio; also used by tests of other crates.

use emobox_corpus::{AudioHeader, HeaderProblem, path_text};
use std::path::Path;

/// Writes the files of the text below `root`.
pub(crate) fn unpack(archive: &str, root: &Path) {
    let mut path = None;
    for line in archive.lines() {
        if let Some(name) = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.strip_suffix(" --"))
        {
            let file = root.join(path_text::decode(name));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            path = Some(file);
        } else if let Some(path) = &path {
            let text = std::fs::read_to_string(path).unwrap() + line + "\n";
            std::fs::write(path, text).unwrap();
        }
    }
}

/// The header in a file's content.
pub(crate) fn read_header(path: &Path) -> Result<AudioHeader, HeaderProblem> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let numbers: Vec<u64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers[..] {
        [rate, channels, frames] => Ok(AudioHeader {
            sample_rate: rate as u32,
            channels: channels as u16,
            frames,
        }),
        _ => Err("no audio".to_owned().into()),
    }
}
