use emobox_corpus::{
    AudioHeader, PrepareOptions, Prepared, PublishedFolds, RawTree, entry, path_text, prepare_with,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Writes the side files of a corpus (and any audio that its recipe must leave out) below the root. Use [`put`].
pub(crate) type SideFiles = fn(rows: &[Published], root: &Path);

/// One published row.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) channel: u16,
    pub(crate) segment: Option<(f64, f64)>,
    pub(crate) sample_rate: u32,
    pub(crate) seconds: f64,
    pub(crate) raw_label: String,
    pub(crate) speaker: String,
    pub(crate) split: String,
}

impl Published {
    pub(crate) fn from_cells(c: &[String]) -> Self {
        Self {
            key: c[0].clone(),
            path: c[1].clone(),
            channel: c[2].parse().unwrap(),
            segment: c[3].parse().ok().zip(c[4].parse().ok()),
            sample_rate: c[5].parse().unwrap(),
            seconds: c[6].parse().unwrap(),
            raw_label: c[7].clone(),
            speaker: c[8].clone(),
            split: c[9].clone(),
        }
    }
}

pub(crate) fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/reference")
        .join(name)
}

/// The lines of a reference table after its header, as cells; `None` if the folder is absent.
pub(crate) fn table(name: &str) -> Option<Vec<Vec<String>>> {
    let path = reference(name);
    let file = std::fs::File::open(&path).ok()?;
    let reader: Box<dyn BufRead> = if name.ends_with(".gz") {
        Box::new(BufReader::new(flate2::read::GzDecoder::new(file)))
    } else {
        Box::new(BufReader::new(file))
    };
    let cells = |line: String| line.split('\t').map(str::to_owned).collect();
    Some(
        reader
            .lines()
            .skip(1)
            .map(|line| cells(line.unwrap()))
            .collect(),
    )
}

pub(crate) fn published(corpus: &str) -> Option<Vec<Published>> {
    let rows = table(&format!("{corpus}.tsv.gz"))?;
    Some(
        rows.iter()
            .map(|cells| Published::from_cells(cells))
            .collect(),
    )
}

