/// What an encoder makes of one utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenStates {
    /// Which hidden states these are, ascending; 0 is the embedding output.
    pub layers: Vec<usize>,
    /// Frames of each.
    pub frames: usize,
    /// Values of a frame.
    pub dim: usize,
    /// `[layer, frame, dim]`.
    pub data: Vec<f32>,
    /// The samples that were looked at where the encoder's window is shorter than the utterance
    /// (Whisper: the first 30 s), else `None`.
    pub cut_to: Option<usize>,
}

impl HiddenStates {
    /// The `index`-th of the hidden states kept, `[frame, dim]`.
    ///
    /// # Panics
    /// If fewer were kept.
    pub fn layer(&self, index: usize) -> &[f32] {
        let size = self.frames * self.dim;
        &self.data[index * size..(index + 1) * size]
    }
}
