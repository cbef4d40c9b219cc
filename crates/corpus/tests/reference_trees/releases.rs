//! Small releases of every corpus with audible files, for benchmarks through the whole program: a few dozen of the published
//! rows each, in the layout and the container of the release.

use crate::harness::{Published, SideFiles, published};
use emobox_corpus::path_text;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Rows of a release, unless its groups need more.
const ROWS: usize = 20;
/// As [`ROWS`], if every file goes through an ffmpeg process.
const VIDEOS: usize = 8;
/// Number of labels in a release of videos.
const LABELS_OF_VIDEOS: usize = 3;
/// Rows of each label, so that a quarter of them is one row.
const OF_LABEL: usize = 4;
/// Number of speakers in a release, over the parts of an official split.
const SPEAKERS: usize = 4;

/// The file with the sampled rows, so that releases can be written without the reference.
const SAMPLED: &str = "tests/reference_trees/releases.tsv";

/// Writes the small release of a corpus below `root`.
pub(crate) fn write(corpus: &str, side_files: Option<SideFiles>, root: &Path) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLED);
    let text = std::fs::read_to_string(path).unwrap();
    let of_corpus = |line: &str| Some(line.strip_prefix(corpus)?.strip_prefix('\t')?.to_owned());
    let rows: Vec<Published> = text
        .lines()
        .filter_map(of_corpus)
        .map(|line| {
            let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
            Published::from_cells(&cells)
        })
        .collect();
    assert!(!rows.is_empty(), "{corpus} has no rows in {SAMPLED}");
    write_rows(&rows, side_files, root);
}

/// Writes every published row of a corpus as a file of a few samples: the tree of the full release.
pub(crate) fn write_whole(corpus: &str, side_files: Option<SideFiles>, root: &Path) {
    let rows = published(corpus).expect("../shared/reference");
    let mut made: HashMap<(String, u32, u16), Vec<u8>> = HashMap::new();
    for row in &rows {
        let target = root.join(path_text::decode(&row.path));
        let ending = target.extension().unwrap().to_string_lossy().to_lowercase();
        let kind = (ending, row.sample_rate, row.channel);
        let bytes = made.entry(kind).or_insert_with(|| {
            let sample = Published {
                seconds: 0.3,
                segment: None,
                ..row.clone()
            };
            write_rows(&[sample], None, root);
            std::fs::read(&target).unwrap()
        });
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(&target, bytes).unwrap();
    }
    if let Some(write) = side_files {
        write(&rows, root);
    }
}

fn write_rows(rows: &[Published], side_files: Option<SideFiles>, root: &Path) {
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.raw_label.as_str()).collect();
    let mut files: BTreeMap<&str, Vec<&Published>> = BTreeMap::new();
    for row in rows {
        files.entry(&row.path).or_default().push(row);
    }
    for (path, rows) in files {
        let first = rows[0];
        let class = |row: &Published| labels.iter().position(|l| *l == row.raw_label).unwrap();
        let end = rows
            .iter()
            .filter_map(|row| row.segment)
            .map(|(_, end)| end);
        let seconds = end.fold(0.0, f64::max).max(match first.segment {
            Some(_) => 0.0,
            None => first.seconds.clamp(0.3, 0.6),
        });
        let rate = f64::from(first.sample_rate);
        let samples: Vec<i16> = (0..(seconds * rate) as usize + 1)
            .map(|i| {
                let t = i as f64 / rate;
                let inside = |row: &&&Published| {
                    row.segment.is_none_or(|(from, to)| (from..to).contains(&t))
                };
                let row = rows.iter().find(inside).unwrap_or(&rows[0]);
                tone(t, class(row), &row.key)
            })
            .collect();
        let channels = rows.iter().map(|row| row.channel).max().unwrap_or(1);
        let target = root.join(path_text::decode(path));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let wav = wav(
            &samples,
            first.sample_rate,
            if channels > 2 { 6 } else { channels },
        );
        if target
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("wav"))
        {
            std::fs::write(&target, wav).unwrap();
            continue;
        }
        let plain = target.with_extension("tone.wav");
        std::fs::write(&plain, wav).unwrap();
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-i"])
            .args([&plain, &target])
            .status();
        assert!(made.expect("ffmpeg").success(), "{}", target.display());
        std::fs::remove_file(plain).unwrap();
    }
    if let Some(write) = side_files {
        write(rows, root);
    }
}

