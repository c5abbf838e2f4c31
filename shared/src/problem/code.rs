//! The stable codes of the contract's errors.

use crate::named::named_enum;

named_enum! {
    /// What went wrong, as a word that never changes. [`about`](Self::about) is the title of the problem.
    Code {
        MalformedJson = "malformed_json", "The body is not the JSON that was expected";
        Unauthorized = "unauthorized", "A valid key is required";
        Forbidden = "forbidden", "The key does not allow this";
        NotFound = "not_found", "There is nothing here";
        MethodNotAllowed = "method_not_allowed", "The route does not take this method";
        IdempotencyConflict = "idempotency_conflict", "The idempotency key belongs to another request";
        TooLarge = "too_large", "The body is too large";
        UnsupportedMediaType = "unsupported_media_type", "The content type is not supported";
        InvalidField = "invalid_field", "A field is not valid";
        UnknownChannel = "unknown_channel", "The channel is not known";
        UnsupportedLanguage = "unsupported_language", "The model is not declared for this language";
        ContradictoryTerms = "contradictory_terms", "Required and excluded terms contradict each other";
        InfeasibleConstraints = "infeasible_constraints", "No copy can meet these constraints";
        RateLimited = "rate_limited", "Too many requests";
        Blocked = "blocked", "The caller is blocked";
        ConstraintUnsatisfied = "constraint_unsatisfied", "No copy met the channel's limits";
        Internal = "internal", "Something failed on our side";
        OriginFailed = "origin_failed", "The origin gave no usable answer";
        Overloaded = "overloaded", "The service is at its capacity";
        OriginUnavailable = "origin_unavailable", "The origin cannot be reached";
        DeadlineExceeded = "deadline_exceeded", "The answer took too long";
        OnlyIfCached = "only_if_cached", "The cache holds no answer";
    }
}

impl Code {
    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedJson => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::IdempotencyConflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::InvalidField
            | Self::UnknownChannel
            | Self::UnsupportedLanguage
            | Self::ContradictoryTerms
            | Self::InfeasibleConstraints => 422,
            Self::RateLimited | Self::Blocked => 429,
            Self::ConstraintUnsatisfied | Self::Internal => 500,
            Self::OriginFailed => 502,
            Self::Overloaded | Self::OriginUnavailable => 503,
            Self::DeadlineExceeded | Self::OnlyIfCached => 504,
        }
    }

    /// The title of the problem document.
    pub const fn title(self) -> &'static str {
        self.about()
    }

    /// The `type` of the `error` object, in the words of the OpenAI API.
    pub const fn openai_type(self) -> &'static str {
        match self.status() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "server_error",
        }
    }
}
