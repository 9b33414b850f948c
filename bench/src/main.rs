mod size;
fn main() -> anyhow::Result<()> {
    size::print(std::path::Path::new("."))
}
