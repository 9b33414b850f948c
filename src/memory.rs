//! The memory of an instance: handed out in order, and never taken back.
//!
//! Spin and SpinKube make an instance for each request and throw its memory away with it, so that a hook
//! needs no allocator that finds again what has been freed. Without one the component is smaller by all
//! the code that frees, and faster. What grows at the end of the memory grows where it is.
//!
//! The price: a request costs the sum of its allocations. That is some 10 KB for a hook, and some times
//! the body's size for a batch of reports.
#![allow(unsafe_code)] // An allocator.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The bytes of a page of WebAssembly's memory.
const PAGE: usize = 65_536;

unsafe extern "C" {
    // The linker's: the memory behind the data and the stack, as the module begins with it (build.rs says
    // how much). It is what a hook takes: to have memory grown costs a request 40 microseconds.
    static __heap_base: u8;
    static __heap_end: u8;
}

struct Memory {
    /// Where the next allocation begins, but for its alignment.
    next: AtomicPtr<u8>,
    /// Where the memory ends that it is taken from.
    end: AtomicPtr<u8>,
}

#[global_allocator]
static MEMORY: Memory = Memory {
    next: AtomicPtr::new((&raw const __heap_base).cast_mut()),
    end: AtomicPtr::new((&raw const __heap_end).cast_mut()),
};

impl Memory {
    /// So many bytes behind `from`, or null.
    fn take(&self, from: *mut u8, layout: Layout) -> *mut u8 {
        let start = from.addr().checked_next_multiple_of(layout.align());
        match start.and_then(|start| Some((start, start.checked_add(layout.size())?))) {
            Some((start, end)) if end <= self.end.load(Ordering::Relaxed).addr() => {
                self.next.store(from.with_addr(end), Ordering::Relaxed);
                from.with_addr(start)
            }
            _ => self.take_new(from, layout),
        }
    }

    #[cold]
    fn take_new(&self, from: *mut u8, layout: Layout) -> *mut u8 {
        let Some(size) = layout.size().checked_add(layout.align()) else { return ptr::null_mut() };
        let end = self.end.load(Ordering::Relaxed);
        let pages = size.div_ceil(PAGE);
        let before = wasm32::memory_grow::<0>(pages);
        if before == usize::MAX {
            return ptr::null_mut();
        }
        let new = ptr::with_exposed_provenance_mut::<u8>(before * PAGE);
        self.end.store(new.map_addr(|new| new.saturating_add(pages * PAGE)), Ordering::Relaxed);
        // Somebody else's growth would lie in between.
        self.take(if new == end { from } else { new }, layout)
    }
}

// SAFETY: each allocation lies behind the data, the stack and all allocations before it, in memory that
// nobody else takes any of; none is taken twice. There is one thread.
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
        let next = self.next.load(Ordering::Relaxed);
        let is_last = old.addr() + layout.size() == next.addr();
        let new = self.take(if is_last { old } else { next }, new_layout);
        if !new.is_null() && new != old {
            // SAFETY: both are of this many bytes at least, and do not overlap.
            unsafe { ptr::copy_nonoverlapping(old, new, layout.size()) };
        }
        new
    }
}
