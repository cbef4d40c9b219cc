//! The kernels of `kernels/probe.h`, in the order of a step.

use super::buffers::Buffers;
use super::{Pooling, Sweep};
use crate::array::Table;
use crate::gpu::{THREADS, blocks};
use crate::{Argument, Array, Frames, GpuError};
use Argument::{Address, Int};

/// Units of a hidden layer that a block computes.
const TILE: usize = 128;
/// Columns of a gradient that a block computes.
const COLUMNS: usize = 64;

pub(super) fn array(array: &Array) -> Argument {
    Address(array.address())
}

pub(super) fn table(table: &Table) -> Argument {
    Address(table.address())
}

pub(super) fn int(number: usize) -> Argument {
    Int(number as i32)
}

impl Sweep {
    /// Copies parameters to the layout that a forward pass reads.
    pub(super) fn lay_out(&self) -> Result<(), GpuError> {
        let t = &self.tables;
        let arguments = [
            array(&self.values),
            table(&t.parts_table),
            table(&t.points_table),
            int(t.dim),
            int(t.columns),
            array(&self.high),
            array(&self.low),
            array(&self.bias),
        ];
        self.launch("probe_lay_out", [t.parts, 1, 1], &arguments)
    }

    pub(super) fn launch(
        &self,
        kernel: &str,
        grid: [usize; 3],
        arguments: &[Argument],
    ) -> Result<(), GpuError> {
        // SAFETY: the arguments of every call below are those of the kernel of that name; its arrays have the lengths that the
        // tables and the buffers were made for, and `Buffers::fill` has checked that the lists stay inside both.
        unsafe { self.gpu.run(kernel, grid, THREADS, arguments) }
    }

    /// From frames to logits.
    pub(super) fn launch_forward(
        &self,
        frames: &Frames,
        buffers: &Buffers,
    ) -> Result<(), GpuError> {
        let (t, lists, room) = (&self.tables, buffers.lists(), buffers.room());
        let (steps, counter) = (table(&lists.steps), table(&lists.counter));
        let utterances = table(&lists.utterances);
        let layer = |results: &[Argument]| {
            let mut arguments = vec![
                array(&frames.array),
                int(t.columns),
                array(&self.high),
                array(&self.low),
                array(&self.bias),
                int(t.units),
                table(&lists.chunks),
                steps,
                counter,
            ];
            arguments.extend_from_slice(results);
            arguments
        };
        let tiles = [t.units.div_ceil(TILE), room.chunks, 1];
        let by_unit = [blocks(t.units), room.utterances, 1];
        match t.pooling {
            Pooling::Features => {
                let arguments = [
                    array(&frames.array),
                    int(t.columns),
                    int(t.dim),
                    int(t.width),
                    utterances,
                    steps,
                    counter,
                    array(&room.pooled),
                ];
                let grid = [blocks(t.dim), room.utterances, 1];
                self.launch("probe_mean_features", grid, &arguments)?;
            }
            Pooling::Mean => {
                let arguments = layer(&[array(&room.sums), table(&room.gates)]);
                self.launch("probe_forward", tiles, &arguments)?;
                let arguments = [
                    array(&room.sums),
                    table(&room.gates),
                    int(t.units),
                    utterances,
                    steps,
                    counter,
                    array(&room.pooled),
                    array(&room.counts),
                ];
                self.launch("probe_mean", by_unit, &arguments)?;
            }
            Pooling::Attentive => {
                self.launch("probe_hidden", tiles, &layer(&[array(&room.kept)]))?;
                self.attend(buffers)?;
            }
            Pooling::Statistics => {
                self.launch("probe_hidden", tiles, &layer(&[array(&room.kept)]))?;
                let arguments = [
                    array(&room.kept),
                    int(t.units),
                    table(&t.unit_points),
                    table(&t.points_table),
                    utterances,
                    steps,
                    counter,
                    int(t.width),
                    array(&room.pooled),
                ];
                self.launch("probe_statistics", by_unit, &arguments)?;
            }
        }
        let said = t.points.len() * t.classes;
        let arguments = [
            array(&room.pooled),
            int(t.width),
            array(&self.values),
            table(&t.points_table),
            int(t.points.len()),
            int(t.classes),
            steps,
            counter,
            array(&room.logits),
        ];
        let grid = [said.div_ceil(8), room.utterances, 1];
        self.launch("probe_logits", grid, &arguments)
    }

