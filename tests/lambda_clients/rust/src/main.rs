// A function as lambda_runtime has it; with STREAM set, one that streams its answer.
use lambda_runtime::{run, service_fn, streaming, Error, LambdaEvent, MetadataPrelude, StreamResponse};
use serde_json::{json, Value};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    let path = payload["rawPath"].as_str().unwrap_or_default();
    match path {
        "/error" => return Err("on purpose".into()),
        "/large" => return Ok(json!({ "statusCode": 200, "body": "x".repeat(7 << 20) })),
        "/exit" => {
            eprintln!("leaving now");
            std::process::exit(3)
        }
        _ => println!("a line of the Rust function"),
    }
    let text = format!(
        "{} {} q={} body={} fn={} left={}",
        payload["requestContext"]["http"]["method"].as_str().unwrap_or_default(),
        path,
        payload["queryStringParameters"]["q"].as_str().unwrap_or_default(),
        payload["body"].as_str().unwrap_or_default(),
        context.env_config.function_name,
        context.deadline > 1_600_000_000_000,
    );
    let headers = json!({ "content-type": "text/plain", "x-request-id": context.request_id });
    Ok(json!({ "statusCode": 201, "headers": headers, "cookies": ["a=1", "b=2"], "body": text }))
}

async fn parts(event: LambdaEvent<Value>) -> Result<StreamResponse<streaming::Body>, Error> {
    let large = event.payload["rawPath"] == "/large";
    let (mut sender, body) = streaming::channel();
    tokio::spawn(async move {
        for i in 0..3 {
            if sender.send_data(format!("part {i}\n").into()).await.is_err() {
                return;
            }
        }
        if large {
            let _ = sender.send_data("x".repeat(8 << 20).into()).await;
        }
    });
    let mut prelude = MetadataPrelude::default();
    prelude.status_code = 202.try_into()?;
    prelude.headers.insert("content-type", "text/x-parts".parse()?);
    Ok(StreamResponse { metadata_prelude: prelude, stream: body })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("STREAM").is_ok() {
        run(service_fn(parts)).await
    } else {
        run(service_fn(handle)).await
    }
}
