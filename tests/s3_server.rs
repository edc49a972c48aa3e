//! An S3-compatible server on the loopback interface, started once and gone with the test process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use crate::program::command;
use crate::python;

/// The server of all tests; each uses a prefix of its own.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// What tests keep there. The last two differ as `tests/interop/s3_server.py` says.
pub const BUCKET: &str = "bucket";
pub const PUBLIC: &str = "public";
pub const WEST: &str = "bucket-west";

#[derive(Debug)]
pub struct Server {
    pub url: String,
    log: PathBuf,
    /// Ends when its standard input does: at the latest with this process.
    _process: Child,
}

pub fn server() -> &'static Server {
    &SERVER
}

impl Server {
    fn start() -> Self {
        let log = std::env::temp_dir().join(format!("earthcatalog-s3-{}.log", std::process::id()));
        let mut server = python::command("s3_server.py");
        server.arg(&log).args([BUCKET, PUBLIC, WEST]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = server.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self { url: url.trim().to_owned(), log, _process: process }
    }

    /// The binary, with what it needs to know of the server.
    pub fn command(&self) -> Command {
        let mut command = command();
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    pub fn put(&self, path: &str, body: &[u8]) {
        let (status, answer) = self.request("PUT", path, body);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&answer));
    }

    pub fn get(&self, path: &str) -> Vec<u8> {
        let (status, body) = self.request("GET", path, &[]);
        assert_eq!(status, 200, "{path}");
        body
    }

    /// Keys of a bucket that begin with `prefix`, at most 1000 of them.
    pub fn list(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let answer = String::from_utf8(self.get(&format!("{bucket}?list-type=2&prefix={prefix}"))).unwrap();
        assert!(answer.contains("<IsTruncated>false</IsTruncated>"), "{answer}");
        answer.split("<Key>").skip(1).map(|rest| rest.split_once("</Key>").unwrap().0.to_owned()).collect()
    }

    /// Requests so far for paths that contain `part`: method, path, who pays, and key; `-` where there was none.
    pub fn requests(&self, part: &str) -> Vec<[String; 4]> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let fields = |line: &str| {
            let (method, rest) = line.split_once(' ').unwrap();
            let (rest, key) = rest.rsplit_once(' ').unwrap();
            let (path, payer) = rest.rsplit_once(' ').unwrap();
            [method, path, payer, key].map(str::to_owned)
        };
        log.lines().map(fields).filter(|[_, path, ..]| path.contains(part)).collect()
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let host = self.url.trim_start_matches("http://");
        let region = if path.starts_with(WEST) { "us-west-2" } else { "us-east-1" };
        let mut stream = TcpStream::connect(host).unwrap();
        // It does not look at the signature.
        write!(
            stream,
            "{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20250101/{region}/s3/aws4_request, Signature=0\r\n\r\n",
            body.len()
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = vec![];
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, answer[end + 4..].to_vec())
    }
}
