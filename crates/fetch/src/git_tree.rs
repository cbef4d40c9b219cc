use emobox_files::FileError;
use sha1::{Digest, Sha1};
use std::path::Path;

/// The git object name of a folder of ordinary files: 40 hexadecimal digits over all names and contents. A
/// repository's archive has no fixed bytes, because hosts repack it; its content at a commit always has this name.
///
/// Links and executable files count as ordinary ones, so a folder that has them gets a different name from git's.
pub fn git_tree(folder: &Path) -> Result<String, FileError> {
    Ok(hex(&tree(folder)?))
}

fn tree(folder: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |e| FileError::io("read", folder, e);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        let name = entry.file_name().to_string_lossy().into_owned();
        let id = if is_folder {
            tree(&entry.path())?
        } else {
            let content =
                std::fs::read(entry.path()).map_err(|e| FileError::io("read", entry.path(), e))?;
            object("blob", &content)
        };
        entries.push((name, is_folder, id));
    }
    // Git sorts folders as if their names ended in a slash.
    entries.sort_by_key(|(name, is_folder, _)| {
        let end = if *is_folder { "/" } else { "" };
        format!("{name}{end}").into_bytes()
    });
    let mut content = Vec::new();
    for (name, is_folder, id) in entries {
        let mode = if is_folder { "40000" } else { "100644" };
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        content.extend_from_slice(&id);
    }
    Ok(object("tree", &content))
}

fn object(kind: &str, content: &[u8]) -> Vec<u8> {
    let mut hasher = Sha1::new();
    hasher.update(format!("{kind} {}\0", content.len()));
    hasher.update(content);
    hasher.finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_those_of_git() {
        // printf hello > a; mkdir b; printf x > b/c; printf y > b.d; git add .; git write-tree
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for (name, content) in [("a", "hello"), ("b/c", "x"), ("b.d", "y")] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let expected = "de116b5ef379a634c2f477a240e3b22827130d94";
        assert_eq!(super::git_tree(folder.path()).unwrap(), expected);
    }
}
