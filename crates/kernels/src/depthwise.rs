//! Depthwise convolutions: each channel is convolved separately.

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto, store_upto};
use crate::conv_shape::ConvShape;

/// `out[t, c] = Σ_k taps[k, c] · x[t + k - before, c]`, zeros outside; taps are added in their order.
pub(crate) fn depthwise(x: &[f32], taps: &[f32], shape: ConvShape, out: &mut [f32]) {
    dispatch::<false, _>(Depthwise {
        x,
        taps,
        shape,
        out,
    });
}

struct Depthwise<'a> {
    x: &'a [f32],
    taps: &'a [f32],
    shape: ConvShape,
    out: &'a mut [f32],
}

impl Kernel for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let ConvShape {
            inputs: channels,
            kernel,
            stride,
            padding: (before, _),
            ..
        } = self.shape;
        let frames = self.x.len() / channels;
        for (row, out) in self.out.chunks_exact_mut(channels).enumerate() {
            let first = row * stride;
            // The taps whose frames exist: `first + k - before` is a valid frame.
            let taps =
                before.saturating_sub(first)..kernel.min((frames + before).saturating_sub(first));
            for (at, out) in out.chunks_mut(LANES).enumerate() {
                let columns = at * LANES..at * LANES + out.len();
                let mut sum = simd.splat(0.0);
                for k in taps.clone() {
                    let frame = (first + k - before) * channels;
                    let x = &self.x[frame + columns.start..frame + columns.end];
                    let tap = &self.taps[k * channels + columns.start..k * channels + columns.end];
                    sum = simd.fma(load_upto(simd, x), load_upto(simd, tap), sum);
                }
                store_upto(simd, sum, out);
            }
        }
    }
}
