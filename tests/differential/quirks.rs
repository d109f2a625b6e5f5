//! In what the servers differ from each other, so that the simulator cannot be like all of them.

use xtask::Flavor;

/// How numbers in replies are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// By value where a server prints fractions and huge numbers in another way.
    ByValue,
    /// To the letter: our scripts use whole numbers below 2^53 only, which all servers print alike.
    ToTheLetter,
}

/// Redis 8.2 and Valkey print the fewest digits that give the number back, the older ones seventeen.
pub(crate) fn same_number(flavor: Flavor, numbers: Numbers, real: &[u8], simulated: &[u8]) -> bool {
    let shortest = matches!(flavor, Flavor::Redis82 | Flavor::Valkey91);
    let (Ok(real), Ok(simulated)) = (std::str::from_utf8(real), std::str::from_utf8(simulated)) else {
        return false;
    };
    shortest && numbers == Numbers::ByValue && words(real).eq(words(simulated))
}

/// The words of a text, and the numbers in it as what they are worth.
fn words(text: &str) -> impl Iterator<Item = Result<f64, &str>> {
    let ends = [' ', ',', '[', ']', '"'];
    text.split(ends).map(|word| word.parse::<f64>().map_err(|_| word))
}

/// Redis 6.2 cannot tell an error that is a table: its own handler fails on it.
pub(crate) fn handler_failed(flavor: Flavor, error: &str) -> bool {
    flavor == Flavor::Redis62 && error.contains("@err_handler_def:")
}

/// An error without what Redis 6.2 puts before one that was raised in a script, once or twice:
/// `ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -OOM …`.
pub(crate) fn plain_error(error: &str) -> &str {
    let start = if error.starts_with("ERR Error running script") {
        error.find("@user_script:")
    } else {
        None
    };
    let mut rest = &error[start.unwrap_or(0)..];
    while let Some(located) = rest.strip_prefix("@user_script:") {
        let line_and_text = located.trim_start().split_once(": ");
        rest = line_and_text.map_or("", |(_line, text)| text);
    }
    rest.strip_prefix('-').unwrap_or(rest)
}
