//! The weight gradient of a layer before a ReLU, without a matrix product.
//!
//! A hidden layer `relu(W x + b)` that is summed over the frames of an utterance has the weight gradient
//! `Σ_frame [z > 0] x`, apart from a factor common to all frames of the utterance. The factor in brackets is one bit, so four
//! frames need not be multiplied and added one by one: their sixteen possible sums are computed once and looked up by every
//! unit (after Arlazarov, Dinic, Kronrod and Faradzhev, "On economical construction of the transitive closure of a
//! directed graph", 1970). That is one addition where a product has four multiplications and additions.

use half::f16;

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto, store_upto};
use crate::matrix::{Element, Rows};

/// Largest number of frames in one [`Gate`].
pub const GATE_FRAMES: usize = GROUPS * GROUP;
/// Largest number of columns in one [`GateTable`], and the width of the rows that it adds to.
pub const GATE_COLUMNS: usize = 2 * LANES;

/// Frames looked up together.
const GROUP: usize = 4;
/// Groups of a gate: their tables fill three quarters of an L1 cache of 32 KiB.
const GROUPS: usize = 12;
/// Number of sums per group.
const SUMS: usize = 1 << GROUP;
/// A gate's byte is the number of a sum times this, which makes it an eighth of the sum's offset in bytes.
const SHIFT: u8 = 4;

/// For some frames, whether each unit of a hidden layer is above zero.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    frames: usize,
    units: usize,
    /// `[panel of sixteen units, group, lane]`, each a number below 16, shifted by [`SHIFT`].
    sums: Vec<u8>,
}

impl Gate {
    /// Reads the hidden layer before the rectifier, `z` of `[frame, unit]`. Writes the sum over frames of the values above
    /// zero to `total` and the number of such frames to `count`, both `[unit]`. NaN counts as above zero
    /// and propagates, as in PyTorch.
    ///
    /// # Panics
    /// If there are more than [`GATE_FRAMES`] frames, or a slice has another length.
    pub fn read(&mut self, z: &[f32], frames: usize, total: &mut [f32], count: &mut [f32]) {
        let units = total.len();
        assert!(frames <= GATE_FRAMES, "gate: {frames} frames");
        assert_eq!(z.len(), frames * units, "gate: z of [{frames}, {units}]");
        assert_eq!(count.len(), units, "gate: count");
        (self.frames, self.units) = (frames, units);
        self.sums.clear();
        self.sums.resize(units.div_ceil(LANES) * GROUPS * LANES, 0);
        dispatch::<false, _>(Read {
            gate: self,
            z,
            total,
            count,
        });
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }
}

struct Read<'a> {
    gate: &'a mut Gate,
    z: &'a [f32],
    total: &'a mut [f32],
    count: &'a mut [f32],
}

impl Kernel for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (frames, units) = (self.gate.frames, self.gate.units);
        let zero = simd.splat(0.0);
        let above = simd.splat(f32::from_bits(1));
        let panels = self.gate.sums.chunks_exact_mut(GROUPS * LANES);
        for (panel, sums) in panels.enumerate() {
            let from = panel * LANES;
            let to = units.min(from + LANES);
            let (mut total, mut count) = (zero, zero);
            for (group, sums) in sums.chunks_exact_mut(LANES).enumerate() {
                let mut number = zero;
                for place in 0..GROUP {
                    let frame = group * GROUP + place;
                    if frame >= frames {
                        break;
                    }
                    let z = load_upto(simd, &self.z[frame * units + from..frame * units + to]);
                    let bit = simd.zero_below(simd.splat(1.0), z, above);
                    total = simd.add(total, simd.max(zero, z));
                    count = simd.add(count, bit);
                    number = simd.fma(bit, simd.splat((1u8 << place) as f32), number);
                }
                let mut numbers = [0.0; LANES];
                simd.store(number, &mut numbers);
                for (sum, number) in sums.iter_mut().zip(numbers) {
                    *sum = (number as u8) << SHIFT;
                }
            }
            store_upto(simd, total, &mut self.total[from..to]);
            store_upto(simd, count, &mut self.count[from..to]);
        }
    }
}

/// The sums of every four frames of some columns, for [`GateTable::add`].
#[derive(Clone, Debug)]
pub struct GateTable {
    groups: usize,
    frames: usize,
    sums: Box<[Sums; GROUPS]>,
}

/// The sums of one group: entry `i` is the sum of the frames whose bits `i` has.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Sums([[f32; GATE_COLUMNS]; SUMS]);

impl Default for GateTable {
    fn default() -> Self {
        const EMPTY: Sums = Sums([[0.0; GATE_COLUMNS]; SUMS]);
        Self {
            groups: 0,
            frames: 0,
            sums: Box::new([EMPTY; GROUPS]),
        }
    }
}

impl GateTable {
    /// Loads some columns of some frames.
    ///
    /// # Panics
    /// If there are more than [`GATE_FRAMES`] rows or [`GATE_COLUMNS`] columns, or a row reaches past the data.
    pub fn fill<T: Element>(&mut self, x: Rows<'_, T>) {
        x.check("gate table: x");
        assert!(
            x.rows <= GATE_FRAMES && x.cols <= GATE_COLUMNS,
            "gate table: x of [{}, {}]",
            x.rows,
            x.cols
        );
        self.frames = x.rows;
        self.groups = x.rows.div_ceil(GROUP);
        let data = match (T::singles(x.data), T::halves(x.data)) {
            (Some(data), _) => Data::Single(data),
            (None, Some(data)) => Data::Half(data),
            (None, None) => unreachable!("an element is single or half"),
        };
        dispatch::<false, _>(Fill {
            sums: &mut self.sums[..self.groups],
            data,
            rows: x.rows,
            cols: x.cols,
            stride: x.stride,
        });
    }

