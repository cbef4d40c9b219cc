//! Seconds from a raw tree of 31,729 tiny wav files (the size of MEAD) to its manifest, beside a Python loop over
//! `soundfile.info` on the same tree: `cargo bench -p emobox-corpus --bench manifest`.
//!
//! `EMOBOX_PYTHON` names a Python with soundfile (default `/opt/parity/bin/python`).

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use emobox_corpus::{PrepareOptions, prepare_custom};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const FILES: usize = 31_729;

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

/// Least seconds of the clock and of the processor over some runs: on a busy machine the two differ.
fn best_of(times: usize, mut work: impl FnMut()) -> (f64, f64) {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..times {
        let (clock, processor) = (Instant::now(), processor_seconds());
        work();
        best.0 = best.0.min(clock.elapsed().as_secs_f64());
        best.1 = best.1.min(processor_seconds() - processor);
    }
    best
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

/// Peak resident memory in MiB, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let emotions = [
        "angry",
        "contempt",
        "disgusted",
        "fear",
        "happy",
        "neutral",
        "sad",
        "surprised",
    ];
    for index in 0..FILES {
        let place = folder
            .path()
            .join(format!("{}/M{:03}", emotions[index % 8], index / 8 % 48));
        std::fs::create_dir_all(&place)?;
        std::fs::write(
            place.join(format!("{index:06}.wav")),
            tiny_wav(160 + index as u32 % 100),
        )?;
    }
    let mut rows = 0;
    let mut run = |threads: Option<usize>| {
        let options = PrepareOptions {
            threads,
            ..PrepareOptions::default()
        };
        rows = prepare_custom("speed", folder.path(), &options)
            .map_or(0, |p| p.manifest.utterances.len());
    };
    let one = best_of(5, || run(Some(1)));
    let all = best_of(5, || run(None));
    println!(
        "emobox, {rows} rows: {:.3} s on one thread ({:.2} s of processor), {:.3} s on all",
        one.0, one.1, all.0
    );
    println!("peak memory {:.0} MiB", peak_memory().unwrap_or(0.0));
    let python =
        std::env::var("EMOBOX_PYTHON").unwrap_or_else(|_| "/opt/parity/bin/python".to_owned());
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parity/corpus/soundfile_loop.py");
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..3 {
        let Ok(output) = Command::new(&python)
            .arg(&script)
            .arg(folder.path())
            .output()
        else {
            println!("python: {python} cannot be run");
            return Ok(());
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("python: {text}");
        let number = |index: usize| {
            text.split_whitespace()
                .nth(index)
                .and_then(|s| s.parse::<f64>().ok())
        };
        best.0 = number(2).unwrap_or(best.0).min(best.0);
        best.1 = number(4).unwrap_or(best.1).min(best.1);
    }
    println!(
        "ratio by the clock: {:.1} on one thread, {:.1} on all",
        best.0 / one.0,
        best.0 / all.0
    );
    println!(
        "ratio by processor time on one thread: {:.1}",
        best.1 / one.1
    );
    Ok(())
}
