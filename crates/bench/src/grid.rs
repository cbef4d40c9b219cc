use crate::encoders::{open_encoder, warn_of_emulation};
use crate::evaluate::{prediction, scores_file};
use crate::extract::{ExtractOptions, Extracted, extract, open_store};
use crate::layers::layer_curve_of;
use crate::plan::Measured;
use crate::prepare::{PrepareHow, corpus_of};
use crate::results::{audit_findings, protocol_facts, training_of};
use crate::run::PredictionSet;
use crate::split::{Split, SplitRequest, split};
use crate::train::{Assignment, Jobs, features_identity, jobs, train_jobs};
use crate::{BenchError, BenchRun, Context, Corpus, Experiment, Home, Share};
use emobox_encoder::Encoder;
use emobox_features::{ComputePrecision, Store};
use emobox_files::sha256_bytes;
use emobox_probe::{ClassWeighting, FoldOutcome, Protocol};
use emobox_report::{MapItem, ReportData, UtteranceMap, utterance_maps};
use emobox_score::{
    BootstrapOptions, Provenance, RunLabels, ScoreRequest, Skipped, Source, score_folds,
};
use std::path::{Path, PathBuf};

/// An experiment with its corpora prepared and its encoders open.
pub(crate) struct Grid<'a> {
    pub(crate) home: &'a Home,
    pub(crate) experiment: &'a Experiment,
    pub(crate) protocol: Protocol,
    pub(crate) corpora: Vec<Corpus>,
    pub(crate) encoders: Vec<Encoder>,
    pub(crate) options: ExtractOptions,
}

/// A corpus under an encoder, with what its training needs.
pub(crate) struct Cell<'a> {
    corpus: &'a Corpus,
    encoder: &'a Encoder,
    split: &'a Split,
    store: Store,
    /// Where the encoder's weights lie, if it has any.
    checkpoint: Option<&'a Path>,
}

impl<'a> Grid<'a> {
    /// Checks what is cheap first: names and checkpoints before corpora.
    pub(crate) fn open(
        home: &'a Home,
        experiment: &'a Experiment,
        context: Context<'_>,
    ) -> Result<Self, BenchError> {
        let protocol = protocol_of(experiment)?;
        let layers = experiment
            .layers
            .parse()
            .map_err(|e| BenchError::Call(format!("layers: {e}")))?;
        warn_of_emulation(&experiment.precision, &experiment.device, context);
        let encoders = experiment
            .encoders
            .iter()
            .map(|choice| open_encoder(choice, &experiment.precision, &experiment.device))
            .collect::<Result<_, _>>()?;
        let how = PrepareHow {
            allow_missing: experiment.allow_missing,
            as_published: experiment.as_published,
        };
        let corpora = experiment
            .corpora
            .iter()
            .map(|choice| corpus_of(home, choice, how, context))
            .collect::<Result<_, _>>()?;
        let compute = match experiment.precision.as_str() {
            "bf16" => ComputePrecision::Bf16,
            _ => ComputePrecision::F32,
        };
        Ok(Self {
            home,
            experiment,
            protocol,
            corpora,
            encoders,
            options: ExtractOptions {
                layers,
                compute,
                normalisation: experiment.normalisation,
                ..ExtractOptions::default()
            },
        })
    }

    /// Encodes every corpus with every encoder, or our share of it.
    pub(crate) fn extract(
        &self,
        share: Option<Share>,
        memory: Option<usize>,
        context: Context<'_>,
    ) -> Result<Vec<Extracted>, BenchError> {
        let options = ExtractOptions {
            share,
            memory,
            ..self.options.clone()
        };
        let mut all = Vec::new();
        for encoder in &self.encoders {
            for corpus in &self.corpora {
                all.push(self.extract_cell(corpus, encoder, &options, context)?);
            }
        }
        Ok(all)
    }

    /// Encodes a cell and remembers how fast it went.
    pub(crate) fn extract_cell(
        &self,
        corpus: &Corpus,
        encoder: &Encoder,
        options: &ExtractOptions,
        context: Context<'_>,
    ) -> Result<Extracted, BenchError> {
        let begun = std::time::Instant::now();
        let folder = self.store(corpus, encoder);
        let extracted = extract(corpus, encoder, &folder, options, context)?;
        let all: f64 = corpus.manifest.utterances.iter().map(|u| u.length).sum();
        let seconds = all * extracted.encoded as f64 / extracted.utterances.max(1) as f64;
        let measured = Measured {
            utterances: extracted.encoded as f64,
            audio_seconds: seconds,
            core_seconds: begun.elapsed().as_secs_f64() * rayon::current_num_threads() as f64,
        };
        let (device, precision) = (&self.experiment.device, &self.experiment.precision);
        measured.record(self.home, &encoder.info().name, device, precision)?;
        Ok(extracted)
    }

