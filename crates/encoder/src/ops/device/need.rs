//! How many frames fit on a card.

use emobox_gpu::Numbers;

/// Frames of the front end at once: the first convolution makes 64 rows of each, a quarter of a gigabyte in 16 bits.
pub(super) const FRONT_END_FRAMES: usize = 4096;

/// What decides how many frames fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// Numbers in the weights.
    pub(crate) parameters: u64,
    pub(crate) dim: usize,
    /// Frames are wasted if a batch has no whole windows of so many (Whisper), else 1.
    pub(crate) window: usize,
}

/// More frames at once make a card no faster.
const MOST_FRAMES: usize = 65_536;

impl Need {
    /// The frames of a batch that fit beside the weights and the front end. A frame of a block holds about eight planes of the
    /// stream's width in operands' numbers, an inner layer four times as wide, and three planes in f32.
    pub(super) fn batch_frames(self, free: usize, numbers: Numbers) -> usize {
        let bytes = numbers.bytes();
        let weights = usize::try_from(self.parameters)
            .unwrap_or(usize::MAX)
            .saturating_mul(bytes);
        let front_end = 3 * FRONT_END_FRAMES * 64 * 512 * bytes;
        let frame = self.dim * (12 * bytes + 3 * size_of::<f32>());
        // A tenth stays free for the driver, and for what is cut into pieces.
        let room = (free - free / 10)
            .saturating_sub(weights)
            .saturating_sub(front_end);
        let frames = (room / frame.max(1)).min(MOST_FRAMES);
        (frames / self.window * self.window).max(self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_fit_beside_the_weights() {
        let large = Need {
            parameters: 315_000_000,
            dim: 1024,
            window: 1,
        };
        let gib = 1 << 30;
        assert_eq!(large.batch_frames(79 * gib, Numbers::Bf16), MOST_FRAMES);
        let small = large.batch_frames(2 * gib, Numbers::Bf16);
        assert!((10_000..20_000).contains(&small), "{small}");
        assert_eq!(
            large.batch_frames(gib, Numbers::Bf16),
            1,
            "one at a time, and then see"
        );
        let whisper = Need {
            parameters: 635_000_000,
            dim: 1280,
            window: 1500,
        };
        assert_eq!(whisper.batch_frames(79 * gib, Numbers::Bf16) % 1500, 0);
        assert_eq!(whisper.batch_frames(0, Numbers::F16), 1500);
    }
}
