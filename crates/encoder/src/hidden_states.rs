/// The output of an encoder for one utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenStates {
    /// Indices of the hidden states, ascending; 0 is the embedding output.
    pub layers: Vec<usize>,
    /// Number of frames of each.
    pub frames: usize,
    /// Width of a frame.
    pub dim: usize,
    /// `[layer, frame, dim]`.
    pub data: Vec<f32>,
    /// The number of samples used if the encoder's window is shorter than the utterance (Whisper: the first 30 s), otherwise
    /// `None`.
    pub cut_to: Option<usize>,
}

impl HiddenStates {
    /// The `index`-th of the hidden states kept, `[frame, dim]`.
    ///
    /// # Panics
    /// If fewer states were kept.
    pub fn layer(&self, index: usize) -> &[f32] {
        let size = self.frames * self.dim;
        &self.data[index * size..(index + 1) * size]
    }
}
