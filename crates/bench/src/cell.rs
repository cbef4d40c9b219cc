//! A corpus with an encoder: encoded, trained, scored, and its features deleted if they are not to be kept.

mod perturbed;
mod rated;

use crate::as_published::set_as_published;
use crate::errors::{colour_maps, errors_of};
use crate::extract::{Beside, Extracted, extract_on, matches_audio, plan_extraction, store_folder};
use crate::heard::heard;
use crate::layers::{layer_curve_of, train_layers};
use crate::maps::draw_maps;
use crate::plan::{Done, Measured};
use crate::record::{CellRecord, audit_findings, seed_file, training_of};
use crate::sound::Heard;
use crate::split::{Split, SplitRequest, split_as_heard};
use crate::target::{add_votes, by_seed};
use crate::train::{FoldJob, Jobs, TrainingInputs, features_identity, jobs, train_jobs};
use crate::workshop::Workshop;
use crate::{BenchError, Corpus, EncoderChoice, KeepFeatures, Maps, Share};
use emobox_corpus::Scheme;
use emobox_encoder::Description;
use emobox_features::{Ledger, Ledgers, Store, StorePlan, StorePrecision};
use emobox_files::{read_json, sha256_bytes, write_atomic_with, write_json};
use emobox_probe::{Card, ClassWeighting, FoldOutcome, Protocol, Role, Target};
use emobox_report::UtteranceMap;
use emobox_score::{
    InferenceOptions, Prediction, RunLabels, ScoreRequest, Source, score_seeds, set_oracle,
    write_predictions,
};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// End of a configuration whose probes a GPU trained; the kind of GPU follows.
pub const TRAINED_ON: &str = ", trained on ";

/// A corpus with an encoder.
pub(crate) struct Cell<'a> {
    shop: &'a Workshop<'a>,
    pub(crate) corpus: Rc<Corpus>,
    choice: &'a EncoderChoice,
    pub(crate) encoder: Rc<Description>,
    plan: StorePlan,
    protocol: Protocol,
    /// The folder of the features; features made in other ways have other folders.
    folder: PathBuf,
    /// How the corpus is partitioned.
    scheme: Scheme,
}

impl<'a> Cell<'a> {
    pub(crate) fn open(
        shop: &'a Workshop<'a>,
        corpus: &str,
        encoder: &str,
    ) -> Result<Self, BenchError> {
        Self::of(shop, shop.corpus(corpus)?, encoder)
    }

    pub(crate) fn of(
        shop: &'a Workshop<'a>,
        corpus: Rc<Corpus>,
        encoder: &str,
    ) -> Result<Self, BenchError> {
        let description = shop.description(encoder)?;
        let plan = plan_extraction(&corpus, &description, &shop.options)?;
        Ok(Self {
            folder: store_folder(shop.home, &corpus.name, &description, &shop.options),
            choice: shop.choice(encoder)?,
            encoder: description,
            scheme: shop.experiment.schemes.first(),
            // Layers are summed if there are several.
            protocol: Protocol {
                layer_sum: plan.header().layers.len() > 1,
                ..shop.protocol.clone()
            },
            shop,
            corpus,
            plan,
        })
    }

    /// The same under one of the experiment's schemes; without a scheme, the first of them.
    pub(crate) fn under(self, scheme: Scheme) -> Self {
        Self { scheme, ..self }
    }

    fn name(&self) -> &str {
        &self.encoder.info().name
    }

    /// Encodes a share of the utterances and records the speed.
    ///
    /// # Errors
    /// [`BenchError::NoFeatures`] if too little is left to train on.
    pub(crate) fn extract(&self, share: Option<Share>) -> Result<Extracted, BenchError> {
        let extracted = self.encode(share)?;
        match extracted.trouble() {
            None => Ok(extracted),
            Some(trouble) => Err(trouble),
        }
    }

