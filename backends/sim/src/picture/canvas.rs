//! Text of an SVG.

use std::fmt::Write as _;

/// Shapes, one after the other. Every text that comes in is escaped.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    text: String,
}

impl Canvas {
    pub(super) fn rect(&mut self, [x, y, width, height]: [f64; 4], class: &str, title: &str) {
        let rounded = if height > 6.0 { " rx=\"2\"" } else { "" };
        self.shape(
            &format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"{rounded} class=\"{class}\"",
                width.max(0.6)
            ),
            "rect",
            title,
        );
    }

    pub(super) fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], class: &str, title: &str) {
        self.shape(
            &format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\""),
            "line",
            title,
        );
    }

    pub(super) fn circle(&mut self, x: f64, y: f64, radius: f64, class: &str, title: &str) {
        self.shape(
            &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" class=\"{class}\""),
            "circle",
            title,
        );
    }

    /// A cross, for what ended badly.
    pub(super) fn cross(&mut self, x: f64, y: f64, arm: f64, class: &str, title: &str) {
        let (left, right, top, bottom) = (x - arm, x + arm, y - arm, y + arm);
        self.shape(
            &format!(
                "<path d=\"M{left:.1} {top:.1}L{right:.1} {bottom:.1}M{left:.1} {bottom:.1}L{right:.1} {top:.1}\" \
                 class=\"{class}\""
            ),
            "path",
            title,
        );
    }

    pub(super) fn words(&mut self, x: f64, y: f64, class: &str, words: &str) {
        let words = escaped(words);
        let _a_string_takes_everything = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{words}</text>"
        );
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn shape(&mut self, start: &str, tag: &str, title: &str) {
        let _a_string_takes_everything = if title.is_empty() {
            writeln!(self.text, "{start}/>")
        } else {
            writeln!(self.text, "{start}><title>{}</title></{tag}>", escaped(title))
        };
    }
}

/// Text as it may stand in an element or in an attribute; what XML has no place for is left out.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => {}
            _ if character.is_control() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

/// How wide a text is, about, in the font of the picture.
pub(super) fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * 6.2 + 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            escaped("<a b=\"c\" & 'd'>\u{1b}\n"),
            "&lt;a b=&quot;c&quot; &amp; &#39;d&#39;&gt;\n"
        );
    }
}
