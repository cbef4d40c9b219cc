use emobox_fetch::{Continue, Limits, UnpackError, Unpacked, unpack};
use flate2::{Compression, write::GzEncoder};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Writes names unchanged; the crate's builder refuses hostile ones.
fn tarred(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let data: &[u8] = match kind {
            EntryType::Symlink | EntryType::Link => {
                header.set_link_name_literal(content).unwrap();
                &[]
            }
            _ => content,
        };
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("deep/out")
    }

    fn unpack_within(&self, archive: &[u8], limits: &Limits) -> Result<Unpacked, UnpackError> {
        let path = self.folder.path().join("archive");
        std::fs::write(&path, archive).unwrap();
        unpack(&path, &self.out(), limits, &mut |_| Continue::Yes)
    }

    fn unpack(&self, archive: &[u8]) -> Result<Unpacked, UnpackError> {
        self.unpack_within(archive, &Limits::default())
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.out().join(name)).unwrap()
    }

    /// Everything outside `out` except the archive itself.
    fn strays(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in [self.folder.path(), &self.folder.path().join("deep")] {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            found.extend(entries.map(|entry| entry.path()));
        }
        let known = |path: &Path| {
            path.ends_with("archive") || path.ends_with("deep") || *path == self.out()
        };
        found.retain(|path| !known(path));
        found
    }
}

#[test]
fn every_format_gives_the_same_tree() {
    let files: [(&str, &[u8]); 2] = [("top/a.wav", b"one"), ("top/b/c.txt", b"two")];
    let tar = tarred(&[
        ("top/", EntryType::Directory, b""),
        ("top/a.wav", EntryType::Regular, b"one"),
        ("./top/b/c.txt", EntryType::Regular, b"two"),
    ]);
    for archive in [zipped(&files), gzipped(&tar), tar] {
        let place = Place::new();
        let unpacked = place.unpack(&archive).unwrap();
        assert_eq!((unpacked.files, unpacked.bytes), (2, 6));
        assert!(unpacked.skipped.is_empty());
        assert_eq!(
            (place.read("top/a.wav"), place.read("top/b/c.txt")),
            (b"one".to_vec(), b"two".to_vec())
        );
    }
}

#[test]
fn an_xz_archive_is_opened() {
    // printf hi > a.txt && tar -cf - a.txt | xz -9e | base64, with owner and time set to 0.
    let archive = include_bytes!("hi.tar.xz");
    let place = Place::new();
    place.unpack(archive).unwrap();
    assert_eq!(place.read("a.txt"), b"hi");
}

#[test]
fn archives_inside_are_opened_and_documents_left_alone() {
    let inner = gzipped(&tarred(&[(
        "train_splits/dia0_utt0.mp4",
        EntryType::Regular,
        b"clip",
    )]));
    let document = zipped(&[("word/document.xml", b"x")]);
    let place = Place::new();
    let outer = zipped(&[
        ("MELD.Raw/train.tar.gz", &inner),
        ("MELD.Raw/terms.docx", &document),
    ]);
    place.unpack(&outer).unwrap();
    assert_eq!(
        place.read("MELD.Raw/train/train_splits/dia0_utt0.mp4"),
        b"clip"
    );
    assert!(!place.out().join("MELD.Raw/train.tar.gz").exists());
    assert_eq!(place.read("MELD.Raw/terms.docx"), document);
}

#[test]
fn no_name_climbs_out() {
    for name in [
        "../evil",
        "a/../../evil",
        "/evil",
        "a/../../../evil",
        "..\\evil",
        "a\\..\\..\\evil",
        "C:\\evil",
    ] {
        let tar = tarred(&[
            ("ok", EntryType::Regular, b"1"),
            (name, EntryType::Regular, b"2"),
        ]);
        for archive in [zipped(&[("ok", b"1"), (name, b"2")]), tar] {
            let place = Place::new();
            let result = place.unpack(&archive);
            let refused = matches!(&result, Err(UnpackError::ClimbsOut { .. }));
            assert!(refused, "{name:?}: {result:?}");
            assert_eq!(place.strays(), Vec::<PathBuf>::new(), "{name:?}");
        }
    }
}

#[test]
fn links_are_neither_made_nor_followed() {
    let victim = tempfile::tempdir().unwrap();
    let target = victim.path().to_str().unwrap();
    let tar = tarred(&[
        ("door", EntryType::Symlink, target.as_bytes()),
        ("door/evil", EntryType::Regular, b"2"),
        ("passwd", EntryType::Link, b"/etc/passwd"),
        ("pipe", EntryType::Fifo, b""),
    ]);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.add_symlink("door", target, options).unwrap();
    zip.start_file("door/evil", options).unwrap();
    zip.write_all(b"2").unwrap();
    let zip = zip.finish().unwrap().into_inner();
    for (archive, skipped) in [(tar, 3), (zip, 1)] {
        let place = Place::new();
        let unpacked = place.unpack(&archive).unwrap();
        assert_eq!(unpacked.skipped.len(), skipped, "{unpacked:?}");
        assert!(unpacked.skipped[0].reason.contains("link"));
        assert_eq!(std::fs::read_dir(victim.path()).unwrap().count(), 0);
        assert_eq!(place.read("door/evil"), b"2");
        assert!(!place.out().join("door").is_symlink() && !place.out().join("pipe").exists());
    }
}

#[test]
fn bombs_are_bounded_in_bytes_and_in_files() {
    let zeros = vec![0; 4 << 20];
    let bomb = zipped(&[("zeros", &zeros)]);
    assert!(bomb.len() < 10_000);
    let nested = zipped(&[("inner.zip", &bomb)]);
    let limits = Limits {
        free_bytes: 1 << 20,
        ratio: 100,
        entries: 3,
    };
    for archive in [bomb, nested] {
        let error = Place::new().unpack_within(&archive, &limits).unwrap_err();
        assert!(
            matches!(error, UnpackError::TooLarge { what: "bytes", .. }),
            "{error}"
        );
    }
    let many = zipped(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]);
    let error = Place::new().unpack_within(&many, &limits).unwrap_err();
    assert!(
        matches!(error, UnpackError::TooLarge { what: "files", .. }),
        "{error}"
    );
}

#[test]
fn damage_is_named_and_a_page_is_no_archive() {
    let mut zip = zipped(&[("a.wav", &[5; 1000])]);
    let middle = zip.iter().position(|&byte| byte == b'v').unwrap() + 3;
    zip[middle] ^= 0xFF;
    let error = Place::new().unpack(&zip).unwrap_err();
    assert!(
        matches!(&error, UnpackError::Damaged { entry, .. } if entry == "a.wav"),
        "{error}"
    );
    let tar = gzipped(&tarred(&[("a.wav", EntryType::Regular, &[5; 100_000])]));
    let error = Place::new().unpack(&tar[..tar.len() / 2]).unwrap_err();
    assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
    let page = Place::new()
        .unpack(b"<html>Please log in</html>")
        .unwrap_err();
    assert!(
        page.to_string().contains("a page that a server sent"),
        "{page}"
    );
}

#[test]
fn a_name_that_occurs_twice_is_kept_once_and_reported() {
    let tar = tarred(&[
        ("a", EntryType::Regular, b"1"),
        ("a", EntryType::Regular, b"2"),
        ("a/b", EntryType::Regular, b"3"),
    ]);
    let place = Place::new();
    let error = place.unpack(&tar).unwrap_err().to_string();
    assert!(error.contains("is a file of the same archive"), "{error}");
    assert_eq!(place.read("a"), b"1");
}
