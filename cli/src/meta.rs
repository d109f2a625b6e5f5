//! What holders say of themselves: `key=value` pairs joined by `&`, percent-encoded.

use std::collections::BTreeMap;

/// Reads the pairs; text of another form is kept under the key `text`.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    let pairs: Option<BTreeMap<String, String>> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map(|(key, value)| (decode(key), decode(value))))
        .collect();
    pairs.unwrap_or_else(|| BTreeMap::from([("text".to_owned(), text.to_owned())]))
}

/// The pairs on one line, without anything that could move a terminal's cursor.
pub(crate) fn inline(text: &str) -> String {
    let pairs: Vec<String> = parse(text)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let line = pairs.join(" ");
    if line.is_empty() {
        "-".to_owned()
    } else {
        printable(&line)
    }
}

/// Control characters as `?`: names and metadata come from anybody who can write to the server.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '?' } else { character })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, hex(after)) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_other_text_is_kept() {
        let meta = parse("host=a%26b&note=50%25+x%3Dy&pid=1");

        assert_eq!(meta["host"], "a&b");
        assert_eq!(meta["note"], "50%+x=y");
        assert_eq!(meta["pid"], "1");
        assert_eq!(parse(""), BTreeMap::new());
        assert_eq!(parse("free text")["text"], "free text");
        assert_eq!(parse("bad=%zz%4")["bad"], "%zz%4");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(inline("x=%1B[2J%0A"), "x=?[2J?");
    }
}
