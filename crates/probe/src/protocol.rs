use crate::{ProbeError, Target, heads};
use emobox_files::{Sha256, sha256_bytes};
use serde::{Deserialize, Serialize};

/// Everything that determines a training besides the data. Written in full into every result, so that readers can repeat it.
///
/// [`Protocol::strict`] and [`Protocol::paper`] differ in how the validation part is drawn and in the treatment of clips longer
/// than 30 s; the rest follows section 3 of Ma et al., "EmoBox" (Interspeech 2024).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// `strict`, `paper`, or the name of a variation.
    pub name: String,
    /// The head's name in [`crate::heads`].
    pub head: String,
    /// Whether the head reads a softmax-weighted sum of all stored layers, with learned weights that start equal (Yang et al.,
    /// "SUPERB", Interspeech 2021, section 3).
    pub layer_sum: bool,
    /// Maximum learning rates of the sweep.
    pub learning_rates: Vec<f64>,
    /// Widths of the hidden layer of the sweep; heads without one ignore them.
    pub hidden_sizes: Vec<usize>,
    /// Seeds of the initial weights. Selection happens within a seed; every seed gives a result.
    pub seeds: Vec<u64>,
    /// Seed of the batch order, which all points share.
    pub order_seed: u64,
    /// Utterances per batch; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Number of passes over the training part.
    pub epochs: usize,
    /// Epochs of increasing learning rate, see [`Protocol::learning_rate`].
    pub warmup_epochs: usize,
    /// Adam's decay rates and epsilon: beta 1, beta 2, epsilon.
    pub adam: (f64, f64, f64),
    /// The gradient of a point is scaled down to this Euclidean norm.
    pub clip_norm: f64,
    /// Where the validation part comes from if the partition has none.
    pub validation: ValidationRule,
    /// Clips longer than this many seconds are left out of training and test.
    pub max_seconds: Option<f64>,
    /// Weights of the classes in the training loss.
    pub class_weighting: ClassWeighting,
    /// Strength of logit adjustment: `tau · ln(class share in training)` is added to the logits in the training loss but not in
    /// prediction (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, equation 10). 0 switches it off.
    pub logit_adjustment: f64,
    /// Whether the score of the epoch and point that are best on the test part is computed beside
    /// the result. It is never the result.
    pub oracle: bool,
    /// What is learned. Not written for classes, so that protocols without this field keep their digests.
    #[serde(default, skip_serializing_if = "Target::is_classes")]
    pub target: Target,
}

/// How the validation part is drawn from the training part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRule {
    /// At random within each label, or by whole speakers.
    pub scheme: ValidationScheme,
    /// The share of the training part to draw.
    pub share: f64,
    /// The largest share that whole speakers may take before the draw falls back to `random`.
    pub max_share: f64,
    /// Seed of the draw.
    pub seed: u64,
}

/// The two ways to draw a validation part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValidationScheme {
    /// At random within each label.
    Random,
    /// By whole speakers, with label counts as close to the share as possible.
    SpeakerDisjoint,
}

/// Weights of the classes in the training loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeighting {
    /// Every utterance has the same weight.
    #[default]
    None,
    /// Every class has the same total weight: `n / (classes · n_class)`, scikit-learn's `balanced`.
    Balanced,
}

/// One training of the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Seed of the initial weights.
    pub seed: u64,
    /// Maximum learning rate.
    pub learning_rate: f64,
    /// Width of the hidden layer; 0 for heads without one.
    pub hidden: usize,
}

impl Protocol {
    /// The program's default: validation without shared speakers, clips of any length.
    pub fn strict() -> Self {
        Self {
            name: "strict".into(),
            validation: ValidationRule {
                scheme: ValidationScheme::SpeakerDisjoint,
                ..Self::paper().validation
            },
            max_seconds: None,
            ..Self::paper()
        }
    }

    /// The paper's protocol: 20 % of each label at random for validation, no clips longer than 30 s.
    pub fn paper() -> Self {
        Self {
            name: "paper".into(),
            head: heads::DEFAULT.into(),
            layer_sum: false,
            learning_rates: vec![1e-3, 1e-4],
            hidden_sizes: vec![128, 256],
            seeds: vec![1],
            order_seed: 1,
            batch: 32,
            epochs: 100,
            warmup_epochs: 10,
            adam: (0.9, 0.999, 1e-8),
            clip_norm: 5.0,
            validation: ValidationRule {
                scheme: ValidationScheme::Random,
                share: 0.2,
                max_share: 0.4,
                seed: 1,
            },
            max_seconds: Some(30.0),
            class_weighting: ClassWeighting::None,
            logit_adjustment: 0.0,
            oracle: true,
            target: Target::Classes,
        }
    }

