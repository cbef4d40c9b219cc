use super::card::OpenCard;
use super::tables::Status;
use crate::{Argument, Backend, GpuError, Memory, Product};
use cudarc::driver::sys::{CUmemPool_attribute, CUstream};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError};

/// The buffer for results, in page-locked memory.
const STAGE: usize = 32 << 20;
/// CUDA_ERROR_OUT_OF_MEMORY
const OUT_OF_MEMORY: Status = 2;
/// The workspace of cuBLASLt.
const WORKSPACE: usize = 32 << 20;

/// A stream of work on a card: its operations run in order.
pub(crate) struct Cuda {
    pub(super) card: Arc<OpenCard>,
    pub(super) stream: CUstream,
    workspace: u64,
    /// Address of page-locked memory; the lock is held while it is in use.
    stage: Mutex<usize>,
}

// SAFETY: the handles belong to the driver, which takes calls from any thread; every call makes the context current first.
unsafe impl Send for Cuda {}
// SAFETY: as above; work of all threads goes to one stream in the order of the calls.
unsafe impl Sync for Cuda {}

impl Cuda {
    /// A stream of work on the card of this index, which is opened once per process for all streams of work.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`] with what is missing and where it was searched for.
    pub(crate) fn open(index: usize) -> Result<Self, GpuError> {
        Self::on(OpenCard::shared(index)?)
    }

    fn on(card: Arc<OpenCard>) -> Result<Self, GpuError> {
        let mut cuda = Self {
            card,
            stream: null_mut(),
            workspace: 0,
            stage: Mutex::new(0),
        };
        cuda.prepare()?;
        Ok(cuda)
    }

    /// The resources of a single stream of work; if a step fails, `drop` frees what was created before.
    fn prepare(&mut self) -> Result<(), GpuError> {
        self.bind()?;
        let f = &self.card.driver.functions;
        let check = |call: &str, status| self.card.driver.check(call, status);
        // SAFETY: each call gets a place for its result.
        unsafe {
            // CU_STREAM_NON_BLOCKING
            check(
                "cuStreamCreate",
                (f.cuStreamCreate)(&raw mut self.stream, 1),
            )?;
            let mut stage = null_mut();
            check(
                "cuMemHostAlloc",
                (f.cuMemHostAlloc)(&raw mut stage, STAGE, 0),
            )?;
            *self.stage.get_mut().unwrap_or_else(PoisonError::into_inner) = stage as usize;
        }
        self.workspace = self.allocate(WORKSPACE)?;
        Ok(())
    }

    pub(super) fn bind(&self) -> Result<(), GpuError> {
        self.card.bind()
    }

    fn wait(&self) -> Result<(), GpuError> {
        // SAFETY: the stream lives as long as `self`.
        self.card.driver.check("cuStreamSynchronize", unsafe {
            (self.card.driver.functions.cuStreamSynchronize)(self.stream)
        })
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        if self.bind().is_err() {
            return;
        }
        let _ = self.wait();
        let stage = *self.stage.get_mut().unwrap_or_else(PoisonError::into_inner);
        let f = &self.card.driver.functions;
        // SAFETY: each was made by `prepare` where it is not null, and nothing uses it any more.
        unsafe {
            if self.workspace != 0 {
                let _ = (f.cuMemFreeAsync)(self.workspace, self.stream);
            }
            if stage != 0 {
                let _ = (f.cuMemFreeHost)(stage as *mut c_void);
            }
            if !self.stream.is_null() {
                let _ = (f.cuStreamDestroy_v2)(self.stream);
            }
        }
    }
}

impl Backend for Cuda {
    fn describe(&self) -> String {
        self.card.description.clone()
    }

    /// Memory that the pool holds unused counts as free too.
    fn memory(&self) -> Result<Memory, GpuError> {
        self.bind()?;
        let (mut free, mut total) = (0, 0);
        let [mut reserved, mut used] = [0u64; 2];
        let f = &self.card.driver.functions;
        // SAFETY: numbers of the right widths to write to.
        unsafe {
            self.card.driver.check(
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
                    self.card.pool,
                    attribute,
                    std::ptr::from_mut(value).cast(),
                );
                self.card.driver.check("cuMemPoolGetAttribute", status)?;
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
        let f = &self.card.driver.functions;
        let mut address = 0;
        // SAFETY: an address to write to.
        let mut status = unsafe { (f.cuMemAllocAsync)(&raw mut address, bytes, self.stream) };
        if status == OUT_OF_MEMORY {
            // Memory that was freed but not yet returned may be enough.
            self.wait()?;
            // SAFETY: the pool is the device's own.
            unsafe {
                let _ = (f.cuMemPoolTrimTo)(self.card.pool, 0);
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
        self.card.driver.check("cuMemAllocAsync", status)?;
        Ok(address)
    }

    unsafe fn release(&self, address: u64, _bytes: usize) {
        if self.bind().is_ok() {
            // SAFETY: as the caller promises; the memory is freed once the stream has reached this point.
            let _ = unsafe { (self.card.driver.functions.cuMemFreeAsync)(address, self.stream) };
        }
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: as the caller promises; from memory that is not page-locked the driver has copied when it returns.
        let status = unsafe {
            (self.card.driver.functions.cuMemcpyHtoDAsync_v2)(
                address,
                bytes.as_ptr().cast(),
                bytes.len(),
                self.stream,
            )
        };
        self.card.driver.check("cuMemcpyHtoDAsync", status)
    }

    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.bind()?;
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, part) in bytes.chunks_mut(STAGE).enumerate() {
            let from = address + (index * STAGE) as u64;
            // SAFETY: the caller's; the stage has room for a part, and is read after the copy is done.
            unsafe {
                let status = (self.card.driver.functions.cuMemcpyDtoHAsync_v2)(
                    *stage as *mut c_void,
                    from,
                    part.len(),
                    self.stream,
                );
                self.card.driver.check("cuMemcpyDtoHAsync", status)?;
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
            unsafe { (self.card.driver.functions.cuMemsetD8Async)(address, 0, bytes, self.stream) };
        self.card.driver.check("cuMemsetD8Async", status)
    }

    unsafe fn launch(
        &self,
        kernel: &str,
        [x, y, z]: [u32; 3],
        threads: u32,
        arguments: &[Argument],
    ) -> Result<(), GpuError> {
        self.bind()?;
        let Some(&function) = self.card.kernels.get(kernel) else {
            return Err(GpuError::Call {
                call: kernel.to_owned(),
                reason: "no such kernel".to_owned(),
            });
        };
        let mut pointers: Vec<*mut c_void> = arguments.iter().map(Argument::pointer).collect();
        // SAFETY: the caller's; the driver copies the arguments before it returns.
        let status = unsafe {
            (self.card.driver.functions.cuLaunchKernel)(
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
        self.card.driver.check(kernel, status)
    }

    unsafe fn product(&self, product: &Product) -> Result<(), GpuError> {
        self.bind()?;
        let Some(products) = &self.card.products else {
            return Err(GpuError::Call {
                call: "cublasLtMatmul".to_owned(),
                reason: "not open".to_owned(),
            });
        };
        // SAFETY: the caller's; the workspace is of the size given.
        unsafe { products.run(product, self.workspace, WORKSPACE, self.stream) }
    }

    fn beside(&self) -> Result<Arc<dyn Backend>, GpuError> {
        Ok(Arc::new(Self::on(Arc::clone(&self.card))?))
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
