//! Probes trained in device memory: all points of a sweep at once, over batches of any utterances.

mod attentive;
mod buffers;
mod launches;
mod tables;

use crate::array::Table;
use crate::{Array, Frames, Gpu, GpuError, Numbers};
use buffers::{Buffers, Recorded};
use tables::Tables;

/// How a probe pools an utterance's frames before its last linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of the features themselves: there is no hidden layer.
    Features,
    /// The mean of a hidden layer after ReLU.
    Mean,
    /// Mean and standard deviation of a hidden layer after ReLU.
    Statistics,
    /// The same with learned weights of the frames: softmax of `v · tanh(W z + b)`, of [`ATTENTION`] numbers per frame.
    Attentive,
}

/// Numbers from which the score of a frame is computed, see [`Pooling::Attentive`].
pub const ATTENTION: usize = 64;

/// The points of a sweep.
#[derive(Debug, Clone)]
pub struct SweepShape {
    /// Features per frame.
    pub dim: usize,
    /// Classes.
    pub classes: usize,
    /// Units of the hidden layer of every point; ignored for [`Pooling::Features`].
    pub hidden: Vec<usize>,
    /// How frames are pooled.
    pub pooling: Pooling,
    /// Adam's beta 1, beta 2 and epsilon.
    pub adam: [f64; 3],
    /// The norm that gradients are clipped to.
    pub clip_norm: f64,
}

/// An utterance of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utterance {
    /// Its first row in the frames.
    pub first_row: usize,
    /// Number of rows, at least one.
    pub frames: usize,
    /// Its class.
    pub label: usize,
}

impl Utterance {
    /// Number of frame chunks; a batch has at most [`MOST_CHUNKS`].
    pub fn chunks(&self) -> usize {
        self.frames.div_ceil(tables::CHUNK)
    }
}

/// The maximum number of chunks in a batch, because of the limit on a grid's blocks.
pub const MOST_CHUNKS: usize = crate::gpu::MOST;

/// The parameters of a point, flat: hidden weights `[unit, dim]` and biases if there is a hidden layer, `W`, `b` and `v` of
/// [`Pooling::Attentive`], output weights `[class, width]`, output biases; with Adam's two running means.
#[derive(Debug, Clone, PartialEq)]
pub struct PointState {
    /// The parameters.
    pub values: Vec<f32>,
    /// Running mean of the gradient.
    pub first: Vec<f32>,
    /// Running mean of its square.
    pub second: Vec<f32>,
    /// Number of updates.
    pub steps: u64,
}

/// A sweep in device memory. Points are independent: each gives the same bits as it would alone.
pub struct Sweep {
    gpu: Gpu,
    tables: Tables,
    /// For all points, in order.
    values: Array,
    first: Array,
    second: Array,
    gradient: Array,
    /// Hidden weights as two numbers of 16 bits, `[unit, columns]`, and hidden biases.
    high: Array,
    low: Array,
    bias: Array,
    /// Sums of squares of parts of the gradient.
    squares: Table,
    /// Learning rates, then Adam's constants and the clip norm.
    settings: Table,
    /// A weight and an offset per class.
    weights: Table,
    offsets: Table,
    class_weights: Vec<f64>,
    /// Updates made and skipped, per point.
    done: Table,
    left_out: Table,
    /// Loss × weight of the epoch so far, per point.
    epoch: Table,
    training: Buffers,
    scoring: Buffers,
}

impl Sweep {
    /// Allocates memory for the points; [`Sweep::load`] sets their parameters.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If there is no point, or one without units or classes.
    pub fn new(gpu: &Gpu, shape: &SweepShape) -> Result<Self, GpuError> {
        let tables = Tables::new(gpu, shape)?;
        let (points, parameters) = (tables.points.len(), tables.parameters());
        let wide = |len| gpu.room(Numbers::F32, len);
        let room = |len| Table::room::<f64>(gpu.backend(), len);
        let laid_out = tables.units.max(1) * tables.columns;
        let narrow = || -> Result<Array, GpuError> {
            let array = gpu.room(Numbers::F16, laid_out)?;
            // Columns beyond the features of a row stay zero.
            array.clear()?;
            Ok(array)
        };
        let counts = || -> Result<Table, GpuError> {
            let table = Table::room::<i32>(gpu.backend(), points)?;
            table.clear()?;
            Ok(table)
        };
        let settings = room(points + 4)?;
        let [beta1, beta2, epsilon] = shape.adam;
        settings.write(points, &[beta1, beta2, epsilon, shape.clip_norm])?;
        let gradient = wide(parameters)?;
        gradient.clear()?;
        let sweep = Self {
            values: wide(parameters)?,
            first: wide(parameters)?,
            second: wide(parameters)?,
            gradient,
            high: narrow()?,
            low: narrow()?,
            bias: wide(tables.units.max(1))?,
            squares: room(tables.parts)?,
            settings,
            weights: room(shape.classes)?,
            offsets: room(shape.classes)?,
            class_weights: vec![1.0; shape.classes],
            done: counts()?,
            left_out: counts()?,
            epoch: room(points)?,
            training: Buffers::default(),
            scoring: Buffers::default(),
            tables,
            gpu: gpu.clone(),
        };
        Ok(sweep)
    }

    fn range(&self, point: usize) -> (usize, usize) {
        let point = &self.tables.points[point];
        (point.first_parameter, point.parameters)
    }

