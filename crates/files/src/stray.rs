//! Temporary files of processes that were killed while they wrote.
//!
//! A writer holds the operating system's lock on its temporary file, which ends with the process. Locks may not reach other machines, so
//! that only files of this start of this machine are judged by them; those of others are judged by their age.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// What the names of temporary files begin and end with.
const NAME: [&str; 2] = [".emobox-", ".tmp"];

/// A file of another machine that was not written to for so long has no writer.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// What the names of this machine's temporary files begin with, from one start of the machine to the next.
static OURS: LazyLock<String> = LazyLock::new(|| {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let boot = boot.unwrap_or_default();
    let boot: String = boot
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(8)
        .collect();
    format!("{}{boot}-", NAME[0])
});

/// Whether a file's name is that of a temporary file.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(NAME[0]) && name.ends_with(NAME[1])
}

/// A new temporary file in `folder`, after those that dead processes left there are deleted.
pub(crate) fn temporary_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    sweep_once(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&*OURS).suffix(NAME[1]);
    #[cfg(unix)]
    {
        // Temporary files are private by default; results are ordinary files under the umask.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    loop {
        let temporary = builder.tempfile_in(folder)?;
        // Another process may lock it first, to delete it.
        match temporary.as_file().try_lock() {
            _ if !cfg!(unix) => return Ok(temporary),
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if !temporary.path().exists() => {}
            // On a file system without locks nobody deletes it.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(temporary),
        }
    }
}

/// Deletes strays at the first call for a folder.
fn sweep_once(folder: &Path) {
    static SWEPT: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if swept.insert(folder.to_owned()) {
        drop(swept);
        sweep(folder);
    }
}

fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if !is_temporary(&name) {
            continue;
        }
        // What cannot be deleted stays for `emobox clean`.
        if !name.starts_with(&**OURS) {
            let changed = entry.metadata().and_then(|metadata| metadata.modified());
            if changed.is_ok_and(|at| at.elapsed().is_ok_and(|ago| ago > ABANDONED)) {
                let _ = std::fs::remove_file(path);
            }
        } else if let Ok(file) = File::options().write(true).open(&path)
            && cfg!(unix)
            && file.try_lock().is_ok()
        {
            // While it is locked: a process that has just made it sees that it is gone.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::write_atomic;

    #[test]
    fn files_of_dead_writers_go_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let named = |name: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, "half").unwrap();
            path
        };
        let ours = &**OURS;
        let live = temporary_in(folder.path()).unwrap();
        let dead = named(format!("{ours}a.tmp"));
        let [fresh, old] = ["b", "c"].map(|name| named(format!(".emobox-01234567-{name}.tmp")));
        let other = named(".emobox.lock".to_owned());
        let past = std::time::SystemTime::now() - 2 * ABANDONED;
        let opened = File::options().write(true).open(&old).unwrap();
        opened.set_modified(past).unwrap();
        sweep(folder.path());
        assert!(!dead.exists() && !old.exists());
        assert!(live.path().exists() && fresh.exists() && other.exists());
        // A write sweeps, once per folder and process.
        let below = folder.path().join("below");
        std::fs::create_dir(&below).unwrap();
        let dead = named(format!("below/{ours}d.tmp"));
        write_atomic(below.join("x"), b"whole").unwrap();
        assert!(!dead.exists());
        let dead = named(format!("below/{ours}e.tmp"));
        write_atomic(below.join("x"), b"whole").unwrap();
        assert!(dead.exists());
    }
}
