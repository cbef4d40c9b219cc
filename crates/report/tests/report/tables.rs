//! Tables at full size and in every format, filled with the published figures.

use crate::common;

use emobox_report::{
    Metric, PaperSource, comparison_table, cross_average_table, cross_table, intra_table,
    latex_document, ranking, runs_csv, scores_table,
};
use emobox_score::{
    AsPublished, CompareRequest, InferenceOptions, RunLabels, ScoreRequest, Seeds, compare,
    score_folds,
};

/// The published figures, compared with themselves.
fn beside(source: PaperSource) -> emobox_report::ReportData {
    let mut data = common::published();
    data.beside = Some(source);
    data
}

#[test]
fn the_whole_of_table_4_prints_as_it_was_published() {
    let table = intra_table(&common::published(), &Metric::ALL);
    assert_eq!(
        (table.rows.len(), table.columns.len(), table.footer.len()),
        (96, 12, 6)
    );
    let text = table.terminal();
    let aesdd = text
        .lines()
        .filter(|line| line.starts_with("aesdd") && line.contains("UA"));
    let cells: Vec<&str> = aesdd.flat_map(str::split_whitespace).collect();
    assert_eq!(
        cells,
        [
            "aesdd", "UA", "67.59", "82.30²", "78.85", "78.99", "84.40¹", "49.96", "45.63",
            "aesdd", "UA", "46.55", "72.26", "79.13³"
        ]
    );
    let fits = |line: &str| line.starts_with("Ranks") || line.chars().count() <= 100;
    assert!(text.lines().all(fits));
    assert!(text.contains("average of 32 corpora") && text.contains("mean rank"));
    assert!(text.contains("Friedman"));
}

#[test]
fn the_published_figures_stand_beside_and_cut_cells_stay_marked() {
    let data = beside(PaperSource::Text);
    let table = intra_table(&data, &[Metric::Ua]);
    assert_eq!(table.columns.len(), 31);
    let row = |corpus: &str| table.rows.iter().find(|row| row[0].text == corpus).unwrap();
    assert_eq!(
        (row("aesdd")[2].text.as_str(), row("aesdd")[3].text.as_str()),
        ("67.59", "0.00")
    );
    let cut = row("urdu").iter().filter(|cell| cell.text == "–").count();
    assert_eq!(cut, 8, "four cut cells and their differences");
    let whole = beside(PaperSource::WithSupplement);
    let table = intra_table(&whole, &[Metric::Ua]);
    assert!(table.rows.iter().flatten().all(|cell| cell.text != "–"));
    let scores = scores_table(&data);
    assert!(
        scores
            .columns
            .iter()
            .any(|column| column.heading == "difference")
    );
    let mut own = common::report();
    own.beside = Some(PaperSource::Text);
    assert!(!scores_table(&own).terminal().contains("paper  "));
}

