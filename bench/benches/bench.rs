//! `cargo bench -p bench`: see src/lib.rs.

fn main() -> anyhow::Result<()> {
    bench::main()
}
