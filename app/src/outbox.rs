//! What this tab has sent and does not yet know the fate of.
