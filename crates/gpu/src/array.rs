use crate::{Backend, GpuError, Numbers};
use bytemuck::Pod;
use std::sync::Arc;

/// Numbers in device memory; freed with the last copy of the handle.
#[derive(Clone)]
pub struct Array(Arc<Owned>);

struct Owned {
    backend: Arc<dyn Backend>,
    address: u64,
    numbers: Numbers,
    len: usize,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the address came from `allocate` with this length, and the last handle is being dropped.
        unsafe {
            self.backend
                .release(self.address, bytes(self.numbers, self.len))
        };
    }
}

impl Array {
    /// Allocates memory for `len` numbers, of any value.
    pub(crate) fn new(
        backend: &Arc<dyn Backend>,
        numbers: Numbers,
        len: usize,
    ) -> Result<Self, GpuError> {
        let len = len.max(1);
        let address = backend.allocate(bytes(numbers, len))?;
        let backend = Arc::clone(backend);
        Ok(Self(Arc::new(Owned {
            backend,
            address,
            numbers,
            len,
        })))
    }

    /// The number of elements.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an array always holds something"
    )]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Their type.
    pub fn numbers(&self) -> Numbers {
        self.0.numbers
    }

    pub(crate) fn address(&self) -> u64 {
        self.0.address
    }

    /// Whether another handle has the same memory.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The address of the `index`-th number.
    pub(crate) fn address_of(&self, index: usize) -> u64 {
        self.address() + (index * self.0.numbers.bytes()) as u64
    }

    pub(crate) fn write(&self, values: &[f32]) -> Result<(), GpuError> {
        assert!(
            values.len() <= self.len(),
            "{} numbers into {}",
            values.len(),
            self.len()
        );
        // SAFETY: the array holds as many numbers of this kind.
        unsafe {
            self.0
                .backend
                .write(self.address(), &self.0.numbers.narrow(values))
        }
    }

    /// Writes numbers of the array's type from index `first` on.
    pub(crate) fn write_bytes(&self, first: usize, bytes: &[u8]) -> Result<(), GpuError> {
        let width = self.0.numbers.bytes();
        assert!(
            first * width + bytes.len() <= self.len() * width,
            "{} bytes from number {first} on of {}",
            bytes.len(),
            self.len()
        );
        // SAFETY: checked above.
        unsafe { self.0.backend.write(self.address_of(first), bytes) }
    }

    /// `count` numbers from `first` on, as f32.
    pub(crate) fn read(&self, first: usize, count: usize) -> Result<Vec<f32>, GpuError> {
        assert!(
            first + count <= self.len(),
            "{first} + {count} of {} numbers",
            self.len()
        );
        let numbers = self.0.numbers;
        if numbers == Numbers::F32 {
            let mut values = vec![0.0f32; count];
            let bytes = bytemuck::cast_slice_mut(&mut values);
            // SAFETY: checked above.
            unsafe { self.0.backend.read(self.address_of(first), bytes)? };
            return Ok(values);
        }
        let mut bytes = vec![0; count * numbers.bytes()];
        // SAFETY: checked above.
        unsafe { self.0.backend.read(self.address_of(first), &mut bytes)? };
        Ok(numbers.widen(&bytes))
    }

    pub(crate) fn clear(&self) -> Result<(), GpuError> {
        // SAFETY: the whole array.
        unsafe {
            self.0
                .backend
                .clear(self.address(), self.len() * self.0.numbers.bytes())
        }
    }
}

/// Kernels read eight numbers at a time, so the memory extends a little beyond the last.
fn bytes(numbers: Numbers, len: usize) -> usize {
    (len * numbers.bytes()).next_multiple_of(256)
}

/// Plain numbers of any type in device memory: row positions, counts, doubles.
#[derive(Clone)]
pub(crate) struct Table(Array);

impl Table {
    pub(crate) fn new<T: Pod>(backend: &Arc<dyn Backend>, values: &[T]) -> Result<Self, GpuError> {
        let table = Self::room::<T>(backend, values.len())?;
        table.write(0, values)?;
        Ok(table)
    }

    /// Allocates memory for `len` numbers, of any value.
    pub(crate) fn room<T: Pod>(backend: &Arc<dyn Backend>, len: usize) -> Result<Self, GpuError> {
        let words = (len * size_of::<T>()).div_ceil(Numbers::F32.bytes());
        Ok(Self(Array::new(backend, Numbers::F32, words)?))
    }

    pub(crate) fn address(&self) -> u64 {
        self.0.address()
    }

    pub(crate) fn clear(&self) -> Result<(), GpuError> {
        self.0.clear()
    }

    fn bytes_from<T: Pod>(&self, first: usize, count: usize) -> u64 {
        let end = (first + count) * size_of::<T>();
        assert!(
            end <= self.0.len() * Numbers::F32.bytes(),
            "{first} + {count} numbers of a table"
        );
        self.address() + (first * size_of::<T>()) as u64
    }

    /// Writes numbers from index `first` on.
    pub(crate) fn write<T: Pod>(&self, first: usize, values: &[T]) -> Result<(), GpuError> {
        let address = self.bytes_from::<T>(first, values.len());
        // SAFETY: checked to lie inside.
        unsafe {
            self.0
                .0
                .backend
                .write(address, bytemuck::cast_slice(values))
        }
    }

    /// Reads `count` numbers from index `first` on.
    pub(crate) fn read<T: Pod>(&self, first: usize, count: usize) -> Result<Vec<T>, GpuError> {
        let address = self.bytes_from::<T>(first, count);
        let mut values = vec![T::zeroed(); count];
        // SAFETY: checked to lie inside.
        unsafe {
            let bytes = bytemuck::cast_slice_mut(&mut values);
            self.0.0.backend.read(address, bytes)?;
        }
        Ok(values)
    }
}
