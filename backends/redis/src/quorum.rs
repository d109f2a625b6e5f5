//! Independent servers by one URL.

use semafence::Error;

use crate::backend::Redis;
use crate::options::Options;

/// A majority of independent Redis or Valkey servers.
pub type Quorum = semafence::Quorum<Redis>;

const SCHEME: &str = "quorum://";
const SCHEME_TLS: &str = "quorums://";
const DEFAULT_PORT: &str = "6379";

/// A client of a majority of the servers at this [URL](quorum_options), with all defaults.
///
/// Connects at once, so that a wrong address is told here.
///
/// # Errors
///
/// [`Error::Config`] when the URL is wrong, [`Error::Backend`] with operation `connect` when no majority is to be reached.
pub async fn connect_quorum(url: &str) -> Result<semafence::Client<Quorum>, Error> {
    let mut nodes = Vec::new();
    for (name, options) in quorum_options(url)? {
        nodes.push((name, Redis::new(options)?));
    }
    let quorum = Quorum::named(nodes)?;
    quorum.check().await?;
    semafence::Client::new(quorum)
}

/// The servers of a URL like `quorum://user:password@host1:6379,host2:6379,host3:6379/0`, each with the name by which
/// errors should call it. `quorums://` is for TLS; port, login, database and parameters are as in the URL of
/// [one server](Options::from_url), and the same for all.
///
/// # Errors
///
/// [`Error::Config`] of the field `url`; what it says repeats no part of the URL but hosts and ports.
pub fn quorum_options(url: &str) -> Result<Vec<(String, Options)>, Error> {
    let url = url.trim();
    let (scheme, rest) = match (url.strip_prefix(SCHEME), url.strip_prefix(SCHEME_TLS)) {
        (Some(rest), _) => ("redis://", rest),
        (None, Some(rest)) => ("rediss://", rest),
        (None, None) => return Err(wrong("does not begin with quorum:// or quorums://")),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    hosts
        .split(',')
        .map(|host| {
            if host.is_empty() {
                return Err(wrong("names a server without a host"));
            }
            let name = with_port(host);
            let options = Options::from_url(&format!("{scheme}{login}{name}{path}"))?;
            Ok((name, options))
        })
        .collect()
}

/// Colons within brackets are those of an IPv6 address.
fn with_port(host: &str) -> String {
    let after_address = host.rfind(']').map_or(host, |end| &host[end..]);
    if after_address.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:{DEFAULT_PORT}")
    }
}

fn wrong(reason: &'static str) -> Error {
    Error::Config {
        field: "url",
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(url: &str) -> Vec<String> {
        let servers = quorum_options(url).unwrap();
        servers.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_url_names_servers_with_or_without_ports() {
        assert_eq!(names("quorum://a:1,b,[::1]:3/2"), ["a:1", "b:6379", "[::1]:3"]);
        assert_eq!(names("quorums://u:p%40@a,[::1]"), ["a:6379", "[::1]:6379"]);
    }

    #[test]
    fn login_and_database_are_those_of_every_server() {
        let servers = quorum_options("quorum://jobs:hunter2@a,b,c/3").unwrap();

        for (_, options) in &servers {
            let shown = format!("{options:?}");
            assert!(shown.contains("jobs") && shown.contains('3'), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_without_its_password() {
        for url in [
            "redis://a,b,c",
            "quorum://",
            "quorum://a,,c",
            "quorum://u:hunter2@a:99999,b,c",
        ] {
            let error = quorum_options(url).unwrap_err();

            assert!(error.to_string().starts_with("url "), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn servers_are_an_odd_number_and_none_is_named_twice() {
        for (url, reason) in [
            ("quorum://a,b", "nodes are 2, not an odd number of 1 to 9"),
            ("quorum://a,b,a:6379", "nodes name a:6379 twice"),
        ] {
            let nodes = quorum_options(url).unwrap();
            let nodes = nodes
                .into_iter()
                .map(|(name, options)| (name, Redis::new(options).unwrap()));

            assert_eq!(Quorum::named(nodes).unwrap_err().to_string(), reason);
        }
    }
}
