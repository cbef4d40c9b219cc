/// Adam's constants, named as in Kingma and Ba, "Adam" (ICLR 2015), algorithm 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adam {
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) epsilon: f64,
}

/// The parameters of one sweep point with Adam's two running means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights {
    pub(crate) values: Vec<f32>,
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    pub(crate) steps: u64,
}

impl Weights {
    pub(crate) fn new(values: Vec<f32>) -> Self {
        Self {
            first: vec![0.0; values.len()],
            second: vec![0.0; values.len()],
            steps: 0,
            values,
        }
    }

    /// One update, in f32 and in the order of operations of `torch.optim.Adam` (2.x, CPU).
    pub(crate) fn step(&mut self, gradient: &[f32], rate: f64, adam: &Adam) {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correction1 = 1.0 - adam.beta1.powi(power);
        let correction2 = (1.0 - adam.beta2.powi(power)).sqrt() as f32;
        let size = (rate / correction1) as f32;
        let (keep1, beta2) = ((1.0 - adam.beta1) as f32, adam.beta2 as f32);
        let (keep2, epsilon) = ((1.0 - adam.beta2) as f32, adam.epsilon as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, (first, second)), &g) in self.values.iter_mut().zip(moments).zip(gradient) {
            *first += (g - *first) * keep1;
            *second = *second * beta2 + keep2 * g * g;
            *value -= size * (*first / (second.sqrt() / correction2 + epsilon));
        }
    }
}

/// Scales a gradient down to `limit` as `torch.nn.utils.clip_grad_norm_` does, and returns its norm before.
pub(crate) fn clip(gradient: &mut [f32], limit: f64) -> f64 {
    let squares: f64 = gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
    let norm = squares.sqrt();
    let scale = limit / (norm + 1e-6);
    if scale < 1.0 {
        let scale = scale as f32;
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADAM: Adam = Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
    };

    #[test]
    fn the_first_step_is_the_learning_rate() {
        let mut weights = Weights::new(vec![1.0, -1.0, 0.0]);
        weights.step(&[5.0, -0.01, 0.0], 0.1, &ADAM);
        for (got, want) in weights.values.iter().zip([0.9, -0.9, 0.0]) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
    }

    #[test]
    fn only_long_gradients_are_clipped() {
        let mut long = vec![30.0, 40.0];
        assert_eq!(clip(&mut long, 5.0), 50.0);
        assert!((long[0] - 3.0).abs() < 1e-5 && (long[1] - 4.0).abs() < 1e-5);
        let mut short = vec![0.3, 0.4];
        clip(&mut short, 5.0);
        assert_eq!(short, [0.3, 0.4]);
    }
}
