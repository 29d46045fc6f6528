use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{lines, schedule, slots, with};
use crate::mcp::wire::Served;
use crate::support::{Aa, eventually};

/// Somebody who takes every connection and says nothing.
struct Silent {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    /// How many connections there are.
    open: Arc<AtomicUsize>,
}

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let open: Arc<AtomicUsize> = Arc::default();
        let (heard, count) = (Arc::clone(&asked), Arc::clone(&open));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (heard, count) = (Arc::clone(&heard), Arc::clone(&count));
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    listen(stream, &heard);
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, asked, open }
    }

    fn has_heard(&self, text: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked.contains(text))
    }
}

/// Reads until the other side gives up. Who speaks second says nothing at all: it is there with an empty text.
fn listen(mut stream: TcpStream, heard: &Mutex<Vec<String>>) {
    let index = {
        let mut heard = heard.lock().unwrap();
        heard.push(String::new());
        heard.len() - 1
    };
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        heard.lock().unwrap()[index].push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

/// Schedules that fail every second and tell everybody, besides two that have nothing to do with it.
fn project(web: u16, mail: u16) -> Aa {
    let config = format!(
        "\
secrets: {{KEY: {{env: KEY}}}}
notify:
  channels:
    pager: {{webhook: {{url: 'http://127.0.0.1:{web}/alerts'}}}}
    bot: {{slack: {{token: '{{{{ secrets.KEY }}}}', channel: '#ops', api: 'http://127.0.0.1:{web}/api'}}}}
    ann: {{email: {{server: '127.0.0.1:{mail}', from: aa@example.org, to: [ann@example.org], security: none}}}}
    me: {{desktop: {{}}}}
  default: [pager, bot, ann, me]
  limit: {{messages: 1000, per: 1h}}
schedules:
  bad: {{skill: broken, every: 1s}}
  tick: {{skill: tick, every: 1s, inputs: {{due: '{{{{ due }}}}'}}, notify: []}}
  slow: {{skill: slow, at: '{}', timeout: 2s, notify: []}}
",
        (chrono::Utc::now() + chrono::TimeDelta::seconds(8)).to_rfc3339()
    );
    let tools = "module: slow\ndescription: Slow\ntools:\n  - {name: hang, description: Hangs, effect: read, input: {}, run: [sleep, '600']}\n";
    let aa = with(&config)
        .tools("slow", tools)
        .skill("slow", "name: slow\ndescription: Hangs\nsteps:\n  - {name: it, tool: hang}\n")
        .file("bin/notify-send", "#!/bin/sh\necho said >> desktop\nexec sleep 600\n");
    let script = aa.path("bin/notify-send");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    aa
}

#[test]
fn channels_that_do_not_answer_hold_nothing_up() {
    let (web, mail) = (Silent::new(), Silent::new());
    let aa = project(web.port, mail.port);
    let path = std::env::join_paths(
        std::iter::once(aa.path("bin")).chain(std::env::split_paths(&crate::support::search_path())),
    );
    let call =
        aa.args(["serve", "--listen", "127.0.0.1:0"]).env("PATH", path.unwrap()).env("KEY", "a key of ours");
    let mut served = Served::start(call);
    eventually("all four are being told", || {
        web.has_heard("/alerts")
            && web.has_heard("chat.postMessage")
            && !mail.asked.lock().unwrap().is_empty()
            && !aa.text("desktop").is_empty()
    });
    let (before, start) = (lines(&aa).len(), Instant::now());
    eventually("schedules go on", || lines(&aa).len() >= before + 6);
    assert!(start.elapsed() < Duration::from_secs(13), "not one look has waited: {:?}", start.elapsed());
    eventually("runs that take too long are cancelled", || {
        slots(&aa, "slow").iter().any(|slot| slot["state"] == "failed")
    });
    schedule(&aa, &["why", "slow"]).code(0).stdout_contains("it took longer than 2s");
    assert!(mail.open.load(Ordering::SeqCst) <= 1, "one message at a time");
    let start = Instant::now();
    served.signal(Signal::TERM);
    assert_eq!(served.ended(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(8), "it ends at once: {:?}", start.elapsed());
}
