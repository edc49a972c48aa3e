//! [`Paged`]: what is longer than the screen goes to a pager.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::size;

/// The pager of whoever has named none.
const DEFAULT: &str = "less";

/// What `less` is told where variable `LESS` tells it nothing: to end where all fits the screen, to keep colours, not to
/// wrap long lines, and to leave on the screen what it showed.
const OPTIONS_OF_LESS: &str = "FRSX";

/// A program that shows what it reads page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    /// For a shell.
    command: String,
}

impl Pager {
    /// The pager that `command` names, or else variable `PAGER`, or else `less`. `None` where that is nothing (`""`) or not
    /// there, or where nobody could use it: standard input and output are not both a terminal.
    pub fn find(command: Option<&str>) -> Option<Self> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return None;
        }
        let variable = || env::var("PAGER").ok();
        let command = command.map(str::to_owned).or_else(variable).unwrap_or_else(|| DEFAULT.to_owned());
        command.split_whitespace().next().is_some_and(is_there).then_some(Self { command })
    }

    fn start(&self) -> io::Result<Child> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut command = Command::new(shell);
        command.args([flag, &self.command]).stdin(Stdio::piped());
        // What we write is UTF-8, whatever the locale is.
        for (name, value) in [("LESS", OPTIONS_OF_LESS), ("LESSCHARSET", "utf-8")] {
            if env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        command.spawn()
    }
}

/// Whether a program can be found.
fn is_there(program: &str) -> bool {
    if Path::new(program).components().count() > 1 {
        return Path::new(program).is_file();
    }
    let ending = env::consts::EXE_SUFFIX;
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(format!("{program}{ending}")).is_file())
}

/// Writes to standard output, or to a pager what is longer than the screen, from its beginning on. When dropped, it waits
/// until the pager has been left.
///
/// Once the pager has been left, writing fails as with a pipe that is closed: whoever left it has seen enough.
pub struct Paged<'a> {
    out: &'a mut dyn Write,
    /// `None`: everything goes to `out`.
    pager: Option<&'a Pager>,
    /// Columns and lines of the screen.
    screen: (usize, usize),
    /// What has come while it fits the screen.
    waiting: Vec<u8>,
    running: Option<Child>,
}

impl<'a> Paged<'a> {
    pub fn new(out: &'a mut dyn Write, pager: Option<&'a Pager>) -> Self {
        let screen = size().unwrap_or_default();
        Self { out, pager: pager.filter(|_| screen.1 > 1), screen, waiting: vec![], running: None }
    }

    /// Whether what waits fills the screen, of which a line is for the prompt that follows.
    fn is_long(&self) -> bool {
        let (columns, lines) = self.screen;
        let text = String::from_utf8_lossy(&self.waiting);
        text.lines().map(|line| line.chars().count().div_ceil(columns.max(1)).max(1)).sum::<usize>() >= lines
    }
}

impl Write for Paged<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(input) = self.running.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            return input.write(bytes);
        }
        let Some(pager) = self.pager else { return self.out.write(bytes) };
        self.waiting.extend_from_slice(bytes);
        if self.is_long() {
            // The pager writes to the terminal itself.
            self.out.flush()?;
            match pager.start() {
                Ok(mut running) => {
                    let waiting = std::mem::take(&mut self.waiting);
                    let written = running.stdin.as_mut().map_or(Ok(()), |input| input.write_all(&waiting));
                    self.running = Some(running);
                    written?;
                }
                Err(_) => {
                    self.pager = None;
                    self.out.write_all(&std::mem::take(&mut self.waiting))?;
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.running.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            Some(input) => input.flush(),
            // It may still become long.
            None => Ok(()),
        }
    }
}

impl Drop for Paged<'_> {
    fn drop(&mut self) {
        if let Some(mut pager) = self.running.take() {
            drop(pager.stdin.take());
            // A pager that is gone leaves nothing to wait for.
            drop(pager.wait());
        }
        // Nobody is left to tell where standard output cannot be written to.
        drop(self.out.write_all(&std::mem::take(&mut self.waiting)).and_then(|()| self.out.flush()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paged(command: &str, lines: usize) -> (io::Result<()>, String) {
        let (mut out, pager) = (vec![], Pager { command: command.to_owned() });
        let mut paged = Paged::new(&mut out, None);
        (paged.screen, paged.pager) = ((10, 5), Some(&pager));
        let written = (0..lines).try_for_each(|n| writeln!(paged, "line {n}"));
        drop(paged);
        (written, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_fits_the_screen_is_written_and_what_does_not_is_paged_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("paged");
        let command = format!("cat > '{}'", file.display());
        let (written, out) = paged(&command, 4);
        assert_eq!((written.is_ok(), out.as_str(), file.exists()), (true, "line 0\nline 1\nline 2\nline 3\n", false));
        let (written, out) = paged(&command, 9);
        assert_eq!((written.is_ok(), out.as_str()), (true, ""));
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.starts_with("line 0\n") && text.ends_with("line 8\n"), "{text}");
    }

    #[test]
    fn a_pager_that_is_left_closes_the_pipe() {
        let (written, out) = paged("true", 1_000_000);
        assert_eq!((written.unwrap_err().kind(), out.as_str()), (io::ErrorKind::BrokenPipe, ""));
    }

    #[test]
    fn programs_are_looked_for_where_a_shell_finds_them() {
        assert!(is_there("sh") && is_there("/bin/sh") && !is_there("no-such-pager") && !is_there("/no/such"));
    }
}
