use crate::chart::{Figure, Section, figures};
use crate::format::escape;
use crate::html::document;
use crate::{Metric, ReportData, Table, intra_table, scores_table};
use emobox_score::{ScoresFile, Verified};
use std::fmt::Write;

/// The static leaderboard page. It accepts only [`Verified`] submissions, so every score on it was recomputed from
/// predictions and checked against the verifier's own partition.
pub fn leaderboard(title: &str, submissions: &[Verified]) -> String {
    let data = ReportData::new(title, scores(submissions));
    let mut body = format!(
        "<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n</header>\n<main id=\"main\">\n",
        escape(title),
        escape(&summary(submissions))
    );
    let mut part = |id: &str, heading: &str, content: &str| {
        let _ = write!(
            body,
            "<section id=\"{id}\">\n<h2>{heading}</h2>\n{content}</section>\n"
        );
    };
    if !submissions.is_empty() {
        part(
            "ranking",
            "Systems by corpora",
            &intra_table(&data, &[Metric::Ua]).html(),
        );
        let charts: String = figures(&data)
            .iter()
            .filter(|figure| matches!(figure.section, Section::Overview | Section::Ranking))
            .map(Figure::html)
            .collect();
        part(
            "charts",
            "With intervals",
            &format!("<div class=\"charts\">{charts}</div>"),
        );
        part("scores", "All scores", &scores_table(&data).html());
        part(
            "submissions",
            "Submissions",
            &submission_table(submissions).html(),
        );
    }
    body.push_str("</main>\n");
    document(title, &body)
}

/// Systems take the place of encoders.
fn scores(submissions: &[Verified]) -> ScoresFile {
    let mut file = ScoresFile::default();
    for submission in submissions {
        for run in submission.runs() {
            let mut run = run.clone();
            let several = submission
                .runs()
                .iter()
                .any(|other| other.encoder != run.encoder);
            run.encoder = if several {
                format!("{}: {}", submission.system(), run.encoder)
            } else {
                submission.system().to_owned()
            };
            file.runs.push(run);
        }
    }
    file
}

fn summary(submissions: &[Verified]) -> String {
    match submissions.len() {
        0 => "No verified submissions yet.".to_owned(),
        n => format!(
            "{}; every score was recomputed from its predictions and checked against the partition.",
            crate::format::count(n, "verified submission")
        ),
    }
}

fn submission_table(submissions: &[Verified]) -> Table {
    use crate::{Column, TableCell};
    let rows = submissions
        .iter()
        .map(|submission| {
            vec![
                TableCell::text(submission.system()),
                TableCell::text(submission.description()),
                TableCell::text(submission.verdict().to_string()),
                TableCell::text(submission.digest()),
            ]
        })
        .collect();
    Table {
        caption: "Verified submissions".to_owned(),
        columns: ["system", "description", "verdict", "SHA-256"]
            .map(Column::left)
            .to_vec(),
        rows,
        notes: vec![
            "Consistent: the scores follow from the predictions, on the right items; somebody who has the labels can write \
             such predictions without a model. Reproduced: the verifier extracted and trained again and found the same ones."
                .to_owned(),
        ],
        ..Table::default()
    }
}