/// A change to a run, and the note about it.
type Change = (fn(&mut emobox_score::Run), &'static str);

#[test]
fn only_what_the_recipe_would_print_is_compared_with_the_paper() {
    let first = |change: fn(&mut emobox_score::Run)| {
        let mut data = beside(PaperSource::Text);
        data.scores.runs.truncate(1);
        change(&mut data.scores.runs[0]);
        let tables = [scores_table(&data), intra_table(&data, &Metric::ALL)];
        tables.map(|table| table.markdown())
    };
    // The score itself does not matter: the score as published is compared.
    for text in first(|run| run.ua = 0.99) {
        assert!(
            text.contains("0.00") && !text.contains("not comparable"),
            "{text}"
        );
    }
    let changes: [Change; 5] = [
        (
            |run| run.partition = "speaker".into(),
            "not comparable: partition speaker",
        ),
        (
            |run| run.protocol = "strict".into(),
            "not comparable: protocol strict",
        ),
        (
            |run| run.config = "layer 6, none norm, f32, mean-linear".into(),
            "mean-linear",
        ),
        (
            |run| run.config = "layer 1+2, none norm, f32".into(),
            "layer 1+2",
        ),
        (|run| run.as_published = None, "no score as published"),
    ];
    for (change, reason) in changes {
        for text in first(change) {
            assert!(
                text.contains(reason) && !text.contains("0.00"),
                "{reason}: {text}"
            );
        }
    }
}

#[test]
fn the_cross_corpus_table_and_equation_1_are_the_papers() {
    let data = common::published();
    let table = cross_table(&data);
    assert_eq!((table.rows.len(), table.columns.len()), (40, 6));
    let whisper = |test: &str| {
        let of_whisper =
            |row: &&Vec<_>| row[0] == emobox_report::TableCell::text("Whisper large v3");
        let rows = table.rows.iter().filter(of_whisper);
        rows.into_iter().find(|row| row[1].text == test).unwrap()
    };
    assert_eq!(whisper("ravdess")[5].text, "66.91");
    assert_eq!(whisper("ravdess")[5].rank, Some(1));
    assert_eq!(whisper("ravdess")[4].text, "–");
    // "Top 1 on 9 of 12 pairs."
    let best = ["iemocap", "meld", "ravdess", "savee"];
    let best = best
        .iter()
        .flat_map(|test| whisper(test))
        .filter(|cell| cell.rank == Some(1));
    assert_eq!(best.count(), 9);
    let averages = cross_average_table(&beside(PaperSource::Text));
    let last = averages.rows.last().unwrap();
    assert_eq!(
        (last[1].text.as_str(), last[1].rank, last[3].text.as_str()),
        ("46.85", Some(1), "0.00")
    );
}

#[test]
fn ranks_follow_from_all_corpora() {
    let ranking = ranking(&common::published(), Metric::Ua).unwrap();
    assert_eq!(ranking.corpora, 32);
    let best = ranking.mean_ranks.iter().copied().fold(f64::MAX, f64::min);
    let place = ranking.mean_ranks.iter().position(|r| *r == best).unwrap();
    assert_eq!(ranking.systems[place], "Whisper large v3");
    assert!(ranking.friedman_p < 1e-10);
}

#[test]
fn every_format_escapes_what_it_must() {
    let mut data = common::report();
    data.scores.runs.truncate(1);
    data.scores.runs[0].encoder = "=a|b_c&\"d\",\\e{$}%~^#<i>*[x]\u{1b}[1m".into();
    let table = scores_table(&data);
    let markdown = table.markdown();
    assert!(
        markdown.contains("=a\\|b\\_c\\&\"d\",\\\\e{$}%\\~^\\#\\<i\\>\\*\\[x\\]"),
        "{markdown}"
    );
    let row = markdown
        .lines()
        .find(|line| line.contains("emodb"))
        .unwrap();
    let unescaped = row.replace("\\|", "");
    assert_eq!(unescaped.matches('|').count(), table.columns.len() + 1);
    let csv = table.csv();
    assert!(csv.contains("\"'=a|b_c&\"\"d\"\",\\e"), "{csv}");
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .contains("UA %,UA % low,UA % high")
    );
    let latex = table.latex();
    assert!(latex.contains("b\\_c\\&{\\textquotedbl}d"), "{latex}");
    assert!(
        latex.contains("\\textbackslash{}e\\{\\$\\}\\%\\textasciitilde{}\\textasciicircum{}\\#")
    );
    assert!(!table.terminal().contains('\u{1b}') && !latex.contains('\u{1b}'));
    assert!(table.html().contains("&lt;i&gt;"));
}

#[test]
fn the_runs_as_csv_are_whole_and_exact() {
    let data = common::report();
    let csv = runs_csv(&data);
    let mut lines = csv.lines();
    let columns = lines.next().unwrap().split(',').count();
    assert_eq!(lines.clone().count(), data.scores.runs.len());
    assert!(lines.clone().all(|line| line.split(',').count() == columns));
    let first: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(first[7].parse::<f64>().unwrap(), data.scores.runs[0].ua);
}

