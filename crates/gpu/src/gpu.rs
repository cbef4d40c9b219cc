use crate::array::Table;
use crate::cuda::Cuda;
use crate::{Argument, Array, Backend, GpuError, Host, Memory, Numbers, Product};
use std::sync::Arc;

/// The maximum number of blocks in a grid's second and third dimension.
pub(crate) const MOST: usize = 65_535;

/// A device and its operations. Cheap to clone.
#[derive(Clone)]
pub struct Gpu {
    backend: Arc<dyn Backend>,
    operands: Numbers,
}

/// The function applied last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// The larger of the number and zero.
    Relu,
    /// The Gaussian error linear unit, by the error function.
    Gelu,
    /// The number times its logistic function.
    Silu,
}

impl Activation {
    pub(crate) fn code(self) -> Argument {
        Argument::Int(match self {
            Self::None => 0,
            Self::Relu => 1,
            Self::Gelu => 2,
            Self::Silu => 3,
        })
    }
}

/// The number type of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// Only f32: the residual stream.
    Wide,
    /// Only the operands' number type: what a product or attention reads next.
    Narrow,
    /// Both.
    Both,
}

/// A linear map: `weight` is `[outputs, inputs]`.
pub struct Linear {
    weight: Array,
    bias: Option<Array>,
    narrow_bias: Option<Array>,
    outputs: usize,
    inputs: usize,
}

impl Linear {
    /// Output columns.
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

/// Scale and shift per column (or none) and the constant added to the variance.
pub struct Norm {
    affine: Option<(Array, Array)>,
    columns: usize,
    epsilon: f32,
}

/// Threads per block in kernels whose threads are independent.
pub(crate) const THREADS: u32 = 256;

impl Gpu {
    /// The NVIDIA card of this index, with products of this number type.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`] with what is missing and where it was searched for.
    pub fn cuda(index: usize, operands: Numbers) -> Result<Self, GpuError> {
        Ok(Self::on(Arc::new(Cuda::open(index)?), operands))
    }

    /// The same kernels on this machine's CPU with this many bytes of memory: slow, for tests; needs a C++ compiler.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`] if there is none.
    pub fn host(operands: Numbers, memory: usize) -> Result<Self, GpuError> {
        Ok(Self::on(Arc::new(Host::new(memory)?), operands))
    }

    /// Uses the caller's backend.
    pub fn on(backend: Arc<dyn Backend>, operands: Numbers) -> Self {
        Self { backend, operands }
    }

