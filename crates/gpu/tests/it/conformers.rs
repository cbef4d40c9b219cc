//! What conformers need beside transformers' operations; convolutions of each channel are in `convolutions.rs`, distances in `attention.rs`.

use crate::made::{ALL, gpu, normal, operand, read, tolerance, worst};
use emobox_gpu::{Gpu, Numbers, Spans};

/// A result and a product of two numbers that are rounded once.
const TWO_TO_MINUS_8: f64 = 1.0 / 256.0;

pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `x` on the device and its values: f32, or the operands' numbers.
fn there(gpu: &Gpu, x: &[f32], wide: bool) -> (emobox_gpu::Array, Vec<f64>) {
    match wide {
        false => operand(gpu, x),
        true => (
            gpu.upload(x).unwrap(),
            x.iter().map(|&x| f64::from(x)).collect(),
        ),
    }
}

/// The largest error of gated units with `columns` results a row.
pub(crate) fn glu_error(gpu: &Gpu, rows: usize, columns: usize, wide: bool) -> f64 {
    let mut x = normal(1, rows * 2 * columns);
    // Gates that are shut and open.
    x[columns] = -200.0;
    x[2 * columns - 1] = 200.0;
    let (array, x64) = there(gpu, &x, wide);
    let found = gpu.glu(&array, 2 * columns).unwrap();
    assert_eq!(found.numbers(), array.numbers());
    let expected: Vec<f64> = x64
        .chunks_exact(2 * columns)
        .flat_map(|row| {
            let (values, gates) = row.split_at(columns);
            values.iter().zip(gates).map(|(v, &g)| v * logistic(g))
        })
        .collect();
    worst(&read(gpu, &found), &expected)
}

/// The largest error of rotated rows; there are more angles than any utterance has rows.
pub(crate) fn rotate_error(
    gpu: &Gpu,
    spans: &[(usize, usize)],
    heads: usize,
    head_dim: usize,
    wide: bool,
) -> f64 {
    let spans = Spans::new(spans.to_vec());
    let columns = heads * head_dim;
    let (array, x64) = there(gpu, &normal(1, (spans.end() + 2) * columns), wide);
    let angles: Vec<f64> = normal(2, spans.end() * head_dim / 2)
        .iter()
        .map(|&x| f64::from(x))
        .collect();
    let table: Vec<f32> = angles
        .chunks_exact(head_dim / 2)
        .flat_map(|row| {
            let cosines = row.iter().map(|angle| angle.cos() as f32);
            cosines.chain(row.iter().map(|angle| angle.sin() as f32))
        })
        .collect();
    let table = gpu.upload(&table).unwrap();
    let found = gpu
        .rotate(&array, &spans, columns, &table, head_dim)
        .unwrap();
    assert_eq!(found.numbers(), array.numbers());
    let found = read(gpu, &found);
    let mut largest = 0.0f64;
    for &(first, rows) in spans.all() {
        for row in 0..rows {
            for head in 0..heads {
                let at = (first + row) * columns + head * head_dim;
                let half = head_dim / 2;
                let mut expected = vec![0.0; head_dim];
                for pair in 0..half {
                    let (sine, cosine) = angles[row * half + pair].sin_cos();
                    let (a, b) = (x64[at + pair], x64[at + half + pair]);
                    expected[pair] = a * cosine - b * sine;
                    expected[half + pair] = b * cosine + a * sine;
                }
                largest = largest.max(worst(&found[at..at + head_dim], &expected));
            }
        }
    }
    largest
}

/// In f32 and in the operands' numbers, whatever these are.
fn in_both(check: impl Fn(&Gpu, bool, f64)) {
    for numbers in ALL {
        let gpu = gpu(numbers);
        check(&gpu, true, 2e-6);
        check(&gpu, false, tolerance(numbers, 1.02 * TWO_TO_MINUS_8));
    }
}

/// Columns that are eights, and others; one row.
#[test]
fn gated_units_are_within_their_tolerance() {
    in_both(|gpu, wide, most| {
        for (rows, columns) in [(1, 8), (3, 1), (7, 12), (5, 64), (301, 20)] {
            let error = glu_error(gpu, rows, columns, wide);
            let numbers = gpu.operands();
            assert!(
                error < most,
                "{numbers:?} {wide} {rows} × {columns}: {error:e}"
            );
        }
    });
}

/// Several utterances with gaps between them, heads of two columns and of 36.
#[test]
fn rotated_rows_are_within_their_tolerance() {
    in_both(|gpu, wide, most| {
        for (spans, heads, head_dim) in [
            (&[(0, 1)][..], 1, 2),
            (&[(0, 17), (17, 5), (25, 90)], 3, 36),
            (&[(2, 300), (302, 1)], 2, 64),
        ] {
            let error = rotate_error(gpu, spans, heads, head_dim, wide);
            let numbers = gpu.operands();
            assert!(
                error < most,
                "{numbers:?} {wide} {heads} × {head_dim}: {error:e}"
            );
        }
    });
}

#[test]
fn columns_are_put_beside_each_other() {
    for numbers in [Numbers::F32, Numbers::Bf16] {
        let gpu = gpu(numbers);
        for (rows, left, right) in [(1, 8, 8), (5, 16, 40), (7, 3, 5), (4, 8, 1), (90, 12, 12)] {
            let (x, x64) = operand(&gpu, &normal(1, rows * left));
            // One has a row more.
            let (y, y64) = operand(&gpu, &normal(2, (rows + 1) * right));
            let found = gpu.side_by_side((&x, left), (&y, right), rows).unwrap();
            let expected: Vec<f64> = x64
                .chunks_exact(left)
                .zip(y64.chunks_exact(right))
                .flat_map(|(x, y)| x.iter().chain(y).copied())
                .collect();
            assert_eq!(read(&gpu, &found), expected, "{numbers:?} {left} + {right}");
        }
    }
}
