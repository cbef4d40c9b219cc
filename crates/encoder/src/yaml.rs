//! The part of YAML that FunASR's `config.yaml` is written in: nested maps by indentation, lists of
//! scalars, plain and quoted scalars, comments. Anything beyond is an error that names its line.

use serde_json::{Map, Number, Value};

struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// No configuration nests deeper.
const DEEPEST: usize = 32;

/// The document as JSON.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let lines: Vec<Line<'_>> = text.lines().enumerate().filter_map(line).collect();
    let mut at = 0;
    let value = block(&lines, &mut at, 0)?;
    match lines.get(at) {
        None => Ok(value),
        Some(line) => Err(format!("line {}: unexpected indentation", line.number)),
    }
}

fn line((index, raw): (usize, &str)) -> Option<Line<'_>> {
    let text = without_comment(raw).trim_end();
    let trimmed = text.trim_start_matches(' ');
    let skipped = trimmed.is_empty() || trimmed == "---" || trimmed.starts_with('%');
    (!skipped).then_some(Line {
        number: index + 1,
        indent: text.len() - trimmed.len(),
        text: trimmed,
    })
}

/// `#` begins a comment at the start or after a blank, outside quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if before == ' ' => return &line[..at],
            _ => {}
        }
        before = c;
    }
    line
}

fn block(lines: &[Line<'_>], at: &mut usize, depth: usize) -> Result<Value, String> {
    let Some(first) = lines.get(*at) else {
        return Ok(Value::Null);
    };
    if depth > DEEPEST {
        return Err(format!(
            "line {}: nested deeper than {DEEPEST}",
            first.number
        ));
    }
    let indent = first.indent;
    if first.text == "-" || first.text.starts_with("- ") {
        let mut list = Vec::new();
        while let Some(line) = lines.get(*at).filter(|line| line.indent == indent) {
            let Some(item) = line.text.strip_prefix('-') else {
                break;
            };
            list.push(scalar(item.trim(), line.number)?);
            *at += 1;
        }
        return Ok(Value::Array(list));
    }
    let mut map = Map::new();
    while let Some(line) = lines.get(*at).filter(|line| line.indent == indent) {
        let (key, rest) = line
            .text
            .split_once(':')
            .filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
            .ok_or_else(|| format!("line {}: expected `key: value`", line.number))?;
        *at += 1;
        let value = match (rest.trim(), lines.get(*at)) {
            ("", Some(next)) if next.indent > indent => block(lines, at, depth + 1)?,
            // A list may stand at the indentation of its key.
            ("", Some(next)) if next.indent == indent && next.text.starts_with("- ") => {
                block(lines, at, depth + 1)?
            }
            (rest, _) => scalar(rest, line.number)?,
        };
        map.insert(key.trim_matches(['"', '\'']).to_owned(), value);
    }
    Ok(Value::Object(map))
}

fn scalar(text: &str, line: usize) -> Result<Value, String> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inside) = quoted('"').or_else(|| quoted('\'')) {
        return Ok(Value::String(inside.to_owned()));
    }
    if let Some(inside) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let items = inside
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        return items
            .map(|item| scalar(item, line))
            .collect::<Result<_, _>>()
            .map(Value::Array);
    }
    Ok(match text {
        "" | "~" | "null" => Value::Null,
        "{}" => Value::Object(Map::new()),
        "true" | "True" => Value::Bool(true),
        "false" | "False" => Value::Bool(false),
        _ if text.starts_with(['{', '|', '>', '&', '*', '!', '[']) => {
            return Err(format!(
                "line {line}: `{text}` is beyond the YAML that is read here"
            ));
        }
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    // `1e-05` is a number to everybody but YAML 1.1; `nan` and `inf` are words.
    let digits = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.' | '+'));
    digits
        .then(|| text.parse().ok())
        .flatten()
        .and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_funasr_configuration_is_read() {
        let text = "# network\nmodel: Emotion2vec\nmodel_conf:\n    norm_eps: 1e-05   # small\n    layer_norm_first: false\n\n    modalities:\n      audio:\n        spec: '[(512, 10, 5)] # no comment'\n        decoder:\n        mask_prob_min: null\n    normalize: true\ntokenizer_conf:\n  list: [a, 1]\n  special:\n  - x\n  - \"y\"\n";
        let expected = json!({
            "model": "Emotion2vec",
            "model_conf": {
                "norm_eps": 1e-5, "layer_norm_first": false,
                "modalities": {"audio": {
                    "spec": "[(512, 10, 5)] # no comment", "decoder": null, "mask_prob_min": null}},
                "normalize": true},
            "tokenizer_conf": {"list": ["a", 1], "special": ["x", "y"]}});
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_not_read_is_named() {
        assert_eq!(
            parse("a: 1\nb\n").unwrap_err(),
            "line 2: expected `key: value`"
        );
        assert_eq!(
            parse("a: 1\n  b: 2\n").unwrap_err(),
            "line 2: unexpected indentation"
        );
        assert!(
            parse("a: !!python/object:os.system x\n")
                .unwrap_err()
                .starts_with("line 1: ")
        );
        let deep: String = (0..99).map(|i| format!("{}k:\n", " ".repeat(i))).collect();
        assert!(parse(&deep).unwrap_err().contains("nested deeper"));
    }
}
