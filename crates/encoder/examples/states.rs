//! Every hidden state of a waveform, for comparison with a reference (`parity/encoder/full_size.py`).
//!
//! ```text
//! states CHECKPOINT SAMPLES.f32 STATES.f32 [bf16]
//! ```
//!
//! Reads 16 kHz samples as little-endian f32, writes `[layer, frame, dim]` in the same format, and prints a description of the
//! encoder as JSON, with the seconds on one thread.
#![expect(clippy::print_stdout, reason = "a program's result goes there")]

use emobox_encoder::{Encoder, EncoderOptions, EncoderSource, LayerSelection, Precision};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, samples, states, rest @ ..] = arguments.as_slice() else {
        return Err("expected CHECKPOINT SAMPLES.f32 STATES.f32 [bf16]".into());
    };
    let precision = match rest {
        [] => Precision::F32,
        [word] if word == "bf16" => Precision::Bf16,
        _ => return Err("expected nothing or `bf16` after STATES.f32".into()),
    };
    let options = EncoderOptions {
        precision,
        ..EncoderOptions::default()
    };
    let source = EncoderSource::Local {
        name: checkpoint.clone(),
        path: checkpoint.into(),
    };
    let start = Instant::now();
    let encoder = Encoder::open(&source, &options)?;
    let opened = start.elapsed().as_secs_f64();
    let bytes = std::fs::read(samples)?;
    let samples: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect();
    let all = encoder.encode(&samples, &LayerSelection::All)?;
    let start = Instant::now();
    encoder.encode(&samples, &LayerSelection::Last)?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes: Vec<u8> = all
        .data
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    std::fs::write(states, bytes)?;
    let report = serde_json::json!({
        "info": encoder.info(),
        "shape": [all.layers.len(), all.frames, all.dim],
        "open_seconds": opened,
        "encode_seconds": seconds,
    });
    println!("{report}");
    Ok(())
}
