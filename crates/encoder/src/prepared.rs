use std::sync::Arc;

/// An utterance in the form that the device needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Length of the waveform.
    pub(crate) samples: usize,
    pub(crate) values: Arc<Vec<f32>>,
}
