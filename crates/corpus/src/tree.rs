use crate::{CorpusError, path_text};
use rayon::prelude::*;
use std::fs::FileType;
use std::path::{Path, PathBuf};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Extensions of audio, or of video with an audio track. The decoder, not this list, checks the content.
const AUDIO_EXTENSIONS: [&str; 20] = [
    "wav", "wave", "flac", "mp3", "m4a", "mp4", "aac", "avi", "webm", "ogg", "oga", "opus", "aif",
    "aiff", "aifc", "mka", "mkv", "mov", "au", "wma",
];

/// One file below the raw folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFile {
    index: usize,
    is_audio: bool,
    path: Box<str>,
    composed: Option<Box<str>>,
}

impl RawFile {
    fn new(path: String) -> Self {
        let composed = match is_nfc_quick(path.chars()) {
            _ if path.is_ascii() => None,
            IsNormalized::Yes => None,
            _ => Some(path.nfc().collect::<String>())
                .filter(|composed| *composed != path)
                .map(String::into_boxed_str),
        };
        Self {
            index: 0,
            is_audio: has_audio_extension(&path),
            path: path.into_boxed_str(),
            composed,
        }
    }

    /// The index of the file in its tree.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The path on disk, relative to the raw folder, as [`path_text`] writes it. This is a manifest's `wav`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same path with composed accents (Unicode NFC): grammars are matched against it.
    pub fn composed(&self) -> &str {
        self.composed.as_deref().unwrap_or(&self.path)
    }

    /// The folder of the file, as a composed path; empty for a file at the top.
    pub fn folder(&self) -> &str {
        self.composed()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
    }

    /// The last part of the composed path.
    pub fn name(&self) -> &str {
        self.composed().rsplit('/').next().unwrap_or_default()
    }

    /// The name without its extension.
    pub fn stem(&self) -> &str {
        self.name()
            .rsplit_once('.')
            .map_or(self.name(), |(stem, _)| stem)
    }

    /// The extension in lower case, without the dot.
    pub fn extension(&self) -> String {
        self.name()
            .rsplit_once('.')
            .map_or(String::new(), |(_, extension)| {
                extension.to_ascii_lowercase()
            })
    }

    /// Whether the extension names an audio or video container.
    pub fn is_audio(&self) -> bool {
        self.is_audio
    }

    /// Whether the path ends with `tail`, at a folder boundary, ignoring case.
    pub fn ends_with(&self, tail: &str) -> bool {
        let path = self.composed();
        let Some(start) = path.len().checked_sub(tail.len()) else {
            return false;
        };
        path.is_char_boundary(start)
            && same_letters(&path[start..], tail)
            && (start == 0 || path.as_bytes()[start - 1] == b'/')
    }

    /// Whether the file is in `folder` (one name or several, `a/b`) at any depth, ignoring case.
    pub fn is_below(&self, folder: &str) -> bool {
        if folder.is_empty() {
            return true;
        }
        let borders = folder.matches('/').count();
        let mut rest = self.folder();
        loop {
            // The start of `rest` with as many names as `folder`.
            let border = rest.match_indices('/').nth(borders);
            let part = border.map_or(rest, |(at, _)| &rest[..at]);
            if same_letters(part, folder) {
                return true;
            }
            match rest.split_once('/') {
                Some((_, below)) => rest = below,
                None => return false,
            }
        }
    }
}

