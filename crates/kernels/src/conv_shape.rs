/// The shape of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels, over all groups.
    pub inputs: usize,
    /// Output channels, over all groups.
    pub outputs: usize,
    /// Frames in the window of one output.
    pub kernel: usize,
    /// Frames from one output to the next.
    pub stride: usize,
    /// Groups of channels that are convolved separately.
    pub groups: usize,
    /// Frames of zeros before the first and after the last. wav2vec 2.0's positional convolution with its even kernel of
    /// 128, padding 64 and the last output dropped is `(64, 63)`.
    pub padding: (usize, usize),
}

impl ConvShape {
    /// Number of output frames for `frames` input frames.
    #[must_use]
    pub fn frames(&self, frames: usize) -> usize {
        let padded = frames + self.padding.0 + self.padding.1;
        if frames == 0 || padded < self.kernel {
            0
        } else {
            (padded - self.kernel) / self.stride + 1
        }
    }
}
