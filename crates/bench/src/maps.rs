use crate::{BenchError, Corpus, Maps};
use emobox_features::Store;
use emobox_report::{MAP_LIMIT, MapItem, MapMethod, UtteranceMap, utterance_maps};

/// The corpus in the plane, by the mean over frames of what the probes read (its last stored layer).
pub(crate) fn draw_maps(
    corpus: &Corpus,
    store: &Store,
    encoder: &str,
    kind: Maps,
) -> Result<Vec<UtteranceMap>, BenchError> {
    let utterances = &corpus.manifest.utterances;
    let stored: Vec<_> = utterances
        .iter()
        .filter(|utterance| store.contains(&utterance.key))
        .collect();
    let step = stored.len().div_ceil(MAP_LIMIT).max(1);
    let mut rows = Vec::new();
    for utterance in stored.into_iter().step_by(step) {
        rows.push((utterance, mean_of(store, &utterance.key)?));
    }
    let items: Vec<MapItem<'_>> = rows
        .iter()
        .map(|(utterance, features)| MapItem {
            key: &utterance.key,
            label: &utterance.label,
            speaker: utterance.speaker.as_deref(),
            features,
        })
        .collect();
    let methods: &[MapMethod] = match kind {
        Maps::Pca => &[MapMethod::Pca],
        Maps::Tsne => &[MapMethod::Pca, MapMethod::Tsne],
        Maps::None => &[],
    };
    Ok(utterance_maps(&corpus.name, encoder, &items, methods))
}

fn mean_of(store: &Store, key: &str) -> Result<Vec<f32>, BenchError> {
    let view = store.get(key)?;
    let frames = view.part(view.layers - 1, 0..view.frames).to_f32();
    let mut mean = vec![0.0f64; view.dim];
    for frame in frames.chunks_exact(view.dim) {
        for (sum, &value) in mean.iter_mut().zip(frame) {
            *sum += f64::from(value);
        }
    }
    let count = view.frames.max(1) as f64;
    Ok(mean.into_iter().map(|sum| (sum / count) as f32).collect())
}
