// A function as aws-lambda-go has it. What it is asked for is in the path.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	switch event.RawPath {
	case "/error":
		return events.APIGatewayV2HTTPResponse{}, errors.New("on purpose")
	case "/panic":
		panic("at the function's end")
	case "/exit":
		fmt.Fprintln(os.Stderr, "leaving now")
		os.Exit(3)
	case "/large":
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: strings.Repeat("x", 7<<20)}, nil
	case "/slow":
		time.Sleep(time.Minute)
	}
	fmt.Println("a line of the Go function")
	return events.APIGatewayV2HTTPResponse{
		StatusCode: 201,
		Headers:    map[string]string{"Content-Type": "text/plain", "X-Request-Id": lc.AwsRequestID},
		Cookies:    []string{"a=1", "b=2"},
		Body: fmt.Sprintf("%s %s q=%s body=%s fn=%s left=%t",
			event.RequestContext.HTTP.Method, event.RawPath, event.QueryStringParameters["q"], event.Body,
			lambdacontext.FunctionName, time.Until(deadline) > time.Second),
	}, nil
}

// Streams its answer: a part, and the rest when there is one.
func stream(ctx context.Context, event events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLStreamingResponse, error) {
	reader, writer := io.Pipe()
	go func() {
		for i := 0; i < 3; i++ {
			fmt.Fprintf(writer, "part %d\n", i)
		}
		if event.RawPath == "/break" {
			writer.CloseWithError(errors.New("broken on purpose"))
			return
		}
		if event.RawPath == "/large" {
			writer.Write([]byte(strings.Repeat("x", 8<<20)))
		}
		writer.Close()
	}()
	return &events.LambdaFunctionURLStreamingResponse{
		StatusCode: 202,
		Headers:    map[string]string{"Content-Type": "text/x-parts"},
		Body:       reader,
	}, nil
}

func main() {
	if os.Getenv("STREAM") != "" {
		lambda.Start(stream)
	} else {
		lambda.Start(handle)
	}
}