    /// A whole step on the batch of the counter, which then moves to the next.
    pub(super) fn launch_step(&self, frames: &Frames, buffers: &Buffers) -> Result<(), GpuError> {
        self.launch_forward(frames, buffers)?;
        let (t, lists, room) = (&self.tables, buffers.lists(), buffers.room());
        let (steps, counter) = (table(&lists.steps), table(&lists.counter));
        let (utterances, points) = (table(&lists.utterances), table(&t.points_table));
        let unit_points = table(&t.unit_points);
        let arguments = [
            array(&room.logits),
            int(t.classes),
            utterances,
            steps,
            counter,
            table(&lists.totals),
            table(&self.weights),
            table(&self.offsets),
            array(&room.slopes),
            table(&room.each),
            int(room.utterances),
            table(&room.losses),
        ];
        self.launch("probe_loss", [t.points.len(), 1, 1], &arguments)?;
        let averaged = t.pooling == Pooling::Mean;
        let arguments = [
            array(&room.slopes),
            array(&self.values),
            int(t.width),
            table(&t.pooled_points),
            points,
            int(t.points.len()),
            int(t.classes),
            utterances,
            steps,
            counter,
            if averaged {
                array(&room.counts)
            } else {
                Address(0)
            },
            array(&room.back),
            array(&room.bias_parts),
        ];
        if t.pooling != Pooling::Features {
            let grid = [blocks(t.width), room.utterances, 1];
            self.launch("probe_back", grid, &arguments)?;
        }
        if t.pooling == Pooling::Statistics {
            let arguments = [
                array(&room.kept),
                int(t.units),
                unit_points,
                points,
                utterances,
                steps,
                counter,
                int(t.width),
                array(&room.pooled),
                array(&room.back),
                array(&room.bias_parts),
            ];
            let grid = [blocks(t.units), room.utterances, 1];
            self.launch("probe_statistics_back", grid, &arguments)?;
        }
        if t.pooling == Pooling::Attentive {
            self.attend_back(buffers)?;
        }
        let arguments = [
            array(&room.slopes),
            array(&room.pooled),
            int(t.width),
            table(&t.pooled_points),
            points,
            int(t.points.len()),
            int(t.classes),
            array(&room.bias_parts),
            int(t.units),
            unit_points,
            steps,
            counter,
            array(&self.gradient),
        ];
        let numbers = t.width * t.classes + t.units + t.points.len() * t.classes;
        self.launch("probe_small_gradient", [blocks(numbers), 1, 1], &arguments)?;
        if t.pooling != Pooling::Features {
            let (kernel, tall, mut arguments) = match averaged {
                true => ("probe_weight_gradient", TILE, vec![]),
                false => ("probe_dense_gradient", COLUMNS, vec![]),
            };
            arguments.extend([array(&frames.array), int(t.columns), int(t.dim)]);
            match averaged {
                true => arguments.extend([table(&room.gates), array(&room.back)]),
                false => arguments.push(array(&room.kept)),
            }
            arguments.extend([
                int(t.units),
                unit_points,
                points,
                table(&lists.chunks),
                steps,
                counter,
                array(&self.gradient),
            ]);
            let grid = [t.columns.div_ceil(COLUMNS), t.units.div_ceil(tall), 1];
            self.launch(kernel, grid, &arguments)?;
        }
        self.launch_update(buffers)
    }

    fn launch_update(&self, buffers: &Buffers) -> Result<(), GpuError> {
        let (t, lists, room) = (&self.tables, buffers.lists(), buffers.room());
        let (parts, points) = (table(&t.parts_table), table(&t.points_table));
        let squares = table(&self.squares);
        let grid = [t.parts, 1, 1];
        let arguments = [array(&self.gradient), parts, squares];
        self.launch("probe_squares", grid, &arguments)?;
        let arguments = [
            array(&self.values),
            array(&self.first),
            array(&self.second),
            array(&self.gradient),
            parts,
            points,
            int(t.points.len()),
            squares,
            table(&self.settings),
            table(&self.done),
            int(t.dim),
            int(t.columns),
            array(&self.high),
            array(&self.low),
            array(&self.bias),
        ];
        self.launch("probe_adam", grid, &arguments)?;
        let arguments = [
            points,
            int(t.points.len()),
            squares,
            table(&room.losses),
            table(&lists.totals),
            table(&self.done),
            table(&self.left_out),
            table(&self.epoch),
            table(&lists.counter),
        ];
        self.launch("probe_advance", [1, 1, 1], &arguments)
    }
}
