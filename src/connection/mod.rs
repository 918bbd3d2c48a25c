//! One connection, whatever it carries.
//!
//! | module | what it is for |
//! |---|---|
//! | [`places`] | how many there may be, of whom, and which one goes for another |
//! | [`pace`] | how long a request and an answer may take |
//! | [`wire`] | the bytes, and what they say about how it goes on |

pub mod pace;
pub mod places;
pub mod wire;
