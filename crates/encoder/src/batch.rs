//! Batches of utterances on a device that prefers them.

use crate::{Encoder, EncoderError, HiddenStates, LayerSelection, Prepared};
use emobox_gpu::GpuError;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

impl Encoder {
    /// The device's preferred number of frames per batch; `None` if utterances are encoded one at a time, each on a thread of
    /// the caller's (the CPU).
    pub fn batch_frames(&self) -> Option<usize> {
        self.network.batch_frames()
    }

    /// The frames computed for `samples` samples, by which batches are filled.
    pub fn computed_frames(&self, samples: usize) -> usize {
        self.description().computed_frames(samples)
    }

    /// Number of batches that did not fit in the device's memory and were halved.
    pub fn halved(&self) -> usize {
        self.halved.load(Ordering::Relaxed)
    }

    /// Encodes one batch; results are in its order. If it does not fit in the device's memory beside others, it waits until it
    /// is alone there; if it does not fit even then, its halves are encoded one after the other, down to single utterances. The
    /// result for an utterance does not depend on the others, except for a library's rounding of products of other sizes.
    pub fn encode_prepared(
        &self,
        batch: &[Prepared],
        layers: &LayerSelection,
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        let layers = match layers.resolve(self.info().hidden_states) {
            Ok(layers) => layers,
            Err(EncoderError::NoSuchLayer { layer, last }) => {
                let refuse = |_| Err(EncoderError::NoSuchLayer { layer, last });
                return batch.iter().map(refuse).collect();
            }
            Err(error) => return self.for_all(batch, Err(error), &[]),
        };
        if batch.is_empty() {
            return Vec::new();
        }
        let in_company = {
            let _in_company = self.alone.read().unwrap_or_else(PoisonError::into_inner);
            self.network.encode(batch, &layers)
        };
        match in_company {
            Err(EncoderError::Gpu(GpuError::OutOfMemory { .. })) => {
                let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
                self.halving(batch, &layers)
            }
            result => self.for_all(batch, result, &layers),
        }
    }

    fn halving(
        &self,
        batch: &[Prepared],
        layers: &[usize],
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        match self.network.encode(batch, layers) {
            Err(EncoderError::Gpu(GpuError::OutOfMemory { .. })) if batch.len() > 1 => {
                self.halved.fetch_add(1, Ordering::Relaxed);
                let (first, second) = batch.split_at(batch.len() / 2);
                let mut all = self.halving(first, layers);
                all.extend(self.halving(second, layers));
                all
            }
            Err(EncoderError::Gpu(source @ GpuError::OutOfMemory { .. })) => {
                let too_large = |input: &Prepared| EncoderError::DoesNotFit {
                    seconds: input.samples as f64 / f64::from(self.info().sample_rate),
                    source: source.clone(),
                };
                batch.iter().map(|input| Err(too_large(input))).collect()
            }
            result => self.for_all(batch, result, layers),
        }
    }

    /// Distributes the result of a whole batch to its utterances.
    fn for_all(
        &self,
        batch: &[Prepared],
        result: Result<Vec<Vec<f32>>, EncoderError>,
        layers: &[usize],
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        match result {
            Ok(data) => {
                let states = batch.iter().zip(data);
                let states =
                    states.map(|(input, data)| self.states(input.samples, layers.to_vec(), data));
                states.map(Ok).collect()
            }
            Err(error) => {
                let reason = error.to_string();
                let all = batch.iter();
                all.map(|_| Err(EncoderError::Device(reason.clone())))
                    .collect()
            }
        }
    }

    /// [`Encoder::prepare`] and [`Encoder::encode_prepared`] of waveforms; one that cannot be prepared does not fail the batch.
    pub fn encode_together(
        &self,
        waveforms: &[&[f32]],
        layers: &LayerSelection,
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        let prepared = waveforms.iter().map(|samples| self.prepare(samples));
        let prepared: Vec<Result<Prepared, EncoderError>> = prepared.collect();
        let well: Vec<Prepared> = prepared.iter().flatten().cloned().collect();
        let mut encoded = self.encode_prepared(&well, layers).into_iter();
        let unknown = || Err(EncoderError::Device("a batch without results".to_owned()));
        prepared
            .into_iter()
            .map(|prepared| prepared.and_then(|_| encoded.next().unwrap_or_else(unknown)))
            .collect()
    }

    /// The longest first, so that utterances of a batch have similar lengths and the first batch needs the most memory.
    pub(crate) fn in_batches(
        &self,
        waveforms: &[&[f32]],
        layers: &LayerSelection,
        most: usize,
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        let mut order: Vec<usize> = (0..waveforms.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(waveforms[index].len()));
        let mut done = Vec::with_capacity(waveforms.len());
        while !order.is_empty() {
            let mut frames = 0;
            let fits = |index: &&usize| {
                frames += self.computed_frames(waveforms[**index].len());
                frames <= most
            };
            let count = order.iter().take_while(fits).count().max(1);
            let batch: Vec<usize> = order.drain(..count).collect();
            let signals: Vec<&[f32]> = batch.iter().map(|&index| waveforms[index]).collect();
            done.extend(
                batch
                    .into_iter()
                    .zip(self.encode_together(&signals, layers)),
            );
        }
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}
