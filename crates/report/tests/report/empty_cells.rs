//! Cells without scores, in every format.

use crate::{common, large};
use emobox_report::{
    Metric, ReportData, html, intra_table, runs_csv, scores_table, terminal_table,
};
use emobox_score::{Absent, AbsentState};

fn absent(corpus: &str, encoder: &str, state: AbsentState, reason: &str) -> Absent {
    Absent {
        corpus: corpus.into(),
        encoder: encoder.into(),
        partition: "paper".into(),
        tested_on: None,
        state,
        stage: "train".into(),
        reason: reason.into(),
    }
}

/// The small report with a cell that failed and a corpus that is open.
fn with_gaps() -> ReportData {
    let mut data = common::report();
    data.scores
        .runs
        .retain(|run| (run.corpus.as_str(), run.encoder.as_str()) != ("urdu", "fbank"));
    data.scores.absent = vec![
        absent("meld", "fbank", AbsentState::Open, ""),
        absent(
            "urdu",
            "fbank",
            AbsentState::Failed,
            "no, \"labels\" <here>",
        ),
        absent("meld", "whisper-tiny.en", AbsentState::Open, ""),
    ];
    data
}

#[test]
fn a_cell_without_scores_says_why_in_every_form() {
    let data = with_gaps();
    let terminal = terminal_table(&data);
    let row = |corpus: &str| {
        let mut lines = terminal.lines();
        lines
            .find(|line| line.starts_with(corpus) && line.contains(" fbank "))
            .unwrap()
    };
    assert!(row("urdu").contains("– (1)"), "{terminal}");
    assert!(row("meld").contains("– (2)"), "{terminal}");
    assert!(
        terminal.contains("\n(1) failed in train: no, \"labels\" <here>\n"),
        "{terminal}"
    );
    assert!(terminal.contains("\n(2) open in train\n"));
    let grid = intra_table(&data, &[Metric::Ua]);
    let markdown = grid.markdown();
    assert!(markdown.contains("| – (1) |"), "{markdown}");
    assert!(markdown.contains("(1) failed in train: no, \"labels\" \\<here\\>"));
    let latex = grid.latex();
    assert!(latex.contains("--\\textsuperscript{1}"), "{latex}");
    assert!(
        latex.contains("\\textsuperscript{1}~failed in train: no,"),
        "{latex}"
    );
    let page = html(&data);
    assert!(page.contains("<small>failed in train: no, &quot;labels&quot; &lt;here&gt;</small>"));
    // Both cells of the open corpus are merged, and say it once.
    assert!(
        grid.html()
            .contains("<td colspan=\"2\" class=\"absent n\" title=\"open in train\">– (2)</td>")
    );
    assert!(page.contains("2 encoders on 3 corpora") && page.contains("3 of 6 cells have scores."));
}

#[test]
fn the_csv_has_a_line_for_it_with_every_column_in_place() {
    let data = with_gaps();
    let csv = runs_csv(&data);
    let lines: Vec<&str> = csv.lines().collect();
    let columns = lines[0].split(',').count();
    assert!(lines[0].ends_with(
        ",oracle_ua,audit,headline,seeds,ua_seeds_sd,as_published_ua,nuisance_ua,heard,state,stage,reason"
    ));
    assert!(lines[1].ends_with(",done,,"));
    let failed = lines.iter().find(|line| line.contains("failed")).unwrap();
    assert!(failed.starts_with("urdu,fbank,,paper,,"), "{failed}");
    assert!(
        failed.ends_with(",failed,train,\"no, \"\"labels\"\" <here>\""),
        "{failed}"
    );
    let open = lines.iter().find(|line| line.contains(",open,")).unwrap();
    assert_eq!(open.split(',').count(), columns, "{open}");
    assert_eq!(
        open.split(',').position(|field| field == "open"),
        lines[0].split(',').position(|f| f == "state")
    );
    assert_eq!(lines.len(), 1 + data.scores.runs.len() + 3);
}

#[test]
fn averages_say_over_how_many_corpora_they_are() {
    let table = intra_table(&large::report(), &[Metric::Ua]);
    let row = |name: &str| table.footer.iter().find(|row| row[0].text == name).unwrap();
    // One corpus has no scores at all, three lack one encoder.
    assert_eq!(row("average of 28 shared").len(), 11);
    let own = row("average of its own");
    assert!(own[1].text.ends_with(" (31)"), "{}", own[1].text);
    assert!(own[5].text.ends_with(" (30)"), "{}", own[5].text);
    assert!(own[10].text.ends_with(" (29)"), "{}", own[10].text);
    let with_paper = intra_table(&large::beside(), &[Metric::Ua]);
    let average = with_paper
        .footer
        .iter()
        .find(|row| row[0].text.starts_with("average of 28"))
        .unwrap();
    let published = average[2].value.unwrap();
    let paper = emobox_report::paper();
    let corpora = paper
        .corpora()
        .iter()
        .enumerate()
        .filter(|(i, _)| ![13, 20, 21, 22].contains(i));
    let figures = corpora.map(|(_, corpus)| {
        let source = emobox_report::PaperSource::WithSupplement;
        paper.score("wav2vec 2.0 base", corpus, source).ua.unwrap()
    });
    assert!((published - figures.sum::<f64>() / 28.0).abs() < 1e-12);
    assert!(average[3].text.starts_with(['+', '−']));
}

