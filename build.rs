//! How large the component's stack is. Spin gives each request an instance of its own and clears its memory
//! after it, so that the megabyte that is usual costs each hook some 6 % of CPU (docs/contributing/performance.md).

/// In bytes. What recurses is bounded: JSON and TOML by their crates, at 128 and 80 levels.
const STACK: u32 = 256 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg=-zstack-size={STACK}");
    }
}
