//! The cache on disk: `models--org--name/blobs/<etag>`, `snapshots/<commit>/<file>` as links to the blobs, `refs/<revision>`
//! with one commit each, and `.locks` beside the repositories.

use super::HubError;
use emobox_files::{FileError, join_inside};
use std::fs::{File, TryLockError};
use std::path::{Component, Path, PathBuf};

/// The folder of one repository.
pub(super) struct RepositoryCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepositoryCache {
    pub(super) fn new(cache: &Path, repository: &str) -> Result<Self, HubError> {
        check_repository(repository)?;
        let folder = format!("models--{}", repository.replace('/', "--"));
        Ok(Self {
            root: cache.join(&folder),
            locks: cache.join(".locks").join(folder),
        })
    }

    /// The snapshot of a revision (a name that was resolved before, or a commit), if it exists.
    pub(super) fn snapshot(&self, revision: &str) -> Option<PathBuf> {
        let named = self
            .reference(revision)
            .ok()
            .and_then(|path| std::fs::read_to_string(path).ok());
        let commit = named.as_deref().map_or(revision, str::trim);
        let folder = self.snapshot_folder(commit).ok()?;
        folder.is_dir().then_some(folder)
    }

    pub(super) fn snapshot_folder(&self, commit: &str) -> Result<PathBuf, HubError> {
        check_commit(commit)?;
        Ok(self.root.join("snapshots").join(commit))
    }

    pub(super) fn reference(&self, revision: &str) -> Result<PathBuf, HubError> {
        check_revision(revision)?;
        Ok(join_inside(self.root.join("refs"), revision)?)
    }
}

impl RepositoryCache {
    pub(super) fn blob(&self, etag: &str) -> Result<PathBuf, HubError> {
        check_etag(etag)?;
        let folder = self.root.join("blobs");
        std::fs::create_dir_all(&folder).map_err(|e| FileError::io("create folder", &folder, e))?;
        Ok(folder.join(etag))
    }

    /// Takes the lock that `huggingface_hub` takes for the same file, so that two programs do not write the same bytes;
    /// `waiting` is called once if another process holds it.
    pub(super) fn lock(&self, etag: &str, waiting: impl FnOnce()) -> Result<File, HubError> {
        std::fs::create_dir_all(&self.locks)
            .map_err(|e| FileError::io("create folder", &self.locks, e))?;
        let path = self.locks.join(format!("{etag}.lock"));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| FileError::io("open", &path, e))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            waiting();
            file.lock().map_err(|e| FileError::io("lock", &path, e))?;
        }
        Ok(file)
    }

    /// Makes `file` of a snapshot a relative link to a blob, or a copy where links are not supported.
    pub(super) fn link(&self, snapshot: &Path, file: &str, blob: &Path) -> Result<(), HubError> {
        let link = join_inside(snapshot, file)?;
        let folder = link.parent().unwrap_or(snapshot);
        std::fs::create_dir_all(folder).map_err(|e| FileError::io("create folder", folder, e))?;
        let depth = Path::new(file)
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .count();
        let mut target = PathBuf::new();
        for _ in 0..=depth {
            target.push("..");
        }
        target.push("blobs");
        target.push(blob.file_name().unwrap_or_default());
        if link.is_file() {
            return Ok(());
        }
        // A link to a missing blob is replaced.
        if link.symlink_metadata().is_ok() {
            std::fs::remove_file(&link).map_err(|e| FileError::io("replace", &link, e))?;
        }
        symlink(&target, blob, &link).map_err(|e| FileError::io("link", &link, e))?;
        Ok(())
    }
}

#[cfg(unix)]
fn symlink(target: &Path, _blob: &Path, link: &Path) -> std::io::Result<()> {
    match std::os::unix::fs::symlink(target, link) {
        // Another process made the same link at the same time.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(not(unix))]
fn symlink(_target: &Path, blob: &Path, link: &Path) -> std::io::Result<()> {
    std::fs::hard_link(blob, link).or_else(|_| std::fs::copy(blob, link).map(drop))
}

/// The names of the files directly in a folder, sorted.
pub(super) fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn check_repository(repository: &str) -> Result<(), HubError> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !part.contains("..")
            && !part.contains("--")
    };
    let parts: Vec<_> = repository.split('/').collect();
    let valid = repository.len() <= 96 && parts.len() <= 2 && parts.into_iter().all(part);
    check(
        valid,
        "repository",
        repository,
        "org/name of letters, digits, '-', '_' and '.'",
    )
}

fn check_revision(revision: &str) -> Result<(), HubError> {
    let valid = !revision.is_empty()
        && revision.len() <= 200
        && revision
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !revision.contains("..")
        && !revision.starts_with('/');
    check(valid, "revision", revision, "a branch, a tag or a commit")
}

fn check_commit(commit: &str) -> Result<(), HubError> {
    let valid = (7..=64).contains(&commit.len()) && commit.chars().all(|c| c.is_ascii_hexdigit());
    check(valid, "commit", commit, "hexadecimal digits")
}

fn check_etag(etag: &str) -> Result<(), HubError> {
    // It becomes a file name, so a server must not be able to put a path in it.
    let valid = (1..=128).contains(&etag.len())
        && etag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    check(valid, "etag", etag, "letters and digits")
}

fn check(
    valid: bool,
    what: &'static str,
    name: &str,
    expected: &'static str,
) -> Result<(), HubError> {
    if valid {
        return Ok(());
    }
    Err(HubError::InvalidName {
        what,
        name: name.chars().take(200).collect(),
        expected,
    })
}
