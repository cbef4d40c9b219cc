use crate::{
    FeatureError, FrameData, FrameView, StoreHeader, StorePrecision, normalise, pool_frames,
};
use half::f16;

/// Hidden states of one utterance as given by the encoder.
#[derive(Clone, Copy, Debug)]
pub struct HiddenView<'a> {
    /// Which hidden states these are, in the order of `data`.
    pub layers: &'a [usize],
    /// The number of frames of each.
    pub frames: usize,
    /// The width of a frame.
    pub dim: usize,
    /// The numbers, `[layer, frame, dim]`.
    pub data: &'a [f32],
}

impl<'a> HiddenView<'a> {
    fn layer(&self, layer: usize) -> Option<&'a [f32]> {
        let at = self.layers.iter().position(|&l| l == layer)?;
        let size = self.frames * self.dim;
        self.data.get(at * size..(at + 1) * size)
    }
}

/// One utterance, normalised, narrowed and pooled: its content in the two shards.
#[derive(Clone, Debug)]
pub struct StoredItem {
    pub(crate) key: String,
    pub(crate) frames: usize,
    dim: usize,
    layers: usize,
    pub(crate) cut_to: Option<usize>,
    pub(crate) data: Stored,
    pub(crate) pooled: Vec<f32>,
}

#[derive(Clone, Debug)]
pub(crate) enum Stored {
    F16(Vec<f16>),
    F32(Vec<f32>),
}

impl Stored {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::F16(values) => bytemuck::cast_slice(values),
            Self::F32(values) => bytemuck::cast_slice(values),
        }
    }
}

/// The outcome of one utterance of a shard.
#[derive(Clone, Debug)]
pub enum UtteranceOutcome {
    /// Its features.
    Stored(StoredItem),
    /// It has none: the key and the reason, stored in the shard so that nothing is dropped silently.
    Failed {
        /// The utterance.
        key: String,
        /// Why, in one line.
        reason: String,
    },
}

impl UtteranceOutcome {
    /// The utterance concerned.
    pub fn key(&self) -> &str {
        match self {
            Self::Stored(item) => &item.key,
            Self::Failed { key, .. } => key,
        }
    }
}

impl StoredItem {
    /// The same for an encoder that received only this many samples of it.
    #[must_use]
    pub fn cut_to(self, samples: Option<usize>) -> Self {
        Self {
            cut_to: samples,
            ..self
        }
    }

    /// Converts an encoder's hidden states to what `header` specifies. Pure; call it where the
    /// utterance was encoded, so that narrowing and pooling run in parallel too.
    pub fn new(
        header: &StoreHeader,
        key: &str,
        hidden: &HiddenView<'_>,
    ) -> Result<Self, FeatureError> {
        let refuse = |reason: String| FeatureError::Unstorable {
            key: key.to_owned(),
            reason,
        };
        if hidden.frames == 0 {
            return Err(refuse(
                "no frames: the audio is shorter than one frame of the encoder".into(),
            ));
        }
        if hidden.dim != header.dim {
            return Err(refuse(format!(
                "{} dimensions, the store's header says {}",
                hidden.dim, header.dim
            )));
        }
        if hidden.data.len() != hidden.layers.len() * hidden.frames * hidden.dim {
            return Err(refuse(format!(
                "{} numbers do not fill {} layers of {} frames of {} dimensions",
                hidden.data.len(),
                hidden.layers.len(),
                hidden.frames,
                hidden.dim
            )));
        }
        let layer = |layer: usize| {
            hidden.layer(layer).ok_or_else(|| {
                refuse(format!(
                    "layer {layer} is wanted, only {:?} were computed",
                    hidden.layers
                ))
            })
        };
        let mut pooled = vec![0.0; header.pooled_layers * 2 * header.dim];
        for (index, out) in pooled.chunks_exact_mut(2 * header.dim).enumerate() {
            let frames = layer(index)?;
            check_finite(frames, header.dim)
                .map_err(|at| refuse(format!("layer {index}, {at}")))?;
            pool_frames(frames, header.dim, out);
        }
        let mut frames = Vec::with_capacity(header.numbers(hidden.frames));
        for &index in &header.layers {
            let source = layer(index)?;
            check_finite(source, header.dim)
                .map_err(|at| refuse(format!("layer {index}, {at}")))?;
            let start = frames.len();
            frames.extend_from_slice(source);
            normalise(&mut frames[start..], header.dim, header.normalisation);
        }
        let data = match header.precision {
            StorePrecision::F32 => Stored::F32(frames),
            StorePrecision::F16 => {
                let largest = frames.iter().fold(0f32, |m, x| m.max(x.abs()));
                if largest > f16::MAX.to_f32() {
                    return Err(refuse(format!(
                        "magnitude {largest} does not fit f16 (at most 65504): store in f32 (--store-precision f32) or normalise (--norm utterance)"
                    )));
                }
                let mut narrow = vec![f16::ZERO; frames.len()];
                emobox_kernels::narrow_f16(&frames, &mut narrow);
                Stored::F16(narrow)
            }
        };
        Ok(Self {
            key: key.to_owned(),
            frames: hidden.frames,
            dim: header.dim,
            cut_to: None,
            layers: header.layers.len(),
            data,
            pooled,
        })
    }

