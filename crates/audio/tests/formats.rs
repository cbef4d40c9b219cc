//! Every container and encoding, compared with the written samples or with libsndfile and ffmpeg.

mod common;

use common::{Wav, chunk, golden, noise, shared};
use emobox_audio::{
    LoadOptions, MIX, SampleRate, Seconds, load, load_bytes, probe, probe_bytes, write_wav_16,
};

const NATIVE: LoadOptions = LoadOptions {
    channel: 1,
    start: None,
    end: None,
    sample_rate: SampleRate(16_000),
    tolerate_truncation: false,
};

fn samples() -> Vec<i16> {
    let mut samples = noise(11, 1000);
    samples[..4].copy_from_slice(&[i16::MIN, i16::MAX, 0, -1]);
    samples
}

fn as_floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&x| f32::from(x) / 32_768.0).collect()
}

fn read(wav: &Wav) -> Vec<f32> {
    let bytes = wav.bytes();
    let info = probe_bytes(bytes.clone(), "made.wav").unwrap();
    let samples = load_bytes(bytes, "made.wav", &NATIVE).unwrap();
    assert_eq!(info.frames, Some(samples.len() as u64));
    samples
}

#[test]
fn every_width_of_pcm_and_float_holds_the_same_samples() {
    let samples = samples();
    let expected = as_floats(&samples);
    let encode =
        |encode: &dyn Fn(i16) -> Vec<u8>| samples.iter().flat_map(|&x| encode(x)).collect();
    let cases: [(u16, u16, Vec<u8>); 5] = [
        (1, 16, encode(&|x| x.to_le_bytes().to_vec())),
        (
            1,
            24,
            encode(&|x| (i32::from(x) << 8).to_le_bytes()[..3].to_vec()),
        ),
        (
            1,
            32,
            encode(&|x| (i32::from(x) << 16).to_le_bytes().to_vec()),
        ),
        (
            3,
            32,
            encode(&|x| (f32::from(x) / 32_768.0).to_le_bytes().to_vec()),
        ),
        (
            3,
            64,
            encode(&|x| (f64::from(x) / 32_768.0).to_le_bytes().to_vec()),
        ),
    ];
    for (tag, bits, data) in cases {
        let mut wav = Wav::new(tag, bits, 1, data);
        assert_eq!(read(&wav), expected, "format {tag}, {bits} bits");
        wav.extensible = true;
        assert_eq!(read(&wav), expected, "extensible {tag}, {bits} bits");
    }
    let bytes: Vec<u8> = samples
        .iter()
        .map(|&x| ((x >> 8) as u8).wrapping_add(128))
        .collect();
    let coarse: Vec<f32> = samples.iter().map(|&x| f32::from(x >> 8) / 128.0).collect();
    assert_eq!(read(&Wav::new(1, 8, 1, bytes)), coarse);
}

#[test]
fn twelve_bits_in_two_bytes_are_left_aligned() {
    let coarse: Vec<i16> = samples().iter().map(|x| x & !0x0F).collect();
    let mut wav = Wav::pcm16(&coarse);
    wav.bits = 12;
    assert_eq!(read(&wav), as_floats(&coarse));
}

#[test]
fn all_channels_are_mixed_when_that_is_asked_for() {
    let of_memory = {
        let interleaved: Vec<u8> = [(100_i16, 300_i16), (-7, 7), (32_767, 32_767)]
            .iter()
            .flat_map(|(left, right)| [left.to_le_bytes(), right.to_le_bytes()].concat())
            .collect();
        Wav::new(1, 16, 2, interleaved).bytes()
    };
    let mixed = LoadOptions {
        channel: MIX,
        ..NATIVE
    };
    let samples = load_bytes(of_memory, "x.wav", &mixed).unwrap();
    assert_eq!(samples, [200.0, 0.0, 32_767.0].map(|x| x / 32_768.0));
    // Of a coded file: half the sum of its channels.
    let path = golden("flac.flac");
    let channel = |channel| {
        let options = LoadOptions { channel, ..NATIVE };
        load(
            &path,
            &LoadOptions {
                sample_rate: SampleRate(22_050),
                ..options
            },
        )
        .unwrap()
    };
    let expected: Vec<f32> = channel(1)
        .iter()
        .zip(&channel(2))
        .map(|(a, b)| (a + b) * 0.5)
        .collect();
    assert_eq!(channel(MIX), expected);
}

