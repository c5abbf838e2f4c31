//! What Adlib's edge and origin both speak: briefs, copies, channels, limits, errors, keys.
