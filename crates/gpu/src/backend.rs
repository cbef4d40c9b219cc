use crate::{GpuError, Numbers};
use std::sync::Arc;

/// The arguments of a kernel call.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// An address in device memory; zero for none.
    Address(u64),
    /// A C `int`.
    Int(i32),
    /// A C `unsigned long long`.
    Long(u64),
    /// A C `float`.
    Float(f32),
    /// A C `double`.
    Double(f64),
}

impl Argument {
    /// The address of the value itself, as the CUDA driver takes arguments.
    pub(crate) fn pointer(&self) -> *mut std::ffi::c_void {
        let at: *const std::ffi::c_void = match self {
            Self::Address(value) | Self::Long(value) => std::ptr::from_ref(value).cast(),
            Self::Int(value) => std::ptr::from_ref(value).cast(),
            Self::Float(value) => std::ptr::from_ref(value).cast(),
            Self::Double(value) => std::ptr::from_ref(value).cast(),
        };
        at.cast_mut()
    }
}

/// `y = x Wᵀ + bias + residual`, `batch` times with moving `x` and `y`. Strides are in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Product {
    /// Number type of `x` and the weight.
    pub operands: Numbers,
    /// Number type of `y`, bias and residual: that of the operands, or f32.
    pub results: Numbers,
    /// Rows of `x` and `y`.
    pub rows: usize,
    /// Columns of `y`.
    pub outputs: usize,
    /// Columns of `x`.
    pub inputs: usize,
    /// Number of products.
    pub batch: usize,
    /// The address of `[rows, inputs]`; rows are `x_row` numbers apart, batch items `x_next` numbers.
    pub x: u64,
    /// From one row of `x` to the next; at least `inputs`.
    pub x_row: usize,
    /// From one `x` of the batch to the next.
    pub x_next: usize,
    /// `[outputs, inputs]`, the same for all of the batch.
    pub weight: u64,
    /// Like `x`.
    pub y: u64,
    /// From one row of `y` to the next; at least `outputs`.
    pub y_row: usize,
    /// From one `y` of the batch to the next.
    pub y_next: usize,
    /// `[outputs]`, or zero for none.
    pub bias: u64,
    /// Laid out like `y`, or zero for none.
    pub residual: u64,
}

/// Memory of a device in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Unused.
    pub free: usize,
    /// Total.
    pub total: usize,
}

/// Device memory and what runs on it, without shapes. [`Gpu`](crate::Gpu) is the safe interface.
pub trait Backend: Send + Sync {
    /// A description as text: the card, the driver, the libraries.
    fn describe(&self) -> String;

    /// Free and total memory.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    fn memory(&self) -> Result<Memory, GpuError>;

    /// Allocates this many bytes; the address is a multiple of 256.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`].
    fn allocate(&self, bytes: usize) -> Result<u64, GpuError>;

    /// Frees what [`Backend::allocate`] returned.
    ///
    /// # Safety
    /// `address` came from `allocate(bytes)` of this backend and is not used again.
    unsafe fn release(&self, address: u64, bytes: usize);

    /// Copies to the device.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    ///
    /// # Safety
    /// This many bytes from `address` on are allocated.
    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<(), GpuError>;

    /// Copies from the device after all earlier work is done.
    ///
    /// # Errors
    /// [`GpuError::Call`], also for errors in earlier kernels.
    ///
    /// # Safety
    /// This many bytes from `address` on are allocated.
    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), GpuError>;

    /// Fills with zeros.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    ///
    /// # Safety
    /// This many bytes from `address` on are allocated.
    unsafe fn clear(&self, address: u64, bytes: usize) -> Result<(), GpuError>;

    /// Runs a kernel of `kernels/` on `grid` blocks of `threads` threads.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    ///
    /// # Safety
    /// The arguments are those of the kernel's declaration, and everything it reads and writes is allocated.
    unsafe fn launch(
        &self,
        kernel: &str,
        grid: [u32; 3],
        threads: u32,
        arguments: &[Argument],
    ) -> Result<(), GpuError>;

    /// A batch of products.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    ///
    /// # Safety
    /// Everything that the product reads and writes is allocated.
    unsafe fn product(&self, product: &Product) -> Result<(), GpuError>;

    /// Another stream of work on the same device: what is allocated on one may be used on the other once the first has
    /// [finished](Self::finish) with it; the operations of the two are not ordered relative to each other.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`].
    fn beside(&self) -> Result<Arc<dyn Backend>, GpuError>;

    /// After this, launches are recorded instead of run, until [`Backend::recorded`]. Nothing else may be called in between.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    fn record(&self) -> Result<(), GpuError>;

    /// Ends the recording and returns its number.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    fn recorded(&self) -> Result<u64, GpuError>;

    /// Runs a recording.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    ///
    /// # Safety
    /// The number came from [`Backend::recorded`] and was not freed; everything that the launches name is still allocated.
    unsafe fn replay(&self, recording: u64) -> Result<(), GpuError>;

    /// Frees a recording.
    ///
    /// # Safety
    /// The number came from [`Backend::recorded`] and is not used again.
    unsafe fn forget(&self, recording: u64);

    /// Waits until everything is done.
    ///
    /// # Errors
    /// [`GpuError::Call`] for errors in earlier kernels.
    fn finish(&self) -> Result<(), GpuError>;
}
