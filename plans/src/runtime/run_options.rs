//! Session options of earthcatalog: `SET earthcatalog.max_rejects = '1%'`.

use std::any::Any;
use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{DataFusionError, Result, config_datafusion_err, config_err};
use datafusion::prelude::SessionConfig;

use crate::model::run_id::RunId;

/// What a session says of the next runs and questions.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    /// Id of the run; a new one for each INSERT where it is `None`. A run is committed once.
    pub run: Option<RunId>,
    /// What an INSERT that adds rows is called in table `runs`; by what it does where it is `None`.
    pub kind: Option<String>,
    /// How many rejects a run may have; any number where it is `None`.
    pub max_rejects: Option<MaxRejects>,
    /// Buckets that one snapshot of an INSERT OVERWRITE replaces; all of them where it is `None`.
    pub commit_every: Option<NonZero<usize>>,
    /// Partitions of a sink that run at once; as many as the session has target partitions where it is `None`.
    pub workers: Option<NonZero<usize>>,
    /// Whether predicates on `geometry` choose files and rows by `xmin … ymax`, and those on view `items` Items; no answer
    /// depends on it.
    pub spatial_pruning: bool,
    /// Whether nothing is written: a table that is absent is planned and not created, a `CALL` counts, and an INSERT can
    /// be explained and not run.
    pub dry_run: bool,
}

impl RunOptions {
    /// Tasks that a session wants to have under way.
    pub(crate) fn workers_of(config: &SessionConfig) -> usize {
        let workers = config.options().extensions.get::<Self>().and_then(|options| options.workers);
        workers.map_or(config.target_partitions(), NonZero::get)
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            run: None,
            kind: None,
            max_rejects: None,
            commit_every: None,
            workers: None,
            spatial_pruning: true,
            dry_run: false,
        }
    }
}

impl RunOptions {
    /// Those of a session; the defaults, where it is none of ours.
    pub fn of(config: &ConfigOptions) -> Self {
        config.extensions.get::<Self>().cloned().unwrap_or_default()
    }
}

/// A limit for rejects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxRejects {
    Count(u64),
    /// Of the objects listed.
    Percent(f64),
}

impl MaxRejects {
    /// Whether a run with these counts, complete or not, can no longer keep the limit.
    pub fn is_exceeded(&self, rejected: u64, listed: u64, complete: bool) -> bool {
        match *self {
            Self::Count(most) => rejected > most,
            // Objects still to come may lower the share.
            Self::Percent(most) => complete && rejected as f64 * 100.0 > most * listed as f64,
        }
    }
}

impl FromStr for MaxRejects {
    type Err = DataFusionError;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            config_datafusion_err!(
                "earthcatalog.max_rejects is {text:?}, neither a number such as 100 nor a percentage such as 0.5%"
            )
        };
        let Some(percent) = text.trim().strip_suffix('%') else {
            return text.trim().parse().map(Self::Count).map_err(|_| invalid());
        };
        let percent: f64 = percent.trim().parse().map_err(|_| invalid())?;
        if (0.0..=100.0).contains(&percent) { Ok(Self::Percent(percent)) } else { Err(invalid()) }
    }
}

impl fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl ConfigExtension for RunOptions {
    const PREFIX: &'static str = "earthcatalog";
}

