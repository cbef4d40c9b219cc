//! The functions of the two libraries, found by name when the library is opened, so that one that lacks a function is refused with
//! the function's name. Signatures and types are those of `cudarc`'s generated bindings.

use cudarc::cublaslt::sys as lt;
use cudarc::driver::sys as cu;
use libloading::Library;
use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};

/// The return value of a function: zero is success. A plain number, because a newer library may return values that the bindings do not know.
pub(crate) type Status = u32;

macro_rules! functions {
    ($(#[$about:meta])* $table:ident { $($name:ident($($argument:ty),*) -> $result:ty;)* }) => {
        $(#[$about])*
        #[expect(non_snake_case, reason = "the names are the library's")]
        pub(crate) struct $table {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),*) -> $result,)*
            _library: Library,
        }

        impl $table {
            /// Every function of `library`, or the name of the first missing one.
            #[expect(non_snake_case, reason = "as above")]
            pub(crate) fn of(library: Library) -> Result<Self, &'static str> {
                $(
                    // SAFETY: the signature is the one in the vendor's header, as generated for `cudarc`.
                    let $name = unsafe {
                        library.get::<unsafe extern "C" fn($($argument),*) -> $result>(concat!(stringify!($name), "\0").as_bytes())
                    };
                    let Ok($name) = $name.map(|symbol| *symbol) else {
                        return Err(stringify!($name));
                    };
                )*
                Ok(Self { $($name,)* _library: library })
            }
        }
    };
}

functions! {
    /// NVIDIA's driver.
    Driver {
        cuInit(c_uint) -> Status;
        cuDriverGetVersion(*mut c_int) -> Status;
        cuGetErrorString(Status, *mut *const c_char) -> Status;
        cuDeviceGetCount(*mut c_int) -> Status;
        cuDeviceGet(*mut cu::CUdevice, c_int) -> Status;
        cuDeviceGetName(*mut c_char, c_int, cu::CUdevice) -> Status;
        cuDeviceGetAttribute(*mut c_int, cu::CUdevice_attribute, cu::CUdevice) -> Status;
        cuDeviceTotalMem_v2(*mut usize, cu::CUdevice) -> Status;
        cuDevicePrimaryCtxRetain(*mut cu::CUcontext, cu::CUdevice) -> Status;
        cuDevicePrimaryCtxRelease_v2(cu::CUdevice) -> Status;
        cuCtxSetCurrent(cu::CUcontext) -> Status;
        cuStreamCreate(*mut cu::CUstream, c_uint) -> Status;
        cuStreamSynchronize(cu::CUstream) -> Status;
        cuStreamDestroy_v2(cu::CUstream) -> Status;
        cuDeviceGetDefaultMemPool(*mut cu::CUmemoryPool, cu::CUdevice) -> Status;
        cuMemPoolSetAttribute(cu::CUmemoryPool, cu::CUmemPool_attribute, *mut c_void) -> Status;
        cuMemPoolGetAttribute(cu::CUmemoryPool, cu::CUmemPool_attribute, *mut c_void) -> Status;
        cuMemPoolTrimTo(cu::CUmemoryPool, usize) -> Status;
        cuMemAllocAsync(*mut cu::CUdeviceptr, usize, cu::CUstream) -> Status;
        cuMemFreeAsync(cu::CUdeviceptr, cu::CUstream) -> Status;
        cuMemcpyHtoDAsync_v2(cu::CUdeviceptr, *const c_void, usize, cu::CUstream) -> Status;
        cuMemcpyDtoHAsync_v2(*mut c_void, cu::CUdeviceptr, usize, cu::CUstream) -> Status;
        cuMemsetD8Async(cu::CUdeviceptr, u8, usize, cu::CUstream) -> Status;
        cuMemGetInfo_v2(*mut usize, *mut usize) -> Status;
        cuMemHostAlloc(*mut *mut c_void, usize, c_uint) -> Status;
        cuMemFreeHost(*mut c_void) -> Status;
        cuModuleLoadDataEx(*mut cu::CUmodule, *const c_void, c_uint, *mut cu::CUjit_option, *mut *mut c_void) -> Status;
        cuModuleGetFunction(*mut cu::CUfunction, cu::CUmodule, *const c_char) -> Status;
        cuModuleUnload(cu::CUmodule) -> Status;
        cuStreamBeginCapture_v2(cu::CUstream, cu::CUstreamCaptureMode) -> Status;
        cuStreamEndCapture(cu::CUstream, *mut cu::CUgraph) -> Status;
        cuGraphInstantiateWithFlags(*mut cu::CUgraphExec, cu::CUgraph, c_ulonglong) -> Status;
        cuGraphDestroy(cu::CUgraph) -> Status;
        cuGraphLaunch(cu::CUgraphExec, cu::CUstream) -> Status;
        cuGraphExecDestroy(cu::CUgraphExec) -> Status;
        cuLaunchKernel(cu::CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, cu::CUstream, *mut *mut c_void, *mut *mut c_void) -> Status;
    }
}

functions! {
    /// NVIDIA's matrix products.
    Lt {
        cublasLtGetVersion() -> usize;
        cublasLtCreate(*mut lt::cublasLtHandle_t) -> Status;
        cublasLtDestroy(lt::cublasLtHandle_t) -> Status;
        cublasLtMatrixLayoutCreate(*mut lt::cublasLtMatrixLayout_t, lt::cudaDataType, u64, u64, i64) -> Status;
        cublasLtMatrixLayoutSetAttribute(lt::cublasLtMatrixLayout_t, lt::cublasLtMatrixLayoutAttribute_t, *const c_void, usize) -> Status;
        cublasLtMatrixLayoutDestroy(lt::cublasLtMatrixLayout_t) -> Status;
        cublasLtMatmulDescCreate(*mut lt::cublasLtMatmulDesc_t, lt::cublasComputeType_t, lt::cudaDataType) -> Status;
        cublasLtMatmulDescSetAttribute(lt::cublasLtMatmulDesc_t, lt::cublasLtMatmulDescAttributes_t, *const c_void, usize) -> Status;
        cublasLtMatmulDescDestroy(lt::cublasLtMatmulDesc_t) -> Status;
        cublasLtMatmulPreferenceCreate(*mut lt::cublasLtMatmulPreference_t) -> Status;
        cublasLtMatmulPreferenceSetAttribute(lt::cublasLtMatmulPreference_t, lt::cublasLtMatmulPreferenceAttributes_t, *const c_void, usize) -> Status;
        cublasLtMatmulPreferenceDestroy(lt::cublasLtMatmulPreference_t) -> Status;
        cublasLtMatmulAlgoGetHeuristic(lt::cublasLtHandle_t, lt::cublasLtMatmulDesc_t, lt::cublasLtMatrixLayout_t, lt::cublasLtMatrixLayout_t, lt::cublasLtMatrixLayout_t, lt::cublasLtMatrixLayout_t, lt::cublasLtMatmulPreference_t, c_int, *mut lt::cublasLtMatmulHeuristicResult_t, *mut c_int) -> Status;
        cublasLtMatmul(lt::cublasLtHandle_t, lt::cublasLtMatmulDesc_t, *const c_void, *const c_void, lt::cublasLtMatrixLayout_t, *const c_void, lt::cublasLtMatrixLayout_t, *const c_void, *const c_void, lt::cublasLtMatrixLayout_t, *mut c_void, lt::cublasLtMatrixLayout_t, *const lt::cublasLtMatmulAlgo_t, *mut c_void, usize, lt::cudaStream_t) -> Status;
    }
}
