use crate::team::Team;
use crate::{
    FoldOutcome, FoldTask, Item, ProbeError, Protocol, Role, TrainOptions, Training, ViewSource,
    train_fold,
};
use emobox_features::{FrameData, FrameView, PooledView};

/// One fold of a layer curve, which shows how well each hidden state predicts emotion: a small probe on each.
#[derive(Clone, Copy, Debug)]
pub struct LayerCurveTask<'a> {
    /// The corpus, for messages.
    pub corpus: &'a str,
    /// The fold, from 1.
    pub fold: u32,
    /// The classes, in the order of the outputs.
    pub classes: &'a [String],
    /// All utterances of the fold.
    pub items: &'a [Item],
    /// Their pooled statistics, by position.
    pub pooled: &'a [PooledView<'a>],
}

impl Protocol {
    /// The protocol of layer curves: a linear probe (multinomial logistic regression) on the mean
    /// and standard deviation over frames, utterance-normalised and then standardised by the
    /// training part. The validation rule is that of `self`; there is no oracle.
    pub fn for_layer_curve(&self) -> Self {
        Self {
            name: format!("{}-layer-curve", self.name),
            head: "mean-linear".into(),
            layer_sum: false,
            learning_rates: vec![1e-2, 1e-3],
            epochs: 40,
            warmup_epochs: 4,
            oracle: false,
            ..self.clone()
        }
    }
}

/// Trains one small probe on every layer's pooled statistics: one outcome per layer, from the embedding output (0) up. Layers
/// are distributed over `threads`; each is trained independently, so the result does not depend on them.
pub fn layer_curve(
    task: &LayerCurveTask<'_>,
    protocol: &Protocol,
    threads: usize,
) -> Result<Vec<FoldOutcome>, ProbeError> {
    let layers = task
        .pooled
        .iter()
        .map(|view| view.layers)
        .min()
        .unwrap_or(0);
    if layers == 0 || task.pooled.len() != task.items.len() {
        return Err(ProbeError::Fold {
            corpus: task.corpus.to_owned(),
            fold: task.fold,
            problem: format!(
                "pooled statistics of {} utterances with {layers} layers, {} utterances are in the \
                 fold: a layer curve needs a store with pooled statistics",
                task.pooled.len(),
                task.items.len()
            ),
        });
    }
    let mut parts: Vec<(usize, Option<Result<FoldOutcome, ProbeError>>)> =
        (0..layers).map(|layer| (layer, None)).collect();
    Team::new(threads).each(&mut parts, |(layer, outcome)| {
        *outcome = Some(one_layer(task, protocol, *layer));
    });
    parts
        .into_iter()
        .filter_map(|(_, outcome)| outcome)
        .collect()
}

fn one_layer(
    task: &LayerCurveTask<'_>,
    protocol: &Protocol,
    layer: usize,
) -> Result<FoldOutcome, ProbeError> {
    let mut vectors: Vec<Vec<f32>> = task.pooled.iter().map(|p| p.normalised(layer)).collect();
    standardise(&mut vectors, task.items);
    let views = vectors.iter().map(|vector| FrameView {
        layers: 1,
        frames: 1,
        dim: vector.len(),
        data: FrameData::F32(vector),
    });
    let source = ViewSource::new(views.collect())?;
    let fold = FoldTask {
        corpus: task.corpus,
        fold: task.fold,
        classes: task.classes,
        items: task.items,
        source: &source,
    };
    match train_fold(&fold, protocol, &TrainOptions::default(), &mut ())? {
        Training::Done(outcome) => Ok(*outcome),
        Training::Stopped => Err(fold.refuse("stopped without being asked to".into())),
    }
}

/// Scales every dimension to zero mean and unit variance over the training part.
fn standardise(vectors: &mut [Vec<f32>], items: &[Item]) {
    let dim = vectors.first().map_or(0, Vec::len);
    let trained = items.iter().map(|item| item.role == Role::Train);
    let trained: Vec<usize> = trained
        .enumerate()
        .filter_map(|(at, trains)| trains.then_some(at))
        .collect();
    for at in 0..dim {
        let column = trained.iter().map(|&v| f64::from(vectors[v][at]));
        let count = trained.len().max(1) as f64;
        let mean = column.clone().sum::<f64>() / count;
        let variance = column.map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        // A dimension that is constant in training becomes 0.
        let scale = if variance > 1e-12 {
            1.0 / variance.sqrt()
        } else {
            0.0
        };
        for vector in &mut *vectors {
            vector[at] = ((f64::from(vector[at]) - mean) * scale) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_training_part_says_what_is_usual() {
        let roles = [Role::Train, Role::Test, Role::Train];
        let items = roles.map(|role| Item::nameless(0, &[], role));
        let mut vectors = vec![vec![1.0, 5.0], vec![9.0, 6.0], vec![5.0, 5.0]];
        standardise(&mut vectors, &items);
        // Mean 3 and deviation 2; what is constant in training becomes 0, in the test part too.
        assert_eq!(vectors, [[-1.0, 0.0], [3.0, 0.0], [1.0, 0.0]]);
    }
}