/// Writes a file and the folders above it.
pub(crate) fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path_text::decode(path));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// The whole check of one corpus.
pub(crate) fn check(corpus: &str, side_files: Option<SideFiles>) {
    let rows = published(corpus).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Two folders above the release, as in many archives.
    let root = folder.path().join("Download").join("release (1)");
    let mut made = HashSet::new();
    for row in &rows {
        if made.insert(&row.path) {
            put(&root, &row.path, "");
        }
    }
    if let Some(write) = side_files {
        write(&rows, &root);
    }
    let headers = headers(&rows, &root);
    let read = |path: &Path| {
        headers
            .get(path)
            .copied()
            .ok_or_else(|| "no published row".to_owned().into())
    };
    let prepare = |as_published: bool| -> Prepared {
        let options = PrepareOptions {
            as_published,
            allow_missing: true,
            threads: Some(2),
            ..PrepareOptions::default()
        };
        prepare_with(corpus, folder.path(), &options, &read)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    as_published(corpus, &rows, &prepare(true));
    let ours = prepare(false);
    right_by_default(corpus, &ours);
    let published = crate::folds::published(corpus, &rows, &ours.manifest, folder.path());
    crate::table::check(&ours.manifest, &published);
    crate::folds::no_speaker_on_both_sides(&ours.manifest);
    crate::balanced::check(corpus, &ours.manifest, folder.path());
    without_folder_above(corpus, &root, rows.len());
    // A complete release without any one of its files is incomplete.
    std::fs::remove_file(root.join(path_text::decode(&rows[rows.len() / 2].path))).unwrap();
    assert!(!prepare(false).report.is_complete(), "{corpus}");
}

/// The headers that make the published rows true.
fn headers(rows: &[Published], root: &Path) -> HashMap<PathBuf, AudioHeader> {
    let mut headers: HashMap<PathBuf, AudioHeader> = HashMap::new();
    for row in rows {
        let end = row.segment.map_or(row.seconds, |(_, end)| end);
        let frames = (end * f64::from(row.sample_rate)).round() as u64;
        let channels = if row.channel == 3 { 6 } else { 2 };
        let header = headers
            .entry(root.join(path_text::decode(&row.path)))
            .or_insert(AudioHeader {
                sample_rate: row.sample_rate,
                channels,
                frames,
            });
        header.frames = header.frames.max(frames);
    }
    headers
}

fn as_published(corpus: &str, rows: &[Published], prepared: &Prepared) {
    let report = &prepared.report;
    assert!(report.broken.is_empty(), "{report}");
    assert!(report.contradictions.is_empty(), "{report}");
    assert!(report.duplicated.is_empty(), "{report}");
    assert!(report.unmatched.is_empty(), "{report}");
    // For MSP-Podcast only the published test and validation rows are known.
    assert!(report.is_complete() || corpus == "msppodcast", "{report}");
    let ours: HashMap<&str, _> = prepared
        .manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u))
        .collect();
    let mut wrong = Vec::new();
    for row in rows {
        let Some(u) = ours.get(row.key.as_str()) else {
            wrong.push(format!("{}: absent", row.key));
            continue;
        };
        let segment = u.start_time.zip(u.end_time);
        let num_frame = match row.segment {
            Some((start, end)) => {
                let rate = f64::from(row.sample_rate);
                (end * rate) as u64 - (start * rate) as u64
            }
            None => (row.seconds * f64::from(row.sample_rate)).round() as u64,
        };
        let mut same = |field: &str, is: bool, published: &dyn std::fmt::Debug| {
            if !is {
                wrong.push(format!(
                    "{}: published {field} {published:?}, ours {u:?}",
                    row.key
                ));
            }
        };
        same("label", u.emo == row.raw_label, &row.raw_label);
        same("channel", u.channel == row.channel, &row.channel);
        same("segment", segment == row.segment, &row.segment);
        same(
            "sample rate",
            u.sample_rate == row.sample_rate,
            &row.sample_rate,
        );
        same("samples", u.num_frame == num_frame, &num_frame);
        same(
            "path",
            u.wav == format!("Download/release (1)/{}", row.path),
            &row.path,
        );
        if let Some(split) = official(&row.split, entry(corpus).unwrap().card.folds) {
            same("split", u.split.as_deref() == Some(split), &row.split);
        }
        if !row.speaker.is_empty() {
            same(
                "speaker",
                u.speaker.as_deref() == Some(&row.speaker),
                &row.speaker,
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{corpus}: {} fields differ, first {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    assert_eq!(ours.len(), rows.len(), "{corpus}: more rows than published");
}

/// The release's own part that a published row must be in: `test:1 test1:1` is `test`; `test:3 train:1` is group 3.
fn official(published: &str, folds: PublishedFolds) -> Option<&str> {
    let (role, fold) = published.split(' ').next()?.split_once(':')?;
    match folds {
        PublishedFolds::OfficialSplit => Some(role),
        PublishedFolds::OfficialGroups(groups) => {
            assert_eq!(role, "test", "the test fold comes first in the reference");
            groups.get(fold.parse::<usize>().ok()? - 1).copied()
        }
        _ => None,
    }
}

/// Speakers of `speaker_fix.tsv.gz` and genders of `gender.tsv`, if the reference has them.
fn right_by_default(corpus: &str, prepared: &Prepared) {
    let manifest = &prepared.manifest;
    assert!(
        prepared.report.contradictions.is_empty(),
        "{}",
        prepared.report
    );
    let keys: Vec<&str> = manifest.utterances.iter().map(|u| u.key.as_str()).collect();
    assert!(keys.is_sorted(), "{corpus}: not in order of keys");
    let right: HashMap<String, String> = table("speaker_fix.tsv.gz")
        .unwrap_or_default()
        .into_iter()
        .filter(|c| c[0] == corpus)
        .map(|c| (c[1].clone(), c[2].clone()))
        .collect();
    // One speaker of the reference is one of ours, with any spelling.
    let mut spelled: BTreeMap<&str, &str> = BTreeMap::new();
    for u in &manifest.utterances {
        if let Some(reference) = right.get(&u.key) {
            let ours = u.speaker.as_deref().unwrap_or_default();
            assert_eq!(
                *spelled.entry(reference).or_insert(ours),
                ours,
                "{corpus}: speaker of {}",
                u.key
            );
        }
    }
    let distinct: HashSet<&&str> = spelled.values().collect();
    assert_eq!(
        distinct.len(),
        spelled.len(),
        "{corpus}: speakers merged: {spelled:?}"
    );
    let gender: HashMap<String, String> = table("gender.tsv")
        .unwrap_or_default()
        .into_iter()
        .filter(|c| c[0] == corpus)
        .map(|c| (c[1].clone(), c[2].clone()))
        .collect();
    for u in &manifest.utterances {
        let expected = match u
            .speaker
            .as_ref()
            .and_then(|speaker| gender.get(speaker))
            .map(String::as_str)
        {
            Some("F") => "female",
            Some("M") => "male",
            _ => continue,
        };
        if let Some(ours) = &u.gender {
            assert_eq!(
                ours, expected,
                "{corpus}: gender of {} ({:?})",
                u.key, u.speaker
            );
        }
    }
}

/// The grammar must not require the folders above, and the folder must be recognised as this corpus.
fn without_folder_above(corpus: &str, root: &Path, rows: usize) {
    let tree = RawTree::scan(corpus, root).unwrap();
    let looks_like = emobox_corpus::looks_like(&tree);
    assert!(
        looks_like.iter().any(|(name, _)| name == corpus),
        "{looks_like:?} of {rows} rows"
    );
}
