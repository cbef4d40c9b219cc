use super::random::Random;

/// Formants of an adult man, Hz: Peterson and Barney, "Control methods used in a study of the vowels"
/// (JASA 24, 1952, table II); the upper two are those of a neutral tract of 17.5 cm.
type Vowel = [f64; 5];

const VOWELS: [Vowel; 6] = [
    [270.0, 2290.0, 3010.0, 3500.0, 4500.0], // heed
    [530.0, 1840.0, 2480.0, 3500.0, 4500.0], // head
    [730.0, 1090.0, 2440.0, 3500.0, 4500.0], // hod
    [570.0, 840.0, 2410.0, 3500.0, 4500.0],  // hawed
    [300.0, 870.0, 2240.0, 3500.0, 4500.0],  // who'd
    [640.0, 1190.0, 2390.0, 3500.0, 4500.0], // hud
];

/// How a syllable begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Onset {
    /// Noise of this centre and bandwidth in Hz, with a level.
    Fricative { centre: f64, width: f64, level: f64 },
    /// Silence, then a short burst of noise.
    Plosive { centre: f64, width: f64 },
    /// A hum with closed lips.
    Nasal,
    /// Nothing.
    Open,
}

/// The starting point of the formants at the beginning of a vowel, as a second formant in Hz.
type Locus = f64;

const ONSETS: [(Onset, Locus); 8] = [
    (
        Onset::Fricative {
            centre: 6200.0,
            width: 1800.0,
            level: 0.5,
        },
        1750.0,
    ),
    (
        Onset::Fricative {
            centre: 3400.0,
            width: 1300.0,
            level: 0.6,
        },
        1900.0,
    ),
    (
        Onset::Fricative {
            centre: 4500.0,
            width: 6000.0,
            level: 0.2,
        },
        1000.0,
    ),
    (
        Onset::Plosive {
            centre: 900.0,
            width: 1500.0,
        },
        900.0,
    ),
    (
        Onset::Plosive {
            centre: 4200.0,
            width: 2500.0,
        },
        1800.0,
    ),
    (
        Onset::Plosive {
            centre: 2000.0,
            width: 900.0,
        },
        2100.0,
    ),
    (Onset::Nasal, 1100.0),
    (Onset::Open, 1500.0),
];

/// One pseudo-syllable: a consonant and a vowel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Syllable {
    pub(super) onset: Onset,
    pub(super) locus: Locus,
    pub(super) vowel: Vowel,
    /// The final vowel; if it differs, the vowel is a diphthong.
    pub(super) glide: Vowel,
    /// Seconds of the vowel at average tempo.
    pub(super) length: f64,
    /// Height of its pitch accent, 0 to 1.
    pub(super) accent: f64,
}

/// The sentence with a number, the same for all speakers and emotions as in acted corpora.
pub(super) fn sentence(random: &mut Random) -> Vec<Syllable> {
    let count = random.pick(&[4, 5, 5, 6]);
    let stressed = random.pick(&[0, 1, count - 2]);
    (0..count)
        .map(|i| {
            let (onset, locus) = random.pick(&ONSETS);
            let vowel = random.pick(&VOWELS);
            let glide = if random.unit() < 0.3 {
                random.pick(&VOWELS)
            } else {
                vowel
            };
            let last = i + 1 == count;
            let accent = if i == stressed {
                1.0
            } else {
                random.between(0.0, 0.35)
            };
            let length = 0.13 + 0.05 * accent + if last { 0.07 } else { 0.0 };
            Syllable {
                onset,
                locus,
                vowel,
                glide,
                length,
                accent,
            }
        })
        .collect()
}
