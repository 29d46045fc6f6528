//! Folders as addresses.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

const SCHEME: &str = "file://";

/// The address of a folder: `file:///home/ann/my%20project`.
pub fn uri_of(folder: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~+@,:=".contains(&byte);
    let mut uri = SCHEME.to_owned();
    for byte in folder.as_os_str().as_bytes() {
        if plain(*byte) {
            uri.push(char::from(*byte));
        } else {
            uri.extend([format!("%{byte:02X}")]);
        }
    }
    uri
}

/// The folder of an address on this machine, or of a path; `None` when it is neither.
pub fn path_of(text: &str) -> Option<PathBuf> {
    if text.starts_with('/') {
        return Some(PathBuf::from(text));
    }
    let rest = text.strip_prefix(SCHEME)?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::new();
    let mut left = path.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        left = rest;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, rest) = left.split_at_checked(2)?;
        left = rest;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
    }
    (!bytes.contains(&0)).then(|| PathBuf::from(OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_folders_are_the_same_thing() {
        for path in ["/", "/home/ann/my project", "/srv/grün/100%", "/a/b+c@d"] {
            let uri = uri_of(Path::new(path));
            assert!(uri.is_ascii(), "{uri}");
            assert_eq!(path_of(&uri), Some(PathBuf::from(path)));
            assert_eq!(path_of(path), Some(PathBuf::from(path)));
        }
        assert_eq!(uri_of(Path::new("/a b")), "file:///a%20b");
        assert_eq!(path_of("file://localhost/a"), Some(PathBuf::from("/a")));
        for wrong in [
            "",
            "a/b",
            "https://example.org/a",
            "file://host/a",
            "file:///a%2",
            "file:///a%00",
            "file:///%zz",
        ] {
            assert_eq!(path_of(wrong), None, "{wrong}");
        }
    }
}
