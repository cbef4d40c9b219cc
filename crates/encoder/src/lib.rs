//! Pre-trained speech encoders: waveform to hidden states.

pub mod checkpoint;
