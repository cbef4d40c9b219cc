use super::deltas;
use super::mel::MelFilters;
use super::spectrum::Spectrum;

/// Samples from one frame to the next: 20 ms, the frame rate of the Transformer encoders.
pub const FBANK_HOP: usize = 320;
/// 40 ms, two periods of the lowest voice; frames overlap by half.
const WINDOW: usize = 640;
/// Zero-padded so that the narrowest band (37 Hz at 80 bands) spans at least two bins.
const FFT: usize = 1024;
/// Far below the noise of 16-bit recordings, whose quantisation alone is above 1e-9 per band.
const FLOOR: f32 = 1e-10;

/// How [`fbank`] is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FbankOptions {
    /// Mel bands.
    pub bands: usize,
    /// Deltas to append: 0 none, 1 deltas, 2 deltas and delta-deltas.
    pub delta_orders: usize,
}

impl Default for FbankOptions {
    /// 80 bands with deltas and delta-deltas: 240 values per frame.
    fn default() -> Self {
        Self {
            bands: 80,
            delta_orders: 2,
        }
    }
}

impl FbankOptions {
    /// Values per frame.
    pub fn dim(&self) -> usize {
        self.bands * (1 + self.delta_orders)
    }

    /// Frames of a waveform: one for every whole 320 samples, and one for anything shorter.
    pub fn frames(&self, samples: usize) -> usize {
        match samples {
            0 => 0,
            _ => (samples / FBANK_HOP).max(1),
        }
    }
}

/// Log-mel energies at 50 frames per second.
#[derive(Debug, Clone, PartialEq)]
pub struct Fbank {
    /// Number of frames.
    pub frames: usize,
    /// Values per frame.
    pub dim: usize,
    /// `[frame, dim]`: the bands, then their deltas, then their delta-deltas.
    pub data: Vec<f32>,
}

/// Natural logarithm of mel-band energies of a 16-kHz waveform, with deltas.
///
/// Frame `t` is the 40-ms Hann window centred on the 20 ms from sample `320 t`, zeros beyond the
/// edges; power spectrum over 1024 points; Slaney bands from 0 to 8 kHz; floor 1e-10. Checked
/// against NumPy and `torchaudio.functional.compute_deltas` in `tests/log_mel.rs`.
pub fn fbank(samples_16k: &[f32], options: &FbankOptions) -> Fbank {
    let frames = options.frames(samples_16k.len());
    let filters = MelFilters::new(options.bands, FFT, 16_000.0);
    let mut spectrum = Spectrum::new(WINDOW, FFT);
    let mut blocks = vec![Vec::with_capacity(frames * filters.len())];
    for frame in 0..frames {
        let start = (frame * FBANK_HOP + FBANK_HOP / 2) as isize - (WINDOW / 2) as isize;
        let power = spectrum.power(|i| {
            usize::try_from(start + i as isize)
                .ok()
                .and_then(|index| samples_16k.get(index).copied())
                .unwrap_or(0.0)
        });
        blocks[0].extend(filters.apply(power).map(|energy| energy.max(FLOOR).ln()));
    }
    for order in 0..options.delta_orders {
        let slopes = deltas(&blocks[order], options.bands);
        blocks.push(slopes);
    }
    let mut data = Vec::with_capacity(frames * options.dim());
    for frame in 0..frames {
        for block in &blocks {
            data.extend_from_slice(&block[frame * options.bands..(frame + 1) * options.bands]);
        }
    }
    Fbank {
        frames,
        dim: options.dim(),
        data,
    }
}
