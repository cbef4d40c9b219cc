//! Copies and sums of rows, and the layouts that convolutions read.

use crate::gpu::{THREADS, blocks};
use crate::{Activation, Argument, Array, Gpu, GpuError, Numbers, Spans};

/// Rows that are copied from one matrix to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCopy {
    /// Their first row in the source.
    pub source: usize,
    /// Their first row in the target.
    pub target: usize,
    /// Number of rows.
    pub rows: usize,
}

impl Gpu {
    /// `jobs` in the kernels' format, after a check that they stay inside.
    fn jobs(
        &self,
        jobs: &[RowCopy],
        source: usize,
        target: usize,
    ) -> Result<(u64, crate::array::Table, usize), GpuError> {
        let mut longest = 0;
        let mut values = Vec::with_capacity(3 * jobs.len());
        for job in jobs {
            assert!(
                job.source + job.rows <= source && job.target + job.rows <= target,
                "{job:?} from {source} rows to {target}"
            );
            longest = longest.max(job.rows);
            values.extend([job.source as i32, job.target as i32, job.rows as i32]);
        }
        let table = self.table(&values)?;
        Ok((table.address(), table, longest))
    }

    /// Runs a kernel over jobs of rows with `width` threads, in as many launches as needed, after a check that they stay inside.
    ///
    /// # Safety
    /// `arguments`, given the address of the jobs, are those of the kernel, and its matrices have `source` and `target` rows.
    unsafe fn over_jobs(
        &self,
        kernel: &str,
        width: usize,
        jobs: &[RowCopy],
        (source, target): (usize, usize),
        arguments: impl Fn(Argument) -> Vec<Argument>,
    ) -> Result<(), GpuError> {
        for jobs in jobs.chunks(crate::gpu::MOST) {
            let (address, _held, longest) = self.jobs(jobs, source, target)?;
            let grid = [blocks(longest * width), jobs.len(), 1];
            let arguments = arguments(Argument::Address(address));
            // SAFETY: the caller promises the arguments; the jobs were checked above.
            unsafe { self.run(kernel, grid, THREADS, &arguments)? };
        }
        Ok(())
    }

    /// Rows of `columns` numbers from `x` into `y`.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If a job exceeds either matrix, or their number types differ.
    pub fn move_rows(
        &self,
        x: &Array,
        y: &Array,
        columns: usize,
        jobs: &[RowCopy],
    ) -> Result<(), GpuError> {
        assert_eq!(x.numbers(), y.numbers(), "move_rows");
        let bytes = columns * x.numbers().bytes();
        let unit = if bytes.is_multiple_of(16) { 16 } else { 2 };
        let (kernel, units) = (format!("move_rows_{unit}"), bytes / unit);
        let rows_of = (x.len() / columns, y.len() / columns);
        // SAFETY: the arguments of the kernel, whose matrices are `x` and `y`.
        unsafe {
            self.over_jobs(&kernel, units, jobs, rows_of, |jobs| {
                vec![
                    Argument::Address(x.address()),
                    Argument::Address(y.address()),
                    jobs,
                    Argument::Int(units as i32),
                ]
            })
        }
    }

