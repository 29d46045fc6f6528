//! Requests that go outward only: neither to this machine nor to the network that it is in. What a guest names is asked
//! in this way, or else they would see what is only there for whoever sits here: other services, pages of the router,
//! the keys that clouds hand to their machines.
//!
//! A name is looked up when the connection is made, and it goes to an address that was looked at, so that a name cannot
//! mean something else in between. A proxy that is configured looks names up by itself, and where it lets requests go is
//! its owner's word.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use aa_spec::tool::ErrorKind;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Url};

use crate::tool::ToolError;

/// A client that goes outward only.
pub(super) fn bound(builder: ClientBuilder, has_proxy: bool) -> ClientBuilder {
    if has_proxy { builder } else { builder.dns_resolver(Arc::new(Outward)) }
}

/// That a URL names no address that is not outside. What its name means is seen when it is looked up.
pub(super) fn lets(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let inside = match host.trim_matches(['[', ']']).parse() {
        Ok(address) => !is_outside(address),
        Err(_) => host.is_empty() || is_here(host),
    };
    if inside { Err(refusal(host)) } else { Ok(()) }
}

fn refusal(host: &str) -> String {
    format!(
        "`{host}` is this machine or one near it, and those are not asked for whoever comes with a key; a skill can ask them"
    )
}

fn is_here(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Looks names up, and gives those addresses that are outside.
struct Outward;

impl Resolve for Outward {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outside: Vec<SocketAddr> = found.filter(|found| is_outside(found.ip())).collect();
            if outside.is_empty() {
                return Err(refusal(&name).into());
            }
            Ok(Box::new(outside.into_iter()) as Addrs)
        })
    }
}

/// An address outside that a name stands for.
///
/// # Errors
/// It cannot be looked up, or stands for none.
pub(in crate::tool) async fn found(host: &str, port: u16) -> std::io::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host((host, port)).await?;
    found.find(|address| is_outside(address.ip())).ok_or_else(|| std::io::Error::other(refusal(host)))
}

/// Looks a host up for a command of whoever is bound, which may take any of its addresses: all of them are outside.
///
/// # Errors
/// It cannot be looked up, or is here or near, or may be.
pub(in crate::tool) async fn all_outside(host: &str, port: u16) -> Result<IpAddr, ToolError> {
    let refused = || ToolError::new(ErrorKind::Auth, refusal(host));
    if is_here(host) {
        return Err(refused());
    }
    let lost = |error| ToolError::new(ErrorKind::Network, format!("cannot look up `{host}`: {error}"));
    let found: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(lost)?.collect();
    let first = found.first().filter(|_| found.iter().all(|found| is_outside(found.ip())));
    first.map(SocketAddr::ip).ok_or_else(refused)
}

/// Whether an address is one of the internet.
fn is_outside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_outside_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(carried) => is_outside_v4(carried),
            None => is_outside_v6(address),
        },
    }
}

fn is_outside_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        // This network, networks of providers, protocols, trials of networks, nobody's.
        (0 | 240.., ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _)
    );
    !(is_special
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast())
}

fn is_outside_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // All of the internet that has been given out; within it are tunnels, which lead anywhere, and examples.
    let is_given_out = first & 0xe000 == 0x2000;
    is_given_out && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
}

/// The address of the older protocol that one of the newer one stands for.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_near_it_are_not_outside() {
        for near in [
            "http://127.0.0.1/",
            "http://127.1:8610/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://localhost:1/",
            "http://a.LOCALHOST./",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
        ] {
            let why = lets(&Url::parse(near).unwrap()).expect_err(near);
            assert!(why.contains("a skill can ask them"), "{why}");
        }
        for far in
            ["https://example.org/", "http://8.8.8.8/", "http://[2606:4700::1111]/", "http://172.32.0.1/"]
        {
            assert_eq!(lets(&Url::parse(far).unwrap()), Ok(()), "{far}");
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_not_reached_by_looking_it_up() {
        let found = Outward.resolve("localhost".parse().unwrap()).await;
        assert!(found.is_err_and(|error| error.to_string().contains("this machine")));
    }
}
