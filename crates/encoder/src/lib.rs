//! Pre-trained speech encoders: waveform to hidden states.