#[test]
fn a_comparison_ends_in_a_verdict() {
    let classes: Vec<String> = ["angry", "happy", "sad"].map(String::from).to_vec();
    let good = common::predictions("c", &classes, 0.9);
    let poor = common::predictions("c", &classes, 0.4);
    let mut data = common::report();
    data.scores.comparisons.clear();
    for (name, predictions) in [("poor", &poor), ("itself", &good)] {
        let comparison = compare(&CompareRequest {
            corpus: "c",
            a: ("good", &good),
            b: (name, predictions),
            classes: &classes,
            inference: InferenceOptions::default(),
        })
        .unwrap();
        data.scores.comparisons.push(comparison);
    }
    let table = comparison_table(&data);
    assert_eq!(table.rows[0].last().unwrap().text, "good is better");
    assert_eq!(table.rows[1].last().unwrap().text, "no difference shown");
    let text = table.markdown();
    assert!(
        text.contains("2 pairs, p corrected by Holm over them"),
        "{text}"
    );
    assert!(
        text.contains("sign flips over speakers, all of them"),
        "{text}"
    );
    assert!(text.contains("One training seed each"), "{text}");
    assert!(
        !text.contains("McNemar"),
        "utterances of a speaker are not independent: {text}"
    );
    let p = data.scores.comparisons[0].ua.p;
    let corrected = table.rows[0][7].value.unwrap();
    assert!((corrected - 2.0 * p).abs() < 1e-12, "{corrected} {p}");
    data.scores.comparisons.truncate(1);
    let text = comparison_table(&data).markdown();
    assert!(
        !text.contains("Holm") && !text.contains("p corrected"),
        "{text}"
    );
}

/// One corpus with this many speakers, each in its own fold; the last lacks two classes if `lacking`.
fn scored(speakers: usize, lacking: bool) -> emobox_report::ReportData {
    let classes: Vec<String> = ["angry", "happy", "sad"].map(String::from).to_vec();
    let mut predictions = common::predictions("c", &classes, 0.8);
    for (i, item) in predictions.iter_mut().enumerate() {
        let speaker = i / 3 % speakers;
        item.speaker = Some(format!("s{speaker:02}"));
        item.fold = speaker as u32 + 1;
        if lacking && speaker + 1 == speakers {
            item.label = "sad".into();
        }
    }
    let mut data = common::report();
    data.scores.runs = score_folds(&ScoreRequest {
        labels: &RunLabels {
            corpus: "c".into(),
            encoder: "e".into(),
            ..RunLabels::default()
        },
        classes: &classes,
        predictions: &predictions,
        oracle: None,
        inference: InferenceOptions::default(),
    })
    .unwrap();
    data
}

#[test]
fn missing_and_marked_intervals_say_why() {
    let few = scores_table(&scored(4, false)).markdown();
    assert!(
        few.contains("No interval, fewer than 5 speakers: c (4)."),
        "{few}"
    );
    assert!(!few.contains('['), "{few}");
    let marked = scores_table(&scored(10, false)).markdown();
    assert!(marked.contains("Fewer than 20 speakers"), "{marked}");
    assert!(
        marked.contains("Student's t on the standard error over speakers"),
        "{marked}"
    );
    assert!(!marked.contains("Everything is right"), "{marked}");
    let enough = scores_table(&scored(32, false)).markdown();
    assert!(
        !enough.contains("Fewer than") && enough.contains("95 % intervals"),
        "{enough}"
    );
    let mut perfect = scored(10, false);
    for run in &mut perfect.scores.runs {
        (run.ua, run.ua_ci) = (1.0, Some([1.0, 1.0]));
    }
    let perfect = scores_table(&perfect).markdown();
    assert!(
        perfect.contains("nothing of other speakers: c (10)."),
        "{perfect}"
    );
}

#[test]
fn a_fold_without_a_class_makes_the_pooled_score_the_headline() {
    let data = scored(10, true);
    let table = scores_table(&data);
    assert!(
        table.caption.starts_with("Scores: pooled over folds"),
        "{}",
        table.caption
    );
    let text = table.markdown();
    assert!(
        text.contains("Pooled over folds, since a fold lacks a class there: c."),
        "{text}"
    );
    let pooled = &data.scores.runs[1];
    assert_eq!(data.headline(), [pooled]);
    assert_ne!(pooled.ua, data.scores.runs[0].ua);
}

