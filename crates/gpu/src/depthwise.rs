//! Convolutions of each channel alone.

use crate::gpu::{THREADS, blocks};
use crate::{Activation, Argument, Array, Gpu, GpuError, Numbers, Shape, Spans};

/// Rows of a channel that a thread computes, as in the kernel.
const STRIP: usize = 8;

/// Taps `[tap, channel]` of weights `[channel, 1, tap]`; in f32 whatever the operands are: every number is used once per tap, so
/// that narrower ones would save little.
pub(crate) fn turned(weight: &[f32], taps: usize) -> Vec<f32> {
    let of = |tap: usize| weight.iter().skip(tap).step_by(taps).copied();
    (0..taps).flat_map(of).collect()
}

impl Gpu {
    /// The convolution of every channel of every utterance with its own `taps`, with a bias and an activation: as [`Gpu::convolve`].
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a plain value of one kernel, called in one place"
    )]
    pub(crate) fn depthwise(
        &self,
        x: &Array,
        spans: &Spans,
        shape: Shape,
        taps: &Array,
        bias: Option<&Array>,
        activation: Activation,
        wide: bool,
    ) -> Result<(Array, Spans), GpuError> {
        let (channels, operands) = (shape.outputs, self.operands());
        assert!(
            spans.end() * channels <= x.len(),
            "depthwise: spans beyond the rows"
        );
        assert!(
            x.numbers() == operands || x.numbers() == Numbers::F32,
            "depthwise: {:?}",
            x.numbers()
        );
        assert!(
            taps.len() == shape.kernel * channels && bias.is_none_or(|bias| bias.len() >= channels),
            "depthwise: weights of {shape:?}"
        );
        let mut made = 0;
        let mut found = Vec::with_capacity(spans.all().len());
        let mut jobs = Vec::with_capacity(4 * spans.all().len());
        for &(first, rows) in spans.all() {
            let own = shape.rows(rows);
            jobs.extend([first as i32, rows as i32, made as i32, own as i32]);
            found.push((made, own));
            made += own;
        }
        let found = Spans::new(found);
        let numbers = if wide { Numbers::F32 } else { operands };
        let y = self.room(numbers, made * channels)?;
        let [wide, narrow] = match numbers {
            Numbers::F32 => [y.address(), 0],
            _ => [0, y.address()],
        };
        let jobs = self.table(&jobs)?;
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(taps.address()),
            Argument::Address(bias.map_or(0, Array::address)),
            Argument::Address(wide),
            Argument::Address(narrow),
            Argument::Address(jobs.address()),
            Argument::Int(channels as i32),
            Argument::Int(shape.kernel as i32),
            Argument::Int(shape.stride as i32),
            Argument::Int(shape.padding.0 as i32),
            activation.code(),
        ];
        let kernel = format!("depthwise_{}_{}", x.numbers().name(), operands.name());
        let strips = found.longest().div_ceil(STRIP);
        let grid = [blocks(strips * channels), spans.all().len(), 1];
        // SAFETY: the jobs' rows lie inside both matrices; weights and bias have a number for every tap and channel.
        unsafe { self.run(&kernel, grid, THREADS, &arguments)? };
        Ok((y, found))
    }
}
