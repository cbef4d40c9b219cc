use super::canvas::{Anchor, Canvas, LONGEST, Scale, fit, room};
use super::{Drawing, Figure, FigureTable, PALETTE, Section};
use crate::tables::{Grid, Metric, ranking};
use crate::{ReportData, format::p_equals};
use emobox_score::Ranking;

/// Position of the line of ranks.
const LINE: f64 = 280.0;
const AXIS: f64 = 52.0;

/// The critical-difference diagram (Demšar 2006, figure 1): mean ranks on a line, bars over systems whose difference is
/// not significant.
pub(super) fn figure(data: &ReportData) -> Option<Figure> {
    let ranking = ranking(data, Metric::Ua)?;
    let grid = Grid::of(data);
    let k = ranking.systems.len();
    // A name, its rank and the gaps around them.
    let side = room(ranking.systems.iter().map(String::as_str)) + 60.0;
    let width = LINE + 2.0 * side;
    let x = Scale {
        values: [1.0, k as f64],
        pixels: [side, width - side],
    };
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&a, &b| ranking.mean_ranks[a].total_cmp(&ranking.mean_ranks[b]));

    let mut canvas = Canvas::default();
    canvas.text(
        [side, 12.0],
        Anchor::Start,
        "soft",
        "mean rank by UA, best left",
    );
    canvas.line([side, AXIS], [width - side, AXIS], "axis");
    for rank in 1..=k {
        let at = x.at(rank as f64);
        canvas.line([at, AXIS - 4.0], [at, AXIS], "axis");
        canvas.text([at, AXIS - 9.0], Anchor::Middle, "soft", &rank.to_string());
    }
    let length = x.at(1.0 + ranking.critical_difference) - side;
    let label = format!("critical difference {:.2}", ranking.critical_difference);
    let bar_end = (width - side).min(side + length);
    for (i, group) in ranking.groups.iter().enumerate() {
        let y = AXIS + 10.0 + 7.0 * i as f64;
        let ends = [group.first(), group.last()].map(|i| i.map_or(1.0, |&i| ranking.mean_ranks[i]));
        canvas.line(
            [x.at(ends[0]) - 4.0, y],
            [x.at(ends[1]) + 4.0, y],
            "whisker l7",
        );
    }
    let first = AXIS + 24.0 + 7.0 * ranking.groups.len() as f64;
    let half = k.div_ceil(2);
    for (place, &system) in order.iter().enumerate() {
        let at = x.at(ranking.mean_ranks[system]);
        let left = place < half;
        let row = if left { place } else { k - 1 - place };
        let y = first + 18.0 * row as f64;
        // The colour of the encoder's column, as in charts of single cells.
        let column = grid
            .systems
            .iter()
            .position(|name| *name == ranking.systems[system]);
        let colour = format!("l{}", column.unwrap_or(system) % PALETTE);
        let edge = if left {
            side - 14.0
        } else {
            width - side + 14.0
        };
        canvas.path([[at, AXIS], [at, y], [edge, y]], &colour);
        let name = format!(
            "{} {:.2}",
            fit(&ranking.systems[system], LONGEST),
            ranking.mean_ranks[system]
        );
        let (anchor, at) = if left {
            (Anchor::End, edge - 6.0)
        } else {
            (Anchor::Start, edge + 6.0)
        };
        canvas.text([at, y + 4.0], anchor, "", &name);
    }
    let bottom = first + 18.0 * half as f64 + 14.0;
    canvas.line([side, bottom], [bar_end, bottom], "whisker l0");
    canvas.text([bar_end + 8.0, bottom + 4.0], Anchor::Start, "soft", &label);
    Some(Figure::new(Drawing {
        section: Section::Ranking,
        name: "ranking".to_owned(),
        title: "Encoders ranked over corpora".to_owned(),
        description: description(&ranking),
        size: [width, bottom + 14.0],
        body: canvas.finish(),
        table: table(&ranking, &order),
    }))
}

fn description(ranking: &Ranking) -> String {
    format!(
        "Mean ranks of {} encoders over {} corpora. Friedman χ² = {:.2}, {}; Iman and Davenport F = {:.2}, {}. \
         Encoders joined by a grey bar lie within the critical difference {:.2} (Nemenyi, α = {}) and cannot be \
         told apart.",
        ranking.systems.len(),
        ranking.corpora,
        ranking.friedman_chi_square,
        p_equals(ranking.friedman_p),
        ranking.iman_davenport_f,
        p_equals(ranking.iman_davenport_p),
        ranking.critical_difference,
        ranking.alpha
    )
}

fn table(ranking: &Ranking, order: &[usize]) -> FigureTable {
    let row = |&i: &usize| {
        vec![
            ranking.systems[i].clone(),
            format!("{:.2}", ranking.mean_ranks[i]),
        ]
    };
    FigureTable {
        columns: ["encoder", "mean rank"].map(String::from).to_vec(),
        rows: order.iter().map(row).collect(),
    }
}
