//! How fast an encoder runs on this machine, and how close that is to the machine's peak.

use emobox_bench::{
    BenchError, CallError, Context, EncoderChoice, Home, Measured, kernel_precision,
    open_encoder_timed, warn_of_emulation,
};
use emobox_encoder::{Device, Encoder, LayerSelection, OpTiming, Precision};
use emobox_features::ComputePrecision;
use serde::Serialize;
use std::fmt;
use std::time::{Duration, Instant};

/// Nobody needs hours of noise; this keeps a typing error from filling the memory.
const LONGEST: f64 = 900.0;

/// What `encoders bench` measures.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedRequest {
    /// Seconds of audio of each utterance.
    pub seconds: f64,
    /// Number of rounds; the median is reported.
    pub rounds: usize,
    /// Precision of the encoder's matrix products.
    pub precision: ComputePrecision,
    /// The device.
    pub device: Device,
}

/// The speed of an encoder: all threads encode one utterance each at the same time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speed {
    /// The encoder.
    pub encoder: String,
    /// `f32` or `bf16`.
    pub precision: String,
    /// The device.
    pub device: String,
    /// The same without the index of a card.
    #[serde(skip)]
    pub kind: &'static str,
    /// The instruction set of the CPU's kernels: `avx2`, `avx512`, …
    pub kernels: &'static str,
    /// Threads, one utterance each.
    pub threads: usize,
    /// Seconds of audio per utterance.
    pub seconds: f64,
    /// Wall-clock time of every round, in seconds.
    pub rounds: Vec<f64>,
    /// Seconds of computing per second of audio, all threads together (the median round).
    pub real_time_factor: f64,
    /// Floating-point operations of the matrix products of one utterance, in 10⁹.
    pub gflop: f64,
    /// 10⁹ floating-point operations per second, all threads together (the median round).
    pub gflops: f64,
    /// The rate of the machine's multiply-add units on registers alone with the same number of threads, measured
    /// just before; none on a GPU.
    pub peak_gflops: Option<f64>,
    /// All operations over the timed rounds, the slowest first.
    pub operations: Vec<OpTiming>,
    /// Seconds outside the operations (log-mel, waveform statistics), summed over threads.
    pub other_seconds: f64,
}

/// Measures `choice` on seeded noise.
///
/// # Errors
/// An encoder that cannot be opened, or a length that it cannot encode.
pub fn encoder_speed(
    choice: &EncoderChoice,
    request: &SpeedRequest,
    context: Context<'_>,
) -> Result<Speed, BenchError> {
    if !(request.seconds > 0.0 && request.seconds <= LONGEST) || request.rounds == 0 {
        return Err(BenchError::Call(CallError::value(
            "timing",
            format!(
                "{} s of audio over {} rounds",
                request.seconds, request.rounds
            ),
            format!("0 to {LONGEST} s and at least one round"),
        )));
    }
    warn_of_emulation(request.precision, request.device, context);
    let encoder = open_encoder_timed(choice, request.precision, request.device)?;
    let samples = noise((request.seconds * f64::from(encoder.info().sample_rate)).round() as usize);
    let on_cpu = request.device == Device::Cpu;
    // One utterance per core, or a batch that fills the device.
    let threads = match encoder.batch_frames() {
        None => rayon::current_num_threads(),
        Some(frames) => (frames / encoder.computed_frames(samples.len()).max(1)).max(1),
    };
    let precision = kernel_precision(request.precision);
    let warm = Instant::now();
    encode_on_all(&encoder, &samples, threads)?;
    let expected = warm.elapsed().as_secs_f64() * request.rounds as f64;
    if expected > 5.0 {
        let note = format!("timing {} takes about {expected:.0} s", choice.name);
        context.progress.note(&note);
    }
    let peak_gflops = match on_cpu {
        true => peak(threads, precision).map(|peak| peak / 1e9),
        false => None,
    };
    let before = encoder.timings();
    let mut rounds = Vec::new();
    for _ in 0..request.rounds {
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        let start = Instant::now();
        encode_on_all(&encoder, &samples, threads)?;
        rounds.push(start.elapsed().as_secs_f64());
    }
    let operations = since(&before, encoder.timings());
    let median = median(&rounds);
    let calls = (threads * request.rounds) as f64;
    // The sum of nothing is minus zero.
    let flops = operations.iter().map(|row| row.flops).sum::<f64>() + 0.0;
    let inside: f64 = operations.iter().map(|row| row.seconds).sum();
    let working = if on_cpu { threads } else { 1 };
    let busy = rounds.iter().sum::<f64>() * working as f64;
    Ok(Speed {
        encoder: choice.name.clone(),
        precision: request.precision.name().to_owned(),
        device: request.device.to_string(),
        kind: request.device.kind(),
        kernels: emobox_encoder::kernels(),
        threads,
        seconds: request.seconds,
        real_time_factor: median / (threads as f64 * request.seconds),
        gflop: flops / calls / 1e9,
        gflops: flops / request.rounds as f64 / median / 1e9,
        peak_gflops,
        other_seconds: (busy - inside).max(0.0),
        operations,
        rounds,
    })
}

/// One utterance per thread, all at once, as extraction does.
fn encode_on_all(encoder: &Encoder, samples: &[f32], threads: usize) -> Result<(), BenchError> {
    let waveforms = vec![samples; threads];
    for result in encoder.encode_batch(&waveforms, &LayerSelection::Last, threads) {
        result.map_err(|e| BenchError::encoder(&encoder.info().name, e))?;
    }
    Ok(())
}

