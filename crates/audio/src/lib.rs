//! Audio files to mono waveforms at a stated rate; log-mel spectra.
