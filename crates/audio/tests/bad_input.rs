//! Every broken file gives one message that names it, what was expected and what was found.

mod common;

use common::{Wav, chunk, golden};
use emobox_audio::{
    AudioError, LoadOptions, Seconds, Truncation, decode_bytes, load, load_bytes, probe,
    probe_bytes,
};
use proptest::prelude::*;

fn message(bytes: &[u8]) -> String {
    load_bytes(bytes.to_vec(), "x.wav", &LoadOptions::default())
        .unwrap_err()
        .to_string()
}

fn wav() -> Wav {
    Wav::pcm16(&[100; 1600])
}

#[test]
fn a_missing_file_and_a_folder() {
    let missing = probe("/no/such/file.wav").unwrap_err().to_string();
    assert_eq!(
        missing,
        "read /no/such/file.wav: No such file or directory (os error 2)"
    );
    let folder = tempfile::tempdir().unwrap();
    let message = load(folder.path(), &LoadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("is a directory"), "{message}");
}

#[test]
fn an_empty_file() {
    assert_eq!(message(b""), "x.wav: empty file (0 bytes)");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(
        probe(file.path()),
        Err(AudioError::EmptyFile { .. })
    ));
}

#[test]
fn a_wav_without_samples() {
    let mut empty = Wav::pcm16(&[]);
    assert_eq!(
        message(&empty.bytes()),
        "x.wav: WAV file without a single sample"
    );
    assert_eq!(probe_bytes(empty.bytes(), "x.wav").unwrap().frames, Some(0));
    // Chunks after a truly empty `data` are not taken for samples.
    empty.after = chunk(b"LIST", b"INFOISFT\x04\0\0\0abcd");
    assert_eq!(
        message(&empty.bytes()),
        "x.wav: WAV file without a single sample"
    );
}

#[test]
fn a_text_file_named_wav() {
    assert_eq!(
        message(b"file not found on this server, sorry\n"),
        "x.wav: not audio: starts with the text \"file not found on this s\"; expected WAV, AIFF, FLAC, MP3, OGG, MP4/M4A or another container that ffmpeg reads"
    );
    assert!(
        message(b"version https://git-lfs.github.com/spec/v1\n")
            .contains("a Git LFS pointer (the audio itself was not fetched)")
    );
    assert!(message(&[0; 4000]).contains("starts with 1024 zero bytes"));
}

#[test]
fn a_truncated_wav() {
    let mut cut = wav();
    cut.data_size = Some(4000);
    assert_eq!(
        message(&cut.bytes()),
        "x.wav: truncated: the header promises 2000 samples a channel, the file holds 1600; copy it again from its source"
    );
    let truncation = Some(Truncation {
        declared: 2000,
        present: 1600,
    });
    let info = probe_bytes(cut.bytes(), "x.wav").unwrap();
    assert_eq!((info.frames, info.truncation), (Some(1600), truncation));

    let tolerant = LoadOptions {
        tolerate_truncation: true,
        ..LoadOptions::default()
    };
    let decoded = decode_bytes(cut.bytes(), "x.wav", &tolerant).unwrap();
    assert_eq!(
        (decoded.samples.len(), decoded.truncation),
        (1600, truncation)
    );
}

#[test]
fn truncated_compressed_files() {
    for name in [
        "flac.flac",
        "mp3-xing.mp3",
        "aac-index-first.mp4",
        "aac.m4a",
        "vorbis.ogg",
    ] {
        let mut bytes = std::fs::read(golden(name)).unwrap();
        bytes.truncate(bytes.len() * 9 / 10);
        let error = load_bytes(bytes, name, &LoadOptions::default()).unwrap_err();
        let expected = match name {
            "aac.m4a" => {
                matches!(&error, AudioError::Malformed { problem, .. } if problem.contains("cut short"))
            }
            "vorbis.ogg" => matches!(
                error,
                AudioError::Malformed { .. } | AudioError::Truncated { .. }
            ),
            _ => matches!(error, AudioError::Truncated { .. }),
        };
        assert!(expected, "{error}");
    }
}

