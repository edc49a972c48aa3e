//! A loopback HTTP server for the files of a folder: it counts what is fetched, and may take its time.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Serves until the test process ends.
#[derive(Debug, Clone)]
pub struct Server {
    pub url: String,
    /// GET requests by path.
    fetched: Arc<Mutex<HashMap<String, u32>>>,
    watched: Arc<Watched>,
}

/// Who may fetch, and what others have fetched.
#[derive(Debug, Default)]
struct Watched {
    processes: Mutex<Option<Vec<u32>>>,
    by_others: Mutex<Vec<String>>,
    /// Paths by the processes that have fetched them.
    by_process: Mutex<HashMap<u32, HashSet<String>>>,
}

impl Server {
    /// Serves `folder`, each answer after `latency`.
    pub fn start(folder: &Path, latency: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = Self { url, fetched: Arc::default(), watched: Arc::default() };
        let (fetched, folder) = (Arc::clone(&server.fetched), folder.to_owned());
        let watched = Arc::clone(&server.watched);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (fetched, folder, watched) = (Arc::clone(&fetched), folder.clone(), Arc::clone(&watched));
                let process = watched.look_at(&connection);
                let note = move |path: &str| {
                    *fetched.lock().unwrap().entry(path.to_owned()).or_default() += 1;
                    if let Some(process) = process {
                        watched.by_process.lock().unwrap().entry(process).or_default().insert(path.to_owned());
                    }
                };
                // A client that is killed breaks off.
                thread::spawn(move || drop(serve(&connection, &folder, latency, note)));
            }
        });
        server
    }

    /// From now on, connections of other processes than these are remembered.
    pub fn watch(&self, processes: &[u32]) {
        *self.watched.processes.lock().unwrap() = Some(processes.to_vec());
    }

    /// The peers of connections that were not of the processes to watch.
    pub fn fetched_by_others(&self) -> Vec<String> {
        self.watched.by_others.lock().unwrap().clone()
    }

    /// The paths that a process to watch has fetched.
    pub fn fetched_by(&self, process: u32) -> HashSet<String> {
        self.watched.by_process.lock().unwrap().get(&process).cloned().unwrap_or_default()
    }

    /// GET requests by path, so far.
    pub fn fetched(&self) -> HashMap<String, u32> {
        self.fetched.lock().unwrap().clone()
    }
}

impl Watched {
    /// The process to watch whose connection it is.
    fn look_at(&self, connection: &TcpStream) -> Option<u32> {
        let processes = self.processes.lock().unwrap().clone()?;
        let peer = connection.peer_addr().unwrap();
        let process = processes.into_iter().find(|process| has_socket(*process, peer.port()));
        if process.is_none() {
            self.by_others.lock().unwrap().push(peer.to_string());
        }
        process
    }
}

/// Whether a process has the socket with this local port.
fn has_socket(process: u32, port: u16) -> bool {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    let inodes = sockets.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1)?.ends_with(&local).then(|| format!("socket:[{}]", fields[9]))
    });
    let inodes: Vec<String> = inodes.collect();
    let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.any(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
}

fn serve(connection: &TcpStream, folder: &Path, latency: Duration, note: impl Fn(&str)) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let (mut requests, mut answers) = (BufReader::new(connection), connection);
    loop {
        let mut request = String::new();
        if requests.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while requests.read_line(&mut header)? > 2 {
            header.clear();
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let file: PathBuf = folder.join(path.trim_start_matches('/'));
        if method == "GET" {
            note(path.trim_start_matches('/'));
        }
        thread::sleep(latency);
        let (status, body) = match fs::read(&file) {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", vec![]),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLast-Modified: Mon, 01 Sep 2025 00:00:00 GMT\r\n\r\n",
            body.len()
        );
        answers.write_all(head.as_bytes())?;
        if method != "HEAD" {
            answers.write_all(&body)?;
        }
    }
}
