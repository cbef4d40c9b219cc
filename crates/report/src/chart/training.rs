use super::canvas::{Anchor, Canvas, legend, ticks};
use super::{Drawing, Figure, FigureTable, PALETTE, Section};
use crate::compact::kept;
use crate::{ReportData, Training, TrainingPoint};

const PANEL: [f64; 2] = [235.0, 150.0];
const LEFT: f64 = 40.0;
const TOP: f64 = 24.0;
const GAP: f64 = 52.0;

/// One figure for each corpus and encoder: all folds and sweep points, loss left, accuracy right.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    training_groups(data)
        .into_iter()
        .map(|(corpus, encoder, folds)| figure(corpus, encoder, &folds))
        .collect()
}

/// The folds of each corpus and encoder, in order of appearance.
pub(crate) fn training_groups(data: &ReportData) -> Vec<(&str, &str, Vec<&Training>)> {
    let mut groups: Vec<(&str, &str, Vec<&Training>)> = Vec::new();
    for training in &data.training {
        let (corpus, encoder) = (training.corpus.as_str(), training.encoder.as_str());
        match groups.iter_mut().find(|g| g.0 == corpus && g.1 == encoder) {
            Some(group) => group.2.push(training),
            None => groups.push((corpus, encoder, vec![training])),
        }
    }
    groups
}

/// One panel: its position and the ranges of its axes.
struct Panel {
    x: f64,
    epochs: f64,
    low: f64,
    high: f64,
}

impl Panel {
    fn place(&self, epoch: f64, value: f64) -> [f64; 2] {
        let across = if self.epochs > 1.0 {
            (epoch - 1.0) / (self.epochs - 1.0)
        } else {
            0.5
        };
        let up = (value - self.low) / (self.high - self.low);
        [self.x + across * PANEL[0], TOP + (1.0 - up) * PANEL[1]]
    }

    fn axes(&self, canvas: &mut Canvas, heading: &str, format: fn(f64) -> String) {
        canvas.text([self.x, 14.0], Anchor::Start, "head", heading);
        for tick in ticks(self.low, self.high, 4) {
            let [x, y] = self.place(1.0, tick);
            let x = x.min(self.x);
            canvas.line([x, y], [x + PANEL[0], y], "grid");
            canvas.text([x - 6.0, y + 4.0], Anchor::End, "soft", &format(tick));
        }
        let bottom = TOP + PANEL[1];
        for tick in ticks(1.0, self.epochs, 5) {
            let [x, _] = self.place(tick, self.low);
            canvas.text(
                [x, bottom + 15.0],
                Anchor::Middle,
                "soft",
                &format!("{tick:.0}"),
            );
        }
        canvas.line([self.x, bottom], [self.x + PANEL[0], bottom], "axis");
        let end = [self.x + PANEL[0], bottom + 30.0];
        canvas.text(end, Anchor::End, "soft", "epoch");
    }

    fn curve(&self, canvas: &mut Canvas, values: impl Iterator<Item = f64>, class: &str) {
        let points = values
            .enumerate()
            .map(|(i, value)| self.place(i as f64 + 1.0, value));
        canvas.path(points, class);
    }
}

