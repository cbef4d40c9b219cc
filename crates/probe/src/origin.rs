use crate::Protocol;
use serde::Serialize;

/// Where a constant of a protocol comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Written in the paper (Ma et al., "EmoBox", Interspeech 2024).
    Paper,
    /// Not in the paper, but in its published recipe (emo-box/EmoBox, `examples/sb`) or the defaults of its dependencies.
    Recipe,
    /// A choice of this program.
    Ours,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Paper => "paper",
            Self::Recipe => "recipe",
            Self::Ours => "ours",
        })
    }
}

/// One constant of a protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Constant {
    /// The field of [`Protocol`], as written in JSON.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The reason for its value.
    pub reason: &'static str,
}

impl Protocol {
    /// Every constant of this protocol with its origin and reason, in the order of the fields. A new field does not compile
    /// until it is listed here.
    pub fn constants(&self) -> Vec<Constant> {
        let Self {
            name,
            head,
            layer_sum,
            learning_rates,
            hidden_sizes,
            seeds,
            order_seed,
            batch,
            epochs,
            warmup_epochs,
            adam,
            clip_norm,
            validation,
            max_seconds,
            class_weighting,
            logit_adjustment,
            oracle,
            target,
        } = self;
        let paper = Self::paper();
        let list = |values: Vec<String>| values.join(", ");
        let row = |name, value: String, origin, reason| Constant {
            name,
            value,
            origin,
            reason,
        };
        // A value other than the paper's is our own choice.
        let unless_changed = |same: bool, origin| if same { origin } else { Origin::Ours };
        let [seed, order] = [
            "the weights that a training begins from; several are trained together, since one cannot rank systems",
            "the order of the batches; one for all points and training seeds, so that they share the pass over the data",
        ];
        let both = validation.scheme == paper.validation.scheme;
        vec![
            row(
                "name",
                name.clone(),
                Origin::Ours,
                "names the protocol in tables",
            ),
            row(
                "head",
                head.clone(),
                unless_changed(*head == paper.head, Origin::Paper),
                "linear, ReLU, mean over frames, linear: section 3 of the paper",
            ),
            row(
                "layer_sum",
                layer_sum.to_string(),
                unless_changed(!layer_sum, Origin::Paper),
                "the paper takes the last layer; sums of layers are SUPERB's",
            ),
            row(
                "learning_rates",
                list(learning_rates.iter().map(f64::to_string).collect()),
                unless_changed(*learning_rates == paper.learning_rates, Origin::Paper),
                "the paper's sweep; heads without a hidden layer have their own",
            ),
            row(
                "hidden_sizes",
                list(hidden_sizes.iter().map(usize::to_string).collect()),
                unless_changed(*hidden_sizes == paper.hidden_sizes, Origin::Paper),
                "the paper's sweep",
            ),
            row(
                "seeds",
                list(seeds.iter().map(u64::to_string).collect()),
                Origin::Ours,
                seed,
            ),
            row("order_seed", order_seed.to_string(), Origin::Ours, order),
            row(
                "batch",
                batch.to_string(),
                unless_changed(*batch == paper.batch, Origin::Recipe),
                "`batch_size` of the recipe's settings; the paper does not say",
            ),
            row(
                "epochs",
                epochs.to_string(),
                unless_changed(*epochs == paper.epochs, Origin::Paper),
                "the paper's; the settings released with the recipe say 20. `--epochs` takes another number: another protocol, which tables name \
                 and a leaderboard refuses",
            ),
            row(
                "warmup_epochs",
                warmup_epochs.to_string(),
                unless_changed(*warmup_epochs == paper.warmup_epochs, Origin::Paper),
                "linear rise to the maximum, as the paper has it. The linear fall to 0 after it is the recipe's scheduler, \
                 which steps once an epoch; its late call (epoch 1 at the maximum, epoch 2 at 0) is not repeated. \
                 A tenth of the epochs, rounded up, where there are others",
            ),
            row(
                "adam",
                format!("{}, {}, {:e}", adam.0, adam.1, adam.2),
                unless_changed(*adam == paper.adam, Origin::Recipe),
                "Adam with PyTorch's defaults, as the recipe has it; the paper names no optimiser. No weight decay",
            ),
            row(
                "clip_norm",
                clip_norm.to_string(),
                unless_changed(
                    (*clip_norm - paper.clip_norm).abs() < f64::EPSILON,
                    Origin::Recipe,
                ),
                "the default of SpeechBrain's training loop, which the recipe uses; the paper does not say",
            ),
            row(
                "validation.scheme",
                match validation.scheme {
                    crate::ValidationScheme::Random => "random",
                    crate::ValidationScheme::SpeakerDisjoint => "speaker-disjoint",
                }
                .to_owned(),
                unless_changed(both, Origin::Recipe),
                "`paper`: at random, as the recipe draws it (here within each label, so that none is missing). `strict`: by \
                 whole speakers, since a probe that is chosen by speakers it has heard is chosen for the wrong thing",
            ),
            row(
                "validation.share",
                validation.share.to_string(),
                unless_changed(
                    (validation.share - paper.validation.share).abs() < f64::EPSILON,
                    Origin::Paper,
                ),
                "20 % of the training part where there is no official validation part",
            ),
            row(
                "validation.max_share",
                validation.max_share.to_string(),
                Origin::Ours,
                "whole speakers come in lumps; beyond this the draw is random, and the outcome says so",
            ),
            row(
                "validation.seed",
                validation.seed.to_string(),
                Origin::Ours,
                "drawn apart from the training seeds: it belongs to the partition",
            ),
            row(
                "max_seconds",
                max_seconds.map_or("none".to_owned(), |s| s.to_string()),
                unless_changed(max_seconds.is_some(), Origin::Recipe),
                "`paper`: the recipe leaves out clips longer than 30 s, in training and test. `strict` keeps them: leaving \
                 out test items changes the question",
            ),
            row(
                "class_weighting",
                match class_weighting {
                    crate::ClassWeighting::None => "none",
                    crate::ClassWeighting::Balanced => "balanced",
                }
                .to_owned(),
                unless_changed(*class_weighting == paper.class_weighting, Origin::Recipe),
                "plain cross-entropy",
            ),
            row(
                "logit_adjustment",
                logit_adjustment.to_string(),
                unless_changed(*logit_adjustment == 0.0, Origin::Recipe),
                "none; offered for unbalanced corpora (Menon et al., ICLR 2021)",
            ),
            row(
                "oracle",
                oracle.to_string(),
                Origin::Ours,
                "what choosing on the test part would have claimed, and what the recipe prints, are computed beside the \
                 result in fields of their own. Selection itself is ours: by UA on the validation part (ties: lower loss, \
                 then the earlier), where the recipe scores every epoch on the test part",
            ),
            row(
                "target",
                target.name().to_owned(),
                unless_changed(*target == paper.target, Origin::Paper),
                "`--target` takes another: another protocol, with scores of its own. `votes`: cross-entropy against the \
                 distribution of annotators' votes. `dimensions`: 1 − CCC over the batch, mean over dimensions, which are \
                 standardised by the training part; selected by the mean CCC on the validation part",
            ),
        ]
    }