    /// The same device with products of another number type.
    pub fn with_operands(&self, operands: Numbers) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            operands,
        }
    }

    /// The same device with another stream of work, independent of this one: what this one has uploaded may be used on both once
    /// this one has [finished](Self::finish).
    ///
    /// # Errors
    /// [`GpuError::Unavailable`].
    pub fn beside(&self) -> Result<Self, GpuError> {
        Ok(Self {
            backend: self.backend.beside()?,
            operands: self.operands,
        })
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The number type of products.
    pub fn operands(&self) -> Numbers {
        self.operands
    }

    /// A description as text: the card, the driver, the libraries.
    pub fn describe(&self) -> String {
        self.backend.describe()
    }

    /// Free and total memory.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    pub fn memory(&self) -> Result<Memory, GpuError> {
        self.backend.memory()
    }

    /// Waits until everything is done.
    ///
    /// # Errors
    /// [`GpuError::Call`] for errors since then.
    pub fn finish(&self) -> Result<(), GpuError> {
        self.backend.finish()
    }

    pub(crate) fn room(&self, numbers: Numbers, len: usize) -> Result<Array, GpuError> {
        Array::new(&self.backend, numbers, len)
    }

    pub(crate) fn table(&self, values: &[i32]) -> Result<Table, GpuError> {
        Table::new(&self.backend, values)
    }

    /// Values without conversion.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn upload(&self, values: &[f32]) -> Result<Array, GpuError> {
        self.upload_as(Numbers::F32, values)
    }

    pub(crate) fn upload_as(&self, numbers: Numbers, values: &[f32]) -> Result<Array, GpuError> {
        let array = self.room(numbers, values.len())?;
        array.write(values)?;
        Ok(array)
    }

    /// `count` numbers from index `first` on, after all earlier work is done.
    ///
    /// # Errors
    /// [`GpuError`], also for errors in earlier operations.
    pub fn download(&self, x: &Array, first: usize, count: usize) -> Result<Vec<f32>, GpuError> {
        x.read(first, count)
    }

    /// # Safety
    /// Like [`Backend::launch`].
    pub(crate) unsafe fn run(
        &self,
        kernel: &str,
        grid: [usize; 3],
        threads: u32,
        arguments: &[Argument],
    ) -> Result<(), GpuError> {
        let size =
            |n: usize| u32::try_from(n).unwrap_or_else(|_| panic!("{kernel}: a grid of {grid:?}"));
        assert!(grid[1].max(grid[2]) <= MOST, "{kernel}: a grid of {grid:?}");
        // SAFETY: the caller's.
        unsafe {
            self.backend
                .launch(kernel, grid.map(size), threads, arguments)
        }
    }

    /// The same values in another number type; the array itself if it has that type.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn cast(&self, x: &Array, numbers: Numbers) -> Result<Array, GpuError> {
        if x.numbers() == numbers {
            return Ok(x.clone());
        }
        let y = self.room(numbers, x.len())?;
        let eights = eights(x.len());
        let kernel = format!("cast_{}_{}", x.numbers().name(), numbers.name());
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(y.address()),
            Argument::Long(eights as u64),
        ];
        // SAFETY: both hold eight numbers for each of `eights`.
        unsafe { self.run(&kernel, [blocks(eights), 1, 1], THREADS, &arguments)? };
        Ok(y)
    }

    /// A linear map's weights, `[outputs, inputs]`.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the lengths do not match.
    pub fn linear_weights(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        outputs: usize,
    ) -> Result<Linear, GpuError> {
        assert!(
            outputs > 0 && weight.len().is_multiple_of(outputs),
            "{} weights of {outputs} outputs",
            weight.len()
        );
        assert!(
            bias.is_none_or(|bias| bias.len() == outputs),
            "a bias of another length"
        );
        let upload = |numbers| bias.map(|bias| self.upload_as(numbers, bias)).transpose();
        Ok(Linear {
            weight: self.upload_as(self.operands, weight)?,
            bias: upload(Numbers::F32)?,
            narrow_bias: upload(self.operands)?,
            outputs,
            inputs: weight.len() / outputs,
        })
    }

    /// `activation(x Wᵀ + b) + residual` of the first `rows` rows; f32 if there is a residual or `results` says so.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If `x` does not have the operands' number type, or the lengths do not match.
    #[expect(
        clippy::too_many_arguments,
        reason = "one product's operands, each of its own kind"
    )]
    pub fn linear(
        &self,
        x: &Array,
        rows: usize,
        weights: &Linear,
        activation: Activation,
        residual: Option<&Array>,
        results: Numbers,
    ) -> Result<Array, GpuError> {
        let &Linear {
            outputs, inputs, ..
        } = weights;
        assert_eq!(x.numbers(), self.operands, "linear: operands");
        assert!(
            rows > 0 && x.len() >= rows * inputs,
            "linear: {} numbers of [{rows}, {inputs}]",
            x.len()
        );
        assert!(
            residual.is_none_or(|r| r.numbers() == results
                && r.len() >= rows * outputs
                && activation == Activation::None),
            "linear: a residual of other numbers or fewer"
        );
        let y = self.room(results, rows * outputs)?;
        // Added before the result is rounded; in the result's number type, as cuBLASLt requires.
        let bias = match results {
            Numbers::F32 => weights.bias.as_ref(),
            _ => weights.narrow_bias.as_ref(),
        };
        let product = Product {
            operands: self.operands,
            results,
            rows,
            outputs,
            inputs,
            batch: 1,
            x: x.address(),
            x_row: inputs,
            x_next: 0,
            weight: weights.weight.address(),
            y: y.address(),
            y_row: outputs,
            y_next: 0,
            bias: bias.map_or(0, Array::address),
            residual: residual.map_or(0, Array::address),
        };
        // SAFETY: lengths are checked above; the weight is `[outputs, inputs]` of the operands' numbers.
        unsafe { self.backend.product(&product)? };
        if activation != Activation::None {
            self.bias_activate(&y, None, outputs, activation)?;
        }
        Ok(y)
    }

    /// `activation(x + bias)` in place.
    pub(crate) fn bias_activate(
        &self,
        x: &Array,
        bias: Option<&Array>,
        columns: usize,
        activation: Activation,
    ) -> Result<(), GpuError> {
        assert!(
            columns > 0 && bias.is_none_or(|bias| bias.len() >= columns),
            "bias: {columns} columns"
        );
        let eights = eights(x.len());
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(bias.map_or(0, Array::address)),
            Argument::Int(columns as i32),
            activation.code(),
            Argument::Long(eights as u64),
        ];
        let kernel = format!("bias_activate_{}", x.numbers().name());
        // SAFETY: eights cover the array, the bias every column.
        unsafe { self.run(&kernel, [blocks(eights), 1, 1], THREADS, &arguments) }
    }

    /// The weights of a norm.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If scale and shift differ in length.
    pub fn norm_weights(
        &self,
        affine: Option<(&[f32], &[f32])>,
        epsilon: f32,
    ) -> Result<Norm, GpuError> {
        let columns = affine.map_or(0, |(scale, _)| scale.len());
        assert!(
            affine.is_none_or(|(_, shift)| shift.len() == columns),
            "a norm's scale and shift"
        );
        let affine = match affine {
            None => None,
            Some((scale, shift)) => Some((self.upload(scale)?, self.upload(shift)?)),
        };
        Ok(Norm {
            affine,
            columns,
            epsilon,
        })
    }

    /// Normalises every row of `[rows, columns]` to zero mean and unit variance, scales, shifts and activates it: in f32, in the operands'
    /// number type.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the lengths do not match.
    pub fn norm(
        &self,
        x: &Array,
        columns: usize,
        weights: &Norm,
        activation: Activation,
        outputs: Outputs,
    ) -> Result<(Option<Array>, Option<Array>), GpuError> {
        assert!(
            columns > 0 && x.len().is_multiple_of(columns),
            "norm: {} numbers in {columns} columns",
            x.len()
        );
        assert!(
            weights.affine.is_none() || weights.columns == columns,
            "norm: {columns} columns of {}",
            weights.columns
        );
        let rows = x.len() / columns;
        let proof = self.operands == Numbers::F32;
        let wide = match outputs == Outputs::Narrow && !proof {
            true => None,
            false => Some(self.room(Numbers::F32, rows * columns)?),
        };
        let narrow = match outputs == Outputs::Wide || proof {
            true => None,
            false => Some(self.room(self.operands, rows * columns)?),
        };
        let of = |array: Option<&Array>| Argument::Address(array.map_or(0, Array::address));
        let arguments = [
            Argument::Address(x.address()),
            of(weights.affine.as_ref().map(|(scale, _)| scale)),
            of(weights.affine.as_ref().map(|(_, shift)| shift)),
            of(wide.as_ref()),
            of(narrow.as_ref()),
            Argument::Int(rows as i32),
            Argument::Int(columns as i32),
            Argument::Float(weights.epsilon),
            activation.code(),
        ];
        let kernel = format!("norm_{}_{}", x.numbers().name(), self.operands.name());
        // SAFETY: rows × columns numbers are read and written, scale and shift have a number a column.
        unsafe { self.run(&kernel, [rows.div_ceil(8), 1, 1], THREADS, &arguments)? };
        // In f32 one array serves as both.
        if proof {
            return Ok((wide.clone(), wide));
        }
        Ok((wide, narrow))
    }

    /// `x · scale + shift` in f32.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the lengths do not match, or the norm has no scale.
    pub fn scale_shift(&self, x: &Array, weights: &Norm) -> Result<Array, GpuError> {
        let Some((scale, shift)) = &weights.affine else {
            panic!("scale_shift: neither scale nor shift");
        };
        assert!(
            x.len().is_multiple_of(weights.columns),
            "scale_shift: {}",
            x.len()
        );
        assert_eq!(x.numbers(), Numbers::F32, "scale_shift");
        let y = self.room(Numbers::F32, x.len())?;
        let eights = eights(x.len());
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(scale.address()),
            Argument::Address(shift.address()),
            Argument::Address(y.address()),
            Argument::Int(weights.columns as i32),
            Argument::Long(eights as u64),
        ];
        // SAFETY: eights cover both arrays.
        unsafe { self.run("scale_shift", [blocks(eights), 1, 1], THREADS, &arguments)? };
        Ok(y)
    }
}

/// How many groups of eight cover `len` numbers; the memory of an array extends to the end of the last group.
pub(crate) fn eights(len: usize) -> usize {
    len.div_ceil(8)
}

/// Blocks of [`THREADS`] for this many items.
pub(crate) fn blocks(items: usize) -> usize {
    items.div_ceil(THREADS as usize).max(1)
}
