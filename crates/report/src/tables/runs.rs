use super::grid::state_name;
use crate::ReportData;
use crate::table::field;
use emobox_score::Run;
use std::fmt::Write;

/// Every run, including each fold, as comma-separated values: fractions 0..1 in full precision, for programs. Cells
/// without scores follow, with their state and the reason in the last columns; `done` is the state of the others.
pub fn runs_csv(data: &ReportData) -> String {
    let mut out = String::from(
        "corpus,encoder,protocol,partition,config,fold,n,ua,ua_low,ua_high,wa,wa_low,wa_high,\
         macro_f1,macro_f1_low,macro_f1_high,micro_f1,weighted_f1,oracle_ua,audit,headline,seeds,ua_seeds_sd,as_published_ua,nuisance_ua,heard,state,stage,reason\r\n",
    );
    for run in &data.scores.runs {
        let words = [
            &run.corpus,
            &run.encoder,
            &run.protocol,
            &run.partition,
            &run.config,
        ];
        for word in words {
            let _ = write!(out, "{},", field(word));
        }
        let _ = write!(out, "{},{}", run.fold, run.n);
        let _ = write!(out, "{}", numbers(run));
        let oracle = run
            .oracle
            .as_ref()
            .map(|o| o.ua.to_string())
            .unwrap_or_default();
        let audit = run.audit.as_deref().unwrap_or_default();
        let _ = write!(out, ",{oracle},{}", field(audit));
        let (seeds, deviation) = run.seeds.map_or((1, String::new()), |seeds| {
            (seeds.count, seeds.deviation.ua.to_string())
        });
        let published = run.as_published.as_ref().map(|p| p.ua.to_string());
        let _ = write!(
            out,
            ",{},{seeds},{deviation},{},{},{},done,,\r\n",
            run.headline,
            published.unwrap_or_default(),
            run.nuisance_ua.map(|ua| ua.to_string()).unwrap_or_default(),
            field(run.heard.as_deref().unwrap_or_default()),
        );
    }
    for absent in data.empty_cells() {
        let [corpus, encoder, partition] =
            [&absent.corpus, &absent.encoder, &absent.partition].map(|word| field(word));
        // Protocol and config, then the fields of a fold, are empty.
        let _ = write!(out, "{corpus},{encoder},,{partition},{}", ",".repeat(21));
        let state = state_name(absent.state);
        let [stage, reason] = [&absent.stage, &absent.reason].map(|word| field(word));
        let _ = write!(out, ",{state},{stage},{reason}\r\n");
    }
    out
}

fn numbers(run: &Run) -> String {
    let mut out = String::new();
    let scores = [
        (run.ua, run.ua_ci),
        (run.wa, run.wa_ci),
        (run.macro_f1, run.macro_f1_ci),
    ];
    for (score, interval) in scores {
        let [low, high] = interval
            .map(|ci| ci.map(|v| v.to_string()))
            .unwrap_or_default();
        let _ = write!(out, ",{score},{low},{high}");
    }
    let _ = write!(out, ",{},{}", run.micro_f1, run.weighted_f1);
    out
}
