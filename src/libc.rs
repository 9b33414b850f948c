//! What the standard library asks of wasi-libc, all of it for the text of a panic, answered without it.
//!
//! With wasi-libc's own the component would have an allocator and an environment besides, which are not used,
//! and the preview 1 adapter, an instance more to be made for each request.
#![allow(unsafe_code)] // C's names.

use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::ptr;
use std::slice;

/// `RUST_BACKTRACE` is not set: the hook is told what it is told by Spin's variables.
#[unsafe(no_mangle)]
extern "C" fn getenv(_: *const c_char) -> *const c_char {
    ptr::null()
}

/// There is no working directory.
#[unsafe(no_mangle)]
extern "C" fn getcwd(_: *mut c_char, _: usize) -> *mut c_char {
    ptr::null_mut()
}

/// Writes to standard error, whatever the descriptor.
///
/// # Safety
///
/// `bytes` are `count` bytes that can be read.
#[unsafe(no_mangle)]
unsafe extern "C" fn write(_: c_int, bytes: *const c_void, count: usize) -> isize {
    // 4,096 bytes is the most that one blocking write takes. The caller comes again with the rest.
    let count = count.min(4096);
    // SAFETY: as the caller says.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), count) };
    let stderr = wasi::cli::stderr::get_stderr();
    let written = stderr.blocking_write_and_flush(bytes);
    mem::forget(stderr);
    if written.is_ok() { count.cast_signed() } else { -1 }
}
