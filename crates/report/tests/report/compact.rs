//! The report at the paper's size: its size in bytes, and what is drawn on request.

use crate::{common, large};
use emobox_report::{MapMethod, ReportData, html, terminal_table, utterance_maps};

const MEGABYTE: usize = 1_000_000;

#[test]
fn the_page_and_the_data_of_32_corpora_by_ten_encoders_stay_small() {
    let data = large::report();
    assert_eq!(data.training.len(), 5 * (320 - 13));
    assert_eq!((data.maps.len(), data.scores.absent.len()), (307, 13));
    let page = html(&data);
    assert!(page.len() < 10 * MEGABYTE, "{} bytes of HTML", page.len());
    // As the bench writes it.
    let json = serde_json::to_string(&data).unwrap();
    assert!(json.len() < 25 * MEGABYTE, "{} bytes of JSON", json.len());
    let back: ReportData = serde_json::from_str(&json).unwrap();
    assert_eq!(html(&back), page, "a page from report.json is another one");
    for section in ["confusion", "calibration", "training", "errors", "map"] {
        assert!(
            page.contains(&format!("data-draw=\"{section}\"")),
            "{section}"
        );
    }
    for line in terminal_table(&data)
        .lines()
        .filter(|line| !line.contains(' ') || line.contains("  "))
    {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn a_small_report_has_its_charts_in_the_page_and_maps_as_data() {
    let page = html(&common::report());
    assert!(page.contains("id=\"confusion-emodb-fbank\""));
    assert!(page.contains("id=\"training-emodb-fbank\""));
    assert!(!page.contains("data-draw=\"training\""));
    assert!(page.contains("data-draw=\"map\"") && !page.contains("id=\"map-"));
    // The text for readers without scripts.
    assert!(page.contains("Maps of utterances") && page.contains("angry 80"));
}

#[test]
fn only_the_maps_that_are_asked_for_are_made() {
    let features = [[1.0, 2.0], [2.0, 2.0], [0.0, 5.0]];
    let items: Vec<_> = features
        .iter()
        .map(|features| emobox_report::MapItem {
            key: "k",
            label: "l",
            speaker: None,
            features,
        })
        .collect();
    let methods = |methods: &[MapMethod]| -> Vec<String> {
        let maps = utterance_maps("c", "e", &items, methods);
        maps.into_iter().map(|map| map.method).collect()
    };
    assert_eq!(methods(&[MapMethod::Pca]), ["PCA"]);
    assert_eq!(
        methods(&[MapMethod::Tsne, MapMethod::Pca]),
        ["t-SNE", "PCA"]
    );
    assert!(methods(&[]).is_empty());
}

#[test]
fn a_report_of_an_earlier_version_is_read() {
    let mut json = serde_json::to_value(common::report()).unwrap();
    for field in ["corpora", "encoders"] {
        json.as_object_mut().unwrap().remove(field);
    }
    json["maps"] = serde_json::json!([{"corpus": "emodb", "encoder": "fbank", "method": "PCA", "note": "",
        "points": [{"key": "a", "at": [0.5, 1.5], "label": "sad", "speaker": null},
            {"key": "b", "at": [0.0, 1.0], "label": "angry", "speaker": "03"}]}]);
    json["training"][0]["points"][0]["train_loss"] = serde_json::json!([1.5, 0.25]);
    let data: ReportData = serde_json::from_value(json).unwrap();
    assert_eq!(data.training[0].points[0].train_loss, [1.5, 0.25]);
    assert_eq!(data.maps[0].labels, ["angry", "sad"]);
    assert!(html(&data).contains("data-draw=\"map\""));
}
