//! The driver and cuBLASLt, found and opened.

use super::libraries;
use super::tables::{Driver, Lt, Status};
use crate::GpuError;
use cudarc::driver::sys::{CUdevice, CUdevice_attribute};
use std::ffi::{CStr, c_char, c_int};

/// The driver, initialised.
pub(crate) struct Opened {
    pub(crate) functions: Driver,
    pub(crate) place: String,
}

/// A card as described by the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) capability: (i32, i32),
    pub(crate) total: usize,
}

impl Opened {
    /// # Errors
    /// [`GpuError::Unavailable`] with what is missing.
    pub(crate) fn new() -> Result<Self, GpuError> {
        let found = libraries::driver().map_err(|tried| {
            GpuError::Unavailable(format!(
                "no NVIDIA driver on this machine; looked for {}",
                tried.line()
            ))
        })?;
        let place = found.place;
        let functions = Driver::of(found.library).map_err(|missing| {
            GpuError::Unavailable(format!(
                "the NVIDIA driver {place} has no {missing}: it is too old, or no driver"
            ))
        })?;
        let opened = Self { functions, place };
        // SAFETY: the first call, as the driver requires.
        let status = unsafe { (opened.functions.cuInit)(0) };
        opened.check("cuInit", status).map_err(|error| {
            GpuError::Unavailable(format!(
                "the NVIDIA driver {} does not start: {error}",
                opened.place
            ))
        })?;
        Ok(opened)
    }

    pub(crate) fn check(&self, call: &str, status: Status) -> Result<(), GpuError> {
        if status == 0 {
            return Ok(());
        }
        let mut text: *const c_char = std::ptr::null();
        // SAFETY: the driver fills in a string of its own, or leaves null.
        let reason = unsafe {
            let _ = (self.functions.cuGetErrorString)(status, &raw mut text);
            match text.is_null() {
                true => String::new(),
                false => CStr::from_ptr(text).to_string_lossy().into_owned(),
            }
        };
        let reason = format!("{reason} (code {status})");
        Err(GpuError::Call {
            call: call.to_owned(),
            reason,
        })
    }

    /// As `13.0`: the newest CUDA version that the driver supports.
    pub(crate) fn version(&self) -> Result<String, GpuError> {
        let mut version: c_int = 0;
        // SAFETY: an int to write to.
        self.check("cuDriverGetVersion", unsafe {
            (self.functions.cuDriverGetVersion)(&raw mut version)
        })?;
        Ok(format!("{}.{}", version / 1000, version % 1000 / 10))
    }

    pub(crate) fn cards(&self) -> Result<Vec<Card>, GpuError> {
        let mut count: c_int = 0;
        // SAFETY: an int to write to.
        self.check("cuDeviceGetCount", unsafe {
            (self.functions.cuDeviceGetCount)(&raw mut count)
        })?;
        (0..count)
            .map(|index| self.card(self.device(index)?))
            .collect()
    }

    pub(super) fn device(&self, index: c_int) -> Result<CUdevice, GpuError> {
        let mut device: CUdevice = 0;
        // SAFETY: a device to write to.
        self.check("cuDeviceGet", unsafe {
            (self.functions.cuDeviceGet)(&raw mut device, index)
        })?;
        Ok(device)
    }

    fn card(&self, device: CUdevice) -> Result<Card, GpuError> {
        let mut name = [0 as c_char; 128];
        let mut total = 0;
        // SAFETY: room for 128 characters, the last of which stays zero.
        self.check("cuDeviceGetName", unsafe {
            (self.functions.cuDeviceGetName)(name.as_mut_ptr(), 127, device)
        })?;
        // SAFETY: a number to write to.
        self.check("cuDeviceTotalMem", unsafe {
            (self.functions.cuDeviceTotalMem_v2)(&raw mut total, device)
        })?;
        let attribute = |which: CUdevice_attribute| -> Result<i32, GpuError> {
            let mut value: c_int = 0;
            // SAFETY: an int to write to.
            let status =
                unsafe { (self.functions.cuDeviceGetAttribute)(&raw mut value, which, device) };
            self.check("cuDeviceGetAttribute", status)?;
            Ok(value)
        };
        let major = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        // SAFETY: the last character is zero.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }
            .to_string_lossy()
            .into_owned();
        Ok(Card {
            name,
            capability: (major, minor),
            total,
        })
    }
}

/// cuBLASLt, or a line that says what is missing.
pub(crate) fn open_cublaslt() -> Result<(Lt, String), GpuError> {
    let found = libraries::cublaslt().map_err(|tried| {
        GpuError::Unavailable(format!(
            "no cuBLASLt (libcublasLt.so.13 or .12): `pip install nvidia-cublas` brings it, as does PyTorch; a folder can be named in {}; \
             looked in {}",
            libraries::FOLDERS,
            tried.line()
        ))
    })?;
    let place = found.place;
    let functions = Lt::of(found.library).map_err(|missing| {
        GpuError::Unavailable(format!(
            "{place} is no cuBLASLt that this program can use: it has no {missing}"
        ))
    })?;
    Ok((functions, place))
}

/// As `13.1.0`: a major version is ten thousand, a minor one a hundred.
pub(super) fn cublaslt_version(version: usize) -> String {
    format!(
        "{}.{}.{}",
        version / 10_000,
        version % 10_000 / 100,
        version % 100
    )
}
