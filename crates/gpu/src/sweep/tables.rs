//! The shape of a sweep in the format of its kernels.

use super::{ATTENTION, Pooling, SweepShape};
use crate::array::Table;
use crate::{Gpu, GpuError};

/// Frames that kernels process at a time, counted from the first of an utterance.
pub(super) const CHUNK: usize = 64;

/// Parameters per block: it sums their squares and updates them.
const PART: usize = 4096;

/// The positions of a point's numbers among those of all points.
pub(super) struct Point {
    pub(super) first_parameter: usize,
    pub(super) parameters: usize,
    pub(super) hidden: usize,
    /// Parameters of the pooling itself.
    own: usize,
    first_unit: usize,
    width: usize,
    first_pooled: usize,
    first_part: usize,
    parts: usize,
}

impl Point {
    fn row(&self, dim: usize, classes: usize) -> [i32; 11] {
        let hidden_bias = self.first_parameter + self.hidden * dim;
        let output = hidden_bias + self.hidden + self.own;
        [
            self.first_parameter,
            self.parameters,
            self.hidden,
            self.first_unit,
            self.width,
            self.first_pooled,
            hidden_bias,
            output,
            output + classes * self.width,
            self.first_part,
            self.parts,
        ]
        .map(|n| n as i32)
    }
}

/// The shape of a sweep, here and in device memory.
pub(super) struct Tables {
    pub(super) points: Vec<Point>,
    pub(super) dim: usize,
    pub(super) columns: usize,
    pub(super) classes: usize,
    pub(super) pooling: Pooling,
    /// Hidden units of all points, and the number of pooled values computed from them.
    pub(super) units: usize,
    pub(super) width: usize,
    pub(super) parts: usize,
    pub(super) points_table: Table,
    /// The point of each unit, and of each pooled number.
    pub(super) unit_points: Table,
    pub(super) pooled_points: Table,
    pub(super) parts_table: Table,
}

impl Tables {
    pub(super) fn new(gpu: &Gpu, shape: &SweepShape) -> Result<Self, GpuError> {
        let &SweepShape {
            dim,
            classes,
            pooling,
            ..
        } = shape;
        assert!(
            dim > 0 && classes > 0 && !shape.hidden.is_empty(),
            "a sweep of {shape:?}"
        );
        let mut points: Vec<Point> = Vec::new();
        let mut parts = Vec::new();
        for &hidden in &shape.hidden {
            let (hidden, width) = match pooling {
                Pooling::Features => (0, dim),
                Pooling::Mean => (hidden, hidden),
                Pooling::Statistics | Pooling::Attentive => (hidden, 2 * hidden),
            };
            let own = match pooling {
                Pooling::Attentive => ATTENTION * (hidden + 2),
                _ => 0,
            };
            assert!(width > 0, "a sweep of {shape:?}");
            let last = points.last();
            let point = Point {
                first_parameter: last.map_or(0, |p| p.first_parameter + p.parameters),
                parameters: hidden * dim + hidden + own + classes * width + classes,
                hidden,
                own,
                first_unit: last.map_or(0, |p| p.first_unit + p.hidden),
                width,
                first_pooled: last.map_or(0, |p| p.first_pooled + p.width),
                first_part: parts.len() / 3,
                parts: 0,
            };
            for from in (0..point.parameters).step_by(PART) {
                let count = PART.min(point.parameters - from);
                parts.extend([points.len(), point.first_parameter + from, count].map(|n| n as i32));
            }
            points.push(Point {
                parts: parts.len() / 3 - point.first_part,
                ..point
            });
        }
        let each = |count: fn(&Point) -> usize| -> Vec<i32> {
            let points = points.iter().zip(0..);
            let points = points.flat_map(|(point, at)| std::iter::repeat_n(at, count(point)));
            points.collect()
        };
        let (unit_points, pooled_points) = (each(|p| p.hidden), each(|p| p.width));
        let rows: Vec<i32> = points.iter().flat_map(|p| p.row(dim, classes)).collect();
        let all: usize = points.iter().map(|p| p.parameters).sum();
        assert!(
            i32::try_from(all).is_ok() && parts.len() / 3 > 0,
            "a sweep of {all} parameters"
        );
        let table = |values: &[i32]| Table::new(gpu.backend(), values);
        Ok(Self {
            units: unit_points.len(),
            width: pooled_points.len(),
            parts: parts.len() / 3,
            points_table: table(&rows)?,
            unit_points: table(&unit_points)?,
            pooled_points: table(&pooled_points)?,
            parts_table: table(&parts)?,
            points,
            dim,
            columns: dim.next_multiple_of(8),
            classes,
            pooling,
        })
    }

    pub(super) fn parameters(&self) -> usize {
        self.points.iter().map(|point| point.parameters).sum()
    }
}
