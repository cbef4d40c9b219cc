//! Products by cuBLASLt. It is column-major: our `y = x Wᵀ` is its `D = Wᵀ x` with the same memory.

use super::tables::{Lt, Status};
use crate::{GpuError, Numbers, Product};
use cudarc::cublaslt::sys::{
    cublasComputeType_t, cublasLtEpilogue_t, cublasLtHandle_t, cublasLtMatmulAlgo_t,
    cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, cublasLtMatmulHeuristicResult_t,
    cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, cublasLtMatrixLayout_t,
    cublasLtMatrixLayoutAttribute_t, cudaDataType,
};
use cudarc::driver::sys::CUstream;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

pub(super) struct Products {
    lt: Lt,
    handle: cublasLtHandle_t,
    /// The algorithm for each shape seen; querying takes longer than a small product.
    known: Mutex<HashMap<Product, cublasLtMatmulAlgo_t>>,
}

/// More than the number of shapes in the batches of a corpus; beyond this the list is cleared.
const MOST_KNOWN: usize = 4096;

fn check(call: &str, status: Status) -> Result<(), GpuError> {
    let name = match status {
        0 => return Ok(()),
        1 => "not initialised",
        3 => "no memory",
        7 => "invalid value",
        8 => "not for this card",
        13 => "execution failed",
        14 => "internal error",
        15 => "not supported",
        _ => "unknown",
    };
    Err(GpuError::Call {
        call: call.to_owned(),
        reason: format!("{name} (code {status})"),
    })
}

fn kind(numbers: Numbers) -> cudaDataType {
    match numbers {
        Numbers::F32 => cudaDataType::CUDA_R_32F,
        Numbers::Bf16 => cudaDataType::CUDA_R_16BF,
        Numbers::F16 => cudaDataType::CUDA_R_16F,
    }
}

/// The largest power of two up to 256 that divides every address and stride.
fn alignment(address: u64, steps: [usize; 2], numbers: Numbers) -> u32 {
    let bytes = steps.map(|step| (step * numbers.bytes()) as u64);
    let all = address | bytes[0] | bytes[1] | 256;
    1 << all.trailing_zeros()
}

impl Products {
    pub(super) fn new(lt: Lt) -> Result<Self, GpuError> {
        let mut handle = null_mut();
        // SAFETY: a handle to write to.
        check("cublasLtCreate", unsafe {
            (lt.cublasLtCreate)(&raw mut handle)
        })
        .map_err(|error| {
            GpuError::Unavailable(format!(
                "cuBLASLt does not start: {error} (is it newer than the driver?)"
            ))
        })?;
        Ok(Self {
            lt,
            handle,
            known: Mutex::new(HashMap::new()),
        })
    }

    /// # Safety
    /// Everything that the product reads and writes is allocated, as is the workspace.
    pub(super) unsafe fn run(
        &self,
        product: &Product,
        workspace: u64,
        workspace_bytes: usize,
        stream: CUstream,
    ) -> Result<(), GpuError> {
        let &Product {
            operands,
            results,
            rows,
            outputs,
            inputs,
            batch,
            ..
        } = product;
        let weight = self.layout(operands, [inputs, outputs], inputs, batch, 0)?;
        let x = self.layout(
            operands,
            [inputs, rows],
            product.x_row,
            batch,
            product.x_next,
        )?;
        let y = self.layout(
            results,
            [outputs, rows],
            product.y_row,
            batch,
            product.y_next,
        )?;
        let description = self.description(product)?;
        let algorithm =
            self.algorithm(product, [&weight, &x, &y], &description, workspace_bytes)?;
        let (one, zero) = (1.0f32, 0.0f32);
        let (beta, residual) = match product.residual {
            0 => (&zero, product.y),
            address => (&one, address),
        };
        // SAFETY: the caller's; layouts and description live until the call has returned, which is as long as cuBLASLt reads them.
        let status = unsafe {
            (self.lt.cublasLtMatmul)(
                self.handle,
                description.0,
                std::ptr::from_ref(&one).cast(),
                product.weight as *const c_void,
                weight.0,
                product.x as *const c_void,
                x.0,
                std::ptr::from_ref(beta).cast(),
                residual as *const c_void,
                y.0,
                product.y as *mut c_void,
                y.0,
                &raw const algorithm,
                workspace as *mut c_void,
                workspace_bytes,
                stream.cast(),
            )
        };
        check("cublasLtMatmul", status)
    }

