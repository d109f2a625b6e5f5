//! Values as people read them.

/// The lowest and highest value of an axis, and where it has marks.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) marks: Vec<f64>,
}

impl Axis {
    /// An axis with some three to six marks at round values.
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone, from_zero: bool) -> Self {
        let (mut low, high) = (
            values.clone().fold(f64::INFINITY, f64::min),
            values.fold(f64::NEG_INFINITY, f64::max),
        );
        if from_zero || low > high {
            low = 0.0;
        }
        let high = if high > low { high } else { low + 1.0 };
        let step = round_up((high - low) / 4.0);
        let low = (low / step).floor() * step;
        let high = (high / step).ceil() * step;
        let count = ((high - low) / step).round() as u32;
        let marks = (0..=count).map(|mark| low + f64::from(mark) * step).collect();
        Self { low, high, marks }
    }

    /// Which part of the axis lies below a value.
    pub(crate) fn part(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// 1, 2 or 5 times a power of ten.
fn round_up(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * power >= step * 0.999);
    factors.unwrap_or(10.0) * power
}

/// A value in one of Grafana's units.
pub(crate) fn in_words(value: f64, unit: &str) -> String {
    match unit {
        "percentunit" => format!("{}%", short(value * 100.0)),
        "s" if value == 0.0 => "0".to_owned(),
        "s" if value < 0.001 => format!("{} µs", short(value * 1e6)),
        "s" if value < 1.0 => format!("{} ms", short(value * 1e3)),
        "s" => format!("{} s", short(value)),
        "ops" => format!("{}/s", short(value)),
        _ => short(value),
    }
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn marks_are_round_and_enclose_the_values() {
    let axis = Axis::of([3.0, 37.0].into_iter(), true);
    let nothing = Axis::of([].into_iter(), true);

    assert_eq!(axis.marks, [0.0, 10.0, 20.0, 30.0, 40.0]);
    assert_eq!((axis.part(0.0), axis.part(40.0)), (0.0, 1.0));
    assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
}

#[test]
fn values_have_their_unit() {
    let words = [
        (0.25, "s"),
        (0.0005, "s"),
        (12.0, "s"),
        (0.5, "percentunit"),
        (2.5, "ops"),
        (7.0, "short"),
    ]
    .map(|(value, unit)| in_words(value, unit));

    assert_eq!(words, ["250 ms", "500 µs", "12 s", "50%", "2.5/s", "7"]);
}