    /// Sets the parameters of a point.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If their number is not that of the point.
    pub fn load(&mut self, point: usize, state: &PointState) -> Result<(), GpuError> {
        let (first, count) = self.range(point);
        let arrays = [&self.values, &self.first, &self.second];
        for (array, numbers) in arrays
            .iter()
            .zip([&state.values, &state.first, &state.second])
        {
            assert_eq!(numbers.len(), count, "parameters of point {point}");
            array.write_bytes(first, bytemuck::cast_slice(numbers))?;
        }
        let steps = i32::try_from(state.steps).unwrap_or(i32::MAX);
        self.done.write(point, &[steps])?;
        self.lay_out()
    }

    /// The parameters of a point only.
    ///
    /// # Errors
    /// [`GpuError`], also for errors in earlier operations.
    pub fn values(&self, point: usize) -> Result<Vec<f32>, GpuError> {
        let (first, count) = self.range(point);
        self.values.read(first, count)
    }

    /// Everything that a point needs to resume.
    ///
    /// # Errors
    /// As [`Sweep::values`].
    pub fn state(&self, point: usize) -> Result<PointState, GpuError> {
        let (first, count) = self.range(point);
        let steps = self.done.read::<i32>(point, 1)?;
        Ok(PointState {
            values: self.values(point)?,
            first: self.first.read(first, count)?,
            second: self.second.read(first, count)?,
            steps: steps
                .first()
                .map_or(0, |&steps| u64::from(steps.cast_unsigned())),
        })
    }

    /// The gradient of the last step, not yet clipped.
    ///
    /// # Errors
    /// As [`Sweep::values`].
    pub fn gradient(&self, point: usize) -> Result<Vec<f32>, GpuError> {
        let (first, count) = self.range(point);
        self.gradient.read(first, count)
    }

    /// Updates skipped since the sweep was created because a point's gradient was not finite.
    ///
    /// # Errors
    /// As [`Sweep::values`].
    pub fn left_out(&self) -> Result<u64, GpuError> {
        let counts = self.left_out.read::<i32>(0, self.tables.points.len())?;
        Ok(counts.iter().map(|&n| u64::from(n.cast_unsigned())).sum())
    }

    /// Settings of the coming steps: the learning rate of each point, and the classes' weights in the loss and offsets of their
    /// logits. Sets the epoch's losses to zero.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If their numbers are not those of the points or classes.
    pub fn begin_epoch(
        &mut self,
        rates: &[f64],
        weights: &[f64],
        offsets: &[f64],
    ) -> Result<(), GpuError> {
        let classes = self.tables.classes;
        assert_eq!(rates.len(), self.tables.points.len(), "learning rates");
        assert!(
            weights.len() == classes && offsets.len() == classes,
            "weights and offsets of {classes} classes"
        );
        self.settings.write(0, rates)?;
        self.weights.write(0, weights)?;
        self.offsets.write(0, offsets)?;
        self.class_weights = weights.to_vec();
        self.epoch.clear()
    }

    /// Loss × weight of every point over the steps since [`Sweep::begin_epoch`].
    ///
    /// # Errors
    /// As [`Sweep::values`].
    pub fn losses(&self) -> Result<Vec<f64>, GpuError> {
        self.epoch.read(0, self.tables.points.len())
    }

    /// Makes a step on each batch, in order. `keep_going` is called after each with its index; `false` is returned at once.
    ///
    /// # Errors
    /// [`GpuError`]; an error on a card may be reported by a later call.
    ///
    /// # Panics
    /// If an utterance is outside `frames` or has a label beyond the classes, or a batch is empty or has more than [`MOST_CHUNKS`].
    pub fn train(
        &mut self,
        frames: &Frames,
        batches: &[Vec<Utterance>],
        mut keep_going: impl FnMut(usize) -> bool,
    ) -> Result<bool, GpuError> {
        let mut buffers = std::mem::take(&mut self.training);
        buffers.fill(
            &self.gpu,
            &self.tables,
            frames,
            batches,
            &self.class_weights,
        )?;
        let step = match buffers.recorded(frames) {
            Some(step) => step,
            None => Recorded::of(&self.gpu, frames, || self.launch_step(frames, &buffers))?,
        };
        let mut went_on = true;
        for at in 0..batches.len() {
            step.replay()?;
            if !keep_going(at) {
                went_on = false;
                break;
            }
        }
        buffers.keep(step);
        self.training = buffers;
        Ok(went_on)
    }

    /// The logits of every point for some utterances, `[utterance, point, class]`.
    ///
    /// # Errors
    /// [`GpuError`], also for errors in earlier operations.
    ///
    /// # Panics
    /// As [`Sweep::train`].
    pub fn logits(&mut self, frames: &Frames, batch: &[Utterance]) -> Result<Vec<f32>, GpuError> {
        let mut buffers = std::mem::take(&mut self.scoring);
        let batches = [batch.to_vec()];
        buffers.fill(
            &self.gpu,
            &self.tables,
            frames,
            &batches,
            &self.class_weights,
        )?;
        self.launch_forward(frames, &buffers)?;
        let count = batch.len() * self.tables.points.len() * self.tables.classes;
        let logits = buffers.logits(count)?;
        self.scoring = buffers;
        Ok(logits)
    }
}
