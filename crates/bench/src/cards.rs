//! GPUs that train probes.

use crate::{BenchError, Context, Devices};
use emobox_encoder::Device;
use emobox_features::Store;
use emobox_probe::{Card, FeatureSource};
use std::rc::Rc;
use std::sync::Arc;

/// Trainings that run at once on a GPU: the steps of one leave it partly idle.
const AT_ONCE: usize = 4;

/// Devices with nothing uploaded yet.
pub(crate) type OpenCards = Rc<[(Device, Card)]>;

/// The training devices, open for the duration of a run.
pub(crate) fn open_cards(devices: &Devices) -> Result<Vec<(Device, Card)>, BenchError> {
    let open = |&device: &Device| {
        let gpu = device.gpu().map_err(BenchError::TrainDevice)?;
        Ok((device, Card::new(gpu, device.kind())))
    };
    devices.all().iter().map(open).collect()
}

/// Uploads the features of `keys` once from their source to the open devices, and returns a stream of work for each training that may run at once.
pub(crate) fn lines_of_work(
    open: &[(Device, Card)],
    keys: &[&str],
    source: &dyn FeatureSource,
    trainings: usize,
    store: &Store,
    context: Context<'_>,
) -> Result<Vec<Arc<Card>>, BenchError> {
    let at_once = AT_ONCE.min(trainings.div_ceil(open.len()));
    let mut lines = Vec::new();
    for (device, card) in open {
        let mut card = card.beside()?;
        if !card.hold(keys, source, at_once, usize::MAX)? {
            context.progress.note(&format!(
                "{:.1} GB of features do not fit the memory of {device}: they are read into it in slices",
                store.frame_bytes() as f64 / 1e9
            ));
        }
        lines.push(card);
    }
    // The first training of each device before the second of any.
    let cards = lines.iter().cycle().take(at_once * open.len());
    let cards = cards.map(|card| -> Result<Arc<Card>, BenchError> { Ok(Arc::new(card.beside()?)) });
    cards.collect()
}
