//! [`with_home`]: `~` in paths.

/// A path with the user's home folder in place of `~`, as a shell would have it: of `--flag=~/…`, of variables, of the
/// configuration file and at the prompt, no shell sees it.
pub(crate) fn with_home(path: &str) -> String {
    let home = || std::env::var("HOME").ok().filter(|home| !home.is_empty());
    match path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')).zip(home()) {
        Some((rest, home)) => home + rest,
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = std::env::var("HOME").unwrap();
        assert_eq!(with_home("~/a.csv"), format!("{home}/a.csv"));
        assert_eq!([with_home("~other/a.csv"), with_home("a~/b")], ["~other/a.csv", "a~/b"]);
    }
}