#[test]
fn averages_beside_need_a_partition_that_allows_it() {
    let mut data = common::published();
    data.beside = Some(emobox_report::PaperSource::WithSupplement);
    let average = |data: &ReportData| intra_table(data, &[Metric::Ua]).footer[0][2].text.clone();
    assert!(average(&data).starts_with(char::is_numeric));
    for run in &mut data.scores.runs {
        run.partition = "speaker".into();
    }
    assert_eq!(average(&data), "–");
}

#[test]
fn a_run_whose_every_cell_is_empty_still_shows() {
    let mut data = ReportData::new("nothing yet", emobox_score::ScoresFile::default());
    data.scores.absent = ["a", "b"]
        .map(|c| absent(c, "e", AbsentState::Failed, "disk full"))
        .to_vec();
    assert!(html(&data).contains("0 of 2 cells have scores."));
    assert!(terminal_table(&data).contains("(1) failed in train: disk full"));
    assert!(
        intra_table(&data, &Metric::ALL)
            .latex()
            .contains("disk full")
    );
    assert_eq!(intra_table(&data, &[Metric::Ua]).footer.len(), 1);
    assert!(scores_table(&data).markdown().contains("disk full"));
    assert_eq!(runs_csv(&data).lines().count(), 3);
}

#[test]
fn an_encoder_without_any_score_does_not_take_the_averages_from_the_others() {
    let mut data = common::published();
    let broken = absent("aesdd", "broken", AbsentState::Failed, "not a checkpoint");
    let corpora = emobox_report::paper().corpora();
    let all = corpora.iter().map(|corpus| Absent {
        corpus: (*corpus).into(),
        ..broken.clone()
    });
    data.scores.absent = all.collect();
    let table = intra_table(&data, &[Metric::Ua]);
    assert_eq!(table.columns.last().unwrap().heading, "broken");
    assert_eq!(table.footer[0][0].text, "average of 32 corpora");
    assert_eq!(table.footer[0].last().unwrap().text, "–");
    assert!(
        table
            .notes
            .iter()
            .any(|note| note.contains("over 32 corpora"))
    );
}

#[test]
fn rows_and_columns_stand_in_the_order_asked_for() {
    let mut data = with_gaps();
    let names = |data: &ReportData| -> (Vec<String>, Vec<String>) {
        let table = intra_table(data, &[Metric::Ua]);
        let columns = table.columns[1..].iter().map(|c| c.heading.clone());
        (
            table.rows.iter().map(|row| row[0].text.clone()).collect(),
            columns.collect(),
        )
    };
    let (rows, columns) = names(&data);
    assert_eq!(rows, ["emodb", "urdu", "meld"]);
    assert_eq!(columns, ["whisper-tiny.en", "fbank"]);
    data.corpora = ["meld", "no such", "urdu"].map(String::from).to_vec();
    data.encoders = vec!["fbank".into()];
    let (rows, columns) = names(&data);
    assert_eq!(rows, ["meld", "urdu", "emodb"]);
    assert_eq!(columns, ["fbank", "whisper-tiny.en"]);
    let first = &scores_table(&data).rows[0];
    assert_eq!(
        (first[0].text.as_str(), first[1].text.as_str()),
        ("meld", "fbank")
    );
}

#[test]
fn of_several_partitions_each_empty_cell_is_a_row_of_its_own() {
    let mut data = common::report();
    let mut clean = data.scores.runs.clone();
    for run in &mut clean {
        run.partition = "speaker".into();
    }
    data.scores.runs.extend(clean);
    let open = |run: &emobox_score::Run| {
        let cell = (run.corpus.as_str(), run.encoder.as_str());
        cell == ("emodb", "fbank") || (cell == ("urdu", "fbank") && run.partition == "speaker")
    };
    data.scores.runs.retain(|run| !open(run));
    let cell = |corpus: &str, partition: &str| Absent {
        partition: partition.into(),
        ..absent(corpus, "fbank", AbsentState::Open, "not finished yet")
    };
    data.scores.absent = vec![
        cell("emodb", "paper"),
        cell("emodb", "speaker"),
        cell("urdu", "speaker"),
    ];
    let text = scores_table(&data).markdown();
    let rows = |corpus: &str| -> Vec<&str> {
        let wanted = format!("| {corpus} | fbank | ");
        let rows = text.lines().filter_map(|line| line.strip_prefix(&wanted));
        rows.filter(|row| row.contains("– (1)")).collect()
    };
    let (emodb, urdu) = (rows("emodb"), rows("urdu"));
    assert_eq!((emodb.len(), urdu.len()), (2, 1), "{text}");
    assert!(emodb.iter().any(|row| row.starts_with("paper")), "{text}");
    assert!(emodb.iter().any(|row| row.starts_with("speaker")), "{text}");
    assert!(urdu[0].starts_with("speaker"), "{text}");
}