    /// Trains every fold of every corpus under every encoder, and scores.
    pub(crate) fn train(&self, title: &str, context: Context<'_>) -> Result<BenchRun, BenchError> {
        let splits = self.splits(context)?;
        let cells = self.cells(&splits)?;
        let mut plans = Vec::new();
        for cell in &cells {
            plans.push(self.jobs(cell)?);
        }
        let all: Vec<_> = plans.iter().flat_map(|plan| &plan.jobs).collect();
        let label = format!("training {} folds", all.len());
        let mut outcomes = train_jobs(&all, label, context)?.into_iter();
        let mut data = ReportData::new(title, scores_file(self.provenance(&cells), Vec::new()));
        data.protocol = protocol_facts(&self.protocol);
        data.audits = splits.iter().map(audit_findings).collect();
        data.notes = self.notes();
        let mut run = BenchRun::of(data);
        run.add_skipped(self.corpora.iter().map(|corpus| corpus.skipped).sum());
        for (cell, plan) in cells.iter().zip(plans) {
            let outcomes: Vec<FoldOutcome> = outcomes.by_ref().take(plan.jobs.len()).collect();
            self.add_cell(&mut run, cell, plan, &outcomes, context)?;
        }
        Ok(run)
    }

    pub(crate) fn cells<'b>(&'b self, splits: &'b [Split]) -> Result<Vec<Cell<'b>>, BenchError> {
        let mut cells = Vec::new();
        for (encoder, choice) in self.encoders.iter().zip(&self.experiment.encoders) {
            for (corpus, split) in self.corpora.iter().zip(splits) {
                let folder = self.store(corpus, encoder);
                cells.push(Cell {
                    corpus,
                    encoder,
                    split,
                    store: open_store(corpus, encoder, &folder, &self.options)?,
                    checkpoint: choice.path.as_deref(),
                });
            }
        }
        Ok(cells)
    }