    /// The same protocol with another head, and the learning rates of that head's sweep: a head without a hidden layer needs
    /// larger weights, which it would not reach in these epochs at the paper's rates.
    pub fn with_head(self, name: &str) -> Result<Self, ProbeError> {
        let head = heads::find(name)?;
        Ok(Self {
            head: head.name.to_owned(),
            learning_rates: head.learning_rates.to_vec(),
            ..self
        })
    }

    /// The same protocol with this number of epochs, of which a tenth (rounded up) are warm-up, as with the paper's 100.
    pub fn with_epochs(self, epochs: usize) -> Self {
        Self {
            epochs,
            warmup_epochs: epochs.div_ceil(10),
            ..self
        }
    }

    /// The same protocol with another target. The test-selected score is left out where dimensions are learned: there is no
    /// published table to compare it with.
    pub fn with_target(self, target: Target) -> Self {
        Self {
            oracle: self.oracle && target != Target::Dimensions,
            target,
            ..self
        }
    }

    /// The names that [`Protocol::named`] knows.
    pub const NAMES: [&'static str; 2] = ["strict", "paper"];

    /// The protocol of that name.
    pub fn named(name: &str) -> Result<Self, ProbeError> {
        match name {
            "strict" => Ok(Self::strict()),
            "paper" => Ok(Self::paper()),
            _ => Err(ProbeError::UnknownProtocol {
                name: name.to_owned(),
                known: Self::NAMES.join(", "),
            }),
        }
    }

    /// The same protocol with `count` training seeds, from `first` on. They are trained together, in one pass over the same
    /// batches; each gives the same result as alone. A training seed determines the initial weights. The order of the batches
    /// and the validation part are those of [`Protocol::partitioned_by`] for all of them.
    pub fn with_training_seeds(self, first: u64, count: usize) -> Self {
        Self {
            seeds: (first..).take(count).collect(),
            ..self
        }
    }

    /// The same protocol with the seed that partitions are drawn by: it also determines the validation part and the order of
    /// the batches.
    pub fn partitioned_by(mut self, seed: u64) -> Self {
        self.order_seed = seed;
        self.validation.seed = seed;
        self
    }

    /// Every protocol that a verifier knows: each name with each head, at one partition seed and these training seeds.
    ///
    /// # Errors
    /// Never in practice: every registered head is found by its name.
    pub fn registry(partition_seed: u64, training_seeds: &[u64]) -> Result<Vec<Self>, ProbeError> {
        let mut protocols = Vec::new();
        for name in Self::NAMES {
            for head in heads::all() {
                for layer_sum in [false, true] {
                    let protocol = Self::named(name)?.with_head(head.name)?;
                    protocols.push(Self {
                        layer_sum,
                        seeds: training_seeds.to_vec(),
                        ..protocol.partitioned_by(partition_seed)
                    });
                }
            }
        }
        Ok(protocols)
    }

    /// All points of the sweep: seeds outermost, then learning rates, then hidden sizes. "The earlier point" of the selection
    /// rule is the earlier one in this order.
    pub fn points(&self) -> Vec<Point> {
        let has_hidden = heads::find(&self.head).is_ok_and(|head| head.has_hidden);
        let hidden_sizes = if has_hidden {
            &self.hidden_sizes[..]
        } else {
            &[0]
        };
        let mut points = Vec::new();
        for &seed in &self.seeds {
            for &learning_rate in &self.learning_rates {
                for &hidden in hidden_sizes {
                    points.push(Point {
                        seed,
                        learning_rate,
                        hidden,
                    });
                }
            }
        }
        points
    }

    /// The learning rate of an epoch (from 1) whose maximum is `maximum`.
    ///
    /// One value per epoch, as the recipe's scheduler steps: `e / warmup` of the maximum up to the last epoch of warm-up, then
    /// down in equal steps that would reach 0 one epoch after the last, so that no epoch is wasted at rate 0. (The published
    /// script calls its scheduler late and runs epoch 1 at the maximum and epoch 2 at 0; that is not reproduced.)
    pub fn learning_rate(&self, epoch: usize, maximum: f64) -> f64 {
        let (epoch, epochs, warmup) = (epoch as f64, self.epochs as f64, self.warmup_epochs as f64);
        if epoch <= warmup {
            maximum * epoch / warmup
        } else {
            maximum * (epochs + 1.0 - epoch) / (epochs + 1.0 - warmup)
        }
    }

    /// The digest of all constants.
    pub fn digest(&self) -> Sha256 {
        let text = serde_json::to_vec(self).expect("a struct of plain fields is always JSON");
        sha256_bytes(&text)
    }

    /// Rejects invalid constants, naming the first.
    pub fn check(&self) -> Result<(), ProbeError> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let rates = self.learning_rates.iter();
        let checks = [
            (
                !self.learning_rates.is_empty() && rates.copied().all(positive),
                format!(
                    "learning rates must be positive, found {:?}",
                    self.learning_rates
                ),
            ),
            (
                !self.hidden_sizes.is_empty()
                    && self.hidden_sizes.iter().all(|h| (1..=65_536).contains(h)),
                format!(
                    "hidden sizes must be 1 to 65536, found {:?}",
                    self.hidden_sizes
                ),
            ),
            (!self.seeds.is_empty(), "at least one seed is needed".into()),
            (
                self.batch > 0,
                "a batch must have at least 1 utterance".into(),
            ),
            (self.epochs > 0, "at least 1 epoch is needed".into()),
            (
                self.warmup_epochs <= self.epochs,
                format!(
                    "warm-up of {} epochs is longer than the training of {}",
                    self.warmup_epochs, self.epochs
                ),
            ),
            (
                (0.0..1.0).contains(&self.adam.0) && (0.0..1.0).contains(&self.adam.1),
                format!("Adam's betas must be in [0, 1), found {:?}", self.adam),
            ),
            (
                positive(self.clip_norm) && positive(self.adam.2),
                "the clip norm and Adam's epsilon must be positive".into(),
            ),
            (
                positive(self.validation.share)
                    && self.validation.share <= self.validation.max_share
                    && self.validation.max_share < 1.0,
                format!(
                    "validation needs 0 < share <= max_share < 1, found {} and {}",
                    self.validation.share, self.validation.max_share
                ),
            ),
            (
                self.target != Target::Dimensions
                    || (!self.oracle
                        && self.class_weighting == ClassWeighting::None
                        && self.logit_adjustment == 0.0),
                "dimensions have no classes to weigh or adjust, and no test-selected score".into(),
            ),
            (
                self.logit_adjustment.is_finite(),
                format!(
                    "logit adjustment must be finite, found {}",
                    self.logit_adjustment
                ),
            ),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, problem)) => Err(ProbeError::Protocol {
                protocol: self.name.clone(),
                problem,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_maximum_and_falls_towards_zero() {
        let protocol = Protocol::paper();
        let rates: Vec<f64> = (1..=100).map(|e| protocol.learning_rate(e, 1.0)).collect();
        assert_eq!(rates[0], 0.1);
        assert_eq!(rates[9], 1.0);
        assert!((rates[99] - 1.0 / 91.0).abs() < 1e-12);
        assert!(rates[..10].windows(2).all(|w| w[0] < w[1]));
        assert!(rates[9..].windows(2).all(|w| w[0] > w[1]));
    }

    #[test]
    fn protocols_survive_writing_and_differ_in_digest() {
        for name in Protocol::NAMES {
            let protocol = Protocol::named(name).unwrap();
            protocol.check().unwrap();
            let text = serde_json::to_string(&protocol).unwrap();
            let again: Protocol = serde_json::from_str(&text).unwrap();
            assert_eq!(again, protocol);
            assert_eq!(again.digest(), protocol.digest());
        }
        assert_ne!(Protocol::strict().digest(), Protocol::paper().digest());
        let error = Protocol::named("lax").unwrap_err().to_string();
        assert!(error.contains("strict, paper"));
    }

    #[test]
    fn every_constant_has_its_bounds() {
        let wrong: &[fn(&mut Protocol)] = &[
            |p| p.learning_rates = vec![],
            |p| p.learning_rates = vec![0.1, 0.0],
            |p| p.learning_rates = vec![f64::INFINITY],
            |p| p.hidden_sizes = vec![],
            |p| p.hidden_sizes = vec![8, 0],
            |p| p.seeds = vec![],
            |p| p.batch = 0,
            |p| p.warmup_epochs = p.epochs + 1,
            |p| p.adam.0 = 1.0,
            |p| p.adam.1 = 1.0,
            |p| p.adam.2 = 0.0,
            |p| p.clip_norm = 0.0,
            |p| p.validation.share = 0.0,
            |p| p.validation.share = p.validation.max_share + 0.01,
            |p| p.validation.max_share = 1.0,
            |p| p.logit_adjustment = f64::NAN,
        ];
        for (at, change) in wrong.iter().enumerate() {
            let mut protocol = Protocol::strict();
            change(&mut protocol);
            assert!(protocol.check().is_err(), "change {at}");
        }
        let mut whole = Protocol::strict();
        whole.validation.share = whole.validation.max_share;
        whole.warmup_epochs = whole.epochs;
        whole.check().unwrap();

        let dimensions = Protocol {
            target: Target::Dimensions,
            oracle: false,
            ..Protocol::strict()
        };
        dimensions.check().unwrap();
        for change in [
            Protocol {
                oracle: true,
                ..dimensions.clone()
            },
            Protocol {
                class_weighting: ClassWeighting::Balanced,
                ..dimensions.clone()
            },
            Protocol {
                logit_adjustment: 1.0,
                ..dimensions.clone()
            },
        ] {
            assert!(change.check().is_err(), "{change:?}");
        }
    }

    #[test]
    fn the_paper_s_head_keeps_the_paper_s_rates() {
        let paper = Protocol::paper();
        let again = paper.clone().with_head(heads::DEFAULT).unwrap();
        assert_eq!(again, paper);
        let linear = paper.with_head("mean-linear").unwrap();
        assert!(linear.learning_rates[0] > 1e-3);
        assert_eq!(linear.points().len(), 2);
    }

    #[test]
    fn epochs_of_one_s_own_keep_the_shape_of_the_rate_and_have_another_digest() {
        let paper = Protocol::paper();
        assert_eq!(paper.clone().with_epochs(100), paper);
        let short = paper.clone().with_epochs(15);
        short.check().unwrap();
        assert_eq!((short.epochs, short.warmup_epochs), (15, 2));
        assert_ne!(short.digest(), paper.digest());
        assert!(
            Protocol::registry(1, &[1])
                .unwrap()
                .iter()
                .all(|known| known.digest() != short.digest())
        );
        let none = paper.with_epochs(0).check().unwrap_err().to_string();
        assert!(none.contains("at least 1 epoch"), "{none}");
    }

    #[test]
    fn another_target_is_another_protocol_and_classes_keep_their_digest() {
        let strict = Protocol::strict();
        assert_eq!(strict.clone().with_target(Target::Classes), strict);
        let text = serde_json::to_string(&strict).unwrap();
        assert!(!text.contains("target"), "{text}");
        let registry = Protocol::registry(1, &[1]).unwrap();
        for target in [Target::Votes, Target::Dimensions] {
            let other = strict.clone().with_target(target);
            other.check().unwrap();
            let text = serde_json::to_string(&other).unwrap();
            assert_eq!(serde_json::from_str::<Protocol>(&text).unwrap(), other);
            assert!(
                registry
                    .iter()
                    .all(|known| known.digest() != other.digest())
            );
        }
        let adjusted = Protocol {
            logit_adjustment: 1.0,
            ..strict.with_target(Target::Dimensions)
        };
        assert!(
            adjusted
                .check()
                .unwrap_err()
                .to_string()
                .contains("no classes to weigh")
        );
    }

    #[test]
    fn the_registry_has_every_name_and_head_of_one_layer_and_of_several() {
        let registry = Protocol::registry(7, &[1, 2, 3]).unwrap();
        let heads = heads::all().len();
        assert_eq!(registry.len(), Protocol::NAMES.len() * heads * 2);
        let mut digests: Vec<_> = registry.iter().map(Protocol::digest).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), registry.len());
        let same = Protocol::strict()
            .partitioned_by(7)
            .with_training_seeds(1, 3);
        assert!(registry.contains(&same));
        assert_eq!((same.order_seed, same.validation.seed), (7, 7));
        assert_eq!(same.seeds, [1, 2, 3]);
    }

    #[test]
    fn nonsense_is_named() {
        let mut protocol = Protocol::paper();
        protocol.warmup_epochs = 200;
        assert!(
            protocol
                .check()
                .unwrap_err()
                .to_string()
                .contains("warm-up of 200")
        );
    }
}
