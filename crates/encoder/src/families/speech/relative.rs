use crate::EncoderError;
use crate::config::Config;
use crate::ops::{OpResult, Ops};
use crate::weights::Loader;

/// The shape of WavLM's relative position bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RelativeShape {
    pub(crate) buckets: usize,
    /// Distances from this one on share a bucket.
    pub(crate) farthest: usize,
}

impl RelativeShape {
    /// From the keys of the number of buckets and of the farthest distance, with their defaults.
    pub(in crate::families) fn read(
        config: &Config<'_>,
        [(buckets, many), (farthest, far)]: [(&str, usize); 2],
    ) -> Result<Self, EncoderError> {
        let many = config.count(buckets, Some(many), 4..=1 << 20)?;
        let far = config.count(farthest, Some(far), 1..=1 << 20)?;
        if far <= many / 4 {
            return Err(config.bad(farthest, format!("more than {}", many / 4)));
        }
        Ok(Self {
            buckets: many,
            farthest: far,
        })
    }

    /// The bucket of key minus query: half the buckets for each direction, half of those for one distance each, the rest on a
    /// logarithmic scale (T5's scheme; transformers 5.23, `WavLMAttention._relative_positions_bucket`, which computes in f32 as
    /// this does).
    fn bucket(self, distance: isize) -> usize {
        let half = self.buckets / 2;
        let exact = half / 2;
        let side = if distance > 0 { half } else { 0 };
        let distance = distance.unsigned_abs();
        if distance < exact {
            return side + distance;
        }
        let span = (self.farthest as f64 / exact as f64).ln() as f32;
        let part = (distance as f32 / exact as f32).ln() / span;
        let bucket = exact + (part * (half - exact) as f32) as usize;
        side + bucket.min(half - 1)
    }
}

/// The bias of every distance and head, shared by all blocks.
pub(in crate::families) struct RelativeTable {
    shape: RelativeShape,
    heads: usize,
    /// `[bucket, head]`.
    embedding: Vec<f32>,
}

impl RelativeTable {
    pub(in crate::families) fn build(
        shape: RelativeShape,
        heads: usize,
        loader: &mut Loader<'_>,
    ) -> OpResult<Self> {
        let name = "encoder.layers.0.attention.rel_attn_embed.weight";
        Ok(Self {
            shape,
            heads,
            embedding: loader.tensor(name, &[shape.buckets, heads])?,
        })
    }

    /// [`RelativeTable::table`] for the longest of utterances with these numbers of frames.
    pub(in crate::families) fn upload<O: Ops>(
        &self,
        ops: &O,
        frames: &[usize],
    ) -> OpResult<O::Tensor> {
        let longest = frames.iter().copied().max().unwrap_or(1);
        ops.upload(self.table(longest), 2 * longest - 1)
    }

    /// `[head, 2 · frames − 1]`: key minus query from `−(frames − 1)` up.
    fn table(&self, frames: usize) -> Vec<f32> {
        let widest = frames as isize - 1;
        let buckets: Vec<usize> = (-widest..=widest).map(|d| self.shape.bucket(d)).collect();
        (0..self.heads)
            .flat_map(|head| buckets.iter().map(move |bucket| bucket * self.heads + head))
            .map(|index| self.embedding[index])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_exact_near_and_logarithmic_far() {
        let shape = RelativeShape {
            buckets: 320,
            farthest: 800,
        };
        let near: Vec<usize> = [0, -1, 1, -79, 79].map(|d| shape.bucket(d)).to_vec();
        assert_eq!(near, [0, 1, 161, 79, 239]);
        // Computed with transformers 5.23: distances 80, 81, 100, 400, 799, 800, 5000 backwards.
        let far = [80, 81, 100, 400, 799, 800, 5000].map(|d| shape.bucket(-d));
        assert_eq!(far, [80, 80, 87, 135, 159, 159, 159]);
    }
}