    /// The same, however much is left.
    pub(crate) fn encode(&self, share: Option<Share>) -> Result<Extracted, BenchError> {
        let encoders = self.shop.encoders(self.name())?;
        let begun = std::time::Instant::now();
        let mut options = self.shop.options.clone();
        options.share = share;
        let context = self.shop.context;
        let held = self.shop.hold(&self.folder, &self.plan);
        options.memory = self.shop.memory_beside(held.as_ref());
        let beside = Beside {
            audio: self.shop.audio(),
            held: held.as_deref(),
        };
        let extracted = extract_on(
            &self.corpus,
            &encoders,
            &self.folder,
            &options,
            beside,
            context,
        )?;
        let all: f64 = self.corpus.seconds();
        let devices = self.shop.devices();
        // On a machine with GPUs, the CPU cores are not the bottleneck.
        let workers = match devices.are_gpus() {
            true => devices.all().len(),
            false => rayon::current_num_threads(),
        };
        let measured = Measured {
            utterances: extracted.encoded as f64,
            audio_seconds: all * extracted.encoded as f64 / extracted.utterances.max(1) as f64,
            core_seconds: begun.elapsed().as_secs_f64() * workers as f64,
        };
        let precision = self.shop.experiment.precision.name();
        let kind = devices.first().kind();
        measured.record(self.shop.home, self.name(), kind, precision)?;
        Ok(extracted)
    }

    /// What the extraction of a share reads and writes; nothing on disk if the features are held in memory.
    pub(crate) fn extracted(&self, share: Share) -> Option<Done> {
        self.shop.held(&self.folder).is_none().then(|| Done {
            inputs: self.inputs(),
            outputs: self.plan.files(&self.folder, share),
        })
    }

