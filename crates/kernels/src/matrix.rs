//! Borrowed views of matrices: rows that may overlap, and matrices with any strides.

use half::f16;

use crate::convert::widen_f16;

/// A number type in which operands of products may be stored; everything is computed in `f32`.
pub trait Element: Copy + Send + Sync + sealed::Sealed + 'static {
    /// The value in single precision.
    fn to_f32(self) -> f32;
    /// The numbers themselves, if they are single precision already.
    #[doc(hidden)]
    fn singles(x: &[Self]) -> Option<&[f32]>;
    /// The numbers themselves, if they are half precision.
    #[doc(hidden)]
    fn halves(x: &[Self]) -> Option<&[f16]>;
    /// `out[i] = x[i]` for slices of one length.
    #[doc(hidden)]
    fn widen(x: &[Self], out: &mut [f32]);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
}

impl Element for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    fn singles(x: &[Self]) -> Option<&[f32]> {
        Some(x)
    }
    fn halves(_: &[Self]) -> Option<&[f16]> {
        None
    }
    fn widen(x: &[Self], out: &mut [f32]) {
        out.copy_from_slice(x);
    }
}

impl Element for f16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }
    fn singles(_: &[Self]) -> Option<&[f32]> {
        None
    }
    fn halves(x: &[Self]) -> Option<&[f16]> {
        Some(x)
    }
    fn widen(x: &[Self], out: &mut [f32]) {
        widen_f16(x, out);
    }
}

/// Equally long rows at a constant distance: row `r` is `data[r * stride..][..cols]`.
///
/// Rows may lie apart (`stride > cols`: some columns of a wider matrix) or overlap (`stride < cols`). With overlapping
/// rows a strided convolution over channels-last frames is a plain product: `stride = step * channels`,
/// `cols = kernel * channels`, without an im2col copy.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T = f32> {
    /// The numbers, beginning with row 0.
    pub data: &'a [T],
    /// How many rows.
    pub rows: usize,
    /// Numbers per row.
    pub cols: usize,
    /// From the start of a row to the start of the next.
    pub stride: usize,
}

impl<'a, T> Rows<'a, T> {
    /// A dense matrix `[rows, cols]`.
    #[must_use]
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self {
            data,
            rows,
            cols,
            stride: cols,
        }
    }

    /// The rows `range` of these.
    ///
    /// # Panics
    /// If the range does not lie within the rows.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.rows,
            "rows {range:?} of {}",
            self.rows
        );
        let start = (range.start * self.stride).min(self.data.len());
        Self {
            data: &self.data[start..],
            rows: range.len(),
            ..*self
        }
    }

    /// How many numbers the rows span.
    pub(crate) fn span(&self) -> usize {
        extent(self.rows, self.cols, self.stride).unwrap_or(usize::MAX)
    }

    /// Panics unless every row lies within `data`.
    pub(crate) fn check(&self, what: &str) {
        let needed = extent(self.rows, self.cols, self.stride);
        assert!(
            needed.is_some_and(|n| n <= self.data.len()),
            "{what}: {} rows of {} at stride {} need {needed:?} numbers, got {}",
            self.rows,
            self.cols,
            self.stride,
            self.data.len(),
        );
    }
}

/// How many numbers `rows` rows of `cols` at `stride` span, `None` if that overflows.
pub(crate) fn extent(rows: usize, cols: usize, stride: usize) -> Option<usize> {
    if rows == 0 || cols == 0 {
        Some(0)
    } else {
        (rows - 1).checked_mul(stride)?.checked_add(cols)
    }
}

/// A matrix whose element `[r, c]` is `data[r * row_stride + c * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct MatRef<'a, T = f32> {
    /// The numbers, beginning with element `[0, 0]`.
    pub data: &'a [T],
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub cols: usize,
    /// From an element to the one below it.
    pub row_stride: usize,
    /// From an element to the one right of it.
    pub col_stride: usize,
}

impl<'a, T> MatRef<'a, T> {
    /// A dense row-major matrix `[rows, cols]`.
    #[must_use]
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self {
            data,
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
        }
    }

    /// The same numbers with rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Panics unless every element lies within `data`.
    pub(crate) fn check(&self, what: &str) {
        let needed = if self.rows == 0 || self.cols == 0 {
            Some(0)
        } else {
            (self.rows - 1)
                .checked_mul(self.row_stride)
                .and_then(|r| r.checked_add((self.cols - 1).checked_mul(self.col_stride)?))
                .and_then(|n| n.checked_add(1))
        };
        assert!(
            needed.is_some_and(|n| n <= self.data.len()),
            "{what}: [{}, {}] at strides {} and {} needs {needed:?} numbers, got {}",
            self.rows,
            self.cols,
            self.row_stride,
            self.col_stride,
            self.data.len(),
        );
    }
}

/// Cuts `rows` rows into at most `parts` consecutive, non-empty ranges of nearly equal length.
///
/// Because no result depends on the other rows of a call, a caller may compute the ranges on any number of threads
/// and gets the same bits as from one call.
#[must_use]
pub fn split_rows(rows: usize, parts: usize) -> Vec<std::ops::Range<usize>> {
    let parts = parts.clamp(1, rows.max(1));
    let (share, rest) = (rows / parts, rows % parts);
    let mut start = 0;
    let mut ranges = Vec::with_capacity(parts);
    for part in 0..parts {
        let end = start + share + usize::from(part < rest);
        if end > start {
            ranges.push(start..end);
        }
        start = end;
    }
    ranges
}
