//! Small releases of every corpus with sound in them, for benchmarks that run through the program: a few dozen of the
//! published rows each, in the layout and the container of the release.

use crate::harness::{Published, SideFiles, published};
use emobox_corpus::path_text;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

/// Rows of a release: four speakers or so with every class, and every part of an official split.
const ROWS: usize = 36;
const SPEAKERS: usize = 4;

/// Writes the release of a corpus below `root`; nothing where its rows are not known on this machine.
pub(crate) fn write(corpus: &str, side_files: Option<SideFiles>, root: &Path) {
    let Some(rows) = published(corpus) else {
        return;
    };
    let all = rows.clone();
    let rows = sample(rows);
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.raw_label.as_str()).collect();
    let mut files: BTreeMap<&str, Vec<&Published>> = BTreeMap::new();
    for row in &rows {
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
        // IEMOCAP's evaluations are counted where they are written: they are whole, and most of the audio is not there.
        write(if corpus == "iemocap" { &all } else { &rows }, root);
    }
}

fn sample(rows: Vec<Published>) -> Vec<Published> {
    let mut speakers: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in &rows {
        *speakers
            .entry((row.split.clone(), row.speaker.clone()))
            .or_default() += 1;
    }
    let mut chosen: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut by_size: Vec<_> = speakers.into_iter().collect();
    by_size.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for ((split, speaker), _) in by_size {
        let of_split = chosen.entry(split).or_default();
        if of_split.len() < SPEAKERS {
            of_split.insert(speaker);
        }
    }
    // Round by round one of each group, so that none is left out.
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
    let rounds = groups.values().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        for group in groups.values() {
            if round == 0 || taken.len() < ROWS {
                taken.extend(group.get(round).cloned());
            }
        }
    }
    taken
}

/// A tone by class with a little of its own by key.
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
