//! How many frames fit in a card's memory.

use emobox_gpu::Numbers;

/// This many batches may be encoded concurrently, each by a thread of the caller's: while the states of one are copied back and
/// the samples of the next are packed, the device computes another. [`crate::Encoder::batch_frames`] leaves memory for this many.
pub const BATCHES_AT_ONCE: usize = 2;

/// Most frames in the front end at once: the first convolution makes 64 rows of each, a quarter of a gigabyte in 16 bits.
const FRONT_END_FRAMES: usize = 4096;

/// Fewest frames in the front end at once: for fewer, kernel launches would dominate.
const FEWEST_FRONT_END_FRAMES: usize = 16;

/// What determines how many frames fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// Number of parameters.
    pub(crate) parameters: u64,
    pub(crate) dim: usize,
    /// A batch should be a multiple of this many frames, the window (Whisper); otherwise 1.
    pub(crate) window: usize,
    /// Whether embeddings are computed for every distance within the longest utterance.
    pub(crate) distances: bool,
}

/// Larger batches are not faster.
const MOST_FRAMES: usize = 65_536;

/// Division of a device's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Frames of a batch.
    pub(super) batch: usize,
    /// Frames in the front end at once.
    pub(super) front_end: usize,
}

impl Need {
    /// The frames of a batch that fit beside the weights, the front end and the other concurrent batches. A frame of a block
    /// takes about eight planes of the stream's width in the operands' format, an inner layer four times as wide, and three
    /// planes in f32; of a conformer's, which has more but narrower ones, not more than these. Embeddings of distances are two rows a
    /// frame of the longest utterance, which may be the only one: the sinusoids and what a block makes of them in f32, and the
    /// latter as operands. A quarter is for the front end, of which a large card needs less.
    pub(super) fn room(self, free: usize, numbers: Numbers) -> Room {
        let bytes = numbers.bytes();
        let weights = usize::try_from(self.parameters)
            .unwrap_or(usize::MAX)
            .saturating_mul(bytes);
        // A tenth is left free for the driver and for fragmentation.
        let room = (free - free / 10).saturating_sub(weights) / BATCHES_AT_ONCE;
        let front_end_frame = 3 * 64 * 512 * bytes;
        let front_end =
            (room / 4 / front_end_frame).clamp(FEWEST_FRONT_END_FRAMES, FRONT_END_FRAMES);
        let room = room.saturating_sub(front_end * front_end_frame);
        let block = 12 * bytes + 3 * size_of::<f32>();
        let distances = match self.distances {
            true => 2 * (2 * size_of::<f32>() + bytes),
            false => 0,
        };
        let frame = self.dim * (block + distances);
        let frames = (room / frame.max(1)).min(MOST_FRAMES);
        let batch = (frames / self.window * self.window).max(self.window);
        Room { batch, front_end }
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
            distances: false,
        };
        let gib = 1 << 30;
        let whole = Room {
            batch: MOST_FRAMES,
            front_end: FRONT_END_FRAMES,
        };
        assert_eq!(large.room(79 * gib, Numbers::Bf16), whole);
        let small = large.room(2 * gib, Numbers::Bf16);
        assert!((12_000..15_000).contains(&small.batch), "{small:?}");
        assert!((400..1_000).contains(&small.front_end), "{small:?}");
        let relative = Need {
            distances: true,
            ..large
        };
        let fewer = relative.room(2 * gib, Numbers::Bf16).batch as f64 / small.batch as f64;
        assert!(
            (0.64..0.65).contains(&fewer),
            "36 bytes a number of 56: {fewer}"
        );
        let none = Room {
            batch: 1,
            front_end: FEWEST_FRONT_END_FRAMES,
        };
        assert_eq!(
            large.room(gib / 2, Numbers::Bf16),
            none,
            "one at a time, and then see"
        );
        let whisper = Need {
            parameters: 635_000_000,
            dim: 1280,
            window: 1500,
            distances: false,
        };
        assert_eq!(whisper.room(79 * gib, Numbers::Bf16).batch % 1500, 0);
        assert_eq!(whisper.room(0, Numbers::F16).batch, 1500);
    }
}
