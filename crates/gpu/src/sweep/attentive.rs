//! The kernels of `kernels/attentive.h`, in the order of a step.

use super::buffers::Buffers;
use super::launches::{array, int, table};
use super::{ATTENTION, Sweep};
use crate::GpuError;
use crate::gpu::blocks;

/// Number of hidden units per block when it computes the gradient of the scores' weights.
const UNITS: usize = 64;

impl Sweep {
    /// Computes frame weights from the stored hidden layer, and the pooled result.
    pub(super) fn attend(&self, buffers: &Buffers) -> Result<(), GpuError> {
        let (t, lists, room) = (&self.tables, buffers.lists(), buffers.room());
        let (steps, counter) = (table(&lists.steps), table(&lists.counter));
        let (utterances, points) = (table(&lists.utterances), table(&t.points_table));
        let count = t.points.len();
        let arguments = [
            array(&room.kept),
            int(t.units),
            array(&self.values),
            points,
            int(count),
            table(&lists.chunks),
            steps,
            counter,
            array(&room.scored),
            array(&room.alpha),
        ];
        self.launch("probe_score", [count, room.chunks, 1], &arguments)?;
        let arguments = [array(&room.alpha), int(count), utterances, steps, counter];
        self.launch("probe_softmax", [count, room.utterances, 1], &arguments)?;
        let arguments = [
            array(&room.kept),
            int(t.units),
            table(&t.unit_points),
            points,
            int(count),
            utterances,
            steps,
            counter,
            array(&room.alpha),
            int(t.width),
            array(&room.pooled),
        ];
        let grid = [blocks(t.units), room.utterances, 1];
        self.launch("probe_attentive", grid, &arguments)
    }

    /// Turns gradients with respect to the pooled result into gradients with respect to the hidden layer, in its place, and computes those
    /// of the pooling's own parameters.
    pub(super) fn attend_back(&self, buffers: &Buffers) -> Result<(), GpuError> {
        let (t, lists, room) = (&self.tables, buffers.lists(), buffers.room());
        let (steps, counter) = (table(&lists.steps), table(&lists.counter));
        let (utterances, points) = (table(&lists.utterances), table(&t.points_table));
        let count = t.points.len();
        let arguments = [
            array(&room.kept),
            int(t.units),
            points,
            int(count),
            table(&lists.chunks),
            steps,
            counter,
            int(t.width),
            array(&room.pooled),
            array(&room.back),
            array(&room.by_alpha),
        ];
        self.launch("probe_attentive_alpha", [count, room.chunks, 1], &arguments)?;
        let arguments = [
            array(&room.alpha),
            array(&room.by_alpha),
            int(count),
            utterances,
            steps,
            counter,
        ];
        self.launch(
            "probe_softmax_back",
            [count, room.utterances, 1],
            &arguments,
        )?;
        let arguments = [
            array(&room.scored),
            array(&room.by_alpha),
            array(&self.values),
            points,
            int(count),
            utterances,
            steps,
            counter,
            array(&room.own_parts),
        ];
        let grid = [blocks(count * ATTENTION), room.utterances, 1];
        self.launch("probe_score_back", grid, &arguments)?;
        let arguments = [
            array(&room.own_parts),
            points,
            int(count),
            steps,
            counter,
            array(&self.gradient),
        ];
        let grid = [blocks(count * 2 * ATTENTION), 1, 1];
        self.launch("probe_own_gradient", grid, &arguments)?;
        let arguments = [
            array(&room.scored),
            array(&room.kept),
            int(t.units),
            points,
            int(count),
            table(&lists.chunks),
            steps,
            counter,
            array(&self.gradient),
        ];
        let largest = t.points.iter().map(|point| point.hidden).max().unwrap_or(0);
        let grid = [largest.div_ceil(UNITS), count, 1];
        self.launch("probe_score_gradient", grid, &arguments)?;
        let arguments = [
            array(&room.kept),
            int(t.units),
            table(&t.unit_points),
            points,
            int(count),
            utterances,
            steps,
            counter,
            int(t.width),
            array(&self.values),
            array(&room.pooled),
            array(&room.back),
            array(&room.alpha),
            array(&room.scored),
            array(&room.bias_parts),
        ];
        let grid = [blocks(t.units), room.utterances, 1];
        self.launch("probe_attentive_back", grid, &arguments)
    }
}
