// Two functions in one: HTTP by lambda_http, and streamed by lambda_runtime itself.
use lambda_http::{Body, Error, Request, RequestExt, Response};
use lambda_runtime::{streaming, LambdaEvent, MetadataPrelude};
use serde_json::Value;

async fn http(request: Request) -> Result<Response<Body>, Error> {
    if request.uri().path() == "/error" {
        return Err("on purpose".into());
    }
    let id = request.lambda_context().request_id;
    let query = request.query_string_parameters();
    let text = format!(
        "{} {} q={} body={}",
        request.method(),
        request.uri().path(),
        query.first("q").unwrap_or(""),
        String::from_utf8_lossy(request.body().as_ref())
    );
    let answer = Response::builder().status(201).header("x-request-id", id).header("content-type", "text/plain");
    Ok(answer.body(text.into())?)
}

async fn parts(_event: LambdaEvent<Value>) -> Result<lambda_runtime::StreamResponse<streaming::Body>, Error> {
    let (mut sender, body) = streaming::channel();
    tokio::spawn(async move {
        for i in 0..3 {
            if sender.send_data(format!("part {i}\n").into()).await.is_err() {
                return;
            }
        }
    });
    let mut prelude = MetadataPrelude::default();
    prelude.status_code = lambda_http::http::StatusCode::ACCEPTED;
    prelude.headers.insert("content-type", "text/x-parts".parse()?);
    Ok(lambda_runtime::StreamResponse { metadata_prelude: prelude, stream: body })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("STREAM").is_ok() {
        lambda_runtime::run(lambda_runtime::service_fn(parts)).await
    } else {
        lambda_http::run(lambda_http::service_fn(http)).await
    }
}
