use crate::SampleRate;
use emobox_files::{FileError, write_atomic_with};
use std::io::Write;
use std::path::Path;

/// Writes one channel as 16-bit PCM in a WAV file of 44 header bytes.
///
/// Full scale is 32768, so samples that [`crate::load`] read from a 16-bit file are
/// unchanged; values outside −1..1 are clipped, NaN is written as 0.
pub fn write_wav_16(
    path: impl AsRef<Path>,
    samples: &[f32],
    sample_rate: SampleRate,
) -> Result<(), FileError> {
    let path = path.as_ref();
    let Some(data_bytes) = u32::try_from(samples.len() * 2)
        .ok()
        .filter(|&n| n < u32::MAX - 36)
    else {
        let too_long = std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("{} samples do not fit a WAV file of 4 GiB", samples.len()),
        );
        return Err(FileError::io("write", path, too_long));
    };
    write_atomic_with(path, |out| write_to(out, samples, data_bytes, sample_rate))
}

/// The same file in memory; for utterances, not for anything above 4 GiB.
pub fn wav_16(samples: &[f32], sample_rate: SampleRate) -> Vec<u8> {
    let data_bytes = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut bytes = Vec::with_capacity(44 + samples.len() * 2);
    // Writing to a byte vector cannot fail.
    let _ = write_to(&mut bytes, samples, data_bytes, sample_rate);
    bytes
}

fn write_to(
    out: &mut dyn Write,
    samples: &[f32],
    data_bytes: u32,
    sample_rate: SampleRate,
) -> std::io::Result<()> {
    out.write_all(b"RIFF")?;
    out.write_all(&(36 + data_bytes).to_le_bytes())?;
    out.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0")?;
    out.write_all(&sample_rate.0.to_le_bytes())?;
    out.write_all(&sample_rate.0.wrapping_mul(2).to_le_bytes())?;
    out.write_all(b"\x02\0\x10\0data")?;
    out.write_all(&data_bytes.to_le_bytes())?;
    for sample in samples {
        // The cast saturates at the ends of the range.
        let value = (sample * 32_768.0).round() as i16;
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}
