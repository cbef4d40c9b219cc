use super::random::Random;

/// The classes of the corpus, as in its file names.
pub const DEMO_EMOTIONS: [&str; 4] = ["angry", "happy", "neutral", "sad"];

/// A synthetic speaker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Voice {
    pub(super) female: bool,
    /// Habitual fundamental frequency, Hz.
    pub(super) pitch: f64,
    /// Formants of an adult man are multiplied by this: the shorter the vocal tract, the higher.
    pub(super) formant_scale: f64,
    /// A further factor for each formant.
    pub(super) formant_offsets: [f64; 5],
    /// Syllables per second relative to the average.
    pub(super) tempo: f64,
    /// Breathiness added to that of the emotion.
    pub(super) breath: f64,
    /// Spectral tilt added to that of the emotion.
    pub(super) tilt: f64,
    /// Decibels above the average speaker, from microphones and habits.
    pub(super) level: f64,
    /// How strongly emotions show, 1 on average.
    pub(super) expressiveness: f64,
}

impl Voice {
    /// The speaker with this number, from 0; women and men alternate.
    pub(super) fn new(number: u32, random: &mut Random) -> Self {
        let female = number.is_multiple_of(2);
        let (pitch, scale) = if female {
            (random.between(185.0, 225.0), random.between(1.08, 1.14))
        } else {
            (random.between(100.0, 130.0), random.between(0.98, 1.04))
        };
        Self {
            female,
            pitch,
            formant_scale: scale,
            formant_offsets: std::array::from_fn(|_| random.between(0.98, 1.02)),
            tempo: random.between(0.9, 1.1),
            breath: random.between(0.0, 0.01),
            tilt: random.between(-0.04, 0.04),
            level: random.between(-4.0, 4.0),
            expressiveness: random.between(1.0, 1.1),
        }
    }
}

/// Prosody and voice quality of one utterance.
///
/// The directions follow the review of Scherer, "Vocal communication of emotion" (Speech Communication
/// 40, 2003, table 3): anger and joy raise pitch, its range and high-frequency energy, sadness lowers them. The amounts are
/// chosen so that classes overlap and a probe on log-mel spectra scores above chance. In real speech intensity and rate
/// correlate with them; here both are random, so that length and level of a recording (the nuisance baseline) are uninformative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Manner {
    /// Semitones above the speaker's habitual pitch.
    pub(super) pitch_shift: f64,
    /// Semitones of an accent.
    pub(super) pitch_range: f64,
    /// Semitones that the pitch falls (negative) or rises over the last syllable.
    pub(super) ending: f64,
    pub(super) tempo: f64,
    /// Decibels.
    pub(super) level: f64,
    /// Feedback of the one-pole low-pass after the glottis, 0 (pressed) to 1 (soft).
    pub(super) tilt: f64,
    /// Share of the period in which the glottis is open.
    pub(super) open_quotient: f64,
    /// Aspiration noise relative to the pulse.
    pub(super) breath: f64,
    /// Standard deviation of the period, relative.
    pub(super) jitter: f64,
    /// Standard deviation of the amplitude of a pulse, relative.
    pub(super) shimmer: f64,
    /// Spread lips shorten the tract.
    pub(super) formant_scale: f64,
}

const NEUTRAL: Manner = Manner {
    pitch_shift: 0.0,
    pitch_range: 3.0,
    ending: -3.0,
    tempo: 1.0,
    level: 0.0,
    tilt: 0.40,
    open_quotient: 0.58,
    breath: 0.04,
    jitter: 0.006,
    shimmer: 0.04,
    formant_scale: 1.0,
};

const ANGRY: Manner = Manner {
    pitch_shift: 3.5,
    pitch_range: 5.5,
    ending: -5.0,
    tilt: 0.0,
    open_quotient: 0.42,
    breath: 0.02,
    jitter: 0.016,
    shimmer: 0.09,
    ..NEUTRAL
};

const HAPPY: Manner = Manner {
    pitch_shift: 4.5,
    pitch_range: 6.0,
    ending: 2.5,
    formant_scale: 1.18,
    ..NEUTRAL
};

const SAD: Manner = Manner {
    pitch_shift: -1.0,
    pitch_range: 1.5,
    ending: -1.5,
    tilt: 0.80,
    open_quotient: 0.72,
    breath: 0.05,
    jitter: 0.011,
    shimmer: 0.06,
    formant_scale: 0.90,
    ..NEUTRAL
};

impl Manner {
    /// The manner of one utterance: a fraction of the way from neutral to the emotion, plus chance.
    pub(super) fn new(emotion: usize, voice: &Voice, random: &mut Random) -> Self {
        let extreme = [ANGRY, HAPPY, NEUTRAL, SAD][emotion];
        let share = (voice.expressiveness * random.between(0.9, 1.1)).min(1.3);
        let toward = |neutral: f64, extreme: f64| neutral + share * (extreme - neutral);
        let mut around = |value: f64, spread: f64| value + spread * random.normal();
        Self {
            pitch_shift: around(toward(NEUTRAL.pitch_shift, extreme.pitch_shift), 0.9),
            pitch_range: around(toward(NEUTRAL.pitch_range, extreme.pitch_range), 0.8).max(0.3),
            ending: around(toward(NEUTRAL.ending, extreme.ending), 1.5),
            tempo: around(NEUTRAL.tempo, 0.07).clamp(0.6, 1.5) * voice.tempo,
            level: (around(NEUTRAL.level, 2.0) + voice.level).clamp(-16.0, 12.0),
            tilt: (around(toward(NEUTRAL.tilt, extreme.tilt), 0.03) + voice.tilt).clamp(0.0, 0.85),
            open_quotient: around(toward(NEUTRAL.open_quotient, extreme.open_quotient), 0.04)
                .clamp(0.35, 0.85),
            breath: (around(toward(NEUTRAL.breath, extreme.breath), 0.015) + voice.breath)
                .clamp(0.005, 0.25),
            jitter: around(toward(NEUTRAL.jitter, extreme.jitter), 0.002).clamp(0.001, 0.03),
            shimmer: around(toward(NEUTRAL.shimmer, extreme.shimmer), 0.01).clamp(0.005, 0.2),
            formant_scale: around(toward(NEUTRAL.formant_scale, extreme.formant_scale), 0.01),
        }
    }
}
