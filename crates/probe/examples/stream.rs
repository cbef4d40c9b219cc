//! Trains on a store of any size and reports its memory use.
//!
//!     stream FOLDER [UTTERANCES DIM EPOCHS]
//!
//! makes a store of synthetic features in FOLDER if there is none (by default the size of MSP-Podcast: 73,042 utterances of 5.8
//! s), trains on it by reading the frames from disk on each pass, and prints the memory in use after each epoch, without pages
//! of the store's mapped files, which the system can reclaim.

use emobox_features::{
    ComputePrecision, FeatureNormalisation, HiddenView, SCHEMA, Share, Store, StoreHeader,
    StorePlan, StorePrecision, StoredItem, UtteranceOutcome, WorkItem, write_shard,
};
use emobox_files::Stamp;
use emobox_probe::{
    EpochProgress, Flow, FoldTask, Item, Observer, Protocol, Role, StreamSource, TrainOptions,
    train_fold,
};
use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const CLASSES: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments
        .first()
        .ok_or("usage: stream FOLDER [UTTERANCES DIM EPOCHS]")?;
    let number =
        |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (utterances, dim, epochs) = (number(1, 73_042)?, number(2, 64)?, number(3, 2)?);
    let folder = Path::new(folder);
    let plan = plan(utterances, dim)?;
    make(folder, &plan)?;
    say(&format!("store made; {}", memory()?))?;

    let store = Store::open(folder, plan.header())?;
    let gigabytes = store.frame_bytes() as f64 / 1e9;
    say(&format!("{} utterances, {gigabytes:.2} GB", store.len()))?;
    let items: Vec<Item> = store
        .keys()
        .enumerate()
        .map(|(at, key)| Item {
            key: key.to_owned(),
            label: at % CLASSES,
            target: Vec::new(),
            speaker: Some(format!("speaker{:04}", at / 50)),
            role: if at % 5 == 0 { Role::Test } else { Role::Train },
        })
        .collect();
    let source = StreamSource::new(&store, store.keys())?;
    let classes: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
    let task = FoldTask {
        corpus: "synthetic",
        fold: 1,
        classes: &classes,
        items: &items,
        source: &source,
    };
    let protocol = Protocol {
        epochs,
        warmup_epochs: 1,
        ..Protocol::strict()
    };
    let options = TrainOptions {
        threads: 2,
        ..TrainOptions::default()
    };
    train_fold(&task, &protocol, &options, &mut Memory(Instant::now()))?;
    Ok(())
}

struct Memory(Instant);

impl Observer for Memory {
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        let seconds = self.0.elapsed().as_secs_f64();
        self.0 = Instant::now();
        let memory = memory().unwrap_or_default();
        let best = progress
            .records
            .iter()
            .map(|r| r.valid.ua)
            .fold(0.0, f64::max);
        let line = format!(
            "epoch {}: {seconds:.1} s, valid UA {best:.3}, {memory}",
            progress.epoch
        );
        if say(&line).is_ok() {
            Flow::Continue
        } else {
            Flow::Stop
        }
    }
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

fn memory() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let megabytes = |name: &str| -> Result<u64, Box<dyn Error>> {
        let line = status.lines().find(|line| line.starts_with(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kilobytes.ok_or("no such line")?.parse::<u64>()? / 1024)
    };
    let (own, mapped) = (megabytes("RssAnon:")?, megabytes("RssFile:")?);
    Ok(format!("{own} MB of its own, {mapped} MB of mapped files"))
}

fn plan(utterances: usize, dim: usize) -> Result<StorePlan, Box<dyn Error>> {
    let header = StoreHeader {
        schema: SCHEMA,
        corpus: "synthetic".into(),
        encoder: "noise".into(),
        weights_digest: "none".into(),
        layers: vec![0],
        pooled_layers: 0,
        perturbation: None,
        dim,
        hop: 320,
        precision: StorePrecision::F16,
        compute: ComputePrecision::F32,
        normalisation: FeatureNormalisation::Utterance,
        revision: 1,
        program_version: env!("CARGO_PKG_VERSION").into(),
    };
    let work = (0..utterances).map(|at| WorkItem {
        key: format!("synthetic-{at:06}"),
        // 1.8 to 9.8 s, 5.8 s on average.
        frames: 90 + at * 7919 % 401,
    });
    Ok(StorePlan::new(header, work.collect())?)
}

fn make(folder: &Path, plan: &StorePlan) -> Result<(), Box<dyn Error>> {
    plan.begin(folder)?;
    let program = Stamp::of(&std::env::current_exe()?)?;
    let dim = plan.header().dim;
    for shard in plan.missing_shards(folder, Share::ALL) {
        let mut outcomes = Vec::new();
        let mut audio = HashMap::new();
        for item in plan.items(shard) {
            let at: usize = item.key[10..].parse()?;
            let mut state = at as u64 + 1;
            let data: Vec<f32> = (0..item.frames * dim)
                .map(|i| {
                    // xorshift64 (Marsaglia 2003); the features depend slightly on the label.
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    let trace = if i % CLASSES == at % CLASSES {
                        0.05
                    } else {
                        0.0
                    };
                    (state >> 40) as f32 / 8_388_608.0 - 1.0 + trace
                })
                .collect();
            let hidden = HiddenView {
                layers: &[0],
                frames: item.frames,
                dim,
                data: &data,
            };
            // There is no audio; this program's own file stands in for that of every utterance.
            audio.insert(item.key.clone(), program.clone());
            outcomes.push(UtteranceOutcome::Stored(StoredItem::new(
                plan.header(),
                &item.key,
                &hidden,
            )?));
        }
        write_shard(folder, plan, shard, &outcomes, &audio)?;
    }
    Ok(())
}
