//! The book: README.md and the pages below `docs/`. Their commands and questions work as printed, and their links lead
//! somewhere.
//!
//! A page runs from top to bottom in a fresh folder. The info string of a fenced block says what becomes of it:
//!
//! | info string | what becomes of the block |
//! |---|---|
//! | `sh` | bash runs it, with the binary in its PATH; the folder and exported variables stay as it leaves them |
//! | `sql` | `earthcatalog sql -` answers it; the page's variables, or its `earthcatalog.toml`, name the warehouse |
//! | `text` | right behind a block that ran, it is compared with what that block wrote to standard output |
//! | `LANGUAGE file: NAME` | it becomes that file in the folder |
//! | `sh`, `sql` or `python`, then `skip: REASON` | it is not run |
//! | `python`, in the guide of that name | the tests of the package run it (`python/tests/test_guide.py`) |
//!
//! In a `text` block, `…` on a line of its own stands for any lines, and within a line for any text.
//! Pages below `tests/transcripts/` run in the same way: what users met that was wrong (`use.md`), and what terminals of
//! several sizes are sent (`terminal.md`). There, `fails` and `on_terminal` are in the PATH, and `REPOSITORY` is its folder.
//!
//! `BOOK=recipes cargo test book` runs the pages that have `recipes` in their path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::program;

/// Pages that are not the book's, and the programs that they use.
const TRANSCRIPTS: &str = "tests/transcripts";

/// Share of the commands and questions that must run.
const LEAST_SHARE: f64 = 0.6;

/// Lines of README.md, at most.
const FRONT_PAGE_LINES: usize = 200;

/// How long a block may take: longer than any should, so that one that waits for ever is a failure.
const LONGEST: Duration = Duration::from_secs(300);

/// Languages of blocks that are run.
const RUN: [&str; 2] = ["sh", "sql"];

/// Languages of code that is not run here, and says why.
const NOT_RUN: [&str; 2] = ["python", "rust"];

/// The page whose `python` blocks are run after all: by the tests of the package.
const CELLS: &str = "docs/guide/python.md";

/// Languages of blocks that only show something.
const SHOWN: [&str; 5] = ["text", "toml", "yaml", "json", "mermaid"];

/// A Markdown file of the repository.
struct Page {
    /// Below the repository.
    name: PathBuf,
    lines: Vec<String>,
}

/// A fenced block.
#[derive(Debug, PartialEq)]
struct Block {
    /// Line of its opening fence, from 1.
    line: usize,
    language: String,
    role: Role,
    body: Vec<String>,
    /// Whether nothing but blank lines is between it and the block before.
    follows: bool,
}

#[derive(Debug, PartialEq)]
enum Role {
    /// What its language is for.
    Plain,
    /// It becomes a file of this name.
    File(String),
    /// It is not run, for this reason.
    Skip(String),
    /// Its info string is none of these.
    Unknown(String),
}

/// What became of a page's commands and questions.
#[derive(Default)]
struct Tally {
    ran: usize,
    compared: usize,
    /// Places and reasons.
    skipped: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    fn read(name: PathBuf) -> Self {
        let text = fs::read_to_string(root().join(&name)).unwrap_or_else(|e| panic!("{}: {e}", name.display()));
        Self { name, lines: text.lines().map(str::to_owned).collect() }
    }

    /// Those that do not run, beside the ones that do.
    fn all_and_others() -> Vec<Self> {
        let others = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
        Self::all().into_iter().chain(others.map(|name| Self::read(name.into()))).collect()
    }

