//! A small blocking RESP2 client: test tooling, so that no test needs a driver to look at a server.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`.
    Simple(String),
    /// `-ERR …`, with its code and without the minus.
    Error(String),
    /// `:1`.
    Int(i64),
    /// `$3 foo`.
    Bulk(Vec<u8>),
    /// A null bulk string or a null array.
    Nil,
    /// `*2 …`.
    Array(Vec<Self>),
}

impl Reply {
    /// The reply as text: strings and errors as they are (invalid UTF-8 replaced), the rest as displayed.
    #[must_use]
    pub fn text(&self) -> String {
        self.to_string()
    }

    /// The integer, also when it came as a string.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            Self::Simple(_) | Self::Bulk(_) => self.text().parse().ok(),
            _ => None,
        }
    }

    /// The elements of an array; nothing for any other reply.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// Whether the server refused.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) | Self::Error(text) => f.write_str(text),
            Self::Int(int) => write!(f, "{int}"),
            Self::Bulk(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Self::Nil => f.write_str("(nil)"),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// One plain TCP connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to `port` of 127.0.0.1; `timeout` bounds the connect and then each read and write.
    ///
    /// # Errors
    /// When nobody listens, or `timeout` is zero.
    pub fn open(port: u16, timeout: Duration) -> io::Result<Self> {
        Self::open_at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), timeout)
    }

    /// Connects to any address; `timeout` bounds the connect and then each read and write.
    ///
    /// # Errors
    /// When nobody listens, or `timeout` is zero.
    pub fn open_at(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, timeout)?, timeout)
    }

    /// Speaks over a stream that is open already; `timeout` bounds each read and write.
    pub(crate) fn over(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends one command and reads its reply; an error reply is a [`Reply::Error`], not an `Err`.
    ///
    /// # Errors
    /// When the connection fails or is silent for longer than its timeout; then it is of no more use.
    pub fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.send(args)?;
        self.read()
    }

    /// Sends one command without reading: for pipelines, `SUBSCRIBE` and `MONITOR`.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let mut frame = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args.iter().map(AsRef::as_ref) {
            frame.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            frame.extend_from_slice(arg);
            frame.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&frame)
    }

    /// Whether the server closed it while nothing was asked, as it does with all its clients when its role changes.
    pub(crate) fn is_closed(&self) -> bool {
        let stream = self.stream.get_ref();
        let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        let alive = looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).is_err() || !alive
    }

    /// Lets a read wait without end from now on, and returns what ends it: to shut the stream down.
    pub(crate) fn wait_without_end(&mut self) -> io::Result<TcpStream> {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(None)?;
        stream.try_clone()
    }

    /// Reads the next reply or push message.
    ///
    /// # Errors
    /// When the connection fails, is silent for longer than its timeout, or does not speak RESP2.
    pub fn read(&mut self) -> io::Result<Reply> {
        read_reply(&mut self.stream)
    }
}

fn read_reply(input: &mut impl BufRead) -> io::Result<Reply> {
    let line = read_line(input)?;
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(malformed(&line));
    };
    match kind {
        "+" => Ok(Reply::Simple(rest.to_owned())),
        "-" => Ok(Reply::Error(rest.to_owned())),
        ":" => Ok(Reply::Int(number(rest)?)),
        "$" => match usize::try_from(number(rest)?) {
            Ok(length) => read_bulk(input, length),
            Err(_) => Ok(Reply::Nil),
        },
        "*" => match usize::try_from(number(rest)?) {
            Ok(length) => (0..length)
                .map(|_| read_reply(input))
                .collect::<io::Result<_>>()
                .map(Reply::Array),
            Err(_) => Ok(Reply::Nil),
        },
        _ => Err(malformed(&line)),
    }
}

fn read_bulk(input: &mut impl Read, length: usize) -> io::Result<Reply> {
    let mut bytes = vec![0; length + 2];
    input.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(Reply::Bulk(bytes))
}

fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| malformed(text))
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not RESP2: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reply_is_read() {
        let mut input: &[u8] = b"*6\r\n+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n";

        let reply = read_reply(&mut input).unwrap();

        let expected = [
            Reply::Simple("OK".into()),
            Reply::Error("ERR no".into()),
            Reply::Int(-7),
            Reply::Bulk(b"a\r\n".to_vec()),
            Reply::Nil,
            Reply::Nil,
        ];
        assert_eq!(reply.items(), expected);
        assert!(input.is_empty());
    }

    #[test]
    fn what_is_not_resp2_is_an_error() {
        for bytes in ["", "\r\n", "HTTP/1.1 400\r\n", ":x\r\n", "$5\r\nab\r\n"] {
            assert!(read_reply(&mut bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
