use crate::team::Team;
use crate::{FeatureSource, Item, ProbeError};
use emobox_features::FrameView;
use emobox_kernels::GATE_FRAMES;
use std::ops::Range;

/// Largest number of frames in memory. A larger batch is processed in several slabs, so memory is bounded whatever the length
/// of the utterances.
const SLAB_FRAMES: usize = 16_384;

/// Utterances of different lengths that go through a head together.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) source: &'a dyn FeatureSource,
    pub(crate) items: &'a [Item],
    /// Positions in `items`.
    pub(crate) rows: &'a [usize],
    /// Whether to check for values that are not finite; once per utterance is enough.
    pub(crate) check: bool,
    pub(crate) team: &'a Team,
}

/// Consecutive frames of one utterance within a slab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The utterance, as a row of the batch.
    pub(crate) row: usize,
    /// Its frames.
    pub(crate) frames: Range<usize>,
    /// Position of the first of them in the slab.
    pub(crate) start: usize,
}

impl<'a> Batch<'a> {
    /// The frames of a piece of a single layer, if the source has them in memory.
    pub(crate) fn view(&self, piece: &Piece) -> Option<FrameView<'a>> {
        let view = self.source.view(self.rows[piece.row])?;
        Some(view.part(0, piece.frames.clone()))
    }

    /// Frames of a row.
    pub(crate) fn frames(&self, row: usize) -> usize {
        self.source.frames(self.rows[row])
    }

    /// The batch cut into slabs of pieces. Utterances are cut only at multiples of [`BLOCK`], so sums over blocks of frames do
    /// not depend on the other utterances of the batch.
    pub(crate) fn slabs(&self) -> Vec<Vec<Piece>> {
        let (mut slabs, mut slab) = (Vec::new(), Vec::new());
        let mut used = 0;
        for row in 0..self.rows.len() {
            let frames = self.frames(row);
            let mut from = 0;
            while from < frames {
                let room = (SLAB_FRAMES - used) / BLOCK * BLOCK;
                if room == 0 || (from == 0 && frames > room && used > 0) {
                    slabs.push(std::mem::take(&mut slab));
                    used = 0;
                    continue;
                }
                let to = frames.min(from + room);
                slab.push(Piece {
                    row,
                    frames: from..to,
                    start: used,
                });
                used += to - from;
                from = to;
            }
        }
        slabs.push(slab);
        slabs
    }

    /// Reads the frames of a slab into `out`, `[frame, dim]`, as f32.
    pub(crate) fn load(
        &self,
        slab: &[Piece],
        layer: usize,
        out: &mut Vec<f32>,
    ) -> Result<(), ProbeError> {
        let dim = self.source.dim();
        let frames: usize = slab.iter().map(|piece| piece.frames.len()).sum();
        out.resize(frames * dim, 0.0);
        let mut rest = out.as_mut_slice();
        let mut parts = Vec::with_capacity(slab.len());
        for piece in slab {
            let (mine, others) = rest.split_at_mut(piece.frames.len() * dim);
            rest = others;
            parts.push((piece, mine, Ok(())));
        }
        self.team.each(&mut parts, |(piece, out, result)| {
            let item = self.rows[piece.row];
            *result = self.source.read(item, layer, piece.frames.clone(), out);
            if self.check && result.is_ok() {
                *result = finite(&self.items[item], piece, out, dim);
            }
        });
        parts.into_iter().try_for_each(|(_, _, result)| result)
    }
}

/// Frames that are summed together before they are added to an utterance's sum: keeps rounding errors of long utterances small.
/// Counted from the utterance's first frame.
pub(crate) const BLOCK: usize = GATE_FRAMES;

/// Rejects frames with values that are not finite.
pub(crate) fn finite(
    item: &Item,
    piece: &Piece,
    numbers: &[f32],
    dim: usize,
) -> Result<(), ProbeError> {
    if numbers.iter().all(|x| x.is_finite()) {
        return Ok(());
    }
    let at = numbers.iter().position(|x| !x.is_finite()).unwrap_or(0);
    Err(ProbeError::Features {
        key: item.key.clone(),
        problem: format!(
            "frame {}, dimension {} is {}, expected a finite number",
            piece.frames.start + at / dim,
            at % dim,
            numbers[at]
        ),
    })
}
