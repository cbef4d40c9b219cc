use crate::{GpuError, Numbers};
use std::sync::Arc;

/// What a kernel is called with.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// An address in device memory; zero where there is nothing.
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
    /// Where the value itself lies, as the CUDA driver takes arguments.
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

/// `y = x Wᵀ + bias + residual`, `batch` times with moving `x` and `y`. Strides count numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Product {
    /// Of `x` and the weight.
    pub operands: Numbers,
    /// Of `y`, bias and residual: those of the operands, or f32.
    pub results: Numbers,
    /// Rows of `x` and `y`.
    pub rows: usize,
    /// Columns of `y`.
    pub outputs: usize,
    /// Columns of `x`.
    pub inputs: usize,
    /// How many products.
    pub batch: usize,
    /// `[rows, inputs]` from here, a row every `x_row` numbers, the next of the batch `x_next` numbers on.
    pub x: u64,
    /// From one row of `x` to the next; at least `inputs`.
    pub x_row: usize,
    /// From one `x` of the batch to the next.
    pub x_next: usize,
    /// `[outputs, inputs]`, the same for all of the batch.
    pub weight: u64,
    /// As `x`.
    pub y: u64,
    /// From one row of `y` to the next; at least `outputs`.
    pub y_row: usize,
    /// From one `y` of the batch to the next.
    pub y_next: usize,
    /// `[outputs]`, or zero for none.
    pub bias: u64,
    /// Laid out as `y`, or zero for none.
    pub residual: u64,
}

/// Bytes of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Not in use by anybody.
    pub free: usize,
    /// In all.
    pub total: usize,
}

/// Device memory and what runs on it, without a notion of shapes. [`Gpu`](crate::Gpu) is the safe face.
pub trait Backend: Send + Sync {
    /// For people: the card, the driver, the libraries.
    fn describe(&self) -> String;

    /// Free and total memory.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    fn memory(&self) -> Result<Memory, GpuError>;

    /// The address of so many bytes, a multiple of 256.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`].
    fn allocate(&self, bytes: usize) -> Result<u64, GpuError>;

    /// Gives back what [`Backend::allocate`] gave.
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
    /// So many bytes from `address` on are allocated.
    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<(), GpuError>;

    /// Copies from the device after everything before is done.
    ///
    /// # Errors
    /// [`GpuError::Call`], also for what went wrong in kernels before.
    ///
    /// # Safety
    /// So many bytes from `address` on are allocated.
    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), GpuError>;

    /// Fills with zeros.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    ///
    /// # Safety
    /// So many bytes from `address` on are allocated.
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

    /// Another line of work on the same device: what is allocated on one may be used on the other once the first has
    /// [finished](Self::finish) with it, and their operations have no order among each other.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`].
    fn beside(&self) -> Result<Arc<dyn Backend>, GpuError>;

    /// From here on launches are not done but remembered, until [`Backend::recorded`]. Nothing else may be called in between.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    fn record(&self) -> Result<(), GpuError>;

    /// The end of what is remembered, and a number that stands for it.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    fn recorded(&self) -> Result<u64, GpuError>;

    /// Does what was remembered.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    ///
    /// # Safety
    /// The number came from [`Backend::recorded`] and was not forgotten; everything that the launches name is still allocated.
    unsafe fn replay(&self, recording: u64) -> Result<(), GpuError>;

    /// Forgets what was remembered.
    ///
    /// # Safety
    /// The number came from [`Backend::recorded`] and is not used again.
    unsafe fn forget(&self, recording: u64);

    /// Waits until everything is done.
    ///
    /// # Errors
    /// [`GpuError::Call`] for what went wrong in kernels before.
    fn finish(&self) -> Result<(), GpuError>;
}
