//! Audio with mistakes.

use super::{clips, manifest, prepare, sizes, sound};
use crate::program::{Program, float_wav, tone, wav};

/// A stereo WAV of two channels.
fn stereo(left: &[i16], right: &[i16]) -> Vec<u8> {
    let both: Vec<i16> = left.iter().zip(right).flat_map(|(a, b)| [*a, *b]).collect();
    let mut bytes = wav(&both);
    bytes[22] = 2;
    bytes[28..32].copy_from_slice(&64_000_u32.to_le_bytes());
    bytes[32] = 4;
    bytes
}

#[test]
fn a_silent_channel_is_told_and_another_can_be_taken() {
    let program = Program::new();
    for (number, (name, _, label)) in clips().iter().enumerate() {
        let speech = tone(number % 3, number, 0.4);
        let bytes = stereo(&vec![0; speech.len()], &speech);
        program.write(&format!("own/{label}/{name}"), &bytes);
    }
    let told = prepare(&program, &[]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for part in [
        "files with several channels: 36; taken of them: channel 1, utterances: 36",
        "silent: ",
        "channel 2 is not: --channel 2",
    ] {
        assert!(
            told.stdout.contains(part),
            "{part:?} is not in\n{}",
            told.stdout
        );
    }
    let extracted = program.run(&["extract", "--corpus", "mine", "--encoder", "fbank"]);
    let text = extracted.stdout + &extracted.stderr;
    assert!(text.contains("silent"), "{text}");
    let second = prepare(&program, &["--channel", "2"]);
    assert!(!second.stdout.contains("silent"), "{}", second.stdout);
    assert_eq!(manifest(&program, "mine")[0]["channel"], 2);
    prepare(&program, &["--channel", "mix"]);
    assert_eq!(manifest(&program, "mine")[0]["channel"], 0);
    prepare(&program, &["--channel", "left"]).fails_with(2, &["expected mix or a number"]);
    prepare(&program, &["--channel", "3"]).fails_with(1, &["channel 3 wanted, the file has 2"]);
    program.succeed(&[
        "bench",
        "--corpus",
        "mine=own",
        "--channel",
        "mix",
        "--encoder",
        "fbank",
        "--out",
        "out",
    ]);
}

#[test]
fn another_full_scale_than_one_is_told() {
    let program = Program::new();
    for (number, (name, _, label)) in clips().iter().enumerate() {
        let samples: Vec<f32> = tone(number % 3, number, 0.3)
            .iter()
            .map(|x| f32::from(*x))
            .collect();
        program.write(&format!("own/{label}/{name}"), &float_wav(&samples));
    }
    let told = prepare(&program, &[]);
    for part in ["not scaled to 1: ", "full scale is 1"] {
        assert!(
            told.stdout.contains(part),
            "{part:?} is not in\n{}",
            told.stdout
        );
    }
}

#[test]
fn slips_in_headers_do_not_change_the_samples() {
    let program = Program::new();
    let whole = sound(1);
    let mut align = whole.clone();
    align[32] = 1;
    let size = u32::from_le_bytes(whole[40..44].try_into().unwrap());
    let mut excess = whole.clone();
    excess[40..44].copy_from_slice(&(size + 44).to_le_bytes());
    for (name, bytes) in [("a", &whole), ("b", &align), ("c", &excess)] {
        program.write(&format!("own/wav/{name}.wav"), bytes);
    }
    program.write(
        "own/labels.csv",
        b"path,label\nwav/a.wav,sad\nwav/b.wav,sad\nwav/c.wav,joy\n",
    );
    assert_eq!(sizes(&program, &[]).0, 3);
    let frames: Vec<u64> = manifest(&program, "mine")
        .iter()
        .map(|row| row["num_frame"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, [16_000; 3]);
}
