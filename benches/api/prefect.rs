//! Prefect with a flow of the same two steps: what it does on the same machine at the same time.
//!
//! It is installed below `target/tools` the first time, which takes some minutes. Of each way to run a flow there is a
//! row: *served*, as it is started over HTTP (each run is a process of Python, started by one that asks the server every second),
//! and *called*, which starts no processes and still keeps every state in its server.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CALLERS, PATIENCE, quantile, said};

/// The version that is measured.
const VERSION: &str = "prefect==3.9.1";
/// Runs of each way: it takes a second for what takes us a millisecond.
const SERVED: usize = 24;
const CALLED: usize = 100;
/// How long its server may take to be there.
const START: Duration = Duration::from_mins(2);

/// Its server, and whoever runs what it is asked for.
struct Prefect {
    python: PathBuf,
    root: TempDir,
    address: SocketAddr,
    children: Vec<Child>,
}

/// Measures it, if it can be installed.
pub(crate) fn rows() {
    match python() {
        Ok(python) => {
            let mut prefect = Prefect::start(python);
            prefect.called();
            prefect.served();
        }
        Err(why) => println!("Prefect is not measured: {why}"),
    }
}

/// A Python that has it.
fn python() -> Result<PathBuf, String> {
    let tools = Path::new(env!("CARGO_BIN_EXE_aa")).ancestors().nth(2).unwrap().join("tools");
    let venv = tools.join("bench-prefect");
    let (python, ready) = (venv.join("bin/python"), venv.join("ready"));
    if ready.exists() {
        return Ok(python);
    }
    println!("installing {VERSION} …");
    done(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    done(Command::new(&python).args(["-m", "pip", "install", "-q", "--only-binary", ":all:", VERSION]))?;
    std::fs::write(ready, VERSION).map_err(|error| error.to_string())?;
    Ok(python)
}

fn done(command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

impl Prefect {
    fn start(python: PathBuf) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut prefect =
            Self { python, root: tempfile::tempdir().unwrap(), address: free, children: Vec::new() };
        let port = free.port().to_string();
        let mut server = prefect.command(&["-m", "prefect", "server", "start", "--no-ui"]);
        server.args(["--host", "127.0.0.1", "--port", &port]);
        prefect.children.push(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        prefect
            .until("it is there", START, |prefect| prefect.ask("GET", "/api/health", &Value::Null).is_some());
        prefect
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.args(args).current_dir(self.root.path()).stdin(Stdio::null());
        command
            .env("HOME", self.root.path())
            .env("PREFECT_HOME", self.root.path().join("prefect"))
            .env("PREFECT_API_URL", format!("http://{}/api", self.address))
            .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
            .env("PREFECT_LOGGING_LEVEL", "ERROR")
            .env("PREFECT_LOGGING_TO_API_ENABLED", "false")
            // As often as it can be asked for.
            .env("PREFECT_RUNNER_POLL_FREQUENCY", "1");
        command
    }

    fn flow(&self, args: &[&str]) -> Command {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/api/two.py");
        let mut command = self.command(&[file.to_str().unwrap()]);
        command.args(args);
        command
    }

    /// Runs in one process, by as many threads as there are callers of ours.
    fn called(&self) {
        let (count, callers) = (CALLED.to_string(), CALLERS.to_string());
        let output = self.flow(&["call", &count, &callers]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let Some(told) = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()) else {
            return println!("Prefect, called: {}", String::from_utf8_lossy(&output.stderr));
        };
        let begun: Vec<Duration> = told["begun"].as_array().unwrap().iter().map(milliseconds).collect();
        row("Prefect, called", CALLED, milliseconds(&told["all"]), &begun);
    }

    /// Runs that are asked for over HTTP.
    fn served(&mut self) {
        let limit = CALLERS.to_string();
        let worker =
            self.flow(&["serve", &limit]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.children.push(worker);
        let deployment = || self.ask("GET", "/api/deployments/name/two/bench", &Value::Null);
        self.until("the flow is served", START, |_| deployment().is_some());
        let deployment = deployment().unwrap()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/deployments/{deployment}/create_flow_run");
        let (began, asked_at) = (Instant::now(), Utc::now());
        let mut asked: Vec<(String, DateTime<Utc>)> = Vec::new();
        let mut refused = 0;
        while asked.len() < SERVED {
            let at = Utc::now();
            // It refuses with 503 when its own database is busy.
            match self.ask("POST", &path, &json!({"state": {"type": "SCHEDULED"}})) {
                Some(run) => asked.push((run["id"].as_str().unwrap().to_owned(), at)),
                None => refused += 1,
            }
            assert!(began.elapsed() < PATIENCE, "it refuses again and again");
        }
        let answered = began.elapsed() / u32::try_from(SERVED).unwrap();
        let wanted = json!({"flow_runs": {
            "deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["COMPLETED"]}}
        }});
        let ended =
            |prefect: &Self| prefect.ask("POST", "/api/flow_runs/filter", &wanted).unwrap_or_default();
        self.until("all have ended", PATIENCE, |prefect| {
            ended(prefect).as_array().is_some_and(|runs| runs.len() == SERVED)
        });
        let runs = ended(self);
        let find = |id: &str| runs.as_array().unwrap().iter().find(|run| run["id"] == id).unwrap();
        let begun: Vec<Duration> =
            asked.iter().map(|(id, at)| between(*at, moment(&find(id)["start_time"]))).collect();
        let last = runs.as_array().unwrap().iter().map(|run| moment(&run["end_time"])).max().unwrap();
        row("Prefect, served", SERVED, between(asked_at, last), &begun);
        println!(
            "  (a run of it was asked for in {:.1} ms and begins later; {refused} were refused before)",
            answered.as_secs_f64() * 1e3
        );
    }

    /// Waits until something is so.
    fn until(&self, what: &str, patience: Duration, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + patience;
        while !is_so(self) {
            assert!(Instant::now() < end, "it is not so in time that {what}");
            sleep(Duration::from_millis(200));
        }
    }

    /// An answer of its server; none when there is none.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(self.address).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut answer = String::new();
        BufReader::new(stream).read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.lines().next()?.contains(" 20").then(|| serde_json::from_str(body).ok()).flatten()
    }
}

impl Drop for Prefect {
    fn drop(&mut self) {
        for mut child in self.children.drain(..).rev() {
            // Asked to end first: it ends its own processes then.
            let _asked = Command::new("kill").arg(child.id().to_string()).status();
            let end = Instant::now() + Duration::from_secs(10);
            while child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < end {
                sleep(Duration::from_millis(100));
            }
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

fn row(name: &str, count: usize, all: Duration, begun: &[Duration]) {
    let per_second = f64::from(u32::try_from(count).unwrap()) / all.as_secs_f64();
    said(name, per_second, (quantile(begun, 50), quantile(begun, 99)));
}

fn milliseconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap() / 1e3)
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}
