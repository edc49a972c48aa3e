//! What a run did, as a text for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The report of an ingest. `listed = items + rejected + superseded + skipped`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunReport {
    /// Id of the run; its rejects carry it.
    pub run: String,
    /// The Iceberg snapshot that made the run visible; `None` where there was nothing to commit.
    pub snapshot: Option<i64>,
    /// Rows of the inventory.
    pub listed: u64,
    /// Items committed.
    pub items: u64,
    /// Rejects by kind.
    pub rejected: BTreeMap<String, u64>,
    /// Older versions of listed objects.
    pub superseded: u64,
    /// Objects that an option left out, by option.
    pub skipped: BTreeMap<String, u64>,
    /// One per Item and cell.
    pub rows: u64,
    pub cells: u64,
    /// First and last year of `datetime`; `None` where no Item has one.
    pub years: Option<(i32, i32)>,
    pub files: u64,
    pub bytes: u64,
    pub seconds: f64,
}

impl RunReport {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Rows per Item; 0 without Items.
    pub fn fan_out(&self) -> f64 {
        ratio(self.rows as f64, self.items as f64)
    }

    pub fn items_per_second(&self) -> f64 {
        ratio(self.items as f64, self.seconds)
    }

    /// One JSON object, with the derived figures.
    pub fn to_json(&self) -> serde_json::Value {
        #[derive(Serialize)]
        struct WithFigures<'a> {
            #[serde(flatten)]
            report: &'a RunReport,
            fan_out: f64,
            items_per_second: f64,
        }
        let round = |x: f64| (x * 1000.0).round() / 1000.0;
        let report = RunReport { seconds: round(self.seconds), ..self.clone() };
        serde_json::json!(WithFigures {
            report: &report,
            fan_out: round(self.fan_out()),
            items_per_second: round(self.items_per_second()),
        })
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        line("Items", format!("{} committed of {} listed", count(self.items), count(self.listed)))?;
        for (name, total, parts) in [
            ("rejected", self.rejected_total(), &self.rejected),
            ("superseded", self.superseded, &BTreeMap::new()),
            ("skipped", self.skipped_total(), &self.skipped),
        ] {
            if total > 0 {
                line(name, with_parts(total, parts))?;
            }
        }
        line("rows", format!("{}, {:.2} per Item", count(self.rows), self.fan_out()))?;
        let years = match self.years {
            Some((first, last)) if first == last => format!(", year {first}"),
            Some((first, last)) => format!(", years {first} to {last}"),
            None => String::new(),
        };
        line("cells", format!("{}{years}", count(self.cells)))?;
        line("files", format!("{}, {}", count(self.files), bytes(self.bytes)))?;
        line("time", format!("{:.1} s, {} Items/s", self.seconds, count(self.items_per_second() as u64)))?;
        let snapshot = self.snapshot.map_or("none: nothing to commit".to_owned(), |id| id.to_string());
        line("snapshot", snapshot)?;
        write!(f, "{:<12}{}", "run", self.run)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn with_parts(total: u64, parts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<_> = parts.iter().map(|(name, n)| format!("{name} {}", count(*n))).collect();
    match parts.is_empty() {
        true => count(total),
        false => format!("{} ({})", count(total), parts.join(", ")),
    }
}

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Decimal units, as object stores bill: `35.2 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> RunReport {
        RunReport {
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
            seconds: 0.25,
        }
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
    fn a_run_without_items_divides_by_nothing() {
        let json = RunReport::default().to_json();
        assert_eq!((json["fan_out"].as_f64(), json["items_per_second"].as_f64()), (Some(0.0), Some(0.0)));
        assert!(RunReport::default().to_string().contains("none: nothing to commit"));
    }

    #[test]
    fn the_json_has_the_counts_and_the_derived_figures() {
        let json = report().to_json();
        assert_eq!(json["rejected"]["missing"], 7);
        assert_eq!(json["fan_out"], 1.44);
        assert_eq!(json["years"], serde_json::json!([1984, 2023]));
    }

    #[test]
    fn large_numbers_are_readable() {
        assert_eq!([count(0), count(999), count(1_000), count(63_000_000)], ["0", "999", "1,000", "63,000,000"]);
        assert_eq!(
            [bytes(999), bytes(1_000), bytes(999_950), bytes(2_000_000_000_000_000)],
            ["999 B", "1.0 kB", "1.0 MB", "2000.0 TB"]
        );
    }
}