impl ExtensionOptions for RunOptions {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let given = Some(value).filter(|value| !value.is_empty());
        match key {
            "run" => {
                let run = given.map(str::parse).transpose();
                self.run = run.map_err(|e| config_datafusion_err!("earthcatalog.run: {e}"))?;
            }
            "kind" => {
                let is_word =
                    |kind: &&str| kind.len() <= 40 && kind.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                self.kind = given
                    .map(|kind| match Some(kind).filter(is_word) {
                        Some(kind) => Ok(kind.to_owned()),
                        None => {
                            config_err!("earthcatalog.kind is {value:?}, no word of at most 40 small letters and _")
                        }
                    })
                    .transpose()?;
            }
            "max_rejects" => self.max_rejects = given.map(str::parse).transpose()?,
            "commit_every" | "workers" => {
                let n = given.map(str::parse).transpose();
                let n = n.map_err(|_| config_datafusion_err!("earthcatalog.{key} is {value:?}, no number from 1"))?;
                if key == "workers" { self.workers = n } else { self.commit_every = n }
            }
            "spatial_pruning" | "dry_run" => {
                let default = if key == "dry_run" { "false" } else { "true" };
                let on = given.unwrap_or(default).to_ascii_lowercase().parse();
                let on =
                    on.map_err(|_| config_datafusion_err!("earthcatalog.{key} is {value:?}, neither true nor false"))?;
                if key == "dry_run" { self.dry_run = on } else { self.spatial_pruning = on }
            }
            _ => {
                return config_err!(
                    "there is no option earthcatalog.{key}; there are run, kind, max_rejects, commit_every, workers, spatial_pruning and dry_run"
                );
            }
        }
        Ok(())
    }

    /// With the prefix in each key: Ballista sends them as they are.
    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |key: &str, value: Option<String>, description| ConfigEntry {
            key: format!("{}.{key}", Self::PREFIX),
            value,
            description,
        };
        vec![
            entry(
                "run",
                self.run.clone().map(String::from),
                "Id of the run; a new one for each INSERT where it is empty",
            ),
            entry(
                "kind",
                self.kind.clone(),
                "What an INSERT that adds rows is called in table runs; by what it does where it is empty",
            ),
            entry("max_rejects", self.max_rejects.map(|m| m.to_string()), "Rejects that a run may have: 100, or 0.5%"),
            entry(
                "workers",
                self.workers.map(|n| n.to_string()),
                "Partitions of a sink that run at once; as many as target_partitions where it is empty",
            ),
            entry(
                "commit_every",
                self.commit_every.map(|n| n.to_string()),
                "Buckets that one snapshot of an INSERT OVERWRITE replaces; all of them where it is empty",
            ),
            entry(
                "spatial_pruning",
                Some(self.spatial_pruning.to_string()),
                "Whether predicates on geometry choose files and rows; no answer depends on it",
            ),
            entry(
                "dry_run",
                Some(self.dry_run.to_string()),
                "Whether nothing is written: no table is created, CALL counts, INSERT can be explained and not run",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn set(context: &SessionContext, sql: &str) -> Result<()> {
        context.sql(sql).await?.collect().await.map(drop)
    }

    #[tokio::test]
    async fn options_are_set_in_sql_and_a_wrong_value_is_explained() {
        let context = crate::session::session(1).unwrap();
        set(&context, "SET earthcatalog.max_rejects = '0.5%'").await.unwrap();
        set(&context, "SET earthcatalog.run = 'r1'").await.unwrap();
        set(&context, "SET earthcatalog.kind = 'nightly'").await.unwrap();
        let options = context.copied_config().options().extensions.get::<RunOptions>().cloned().unwrap();
        let expected = RunOptions {
            run: Some("r1".parse().unwrap()),
            kind: Some("nightly".into()),
            max_rejects: Some(MaxRejects::Percent(0.5)),
            commit_every: None,
            workers: NonZero::new(1),
            spatial_pruning: true,
            dry_run: false,
        };
        assert_eq!(options, expected);
        for (set_to, n) in [("'3'", NonZero::new(3)), ("''", None)] {
            for option in ["workers", "commit_every"] {
                set(&context, &format!("SET earthcatalog.{option} = {set_to}")).await.unwrap();
            }
            let options = context.copied_config().options().extensions.get::<RunOptions>().cloned().unwrap();
            assert_eq!((options.workers, options.commit_every), (n, n));
        }
        let error = set(&context, "SET earthcatalog.workers = '0'").await.unwrap_err().to_string();
        assert!(error.contains("earthcatalog.workers is \"0\", no number from 1"), "{error}");
        let error = set(&context, "SET earthcatalog.kind = 'My kind'").await.unwrap_err().to_string();
        assert!(error.contains("earthcatalog.kind is \"My kind\", no word"), "{error}");
        let error = set(&context, "SET earthcatalog.max_rejects = 'few'").await.unwrap_err().to_string();
        assert!(error.contains("\"few\", neither a number such as 100"), "{error}");
    }

    #[test]
    fn a_percentage_is_judged_at_the_end_and_a_number_at_once() {
        assert!(MaxRejects::Count(2).is_exceeded(3, 1_000, false));
        assert!(!MaxRejects::Count(2).is_exceeded(2, 2, true));
        assert!(!MaxRejects::Percent(10.0).is_exceeded(1, 1, false));
        assert!(MaxRejects::Percent(10.0).is_exceeded(11, 100, true));
        assert!(!MaxRejects::Percent(10.0).is_exceeded(10, 100, true));
        assert!(MaxRejects::Count(0).is_exceeded(1, 100, false));
    }

    #[tokio::test]
    async fn a_run_is_not_called_what_would_be_another_folder() {
        let context = crate::session::session(1).unwrap();
        let long = "x".repeat(201);
        for wrong in [".", "..", "a/b", "a\\b", "a#b", "a?b", "a%20b", "a\tb", &long] {
            let error = set(&context, &format!("SET earthcatalog.run = '{wrong}'")).await.unwrap_err().to_string();
            assert!(error.contains("earthcatalog.run"), "{error}");
        }
        for right in ["r1", "2025-09-01 é", "...", ".a", "0199c0ff-ee01-99c0-ffee-0199c0ffee01"] {
            set(&context, &format!("SET earthcatalog.run = '{right}'")).await.unwrap();
        }
    }
}