pub(crate) fn has_audio_extension(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| {
        AUDIO_EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// Sorts by path and sets each file's index.
fn number(files: &mut [RawFile]) {
    files.par_sort_unstable_by(|a, b| a.path.cmp(&b.path));
    files
        .iter_mut()
        .enumerate()
        .for_each(|(index, file)| file.index = index);
}

fn same_letters(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        a.eq_ignore_ascii_case(b)
    } else {
        fold(a) == fold(b)
    }
}

fn fold(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

/// Every file below a raw folder, sorted by path, without the files that file systems and archivers add.
#[derive(Debug, Clone)]
pub struct RawTree {
    root: PathBuf,
    files: Vec<RawFile>,
    unreadable: Vec<(String, String)>,
}

impl RawTree {
    /// Lists the files below `root`. Links are followed; folders that cannot be read and circular links are listed in
    /// [`RawTree::unreadable`].
    pub fn scan(corpus: &str, root: &Path) -> Result<Self, CorpusError> {
        if !root.is_dir() {
            return Err(CorpusError::NotAFolder {
                corpus: corpus.to_owned(),
                root: root.to_owned(),
                found: if root.exists() {
                    Some("it is a file; unpack it first".to_owned())
                } else {
                    Some("it does not exist".to_owned())
                },
            });
        }
        let mut files = Vec::new();
        let mut unreadable = Vec::new();
        // One level of folders at a time, so that a deep tree does not need a deep stack.
        let mut level = vec![PathBuf::new()];
        while !level.is_empty() {
            let listings: Vec<_> = level.par_iter().map(|folder| list(root, folder)).collect();
            level.clear();
            for listing in listings {
                files.extend(listing.files);
                level.extend(listing.folders);
                unreadable.extend(listing.unreadable);
            }
        }
        number(&mut files);
        unreadable.sort();
        Ok(Self {
            root: root.to_owned(),
            files,
            unreadable,
        })
    }

    /// A tree from paths alone, for tests and for checks of a listing.
    pub fn from_paths<'a>(root: &Path, paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut files: Vec<_> = paths
            .into_iter()
            .map(|path| RawFile::new(path.to_owned()))
            .collect();
        number(&mut files);
        Self {
            root: root.to_owned(),
            files,
            unreadable: Vec::new(),
        }
    }

    /// The tree without some of its files.
    pub(crate) fn without(&self, leave_out: impl Fn(&RawFile) -> bool) -> Self {
        let mut files: Vec<RawFile> = self.files.clone();
        files.retain(|file| !leave_out(file));
        number(&mut files);
        Self {
            root: self.root.clone(),
            files,
            unreadable: self.unreadable.clone(),
        }
    }

    /// The raw folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All files, sorted by path.
    pub fn files(&self) -> &[RawFile] {
        &self.files
    }

    /// The audio files, sorted by path.
    pub fn audio(&self) -> impl Iterator<Item = &RawFile> {
        self.files.iter().filter(|file| file.is_audio())
    }

    /// Entries that could not be listed, with the system's message.
    pub fn unreadable(&self) -> &[(String, String)] {
        &self.unreadable
    }

    /// The path of a file on disk.
    pub fn locate(&self, file: &RawFile) -> PathBuf {
        self.root.join(&*path_text::decode(&file.path))
    }

    /// The file whose path ends with `tail` (at a folder boundary, ignoring case); if several match, the one with the fewest
    /// folders above it.
    pub fn find(&self, tail: &str) -> Option<&RawFile> {
        let matching = self.files.iter().filter(|file| file.ends_with(tail));
        matching.min_by_key(|file| (file.path.matches('/').count(), &file.path))
    }
}

/// The contents of one folder; all paths are relative to the root.
#[derive(Debug, Default)]
struct Listing {
    files: Vec<RawFile>,
    folders: Vec<PathBuf>,
    unreadable: Vec<(String, String)>,
}

fn list(root: &Path, folder: &Path) -> Listing {
    let mut listing = Listing::default();
    let entries = match std::fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) => {
            let note = (path_text::encode(folder), error.to_string());
            listing.unreadable.push(note);
            return listing;
        }
    };
    for entry in entries {
        let (path, kind) = match entry {
            Ok(entry) if is_litter(&entry.file_name().to_string_lossy()) => continue,
            Ok(entry) => {
                let path = folder.join(entry.file_name());
                let kind = entry.file_type().map_err(|e| e.to_string());
                (path, kind)
            }
            Err(error) => (folder.to_owned(), Err(error.to_string())),
        };
        let kind = kind.and_then(|kind| {
            if kind.is_symlink() {
                follow(root, &path)
            } else {
                Ok(kind)
            }
        });
        match kind {
            Ok(kind) if kind.is_dir() => listing.folders.push(path),
            Ok(kind) if kind.is_file() => {
                listing.files.push(RawFile::new(path_text::encode(&path)));
            }
            Ok(_) => {}
            Err(message) => listing.unreadable.push((path_text::encode(&path), message)),
        }
    }
    listing
}

