//! An open card: context, machine code of the kernels, cuBLASLt. Opened once per process, for any number of streams of work.

use super::opened::{Opened, cublaslt_version, open_cublaslt};
use super::products::Products;
use super::tables::Lt;
use crate::{GpuError, ptx};
use cudarc::driver::sys::{
    CUcontext, CUdevice, CUfunction, CUjit_option, CUmemPool_attribute, CUmemoryPool, CUmodule,
};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The oldest cards whose instructions the kernels use: Ampere.
const OLDEST: (i32, i32) = (8, 0);

/// The open cards of this process, by index. A card is closed with its last stream of work, so that a process that continues
/// with other work frees its memory.
static OPEN: Mutex<BTreeMap<usize, Weak<OpenCard>>> = Mutex::new(BTreeMap::new());

/// What all streams of work on a card share.
pub(crate) struct OpenCard {
    pub(super) driver: Opened,
    pub(super) description: String,
    pub(super) pool: CUmemoryPool,
    pub(super) kernels: HashMap<String, CUfunction>,
    pub(super) products: Option<Products>,
    device: CUdevice,
    context: CUcontext,
    module: CUmodule,
}

// SAFETY: the handles belong to the driver and to cuBLASLt, which take calls from any thread; every call makes the context current first.
unsafe impl Send for OpenCard {}
// SAFETY: as above; once the card is open, nothing here changes except under the lock in `Products`.
unsafe impl Sync for OpenCard {}

impl OpenCard {
    /// The card of this index, newly or already open.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`] with what is missing and where it was searched for.
    pub(super) fn shared(index: usize) -> Result<Arc<Self>, GpuError> {
        // Held while one thread opens the card, so that no other does.
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(card) = open.get(&index).and_then(Weak::upgrade) {
            return Ok(card);
        }
        let card = Arc::new(Self::new(index)?);
        open.insert(index, Arc::downgrade(&card));
        Ok(card)
    }

    fn new(index: usize) -> Result<Self, GpuError> {
        let driver = Opened::new()?;
        let cards = driver.cards()?;
        let card = cards.get(index).cloned().ok_or_else(|| {
            let there = match cards.len() {
                0 => "the driver sees no card".to_owned(),
                n => format!("the driver sees {n}, the first of which is cuda:0"),
            };
            GpuError::Unavailable(format!("no card cuda:{index}: {there}"))
        })?;
        if card.capability < OLDEST {
            let (major, minor) = card.capability;
            return Err(GpuError::Unavailable(format!(
                "{} has compute capability {major}.{minor}; the kernels need {}.{} (Ampere) or newer",
                card.name, OLDEST.0, OLDEST.1
            )));
        }
        let (lt, place) = open_cublaslt()?;
        let description = format!(
            "{}, {} MiB, driver for CUDA {}, cuBLASLt {} ({place})",
            card.name,
            card.total >> 20,
            driver.version()?,
            // SAFETY: takes nothing.
            cublaslt_version(unsafe { (lt.cublasLtGetVersion)() }),
        );
        let mut card = Self {
            device: driver.device(c_int::try_from(index).unwrap_or(c_int::MAX))?,
            driver,
            description,
            context: null_mut(),
            pool: null_mut(),
            module: null_mut(),
            kernels: HashMap::new(),
            products: None,
        };
        card.prepare(lt)?;
        Ok(card)
    }

    /// If a step fails, `drop` frees what was created before.
    fn prepare(&mut self, lt: Lt) -> Result<(), GpuError> {
        let f = &self.driver.functions;
        let check = |call: &str, status| self.driver.check(call, status);
        // SAFETY: each call gets a place for its result; the pool's attribute is a 64-bit number.
        unsafe {
            check(
                "cuDevicePrimaryCtxRetain",
                (f.cuDevicePrimaryCtxRetain)(&raw mut self.context, self.device),
            )?;
            check("cuCtxSetCurrent", (f.cuCtxSetCurrent)(self.context))?;
            check(
                "cuDeviceGetDefaultMemPool",
                (f.cuDeviceGetDefaultMemPool)(&raw mut self.pool, self.device),
            )?;
            // Freed memory stays with the program for its next allocation.
            let mut all = u64::MAX;
            let threshold = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            check(
                "cuMemPoolSetAttribute",
                (f.cuMemPoolSetAttribute)(self.pool, threshold, (&raw mut all).cast()),
            )?;
        }
        self.load()?;
        self.products = Some(Products::new(lt)?);
        Ok(())
    }

    /// Lets the driver compile the kernels to machine code, and looks up each by its name.
    fn load(&mut self) -> Result<(), GpuError> {
        let text = ptx::text();
        let names: Vec<String> = ptx::entries(&text).into_iter().map(str::to_owned).collect();
        let image = CString::new(text).unwrap_or_default();
        let mut log = vec![0u8; 16 << 10];
        let mut options = [
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER,
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        ];
        let mut values = [
            log.as_mut_ptr().cast::<c_void>(),
            std::ptr::without_provenance_mut(log.len()),
        ];
        let f = &self.driver.functions;
        // SAFETY: the image ends with a zero, the log has as much room as its size says.
        let status = unsafe {
            (f.cuModuleLoadDataEx)(
                &raw mut self.module,
                image.as_ptr().cast(),
                2,
                options.as_mut_ptr(),
                values.as_mut_ptr(),
            )
        };
        self.driver
            .check("cuModuleLoadDataEx", status)
            .map_err(|error| {
                let log = String::from_utf8_lossy(&log)
                    .trim_end_matches('\0')
                    .trim()
                    .replace('\n', "; ");
                GpuError::Unavailable(format!(
                    "the driver does not take the kernels: {error} {log}"
                ))
            })?;
        for name in names {
            let mut function = null_mut();
            let c_name = CString::new(name.as_str()).unwrap_or_default();
            // SAFETY: the module is loaded, the name ends with a zero.
            let status =
                unsafe { (f.cuModuleGetFunction)(&raw mut function, self.module, c_name.as_ptr()) };
            self.driver.check("cuModuleGetFunction", status)?;
            self.kernels.insert(name, function);
        }
        Ok(())
    }

    pub(super) fn bind(&self) -> Result<(), GpuError> {
        // SAFETY: the context lives as long as `self`.
        self.driver.check("cuCtxSetCurrent", unsafe {
            (self.driver.functions.cuCtxSetCurrent)(self.context)
        })
    }
}

impl Drop for OpenCard {
    fn drop(&mut self) {
        if self.context.is_null() || self.bind().is_err() {
            return;
        }
        self.products = None;
        let f = &self.driver.functions;
        // SAFETY: each was made by `prepare` where it is not null; every stream of work on it has ended.
        unsafe {
            if !self.module.is_null() {
                let _ = (f.cuModuleUnload)(self.module);
            }
            if !self.pool.is_null() {
                let _ = (f.cuMemPoolTrimTo)(self.pool, 0);
            }
            let _ = (f.cuDevicePrimaryCtxRelease_v2)(self.device);
        }
    }
}
