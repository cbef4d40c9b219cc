//! What a machine offers for computing.

use emobox_bench::half_of_free;
use serde::Serialize;
use std::fmt;

/// What was found; for what is missing, where it was searched for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doctor {
    /// The instruction set of the CPU's kernels.
    pub kernels: &'static str,
    /// Whether the CPU multiplies bf16 natively.
    pub native_bf16: bool,
    /// Worker threads.
    pub threads: usize,
    /// Bytes that extraction takes for utterances unless `--memory` says otherwise.
    pub memory: usize,
    /// Whether `--device cuda` finds what it needs.
    pub cuda: bool,
    /// The NVIDIA driver, or why there is none.
    pub driver: Finding,
    /// NVIDIA cards, as `--device` counts them.
    pub cards: Vec<String>,
    /// cuBLASLt, or why there is none.
    pub cublaslt: Finding,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Whether it is present.
    pub found: bool,
    /// What was found, or what is missing.
    pub line: String,
}

impl From<Result<String, String>> for Finding {
    fn from(result: Result<String, String>) -> Self {
        Self {
            found: result.is_ok(),
            line: result.unwrap_or_else(|missing| missing),
        }
    }
}

/// Inspects the machine without using the cards.
pub fn doctor() -> Doctor {
    let gpu = emobox_encoder::gpu_report();
    Doctor {
        kernels: emobox_encoder::kernels(),
        native_bf16: emobox_encoder::bf16_is_native(),
        threads: rayon::current_num_threads(),
        memory: half_of_free(),
        cuda: gpu.usable(),
        driver: gpu.driver.into(),
        cards: gpu.cards,
        cublaslt: gpu.cublaslt.into(),
    }
}

impl fmt::Display for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bf16 = match self.native_bf16 {
            true => "bf16 products of its own",
            false => "bf16 emulated, slower than f32",
        };
        writeln!(
            f,
            "CPU       {} threads, {}, {bf16}",
            self.threads, self.kernels
        )?;
        writeln!(
            f,
            "memory    {} MiB for utterances in hand",
            self.memory >> 20
        )?;
        writeln!(f, "driver    {}", self.driver.line)?;
        match &self.cards[..] {
            [] => writeln!(f, "cards     none")?,
            cards => cards
                .iter()
                .try_for_each(|card| writeln!(f, "card      {card}"))?,
        }
        writeln!(f, "cuBLASLt  {}", self.cublaslt.line)?;
        f.write_str(match self.cuda {
            true => "`--device cuda` finds what it needs.",
            false => "`--device cuda` does not find what it needs; `--device cpu` does.",
        })
    }
}
