//! The miniature release of every registered corpus, changed in ways that occur in practice. Each cell of `docs/tolerance.md`
//! works, or says what it left out, or is refused; none is silently wrong. `EMOBOX_UPDATE=1` writes it.

use emobox_corpus::{
    AudioHeader, HeaderProblem, PrepareOptions, Prepared, path_text, prepare_with, registry,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

const LFS: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";

/// Paths and contents of a release; an audio file's content is `<sample rate> <channels> <samples>`.
type Files = BTreeMap<String, String>;

fn miniature(corpus: &str) -> Files {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/miniature/{corpus}.txt"));
    let archive = std::fs::read_to_string(&path).unwrap();
    let mut files = Files::new();
    let mut name = String::new();
    for line in archive.lines() {
        match line
            .strip_prefix("-- ")
            .and_then(|rest| rest.strip_suffix(" --"))
        {
            Some(path) => {
                path.clone_into(&mut name);
                files.insert(name.clone(), String::new());
            }
            None => {
                let content = files.entry(name.clone()).or_default();
                content.push_str(line);
                content.push('\n');
            }
        }
    }
    files
}

fn read_header(path: &Path) -> Result<AudioHeader, HeaderProblem> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    if text.starts_with("version https://git-lfs") {
        return Err("not audio: starts with a Git LFS pointer".to_owned().into());
    }
    let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    match numbers.collect::<Vec<u64>>()[..] {
        [rate, channels, frames] => Ok(AudioHeader {
            sample_rate: rate as u32,
            channels: channels as u16,
            frames,
        }),
        _ => Err("no audio".to_owned().into()),
    }
}

