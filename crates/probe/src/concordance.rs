//! The concordance correlation coefficient as a training loss.

/// Lin's concordance correlation coefficient for one output of `[utterance, output]` numbers, with population moments; writes
/// its gradient with respect to the predictions to `slopes` (same layout as `predicted`) if given. 0 where it is 0 / 0: fewer
/// than two utterances, or both sides the same constant.
pub(crate) fn concordance(
    predicted: &[f64],
    reference: &[f32],
    output: usize,
    outputs: usize,
    slopes: Option<&mut [f64]>,
) -> f64 {
    let x = || predicted.iter().skip(output).step_by(outputs).copied();
    let y = || {
        reference
            .iter()
            .skip(output)
            .step_by(outputs)
            .map(|&y| f64::from(y))
    };
    let n = x().count() as f64;
    let (mx, my) = (x().sum::<f64>() / n, y().sum::<f64>() / n);
    let mut covariance = 0.0;
    let mut whole = n * (mx - my).powi(2);
    for (x, y) in x().zip(y()) {
        covariance += (x - mx) * (y - my);
        whole += (x - mx).powi(2) + (y - my).powi(2);
    }
    // False also if a number is not finite.
    let is_defined = n > 1.0 && whole > 0.0;
    if let Some(slopes) = slopes {
        for (slope, (x, y)) in slopes
            .iter_mut()
            .skip(output)
            .step_by(outputs)
            .zip(x().zip(y()))
        {
            // Derivative of 2 c / w, with c' = y − m_y and w' = 2 (x − m_x) + 2 (m_x − m_y) = 2 (x − m_y).
            let rise = 2.0 * (y - my) * whole - 2.0 * covariance * 2.0 * (x - my);
            *slope = if is_defined {
                rise / (whole * whole)
            } else {
                0.0
            };
        }
    }
    if is_defined {
        2.0 * covariance / whole
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coefficient_is_that_of_the_definition_and_its_slopes_are_right() {
        let reference = [0.0, 1.0, 1.0];
        let found = concordance(&[0.0, 1.0, 2.0], &reference, 0, 1, None);
        assert!((found - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(concordance(&[1.0; 3], &[1.0; 3], 0, 1, None), 0.0);
        assert_eq!(concordance(&[1.0], &[0.5], 0, 1, None), 0.0);
        // Two outputs, five utterances.
        let reference = [0.5, -1.0, 1.5, 0.3, -0.7, 0.9, 0.1, 0.2, 1.0, -2.0];
        let predicted = [0.2, 0.0, 1.1, -0.4, 0.3, 0.8, -0.6, 0.7, 0.4, -1.2];
        for output in 0..2 {
            let mut slopes = [0.0; 10];
            concordance(&predicted, &reference, output, 2, Some(&mut slopes));
            for at in 0..10 {
                let value = |by: f64| {
                    let mut moved = predicted;
                    moved[at] += by;
                    concordance(&moved, &reference, output, 2, None)
                };
                let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
                assert!((slope - slopes[at]).abs() < 1e-9, "{slope} {}", slopes[at]);
            }
        }
    }
}
