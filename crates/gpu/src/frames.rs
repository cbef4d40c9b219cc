//! Features of utterances in device memory.

use crate::{Array, Gpu, GpuError, Numbers};
use half::f16;

/// Rows of 16-bit features, padded with zeros beyond `dim`: kernels read eight numbers at a time.
#[derive(Clone)]
pub struct Frames {
    pub(crate) array: Array,
    rows: usize,
    dim: usize,
}

/// Numbers that go to the device in one copy.
const COPY: usize = 8 << 20;

impl Frames {
    /// Bytes for this many rows.
    pub fn bytes(rows: usize, dim: usize) -> usize {
        rows * columns(dim) * Numbers::F16.bytes()
    }

    /// The capacity in rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Features per row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn columns(&self) -> usize {
        columns(self.dim)
    }

    /// Writes `values`, `[row, dim]`, from row `first` on.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If they extend beyond the last row.
    pub fn write(&self, first: usize, values: &[f16]) -> Result<(), GpuError> {
        let (dim, columns) = (self.dim, self.columns());
        assert!(
            values.len().is_multiple_of(dim) && first + values.len() / dim <= self.rows,
            "{} numbers from row {first} on in {} rows of {dim}",
            values.len(),
            self.rows
        );
        if dim == columns {
            return self
                .array
                .write_bytes(first * columns, bytemuck::cast_slice(values));
        }
        let mut wide = Vec::new();
        for (index, part) in values.chunks(COPY / columns * dim).enumerate() {
            wide.clear();
            for row in part.chunks_exact(dim) {
                wide.extend_from_slice(row);
                wide.resize(wide.len() + columns - dim, f16::ZERO);
            }
            let row = first + index * (COPY / columns);
            self.array
                .write_bytes(row * columns, bytemuck::cast_slice(&wide))?;
        }
        Ok(())
    }
}

fn columns(dim: usize) -> usize {
    dim.next_multiple_of(8)
}

impl Gpu {
    /// Allocates memory for this many rows of features.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`].
    ///
    /// # Panics
    /// If a row has no features, or more than one copy can hold.
    pub fn frames(&self, rows: usize, dim: usize) -> Result<Frames, GpuError> {
        assert!((1..=COPY).contains(&dim), "features of {dim} dimensions");
        let array = self.room(Numbers::F16, rows * columns(dim))?;
        Ok(Frames { array, rows, dim })
    }
}
