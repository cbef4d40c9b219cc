//! Time from a raw tree as large as MEAD to its written manifest, compared with a Python loop over `soundfile.info` on the same
//! tree: `cargo bench -p emobox-corpus --bench manifest [-- FILES]`.
//!
//! The tree has MEAD's folders and names, 31,729 files by default, each a WAV of a few samples. The two programs alternate, so
//! that other load on the machine affects both; the ratio is that of the medians.
//!
//! `EMOBOX_PYTHON` names a Python with soundfile (default `python3`).

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use emobox_corpus::{PrepareOptions, entry, prepare_to};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 7;

/// A mono 16-bit wav of a few samples, header first.
fn tiny_wav(samples: u32) -> Vec<u8> {
    let data = samples * 2;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16_u32.to_le_bytes());
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&16_000_u32.to_le_bytes());
    bytes.extend_from_slice(&32_000_u32.to_le_bytes());
    bytes.extend_from_slice(&2_u16.to_le_bytes());
    bytes.extend_from_slice(&16_u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    bytes.resize(bytes.len() + data as usize, 0);
    bytes
}

/// MEAD's folder structure with `files` clips.
fn write_tree(root: &Path, files: usize) -> Result<(), Box<dyn std::error::Error>> {
    let card = &entry("mead")?.card;
    let mut written = 0;
    for &(speaker, clips) in card.expected {
        for clip in 0..(clips as usize).min(files - written) {
            let (level, emotion) = match clip % 22 {
                21 => (1, "neutral"),
                place => (1 + place % 3, card.labels[1 + place / 3].0),
            };
            let folder = root.join(format!("{speaker}/{emotion}/level_{level}"));
            std::fs::create_dir_all(&folder)?;
            let wav = tiny_wav(160 + clip as u32 % 100);
            std::fs::write(folder.join(format!("{:03}.m4a", 1 + clip / 22)), wav)?;
            written += 1;
        }
    }
    Ok(())
}

/// User and system time of this process, in ticks of 10 ms.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// Peak resident memory in MiB, if the system reports it.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// Wall-clock and CPU seconds of every round.
#[derive(Default)]
struct Times(Vec<(f64, f64)>);

impl Times {
    fn medians(&self) -> (f64, f64) {
        let median = |of: fn(&(f64, f64)) -> f64| {
            let mut times: Vec<f64> = self.0.iter().map(of).collect();
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        };
        (median(|time| time.0), median(|time| time.1))
    }
}

fn emobox(root: &Path, threads: Option<usize>) -> Result<(f64, f64), emobox_corpus::CorpusError> {
    let (clock, processor) = (Instant::now(), processor_seconds());
    let options = PrepareOptions {
        threads,
        allow_missing: true,
        ..PrepareOptions::default()
    };
    prepare_to("mead", root, &options, &root.join("../manifest.jsonl"))?;
    Ok((
        clock.elapsed().as_secs_f64(),
        processor_seconds() - processor,
    ))
}

fn python(root: &Path) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let python = std::env::var("EMOBOX_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parity/corpus/soundfile_loop.py");
    let output = Command::new(&python).arg(&script).arg(root).output();
    let output = output.map_err(|e| format!("{python}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let word = |index| text.split_whitespace().nth(index).unwrap_or_default();
    match (word(2).parse(), word(4).parse()) {
        (Ok(clock), Ok(processor)) => Ok((clock, processor)),
        _ => Err(format!("{python}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = std::env::args().find_map(|argument| argument.parse().ok());
    let files: usize = files.unwrap_or(31_729);
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("raw");
    write_tree(&root, files)?;
    let (mut one, mut all, mut loops) = (Times::default(), Times::default(), Times::default());
    for _ in 0..ROUNDS {
        one.0.push(emobox(&root, Some(1))?);
        all.0.push(emobox(&root, None)?);
        match python(&root) {
            Ok(times) => loops.0.push(times),
            Err(error) => println!("no loop in Python: {error}"),
        }
    }
    let manifest = std::fs::read_to_string(folder.path().join("manifest.jsonl"))?;
    println!(
        "{} rows, medians of {ROUNDS} rounds:",
        manifest.lines().count()
    );
    for (name, times) in [
        ("emobox, one thread", &one),
        ("emobox, all threads", &all),
        ("soundfile.info in a loop", &loops),
    ] {
        let (clock, processor) = times.medians();
        println!("{name:<26} {clock:.3} s, {processor:.2} s of processor");
    }
    println!(
        "ratio by the clock: {:.1} on one thread, {:.1} on all",
        loops.medians().0 / one.medians().0,
        loops.medians().0 / all.medians().0
    );
    println!(
        "peak memory of emobox {:.0} MiB",
        peak_memory().unwrap_or(0.0)
    );
    Ok(())
}
