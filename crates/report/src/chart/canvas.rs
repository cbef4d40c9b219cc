use crate::format::{coordinate, escape};
use std::fmt::Write;

/// The colours and strokes of every chart; once in the page, and again in each exported SVG file.
pub(crate) const CHART_CSS: &str = include_str!("chart.css");

/// Width of a character of the charts' small type, accurate enough to keep labels apart.
pub(crate) const CHARACTER: f64 = 6.3;

/// Above this strength of colour, text on a heat map uses the other ink; contrast is then 3.5 or more on
/// either side, in light and dark.
pub(crate) const STRONG: f64 = 0.58;

/// Longer names are truncated; charts make room for shorter ones.
pub(crate) const LONGEST: usize = 48;

/// Width in pixels of the longest of `names`.
pub(crate) fn room<'a>(names: impl IntoIterator<Item = &'a str>) -> f64 {
    let lengths = names.into_iter().map(|name| name.chars().count());
    lengths.max().unwrap_or(0).min(LONGEST) as f64 * CHARACTER
}

/// The anchor of a text relative to its point.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Drawing area that collects SVG elements; every text goes through [`escape`].
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    body: String,
}

impl Canvas {
    pub(crate) fn rect(&mut self, [x, y, w, h]: [f64; 4], class: &str) -> &mut Self {
        let [x, y, w, h] = [x, y, w, h].map(coordinate);
        let _ = write!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" class=\"{class}\"/>"
        );
        self
    }

    /// A cell of a heat map: `share` 0..1 is the strength of the colour, `tip` shows on hovering.
    pub(crate) fn heat(&mut self, [x, y, w, h]: [f64; 4], share: f64, tip: &str) -> &mut Self {
        let share = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let [x, y, w, h, share] = [x, y, w, h, share].map(coordinate);
        let _ = write!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" class=\"heat\" \
             fill-opacity=\"{share}\"><title>{}</title></rect>",
            escape(tip)
        );
        self
    }

    pub(crate) fn line(&mut self, from: [f64; 2], to: [f64; 2], class: &str) -> &mut Self {
        let [x1, y1, x2, y2] = [from[0], from[1], to[0], to[1]].map(coordinate);
        let _ = write!(
            self.body,
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>"
        );
        self
    }

    pub(crate) fn circle(&mut self, at: [f64; 2], r: f64, class: &str, tip: &str) -> &mut Self {
        let [x, y, r] = [at[0], at[1], r].map(coordinate);
        let _ = write!(
            self.body,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" class=\"{class}\""
        );
        if tip.is_empty() {
            self.body.push_str("/>");
        } else {
            let _ = write!(self.body, "><title>{}</title></circle>", escape(tip));
        }
        self
    }

    /// A closed, filled area.
    pub(crate) fn area(
        &mut self,
        points: impl IntoIterator<Item = [f64; 2]>,
        class: &str,
    ) -> &mut Self {
        let corners: Vec<String> = points
            .into_iter()
            .filter(|[x, y]| x.is_finite() && y.is_finite())
            .map(|[x, y]| format!("{},{}", one_decimal(x), one_decimal(y)))
            .collect();
        let _ = write!(
            self.body,
            "<polygon points=\"{}\" class=\"{class}\"/>",
            corners.join(" ")
        );
        self
    }

    /// A line through points; gaps where a value is not finite.
    pub(crate) fn path(
        &mut self,
        points: impl IntoIterator<Item = [f64; 2]>,
        class: &str,
    ) -> &mut Self {
        let mut steps = String::new();
        let mut pen_down = false;
        for [x, y] in points {
            if !(x.is_finite() && y.is_finite()) {
                pen_down = false;
                continue;
            }
            let step = if pen_down { 'L' } else { 'M' };
            let _ = write!(steps, "{step}{} {}", one_decimal(x), one_decimal(y));
            pen_down = true;
        }
        if !steps.is_empty() {
            let _ = write!(self.body, "<path d=\"{steps}\" class=\"{class}\"/>");
        }
        self
    }

    /// Many unnamed dots as one line of points, in a tenth of the text that circles take.
    pub(crate) fn dots(
        &mut self,
        points: impl IntoIterator<Item = [f64; 2]>,
        class: &str,
    ) -> &mut Self {
        let mut steps = String::new();
        for [x, y] in points {
            if x.is_finite() && y.is_finite() {
                let _ = write!(steps, "M{} {}h0", one_decimal(x), one_decimal(y));
            }
        }
        let _ = write!(self.body, "<path d=\"{steps}\" class=\"{class}\"/>");
        self
    }

    pub(crate) fn text(
        &mut self,
        at: [f64; 2],
        anchor: Anchor,
        class: &str,
        text: &str,
    ) -> &mut Self {
        self.turned_text(at, 0.0, anchor, class, text)
    }

    /// Text rotated by `degrees` about its point.
    pub(crate) fn turned_text(
        &mut self,
        at: [f64; 2],
        degrees: f64,
        anchor: Anchor,
        class: &str,
        text: &str,
    ) -> &mut Self {
        let [x, y, degrees] = [at[0], at[1], degrees].map(coordinate);
        let place = if degrees == "0" {
            format!("x=\"{x}\" y=\"{y}\"")
        } else {
            format!("transform=\"translate({x} {y}) rotate({degrees})\"")
        };
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(
            self.body,
            "<text {place} text-anchor=\"{anchor}\" class=\"{class}\">{}</text>",
            escape(text)
        );
        self
    }

    pub(crate) fn finish(self) -> String {
        self.body
    }
}

