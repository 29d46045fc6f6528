//! `aa daemon install`: a service of the user's, for whatever starts services here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aa_run::cause::cause;
use aa_run::settings::{Carried, Settings};

use crate::args::daemon::{InstallArgs, Manager};
use crate::command::serve::may_listen;
use crate::context::Context;
use crate::env;
use crate::failure::{Exit, Failure};
use crate::words;

/// What launchd calls it.
const LABEL: &str = "io.aa.daemon";
/// How long a stop may take beyond what the daemon's steps may take.
const LEEWAY: Duration = Duration::from_secs(30);

/// What a service has to know.
struct Service<'a> {
    program: PathBuf,
    settings: &'a Settings,
    /// Those of `aa daemon run`.
    flags: Vec<String>,
    /// What it is started with: where tools are found, and what decides its configuration.
    variables: BTreeMap<String, String>,
}

pub(super) fn run(args: &InstallArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let settings = context.settings()?;
    may_listen(&args.serve, &settings)?;
    let failed = |error: std::io::Error| Failure::failed(format!("cannot install: {}", cause(&error)));
    let Carried { mut variables, secret } = settings.carried();
    let path = context.environment.get(env::PATH).unwrap_or("/usr/local/bin:/usr/bin:/bin");
    variables.insert(env::PATH.to_owned(), path.to_owned());
    let program = std::env::current_exe().map_err(failed)?;
    let service = Service { program, settings: &settings, flags: args.serve.typed(), variables };
    let secret: Vec<&str> = secret.iter().map(String::as_str).collect();
    let usual = if cfg!(target_os = "macos") { Manager::Launchd } else { Manager::Systemd };
    let manager = args.kind.unwrap_or(usual);
    let text = match manager {
        Manager::Systemd => service.systemd(),
        Manager::Launchd => service.launchd(),
    };
    if args.print {
        context.printer.write(text.as_bytes());
        point_out_secrets(&secret, manager, context);
        return Ok(Exit::Ok);
    }
    let place = place(manager, context)?;
    let is_other = fs::read_to_string(&place).is_ok_and(|there| there != text);
    if is_other && !args.force {
        return Err(Failure::failed(format!(
            "`{}` is there already, and says something else",
            place.display()
        ))
        .hint("`--print` shows what it would be, `--force` writes over it"));
    }
    let folder = place.parent().unwrap_or_else(|| Path::new("/"));
    fs::create_dir_all(folder).and_then(|()| fs::write(&place, text)).map_err(failed)?;
    let printer = context.printer;
    printer.say(format_args!("wrote {}", place.display()));
    point_out_secrets(&secret, manager, context);
    match manager {
        Manager::Systemd => {
            printer.hint("`systemctl --user daemon-reload && systemctl --user enable --now aa` starts it now and at each login");
            printer.hint("`loginctl enable-linger` has it run although you are not logged in");
        }
        Manager::Launchd => {
            printer.hint(format_args!(
                "`launchctl bootstrap gui/$(id -u) {}` starts it now and at each login",
                place.display()
            ));
        }
    }
    Ok(Exit::Ok)
}

/// Says what the service has to be given by hand.
fn point_out_secrets(secret: &[&str], manager: Manager, context: &Context<'_>) {
    if secret.is_empty() {
        return;
    }
    let (names, them) = (words::list(secret), if secret.len() == 1 { "it" } else { "them" });
    context.printer.warning(format_args!("not written, as it is secret: {names}"));
    context.printer.hint(match manager {
        Manager::Systemd => format!(
            "put {them} into a file that only you can read, and name that by `EnvironmentFile=` in `systemctl --user edit aa`"
        ),
        Manager::Launchd => {
            format!("have {them} come from a file or a command: `secrets: {{NAME: {{file: …}}}}` in the configuration")
        }
    });
}

/// Where a service of the user's is looked for.
fn place(manager: Manager, context: &Context<'_>) -> Result<PathBuf, Failure> {
    let variable = |name: &str| context.environment.get(name).map(PathBuf::from);
    let home = || variable("HOME").ok_or_else(|| Failure::failed("`HOME` is not set"));
    Ok(match manager {
        Manager::Systemd => {
            let config = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
            let config = config.map_or_else(|| home().map(|home| home.join(".config")), Ok)?;
            config.join("systemd/user/aa.service")
        }
        Manager::Launchd => home()?.join(format!("Library/LaunchAgents/{LABEL}.plist")),
    })
}

impl Service<'_> {
    fn words(&self) -> Vec<String> {
        let folder = self.settings.folder.display().to_string();
        let store = self.settings.state_folder.display().to_string();
        let program = self.program.display().to_string();
        let words = [&program, "-C", &folder, "--store", &store, "daemon", "run"].map(str::to_owned);
        words.into_iter().chain(self.flags.iter().cloned()).collect()
    }

    fn stop_timeout(&self) -> u64 {
        (self.settings.daemon.drain_timeout + self.settings.serve.shutdown_timeout + LEEWAY).as_secs()
    }

    fn systemd(&self) -> String {
        let words: Vec<String> = self.words().iter().map(|word| unit_word(word)).collect();
        let set = |(name, value)| format!("Environment={}\n", unit_text(&format!("{name}={value}")));
        let environment: String = self.variables.iter().map(set).collect();
        format!(
            "\
[Unit]
Description=aa: runs skills although nobody is there
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
{environment}ExecStart={command}
Restart=on-failure
RestartSec=2
# It lets steps under way end, and their processes are theirs until then.
KillMode=mixed
TimeoutStopSec={stop}
UMask=0077

[Install]
WantedBy=default.target
",
            command = words.join(" "),
            stop = self.stop_timeout(),
        )
    }

    fn launchd(&self) -> String {
        let words: Vec<String> =
            self.words().iter().map(|word| format!("    <string>{}</string>\n", xml(word))).collect();
        let words = words.concat();
        let set = |(name, value): (&String, &String)| {
            format!("    <key>{}</key>\n    <string>{}</string>\n", xml(name), xml(value))
        };
        let environment: String = self.variables.iter().map(set).collect();
        format!(
            "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
<plist version=\"1.0\">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array>
{words}  </array>
  <key>EnvironmentVariables</key>
  <dict>
{environment}  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ExitTimeOut</key>
  <integer>{stop}</integer>
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
",
            stop = self.stop_timeout(),
        )
    }
}

/// A word of a command in a unit file: of a variable, only its name would be left.
fn unit_word(word: &str) -> String {
    unit_text(&word.replace('$', "$$"))
}

/// A text in a unit file: quoted, and without what would mean something in it.
fn unit_text(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('\n', "\\n");
    format!("\"{text}\"")
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
