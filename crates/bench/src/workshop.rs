use crate::cards::{OpenCards, open_cards};
use crate::encoders::{note_encoder, open_encoder, warn_of_emulation};
use crate::extract::{AudioCache, ExtractOptions};
use crate::memory::half_of_free;
use crate::sound::{Heard, Nuisance};
use crate::split::{Split, SplitRequest, split};
use crate::train::save_interval;
use crate::{
    BenchError, BenchRun, Context, Corpus, Devices, EncoderChoice, Experiment, Home, open_corpus,
};
use emobox_corpus::{Partition, Scheme};
use emobox_encoder::{Description, Device, Encoder};
use emobox_features::HeldShards;
use emobox_probe::Protocol;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

/// The current cell by the folder of its features, and what is held of it; nothing if they go through the disk.
pub(crate) type InHand = RefCell<Option<(PathBuf, Option<Rc<HeldShards>>)>>;

/// What the jobs of an experiment share while they run one after another in a process: the current corpus and
/// encoder stay open for the next job that needs them. Never more than one of either.
pub(crate) struct Workshop<'a> {
    pub(crate) home: &'a Home,
    pub(crate) experiment: &'a Experiment,
    pub(crate) protocol: Protocol,
    pub(crate) options: ExtractOptions,
    pub(crate) context: Context<'a>,
    corpus: RefCell<Option<Rc<Corpus>>>,
    /// Open on each of the experiment's devices.
    encoder: RefCell<Option<(String, Rc<[Encoder]>)>>,
    devices: Devices,
    train_devices: Devices,
    /// The opened devices.
    cards: RefCell<Option<OpenCards>>,
    /// Decoded audio for the encoders that follow, if GPUs would wait for the cores that decode.
    audio: OnceCell<Option<AudioCache>>,
    descriptions: RefCell<BTreeMap<String, Rc<Description>>>,
    /// The shared class of each class that takes part across corpora.
    classes: RefCell<Option<Rc<BTreeMap<String, String>>>>,
    /// By the digests of manifest and partition.
    nuisances: RefCell<BTreeMap<[String; 2], Option<Nuisance>>>,
    /// What the last written report shows.
    report: RefCell<Option<BenchRun>>,
    warned: Cell<bool>,
    /// Reasons of failures that the user has been told.
    told: RefCell<BTreeSet<String>>,
    /// Whether features stay in memory, and those that do.
    pub(crate) holds_features: bool,
    pub(crate) in_hand: InHand,
}

impl<'a> Workshop<'a> {
    pub(crate) fn new(
        home: &'a Home,
        experiment: &'a Experiment,
        context: Context<'a>,
    ) -> Result<Self, BenchError> {
        // Report a problem before hours of work.
        save_interval()?;
        Ok(Self {
            home,
            experiment,
            protocol: experiment.resolved_protocol()?,
            options: ExtractOptions {
                layers: experiment.layers.clone(),
                compute: experiment.precision,
                precision: experiment.store_precision,
                normalisation: experiment.normalisation,
                statistics: experiment.layer_curve,
                ..ExtractOptions::default()
            },
            context,
            corpus: RefCell::default(),
            encoder: RefCell::default(),
            devices: experiment.device.clone(),
            train_devices: experiment.probe_devices().clone(),
            cards: RefCell::default(),
            audio: OnceCell::new(),
            descriptions: RefCell::default(),
            classes: RefCell::default(),
            nuisances: RefCell::default(),
            report: RefCell::default(),
            warned: Cell::new(false),
            told: RefCell::default(),
            holds_features: false,
            in_hand: InHand::default(),
        })
    }

    /// The same, working without locks on shards and within a budget of memory.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut ExtractOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Tells the user what failed and why, once for each reason.
    pub(crate) fn tell_failure(&self, what: &str, reason: &str) {
        if self.told.borrow_mut().insert(reason.to_owned()) {
            self.context.progress.note(&format!("{what}: {reason}"));
        }
    }

    /// Whether [`Workshop::tell_failure`] has told a reason.
    pub(crate) fn has_told(&self, reason: &str) -> bool {
        self.told.borrow().contains(reason)
    }

    /// Keeps the content of a report for the caller of the run.
    pub(crate) fn hold_report(&self, run: BenchRun) {
        *self.report.borrow_mut() = Some(run);
    }

    /// The report that was written here, once.
    pub(crate) fn report(&self) -> Option<BenchRun> {
        self.report.borrow_mut().take()
    }

    /// A prepared corpus.
    pub(crate) fn corpus(&self, name: &str) -> Result<Rc<Corpus>, BenchError> {
        let mut held = self.corpus.borrow_mut();
        if let Some(corpus) = held.as_ref().filter(|corpus| corpus.name == name) {
            return Ok(Rc::clone(corpus));
        }
        *held = None;
        let corpus = Rc::new(open_corpus(self.home, name)?);
        *held = Some(Rc::clone(&corpus));
        Ok(corpus)
    }

    /// The files that change whenever a corpus does: its manifest, and what its raw files looked like.
    pub(crate) fn origin(&self, corpus: &str) -> Vec<PathBuf> {
        vec![self.home.manifest(corpus), self.home.prepare_report(corpus)]
    }

