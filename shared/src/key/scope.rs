//! What a key may be used for.

use crate::named::named_enum;

named_enum! {
    /// What a key may be used for.
    Scope {
        Copy = "copy", "To have copy written and checked";
        Check = "check", "To have texts checked";
        Jobs = "jobs", "To have copy written later";
        Admin = "admin", "To manage keys, cache and blocks of the deployment";
    }
}
