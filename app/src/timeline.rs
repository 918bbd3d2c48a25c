//! A room's log as one client sees it.