/// The type of a link's target, unless that is one of the folders that contain the link.
fn follow(root: &Path, link: &Path) -> Result<FileType, String> {
    let place = root.join(link);
    let metadata = std::fs::metadata(&place).map_err(|e| e.to_string())?;
    if metadata.is_dir() {
        let real = |path: &Path| std::fs::canonicalize(path).map_err(|e| e.to_string());
        let target = real(&place)?;
        for above in link.ancestors().skip(1) {
            if real(&root.join(above))? == target {
                return Err(format!("the link leads back to {}", target.display()));
            }
        }
    }
    Ok(metadata.file_type())
}

/// Resource forks, folder databases and thumbnails, which are not part of any release.
fn is_litter(name: &str) -> bool {
    name.starts_with("._")
        || [
            ".DS_Store",
            "__MACOSX",
            "Thumbs.db",
            "desktop.ini",
            ".git",
            "@eaDir",
        ]
        .iter()
        .any(|litter| name.eq_ignore_ascii_case(litter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn litter_is_skipped_and_the_rest_is_sorted() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "b/x.WAV",
            "a/y.wav",
            "a/._y.wav",
            "__MACOSX/a/y.wav",
            ".DS_Store",
            "notes.txt",
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let tree = RawTree::scan("any", folder.path()).unwrap();
        let paths: Vec<_> = tree.files().iter().map(RawFile::path).collect();
        assert_eq!(paths, ["a/y.wav", "b/x.WAV", "notes.txt"]);
        assert_eq!(tree.audio().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (folder.path().join("raw"), folder.path().join("other"));
        for path in ["raw/a/x.wav", "other/y.wav"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        symlink(&other, root.join("a/linked")).unwrap();
        symlink(&root, other.join("back")).unwrap();
        symlink(root.join("a"), root.join("a/itself")).unwrap();
        symlink(root.join("nowhere"), root.join("a/broken")).unwrap();
        symlink(root.join("a/x.wav"), root.join("z.wav")).unwrap();
        let tree = RawTree::scan("any", &root).unwrap();
        let paths: Vec<_> = tree.files().iter().map(RawFile::path).collect();
        assert_eq!(paths, ["a/linked/y.wav", "a/x.wav", "z.wav"]);
        let noted: Vec<_> = tree.unreadable().iter().map(|(path, _)| path).collect();
        assert_eq!(noted, ["a/broken", "a/itself", "a/linked/back"]);
        assert!(tree.unreadable()[1].1.contains("leads back"));
    }

    #[test]
    fn tails_and_folders_ignore_case_and_the_form_of_accents() {
        let decomposed = "top/Ore\u{301}auFR_02/f/SessC/x.wav";
        let tree = RawTree::from_paths(Path::new("/r"), [decomposed, "top/meta/X.CSV"]);
        let file = tree.find("oréaufr_02/f/sessc/x.wav").unwrap();
        assert_eq!(
            (file.path(), file.composed()),
            (decomposed, "top/OréauFR_02/f/SessC/x.wav")
        );
        assert!(
            file.is_below("sessc")
                && file.is_below("f/sessC")
                && file.is_below("")
                && !file.is_below("sess")
        );
        assert!(tree.find("a/x.csv").is_none() && tree.find("meta/x.csv").is_some());
    }

    #[test]
    fn a_file_in_place_of_a_folder_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = RawTree::scan("emodb", file.path()).unwrap_err().to_string();
        assert!(message.contains("unpack it first"), "{message}");
    }
}