    /// `[columns, rows]` in cuBLASLt's order: the first index varies fastest.
    fn layout(
        &self,
        numbers: Numbers,
        size: [usize; 2],
        step: usize,
        batch: usize,
        next: usize,
    ) -> Result<Layout<'_>, GpuError> {
        let mut handle = null_mut();
        // SAFETY: a handle to write to.
        let status = unsafe {
            (self.lt.cublasLtMatrixLayoutCreate)(
                &raw mut handle,
                kind(numbers),
                size[0] as u64,
                size[1] as u64,
                step as i64,
            )
        };
        check("cublasLtMatrixLayoutCreate", status)?;
        let layout = Layout(handle, &self.lt);
        if batch > 1 {
            let (count, next) = (batch as i32, next as i64);
            let set = |attribute, value: *const c_void, bytes| {
                // SAFETY: the attribute is of that many bytes.
                check("cublasLtMatrixLayoutSetAttribute", unsafe {
                    (self.lt.cublasLtMatrixLayoutSetAttribute)(layout.0, attribute, value, bytes)
                })
            };
            set(
                cublasLtMatrixLayoutAttribute_t::CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                (&raw const count).cast(),
                4,
            )?;
            set(
                cublasLtMatrixLayoutAttribute_t::CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                (&raw const next).cast(),
                8,
            )?;
        }
        Ok(layout)
    }

    fn description(&self, product: &Product) -> Result<Description<'_>, GpuError> {
        let mut handle = null_mut();
        // SAFETY: a handle to write to. f32 sums, also of f32 operands (no TF32).
        let status = unsafe {
            (self.lt.cublasLtMatmulDescCreate)(
                &raw mut handle,
                cublasComputeType_t::CUBLAS_COMPUTE_32F,
                cudaDataType::CUDA_R_32F,
            )
        };
        check("cublasLtMatmulDescCreate", status)?;
        let description = Description(handle, &self.lt);
        let set = |attribute, value: *const c_void, bytes| {
            // SAFETY: the attribute is of that many bytes.
            check("cublasLtMatmulDescSetAttribute", unsafe {
                (self.lt.cublasLtMatmulDescSetAttribute)(description.0, attribute, value, bytes)
            })
        };
        // CUBLAS_OP_T
        let turned = 1i32;
        set(
            cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
            (&raw const turned).cast(),
            4,
        )?;
        if product.bias != 0 {
            let epilogue = cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS;
            set(
                cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_EPILOGUE,
                (&raw const epilogue).cast(),
                4,
            )?;
            set(
                cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                (&raw const product.bias).cast(),
                8,
            )?;
        }
        Ok(description)
    }

    fn algorithm(
        &self,
        product: &Product,
        [weight, x, y]: [&Layout<'_>; 3],
        description: &Description<'_>,
        workspace: usize,
    ) -> Result<cublasLtMatmulAlgo_t, GpuError> {
        let results = product.results;
        let alignments = [
            alignment(product.weight, [product.inputs, 0], product.operands),
            alignment(product.x, [product.x_row, product.x_next], product.operands),
            alignment(
                product.y | product.residual,
                [product.y_row, product.y_next],
                results,
            ),
        ];
        // Shapes that differ only in addresses of the same alignment share an entry.
        let key = Product {
            weight: alignments[0].into(),
            x: alignments[1].into(),
            y: alignments[2].into(),
            bias: u64::from(product.bias != 0),
            residual: u64::from(product.residual != 0),
            ..*product
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(algorithm) = known.get(&key) {
            return Ok(*algorithm);
        }
        let mut handle = null_mut();
        // SAFETY: a handle to write to.
        check("cublasLtMatmulPreferenceCreate", unsafe {
            (self.lt.cublasLtMatmulPreferenceCreate)(&raw mut handle)
        })?;
        let preference = Preference(handle, &self.lt);
        let set = |attribute, value: *const c_void, bytes| {
            // SAFETY: the attribute is of that many bytes.
            check("cublasLtMatmulPreferenceSetAttribute", unsafe {
                (self.lt.cublasLtMatmulPreferenceSetAttribute)(
                    preference.0,
                    attribute,
                    value,
                    bytes,
                )
            })
        };
        use cublasLtMatmulPreferenceAttributes_t as Attribute;
        set(
            Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
            (&raw const workspace).cast(),
            8,
        )?;
        for (attribute, bytes) in [
            (
                Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                &alignments[0],
            ),
            (
                Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                &alignments[1],
            ),
            (
                Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                &alignments[2],
            ),
            (
                Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
                &alignments[2],
            ),
        ] {
            set(attribute, std::ptr::from_ref(bytes).cast(), 4)?;
        }
        let mut found = std::mem::MaybeUninit::<cublasLtMatmulHeuristicResult_t>::zeroed();
        let mut count = 0;
        // SAFETY: room for one answer, an int for their number.
        let status = unsafe {
            (self.lt.cublasLtMatmulAlgoGetHeuristic)(
                self.handle,
                description.0,
                weight.0,
                x.0,
                y.0,
                y.0,
                preference.0,
                1,
                found.as_mut_ptr(),
                &raw mut count,
            )
        };
        check("cublasLtMatmulAlgoGetHeuristic", status)?;
        if count == 0 {
            let reason = format!("no algorithm for {product:?}");
            return Err(GpuError::Call {
                call: "cublasLtMatmulAlgoGetHeuristic".to_owned(),
                reason,
            });
        }
        // SAFETY: cuBLASLt wrote one answer over the zeros; its status is not read as a value of the bindings' enum.
        let algorithm = unsafe { (&raw const (*found.as_ptr()).algo).read() };
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(key, algorithm);
        Ok(algorithm)
    }
}

impl Drop for Products {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and not used again.
        let _ = unsafe { (self.lt.cublasLtDestroy)(self.handle) };
    }
}

macro_rules! destroyed {
    ($($name:ident($handle:ty) by $function:ident;)*) => {
        $(
            struct $name<'a>($handle, &'a Lt);

            impl Drop for $name<'_> {
                fn drop(&mut self) {
                    // SAFETY: made by cuBLASLt, and not used again.
                    let _ = unsafe { (self.1.$function)(self.0) };
                }
            }
        )*
    };
}

destroyed! {
    Layout(cublasLtMatrixLayout_t) by cublasLtMatrixLayoutDestroy;
    Description(cublasLtMatmulDesc_t) by cublasLtMatmulDescDestroy;
    Preference(cublasLtMatmulPreference_t) by cublasLtMatmulPreferenceDestroy;
}