#[test]
fn an_mp3_that_turns_stereo_is_left_to_ffmpeg() {
    // Frames of silence in one channel, version 2, 64 kbit/s, 22,050 Hz, before frames of two.
    let mut frame = vec![0; 208];
    frame[..4].copy_from_slice(&[0xFF, 0xF3, 0x80, 0xC0]);
    let stereo = std::fs::read(golden("mp3-bare.mp3")).unwrap();
    let bytes = [frame.repeat(8), stereo].concat();
    match load_bytes(bytes, "x.mp3", &NATIVE) {
        Ok(samples) => assert!(samples.len() > 4000),
        // Without ffmpeg, the error asks for it.
        Err(error) => {
            let message = error.to_string();
            assert!(
                message.contains("its number of channels changes"),
                "{message}"
            );
            assert!(message.contains("ffmpeg"), "{message}");
        }
    }
}

#[test]
fn telephone_laws_decode_to_their_steps() {
    // G.711: code words of zero, of the smallest positive step and of the largest negative one.
    let a_law = read(&Wav::new(6, 8, 1, vec![0xD5, 0x55, 0x2A]));
    assert_eq!(a_law, [8.0, -8.0, -32_256.0].map(|x| x / 32_768.0));
    let mu_law = read(&Wav::new(7, 8, 1, vec![0xFF, 0x7F, 0xFE, 0x00]));
    assert_eq!(mu_law, [0.0, 0.0, 8.0, -32_124.0].map(|x| x / 32_768.0));
}

#[test]
fn chunks_around_the_samples_are_passed_over() {
    let samples = samples();
    let mut wav = Wav::pcm16(&samples);
    wav.before = [
        chunk(b"FLLR", &[0; 4033]),
        chunk(b"JUNK", b"odd"),
        chunk(b"fact", &[0; 4]),
    ]
    .concat();
    wav.after = [
        chunk(b"bext", &[1; 602]),
        chunk(b"LIST", b"INFOISFT\x02\0\0\0x\0"),
    ]
    .concat();
    assert_eq!(read(&wav), as_floats(&samples));
}

#[test]
fn recorders_that_stream_leave_the_size_open() {
    let samples = samples();
    for (data_size, riff_size) in [
        (0, 0),
        (0, 36),
        (0, u32::MAX),
        (u32::MAX, u32::MAX),
        (0x7FFF_FFDB, 0x7FFF_FFFF),
    ] {
        let mut wav = Wav::pcm16(&samples);
        (wav.data_size, wav.riff_size) = (Some(data_size), Some(riff_size));
        assert_eq!(read(&wav), as_floats(&samples), "{data_size:#x}");
    }
}

#[test]
fn rf64_and_rifx_are_wav_too() {
    let samples = samples();
    let mut wav = Wav::pcm16(&samples);
    wav.data_size = Some(u32::MAX);
    let plain = wav.bytes();
    let mut sizes = (plain.len() as u64 + 28).to_le_bytes().to_vec();
    sizes.extend((samples.len() as u64 * 2).to_le_bytes());
    sizes.extend((samples.len() as u64).to_le_bytes());
    sizes.extend([0; 4]);
    let mut file = b"RF64\xFF\xFF\xFF\xFFWAVE".to_vec();
    file.extend(chunk(b"ds64", &sizes));
    file.extend(&plain[12..]);
    file.extend(chunk(b"LIST", b"INFO"));
    assert_eq!(
        load_bytes(file, "long.wav", &NATIVE).unwrap(),
        as_floats(&samples)
    );

    let mut file =
        b"RIFX\0\0\0\0WAVEfmt \0\0\0\x10\0\x01\0\x01\0\0\x3E\x80\0\0\x7D\0\0\x02\0\x10data"
            .to_vec();
    file.extend((samples.len() as u32 * 2).to_be_bytes());
    file.extend(samples.iter().flat_map(|x| x.to_be_bytes()));
    assert_eq!(
        load_bytes(file, "big.wav", &NATIVE).unwrap(),
        as_floats(&samples)
    );
}

fn aiff(compression: Option<&[u8; 4]>, bits: u16, data: &[u8]) -> Vec<u8> {
    let width = usize::from(bits.div_ceil(8));
    let mut common = 2_u16.to_be_bytes().to_vec();
    common.extend((data.len() as u32 / width as u32 / 2).to_be_bytes());
    common.extend(bits.to_be_bytes());
    // 16,000 as an 80-bit float.
    common.extend([0x40, 0x0C, 0xFA, 0, 0, 0, 0, 0, 0, 0]);
    common.extend(compression.map_or(&[][..], |name| name));
    common.extend(compression.map_or(&[][..], |_| &[0, 0]));
    let mut body = if compression.is_some() {
        b"AIFC".to_vec()
    } else {
        b"AIFF".to_vec()
    };
    for (id, content) in [(b"COMM", &common[..]), (b"SSND", &[&[0; 8], data].concat())] {
        body.extend(id);
        body.extend((content.len() as u32).to_be_bytes());
        body.extend(content);
        body.extend(std::iter::repeat_n(0, content.len() % 2));
    }
    [
        b"FORM".to_vec(),
        (body.len() as u32).to_be_bytes().to_vec(),
        body,
    ]
    .concat()
}

