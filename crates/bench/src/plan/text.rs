use super::{EncoderSpeed, JobStage, Plan, SpeedSource};
use crate::lists::align;
use std::fmt::Write;

impl Plan {
    /// The jobs by stage, what each encoder takes, and every job on a line of its own.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "plan {}: {} corpora with {} utterances, {} encoders, {} tasks; files in {}\n",
            self.name,
            self.experiment.corpora.len(),
            self.utterances,
            self.experiment.encoders.len(),
            self.jobs.len(),
            self.folder().display()
        );
        let mut rows = vec![["stage", "tasks", "finished", "audio h", "hours"].map(str::to_owned)];
        for stage in JobStage::ALL {
            let jobs: Vec<_> = self.stage(stage).map(|(_, job)| job).collect();
            let finished = jobs.iter().filter(|job| self.is_finished(job)).count();
            let audio: f64 = jobs.iter().map(|job| job.audio_seconds).sum();
            let seconds: f64 = jobs.iter().map(|job| job.seconds).sum();
            rows.push([
                stage.to_string(),
                jobs.len().to_string(),
                finished.to_string(),
                format!("{:.1}", audio / 3600.0),
                hours(seconds / 3600.0),
            ]);
        }
        text.push_str(&align(&rows, 1));
        text.push('\n');
        let mut rows =
            vec![["encoder", "speed", "audio h", "core hours", "hours here"].map(str::to_owned)];
        for speed in &self.speeds {
            rows.push([
                speed.encoder.clone(),
                match speed.source {
                    SpeedSource::Measured => "measured".to_owned(),
                    SpeedSource::Estimated => "estimated".to_owned(),
                },
                format!("{:.1}", speed.audio_hours),
                hours(speed.core_hours),
                hours(speed.hours),
            ]);
        }
        text.push_str(&align(&rows, 2));
        let is_estimated = |speed: &EncoderSpeed| speed.source == SpeedSource::Estimated;
        if let Some(assumed) = &self.assumed
            && self.speeds.iter().any(is_estimated)
        {
            let _ = writeln!(text, "{assumed}");
        }
        text.push('\n');
        let head = ["job", "needs", "reads", "writes", "audio h", "hours"];
        let mut rows = vec![head.map(str::to_owned)];
        for (at, job) in self.jobs.iter().enumerate() {
            rows.push([
                format!("{at} {}", job.name),
                ranges(&job.needs),
                short(&job.inputs),
                short(&job.outputs),
                format!("{:.2}", job.audio_seconds / 3600.0),
                hours(job.seconds / 3600.0),
            ]);
        }
        text.push_str(&align(&rows, 4));
        if !self.from_cards.is_empty() {
            let _ = writeln!(
                text,
                "\nnot prepared yet, sizes from the cards: {}",
                self.from_cards.join(", ")
            );
        }
        text
    }
}

fn hours(hours: f64) -> String {
    match hours {
        h if h >= 10.0 => format!("{h:.0}"),
        h if h >= 0.1 => format!("{h:.1}"),
        h => format!("{h:.3}"),
    }
}

fn short(names: &[String]) -> String {
    match names {
        [] => "–".to_owned(),
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

/// `1-4,7`: as job arrays and people write it.
pub(crate) fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let texts: Vec<String> = runs
        .iter()
        .map(|&(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    if texts.is_empty() {
        "–".to_owned()
    } else {
        texts.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn consecutive_numbers_are_put_together() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3,7,9-10");
        assert_eq!(ranges(&[]), "–");
    }
}