/// The peak arithmetic rate of this many threads at once: cores that share units or heat are slower together.
fn peak(threads: usize, precision: Precision) -> Option<f64> {
    std::thread::scope(|scope| {
        let measuring: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| emobox_encoder::measured_peak(precision, Duration::from_millis(300)))
            })
            .collect();
        measuring
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default())
            .sum()
    })
}

fn since(before: &[OpTiming], mut after: Vec<OpTiming>) -> Vec<OpTiming> {
    for row in &mut after {
        if let Some(old) = before.iter().find(|old| old.operation == row.operation) {
            row.calls -= old.calls;
            row.seconds -= old.seconds;
            row.flops -= old.flops;
        }
    }
    after.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    after
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// Noise at a twentieth of full scale, the same on every call (a linear congruential generator).
fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..samples)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.05
        })
        .collect()
}

impl Speed {
    /// Records the speed in a home, for use by its plans; returns whether there was enough
    /// audio for a meaningful speed.
    pub fn record(&self, home: &Home) -> Result<bool, BenchError> {
        let utterances = (self.threads * self.rounds.len()) as f64;
        let elapsed = median(&self.rounds) * self.rounds.len() as f64;
        let measured = Measured {
            utterances,
            audio_seconds: utterances * self.seconds,
            core_seconds: match self.kind {
                "cpu" => elapsed * rayon::current_num_threads() as f64,
                _ => elapsed,
            },
        };
        measured.record(home, &self.encoder, self.kind, &self.precision)
    }

    /// The operations as a table: share of the busy time, speed of the products.
    pub fn operations_table(&self) -> String {
        let busy = self.rounds.iter().sum::<f64>() * self.threads as f64;
        let calls = (self.threads * self.rounds.len()) as f64;
        let mut text = format!(
            "{:14} {:>6} {:>12} {:>7} {:>9}\n",
            "operation", "calls", "ms", "share", "GFLOP/s"
        );
        let other = OpTiming {
            operation: "outside",
            seconds: self.other_seconds,
            ..OpTiming::default()
        };
        for row in self.operations.iter().chain([&other]) {
            let speed = match row.flops > 0.0 {
                true => format!("{:.1}", row.flops / row.seconds / 1e9),
                false => "–".to_owned(),
            };
            text.push_str(&format!(
                "{:14} {:>6.0} {:>12.2} {:>6.1}% {:>9}\n",
                row.operation,
                row.calls as f64 / calls,
                row.seconds / calls * 1e3,
                row.seconds / busy * 100.0,
                speed
            ));
        }
        text.push_str(match &*self.device {
            "cpu" => "Calls and milliseconds are those of one utterance on one thread.",
            _ => "Calls and milliseconds are those of a batch, divided by its utterances.",
        });
        text
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.rounds.len();
        let slowest = self.rounds.iter().copied().fold(0.0, f64::max);
        let fastest = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        writeln!(
            f,
            "{}, {}, {} ({}), {} {} {} s of audio each, {rounds} rounds",
            self.encoder,
            self.precision,
            self.device,
            self.kernels,
            self.threads,
            match &*self.device {
                "cpu" => "threads with",
                _ => "utterances at once with",
            },
            self.seconds
        )?;
        writeln!(
            f,
            "  seconds a round   {:.3} (median; {fastest:.3} to {slowest:.3})",
            median(&self.rounds)
        )?;
        writeln!(
            f,
            "  real-time factor  {:.3}, {:.0} x real time",
            self.real_time_factor,
            1.0 / self.real_time_factor
        )?;
        if self.gflop == 0.0 {
            return write!(f, "  work              no products to count");
        }
        writeln!(
            f,
            "  work              {:.1} GFLOP an utterance",
            self.gflop
        )?;
        write!(f, "  achieved          {:.1} GFLOP/s", self.gflops)?;
        if let Some(peak) = self.peak_gflops {
            write!(
                f,
                ", {:.0}% of the measured peak of {peak:.1}",
                self.gflops / peak * 100.0
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use emobox_bench::Silent;
    use std::sync::atomic::AtomicBool;

    fn request(seconds: f64, rounds: usize) -> SpeedRequest {
        SpeedRequest {
            seconds,
            rounds,
            precision: ComputePrecision::F32,
            device: Device::Cpu,
        }
    }

    #[test]
    fn lengths_and_rounds_that_make_no_sense_are_refused() {
        let stop = AtomicBool::new(false);
        let context = Context {
            progress: &Silent,
            stop: &stop,
        };
        let choice = EncoderChoice {
            name: "fbank".to_owned(),
            path: None,
        };
        for (seconds, rounds) in [(0.0, 1), (f64::NAN, 1), (901.0, 1), (1.0, 0)] {
            let error = encoder_speed(&choice, &request(seconds, rounds), context).unwrap_err();
            assert!(error.is_wrong_call(), "{error}");
        }
        let speed = encoder_speed(&choice, &request(1.0, 2), context).unwrap();
        assert_eq!(speed.rounds.len(), 2);
        assert!(speed.real_time_factor > 0.0 && speed.peak_gflops.unwrap() > 0.0);
    }

    #[test]
    fn medians_are_medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
