// A program of the standard library alone: the body on standard input, the answer on standard output.
use std::env::var;
use std::io::{self, Read};

fn main() -> io::Result<()> {
    let mut body = String::new();
    io::stdin().read_to_string(&mut body)?;
    if var("REQUEST_METHOD").as_deref() != Ok("POST") {
        println!("Status: 405 Method Not Allowed\nContent-Type: text/plain\nAllow: POST\n\nsend me text with POST");
        return Ok(());
    }
    let reversed: String = body.chars().rev().collect();
    println!("Content-Type: text/plain; charset=utf-8\n\n{reversed}");
    Ok(())
}
