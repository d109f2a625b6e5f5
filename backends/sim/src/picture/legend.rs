//! What the signs mean.

use super::canvas::{Canvas, width_of};

/// A sign and its meaning; signs are drawn in a box of 22 by 12.
type Sign = (fn(&mut Canvas, f64, f64), &'static str);

const SIGNS: [Sign; 12] = [
    (
        |c, x, y| c.rect([x, y, 22.0, 12.0], "bar c0", ""),
        "permit, while its client believes in it: #acquisition, client, token",
    ),
    (
        |c, x, y| {
            c.rect([x, y, 22.0, 12.0], "bar c0", "");
            c.rect([x, y, 22.0, 12.0], "bare", "");
        },
        "believed in, though no server has the lease",
    ),
    (
        |c, x, y| {
            c.rect([x, y + 1.0, 22.0, 3.0], "s0", "");
            c.rect([x, y + 5.0, 22.0, 3.0], "s1", "");
            c.rect([x, y + 9.0, 22.0, 3.0], "s2", "");
        },
        "its lease on server 0, 1, 2",
    ),
    (|c, x, y| c.line([x, y + 6.0, x + 22.0, y + 6.0], "wait", ""), "waits"),
    (
        |c, x, y| c.rect([x, y, 22.0, 12.0], "both", ""),
        "two believed in one slot, as a fault explains",
    ),
    (
        |c, x, y| c.rect([x, y, 22.0, 12.0], "clash", ""),
        "two believed in one slot: a violation",
    ),
    (
        |c, x, y| c.rect([x + 1.0, y + 1.0, 20.0, 10.0], "blamed", ""),
        "has a part in a violation",
    ),
    (
        |c, x, y| c.cross(x + 11.0, y + 6.0, 4.0, "loss", ""),
        "told that it is lost",
    ),
    (
        |c, x, y| c.cross(x + 11.0, y + 6.0, 4.0, "refused", ""),
        "write refused",
    ),
    (|c, x, y| c.circle(x + 11.0, y + 6.0, 1.8, "mark", ""), "write admitted"),
    (
        |c, x, y| c.rect([x, y, 22.0, 12.0], "still", ""),
        "stands still, or is down",
    ),
    (
        |c, x, y| {
            c.rect([x, y, 10.0, 12.0], "fault", "");
            c.rect([x + 10.0, y, 12.0, 12.0], "felt", "");
        },
        "fault, and until when it can be felt",
    ),
];

/// Draws the legend from `y` on, in lines of `width`, and returns where it ends.
pub(super) fn draw(canvas: &mut Canvas, width: f64, y: f64) -> f64 {
    let (mut x, mut y) = (10.0, y);
    for (sign, meaning) in SIGNS {
        let wide = 28.0 + width_of(meaning) + 10.0;
        if x + wide > width && x > 10.0 {
            x = 10.0;
            y += 20.0;
        }
        sign(canvas, x, y);
        canvas.words(x + 28.0, y + 10.0, "note", meaning);
        x += wide;
    }
    y + 24.0
}
