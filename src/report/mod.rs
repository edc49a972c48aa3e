//! What a run did, as a text for people and as JSON for programs.

mod changed_items;
mod compaction;
mod each_year;
mod numbers;
mod sparkline;

pub use changed_items::ChangedItems;
pub use compaction::CompactSummary;
pub use each_year::each_year;
pub use numbers::{bytes, count, counted, millis, with_parts};
pub use sparkline::sparkline;

use std::collections::BTreeMap;
use std::fmt;

use earthcatalog_plans::checkpoint::RunReport;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// The report of an ingest: what the run counted, and how long it took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub run: RunReport,
    pub seconds: f64,
}

impl Report {
    /// Rows per Item; 0 without Items.
    pub fn fan_out(&self) -> f64 {
        ratio(self.run.rows as f64, self.run.items as f64)
    }

    pub fn items_per_second(&self) -> f64 {
        ratio(self.run.items as f64, self.seconds)
    }

    /// One JSON object, with the derived figures.
    pub fn to_json(&self) -> Value {
        let run = &self.run;
        let mut report = json!({
            "run": run.run,
            "snapshot": run.snapshot,
            "listed": run.listed,
            "items": run.items,
            "rejected": run.rejected,
            "superseded": run.superseded,
            "skipped": run.skipped,
            "rows": run.rows,
            "cells": run.cells,
            "years": run.years,
            "files": run.files,
            "bytes": run.bytes,
            "fan_out": millis(self.fan_out()),
            "items_per_second": millis(self.items_per_second()),
            "seconds": millis(self.seconds),
        });
        if run.guessed_footprints > 0 {
            report["guessed_footprints"] = run.guessed_footprints.into();
        }
        if run.uncounted {
            report["uncounted"] = true.into();
        }
        report
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &self.run;
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        if run.uncounted {
            let way_out = "LIMIT, aggregates, and joins such as NOT IN (write NOT EXISTS) do not keep chunks apart";
            line("Items", format!("are not counted, and their rejects are not listed: {way_out}"))?;
        } else {
            line("Items", format!("{} committed of {} listed", count(run.items), count(run.listed)))?;
        }
        for (name, total, parts) in [
            ("rejected", run.rejected.values().sum(), &run.rejected),
            ("superseded", run.superseded, &BTreeMap::new()),
            ("skipped", run.skipped.values().sum(), &run.skipped),
        ] {
            if total > 0 {
                line(name, with_parts(total, parts))?;
            }
        }
        if run.guessed_footprints > 0 {
            let items = count(run.guessed_footprints);
            line(
                "guessed",
                format!("{items} footprints that could be read in two ways, and their bbox does not decide"),
            )?;
        }
        match run.items {
            0 => line("rows", count(run.rows))?,
            _ => line("rows", format!("{}, {:.2} per Item", count(run.rows), self.fan_out()))?,
        }
        let years = match run.years {
            Some((first, last)) if first == last => format!(", year {first}"),
            Some((first, last)) => format!(", years {first} to {last}"),
            None => String::new(),
        };
        line("cells", format!("{}{years}", count(run.cells)))?;
        line("files", format!("{}, {}", count(run.files), bytes(run.bytes)))?;
        line("time", format!("{:.1} s, {} Items/s", self.seconds, count(self.items_per_second() as u64)))?;
        let snapshot = run.snapshot.map_or("none, because there was nothing to commit".to_owned(), |id| id.to_string());
        line("snapshot", snapshot)?;
        write!(f, "{:<12}{}", "run", run.run)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let run = RunReport {
            run: "0199".into(),
            snapshot: Some(77),
            listed: 1_060,
            items: 1_000,
            rejected: BTreeMap::from([("missing".into(), 7), ("malformed_json".into(), 3)]),
            superseded: 0,
            skipped: BTreeMap::from([("suffix".into(), 50)]),
            rows: 1_440,
            cells: 212,
            years: Some((1984, 2023)),
            files: 702,
            bytes: 35_249_999,
            ..RunReport::default()
        };
        Report { run, seconds: 0.25 }
    }

    #[test]
    fn the_text_says_what_became_of_every_listed_object() {
        insta::assert_snapshot!(report(), @r"
        Items       1,000 committed of 1,060 listed
        rejected    10 (malformed_json 3, missing 7)
        skipped     50 (suffix 50)
        rows        1,440, 1.44 per Item
        cells       212, years 1984 to 2023
        files       702, 35.2 MB
        time        0.2 s, 4,000 Items/s
        snapshot    77
        run         0199
        ");
    }

    #[test]
    fn footprints_that_were_guessed_are_counted_where_there_are_some() {
        let run = RunReport { guessed_footprints: 1_033, ..report().run };
        let guessed = Report { run, seconds: 0.25 };
        let line = "\nguessed     1,033 footprints that could be read in two ways, and their bbox does not decide\n";
        assert!(guessed.to_string().contains(line), "{guessed}");
        assert_eq!(guessed.to_json()["guessed_footprints"], 1_033);
        assert!(report().to_json().get("guessed_footprints").is_none());
    }

    #[test]
    fn a_run_that_cannot_count_says_so() {
        let run = RunReport { uncounted: true, listed: 0, items: 0, rows: 7, ..report().run };
        let report = Report { run, seconds: 0.25 };
        assert!(
            report.to_string().starts_with("Items       are not counted, and their rejects are not listed: LIMIT"),
            "{report}"
        );
        assert_eq!(report.to_json()["uncounted"], true);
        assert!(self::report().to_json().get("uncounted").is_none());
    }

    #[test]
    fn a_run_without_items_divides_by_nothing() {
        let json = Report::default().to_json();
        assert_eq!((json["fan_out"].as_f64(), json["items_per_second"].as_f64()), (Some(0.0), Some(0.0)));
        assert!(Report::default().to_string().contains("none, because there was nothing to commit"));
    }

    #[test]
    fn the_json_has_the_counts_and_the_derived_figures() {
        let json = report().to_json();
        assert_eq!(json["rejected"]["missing"], 7);
        assert_eq!(json["fan_out"], 1.44);
        assert_eq!(json["years"], serde_json::json!([1984, 2023]));
    }
}
