use super::libraries;
use super::products::Products;
use super::tables::{Driver, Lt, Status};
use crate::{Argument, Backend, GpuError, Memory, Product, ptx};
use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdevice_attribute, CUfunction, CUjit_option, CUmemPool_attribute,
    CUmemoryPool, CUmodule, CUstream,
};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError};

/// The oldest cards whose instructions the kernels use: Ampere.
const OLDEST: (i32, i32) = (8, 0);
/// Through which results come back, in page-locked memory.
const STAGE: usize = 32 << 20;
/// CUDA_ERROR_OUT_OF_MEMORY
const OUT_OF_MEMORY: Status = 2;
/// What cuBLASLt may use for itself.
const WORKSPACE: usize = 32 << 20;

/// The driver, initialised.
pub(crate) struct Opened {
    pub(crate) functions: Driver,
    pub(crate) place: String,
}

/// A card as the driver tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) capability: (i32, i32),
    pub(crate) total: usize,
}

impl Opened {
    /// # Errors
    /// A line that says what is missing.
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
        // SAFETY: the first call, as the driver wants it.
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

    /// As `13.0`: the newest CUDA that the driver serves.
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

    fn device(&self, index: c_int) -> Result<CUdevice, GpuError> {
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

/// A card in use.
pub(crate) struct Cuda {
    pub(super) driver: Opened,
    index: usize,
    description: String,
    device: CUdevice,
    context: CUcontext,
    pub(super) stream: CUstream,
    pool: CUmemoryPool,
    module: CUmodule,
    kernels: HashMap<String, CUfunction>,
    products: Option<Products>,
    workspace: u64,
    /// Address of page-locked memory; the lock is held while it is in use.
    stage: Mutex<usize>,
}

// SAFETY: the handles belong to the driver, which takes calls from any thread; every call makes the context current first.
unsafe impl Send for Cuda {}
// SAFETY: as above; work of all threads goes to one stream in the order of the calls.
unsafe impl Sync for Cuda {}

impl Cuda {
    /// # Errors
    /// [`GpuError::Unavailable`] with what is missing and where it was looked for.
    pub(crate) fn open(index: usize) -> Result<Self, GpuError> {
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
            super::report::cublaslt_version(unsafe { (lt.cublasLtGetVersion)() }),
        );
        let mut cuda = Self {
            device: driver.device(c_int::try_from(index).unwrap_or(c_int::MAX))?,
            driver,
            index,
            description,
            context: null_mut(),
            stream: null_mut(),
            pool: null_mut(),
            module: null_mut(),
            kernels: HashMap::new(),
            products: None,
            workspace: 0,
            stage: Mutex::new(0),
        };
        cuda.prepare(lt)?;
        Ok(cuda)
    }

    /// What an open card has; what is there when one step fails is given back by `drop`.
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
            // CU_STREAM_NON_BLOCKING
            check(
                "cuStreamCreate",
                (f.cuStreamCreate)(&raw mut self.stream, 1),
            )?;
            check(
                "cuDeviceGetDefaultMemPool",
                (f.cuDeviceGetDefaultMemPool)(&raw mut self.pool, self.device),
            )?;
            // What is freed stays with the program for its next allocation.
            let mut all = u64::MAX;
            let threshold = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            check(
                "cuMemPoolSetAttribute",
                (f.cuMemPoolSetAttribute)(self.pool, threshold, (&raw mut all).cast()),
            )?;
            let mut stage = null_mut();
            check(
                "cuMemHostAlloc",
                (f.cuMemHostAlloc)(&raw mut stage, STAGE, 0),
            )?;
            *self.stage.get_mut().unwrap_or_else(PoisonError::into_inner) = stage as usize;
        }
        self.load()?;
        self.workspace = self.allocate(WORKSPACE)?;
        self.products = Some(Products::new(lt)?);
        Ok(())
    }

    /// Has the driver make machine code of the kernels, and finds each by its name.
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

    fn wait(&self) -> Result<(), GpuError> {
        // SAFETY: the stream lives as long as `self`.
        self.driver.check("cuStreamSynchronize", unsafe {
            (self.driver.functions.cuStreamSynchronize)(self.stream)
        })
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        if self.context.is_null() || self.bind().is_err() {
            return;
        }
        let _ = self.wait();
        self.products = None;
        let stage = *self.stage.get_mut().unwrap_or_else(PoisonError::into_inner);
        let f = &self.driver.functions;
        // SAFETY: each was made by `prepare` where it is not null, and nothing uses it any more.
        unsafe {
            if self.workspace != 0 {
                let _ = (f.cuMemFreeAsync)(self.workspace, self.stream);
            }
            if !self.module.is_null() {
                let _ = (f.cuModuleUnload)(self.module);
            }
            if stage != 0 {
                let _ = (f.cuMemFreeHost)(stage as *mut c_void);
            }
            if !self.stream.is_null() {
                let _ = (f.cuStreamDestroy_v2)(self.stream);
            }
            let _ = (f.cuDevicePrimaryCtxRelease_v2)(self.device);
        }
    }
}

impl Backend for Cuda {
    fn describe(&self) -> String {
        self.description.clone()
    }