    /// README.md and all below `docs/`.
    fn all() -> Vec<Self> {
        let (mut names, mut folders) = (vec![PathBuf::from("README.md")], vec![PathBuf::from("docs")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root().join(&folder)).unwrap() {
                let entry = entry.unwrap();
                let name = folder.join(entry.file_name());
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(name),
                    false if name.extension().is_some_and(|ending| ending == "md") => names.push(name),
                    false => {}
                }
            }
        }
        names.sort();
        names.into_iter().map(Self::read).collect()
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.name.display())
    }

    /// The fenced blocks, in order.
    fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut follows): (Vec<Block>, bool) = (vec![], false);
        // The block that is open, with its fence and the indentation of that.
        let mut open: Option<(Block, String, usize)> = None;
        for (line, text) in (1..).zip(&self.lines) {
            let trimmed = text.trim();
            match &mut open {
                Some((block, fence, indent)) => {
                    if trimmed == *fence {
                        blocks.extend(open.take().map(|(block, ..)| block));
                        follows = true;
                    } else {
                        let spaces = text.len() - text.trim_start().len();
                        block.body.push(text[spaces.min(*indent)..].to_owned());
                    }
                }
                None if trimmed.starts_with("```") => {
                    let info = trimmed.trim_start_matches('`');
                    let fence = trimmed[..trimmed.len() - info.len()].to_owned();
                    let block = Block { line, follows, body: vec![], ..Block::of_info(info) };
                    open = Some((block, fence, text.len() - text.trim_start().len()));
                }
                None => follows &= trimmed.is_empty(),
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name.display());
        blocks
    }

    /// Its lines that are prose.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        (1..).zip(&self.lines).filter_map(move |(line, text)| {
            let is_fence = text.trim_start().starts_with("```");
            fenced ^= is_fence;
            (!fenced && !is_fence).then_some((line, text.as_str()))
        })
    }

    /// What its prose has in backticks, by line.
    fn code(&self) -> Vec<(usize, String)> {
        let spans = |(line, text): (usize, &str)| {
            // Code is every second part.
            text.split('`').skip(1).step_by(2).map(|span| (line, span.to_owned())).collect::<Vec<_>>()
        };
        self.prose().flat_map(spans).collect()
    }

    /// Relative links: line, file and heading, as they are written.
    fn links(&self) -> Vec<(usize, String, String)> {
        let mut links = vec![];
        for (line, text) in self.prose() {
            let text: String = text.split('`').step_by(2).collect();
            for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if !target.contains("://") && !target.starts_with("mailto:") {
                    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                    links.push((line, file.to_owned(), heading.to_owned()));
                }
            }
        }
        links
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let (mut anchors, mut seen) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
        for (_, text) in self.prose() {
            let title = text.trim_start_matches('#');
            if title.len() == text.len() || !title.starts_with(' ') {
                continue;
            }
            let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let times = seen.entry(anchor.clone()).or_default();
            anchors.insert(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
            *times += 1;
        }
        anchors
    }

    /// Where a link of this page leads, below the repository.
    fn target(&self, file: &str) -> PathBuf {
        if file.is_empty() {
            return self.name.clone();
        }
        let mut target = PathBuf::new();
        for part in self.name.parent().unwrap_or(Path::new("")).join(file).components() {
            match part {
                Component::ParentDir => _ = target.pop(),
                Component::CurDir => {}
                part => target.push(part),
            }
        }
        target
    }

    /// Runs its blocks in a fresh folder; an error says what is not as it is printed.
    fn run(&self) -> Result<Tally, String> {
        let temporary = tempfile::tempdir().unwrap();
        let shell = Shell::new(temporary.path());
        let (mut tally, mut printed, mut different) = (Tally::default(), None, vec![]);
        for block in self.blocks() {
            let (at, text) = (self.at(block.line), block.body.join("\n") + "\n");
            let before = printed.take().filter(|_| block.follows);
            match (&block.role, block.language.as_str()) {
                (Role::File(name), _) => fs::write(shell.folder().join(name), text).unwrap(),
                (Role::Skip(reason), language) if RUN.contains(&language) => {
                    tally.skipped.push(format!("{at}: {reason}"));
                }
                (Role::Plain, language) if RUN.contains(&language) => {
                    let failed = |e| [&different[..], &[format!("{at}: {e}")]].concat().join("\n\n");
                    printed = Some(shell.run(language, &text).map_err(failed)?);
                    tally.ran += 1;
                }
                (Role::Plain, "text") => {
                    let Some(printed) = before else { continue };
                    if !is_like(&text, &printed) {
                        // The page goes on: all that differs is said at once.
                        different.push(format!("{at}: expected\n{text}\n… and what was printed is\n{printed}"));
                    }
                    tally.compared += 1;
                }
                _ => {}
            }
        }
        if different.is_empty() { Ok(tally) } else { Err(different.join("\n\n")) }
    }
}

