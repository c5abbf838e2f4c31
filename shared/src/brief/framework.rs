//! Copywriting frameworks as ordered slots.

use crate::named::named_enum;

named_enum! {
    /// The order in which the copy makes its case.
    Framework {
        Auto = "auto", "Chosen by channel and objective";
        None = "none", "No framework";
        Aida = "aida", "Attention, interest, desire, action";
        Pas = "pas", "Problem, agitation, solution";
        Bab = "bab", "Before, after, bridge";
        Fab = "fab", "Features, advantages, benefits";
        FourPs = "4ps", "Promise, picture, proof, push";
    }
}

impl Framework {
    /// What the copy does in turn; empty for `auto` and `none`.
    pub const fn slots(self) -> &'static [&'static str] {
        match self {
            Self::Auto | Self::None => &[],
            Self::Aida => &["attention", "interest", "desire", "action"],
            Self::Pas => &["problem", "agitation", "solution"],
            Self::Bab => &["before", "after", "bridge"],
            Self::Fab => &["features", "advantages", "benefits"],
            Self::FourPs => &["promise", "picture", "proof", "push"],
        }
    }
}
