//! Files on this machine that take their place only when they are whole.

/// A temporary file that is as readable as any other file, where the system has a say in that.
pub fn temporary<'a, 'b>() -> tempfile::Builder<'a, 'b> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has file modes"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}
