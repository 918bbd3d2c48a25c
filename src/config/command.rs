//! What the program does besides serving.

use super::parse::parse_duration;
use crate::store::NoticeText;
use clap::Subcommand;
use std::{path::PathBuf, time::Duration};

/// What to do instead of serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Copies the embedded engine's file, also while the server uses it
    Backup {
        /// Where to; a file that is not there yet
        file: PathBuf,
    },

    /// Looks for what is wrong with these settings, the store and this machine, and says what to do. Changes none of them. Ends with 0 if
    /// all is well, with 1 if something will be regretted, with 2 if something does not work
    Doctor {
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },

    /// Asks the server that runs with these settings on this machine whether it serves
    Healthcheck,

    /// Tells everybody something: on every page, and at once in every room that is open. Without a text it shows what is told
    Notice {
        /// One line, at most 280 characters
        #[arg(value_parser = NoticeText::parse, conflicts_with = "clear")]
        text: Option<NoticeText>,

        /// For how long
        #[arg(long = "for", default_value = "24h", value_parser = parse_duration, value_name = "DURATION")]
        lasts: Duration,

        /// Takes it back
        #[arg(long)]
        clear: bool,
    },

    /// Puts a backup in the place of the embedded engine's file; the server has to be stopped
    Restore {
        /// The backup, as `hubbub backup` makes it
        file: PathBuf,

        /// Puts the store that is there aside, under another name. Nothing is deleted
        #[arg(long)]
        replace: bool,
    },
}
