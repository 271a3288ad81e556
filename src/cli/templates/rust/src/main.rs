use std::env;

fn main() {
    let query = env::var("QUERY_STRING").unwrap_or_default();
    let name = query.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap_or("world");
    println!("Content-Type: text/plain\n");
    println!("Hello, {name}!");
}
