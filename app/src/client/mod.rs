//! Glue to the browser: socket, storage, scrolling.
