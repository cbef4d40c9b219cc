//! Shapes of convolutions over rows.

/// The shape of a convolution over rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Input columns.
    pub inputs: usize,
    /// Output columns.
    pub outputs: usize,
    /// Rows in a window.
    pub kernel: usize,
    /// Stride between windows.
    pub stride: usize,
    /// Column groups that are convolved separately.
    pub groups: usize,
    /// Rows of zeros before and after an utterance.
    pub padding: (usize, usize),
}

impl Shape {
    /// Rows of the result for an utterance of `rows`.
    ///
    /// # Panics
    /// If the utterance is shorter than the kernel.
    pub(crate) fn rows(self, rows: usize) -> usize {
        let padded = rows + self.padding.0 + self.padding.1;
        let kernel = self.kernel;
        assert!(
            padded >= kernel,
            "an utterance of {rows} rows under a kernel of {kernel}"
        );
        (padded - kernel) / self.stride + 1
    }

    /// Whether every channel is convolved alone.
    pub fn depthwise(self) -> bool {
        self.groups > 1 && self.groups == self.inputs && self.groups == self.outputs
    }
}