fn lay_down(files: &Files, root: &Path) {
    for (path, content) in files {
        let path = root.join(path_text::decode(path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn prepare(corpus: &str, root: &Path) -> Result<Prepared, String> {
    let options = PrepareOptions {
        allow_missing: true,
        threads: Some(1),
        ..PrepareOptions::default()
    };
    prepare_with(corpus, root, &options, &read_header).map_err(|error| error.to_string())
}

/// The manifest's fields of each utterance, by key, except the path of its audio.
fn rows(prepared: &Prepared) -> BTreeMap<String, String> {
    let all = prepared.manifest.utterances.iter();
    all.map(|u| {
        // Not the gender: if only a folder gives it, a release without the folder has none.
        let said = (&u.label, &u.emo, &u.speaker, &u.split, &u.text);
        (
            u.key.clone(),
            format!("{said:?} {} {:?}", u.num_frame, u.start_time),
        )
    })
    .collect()
}

/// Numbers in a report of what was not used: missing, otherwise skipped, left out, noted.
fn told(prepared: &Prepared) -> [usize; 4] {
    let report = &prepared.report;
    let missing = report
        .missing_folders
        .iter()
        .map(|m| m.expected - m.found)
        .sum();
    let left_out = report.left_out.iter().map(|reason| reason.count).sum();
    [missing, report.skipped(), left_out, report.notes.len()]
}

fn renamed(files: &Files, rename: impl Fn(&str) -> String) -> Files {
    files
        .iter()
        .map(|(path, content)| (rename(path), content.clone()))
        .collect()
}

fn is_audio(path: &str) -> bool {
    let extension = path
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    ["wav", "flac", "mp4", "m4a", "webm", "avi", "mp3", "aiff"].contains(&&*extension)
}

/// A miniature release without the files that contradict their folders: the rest means the same without folders.
fn consistent(corpus: &str) -> Files {
    let mut files = miniature(corpus);
    let folder = tempfile::tempdir().unwrap();
    lay_down(&files, folder.path());
    let base = prepare(corpus, folder.path()).unwrap();
    for noted in &base.report.contradictions {
        files.remove(&noted.path);
    }
    files
}

/// The ways in which a release is changed; `used` are the audio files that the manifest has.
fn changes(files: &Files, used: &BTreeSet<String>) -> Vec<(&'static str, Files)> {
    // Of two takes of one sentence, the second replaces the first.
    let last = used.last().map_or("", String::as_str);
    let with = |path: &str, content: Option<&str>| {
        let mut files = files.clone();
        match content {
            Some(content) => files.insert(path.to_owned(), content.to_owned()),
            None => files.remove(path),
        };
        files
    };
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let container = |path: &str| match path.rsplit_once('.') {
        Some((stem, "flac")) => format!("{stem}.wav"),
        Some((stem, _)) if is_audio(path) => format!("{stem}.flac"),
        _ => path.to_owned(),
    };
    let mut twice = files.clone();
    twice.extend(renamed(files, |path| format!("copy/{path}")));
    // Two recordings of one name cannot share a folder, and files beside the corpus are recognised by folder alone.
    let mut flat = files.clone();
    flat.retain(|path, _| !is_audio(path) || used.contains(path));
    let name = |path: &str| {
        if is_audio(path) {
            name(path)
        } else {
            path.to_owned()
        }
    };
    let mut pointers = files.clone();
    for (path, content) in &mut pointers {
        if is_audio(path) {
            LFS.clone_into(content);
        }
    }
    vec![
        (
            "wrapped",
            renamed(files, |path| format!("archive (1)/data/{path}")),
        ),
        (
            "upper case",
            renamed(files, |path| match path.is_ascii() {
                true => path.to_ascii_uppercase(),
                false => path.to_owned(),
            }),
        ),
        ("other container", renamed(files, container)),
        ("flat", renamed(&flat, name)),
        ("copy inside", twice),
        ("one missing", with(last, None)),
        ("one broken", with(last, Some("RIFF"))),
        ("LFS pointers", pointers),
    ]
}

/// `works`, `other keys`, `told` or `refused`; an error if it is none of them.
fn judge(base: &Prepared, result: &Result<Prepared, String>) -> Result<&'static str, String> {
    let prepared = match result {
        Ok(prepared) => prepared,
        Err(message) if message.is_empty() => return Err("refused without a word".to_owned()),
        Err(_) => return Ok("refused"),
    };
    let (before, after) = (rows(base), rows(prepared));
    if before == after {
        return Ok("works");
    }
    let sorted = |rows: &BTreeMap<String, String>| {
        let mut said: Vec<String> = rows.values().cloned().collect();
        said.sort();
        said
    };
    if sorted(&before) == sorted(&after) {
        return Ok("other keys");
    }
    let says_more = told(base)
        .iter()
        .zip(told(prepared))
        .any(|(before, after)| after > *before);
    // A release that lacks so much that one more missing file makes no difference must still say so.
    let fewer = after.iter().all(|(key, row)| before.get(key) == Some(row));
    if says_more || (fewer && !prepared.report.is_complete()) {
        return Ok("told");
    }
    let lost = before
        .iter()
        .find(|(key, row)| after.get(*key) != Some(row));
    let new = after
        .iter()
        .find(|(key, row)| before.get(*key) != Some(row));
    Err(format!("{lost:?} became {new:?}"))
}

#[test]
fn no_release_is_silently_wrong_however_it_was_passed_on() {
    let mut wrong = Vec::new();
    let mut page = String::from(HEAD);
    let mut has_titles = false;
    for entry in registry() {
        let corpus = entry.card.name;
        let files = consistent(corpus);
        let folder = tempfile::tempdir().unwrap();
        lay_down(&files, &folder.path().join("raw"));
        let base = prepare(corpus, &folder.path().join("raw")).unwrap();
        let wavs = base.manifest.utterances.iter().map(|u| u.wav.clone());
        let used: BTreeSet<String> = wavs.collect();
        let mut cells: Vec<(&str, &str)> = Vec::new();
        let mut judged = |change: &str, result: &Result<Prepared, String>| {
            judge(&base, result).unwrap_or_else(|problem| {
                wrong.push(format!("{corpus}, {change}: {problem}"));
                "silently wrong"
            })
        };
        // The demo has no size of its own, so nothing is ever missing from it.
        let counted = |change: &str| change != "one missing" || !entry.card.expected.is_empty();
        for (number, (change, files)) in changes(&files, &used).into_iter().enumerate() {
            if !counted(change) {
                cells.push((change, "–"));
                continue;
            }
            let root = folder.path().join(number.to_string());
            lay_down(&files, &root);
            cells.push((change, judged(change, &prepare(corpus, &root))));
        }
        #[cfg(unix)]
        for (change, result) in [
            ("symlinks", prepare(corpus, &linked(&files, folder.path()))),
            ("read-only", read_only(corpus, &folder.path().join("raw"))),
        ] {
            cells.push((change, judged(change, &result)));
        }
        if !has_titles {
            let titles: Vec<&str> = cells.iter().map(|(change, _)| *change).collect();
            let _ = writeln!(
                page,
                "| corpus | {} |\n|---|{}",
                titles.join(" | "),
                "---|".repeat(titles.len())
            );
            has_titles = true;
        }
        let cells: Vec<&str> = cells.iter().map(|(_, cell)| *cell).collect();
        let _ = writeln!(page, "| {corpus} | {} |", cells.join(" | "));
    }
    assert!(wrong.is_empty(), "silently wrong:\n{}", wrong.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tolerance.md");
    if std::env::var_os("EMOBOX_UPDATE").is_some() {
        emobox_files::write_atomic(&path, page.as_bytes()).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        file == page || cfg!(not(unix)),
        "{} differs: run this test with EMOBOX_UPDATE=1",
        path.display()
    );
}

/// The release as a tree of links to its files.
#[cfg(unix)]
fn linked(files: &Files, folder: &Path) -> std::path::PathBuf {
    let root = folder.join("linked");
    for path in files.keys() {
        let path = path_text::decode(path);
        let link = root.join(&path);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(folder.join("raw").join(&path), link).unwrap();
    }
    root
}

/// The release in folders that cannot be written.
#[cfg(unix)]
fn read_only(corpus: &str, root: &Path) -> Result<Prepared, String> {
    use std::os::unix::fs::PermissionsExt;
    let set = |mode| {
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o555);
    let result = prepare(corpus, root);
    set(0o755);
    result
}

const HEAD: &str = "# What a release may look like\n\n\
    <!-- Generated. Regenerate: EMOBOX_UPDATE=1 cargo test -p emobox-corpus --test tolerance -->\n\n\
    The miniature release of every registered corpus, changed as releases get changed on their way to people's disks, and what\n\
    `emobox prepare` makes of it. A test compares this page, and fails when a cell is none of these:\n\n\
    * **works**: the manifest has the same utterances with the same keys, labels, speakers and parts.\n\
    * **other keys**: as *works*, but a key holds the extension of the released file, which a copy does not have; `split --scheme\n\
    published` says which of its keys are not in the manifest.\n\
    * **told**: what can be used is in the manifest, and the report says what cannot, or what was read otherwise.\n\
    * **refused**: an error that says what was expected and found; nothing is written.\n\n\
    *wrapped*: further folders around it, as Kaggle and archives add them. *upper case*: all names. *other container*: every\n\
    recording as FLAC (FLAC as WAV). *flat*: all audio in one folder. *copy inside*: the whole release once more inside itself.\n\
    *LFS pointers*: a clone without Git LFS.\n\n";