impl Block {
    fn of_info(info: &str) -> Self {
        let (language, rest) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
        let role = match (rest.split_once(':').map(|(word, rest)| (word.trim(), rest.trim())), rest.trim()) {
            (_, "") => Role::Plain,
            (Some(("file", name)), _) => Role::File(name.to_owned()),
            (Some(("skip", reason)), _) => Role::Skip(reason.to_owned()),
            (_, other) => Role::Unknown(other.to_owned()),
        };
        Self { line: 0, language: language.to_owned(), role, body: vec![], follows: false }
    }
}

/// A terminal in which somebody follows a page.
struct Shell<'a> {
    temporary: &'a Path,
}

impl<'a> Shell<'a> {
    fn new(temporary: &'a Path) -> Self {
        for folder in ["page", "temporary"] {
            fs::create_dir(temporary.join(folder)).unwrap();
        }
        Self { temporary }
    }

    fn folder(&self) -> PathBuf {
        self.file("page")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.temporary.join(name)
    }

    /// What the commands or statements of a block write to standard output.
    fn run(&self, language: &str, text: &str) -> Result<String, String> {
        fs::write(self.file("block"), text).unwrap();
        let body = if language == "sql" { "earthcatalog sql - < \"$BOOK/block\"\n" } else { text };
        // What a block has started, and not ended, ends with it.
        let script = format!(
            "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n\
             [ ! -f \"$BOOK/state\" ] || . \"$BOOK/state\"\n\
             {body}\n\
             {{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > \"$BOOK/state\"\n"
        );
        let mut bash = self.bash().arg(script).spawn().map_err(|e| format!("bash: {e}"))?;
        let ended = ended(&mut bash);
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| fs::read(self.file(name)).unwrap());
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        ended.map_err(|why| format!("{why}\n{text}{stdout}{stderr}")).map(|()| stdout)
    }

    /// A bash that takes a script, with the binary in its PATH, and without the variables of whoever runs the tests.
    fn bash(&self) -> Command {
        let mut bash = Command::new("bash");
        for (name, value) in program::command().get_envs() {
            match value {
                Some(value) => bash.env(name, value),
                None => bash.env_remove(name),
            };
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_earthcatalog")).parent().unwrap();
        let path = env::var_os("PATH").unwrap_or_default();
        let own = [binary.to_owned(), root().join(TRANSCRIPTS)];
        let path = env::join_paths(own.into_iter().chain(env::split_paths(&path))).unwrap();
        // Files: a process in the background may keep them open.
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| File::create(self.file(name)).unwrap());
        bash.env("PATH", path).env("BOOK", self.temporary).env("REPOSITORY", root());
        bash.env("TMPDIR", self.file("temporary")).env("HOME", self.file("temporary"));
        bash.current_dir(self.folder()).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        bash.args(["-euo", "pipefail", "-c"]);
        bash
    }
}

/// Waits for the end of a process; an error says how it ended, if it did not end well.
fn ended(process: &mut Child) -> Result<(), String> {
    let started = Instant::now();
    loop {
        match process.try_wait().unwrap() {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(status.to_string()),
            None if started.elapsed() > LONGEST => {
                process.kill().unwrap();
                process.wait().unwrap();
                return Err(format!("it had not ended after {LONGEST:?}"));
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Whether `text` is what `pattern` shows, where `…` stands for any lines, or within a line for any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let lines = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    lines_are_like(&lines(pattern), &lines(text))
}

fn lines_are_like(pattern: &[String], text: &[String]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=text.len()).any(|skip| lines_are_like(rest, &text[skip..]))
        }
        Some((first, rest)) => {
            text.split_first().is_some_and(|(line, text)| line_is_like(first, line) && lines_are_like(rest, text))
        }
    }
}

fn line_is_like(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(mut line) = line.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('…').unwrap_or(("", rest));
    for part in middle.split('…') {
        match line.find(part) {
            Some(at) => line = &line[at + part.len()..],
            None => return false,
        }
    }
    line.ends_with(end)
}

