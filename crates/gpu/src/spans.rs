use crate::array::Table;
use crate::gpu::MOST;
use crate::{Gpu, GpuError};
use std::sync::OnceLock;

/// The positions of utterances in a matrix: first row and number of rows of each, in order, without overlap.
pub struct Spans {
    spans: Vec<(usize, usize)>,
    table: OnceLock<Table>,
}

impl Spans {
    /// From (first row, rows).
    ///
    /// # Panics
    /// If there are none or too many for a grid, or if they are empty or overlap.
    pub fn new(spans: Vec<(usize, usize)>) -> Self {
        assert!((1..=MOST).contains(&spans.len()), "{} spans", spans.len());
        let mut end = 0;
        for &(first, rows) in &spans {
            assert!(
                first >= end && rows > 0,
                "a span of {rows} rows from {first} after {end}"
            );
            end = first + rows;
        }
        assert!(
            i32::try_from(end).is_ok(),
            "{end} rows are more than an int counts"
        );
        Self {
            spans,
            table: OnceLock::new(),
        }
    }

    /// Consecutive spans.
    pub fn packed(rows: impl IntoIterator<Item = usize>) -> Self {
        let mut first = 0;
        let spans = rows.into_iter().map(|rows| {
            first += rows;
            (first - rows, rows)
        });
        Self::new(spans.collect())
    }

    /// (first row, rows) of each.
    pub fn all(&self) -> &[(usize, usize)] {
        &self.spans
    }

    /// Rows of the longest span.
    pub fn longest(&self) -> usize {
        self.spans.iter().map(|&(_, rows)| rows).max().unwrap_or(0)
    }

    /// The row after the last.
    pub fn end(&self) -> usize {
        self.spans.last().map_or(0, |&(first, rows)| first + rows)
    }

    /// Rows of all spans.
    pub fn total(&self) -> usize {
        self.spans.iter().map(|&(_, rows)| rows).sum()
    }

    pub(crate) fn address(&self, gpu: &Gpu) -> Result<u64, GpuError> {
        if let Some(table) = self.table.get() {
            return Ok(table.address());
        }
        let values: Vec<i32> = self
            .spans
            .iter()
            .flat_map(|&(first, rows)| [first as i32, rows as i32])
            .collect();
        let table = Table::new(gpu.backend(), &values)?;
        Ok(self.table.get_or_init(|| table).address())
    }
}