fn figure<'a>(corpus: &str, encoder: &str, folds: &[&'a Training]) -> Figure {
    let names = point_names(folds);
    let all = || folds.iter().flat_map(|fold| &fold.points);
    let epochs = all()
        .map(|p| p.train_loss.len().max(p.valid_ua.len()))
        .max()
        .unwrap_or(0);
    let losses = all().flat_map(|p| p.train_loss.iter().chain(&p.valid_loss));
    let highest = losses
        .map(|v| kept(*v))
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    let loss = Panel {
        x: LEFT,
        epochs: epochs as f64,
        low: 0.0,
        high: highest.max(1e-9) * 1.02,
    };
    let x = LEFT + PANEL[0] + GAP;
    let ua = Panel {
        x,
        epochs: epochs as f64,
        low: 0.0,
        high: 1.0,
    };

    let mut canvas = Canvas::default();
    loss.axes(
        &mut canvas,
        "cross-entropy (validation dashed)",
        crate::format::coordinate,
    );
    ua.axes(&mut canvas, "validation UA %", |v| {
        format!("{:.0}", 100.0 * v)
    });
    // The chosen point is drawn on top of the others.
    for chosen in [false, true] {
        for point in all().filter(|p| p.selected_epoch.is_some() == chosen) {
            let colour = names.iter().position(|n| *n == point.name).unwrap_or(0) % PALETTE;
            let weight = if chosen { "bold" } else { "thin" };
            let class = format!("l{colour} {weight}");
            let losses = |values: &'a [f64]| values.iter().map(|v| kept(*v));
            loss.curve(&mut canvas, losses(&point.train_loss), &class);
            loss.curve(
                &mut canvas,
                losses(&point.valid_loss),
                &format!("{class} dash"),
            );
            ua.curve(&mut canvas, point.valid_ua.iter().map(|v| kept(*v)), &class);
        }
    }
    mark_selected(&mut canvas, &ua, folds, &names);
    let height = legend(
        &mut canvas,
        names.iter().copied(),
        [LEFT, TOP + PANEL[1] + 52.0],
        LEFT + 2.0 * PANEL[0] + GAP,
    );
    Figure::new(Drawing {
        section: Section::Training,
        name: format!("training {corpus} {encoder}"),
        title: format!("{corpus}, {encoder}"),
        description: format!(
            "Loss and validation accuracy over {epochs} epochs, {} and {}. {}",
            crate::format::count(folds.len(), "fold"),
            crate::format::count(names.len(), "sweep point"),
            chosen_sentence(folds)
        ),
        size: [x + PANEL[0] + 12.0, height],
        body: canvas.finish(),
        table: table(folds),
    })
}

fn point_names<'a>(folds: &[&'a Training]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for point in folds.iter().flat_map(|fold| &fold.points) {
        if !names.contains(&point.name.as_str()) {
            names.push(point.name.as_str());
        }
    }
    names
}

/// The chosen epoch of a point, if it lies inside its curve.
fn selected(point: &TrainingPoint) -> Option<(usize, f64)> {
    let epoch = point.selected_epoch?;
    let value = kept(*point.valid_ua.get(epoch.checked_sub(1)?)?);
    value.is_finite().then_some((epoch, value))
}

fn mark_selected(canvas: &mut Canvas, panel: &Panel, folds: &[&Training], names: &[&str]) {
    for fold in folds {
        for point in &fold.points {
            let Some((epoch, value)) = selected(point) else {
                continue;
            };
            let colour = names.iter().position(|n| *n == point.name).unwrap_or(0) % PALETTE;
            let tip = format!("fold {}: {}, epoch {epoch}", fold.fold, point.name);
            let class = format!("dot f{colour}");
            canvas.circle(panel.place(epoch as f64, value), 4.0, &class, &tip);
        }
    }
}

/// Per cent with one decimal, as stored.
fn tenths(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// The selection by validation, fold by fold.
pub(crate) fn chosen_sentence(folds: &[&Training]) -> String {
    let chosen: Vec<String> = folds
        .iter()
        .flat_map(|fold| fold.points.iter().map(move |point| (fold, point)))
        .filter_map(|(fold, point)| {
            let (epoch, value) = selected(point)?;
            let ua = tenths(value);
            Some(format!(
                "fold {}: {}, epoch {epoch}, validation UA {ua} %",
                fold.fold, point.name
            ))
        })
        .collect();
    if chosen.is_empty() {
        String::new()
    } else {
        format!("Chosen by validation: {}.", chosen.join("; "))
    }
}

fn table(folds: &[&Training]) -> FigureTable {
    let columns = [
        "fold",
        "sweep point",
        "chosen epoch",
        "last training loss",
        "best validation UA %",
    ];
    let rows = folds
        .iter()
        .flat_map(|fold| fold.points.iter().map(move |point| (fold, point)))
        .map(|(fold, point)| {
            let best = point
                .valid_ua
                .iter()
                .map(|v| kept(*v))
                .fold(f64::NEG_INFINITY, f64::max);
            vec![
                fold.fold.to_string(),
                point.name.clone(),
                point
                    .selected_epoch
                    .map_or("–".to_owned(), |e| e.to_string()),
                point
                    .train_loss
                    .last()
                    .map_or("–".to_owned(), |v| kept(*v).to_string()),
                if best.is_finite() {
                    tenths(best)
                } else {
                    "–".to_owned()
                },
            ]
        })
        .collect();
    FigureTable {
        columns: columns.map(String::from).to_vec(),
        rows,
    }
}