#[test]
fn slips_of_writers_that_do_not_touch_the_samples() {
    let whole = wav().bytes();
    let options = LoadOptions::default();
    let expected = load_bytes(whole.clone(), "x.wav", &options).unwrap();
    // A block size that cannot hold the samples.
    for align in [1, 3] {
        let mut wrong = whole.clone();
        wrong[32] = align;
        assert_eq!(load_bytes(wrong, "x.wav", &options).unwrap(), expected);
    }
    // Headers counted in the size of the samples, while the form's size is right.
    let size = u32::from_le_bytes(whole[40..44].try_into().unwrap());
    for excess in [8, 44] {
        let mut wrong = whole.clone();
        wrong[40..44].copy_from_slice(&(size + excess).to_le_bytes());
        assert_eq!(
            load_bytes(wrong.clone(), "x.wav", &options).unwrap(),
            expected
        );
        // A file that also lacks bytes by the form's size is truncated.
        wrong.truncate(wrong.len() - 2);
        assert!(load_bytes(wrong, "x.wav", &options).is_err());
    }
}

#[test]
fn headers_that_end_too_early_or_contradict_themselves() {
    let whole = wav().bytes();
    assert_eq!(
        message(&whole[..30]),
        "x.wav: broken WAV file: the file ends inside its header"
    );
    assert_eq!(
        message(&whole[..36]),
        "x.wav: broken WAV file: no `data` chunk before the end of the file"
    );
    assert_eq!(
        message(&whole[..12]),
        "x.wav: broken WAV file: no `fmt ` chunk before the end of the file"
    );
    assert_eq!(
        message(b"FORM\0\0\0\x04AIFF"),
        "x.wav: broken AIFF file: no `COMM` chunk before the end of the file"
    );

    let mut wrong = whole.clone();
    wrong[32] = 4;
    assert_eq!(
        message(&wrong),
        "x.wav: broken WAV file: blocks of 4 bytes, expected 2 (1 channels of 16 bits)"
    );
    wrong[22] = 0;
    assert_eq!(message(&wrong), "x.wav: broken WAV file: 0 channels");

    let mut slow = wav();
    slow.rate = 3;
    assert_eq!(
        message(&slow.bytes()),
        "x.wav: sample rate 3 Hz, expected 1000 Hz to 768000 Hz"
    );
    assert!(matches!(
        probe_bytes(slow.bytes(), "x.wav"),
        Err(AudioError::BadSampleRate { .. })
    ));
}

#[test]
fn samples_that_are_no_numbers() {
    let mut samples = vec![0.25_f32; 16_000];
    samples[12_000] = f32::NAN;
    let file = |samples: &[f32]| {
        Wav::new(
            3,
            32,
            1,
            samples.iter().flat_map(|x| x.to_le_bytes()).collect(),
        )
        .bytes()
    };
    assert_eq!(
        message(&file(&samples)),
        "x.wav: sample at 0.750 s of channel 1 is NaN, expected a finite number"
    );
    // A segment that does not touch it is valid.
    let before = LoadOptions {
        end: Some(Seconds(0.7)),
        ..LoadOptions::default()
    };
    assert_eq!(
        load_bytes(file(&samples), "x.wav", &before).unwrap().len(),
        11_200
    );
    samples[12_000] = f32::NEG_INFINITY;
    assert!(message(&file(&samples)).contains("is -inf"));
    // Huge but finite values are not mistaken for infinities.
    assert!(load_bytes(file(&[f32::MAX; 64]), "x.wav", &LoadOptions::default()).is_ok());
}