#[test]
fn the_pages_do_what_they_print() {
    let wanted = env::var("BOOK").ok();
    let mut pages = Page::all();
    pages.extend(["use.md", "terminal.md"].map(|name| Page::read(Path::new(TRANSCRIPTS).join(name))));
    pages.retain(|page| wanted.as_ref().is_none_or(|part| page.name.to_string_lossy().contains(part.as_str())));
    assert!(!pages.is_empty(), "no page has {wanted:?} in its path");
    let (pages, outcomes) = (Mutex::new(pages.iter()), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(4) {
            scope.spawn(|| {
                loop {
                    let Some(page) = pages.lock().unwrap().next() else { break };
                    let outcome = page.run();
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let (mut tally, mut wrong) = (Tally::default(), vec![]);
    for outcome in outcomes.into_inner().unwrap() {
        match outcome {
            Ok(page) => {
                tally.ran += page.ran;
                tally.compared += page.compared;
                tally.skipped.extend(page.skipped);
            }
            Err(error) => wrong.push(error),
        }
    }
    tally.skipped.sort();
    println!("book: {} blocks ran, {} answers compared, {} skipped:", tally.ran, tally.compared, tally.skipped.len());
    tally.skipped.iter().for_each(|skipped| println!("  {skipped}"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let share = tally.ran as f64 / (tally.ran + tally.skipped.len()).max(1) as f64;
    assert!(wanted.is_some() || share >= LEAST_SHARE, "only {:.0} % of the blocks ran", share * 100.0);
}

#[test]
fn every_block_is_of_a_known_kind_and_says_why_it_is_not_run() {
    for page in Page::all() {
        for Block { line, language, role, .. } in page.blocks() {
            let (at, language) = (page.at(line), language.as_str());
            let known = RUN.iter().chain(&NOT_RUN).chain(&SHOWN).any(|known| *known == language);
            assert!(known, "{at}: a block of {language:?}");
            match &role {
                Role::Plain if language == "python" && page.name == Path::new(CELLS) => {}
                Role::Plain => assert!(!NOT_RUN.contains(&language), "{at}: {language} is not run; say why: skip: …"),
                Role::File(name) => assert!(!name.is_empty(), "{at}: a file without a name"),
                Role::Skip(reason) => assert!(!reason.is_empty(), "{at}: a skip without a reason"),
                Role::Unknown(note) => panic!("{at}: {note:?} is neither `skip: REASON` nor `file: NAME`"),
            }
        }
    }
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    for page in Page::all_and_others() {
        for (line, file, heading) in page.links() {
            let (at, target) = (page.at(line), page.target(&file));
            assert!(root().join(&target).exists(), "{at}: there is no {}", target.display());
            if !heading.is_empty() {
                let there = Page::read(target.clone()).anchors().contains(&heading);
                assert!(there, "{at}: {} has no heading #{heading}", target.display());
            }
        }
    }
}

#[test]
fn places_in_the_source_are_there() {
    const FOLDERS: [&str; 9] = ["src/", "plans/", "udfs/", "sql/", "tests/", "benches/", "deploy/", ".ci/", ".github/"];
    for page in Page::all_and_others() {
        for (line, code) in page.code() {
            let is_place =
                FOLDERS.iter().any(|folder| code.starts_with(folder)) && !code.contains([' ', '<', '*', '…']);
            assert!(!is_place || root().join(&code).exists(), "{}: there is no {code}", page.at(line));
        }
    }
}

#[test]
fn every_command_flag_and_key_is_in_the_reference() {
    let help = |words: &[&str]| program::earthcatalog([words, &["--help"]].concat()).ok();
    let commands = Page::read("docs/reference/commands.md".into());
    let (anchors, text) = (commands.anchors(), commands.lines.join("\n"));
    let all = help(&[]);
    let names = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = names.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty() && *name != "help").collect();
    assert!(names.contains(&"ingest") && names.contains(&"demo"), "{all}");
    for name in names {
        assert!(anchors.contains(name), "docs/reference/commands.md has no heading `{name}`");
        let help = if name == "cluster" { help(&["cluster", "up"]) } else { help(&[name]) };
        for line in help.lines().map(str::trim).filter(|line| line.starts_with('-')) {
            let flag = line.split([' ', ',', '[', '=', '.']).find(|word| word.starts_with("--")).unwrap_or("--help");
            assert!(text.contains(&format!("`{flag}")), "docs/reference/commands.md lacks {flag} of {name}");
        }
    }
    let config = program::earthcatalog(["config"]).ok();
    let settings = Page::read("docs/reference/settings.md".into()).lines.join("\n");
    let keys: Vec<_> =
        config.lines().filter_map(|line| line.split(' ').next()).filter(|key| key.contains('.')).collect();
    assert!(keys.contains(&"catalog.db_path"), "{config}");
    for key in keys {
        assert!(settings.contains(&format!("| `{key}` |")), "docs/reference/settings.md lacks {key}");
    }
}

#[test]
fn each_fault_of_use_has_a_transcript() {
    let page = Page::read(Path::new(TRANSCRIPTS).join("use.md"));
    let heads: Vec<_> = page.prose().filter_map(|(_, text)| text.strip_prefix("## U")).collect();
    for n in 1..=20 {
        assert!(heads.iter().any(|head| head.starts_with(&format!("{n}: "))), "U{n} has no transcript");
    }
    assert!(heads.last().is_some_and(|head| head.starts_with("21 to U24")), "{heads:?}");
}

#[test]
fn every_page_can_be_reached_from_the_contents() {
    let pages = Page::all();
    let contents = PathBuf::from("docs/README.md");
    let (mut reached, mut next) = (BTreeSet::from([contents.clone()]), vec![contents]);
    while let Some(name) = next.pop() {
        for (_, file, _) in Page::read(name.clone()).links() {
            let target = Page { name: name.clone(), lines: vec![] }.target(&file);
            let is_page = target.starts_with("docs") && target.extension().is_some_and(|ending| ending == "md");
            if is_page && reached.insert(target.clone()) {
                next.push(target);
            }
        }
    }
    let lost: Vec<_> = pages.iter().map(|page| &page.name).filter(|name| name.starts_with("docs")).collect();
    let lost: Vec<_> = lost.into_iter().filter(|name| !reached.contains(*name)).collect();
    assert!(lost.is_empty(), "no link leads from docs/README.md to {lost:?}");
}

#[test]
fn the_front_page_takes_five_minutes() {
    let lines = Page::read("README.md".into()).lines.len();
    assert!(lines <= FRONT_PAGE_LINES, "README.md has {lines} lines; reference belongs below docs/");
}

#[test]
fn dots_stand_for_any_text_and_any_lines() {
    assert!(is_like("a\n…\nz … s\n", "a\nb\nc\nz 0.1 s"));
    assert!(is_like("…\nrows  …, … per Item\n…", "rows  7, 1.4 per Item\n"));
    assert!(is_like("| a… | 1 |", "| abc… | 1 |"));
    assert!(!is_like("a\nc", "a\nb\nc") && !is_like("a …", "b c") && !is_like("a…b", "a") && !is_like("ab…ba", "aba"));
}

#[test]
fn blocks_are_told_by_their_info_strings() {
    let lines = "```sh\na\n```\n\n```text\nb\n```\nProse.\n```text\nc\n```\n1. One:\n   ```sql file: my.sql\n   SELECT\n     1\n   ```\n```sh skip: why\n```";
    let page = Page { name: "p.md".into(), lines: lines.lines().map(str::to_owned).collect() };
    let blocks = page.blocks();
    let follows: Vec<_> = blocks.iter().map(|block| block.follows).collect();
    assert_eq!(follows, [false, true, false, false, true]);
    assert_eq!(
        (&blocks[3].role, &blocks[3].body[..]),
        (&Role::File("my.sql".into()), &["SELECT".into(), "  1".into()][..])
    );
    assert_eq!((&blocks[4].role, blocks[4].line), (&Role::Skip("why".into()), 17));
}
