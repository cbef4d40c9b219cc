//! One module a command: arguments in, a call of `emobox-bench`, a printed result.

mod bench;
mod completions;
mod corpora;
mod cross;
mod download;
mod encoders;
mod evaluate;
mod export;
mod home;
mod listen;
mod predict;
mod report;
mod stages;
mod submission;

use crate::args::{Cli, Command, ExperimentHow, Grid, PartitionHow, ProbeHow, ReadingHow};
use crate::exit::Ending;
use crate::progress;
use emobox_bench::{
    BenchError, CallError, Context, CorpusChoice, Devices, EncoderChoice, Experiment, Home, Reading,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What every command gets.
struct Session<'a> {
    home: Home,
    json: bool,
    context: Context<'a>,
}

/// Runs the command of `cli`.
pub(crate) fn run(cli: &Cli, stop: &AtomicBool) -> anyhow::Result<Ending> {
    let display = progress::display(cli.global.quiet);
    let session = Session {
        home: Home::resolve(cli.global.home.as_deref()),
        json: cli.global.json,
        context: Context {
            progress: &*display,
            stop,
        },
    };
    match &cli.command {
        Command::Corpora(args) => corpora::run(&session, args),
        Command::Download(args) => download::run(&session, args),
        Command::Prepare(args) => stages::prepare(&session, args),
        Command::Split(args) => stages::split(&session, args),
        Command::Export(args) => export::run(&session, args),
        Command::Encoders(args) => encoders::run(&session, args),
        Command::Extract(args) => stages::extract(&session, args),
        Command::Train(args) => stages::train(&session, args),
        Command::Evaluate(args) => evaluate::run(&session, args),
        Command::Bench(args) => bench::run(&session, args),
        Command::Job(args) => bench::task(&session, args),
        Command::Cross(args) => cross::run(&session, args),
        Command::Status(args) => home::status(&session, args),
        Command::Doctor => home::doctor(&session),
        Command::Du => home::usage(&session),
        Command::Clean(args) => home::clean(&session, args),
        Command::Compare(args) => report::compare(&session, args),
        Command::Report(args) => report::run(&session, args),
        Command::Seal(args) => submission::seal(&session, args),
        Command::Submit(args) => submission::submit(&session, args),
        Command::Verify(args) => submission::verify(&session, args),
        Command::Leaderboard(args) => submission::leaderboard(&session, args),
        Command::Fit(args) => predict::fit(&session, args),
        Command::Predict(args) => predict::run(&session, args),
        Command::Listen(args) => listen::run(&session, args),
        Command::ExportModel(args) => predict::export(&session, args),
        Command::Demo(args) => bench::demo(&session, args),
        Command::Completions { shell } => {
            completions::print(*shell);
            Ok(Ending::Complete)
        }
    }
}

/// The experiment of a file, or an empty one.
fn experiment(path: Option<&Path>) -> Result<Experiment, BenchError> {
    path.map_or_else(|| Ok(Experiment::default()), Experiment::read)
}

/// `NAME` or `NAME=DIR`.
fn name_and_path(text: &str) -> (String, Option<PathBuf>) {
    match text.split_once('=') {
        Some((name, path)) => (name.to_owned(), Some(PathBuf::from(path))),
        None => (text.to_owned(), None),
    }
}

impl ExperimentHow {
    /// The experiment of the file with what the options add to it.
    fn experiment(&self) -> Result<Experiment, BenchError> {
        let mut experiment = experiment(self.experiment.as_deref())?;
        self.grid.add_to(&mut experiment)?;
        self.partition.add_to(&mut experiment);
        self.probe.add_to(&mut experiment);
        Ok(experiment)
    }
}

impl Grid {
    /// Adds what the options name to an experiment.
    fn add_to(&self, experiment: &mut Experiment) -> Result<(), BenchError> {
        let reading = self.reading.reading()?;
        if reading != Reading::default() && !self.corpora.iter().any(|text| text.contains('=')) {
            return Err(BenchError::Call(CallError::Contradiction(
                "--channel, --columns and --custom say how a raw release is read: name it as --corpus NAME=DIR, or prepare the corpus \
                 again with them"
                    .to_owned(),
            )));
        }
        experiment.corpora.extend(self.corpora.iter().map(|text| {
            let (name, raw) = name_and_path(text);
            CorpusChoice {
                name,
                raw,
                channel: reading.channel.clone(),
                columns: reading.columns.clone(),
                custom: reading.custom,
            }
        }));
        let named = self.encoders.iter().map(|text| EncoderChoice::named(text));
        experiment.encoders.extend(named);
        experiment.settle_names();
        if let Some(precision) = self.store_precision {
            experiment.store_precision = precision;
        }
        let devices = match &self.gpus[..] {
            [] => self.device.clone(),
            cards => Some(Devices::cards(cards)?),
        };
        if let Some(devices) = devices {
            // What the file says besides stays.
            if experiment.precision == emobox_bench::usual_precision(experiment.device.first()) {
                experiment.precision = emobox_bench::usual_precision(devices.first());
            }
            experiment.device = devices;
        }
        if let Some(precision) = self.precision {
            experiment.precision = precision;
        }
        if let Some(layers) = &self.layers {
            experiment.layers.clone_from(layers);
        }
        if let Some(norm) = self.norm {
            experiment.normalisation = norm;
        }
        experiment.allow_missing |= self.allow_missing;
        experiment.as_published |= self.as_published;
        experiment.skip_absent |= self.skip_absent;
        Ok(())
    }
}

impl ReadingHow {
    fn reading(&self) -> Result<Reading, BenchError> {
        let columns = self.columns.as_deref().map(Reading::parse_columns);
        Ok(Reading {
            channel: self.channel.clone(),
            columns: columns.transpose()?.unwrap_or_default(),
            custom: self.custom,
        })
    }
}

impl PartitionHow {
    fn add_to(&self, experiment: &mut Experiment) {
        if let Some(schemes) = &self.scheme {
            experiment.schemes.clone_from(schemes);
        }
        if let Some(seed) = self.partition_seed {
            experiment.partition_seed = seed;
        }
        if self.metadata.is_some() {
            experiment.metadata.clone_from(&self.metadata);
        }
    }
}

impl ProbeHow {
    fn add_to(&self, experiment: &mut Experiment) {
        if let Some(protocol) = self.protocol {
            experiment.protocol = protocol;
        }
        if self.head.is_some() {
            experiment.head.clone_from(&self.head);
        }
        if self.epochs.is_some() {
            experiment.epochs = self.epochs;
        }
        if let Some(target) = self.target {
            experiment.target = target;
        }
        if let Some(weighting) = self.class_weighting {
            experiment.class_weighting = weighting;
        }
        if let Some(tau) = self.logit_adjustment {
            experiment.logit_adjustment = tau;
        }
        if let Some(seeds) = self.training_seeds {
            experiment.training_seeds = seeds;
        }
        if self.train_device.is_some() {
            experiment.train_device.clone_from(&self.train_device);
        }
    }
}

/// Refuses a file that is named in the call and is not there, or is a folder.
fn check_files<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), BenchError> {
    for file in files {
        let problem = match (file.exists(), file.is_dir()) {
            (false, _) => "does not exist",
            (_, true) => "is a folder: name a file",
            _ => continue,
        };
        return Err(BenchError::Call(CallError::other(file, problem)));
    }
    Ok(())
}

/// Refuses a name that could not be a folder of the home.
fn checked_name(name: &str) -> Result<&str, BenchError> {
    emobox_bench::check_name(name)?;
    Ok(name)
}
