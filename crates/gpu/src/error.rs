/// What can go wrong on a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// The device is not there, or not usable; the text says what is missing and where it was looked for.
    #[error("{0}")]
    Unavailable(String),
    /// The device's memory does not hold what was asked for. Smaller batches may.
    #[error("out of device memory: {asked} more bytes wanted, {free} of {total} free")]
    OutOfMemory {
        /// Bytes of the allocation that failed.
        asked: usize,
        /// Bytes that were free at that moment.
        free: usize,
        /// Bytes of the device.
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
