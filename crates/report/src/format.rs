//! Formats numbers and untrusted text for people.

use std::fmt::Write;

/// A fraction as per cent with two decimals, without the sign: `71.23`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.2}", 100.0 * fraction)
}

/// An interval of fractions: `[65.10, 77.30]`.
pub(crate) fn interval(ci: [f64; 2]) -> String {
    format!("[{}, {}]", percent(ci[0]), percent(ci[1]))
}

/// A coordinate with at most two decimals and no trailing zeros.
pub(crate) fn coordinate(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// Text for HTML and SVG, in element content and in quoted attributes.
///
/// Characters that XML forbids are replaced, so that a figure is also a well-formed SVG file.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// One line for a terminal: control characters, and thus escape sequences, are shown, not sent.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_bidi_control(c) {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that reorder the text around them.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name for `id` attributes and files: lower-case ASCII letters, digits and single hyphens.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// A p-value: three decimals, or `< 0.001`.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// In a sentence: `p = 0.034`, `p < 0.001`.
pub(crate) fn p_equals(p: f64) -> String {
    let value = p_value(p);
    if value.starts_with('<') {
        format!("p {value}")
    } else {
        format!("p = {value}")
    }
}

/// `1 fold`, `2 folds`.
pub(crate) fn count(n: usize, singular: &str) -> String {
    if n == 1 {
        format!("1 {singular}")
    } else {
        format!("{n} {singular}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(percent(0.712_345), "71.23");
        assert_eq!(interval([0.5, 1.0]), "[50.00, 100.00]");
        assert_eq!(coordinate(-0.001), "0");
        assert_eq!(coordinate(12.5), "12.5");
    }

    #[test]
    fn untrusted_text_stays_text() {
        let text = "<script>\"'&\u{0}\u{1b}[31m";
        let escaped = escape(text);
        assert!(!escaped.contains(['<', '>', '"', '\'', '\u{0}', '\u{1b}']));
        assert_eq!(
            one_line("a\u{1b}[2Jb\n\u{202e}"),
            "a\\u{1b}[2Jb\\n\\u{202e}"
        );
        assert_eq!(slug("Whisper-tiny.en / ä"), "whisper-tiny-en");
    }
}