#[test]
fn seeds_and_what_the_recipe_prints_have_columns_of_their_own() {
    let mut data = scored(10, false);
    for run in &mut data.scores.runs {
        run.seeds = Some(Seeds {
            count: 3,
            deviation: emobox_score::Rates {
                ua: 0.0123,
                ..emobox_score::Rates::default()
            },
        });
        run.as_published = Some(AsPublished {
            ua: 0.654,
            wa: 0.6,
            macro_f1: 0.6,
        });
    }
    let text = scores_table(&data).markdown();
    for part in [
        "± seeds",
        "1.23",
        "UA % as published, not a result",
        "65.40",
        "Means over 3 training seeds",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_latex_document_holds_all_tables() {
    let data = beside(PaperSource::Text);
    let tables = [intra_table(&data, &Metric::ALL), cross_table(&data)];
    let document = latex_document(&tables);
    assert_eq!(document.matches('{').count(), document.matches('}').count());
    // 96 rows with published figures beside them are more than a page: two groups of columns in landscape.
    let count = |text: &str| document.matches(text).count();
    assert_eq!(
        (count("\\begin{longtable}"), count("\\end{longtable}")),
        (2, 2)
    );
    assert_eq!(
        (count("\\begin{landscape}"), count("\\end{landscape}")),
        (2, 2)
    );
    assert_eq!(count("\\begin{tabular}"), 1);
    // Every row has as many cells as there are columns.
    let (mut columns, mut rows) = (0, 0);
    for line in document.lines() {
        let spec = line.strip_prefix("\\begin{tabular}{");
        if let Some(spec) = spec.or_else(|| line.strip_prefix("\\begin{longtable}{")) {
            columns = spec.trim_end_matches('}').len();
        } else if line.ends_with("\\\\") && !line.starts_with("\\caption") {
            let cells = line.replace("\\&", "").matches('&').count() + 1;
            assert_eq!(cells, columns, "{line}");
            rows += 1;
        }
    }
    // Headings of a long table appear twice.
    assert_eq!(rows, 2 * (96 + 6 + 2) + 1 + 40);
}

#[test]
fn scores_on_different_partitions_do_not_compete() {
    let mut data = common::report();
    let marked = |data: &emobox_report::ReportData| {
        let table = intra_table(data, &[Metric::Ua]);
        let best = |row: &Vec<emobox_report::TableCell>| {
            row.iter().filter(|cell| cell.rank == Some(1)).count()
        };
        (table.rows.iter().map(best).collect::<Vec<_>>(), table)
    };
    let (one, table) = marked(&data);
    assert_eq!(one, [1, 1]);
    assert_eq!(table.ranked, Some("of the row"));
    let clean = data.scores.runs.clone().into_iter().map(|mut run| {
        run.partition = "speaker".to_owned();
        run.ua /= 2.0;
        run
    });
    let clean: Vec<_> = clean.collect();
    data.scores.runs.extend(clean);
    let (both, table) = marked(&data);
    assert_eq!(both, [2, 2], "{}", table.markdown());
    assert_eq!(table.ranked, Some("of the row on its partition"));
    let names = |note: &&String| note.contains("(paper)") && note.contains("(speaker)");
    assert_eq!(table.notes.iter().find(names), None);
}

#[test]
fn scores_of_encoders_that_did_not_hear_everything_are_marked() {
    let mut data = common::published();
    let mut runs = data.scores.runs.iter();
    let of_it =
        |run: &emobox_score::Run| (&*run.corpus, &*run.encoder) == ("meld", "Whisper large v3");
    let at = runs.position(of_it).unwrap();
    data.scores.runs[at].cut = 7;
    let note = "‡ Utterances longer than what the encoder hears, of which it heard the beginning only: \
                Whisper large v3 on meld 7.";
    let scores = scores_table(&data);
    let marked = scores.rows.iter().filter(|row| row[1].text.contains('‡'));
    let marked: Vec<&str> = marked.map(|row| row[0].text.as_str()).collect();
    assert_eq!(marked, ["meld"]);
    assert!(scores.notes.iter().any(|n| n == note), "{:?}", scores.notes);
    let intra = intra_table(&data, &[Metric::Ua]);
    let marked = intra
        .rows
        .iter()
        .flatten()
        .filter(|cell| cell.text.ends_with('‡'));
    assert_eq!(marked.count(), 1);
    assert!(intra.notes.iter().any(|n| n == note));
    // A program reads the number.
    assert!(intra.terminal().contains('‡') && !intra.csv().contains('‡'));
}
