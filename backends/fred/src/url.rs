//! Addresses in one line.

use std::borrow::Cow;

use semafence::Error;
use url::{Host, ParseError, Url};

use crate::options::{Address, Login, Options, config};
use crate::tls::Tls;

/// Reads a URL of one of the forms that [`Options::from_url`] lists.
pub(crate) fn parse(text: &str) -> Result<Options, Error> {
    let url = Url::parse(text).map_err(unreadable)?;
    if url.fragment().is_some() {
        return Err(refused("has a `#`, which must be percent-encoded"));
    }
    match url.scheme() {
        "redis" | "valkey" => server(&url),
        "rediss" | "valkeys" => Ok(server(&url)?.tls(Tls::new())),
        "redis+unix" | "valkey+unix" | "unix" => unix(&url),
        "redis-sentinel" | "valkey-sentinel" => sentinel(&url),
        "rediss-sentinel" | "valkeys-sentinel" => Ok(sentinel(&url)?.tls(Tls::new())),
        _ => Err(refused(
            "is not of the form redis://, rediss://, redis+unix://, redis-sentinel:// or rediss-sentinel://",
        )),
    }
}

fn server(url: &Url) -> Result<Options, Error> {
    if url.query_pairs().next().is_some() {
        return Err(refused("has a parameter that is not known"));
    }
    let (host, port) = (host(url)?, url.port().unwrap_or(6379));
    let mut options = Options::at(Address::Tcp(host, port));
    options.login = login(url)?;
    options.db = db(url)?;
    Ok(options)
}

fn unix(url: &Url) -> Result<Options, Error> {
    let mut options = Options::at(Address::Unix(decoded(url.path())?.into_owned().into()));
    for (key, value) in url.query_pairs() {
        match &*key {
            "db" => options.db = number(&value)?,
            "user" => options.login.username = Some(value.into_owned()),
            "pass" => options.login.password = Some(value.into_owned()),
            _ => return Err(refused("has a parameter that is not known")),
        }
    }
    Ok(options)
}

fn sentinel(url: &Url) -> Result<Options, Error> {
    let mut service = None;
    let mut sentinels = vec![(host(url)?, url.port().unwrap_or(26379))];
    let mut sentinel_login = Login::default();
    let mut min_others = None;
    for (key, value) in url.query_pairs() {
        match &*key {
            "node" => sentinels.push(node(&value)?),
            "sentinelServiceName" => service = Some(value.into_owned()),
            "sentinelUsername" => sentinel_login.username = Some(value.into_owned()),
            "sentinelPassword" => sentinel_login.password = Some(value.into_owned()),
            "minOtherSentinels" => {
                let others = value.parse();
                min_others = Some(others.map_err(|_| refused("has a `minOtherSentinels` that is no number"))?);
            }
            _ => return Err(refused("has a parameter that is not known")),
        }
    }
    let service = service.ok_or_else(|| refused("has no `sentinelServiceName`"))?;
    let mut options = Options::at(Address::Sentinels { service, sentinels });
    options.login = login(url)?;
    options.sentinel_login = sentinel_login;
    options.min_other_sentinels = min_others;
    options.db = db(url)?;
    Ok(options)
}

/// A sentinel, as the host and port of a URL are written.
fn node(text: &str) -> Result<(String, u16), Error> {
    let url = Url::parse(&format!("redis://{text}")).map_err(|_| refused("has a `node` that is not host:port"))?;
    match (host(&url), url.path(), url.has_authority()) {
        (Ok(host), "" | "/", true) if url.username().is_empty() => Ok((host, url.port().unwrap_or(26379))),
        _ => Err(refused("has a `node` that is not host:port")),
    }
}

fn host(url: &Url) -> Result<String, Error> {
    match url.host() {
        // Without the brackets, which are only for URLs.
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        Some(Host::Ipv4(address)) => Ok(address.to_string()),
        Some(Host::Domain(name)) if !name.is_empty() => Ok(decoded(name)?.into_owned()),
        _ => Err(refused("has no host")),
    }
}

fn login(url: &Url) -> Result<Login, Error> {
    let username = Some(url.username()).filter(|name| !name.is_empty());
    let password = url.password().filter(|password| !password.is_empty());
    Ok(Login {
        username: username.map(decoded).transpose()?.map(Cow::into_owned),
        password: password.map(decoded).transpose()?.map(Cow::into_owned),
    })
}