    /// The Markdown page of the protocols: `docs/protocol.md`.
    pub fn page() -> String {
        let mut text = String::from(
            "# The protocols\n\n<!-- Generated from crates/probe/src/origin.rs. Regenerate: EMOBOX_UPDATE=1 cargo test -p \
             emobox-probe --test it protocol_page -->\n\nEvery constant of the two protocols, and whether it is the paper's \
             (Ma et al., \"EmoBox\", Interspeech 2024), its published recipe's (emo-box/EmoBox, `examples/sb`, where the paper \
             is silent), or ours.\n\n| constant | strict | paper | from | why |\n|---|---|---|---|---|\n",
        );
        let (strict, paper) = (Self::strict().constants(), Self::paper().constants());
        for (strict, paper) in strict.iter().zip(&paper) {
            let from = if strict.origin == paper.origin {
                paper.origin.to_string()
            } else {
                format!("{} (strict: {})", paper.origin, strict.origin)
            };
            text.push_str(&format!(
                "| `{}` | {} | {} | {from} | {} |\n",
                paper.name, strict.value, paper.value, paper.reason
            ));
        }
        text.push_str(
            "\nHeads have learning rates of their own:\n\n| head | learning rates | |\n|---|---|---|\n",
        );
        for head in crate::heads::all() {
            let rates: Vec<String> = head.learning_rates.iter().map(f64::to_string).collect();
            text.push_str(&format!(
                "| `{}` | {} | {} |\n",
                head.name,
                rates.join(", "),
                head.summary
            ));
        }
        text.push_str(
            "\n## As published\n\nThe published recipe scores the checkpoint of every epoch on the test part. Its list of \
             predictions is emptied once before the loop over checkpoints and not for each, so what it writes for epoch e are \
             the scores of the predictions of epochs 1 to e together; the best epoch and sweep point are then read off the \
             test part. (Its `scoring_metric.py` calls accuracy \"UA\" and balanced accuracy \"WA\"; here the names are those of \
             the paper's text, and the best is taken by balanced accuracy, the key that it is called with.) The same training \
             computes this beside the result, as `as published`. It is no result: it is chosen on the test part, and pooling \
             untrained epochs with trained ones measures neither. It is what published tables are to be compared with, on the \
             scheme `published`, and with nothing else.\n\n## Seeds\n\nThe partition's seed draws the partition, the validation \
             part and the order of the batches. A training seed draws the initial weights. Training seeds are trained \
             together: they go through the same batches in one pass, and each gives to the bit what it would give alone.\n",
        );
        text
    }
}
