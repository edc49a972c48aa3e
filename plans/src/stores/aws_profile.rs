//! [`AwsProfile`]: a profile in `~/.aws`, as the command line of AWS keeps it.
//!
//! Keys that are written there are used as they are. Whatever makes keys (`credential_process`, a role, single sign-on) is
//! asked for them: the program that the profile names, or the command line of AWS, which knows all the ways. AWS's own
//! crate for it would bring its kit of 40 crates and a second HTTP client.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use serde::Deserialize;

/// The name of the profile of whoever has named none.
const DEFAULT: &str = "default";

/// How long before their end keys are made anew.
const SPARE: TimeDelta = TimeDelta::seconds(120);

/// What a profile says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AwsProfile {
    name: String,
    values: BTreeMap<String, String>,
}

impl AwsProfile {
    /// The profile that `AWS_PROFILE` names, or the default one. `None` where there is none.
    ///
    /// Errors: one that is named, and not there.
    pub fn find() -> Result<Option<Self>, String> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let wanted = variable("AWS_PROFILE");
        let file = |name: &str, usual: &str| {
            let in_home = || Some(PathBuf::from(variable("HOME").or_else(|| variable("USERPROFILE"))?).join(usual));
            variable(name).map(PathBuf::from).or_else(in_home)
        };
        let files = [file("AWS_CONFIG_FILE", ".aws/config"), file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
        let texts = files.map(|file| file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default());
        let name = wanted.as_deref().unwrap_or(DEFAULT);
        match (Self::read(name, &texts[0], &texts[1]), wanted) {
            (None, Some(name)) => Err(format!("AWS_PROFILE is {name:?}, and ~/.aws has no such profile")),
            (profile, _) => Ok(profile),
        }
    }

    /// The profile of that name in the texts of both files, of which that with credentials wins.
    fn read(name: &str, config: &str, credentials: &str) -> Option<Self> {
        let mut values = None::<BTreeMap<_, _>>;
        for (text, is_config) in [(config, true), (credentials, false)] {
            let mut is_in = false;
            for line in text.lines() {
                if let Some(section) = line.trim().strip_prefix('[').and_then(|line| line.split(']').next()) {
                    let words: Vec<&str> = section.split_whitespace().collect();
                    is_in = words == [name] || is_config && words == ["profile", name];
                    if is_in {
                        values.get_or_insert_default();
                    }
                    continue;
                }
                // Lines that begin with a space are settings of one tool.
                if let Some((key, value)) =
                    line.split_once('=').filter(|_| is_in && !line.starts_with([' ', '\t', '#', ';']))
                {
                    values.get_or_insert_default().insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
                }
            }
        }
        values.map(|values| Self { name: name.to_owned(), values })
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn region(&self) -> Option<&str> {
        self.value("region")
    }

    pub fn endpoint(&self) -> Option<&str> {
        self.value("endpoint_url")
    }

    /// What gives the keys; `None` of a profile that says nothing of them.
    pub fn credentials(&self) -> Option<Arc<dyn CredentialProvider<Credential = AwsCredential>>> {
        if let Some((key_id, secret_key)) = self.value("aws_access_key_id").zip(self.value("aws_secret_access_key")) {
            let (key_id, secret_key) = (key_id.to_owned(), secret_key.to_owned());
            let token = self.value("aws_session_token").map(str::to_owned);
            return Some(Arc::new(object_store::StaticCredentialProvider::new(AwsCredential {
                key_id,
                secret_key,
                token,
            })));
        }
        let program = match self.value("credential_process") {
            Some(command) => Program::Named(command.to_owned()),
            None if ["role_arn", "sso_session", "sso_start_url", "login_session"]
                .iter()
                .any(|k| self.value(k).is_some()) =>
            {
                Program::OfAws(self.name.clone())
            }
            None => return None,
        };
        Some(Arc::new(Made { program, keys: Mutex::default() }))
    }
}

/// A program that writes keys, in the form of AWS's `credential_process`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Program {
    /// For a shell.
    Named(String),
    /// AWS's command line, for this profile.
    OfAws(String),
}

