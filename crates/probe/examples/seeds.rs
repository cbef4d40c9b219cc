//! Compares the CPU time of training three seeds with that of one, alternating between them.
//!
//!     seeds [DIM [UTTERANCES [ROUNDS [THREADS]]]]
//!
//! prints the median CPU seconds of two epochs with one seed and with three (noise of 0.7 to 15 s in memory, f16), and the
//! median and range of their ratios. Needs Linux.

use emobox_features::{FrameData, FrameView};
use emobox_probe::{FoldTask, Item, Protocol, Role, TrainOptions, ViewSource, train_fold};
use half::f16;
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse())
        .collect::<Result<_, _>>()?;
    let argument = |at: usize, usual: usize| arguments.get(at).copied().unwrap_or(usual);
    let (dim, count, rounds) = (argument(0, 768), argument(1, 150), argument(2, 3));
    let mut state = 1u64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let mut numbers = Vec::new();
    let mut items = Vec::new();
    for at in 0..count {
        // 0.7 to 15 s at 50 frames a second, short ones more often.
        let share = f64::from(noise().abs()).powi(3);
        let frames = 35 + (715.0 * share) as usize;
        let values: Vec<f16> = (0..frames * dim).map(|_| f16::from_f32(noise())).collect();
        numbers.push(values);
        items.push(Item {
            key: format!("{at:06}"),
            label: at / 5 % 4,
            target: Vec::new(),
            speaker: None,
            role: match at % 5 {
                0..3 => Role::Train,
                3 => Role::Valid,
                _ => Role::Test,
            },
        });
    }
    let views = numbers.iter().map(|data| FrameView {
        layers: 1,
        frames: data.len() / dim,
        dim,
        data: FrameData::F16(data),
    });
    let source = ViewSource::new(views.collect())?;
    let classes: Vec<String> = (0..4).map(|class: usize| class.to_string()).collect();
    let task = FoldTask {
        corpus: "noise",
        fold: 1,
        classes: &classes,
        items: &items,
        source: &source,
    };
    let options = TrainOptions {
        threads: argument(3, 1),
        ..TrainOptions::default()
    };
    // CPU time of all threads, in the kernel's ticks of 10 ms.
    let ticks = || -> Result<f64, Box<dyn Error>> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let (_, after_name) = stat.rsplit_once(')').ok_or("no name")?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        Ok(fields[11].parse::<f64>()? + fields[12].parse::<f64>()?)
    };
    let time = |seeds: usize| -> Result<f64, Box<dyn Error>> {
        let protocol = Protocol {
            epochs: 2,
            warmup_epochs: 1,
            ..Protocol::paper().with_training_seeds(0, seeds)
        };
        let begun = ticks()?;
        train_fold(&task, &protocol, &options, &mut ())?;
        Ok((ticks()? - begun) / 100.0)
    };
    let (mut one, mut three) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        one.push(time(1)?);
        three.push(time(3)?);
    }
    let sorted = |mut numbers: Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers
    };
    let median = |numbers: &[f64]| numbers[numbers.len() / 2];
    let ratios = sorted(
        one.iter()
            .zip(&three)
            .map(|(one, three)| three / one)
            .collect(),
    );
    writeln!(
        std::io::stdout(),
        "one seed {:.2} s, three seeds {:.2} s: {:.2} times ({:.2} to {:.2})",
        median(&sorted(one)),
        median(&sorted(three)),
        median(&ratios),
        ratios[0],
        ratios[ratios.len() - 1]
    )?;
    Ok(())
}