fn db(url: &Url) -> Result<u32, Error> {
    match url.path().trim_start_matches('/') {
        "" => Ok(0),
        db => number(db),
    }
}

fn number(text: &str) -> Result<u32, Error> {
    text.parse().map_err(|_| refused("has a database that is not a number"))
}

/// Percent-decoded as a query is, but nothing else means anything.
fn decoded(text: &str) -> Result<Cow<'_, str>, Error> {
    let escaped = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let bytes = url::form_urlencoded::parse(escaped.as_bytes());
    let decoded: String = bytes.map(|(key, _)| key.into_owned()).next().unwrap_or_default();
    if decoded.contains(char::REPLACEMENT_CHARACTER) {
        return Err(refused("has a part that is not UTF-8"));
    }
    Ok(Cow::Owned(decoded))
}

fn unreadable(error: ParseError) -> Error {
    refused(match error {
        // A slash in a password ends the host, and what is before it looks like a port.
        ParseError::InvalidPort => {
            "has a port that is not a number up to 65535, or a `/`, `?` or `#` in its password, which must be percent-encoded"
        }
        _ => "is not a URL",
    })
}

fn refused(reason: &'static str) -> Error {
    config("url", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fred;

    #[test]
    fn a_url_that_is_none_is_refused_without_being_repeated() {
        let urls = [
            "",
            "secret",
            "http://user:secret@localhost",
            "redis://user:sec/ret@localhost",
            "redis://user:secret@localhost/nine",
            "redis://user:secret@localhost/?protocol=secret",
            "redis://user:secret@localhost:99999",
            "rediss://user:secret@localhost/#insecure",
            "redis://:secret@/0",
            "redis://user@localhost",
            "redis-sentinel://user:secret@localhost",
            "redis-sentinel://localhost?sentinelServiceName=main&secret=1",
            "redis-sentinel://localhost?sentinelServiceName=main&node=secret@b:1/x",
            "redis-sentinel://localhost?sentinelServiceName=main&node=b:secret",
            "redis-sentinel://localhost?sentinelServiceName=main&sentinelUsername=secret",
        ];
        for url in urls {
            let refused = Options::from_url(url).and_then(Fred::new).unwrap_err().to_string();
            println!("{url:?}: {refused}");

            assert!(!refused.contains("secret") && !refused.contains("sec/"), "{refused}");
            assert!(
                !url.contains("99999") || refused.contains("has a port that"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_url_settles_address_database_and_login() {
        let shown = |url| format!("{:?}", Options::from_url(url).unwrap());

        let full = shown("rediss://jobs:s%40cr+t@[::1]:6380/3");
        let least = shown("valkey://localhost");
        let unix = shown("redis+unix:///run/redis.sock?db=2&pass=s@cret");
        let sentinel = shown(
            "redis-sentinel://jobs:swordfish@10.0.0.1/4?node=[::2]:7&node=c&sentinelServiceName=my+main&sentinelUsername=w\
             &sentinelPassword=hunter2",
        );

        println!("{full}\n{least}\n{unix}\n{sentinel}");
        assert!(
            full.contains("Tcp(\"::1\", 6380), db: 3") && full.contains("tls: Some"),
            "{full}"
        );
        assert!(least.contains("Tcp(\"localhost\", 6379), db: 0"), "{least}");
        assert!(least.contains("tls: None"), "{least}");
        assert!(unix.contains("Unix(\"/run/redis.sock\"), db: 2"), "{unix}");
        let sentinels = "[(\"10.0.0.1\", 26379), (\"::2\", 7), (\"c\", 26379)]";
        assert!(
            sentinel.contains(sentinels) && sentinel.contains("service: \"my main\""),
            "{sentinel}"
        );
        assert!(sentinel.contains("db: 4"), "{sentinel}");
        assert!(
            !sentinel.contains("swordfish") && !sentinel.contains("hunter2"),
            "{sentinel}"
        );
    }

    #[test]
    fn a_login_is_percent_decoded() {
        let options = Options::from_url("redis://jo%62s:p%40ss%2Fw%C3%B6rd+&=@127.0.0.1").unwrap();

        assert_eq!(options.login.username.as_deref(), Some("jobs"));
        assert_eq!(options.login.password.as_deref(), Some("p@ss/wörd+&="));
    }
}
