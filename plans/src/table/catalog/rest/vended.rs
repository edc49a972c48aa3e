//! [`Vended`]: the keys of an S3 bucket that a REST catalog hands out with a table, for whoever has none of their own.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use serde_json::Value;

use super::RestCatalog;
use crate::stores::{HandedKeys, stores};
use crate::table::location::to_url;

/// How long before their end new keys are asked for.
const SPARE: TimeDelta = TimeDelta::seconds(120);

/// The keys that were handed out last.
#[derive(Default)]
pub(super) struct Vended {
    keys: Mutex<Option<Keys>>,
}

#[derive(Clone)]
struct Keys {
    credential: Arc<AwsCredential>,
    ends: Option<DateTime<Utc>>,
}

impl Vended {
    fn last(&self) -> Option<Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Vended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vended").finish_non_exhaustive()
    }
}

/// Takes the keys from an answer with a table, if it has some for the table's location, and has the bucket opened with them.
pub(super) fn take(catalog: &RestCatalog, answer: &Value, location: &str) {
    let Some(settings) = settings_for(answer, location) else { return };
    let text = |name: &str| settings.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(key_id), Some(secret_key)) = (text("s3.access-key-id"), text("s3.secret-access-key")) else { return };
    let Ok(url) = to_url(location) else { return };
    let credential = Arc::new(AwsCredential { key_id, secret_key, token: text("s3.session-token") });
    let ends = settings.get("s3.session-token-expires-at-ms");
    let ends = ends.and_then(|ends| ends.as_i64().or_else(|| ends.as_str()?.parse().ok()));
    let keys = Keys { credential, ends: ends.and_then(DateTime::from_timestamp_millis) };
    let before = catalog.inner.vended.keys.lock().unwrap_or_else(PoisonError::into_inner).replace(keys);
    if before.is_none() {
        let handed = HandedKeys {
            keys: Arc::new(Renewed { catalog: catalog.clone() }),
            region: text("s3.region").or_else(|| text("client.region")),
            endpoint: text("s3.endpoint"),
        };
        stores().hand_keys(&url, handed);
    }
}

/// Of the credentials in an answer, those of the longest prefix that the location has; else the table's own settings.
fn settings_for<'a>(answer: &'a Value, location: &str) -> Option<&'a Value> {
    let listed = answer["storage-credentials"].as_array().into_iter().flatten();
    let of_location = listed.filter_map(|one| {
        let prefix = one["prefix"].as_str()?;
        location.starts_with(prefix).then(|| (prefix.len(), &one["config"]))
    });
    of_location.max_by_key(|(length, _)| *length).map(|(_, config)| config).or_else(|| answer.get("config"))
}

/// Keys that are asked for again before they end.
#[derive(Debug)]
struct Renewed {
    catalog: RestCatalog,
}

#[async_trait]
impl CredentialProvider for Renewed {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
        let lasts = |keys: &Keys| keys.ends.is_none_or(|ends| Utc::now() + SPARE < ends);
        if let Some(keys) = self.catalog.inner.vended.last().filter(lasts) {
            return Ok(keys.credential);
        }
        self.catalog.load_again().await.map_err(|e| failed(e.into()))?;
        let keys = self.catalog.inner.vended.last();
        keys.map(|keys| keys.credential).ok_or_else(|| failed("the REST catalog gives no keys".into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_keys_of_the_nearest_prefix_are_taken() {
        let answer = json!({
            "config": { "s3.access-key-id": "table" },
            "storage-credentials": [
                { "prefix": "s3://b/", "config": { "s3.access-key-id": "bucket" } },
                { "prefix": "s3://b/wh", "config": { "s3.access-key-id": "warehouse" } },
                { "prefix": "s3://c/", "config": { "s3.access-key-id": "other" } },
            ],
        });
        for (location, expected) in [("s3://b/wh/t", "warehouse"), ("s3://b/x", "bucket"), ("s3://d/x", "table")] {
            assert_eq!(settings_for(&answer, location).unwrap()["s3.access-key-id"], expected);
        }
        assert_eq!(settings_for(&json!({}), "s3://b/x"), None);
    }

    #[test]
    fn keys_are_not_shown() {
        let vended = Vended::default();
        let credential = AwsCredential { key_id: "k".into(), secret_key: "hunter2".into(), token: None };
        *vended.keys.lock().unwrap() = Some(Keys { credential: Arc::new(credential), ends: None });
        assert!(!format!("{vended:?}").contains("hunter2"));
    }
}