    /// `out[unit, column] += scale[unit] · Σ_frame x[frame, column]` over the frames in which the unit is above zero, with
    /// `out` dense `[unit, GATE_COLUMNS]`. The order of additions depends only on the number of frames.
    ///
    /// # Panics
    /// If the gate has other frames than the table, or a slice does not have the length that its units require.
    pub fn add(&self, gate: &Gate, scale: &[f32], out: &mut [f32]) {
        assert_eq!(self.frames, gate.frames, "gate table: frames");
        assert_eq!(scale.len(), gate.units, "gate table: scale");
        assert_eq!(
            out.len(),
            gate.units * GATE_COLUMNS,
            "gate table: out of [{}, {GATE_COLUMNS}]",
            gate.units
        );
        dispatch::<false, _>(Add {
            sums: &self.sums[..self.groups],
            gate: &gate.sums,
            scale,
            out,
        });
    }
}

/// Numbers in either precision.
enum Data<'a> {
    Half(&'a [f16]),
    Single(&'a [f32]),
}

struct Fill<'a> {
    sums: &'a mut [Sums],
    data: Data<'a>,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Kernel for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let zero = simd.splat(0.0);
        for (group, sums) in self.sums.iter_mut().enumerate() {
            let mut frames = [[zero; 2]; GROUP];
            for (place, frame) in frames.iter_mut().enumerate() {
                let row = group * GROUP + place;
                if row >= self.rows {
                    break;
                }
                for (half, v) in frame.iter_mut().enumerate() {
                    let from = (half * LANES).min(self.cols);
                    let to = (from + LANES).min(self.cols);
                    let range = row * self.stride + from..row * self.stride + to;
                    *v = match self.data {
                        Data::Single(data) => load_upto(simd, &data[range]),
                        Data::Half(data) => load_half(simd, &data[range]),
                    };
                }
            }
            for half in 0..2 {
                let mut all = [zero; SUMS];
                for (place, frame) in frames.iter().enumerate() {
                    for i in 0..1 << place {
                        all[(1 << place) + i] = simd.add(all[i], frame[half]);
                    }
                }
                for (sum, v) in sums.0.iter_mut().zip(all) {
                    store_upto(simd, v, &mut sum[half * LANES..(half + 1) * LANES]);
                }
            }
        }
    }
}

#[inline(always)]
fn load_half<S: Simd>(simd: S, x: &[f16]) -> S::V {
    match x.try_into() {
        Ok(x) => simd.load_f16(x),
        Err(_) => {
            let mut all = [f16::ZERO; LANES];
            all[..x.len()].copy_from_slice(x);
            simd.load_f16(&all)
        }
    }
}

struct Add<'a> {
    sums: &'a [Sums],
    gate: &'a [u8],
    scale: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let panels = self.gate.chunks_exact(GROUPS * LANES);
        let scales = self.scale.chunks(LANES);
        let outs = self.out.chunks_mut(LANES * GATE_COLUMNS);
        for ((gate, scales), outs) in panels.zip(scales).zip(outs) {
            let units = scales.iter().zip(outs.chunks_exact_mut(GATE_COLUMNS));
            for (lane, (&scale, out)) in units.enumerate() {
                // A known number of groups is unrolled.
                let sums = match self.sums.first_chunk::<GROUPS>() {
                    Some(all) => looked_up(simd, all, gate, lane),
                    None => looked_up(simd, self.sums, gate, lane),
                };
                let scale = simd.splat(scale);
                for (half, out) in out.chunks_exact_mut(LANES).enumerate() {
                    let v = simd.fma(scale, sums[half], load_upto(simd, out));
                    store_upto(simd, v, out);
                }
            }
        }
    }
}

/// The sum of one unit over all groups: even and odd groups apart, so that additions need not wait for each other.
#[inline(always)]
fn looked_up<S: Simd>(simd: S, sums: &[Sums], gate: &[u8], lane: usize) -> [S::V; 2] {
    let mut totals = [[simd.splat(0.0); 2]; 2];
    for (group, sums) in sums.iter().enumerate() {
        let byte = usize::from(gate[group * LANES + lane]);
        let totals = &mut totals[group % 2];
        // SAFETY: a gate's bytes are written by `Gate::read` alone and are numbers below 16 times 16, so that eight times
        // the byte is the offset of one of the sixteen entries of 128 bytes.
        let entry = unsafe {
            &*sums
                .0
                .as_ptr()
                .cast::<u8>()
                .add(byte * (size_of::<[f32; GATE_COLUMNS]>() >> SHIFT))
                .cast::<[[f32; LANES]; 2]>()
        };
        for (total, part) in totals.iter_mut().zip(entry) {
            *total = simd.add(*total, simd.load(part));
        }
    }
    let [even, odd] = totals;
    [simd.add(even[0], odd[0]), simd.add(even[1], odd[1])]
}

const _: () = assert!(GROUP as u32 + SHIFT as u32 == u8::BITS);
