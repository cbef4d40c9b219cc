//! A cascade formant synthesiser after Klatt, "Software for a cascade/parallel formant synthesizer"
//! (JASA 67, 1980), with the glottal flow of Rosenberg, "Effect of glottal pulse shape on the quality
//! of natural vowels" (JASA 49, 1971, shape C).

use super::random::Random;
use super::sentence::{Onset, Syllable};
use super::voice::{Manner, Voice};
use std::f64::consts::{PI, TAU};

pub(super) const RATE: f64 = 16_000.0;
/// Samples between updates of the formants: 5 ms.
const STEP: usize = 80;
/// Root mean square of an utterance at level 0 dB.
const LEVEL: f64 = 0.05;
/// The noise of the room, about 20 dB below the softest voice.
const ROOM_NOISE: f64 = 0.0006;
const BANDWIDTHS: [f64; 5] = [70.0, 95.0, 150.0, 220.0, 280.0];

/// The state of the vocal tract at one moment.
#[derive(Debug, Clone, Copy)]
struct Target {
    formants: [f64; 5],
    /// Amplitude of the voice, 0 to 1.
    voicing: f64,
    /// Amplitude, centre and bandwidth of the noise at the place of articulation.
    friction: (f64, f64, f64),
    /// Semitones above the pitch of the utterance.
    pitch: f64,
}

/// The waveform of one utterance at 16 kHz, −1 to 1.
pub(super) fn synthesise(
    voice: &Voice,
    manner: &Manner,
    sentence: &[Syllable],
    random: &mut Random,
) -> Vec<f32> {
    let track = smooth(articulate(voice, manner, sentence, random));
    let pitch = voice.pitch * semitones(manner.pitch_shift);
    let mut glottis = Glottis::default();
    let mut tract = [Resonator::default(); 5];
    let mut mouth = Resonator::default();
    let mut lowpass = 0.0;
    let mut out = Vec::with_capacity(track.len() * STEP);
    for (step, target) in track.iter().enumerate() {
        let next = track.get(step + 1).unwrap_or(target);
        for (resonator, (formant, width)) in
            tract.iter_mut().zip(target.formants.iter().zip(BANDWIDTHS))
        {
            resonator.tune(*formant, width);
        }
        let (friction, centre, width) = target.friction;
        mouth.tune(centre, width);
        for i in 0..STEP {
            let along = i as f64 / STEP as f64;
            let mix = |a: f64, b: f64| a + along * (b - a);
            // Slow drift as in Klatt and Klatt (JASA 87, 1990): no voice holds a constant pitch.
            let time = out.len() as f64 / RATE;
            let flutter =
                (TAU * 12.7 * time).sin() + (TAU * 7.1 * time).sin() + (TAU * 4.7 * time).sin();
            let f0 = pitch * semitones(mix(target.pitch, next.pitch)) * (1.0 + 0.004 * flutter);
            let (pulse, open) = glottis.next(f0, manner, random);
            let aspiration = manner.breath * random.normal() * if open { 1.0 } else { 0.3 };
            let source = (pulse + aspiration) * mix(target.voicing, next.voicing);
            // Unit gain at 0 Hz, so that a softer voice loses only its high frequencies.
            lowpass = (1.0 - manner.tilt) * source + manner.tilt * lowpass;
            let voiced = tract
                .iter_mut()
                .fold(lowpass, |x, resonator| resonator.next(x));
            let noise = mouth.next(random.normal() * mix(friction, next.friction.0));
            out.push(voiced + noise);
        }
    }
    finish(&out, manner.level, random)
}

/// Adds levels, room noise, and a quarter of a second of silence around the speech.
fn finish(voice: &[f64], level: f64, random: &mut Random) -> Vec<f32> {
    let energy = voice.iter().map(|x| x * x).sum::<f64>() / voice.len().max(1) as f64;
    let gain = LEVEL * 10_f64.powf(level / 20.0) / energy.sqrt().max(1e-9);
    let lead = (random.between(0.03, 0.12) * RATE) as usize;
    let tail = (random.between(0.05, 0.14) * RATE) as usize;
    let silence = |n| std::iter::repeat_n(0.0, n);
    silence(lead)
        .chain(voice.iter().copied())
        .chain(silence(tail))
        .map(|x| {
            let x = x * gain + ROOM_NOISE * random.normal();
            // A soft limit keeps the loudest shouts within the range.
            (x.tanh() * 0.98) as f32
        })
        .collect()
}

fn semitones(interval: f64) -> f64 {
    (interval / 12.0).exp2()
}