    /// Drops a corpus that is about to be remade, and everything derived from it.
    pub(crate) fn forget_corpus(&self) {
        *self.corpus.borrow_mut() = None;
        *self.classes.borrow_mut() = None;
    }

    /// The classes across corpora, computed once: if they are those that all corpora have, every manifest is read for them.
    pub(crate) fn classes(
        &self,
        find: impl FnOnce() -> Result<BTreeMap<String, String>, BenchError>,
    ) -> Result<Rc<BTreeMap<String, String>>, BenchError> {
        if let Some(known) = &*self.classes.borrow() {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(find()?);
        *self.classes.borrow_mut() = Some(Rc::clone(&found));
        Ok(found)
    }

    /// The partition of a corpus under one of the experiment's schemes.
    pub(crate) fn split(&self, corpus: &Corpus, scheme: Scheme) -> Result<Split, BenchError> {
        let request = SplitRequest::of(self.experiment, scheme);
        split(self.home, corpus, &request, self.context)
    }

    /// The score on a partition without hearing any emotion: the same for every encoder.
    pub(crate) fn nuisance(
        &self,
        heard: &Heard,
        corpus: &Corpus,
        partition: &Partition,
    ) -> Option<Nuisance> {
        let key = [corpus.digest.to_string(), partition.digest().to_string()];
        if let Some(known) = self.nuisances.borrow().get(&key) {
            return *known;
        }
        let found = heard.nuisance(corpus, partition);
        self.nuisances.borrow_mut().insert(key, found);
        found
    }

    /// The choice of an encoder by its name.
    pub(crate) fn choice(&self, name: &str) -> Result<&'a EncoderChoice, BenchError> {
        let mut named = self.experiment.encoders.iter().chain(
            self.experiment
                .cross
                .iter()
                .filter_map(|cross| cross.labeller.choice()),
        );
        named
            .find(|choice| choice.name == name)
            .ok_or(BenchError::Internal(
                "a job of an encoder that the experiment does not name",
            ))
    }

    /// The description of an encoder, without its weights.
    pub(crate) fn description(&self, name: &str) -> Result<Rc<Description>, BenchError> {
        if let Some(known) = self.descriptions.borrow().get(name) {
            return Ok(Rc::clone(known));
        }
        let description = Rc::new(note_encoder(self.home, self.choice(name)?)?);
        let mut known = self.descriptions.borrow_mut();
        known.insert(name.to_owned(), Rc::clone(&description));
        Ok(description)
    }

    /// The same on the GPUs that a cluster's task was given.
    pub(crate) fn on(self, gpus: Option<u32>) -> Self {
        Self {
            devices: self.devices.given(gpus),
            train_devices: self.train_devices.given(gpus),
            ..self
        }
    }

    /// Where probes are trained.
    pub(crate) fn train_devices(&self) -> &Devices {
        &self.train_devices
    }

    /// The same, open from the first training on.
    pub(crate) fn cards(&self) -> Result<OpenCards, BenchError> {
        if let Some(cards) = &*self.cards.borrow() {
            return Ok(Rc::clone(cards));
        }
        let cards: OpenCards = open_cards(&self.train_devices)?.into();
        *self.cards.borrow_mut() = Some(Rc::clone(&cards));
        Ok(cards)
    }

    /// Where encoders compute.
    pub(crate) fn devices(&self) -> &Devices {
        &self.devices
    }

    /// An encoder, open on each device. The previously open one is closed first.
    pub(crate) fn encoders(&self, name: &str) -> Result<Rc<[Encoder]>, BenchError> {
        let mut held = self.encoder.borrow_mut();
        if let Some((_, encoders)) = held.as_ref().filter(|(open, _)| open == name) {
            return Ok(Rc::clone(encoders));
        }
        *held = None;
        let precision = self.experiment.precision;
        if !self.warned.replace(true) {
            warn_of_emulation(precision, self.devices.first(), self.context);
        }
        let choice = self.choice(name)?;
        if self.devices.first() != Device::Cpu && !self.description(name)?.has_products() {
            let note = format!("{name} is computed by the CPU, whatever the device");
            self.context.progress.note(&note);
        }
        let devices = self.devices.all().iter();
        let encoders = devices
            .map(|device| open_encoder(choice, precision, *device))
            .collect::<Result<Rc<[Encoder]>, BenchError>>()?;
        *held = Some((name.to_owned(), Rc::clone(&encoders)));
        Ok(encoders)
    }

    /// Where decoded audio is held for the encoders that follow: half of the memory for utterances, on GPUs and with several
    /// encoders. On the CPU decoding is a hundredth of the work.
    pub(crate) fn audio(&self) -> Option<&AudioCache> {
        let audio = self.audio.get_or_init(|| {
            let several = self.experiment.encoders.len() > 1 && self.devices.are_gpus();
            let memory = || self.options.memory.unwrap_or_else(half_of_free);
            several.then(|| AudioCache::new(memory() / 2))
        });
        audio.as_ref()
    }
}
