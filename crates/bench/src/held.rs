//! Keeps the features of the current cell in memory, if they are not needed once its probes are trained.

use crate::Share;
use crate::memory::half_of_free;
use crate::workshop::Workshop;
use emobox_features::{HeldShards, StorePlan};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Fraction of the memory for work that features and utterances being processed may each take.
const PARTS: usize = 2;

impl Workshop<'_> {
    /// The same for a process that encodes a cell and trains it before the next: features that would be discarded then stay in memory.
    pub(crate) fn holding_features(mut self) -> Self {
        self.holds_features = self.experiment.discards_cell_by_cell();
        self
    }

    /// Bytes that features in memory may take; nothing if features go through the disk.
    pub(crate) fn memory_for_features(&self) -> usize {
        match self.holds_features {
            true => self.options.memory.unwrap_or_else(half_of_free) / PARTS,
            false => 0,
        }
    }

    /// The held features that belong in `folder`.
    pub(crate) fn held(&self, folder: &Path) -> Option<Rc<HeldShards>> {
        let in_hand = self.in_hand.borrow();
        let (of, held) = in_hand.as_ref()?;
        held.clone().filter(|_| of == folder)
    }

    /// The same before a part of them is encoded. The first part decides whether they are held, except for those already on disk;
    /// those of the previous cell are freed.
    pub(crate) fn hold(&self, folder: &Path, plan: &StorePlan) -> Option<Rc<HeldShards>> {
        if !self.holds_features {
            return None;
        }
        let is_known = |in_hand: &(PathBuf, _)| in_hand.0 == folder;
        if !self.in_hand.borrow().as_ref().is_some_and(is_known) {
            *self.in_hand.borrow_mut() = None;
            let bytes = plan.bytes(&plan.missing_shards(folder, Share::ALL));
            let room = self.memory_for_features();
            if bytes > room {
                let header = plan.header();
                self.context.progress.note(&format!(
                    "{:.1} GB of features of {} with {} are written to disk: more than the {:.1} GB of memory that they may take",
                    bytes as f64 / 1e9,
                    header.corpus,
                    header.encoder,
                    room as f64 / 1e9
                ));
            }
            let held = (0 < bytes && bytes <= room).then(Rc::default);
            *self.in_hand.borrow_mut() = Some((folder.to_owned(), held));
        }
        self.held(folder)
    }

    /// Bytes for the utterances being processed in addition to held features.
    pub(crate) fn memory_beside(&self, held: Option<&Rc<HeldShards>>) -> Option<usize> {
        match held {
            Some(_) => Some(self.memory_for_features()),
            None => self.options.memory,
        }
    }

    /// Frees the memory of features that are no longer needed.
    pub(crate) fn let_go(&self, folder: &Path) {
        let mut in_hand = self.in_hand.borrow_mut();
        in_hand.take_if(|(of, _)| of == folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Experiment, Home, KeepFeatures, Progress, Stage};
    use emobox_features::{
        ComputePrecision, FeatureNormalisation, SCHEMA, StoreHeader, StorePrecision, WorkItem,
    };
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Progress for Notes {
        fn begin(&self, _: &Stage) {}
        fn advance(&self, _: u64) {}
        fn end(&self) {}
        fn note(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }

    /// This many utterances of 2,000 bytes.
    fn plan(utterances: usize) -> StorePlan {
        let header = StoreHeader {
            schema: SCHEMA,
            corpus: "tones".to_owned(),
            encoder: "fbank".to_owned(),
            weights_digest: String::new(),
            layers: vec![0],
            pooled_layers: 0,
            dim: 10,
            hop: 320,
            precision: StorePrecision::F16,
            compute: ComputePrecision::F32,
            normalisation: FeatureNormalisation::None,
            perturbation: None,
            revision: 1,
            program_version: String::new(),
        };
        let item = |at: usize| WorkItem {
            key: at.to_string(),
            frames: 100,
        };
        StorePlan::new(header, (0..utterances).map(item).collect()).unwrap()
    }

    #[test]
    fn what_fits_is_held_and_what_does_not_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let (notes, stop) = (Notes::default(), AtomicBool::new(false));
        let context = Context {
            progress: &notes,
            stop: &stop,
        };
        let [keep, discard] =
            [KeepFeatures::Keep, KeepFeatures::Discard].map(|features| Experiment {
                features,
                ..Experiment::default()
            });
        let small = plan(250);
        let a = folder.path().join("a");
        let shop = |experiment| {
            let shop = Workshop::new(&home, experiment, context).unwrap();
            shop.with(|options| options.memory = Some(1_000_000))
                .holding_features()
        };
        // Features that are kept go to disk.
        assert!(shop(&keep).hold(&a, &small).is_none());
        let shop = shop(&discard);
        assert_eq!(shop.memory_for_features(), 500_000);
        assert!(shop.held(&a).is_none());
        let held = shop.hold(&a, &small).unwrap();
        assert!(Rc::ptr_eq(&held, &shop.hold(&a, &small).unwrap()));
        assert!(Rc::ptr_eq(&held, &shop.held(&a).unwrap()));
        assert_eq!(shop.memory_beside(Some(&held)), Some(500_000));
        assert_eq!(shop.memory_beside(None), Some(1_000_000));
        assert!(notes.0.lock().unwrap().is_empty());
        // The next cell replaces this one, whether it fits or not.
        let b = folder.path().join("b");
        for _ in 0..2 {
            assert!(shop.hold(&b, &plan(251)).is_none());
        }
        assert!(shop.held(&a).is_none() && shop.held(&b).is_none());
        let told = std::mem::take(&mut *notes.0.lock().unwrap());
        let [told] = &told[..] else {
            panic!("{told:?}");
        };
        assert!(
            told.contains("tones with fbank are written to disk"),
            "{told}"
        );
        shop.hold(&a, &small).unwrap();
        shop.let_go(&b);
        assert!(shop.held(&a).is_some());
        shop.let_go(&a);
        assert!(shop.held(&a).is_none());
    }
}
