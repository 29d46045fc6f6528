//! Whom a call of a module's tool asks that its arguments name.
//!
//! The command reads the address in a way of its own, and makes the connection itself. So an address of whoever is
//! bound is read strictly: what may mean one host to us and another one to the command is refused. A tool that can be told
//! where to connect is told the address that was looked at; one that cannot looks the name up once more.

use std::net::{IpAddr, Ipv6Addr};

use aa_spec::template::Scope;
use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::{Asked, OUTWARD};
use serde_json::json;

use super::declared::text;
use super::http::outward;
use super::{CallContext, ToolError};

/// Why nobody is asked who could send the command on.
const FOLLOWED: &str = "is not asked for whoever comes with a key, as it could send the command anywhere; leave it out and it is what is configured, or have a skill ask it";

/// Why nobody is asked whose address may mean several.
const UNCLEAR: &str = "is not an address that can be told for sure, and such are not asked for whoever comes with a key; write it as `https://host/path`, `user@host:path` or `host`";

/// A host in an address, and the port there as far as that is said; else 0.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    name: String,
    port: u16,
}

/// Looks at whom a call asks, and lets the templates of the tool know what was found.
pub(super) async fn look(asked: &Asked, context: &CallContext, scope: &mut Scope) -> Result<(), ToolError> {
    let bound = context.fence.keeps_outward();
    let mut told = json!({"bound": bound, "host": "", "port": 0, "address": ""});
    let address = if bound { text(&asked.address, scope)?.unwrap_or_default() } else { String::new() };
    if !address.is_empty() {
        let closed = |why: &str| ToolError::new(ErrorKind::Auth, format!("`{address}` {why}"));
        if asked.follows {
            return Err(closed(FOLLOWED));
        }
        if let Some(host) = read(&address).ok_or_else(|| closed(UNCLEAR))? {
            let found = outward::all_outside(&host.name, host.port).await?;
            told = json!({"bound": bound, "host": host.name, "port": host.port, "address": written(found)});
        }
    }
    scope.set(OUTWARD, &told);
    Ok(())
}

/// The host of an address, or that it is one of a file and has none. Nothing when that is not beyond doubt.
#[expect(clippy::option_option, reason = "that there is none is not that nobody can tell")]
fn read(address: &str) -> Option<Option<Host>> {
    let Some((scheme, rest)) = address.split_once("://") else { return short(address).map(Some) };
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
        return None;
    }
    let place = rest.split_once('/').map_or(rest, |(place, _)| place);
    if place.is_empty() && scheme.eq_ignore_ascii_case("file") {
        return Some(None);
    }
    let (name, rest) = parts(place)?;
    let port = match rest.trim_start_matches(':') {
        "" => usual_port(scheme),
        port => port.parse().ok()?,
    };
    Some(Some(Host { name, port }))
}

fn usual_port(scheme: &str) -> u16 {
    match scheme.to_ascii_lowercase().as_str() {
        "https" => 443,
        "http" => 80,
        _ => 0,
    }
}

/// The same of `user@host:path`, `host:port` and `host`.
fn short(address: &str) -> Option<Host> {
    let (name, rest) = parts(address)?;
    // `way::address` is read by whatever that way is.
    let port = rest.strip_prefix(':').filter(|rest| !rest.starts_with(':'));
    let port = if rest.is_empty() { "" } else { port? };
    Some(Host { name, port: port.parse().unwrap_or(0) })
}

/// The host that a text begins with, behind a user, and what follows from a `:` on.
fn parts(text: &str) -> Option<(String, &str)> {
    let user = text.find('@').filter(|at| is_user(&text[..*at]));
    let place = user.map_or(text, |at| &text[at + 1..]);
    if let Some(inner) = place.strip_prefix('[') {
        let (address, rest) = inner.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return (rest.is_empty() || rest.starts_with(':')).then(|| (address.to_string(), rest));
    }
    let (name, rest) = place.split_at(place.find(':').unwrap_or(place.len()));
    is_name(name).then(|| (name.to_ascii_lowercase(), rest))
}

fn is_user(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "._~%!$&'()*+,;=:-".contains(c))
}

/// A name that everybody reads alike. With a dot at its end it is another one to some.
fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('-') && !text.ends_with('.')
}

/// An address as it stands before a port.
fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_in_every_form_that_is_beyond_doubt() {
        for (address, name, port) in [
            ("https://git.example.org/a/b.git", "git.example.org", 443),
            ("HTTP://Git.Example.org", "git.example.org", 80),
            ("http://ann:s%40cret@example.org:8080/x?y@z", "example.org", 8080),
            ("https://example.org:/x", "example.org", 443),
            ("ssh://git@example.org:2222/a", "example.org", 2222),
            ("git://[2606:4700::1111]/a", "2606:4700::1111", 0),
            ("git@example.org:ann/project.git", "example.org", 0),
            ("git@[::1]:a", "::1", 0),
            ("example.org:443", "example.org", 443),
            ("2130706433", "2130706433", 0),
            ("0x7f.1", "0x7f.1", 0),
        ] {
            let host = Host { name: name.to_owned(), port };
            assert_eq!(read(address), Some(Some(host)), "{address}");
        }
        assert_eq!(read("file:///srv/a.git"), Some(None));
    }

    #[test]
    fn what_two_could_read_in_two_ways_is_no_address() {
        for address in [
            "http::http://127.0.0.1/",
            "ext::sh -c id",
            "http://far.example\\@127.0.0.1/",
            "ssh://far.example?@127.0.0.1/x",
            "ssh://far.example#@127.0.0.1/x",
            "http://a@b@127.0.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://\u{2460}27.0.0.1/",
            "http://example.org./",
            "http://example.org:80x/",
            "http:// 127.0.0.1/",
            "far.example:a/http://127.0.0.1/",
            "::1:443",
            "[fe80::1%eth0]:a",
            "./a:b",
            "-oProxyCommand=id:a",
            "ht tp://example.org/",
            "://example.org/",
            "http:///example.org/",
            "",
        ] {
            assert_eq!(read(address), None, "{address}");
        }
    }
}