#[test]
fn aiff_of_every_encoding_gives_its_second_channel() {
    let samples = samples();
    let expected = as_floats(&samples);
    // The first channel is silent.
    let pack = |encode: &dyn Fn(i16) -> Vec<u8>| -> Vec<u8> {
        samples
            .iter()
            .flat_map(|&x| [vec![0; encode(x).len()], encode(x)].concat())
            .collect()
    };
    let big_16 = pack(&|x| x.to_be_bytes().to_vec());
    let cases = [
        aiff(None, 16, &big_16),
        aiff(Some(b"NONE"), 16, &big_16),
        aiff(Some(b"sowt"), 16, &pack(&|x| x.to_le_bytes().to_vec())),
        aiff(None, 24, &pack(&|x| [&x.to_be_bytes()[..], &[0]].concat())),
        aiff(
            None,
            32,
            &pack(&|x| [&x.to_be_bytes()[..], &[0, 0]].concat()),
        ),
        aiff(
            Some(b"fl32"),
            32,
            &pack(&|x| (f32::from(x) / 32_768.0).to_be_bytes().to_vec()),
        ),
        aiff(
            Some(b"fl64"),
            64,
            &pack(&|x| (f64::from(x) / 32_768.0).to_be_bytes().to_vec()),
        ),
    ];
    for (i, file) in cases.into_iter().enumerate() {
        let info = probe_bytes(file.clone(), "made.aiff").unwrap();
        assert_eq!(
            (info.channels, info.frames, info.sample_rate.0),
            (2, Some(1000), 16_000),
            "{i}"
        );
        let second = load_bytes(
            file,
            "made.aiff",
            &LoadOptions {
                channel: 2,
                ..NATIVE
            },
        )
        .unwrap();
        assert_eq!(second, expected, "case {i}");
    }
    let coarse: Vec<f32> = samples.iter().map(|&x| f32::from(x >> 8) / 128.0).collect();
    let file = aiff(None, 8, &pack(&|x| vec![(x >> 8) as u8]));
    assert_eq!(
        load_bytes(
            file,
            "8.aiff",
            &LoadOptions {
                channel: 2,
                ..NATIVE
            }
        )
        .unwrap(),
        coarse
    );
}

#[test]
fn segments_are_cut_at_the_nearest_sample() {
    let samples = samples();
    let bytes = Wav::pcm16(&samples).bytes();
    let cut = |start: f64, end: f64| {
        let options = LoadOptions {
            start: Some(Seconds(start)),
            end: Some(Seconds(end)),
            ..NATIVE
        };
        load_bytes(bytes.clone(), "made.wav", &options).unwrap()
    };
    // 0.0029 * 16000 is 46.4 and 0.01002 * 16000 is 160.32.
    assert_eq!(cut(0.0029, 0.01002), as_floats(&samples[46..160]));
    assert_eq!(cut(0.0, 0.0625), as_floats(&samples));
    // Up to 0.1 s past the end is a rounded time stamp.
    assert_eq!(cut(0.06, 0.16), as_floats(&samples[960..]));
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b.wav");
    let samples = samples();
    write_wav_16(&path, &as_floats(&samples), SampleRate(16_000)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), Wav::pcm16(&samples).bytes());
    assert_eq!(load(&path, &NATIVE).unwrap(), as_floats(&samples));
    write_wav_16(&path, &[1.5, -7.0, f32::NAN], SampleRate(16_000)).unwrap();
    assert_eq!(
        load(&path, &NATIVE).unwrap(),
        [32_767.0 / 32_768.0, -1.0, 0.0]
    );
}

struct Expected {
    file: String,
    rate: u32,
    frames: usize,
    channels: Vec<(f64, Vec<f64>)>,
}

fn expected(name: &str) -> Vec<Expected> {
    let text = std::fs::read_to_string(golden(name)).unwrap();
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let list = |value: &serde_json::Value| value.as_array().unwrap().clone();
    list(&table["files"])
        .iter()
        .map(|file| Expected {
            file: file["file"].as_str().unwrap().to_owned(),
            rate: number(&file["rate"]) as u32,
            frames: number(&file["frames"]) as usize,
            channels: list(&file["channels"])
                .iter()
                .map(|c| {
                    (
                        number(&c["sum"]),
                        list(&c["samples"]).iter().map(number).collect(),
                    )
                })
                .collect(),
        })
        .collect()
}

