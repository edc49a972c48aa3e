//! This process, and whether another one of the same machine still runs.

use std::fs;

/// What tells a process from every other one, now and later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Name of the host, for people.
    pub host: String,
    /// The boot of the host and its process namespace, within which `pid` means something. Two containers may share a
    /// name; only where this is equal can processes be looked up. `None` where the system does not tell.
    pub machine: Option<String>,
    pub pid: u32,
    /// Clock ticks from boot to the start of the process, so that a reused pid is not taken for it. `None` where the
    /// system does not tell.
    pub start: Option<u64>,
}

impl Process {
    /// The process that asks.
    pub fn this() -> Self {
        let pid = std::process::id();
        let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let namespace = fs::read_link("/proc/self/ns/pid").ok();
        let machine = read("/proc/sys/kernel/random/boot_id").zip(namespace);
        let host = read("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
        Self {
            host: host.unwrap_or_else(|| "unknown host".to_owned()),
            machine: machine.map(|(boot, namespace)| format!("{boot} {}", namespace.display())),
            pid,
            start: stat(pid).map(|stat| stat.start),
        }
    }

    /// Whether the process runs; `None` where this one cannot know, because it is of another machine.
    pub fn is_running(&self) -> Option<bool> {
        let start = self.start?;
        if self.machine.is_none() || self.machine != Self::this().machine {
            return None;
        }
        Some(stat(self.pid).is_some_and(|stat| stat.start == start && !stat.ended))
    }
}

/// What `/proc/<pid>/stat` says of a process (proc_pid_stat(5)).
struct Stat {
    start: u64,
    /// Has ended, and its parent has not asked how.
    ended: bool,
}

fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the third field is the first after it.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    // The first thread may have ended before the others: then the process runs on.
    let threads: u32 = field(20)?.parse().ok()?;
    Some(Stat { start: field(22)?.parse().ok()?, ended: matches!(field(3)?, "Z" | "X") && threads <= 1 })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_process_runs_and_one_of_another_machine_is_unknown() {
        let this = Process::this();
        assert_eq!(this.is_running(), Some(true));
        assert_eq!(Process { machine: Some("elsewhere".into()), ..this.clone() }.is_running(), None);
        assert_eq!(Process { machine: None, ..this }.is_running(), None);
    }

    #[test]
    fn a_process_that_ended_does_not_run_even_before_its_parent_asks() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let start = stat(child.id()).unwrap().start;
        let process = Process { pid: child.id(), start: Some(start), ..Process::this() };
        assert_eq!(process.is_running(), Some(true));
        child.kill().unwrap();
        // Ends once the signal has arrived: a zombie, for nobody has waited for it.
        while process.is_running() == Some(true) {
            std::thread::yield_now();
        }
        assert!(stat(child.id()).is_some());
        child.wait().unwrap();
        assert_eq!(process.is_running(), Some(false));
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let this = Process::this();
        assert_eq!(Process { start: this.start.map(|start| start + 1), ..this }.is_running(), Some(false));
    }
}
