use crate::ProbeError;
use emobox_features::{FrameView, Store};
use std::ops::Range;

/// Source of frames: memory, a mapped store, or a store read from disk on each pass.
pub trait FeatureSource: Sync {
    /// Number of hidden states of an utterance (1 unless several layers are stored).
    fn layers(&self) -> usize;
    /// The width of a frame.
    fn dim(&self) -> usize;
    /// Number of frames of an utterance.
    fn frames(&self, item: usize) -> usize;
    /// Writes the frames `range` of one layer of an utterance to `out`, `[frame, dim]`.
    fn read(
        &self,
        item: usize,
        layer: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), ProbeError>;
    /// A view of an utterance's frames, for sources that have them in memory.
    fn view(&self, item: usize) -> Option<FrameView<'_>> {
        let _ = item;
        None
    }
}

/// Views of frames in memory or in mapped files.
#[derive(Debug)]
pub struct ViewSource<'a> {
    layers: usize,
    dim: usize,
    views: Vec<FrameView<'a>>,
}

impl<'a> ViewSource<'a> {
    /// The views, one per item. All must have the same layers and dimension.
    pub fn new(views: Vec<FrameView<'a>>) -> Result<Self, ProbeError> {
        let (layers, dim) = views.first().map_or((1, 1), |v| (v.layers, v.dim));
        for (at, view) in views.iter().enumerate() {
            if (view.layers, view.dim) != (layers, dim) {
                return Err(ProbeError::Features {
                    key: format!("item {at}"),
                    problem: format!(
                        "{} layers of {} dimensions, the first item has {layers} of {dim}",
                        view.layers, view.dim
                    ),
                });
            }
        }
        Ok(Self { layers, dim, views })
    }

    /// The frames of `keys`, mapped from a store.
    pub fn mapped<'k>(
        store: &'a Store,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<Self, ProbeError> {
        let views = keys.into_iter().map(|key| store.get(key));
        Self::new(views.collect::<Result<_, _>>()?)
    }
}

impl FeatureSource for ViewSource<'_> {
    fn layers(&self) -> usize {
        self.layers
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn frames(&self, item: usize) -> usize {
        self.views[item].frames
    }

    fn read(
        &self,
        item: usize,
        layer: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), ProbeError> {
        self.views[item].part(layer, range).widen(out);
        Ok(())
    }

    fn view(&self, item: usize) -> Option<FrameView<'_>> {
        Some(self.views[item])
    }
}

/// One layer of a source with several, as a source.
pub struct LayerSource<'a> {
    source: &'a dyn FeatureSource,
    layer: usize,
}

impl<'a> LayerSource<'a> {
    /// The layer at this position among those of `source`.
    pub fn new(source: &'a dyn FeatureSource, layer: usize) -> Self {
        Self { source, layer }
    }
}

impl FeatureSource for LayerSource<'_> {
    fn layers(&self) -> usize {
        1
    }

    fn dim(&self) -> usize {
        self.source.dim()
    }

    fn frames(&self, item: usize) -> usize {
        self.source.frames(item)
    }

    fn read(
        &self,
        item: usize,
        _: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), ProbeError> {
        self.source.read(item, self.layer, range, out)
    }

    fn view(&self, item: usize) -> Option<FrameView<'_>> {
        let all = self.source.view(item)?;
        Some(all.part(self.layer, 0..all.frames))
    }
}

/// Frames read from a store's files on every pass, so that memory does not grow with the corpus. The operating system's file
/// cache holds what fits.
#[derive(Debug)]
pub struct StreamSource<'a> {
    store: &'a Store,
    items: Vec<(String, usize)>,
}

impl<'a> StreamSource<'a> {
    /// The frames of `keys`, read from `store` when they are needed.
    pub fn new<'k>(
        store: &'a Store,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<Self, ProbeError> {
        let items = keys
            .into_iter()
            .map(|key| Ok((key.to_owned(), store.frames(key)?)))
            .collect::<Result<_, ProbeError>>()?;
        Ok(Self { store, items })
    }
}

impl FeatureSource for StreamSource<'_> {
    fn layers(&self) -> usize {
        self.store.header().layers.len()
    }

    fn dim(&self) -> usize {
        self.store.header().dim
    }

    fn frames(&self, item: usize) -> usize {
        self.items[item].1
    }

    fn read(
        &self,
        item: usize,
        layer: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), ProbeError> {
        Ok(self.store.read(&self.items[item].0, layer, range, out)?)
    }
}