    /// An utterance read from a file; none if the sizes do not fit.
    pub(crate) fn restored(
        header: &StoreHeader,
        key: &str,
        frames: usize,
        cut_to: Option<usize>,
        data: Stored,
        pooled: Vec<f32>,
    ) -> Option<Self> {
        let bytes = header.numbers(frames) * header.precision.bytes();
        let statistics = header.pooled_layers * 2 * header.dim;
        let fits = data.bytes().len() == bytes && pooled.len() == statistics;
        fits.then(|| Self {
            key: key.to_owned(),
            frames,
            dim: header.dim,
            layers: header.layers.len(),
            cut_to,
            data,
            pooled,
        })
    }

    /// The utterance.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How many frames it has.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The frames as a reader of the store will see them.
    pub fn view(&self) -> FrameView<'_> {
        FrameView {
            layers: self.layers,
            frames: self.frames,
            dim: self.dim,
            data: match &self.data {
                Stored::F16(data) => FrameData::F16(data),
                Stored::F32(data) => FrameData::F32(data),
            },
        }
    }

    /// Its size in memory in bytes, for budgets.
    pub fn size(&self) -> usize {
        self.data.bytes().len() + 4 * self.pooled.len()
    }
}

fn check_finite(frames: &[f32], dim: usize) -> Result<(), String> {
    match frames.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(format!(
            "frame {}, dimension {} is {}, expected a finite number",
            at / dim,
            at % dim,
            frames[at]
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ComputePrecision, FeatureNormalisation, SCHEMA};

    /// Numbers that were saved under another size are not restored: of the frames, and of the statistics.
    #[test]
    fn only_what_fits_is_restored() {
        let header = StoreHeader {
            schema: SCHEMA,
            corpus: "dummy".into(),
            encoder: "dummy-encoder".into(),
            weights_digest: "abc123".into(),
            layers: vec![1, 2],
            pooled_layers: 3,
            perturbation: None,
            dim: 4,
            hop: 320,
            precision: StorePrecision::F32,
            compute: ComputePrecision::F32,
            normalisation: FeatureNormalisation::None,
            revision: 1,
            program_version: "0.1.0".into(),
        };
        let restored = |frames: usize, statistics: usize| {
            let data = Stored::F32(vec![0.5; frames]);
            let pooled = vec![0.5; statistics];
            StoredItem::restored(&header, "dummy-0000", 5, None, data, pooled)
        };
        // 5 frames of 2 layers, mean and deviation of 3 layers, each of 4 dimensions.
        assert!(restored(40, 24).is_some());
        assert!(restored(39, 24).is_none());
        assert!(restored(40, 16).is_none());
        assert!(restored(39, 16).is_none());
    }
}