    pub(crate) fn jobs<'b>(&'b self, cell: &'b Cell<'_>) -> Result<Jobs<'b>, BenchError> {
        let assignment = Assignment {
            corpus: cell.corpus,
            split: cell.split,
            store: &cell.store,
            protocol: &self.protocol,
            checkpoint: cell.checkpoint,
        };
        let runs = self.home.runs(&cell.corpus.name, &cell.encoder.info().name);
        jobs(assignment, &runs)
    }

    /// The same, working without locks on shards.
    pub(crate) fn without_claims(mut self) -> Self {
        self.options.without_claims = true;
        self
    }

    pub(crate) fn corpus(&self, name: &str) -> Result<&Corpus, BenchError> {
        let found = self.corpora.iter().find(|corpus| corpus.name == name);
        found.ok_or_else(|| BenchError::Call(format!("the experiment has no corpus {name}")))
    }

    pub(crate) fn encoder(&self, name: &str) -> Result<&Encoder, BenchError> {
        let found = self.encoders.iter().find(|e| e.info().name == name);
        found.ok_or_else(|| BenchError::Call(format!("the experiment has no encoder {name}")))
    }

    /// Where the features of a corpus under an encoder lie; other ways to make them, other folders.
    pub(crate) fn store(&self, corpus: &Corpus, encoder: &Encoder) -> PathBuf {
        let name = format!("{}{}", encoder.info().name, self.options.variant());
        self.home.features(&corpus.name, &name)
    }

    pub(crate) fn splits(&self, context: Context<'_>) -> Result<Vec<Split>, BenchError> {
        let request = SplitRequest {
            scheme: self.experiment.scheme,
            seed: self.experiment.seed,
            metadata: self.experiment.metadata.as_deref(),
            listen: false,
        };
        self.corpora
            .iter()
            .map(|corpus| split(self.home, corpus, &request, context))
            .collect()
    }

    fn add_cell(
        &self,
        run: &mut BenchRun,
        cell: &Cell<'_>,
        plan: Jobs<'_>,
        outcomes: &[FoldOutcome],
        context: Context<'_>,
    ) -> Result<(), BenchError> {
        let (corpus, encoder) = (cell.corpus, cell.encoder.info().name.clone());
        let mut selected = Vec::new();
        let mut oracle = Vec::new();
        for outcome in outcomes {
            let line = |item| prediction(corpus, outcome, item);
            selected.extend(
                outcome
                    .selected
                    .iter()
                    .flat_map(|s| &s.predictions)
                    .map(line),
            );
            oracle.extend(outcome.oracle.iter().flat_map(|o| &o.predictions).map(line));
        }
        let labels = RunLabels {
            corpus: corpus.name.clone(),
            encoder: encoder.clone(),
            protocol: self.protocol.name.clone(),
            partition: self.experiment.scheme.to_string(),
            config: self.config(cell),
        };
        let mut runs = score_folds(&ScoreRequest {
            labels: &labels,
            classes: &corpus.manifest.classes(),
            predictions: &selected,
            oracle: (!oracle.is_empty()).then_some(&oracle),
            bootstrap: BootstrapOptions {
                seed: self.experiment.seed,
                ..BootstrapOptions::default()
            },
        })?;
        let skipped: Vec<Skipped> = plan
            .left_out
            .iter()
            .map(|(reason, count)| Skipped {
                reason: reason.clone(),
                count: *count as u64,
            })
            .collect();
        for scored in &mut runs {
            scored.audit = Some(cell.split.audit.verdict.clone());
            scored.skipped.clone_from(&skipped);
        }
        crate::as_published::set_as_published(&mut runs, outcomes);
        run.data_mut().scores.runs.extend(runs);
        let training = outcomes
            .iter()
            .map(|o| training_of(&corpus.name, &encoder, o));
        run.data_mut().training.extend(training);
        run.data_mut().maps.extend(maps(cell)?);
        if self.experiment.layer_curve {
            let seed = self.experiment.seed;
            let curve = layer_curve_of(corpus, &encoder, &plan.jobs, seed, context)?;
            run.data_mut().layers.push(curve);
        }
        run.add_skipped(plan.left_out.iter().map(|(_, count)| count).sum());
        run.add_folder(plan.folder);
        run.add_predictions(PredictionSet {
            corpus: corpus.name.clone(),
            encoder,
            items: selected,
        });
        Ok(())
    }

    /// What tells this configuration from others of the same encoder.
    fn config(&self, cell: &Cell<'_>) -> String {
        let header = cell.store.header();
        let layers: Vec<String> = header.layers.iter().map(usize::to_string).collect();
        let mut text = format!(
            "layer {}, {:?} norm, {:?}",
            layers.join("+"),
            header.normalisation,
            header.compute
        )
        .to_lowercase();
        if self.protocol.head != emobox_probe::heads::DEFAULT {
            text.push_str(", ");
            text.push_str(&self.protocol.head);
        }
        if self.protocol.class_weighting == ClassWeighting::Balanced {
            text.push_str(", balanced classes");
        }
        if self.protocol.logit_adjustment != 0.0 {
            let tau = self.protocol.logit_adjustment;
            text.push_str(&format!(", logit adjustment {tau}"));
        }
        text
    }

    fn provenance(&self, cells: &[Cell<'_>]) -> Provenance {
        let mut provenance = Provenance::default();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        provenance.versions.insert("emobox".to_owned(), version);
        let mut add = |kind: &str, name: &str, digest: &str| {
            let source = Source {
                kind: kind.to_owned(),
                name: name.to_owned(),
                digest: digest.to_owned(),
            };
            if !provenance.sources.contains(&source) {
                provenance.sources.push(source);
            }
        };
        for cell in cells {
            let corpus = &cell.corpus.name;
            add("manifest", corpus, cell.corpus.digest.as_str());
            add("partition", corpus, cell.split.partition.digest().as_str());
            let info = cell.encoder.info();
            add("checkpoint", &info.name, &info.weights_digest);
            let identity = features_identity(&cell.store).to_string();
            let store = format!("{corpus}/{}", info.name);
            add("store", &store, sha256_bytes(identity.as_bytes()).as_str());
        }
        add(
            "protocol",
            &self.protocol.name,
            self.protocol.digest().as_str(),
        );
        provenance
    }

    /// What a reader of the report must know first.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.corpora.iter().any(|corpus| corpus.name == "demo") {
            notes.push(
                "The corpus demo is synthetic speech made by this program: its scores show that \
                 the pipeline works and are no benchmark result."
                    .to_owned(),
            );
        }
        for corpus in self.corpora.iter().filter(|corpus| corpus.skipped > 0) {
            notes.push(format!(
                "{}: {} files were skipped while reading the raw release; {} names them.",
                corpus.name,
                corpus.skipped,
                self.home.prepare_report(&corpus.name).display()
            ));
        }
        notes
    }
}

/// The protocol with an experiment's own choices in it.
pub(crate) fn protocol_of(experiment: &Experiment) -> Result<Protocol, BenchError> {
    let mut protocol = Protocol::named(&experiment.protocol)?;
    protocol.seeds = vec![experiment.seed];
    protocol.order_seed = experiment.seed;
    protocol.validation.seed = experiment.seed;
    if let Some(head) = &experiment.head {
        protocol = protocol.with_head(head)?;
    }
    protocol.class_weighting = experiment.class_weighting;
    protocol.logit_adjustment = experiment.logit_adjustment;
    protocol.check()?;
    Ok(protocol)
}

/// The corpus in the plane, by the mean over frames of the layer that the probes read.
fn maps(cell: &Cell<'_>) -> Result<Vec<UtteranceMap>, BenchError> {
    let (corpus, store) = (cell.corpus, &cell.store);
    let layer = store.header().layers.last().copied().unwrap_or(0);
    let mut rows = Vec::new();
    for utterance in &corpus.manifest.utterances {
        if store.contains(&utterance.key)
            && let Some(pooled) = store.pooled(&utterance.key)?
        {
            rows.push((utterance, pooled.mean(layer)));
        }
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
    Ok(utterance_maps(
        &corpus.name,
        &cell.encoder.info().name,
        &items,
    ))
}
