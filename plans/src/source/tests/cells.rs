//! Items of many cells: which are rejects, and how batches are cut.

use super::*;
use crate::model::chunk::RejectKind;
use crate::source::{StacExec, with_h3_resolution};

fn with_geometry(id: &str, geometry: &str) -> String {
    let point = r#"{"type":"Point","coordinates":[1.0,2.0]}"#;
    item(id).replace(point, geometry).replace(r#""bbox":[1.0,2.0,1.0,2.0],"#, "")
}

fn bounds(west: f64, south: f64, east: f64, north: f64) -> String {
    format!(
        r#"{{"type":"Polygon","coordinates":[[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]]}}"#
    )
}

fn globe() -> String {
    bounds(-180.0, -90.0, 180.0, 90.0)
}

fn lines(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().map(|item| item + "\n").collect()
}

/// Reads a file of Items whose rows go to cells of a resolution.
async fn read_at(h3_resolution: u8, file: &str, options: &[(&str, &str)]) -> Read {
    let context = source(file, options).await.unwrap();
    let plan = plan(&context, "SELECT id FROM source").await.unwrap();
    read_plan(&context, with_h3_resolution(plan, h3_resolution).unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_item_of_too_many_cells_is_a_reject_and_the_others_are_read() {
    let folder = Folder::new();
    let line = r#"{"type":"LineString","coordinates":[[0,0],[10,0]]}"#;
    let copies = vec!["[[[0,0],[2,0],[2,2],[0,2],[0,0]]]"; 2000].join(",");
    let copies = format!(r#"{{"type":"MultiPolygon","coordinates":[{copies}]}}"#);
    let items = [
        item("item-0"),
        with_geometry("world", &globe()),
        with_geometry("scene", &bounds(10.0, 50.0, 11.5, 51.0)),
        with_geometry("line", line),
        with_geometry("copies", &copies),
        item("nowhere").replace(r#"{"type":"Point","coordinates":[1.0,2.0]}"#, "null"),
    ];
    let file = folder.put("items.ndjson", lines(items));
    let read = |h3_resolution, limit| read_at(h3_resolution, &file, limit);
    let all = ["item-0", "world", "scene", "line", "copies", "nowhere"];
    for (h3_resolution, limit, rejected) in [
        (2, &[][..], &[][..]),
        (3, &[], &["world"]),
        (6, &[], &["world"]),
        (15, &[], &["world", "scene", "line", "copies"]),
        (3, &[("max_item_cells", "41162")], &[]),
        (3, &[("max_item_cells", "41161")], &["world"]),
        (3, &[("max_item_cells", "1")], &["world", "scene", "line", "copies"]),
    ] {
        let read = read(h3_resolution, limit).await;
        let expected: Vec<_> = all.into_iter().filter(|id| !rejected.contains(id)).collect();
        assert_eq!(read.ids, expected, "resolution {h3_resolution}, {limit:?}");
        assert_eq!(read.counts().rejected_total(), rejected.len() as u64);
        for reject in &read.outcomes[0].rejects {
            let limit = limit.first().map_or("10000", |(_, limit)| limit);
            assert_eq!(reject.kind, RejectKind::TooManyCells);
            assert_eq!(
                reject.message,
                format!(
                    "its footprint touches more cells of H3 resolution {h3_resolution} than option 'max_item_cells' allows ({limit})"
                )
            );
        }
    }
    // Whose rows go nowhere has no cells.
    assert_eq!(super::read(&file, &[("max_item_cells", "1")]).await.unwrap().ids, all);
}

#[tokio::test]
async fn a_batch_is_cut_by_the_cells_of_its_items() {
    let folder = Folder::new();
    let rows = async |items: Vec<String>, h3_resolution: Option<u8>| {
        let context = source(folder.put("items.ndjson", lines(items)), &[]).await.unwrap();
        let mut plan = plan(&context, "SELECT id FROM source").await.unwrap();
        if let Some(h3_resolution) = h3_resolution {
            plan = with_h3_resolution(plan, h3_resolution).unwrap();
        }
        let batches = datafusion::physical_plan::collect(plan, context.task_ctx()).await.unwrap();
        batches.iter().map(|batch| batch.num_rows()).collect::<Vec<_>>()
    };
    let scenes = || (0..3000).map(|i| with_geometry(&format!("s{i}"), &bounds(10.0, 50.0, 11.5, 51.0))).collect();
    assert_eq!(rows(scenes(), Some(1)).await, [3000], "scenes have few cells");
    let worlds = || (0..200).map(|i| with_geometry(&format!("w{i}"), &globe())).collect();
    assert_eq!(rows(worlds(), None).await, [200]);
    // 842 cells each, and 8 times 8192 for a batch.
    assert_eq!(rows(worlds(), Some(1)).await, [78, 78, 44]);
    assert_eq!(rows(worlds(), Some(2)).await[..2], [12, 12]);
    assert_eq!(rows(worlds(), Some(9)).await, [0; 0]);
}

#[tokio::test]
async fn the_limit_is_shown_where_it_is_set() {
    let folder = Folder::new();
    let file = folder.put("items.ndjson", lines([item("item-0")]));
    let shown = async |options| {
        let context = source(&file, options).await.unwrap();
        let plan = plan(&context, "SELECT id FROM source").await.unwrap();
        assert!(StacExec::find(&plan).is_some());
        datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
    };
    assert!(!shown(&[]).await.contains("max_item_cells"));
    assert!(shown(&[("max_item_cells", "7")]).await.contains(", max_item_cells=7"));
}