/// A linear axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Values at the two ends.
    pub(crate) values: [f64; 2],
    /// Their positions in pixels.
    pub(crate) pixels: [f64; 2],
}

impl Scale {
    pub(crate) fn at(&self, value: f64) -> f64 {
        let [low, high] = self.values;
        let share = if high == low {
            0.5
        } else {
            (value - low) / (high - low)
        };
        self.pixels[0] + share * (self.pixels[1] - self.pixels[0])
    }
}

/// Draws coloured names in rows from `[left, top]` and returns the height at which they end.
pub(crate) fn legend<'a>(
    canvas: &mut Canvas,
    names: impl IntoIterator<Item = &'a str>,
    [left, top]: [f64; 2],
    right: f64,
) -> f64 {
    let (mut x, mut y) = (left, top);
    for (i, name) in names.into_iter().enumerate() {
        let name = fit(name, LONGEST);
        let width = 22.0 + name.chars().count() as f64 * CHARACTER;
        if x > left && x + width > right {
            (x, y) = (left, y + 18.0);
        }
        canvas.circle(
            [x + 6.0, y - 4.0],
            5.0,
            &format!("dot f{}", i % super::PALETTE),
            "",
        );
        canvas.text([x + 16.0, y], Anchor::Start, "", &name);
        x += width + 12.0;
    }
    y + 12.0
}

/// Half a pixel is precise enough for a curve and keeps pages with hundreds of curves small.
fn one_decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A label that fits into `characters`, with an ellipsis if it was truncated.
pub(crate) fn fit(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(characters.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Round numbers that cover `low..high` in about `wanted` steps.
pub(crate) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    if !(low.is_finite() && high.is_finite()) || high <= low || wanted == 0 {
        return vec![low];
    }
    let rough = (high - low) / wanted as f64;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * magnitude)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil();
    (0..=wanted * 3)
        .map(|i| (first + i as f64) * step)
        .take_while(|tick| *tick <= high + step * 1e-9)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            ticks(0.0, 1.0, 5),
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        assert_eq!(ticks(1.0, 100.0, 4), [50.0, 100.0]);
        assert_eq!(ticks(3.0, 3.0, 4), [3.0]);
    }

    #[test]
    fn a_path_skips_what_is_not_a_number() {
        let mut canvas = Canvas::default();
        canvas.path([[0.0, 1.0], [1.0, f64::NAN], [2.0, 3.0], [3.0, 4.0]], "l");
        assert!(canvas.finish().contains("M0 1M2 3L3 4"));
    }
}