    /// What the pool holds and nobody uses is free too.
    fn memory(&self) -> Result<Memory, GpuError> {
        self.bind()?;
        let (mut free, mut total) = (0, 0);
        let [mut reserved, mut used] = [0u64; 2];
        let f = &self.driver.functions;
        // SAFETY: numbers of the right widths to write to.
        unsafe {
            self.driver.check(
                "cuMemGetInfo",
                (f.cuMemGetInfo_v2)(&raw mut free, &raw mut total),
            )?;
            for (attribute, value) in [
                (
                    CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT,
                    &mut reserved,
                ),
                (
                    CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
                    &mut used,
                ),
            ] {
                let status = (f.cuMemPoolGetAttribute)(
                    self.pool,
                    attribute,
                    std::ptr::from_mut(value).cast(),
                );
                self.driver.check("cuMemPoolGetAttribute", status)?;
            }
        }
        let kept = usize::try_from(reserved.saturating_sub(used)).unwrap_or(0);
        Ok(Memory {
            free: free + kept,
            total,
        })
    }

    fn allocate(&self, bytes: usize) -> Result<u64, GpuError> {
        self.bind()?;
        let f = &self.driver.functions;
        let mut address = 0;
        // SAFETY: an address to write to.
        let mut status = unsafe { (f.cuMemAllocAsync)(&raw mut address, bytes, self.stream) };
        if status == OUT_OF_MEMORY {
            // What was freed but not yet given back may be enough.
            self.wait()?;
            // SAFETY: the pool is the device's own.
            unsafe {
                let _ = (f.cuMemPoolTrimTo)(self.pool, 0);
                status = (f.cuMemAllocAsync)(&raw mut address, bytes, self.stream);
            }
        }
        if status == OUT_OF_MEMORY {
            let Memory { free, total } = self.memory()?;
            return Err(GpuError::OutOfMemory {
                asked: bytes,
                free,
                total,
            });
        }
        self.driver.check("cuMemAllocAsync", status)?;
        Ok(address)
    }

    unsafe fn release(&self, address: u64, _bytes: usize) {
        if self.bind().is_ok() {
            // SAFETY: the caller's; the memory is free once the stream has come so far.
            let _ = unsafe { (self.driver.functions.cuMemFreeAsync)(address, self.stream) };
        }
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: the caller's; from memory that is not page-locked the driver has copied when it returns.
        let status = unsafe {
            (self.driver.functions.cuMemcpyHtoDAsync_v2)(
                address,
                bytes.as_ptr().cast(),
                bytes.len(),
                self.stream,
            )
        };
        self.driver.check("cuMemcpyHtoDAsync", status)
    }

    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.bind()?;
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, part) in bytes.chunks_mut(STAGE).enumerate() {
            let from = address + (index * STAGE) as u64;
            // SAFETY: the caller's; the stage has room for a part, and is read after the copy is done.
            unsafe {
                let status = (self.driver.functions.cuMemcpyDtoHAsync_v2)(
                    *stage as *mut c_void,
                    from,
                    part.len(),
                    self.stream,
                );
                self.driver.check("cuMemcpyDtoHAsync", status)?;
                self.wait()?;
                part.as_mut_ptr()
                    .copy_from_nonoverlapping(*stage as *const u8, part.len());
            }
        }
        Ok(())
    }

    unsafe fn clear(&self, address: u64, bytes: usize) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: the caller's.
        let status =
            unsafe { (self.driver.functions.cuMemsetD8Async)(address, 0, bytes, self.stream) };
        self.driver.check("cuMemsetD8Async", status)
    }

    unsafe fn launch(
        &self,
        kernel: &str,
        [x, y, z]: [u32; 3],
        threads: u32,
        arguments: &[Argument],
    ) -> Result<(), GpuError> {
        self.bind()?;
        let Some(&function) = self.kernels.get(kernel) else {
            return Err(GpuError::Call {
                call: kernel.to_owned(),
                reason: "no such kernel".to_owned(),
            });
        };
        let mut pointers: Vec<*mut c_void> = arguments.iter().map(Argument::pointer).collect();
        // SAFETY: the caller's; the driver copies the arguments before it returns.
        let status = unsafe {
            (self.driver.functions.cuLaunchKernel)(
                function,
                x,
                y,
                z,
                threads,
                1,
                1,
                0,
                self.stream,
                pointers.as_mut_ptr(),
                null_mut(),
            )
        };
        self.driver.check(kernel, status)
    }

    unsafe fn product(&self, product: &Product) -> Result<(), GpuError> {
        self.bind()?;
        let Some(products) = &self.products else {
            return Err(GpuError::Call {
                call: "cublasLtMatmul".to_owned(),
                reason: "not open".to_owned(),
            });
        };
        // SAFETY: the caller's; the workspace is of the size given.
        unsafe { products.run(product, self.workspace, WORKSPACE, self.stream) }
    }

    fn beside(&self) -> Result<Arc<dyn Backend>, GpuError> {
        Ok(Arc::new(Self::open(self.index)?))
    }

    fn record(&self) -> Result<(), GpuError> {
        self.begin_graph()
    }

    fn recorded(&self) -> Result<u64, GpuError> {
        self.end_graph()
    }

    unsafe fn replay(&self, recording: u64) -> Result<(), GpuError> {
        // SAFETY: the caller's.
        unsafe { self.run_graph(recording) }
    }

    unsafe fn forget(&self, recording: u64) {
        // SAFETY: the caller's.
        unsafe { self.drop_graph(recording) };
    }

    fn finish(&self) -> Result<(), GpuError> {
        self.bind()?;
        self.wait()
    }
}
