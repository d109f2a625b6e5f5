//! Where clients are when a deployment is split.

/// Where clients are when a deployment is [split](crate::RedisFixture::partition). Until then they reach everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// With those that are cut off.
    CutOff,
    /// With all others.
    Rest,
}
