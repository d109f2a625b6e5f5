//! Tables of names: how values are printed, and read back.

/// Each value's name; no name and no value is there twice.
pub(super) type Names<T> = [(&'static str, T)];

/// All values, in the order of their table.
pub(super) const fn values<T: Copy, const N: usize>(names: &[(&'static str, T); N]) -> [T; N] {
    let mut values = [names[0].1; N];
    let mut index = 0;
    while index < N {
        values[index] = names[index].1;
        index += 1;
    }
    values
}

/// The name of a value that is in the table.
pub(super) fn name_of<T: PartialEq>(names: &Names<T>, value: &T) -> &'static str {
    let found = names.iter().find(|(_, known)| known == value);
    found.expect("every value has a name").0
}

/// The value of that name, or all names there are.
pub(super) fn named<T: Copy>(names: &Names<T>, name: &str) -> Result<T, String> {
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        known.join(", ")
    })
}
