use emobox_fft::{Complex, RealToComplex};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Power spectra of windowed frames; holds the plan and its buffers.
pub(crate) struct Spectrum {
    plan: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    frame: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
}

impl Spectrum {
    /// A periodic Hann window of `window` samples, zero-padded to `fft`.
    pub(crate) fn new(window: usize, fft: usize) -> Self {
        let plan = emobox_fft::forward_f32(fft);
        Self {
            window: (0..window)
                .map(|i| (0.5 - 0.5 * (TAU * i as f64 / window as f64).cos()) as f32)
                .collect(),
            frame: plan.make_input_vec(),
            bins: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            power: vec![0.0; fft / 2 + 1],
            plan,
        }
    }

    /// `|FFT(window * x)|²` of the samples that `sample` gives for 0..window.
    pub(crate) fn power(&mut self, sample: impl Fn(usize) -> f32) -> &[f32] {
        let (head, tail) = self.frame.split_at_mut(self.window.len());
        for (i, (out, weight)) in head.iter_mut().zip(&self.window).enumerate() {
            *out = sample(i) * weight;
        }
        tail.fill(0.0);
        // The buffers belong to the plan, so their lengths agree.
        let done =
            self.plan
                .process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch);
        debug_assert!(done.is_ok(), "buffers of another plan");
        for (power, bin) in self.power.iter_mut().zip(&self.bins) {
            *power = bin.norm_sqr();
        }
        &self.power
    }
}