impl Program {
    /// Runs it. Its output is a secret, and no message has it.
    fn run(&self) -> Result<Keys, String> {
        let (command, output) = match self {
            Self::Named(command) => {
                let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
                (command.clone(), Command::new(shell).args([flag, command]).output())
            }
            Self::OfAws(profile) => {
                let words = ["configure", "export-credentials", "--format", "process", "--profile", profile];
                (format!("aws {}", words.join(" ")), Command::new("aws").args(words).output())
            }
        };
        let output = output.map_err(|e| format!("cannot run `{command}`: {e}; is the program installed?"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{command}` failed ({}): {}", output.status, said.trim()));
        }
        serde_json::from_slice(&output.stdout).map_err(|_| format!("`{command}` does not print keys as JSON"))
    }
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    /// For ever, without it.
    expiration: Option<DateTime<Utc>>,
}

/// Keys, and when they end, if they do.
type Lasting = (Arc<AwsCredential>, Option<DateTime<Utc>>);

/// Keys that a program makes, and makes anew before they end.
struct Made {
    program: Program,
    keys: Mutex<Option<Lasting>>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("program", &self.program).finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for Made {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let known = || self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((keys, end)) = known()
            && end.is_none_or(|end| Utc::now() + SPARE < end)
        {
            return Ok(keys);
        }
        let program = self.program.clone();
        let failed = |source| object_store::Error::Generic { store: "S3", source };
        let made = tokio::task::spawn_blocking(move || program.run()).await.map_err(|e| failed(e.into()))?;
        let Keys { access_key_id, secret_access_key, session_token, expiration } =
            made.map_err(|e| failed(e.into()))?;
        let keys = AwsCredential { key_id: access_key_id, secret_key: secret_access_key, token: session_token };
        let keys = Arc::new(keys);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&keys), expiration));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
[default]
region = eu-central-1
[profile lab]
region=us-west-2
# a comment = of nobody
endpoint_url = https://s3.lab.example
s3 =
  endpoint_url = https://other.example
[profile sso]
sso_session = lab
[profile made]
credential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\", \"Expiration\": \"2020-01-01T00:00:00Z\"}'
";
    const CREDENTIALS: &str = "
[lab]
aws_access_key_id = KEY
aws_secret_access_key = a=b/c
";

    fn profile(name: &str) -> AwsProfile {
        AwsProfile::read(name, CONFIG, CREDENTIALS).unwrap()
    }

    #[tokio::test]
    async fn a_profile_is_what_both_files_say() {
        let lab = profile("lab");
        assert_eq!((lab.region(), lab.endpoint()), (Some("us-west-2"), Some("https://s3.lab.example")));
        let keys = lab.credentials().unwrap().get_credential().await.unwrap();
        assert_eq!((keys.key_id.as_str(), keys.secret_key.as_str(), &keys.token), ("KEY", "a=b/c", &None));
        assert!(profile("default").credentials().is_none());
        assert_eq!(AwsProfile::read("other", CONFIG, CREDENTIALS), None);
        assert!(format!("{:?}", profile("sso").credentials()).contains("OfAws(\"sso\")"));
    }

    #[tokio::test]
    async fn a_program_is_asked_for_keys_and_what_is_wrong_with_it_is_said() {
        let keys = profile("made").credentials().unwrap().get_credential().await.unwrap();
        assert_eq!((keys.key_id.as_str(), keys.secret_key.as_str()), ("a", "b"));
        for (command, words) in [("echo secret", "does not print keys"), ("echo why >&2; exit 3", "why")] {
            let error = Program::Named(command.to_owned()).run().err().unwrap();
            assert!(error.contains(words) && !error.contains("prints secret"), "{error}");
        }
    }
}