#[test]
fn channels_and_segments_that_are_not_there() {
    let bytes = wav().bytes();
    let fail = |options: LoadOptions| {
        load_bytes(bytes.clone(), "x.wav", &options)
            .unwrap_err()
            .to_string()
    };
    let all = LoadOptions::default();
    assert_eq!(
        fail(LoadOptions { channel: 2, ..all }),
        "x.wav: channel 2 was asked for, but the file has one channel"
    );
    let segment = |start: f64, end: f64| LoadOptions {
        start: Some(Seconds(start)),
        end: Some(Seconds(end)),
        ..all
    };
    assert_eq!(
        fail(segment(0.05, 0.5)),
        "x.wav: segment 0.050 s to 0.500 s is not inside the file's 0 to 0.100 s"
    );
    for (start, end) in [
        (0.05, 0.05),
        (0.06, 0.05),
        (-0.1, 0.05),
        (0.15, 0.18),
        (f64::NAN, 0.05),
        (0.0, f64::NAN),
        (0.0, f64::INFINITY),
    ] {
        assert!(
            fail(segment(start, end)).contains("is not inside"),
            "{start} to {end}"
        );
    }
    let flac = LoadOptions {
        start: Some(Seconds(3.0)),
        ..all
    };
    for name in ["flac.flac", "mp3-bare.mp3"] {
        let message = load(golden(name), &flac).unwrap_err().to_string();
        assert!(
            message.contains("is not inside the file's 0 to 0."),
            "{message}"
        );
    }
}

/// Bytes of every kind of header, to be mutated.
fn specimens() -> Vec<Vec<u8>> {
    let files = [
        "flac.flac",
        "mp3-xing.mp3",
        "mp3-bare.mp3",
        "vorbis.ogg",
        "aac.m4a",
        "aac.aac",
        "mp2.mp2",
        "adpcm-ms.wav",
        "adpcm-ima.wav",
        "alac.m4a",
    ];
    let mut all: Vec<Vec<u8>> = files
        .iter()
        .map(|name| std::fs::read(golden(name)).unwrap())
        .collect();
    all.push(wav().bytes());
    all.push(b"FORM\0\0\0\x30AIFFCOMM\0\0\0\x12\0\x01\0\0\0\x04\0\x10\x40\x0C\xFA\0\0\0\0\0\0\0SSND\0\0\0\x10\0\0\0\0\0\0\0\0\0\x01\0\x02\0\x03\0\x04".to_vec());
    all
}

/// Neither call may panic; the size of the output is bounded by that of the input.
fn survives(bytes: &[u8]) {
    // These containers would start ffmpeg, which is not under test here.
    let foreign = |e: &AudioError| {
        matches!(
            e,
            AudioError::FfmpegFailed { .. } | AudioError::FfmpegMissing { .. }
        )
    };
    let probed = probe_bytes(bytes.to_vec(), "fuzz");
    if probed.as_ref().is_err_and(foreign) {
        return;
    }
    if let Ok(samples) = load_bytes(bytes.to_vec(), "fuzz", &LoadOptions::default()) {
        assert!(samples.iter().all(|x| x.is_finite()) || samples.is_empty());
    }
}

/// `PROPTEST_CASES=20000 cargo test --release -p emobox-audio --test bad_input` searches longer.
fn cases() -> u32 {
    let set = std::env::var("PROPTEST_CASES").ok();
    set.and_then(|cases| cases.parse().ok()).unwrap_or(120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600), magic in 0..8_usize) {
        let magics: [&[u8]; 8] = [
            b"", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12", b"fLaC\0\0\0\x22",
            b"OggS\0\x02", b"\0\0\0\x18ftypM4A ", b"ID3\x03\0\0\0\0\0\x0A", b"\xFF\xFB\x90\0",
        ];
        let magic = magics[magic];
        if bytes.len() >= magic.len() {
            bytes[..magic.len()].copy_from_slice(magic);
        }
        survives(&bytes);
    }

    #[test]
    fn damaged_files_never_panic(
        which in 0..12_usize,
        damage in prop::collection::vec((0..2048_usize, any::<u8>()), 1..8),
        keep in 0.0..1.2_f64,
    ) {
        let mut bytes = specimens().swap_remove(which);
        for (at, value) in damage {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        survives(&bytes);
    }
}
