//! A cluster on loopback: a scheduler and executors, each a process of the binary.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::program::{Ran, Warehouse, command, run};

/// A scheduler and its executors, with one task slot each. They end with this.
pub struct Cluster {
    pub address: String,
    scheduler: Process,
    pub executors: Vec<Process>,
    /// Bytes to and from the scheduler, and from executors to whoever asks them.
    pub to_scheduler: Arc<AtomicU64>,
    pub from_executors: Arc<AtomicU64>,
}

pub struct Process {
    child: Child,
    /// Ends with the process; or it would be told that nobody listens.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a role, and waits until it says where it is.
    fn start(mut command: Command) -> (Self, String) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{command:?} ended");
        (Self { child, _output: output }, line)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Cluster {
    pub fn start(executors: usize) -> Self {
        Self::start_as(executors, |_| {})
    }

    /// `set` may change the command of each process.
    pub fn start_as(executors: usize, set: impl Fn(&mut Command)) -> Self {
        let port = free_port();
        let mut scheduler = command();
        scheduler.args(["scheduler", "--exit-with-parent", "--external-host", "127.0.0.1", "--executor-timeout", "3s"]);
        scheduler.args(["--bind-port", &port.to_string()]);
        set(&mut scheduler);
        let (scheduler, _) = Process::start(scheduler);
        let (to_scheduler, from_executors) = (Arc::default(), Arc::default());
        let address = format!("df://127.0.0.1:{}", proxy(port, &to_scheduler));
        let mut cluster = Self { address, scheduler, executors: vec![], to_scheduler, from_executors };
        for _ in 0..executors {
            cluster.add_executor(&set);
        }
        cluster
    }

    pub fn add_executor(&mut self, set: impl Fn(&mut Command)) {
        let port = free_port();
        let external = proxy(port, &self.from_executors);
        let mut executor = command();
        executor.args(["executor", "--exit-with-parent", "--external-host", "127.0.0.1", "--slots", "1"]);
        executor.args(["--heartbeat", "500ms", "--scheduler", &self.address]);
        executor.args(["--bind-port", &port.to_string(), "--external-port", &external.to_string()]);
        set(&mut executor);
        let (executor, line) = Process::start(executor);
        assert!(line.starts_with("executor 127.0.0.1:"), "{line}");
        self.executors.push(executor);
    }

    pub fn scheduler(&mut self) -> &mut Process {
        &mut self.scheduler
    }

    /// The flags of a command that this cluster runs.
    pub fn flags(&self) -> Vec<&str> {
        vec!["--cluster", &self.address, "--executor-wait", "5s"]
    }

    /// A command over a warehouse, on this cluster.
    pub fn run(&self, command: &str, warehouse: &Warehouse, more: &[&str]) -> Ran {
        run(&mut self.command(command, warehouse, more))
    }

    pub fn command(&self, name: &str, warehouse: &Warehouse, more: &[&str]) -> Command {
        let mut command = command();
        command.arg(name).args(more).args(warehouse.flags()).args(self.flags().iter().map(OsStr::new));
        command
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A port behind which is another one; what goes through is counted.
fn proxy(to: u16, bytes: &Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bytes = Arc::clone(bytes);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            for (from, to) in [(&client, &server), (&server, &client)] {
                drop(from.set_nodelay(true));
                let (from, to, bytes) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(&bytes));
                thread::spawn(move || pass_on(from, to, &bytes));
            }
        }
    });
    port
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        bytes.fetch_add(n as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // Either end is gone, and the other shall know.
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}
