//! The `onscene` program: everything is in the library.

fn main() -> std::process::ExitCode {
    onscene::cli::run()
}