    /// What determines the features.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        let mut inputs = self.shop.origin(&self.corpus.name);
        inputs.push(self.shop.home.encoder(self.name()));
        inputs
    }

    /// What determines the scores besides the probes.
    fn inputs_of_scores(&self) -> Vec<PathBuf> {
        let mut inputs = self.inputs();
        let request = SplitRequest::of(self.shop.experiment, self.scheme);
        inputs.extend(request.lists(self.shop.home, &self.corpus.name));
        inputs
    }

    /// The audio that the features were made from, even if they have been deleted.
    pub(crate) fn ledgers(&self) -> Result<Ledgers, BenchError> {
        Ledgers::read(&self.folder, &self.plan).ok_or_else(|| BenchError::NotExtracted {
            corpus: self.corpus.name.clone(),
            encoder: self.name().to_owned(),
        })
    }

    pub(crate) fn store(&self) -> Result<Store, BenchError> {
        let held = self.shop.held(&self.folder).unwrap_or_default();
        Ok(Store::open_held(&self.folder, self.plan.header(), &held)?)
    }

    /// What will be trained on a partition of the corpus (or of some of its utterances under other labels).
    pub(crate) fn with_folds<T>(
        &self,
        corpus: &Corpus,
        split: &Split,
        then: impl FnOnce(Jobs<'_>) -> Result<T, BenchError>,
    ) -> Result<T, BenchError> {
        let ledgers = self.ledgers()?;
        let inputs = TrainingInputs {
            corpus,
            split,
            header: self.plan.header(),
            ledgers: &ledgers,
            protocol: &self.protocol,
            trained_on: self.trained_on().ok(),
            checkpoint: self.choice.path.as_deref(),
        };
        let runs = self.shop.home.runs(&corpus.name, self.name());
        then(jobs(inputs, &runs)?)
    }

    /// Trains folds that are not trained yet, and returns the outcomes of all requested folds.
    pub(crate) fn train_folds(
        &self,
        wanted: &[&FoldJob<'_>],
    ) -> Result<Vec<FoldOutcome>, BenchError> {
        let finished: Option<Vec<FoldOutcome>> = wanted.iter().map(|job| job.finished()).collect();
        if let Some(finished) = finished {
            return Ok(finished);
        }
        let label = format!(
            "training {} of {} with {}",
            emobox_files::counted(wanted.len(), "fold"),
            self.corpus.name,
            self.name()
        );
        let devices = self.shop.train_devices();
        let cards = match self.trained_on() {
            Ok(_) => Some(self.shop.cards()?),
            Err(reason) => {
                if let (Some(reason), true) = (reason, devices.are_gpus()) {
                    let name = self.name();
                    let note = format!("probes of {name} are trained on the processor: {reason}");
                    self.shop.context.progress.note(&note);
                }
                None
            }
        };
        let store = self.store()?;
        let trained = train_jobs(wanted, &store, label, cards.as_deref(), self.shop.context)?;
        if let Some(speed) = trained.measured {
            let kind = devices.first().kind();
            speed.record(self.shop.home, &self.protocol.head, kind)?;
        }
        Ok(trained.outcomes)
    }

    /// The kind of GPU that the probes are trained on; otherwise why they are trained on the CPU although a GPU was requested.
    fn trained_on(&self) -> Result<&'static str, Option<String>> {
        let devices = self.shop.train_devices();
        let header = self.plan.header();
        if !devices.are_gpus() {
            return Err(None);
        }
        if header.precision != StorePrecision::F16 {
            return Err(Some(
                "a GPU trains on features that are stored in f16, these are in f32".to_owned(),
            ));
        }
        match Card::cannot(header.layers.len(), self.protocol.target) {
            Some(reason) => Err(Some(reason)),
            None => Ok(devices.first().kind()),
        }
    }

    /// Trains a share of the folds of the experiment's partition; fold k has the number k − 1.
    pub(crate) fn train(&self, share: Share) -> Result<Done, BenchError> {
        let split = self.shop.split(&self.corpus, self.scheme)?;
        self.with_folds(&self.corpus, &split, |jobs| {
            self.check_parts(&jobs)?;
            let ours = ours(&jobs, share);
            self.train_folds(&ours)?;
            let experiment = self.shop.experiment;
            if experiment.layer_curve
                && !ours
                    .iter()
                    .all(|job| job.has_layers(experiment.layer_curve_head))
            {
                let (head, context) = (experiment.layer_curve_head, self.shop.context);
                train_layers(
                    &self.corpus,
                    self.name(),
                    &ours,
                    &self.store()?,
                    head,
                    context,
                )?;
            }
            let maps = self.maps_path(&jobs);
            if share.contains(0) && experiment.maps != Maps::None && !maps.exists() {
                let store = self.store()?;
                let drawn = draw_maps(&self.corpus, &store, self.name(), experiment.maps)?;
                write_json(maps, &drawn)?;
            }
            if experiment.features == KeepFeatures::Discard && self.is_trained() {
                self.plan.discard(&self.folder)?;
                self.shop.let_go(&self.folder);
            }
            Ok(self.trained_files(&jobs, share))
        })
    }

    /// What a share of the folds reads and writes, if all of it is already trained on this audio; found without the
    /// features.
    pub(crate) fn trained(&self, share: Share) -> Option<Done> {
        let unchanged = self.plan.shards().iter().all(|shard| {
            Ledger::read(&self.folder, shard)
                .is_some_and(|ledger| matches_audio(&self.corpus, &ledger))
        });
        if !unchanged {
            return None;
        }
        let split = self.shop.split(&self.corpus, self.scheme).ok()?;
        let found = self.with_folds(&self.corpus, &split, |jobs| {
            let all = self.has_all(&jobs, share, |job| job.finished().is_some());
            Ok(all.then(|| self.trained_files(&jobs, share)))
        });
        found.ok().flatten()
    }

    /// Whether everything that features are needed for is done for every scheme; a scheme that cannot partition this corpus needs nothing.
    fn is_trained(&self) -> bool {
        self.shop.experiment.schemes.iter().all(|scheme| {
            let Ok(split) = self.shop.split(&self.corpus, scheme) else {
                return true;
            };
            let trained = self.with_folds(&self.corpus, &split, |jobs| {
                Ok(self.has_all(&jobs, Share::ALL, |job| job.outcome_path().exists()))
            });
            trained.unwrap_or(false)
        })
    }

    /// Whether a share of the folds is trained, with the requested layer curve and maps.
    fn has_all(&self, jobs: &Jobs<'_>, share: Share, is: impl Fn(&FoldJob<'_>) -> bool) -> bool {
        let experiment = self.shop.experiment;
        let maps =
            experiment.maps == Maps::None || !share.contains(0) || self.maps_path(jobs).exists();
        maps && ours(jobs, share).into_iter().all(|job| {
            is(job) && (!experiment.layer_curve || job.has_layers(experiment.layer_curve_head))
        })
    }

    fn trained_files(&self, jobs: &Jobs<'_>, share: Share) -> Done {
        let mut inputs = self.inputs_of_scores();
        inputs.push(jobs.folder.join("job.json"));
        let mut outputs = Vec::new();
        for job in ours(jobs, share) {
            outputs.push(job.outcome_path());
            if self.shop.experiment.layer_curve {
                outputs.push(job.layers_path(self.shop.experiment.layer_curve_head));
            }
        }
        if share.contains(0) && self.shop.experiment.maps != Maps::None {
            outputs.push(self.maps_path(jobs));
        }
        Done { inputs, outputs }
    }

    fn maps_path(&self, jobs: &Jobs<'_>) -> PathBuf {
        let kind = crate::Choice::name(self.shop.experiment.maps);
        jobs.folder.join(format!("maps-{kind}.json"))
    }

    /// Detects a fold that cannot be trained or scored before the others are trained.
    fn check_parts(&self, jobs: &Jobs<'_>) -> Result<(), BenchError> {
        for job in &jobs.jobs {
            for (role, part) in [(Role::Train, "training"), (Role::Test, "test")] {
                if !job.items.iter().any(|item| item.role == role) {
                    let why: Vec<String> = jobs
                        .left_out
                        .iter()
                        .map(|(reason, count)| format!("{count} {reason}"))
                        .collect();
                    return Err(BenchError::EmptyPart {
                        corpus: self.corpus.name.clone(),
                        encoder: self.name().to_owned(),
                        fold: job.fold,
                        part,
                        why: match why.is_empty() {
                            true => "the partition puts nothing there".to_owned(),
                            false => format!("left out: {}", why.join(", ")),
                        },
                    });
                }
            }
        }
        Ok(())
    }

    /// Scores the finished folds, and writes the record and the predictions.
    pub(crate) fn score(&self) -> Result<Done, BenchError> {
        let sound = Heard::of(self.shop.home, &self.corpus, self.shop.context)?;
        let request = SplitRequest::of(self.shop.experiment, self.scheme);
        let sounds = sound.as_ref().map(|sound| &sound.sounds[..]);
        let split = split_as_heard(&self.corpus, &request, sounds)?;
        self.with_folds(&self.corpus, &split, |jobs| {
            let mut outcomes = Vec::new();
            for job in &jobs.jobs {
                let path = job.outcome_path();
                outcomes.push(read_json::<FoldOutcome>(&path)?);
            }
            let record = match self.protocol.target {
                Target::Dimensions => self.rated_record(&split, &jobs, &outcomes)?,
                Target::Classes | Target::Votes => {
                    self.record(&split, sound.as_ref(), &jobs, &outcomes)?
                }
            };
            let path = self.record_path(&jobs.folder);
            write_json(&path, &record)?;
            let mut inputs = self.inputs_of_scores();
            inputs.extend(jobs.jobs.iter().map(FoldJob::outcome_path));
            let mut outputs = vec![path];
            outputs.extend(record.predictions);
            Ok(Done { inputs, outputs })
        })
    }

    fn record(
        &self,
        split: &Split,
        sound: Option<&Heard>,
        jobs: &Jobs<'_>,
        outcomes: &[FoldOutcome],
    ) -> Result<CellRecord, BenchError> {
        let (corpus, encoder) = (&*self.corpus, self.name().to_owned());
        let mut selected = by_seed(corpus, outcomes, |o| {
            o.selected.iter().map(|s| &s.predictions[..]).collect()
        });
        if self.protocol.target == Target::Votes {
            add_votes(&mut selected, corpus);
        }
        let oracle = by_seed(corpus, outcomes, |o| {
            o.oracle.iter().map(|s| &s.predictions[..]).collect()
        });
        let seeds: Vec<&[Prediction]> = selected.iter().map(Vec::as_slice).collect();
        let oracles: Vec<&[Prediction]> = oracle.iter().map(Vec::as_slice).collect();
        let labels = self.labels();
        let request = ScoreRequest {
            labels: &labels,
            classes: &corpus.manifest.classes(),
            predictions: seeds.first().copied().unwrap_or_default(),
            oracle: None,
            inference: InferenceOptions::default(),
        };
        let mut runs = score_seeds(&request, &seeds)?;
        set_oracle(&mut runs, &oracles, request.classes)?;
        let skipped = jobs.skipped();
        let nuisance = sound.and_then(|sound| self.shop.nuisance(sound, corpus, &split.partition));
        let known = heard(&encoder, &corpus.name);
        for scored in &mut runs {
            scored.audit = Some(split.audit.verdict.clone());
            scored.skipped.clone_from(&skipped);
            scored.cut = jobs.cut;
            scored.nuisance_ua = nuisance.map(|n| n.ua).filter(|_| scored.headline);
            scored.heard.clone_from(&known);
        }
        set_as_published(&mut runs, outcomes);
        let training = outcomes
            .iter()
            .map(|o| training_of(&corpus.name, &encoder, o))
            .collect();
        let mut maps: Vec<UtteranceMap> = read_json(self.maps_path(jobs)).unwrap_or_default();
        colour_maps(&mut maps, corpus, &labels.partition, request.predictions);
        let layers = match self.shop.experiment.layer_curve {
            true => {
                let head = self.shop.experiment.layer_curve_head;
                layer_curve_of(corpus, &encoder, &jobs.jobs, head)?
            }
            false => None,
        };
        let record = CellRecord {
            corpus: corpus.name.clone(),
            encoder,
            runs,
            dimensions: Vec::new(),
            training,
            maps,
            layers,
            errors: errors_of(corpus, &labels, request.predictions),
            audit: audit_findings(split, nuisance.as_ref()),
            sources: self.sources(split)?,
            folder: jobs.folder.clone(),
            predictions: (0..selected.len())
                .map(|seed| jobs.folder.join(seed_file("predictions", seed)))
                .collect(),
            left_out: jobs.left_out.iter().map(|(_, count)| count).sum(),
            corpus_skipped: corpus.skipped,
        };
        for (path, predictions) in record.predictions.iter().zip(&selected) {
            write_atomic_with(path, |to| write_predictions(to, predictions))?;
        }
        Ok(record)
    }

    fn labels(&self) -> RunLabels {
        RunLabels {
            corpus: self.corpus.name.clone(),
            encoder: self.name().to_owned(),
            protocol: self.protocol.name.clone(),
            partition: self.scheme.to_string(),
            config: self.config(),
        }
    }

    /// The record of the cell in the folder of its probes.
    fn record_path(&self, folder: &Path) -> PathBuf {
        let seed = self.shop.experiment.partition_seed;
        folder.join(format!("cell-{}-seed{seed}.json", self.scheme))
    }

    /// What distinguishes this configuration from others of the same encoder.
    fn config(&self) -> String {
        let header = self.plan.header();
        let layers: Vec<String> = header.layers.iter().map(usize::to_string).collect();
        let mut text = format!(
            "layer {}, {} norm, {}",
            layers.join("+"),
            header.normalisation.name(),
            header.compute.name()
        );
        let protocol = &self.protocol;
        if protocol.head != emobox_probe::heads::DEFAULT {
            text.push_str(", ");
            text.push_str(&protocol.head);
        }
        if protocol.epochs != Protocol::paper().epochs {
            text.push_str(&format!(", {} epochs", protocol.epochs));
        }
        if protocol.class_weighting == ClassWeighting::Balanced {
            text.push_str(", balanced classes");
        }
        if protocol.logit_adjustment != 0.0 {
            let tau = protocol.logit_adjustment;
            text.push_str(&format!(", logit adjustment {tau}"));
        }
        if protocol.target != Target::Classes {
            text.push_str(&format!(", {}", protocol.target.name()));
        }
        if let Ok(device) = self.trained_on() {
            text.push_str(TRAINED_ON);
            text.push_str(device);
        }
        text
    }

    /// Digests of the inputs of the scores.
    fn sources(&self, split: &Split) -> Result<Vec<Source>, BenchError> {
        let source = |kind: &str, name: &str, digest: &str| Source {
            kind: kind.to_owned(),
            name: name.to_owned(),
            digest: digest.to_owned(),
        };
        let (corpus, info) = (&self.corpus.name, self.encoder.info());
        let store = format!("{corpus}/{}", info.name);
        let cut = format!("{corpus}/{}", self.scheme);
        let identity = features_identity(self.plan.header()).to_string();
        Ok(vec![
            source("manifest", corpus, self.corpus.digest.as_str()),
            source("partition", &cut, split.partition.digest().as_str()),
            source("checkpoint", &info.name, &info.weights_digest),
            source("store", &store, sha256_bytes(identity.as_bytes()).as_str()),
            source("audio", &store, self.ledgers()?.digest().as_str()),
        ])
    }
}

fn ours<'b>(jobs: &'b Jobs<'_>, share: Share) -> Vec<&'b FoldJob<'b>> {
    let jobs = jobs.jobs.iter();
    jobs.filter(|job| share.contains(job.fold.saturating_sub(1) as usize))
        .collect()
}
