use super::source::Source;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::fmt;

/// The type of a tensor's elements, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE 754 binary64.
    F64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
    /// Signed 64-bit integer.
    I64,
    /// Signed 32-bit integer.
    I32,
    /// Signed 16-bit integer.
    I16,
    /// Signed 8-bit integer.
    I8,
    /// Unsigned 8-bit integer.
    U8,
    /// One byte, zero or not.
    Bool,
    /// A known type that cannot be read (complex, quantised, 8-bit floats, …).
    Other {
        /// The name of the type in the file.
        name: String,
        /// Bytes per element.
        size: usize,
    },
}

impl Dtype {
    /// Bytes per element.
    pub fn size(&self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::Other { size, .. } => *size,
        }
    }
}

impl Dtype {
    /// Whether the elements are integers; only quantised weights are.
    pub fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::I64 | Self::I32 | Self::I16 | Self::I8 | Self::U8 | Self::Bool
        )
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
            Self::Other { name, .. } => name,
        })
    }
}

/// The position of a tensor's elements in a mapped file. The code that makes one has checked that every
/// element is inside the file.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// Index into the checkpoint's files.
    pub(super) file: usize,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// Offset in the file of the element with all indices zero, in bytes.
    pub(super) start: usize,
    /// Strides of each dimension in elements; `None` if the elements are contiguous in row-major order.
    pub(super) strides: Option<Vec<usize>>,
    pub(super) big_endian: bool,
}

impl Tensor {
    pub(super) fn elements(&self) -> usize {
        if self.shape.contains(&0) {
            // Whatever the other dimensions claim; their product may even overflow.
            0
        } else {
            self.shape.iter().product()
        }
    }

    /// The elements in row-major order, widened or rounded to f32. `None` for an unreadable type.
    pub(super) fn read(&self, source: &Source) -> Option<Vec<f32>> {
        let count = self.elements();
        let size = self.dtype.size();
        if matches!(self.dtype, Dtype::Other { .. }) {
            return None;
        }
        if count == 0 {
            return Some(Vec::new());
        }
        let bytes = source.bytes();
        if self.strides.is_none() && !self.big_endian {
            return Some(widen(&self.dtype, &bytes[self.start..][..count * size]));
        }
        let mut gathered = Vec::with_capacity(count * size);
        self.for_each_element(|offset| {
            let element = &bytes[offset..offset + size];
            if self.big_endian {
                gathered.extend(element.iter().rev());
            } else {
                gathered.extend_from_slice(element);
            }
        });
        Some(widen(&self.dtype, &gathered))
    }

    /// Calls `visit` with the byte offset of each element, in row-major order of the indices.
    fn for_each_element(&self, mut visit: impl FnMut(usize)) {
        let size = self.dtype.size();
        let strides = match &self.strides {
            Some(strides) => strides.clone(),
            None => row_major_strides(&self.shape),
        };
        let mut index = vec![0; self.shape.len()];
        let mut position = 0;
        for _ in 0..self.elements() {
            visit(self.start + position * size);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                position += strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                position -= index[axis] * strides[axis];
                index[axis] = 0;
            }
        }
    }
}

/// The strides of a contiguous tensor of this shape. The product of the shape must not overflow.
pub(super) fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

fn widen(dtype: &Dtype, bytes: &[u8]) -> Vec<f32> {
    fn each<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (elements, _) = bytes.as_chunks::<N>();
        elements.iter().map(|element| convert(*element)).collect()
    }
    match dtype {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => widen_half(bytes, f16::from_le_bytes),
        Dtype::Bf16 => widen_half(bytes, bf16::from_le_bytes),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I16 => each(bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::I8 => each(bytes, |b: [u8; 1]| f32::from(i8::from_le_bytes(b))),
        Dtype::U8 => each(bytes, |[b]| f32::from(b)),
        Dtype::Bool => each(bytes, |[b]| f32::from(b != 0)),
        Dtype::Other { .. } => Vec::new(),
    }
}

/// In blocks, so that the CPU's conversion instructions are used if there are any.
fn widen_half<H: Copy>(bytes: &[u8], element: impl Fn([u8; 2]) -> H) -> Vec<f32>
where
    [H]: HalfFloatSliceExt,
{
    let (elements, _) = bytes.as_chunks::<2>();
    let mut wide = vec![0.0; elements.len()];
    let mut block = Vec::with_capacity(BLOCK);
    for (elements, wide) in elements.chunks(BLOCK).zip(wide.chunks_mut(BLOCK)) {
        block.clear();
        block.extend(elements.iter().map(|bytes| element(*bytes)));
        block.convert_to_f32_slice(wide);
    }
    wide
}

const BLOCK: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_of_a_shape_are_row_major() {
        assert_eq!(row_major_strides(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(row_major_strides(&[]), [0; 0]);
    }

    #[test]
    fn every_type_widens_to_its_value() {
        assert_eq!(widen(&Dtype::F64, &1.5f64.to_le_bytes()), [1.5]);
        assert_eq!(
            widen(&Dtype::F16, &f16::from_f32(-0.25).to_le_bytes()),
            [-0.25]
        );
        assert_eq!(
            widen(&Dtype::Bf16, &bf16::from_f32(3.0).to_le_bytes()),
            [3.0]
        );
        assert_eq!(widen(&Dtype::I64, &(-7i64).to_le_bytes()), [-7.0]);
        assert_eq!(widen(&Dtype::I16, &(-7i16).to_le_bytes()), [-7.0]);
        assert_eq!(widen(&Dtype::Bool, &[0, 1, 255]), [0.0, 1.0, 1.0]);
    }
}