/// Compares with values sampled from another decoder; `unit` is the value of 1.0 in those.
fn compare(path: &std::path::Path, expected: &Expected, unit: f64, tolerance: f64) {
    let name = &expected.file;
    for (i, (sum, sampled)) in expected.channels.iter().enumerate() {
        let options = LoadOptions {
            channel: i as u16 + 1,
            sample_rate: SampleRate(expected.rate),
            ..LoadOptions::default()
        };
        let ours = load(path, &options).unwrap();
        assert_eq!(ours.len(), expected.frames, "{name}: length");
        let total: f64 = ours.iter().map(|&x| f64::from(x) * unit).sum();
        let allowed = tolerance * (1.0 + ours.len() as f64 / 10.0);
        assert!(
            (total - sum).abs() <= allowed,
            "{name}: sum {total}, expected {sum}"
        );
        for (k, value) in sampled.iter().enumerate() {
            let x = f64::from(ours[k * (ours.len() - 1) / (sampled.len() - 1)]) * unit;
            assert!(
                (x - value).abs() <= tolerance,
                "{name}: sample {k} is {x}, expected {value}"
            );
        }
    }
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn odd_files_of_real_corpora_are_those_of_libsndfile_and_ffmpeg() {
    let folder = shared("audio-odd");
    let files = expected("odd.json");
    assert_eq!(files.len(), 5);
    for file in files {
        let path = folder.join(&file.file);
        let info = probe(&path).unwrap();
        assert_eq!(info.frames, Some(file.frames as u64), "{}", file.file);
        assert_eq!(
            usize::from(info.channels),
            file.channels.len(),
            "{}",
            file.file
        );
        assert_eq!(info.sample_rate.0, file.rate, "{}", file.file);
        compare(&path, &file, 32_768.0, 0.0);
    }
}

/// Files that only ffmpeg reads, and whether the container gives their exact length.
const BY_FFMPEG: [(&str, bool); 5] = [
    ("pcm.caf", true),
    ("opus.webm", false),
    ("opus.ogg", true),
    ("mp3.avi", false),
    ("ulaw.au", true),
];

#[test]
fn compressed_formats_are_those_of_ffmpeg() {
    let files = expected("formats.json");
    for file in &files {
        if BY_FFMPEG.iter().any(|(name, _)| *name == file.file) {
            continue;
        }
        let path = golden(&file.file);
        let info = probe(&path).unwrap();
        assert_eq!(
            info.frames,
            Some(file.frames as u64),
            "{}: probed length",
            file.file
        );
        assert_eq!(
            (info.channels, info.sample_rate.0),
            (2, 22_050),
            "{}",
            file.file
        );
        // Decoders of lossy formats differ by the rounding of f32 transforms, far below a 16-bit step.
        compare(&path, file, 1.0, 1e-5);
    }
    assert_eq!(files.len(), 17);
}

#[test]
fn other_formats_go_through_ffmpeg() {
    if std::process::Command::new("ffmpeg")
        .arg("-version")
        .output()
        .is_err()
    {
        eprintln!("skipped: ffmpeg is not installed");
        return;
    }
    for file in expected("formats.json") {
        let Some((name, exact)) = BY_FFMPEG.iter().find(|(name, _)| *name == file.file) else {
            continue;
        };
        let path = golden(name);
        let info = probe(&path).unwrap();
        assert_eq!(
            (info.channels, info.sample_rate.0),
            (2, file.rate),
            "{name}"
        );
        let off = info.frames.unwrap().abs_diff(file.frames as u64);
        assert!(
            if *exact { off == 0 } else { off < 4_000 },
            "{name}: probed length off by {off}"
        );
        compare(&path, &file, 1.0, 2e-3);
        // From memory, and a name that looks like an option.
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("-y 'quoted' $HOME.wav");
        std::fs::copy(&path, &odd).unwrap();
        let options = LoadOptions {
            sample_rate: SampleRate(file.rate),
            ..LoadOptions::default()
        };
        let from_disk = load(&odd, &options).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            load_bytes(bytes, "stdin", &options).unwrap(),
            from_disk,
            "{name}"
        );
    }
}

#[test]
fn segments_of_compressed_files_are_those_of_the_whole() {
    for name in [
        "flac.flac",
        "mp3-xing.mp3",
        "vorbis.ogg",
        "aac.m4a",
        "adpcm-ms.wav",
    ] {
        let options = LoadOptions {
            sample_rate: SampleRate(22_050),
            ..LoadOptions::default()
        };
        let whole = load(golden(name), &options).unwrap();
        let segment = LoadOptions {
            start: Some(Seconds(0.06)),
            end: Some(Seconds(0.16)),
            ..options
        };
        assert_eq!(
            load(golden(name), &segment).unwrap(),
            whole[1323..3528],
            "{name}"
        );
    }
}
