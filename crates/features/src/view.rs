use half::f16;
use std::ops::Range;

/// The stored frames of one utterance, read in place.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// Hidden states stored of it.
    pub layers: usize,
    /// The number of frames of each.
    pub frames: usize,
    /// The width of a frame.
    pub dim: usize,
    /// The numbers, `[layer, frame, dim]`.
    pub data: FrameData<'a>,
}

/// Stored numbers in either format.
#[derive(Clone, Copy, Debug)]
pub enum FrameData<'a> {
    /// Half precision.
    F16(&'a [f16]),
    /// Single precision.
    F32(&'a [f32]),
}

impl<'a> FrameView<'a> {
    /// The frames `range` of one of the stored layers, as a view of one layer.
    ///
    /// # Panics
    /// When there is no such layer or frame.
    pub fn part(&self, layer: usize, range: Range<usize>) -> FrameView<'a> {
        assert!(
            layer < self.layers && range.end <= self.frames,
            "no layer {layer}, frames {range:?}"
        );
        let start = (layer * self.frames + range.start) * self.dim;
        let end = start + range.len() * self.dim;
        FrameView {
            layers: 1,
            frames: range.len(),
            dim: self.dim,
            data: match self.data {
                FrameData::F16(data) => FrameData::F16(&data[start..end]),
                FrameData::F32(data) => FrameData::F32(&data[start..end]),
            },
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.layers * self.frames * self.dim
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes all numbers to `out` as f32. Exact.
    ///
    /// # Panics
    /// When `out` is not [`FrameView::len`] long.
    pub fn widen(&self, out: &mut [f32]) {
        match self.data {
            FrameData::F16(narrow) => emobox_kernels::widen_f16(narrow, out),
            FrameData::F32(wide) => out.copy_from_slice(wide),
        }
    }

    /// All numbers as f32. Exact.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        self.widen(&mut out);
        out
    }
}
