//! AVI and Matroska headers that are read here, compared with ffprobe.

use emobox_audio::{LoadOptions, load, probe};

/// The headers that are read without ffmpeg agree with ffprobe on the same files.
#[test]
fn headers_of_videos_are_those_of_ffprobe() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [
        ("pcm.avi", "pcm_s16le", 44_100, 2),
        ("pcm24.avi", "pcm_s24le", 48_000, 1),
        ("mp3.avi", "libmp3lame", 44_100, 2),
        ("ac3.avi", "ac3", 48_000, 2),
        ("aac.avi", "aac", 48_000, 1),
        ("opus.webm", "libopus", 24_000, 1),
        ("vorbis.webm", "libvorbis", 44_100, 2),
        ("opus.mkv", "libopus", 48_000, 2),
        ("flac.mkv", "flac", 16_000, 1),
    ];
    for (name, codec, rate, channels) in kinds {
        let path = folder.path().join(name);
        let tone = format!("sine=frequency=440:sample_rate={rate}:duration=1.2345");
        let made = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", &tone])
            .args(["-f", "lavfi", "-i", "color=size=64x64:rate=10:duration=1.2"])
            .args([
                "-map",
                "1:v",
                "-map",
                "0:a",
                "-c:a",
                codec,
                "-ac",
                &channels.to_string(),
            ])
            .arg(&path)
            .status();
        let Ok(made) = made else {
            eprintln!("skipped: ffmpeg is not installed");
            return;
        };
        assert!(made.success(), "{name}");
        let said = std::process::Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-select_streams",
                "a:0",
                "-of",
                "default=noprint_wrappers=1:nokey=1",
            ])
            .args([
                "-show_entries",
                "stream=codec_name,sample_rate,channels,duration:format=duration",
            ])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let said: Vec<&str> = said.lines().filter(|line| *line != "N/A").collect();
        let info = probe(&path).unwrap();
        assert_eq!(info.codec, said[0], "{name}");
        assert_eq!(info.sample_rate.0.to_string(), said[1], "{name}");
        assert_eq!(info.channels.to_string(), said[2], "{name}");
        let seconds: f64 = said[3].parse().unwrap();
        let mut frames = (seconds * f64::from(info.sample_rate.0)).round() as u64;
        if codec.starts_with("pcm") {
            // ffprobe gives the length of the video; the header counts the samples.
            let options = LoadOptions {
                sample_rate: info.sample_rate,
                ..LoadOptions::default()
            };
            frames = load(&path, &options).unwrap().len() as u64;
        }
        assert_eq!(info.frames, Some(frames), "{name}");
    }
}
