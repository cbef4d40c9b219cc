//! Audio files to mono waveforms at a stated rate; log-mel spectra; noise, rooms and codecs.
//!
//! The format of a file is detected from its bytes, never from its name. [`probe`] reads only headers; [`load`] streams
//! one channel of one segment through the resampler, so that memory is limited to the result.
//!
//! | container | codecs | read by |
//! |---|---|---|
//! | WAV, RIFX, RF64 | 8/16/24/32-bit PCM, 32/64-bit float, A-law, µ-law | here |
//! | WAV | MS and IMA ADPCM | symphonia |
//! | AIFF, AIFF-C | 8/16/24/32-bit PCM of either byte order, 32/64-bit float, A-law, µ-law | here |
//! | FLAC, OGG (Vorbis, FLAC), MP3, AAC, MP4/M4A (AAC, ALAC, MP3) | | symphonia |
//! | AVI, Matroska/WebM, Opus, WMA, AMR, SPHERE, CAF, everything else | | an installed `ffmpeg` |

mod coded;
mod container;
mod error;
mod ffmpeg;
mod level;
mod load;
pub mod log_mel;
mod options;
mod perturb;
mod probe;
mod resample;
mod sink;
mod source;
mod units;
mod write;

pub use error::AudioError;
pub use level::Level;
pub use load::{decode, decode_bytes, load, load_bytes};
pub use options::{AudioInfo, Decoded, LoadOptions, MIX, Truncation};
pub use perturb::{PerturbError, Perturbation};
pub use probe::{probe, probe_bytes};
pub use resample::{Resampler, resample};
pub use units::{SampleRate, Seconds};
pub use write::{wav_16, write_wav_16};