/// Compares the rows of every corpus for a small release with those in the tree; rewrites them with `EMOBOX_UPDATE=1`.
pub(crate) fn check_sampled(corpora: &[&str]) {
    let mut text =
        "corpus\tkey\tpath\tchannel\tstart\tend\tsample_rate\tseconds\traw_label\tspeaker\tsplit\n"
            .to_owned();
    for corpus in corpora {
        let rows = published(corpus).expect("../shared/reference");
        for row in sample(rows) {
            let (start, end) = row
                .segment
                .map_or((String::new(), String::new()), |(a, b)| {
                    (a.to_string(), b.to_string())
                });
            let Published {
                key,
                path,
                channel,
                sample_rate,
                seconds,
                raw_label,
                speaker,
                split,
                ..
            } = row;
            writeln!(text, "{corpus}\t{key}\t{path}\t{channel}\t{start}\t{end}\t{sample_rate}\t{seconds}\t{raw_label}\t{speaker}\t{split}").unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLED);
    if std::env::var_os("EMOBOX_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "{SAMPLED} is not current: EMOBOX_UPDATE=1"
    );
}

fn sample(mut rows: Vec<Published>) -> Vec<Published> {
    let splits: BTreeSet<&str> = rows.iter().map(|row| row.split.as_str()).collect();
    let splits = splits.len();
    let speakers_a_split = (SPEAKERS / splits).max(1);
    let video = |row: &Published| {
        row.path.ends_with(".avi") || row.path.ends_with(".mp4") || row.path.ends_with(".webm")
    };
    let mut wanted = ROWS;
    if rows.iter().any(video) {
        wanted = VIDEOS;
        let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &rows {
            *labels.entry(&row.raw_label).or_default() += 1;
        }
        let mut labels: Vec<(usize, String)> =
            labels.into_iter().map(|(l, n)| (n, l.to_owned())).collect();
        labels.sort_by(|a, b| b.cmp(a));
        labels.truncate(LABELS_OF_VIDEOS);
        rows.retain(|row| labels.iter().any(|(_, label)| *label == row.raw_label));
    }
    let mut speakers: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in &rows {
        *speakers
            .entry((row.split.clone(), row.speaker.clone()))
            .or_default() += 1;
    }
    let mut chosen: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut held: HashMap<String, usize> = HashMap::new();
    let mut by_size: Vec<_> = speakers.into_iter().collect();
    by_size.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for ((split, speaker), count) in by_size {
        let of_split = chosen.entry(split.clone()).or_default();
        let rows = held.entry(split).or_default();
        if of_split.len() < speakers_a_split || *rows < wanted / splits {
            of_split.insert(speaker);
            *rows += count;
        }
    }
    // One of each group per round, so that none is left out.
    let mut groups: BTreeMap<(String, String, String), Vec<Published>> = BTreeMap::new();
    for row in rows {
        let short = row.segment.map_or(row.seconds, |(_, end)| end) < 40.0;
        if short && chosen[&row.split].contains(&row.speaker) {
            let group = (
                row.split.clone(),
                row.speaker.clone(),
                row.raw_label.clone(),
            );
            groups.entry(group).or_default().push(row);
        }
    }
    let mut taken = Vec::new();
    let mut of_label: HashMap<String, usize> = HashMap::new();
    let rounds = groups.values().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        for ((_, _, label), group) in &groups {
            let count = of_label.entry(label.clone()).or_default();
            if (round == 0 || taken.len() < wanted || *count < OF_LABEL)
                && let Some(row) = group.get(round)
            {
                taken.push(row.clone());
                *count += 1;
            }
        }
    }
    taken
}

/// A tone that depends on the class and slightly on the key.
fn tone(t: f64, class: usize, key: &str) -> i16 {
    let own = key
        .bytes()
        .fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    let pitch = 150.0 + 130.0 * class as f64 + f64::from(own % 40);
    let noise = ((t * 7919.0 + f64::from(own % 97)).sin() * 43758.5453).fract();
    (6000.0 * (t * pitch * std::f64::consts::TAU).sin() + 1500.0 * noise) as i16
}

/// 16-bit samples, the same in every channel.
fn wav(samples: &[i16], rate: u32, channels: u16) -> Vec<u8> {
    let width = u32::from(channels) * 2;
    let data = samples.len() as u32 * width;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    bytes.extend_from_slice(&1u16.to_le_bytes());
    bytes.extend_from_slice(&channels.to_le_bytes());
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&(rate * width).to_le_bytes());
    bytes.extend_from_slice(&(width as u16).to_le_bytes());
    bytes.extend_from_slice(&16u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    for sample in samples {
        for _ in 0..channels {
            bytes.extend_from_slice(&sample.to_le_bytes());
        }
    }
    bytes
}
