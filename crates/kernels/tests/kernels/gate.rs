//! The weight gradient before a ReLU against sums in double precision.

use emobox_kernels::{GATE_COLUMNS, GATE_FRAMES, Gate, GateTable, Rows};
use half::f16;
use proptest::prelude::*;

use crate::support::{max_difference, numbers, on_each_path};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn gates_are_the_gradient_of_a_rectifier(
        frames in 1usize..=GATE_FRAMES, units in 1usize..70, cols in 1usize..=GATE_COLUMNS, apart in 0usize..5,
    ) {
        let mut z = numbers(1, frames * units);
        z[0] = 0.0;
        let stride = cols + apart;
        let narrow: Vec<f16> = numbers(2, frames * stride).into_iter().map(f16::from_f32).collect();
        let wide: Vec<f32> = narrow.iter().map(|x| x.to_f32()).collect();
        let scale = numbers(3, units);
        let start = numbers(4, units * GATE_COLUMNS);
        let (mut totals, mut counts) = (vec![0f64; units], vec![0f64; units]);
        let mut expected: Vec<f64> = start.iter().map(|&x| f64::from(x)).collect();
        for frame in 0..frames {
            for unit in 0..units {
                let value = z[frame * units + unit];
                if value > 0.0 {
                    totals[unit] += f64::from(value);
                    counts[unit] += 1.0;
                    for col in 0..cols {
                        expected[unit * GATE_COLUMNS + col] +=
                            f64::from(scale[unit]) * f64::from(wide[frame * stride + col]);
                    }
                }
            }
        }
        on_each_path(|path| {
            let (mut gate, mut table) = (Gate::default(), GateTable::default());
            // Contents from an earlier use must not matter.
            let old = vec![1.0; GATE_FRAMES * units];
            let (mut total, mut count) = (vec![f32::NAN; units], vec![f32::NAN; units]);
            gate.read(&old, GATE_FRAMES, &mut total, &mut count);
            table.fill(Rows::new(&old[..GATE_FRAMES], GATE_FRAMES, 1));

            gate.read(&z, frames, &mut total, &mut count);
            assert!(max_difference(&total, &totals) < 1e-5, "{path}");
            assert_eq!(max_difference(&count, &counts), 0.0, "{path}");
            let mut from_halves = start.clone();
            table.fill(Rows { data: &narrow, rows: frames, cols, stride });
            table.add(&gate, &scale, &mut from_halves);
            assert!(max_difference(&from_halves, &expected) < 2e-5, "{path}");
            let mut from_singles = start.clone();
            table.fill(Rows { data: &wide, rows: frames, cols, stride });
            table.add(&gate, &scale, &mut from_singles);
            assert_eq!(from_halves, from_singles, "{path}");
        });
    }
}

#[test]
fn what_is_not_a_number_passes_a_gate() {
    on_each_path(|path| {
        let (mut total, mut count) = ([0.0; 3], [0.0; 3]);
        Gate::default().read(&[f32::NAN, -1.0, f32::INFINITY], 1, &mut total, &mut count);
        assert!(total[0].is_nan() && total[1] == 0.0, "{path}: {total:?}");
        assert_eq!(
            (total[2], count),
            (f32::INFINITY, [1.0, 0.0, 1.0]),
            "{path}"
        );
    });
}
