/// An error on a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// The device does not exist or cannot be used; the text says what is missing and where it was searched for.
    #[error("{0}")]
    Unavailable(String),
    /// The device's memory is too small for the request. Smaller batches may fit.
    #[error("out of device memory: {asked} more bytes wanted, {free} of {total} free")]
    OutOfMemory {
        /// Bytes of the allocation that failed.
        asked: usize,
        /// Bytes that were free at that moment.
        free: usize,
        /// Total bytes of the device.
        total: usize,
    },
    /// A call of a library failed.
    #[error("{call} failed: {reason}")]
    Call {
        /// The function.
        call: String,
        /// What the library says about it.
        reason: String,
    },
}
