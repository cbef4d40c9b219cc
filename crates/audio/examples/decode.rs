//! `decode FILE [CHANNEL]`: prints the format of the file to standard error, and its samples at 16 kHz as little-endian f32 to
//! standard output. Used to compare with other decoders.

#![expect(clippy::print_stderr, reason = "a program for people")]

use emobox_audio::{LoadOptions, SampleRate, load, probe};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let file = arguments.next().ok_or("which file?")?;
    let text = |argument: Option<std::ffi::OsString>| argument.and_then(|a| a.into_string().ok());
    let channel = text(arguments.next()).map_or(Ok(1), |a| a.parse())?;
    let native = text(arguments.next()).is_some();
    let info = probe(&file)?;
    eprintln!("{info:?}");
    let sample_rate = if native {
        info.sample_rate
    } else {
        SampleRate::SPEECH
    };
    let samples = load(
        &file,
        &LoadOptions {
            channel,
            sample_rate,
            ..LoadOptions::default()
        },
    )?;
    eprintln!("{} samples", samples.len());
    let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::io::stdout().write_all(&bytes)?;
    Ok(())
}
