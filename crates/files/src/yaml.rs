use serde_json::Value;
use serde_saphyr::{Options, budget, from_str_with_options, options};

/// A YAML document as JSON. The cost of aliases, nesting and size is bounded.
///
/// Only `true` and `false` are booleans, and numbers with a leading zero are text: a label `no` and a speaker `03` stay as they
/// are written. The error names the line.
pub fn parse_yaml(text: &str) -> Result<Value, String> {
    let options: Options = options! {
        // A header of a large corpus lists thousands of speakers.
        budget: budget! { max_nodes: 2_000_000, max_events: 4_000_000 },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
    };
    from_str_with_options(text, options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_is_read_whole_and_labels_stay_as_written() {
        let text = "# network\nmodel: {norm_eps: 1e-05, spec: '[(512, 10, 5)] # no comment'}   # small\nlist:\n- a: b\n  c: \"x, \\\"y\\\"\"\n- ['p, q', 1]\nspeakers:\n  3: {gender: male}\nlabels: [no, 03, null]\nnothing:\n";
        let expected = json!({
            "model": {"norm_eps": 1e-5, "spec": "[(512, 10, 5)] # no comment"},
            "list": [{"a": "b", "c": "x, \"y\""}, ["p, q", 1]],
            "speakers": {"3": {"gender": "male"}},
            "labels": ["no", "03", null],
            "nothing": null});
        assert_eq!(parse_yaml(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_yaml_is_named_with_its_line_and_bombs_are_refused() {
        let error = parse_yaml("a: 1\n  b: 2\n").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            bomb += &format!(
                "a{level}: &a{level} [{}]\n",
                [alias.as_str(); 10].join(", ")
            );
        }
        assert!(parse_yaml(&bomb).is_err());
        assert!(parse_yaml(&"[".repeat(100_000)).is_err());
    }
}