    /// A matrix of `rows` rows made from rows of `x`; rows that no job writes have arbitrary contents.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn take_rows(
        &self,
        x: &Array,
        columns: usize,
        rows: usize,
        jobs: &[RowCopy],
    ) -> Result<Array, GpuError> {
        let y = self.room(x.numbers(), rows * columns)?;
        self.move_rows(x, &y, columns, jobs)?;
        Ok(y)
    }

    /// Allocates memory for `len` numbers of any value, to move rows into.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn empty(&self, numbers: Numbers, len: usize) -> Result<Array, GpuError> {
        self.room(numbers, len)
    }

    /// `x + y` over the jobs from `y` to `x`, in f32; the other rows are those of `x`.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If a job exceeds either matrix, or one is not f32.
    pub fn add_rows(
        &self,
        x: Array,
        y: &Array,
        columns: usize,
        jobs: &[RowCopy],
    ) -> Result<Array, GpuError> {
        assert!(
            x.numbers() == Numbers::F32 && y.numbers() == Numbers::F32,
            "add_rows"
        );
        let rows = x.len() / columns;
        // In place if there is no other handle to it.
        let sum = match x.is_shared() {
            true => self.take_rows(
                &x,
                columns,
                rows,
                &[RowCopy {
                    source: 0,
                    target: 0,
                    rows,
                }],
            )?,
            false => x,
        };
        let rows_of = (y.len() / columns, rows);
        // SAFETY: the arguments of the kernel, whose matrices are `y` and `sum`.
        unsafe {
            self.over_jobs("add_rows", columns, jobs, rows_of, |jobs| {
                vec![
                    Argument::Address(y.address()),
                    Argument::Address(sum.address()),
                    jobs,
                    Argument::Int(columns as i32),
                ]
            })?;
        }
        Ok(sum)
    }

    /// Gated linear units: the first half of the columns times the logistic function of the second half, in the number type of `x`.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If `columns` is odd or `x` is not whole rows.
    pub fn glu(&self, x: &Array, columns: usize) -> Result<Array, GpuError> {
        let half = columns / 2;
        assert!(
            columns > 0 && columns.is_multiple_of(2) && x.len().is_multiple_of(columns),
            "glu: {} numbers in {columns} columns",
            x.len()
        );
        let rows = x.len() / columns;
        let y = self.room(x.numbers(), rows * half)?;
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(y.address()),
            Argument::Int(rows as i32),
            Argument::Int(half as i32),
        ];
        let kernel = format!("glu_{}", x.numbers().name());
        let grid = [blocks(rows * half.div_ceil(8)), 1, 1];
        // SAFETY: both halves of every row of `x` are read, every row of `y` is written.
        unsafe { self.run(&kernel, grid, THREADS, &arguments)? };
        Ok(y)
    }

    /// Rotary positions, in the number type of `x`: the first and second half `a` and `b` of each head's columns become
    /// `a cos − b sin` and `b cos + a sin`. `angles` `[row, head dim]` holds the cosines of each row of an utterance, then the
    /// sines. Rows outside the spans have arbitrary contents.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the lengths do not match, or `angles` is not f32.
    pub fn rotate(
        &self,
        x: &Array,
        spans: &Spans,
        columns: usize,
        angles: &Array,
        head_dim: usize,
    ) -> Result<Array, GpuError> {
        assert!(
            head_dim > 0 && head_dim.is_multiple_of(2) && columns.is_multiple_of(head_dim),
            "rotate: heads of {head_dim} in {columns} columns"
        );
        assert!(
            spans.end() * columns <= x.len(),
            "rotate: spans beyond the rows"
        );
        assert!(
            angles.numbers() == Numbers::F32 && angles.len() >= spans.longest() * head_dim,
            "rotate: {} numbers of angles",
            angles.len()
        );
        let y = self.room(x.numbers(), x.len())?;
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(y.address()),
            Argument::Address(angles.address()),
            Argument::Address(spans.address(self)?),
            Argument::Int(columns as i32),
            Argument::Int((head_dim / 2) as i32),
        ];
        let kernel = format!("rotate_{}", x.numbers().name());
        let pairs = spans.longest() * columns / 2;
        let grid = [blocks(pairs), spans.all().len(), 1];
        // SAFETY: the spans lie inside both matrices, and there are angles for the rows of the longest.
        unsafe { self.run(&kernel, grid, THREADS, &arguments)? };
        Ok(y)
    }

    /// The columns of `x`, then those of `y`, for the first `rows` rows.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the number types differ, or one has fewer rows.
    pub fn side_by_side(
        &self,
        (x, x_columns): (&Array, usize),
        (y, y_columns): (&Array, usize),
        rows: usize,
    ) -> Result<Array, GpuError> {
        assert_eq!(x.numbers(), y.numbers(), "beside");
        assert!(
            x.len() >= rows * x_columns && y.len() >= rows * y_columns,
            "beside: {} and {} numbers in {rows} rows",
            x.len(),
            y.len()
        );
        let out = self.room(x.numbers(), rows * (x_columns + y_columns))?;
        let bytes = [x_columns, y_columns].map(|columns| columns * x.numbers().bytes());
        let whole = bytes.iter().all(|bytes| bytes.is_multiple_of(16));
        let unit = if whole { 16 } else { 2 };
        let [x_units, y_units] = bytes.map(|bytes| bytes / unit);
        let arguments = [
            Argument::Address(x.address()),
            Argument::Address(y.address()),
            Argument::Address(out.address()),
            Argument::Int(rows as i32),
            Argument::Int(x_units as i32),
            Argument::Int(y_units as i32),
        ];
        let grid = [blocks(rows * (x_units + y_units)), 1, 1];
        // SAFETY: both have as many rows, and so has the result.
        unsafe { self.run(&format!("beside_{unit}"), grid, THREADS, &arguments)? };
        Ok(out)
    }

    /// Rows of `x` into zeros `[group, rows, columns / groups]` of the operands' number type.
    pub(crate) fn spread(
        &self,
        x: &Array,
        columns: usize,
        groups: usize,
        rows: usize,
        jobs: &[RowCopy],
    ) -> Result<Array, GpuError> {
        assert!(
            columns.is_multiple_of(groups),
            "spread: {columns} columns in {groups} groups"
        );
        let y = self.room(self.operands(), rows * columns)?;
        y.clear()?;
        let kernel = format!("spread_{}_{}", x.numbers().name(), self.operands().name());
        let rows_of = (x.len() / columns, rows);
        // SAFETY: the arguments of the kernel, whose matrices are `x` and `y`.
        unsafe {
            self.over_jobs(&kernel, columns, jobs, rows_of, |jobs| {
                vec![
                    Argument::Address(x.address()),
                    Argument::Address(y.address()),
                    jobs,
                    Argument::Int(columns as i32),
                    Argument::Int(groups as i32),
                    Argument::Int(rows as i32),
                ]
            })?;
        }
        Ok(y)
    }

    /// The inverse, from `[group, from_rows, columns / groups]` to `[rows, columns]`, with a bias and an activation.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a plain number of one kernel, called in one place"
    )]
    pub(crate) fn gather(
        &self,
        x: &Array,
        columns: usize,
        groups: usize,
        from_rows: usize,
        rows: usize,
        bias: Option<&Array>,
        activation: Activation,
        wide: bool,
        jobs: &[RowCopy],
    ) -> Result<Array, GpuError> {
        assert!(
            columns.is_multiple_of(groups) && x.len() >= from_rows * columns,
            "gather"
        );
        assert!(
            bias.is_none_or(|bias| bias.len() >= columns),
            "gather: bias"
        );
        let numbers = if wide { Numbers::F32 } else { self.operands() };
        let y = self.room(numbers, rows * columns)?;
        let narrow = self.operands() != Numbers::F32 && !wide;
        let kernel = format!("gather_{}", x.numbers().name());
        let rows_of = (from_rows, rows);
        // SAFETY: the arguments of the kernel, whose matrices are `x` and `y`.
        unsafe {
            self.over_jobs(&kernel, columns, jobs, rows_of, |jobs| {
                vec![
                    Argument::Address(x.address()),
                    Argument::Address(bias.map_or(0, Array::address)),
                    Argument::Address(if narrow { 0 } else { y.address() }),
                    Argument::Address(if narrow { y.address() } else { 0 }),
                    jobs,
                    Argument::Int(columns as i32),
                    Argument::Int(groups as i32),
                    Argument::Int(from_rows as i32),
                    activation.code(),
                ]
            })?;
        }
        Ok(y)
    }
}
