//! Tones of voice.

use crate::named::named_enum;

named_enum! {
    /// How the copy sounds.
    Tone {
        Professional = "professional", "Businesslike, precise and courteous";
        Casual = "casual", "Relaxed, as among acquaintances";
        Formal = "formal", "Correct and reserved, without contractions";
        Friendly = "friendly", "Warm and approachable";
        Witty = "witty", "Clever, with a turn of phrase";
        Humorous = "humorous", "Openly funny";
        Urgent = "urgent", "Pressing, asking to act now";
        Inspirational = "inspirational", "Lifting the reader towards a goal";
        Informative = "informative", "Facts first, plainly ordered";
        Authoritative = "authoritative", "Speaking from expertise";
        Conversational = "conversational", "As if talking with the reader";
        Persuasive = "persuasive", "Arguing for the choice";
        Storytelling = "storytelling", "Told as a small story";
        Educational = "educational", "Teaching something on the way";
        Motivational = "motivational", "Encouraging the reader to begin";
        Empathetic = "empathetic", "Understanding the reader's situation";
        Confident = "confident", "Sure of what is offered";
        Playful = "playful", "Light and inventive";
        Emotional = "emotional", "Speaking to feeling";
        Assertive = "assertive", "Direct and firm";
        Luxurious = "luxurious", "Rich, unhurried, refined";
        Bold = "bold", "Striking and short";
        Reassuring = "reassuring", "Calming doubts";
        Minimalist = "minimalist", "As few words as carry the message";
    }
}