/// The plan of an utterance, one target every 5 ms.
fn articulate(
    voice: &Voice,
    manner: &Manner,
    sentence: &[Syllable],
    random: &mut Random,
) -> Vec<Target> {
    let mut track: Vec<Target> = Vec::new();
    let scale = voice.formant_scale * manner.formant_scale;
    let place = |formants: [f64; 5]| -> [f64; 5] {
        std::array::from_fn(|i| (formants[i] * voice.formant_offsets[i] * scale).min(0.47 * RATE))
    };
    let steps =
        |seconds: f64| ((seconds / manner.tempo * RATE / STEP as f64).round() as usize).max(2);
    let count = sentence.len();
    for (number, syllable) in sentence.iter().enumerate() {
        let length = random.between(0.88, 1.12);
        let locus = [300.0, syllable.locus, 2500.0, 3500.0, 4500.0];
        // Pitch declines over the utterance; accents stand on that line.
        let line = 1.0 - 2.0 * number as f64 / count as f64;
        let base = 0.5 * line + manner.pitch_range * syllable.accent;
        onset(syllable.onset, place(locus), base, &steps, &mut track);

        let vowel = steps(syllable.length * length);
        let transition = steps(0.045).min(vowel / 2).max(1);
        for i in 0..vowel {
            let along = i as f64 / vowel as f64;
            let arrival = (i as f64 / transition as f64).min(1.0);
            let arrival = 0.5 - 0.5 * (PI * arrival).cos();
            let formants: [f64; 5] = std::array::from_fn(|k| {
                let vowel = syllable.vowel[k] + along * (syllable.glide[k] - syllable.vowel[k]);
                locus[k] + arrival * (vowel - locus[k])
            });
            let last = number + 1 == count;
            let ending = if last { manner.ending * along } else { 0.0 };
            let fade = if last { 1.0 - 0.7 * along } else { 1.0 };
            let ramp = ((i + 1) as f64 / 4.0)
                .min((vowel - i) as f64 / 5.0)
                .min(1.0);
            track.push(Target {
                formants: place(formants),
                voicing: ramp * fade * (0.75 + 0.35 * syllable.accent),
                friction: (0.0, 1000.0, 1000.0),
                pitch: base + ending,
            });
        }
    }
    track
}

fn onset(
    onset: Onset,
    formants: [f64; 5],
    pitch: f64,
    steps: &impl Fn(f64) -> usize,
    track: &mut Vec<Target>,
) {
    let still = Target {
        formants,
        voicing: 0.0,
        friction: (0.0, 1000.0, 1000.0),
        pitch,
    };
    match onset {
        Onset::Open => {}
        Onset::Nasal => {
            let mut formants = formants;
            formants[0] = 250.0;
            let hum = Target {
                formants,
                voicing: 0.35,
                ..still
            };
            track.extend(std::iter::repeat_n(hum, steps(0.07)));
        }
        Onset::Fricative {
            centre,
            width,
            level,
        } => {
            let n = steps(0.09);
            track.extend((0..n).map(|i| {
                let swell = (PI * (i as f64 + 0.5) / n as f64).sin();
                Target {
                    friction: (0.25 * level * swell, centre, width),
                    ..still
                }
            }));
        }
        Onset::Plosive { centre, width } => {
            track.extend(std::iter::repeat_n(still, steps(0.05)));
            // The burst does not depend on tempo.
            for level in [0.5, 0.35, 0.12, 0.05] {
                track.push(Target {
                    friction: (level, centre, width),
                    ..still
                });
            }
        }
    }
}

/// Vocal tracts move smoothly: pitch is averaged over 75 ms on either side, formants over 15 ms.
fn smooth(mut track: Vec<Target>) -> Vec<Target> {
    let around = |i: usize, reach: usize| i.saturating_sub(reach)..i + reach + 1;
    let plan = track.clone();
    let mean = |range: std::ops::Range<usize>, value: &dyn Fn(&Target) -> f64| {
        let window = &plan[range.start..range.end.min(plan.len())];
        window.iter().map(value).sum::<f64>() / window.len() as f64
    };
    for (i, target) in track.iter_mut().enumerate() {
        target.pitch = mean(around(i, 15), &|t| t.pitch);
        target.formants = std::array::from_fn(|k| mean(around(i, 3), &|t| t.formants[k]));
    }
    track
}

/// The source of the voice: the derivative of the flow through the glottis.
#[derive(Debug, Default)]
struct Glottis {
    /// Position in the period, 0 to 1.
    phase: f64,
    /// Deviations of this period.
    stretch: f64,
    strength: f64,
}

impl Glottis {
    /// The next sample, and whether the glottis is open.
    fn next(&mut self, f0: f64, manner: &Manner, random: &mut Random) -> (f64, bool) {
        self.phase += f0 * (1.0 + self.stretch) / RATE;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            self.stretch = manner.jitter * random.normal();
            self.strength = 1.0 + manner.shimmer * random.normal();
        }
        // Two thirds of the open phase open the glottis, one third closes it.
        let opening = manner.open_quotient * 2.0 / 3.0;
        let closing = manner.open_quotient / 3.0;
        let flow = if self.phase < opening {
            PI / (2.0 * opening) * (PI * self.phase / opening).sin()
        } else if self.phase < manner.open_quotient {
            -PI / (2.0 * closing) * (PI / 2.0 * (self.phase - opening) / closing).sin()
        } else {
            0.0
        };
        (
            0.2 * self.strength * flow,
            self.phase < manner.open_quotient,
        )
    }
}

/// A second-order resonator with unit gain at 0 Hz (Klatt 1980, equations 2 and 3).
#[derive(Debug, Default, Clone, Copy)]
struct Resonator {
    a: f64,
    b: f64,
    c: f64,
    last: f64,
    before: f64,
}

impl Resonator {
    fn tune(&mut self, frequency: f64, bandwidth: f64) {
        let radius = (-PI * bandwidth / RATE).exp();
        self.c = -radius * radius;
        self.b = 2.0 * radius * (TAU * frequency / RATE).cos();
        self.a = 1.0 - self.b - self.c;
    }

    fn next(&mut self, input: f64) -> f64 {
        let output = self.a * input + self.b * self.last + self.c * self.before;
        self.before = self.last;
        self.last = output;
        output
    }
}
