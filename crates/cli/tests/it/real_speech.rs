//! Real speech and a real encoder: a part of EmoDB as a user's own corpus, with whisper-tiny.en.

use crate::program::{Program, shared, tone, wav};

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn whisper_tells_real_emotions_apart_and_the_saved_probe_predicts() {
    let raw = shared("corpora/emodb/wav");
    let weights = shared("weights/whisper-tiny.en");
    let program = Program::new();
    // Anger and sadness of all ten speakers, at most four recordings each.
    let mut count = std::collections::BTreeMap::new();
    let mut names: Vec<_> = std::fs::read_dir(raw)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    for path in &names {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (speaker, emotion) = (&name[..2], &name[5..6]);
        let folder = match emotion {
            "W" => "angry",
            "T" => "sad",
            _ => continue,
        };
        let seen = count
            .entry((speaker.to_owned(), emotion.to_owned()))
            .or_insert(0);
        if *seen < 2 {
            *seen += 1;
            program.write(
                &format!("corpus/{folder}/{name}"),
                &std::fs::read(path).unwrap(),
            );
        }
    }
    // Longer than Whisper's window of 30 s.
    program.write("corpus/angry/03a09Wz.wav", &wav(&tone(0, 1, 40.0)));
    let corpus = format!("berlin={}", program.path("corpus").display());
    let encoder = format!("whisper-tiny.en={}", weights.display());
    let call = [
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        &encoder,
        "--out",
        "out",
    ];
    program.succeed(&call);
    let told = program.succeed(&["extract", "--corpus", &corpus, "--encoder", &encoder]);
    assert!(
        told.stdout.contains("1 longer than the encoder's input"),
        "{}",
        told.stdout
    );
    let page = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(page.contains("of which it heard the beginning only: whisper-tiny.en on berlin 1"));
    let text = std::fs::read_to_string(program.path("out/scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(scores["runs"][0]["cut"], 1, "{text}");
    // Anger against sadness is easy; chance is 0.5.
    assert!(scores["runs"][0]["ua"].as_f64().unwrap() > 0.8, "{text}");
    assert!(
        program
            .path("out/predictions/berlin/whisper-tiny.en.jsonl")
            .exists()
    );

    let evaluated = program.succeed(&["evaluate", "out/predictions/berlin/whisper-tiny.en.jsonl"]);
    assert!(evaluated.stdout.contains("berlin") || evaluated.stdout.contains("whisper"));

    let runs = program.path("home/runs/berlin/whisper-tiny.en");
    let job = std::fs::read_dir(runs)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let probe = job.join("fold1/probe");
    let file = names
        .iter()
        .find(|p| p.to_str().unwrap().contains("16a07W"))
        .unwrap();
    let call = [
        "predict",
        probe.to_str().unwrap(),
        file.to_str().unwrap(),
        "--json",
    ];
    let answer: serde_json::Value = serde_json::from_str(&program.succeed(&call).stdout).unwrap();
    assert_eq!(answer[0]["probabilities"].as_array().unwrap().len(), 2);
    let sum: f64 = answer[0]["probabilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair[1].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{answer}");

    // Recordings longer than Whisper's window are processed in parts, to their end.
    program.write("long.wav", &wav(&tone(0, 1, 70.0)));
    let told = program.succeed(&["predict", probe.to_str().unwrap(), "long.wav", "--json"]);
    let answers: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let starts: Vec<f64> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["start"].as_f64().unwrap())
        .collect();
    assert_eq!(starts, [0.0, 30.0, 40.0]);
    assert!(
        told.stderr.contains("the encoder's input 30 s"),
        "{}",
        told.stderr
    );
}

/// Whisper's weights with changed names and bytes.
fn changed(
    program: &Program,
    folder: &str,
    change: impl FnOnce(&mut serde_json::Value, &mut Vec<u8>),
) -> String {
    let weights = shared("weights/whisper-tiny.en");
    let bytes = std::fs::read(weights.join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut data = bytes[8 + length..].to_vec();
    change(&mut header, &mut data);
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    let all = [&length, header.as_bytes(), &data].concat();
    let path = program.write(&format!("{folder}/model.safetensors"), &all);
    for entry in std::fs::read_dir(weights).unwrap() {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|e| e == "json") {
            let name = entry.file_name();
            let name = format!("{folder}/{}", name.to_str().unwrap());
            program.write(&name, &std::fs::read(entry.path()).unwrap());
        }
    }
    path.parent().unwrap().display().to_string()
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn a_check_of_an_encoder_says_what_opening_it_does() {
    let program = Program::new();
    let norm = "model.encoder.layer_norm.weight";
    let broken = changed(&program, "broken", |header, data| {
        let at = header[norm]["data_offsets"][0].as_u64().unwrap() as usize;
        data[at + 2..at + 4].copy_from_slice(&0x7E00_u16.to_le_bytes());
    });
    let told = program.run(&["encoders", "check", &broken]);
    told.fails_with(
        1,
        &["does not open as an encoder: tensor `model.encoder.layer_norm.weight` holds NaN"],
    );
    assert!(
        told.stdout
            .contains("NOT FINITE      model.encoder.layer_norm.weight: element 1 is NaN"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.ends_with("it does not open\n"));
    let wrapped = changed(&program, "wrapped", |header, _| {
        let old = std::mem::take(header.as_object_mut().unwrap());
        let renamed = old.into_iter().map(|(name, value)| match &*name {
            "__metadata__" => (name, value),
            _ => (format!("module.{name}"), value),
        });
        *header = renamed.collect::<serde_json::Map<_, _>>().into();
    });
    let told = program.succeed(&["encoders", "check", &wrapped]);
    assert!(
        told.stdout.contains("tensor names    begin with module."),
        "{}",
        told.stdout
    );
    // And it can be opened.
    program.write("corpus/angry/a.wav", &wav(&tone(0, 1, 1.0)));
    program.write("corpus/sad/b.wav", &wav(&tone(1, 1, 1.0)));
    let encoder = format!("whisper-tiny.en={wrapped}");
    let call = [
        "extract",
        "--corpus",
        "two=corpus",
        "--encoder",
        &encoder,
        "--store-precision",
        "f32",
    ];
    program.succeed(&call);
    let stores = std::fs::read_dir(program.path("home/features/two")).unwrap();
    let names: Vec<String> = stores
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|n| n.contains("+stored-f32")), "{names:?}");
}
