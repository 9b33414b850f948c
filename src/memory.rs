//! The memory of an instance: handed out in order, and never taken back.
//!
//! Spin and SpinKube make an instance for each request and throw its memory away with it, so that a hook
//! needs no allocator that finds again what has been freed. Without one the component is smaller by all
//! the code that frees, and faster. What grows at the end of the memory grows where it is.
//!
//! The price: a request costs the sum of its allocations. That is some 10 KB for a hook, and some times
//! the body's size for a batch of reports.
#![allow(unsafe_code)] // An allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that are asked for at once, several times what a hook takes. The module begins with as many
/// (build.rs): to have its memory grown costs a request 40 microseconds.
const CHUNK: usize = 64 * 1024;

struct Memory {
    /// Where the next allocation begins, but for its alignment.
    next: AtomicUsize,
    /// Where the chunk ends that it is taken from.
    end: AtomicUsize,
}

#[global_allocator]
static MEMORY: Memory = Memory { next: AtomicUsize::new(0), end: AtomicUsize::new(0) };

impl Memory {
    /// The address of so many bytes behind `from`, or null.
    fn take(&self, from: usize, layout: Layout) -> *mut u8 {
        let start = from.next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= self.end.load(Ordering::Relaxed) => {
                self.next.store(end, Ordering::Relaxed);
                ptr::with_exposed_provenance_mut(start)
            }
            _ => self.take_new(layout),
        }
    }

    #[cold]
    fn take_new(&self, layout: Layout) -> *mut u8 {
        let Some(size) = layout.size().checked_add(layout.align()) else { return ptr::null_mut() };
        let Ok(chunk) = Layout::from_size_align(size.max(CHUNK), 8) else {
            return ptr::null_mut();
        };
        // SAFETY: the size is not zero.
        let start = unsafe { System.alloc(chunk) }.expose_provenance();
        if start == 0 {
            return ptr::null_mut();
        }
        self.end.store(start + chunk.size(), Ordering::Relaxed);
        self.take(start, layout)
    }
}

// SAFETY: each allocation lies in a chunk of the system's, behind all that were taken from it before, and
// none is taken twice. There is one thread.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(self.next.load(Ordering::Relaxed), layout)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size <= layout.size() {
            return old;
        }
        // SAFETY: `size` is not zero, and the caller has seen to it that it does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let start = old.addr();
        let is_last = start + layout.size() == self.next.load(Ordering::Relaxed);
        let new =
            self.take(if is_last { start } else { self.next.load(Ordering::Relaxed) }, new_layout);
        if !new.is_null() && new != old {
            // SAFETY: both are of this many bytes at least, and do not overlap.
            unsafe { ptr::copy_nonoverlapping(old, new, layout.size()) };
        }
        new
    }
}
