//! Times of probing, loading and log-mel, for `parity/audio/timing.py`, which compares them with Python's.
//!
//! `timing FOLDER LONG.wav`: probes every file of the folder, loads the long file at 16 kHz and turns its first
//! 30 s into features. One line `name seconds` each, the best of several runs.

#![expect(clippy::print_stdout, reason = "a program for people")]

use emobox_audio::{LoadOptions, load, log_mel, probe};
use std::time::Instant;

fn best<T>(name: &str, runs: u32, mut work: impl FnMut() -> T) {
    let time = |_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed().as_secs_f64()
    };
    println!("{name} {:.6}", (0..runs).map(time).fold(f64::MAX, f64::min));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let long = arguments.next().ok_or("which long file?")?;
    let files: Result<Vec<_>, _> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let files = files?;
    best("probe", 3, || {
        files
            .iter()
            .filter_map(|file| probe(file).ok()?.frames)
            .sum::<u64>()
    });
    best("load_small", 3, || {
        let options = LoadOptions::default();
        files
            .iter()
            .take(2000)
            .filter_map(|file| Some(load(file, &options).ok()?.len()))
            .sum::<usize>()
    });
    best("load_long", 3, || {
        load(&long, &LoadOptions::default()).map(|samples| samples.len())
    });
    let samples = load(&long, &LoadOptions::default())?;
    let start = &samples[..samples.len().min(480_000)];
    best("whisper_30s", 5, || log_mel::whisper(start, 80));
    best("whisper_3s", 5, || {
        log_mel::whisper(&start[..start.len().min(48_000)], 80)
    });
    best("fbank_30s", 5, || {
        log_mel::fbank(start, &log_mel::FbankOptions::default())
    });
    Ok(())
}
