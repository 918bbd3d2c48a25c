//! Programs that tests need.

use std::path::PathBuf;

/// Where a program is that the tests need: installed, or where scripts/setup.sh puts it.
pub fn tool(name: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cache = || std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
    let tools = std::env::var_os("HUBBUB_TOOLS").map_or_else(|| cache().join("hubbub/tools"), PathBuf::from);
    let own = tools.join(name).join("bin").join(name);
    if own.is_file() { own } else { name.into() }
}
