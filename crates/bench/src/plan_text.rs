use crate::disk::{DiskForecast, free_space};
use crate::job_stage::JobStage;
use crate::lists::{align, gigabytes};
use crate::plan::{EncoderSpeed, Job, JobState, Plan, SpeedSource, States};
use emobox_files::counted;
use std::fmt::Write;

impl Plan {
    /// The jobs by stage, the cost of each encoder, and every job on its own line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "plan {}: {} with {}, {}, {} with {}; files in {}\n",
            self.name,
            counted(self.experiment.corpora.len(), "corpus"),
            counted(self.utterances as usize, "utterance"),
            counted(self.experiment.encoders.len(), "encoder"),
            counted(self.tasks.len(), "task"),
            counted(self.jobs.len(), "job"),
            self.folder().display()
        );
        let states = States::of(self);
        let head = ["stage", "tasks", "jobs", "done", "audio h", "hours"];
        let mut rows = vec![head.map(str::to_owned)];
        for stage in JobStage::ALL {
            let jobs: Vec<_> = self.stage(stage).collect();
            if jobs.is_empty() {
                continue;
            }
            let done = |(at, _): &&(usize, &Job)| *states.get(*at) == JobState::Done;
            let done = jobs.iter().filter(done).count();
            let audio: f64 = jobs.iter().map(|(_, job)| job.audio_seconds).sum();
            let tasks = self.tasks.iter().filter(|task| task.stage == stage);
            rows.push([
                stage.to_string(),
                tasks.count().to_string(),
                jobs.len().to_string(),
                done.to_string(),
                format!("{:.1}", audio / 3600.0),
                self.hours_of(jobs.iter().map(|(_, job)| *job)),
            ]);
        }
        text.push_str(&align(&rows, 1));
        text.push('\n');
        let worker = match self.experiment.device.are_gpus() {
            true => "card hours",
            false => "core hours",
        };
        let mut rows =
            vec![["encoder", "speed", "audio h", worker, "hours here"].map(str::to_owned)];
        for speed in &self.speeds {
            rows.push([
                speed.encoder.clone(),
                match speed.source {
                    SpeedSource::Measured => "measured".to_owned(),
                    SpeedSource::Estimated => "estimated".to_owned(),
                    SpeedSource::Unknown => "not measured".to_owned(),
                },
                format!("{:.1}", speed.audio_hours),
                known(speed, speed.core_hours),
                known(speed, speed.hours),
            ]);
        }
        text.push_str(&align(&rows, 2));
        let is_estimated = |speed: &EncoderSpeed| speed.source != SpeedSource::Measured;
        if let Some(assumed) = &self.assumed
            && self.speeds.iter().any(is_estimated)
        {
            let _ = writeln!(text, "{assumed}");
        }
        let devices = self.experiment.probe_devices();
        if devices.are_gpus() {
            let kind = devices.first().kind();
            let _ = match self.training {
                SpeedSource::Unknown => writeln!(
                    text,
                    "training on {kind}: not measured, so that its hours are not known; the first training on it in this home measures it"
                ),
                _ => writeln!(text, "training on {kind}: as measured in this home"),
            };
        }
        text.push('\n');
        self.disk_text(&mut text);
        let head = ["task", "needs", "jobs", "audio h", "hours", "GB"];
        let mut rows = vec![head.map(str::to_owned)];
        for (at, task) in self.tasks.iter().enumerate() {
            let sum = |of: &dyn Fn(&Job) -> f64| -> f64 {
                task.jobs.iter().map(|&job| of(&self.jobs[job])).sum()
            };
            let jobs: Vec<String> = task
                .jobs
                .iter()
                .map(|&j| self.jobs[j].name.clone())
                .collect();
            let bytes = sum(&|job| job.bytes);
            rows.push([
                format!("{at} {}", task.name),
                ranges(&self.task_needs(at)),
                short(&jobs),
                format!("{:.2}", sum(&|job| job.audio_seconds) / 3600.0),
                self.hours_of(task.jobs.iter().map(|&job| &self.jobs[job])),
                if bytes > 0.0 {
                    gigabytes(bytes)
                } else {
                    String::new()
                },
            ]);
        }
        text.push_str(&align(&rows, 3));
        for obstacle in &self.obstacles {
            let _ = writeln!(text, "\ncannot be trained: {obstacle}");
        }
        if !self.from_cards.is_empty() {
            let _ = writeln!(
                text,
                "\nnot prepared yet, sizes from the cards: {}",
                self.from_cards.join(", ")
            );
        }
        text
    }

    /// The hours of some jobs; a question mark if one of them encodes or trains at an unknown speed.
    fn hours_of<'j>(&self, mut jobs: impl Iterator<Item = &'j Job>) -> String {
        let is_unknown = |job: &Job| {
            let encoder = job.work.encoder();
            let of_encoder = |speed: &&EncoderSpeed| Some(&*speed.encoder) == encoder;
            let speed = self.speeds.iter().find(of_encoder);
            let source = match job.stage {
                JobStage::Extract => speed.map(|speed| speed.source),
                JobStage::Train => Some(self.training),
                _ => None,
            };
            source == Some(SpeedSource::Unknown)
        };
        let seconds = jobs.try_fold(0.0, |sum, job| {
            (!is_unknown(job)).then_some(sum + job.seconds)
        });
        seconds.map_or_else(|| "?".to_owned(), |seconds| hours(seconds / 3600.0))
    }

    /// Gigabytes of features by corpus and encoder, and the most needed at once.
    fn disk_text(&self, text: &mut String) {
        let forecast = DiskForecast::of(self);
        let mut rows = vec![vec!["features, GB".to_owned()]];
        let encoders: Vec<&String> = self.experiment.encoders.iter().map(|e| &e.name).collect();
        rows[0].extend(encoders.iter().map(|name| (*name).clone()));
        rows[0].push("all".to_owned());
        let cell = |corpus: &str, encoder: &str| -> f64 {
            let cells = forecast.cells.iter();
            let ours = cells.filter(|(c, e, _)| c == corpus && e == encoder);
            ours.map(|(_, _, bytes)| bytes).sum()
        };
        for choice in &self.experiment.corpora {
            let values: Vec<f64> = encoders.iter().map(|e| cell(&choice.name, e)).collect();
            let mut row = vec![choice.name.clone()];
            row.extend(values.iter().map(|bytes| gigabytes(*bytes)));
            row.push(gigabytes(values.iter().sum()));
            rows.push(row);
        }
        text.push_str(&align(&rows, 1));
        let free = free_space(&self.home).map_or_else(
            || "unknown".to_owned(),
            |bytes| format!("{} GB", gigabytes(bytes as f64)),
        );
        let _ = writeln!(
            text,
            "{} GB of features in all, {} GB at once ({} features); free below {}: {free}\n",
            gigabytes(forecast.all()),
            gigabytes(forecast.at_once),
            crate::Choice::name(self.experiment.features),
            self.home.display(),
        );
    }
}

fn known(speed: &EncoderSpeed, value: f64) -> String {
    match speed.source {
        SpeedSource::Unknown => "?".to_owned(),
        SpeedSource::Measured | SpeedSource::Estimated => hours(value),
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

/// `1-4,7`: as in job arrays.
pub fn ranges(numbers: &[usize]) -> String {
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
