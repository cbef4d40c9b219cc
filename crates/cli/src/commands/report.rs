//! `report` and `compare`: finished runs and predictions, printed.

use super::{Session, check_files};
use crate::args::{Beside, CompareArgs, ReportArgs};
use crate::exit::Ending;
use crate::output;
use emobox_app::ReportFormat;
use emobox_bench::{BenchRun, Exchange, PaperSource};

pub(super) fn run(session: &Session<'_>, args: &ReportArgs) -> anyhow::Result<Ending> {
    let mut run = emobox_bench::read_runs(&args.runs)?;
    if let Some(megabytes) = args.embed_audio {
        let (heard, all) = emobox_bench::embed_audio(&mut run, u64::from(megabytes) << 20)?;
        output::note(&format!(
            "the audio of {heard} of {all} errors is in the page"
        ));
    }
    let beside = args.beside.map(|beside| match beside {
        Beside::Paper => PaperSource::Text,
        Beside::PaperWithSupplement => PaperSource::WithSupplement,
    });
    if let Some(folder) = &args.figures {
        for path in emobox_app::write_figures(&run, folder)? {
            output::note(&format!("wrote {}", path.display()));
        }
    }
    let exchange = &args.exchange;
    for (form, folder) in [
        (Exchange::Mteb, &exchange.mteb),
        (Exchange::Hf, &exchange.hf),
        (Exchange::Mlflow, &exchange.mlflow),
        (Exchange::Wandb, &exchange.wandb),
    ] {
        if let Some(folder) = folder {
            let files = emobox_app::write_exchange(&run, form, folder)?;
            let count = files.len();
            output::note(&format!("wrote {count} files below {}", folder.display()));
        }
    }
    let choice = &args.format;
    let format = match (choice.html, choice.latex, choice.markdown, choice.csv) {
        (true, ..) => ReportFormat::Html,
        (_, true, ..) => ReportFormat::Latex,
        (_, _, true, _) => ReportFormat::Markdown,
        (_, _, _, true) => ReportFormat::Csv,
        _ => ReportFormat::Terminal,
    };
    if let Some(most) = args.errors {
        return errors(session, &run, most);
    }
    if session.json {
        output::json(run.scores())?;
    } else {
        output::result(&emobox_app::render(&run, format, beside)?);
    }
    Ok(Ending::Complete)
}

/// The most confident errors of each cell.
fn errors(session: &Session<'_>, run: &BenchRun, most: usize) -> anyhow::Result<Ending> {
    if session.json {
        output::json(&emobox_app::worst_errors(run, most)?)?;
    } else {
        output::result(&emobox_app::errors_text(run, most)?);
    }
    Ok(Ending::Complete)
}

pub(super) fn compare(session: &Session<'_>, args: &CompareArgs) -> anyhow::Result<Ending> {
    let manifest = args.manifest.as_deref();
    let files: Vec<_> = std::iter::once(&args.a).chain(&args.b).cloned().collect();
    check_files(files.iter().chain(&args.manifest))?;
    let run = emobox_app::compare_files(&files, manifest, args.seed)?;
    if session.json {
        output::json(&run.scores().comparisons)?;
    } else {
        output::result(&emobox_app::comparison_text(&run));
    }
    Ok(Ending::Complete)
}
