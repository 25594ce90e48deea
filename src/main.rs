//! The `onscene` program: everything is in the library.

/// A delivery is made of many short texts that live for a millisecond on two threads, which the allocator of
/// the C library is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    onscene::cli::run()
}
