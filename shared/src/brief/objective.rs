//! What a copy is to achieve.

use crate::named::named_enum;

named_enum! {
    /// What the copy is to achieve.
    Objective {
        Awareness = "awareness", "Make the product known";
        Consideration = "consideration", "Make it one of the choices";
        LeadGeneration = "lead_generation", "Win a contact";
        Conversion = "conversion", "Win the purchase";
        Retention = "retention", "Keep those who are customers";
        Launch = "launch", "Introduce something new";
        Event = "event", "Bring people to an event";
        Announcement = "announcement", "Tell news";
    }
}
